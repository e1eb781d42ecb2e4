/*
 * values.c: jsonb to the JSON text that code gets.
 *
 * A jsonb number is a numeric of any length, JavaScript's is a double. One of which the double has the very digits (read back with as few digits as
 * tell it from its neighbours) is passed; any other would be changed unseen, so it is refused, or passed as a string.
 * A decimal of 15 significant digits always survives, so most numbers are known to at a glance.
 */
#include "postgres.h"

#include <math.h>

#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "sandbox/sandbox.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#define MAXINT4_TEXT 12
#define SURE_DIGITS 15
#define SURE_LENGTH 300			/* so short a text has no exponent that a double has not */

typedef struct Place
{
	const struct Place *around;
	const JsonbValue *key;		/* of an object; else `index` counts */
	int64		index;
} Place;

typedef struct Writing
{
	StringInfo	out;
	const char *name;
	WfCodeBig	big;
} Writing;

static void
append_place(StringInfo text, const Place *place)
{
	if (place == NULL)
		return;
	append_place(text, place->around);
	if (place->key != NULL)
		appendStringInfo(text, ".%.*s", place->key->val.string.len, place->key->val.string.val);
	else
		appendStringInfo(text, "[" INT64_FORMAT "]", place->index);
}

static bool
survives(Numeric number, const char *text)
{
	int			digits = 0;
	int			zeros = 0;
	double		nearest;
	char		shortest[DOUBLE_SHORTEST_DECIMAL_LEN];
	Datum		back;

	for (const char *at = text; *at != '\0'; at++)
	{
		if (*at == '0')
			zeros += digits > 0;
		else if (*at >= '1' && *at <= '9')
		{
			digits += zeros + 1;
			zeros = 0;
		}
	}
	if (digits <= SURE_DIGITS && strlen(text) < SURE_LENGTH)
		return true;
	nearest = strtod(text, NULL);
	if (isinf(nearest) || (nearest == 0 && digits > 0))
		return false;
	double_to_shortest_decimal_buf(nearest, shortest);
	back = DirectFunctionCall3(numeric_in, CStringGetDatum(shortest), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	return DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(number), back));
}

static void
append_number(Writing *writing, Numeric number, const Place *place)
{
	bool		too_large = false;
	int32		small = numeric_int4_opt_error(number, &too_large);
	char	   *text;

	/* Most are small and whole. */
	if (!too_large && DatumGetInt32(DirectFunctionCall1(numeric_scale, NumericGetDatum(number))) == 0)
	{
		enlargeStringInfo(writing->out, MAXINT4_TEXT);
		writing->out->len += pg_ltoa(small, writing->out->data + writing->out->len);
		return;
	}
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	if (survives(number, text))
		appendStringInfoString(writing->out, text);
	else if (writing->big == WF_CODE_BIG_STRING)
		appendStringInfo(writing->out, "\"%s\"", text);
	else
	{
		StringInfoData where;

		initStringInfo(&where);
		append_place(&where, place);
		ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
						errmsg("%s%s is a number that JavaScript cannot hold without changing it", writing->name, where.data),
						errdetail("It is %.100s%s.", text, strlen(text) > 100 ? "..." : ""),
						writing->big == WF_CODE_BIG_REFUSED ?
						errhint("Only what the expression names is passed to it; a \"code\" block with \"bigNumbers\": \"string\" gets such numbers as strings.") :
						errhint("\"bigNumbers\": \"string\" gives such numbers to the code as strings.")));
	}
	pfree(text);
}

static bool
needs_escape(char c)
{
	return (unsigned char) c < 0x20 || c == '"' || c == '\\';
}

/* As escape_json, of a text that no zero ends; what needs no escape is copied in one piece. */
static void
append_string(StringInfo out, const char *text, int len)
{
	int			from = 0;

	enlargeStringInfo(out, len + 2);
	out->data[out->len++] = '"';
	for (int i = 0; i < len; i++)
	{
		if (!needs_escape(text[i]))
			continue;
		appendBinaryStringInfo(out, text + from, i - from);
		from = i + 1;
		if ((unsigned char) text[i] < 0x20)
			appendStringInfo(out, "\\u%04x", (unsigned char) text[i]);
		else
		{
			appendStringInfoChar(out, '\\');
			appendStringInfoChar(out, text[i]);
		}
		enlargeStringInfo(out, len - from + 1);
	}
	memcpy(out->data + out->len, text + from, len - from);
	out->len += len - from;
	out->data[out->len++] = '"';
	out->data[out->len] = '\0';
}

static void
append_value(Writing *writing, const JsonbValue *value, const Place *around)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	member;
	Place		place = {.around = around};
	bool		object = wf_json_is_object(value);

	check_stack_depth();
	switch (value->type)
	{
		case jbvNull:
			appendStringInfoString(writing->out, "null");
			return;
		case jbvBool:
			appendStringInfoString(writing->out, value->val.boolean ? "true" : "false");
			return;
		case jbvNumeric:
			append_number(writing, value->val.numeric, around);
			return;
		case jbvString:
			append_string(writing->out, value->val.string.val, value->val.string.len);
			return;
		default:
			break;
	}
	appendStringInfoCharMacro(writing->out, object ? '{' : '[');
	wf_json_iter_begin(&it, value);
	for (int64 i = 0; wf_json_iter_next(&it, object ? &key : NULL, &member); i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoCharMacro(writing->out, ',');
		place.key = object ? &key : NULL;
		place.index = i;
		if (object)
		{
			append_string(writing->out, key.val.string.val, key.val.string.len);
			appendStringInfoCharMacro(writing->out, ':');
		}
		append_value(writing, &member, &place);
	}
	appendStringInfoCharMacro(writing->out, object ? '}' : ']');
}

void
wf_sandbox_append_key(StringInfo out, const char *key, bool *first)
{
	appendStringInfoChar(out, *first ? '{' : ',');
	*first = false;
	append_string(out, key, (int) strlen(key));
	appendStringInfoChar(out, ':');
}

void
wf_sandbox_append(StringInfo out, const JsonbValue *value, const char *name, WfCodeBig big)
{
	Writing		writing = {out, name, big};

	append_value(&writing, value, NULL);
}
