/*
 * where.c: the language of `where`.
 *
 *	where		:= {member, ...}				all of them
 *	member		:= "and": [where ...] | "or": [where ...] | "not": where | "$expr": sql | column: test
 *	test		:= value | {op: operand, ...}	all of them; compare.c has the operators
 *
 * An object is taken as operators only where it stands in the config, or in data that stands for a
 * whole condition; what an expression gives in place of a value is a value.
 */
#include "query/internal.h"

#include "miscadmin.h"

static void append_object(WfBuild *b, WfConfigPart where, bool on);

static void
unknown_operator(WfBuild *b, const WfConfigField *field, const char *column)
{
	const char *hint = wf_query_nearest_operator(field->key);

	if (hint == NULL)
		hint = "The operators are eq, ne, gt, gte, lt, lte, in, notIn, like, ilike, matches, between, isNull, contains, containedBy, overlaps.";
	wf_query_complain(b, field->value.path, hint,
					  "unknown operator \"%s\" for column \"%s\"", wf_text_clip(field->key), wf_text_clip(column));
	appendStringInfoString(&b->sql, "false");
}

/* `column: {op: operand, ...}` */
static void
append_operators(WfBuild *b, const WfColumn *column, WfConfigPart tests)
{
	int			n;
	WfConfigField *fields = wf_query_part_fields(b, tests, &n);

	if (n == 0)
	{
		wf_query_complain(b, tests.path, "Use \"eq\" to compare with an object.",
						  "no operator for column \"%s\"", column->label);
		appendStringInfoString(&b->sql, "false");
		return;
	}
	if (n > 1)
		appendStringInfoChar(&b->sql, '(');
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
			appendStringInfoString(&b->sql, " AND ");
		if (!wf_query_append_test(b, fields[i].key, column, fields[i].value))
			unknown_operator(b, &fields[i], column->label);
	}
	if (n > 1)
		appendStringInfoChar(&b->sql, ')');
}

static void
append_column_test(WfBuild *b, const WfConfigField *field, bool on)
{
	WfConfigPart test = field->value;
	WfColumn	column;
	WfConfigPart ignored;
	WfConfigPart ignored_params;

	b->n_conditions++;
	if (!wf_query_column(b, field->key, test.path, &column))
	{
		appendStringInfoString(&b->sql, "false");
		return;
	}
	if (on && !wf_query_part_is_object(&test))
	{
		WfColumn	other;
		const char *name = wf_query_part_string(b, test, "a column in \"on\"");

		if (name != NULL && wf_query_column(b, name, test.path, &other))
			appendStringInfo(&b->sql, "%s = %s", wf_query_column_json(&column), wf_query_column_json(&other));
		else
			appendStringInfoString(&b->sql, "false");
		return;
	}
	if (wf_query_part_is_object(&test) && !wf_query_part_is_special(b, test, "$col", NULL, &ignored, NULL) &&
		!wf_query_part_is_special(b, test, "$expr", "params", &ignored, &ignored_params))
		append_operators(b, &column, test);
	else if (wf_query_part_is_array(&test))
	{
		wf_query_complain(b, test.path, "Use {\"in\": [...]} for any of a list, {\"eq\": [...]} for an array.",
						  "column \"%s\" is compared with an array", column.label);
		appendStringInfoString(&b->sql, "false");
	}
	else
		(void) wf_query_append_test(b, "eq", &column, test);
}

/* `and` and `or`: a list; of none, `and` is true and `or` is false. */
static void
append_list(WfBuild *b, const WfConfigField *field, bool is_or, bool on)
{
	WfConfigPart list = field->value;
	WfConfigPart *items;
	int			n;

	if (!wf_query_part_resolve(b, &list))
		return;
	if (!wf_query_part_is_array(&list))
	{
		wf_query_complain(b, list.path, NULL, "\"%s\" wants an array of conditions", field->key);
		return;
	}
	items = wf_query_part_items(b, list, &n);
	if (n == 0)
		appendStringInfoString(&b->sql, is_or ? "false" : "true");
	if (n > 1)
		appendStringInfoChar(&b->sql, '(');
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (i > 0)
			appendStringInfoString(&b->sql, is_or ? " OR " : " AND ");
		append_object(b, items[i], on);
	}
	if (n > 1)
		appendStringInfoChar(&b->sql, ')');
}

static void
append_member(WfBuild *b, const WfConfigField *field, const WfConfigPart *params, bool on)
{
	if (strcmp(field->key, "and") == 0)
		append_list(b, field, false, on);
	else if (strcmp(field->key, "or") == 0)
		append_list(b, field, true, on);
	else if (strcmp(field->key, "not") == 0)
	{
		appendStringInfoString(&b->sql, "NOT (");
		append_object(b, field->value, on);
		appendStringInfoChar(&b->sql, ')');
	}
	else if (strcmp(field->key, "$expr") == 0)
	{
		b->n_conditions++;
		wf_query_expr(b, field->value, params, "condition");
	}
	else
		append_column_test(b, field, on);
}

static void
append_object(WfBuild *b, WfConfigPart where, bool on)
{
	WfConfigPart params;
	bool		has_expr;
	WfConfigField *fields;
	int			n;
	int			n_added = 0;

	check_stack_depth();
	if (!wf_query_part_resolve(b, &where))
		return;
	if (!wf_query_part_is_object(&where))
	{
		wf_query_complain(b, where.path, NULL, "a condition must be an object, not %s",
						  wf_query_part_is_array(&where) ? "array" : "scalar");
		appendStringInfoString(&b->sql, "false");
		return;
	}
	fields = wf_query_part_fields(b, where, &n);
	has_expr = wf_query_part_member(b, where, "$expr", &params);
	if (!has_expr || !wf_query_part_member(b, where, "params", &params))
		params.tpl = NULL;
	b->where_depth++;
	for (int i = 0; i < n; i++)
	{
		if (has_expr && strcmp(fields[i].key, "params") == 0)
			continue;
		if (n_added++ > 0)
			appendStringInfoString(&b->sql, " AND ");
		append_member(b, &fields[i], &params, on);
	}
	b->where_depth--;
	if (n_added == 0)
		appendStringInfoString(&b->sql, "true");
}

void
wf_query_where(WfBuild *b, WfConfigPart where, bool on)
{
	b->n_conditions = 0;
	b->where_depth = 0;
	b->pinned = NULL;
	append_object(b, where, on);
}

void
wf_query_append_where(WfBuild *b, bool required)
{
	WfConfigPart where;
	int			before = b->sql.len;
	bool		was_incomplete = b->incomplete;
	bool		given = wf_query_part_config(b, "where", &where);

	b->n_conditions = 0;
	b->pinned = NULL;
	if (given)
	{
		b->incomplete = false;
		appendStringInfoString(&b->sql, " WHERE ");
		wf_query_where(b, where, false);
	}
	if (required && b->n_conditions == 0 && !b->incomplete)
		wf_query_complain(b, given ? where.path : NULL,
						  "Give a condition; one that holds for all rows is {\"$expr\": \"true\"}.",
						  "\"where\" must not be missing or empty");
	if (strcmp(b->sql.data + before, " WHERE true") == 0)
	{
		b->sql.len = before;
		b->sql.data[before] = '\0';
	}
	b->incomplete = b->incomplete || was_incomplete;
}
