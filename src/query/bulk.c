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
#include "query/internal.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* A column that some item has. */
typedef struct BulkColumn
{
	char	   *key;			/* as the items write it */
	int			key_len;
	WfColumn	column;
	WfQueryType *type;			/* bound to: the column's base type */
	Oid			array;			/* of the parameter */
	bool		as_text;
	bool		is_key;
	bool		significant;	/* leaving it out makes an item of another kind */
} BulkColumn;

/* Items that are one statement. */
typedef struct BulkGroup
{
	Bitmapset  *given;			/* significant columns that its items have */
	int			n_items;
	int			n_filled;
	Datum	  **values;			/* by column; NULL for columns that are no part of it */
	bool	  **nulls;
} BulkGroup;

typedef struct Bulk
{
	WfStatement *statement;
	WfBuild		build;
	WfQueryTable *table;
	int			n_keys;
	const char **keys;
	const char *on_conflict;	/* error, ignore, update */
	int			n_conflict;
	const char **conflict;
	int			n_columns;
	int			max_columns;
	BulkColumn *columns;
	int			n_groups;
	int			max_groups;
	BulkGroup  *groups;
	JsonbValue	items;
	int		   *group_of;		/* by item */
} Bulk;

/* -- the config -- */

static void
take_key(Bulk *bulk)
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
take_on_conflict(Bulk *bulk)
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
take_config(Bulk *bulk)
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
	Bulk		bulk = {.statement = statement};
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

/* -- columns of the items -- */

/* Would leaving the column out of an INSERT give anything but NULL? */
static bool
has_default(const WfQueryTable *table, int attnum)
{
	HeapTuple	tuple;
	Form_pg_attribute attribute;
	bool		result;

	if (table->kind == RELKIND_VIEW || table->kind == RELKIND_FOREIGN_TABLE)
		return true;
	tuple = SearchSysCache2(ATTNUM, ObjectIdGetDatum(table->relid), Int16GetDatum(attnum));
	if (!HeapTupleIsValid(tuple))
		return true;
	attribute = (Form_pg_attribute) GETSTRUCT(tuple);
	result = attribute->atthasdef || attribute->attidentity != '\0' || attribute->attgenerated != '\0' ||
		get_typdefault(attribute->atttypid) != NULL;
	ReleaseSysCache(tuple);
	return result;
}

static int
add_column(Bulk *bulk, const char *key, int key_len)
{
	BulkColumn *column;

	if (bulk->n_columns >= bulk->max_columns)
	{
		bulk->max_columns = bulk->max_columns == 0 ? 16 : bulk->max_columns * 2;
		bulk->columns = bulk->columns == NULL ? palloc(sizeof(BulkColumn) * bulk->max_columns)
			: repalloc(bulk->columns, sizeof(BulkColumn) * bulk->max_columns);
	}
	column = &bulk->columns[bulk->n_columns];
	memset(column, 0, sizeof(BulkColumn));
	column->key = pnstrdup(key, key_len);
	column->key_len = key_len;
	(void) wf_query_target(&bulk->build, bulk->table, column->key, NULL, &column->column);
	for (int i = 0; i < bulk->n_columns; i++)
		if (bulk->columns[i].column.attnum == column->column.attnum)
			ereport(ERROR, (errcode(ERRCODE_DUPLICATE_COLUMN),
							errmsg("column \"%s\" is given twice", column->column.name)));
	column->type = wf_query_type(column->column.type);
	column->as_text = OidIsValid(column->type->element) || column->type->bind == WF_BIND_COMPOSITE ||
		!OidIsValid(column->type->array);
	column->array = column->as_text ? TEXTARRAYOID : column->type->array;
	for (int i = 0; i < bulk->n_keys; i++)
		column->is_key = column->is_key || strcmp(bulk->keys[i], column->column.name) == 0;
	column->significant = bulk->statement->kind == WF_QUERY_BULK_CREATE
		? has_default(bulk->table, column->column.attnum) : bulk->statement->kind == WF_QUERY_BULK_UPDATE;
	return bulk->n_columns++;
}

/* The column of a key; items mostly have their keys in the same order, so `expected` is looked at first. */
static int
column_of(Bulk *bulk, const JsonbValue *key, int expected)
{
	for (int i = 0; i < bulk->n_columns; i++)
	{
		int			at = (expected + i) % bulk->n_columns;

		if (bulk->columns[at].key_len == key->val.string.len &&
			memcmp(bulk->columns[at].key, key->val.string.val, key->val.string.len) == 0)
			return at;
	}
	return add_column(bulk, key->val.string.val, key->val.string.len);
}

/* -- groups -- */

static int
group_of(Bulk *bulk, Bitmapset *given, int expected)
{
	for (int i = 0; i < bulk->n_groups; i++)
	{
		int			at = (expected + i) % bulk->n_groups;

		if (bms_equal(bulk->groups[at].given, given))
			return at;
	}
	if (bulk->n_groups >= bulk->max_groups)
	{
		bulk->max_groups = bulk->max_groups == 0 ? 4 : bulk->max_groups * 2;
		bulk->groups = bulk->groups == NULL ? palloc(sizeof(BulkGroup) * bulk->max_groups)
			: repalloc(bulk->groups, sizeof(BulkGroup) * bulk->max_groups);
	}
	memset(&bulk->groups[bulk->n_groups], 0, sizeof(BulkGroup));
	bulk->groups[bulk->n_groups].given = bms_copy(given);
	return bulk->n_groups++;
}

static bool
is_scalar_key(const Bulk *bulk, const JsonbValue *item)
{
	return bulk->statement->kind == WF_QUERY_BULK_DELETE && bulk->n_keys == 1 && !wf_json_is_object(item);
}

/* First pass: which columns there are, and which items are alike. */
static void
find_groups(Bulk *bulk)
{
	uint32		n_items = wf_json_count(&bulk->items);
	WfJsonIter	it;
	JsonbValue	ignored;
	JsonbValue	item;
	int			index = 0;
	int			group = 0;

	bulk->group_of = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * ((Size) n_items + 1));
	wf_json_iter_begin(&it, &bulk->items);
	while (wf_json_iter_next(&it, &ignored, &item))
	{
		Bitmapset  *given = NULL;
		WfJsonIter	members;
		JsonbValue	key;
		JsonbValue	value;
		int			expected = 0;

		CHECK_FOR_INTERRUPTS();
		if (is_scalar_key(bulk, &item))
		{
			if (bulk->n_columns == 0)
				(void) add_column(bulk, bulk->keys[0], strlen(bulk->keys[0]));
		}
		else if (!wf_json_is_object(&item))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("items[%d] must be an object, not %s", index, wf_json_type_name(&item))));
		else
		{
			wf_json_iter_begin(&members, &item);
			while (wf_json_iter_next(&members, &key, &value))
			{
				int			column = column_of(bulk, &key, expected);

				expected = column + 1;
				if (bulk->columns[column].significant)
					given = bms_add_member(given, column);
			}
		}
		group = group_of(bulk, given, group);
		bms_free(given);
		bulk->groups[group].n_items++;
		bulk->group_of[index++] = group;
	}
}

static bool
belongs(const Bulk *bulk, const BulkGroup *group, int column)
{
	if (bulk->statement->kind == WF_QUERY_BULK_DELETE)
		return bulk->columns[column].is_key;
	return !bulk->columns[column].significant || bms_is_member(column, group->given);
}

static void
allocate(Bulk *bulk)
{
	for (int g = 0; g < bulk->n_groups; g++)
	{
		BulkGroup  *group = &bulk->groups[g];

		group->values = palloc0(sizeof(Datum *) * (bulk->n_columns + 1));
		group->nulls = palloc0(sizeof(bool *) * (bulk->n_columns + 1));
		for (int i = 0; i < bulk->n_columns; i++)
		{
			if (!belongs(bulk, group, i))
				continue;
			group->values[i] = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(Datum) * (Size) group->n_items);
			group->nulls[i] = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(bool) * (Size) group->n_items);
			memset(group->nulls[i], true, group->n_items);
		}
	}
}

static void
bind_member(BulkGroup *group, const BulkColumn *column, int index, const JsonbValue *value)
{
	Datum		datum = wf_query_bind(column->type, -1, value, &group->nulls[index][group->n_filled]);

	if (column->as_text && !group->nulls[index][group->n_filled])
	{
		Oid			output;
		bool		is_varlena;

		getTypeOutputInfo(column->type->oid, &output, &is_varlena);
		datum = CStringGetTextDatum(OidOutputFunctionCall(output, datum));
	}
	group->values[index][group->n_filled] = datum;
}

typedef struct BindPlace
{
	int			item;
	const char *column;
} BindPlace;

static void
bind_context(void *arg)
{
	const BindPlace *place = arg;

	errcontext("items[%d], value for \"%s\"", place->item, place->column);
}

static void
missing_key(const Bulk *bulk, int item)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("items[%d] lacks a column of \"key\"", item),
					errhint("Each item must have all columns of \"key\".")));
}

static void
bind_item(Bulk *bulk, BulkGroup *group, int index, const JsonbValue *item, BindPlace *place)
{
	WfJsonIter	members;
	JsonbValue	key;
	JsonbValue	value;
	int			expected = 0;
	int			n_keys = 0;

	if (is_scalar_key(bulk, item))
	{
		for (int i = 0; i < bulk->n_columns; i++)
			if (bulk->columns[i].is_key)
			{
				place->column = bulk->columns[i].column.name;
				bind_member(group, &bulk->columns[i], i, item);
			}
		return;
	}
	wf_json_iter_begin(&members, item);
	while (wf_json_iter_next(&members, &key, &value))
	{
		int			column = column_of(bulk, &key, expected);

		expected = column + 1;
		n_keys += bulk->columns[column].is_key;
		place->column = bulk->columns[column].column.name;
		if (group->values[column] != NULL)
			bind_member(group, &bulk->columns[column], column, &value);
	}
	if (n_keys < bulk->n_keys)
		missing_key(bulk, index);
}

/* Second pass: the values of each group, column by column. */
static void
bind_items(Bulk *bulk)
{
	BindPlace	place = {0, ""};
	ErrorContextCallback callback = {.previous = error_context_stack, .callback = bind_context, .arg = &place};
	WfJsonIter	it;
	JsonbValue	ignored;
	JsonbValue	item;

	allocate(bulk);
	error_context_stack = &callback;
	wf_json_iter_begin(&it, &bulk->items);
	while (wf_json_iter_next(&it, &ignored, &item))
	{
		BulkGroup  *group = &bulk->groups[bulk->group_of[place.item]];

		CHECK_FOR_INTERRUPTS();
		bind_item(bulk, group, place.item, &item, &place);
		group->n_filled++;
		place.item++;
	}
	error_context_stack = callback.previous;
}

/* -- the statement of a group -- */

static const char *
item_alias(const Bulk *bulk)
{
	return strcmp(bulk->table->alias, "item") == 0 ? "given" : "item";
}

static const char *
item_column(const Bulk *bulk, const BulkColumn *column)
{
	const char *sql = psprintf("%s.%s", item_alias(bulk), quote_identifier(column->column.name));

	if (!column->as_text)
		return sql;
	return psprintf("CAST(%s AS %s)", sql, format_type_be_qualified(column->type->oid));
}

/* ` FROM unnest($1, $2) AS item (a, b)`, after `keyword` */
static void
append_items(Bulk *bulk, const BulkGroup *group, const char *keyword)
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
append_match(Bulk *bulk, const BulkGroup *group)
{
	int			n = 0;

	for (int i = 0; i < bulk->n_columns; i++)
		if (group->values[i] != NULL && bulk->columns[i].is_key)
			appendStringInfo(&bulk->build.sql, "%s%s = %s", n++ > 0 ? " AND " : " WHERE ", bulk->columns[i].column.sql,
							 item_column(bulk, &bulk->columns[i]));
}

static void
append_on_conflict(Bulk *bulk, const BulkGroup *group)
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
append_create(Bulk *bulk, const BulkGroup *group, int n_given)
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
append_update(Bulk *bulk, const BulkGroup *group)
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

static void
append_statement(Bulk *bulk, const BulkGroup *group, int n_given)
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

/* -- running -- */

static ParamListInfo
group_params(Bulk *bulk, BulkGroup *group, int n_given, Oid *types)
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
		BulkColumn *column = &bulk->columns[i];
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
run_group(Bulk *bulk, BulkGroup *group, WfRowSink *sink)
{
	int			n_given = 0;
	Oid		   *types;
	ParamListInfo params;
	WfPlan	   *plan;

	for (int i = 0; i < bulk->n_columns; i++)
		n_given += group->values[i] != NULL;
	types = palloc0(sizeof(Oid) * (n_given + 1));
	params = group_params(bulk, group, n_given, types);
	append_statement(bulk, group, n_given);
	plan = wf_query_plan_shared(bulk->build.sql.data, Max(n_given, 1), types, bulk->build.relations, InvalidOid);
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
	Bulk		bulk = {.statement = statement};
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
	find_groups(&bulk);
	bind_items(&bulk);
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
