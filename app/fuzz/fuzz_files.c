/* Fuzz target: what an icmpscope that starts reads as root besides its settings and captures: a state file, a list of MAC
 * prefixes, and (its clients) the answers of a telemetry socket. The first octet chooses which. A state file is made from
 * entries with right sums and lengths, so that wrong numbers get as far as the model: the model has to be whole after it,
 * to go on, and to save what comes back. Octets 1 and 2: how numbers are put right, the time that passed.
 */
#include "check.h"
#include "frame.h"
#include "fuzz.h"

#include "ics_client.h"
#include "ics_inspect.h"
#include "ics_state.h"
#include "ics_vendor.h"

#include "../../lib/state/state.h"
#include "../icmpscope-exporter/fleet.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* What the publisher says of itself comes from no socket. */
void
fleet_metrics(struct text *out, bool openmetrics)
{
}

#define HEAD 3
#define SAVED_NS 1463012000000000000ull
#define BODY_MAX 16384

enum { STATE, STATE_RAW, VENDOR, CLIENT, EXPORTER, MODES };

/* ---- a state file ---- */

struct body {
	uint8_t b[HEADER_LEN + BODY_MAX];
	size_t len;
};

/* Most numbers in their range: a file with one that is not is refused as a whole. */
static void
put_right(enum ics_warm_kind k, uint8_t *e)
{
	for (unsigned i = 0; i < state_kinds[k].n_fields; i++) {
		const struct field *f = &state_kinds[k].field[i];

		for (unsigned n = 0; n < f->count; n++, e += f->width) {
			uint64_t v = get_le(e, f->width);

			if (f->type == FIELD_INT && v > f->max)
				v %= f->max + 1;
			if (f->type == FIELD_PAST && v > SAVED_NS)
				v = SAVED_NS - v % 4000000000000000ull;
			if (f->type == FIELD_UNTIL && v != UINT64_MAX && v > SAVED_NS + 4000000000000000000ull)
				v = SAVED_NS + v % 4000000000000000000ull;
			if (f->type == FIELD_TEXT && n + 1 == f->count)
				v = 0;
			put_le(e, v, f->width);
		}
	}
}

/* Entries of each kind (an octet, then as long as they are) become sections in order. */
static void
make_sections(struct body *f, const uint8_t *data, size_t size, bool right)
{
	for (unsigned k = 0; k < ICS_WARM_KINDS; k++) {
		uint32_t len = state_entry_len(k), n = 0;
		size_t section = f->len;

		if (f->len + SECTION_LEN > sizeof(f->b))
			return;
		f->len += SECTION_LEN;
		for (size_t off = 0; off < size;) {
			unsigned kind = data[off++] % ICS_WARM_KINDS;
			uint32_t want = state_entry_len(kind), have = (uint32_t)(size - off);

			if (have > want)
				have = want;
			if (kind == k && f->len + len <= sizeof(f->b)) {
				memset(f->b + f->len, 0, len);
				memcpy(f->b + f->len, data + off, have);
				if (right)
					put_right(k, f->b + f->len);
				f->len += len;
				n++;
			}
			off += have;
		}
		put_le(f->b + section, k, 4);
		put_le(f->b + section + 4, len, 4);
		put_le(f->b + section + 8, n, 8);
	}
}

static void
make_header(struct body *f)
{
	uint8_t *h = f->b;

	memset(h, 0, HEADER_LEN);
	memcpy(h, STATE_MAGIC, 8);
	put_le(h + 8, STATE_VERSION, 4);
	put_le(h + 12, HEADER_LEN, 4);
	put_le(h + 16, state_layout(), 8);
	put_le(h + 24, SAVED_NS, 8);
	put_le(h + 32, f->len - HEADER_LEN, 8);
	put_le(h + 40, ics_hash(h + HEADER_LEN, f->len - HEADER_LEN, STATE_SUM_SEED), 8);
	put_le(h + 56, ics_hash(h, 56, STATE_SUM_SEED), 8);
}

static const char *
state_path(void)
{
	static char path[80];

	/* In memory where that is to be had: it is written thousands of times. */
	if (path[0] == '\0')
		snprintf(path, sizeof(path), "%s/icmpscope-fuzz-%d",
			 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (int)getpid());
	return path;
}

static void
write_file(const struct body *f)
{
	FILE *out = fopen(state_path(), "wbe");

	if (out == NULL || fwrite(f->b, 1, f->len, out) != f->len || fclose(out) != 0) {
		perror(state_path());
		exit(1);
	}
}

static int
push(void *ctx, enum ics_lane lane, const struct ics_record *rec, const uint8_t *frame)
{
	ics_engine_feed(ctx, rec, (struct ics_view){frame, rec->cap_len}, 1);
	return 0;
}

/* Every base packet, a second apart, then days without any. */
static void
live_on(struct ics_engine *e, uint64_t now_ns)
{
	static struct ics_counters counters;
	struct ics_inspect in = {.validate = {1500}, .counters = &counters, .sink = {push, e}, .seed = 1};
	const char *hex;

	ics_inspect_init(&in);
	for (unsigned i = 0; (hex = fuzz_base(i)) != NULL; i++) {
		uint8_t b[FUZZ_FRAME_MAX];
		uint32_t len = fuzz_unhex(hex, b, sizeof(b));
		struct ics_frame f = {b, len, len, ICS_VLAN_NONE, ICS_LINK_ETHERNET};

		now_ns += 1000000000ull;
		ics_inspect_burst(&in, &f, 1, now_ns);
	}
	for (unsigned i = 0; i < 4; i++)
		ics_engine_tick(e, now_ns += 90000000000000ull);
}

static struct ics_engine *
restore(const struct ics_config *conf, uint64_t now_ns, struct ics_state_restored *out, int *rc)
{
	struct ics_engine *e = ics_engine_new(conf, 1);
	char err[ICS_STATE_ERR_LEN] = "";
	char bad[100];

	FUZZ_CHECK(e != NULL, "no memory");
	*rc = ics_state_restore(e, state_path(), now_ns, out, err);
	if (*rc != 0)
		fuzz_check_line(err, sizeof(err));
	else
		FUZZ_CHECK(err[0] == '\0' && out->found, "taken back, and: %s", err);
	snprintf(bad, sizeof(bad), "%s.bad", state_path());
	FUZZ_CHECK((unlink(bad) == 0) == (*rc == -EINVAL), "set aside, or not: %d", *rc);
	fuzz_check_model(e, conf);
	return e;
}

static void
save(struct ics_engine *e)
{
	struct ics_state_snapshot *s = ics_state_snapshot_new();

	FUZZ_CHECK(s != NULL, "no memory");
	while (!ics_state_snapshot_step(s, e, 64))
		;
	FUZZ_CHECK(ics_state_write(s, state_path()) == 0, "it cannot be saved");
	ics_state_snapshot_free(s);
}

static void
run_state(const uint8_t *data, size_t size, bool raw)
{
	static const uint64_t later[] = {0,
					 1,
					 SAVED_NS - 5000000000ull,
					 SAVED_NS,
					 SAVED_NS + 1000000000ull,
					 SAVED_NS + 3600000000000ull,
					 SAVED_NS + 700000000000000ull,
					 UINT64_MAX / 4};
	static struct body f;
	struct ics_state_restored first, second;
	struct ics_config conf;
	struct ics_engine *e;
	uint64_t now = later[data[2] & 7];
	int rc;

	ics_config_init(&conf);
	if (data[1] & 1)
		conf.detect.learn_s = 0;
	if (data[1] & 2) {
		char err[ICS_CONFIG_ERR_LEN];

		ics_config_set(&conf, "detect.gateways=fe80::1, fe80::2", err);
	}
	f.len = HEADER_LEN;
	if (raw) {
		f.len += size - HEAD < BODY_MAX ? size - HEAD : BODY_MAX;
		memcpy(f.b + HEADER_LEN, data + HEAD, f.len - HEADER_LEN);
	} else {
		make_sections(&f, data + HEAD, size - HEAD, !(data[1] & 4));
	}
	make_header(&f);
	if (data[1] & 8 && raw)
		memcpy(f.b, data + HEAD, size - HEAD < HEADER_LEN ? size - HEAD : HEADER_LEN);
	write_file(&f);
	e = restore(&conf, now, &first, &rc);
	if (rc == 0) {
		struct ics_engine *again;

		save(e);
		again = restore(&conf, now, &second, &rc);
		FUZZ_CHECK(rc == 0, "what was saved is refused");
		for (unsigned k = 0; k < ICS_WARM_KINDS; k++)
			FUZZ_CHECK(second.taken[k] + second.left[k] <= first.taken[k] + first.left[k] ||
					   k == ICS_WARM_MODEL,
				   "more %s than before", ics_warm_kind_name(k));
		ics_engine_free(again);
	}
	live_on(e, now > SAVED_NS ? now : SAVED_NS);
	fuzz_check_model(e, &conf);
	ics_engine_free(e);
	unlink(state_path());
}

/* ---- a list of prefixes ---- */

static void
run_vendor(const uint8_t *data, size_t size)
{
	char err[ICS_VENDOR_ERR_LEN] = "";
	int rc = ics_vendor_load(fuzz_file(data, size), err);

	if (rc != 0) {
		fuzz_check_line(err, sizeof(err));
		FUZZ_CHECK(ics_vendor_count() == 0, "refused, and %u prefixes", ics_vendor_count());
	} else {
		FUZZ_CHECK(ics_vendor_count() != 0 && ics_vendor_count() <= size / 7, "%u prefixes in %zu octets",
			   ics_vendor_count(), size);
	}
	for (size_t off = 0; off + 6 <= size && off < 64; off++) {
		struct ics_mac mac;
		const char *name;

		memcpy(mac.b, data + off, 6);
		name = ics_vendor_name(&mac);
		if (name[0] != '\0')
			fuzz_check_line(name, ICS_VENDOR_NAME_LEN);
	}
	ics_vendor_free();
}

/* ---- a hostile server: the rest of the input is its answers, each behind its length ---- */

static int
connect_to(const uint8_t *data, size_t size)
{
	int fd[2], room = 1 << 20;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) != 0) {
		perror("socketpair");
		exit(1);
	}
	(void)setsockopt(fd[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	for (size_t off = 0; off + 2 <= size;) {
		size_t len = ics_load_be16(data + off);

		off += 2;
		if (len > size - off)
			len = size - off;
		if (send(fd[1], data + off, len, MSG_NOSIGNAL) < 0)
			break;
		off += len;
	}
	/* No more comes; questions still go out. */
	shutdown(fd[1], SHUT_WR);
	return fd[0] | fd[1] << 16;
}

static void
run_client(const uint8_t *data, size_t size)
{
	int fds = connect_to(data, size);
	struct ics_client c = {.fd = fds & 0xffff, .path = "fuzz"};

	for (unsigned n = 0; n < 64 && c.fd >= 0; n++) {
		json_t *reply = ics_client_ask(&c, "/icmpscope/%s/table,%u", "anomaly", n);
		char buf[40];

		if (reply == NULL) {
			FUZZ_CHECK(strnlen(c.error, sizeof(c.error)) < sizeof(c.error), "an error without end");
			continue;
		}
		(void)ics_client_uint(reply, "next");
		FUZZ_CHECK(ics_client_text(reply, "detector") != NULL, "no text");
		for (size_t room = 1; room <= sizeof(buf); room += 13) {
			ics_client_long_text(reply, "says", buf, room);
			FUZZ_CHECK(strnlen(buf, room) < room, "a text without end");
		}
		(void)ics_client_rows(reply);
		json_decref(reply);
	}
	ics_client_close(&c);
	close(fds >> 16);
}

static void
run_exporter(const uint8_t *data, size_t size, bool openmetrics)
{
	int fds = connect_to(data, size);
	struct ics_client c = {.fd = fds & 0xffff, .path = "fuzz"};
	struct text t = {.ok = true};
	size_t line = 0;

	metrics_scrape(&c, "/nonexistent/fuzz", openmetrics, &t);
	FUZZ_CHECK(t.ok && t.len != 0 && t.p[t.len - 1] == '\n', "no text");
	/* Whatever names say, a line is a comment or a sample: a name, labels in quotes, a number. */
	for (size_t i = 0; i < t.len; i++) {
		const char *l = t.p + line;

		if (t.p[i] != '\n')
			continue;
		FUZZ_CHECK(strncmp(l, "# ", 2) == 0 || strncmp(l, "icmpscope_", 10) == 0, "a line that is none: %.*s",
			   (int)(t.p + i - l), l);
		line = i + 1;
	}
	ics_client_close(&c);
	text_free(&t);
	close(fds >> 16);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < HEAD)
		return 0;
	switch (data[0] % MODES) {
	case STATE:
	case STATE_RAW:
		run_state(data, size, data[0] % MODES == STATE_RAW);
		break;
	case VENDOR:
		run_vendor(data + HEAD, size - HEAD);
		break;
	case CLIENT:
		run_client(data + HEAD, size - HEAD);
		break;
	default:
		run_exporter(data + HEAD, size - HEAD, data[1] & 1);
		break;
	}
	return 0;
}

/* ---- the mutator ---- */

/* Entries as an icmpscope writes them that has heard every base packet. */
static const struct body *
learned(void)
{
	static struct body l;
	struct ics_state_snapshot *s;
	struct ics_config conf;
	struct ics_engine *e;
	uint8_t *data;
	size_t len, off = HEADER_LEN;

	if (l.len != 0)
		return &l;
	ics_config_init(&conf);
	e = ics_engine_new(&conf, 1);
	s = ics_state_snapshot_new();
	FUZZ_CHECK(e != NULL && s != NULL, "no memory");
	ics_engine_tick(e, SAVED_NS - 3600000000000ull);
	{
		static struct ics_counters counters;
		struct ics_inspect in = {.validate = {1500}, .counters = &counters, .sink = {push, e}, .seed = 1};
		const char *hex;

		ics_inspect_init(&in);
		for (unsigned i = 0; (hex = fuzz_base(i)) != NULL; i++) {
			uint8_t b[FUZZ_FRAME_MAX];
			uint32_t n = fuzz_unhex(hex, b, sizeof(b));
			struct ics_frame f = {b, n, n, ICS_VLAN_NONE, ICS_LINK_ETHERNET};

			ics_inspect_burst(&in, &f, 1, SAVED_NS - (40 - i) * 1000000000ull);
		}
	}
	while (!ics_state_snapshot_step(s, e, 64))
		;
	data = state_snapshot_data(s, &len);
	while (off + SECTION_LEN <= len) {
		unsigned kind = (unsigned)get_le(data + off, 4);
		uint32_t n = (uint32_t)get_le(data + off + 8, 4), each = state_entry_len(kind);

		off += SECTION_LEN;
		for (; n != 0 && l.len + 1 + each <= BODY_MAX; n--, off += each) {
			l.b[l.len++] = (uint8_t)kind;
			memcpy(l.b + l.len, data + off, each);
			l.len += each;
		}
	}
	ics_state_snapshot_free(s);
	ics_engine_free(e);
	return &l;
}

/* The start of an entry at random. */
static size_t
pick(struct fuzz_rng *r, const uint8_t *b, size_t size, uint32_t *len)
{
	size_t at[256], off = 0;
	unsigned n = 0;

	while (off < size && n < ICS_ARRAY_LEN(at)) {
		at[n++] = off;
		off += 1 + state_entry_len(b[off] % ICS_WARM_KINDS);
	}
	off = at[fuzz_rng_below(r, n)];
	*len = 1 + state_entry_len(b[off] % ICS_WARM_KINDS);
	if (*len > size - off)
		*len = (uint32_t)(size - off);
	return off;
}

static size_t
mutate_state(struct fuzz_rng *r, uint8_t *b, size_t size, size_t max)
{
	static const uint64_t odd[] = {
		0, 1, 255, 65535, UINT32_MAX, SAVED_NS, SAVED_NS - 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 60};
	const struct body *l = learned();
	uint32_t len, n;
	size_t off;

	if (size == 0 || fuzz_rng_below(r, 40) == 0) {
		size = l->len < max ? l->len : max;
		memcpy(b, l->b, size);
		return size;
	}
	off = pick(r, b, size, &len);
	switch (fuzz_rng_below(r, 6)) {
	case 0: /* once more */
		if (size + len <= max) {
			memcpy(b + size, b + off, len);
			size += len;
		}
		return size;
	case 1: /* not any more */
		memmove(b + off, b + off + len, size - off - len);
		return size - len;
	case 2: { /* one that was learned */
		uint32_t each;
		size_t from = pick(r, l->b, l->len, &each);

		if (size + each <= max) {
			memcpy(b + size, l->b + from, each);
			size += each;
		}
		return size;
	}
	default: { /* another number in one of its fields */
		const struct kind *k = &state_kinds[b[off] % ICS_WARM_KINDS];
		unsigned pick_field = fuzz_rng_below(r, k->n_fields);
		size_t at = off + 1;

		for (n = 0; n < pick_field; n++)
			at += (size_t)k->field[n].width * k->field[n].count;
		at += (size_t)k->field[n].width * fuzz_rng_below(r, k->field[n].count);
		if (at + k->field[n].width > size)
			return size;
		switch (fuzz_rng_below(r, 3)) {
		case 0:
			put_le(b + at, odd[fuzz_rng_below(r, ICS_ARRAY_LEN(odd))], k->field[n].width);
			break;
		case 1:
			put_le(b + at, get_le(b + at, k->field[n].width) + fuzz_rng_below(r, 5) - 2, k->field[n].width);
			break;
		default:
			put_le(b + at, (uint64_t)fuzz_rng_next(r) << 32 | fuzz_rng_next(r), k->field[n].width);
			break;
		}
		return size;
	}
	}
}

size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
	struct fuzz_rng r = {seed};

	if (size < HEAD || max_size < 64)
		return LLVMFuzzerMutate(data, size, max_size);
	if (fuzz_rng_below(&r, 12) == 0) {
		data[1 + fuzz_rng_below(&r, 2)] = (uint8_t)fuzz_rng_below(&r, 16);
		return size;
	}
	if (data[0] % MODES != STATE)
		return HEAD + LLVMFuzzerMutate(data + HEAD, size - HEAD, max_size - HEAD);
	size = HEAD + mutate_state(&r, data + HEAD, size - HEAD, max_size - HEAD);
	return size;
}
