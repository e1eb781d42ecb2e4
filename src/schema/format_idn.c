/*
 * format_idn.c: host names, ASCII (RFC 1123) and internationalised (IDNA 2008: RFC 5890 to 5893).
 *
 * A label beyond ASCII (a U-label) must be in normal form C, of code points that RFC 5892 derives as
 * valid, with those that depend on their neighbours in place; its encoded form must fit in 63 bytes.
 * A label `xn--...` (an A-label) must decode to such a label and encode back to itself.
 *
 * The derived property is computed as RFC 5892 defines it, from general categories (through the
 * regular expressions of base/, which have the tables) and normalisation (the server's), instead of
 * from a table of its own. Two approximations: joining types (appendix A.1) are taken by script, and
 * directions for the Bidi rule of RFC 5893 by block.
 */
#include "postgres.h"

#include <ctype.h>

#include "base/compat.h"
#include "common/unicode_norm.h"
#include "mb/pg_wchar.h"
#include "schema/schema_internal.h"
#include "utils/memutils.h"

#define LABEL_BYTES 63
#define NAME_BYTES 253

/* -- Punycode (RFC 3492) -- */

static int
adapt(int delta, int n_points, bool first)
{
	int			k = 0;

	delta = first ? delta / 700 : delta / 2;
	delta += delta / n_points;
	for (; delta > 455; k += 36)
		delta /= 35;
	return k + 36 * delta / (delta + 38);
}

static int
threshold(int k, int bias)
{
	return k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
}

/* Decodes what follows `xn--`; the number of code points, or -1. */
static int
punycode_decode(const char *text, int len, pg_wchar *out, int most)
{
	int			n = 0;
	int			code = 128;
	int			bias = 72;
	int			i = 0;
	int			basic = len;

	while (basic > 0 && text[basic - 1] != '-')
		basic--;
	for (int j = 0; j < basic - 1; j++)
		out[n++] = (unsigned char) text[j];
	for (int in = basic; in < len;)
	{
		int			old = i;
		int64		weight = 1;

		for (int k = 36;; k += 36)
		{
			int			digit,
						t = threshold(k, bias);

			if (in >= len)
				return -1;
			digit = isdigit((unsigned char) text[in]) ? text[in] - '0' + 26 : tolower((unsigned char) text[in]) - 'a';
			in++;
			if (i + digit * weight > 0x7FFFFFF)
				return -1;
			i += digit * weight;
			if (digit < t)
				break;
			weight *= 36 - t;
			if (weight > 0x7FFFFFF)
				return -1;
		}
		if (n >= most)
			return -1;
		bias = adapt(i - old, n + 1, old == 0);
		code += i / (n + 1);
		i %= n + 1;
		if (code > 0x10FFFF)
			return -1;
		memmove(out + i + 1, out + i, (n - i) * sizeof(pg_wchar));
		out[i++] = code;
		n++;
	}
	return n;
}

/* Encodes without `xn--`; the length, or -1 when it does not fit. */
static int
punycode_encode(const pg_wchar *in, int n, char *out, int most)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	int			len = 0;
	int			done = 0;
	int			bias = 72;
	int64		delta = 0;
	pg_wchar	code = 128;
	int			basic;

	for (int i = 0; i < n; i++)
	{
		if (in[i] < 0x80)
		{
			if (len >= most)
				return -1;
			out[len++] = (char) in[i];
		}
	}
	basic = done = len;
	if (basic > 0)
		out[len++] = '-';
	while (done < n)
	{
		pg_wchar	next = 0x110000;

		for (int i = 0; i < n; i++)
		{
			if (in[i] >= code && in[i] < next)
				next = in[i];
		}
		delta += (int64) (next - code) * (done + 1);
		code = next;
		for (int i = 0; i < n; i++)
		{
			int64		q = delta;

			if (in[i] < code)
				delta++;
			if (in[i] != code)
				continue;
			for (int k = 36;; k += 36)
			{
				int			t = threshold(k, bias);

				if (len >= most)
					return -1;
				if (q < t)
					break;
				out[len++] = digits[t + (q - t) % (36 - t)];
				q = (q - t) / (36 - t);
			}
			out[len++] = digits[q];
			bias = adapt((int) delta, done + 1, done == basic);
			delta = 0;
			done++;
		}
		delta++;
		code++;
	}
	return len;
}

/* -- properties -- */

/* Texts that the whole, or some character, of a label must match; compiled when first wanted. */
typedef enum Property
{
	PROPERTY_VALID,				/* candidates by category, before stability and exceptions */
	PROPERTY_MARK_FIRST,
	PROPERTY_GREEK,
	PROPERTY_HEBREW,
	PROPERTY_KANA_OR_HAN,
	PROPERTY_JOINING,
	PROPERTY_NONSPACING,
	PROPERTY_COUNT
} Property;

static const char *const property_patterns[PROPERTY_COUNT] = {
	"^[-\\p{Ll}\\p{Lo}\\p{Lm}\\p{Mn}\\p{Mc}\\p{Nd}\\u06FD\\u06FE\\u0F0B\\u3007\\u00B7\\u0375\\u05F3\\u05F4\\u30FB\\u200C\\u200D]+$",
	"^\\p{M}",
	"^\\p{Script=Greek}",
	"^\\p{Script=Hebrew}",
	"[\\p{Script=Hiragana}\\p{Script=Katakana}\\p{Script=Han}]",
	"^[\\p{Script=Arabic}\\p{Script=Syriac}\\p{Script=Mandaic}\\p{Script=Mongolian}\\p{Script=Nko}\\p{Script=Phags_Pa}\\p{Script=Manichaean}\\p{Script=Psalter_Pahlavi}\\p{Script=Hanifi_Rohingya}\\p{Script=Sogdian}\\p{Script=Adlam}]",
	"^\\p{Mn}",
};

static bool
has_property(Property property, const char *text, int len)
{
	static WfRegex *compiled[PROPERTY_COUNT];

	if (compiled[property] == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
		const char *problem = NULL;

		compiled[property] = wf_regex_compile(property_patterns[property], strlen(property_patterns[property]), "u",
											  &problem);
		MemoryContextSwitchTo(old);
		if (compiled[property] == NULL)
			elog(ERROR, "could not compile a pattern of host names: %s", problem);
	}
	return wf_regex_match(compiled[property], text, len, 0, false, NULL, 0) > 0;
}

static bool
point_has(Property property, pg_wchar point)
{
	unsigned char utf8[5];

	unicode_to_utf8(point, utf8);
	return has_property(property, (char *) utf8, pg_utf_mblen(utf8));
}

static bool
in_ranges(pg_wchar point, const pg_wchar (*ranges)[2], int n)
{
	for (int i = 0; i < n; i++)
	{
		if (point >= ranges[i][0] && point <= ranges[i][1])
			return true;
	}
	return false;
}

/* Code points whose category is that of valid ones but which RFC 5892 disallows: exceptions (2.6),
 * ignorable ones (2.3), old Hangul jamo (2.9), and those that case folding changes (2.2). */
static const pg_wchar disallowed[][2] = {
	{0x0640, 0x0640}, {0x07FA, 0x07FA}, {0x302E, 0x302F}, {0x3031, 0x3035}, {0x303B, 0x303B},
	{0x034F, 0x034F}, {0x115F, 0x1160}, {0x17B4, 0x17B5}, {0x180B, 0x180F}, {0x3164, 0x3164},
	{0xFE00, 0xFE0F}, {0xFFA0, 0xFFA0}, {0xE0000, 0xE0FFF},
	{0x1100, 0x11FF}, {0xA960, 0xA97C}, {0xD7B0, 0xD7FB},
	{0x0345, 0x0345}, {0x13F8, 0x13FD}, {0xAB70, 0xABBF},
};

/* Canonical combining class 9. */
static const pg_wchar viramas[] = {
	0x094D, 0x09CD, 0x0A4D, 0x0ACD, 0x0B4D, 0x0BCD, 0x0C4D, 0x0CCD, 0x0D3B, 0x0D3C, 0x0D4D, 0x0DCA, 0x0E3A, 0x0EBA,
	0x0F84, 0x1039, 0x103A, 0x1714, 0x1715, 0x1734, 0x17D2, 0x1A60, 0x1B44, 0x1BAA, 0x1BAB, 0x1BF2, 0x1BF3, 0x2D7F,
	0xA806, 0xA82C, 0xA8C4, 0xA953, 0xA9C0, 0xAAF6, 0xABED, 0x10A3F, 0x11046, 0x11070, 0x1107F, 0x110B9, 0x11133,
	0x11134, 0x111C0, 0x11235, 0x112EA, 0x1134D, 0x11442, 0x114C2, 0x115BF, 0x1163F, 0x116B6, 0x1172B, 0x11839,
	0x1193D, 0x1193E, 0x119E0, 0x11A34, 0x11A47, 0x11A99, 0x11C3F, 0x11D44, 0x11D45, 0x11D97, 0x11F41, 0x11F42,
};

static bool
is_virama(pg_wchar point)
{
	for (int i = 0; i < lengthof(viramas); i++)
	{
		if (viramas[i] == point)
			return true;
	}
	return false;
}

/* -- directions (RFC 5893) -- */

/* What the labels of a name say together: the rule binds all of them when one has a character from right to left. */
typedef struct Bidi
{
	bool		any_right_to_left;
	bool		all_valid;
} Bidi;

typedef enum Direction
{
	DIRECTION_LEFT = 1,
	DIRECTION_RIGHT = 2,
	DIRECTION_NUMBER = 4,		/* European */
	DIRECTION_ARABIC_NUMBER = 8,
	DIRECTION_NONE = 16,
	DIRECTION_MARK = 32,
} Direction;

static Direction
direction_of(pg_wchar point)
{
	static const pg_wchar right[][2] = {
		{0x0590, 0x08FF}, {0xFB1D, 0xFDFF}, {0xFE70, 0xFEFF}, {0x10800, 0x10FFF}, {0x1E800, 0x1EFFF},
	};

	if ((point >= '0' && point <= '9') || (point >= 0x06F0 && point <= 0x06F9))
		return DIRECTION_NUMBER;
	if (point == '-')
		return DIRECTION_NONE;
	if (point < 0x80)
		return DIRECTION_LEFT;
	if ((point >= 0x0660 && point <= 0x0669) || point == 0x06DD || (point >= 0x10D30 && point <= 0x10D39))
		return DIRECTION_ARABIC_NUMBER;
	if (point == 0x200C || point == 0x200D || point_has(PROPERTY_NONSPACING, point))
		return DIRECTION_MARK;
	return in_ranges(point, right, lengthof(right)) ? DIRECTION_RIGHT : DIRECTION_LEFT;
}

/* Adds what one label says. */
static void
note_directions(Bidi *bidi, const pg_wchar *points, int n)
{
	Direction	first = direction_of(points[0]);
	Direction	last = DIRECTION_NONE;
	int			found = 0;
	bool		valid;

	for (int i = 0; i < n; i++)
	{
		Direction	direction = direction_of(points[i]);

		found |= direction;
		if (direction != DIRECTION_MARK)
			last = direction;
	}
	if (first == DIRECTION_RIGHT)
		valid = (found & DIRECTION_LEFT) == 0 &&
			(last & (DIRECTION_RIGHT | DIRECTION_NUMBER | DIRECTION_ARABIC_NUMBER)) != 0 &&
			(found & (DIRECTION_NUMBER | DIRECTION_ARABIC_NUMBER)) != (DIRECTION_NUMBER | DIRECTION_ARABIC_NUMBER);
	else
		valid = first == DIRECTION_LEFT && (found & (DIRECTION_RIGHT | DIRECTION_ARABIC_NUMBER)) == 0 &&
			(last & (DIRECTION_LEFT | DIRECTION_NUMBER)) != 0;
	bidi->any_right_to_left |= (found & (DIRECTION_RIGHT | DIRECTION_ARABIC_NUMBER)) != 0;
	bidi->all_valid &= valid;
}

/* -- labels -- */

/* The rules of RFC 5892, appendix A, for the code points that depend on their neighbours. */
static bool
context_valid(const pg_wchar *points, int n, int i, const char *label, int len)
{
	switch (points[i])
	{
		case 0x00B7:			/* between two l */
			return i > 0 && i < n - 1 && points[i - 1] == 'l' && points[i + 1] == 'l';
		case 0x0375:
			return i < n - 1 && point_has(PROPERTY_GREEK, points[i + 1]);
		case 0x05F3:
		case 0x05F4:
			return i > 0 && point_has(PROPERTY_HEBREW, points[i - 1]);
		case 0x30FB:
			/* it is of script Common itself */
			return has_property(PROPERTY_KANA_OR_HAN, label, len);
		case 0x200D:
			return i > 0 && is_virama(points[i - 1]);
		case 0x200C:
			return i > 0 && (is_virama(points[i - 1]) ||
							 (i < n - 1 && point_has(PROPERTY_JOINING, points[i - 1]) &&
							  point_has(PROPERTY_JOINING, points[i + 1])));
	}
	return true;
}

/* A U-label by its code points (`points` is ended by 0) and its text. */
static bool
u_label_valid(const pg_wchar *points, int n, const char *label, int len)
{
	bool		arabic_digits = false;
	bool		extended_digits = false;
	pg_wchar   *normal;

	if (n == 0 || points[0] == '-' || points[n - 1] == '-' || (n >= 4 && points[2] == '-' && points[3] == '-'))
		return false;
	if (!has_property(PROPERTY_VALID, label, len) || has_property(PROPERTY_MARK_FIRST, label, len))
		return false;
	normal = unicode_normalize(UNICODE_NFC, points);
	for (int i = 0; i <= n; i++)
	{
		if (normal[i] != points[i])
			return false;
	}
	for (int i = 0; i < n; i++)
	{
		pg_wchar	one[2] = {points[i], 0};

		if (in_ranges(points[i], disallowed, lengthof(disallowed)) || !context_valid(points, n, i, label, len))
			return false;
		normal = unicode_normalize(UNICODE_NFKC, one);
		if (normal[0] != points[i] || normal[1] != 0)
			return false;
		arabic_digits |= points[i] >= 0x0660 && points[i] <= 0x0669;
		extended_digits |= points[i] >= 0x06F0 && points[i] <= 0x06F9;
	}
	return !(arabic_digits && extended_digits);
}

/* What follows `xn--` in an A-label. */
static bool
a_label_valid(const char *rest, int len, Bidi *bidi)
{
	pg_wchar	points[LABEL_BYTES + 2];
	char		back[LABEL_BYTES + 2];
	char		text[(LABEL_BYTES + 1) * 4 + 1];
	int			n = punycode_decode(rest, len, points, LABEL_BYTES);
	int			text_len = 0;
	bool		beyond_ascii = false;

	if (n <= 0 || GetDatabaseEncoding() != PG_UTF8)
		return false;
	for (int i = 0; i < n; i++)
	{
		if (points[i] >= 0xD800 && points[i] <= 0xDFFF)
			return false;
		unicode_to_utf8(points[i], (unsigned char *) text + text_len);
		text_len += pg_utf_mblen((unsigned char *) text + text_len);
		beyond_ascii |= points[i] >= 0x80;
	}
	points[n] = 0;
	note_directions(bidi, points, n);
	return beyond_ascii && u_label_valid(points, n, text, text_len) &&
		punycode_encode(points, n, back, LABEL_BYTES) == len && pg_strncasecmp(back, rest, len) == 0;
}

/* Letters, digits and hyphens, none at the ends. */
static bool
ascii_label_valid(const char *label, int len, Bidi *bidi)
{
	pg_wchar	points[LABEL_BYTES];

	if (len == 0 || len > LABEL_BYTES || label[0] == '-' || label[len - 1] == '-')
		return false;
	for (int i = 0; i < len; i++)
	{
		if (!isalnum((unsigned char) label[i]) && label[i] != '-')
			return false;
		points[i] = (unsigned char) label[i];
	}
	if (len >= 4 && pg_strncasecmp(label, "xn--", 4) == 0)
		return a_label_valid(label + 4, len - 4, bidi);
	note_directions(bidi, points, len);
	return !(len >= 4 && label[2] == '-' && label[3] == '-');
}

/* A label that may be beyond ASCII; *encoded_len is what it takes in a name. */
static bool
wide_label_valid(const char *label, int len, int *encoded_len, Bidi *bidi)
{
	pg_wchar	points[LABEL_BYTES + 1];
	char		encoded[LABEL_BYTES + 2];
	int			n = 0;
	bool		ascii = true;

	for (int i = 0; i < len; i++)
		ascii &= (unsigned char) label[i] < 0x80;
	*encoded_len = len;
	if (ascii)
		return ascii_label_valid(label, len, bidi);
	if (len == 0 || GetDatabaseEncoding() != PG_UTF8)
		return false;
	for (const char *p = label; p < label + len; p += pg_utf_mblen((const unsigned char *) p))
	{
		if (n >= LABEL_BYTES)
			return false;
		points[n++] = utf8_to_unicode((const unsigned char *) p);
	}
	points[n] = 0;
	*encoded_len = punycode_encode(points, n, encoded, LABEL_BYTES - 4);
	if (*encoded_len < 0)
		return false;
	*encoded_len += 4;
	note_directions(bidi, points, n);
	return u_label_valid(points, n, label, len);
}

/* -- names -- */

bool
wf_schema_format_hostname(const char *text, int len)
{
	Bidi		bidi = {.all_valid = true};
	int			start = 0;

	if (len == 0 || len > NAME_BYTES)
		return false;
	for (int i = 0; i <= len; i++)
	{
		if (i < len && text[i] != '.')
			continue;
		if (!ascii_label_valid(text + start, i - start, &bidi))
			return false;
		start = i + 1;
	}
	return bidi.all_valid || !bidi.any_right_to_left;
}

/* The length of a separator at `p`: a full stop or one of its wide forms; 0 when there is none. */
static int
separator_len(const char *p, int len)
{
	if (*p == '.')
		return 1;
	if (len >= 3 && (memcmp(p, "\343\200\202", 3) == 0 || memcmp(p, "\357\274\216", 3) == 0 ||
					 memcmp(p, "\357\275\241", 3) == 0))
		return 3;
	return 0;
}

bool
wf_schema_format_idn_hostname(const char *text, int len)
{
	Bidi		bidi = {.all_valid = true};
	int			start = 0;
	int			total = 0;
	int			encoded_len;

	if (len == 0 || len > NAME_BYTES * 4)
		return false;
	for (int i = 0; i <= len; i++)
	{
		int			separator = i < len ? separator_len(text + i, len - i) : 1;

		if (separator == 0)
			continue;
		if (!wide_label_valid(text + start, i - start, &encoded_len, &bidi))
			return false;
		total += encoded_len + (i < len);
		start = i + separator;
		i += separator - 1;
	}
	return total <= NAME_BYTES && (bidi.all_valid || !bidi.any_right_to_left);
}
