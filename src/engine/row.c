/*
 * row.c: a run in memory as a message or a row has it, before anything of it is executed; and why it is not to be.
 *
 * Its workflow is not looked at, nor is its state read: whoever goes on with the run does that (turn.c), for both may fail.
 */
#include "postgres.h"

#include "base/settings.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/turn.h"

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
	run->is_personal = message->is_personal;
	run->known = message->known;
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
	run->is_personal = live->is_personal;
	run->known = live->known;
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

/* -- ended by others -- */

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

void
wf_turn_set_parked(Run *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->error = wf_error_make(WF_ERRCODE_PARKED, "Find out what in it ends the process, then call wf_retry().",
							   "run was parked after crashing its worker %d times", wf_setting_max_crashes);
	MemoryContextSwitchTo(old);
}
