/*
 * loop.c: the container that runs its nodes again and again.
 *
 * The life of a loop: execute reads the config once, makes a WfLoopState in the memory that lasts until
 * the step is done, and asks the engine to enter the region for the first round; each resume takes
 * what a round gave and asks for the next one, or leaves. Nothing recurses, so the depth of the
 * stack does not depend on the number of rounds.
 *
 * foreach walks a list (in batches when asked to), `for` counts from `from` to `to`, both included,
 * `while` goes on as long as its condition holds. What the rounds gave is gathered, and
 * measured as it grows, so that an endless loop meets the limit before it has used the memory.
 *
 * Inline there is one round at a time, also when it waits for something. In mode workers a round is a run of its own:
 * as many as `concurrency` says are begun before the first has ended, and each that ends makes room for the next. The
 * loop is done when all have ended, when one fails and onItemError is stop, or when breakCondition holds; the engine
 * cancels those that are open then.
 *
 * The list is copied at the start: nodes within may replace the output that it came from.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/loop.h"
#include "block/support.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define WHILE_ITERATIONS 1000	/* as for a back edge */

static const char *const loop_ports[] = {"out", "empty", NULL};

static void
loop_validate(const WfNode *node, WfDiagnostics *found)
{
	static const struct
	{
		const char *type;
		const char *keys[3];
	}			needs[] = {{"foreach", {"items"}}, {"for", {"from", "to"}}, {"while", {"condition"}}};
	static const char *const owned[][2] = {
		{"items", "foreach"}, {"batchSize", "foreach"}, {"from", "for"}, {"to", "for"}, {"step", "for"},
		{"condition", "while"},
	};
	const char *type = wf_block_fixed_string(node, "type", "foreach");
	JsonbValue	value;
	int64		number;

	for (int i = 0; i < lengthof(needs); i++)
	{
		for (int k = 0; strcmp(type, needs[i].type) == 0 && k < 3 && needs[i].keys[k] != NULL; k++)
		{
			if (!wf_block_fixed(node, needs[i].keys[k], &value))
				wf_block_report(node, found, "", NULL, "missing required key \"%s\" of a loop of type \"%s\"",
								needs[i].keys[k], type);
		}
	}
	for (int i = 0; i < lengthof(owned); i++)
	{
		if (strcmp(type, "foreach") != 0 && strcmp(type, "for") != 0 && strcmp(type, "while") != 0)
			break;				/* the schema has said it */
		if (wf_block_fixed(node, owned[i][0], &value) && strcmp(type, owned[i][1]) != 0)
			wf_block_report(node, found, owned[i][0], psprintf("Set \"type\" to \"%s\", or remove it.", owned[i][1]),
							"\"%s\" has no meaning in a loop of type \"%s\"", owned[i][0], type);
	}
	if (wf_block_fixed(node, "step", &value) && wf_json_int64(&value, &number) && number == 0)
		wf_block_report(node, found, "step", NULL, "\"step\" must not be 0");
	if (wf_block_fixed_is(node, "mode", "inline", "workers") && strcmp(type, "while") == 0)
		wf_block_report(node, found, "mode", "Each of its rounds needs what the one before it gave.",
						"a loop of type \"while\" cannot be in mode \"workers\"");
}

static bool
loop_suspends(const WfNode *node)
{
	return wf_block_fixed_is(node, "mode", "inline", "workers");
}

static void *
loop_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	WfLoopPlan *plan = palloc0(sizeof(WfLoopPlan));

	if (wf_block_fixed_is(node, "type", "foreach", "for"))
		plan->type = WF_LOOP_FOR;
	else if (wf_block_fixed_is(node, "type", "foreach", "while"))
		plan->type = WF_LOOP_WHILE;
	if (wf_block_fixed_is(node, "onItemError", "stop", "continue"))
		plan->on_error = WF_ITEM_ERROR_CONTINUE;
	else if (wf_block_fixed_is(node, "onItemError", "stop", "collect"))
		plan->on_error = WF_ITEM_ERROR_COLLECT;
	plan->workers = wf_block_fixed_is(node, "mode", "inline", "workers");
	plan->condition = wf_template_field(config, "condition");
	plan->break_condition = wf_template_field(config, "breakCondition");
	return plan;
}

static bool
loop_catches(const WfNode *node, const char *branch)
{
	return !wf_block_fixed_is(node, "onItemError", "stop", "stop");
}

/* Reads the config into the state; CurrentMemoryContext is the state's memory. */
static void
read_config(WfStep *step, const WfLoopPlan *plan, WfLoopState *state)
{
	int64		to = 0;
	JsonbValue	list;

	state->type = plan->type;
	state->workers = plan->workers;
	state->most = wf_block_config_int(step, "maxIterations",
									  plan->type == WF_LOOP_WHILE ? WHILE_ITERATIONS : PG_INT64_MAX, 1, PG_INT64_MAX);
	state->limit = wf_block_config_int(step, "concurrency", PG_INT32_MAX, 1, PG_INT32_MAX);
	wf_json_set_null(&state->last);
	if (plan->type == WF_LOOP_FOREACH)
	{
		wf_block_items(step, "items", &state->items);
		wf_block_keep(&state->items.whole, &list);
		pfree(state->items.values);
		wf_block_items_of(&list, &state->items);
		state->batch = wf_block_config_int(step, "batchSize", 0, 1, PG_INT32_MAX);
	}
	else if (plan->type == WF_LOOP_FOR)
	{
		state->first = wf_block_config_int(step, "from", 0, PG_INT64_MIN, PG_INT64_MAX);
		to = wf_block_config_int(step, "to", 0, PG_INT64_MIN, PG_INT64_MAX);
		state->step = wf_block_config_int(step, "step", 1, PG_INT64_MIN, PG_INT64_MAX);
		if (state->step == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"step\" must not be 0")));
	}
	wf_loop_count_rounds(state, to);
}

/* `input`: what `$input` is, or NULL for the loop's own. */
static bool
test_with_item(WfStep *step, const WfLoopState *state, const WfTemplate *condition, int64 index, const JsonbValue *input)
{
	WfItemScope scope;
	MemoryContext old = MemoryContextSwitchTo(step->memory);
	JsonbValue	item;
	bool		result;

	wf_loop_item(state, index, &item);
	wf_block_item_scope(&scope, step, state->items.values != NULL ? &state->items.whole : NULL);
	scope.item = &item;
	scope.index = index;
	scope.input = input;
	result = wf_block_test(condition, &scope.scope);
	MemoryContextSwitchTo(old);
	return result;
}

static WfOutcome
leave(WfLoopState *state)
{
	return wf_block_done(state->finished > 0 ? 0 : 1, wf_loop_output(state));
}

/* -- what a round gave -- */

static void
gather_result(WfStep *step, WfLoopState *state, int64 index, const JsonbValue *output)
{
	JsonbValue	kept;

	state->bytes += wf_json_size(output) + sizeof(JEntry);
	wf_block_check_size(step, state->bytes);
	wf_block_keep(output, &kept);
	wf_loop_add(&state->results, index, &kept);
	if (state->type == WF_LOOP_WHILE)
		state->last = kept;
}

static void
gather_error(WfStep *step, WfLoopState *state, int64 index, const WfError *error)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	item;
	JsonbValue	entry;

	wf_loop_item(state, index, &item);
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "index", index);
	wf_json_put_field(w, "item", &item);
	wf_json_key(w, "error", 5);
	wf_json_put_jsonb(w, wf_error_to_json(error));
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &entry);
	state->bytes += wf_json_size(&entry) + sizeof(JEntry);
	wf_block_check_size(step, state->bytes);
	wf_loop_add(&state->errors, index, &entry);
}

/* The round is over; true when the loop is to end by its breakCondition. The nodes of a round that was a run of its own
 * cannot be read by `$node`: there `$input` is what the round gave. */
static bool
end_round(WfStep *step, const WfLoopPlan *plan, WfLoopState *state, int64 index, const JsonbValue *output)
{
	bool		ends = plan->break_condition != NULL &&
		test_with_item(step, state, plan->break_condition, index, state->workers ? output : NULL);

	state->finished++;
	return ends;
}

/* -- the next round -- */

static WfOutcome
enter_round(WfStep *step, const WfLoopState *state, int64 index)
{
	JsonbValue	item;
	WfOutcome	outcome;

	wf_loop_item(state, index, &item);
	outcome = wf_block_enter(0, state->type == WF_LOOP_WHILE ? &step->input : &item);
	outcome.enter.has_item = true;
	outcome.enter.item = item;
	outcome.enter.index = index;
	outcome.enter.spawn = state->workers;
	if (state->type == WF_LOOP_FOREACH)
	{
		outcome.enter.has_items = true;
		outcome.enter.items = state->items.whole;
	}
	return outcome;
}

/* Is there a round `entered`? Throws WF006 when a `while` has had as many as it may. */
static bool
has_next(WfStep *step, const WfLoopPlan *plan, const WfLoopState *state)
{
	if (state->type != WF_LOOP_WHILE)
		return state->entered < state->total;
	if (!test_with_item(step, state, plan->condition, state->entered, NULL))
		return false;
	if (state->entered >= state->most)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("loop would run more than its limit of " INT64_FORMAT " iterations", state->most),
						errhint("Raise \"maxIterations\" of the loop, or check the condition that ends it.")));
	return true;
}

/* Enters the next round, waits for those that are open, or leaves. A loop without nodes has rounds that give their
 * input. CurrentMemoryContext is the state's memory. */
static WfOutcome
next_round(WfStep *step)
{
	const WfLoopPlan *plan = step->prepared;
	WfLoopState *state = step->state;
	bool		is_empty = wf_block_region_is_empty(step, 0);

	for (;;)
	{
		int64		n_open = state->entered - state->finished;
		JsonbValue	output;

		CHECK_FOR_INTERRUPTS();
		if (n_open > 0 && (!state->workers || n_open >= state->limit))
			return wf_block_blocked();
		if (!has_next(step, plan, state))
			return n_open > 0 ? wf_block_blocked() : leave(state);
		state->entered++;
		if (!is_empty)
			return enter_round(step, state, state->entered - 1);
		if (state->type == WF_LOOP_WHILE)
			output = step->input;
		else
			wf_loop_item(state, state->entered - 1, &output);
		gather_result(step, state, state->entered - 1, &output);
		if (end_round(step, plan, state, state->entered - 1, &output))
			return leave(state);
	}
}

static WfOutcome
loop_execute(WfStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	WfLoopState *state = palloc0(sizeof(WfLoopState));
	WfOutcome	outcome;

	read_config(step, step->prepared, state);
	step->state = state;
	outcome = next_round(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

static WfOutcome
loop_resume(WfStep *step, const WfReply *reply)
{
	const WfLoopPlan *plan = step->prepared;
	WfLoopState *state = step->state;
	int64		index = state->workers ? reply->index : state->finished;
	MemoryContext old;
	JsonbValue	output;
	WfOutcome	outcome;
	bool		ends = false;

	if (reply->failed && plan->on_error == WF_ITEM_ERROR_STOP)
		return wf_block_fail(wf_block_keep_error(reply->error));
	old = MemoryContextSwitchTo(step->state_memory);
	if (!reply->blocked)
	{
		if (reply->failed)
			wf_json_root(wf_json_empty_object(), &output);
		else
			output = reply->output;
		if (!reply->failed)
			gather_result(step, state, index, &output);
		else if (plan->on_error == WF_ITEM_ERROR_COLLECT)
			gather_error(step, state, index, reply->error);
		ends = end_round(step, plan, state, index, &output);
	}
	outcome = ends ? leave(state) : next_round(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

const WfBlock wf_block_loop = {
	.type = "loop",
	.category = "flow",
	.summary = "runs its nodes for each item, for each number, or while a condition holds",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"type": {"enum": ["foreach", "for", "while"], "default": "foreach", "x-fixed": true},
			"items": {"type": "array", "description": "foreach: the list; $item, $index and $items within."},
			"batchSize": {
				"type": ["integer", "null"], "minimum": 1,
				"description": "foreach: so many items a round; $item is then a list."
			},
			"from": {"type": "integer", "description": "for: the first number."},
			"to": {"type": "integer", "description": "for: the last number, included."},
			"step": {"type": "integer", "default": 1, "description": "for: may be negative."},
			"condition": {
				"type": ["string", "boolean"], "format": "expression", "minLength": 1,
				"description": "while: tested before each round; $item is what the last round gave, null at first."
			},
			"maxIterations": {
				"type": ["integer", "null"], "minimum": 1,
				"description": "More rounds than this are an error (WF006); while: 1000 unless given."
			},
			"breakCondition": {
				"type": ["string", "boolean"], "format": "expression", "minLength": 1,
				"description": "Tested after each round, with $item and $index of that round; true ends the loop. workers: $input is what the round gave."
			},
			"concurrency": {
				"type": ["integer", "null"], "minimum": 1,
				"description": "workers: how many rounds at once; all unless given. Inline they run one after another."
			},
			"onItemError": {
				"enum": ["stop", "continue", "collect"], "default": "stop", "x-fixed": true,
				"description": "A round that fails: fails the loop, is left out, or is left out and listed in errors."
			},
			"mode": {
				"enum": ["inline", "workers"], "default": "inline", "x-fixed": true,
				"description": "workers: each round is a run of its own."
			}
		},
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["results", "count", "errors"],
		"properties": {
			"results": {"type": "array", "description": "What each round gave that did not fail."},
			"count": {"type": "integer", "description": "Rounds, those that failed included."},
			"errors": {
				"type": "array",
				"items": {
					"type": "object",
					"properties": {"index": {"type": "integer"}, "item": {}, "error": {"type": "object"}}
				}
			}
		}
	}),
	.ports = loop_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_CONTAINER | WF_BLOCK_CONCURRENT,
	.execute = loop_execute,
	.validate = loop_validate,
	.prepare = loop_prepare,
	.resume = loop_resume,
	.catches = loop_catches,
	.suspends = loop_suspends,
	.save = wf_loop_save,
	.load = wf_loop_load,
};
