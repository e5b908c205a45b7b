/* icmpscopectl fleet setup, key, permissions, forget: what is done once for a fleet, or for an appliance of it. */
#include "fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
print(const char *text)
{
	printf("%s\n", text);
}

int
fleet_setup(struct fleet_options *o)
{
	char err[ICS_FLEET_ERR_LEN];
	struct ics_fleet *f;
	int rc;

	for (int i = 0; i < o->argc; i++)
		if (!ics_fleet_is_word(o->argv[i]))
			return ctl_complain(CTL_USAGE, "%.80s: a site has a name of A-Z a-z 0-9 _ -", o->argv[i]);
	f = fleet_open(o);
	if (f == NULL)
		return CTL_FAILED;
	rc = ics_fleet_setup(f, &o->conf, o->argv, (unsigned)o->argc, print, err);
	ics_fleet_close(f);
	if (fflush(stdout) != 0)
		return CTL_FAILED;
	return rc == 0 ? CTL_ANSWERED : ctl_complain(CTL_FAILED, "%s", err);
}

int
fleet_key(struct fleet_options *o)
{
	char seed[ICS_FLEET_NKEY_LEN], pub[ICS_FLEET_NKEY_LEN];
	/* Nothing that is there is overwritten: it may be the key of an appliance. */
	int fd = open(o->argv[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	size_t n;
	bool ok;

	if (fd < 0)
		return ctl_complain(CTL_FAILED, "%.300s: %s", o->argv[0], strerror(errno));
	if (ics_fleet_nkey_new(seed, pub) != 0) {
		close(fd);
		unlink(o->argv[0]);
		return ctl_complain(CTL_FAILED, "no key could be made");
	}
	n = strlen(seed);
	seed[n] = '\n';
	ok = write(fd, seed, n + 1) == (ssize_t)n + 1 && fsync(fd) == 0;
	explicit_bzero(seed, sizeof(seed));
	close(fd);
	if (!ok) {
		unlink(o->argv[0]);
		return ctl_complain(CTL_FAILED, "%.300s: cannot be written", o->argv[0]);
	}
	printf("%s\n", pub);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static int
want_words(const struct fleet_options *o)
{
	for (int i = 0; i < 2; i++)
		if (!ics_fleet_is_word(o->argv[i]))
			return ctl_complain(CTL_USAGE, "%.80s: a site or appliance has a name of A-Z a-z 0-9 _ -",
					    o->argv[i]);
	return CTL_ANSWERED;
}

int
fleet_permissions(struct fleet_options *o)
{
	const char *site = o->argv[0], *appliance = o->argv[1], *key = o->argv[2];

	if (want_words(o) != CTL_ANSWERED)
		return CTL_USAGE;
	if (strlen(key) != 56 || key[0] != 'U' || strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") != 56)
		return ctl_complain(CTL_USAGE,
				    "%.80s is no public key of a user (U..., 56 characters; icmpscopectl fleet key)",
				    key);
	printf("    # icmpscope-exporter of appliance %s at site %s\n"
	       "    { nkey: %s, permissions: {\n"
	       "        publish: { allow: [\n"
	       "          \"icmpscope.%s.%s.>\",\n"
	       "          \"$KV." ICS_FLEET_STATE_BUCKET ".%s.%s\", \"$KV." ICS_FLEET_BINDINGS_BUCKET ".%s.%s\",\n"
	       "          \"$JS.API.DIRECT.GET.%s.icmpscope.%s.%s.>\" ] },\n"
	       "        subscribe: { allow: [\"_INBOX.%s.%s.>\"] } } }\n",
	       appliance, site, key, site, appliance, site, appliance, site, appliance, o->conf.fleet.stream, site,
	       appliance, site, appliance);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

int
fleet_forget(struct fleet_options *o)
{
	struct ics_fleet_self self;
	struct ics_fleet *f;
	int status;

	if (want_words(o) != CTL_ANSWERED)
		return CTL_USAGE;
	f = fleet_open(o);
	if (f == NULL)
		return CTL_FAILED;
	strcpy(self.site, o->argv[0]);
	strcpy(self.appliance, o->argv[1]);
	status = ics_fleet_forget(f, &self) == 0 ? CTL_ANSWERED : fleet_complain(f);
	ics_fleet_close(f);
	return status;
}
