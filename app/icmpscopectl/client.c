/* A client of DPDK's telemetry socket, version 2: one packet each way, the server speaks first. */
#include "ctl.h"

#include "ics_config.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* max_output_len of the server, and room to see that it kept to it. */
#define REPLY_MAX 32768
#define REQUEST_MAX 1023
#define WAIT_MS 5000
/* The server's queue holds one client that connects; who meets another tries again. */
#define TRIES 50
#define TRY_NS 20000000

/* Where DPDK puts the socket: the directory of a service first, then root's, then a user's. */
static int
default_path(const struct ctl_options *o, char *path, size_t size)
{
	const char *dir = getenv("RUNTIME_DIRECTORY"), *ini = o->config != NULL ? o->config : CTL_DEFAULT_INI;
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_CONFIG_ERR_LEN];
	int n;

	if (conf == NULL)
		return ctl_complain(CTL_FAILED, "out of memory");
	ics_config_init(conf);
	if ((o->config != NULL || access(ini, F_OK) == 0) && ics_config_load(conf, ini, err) != 0) {
		free(conf);
		return ctl_complain(CTL_USAGE, "%s", err);
	}
	if (dir == NULL)
		dir = geteuid() == 0 ? "/var/run" : getenv("XDG_RUNTIME_DIR");
	n = snprintf(path, size, "%s/dpdk/%s/dpdk_telemetry.v2", dir != NULL ? dir : "/tmp", conf->eal.file_prefix);
	free(conf);
	if (n < 0 || (size_t)n >= size)
		return ctl_complain(CTL_USAGE, "the path of the socket is too long");
	return CTL_ANSWERED;
}

static int
say_unreachable(const struct ctl_client *c, int error, bool quiet)
{
	if (quiet)
		return CTL_FAILED;
	if (error == ENOENT || error == ECONNREFUSED)
		return ctl_complain(CTL_FAILED,
				    "no icmpscope answers at %s: start it, or name its socket with --socket", c->path);
	if (error == EACCES)
		return ctl_complain(CTL_FAILED, "%s: its owner alone may ask; use sudo", c->path);
	return ctl_complain(CTL_FAILED, "%s: %s", c->path, strerror(error));
}

static ssize_t
receive(struct ctl_client *c, char *buf, size_t size)
{
	struct pollfd p = {.fd = c->fd, .events = POLLIN};
	int rc;

	do
		rc = poll(&p, 1, WAIT_MS);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		errno = ETIMEDOUT;
	return rc <= 0 ? -1 : recv(c->fd, buf, size, 0);
}

int
ctl_connect(struct ctl_client *c, const struct ctl_options *o, bool quiet)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char hello[1024];
	int status = CTL_ANSWERED, rc = -1, error = 0;

	c->fd = -1;
	if (o->socket == NULL)
		status = default_path(o, c->path, sizeof(addr.sun_path));
	else if (strlen(o->socket) >= sizeof(addr.sun_path))
		status = ctl_complain(CTL_USAGE, "--socket %.60s...: at most %zu characters", o->socket,
				      sizeof(addr.sun_path) - 1);
	else
		snprintf(c->path, sizeof(c->path), "%s", o->socket);
	if (status != CTL_ANSWERED)
		return status;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.*s", (int)sizeof(addr.sun_path) - 1, c->path);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return say_unreachable(c, errno, quiet);
	for (unsigned i = 0; i < TRIES && rc != 0; i++) {
		rc = connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr));
		error = errno;
		if (rc != 0 && error != EAGAIN)
			break;
		if (rc != 0)
			nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
	}
	if (rc == 0 && receive(c, hello, sizeof(hello)) <= 0) {
		rc = -1;
		error = errno != 0 ? errno : ECONNRESET;
	}
	if (rc != 0) {
		ctl_disconnect(c);
		return say_unreachable(c, error, quiet);
	}
	return CTL_ANSWERED;
}

void
ctl_disconnect(struct ctl_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

static json_t *
lost(struct ctl_client *c, const char *why)
{
	ctl_disconnect(c);
	ctl_complain(CTL_FAILED, "%s: %s", c->path, why);
	return NULL;
}

json_t *
ctl_ask(struct ctl_client *c, const char *fmt, ...)
{
	static char buf[REPLY_MAX];
	char request[REQUEST_MAX + 1];
	json_error_t err;
	json_t *reply, *data;
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(request, sizeof(request), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(request))
		return lost(c, "the question is too long");
	if (send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return lost(c, strerror(errno));
	n = receive(c, buf, sizeof(buf));
	if (n <= 0)
		return lost(c, n == 0 ? "icmpscope closed the connection" : strerror(errno));
	reply = json_loadb(buf, (size_t)n, 0, &err);
	data = json_object_iter_value(json_object_iter(reply));
	if (!json_is_object(reply) || data == NULL) {
		json_decref(reply);
		return lost(c, "the answer is no JSON: this is not the socket of icmpscope");
	}
	json_incref(data);
	json_decref(reply);
	if (json_is_null(data)) {
		json_decref(data);
		return lost(c, "does not know the question: another program's socket, or an older icmpscope");
	}
	if (json_is_object(data) && json_object_get(data, "error") != NULL) {
		ctl_complain(CTL_FAILED, "%s", ctl_text(data, "error"));
		json_decref(data);
		return NULL;
	}
	return data;
}

uint64_t
ctl_uint(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

const char *
ctl_text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : "";
}

void
ctl_long_text(const json_t *o, const char *key, char *buf, size_t size)
{
	size_t n = 0;
	char piece[64];

	buf[0] = '\0';
	for (unsigned i = 0; n + 1 < size; i++) {
		const char *s;

		snprintf(piece, sizeof(piece), "%s_%u", key, i);
		s = json_string_value(json_object_get(o, piece));
		if (s == NULL)
			break;
		n += (size_t)snprintf(buf + n, size - n, "%s", s);
	}
}
