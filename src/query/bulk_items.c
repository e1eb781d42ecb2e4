/*
 * bulk_items.c: the items of a bulk statement as arrays, one for each column and group.
 *
 * Two passes over the items, which are borrowed: the first sees which columns there are and which
 * items are alike, the second binds each value to its column's type. Items mostly have the same members in the same
 * order, so each look-up begins where the last one ended.
 */
#include "query/bulk.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

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
add_column(WfBulk *bulk, const char *key, int key_len)
{
	WfBulkColumn *column;

	if (bulk->n_columns >= bulk->max_columns)
	{
		bulk->max_columns = bulk->max_columns == 0 ? 16 : bulk->max_columns * 2;
		bulk->columns = bulk->columns == NULL ? palloc(sizeof(WfBulkColumn) * bulk->max_columns)
			: repalloc(bulk->columns, sizeof(WfBulkColumn) * bulk->max_columns);
	}
	column = &bulk->columns[bulk->n_columns];
	memset(column, 0, sizeof(WfBulkColumn));
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
column_of(WfBulk *bulk, const JsonbValue *key, int expected)
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
group_of(WfBulk *bulk, Bitmapset *given, int expected)
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
		bulk->groups = bulk->groups == NULL ? palloc(sizeof(WfBulkGroup) * bulk->max_groups)
			: repalloc(bulk->groups, sizeof(WfBulkGroup) * bulk->max_groups);
	}
	memset(&bulk->groups[bulk->n_groups], 0, sizeof(WfBulkGroup));
	bulk->groups[bulk->n_groups].given = bms_copy(given);
	return bulk->n_groups++;
}

static bool
is_scalar_key(const WfBulk *bulk, const JsonbValue *item)
{
	return bulk->statement->kind == WF_QUERY_BULK_DELETE && bulk->n_keys == 1 && !wf_json_is_object(item);
}

void
wf_query_bulk_group(WfBulk *bulk)
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
belongs(const WfBulk *bulk, const WfBulkGroup *group, int column)
{
	if (bulk->statement->kind == WF_QUERY_BULK_DELETE)
		return bulk->columns[column].is_key;
	return !bulk->columns[column].significant || bms_is_member(column, group->given);
}

static void
allocate(WfBulk *bulk)
{
	for (int g = 0; g < bulk->n_groups; g++)
	{
		WfBulkGroup  *group = &bulk->groups[g];

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
bind_member(WfBulkGroup *group, const WfBulkColumn *column, int index, const JsonbValue *value)
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
missing_key(const WfBulk *bulk, int item)
{
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("items[%d] lacks a column of \"key\"", item),
					errhint("Each item must have all columns of \"key\".")));
}

static void
bind_item(WfBulk *bulk, WfBulkGroup *group, int index, const JsonbValue *item, BindPlace *place)
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

void
wf_query_bulk_bind(WfBulk *bulk)
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
		WfBulkGroup  *group = &bulk->groups[bulk->group_of[place.item]];

		CHECK_FOR_INTERRUPTS();
		bind_item(bulk, group, place.item, &item, &place);
		group->n_filled++;
		place.item++;
	}
	error_context_stack = callback.previous;
}
