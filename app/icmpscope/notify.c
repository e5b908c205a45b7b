/* The protocol of sd_notify(3) by itself (notify.h): libsystemd would be a library more in a program that gives everything away,
 * for one sendto(). Called by main.c, the watchdog and the control core.
 */
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* WATCHDOG_PID, where it is set, names the process that is meant. */
static uint64_t
read_watchdog(void)
{
	const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");

	if (usec == NULL || (pid != NULL && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return strtoull(usec, NULL, 10) * 1000u;
}

bool
notify_open(struct notify *n)
{
	const char *path = getenv("NOTIFY_SOCKET");
	bool ok = true;

	n->fd = -1;
	n->to.sun_family = AF_UNIX;
	n->watchdog_ns = read_watchdog();
	if (path != NULL) {
		size_t len = strlen(path);

		ok = (path[0] == '/' || path[0] == '@') && len > 1 && len < sizeof(n->to.sun_path);
		if (ok) {
			memcpy(n->to.sun_path, path, len + 1);
			/* An abstract socket; its name ends with its length. */
			if (path[0] == '@')
				n->to.sun_path[0] = '\0';
			n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (path[0] == '/'));
			n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
			ok = n->fd >= 0;
		}
	}
	if (n->fd < 0)
		n->watchdog_ns = 0;
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	return ok;
}

bool
notify_send(const struct notify *n, const char *lines)
{
	size_t len = strlen(lines);

	return n->fd < 0 || sendto(n->fd, lines, len, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&n->to,
				   n->to_len) == (ssize_t)len;
}

void
notify_reloading(const struct notify *n)
{
	struct timespec t;
	char lines[80];

	if (!n->ready)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	snprintf(lines, sizeof(lines), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u);
	(void)notify_send(n, lines);
}

void
notify_ready_again(const struct notify *n)
{
	if (n->ready)
		(void)notify_send(n, "READY=1");
}
