/*
 * address.c: where a request goes: its address with the query, and what views show of it.
 *
 * Secrets are percent-encoded where they stand in an address, so that a value stays within the segment or parameter that
 * it was put into. The one exception is a secret with which the address begins: it holds the scheme, and so is an address
 * or the beginning of one, and stands as it is. What comes out is read by net/'s parser before it is used.
 *
 * For AWS the query is sorted, each name and value encoded in the one way that signatures know, because libcurl before 8.3
 * signs it as it is written.
 */
#include "postgres.h"

#include "base/smtp_url.h"
#include "base/settings.h"
#include "dispatch/making.h"

#define HIDDEN "***"

/* -- the url -- */

/* The marker that a text begins with, in bytes; 0 when it begins with none. */
static size_t
leading_marker(const char *url, const char *nonce)
{
	const char *end = strstr(url, "\xEE\x80\x81");	/* U+E001 */
	size_t		bytes = end == NULL ? 0 : end + 3 - url;

	/* a marker alone is one whose *** is all that is left of it */
	return bytes > 0 && nonce != NULL && strcmp(wf_making_masked(pnstrdup(url, bytes), nonce), HIDDEN) == 0 ? bytes : 0;
}

/* The address with its secrets, not looked at yet. */
static bool
fill_url(WfMaking *m, const char *url, WfText *out)
{
	size_t		begin = leading_marker(url, m->nonce);
	WfBuffer   *buffer;
	WfText		first = {0};
	WfText		rest = {0};

	if (!wf_making_fill(m, url, begin, WF_MARKER_PLAIN, &first) ||
		!wf_making_fill(m, url + begin, strlen(url) - begin, WF_MARKER_URL, &rest))
		return false;
	buffer = wf_buffer_make(first.bytes + rest.bytes);
	wf_buffer_put(buffer, first.data, first.bytes);
	wf_buffer_put(buffer, rest.data, rest.bytes);
	out->data = buffer->data;
	out->bytes = buffer->bytes;
	out->is_secret = first.is_secret || rest.is_secret;
	return true;
}

static bool
check_url(WfMaking *m, const char *where, const char *url)
{
	char	   *problem;
	char	   *canonical;

	for (const char *c = url; *c != '\0'; c++)
		if ((unsigned char) *c <= ' ' || *c == 0x7f || *c == '\\')
			return wf_making_wrong(m, "\"%s\" holds a space, a backslash or a control character", where);
	canonical = wf_net_url_canonical(url, NULL, NULL, NULL, &problem);
	if (canonical == NULL)
		return wf_making_wrong(m, "\"%s\" cannot be used: %s", where, problem);
	explicit_bzero(canonical, strlen(canonical));
	return true;
}

bool
wf_compose_url(WfMaking *m, const char *where, const JsonbValue *value, WfText *out)
{
	if (!wf_json_is_string(value))
		return wf_making_wrong(m, "\"%s\" must be a string, not %s", where, wf_json_type_name(value));
	return fill_url(m, wf_json_cstring(value), out) && check_url(m, where, out->data);
}

/* -- the query -- */

/* Parameters, encoded, each as name=value. */
typedef struct Query
{
	char	  **parameters;
	int			n;
	int			size;
} Query;

static void
add_parameter(Query *q, char *parameter)
{
	char	  **bigger;

	if (q->n == q->size)
	{
		q->size = Max(q->size * 2, 16);
		bigger = palloc(sizeof(char *) * q->size);
		if (q->n > 0)
			memcpy(bigger, q->parameters, sizeof(char *) * q->n);
		q->parameters = bigger;
	}
	q->parameters[q->n++] = parameter;
}

static bool
add_value(WfMaking *m, Query *q, const JsonbValue *name, const JsonbValue *value)
{
	const char *where = psprintf("query.%s", wf_json_cstring(name));
	WfText		name_text = {0};
	WfText		text = {0};
	WfBuffer   *buffer;

	if (!wf_making_text(m, "query", name, &name_text) || !wf_making_text(m, where, value, &text))
		return false;
	buffer = wf_buffer_make(3 * (name_text.bytes + text.bytes) + 1);
	wf_buffer_put_encoded(buffer, name_text.data, name_text.bytes);
	wf_buffer_put(buffer, "=", 1);
	wf_buffer_put_encoded(buffer, text.data, text.bytes);
	add_parameter(q, buffer->data);
	return true;
}

/* The request's query: a text or a list of texts for each name. */
static bool
add_query(WfMaking *m, Query *q)
{
	JsonbValue	query;
	JsonbValue	name;
	JsonbValue	value;
	JsonbValue	element;
	WfJsonIter	it;

	if (!wf_json_field(m->request, "query", &query))
		return true;
	wf_json_iter_begin(&it, &query);
	while (wf_json_iter_next(&it, &name, &value))
	{
		if (!wf_json_is_array(&value) && !add_value(m, q, &name, &value))
			return false;
		for (uint32 i = 0; wf_json_element(&value, i, &element); i++)
			if (!add_value(m, q, &name, &element))
				return false;
	}
	return true;
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef";
	const char *found = c == '\0' ? NULL : strchr(digits, pg_ascii_tolower((unsigned char) c));

	return found == NULL ? -1 : (int) (found - digits);
}

/* Text that is encoded in some way, encoded in the one way. */
static void
put_encoded_again(WfBuffer *out, const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
	{
		char		c = text[i] == '+' ? ' ' : text[i];

		if (c == '%' && i + 2 < bytes && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0)
		{
			c = (char) (hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		}
		wf_buffer_put_encoded(out, &c, 1);
	}
}

/* A query as an address has it, parameter by parameter. */
static void
add_written_query(Query *q, const char *query, size_t bytes)
{
	const char *end = query + bytes;

	while (query < end)
	{
		const char *amp = memchr(query, '&', end - query);
		const char *stop = amp == NULL ? end : amp;
		const char *equals = memchr(query, '=', stop - query);
		WfBuffer   *buffer = wf_buffer_make(3 * (stop - query) + 1);

		put_encoded_again(buffer, query, (equals == NULL ? stop : equals) - query);
		wf_buffer_put(buffer, "=", 1);
		if (equals != NULL)
			put_encoded_again(buffer, equals + 1, stop - equals - 1);
		if (stop > query)
			add_parameter(q, buffer->data);
		query = stop + 1;
	}
}

/* By name, then by value. */
static int
compare_parameters(const void *a, const void *b)
{
	const char *left = *(const char *const *) a;
	const char *right = *(const char *const *) b;
	size_t		left_bytes = strcspn(left, "=");
	size_t		right_bytes = strcspn(right, "=");
	int			order = memcmp(left, right, Min(left_bytes, right_bytes));

	if (order == 0)
		order = (left_bytes > right_bytes) - (left_bytes < right_bytes);
	return order != 0 ? order : strcmp(left + left_bytes, right + right_bytes);
}

/* url with the parameters behind those that it has. */
static char *
join(const char *url, const Query *q, bool has_query)
{
	WfBuffer   *buffer;
	size_t		bytes = strlen(url);

	for (int i = 0; i < q->n; i++)
		bytes += strlen(q->parameters[i]) + 1;
	buffer = wf_buffer_make(bytes);
	wf_buffer_put_text(buffer, url);
	for (int i = 0; i < q->n; i++)
	{
		char		last = buffer->bytes == 0 ? '\0' : buffer->data[buffer->bytes - 1];

		if (!has_query)
			wf_buffer_put(buffer, "?", 1);
		else if (last != '?' && last != '&')
			wf_buffer_put(buffer, "&", 1);
		has_query = true;
		wf_buffer_put_text(buffer, q->parameters[i]);
	}
	return buffer->data;
}

bool
wf_compose_address(WfMaking *m)
{
	bool		is_aws = m->out->auth.type == WF_NET_AUTH_AWS;
	Query		q = {0};
	JsonbValue	value;
	WfText		url = {0};
	WfBuffer   *base;
	size_t		base_bytes;
	bool		has_query;

	if (!wf_json_field(m->request, "url", &value))
		return wf_making_wrong(m, "\"url\" is missing");
	if (!wf_compose_url(m, "url", &value, &url))
		return false;
	Assert(url.data != NULL);
	base_bytes = strcspn(url.data, "#");
	has_query = strcspn(url.data, "?") < base_bytes;
	if (is_aws && has_query)
	{
		size_t		mark = strcspn(url.data, "?");

		add_written_query(&q, url.data + mark + 1, base_bytes - mark - 1);
		base_bytes = mark;
		has_query = false;
	}
	if (!add_query(m, &q))
		return false;
	if (m->parameter != NULL)
		add_parameter(&q, unconstify(char *, m->parameter));
	if (is_aws && q.n > 1)
		qsort(q.parameters, q.n, sizeof(char *), compare_parameters);
	base = wf_buffer_make(base_bytes);
	wf_buffer_put(base, url.data, base_bytes);
	m->out->url = join(base->data, &q, has_query);
	return check_url(m, "url", m->out->url);
}

/* -- what is shown of it -- */

char *
wf_compose_host(const char *url, char **path)
{
	char	   *host;
	char	   *problem;
	int			port;

	if (wf_net_url_canonical(url, &host, &port, path, &problem) == NULL)
		return NULL;
	return psprintf(strchr(host, ':') == NULL ? "%s:%d" : "[%s]:%d", host, port);
}

char *
wf_compose_relay(void)
{
	WfSmtpUrl	relay;
	char	   *host = pstrdup("none");

	if (wf_setting_smtp_url[0] != '\0' && wf_smtp_url_read(wf_setting_smtp_url, &relay) == NULL)
		host = psprintf("%s:%d", relay.host, relay.port);
	explicit_bzero(&relay, sizeof(relay));
	return host;
}

/* The path of an address with *** in it, whose beginning is not known. */
static char *
shown_path(const char *masked)
{
	const char *authority = strstr(masked, "://");
	const char *path = authority == NULL ? NULL : authority + 3 + strcspn(authority + 3, "/?#");

	if (path == NULL)
		return pstrdup(HIDDEN);
	return *path == '/' ? pnstrdup(path, strcspn(path, "?#")) : pstrdup("/");
}

bool
wf_compose_hides_host(const char *url, const char *nonce)
{
	const char *authority = strstr(url, "://");

	if (leading_marker(url, nonce) > 0)
		return true;
	return authority != NULL && wf_making_is_marked(pnstrdup(url, authority + 3 + strcspn(authority + 3, "/?#") - url), nonce);
}

void
wf_compose_face(const JsonbValue *request, WfRequestFace *out)
{
	char	   *kind = wf_json_get_cstring(request, "kind");
	char	   *url = wf_json_get_cstring(request, "url");
	char	   *nonce = wf_making_nonce(request);
	char	   *path;
	char	   *masked;

	if (kind != NULL && strcmp(kind, "mail") == 0)
	{
		out->method = "MAIL";
		out->host = wf_compose_relay();
		out->path = NULL;
		return;
	}
	out->method = wf_json_get_cstring(request, "method");
	if (out->method == NULL)
		out->method = "GET";
	url = url == NULL ? pstrdup("") : url;
	masked = wf_making_masked(url, nonce);
	masked[strcspn(masked, "?#")] = '\0';
	out->host = HIDDEN;
	out->path = shown_path(masked);
	if (wf_compose_hides_host(url, nonce))
		return;
	out->host = wf_compose_host(masked, &path);
	if (out->host != NULL)
		out->path = path;
	else
		out->host = "invalid";
}

/* The values of the request's query, with *** for those that hold a secret. */
static void
add_shown_value(Query *q, const char *name, const JsonbValue *value, const char *nonce, bool *is_secret)
{
	WfBuffer   *buffer = wf_buffer_make(0);
	char	   *text = wf_json_cstring(value);

	if (text == NULL)
		return;
	if (wf_making_is_marked(name, nonce))
		wf_buffer_put_text(buffer, HIDDEN);
	else
		wf_buffer_put_encoded(buffer, name, strlen(name));
	wf_buffer_put(buffer, "=", 1);
	if (wf_making_is_marked(text, nonce))
		wf_buffer_put_text(buffer, HIDDEN);
	else
		wf_buffer_put_encoded(buffer, text, strlen(text));
	*is_secret |= wf_making_is_marked(text, nonce) || wf_making_is_marked(name, nonce);
	add_parameter(q, buffer->data);
}

static bool
add_shown_query(Query *q, const JsonbValue *request, const char *nonce)
{
	JsonbValue	query;
	JsonbValue	name;
	JsonbValue	value;
	JsonbValue	element;
	WfJsonIter	it;
	bool		is_secret = false;

	if (!wf_json_field(request, "query", &query))
		return false;
	wf_json_iter_begin(&it, &query);
	while (wf_json_iter_next(&it, &name, &value))
	{
		char	   *text = wf_json_cstring(&name);

		add_shown_value(q, text, &value, nonce, &is_secret);
		for (uint32 i = 0; wf_json_element(&value, i, &element); i++)
			add_shown_value(q, text, &element, nonce, &is_secret);
	}
	return is_secret;
}

/* The parameter of auth, when that is in the query: name=*** */
static bool
add_shown_key(Query *q, const JsonbValue *request, const char *nonce)
{
	JsonbValue	auth;
	char	   *in;
	char	   *name;
	WfBuffer   *buffer = wf_buffer_make(0);

	if (!wf_json_field(request, "auth", &auth))
		return false;
	in = wf_json_get_cstring(&auth, "in");
	name = wf_json_get_cstring(&auth, "name");
	if (in == NULL || strcmp(in, "query") != 0 || name == NULL)
		return false;
	if (wf_making_is_marked(name, nonce))
		wf_buffer_put_text(buffer, HIDDEN);
	else
		wf_buffer_put_encoded(buffer, name, strlen(name));
	wf_buffer_put_text(buffer, "=" HIDDEN);
	add_parameter(q, buffer->data);
	return true;
}

char *
wf_compose_shown_address(const JsonbValue *request, bool *path_is_secret)
{
	char	   *url = wf_json_get_cstring(request, "url");
	char	   *nonce = wf_making_nonce(request);
	Query		q = {0};
	bool		query_is_secret;
	char	   *masked;

	*path_is_secret = false;
	if (url == NULL)
		return NULL;
	*path_is_secret = wf_making_is_marked(pnstrdup(url, strcspn(url, "?#")), nonce);
	query_is_secret = wf_making_is_marked(url, nonce) && !*path_is_secret;
	query_is_secret |= add_shown_query(&q, request, nonce);
	query_is_secret |= add_shown_key(&q, request, nonce);
	if (!*path_is_secret && !query_is_secret)
		return NULL;
	masked = wf_making_masked(url, nonce);
	masked[strcspn(masked, "#")] = '\0';
	return join(masked, &q, strchr(masked, '?') != NULL);
}
