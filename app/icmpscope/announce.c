/* Follows the store by sequence number and prints what an operator must hear (announce.h): opened, worse than before,
 * cleared. The control core may not wait for a terminal, so nothing is written that would not be taken at once.
 */
#include "announce.h"

#include "ics_report.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Anomalies in one call; the rest has its turn in the next. */
#define NEWS_MAX 16
/* A pipe that is ready takes this much without blocking (PIPE_BUF). */
#define TEXT_MAX 4096

static void
write_out(struct announce *a, const char *text, size_t len)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
	ssize_t n;

	if (a->gone)
		return;
	if (poll(&p, 1, 0) != 1 || !(p.revents & POLLOUT)) {
		a->unprinted++;
		return;
	}
	n = write(STDOUT_FILENO, text, len);
	if (n < 0 && errno != EINTR && errno != EAGAIN)
		a->gone = true;
	if (n != (ssize_t)len)
		a->unprinted++;
}

/* In full; or, for one that was told before, that it is over. */
static void
print(struct announce *a, const struct ics_anomaly *an, bool in_full)
{
	static char buf[TEXT_MAX]; /* the control core's alone */
	FILE *f = fmemopen(buf, sizeof(buf), "w");
	long len;

	if (f == NULL)
		return;
	if (in_full) {
		ics_report_anomaly_text(f, an);
	} else {
		char when[32], where[64];

		fprintf(f, "cleared  %s  #%" PRIu64 "  %s  %s\n", an->detector, an->id,
			ics_report_segment(&an->segment, where), ics_report_time(an->cleared_ns, when));
	}
	fflush(f);
	len = ftell(f);
	fclose(f);
	if (len > 0)
		write_out(a, buf, (size_t)len < sizeof(buf) ? (size_t)len : sizeof(buf) - 1);
}

/* Says what is new about it, and remembers that it was said. */
static void
tell_news(struct announce *a, const struct ics_anomaly *an)
{
	unsigned slot = (unsigned)(an->id % ANNOUNCE_SLOTS);
	bool known = a->said[slot].id == an->id;
	bool worse = known && an->severity > a->said[slot].severity;
	bool turned = !known || an->state != a->said[slot].state;
	bool cleared = an->state == ICS_ANOMALY_CLEARED;

	a->said[slot].id = an->id;
	a->said[slot].severity = (uint8_t)an->severity;
	a->said[slot].state = (uint8_t)an->state;
	if (!an->muted && (!known || worse || turned))
		print(a, an, !known || worse || !cleared);
}

void
announce_news(struct announce *a, const struct ics_anomaly_store *s)
{
	const struct ics_anomaly *an;
	unsigned n = 0;

	for (an = ics_anomaly_next(s, a->next_seq); an != NULL && n < NEWS_MAX;
	     an = ics_anomaly_next(s, a->next_seq), n++) {
		a->next_seq = an->seq + 1;
		tell_news(a, an);
	}
}
