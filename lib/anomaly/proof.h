/* Internal to lib/anomaly: the frames that an anomaly keeps. */
#ifndef ICS_ANOMALY_PROOF_H
#define ICS_ANOMALY_PROOF_H

#include "ics_anomaly.h"

/* It changed: keeps the latest frame as the one that turned it when it got worse or another variant by it. */
void anomaly_judge(struct ics_anomaly *a);

#endif
