/* The report as one file (ics_page.h): the page with its style, script and document inside, which a policy in the file allows
 * by their hashes and nothing else. What a script would draw stands in it as plain HTML first, so that findings can be read where
 * none runs. Whatever comes from the capture is escaped here.
 */
#include "doc.h"
#include "parts.h"

#include "ics_evidence.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static void
put(FILE *out, unsigned part)
{
	fwrite(report_parts[part].text, 1, report_parts[part].len, out);
}

/* Text between tags. What is no printable ASCII becomes a question mark: names of files may be anything. */
static void
put_escaped(FILE *out, const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '<':
			fputs("&lt;", out);
			break;
		case '>':
			fputs("&gt;", out);
			break;
		case '&':
			fputs("&amp;", out);
			break;
		case '"':
			fputs("&quot;", out);
			break;
		default:
			fputc(*s >= 0x20 && *s < 0x7f ? *s : '?', out);
		}
	}
}

static const char *
text_of(const json_t *o, const char *key)
{
	return ics_client_text(o, key);
}

static void
put_time(FILE *out, const json_t *o, const char *key)
{
	char when[32];

	put_escaped(out, ics_report_time(ics_client_uint(o, key), when));
}

static void
put_finding(FILE *out, const json_t *a)
{
	const char *variant = text_of(a, "variant");

	fputs("<article><h2>", out);
	put_escaped(out, text_of(a, "severity"));
	fputs(": ", out);
	put_escaped(out, text_of(a, "name"));
	if (variant[0] != '\0') {
		fputs(" (", out);
		put_escaped(out, variant);
		fputs(")", out);
	}
	fputs(", ", out);
	put_escaped(out, text_of(a, "where"));
	fputs("</h2>\n<p>", out);
	put_escaped(out, text_of(a, "says"));
	fputs("</p>\n<p>From ", out);
	put_time(out, a, "first_ns");
	fputs(" to ", out);
	put_time(out, a, "last_ns");
	fprintf(out, ", %" PRIu64 " messages, RFC ", ics_client_uint(a, "count"));
	put_escaped(out, text_of(a, "rfc"));
	fputs(", ", out);
	put_escaped(out, text_of(a, "state"));
	fputs("</p></article>\n", out);
}

static void
put_captures(FILE *out, const json_t *captures)
{
	const json_t *c;
	size_t i;

	fputs("<ul>\n", out);
	json_array_foreach((json_t *)captures, i, c)
	{
		fputs("<li>", out);
		put_escaped(out, text_of(c, "file"));
		fprintf(out, ": %" PRIu64 " frames", ics_client_uint(c, "frames"));
		if (text_of(c, "damage")[0] != '\0') {
			fputs("; ", out);
			put_escaped(out, text_of(c, "damage"));
		}
		fputs("</li>\n", out);
	}
	fputs("</ul>\n", out);
}

/* For who reads it without a script. */
static void
put_words(FILE *out, const json_t *doc)
{
	const json_t *anomalies = json_object_get(doc, "anomalies"), *d;
	static const char *const lists[] = {"list", "before"};
	unsigned blind = 0;
	json_t *a;
	size_t i;

	fputs("<main><h1 id=\"content\">icmpscope: report of a capture</h1>\n", out);
	put_captures(out, json_object_get(doc, "captures"));
	fprintf(out, "<p>%" PRIu64 " findings.</p>\n", ics_client_uint(anomalies, "kept"));
	for (unsigned l = 0; l < ICS_ARRAY_LEN(lists); l++)
		json_array_foreach(json_object_get(anomalies, lists[l]), i, a) put_finding(out, a);
	fputs("<p>Not assessed, because the capture does not show what it needs: ", out);
	json_array_foreach(json_object_get(json_object_get(doc, "detectors"), "list"), i, d)
	{
		if (strcmp(text_of(d, "state"), "not_assessed") != 0)
			continue;
		fputs(blind++ > 0 ? ", " : "", out);
		put_escaped(out, text_of(d, "name"));
	}
	fputs(blind > 0 ? ".</p>\n</main>" : "nothing.</p>\n</main>", out);
}

/* In a script element only "</script" and "<!--" mean something: without '<' neither is there. */
static int
put_json(const char *buf, size_t size, void *ctx)
{
	FILE *out = ctx;

	for (size_t i = 0; i < size; i++) {
		if (buf[i] == '<' || buf[i] == '>' || buf[i] == '&')
			fprintf(out, "\\u%04x", (unsigned)buf[i]);
		else
			fputc(buf[i], out);
	}
	return ferror(out) ? -1 : 0;
}

/* ---- evidence ---- */

static json_t *
base64(const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *text = malloc(4 * ((n + 2) / 3) + 1), *to = text;
	json_t *j;

	if (text == NULL)
		return NULL;
	for (size_t i = 0; i < n; i += 3) {
		uint32_t v =
			(uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digits[v & 63] : '=';
	}
	*to = '\0';
	j = json_string(text);
	free(text);
	return j;
}

/* The frames of one finding as a file in base64; NULL when there are none, or no memory. */
static json_t *
evidence_of(const struct ics_anomaly *a, const char *name, const char *version, size_t *bytes)
{
	char program[64], *p = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&p, &n);
	struct ics_pcapng out;
	json_t *j = NULL;
	int rc;

	if (f == NULL)
		return NULL;
	snprintf(program, sizeof(program), "icmpscope-read %.40s", version);
	rc = ics_pcapng_begin(&out, f, program);
	if (rc == 0)
		rc = ics_evidence_add(&out, a, name);
	if (fclose(f) == 0 && rc > 0) {
		j = base64((const uint8_t *)p, n);
		*bytes = n;
	}
	free(p);
	return j;
}

static void
add_evidence(struct doc *d, json_t *doc, const struct ics_report *r)
{
	const struct ics_anomaly_store *s = ics_engine_anomalies(r->engine);
	const char *name = r->n_captures == 1 ? r->captures[0].file : "captures";
	json_t *o = json_object();
	size_t total = 0;

	for (const struct ics_anomaly *a = ics_anomaly_next(s, 0); a != NULL && total < ICS_PAGE_EVIDENCE_BYTES;
	     a = ics_anomaly_next(s, a->seq + 1)) {
		size_t n = 0;
		json_t *j = evidence_of(a, name, r->version, &n);
		char id[24];

		snprintf(id, sizeof(id), "%" PRIu64, a->id);
		if (j != NULL && total + n <= ICS_PAGE_EVIDENCE_BYTES)
			doc_set(d, o, id, j);
		else
			json_decref(j);
		total += n;
	}
	doc_set(d, doc, "evidence", o);
}

int
ics_page_write_html(FILE *out, const struct ics_report *r, const struct ics_page_series *series)
{
	json_t *doc = ics_page_engine_read(r, series);
	struct doc d = {0};
	int rc = 0;

	if (doc == NULL)
		return -ENOMEM;
	add_evidence(&d, doc, r);
	if (d.bad) {
		json_decref(doc);
		return -ENOMEM;
	}
	errno = 0;
	put(out, PART_HEAD);
	put_escaped(out, r->n_captures > 0 ? r->captures[0].file : "");
	put(out, PART_MIDDLE);
	put_words(out, doc);
	put(out, PART_END);
	if (json_dump_callback(doc, put_json, out, JSON_COMPACT | JSON_ENSURE_ASCII) != 0)
		rc = -EIO;
	put(out, PART_TAIL);
	if (fflush(out) != 0 || ferror(out))
		rc = errno != 0 ? -errno : -EIO;
	json_decref(doc);
	return rc;
}
