/*
 * segment.c: one segment of a run, from its first step to its record.
 *
 * 1. The segment runs in a subtransaction. When it fails, that is rolled back: all that it did to the data is gone, by
 *    the database's own means, and so is what it asked for (child runs, tasks, waits).
 * 2. Then, outside of it, what came of it is written: a run that ended leaves its record and its journal; one that is
 *    suspended its state; one that failed its record, or, when earlier segments have something to compensate, its state
 *    with the reason and a message to go on. All of it is part of the transaction that the caller commits.
 *
 * The rows of a run that is alive (wf.live, its waits and tasks) are gone when it has ended.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/wake.h"
#include "engine/attempt.h"
#include "engine/code.h"
#include "engine/deadline.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/mail.h"
#include "engine/park.h"
#include "engine/personal.h"
#include "engine/save.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/undo.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "store/request.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"

Run *
wf_segment_new_run(WfRunMode mode)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow run", ALLOCSET_DEFAULT_SIZES);
	Run		   *run = MemoryContextAllocZero(memory, sizeof(Run));

	run->memory = memory;
	run->step_memory = AllocSetContextCreate(memory, "workflow step", ALLOCSET_DEFAULT_SIZES);
	run->journal_memory = AllocSetContextCreate(memory, "workflow journal", ALLOCSET_DEFAULT_SIZES);
	run->mode = mode;
	run->attempt = 1;
	run->segment = 1;
	run->first_seq = 1;
	run->segment_started_at = wf_clock_now();
	return run;
}

void
wf_segment_add_context(void *arg)
{
	Run		   *run = arg;
	Frame	   *frame = run->frame;

	while (frame != NULL && frame->open == NULL)
		frame = frame->parent;
	if (frame == NULL)
		errcontext("workflow \"%s\" version %d", run->compiled->name, run->compiled->version);
	else
		errcontext("workflow \"%s\" version %d, node \"%s\", attempt %d", frame->activation->compiled->name,
				   frame->activation->compiled->version, frame->open->node->id, frame->open->attempt);
}

void
wf_segment_apply_settings(Run *run)
{
	const WfSettings *settings = &run->compiled->graph->settings;
	int64		timeout_ms = run->options.timeout_ms > 0 ? run->options.timeout_ms : settings->timeout_ms;

	run->workflow_id = run->compiled->workflow_id;
	run->version = run->compiled->version;
	run->journal = settings->journal;
	if (run->compiled->pii != NULL)
		wf_personal_join(run, run->compiled, NULL);
	run->max_output_bytes = settings->max_output_bytes > 0 ? (Size) settings->max_output_bytes :
		(Size) wf_setting_max_output_size * 1024;
	if (timeout_ms > 0 && run->deadline == 0 && !run->undoing)
		run->deadline = run->started_at + timeout_ms * 1000;
}

void
wf_segment_begin_graph(Run *run, void *arg)
{
	JsonbValue	input;
	Frame	   *frame;

	wf_json_root(run->input, &input);
	run->root = wf_activation_make(run, NULL, run->compiled, run->memory, &input);
	wf_activation_enter(run->root);
	frame = wf_frame_begin(run->root, NULL, 0, NULL);
	frame->input = input;
	run->frame = frame;
	wf_frame_start(frame);
}

/* -- executing -- */

void
wf_segment_place_error(Run *run, const ErrorData *data)
{
	MemoryContext old;
	Failure		failure;

	if (run->error != NULL)
		return;
	old = MemoryContextSwitchTo(run->memory);
	if (data->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_attempt_deadline(run, run->frame, &failure))
	{
		wf_deadline_take();
		run->error = failure.error;
	}
	else
		run->error = wf_error_from_data(data);
	for (Frame *frame = run->frame; frame != NULL && run->error->node == NULL; frame = frame->parent)
		if (frame->open != NULL)
			wf_attempt_place_error(run->error, frame->open);
	MemoryContextSwitchTo(old);
}

bool
wf_segment_must_rethrow(Run *run, const ErrorData *data)
{
	Failure		failure;

	if (run->error != NULL)
		return false;
	if (data->sqlerrcode == ERRCODE_QUERY_CANCELED)
		return !wf_deadline_fired() || !wf_attempt_deadline(run, run->frame, &failure);
	return wf_error_is_fatal(data->sqlerrcode) ||
		(data->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && IsolationUsesXactSnapshot());
}

/* Rolls back the subtransactions that were begun since the transaction was nested this deep. */
static void
roll_back_to(int nest_level)
{
	while (GetCurrentTransactionNestLevel() > nest_level)
		RollbackAndReleaseCurrentSubTransaction();
}

void
wf_segment_work(Run *run, void (*begin) (Run *run, void *arg), void *arg)
{
	begin(run, arg);
	wf_step_advance(run);
	while (run->activation != NULL && run->activation != run->root)
		wf_activation_leave(run->activation);
	if (run->suspended)
		wf_activation_leave(run->root);
	else
		wf_activation_end(run->root);
}

/* Was it cancelled because its share of the batch's time is over, and for no other reason? */
static bool
slice_is_over(Run *run, const ErrorData *data)
{
	Failure		failure;

	return run->slice_end != 0 && run->error == NULL && data->sqlerrcode == ERRCODE_QUERY_CANCELED &&
		wf_deadline_fired() && wf_deadline_is_past(run->slice_end) && !wf_attempt_deadline(run, run->frame, &failure);
}

/* An error that is the run's: noted in the journal with the steps that were open. Others are thrown on. */
static void
take_error(Run *run, ErrorData *data, TimestampTz armed)
{
	bool		rethrow;

	if (slice_is_over(run, data))
	{
		run->slow = true;
		wf_deadline_take();
		wf_deadline_restore(armed);
		return;
	}
	rethrow = wf_segment_must_rethrow(run, data);
	if (!rethrow)
	{
		wf_segment_place_error(run, data);
		wf_step_journal_failure(run, run->error);
	}
	wf_deadline_restore(armed);
	if (rethrow)
		ReThrowError(data);
}

void
wf_segment_execute(Run *run, void (*begin) (Run *run, void *arg), void *arg)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile caught = NULL;
	volatile TimestampTz armed = wf_deadline_arm(0);
	const int	nest_level = GetCurrentTransactionNestLevel();
	const int	chain = wf_run_chain;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	wf_run_chain = run->chain + 1;
	PG_TRY();
	{
		wf_segment_work(run, begin, arg);
		WF_FAULT("segment.end");
		if (run->mode == WF_RUN_DRY)
			RollbackAndReleaseCurrentSubTransaction();
		else
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->memory);
		caught = CopyErrorData();
		FlushErrorState();
		roll_back_to(nest_level);
	}
	PG_END_TRY();
	wf_run_chain = chain;
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (caught != NULL)
		take_error(run, caught, armed);
}

/* -- writing -- */

static void
cancel_child(const pg_uuid_t *child, void *arg)
{
	wf_mail_cancel(arg, child);
}

/* Nothing of the run waits any more. */
static void
clear_rows(Run *run)
{
	if (run->live != NULL && run->live->state != NULL && run->error != NULL && !run->cancelled && !run->undoing)
		wf_save_each_child(run->live->state, cancel_child, run);
	if (!run->has_rows)
		return;
	wf_store_delete_wait(&run->tenant.tenant_id, &run->run_id, -1);
	wf_store_close_task(&run->tenant.tenant_id, &run->run_id, -1, "cancelled");
	(void) wf_store_drop_requests(&run->tenant.tenant_id, &run->run_id, -1);
}

static void
fill_live(Run *run, WfLiveRow *row)
{
	memset(row, 0, sizeof(*row));
	row->tenant_id = run->tenant.tenant_id;
	row->run_id = run->run_id;
	row->workflow_id = run->workflow_id;
	row->version = run->version;
	row->role = run->role;
	row->priority = run->priority;
	row->attempt = run->attempt;
	row->queued_at = run->queued_at;
	row->started_at = run->started_at;
	row->deadline = run->deadline;
	row->n_segments = run->segment;
	row->n_steps = run->n_steps;
	row->has_parent = run->has_parent && run->parent.step != 0;
	row->parent_run_id = run->parent.run_id;
	row->input = run->input;
	row->options = run->live != NULL ? run->live->options : wf_start_options(run);
	row->signals = run->signals;
	row->is_personal = run->is_personal;
	if (!run->is_personal)
		return;
	row->shown_input = wf_personal_hide(run, run->input);
	row->known = run->known;
}

static void
write_live(Run *run, WfLiveRow *row)
{
	if (run->live != NULL)
		wf_store_update_live(row);
	else
		wf_store_insert_live(row);
	/* it was masked as a whole until it began */
	if (row->is_personal && run->live != NULL && run->live->n_segments == 0)
		wf_store_show_live(row);
}

/* One that did not wait at a gate, as it began in its caller's transaction, counts among the tenant's runs at once from now on. */
static void
enter_gate(Run *run)
{
	if (run->gate != NULL || run->has_parent || run->mode == WF_RUN_DRY ||
		!wf_store_has_quota(&run->tenant.tenant_id, WF_QUOTA_CONCURRENT_RUNS))
		return;
	run->gate = WF_TENANT_GATE;
	wf_store_enter_gate(&run->tenant.tenant_id, &run->workflow_id, run->gate, &run->run_id);
}

static void
settle_suspended(Run *run)
{
	WfLiveRow	row;

	if (run->live == NULL)
		enter_gate(run);
	fill_live(run, &row);
	row.status = "waiting";
	row.state = wf_save_state(run);
	row.current_nodes = wf_save_current_nodes(run);
	row.progress = wf_save_progress(run);
	WF_FAULT("settle.save");
	write_live(run, &row);
	WF_FAULT("settle.saved");
	wf_journal_write_segment(run, "waiting", false);
	WF_FAULT("settle.suspended");
	wf_wake_awaiters_at_commit(&run->run_id);
}

/* The state with the reason for which its effects are compensated. */
static Jsonb *
with_failure(const Run *run, const Jsonb *state, const Jsonb *error)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_begin_object(w);
	wf_json_root(state, &root);
	wf_json_put_members(w, &root, NULL);
	wf_json_put_member(w, "failure", error);
	wf_json_put_field_bool(w, "cancelled", run->cancelled);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* A message of the run to itself: to go on in another transaction. */
static void
send_go(const Run *run)
{
	const WfRunKey key = {run->run_id, run->role, run->priority};
	WfMessage	message = wf_store_message(&run->tenant.tenant_id, &key, WF_MESSAGE_GO);

	wf_store_send(&message, 1);
}

/* Whether earlier segments have something to compensate. */
static bool
must_compensate(const Run *run)
{
	if (run->n_undo_committed == 0 || run->undoing || run->live == NULL || run->live->state == NULL)
		return false;
	return !run->cancelled || run->compiled->graph->settings.compensate_on_cancel;
}

/* Whether messages of the run may be kept back: while it is paused, or at its gate. */
static bool
may_be_held(const Run *run)
{
	return run->gate != NULL || (run->live != NULL && strcmp(run->live->status, "paused") == 0);
}

static void
begin_compensation(Run *run, const Jsonb *error)
{
	WfLiveRow	row;

	fill_live(run, &row);
	row.status = "compensating";
	row.state = with_failure(run, run->live->state, error);
	write_live(run, &row);
	wf_journal_write_segment(run, "failed", true);
	WF_FAULT("settle.compensate");
	if (may_be_held(run))
		wf_store_drop_held(&run->tenant.tenant_id, &run->run_id);
	send_go(run);
}

/* What wf_retry needs: how the run stood before this segment. */
static void
keep_failed(Run *run)
{
	WfLiveRow	row;

	fill_live(run, &row);
	row.signals = NULL;
	if (run->live != NULL && run->live->state != NULL)
		row.state = wf_save_last(run);
	else if (run->live != NULL)
		row.signals = run->live->signals;
	wf_store_insert_failed(&row, wf_clock_now());
}

static void
settle_ended(Run *run, const char *status, Jsonb *output, Jsonb *error)
{
	bool		is_kept = error != NULL && run->mode == WF_RUN_RECORD && !run->cancelled && strcmp(status, "failed") == 0;

	clear_rows(run);
	WF_FAULT("settle.end");
	if (run->live != NULL)
		wf_store_delete_live(&run->tenant.tenant_id, &run->run_id);
	/* for wf_retry, or nobody asks for it any more */
	if (may_be_held(run))
	{
		if (is_kept)
			wf_store_release_held(&run->tenant.tenant_id, &run->run_id);
		wf_store_drop_held(&run->tenant.tenant_id, &run->run_id);
	}
	WF_FAULT("settle.history");
	wf_journal_write(run, status, output, error);
	WF_FAULT("settle.written");
	if (run->gate != NULL)
		wf_store_leave_gate(&run->tenant.tenant_id, &run->workflow_id, run->gate, &run->run_id);
	if (error != NULL && run->mode == WF_RUN_RECORD)
	{
		if (is_kept)
			keep_failed(run);
		if (!run->cancelled)
			wf_tell_of_failure(run, error);
	}
	wf_mail_tell_parent(run, status, output, error);
	WF_FAULT("settle.ended");
	wf_wake_awaiters_at_commit(&run->run_id);
}

/* -- compensating -- */

/* The compensation failed: may it be tried again? Then a wait is written. */
static bool
retry_undo(Run *run, Undo *undo)
{
	const WfNode *node = undo->node;
	WfWaitRow	wait = {0};
	int64		delay_ms;

	if (node->compensate_node >= 0)
		node = &undo->compiled->graph->nodes[node->compensate_node];
	if (!wf_policy_retries(node, run->error, undo->attempt + 1, run->segment_started_at))
		return false;
	undo->attempt++;
	delay_ms = wf_graph_retry_delay_ms(&node->retry, undo->attempt, 0.5);
	wait.tenant_id = run->tenant.tenant_id;
	wait.run_id = run->run_id;
	wait.kind = "retry";
	wait.wake_at = TimestampTzPlusMilliseconds(wf_clock_now(), delay_ms);
	wait.role = run->role;
	wait.priority = run->priority;
	wf_store_put_wait(&wait);
	return true;
}

/* The error of a run whose effects were compensated: with what could not be, if there is such. */
static Jsonb *
failure_with(const Run *run, const char *unfinished)
{
	WfJsonWriter *w;
	JsonbValue	root;

	if (unfinished == NULL)
		return run->failure;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_root(run->failure, &root);
	wf_json_put_members(w, &root, NULL);
	wf_json_put_field_cstring(w, "detail", unfinished);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* A compensation is over: the next one, another attempt, or the end of the run. */
static void
settle_undo(Run *run)
{
	Undo	   *undo = wf_undo_last(run);
	const char *unfinished = NULL;
	bool		retries = false;
	WfLiveRow	row;

	if (run->error != NULL)
	{
		retries = undo != NULL && run->compiled != NULL && retry_undo(run, undo);
		if (!retries && undo == NULL)
			unfinished = psprintf("The compensation failed: %s", run->error->message);
		else if (!retries)
			unfinished = psprintf("The compensation of node \"%s\" failed: %s", undo->node->id, run->error->message);
	}
	if (unfinished == NULL)
		unfinished = wf_save_unfinished(run->live->state);
	WF_FAULT("settle.undo");
	if (!retries && run->undo != NIL)
		run->undo = list_delete_last(run->undo);
	if (run->undo == NIL)
	{
		Jsonb	   *error = failure_with(run, unfinished);

		run->error = NULL;
		settle_ended(run, unfinished != NULL ? "failed" : run->cancelled ? "cancelled" : "compensated", NULL, error);
		return;
	}
	fill_live(run, &row);
	row.status = "compensating";
	row.state = wf_save_undo(run, run->live->state, unfinished);
	wf_store_update_live(&row);
	wf_journal_write_segment(run, run->error != NULL ? "failed" : "compensated", run->error != NULL);
	if (!retries)
		send_go(run);
}

void
wf_segment_settle(Run *run, WfRunResult *result)
{
	wf_code_record(run);
	if (run->undoing)
	{
		memset(result, 0, sizeof(*result));
		settle_undo(run);
		return;
	}
	result->run_id = run->run_id;
	result->output = NULL;
	result->error = run->error == NULL ? NULL : wf_error_to_json(run->error);
	if (run->error == NULL && run->suspended)
	{
		result->status = "waiting";
		if (run->mode != WF_RUN_DRY)
			settle_suspended(run);
	}
	else if (run->error != NULL && must_compensate(run))
	{
		result->status = "waiting";
		clear_rows(run);
		begin_compensation(run, result->error);
	}
	else
	{
		result->status = run->error == NULL ? "completed" : run->cancelled ? "cancelled" : "failed";
		result->output = run->error == NULL ? run->output : NULL;
		if (run->mode != WF_RUN_DRY)
			settle_ended(run, result->status, result->output, result->error);
	}
	if (run->mode == WF_RUN_DRY)
		result->steps = wf_journal_trace(run);
}
