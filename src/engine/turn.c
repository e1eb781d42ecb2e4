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
 *    that error; so does what was executed but could not be committed (wf_engine_fail).
 * 5. What a failed run was given, and what was on its way to it, is kept for wf_retry: with its state when it ends, or as it
 *    comes (turn_after_end).
 *
 * A message is deleted when it was dealt with, in the same transaction as all that came of it.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/subtransaction.h"
#include "engine/again.h"
#include "engine/deadline.h"
#include "engine/failure.h"
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
	if (!wf_store_allows(&run->tenant, WF_WORKFLOW_EXECUTE, &run->workflow_id))
		wf_store_refuse(&run->tenant, WF_WORKFLOW_EXECUTE);
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
	if (wf_again_is_due(run))
		wf_again_begin(run);
	else
		wf_turn_deliver_all(run, false);
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

static void
prepare_anew(void *arg)
{
	prepare_run(arg, false);
}

/* Sets up the run; an error is its failure. False when it has failed. */
static bool
prepare_or_fail(Run *run)
{
	ErrorData  *error;
	MemoryContext old;

	/* what is in the caches cannot fail, and needs no subtransaction */
	if (wf_engine_is_ready(&run->tenant.tenant_id, &run->workflow_id, run->version))
	{
		prepare_run(run, true);
		return true;
	}
	error = wf_subtransaction(prepare_anew, run);
	if (error == NULL)
		return true;
	old = MemoryContextSwitchTo(run->memory);
	run->error = wf_error_from_data(error);
	MemoryContextSwitchTo(old);
	return false;
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

	wf_store_hold(&held, NULL, 0);	/* by the same id: signals keep their order */
	return WF_TURN_DONE;
}

/* Does it bring something that comes once, and that wf_retry has to give? */
static bool
is_mail(const WfMessage *message)
{
	return message->kind == WF_MESSAGE_TASK || message->kind == WF_MESSAGE_SIGNAL || message->kind == WF_MESSAGE_EVENT ||
		message->kind == WF_MESSAGE_CHILD || message->kind == WF_MESSAGE_REPLY;
}

/* A message to a run that has ended. One that failed gets it when wf_retry takes it up. */
static WfTurn
turn_after_end(const WfMessage *message)
{
	bool		is_alive;

	if (!is_mail(message))
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
	/* One that this batch has claimed, too, is ended by what ends the run; it is not executed meanwhile. */
	bool		ends = message->kind == WF_MESSAGE_CANCEL || message->kind == WF_MESSAGE_PARK;
	WfMessage  *start = wf_store_claim_start(&message->tenant_id, &message->run_id, ends, &exists);
	Run		   *run;

	if (start == NULL && !exists && wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_NONE) != NULL)
		return WF_TURN_BUSY;	/* its first segment was committed between the two looks */
	if (start == NULL)
		return exists ? WF_TURN_BUSY : turn_after_end(message);
	if (ends)
	{
		run = wf_turn_run_of_start(start);
		run->started_at = 0;
		if (message->kind == WF_MESSAGE_CANCEL)
			wf_turn_set_cancelled(run, message->payload);
		else
			wf_turn_set_parked(run);
		wf_store_take(start);	/* before what is kept back with it is let go */
		(void) settle(run);
		if (!ItemPointerIsValid(&start->tid) && message->kind == WF_MESSAGE_PARK)
			wf_store_release_held(&message->tenant_id, &message->run_id);
		else if (!ItemPointerIsValid(&start->tid))
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
	wf_store_hold(&held, run->gate, wf_start_gate_size(run->gate, &run->compiled->graph->settings));
	return true;
}

/* A message after which the run goes on by itself: begins, or undoes the next of its steps. */
static bool
lets_go_on(const WfMessage *message)
{
	return message->kind == WF_MESSAGE_GO || (message->kind == WF_MESSAGE_TIMER && message->step == 0);
}

/* The row is the caller's to update. */
static void
keep_signal(Run *run, const WfMessage *message)
{
	wf_mail_keep_signal(run, message->payload);
	run->live->signals = run->signals;
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
		keep_signal(run, message);
		wf_store_update_live(run->live);
		return WF_TURN_DONE;
	}
	if (!lets_go_on(message))
		return WF_TURN_DONE;
	if (!prepare_or_fail(run))
		return settle(run);
	if (wait_at_gate(run, message))
		return WF_TURN_DONE;
	return execute(run, begin_fresh, NULL, slice_end);
}

/* The segment compensates; the reason was saved with the state. */
static void
set_undoing(Run *run)
{
	JsonbValue	root;
	JsonbValue	value;

	run->undoing = true;
	run->deadline = 0;			/* it was the run's own; what it did is undone however late it is */
	wf_json_root(run->live->state, &root);
	run->cancelled = wf_json_field(&root, "cancelled", &value) && value.type == jbvBool && value.val.boolean;
	run->failure = wf_json_field(&root, "failure", &value) ? wf_json_copy(&value) : NULL;
}

static WfTurn
turn_compensating(Run *run, const WfMessage *message, TimestampTz slice_end)
{
	if (!lets_go_on(message))
		return WF_TURN_DONE;
	set_undoing(run);
	if (!prepare_or_fail(run))
		return settle(run);
	return execute(run, begin_undo, NULL, slice_end);
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
		wf_turn_set_parked(run);
		(void) settle(run);
		/* what is for it is for wf_retry: see turn_after_end */
		wf_store_release_held(&run->tenant.tenant_id, &run->run_id);
		return WF_TURN_DONE;
	}
	if (!wf_turn_is_in_order(message))
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
	if (run->gate != NULL && wf_again_is_due(run) && message->kind != WF_MESSAGE_CANCEL)
	{
		/* it waits at its gate, or is to pass it: what comes before the message that has passed is given after it */
		if (message->kind != WF_MESSAGE_GO)
			return hold(message);
		wf_store_release_held(&run->tenant.tenant_id, &run->run_id);
	}
	return execute(run, begin_message, unconstify(WfMessage *, message), slice_end);
}

/* What wf_retry gives the run once more, if it fails over it. */
static void
set_message(Run *run, const WfMessage *message)
{
	if (message->kind != WF_MESSAGE_CANCEL && message->kind != WF_MESSAGE_PARK)
		run->message = message;
}

/* Locks the row of the run that the message is for; NULL: there is none, or (*is_busy) somebody has it. */
static WfLiveRow *
lock_live(const WfMessage *message, bool *is_busy)
{
	WfLiveRow  *live = wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_SKIP);

	*is_busy = live == NULL && wf_store_find_live(&message->tenant_id, &message->run_id, WF_LOCK_NONE) != NULL;
	return live;
}

static WfTurn
turn_message(const WfMessage *message, List *batch, TimestampTz slice_end)
{
	bool		is_busy;
	WfLiveRow  *live = lock_live(message, &is_busy);
	Run		   *run;
	WfTurn		turn;

	if (live == NULL)
		return is_busy ? WF_TURN_BUSY : turn_before_start(message, slice_end);
	run = wf_turn_run_of_live(live);
	run->batch = batch;
	set_message(run, message);
	turn = turn_live(run, message, slice_end);
	if (turn == WF_TURN_DONE)
		take_delivered(run);
	MemoryContextDelete(run->memory);
	return turn;
}

/* -- failing -- */

/* The error comes as one of the segment does, when it is known what earlier ones did. */
static void
begin_failed(Run *run, void *arg)
{
	wf_load_state(run, run->live->state);
	wf_fail_run(run, arg);
}

/*
 * The run fails, or the compensation that it is at, with what that entails. Where it is to be done plainly, where nothing
 * can be prepared, and where the state may be what crashes, that is: it ends.
 */
static WfTurn
fail_live(Run *run, const WfMessage *message, WfError *error, bool plainly)
{
	if (strcmp(run->live->status, "compensating") == 0 && message->kind != WF_MESSAGE_PARK)
	{
		if (!lets_go_on(message))
			return WF_TURN_DONE;
		set_undoing(run);
	}
	set_message(run, message);
	if (run->live->state == NULL && message->kind == WF_MESSAGE_SIGNAL)
		keep_signal(run, message);
	if (!plainly && run->live->state != NULL && message->kind != WF_MESSAGE_PARK && prepare_or_fail(run))
		return execute(run, begin_failed, error, 0);
	run->error = error;
	return settle(run);
}

/* A message to a run that is in the queue still, or has ended: what it brings is not lost. */
static WfTurn
fail_other(const WfMessage *message)
{
	bool		exists;
	WfMessage  *start;

	if (!is_mail(message))
		return WF_TURN_DONE;
	start = wf_store_claim_start(&message->tenant_id, &message->run_id, false, &exists);
	if (start != NULL && !ItemPointerIsValid(&start->tid))
		return hold(message);
	return exists ? WF_TURN_BUSY : turn_after_end(message);
}

static WfTurn
turn_failed(const WfMessage *message, const WfError *error, bool plainly)
{
	WfLiveRow  *live = NULL;
	bool		is_busy;
	Run		   *run;
	WfTurn		turn;

	if (message->kind != WF_MESSAGE_START && (live = lock_live(message, &is_busy)) == NULL)
		return is_busy ? WF_TURN_BUSY : fail_other(message);
	run = live != NULL ? wf_turn_run_of_live(live) : wf_turn_run_of_start(message);
	if (live != NULL)
		turn = fail_live(run, message, wf_error_copy(error, run->memory), plainly);
	else
	{
		run->error = wf_error_copy(error, run->memory);
		turn = settle(run);
	}
	MemoryContextDelete(run->memory);
	return turn;
}

/* -- the turn -- */

/* With an error: not executed, but failed with that. */
static WfTurn
take_turn(const WfMessage *message, List *batch, TimestampTz slice_end, const WfError *error, bool plainly)
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
		if (error != NULL)
			turn = turn_failed(message, error, plainly);
		else if (message->kind == WF_MESSAGE_START)
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
wf_engine_turn(const WfMessage *message, List *batch, TimestampTz slice_end)
{
	return take_turn(message, batch, slice_end, NULL, false);
}

WfTurn
wf_engine_fail(const WfMessage *message, const WfError *error, bool plainly)
{
	return take_turn(message, NIL, 0, error, plainly);
}
