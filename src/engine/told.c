/*
 * told.c: who is told of a run that failed.
 *
 * 1. The workflow that `errorWorkflow` of its settings names, and each other one with a trigger.error that is for it. They are
 *    runs in the background, queued by the transaction that records the failure.
 * 2. None of them is told of a run that was itself told of one: these have the trigger `error`. What such a run starts is
 *    bounded by workflow.max_trigger_chain.
 *    Its input is that of the run that failed: who saves such a trigger must have `run:read` for the workflows that it is for.
 * 3. Being told is worth no failure of the record: what goes wrong is undone, and in the server's log; a trigger has it in
 *    wf_triggers, too.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/subtransaction.h"
#include "base/text.h"
#include "base/wake.h"
#include "engine/listen.h"
#include "engine/personal.h"
#include "engine/start.h"
#include "miscadmin.h"

/* Whom to tell: a trigger, or a workflow by its name. */
typedef struct Told
{
	Run		   *run;
	Jsonb	   *input;
	const char *workflow;
	const WfTriggerRow *trigger;	/* or NULL */
} Told;

/* {run_id, workflow, version, node, error, input} */
static Jsonb *
failure_input(const Run *run, const char *workflow, const Jsonb *error)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_root(error, &root);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "run_id", wf_engine_uuid_text(&run->run_id));
	wf_json_put_field_cstring(w, "workflow", workflow);
	wf_json_put_field_int64(w, "version", run->version);
	wf_json_put_field_cstring(w, "node", wf_json_get_cstring(&root, "node"));
	wf_json_put_member(w, "error", error);
	wf_json_put_member(w, "input", run->input);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
tell(void *arg)
{
	const Told *told = arg;
	const Run  *run = told->run;
	WfFire		how = {.role = run->role, .started_by = run->started_by, .correlation_id = run->options.correlation_id,
	.chain = run->chain + 1, .is_personal = run->is_personal};
	Jsonb	   *input = told->input;
	WfStarted	started;

	how.known = wf_personal_known(told->run);
	if (told->trigger == NULL)
		wf_start_error_workflow(told->run, told->workflow, input);
	else
		wf_engine_fire(told->trigger, &how, &input, 1, &started);
}

/* Throws on what is the session's own trouble, and what makes the whole transaction fail. */
static void
try_to_tell(Told *told)
{
	ErrorData  *error = wf_subtransaction(tell, told);

	if (error == NULL)
		return;
	if (error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && IsolationUsesXactSnapshot())
		ReThrowError(error);
	ereport(LOG, (errmsg("workflow \"%s\" could not be told of a failed run", told->workflow),
				  errdetail("%s", error->message)));
	FreeErrorData(error);
}

static bool
is_for(const Listener *listener, const Run *run, const char *workflow)
{
	ListCell   *cell;

	if (memcmp(&listener->row.workflow_id, &run->workflow_id, sizeof(pg_uuid_t)) == 0)
		return false;
	foreach(cell, listener->workflows)
		if (strcmp(lfirst(cell), workflow) == 0)
			return true;
	return listener->workflows == NIL;
}

/* Its name; one that could not be compiled has it in its row alone. NULL: there is no such workflow any more. */
static const char *
name_of(const Run *run)
{
	const WfWorkflowRow *row;

	if (run->compiled != NULL)
		return run->compiled->name;
	row = wf_store_find_workflow_id(&run->tenant.tenant_id, &run->workflow_id);
	return row == NULL ? NULL : row->name;
}

void
wf_tell_of_failure(Run *run, const Jsonb *error)
{
	const char *named = run->compiled == NULL ? NULL : run->compiled->graph->settings.error_workflow;
	Told		told = {.run = run};
	List	   *listeners;
	ListCell   *cell;
	const char *name;

	if (!wf_wake_available() || strcmp(run->trigger, "error") == 0)
		return;
	/* the run around a branch tells, if it fails of it */
	listeners = run->branch != NULL ? NIL : wf_listeners_of_type(&run->tenant.tenant_id, "trigger.error");
	if (named == NULL && listeners == NIL)
		return;
	name = name_of(run);
	if (name == NULL)
		return;
	told.input = failure_input(run, name, error);
	if (named != NULL)
	{
		told.workflow = named;
		try_to_tell(&told);
	}
	foreach(cell, listeners)
	{
		const Listener *listener = lfirst(cell);

		if (!is_for(listener, run, name) || (named != NULL && strcmp(listener->row.workflow, named) == 0))
			continue;
		told.workflow = listener->row.workflow;
		told.trigger = &listener->row;
		try_to_tell(&told);
	}
}

/* -- who may listen -- */

static bool
may_read(const TriggerNode *trigger, const char *workflow)
{
	WfWorkflowRow *row = wf_store_find_workflow(&trigger->tenant->tenant_id, workflow, false);

	return row != NULL && wf_store_allows(trigger->tenant, WF_RUN_READ, &row->workflow_id);
}

static void
error_check(const TriggerNode *trigger, WfDiagnostics *found)
{
	List	   *names;
	ListCell   *cell;
	bool		may = false;

	if ((trigger->tenant->permissions & WF_RUN_READ) != 0)
		return;
	names = wf_listener_workflows(trigger->node->config);
	foreach(cell, names)
	{
		may = may_read(trigger, lfirst(cell));
		if (!may)
			break;
	}
	if (!may)
		wf_diagnostics_add(found, WF_SEVERITY_ERROR, ERRCODE_INSUFFICIENT_PRIVILEGE, trigger->node->id, NULL,
						   "Name workflows whose runs you may read in \"workflows\".",
						   "trigger \"%s\" would be told of runs that role \"%s\" may not read", trigger->node->id,
						   GetUserNameFromId(GetUserId(), false));
}

const TriggerKind wf_trigger_error_kind = {
	.type = "trigger.error",
	.check = error_check,
};
