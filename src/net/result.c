/*
 * result.c: what the caller takes.
 *
 * Headers are parsed here, outside of libcurl, from the lines that receive.c kept. The body stays where it was
 * received, so that a large one is in memory once; the memory context that the result is in gives it back.
 */
#include "net/internal.h"

#include <time.h>

#include "utils/memutils.h"

typedef struct OwnedResult
{
	WfNetResult result;			/* the first member */
	MemoryContextCallback on_reset;
	char	   *owned;			/* malloc: the body; NULL: none or given back */
} OwnedResult;

const char *
wf_net_outcome_name(WfNetOutcome outcome)
{
	static const char *const names[] = {
		[WF_NET_ANSWERED] = "answered",
		[WF_NET_INVALID] = "invalid",
		[WF_NET_BLOCKED] = "blocked",
		[WF_NET_UNRESOLVED] = "unresolved",
		[WF_NET_UNREACHABLE] = "unreachable",
		[WF_NET_TLS_FAILED] = "tls failed",
		[WF_NET_TIMED_OUT] = "timed out",
		[WF_NET_TOO_LARGE] = "too large",
		[WF_NET_REDIRECT_REFUSED] = "redirect refused",
		[WF_NET_BROKEN] = "broken",
		[WF_NET_REFUSED] = "refused",
		[WF_NET_OVERLOADED] = "overloaded",
	};

	return names[outcome];
}

static void
release(void *arg)
{
	OwnedResult *o = arg;

	free(o->owned);
	o->owned = NULL;
}

/* One header line without its end, at its own place in the array; a folded line goes on with the one before. */
static void
parse_line(WfNetResult *r, char *line)
{
	char	   *colon = strchr(line, ':');
	size_t		bytes;

	if ((line[0] == ' ' || line[0] == '\t') && r->n_headers > 0)
	{
		WfNetHeader *last = &r->headers[r->n_headers - 1];

		last->value = psprintf("%s %s", last->value, line + strspn(line, " \t"));
		return;
	}
	if (colon == NULL || colon == line)
		return;
	*colon = '\0';
	for (char *c = line; *c != '\0'; c++)
		*c = pg_ascii_tolower((unsigned char) *c);
	colon += 1 + strspn(colon + 1, " \t");
	bytes = strlen(colon);
	while (bytes > 0 && (colon[bytes - 1] == ' ' || colon[bytes - 1] == '\t'))
		colon[--bytes] = '\0';
	r->headers[r->n_headers].name = line;
	r->headers[r->n_headers].value = colon;
	r->n_headers++;
}

static void
parse_head(WfNetResult *r, const WfNetTransfer *t)
{
	char	   *text;
	char	   *next;

	r->headers = palloc0(sizeof(WfNetHeader) * Max(t->head_count, 1));
	if (t->request.kind == WF_NET_MAIL || t->head_bytes == 0)
		return;
	text = palloc(t->head_bytes + 1);
	memcpy(text, t->head, t->head_bytes);
	text[t->head_bytes] = '\0';
	for (char *line = text; line != NULL; line = next)
	{
		next = strchr(line, '\n');
		if (next != NULL)
			*next++ = '\0';
		line[strcspn(line, "\r")] = '\0';
		if (r->n_headers < t->head_count || line[0] == ' ' || line[0] == '\t')
			parse_line(r, line);
	}
}

/* Takes the body out of the transfer. */
static void
take_body(OwnedResult *o, WfNetTransfer *t)
{
	static char empty[1] = "";
	char	   *smaller;

	o->result.body = empty;
	if (t->body == NULL || t->body_bytes == 0)
		return;
	if (t->body_size > t->body_bytes + 1 + t->body_bytes / 4)
	{
		smaller = realloc(t->body, t->body_bytes + 1);
		if (smaller != NULL)
			t->body = smaller;
	}
	o->owned = t->body;
	o->result.body = t->body;
	o->result.body_bytes = t->body_bytes;
	t->body = NULL;				/* its size stays until wf_net_receive_free has counted it off */
}

WfNetResult *
wf_net_take(WfNet *net)
{
	OwnedResult *o;
	WfNetResult *r;
	WfNetTransfer *t;

	if (dlist_is_empty(&net->finished))
		return NULL;
	t = dlist_head_element(WfNetTransfer, node, &net->finished);
	o = palloc0(sizeof(OwnedResult));
	r = &o->result;
	r->id = t->request.id;
	r->outcome = t->outcome;
	r->message = t->message == NULL ? NULL : pstrdup(t->message);
	r->rule = t->outcome == WF_NET_BLOCKED ? pstrdup(t->rule) : NULL;
	r->was_sent = t->was_sent;
	r->status = t->status;
	r->url = pstrdup(t->url == NULL ? "" : t->url);
	r->redirects = t->redirects;
	r->http_version = t->http_version;
	r->dns_us = t->dns_us;
	r->connect_us = t->connect_us;
	r->tls_us = t->tls_us;
	r->first_byte_us = t->first_byte_us;
	r->total_us = t->total_us;
	r->bytes_sent = t->bytes_sent;
	r->bytes_received = t->bytes_received;
	r->remote_address = pstrdup(t->remote_address);
	r->remote_port = t->remote_port;
	r->connection_was_new = t->connection_was_new;
	parse_head(r, t);
	o->on_reset.func = release;
	o->on_reset.arg = o;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &o->on_reset);
	take_body(o, t);

	dlist_delete(&t->node);
	hash_search(net->by_id, &t->request.id, HASH_REMOVE, NULL);
	net->n_in_flight--;
	wf_net_receive_free(t);
	MemoryContextDelete(t->memory);
	return r;
}

void
wf_net_result_free(WfNetResult *result)
{
	static char empty[1] = "";

	release(result);
	result->body = empty;
	result->body_bytes = 0;
}

const char *
wf_net_result_header(const WfNetResult *result, const char *name)
{
	for (int i = 0; i < result->n_headers; i++)
		if (strcmp(result->headers[i].name, name) == 0)
			return result->headers[i].value;
	return NULL;
}

int64
wf_net_result_retry_after_ms(const WfNetResult *result, int64 now_unix_ms)
{
	const char *value = wf_net_result_header(result, "retry-after");
	int64		seconds = 0;
	time_t		when;

	if (value == NULL || value[0] == '\0')
		return -1;
	if (value[strspn(value, "0123456789")] == '\0')
	{
		for (; *value != '\0' && seconds < PG_INT32_MAX; value++)
			seconds = seconds * 10 + (*value - '0');
		return seconds * 1000;
	}
	when = curl_getdate(value, NULL);
	return when == (time_t) -1 ? -1 : Max((int64) when * 1000 - now_unix_ms, 0);
}
