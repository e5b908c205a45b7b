/* The line of --check (check.h). Called by main.c once the settings were read. */
#include "check.h"

#include <stdio.h>
#include <string.h>

int
check_say(const struct args *a)
{
	static char value[ICS_CONFIG_VALUE_LEN], def[ICS_CONFIG_VALUE_LEN];
	static struct ics_config defaults;
	struct ics_config_key key;
	unsigned n = 0, set = 0;

	ics_config_init(&defaults);
	for (; ics_config_key(n, &key); n++) {
		ics_config_value(&a->config, n, value, sizeof(value));
		ics_config_value(&defaults, n, def, sizeof(def));
		set += strcmp(value, def) != 0;
	}
	printf("icmpscope: %s%sright: %u of %u settings differ from their defaults, %u device%s\n",
	       a->file != NULL ? a->file : "", a->file != NULL ? " is " : "settings are ", set, n,
	       a->config.port.n_devices, a->config.port.n_devices == 1 ? "" : "s");
	return fflush(stdout) == 0 ? 0 : 1;
}
