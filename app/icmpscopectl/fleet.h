/* icmpscopectl fleet: its own commands, each a row in the table of fleet.c. */
#ifndef ICMPSCOPECTL_FLEET_H
#define ICMPSCOPECTL_FLEET_H

#include "ctl.h"
#include "ics_fleet.h"

struct fleet_options {
	struct ics_config conf;
	const char *command;
	bool json, is_since;
	uint64_t since_ns; /* 0: from the beginning */
	int argc;          /* operands */
	char **argv;
};

int fleet_list(struct fleet_options *o);
int fleet_anomalies(struct fleet_options *o);
int fleet_history(struct fleet_options *o);
int fleet_correlate(struct fleet_options *o);
int fleet_setup(struct fleet_options *o);
int fleet_key(struct fleet_options *o);
int fleet_permissions(struct fleet_options *o);
int fleet_forget(struct fleet_options *o);

/* As an operator; NULL after a line on stderr. */
struct ics_fleet *fleet_open(const struct fleet_options *o);
/* Whoever waits for servers says so after FLEET_PATIENCE_S without anything from them, and ends; this begins it anew. */
#define FLEET_PATIENCE_S 60
void fleet_is_alive(void);
/* The same, for ics_fleet_look(); 0. */
int fleet_go_on(void *ctx);
/* CTL_FAILED after the connection's latest error as a line. */
int fleet_complain(const struct ics_fleet *f);

#endif
