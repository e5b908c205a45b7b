/* icmpscopectl explain: what a detector or a validation rule is about, from the program's own tables; asks nobody. */
#include "ctl.h"

#include "ics_detect.h"
#include "ics_report.h"

#include <stdio.h>
#include <string.h>

static int
explain_detector(const struct ctl_options *o, const struct ics_detector_info *d)
{
	if (o->json)
		return ctl_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "detector", d->name, "severity",
						ics_severity_name(d->severity), "rfc", d->rfc, "what", d->text, "do",
						d->advice, "thresholds", d->thresholds, "kind", "detector"));
	printf("%s (%s by default)\n", d->name, ics_severity_name(d->severity));
	ics_report_wrap(stdout, d->text);
	printf("Do\n");
	ics_report_wrap(stdout, d->advice);
	printf("When\n");
	ics_report_wrap(stdout, d->thresholds);
	if (d->rfc[0] != '\0')
		printf("RFC %s\n", d->rfc);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

static int
explain_reason(const struct ctl_options *o, const struct ics_reason_info *r)
{
	if (o->json)
		return ctl_print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "rule", r->name, "severity",
						ics_severity_name(r->severity), "class", ics_reason_class_name(r->cls),
						"rfc", r->rfc, "what", r->condition, "receiver", r->receiver, "kind",
						"rule"));
	printf("%s (rule, class %s, %s)\n", r->name, ics_reason_class_name(r->cls), ics_severity_name(r->severity));
	ics_report_wrap(stdout, r->condition);
	printf("What a receiver does\n");
	ics_report_wrap(stdout, r->receiver);
	printf("RFC %s\n", r->rfc);
	return fflush(stdout) == 0 ? CTL_ANSWERED : CTL_FAILED;
}

/* Names that hold the text that was asked for: whoever types half a name gets the rest. */
static int
suggest(const char *text)
{
	char like[512] = "";
	size_t n = 0;

	for (unsigned i = 0; ics_detector_row(i) != NULL && n < sizeof(like); i++)
		if (strstr(ics_detector_row(i)->name, text) != NULL)
			n += (size_t)snprintf(like + n, sizeof(like) - n, "%s %s", n > 0 ? "," : "",
					      ics_detector_row(i)->name);
	for (unsigned i = 0; ics_reason_info(i) != NULL && n < sizeof(like); i++)
		if (strstr(ics_reason_info(i)->name, text) != NULL)
			n += (size_t)snprintf(like + n, sizeof(like) - n, "%s %s", n > 0 ? "," : "",
					      ics_reason_info(i)->name);
	if (like[0] == '\0')
		return ctl_complain(CTL_FAILED,
				    "%.60s is neither a detector nor a rule (icmpscopectl detectors names those)",
				    text);
	return ctl_complain(CTL_FAILED, "%.60s is neither a detector nor a rule; there is%s", text, like);
}

int
ctl_explain(int argc, char **argv)
{
	struct ctl_options o;
	int status = ctl_options_parse(&o, argc, argv, 0, 1);
	int n;

	if (status != CTL_ANSWERED)
		return status;
	for (unsigned i = 0; ics_detector_row(i) != NULL; i++)
		if (strcmp(ics_detector_row(i)->name, o.argv[0]) == 0)
			return explain_detector(&o, ics_detector_row(i));
	n = ics_reason_find(o.argv[0]);
	if (n >= 0)
		return explain_reason(&o, ics_reason_info((unsigned)n));
	return suggest(o.argv[0]);
}
