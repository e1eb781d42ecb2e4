/*
 * when_value.c: one comparison of a row's columns and constants as SQL (when.c says by which rules).
 *
 * JavaScript sees a column as what to_jsonb makes of it. What follows from that, class by class:
 *
 *	* Numbers are doubles. An int4 is one, an int8 is cast to one, as beyond 2^53 different ones are equal there. A numeric cannot be
 *	  cast without the danger of an error: it is compared as it is, with the neighbours of the double where equal doubles may stand
 *	  for different numerics. With no more than 15 digits there are no such.
 *	* NaN and the infinities of numeric and float8 are texts in JSON. A text that is compared with a number is one again, or NaN, which
 *	  is less than nothing, and greater than nothing; in SQL it is the greatest. So what is greater there is not exact.
 *	* null is 0 where it is compared with a number by < <= > >=: `null < 5`. It equals null alone.
 *	* Texts are equal when their bytes are: COLLATE "C", which also does for nondeterministic collations. Their order is that of
 *	  UTF-16 units, which is that of bytes unless surrogates meet what is above them.
 *	* A uuid, a date or a timestamp is equal to its own text only, so the text must be as JSON would have it.
 *	* The text of a timestamptz depends on the session's zone; but it always names one instant.
 *	* An enum is compared by its text: labels may be renamed.
 */
#include "query/internal.h"

#include <ctype.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "mb/pg_wchar.h"
#include "query/when.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#define MAX_SQL 65536			/* bytes of a clause; a longer one is left out */
#define MAX_EXACT 9007199254740991.0	/* 2^53 - 1 */
#define EXACT_DIGITS 15			/* of a decimal that a double never confuses with another */

WfWhen
wf_query_when_constant(bool value, bool exact)
{
	return (WfWhen) {NULL, value, exact};
}

#define NOT_KNOWN wf_query_when_constant(true, false)

WfWhen
wf_query_when_sql(bool exact, const char *fmt,...)
{
	StringInfoData sql;

	initStringInfo(&sql);
	WF_APPEND_ARGS(&sql, fmt);
	if (sql.len > MAX_SQL)
	{
		pfree(sql.data);
		return NOT_KNOWN;
	}
	return (WfWhen) {sql.data, true, exact};
}

/* -- texts of operands -- */

static bool
is_number(WfWhenClass class)
{
	return class <= WF_WHEN_FLOAT8;
}

/* A text as an operand: its bytes count. */
static const char *
text_of(const WfWhenOperand *column)
{
	if (column->class == WF_WHEN_ENUM)
		return psprintf("(pg_catalog.enum_out(%s::%s)::pg_catalog.text COLLATE pg_catalog.\"C\")", column->sql,
						format_type_be_qualified(column->type));
	return psprintf("(%s::pg_catalog.text COLLATE pg_catalog.\"C\")", column->sql);
}

static bool
is_text(WfWhenClass class)
{
	return class == WF_WHEN_TEXT || class == WF_WHEN_ENUM;
}

static WfWhen
null_test(const WfWhenOperand *column, bool is_null)
{
	bool		exact = column->class != WF_WHEN_UNKNOWN;

	if (is_null && !exact)
		return NOT_KNOWN;
	if (column->is_composite)
		return wf_query_when_sql(exact, "(%s IS %sDISTINCT FROM NULL)", column->sql, is_null ? "NOT " : "");
	return wf_query_when_sql(exact, "(%s IS %sNULL)", column->sql, is_null ? "" : "NOT ");
}

static const char *
constant_of(const char *type, const char *text)
{
	return psprintf("%s::pg_catalog.%s", quote_literal_cstr(text), type);
}

static const char *
shortest(double number)
{
	return number == floor(number) && fabs(number) <= MAX_EXACT ? psprintf("%lld", (long long) number) :
		double_to_shortest_decimal(number);
}

/* -- truthiness -- */

static WfWhen
column_truth(const WfWhenOperand *column)
{
	switch (column->class)
	{
		case WF_WHEN_BOOL:
			return wf_query_when_sql(true, "(%s IS TRUE)", column->sql);
		case WF_WHEN_INT:
		case WF_WHEN_INT8:
			return wf_query_when_sql(true, "(%s OPERATOR(pg_catalog.<>) '0'::pg_catalog.int4)", column->sql);
		case WF_WHEN_SHORT_NUMERIC:
		case WF_WHEN_NUMERIC:
			return wf_query_when_sql(column->class == WF_WHEN_SHORT_NUMERIC,
									 "(%s OPERATOR(pg_catalog.<>) '0'::pg_catalog.numeric)", column->sql);
		case WF_WHEN_FLOAT4:
		case WF_WHEN_FLOAT8:
			return wf_query_when_sql(true, "(%s OPERATOR(pg_catalog.<>) '0'::pg_catalog.float8)", column->sql);
		case WF_WHEN_TEXT:
		case WF_WHEN_ENUM:
			return wf_query_when_sql(true, "(%s OPERATOR(pg_catalog.<>) ''::pg_catalog.text)", text_of(column));
		case WF_WHEN_UUID:
		case WF_WHEN_DATE:
		case WF_WHEN_TIMESTAMP:
		case WF_WHEN_TIMESTAMPTZ:
			return null_test(column, false);
		default:
			{
				WfWhen		result = null_test(column, false);

				result.exact = false;
				return result;
			}
	}
}

WfWhen
wf_query_when_truth(const WfWhenOperand *operand)
{
	switch (operand->kind)
	{
		case WF_WHEN_CONSTANT:
			return wf_query_when_constant(wf_expr_tree_truthy(&operand->value), true);
		case WF_WHEN_ROW:
			return wf_query_when_constant(true, true);
		case WF_WHEN_COLUMN:
			return column_truth(operand);
		default:
			return NOT_KNOWN;
	}
}

/* -- operators -- */

static bool
is_equality(WfTreeOp op)
{
	return op == WF_TREE_SAME || op == WF_TREE_EQUAL;
}

static bool
is_inequality(WfTreeOp op)
{
	return op == WF_TREE_NOT_SAME || op == WF_TREE_NOT_EQUAL;
}

static bool
is_relation(WfTreeOp op)
{
	return op >= WF_TREE_LESS;
}

static WfTreeOp
flipped(WfTreeOp op)
{
	switch (op)
	{
		case WF_TREE_LESS:
			return WF_TREE_GREATER;
		case WF_TREE_LESS_EQUAL:
			return WF_TREE_GREATER_EQUAL;
		case WF_TREE_GREATER:
			return WF_TREE_LESS;
		case WF_TREE_GREATER_EQUAL:
			return WF_TREE_LESS_EQUAL;
		default:
			return op;
	}
}

static const char *
sql_of(WfTreeOp op)
{
	switch (op)
	{
		case WF_TREE_LESS:
			return "OPERATOR(pg_catalog.<)";
		case WF_TREE_LESS_EQUAL:
			return "OPERATOR(pg_catalog.<=)";
		case WF_TREE_GREATER:
			return "OPERATOR(pg_catalog.>)";
		case WF_TREE_GREATER_EQUAL:
			return "OPERATOR(pg_catalog.>=)";
		case WF_TREE_SAME:
		case WF_TREE_EQUAL:
			return "OPERATOR(pg_catalog.=)";
		default:
			return "IS DISTINCT FROM";
	}
}

/* `left op right`, with what it gives where the column is null, as JavaScript has it. */
static WfWhen
test(bool exact, bool if_null, const char *left, WfTreeOp op, const char *right)
{
	return wf_query_when_sql(exact, if_null && is_relation(op) ? "((%s %s %s) IS NOT FALSE)" : "(%s %s %s)", left, sql_of(op),
							 right);
}

/* -- a column and a number -- */

static bool
has_few_digits(const char *decimal)
{
	int			n = 0;

	for (; *decimal != '\0' && *decimal != 'e'; decimal++)
		n += isdigit((unsigned char) *decimal) ? 1 : 0;
	return n <= EXACT_DIGITS && *decimal == '\0';
}

/* A bound of a numeric that holds whatever double it becomes; beyond the greatest there is none. */
static WfWhen
numeric_bound(const WfWhenOperand *column, WfTreeOp op, double bound, bool if_null)
{
	if (isinf(bound))
		return NOT_KNOWN;
	return test(false, if_null, column->sql, op, constant_of("numeric", shortest(bound)));
}

static WfWhen
numeric_and_number(const WfWhenOperand *column, WfTreeOp op, double number, bool if_null)
{
	const char *decimal = shortest(number);

	if (column->class == WF_WHEN_SHORT_NUMERIC && has_few_digits(decimal))
		return test(op != WF_TREE_GREATER && op != WF_TREE_GREATER_EQUAL, if_null, column->sql, op, constant_of("numeric", decimal));
	if (is_equality(op))
	{
		WfWhen		above = numeric_bound(column, WF_TREE_GREATER, nextafter(number, -INFINITY), false);
		WfWhen		below = numeric_bound(column, WF_TREE_LESS, nextafter(number, INFINITY), false);

		if (above.sql == NULL || below.sql == NULL)
			return above.sql != NULL ? above : below;
		return wf_query_when_sql(false, "(%s AND %s)", above.sql, below.sql);
	}
	if (op == WF_TREE_LESS_EQUAL)
		return numeric_bound(column, WF_TREE_LESS, nextafter(number, INFINITY), if_null);
	if (op == WF_TREE_GREATER_EQUAL)
		return numeric_bound(column, WF_TREE_GREATER, nextafter(number, -INFINITY), if_null);
	return test(false, if_null, column->sql, op, constant_of("numeric", decimal));
}

static WfWhen
float4_and_number(const WfWhenOperand *column, WfTreeOp op, double number, bool if_null)
{
	float		single = (float) number;
	char	   *decimal;

	if (isinf(single) || (single == 0 && number != 0))
		return NOT_KNOWN;
	decimal = float_to_shortest_decimal(single);
	if (is_inequality(op) && strtod(decimal, NULL) != number)
		return NOT_KNOWN;
	if (op == WF_TREE_LESS)
		op = WF_TREE_LESS_EQUAL;
	if (op == WF_TREE_GREATER)
		op = WF_TREE_GREATER_EQUAL;
	return test(false, if_null, column->sql, op, constant_of("float4", decimal));
}

static WfWhen
column_and_number(const WfWhenOperand *column, WfTreeOp op, double number, bool if_null)
{
	bool		whole = number == floor(number) && fabs(number) <= MAX_EXACT;

	if (!isfinite(number))
		return NOT_KNOWN;
	switch (column->class)
	{
		case WF_WHEN_INT:
		case WF_WHEN_INT8:
			if (whole)
				return test(true, if_null, column->sql, op,
							constant_of(fabs(number) <= PG_INT32_MAX ? "int4" : "int8", shortest(number)));
			return test(true, if_null, psprintf("%s::pg_catalog.float8", column->sql), op,
						constant_of("float8", shortest(number)));
		case WF_WHEN_FLOAT8:
			return test(op != WF_TREE_GREATER && op != WF_TREE_GREATER_EQUAL, if_null, column->sql, op,
						constant_of("float8", shortest(number)));
		case WF_WHEN_FLOAT4:
			return float4_and_number(column, op, number, if_null);
		default:
			return numeric_and_number(column, op, number, if_null);
	}
}

/* -- a column and a string -- */

/* The string as a C string that may stand in SQL; NULL when it cannot be that of any column. */
static char *
cstring_of(const WfTreeValue *value)
{
	if (memchr(value->string, '\0', value->len) != NULL ||
		pg_encoding_verifymbstr(PG_UTF8, value->string, value->len) != (int) value->len)
		return NULL;
	return pnstrdup(value->string, value->len);
}

static bool
is_below_surrogates(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text > 0xED)
			return false;
	return true;
}

static bool
is_uuid(const char *text)
{
	for (int i = 0; i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? text[i] != '-' :
			!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
			return false;
	return text[36] == '\0';
}

/* A date or a timestamp. Texts are ordered as times are, from year 1 to 9999. */
static WfWhen
time_and_text(const WfWhenOperand *column, const char *type, WfTreeOp op, const char *text)
{
	const char *constant = constant_of(type, text);

	if (!is_relation(op))
		return test(true, false, column->sql, op, constant);
	return wf_query_when_sql(false, "(%s %s %s OR %s OPERATOR(pg_catalog.<) %s OR %s OPERATOR(pg_catalog.>=) %s)",
							 column->sql, sql_of(op), constant, column->sql, constant_of(type, "0001-01-01"),
							 column->sql, constant_of(type, "10000-01-01"));
}

static WfWhen
column_and_string(const WfWhenOperand *column, WfTreeOp op, const WfTreeValue *value, bool if_null)
{
	char	   *text = cstring_of(value);

	if (text == NULL)
		return NOT_KNOWN;
	switch (column->class)
	{
		case WF_WHEN_TEXT:
		case WF_WHEN_ENUM:
			if (is_relation(op) && !is_below_surrogates(text))
				return NOT_KNOWN;
			return test(true, if_null, text_of(column), op, constant_of("text", text));
		case WF_WHEN_UUID:
			if (is_relation(op) || value->len != 36 || !is_uuid(text))
				return NOT_KNOWN;
			return test(true, false, column->sql, op, constant_of("uuid", text));
		case WF_WHEN_DATE:
			return wf_query_when_is_time(DATEOID, text) ? time_and_text(column, "date", op, text) : NOT_KNOWN;
		case WF_WHEN_TIMESTAMP:
			return wf_query_when_is_time(TIMESTAMPOID, text) ? time_and_text(column, "timestamp", op, text) : NOT_KNOWN;
		case WF_WHEN_TIMESTAMPTZ:
			if (!is_equality(op) || !wf_query_when_is_time(TIMESTAMPTZOID, text))
				return NOT_KNOWN;
			return test(false, false, column->sql, op, constant_of("timestamptz", text));
		default:
			return NOT_KNOWN;
	}
}

bool
wf_query_when_among(const WfWhenOperand *column, int n, const WfWhenOperand *items, WfWhen *out)
{
	StringInfoData list;

	if (column->kind != WF_WHEN_COLUMN || !is_text(column->class) || n < 2)
		return false;
	initStringInfo(&list);
	for (int i = 0; i < n; i++)
	{
		char	   *text;

		if (items[i].kind != WF_WHEN_CONSTANT || items[i].value.kind != WF_TREE_STRING ||
			(text = cstring_of(&items[i].value)) == NULL)
			return false;
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(text));
	}
	*out = wf_query_when_sql(true, "(%s OPERATOR(pg_catalog.=) ANY (ARRAY[%s]::pg_catalog.text[]))", text_of(column), list.data);
	return true;
}

/* -- a column and a constant -- */

static WfWhen
column_and_constant(const WfExpr *expr, const WfWhenOperand *column, WfTreeOp op, const WfTreeValue *value)
{
	WfTreeValue null = {.kind = WF_TREE_NULL};
	bool		if_null = wf_expr_tree_compare(expr, op, &null, value);

	switch (value->kind)
	{
		case WF_TREE_UNDEFINED:
		case WF_TREE_NULL:
			if (is_relation(op))
				return NOT_KNOWN;
			if (value->kind == WF_TREE_UNDEFINED && (op == WF_TREE_SAME || op == WF_TREE_NOT_SAME))
				return wf_query_when_constant(op == WF_TREE_NOT_SAME, true);
			return null_test(column, is_equality(op));
		case WF_TREE_BOOL:
			if (column->class != WF_WHEN_BOOL || is_relation(op))
				return NOT_KNOWN;
			return wf_query_when_sql(true, "(%s IS %s%s)", column->sql, is_equality(op) ? "" : "NOT ",
									 value->boolean ? "TRUE" : "FALSE");
		case WF_TREE_NUMBER:
			return is_number(column->class) ? column_and_number(column, op, value->number, if_null) : NOT_KNOWN;
		case WF_TREE_STRING:
			return column_and_string(column, op, value, if_null);
		default:
			return NOT_KNOWN;
	}
}

/* -- two columns -- */

/* `left op right` where neither null nor a relation needs more. */
static WfWhen
pair(bool exact, const char *left, WfTreeOp op, const char *right)
{
	return wf_query_when_sql(exact, "(%s %s %s)", left, is_equality(op) ? "IS NOT DISTINCT FROM" : sql_of(op), right);
}

/* Null is 0 in a relation. */
static const char *
number_of(const WfWhenOperand *column, const char *type, WfTreeOp op)
{
	const char *cast = psprintf("%s::pg_catalog.%s", column->sql, type);

	return is_relation(op) ? psprintf("COALESCE(%s, '0'::pg_catalog.%s)", cast, type) : cast;
}

static bool
is_numeric(WfWhenClass class)
{
	return class == WF_WHEN_SHORT_NUMERIC || class == WF_WHEN_NUMERIC;
}

static bool
is_float(WfWhenClass class)
{
	return class == WF_WHEN_FLOAT4 || class == WF_WHEN_FLOAT8;
}

/* A float4 goes with its like alone, a float8 with all but numerics. */
static bool
goes_together(WfWhenClass a, WfWhenClass b)
{
	if (a == WF_WHEN_FLOAT4 || b == WF_WHEN_FLOAT4)
		return a == b;
	return !(is_float(a) && is_numeric(b)) && !(is_numeric(a) && is_float(b));
}

static WfWhen
two_numbers(const WfWhenOperand *left, WfTreeOp op, const WfWhenOperand *right)
{
	WfWhenClass least = Min(left->class, right->class);
	WfWhenClass most = Max(left->class, right->class);
	bool		floats = is_float(most);
	bool		numerics = is_numeric(most);
	bool		confused = most == WF_WHEN_NUMERIC || (numerics && least == WF_WHEN_INT8);

	if (!goes_together(least, most))
		return NOT_KNOWN;
	if (most == WF_WHEN_INT)
		return pair(true, number_of(left, "int4", op), op, number_of(right, "int4", op));
	if (numerics)
	{
		/* equal doubles may stand for different numerics, but not different ones for equal numerics */
		if (confused && (is_equality(op) || op == WF_TREE_LESS_EQUAL || op == WF_TREE_GREATER_EQUAL))
			return NOT_KNOWN;
		return pair(!confused && !is_relation(op), number_of(left, "numeric", op), op, number_of(right, "numeric", op));
	}
	return pair(!floats || !is_relation(op), number_of(left, most == WF_WHEN_FLOAT4 ? "float4" : "float8", op), op,
				number_of(right, most == WF_WHEN_FLOAT4 ? "float4" : "float8", op));
}

static WfWhen
two_columns(const WfWhenOperand *left, WfTreeOp op, const WfWhenOperand *right)
{
	if (is_number(left->class) && is_number(right->class))
		return two_numbers(left, op, right);
	if (is_relation(op))
		return NOT_KNOWN;
	if (is_text(left->class) && is_text(right->class))
		return pair(true, text_of(left), op, text_of(right));
	if (left->class == right->class && left->class >= WF_WHEN_BOOL && left->class <= WF_WHEN_TIMESTAMPTZ)
		return pair(true, left->sql, op, right->sql);
	return NOT_KNOWN;
}

WfWhen
wf_query_when_compare(const WfExpr *expr, WfTreeOp op, const WfWhenOperand *left, const WfWhenOperand *right)
{
	if (left->kind == WF_WHEN_CONSTANT && right->kind == WF_WHEN_CONSTANT)
		return wf_query_when_constant(wf_expr_tree_compare(expr, op, &left->value, &right->value), true);
	if (left->kind == WF_WHEN_COLUMN && right->kind == WF_WHEN_COLUMN)
		return two_columns(left, op, right);
	if (left->kind == WF_WHEN_COLUMN && right->kind == WF_WHEN_CONSTANT)
		return column_and_constant(expr, left, op, &right->value);
	if (left->kind == WF_WHEN_CONSTANT && right->kind == WF_WHEN_COLUMN)
		return column_and_constant(expr, right, flipped(op), &left->value);
	if (left->kind == WF_WHEN_CONSTANT && right->kind == WF_WHEN_ROW)
		return wf_query_when_compare(expr, flipped(op), right, left);
	if (left->kind == WF_WHEN_ROW && right->kind == WF_WHEN_CONSTANT && !is_relation(op) &&
		(right->value.kind == WF_TREE_NULL || right->value.kind == WF_TREE_UNDEFINED))
		return wf_query_when_constant(is_inequality(op), true);
	return NOT_KNOWN;
}
