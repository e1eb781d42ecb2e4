/*
 * text.c: strings: UTF-16 positions on UTF-8 bytes, pieces, joins, order, search.
 *
 * A string is bytes in WTF-8: UTF-8, in which a surrogate without its partner takes three bytes
 * (ED A0..BF xx) and a pair is always one character of four bytes; so equal strings are equal bytes.
 * For ASCII, bytes and UTF-16 units are the same and every position is at hand; for others the
 * evaluator remembers the last position found, so that walking a string is linear.
 *
 * Pieces are views on the original's bytes, without a copy, unless a pair is cut in two. Joins append
 * in place when the left string is the newest view on a growable buffer: `a + b + c` and a reduce
 * that joins are linear.
 */
#include "postgres.h"

#include "expr/internal.h"
#include "mb/pg_wchar.h"

#define GROW_FROM	128			/* joins shorter than this are not made growable */

/* Stands right before the bytes of a growable string. */
typedef struct WfGrowable
{
	uint32		used;
	uint32		capacity;
} WfGrowable;

#define GROWABLE(str) ((WfGrowable *) ((char *) (str) - sizeof(WfGrowable)))

#define IS_LEAD4(c)		((unsigned char) (c) >= 0xF0)
#define IS_TRAIL(c)		(((unsigned char) (c) & 0xC0) == 0x80)

/* Length in UTF-16 units. */
uint32
wf_expr_units(WfEval *ev, const WfValue *string)
{
	const char *s = string->u.str;
	const char *end = s + string->len;
	uint32		units = 0;

	if (string->flags & WF_S_ASCII)
		return string->len;
	if (ev->units_str == s && ev->units_len == string->len)
		return ev->units;
	wf_expr_spend(ev, string->len >> 4);
	while (end - s >= 8)
	{
		uint64		chunk;

		memcpy(&chunk, s, 8);
		if (chunk & UINT64CONST(0x8080808080808080))
		{
			for (int i = 0; i < 8; i++)
				units += !IS_TRAIL(s[i]) + IS_LEAD4(s[i]);
		}
		else
			units += 8;
		s += 8;
	}
	for (; s < end; s++)
		units += !IS_TRAIL(*s) + IS_LEAD4(*s);
	ev->units_str = string->u.str;
	ev->units_len = string->len;
	ev->units = units;
	return units;
}

static inline bool
is_ascii(WfEval *ev, const WfValue *string)
{
	if (string->flags & (WF_S_ASCII | WF_S_WIDE))
		return (string->flags & WF_S_ASCII) != 0;
	return wf_expr_units(ev, string) == string->len;
}

/* Where unit number `unit` is; the end of the string when there are not so many. */
WfPlace
wf_expr_place(WfEval *ev, const WfValue *string, uint32 unit)
{
	const char *s = string->u.str;
	uint32		byte = 0;
	uint32		at = 0;
	WfPlace		place = {0, false};

	if (is_ascii(ev, string))
	{
		place.byte = Min(unit, string->len);
		return place;
	}
	if (ev->cursor_str == s && ev->cursor_len == string->len && ev->cursor_unit / 2 <= unit)
	{
		byte = ev->cursor_byte;
		at = ev->cursor_unit;
	}
	wf_expr_spend(ev, (unit > at ? unit - at : at - unit) >> 3);
	while (at > unit)
	{
		/* backwards from where the last search ended */
		do
			byte--;
		while (IS_TRAIL(s[byte]));
		at -= IS_LEAD4(s[byte]) ? 2 : 1;
	}
	while (at < unit && byte < string->len)
	{
		unsigned char c = (unsigned char) s[byte];

		if (c >= 0xF0)
		{
			if (at + 1 == unit)
			{
				place.half = true;
				break;
			}
			at += 2;
			byte += 4;
		}
		else
		{
			at++;
			byte += c < 0x80 ? 1 : c < 0xE0 ? 2 : 3;
		}
	}
	ev->cursor_str = s;
	ev->cursor_len = string->len;
	ev->cursor_unit = at;
	ev->cursor_byte = byte;
	place.byte = byte;
	return place;
}

/* The number of units before a byte position (which begins a character). */
uint32
wf_expr_unit_of(WfEval *ev, const WfValue *string, uint32 byte)
{
	const char *s = string->u.str;
	uint32		from = 0;
	uint32		units = 0;

	if (is_ascii(ev, string))
		return byte;
	if (ev->cursor_str == s && ev->cursor_len == string->len && ev->cursor_byte <= byte)
	{
		from = ev->cursor_byte;
		units = ev->cursor_unit;
	}
	wf_expr_spend(ev, (byte - from) >> 3);
	for (uint32 i = from; i < byte; i++)
		units += !IS_TRAIL(s[i]) + IS_LEAD4(s[i]);
	ev->cursor_str = s;
	ev->cursor_len = string->len;
	ev->cursor_unit = units;
	ev->cursor_byte = byte;
	return units;
}

/* Decodes the character at `s`; surrogates are given as such. Never reads beyond `end`. */
int32
wf_expr_decode(const char *s, const char *end, int *size)
{
	const unsigned char *u = (const unsigned char *) s;
	int			left = end - s;

	if (u[0] < 0x80 || left < 2)
	{
		*size = 1;
		return u[0];
	}
	if (u[0] < 0xE0)
	{
		*size = 2;
		return (u[0] & 0x1F) << 6 | (u[1] & 0x3F);
	}
	if (u[0] < 0xF0)
	{
		*size = Min(3, left);
		return left < 3 ? 0xFFFD : (u[0] & 0x0F) << 12 | (u[1] & 0x3F) << 6 | (u[2] & 0x3F);
	}
	*size = Min(4, left);
	if (left < 4)
		return 0xFFFD;
	return (u[0] & 0x07) << 18 | (u[1] & 0x3F) << 12 | (u[2] & 0x3F) << 6 | (u[3] & 0x3F);
}

/* Encodes one code point or surrogate; returns the number of bytes (at most 4). */
int
wf_expr_encode(uint32 code, char *out)
{
	if (code < 0x80)
	{
		out[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (char) (0xC0 | code >> 6);
		out[1] = (char) (0x80 | (code & 0x3F));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (char) (0xE0 | code >> 12);
		out[1] = (char) (0x80 | (code >> 6 & 0x3F));
		out[2] = (char) (0x80 | (code & 0x3F));
		return 3;
	}
	out[0] = (char) (0xF0 | code >> 18);
	out[1] = (char) (0x80 | (code >> 12 & 0x3F));
	out[2] = (char) (0x80 | (code >> 6 & 0x3F));
	out[3] = (char) (0x80 | (code & 0x3F));
	return 4;
}

/* The UTF-16 unit at a position, or -1 beyond the end. */
int
wf_expr_unit_at(WfEval *ev, const WfValue *string, uint32 unit)
{
	WfPlace		place = wf_expr_place(ev, string, unit);
	int			size;
	int32		code;

	if (place.byte >= string->len)
		return -1;
	code = wf_expr_decode(string->u.str + place.byte, string->u.str + string->len, &size);
	if (code < 0x10000)
		return code;
	return place.half ? 0xDC00 + ((code - 0x10000) & 0x3FF) : 0xD800 + ((code - 0x10000) >> 10);
}

/* A view on bytes [from, to). */
void
wf_expr_slice_bytes(const WfValue *string, uint32 from, uint32 to, WfValue *out)
{
	set_string(out, string->u.str + from, to - from, string->flags & (WF_S_ASCII | WF_S_BORROWED));
}

/* Units [from, to); both within the string, from <= to. */
void
wf_expr_substring(WfEval *ev, const WfValue *string, uint32 from, uint32 to, WfValue *out)
{
	WfValue		source = *string;
	WfPlace		begin;
	WfPlace		end;
	WfBuffer	buffer;
	const char *stop;
	int			size;

	if (is_ascii(ev, &source))
	{
		source.flags |= WF_S_ASCII;
		wf_expr_slice_bytes(&source, from, to, out);
		return;
	}
	begin = wf_expr_place(ev, &source, from);
	end = wf_expr_place(ev, &source, to);
	if (from >= to || (!begin.half && !end.half))
	{
		wf_expr_slice_bytes(&source, begin.byte, from >= to ? begin.byte : end.byte, out);
		return;
	}
	stop = source.u.str + source.len;
	wf_expr_buffer_begin(&buffer, ev);
	if (begin.half)
	{
		int32		code = wf_expr_decode(source.u.str + begin.byte, stop, &size);

		wf_expr_buffer_code(&buffer, 0xDC00 + (code & 0x3FF));
		begin.byte += 4;
	}
	if (end.byte > begin.byte)
		buffer_bytes(&buffer, source.u.str + begin.byte, end.byte - begin.byte);
	if (end.half && end.byte >= begin.byte)
	{
		int32		code = wf_expr_decode(source.u.str + end.byte, stop, &size);

		wf_expr_buffer_code(&buffer, 0xD800 + ((code - 0x10000) >> 10));
	}
	wf_expr_buffer_end(&buffer, out);
}

/* True when `left` ends in a high surrogate and `right` begins with a low one. */
static bool
splits_pair(const char *left, uint32 left_len, const char *right, uint32 right_len)
{
	return left_len >= 3 && right_len >= 3 &&
		(unsigned char) left[left_len - 3] == 0xED && (unsigned char) left[left_len - 2] >= 0xA0 &&
		(unsigned char) left[left_len - 2] < 0xB0 &&
		(unsigned char) right[0] == 0xED && (unsigned char) right[1] >= 0xB0;
}

static void
join_pair(const char *high, const char *low, char *out)
{
	int			size;
	int32		h = wf_expr_decode(high, high + 3, &size);
	int32		l = wf_expr_decode(low, low + 3, &size);

	wf_expr_encode(0x10000 + ((h - 0xD800) << 10) + (l - 0xDC00), out);
}

static void
check_length(WfEval *ev, Size len)
{
	if (len > 0x1FFFFFE8)
		wf_expr_over(ev, "string is longer than JavaScript allows");
	wf_expr_check_size(ev, (double) len);
}

/* a + b. */
void
wf_expr_concat(WfEval *ev, const WfValue *a, const WfValue *b, WfValue *out)
{
	uint8		flags = a->flags & b->flags & WF_S_ASCII;
	Size		len = (Size) a->len + b->len;
	WfGrowable *old;
	char	   *data;

	if (a->len == 0 || b->len == 0)
	{
		*out = a->len == 0 ? *b : *a;
		return;
	}
	if (unlikely(!flags && splits_pair(a->u.str, a->len, b->u.str, b->len)))
	{
		WfBuffer	buffer;

		wf_expr_buffer_begin(&buffer, ev);
		buffer_bytes(&buffer, a->u.str, a->len);
		wf_expr_buffer_string(&buffer, b);
		wf_expr_buffer_end(&buffer, out);
		return;
	}
	if (a->flags & WF_S_GROW)
	{
		old = GROWABLE(a->u.str);
		if (old->used == a->len && old->capacity - old->used >= b->len)
		{
			memcpy((char *) a->u.str + a->len, b->u.str, b->len);
			old->used += b->len;
			wf_expr_spend(ev, b->len >> 4);
			set_string(out, a->u.str, len, flags | WF_S_GROW);
			return;
		}
	}
	check_length(ev, len);
	wf_expr_spend(ev, len >> 4);
	if (len < GROW_FROM)
	{
		data = wf_expr_alloc(ev, len);
		memcpy(data, a->u.str, a->len);
		memcpy(data + a->len, b->u.str, b->len);
		set_string(out, data, len, flags);
		return;
	}
	old = wf_expr_alloc(ev, sizeof(WfGrowable) + len * 2);
	old->used = len;
	old->capacity = len * 2;
	data = (char *) old + sizeof(WfGrowable);
	memcpy(data, a->u.str, a->len);
	memcpy(data + a->len, b->u.str, b->len);
	set_string(out, data, len, flags | WF_S_GROW);
}

/* The order of the first unit of a character. */
static int
unit_rank(const char *s, const char *end)
{
	int			size;
	int32		code = wf_expr_decode(s, end, &size);

	return code < 0x10000 ? code : 0xD800 + ((code - 0x10000) >> 10);
}

/* The order of UTF-16 units: negative, zero, positive. */
int
wf_expr_compare_strings(const WfValue *a, const WfValue *b)
{
	uint32		common = Min(a->len, b->len);
	uint32		i = 0;

	while (i < common && a->u.str[i] == b->u.str[i])
		i++;
	if (i == common)
		return a->len < b->len ? -1 : a->len > b->len;
	if ((unsigned char) a->u.str[i] >= 0xE0 || (unsigned char) b->u.str[i] >= 0xE0 ||
		IS_TRAIL(a->u.str[i]) || IS_TRAIL(b->u.str[i]))
	{
		int			rank_a;
		int			rank_b;

		while (i > 0 && IS_TRAIL(a->u.str[i]))
			i--;
		rank_a = unit_rank(a->u.str + i, a->u.str + a->len);
		rank_b = unit_rank(b->u.str + i, b->u.str + b->len);
		if (rank_a != rank_b)
			return rank_a < rank_b ? -1 : 1;
	}
	return memcmp(a->u.str + i, b->u.str + i, common - i);
}

/* Byte position of `what` at or after `from_byte`, or -1. */
int64
wf_expr_find(WfEval *ev, const WfValue *string, const WfValue *what, uint32 from_byte)
{
	const char *found;

	if (from_byte > string->len || what->len > string->len - from_byte)
		return -1;
	wf_expr_spend(ev, (string->len - from_byte) >> 4);
	if (what->len == 0)
		return from_byte;
	found = memmem(string->u.str + from_byte, string->len - from_byte, what->u.str, what->len);
	return found == NULL ? -1 : found - string->u.str;
}

/* Byte position of the last `what` that begins at or before `from_byte`, or -1. */
int64
wf_expr_find_last(WfEval *ev, const WfValue *string, const WfValue *what, uint32 from_byte)
{
	int64		at;

	if (what->len > string->len)
		return -1;
	if (what->len == 0)
		return Min(from_byte, string->len);
	for (at = Min(from_byte, string->len - what->len); at >= 0; at--)
	{
		wf_expr_spend(ev, 1);
		if (!IS_TRAIL(string->u.str[at]) && memcmp(string->u.str + at, what->u.str, what->len) == 0)
			return at;
		if (at == 0)
			break;
	}
	return -1;
}

/* JavaScript's white space and line ends. */
bool
wf_expr_is_space(int32 code)
{
	if (code < 0x80)
		return code == ' ' || (code >= 9 && code <= 13);
	return code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
		code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000 || code == 0xFEFF;
}

void
wf_expr_trim(const WfValue *string, bool start, bool end, WfValue *out)
{
	const char *s = string->u.str;
	uint32		from = 0;
	uint32		to = string->len;
	int			size;

	while (start && from < to && wf_expr_is_space(wf_expr_decode(s + from, s + to, &size)))
		from += size;
	while (end && to > from)
	{
		uint32		last = to - 1;

		while (last > from && IS_TRAIL(s[last]))
			last--;
		if (!wf_expr_is_space(wf_expr_decode(s + last, s + to, &size)))
			break;
		to = last;
	}
	wf_expr_slice_bytes(string, from, to, out);
}

/* A string of the arena's own. */
void
wf_expr_new_string(WfEval *ev, const char *str, uint32 len, uint8 flags, WfValue *out)
{
	char	   *data = wf_expr_alloc(ev, len + 1);

	memcpy(data, str, len);
	data[len] = '\0';
	set_string(out, data, len, flags);
}

/* As snprintf; at most 255 bytes. */
void
wf_expr_format(WfEval *ev, WfValue *out, const char *fmt,...)
{
	char		buf[256];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(buf, sizeof(buf), fmt, args);
	va_end(args);
	wf_expr_new_string(ev, buf, strlen(buf), 0, out);
}

/* Ended by a zero byte. */
char *
wf_expr_cstring(WfEval *ev, const WfValue *string)
{
	char	   *data = wf_expr_alloc(ev, string->len + 1);

	memcpy(data, string->u.str, string->len);
	data[string->len] = '\0';
	return data;
}

bool
wf_expr_string_is(const WfValue *string, const char *text)
{
	return string->tag == WF_V_STRING && string->len == strlen(text) &&
		memcmp(string->u.str, text, string->len) == 0;
}

void
wf_expr_buffer_begin(WfBuffer *buffer, WfEval *ev)
{
	buffer->ev = ev;
	buffer->data = NULL;
	buffer->len = 0;
	buffer->capacity = 0;
}

void
wf_expr_buffer_grow(WfBuffer *buffer, Size more)
{
	WfEval	   *ev = buffer->ev;
	Size		capacity = Max(buffer->len + more, Max(buffer->capacity * 2, 64));
	char	   *data;

	check_length(ev, buffer->len + more);
	wf_expr_spend(ev, capacity >> 4);
	/* extend in place when it is the newest of the arena */
	if (buffer->data != NULL && buffer->data + MAXALIGN(buffer->capacity) == ev->free &&
		MAXALIGN(capacity) - MAXALIGN(buffer->capacity) <= (Size) (ev->end - ev->free))
	{
		ev->free += MAXALIGN(capacity) - MAXALIGN(buffer->capacity);
		buffer->capacity = capacity;
		return;
	}
	data = wf_expr_alloc(ev, capacity);
	if (buffer->data != NULL)
		memcpy(data, buffer->data, buffer->len);
	buffer->data = data;
	buffer->capacity = capacity;
}

/* Appends; a surrogate pair that comes together becomes one character. */
void
wf_expr_buffer_string(WfBuffer *buffer, const WfValue *string)
{
	const char *s = string->u.str;
	uint32		len = string->len;

	if (unlikely(splits_pair(buffer->data, buffer->len, s, len)))
	{
		char		joined[4];

		join_pair(buffer->data + buffer->len - 3, s, joined);
		buffer->len -= 3;
		buffer_bytes(buffer, joined, 4);
		s += 3;
		len -= 3;
	}
	buffer_bytes(buffer, s, len);
	wf_expr_spend(buffer->ev, 1 + (len >> 4));
}

/* Appends one code point or surrogate, which joins with nothing. */
void
wf_expr_buffer_code(WfBuffer *buffer, uint32 code)
{
	char		bytes[4] = "";
	int			n = wf_expr_encode(code, bytes);

	buffer_bytes(buffer, bytes, n);
}

/* Gives the string; what the buffer has in reserve goes back when it is the newest of the arena. */
void
wf_expr_buffer_end(WfBuffer *buffer, WfValue *out)
{
	WfEval	   *ev = buffer->ev;

	if (buffer->data != NULL && buffer->data + MAXALIGN(buffer->capacity) == ev->free)
		ev->free = buffer->data + MAXALIGN(buffer->len);
	set_string(out, buffer->data ? buffer->data : "", buffer->len, 0);
}
