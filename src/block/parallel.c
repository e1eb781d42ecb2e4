/*
 * parallel.c: the container with branches that do not depend on each other.
 *
 * Inline, a branch runs in the run's one transaction until it is done or waits for something; then the next one is
 * entered. So branches that never wait run one after another in the order of the config, and those that wait do so at
 * the same time. In mode workers each is a run of its own. What differs from writing them one after another is also
 * what becomes of failures and of the rest:
 *
 * waitMode  all    every branch runs
 *           any    the first to finish, well or not; the others are cancelled
 *           first  the first to succeed; those that failed before it do not matter
 *
 * errorHandling says what a failed branch does to the container: `stop` fails it with that error (at
 * `first`: only when none succeeded), `continue` and `collect` go on and leave the error in the
 * branch's entry. The timeout is for all branches together: it is handed to the engine as the deadline
 * of each region, so that a statement in the middle of a branch is cancelled by it. Branches that are open when the
 * container is done are cancelled by the engine.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/text.h"
#include "block/block.h"
#include "block/saved.h"
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
	bool		workers;		/* mode: workers */
	int			timeout_port;
} ParallelPlan;

typedef enum BranchStatus
{
	BRANCH_PENDING,				/* not entered */
	BRANCH_OPEN,
	BRANCH_COMPLETED,
	BRANCH_FAILED,
	BRANCH_CANCELLED,
} BranchStatus;

typedef struct BranchResult
{
	BranchStatus status;
	JsonbValue	output;
	const WfError *error;
} BranchResult;

typedef struct ParallelState
{
	int			next;			/* those before it are not pending */
	int			n_open;
	int64		timeout_ms;
	TimestampTz deadline;		/* or 0 */
	int64		bytes;			/* of outputs */
	BranchResult *branches;		/* one a region */
	int			first_failed;	/* the branch that failed first, or -1 */
} ParallelState;

/* A branch that the container leaves behind is a cancelled one. */
static const char *const status_names[] = {
	[BRANCH_PENDING] = "cancelled",
	[BRANCH_OPEN] = "cancelled",
	[BRANCH_COMPLETED] = "completed",
	[BRANCH_FAILED] = "failed",
	[BRANCH_CANCELLED] = "cancelled",
};

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
}

static bool
parallel_suspends(const WfNode *node)
{
	return wf_block_fixed_is(node, "mode", "inline", "workers");
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
	plan->workers = wf_block_fixed_is(node, "mode", "inline", "workers");
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

static const char *
branch_name(const WfStep *step, int region)
{
	return step->graph->regions[step->node->regions[region]].branch;
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
		const char *id = branch_name(step, i);
		const BranchResult *branch = &state->branches[i];

		wf_json_key(w, id, strlen(id));
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "status", status_names[branch->status]);
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
		succeeded = succeeded || state->branches[i].status == BRANCH_COMPLETED;
	if (plan->stops && state->first_failed >= 0 && (plan->wait != WAIT_FIRST || !succeeded))
		return wf_block_fail(wf_block_keep_error(state->branches[state->first_failed].error));
	return wf_block_done(0, parallel_output(step, state));
}

/* The time is up while branches are open or about to be entered. */
static WfOutcome
leave_late(WfStep *step, const ParallelPlan *plan, ParallelState *state)
{
	if (wf_block_port_is_wired(step->node, plan->timeout_port))
		return wf_block_done(plan->timeout_port, parallel_output(step, state));
	return wf_block_fail(wf_error_make(WF_ERRCODE_NODE_TIMEOUT, "Wire the port \"timeout\" to handle it.",
									   "branches did not end within " INT64_FORMAT " ms", state->timeout_ms));
}

/* Enters the next branch that has nodes; when there is none, waits for those that are open, or leaves. */
static WfOutcome
next_branch(WfStep *step)
{
	const ParallelPlan *plan = step->prepared;
	ParallelState *state = step->state;
	WfOutcome	outcome;
	int			n = step->node->n_regions;

	for (; state->next < n; state->next++)
	{
		BranchResult *branch = &state->branches[state->next];

		CHECK_FOR_INTERRUPTS();
		if (branch->status != BRANCH_PENDING)
			continue;
		if (!wf_block_region_is_empty(step, state->next))
			break;
		branch->status = BRANCH_COMPLETED;
		branch->output = step->input;
		if (plan->wait != WAIT_ALL)
			return leave(step, plan, state);
	}
	if (state->next >= n)
		return state->n_open > 0 ? wf_block_blocked() : leave(step, plan, state);
	if (state->deadline != 0 && wf_clock_now() >= state->deadline)
		return leave_late(step, plan, state);
	state->branches[state->next].status = BRANCH_OPEN;
	state->n_open++;
	outcome = wf_block_enter(state->next++, &step->input);
	outcome.enter.deadline = state->deadline;
	outcome.enter.spawn = plan->workers;
	return outcome;
}

static ParallelState *
new_state(const WfStep *step)
{
	ParallelState *state = palloc0(sizeof(ParallelState));

	state->first_failed = -1;
	state->branches = palloc0(sizeof(BranchResult) * Max(step->node->n_regions, 1));
	for (int i = 0; i < step->node->n_regions; i++)
		wf_json_set_null(&state->branches[i].output);
	return state;
}

static WfOutcome
parallel_execute(WfStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	ParallelState *state = new_state(step);
	WfOutcome	outcome;

	state->timeout_ms = wf_block_config_duration(step, "timeout");
	if (state->timeout_ms > 0)
		state->deadline = wf_block_until(state->timeout_ms, "timeout");
	step->state = state;
	outcome = next_branch(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

/* What came of a branch. */
static void
settle_branch(WfStep *step, ParallelState *state, const WfReply *reply)
{
	BranchResult *branch = &state->branches[reply->region];

	Assert(branch->status == BRANCH_OPEN);
	state->n_open--;
	if (reply->failed)
	{
		branch->status = reply->timed_out ? BRANCH_CANCELLED : BRANCH_FAILED;
		branch->error = wf_block_keep_error(reply->error);
		if (state->first_failed < 0)
			state->first_failed = reply->region;
		return;
	}
	branch->status = BRANCH_COMPLETED;
	state->bytes += wf_json_size(&reply->output);
	wf_block_check_size(step, state->bytes);
	wf_block_keep(&reply->output, &branch->output);
}

static WfOutcome
parallel_resume(WfStep *step, const WfReply *reply)
{
	const ParallelPlan *plan = step->prepared;
	ParallelState *state = step->state;
	MemoryContext old = MemoryContextSwitchTo(step->state_memory);
	WfOutcome	outcome;
	bool		ends = false;

	if (!reply->blocked)
	{
		settle_branch(step, state, reply);
		ends = plan->wait == WAIT_ANY || (plan->wait == WAIT_FIRST && !reply->failed) ||
			(plan->wait == WAIT_ALL && plan->stops && reply->failed);
	}
	if (reply->timed_out)
		outcome = leave_late(step, plan, state);
	else
		outcome = ends ? leave(step, plan, state) : next_branch(step);
	MemoryContextSwitchTo(old);
	return outcome;
}

/* -- saved -- */

/* Branches by name, without those that were not entered. */
static Jsonb *
parallel_save(WfStep *step)
{
	const ParallelState *state = step->state;
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	if (state->deadline != 0)
	{
		wf_json_put_field_int64(w, "timeoutMs", state->timeout_ms);
		wf_json_put_field_int64(w, "deadline", state->deadline);
	}
	if (state->first_failed >= 0)
		wf_json_put_field_cstring(w, "firstFailed", branch_name(step, state->first_failed));
	wf_json_key(w, "branches", 8);
	wf_json_begin_object(w);
	for (int i = 0; i < step->node->n_regions; i++)
	{
		const BranchResult *branch = &state->branches[i];
		const char *name = branch_name(step, i);

		if (branch->status == BRANCH_PENDING)
			continue;
		wf_json_key(w, name, strlen(name));
		wf_json_begin_object(w);
		if (branch->status != BRANCH_OPEN)
			wf_json_put_field_cstring(w, "status", status_names[branch->status]);
		if (branch->status == BRANCH_COMPLETED)
			wf_json_put_field(w, "output", &branch->output);
		if (branch->error != NULL)
		{
			wf_json_key(w, "error", 5);
			wf_block_save_error(w, branch->error);
		}
		wf_json_end_object(w);
	}
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
load_branch(WfStep *step, ParallelState *state, int region, const JsonbValue *saved)
{
	BranchResult *branch = &state->branches[region];
	JsonbValue	value;

	if (wf_block_saved_is(saved, "status", "completed"))
		branch->status = BRANCH_COMPLETED;
	else if (wf_block_saved_is(saved, "status", "failed"))
		branch->status = BRANCH_FAILED;
	else if (wf_block_saved_is(saved, "status", "cancelled"))
		branch->status = BRANCH_CANCELLED;
	else
	{
		branch->status = BRANCH_OPEN;
		state->n_open++;
	}
	if (wf_json_field(saved, "output", &value))
	{
		wf_block_keep(&value, &branch->output);
		state->bytes += wf_json_size(&branch->output);
	}
	if (wf_json_field(saved, "error", &value))
		branch->error = wf_block_load_error(&value);
	else if (branch->status == BRANCH_FAILED)
		branch->error = wf_block_load_error(saved);
}

/* Throws WF014 for a branch that is open and that this version does not have. */
static void
refuse_lost_branches(const WfStep *step, const JsonbValue *branches)
{
	WfJsonIter	it;
	JsonbValue	name;
	JsonbValue	branch;

	wf_json_iter_begin(&it, branches);
	while (wf_json_iter_next(&it, &name, &branch))
	{
		char	   *id = wf_json_cstring(&name);
		int			region = 0;

		if (wf_json_get_cstring(&branch, "status") != NULL)
			continue;
		while (region < step->node->n_regions && strcmp(branch_name(step, region), id) != 0)
			region++;
		if (region == step->node->n_regions)
			wf_block_saved_refuse(step->node, "its branch \"%s\" is open, and this version has none of that name",
								  wf_text_clip(id));
	}
}

/* Branches that the version does not have any more are forgotten when they have ended; those that are new are entered. */
static void *
parallel_load(WfStep *step, const JsonbValue *saved)
{
	ParallelState *state = new_state(step);
	JsonbValue	branches;
	JsonbValue	branch;
	uint32		n_known = 0;

	state->timeout_ms = wf_block_saved_int(saved, "timeoutMs", 0);
	state->deadline = wf_block_saved_int(saved, "deadline", 0);
	if (!wf_json_field(saved, "branches", &branches) || !wf_json_is_object(&branches))
		wf_block_saved_refuse(step->node, "\"branches\" is missing");
	for (int i = 0; i < step->node->n_regions; i++)
	{
		const char *name = branch_name(step, i);

		if (!wf_json_field(&branches, name, &branch))
			continue;
		n_known++;
		load_branch(step, state, i, &branch);
		if (state->branches[i].status == BRANCH_FAILED &&
			(state->first_failed < 0 || wf_block_saved_is(saved, "firstFailed", name)))
			state->first_failed = i;
	}
	if (n_known < wf_json_count(&branches))
		refuse_lost_branches(step, &branches);
	return state;
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
			"mode": {
				"enum": ["inline", "workers"], "default": "inline", "x-fixed": true,
				"description": "workers: each branch is a run of its own."
			}
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
	.flags = WF_BLOCK_PURE | WF_BLOCK_CONTAINER | WF_BLOCK_CONCURRENT,
	.execute = parallel_execute,
	.validate = parallel_validate,
	.prepare = parallel_prepare,
	.resume = parallel_resume,
	.branches = parallel_branches,
	.catches = parallel_catches,
	.suspends = parallel_suspends,
	.save = parallel_save,
	.load = parallel_load,
};
