/* icmpscope-exporter: what icmpscope sees, as a page for people and as metrics for Prometheus. Reads the telemetry socket; needs
 * no right besides that to it.
 */
#include "fleet.h"
#include "http.h"

#include "ics_version.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_INI ICS_DEFAULT_INI
#define DEFAULT_LISTEN "127.0.0.1:9886"
#define HOSTS_MAX 16u

static int
complain(int status, const char *fmt, ...)
{
	va_list ap;

	fputs("icmpscope-exporter: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

static int
help(void)
{
	fputs("usage: icmpscope-exporter [--listen ADDRESS:PORT] [--host NAME]... [--socket FILE]\n"
	      "                          [-c FILE]\n"
	      "Serves what icmpscope sees: as a page for people, as metrics for Prometheus.\n\n"
	      "  --listen ADDRESS:PORT  [::1]:9886 for IPv6; " DEFAULT_LISTEN " by default\n"
	      "  --host NAME            a name by which browsers may ask for it, besides localhost\n"
	      "                         and numbers; may be repeated\n"
	      "  --socket FILE          the telemetry socket; by default that of eal.file_prefix\n"
	      "  -c FILE                settings; " DEFAULT_INI " where it exists\n\n"
	      "  /         the page; docs/page.md says what it shows and what it asks for\n"
	      "  /metrics  OpenMetrics, or the older text format for who does not ask for it\n"
	      "  /healthz  200 while icmpscope answers, else 503\n\n"
	      "Exit status: 0 stopped as asked, 1 failed, 2 usage.\n",
	      stdout);
	return fflush(stdout) == 0 ? 0 : 1;
}

static int
find_socket(const char *config, char path[static ICS_CLIENT_PATH_LEN])
{
	const char *ini = config != NULL ? config : DEFAULT_INI;
	struct ics_config *conf = malloc(sizeof(*conf));
	char err[ICS_CONFIG_ERR_LEN];
	int status = 0;

	if (conf == NULL)
		return complain(1, "out of memory");
	ics_config_init(conf);
	if ((config != NULL || access(ini, F_OK) == 0) && ics_config_load(conf, ini, err) != 0)
		status = complain(2, "%s", err);
	else if (ics_client_path(conf, path) != 0)
		status = complain(2, "the path of the socket is too long: name it with --socket");
	free(conf);
	return status;
}

int
main(int argc, char **argv)
{
	enum { LISTEN = 256, SOCKET, HOST, VERSION };
	static const struct option longs[] = {
		{"listen", required_argument, NULL, LISTEN},
		{"socket", required_argument, NULL, SOCKET},
		{"host", required_argument, NULL, HOST},
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0},
	};
	const char *socket = NULL, *config = NULL;
	char path[ICS_CLIENT_PATH_LEN], err[HTTP_ERR_LEN], *hosts[HOSTS_MAX];
	struct http_conf conf = {.listen = DEFAULT_LISTEN, .hosts = hosts};
	struct http *http;
	sigset_t stop;
	int c, sig;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1) {
		switch (c) {
		case LISTEN:
			conf.listen = optarg;
			break;
		case HOST:
			if (conf.n_hosts == HOSTS_MAX)
				return complain(2, "--host: at most %u names", HOSTS_MAX);
			hosts[conf.n_hosts++] = optarg;
			break;
		case SOCKET:
			socket = optarg;
			break;
		case 'c':
			config = optarg;
			break;
		case 'h':
			return help();
		case VERSION:
			return printf("icmpscope-exporter %s\n", ICS_VERSION) > 0 ? 0 : 1;
		case ':':
			return complain(2, "%.60s wants an argument (icmpscope-exporter --help)", argv[optind - 1]);
		default:
			return complain(2, "unknown option %.60s (icmpscope-exporter --help)", argv[optind - 1]);
		}
	}
	if (optind != argc)
		return complain(2, "%.60s: no argument is expected (icmpscope-exporter --help)", argv[optind]);
	if (socket != NULL && strlen(socket) >= sizeof(path))
		return complain(2, "--socket %.60s...: at most %zu characters", socket, sizeof(path) - 1);
	if (socket != NULL)
		snprintf(path, sizeof(path), "%s", socket);
	else if ((c = find_socket(config, path)) != 0)
		return c;

	/* Blocked before the server has threads: all of them inherit it. */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	signal(SIGPIPE, SIG_IGN);
	conf.path = path;
	http = http_start(&conf, err);
	if (http == NULL)
		return complain(errno == EINVAL ? 2 : 1, "%s", err);
	c = fleet_start(config != NULL ? config : DEFAULT_INI, path);
	if (c != 0) {
		http_stop(http);
		return c;
	}
	printf("icmpscope-exporter %s: http://%s/ and /metrics, from %s\n", ICS_VERSION, conf.listen, path);
	fflush(stdout);
	sigwait(&stop, &sig);
	fleet_stop();
	http_stop(http);
	return 0;
}
