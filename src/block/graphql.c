/*
 * graphql.c: graphql.request: a POST of query and variables; errors in the answer are errors of the node.
 */
#include "postgres.h"

#include "block/http.h"
#include "mb/pg_wchar.h"

#define MESSAGE_BYTES 500

static void
read_request(WfReading *r)
{
	static const char *const own[] = {"content-type", NULL};
	JsonbValue	value;
	char	   *text;

	wf_block_request_put(r, "method", "POST");
	wf_block_request_put(r, "bodyType", "json");
	if (r->w != NULL)
	{
		wf_json_key(r->w, "body", 4);
		wf_json_begin_object(r->w);
	}
	if (wf_block_request_field(r, "query", &value))
	{
		text = wf_json_cstring(&value);
		if (text == NULL)
			wf_block_request_wrong_type(r, "query", "a string", &value);
		wf_block_request_put(r, "query", text);
	}
	else if (r->step != NULL)
		wf_block_request_wrong(r, "query", NULL, "\"query\" must be a string, not null");
	if (wf_block_request_field(r, "variables", &value))
	{
		if (!wf_json_is_object(&value))
			wf_block_request_wrong_type(r, "variables", "an object", &value);
		if (r->w != NULL)
			wf_json_put_field(r->w, "variables", &value);
	}
	if (wf_block_request_field(r, "operationName", &value))
		wf_block_request_put(r, "operationName", wf_block_request_line(r, &value, "operationName", r->step != NULL));
	if (r->w != NULL)
		wf_json_end_object(r->w);
	wf_block_request_headers(r, own, "application/graphql-response+json, application/json;q=0.9");
	wf_block_request_http(r);
}

static void
graphql_validate(const WfNode *node, WfDiagnostics *found)
{
	WfReading	r = wf_block_request_check(node, found);

	read_request(&r);
}

static WfOutcome
graphql_execute(WfStep *step)
{
	WfReading	r;

	wf_block_request_begin(&r, step, "http");
	read_request(&r);
	/* whatever the answer says that it is */
	wf_block_request_put(&r, "responseType", "json");
	return wf_block_request_wait(step, wf_block_request_end(&r));
}

/* {status, errors, data} of an answer with errors. */
static JsonbValue *
error_details(const JsonbValue *answer, const JsonbValue *body, const JsonbValue *errors)
{
	JsonbValue *details = palloc(sizeof(JsonbValue));
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	value;

	wf_json_begin_object(w);
	if (wf_json_field(answer, "status", &value))
		wf_json_put_field(w, "status", &value);
	wf_json_put_field(w, "errors", errors);
	if (wf_json_field(body, "data", &value))
		wf_json_put_field(w, "data", &value);
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), details);
	return details;
}

static WfOutcome
failed(const JsonbValue *answer, const JsonbValue *body, const JsonbValue *errors)
{
	JsonbValue	first;
	const char *message = NULL;
	WfError    *error;

	if (wf_json_element(errors, 0, &first))
		message = wf_json_get_cstring(&first, "message");
	error = wf_error_make(WF_ERRCODE_REQUEST_FAILED, NULL, "request failed: the answer has errors (%u), the first: %s",
						  wf_json_count(errors), message == NULL ? "one without a message" :
						  pnstrdup(message, pg_mbcliplen(message, strlen(message), MESSAGE_BYTES)));
	error->details = error_details(answer, body, errors);
	return wf_block_fail(error);
}

static WfOutcome
graphql_resume(WfStep *step, const WfReply *reply)
{
	JsonbValue	body;
	JsonbValue	value;

	if (reply->failed || !wf_block_request_is_awaited(step->node))
		return wf_block_request_resume(step, reply);
	if (!wf_json_field(&reply->output, "body", &body) || !wf_json_is_object(&body))
		ereport(ERROR, (errcode(WF_ERRCODE_REQUEST_FAILED),
						errmsg("request failed: the answer is none of GraphQL: its body is no object")));
	if (wf_json_field(&body, "errors", &value) && wf_json_is_array(&value) && wf_json_count(&value) > 0)
		return failed(&reply->output, &body, &value);
	if (!wf_json_field(&body, "data", &value))
		ereport(ERROR, (errcode(WF_ERRCODE_REQUEST_FAILED),
						errmsg("request failed: the answer is none of GraphQL: it has neither \"data\" nor \"errors\"")));
	return wf_block_done(0, wf_block_object1("data", &value));
}

const WfBlock wf_block_graphql_request = {
	.type = "graphql.request",
	.category = "request",
	.summary = "asks a GraphQL server and waits for the answer",
	.config_schema = "{\"type\": \"object\", \"properties\": {"
	WF_REQUEST_URL ", \"query\": " WF_JSON({
		"type": "string", "minLength": 1, "x-secret": true,
		"description": "The document. What changes belongs into variables."
	}) ", \"variables\": " WF_JSON({
		"type": ["object", "null"], "x-secret": true, "description": "{name: value}"
	}) ", \"operationName\": " WF_JSON({
		"type": ["string", "null"], "description": "Which operation of the document."
	}) ", " WF_REQUEST_HEADERS ", " WF_REQUEST_AUTH ", " WF_REQUEST_ANSWER ", " WF_REQUEST_POLICY
	"}, \"required\": [\"url\", \"query\"], \"additionalProperties\": false}",
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"data": {"description": "What the server gave."},
			"queued": {"type": "boolean", "description": "With await false, and nothing but request_id."},
			"request_id": {"type": "string"}
		}
	}),
	.ports = wf_block_request_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = graphql_execute,
	.validate = graphql_validate,
	.resume = graphql_resume,
	.suspends = wf_block_request_suspends,
	.look = wf_block_request_look,
};
