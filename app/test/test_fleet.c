/* What a fleet is without its servers: names, ids, keys, gaps, and what is the same at several sites, each rule with what
 * raises it and what looks like it and must not.
 */
#include "ics_fleet.h"

#include "test_common.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct ics_fleet_self self = {"berlin", "tap-1"};

static void
test_self(void **state)
{
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_FLEET_ERR_LEN];
	struct ics_fleet_self me;

	ics_config_init(conf);
	/* Off by default. */
	assert_int_equal(ics_fleet_self(&me, conf, err), -ENOENT);
	strcpy(conf->fleet.servers, "nats://127.0.0.1:4222");
	assert_int_equal(ics_fleet_self(&me, conf, err), -EINVAL);
	assert_non_null(strstr(err, "journal.site"));
	strcpy(conf->journal.site, "berlin.dc1");
	strcpy(conf->journal.appliance, "tap-1");
	assert_int_equal(ics_fleet_self(&me, conf, err), -EINVAL);
	assert_non_null(strstr(err, "without dots"));
	strcpy(conf->journal.site, "berlin");
	assert_int_equal(ics_fleet_self(&me, conf, err), -EINVAL);
	assert_non_null(strstr(err, "journal.file"));
	strcpy(conf->journal.file, "/x");
	assert_int_equal(ics_fleet_self(&me, conf, err), 0);
	assert_string_equal(me.site, "berlin");
	free(conf);
}

static void
expect_subject(const char *own, const char *subject)
{
	char buf[ICS_FLEET_SUBJECT_LEN];
	json_t *o = json_loads(own, 0, NULL);

	assert_non_null(o);
	if (subject == NULL) {
		assert_int_equal(ics_fleet_subject(buf, &self, o), -EINVAL);
	} else {
		assert_int_equal(ics_fleet_subject(buf, &self, o), 0);
		assert_string_equal(buf, subject);
	}
	json_decref(o);
}

static void
test_subject(void **state)
{
	expect_subject("{\"event\":\"open\",\"change\":1,\"name\":\"router_new\"}",
		       "icmpscope.berlin.tap-1.open.router_new");
	expect_subject("{\"event\":\"start\"}", "icmpscope.berlin.tap-1.start.program");
	/* The name of a changed setting or a link is not that of an anomaly. */
	expect_subject("{\"event\":\"link\",\"name\":\"a.b\"}", "icmpscope.berlin.tap-1.link.program");
	/* A file that others write must not choose other subjects. */
	expect_subject("{\"event\":\"*\"}", NULL);
	expect_subject("{\"event\":\"a.b\"}", NULL);
	expect_subject("{\"event\":\"open\",\"change\":1,\"name\":\">\"}", NULL);
	expect_subject("{\"event\":\"open\",\"change\":1,\"name\":\"x y\"}", NULL);
	expect_subject("{}", NULL);
}

static void
test_gap(void **state)
{
	struct ics_follow_line before = {.pos = {.line = 900, .seq = 7, .boot = "b-1"}, .missing = 12};
	char *text = ics_fleet_gap(&self, "h", &before, 1000000000u);
	struct ics_follow_pos pos;
	json_t *o = json_loads(text, 0, NULL);

	/* Who reads it goes on with the line that it stands before. */
	assert_int_equal(ics_fleet_place(o, &pos), 0);
	assert_int_equal(pos.line, 899);
	assert_int_equal(pos.seq, 6);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(o, "icmpscope"), "missing")), 12);
	json_decref(o);
	free(text);
	before.anew = true;
	before.pos = (struct ics_follow_pos){.line = 1, .seq = 1, .boot = "b-2"};
	text = ics_fleet_gap(&self, "h", &before, 1000000000u);
	o = json_loads(text, 0, NULL);
	assert_int_equal(ics_fleet_place(o, &pos), 0);
	assert_int_equal(pos.line, 0);
	assert_true(json_is_null(json_object_get(json_object_get(o, "icmpscope"), "missing")));
	json_decref(o);
	free(text);
	o = json_loads("{\"icmpscope\":{\"boot\":1}}", 0, NULL);
	assert_int_equal(ics_fleet_place(o, &pos), -EINVAL);
	json_decref(o);
}

static void
test_nkey(void **state)
{
	char seed[ICS_FLEET_NKEY_LEN], pub[ICS_FLEET_NKEY_LEN], again[ICS_FLEET_NKEY_LEN], err[ICS_FLEET_ERR_LEN];
	char path[] = "/tmp/icmpscope-nkey-XXXXXX";
	int fd;

	assert_int_equal(ics_fleet_nkey_new(seed, pub), 0);
	assert_int_equal(strlen(seed), 58);
	assert_int_equal(strlen(pub), 56);
	assert_int_equal(strncmp(seed, "SU", 2), 0);
	assert_int_equal(pub[0], 'U');
	assert_int_equal(ics_fleet_nkey_public(seed, again), 0);
	assert_string_equal(pub, again);
	fd = mkstemp(path);
	dprintf(fd, "%s\n", seed);
	close(fd);
	assert_int_equal(ics_fleet_nkey_file(path, again, err), 0);
	assert_string_equal(pub, again);
	/* One character wrong; another kind of key; too short, too long. */
	seed[20] = seed[20] == 'A' ? 'B' : 'A';
	assert_int_equal(ics_fleet_nkey_public(seed, again), -EINVAL);
	assert_int_equal(ics_fleet_nkey_public(pub, again), -EINVAL);
	assert_int_equal(ics_fleet_nkey_public("SU", again), -EINVAL);
	assert_int_equal(ics_fleet_nkey_public("", again), -EINVAL);
	assert_int_equal(
		ics_fleet_nkey_public("SUAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", again),
		-EINVAL);
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(ics_fleet_nkey_file(path, again, err), -EINVAL);
	assert_null(strstr(err, seed));
	unlink(path);
	assert_int_equal(ics_fleet_nkey_file(path, again, err), -ENOENT);
}

static int
check_creds(const char *path, const char *text, size_t len, char err[static ICS_FLEET_ERR_LEN])
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
	return ics_fleet_creds_file(path, err);
}

static void
test_creds(void **state)
{
	char seed[ICS_FLEET_NKEY_LEN], pub[ICS_FLEET_NKEY_LEN], other[ICS_FLEET_NKEY_LEN], err[ICS_FLEET_ERR_LEN];
	char path[] = "/tmp/icmpscope-creds-XXXXXX", claims[128], body[256], sig[87], text[1024];
	size_t len, end;

	close(mkstemp(path));
	assert_int_equal(ics_fleet_nkey_new(seed, pub), 0);
	assert_int_equal(ics_fleet_nkey_new(other, text), 0);
	snprintf(claims, sizeof(claims), "{\"sub\":\"%s\"}", pub);
	EVP_EncodeBlock((unsigned char *)body, (const unsigned char *)claims, (int)strlen(claims));
	body[strcspn(body, "=")] = '\0';
	memset(sig, 'A', sizeof(sig) - 1);
	sig[sizeof(sig) - 1] = '\0';
#define CREDS "-----BEGIN JWT-----\n%s.%s.%s\n------END JWT------\r\n\n***\n\n-----BEGIN SEED-----\r\n%s\n------END\n"
	len = (size_t)snprintf(text, sizeof(text), CREDS, "e30", body, sig, seed);
	assert_int_equal(check_creds(path, text, len, err), 0);
	/* Cut off anywhere: the last line needs three dashes. */
	end = len - strlen("---END\n") - 1;
	for (size_t n = 0; n < end; n++) {
		assert_int_equal(check_creds(path, text, n, err), -EINVAL);
		assert_null(strstr(err, seed));
	}
	len = (size_t)snprintf(text, sizeof(text), CREDS, "e30", body, sig, other);
	assert_int_equal(check_creds(path, text, len, err), -EINVAL);
	assert_non_null(strstr(err, "not that of its token"));
	len = (size_t)snprintf(text, sizeof(text), CREDS, "e30", "e30", sig, seed);
	assert_int_equal(check_creds(path, text, len, err), -EINVAL);
	len = (size_t)snprintf(text, sizeof(text), CREDS, "e30", "!!", sig, seed);
	assert_int_equal(check_creds(path, text, len, err), -EINVAL);
	len = (size_t)snprintf(text, sizeof(text), CREDS, "e30", body, sig + 2, seed);
	assert_int_equal(check_creds(path, text, len, err), -EINVAL);
	unlink(path);
	assert_int_equal(ics_fleet_creds_file(path, err), -ENOENT);
}

static void
test_secret_files(void **state)
{
	struct ics_config *conf = malloc(sizeof(*conf));
	char path[] = "/tmp/icmpscope-nkey-XXXXXX", err[ICS_FLEET_ERR_LEN];

	ics_config_init(conf);
	close(mkstemp(path));
	snprintf(conf->fleet.nkey, sizeof(conf->fleet.nkey), "%s", path);
	for (unsigned mode = 0; mode < 0100; mode++) {
		assert_int_equal(chmod(path, 0600 | mode), 0);
		assert_int_equal(ics_fleet_check_files(conf, err), (mode & 027) == 0 ? 0 : -EACCES);
	}
	assert_int_equal(chmod(path, 0640), 0);
	strcpy(conf->fleet.creds, path);
	assert_int_equal(ics_fleet_check_files(conf, err), -EINVAL);
	conf->fleet.creds[0] = '\0';
	strcpy(conf->fleet.key, path);
	assert_int_equal(ics_fleet_check_files(conf, err), -EINVAL);
	unlink(path);
	assert_int_equal(ics_fleet_check_files(conf, err), -ENOENT);
	free(conf);
}

/* ---- correlation ---- */

static struct ics_fleet_correlation *c;

static void
bind(const char *site, const char *appliance, const char *mac, const char *address)
{
	json_t *v = json_pack("{s:[[s,s,s]]}", "bindings", mac, address, "");

	ics_fleet_correlate_bindings(c, site, appliance, v);
	json_decref(v);
}

static void
open_one(const char *site, const char *name, const char *key, const char *value, uint64_t at_s)
{
	char subject[128];
	json_t *v =
		json_pack("{s:{s:s, s:s, s:{s:s}}}", "icmpscope", "event", "open", "name", name, "subject", key, value);

	snprintf(subject, sizeof(subject), "icmpscope.%s.tap.open.%s", site, name);
	ics_fleet_correlate_event(c, subject, v, at_s * 1000000000u);
	json_decref(v);
}

static void
say(const char *site, const char *appliance, const char *version, double age_s, const char *subject)
{
	json_t *v = json_pack("{s:s, s:s, s:[{s:s, s:s}]}", "version", version, "health", "ok", "anomalies", "name",
			      subject[0] == 'm' ? "nd_flood" : "pmtu_learned", "subject", subject);

	ics_fleet_correlate_state(c, site, appliance, v, age_s);
	json_decref(v);
}

/* Exactly these findings, as "kind key n_sites" in their order. */
static void
expect(unsigned n, const char *const want[])
{
	uint64_t left_out;
	json_t *list = ics_fleet_correlate(c, &left_out), *r;
	size_t i;

	assert_int_equal(left_out, 0);
	json_array_foreach(list, i, r)
	{
		char text[128];

		snprintf(text, sizeof(text), "%s %s %lld", json_string_value(json_object_get(r, "kind")),
			 json_string_value(json_object_get(r, "key")),
			 (long long)json_integer_value(json_object_get(r, "n_sites")));
		if (i >= n)
			fail_msg("one too many: %s", text);
		assert_string_equal(text, want[i]);
	}
	assert_int_equal(json_array_size(list), n);
	json_decref(list);
	ics_fleet_correlation_free(c);
	c = ics_fleet_correlation_new();
}

#define EXPECT(...)                                                                                                    \
	do {                                                                                                           \
		const char *const want[] = {__VA_ARGS__};                                                              \
		expect(ICS_ARRAY_LEN(want), want);                                                                     \
	} while (0)

static void
test_bound_at_several_sites(void **state)
{
	c = ics_fleet_correlation_new();
	/* Two taps of one site see the same station. */
	bind("a", "t1", "02:00:00:00:00:01", "2001:db8::1");
	bind("a", "t2", "02:00:00:00:00:01", "2001:db8::1");
	expect(0, NULL);
	bind("a", "t1", "02:00:00:00:00:01", "2001:db8::1");
	bind("b", "t1", "02:00:00:00:00:01", "2001:db8::2");
	EXPECT("mac 02:00:00:00:00:01 2");
	bind("a", "t1", "02:00:00:00:00:01", "2001:db8::1");
	bind("b", "t1", "02:00:00:00:00:02", "2001:db8::1");
	EXPECT("address 2001:db8::1 2");
	/* Standby groups have the same MAC everywhere. */
	bind("a", "t1", "00:00:5e:00:02:01", "2001:db8::1");
	bind("b", "t1", "00:00:5e:00:02:01", "2001:db8::2");
	bind("a", "t1", "nonsense", "2001:db8::9");
	bind("b", "t1", "02:00:00:00:00:09", "nonsense");
	expect(0, NULL);
	ics_fleet_correlation_free(c);
}

static void
test_storms_of_a_vendor(void **state)
{
	c = ics_fleet_correlation_new();
	open_one("a", "nd_flood", "mac", "00:1b:21:00:00:01", 1);
	open_one("b", "mld_report_storm", "mac", "00:1b:21:00:00:02", 2);
	expect(0, NULL);
	open_one("a", "nd_flood", "mac", "00:1b:21:00:00:01", 1);
	open_one("b", "mld_report_storm", "mac", "00:1b:21:00:00:02", 2);
	say("d", "t", "1.0", 1, "mac=00:1b:21:00:00:03 vlan=3");
	EXPECT("oui_storm 00:1b:21 3");
	/* MACs that are made up; findings that are no storm. */
	for (const char *site = "abc"; *site != '\0'; site++) {
		char name[2] = {*site, '\0'};

		open_one(name, "nd_flood", "mac", "02:1b:21:00:00:01", 1);
		open_one(name, "dad_conflict", "mac", "00:1b:21:00:00:01", 1);
	}
	expect(0, NULL);
	ics_fleet_correlation_free(c);
}

static void
test_reporter_and_router(void **state)
{
	c = ics_fleet_correlation_new();
	open_one("a", "pmtu_learned", "reporter", "2001:db8:f::1", 1);
	open_one("a", "pmtu_learned", "reporter", "2001:db8:f::1", 2);
	expect(0, NULL);
	open_one("a", "pmtu_learned", "reporter", "2001:db8:f::1", 1);
	say("b", "t", "1.0", 1, "reporter=2001:db8:f::1");
	EXPECT("pmtu_reporter 2001:db8:f::1 2");
	/* fe80::1 is a router everywhere: only the time makes it one event. */
	open_one("a", "router_new", "router", "fe80::1", 1000);
	open_one("b", "router_new", "router", "fe80::1", 1000 + ICS_FLEET_TOGETHER_S + 1);
	expect(0, NULL);
	open_one("a", "router_new", "router", "fe80::1", 1000);
	open_one("b", "router_new", "router", "fe80::1", 1000 + ICS_FLEET_TOGETHER_S + 1);
	open_one("d", "router_new", "router", "fe80::1", 1000 + ICS_FLEET_TOGETHER_S + 300);
	open_one("e", "router_gateway_mac_changed", "router", "fe80::1", 1000 + ICS_FLEET_TOGETHER_S * 2);
	EXPECT("router_change fe80::1 3");
	ics_fleet_correlation_free(c);
}

static void
test_version_that_fell_silent(void **state)
{
	c = ics_fleet_correlation_new();
	for (unsigned i = 0; i < 10; i++) {
		char site[8];

		snprintf(site, sizeof(site), "s%u", i);
		say(site, "t", i < 4 ? "2.0" : "1.0", i < 3 ? 60 : 5, "-");
	}
	EXPECT("version_silent 2.0 3");
	/* A site that is cut off is no matter of the version; nor is one appliance. */
	for (unsigned i = 0; i < 10; i++) {
		char site[8];

		snprintf(site, sizeof(site), "s%u", i);
		say(site, "t", i % 2 == 0 ? "2.0" : "1.0", i < 5 ? 60 : 5, "-");
	}
	expect(0, NULL);
	say("a", "t", "2.0", 60, "-");
	say("b", "t", "1.0", 5, "-");
	expect(0, NULL);
	ics_fleet_correlation_free(c);
}

/* What a page shows is bounded whatever states hold, and the worst is first. */
static void
test_view(void **state)
{
	char site[16], longer[1200];
	json_t *rows = json_array(), *view, *open, *list;

	memset(longer, 'x', sizeof(longer));
	memcpy(longer + ICS_FLEET_VIEW_TEXT - 1, "\xc3\xa9", 2);
	longer[sizeof(longer) - 1] = '\0';
	for (int i = 0; i < 300; i++) {
		snprintf(site, sizeof(site), "s%03d", i);
		json_array_append_new(rows,
				      json_pack("{s:s, s:s, s:s, s:f, s:{s:s, s:i, s:s, s:[{s:s, s:s, s:s}, i]}}",
						"site", site, "appliance", "a", "health", i == 250 ? "silent" : "odd",
						"age_s", 1.0, "state", "version", longer, "open", -5, "critical",
						"many", "anomalies", "severity", i == 7 ? "critical" : "warn", "name",
						longer, "first", "2026-11-22T05:00:00Z", 4));
	}
	view = ics_fleet_view(rows, 1000000);
	list = json_object_get(json_object_get(view, "appliances"), "list");
	assert_int_equal(json_array_size(list), ICS_FLEET_VIEW_APPLIANCES);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(view, "appliances"), "total")), 300);
	assert_int_equal(json_integer_value(json_object_get(view, "open")), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "site")), "s250");
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "critical")), 0);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 1), "health")), "unknown");
	/* Not within a character. */
	assert_int_equal(json_string_length(json_object_get(json_array_get(list, 0), "version")),
			 ICS_FLEET_VIEW_TEXT - 1);
	list = json_object_get(json_object_get(view, "sites"), "list");
	assert_int_equal(json_array_size(list), ICS_FLEET_VIEW_SITES);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "worst")), "silent");
	json_decref(view);

	open = ics_fleet_open_anomalies(rows, 100);
	assert_int_equal(json_array_size(open), 100);
	assert_string_equal(json_string_value(json_object_get(json_array_get(open, 0), "site")), "s007");
	view = ics_fleet_view_anomalies(open, 60, 50);
	assert_int_equal(json_array_size(view), 40);
	assert_int_equal(json_string_length(json_object_get(json_array_get(view, 0), "name")), ICS_FLEET_VIEW_TEXT - 1);
	json_decref(view);
	json_decref(open);
	json_decref(rows);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_subject),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_nkey),
		cmocka_unit_test(test_creds),
		cmocka_unit_test(test_secret_files),
		cmocka_unit_test(test_bound_at_several_sites),
		cmocka_unit_test(test_storms_of_a_vendor),
		cmocka_unit_test(test_reporter_and_router),
		cmocka_unit_test(test_version_that_fell_silent),
		cmocka_unit_test(test_view),
	};

	return cmocka_run_group_tests_name("fleet", tests, NULL, NULL);
}
