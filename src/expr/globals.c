/*
 * globals.c: functions that stand by themselves: parseInt and its kind, the URI codecs, base64,
 * structuredClone, and the shorthands `$ifEmpty`, `$max`, `$min`.
 */
#include "postgres.h"

#include "expr/internal.h"

/* -- URIs -- */

static const char uri_unescaped[] = "-_.!~*'()";
static const char uri_reserved[] = ";/?:@&=+$,#";

/* Percent-encodes all but letters, digits and the characters of `kept`. */
void
wf_expr_uri_encode(WfEval *ev, const WfValue *text, const char *kept, WfValue *out)
{
	static const char hex[] = "0123456789ABCDEF";
	WfBuffer	buffer;

	wf_expr_buffer_begin(&buffer, ev);
	wf_expr_spend(ev, text->len >> 2);
	for (uint32 i = 0; i < text->len; i++)
	{
		unsigned char c = (unsigned char) text->u.str[i];

		if (isalnum(c) && c < 0x80)
			buffer_char(&buffer, c);
		else if (c != 0 && c < 0x80 && strchr(kept, c))
			buffer_char(&buffer, c);
		else if (c == 0xED && i + 1 < text->len && (unsigned char) text->u.str[i + 1] >= 0xA0)
			wf_expr_throw(ev, "URI malformed: half of a surrogate pair");
		else
		{
			buffer_char(&buffer, '%');
			buffer_char(&buffer, hex[c >> 4]);
			buffer_char(&buffer, hex[c & 15]);
		}
	}
	wf_expr_buffer_end(&buffer, out);
}

static int
hex_byte(const WfValue *text, uint32 at)
{
	int			value = 0;

	if (at + 2 >= text->len || text->u.str[at] != '%')
		return -1;
	for (int i = 1; i <= 2; i++)
	{
		unsigned char c = (unsigned char) text->u.str[at + i];

		if (!isxdigit(c))
			return -1;
		value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return value;
}

/* Decodes; escapes of the characters in `kept` stay. Throws WF008 when it is malformed. */
static void
uri_decode(WfEval *ev, const WfValue *text, const char *kept, WfValue *out)
{
	WfBuffer	buffer;

	wf_expr_buffer_begin(&buffer, ev);
	wf_expr_spend(ev, text->len >> 2);
	for (uint32 i = 0; i < text->len; i++)
	{
		char		bytes[4];
		int			first;
		int			n;
		int			size;
		int32		code;

		if (text->u.str[i] != '%')
		{
			buffer_char(&buffer, text->u.str[i]);
			continue;
		}
		first = hex_byte(text, i);
		if (first >= 0 && first < 0x80)
		{
			if (first != 0 && strchr(kept, first))
				buffer_bytes(&buffer, text->u.str + i, 3);
			else
				buffer_char(&buffer, (char) first);
			i += 2;
			continue;
		}
		n = first >= 0xF0 && first < 0xF8 ? 4 : first >= 0xE0 && first < 0xF0 ? 3 : first >= 0xC0 && first < 0xE0 ? 2 : 0;
		for (int j = 0; j < n; j++)
		{
			int			byte = hex_byte(text, i + 3 * j);

			if (byte < 0 || (j > 0 && (byte & 0xC0) != 0x80))
				n = 0;
			bytes[j] = (char) byte;
		}
		if (n > 0)
		{
			code = wf_expr_decode(bytes, bytes + n, &size);
			if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ||
				code < (n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000))
				n = 0;
		}
		if (n == 0)
			wf_expr_throw(ev, "URI malformed");
		buffer_bytes(&buffer, bytes, n);
		i += 3 * n - 1;
	}
	wf_expr_buffer_end(&buffer, out);
}

#define URI_FUNCTION(name, call) \
static void \
name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	WfValue		text; \
\
	wf_expr_to_string(ev, ARG(0), &text); \
	call; \
}

URI_FUNCTION(encode_uri_component, wf_expr_uri_encode(ev, &text, uri_unescaped, out))
URI_FUNCTION(encode_uri, wf_expr_uri_encode(ev, &text, "-_.!~*'();/?:@&=+$,#", out))
URI_FUNCTION(decode_uri_component, uri_decode(ev, &text, "", out))
URI_FUNCTION(decode_uri, uri_decode(ev, &text, uri_reserved, out))

/* -- base64 -- */

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Base64 of bytes. */
void
wf_expr_base64(WfEval *ev, const unsigned char *bytes, uint32 len, WfValue *out)
{
	WfBuffer	buffer;

	wf_expr_buffer_begin(&buffer, ev);
	wf_expr_buffer_grow(&buffer, (Size) len / 3 * 4 + 8);
	wf_expr_spend(ev, len >> 3);
	for (uint32 i = 0; i < len; i += 3)
	{
		int			left = len - i;
		uint32		group = bytes[i] << 16 | (left > 1 ? bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);

		buffer_char(&buffer, base64_digits[group >> 18]);
		buffer_char(&buffer, base64_digits[group >> 12 & 63]);
		buffer_char(&buffer, left > 1 ? base64_digits[group >> 6 & 63] : '=');
		buffer_char(&buffer, left > 2 ? base64_digits[group & 63] : '=');
	}
	wf_expr_buffer_end(&buffer, out);
}

/* Bytes of base64, white space skipped, padding optional; -1 when it is none. `url`: - and _ too. */
int64
wf_expr_unbase64(WfEval *ev, const WfValue *text, bool url, unsigned char *bytes)
{
	uint32		group = 0;
	int			digits = 0;
	int			pads = 0;
	int64		n = 0;

	wf_expr_spend(ev, text->len >> 3);
	for (uint32 i = 0; i < text->len; i++)
	{
		char		c = text->u.str[i];
		const char *found;

		if (c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r')
			continue;
		if (c == '=')
		{
			pads++;
			continue;
		}
		if (url && (c == '-' || c == '_'))
			c = c == '-' ? '+' : '/';
		found = c != '\0' ? strchr(base64_digits, c) : NULL;
		if (found == NULL || pads > 0)
			return -1;
		group = group << 6 | (uint32) (found - base64_digits);
		if (++digits % 4 == 0)
		{
			bytes[n++] = group >> 16 & 255;
			bytes[n++] = group >> 8 & 255;
			bytes[n++] = group & 255;
		}
	}
	if (digits % 4 == 1 || (pads > 0 && (digits + pads) % 4 != 0) || pads > 2)
		return -1;
	if (digits % 4 == 2)
		bytes[n++] = group >> 4 & 255;
	else if (digits % 4 == 3)
	{
		bytes[n++] = group >> 10 & 255;
		bytes[n++] = group >> 2 & 255;
	}
	return n;
}

static void
btoa_function(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	unsigned char *bytes;
	uint32		n = 0;
	int			size;

	wf_expr_to_string(ev, ARG(0), &text);
	bytes = wf_expr_alloc(ev, text.len + 1);
	for (uint32 i = 0; i < text.len; i += size)
	{
		int32		code = wf_expr_decode(text.u.str + i, text.u.str + text.len, &size);

		if (code > 255)
			wf_expr_throw_hint(ev, "Use .base64Encode() for text.", "btoa takes characters up to U+00FF only");
		bytes[n++] = (unsigned char) code;
	}
	wf_expr_base64(ev, bytes, n, out);
}

static void
atob_function(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	unsigned char *bytes;
	int64		n;
	WfBuffer	buffer;

	wf_expr_to_string(ev, ARG(0), &text);
	bytes = wf_expr_alloc(ev, text.len + 4);
	n = wf_expr_unbase64(ev, &text, false, bytes);
	if (n < 0)
		wf_expr_throw(ev, "atob takes base64 only");
	wf_expr_buffer_begin(&buffer, ev);
	for (int64 i = 0; i < n; i++)
	{
		wf_expr_buffer_code(&buffer, bytes[i]);
	}
	wf_expr_buffer_end(&buffer, out);
}

/* -- structuredClone -- */

static void
clone(WfEval *ev, WfMap *done, const WfValue *value, WfValue *out)
{
	WfMapEntry *known;

	wf_expr_spend(ev, 1);
	wf_expr_check_stack(ev);
	*out = *value;
	switch (value->tag)
	{
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
		case WF_V_NAMESPACE:
			wf_expr_throw(ev, "a function cannot be cloned");
		case WF_V_ARRAY:
		case WF_V_OBJECT:
		case WF_V_SET:
		case WF_V_MAP:
		case WF_V_DATE:
			break;
		default:
			return;				/* cannot change */
	}
	known = wf_expr_map_find(ev, done, value);
	if (known != NULL)
	{
		*out = known->value;
		return;
	}
	if (value->tag == WF_V_DATE)
	{
		out->u.ms = wf_expr_alloc(ev, sizeof(double));
		*out->u.ms = *value->u.ms;
	}
	else if (value->tag == WF_V_ARRAY)
	{
		set_array(out, wf_expr_copy_array(ev, value));
		wf_expr_map_put(ev, done, value, out);
		for (uint32 i = 0; i < out->u.array->count; i++)
			clone(ev, done, &value->u.array->items[i], &out->u.array->items[i]);
	}
	else if (value->tag == WF_V_OBJECT)
	{
		wf_expr_object_settle(ev, value->u.object);
		set_object(out, wf_expr_new_object(ev, value->u.object->count));
		wf_expr_map_put(ev, done, value, out);
		for (uint32 i = 0; i < value->u.object->count; i++)
		{
			WfEntry    *entry = &value->u.object->entries[i];
			WfValue		member;

			clone(ev, done, &entry->value, &member);
			wf_expr_object_put(ev, out->u.object, entry->key, entry->len, &member);
		}
	}
	else
	{
		out->u.map = wf_expr_new_map(ev);
		wf_expr_map_put(ev, done, value, out);
		for (uint32 i = 0; i < value->u.map->used; i++)
		{
			WfMapEntry *entry = &value->u.map->entries[i];
			WfValue		key;
			WfValue		member;

			if (entry->key.tag == WF_V_HOLE)
				continue;
			clone(ev, done, &entry->key, &key);
			clone(ev, done, &entry->value, &member);
			wf_expr_map_put(ev, out->u.map, &key, &member);
		}
	}
}

static void
structured_clone(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	clone(ev, wf_expr_new_map(ev), ARG(0), out);
}

/* -- shorthands -- */

/* Undefined, null, the empty string, an empty array or object. */
bool
wf_expr_is_empty(WfEval *ev, const WfValue *value)
{
	WfEntryIter it;
	WfValue		key;
	WfValue		member;

	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_NULL:
			return true;
		case WF_V_STRING:
			return value->len == 0;
		case WF_V_JSON_ARRAY:
		case WF_V_ARRAY:
			return wf_expr_array_count(value) == 0;
		case WF_V_JSON_OBJECT:
		case WF_V_OBJECT:
			wf_expr_entries_begin(ev, &it, value);
			return !wf_expr_entries_next(ev, &it, &key, &member);
		case WF_V_SET:
		case WF_V_MAP:
			return value->u.map->count == 0;
		default:
			return false;
	}
}

static void
if_empty(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	*out = wf_expr_is_empty(ev, ARG(0)) ? *ARG(1) : *ARG(0);
}

const WfBuiltin wf_expr_global_functions[] = {
	{"encodeURIComponent", encode_uri_component, 1},
	{"parseInt", wf_expr_parse_int, 2},
	{"parseFloat", wf_expr_parse_float, 1},
	{"isNaN", wf_expr_is_nan, 1},
	{"isFinite", wf_expr_is_finite, 1},
	{"decodeURIComponent", decode_uri_component, 1},
	{"encodeURI", encode_uri, 1},
	{"decodeURI", decode_uri, 1},
	{"btoa", btoa_function, 1},
	{"atob", atob_function, 1},
	{"structuredClone", structured_clone, 1},
	{"$ifEmpty", if_empty, 2, true},
	{"$max", wf_expr_max, 2, true},
	{"$min", wf_expr_min, 2, true},
	{NULL}
};
