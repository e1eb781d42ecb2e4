/*
 * control.c: what people do to runs: cancel, pause, resume, retry, migrate.
 *
 * A run that has not begun is changed at once, in the caller's transaction. One that has is sent a message, which a
 * worker deals with as it does with all others: nobody waits for a segment that executes. A run of another tenant is
 * to the caller what one is that does not exist.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "base/wake.h"
#include "engine/mail.h"
#include "engine/options.h"
#include "engine/save.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/step.h"
#include "engine/turn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* The start of a run that is in the queue or at a gate, and that nobody executes, or NULL. Workers pass over it meanwhile. */
static WfMessage *
hold_start(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	bool		exists;
	WfMessage  *start = wf_store_claim_start(tenant_id, run_id, false, &exists);

	if (start != NULL)
		wf_wake_role_at_end(start->role);
	return start;
}

/* -- cancel -- */

/* A run that is in the queue still, or held there, and that nobody executes: it ends here. */
static bool
cancel_start(const WfTenant *tenant, const pg_uuid_t *run_id, Jsonb *reason)
{
	WfMessage  *start = hold_start(&tenant->tenant_id, run_id);
	WfRunResult result;
	Run		   *run;

	if (start == NULL)
		return false;
	run = wf_turn_run_of_start(start);
	run->tenant = *tenant;
	run->started_at = 0;
	wf_turn_set_cancelled(run, reason);
	wf_segment_settle(run, &result);
	wf_store_take(start);
	return true;
}

/* The same for one that waits for its start. */
static bool
cancel_unbegun(const WfTenant *tenant, const pg_uuid_t *run_id, Jsonb *reason)
{
	WfLiveRow  *live = wf_store_find_live(&tenant->tenant_id, run_id, WF_LOCK_SKIP);
	WfRunResult result;
	Run		   *run;

	if (live == NULL || live->state != NULL)
		return false;
	run = wf_turn_run_of_live(live);
	run->tenant = *tenant;
	run->started_at = 0;
	wf_turn_set_cancelled(run, reason);
	wf_segment_settle(run, &result);
	return true;
}

bool
wf_control_cancel(const WfTenant *tenant, const pg_uuid_t *run_id, const char *reason)
{
	JsonbValue	value;
	Jsonb	   *json = NULL;

	if (reason != NULL)
	{
		wf_json_set_string(&value, reason, strlen(reason));
		json = wf_json_copy(&value);
	}
	return cancel_start(tenant, run_id, json) || cancel_unbegun(tenant, run_id, json) ||
		wf_mail_send_cancel(&tenant->tenant_id, run_id, reason);
}

bool
wf_engine_cancel(const pg_uuid_t *run_id, const char *reason)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	bool		result;

	PreventCommandIfReadOnly("wf_cancel()");
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_RUN_CANCEL, &tenant);
	result = wf_store_allows_run(&tenant, WF_RUN_CANCEL, run_id) && wf_control_cancel(&tenant, run_id, reason);
	SPI_finish();
	return result;
}

/* -- pause, resume -- */

static WfMessage
go_message(const WfLiveRow *live)
{
	const WfRunKey key = {live->run_id, live->role, live->priority};

	return wf_store_message(&live->tenant_id, &key, WF_MESSAGE_GO);
}

/* A run that is in the queue, or at a gate, becomes a live one that has not begun; what begins it is kept back. */
static bool
pause_start(const WfTenant *tenant, const pg_uuid_t *run_id)
{
	WfMessage  *start = hold_start(&tenant->tenant_id, run_id);
	WfLiveRow	row = {0};
	WfMessage	go;
	Run		   *run;

	if (start == NULL)
		return false;
	run = wf_turn_run_of_start(start);
	row.tenant_id = start->tenant_id;
	row.run_id = start->run_id;
	row.workflow_id = start->workflow_id;
	row.version = start->version;
	row.role = start->role;
	row.priority = start->priority;
	row.status = "paused";
	row.attempt = 1;
	row.queued_at = start->ready_at;
	row.has_parent = run->has_parent && run->parent.step != 0;
	row.parent_run_id = run->parent.run_id;
	row.input = start->payload;
	row.options = start->options;
	row.is_personal = start->is_personal;
	row.known = start->known;
	wf_store_insert_live(&row);
	wf_store_take(start);
	go = go_message(&row);
	wf_store_hold(&go, NULL, 0);
	return true;
}

static bool
pause_live(const WfTenant *tenant, const pg_uuid_t *run_id)
{
	WfLiveRow  *live = wf_store_find_live(&tenant->tenant_id, run_id, WF_LOCK_SKIP);

	if (live == NULL)
		return false;
	if (strcmp(live->status, "compensating") == 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s is being compensated and cannot be paused", wf_engine_uuid_text(run_id))));
	live->status = "paused";
	wf_store_update_live(live);
	WF_FAULT("control.paused");
	return true;
}

bool
wf_engine_pause(const pg_uuid_t *run_id)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	WfRunKey	key;
	bool		is_there;
	bool		result;

	PreventCommandIfReadOnly("wf_pause()");
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_RUN_CANCEL, &tenant);
	is_there = wf_store_allows_run(&tenant, WF_RUN_CANCEL, run_id);
	result = is_there && (pause_start(&tenant, run_id) || pause_live(&tenant, run_id));
	if (is_there && !result && wf_store_is_alive(&tenant.tenant_id, run_id, &key))
	{
		WfMessage	message = wf_store_message(&tenant.tenant_id, &key, WF_MESSAGE_PAUSE);

		wf_store_send(&message, 1);
		result = true;
	}
	SPI_finish();
	return result;
}

/* A pause that has not taken effect, since a segment is being executed, is taken back. */
static bool
take_pause(const WfTenant *tenant, const pg_uuid_t *run_id)
{
	ListCell   *cell;
	bool		taken = false;

	foreach(cell, wf_store_claim_run(&tenant->tenant_id, run_id))
	{
		const WfMessage *message = lfirst(cell);

		wf_wake_role_at_end(message->role);
		if (message->kind != WF_MESSAGE_PAUSE)
			continue;
		wf_store_take(message);
		taken = true;
	}
	return taken;
}

bool
wf_engine_resume(const pg_uuid_t *run_id)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	WfRunKey	key;
	WfLiveRow  *live;
	bool		is_there;
	bool		result = false;

	PreventCommandIfReadOnly("wf_resume()");
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_RUN_CANCEL, &tenant);
	is_there = wf_store_allows_run(&tenant, WF_RUN_CANCEL, run_id);
	live = is_there ? wf_store_find_live(&tenant.tenant_id, run_id, WF_LOCK_WAIT) : NULL;
	if (live != NULL && strcmp(live->status, "paused") == 0)
	{
		live->status = live->state == NULL ? "queued" : "waiting";
		wf_store_update_live(live);
		WF_FAULT("control.resume");
		wf_store_release_held(&tenant.tenant_id, run_id);
		result = true;
	}
	else if (is_there && take_pause(&tenant, run_id))
		result = true;
	else if (live != NULL || (is_there && wf_store_is_alive(&tenant.tenant_id, run_id, &key)))
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s is not paused", wf_engine_uuid_text(run_id))));
	SPI_finish();
	return result;
}

/* -- another version -- */

/* Does the state fit that version? Throws WF014 with what does not. */
static void
try_version(const WfTenant *tenant, WfLiveRow *live, int version)
{
	Run		   *run = wf_turn_run_of_live(live);

	run->tenant = *tenant;
	run->compiled = wf_engine_find_id(tenant, &live->workflow_id, version);
	wf_run_hold(run, run->compiled);
	wf_engine_require_approved(run->compiled);
	wf_segment_apply_settings(run);
	if (live->state != NULL)
	{
		wf_load_state(run, live->state);
		wf_load_check(run);
		wf_activation_leave(run->root);
	}
	MemoryContextDelete(run->memory);
}

/* -- retry -- */

/* The state of a run that goes on, from a node or (NULL) with the messages that it failed over; signals come out of it. */
static Jsonb *
state_again(const Jsonb *state, const char *from_node, Jsonb **signals)
{
	static const char *const changed[] = {"from", "again", "signals", NULL};
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;
	JsonbValue	value;

	wf_json_begin_object(w);
	wf_json_root(state, &root);
	if (wf_json_field(&root, "signals", &value))
		*signals = wf_json_copy(&value);
	wf_json_put_members(w, &root, changed);
	wf_json_put_field_bool(w, "again", true);
	if (from_node != NULL)
		wf_json_put_field_cstring(w, "from", from_node);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Throws WF014 unless the definition has the node, and WF014 when it is not where the run can go on from. */
static void
check_from(const WfTenant *tenant, const WfLiveRow *live, const char *from_node)
{
	WfCompiled *compiled = wf_engine_find_id(tenant, &live->workflow_id, live->version);
	const WfGraph *graph = compiled->graph;
	int			index = wf_graph_find(graph, from_node, strlen(from_node));
	const char *nearest = index < 0 ? wf_graph_nearest(graph, from_node) : NULL;
	bool		is_start = index >= 0 && graph->nodes[index].n_in == 0 && graph->nodes[index].region == 0;
	bool		fits = index >= 0 && graph->nodes[index].region == 0 && graph->nodes[index].loop < 0;

	wf_engine_release(compiled);
	if (index < 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("the workflow has no node \"%s\"", wf_text_clip(from_node)),
						nearest != NULL ? errhint("Did you mean \"%s\"?", nearest) : 0));
	if (!fits)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("the run cannot go on from node \"%s\"", from_node),
						errhint("Name a node at the top of the graph that is in no loop.")));
	if (live->state == NULL && !is_start)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("the run cannot go on from node \"%s\"", from_node),
						errdetail("It failed in its first segment, which was rolled back: nothing before the node is left."),
						errhint("Retry it from the beginning.")));
}

/* Throws WF014 when what the run did has been undone, if not wholly: there is nothing to go on from. */
static void
refuse_compensated(const WfLiveRow *live)
{
	JsonbValue	root;
	JsonbValue	failure;

	if (live->state == NULL)
		return;
	wf_json_root(live->state, &root);
	if (wf_json_field(&root, "failure", &failure))
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s was compensated and cannot go on", wf_engine_uuid_text(&live->run_id)),
						errdetail("Not all of its compensations succeeded; its error tells which did not."),
						errhint("Undo the rest by hand and start a new run.")));
}

static void
read_retry_options(const WfTenant *tenant, const Jsonb *options, WfLiveRow *live)
{
	RunOptions	read;

	wf_engine_read_retry_options(options, &read);
	if (read.version > 0 && read.version != live->version)
	{
		try_version(tenant, live, read.version);
		live->version = read.version;
	}
	if (read.has_priority)
		live->priority = read.priority;
}

void
wf_engine_retry(const pg_uuid_t *run_id, const char *from_node, const Jsonb *options, WfRunResult *result)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	WfLiveRow  *live;
	WfMessage	go;

	memset(result, 0, sizeof(*result));
	PreventCommandIfReadOnly("wf_retry()");
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_RUN_REPLAY, &tenant);
	if (!wf_wake_available())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there are no workers that could go on with the run"),
						errhint("Add workflow to shared_preload_libraries and restart the server.")));
	live = wf_store_allows_run(&tenant, WF_RUN_REPLAY, run_id) ? wf_store_take_failed(&tenant.tenant_id, run_id) : NULL;
	if (live == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s has not failed", wf_engine_uuid_text(run_id)),
						errhint("The view wf_dead_letters lists runs that can be retried.")));
	refuse_compensated(live);
	read_retry_options(&tenant, options, live);
	if (from_node != NULL)
		check_from(&tenant, live, from_node);
	if (live->state != NULL)
		live->state = state_again(live->state, from_node, &live->signals);
	live->attempt++;
	live->status = live->state == NULL ? "queued" : "waiting";
	live->deadline = 0;
	if (live->state == NULL)
		live->started_at = 0;
	wf_store_delete_run(&tenant.tenant_id, run_id);
	wf_store_insert_live(live);
	go = go_message(live);
	wf_store_send(&go, 1);
	result->run_id = *run_id;
	result->status = "queued";
	SPI_finish();
}

/* -- migrate -- */

void
wf_engine_migrate(const pg_uuid_t *run_id, int version)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	WfLiveRow  *live;
	WfMessage  *start;
	bool		is_there;

	PreventCommandIfReadOnly("wf_migrate()");
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_RUN_REPLAY, &tenant);
	is_there = wf_store_allows_run(&tenant, WF_RUN_REPLAY, run_id);
	live = is_there ? wf_store_find_live(&tenant.tenant_id, run_id, WF_LOCK_WAIT) : NULL;
	if (live != NULL)
	{
		if (strcmp(live->status, "compensating") == 0)
			ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
							errmsg("run %s is being compensated", wf_engine_uuid_text(run_id))));
		try_version(&tenant, live, version);
		live->version = version;
		wf_store_update_live(live);
	}
	else if (is_there && (start = hold_start(&tenant.tenant_id, run_id)) != NULL)
	{
		WfCompiled *compiled = wf_engine_find_id(&tenant, &start->workflow_id, version);
		const char *gate = wf_turn_run_of_start(start)->gate;
		int			size = gate == NULL ? 0 : wf_start_gate_size(gate, &compiled->graph->settings);

		PG_TRY();
		{
			wf_engine_require_approved(compiled);
		}
		PG_FINALLY();
		{
			wf_engine_release(compiled);
		}
		PG_END_TRY();
		wf_store_take(start);
		start->version = version;
		/* one that waits at a gate goes on waiting there */
		if (gate != NULL && !ItemPointerIsValid(&start->tid))
			wf_store_hold(start, gate, size);
		else
			wf_store_send(start, 1);
	}
	else
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s is not waiting", wf_engine_uuid_text(run_id)),
						errhint("Only runs that wait, are paused, or have not begun can be migrated.")));
	SPI_finish();
}
