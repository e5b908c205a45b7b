/* A snapshot of what is to outlive a restart, taken by the control core in slices: entries are encoded as they are met,
 * section by section. Between slices the model goes on, so two entries may be of different moments; what then does not fit
 * together is left out when it is taken back. Called by the control loop, and at the end.
 */
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

struct ics_state_snapshot {
	uint8_t *data; /* ICS_STATE_BYTES_MAX */
	size_t len;
	size_t section; /* where the open one begins */
	uint32_t count; /* of its entries */
	int kind;       /* -1: none is open */
	bool full;
	uint64_t time_ns;
	struct ics_warm_walk walk;
};

struct ics_state_snapshot *
ics_state_snapshot_new(void)
{
	struct ics_state_snapshot *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->data = mmap(NULL, ICS_STATE_BYTES_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);
	if (s->data == MAP_FAILED) {
		free(s);
		errno = ENOMEM;
		return NULL;
	}
	ics_state_snapshot_begin(s);
	return s;
}

void
ics_state_snapshot_free(struct ics_state_snapshot *s)
{
	if (s == NULL)
		return;
	munmap(s->data, ICS_STATE_BYTES_MAX);
	free(s);
}

void
ics_state_snapshot_begin(struct ics_state_snapshot *s)
{
	s->len = HEADER_LEN;
	s->kind = -1;
	s->full = false;
	s->time_ns = 0;
	memset(&s->walk, 0, sizeof(s->walk));
}

static void
end_section(struct ics_state_snapshot *s)
{
	if (s->kind >= 0)
		put_le(s->data + s->section + 8, s->count, 4);
	s->kind = -1;
}

static void
begin_section(struct ics_state_snapshot *s, enum ics_warm_kind k)
{
	end_section(s);
	if (s->len + SECTION_LEN > ICS_STATE_BYTES_MAX) {
		s->full = true;
		return;
	}
	s->kind = (int)k;
	s->section = s->len;
	s->count = 0;
	put_le(s->data + s->len, k, 4);
	put_le(s->data + s->len + 4, state_entry_len(k), 4);
	put_le(s->data + s->len + 8, 0, 8);
	s->len += SECTION_LEN;
}

static void
add(struct ics_state_snapshot *s, enum ics_warm_kind k, const union ics_warm *w, uint64_t offset_ns)
{
	uint32_t len = state_entry_len(k);

	if (s->kind != (int)k)
		begin_section(s, k);
	if (s->full || s->len + len > ICS_STATE_BYTES_MAX) {
		s->full = true;
		return;
	}
	state_encode(k, w, offset_ns, s->data + s->len);
	s->len += len;
	s->count++;
}

bool
ics_state_snapshot_step(struct ics_state_snapshot *s, struct ics_engine *e, unsigned places)
{
	struct ics_model *m = ics_engine_model(e);
	const struct ics_clock *clock = ics_model_clock(m);
	enum ics_warm_kind k;
	union ics_warm w;

	while (ics_model_warm_next(m, &s->walk, &places, &k, &w))
		add(s, k, &w, clock->offset_ns);
	if (s->walk.kind < ICS_WARM_KINDS)
		return false;
	end_section(s);
	s->time_ns = clock->now_ns - clock->offset_ns;
	return true;
}

uint64_t
ics_state_snapshot_bytes(const struct ics_state_snapshot *s)
{
	return s->len;
}

uint64_t
ics_state_snapshot_time(const struct ics_state_snapshot *s)
{
	return s->time_ns;
}

uint8_t *
state_snapshot_data(struct ics_state_snapshot *s, size_t *len)
{
	*len = s->len;
	return s->data;
}
