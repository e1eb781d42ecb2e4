/*
 * number.c: numbers as JavaScript reads and writes them.
 *
 * The shortest text that reads back as the same double comes from PostgreSQL's Ryu; the layout is
 * JavaScript's. Ryu as PostgreSQL has it never accepts a decimal on the very edge of the interval that
 * rounds to the double, which JavaScript does for even mantissas (1e23), so one digit fewer is tried
 * for the long ones. toFixed and its relatives round the exact binary value, ties away from zero.
 *
 * A number of the context stays a numeric until arithmetic needs a double. As text it is what
 * JavaScript prints unless the double would lose digits: then the digits are kept.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "expr/internal.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

/* -- numeric and double -- */

/* The nearest double; infinite when out of range. Small integers take a short way. */
double
wf_expr_numeric_double(Numeric numeric)
{
	bool		failed = false;
	int32		small;
	char	   *text;
	double		value;

	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(numeric))) == 0)
	{
		small = numeric_int4_opt_error(numeric, &failed);
		if (!failed)
			return small;
	}
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(numeric)));
	value = strtod(text, NULL);
	pfree(text);
	return value;
}

/* A numeric in CurrentMemoryContext; NaN and infinities must not come here. */
Numeric
wf_expr_make_numeric(double value)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (value == floor(value) && fabs(value) < 9007199254740992.0)
		return int64_to_numeric((int64) value);
	wf_expr_format_number(value, buf);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in, CStringGetDatum(buf), ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/*
 * Digits of a decimal text without sign, point, leading and trailing zeros; their count, which may be
 * more than there is room for.
 */
static int
significant_digits(const char *text, char *out, int room)
{
	int			n = 0;
	int			significant = 0;

	for (; *text && *text != 'e' && *text != 'E'; text++)
	{
		if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
			continue;
		if (n < room)
			out[n] = *text;
		n++;
		if (*text != '0')
			significant = n;
	}
	return significant;
}

/*
 * The text of a number of the context. True when it is longer than a double can hold, and `out` is
 * then its digits as they are; false when JavaScript's text of the double is right.
 */
bool
wf_expr_numeric_text(WfEval *ev, Numeric numeric, WfValue *out)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(numeric)));
	char		mine[32];
	char		its[20];
	char		buf[32];
	int			n = significant_digits(text, its, 18);
	double		value;

	bool		exact = n <= 15;

	if (!exact && n <= 18)
	{
		value = strtod(text, NULL);
		wf_expr_format_number(value, buf);
		exact = !isinf(value) && significant_digits(buf, mine, 18) == n && memcmp(mine, its, n) == 0;
	}
	if (!exact)
		wf_expr_new_string(ev, text, strlen(text), WF_S_ASCII, out);
	pfree(text);
	return !exact;
}

/* -- to text -- */

/* One digit fewer, when that still reads back as the same. */
static void
try_shorter(double value, char *digits, int *n, int *exponent)
{
	char		buf[40];
	char	   *e;

	if (*n < 16)
		return;
	snprintf(buf, sizeof(buf), "%.*e", *n - 2, value);
	if (strtod(buf, NULL) != value)
		return;
	e = strchr(buf, 'e');
	*exponent = atoi(e + 1) + 1;
	*n = 0;
	for (char *c = buf; c < e; c++)
		if (*c >= '0' && *c <= '9')
			digits[(*n)++] = *c;
	while (*n > 1 && digits[*n - 1] == '0')
		(*n)--;
}

/* Digits and decimal exponent (0.digits * 10^exponent) of a positive finite double. */
static void
shortest(double value, char *digits, int *n, int *exponent)
{
	char		buf[DOUBLE_SHORTEST_DECIMAL_LEN];
	int			len = double_to_shortest_decimal_bufn(value, buf);
	int			point = -1;
	int			e = 0;
	int			lead = 0;

	*n = 0;
	for (int i = 0; i < len; i++)
	{
		if (buf[i] == '.')
			point = *n + lead;
		else if (buf[i] == 'e')
		{
			buf[len] = '\0';
			e = atoi(buf + i + 1);
			break;
		}
		else if (*n == 0 && buf[i] == '0')
			lead++;
		else
			digits[(*n)++] = buf[i];
	}
	if (point < 0)
		point = *n + lead;
	*exponent = point - lead + e;
	while (*n > 1 && digits[*n - 1] == '0')
		(*n)--;
	try_shorter(value, digits, n, exponent);
}

/* Number::toString(value, 10); returns its length. `buf` holds at least 32 bytes; ended by zero. */
int
wf_expr_format_number(double value, char *buf)
{
	char		digits[32] = "";
	int			n;
	int			exponent;
	char	   *out = buf;

	if (isnan(value))
		return strlcpy(buf, "NaN", 32);
	if (value == 0)
		return strlcpy(buf, "0", 32);
	if (isinf(value))
		return strlcpy(buf, value < 0 ? "-Infinity" : "Infinity", 32);
	if (value == floor(value) && fabs(value) < 1e15)
		return pg_lltoa((int64) value, buf);
	if (value < 0)
		*out++ = '-';
	shortest(fabs(value), digits, &n, &exponent);
	if (exponent >= n && exponent <= 21)
	{
		memcpy(out, digits, n);
		memset(out + n, '0', exponent - n);
		out += exponent;
	}
	else if (exponent > 0 && exponent <= 21)
	{
		memcpy(out, digits, exponent);
		out[exponent] = '.';
		memcpy(out + exponent + 1, digits + exponent, n - exponent);
		out += n + 1;
	}
	else if (exponent > -6 && exponent <= 0)
	{
		*out++ = '0';
		*out++ = '.';
		memset(out, '0', -exponent);
		out += -exponent;
		memcpy(out, digits, n);
		out += n;
	}
	else
	{
		*out++ = digits[0];
		if (n > 1)
		{
			*out++ = '.';
			memcpy(out, digits + 1, n - 1);
			out += n - 1;
		}
		out += snprintf(out, buf + 32 - out, "e%c%d", exponent > 0 ? '+' : '-', abs(exponent - 1));
	}
	*out = '\0';
	return out - buf;
}

/* Adds one to the last digit of a decimal text; a carry out of the first makes it longer. */
static void
increment(char *text)
{
	int			i = strlen(text) - 1;

	for (; i >= 0; i--)
	{
		if (text[i] < '0' || text[i] > '9')
			continue;
		if (text[i] != '9')
		{
			text[i]++;
			return;
		}
		text[i] = '0';
	}
	memmove(text + 1, text, strlen(text) + 1);
	text[0] = '1';
}

/* Number.prototype.toFixed for |value| < 1e21; exact, ties away from zero. */
void
wf_expr_format_fixed(WfEval *ev, double value, int digits, WfValue *out)
{
	char		buf[400];
	int			cut;
	bool		up;
	char	   *text = buf + 2;

	snprintf(text, sizeof(buf) - 2, "%.*f", Min(digits + 200, 345), fabs(value));
	cut = strchr(text, '.') - text + 1 + digits;
	up = text[cut] >= '5';
	text[digits == 0 ? cut - 1 : cut] = '\0';
	if (up)
		increment(text);
	/* (-0.0000001).toFixed(2) is "-0.00", (-0).toFixed(2) is "0.00" */
	if (value < 0)
		*--text = '-';
	wf_expr_new_string(ev, text, strlen(text), WF_S_ASCII, out);
}

/* Number.prototype.toString(radix) for finite values, with the digits V8 gives. */
void
wf_expr_format_radix(WfEval *ev, double value, int radix, WfValue *out)
{
	static const char chars[] = "0123456789abcdefghijklmnopqrstuvwxyz";
	char		buf[2300];
	int			point = 1100;
	int			left = point;
	int			right = point;
	bool		negative = value < 0;
	double		integer = floor(fabs(value));
	double		fraction = fabs(value) - integer;
	double		delta = Max(0.5 * (nextafter(fabs(value), INFINITY) - fabs(value)), nextafter(0.0, 1.0));

	if (fraction >= delta)
	{
		buf[right++] = '.';
		do
		{
			int			digit;

			fraction *= radix;
			delta *= radix;
			digit = (int) fraction;
			buf[right++] = chars[digit];
			fraction -= digit;
			if (fraction > 0.5 || (fraction == 0.5 && (digit & 1)))
			{
				if (fraction + delta > 1)
				{
					/* round up, propagating carries */
					for (;;)
					{
						int			last;

						right--;
						if (right == point)
						{
							integer += 1;
							break;
						}
						last = buf[right] > '9' ? buf[right] - 'a' + 10 : buf[right] - '0';
						if (last + 1 < radix)
						{
							buf[right++] = chars[last + 1];
							break;
						}
					}
					break;
				}
			}
		} while (fraction >= delta && right < (int) sizeof(buf) - 2);
	}
	/* digits that the double does not determine are zeros */
	while (integer / radix >= 9007199254740992.0)
	{
		integer /= radix;
		buf[--left] = '0';
	}
	do
	{
		double		rest = fmod(integer, radix);

		buf[--left] = chars[(int) rest];
		integer = (integer - rest) / radix;
	} while (integer > 0 && left > 2);
	if (negative)
		buf[--left] = '-';
	wf_expr_new_string(ev, buf + left, right - left, WF_S_ASCII, out);
}

/* -- from text -- */

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 10;
	return 99;
}

/*
 * The number that digits in a radix (2 to 36) stand for, exactly rounded for powers of two; NaN when
 * a byte is no digit or there is none.
 */
double
wf_expr_parse_radix(const char *str, uint32 len, int radix)
{
	double		value = 0;

	if (len == 0)
		return NAN;
	/* in groups that 32 bits hold, whose rounding is V8's */
	for (uint32 i = 0; i < len;)
	{
		uint32		part = 0;
		uint32		multiplier = 1;

		while (i < len && multiplier * (uint32) radix <= PG_UINT32_MAX / 36)
		{
			int			digit = digit_value(str[i++]);

			if (digit >= radix)
				return NAN;
			part = part * radix + digit;
			multiplier *= radix;
		}
		value = value * multiplier + part;
	}
	if (value < 9007199254740992.0)
		return value;
	if (radix == 10 || radix == 16)
	{
		char	   *text = palloc(len + 3);

		memcpy(text, radix == 16 ? "0x" : "00", 2);
		memcpy(text + 2, str, len);
		text[len + 2] = '\0';
		value = strtod(text, NULL);
		pfree(text);
	}
	else if (radix == 2 || radix == 4 || radix == 8 || radix == 32)
	{
		/* 53 bits, then round half to even */
		int			per = radix == 2 ? 1 : radix == 4 ? 2 : radix == 8 ? 3 : 5;
		uint64		mantissa = 0;
		int			extra = 0;
		bool		half = false;
		bool		more = false;

		for (uint32 i = 0; i < len; i++)
			for (int bit = per - 1; bit >= 0; bit--)
			{
				int			b = digit_value(str[i]) >> bit & 1;

				if (mantissa < UINT64CONST(1) << 52)
					mantissa = mantissa << 1 | b;
				else
				{
					if (extra == 0)
						half = b;
					else
						more |= b;
					extra++;
				}
			}
		if (half && (more || (mantissa & 1)))
			mantissa++;
		value = ldexp((double) mantissa, extra);
	}
	return value;
}

/* Length of the decimal literal (digits, point, exponent) at the beginning; 0 when there is none. */
static uint32
decimal_length(const char *str, uint32 len)
{
	uint32		i = 0;
	uint32		digits = 0;

	for (; i < len && str[i] >= '0' && str[i] <= '9'; i++)
		digits++;
	if (i < len && str[i] == '.')
		for (i++; i < len && str[i] >= '0' && str[i] <= '9'; i++)
			digits++;
	if (digits == 0)
		return 0;
	if (i < len && (str[i] == 'e' || str[i] == 'E'))
	{
		uint32		e = i + 1;

		if (e < len && (str[e] == '+' || str[e] == '-'))
			e++;
		if (e < len && str[e] >= '0' && str[e] <= '9')
		{
			while (e < len && str[e] >= '0' && str[e] <= '9')
				e++;
			i = e;
		}
	}
	return i;
}

static double
read_decimal(const char *str, uint32 len)
{
	char		buf[64];
	char	   *text = len < sizeof(buf) ? buf : palloc(len + 1);
	double		value;

	memcpy(text, str, len);
	text[len] = '\0';
	value = strtod(text, NULL);
	if (text != buf)
		pfree(text);
	return value;
}

/*
 * The number at the beginning of a text without leading space (parseFloat); `used`: its bytes. NaN
 * and 0 bytes when there is none.
 */
double
wf_expr_parse_prefix(const char *str, uint32 len, uint32 *used)
{
	uint32		sign = len > 0 && (str[0] == '+' || str[0] == '-') ? 1 : 0;
	uint32		n;
	double		value;

	*used = 0;
	if (len - sign >= 8 && memcmp(str + sign, "Infinity", 8) == 0)
	{
		*used = sign + 8;
		return str[0] == '-' ? -INFINITY : INFINITY;
	}
	n = decimal_length(str + sign, len - sign);
	if (n == 0)
		return NAN;
	*used = sign + n;
	value = read_decimal(str + sign, n);
	return str[0] == '-' ? -value : value;
}

/* Number(text). */
double
wf_expr_parse_number(const char *str, uint32 len)
{
	WfValue		whole;
	WfValue		trimmed;
	uint32		used;
	double		value;

	set_string(&whole, str, len, 0);
	wf_expr_trim(&whole, true, true, &trimmed);
	str = trimmed.u.str;
	len = trimmed.len;
	if (len == 0)
		return 0;
	if (len <= 9)
	{
		/* short and digits only */
		int64		n = 0;
		uint32		i = 0;

		for (; i < len && str[i] >= '0' && str[i] <= '9'; i++)
			n = n * 10 + (str[i] - '0');
		if (i == len)
			return (double) n;
	}
	if (len > 2 && str[0] == '0')
	{
		char		c = str[1] | 0x20;

		if (c == 'x' || c == 'o' || c == 'b')
			return wf_expr_parse_radix(str + 2, len - 2, c == 'x' ? 16 : c == 'o' ? 8 : 2);
	}
	value = wf_expr_parse_prefix(str, len, &used);
	return used == len ? value : NAN;
}
