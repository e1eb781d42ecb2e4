/*
 * headers.c: methods and headers.
 */
#include "postgres.h"

#include "hook/internal.h"

typedef struct Header
{
	const char *name;			/* in small letters */
	const char *value;			/* without white space around it */
} Header;

struct WfHookHeaders
{
	int			n;
	size_t		bytes;
	Header		all[WF_HOOK_HEADERS];
};

const char *
wf_hook_method(const char *name)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};

	for (int i = 0; i < lengthof(methods); i++)
		if (pg_strcasecmp(methods[i], name) == 0)
			return methods[i];
	return NULL;
}

/* -- reading -- */

static char *
lower(const JsonbValue *name)
{
	char	   *text = pnstrdup(name->val.string.val, name->val.string.len);

	for (char *c = text; *c != '\0'; c++)
		*c = (char) pg_ascii_tolower((unsigned char) *c);
	return text;
}

static char *
trimmed(const JsonbValue *value)
{
	const char *from = value->val.string.val;
	int			len = value->val.string.len;

	for (; len > 0 && (*from == ' ' || *from == '\t'); len--)
		from++;
	while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
		len--;
	return pnstrdup(from, len);
}

/* Adds a value; returns what is wrong, or NULL. */
static const char *
add(WfHookHeaders *headers, const char *name, const JsonbValue *value)
{
	if (value->type != jbvString)
		return "the value of a header is no text";
	headers->bytes += strlen(name) + value->val.string.len;
	if (headers->n == WF_HOOK_HEADERS || headers->bytes > WF_HOOK_HEADERS_BYTES)
		return psprintf("there are more than %d headers, or more than %d bytes of them", WF_HOOK_HEADERS,
						WF_HOOK_HEADERS_BYTES);
	headers->all[headers->n++] = (Header) {.name = name, .value = trimmed(value)};
	return NULL;
}

WfHookHeaders *
wf_hook_headers(const JsonbValue *object, const char **problem)
{
	WfHookHeaders *headers = palloc0(sizeof(WfHookHeaders));
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	element;

	*problem = NULL;
	if (object == NULL || object->type == jbvNull)
		return headers;
	if (!wf_json_is_object(object))
		*problem = "headers are no object";
	else if (wf_json_count(object) > WF_HOOK_HEADERS)
		*problem = psprintf("there are more than %d headers", WF_HOOK_HEADERS);
	if (*problem != NULL)
		return NULL;
	wf_json_iter_begin(&it, object);
	while (*problem == NULL && wf_json_iter_next(&it, &key, &value))
	{
		const char *name;

		if (key.val.string.len > WF_HOOK_HEADERS_BYTES)
		{
			*problem = "the name of a header is too long";
			break;
		}
		name = lower(&key);
		if (!wf_json_is_array(&value))
			*problem = add(headers, name, &value);
		else
			for (uint32 i = 0; *problem == NULL && wf_json_element(&value, i, &element); i++)
				*problem = add(headers, name, &element);
	}
	return *problem == NULL ? headers : NULL;
}

/* -- asking -- */

int
wf_hook_header_count(const WfHookHeaders *headers, const char *name)
{
	int			n = 0;

	for (int i = 0; i < headers->n; i++)
		n += strcmp(headers->all[i].name, name) == 0;
	return n;
}

const char *
wf_hook_header(const WfHookHeaders *headers, const char *name)
{
	if (wf_hook_header_count(headers, name) == 1)
		for (int i = 0; i < headers->n; i++)
			if (strcmp(headers->all[i].name, name) == 0)
				return headers->all[i].value;
	return NULL;
}

/* Is there one of the same name before it? */
static bool
came_before(const WfHookHeaders *headers, int index)
{
	for (int i = 0; i < index; i++)
		if (strcmp(headers->all[i].name, headers->all[index].name) == 0)
			return true;
	return false;
}

Jsonb *
wf_hook_headers_json(const WfHookHeaders *headers)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	for (int i = 0; i < headers->n; i++)
	{
		const char *name = headers->all[i].name;
		bool		is_list = wf_hook_header_count(headers, name) > 1;

		if (came_before(headers, i))
			continue;
		wf_json_key(w, name, (int) strlen(name));
		if (is_list)
			wf_json_begin_array(w);
		for (int k = i; k < headers->n; k++)
			if (strcmp(headers->all[k].name, name) == 0)
				wf_json_put_cstring(w, headers->all[k].value);
		if (is_list)
			wf_json_end_array(w);
	}
	wf_json_end_object(w);
	return wf_json_finish(w);
}
