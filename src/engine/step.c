/*
 * step.c: executing nodes.
 *
 * wf_step_advance takes ready nodes of the innermost frame, one after another. A node's execution is an attempt; what it
 * gives is an outcome: done, returned, or, for containers and callers, another frame to run first; or a failure
 * (failure.c). When a frame is done, the step that it ran for is resumed with its result. Nothing recurses with the
 * data: a retry and a next round are taken up by wf_step_advance again.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/wake.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/enter.h"
#include "engine/failure.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/park.h"
#include "engine/scope.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/undo.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static void handle_outcome(Run *run, Frame *frame, const WfOutcome *outcome);

void
wf_step_perform(Run *run, Frame *frame, const WfReply *reply)
{
	OpenStep   *open = frame->open;
	WfOutcome	outcome = {0};
	Failure		failure;

	open->scope.has_run = false;	/* it was in step memory, and counts have changed */
	if (run->is_background)
		wf_wake_executing(&run->run_id, open->node->id);
	if (wf_attempt(run, frame, reply, &outcome, &failure))
		handle_outcome(run, frame, &outcome);
	else if (open->finding && failure.frame == NULL && !failure.ends_run && wf_attempt_catches_call(open->node))
	{
		/* the workflow to call is not there: to its caller that is a call that failed */
		WfReply		not_found = {.failed = true};

		open->finding = false;
		not_found.error = wf_error_copy(failure.error, run->memory);
		wf_attempt_place_error(unconstify(WfError *, not_found.error), open);
		wf_json_set_null(&not_found.output);
		wf_step_perform(run, frame, &not_found);
	}
	else
		wf_handle_failure(run, frame, &failure);
}

/* -- beginning a step -- */

/* `$input`: the output of the one live predecessor, or an object of several; arrivals for merge. */
void
wf_step_gather_input(Frame *frame)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	Slot	   *slot = wf_frame_slot(frame, node->index);
	WfEdge	  **edges = wf_frame_arrivals(frame, node->index);
	const WfGraph *graph = frame->activation->compiled->graph;
	WfArrival  *arrivals;
	WfJsonWriter *w;

	if (slot->n_arrivals == 0)
	{
		open->step.input = frame->input;
		open->input_from = frame->input_from;
		return;
	}
	arrivals = MemoryContextAlloc(open->memory, sizeof(WfArrival) * slot->n_arrivals);
	for (int i = 0; i < slot->n_arrivals; i++)
	{
		const NodeState *state = &frame->activation->nodes[edges[i]->source];

		arrivals[i].source = &graph->nodes[edges[i]->source];
		if (state->output == NULL)
			wf_json_set_null(&arrivals[i].output);
		else
			wf_json_root(state->output, &arrivals[i].output);
	}
	open->step.n_arrivals = slot->n_arrivals;
	open->step.arrivals = arrivals;
	if (slot->n_arrivals == 1)
	{
		open->step.input = arrivals[0].output;
		open->input_from = frame->activation->nodes[edges[0]->source].seq;
		return;
	}
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	for (int i = 0; i < slot->n_arrivals; i++)
		wf_json_put_field(w, arrivals[i].source->id, &arrivals[i].output);
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &open->step.input);
	open->input_from = -1;
}

/* What an attempt sees. All of it but a container's input is in step memory, and so is made again for each. */
static void
prepare_attempt(Run *run, Frame *frame)
{
	OpenStep   *open = frame->open;

	if (open->attempt == 1 || open->memory == run->step_memory)
	{
		MemoryContextSwitchTo(open->memory);
		wf_step_gather_input(frame);
		MemoryContextSwitchTo(run->step_memory);
	}
	open->step.secret_nonce[0] = '\0';
	open->step.secret_names = NIL;
	wf_scope_begin_step(run, frame, open);
}

static void
begin_attempt(Run *run, Frame *frame)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;

	open->seq = 0;
	open->seq = wf_journal_next(run);
	open->started_at = wf_clock_now();
	if (open->attempt == 1)
		open->first_started_at = open->started_at;
	open->deadline = node->timeout_ms > 0 ? open->started_at + node->timeout_ms * 1000 : 0;
	open->step.attempt = open->attempt;
	open->step.state = NULL;
	open->log = NIL;
	open->wrote = NULL;
	open->retired = NULL;
	wf_step_perform(run, frame, NULL);
}

void
wf_step_fill(Run *run, Frame *frame, OpenStep *open, const WfNode *node)
{
	const WfPrepared *prepared = node->prepared;

	open->node = node;
	open->memory = node->block->resume == NULL ? run->step_memory :
		AllocSetContextCreate(frame->memory, "workflow container", ALLOCSET_SMALL_SIZES);
	open->step.node = node;
	open->step.graph = frame->activation->compiled->graph;
	open->step.prepared = prepared->own;
	open->step.config = prepared->config;
	open->step.dry_run = run->mode == WF_RUN_DRY;
	open->step.memory = run->step_memory;
	open->step.state_memory = open->memory;
	open->step.ops = &wf_step_ops;
}

static void
begin_step(Run *run, Frame *frame, const WfNode *node)
{
	OpenStep   *open = &frame->scratch;

	MemoryContextReset(run->step_memory);
	if (node->block->resume != NULL)
		open = MemoryContextAlloc(frame->memory, sizeof(OpenStep));
	memset(open, 0, sizeof(*open));
	frame->open = open;
	open->attempt = 1;
	frame->activation->nodes[node->index].count++;
	wf_step_fill(run, frame, open, node);
	if (run->is_background && (node->block->flags & WF_BLOCK_PURE) == 0)
		wf_wake_executing(&run->run_id, node->id);
	prepare_attempt(run, frame);
	begin_attempt(run, frame);
}

/* -- settling a step -- */

void
wf_step_journal(Run *run, Frame *frame, const char *status, const char *port, Jsonb *output, Jsonb *error)
{
	OpenStep   *open = frame->open;
	JournalEntry entry = {0};

	if (open->seq == 0)
		return;					/* it met the limit on steps before it had begun */
	entry.seq = open->seq;
	entry.node = open->node;
	entry.path = frame->path;
	entry.status = status;
	entry.port = port;
	entry.attempt = open->attempt;
	entry.input_from = open->input_from;
	entry.input = &open->step.input;
	entry.output = output;
	entry.error = error;
	entry.started_at = open->started_at;
	entry.log = open->log;
	entry.wrote = open->wrote;
	wf_journal_add(run, &entry);
}

void
wf_step_forget(Frame *frame)
{
	OpenStep   *open = frame->open;

	if (open->memory != frame->activation->run->step_memory)
		MemoryContextDelete(open->memory);
	if (open != &frame->scratch)
		pfree(open);
	frame->open = NULL;
}

/* The step is over: its memory is given back, its edges are resolved. */
void
wf_step_close(Frame *frame)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	const bool *live = open->live;	/* in step memory */

	if (open->retired != NULL)
		pfree(open->retired);
	if (frame->activation->old_vars != NIL)
		wf_activation_forget_vars(frame->activation);
	wf_step_forget(frame);
	wf_frame_finish_node(frame, node, live);
}

static void
settle_done(Run *run, Frame *frame, const WfOutcome *outcome)
{
	const WfNode *node = frame->open->node;
	NodeState  *state = &frame->activation->nodes[node->index];

	wf_park_drop_within(run, frame->open);
	wf_enter_end_span(run, frame, true);
	wf_undo_note(run, frame);
	wf_step_journal(run, frame, node->disabled ? "skipped" : run->undoing ? "compensated" : "completed", node->ports[outcome->port], state->output, NULL);
	wf_step_close(frame);
}

/* Which of the container's regions the frame executes; -1: a called workflow's. */
static int
region_of(const Frame *child)
{
	const WfNode *node = child->parent_step->node;

	for (int i = 0; i < node->n_regions && child->activation == child->parent->activation; i++)
		if (node->regions[i] == child->region->index)
			return i;
	return -1;
}

void
wf_step_resume_parent(Run *run, Frame *child, WfReply *reply)
{
	Frame	   *parent = child->parent;

	reply->region = region_of(child);
	reply->index = child->index;
	wf_leave_frame(run);
	if (reply->failed && wf_attempt_catches_call(parent->open->node))
		wf_enter_end_span(run, parent, false);
	wf_step_perform(run, parent, reply);
}

static void
end_run(Run *run, const JsonbValue *output)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->output = wf_json_copy(output);
	run->ended = true;
	MemoryContextSwitchTo(old);
}

/* Every node of the innermost frame is done. */
static void
end_frame(Run *run)
{
	Frame	   *frame = run->frame;
	WfReply		reply = {0};

	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_frame_result(frame, &reply.output);
	if (frame->parent == NULL)
		end_run(run, &reply.output);
	else
		wf_step_resume_parent(run, frame, &reply);
}

/* A `return` ends its graph: the run, or the inline subworkflow. */
static void
settle_return(Run *run, Frame *frame, const WfOutcome *outcome)
{
	Activation *activation = frame->activation;
	Frame	   *top = frame;
	WfOutcome	done = *outcome;
	WfReply		reply = {0};

	done.kind = WF_OUTCOME_DONE;
	done.port = 0;
	wf_attempt_store(run, frame, frame->open->node, &done);
	wf_step_journal(run, frame, "completed", NULL, frame->activation->nodes[frame->open->node->index].output, NULL);
	if (outcome->output != NULL)
		wf_json_root(outcome->output, &reply.output);
	else
		wf_json_set_null(&reply.output);
	wf_park_drop_within(run, frame->open);
	wf_step_forget(frame);
	while (top->parent != NULL && top->parent->activation == activation)
		top = top->parent;
	wf_leave_until(run, top, true);
	wf_leave_step(run, true);
	if (top->parent == NULL)
	{
		end_run(run, &reply.output);
		wf_leave_frame(run);
	}
	else
		wf_step_resume_parent(run, top, &reply);
}

/* The open step gets its reply from wf_step_advance: a container may enter any number of regions one after another. */
static void
resume_soon(Run *run, const WfReply *reply)
{
	run->reply = *reply;
	run->has_reply = true;
}

static void
handle_outcome(Run *run, Frame *frame, const WfOutcome *outcome)
{
	WfReply		reply = {.region = -1};

	wf_json_set_null(&reply.output);
	switch (outcome->kind)
	{
		case WF_OUTCOME_DONE:
			settle_done(run, frame, outcome);
			return;
		case WF_OUTCOME_ENTER:
			if (!outcome->enter.spawn)
			{
				wf_enter_region(run, frame, &outcome->enter);
				return;
			}
			wf_spawn_region(run, frame, &outcome->enter);
			reply.blocked = true;
			reply.region = outcome->enter.region;
			reply.index = outcome->enter.index;
			resume_soon(run, &reply);
			return;
		case WF_OUTCOME_CALL:
			wf_enter_workflow(run, frame, &outcome->call);
			return;
		case WF_OUTCOME_RETURN:
			settle_return(run, frame, outcome);
			return;
		case WF_OUTCOME_WAIT:
			if (wf_park_wait(run, frame, &outcome->wait, &reply))
				resume_soon(run, &reply);
			return;
		case WF_OUTCOME_BLOCKED:
			frame->open->waits = STEP_HOLDS;
			wf_park_open(run, frame);
			return;
		case WF_OUTCOME_FAIL:
			break;
	}
	elog(ERROR, "unexpected outcome %d of node \"%s\"", (int) outcome->kind, frame->open->node->id);
}

/* -- the run -- */

void
wf_step_advance(Run *run)
{
	while (!run->ended && !run->suspended)
	{
		const WfNode *node;

		CHECK_FOR_INTERRUPTS();
		if (wf_deadline_is_past(run->deadline))
			wf_fail_run(run, wf_attempt_run_timeout(run));
		if (run->retry)
		{
			run->retry = false;
			MemoryContextReset(run->step_memory);
			MemoryContextSwitchTo(run->step_memory);
			prepare_attempt(run, run->frame);
			begin_attempt(run, run->frame);
			continue;
		}
		if (run->has_reply)
		{
			WfReply		reply = run->reply;

			run->has_reply = false;
			if (reply.blocked)
				MemoryContextReset(run->step_memory);	/* of spawning; the reply holds nothing */
			MemoryContextSwitchTo(run->step_memory);
			wf_step_perform(run, run->frame, &reply);
			continue;
		}
		if (run->frame->failure != NULL)
		{
			wf_handle_frame_failure(run, run->frame);
			continue;
		}
		node = wf_frame_next(run->frame);
		if (node != NULL)
			begin_step(run, run->frame, node);
		else if (wf_frame_is_done(run->frame))
			end_frame(run);
		else if (run->frame->parked != NIL)
			wf_park_frame(run);
		else
			elog(ERROR, "no node of the region is ready, though %d are not done", run->frame->n_unresolved);
	}
}

void
wf_step_journal_failure(Run *run, const WfError *error)
{
	Jsonb	   *json = wf_error_to_json(error);

	for (Frame *frame = run->frame; frame != NULL; frame = frame->parent)
		if (frame->open != NULL)
			wf_step_journal(run, frame, "failed", NULL, NULL, json);
}
