/*
 * body.c: what was sent, as a value.
 */
#include "postgres.h"

#include "hook/internal.h"

/* -- content types -- */

/* `type/subtype` in small letters. */
static char *
media_type(const char *content_type)
{
	char	   *type = pnstrdup(content_type, strcspn(content_type, "; \t"));

	for (char *c = type; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return type;
}

static bool
is_json_type(const char *type)
{
	size_t		len = strlen(type);

	return strcmp(type, "application/json") == 0 || strcmp(type, "text/json") == 0 ||
		(len > 5 && strcmp(type + len - 5, "+json") == 0);
}

/* Does the content type name an encoding that is not UTF-8, or part of it? */
static bool
has_other_charset(const char *content_type)
{
	const char *at = strchr(content_type, ';');

	for (; at != NULL; at = strchr(at, ';'))
	{
		size_t		len;

		at += 1 + strspn(at + 1, " \t");
		if (pg_strncasecmp(at, "charset=", 8) != 0)
			continue;
		at += 8 + (at[8] == '"');
		len = strcspn(at, "\"; \t");
		return !((len == 5 && pg_strncasecmp(at, "utf-8", 5) == 0) || (len == 4 && pg_strncasecmp(at, "utf8", 4) == 0) ||
				 (len == 8 && pg_strncasecmp(at, "us-ascii", 8) == 0));
	}
	return false;
}

/* -- values -- */

static Jsonb *
text_json(const char *text, size_t bytes)
{
	JsonbValue	value;

	wf_json_set_string(&value, text, (int) bytes);
	return wf_json_copy(&value);
}

static Jsonb *
read_json(const char *content_type, const char *body, size_t bytes, const char **problem)
{
	Jsonb	   *parsed = wf_hook_parse_json(body, bytes);

	if (parsed == NULL)
		*problem = "the body is no JSON in UTF-8, or none that jsonb can hold";
	return parsed;
}

static Jsonb *
read_text(const char *content_type, const char *body, size_t bytes, const char **problem)
{
	bool		is_ascii = true;

	for (size_t i = 0; i < bytes && is_ascii; i++)
		is_ascii = !IS_HIGHBIT_SET(body[i]);
	if (!is_ascii && has_other_charset(content_type))
		*problem = "the body is text in an encoding other than UTF-8";
	else if (!wf_hook_is_text(body, bytes))
		*problem = "the body is no text in UTF-8, or has a NUL in it, or characters that the database has not";
	return *problem == NULL ? text_json(body, bytes) : NULL;
}

/* -- forms -- */

typedef struct Field
{
	WfHookText	name;
	WfHookText	value;
	bool		is_done;
} Field;

/* One side of a field; false when it is no text. */
static bool
read_side(const char *text, size_t bytes, WfHookText *out)
{
	char	   *decoded = palloc(bytes + 1);

	out->data = decoded;
	return wf_hook_percent_decode(text, bytes, true, decoded, &out->bytes) && wf_hook_is_text(decoded, out->bytes);
}

/* Returns how many there are; -1, with *problem. */
static int
read_fields(const char *body, size_t bytes, Field *fields, const char **problem)
{
	const char *end = body + bytes;
	int			n = 0;

	for (const char *at = body; at < end;)
	{
		const char *stop = memchr(at, '&', end - at);
		const char *equals;
		const char *value;

		stop = stop == NULL ? end : stop;
		equals = memchr(at, '=', stop - at);
		equals = equals == NULL ? stop : equals;
		value = equals + (equals < stop);
		if (stop > at)
		{
			if (n == WF_HOOK_FORM_FIELDS)
				*problem = psprintf("the form has more than %d fields", WF_HOOK_FORM_FIELDS);
			else if (!read_side(at, equals - at, &fields[n].name) ||
					 !read_side(value, stop - value, &fields[n].value))
				*problem = "the form is not encoded as one, or not in UTF-8";
			if (*problem != NULL)
				return -1;
			n++;
		}
		at = stop + (stop < end);
	}
	return n;
}

static bool
is_named_alike(const Field *a, const Field *b)
{
	return a->name.bytes == b->name.bytes && memcmp(a->name.data, b->name.data, a->name.bytes) == 0;
}

/* A field and all others of its name. */
static void
put_field(WfJsonWriter *w, Field *fields, int n, int index)
{
	int			alike = 0;

	for (int i = index; i < n; i++)
		alike += is_named_alike(&fields[i], &fields[index]);
	wf_json_key(w, fields[index].name.data, (int) fields[index].name.bytes);
	if (alike > 1)
		wf_json_begin_array(w);
	for (int i = index; i < n; i++)
	{
		if (!is_named_alike(&fields[i], &fields[index]))
			continue;
		wf_json_put_string(w, fields[i].value.data, (int) fields[i].value.bytes);
		fields[i].is_done = true;
	}
	if (alike > 1)
		wf_json_end_array(w);
}

static Jsonb *
read_form(const char *content_type, const char *body, size_t bytes, const char **problem)
{
	Field	   *fields = palloc0(sizeof(Field) * WF_HOOK_FORM_FIELDS);
	int			n = read_fields(body, bytes, fields, problem);
	WfJsonWriter *w;

	if (n < 0)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	for (int i = 0; i < n; i++)
		if (!fields[i].is_done)
			put_field(w, fields, n, i);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- all of it -- */

/* A jsonb's keys and values have their limits, which the writer enforces by throwing. */
typedef struct Reading
{
	Jsonb	   *(*read) (const char *content_type, const char *body, size_t bytes, const char **problem);
	const char *content_type;
	const char *body;
	size_t		bytes;
	const char *problem;
	MemoryContext memory;
} Reading;

static Jsonb *
read_guarded(void *arg)
{
	Reading    *r = arg;
	Jsonb	   *made = r->read(r->content_type, r->body, r->bytes, &r->problem);

	if (r->problem != NULL)
		r->problem = MemoryContextStrdup(r->memory, r->problem);
	return made;
}

Jsonb *
wf_hook_body(const WfHookHeaders *headers, const char *body, size_t bytes, const char **problem)
{
	const char *content_type = wf_hook_header(headers, "content-type");
	Reading		r = {.body = body, .bytes = bytes, .memory = CurrentMemoryContext};
	const char *type;
	char	   *encoded;
	Jsonb	   *made;
	int			sqlstate;

	*problem = NULL;
	if (bytes > WF_HOOK_BODY_BYTES)
		*problem = "the body is too large";
	else if (wf_hook_header_count(headers, "content-type") > 1)
		*problem = "header \"content-type\" came more than once";
	if (*problem != NULL)
		return NULL;
	if (bytes == 0)
		return wf_json_null();
	r.content_type = content_type == NULL ? "" : content_type;
	type = media_type(r.content_type);
	if (is_json_type(type))
		r.read = read_json;
	else if (strcmp(type, "application/x-www-form-urlencoded") == 0)
		r.read = read_form;
	else if (strncmp(type, "text/", 5) == 0)
		r.read = read_text;
	else
	{
		encoded = wf_hook_base64(body, bytes);
		made = text_json(encoded, strlen(encoded));
		pfree(encoded);
		return made;
	}
	made = wf_json_guarded(read_guarded, &r, &sqlstate);
	if (made == NULL)
		*problem = r.problem != NULL ? r.problem : "the body is too large";
	return made;
}
