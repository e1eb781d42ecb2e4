/*
 * request.c: what a request may be, and a copy of it.
 *
 * Everything is checked here that can be without connecting, so that libcurl never sees a line break in what becomes
 * a line of a protocol, nor a header that belongs to the framing of the message.
 */
#include "net/internal.h"

#include "base/text.h"
#include "lib/stringinfo.h"
#include "utils/memutils.h"

#define MAX_HEADERS 1000
#define MAX_RECIPIENTS 1000
/* Of a text of the credentials; libcurl refuses 8,000,000. */
#define MAX_CREDENTIAL_BYTES (1024 * 1024)

/* Headers that say how the message is framed or routed; the loop sets them, nobody else. */
static const char *const own_headers[] = {
	"connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection", "te",
	"trailer", "transfer-encoding", "upgrade",
};

static char *
copy(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

/* Has it a control character other than a tab? */
static bool
has_control(const char *text)
{
	for (const unsigned char *c = (const unsigned char *) text; c != NULL && *c != '\0'; c++)
		if ((*c < ' ' && *c != '\t') || *c == 0x7f)
			return true;
	return false;
}

static bool
is_token(const char *text)
{
	return text != NULL && text[0] != '\0' &&
		text[strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] == '\0';
}

/* -- copying -- */

static void
copy_headers(WfNetRequest *to)
{
	WfNetHeader *headers = palloc(sizeof(WfNetHeader) * Max(to->n_headers, 1));

	for (int i = 0; i < to->n_headers; i++)
	{
		headers[i].name = copy(to->headers[i].name);
		headers[i].value = copy(to->headers[i].value);
		headers[i].secret = to->headers[i].secret;
	}
	to->headers = headers;
}

static void
copy_parts(WfNetRequest *to)
{
	WfNetPart  *parts = palloc(sizeof(WfNetPart) * Max(to->n_parts, 1));

	for (int i = 0; i < to->n_parts; i++)
	{
		parts[i] = to->parts[i];	/* data is read by multipart_body, at once */
		parts[i].name = copy(to->parts[i].name);
		parts[i].filename = copy(to->parts[i].filename);
		parts[i].content_type = copy(to->parts[i].content_type);
	}
	to->parts = parts;
}

static const char *const *
copy_strings(const char *const *strings, int n)
{
	const char **out = palloc(sizeof(char *) * Max(n, 1));

	for (int i = 0; i < n; i++)
		out[i] = copy(strings[i]);
	return out;
}

static void
set_defaults(WfNetRequest *r)
{
	if (r->connect_timeout_ms <= 0)
		r->connect_timeout_ms = 10000;
	if (r->total_timeout_ms <= 0)
		r->total_timeout_ms = 30000;
	if (r->low_speed_ms <= 0)
		r->low_speed_ms = 30000;
	if (r->max_response_bytes == 0)
		r->max_response_bytes = 10 * 1024 * 1024;
	if (r->max_header_bytes == 0)
		r->max_header_bytes = 64 * 1024;
	if (r->max_header_count <= 0)
		r->max_header_count = 200;
}

/* A name within quotes, as browsers write it. */
static void
put_quoted(StringInfo out, const char *name)
{
	appendStringInfoChar(out, '"');
	for (; *name != '\0'; name++)
	{
		if (*name == '"')
			appendStringInfoString(out, "%22");
		else if (*name == '\r')
			appendStringInfoString(out, "%0D");
		else if (*name == '\n')
			appendStringInfoString(out, "%0A");
		else
			appendStringInfoChar(out, *name);
	}
	appendStringInfoChar(out, '"');
}

/* The parts as one body, behind a boundary that nobody can guess; adds Content-Type. */
static void
multipart_body(WfNetRequest *r)
{
	unsigned char noise[16];
	char	   *boundary;
	StringInfoData out;
	WfNetHeader *headers;
	int			n = 0;

	if (!pg_strong_random(noise, sizeof(noise)))
		ereport(ERROR, errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate random numbers"));
	boundary = wf_text_hex(noise, sizeof(noise));
	initStringInfo(&out);
	for (int i = 0; i < r->n_parts; i++)
	{
		appendStringInfo(&out, "--%s\r\nContent-Disposition: form-data; name=", boundary);
		put_quoted(&out, r->parts[i].name);
		if (r->parts[i].filename != NULL)
		{
			appendStringInfoString(&out, "; filename=");
			put_quoted(&out, r->parts[i].filename);
		}
		if (r->parts[i].content_type != NULL)
			appendStringInfo(&out, "\r\nContent-Type: %s", r->parts[i].content_type);
		appendStringInfoString(&out, "\r\n\r\n");
		appendBinaryStringInfo(&out, r->parts[i].data == NULL ? "" : r->parts[i].data, r->parts[i].data_bytes);
		appendStringInfoString(&out, "\r\n");
	}
	appendStringInfo(&out, "--%s--\r\n", boundary);
	r->body = out.data;
	r->body_bytes = out.len;
	headers = palloc(sizeof(WfNetHeader) * (r->n_headers + 1));
	for (int i = 0; i < r->n_headers; i++)
		if (pg_strcasecmp(r->headers[i].name, "content-type") != 0)
			headers[n++] = r->headers[i];
	headers[n].name = "Content-Type";
	headers[n].value = psprintf("multipart/form-data; boundary=%s", boundary);
	headers[n].secret = false;
	r->headers = headers;
	r->n_headers = n + 1;
}

/*
 * The request with all it points to, but for partition, policy and holder, in a memory context of its own below CurrentMemoryContext.
 * What is malformed is copied as it is: wf_net_request_check says so.
 */
WfNetTransfer *
wf_net_transfer_make(WfNet *net, const WfNetRequest *request)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "outgoing request", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfNetTransfer *t = palloc0(sizeof(WfNetTransfer));
	WfNetRequest *r = &t->request;
	char	   *body;

	t->net = net;
	t->memory = memory;
	t->is_origin = true;
	*r = *request;
	r->partition = NULL;
	r->policy = NULL;
	r->holder = NULL;
	r->method = copy(r->method);
	r->url = copy(r->url == NULL ? "" : r->url);
	copy_headers(r);
	if (r->n_parts > 0)
		copy_parts(r);
	else if (r->body != NULL)
	{
		body = MemoryContextAllocHuge(memory, r->body_bytes + 1);
		memcpy(body, r->body, r->body_bytes);
		body[r->body_bytes] = '\0';
		r->body = body;
	}
	r->auth.user = copy(r->auth.user);
	r->auth.password = copy(r->auth.password);
	r->auth.token = copy(r->auth.token);
	r->auth.region = copy(r->auth.region);
	r->auth.service = copy(r->auth.service);
	r->client_cert_pem = copy(r->client_cert_pem);
	r->client_key_pem = copy(r->client_key_pem);
	r->client_key_password = copy(r->client_key_password);
	r->ca_file = copy(r->ca_file);
	r->mail_from = copy(r->mail_from);
	r->mail_to = copy_strings(r->mail_to, r->n_mail_to);
	r->resolve = copy_strings(r->resolve, r->n_resolve);
	set_defaults(r);
	MemoryContextSwitchTo(old);
	return t;
}

/* -- checking; problems are in CurrentMemoryContext and quote no values -- */

static bool
check_headers(const WfNetRequest *r, char **problem)
{
	if (r->n_headers > MAX_HEADERS)
	{
		*problem = psprintf("there are more than %d headers", MAX_HEADERS);
		return false;
	}
	for (int i = 0; i < r->n_headers; i++)
	{
		const char *name = r->headers[i].name;

		if (!is_token(name) || strlen(name) > 256)
		{
			*problem = "the name of a header is malformed";
			return false;
		}
		for (int j = 0; j < lengthof(own_headers); j++)
			if (pg_strcasecmp(name, own_headers[j]) == 0)
			{
				*problem = psprintf("the header \"%s\" cannot be set", name);
				return false;
			}
		if (r->headers[i].value == NULL || has_control(r->headers[i].value))
		{
			*problem = psprintf("the value of the header \"%s\" has a control character", name);
			return false;
		}
	}
	return true;
}

size_t
wf_net_part_bytes(const WfNetPart *part)
{
	/* quoting makes up to three bytes of one */
	return part->data_bytes + 3 * (wf_text_length(part->name) + wf_text_length(part->filename)) + wf_text_length(part->content_type);
}

static bool
check_parts(const WfNetRequest *r, char **problem)
{
	size_t		total = 0;

	for (int i = 0; i < r->n_parts; i++)
	{
		const WfNetPart *part = &r->parts[i];

		total += wf_net_part_bytes(part) + 1024;
		if (part->name == NULL || has_control(part->name) || has_control(part->filename) || has_control(part->content_type))
		{
			*problem = "the name, the filename or the content type of a part has a control character";
			return false;
		}
		if (part->data_bytes > MaxAllocSize || total > MaxAllocSize)
		{
			*problem = "the parts of the body are too large";
			return false;
		}
	}
	return true;
}

static bool
check_auth(const WfNetRequest *r, char **problem)
{
	const WfNetAuth *a = &r->auth;

	*problem = NULL;
	if (wf_text_length(a->user) > MAX_CREDENTIAL_BYTES || wf_text_length(a->password) > MAX_CREDENTIAL_BYTES ||
		wf_text_length(a->token) > MAX_CREDENTIAL_BYTES || wf_text_length(a->region) + wf_text_length(a->service) > MAX_CREDENTIAL_BYTES ||
		wf_text_length(r->client_key_password) > MAX_CREDENTIAL_BYTES)
		*problem = "a credential is too large";
	else if (has_control(a->user) || has_control(a->password) || has_control(a->token) || has_control(a->region) ||
		has_control(a->service))
		*problem = "a credential has a control character";
	else if ((a->type == WF_NET_AUTH_BASIC || a->type == WF_NET_AUTH_DIGEST || a->type == WF_NET_AUTH_AWS) &&
			 (a->user == NULL || a->password == NULL))
		*problem = "the credentials lack a user or a password";
	else if ((a->type == WF_NET_AUTH_BASIC || a->type == WF_NET_AUTH_AWS) && r->kind == WF_NET_HTTP && strchr(a->user, ':') != NULL)
		*problem = "the user of the credentials has a colon";
	else if (a->type == WF_NET_AUTH_BEARER && (a->token == NULL || a->token[0] == '\0'))
		*problem = "the credentials lack a token";
	else if (a->type == WF_NET_AUTH_AWS && (!is_token(a->region) || !is_token(a->service)))
		*problem = "the credentials lack a region or a service";
	else if ((r->client_cert_pem == NULL) != (r->client_key_pem == NULL))
		*problem = "a client's certificate and its key come together";
	return *problem == NULL;
}

static bool
check_http(WfNetTransfer *t, char **problem)
{
	WfNetRequest *r = &t->request;
	bool		has_body = r->body != NULL || r->n_parts > 0;
	const char *method = r->method != NULL ? r->method : has_body ? "POST" : "GET";

	if (method[0] == '\0' || strlen(method) > 32 || method[strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-")] != '\0')
		*problem = "the method is not a word in capital letters";
	else if (strcmp(method, "CONNECT") == 0 || strcmp(method, "TRACE") == 0)
		*problem = psprintf("the method %s cannot be used", method);
	else if (strcmp(method, "HEAD") == 0 && has_body)
		*problem = "a HEAD request cannot have a body";
	if (*problem != NULL || !check_headers(r, problem) || !check_parts(r, problem))
		return false;
	t->method = method;
	if (r->n_parts > 0)
		multipart_body(r);
	t->has_body = r->body != NULL;
	return true;
}

/* An address of an envelope: one word with an @, without what would end it or begin a parameter. */
static bool
is_mailbox(const char *text)
{
	size_t		bytes = wf_text_length(text);

	if (bytes < 3 || bytes > 320 || strchr(text, '@') == NULL)
		return false;
	for (const unsigned char *c = (const unsigned char *) text; *c != '\0'; c++)
		if (*c <= ' ' || *c == 0x7f || *c == '<' || *c == '>' || *c == ',' || *c == ';')
			return false;
	return true;
}

/* Lines of a message end with CRLF and with nothing else: a bare one could end the message early at another server. */
static bool
is_message(const char *body, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
	{
		if (body[i] == '\0' || (body[i] == '\n' && (i == 0 || body[i - 1] != '\r')) ||
			(body[i] == '\r' && (i + 1 == bytes || body[i + 1] != '\n')))
			return false;
	}
	return true;
}

static bool
check_mail(WfNetTransfer *t, char **problem)
{
	const WfNetRequest *r = &t->request;

	if (r->body == NULL || r->body_bytes == 0)
		*problem = "the message is empty";
	else if (!is_message(r->body, r->body_bytes))
		*problem = "the message has a NUL or a line that does not end with CRLF";
	else if (!is_mailbox(r->mail_from))
		*problem = "the sender's address is malformed";
	else if (r->n_mail_to < 1 || r->n_mail_to > MAX_RECIPIENTS)
		*problem = psprintf("there must be from 1 to %d recipients", MAX_RECIPIENTS);
	for (int i = 0; *problem == NULL && i < r->n_mail_to; i++)
		if (!is_mailbox(r->mail_to[i]))
			*problem = "the address of a recipient is malformed";
	t->method = "MAIL";
	t->has_body = true;
	return *problem == NULL;
}

/* Is it well-formed? Sets method, url, host, port, has_body. Problems are in CurrentMemoryContext, which is the transfer's. */
bool
wf_net_request_check(WfNetTransfer *t, char **problem)
{
	WfNetUrl	url;

	*problem = NULL;
	if (t->request.body_bytes > MaxAllocSize)
		*problem = "the body is too large";
	else if (has_control(t->request.ca_file))
		*problem = "the name of the CA file has a control character";
	else if (check_auth(&t->request, problem) &&
			 (t->request.kind == WF_NET_MAIL ? check_mail(t, problem) : check_http(t, problem)) &&
			 wf_net_url_parse(t->request.url, NULL, t->request.kind, &url, problem))
	{
		t->url = url.text;
		t->host = url.host;
		t->port = url.port;
		t->is_tls = strcmp(url.scheme, "https") == 0 || strcmp(url.scheme, "smtps") == 0;
		return true;
	}
	return false;
}
