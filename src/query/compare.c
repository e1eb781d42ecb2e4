/*
 * compare.c: one column and one operator as SQL.
 *
 * The table below is the list of operators. What null means:
 *	`eq` null, also from an expression, is IS NULL and `ne` null IS NOT NULL; every other comparison with
 *	null is never true, as in SQL. Nulls in the list of `in` and `notIn` are left out.
 *
 * A path into jsonb is compared by the type of the operand: a string with the text there, a number
 * with the number, a boolean with the boolean, anything else as jsonb; where the value there is of
 * another type the comparison is not true (and never an error).
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

typedef struct Operator Operator;
typedef void (*AppendTest) (WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);

struct Operator
{
	const char *name;
	const char *sql;
	AppendTest	append;
};

static void append_compare(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);
static void append_in(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);
static void append_like(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);
static void append_between(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);
static void append_is_null(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);
static void append_sets(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand);

static const Operator operators[] = {
	{"eq", "=", append_compare},
	{"ne", "<>", append_compare},
	{"gt", ">", append_compare},
	{"gte", ">=", append_compare},
	{"lt", "<", append_compare},
	{"lte", "<=", append_compare},
	{"in", "= ANY", append_in},
	{"notIn", "<> ALL", append_in},
	{"like", "LIKE", append_like},
	{"ilike", "ILIKE", append_like},
	{"matches", "~", append_like},
	{"between", "BETWEEN", append_between},
	{"isNull", "IS NULL", append_is_null},
	{"contains", "@>", append_sets},
	{"containedBy", "<@", append_sets},
	{"overlaps", "&&", append_sets},
};

static const Operator *
find_operator(const char *name)
{
	for (int i = 0; i < lengthof(operators); i++)
		if (strcmp(operators[i].name, name) == 0)
			return &operators[i];
	return NULL;
}

const char *
wf_query_nearest_operator(const char *name)
{
	const char *names[lengthof(operators)];

	for (int i = 0; i < lengthof(operators); i++)
		names[i] = operators[i].name;
	return wf_text_did_you_mean(name, names, lengthof(operators));
}

/* -- columns as SQL -- */

static bool
is_index(const char *step)
{
	return step[strspn(step, "0123456789")] == '\0';
}

static const char *path_as(const WfColumn *column, WfNature nature);

/* The jsonb (or text) at a path: `data -> 'a' ->> 'b'`, the form that expression indexes are made
 * on; with steps that may be indexes of arrays, `data #>> ARRAY[...]`. */
static const char *
path_sql(const WfColumn *column, bool as_text)
{
	StringInfoData sql;
	bool		has_index = false;

	initStringInfo(&sql);
	appendStringInfo(&sql, "(%s", column->sql);
	for (int i = 0; i < column->n_path; i++)
		has_index = has_index || is_index(column->path[i]);
	if (has_index)
		appendStringInfo(&sql, " %s ARRAY[", as_text ? "#>>" : "#>");
	for (int i = 0; i < column->n_path; i++)
	{
		const char *step = quote_literal_cstr(column->path[i]);

		if (has_index)
			appendStringInfo(&sql, "%s%s", i > 0 ? ", " : "", step);
		else
			appendStringInfo(&sql, " %s %s", as_text && i == column->n_path - 1 ? "->>" : "->", step);
	}
	appendStringInfoString(&sql, has_index ? "])" : ")");
	return sql.data;
}

const char *
wf_query_column_as(const WfColumn *column, Oid type)
{
	if (column->n_path == 0)
		return column->sql;
	return path_as(column, type == NUMERICOID ? WF_NATURE_NUMBER : type == BOOLOID ? WF_NATURE_BOOL : WF_NATURE_JSON);
}

const char *
wf_query_column_json(const WfColumn *column)
{
	if (column->n_path == 0)
		return column->sql;
	return path_sql(column, false);
}

/* The path as a value of the type that the operand has. */
static const char *
path_as(const WfColumn *column, WfNature nature)
{
	const char *json = path_sql(column, false);
	const char *text = path_sql(column, true);
	const char *prefix = column->is_json ? "json" : "jsonb";

	switch (nature)
	{
		case WF_NATURE_NUMBER:
			return psprintf("CASE WHEN %s_typeof(%s) = 'number' THEN %s::numeric END", prefix, json, text);
		case WF_NATURE_BOOL:
			return psprintf("CASE WHEN %s_typeof(%s) = 'boolean' THEN %s::boolean END", prefix, json, text);
		case WF_NATURE_JSON:
		case WF_NATURE_ANY:
			return column->is_json ? psprintf("%s::jsonb", json) : json;
		default:
			return text;
	}
}

static Oid
nature_type(WfNature nature)
{
	switch (nature)
	{
		case WF_NATURE_NUMBER:
			return NUMERICOID;
		case WF_NATURE_BOOL:
			return BOOLOID;
		case WF_NATURE_JSON:
		case WF_NATURE_ANY:
			return JSONBOID;
		default:
			return TEXTOID;
	}
}

static void
append_param(WfBuild *b, WfConfigPart value, Oid type, WfPick pick, const char *label, int choice, WfNature nature, bool typed)
{
	WfParam    *param = wf_query_param(b, value, type, pick, label);

	param->choice = choice;
	param->nature = nature;
	param->nature_typed = typed;
	appendStringInfo(&b->sql, "$%d", b->n_params);
}

/* -- tests -- */

/* `{"$col": "c.id"}`: appends the column; false when the operand is something else. */
static bool
append_column_operand(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	WfConfigPart name;
	WfColumn	other;
	const char *written;

	if (!wf_query_part_is_special(b, operand, "$col", NULL, &name, NULL))
		return false;
	written = wf_query_part_string(b, name, "\"$col\"");
	if (written != NULL && wf_query_column(b, written, name.path, &other))
		appendStringInfo(&b->sql, "%s %s %s", wf_query_column_json(column), op->sql, wf_query_column_json(&other));
	return true;
}

static bool
append_expr_operand(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	WfConfigPart sql;
	WfConfigPart params;

	if (!wf_query_part_is_special(b, operand, "$expr", "params", &sql, &params))
		return false;
	appendStringInfo(&b->sql, "%s %s ", wf_query_column_json(column), op->sql);
	wf_query_expr(b, sql, params.tpl != NULL ? &params : NULL, column->label);
	return true;
}

static void
append_null_test(WfBuild *b, const Operator *op, const WfColumn *column)
{
	const char *sql = column->n_path > 0 ? path_sql(column, true) : column->sql;

	if (strcmp(op->name, "eq") == 0)
		appendStringInfo(&b->sql, "%s IS NULL", sql);
	else if (strcmp(op->name, "ne") == 0)
		appendStringInfo(&b->sql, "%s IS NOT NULL", sql);
	else
		appendStringInfoString(&b->sql, "NULL::boolean");
}

static void
append_compare(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	bool		is_path = column->n_path > 0;
	WfNature	nature;
	int			choice;

	if (append_column_operand(b, op, column, operand) || append_expr_operand(b, op, column, operand))
		return;
	nature = wf_query_nature(b, &operand, is_path, is_path ? WF_NATURE_STRING : WF_NATURE_ANY, &choice);
	if (nature == WF_NATURE_NULL)
	{
		append_null_test(b, op, column);
		return;
	}
	if (is_path)
	{
		appendStringInfo(&b->sql, "%s %s ", path_as(column, nature), op->sql);
		append_param(b, operand, nature_type(nature), WF_PICK_VALUE, column->label, choice, nature, true);
		return;
	}
	if (b->where_depth == 1 && column->table == &b->tables[0] && op == &operators[0])
		b->pinned = bms_add_member(b->pinned, column->attnum);
	appendStringInfo(&b->sql, "%s %s ", column->sql, op->sql);
	append_param(b, operand, column->type, WF_PICK_VALUE, column->label, choice, nature, false);
}

static void
check_list(WfBuild *b, const Operator *op, WfConfigPart operand)
{
	if (!wf_query_part_is_array(&operand) && !wf_query_part_is_leaf(&operand))
		wf_query_complain(b, operand.path, NULL, "\"%s\" wants an array", op->name);
}

/* A list of literal length for columns that are arrays themselves, which have no array of arrays. */
static void
append_in_each(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	bool		is_in = strcmp(op->name, "in") == 0;
	WfConfigPart *items;
	int			n;

	if (!wf_query_part_resolve(b, &operand) || !wf_query_part_is_array(&operand))
	{
		check_list(b, op, operand);
		appendStringInfoString(&b->sql, "false");
		return;
	}
	items = wf_query_part_items(b, operand, &n);
	appendStringInfoString(&b->sql, is_in ? "(false" : "(true");
	for (int i = 0; i < n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (wf_query_part_is_null(&items[i]))
			continue;
		appendStringInfo(&b->sql, " %s %s %s ", is_in ? "OR" : "AND", column->sql, is_in ? "=" : "<>");
		append_param(b, items[i], column->type, WF_PICK_VALUE, column->label, -1, WF_NATURE_ANY, false);
	}
	appendStringInfoChar(&b->sql, ')');
}

static void
append_in(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	WfNature	nature = WF_NATURE_STRING;
	int			choice = -1;
	Oid			type = UNKNOWNOID;

	if (append_expr_operand(b, op, column, operand))
		return;
	check_list(b, op, operand);
	if (column->n_path > 0)
	{
		if (operand.tpl->kind == WF_TEMPLATE_CONSTANT)
			nature = wf_query_list_nature(&operand.tpl->constant);
		else
			nature = wf_query_nature(b, &operand, true, WF_NATURE_STRING, &choice);
		type = wf_query_type(nature_type(nature))->array;
		appendStringInfo(&b->sql, "%s %s (", path_as(column, nature), op->sql);
	}
	else
	{
		if (column->type != UNKNOWNOID)
		{
			WfQueryType *own = wf_query_type(column->type);

			type = own->array;
			if (OidIsValid(own->element) || !OidIsValid(type))
			{
				append_in_each(b, op, column, operand);
				return;
			}
		}
		appendStringInfo(&b->sql, "%s %s (", column->sql, op->sql);
	}
	append_param(b, operand, type, WF_PICK_LIST, column->label, choice, nature, column->n_path > 0);
	appendStringInfoChar(&b->sql, ')');
}

static void
append_like(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	const char *sql = column->sql;

	if (column->n_path > 0)
		sql = path_sql(column, true);
	else if (column->type != UNKNOWNOID && wf_query_type(column->type)->category != TYPCATEGORY_STRING)
		sql = psprintf("%s::text", sql);
	appendStringInfo(&b->sql, "%s %s ", sql, op->sql);
	append_param(b, operand, TEXTOID, WF_PICK_VALUE, column->label, -1, WF_NATURE_ANY, false);
}

static void
append_between(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	bool		is_path = column->n_path > 0;
	WfNature	nature = WF_NATURE_ANY;
	int			choice = -1;
	Oid			type = column->type;
	const char *sql = column->sql;

	check_list(b, op, operand);
	if (operand.tpl->kind == WF_TEMPLATE_ARRAY || (wf_query_part_is_array(&operand) && wf_json_count(&operand.tpl->constant) != 2))
	{
		int			n;

		(void) wf_query_part_items(b, operand, &n);
		if (n != 2)
			wf_query_complain(b, operand.path, NULL, "\"between\" wants two values, not %d", n);
	}
	if (is_path)
	{
		if (operand.tpl->kind == WF_TEMPLATE_CONSTANT)
			nature = wf_query_list_nature(&operand.tpl->constant);
		else
			nature = wf_query_nature(b, &operand, true, WF_NATURE_NUMBER, &choice);
		type = nature_type(nature);
		sql = path_as(column, nature);
	}
	appendStringInfo(&b->sql, "%s BETWEEN ", sql);
	append_param(b, operand, type, WF_PICK_LOW, column->label, choice, nature, is_path);
	appendStringInfoString(&b->sql, " AND ");
	append_param(b, operand, type, WF_PICK_HIGH, column->label, choice, nature, is_path);
}

static void
append_is_null(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	const char *sql = column->n_path > 0 ? path_sql(column, true) : column->sql;

	if (operand.tpl->kind == WF_TEMPLATE_CONSTANT)
	{
		bool		wanted = true;

		(void) wf_query_part_bool(b, operand, "\"isNull\"", &wanted);
		appendStringInfo(&b->sql, "%s IS %sNULL", sql, wanted ? "" : "NOT ");
		return;
	}
	appendStringInfo(&b->sql, "(%s IS NULL) = ", sql);
	append_param(b, operand, BOOLOID, WF_PICK_FLAG, column->label, -1, WF_NATURE_ANY, false);
}

static bool
is_range(Oid type)
{
	char		kind = type == UNKNOWNOID ? '\0' : get_typtype(type);

	return kind == TYPTYPE_RANGE || kind == TYPTYPE_MULTIRANGE;
}

/* contains, containedBy, overlaps: on arrays, ranges, jsonb, and what else has the operators. */
static void
append_sets(WfBuild *b, const Operator *op, const WfColumn *column, WfConfigPart operand)
{
	Oid			type = column->type;
	WfPick		pick = WF_PICK_VALUE;
	const char *sql = column->sql;

	if (append_column_operand(b, op, column, operand) || append_expr_operand(b, op, column, operand))
		return;
	if (column->n_path > 0 || type == JSONBOID || type == JSONOID)
	{
		sql = column->n_path > 0 ? path_as(column, WF_NATURE_JSON)
			: type == JSONOID ? psprintf("%s::jsonb", sql) : sql;
		type = JSONBOID;
		pick = WF_PICK_RAW_JSON;
	}
	else if (is_range(type))
		pick = WF_PICK_SPAN;
	else if (type != UNKNOWNOID && OidIsValid(wf_query_type(type)->element))
		pick = WF_PICK_MEMBERS;
	else if (type != UNKNOWNOID && wf_query_type(type)->category == TYPCATEGORY_STRING && strcmp(op->name, "contains") == 0)
	{
		appendStringInfo(&b->sql, "strpos(%s, ", sql);
		append_param(b, operand, TEXTOID, pick, column->label, -1, WF_NATURE_ANY, false);
		appendStringInfoString(&b->sql, ") > 0");
		return;
	}
	appendStringInfo(&b->sql, "%s %s ", sql, op->sql);
	append_param(b, operand, type, pick, column->label, -1, WF_NATURE_ANY, false);
}

bool
wf_query_append_test(WfBuild *b, const char *operator_name, const WfColumn *column, WfConfigPart operand)
{
	const Operator *op = find_operator(operator_name);

	if (op == NULL)
		return false;
	op->append(b, op, column, operand);
	return true;
}
