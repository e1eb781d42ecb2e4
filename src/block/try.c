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

static const char *const *
try_branches(const WfNode *node, int *n)
{
	static const char *const names[] = {"try", "catch", "finally"};

	*n = lengthof(names);
	return names;
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
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);

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
};
