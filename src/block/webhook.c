/*
 * webhook.c: webhook.send: a POST of JSON, signed as Standard Webhooks say.
 *
 * The signature is made when the request is sent, over the bytes that are sent: with each of the secrets, so that a
 * receiver may have the old one or the new one. The id is that of the request, the same for every attempt.
 */
#include "postgres.h"

#include "block/http.h"

#define MOST_SECRETS 10

/* A secret: any text, or base64 behind `whsec_`. */
static void
read_secret(WfReading *r, const JsonbValue *value, const char *where)
{
	char	   *text = wf_block_request_line(r, value, where, r->step != NULL);

	if (text == NULL)
		return;
	/* what is of a secret is for who resolves it to look at */
	if (strncmp(text, "whsec_", 6) == 0 && !wf_block_has_marker(text, r->nonce) &&
		(text[6] == '\0' || wf_block_base64_bytes(text + 6, strlen(text + 6)) < 0))
		wf_block_request_wrong(r, where, NULL, "\"%s\" has no base64 behind \"whsec_\"", where);
	else if (r->w != NULL)
		wf_json_put_cstring(r->w, text);
}

static void
read_secrets(WfReading *r)
{
	JsonbValue	value;
	JsonbValue	unused;
	WfItems		items;
	bool		has_one = wf_block_request_field(r, "secret", &value);

	if (r->step == NULL && wf_block_fixed(r->node, "secret", &unused) == wf_block_fixed(r->node, "secrets", &unused))
		wf_block_request_wrong(r, "", NULL, "config needs either \"secret\" or \"secrets\"");
	if (r->w != NULL)
	{
		wf_json_key(r->w, "sign", 4);
		wf_json_begin_object(r->w);
		wf_json_key(r->w, "secrets", 7);
		wf_json_begin_array(r->w);
	}
	if (has_one)
		read_secret(r, &value, "secret");
	else if (wf_block_request_field(r, "secrets", &value))
	{
		if (!wf_json_is_array(&value))
			wf_block_request_wrong_type(r, "secrets", "an array", &value);
		wf_block_items_of(&value, &items);
		if (r->step != NULL && (items.n == 0 || items.n > MOST_SECRETS))
			wf_block_request_wrong(r, "secrets", NULL, "\"secrets\" must hold 1 to %d secrets, not %d", MOST_SECRETS, items.n);
		for (int i = 0; i < Min(items.n, MOST_SECRETS); i++)
			read_secret(r, &items.values[i], psprintf("secrets[%d]", i));
	}
	else if (r->step != NULL)
		wf_block_request_wrong(r, "secret", NULL, "\"secret\" must be a string, not null");
	if (r->w != NULL)
	{
		wf_json_end_array(r->w);
		wf_json_end_object(r->w);
	}
}

static void
read_request(WfReading *r)
{
	static const char *const own[] = {"content-type", "webhook-id", "webhook-timestamp", "webhook-signature", NULL};
	JsonbValue	body;

	wf_block_request_put(r, "method", "POST");
	wf_block_request_put(r, "bodyType", "json");
	if (r->step != NULL)
	{
		if (!wf_block_config(r->step, "body", &body))
			body = r->step->input;
		wf_json_put_field(r->w, "body", &body);
	}
	read_secrets(r);
	wf_block_request_headers(r, own, NULL);
	wf_block_request_http(r);
}

static void
webhook_validate(const WfNode *node, WfDiagnostics *found)
{
	WfReading	r = wf_block_request_check(node, found);

	read_request(&r);
}

static WfOutcome
webhook_execute(WfStep *step)
{
	WfReading	r;

	wf_block_request_begin(&r, step, "http");
	read_request(&r);
	return wf_block_request_wait(step, wf_block_request_end(&r));
}

const WfBlock wf_block_webhook_send = {
	.type = "webhook.send",
	.category = "request",
	.summary = "sends a signed webhook",
	.config_schema = "{\"type\": \"object\", \"properties\": {"
	WF_REQUEST_URL ", \"body\": " WF_JSON({
		"x-secret": true, "description": "What is sent, as JSON; the input of the node unless given."
	}) ", \"secret\": " WF_JSON({
		"type": ["string", "null"], "minLength": 1, "x-secret": true,
		"description": "The key that it is signed with: whsec_ and base64, or any text."
	}) ", \"secrets\": " WF_JSON({
		"type": ["array", "null"], "minItems": 1, "maxItems": 10, "items": {"type": "string", "minLength": 1}, "x-secret": true,
		"description": "Several of them, while one takes the place of another."
	}) ", " WF_REQUEST_HEADERS ", " WF_REQUEST_AUTH ", " WF_REQUEST_RESPONSE_TYPE ", " WF_REQUEST_ANSWER ", " WF_REQUEST_POLICY
	"}, \"required\": [\"url\"], \"additionalProperties\": false}",
	.output_schema = WF_REQUEST_OUTPUT,
	.ports = wf_block_request_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_SUSPENDS,
	.execute = webhook_execute,
	.validate = webhook_validate,
	.resume = wf_block_request_resume,
	.suspends = wf_block_request_suspends,
	.look = wf_block_request_look,
};
