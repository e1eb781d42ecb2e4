/*
 * bigint.c: BigInt: whole numbers of any size, as sign and magnitude in limbs of 32 bits, least first.
 *
 * A WfBigInt never changes once a value points at it; it is in the arena, or in the compiled expression
 * (a literal). Zero has no limbs and no sign, and the highest limb is never zero, so equal numbers are
 * equal bytes. The algorithms are the schoolbook's; what they touch is paid for with fuel, and the
 * limit of memory bounds their size. Bitwise operators work on two's complement, made limb by limb as it
 * is read. Mixing with numbers throws, as in JavaScript: nothing is rounded by accident.
 */
#include "postgres.h"

#include <math.h>

#include "common/hashfn.h"
#include "expr/internal.h"

#define LIMB_BITS	32
#define DECIMAL_STEP	1000000000	/* 9 digits, which fit into a limb */

/* -- making -- */

static WfBigInt *
new_bigint(WfEval *ev, Size n)
{
	Size		size = offsetof(WfBigInt, limbs) + n * sizeof(uint32);
	WfBigInt   *big;

	if (ev != NULL)
	{
		wf_expr_check_size(ev, (double) size);
		wf_expr_spend(ev, n / 4);
	}
	big = ev != NULL ? wf_expr_alloc(ev, size) : palloc(size);
	big->n = n;
	big->negative = false;
	memset(big->limbs, 0, n * sizeof(uint32));
	return big;
}

/* Drops leading zeros; what is given is ready. */
static const WfBigInt *
trimmed(WfBigInt *big)
{
	while (big->n > 0 && big->limbs[big->n - 1] == 0)
		big->n--;
	if (big->n == 0)
		big->negative = false;
	return big;
}

static void
set_bigint(WfValue *out, const WfBigInt *big)
{
	out->tag = WF_V_BIGINT;
	out->u.bigint = big;
}

static const WfBigInt *
from_uint64(WfEval *ev, uint64 value, bool negative)
{
	WfBigInt   *big = new_bigint(ev, 2);

	big->limbs[0] = (uint32) value;
	big->limbs[1] = (uint32) (value >> LIMB_BITS);
	big->negative = negative;
	return trimmed(big);
}

static const WfBigInt *
with_sign(WfEval *ev, const WfBigInt *big, bool negative)
{
	WfBigInt   *copy;

	if (big->negative == negative || big->n == 0)
		return big;
	copy = new_bigint(ev, big->n);
	memcpy(copy->limbs, big->limbs, big->n * sizeof(uint32));
	copy->negative = negative;
	return copy;
}

static int
digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'z' ? c - 'a' + 10 : 99;
}

/* The number that the digits of a radix up to 16 are; without `ev` it is palloc'ed. NULL: other characters. */
const WfBigInt *
wf_expr_bigint_digits(WfEval *ev, const char *digits, uint32 len, int radix)
{
	int			bits = radix == 2 ? 1 : radix == 8 ? 3 : 4;
	WfBigInt   *big = new_bigint(ev, (Size) len * bits / LIMB_BITS + 1);

	big->n = 0;
	for (uint32 i = 0; i < len;)
	{
		uint64		carry = 0;
		uint64		scale = 1;

		for (; i < len && scale < DECIMAL_STEP / 16; i++)
		{
			int			digit = digit_value(digits[i]);

			if (digit >= radix)
				return NULL;
			carry = carry * radix + digit;
			scale *= radix;
		}
		if (ev != NULL)
			wf_expr_spend(ev, big->n / 8);
		for (uint32 j = 0; j < big->n; j++)
		{
			carry += (uint64) big->limbs[j] * scale;
			big->limbs[j] = (uint32) carry;
			carry >>= LIMB_BITS;
		}
		if (carry > 0)
			big->limbs[big->n++] = (uint32) carry;
	}
	return trimmed(big);
}

/* StringToBigInt: NULL when the text is no whole number. */
static const WfBigInt *
from_text(WfEval *ev, const WfValue *text)
{
	WfValue		bare;
	const char *s;
	uint32		len;
	bool		negative = false;
	const WfBigInt *big;

	wf_expr_trim(text, true, true, &bare);
	s = bare.u.str;
	len = bare.len;
	if (len > 2 && s[0] == '0' && digit_value(s[1]) > 9)
	{
		int			radix = (s[1] | 0x20) == 'x' ? 16 : (s[1] | 0x20) == 'o' ? 8 : (s[1] | 0x20) == 'b' ? 2 : 0;

		return radix ? wf_expr_bigint_digits(ev, s + 2, len - 2, radix) : NULL;
	}
	if (len > 1 && (s[0] == '-' || s[0] == '+'))
	{
		negative = s[0] == '-';
		s++;
		len--;
	}
	big = wf_expr_bigint_digits(ev, s, len, 10);
	return big ? with_sign(ev, big, negative) : NULL;
}

static const WfBigInt *shift_left(WfEval *ev, const WfBigInt *a, uint64 by);

/* Of a whole number. */
static const WfBigInt *
from_double(WfEval *ev, double number)
{
	int			exponent;
	uint64		mantissa = (uint64) ldexp(frexp(fabs(number), &exponent), 53);

	if (exponent <= 53)
		return from_uint64(ev, mantissa >> Min(53 - exponent, 63), number < 0);
	return shift_left(ev, from_uint64(ev, mantissa, number < 0), exponent - 53);
}

/* -- conversions -- */

/* The nearest double, ties to even: made of the 64 highest bits, where those below only break ties. */
double
wf_expr_bigint_double(const WfBigInt *big)
{
	uint32		n = big->n;
	uint32		at;
	uint32		bit;
	uint64		top;
	int64		below;
	double		value;

	if (n <= 2)
	{
		top = (n > 0 ? big->limbs[0] : 0) | (n > 1 ? (uint64) big->limbs[1] << LIMB_BITS : 0);
		return big->negative ? -(double) top : (double) top;
	}
	below = (int64) n * LIMB_BITS - __builtin_clz(big->limbs[n - 1]) - 64;
	at = below / LIMB_BITS;
	bit = below % LIMB_BITS;
	top = big->limbs[at] >> bit | (uint64) big->limbs[at + 1] << (LIMB_BITS - bit);
	if (bit > 0)
		top |= (uint64) big->limbs[at + 2] << (2 * LIMB_BITS - bit);
	if (big->limbs[at] & ((1u << bit) - 1))
		top |= 1;
	while (at > 0)
		if (big->limbs[--at] != 0)
			top |= 1;
	value = below > 2000 ? INFINITY : ldexp((double) top, (int) below);
	return big->negative ? -value : value;
}

/* Digits of any radix. */
void
wf_expr_bigint_text(WfEval *ev, const WfBigInt *big, int radix, WfValue *out)
{
	uint32	   *rest;
	uint32		n = big->n;
	uint32		step = radix;
	int			step_digits = 1;
	Size		room = (Size) big->n * LIMB_BITS + 2;
	char	   *text;
	char	   *end;

	if (n == 0)
	{
		set_literal(out, "0");
		return;
	}
	while ((uint64) step * radix < PG_UINT32_MAX)
	{
		step *= radix;
		step_digits++;
	}
	if (radix >= 8)
		room = room / 3 + 2;
	room += step_digits;
	wf_expr_check_size(ev, (double) room + n * sizeof(uint32));
	rest = wf_expr_alloc(ev, n * sizeof(uint32));
	memcpy(rest, big->limbs, n * sizeof(uint32));
	text = wf_expr_alloc(ev, room);
	end = text + room;
	text = end;
	while (n > 0)
	{
		uint64		remainder = 0;

		wf_expr_spend(ev, n / 2 + 1);
		for (int64 i = (int64) n - 1; i >= 0; i--)
		{
			remainder = remainder << LIMB_BITS | rest[i];
			rest[i] = (uint32) (remainder / step);
			remainder %= step;
		}
		while (n > 0 && rest[n - 1] == 0)
			n--;
		for (int i = 0; i < step_digits && (n > 0 || remainder > 0); i++)
		{
			*--text = "0123456789abcdefghijklmnopqrstuvwxyz"[remainder % radix];
			remainder /= radix;
		}
	}
	if (big->negative)
		*--text = '-';
	set_string(out, text, end - text, WF_S_ASCII);
}

/* ToBigInt. Throws WF008 for what cannot be one. */
static const WfBigInt *
to_bigint(WfEval *ev, const WfValue *value)
{
	const WfBigInt *big;
	WfValue		primitive;

	wf_expr_to_primitive(ev, value, 'n', &primitive);
	switch (primitive.tag)
	{
		case WF_V_BIGINT:
			return primitive.u.bigint;
		case WF_V_BOOL:
			return from_uint64(ev, primitive.u.boolean, false);
		case WF_V_STRING:
			big = from_text(ev, &primitive);
			if (big == NULL)
				wf_expr_throw(ev, "cannot make a BigInt of \"%.*s\"", (int) Min(primitive.len, 64), primitive.u.str);
			return big;
		default:
			wf_expr_throw(ev, "cannot make a BigInt of %s", wf_expr_kind_name(&primitive));
	}
}

/* -- comparing -- */

static int
compare_magnitude(const WfBigInt *a, const WfBigInt *b)
{
	if (a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (int64 i = (int64) a->n - 1; i >= 0; i--)
		if (a->limbs[i] != b->limbs[i])
			return a->limbs[i] < b->limbs[i] ? -1 : 1;
	return 0;
}

static int
compare(const WfBigInt *a, const WfBigInt *b)
{
	if (a->negative != b->negative)
		return a->negative ? -1 : 1;
	return a->negative ? compare_magnitude(b, a) : compare_magnitude(a, b);
}

bool
wf_expr_bigint_equal(WfEval *ev, const WfBigInt *a, const WfBigInt *b)
{
	wf_expr_spend(ev, a->n / 16);
	return compare(a, b) == 0;
}

uint32
wf_expr_bigint_hash(const WfBigInt *big)
{
	return hash_bytes((const unsigned char *) big->limbs, big->n * sizeof(uint32)) + big->negative;
}

/*
 * The order of two primitives of which one is a BigInt at least, exactly: negative, zero, positive.
 * WF_UNORDERED when the other is NaN or text that is no number.
 */
int
wf_expr_bigint_compare(WfEval *ev, const WfValue *a, const WfValue *b)
{
	const WfBigInt *whole;
	double		number;
	int			order;

	if (a->tag != WF_V_BIGINT)
	{
		order = wf_expr_bigint_compare(ev, b, a);
		return order == WF_UNORDERED ? order : -order;
	}
	wf_expr_spend(ev, a->u.bigint->n / 16);
	if (b->tag == WF_V_BIGINT)
		return compare(a->u.bigint, b->u.bigint);
	if (WF_IS_STRING(b))
	{
		whole = from_text(ev, b);
		return whole ? compare(a->u.bigint, whole) : WF_UNORDERED;
	}
	number = wf_expr_to_number(ev, b);
	if (isnan(number))
		return WF_UNORDERED;
	if (isinf(number))
		return number > 0 ? -1 : 1;
	order = compare(a->u.bigint, from_double(ev, trunc(number)));
	if (order != 0 || number == trunc(number))
		return order;
	return number > 0 ? -1 : 1;
}

/* -- arithmetic -- */

/* |a| + |b| */
static WfBigInt *
add_magnitude(WfEval *ev, const WfBigInt *a, const WfBigInt *b)
{
	const WfBigInt *longer = a->n >= b->n ? a : b;
	const WfBigInt *shorter = longer == a ? b : a;
	WfBigInt   *sum = new_bigint(ev, (Size) longer->n + 1);
	uint64		carry = 0;

	for (uint32 i = 0; i < longer->n; i++)
	{
		carry += (uint64) longer->limbs[i] + (i < shorter->n ? shorter->limbs[i] : 0);
		sum->limbs[i] = (uint32) carry;
		carry >>= LIMB_BITS;
	}
	sum->limbs[longer->n] = (uint32) carry;
	return sum;
}

/* |a| - |b|, which is not negative */
static WfBigInt *
subtract_magnitude(WfEval *ev, const WfBigInt *a, const WfBigInt *b)
{
	WfBigInt   *difference = new_bigint(ev, a->n);
	int64		borrow = 0;

	for (uint32 i = 0; i < a->n; i++)
	{
		int64		limb = (int64) a->limbs[i] - (i < b->n ? b->limbs[i] : 0) - borrow;

		borrow = limb < 0;
		difference->limbs[i] = (uint32) limb;
	}
	return difference;
}

/* a + b, or a - b when `minus` */
static const WfBigInt *
add(WfEval *ev, const WfBigInt *a, const WfBigInt *b, bool minus)
{
	bool		b_negative = b->negative != minus;
	WfBigInt   *result;

	if (a->negative == b_negative)
	{
		result = add_magnitude(ev, a, b);
		result->negative = a->negative;
	}
	else if (compare_magnitude(a, b) >= 0)
	{
		result = subtract_magnitude(ev, a, b);
		result->negative = a->negative;
	}
	else
	{
		result = subtract_magnitude(ev, b, a);
		result->negative = b_negative;
	}
	return trimmed(result);
}

static const WfBigInt *
multiply(WfEval *ev, const WfBigInt *a, const WfBigInt *b)
{
	WfBigInt   *product = new_bigint(ev, (Size) a->n + b->n);

	for (uint32 i = 0; i < a->n; i++)
	{
		uint64		carry = 0;

		wf_expr_spend(ev, b->n / 16 + 1);
		for (uint32 j = 0; j < b->n; j++)
		{
			carry += (uint64) a->limbs[i] * b->limbs[j] + product->limbs[i + j];
			product->limbs[i + j] = (uint32) carry;
			carry >>= LIMB_BITS;
		}
		product->limbs[i + b->n] = (uint32) carry;
	}
	product->negative = a->negative != b->negative;
	return trimmed(product);
}

/* u -= q * v from limb `at` on; true when that was too much. */
static bool
subtract_product(uint32 *u, const uint32 *v, uint32 n, uint32 q)
{
	uint64		carry = 0;
	int64		borrow = 0;

	for (uint32 i = 0; i <= n; i++)
	{
		int64		limb;

		if (i < n)
			carry += (uint64) q * v[i];
		limb = (int64) u[i] - (int64) (uint32) carry - borrow;
		u[i] = (uint32) limb;
		borrow = limb < 0;
		carry >>= LIMB_BITS;
	}
	return borrow != 0;
}

/*
 * |a| / |b| and what is left, by Knuth's algorithm D: both are shifted so that the divisor's highest bit is
 * set, which makes a guess from the two highest limbs at most two too high.
 */
static void
divide_magnitude(WfEval *ev, const WfBigInt *a, const WfBigInt *b, WfBigInt **quotient, WfBigInt **rest)
{
	uint32		n = b->n;
	int			shift = __builtin_clz(b->limbs[n - 1]);
	uint32	   *v = new_bigint(ev, n)->limbs;
	uint32	   *u;

	*quotient = new_bigint(ev, a->n >= n ? (Size) a->n - n + 1 : 0);
	*rest = new_bigint(ev, (Size) a->n + 1);
	u = (*rest)->limbs;
	for (uint32 i = 0; i < n; i++)
		v[i] = b->limbs[i] << shift | (i > 0 && shift > 0 ? b->limbs[i - 1] >> (LIMB_BITS - shift) : 0);
	for (uint32 i = 0; i <= a->n; i++)
		u[i] = (i < a->n ? a->limbs[i] << shift : 0) | (i > 0 && shift > 0 ? a->limbs[i - 1] >> (LIMB_BITS - shift) : 0);
	for (int64 at = (int64) a->n - n; at >= 0; at--)
	{
		uint64		top = (uint64) u[at + n] << LIMB_BITS | u[at + n - 1];
		uint64		guess = Min(top / v[n - 1], PG_UINT32_MAX);

		wf_expr_spend(ev, n / 8 + 1);
		if (subtract_product(u + at, v, n, (uint32) guess))
		{
			uint64		carry;

			do
			{
				guess--;
				carry = 0;
				for (uint32 i = 0; i <= n; i++)
				{
					carry += (uint64) u[at + i] + (i < n ? v[i] : 0);
					u[at + i] = (uint32) carry;
					carry >>= LIMB_BITS;
				}
			} while (carry == 0);
		}
		(*quotient)->limbs[at] = (uint32) guess;
	}
	for (uint32 i = 0; i <= a->n; i++)
		u[i] = u[i] >> shift | (i < a->n && shift > 0 ? u[i + 1] << (LIMB_BITS - shift) : 0);
}

/* Towards zero; the rest has the sign of a. Throws for a division by zero. */
static const WfBigInt *
divide(WfEval *ev, const WfBigInt *a, const WfBigInt *b, bool want_rest)
{
	WfBigInt   *quotient;
	WfBigInt   *rest;

	if (b->n == 0)
		wf_expr_throw(ev, "division of a BigInt by zero");
	divide_magnitude(ev, a, b, &quotient, &rest);
	quotient->negative = a->negative != b->negative;
	rest->negative = a->negative;
	return trimmed(want_rest ? rest : quotient);
}

static const WfBigInt *
power(WfEval *ev, const WfBigInt *base, const WfBigInt *exponent)
{
	const WfBigInt *result = from_uint64(ev, 1, false);
	uint64		left;

	if (exponent->negative)
		wf_expr_throw(ev, "the exponent of a BigInt must not be negative");
	if (base->n == 0 || (base->n == 1 && base->limbs[0] == 1))
	{
		if (exponent->n == 0 || (base->negative && exponent->limbs[0] % 2 == 0))
			return result;
		return base;
	}
	left = exponent->n > 1 ? PG_UINT32_MAX : exponent->n == 1 ? exponent->limbs[0] : 0;
	wf_expr_check_size(ev, exponent->n > 1 ? 1e18 : (double) left * (base->n - 1) * sizeof(uint32) + (double) left / 8);
	while (left > 0)
	{
		if (left & 1)
			result = multiply(ev, result, base);
		left >>= 1;
		if (left > 0)
			base = multiply(ev, base, base);
	}
	return result;
}

/* -- bits -- */

/* Limb `i` of the two's complement; *carry is 1 before the first. */
static uint32
complement_limb(const WfBigInt *big, uint32 i, uint32 *carry)
{
	uint32		limb = i < big->n ? big->limbs[i] : 0;

	if (!big->negative)
		return limb;
	limb = ~limb + *carry;
	*carry = *carry && limb == 0;
	return limb;
}

/* Takes two's complement in `big` as that of a negative number. */
static const WfBigInt *
from_complement(WfBigInt *big)
{
	uint32		carry = 1;

	for (uint32 i = 0; i < big->n; i++)
	{
		big->limbs[i] = ~big->limbs[i] + carry;
		carry = carry && big->limbs[i] == 0;
	}
	big->negative = true;
	return trimmed(big);
}

static uint32
combine(char op, uint32 a, uint32 b)
{
	return op == '&' ? a & b : op == '|' ? a | b : a ^ b;
}

static const WfBigInt *
bitwise(WfEval *ev, char op, const WfBigInt *a, const WfBigInt *b)
{
	uint32		a_carry = 1;
	uint32		b_carry = 1;
	WfBigInt   *result = new_bigint(ev, (Size) Max(a->n, b->n) + 1);

	for (uint32 i = 0; i < result->n; i++)
	{
		uint32		limb = complement_limb(a, i, &a_carry);

		result->limbs[i] = combine(op, limb, complement_limb(b, i, &b_carry));
	}
	return combine(op, a->negative, b->negative) ? from_complement(result) : trimmed(result);
}

static const WfBigInt *
shift_left(WfEval *ev, const WfBigInt *a, uint64 by)
{
	uint32		bits = by % LIMB_BITS;
	Size		limbs = by / LIMB_BITS;
	WfBigInt   *result;

	if (a->n == 0)
		return a;
	wf_expr_check_size(ev, (double) limbs * sizeof(uint32));
	result = new_bigint(ev, a->n + limbs + 1);
	for (uint32 i = 0; i < a->n; i++)
	{
		uint64		limb = (uint64) a->limbs[i] << bits;

		result->limbs[i + limbs] |= (uint32) limb;
		result->limbs[i + limbs + 1] = (uint32) (limb >> LIMB_BITS);
	}
	result->negative = a->negative;
	return trimmed(result);
}

/* Rounds down. */
static const WfBigInt *
shift_right(WfEval *ev, const WfBigInt *a, uint64 by)
{
	uint32		bits = by % LIMB_BITS;
	uint64		limbs = by / LIMB_BITS;
	bool		lost = false;
	WfBigInt   *result;

	if (limbs >= a->n)
		return from_uint64(ev, a->negative, a->negative);
	result = new_bigint(ev, a->n - limbs);
	for (uint32 i = 0; i < limbs; i++)
		lost |= a->limbs[i] != 0;
	lost |= (a->limbs[limbs] & ((1u << bits) - 1)) != 0;
	for (uint32 i = 0; i < result->n; i++)
	{
		uint64		pair = a->limbs[i + limbs];

		if (i + limbs + 1 < a->n)
			pair |= (uint64) a->limbs[i + limbs + 1] << LIMB_BITS;
		result->limbs[i] = (uint32) (pair >> bits);
	}
	result->negative = a->negative;
	if (lost && a->negative)
		return add(ev, trimmed(result), from_uint64(ev, 1, false), true);
	return trimmed(result);
}

static const WfBigInt *
shift(WfEval *ev, const WfBigInt *a, const WfBigInt *by, bool left)
{
	uint64		bits = by->n > 1 ? (uint64) PG_UINT32_MAX * LIMB_BITS : by->n == 1 ? by->limbs[0] : 0;

	if (by->negative)
		left = !left;
	return left ? shift_left(ev, a, bits) : shift_right(ev, a, bits);
}

/* The lowest `bits` bits, as a number that is not negative. */
static const WfBigInt *
low_bits(WfEval *ev, const WfBigInt *a, double bits)
{
	uint32		carry = 1;
	WfBigInt   *result;
	Size		n;

	if (!a->negative && bits >= (double) a->n * LIMB_BITS)
		return a;
	wf_expr_check_size(ev, bits / 8);
	n = (Size) ((bits + LIMB_BITS - 1) / LIMB_BITS);
	result = new_bigint(ev, n);
	for (Size i = 0; i < n; i++)
		result->limbs[i] = complement_limb(a, i, &carry);
	if (fmod(bits, LIMB_BITS) != 0)
		result->limbs[n - 1] &= (1u << (uint32) fmod(bits, LIMB_BITS)) - 1;
	return trimmed(result);
}

/* -- operators -- */

/* An operator on two primitives, one of which is a BigInt at least; `**` is 'p', shifts are '<' and '>', `>>>` is 'z'. */
void
wf_expr_bigint_binary(WfEval *ev, char op, const WfValue *a, const WfValue *b, WfValue *out)
{
	const WfBigInt *x = a->u.bigint;
	const WfBigInt *y = b->u.bigint;

	if (a->tag != WF_V_BIGINT || b->tag != WF_V_BIGINT)
		wf_expr_throw_hint(ev, "Convert one of them: BigInt(n) or Number(n).", "cannot mix a BigInt and %s",
						   wf_expr_kind_name(a->tag == WF_V_BIGINT ? b : a));
	switch (op)
	{
		case '+':
		case '-':
			set_bigint(out, add(ev, x, y, op == '-'));
			return;
		case '*':
			set_bigint(out, multiply(ev, x, y));
			return;
		case '/':
		case '%':
			set_bigint(out, divide(ev, x, y, op == '%'));
			return;
		case 'p':
			set_bigint(out, power(ev, x, y));
			return;
		case '<':
		case '>':
			set_bigint(out, shift(ev, x, y, op == '<'));
			return;
		case 'z':
			wf_expr_throw(ev, "a BigInt has no unsigned shift: use >>");
		default:
			set_bigint(out, bitwise(ev, op, x, y));
			return;
	}
}

/* `-x`, or `~x`, which is -x - 1. */
void
wf_expr_bigint_unary(WfEval *ev, char op, const WfBigInt *big, WfValue *out)
{
	if (op == '-')
		set_bigint(out, with_sign(ev, big, !big->negative));
	else
		set_bigint(out, add(ev, with_sign(ev, big, !big->negative), from_uint64(ev, 1, false), true));
}

/* -- BigInt and its methods -- */

/* `BigInt(value)`: also of a whole number; one of the context keeps every digit. */
static void
bigint_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		primitive;
	WfValue		text;
	double		number;

	wf_expr_to_primitive(ev, ARG(0), 'n', &primitive);
	if (!WF_IS_NUMBER(&primitive))
	{
		set_bigint(out, to_bigint(ev, &primitive));
		return;
	}
	number = wf_expr_to_number(ev, &primitive);
	wf_expr_to_string(ev, &primitive, &text);
	if (primitive.tag == WF_V_NUMERIC && from_text(ev, &text) != NULL)
		set_bigint(out, from_text(ev, &text));
	else if (isfinite(number) && number == trunc(number))
		set_bigint(out, from_double(ev, number));
	else
		wf_expr_throw(ev, "%.*s is no whole number, and cannot be a BigInt", (int) text.len, text.u.str);
}

static double
count_of_bits(WfEval *ev, const WfValue *value)
{
	double		bits = wf_expr_to_integer(ev, value);

	if (bits < 0 || bits > 9007199254740991.0)
		wf_expr_throw(ev, "the number of bits must be between 0 and 2 ** 53 - 1");
	return bits;
}

static void
bigint_as_uint(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		bits = count_of_bits(ev, ARG(0));

	set_bigint(out, low_bits(ev, to_bigint(ev, ARG(1)), bits));
}

static void
bigint_as_int(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		bits = count_of_bits(ev, ARG(0));
	const WfBigInt *big = to_bigint(ev, ARG(1));
	const WfBigInt *low;
	uint32		at;

	if (bits > (double) big->n * LIMB_BITS || bits == 0)
	{
		set_bigint(out, bits == 0 ? from_uint64(ev, 0, false) : big);
		return;
	}
	low = low_bits(ev, big, bits);
	at = (uint32) (bits - 1) / LIMB_BITS;
	if (low->n > at && low->limbs[at] >> ((uint32) (bits - 1) % LIMB_BITS))
		low = add(ev, low, shift_left(ev, from_uint64(ev, 1, false), (uint64) bits), true);
	set_bigint(out, low);
}

static void
bigint_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		radix = HAS(0) ? wf_expr_to_integer(ev, ARG(0)) : 10;

	if (radix < 2 || radix > 36)
		wf_expr_throw(ev, "radix must be between 2 and 36");
	wf_expr_bigint_text(ev, self->u.bigint, (int) radix, out);
}

static void
bigint_value_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	*out = *self;
}

/* In groups of three, as in en-US. */
static void
bigint_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfBuffer	buffer;

	if (HAS(1) || (HAS(0) && !(WF_IS_STRING(ARG(0)) && wf_expr_string_is(ARG(0), "en-US"))))
		wf_expr_throw(ev, "toLocaleString of a BigInt knows en-US without options only");
	wf_expr_bigint_text(ev, self->u.bigint, 10, &text);
	wf_expr_buffer_begin(&buffer, ev);
	for (uint32 i = 0; i < text.len; i++)
	{
		if (i > self->u.bigint->negative && (text.len - i) % 3 == 0)
			buffer_char(&buffer, ',');
		buffer_char(&buffer, text.u.str[i]);
	}
	wf_expr_buffer_end(&buffer, out);
}

const WfBuiltin wf_expr_bigint_methods[] = {
	{"toString", bigint_to_string, 0},
	{"toLocaleString", bigint_locale_string, 0},
	{"valueOf", bigint_value_of, 0},
	{NULL}
};

static const WfBuiltin bigint_functions[] = {
	{"asIntN", bigint_as_int, 2},
	{"asUintN", bigint_as_uint, 2},
	{NULL}
};

const WfNamespace wf_expr_bigint_space = {
	.name = "BigInt",.functions = bigint_functions,.call = bigint_call,.length = 1
};
