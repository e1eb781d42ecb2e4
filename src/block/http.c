/*
 * http.c: http.request, a request of HTTP and its answer.
 *
 * The step makes the request of its config (http_config.c, http_auth.c, http_body.c) and waits for the answer, or with
 * `await: false` only for the request to be written. With `pagination` it does so page by page (http_page.c).
 */
#include "postgres.h"

#include "block/http.h"

static void
read_request(WfReading *r)
{
	wf_block_request_content(r);
	wf_block_request_headers(r, NULL, NULL);
	wf_block_request_query(r);
	wf_block_request_http(r);
}

static void
http_validate(const WfNode *node, WfDiagnostics *found)
{
	WfReading	r = wf_block_request_check(node, found);

	read_request(&r);
	wf_block_page_check(&r);
}

static WfOutcome
http_execute(WfStep *step)
{
	WfReading	r;
	Jsonb	   *request;

	wf_block_request_begin(&r, step, "http");
	read_request(&r);
	request = wf_block_request_end(&r);
	if (wf_block_request_is_awaited(step->node))
		request = wf_block_page_begin(step, request);
	return wf_block_request_wait(step, request);
}

static WfOutcome
http_resume(WfStep *step, const WfReply *reply)
{
	return step->state != NULL ? wf_block_page_next(step, reply) : wf_block_request_resume(step, reply);
}

const WfBlock wf_block_http_request = {
	.type = "http.request",
	.category = "request",
	.summary = "sends a request of HTTP and waits for the answer",
	.config_schema = "{\"type\": \"object\", \"properties\": {"
	"\"method\": " WF_JSON({
		"type": "string", "minLength": 1,
		"description": "GET unless there is a body, else POST. In any case."
	}) ", " WF_REQUEST_URL ", \"query\": " WF_JSON({
		"type": ["object", "null"], "x-secret": true,
		"description": "{name: value or list of values}, added to the url; those that are null are left out."
	}) ", " WF_REQUEST_HEADERS ", \"body\": " WF_JSON({
		"x-secret": true, "description": "What is sent, by bodyType; null: nothing."
	}) ", \"bodyType\": " WF_JSON({
		"enum": ["json", "form", "multipart", "text", "binary", "none", null],
		"description": "JSON; {name: value}; {name: value or {filename, contentType, content}}; text; base64. Default: text for a string, json for the rest."
	}) ", " WF_REQUEST_AUTH ", " WF_REQUEST_RESPONSE_TYPE ", " WF_REQUEST_ANSWER ", \"pagination\": " WF_JSON({
		"type": ["object", "null"],
		"properties": {
			"type": {"enum": ["link", "cursor", "page", "offset"],
				"description": "What tells of the next page: the header Link, a value in the body, a number that is counted."},
			"param": {"type": ["string", "null"], "description": "Parameter of the query for the cursor, page or offset."},
			"cursorPath": {"type": ["string", "null"], "description": "Where the cursor is in the body: meta.next"},
			"itemsPath": {"type": ["string", "null"], "description": "Where the list is in the body; the body itself unless given."},
			"size": {"type": ["integer", "null"], "minimum": 1, "description": "Items of a full page: one with fewer is the last."},
			"maxPages": {"type": ["integer", "null"], "minimum": 1, "maximum": 10000, "default": 100, "description": "How many to read."}
		},
		"required": ["type"], "additionalProperties": false,
		"description": "All pages are read, one after the other, and the output has their items."
	}) ", " WF_REQUEST_POLICY
	"}, \"required\": [\"url\"], \"additionalProperties\": false}",
	.output_schema = WF_REQUEST_OUTPUT,
	.ports = wf_block_request_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = http_execute,
	.validate = http_validate,
	.resume = http_resume,
	.suspends = wf_block_request_suspends,
	.save = wf_block_page_save,
	.load = wf_block_page_load,
	.look = wf_block_request_look,
};
