/*
 * http.h: what the blocks that send requests share (http.request, graphql.request, webhook.send, email.send); private to
 * this room.
 *
 * A config is read twice, by the same functions. When the definition is checked (`step` NULL), strings that hold a
 * template are let pass, what the block's schema says already is not said again, and the rest is reported; nothing is
 * written. When a step runs, the fields are evaluated, whatever is wrong is thrown (22023), and what is right is
 * written, normalised, to the request (src/block/README.md, *The request object*).
 *
 * Text may hold secrets only as markers, which the reading leaves as they are: what a secret's value may break (a line
 * feed in a header) is for who resolves it to see.
 */
#ifndef WF_BLOCK_HTTP_H
#define WF_BLOCK_HTTP_H

#include "block/block.h"
#include "block/support.h"

typedef struct WfReading
{
	const WfNode *node;
	WfStep	   *step;			/* NULL: the definition is checked */
	WfDiagnostics *found;		/* what is wrong, when the definition is checked */
	WfJsonWriter *w;			/* the request, within its object; NULL when the definition is checked */
	const char *nonce;			/* of the markers in what was evaluated so far; NULL: there are none */
} WfReading;

/* -- http_config.c: fields, the request as a whole -- */

/* What is wrong: reported, or thrown with 22023. */
extern void wf_block_request_wrong(WfReading *r, const char *where, const char *hint, const char *fmt, ...)
	pg_attribute_printf(4, 5);
/* The same for what the schema says of a definition: thrown only. `expected` is like "a string". */
extern void wf_block_request_wrong_type(WfReading *r, const char *where, const char *expected, const JsonbValue *value);
/* A field of the config, evaluated; false when it is missing or null, or is a template and not evaluated yet. */
extern bool wf_block_request_field(WfReading *r, const char *key, JsonbValue *out);
/* A member of a value; the same. */
extern bool wf_block_request_member(WfReading *r, const JsonbValue *object, const char *key, JsonbValue *out);
/* Is it a template that is not evaluated yet? */
extern bool wf_block_request_is_open(WfReading *r, const JsonbValue *value);
/* A scalar as text; NULL when it is null, is not known yet, or is none, which is said of `where`. */
extern char *wf_block_request_text(WfReading *r, const JsonbValue *value, const char *where);
/* The same for a string; it must not be empty when `required`, and hold no control characters. */
extern char *wf_block_request_line(WfReading *r, const JsonbValue *value, const char *where, bool required);
/* Writes `key: text`; nothing when the definition is checked, or `text` is NULL. */
extern void wf_block_request_put(WfReading *r, const char *key, const char *text);

/* url. */
extern void wf_block_request_url(WfReading *r);
/* Begins to read when a step runs, with the request's object open; a reading for a check begins in place. */
extern void wf_block_request_begin(WfReading *r, WfStep *step, const char *kind);
/* Ends the request's object. Throws WF006 when it is too large. */
extern Jsonb *wf_block_request_end(WfReading *r);
/* Waits for the answer to it, or does not, as the config's `await` says; refuses `mode: inline` where it is not allowed. */
extern WfOutcome wf_block_request_wait(WfStep *step, Jsonb *request);
extern WfReading wf_block_request_check(const WfNode *node, WfDiagnostics *found);

/* Members of WfBlock that the blocks have in common. */
extern const char *const wf_block_request_ports[];
extern bool wf_block_request_suspends(const WfNode *node);
extern bool wf_block_request_is_awaited(const WfNode *node);
extern WfOutcome wf_block_request_resume(WfStep *step, const WfReply *reply);
/* Refuses `mode: inline` while workflow.http_inline is off. */
extern void wf_block_request_look(const WfNode *node, void *prepared, WfDiagnostics *found);

/* -- http_policy.c -- */

/* timeout, connectTimeout, lowSpeed, retry, rateLimit, hostConcurrency, circuit. */
extern void wf_block_request_policy(WfReading *r);
/* url, auth, successCodes, responseType, maxResponseSize, maxRedirects, and the policy. */
extern void wf_block_request_http(WfReading *r);

/* -- http_address.c -- */

/* What is wrong with an address of http or https, as the end of a sentence that begins with its name; NULL when nothing
 * is. `hint` is set or NULL. */
extern const char *wf_block_address_problem(const char *url, const char *nonce, const char **hint);
/* The same of a beginning, as far as it goes: the text before a template. */
extern const char *wf_block_address_begin_problem(const char *begin);
/* What is not ASCII percent-encoded, but for the host and markers. */
extern char *wf_block_address_encode(const char *url, const char *nonce);
/* What a link found at `base` leads to; NULL when it leads nowhere (an empty one, a fragment). */
extern char *wf_block_address_resolve(const char *base, const char *link);
/* The target of rel="next" in a header Link; NULL when there is none. */
extern char *wf_block_link_next(const char *header);
/* Do both lead to the same host and port, and `to` by https if `from` does? */
extern bool wf_block_address_same_host(const char *from, const char *to);
/* Is it the name of a host, or an address in numbers? Letters of other scripts count unless it must be `ascii`. */
extern bool wf_block_address_is_host(const char *host, int len, bool ascii);
/* Its host (small letters, with the port) and its path without query, each with *** for secrets. */
extern void wf_block_address_face(const char *url, const char *nonce, const char **host, const char **path);
/* Does the text hold a secret, so that what it will be is not known? */
extern bool wf_block_has_marker(const char *text, const char *nonce);

/* -- http_auth.c, http_body.c -- */

extern void wf_block_request_auth(WfReading *r);
/* A header's name? */
extern bool wf_block_request_is_token(const char *text);
/* headers. Names of `refused` (small letters, NULL-ended, or NULL) are the block's own; `accept` is sent unless the config
 * says otherwise, when not NULL. */
extern void wf_block_request_headers(WfReading *r, const char *const *refused, const char *accept);
/* Writes `key`: an object of texts and lists of texts. */
extern void wf_block_request_pairs(WfReading *r, const JsonbValue *value, const char *key);
/* query of the config. */
extern void wf_block_request_query(WfReading *r);
/* method, body and bodyType of the config. */
extern void wf_block_request_content(WfReading *r);
/* The bytes that base64 stands for; -1 when it is none. */
extern int64 wf_block_base64_bytes(const char *text, int len);

/* -- http_page.c -- */

extern void wf_block_page_check(WfReading *r);
/* Begins to read pages when the config has a `pagination`; else step->state stays NULL. Returns the first page's request. */
extern Jsonb *wf_block_page_begin(WfStep *step, Jsonb *request);
/* What follows from the answer to a page: the next request, or the output. */
extern WfOutcome wf_block_page_next(WfStep *step, const WfReply *reply);
extern Jsonb *wf_block_page_save(WfStep *step);
extern void *wf_block_page_load(WfStep *step, const JsonbValue *saved);

/* -- members of config schemas -- */

#define WF_REQUEST_URL "\"url\": " WF_JSON({ \
	"type": "string", "minLength": 1, "x-secret": true, \
	"description": "The address: http or https. What is put into it needs encodeURIComponent." \
})
#define WF_REQUEST_HEADERS "\"headers\": " WF_JSON({ \
	"type": ["object", "null"], "x-secret": true, "maxProperties": 100, \
	"additionalProperties": {"type": ["string", "number", "boolean", "null"]}, \
	"description": "{name: value}; those that are null are left out." \
})
#define WF_REQUEST_AUTH "\"auth\": " WF_JSON({ \
	"type": ["object", "null"], "x-secret": true, \
	"properties": { \
		"type": {"enum": ["basic", "bearer", "apiKey", "digest", "aws", "oauth2", "mtls"], "description": "How."}, \
		"credential": {"type": "string", "minLength": 1, "x-fixed": true, "description": "Name of a credential, instead of all the others but service."}, \
		"username": {"type": "string", "description": "basic, digest"}, \
		"password": {"type": "string", "description": "basic, digest"}, \
		"token": {"type": "string", "description": "bearer"}, \
		"name": {"type": "string", "description": "apiKey: of the header or parameter."}, \
		"value": {"type": "string", "description": "apiKey"}, \
		"in": {"enum": ["header", "query"], "default": "header", "description": "apiKey"}, \
		"accessKey": {"type": "string", "description": "aws"}, \
		"secretKey": {"type": "string", "description": "aws"}, \
		"sessionToken": {"type": ["string", "null"], "description": "aws"}, \
		"region": {"type": "string", "description": "aws"}, \
		"service": {"type": ["string", "null"], "description": "aws"}, \
		"grant": {"enum": ["clientCredentials", "refreshToken"], "description": "oauth2"}, \
		"tokenUrl": {"type": "string", "description": "oauth2"}, \
		"clientId": {"type": "string", "description": "oauth2"}, \
		"clientSecret": {"type": "string", "description": "oauth2"}, \
		"scope": {"type": ["string", "null"], "description": "oauth2: separated by spaces."}, \
		"refreshToken": {"type": ["string", "null"], "description": "oauth2, grant refreshToken"}, \
		"cert": {"type": "string", "description": "mtls: PEM"}, \
		"key": {"type": "string", "description": "mtls: PEM"} \
	}, \
	"additionalProperties": false, \
	"description": "Who is asking: {type, ...} or {credential}." \
})
#define WF_REQUEST_RESPONSE_TYPE "\"responseType\": " WF_JSON({ \
	"enum": ["auto", "json", "text", "binary", "none", null], "default": "auto", \
	"description": "What the body becomes: as its content type says; JSON; text; base64; null." \
})
#define WF_REQUEST_ANSWER "\"successCodes\": " WF_JSON({ \
	"type": ["array", "null"], "minItems": 1, "maxItems": 100, \
	"items": {"type": ["integer", "string", "array"]}, \
	"description": "Which answers are none of an error: codes (200), classes (2xx), ranges (200-204 or [200, 204]). Default: 2xx." \
}) ", \"maxResponseSize\": " WF_JSON({ \
	"type": ["integer", "string", "null"], "minimum": 1, \
	"description": "The most that is read: bytes or 16MB. At most workflow.http_max_response_size." \
}) ", \"maxRedirects\": " WF_JSON({ \
	"type": ["integer", "null"], "minimum": 0, "maximum": 50, "description": "How many to follow; 0: none." \
}) ", \"mode\": " WF_JSON({ \
	"enum": ["queued", "inline"], "default": "queued", "x-fixed": true, \
	"description": "After the commit, by the dispatcher; within the transaction, where workflow.http_inline allows it." \
})
#define WF_REQUEST_POLICY "\"await\": " WF_JSON({ \
	"type": "boolean", "default": true, "x-fixed": true, \
	"description": "Whether to wait for the answer; else on at once with {queued, request_id}." \
}) ", \"timeout\": " WF_JSON({ \
	"type": ["string", "number", "null"], "minimum": 0, \
	"description": "How long one attempt may take; as workflow.http_timeout says unless given." \
}) ", \"connectTimeout\": " WF_JSON({ \
	"type": ["string", "number", "null"], "minimum": 0, "description": "How long connecting may take." \
}) ", \"lowSpeed\": " WF_JSON({ \
	"type": ["object", "null"], \
	"properties": { \
		"bytes": {"type": "integer", "minimum": 1, "description": "A second."}, \
		"time": {"type": ["string", "number"], "minimum": 0, "description": "A duration."} \
	}, \
	"required": ["bytes", "time"], "additionalProperties": false, \
	"description": "An attempt that is slower than this for so long has failed." \
}) ", \"retry\": " WF_JSON({ \
	"type": ["object", "null"], \
	"properties": { \
		"maxAttempts": {"type": "integer", "minimum": 1, "maximum": 1000}, \
		"backoff": {"enum": ["fixed", "linear", "exponential"]}, \
		"initialDelay": {"type": ["string", "number"], "minimum": 0}, \
		"multiplier": {"type": "number", "minimum": 1, "maximum": 1000}, \
		"maxDelay": {"type": ["string", "number"], "minimum": 0}, \
		"maxElapsed": {"type": ["string", "number"], "minimum": 0}, \
		"jitter": {"type": "number", "minimum": 0, "maximum": 1}, \
		"retryOn": {"type": "array", "maxItems": 100, "items": {"type": ["integer", "string"]}}, \
		"stopOn": {"type": "array", "maxItems": 100, "items": {"type": ["integer", "string"]}} \
	}, \
	"additionalProperties": false, \
	"description": "How the dispatcher tries again, without the run; the policy of the node is another one, around it." \
}) ", \"rateLimit\": " WF_JSON({ \
	"type": ["object", "null"], \
	"properties": { \
		"requests": {"type": "integer", "minimum": 1}, \
		"per": {"type": ["string", "number"], "description": "A duration."}, \
		"burst": {"type": ["integer", "null"], "minimum": 1, "description": "How many at once; as requests unless given."} \
	}, \
	"required": ["requests", "per"], "additionalProperties": false, \
	"description": "So many requests in a time, of all runs together; others wait." \
}) ", \"hostConcurrency\": " WF_JSON({ \
	"type": ["integer", "null"], "minimum": 1, "maximum": 10000, "description": "How many may be in flight to the host." \
}) ", \"circuit\": " WF_JSON({ \
	"type": ["boolean", "null"], "default": true, \
	"description": "Whether the circuit breaker of the host counts, and may hold up, this request." \
})
#define WF_REQUEST_OUTPUT WF_JSON({ \
	"type": "object", \
	"properties": { \
		"status": {"type": ["integer", "null"], "description": "Of the answer."}, \
		"headers": {"type": "object", "description": "{lower-case name: value, or values}"}, \
		"body": {"description": "As responseType says."}, \
		"url": {"type": ["string", "null"], "description": "Where the answer came from, redirects followed."}, \
		"attempts": {"type": "integer", "description": "How many it took."}, \
		"durationMs": {"type": "number"}, \
		"items": {"type": "array", "description": "With pagination: those of all pages."}, \
		"pages": {"type": "integer", "description": "With pagination: how many."}, \
		"queued": {"type": "boolean", "description": "With await false, and nothing but request_id."}, \
		"request_id": {"type": "string"} \
	} \
})

#endif
