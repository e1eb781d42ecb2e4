/*
 * json_methods.c: JSON.parse and JSON.stringify, with reviver, replacer and indentation.
 *
 * The parser builds values of the evaluation directly, so that members keep the order of the text as
 * in JavaScript.
 */
#include "postgres.h"

#include <math.h>

#include "expr/internal.h"

/* -- stringify -- */

typedef struct Printer
{
	WfEval	   *ev;
	WfBuffer	buffer;
	WfValue		gap;			/* one level of indentation */
	const WfValue *replacer;	/* a function, or NULL */
	WfMap	   *allowed;		/* keys, or NULL */
	int			depth;
} Printer;

/* A JSON string; lone surrogates and control characters are escaped. */
static void
put_string(WfBuffer *buffer, const WfValue *string)
{
	static const char hex[] = "0123456789abcdef";
	const char *s = string->u.str;
	uint32		from = 0;

	wf_expr_spend(buffer->ev, string->len >> 3);
	buffer_char(buffer, '"');
	for (uint32 i = 0; i < string->len; i++)
	{
		unsigned char c = (unsigned char) s[i];
		const char *found;

		if (c >= 0x20 && c != '"' && c != '\\' &&
			!(c == 0xED && i + 2 < string->len && (unsigned char) s[i + 1] >= 0xA0))
			continue;
		buffer_bytes(buffer, s + from, i - from);
		from = i + 1;
		if (c == 0xED)
		{
			int			size;
			int32		code = wf_expr_decode(s + i, s + string->len, &size);
			char		escape[6] = {'\\', 'u', hex[code >> 12], hex[code >> 8 & 15], hex[code >> 4 & 15], hex[code & 15]};

			buffer_bytes(buffer, escape, 6);
			i += 2;
			from = i + 1;
			continue;
		}
		buffer_char(buffer, '\\');
		found = strchr("\"\\\bb\ff\nn\rr\tt", c);
		if (c == '"' || c == '\\')
			buffer_char(buffer, c);
		else if (c != 0 && found != NULL)
			buffer_char(buffer, found[1]);
		else
		{
			char		escape[5] = {'u', '0', '0', hex[c >> 4], hex[c & 15]};

			buffer_bytes(buffer, escape, 5);
		}
	}
	buffer_bytes(buffer, s + from, string->len - from);
	buffer_char(buffer, '"');
}

static void
new_line(Printer *p)
{
	if (p->gap.len == 0)
		return;
	buffer_char(&p->buffer, '\n');
	for (int i = 0; i < p->depth; i++)
		wf_expr_buffer_string(&p->buffer, &p->gap);
}

/* Applies toJSON and the replacer. */
static void
prepare(Printer *p, const WfValue *holder, const WfValue *key, WfValue *value)
{
	WfEval	   *ev = p->ev;
	WfValue		fn;
	WfValue		args[2];
	WfValue		result;

	if (value->tag == WF_V_OBJECT && wf_expr_get_field(ev, value, "toJSON", &fn) && WF_IS_FUNCTION(&fn))
	{
		args[0] = *key;
		wf_expr_call(ev, &fn, value, 1, args, &result);
		*value = result;
	}
	else if (value->tag == WF_V_DATE)
	{
		if (isnan(*value->u.ms))
			set_null(value);
		else
			wf_expr_date_text(ev, value, 'j', value);
	}
	else if (value->tag == WF_V_DATETIME)
	{
		if (value->u.moment->valid)
			wf_expr_moment_text(ev, value->u.moment, value);
		else
			set_null(value);
	}
	else if (value->tag == WF_V_DURATION)
		wf_expr_duration_text(ev, value->u.duration, value);
	if (p->replacer != NULL)
	{
		args[0] = *key;
		args[1] = *value;
		wf_expr_call(ev, p->replacer, holder, 2, args, &result);
		*value = result;
	}
}

static bool print(Printer *p, const WfValue *value);

static void
print_array(Printer *p, const WfValue *value)
{
	WfItemIter	it;
	WfValue		item;
	WfValue		key;
	int64		i = 0;

	buffer_char(&p->buffer, '[');
	p->depth++;
	wf_expr_items_begin(p->ev, &it, value);
	for (; wf_expr_items_next(p->ev, &it, &item); i++)
	{
		if (i > 0)
			buffer_char(&p->buffer, ',');
		new_line(p);
		if (p->replacer != NULL || item.tag >= WF_V_OBJECT)
		{
			WfValue		index;

			set_number(&index, i);
			wf_expr_to_string(p->ev, &index, &key);
			prepare(p, value, &key, &item);
		}
		if (!print(p, &item))
			buffer_bytes(&p->buffer, "null", 4);
	}
	p->depth--;
	if (i > 0)
		new_line(p);
	buffer_char(&p->buffer, ']');
}

static bool
print_member(Printer *p, const WfValue *object, const WfValue *key, WfValue *value, bool first)
{
	Size		before = p->buffer.len;

	prepare(p, object, key, value);
	if (!first)
		buffer_char(&p->buffer, ',');
	new_line(p);
	put_string(&p->buffer, key);
	buffer_char(&p->buffer, ':');
	if (p->gap.len > 0)
		buffer_char(&p->buffer, ' ');
	if (print(p, value))
		return true;
	p->buffer.len = before;		/* left out */
	return false;
}

static void
print_object(Printer *p, const WfValue *value)
{
	WfEntryIter it;
	WfValue		key;
	WfValue		member;
	bool		first = true;

	buffer_char(&p->buffer, '{');
	p->depth++;
	if (p->allowed != NULL)
	{
		for (uint32 i = 0; i < p->allowed->used; i++)
		{
			key = p->allowed->entries[i].key;
			if (wf_expr_own_member(p->ev, value, key.u.str, key.len, &member))
				first &= !print_member(p, value, &key, &member, first);
		}
	}
	else
	{
		wf_expr_entries_begin(p->ev, &it, value);
		while (wf_expr_entries_next(p->ev, &it, &key, &member))
			first &= !print_member(p, value, &key, &member, first);
	}
	p->depth--;
	if (!first)
		new_line(p);
	buffer_char(&p->buffer, '}');
}

/* Appends a value that is prepared; false (nothing appended) for what has no JSON. */
static bool
print(Printer *p, const WfValue *value)
{
	WfValue		text;

	wf_expr_spend(p->ev, 1);
	wf_expr_check_stack(p->ev);
	if (p->depth > WF_EXPR_MAX_CALLS)
		wf_expr_over(p->ev, "expression is nested too deeply");
	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
			return false;
		case WF_V_NAMESPACE:
			if (value->u.space->call != NULL)
				return false;
			break;
		case WF_V_BIGINT:
			wf_expr_throw_hint(p->ev, "Convert it: String(n) or Number(n).", "a BigInt has no form in JSON");
		case WF_V_STRING:
			put_string(&p->buffer, value);
			return true;
		case WF_V_NULL:
			buffer_bytes(&p->buffer, "null", 4);
			return true;
		case WF_V_NUMBER:
			if (!isfinite(value->u.number))
			{
				buffer_bytes(&p->buffer, "null", 4);
				return true;
			}
			/* FALLTHROUGH */
		case WF_V_NUMERIC:
		case WF_V_BOOL:
			wf_expr_to_string(p->ev, value, &text);
			buffer_bytes(&p->buffer, text.u.str, text.len);
			return true;
		case WF_V_JSON_ARRAY:
			print_array(p, value);
			return true;
		case WF_V_ARRAY:
			if (!value->u.array->iterator)
			{
				print_array(p, value);
				return true;
			}
			break;
		case WF_V_OBJECT:
		case WF_V_JSON_OBJECT:
			print_object(p, value);
			return true;
		default:
			break;
	}
	buffer_bytes(&p->buffer, "{}", 2);
	return true;
}

static void
set_replacer(Printer *p, const WfValue *replacer)
{
	WfItemIter	it;
	WfValue		item;
	WfValue		key;

	if (WF_IS_FUNCTION(replacer))
		p->replacer = replacer;
	else if (is_array(replacer))
	{
		p->allowed = wf_expr_new_map(p->ev);
		wf_expr_items_begin(p->ev, &it, replacer);
		while (wf_expr_items_next(p->ev, &it, &item))
			if (WF_IS_STRING(&item) || WF_IS_NUMBER(&item))
			{
				wf_expr_to_string(p->ev, &item, &key);
				wf_expr_map_put(p->ev, p->allowed, &key, &key);
			}
	}
}

static void
set_gap(Printer *p, const WfValue *space)
{
	if (WF_IS_NUMBER(space))
	{
		int			n = (int) Min(Max(wf_expr_to_integer(p->ev, space), 0), 10);

		set_string(&p->gap, "          ", n, WF_S_ASCII);
	}
	else if (WF_IS_STRING(space))
		wf_expr_substring(p->ev, space, 0, Min(10, wf_expr_units(p->ev, space)), &p->gap);
}

static bool
stringify(WfEval *ev, const WfValue *value, const WfValue *replacer, const WfValue *space, WfValue *out)
{
	Printer		p = {.ev = ev};
	WfValue		prepared = *value;
	WfValue		key;
	WfValue		holder;

	set_literal(&p.gap, "");
	set_literal(&key, "");
	set_replacer(&p, replacer);
	set_gap(&p, space);
	set_undefined(&holder);
	wf_expr_buffer_begin(&p.buffer, ev);
	prepare(&p, &holder, &key, &prepared);
	if (!print(&p, &prepared))
		return false;
	wf_expr_buffer_end(&p.buffer, out);
	return true;
}

/* JSON.stringify(value); false when that is undefined. */
bool
wf_expr_stringify(WfEval *ev, const WfValue *value, WfValue *out)
{
	return stringify(ev, value, &wf_expr_undefined, &wf_expr_undefined, out);
}

static void
json_stringify(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (!stringify(ev, ARG(0), ARG(1), ARG(2), out))
		set_undefined(out);
}

/* -- parse -- */

typedef struct Reader
{
	WfEval	   *ev;
	const char *text;
	uint32		len;
	uint32		at;
	int			depth;
} Reader;

pg_noreturn static void
refuse(Reader *r)
{
	if (r->at >= r->len)
		wf_expr_throw(r->ev, "JSON ends too early");
	wf_expr_throw(r->ev, "unexpected character in JSON, at byte %u", r->at);
}

static int
look(Reader *r)
{
	while (r->at < r->len && (r->text[r->at] == ' ' || r->text[r->at] == '\t' || r->text[r->at] == '\n' ||
							  r->text[r->at] == '\r'))
		r->at++;
	return r->at < r->len ? (unsigned char) r->text[r->at] : -1;
}

static uint32
read_hex4(Reader *r)
{
	uint32		code = 0;

	for (int i = 0; i < 4; i++, r->at++)
	{
		int			c = r->at < r->len ? (unsigned char) r->text[r->at] : 0;

		if (!isxdigit(c))
			refuse(r);
		code = code << 4 | (uint32) (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	return code;
}

static void
read_string(Reader *r, WfValue *out)
{
	uint32		from = ++r->at;
	WfBuffer	buffer;
	WfValue		piece;
	bool		escaped = false;

	wf_expr_buffer_begin(&buffer, r->ev);
	for (;;)
	{
		unsigned char c = r->at < r->len ? (unsigned char) r->text[r->at] : 0;
		char		bytes[4];

		if (c >= 0x20 && c != '"' && c != '\\')
		{
			r->at++;
			continue;
		}
		if (c < 0x20)
			refuse(r);
		set_string(&piece, r->text + from, r->at - from, 0);
		r->at++;
		if (c == '"' && !escaped)
			break;
		wf_expr_buffer_string(&buffer, &piece);
		if (c == '"')
		{
			wf_expr_buffer_end(&buffer, &piece);
			break;
		}
		escaped = true;
		c = r->at < r->len ? (unsigned char) r->text[r->at] : 0;
		r->at++;
		if (c == 'u')
			set_string(&piece, bytes, wf_expr_encode(read_hex4(r), bytes), 0);
		else
		{
			static const char names[] = "\"\\/bfnrt";
			const char *found = c != 0 ? strchr(names, c) : NULL;

			if (found == NULL)
			{
				r->at--;
				refuse(r);
			}
			bytes[0] = "\"\\/\b\f\n\r\t"[found - names];
			set_string(&piece, bytes, 1, 0);
		}
		wf_expr_buffer_string(&buffer, &piece);
		from = r->at;
	}
	*out = piece;
	wf_expr_spend(r->ev, out->len >> 4);
}

static void
read_number(Reader *r, WfValue *out)
{
	uint32		from = r->at;
	const char *t = r->text;

	if (t[r->at] == '-')
		r->at++;
	if (r->at < r->len && t[r->at] == '0')
		r->at++;
	else
	{
		if (r->at >= r->len || !isdigit((unsigned char) t[r->at]))
			refuse(r);
		while (r->at < r->len && isdigit((unsigned char) t[r->at]))
			r->at++;
	}
	for (int part = 0; part < 2; part++)
	{
		if (r->at >= r->len || (part == 0 ? t[r->at] != '.' : (t[r->at] | 0x20) != 'e'))
			continue;
		r->at++;
		if (part == 1 && r->at < r->len && (t[r->at] == '+' || t[r->at] == '-'))
			r->at++;
		if (r->at >= r->len || !isdigit((unsigned char) t[r->at]))
			refuse(r);
		while (r->at < r->len && isdigit((unsigned char) t[r->at]))
			r->at++;
	}
	set_number(out, wf_expr_parse_number(t + from, r->at - from));
}

static void read_value(Reader *r, WfValue *out);

static void
read_word(Reader *r, const char *word, WfValue *out)
{
	uint32		len = strlen(word);

	for (uint32 i = 0; i < len; i++, r->at++)
		if (r->at >= r->len || r->text[r->at] != word[i])
			refuse(r);
	if (word[0] == 'n')
		set_null(out);
	else
		set_bool(out, word[0] == 't');
}

static void
read_array(Reader *r, WfValue *out)
{
	WfArray    *array = wf_expr_new_array(r->ev, 0);

	r->at++;
	set_array(out, array);
	if (look(r) == ']')
	{
		r->at++;
		return;
	}
	for (;;)
	{
		WfValue		item;

		read_value(r, &item);
		*wf_expr_array_add(r->ev, array) = item;
		if (look(r) == ']')
			break;
		if (look(r) != ',')
			refuse(r);
		r->at++;
	}
	r->at++;
}

static void
read_object(Reader *r, WfValue *out)
{
	WfObject   *object = wf_expr_new_object(r->ev, 0);

	r->at++;
	set_object(out, object);
	if (look(r) == '}')
	{
		r->at++;
		return;
	}
	for (;;)
	{
		WfValue		key;
		WfValue		value;

		if (look(r) != '"')
			refuse(r);
		read_string(r, &key);
		if (look(r) != ':')
			refuse(r);
		r->at++;
		read_value(r, &value);
		wf_expr_object_put(r->ev, object, key.u.str, key.len, &value);
		if (look(r) == '}')
			break;
		if (look(r) != ',')
			refuse(r);
		r->at++;
	}
	r->at++;
}

static void
read_value(Reader *r, WfValue *out)
{
	int			c = look(r);

	wf_expr_spend(r->ev, 1);
	wf_expr_check_stack(r->ev);
	if (++r->depth > WF_EXPR_MAX_CALLS)
		wf_expr_over(r->ev, "expression is nested too deeply");
	switch (c)
	{
		case '{':
			read_object(r, out);
			break;
		case '[':
			read_array(r, out);
			break;
		case '"':
			read_string(r, out);
			break;
		case 't':
			read_word(r, "true", out);
			break;
		case 'f':
			read_word(r, "false", out);
			break;
		case 'n':
			read_word(r, "null", out);
			break;
		default:
			if (c != '-' && !(c >= '0' && c <= '9'))
				refuse(r);
			read_number(r, out);
			break;
	}
	r->depth--;
}

/* Calls the reviver on all members from the inside out. */
static void
revive(WfEval *ev, const WfValue *reviver, const WfValue *holder, const WfValue *key, WfValue *value)
{
	WfValue		args[2];
	WfValue		name;
	WfValue		item;
	WfValue		result;

	wf_expr_check_stack(ev);
	if (value->tag == WF_V_ARRAY)
	{
		for (uint32 i = 0; i < value->u.array->count; i++)
		{
			WfValue		index;

			set_number(&index, i);
			wf_expr_to_string(ev, &index, &name);
			wf_expr_array_at(value, i, &item);
			revive(ev, reviver, value, &name, &item);
			if (item.tag == WF_V_UNDEFINED)
				item.tag = WF_V_HOLE;
			if (i < value->u.array->count)	/* the reviver may have changed it */
				value->u.array->items[i] = item;
		}
	}
	else if (value->tag == WF_V_OBJECT)
	{
		WfObject   *kept = wf_expr_new_object(ev, value->u.object->count);

		for (uint32 i = 0; i < value->u.object->count; i++)
		{
			wf_expr_object_settle(ev, value->u.object);
			set_string(&name, value->u.object->entries[i].key, value->u.object->entries[i].len, 0);
			item = value->u.object->entries[i].value;
			revive(ev, reviver, value, &name, &item);
			if (item.tag != WF_V_UNDEFINED)
				wf_expr_object_put(ev, kept, name.u.str, name.len, &item);
		}
		*value->u.object = *kept;
	}
	args[0] = *key;
	args[1] = *value;
	wf_expr_call(ev, reviver, holder, 2, args, &result);
	*value = result;
}

/* JSON.parse of a string value. Throws WF008. */
void
wf_expr_parse_json(WfEval *ev, const WfValue *text, WfValue *out)
{
	Reader		r = {.ev = ev,.text = text->u.str,.len = text->len};

	read_value(&r, out);
	if (look(&r) >= 0)
		refuse(&r);
}

static void
json_parse(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfValue		key;

	wf_expr_to_string(ev, ARG(0), &text);
	wf_expr_parse_json(ev, &text, out);
	if (WF_IS_FUNCTION(ARG(1)))
	{
		set_literal(&key, "");
		revive(ev, ARG(1), &wf_expr_undefined, &key, out);
	}
}

static const WfBuiltin json_functions[] = {
	{"stringify", json_stringify, 3},
	{"parse", json_parse, 2},
	{NULL}
};

const WfNamespace wf_expr_json = {.name = "JSON",.functions = json_functions};
