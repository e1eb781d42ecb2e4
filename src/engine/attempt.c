/*
 * attempt.c: one execution or resume of a step, and what its failure means.
 *
 * 1. An attempt whose failure somebody may handle (node->guarded, or a caller around) runs in a subtransaction of its
 *    own, so that what it did is undone before the handler sees the error. All others run in the run's: their error
 *    ends the run, so there is nothing to keep.
 * 2. A thrown error and a returned failure are the same from then on. Cancel, shutdown and lack of memory are thrown
 *    on, and so is a serialization failure where the transaction has but one snapshot: only the caller can try again.
 * 3. Deadlines: of the attempt, of frames, of the run. Which one a cancel belongs to is decided by what has passed.
 * 4. The conditions of the outgoing edges belong to the attempt: one that fails fails the node.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/frame.h"
#include "engine/scope.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

static WfError *
make_error(Run *run, int sqlstate, const char *hint, const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(sqlstate, hint, "%s", message);

	MemoryContextSwitchTo(old);
	return error;
}

void
wf_attempt_place_error(WfError *error, const OpenStep *open)
{
	if (error->node == NULL)
	{
		error->node = open->node->id;
		error->step = open->seq;
		error->attempt = open->attempt;
	}
}

WfError *
wf_attempt_run_timeout(Run *run)
{
	return make_error(run, WF_ERRCODE_RUN_TIMEOUT,
					  "The run's time-out is set by \"settings.timeout\" or the option \"timeout\".", "run timed out");
}

bool
wf_attempt_deadline(Run *run, Frame *frame, Failure *failure)
{
	const OpenStep *open;

	memset(failure, 0, sizeof(*failure));
	if (wf_deadline_is_past(run->deadline))
	{
		failure->ends_run = true;
		failure->error = wf_attempt_run_timeout(run);
		return true;
	}
	if (frame == NULL)
		return false;
	for (Frame *f = frame; f->parent != NULL; f = f->parent)
	{
		if (!(f->own_deadline || f->node_deadline) || !wf_deadline_is_past(f->deadline))
			continue;
		/* the outermost that passed counts: what is within it is of no interest any more */
		failure->frame = f;
	}
	if (failure->frame != NULL)
	{
		const OpenStep *container = failure->frame->parent_step;

		failure->error = make_error(run, WF_ERRCODE_NODE_TIMEOUT, NULL,
									psprintf("node \"%s\" timed out", container->node->id));
		wf_attempt_place_error(failure->error, container);
		return true;
	}
	open = frame->open;
	if (open != NULL && wf_deadline_is_past(open->deadline))
	{
		failure->error = make_error(run, WF_ERRCODE_NODE_TIMEOUT, NULL,
									psprintf("node \"%s\" timed out after " INT64_FORMAT " ms", open->node->id,
											 open->node->timeout_ms));
		return true;
	}
	return false;
}

/* What a caught error means; rethrows what nobody may take. The subtransaction has been rolled back. */
static void
failure_of(Run *run, Frame *frame, ErrorData *data, Failure *failure)
{
	MemoryContext old;

	memset(failure, 0, sizeof(*failure));
	if (run->error != NULL || run->slow)
		ReThrowError(data);		/* fail_run has decided */
	if (data->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_deadline_fired() && wf_attempt_deadline(run, frame, failure))
	{
		wf_deadline_take();
		return;
	}
	if (wf_error_is_fatal(data->sqlerrcode) ||
		(data->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && IsolationUsesXactSnapshot()))
		ReThrowError(data);
	old = MemoryContextSwitchTo(run->memory);
	failure->error = wf_error_from_data(data);
	MemoryContextSwitchTo(old);
}

/* -- one attempt -- */

/* A copy of an output in frame memory becomes what `$node` tells. Throws WF006 over a limit. */
void
wf_attempt_store(Run *run, Frame *frame, const WfNode *node, const WfOutcome *outcome)
{
	NodeState  *state = &frame->activation->nodes[node->index];
	Size		bytes = outcome->output == NULL ? 0 : VARSIZE(outcome->output);
	Jsonb	   *copy = NULL;

	if (bytes > run->max_output_bytes)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("output of node \"%s\" has %zu bytes, more than %zu", node->id, (size_t) bytes,
							   (size_t) run->max_output_bytes),
						errhint("Select less, or raise \"settings.maxOutputSize\" or \"workflow.max_output_size\".")));
	if ((run->context_bytes + bytes - state->bytes) / 1024 > (Size) wf_setting_max_context_size)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("outputs of the run exceed %d kB together", wf_setting_max_context_size),
						errhint("The setting \"workflow.max_context_size\" has the limit.")));
	if (bytes > 0)
	{
		copy = MemoryContextAllocHuge(frame->memory, bytes);
		memcpy(copy, outcome->output, bytes);
	}
	frame->open->retired = state->output;
	run->context_bytes += bytes - state->bytes;
	state->status = NODE_COMPLETED;
	state->routed = false;
	state->port = node->ports[outcome->port];
	state->seq = frame->open->seq;
	state->output = copy;
	state->error = NULL;
	state->bytes = bytes;
}

/* Which outgoing edges are live: those at a live port whose condition holds. Throws WF008. */
void
wf_attempt_resolve_edges(Frame *frame, const WfNode *node, int port, const Bitmapset *more_ports)
{
	OpenStep   *open = frame->open;
	const NodeState *state = &frame->activation->nodes[node->index];

	if (node->n_out == 0)
	{
		open->live = NULL;
		return;
	}
	open->live = palloc(sizeof(bool) * node->n_out);
	for (int i = 0; i < node->n_out; i++)
	{
		const WfEdge *edge = node->out[i];

		open->live[i] = edge->port == port || (more_ports != NULL && bms_is_member(edge->port, more_ports));
		if (open->live[i] && edge->prepared != NULL)
		{
			StepScope	scope;
			JsonbValue	output;

			if (state->output == NULL)
				wf_json_set_null(&output);
			else
				wf_json_root(state->output, &output);
			wf_scope_begin(&scope, frame->activation->run, frame, &output);
			open->live[i] = wf_expr_test(edge->prepared, &scope.base);
		}
	}
}

static bool
is_wired(const WfNode *node, int port)
{
	for (int i = 0; i < node->n_out; i++)
		if (node->out[i]->port == port)
			return true;
	return false;
}

/* The mocked outcome of a node, if the options have one. */
static bool
mocked(Run *run, Frame *frame, const WfNode *node, WfOutcome *outcome)
{
	JsonbValue	mocks;
	JsonbValue	mock;
	JsonbValue	member;
	char	   *text;

	if (run->options.mocks == NULL || frame->activation != run->root)
		return false;
	wf_json_root(run->options.mocks, &mocks);
	if (!wf_json_field(&mocks, node->id, &mock))
		return false;
	memset(outcome, 0, sizeof(*outcome));
	if (wf_json_field(&mock, "$error", &member))
	{
		text = wf_json_get_cstring(&member, "message");
		outcome->kind = WF_OUTCOME_FAIL;
		outcome->error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "%s", text != NULL ? text : "mocked error");
		text = wf_json_get_cstring(&member, "code");
		if (text != NULL)
			outcome->error->code = text;
		return true;
	}
	outcome->kind = WF_OUTCOME_DONE;
	if (wf_json_field(&mock, "$port", &member) && (text = wf_json_cstring(&member)) != NULL)
	{
		outcome->port = wf_block_port(node, text);
		if (outcome->port < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mock of node \"%s\" names the unknown port \"%s\"", node->id, text)));
		if (!wf_json_field(&mock, "output", &mock))
			wf_json_set_null(&mock);
	}
	outcome->output = wf_json_copy(&mock);
	return true;
}

/* Executes or resumes the open step; a failure is thrown or returned. */
static WfOutcome
call_block(Run *run, Frame *frame, const WfReply *reply)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	WfOutcome	outcome;

	if (reply != NULL)
		outcome = node->block->resume(&open->step, reply);
	else if (node->disabled)
	{
		outcome = (WfOutcome) {.kind = WF_OUTCOME_DONE, .port = 0, .output = wf_json_copy(&open->step.input)};
	}
	else if (!mocked(run, frame, node, &outcome))
		outcome = node->block->execute(&open->step);

	if (outcome.kind == WF_OUTCOME_DONE && outcome.port > 0 && strcmp(node->ports[outcome.port], "timeout") == 0 &&
		!is_wired(node, outcome.port))
	{
		outcome.kind = WF_OUTCOME_FAIL;
		outcome.error = wf_error_make(WF_ERRCODE_NODE_TIMEOUT, "Wire the port \"timeout\" to handle it.",
									  "node \"%s\" timed out", node->id);
	}
	if (outcome.kind == WF_OUTCOME_DONE)
	{
		wf_attempt_store(run, frame, node, &outcome);
		wf_attempt_resolve_edges(frame, node, outcome.port, outcome.more_ports);
	}
	else if (outcome.kind == WF_OUTCOME_ENTER)
		wf_frame_check_depth(frame);
	else if (outcome.kind == WF_OUTCOME_CALL || (outcome.kind == WF_OUTCOME_WAIT &&
												 (outcome.wait.kind == WF_WAIT_RUN || outcome.wait.kind == WF_WAIT_NOTHING)))
	{
		const WfCall *call = outcome.kind == WF_OUTCOME_CALL ? &outcome.call : &outcome.wait.call;

		open->finding = true;
		wf_frame_check_depth(frame);
		wf_run_check_callee(run, call->workflow);
		open->callee = wf_engine_find(&run->tenant, call->workflow, call->version);
		wf_run_hold(run, open->callee);
		if (call->version > 0 && run->mode != WF_RUN_DRY)
			wf_engine_require_approved(open->callee);
		open->finding = false;
	}
	return outcome;
}

static TimestampTz
nearest_deadline(Run *run, Frame *frame)
{
	TimestampTz nearest = run->deadline;

	if (frame->deadline != 0 && (nearest == 0 || frame->deadline < nearest))
		nearest = frame->deadline;
	if (frame->open->deadline != 0 && (nearest == 0 || frame->open->deadline < nearest))
		nearest = frame->open->deadline;
	return nearest;
}

/* Whether the step is over time although nothing in it was cancelled. */
static bool
is_late(Run *run, Frame *frame)
{
	return wf_deadline_is_past(nearest_deadline(run, frame));
}

bool
wf_attempt_guarded(Run *run, Frame *frame, WfWork work, void *arg, Failure *failure)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile caught = NULL;
	volatile TimestampTz armed = wf_deadline_arm(0);

	memset(failure, 0, sizeof(*failure));
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(run->step_memory);
	PG_TRY();
	{
		armed = wf_deadline_arm(nearest_deadline(run, frame));
		work(run, frame, arg);
		wf_deadline_restore(armed);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->step_memory);
		caught = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(run->step_memory);
	CurrentResourceOwner = owner;
	if (caught == NULL)
		return true;
	PG_TRY();
	{
		failure_of(run, frame, caught, failure);
	}
	PG_FINALLY();
	{
		wf_deadline_restore(armed);
	}
	PG_END_TRY();
	return false;
}

typedef struct Call
{
	const WfReply *reply;
	WfOutcome  *outcome;
	bool		late;
} Call;

/* A block's returned failure is raised, so that its effects are undone as those of a thrown one. */
static void
call_work(Run *run, Frame *frame, void *arg)
{
	Call	   *call = arg;

	*call->outcome = call_block(run, frame, call->reply);
	if (call->outcome->kind == WF_OUTCOME_FAIL)
		wf_error_raise(call->outcome->error);
	call->late = is_late(run, frame);
	if (call->late)
		ereport(ERROR, (errcode(WF_ERRCODE_NODE_TIMEOUT), errmsg("node \"%s\" timed out", frame->open->node->id)));
}

/* The attempt of a step that nobody guards: errors pass. */
static bool
attempt_unguarded(Run *run, Frame *frame, const WfReply *reply, WfOutcome *outcome, Failure *failure)
{
	TimestampTz armed = wf_deadline_arm(nearest_deadline(run, frame));

	memset(failure, 0, sizeof(*failure));
	*outcome = call_block(run, frame, reply);
	wf_deadline_restore(armed);
	if (is_late(run, frame) && wf_attempt_deadline(run, frame, failure))
		return false;
	if (outcome->kind != WF_OUTCOME_FAIL)
		return true;
	failure->error = outcome->error;
	return false;
}

bool
wf_attempt(Run *run, Frame *frame, const WfReply *reply, WfOutcome *outcome, Failure *failure)
{
	Call		call = {reply, outcome, false};

	if (!wf_attempt_is_guarded(frame))
		return attempt_unguarded(run, frame, reply, outcome, failure);
	outcome->kind = WF_OUTCOME_DONE;
	outcome->error = NULL;
	if (wf_attempt_guarded(run, frame, call_work, &call, failure))
		return true;
	if (call.late && wf_attempt_deadline(run, frame, failure))
		return false;
	/* as the block gave it: with its own code and details */
	if (outcome->kind == WF_OUTCOME_FAIL && failure->frame == NULL && !failure->ends_run && outcome->error != NULL &&
		outcome->error->sqlstate == failure->error->sqlstate)
		failure->error = outcome->error;
	return false;
}
