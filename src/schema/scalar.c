/*
 * scalar.c: the keywords that look at the value itself: type, enum, const, and those of numbers and
 * strings.
 *
 * Numbers are compared as numerics, never as doubles: 9007199254740993 is above a maximum of
 * 9007199254740992, and 0.3 is a multiple of 0.1. Lengths are counted in characters.
 */
#include "postgres.h"

#include "base/compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "schema/schema_internal.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

/* -- type, enum, const -- */

static const char *const kind_names[] = {"null", "a boolean", "a number", "a string", "an array", "an object", "an integer"};

/* 1.0 is an integer. */
static bool
is_integer(Numeric number)
{
	Datum		datum = NumericGetDatum(number);

	if (DatumGetInt32(DirectFunctionCall1(numeric_scale, datum)) == 0)
		return true;
	return DatumGetBool(DirectFunctionCall2(numeric_eq, datum, DirectFunctionCall1(numeric_floor, datum)));
}

static char *
list_kinds(int bits)
{
	StringInfoData out;
	int			n = __builtin_popcount(bits);
	int			i = 0;

	initStringInfo(&out);
	for (int bit = 0; bit < lengthof(kind_names); bit++)
	{
		if (bits & (1 << bit))
		{
			if (i > 0)
				appendStringInfoString(&out, i == n - 1 ? " or " : ", ");
			appendStringInfoString(&out, kind_names[bit]);
			i++;
		}
	}
	return out.data;
}

bool
wf_schema_apply_type(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					 const WfSchemaPath *path, WfSchemaSeen *seen)
{
	int			bits = (int) (uintptr_t) check->data;
	int			kind = wf_schema_kind(value);

	if (bits & kind)
		return true;
	if (kind == WF_SCHEMA_NUMBER && (bits & WF_SCHEMA_INTEGER) && is_integer(value->val.numeric))
		return true;
	if (e->errors != NULL)
		wf_schema_report(e, node, "type", path, NULL, "must be %s, not %s", list_kinds(bits),
						 kind == WF_SCHEMA_NUMBER ? wf_schema_show(value) : list_kinds(kind));
	return false;
}

bool
wf_schema_apply_enum(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					 const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaValues *values = check->data;
	StringInfoData out;

	if (values->slots != NULL)
	{
		for (uint32 slot = wf_schema_hash(value) & values->mask; values->slots[slot] != 0;
			 slot = (slot + 1) & values->mask)
		{
			if (wf_json_equal(&values->values[values->slots[slot] - 1], value))
				return true;
		}
	}
	else
	{
		for (int i = 0; i < values->n; i++)
		{
			if (wf_json_equal(&values->values[i], value))
				return true;
		}
	}
	if (e->errors == NULL)
		return false;
	initStringInfo(&out);
	for (int i = 0; i < values->n && i < 12; i++)
		appendStringInfo(&out, "%s%s", i == 0 ? "" : i == values->n - 1 ? " or " : ", ",
						 wf_schema_show(&values->values[i]));
	wf_schema_report(e, node, "enum", path, NULL, values->n == 0 ? "must not be there" : "must be %s%s", out.data,
					 values->n > 12 ? ", ..." : "");
	return false;
}

bool
wf_schema_apply_const(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					  const WfSchemaPath *path, WfSchemaSeen *seen)
{
	if (wf_json_equal(check->data, value))
		return true;
	if (e->errors != NULL)
		wf_schema_report(e, node, "const", path, NULL, "must be %s", wf_schema_show(check->data));
	return false;
}

/* -- numbers -- */

static int
compare_bound(const WfSchemaCheck *check, const JsonbValue *value)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(value->val.numeric),
											 PointerGetDatum(check->data)));
}

static bool
report_bound(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const WfSchemaPath *path,
			 const char *words)
{
	JsonbValue	bound = {.type = jbvNumeric};

	if (e->errors != NULL)
	{
		bound.val.numeric = check->data;
		wf_schema_report(e, node, check->keyword, path, NULL, "must be %s %s", words, wf_schema_show(&bound));
	}
	return false;
}

bool
wf_schema_apply_minimum(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
						const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return compare_bound(check, value) >= 0 || report_bound(e, node, check, path, "at least");
}

bool
wf_schema_apply_maximum(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
						const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return compare_bound(check, value) <= 0 || report_bound(e, node, check, path, "at most");
}

bool
wf_schema_apply_exclusive_minimum(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
								  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return compare_bound(check, value) > 0 || report_bound(e, node, check, path, "greater than");
}

bool
wf_schema_apply_exclusive_maximum(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
								  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return compare_bound(check, value) < 0 || report_bound(e, node, check, path, "less than");
}

bool
wf_schema_apply_multiple_of(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	Datum		rest = DirectFunctionCall2(numeric_mod, NumericGetDatum(value->val.numeric), PointerGetDatum(check->data));

	Datum		zero = DirectFunctionCall1(int4_numeric, Int32GetDatum(0));

	return DatumGetBool(DirectFunctionCall2(numeric_eq, rest, zero)) ||
		report_bound(e, node, check, path, "a multiple of");
}

/* -- strings -- */

static int64
count_characters(const JsonbValue *value)
{
	return pg_mbstrlen_with_len(value->val.string.val, value->val.string.len);
}

bool
wf_schema_apply_min_length(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
						   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	int64		bound = *(int64 *) check->data;

	if (value->val.string.len >= bound && count_characters(value) >= bound)
		return true;
	wf_schema_report(e, node, "minLength", path, NULL, "must have at least " INT64_FORMAT " %s", bound,
					 bound == 1 ? "character" : "characters");
	return false;
}

bool
wf_schema_apply_max_length(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
						   const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	int64		bound = *(int64 *) check->data;

	if (value->val.string.len <= bound || count_characters(value) <= bound)
		return true;
	wf_schema_report(e, node, "maxLength", path, NULL, "must have at most " INT64_FORMAT " %s", bound,
					 bound == 1 ? "character" : "characters");
	return false;
}

bool
wf_schema_apply_pattern(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
						const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaPattern *pattern = check->data;

	if (wf_regex_match(pattern->regex, value->val.string.val, value->val.string.len, 0, false, NULL, 0) > 0)
		return true;
	if (e->errors != NULL)
		wf_schema_report(e, node, "pattern", path, NULL, "must match the pattern %s",
						 wf_schema_show_name(pattern->source, strlen(pattern->source)));
	return false;
}

bool
wf_schema_apply_format(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					   const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaFormat *format = check->data;

	if (format->valid(value->val.string.val, value->val.string.len))
		return true;
	wf_schema_report(e, node, "format", path, NULL, "must be of the format \"%s\"", format->name);
	return false;
}
