/*
 * failure.c: what becomes of a failure.
 *
 * It is tried again by the node's policy, answered by onErrorValue, routed to the error port, or handed to the
 * container, which may take it or fail in turn; what nobody takes ends the run. A run's time-out is taken by nobody.
 */
#include "postgres.h"

#include "engine/attempt.h"
#include "engine/enter.h"
#include "engine/failure.h"
#include "engine/frame.h"
#include "engine/park.h"
#include "engine/scope.h"
#include "engine/step.h"
#include "utils/memutils.h"

/* Ends the run with an error that no handler may take, or that none took. */
void
wf_fail_run(Run *run, WfError *error)
{
	run->error = error;
	wf_error_raise(error);
}

static void pass_on(Run *run, Frame *frame, WfError *error);

/* What `$node` tells of a node that failed; `port` -1: its container is asked what to do. */
static void
store_failure(Frame *frame, const WfNode *node, Jsonb *error, Jsonb *output, int port, bool routed)
{
	NodeState  *state = &frame->activation->nodes[node->index];

	frame->open->retired = NULL;
	frame->activation->run->context_bytes -= state->bytes;
	state->status = NODE_FAILED;
	state->routed = routed;
	state->port = port < 0 ? NULL : node->ports[port];
	state->seq = frame->open->seq;
	state->error = error;
	state->output = output;
	state->bytes = 0;
}

/* onErrorValue with `$error`, in frame memory. */
static Jsonb *
error_value(Frame *frame, const WfNode *node, Jsonb *error)
{
	OpenStep   *open = frame->open;
	const WfPrepared *prepared = node->prepared;
	JsonbValue	value;
	MemoryContext old;
	Jsonb	   *copy;

	if (prepared->on_error_value == NULL)
		return NULL;
	open->scope.error = error;
	wf_template_eval(prepared->on_error_value, &open->scope.base, &value);
	old = MemoryContextSwitchTo(frame->memory);
	copy = wf_json_copy(&value);
	MemoryContextSwitchTo(old);
	return copy;
}

/* How a failure is answered. */
typedef struct Answer
{
	Jsonb	   *error;			/* in frame memory */
	int			port;
	bool		routed;			/* to the error port, the error as output; else onErrorValue is the output */
} Answer;

static void
answer(Run *run, Frame *frame, void *arg)
{
	Answer	   *a = arg;
	const WfNode *node = frame->open->node;
	Jsonb	   *output = a->routed ? a->error : error_value(frame, node, a->error);

	store_failure(frame, node, a->error, output, a->port, a->routed);
	wf_attempt_resolve_edges(frame, node, a->port, NULL);
}

/* Goes on after a failure at `port`; when the answer fails in turn, the container has to take that. */
static void
settle_failed(Run *run, Frame *frame, WfError *error, int port, bool routed)
{
	const WfNode *node = frame->open->node;
	MemoryContext old = MemoryContextSwitchTo(frame->memory);
	Answer		a = {wf_error_to_json(error), port, routed};
	Failure		failure;

	MemoryContextSwitchTo(old);
	if (routed)
		frame->error = a.error;
	if (!wf_attempt_guarded(run, frame, answer, &a, &failure))
	{
		error = wf_error_copy(failure.error, run->memory);
		wf_attempt_place_error(error, frame->open);
		if (failure.ends_run)
			wf_fail_run(run, error);
		pass_on(run, frame, error);
		return;
	}
	wf_step_journal(run, frame, "failed", node->ports[port], frame->activation->nodes[node->index].output, a.error);
	wf_step_close(frame);
}

/* A failure that the node itself does not handle: its container does, or the run ends. */
static void
pass_on(Run *run, Frame *frame, WfError *error)
{
	WfReply		reply = {0};
	MemoryContext old;
	Jsonb	   *json;

	if (frame->parent == NULL || !wf_attempt_is_guarded(frame))
		wf_fail_run(run, error);
	old = MemoryContextSwitchTo(frame->memory);
	json = wf_error_to_json(error);
	MemoryContextSwitchTo(old);
	store_failure(frame, frame->open->node, json, NULL, -1, false);
	wf_step_journal(run, frame, "failed", NULL, NULL, json);
	wf_step_forget(frame);
	reply.failed = true;
	reply.error = error;
	wf_json_set_null(&reply.output);
	wf_step_resume_parent(run, frame, &reply);
}

/* The failure was a container's deadline: what runs within is cancelled. */
static void
handle_container_timeout(Run *run, Failure *failure)
{
	Frame	   *frame = failure->frame;
	Frame	   *container = frame->parent;
	WfReply		reply = {0};

	if (frame->node_deadline)
	{
		Failure		of_node = {.error = failure->error};

		wf_leave_until(run, container, false);
		wf_handle_failure(run, container, &of_node);
		return;
	}
	wf_leave_until(run, frame, false);
	wf_leave_step(run, false);
	reply.failed = true;
	reply.timed_out = true;
	reply.error = failure->error;
	wf_json_set_null(&reply.output);
	wf_step_resume_parent(run, frame, &reply);
}

void
wf_handle_frame_failure(Run *run, Frame *frame)
{
	WfReply		reply = {.failed = true, .error = frame->failure};

	if (frame->parent == NULL)
		wf_fail_run(run, frame->failure);
	wf_json_set_null(&reply.output);
	wf_step_resume_parent(run, frame, &reply);
}

void
wf_handle_failure(Run *run, Frame *frame, Failure *failure)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	/* a block's own error is in step memory, which the next attempt resets */
	WfError    *error = wf_error_copy(failure->error, run->memory);

	wf_attempt_place_error(error, open);
	if (failure->ends_run)
		wf_fail_run(run, error);
	if (failure->frame != NULL)
	{
		failure->error = error;
		handle_container_timeout(run, failure);
		return;
	}
	wf_enter_end_span(run, frame, false);
	wf_park_drop_within(run, open);
	if (!run->undoing && wf_policy_retries(node, error, open->attempt, open->first_started_at))
	{
		int64		delay_ms = wf_policy_delay_ms(frame);

		wf_step_journal(run, frame, "retrying", NULL, NULL, wf_error_to_json(error));
		if (delay_ms > 0 && wf_park_can(run))
		{
			wf_park_retry(run, frame, delay_ms);
			return;
		}
		wf_policy_wait(run, frame, delay_ms);
		open->attempt++;
		run->retry = true;
		return;
	}
	open->deadline = 0;			/* it was the attempt's, not the answer's */
	if (node->on_error == WF_ON_ERROR_CONTINUE)
		settle_failed(run, frame, error, 0, false);
	else if (node->error_wired)
		settle_failed(run, frame, error, node->error_port, true);
	else
		pass_on(run, frame, error);
}
