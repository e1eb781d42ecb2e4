/*
 * respond.c: respond, the block that says what the sender of a webhook gets for an answer.
 *
 * Whether anybody waits for it is for the engine to know: a run that was started otherwise, or that has been suspended
 * meanwhile, goes on as if it had been said.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/http.h"
#include "block/support.h"

#define MOST_HEADERS 100
#define MOST_HEADER_BYTES (64 * 1024)

static const char *const out_ports[] = {"out", NULL};

/* Headers that are for whoever sends the answer to set: they say where it ends, and what becomes of the connection. */
static const char *const not_ours[] = {
	"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade",
};

static char *
small_letters(char *name)
{
	for (char *c = name; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return name;
}

/* What is wrong with a header, or NULL; `value` is NULL for one that is not known yet. */
static const char *
header_problem(const char *name, const JsonbValue *value)
{
	if (!wf_block_request_is_token(name))
		return "is no name of a header";
	for (int i = 0; i < lengthof(not_ours); i++)
		if (strcmp(name, not_ours[i]) == 0)
			return "is set by whoever sends the answer";
	if (value == NULL)
		return NULL;
	if (!wf_json_is_string(value))
		return "must be a string";
	for (int i = 0; i < value->val.string.len; i++)
	{
		unsigned char c = (unsigned char) value->val.string.val[i];

		if ((c < ' ' && c != '\t') || c == 0x7f)
			return "holds a control character";
	}
	return NULL;
}

static void
respond_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	headers;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_block_fixed(node, "headers", &headers) || !wf_json_is_object(&headers))
		return;
	wf_json_iter_begin(&it, &headers);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const char *name = small_letters(wf_json_cstring(&key));
		const char *problem = header_problem(name, wf_block_is_template(&value) ? NULL : &value);

		if (problem != NULL)
			wf_block_report(node, found, "headers", NULL, "header \"%s\" %s", wf_text_clip(name), problem);
	}
}

/* Writes them, with names in small letters; throws 22023. A content type is added when none is given. */
static void
put_headers(WfStep *step, WfJsonWriter *w)
{
	bool		has_type = false;
	Size		n_bytes = 0;
	JsonbValue	headers;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	wf_json_begin_object(w);
	if (wf_block_config(step, "headers", &headers) && headers.type != jbvNull)
	{
		if (!wf_json_is_object(&headers) || wf_json_count(&headers) > MOST_HEADERS)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"headers\" must be an object of at most %d headers", MOST_HEADERS)));
		wf_json_iter_begin(&it, &headers);
		while (wf_json_iter_next(&it, &key, &value))
		{
			char	   *name = small_letters(wf_json_cstring(&key));
			const char *problem = header_problem(name, &value);

			if (problem != NULL)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("header \"%s\" %s", wf_text_clip(name), problem)));
			n_bytes += strlen(name) + value.val.string.len;
			if (n_bytes > MOST_HEADER_BYTES)
				ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
								errmsg("\"headers\" must have at most %d bytes", MOST_HEADER_BYTES)));
			has_type |= strcmp(name, "content-type") == 0;
			wf_json_put_field(w, name, &value);
		}
	}
	if (!has_type)
		wf_json_put_field_cstring(w, "content-type", "application/json");
	wf_json_end_object(w);
}

/* The answer with `sent`, as the output. */
static Jsonb *
with_sent(const Jsonb *answer, bool is_sent)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_root(answer, &root);
	wf_json_begin_object(w);
	wf_json_put_members(w, &root, NULL);
	wf_json_put_field_bool(w, "sent", is_sent);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfOutcome
respond_execute(WfStep *step)
{
	int64		status = wf_block_config_int(step, "status", 200, 100, 599);
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	body;
	Jsonb	   *answer;

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "status", status);
	wf_json_key(w, "headers", strlen("headers"));
	put_headers(step, w);
	if (!wf_block_config(step, "body", &body))
		body = step->input;
	wf_json_put_field(w, "body", &body);
	wf_json_end_object(w);
	answer = wf_json_finish(w);
	return wf_block_done(0, with_sent(answer, step->ops->respond(step, answer)));
}

const WfBlock wf_block_respond = {
	.type = "respond",
	.category = "flow",
	.summary = "answers the webhook that started the run",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"status": {"type": ["integer", "null"], "minimum": 100, "maximum": 599, "default": 200, "description": "The status of HTTP."},
			"headers": {
				"type": ["object", "null"], "additionalProperties": {"type": "string"},
				"description": "Headers; content-type is application/json unless it is given."
			},
			"body": {"description": "The body; the input of the node unless given."}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"status": {"type": "integer"}, "headers": {"type": "object"}, "body": {},
			"sent": {"type": "boolean", "description": "Somebody waits for it, and it is the first answer."}
		},
		"required": ["status", "headers", "body", "sent"]
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE,
	.execute = respond_execute,
	.validate = respond_validate,
};
