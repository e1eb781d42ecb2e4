/*
 * write.c: db.create, db.update, db.upsert and db.delete as SQL.
 *
 * A member of `values` or `set` becomes a parameter of its column's type; a column that is not named
 * gets its default, one whose expression gives null gets NULL.
 *
 * db.upsert must tell whether it inserted. On a plain table the new row version says so (`xmax` is 0
 * unless an existing row was locked for the update). Where there is no such column to ask for
 * (views, partitioned and foreign tables) it is two statements: INSERT ... ON CONFLICT DO NOTHING, and an UPDATE
 * when that inserted nothing (run.c repeats the two when the row goes away in between).
 */
#include "query/internal.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rls.h"

/* -- returning -- */

/* In a dry run: may the rows be asked for although the definition does not? Not when that needs a right
 * that the statement itself does not. */
bool
wf_query_may_note(WfBuild *b, const WfQueryTable *table)
{
	return b->note_rows && !table->wild &&
		pg_class_aclcheck(table->relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(table->relid, InvalidOid, true) != RLS_ENABLED;
}

static void
append_returned_columns(WfBuild *b, WfQueryTable *table, WfConfigPart list)
{
	int			n;
	const char **names = wf_query_part_strings(b, list, "a column in \"returning\"", &n);

	for (int i = 0; i < n; i++)
	{
		WfColumn	column;

		appendStringInfoString(&b->sql, i == 0 ? " RETURNING " : ", ");
		if (wf_query_target(b, table, names[i], list.path, &column))
			appendStringInfoString(&b->sql, column.sql);
	}
	b->returns = n > 0;
}

void
wf_query_append_returning(WfBuild *b, WfQueryTable *table, bool by_default)
{
	WfConfigPart returning;
	bool		wanted = by_default;

	if (wf_query_part_config(b, "returning", &returning))
	{
		if (!wf_query_part_resolve(b, &returning))
			return;
		if (wf_query_part_is_array(&returning) ||
			(returning.tpl->kind == WF_TEMPLATE_CONSTANT && wf_json_is_string(&returning.tpl->constant)))
		{
			append_returned_columns(b, table, returning);
			if (b->returns)
				return;
			wanted = false;
		}
		else
			(void) wf_query_part_bool(b, returning, "\"returning\"", &wanted);
	}
	b->returns = wanted;
	/* which rights the role has is not for the next execution */
	b->dynamic = b->dynamic || (b->note_rows && !wanted);
	if (wanted || wf_query_may_note(b, table))
		appendStringInfo(&b->sql, " RETURNING %s.*", quote_identifier(table->alias));
}

/* -- values -- */

/* The one value of a column: an expression, or a parameter. */
void
wf_query_append_value(WfBuild *b, const WfColumn *column, WfConfigPart value, const char *label)
{
	if (wf_query_expr_at(b, value, label))
		return;
	(void) wf_query_param(b, value, column->type, WF_PICK_VALUE, label);
	appendStringInfo(&b->sql, "$%d", b->n_params);
}

/* `{"$inc": n}`; false when the value is something else. Of data it is one only for columns that can be added to. */
static bool
append_increment(WfBuild *b, const WfColumn *column, WfConfigPart value)
{
	WfConfigPart by;
	Oid			type = column->type;
	bool		is_number = type != UNKNOWNOID && wf_query_type(type)->category == TYPCATEGORY_NUMERIC;

	if (type == JSONBOID || type == JSONOID || !wf_query_part_is_special(b, value, "$inc", NULL, &by, NULL))
		return false;
	(void) wf_query_param(b, by, is_number ? type : UNKNOWNOID, WF_PICK_VALUE, column->label);
	appendStringInfo(&b->sql, "%s + $%d", column->sql, b->n_params);
	return true;
}

/* `a = $1, b = (...)`, without SET */
void
wf_query_append_set(WfBuild *b, WfQueryTable *table, WfConfigPart set)
{
	int			n = 0;
	int			n_added = 0;
	WfConfigField *fields = NULL;

	if (!wf_query_part_resolve(b, &set))
		return;
	if (!wf_query_part_is_object(&set))
		wf_query_complain(b, set.path, NULL, "\"set\" must be an object");
	else
		fields = wf_query_part_fields(b, set, &n);
	for (int i = 0; i < n; i++)
	{
		WfColumn	column;

		if (!wf_query_target(b, table, fields[i].key, fields[i].value.path, &column))
			continue;
		if (n_added++ > 0)
			appendStringInfoString(&b->sql, ", ");
		appendStringInfo(&b->sql, "%s = ", quote_identifier(column.name));
		if (!append_increment(b, &column, fields[i].value))
			wf_query_append_value(b, &column, fields[i].value, column.label);
	}
	if (n == 0 && fields != NULL)
		wf_query_complain(b, set.path, NULL, "\"set\" must not be empty");
}

/* The columns and values of an INSERT. */
typedef struct Values
{
	int			n;
	WfColumn   *columns;
	WfConfigPart *values;
} Values;

static void
take_values(WfBuild *b, WfQueryTable *table, Values *out)
{
	WfConfigPart values;
	WfConfigField *fields;
	int			n;

	memset(out, 0, sizeof(Values));
	if (!wf_query_part_config(b, "values", &values))
	{
		wf_query_complain(b, NULL, NULL, "\"values\" is missing");
		return;
	}
	if (!wf_query_part_resolve(b, &values))
		return;
	if (!wf_query_part_is_object(&values))
	{
		wf_query_complain(b, values.path, NULL, "\"values\" must be an object");
		return;
	}
	fields = wf_query_part_fields(b, values, &n);
	out->columns = palloc(sizeof(WfColumn) * (n + 1));
	out->values = palloc(sizeof(WfConfigPart) * (n + 1));
	for (int i = 0; i < n; i++)
	{
		if (!wf_query_target(b, table, fields[i].key, fields[i].value.path, &out->columns[out->n]))
			continue;
		out->values[out->n++] = fields[i].value;
	}
}

static void
append_insert(WfBuild *b, WfQueryTable *table, const Values *values)
{
	b->operation = "insert";
	appendStringInfoString(&b->sql, "INSERT INTO ");
	wf_query_append_table(b, table);
	if (values->n == 0)
	{
		appendStringInfoString(&b->sql, " DEFAULT VALUES");
		return;
	}
	for (int i = 0; i < values->n; i++)
		appendStringInfo(&b->sql, "%s%s", i == 0 ? " (" : ", ", quote_identifier(values->columns[i].name));
	for (int i = 0; i < values->n; i++)
	{
		appendStringInfoString(&b->sql, i == 0 ? ") VALUES (" : ", ");
		wf_query_append_value(b, &values->columns[i], values->values[i], values->columns[i].label);
	}
	appendStringInfoChar(&b->sql, ')');
}

void
wf_query_build_create(WfBuild *b)
{
	WfQueryTable *table = wf_query_config_table(b);
	Values		values;

	b->mode = WF_SINK_FIRST;
	take_values(b, table, &values);
	append_insert(b, table, &values);
	wf_query_append_returning(b, table, true);
}

/* -- update and delete -- */

void
wf_query_build_update(WfBuild *b)
{
	WfQueryTable *table = wf_query_config_table(b);
	WfConfigPart set;

	b->operation = "update";
	b->mode = WF_SINK_ROWS;
	appendStringInfoString(&b->sql, "UPDATE ");
	wf_query_append_table(b, table);
	appendStringInfoString(&b->sql, " SET ");
	if (wf_query_part_config(b, "set", &set))
		wf_query_append_set(b, table, set);
	else
		wf_query_complain(b, NULL, NULL, "\"set\" is missing");
	wf_query_append_where(b, true);
	wf_query_append_returning(b, table, b->statement->kind == WF_QUERY_UPDATE);
}

void
wf_query_build_delete(WfBuild *b)
{
	WfQueryTable *table = wf_query_config_table(b);

	b->operation = "delete";
	b->mode = WF_SINK_ROWS;
	appendStringInfoString(&b->sql, "DELETE FROM ");
	wf_query_append_table(b, table);
	wf_query_append_where(b, true);
	wf_query_append_returning(b, table, b->statement->kind == WF_QUERY_DELETE);
}

/* -- upsert -- */

static bool
is_conflict(const char *name, const char **conflict, int n_conflict)
{
	for (int i = 0; i < n_conflict; i++)
		if (strcmp(conflict[i], name) == 0)
			return true;
	return false;
}

/* What to set when `set` is not given: the values that are not part of the key; when there are none, a
 * column of the key as it is, so that the row is locked and returned. */
static void
append_excluded(WfBuild *b, const Values *values, const char **conflict, int n_conflict)
{
	int			n_added = 0;

	for (int i = 0; i < values->n; i++)
	{
		const char *name = quote_identifier(values->columns[i].name);

		if (is_conflict(values->columns[i].name, conflict, n_conflict))
			continue;
		appendStringInfo(&b->sql, "%s%s = excluded.%s", n_added++ > 0 ? ", " : "", name, name);
	}
	if (n_added == 0 && n_conflict > 0)
		appendStringInfo(&b->sql, "%s = excluded.%s", quote_identifier(conflict[0]), quote_identifier(conflict[0]));
}

/* Names of the key's columns, checked; each must be among the values. */
static const char **
take_conflict(WfBuild *b, WfQueryTable *table, const Values *values, int *n)
{
	WfConfigPart list;
	const char **names;

	*n = 0;
	if (!wf_query_part_config(b, "conflict", &list))
	{
		wf_query_complain(b, NULL, "Name the columns of a unique key of the table.", "\"conflict\" is missing");
		return NULL;
	}
	names = wf_query_part_strings(b, list, "a column in \"conflict\"", n);
	if (*n == 0 && !b->incomplete && b->n_complaints == 0)
		wf_query_complain(b, list.path, "Name the columns of a unique key of the table.",
						  "\"conflict\" must not be empty");
	for (int i = 0; i < *n; i++)
	{
		WfColumn	column;
		bool		given = false;

		if (wf_query_target(b, table, names[i], list.path, &column))
			names[i] = column.name;
		for (int j = 0; j < values->n; j++)
			given = given || strcmp(values->columns[j].name, names[i]) == 0;
		if (!given && b->in_two && !b->incomplete)
			wf_query_complain(b, list.path, NULL, "column \"%s\" of \"conflict\" is not in \"values\"", names[i]);
	}
	return names;
}

static void
append_conflict(WfBuild *b, const char **conflict, int n_conflict)
{
	appendStringInfoString(&b->sql, " ON CONFLICT (");
	for (int i = 0; i < n_conflict; i++)
		appendStringInfo(&b->sql, "%s%s", i > 0 ? ", " : "", quote_identifier(conflict[i]));
	appendStringInfoString(&b->sql, ") DO ");
}

static void
append_upsert_set(WfBuild *b, WfQueryTable *table, const Values *values, const char **conflict, int n_conflict)
{
	WfConfigPart set;

	if (wf_query_part_config(b, "set", &set))
		wf_query_append_set(b, table, set);
	else
		append_excluded(b, values, conflict, n_conflict);
}

/* The second of two statements: the values stand in a row named excluded, as in the first form. */
static void
append_second(WfBuild *b, WfQueryTable *table, const Values *values, const char **conflict, int n_conflict)
{
	StringInfoData names;

	initStringInfo(&names);
	appendStringInfoString(&b->sql, "UPDATE ");
	wf_query_append_table(b, table);
	appendStringInfoString(&b->sql, " SET ");
	append_upsert_set(b, table, values, conflict, n_conflict);
	appendStringInfoString(&b->sql, " FROM (SELECT ");
	for (int i = 0; i < values->n; i++)
	{
		appendStringInfoString(&b->sql, i > 0 ? ", " : "");
		wf_query_append_value(b, &values->columns[i], values->values[i], values->columns[i].label);
		appendStringInfo(&b->sql, " AS %s", quote_identifier(values->columns[i].name));
	}
	appendStringInfoString(&b->sql, ") AS excluded WHERE ");
	for (int i = 0; i < n_conflict; i++)
	{
		const char *name = pstrdup(quote_identifier(conflict[i]));

		appendStringInfo(&b->sql, "%s%s.%s = excluded.%s", i > 0 ? " AND " : "", quote_identifier(table->alias),
						 name, name);
	}
}

void
wf_query_build_upsert(WfBuild *b)
{
	WfQueryTable *table = wf_query_config_table(b);
	Values		values;
	const char **conflict;
	int			n_conflict;
	int			before;

	b->mode = WF_SINK_FIRST;
	b->in_two = table->kind != RELKIND_RELATION;
	take_values(b, table, &values);
	conflict = take_conflict(b, table, &values, &n_conflict);
	if (b->in_two && b->part == 1)
	{
		append_second(b, table, &values, conflict, n_conflict);
		b->operation = "update";
		wf_query_append_returning(b, table, true);
		return;
	}
	append_insert(b, table, &values);
	if (b->in_two && table->kind == RELKIND_FOREIGN_TABLE)
		appendStringInfoString(&b->sql, " ON CONFLICT DO ");	/* its keys are not known here */
	else
		append_conflict(b, conflict, n_conflict);
	if (b->in_two)
	{
		appendStringInfoString(&b->sql, "NOTHING");
		wf_query_append_returning(b, table, true);
		return;
	}
	appendStringInfoString(&b->sql, "UPDATE SET ");
	append_upsert_set(b, table, &values, conflict, n_conflict);
	b->operation = "upsert";
	before = b->sql.len;
	wf_query_append_returning(b, table, true);
	appendStringInfo(&b->sql, "%s (%s.xmax = 0) AS inserted", b->sql.len > before ? "," : " RETURNING",
					 quote_identifier(table->alias));
	b->flagged = true;
}
