/* icmpscopectl top: a live screen: rates, workers and their rings, open anomalies, the busiest segments. Asks once a second;
 * outlives a restart of icmpscope, and leaves the terminal as it was.
 */
#include "ctl.h"

#include "ics_report.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <ncurses.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char ctl_top_help[] = "\n"
			    "A live screen: rates with the last minutes, workers and their rings, what is\n"
			    "open, the busiest segments. Once a second, through restarts of icmpscope.\n"
			    "\n"
			    "  q quits, space pauses, arrows and page keys scroll the anomalies\n"
			    "\n"
			    "  --socket FILE    the telemetry socket; by default that of eal.file_prefix\n"
			    "  -c FILE          settings; " CTL_DEFAULT_INI "\n";

#define TICK_MS 1000
#define KEY_MS 100
#define HISTORY 120
#define WORKERS_MAX 128
#define PAGES_MAX 512
#define SEGMENTS_MAX 512
#define OPEN_MAX 1024
#define LINE 512
#define TIGHT_COLUMNS 40
#define TIGHT_LINES 8

enum { PAIR_CRITICAL = 1, PAIR_WARN, PAIR_TITLE };

/* A number that only grows, and what it did in each of the last seconds. */
struct rate {
	uint64_t last, history[HISTORY];
	unsigned n; /* of history */
	bool known; /* last is */
};

struct found {
	uint64_t id, count, last_ns;
	int severity;
	char name[48], variant[48], vlan[16], subject[96];
};

struct seg {
	uint64_t id, messages, hosts, routers, groups, used, cap, per_s;
	char vlan[16];
};

struct work {
	uint64_t cpu, busy, idle, cycles, dropped, urgent, bulk;
	unsigned percent;
};

struct screen {
	struct ctl_options o;
	struct ics_client c;
	json_t *info; /* the latest answer; NULL: none yet */
	bool paused, lost;
	char started[40];
	uint64_t asked_ns, now_ns;
	struct rate frames, control, dropped, missed;
	struct work work[WORKERS_MAX];
	unsigned n_work;
	struct found found[OPEN_MAX];
	unsigned n_found, n_open;
	struct seg seg[SEGMENTS_MAX];
	unsigned n_seg;
	unsigned scroll;
	bool utf8;
};

static volatile sig_atomic_t stop;

static void
on_signal(int sig)
{
	stop = sig;
}

static uint64_t
clock_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* ---- what is asked ---- */

static uint64_t
cell(const json_t *page, const char *key, size_t i)
{
	json_int_t v = json_integer_value(json_array_get(json_object_get(page, key), i));

	return v > 0 ? (uint64_t)v : 0;
}

static const char *
cell_text(const json_t *page, const char *key, size_t i)
{
	const char *s = json_string_value(json_array_get(json_object_get(page, key), i));

	return s != NULL ? s : "";
}

/* A second icmpscope begins at zero: that is no rate. */
static void
take(struct rate *r, uint64_t v, uint64_t passed_ns)
{
	if (r->known && v >= r->last && passed_ns != 0) {
		memmove(r->history, r->history + 1, sizeof(r->history) - sizeof(r->history[0]));
		r->history[HISTORY - 1] = (uint64_t)((double)(v - r->last) * 1e9 / (double)passed_ns + 0.5);
		if (r->n < HISTORY)
			r->n++;
	}
	r->last = v;
	r->known = true;
}

static uint64_t
latest(const struct rate *r)
{
	return r->n > 0 ? r->history[HISTORY - 1] : 0;
}

static bool
ask_workers(struct screen *s)
{
	json_t *page = ics_client_ask(&s->c, "/icmpscope/worker/table,0");
	size_t n = ics_client_rows(page);

	if (page == NULL)
		return false;
	s->n_work = (unsigned)(n < WORKERS_MAX ? n : WORKERS_MAX);
	for (unsigned i = 0; i < s->n_work; i++) {
		struct work *w = &s->work[i];
		uint64_t busy = cell(page, "busy_cycles", i), idle = cell(page, "idle_cycles", i);
		uint64_t dbusy = busy - w->busy, all = dbusy + idle - w->idle;

		if (busy >= w->busy && idle >= w->idle && w->busy + w->idle != 0 && all != 0)
			w->percent = (unsigned)(100 * dbusy / all);
		w->busy = busy;
		w->idle = idle;
		w->cpu = cell(page, "cpu", i);
		w->cycles = cell(page, "cycles_per_packet", i);
		w->dropped = cell(page, "dropped", i);
		w->urgent = cell(page, "urgent_used", i);
		w->bulk = cell(page, "bulk_used", i);
	}
	json_decref(page);
	return true;
}

static int
by_weight(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	if (x->severity != y->severity)
		return y->severity - x->severity;
	return x->last_ns < y->last_ns ? 1 : x->last_ns > y->last_ns ? -1 : 0;
}

static bool
ask_found(struct screen *s)
{
	uint64_t next = 0;
	bool more = true;

	s->n_found = s->n_open = 0;
	for (unsigned p = 0; p < PAGES_MAX && more; p++) {
		json_t *page = ics_client_ask(&s->c, "/icmpscope/anomaly/table,%" PRIu64, next);
		size_t n = ics_client_rows(page);

		if (page == NULL)
			return false;
		for (size_t i = 0; i < n; i++) {
			struct found *f = &s->found[s->n_found];

			if (strcmp(cell_text(page, "state", i), "open") != 0 || cell(page, "muted", i) != 0)
				continue;
			s->n_open++;
			if (s->n_found == OPEN_MAX)
				continue;
			s->n_found++;
			f->id = cell(page, "id", i);
			f->count = cell(page, "count", i);
			f->last_ns = cell(page, "last_ns", i);
			f->severity = ics_severity_of_name(cell_text(page, "severity", i));
			snprintf(f->name, sizeof(f->name), "%s", cell_text(page, "name", i));
			snprintf(f->variant, sizeof(f->variant), "%s", cell_text(page, "variant", i));
			snprintf(f->vlan, sizeof(f->vlan), "%s", cell_text(page, "vlan", i));
			snprintf(f->subject, sizeof(f->subject), "%s", cell_text(page, "subject", i));
		}
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > next;
		next = ics_client_uint(page, "next");
		json_decref(page);
	}
	qsort(s->found, s->n_found, sizeof(s->found[0]), by_weight);
	return true;
}

static struct seg *
seg_of(struct screen *s, uint64_t id)
{
	for (unsigned i = 0; i < s->n_seg; i++)
		if (s->seg[i].id == id)
			return &s->seg[i];
	if (s->n_seg == SEGMENTS_MAX)
		return NULL;
	s->seg[s->n_seg] = (struct seg){.id = id};
	return &s->seg[s->n_seg++];
}

static int
by_load(const void *a, const void *b)
{
	const struct seg *x = a, *y = b;

	if (x->per_s != y->per_s)
		return x->per_s < y->per_s ? 1 : -1;
	return x->id < y->id ? -1 : 1;
}

static bool
ask_segments(struct screen *s, uint64_t passed_ns)
{
	uint64_t next = 0;
	bool more = true;

	for (unsigned p = 0; p < PAGES_MAX && more && s->n_seg < SEGMENTS_MAX; p++) {
		json_t *page = ics_client_ask(&s->c, "/icmpscope/segment/table,%" PRIu64, next);
		size_t n = ics_client_rows(page);

		if (page == NULL)
			return false;
		for (size_t i = 0; i < n; i++) {
			struct seg *g = seg_of(s, cell(page, "id", i));
			uint64_t messages = cell(page, "messages", i);

			if (g == NULL)
				break;
			g->per_s =
				g->messages != 0 && messages >= g->messages && passed_ns != 0
					? (uint64_t)((double)(messages - g->messages) * 1e9 / (double)passed_ns + 0.5)
					: 0;
			g->messages = messages;
			g->hosts = cell(page, "hosts", i);
			g->routers = cell(page, "default_routers", i);
			g->groups = cell(page, "groups", i);
			g->used = cell(page, "table_used", i);
			g->cap = cell(page, "table_cap", i);
			snprintf(g->vlan, sizeof(g->vlan), "%s", cell_text(page, "vlan", i));
		}
		more = ics_client_uint(page, "more") != 0 && ics_client_uint(page, "next") > next;
		next = ics_client_uint(page, "next");
		json_decref(page);
	}
	qsort(s->seg, s->n_seg, sizeof(s->seg[0]), by_load);
	return true;
}

/* Another icmpscope: nothing of the one before may be compared with it. */
static void
begin_anew(struct screen *s)
{
	s->frames.known = s->control.known = s->dropped.known = s->missed.known = false;
	memset(s->work, 0, sizeof(s->work));
	s->n_seg = 0;
	snprintf(s->started, sizeof(s->started), "%s", ics_client_text(s->info, "started"));
}

static void
ask(struct screen *s)
{
	uint64_t now = clock_ns(), passed = s->asked_ns != 0 ? now - s->asked_ns : 0;
	json_t *info = NULL;

	if (s->c.fd >= 0 || ctl_connect(&s->c, &s->o, true) == CTL_ANSWERED)
		info = ics_client_ask(&s->c, "/icmpscope/info");
	s->lost = info == NULL;
	if (info == NULL)
		return;
	json_decref(s->info);
	s->info = info;
	s->asked_ns = now;
	s->now_ns = ics_client_uint(info, "now_ns");
	if (strcmp(s->started, ics_client_text(info, "started")) != 0)
		begin_anew(s);
	take(&s->frames, ics_client_uint(info, "frames"), passed);
	take(&s->control, ics_client_uint(info, "control"), passed);
	take(&s->dropped, ics_client_uint(info, "dropped"), passed);
	take(&s->missed,
	     ics_client_uint(info, "missed") + ics_client_uint(info, "errors") + ics_client_uint(info, "no_mbuf"),
	     passed);
	s->lost = !ask_workers(s) || !ask_found(s) || !ask_segments(s, passed);
}

/* ---- what is drawn ---- */

static void put(int y, int attr, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A line, cut where the screen ends; what came from the wire is printable ASCII by then. */
static void
put(int y, int attr, const char *fmt, ...)
{
	char line[LINE];
	va_list ap;

	if (y < 0 || y >= LINES)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	attron(attr);
	mvaddnstr(y, 0, line, COLS);
	attroff(attr);
}

static const char *
short_number(uint64_t v, char buf[static 16])
{
	if (v < 10000)
		snprintf(buf, 16, "%" PRIu64, v);
	else if (v < 10000000)
		snprintf(buf, 16, "%.1fk", (double)v / 1e3);
	else if (v < 10000000000ull)
		snprintf(buf, 16, "%.1fM", (double)v / 1e6);
	else
		snprintf(buf, 16, "%.1fG", (double)v / 1e9);
	return buf;
}

/* The latest seconds on the right, each as high as it is to the highest. */
static void
spark(const struct screen *s, int y, int x, int width, const struct rate *r)
{
	static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
					     "\u2585", "\u2586", "\u2587", "\u2588"};
	static const char *const plain[] = {" ", "_", ".", ":", "-", "=", "+", "*", "#"};
	uint64_t most = 1;

	if (width > HISTORY)
		width = HISTORY;
	for (int i = 0; i < width; i++)
		if (r->history[HISTORY - 1 - i] > most)
			most = r->history[HISTORY - 1 - i];
	for (int i = 0; i < width && x + i < COLS; i++) {
		uint64_t v = r->history[HISTORY - width + i];
		unsigned h = v == 0 ? 0 : 1 + (unsigned)(v * 7 / most);

		mvaddstr(y, x + i, s->utf8 ? blocks[h] : plain[h]);
	}
}

static void
draw_rate(const struct screen *s, int y, const char *what, const struct rate *r, bool is_loss)
{
	char per_s[16], total[32];
	int attr = is_loss && r->last != 0 ? COLOR_PAIR(PAIR_CRITICAL) | A_BOLD : A_NORMAL;

	if (y >= LINES)
		return;
	put(y, attr, "%-9s %8s/s  %15s", what, short_number(latest(r), per_s), ctl_grouped(r->last, total));
	if (COLS > TIGHT_COLUMNS)
		spark(s, y, 38, COLS - 39, r);
}

static int
draw_head(const struct screen *s)
{
	char when[32] = "";
	time_t t = time(NULL);
	struct tm tm;
	uint64_t up = ics_client_uint(s->info, "uptime_s");

	gmtime_r(&t, &tm);
	strftime(when, sizeof(when), "%H:%M:%S UTC", &tm);
	put(0, A_BOLD, "icmpscope %s, %s, up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64 "   %s%s",
	    ics_client_text(s->info, "version"), ics_client_text(s->info, "mode"), up / 3600, up / 60 % 60, up % 60,
	    when, s->paused ? "   PAUSED" : "");
	if (s->lost)
		put(1, COLOR_PAIR(PAIR_CRITICAL) | A_BOLD, "icmpscope does not answer; trying again");
	else if (ics_client_uint(s->info, "conservation_exact") != 0 &&
		 ics_client_uint(s->info, "conservation_ok") == 0)
		put(1, COLOR_PAIR(PAIR_CRITICAL) | A_BOLD, "the counters do not add up: a fault of icmpscope");
	draw_rate(s, 2, "frames", &s->frames, false);
	draw_rate(s, 3, "control", &s->control, false);
	draw_rate(s, 4, "missed", &s->missed, true);
	draw_rate(s, 5, "dropped", &s->dropped, true);
	return 7;
}

static int
draw_workers(const struct screen *s, int y)
{
	/* On a small screen the anomalies matter more. */
	unsigned most = LINES < 24 ? 2 : LINES < 40 ? 4 : 16;

	put(y++, COLOR_PAIR(PAIR_TITLE), "WORKER CPU BUSY CYC/PKT  URGENT    BULK  DROPPED");
	for (unsigned i = 0; i < s->n_work && i < most; i++) {
		const struct work *w = &s->work[i];
		char a[16], b[16], c[16];

		put(y++, w->dropped != 0 ? COLOR_PAIR(PAIR_CRITICAL) : A_NORMAL,
		    "%6u %3" PRIu64 " %3u%% %7" PRIu64 " %7s %7s %8s", i, w->cpu, w->percent, w->cycles,
		    short_number(w->urgent, a), short_number(w->bulk, b), short_number(w->dropped, c));
	}
	if (s->n_work > most)
		put(y++, A_NORMAL, "       and %u more", s->n_work - most);
	return y + 1;
}

static const char *
age(uint64_t now_ns, uint64_t then_ns, char buf[static 16])
{
	uint64_t sec = now_ns > then_ns ? (now_ns - then_ns) / 1000000000ull : 0;

	if (sec < 120)
		snprintf(buf, 16, "%" PRIu64 "s", sec);
	else if (sec < 7200)
		snprintf(buf, 16, "%" PRIu64 "m", sec / 60);
	else
		snprintf(buf, 16, "%" PRIu64 "h", sec / 3600);
	return buf;
}

static int
draw_found(struct screen *s, int y, int room)
{
	static const char *const words[] = {"info", "WARN", "CRIT"};
	unsigned fit = room > 2 ? (unsigned)room - 2 : 0;
	char a[16], b[16];

	if (s->n_found <= fit)
		s->scroll = 0;
	else if (s->scroll > s->n_found - fit)
		s->scroll = s->n_found - fit;
	put(y++, COLOR_PAIR(PAIR_TITLE), "OPEN ANOMALIES: %u%s", s->n_open,
	    s->n_found > fit ? "   (arrows scroll)"
	    : s->n_open == 0 ? "   nothing is wrong that can be seen here"
			     : "");
	for (unsigned i = 0; i < fit && s->scroll + i < s->n_found; i++) {
		const struct found *f = &s->found[s->scroll + i];
		int attr = f->severity == ICS_SEV_CRITICAL ? COLOR_PAIR(PAIR_CRITICAL) | A_BOLD
			   : f->severity == ICS_SEV_WARN   ? COLOR_PAIR(PAIR_WARN)
							   : A_NORMAL;

		put(y++, attr, "%4" PRIu64 " %s %4s %6s x%-6s %s%s%s%s %s", f->id, words[f->severity],
		    age(s->now_ns, f->last_ns, a), f->vlan, short_number(f->count, b), f->name,
		    f->variant[0] != '\0' ? " (" : "", f->variant, f->variant[0] != '\0' ? ")" : "", f->subject);
	}
	return y + 1;
}

static void
draw_segments(const struct screen *s, int y)
{
	if (y + 1 >= LINES)
		return;
	put(y++, COLOR_PAIR(PAIR_TITLE), "VLAN        MSG/S  HOSTS ROUTERS  GROUPS  MULTICAST TABLE");
	for (unsigned i = 0; i < s->n_seg && y < LINES; i++) {
		const struct seg *g = &s->seg[i];
		char a[16];
		int attr = g->cap != 0 && g->used * 10 >= g->cap * 9 ? COLOR_PAIR(PAIR_CRITICAL) : A_NORMAL;

		put(y++, attr, "%-10s %6s %6" PRIu64 " %7" PRIu64 " %7" PRIu64 "  %" PRIu64 " of %" PRIu64, g->vlan,
		    short_number(g->per_s, a), g->hosts, g->routers, g->groups, g->used, g->cap);
	}
}

static void
draw(struct screen *s)
{
	int y, room;

	erase();
	if (LINES < TIGHT_LINES || COLS < TIGHT_COLUMNS) {
		put(0, A_BOLD, "too small: %dx%d at least", TIGHT_COLUMNS, TIGHT_LINES);
	} else if (s->info == NULL) {
		put(0, A_BOLD, "waiting for icmpscope");
	} else {
		y = draw_head(s);
		y = draw_workers(s, y);
		/* A third of what is left is for segments. */
		room = (LINES - y) * 2 / 3;
		if (room < (int)s->n_found + 2 && LINES - y < 12)
			room = LINES - y;
		if (room > (int)s->n_found + 2)
			room = (int)s->n_found + 2;
		y = draw_found(s, y, room > 3 ? room : 3);
		draw_segments(s, y);
	}
	refresh();
}

/* ---- the loop ---- */

/* False: quit. */
static bool
on_key(struct screen *s, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return false;
	case ' ':
		s->paused = !s->paused;
		break;
	case KEY_UP:
		s->scroll -= s->scroll > 0;
		break;
	case KEY_DOWN:
		s->scroll++;
		break;
	case KEY_PPAGE:
		s->scroll = s->scroll > 10 ? s->scroll - 10 : 0;
		break;
	case KEY_NPAGE:
		s->scroll += 10;
		break;
	default:
		break;
	}
	return true;
}

static void
begin_screen(struct screen *s)
{
	setlocale(LC_CTYPE, "");
	s->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	initscr();
	cbreak();
	noecho();
	keypad(stdscr, TRUE);
	curs_set(0);
	timeout(KEY_MS);
	if (has_colors() && ctl_wants_colour()) {
		start_color();
		use_default_colors();
		init_pair(PAIR_CRITICAL, COLOR_RED, -1);
		init_pair(PAIR_WARN, COLOR_YELLOW, -1);
		init_pair(PAIR_TITLE, COLOR_CYAN, -1);
	}
}

static void
loop(struct screen *s)
{
	uint64_t next = 0;
	int key = ERR;

	while (stop == 0) {
		uint64_t now = clock_ns();
		bool turn = key != ERR;

		if (!on_key(s, key))
			return;
		if (now >= next) {
			next = now + TICK_MS * 1000000ull;
			if (!s->paused)
				ask(s);
			turn = true;
		}
		if (turn)
			draw(s);
		key = getch();
	}
}

int
ctl_top(int argc, char **argv)
{
	struct sigaction sa = {.sa_handler = on_signal};
	struct screen *s = calloc(1, sizeof(*s));
	int status;

	if (s == NULL)
		return ctl_complain(CTL_FAILED, "out of memory");
	s->c.fd = -1;
	status = ctl_options_parse(&s->o, argc, argv, 0, 0);
	if (status == CTL_ANSWERED && s->o.json)
		status = ctl_complain(CTL_USAGE, "top has no --json: icmpscopectl status --json has its figures");
	if (status == CTL_ANSWERED && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		status = ctl_complain(CTL_FAILED, "top wants a terminal; icmpscopectl status says it in lines");
	/* The first try tells what is wrong with words that stay on the screen. */
	if (status == CTL_ANSWERED)
		status = ctl_connect(&s->c, &s->o, false);
	if (status == CTL_ANSWERED) {
		sigaction(SIGINT, &sa, NULL);
		sigaction(SIGTERM, &sa, NULL);
		sigaction(SIGHUP, &sa, NULL);
		begin_screen(s);
		loop(s);
		endwin();
	}
	ics_client_close(&s->c);
	json_decref(s->info);
	free(s);
	return status;
}
