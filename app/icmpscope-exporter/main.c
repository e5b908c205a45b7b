/* icmpscope-exporter: what icmpscope counts, for Prometheus. Reads the telemetry socket when it is asked; holds nothing
 * but the connection; needs no right besides that to the socket.
 */
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
	fputs("usage: icmpscope-exporter [--listen ADDRESS:PORT] [--socket FILE] [-c FILE]\n"
	      "Serves what icmpscope counts as metrics for Prometheus.\n\n"
	      "  --listen ADDRESS:PORT  [::1]:9886 for IPv6; " DEFAULT_LISTEN " by default\n"
	      "  --socket FILE          the telemetry socket; by default that of eal.file_prefix\n"
	      "  -c FILE                settings; " DEFAULT_INI " where it exists\n\n"
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
	enum { LISTEN = 256, SOCKET, VERSION };
	static const struct option longs[] = {
		{"listen", required_argument, NULL, LISTEN}, {"socket", required_argument, NULL, SOCKET},
		{"config", required_argument, NULL, 'c'},    {"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, VERSION},     {NULL, 0, NULL, 0},
	};
	const char *listen = DEFAULT_LISTEN, *socket = NULL, *config = NULL;
	char path[ICS_CLIENT_PATH_LEN], err[HTTP_ERR_LEN];
	struct http *http;
	sigset_t stop;
	int c, sig;

	opterr = 0;
	while ((c = getopt_long(argc, argv, ":c:h", longs, NULL)) != -1) {
		switch (c) {
		case LISTEN:
			listen = optarg;
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
	http = http_start(listen, path, err);
	if (http == NULL)
		return complain(errno == EINVAL ? 2 : 1, "%s", err);
	printf("icmpscope-exporter %s: http://%s/metrics, from %s\n", ICS_VERSION, listen, path);
	fflush(stdout);
	sigwait(&stop, &sig);
	http_stop(http);
	return 0;
}
