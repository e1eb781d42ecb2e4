/*
 * parallel.c: the container with branches that do not depend on each other.
 *
 * Inline they run one after another in the order of the config, in the run's one transaction; what
 * differs from writing them one after another is what becomes of failures and of the rest:
 *
 * waitMode  all    every branch runs
 *           any    the first to finish, well or not; the others are cancelled
 *           first  the first to succeed; those that failed before it do not matter
 *
 * errorHandling says what a failed branch does to the container: `stop` fails it with that error (at
 * `first`: only when none succeeded), `continue` and `collect` go on and leave the error in the
 * branch's entry. The timeout is for all branches together: it is handed to the engine as the deadline
 * of each region, so that a statement in the middle of a branch is cancelled by it.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/text.h"
#include "block/block.h"
#include "block/support.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef enum WaitMode
{
	WAIT_ALL,
	WAIT_ANY,
	WAIT_FIRST,
} WaitMode;

typedef struct ParallelPlan
{
	WaitMode	wait;
	bool		stops;			/* errorHandling: stop */
	int			timeout_port;
} ParallelPlan;

typedef struct BranchResult
{
	const char *status;			/* completed, failed, cancelled */
	JsonbValue	output;
	const WfError *error;
} BranchResult;

typedef struct ParallelState
{
	int			current;		/* branch that runs */
	int64		timeout_ms;
	TimestampTz deadline;		/* or 0 */
	int64		bytes;
	BranchResult *branches;
	const WfError *first_error;
} ParallelState;

static const char *const parallel_ports[] = {"out", "timeout", NULL};

/* The ids of the branches, in the order of the config. */
static const char *const *
parallel_branches(const WfNode *node, int *n)
{
	JsonbValue	branches;
	WfItems		items;
	const char **names;

	*n = 0;
	if (!wf_block_fixed(node, "branches", &branches) || !wf_json_is_array(&branches))
		return NULL;
	wf_block_items_of(&branches, &items);
	names = palloc(sizeof(char *) * Max(items.n, 1));
	for (int i = 0; i < items.n; i++)
	{
		const char *id = wf_json_get_cstring(&items.values[i], "id");

		names[(*n)++] = id != NULL ? id : "";
	}
	pfree(items.values);
	return names;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

static void
parallel_validate(const WfNode *node, WfDiagnostics *found)
{
	int			n;
	const char *const *names = parallel_branches(node, &n);
	const char **sorted = palloc(sizeof(char *) * Max(n, 1));

	if (n > 0)
		memcpy(sorted, names, sizeof(char *) * n);
	qsort(sorted, n, sizeof(char *), compare_names);
	for (int i = 1; i < n; i++)
	{
		if (sorted[i][0] != '\0' && strcmp(sorted[i - 1], sorted[i]) == 0)
			wf_block_report(node, found, "branches", NULL, "branch \"%s\" is there twice", wf_text_clip(sorted[i]));
	}
	wf_block_check_duration(node, "timeout", found);
	if (wf_block_fixed_is(node, "mode", "inline", "workers"))
		wf_block_report(node, found, "mode", "Use \"inline\" until background workers are there.",
						"mode \"workers\" needs background workers");
}

static void *
parallel_prepare(const WfNode *node, const WfTemplate *config, const char *search_path, WfDiagnostics *found)
{
	ParallelPlan *plan = palloc0(sizeof(ParallelPlan));

	if (wf_block_fixed_is(node, "waitMode", "all", "any"))
		plan->wait = WAIT_ANY;
	else if (wf_block_fixed_is(node, "waitMode", "all", "first"))
		plan->wait = WAIT_FIRST;
	plan->stops = wf_block_fixed_is(node, "errorHandling", "stop", "stop");
	plan->timeout_port = wf_block_port(node, "timeout");
	return plan;
}

/* Wherever the container can go on without a failed branch. */
static bool
parallel_catches(const WfNode *node, const char *branch)
{
	JsonbValue	timeout;

	return !wf_block_fixed_is(node, "errorHandling", "stop", "stop") ||
		wf_block_fixed_is(node, "waitMode", "all", "first") || wf_block_fixed(node, "timeout", &timeout);
}

static Jsonb *
parallel_output(const WfStep *step, const ParallelState *state)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "branches", 8);
	wf_json_begin_object(w);
	for (int i = 0; i < step->node->n_regions; i++)
	{
		const char *id = step->graph->regions[step->node->regions[i]].branch;
		const BranchResult *branch = &state->branches[i];

		wf_json_key(w, id, strlen(id));
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "status", branch->status);
		wf_json_put_field(w, "output", &branch->output);
		wf_json_key(w, "error", 5);
		if (branch->error != NULL)
			wf_json_put_jsonb(w, wf_error_to_json(branch->error));
		else
			wf_json_put_null(w);
		wf_json_end_object(w);
	}
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static WfOutcome
leave(WfStep *step, const ParallelPlan *plan, ParallelState *state)
{
	bool		succeeded = false;

	for (int i = 0; i < step->node->n_regions; i++)
		succeeded = succeeded || strcmp(state->branches[i].status, "completed") == 0;
	if (plan->stops && state->first_error != NULL && (plan->wait != WAIT_FIRST || !succeeded))
		return wf_block_fail(wf_block_keep_error(state->first_error));
	return wf_block_done(0, parallel_output(step, state));
}

/* The time is up while branch `current` runs or is about to. */
static WfOutcome
leave_late(WfStep *step, const ParallelPlan *plan, ParallelState *state)
{
	if (wf_block_port_is_wired(step->node, plan->timeout_port))
		return wf_block_done(plan->timeout_port, parallel_output(step, state));
	return wf_block_fail(wf_error_make(WF_ERRCODE_NODE_TIMEOUT, "Wire the port \"timeout\" to handle it.",
									   "branches did not end within " INT64_FORMAT " ms", state->timeout_ms));
}

/* Runs branch `current` or the next one that has nodes; leaves behind the last. */
static WfOutcome
next_branch(WfStep *step)
{
	const ParallelPlan *plan = step->prepared;
	ParallelState *state = step->state;
	WfOutcome	outcome;

	CHECK_FOR_INTERRUPTS();
	while (state->current < step->node->n_regions && wf_block_region_is_empty(step, state->current))
	{
		BranchResult *branch = &state->branches[state->current++];

		branch->status = "completed";
		branch->output = step->input;
		if (plan->wait != WAIT_ALL)
			return leave(step, plan, state);
	}
	if (state->current >= step->node->n_regions)
		return leave(step, plan, state);
	if (state->deadline != 0 && wf_clock_now() >= state->deadline)
		return leave_late(step, plan, state);
	outcome = wf_block_enter(state->current, &step->input);
	outcome.enter.deadline = state->deadline;
	return outcome;
}

static WfOutcome
parallel_execute(WfStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	ParallelState *state = palloc0(sizeof(ParallelState));
	WfOutcome	outcome;

	state->timeout_ms = wf_block_config_duration(step, "timeout");
	if (state->timeout_ms > 0)
		state->deadline = wf_clock_now() + state->timeout_ms * 1000;
	state->branches = palloc0(sizeof(BranchResult) * Max(step->node->n_regions, 1));
	for (int i = 0; i < step->node->n_regions; i++)
	{
		state->branches[i].status = "cancelled";
		wf_json_set_null(&state->branches[i].output);
	}
	step->state = state;
	outcome = next_branch(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

static WfOutcome
parallel_resume(WfStep *step, const WfReply *reply)
{
	const ParallelPlan *plan = step->prepared;
	ParallelState *state = step->state;
	BranchResult *branch = &state->branches[state->current++];
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	WfOutcome	outcome;
	bool		ends;

	if (reply->failed)
	{
		branch->status = reply->timed_out ? "cancelled" : "failed";
		branch->error = wf_block_keep_error(reply->error);
		if (state->first_error == NULL)
			state->first_error = branch->error;
	}
	else
	{
		branch->status = "completed";
		state->bytes += wf_json_size(&reply->output);
		wf_block_check_size(step, state->bytes);
		wf_block_keep(&reply->output, &branch->output);
	}
	ends = plan->wait == WAIT_ANY || (plan->wait == WAIT_FIRST && !reply->failed) ||
		(plan->wait == WAIT_ALL && plan->stops && reply->failed);
	if (reply->timed_out)
		outcome = leave_late(step, plan, state);
	else
		outcome = ends ? leave(step, plan, state) : next_branch(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

const WfBlock wf_block_parallel = {
	.type = "parallel",
	.category = "flow",
	.summary = "runs branches that do not depend on each other",
	.config_schema = WF_JSON({
		"type": "object",
		"properties": {
			"branches": {
				"type": "array", "minItems": 1, "x-fixed": true,
				"items": {
					"type": "object",
					"properties": {"id": {"type": "string", "minLength": 1, "maxLength": 63}},
					"required": ["id"],
					"additionalProperties": false
				},
				"description": "Nodes say in which branch they are by parent and branch."
			},
			"waitMode": {
				"enum": ["all", "any", "first"], "default": "all", "x-fixed": true,
				"description": "Wait for all; for the first to finish; for the first to succeed."
			},
			"timeout": {
				"type": ["string", "number", "null"], "minimum": 0,
				"description": "A duration for all branches together; then on at timeout."
			},
			"errorHandling": {
				"enum": ["stop", "continue", "collect"], "default": "stop", "x-fixed": true,
				"description": "A failed branch: fails the node, or is noted in its entry of the output."
			},
			"mode": {"enum": ["inline", "workers"], "default": "inline", "x-fixed": true}
		},
		"required": ["branches"],
		"additionalProperties": false
	}),
	.output_schema = WF_JSON({
		"type": "object", "required": ["branches"],
		"properties": {
			"branches": {
				"type": "object",
				"additionalProperties": {
					"type": "object", "required": ["status", "output", "error"],
					"properties": {
						"status": {"enum": ["completed", "failed", "cancelled"]},
						"output": {},
						"error": {"type": ["object", "null"]}
					}
				}
			}
		}
	}),
	.ports = parallel_ports,
	.flags = WF_BLOCK_PURE | WF_BLOCK_CONTAINER,
	.execute = parallel_execute,
	.validate = parallel_validate,
	.prepare = parallel_prepare,
	.resume = parallel_resume,
	.branches = parallel_branches,
	.catches = parallel_catches,
};
