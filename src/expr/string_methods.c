/*
 * string_methods.c: String.prototype but for what takes a pattern, and String's own functions.
 *
 * Case mapping is Unicode's, whatever the database's locale: ASCII is done here, the rest by ICU's
 * root locale (collation "und-x-icu"), which is also what localeCompare orders by. A server built
 * without ICU uses the database's own.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/namespace.h"
#include "catalog/pg_collation.h"
#include "common/unicode_norm.h"
#include "expr/internal.h"
#include "mb/pg_wchar.h"
#include "nodes/makefuncs.h"
#include "utils/formatting.h"
#include "utils/varlena.h"

#define CASE_PIECE		(64 * 1024)	/* bytes mapped at once */
#define NORMAL_PIECE	20000	/* code points normalized at once */

/* The text of the receiver. */
static void
this_string(WfEval *ev, const WfValue *self, WfValue *out)
{
	if (WF_IS_NULLISH(self))
		wf_expr_throw(ev, "this is a method of strings, not of %s", wf_expr_kind_name(self));
	wf_expr_to_string(ev, self, out);
}

#define THIS_STRING() \
	WfValue		string; \
	this_string(ev, self, &string)

/* -- characters -- */

static void
string_at(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		at;
	double		units;

	THIS_STRING();
	at = wf_expr_to_integer(ev, ARG(0));
	units = wf_expr_units(ev, &string);
	if (at < 0)
		at += units;
	if (at < 0 || at >= units)
		set_undefined(out);
	else
		wf_expr_substring(ev, &string, at, at + 1, out);
}

static void
string_char_at(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		at;

	THIS_STRING();
	at = wf_expr_to_integer(ev, ARG(0));
	if (at < 0 || at >= wf_expr_units(ev, &string))
		set_literal(out, "");
	else
		wf_expr_substring(ev, &string, at, at + 1, out);
}

static void
string_char_code_at(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		at;

	THIS_STRING();
	at = wf_expr_to_integer(ev, ARG(0));
	if (at < 0 || at >= wf_expr_units(ev, &string))
		set_number(out, NAN);
	else
		set_number(out, wf_expr_unit_at(ev, &string, at));
}

static void
string_code_point_at(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		at;
	WfPlace		place;
	int			size;

	THIS_STRING();
	at = wf_expr_to_integer(ev, ARG(0));
	if (at < 0 || at >= wf_expr_units(ev, &string))
	{
		set_undefined(out);
		return;
	}
	place = wf_expr_place(ev, &string, at);
	if (place.half)
		set_number(out, wf_expr_unit_at(ev, &string, at));
	else
		set_number(out, wf_expr_decode(string.u.str + place.byte, string.u.str + string.len, &size));
}

/* -- pieces -- */

static void
string_slice(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		units;
	double		from;
	double		to;

	THIS_STRING();
	units = wf_expr_units(ev, &string);
	from = wf_expr_relative(ev, ARG(0), units, 0);
	to = wf_expr_relative(ev, ARG(1), units, units);
	if (from < to)
		wf_expr_substring(ev, &string, from, to, out);
	else
		set_literal(out, "");
}

static void
string_substring(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		units;
	double		from;
	double		to;

	THIS_STRING();
	units = wf_expr_units(ev, &string);
	from = Min(Max(wf_expr_to_integer(ev, ARG(0)), 0), units);
	to = HAS(1) ? Min(Max(wf_expr_to_integer(ev, ARG(1)), 0), units) : units;
	wf_expr_substring(ev, &string, Min(from, to), Max(from, to), out);
}

static void
string_substr(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		units;
	double		from;
	double		count;

	THIS_STRING();
	units = wf_expr_units(ev, &string);
	from = wf_expr_relative(ev, ARG(0), units, 0);
	count = HAS(1) ? wf_expr_to_integer(ev, ARG(1)) : units;
	count = Min(Max(count, 0), units - from);
	wf_expr_substring(ev, &string, from, from + count, out);
}

static void
string_trim(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	wf_expr_trim(&string, true, true, out);
}

static void
string_trim_start(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	wf_expr_trim(&string, true, false, out);
}

static void
string_trim_end(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	wf_expr_trim(&string, false, true, out);
}

static void
pad(WfEval *ev, const WfValue *self, int argc, WfValue *argv, bool at_start, WfValue *out)
{
	double		want;
	double		units;
	uint32		missing;
	WfValue		filler;
	WfValue		piece;
	uint32		filler_units;
	WfBuffer	buffer;

	THIS_STRING();
	want = wf_expr_to_integer(ev, ARG(0));
	units = wf_expr_units(ev, &string);
	if (HAS(1))
		wf_expr_to_string(ev, ARG(1), &filler);
	else
		set_literal(&filler, " ");
	if (want <= units || filler.len == 0)
	{
		*out = string;
		return;
	}
	wf_expr_check_size(ev, want);
	missing = want - units;
	filler_units = wf_expr_units(ev, &filler);
	wf_expr_buffer_begin(&buffer, ev);
	if (!at_start)
		wf_expr_buffer_string(&buffer, &string);
	for (; missing >= filler_units; missing -= filler_units)
		wf_expr_buffer_string(&buffer, &filler);
	wf_expr_substring(ev, &filler, 0, missing, &piece);
	wf_expr_buffer_string(&buffer, &piece);
	if (at_start)
		wf_expr_buffer_string(&buffer, &string);
	wf_expr_buffer_end(&buffer, out);
}

static void
string_pad_start(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	pad(ev, self, argc, argv, true, out);
}

static void
string_pad_end(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	pad(ev, self, argc, argv, false, out);
}

static void
string_repeat(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		count;
	WfBuffer	buffer;

	THIS_STRING();
	count = wf_expr_to_integer(ev, ARG(0));
	if (count < 0 || isinf(count))
		wf_expr_throw(ev, "invalid count of repeat");
	if (string.len > 0)
		wf_expr_check_size(ev, count * string.len);
	else
		count = 0;
	wf_expr_buffer_begin(&buffer, ev);
	if (count > 0)
		wf_expr_buffer_grow(&buffer, (Size) count * string.len);
	if (count > 0 && wf_expr_units(ev, &string) == string.len)
	{
		Size		total = (Size) count * string.len;

		wf_expr_buffer_string(&buffer, &string);
		while (buffer.len < total)
			buffer_bytes(&buffer, buffer.data, Min(buffer.len, total - buffer.len));
	}
	else
	{
		/* halves of pairs may join where two copies meet */
		for (int64 i = 0; i < count; i++)
			wf_expr_buffer_string(&buffer, &string);
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
string_concat(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		next;

	THIS_STRING();
	for (int i = 0; i < argc; i++)
	{
		WfValue		left = string;

		wf_expr_to_string(ev, &argv[i], &next);
		wf_expr_concat(ev, &left, &next, &string);
	}
	*out = string;
}

/* -- search -- */

/* The argument as text; a regular expression is refused as in JavaScript. */
static void
search_text(WfEval *ev, const WfValue *arg, const char *method, WfValue *out)
{
	if (arg->tag == WF_V_REGEXP)
		wf_expr_throw(ev, "%s takes a string, not a regular expression", method);
	wf_expr_to_string(ev, arg, out);
}

static void
string_includes(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		what;
	double		from;

	THIS_STRING();
	search_text(ev, ARG(0), "includes", &what);
	from = Min(Max(wf_expr_to_integer(ev, ARG(1)), 0), wf_expr_units(ev, &string));
	set_bool(out, wf_expr_find(ev, &string, &what, wf_expr_place(ev, &string, from).byte) >= 0);
}

static void
string_index_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		what;
	double		from;
	int64		at;

	THIS_STRING();
	wf_expr_to_string(ev, ARG(0), &what);
	from = Min(Max(wf_expr_to_integer(ev, ARG(1)), 0), wf_expr_units(ev, &string));
	at = wf_expr_find(ev, &string, &what, wf_expr_place(ev, &string, from).byte);
	set_number(out, at < 0 ? -1.0 : wf_expr_unit_of(ev, &string, at));
}

static void
string_last_index_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		what;
	double		from;
	int64		at;

	THIS_STRING();
	wf_expr_to_string(ev, ARG(0), &what);
	from = wf_expr_to_number(ev, ARG(1));
	from = isnan(from) ? INFINITY : trunc(from);
	from = Min(Max(from, 0), wf_expr_units(ev, &string));
	at = wf_expr_find_last(ev, &string, &what, wf_expr_place(ev, &string, from).byte);
	set_number(out, at < 0 ? -1.0 : wf_expr_unit_of(ev, &string, at));
}

static void
string_starts_with(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		what;
	WfValue		piece;
	double		units;
	double		from;

	THIS_STRING();
	search_text(ev, ARG(0), "startsWith", &what);
	units = wf_expr_units(ev, &string);
	from = Min(Max(wf_expr_to_integer(ev, ARG(1)), 0), units);
	wf_expr_substring(ev, &string, from, Min(units, from + wf_expr_units(ev, &what)), &piece);
	set_bool(out, piece.len == what.len && memcmp(piece.u.str, what.u.str, what.len) == 0);
}

static void
string_ends_with(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		what;
	WfValue		piece;
	double		units;
	double		end;

	THIS_STRING();
	search_text(ev, ARG(0), "endsWith", &what);
	units = wf_expr_units(ev, &string);
	end = HAS(1) ? Min(Max(wf_expr_to_integer(ev, ARG(1)), 0), units) : units;
	wf_expr_substring(ev, &string, Max(0, end - wf_expr_units(ev, &what)), end, &piece);
	set_bool(out, piece.len == what.len && memcmp(piece.u.str, what.u.str, what.len) == 0);
}

/* -- case, order, normal forms -- */

static Oid
root_collation(void)
{
	static Oid	collation = InvalidOid;

	if (!OidIsValid(collation))
	{
		collation = get_collation_oid(list_make2(makeString("pg_catalog"), makeString("und-x-icu")), true);
		if (!OidIsValid(collation))
			collation = DEFAULT_COLLATION_OID;
	}
	return collation;
}

/*
 * Maps one stretch that is valid UTF-8, in pieces, so that interrupts and the clock are looked at; a
 * piece ends behind a space when there is one, as some mappings look at the letters around.
 */
static void
map_case(const char *s, uint32 len, bool upper, WfBuffer *buffer)
{
	while (len > 0)
	{
		uint32		n = Min(len, CASE_PIECE);
		char	   *mapped;

		while (n < len && (n < 16 * CASE_PIECE ? s[n - 1] != ' ' : (s[n] & 0xC0) == 0x80))
			n++;
		wf_expr_spend(buffer->ev, n >> 2);
		mapped = upper ? str_toupper(s, n, root_collation()) : str_tolower(s, n, root_collation());
		buffer_bytes(buffer, mapped, strlen(mapped));
		pfree(mapped);
		s += n;
		len -= n;
	}
}

/* Upper or lower case. Bytes that are no UTF-8 text of C (U+0000, lone surrogates) stay. */
void
wf_expr_map_case(WfEval *ev, const WfValue *string, bool upper, WfValue *out)
{
	WfBuffer	buffer;
	uint32		from = 0;
	bool		ascii = true;
	bool		change = false;

	wf_expr_spend(ev, string->len >> 2);
	for (uint32 i = 0; i < string->len; i++)
	{
		unsigned char c = (unsigned char) string->u.str[i];

		ascii &= c < 0x80;
		change |= upper ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
	}
	if (ascii && !change)
	{
		*out = *string;
		return;
	}
	wf_expr_buffer_begin(&buffer, ev);
	wf_expr_buffer_grow(&buffer, string->len);
	for (uint32 i = 0; i < string->len; i++)
	{
		unsigned char c = (unsigned char) string->u.str[i];

		if (ascii)
			buffer_char(&buffer, upper ? pg_ascii_toupper(c) : pg_ascii_tolower(c));
		else if (c == 0 || (c == 0xED && i + 2 < string->len && (unsigned char) string->u.str[i + 1] >= 0xA0))
		{
			uint32		size = c == 0 ? 1 : 3;

			map_case(string->u.str + from, i - from, upper, &buffer);
			buffer_bytes(&buffer, string->u.str + i, size);
			from = i + size;
			i = from - 1;
		}
	}
	if (!ascii)
		map_case(string->u.str + from, string->len - from, upper, &buffer);
	wf_expr_buffer_end(&buffer, out);
	if (ascii)
		out->flags |= WF_S_ASCII;
}

static void
string_to_upper(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	wf_expr_map_case(ev, &string, true, out);
}

static void
string_to_lower(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	wf_expr_map_case(ev, &string, false, out);
}

static void
string_locale_compare(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		other;
	int			order;

	THIS_STRING();
	wf_expr_to_string(ev, ARG(0), &other);
	wf_expr_spend(ev, Min(string.len, other.len));
	if (string.len == other.len && memcmp(string.u.str, other.u.str, string.len) == 0)
		order = 0;
	else
		order = varstr_cmp(string.u.str, string.len, other.u.str, other.len, root_collation());
	set_number(out, order < 0 ? -1 : order > 0);
}

/* A character that never joins with what stands before it: text may be normalized in pieces there. */
static bool
begins_piece(int32 code)
{
	return code < 0x300 || (code >= 0x3400 && code < 0xA000) || (code >= 0xAC00 && code < 0xD7A4);
}

/* Normalizes code points in[0..n), which ends with a zero, into the buffer. */
static void
normalize_piece(WfEval *ev, UnicodeNormalizationForm form, pg_wchar *in, int n, WfBuffer *buffer)
{
	pg_wchar   *mapped;

	/* putting marks in order takes quadratic time */
	if (n >= NORMAL_PIECE)
		wf_expr_over(ev, "text has too many marks in a row to be normalized");
	wf_expr_spend(ev, n);
	in[n] = 0;
	mapped = unicode_normalize(form, in);
	for (pg_wchar *c = mapped; *c != 0; c++)
	{
		wf_expr_buffer_code(buffer, *c);
	}
	pfree(mapped);
}

static void
string_normalize(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	static const struct
	{
		const char *name;
		UnicodeNormalizationForm form;
	}			forms[] = {{"NFC", UNICODE_NFC}, {"NFD", UNICODE_NFD}, {"NFKC", UNICODE_NFKC}, {"NFKD", UNICODE_NFKD}};
	int			form = -1;
	pg_wchar   *piece;
	WfBuffer	buffer;
	int			n = 0;
	int			size;

	THIS_STRING();
	for (int i = 0; i < lengthof(forms); i++)
		if (HAS(0) ? wf_expr_string_is(ARG(0), forms[i].name) : i == 0)
			form = i;
	if (form < 0)
		wf_expr_throw(ev, "normalization form must be NFC, NFD, NFKC or NFKD");
	piece = wf_expr_alloc(ev, (NORMAL_PIECE + 1) * sizeof(pg_wchar));
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < string.len; i += size)
	{
		int32		code = wf_expr_decode(string.u.str + i, string.u.str + string.len, &size);

		if (n > 0 && (begins_piece(code) || n == NORMAL_PIECE))
		{
			normalize_piece(ev, forms[form].form, piece, n, &buffer);
			n = 0;
		}
		if (code == 0)
			buffer_char(&buffer, '\0');
		else
			piece[n++] = code;
	}
	if (n > 0)
		normalize_piece(ev, forms[form].form, piece, n, &buffer);
	wf_expr_buffer_end(&buffer, out);
}

/* Lone surrogates: isWellFormed, toWellFormed. */
static void
string_is_well_formed(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	THIS_STRING();
	set_bool(out, true);
	for (uint32 i = 0; i + 1 < string.len; i++)
		if ((unsigned char) string.u.str[i] == 0xED && (unsigned char) string.u.str[i + 1] >= 0xA0)
			set_bool(out, false);
}

static void
string_to_well_formed(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfBuffer	buffer;
	int			size;

	THIS_STRING();
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < string.len; i += size)
	{
		int32		code = wf_expr_decode(string.u.str + i, string.u.str + string.len, &size);

		if (code >= 0xD800 && code < 0xE000)
			buffer_bytes(&buffer, "\xEF\xBF\xBD", 3);
		else
			buffer_bytes(&buffer, string.u.str + i, size);
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
string_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	this_string(ev, self, out);
}

const WfBuiltin wf_expr_string_methods[] = {
	{"trim", string_trim, 0},
	{"toLowerCase", string_to_lower, 0},
	{"toUpperCase", string_to_upper, 0},
	{"slice", string_slice, 2},
	{"includes", string_includes, 1},
	{"substring", string_substring, 2},
	{"indexOf", string_index_of, 1},
	{"padStart", string_pad_start, 1},
	{"padEnd", string_pad_end, 1},
	{"startsWith", string_starts_with, 1},
	{"endsWith", string_ends_with, 1},
	{"charAt", string_char_at, 1},
	{"at", string_at, 1},
	{"charCodeAt", string_char_code_at, 1},
	{"codePointAt", string_code_point_at, 1},
	{"concat", string_concat, 1},
	{"lastIndexOf", string_last_index_of, 1},
	{"localeCompare", string_locale_compare, 1},
	{"normalize", string_normalize, 0},
	{"repeat", string_repeat, 1},
	{"substr", string_substr, 2},
	{"toLocaleLowerCase", string_to_lower, 0},
	{"toLocaleUpperCase", string_to_upper, 0},
	{"trimStart", string_trim_start, 0},
	{"trimLeft", string_trim_start, 0},
	{"trimEnd", string_trim_end, 0},
	{"trimRight", string_trim_end, 0},
	{"isWellFormed", string_is_well_formed, 0},
	{"toWellFormed", string_to_well_formed, 0},
	{"toString", string_to_string, 0},
	{"valueOf", string_to_string, 0},
	{NULL}
};

/* -- String -- */

static void
string_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (argc == 0)
		set_literal(out, "");
	else
		wf_expr_to_string(ev, &argv[0], out);
}

static void
string_from_char_code(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfBuffer	buffer;

	wf_expr_buffer_begin(&buffer, ev);
	for (int i = 0; i < argc; i++)
	{
		char		bytes[4];
		WfValue		unit;

		set_string(&unit, bytes, wf_expr_encode((uint16) wf_expr_to_int32(ev, &argv[i]), bytes), 0);
		wf_expr_buffer_string(&buffer, &unit);
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
string_from_code_point(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfBuffer	buffer;

	wf_expr_buffer_begin(&buffer, ev);
	for (int i = 0; i < argc; i++)
	{
		char		bytes[4];
		WfValue		unit;
		double		code = wf_expr_to_number(ev, &argv[i]);

		if (!(code >= 0 && code <= 0x10FFFF) || code != floor(code))
			wf_expr_throw(ev, "invalid code point");
		set_string(&unit, bytes, wf_expr_encode((uint32) code, bytes), 0);
		wf_expr_buffer_string(&buffer, &unit);
	}
	wf_expr_buffer_end(&buffer, out);
}

/* String.raw: the texts of `raw` with the other arguments between them. */
static void
string_raw(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfBuffer	buffer;
	WfValue		raw;
	WfValue		value;
	WfValue		text;
	double		n;

	wf_expr_get(ev, ARG(0), "raw", 3, &raw);
	wf_expr_get(ev, &raw, "length", 6, &value);
	n = wf_expr_to_integer(ev, &value);
	wf_expr_buffer_begin(&buffer, ev);
	for (double i = 0; i < n; i++)
	{
		wf_expr_spend(ev, 1);
		set_number(&value, i);
		wf_expr_get_value(ev, &raw, &value, &text);
		wf_expr_to_string(ev, &text, &value);
		wf_expr_buffer_string(&buffer, &value);
		if (i + 1 < n && i + 1 < argc)
		{
			wf_expr_to_string(ev, &argv[(int) i + 1], &text);
			wf_expr_buffer_string(&buffer, &text);
		}
	}
	wf_expr_buffer_end(&buffer, out);
}

static const WfBuiltin string_functions[] = {
	{"fromCharCode", string_from_char_code, 1},
	{"fromCodePoint", string_from_code_point, 1},
	{"raw", string_raw, 1},
	{NULL}
};

const WfNamespace wf_expr_string_space = {.name = "String",.functions = string_functions,.call = string_call,.length = 1};
