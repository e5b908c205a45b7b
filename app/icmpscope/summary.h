/* The last words of a run. */
#ifndef ICMPSCOPE_SUMMARY_H
#define ICMPSCOPE_SUMMARY_H

#include "ics_export.h"

/* Prints to stdout; returns whether both conservation identities hold. unprinted: anomalies that stdout did not take. */
bool summary_print(const struct ics_export_source *src, uint64_t unprinted);

#endif
