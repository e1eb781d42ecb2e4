/*
 * bulk.c: db.bulkCreate, db.bulkUpdate and db.bulkDelete with `items`.
 *
 * All items that are alike are one statement: each column is one array parameter, and the statement
 * reads them side by side,
 *
 *	INSERT INTO t (a, b) SELECT item.a, item.b FROM unnest($1, $2) AS item (a, b)
 *
 * Which items are alike:
 *	bulkCreate: those that leave out the same columns of those that have a default (of the column, of its type, an
 *		identity; any column of a view or a foreign table, whose defaults are not known here). A
 *		column without a default that an item leaves out is NULL, as in an INSERT of its own.
 *	bulkUpdate: those with the same keys; what an item leaves out stays as it is.
 *	bulkDelete: all.
 * So a list of a hundred thousand like items is one statement. Groups run in the order of their first items.
 *
 * unnest takes arrays apart to the last dimension and composites into their columns; columns of such
 * types go as text and are cast in the statement.
 *
 * Texts depend on the items, so plans come from the shared cache.
 */
#include "query/bulk.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"

/* -- the config -- */

static void
take_key(WfBulk *bulk)
{
	WfBuild    *b = &bulk->build;
	WfConfigPart list;

	if (!wf_query_part_config(b, "key", &list))
	{
		wf_query_complain(b, NULL, "Name the columns that say which row an item is about.", "\"key\" is missing");
		return;
	}
	bulk->keys = wf_query_part_strings(b, list, "a column in \"key\"", &bulk->n_keys);
	if (bulk->n_keys == 0 && !b->incomplete && b->n_complaints == 0)
		wf_query_complain(b, list.path, NULL, "\"key\" must not be empty");
	for (int i = 0; i < bulk->n_keys; i++)
	{
		WfColumn	column;

		if (wf_query_target(b, bulk->table, bulk->keys[i], list.path, &column))
			bulk->keys[i] = column.name;
	}
}

static void
take_on_conflict(WfBulk *bulk)
{
	WfBuild    *b = &bulk->build;
	WfConfigPart member;
	const char *name = NULL;

	bulk->on_conflict = "error";
	if (wf_query_part_config(b, "onConflict", &member))
		name = wf_query_part_string(b, member, "\"onConflict\"");
	if (name != NULL && strcmp(name, "error") != 0 && strcmp(name, "ignore") != 0 && strcmp(name, "update") != 0)
		wf_query_complain(b, member.path, "It is one of error, ignore, update.", "unknown \"onConflict\": \"%s\"",
						  wf_text_clip(name));
	else if (name != NULL)
		bulk->on_conflict = name;
	if (wf_query_part_config(b, "conflict", &member))
	{
		bulk->conflict = wf_query_part_strings(b, member, "a column in \"conflict\"", &bulk->n_conflict);
		for (int i = 0; i < bulk->n_conflict; i++)
		{
			WfColumn	column;

			if (wf_query_target(b, bulk->table, bulk->conflict[i], member.path, &column))
				bulk->conflict[i] = column.name;
		}
	}
	if (strcmp(bulk->on_conflict, "update") == 0 && bulk->n_conflict == 0 && !b->incomplete && b->n_complaints == 0)
		wf_query_complain(b, NULL, "Name the columns of a unique key of the table.",
						  "\"conflict\" is missing: \"onConflict\" is \"update\"");
}

static void
take_config(WfBulk *bulk)
{
	WfBuild    *b = &bulk->build;
	WfQueryKind kind = bulk->statement->kind;

	bulk->table = wf_query_config_table(b);
	if (kind == WF_QUERY_BULK_CREATE)
		take_on_conflict(bulk);
	else
		take_key(bulk);
	b->mode = WF_SINK_ROWS;
	b->operation = kind == WF_QUERY_BULK_CREATE ? "insert" : kind == WF_QUERY_BULK_UPDATE ? "update" : "delete";
}

/* Forms without items, and what can be said of one with items before it runs. */
void
wf_query_build_bulk(WfBuild *b)
{
	WfStatement *statement = b->statement;
	WfBulk		bulk = {.statement = statement};
	WfConfigPart where;

	if (!statement->by_items && statement->kind == WF_QUERY_BULK_UPDATE)
	{
		wf_query_build_update(b);
		return;
	}
	if (!statement->by_items && statement->kind == WF_QUERY_BULK_DELETE)
	{
		wf_query_build_delete(b);
		return;
	}
	if (!statement->by_items)
		wf_query_complain(b, NULL, NULL, "\"items\" is missing");
	else if (wf_query_part_config(b, "where", &where))
		wf_query_complain(b, where.path, NULL, "\"where\" and \"items\" exclude each other");
	bulk.build = *b;
	take_config(&bulk);
	*b = bulk.build;
	appendStringInfo(&b->sql, "%s %s ... FROM unnest(...) AS item (...)",
					 statement->kind == WF_QUERY_BULK_CREATE ? "INSERT INTO"
					 : statement->kind == WF_QUERY_BULK_UPDATE ? "UPDATE" : "DELETE FROM", bulk.table->name);
}

/* -- running -- */

static ParamListInfo
group_params(WfBulk *bulk, WfBulkGroup *group, int n_given, Oid *types)
{
	ParamListInfo params = makeParamList(Max(n_given, 1));
	int			n = 0;

	if (n_given == 0)
	{
		types[0] = INT4OID;
		params->params[0] = (ParamExternData) {Int32GetDatum(group->n_items), false, PARAM_FLAG_CONST, INT4OID};
	}
	for (int i = 0; i < bulk->n_columns; i++)
	{
		WfBulkColumn *column = &bulk->columns[i];
		Datum		array;

		if (group->values[i] == NULL)
			continue;
		array = wf_query_bind_list(column->as_text ? wf_query_type(TEXTOID) : column->type, group->n_items,
								   group->values[i], group->nulls[i]);
		types[n] = column->array;
		params->params[n++] = (ParamExternData) {array, false, PARAM_FLAG_CONST, column->array};
	}
	return params;
}

static void
run_group(WfBulk *bulk, WfBulkGroup *group, WfRowSink *sink)
{
	int			n_given = 0;
	Oid		   *types;
	ParamListInfo params;
	WfPlan	   *plan;

	for (int i = 0; i < bulk->n_columns; i++)
		n_given += group->values[i] != NULL;
	types = palloc0(sizeof(Oid) * (n_given + 1));
	params = group_params(bulk, group, n_given, types);
	wf_query_bulk_text(bulk, group, n_given);
	plan = wf_query_plan_shared(bulk->build.sql.data, bulk->statement->search_path, Max(n_given, 1), types,
								bulk->build.relations, InvalidOid);
	plan->n_users++;
	PG_TRY();
	{
		wf_query_plan_run(plan, params, sink);
	}
	PG_FINALLY();
	{
		wf_query_plan_release(plan);
	}
	PG_END_TRY();
}

void
wf_query_execute_bulk(WfStatement *statement, WfScope *scope, bool note_rows, WfQueryResult *result)
{
	WfBulk		bulk = {.statement = statement};
	WfConfigPart items;
	WfRowSink	sink;
	WfRan		ran;
	uint64		processed = 0;

	wf_query_build_begin(&bulk.build, statement);
	bulk.build.scope = scope;
	bulk.build.note_rows = note_rows;
	take_config(&bulk);
	(void) wf_query_part_config(&bulk.build, "items", &items);
	if (items.tpl->kind == WF_TEMPLATE_CONSTANT)
		bulk.items = items.tpl->constant;
	else
		wf_template_eval(items.tpl, scope, &bulk.items);
	if (!wf_json_is_array(&bulk.items))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"items\" must be an array, not %s", wf_json_type_name(&bulk.items))));
	wf_query_bulk_group(&bulk);
	wf_query_bulk_bind(&bulk);
	/* says what is returned, whether or not there is an item */
	wf_query_append_returning(&bulk.build, bulk.table, false);
	wf_query_sink_begin(&sink, WF_SINK_ROWS);
	for (int i = 0; i < bulk.n_groups; i++)
	{
		CHECK_FOR_INTERRUPTS();
		run_group(&bulk, &bulk.groups[i], &sink);
		processed += sink.processed;
	}
	sink.processed = processed;
	ran = (WfRan) {WF_SINK_ROWS, bulk.build.returns, false, bulk.table->display, bulk.build.operation};
	wf_query_result_set(statement->kind, &sink, &ran, false, note_rows, result);
}
