/*
 * transform_items.c: the operations that take one item after another: map, filter, reduce, flatten,
 * pick, rename, limit, split, zip.
 */
#include "postgres.h"

#include "block/transform.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Opens `{"items": [`. */
static WfJsonWriter *
begin_items(void)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	return w;
}

static Jsonb *
end_items(WfJsonWriter *w, int64 count)
{
	wf_json_end_array(w);
	wf_json_put_field_int64(w, "count", count);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

Jsonb *
wf_transform_map(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = begin_items();
	int64		bytes = 0;
	WfItems		items;
	WfEach		each;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	for (int i = 0; i < items.n; i++)
	{
		JsonbValue	value;

		if (plan->expression != NULL)
			wf_transform_each_eval(&each, &items, i, plan->expression, &value);
		else
			wf_transform_each_fill(&each, &items, i, plan->fields, &value);
		bytes += wf_json_size(&value);
		wf_block_check_size(step, bytes);
		wf_json_put(w, &value);
	}
	return end_items(w, items.n);
}

Jsonb *
wf_transform_filter(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = begin_items();
	int64		kept = 0;
	WfItems		items;
	WfEach		each;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	for (int i = 0; i < items.n; i++)
	{
		if (!wf_transform_each_test(&each, &items, i, plan->expression))
			continue;
		wf_json_put(w, &items.values[i]);
		kept++;
	}
	return end_items(w, kept);
}

/* The accumulator is kept in two contexts in turn: the next one may be made of parts of the last. */
Jsonb *
wf_transform_reduce(WfStep *step, const WfTransformPlan *plan)
{
	MemoryContext memory[2];
	MemoryContext old;
	JsonbValue	value;
	WfItems		items;
	WfEach		each;
	int			first = 0;

	wf_block_items(step, "items", &items);
	if (!wf_block_config(step, "initial", &value) && items.n > 0)
		value = items.values[first++];
	for (int i = 0; i < 2; i++)
		memory[i] = AllocSetContextCreate(CurrentMemoryContext, "workflow accumulator", ALLOCSET_DEFAULT_SIZES);
	wf_transform_each_begin(&each, step, &items);
	each.scope.error = &value;
	for (int i = first; i < items.n; i++)
	{
		JsonbValue	next;

		MemoryContextReset(memory[i % 2]);
		old = MemoryContextSwitchTo(memory[i % 2]);
		wf_transform_each_eval(&each, &items, i, plan->expression, &next);
		MemoryContextSwitchTo(old);
		value = next;
		wf_block_check_size(step, wf_json_size(&value));
	}
	return wf_block_object1("value", &value);
}

/* -- flatten -- */

static void
flatten_into(WfStep *step, WfJsonWriter *w, const JsonbValue *value, int64 depth, int64 *count)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	element;

	check_stack_depth();
	CHECK_FOR_INTERRUPTS();
	if (depth <= 0 || !wf_json_is_array(value))
	{
		wf_json_put(w, value);
		(*count)++;
		return;
	}
	wf_json_iter_begin(&it, value);
	while (wf_json_iter_next(&it, &key, &element))
		flatten_into(step, w, &element, depth - 1, count);
}

Jsonb *
wf_transform_flatten(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = begin_items();
	int64		depth = wf_block_config_int(step, "depth", 1, 0, PG_INT32_MAX);
	char	   *by = wf_block_config_string(step, "by");
	int64		count = 0;
	WfItems		items;

	wf_block_items(step, "items", &items);
	for (int i = 0; i < items.n; i++)
	{
		JsonbValue	value = items.values[i];

		if (by != NULL && (!wf_block_member(&items.values[i], by, &value) || value.type == jbvNull))
			continue;
		flatten_into(step, w, &value, depth, &count);
	}
	return end_items(w, count);
}

/* -- pick, rename -- */

/* The name that a picked member has: the last part of its path. */
static const char *
last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL || dot[1] == '\0' ? path : dot + 1;
}

Jsonb *
wf_transform_pick(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = begin_items();
	char	  **names = NULL;
	int			n_names = wf_transform_names(step, "fields", &names);
	WfObjects	objects;
	WfItems		items;

	wf_block_items(step, "items", &items);
	wf_transform_objects_begin(&objects, w);
	for (int i = 0; i < items.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		wf_transform_object_begin(&objects);
		for (int k = 0; k < n_names; k++)
		{
			JsonbValue	value;
			bool		is_direct = wf_json_field(&items.values[i], names[k], &value);

			if (is_direct || wf_block_member(&items.values[i], names[k], &value))
				wf_json_put_field(objects.w, is_direct ? names[k] : last_part(names[k]), &value);
		}
		wf_transform_object_end(&objects);
	}
	return end_items(w, items.n);
}

/* Members keep their order of writing: what is renamed comes last and so wins over one of that name. */
static void
rename_members(WfJsonWriter *w, const JsonbValue *item, const JsonbValue *names)
{
	WfJsonIter	it;
	JsonbValue	key;
	JsonbValue	value;
	JsonbValue	name;

	for (int renamed = 0; renamed < 2; renamed++)
	{
		wf_json_iter_begin(&it, item);
		while (wf_json_iter_next(&it, &key, &value))
		{
			bool		found = wf_json_get(names, key.val.string.val, key.val.string.len, &name);

			if (found != (renamed == 1))
				continue;
			if (found)
				wf_json_key(w, name.val.string.val, name.val.string.len);
			else
				wf_json_key(w, key.val.string.val, key.val.string.len);
			wf_json_put(w, &value);
		}
	}
}

Jsonb *
wf_transform_rename(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = begin_items();
	JsonbValue	names;
	JsonbValue	key;
	JsonbValue	name;
	WfJsonIter	it;
	WfObjects	objects;
	WfItems		items;

	wf_block_config(step, "fields", &names);
	if (!wf_json_is_object(&names))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"fields\" must be an object of new names by old ones, not %s",
							   wf_json_type_name(&names))));
	wf_json_iter_begin(&it, &names);
	while (wf_json_iter_next(&it, &key, &name))
	{
		if (!wf_json_is_string(&name))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("the new name of \"%s\" must be a string, not %s", wf_json_cstring(&key),
								   wf_json_type_name(&name))));
	}
	wf_block_items(step, "items", &items);
	wf_transform_objects_begin(&objects, w);
	for (int i = 0; i < items.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!wf_json_is_object(&items.values[i]))
		{
			wf_json_put(w, &items.values[i]);
			continue;
		}
		wf_transform_object_begin(&objects);
		rename_members(objects.w, &items.values[i], &names);
		wf_transform_object_end(&objects);
	}
	return end_items(w, items.n);
}

Jsonb *
wf_transform_limit(WfStep *step, const WfTransformPlan *plan)
{
	int64		limit = wf_block_config_int(step, "limit", PG_INT64_MAX, 0, PG_INT64_MAX);
	int64		offset = wf_block_config_int(step, "offset", 0, 0, PG_INT64_MAX);
	WfItems		items;

	wf_block_items(step, "items", &items);
	offset = Min(offset, items.n);
	return wf_block_items_output(items.values + offset, (int) Min(limit, items.n - offset));
}

/* -- split -- */

static Jsonb *
split_by_size(WfStep *step, int64 size)
{
	WfJsonWriter *w = begin_items();
	int64		count = 0;
	WfItems		items;

	wf_block_items(step, "items", &items);
	for (int64 i = 0; i < items.n; i += size)
	{
		CHECK_FOR_INTERRUPTS();
		wf_json_begin_array(w);
		for (int64 k = i; k < Min(i + size, (int64) items.n); k++)
			wf_json_put(w, &items.values[k]);
		wf_json_end_array(w);
		count++;
	}
	return end_items(w, count);
}

/* One item for each element of the list in member `name`, with the other members beside it. */
static Jsonb *
split_by_member(WfStep *step, const char *name)
{
	WfJsonWriter *w = begin_items();
	int64		bytes = 0;
	int64		count = 0;
	WfObjects	objects;
	WfItems		items;

	wf_block_items(step, "items", &items);
	wf_transform_objects_begin(&objects, w);
	for (int i = 0; i < items.n; i++)
	{
		JsonbValue	list;
		JsonbValue	key;
		JsonbValue	element;
		WfJsonIter	it;

		if (!wf_json_field(&items.values[i], name, &list) || list.type == jbvNull)
			continue;
		if (!wf_json_is_array(&list))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("member \"%s\" of item %d must be an array, not %s", name, i,
								   wf_json_type_name(&list))));
		wf_json_iter_begin(&it, &list);
		while (wf_json_iter_next(&it, &key, &element))
		{
			CHECK_FOR_INTERRUPTS();
			bytes += wf_json_size(&items.values[i]) - wf_json_size(&list) + wf_json_size(&element);
			wf_block_check_size(step, bytes);
			wf_transform_object_begin(&objects);
			wf_block_put_members(objects.w, &items.values[i]);
			wf_json_put_field(objects.w, name, &element);
			wf_transform_object_end(&objects);
			count++;
		}
	}
	return end_items(w, count);
}

/* The parts of a string; an empty separator gives its characters. */
static Jsonb *
split_by_separator(WfStep *step, const char *separator)
{
	WfJsonWriter *w = begin_items();
	char	   *text = wf_block_config_string(step, "items");
	int			separator_len = strlen(separator);
	int64		count = 0;

	if (text == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"items\" must be a string to be split by a separator, not null")));
	while (*text != '\0' || separator_len > 0)
	{
		char	   *end = separator_len > 0 ? strstr(text, separator) : text + pg_mblen(text);
		JsonbValue	part;

		CHECK_FOR_INTERRUPTS();
		wf_json_set_string(&part, text, end == NULL ? (int) strlen(text) : (int) (end - text));
		wf_json_put(w, &part);
		count++;
		if (end == NULL)
			break;
		text = end + separator_len;
	}
	return end_items(w, count);
}

Jsonb *
wf_transform_split(WfStep *step, const WfTransformPlan *plan)
{
	char	   *separator = wf_block_config_string(step, "separator");
	char	   *by = wf_block_config_string(step, "by");

	if (separator != NULL)
		return split_by_separator(step, separator);
	if (by != NULL)
		return split_by_member(step, by);
	return split_by_size(step, wf_block_config_int(step, "size", 1, 1, PG_INT32_MAX));
}

/* -- zip -- */

/* The lists to zip: `items` and `with`, or the lists that `items` holds. */
static WfItems *
zip_lists(WfStep *step, int *n)
{
	JsonbValue	with;
	WfItems		items;
	WfItems    *lists;

	wf_block_items(step, "items", &items);
	if (wf_block_config(step, "with", &with) && with.type != jbvNull)
	{
		lists = palloc(sizeof(WfItems) * 2);
		lists[0] = items;
		wf_block_items(step, "with", &lists[1]);
		*n = 2;
		return lists;
	}
	lists = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(WfItems) * Max((Size) items.n, 1));
	for (int i = 0; i < items.n; i++)
	{
		if (!wf_json_is_array(&items.values[i]))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"items\" must hold lists to zip, but element %d is %s", i,
								   wf_json_type_name(&items.values[i])),
							errhint("Give the other list as \"with\".")));
		wf_block_items_of(&items.values[i], &lists[i]);
	}
	*n = items.n;
	return lists;
}

Jsonb *
wf_transform_zip(WfStep *step, const WfTransformPlan *plan)
{
	char	  **names = NULL;
	int			n_names = wf_transform_names(step, "fields", &names);
	int			n;
	WfItems    *lists = zip_lists(step, &n);
	WfJsonWriter *w = begin_items();
	JsonbValue	null;
	int			longest = 0;

	if (n_names > 0 && n_names != n)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"fields\" must name each of the %d lists, but has %d names", n, n_names)));
	wf_json_set_null(&null);
	for (int k = 0; k < n; k++)
		longest = Max(longest, lists[k].n);
	wf_block_check_size(step, (int64) longest * n * sizeof(JEntry));
	for (int i = 0; i < longest; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (n_names > 0)
			wf_json_begin_object(w);
		else
			wf_json_begin_array(w);
		for (int k = 0; k < n; k++)
		{
			if (n_names > 0)
				wf_json_key(w, names[k], strlen(names[k]));
			wf_json_put(w, i < lists[k].n ? &lists[k].values[i] : &null);
		}
		if (n_names > 0)
			wf_json_end_object(w);
		else
			wf_json_end_array(w);
	}
	return end_items(w, longest);
}
