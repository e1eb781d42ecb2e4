/*
 * body.c: the body of a request, from a value and its bodyType to bytes.
 *
 * Secrets are put in where the text that they stand in is known: within strings of JSON escaped, in a form encoded with the
 * value around them, anywhere else as they are. Base64 is undone after that, so a secret may be a part of it, and what it
 * makes of it is looked at.
 */
#include "postgres.h"

#include "dispatch/making.h"
#include "utils/memutils.h"

/* Sets Content-Type, unless the config's headers have one (which have been added before). */
static void
default_type(WfMaking *m, const char *type)
{
	if (!wf_making_has_header(m, "Content-Type"))
		wf_making_add_header(m, "Content-Type", type, false);
}

static void
use_bytes(WfMaking *m, const char *data, size_t bytes, bool is_secret)
{
	m->out->body = data;
	m->out->body_bytes = bytes;
	m->out->body_is_secret |= is_secret;
}

static bool
make_json(WfMaking *m, const JsonbValue *body)
{
	char	   *text;
	WfText		filled = {0};

	if (wf_json_text_exceeds(body, wf_making_most_bytes()))
		return wf_making_too_large(m);
	text = wf_json_text(body);
	if (!wf_making_fill(m, text, strlen(text), WF_MARKER_JSON, &filled))
		return false;
	use_bytes(m, filled.data, filled.bytes, filled.is_secret);
	default_type(m, "application/json");
	return true;
}

static bool
make_text(WfMaking *m, const JsonbValue *body)
{
	WfText		text = {0};

	if (!wf_making_text(m, "body", body, &text))
		return false;
	use_bytes(m, text.data, text.bytes, text.is_secret);
	default_type(m, "text/plain; charset=utf-8");
	return true;
}

/* The bytes of a member in base64. */
static bool
decode(WfMaking *m, const char *where, const JsonbValue *value, WfText *out)
{
	WfBuffer   *bytes;
	WfText		text = {0};

	if (!wf_making_text(m, where, value, &text))
		return false;
	bytes = wf_buffer_make(text.bytes / 4 * 3 + 3);
	if (!wf_buffer_put_decoded(bytes, text.data, text.bytes))
		return wf_making_wrong(m, "\"%s\" is no base64", where);
	out->data = bytes->data;
	out->bytes = bytes->bytes;
	out->is_secret = text.is_secret;
	return true;
}

static bool
make_binary(WfMaking *m, const JsonbValue *body)
{
	WfText		bytes = {0};

	if (!decode(m, "body", body, &bytes))
		return false;
	use_bytes(m, bytes.data, bytes.bytes, bytes.is_secret);
	default_type(m, "application/octet-stream");
	return true;
}

/* -- forms -- */

/* As browsers have it: a space is a plus. */
static void
put_form_text(WfBuffer *form, const WfText *text)
{
	const char *at = text->data;
	const char *end = text->data + text->bytes;

	while (at < end)
	{
		const char *space = memchr(at, ' ', end - at);
		const char *stop = space == NULL ? end : space;

		wf_buffer_put_encoded(form, at, stop - at);
		if (space != NULL)
			wf_buffer_put(form, "+", 1);
		at = stop + 1;
	}
}

static bool
put_field(WfMaking *m, WfBuffer *form, const JsonbValue *name, const JsonbValue *value)
{
	WfText		name_text = {0};
	WfText		text = {0};

	if (!wf_making_text(m, "body", name, &name_text) ||
		!wf_making_text(m, psprintf("body.%s", wf_json_cstring(name)), value, &text))
		return false;
	if (form->bytes > 0)
		wf_buffer_put(form, "&", 1);
	put_form_text(form, &name_text);
	wf_buffer_put(form, "=", 1);
	put_form_text(form, &text);
	m->out->body_is_secret |= name_text.is_secret || text.is_secret;
	return form->bytes <= wf_making_most_bytes() || wf_making_too_large(m);
}

static bool
make_form(WfMaking *m, const JsonbValue *body)
{
	WfBuffer   *form = wf_buffer_make(wf_json_size(body));
	JsonbValue	name;
	JsonbValue	value;
	JsonbValue	element;
	WfJsonIter	it;

	if (!wf_json_is_object(body))
		return wf_making_wrong(m, "\"body\" must be an object, not %s", wf_json_type_name(body));
	wf_json_iter_begin(&it, body);
	while (wf_json_iter_next(&it, &name, &value))
	{
		if (!wf_json_is_array(&value) && !put_field(m, form, &name, &value))
			return false;
		for (uint32 i = 0; wf_json_element(&value, i, &element); i++)
			if (!put_field(m, form, &name, &element))
				return false;
	}
	if (form->overflown)
		return wf_making_too_large(m);
	use_bytes(m, form->data, form->bytes, false);
	default_type(m, "application/x-www-form-urlencoded");
	return true;
}

/* -- multipart -- */

/* A text, or {filename, contentType, content}. */
static bool
read_part(WfMaking *m, const char *where, const JsonbValue *value, WfNetPart *part)
{
	JsonbValue	content;
	WfText		filename = {0};
	WfText		type = {0};
	WfText		data = {0};

	if (!wf_json_is_object(value))
	{
		if (!wf_making_text(m, where, value, &data))
			return false;
	}
	else
	{
		if (!wf_json_field(value, "content", &content))
			return wf_making_wrong(m, "\"%s.content\" is missing", where);
		if (!wf_making_member(m, value, where, "filename", false, &filename) ||
			!wf_making_member(m, value, where, "contentType", false, &type) ||
			!decode(m, psprintf("%s.content", where), &content, &data))
			return false;
		part->filename = filename.data;
		part->content_type = type.data != NULL ? type.data : "application/octet-stream";
		m->out->body_is_secret |= filename.is_secret || type.is_secret;
	}
	part->data = data.data;
	part->data_bytes = data.bytes;
	m->out->body_is_secret |= data.is_secret;
	return true;
}

static bool
add_part(WfMaking *m, const JsonbValue *name, const char *where, const JsonbValue *value, WfNetPart *part)
{
	WfText		text = {0};

	if (!wf_making_line(m, "body", name, &text) || !read_part(m, where, value, part))
		return false;
	part->name = text.data;
	m->out->body_is_secret |= text.is_secret;
	m->out->n_parts++;
	m->part_bytes += wf_net_part_bytes(part);
	return m->part_bytes <= wf_making_most_bytes() || wf_making_too_large(m);
}

static bool
make_multipart(WfMaking *m, const JsonbValue *body)
{
	int			n = 0;
	JsonbValue	name;
	JsonbValue	value;
	JsonbValue	element;
	WfJsonIter	it;
	WfNetPart  *parts;

	if (!wf_json_is_object(body))
		return wf_making_wrong(m, "\"body\" must be an object, not %s", wf_json_type_name(body));
	wf_json_iter_begin(&it, body);
	while (wf_json_iter_next(&it, &name, &value))
		n += wf_json_is_array(&value) ? wf_json_count(&value) : 1;
	parts = palloc0(sizeof(WfNetPart) * (n + 1));
	m->out->parts = parts;
	wf_json_iter_begin(&it, body);
	while (wf_json_iter_next(&it, &name, &value))
	{
		const char *where = psprintf("body.%s", wf_json_cstring(&name));

		if (!wf_json_is_array(&value) && !add_part(m, &name, where, &value, &parts[m->out->n_parts]))
			return false;
		for (uint32 i = 0; wf_json_element(&value, i, &element); i++)
			if (!add_part(m, &name, psprintf("%s[%u]", where, i), &element, &parts[m->out->n_parts]))
				return false;
	}
	if (m->out->n_parts == 0)
		use_bytes(m, "", 0, false);
	return true;
}

/* -- all of them -- */

bool
wf_compose_body(WfMaking *m)
{
	static const struct
	{
		const char *type;
		bool		(*make) (WfMaking *m, const JsonbValue *body);
	}			makers[] = {
		{"json", make_json},
		{"text", make_text},
		{"form", make_form},
		{"multipart", make_multipart},
		{"binary", make_binary},
	};
	JsonbValue	body;
	char	   *type;

	if (!wf_json_field(m->request, "body", &body))
		return true;
	type = wf_json_get_cstring(m->request, "bodyType");
	for (int i = 0; i < lengthof(makers); i++)
		if (type != NULL && strcmp(makers[i].type, type) == 0)
			return makers[i].make(m, &body);
	return wf_making_wrong(m, "\"bodyType\" is none that is known");
}
