/*
 * helpers.c: the shorthands that users of workflow tools know, on values: `.isEmpty()`,
 * `.toTitleCase()`, `.hash('sha256')`, `.first()`, `.pluck('k')` and so on.
 *
 * They are reached by a call only: reading `$input.first` gives the member, as in JavaScript.
 */
#include "postgres.h"

#include <math.h>

#include "common/cryptohash.h"
#include "common/md5.h"
#include "common/sha1.h"
#include "common/sha2.h"
#include "expr/calendar.h"
#include "mb/pg_wchar.h"
#include "utils/timestamp.h"

/* -- for all -- */

static void
is_empty(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, wf_expr_is_empty(ev, self));
}

static void
is_not_empty(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, !wf_expr_is_empty(ev, self));
}

static void
to_json_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	if (!wf_expr_stringify(ev, self, out))
		set_undefined(out);
}

static void
to_number(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		number = wf_expr_to_number(ev, self);

	if (isnan(number))
		wf_expr_throw(ev, "%s cannot be converted to a number", wf_expr_kind_name(self));
	set_number(out, number);
}

static void
to_boolean(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		lower;

	if (!WF_IS_STRING(self))
	{
		set_bool(out, wf_expr_to_bool(self));
		return;
	}
	wf_expr_map_case(ev, self, false, &lower);
	set_bool(out, !(lower.len == 0 || wf_expr_string_is(&lower, "false") || wf_expr_string_is(&lower, "0") ||
					wf_expr_string_is(&lower, "no")));
}

/* -- strings -- */

static void
this_string(WfEval *ev, const WfValue *self, WfValue *out)
{
	wf_expr_to_string(ev, self, out);
}

static bool
is_word_char(int32 code)
{
	return code >= 0x80 || isalnum(code);
}

/* Appends bytes [from, to) in upper or lower case. */
static void
put_case(WfEval *ev, WfBuffer *buffer, const WfValue *string, uint32 from, uint32 to, bool upper)
{
	WfValue		piece;
	WfValue		mapped;

	wf_expr_slice_bytes(string, from, to, &piece);
	wf_expr_map_case(ev, &piece, upper, &mapped);
	wf_expr_buffer_string(buffer, &mapped);
}

static void
to_title_case(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfBuffer	buffer;
	bool		in_word = false;
	int			size;

	this_string(ev, self, &string);
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < string.len; i += size)
	{
		int32		code = wf_expr_decode(string.u.str + i, string.u.str + string.len, &size);
		bool		word = is_word_char(code) || (in_word && code == '\'');

		if (word)
			put_case(ev, &buffer, &string, i, i + size, !in_word);
		else
			buffer_bytes(&buffer, string.u.str + i, size);
		in_word = word;
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
to_sentence_case(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfBuffer	buffer;
	int			size = 0;

	this_string(ev, self, &string);
	wf_expr_buffer_begin(&buffer, ev);
	if (string.len > 0)
		wf_expr_decode(string.u.str, string.u.str + string.len, &size);
	put_case(ev, &buffer, &string, 0, size, true);
	put_case(ev, &buffer, &string, size, string.len, false);
	wf_expr_buffer_end(&buffer, out);
}

/* Words parted by anything that is no letter or digit, and where lower case turns to upper. */
static void
join_words(WfEval *ev, const WfValue *self, char separator, bool camel, WfValue *out)
{
	WfValue		string;
	WfBuffer	buffer;
	bool		last_lower = false;
	bool		start = true;
	int			words = 0;
	int			size;

	this_string(ev, self, &string);
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < string.len; i += size)
	{
		int32		code = wf_expr_decode(string.u.str + i, string.u.str + string.len, &size);
		bool		upper = code < 0x80 && isupper(code);

		if (!is_word_char(code))
		{
			start = true;
			last_lower = false;
			continue;
		}
		if (start || (upper && last_lower))
		{
			if (words++ > 0 && separator)
				buffer_char(&buffer, separator);
			put_case(ev, &buffer, &string, i, i + size, camel && words > 1);
		}
		else
			put_case(ev, &buffer, &string, i, i + size, false);
		start = false;
		last_lower = code < 0x80 && (islower(code) || isdigit(code));
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
to_snake_case(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	join_words(ev, self, '_', false, out);
}

static void
to_kebab_case(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	join_words(ev, self, '-', false, out);
}

static void
to_camel_case(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	join_words(ev, self, '\0', true, out);
}

static void
base64_encode(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;

	this_string(ev, self, &string);
	wf_expr_base64(ev, (const unsigned char *) string.u.str, string.len, out);
}

static void
base64_decode(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	char	   *bytes;
	int64		n;

	this_string(ev, self, &string);
	bytes = wf_expr_alloc(ev, string.len + 4);
	n = wf_expr_unbase64(ev, &string, true, (unsigned char *) bytes);
	if (n < 0)
		wf_expr_throw(ev, "text is no base64");
	if (!pg_verify_mbstr(PG_UTF8, bytes, (int) n, true))
		wf_expr_throw(ev, "what base64 gave is no text in UTF-8");
	set_string(out, bytes, n, 0);
}

static void
url_encode(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;

	this_string(ev, self, &string);
	if (wf_expr_to_bool(ARG(0)))
		wf_expr_uri_encode(ev, &string, "-_.!~*'();/?:@&=+$,#", out);
	else
		wf_expr_uri_encode(ev, &string, "-_.!~*'()", out);
}

static void
url_decode(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	const WfBuiltin *decode = wf_expr_global("decodeURIComponent", 18);
	WfValue		string;

	this_string(ev, self, &string);
	decode->fn(ev, &wf_expr_undefined, 1, &string, out);
}

static void
hash(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	static const struct
	{
		const char *name;
		pg_cryptohash_type type;
		int			size;
	}			kinds[] = {
		{"md5", PG_MD5, MD5_DIGEST_LENGTH}, {"sha1", PG_SHA1, SHA1_DIGEST_LENGTH},
		{"sha224", PG_SHA224, PG_SHA224_DIGEST_LENGTH}, {"sha256", PG_SHA256, PG_SHA256_DIGEST_LENGTH},
		{"sha384", PG_SHA384, PG_SHA384_DIGEST_LENGTH}, {"sha512", PG_SHA512, PG_SHA512_DIGEST_LENGTH},
	};
	static const char hex[] = "0123456789abcdef";
	WfValue		string;
	WfValue		name;
	uint8		digest[PG_SHA512_DIGEST_LENGTH];
	pg_cryptohash_ctx *context;
	WfBuffer	buffer;
	int			kind = 0;

	this_string(ev, self, &string);
	set_literal(&name, "md5");
	if (HAS(0))
	{
		wf_expr_to_string(ev, ARG(0), &name);
		wf_expr_map_case(ev, &name, false, &name);
	}
	while (kind < lengthof(kinds) && !wf_expr_string_is(&name, kinds[kind].name))
		kind++;
	if (kind == lengthof(kinds))
		wf_expr_throw_hint(ev, "Use md5, sha1, sha224, sha256, sha384 or sha512.", "unknown hash \"%.*s\"",
						   (int) Min(name.len, 32), name.u.str);
	wf_expr_spend(ev, string.len);
	context = pg_cryptohash_create(kinds[kind].type);
	if (pg_cryptohash_init(context) < 0 ||
		pg_cryptohash_update(context, (const uint8 *) string.u.str, string.len) < 0 ||
		pg_cryptohash_final(context, digest, kinds[kind].size) < 0)
	{
		pg_cryptohash_free(context);
		wf_expr_throw(ev, "hash \"%s\" is not available on this server", kinds[kind].name);
	}
	pg_cryptohash_free(context);
	wf_expr_buffer_begin(&buffer, ev);
	for (int i = 0; i < kinds[kind].size; i++)
	{
		buffer_char(&buffer, hex[digest[i] >> 4]);
		buffer_char(&buffer, hex[digest[i] & 15]);
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
parse_json(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;

	this_string(ev, self, &string);
	wf_expr_parse_json(ev, &string, out);
}

static bool
is_email_char(unsigned char c)
{
	return isalnum(c) || c == '.' || c == '_' || c == '%' || c == '+' || c == '-';
}

/* The first address in a text: bytes [*from, *to); false when there is none. */
static bool
find_email(const WfValue *string, uint32 *from, uint32 *to)
{
	const char *s = string->u.str;

	for (uint32 at = 1; at + 1 < string->len; at++)
	{
		uint32		dot = 0;

		if (s[at] != '@')
			continue;
		*from = at;
		while (*from > 0 && is_email_char((unsigned char) s[*from - 1]))
			(*from)--;
		*to = at + 1;
		while (*to < string->len && (isalnum((unsigned char) s[*to]) || s[*to] == '-' || s[*to] == '.'))
			(*to)++;
		while (*to > at + 1 && (s[*to - 1] == '.' || s[*to - 1] == '-'))
			(*to)--;
		for (uint32 i = at + 1; i < *to; i++)
			if (s[i] == '.')
				dot = i;
		if (*from < at && dot > at + 1 && *to - dot > 2)
			return true;
	}
	return false;
}

static void
extract_email(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	uint32		from;
	uint32		to;

	this_string(ev, self, &string);
	wf_expr_spend(ev, string.len >> 2);
	if (find_email(&string, &from, &to))
		wf_expr_slice_bytes(&string, from, to, out);
	else
		set_undefined(out);
}

static void
is_email(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	uint32		from;
	uint32		to;

	this_string(ev, self, &string);
	set_bool(out, find_email(&string, &from, &to) && from == 0 && to == string.len);
}

/* The host of a URL or of an address, or the first thing that looks like one. */
static void
extract_domain(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	const char *s;
	const char *scheme;
	uint32		from;
	uint32		to;

	this_string(ev, self, &string);
	s = string.u.str;
	wf_expr_spend(ev, string.len >> 2);
	set_undefined(out);
	scheme = memmem(s, string.len, "://", 3);
	if (scheme != NULL)
	{
		const char *at;

		from = scheme - s + 3;
		to = from;
		while (to < string.len && strchr("/?# \t\r\n", s[to]) == NULL)
			to++;
		at = memchr(s + from, '@', to - from);
		if (at != NULL)
			from = at - s + 1;
		for (uint32 i = from; i < to; i++)
			if (s[i] == ':')
				to = i;
		if (to > from)
			wf_expr_slice_bytes(&string, from, to, out);
		return;
	}
	if (find_email(&string, &from, &to))
	{
		from = (const char *) memchr(s + from, '@', to - from) - s + 1;
		wf_expr_slice_bytes(&string, from, to, out);
		return;
	}
	for (from = 0; from < string.len; from = to + 1)
	{
		bool		dot = false;

		to = from;
		while (to < string.len && (isalnum((unsigned char) s[to]) || s[to] == '-' || s[to] == '.'))
		{
			dot |= s[to] == '.' && to > from && to + 2 < string.len && isalpha((unsigned char) s[to + 1]);
			to++;
		}
		if (dot)
		{
			wf_expr_slice_bytes(&string, from, s[to - 1] == '.' ? to - 1 : to, out);
			return;
		}
	}
}

static void
remove_tags(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		string;
	WfBuffer	buffer;
	uint32		from = 0;

	this_string(ev, self, &string);
	wf_expr_buffer_begin(&buffer, ev);
	while (from < string.len)
	{
		const char *open = memchr(string.u.str + from, '<', string.len - from);
		const char *close = open ? memchr(open, '>', string.u.str + string.len - open) : NULL;
		uint32		stop = close ? (uint32) (open - string.u.str) : string.len;

		wf_expr_spend(ev, 1);
		buffer_bytes(&buffer, string.u.str + from, stop - from);
		from = close ? (uint32) (close - string.u.str) + 1 : string.len;
	}
	wf_expr_buffer_end(&buffer, out);
}

static void
string_to_datetime(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms;
	WfValue		string;

	this_string(ev, self, &string);
	if (string.len == 10 && string.u.str[4] == '-')
		ms = wf_expr_from_local(wf_expr_parse_date(string.u.str, string.len, NULL), session_timezone);
	else
		ms = wf_expr_parse_date(string.u.str, string.len, session_timezone);
	if (isnan(ms))
		wf_expr_throw(ev, "text is no date-time");
	wf_expr_new_moment(ev, ms, session_timezone, out);
}

static void
string_to_date(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms = wf_expr_to_ms(ev, self);

	if (isnan(ms))
		wf_expr_throw(ev, "text is no date");
	wf_expr_new_date(ev, ms, out);
}

const WfBuiltin wf_expr_string_helpers[] = {
	{"isEmpty", is_empty, 0, true},
	{"isNotEmpty", is_not_empty, 0, true},
	{"toNumber", to_number, 0, true},
	{"toInt", wf_expr_to_int_helper, 0, true},
	{"toFloat", to_number, 0, true},
	{"toBoolean", to_boolean, 0, true},
	{"toTitleCase", to_title_case, 0, true},
	{"toSentenceCase", to_sentence_case, 0, true},
	{"toSnakeCase", to_snake_case, 0, true},
	{"toKebabCase", to_kebab_case, 0, true},
	{"toCamelCase", to_camel_case, 0, true},
	{"base64Encode", base64_encode, 0, true},
	{"base64Decode", base64_decode, 0, true},
	{"urlEncode", url_encode, 0, true},
	{"urlDecode", url_decode, 0, true},
	{"hash", hash, 1, true},
	{"parseJson", parse_json, 0, true},
	{"toJsonString", to_json_string, 0, true},
	{"extractEmail", extract_email, 0, true},
	{"isEmail", is_email, 0, true},
	{"extractDomain", extract_domain, 0, true},
	{"removeTags", remove_tags, 0, true},
	{"toDateTime", string_to_datetime, 0, true},
	{"toDate", string_to_date, 0, true},
	{NULL}
};

/* Number of the leading digits, as parseInt. */
void
wf_expr_to_int_helper(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		value = *self;

	wf_expr_parse_int(ev, &wf_expr_undefined, 1, &value, out);
}

/* -- numbers and booleans -- */

static void
number_to_datetime(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		ms = wf_expr_to_number(ev, self);

	if (wf_expr_string_is(ARG(0), "s"))
		ms *= 1000;
	wf_expr_new_moment(ev, ms, session_timezone, out);
}

static void
number_round(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		value = wf_expr_to_number(ev, self);
	double		digits = Min(Max(wf_expr_to_integer(ev, ARG(0)), 0), 15);
	WfValue		text;

	if (!isfinite(value) || fabs(value) >= 1e21)
	{
		set_number(out, value);
		return;
	}
	wf_expr_format_fixed(ev, value, (int) digits, &text);
	set_number(out, wf_expr_parse_number(text.u.str, text.len));
}

static void
number_is_even(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, fmod(wf_expr_to_number(ev, self), 2) == 0);
}

static void
number_is_odd(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, fabs(fmod(wf_expr_to_number(ev, self), 2)) == 1);
}

const WfBuiltin wf_expr_number_helpers[] = {
	{"isEmpty", is_empty, 0, true},
	{"isNotEmpty", is_not_empty, 0, true},
	{"toNumber", to_number, 0, true},
	{"toBoolean", to_boolean, 0, true},
	{"toJsonString", to_json_string, 0, true},
	{"toDateTime", number_to_datetime, 0, true},
	{"round", number_round, 0, true},
	{"isEven", number_is_even, 0, true},
	{"isOdd", number_is_odd, 0, true},
	{NULL}
};

const WfBuiltin wf_expr_boolean_helpers[] = {
	{"isEmpty", is_empty, 0, true},
	{"isNotEmpty", is_not_empty, 0, true},
	{"toNumber", to_number, 0, true},
	{"toBoolean", to_boolean, 0, true},
	{"toJsonString", to_json_string, 0, true},
	{NULL}
};

/* -- arrays -- */

static double
sum_of(WfEval *ev, const WfValue *self, uint32 *count)
{
	WfItemIter	it;
	WfValue		item;
	double		sum = 0;

	*count = 0;
	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &item))
	{
		sum += wf_expr_to_number(ev, &item);
		(*count)++;
	}
	return sum;
}

static void
array_sum(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		count;

	set_number(out, sum_of(ev, self, &count));
}

static void
array_average(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		count;
	double		sum = sum_of(ev, self, &count);

	set_number(out, count == 0 ? 0 : sum / count);
}

static void
array_extreme(WfEval *ev, const WfValue *self, bool greatest, WfValue *out)
{
	WfArray    *copy = wf_expr_copy_array(ev, self);

	if (greatest)
		wf_expr_max(ev, &wf_expr_undefined, copy->count, copy->items, out);
	else
		wf_expr_min(ev, &wf_expr_undefined, copy->count, copy->items, out);
}

static void
array_max(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	array_extreme(ev, self, true, out);
}

static void
array_min(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	array_extreme(ev, self, false, out);
}

static void
array_first(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_array_at(self, 0, out);
	if (out->tag == WF_V_HOLE)
		set_undefined(out);
}

static void
array_last(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		count = wf_expr_array_count(self);

	set_undefined(out);
	if (count > 0)
		wf_expr_array_at(self, count - 1, out);
	if (out->tag == WF_V_HOLE)
		set_undefined(out);
}

/* Each value once, by its JSON; with keys, each combination of those members once. */
static void
array_unique(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfMap	   *seen = wf_expr_new_map(ev);
	WfItemIter	it;
	WfValue		item;

	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &item))
	{
		WfValue		key = item;

		if (item.tag == WF_V_HOLE)
			continue;
		if (argc > 0)
		{
			WfArray    *members = wf_expr_new_array(ev, argc);

			for (int i = 0; i < argc; i++)
			{
				WfValue		name;
				WfValue		member;

				wf_expr_to_key(ev, &argv[i], &name);
				if (!wf_expr_own_member(ev, &item, name.u.str, name.len, &member))
					set_undefined(&member);
				*wf_expr_array_add(ev, members) = member;
			}
			set_array(&key, members);
		}
		if (WF_IS_OBJECT(&key) && !wf_expr_stringify(ev, &key, &key))
			continue;
		if (wf_expr_map_find(ev, seen, &key) != NULL)
			continue;
		wf_expr_map_put(ev, seen, &key, &key);
		*wf_expr_array_add(ev, result) = item;
	}
	set_array(out, result);
}

/* One member of each; with several names, an object of those. */
static void
array_pluck(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfItemIter	it;
	WfValue		item;
	WfValue		name;
	WfValue		member;

	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &item))
	{
		if (argc == 1)
		{
			wf_expr_to_key(ev, &argv[0], &name);
			if (!wf_expr_own_member(ev, &item, name.u.str, name.len, &member))
				set_undefined(&member);
		}
		else
		{
			WfObject   *object = wf_expr_new_object(ev, argc);

			for (int i = 0; i < argc; i++)
			{
				WfValue		value;

				wf_expr_to_key(ev, &argv[i], &name);
				if (wf_expr_own_member(ev, &item, name.u.str, name.len, &value))
					wf_expr_object_put(ev, object, name.u.str, name.len, &value);
			}
			set_object(&member, object);
		}
		*wf_expr_array_add(ev, result) = member;
	}
	set_array(out, result);
}

static void
array_chunk(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		size = wf_expr_to_integer(ev, ARG(0));
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfArray    *chunk = NULL;
	WfItemIter	it;
	WfValue		item;

	if (size < 1)
		wf_expr_throw(ev, "chunk takes a size of 1 or more");
	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &item))
	{
		if (chunk == NULL || chunk->count >= size)
		{
			chunk = wf_expr_new_array(ev, 4);
			set_array(wf_expr_array_add(ev, result), chunk);
		}
		*wf_expr_array_add(ev, chunk) = item;
	}
	set_array(out, result);
}

/* Without what is empty: null, undefined, "". */
static void
array_compact(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfArray    *result = wf_expr_new_array(ev, 0);
	WfItemIter	it;
	WfValue		item;

	wf_expr_items_begin(ev, &it, self);
	while (wf_expr_items_next(ev, &it, &item))
		if (!WF_IS_NULLISH(&item) && !(WF_IS_STRING(&item) && item.len == 0))
			*wf_expr_array_add(ev, result) = item;
	set_array(out, result);
}

const WfBuiltin wf_expr_array_helpers[] = {
	{"isEmpty", is_empty, 0, true},
	{"isNotEmpty", is_not_empty, 0, true},
	{"sum", array_sum, 0, true},
	{"average", array_average, 0, true},
	{"max", array_max, 0, true},
	{"min", array_min, 0, true},
	{"first", array_first, 0, true},
	{"last", array_last, 0, true},
	{"unique", array_unique, 0, true},
	{"removeDuplicates", array_unique, 0, true},
	{"pluck", array_pluck, 1, true},
	{"chunk", array_chunk, 1, true},
	{"compact", array_compact, 0, true},
	{"toJsonString", to_json_string, 0, true},
	{NULL}
};

/* -- objects -- */

static void
object_has_field(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		name;
	WfValue		member;

	wf_expr_to_key(ev, ARG(0), &name);
	set_bool(out, wf_expr_own_member(ev, self, name.u.str, name.len, &member));
}

/* Object.keys and its kind as methods. */
static void
call_object_function(WfEval *ev, const char *name, const WfValue *self, WfValue *out)
{
	WfValue		fn;
	WfValue		arg = *self;

	wf_expr_namespace_member(&wf_expr_object_space, name, strlen(name), &fn);
	wf_expr_call(ev, &fn, &wf_expr_undefined, 1, &arg, out);
}

static void
object_keys(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	call_object_function(ev, "keys", self, out);
}

static void
object_values(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	call_object_function(ev, "values", self, out);
}

/* Members that are not null, undefined or "". */
static void
object_compact(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfObject   *result = wf_expr_new_object(ev, 0);
	WfEntryIter it;
	WfValue		key;
	WfValue		member;

	wf_expr_entries_begin(ev, &it, self);
	while (wf_expr_entries_next(ev, &it, &key, &member))
		if (!WF_IS_NULLISH(&member) && !(WF_IS_STRING(&member) && member.len == 0))
			wf_expr_object_put(ev, result, key.u.str, key.len, &member);
	set_object(out, result);
}

const WfBuiltin wf_expr_object_helpers[] = {
	{"isEmpty", is_empty, 0, true},
	{"isNotEmpty", is_not_empty, 0, true},
	{"hasField", object_has_field, 1, true},
	{"keys", object_keys, 0, true},
	{"values", object_values, 0, true},
	{"compact", object_compact, 0, true},
	{"toJsonString", to_json_string, 0, true},
	{NULL}
};

/* -- Date -- */

static void
date_to_datetime(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_new_moment(ev, wf_expr_to_ms(ev, self), session_timezone, out);
}

/* format, plus, minus, startOf, endOf, diff: those of the date-time. */
#define AS_DATETIME(c_name, js_name) \
static void \
c_name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	WfValue		moment; \
\
	date_to_datetime(ev, self, 0, NULL, &moment); \
	wf_expr_method(WF_C_DATETIME, js_name, strlen(js_name))->fn(ev, &moment, argc, argv, out); \
}

AS_DATETIME(date_format, "format")
AS_DATETIME(date_plus, "plus")
AS_DATETIME(date_minus, "minus")
AS_DATETIME(date_start_of, "startOf")
AS_DATETIME(date_end_of, "endOf")
AS_DATETIME(date_diff, "diff")
AS_DATETIME(date_in, "in")

const WfBuiltin wf_expr_date_helpers[] = {
	{"toDateTime", date_to_datetime, 0, true},
	{"format", date_format, 1, true},
	{"plus", date_plus, 1, true},
	{"minus", date_minus, 1, true},
	{"startOf", date_start_of, 1, true},
	{"endOf", date_end_of, 1, true},
	{"diff", date_diff, 2, true},
	{"in", date_in, 1, true},
	{"setZone", date_in, 1, true},
	{NULL}
};
