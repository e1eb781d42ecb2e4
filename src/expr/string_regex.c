/*
 * string_regex.c: strings and patterns: split, replace, match, search; RegExp.prototype; RegExp.
 *
 * Matching is base/regex.h's, in bytes; indexes that the user sees are UTF-16 units. A regular
 * expression is a value of its own for each evaluation of its literal, so lastIndex starts at 0.
 */
#include "postgres.h"

#include <math.h>

#include "expr/internal.h"

#define MAX_GROUPS 100			/* offsets kept on the C stack */

typedef struct Match
{
	int			n;				/* groups + 1; 0: no match */
	int		   *offsets;		/* pairs of bytes; -1: the group took no part */
	int			on_stack[2 * MAX_GROUPS];
} Match;

/* With flag u or v matching is by characters, else by UTF-16 units. */
static bool
by_characters(const WfRegExp *re)
{
	return strpbrk(re->flags, "uv") != NULL;
}

/* Is an offset between the two surrogates of a character? */
static inline bool
is_half(const WfValue *string, uint32 at)
{
	return at < string->len && ((unsigned char) string->u.str[at] & 0xC0) == 0x80;
}

static uint32
unit_of(WfEval *ev, const WfValue *string, uint32 at)
{
	return is_half(string, at) ? wf_expr_unit_of(ev, string, at - WF_REGEX_HALF) + 1 : wf_expr_unit_of(ev, string, at);
}

static uint32
offset_of(WfEval *ev, const WfValue *string, uint32 unit)
{
	WfPlace		place = wf_expr_place(ev, string, unit);

	return place.byte + (place.half ? WF_REGEX_HALF : 0);
}

/* The text between two offsets. */
static void
slice(WfEval *ev, const WfValue *string, uint32 from, uint32 to, WfValue *out)
{
	if (likely(!is_half(string, from) && !is_half(string, to)))
		wf_expr_slice_bytes(string, from, to, out);
	else
		wf_expr_substring(ev, string, unit_of(ev, string, from), unit_of(ev, string, to), out);
}

/* Searches from an offset. */
static bool
run(WfEval *ev, const WfRegExp *re, const WfValue *string, uint32 from, Match *match)
{
	int			room = 2 * (wf_regex_group_count(re->regex) + 1);

	if (from > string->len)
		return false;
	if (room <= lengthof(match->on_stack))
		match->offsets = match->on_stack;
	else if (match->n == 0)
		match->offsets = wf_expr_alloc(ev, room * sizeof(int));
	match->n = wf_regex_match(re->regex, string->u.str, string->len, from, re->sticky, match->offsets, room);
	wf_expr_spend(ev, 4 + wf_regex_cost(re->regex) / 2);
	if (!re->global && !re->sticky)
		wf_regex_rest(re->regex);
	return match->n > 0;
}

/* Where to look on behind a match; behind an empty one a character or a unit further. */
static uint32
behind(const WfRegExp *re, const WfValue *string, const Match *match)
{
	uint32		at = match->offsets[1];
	int			size = 1;

	if (match->offsets[1] != match->offsets[0])
		return at;
	if (is_half(string, at))
		return at + 4 - WF_REGEX_HALF;
	if (at < string->len)
		wf_expr_decode(string->u.str + at, string->u.str + string->len, &size);
	return at + (size == 4 && !by_characters(re) ? WF_REGEX_HALF : size);
}

static void
group_value(WfEval *ev, const WfValue *string, const Match *match, int i, WfValue *out)
{
	if (i >= match->n || match->offsets[2 * i] < 0)
		set_undefined(out);
	else
		slice(ev, string, match->offsets[2 * i], match->offsets[2 * i + 1], out);
}

/* {name: value} of the named groups, whose values are those of `array`, or undefined. */
static void
named_values(WfEval *ev, const WfRegExp *re, const Match *match, const WfArray *array, WfValue *out)
{
	WfObject   *groups = NULL;

	set_undefined(out);
	for (int i = 1; i < match->n; i++)
	{
		const char *name = wf_regex_group_name(re->regex, i);

		if (name == NULL)
			continue;
		if (groups == NULL)
			groups = wf_expr_new_object(ev, 4);
		wf_expr_put_field(ev, groups, name, &array->items[i]);
	}
	if (groups != NULL)
		set_object(out, groups);
}

/* {name: text} of the named groups, or undefined. */
static void
named_groups(WfEval *ev, const WfRegExp *re, const WfValue *string, const Match *match, WfValue *out)
{
	WfArray    *texts = wf_expr_new_array(ev, match->n);

	for (int i = 0; i < match->n; i++)
		group_value(ev, string, match, i, wf_expr_array_add(ev, texts));
	named_values(ev, re, match, texts, out);
}

/* The array that exec gives, with index, input and groups. */
static void
match_array(WfEval *ev, const WfRegExp *re, const WfValue *string, const Match *match, WfValue *out)
{
	WfArray    *array = wf_expr_new_array(ev, match->n);
	WfValue		value;

	for (int i = 0; i < match->n; i++)
		group_value(ev, string, match, i, wf_expr_array_add(ev, array));
	array->extra = wf_expr_new_object(ev, 4);
	set_number(&value, unit_of(ev, string, match->offsets[0]));
	wf_expr_put_field(ev, array->extra, "index", &value);
	wf_expr_put_field(ev, array->extra, "input", string);
	named_values(ev, re, match, array, &value);
	wf_expr_put_field(ev, array->extra, "groups", &value);
	if (re->indices)
	{
		WfArray    *indices = wf_expr_new_array(ev, match->n);

		for (int i = 0; i < match->n; i++)
		{
			WfValue    *slot = wf_expr_array_add(ev, indices);
			WfArray    *pair;

			if (match->offsets[2 * i] < 0)
			{
				set_undefined(slot);
				continue;
			}
			pair = wf_expr_new_array(ev, 2);
			set_number(wf_expr_array_add(ev, pair), unit_of(ev, string, match->offsets[2 * i]));
			set_number(wf_expr_array_add(ev, pair), unit_of(ev, string, match->offsets[2 * i + 1]));
			set_array(slot, pair);
		}
		indices->extra = wf_expr_new_object(ev, 1);
		named_values(ev, re, match, indices, &value);
		wf_expr_put_field(ev, indices->extra, "groups", &value);
		set_array(&value, indices);
		wf_expr_put_field(ev, array->extra, "indices", &value);
	}
	set_array(out, array);
}

/* RegExp.prototype.exec with its lastIndex. */
static bool
exec_regexp(WfEval *ev, WfRegExp *re, const WfValue *string, Match *match)
{
	bool		keeps = re->global || re->sticky;
	uint32		from = 0;

	match->n = 0;
	if (keeps)
	{
		if (re->last_index > wf_expr_units(ev, string))
		{
			re->last_index = 0;
			return false;
		}
		from = by_characters(re) ? wf_expr_place(ev, string, re->last_index).byte : offset_of(ev, string, re->last_index);
	}
	if (!run(ev, re, string, from, match))
	{
		if (keeps)
			re->last_index = 0;
		return false;
	}
	if (keeps)
		re->last_index = unit_of(ev, string, match->offsets[1]);
	return true;
}

static WfRegExp *
this_regexp(WfEval *ev, const WfValue *self)
{
	if (self->tag != WF_V_REGEXP)
		wf_expr_throw(ev, "this is a method of regular expressions, not of %s", wf_expr_kind_name(self));
	return self->u.regexp;
}

static void
regexp_exec(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfRegExp   *re = this_regexp(ev, self);
	WfValue		string;
	Match		match;

	wf_expr_to_string(ev, ARG(0), &string);
	if (exec_regexp(ev, re, &string, &match))
		match_array(ev, re, &string, &match, out);
	else
		set_null(out);
}

static void
regexp_test(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfRegExp   *re = this_regexp(ev, self);
	WfValue		string;
	Match		match;

	wf_expr_to_string(ev, ARG(0), &string);
	set_bool(out, exec_regexp(ev, re, &string, &match));
}

static void
regexp_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	this_regexp(ev, self);
	wf_expr_to_string(ev, self, out);
}

const WfBuiltin wf_expr_regexp_methods[] = {
	{"test", regexp_test, 1},
	{"exec", regexp_exec, 1},
	{"toString", regexp_to_string, 0},
	{NULL}
};

/* -- RegExp -- */

/* Flags in the order in which `flags` shows them. In CurrentMemoryContext. */
const char *
wf_expr_sort_flags(const char *flags)
{
	char	   *out = palloc(strlen(flags) + 1);
	int			n = 0;

	for (const char *f = "dgimsuvy"; *f; f++)
		if (strchr(flags, *f))
			out[n++] = *f;
	out[n] = '\0';
	return out;
}

/* The pattern as a literal would hold it: "/" outside of classes and ends of lines are escaped. */
static void
escape_source(WfEval *ev, const WfValue *pattern, WfValue *out)
{
	WfBuffer	buffer;
	bool		class = false;

	if (pattern->len == 0)
	{
		set_literal(out, "(?:)");
		return;
	}
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < pattern->len; i++)
	{
		char		c = pattern->u.str[i];

		if (c == '\n' || c == '\r')
		{
			buffer_bytes(&buffer, c == '\n' ? "\\n" : "\\r", 2);
			continue;
		}
		if (c == '/' && !class)
			buffer_char(&buffer, '\\');
		buffer_char(&buffer, c);
		if (c == '\\' && i + 1 < pattern->len && pattern->u.str[i + 1] != '\n' && pattern->u.str[i + 1] != '\r')
			buffer_char(&buffer, pattern->u.str[++i]);
		else if (c == '[')
			class = true;
		else if (c == ']')
			class = false;
	}
	wf_expr_buffer_end(&buffer, out);
}

/* A regular expression from texts; throws WF008 when it is refused. */
static void
make_regexp(WfEval *ev, const WfValue *pattern, const char *flags, WfValue *out)
{
	WfRegExp   *re = wf_expr_alloc(ev, sizeof(WfRegExp));
	const char *problem = NULL;
	WfValue		source;

	memset(re, 0, sizeof(*re));
	wf_expr_check_size(ev, 4096 + pattern->len * 16.0);
	ev->used += 1024 + pattern->len * 16;	/* it lives outside the arena */
	wf_expr_spend(ev, 100 + pattern->len);
	re->regex = wf_regex_compile(pattern->u.str, pattern->len, flags, &problem);
	if (re->regex == NULL)
		wf_expr_throw(ev, "regular expression cannot be used: %s", problem ? problem : "malformed");
	escape_source(ev, pattern, &source);
	re->source = source.u.str;
	re->source_len = source.len;
	re->flags = wf_expr_sort_flags(flags);
	re->global = strchr(flags, 'g') != NULL;
	re->sticky = strchr(flags, 'y') != NULL;
	re->unicode = strchr(flags, 'u') != NULL;
	re->indices = strchr(flags, 'd') != NULL;
	out->tag = WF_V_REGEXP;
	out->u.regexp = re;
}

static void
regexp_construct(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		pattern;
	WfValue		flags;

	if (ARG(0)->tag == WF_V_REGEXP)
	{
		const WfRegExp *from = ARG(0)->u.regexp;

		set_string(&pattern, from->source, from->source_len, 0);
		set_string(&flags, from->flags, strlen(from->flags), 0);
	}
	else
	{
		set_literal(&pattern, "");
		set_literal(&flags, "");
		if (HAS(0))
			wf_expr_to_string(ev, ARG(0), &pattern);
	}
	if (HAS(1))
		wf_expr_to_string(ev, ARG(1), &flags);
	make_regexp(ev, &pattern, wf_expr_cstring(ev, &flags), out);
}

const WfNamespace wf_expr_regexp_space = {
	.name = "RegExp",.call = regexp_construct,.construct = regexp_construct,.length = 2
};

/* -- String.prototype -- */

static void
this_text(WfEval *ev, const WfValue *self, WfValue *out)
{
	if (WF_IS_NULLISH(self))
		wf_expr_throw(ev, "this is a method of strings, not of %s", wf_expr_kind_name(self));
	wf_expr_to_string(ev, self, out);
}

/* The argument as a regular expression. */
static WfRegExp *
to_regexp(WfEval *ev, const WfValue *arg, const char *flags)
{
	WfValue		pattern;
	WfValue		made;

	if (arg->tag == WF_V_REGEXP)
		return arg->u.regexp;
	set_literal(&pattern, "");
	if (arg->tag != WF_V_UNDEFINED)
		wf_expr_to_string(ev, arg, &pattern);
	make_regexp(ev, &pattern, flags, &made);
	return made.u.regexp;
}

static void
string_match(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfRegExp   *re = to_regexp(ev, ARG(0), "");
	Match		match;
	WfArray    *all;
	uint32		at = 0;

	this_text(ev, self, &string);
	if (!re->global)
	{
		if (exec_regexp(ev, re, &string, &match))
			match_array(ev, re, &string, &match, out);
		else
			set_null(out);
		return;
	}
	all = wf_expr_new_array(ev, 0);
	match.n = 0;
	while (run(ev, re, &string, at, &match))
	{
		group_value(ev, &string, &match, 0, wf_expr_array_add(ev, all));
		at = behind(re, &string, &match);
	}
	re->last_index = 0;
	if (all->count == 0)
		set_null(out);
	else
		set_array(out, all);
}

static void
string_match_all(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfRegExp   *re = to_regexp(ev, ARG(0), "g");
	WfArray    *all = wf_expr_new_array(ev, 0);
	Match		match;
	uint32		at;

	this_text(ev, self, &string);
	if (!re->global)
		wf_expr_throw(ev, "matchAll needs a regular expression with the flag g");
	at = offset_of(ev, &string, re->last_index);
	match.n = 0;
	while (run(ev, re, &string, at, &match))
	{
		WfValue		item;

		match_array(ev, re, &string, &match, &item);
		*wf_expr_array_add(ev, all) = item;
		at = behind(re, &string, &match);
	}
	all->iterator = true;
	set_array(out, all);
}

static void
string_search(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfRegExp   *re = to_regexp(ev, ARG(0), "");
	Match		match;

	this_text(ev, self, &string);
	match.n = 0;
	if (run(ev, re, &string, 0, &match))
		set_number(out, unit_of(ev, &string, match.offsets[0]));
	else
		set_number(out, -1);
}

/* Text between separators that are a regular expression. */
static void
split_regexp(WfEval *ev, const WfValue *string, const WfRegExp *given, uint32 limit, WfArray *parts)
{
	WfRegExp	re = *given;
	Match		match;
	uint32		from = 0;
	uint32		at = 0;

	re.sticky = false;
	re.global = true;
	match.n = 0;
	if (string->len == 0)
	{
		if (!run(ev, &re, string, 0, &match))
			*wf_expr_array_add(ev, parts) = *string;
		return;
	}
	while (at < string->len && run(ev, &re, string, at, &match) && match.offsets[0] < (int) string->len)
	{
		if (match.offsets[1] == (int) from)
		{
			at = behind(&re, string, &match);	/* empty, where the last part ended */
			continue;
		}
		slice(ev, string, from, match.offsets[0], wf_expr_array_add(ev, parts));
		for (int i = 1; i < match.n && parts->count < limit; i++)
			group_value(ev, string, &match, i, wf_expr_array_add(ev, parts));
		if (parts->count >= limit)
			return;
		from = match.offsets[1];
		at = from;
	}
	slice(ev, string, from, string->len, wf_expr_array_add(ev, parts));
}

static void
split_text(WfEval *ev, const WfValue *string, const WfValue *separator, uint32 limit, WfArray *parts)
{
	uint32		from = 0;
	int64		at;

	if (separator->len == 0)
	{
		uint32		units = wf_expr_units(ev, string);

		for (uint32 i = 0; i < units && i < limit; i++)
		{
			WfValue		unit;

			wf_expr_spend(ev, 1);
			wf_expr_substring(ev, string, i, i + 1, &unit);
			*wf_expr_array_add(ev, parts) = unit;
		}
		return;
	}
	while (parts->count < limit && (at = wf_expr_find(ev, string, separator, from)) >= 0)
	{
		wf_expr_spend(ev, 1);
		slice(ev, string, from, at, wf_expr_array_add(ev, parts));
		from = at + separator->len;
	}
	if (parts->count < limit)
		slice(ev, string, from, string->len, wf_expr_array_add(ev, parts));
}

/* The pattern that is empty everywhere, without the flag u. */
static bool
matches_nothing(const WfRegExp *re)
{
	return !re->unicode && (re->source_len == 0 || (re->source_len == 4 && memcmp(re->source, "(?:)", 4) == 0));
}

static void
string_split(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfValue		separator;
	WfArray    *parts = wf_expr_new_array(ev, 0);
	uint32		limit = HAS(1) ? (uint32) wf_expr_to_int32(ev, ARG(1)) : PG_UINT32_MAX;

	this_text(ev, self, &string);
	set_array(out, parts);
	if (limit == 0)
		return;
	if (!HAS(0))
		*wf_expr_array_add(ev, parts) = string;
	else if (ARG(0)->tag == WF_V_REGEXP && !matches_nothing(ARG(0)->u.regexp))
		split_regexp(ev, &string, ARG(0)->u.regexp, limit, parts);
	else
	{
		if (ARG(0)->tag == WF_V_REGEXP)
			set_literal(&separator, "");	/* between UTF-16 units */
		else
			wf_expr_to_string(ev, ARG(0), &separator);
		split_text(ev, &string, &separator, limit, parts);
	}
}

/* -- replace -- */

/* Appends a replacement text with its $1, $&, $<name>. */
static void
expand(WfEval *ev, WfBuffer *buffer, const WfValue *template, const WfValue *string, const Match *match,
	   const WfRegExp *re)
{
	const char *t = template->u.str;
	uint32		len = template->len;
	WfValue		piece;

	for (uint32 i = 0; i < len; i++)
	{
		char		c = t[i];
		char		d = i + 1 < len ? t[i + 1] : '\0';
		int			group;
		int			used;

		if (c != '$')
		{
			uint32		end = i;

			while (end < len && t[end] != '$')
				end++;
			wf_expr_slice_bytes(template, i, end, &piece);
			wf_expr_buffer_string(buffer, &piece);
			i = end - 1;
			continue;
		}
		set_undefined(&piece);
		if (d == '$')
		{
			buffer_char(buffer, '$');
			i++;
		}
		else if (d == '&')
		{
			group_value(ev, string, match, 0, &piece);
			i++;
		}
		else if (d == '`')
		{
			slice(ev, string, 0, match->offsets[0], &piece);
			i++;
		}
		else if (d == '\'')
		{
			slice(ev, string, match->offsets[1], string->len, &piece);
			i++;
		}
		else if (d >= '0' && d <= '9')
		{
			group = d - '0';
			used = 1;
			if (i + 2 < len && t[i + 2] >= '0' && t[i + 2] <= '9' && group * 10 + t[i + 2] - '0' < match->n)
			{
				group = group * 10 + t[i + 2] - '0';
				used = 2;
			}
			if (group >= 1 && group < match->n)
			{
				group_value(ev, string, match, group, &piece);
				i += used;
			}
			else
				buffer_char(buffer, '$');
		}
		else if (d == '<' && re != NULL)
		{
			const char *close = memchr(t + i, '>', len - i);
			WfValue		groups;

			named_groups(ev, re, string, match, &groups);
			if (close == NULL || groups.tag == WF_V_UNDEFINED)
				buffer_char(buffer, '$');
			else
			{
				wf_expr_own_member(ev, &groups, t + i + 2, close - t - i - 2, &piece);
				i = close - t;
			}
		}
		else
			buffer_char(buffer, '$');
		if (piece.tag == WF_V_STRING)
			wf_expr_buffer_string(buffer, &piece);
	}
}

/* Appends what stands for one match. */
static void
put_replacement(WfEval *ev, WfBuffer *buffer, const WfValue *replacement, const WfValue *string, const Match *match,
				const WfRegExp *re)
{
	WfArray    *args;
	WfValue		value;
	WfValue		text;

	if (!WF_IS_FUNCTION(replacement))
	{
		expand(ev, buffer, replacement, string, match, re);
		return;
	}
	args = wf_expr_new_array(ev, match->n + 3);
	for (int i = 0; i < match->n; i++)
		group_value(ev, string, match, i, wf_expr_array_add(ev, args));
	set_number(wf_expr_array_add(ev, args), unit_of(ev, string, match->offsets[0]));
	*wf_expr_array_add(ev, args) = *string;
	if (re != NULL)
	{
		named_values(ev, re, match, args, &value);
		if (value.tag != WF_V_UNDEFINED)
			*wf_expr_array_add(ev, args) = value;
	}
	wf_expr_call(ev, replacement, &wf_expr_undefined, args->count, args->items, &value);
	wf_expr_to_string(ev, &value, &text);
	wf_expr_buffer_string(buffer, &text);
}

static void
replace_regexp(WfEval *ev, const WfValue *string, WfRegExp *re, const WfValue *replacement, WfValue *out)
{
	WfBuffer	buffer;
	Match		match;
	WfValue		piece;
	uint32		done = 0;
	uint32		at = 0;
	bool		any = false;

	wf_expr_buffer_begin(&buffer, ev);
	match.n = 0;
	if (!re->global && re->sticky)
		at = offset_of(ev, string, re->last_index);
	while (run(ev, re, string, at, &match))
	{
		slice(ev, string, done, match.offsets[0], &piece);
		wf_expr_buffer_string(&buffer, &piece);
		put_replacement(ev, &buffer, replacement, string, &match, re);
		done = match.offsets[1];
		at = behind(re, string, &match);
		any = true;
		if (!re->global)
			break;
	}
	re->last_index = 0;
	if (!any)
	{
		*out = *string;
		return;
	}
	slice(ev, string, done, string->len, &piece);
	wf_expr_buffer_string(&buffer, &piece);
	wf_expr_buffer_end(&buffer, out);
}

static void
replace_text(WfEval *ev, const WfValue *string, const WfValue *what, const WfValue *replacement, bool all, WfValue *out)
{
	WfBuffer	buffer;
	Match		match;
	WfValue		piece;
	uint32		done = 0;
	int64		at = wf_expr_find(ev, string, what, 0);

	if (at < 0)
	{
		*out = *string;
		return;
	}
	match.n = 1;
	match.offsets = match.on_stack;
	wf_expr_buffer_begin(&buffer, ev);
	while (at >= 0)
	{
		match.offsets[0] = at;
		match.offsets[1] = at + what->len;
		slice(ev, string, done, at, &piece);
		wf_expr_buffer_string(&buffer, &piece);
		put_replacement(ev, &buffer, replacement, string, &match, NULL);
		done = at + what->len;
		if (!all)
			break;
		at = wf_expr_find(ev, string, what, done);
	}
	slice(ev, string, done, string->len, &piece);
	wf_expr_buffer_string(&buffer, &piece);
	wf_expr_buffer_end(&buffer, out);
}

/* replaceAll of "": before every UTF-16 unit, between the halves of a pair too, and at the end. */
static void
replace_between(WfEval *ev, const WfValue *string, const WfValue *replacement, WfValue *out)
{
	uint32		units = wf_expr_units(ev, string);
	WfBuffer	buffer;
	WfValue		unit;
	Match		match;

	match.n = 1;
	match.offsets = match.on_stack;
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i <= units; i++)
	{
		match.offsets[0] = match.offsets[1] = offset_of(ev, string, i);
		put_replacement(ev, &buffer, replacement, string, &match, NULL);
		if (i == units)
			break;
		wf_expr_substring(ev, string, i, i + 1, &unit);
		wf_expr_buffer_string(&buffer, &unit);
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
replace(WfEval *ev, const WfValue *self, int argc, WfValue *argv, bool all, WfValue *out)
{
	WfValue		string;
	WfValue		what = {0};
	WfValue		replacement = *ARG(1);

	this_text(ev, self, &string);
	if (ARG(0)->tag != WF_V_REGEXP)
		wf_expr_to_string(ev, ARG(0), &what);
	else if (all && !ARG(0)->u.regexp->global)
		wf_expr_throw(ev, "replaceAll needs a regular expression with the flag g");
	if (!WF_IS_FUNCTION(&replacement))
		wf_expr_to_string(ev, ARG(1), &replacement);
	if (ARG(0)->tag == WF_V_REGEXP)
		replace_regexp(ev, &string, ARG(0)->u.regexp, &replacement, out);
	else if (all && what.len == 0)
		replace_between(ev, &string, &replacement, out);
	else
		replace_text(ev, &string, &what, &replacement, all, out);
}

static void
string_replace(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	replace(ev, self, argc, argv, false, out);
}

static void
string_replace_all(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	replace(ev, self, argc, argv, true, out);
}

const WfBuiltin wf_expr_string_regex_methods[] = {
	{"replace", string_replace, 2},
	{"split", string_split, 2},
	{"replaceAll", string_replace_all, 2},
	{"match", string_match, 1},
	{"matchAll", string_match_all, 1},
	{"search", string_search, 1},
	{NULL}
};
