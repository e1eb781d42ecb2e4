/*
 * bulk_text.c: the statement of a group of items.
 */
#include "query/bulk.h"

#include "utils/builtins.h"

static const char *
item_alias(const WfBulk *bulk)
{
	return strcmp(bulk->table->alias, "item") == 0 ? "given" : "item";
}

static const char *
item_column(const WfBulk *bulk, const WfBulkColumn *column)
{
	const char *sql = psprintf("%s.%s", item_alias(bulk), quote_identifier(column->column.name));

	if (!column->as_text)
		return sql;
	return psprintf("CAST(%s AS %s)", sql, format_type_be_qualified(column->type->oid));
}

/* ` FROM unnest($1, $2) AS item (a, b)`, after `keyword` */
static void
append_items(WfBulk *bulk, const WfBulkGroup *group, const char *keyword)
{
	StringInfo	sql = &bulk->build.sql;
	int			n = 0;

	appendStringInfo(sql, " %s unnest(", keyword);
	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL)
			appendStringInfo(sql, "%s$%d", n > 0 ? ", " : "", n + 1), n++;
	appendStringInfo(sql, ") AS %s (", item_alias(bulk));
	n = 0;
	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL)
			appendStringInfo(sql, "%s%s", n++ > 0 ? ", " : "", quote_identifier(bulk->columns[i].column.name));
	appendStringInfoChar(sql, ')');
}

/* ` WHERE t.id = item.id AND ...` */
static void
append_match(WfBulk *bulk, const WfBulkGroup *group)
{
	int			n = 0;

	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL && bulk->columns[i].is_key)
			appendStringInfo(&bulk->build.sql, "%s%s = %s", n++ > 0 ? " AND " : " WHERE ", bulk->columns[i].column.sql,
							 item_column(bulk, &bulk->columns[i]));
}

static void
append_on_conflict(WfBulk *bulk, const WfBulkGroup *group)
{
	StringInfo	sql = &bulk->build.sql;
	int			n = 0;

	if (strcmp(bulk->on_conflict, "error") == 0)
		return;
	appendStringInfoString(sql, " ON CONFLICT ");
	for (int i = 0; i < bulk->n_conflict; i++)
		appendStringInfo(sql, "%s%s%s", i > 0 ? ", " : "(", quote_identifier(bulk->conflict[i]),
						 i == bulk->n_conflict - 1 ? ") " : "");
	if (strcmp(bulk->on_conflict, "ignore") == 0)
	{
		appendStringInfoString(sql, "DO NOTHING");
		return;
	}
	appendStringInfoString(sql, "DO UPDATE SET ");
	for (int i = 0; i < bulk->n_columns; i++)
	{
		const char *name = quote_identifier(bulk->columns[i].column.name);
		bool		in_conflict = group->values[i] == NULL;

		for (int j = 0; j < bulk->n_conflict; j++)
			in_conflict = in_conflict || strcmp(bulk->conflict[j], bulk->columns[i].column.name) == 0;
		if (!in_conflict)
			appendStringInfo(sql, "%s%s = excluded.%s", n++ > 0 ? ", " : "", name, name);
	}
	if (n == 0)
		appendStringInfo(sql, "%s = excluded.%s", quote_identifier(bulk->conflict[0]),
						 quote_identifier(bulk->conflict[0]));
}

static void
append_create(WfBulk *bulk, const WfBulkGroup *group, int n_given)
{
	StringInfo	sql = &bulk->build.sql;
	int			n = 0;

	appendStringInfoString(sql, "INSERT INTO ");
	wf_query_append_table(&bulk->build, bulk->table);
	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL)
			appendStringInfo(sql, "%s%s", n++ > 0 ? ", " : " (", quote_identifier(bulk->columns[i].column.name));
	appendStringInfoString(sql, n_given > 0 ? ") SELECT " : " SELECT");
	n = 0;
	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL)
			appendStringInfo(sql, "%s%s", n++ > 0 ? ", " : "", item_column(bulk, &bulk->columns[i]));
	if (n_given > 0)
		append_items(bulk, group, "FROM");
	else
		appendStringInfoString(sql, " FROM generate_series(1, $1)");
	append_on_conflict(bulk, group);
}

static void
append_update(WfBulk *bulk, const WfBulkGroup *group)
{
	StringInfo	sql = &bulk->build.sql;
	int			n = 0;

	appendStringInfoString(sql, "UPDATE ");
	wf_query_append_table(&bulk->build, bulk->table);
	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL && !bulk->columns[i].is_key)
			appendStringInfo(sql, "%s%s = %s", n++ > 0 ? ", " : " SET ", quote_identifier(bulk->columns[i].column.name),
							 item_column(bulk, &bulk->columns[i]));
	if (n == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("items have nothing to set besides \"key\"")));
	append_items(bulk, group, "FROM");
	append_match(bulk, group);
}

void
wf_query_bulk_text(WfBulk *bulk, const WfBulkGroup *group, int n_given)
{
	resetStringInfo(&bulk->build.sql);
	switch (bulk->statement->kind)
	{
		case WF_QUERY_BULK_CREATE:
			append_create(bulk, group, n_given);
			break;
		case WF_QUERY_BULK_UPDATE:
			append_update(bulk, group);
			break;
		default:
			appendStringInfoString(&bulk->build.sql, "DELETE FROM ");
			wf_query_append_table(&bulk->build, bulk->table);
			append_items(bulk, group, "USING");
			append_match(bulk, group);
			break;
	}
	wf_query_append_returning(&bulk->build, bulk->table, false);
}
