/* Readiness, health and life, told to whoever started the program (sd_notify's protocol: datagrams of KEY=VALUE lines to the
 * local socket in NOTIFY_SOCKET). Without that variable nothing is sent. Any thread may call.
 */
#ifndef ICMPSCOPE_NOTIFY_H
#define ICMPSCOPE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t to_len;
	_Atomic bool ready;   /* that was told */
	uint64_t watchdog_ns; /* within which life must be told; 0: never */
};

/* Takes the variables out of the environment. False: NOTIFY_SOCKET is set and cannot be used. */
bool notify_open(struct notify *n);
/* "READY=1"; several lines at once are split by newlines. Never waits. False: nobody took it. */
bool notify_send(const struct notify *n, const char *lines);
/* Before and after settings are read again; nothing before it is ready. */
void notify_reloading(const struct notify *n);
void notify_ready_again(const struct notify *n);

#endif
