/* Saves and restores the state (keeper.h). Called by main.c and the control loop. */
#include "keeper.h"

#include "background.h"

#include "ics_report.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define SAVE_NS 60000000000ull
#define IDLE_NS 100000000
/* Places of the tables in one turn of the control loop: some tens of microseconds. */
#define SLICE 256

static void
say_failure(struct keeper *k, int error)
{
	if (error != 0 && ics_count_get(&k->stats.error) == 0)
		fprintf(stderr,
			"icmpscope: warning: the state cannot be saved in %s: %s; it is tried again every minute\n",
			k->path, strerror(-error));
	else if (error == 0 && ics_count_get(&k->stats.error) != 0)
		fprintf(stderr, "icmpscope: the state is saved again\n");
	atomic_store_explicit(&k->stats.error, (uint64_t)-error, memory_order_relaxed);
}

static void
save(struct keeper *k)
{
	int rc = ics_state_write(k->snapshot, k->path);

	if (rc == 0) {
		atomic_store_explicit(&k->stats.saved_ns, ics_state_snapshot_time(k->snapshot), memory_order_relaxed);
		atomic_store_explicit(&k->stats.bytes, ics_state_snapshot_bytes(k->snapshot), memory_order_relaxed);
	}
	ics_count_add(rc == 0 ? &k->stats.saved : &k->stats.failed, 1);
	say_failure(k, rc);
}

static void *
write_state(void *keeper)
{
	struct keeper *k = keeper;

	for (;;) {
		bool stop = atomic_load_explicit(&k->stop, memory_order_acquire);

		if (atomic_load_explicit(&k->full, memory_order_acquire)) {
			save(k);
			atomic_store_explicit(&k->full, false, memory_order_release);
		} else if (stop) {
			return NULL;
		} else {
			nanosleep(&(struct timespec){.tv_nsec = IDLE_NS}, NULL);
		}
	}
}

/* A place where nothing can be written is a mistake that is better said at once. */
static int
check_directory(const char *path)
{
	char dir[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (slash == NULL)
		snprintf(dir, sizeof(dir), ".");
	else
		snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path), path);
	if (access(dir, W_OK | X_OK) == 0)
		return 0;
	fprintf(stderr, "icmpscope: state.file = %s: its directory cannot be written: %s\n", path, strerror(errno));
	return -errno;
}

int
keeper_start(struct keeper *k, const struct ics_config *conf, const struct plan_in *facts, const struct plan *plan)
{
	int rc;

	if (conf->state.file[0] == '\0')
		return 0;
	k->path = conf->state.file;
	rc = check_directory(k->path);
	if (rc != 0)
		return rc;
	k->snapshot = ics_state_snapshot_new();
	rc = k->snapshot == NULL ? -errno : background_start(&k->thread, "state", write_state, k, facts, plan);
	if (rc != 0) {
		fprintf(stderr, "icmpscope: no thread for the state file: %s\n", strerror(-rc));
		ics_state_snapshot_free(k->snapshot);
		k->snapshot = NULL;
	}
	return rc;
}

void
keeper_restore(struct keeper *k, struct ics_engine *e, uint64_t now_ns)
{
	const struct ics_state_restored *r = &k->restored;
	char err[ICS_STATE_ERR_LEN], when[32];

	if (k->snapshot == NULL)
		return;
	if (ics_state_restore(e, k->path, now_ns, &k->restored, err) != 0)
		fprintf(stderr, "icmpscope: warning: %s\n", err);
	else if (r->found)
		printf("state of %s restored: %" PRIu64 " segments, %" PRIu64 " routers, %" PRIu64 " prefixes, %" PRIu64
		       " hosts with a role, %" PRIu64 " addresses of routers\n",
		       ics_report_time(r->saved_ns, when), r->taken[ICS_WARM_SEGMENT], r->taken[ICS_WARM_ROUTER],
		       r->taken[ICS_WARM_PREFIX], r->taken[ICS_WARM_HOST], r->taken[ICS_WARM_BINDING]);
}

/* Hands the snapshot to the writer. Before the first record there is nothing to keep. */
static void
hand_over(struct keeper *k)
{
	k->building = false;
	if (ics_state_snapshot_time(k->snapshot) != 0)
		atomic_store_explicit(&k->full, true, memory_order_release);
}

void
keeper_turn(struct keeper *k, struct ics_engine *e, uint64_t now_ns)
{
	if (k->snapshot == NULL || atomic_load_explicit(&k->full, memory_order_acquire))
		return;
	if (k->due_ns == 0)
		k->due_ns = now_ns + SAVE_NS;
	if (!k->building && now_ns < k->due_ns)
		return;
	if (!k->building) {
		ics_state_snapshot_begin(k->snapshot);
		k->building = true;
		k->due_ns = now_ns + SAVE_NS;
	}
	if (ics_state_snapshot_step(k->snapshot, e, SLICE))
		hand_over(k);
}

void
keeper_stop(struct keeper *k, struct ics_engine *e)
{
	if (k->snapshot == NULL)
		return;
	while (atomic_load_explicit(&k->full, memory_order_acquire))
		nanosleep(&(struct timespec){.tv_nsec = IDLE_NS / 10}, NULL);
	if (e != NULL) {
		ics_state_snapshot_begin(k->snapshot);
		while (!ics_state_snapshot_step(k->snapshot, e, UINT32_MAX))
			;
		hand_over(k);
	}
	atomic_store_explicit(&k->stop, true, memory_order_release);
	pthread_join(k->thread, NULL);
	ics_state_snapshot_free(k->snapshot);
	k->snapshot = NULL;
}
