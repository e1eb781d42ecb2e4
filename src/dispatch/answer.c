/*
 * answer.c: what came of an attempt: the output of the block, or its error.
 *
 * 1. An answer is a success when its status is among successCodes and its body can be what responseType says. Everything
 *    else is an error: WF011 when the policy closed the address, WF006 when it was too large, WF010 for the rest.
 * 2. Whether another attempt makes sense, and whether it was the host that failed, is said of every outcome, by its kind;
 *    what the request's `retry` says comes on top of that (retry.c).
 * 3. No secret of the request is shown: not in `url`, of which parts are hidden, not in `location` when the address held one, and
 *    not in messages, which name a host only where that was no secret. What a server repeats elsewhere is masked (mask.c).
 */
#include "postgres.h"

#include <math.h>

#include "dispatch/answer.h"
#include "dispatch/making.h"
#include "fmgr.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define DETAIL_BYTES 1024

/* -- outcomes -- */

static bool
status_is_retryable(int status)
{
	return status == 408 || status == 425 || status == 429 || status == 500 || (status >= 502 && status <= 504);
}

bool
wf_answer_is_retryable(const WfNetResult *r)
{
	switch (r->outcome)
	{
		case WF_NET_UNRESOLVED:
		case WF_NET_UNREACHABLE:
		case WF_NET_TLS_FAILED:
		case WF_NET_TIMED_OUT:
		case WF_NET_BROKEN:
		case WF_NET_OVERLOADED:
			return true;
		case WF_NET_REFUSED:
			return r->status >= 400 && r->status < 500;
		case WF_NET_ANSWERED:
			return status_is_retryable(r->status);
		default:
			return false;
	}
}

static bool
counts_against_host(const WfNetResult *r)
{
	switch (r->outcome)
	{
		case WF_NET_UNRESOLVED:
		case WF_NET_UNREACHABLE:
		case WF_NET_TLS_FAILED:
		case WF_NET_TIMED_OUT:
		case WF_NET_BROKEN:
			return true;
		case WF_NET_REFUSED:
			return r->status == 421;	/* mail: the service is not available */
		case WF_NET_ANSWERED:
			return r->status == 429 || (r->status >= 500 && r->status < 600);
		default:
			return false;
	}
}

/* Does one of successCodes match: a code, a class ("2xx"), a range ([from, to])? */
static bool
code_matches(const JsonbValue *code, int status)
{
	char	   *text = wf_json_cstring(code);
	JsonbValue	bound;
	int64		from;
	int64		to;

	if (text != NULL)
		return strlen(text) == 3 && strcmp(text + 1, "xx") == 0 && text[0] - '0' == status / 100;
	if (wf_json_int64(code, &from))
		return from == status;
	return wf_json_element(code, 0, &bound) && wf_json_int64(&bound, &from) && wf_json_element(code, 1, &bound) &&
		wf_json_int64(&bound, &to) && status >= from && status <= to;
}

static bool
is_success(const JsonbValue *request, const WfNetResult *r)
{
	JsonbValue	codes;
	JsonbValue	code;

	if (r->outcome != WF_NET_ANSWERED)
		return false;
	if (!wf_json_field(request, "successCodes", &codes) || !wf_json_is_array(&codes))
		return r->status >= 200 && r->status < 300;
	for (uint32 i = 0; wf_json_element(&codes, i, &code); i++)
		if (code_matches(&code, r->status))
			return true;
	return false;
}

/* -- what is shown of where it came from -- */

/* What the request hides of its address. */
typedef struct Hidden
{
	char	   *address;		/* with ***; NULL: nothing is hidden */
	bool		path;			/* something before the query */
	bool		host;
} Hidden;

static Hidden
what_is_hidden(const JsonbValue *request)
{
	Hidden		hidden;
	WfRequestFace face;

	hidden.address = wf_compose_shown_address(request, &hidden.path);
	wf_compose_face(request, &face);
	hidden.host = strcmp(face.host, "***") == 0;
	return hidden;
}

char *
wf_answer_host(const char *url)
{
	const char *authority = strstr(url, "://");

	return authority == NULL ? NULL : wf_answer_header_text(pnstrdup(authority + 3, strcspn(authority + 3, "/?#")));
}

static char *
shown_url(const WfNetResult *r, const Hidden *hidden)
{
	const char *authority = strstr(r->url, "://");

	if (hidden->address == NULL)
		return wf_answer_header_text(r->url);
	if (r->redirects == 0)
		return hidden->address;
	if (hidden->host || authority == NULL)
		return pstrdup("***");
	return psprintf("%.*s/***", (int) (authority + 3 + strcspn(authority + 3, "/?#") - r->url), wf_answer_header_text(r->url));
}

/* A header's value; one that leads somewhere may repeat the address. */
static const char *
shown_header(const WfNetHeader *header, const Hidden *hidden, const WfMask *mask)
{
	const char *text = wf_mask_text(mask, wf_answer_header_text(header->value));

	if (hidden->address == NULL ||
		(strcmp(header->name, "location") != 0 && strcmp(header->name, "content-location") != 0))
		return text;
	if (hidden->path)
		return "***";
	return strchr(text, '?') == NULL ? text : psprintf("%.*s?***", (int) strcspn(text, "?"), text);
}

/* -- the output -- */

/* All that the output is made of. */
typedef struct Output
{
	WfNetResult *result;
	const Hidden *hidden;
	const WfMask *mask;
	const char *response_type;
	int			attempts;
	double		duration_ms;
	WfBodyState state;			/* when there is no output, why */
} Output;

/* Is a header of the same name before this one? */
static bool
is_repeated(const WfNetResult *r, int index)
{
	for (int i = 0; i < index; i++)
		if (strcmp(r->headers[i].name, r->headers[index].name) == 0)
			return true;
	return false;
}

/* One that came several times is a list, in its order. */
static void
put_header(WfJsonWriter *w, const WfNetResult *r, int first, const Hidden *hidden, const WfMask *mask)
{
	const char *name = wf_mask_text(mask, wf_answer_header_text(r->headers[first].name));
	int			n = 0;

	for (int i = first; i < r->n_headers; i++)
		n += strcmp(r->headers[i].name, r->headers[first].name) == 0;
	wf_json_key(w, name, strlen(name));
	if (n > 1)
		wf_json_begin_array(w);
	for (int i = first; i < r->n_headers; i++)
		if (strcmp(r->headers[i].name, r->headers[first].name) == 0)
			wf_json_put_cstring(w, shown_header(&r->headers[i], hidden, mask));
	if (n > 1)
		wf_json_end_array(w);
}

/* Milliseconds with at most three decimals. */
static void
put_duration(WfJsonWriter *w, double ms)
{
	char	   *text = psprintf("%.3f", isfinite(ms) && ms > 0 && ms < 1e15 ? ms : 0.0);
	size_t		chars = strlen(text);
	JsonbValue	number;

	while (text[chars - 1] == '0')
		chars--;
	text[text[chars - 1] == '.' ? chars - 1 : chars] = '\0';
	number.type = jbvNumeric;
	number.val.numeric = DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(text), ObjectIdGetDatum(InvalidOid),
															 Int32GetDatum(-1)));
	wf_json_put_field(w, "durationMs", &number);
}

static Jsonb *
make_output(void *arg)
{
	Output	   *o = arg;
	WfJsonWriter *w;
	Jsonb	   *body;

	o->state = wf_answer_body(o->result, o->response_type, o->mask, &body);
	if (o->state != WF_BODY_READ)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "status", o->result->status);
	wf_json_key(w, "headers", 7);
	wf_json_begin_object(w);
	for (int i = 0; i < o->result->n_headers; i++)
		if (!is_repeated(o->result, i))
			put_header(w, o->result, i, o->hidden, o->mask);
	wf_json_end_object(w);
	wf_json_key(w, "body", 4);
	wf_json_put_jsonb(w, body);
	wf_json_put_field_cstring(w, "url", wf_mask_text(o->mask, shown_url(o->result, o->hidden)));
	wf_json_put_field_int64(w, "attempts", o->attempts);
	put_duration(w, o->duration_ms);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- errors -- */

/* {status, contentType, body, url} of what there is. */
static JsonbValue *
make_details(const WfNetResult *r, const Hidden *hidden, const WfMask *mask)
{
	const char *content_type = wf_net_result_header(r, "content-type");
	JsonbValue *details = palloc(sizeof(JsonbValue));
	WfJsonWriter *w = wf_json_writer_begin();
	size_t		all = Min(r->body_bytes, DETAIL_BYTES + wf_mask_longest(mask));
	char	   *body = palloc(all + 1);
	size_t		bytes;
	char	   *text;

	/* masked before it is cut, and not cut in the midst of a character */
	memcpy(body, r->body, all);
	all = wf_mask_bytes(mask, body, all);
	bytes = Min(all, DETAIL_BYTES);
	while (bytes > 0 && bytes < all && ((unsigned char) body[bytes] & 0xC0) == 0x80)
		bytes--;
	wf_json_begin_object(w);
	if (r->status > 0)
		wf_json_put_field_int64(w, "status", r->status);
	if (content_type != NULL)
		wf_json_put_field_cstring(w, "contentType", wf_answer_header_text(content_type));
	if (bytes > 0)
	{
		text = wf_answer_text(body, bytes, wf_answer_charset(content_type), &bytes);
		wf_json_key(w, "body", 4);
		wf_json_put_string(w, text, (int) bytes);
	}
	if (r->url[0] != '\0')
		wf_json_put_field_cstring(w, "url", shown_url(r, hidden));
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), details);
	return details;
}

/* What net/ says, without the host where that is a secret. */
static const char *
what_happened(const WfNetResult *r, const Hidden *hidden)
{
	if (!hidden->host)
		return wf_answer_header_text(r->message);
	switch (r->outcome)
	{
		case WF_NET_BLOCKED:
			return "requests to this host are forbidden";
		case WF_NET_UNRESOLVED:
			return "could not resolve the host";
		case WF_NET_UNREACHABLE:
			return "could not connect to the host";
		case WF_NET_TLS_FAILED:
			return "could not secure the connection";
		case WF_NET_TIMED_OUT:
			return "no answer in time";
		case WF_NET_BROKEN:
			return "the connection broke";
		default:
			return wf_answer_header_text(r->message);
	}
}

static WfError *
make_error(const WfNetResult *r, const Hidden *hidden, WfBodyState body)
{
	char	   *host = hidden->host ? NULL : wf_answer_host(r->url);
	const char *from = host == NULL ? "" : psprintf(" from %s", host);

	if (r->outcome == WF_NET_BLOCKED)
		return wf_error_make(WF_ERRCODE_REQUEST_BLOCKED, NULL, "request blocked: %s", what_happened(r, hidden));
	if (r->outcome == WF_NET_TOO_LARGE)
		return wf_error_make(WF_ERRCODE_LIMIT_EXCEEDED, "Raise \"maxResponseSize\" or workflow.http_max_response_size, or ask for less.",
							 "request failed: %s", what_happened(r, hidden));
	if (r->outcome != WF_NET_ANSWERED)
		return wf_error_make(WF_ERRCODE_REQUEST_FAILED, NULL, "request failed: %s", what_happened(r, hidden));
	if (body == WF_BODY_TOO_LARGE)
		return wf_error_make(WF_ERRCODE_LIMIT_EXCEEDED, NULL, "request failed: the answer%s is too large, or nested too deeply, for a value of JSON",
							 from);
	if (body == WF_BODY_NOT_JSON)
		return wf_error_make(WF_ERRCODE_REQUEST_FAILED, NULL, "request failed: the answer%s is no JSON (status %d)", from, r->status);
	return wf_error_make(WF_ERRCODE_REQUEST_FAILED, NULL, "request failed: status %d%s", r->status, from);
}

void
wf_answer_read(const JsonbValue *request, WfNetResult *result, int attempts, double duration_ms, const WfMask *mask, WfAnswer *out)
{
	Hidden		hidden = what_is_hidden(request);
	Output		output = {result, &hidden, mask, wf_json_get_cstring(request, "responseType"), attempts, duration_ms, WF_BODY_READ};
	int			sqlstate;

	memset(out, 0, sizeof(*out));
	out->status = result->status;
	out->is_retryable = wf_answer_is_retryable(result);
	out->counts_against_host = counts_against_host(result);
	if (is_success(request, result))
	{
		out->output = wf_json_guarded(make_output, &output, &sqlstate);
		if (out->output != NULL)
			return;
		if (sqlstate != 0)
			output.state = WF_BODY_TOO_LARGE;
		out->is_retryable = false;
	}
	out->failed = true;
	out->error = make_error(result, &hidden, output.state);
	out->error->details = make_details(result, &hidden, mask);
	wf_mask_error(mask, out->error);
}
