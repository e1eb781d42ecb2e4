/*
 * loop_state.c: which rounds a loop has, what they gave, and all of it as JSON.
 *
 * Rounds are known by their index alone: the item of a round follows from the list or from the first number, so that
 * rounds in workers may end in any order, and a state that is saved is the list and what came of the rounds so far.
 * The list is left out where nothing will ask for an item any more.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/settings.h"
#include "block/loop.h"
#include "block/saved.h"
#include "utils/memutils.h"

#define INITIAL_ROUNDS 16

static const char *const type_names[] = {"foreach", "for", "while"};

/* -- rounds -- */

/* The numbers of a `for` are counted without sign: their distance may be beyond int64. */
static int64
count_numbers(int64 first, int64 to, int64 step)
{
	uint64		distance;
	uint64		stride = step > 0 ? (uint64) step : -(uint64) step;

	if (step > 0 ? first > to : first < to)
		return 0;
	distance = step > 0 ? (uint64) to - (uint64) first : (uint64) first - (uint64) to;
	return (int64) Min(distance / stride, (uint64) PG_INT64_MAX - 1) + 1;
}

void
wf_loop_count_rounds(WfLoopState *state, int64 to)
{
	int64		most = state->most;

	if (state->type == WF_LOOP_WHILE)
	{
		state->total = PG_INT64_MAX;
		return;
	}
	if (state->type == WF_LOOP_FOR)
		state->total = count_numbers(state->first, to, state->step);
	else if (state->batch > 0)
		state->total = ((int64) state->items.n + state->batch - 1) / state->batch;
	else
		state->total = state->items.n;
	if (state->workers)
		most = Min(most, wf_setting_max_iterations);
	if (state->total > most)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("loop would run more than its limit of " INT64_FORMAT " iterations", most),
						most < state->most ?
						errhint("The setting \"workflow.max_iterations\" has the limit.") :
						errhint("Raise \"maxIterations\" of the loop, or check the condition that ends it.")));
}

void
wf_loop_item(const WfLoopState *state, int64 index, JsonbValue *out)
{
	int64		first = index * Max(state->batch, 1);
	WfJsonWriter *w;

	if (state->type == WF_LOOP_WHILE)
		*out = state->last;
	else if (state->type == WF_LOOP_FOR)
		wf_json_set_int64(out, (int64) ((uint64) state->first + (uint64) index * (uint64) state->step));
	else if (first >= state->items.n)
		wf_json_set_null(out);	/* the list was not saved, as nobody would ask */
	else if (state->batch == 0)
		*out = state->items.values[first];
	else
	{
		w = wf_json_writer_begin();
		wf_json_begin_array(w);
		for (int64 i = first; i < Min(first + state->batch, (int64) state->items.n); i++)
			wf_json_put(w, &state->items.values[i]);
		wf_json_end_array(w);
		wf_json_root(wf_json_finish(w), out);
	}
}

void
wf_loop_add(WfRounds *rounds, int64 index, const JsonbValue *value)
{
	if (rounds->n >= rounds->size)
	{
		if (rounds->size > PG_INT32_MAX / 2)
			ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED), errmsg("loop has too many rounds")));
		rounds->size = Max(rounds->size * 2, INITIAL_ROUNDS);
		if (rounds->rounds == NULL)
			rounds->rounds = palloc(sizeof(WfRound) * rounds->size);
		else
			rounds->rounds = repalloc_huge(rounds->rounds, sizeof(WfRound) * (Size) rounds->size);
	}
	rounds->rounds[rounds->n].index = index;
	rounds->rounds[rounds->n++].value = *value;
}

static int
compare_rounds(const void *a, const void *b)
{
	int64		left = ((const WfRound *) a)->index;
	int64		right = ((const WfRound *) b)->index;

	return left < right ? -1 : left > right ? 1 : 0;
}

static void
put_in_order(WfJsonWriter *w, const char *key, WfRounds *rounds)
{
	qsort(rounds->rounds, rounds->n, sizeof(WfRound), compare_rounds);
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	for (int i = 0; i < rounds->n; i++)
		wf_json_put(w, &rounds->rounds[i].value);
	wf_json_end_array(w);
}

Jsonb *
wf_loop_output(WfLoopState *state)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_in_order(w, "results", &state->results);
	wf_json_put_field_int64(w, "count", state->finished);
	put_in_order(w, "errors", &state->errors);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- saved -- */

/* Rounds as [index, value, index, value ...]. */
static void
save_rounds(WfJsonWriter *w, const char *key, const WfRounds *rounds)
{
	if (rounds->n == 0)
		return;
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	for (int i = 0; i < rounds->n; i++)
	{
		wf_json_put_int64(w, rounds->rounds[i].index);
		wf_json_put(w, &rounds->rounds[i].value);
	}
	wf_json_end_array(w);
}

/* Whether anybody will ask for the list again: the next rounds, an entry in errors, the condition that ends the loop. */
static bool
needs_items(const WfLoopPlan *plan, const WfLoopState *state)
{
	return !state->workers || state->entered < state->total || plan->break_condition != NULL ||
		plan->on_error == WF_ITEM_ERROR_COLLECT;
}

Jsonb *
wf_loop_save(WfStep *step)
{
	const WfLoopState *state = step->state;
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "type", type_names[state->type]);
	wf_json_put_field_int64(w, "entered", state->entered);
	wf_json_put_field_int64(w, "finished", state->finished);
	if (state->workers)
		wf_json_put_field_int64(w, "limit", state->limit);
	if (state->type == WF_LOOP_FOREACH)
	{
		wf_json_put_field_int64(w, "total", state->total);
		if (needs_items(step->prepared, state))
			wf_json_put_field(w, "items", &state->items.whole);
		if (state->batch > 0)
			wf_json_put_field_int64(w, "batch", state->batch);
	}
	else if (state->type == WF_LOOP_FOR)
	{
		wf_json_put_field_int64(w, "total", state->total);
		wf_json_put_field_int64(w, "first", state->first);
		wf_json_put_field_int64(w, "step", state->step);
	}
	else
	{
		wf_json_put_field_int64(w, "most", state->most);
		wf_json_put_field(w, "last", &state->last);
	}
	save_rounds(w, "results", &state->results);
	save_rounds(w, "errors", &state->errors);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
load_rounds(const JsonbValue *saved, const char *key, WfLoopState *state, WfRounds *rounds)
{
	JsonbValue	list;
	JsonbValue	unused;
	JsonbValue	index;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_json_field(saved, key, &list) || !wf_json_is_array(&list))
		return;
	wf_json_iter_begin(&it, &list);
	while (wf_json_iter_next(&it, &unused, &index) && wf_json_iter_next(&it, &unused, &value))
	{
		JsonbValue	kept;
		int64		number;

		if (!wf_json_int64(&index, &number))
			continue;
		wf_block_keep(&value, &kept);
		wf_loop_add(rounds, number, &kept);
		state->bytes += wf_json_size(&kept) + sizeof(JEntry);
	}
}

static void
load_items(const WfNode *node, const WfLoopPlan *plan, const JsonbValue *saved, WfLoopState *state)
{
	JsonbValue	list;
	JsonbValue	kept;

	state->batch = wf_block_saved_int(saved, "batch", 0);
	if (!wf_json_field(saved, "items", &list) || !wf_json_is_array(&list))
	{
		if (needs_items(plan, state))
			wf_block_saved_refuse(node, "the list was not kept, as the version that ran had no more use for it");
		wf_json_root(wf_json_parse("[]"), &kept);
	}
	else
		wf_block_keep(&list, &kept);
	wf_block_items_of(&kept, &state->items);
}

/* The loop goes on as it began (its mode, its limits, its list); conditions and onItemError are those of this version. */
void *
wf_loop_load(WfStep *step, const JsonbValue *saved)
{
	const WfLoopPlan *plan = step->prepared;
	const WfNode *node = step->node;
	WfLoopState *state = palloc0(sizeof(WfLoopState));
	JsonbValue	value;

	state->type = plan->type;
	if (!wf_block_saved_is(saved, "type", type_names[plan->type]))
		wf_block_saved_refuse(node, "it is now a loop of type \"%s\"", type_names[plan->type]);
	state->workers = wf_json_field(saved, "limit", &value);
	state->limit = wf_block_saved_int(saved, "limit", 1);
	state->entered = wf_block_saved_need_int(node, saved, "entered");
	state->finished = wf_block_saved_need_int(node, saved, "finished");
	state->most = wf_block_saved_int(saved, "most", PG_INT64_MAX);
	state->total = PG_INT64_MAX;
	if (state->type != WF_LOOP_WHILE)
		state->total = wf_block_saved_need_int(node, saved, "total");
	wf_json_set_null(&state->last);
	if (state->type == WF_LOOP_FOREACH)
		load_items(node, plan, saved, state);
	else if (state->type == WF_LOOP_FOR)
	{
		state->first = wf_block_saved_need_int(node, saved, "first");
		state->step = wf_block_saved_need_int(node, saved, "step");
	}
	else if (wf_json_field(saved, "last", &value))
		wf_block_keep(&value, &state->last);
	load_rounds(saved, "results", state, &state->results);
	load_rounds(saved, "errors", state, &state->errors);
	return state;
}
