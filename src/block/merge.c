/*
 * merge.c: joins of several branches, and what is gathered over several rounds: merge, collect.
 *
 * Every node joins its incoming edges; `merge` says what becomes of their values. Arrivals are taken
 * in the order in which their sources stand in the definition, so that the result does not depend on
 * which branch was run first; only `any` and `nOf`, which need not wait for all, go by who came first.
 *
 * Where a list is wanted (append, keyed with a key), an output that is a list, or the usual object
 * around one (`items`, `rows`, `results`), gives its elements; any other output is one element.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/keys.h"
#include "block/support.h"
#include "miscadmin.h"

typedef enum MergeMode
{
	MERGE_APPEND,
	MERGE_COMBINE,
	MERGE_KEYED,
	MERGE_CHOOSE,
	MERGE_ANY,
	MERGE_N_OF,
} MergeMode;

static const char *const merge_modes[] = {"append", "combine", "keyed", "choose", "any", "nOf"};

typedef struct MergePlan
{
	MergeMode	mode;
	int64		n;				/* nOf */
} MergePlan;

static const char *const out_ports[] = {"out", NULL};

static void
merge_validate(const WfNode *node, WfDiagnostics *found)
{
	JsonbValue	value;
	bool		is_n_of = wf_block_fixed_is(node, "mode", "append", "nOf");
	bool		takes_key = wf_block_fixed_is(node, "mode", "append", "keyed") ||
		wf_block_fixed_is(node, "mode", "append", "choose");

	if (is_n_of && !wf_block_fixed(node, "n", &value))
		wf_block_report(node, found, "", NULL, "missing required key \"n\" of mode \"nOf\"");
	if (!is_n_of && wf_block_fixed(node, "n", &value))
		wf_block_report(node, found, "n", NULL, "\"n\" goes with mode \"nOf\" only");
	if (!takes_key && wf_block_fixed(node, "key", &value))
		wf_block_report(node, found, "key", NULL, "\"key\" goes with the modes \"keyed\" and \"choose\" only");
}

static void *
merge_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	MergePlan  *plan = palloc0(sizeof(MergePlan));
	JsonbValue	n;

	for (int i = 0; i < lengthof(merge_modes); i++)
	{
		if (wf_block_fixed_is(node, "mode", "append", merge_modes[i]))
			plan->mode = i;
	}
	plan->n = 1;
	if (plan->mode == MERGE_N_OF && wf_block_fixed(node, "n", &n))
	{
		(void) wf_json_int64(&n, &plan->n);
		if (plan->n > node->n_in)
			wf_block_report(node, found, "n", NULL, "\"n\" is " INT64_FORMAT ", but only %d edges come in", plan->n,
							node->n_in);
	}
	return plan;
}

static bool
merge_ready(const WfNode *node, int n_arrivals, int n_pending)
{
	const WfPrepared *prepared = node->prepared;
	const MergePlan *plan = prepared->own;

	if (n_pending == 0)
		return n_arrivals > 0;
	if (plan->mode == MERGE_ANY || plan->mode == MERGE_N_OF)
		return n_arrivals >= plan->n;
	return false;
}

/* -- what arrived -- */

static int
compare_arrivals(const void *a, const void *b)
{
	const WfArrival *left = *(const WfArrival *const *) a;
	const WfArrival *right = *(const WfArrival *const *) b;

	if (left->source->index != right->source->index)
		return left->source->index > right->source->index ? 1 : -1;
	return left > right ? 1 : (left < right ? -1 : 0);
}

/* The arrivals in the order of the definition, each source once. */
static const WfArrival **
arrivals_in_order(const WfStep *step, int *n)
{
	const WfArrival **ordered = palloc(sizeof(WfArrival *) * Max(step->n_arrivals, 1));

	for (int i = 0; i < step->n_arrivals; i++)
		ordered[i] = &step->arrivals[i];
	qsort(ordered, step->n_arrivals, sizeof(WfArrival *), compare_arrivals);
	*n = 0;
	for (int i = 0; i < step->n_arrivals; i++)
	{
		if (*n == 0 || ordered[*n - 1]->source != ordered[i]->source)
			ordered[(*n)++] = ordered[i];
	}
	return ordered;
}

/* The list that an output is or holds; false when it is one element. */
static bool
find_list(const JsonbValue *output, JsonbValue *list)
{
	static const char *const names[] = {"items", "rows", "results"};

	if (wf_json_is_array(output))
	{
		*list = *output;
		return true;
	}
	for (int i = 0; i < lengthof(names); i++)
	{
		if (wf_json_field(output, names[i], list) && wf_json_is_array(list))
			return true;
	}
	return false;
}

/* All elements of all arrivals. */
static JsonbValue *
gather_items(const WfArrival **arrivals, int n, int *n_items)
{
	JsonbValue	list;
	JsonbValue	key;
	JsonbValue *items;
	Size		total = 0;

	for (int i = 0; i < n; i++)
		total += find_list(&arrivals[i]->output, &list) ? wf_json_count(&list) : 1;
	items = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * Max(total, 1));
	*n_items = 0;
	for (int i = 0; i < n; i++)
	{
		WfJsonIter	it;

		CHECK_FOR_INTERRUPTS();
		if (!find_list(&arrivals[i]->output, &list))
		{
			items[(*n_items)++] = arrivals[i]->output;
			continue;
		}
		wf_json_iter_begin(&it, &list);
		while (wf_json_iter_next(&it, &key, &items[*n_items]))
			(*n_items)++;
	}
	return items;
}

/* -- the modes -- */

static Jsonb *
items_object(const JsonbValue *items, int n)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put(w, &items[i]);
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
merge_append(const WfArrival **arrivals, int n)
{
	int			n_items;
	JsonbValue *items = gather_items(arrivals, n, &n_items);

	return items_object(items, n_items);
}

/* One object with the members of all; of equal keys the last wins. */
static Jsonb *
merge_combine(const WfArrival **arrivals, int n)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "value", 5);
	wf_json_begin_object(w);
	for (int i = 0; i < n; i++)
	{
		if (!wf_json_is_object(&arrivals[i]->output))
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mode \"combine\" merges objects, but node \"%s\" gave %s", arrivals[i]->source->id,
								   wf_json_type_name(&arrivals[i]->output)),
							errhint("Use mode \"append\" or \"keyed\".")));
		wf_block_put_members(w, &arrivals[i]->output);
	}
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Elements with the same key become one; those without the key stay as they are. */
static Jsonb *
merge_by_key(const WfArrival **arrivals, int n, const char *key)
{
	int			n_items;
	JsonbValue *items = gather_items(arrivals, n, &n_items);
	WfKeyTable *table = wf_block_keys_begin(n_items);
	WfJsonWriter **groups = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(WfJsonWriter *) * Max((Size) n_items, 1));
	JsonbValue *result = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(JsonbValue) * Max((Size) n_items, 1));
	int			n_result = 0;

	for (int i = 0; i < n_items; i++)
	{
		JsonbValue	value;
		bool		is_new;
		int			at;

		CHECK_FOR_INTERRUPTS();
		if (!wf_json_field(&items[i], key, &value) || value.type == jbvNull)
		{
			groups[n_result] = NULL;
			result[n_result++] = items[i];
			continue;
		}
		at = wf_block_keys_add(table, &value, n_result, &is_new);
		if (is_new)
		{
			groups[n_result] = wf_json_writer_begin();
			wf_json_begin_object(groups[n_result++]);
		}
		wf_block_put_members(groups[at], &items[i]);
	}
	for (int i = 0; i < n_result; i++)
	{
		if (groups[i] == NULL)
			continue;
		wf_json_end_object(groups[i]);
		wf_json_root(wf_json_finish(groups[i]), &result[i]);
	}
	return items_object(result, n_result);
}

static Jsonb *
merge_by_source(const WfArrival **arrivals, int n)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "value", 5);
	wf_json_begin_object(w);
	for (int i = 0; i < n; i++)
		wf_json_put_field(w, arrivals[i]->source->id, &arrivals[i]->output);
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* The output of the node named by `key`, else of the first. */
static Jsonb *
merge_choose(const WfArrival **arrivals, int n, const char *key)
{
	const WfArrival *chosen = arrivals[0];

	for (int i = 0; key != NULL && i < n; i++)
	{
		const WfNode *source = arrivals[i]->source;

		if (strcmp(source->id, key) == 0 || (source->name != NULL && strcmp(source->name, key) == 0))
			chosen = arrivals[i];
	}
	return wf_block_object1("value", &chosen->output);
}

/* The first n that came, each as one element. */
static Jsonb *
merge_n_of(const WfStep *step, int64 n)
{
	WfJsonWriter *w;

	if (step->n_arrivals < n)
		ereport(ERROR, (errcode(WF_ERRCODE_NODE_FAILED),
						errmsg("mode \"nOf\" waits for " INT64_FORMAT " inputs, but only %d came", n, step->n_arrivals),
						errhint("The other branches were not taken.")));
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_key(w, "items", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < n; i++)
		wf_json_put(w, &step->arrivals[i].output);
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfOutcome
merge_execute(WfStep *step)
{
	const MergePlan *plan = step->prepared;
	int			n;
	const WfArrival **arrivals = arrivals_in_order(step, &n);
	char	   *key = wf_block_config_string(step, "key");
	Jsonb	   *output = NULL;

	if (n == 0)
		return wf_block_done(0, items_object(NULL, 0));
	switch (plan->mode)
	{
		case MERGE_APPEND:
			output = merge_append(arrivals, n);
			break;
		case MERGE_COMBINE:
			output = merge_combine(arrivals, n);
			break;
		case MERGE_KEYED:
			output = key != NULL ? merge_by_key(arrivals, n, key) : merge_by_source(arrivals, n);
			break;
		case MERGE_CHOOSE:
			output = merge_choose(arrivals, n, key);
			break;
		case MERGE_ANY:
			output = wf_block_object1("value", &step->arrivals[0].output);
			break;
		case MERGE_N_OF:
			output = merge_n_of(step, plan->n);
			break;
	}
	return wf_block_done(0, output);
}

const WfBlock wf_block_merge = {
	.type = "merge",
	.category = "flow",
	.summary = "joins what several branches gave",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"mode": {
				"enum": ["append", "combine", "keyed", "choose", "any", "nOf"], "default": "append", "x-fixed": true,
				"description": "One list; one object; by key or by source; one of them; the first; the first n."
			},
			"key": {
				"type": "string", "minLength": 1,
				"description": "keyed: join the elements of the lists on this member. choose: id of the node to choose."
			},
			"n": {"type": "integer", "minimum": 1, "x-fixed": true, "description": "nOf: how many to wait for."}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object",
		"properties": {
			"items": {"type": "array", "description": "append, nOf, and keyed with a key."},
			"value": {"description": "combine, choose, any, and keyed without a key."}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_MERGES | WF_BLOCK_EARLY,
	.execute = merge_execute,
	.validate = merge_validate,
	.prepare = merge_prepare,
	.ready = merge_ready,
};

/* -- collect -- */

static WfOutcome
collect_execute(WfStep *step)
{
	Jsonb	   *memory = step->ops->get_memory(step);
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	added;
	JsonbValue	gathered;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	Jsonb	   *output;

	if (!wf_block_config(step, "items", &added))
		added = step->input;
	wf_json_begin_array(w);
	if (memory != NULL)
	{
		wf_json_root(memory, &gathered);
		wf_block_check_size(step, wf_json_size(&gathered) + wf_json_size(&added));
		wf_json_iter_begin(&it, &gathered);
		while (wf_json_iter_next(&it, &key, &value))
			wf_json_put(w, &value);
	}
	if (wf_json_is_array(&added))
	{
		wf_json_iter_begin(&it, &added);
		while (wf_json_iter_next(&it, &key, &value))
			wf_json_put(w, &value);
	}
	else
		wf_json_put(w, &added);
	wf_json_end_array(w);
	output = wf_json_finish(w);
	step->ops->set_memory(step, output);

	wf_json_root(output, &gathered);
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field(w, "items", &gathered);
	wf_json_put_field_int64(w, "count", wf_json_count(&gathered));
	wf_json_end_object(w);
	return wf_block_done(0, wf_json_finish(w));
}

const WfBlock wf_block_collect = {
	.type = "collect",
	.category = "flow",
	.summary = "gathers items each time it runs",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"items": {
				"description": "What to add: the elements of a list, or one value; the input of the node unless given."
			}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["items", "count"],
		"properties": {
			"items": {"type": "array", "description": "All that was gathered so far in this run."},
			"count": {"type": "integer"}
		}
	}),
	.ports = out_ports,
	.flags = WF_BLOCK_PURE,
	.execute = collect_execute,
};
