/*
 * run.c: one run from start to record, in the caller's transaction.
 *
 * 1. The caller's right, the workflow, and the options are checked; what is wrong there is thrown.
 * 2. The segment runs in a subtransaction. When it fails, that is rolled back: all that the run did to the data is
 *    gone, by the database's own means.
 * 3. Then, outside of it, the run and its journal are written: one row each, as wf_engine. So a failed run leaves its
 *    record and nothing else, and a caller who rolls back leaves no trace at all.
 * wf_call raises failures instead of recording them, and so does without the subtransaction; a dry run always rolls it
 * back.
 *
 * Runs may nest: a block's SQL may call wf_run again. The depth is bounded and restored on all paths.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "base/text.h"
#include "base/uuid.h"
#include "engine/attempt.h"
#include "engine/deadline.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/options.h"
#include "engine/step.h"
#include "executor/spi.h"
#include "miscadmin.h"
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

/* Adds where we are to whatever is reported while the run executes. */
static void
add_context(void *arg)
{
	Run		   *run = arg;
	Frame	   *frame = run->frame;

	while (frame != NULL && frame->open.node == NULL)
		frame = frame->parent;
	if (frame == NULL)
		errcontext("workflow \"%s\" version %d", run->compiled->name, run->compiled->version);
	else
		errcontext("workflow \"%s\" version %d, node \"%s\", attempt %d", frame->activation->compiled->name,
				   frame->activation->compiled->version, frame->open.node->id, frame->open.attempt);
}

static Run *
new_run(const WfRunRequest *request, const WfTenant *tenant)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow run", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Run		   *run = palloc0(sizeof(Run));

	run->memory = memory;
	run->step_memory = AllocSetContextCreate(memory, "workflow step", ALLOCSET_DEFAULT_SIZES);
	run->journal_memory = AllocSetContextCreate(memory, "workflow journal", ALLOCSET_DEFAULT_SIZES);
	run->mode = request->mode;
	run->trigger = request->trigger;
	run->tenant = *tenant;
	run->input = request->input;
	run->started_by = GetUserId();
	run->started_at = wf_clock_now();
	wf_engine_read_options(request->options, &run->options);
	wf_uuid_make(&run->run_id);
	MemoryContextSwitchTo(old);
	return run;
}

/* Begins the graph and its top frame, inside the subtransaction. */
static void
begin_graph(Run *run, WfCompiled *compiled)
{
	const WfSettings *settings = &compiled->graph->settings;
	int64		timeout_ms = run->options.timeout_ms > 0 ? run->options.timeout_ms : settings->timeout_ms;
	JsonbValue	input;
	Frame	   *frame;

	wf_json_root(run->input, &input);
	run->root = wf_activation_begin(run, NULL, compiled, run->memory, &input);
	run->journal = settings->journal;
	run->max_output_bytes = settings->max_output_bytes > 0 ? (Size) settings->max_output_bytes :
		(Size) wf_setting_max_output_size * 1024;
	if (timeout_ms > 0)
		run->deadline = run->started_at + timeout_ms * 1000;
	frame = wf_frame_begin(run->root, NULL, 0, NULL);
	frame->input = input;
	run->frame = frame;
	wf_frame_start(frame);
}

static void
execute(Run *run, WfCompiled *compiled)
{
	begin_graph(run, compiled);
	wf_step_advance(run);
	wf_activation_end(run->root);
}

/* Names the node of an error that nobody has placed. */
static WfError *
placed_error(Run *run, const ErrorData *data)
{
	MemoryContext old;

	if (run->error == NULL)
	{
		Failure		failure;

		old = MemoryContextSwitchTo(run->memory);
		if (data->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_attempt_deadline(run, run->frame, &failure))
		{
			wf_deadline_take();
			run->error = failure.error;
		}
		else
			run->error = wf_error_from_data(data);
		for (Frame *frame = run->frame; frame != NULL && run->error->node == NULL; frame = frame->parent)
			if (frame->open.node != NULL)
				wf_attempt_place_error(run->error, &frame->open);
		MemoryContextSwitchTo(old);
	}
	return run->error;
}

/* Whether an error ends the caller's statement rather than the run. */
static bool
must_rethrow(Run *run, const ErrorData *data)
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

/* Executes in a subtransaction; afterwards run->error says whether it failed. */
static void
execute_guarded(Run *run, WfCompiled *compiled)
{
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile caught = NULL;
	volatile TimestampTz armed = wf_deadline_arm(0);
	const int	nest_level = GetCurrentTransactionNestLevel();

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory);
	PG_TRY();
	{
		execute(run, compiled);
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
	MemoryContextSwitchTo(memory);
	CurrentResourceOwner = owner;
	if (caught != NULL)
	{
		bool		rethrow = must_rethrow(run, caught);

		if (!rethrow)
			wf_step_journal_failure(run, placed_error(run, caught));
		wf_deadline_restore(armed);
		if (rethrow)
			ReThrowError(caught);
	}
}

/* wf_call: no subtransaction but those of containers; a failure is raised as the run's error. */
static void
execute_raising(Run *run, WfCompiled *compiled)
{
	volatile TimestampTz armed = wf_deadline_arm(0);
	MemoryContext memory = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	const int	nest_level = GetCurrentTransactionNestLevel();

	PG_TRY();
	{
		execute(run, compiled);
	}
	PG_CATCH();
	{
		ErrorData  *data;
		bool		own_timeout;

		MemoryContextSwitchTo(memory);
		data = CopyErrorData();
		FlushErrorState();
		roll_back_to(nest_level);
		MemoryContextSwitchTo(memory);
		CurrentResourceOwner = owner;
		own_timeout = run->error == NULL && data->sqlerrcode == ERRCODE_QUERY_CANCELED && !must_rethrow(run, data);
		if (own_timeout)
			(void) placed_error(run, data);
		wf_deadline_restore(armed);
		if (own_timeout)
			wf_error_raise(run->error);
		ReThrowError(data);
	}
	PG_END_TRY();
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
	if (error->code != NULL && strlen(error->code) == 5 && strspn(error->code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5)
		error->sqlstate = MAKE_SQLSTATE(error->code[0], error->code[1], error->code[2], error->code[3], error->code[4]);
	if (error->message == NULL)
		error->message = "the run failed";
	wf_error_raise(error);
}

/* The run that has this key already, as a result; false when there is none. */
static bool
earlier_run(Run *run, const WfCompiled *compiled, WfRunResult *result)
{
	WfRunRow   *row;

	if (run->options.idempotency_key == NULL)
		return false;
	row = wf_store_find_idempotent(&run->tenant.tenant_id, &compiled->workflow_id, run->options.idempotency_key);
	if (row == NULL)
		return false;
	if (run->options.conflict_is_error)
		ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
						errmsg("workflow \"%s\" has a run with the idempotency key \"%s\"", compiled->name,
							   wf_text_clip(run->options.idempotency_key)),
						errdetail("It is run %s.",
								  DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&row->run_id))))));
	if (run->mode == WF_RUN_RAISE && row->error != NULL)
		raise_stored(row->error);
	result->run_id = row->run_id;
	result->status = row->status;
	result->output = row->output;
	result->error = row->error;
	return true;
}

/* -- the whole -- */

static void
record(Run *run, WfRunResult *result)
{
	bool		failed = run->error != NULL;

	result->run_id = run->run_id;
	result->status = failed ? "failed" : "completed";
	result->output = failed ? NULL : run->output;
	result->error = failed ? wf_error_to_json(run->error) : NULL;
	if (run->mode == WF_RUN_DRY)
		result->steps = wf_journal_trace(run);
	else
		wf_journal_write(run, result->status, result->output, result->error);
}

/* A mock of a node that does not exist would be none at all; throws 22023. */
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

/* Copies what the caller gets out of the run's memory. */
static void
hand_out(WfRunResult *result, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	JsonbValue	root;
	Jsonb	  **parts[] = {&result->output, &result->error, &result->steps};

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

static void
run_inside(const WfRunRequest *request, WfRunResult *result, MemoryContext memory)
{
	WfTenant	tenant;
	WfCompiled *compiled;
	Run		   *run;
	ErrorContextCallback context;

	wf_store_require(WF_WORKFLOW_EXECUTE, &tenant);
	run = new_run(request, &tenant);
	compiled = wf_engine_find(&tenant, request->workflow, run->options.version);
	wf_run_hold(run, compiled);
	check_mocks(run, compiled->graph);
	if (request->mode == WF_RUN_DRY || !earlier_run(run, compiled, result))
	{
		context.callback = add_context;
		context.arg = run;
		context.previous = error_context_stack;
		error_context_stack = &context;
		run->compiled = compiled;
		if (request->mode == WF_RUN_RAISE)
			execute_raising(run, compiled);
		else
			execute_guarded(run, compiled);
		error_context_stack = context.previous;
		record(run, result);
	}
	hand_out(result, memory);
	MemoryContextDelete(run->memory);
}

void
wf_engine_run(const WfRunRequest *request, WfRunResult *result)
{
	MemoryContext memory = CurrentMemoryContext;
	const TimestampTz armed = wf_deadline_arm(0);

	memset(result, 0, sizeof(*result));
	check_stack_depth();
	if (run_depth >= wf_setting_max_depth)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("runs are nested more than %d deep", wf_setting_max_depth),
						errhint("A block of the workflow runs the workflow again. The setting \"workflow.max_depth\" has the limit.")));
	if (request->mode != WF_RUN_DRY)
		PreventCommandIfReadOnly(request->mode == WF_RUN_RAISE ? "wf_call()" : "wf_run()");
	wf_store_catch_up();
	run_depth++;
	PG_TRY();
	{
		SPI_connect();
		run_inside(request, result, memory);
		SPI_finish();
	}
	PG_FINALLY();
	{
		run_depth--;
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

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "run_id", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&result->run_id))));
	wf_json_put_field_cstring(w, "status", result->status);
	wf_json_key(w, "output", 6);
	if (result->output != NULL)
		wf_json_put_jsonb(w, result->output);
	else
		wf_json_put_null(w);
	wf_json_key(w, "error", 5);
	if (result->error != NULL)
		wf_json_put_jsonb(w, result->error);
	else
		wf_json_put_null(w);
	if (result->steps != NULL)
	{
		wf_json_key(w, "steps", 5);
		wf_json_put_jsonb(w, result->steps);
	}
	wf_json_end_object(w);
	return wf_json_finish(w);
}
