/*
 * loop.c: the container that runs its nodes again and again.
 *
 * The life of a loop: execute reads the config once, makes a LoopState in the memory that lasts until
 * the step is done, and asks the engine to enter the region for the first round; each resume takes
 * what the round gave and asks for the next one, or leaves. Nothing recurses, so the depth of the
 * stack does not depend on the number of rounds.
 *
 * foreach walks a list (in batches when asked to), `for` counts from `from` to `to`, both included,
 * `while` goes on as long as its condition holds. What the rounds gave is gathered in one writer,
 * measured as it grows, so that an endless loop meets the limit before it has used the memory.
 *
 * The list is copied at the start: nodes within may replace the output that it came from.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/support.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#define WHILE_ITERATIONS 1000	/* as for a back edge */

typedef enum LoopType
{
	LOOP_FOREACH,
	LOOP_FOR,
	LOOP_WHILE,
} LoopType;

typedef enum ItemError
{
	ITEM_ERROR_STOP,
	ITEM_ERROR_CONTINUE,
	ITEM_ERROR_COLLECT,
} ItemError;

/* What the graph knows. */
typedef struct LoopPlan
{
	LoopType	type;
	ItemError	on_error;
	const WfTemplate *condition;
	const WfTemplate *break_condition;
} LoopPlan;

/* What a step knows; in its state memory. */
typedef struct LoopState
{
	int64		index;			/* of the round at hand, from 0 */
	int64		most;			/* rounds */
	WfItems		items;			/* foreach */
	int64		batch;			/* foreach: 0, or items a round */
	int64		next;			/* for: the number of the next round */
	int64		last;
	int64		step;
	bool		exhausted;		/* for: the next number does not fit */
	JsonbValue	item;			/* `$item` of the round at hand; while: what the last round gave */
	WfJsonWriter *w;			/* within `results` */
	int64		bytes;			/* gathered */
	WfJsonWriter *errors;		/* within the array of errors */
} LoopState;

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
	if (wf_block_fixed_is(node, "mode", "inline", "workers"))
		wf_block_report(node, found, "mode", "Use \"inline\" until background workers are there.",
						"mode \"workers\" needs background workers");
}

static void *
loop_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	LoopPlan   *plan = palloc0(sizeof(LoopPlan));

	if (wf_block_fixed_is(node, "type", "foreach", "for"))
		plan->type = LOOP_FOR;
	else if (wf_block_fixed_is(node, "type", "foreach", "while"))
		plan->type = LOOP_WHILE;
	if (wf_block_fixed_is(node, "onItemError", "stop", "continue"))
		plan->on_error = ITEM_ERROR_CONTINUE;
	else if (wf_block_fixed_is(node, "onItemError", "stop", "collect"))
		plan->on_error = ITEM_ERROR_COLLECT;
	plan->condition = wf_template_field(config, "condition");
	plan->break_condition = wf_template_field(config, "breakCondition");
	return plan;
}

static bool
loop_catches(const WfNode *node, const char *branch)
{
	return !wf_block_fixed_is(node, "onItemError", "stop", "stop");
}

static void
refuse_rounds(int64 most)
{
	ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
					errmsg("loop would run more than its limit of " INT64_FORMAT " iterations", most),
					errhint("Raise \"maxIterations\" of the loop, or check the condition that ends it.")));
}

/* The number of rounds of a `for`, as far as it can be told without overflow. */
static int64
count_rounds(const LoopState *state)
{
	int64		distance;

	if (state->step > 0 ? state->next > state->last : state->next < state->last)
		return 0;
	if (pg_sub_s64_overflow(state->last, state->next, &distance))
		return PG_INT64_MAX;
	return distance / state->step + 1;
}

/* Reads the config into the state; CurrentMemoryContext is the state's memory. */
static void
read_config(WfStep *step, const LoopPlan *plan, LoopState *state)
{
	int64		rounds = 0;
	JsonbValue	list;

	state->most = wf_block_config_int(step, "maxIterations", plan->type == LOOP_WHILE ? WHILE_ITERATIONS : PG_INT64_MAX,
									  1, PG_INT64_MAX);
	(void) wf_block_config_int(step, "concurrency", 1, 1, PG_INT32_MAX);
	wf_json_set_null(&state->item);
	if (plan->type == LOOP_FOREACH)
	{
		wf_block_items(step, "items", &state->items);
		wf_block_keep(&state->items.whole, &list);
		pfree(state->items.values);
		wf_block_items_of(&list, &state->items);
		state->batch = wf_block_config_int(step, "batchSize", 0, 1, PG_INT32_MAX);
		rounds = state->batch > 0 ? ((int64) state->items.n + state->batch - 1) / state->batch : state->items.n;
	}
	else if (plan->type == LOOP_FOR)
	{
		state->next = wf_block_config_int(step, "from", 0, PG_INT64_MIN, PG_INT64_MAX);
		state->last = wf_block_config_int(step, "to", 0, PG_INT64_MIN, PG_INT64_MAX);
		state->step = wf_block_config_int(step, "step", 1, PG_INT64_MIN, PG_INT64_MAX);
		if (state->step == 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("\"step\" must not be 0")));
		rounds = count_rounds(state);
	}
	if (rounds > state->most)
		refuse_rounds(state->most);
}

/* Sets `$item` of the next round; false when there is none. CurrentMemoryContext is the state's memory. */
static bool
next_item(WfStep *step, const LoopPlan *plan, LoopState *state)
{
	if (plan->type == LOOP_FOREACH)
	{
		int64		first = state->index * Max(state->batch, 1);
		WfJsonWriter *w;

		if (first >= state->items.n)
			return false;
		if (state->batch == 0)
		{
			state->item = state->items.values[first];
			return true;
		}
		w = wf_json_writer_begin();
		wf_json_begin_array(w);
		for (int64 i = first; i < Min(first + state->batch, (int64) state->items.n); i++)
			wf_json_put(w, &state->items.values[i]);
		wf_json_end_array(w);
		wf_json_root(wf_json_finish(w), &state->item);
		return true;
	}
	if (plan->type == LOOP_FOR)
	{
		if (state->exhausted || (state->step > 0 ? state->next > state->last : state->next < state->last))
			return false;
		wf_json_set_int64(&state->item, state->next);
		state->exhausted = pg_add_s64_overflow(state->next, state->step, &state->next);
		return true;
	}
	return true;
}

static bool
test_with_item(WfStep *step, LoopState *state, const WfTemplate *condition)
{
	WfItemScope scope;
	MemoryContext old = MemoryContextSwitchTo(step->memory);
	bool		result;

	wf_block_item_scope(&scope, step, state->items.values != NULL ? &state->items.whole : NULL);
	scope.item = &state->item;
	scope.index = state->index;
	result = wf_block_test(condition, &scope.scope);
	MemoryContextSwitchTo(old);
	return result;
}

static WfOutcome
leave(LoopState *state)
{
	JsonbValue	errors;

	wf_json_end_array(state->errors);
	wf_json_root(wf_json_finish(state->errors), &errors);
	wf_json_end_array(state->w);
	wf_json_put_field_int64(state->w, "count", state->index);
	wf_json_put_field(state->w, "errors", &errors);
	wf_json_end_object(state->w);
	return wf_block_done(state->index > 0 ? 0 : 1, wf_json_finish(state->w));
}

static void
gather_result(WfStep *step, const LoopPlan *plan, LoopState *state, const JsonbValue *output)
{
	JsonbValue	kept;

	state->bytes += wf_json_size(output) + sizeof(JEntry);
	wf_block_check_size(step, state->bytes);
	wf_block_keep(output, &kept);
	wf_json_put(state->w, &kept);
	if (plan->type == LOOP_WHILE)
		state->item = kept;
}

static void
gather_error(WfStep *step, LoopState *state, const WfError *error)
{
	Jsonb	   *json = wf_error_to_json(error);
	JsonbValue	item = state->item;

	state->bytes += VARSIZE(json) + wf_json_size(&item);
	wf_block_check_size(step, state->bytes);
	wf_json_begin_object(state->errors);
	wf_json_put_field_int64(state->errors, "index", state->index);
	wf_json_put_field(state->errors, "item", &item);
	wf_json_key(state->errors, "error", 5);
	wf_json_put_jsonb(state->errors, json);
	wf_json_end_object(state->errors);
}

/* The round is over; true when the loop is to end by its breakCondition. */
static bool
end_round(WfStep *step, const LoopPlan *plan, LoopState *state)
{
	bool		ends = plan->break_condition != NULL && test_with_item(step, state, plan->break_condition);

	state->index++;
	return ends;
}

static WfOutcome
enter_round(WfStep *step, const LoopPlan *plan, const LoopState *state)
{
	WfOutcome	outcome = wf_block_enter(0, plan->type == LOOP_WHILE ? &step->input : &state->item);

	outcome.enter.has_item = true;
	outcome.enter.item = state->item;
	outcome.enter.index = state->index;
	if (plan->type == LOOP_FOREACH)
	{
		outcome.enter.has_items = true;
		outcome.enter.items = state->items.whole;
	}
	return outcome;
}

/* Enters the next round, or leaves. A loop without nodes has rounds that give their input.
 * CurrentMemoryContext is the state's memory. */
static WfOutcome
next_round(WfStep *step)
{
	const LoopPlan *plan = step->prepared;
	LoopState  *state = step->state;
	bool		is_empty = wf_block_region_is_empty(step, 0);

	for (;;)
	{
		CHECK_FOR_INTERRUPTS();
		if (!next_item(step, plan, state))
			break;
		if (plan->type == LOOP_WHILE)
		{
			if (!test_with_item(step, state, plan->condition))
				break;
			if (state->index >= state->most)
				refuse_rounds(state->most);
		}
		if (!is_empty)
			return enter_round(step, plan, state);
		gather_result(step, plan, state, plan->type == LOOP_WHILE ? &step->input : &state->item);
		if (end_round(step, plan, state))
			break;
	}
	return leave(state);
}

static WfOutcome
loop_execute(WfStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	LoopState  *state = palloc0(sizeof(LoopState));
	WfOutcome	outcome;

	read_config(step, step->prepared, state);
	state->w = wf_json_writer_begin();
	wf_json_begin_object(state->w);
	wf_json_key(state->w, "results", 7);
	wf_json_begin_array(state->w);
	state->errors = wf_json_writer_begin();
	wf_json_begin_array(state->errors);
	step->state = state;
	outcome = next_round(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

static WfOutcome
loop_resume(WfStep *step, const WfReply *reply)
{
	const LoopPlan *plan = step->prepared;
	LoopState  *state = step->state;
	MemoryContext old;
	WfOutcome	outcome;

	if (reply->failed && plan->on_error == ITEM_ERROR_STOP)
		return wf_block_fail(wf_block_keep_error(reply->error));
	old = MemoryContextSwitchTo(step->state_memory);
	if (!reply->failed)
		gather_result(step, plan, state, &reply->output);
	else if (plan->on_error == ITEM_ERROR_COLLECT)
		gather_error(step, state, reply->error);
	outcome = end_round(step, plan, state) ? leave(state) : next_round(step);
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
				"description": "Tested after each round, with $item and $index of that round; true ends the loop."
			},
			"concurrency": {
				"type": "integer", "minimum": 1, "default": 1,
				"description": "How many rounds at once; inline they run one after another whatever it says."
			},
			"onItemError": {
				"enum": ["stop", "continue", "collect"], "default": "stop", "x-fixed": true,
				"description": "A round that fails: fails the loop, is left out, or is left out and listed in errors."
			},
			"mode": {"enum": ["inline", "workers"], "default": "inline", "x-fixed": true}
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
	.flags = WF_BLOCK_PURE | WF_BLOCK_CONTAINER,
	.execute = loop_execute,
	.validate = loop_validate,
	.prepare = loop_prepare,
	.resume = loop_resume,
	.catches = loop_catches,
};
