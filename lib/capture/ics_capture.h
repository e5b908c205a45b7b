/* Capture files (pcap, pcapng, standard input as "-") read by libpcap, as frames of the fast half. */
#ifndef ICS_CAPTURE_H
#define ICS_CAPTURE_H

#include "ics_decode.h"

#define ICS_CAPTURE_ERR_LEN 512

struct ics_capture;

/* NULL, and err says in one line what is wrong with the file and how to mend it: unreadable, no capture, a
 * link type that is not read (the readable ones are named).
 */
struct ics_capture *ics_capture_open(const char *path, char err[static ICS_CAPTURE_ERR_LEN]);
/* 1 and a frame that lives until the next call; 0 at the end; -EINVAL with err when the file is damaged from
 * here on (cut inside a record, absurd length): frames before it have been given.
 */
int ics_capture_next(struct ics_capture *c, struct ics_frame *f, uint64_t *ts_ns, char err[static ICS_CAPTURE_ERR_LEN]);
enum ics_link ics_capture_link(const struct ics_capture *c);
void ics_capture_close(struct ics_capture *c);

#endif
