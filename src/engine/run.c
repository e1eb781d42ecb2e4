/*
 * run.c: runs in the caller's transaction: wf_run, wf_call, wf_dry_run.
 *
 * 1. The caller's right, the workflow, and the options are checked; what is wrong there is thrown.
 * 2. The first segment is executed and settled (segment.c), as the caller: a failure is recorded and returned; a run that
 *    waits goes on in the background.
 * wf_call raises failures instead of recording them, and so does without the subtransaction; a dry run always rolls it
 * back. A caller who rolls back leaves no trace at all.
 *
 * Runs may nest: a block's SQL may call wf_run again. The depth is bounded and restored on all paths.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "base/uuid.h"
#include "engine/answer.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/journal.h"
#include "engine/options.h"
#include "engine/segment.h"
#include "engine/start.h"
#include "engine/step.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/pii.h"
#include "store/quota.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

static int	run_depth = 0;

typedef struct Hold
{
	MemoryContextCallback callback;
	WfCompiled *compiled;
} Hold;

static void
give_up_hold(void *arg)
{
	wf_engine_release(((Hold *) arg)->compiled);
}

void
wf_run_hold(Run *run, WfCompiled *compiled)
{
	MemoryContext old;
	Hold	   *hold;

	if (list_member_ptr(run->held, compiled))
	{
		wf_engine_release(compiled);	/* one hold is enough, however often it is called */
		return;
	}
	hold = MemoryContextAlloc(run->memory, sizeof(Hold));
	hold->compiled = compiled;
	hold->callback.func = give_up_hold;
	hold->callback.arg = hold;
	MemoryContextRegisterResetCallback(run->memory, &hold->callback);
	old = MemoryContextSwitchTo(run->memory);
	run->held = lappend(run->held, compiled);
	MemoryContextSwitchTo(old);
}

static Run *
new_run(const WfRunRequest *request, const WfTenant *tenant)
{
	Run		   *run = wf_segment_new_run(request->mode);
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	run->trigger = request->trigger;
	run->tenant = *tenant;
	run->input = request->input;
	run->started_by = OidIsValid(request->started_by) ? request->started_by : GetUserId();
	run->started_at = run->segment_started_at;
	run->queued_at = run->started_at;
	wf_engine_read_options(request->options, false, &run->options);
	run->start_node = run->options.trigger_node;
	run->chain = Max(wf_run_chain - 1, 0);
	if (request->fired != NULL)
	{
		run->start_node = request->fired->node;
		run->chain = request->chain;
		run->options.idempotency_key = request->idempotency_key;
		run->options.correlation_id = request->correlation_id;
	}
	wf_uuid_make(&run->run_id);
	MemoryContextSwitchTo(old);
	return run;
}

/* wf_call: no subtransaction but those of containers; a failure is raised as the run's error. */
static void
execute_raising(Run *run)
{
	volatile TimestampTz armed = wf_deadline_arm(0);
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const int	nest_level = GetCurrentTransactionNestLevel();
	const int	chain = wf_run_chain;

	wf_run_chain = run->chain + 1;
	PG_TRY();
	{
		wf_segment_work(run, wf_segment_begin_graph, NULL);
	}
	PG_CATCH();
	{
		ErrorData  *data;
		bool		own_timeout;

		wf_run_chain = chain;
		MemoryContextSwitchTo(memory);
		data = CopyErrorData();
		FlushErrorState();
		while (GetCurrentTransactionNestLevel() > nest_level)
			RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		own_timeout = run->error == NULL && data->sqlerrcode == ERRCODE_QUERY_CANCELED &&
			!wf_segment_must_rethrow(run, data);
		if (own_timeout)
			wf_segment_place_error(run, data);
		wf_deadline_restore(armed);
		if (own_timeout)
			wf_error_raise(run->error);
		ReThrowError(data);
	}
	PG_END_TRY();
	wf_run_chain = chain;
}

/* -- idempotency -- */

/* Raises the error of an earlier run, as far as its record tells it. */
pg_noreturn static void
raise_stored(const Jsonb *json)
{
	WfError    *error = palloc0(sizeof(WfError));
	JsonbValue	root;

	wf_json_root(json, &root);
	error->code = wf_json_get_cstring(&root, "code");
	error->message = wf_json_get_cstring(&root, "message");
	error->detail = wf_json_get_cstring(&root, "detail");
	error->hint = wf_json_get_cstring(&root, "hint");
	error->sqlstate = WF_ERRCODE_RAISED;
	if (wf_error_is_sqlstate(error->code))
		error->sqlstate = MAKE_SQLSTATE(error->code[0], error->code[1], error->code[2], error->code[3], error->code[4]);
	if (error->message == NULL)
		error->message = "the run failed";
	wf_error_raise(error);
}

void
wf_run_refuse_key(const char *workflow, const char *key, const pg_uuid_t *earlier)
{
	ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
					errmsg("workflow \"%s\" has a run with the idempotency key \"%s\"", workflow,
						   wf_text_clip(key)),
					errdetail("It is run %s.", wf_engine_uuid_text(earlier))));
}

/* How the run stands, as a result: ended, or alive. Throws WF014 when it is neither (its record was removed). */
void
wf_run_result(const WfTenant *tenant, const pg_uuid_t *run_id, WfRunResult *result)
{
	WfRunState	state;

	memset(result, 0, sizeof(*result));
	result->run_id = *run_id;
	/* one look at all places: the run may go from one to the other meanwhile */
	if (!wf_store_run_state(&tenant->tenant_id, run_id, &state))
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("run %s does not exist", wf_engine_uuid_text(run_id))));
	result->status = state.status;
	if (!state.has_ended)
		return;
	wf_store_show_state(tenant, run_id, &state);
	result->output = state.output;
	result->error = state.error;
}

/* The run that has this key already, as a result; false when there is none, and the key is ours. */
static bool
earlier_run(Run *run, const WfCompiled *compiled, WfRunResult *result)
{
	pg_uuid_t	earlier;

	if (run->options.idempotency_key == NULL ||
		wf_store_take_key(&run->tenant.tenant_id, &compiled->workflow_id, run->options.idempotency_key, &run->run_id,
						  &earlier))
		return false;
	if (run->options.conflict_is_error)
		wf_run_refuse_key(compiled->name, run->options.idempotency_key, &earlier);
	wf_run_result(&run->tenant, &earlier, result);
	result->is_earlier = true;
	if (run->mode == WF_RUN_RAISE && result->error != NULL)
		raise_stored(result->error);
	return true;
}

/* -- the whole -- */

static void
check_trigger_node(const char *name, const WfGraph *graph)
{
	int			node = wf_graph_find(graph, name, strlen(name));
	const char *nearest;

	if (node >= 0 && strcmp(graph->nodes[node].id, name) == 0 &&
		(graph->nodes[node].block->flags & WF_BLOCK_TRIGGER) != 0)
		return;
	nearest = node >= 0 ? NULL : wf_graph_nearest(graph, wf_text_clip(name));
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("option \"trigger\" names \"%s\", which is no trigger of the workflow", wf_text_clip(name)),
					nearest != NULL ? errhint("Did you mean \"%s\"?", nearest) : 0));
}

static void
check_mocks(const Run *run, const WfGraph *graph)
{
	JsonbValue	mocks;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	if (run->options.mocks == NULL)
		return;
	wf_json_root(run->options.mocks, &mocks);
	wf_json_iter_begin(&it, &mocks);
	while (wf_json_iter_next(&it, &key, &value))
	{
		const char *name = wf_json_cstring(&key);
		int			node = wf_graph_find(graph, name, strlen(name));
		const char *nearest;

		if (node >= 0 && strcmp(graph->nodes[node].id, name) == 0)
			continue;
		nearest = node >= 0 ? graph->nodes[node].id : wf_graph_nearest(graph, wf_text_clip(name));
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"mocks\" names the unknown node \"%s\"", wf_text_clip(name)),
						nearest != NULL ? errhint("Did you mean \"%s\"?", nearest) : 0));
	}
}

void
wf_run_check_nodes(const Run *run, const WfGraph *graph)
{
	if (run->options.trigger_node != NULL)
		check_trigger_node(run->options.trigger_node, graph);
	check_mocks(run, graph);
}

/* Copies what the caller gets out of the run's memory. */
static void
hand_out(WfRunResult *result, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	JsonbValue	root;
	Jsonb	  **parts[] = {&result->output, &result->error, &result->steps, &result->answer};

	for (int i = 0; i < lengthof(parts); i++)
	{
		if (*parts[i] == NULL)
			continue;
		wf_json_root(*parts[i], &root);
		*parts[i] = wf_json_copy(&root);
	}
	result->status = pstrdup(result->status);
	MemoryContextSwitchTo(old);
}

bool
wf_run_may_call(Run *run, const pg_uuid_t *workflow_id)
{
	WfTenant	tenant;
	Oid			user;
	int			context;
	bool		result;

	if ((run->tenant.permissions & WF_WORKFLOW_EXECUTE) != 0)
		return true;
	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(run->role, context | SECURITY_LOCAL_USERID_CHANGE);
	result = wf_store_tenant_of(&run->tenant.tenant_id, &tenant) && wf_store_allows(&tenant, WF_WORKFLOW_EXECUTE, workflow_id);
	SetUserIdAndSecContext(user, context);
	return result;
}

void
wf_run_check_callee(Run *run, const char *name)
{
	WfWorkflowRow *row;

	if ((run->tenant.permissions & WF_WORKFLOW_EXECUTE) != 0)
		return;
	row = wf_store_find_workflow(&run->tenant.tenant_id, name, false);
	if (row != NULL && wf_run_may_call(run, &row->workflow_id))
		return;
	if (row != NULL && wf_store_allows(&run->tenant, WF_WORKFLOW_READ, &row->workflow_id))
		wf_store_refuse(&run->tenant, WF_WORKFLOW_EXECUTE);
	wf_engine_not_found(&run->tenant, name);
}

static void
run_inside(const WfRunRequest *request, WfRunResult *result, MemoryContext memory)
{
	WfTenant	tenant;
	WfCompiled *compiled;
	Run		   *run;
	ErrorContextCallback context;

	if (request->fired != NULL)
		tenant = *request->tenant;
	else
		wf_store_require_some(WF_WORKFLOW_EXECUTE, &tenant);
	run = new_run(request, &tenant);
	if (request->fired != NULL)
		compiled = wf_engine_find_id(&tenant, &request->fired->workflow_id, request->fired->version);
	else
		compiled = wf_engine_find_for(&tenant, request->workflow, run->options.version, WF_WORKFLOW_EXECUTE);
	wf_run_hold(run, compiled);
	if (run->options.version > 0 && request->mode != WF_RUN_DRY)
		wf_engine_require_approved(compiled);
	wf_run_check_nodes(run, compiled->graph);
	if (request->mode == WF_RUN_DRY || !earlier_run(run, compiled, result))
	{
		/* what a run itself runs is part of it, as its children are: it has a place already */
		if (wf_run_chain == 0)
			wf_store_enter_run(&tenant.tenant_id);
		wf_store_take_runs(&tenant.tenant_id, 1, false);
		run->compiled = compiled;
		run->role = request->fired != NULL ? GetUserId() : wf_start_role(compiled);
		run->priority = run->options.has_priority ? run->options.priority : compiled->graph->settings.priority;
		wf_segment_apply_settings(run);
		if (request->wants_answer)
			(void) wf_answer_wait(run);
		context.callback = wf_segment_add_context;
		context.arg = run;
		context.previous = error_context_stack;
		error_context_stack = &context;
		if (request->mode == WF_RUN_RAISE || request->mode == WF_RUN_TRIGGER)
			execute_raising(run);
		else
			wf_segment_execute(run, wf_segment_begin_graph, NULL);
		error_context_stack = context.previous;
		wf_segment_settle(run, result);
		result->answer = run->error == NULL ? run->answer : NULL;
	}
	hand_out(result, memory);
	MemoryContextDelete(run->memory);
}

void
wf_engine_run(const WfRunRequest *request, WfRunResult *result)
{
	MemoryContext memory = CurrentMemoryContext;
	const TimestampTz armed = wf_deadline_arm(0);
	Run		   *const waiting = wf_answer_waiting();
	const int	entered = wf_store_entered();
	volatile bool stays = false;

	memset(result, 0, sizeof(*result));
	check_stack_depth();
	if (run_depth >= wf_setting_max_depth)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("runs are nested more than %d deep", wf_setting_max_depth),
						errhint("A block of the workflow runs the workflow again. The setting \"workflow.max_depth\" has the limit.")));
	if (request->mode != WF_RUN_DRY)
		PreventCommandIfReadOnly(request->fired != NULL ? "a trigger of a workflow" :
								 request->mode == WF_RUN_RAISE ? "wf_call()" : "wf_run()");
	wf_store_catch_up();
	run_depth++;
	PG_TRY();
	{
		SPI_connect();
		run_inside(request, result, memory);
		stays = strcmp(result->status, "waiting") == 0 && request->mode != WF_RUN_DRY;
		SPI_finish();
	}
	PG_FINALLY();
	{
		run_depth--;
		wf_store_leave_run(entered, stays);
		wf_answer_stop(waiting);
		wf_deadline_restore(armed);
	}
	PG_END_TRY();
}

bool
wf_engine_is_running(void)
{
	return run_depth > 0;
}

Jsonb *
wf_engine_envelope(const WfRunResult *result)
{
	WfJsonWriter *w = wf_json_writer_begin();

	/* in jsonb's order, which saves the writer sorting them */
	wf_json_begin_object(w);
	wf_json_key(w, "error", 5);
	if (result->error != NULL)
		wf_json_put_jsonb(w, result->error);
	else
		wf_json_put_null(w);
	wf_json_put_member(w, "steps", result->steps);
	wf_json_key(w, "output", 6);
	if (result->output != NULL)
		wf_json_put_jsonb(w, result->output);
	else
		wf_json_put_null(w);
	wf_json_put_field_cstring(w, "run_id", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&result->run_id))));
	wf_json_put_field_cstring(w, "status", result->status);
	wf_json_end_object(w);
	return wf_json_finish(w);
}
