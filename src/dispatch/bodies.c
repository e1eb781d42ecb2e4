/*
 * bodies.c: what was sent and what came, for wf_requests, where workflow.http_log_bodies asks for it.
 *
 * Nobody shall read a secret there. In what was sent, secrets are markers, which become ***. An answer may repeat what it was
 * given: where a value of the request's own secrets is found in it, that becomes ***, too.
 */
#include "postgres.h"

#include "base/settings.h"
#include "dispatch/flight.h"
#include "lib/stringinfo.h"

#define MOST_BYTES ((Size) 256 * 1024 * 1024)	/* of a text of JSON */
#define LEAST_SECRET_BYTES 4	/* shorter ones are found everywhere */

/* JSON text with *** for markers of the request. */
static const char *
without_markers(const JsonbValue *request, const char *text)
{
	char	   *nonce = wf_json_get_cstring(request, "nonce");
	List	   *names;
	WfSecretValue *values;
	ListCell   *cell;
	int			n = 0;
	int			len;

	if (nonce == NULL)
		return text;
	names = wf_marker_names(NIL, text, strlen(text), nonce);
	values = palloc0(sizeof(WfSecretValue) * Max(list_length(names), 1));
	foreach(cell, names)
	{
		values[n].name = lfirst(cell);
		values[n].value = pstrdup("***");
		values[n++].len = 3;
	}
	return wf_marker_fill(text, strlen(text), nonce, values, n, WF_MARKER_JSON, &len);
}

/* The text with *** for each occurrence of the value. */
static char *
without_value(const char *text, const char *value)
{
	StringInfoData masked;
	const char *found;

	initStringInfo(&masked);
	while ((found = strstr(text, value)) != NULL)
	{
		appendBinaryStringInfo(&masked, text, found - text);
		appendStringInfoString(&masked, "***");
		text = found + strlen(value);
	}
	appendStringInfoString(&masked, text);
	return masked.data;
}

/* JSON text without the values. They are looked for as JSON would write them. */
static const char *
without_values(const char *text, const WfSecretValue *values, int n)
{
	for (int i = 0; i < n; i++)
	{
		JsonbValue	value;
		char	   *quoted;

		if (values[i].len < LEAST_SECRET_BYTES)
			continue;
		wf_json_set_string(&value, values[i].value, values[i].len);
		quoted = wf_json_text(&value);
		quoted[strlen(quoted) - 1] = '\0';
		text = without_value(text, quoted + 1);
		explicit_bzero(quoted, strlen(quoted));
	}
	return text;
}

static void
put(WfJsonWriter *w, const char *key, const char *json)
{
	wf_json_key(w, key, strlen(key));
	wf_json_put_jsonb(w, wf_json_parse(json));
}

Jsonb *
wf_bodies_of(const JsonbValue *request, const WfAnswer *answer, const WfSecretValue *secrets, int n_secrets)
{
	WfJsonWriter *w;
	JsonbValue	from;
	JsonbValue	value;

	if (!wf_setting_http_log_bodies)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	/* what is too large as a text was not sent either */
	if ((wf_json_field(request, "body", &value) || wf_json_field(request, "mail", &value)) &&
		!wf_json_text_exceeds(&value, MOST_BYTES))
		put(w, "request", without_markers(request, wf_json_text(&value)));
	if (answer->output != NULL)
		wf_json_root(answer->output, &from);
	else if (answer->error != NULL && answer->error->details != NULL)
		from = *answer->error->details;
	else
		wf_json_set_null(&from);
	if (wf_json_field(&from, "body", &value) && !wf_json_text_exceeds(&value, MOST_BYTES))
		put(w, "response", without_values(wf_json_text(&value), secrets, n_secrets));
	wf_json_end_object(w);
	return wf_json_finish(w);
}
