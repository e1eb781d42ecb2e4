/*
 * array.c: the keywords of arrays.
 */
#include "postgres.h"

#include "base/compat.h"
#include "miscadmin.h"
#include "schema/schema_internal.h"
#include "utils/memutils.h"

/* `prefixItems` by position, `items` for the rest. */
bool
wf_schema_apply_items(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const JsonbValue *value,
					  const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaItems *items = check->data;
	WfSchemaPath step = {.parent = path};
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				element;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
	{
		const WfSchemaNode *item;

		step.index = it.index - 1;
		item = step.index < (uint32) items->prefix.n ? items->prefix.nodes[step.index] : items->rest;
		if (item == NULL)
			break;
		if (item == items->rest && item->is_boolean && !item->boolean)
		{
			wf_schema_report(e, node, "items", path, NULL, "must have at most %d %s", items->prefix.n,
							 items->prefix.n == 1 ? "item" : "items");
			return false;
		}
		if (wf_schema_evaluate(e, item, &element, &step, NULL))
		{
			if (seen != NULL)
				wf_schema_seen_mark(seen, step.index);
			continue;
		}
		valid = false;
		if (e->errors == NULL || list_length(*e->errors) >= e->most)
			break;
	}
	return valid;
}

static bool
report_contains(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaContains *contains, int64 count,
				const WfSchemaPath *path)
{
	if (count >= contains->min)
		wf_schema_report(e, node, "maxContains", path, NULL,
						 "must have at most " INT64_FORMAT " %s \"contains\"", contains->max,
						 contains->max == 1 ? "item that matches" : "items that match");
	else if (contains->has_min)
		wf_schema_report(e, node, "minContains", path, NULL,
						 "must have at least " INT64_FORMAT " %s \"contains\", not " INT64_FORMAT, contains->min,
						 contains->min == 1 ? "item that matches" : "items that match", count);
	else
		wf_schema_report(e, node, "contains", path, NULL, "must have an item that matches \"contains\"");
	return false;
}

bool
wf_schema_apply_contains(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
						 const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaContains *contains = check->data;
	WfSchemaPath step = {.parent = path};
	int64		count = 0;
	WfJsonIter	it;
	JsonbValue	key,
				element;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
	{
		step.index = it.index - 1;
		if (!wf_schema_test(e, contains->node, &element, &step, NULL))
			continue;
		count++;
		if (seen != NULL)
			wf_schema_seen_mark(seen, step.index);
		else if (contains->max < 0 && count >= contains->min)
			break;
		if (contains->max >= 0 && count > contains->max)
			break;
	}
	if (count >= contains->min && (contains->max < 0 || count <= contains->max))
		return true;
	return report_contains(e, node, contains, count, path);
}

static bool
report_count(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check, const WfSchemaPath *path,
			 const char *words)
{
	int64		bound = *(int64 *) check->data;

	wf_schema_report(e, node, check->keyword, path, NULL, "must have %s " INT64_FORMAT " %s", words, bound,
					 bound == 1 ? "item" : "items");
	return false;
}

bool
wf_schema_apply_min_items(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
						  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return wf_json_count(value) >= *(int64 *) check->data || report_count(e, node, check, path, "at least");
}

bool
wf_schema_apply_max_items(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
						  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	return wf_json_count(value) <= *(int64 *) check->data || report_count(e, node, check, path, "at most");
}

/* -- uniqueItems -- */

typedef struct HashSlot
{
	uint32		hash;
	uint32		index;			/* + 1; 0: free */
} HashSlot;

/*
 * Finds two equal elements by an open-addressing table of hashes; elements are fetched again only
 * when their hashes agree. True when there are two.
 */
static bool
find_equal(const JsonbValue *array, uint32 *first, uint32 *second)
{
	uint32		n = wf_json_count(array);
	Size		size = 16;
	HashSlot   *slots;
	WfJsonIter	it;
	JsonbValue	key,
				element,
				other;
	bool		found = false;

	while (size < (Size) n * 2)
		size *= 2;
	slots = MemoryContextAllocExtended(CurrentMemoryContext, size * sizeof(HashSlot),
									   MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	wf_json_iter_begin(&it, array);
	while (!found && wf_json_iter_next(&it, &key, &element))
	{
		uint32		hash = wf_schema_hash(&element);
		Size		slot = hash & (size - 1);

		CHECK_FOR_INTERRUPTS();
		for (; slots[slot].index != 0; slot = (slot + 1) & (size - 1))
		{
			if (slots[slot].hash != hash)
				continue;
			wf_json_element(array, slots[slot].index - 1, &other);
			if (wf_json_equal(&element, &other))
			{
				*first = slots[slot].index - 1;
				*second = it.index - 1;
				found = true;
				break;
			}
		}
		slots[slot].hash = hash;
		slots[slot].index = it.index;
	}
	pfree(slots);
	return found;
}

bool
wf_schema_apply_unique_items(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
							 const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	uint32		first,
				second;

	if (wf_json_count(value) < 2 || !find_equal(value, &first, &second))
		return true;
	wf_schema_report(e, node, "uniqueItems", path, NULL, "must have no two equal items, as items %u and %u are", first,
					 second);
	return false;
}

/* -- unevaluatedItems -- */

bool
wf_schema_apply_unevaluated_items(WfSchemaEval *e, const WfSchemaNode *node, const WfSchemaCheck *check,
								  const JsonbValue *value, const WfSchemaPath *path, WfSchemaSeen *seen)
{
	const WfSchemaNode *rest = check->data;
	WfSchemaPath step = {.parent = path};
	bool		valid = true;
	WfJsonIter	it;
	JsonbValue	key,
				element;

	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
	{
		step.index = it.index - 1;
		if (wf_schema_seen_has(seen, step.index))
			continue;
		if (rest->is_boolean && !rest->boolean)
			wf_schema_report(e, node, "unevaluatedItems", path, NULL, "must not have the item %u", step.index);
		else if (wf_schema_evaluate(e, rest, &element, &step, NULL))
		{
			wf_schema_seen_mark(seen, step.index);
			continue;
		}
		valid = false;
		if (e->errors == NULL || list_length(*e->errors) >= e->most)
			break;
	}
	return valid;
}
