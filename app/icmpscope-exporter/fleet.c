/* Starts the publisher of the fleet (lib/fleet) as the settings say, and prints what it has to say on stderr. */
#include "fleet.h"

#include "fleet_view.h"

#include "ics_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef ICS_HAVE_FLEET
#include "ics_fleet.h"

static struct ics_fleet_publisher *publisher;

static void
say(const char *text)
{
	fprintf(stderr, "icmpscope-exporter: %s\n", text);
}

static int
start_view(const struct ics_config *conf)
{
	if (fleet_view_start(conf) == 0)
		return 0;
	say("the thread that reads the fleet cannot start");
	return 1;
}

static int
start(const struct ics_config *conf, const char *socket)
{
	char err[ICS_FLEET_ERR_LEN];
	struct ics_fleet_self self;
	int rc;

	/* One that only looks has no journal. */
	if (conf->fleet.servers[0] != '\0' && conf->fleet.reader_nkey[0] != '\0' && conf->journal.file[0] == '\0')
		return start_view(conf);
	rc = ics_fleet_self(&self, conf, err);
	if (rc == -ENOENT)
		return 0;
	if (rc == 0) {
		publisher = ics_fleet_publisher_start(conf, &self, socket, say, err);
		rc = publisher == NULL ? -errno : 0;
	}
	if (rc == 0)
		return start_view(conf);
	say(err);
	return rc == -EINVAL ? 2 : 1;
}

void
fleet_stop(void)
{
	fleet_view_stop();
	ics_fleet_publisher_stop(publisher);
	publisher = NULL;
}

void
fleet_metrics(struct text *out, bool openmetrics)
{
	const struct ics_fleet_stats *s;

	if (publisher == NULL)
		return;
	s = ics_fleet_publisher_stats(publisher);
	const struct {
		const char *name, *type, *help;
		uint64_t v;
	} rows[] = {
		{"published", "counter", "Lines of the journal that the stream of the fleet has taken since the start.",
		 s->published},
		{"missing_lines", "counter", "Lines that rotation took before they were published.", s->gap},
		{"damaged_lines", "counter", "Lines that are none of a journal.", s->damaged},
		{"failures", "counter", "Attempts that were not acknowledged.", s->failures},
		{"connections", "counter", "Connections to the servers.", s->connects},
		{"lag_seconds", "gauge", "Age of the oldest line that is not published yet.", s->lag_s},
		{"works", "gauge", "Whether the latest attempt worked.", s->trouble == ICS_FLEET_FINE},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool total = rows[i].type[0] == 'c';

		text_add(out, "# HELP icmpscope_fleet_%s%s %s\n", rows[i].name, total && !openmetrics ? "_total" : "",
			 rows[i].help);
		text_add(out, "# TYPE icmpscope_fleet_%s%s %s\n", rows[i].name, total && !openmetrics ? "_total" : "",
			 rows[i].type);
		text_add(out, "icmpscope_fleet_%s%s %llu\n", rows[i].name, total ? "_total" : "",
			 (unsigned long long)rows[i].v);
	}
}

#else

static int
start(const struct ics_config *conf, const char *socket)
{
	if (conf->fleet.servers[0] == '\0')
		return 0;
	fputs("icmpscope-exporter: fleet.servers is set, but this program was built without a fleet (libnats)\n",
	      stderr);
	return 2;
}

void
fleet_stop(void)
{
}

void
fleet_metrics(struct text *out, bool openmetrics)
{
}

bool
fleet_view_is_on(void)
{
	return false;
}

char *
fleet_view_text(uint64_t start, uint64_t count, size_t *len)
{
	return NULL;
}

#endif

int
fleet_start(const char *ini, const char *socket)
{
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_CONFIG_ERR_LEN];
	int status;

	if (conf == NULL) {
		fputs("icmpscope-exporter: out of memory\n", stderr);
		return 1;
	}
	ics_config_init(conf);
	if (access(ini, F_OK) == 0 && ics_config_load(conf, ini, err) != 0) {
		fprintf(stderr, "icmpscope-exporter: %s\n", err);
		status = 2;
	} else {
		status = start(conf, socket);
	}
	free(conf);
	return status;
}
