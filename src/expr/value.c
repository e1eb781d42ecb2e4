/*
 * value.c: JavaScript's conversions and comparisons of values.
 */
#include "postgres.h"

#include <math.h>

#include "expr/calendar.h"

const WfValue wf_expr_undefined = {.tag = WF_V_UNDEFINED};

/* A value of the context; borrowed. */
void
wf_expr_from_json(const JsonbValue *json, WfValue *out)
{
	switch (json->type)
	{
		case jbvBool:
			set_bool(out, json->val.boolean);
			break;
		case jbvNumeric:
			out->tag = WF_V_NUMERIC;
			out->u.numeric = json->val.numeric;
			break;
		case jbvString:
			set_string(out, json->val.string.val, json->val.string.len, WF_S_BORROWED);
			break;
		case jbvBinary:
			out->tag = JsonContainerIsArray(json->val.binary.data) ? WF_V_JSON_ARRAY : WF_V_JSON_OBJECT;
			out->len = json->val.binary.len;
			out->u.json = json->val.binary.data;
			break;
		default:
			set_null(out);
			break;
	}
}

bool
wf_expr_to_bool(const WfValue *value)
{
	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
		case WF_V_NULL:
			return false;
		case WF_V_BOOL:
			return value->u.boolean;
		case WF_V_NUMBER:
			return value->u.number != 0 && !isnan(value->u.number);
		case WF_V_NUMERIC:
			return wf_expr_numeric_double(value->u.numeric) != 0;
		case WF_V_STRING:
			return value->len > 0;
		case WF_V_BIGINT:
			return value->u.bigint->n > 0;
		default:
			return true;
	}
}

double
wf_expr_to_number(WfEval *ev, const WfValue *value)
{
	WfValue		primitive;

	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
			return NAN;
		case WF_V_NULL:
			return 0;
		case WF_V_BOOL:
			return value->u.boolean ? 1 : 0;
		case WF_V_NUMBER:
			return value->u.number;
		case WF_V_NUMERIC:
			return wf_expr_numeric_double(value->u.numeric);
		case WF_V_STRING:
			wf_expr_spend(ev, value->len >> 4);
			return wf_expr_parse_number(value->u.str, value->len);
		case WF_V_BIGINT:
			wf_expr_throw_hint(ev, "Convert it: Number(n).", "a BigInt is no number");
		case WF_V_DATE:
			return *value->u.ms;
		default:
			wf_expr_to_primitive(ev, value, 'n', &primitive);
			return wf_expr_to_number(ev, &primitive);
	}
}

/* ToIntegerOrInfinity. */
double
wf_expr_to_integer(WfEval *ev, const WfValue *value)
{
	double		number = wf_expr_to_number(ev, value);

	return isnan(number) ? 0 : trunc(number) + 0.0;
}

/* ToInt32; ToUint32 is the same bits. */
int32
wf_expr_to_int32(WfEval *ev, const WfValue *value)
{
	double		number = wf_expr_to_number(ev, value);

	if (number >= -2147483648.0 && number <= 2147483647.0)
		return (int32) number;
	if (isnan(number) || isinf(number))
		return 0;
	number = fmod(trunc(number), 4294967296.0);
	if (number < 0)
		number += 4294967296.0;
	return (int32) (uint32) number;
}

/* Array.prototype.join with "," as String(array) does it. */
static void
join_array(WfEval *ev, const WfValue *array, WfValue *out)
{
	const WfBuiltin *join = wf_expr_method(WF_C_ARRAY, "join", 4);

	wf_expr_check_stack(ev);
	join->fn(ev, array, 0, NULL, out);
}

static bool
own_function(WfEval *ev, const WfValue *object, const char *name)
{
	WfValue		fn;

	return wf_expr_get_field(ev, object, name, &fn) && WF_IS_FUNCTION(&fn);
}

/* True when an own function of this name gave a primitive. */
static bool
own_primitive(WfEval *ev, const WfValue *object, const char *name, WfValue *out)
{
	WfValue		fn;

	if (object->tag != WF_V_OBJECT || !wf_expr_get_field(ev, object, name, &fn) || !WF_IS_FUNCTION(&fn))
		return false;
	wf_expr_check_stack(ev);
	wf_expr_call(ev, &fn, object, 0, NULL, out);
	return !WF_IS_OBJECT(out);
}

/* The text of an object that has no toString of its own. */
static void
object_text(WfEval *ev, const WfValue *value, WfValue *out)
{
	const WfArrowNode *arrow;
	WfBuffer	buffer;

	switch (value->tag)
	{
		case WF_V_JSON_ARRAY:
			join_array(ev, value, out);
			return;
		case WF_V_ARRAY:
			if (value->u.array->iterator)
				set_literal(out, "[object Array Iterator]");
			else
				join_array(ev, value, out);
			return;
		case WF_V_CLOSURE:
			arrow = value->u.closure->arrow;
			set_string(out, ev->expr->source + arrow->node.pos, arrow->end - arrow->node.pos, 0);
			return;
		case WF_V_BUILTIN:
			wf_expr_format(ev, out, "function %s() { [native code] }", value->u.builtin->name);
			return;
		case WF_V_DATE:
			wf_expr_date_text(ev, value, 's', out);
			return;
		case WF_V_DATETIME:
			wf_expr_moment_text(ev, value->u.moment, out);
			return;
		case WF_V_DURATION:
			wf_expr_duration_text(ev, value->u.duration, out);
			return;
		case WF_V_REGEXP:
			wf_expr_buffer_begin(&buffer, ev);
			buffer_char(&buffer, '/');
			buffer_bytes(&buffer, value->u.regexp->source, value->u.regexp->source_len);
			buffer_char(&buffer, '/');
			buffer_bytes(&buffer, value->u.regexp->flags, strlen(value->u.regexp->flags));
			wf_expr_buffer_end(&buffer, out);
			return;
		case WF_V_SET:
			set_literal(out, "[object Set]");
			return;
		case WF_V_MAP:
			set_literal(out, "[object Map]");
			return;
		case WF_V_NAMESPACE:
			wf_expr_format(ev, out, "function %s() { [native code] }", value->u.space->name);
			return;
		default:
			set_literal(out, "[object Object]");
			return;
	}
}

/* ToPrimitive; hint is 'n'umber, 's'tring or 'd'efault. */
void
wf_expr_to_primitive(WfEval *ev, const WfValue *value, char hint, WfValue *out)
{
	if (!WF_IS_OBJECT(value))
	{
		*out = *value;
		return;
	}
	if (hint == 's')
	{
		if (own_primitive(ev, value, "toString", out))
			return;
	}
	else if (own_primitive(ev, value, "valueOf", out))
		return;
	if (value->tag == WF_V_OBJECT && hint != 's' && own_function(ev, value, "valueOf") && own_function(ev, value, "toString"))
	{
		if (!own_primitive(ev, value, "toString", out))
			wf_expr_throw(ev, "cannot convert an object to a primitive value");
	}
	else if (value->tag == WF_V_DATE && hint == 'n')
		set_number(out, *value->u.ms);
	else if (value->tag == WF_V_DATETIME && hint == 'n')
		set_number(out, wf_expr_moment_ms(value->u.moment));
	else if (value->tag == WF_V_DURATION && hint == 'n')
		set_number(out, wf_expr_duration_as(value->u.duration, WF_UNIT_MS));
	else if (hint != 's' && own_primitive(ev, value, "toString", out))
		return;
	else if (value->tag == WF_V_OBJECT && hint == 's' && wf_expr_object_find(ev, value->u.object, "toString", 8) &&
			 own_primitive(ev, value, "valueOf", out))
		return;
	else
		object_text(ev, value, out);
}

void
wf_expr_to_string(WfEval *ev, const WfValue *value, WfValue *out)
{
	WfValue		primitive;
	char		buf[32];
	int			len;

	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
			set_literal(out, "undefined");
			return;
		case WF_V_NULL:
			set_literal(out, "null");
			return;
		case WF_V_BOOL:
			if (value->u.boolean)
				set_literal(out, "true");
			else
				set_literal(out, "false");
			return;
		case WF_V_NUMERIC:
			if (wf_expr_numeric_text(ev, value->u.numeric, out))
				return;
			len = wf_expr_format_number(wf_expr_numeric_double(value->u.numeric), buf);
			wf_expr_new_string(ev, buf, len, WF_S_ASCII, out);
			return;
		case WF_V_NUMBER:
			len = wf_expr_format_number(value->u.number, buf);
			wf_expr_new_string(ev, buf, len, WF_S_ASCII, out);
			return;
		case WF_V_STRING:
			*out = *value;
			return;
		case WF_V_BIGINT:
			wf_expr_bigint_text(ev, value->u.bigint, 10, out);
			return;
		default:
			wf_expr_to_primitive(ev, value, 's', &primitive);
			wf_expr_to_string(ev, &primitive, out);
			return;
	}
}

/* The text of a property key. */
void
wf_expr_to_key(WfEval *ev, const WfValue *value, WfValue *out)
{
	wf_expr_to_string(ev, value, out);
}

const char *
wf_expr_typeof(const WfValue *value)
{
	switch (value->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_HOLE:
			return "undefined";
		case WF_V_BOOL:
			return "boolean";
		case WF_V_NUMBER:
		case WF_V_NUMERIC:
			return "number";
		case WF_V_STRING:
			return "string";
		case WF_V_BIGINT:
			return "bigint";
		case WF_V_CLOSURE:
		case WF_V_BUILTIN:
			return "function";
		case WF_V_NAMESPACE:
			return value->u.space->call || value->u.space->construct ? "function" : "object";
		default:
			return "object";
	}
}

/* For messages. */
const char *
wf_expr_kind_name(const WfValue *value)
{
	switch (value->tag)
	{
		case WF_V_NULL:
			return "null";
		case WF_V_JSON_ARRAY:
		case WF_V_ARRAY:
			return "array";
		case WF_V_BIGINT:
			return "BigInt";
		case WF_V_DATE:
			return "Date";
		case WF_V_DATETIME:
			return "date-time";
		case WF_V_DURATION:
			return "duration";
		case WF_V_REGEXP:
			return "RegExp";
		case WF_V_SET:
			return "Set";
		case WF_V_MAP:
			return "Map";
		default:
			return wf_expr_typeof(value);
	}
}

/* ===. Containers of the context are the same when they are the same place. */
bool
wf_expr_strict_equal(WfEval *ev, const WfValue *a, const WfValue *b)
{
	if (WF_IS_NUMBER(a))
		return WF_IS_NUMBER(b) && wf_expr_to_number(ev, a) == wf_expr_to_number(ev, b);
	if (a->tag == WF_V_HOLE || b->tag == WF_V_HOLE)
		return a->tag <= WF_V_HOLE && b->tag <= WF_V_HOLE;
	if (a->tag != b->tag)
		return false;
	switch (a->tag)
	{
		case WF_V_UNDEFINED:
		case WF_V_NULL:
			return true;
		case WF_V_BOOL:
			return a->u.boolean == b->u.boolean;
		case WF_V_STRING:
			if (a->len != b->len)
				return false;
			wf_expr_spend(ev, a->len >> 4);
			return memcmp(a->u.str, b->u.str, a->len) == 0;
		case WF_V_BUILTIN:
			return a->u.builtin->fn == b->u.builtin->fn;
		case WF_V_BIGINT:
			return wf_expr_bigint_equal(ev, a->u.bigint, b->u.bigint);
		default:
			return a->u.json == b->u.json;
	}
}

/* SameValueZero: as === but NaN is NaN. */
bool
wf_expr_same_zero(WfEval *ev, const WfValue *a, const WfValue *b)
{
	if (a->tag == WF_V_NUMBER && b->tag == WF_V_NUMBER && isnan(a->u.number) && isnan(b->u.number))
		return true;
	return wf_expr_strict_equal(ev, a, b);
}

/* ==. */
bool
wf_expr_loose_equal(WfEval *ev, const WfValue *a, const WfValue *b)
{
	WfValue		primitive;

	if (WF_IS_NULLISH(a) || WF_IS_NULLISH(b))
		return WF_IS_NULLISH(a) && WF_IS_NULLISH(b);
	if (a->tag == b->tag || (WF_IS_NUMBER(a) && WF_IS_NUMBER(b)) || (WF_IS_OBJECT(a) && WF_IS_OBJECT(b)))
		return wf_expr_strict_equal(ev, a, b);
	if (WF_IS_OBJECT(a))
	{
		wf_expr_to_primitive(ev, a, 'd', &primitive);
		return wf_expr_loose_equal(ev, &primitive, b);
	}
	if (WF_IS_OBJECT(b))
	{
		wf_expr_to_primitive(ev, b, 'd', &primitive);
		return wf_expr_loose_equal(ev, a, &primitive);
	}
	if (a->tag == WF_V_BIGINT || b->tag == WF_V_BIGINT)
		return wf_expr_bigint_compare(ev, a, b) == 0;
	return wf_expr_to_number(ev, a) == wf_expr_to_number(ev, b);
}

/*
 * a < b; *undefined is set when a NaN is met (the result is then false). `left_first` says whose
 * conversion comes first.
 */
bool
wf_expr_less(WfEval *ev, const WfValue *a, const WfValue *b, bool left_first, bool *undefined)
{
	WfValue		left;
	WfValue		right;
	double		l;
	double		r;

	*undefined = false;
	if (left_first)
	{
		wf_expr_to_primitive(ev, a, 'n', &left);
		wf_expr_to_primitive(ev, b, 'n', &right);
	}
	else
	{
		wf_expr_to_primitive(ev, b, 'n', &right);
		wf_expr_to_primitive(ev, a, 'n', &left);
	}
	if (WF_IS_STRING(&left) && WF_IS_STRING(&right))
	{
		wf_expr_spend(ev, Min(left.len, right.len) >> 4);
		return wf_expr_compare_strings(&left, &right) < 0;
	}
	if (left.tag == WF_V_BIGINT || right.tag == WF_V_BIGINT)
	{
		int			order = wf_expr_bigint_compare(ev, &left, &right);

		*undefined = order == WF_UNORDERED;
		return order < 0;
	}
	l = wf_expr_to_number(ev, &left);
	r = wf_expr_to_number(ev, &right);
	*undefined = isnan(l) || isnan(r);
	return l < r;
}

/* A relative index (negative: from the end) clamped to [0, length]; `fallback` for undefined. */
double
wf_expr_relative(WfEval *ev, const WfValue *value, double length, double fallback)
{
	double		at;

	if (value->tag == WF_V_UNDEFINED)
		return fallback;
	at = wf_expr_to_integer(ev, value);
	if (at < 0)
		return Max(at + length, 0);
	return Min(at, length);
}

/* The argument, which must be a function. */
const WfValue *
wf_expr_callback(WfEval *ev, const WfValue *value)
{
	if (!WF_IS_FUNCTION(value) && !(value->tag == WF_V_NAMESPACE && value->u.space->call))
		wf_expr_throw(ev, "%s is not a function", wf_expr_kind_name(value));
	return value;
}
