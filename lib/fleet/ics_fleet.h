/* A fleet of taps on NATS JetStream (docs/fleet.md is the contract): names and ids, connections with the rights of one appliance,
 * the thread that copies a journal into the stream and says how its icmpscope is, what icmpscopectl fleet asks. Nothing here
 * is linked into the inspector.
 */
#ifndef ICS_FLEET_H
#define ICS_FLEET_H

#include "ics_client.h"
#include "ics_config.h"
#include "ics_follow.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define ICS_FLEET_ERR_LEN 512
#define ICS_FLEET_SUBJECT_LEN 256
#define ICS_FLEET_ID_LEN 192
#define ICS_FLEET_STATE_BUCKET "icmpscope_state"
#define ICS_FLEET_BINDINGS_BUCKET "icmpscope_bindings"
#define ICS_FLEET_BEAT_S 10
/* An entry that is older, by the server's clock, is of an appliance that is silent. */
#define ICS_FLEET_SILENT_S 25
#define ICS_FLEET_BINDINGS_S 300
#define ICS_FLEET_ANOMALIES_MAX 64
#define ICS_FLEET_ROUTERS_MAX 32
#define ICS_FLEET_BINDINGS_MAX 2048
#define ICS_FLEET_SERVERS_MAX 32

/* ---- name.c ---- */

struct ics_fleet_self {
	char site[64], appliance[64];
};
/* Whether the settings make a fleet. 0: yes; -ENOENT: no; -EINVAL: something is missing or wrong, and err says what. */
int ics_fleet_self(struct ics_fleet_self *self, const struct ics_config *conf, char err[static ICS_FLEET_ERR_LEN]);
/* One word of a subject: 1 to 63 of A-Z a-z 0-9 _ -. */
bool ics_fleet_is_word(const char *text);
/* Of a line of the journal; -EINVAL when it names no event. */
int ics_fleet_subject(char buf[static ICS_FLEET_SUBJECT_LEN], const struct ics_fleet_self *self, const json_t *own);
void ics_fleet_id(char buf[static ICS_FLEET_ID_LEN], const struct ics_fleet_self *self,
		  const struct ics_follow_pos *pos);
/* Where a message that was read from the stream stands in its journal. -EINVAL: it is none of ours. */
int ics_fleet_place(const json_t *body, struct ics_follow_pos *pos);
/* The event that says how many lines are missing before one. To be freed; NULL: out of memory. */
char *ics_fleet_gap(const struct ics_fleet_self *self, const char *host, const struct ics_follow_line *before,
		    uint64_t now_ns);

/* ---- nkey.c: NKEYs of users ---- */

#define ICS_FLEET_NKEY_LEN 64
/* The public key of a seed; -EINVAL when it is none. */
int ics_fleet_nkey_public(const char *seed, char pub[static ICS_FLEET_NKEY_LEN]);
/* A new pair. */
int ics_fleet_nkey_new(char seed[static ICS_FLEET_NKEY_LEN], char pub[static ICS_FLEET_NKEY_LEN]);
/* The public key of the seed in this file, which others than its owner and group must not be able to read. */
int ics_fleet_nkey_file(const char *path, char pub[static ICS_FLEET_NKEY_LEN], char err[static ICS_FLEET_ERR_LEN]);

/* ---- creds.c: credentials files ---- */

/* The file holds a token of a user, whole, and the seed of the key that it is about. */
int ics_fleet_creds_file(const char *path, char err[static ICS_FLEET_ERR_LEN]);

/* ---- connect.c ---- */

enum ics_fleet_trouble {
	ICS_FLEET_FINE,
	ICS_FLEET_LOST,      /* no server, or the connection ended */
	ICS_FLEET_AUTH,      /* the server does not know us */
	ICS_FLEET_REFUSED,   /* it knows us, and we must not do this */
	ICS_FLEET_NO_STREAM, /* fleet setup was not run */
	ICS_FLEET_STREAM,    /* no quorum, no room, no answer in time */
	ICS_FLEET_LOCAL,     /* a file of ours */
	ICS_FLEET_TROUBLES
};

struct ics_fleet;
/* Files that hold secrets are there and nobody else can read them. */
int ics_fleet_check_files(const struct ics_config *conf, char err[static ICS_FLEET_ERR_LEN]);
/* self: as that appliance, with answers to its own inbox; NULL: as an operator. NULL: *why and err say what is wrong. The
 * connection is not made again when it is lost.
 */
struct ics_fleet *ics_fleet_connect(const struct ics_config *conf, const struct ics_fleet_self *self,
				    enum ics_fleet_trouble *why, char err[static ICS_FLEET_ERR_LEN]);
void ics_fleet_close(struct ics_fleet *f);
bool ics_fleet_is_open(const struct ics_fleet *f);
/* One line about the latest trouble. */
const char *ics_fleet_error(const struct ics_fleet *f);
/* Waits until a quorum has it. id NULL: no id, and none is wanted in return. seq may be NULL. */
enum ics_fleet_trouble ics_fleet_publish(struct ics_fleet *f, const char *stream, const char *subject, const char *id,
					 const void *body, size_t len, uint64_t *seq);
/* Value of a key of a bucket, SITE.APPLIANCE. */
enum ics_fleet_trouble ics_fleet_put(struct ics_fleet *f, const char *bucket, const struct ics_fleet_self *self,
				     const json_t *value);
/* The last message of an appliance in the stream: ICS_FLEET_FINE and *pos, line 0 when there is none. pos->mark is its sequence. */
enum ics_fleet_trouble ics_fleet_last(struct ics_fleet *f, const struct ics_fleet_self *self,
				      struct ics_follow_pos *pos);

/* ---- state.c: what an appliance says of itself ---- */

struct ics_fleet_sight {
	json_t *anomalies, *routers; /* of the latest answer */
	uint64_t last_seq, uptime_s; /* of anomalies; of the icmpscope that told them */
	uint64_t open[3];            /* by severity, from info on */
};
void ics_fleet_sight_free(struct ics_fleet_sight *s);
/* The value of icmpscope_state without what the publisher knows; c is connected where it was not. */
json_t *ics_fleet_state(struct ics_fleet_sight *s, struct ics_client *c, const char *socket,
			const struct ics_fleet_self *self);
/* The value of icmpscope_bindings, or NULL when icmpscope does not answer. */
json_t *ics_fleet_bindings(struct ics_client *c);

/* ---- publish.c: the thread of an appliance ---- */

struct ics_fleet_stats {
	_Atomic uint64_t published; /* lines, since the start */
	_Atomic uint64_t line;      /* the last one that is in the stream */
	_Atomic uint64_t lag_s;     /* age of the oldest line that is not */
	_Atomic uint64_t gap;       /* lines that went before they were published */
	_Atomic uint64_t damaged;   /* lines that are none */
	_Atomic uint64_t failures;  /* attempts that were not acknowledged */
	_Atomic uint64_t connects;
	_Atomic uint64_t trouble; /* enum ics_fleet_trouble */
};

struct ics_fleet_publisher;
/* Looks at settings and files, and opens the cursor; connects later, from the thread. say gets a line for each thing that an
 * operator should know, each once. NULL and err.
 */
struct ics_fleet_publisher *ics_fleet_publisher_start(const struct ics_config *conf, const struct ics_fleet_self *self,
						      const char *socket, void (*say)(const char *text),
						      char err[static ICS_FLEET_ERR_LEN]);
void ics_fleet_publisher_stop(struct ics_fleet_publisher *p);
const struct ics_fleet_stats *ics_fleet_publisher_stats(const struct ics_fleet_publisher *p);

/* ---- setup.c ---- */

#define ICS_FLEET_SITES_MAX 256
/* sites: whose events the stream of the settings takes; none: those of all. Calls say for each thing with what was done to it: made,
 * changed (and what), as it should be. 0 or -errno, then err.
 */
int ics_fleet_setup(struct ics_fleet *f, const struct ics_config *conf, char *const *sites, unsigned n_sites,
		    void (*say)(const char *text), char err[static ICS_FLEET_ERR_LEN]);

/* ---- correlate.c: what a single tap cannot see ---- */

/* Facts beyond this many are left out, and counted. */
#define ICS_FLEET_FACTS_MAX 4000000u
#define ICS_FLEET_SITES_OUI 3     /* sites at which a vendor's devices storm */
#define ICS_FLEET_TOGETHER_S 600u /* within which changes at several sites are one */
struct ics_fleet_correlation;
struct ics_fleet_correlation *ics_fleet_correlation_new(void);
void ics_fleet_correlation_free(struct ics_fleet_correlation *c);
/* Values of the buckets and events of the stream, in any order. */
void ics_fleet_correlate_state(struct ics_fleet_correlation *c, const char *site, const char *appliance,
			       const json_t *value, double age_s);
void ics_fleet_correlate_bindings(struct ics_fleet_correlation *c, const char *site, const char *appliance,
				  const json_t *value);
void ics_fleet_correlate_event(struct ics_fleet_correlation *c, const char *subject, const json_t *event,
			       uint64_t stored_ns);
/* An array of findings, the ones that touch most sites first: kind (mac, address, oui_storm, pmtu_reporter, router_change,
 * version_silent), key, sites (names), appliances (a number), says. left_out: facts over the limit.
 */
json_t *ics_fleet_correlate(struct ics_fleet_correlation *c, uint64_t *left_out);

/* ---- read.c: for who asks ---- */

/* Every value of a bucket: key is SITE.APPLIANCE, age_s by the server's clock. value is NULL when it is no JSON. One that
 * is written meanwhile may come twice, the newer later. fn returns non-zero to end. 0 or -errno, then ics_fleet_error().
 */
typedef int (*ics_fleet_value_fn)(void *ctx, const char *site, const char *appliance, const json_t *value,
				  double age_s);
int ics_fleet_values(struct ics_fleet *f, const char *bucket, ics_fleet_value_fn fn, void *ctx);
/* Events of these subjects (NULL: all of the fleet) that were stored from since_ns on, up to now; of each stream that has such
 * subjects, one after the other, oldest first.
 */
typedef int (*ics_fleet_event_fn)(void *ctx, const char *subject, const json_t *event, uint64_t seq,
				  uint64_t stored_ns);
int ics_fleet_events(struct ics_fleet *f, const char *filter, uint64_t since_ns, ics_fleet_event_fn fn, void *ctx);
/* What kind the latest trouble was. */
enum ics_fleet_trouble ics_fleet_why(const struct ics_fleet *f);
/* The appliance is forgotten: its entries in the buckets go. */
int ics_fleet_forget(struct ics_fleet *f, const struct ics_fleet_self *self);

/* ---- look.c: the fleet as it is now ---- */

#define ICS_FLEET_HEALTHS 7
/* "silent" to "unknown", the worst first. */
extern const char *const ics_fleet_healths[ICS_FLEET_HEALTHS];
unsigned ics_fleet_rank(const char *health);
/* Called for each message that comes; non-zero ends the reading. */
typedef int (*ics_fleet_go_on_fn)(void *ctx);
/* All appliances, ordered by site: {site, appliance, health, age_s, state}; health is "silent" where it is. NULL: ics_fleet_error(). */
json_t *ics_fleet_look(struct ics_fleet *f, ics_fleet_go_on_fn go_on, void *ctx);
/* ics_fleet_correlate() of these rows, the bindings, and the events that opened since then. NULL: ics_fleet_error(). */
json_t *ics_fleet_compare(struct ics_fleet *f, const json_t *rows, uint64_t since_ns, ics_fleet_go_on_fn go_on,
			  void *ctx, uint64_t *left_out);
/* Open anomalies of these rows with site and appliance, critical ones first. */
json_t *ics_fleet_open_anomalies(const json_t *rows, size_t most);
/* What a page shows of them (docs/page.md): bounded, whatever the states hold. */
#define ICS_FLEET_VIEW_SITES 200
#define ICS_FLEET_VIEW_APPLIANCES 200
#define ICS_FLEET_VIEW_TEXT 300 /* bytes */
json_t *ics_fleet_view(const json_t *rows, uint64_t now_ms);
/* Of ics_fleet_open_anomalies(), from start on. */
json_t *ics_fleet_view_anomalies(const json_t *open, size_t start, size_t most);

#endif
