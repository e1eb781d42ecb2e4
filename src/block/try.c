/*
 * try.c: the container that handles errors.
 *
 * Branch `try` runs first. When one of its nodes fails, what that node did to the data is undone, and
 * branch `catch`, if it has nodes, runs with `$error`; what it gives is then the output. Branch
 * `finally` runs last, whatever happened. An error that is left after that (no catch, a catch that
 * failed, or a finally that failed, which goes before the others) is the failure of the node: it goes
 * out at `error` when that is wired, else its policy decides. A try without nodes gives its input.
 */
#include "postgres.h"

#include "block/block.h"
#include "block/saved.h"
#include "block/support.h"
#include "utils/memutils.h"

typedef enum TryBranch
{
	TRY_TRY,
	TRY_CATCH,
	TRY_FINALLY,
	TRY_DONE,
} TryBranch;

typedef struct TryState
{
	TryBranch	running;
	const WfError *error;		/* not handled so far, or NULL */
	bool		has_output;
	JsonbValue	output;
} TryState;

static const char *const try_ports[] = {"out", NULL};

static const char *const branch_names[] = {"try", "catch", "finally"};

static const char *const *
try_branches(const WfNode *node, int *n)
{
	*n = lengthof(branch_names);
	return branch_names;
}

/* An error in `catch` is kept until `finally` has run. */
static bool
try_catches(const WfNode *node, const char *branch)
{
	return branch != NULL && strcmp(branch, "finally") != 0;
}

static WfOutcome
leave(const WfStep *step, const TryState *state)
{
	if (state->error != NULL)
		return wf_block_fail(wf_block_keep_error(state->error));
	if (!state->has_output)
		return wf_block_done(0, wf_json_copy(&step->input));
	return wf_block_done(0, wf_json_copy(&state->output));
}

/* Enters the branch `from` or the next one after it that is to run; leaves behind the last. */
static WfOutcome
next_branch(WfStep *step, TryBranch from)
{
	TryState   *state = step->state;

	for (state->running = from; state->running < TRY_DONE; state->running++)
	{
		WfOutcome	outcome;

		if (wf_block_region_is_empty(step, state->running))
			continue;
		if (state->running == TRY_CATCH && state->error == NULL)
			continue;
		outcome = wf_block_enter(state->running, &step->input);
		outcome.enter.error = state->running == TRY_CATCH ? state->error : NULL;
		return outcome;
	}
	return leave(step, state);
}

static WfOutcome
try_execute(WfStep *step)
{
	step->state = MemoryContextAllocZero(step->state_memory, sizeof(TryState));
	return next_branch(step, TRY_TRY);
}

static WfOutcome
try_resume(WfStep *step, const WfReply *reply)
{
	TryState   *state = step->state;
	MemoryContext old;

	if (reply->blocked)
		return wf_block_blocked();
	old = MemoryContextSwitchTo(step->state_memory);
	if (reply->failed)
		state->error = wf_block_keep_error(reply->error);
	else if (state->running != TRY_FINALLY)
	{
		if (state->running == TRY_CATCH)
			state->error = NULL;
		state->has_output = true;
		wf_block_keep(&reply->output, &state->output);
	}
	MemoryContextSwitchTo(old);
	return next_branch(step, state->running + 1);
}

static Jsonb *
try_save(WfStep *step)
{
	const TryState *state = step->state;
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "running", branch_names[state->running]);
	if (state->error != NULL)
	{
		wf_json_key(w, "error", 5);
		wf_block_save_error(w, state->error);
	}
	if (state->has_output)
		wf_json_put_field(w, "output", &state->output);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void *
try_load(WfStep *step, const JsonbValue *saved)
{
	TryState   *state = palloc0(sizeof(TryState));
	JsonbValue	value;

	while (state->running < TRY_DONE && !wf_block_saved_is(saved, "running", branch_names[state->running]))
		state->running++;
	if (state->running == TRY_DONE)
		wf_block_saved_refuse(step->node, "it does not say which branch runs");
	if (wf_json_field(saved, "error", &value))
		state->error = wf_block_load_error(&value);
	state->has_output = wf_json_field(saved, "output", &value);
	if (state->has_output)
		wf_block_keep(&value, &state->output);
	return state;
}

const WfBlock wf_block_try = {
	.type = "try",
	.category = "flow",
	.summary = "runs nodes, others when they fail, and others in any case",
	.config_schema = WF_JSON({"type": "object", "additionalProperties": false}),
	.output_schema = WF_JSON({"description": "What the branch gave: try, or catch when that was needed."}),
	.ports = try_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_CONTAINER | WF_BLOCK_ERRORS_OUT,
	.execute = try_execute,
	.resume = try_resume,
	.branches = try_branches,
	.catches = try_catches,
	.save = try_save,
	.load = try_load,
};
