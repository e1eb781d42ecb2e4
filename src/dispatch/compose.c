/*
 * compose.c: a request as a whole: in which order its parts are made, and the headers that are no part's own.
 *
 * 1. All that is made is in a memory context of its own, whose name is that of the request's partition: wf_compose_wipe
 *    deletes it, by which every secret in it is wiped, those in what was outgrown or left half done included.
 * 2. auth comes first, as it adds to headers and query; then address, headers, body; then what is made of them: the
 *    signature, which needs the body's bytes, and the partition, which needs all that says who is asking.
 * 3. What cannot be sent is a value (WfError), made in the caller's memory. Only lack of memory is thrown.
 */
#include "postgres.h"

#include "base/crypt.h"
#include "base/text.h"
#include "dispatch/making.h"
#include "utils/memutils.h"

#define HEX "0123456789abcdef"
#define UUID_HYPHENS "........-....-....-....-............"
#define TRACE_CHARS 32
#define SPAN_CHARS 16

/* -- headers -- */

/* Does a header of this name say who is asking, whatever it holds? */
static bool
says_who(const char *name)
{
	static const char *const words[] = {
		"auth", "cookie", "token", "secret", "passw", "credential", "apikey", "api-key", "api_key", "access-key",
	};
	char	   *lower = pstrdup(name);

	for (char *c = lower; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	for (int i = 0; i < lengthof(words); i++)
		if (strstr(lower, words[i]) != NULL)
			return true;
	return false;
}

/* Those of the request, but for one that auth sets. */
static bool
request_headers(WfMaking *m)
{
	JsonbValue	headers;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	WfText		text = {0};

	if (!wf_json_field(m->request, "headers", &headers))
		return true;
	wf_json_iter_begin(&it, &headers);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);
		bool		is_secret;

		if (m->auth_header != NULL && pg_strcasecmp(name, m->auth_header) == 0)
			continue;
		if (!wf_making_line(m, psprintf("headers.%s", name), &value, &text))
			return false;
		is_secret = text.is_secret || says_who(name);
		wf_making_add_header(m, name, text.data, is_secret);
		if (is_secret)
		{
			wf_making_add_credential(m, name);
			wf_making_add_credential(m, text.data);
		}
	}
	return true;
}

/* -- traceparent -- */

static bool
is_hex(const char *text, size_t chars)
{
	return strspn(text, HEX) >= chars;
}

static bool
is_zero(const char *text, size_t chars)
{
	return strspn(text, "0") >= chars;
}

/* 00-<trace>-<span>-<flags>, as W3C has it; later versions may have more behind that. */
static bool
is_traceparent(const char *text)
{
	size_t		bytes = strlen(text);

	return bytes >= 55 && is_hex(text, 2) && strncmp(text, "ff", 2) != 0 && text[2] == '-' && is_hex(text + 3, TRACE_CHARS) &&
		!is_zero(text + 3, TRACE_CHARS) && text[35] == '-' && is_hex(text + 36, SPAN_CHARS) &&
		!is_zero(text + 36, SPAN_CHARS) && text[52] == '-' && is_hex(text + 53, 2) &&
		(bytes == 55 || (strncmp(text, "00", 2) != 0 && text[55] == '-'));
}

/* The digits of a UUID in small letters, into `out`; false when it is none, or nil. */
static bool
uuid_digits(const char *text, char *out)
{
	int			n = 0;

	if (strlen(text) != strlen(UUID_HYPHENS))
		return false;
	for (int i = 0; text[i] != '\0'; i++)
	{
		char		c = pg_ascii_tolower((unsigned char) text[i]);

		if ((UUID_HYPHENS[i] == '-') != (c == '-') || (c != '-' && strchr(HEX, c) == NULL))
			return false;
		if (c != '-')
			out[n++] = c;
	}
	return !is_zero(out, TRACE_CHARS);
}

/* The first digits of a text's hash, of which not all are 0. */
static bool
hash_digits(const char *text, char *out, int chars)
{
	char	   *hash = wf_making_sha256(text, strlen(text));

	if (hash == NULL)
		return false;
	memcpy(out, hash, chars);
	if (is_zero(out, chars))
		out[chars - 1] = '1';
	return true;
}

/* The trace is the run's, the span this attempt's. */
static bool
add_trace(WfMaking *m)
{
	const char *text = m->in->trace == NULL ? "" : m->in->trace;
	char		trace[TRACE_CHARS + 1] = "";
	char		span[SPAN_CHARS + 1] = "";

	if (is_traceparent(text))
		memcpy(trace, text + 3, TRACE_CHARS);
	else if (!uuid_digits(text, trace) && !hash_digits(text, trace, TRACE_CHARS))
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "could not compute a digest");
	if (!hash_digits(psprintf("%s %d", wf_making_uuid(&m->in->request_id), m->in->attempt), span, SPAN_CHARS))
		return wf_making_fail(m, ERRCODE_INTERNAL_ERROR, "could not compute a digest");
	wf_making_add_header(m, "traceparent", psprintf("00-%s-%s-01", trace, span), false);
	return true;
}

/* -- the request -- */

size_t
wf_compose_bytes(const WfNetRequest *request)
{
	size_t		bytes = request->body_bytes + wf_text_length(request->url);

	for (int i = 0; i < request->n_parts; i++)
		bytes += wf_net_part_bytes(&request->parts[i]);
	for (int i = 0; i < request->n_headers; i++)
		bytes += wf_text_length(request->headers[i].name) + wf_text_length(request->headers[i].value);
	return bytes;
}

static bool
compose_http(WfMaking *m)
{
	m->out->kind = WF_NET_HTTP;
	m->out->method = wf_json_get_cstring(m->request, "method");
	if (!wf_compose_auth(m) || !wf_compose_address(m) || !request_headers(m) || !wf_compose_body(m))
		return false;
	if (wf_compose_bytes(m->out) > wf_making_most_bytes())
		return wf_making_too_large(m);
	if (!wf_compose_signature(m))
		return false;
	if (!wf_making_has_header(m, "Idempotency-Key"))
		wf_making_add_header(m, "Idempotency-Key", wf_making_uuid(&m->in->request_id), false);
	if (!wf_making_has_header(m, "traceparent") && !add_trace(m))
		return false;
	wf_making_limits(m);
	return wf_making_partition(m);
}

WfError *
wf_compose(const WfCompose *in, WfNetRequest *out)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext memory = AllocSetContextCreate(caller, "request to be sent", ALLOCSET_SMALL_SIZES);
	char	   *kind;
	WfMaking	m;
	WfError    *problem;
	bool		is_made;

	MemoryContextSwitchTo(memory);
	kind = wf_json_get_cstring(in->request, "kind");
	is_made = wf_making_begin(&m, in, out) &&
		(kind != NULL && strcmp(kind, "mail") == 0 ? wf_compose_mail(&m) : compose_http(&m));
	MemoryContextSwitchTo(caller);
	if (is_made)
		return NULL;
	problem = wf_error_copy(m.problem, caller);
	memset(out, 0, sizeof(*out));
	MemoryContextDelete(memory);
	return problem;
}

void
wf_compose_wipe(WfNetRequest *request)
{
	if (request->partition != NULL)
		MemoryContextDelete(GetMemoryChunkContext(unconstify(char *, request->partition)));
	memset(request, 0, sizeof(*request));
}
