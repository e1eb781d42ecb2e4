/*
 * http_config.c: reading the config of a block that sends a request: its fields, and the request as a whole.
 *
 * 1. wf_block_request_check begins a reading of the definition, wf_block_request_begin one of a step; http.h says what
 *    the two have in common. Each function reads what it is named after, from the config to the request.
 * 2. A field that is null is one that is missing: templates give null for what is not there.
 * 3. wf_block_request_end closes the request, and wf_block_request_wait makes it what the step waits for. Nothing is sent
 *    here, and no secret is known.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/text.h"
#include "block/http.h"
#include "lib/stringinfo.h"

const char *const wf_block_request_ports[] = {"out", NULL};

/* -- what is wrong -- */

void
wf_block_request_wrong(WfReading *r, const char *where, const char *hint, const char *fmt, ...)
{
	StringInfoData message;

	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	if (r->step == NULL)
		wf_block_report(r->node, r->found, where, hint, "%s", message.data);
	else
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg_internal("%s", message.data),
						hint == NULL ? 0 : errhint("%s", hint)));
}

void
wf_block_request_wrong_type(WfReading *r, const char *where, const char *expected, const JsonbValue *value)
{
	if (r->step != NULL)
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be %s, not %s", where, expected, wf_json_type_name(value));
}

/* -- fields -- */

bool
wf_block_request_is_open(WfReading *r, const JsonbValue *value)
{
	return r->step == NULL && wf_block_is_template(value);
}

bool
wf_block_request_field(WfReading *r, const char *key, JsonbValue *out)
{
	bool		found;

	if (r->step == NULL)
		found = wf_block_fixed(r->node, key, out);
	else
	{
		found = wf_block_config(r->step, key, out);
		if (r->step->secret_nonce[0] != '\0')	/* there is one from the first secret on */
			r->nonce = r->step->secret_nonce;
	}
	return found && out->type != jbvNull && !wf_block_request_is_open(r, out);
}

bool
wf_block_request_member(WfReading *r, const JsonbValue *object, const char *key, JsonbValue *out)
{
	return wf_json_field(object, key, out) && out->type != jbvNull && !wf_block_request_is_open(r, out);
}

char *
wf_block_request_text(WfReading *r, const JsonbValue *value, const char *where)
{
	if (value->type == jbvNull || wf_block_request_is_open(r, value))
		return NULL;
	if (wf_json_is_string(value))
		return wf_json_cstring(value);
	if (value->type == jbvNumeric || value->type == jbvBool)
		return wf_json_text(value);
	wf_block_request_wrong(r, where, NULL, "\"%s\" must be a string, number or boolean, not %s", where,
						   wf_json_type_name(value));
	return NULL;
}

static bool
has_control(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
	{
		if (((unsigned char) *p < ' ' && *p != '\t') || *p == 0x7f)
			return true;
	}
	return false;
}

char *
wf_block_request_line(WfReading *r, const JsonbValue *value, const char *where, bool required)
{
	char	   *text;

	if (wf_block_request_is_open(r, value))
		return NULL;
	if (!wf_json_is_string(value))
	{
		wf_block_request_wrong_type(r, where, "a string", value);
		return NULL;
	}
	text = wf_json_cstring(value);
	if (required && text[0] == '\0')
		wf_block_request_wrong(r, where, NULL, "\"%s\" must not be empty", where);
	else if (has_control(text))
		wf_block_request_wrong(r, where, NULL, "\"%s\" holds a line feed or another control character", where);
	else
		return text;
	return NULL;
}

void
wf_block_request_put(WfReading *r, const char *key, const char *text)
{
	if (r->w != NULL && text != NULL)
		wf_json_put_field_cstring(r->w, key, text);
}

/* -- url -- */

void
wf_block_request_url(WfReading *r)
{
	JsonbValue	value;
	const char *problem;
	const char *hint;
	char	   *url;

	if (r->step == NULL && wf_block_fixed(r->node, "url", &value) && wf_block_is_template(&value))
	{
		url = wf_json_cstring(&value);
		problem = wf_block_address_begin_problem(pnstrdup(url, strstr(url, "{{") - url));
		if (problem != NULL)
			wf_block_request_wrong(r, "url", NULL, "\"url\" %s", problem);
		return;
	}
	if (!wf_block_request_field(r, "url", &value))
	{
		if (r->step != NULL)
			wf_block_request_wrong(r, "url", NULL, "\"url\" must be a string, not null");
		return;
	}
	if (!wf_json_is_string(&value))
	{
		wf_block_request_wrong_type(r, "url", "a string", &value);
		return;
	}
	url = wf_json_cstring(&value);
	problem = r->step == NULL && url[0] == '\0' ? NULL : wf_block_address_problem(url, r->nonce, &hint);
	if (problem != NULL)
		wf_block_request_wrong(r, "url", hint, "\"url\" %s", problem);
	wf_block_request_put(r, "url", wf_block_address_encode(url, r->nonce));
}

/* -- the request -- */

WfReading
wf_block_request_check(const WfNode *node, WfDiagnostics *found)
{
	WfReading	r = {.node = node, .found = found};

	return r;
}

void
wf_block_request_begin(WfReading *r, WfStep *step, const char *kind)
{
	memset(r, 0, sizeof(*r));
	r->node = step->node;
	r->step = step;
	r->w = wf_json_writer_begin();
	wf_json_begin_object(r->w);
	wf_json_put_field_cstring(r->w, "kind", kind);
}

Jsonb *
wf_block_request_end(WfReading *r)
{
	int64		limit = wf_block_output_limit(r->step);
	Jsonb	   *request;

	wf_block_put_secrets(r->step, r->w);
	wf_json_end_object(r->w);
	request = wf_json_finish(r->w);
	if ((int64) VARSIZE(request) > limit)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("request is larger than the limit of " INT64_FORMAT " bytes", limit),
						errhint("Send less, or raise settings.maxOutputSize or workflow.max_output_size.")));
	return request;
}

/* -- waiting for the answer -- */

static bool
is_inline(const WfNode *node)
{
	return wf_block_fixed_is(node, "mode", "queued", "inline");
}

bool
wf_block_request_is_awaited(const WfNode *node)
{
	JsonbValue	await;

	return !wf_block_fixed(node, "await", &await) || await.type != jbvBool || await.val.boolean;
}

bool
wf_block_request_suspends(const WfNode *node)
{
	return wf_block_request_is_awaited(node) && !is_inline(node);
}

/* How views and limits know the request. */
static WfRequestSpec *
spec_of(WfStep *step, Jsonb *request)
{
	WfRequestSpec *spec = palloc0(sizeof(WfRequestSpec));
	JsonbValue	root;
	JsonbValue	value;
	char	   *url;

	wf_json_root(request, &root);
	spec->request = request;
	spec->forget = !wf_block_request_is_awaited(step->node);
	spec->at_once = is_inline(step->node);
	spec->own_limits = wf_json_field(&root, "rateLimit", &value) || wf_json_field(&root, "hostConcurrency", &value);
	spec->method = wf_json_get_cstring(&root, "method");
	url = wf_json_get_cstring(&root, "url");
	if (url == NULL)
	{
		const char *credential = wf_block_credential_of(step->node);

		spec->method = "MAIL";
		spec->host = credential == NULL ? "mail" : psprintf("mail/%s", credential);	/* a relay of its own has a circuit of its own */
	}
	else
		wf_block_address_face(url, wf_json_get_cstring(&root, "nonce"), &spec->host, &spec->path);
	return spec;
}

WfOutcome
wf_block_request_wait(WfStep *step, Jsonb *request)
{
	WfOutcome	outcome = {.kind = WF_OUTCOME_WAIT};

	if (is_inline(step->node) && !wf_setting_http_inline)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("requests within the transaction are not allowed"),
						errhint("Set workflow.http_inline, or leave out \"mode\".")));
	outcome.wait.kind = WF_WAIT_REQUEST;
	outcome.wait.request = spec_of(step, request);
	return outcome;
}

WfOutcome
wf_block_request_resume(WfStep *step, const WfReply *reply)
{
	if (reply->failed)
		return wf_block_fail(wf_block_keep_error(reply->error));
	return wf_block_done(0, wf_json_copy(&reply->output));
}

/* Asked when a workflow is saved, and not when it is loaded to run: there, the node itself refuses. */
void
wf_block_request_look(const WfNode *node, void *prepared, WfDiagnostics *found)
{
	if (is_inline(node) && !wf_setting_http_inline)
		wf_block_report(node, found, "mode", "Set workflow.http_inline, or leave out \"mode\".",
						"\"mode\" cannot be \"inline\": requests within the transaction are not allowed");
	wf_block_look_for_credential(node, WF_CREDENTIAL_IN_REQUEST, found);
}
