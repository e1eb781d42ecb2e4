/*
 * number_methods.c: Number, Boolean and Math, and the functions on numbers that are global.
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "expr/internal.h"

/* -- Number.prototype -- */

static double
this_number(WfEval *ev, const WfValue *self)
{
	if (!WF_IS_NUMBER(self))
		wf_expr_throw(ev, "this is a method of numbers, not of %s", wf_expr_kind_name(self));
	return wf_expr_to_number(ev, self);
}

static bool
not_finite(double value, WfValue *out)
{
	if (isfinite(value))
		return false;
	if (isnan(value))
		set_literal(out, "NaN");
	else if (value > 0)
		set_literal(out, "Infinity");
	else
		set_literal(out, "-Infinity");
	return true;
}

static void
number_to_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		value = this_number(ev, self);
	double		radix = HAS(0) ? wf_expr_to_integer(ev, ARG(0)) : 10;

	if (radix < 2 || radix > 36)
		wf_expr_throw(ev, "radix must be between 2 and 36");
	if (radix == 10)
		wf_expr_to_string(ev, self, out);
	else if (!not_finite(value, out))
		wf_expr_format_radix(ev, value, (int) radix, out);
}

static void
number_to_fixed(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		value = this_number(ev, self);
	double		digits = wf_expr_to_integer(ev, ARG(0));

	if (digits < 0 || digits > 100)
		wf_expr_throw(ev, "toFixed takes 0 to 100 digits");
	if (not_finite(value, out))
		return;
	if (fabs(value) >= 1e21)
		wf_expr_to_string(ev, self, out);
	else
		wf_expr_format_fixed(ev, value, (int) digits, out);
}

/*
 * `digits` significant digits of a positive value, ties upwards, and its decimal exponent. Exact:
 * printed with more digits than asked, then rounded here.
 */
static void
round_digits(double value, int digits, char *out, int *exponent)
{
	char		buf[420];
	char		all[400] = "";
	int			n = 0;
	char	   *e;

	snprintf(buf, sizeof(buf), "%.*e", Min(digits + 230, 345), value);
	e = strchr(buf, 'e');
	*exponent = atoi(e + 1);
	for (char *c = buf; c < e; c++)
		if (*c != '.')
			all[n++] = *c;
	memcpy(out, all, digits);
	out[digits] = '\0';
	if (all[digits] < '5')
		return;
	for (int i = digits - 1; i >= 0; i--)
	{
		if (out[i] != '9')
		{
			out[i]++;
			return;
		}
		out[i] = '0';
	}
	memmove(out + 1, out, digits - 1);
	out[0] = '1';
	(*exponent)++;
}

static void
put_exponential(WfEval *ev, bool negative, const char *digits, int exponent, WfValue *out)
{
	wf_expr_format(ev, out, "%s%c%s%se%c%d", negative ? "-" : "", digits[0], digits[1] ? "." : "", digits + 1,
				   exponent < 0 ? '-' : '+', abs(exponent));
}

static void
number_to_exponential(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		value = this_number(ev, self);
	double		digits = wf_expr_to_integer(ev, ARG(0));
	char		buf[120];
	int			exponent = 0;

	if (not_finite(value, out))
		return;
	if (digits < 0 || digits > 100)
		wf_expr_throw(ev, "toExponential takes 0 to 100 digits");
	if (value == 0)
	{
		memset(buf, '0', (int) digits + 1);
		buf[(int) digits + 1] = '\0';
	}
	else if (HAS(0))
		round_digits(fabs(value), (int) digits + 1, buf, &exponent);
	else
	{
		/* as many digits as the shortest text has */
		for (int n = 1; n <= 17; n++)
		{
			char		back[140];

			round_digits(fabs(value), n, buf, &exponent);
			snprintf(back, sizeof(back), "0.%se%d", buf, exponent + 1);
			if (strtod(back, NULL) == fabs(value))
				break;
		}
	}
	put_exponential(ev, value < 0, buf, exponent, out);
}

static void
number_to_precision(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		value = this_number(ev, self);
	double		precision = wf_expr_to_integer(ev, ARG(0));
	char		digits[120];
	char		buf[240];
	int			exponent = 0;
	int			p = (int) precision;

	if (!HAS(0))
	{
		wf_expr_to_string(ev, self, out);
		return;
	}
	if (not_finite(value, out))
		return;
	if (precision < 1 || precision > 100)
		wf_expr_throw(ev, "toPrecision takes 1 to 100 digits");
	if (value == 0)
	{
		memset(digits, '0', p);
		digits[p] = '\0';
	}
	else
		round_digits(fabs(value), p, digits, &exponent);
	if (exponent < -6 || exponent >= p)
	{
		put_exponential(ev, value < 0, digits, exponent, out);
		return;
	}
	if (exponent == p - 1)
		snprintf(buf, sizeof(buf), "%s", digits);
	else if (exponent >= 0)
		snprintf(buf, sizeof(buf), "%.*s.%s", exponent + 1, digits, digits + exponent + 1);
	else
		snprintf(buf, sizeof(buf), "0.%.*s%s", -exponent - 1, "000000", digits);
	wf_expr_format(ev, out, "%s%s", value < 0 ? "-" : "", buf);
}

static void
number_value_of(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	*out = *self;
}

static void
number_to_locale_string(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	wf_expr_format_locale(ev, this_number(ev, self), ARG(0), ARG(1), out);
}

const WfBuiltin wf_expr_number_methods[] = {
	{"toFixed", number_to_fixed, 1},
	{"toString", number_to_string, 1},
	{"toLocaleString", number_to_locale_string, 0},
	{"toPrecision", number_to_precision, 1},
	{"toExponential", number_to_exponential, 1},
	{"valueOf", number_value_of, 0},
	{NULL}
};

/* -- Number and its global relatives -- */

static void
number_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		value;

	if (argc == 0)
	{
		set_number(out, 0);
		return;
	}
	wf_expr_to_primitive(ev, &argv[0], 'n', &value);
	set_number(out, value.tag == WF_V_BIGINT ? wf_expr_bigint_double(value.u.bigint) : wf_expr_to_number(ev, &value));
}

static void
number_is_finite(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, WF_IS_NUMBER(ARG(0)) && isfinite(wf_expr_to_number(ev, ARG(0))));
}

static void
number_is_nan(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, WF_IS_NUMBER(ARG(0)) && isnan(wf_expr_to_number(ev, ARG(0))));
}

static bool
is_integer(WfEval *ev, const WfValue *value)
{
	double		number = WF_IS_NUMBER(value) ? wf_expr_to_number(ev, value) : NAN;

	return isfinite(number) && number == floor(number);
}

static void
number_is_integer(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, is_integer(ev, ARG(0)));
}

static void
number_is_safe_integer(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, is_integer(ev, ARG(0)) && fabs(wf_expr_to_number(ev, ARG(0))) <= 9007199254740991.0);
}

void
wf_expr_parse_float(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfValue		trimmed;
	uint32		used;

	wf_expr_to_string(ev, ARG(0), &text);
	wf_expr_trim(&text, true, false, &trimmed);
	set_number(out, wf_expr_parse_prefix(trimmed.u.str, trimmed.len, &used));
}

void
wf_expr_parse_int(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	WfValue		text;
	WfValue		trimmed;
	int32		radix = wf_expr_to_int32(ev, ARG(1));
	const char *s;
	uint32		len;
	uint32		n = 0;
	bool		negative;
	double		value;

	wf_expr_to_string(ev, ARG(0), &text);
	wf_expr_trim(&text, true, false, &trimmed);
	s = trimmed.u.str;
	len = trimmed.len;
	negative = len > 0 && s[0] == '-';
	if (len > 0 && (s[0] == '-' || s[0] == '+'))
		s++, len--;
	if ((radix == 0 || radix == 16) && len >= 2 && s[0] == '0' && (s[1] | 0x20) == 'x')
	{
		s += 2;
		len -= 2;
		radix = 16;
	}
	if (radix == 0)
		radix = 10;
	if (radix < 2 || radix > 36)
	{
		set_number(out, NAN);
		return;
	}
	while (n < len && !isnan(wf_expr_parse_radix(s + n, 1, radix)))
		n++;
	wf_expr_spend(ev, n >> 3);
	value = wf_expr_parse_radix(s, n, radix);
	set_number(out, negative ? -value : value);
}

void
wf_expr_is_nan(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, isnan(wf_expr_to_number(ev, ARG(0))));
}

void
wf_expr_is_finite(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, isfinite(wf_expr_to_number(ev, ARG(0))));
}

static const WfBuiltin number_functions[] = {
	{"isInteger", number_is_integer, 1},
	{"isNaN", number_is_nan, 1},
	{"isFinite", number_is_finite, 1},
	{"isSafeInteger", number_is_safe_integer, 1},
	{"parseFloat", wf_expr_parse_float, 1},
	{"parseInt", wf_expr_parse_int, 2},
	{NULL}
};

static const WfNamedNumber number_constants[] = {
	{"MAX_SAFE_INTEGER", 9007199254740991.0},
	{"MIN_SAFE_INTEGER", -9007199254740991.0},
	{"MAX_VALUE", 1.7976931348623157e308},
	{"MIN_VALUE", 5e-324},
	{"EPSILON", 2.220446049250313e-16},
	{"POSITIVE_INFINITY", INFINITY},
	{"NEGATIVE_INFINITY", -INFINITY},
	{"NaN", NAN},
	{NULL}
};

const WfNamespace wf_expr_number_space = {
	.name = "Number",.functions = number_functions,.numbers = number_constants,.call = number_call,.length = 1
};

static void
boolean_call(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_bool(out, wf_expr_to_bool(ARG(0)));
}

const WfNamespace wf_expr_boolean_space = {.name = "Boolean",.call = boolean_call,.length = 1};

/* -- Math -- */

#define MATH1(name, expression) \
static void \
name(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out) \
{ \
	double		x = wf_expr_to_number(ev, ARG(0)); \
\
	set_number(out, expression); \
}

MATH1(math_abs, fabs(x))
MATH1(math_acos, acos(x))
MATH1(math_acosh, acosh(x))
MATH1(math_asin, asin(x))
MATH1(math_asinh, asinh(x))
MATH1(math_atan, atan(x))
MATH1(math_atanh, atanh(x))
MATH1(math_cbrt, (double) cbrtl(x))
MATH1(math_ceil, ceil(x))
MATH1(math_cos, cos(x))
MATH1(math_cosh, cosh(x))
MATH1(math_exp, exp(x))
MATH1(math_expm1, expm1(x))
MATH1(math_floor, floor(x))
MATH1(math_fround, (double) (float) x)
MATH1(math_log, log(x))
MATH1(math_log10, log10(x))
MATH1(math_log1p, log1p(x))
MATH1(math_log2, log2(x))
MATH1(math_round, fabs(x) < 4503599627370496.0 ? copysign(floor(x) + (x - floor(x) >= 0.5 ? 1 : 0), x) : x)
MATH1(math_sign, isnan(x) || x == 0 ? x : x > 0 ? 1 : -1)
MATH1(math_sin, sin(x))
MATH1(math_sinh, sinh(x))
MATH1(math_sqrt, sqrt(x))
MATH1(math_tan, tan(x))
MATH1(math_tanh, tanh(x))
MATH1(math_trunc, trunc(x))

static void
math_clz32(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		x = (uint32) wf_expr_to_int32(ev, ARG(0));

	set_number(out, x == 0 ? 32 : __builtin_clz(x));
}

static void
math_imul(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	uint32		a = (uint32) wf_expr_to_int32(ev, ARG(0));

	set_number(out, (int32) (a * (uint32) wf_expr_to_int32(ev, ARG(1))));
}

static void
math_atan2(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		y = wf_expr_to_number(ev, ARG(0));

	set_number(out, atan2(y, wf_expr_to_number(ev, ARG(1))));
}

static void
math_pow(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		x = wf_expr_to_number(ev, ARG(0));
	double		y = wf_expr_to_number(ev, ARG(1));

	set_number(out, isnan(y) || (fabs(x) == 1 && isinf(y)) ? NAN : pow(x, y));
}

static void
math_hypot(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	double		greatest = 0;
	double		sum = 0;
	double		rest = 0;
	bool		nan = false;
	bool		infinite = false;

	for (int i = 0; i < argc; i++)
	{
		double		x = fabs(wf_expr_to_number(ev, &argv[i]));

		nan |= isnan(x);
		infinite |= isinf(x);
		set_number(&argv[i], x);
		greatest = x > greatest ? x : greatest;
	}
	for (int i = 0; i < argc && greatest > 0; i++)
	{
		/* Kahan's sum of squares, scaled */
		double		n = argv[i].u.number / greatest;
		double		summand = n * n - rest;
		double		next = sum + summand;

		rest = (next - sum) - summand;
		sum = next;
	}
	set_number(out, infinite ? INFINITY : nan ? NAN : greatest == 0 ? 0 : sqrt(sum) * greatest);
}

static void
find_extreme(WfEval *ev, int argc, WfValue *argv, int sign, WfValue *out)
{
	double		best = -sign * INFINITY;

	for (int i = 0; i < argc; i++)
	{
		double		x = wf_expr_to_number(ev, &argv[i]);

		if (isnan(x) || isnan(best))
			best = NAN;
		else if (x * sign > best * sign || (x == 0 && best == 0 && (signbit(best) != 0) == (sign > 0)))
			best = x;
	}
	set_number(out, best);
}

void
wf_expr_max(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	find_extreme(ev, argc, argv, 1, out);
}

void
wf_expr_min(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	find_extreme(ev, argc, argv, -1, out);
}

static void
math_random(WfEval *ev, const WfValue *self, int argc, WfValue *argv, WfValue *out)
{
	set_number(out, pg_prng_double(&pg_global_prng_state));
}

static const WfBuiltin math_functions[] = {
	{"floor", math_floor, 1},
	{"random", math_random, 0},
	{"round", math_round, 1},
	{"max", wf_expr_max, 2},
	{"min", wf_expr_min, 2},
	{"abs", math_abs, 1},
	{"ceil", math_ceil, 1},
	{"acos", math_acos, 1},
	{"acosh", math_acosh, 1},
	{"asin", math_asin, 1},
	{"asinh", math_asinh, 1},
	{"atan", math_atan, 1},
	{"atan2", math_atan2, 2},
	{"atanh", math_atanh, 1},
	{"cbrt", math_cbrt, 1},
	{"clz32", math_clz32, 1},
	{"cos", math_cos, 1},
	{"cosh", math_cosh, 1},
	{"exp", math_exp, 1},
	{"expm1", math_expm1, 1},
	{"fround", math_fround, 1},
	{"hypot", math_hypot, 2},
	{"imul", math_imul, 2},
	{"log", math_log, 1},
	{"log10", math_log10, 1},
	{"log1p", math_log1p, 1},
	{"log2", math_log2, 1},
	{"pow", math_pow, 2},
	{"sign", math_sign, 1},
	{"sin", math_sin, 1},
	{"sinh", math_sinh, 1},
	{"sqrt", math_sqrt, 1},
	{"tan", math_tan, 1},
	{"tanh", math_tanh, 1},
	{"trunc", math_trunc, 1},
	{NULL}
};

static const WfNamedNumber math_constants[] = {
	{"PI", 3.141592653589793},
	{"E", 2.718281828459045},
	{"LN2", 0.6931471805599453},
	{"LN10", 2.302585092994046},
	{"LOG2E", 1.4426950408889634},
	{"LOG10E", 0.4342944819032518},
	{"SQRT2", 1.4142135623730951},
	{"SQRT1_2", 0.7071067811865476},
	{NULL}
};

const WfNamespace wf_expr_math = {.name = "Math",.functions = math_functions,.numbers = math_constants};
