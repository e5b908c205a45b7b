/* The way back: the whole file is judged (sums, lengths, every number against its table) before any of it reaches the
 * model, and what does not fit the model is left out and counted. Called once at the start.
 */
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Beyond it times no longer add up; it is the year 2116. */
#define SAVED_MAX (1ull << 62)

struct section {
	const uint8_t *entry;
	uint32_t count;
};

struct file {
	const uint8_t *data;
	size_t len;
	uint64_t saved_ns;
	struct section section[ICS_WARM_KINDS];
};

/* NULL: the header is good. */
static const char *
check_header(struct file *f)
{
	const uint8_t *h = f->data;

	if (memcmp(h, STATE_MAGIC, 8) != 0)
		return "it is no state file of icmpscope";
	if (get_le(h + 56, 8) != ics_hash(h, 56, STATE_SUM_SEED))
		return "it is damaged (sum of the header)";
	if (get_le(h + 8, 4) != STATE_VERSION || get_le(h + 12, 4) != HEADER_LEN || get_le(h + 16, 8) != state_layout())
		return "it is of another version of icmpscope";
	if (get_le(h + 32, 8) != f->len - HEADER_LEN)
		return "it is not whole";
	if (get_le(h + 40, 8) != ics_hash(h + HEADER_LEN, f->len - HEADER_LEN, STATE_SUM_SEED))
		return "it is damaged (sum of the contents)";
	f->saved_ns = get_le(h + 24, 8);
	return f->saved_ns == 0 || f->saved_ns > SAVED_MAX ? "its time is no time" : NULL;
}

/* Sections in order of their kind, each once at most; as many as there are kinds. */
static const char *
find_sections(struct file *f)
{
	size_t at = HEADER_LEN;
	int last = -1;

	while (at < f->len) {
		uint64_t kind, len, count;

		if (f->len - at < SECTION_LEN)
			return "a section is cut";
		kind = get_le(f->data + at, 4);
		len = get_le(f->data + at + 4, 4);
		count = get_le(f->data + at + 8, 4);
		at += SECTION_LEN;
		if (kind >= ICS_WARM_KINDS || (int)kind <= last || len != state_entry_len((enum ics_warm_kind)kind))
			return "a section is unknown";
		if (count * len > f->len - at)
			return "a section is cut";
		f->section[kind] = (struct section){f->data + at, (uint32_t)count};
		at += count * len;
		last = (int)kind;
	}
	return NULL;
}

static const char *
check_entries(const struct file *f)
{
	union ics_warm w;

	for (unsigned k = 0; k < ICS_WARM_KINDS; k++)
		for (uint32_t i = 0; i < f->section[k].count; i++)
			if (!state_decode(k, f->section[k].entry + (size_t)i * state_entry_len(k), f->saved_ns, 0, &w))
				return "a number in it is out of range";
	return NULL;
}

struct order {
	uint64_t time_ns;
	uint32_t index;
};

static int
by_time(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->index < y->index ? -1 : 1;
}

/* In which order entries go back. NULL: no memory. */
static struct order *
order_of(const struct file *f, enum ics_warm_kind k)
{
	const struct section *s = &f->section[k];
	struct order *o = calloc((size_t)s->count + 1, sizeof(*o));
	union ics_warm w;

	if (o == NULL)
		return NULL;
	for (uint32_t i = 0; i < s->count; i++) {
		o[i].index = i;
		if (!state_kinds[k].ordered)
			continue;
		(void)state_decode(k, s->entry + (size_t)i * state_entry_len(k), f->saved_ns, 0, &w);
		memcpy(&o[i].time_ns, (const uint8_t *)&w + state_kinds[k].order_off, 8);
	}
	if (state_kinds[k].ordered)
		qsort(o, s->count, sizeof(*o), by_time);
	return o;
}

static int
put_back(const struct file *f, struct ics_model *m, uint64_t back_ns, struct ics_warm_back *b)
{
	union ics_warm w;

	for (unsigned k = 0; k < ICS_WARM_KINDS; k++) {
		struct order *o = order_of(f, k);

		if (o == NULL)
			return -ENOMEM;
		for (uint32_t i = 0; i < f->section[k].count; i++) {
			(void)state_decode(k, f->section[k].entry + (size_t)o[i].index * state_entry_len(k),
					   f->saved_ns, back_ns, &w);
			ics_model_warm_put(m, b, k, &w);
		}
		free(o);
	}
	return 0;
}

static int
refuse(const char *path, const char *why, char err[static ICS_STATE_ERR_LEN])
{
	int rc = state_set_aside(path);

	if (rc == 0)
		snprintf(err, ICS_STATE_ERR_LEN,
			 "%s: this state file cannot be used, %s; it was renamed to %s.bad, and learning begins anew",
			 path, why, path);
	else
		snprintf(err, ICS_STATE_ERR_LEN,
			 "%s: this state file cannot be used, %s; learning begins anew (renaming it failed: %s)", path,
			 why, strerror(-rc));
	return -EINVAL;
}

static int
take_back(struct file *f, struct ics_engine *e, uint64_t now_ns, struct ics_state_restored *out)
{
	struct ics_warm_back *b = calloc(1, sizeof(*b));
	uint64_t back_ns = now_ns != 0 && now_ns < f->saved_ns ? f->saved_ns - now_ns : 0, saved;
	int rc;

	if (b == NULL)
		return -ENOMEM;
	saved = f->saved_ns - back_ns;
	b->now_ns = now_ns > saved ? now_ns : saved;
	/* Deadlines that have passed meanwhile are due once the clock moves on. */
	ics_engine_resume_begin(e, saved);
	rc = put_back(f, ics_engine_model(e), back_ns, b);
	ics_engine_resume_end(e, b->now_ns);
	out->found = true;
	out->saved_ns = f->saved_ns;
	memcpy(out->taken, b->taken, sizeof(out->taken));
	memcpy(out->left, b->left, sizeof(out->left));
	free(b);
	return rc;
}

int
ics_state_restore(struct ics_engine *e, const char *path, uint64_t now_ns, struct ics_state_restored *out,
		  char err[static ICS_STATE_ERR_LEN])
{
	struct file f = {0};
	const char *why;
	uint8_t *data;
	int rc;

	memset(out, 0, sizeof(*out));
	data = state_read(path, &f.len, &why);
	if (data == NULL) {
		rc = -errno;
		if (rc == -ENOENT)
			return 0;
		if (why != NULL)
			return refuse(path, why, err);
		snprintf(err, ICS_STATE_ERR_LEN, "%s: the state file cannot be read: %s; learning begins anew", path,
			 strerror(-rc));
		return rc;
	}
	f.data = data;
	why = check_header(&f);
	if (why == NULL)
		why = find_sections(&f);
	if (why == NULL)
		why = check_entries(&f);
	rc = why != NULL ? refuse(path, why, err) : take_back(&f, e, now_ns, out);
	if (rc == -ENOMEM)
		snprintf(err, ICS_STATE_ERR_LEN, "%s: no memory to take back all of the state file", path);
	free(data);
	return rc;
}
