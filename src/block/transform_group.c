/*
 * transform_group.c: the operations that look for order or equality among items: sort, unique, group,
 * aggregate.
 *
 * Keys are found once for each item and kept beside it; grouping goes through a hash table, so all
 * but sorting are linear. Sorting is stable, as JavaScript's is: equal keys keep the order of their
 * items. Sums and averages are PostgreSQL's numerics, exact whatever the size of the numbers.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/transform.h"
#include "miscadmin.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/numeric.h"

/* -- sort -- */

typedef struct SortKey
{
	const char *path;			/* NULL: the expression, or the item itself */
	bool		descending;
} SortKey;

typedef struct SortPlan
{
	int			n_keys;
	SortKey    *keys;
	JsonbValue *values;			/* n_keys for each item */
} SortPlan;

/* `name`, `name asc`, `name desc`. */
static void
read_sort_text(const char *text, bool descending, SortKey *key)
{
	const char *space = strrchr(text, ' ');

	key->path = text;
	key->descending = descending;
	if (space == NULL || (pg_strcasecmp(space + 1, "asc") != 0 && pg_strcasecmp(space + 1, "desc") != 0))
		return;
	key->path = pnstrdup(text, space - text);
	key->descending = pg_strcasecmp(space + 1, "desc") == 0;
}

/* The same, or `{field, direction}`. */
static void
read_sort_key(const JsonbValue *value, bool descending, SortKey *key)
{
	char	   *direction;

	if (wf_json_is_string(value))
	{
		read_sort_text(wf_json_cstring(value), descending, key);
		return;
	}
	key->path = wf_json_get_cstring(value, "field");
	key->descending = descending;
	direction = wf_json_get_cstring(value, "direction");
	if (key->path == NULL ||
		(direction != NULL && strcmp(direction, "asc") != 0 && strcmp(direction, "desc") != 0))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"by\" holds no sort key: %s", wf_text_clip(wf_json_text(value))),
						errhint("Write \"name\", \"name desc\" or {\"field\": \"name\", \"direction\": \"desc\"}.")));
	if (direction != NULL)
		key->descending = strcmp(direction, "desc") == 0;
}

static void
read_sort_keys(WfStep *step, const WfTransformPlan *plan, SortPlan *sort)
{
	JsonbValue	by;
	WfItems		list;

	if (plan->expression != NULL || !wf_block_config(step, "by", &by) || by.type == jbvNull)
	{
		sort->n_keys = 1;
		sort->keys = palloc0(sizeof(SortKey));
		sort->keys[0].descending = plan->descending;
		return;
	}
	if (!wf_json_is_array(&by))
	{
		sort->n_keys = 1;
		sort->keys = palloc0(sizeof(SortKey));
		read_sort_key(&by, plan->descending, &sort->keys[0]);
		return;
	}
	wf_block_items_of(&by, &list);
	sort->n_keys = list.n;
	sort->keys = palloc0(sizeof(SortKey) * Max(list.n, 1));
	for (int i = 0; i < list.n; i++)
		read_sort_key(&list.values[i], plan->descending, &sort->keys[i]);
}

/* Null and missing last, whatever the direction; equal ones in the order of the items. */
static int
compare_items(const void *a, const void *b, void *arg)
{
	const SortPlan *sort = arg;
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	CHECK_FOR_INTERRUPTS();
	for (int k = 0; k < sort->n_keys; k++)
	{
		const JsonbValue *x = &sort->values[(Size) left * sort->n_keys + k];
		const JsonbValue *y = &sort->values[(Size) right * sort->n_keys + k];
		int			order = wf_block_compare(x, y);

		if (order == 0)
			continue;
		if (sort->keys[k].descending && x->type != jbvNull && y->type != jbvNull)
			return -order;
		return order;
	}
	return left - right;
}

Jsonb *
wf_transform_sort(WfStep *step, const WfTransformPlan *plan)
{
	SortPlan	sort;
	WfItems		items;
	WfEach		each;
	int		   *order;
	JsonbValue *sorted;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	read_sort_keys(step, plan, &sort);
	sort.values = MemoryContextAllocHuge(CurrentMemoryContext,
										 sizeof(JsonbValue) * Max((Size) items.n * sort.n_keys, 1));
	order = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) items.n, 1));
	for (int i = 0; i < items.n; i++)
	{
		order[i] = i;
		for (int k = 0; k < sort.n_keys; k++)
		{
			JsonbValue *value = &sort.values[(Size) i * sort.n_keys + k];

			if (plan->expression != NULL)
				wf_transform_each_eval(&each, &items, i, plan->expression, value);
			else if (sort.keys[k].path == NULL)
				*value = items.values[i];
			else if (!wf_block_member(&items.values[i], sort.keys[k].path, value))
				wf_json_set_null(value);
		}
	}
	qsort_arg(order, items.n, sizeof(int), compare_items, &sort);
	sorted = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * Max((Size) items.n, 1));
	for (int i = 0; i < items.n; i++)
		sorted[i] = items.values[order[i]];
	return wf_block_items_output(sorted, items.n);
}

/* -- groups -- */

/* Which group each item is in, and the key of each group, in the order in which they appear. */
typedef struct Groups
{
	int			n;
	int		   *of_item;
	JsonbValue *keys;
} Groups;

static void
find_groups(const WfKeySpec *spec, WfEach *each, const WfItems *items, Groups *groups)
{
	WfKeyTable *table = wf_block_keys_begin(items->n);

	groups->n = 0;
	groups->of_item = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) items->n, 1));
	groups->keys = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * Max((Size) items->n, 1));
	for (int i = 0; i < items->n; i++)
	{
		bool		is_new;

		CHECK_FOR_INTERRUPTS();
		wf_transform_key(spec, each, items, i, &groups->keys[groups->n]);
		groups->of_item[i] = wf_block_keys_add(table, &groups->keys[groups->n], groups->n, &is_new);
		if (is_new)
			groups->n++;
	}
}

/* The first item of each group. */
Jsonb *
wf_transform_unique(WfStep *step, const WfTransformPlan *plan)
{
	WfKeySpec	spec;
	WfItems		items;
	WfEach		each;
	Groups		groups;
	int			n = 0;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	wf_transform_key_spec(step, plan, &spec);
	find_groups(&spec, &each, &items, &groups);
	for (int i = 0; i < items.n; i++)
	{
		if (groups.of_item[i] == n)
			items.values[n++] = items.values[i];
	}
	return wf_block_items_output(items.values, n);
}

/* Writes the members of a group's key: by name when it is made of members, else as `key`. */
static void
put_group_key(WfJsonWriter *w, const WfKeySpec *spec, const JsonbValue *key)
{
	if (spec->expression != NULL)
	{
		wf_json_put_field(w, "key", key);
		return;
	}
	if (spec->n == 1)
	{
		wf_json_put_field(w, spec->paths[0], key);
		return;
	}
	for (int k = 0; k < spec->n; k++)
	{
		JsonbValue	part;

		if (wf_json_element(key, k, &part))
			wf_json_put_field(w, spec->paths[k], &part);
	}
}

Jsonb *
wf_transform_group(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfKeySpec	spec;
	WfItems		items;
	WfEach		each;
	Groups		groups;
	int		   *first;
	int		   *next;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	wf_transform_key_spec(step, plan, &spec);
	find_groups(&spec, &each, &items, &groups);

	/* chains of items, each in its order */
	first = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) groups.n, 1));
	next = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max((Size) items.n, 1));
	memset(first, -1, sizeof(int) * groups.n);
	for (int i = items.n - 1; i >= 0; i--)
	{
		next[i] = first[groups.of_item[i]];
		first[groups.of_item[i]] = i;
	}
	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	for (int g = 0; g < groups.n; g++)
	{
		int64		count = 0;

		CHECK_FOR_INTERRUPTS();
		wf_json_begin_object(w);
		wf_json_key(w, "key", 3);
		if (spec.expression == NULL && spec.n > 1)
		{
			wf_json_begin_object(w);
			put_group_key(w, &spec, &groups.keys[g]);
			wf_json_end_object(w);
		}
		else
			wf_json_put(w, &groups.keys[g]);
		wf_json_key(w, "items", 5);
		wf_json_begin_array(w);
		for (int i = first[g]; i >= 0; i = next[i], count++)
			wf_json_put(w, &items.values[i]);
		wf_json_end_array(w);
		wf_json_put_field_int64(w, "count", count);
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
	wf_json_put_field_int64(w, "count", groups.n);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- aggregate -- */

typedef enum AggregateFn
{
	FN_SUM,
	FN_AVG,
	FN_MIN,
	FN_MAX,
	FN_COUNT,
} AggregateFn;

static const char *const fn_names[] = {"sum", "avg", "min", "max", "count"};

typedef struct Aggregate
{
	char	   *name;
	AggregateFn fn;
	char	   *field;			/* NULL: the item itself */
} Aggregate;

/* Of one aggregate in one group. */
typedef struct Total
{
	int64		count;			/* values that are not null */
	Numeric		sum;
	JsonbValue	best;
} Total;

static AggregateFn
find_fn(const char *name)
{
	for (int i = 0; i < lengthof(fn_names); i++)
	{
		if (name != NULL && strcmp(name, fn_names[i]) == 0)
			return i;
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown aggregate \"%s\"", name == NULL ? "" : wf_text_clip(name)),
					errhint("There are sum, avg, min, max and count.")));
}

/* `{"total": {"fn": "sum", "field": "amount"}}`, or `{"amount": "sum"}` for a field under its own name. */
static Aggregate *
read_aggregates(WfStep *step, int *n)
{
	JsonbValue	fields;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	Aggregate  *aggregates;

	wf_block_config(step, "fields", &fields);
	if (!wf_json_is_object(&fields))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("\"fields\" must be an object of aggregates by name, not %s", wf_json_type_name(&fields))));
	aggregates = palloc0(sizeof(Aggregate) * Max(wf_json_count(&fields), 1));
	*n = 0;
	wf_json_iter_begin(&it, &fields);
	while (wf_json_iter_next(&it, &key, &value))
	{
		Aggregate  *one = &aggregates[(*n)++];

		one->name = wf_json_cstring(&key);
		if (wf_json_is_string(&value))
		{
			one->fn = find_fn(wf_json_cstring(&value));
			one->field = one->name;
		}
		else
		{
			one->fn = find_fn(wf_json_get_cstring(&value, "fn"));
			one->field = wf_json_get_cstring(&value, "field");
		}
		if (one->fn == FN_COUNT && wf_json_is_string(&value))
			one->field = NULL;
	}
	return aggregates;
}

static void
add_to_total(const Aggregate *aggregate, Total *total, const JsonbValue *item, int index)
{
	JsonbValue	value = *item;
	Numeric		sum;

	if (aggregate->field != NULL && !wf_block_member(item, aggregate->field, &value))
		return;
	if (value.type == jbvNull)
		return;
	total->count++;
	if (aggregate->fn == FN_MIN || aggregate->fn == FN_MAX)
	{
		int			order = total->count == 1 ? 1 : wf_block_compare(&value, &total->best);

		if (total->count == 1 || (aggregate->fn == FN_MIN ? order < 0 : order > 0))
			total->best = value;
		return;
	}
	if (aggregate->fn == FN_COUNT)
		return;
	if (value.type != jbvNumeric)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("aggregate \"%s\" needs numbers, but \"%s\" of item %d is %s", fn_names[aggregate->fn],
							   aggregate->field == NULL ? "item" : aggregate->field, index, wf_json_type_name(&value))));
	if (total->sum == NULL)
	{
		total->sum = DatumGetNumericCopy(NumericGetDatum(value.val.numeric));
		return;
	}
	sum = DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(total->sum),
											  NumericGetDatum(value.val.numeric)));
	pfree(total->sum);
	total->sum = sum;
}

static void
put_total(WfJsonWriter *w, const Aggregate *aggregate, const Total *total)
{
	JsonbValue	number;

	wf_json_key(w, aggregate->name, strlen(aggregate->name));
	if (aggregate->fn == FN_COUNT || (aggregate->fn == FN_SUM && total->sum == NULL))
	{
		wf_json_put_int64(w, aggregate->fn == FN_COUNT ? total->count : 0);
		return;
	}
	if (total->count == 0)
	{
		wf_json_put_null(w);
		return;
	}
	if (aggregate->fn == FN_MIN || aggregate->fn == FN_MAX)
	{
		wf_json_put(w, &total->best);
		return;
	}
	number.type = jbvNumeric;
	number.val.numeric = total->sum;
	if (aggregate->fn == FN_AVG)
	{
		Datum		average = DirectFunctionCall2(numeric_div, NumericGetDatum(total->sum),
												  NumericGetDatum(int64_to_numeric(total->count)));

		number.val.numeric = DatumGetNumeric(DirectFunctionCall1(numeric_trim_scale, average));
	}
	wf_json_put(w, &number);
}

static void
put_totals(WfJsonWriter *w, const Aggregate *aggregates, int n, const Total *totals)
{
	for (int a = 0; a < n; a++)
		put_total(w, &aggregates[a], &totals[a]);
}

/* Without `by` one object as `value`; with it an object for each group. */
Jsonb *
wf_transform_aggregate(WfStep *step, const WfTransformPlan *plan)
{
	WfJsonWriter *w = wf_json_writer_begin();
	WfKeySpec	spec;
	WfItems		items;
	WfEach		each;
	Groups		groups = {.n = 1};
	Aggregate  *aggregates;
	int			n;
	Total	   *totals;
	bool		grouped;

	wf_block_items(step, "items", &items);
	wf_transform_each_begin(&each, step, &items);
	wf_transform_key_spec(step, plan, &spec);
	aggregates = read_aggregates(step, &n);
	grouped = spec.expression != NULL || spec.n > 0;
	if (grouped)
		find_groups(&spec, &each, &items, &groups);
	totals = MemoryContextAllocExtended(CurrentMemoryContext, sizeof(Total) * Max((Size) groups.n * n, 1),
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	for (int i = 0; i < items.n; i++)
	{
		Total	   *of_group = totals + (grouped ? (Size) groups.of_item[i] * n : 0);

		CHECK_FOR_INTERRUPTS();
		for (int a = 0; a < n; a++)
			add_to_total(&aggregates[a], &of_group[a], &items.values[i], i);
	}
	wf_json_begin_object(w);
	wf_json_key(w, grouped ? "items" : "value", 5);
	if (grouped)
		wf_json_begin_array(w);
	for (int g = 0; g < groups.n; g++)
	{
		wf_json_begin_object(w);
		if (grouped)
			put_group_key(w, &spec, &groups.keys[g]);
		put_totals(w, aggregates, n, totals + (Size) g * n);
		wf_json_end_object(w);
	}
	if (grouped)
	{
		wf_json_end_array(w);
		wf_json_put_field_int64(w, "count", groups.n);
	}
	wf_json_end_object(w);
	return wf_json_finish(w);
}
