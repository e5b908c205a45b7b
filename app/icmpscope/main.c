/* icmpscope: command line, plan, EAL, ports, workers, then the control loop until it is told to stop, and everything
 * taken down in reverse order. A failure is one line on stderr that says what it is and how to mend it.
 */
#include "args.h"
#include "check.h"
#include "control.h"
#include "device.h"
#include "eal.h"
#include "historian.h"
#include "journalist.h"
#include "keeper.h"
#include "plan.h"
#include "port.h"
#include "reload.h"
#include "sandbox.h"
#include "summary.h"
#include "watchdog.h"
#include "worker.h"

#include "ics_vendor.h"
#include "ics_version.h"

#include <errno.h>
#include <inttypes.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf_dyn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Everything of a run; static, because it is large and lives as long as the process. */
static struct {
	struct args args;
	struct device devices[PLAN_PORTS_MAX];
	unsigned n_devices;
	struct plan_in facts;
	struct plan plan;
	struct worker_shared shared;
	struct port ports[PLAN_PORTS_MAX];
	struct ics_export_port port_views[PLAN_PORTS_MAX];
	struct worker *workers[PLAN_WORKERS_MAX];
	struct ics_samplers samplers;
	struct ics_export_worker worker_views[PLAN_WORKERS_MAX];
	unsigned n_workers;
	struct ics_export_source source;
	struct control control;
	struct ics_engine *engine;
	struct historian historian;
	struct keeper keeper;
	struct journalist journalist;
	struct reload reload;
	struct links links;
	struct ics_export_plan plan_view;
	struct sandbox_conf sandbox_conf;
	struct ics_export_sandbox sandbox;
	struct watchdog watchdog;
} run;

static _Atomic bool stop;

static void
on_signal(int sig)
{
	(void)sig;
	atomic_store_explicit(&stop, true, memory_order_relaxed);
}

/* Whoever renamed the journal wants a new one, whoever changed the settings wants them to count. */
static void
on_hangup(int sig)
{
	(void)sig;
	atomic_store_explicit(&run.journalist.reopen, true, memory_order_relaxed);
	reload_ask(&run.reload);
}

static void
catch_signals(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sa.sa_handler = on_hangup;
	sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	/* A file that may not grow is a loss that is counted. */
	sigaction(SIGXFSZ, &sa, NULL);
}

static void
say_warning(const char *text)
{
	fprintf(stderr, "icmpscope: warning: %s\n", text);
}

/* ---- before EAL: what can be checked without it ---- */

/* 0, 1 or 2, as the exit status. */
static int
check_devices(void)
{
	const struct ics_config *c = &run.args.config;
	char err[DEVICE_ERR_LEN];

	for (unsigned i = 0; i < c->port.n_devices; i++) {
		struct device *d = &run.devices[i];
		int rc = device_parse(d, i, c->port.device[i], err);

		if (rc != 0) {
			fprintf(stderr, "icmpscope: %s\n", err);
			return rc == -EINVAL ? 2 : 1;
		}
		for (unsigned j = 0; j < i; j++) {
			if (strcmp(d->target, run.devices[j].target) != 0)
				continue;
			fprintf(stderr, "icmpscope: %s: this device is named twice (%s)\n", d->text,
				run.devices[j].text);
			return 2;
		}
		if (d->damage[0] != '\0')
			fprintf(stderr, "icmpscope: warning: %s; the %" PRIu64 " frames before that are inspected\n",
				d->damage, d->frames);
		if (d->note[0] != '\0')
			say_warning(d->note);
		run.n_devices++;
	}
	return 0;
}

static void
describe_ports(void)
{
	for (unsigned i = 0; i < run.n_devices; i++) {
		const struct device *d = &run.devices[i];

		run.facts.port[i] = (struct plan_port){
			.name = d->text,
			.node = d->node,
			.max_queues = d->kind == DEVICE_PCI ? PLAN_WORKERS_MAX : 1,
			.data_room = d->data_room,
			.extra_mbufs = d->held,
		};
	}
	run.facts.n_ports = run.n_devices;
}

static int
make_plan(void)
{
	const struct ics_config *c = &run.args.config;
	char err[PLAN_TEXT_LEN];
	int n;

	describe_ports();
	run.facts.worker_bytes =
		worker_bytes(c->worker.ring_urgent, c->worker.ring_bulk,
			     c->sample.enable ? &(struct ics_sample_conf){.filter_bits = c->sample.filter_bits} : NULL);
	run.facts.ring_bytes = ics_ring_bytes(c->worker.ring_urgent, c->worker.ring_bulk);
	run.facts.memory_mb = c->eal.memory_mb;
	n = plan_parse_cpus(c->worker.cpus, run.facts.wanted, PLAN_CPUS_MAX);
	if (n < 0) {
		fprintf(stderr,
			"icmpscope: worker.cpus = %s: numbers and ranges split by commas are allowed, as 2,4-7\n",
			c->worker.cpus);
		return 2;
	}
	run.facts.n_wanted = (unsigned)n;
	if (plan_read_machine(&run.facts, err) != 0 || plan_make(&run.facts, &run.plan, err) != 0) {
		fprintf(stderr, "icmpscope: %s\n", err);
		return 1;
	}
	if (run.args.plan)
		return 0;
	for (unsigned i = 0; i < run.plan.n_warnings; i++)
		say_warning(run.plan.warning[i]);
	if (!run.plan.hugepages)
		fprintf(stderr,
			"icmpscope: running without hugepages (%" PRIu64 " MB are free in them, %" PRIu64
			" MB are needed)\n",
			run.facts.huge_free_mb, run.plan.memory_mb);
	return 0;
}

/* ---- with EAL ---- */

static const char *
mode(void)
{
	unsigned once = 0, loop = 0;

	for (unsigned i = 0; i < run.n_devices; i++) {
		once += run.devices[i].kind == DEVICE_CAPTURE;
		loop += run.devices[i].kind == DEVICE_LOOP;
	}
	run.control.n_once = once;
	run.shared.capture_time = once == run.n_devices;
	return once == run.n_devices ? "capture" : loop > 0 && once + loop == run.n_devices ? "loop" : "live";
}

/* Names of vendors are a convenience: without them, or with a file that is none, all else goes on. */
static void
load_vendors(const struct ics_config *c)
{
	char err[ICS_VENDOR_ERR_LEN];
	int rc = c->vendor.file[0] != '\0' ? ics_vendor_load(c->vendor.file, err) : 0;

	if (rc != 0 && rc != -ENOENT)
		fprintf(stderr, "icmpscope: vendors are not named: %s\n", err);
}

static int
prepare_shared(void)
{
	const struct ics_config *c = &run.args.config;
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random)) {
		fprintf(stderr, "icmpscope: no random numbers for the hash keys: %s\n", strerror(errno));
		return 1;
	}
	if (rte_mbuf_dyn_rx_timestamp_register(&run.shared.ts_offset, &run.shared.ts_flag) != 0) {
		fprintf(stderr, "icmpscope: no room for receive times in packet buffers\n");
		return 1;
	}
	run.shared.seed = random[0];
	run.shared.known.seed = random[1];
	run.shared.ring_urgent = c->worker.ring_urgent;
	run.shared.ring_bulk = c->worker.ring_bulk;
	run.shared.idle = c->worker.idle;
	run.shared.decode = c->decode;
	run.shared.validate.link_mtu = c->detect.link_mtu;
	run.shared.sample = c->sample.enable;
	run.shared.watch.seed = random[1];
	run.shared.sampler = (struct ics_sample_conf){.every = c->sample.every,
						      .filter_bits = c->sample.filter_bits,
						      .link_mtu = c->detect.link_mtu,
						      .seed = random[0],
						      .watch = &run.shared.watch};
	clock_init(&run.shared.clock, rte_rdtsc(), rte_get_tsc_hz());
	load_vendors(c);
	run.engine = ics_engine_new(c, random[0]);
	if (run.engine == NULL) {
		fprintf(stderr, "icmpscope: not enough memory for the model: %s\n", strerror(errno));
		return 1;
	}
	if (!run.shared.capture_time)
		ics_engine_set_steady(run.engine);
	keeper_restore(&run.keeper, run.engine, run.shared.capture_time ? 0 : run.shared.clock.ns0);
	ics_engine_publish_known(run.engine, &run.shared.known);
	if (run.historian.history != NULL)
		ics_engine_set_history(run.engine, historian_tell, &run.historian);
	return 0;
}

/* What the device has, and what it makes of several queues. */
static void
note_queues(unsigned i, unsigned queues)
{
	struct plan *p = &run.plan;
	unsigned before = p->n_warnings, lacking = p->queues[i] - queues;

	p->queues[i] = queues;
	p->figures.queues_lacking += lacking;
	if (lacking > 0 && run.ports[i].rss == PORT_RSS_NONE)
		plan_warn(p,
			  "%s does not spread frames over several queues (no RSS), so %u of its workers stay idle: "
			  "name %u CPUs "
			  "fewer with -w",
			  run.devices[i].text, lacking, lacking);
	else if (lacking > 0)
		plan_warn(p, "%s has %u receive queues, so %u of its workers stay idle: name %u CPUs fewer with -w",
			  run.devices[i].text, queues, lacking, lacking);
	if (queues > 1 && run.ports[i].rss == PORT_RSS_ONE_WAY)
		plan_warn(p,
			  "%s spreads the two directions of a flow over different queues: TCP is judged in one "
			  "direction at a "
			  "time and path MTU findings may be missed; name one CPU for it with -w",
			  run.devices[i].text);
	for (unsigned k = before; k < p->n_warnings; k++)
		say_warning(p->warning[k]);
}

static int
open_ports(void)
{
	const struct ics_config *c = &run.args.config;
	char err[PORT_ERR_LEN];

	if (c->worker.trust_ptype && c->sample.enable)
		say_warning("worker.trust_ptype does nothing while sample.enable is on: the sampler reads all headers");
	for (unsigned i = 0; i < run.n_devices; i++) {
		unsigned queues = run.plan.queues[i];

		run.ports[i].trust_ptypes = c->worker.trust_ptype && !c->sample.enable;
		run.ports[i].tunnels = c->decode.tunnels != 0;
		if (port_open(&run.ports[i], &run.devices[i], &run.plan, i, &queues, &run.port_views[i], err) != 0) {
			fprintf(stderr, "icmpscope: %s\n", err);
			return 1;
		}
		note_queues(i, queues);
	}
	return 0;
}

static int
make_workers(void)
{
	for (unsigned i = 0; i < run.plan.n_workers; i++) {
		const struct plan_worker *p = &run.plan.worker[i];
		unsigned n = run.n_workers;
		struct worker *w;

		if (p->queue >= run.plan.queues[p->port])
			continue;
		w = worker_new(&run.shared, p, n, run.ports[p->port].id, device_is_once(&run.devices[p->port]));
		if (w == NULL) {
			fprintf(stderr,
				"icmpscope: no memory for worker %u (%s): set eal.memory_mb above %" PRIu64 "\n", n,
				strerror(errno), run.plan.memory_mb);
			return 1;
		}
		w->ptypes = port_ptypes(&run.ports[p->port]);
		run.workers[n] = w;
		if (w->inspect.sampler != NULL)
			run.samplers.at[run.samplers.n++] = w->inspect.sampler;
		run.worker_views[n] = (struct ics_export_worker){.counters = &w->counters,
								 .stats = &w->stats,
								 .ring = w->ring,
								 .sampler = w->inspect.sampler,
								 .port = p->port,
								 .queue = p->queue,
								 .lcore = p->lcore,
								 .cpu = p->cpu,
								 .node = p->node,
								 .port_node = p->port_node,
								 .shared = p->shared,
								 .smt = p->smt};
		run.n_workers++;
	}
	ics_engine_set_samplers(run.engine, &run.samplers, &run.shared.watch);
	return 0;
}

static int
start_workers(void)
{
	for (unsigned i = 0; i < run.n_workers; i++) {
		int rc = rte_eal_remote_launch(worker_run, run.workers[i], run.workers[i]->lcore);

		if (rc != 0) {
			fprintf(stderr, "icmpscope: worker %u did not start: %s\n", i, strerror(-rc));
			return 1;
		}
	}
	return 0;
}

/* For telemetry: what was planned, and what became of it. */
static void
describe_plan(void)
{
	struct ics_export_plan *v = &run.plan_view;
	const struct plan *p = &run.plan;
	unsigned cpu[PLAN_CPUS_MAX], n;

	for (unsigned i = 0; i < run.facts.n_cpus; i++)
		cpu[i] = run.facts.cpu[i].id;
	plan_ranges(cpu, run.facts.n_cpus, v->cpus, sizeof(v->cpus));
	n = plan_background(&run.facts, p, cpu);
	plan_ranges(cpu, n, v->background, sizeof(v->background));
	v->ring_bytes = run.facts.ring_bytes;
	v->worker_bytes = run.facts.worker_bytes;
	v->remote = p->figures.remote;
	v->shared = p->figures.shared;
	v->with_control = p->figures.with_control;
	v->smt = p->figures.smt;
	v->idle_cpus = p->figures.idle_cpus;
	v->queues_lacking = p->figures.queues_lacking;
	v->quota_milli = run.facts.quota_milli;
	for (unsigned i = 0; i < run.n_devices; i++) {
		v->buffers[i] = p->mbufs[i];
		v->pool_bytes[i] = p->pool_bytes[i];
	}
	for (v->n_warnings = 0; v->n_warnings < p->n_warnings; v->n_warnings++)
		v->warning[v->n_warnings] = p->warning[v->n_warnings];
}

static int
open_export(const char *mode_name)
{
	int rc;

	describe_plan();
	run.source = (struct ics_export_source){
		.version = ICS_VERSION,
		.mode = mode_name,
		.sandbox = "off",
		.engine = run.engine,
		.workers = run.worker_views,
		.ports = run.port_views,
		.n_workers = run.n_workers,
		.n_ports = run.n_devices,
		.main_cpu = run.plan.main_cpu,
		.tsc_hz = rte_get_tsc_hz(),
		.start_ns = run.shared.clock.ns0,
		.memory_mb = run.plan.memory_mb,
		.hugepages = run.plan.hugepages,
		.history = run.historian.history != NULL ? &run.historian.stats : NULL,
		.history_queue = run.historian.queue,
		.state = run.keeper.snapshot != NULL ? &run.keeper.stats : NULL,
		.restored = &run.keeper.restored,
		.journal = run.journalist.journal != NULL ? &run.journalist.stats : NULL,
		.journal_queue = run.journalist.queue,
		.config = &run.reload.stats,
		.plan = &run.plan_view,
		.evidence = run.journalist.writes_evidence ? &run.journalist.evidence_stats : NULL,
	};
	rc = ics_export_open(&run.source);
	if (rc != 0)
		fprintf(stderr, "icmpscope: telemetry did not take the endpoints: %s\n", strerror(-rc));
	return rc != 0;
}

static void
say_ordinary(int rc)
{
	char text[160];

	snprintf(text, sizeof(text), "control.realtime = on does nothing: %s",
		 rc == -EBUSY ? "a worker shares the CPU of the control core"
			      : "no right to it (CAP_SYS_NICE, or LimitRTPRIO=1 and RestrictRealtime=no in the unit)");
	say_warning(text);
}

static void
prepare_control(void)
{
	struct control *c = &run.control;
	int rc;

	c->shared = &run.shared;
	c->workers = run.workers;
	c->n_workers = run.n_workers;
	c->n_ports = run.n_devices;
	c->ports = run.ports;
	c->port_views = run.port_views;
	c->source = &run.source;
	c->engine = run.engine;
	c->keeper = &run.keeper;
	c->journalist = &run.journalist;
	c->reload = &run.reload;
	c->links = &run.links;
	c->devices = run.devices;
	links_open(&run.links, run.devices, run.ports, run.port_views, run.n_devices, run.watchdog.notify.fd >= 0,
		   run.shared.clock.ns0);
	c->run_for_ns = run.args.run_for_s * 1000000000ull;
	run.watchdog.journalist = &run.journalist;
	run.watchdog.ending = &run.shared.stop;
	run.watchdog.anomalies = &c->anomalies;
	run.source.watchdog = &run.watchdog.view;
	c->realtime = run.args.config.control.realtime;
	rc = control_prepare(c);
	if (rc != 0)
		say_ordinary(rc);
}

static void
journal_start(const char *mode_name)
{
	const struct ics_config *c = &run.args.config;
	struct journalist *j = &run.journalist;
	struct ics_journal_event *ev = &j->event;

	if (!journalist_begin(j, ICS_JOURNAL_START))
		return;
	ics_journal_add_text(ev, "version", ICS_VERSION);
	ics_journal_add_text(ev, "mode", mode_name);
	ics_journal_add_uint(ev, "pid", (uint64_t)getpid());
	ics_journal_add_uint(ev, "ports", run.n_devices);
	ics_journal_add_uint(ev, "workers", run.n_workers);
	ics_journal_add_uint(ev, "journal_bytes", j->found.bytes);
	ics_journal_add_uint(ev, "torn_bytes", j->found.torn_bytes);
	ics_journal_add_text(ev, "run_before",
			     j->found.stopped                            ? "stopped"
			     : j->found.bytes + j->found.torn_bytes == 0 ? "none"
									 : "did not stop by itself");
	ics_journal_add_bool(ev, "state_restored", run.keeper.restored.found);
	ics_journal_add_text(ev, "sandbox", run.source.sandbox);
	journalist_tell(j);
	if (!journalist_begin(j, ICS_JOURNAL_CONFIG))
		return;
	ics_journal_add_text(ev, "file", run.args.file != NULL ? run.args.file : "");
	ics_journal_add_uint(ev, "overrides", run.args.n_sets);
	ics_journal_add_uint(ev, "gateways", c->detect.gateways.n);
	ics_journal_add_uint(ev, "mutes", c->detect.n_mutes);
	ics_journal_add_uint(ev, "learn_s", c->detect.learn_s);
	journalist_tell(j);
}

static void
journal_end(int status)
{
	struct journalist *j = &run.journalist;
	struct ics_journal_event *ev = &j->event;
	struct ics_conservation c;
	struct ics_anomaly_stats a;

	journalist_rest(j, ics_engine_anomalies(run.engine), &run.keeper.stats);
	if (!journalist_begin(j, ICS_JOURNAL_STOP))
		return;
	ics_export_conservation(&run.source, &c);
	ics_anomaly_stats(ics_engine_anomalies(run.engine), &a);
	ics_journal_add_uint(ev, "status", (uint64_t)status);
	ics_journal_add_text(ev, "why",
			     atomic_load_explicit(&stop, memory_order_relaxed) ? "signal"
			     : run.links.restart                               ? "a port is back"
									       : "time is over");
	ics_journal_add_uint(ev, "uptime_s", run.source.uptime_ns / 1000000000u);
	ics_journal_add_uint(ev, "frames", c.frames);
	ics_journal_add_uint(ev, "control", c.control);
	ics_journal_add_uint(ev, "delivered", c.delivered);
	ics_journal_add_uint(ev, "dropped", c.dropped);
	ics_journal_add_uint(ev, "anomalies_opened", a.opened);
	ics_journal_add_uint(ev, "anomalies_open", a.open);
	journalist_tell(j);
}

/* ---- rights that it does not need any more ---- */

/* Where it writes from here on, and what its devices need. */
static void
name_places(struct sandbox_conf *s)
{
	const struct ics_config *c = &run.args.config;
	const char *const files[] = {c->history.file, c->state.file, c->journal.file};
	const char *path;

	*s = (struct sandbox_conf){.user = c->sandbox.user};
	for (unsigned i = 0; i < ICS_ARRAY_LEN(files); i++)
		if (files[i][0] != '\0')
			(void)sandbox_add_dir_of(s, files[i], SANDBOX_WRITE);
	if (c->evidence.dir[0] != '\0')
		(void)sandbox_add_dir(s, c->evidence.dir, SANDBOX_WRITE);
	/* DPDK takes its socket away at the end, and memif those that it made. */
	(void)sandbox_add_dir(s, rte_eal_get_runtime_dir(), SANDBOX_REMOVE);
	for (unsigned i = 0; i < run.n_devices; i++) {
		const struct device *d = &run.devices[i];

		if (d->kind == DEVICE_PCI && !sandbox_add_dir(s, "/dev/vfio", SANDBOX_DEVICE))
			continue;
		s->connects |= d->kind == DEVICE_VDEV;
		path = d->kind == DEVICE_VDEV ? strstr(d->text, ",socket=/") : NULL;
		if (path != NULL) {
			char file[256];

			snprintf(file, sizeof(file), "%.*s", (int)strcspn(path + 8, ","), path + 8);
			(void)sandbox_add_dir_of(s, file, SANDBOX_REMOVE);
		}
	}
}

/* 0 or 1, as the exit status. */
static int
give_away(void)
{
	uint32_t mode = run.args.config.sandbox.enable;
	char err[SANDBOX_ERR_LEN];
	int rc;

	if (mode == ICS_SANDBOX_OFF)
		return 0;
	name_places(&run.sandbox_conf);
	/* By itself DPDK would connect to the system's log for each line. */
	(void)rte_openlog_stream(stderr);
	rc = sandbox_enter(&run.sandbox_conf, &run.sandbox, err);
	run.source.given_away = &run.sandbox;
	run.watchdog.denied = &run.sandbox.denied;
	run.source.sandbox = rc == 0 && run.sandbox.seccomp && run.sandbox.landlock_abi != 0 ? "on" : "in part";
	if (rc != 0 && mode == ICS_SANDBOX_ON) {
		fprintf(stderr, "icmpscope: the sandbox does not hold: %s; --set sandbox.enable=try goes on without\n",
			err);
		return 1;
	}
	if (rc != 0)
		fprintf(stderr, "icmpscope: warning: the sandbox holds in part: %s\n", err);
	else if (run.sandbox.landlock_abi == 0)
		say_warning("this kernel has no landlock: the file system is not read-only for icmpscope");
	return 0;
}

/* Between EAL's start and its end; takes back what it made, last first. */
static int
with_eal(void)
{
	const char *mode_name = mode();
	int status = prepare_shared();
	bool ran = false;

	if (status == 0)
		status = open_ports();
	if (status == 0)
		status = make_workers();
	if (status == 0)
		status = open_export(mode_name);
	if (status == 0)
		status = start_workers();
	if (status == 0) {
		prepare_control();
		status = give_away();
	}
	if (status == 0)
		status = watchdog_start(&run.watchdog, &run.control.turns, run.worker_views, run.n_workers, &run.facts,
					&run.plan) != 0;
	if (status == 0) {
		printf("icmpscope %s: %s on %u port%s, %u worker%s; socket prefix %s\n", ICS_VERSION, mode_name,
		       run.n_devices, run.n_devices == 1 ? "" : "s", run.n_workers, run.n_workers == 1 ? "" : "s",
		       run.args.config.eal.file_prefix);
		fflush(stdout);
		journal_start(mode_name);
		control_run(&run.control, &stop);
		watchdog_stop(&run.watchdog);
		ran = true;
		status = summary_print(&run.source, run.control.announce.unprinted) && !run.links.restart ? 0 : 1;
	}
	ics_export_close();
	atomic_store_explicit(&run.shared.stop, true, memory_order_relaxed);
	rte_eal_mp_wait_lcore();
	keeper_stop(&run.keeper, run.engine);
	if (ran)
		journal_end(status);
	links_close(&run.links, run.ports);
	for (unsigned i = run.n_devices; i-- > 0;)
		port_close(&run.ports[i]);
	for (unsigned i = run.n_workers; i-- > 0;)
		worker_free(run.workers[i]);
	ics_engine_free(run.engine);
	return status;
}

/* Also of those that did not start. */
static void
stop_writers(void)
{
	reload_stop(&run.reload);
	journalist_stop(&run.journalist);
	keeper_stop(&run.keeper, NULL);
	historian_stop(&run.historian);
}

/* What writes files; last started, first stopped. */
static int
start_writers(void)
{
	const struct ics_config *c = &run.args.config;
	const char *port[PLAN_PORTS_MAX];

	for (unsigned i = 0; i < run.n_devices; i++)
		port[i] = run.devices[i].text;
	if (historian_start(&run.historian, c, &run.facts, &run.plan) != 0)
		return 1;
	if (keeper_start(&run.keeper, c, &run.facts, &run.plan) != 0) {
		historian_stop(&run.historian);
		return 1;
	}
	if (journalist_start(&run.journalist, c, port, run.n_devices, &run.facts, &run.plan) != 0) {
		keeper_stop(&run.keeper, NULL);
		historian_stop(&run.historian);
		return 1;
	}
	run.reload.notify = &run.watchdog.notify;
	if (reload_start(&run.reload, &run.args, &run.facts, &run.plan) != 0) {
		stop_writers();
		return 1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	int rc = args_parse(&run.args, argc, argv), status;

	if (rc != 0)
		return rc > 0 ? 0 : 2;
	if (run.args.check)
		return check_say(&run.args);
	catch_signals();
	if (!notify_open(&run.watchdog.notify))
		say_warning("NOTIFY_SOCKET names no socket that can be used: nobody is told that it runs");
	status = check_devices();
	if (status == 0)
		status = make_plan();
	if (status == 0 && run.args.plan)
		return plan_print(&run.facts, &run.plan) != 0;
	if (status != 0)
		return status;
	if (start_writers() != 0)
		return 1;
	if (eal_start(&run.args, &run.plan, run.devices, run.n_devices) != 0) {
		stop_writers();
		return 1;
	}
	status = with_eal();
	stop_writers();
	/* Drivers such as memif leave their last callback to EAL's interrupt thread; under it the clean-up crashes. */
	rte_delay_us_sleep(100000);
	rte_eal_cleanup();
	return status;
}
