/*
 * http_body.c: what a request says: headers, query, method and body.
 *
 * Names and values become text here, so that who sends them has nothing to decide; a body stays a value beside its
 * bodyType, and becomes bytes when it is sent, after its secrets have been put in. What a request's framing depends on
 * (Content-Length, Transfer-Encoding ...) is never the config's.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/http.h"

#define MOST_HEADERS 100
#define HEADER_BYTES 65536		/* of all */
#define METHOD_BYTES 30

#define BODY_HINT "Say what it is in \"bodyType\"."

bool
wf_block_request_is_token(const char *text)
{
	return text[0] != '\0' &&
		strspn(text, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(text);
}

/* -- headers -- */

static bool
is_in(const char *name, const char *const *list)
{
	for (; list != NULL && *list != NULL; list++)
	{
		if (pg_strcasecmp(name, *list) == 0)
			return true;
	}
	return false;
}

static bool
has_header(const WfItems *names, int before, const char *name)
{
	for (int i = 0; i < before; i++)
	{
		if (pg_strcasecmp(wf_json_cstring(&names->values[i]), name) == 0)
			return true;
	}
	return false;
}

/* Reads one header; returns its bytes. */
static int
read_header(WfReading *r, const char *name, const JsonbValue *value, const char *const *refused)
{
	static const char *const framing[] = {
		"connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection",
		"te", "trailer", "transfer-encoding", "upgrade", NULL,
	};
	const char *where;
	JsonbValue	line;
	char	   *text;

	if (!wf_block_request_is_token(name))
	{
		wf_block_request_wrong(r, "headers", NULL, "\"headers\" has a name that is none of a header: %s",
							   wf_text_clip(name));
		return 0;
	}
	where = psprintf("headers.%s", name);
	if (is_in(name, framing) || is_in(name, refused))
	{
		wf_block_request_wrong(r, where, NULL, "header \"%s\" is not the config's to set", wf_text_clip(name));
		return 0;
	}
	if (r->step == NULL && (wf_json_is_object(value) || wf_json_is_array(value)))
		return 0;
	text = wf_block_request_text(r, value, where);
	if (text == NULL)
		return 0;
	wf_json_set_string(&line, text, strlen(text));
	text = wf_block_request_line(r, &line, where, false);
	wf_block_request_put(r, name, text);
	return strlen(name) + (text == NULL ? 0 : strlen(text));
}

/* The members' names as a list. */
static void
names_of(const JsonbValue *object, WfItems *out)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	out->n = 0;
	out->values = palloc(sizeof(JsonbValue) * Max(wf_json_count(object), 1));
	wf_json_iter_begin(&it, object);
	while (wf_json_iter_next(&it, &key, &value))
		out->values[out->n++] = key;
}

static void
read_headers(WfReading *r, const JsonbValue *headers, const char *const *refused, const char *accept)
{
	int			bytes = 0;
	int			i = 0;
	WfItems		names;
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	names_of(headers, &names);
	if (names.n > MOST_HEADERS)
	{
		if (r->step != NULL)
			wf_block_request_wrong(r, "headers", NULL, "\"headers\" must hold at most %d headers, not %d", MOST_HEADERS, names.n);
		return;
	}
	if (accept != NULL && !has_header(&names, names.n, "accept"))
		wf_block_request_put(r, "Accept", accept);
	wf_json_iter_begin(&it, headers);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);

		if (has_header(&names, i++, name))
			wf_block_request_wrong(r, "headers", NULL, "header \"%s\" is there twice", wf_text_clip(name));
		else
			bytes += read_header(r, name, &value, refused);
	}
	if (bytes > HEADER_BYTES)
		wf_block_request_wrong(r, "headers", NULL, "\"headers\" must have at most %d bytes, not %d", HEADER_BYTES, bytes);
}

void
wf_block_request_headers(WfReading *r, const char *const *refused, const char *accept)
{
	JsonbValue	headers;
	bool		given = wf_block_request_field(r, "headers", &headers);

	if (given && !wf_json_is_object(&headers))
	{
		wf_block_request_wrong_type(r, "headers", "an object", &headers);
		return;
	}
	if (!given && (r->w == NULL || accept == NULL))
		return;
	if (r->w != NULL)
	{
		wf_json_key(r->w, "headers", 7);
		wf_json_begin_object(r->w);
	}
	if (given)
		read_headers(r, &headers, refused, accept);
	else
		wf_block_request_put(r, "Accept", accept);
	if (r->w != NULL)
		wf_json_end_object(r->w);
}

/* -- names and values: query, form -- */

/* One value, or each of a list. */
static void
read_values(WfReading *r, const char *name, const JsonbValue *value, const char *where)
{
	WfItems		items;
	char	   *text;

	if (!wf_json_is_array(value))
	{
		wf_block_request_put(r, name, wf_block_request_text(r, value, where));
		return;
	}
	wf_block_items_of(value, &items);
	if (r->w != NULL)
	{
		wf_json_key(r->w, name, strlen(name));
		wf_json_begin_array(r->w);
	}
	for (int i = 0; i < items.n; i++)
	{
		text = wf_block_request_text(r, &items.values[i], psprintf("%s[%d]", where, i));
		if (r->w != NULL && text != NULL)
			wf_json_put_cstring(r->w, text);
	}
	if (r->w != NULL)
		wf_json_end_array(r->w);
}

void
wf_block_request_pairs(WfReading *r, const JsonbValue *value, const char *key)
{
	WfJsonIter	it;
	JsonbValue	name;
	JsonbValue	member;

	if (!wf_json_is_object(value))
	{
		wf_block_request_wrong(r, key, NULL, "\"%s\" must be an object of names and values, not %s", key,
							   wf_json_type_name(value));
		return;
	}
	if (r->w != NULL)
	{
		wf_json_key(r->w, key, strlen(key));
		wf_json_begin_object(r->w);
	}
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &name, &member))
	{
		char	   *text = wf_json_cstring(&name);

		read_values(r, text, &member, psprintf("%s.%s", key, text));
	}
	if (r->w != NULL)
		wf_json_end_object(r->w);
}

void
wf_block_request_query(WfReading *r)
{
	JsonbValue	value;

	if (!wf_block_request_field(r, "query", &value))
		return;
	if (r->step == NULL && !wf_json_is_object(&value))
		return;
	wf_block_request_pairs(r, &value, "query");
}

/* -- multipart -- */

/* The bytes that base64 stands for; white space is let pass. */
int64
wf_block_base64_bytes(const char *text, int len)
{
	int64		digits = 0;
	int			padding = 0;

	for (int i = 0; i < len; i++)
	{
		char		c = text[i];

		if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
			continue;
		if (c == '=')
			padding++;
		else if (padding == 0 && ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
								  c == '+' || c == '/'))
			digits++;
		else
			return -1;
	}
	if (padding > 2 || (digits + padding) % 4 != 0)
		return -1;
	return digits * 3 / 4;
}

static void
read_base64(WfReading *r, const JsonbValue *value, const char *where, const char *key)
{
	if (wf_block_request_is_open(r, value))
		return;
	if (!wf_json_is_string(value))
		wf_block_request_wrong(r, where, NULL, "\"%s\" must be a string in base64, not %s", where, wf_json_type_name(value));
	else if (!wf_block_has_marker(wf_json_cstring(value), r->nonce) &&
			 wf_block_base64_bytes(value->val.string.val, value->val.string.len) < 0)
		wf_block_request_wrong(r, where, "The method base64Encode() makes it of text.", "\"%s\" is no base64", where);
	else if (r->w != NULL)
		wf_json_put_field(r->w, key, value);
}

/* A file: {filename, contentType, content}; its content is base64. */
static void
read_file(WfReading *r, const JsonbValue *part, const char *where)
{
	static const char *const known[] = {"filename", "contentType", "content", NULL};
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	wf_json_iter_begin(&it, part);
	while (wf_json_iter_next(&it, &key, &value))
	{
		if (!is_in(wf_json_cstring(&key), known))
			wf_block_request_wrong(r, where, "A file is {filename, contentType, content}.", "\"%s\" has an unknown key \"%s\"",
								   where, wf_text_clip(wf_json_cstring(&key)));
	}
	if (r->w != NULL)
		wf_json_begin_object(r->w);
	if (wf_block_request_member(r, part, "filename", &value))
		wf_block_request_put(r, "filename", wf_block_request_line(r, &value, psprintf("%s.filename", where), true));
	if (wf_block_request_member(r, part, "contentType", &value))
		wf_block_request_put(r, "contentType", wf_block_request_line(r, &value, psprintf("%s.contentType", where), true));
	if (wf_block_request_member(r, part, "content", &value))
		read_base64(r, &value, psprintf("%s.content", where), "content");
	else if (!wf_json_field(part, "content", &value) || value.type == jbvNull)
		wf_block_request_wrong(r, where, NULL, "\"%s\" needs \"content\"", where);
	if (r->w != NULL)
		wf_json_end_object(r->w);
}

/* A text or a file, as an element or a value that is due. */
static void
read_part(WfReading *r, const JsonbValue *part, const char *where)
{
	char	   *text;

	if (wf_json_is_object(part))
	{
		read_file(r, part, where);
		return;
	}
	text = wf_block_request_text(r, part, where);
	if (r->w != NULL)
		wf_json_put_cstring(r->w, text == NULL ? "" : text);
}

static void
read_multipart(WfReading *r, const JsonbValue *body)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;

	if (r->w != NULL)
	{
		wf_json_key(r->w, "body", 4);
		wf_json_begin_object(r->w);
	}
	wf_json_iter_begin(&it, body);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);
		const char *where = psprintf("body.%s", name);
		JsonbValue	line;
		WfItems		items;

		wf_json_set_string(&line, name, strlen(name));
		if (value.type == jbvNull || wf_block_request_line(r, &line, where, true) == NULL)
			continue;
		if (r->w != NULL)
			wf_json_key(r->w, name, strlen(name));
		if (!wf_json_is_array(&value))
		{
			read_part(r, &value, where);
			continue;
		}
		wf_block_items_of(&value, &items);
		if (r->w != NULL)
			wf_json_begin_array(r->w);
		for (int i = 0; i < items.n; i++)
			read_part(r, &items.values[i], psprintf("%s[%d]", where, i));
		if (r->w != NULL)
			wf_json_end_array(r->w);
	}
	if (r->w != NULL)
		wf_json_end_object(r->w);
}

/* -- method and body -- */

/* A body by its type. */
static void
read_body(WfReading *r, const JsonbValue *body, const char *type)
{
	if (strcmp(type, "json") == 0)
	{
		if (r->w != NULL)
			wf_json_put_field(r->w, "body", body);
	}
	else if (strcmp(type, "form") == 0)
		wf_block_request_pairs(r, body, "body");
	else if (strcmp(type, "binary") == 0)
		read_base64(r, body, "body", "body");
	else if (strcmp(type, "text") == 0)
		wf_block_request_put(r, "body", wf_block_request_text(r, body, "body"));
	else if (strcmp(type, "none") == 0)
		wf_block_request_wrong(r, "body", BODY_HINT, "\"body\" must be left out where \"bodyType\" is \"none\"");
	else if (wf_json_is_object(body))
		read_multipart(r, body);
	else
		wf_block_request_wrong(r, "body", NULL, "\"body\" must be an object of parts, not %s", wf_json_type_name(body));
}

/* The type that is said, or that the body is of: a string is text, anything else JSON. NULL: it is wrong, or not known. */
static const char *
body_type(WfReading *r, const JsonbValue *body)
{
	static const char *const types[] = {"json", "form", "multipart", "text", "binary", "none"};
	JsonbValue	value;
	char	   *text;

	if (!wf_block_request_field(r, "bodyType", &value))
	{
		if (r->step == NULL && wf_block_fixed(r->node, "bodyType", &value) && value.type != jbvNull)
			return NULL;
		return wf_json_is_string(body) ? "text" : "json";
	}
	text = wf_json_cstring(&value);
	for (int i = 0; i < lengthof(types) && text != NULL; i++)
	{
		if (strcmp(types[i], text) == 0)
			return types[i];
	}
	if (r->step != NULL)
		wf_block_request_wrong(r, "bodyType", text == NULL ? NULL : wf_text_did_you_mean(text, types, lengthof(types)),
							   "\"bodyType\" cannot be %s", wf_text_clip(wf_json_text(&value)));
	return NULL;
}

/* The method in capitals; where there is none, what goes with having a body or not. */
static void
read_method(WfReading *r, bool has_body)
{
	static const char *const refused[] = {"CONNECT", "TRACE", NULL};
	JsonbValue	value;
	char	   *method;

	if (!wf_block_request_field(r, "method", &value))
	{
		wf_block_request_put(r, "method", has_body ? "POST" : "GET");
		return;
	}
	if (!wf_json_is_string(&value))
	{
		wf_block_request_wrong_type(r, "method", "a string", &value);
		return;
	}
	method = wf_json_cstring(&value);
	if (r->step == NULL && method[0] == '\0')
		return;
	for (char *p = method; *p != '\0'; p++)
		*p = pg_ascii_toupper((unsigned char) *p);
	if (strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-") != strlen(method) || method[0] == '\0' ||
		strlen(method) > METHOD_BYTES || is_in(method, refused))
		wf_block_request_wrong(r, "method", NULL, "\"method\" cannot be %s", wf_text_clip(wf_json_text(&value)));
	else
		wf_block_request_put(r, "method", method);
}

void
wf_block_request_content(WfReading *r)
{
	JsonbValue	body;
	bool		has_body = wf_block_request_field(r, "body", &body);
	const char *type;

	if (!has_body)
		wf_json_set_null(&body);
	read_method(r, has_body);
	type = body_type(r, &body);
	if (!has_body || type == NULL)
		return;
	read_body(r, &body, type);
	wf_block_request_put(r, "bodyType", type);
}
