/* Which socket to ask, by options and settings, and what is said when nobody answers. */
#include "ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int
default_path(const struct ctl_options *o, char path[static ICS_CLIENT_PATH_LEN])
{
	const char *ini = o->config != NULL ? o->config : CTL_DEFAULT_INI;
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_CONFIG_ERR_LEN];
	int status = CTL_ANSWERED;

	if (conf == NULL)
		return ctl_complain(CTL_FAILED, "out of memory");
	ics_config_init(conf);
	if ((o->config != NULL || access(ini, F_OK) == 0) && ics_config_load(conf, ini, err) != 0)
		status = ctl_complain(CTL_USAGE, "%s", err);
	else if (ics_client_path(conf, path) != 0)
		status = ctl_complain(CTL_USAGE, "the path of the socket is too long: name it with --socket");
	free(conf);
	return status;
}

int
ctl_connect(struct ics_client *c, const struct ctl_options *o, bool quiet)
{
	char path[ICS_CLIENT_PATH_LEN];
	int status, rc;

	*c = (struct ics_client){.fd = -1};
	if (o->socket == NULL) {
		status = default_path(o, path);
		if (status != CTL_ANSWERED)
			return status;
	}
	rc = ics_client_open(c, o->socket != NULL ? o->socket : path);
	if (rc == 0)
		return CTL_ANSWERED;
	if (!quiet)
		ctl_complain(CTL_FAILED, "%s", c->error);
	return rc == -ENAMETOOLONG ? CTL_USAGE : CTL_FAILED;
}

json_t *
ctl_ask(struct ics_client *c, const char *fmt, ...)
{
	char request[1024];
	json_t *data;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(request, sizeof(request), fmt, ap);
	va_end(ap);
	data = ics_client_ask(c, "%s", request);
	if (data == NULL)
		ctl_complain(CTL_FAILED, "%s", c->error);
	return data;
}
