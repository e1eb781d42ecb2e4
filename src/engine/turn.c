/*
 * turn.c: what a worker does with a message.
 *
 * 1. A start executes the first segment of a new run. Every other message is for a run that is alive: its row in wf.live is
 *    locked, its tree made again, and the message given to the step that it is for. While the run is suspended again after
 *    that and there are more messages to it, those are given to it in the same segment.
 * 2. Who has the lock of the live row (of the start's row, for a run that has not begun) may change the run; a message
 *    that finds it locked stays where it is (WF_TURN_BUSY).
 * 3. A message may be late or come twice: a step that does not wait for it any more, or an ended run, drops it. Nothing
 *    depends on how often a message comes, but that it comes at all.
 * 4. What cannot be executed at all (the role lost its rights, the version does not compile any more) fails the run with
 *    that error.
 *
 * A message is deleted when it was dealt with, in the same transaction as all that came of it.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "engine/again.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/failure.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/mail.h"
#include "engine/park.h"
#include "engine/save.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/turn.h"
#include "engine/undo.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

/* -- who and what -- */

/* May the role act for the run's tenant? Throws 42501. */
static void
check_tenant(Run *run)
{
	const pg_uuid_t tenant_id = run->tenant.tenant_id;

	if (!wf_store_tenant_of(&tenant_id, &run->tenant))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" is not a member of the run's tenant", GetUserNameFromId(GetUserId(), false)),
						errhint("An admin or owner of the tenant can add the role with wf_grant(). Then wf_retry() goes on with the run.")));
	if ((run->tenant.permissions & WF_WORKFLOW_EXECUTE) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", run->tenant.name),
						errdetail("The permission \"%s\" is missing.", wf_store_permission_name(WF_WORKFLOW_EXECUTE))));
}

/* SQL of the run, and what is compiled, sees the run's tenant as the current one. */
static void
act_for_tenant(const Run *run)
{
	if (strcmp(GetConfigOption("workflow.tenant", false, false), run->tenant.name) != 0)
		(void) set_config_option("workflow.tenant", run->tenant.name, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0,
								 false);
}

static void
prepare_run(Run *run, bool is_ready)
{
	check_tenant(run);
	if (!is_ready)
		act_for_tenant(run);
	run->compiled = wf_engine_find_id(&run->tenant, &run->workflow_id, run->version);
	wf_run_hold(run, run->compiled);
	if (is_ready && run->compiled->touches_database)
		act_for_tenant(run);	/* a setting costs more than the nodes of a run without SQL */
	wf_segment_apply_settings(run);
}

static Run *
new_run(pg_uuid_t tenant_id, pg_uuid_t run_id, Oid role, int priority)
{
	Run		   *run = wf_segment_new_run(WF_RUN_RECORD);

	run->is_background = true;
	run->tenant.tenant_id = tenant_id;
	run->run_id = run_id;
	run->role = role;
	run->priority = priority;
	return run;
}

Run *
wf_turn_run_of_start(const WfMessage *message)
{
	Run		   *run = new_run(message->tenant_id, message->run_id, message->role, message->priority);

	run->workflow_id = message->workflow_id;
	run->version = message->version;
	run->input = message->payload;
	run->queued_at = message->ready_at;
	run->started_at = run->segment_started_at;
	wf_start_read_options(run, message->options);
	return run;
}

Run *
wf_turn_run_of_live(WfLiveRow *live)
{
	Run		   *run = new_run(live->tenant_id, live->run_id, live->role, live->priority);

	run->live = live;
	run->workflow_id = live->workflow_id;
	run->version = live->version;
	run->input = live->input != NULL ? live->input : wf_json_empty_object();
	run->queued_at = live->queued_at;
	run->started_at = live->started_at != 0 ? live->started_at : run->segment_started_at;
	run->deadline = live->deadline;
	run->attempt = live->attempt;
	run->segment = live->n_segments + 1;
	run->n_steps = live->n_steps;
	run->first_seq = live->n_steps + 1;
	run->signals = live->signals;
	run->has_rows = true;
	wf_start_read_options(run, live->options);
	return run;
}

/* -- giving messages to steps -- */

/* What the waiting steps get. */
typedef struct Delivery
{
	const WfMessage *message;
	bool		arrived;		/* somebody was waiting for it */
} Delivery;

/* The step goes on with the reply. */
static void
resume_step(Run *run, Frame *frame, OpenStep *step, WfReply *reply)
{
	bool		retries = step->waits == STEP_RETRY;

	run->suspended = false;
	run->moved = true;
	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_store_delete_wait(&run->tenant.tenant_id, &run->run_id, step->seq);
	wf_park_go_to(run, frame, step);
	if (retries)
	{
		step->attempt++;
		run->retry = true;
	}
	else
		wf_step_perform(run, frame, reply);
	wf_step_advance(run);
	while (run->suspended && run->activation != run->root)
		wf_activation_leave(run->activation);
}

/* A deadline around the step has passed, or its own. */
static void
time_out_step(Run *run, Frame *frame, OpenStep *step)
{
	Failure		failure;

	run->suspended = false;
	run->moved = true;
	MemoryContextReset(run->step_memory);
	MemoryContextSwitchTo(run->step_memory);
	wf_park_withdraw(run, step);
	wf_park_go_to(run, frame, step);
	if (!wf_attempt_deadline(run, frame, &failure))
		elog(ERROR, "no deadline of step %d has passed", step->seq);
	wf_handle_failure(run, frame, &failure);
	wf_step_advance(run);
	while (run->suspended && run->activation != run->root)
		wf_activation_leave(run->activation);
}

/* Whether a deadline that is not the step's own wait has passed. */
static bool
deadline_passed(const Run *run, const Frame *frame, const OpenStep *step)
{
	return wf_deadline_is_past(run->deadline) || wf_deadline_is_past(frame->deadline) ||
		(step->waits != STEP_RETRY && wf_deadline_is_past(step->deadline));
}

static void
deliver_timer(Run *run, Frame *frame, OpenStep *step)
{
	WfReply		reply = {.region = -1};

	if (deadline_passed(run, frame, step))
	{
		time_out_step(run, frame, step);
		return;
	}
	if (!wf_deadline_is_past(step->wait_until))
	{
		/* too early: the clock was set back, or the wait was made anew */
		wf_park_put_wait(run, frame, step);
		return;
	}
	wf_json_set_null(&reply.output);
	if (step->waits != STEP_TIME && step->waits != STEP_RETRY)
	{
		reply.timed_out = true;
		wf_park_withdraw(run, step);
	}
	resume_step(run, frame, step, &reply);
}

/* The error that a child run or an external worker gave. */
static WfError *
stored_error(Run *run, const JsonbValue *json, const char *otherwise)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "%s", otherwise);
	JsonbValue	details;
	char	   *text;

	if (json != NULL && wf_json_is_object(json))
	{
		if ((text = wf_json_get_cstring(json, "message")) != NULL)
			error->message = text;
		if ((text = wf_json_get_cstring(json, "code")) != NULL)
			error->code = text;
		error->detail = wf_json_get_cstring(json, "detail");
		error->hint = wf_json_get_cstring(json, "hint");
		if (wf_json_field(json, "details", &details))
		{
			error->details = palloc(sizeof(JsonbValue));
			wf_json_root(wf_json_copy(&details), error->details);
		}
	}
	else if (json != NULL && json->type == jbvString)
		error->message = wf_json_cstring(json);
	if (wf_error_is_sqlstate(error->code))
		error->sqlstate = MAKE_SQLSTATE(error->code[0], error->code[1], error->code[2], error->code[3], error->code[4]);
	MemoryContextSwitchTo(old);
	return error;
}

/* What a child run's end says, as a reply. */
static void
read_child(Run *run, const JsonbValue *payload, WfReply *reply)
{
	JsonbValue	value;
	char	   *status = wf_json_get_cstring(payload, "status");
	int64		number;

	if (wf_json_field(payload, "index", &value) && wf_json_int64(&value, &number))
		reply->index = number;
	if (!wf_json_field(payload, "output", &reply->output))
		wf_json_set_null(&reply->output);
	if (status != NULL && strcmp(status, "completed") == 0)
		return;
	reply->failed = true;
	reply->error = stored_error(run, wf_json_field(payload, "error", &value) ? &value : NULL,
								psprintf("the child run ended as \"%s\"", status == NULL ? "failed" : status));
}

/* A child run that executed a region for the step. False: it is none of its. */
static bool
take_spawned(OpenStep *step, const JsonbValue *payload, int *region, TimestampTz *deadline)
{
	pg_uuid_t	run_id;
	ListCell   *cell;

	if (!wf_engine_uuid_read(wf_json_get_cstring(payload, "run_id"), &run_id))
		return false;
	foreach(cell, step->spawned)
	{
		Spawned    *spawned = lfirst(cell);

		if (memcmp(&spawned->run_id, &run_id, sizeof(run_id)) != 0)
			continue;
		*region = spawned->region;	/* of the version that the run has now */
		*deadline = spawned->deadline;
		step->spawned = foreach_delete_current(step->spawned, cell);
		return true;
	}
	return false;
}

/* The child failed since the time that its region had is up. */
static void
time_out_region(Run *run, const OpenStep *step, WfReply *reply)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(WF_ERRCODE_NODE_TIMEOUT, NULL, "node \"%s\" timed out", step->node->id);

	wf_attempt_place_error(error, step);
	reply->timed_out = true;
	reply->error = error;
	MemoryContextSwitchTo(old);
}

/* The child executed a part of this graph: the node that failed in it is known here. */
static void
name_node(const Frame *frame, const JsonbValue *payload, WfReply *reply)
{
	const WfGraph *graph = frame->activation->compiled->graph;
	WfError    *error = unconstify(WfError *, reply->error);
	JsonbValue	json;
	char	   *id;
	int			node;

	if (!wf_json_field(payload, "error", &json) || (id = wf_json_get_cstring(&json, "node")) == NULL)
		return;
	node = wf_graph_find(graph, id, strlen(id));
	if (node >= 0)
		error->node = graph->nodes[node].id;
}

static void
deliver_child(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {0};
	TimestampTz deadline = 0;
	int			region = -1;
	pg_uuid_t	run_id;

	if (step->waits == STEP_HOLDS && !take_spawned(step, payload, &region, &deadline))
		return;
	if (step->waits == STEP_CHILD &&
		(!wf_engine_uuid_read(wf_json_get_cstring(payload, "run_id"), &run_id) ||
		 memcmp(&run_id, &step->child, sizeof(run_id)) != 0))
		return;
	if (step->waits != STEP_HOLDS && step->waits != STEP_CHILD)
		return;
	read_child(run, payload, &reply);
	reply.region = region;
	if (reply.failed && step->waits == STEP_HOLDS)
		name_node(frame, payload, &reply);
	if (reply.failed && deadline_passed(run, frame, step))
	{
		/* which is why, for a child that executes a part of the graph */
		time_out_step(run, frame, step);
		return;
	}
	if (reply.failed && wf_deadline_is_past(deadline))
		time_out_region(run, step, &reply);
	resume_step(run, frame, step, &reply);
}

static void
deliver_task(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {.region = -1};
	JsonbValue	error;

	if (step->waits != STEP_TASK)
		return;
	if (!wf_json_field(payload, "result", &reply.output))
		wf_json_set_null(&reply.output);
	if (wf_json_field(payload, "failed", &error))
	{
		reply.failed = true;
		reply.error = stored_error(run, &error, "the task failed");
	}
	resume_step(run, frame, step, &reply);
}

static void
deliver_answer(Run *run, Frame *frame, OpenStep *step, const JsonbValue *payload)
{
	WfReply		reply = {.region = -1};
	pg_uuid_t	request_id;
	JsonbValue	error;

	/* an earlier attempt's, which was given up */
	if (step->waits != STEP_REQUEST || !wf_engine_uuid_read(wf_json_get_cstring(payload, "request_id"), &request_id) ||
		memcmp(&request_id, &step->child, sizeof(request_id)) != 0)
		return;
	if (!wf_json_field(payload, "result", &reply.output))
		wf_json_set_null(&reply.output);
	if (wf_json_field(payload, "failed", &error))
	{
		reply.failed = true;
		reply.error = stored_error(run, &error, "the request failed");
	}
	resume_step(run, frame, step, &reply);
}

static void
deliver_event(Run *run, Frame *frame, OpenStep *step, const JsonbValue *message)
{
	WfReply		reply = {.region = -1};
	char	   *event_id = wf_json_get_cstring(message, "event_id");

	if (step->waits != STEP_EVENT || (event_id != NULL && !wf_mail_see_event(run, event_id)))
		return;
	if (!wf_json_field(message, "payload", &reply.output))
		wf_json_set_null(&reply.output);
	resume_step(run, frame, step, &reply);
}

/* The first waiting step that a kept signal is for. */
typedef struct SignalSearch
{
	const char *event;
	Frame	   *frame;
	OpenStep   *step;
} SignalSearch;

static void
match_signal(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	SignalSearch *search = arg;

	if (search->step == NULL && step->waits == STEP_EVENT && strcmp(step->event, search->event) == 0)
	{
		search->frame = frame;
		search->step = step;
	}
}

static void
deliver_signal(Run *run, const WfMessage *message)
{
	JsonbValue	root;
	SignalSearch search = {0};
	WfReply		reply = {.region = -1};

	wf_mail_keep_signal(run, message->payload);
	wf_json_root(message->payload, &root);
	search.event = wf_json_get_cstring(&root, "event");
	if (search.event == NULL)
		return;
	wf_park_each(run, match_signal, &search);
	if (search.step != NULL && wf_mail_take_signal(run, search.event, &reply.output))
		resume_step(run, search.frame, search.step, &reply);
}

void
wf_turn_deliver(Run *run, const WfMessage *message)
{
	JsonbValue	payload;
	Frame	   *frame;
	OpenStep   *step;

	if (message->payload != NULL)
		wf_json_root(message->payload, &payload);
	else
		wf_json_set_null(&payload);
	if (message->kind == WF_MESSAGE_SIGNAL)
	{
		deliver_signal(run, message);
		return;
	}
	step = wf_park_find(run, message->step, &frame);
	if (step == NULL)
		return;
	switch (message->kind)
	{
		case WF_MESSAGE_TIMER:
			if (step->waits != STEP_HOLDS)
				deliver_timer(run, frame, step);
			return;
		case WF_MESSAGE_EVENT:
			deliver_event(run, frame, step, &payload);
			return;
		case WF_MESSAGE_TASK:
			deliver_task(run, frame, step, &payload);
			return;
		case WF_MESSAGE_CHILD:
			deliver_child(run, frame, step, &payload);
			return;
		case WF_MESSAGE_REPLY:
			deliver_answer(run, frame, step, &payload);
			return;
		default:
			return;
	}
}

/* -- cancelling -- */

void
wf_turn_set_cancelled(Run *run, const Jsonb *reason)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	JsonbValue	root;
	char	   *text = NULL;

	if (reason != NULL)
	{
		wf_json_root(reason, &root);
		text = wf_json_cstring(&root);
	}
	run->cancelled = true;
	run->error = wf_error_make(WF_ERRCODE_CANCELLED, NULL, "run was cancelled");
	run->error->detail = text;
	MemoryContextSwitchTo(old);
}

/* The run took its worker down too often. */
static void
set_parked(Run *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->error = wf_error_make(WF_ERRCODE_PARKED, "Find out what in it ends the process, then call wf_retry().",
							   "run was parked after crashing its worker %d times", wf_setting_max_crashes);
	MemoryContextSwitchTo(old);
}

/* -- segments -- */

/* Makes the run's tree again; its effect on the activation is that of a run that is suspended. */
static void
begin_saved(Run *run)
{
	WF_FAULT("run.load");
	wf_load_state(run, run->live->state);
	WF_FAULT("run.loaded");
	run->suspended = true;
}

static void
begin_fresh(Run *run, void *arg)
{
	run->moved = true;
	WF_FAULT("run.begin");
	if (run->branch != NULL)
		wf_load_branch(run);
	else
		wf_segment_begin_graph(run, NULL);
}

/* Signals are given to a run in the order in which they were sent: not before those that another worker holds. */
static bool
is_in_turn(const WfMessage *message)
{
	return message->kind != WF_MESSAGE_SIGNAL ||
		!wf_store_has_earlier(&message->tenant_id, &message->run_id, &message->message_id, WF_MESSAGE_SIGNAL);
}

/* Gives the run, as long as it is suspended again, more of what is for it. */
static void
deliver_more(Run *run)
{
	ListCell   *cell;

	foreach(cell, run->batch)
	{
		WfMessage  *message = lfirst(cell);
		MemoryContext old;

		if (!run->suspended)
			return;
		if (message == run->message || message->is_taken ||
			memcmp(&message->run_id, &run->run_id, sizeof(pg_uuid_t)) != 0 ||
			memcmp(&message->tenant_id, &run->tenant.tenant_id, sizeof(pg_uuid_t)) != 0)
			continue;
		if (message->kind < WF_MESSAGE_TIMER || message->kind > WF_MESSAGE_CHILD || !is_in_turn(message))
			continue;
		old = MemoryContextSwitchTo(run->memory);
		run->delivered = lappend(run->delivered, message);
		MemoryContextSwitchTo(old);
		wf_turn_deliver(run, message);
	}
}

/* They are dealt with. */
static void
take_delivered(Run *run)
{
	ListCell   *cell;

	if (run->delivered != NIL)
		WF_FAULT("run.take_more");
	foreach(cell, run->delivered)
	{
		wf_store_take(lfirst(cell));
		((WfMessage *) lfirst(cell))->is_taken = true;
	}
}

/* What a segment of a run that goes on begins with. */
static void
begin_message(Run *run, void *arg)
{
	const WfMessage *message = arg;

	begin_saved(run);
	if (message->kind == WF_MESSAGE_CANCEL)
	{
		wf_park_drop_parked(run, run->frame);
		wf_turn_set_cancelled(run, message->payload);
		run->ended = true;
		return;
	}
	run->message = message;
	if (wf_again_is_due(run))
		wf_again_begin(run);
	if (run->suspended)
		wf_turn_deliver(run, message);
	deliver_more(run);
}

static void
begin_undo(Run *run, void *arg)
{
	wf_load_state(run, run->live->state);
	wf_undo_begin(run);
}

static WfTurn
settle(Run *run)
{
	WfRunResult result;

	if (run->slow)
		return WF_TURN_SLOW;
	if (run->live != NULL && run->error == NULL && run->suspended && !run->moved)
	{
		/* nobody waited for the message; a signal is kept */
		if (run->signals != run->live->signals)
		{
			run->live->signals = run->signals;
			wf_store_update_live(run->live);
		}
		return WF_TURN_DONE;
	}
	wf_segment_settle(run, &result);
	return WF_TURN_DONE;
}

/* Executes as wf_segment_execute does, with what cannot be executed at all as the run's failure. */
static WfTurn
execute(Run *run, void (*begin) (Run *run, void *arg), void *arg, TimestampTz slice_end)
{
	ErrorContextCallback context;
	TimestampTz armed;

	run->slice_end = slice_end;
	context.callback = wf_segment_add_context;
	context.arg = run;
	context.previous = error_context_stack;
	error_context_stack = &context;
	/* the slice is the segment's: what is written afterwards must not be cancelled by it */
	armed = wf_deadline_arm(slice_end);
	wf_segment_execute(run, begin, arg);
	wf_deadline_restore(armed);
	error_context_stack = context.previous;
	WF_FAULT("run.settle");
	return settle(run);
}

/* Sets up the run; an error is its failure. False when it has failed. */
static bool
prepare_or_fail(Run *run)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool prepared = false;

	/* what is in the caches cannot fail, and needs no subtransaction */
	if (wf_engine_is_ready(&run->tenant.tenant_id, &run->workflow_id, run->version))
	{
		prepare_run(run, true);
		return true;
	}
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		prepare_run(run, false);
		ReleaseCurrentSubTransaction();
		prepared = true;
	}
	PG_CATCH();
	{
		ErrorData  *data;

		MemoryContextSwitchTo(run->memory);
		data = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		if (wf_error_is_fatal(data->sqlerrcode))
			ReThrowError(data);
		MemoryContextSwitchTo(run->memory);
		run->error = wf_error_from_data(data);
	}
	PG_END_TRY();
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	return prepared;
}

/* -- starts -- */

static WfTurn
turn_start(const WfMessage *message, TimestampTz slice_end)
{
	Run		   *run = wf_turn_run_of_start(message);
	WfTurn		turn;

	if (prepare_or_fail(run))
		turn = execute(run, begin_fresh, NULL, slice_end);
	else
		turn = settle(run);
	/* what came while it waited at its gate */
	if (run->gate != NULL && turn == WF_TURN_DONE)
		wf_store_release_held(&run->tenant.tenant_id, &run->run_id);
	MemoryContextDelete(run->memory);
	return turn;
}

/* The message is kept back until the run is let go on. */
static WfTurn
hold(const WfMessage *message)
{
	WfMessage	held = *message;

	memset(&held.message_id, 0, sizeof(held.message_id));
	wf_store_hold(&held, NULL, 0);
	return WF_TURN_DONE;
}

/* A message to a run that has ended. One that failed gets it when wf_retry takes it up. */
static WfTurn
turn_after_end(const WfMessage *message)
{
	bool		is_alive;

	if (message->kind != WF_MESSAGE_TASK && message->kind != WF_MESSAGE_SIGNAL && message->kind != WF_MESSAGE_CHILD &&
		message->kind != WF_MESSAGE_REPLY)
		return WF_TURN_DONE;
	if (wf_store_mail_failed(&message->tenant_id, &message->run_id, wf_save_message(message),
							 message->kind == WF_MESSAGE_SIGNAL ? message->payload : NULL, &is_alive))
		return WF_TURN_DONE;
	return is_alive ? WF_TURN_BUSY : WF_TURN_DONE;
}

/* A message to a run that is in the queue still. */
static WfTurn
turn_before_start(const WfMessage *message, TimestampTz slice_end)
{
	bool		exists;
	WfMessage  *start = wf_store_claim_start(&message->tenant_id, &message->run_id, &exists);
	Run		   *run;

	if (start == NULL && !exists && wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_NONE) != NULL)
		return WF_TURN_BUSY;	/* its first segment was committed between the two looks */
	if (start == NULL)
		return exists ? WF_TURN_BUSY : turn_after_end(message);
	if (message->kind == WF_MESSAGE_CANCEL || message->kind == WF_MESSAGE_PARK)
	{
		run = wf_turn_run_of_start(start);
		run->started_at = 0;
		if (message->kind == WF_MESSAGE_CANCEL)
			wf_turn_set_cancelled(run, message->payload);
		else
			set_parked(run);
		(void) settle(run);
		wf_store_take(start);
		if (!ItemPointerIsValid(&start->tid))
			wf_store_drop_held(&message->tenant_id, &message->run_id);
		MemoryContextDelete(run->memory);
		return WF_TURN_DONE;
	}
	/* at a gate, or about to be parked */
	if (!ItemPointerIsValid(&start->tid))
		return hold(message);
	/* first things first; the message is looked at again */
	if (turn_start(start, slice_end) == WF_TURN_SLOW)
		return WF_TURN_SLOW;
	wf_store_take(start);
	return WF_TURN_BUSY;
}

/* -- runs that are alive -- */

/* A run that begins later than it was started, or begins again, has to pass its gate like any other. */
static bool
wait_at_gate(const Run *run, const WfMessage *message)
{
	WfMessage	held = *message;

	if (run->gate == NULL ||
		wf_store_is_within(&run->tenant.tenant_id, &run->workflow_id, run->gate, &run->run_id))
		return false;
	memset(&held.message_id, 0, sizeof(held.message_id));
	held.workflow_id = run->workflow_id;
	wf_store_hold(&held, run->gate, Max(run->compiled->graph->settings.max_concurrency, 1));
	return true;
}

/* A run that has not begun: delayed, or begun anew by wf_retry. */
static WfTurn
turn_unbegun(Run *run, const WfMessage *message, TimestampTz slice_end)
{
	if (message->kind == WF_MESSAGE_CANCEL)
	{
		run->started_at = 0;
		wf_turn_set_cancelled(run, message->payload);
		return settle(run);
	}
	if (message->kind == WF_MESSAGE_SIGNAL)
	{
		wf_mail_keep_signal(run, message->payload);
		run->live->signals = run->signals;
		wf_store_update_live(run->live);
		return WF_TURN_DONE;
	}
	if (message->kind != WF_MESSAGE_GO && (message->kind != WF_MESSAGE_TIMER || message->step != 0))
		return WF_TURN_DONE;
	if (!prepare_or_fail(run))
		return settle(run);
	if (wait_at_gate(run, message))
		return WF_TURN_DONE;
	return execute(run, begin_fresh, NULL, slice_end);
}

/* The reason for which the run is compensated, as saved with its state. */
static void
read_failure(Run *run)
{
	JsonbValue	root;
	JsonbValue	value;

	wf_json_root(run->live->state, &root);
	run->cancelled = wf_json_field(&root, "cancelled", &value) && value.type == jbvBool && value.val.boolean;
	run->failure = wf_json_field(&root, "failure", &value) ? wf_json_copy(&value) : NULL;
}

static WfTurn
turn_compensating(Run *run, const WfMessage *message, TimestampTz slice_end)
{
	WfTurn		turn;

	if (message->kind != WF_MESSAGE_GO && (message->kind != WF_MESSAGE_TIMER || message->step != 0))
		return WF_TURN_DONE;
	run->undoing = true;
	run->deadline = 0;			/* it was the run's own; what it did is undone however late it is */
	read_failure(run);
	if (prepare_or_fail(run))
	{
		turn = execute(run, begin_undo, NULL, slice_end);
		return turn;
	}
	return settle(run);
}

static WfTurn
turn_live(Run *run, const WfMessage *message, TimestampTz slice_end)
{
	if (message->kind == WF_MESSAGE_PAUSE)
	{
		if (strcmp(run->live->status, "waiting") == 0 || strcmp(run->live->status, "queued") == 0)
		{
			run->live->status = "paused";
			wf_store_update_live(run->live);
		}
		return WF_TURN_DONE;
	}
	if (message->kind == WF_MESSAGE_PARK)
	{
		set_parked(run);
		wf_store_take_all(&run->tenant.tenant_id, &run->run_id);
		return settle(run);
	}
	if (!is_in_turn(message))
		return WF_TURN_BUSY;
	if (strcmp(run->live->status, "compensating") == 0)
		return turn_compensating(run, message, slice_end);
	if (strcmp(run->live->status, "paused") == 0 && message->kind != WF_MESSAGE_CANCEL)
		return hold(message);
	if (run->live->state == NULL)
		return turn_unbegun(run, message, slice_end);
	if (!prepare_or_fail(run))
		return settle(run);
	if (message->kind == WF_MESSAGE_GO && wait_at_gate(run, message))
		return WF_TURN_DONE;
	return execute(run, begin_message, unconstify(WfMessage *, message), slice_end);
}

static WfTurn
turn_message(const WfMessage *message, List *batch, TimestampTz slice_end)
{
	WfLiveRow  *live;
	Run		   *run;
	WfTurn		turn;

	live = wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_SKIP);
	if (live == NULL)
	{
		if (wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_NONE) != NULL)
			return WF_TURN_BUSY;
		return turn_before_start(message, slice_end);
	}
	run = wf_turn_run_of_live(live);
	run->batch = batch;
	turn = turn_live(run, message, slice_end);
	if (turn == WF_TURN_DONE)
		take_delivered(run);
	MemoryContextDelete(run->memory);
	return turn;
}

/* -- the turn -- */

WfTurn
wf_engine_turn(const WfMessage *message, List *batch, TimestampTz slice_end)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow turn", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	const TimestampTz armed = wf_deadline_arm(0);
	WfTurn		turn;

	PG_TRY();
	{
		SPI_connect();
		PushActiveSnapshot(GetTransactionSnapshot());
		old = MemoryContextSwitchTo(memory);
		if (message->kind == WF_MESSAGE_START)
			turn = turn_start(message, slice_end);
		else
			turn = turn_message(message, batch, slice_end);
		if (turn == WF_TURN_DONE)
		{
			WF_FAULT("run.take");
			wf_store_take(message);
			WF_FAULT("run.taken");
		}
		MemoryContextSwitchTo(old);
		PopActiveSnapshot();
		SPI_finish();
	}
	PG_FINALLY();
	{
		wf_deadline_restore(armed);
	}
	PG_END_TRY();
	MemoryContextDelete(memory);
	return turn;
}

WfTurn
wf_engine_fail(const WfMessage *message, const WfError *error)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow turn", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	WfLiveRow  *live = NULL;
	Run		   *run = NULL;
	WfTurn		turn = WF_TURN_DONE;

	SPI_connect();
	PushActiveSnapshot(GetTransactionSnapshot());
	old = MemoryContextSwitchTo(memory);
	if (message->kind == WF_MESSAGE_START)
		run = wf_turn_run_of_start(message);
	else if ((live = wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_SKIP)) != NULL)
		run = wf_turn_run_of_live(live);
	else if (wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_NONE) != NULL)
		turn = WF_TURN_BUSY;
	if (run != NULL)
	{
		run->error = wf_error_copy(error, run->memory);
		(void) settle(run);
	}
	if (turn == WF_TURN_DONE)
		wf_store_take(message);
	MemoryContextSwitchTo(old);
	PopActiveSnapshot();
	SPI_finish();
	MemoryContextDelete(memory);
	return turn;
}
