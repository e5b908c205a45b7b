/* EAL's arguments, composed from plan, devices and configuration, so that nobody has to know them. */
#ifndef ICMPSCOPE_EAL_H
#define ICMPSCOPE_EAL_H

#include "args.h"
#include "device.h"
#include "plan.h"

/* Starts EAL; 0, or -errno with one line on stderr. */
int eal_start(const struct args *a, const struct plan *plan, const struct device *devices, unsigned n_devices);

#endif
