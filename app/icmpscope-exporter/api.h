/* What the page asks the exporter for, as JSON texts and capture files: the state and its history from the collector, and what is
 * read on demand (a page of anomalies or of a table, the frames of an anomaly) over a connection of its own.
 */
#ifndef ICMPSCOPE_EXPORTER_API_H
#define ICMPSCOPE_EXPORTER_API_H

#include <stddef.h>

struct api;

/* NULL and errno. */
struct api *api_start(const char *path);
void api_stop(struct api *a);

struct api_reply {
	unsigned status; /* of HTTP */
	const char *type;
	char *body; /* the caller's to free; NULL without memory */
	size_t len;
	char name[64]; /* of a file to be saved, or empty */
};
/* url: "/api/v1/..." or "/evidence/ID.pcapng". start, count and since as the request has them, or NULL. Any thread. */
void api_answer(struct api *a, const char *url, const char *start, const char *count, const char *since,
		struct api_reply *out);

#endif
