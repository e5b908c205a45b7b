/* The client of the telemetry socket (ics_client.h). */
#include "ics_client.h"

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
#define HELLO_MAX 1024
#define WAIT_MS 5000
/* The server's queue holds one client that connects; who meets another tries again. */
#define TRIES 50
#define TRY_NS 20000000

static int fail(struct ics_client *c, int error, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static int
fail(struct ics_client *c, int error, const char *fmt, ...)
{
	va_list ap;

	ics_client_close(c);
	va_start(ap, fmt);
	vsnprintf(c->error, sizeof(c->error), fmt, ap);
	va_end(ap);
	return -error;
}

/* 0 or -ENAMETOOLONG. */
static int
path_below(const char *dir, const char *prefix, char path[static ICS_CLIENT_PATH_LEN])
{
	int n = snprintf(path, ICS_CLIENT_PATH_LEN, "%s/dpdk/%s/dpdk_telemetry.v2", dir, prefix);

	return n < 0 || n >= ICS_CLIENT_PATH_LEN ? -ENAMETOOLONG : 0;
}

int
ics_client_path(const struct ics_config *conf, char path[static ICS_CLIENT_PATH_LEN])
{
	const char *dir = getenv("RUNTIME_DIRECTORY"), *prefix = conf->eal.file_prefix, *own;
	char shared[ICS_CLIENT_PATH_LEN];
	int rc;

	if (dir != NULL)
		return path_below(dir, prefix, path);
	if (geteuid() == 0)
		return path_below("/var/run", prefix, path);
	own = getenv("XDG_RUNTIME_DIR");
	rc = path_below(own != NULL ? own : "/tmp", prefix, path);
	/* Whoever runs none of his own asks the service, or is told that it may not. */
	if (rc == 0 && access(path, F_OK) != 0 && path_below("/var/run", prefix, shared) == 0 &&
	    (access(shared, F_OK) == 0 || errno == EACCES))
		memcpy(path, shared, sizeof(shared));
	return rc;
}

static int
unreachable(struct ics_client *c, int error)
{
	if (error == ENOENT || error == ECONNREFUSED)
		return fail(c, error, "no icmpscope answers at %s: start it, or name its socket with --socket",
			    c->path);
	if (error == EACCES)
		return fail(c, error, "%s: only its owner and group may ask; use sudo, or join the group", c->path);
	return fail(c, error, "%s: %s", c->path, strerror(error));
}

/* Bytes of the next packet; 0 at the end, -1 and errno. */
static ssize_t
receive(const struct ics_client *c, char *buf, size_t size)
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
ics_client_open(struct ics_client *c, const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char hello[HELLO_MAX];
	ssize_t n;
	int rc = -1;

	*c = (struct ics_client){.fd = -1};
	if (strlen(path) >= sizeof(addr.sun_path))
		return fail(c, ENAMETOOLONG, "%.60s...: the path of a socket has at most %zu characters", path,
			    sizeof(addr.sun_path) - 1);
	snprintf(c->path, sizeof(c->path), "%s", path);
	memcpy(addr.sun_path, c->path, strlen(c->path) + 1);
	c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->fd < 0)
		return unreachable(c, errno);
	for (unsigned i = 0; i < TRIES && rc != 0; i++) {
		rc = connect(c->fd, (const struct sockaddr *)&addr, sizeof(addr));
		if (rc != 0 && errno != EAGAIN)
			return unreachable(c, errno);
		if (rc != 0)
			nanosleep(&(struct timespec){.tv_nsec = TRY_NS}, NULL);
	}
	if (rc != 0)
		return unreachable(c, EAGAIN);
	n = receive(c, hello, sizeof(hello));
	if (n <= 0)
		return unreachable(c, n == 0 ? ECONNRESET : errno);
	return 0;
}

void
ics_client_close(struct ics_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

json_t *
ics_client_ask(struct ics_client *c, const char *fmt, ...)
{
	char request[REQUEST_MAX + 1], *buf;
	json_error_t err;
	json_t *reply, *data;
	ssize_t n;
	va_list ap;

	va_start(ap, fmt);
	n = vsnprintf(request, sizeof(request), fmt, ap);
	va_end(ap);
	c->error[0] = '\0';
	if (n < 0 || (size_t)n >= sizeof(request))
		return fail(c, EMSGSIZE, "the question is too long"), NULL;
	if (c->fd < 0 || send(c->fd, request, (size_t)n, MSG_NOSIGNAL) != n)
		return fail(c, EPIPE, "%s: the connection was lost", c->path), NULL;
	buf = malloc(REPLY_MAX);
	if (buf == NULL)
		return fail(c, ENOMEM, "out of memory"), NULL;
	n = receive(c, buf, REPLY_MAX);
	if (n <= 0) {
		free(buf);
		fail(c, EIO, "%s: %s", c->path, n == 0 ? "icmpscope closed the connection" : strerror(errno));
		return NULL;
	}
	reply = json_loadb(buf, (size_t)n, 0, &err);
	free(buf);
	data = json_incref(json_object_iter_value(json_object_iter(reply)));
	json_decref(reply);
	if (data == NULL) {
		fail(c, EPROTO, "%s: the answer is no JSON: this is not the socket of icmpscope", c->path);
	} else if (json_is_null(data)) {
		json_decref(data);
		data = NULL;
		fail(c, EPROTO, "%s does not know %.60s: another program's socket, or an older icmpscope", c->path,
		     request);
	} else if (json_is_object(data) && json_object_get(data, "error") != NULL) {
		snprintf(c->error, sizeof(c->error), "%s", ics_client_text(data, "error"));
		json_decref(data);
		data = NULL;
	}
	return data;
}

uint64_t
ics_client_uint(const json_t *reply, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(reply, key));

	return v > 0 ? (uint64_t)v : 0;
}

const char *
ics_client_text(const json_t *reply, const char *key)
{
	const char *s = json_string_value(json_object_get(reply, key));

	return s != NULL ? s : "";
}

void
ics_client_long_text(const json_t *reply, const char *key, char *buf, size_t size)
{
	char piece[64];
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; n + 1 < size; i++) {
		const char *s;

		snprintf(piece, sizeof(piece), "%.40s_%u", key, i);
		s = json_string_value(json_object_get(reply, piece));
		if (s == NULL)
			break;
		n += (size_t)snprintf(buf + n, size - n, "%s", s);
	}
}

size_t
ics_client_rows(const json_t *page)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)page, key, v) if (json_is_array(v)) return json_array_size(v);
	return 0;
}
