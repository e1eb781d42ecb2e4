/*
 * step.c: executing nodes.
 *
 * 1. wf_step_advance takes ready nodes of the innermost frame, one after another. A node's execution is an
 *    attempt; what it gives is an outcome: done, failed, returned, or, for containers and callers, another frame to
 *    run first. When a frame is done, the step that it ran for is resumed with its result.
 * 2. An attempt whose failure somebody may handle (node->guarded, or a caller around) runs in a subtransaction of its
 *    own, so that what it did is undone before the handler sees the error. All others run in the run's: their error
 *    ends the run, so there is nothing to keep.
 * 3. A thrown error and a returned failure are the same from then on. Cancel, shutdown and lack of memory are thrown
 *    on, and so is a serialization failure where the transaction has but one snapshot: only the caller
 *    can try again.
 * 4. A failure is tried again, answered by onErrorValue, routed to the error port, or handed to the container; what no
 *    container handles ends the run.
 * 5. Deadlines: of the attempt, of frames, of the run. Which one a cancel belongs to is decided by what has passed.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "engine/deadline.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/scope.h"
#include "engine/step.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

/* A failure as it travels: whose deadline it was, if one was. */
typedef struct Failure
{
	WfError    *error;			/* in run memory */
	Frame	   *frame;			/* the frame whose deadline passed, or NULL */
	bool		ends_run;		/* no handler may take it */
} Failure;

static void handle_outcome(Run *run, Frame *frame, const WfOutcome *outcome);
static void handle_failure(Run *run, Frame *frame, Failure *failure);
static void resume_parent(Run *run, Frame *child, WfReply *reply);

static inline OpenStep *
open_of(WfStep *step)
{
	return (OpenStep *) ((char *) step - offsetof(OpenStep, step));
}

/* -- what blocks may ask for -- */

static void
set_variable(WfStep *step, const char *name, const JsonbValue *value)
{
	Frame	   *frame = open_of(step)->scope.frame;
	Activation *activation = frame->activation;
	MemoryContext old = MemoryContextSwitchTo(activation->memory);
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	vars;
	JsonbValue	key;
	JsonbValue	member;
	WfJsonIter	it;
	Jsonb	   *before = activation->vars;

	wf_json_begin_object(w);
	if (before != NULL)
	{
		wf_json_root(before, &vars);
		wf_json_iter_begin(&it, &vars);
		while (wf_json_iter_next(&it, &key, &member))
		{
			wf_json_key(w, key.val.string.val, key.val.string.len);
			wf_json_put(w, &member);
		}
	}
	wf_json_put_field(w, name, value);
	wf_json_end_object(w);
	activation->vars = wf_json_finish(w);
	MemoryContextSwitchTo(old);
	/* what was replaced may be in use by an open container: it stays until the activation ends */
	activation->run->context_bytes += VARSIZE(activation->vars);
	if (activation->run->context_bytes / 1024 > (Size) wf_setting_max_context_size)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("context of the run exceeds %d kB", wf_setting_max_context_size),
						errhint("The setting \"workflow.max_context_size\" has the limit.")));
}

static void
add_log(WfStep *step, const char *line)
{
	OpenStep   *open = open_of(step);
	MemoryContext old = MemoryContextSwitchTo(open->memory);

	open->log = lappend(open->log, pstrdup(line));
	MemoryContextSwitchTo(old);
}

static Jsonb *
get_memory(WfStep *step)
{
	return open_of(step)->scope.frame->activation->nodes[step->node->index].memory;
}

static void
set_memory(WfStep *step, Jsonb *value)
{
	Activation *activation = open_of(step)->scope.frame->activation;
	NodeState  *state = &activation->nodes[step->node->index];
	MemoryContext old = MemoryContextSwitchTo(activation->memory);
	Jsonb	   *before = state->memory;

	state->memory = (Jsonb *) PG_DETOAST_DATUM_COPY(JsonbPGetDatum(value));
	MemoryContextSwitchTo(old);
	if (before != NULL)
		pfree(before);
}

static void
note_rows(WfStep *step, const char *table, const char *operation, const JsonbValue *rows)
{
	OpenStep   *open = open_of(step);
	MemoryContext old = MemoryContextSwitchTo(open->memory);
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "table", table);
	wf_json_put_field_cstring(w, "operation", operation);
	if (rows != NULL)
		wf_json_put_field(w, "rows", rows);
	wf_json_end_object(w);
	open->wrote = wf_json_finish(w);
	MemoryContextSwitchTo(old);
}

static const WfStepOps step_ops = {set_variable, add_log, get_memory, set_memory, note_rows};

/* -- errors -- */

static WfError *
make_error(Run *run, int sqlstate, const char *hint, const char *message)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfError    *error = wf_error_make(sqlstate, hint, "%s", message);

	MemoryContextSwitchTo(old);
	return error;
}

static void
place_error(WfError *error, const OpenStep *open)
{
	if (error->node == NULL)
	{
		error->node = open->node->id;
		error->step = open->seq;
		error->attempt = open->attempt;
	}
}

/* Ends the run with an error that no handler may take, or that none took. */
static void
fail_run(Run *run, WfError *error)
{
	run->error = error;
	wf_error_raise(error);
}

/* Which deadline has passed, seen from the open step of `frame`; false when none of this run's has. */
static bool
deadline_failure(Run *run, Frame *frame, Failure *failure)
{
	OpenStep   *open = &frame->open;

	if (wf_deadline_is_past(run->deadline))
	{
		failure->ends_run = true;
		failure->error = make_error(run, WF_ERRCODE_RUN_TIMEOUT,
									"The run's time-out is set by \"settings.timeout\" or the option \"timeout\".",
									"run timed out");
		return true;
	}
	for (Frame *f = frame; f != NULL; f = f->parent)
	{
		if (!(f->own_deadline || f->node_deadline) || !wf_deadline_is_past(f->deadline))
			continue;
		/* the outermost that passed counts: what is within it is of no interest any more */
		failure->frame = f;
	}
	if (failure->frame != NULL)
	{
		const WfNode *container = failure->frame->parent->open.node;

		failure->error = make_error(run, WF_ERRCODE_NODE_TIMEOUT, NULL,
									psprintf("node \"%s\" timed out", container->id));
		place_error(failure->error, &failure->frame->parent->open);
		return true;
	}
	if (wf_deadline_is_past(open->deadline))
	{
		failure->error = make_error(run, WF_ERRCODE_NODE_TIMEOUT, NULL,
									psprintf("node \"%s\" timed out after " INT64_FORMAT " ms", open->node->id,
											 open->node->timeout_ms));
		return true;
	}
	return false;
}

/* What a caught error means; rethrows what nobody may take. The subtransaction has been rolled back. */
static void
failure_of(Run *run, Frame *frame, ErrorData *data, Failure *failure)
{
	MemoryContext old;

	memset(failure, 0, sizeof(*failure));
	if (run->error != NULL)
		ReThrowError(data);		/* fail_run has decided */
	if (data->sqlerrcode == ERRCODE_QUERY_CANCELED && wf_deadline_fired() && deadline_failure(run, frame, failure))
		return;
	if (wf_error_is_fatal(data->sqlerrcode) ||
		(data->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE && IsolationUsesXactSnapshot()))
		ReThrowError(data);
	old = MemoryContextSwitchTo(run->memory);
	failure->error = wf_error_from_data(data);
	MemoryContextSwitchTo(old);
}

/* -- one attempt -- */

/* A copy of an output in frame memory becomes what `$node` tells. Throws WF006 over a limit. */
static void
store_output(Run *run, Frame *frame, const WfNode *node, const WfOutcome *outcome)
{
	NodeState  *state = &frame->activation->nodes[node->index];
	Size		bytes = outcome->output == NULL ? 0 : VARSIZE(outcome->output);
	Jsonb	   *copy = NULL;

	if (bytes > run->max_output_bytes)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("output of node \"%s\" has %zu kB, more than %zu kB", node->id, (size_t) (bytes / 1024),
							   (size_t) (run->max_output_bytes / 1024)),
						errhint("Select less, or raise \"settings.maxOutputSize\" or \"workflow.max_output_size\".")));
	if ((run->context_bytes + bytes - state->bytes) / 1024 > (Size) wf_setting_max_context_size)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("outputs of the run exceed %d kB together", wf_setting_max_context_size),
						errhint("The setting \"workflow.max_context_size\" has the limit.")));
	if (bytes > 0)
	{
		copy = MemoryContextAllocHuge(frame->memory, bytes);
		memcpy(copy, outcome->output, bytes);
	}
	frame->open.retired = state->output;
	run->context_bytes += bytes - state->bytes;
	state->status = NODE_COMPLETED;
	state->routed = false;
	state->port = node->ports[outcome->port];
	state->seq = frame->open.seq;
	state->output = copy;
	state->error = NULL;
	state->bytes = bytes;
}

/* Which outgoing edges are live: those at a live port whose condition holds. Throws WF008. */
static void
resolve_edges(Frame *frame, const WfNode *node, int port, const Bitmapset *more_ports)
{
	OpenStep   *open = &frame->open;
	const NodeState *state = &frame->activation->nodes[node->index];

	if (node->n_out == 0)
	{
		open->live = NULL;
		return;
	}
	open->live = palloc(sizeof(bool) * node->n_out);
	for (int i = 0; i < node->n_out; i++)
	{
		const WfEdge *edge = node->out[i];

		open->live[i] = edge->port == port || (more_ports != NULL && bms_is_member(edge->port, more_ports));
		if (open->live[i] && edge->prepared != NULL)
		{
			StepScope	scope;
			JsonbValue	output;

			if (state->output == NULL)
				wf_json_set_null(&output);
			else
				wf_json_root(state->output, &output);
			wf_scope_begin(&scope, frame->activation->run, frame, &output);
			open->live[i] = wf_expr_test(edge->prepared, &scope.base);
		}
	}
}

static bool
is_wired(const WfNode *node, int port)
{
	for (int i = 0; i < node->n_out; i++)
		if (node->out[i]->port == port)
			return true;
	return false;
}

/* The mocked outcome of a node, if the options have one. */
static bool
mocked(Run *run, Frame *frame, const WfNode *node, WfOutcome *outcome)
{
	JsonbValue	mocks;
	JsonbValue	mock;
	JsonbValue	member;
	char	   *text;

	if (run->options.mocks == NULL || frame->activation != run->root)
		return false;
	wf_json_root(run->options.mocks, &mocks);
	if (!wf_json_field(&mocks, node->id, &mock))
		return false;
	memset(outcome, 0, sizeof(*outcome));
	if (wf_json_field(&mock, "$error", &member))
	{
		text = wf_json_get_cstring(&member, "message");
		outcome->kind = WF_OUTCOME_FAIL;
		outcome->error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "%s", text != NULL ? text : "mocked error");
		text = wf_json_get_cstring(&member, "code");
		if (text != NULL)
			outcome->error->code = text;
		return true;
	}
	outcome->kind = WF_OUTCOME_DONE;
	if (wf_json_field(&mock, "$port", &member) && (text = wf_json_cstring(&member)) != NULL)
	{
		outcome->port = wf_block_port(node, text);
		if (outcome->port < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("mock of node \"%s\" names the unknown port \"%s\"", node->id, text)));
		if (!wf_json_field(&mock, "output", &mock))
			wf_json_set_null(&mock);
	}
	outcome->output = wf_json_copy(&mock);
	return true;
}

/* Executes or resumes the open step; a failure is thrown or returned. */
static WfOutcome
call_block(Run *run, Frame *frame, const WfReply *reply)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	WfOutcome	outcome;

	if (reply != NULL)
		outcome = node->block->resume(&open->step, reply);
	else if (node->disabled)
	{
		outcome = (WfOutcome) {.kind = WF_OUTCOME_DONE, .port = 0, .output = wf_json_copy(&open->step.input)};
	}
	else if (!mocked(run, frame, node, &outcome))
		outcome = node->block->execute(&open->step);

	if (outcome.kind == WF_OUTCOME_DONE && outcome.port > 0 && strcmp(node->ports[outcome.port], "timeout") == 0 &&
		!is_wired(node, outcome.port))
	{
		outcome.kind = WF_OUTCOME_FAIL;
		outcome.error = wf_error_make(WF_ERRCODE_NODE_TIMEOUT, "Wire the port \"timeout\" to handle it.",
									  "node \"%s\" timed out", node->id);
	}
	if (outcome.kind == WF_OUTCOME_DONE)
	{
		store_output(run, frame, node, &outcome);
		resolve_edges(frame, node, outcome.port, outcome.more_ports);
	}
	else if (outcome.kind == WF_OUTCOME_CALL)
	{
		open->callee = wf_engine_find(&run->tenant, outcome.call.workflow, outcome.call.version);
		wf_run_hold(run, open->callee);
	}
	return outcome;
}

static TimestampTz
nearest_deadline(Run *run, Frame *frame)
{
	TimestampTz nearest = run->deadline;

	if (frame->deadline != 0 && (nearest == 0 || frame->deadline < nearest))
		nearest = frame->deadline;
	if (frame->open.deadline != 0 && (nearest == 0 || frame->open.deadline < nearest))
		nearest = frame->open.deadline;
	return nearest;
}

/* As call_block, in a subtransaction; true with the outcome, false with the failure. */
static bool
call_guarded(Run *run, Frame *frame, const WfReply *reply, WfOutcome *result, Failure *failure)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile caught = NULL;
	volatile bool failed = false;
	volatile TimestampTz armed = wf_deadline_arm(nearest_deadline(run, frame));
	Frame	   *const volatile innermost = run->frame;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(run->step_memory);
	PG_TRY();
	{
		*result = call_block(run, frame, reply);
		wf_deadline_restore(armed);
		if (result->kind == WF_OUTCOME_FAIL)
		{
			failed = true;
			RollbackAndReleaseCurrentSubTransaction();
		}
		else
			ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->step_memory);
		caught = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(run->step_memory);
	CurrentResourceOwner = owner;
	run->frame = innermost;
	if (caught != NULL)
	{
		failed = true;
		PG_TRY();
		{
			failure_of(run, frame, caught, failure);
		}
		PG_FINALLY();
		{
			wf_deadline_restore(armed);
		}
		PG_END_TRY();
	}
	else if (failed)
	{
		memset(failure, 0, sizeof(*failure));
		failure->error = result->error;
	}
	return !failed;
}

/* Executes (reply NULL) or resumes the frame's open step and does what its outcome asks for. */
static void
perform(Run *run, Frame *frame, const WfReply *reply)
{
	OpenStep   *open = &frame->open;
	WfOutcome	outcome;
	Failure		failure;

	if (open->node->guarded || frame->activation->guarded)
	{
		if (call_guarded(run, frame, reply, &outcome, &failure))
			handle_outcome(run, frame, &outcome);
		else
			handle_failure(run, frame, &failure);
		return;
	}
	{
		TimestampTz deadline = nearest_deadline(run, frame);
		TimestampTz armed = wf_deadline_arm(deadline);

		outcome = call_block(run, frame, reply);
		wf_deadline_restore(armed);
		if (deadline != 0 && wf_deadline_is_past(deadline))
		{
			memset(&failure, 0, sizeof(failure));
			if (deadline_failure(run, frame, &failure))
			{
				handle_failure(run, frame, &failure);
				return;
			}
		}
	}
	if (outcome.kind == WF_OUTCOME_FAIL)
	{
		memset(&failure, 0, sizeof(failure));
		failure.error = outcome.error;
		handle_failure(run, frame, &failure);
	}
	else
		handle_outcome(run, frame, &outcome);
}

/* -- beginning a step -- */

/* `$input`: the output of the one live predecessor, or an object of several; arrivals for merge. */
static void
gather_input(Run *run, Frame *frame, const WfNode *node)
{
	OpenStep   *open = &frame->open;
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

static void
begin_attempt(Run *run, Frame *frame)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;

	open->seq = wf_journal_next(run);
	open->started_at = wf_clock_now();
	run->last_time = open->started_at;
	if (open->attempt == 1)
		open->first_started_at = open->started_at;
	open->deadline = node->timeout_ms > 0 ? open->started_at + node->timeout_ms * 1000 : 0;
	open->step.attempt = open->attempt;
	open->step.state = NULL;
	open->log = NIL;
	open->wrote = NULL;
	open->retired = NULL;
	perform(run, frame, NULL);
}

static void
begin_step(Run *run, Frame *frame, const WfNode *node)
{
	OpenStep   *open = &frame->open;
	const WfPrepared *prepared = node->prepared;
	bool		stays_open = node->block->resume != NULL;

	MemoryContextReset(run->step_memory);
	memset(open, 0, sizeof(*open));
	open->node = node;
	open->memory = stays_open ? AllocSetContextCreate(frame->memory, "workflow container", ALLOCSET_SMALL_SIZES) :
		run->step_memory;
	open->attempt = 1;
	open->step.node = node;
	open->step.graph = frame->activation->compiled->graph;
	open->step.prepared = prepared->own;
	open->step.config = prepared->config;
	open->step.dry_run = run->mode == WF_RUN_DRY;
	open->step.memory = run->step_memory;
	open->step.state_memory = open->memory;
	open->step.ops = &step_ops;
	MemoryContextSwitchTo(open->memory);
	gather_input(run, frame, node);
	MemoryContextSwitchTo(run->step_memory);
	wf_scope_begin(&open->scope, run, frame, &open->step.input);
	open->step.scope = &open->scope.base;
	begin_attempt(run, frame);
}

/* -- settling a step -- */

static void
journal_step(Run *run, Frame *frame, const char *status, const char *port, Jsonb *output, Jsonb *error)
{
	OpenStep   *open = &frame->open;
	JournalEntry entry = {0};

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

/* The step is over: its memory is given back, its edges are resolved. */
static void
close_step(Frame *frame)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	NodeState  *state = &frame->activation->nodes[node->index];

	state->count++;
	if (open->retired != NULL)
		pfree(open->retired);
	open->node = NULL;
	wf_frame_finish_node(frame, node, open->live);
	if (open->memory != frame->activation->run->step_memory)
		MemoryContextDelete(open->memory);
	open->memory = NULL;
}

static void
settle_done(Run *run, Frame *frame, const WfOutcome *outcome)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	NodeState  *state = &frame->activation->nodes[node->index];

	journal_step(run, frame, node->disabled ? "skipped" : "completed", node->ports[outcome->port], state->output, NULL);
	close_step(frame);
}

/* -- entering and leaving frames -- */

static char *
child_path(Frame *frame, const WfNode *node, Frame *child, bool has_index)
{
	if (has_index)
		return psprintf("%s%s[" INT64_FORMAT "].", frame->path, node->id, child->index);
	if (child->region->branch != NULL)
		return psprintf("%s%s.%s.", frame->path, node->id, child->region->branch);
	return psprintf("%s%s.", frame->path, node->id);
}

static void
inherit_deadline(Frame *frame, Frame *child, TimestampTz enter_deadline)
{
	OpenStep   *open = &frame->open;

	child->deadline = frame->deadline;
	if (open->deadline != 0 && (child->deadline == 0 || open->deadline < child->deadline))
	{
		child->deadline = open->deadline;
		child->node_deadline = true;
	}
	if (enter_deadline != 0 && (child->deadline == 0 || enter_deadline < child->deadline))
	{
		child->deadline = enter_deadline;
		child->own_deadline = true;
		child->node_deadline = false;
	}
}

static void
enter_region(Run *run, Frame *frame, const WfEnter *enter)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	int			region = node->regions[enter->region];
	Frame	   *child;
	MemoryContext old;

	if (frame->children == NULL)
		frame->children = MemoryContextAllocZero(frame->memory, sizeof(Frame *) * open->step.graph->n_regions);
	child = wf_frame_begin(frame->activation, frame, region, frame->children[region]);
	frame->children[region] = child;
	old = MemoryContextSwitchTo(child->memory);
	child->input = enter->input;
	child->input_from = -1;
	child->has_item = enter->has_item;
	child->item = enter->item;
	child->index = enter->index;
	child->has_items = enter->has_items;
	child->items = enter->items;
	child->error = enter->error == NULL ? NULL : wf_error_to_json(enter->error);
	child->path = child_path(frame, node, child, enter->has_item);
	MemoryContextSwitchTo(old);
	inherit_deadline(frame, child, enter->deadline);
	run->frame = child;
	wf_frame_start(child);
}

static void
call_workflow(Run *run, Frame *frame, const WfCall *call)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	Activation *activation = wf_activation_begin(run, frame->activation, open->callee, open->memory, &call->input);
	Frame	   *child;

	activation->guarded = frame->activation->guarded || node->guarded ||
		(node->block->catches != NULL && node->block->catches(node, NULL));
	child = wf_frame_begin(activation, frame, 0, NULL);
	child->input = activation->trigger;
	child->input_from = -1;
	MemoryContextSwitchTo(child->memory);
	child->path = psprintf("%s%s.", frame->path, node->id);
	MemoryContextSwitchTo(run->step_memory);
	inherit_deadline(frame, child, 0);
	run->frame = child;
	wf_frame_start(child);
}

/* Leaves the innermost frame; an inline subworkflow ends with it. */
static void
leave_frame(Run *run)
{
	Frame	   *frame = run->frame;

	if (frame->open.node != NULL && frame->open.memory != run->step_memory)
		MemoryContextDelete(frame->open.memory);
	frame->open.node = NULL;
	run->frame = frame->parent;
	if (run->frame != NULL && run->frame->activation != frame->activation)
		wf_activation_end(frame->activation);
}

/* Leaves frames until `frame` is the innermost; their open steps are noted as cancelled. */
static void
leave_until(Run *run, Frame *frame)
{
	while (run->frame != frame)
	{
		if (run->frame->open.node != NULL)
			journal_step(run, run->frame, "cancelled", NULL, NULL, NULL);
		leave_frame(run);
	}
}

static void
resume_parent(Run *run, Frame *child, WfReply *reply)
{
	Frame	   *parent = child->parent;

	leave_frame(run);
	perform(run, parent, reply);
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
		resume_parent(run, frame, &reply);
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
	store_output(run, frame, frame->open.node, &done);
	journal_step(run, frame, "completed", NULL, frame->activation->nodes[frame->open.node->index].output, NULL);
	frame->activation->nodes[frame->open.node->index].count++;
	if (outcome->output != NULL)
		wf_json_root(outcome->output, &reply.output);
	else
		wf_json_set_null(&reply.output);
	frame->open.node = NULL;
	while (top->parent != NULL && top->parent->activation == activation)
		top = top->parent;
	leave_until(run, top);
	if (top->parent == NULL)
	{
		end_run(run, &reply.output);
		leave_frame(run);
	}
	else
		resume_parent(run, top, &reply);
}

static void
handle_outcome(Run *run, Frame *frame, const WfOutcome *outcome)
{
	switch (outcome->kind)
	{
		case WF_OUTCOME_DONE:
			settle_done(run, frame, outcome);
			return;
		case WF_OUTCOME_ENTER:
			enter_region(run, frame, &outcome->enter);
			return;
		case WF_OUTCOME_CALL:
			call_workflow(run, frame, &outcome->call);
			return;
		case WF_OUTCOME_RETURN:
			settle_return(run, frame, outcome);
			return;
		case WF_OUTCOME_FAIL:
			break;
	}
	elog(ERROR, "unexpected outcome %d of node \"%s\"", (int) outcome->kind, frame->open.node->id);
}

/* -- failure -- */

/* What `$node` tells of a node that failed and was handled. */
static void
store_failure(Frame *frame, const WfNode *node, Jsonb *error, Jsonb *output, int port, bool routed)
{
	NodeState  *state = &frame->activation->nodes[node->index];

	frame->open.retired = NULL;
	state->status = NODE_FAILED;
	state->routed = routed;
	state->port = node->ports[port];
	state->seq = frame->open.seq;
	state->error = error;
	state->output = output;
	state->bytes = 0;
}

/* onErrorValue with `$error`, in frame memory. */
static Jsonb *
error_value(Frame *frame, const WfNode *node, Jsonb *error)
{
	OpenStep   *open = &frame->open;
	const WfPrepared *prepared = node->prepared;
	JsonbValue	value;
	MemoryContext old;
	Jsonb	   *copy;

	if (prepared->on_error_value == NULL)
		return NULL;
	open->scope.error = error;
	wf_template_eval(prepared->on_error_value, &open->scope.base, &value);
	old = MemoryContextSwitchTo(frame->memory);
	copy = wf_json_copy(&value);
	MemoryContextSwitchTo(old);
	return copy;
}

/* Goes on after a failure at `port`. */
static void
settle_failed(Run *run, Frame *frame, WfError *error, int port, bool routed)
{
	const WfNode *node = frame->open.node;
	MemoryContext old = MemoryContextSwitchTo(frame->memory);
	Jsonb	   *json = wf_error_to_json(error);
	Jsonb	   *output;

	MemoryContextSwitchTo(old);
	output = routed ? json : error_value(frame, node, json);
	store_failure(frame, node, json, output, port, routed);
	if (routed)
		frame->error = json;
	resolve_edges(frame, node, port, NULL);
	journal_step(run, frame, "failed", node->ports[port], output, json);
	close_step(frame);
}

/* A failure that the node itself does not handle: its container does, or the run ends. */
static void
pass_on(Run *run, Frame *frame, WfError *error)
{
	WfReply		reply = {0};

	if (frame->parent == NULL || !(frame->open.node->guarded || frame->activation->guarded))
		fail_run(run, error);
	journal_step(run, frame, "failed", NULL, NULL, wf_error_to_json(error));
	reply.failed = true;
	reply.error = error;
	wf_json_set_null(&reply.output);
	resume_parent(run, frame, &reply);
}

/* The failure was a container's deadline: what runs within is cancelled. */
static void
handle_container_timeout(Run *run, Failure *failure)
{
	Frame	   *frame = failure->frame;
	Frame	   *container = frame->parent;
	WfReply		reply = {0};

	if (frame->node_deadline)
	{
		Failure		of_node = {.error = failure->error};

		leave_until(run, container);
		handle_failure(run, container, &of_node);
		return;
	}
	leave_until(run, frame);
	if (frame->open.node != NULL)
		journal_step(run, frame, "cancelled", NULL, NULL, NULL);
	reply.failed = true;
	reply.timed_out = true;
	reply.error = failure->error;
	wf_json_set_null(&reply.output);
	resume_parent(run, frame, &reply);
}

static void
handle_failure(Run *run, Frame *frame, Failure *failure)
{
	OpenStep   *open = &frame->open;
	const WfNode *node = open->node;
	/* a block's own error is in step memory, which the next attempt resets */
	WfError    *error = wf_error_copy(failure->error, run->memory);

	place_error(error, open);
	if (failure->ends_run)
		fail_run(run, error);
	if (failure->frame != NULL)
	{
		failure->error = error;
		handle_container_timeout(run, failure);
		return;
	}
	if (wf_policy_retries(node, error, open->attempt, open->first_started_at))
	{
		journal_step(run, frame, "retrying", NULL, NULL, wf_error_to_json(error));
		wf_policy_wait(run, node, open->attempt);
		open->attempt++;
		run->retry = true;
		return;
	}
	if (node->on_error == WF_ON_ERROR_CONTINUE)
		settle_failed(run, frame, error, 0, false);
	else if (node->error_wired)
		settle_failed(run, frame, error, node->error_port, true);
	else
		pass_on(run, frame, error);
}

/* -- the run -- */

void
wf_step_advance(Run *run)
{
	while (!run->ended)
	{
		const WfNode *node;

		CHECK_FOR_INTERRUPTS();
		if (wf_deadline_is_past(run->deadline))
			fail_run(run, make_error(run, WF_ERRCODE_RUN_TIMEOUT,
									 "The run's time-out is set by \"settings.timeout\" or the option \"timeout\".",
									 "run timed out"));
		if (run->retry)
		{
			run->retry = false;
			MemoryContextReset(run->step_memory);
			MemoryContextSwitchTo(run->step_memory);
			begin_attempt(run, run->frame);
			continue;
		}
		node = wf_frame_next(run->frame);
		if (node != NULL)
			begin_step(run, run->frame, node);
		else if (wf_frame_is_done(run->frame))
			end_frame(run);
		else
			elog(ERROR, "no node of the region is ready, though %d are not done", run->frame->n_unresolved);
	}
}

void
wf_step_journal_failure(Run *run, const WfError *error)
{
	Jsonb	   *json = wf_error_to_json(error);

	for (Frame *frame = run->frame; frame != NULL; frame = frame->parent)
		if (frame->open.node != NULL)
			journal_step(run, frame, "failed", NULL, NULL, json);
}
