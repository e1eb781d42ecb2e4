/*
 * park.c: steps that wait, and the paths to them.
 *
 * 1. A step that waits leaves `open` for the list `parked` of its frame, and the frame goes on with its other ready
 *    nodes. When it has none, its container waits too: a block that can have several regions at once (WF_BLOCK_CONCURRENT)
 *    is asked for another one, any other is parked. When that reaches the top the run is suspended.
 * 2. What a step waits for is written at once, in whatever subtransaction spans it: if that is rolled back, so is it.
 * 3. A path that is parked holds no subtransaction and no search path: it is about to be committed. Going back to it
 *    (wf_park_go_to) sets both up again, from the top downwards.
 * 4. A step that is given up takes all below it along: waits, tasks, child runs.
 *
 * A wait is due at the nearest of its own time and the deadlines around it; which of them it was is decided by what has
 * passed when it is looked at (turn.c).
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/enter.h"
#include "engine/frame.h"
#include "engine/mail.h"
#include "engine/park.h"
#include "engine/request.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/task.h"
#include "miscadmin.h"
#include "store/request.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

bool
wf_park_can(const Run *run)
{
	if (run->mode == WF_RUN_RAISE || run->undoing || run->compiled->graph->settings.atomic)
		return false;
	return run->is_background || run->mode == WF_RUN_DRY || wf_wake_available();
}

static void
require_suspendable(const Run *run, const WfNode *node)
{
	if (wf_park_can(run))
		return;
	if (run->mode == WF_RUN_RAISE)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("node \"%s\" waits, which a call cannot", node->id),
						errhint("Use wf_run() or wf_start(): their runs go on in the background.")));
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("node \"%s\" waits, and there are no workers that could go on with the run", node->id),
					errhint("Add workflow to shared_preload_libraries and restart the server.")));
}

/* -- parking -- */

/* The open step gets memory of its own, so that the frame can have another one. */
static OpenStep *
detach(Frame *frame)
{
	OpenStep   *step = frame->open;

	if (step != &frame->scratch)
		return step;
	step = MemoryContextAlloc(frame->memory, sizeof(OpenStep));
	*step = frame->scratch;
	step->step.scope = &step->scope.base;
	return step;
}

void
wf_park_open(Run *run, Frame *frame)
{
	OpenStep   *step = detach(frame);
	MemoryContext old = MemoryContextSwitchTo(frame->memory);

	Assert(!step->spans || step->waits == STEP_HOLDS);
	frame->parked = lappend(frame->parked, step);
	MemoryContextSwitchTo(old);
	wf_enter_end_span(run, frame, true);
	frame->open = NULL;
}

void
wf_park_frame(Run *run)
{
	Frame	   *frame = run->frame;
	Frame	   *parent = frame->parent;
	WfReply		reply = {.blocked = true, .region = -1};

	if (parent == NULL)
	{
		run->suspended = true;
		return;
	}
	if (frame->activation != parent->activation)
		wf_activation_leave(frame->activation);
	run->frame = parent;
	wf_enter_end_span(run, parent, true);
	if ((parent->open->node->block->flags & WF_BLOCK_CONCURRENT) == 0)
	{
		parent->open->waits = STEP_HOLDS;
		wf_park_open(run, parent);
		return;
	}
	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_json_set_null(&reply.output);
	for (int i = 0; i < parent->open->node->n_regions; i++)
		if (parent->open->node->regions[i] == frame->region->index)
			reply.region = i;
	reply.index = frame->index;
	wf_step_perform(run, parent, &reply);
}

/* -- waiting -- */

TimestampTz
wf_park_wake_at(const Run *run, const Frame *frame, const OpenStep *step)
{
	TimestampTz at = step->wait_until;

	if (run->deadline != 0 && (at == 0 || run->deadline < at))
		at = run->deadline;
	if (frame->deadline != 0 && (at == 0 || frame->deadline < at))
		at = frame->deadline;
	if (step->waits != STEP_RETRY && step->deadline != 0 && (at == 0 || step->deadline < at))
		at = step->deadline;
	return at;
}

static const char *
kind_of(const OpenStep *step)
{
	switch (step->waits)
	{
		case STEP_TIME:
			return "time";
		case STEP_EVENT:
			return "event";
		case STEP_TASK:
			return "task";
		case STEP_CHILD:
			return "child";
		case STEP_RETRY:
			return "retry";
		case STEP_REQUEST:
			return "request";
		case STEP_HOLDS:
		case STEP_RUNS:
			break;
	}
	return "child";
}

void
wf_park_put_wait(Run *run, const Frame *frame, const OpenStep *step)
{
	WfWaitRow	row = {0};

	row.tenant_id = run->tenant.tenant_id;
	row.run_id = run->run_id;
	row.step = step->seq;
	row.kind = kind_of(step);
	row.wake_at = wf_park_wake_at(run, frame, step);
	row.role = run->role;
	row.priority = run->priority;
	row.event = step->event;
	row.correlation = step->correlation;
	wf_store_put_wait(&row);
	WF_FAULT("park.wait");
	run->has_rows = true;
}

/* Detached runs are started and forgotten. */
static void
start_detached(Run *run, Frame *frame, const WfWait *wait, WfReply *reply)
{
	OpenStep   *open = frame->open;
	pg_uuid_t	run_id = wf_start_child(run, open->callee, &wait->call.input, NULL);
	JsonbValue	id;
	char	   *text = wf_engine_uuid_text(&run_id);

	wf_json_set_string(&id, text, strlen(text));
	wf_json_root(wf_mail_object1("run_id", &id), &reply->output);
}

/* The request is sent, and nobody looks at the answer. */
static void
send_and_forget(Run *run, Frame *frame, const WfWait *wait, WfReply *reply)
{
	pg_uuid_t	request_id = wf_request_insert(run, frame, wait);
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_bool(w, "queued", true);
	wf_json_put_field_cstring(w, "request_id", wf_engine_uuid_text(&request_id));
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &reply->output);
}

/* What this step waits for is the frame's to keep. */
static char *
keep(Frame *frame, const char *text)
{
	return text == NULL ? NULL : MemoryContextStrdup(frame->memory, text);
}

static void
begin_wait(Run *run, Frame *frame, const WfWait *wait)
{
	OpenStep   *open = frame->open;

	open->wait_until = wait->until;
	switch (wait->kind)
	{
		case WF_WAIT_TIME:
			open->waits = STEP_TIME;
			break;
		case WF_WAIT_EVENT:
			open->waits = STEP_EVENT;
			open->event = keep(frame, wait->event);
			open->correlation = keep(frame, wait->correlation);
			break;
		case WF_WAIT_TASK:
			open->waits = STEP_TASK;
			wf_task_insert(run, frame, wait);
			break;
		case WF_WAIT_RUN:
			{
				RunParent	parent = {.run_id = run->run_id, .step = open->seq, .role = run->role,
				.priority = run->priority, .region = -1};

				open->waits = STEP_CHILD;
				open->child = wf_start_child(run, open->callee, &wait->call.input, &parent);
				break;
			}
		case WF_WAIT_REQUEST:
			open->waits = STEP_REQUEST;
			open->child = wf_request_insert(run, frame, wait);
			break;
		case WF_WAIT_NOTHING:
			break;
	}
}

/* Does the called workflow take no such input? Then that is what came of the call. */
static bool
refuses_input(Run *run, const Frame *frame, const WfWait *wait, WfReply *reply)
{
	const WfNode *start = wf_frame_start_node(frame->open->callee->graph, NULL, true, "workflow");
	MemoryContext old = MemoryContextSwitchTo(frame->memory);

	reply->error = start == NULL ? NULL : wf_block_check_input(start, &wait->call.input);
	reply->failed = reply->error != NULL;
	MemoryContextSwitchTo(old);
	return reply->failed;
}

bool
wf_park_wait(Run *run, Frame *frame, const WfWait *wait, WfReply *reply)
{
	OpenStep   *open = frame->open;

	if (wait->kind == WF_WAIT_TIME && wait->until != 0 && wf_deadline_is_past(wait->until))
		return true;
	if (wait->kind == WF_WAIT_EVENT && wf_mail_has_come(run, wait->event, wait->correlation, &reply->output))
		return true;
	if ((wait->kind == WF_WAIT_NOTHING || wait->kind == WF_WAIT_RUN) && refuses_input(run, frame, wait, reply))
		return true;
	if (wait->kind == WF_WAIT_NOTHING)
	{
		start_detached(run, frame, wait, reply);
		return true;
	}
	if (wait->kind == WF_WAIT_REQUEST && wait->request->at_once)
	{
		wf_request_perform_now(run, frame, wait, reply);
		return true;
	}
	if (wait->kind == WF_WAIT_REQUEST && wait->request->forget)
	{
		send_and_forget(run, frame, wait, reply);
		return true;
	}
	require_suspendable(run, open->node);
	begin_wait(run, frame, wait);
	wf_park_put_wait(run, frame, open);
	wf_park_open(run, frame);
	return false;
}

void
wf_park_retry(Run *run, Frame *frame, int64 delay_ms)
{
	OpenStep   *open = frame->open;

	open->waits = STEP_RETRY;
	open->wait_until = TimestampTzPlusMilliseconds(wf_clock_now(), delay_ms);
	WF_FAULT("park.retry");
	wf_park_put_wait(run, frame, open);
	wf_park_open(run, frame);
}

/* -- going back -- */

static OpenStep *
find_in(Frame *frame, int seq, Frame **found)
{
	ListCell   *cell;
	ListCell   *inner;

	foreach(cell, frame->parked)
	{
		OpenStep   *step = lfirst(cell);

		if (step->seq == seq)
		{
			*found = frame;
			return step;
		}
		foreach(inner, step->frames)
		{
			OpenStep   *within = find_in(lfirst(inner), seq, found);

			if (within != NULL)
				return within;
		}
	}
	return NULL;
}

OpenStep *
wf_park_find(Run *run, int seq, Frame **frame)
{
	return find_in(run->frame, seq, frame);
}

static void
unpark(Frame *frame, OpenStep *step)
{
	Assert(frame->open == NULL);
	frame->parked = list_delete_ptr(frame->parked, step);
	step->waits = STEP_RUNS;
	frame->open = step;
}

void
wf_park_go_to(Run *run, Frame *frame, OpenStep *step)
{
	if (frame->parent != NULL && run->frame != frame)
	{
		/* the depth of frames is bounded by workflow.max_depth */
		wf_park_go_to(run, frame->parent, frame->parent_step);
		wf_enter_begin_span(run, frame->parent_step);
		if (frame->activation != frame->parent->activation)
			wf_activation_enter(frame->activation);
	}
	run->frame = frame;
	unpark(frame, step);
}

/* -- giving up -- */

static void drop_frame(Run *run, Frame *frame);

void
wf_park_withdraw(Run *run, OpenStep *step)
{
	ListCell   *cell;

	switch (step->waits)
	{
		case STEP_TASK:
			wf_store_close_task(&run->tenant.tenant_id, &run->run_id, step->seq,
								step->wait_until != 0 && wf_deadline_is_past(step->wait_until) ? "expired" : "cancelled");
			break;
		case STEP_CHILD:
			wf_mail_cancel(run, &step->child);
			break;
		case STEP_REQUEST:
			(void) wf_store_drop_requests(&run->tenant.tenant_id, &run->run_id, step->seq);
			break;
		default:
			break;
	}
	if (step->waits != STEP_HOLDS && step->waits != STEP_RUNS)
		wf_store_delete_wait(&run->tenant.tenant_id, &run->run_id, step->seq);
	foreach(cell, step->spawned)
		wf_mail_cancel(run, &((Spawned *) lfirst(cell))->run_id);
	step->spawned = NIL;
}

void
wf_park_drop_within(Run *run, OpenStep *open)
{
	while (open->frames != NIL)
	{
		Frame	   *child = llast(open->frames);

		open->frames = list_delete_last(open->frames);
		drop_frame(run, child);
	}
	wf_park_withdraw(run, open);
}

void
wf_park_drop_parked(Run *run, Frame *frame)
{
	while (frame->parked != NIL)
	{
		OpenStep   *step = llast(frame->parked);

		frame->parked = list_delete_last(frame->parked);
		wf_park_drop_within(run, step);
		frame->open = step;
		wf_step_journal(run, frame, "cancelled", NULL, NULL, NULL);
		wf_step_forget(frame);
	}
}

static void
drop_frame(Run *run, Frame *frame)
{
	wf_park_drop_parked(run, frame);
	if (frame->parent != NULL && frame->parent->activation != frame->activation)
		wf_activation_give_back(frame->activation);
}

/* -- looking -- */

static void
each_in(Run *run, Frame *frame, void (*visit) (Run *run, Frame *frame, OpenStep *step, void *arg), void *arg)
{
	ListCell   *cell;
	ListCell   *inner;

	foreach(cell, frame->parked)
	{
		OpenStep   *step = lfirst(cell);

		foreach(inner, step->frames)
			each_in(run, lfirst(inner), visit, arg);
		visit(run, frame, step, arg);
	}
}

void
wf_park_each(Run *run, void (*visit) (Run *run, Frame *frame, OpenStep *step, void *arg), void *arg)
{
	each_in(run, run->frame, visit, arg);
}
