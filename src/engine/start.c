/*
 * start.c: runs that begin in the background.
 *
 * A start is one message: the workflow, the version that is active now, the input, and options that are not as usual. What a
 * worker does with it is in turn.c. Two kinds of starts are not in the queue at first: one at a later time is a live run
 * with a wait (step 0); one at a gate (maxConcurrency, concurrencyKey) is held until the keeper lets it through.
 *
 * Who starts a run must have the right now, and still have it when the run begins.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "engine/frame.h"
#include "engine/mail.h"
#include "engine/options.h"
#include "engine/park.h"
#include "engine/personal.h"
#include "engine/save.h"
#include "engine/start.h"
#include "engine/step.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

char *
wf_engine_uuid_text(const pg_uuid_t *id)
{
	return DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(id)));
}

bool
wf_engine_uuid_read(const char *text, pg_uuid_t *out)
{
	return wf_uuid_read(text, out);
}

/* -- options as JSON -- */

static void
put_tags(WfJsonWriter *w, ArrayType *tags)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	wf_json_key(w, "tags", 4);
	wf_json_begin_array(w);
	deconstruct_array(tags, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
		wf_json_put_cstring(w, TextDatumGetCString(values[i]));
	wf_json_end_array(w);
}

static void
put_parent(WfJsonWriter *w, const RunParent *parent)
{
	wf_json_key(w, "parent", 6);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "run", wf_engine_uuid_text(&parent->run_id));
	wf_json_put_field_int64(w, "step", parent->step);
	wf_json_put_field_int64(w, "role", parent->role);
	wf_json_put_field_int64(w, "priority", parent->priority);
	wf_json_put_field_int64(w, "region", parent->region);
	wf_json_put_field_int64(w, "index", parent->index);
	wf_json_end_object(w);
}

/* Whether everything is as it is for most starts. */
static bool
is_usual(const Run *run)
{
	const RunOptions *options = &run->options;

	return strcmp(run->trigger, "manual") == 0 && options->correlation_id == NULL && options->tags == NULL &&
		options->env == NULL && options->mocks == NULL && options->timeout_ms == 0 && options->idempotency_key == NULL &&
		run->started_by == run->role && !run->has_parent && run->branch == NULL && run->gate == NULL &&
		run->start_node == NULL && run->chain == 0;
}

Jsonb *
wf_start_options(const Run *run)
{
	const RunOptions *options = &run->options;
	WfJsonWriter *w;

	if (is_usual(run))
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	if (strcmp(run->trigger, "manual") != 0)
		wf_json_put_field_cstring(w, "trigger", run->trigger);
	if (options->correlation_id != NULL)
		wf_json_put_field_cstring(w, "correlationId", options->correlation_id);
	if (options->tags != NULL)
		put_tags(w, options->tags);
	wf_json_put_member(w, "env", options->env);
	wf_json_put_member(w, "mocks", options->mocks);
	if (options->timeout_ms > 0)
		wf_json_put_field_int64(w, "timeout", options->timeout_ms);
	if (options->idempotency_key != NULL)
		wf_json_put_field_cstring(w, "idempotencyKey", options->idempotency_key);
	if (run->started_by != run->role)
		wf_json_put_field_int64(w, "startedBy", run->started_by);
	if (run->has_parent)
		put_parent(w, &run->parent);
	wf_json_put_member(w, "branch", run->branch);
	if (run->gate != NULL)
		wf_json_put_field_cstring(w, "gate", run->gate);
	if (run->start_node != NULL)
		wf_json_put_field_cstring(w, "at", run->start_node);
	if (run->chain > 0)
		wf_json_put_field_int64(w, "chain", run->chain);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static ArrayType *
get_tags(const JsonbValue *root)
{
	JsonbValue	list;
	Datum	   *tags;
	uint32		n;

	if (!wf_json_field(root, "tags", &list))
		return NULL;
	n = wf_json_count(&list);
	tags = palloc(sizeof(Datum) * Max(n, 1));
	for (uint32 i = 0; i < n; i++)
	{
		JsonbValue	tag;
		char	   *text = wf_json_element(&list, i, &tag) ? wf_json_cstring(&tag) : NULL;

		tags[i] = CStringGetTextDatum(text == NULL ? "" : text);
	}
	return construct_array(tags, n, TEXTOID, -1, false, TYPALIGN_INT);
}

void
wf_start_read_options(Run *run, const Jsonb *options)
{
	JsonbValue	root;
	JsonbValue	parent;

	run->trigger = "manual";
	run->started_by = run->role;
	if (options == NULL)
		return;
	wf_json_root(options, &root);
	if (wf_json_get_cstring(&root, "trigger") != NULL)
		run->trigger = wf_json_get_cstring(&root, "trigger");
	run->options.correlation_id = wf_json_get_cstring(&root, "correlationId");
	run->options.idempotency_key = wf_json_get_cstring(&root, "idempotencyKey");
	run->options.tags = get_tags(&root);
	run->options.env = wf_json_get_jsonb(&root, "env");
	run->options.mocks = wf_json_get_jsonb(&root, "mocks");
	run->options.timeout_ms = wf_json_get_int64(&root, "timeout", 0);
	run->started_by = (Oid) wf_json_get_int64(&root, "startedBy", run->role);
	run->branch = wf_json_get_jsonb(&root, "branch");
	run->gate = wf_json_get_cstring(&root, "gate");
	run->start_node = wf_json_get_cstring(&root, "at");
	run->chain = (int) wf_json_get_int64(&root, "chain", 0);
	if (wf_json_field(&root, "parent", &parent) &&
		wf_engine_uuid_read(wf_json_get_cstring(&parent, "run"), &run->parent.run_id))
	{
		run->has_parent = true;
		run->parent.step = (int) wf_json_get_int64(&parent, "step", 0);
		run->parent.role = (Oid) wf_json_get_int64(&parent, "role", InvalidOid);
		run->parent.priority = (int) wf_json_get_int64(&parent, "priority", 0);
		run->parent.region = (int) wf_json_get_int64(&parent, "region", -1);
		run->parent.index = wf_json_get_int64(&parent, "index", 0);
	}
}

/* -- as whom -- */

Oid
wf_start_role(const WfCompiled *compiled)
{
	return compiled->graph->settings.definer ? compiled->owner : GetUserId();
}

/* A worker must be able to connect as the role. */
void
wf_start_require_login(Oid role)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		may_login;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT), errmsg("role with OID %u does not exist", role)));
	may_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	if (!may_login)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("role \"%s\" cannot log in, so no worker can execute its runs",
							   GetUserNameFromId(role, false)),
						errhint("Start the run as a role with LOGIN, or let the workflow's \"security\" be \"definer\" and save it as such a role.")));
}

void
wf_start_require_workers(void)
{
	if (!wf_wake_available())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there are no workers that could execute runs in the background"),
						errhint("Add workflow to shared_preload_libraries and restart the server. wf_run() needs no workers.")));
}

/* -- gates -- */

static void
rules_of_compiled(const WfCompiled *compiled, StartRules *rules)
{
	const WfSettings *settings = &compiled->graph->settings;

	memset(rules, 0, sizeof(*rules));
	rules->workflow_id = &compiled->workflow_id;
	rules->workflow = compiled->name;
	rules->gate_size = settings->max_concurrency;
	rules->gate_key = compiled->concurrency_key;
	rules->gate_policy = settings->concurrency_policy;
}

void
wf_start_rules_of_trigger(const WfTriggerRow *trigger, const WfFire *fire, StartRules *rules)
{
	memset(rules, 0, sizeof(*rules));
	rules->workflow_id = &trigger->workflow_id;
	rules->workflow = trigger->workflow;
	rules->gate_size = trigger->gate_size;
	rules->gate_policy = trigger->gate_policy;
	rules->later = fire->later;
	if (trigger->gate_key != NULL)
		rules->gate_key = wf_engine_compile_key(trigger->gate_key);
	if (rules->gate_size == 0 && rules->gate_key == NULL && fire->gate != NULL)
	{
		rules->gate = fire->gate;
		rules->gate_policy = NULL;
	}
}

WfScope *
wf_start_scope(Jsonb *input)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_member(w, "input", input);
	wf_json_put_member(w, "trigger", input);
	wf_json_end_object(w);
	return wf_scope_from_context(wf_json_finish(w));
}

/* `concurrencyKey` of the settings, evaluated over the input. */
static char *
evaluate_key(const WfExpr *key, Jsonb *input)
{
	JsonbValue	value;

	wf_expr_eval(key, wf_start_scope(input), &value);
	if (value.type == jbvNull)
		return NULL;
	return value.type == jbvString ? wf_json_cstring(&value) : wf_json_text(&value);
}

int
wf_start_gate_size(const char *gate, const WfSettings *settings)
{
	return strcmp(gate, WF_TENANT_GATE) == 0 ? WF_TENANT_GATE_SIZE : Max(settings->max_concurrency, 1);
}

/* The gate that a start has to pass, and how many may be within; NULL: none. */
static const char *
gate_of(const Run *run, const StartRules *rules, Jsonb *input, int *size)
{
	const char *key = run->options.concurrency_key;

	if (key == NULL && rules->gate_key != NULL)
		key = evaluate_key(rules->gate_key, input);
	*size = rules->gate_size > 0 ? rules->gate_size : 1;
	if (key != NULL)
		return key;
	if (rules->gate_size > 0 || rules->gate != NULL)
		return rules->gate_size > 0 ? "" : rules->gate;
	if (!wf_store_has_quota(&run->tenant.tenant_id, WF_QUOTA_CONCURRENT_RUNS))
		return NULL;
	*size = WF_TENANT_GATE_SIZE;
	return WF_TENANT_GATE;
}

/* False: the start is left out. */
static bool
apply_policy(const Run *run, const StartRules *rules, int size)
{
	const char *policy = rules->gate_policy;
	ListCell   *cell;

	if (policy == NULL || strcmp(policy, "queue") == 0 || strcmp(run->gate, WF_TENANT_GATE) == 0)
		return true;
	if (strcmp(policy, "skip") == 0)
		return wf_store_count_gate(&run->tenant.tenant_id, rules->workflow_id, run->gate) < size;
	foreach(cell, wf_store_gate_runs(&run->tenant.tenant_id, rules->workflow_id, run->gate))
		(void) wf_control_cancel(&run->tenant, lfirst(cell), "replaced by a later run of the same concurrency key");
	return true;
}

/* -- queueing -- */

static void
fill_message(const Run *run, WfMessage *message)
{
	memset(message, 0, sizeof(*message));
	message->tenant_id = run->tenant.tenant_id;
	message->message_id = run->run_id;
	message->run_id = run->run_id;
	message->role = run->role;
	message->priority = run->priority;
	message->kind = WF_MESSAGE_START;
	message->ready_at = run->queued_at;
	message->workflow_id = run->workflow_id;
	message->version = run->version;
	message->payload = run->input;
	message->options = wf_start_options(run);
	message->is_personal = run->is_personal;
	message->known = run->known;
}

/* A start at a later time: a live run that waits for it. */
static void
start_later(const Run *run, TimestampTz at)
{
	WfLiveRow	row = {0};
	WfWaitRow	wait = {0};

	row.tenant_id = run->tenant.tenant_id;
	row.run_id = run->run_id;
	row.workflow_id = run->workflow_id;
	row.version = run->version;
	row.role = run->role;
	row.priority = run->priority;
	row.status = "queued";
	row.attempt = 1;
	row.queued_at = run->queued_at;
	row.has_parent = run->has_parent;
	row.parent_run_id = run->parent.run_id;
	row.input = run->input;
	row.options = wf_start_options(run);
	row.is_personal = run->is_personal;
	row.known = run->known;
	wf_store_insert_live(&row);
	wait.tenant_id = row.tenant_id;
	wait.run_id = row.run_id;
	wait.kind = "start";
	wait.wake_at = at;
	wait.role = row.role;
	wait.priority = row.priority;
	wf_store_put_wait(&wait);
}

static void
init_child(Run *child, Run *run, const WfCompiled *callee, Jsonb *input)
{
	memset(child, 0, sizeof(*child));
	child->tenant = run->tenant;
	wf_uuid_make(&child->run_id);
	child->workflow_id = callee->workflow_id;
	child->version = callee->version;
	child->role = callee->graph->settings.definer ? callee->owner : run->role;
	child->started_by = run->started_by;
	child->priority = run->priority;
	child->queued_at = wf_clock_now();
	child->trigger = "workflow";
	child->chain = run->chain;
	child->options.correlation_id = run->options.correlation_id;
	child->options.env = run->options.env;
	child->input = input;
	child->is_personal = run->is_personal || callee->pii != NULL;
	child->known = wf_personal_known(run);
}

/* A run that nobody waits for begins: at its tenant's gate, where runs at once are bounded. One that somebody waits for never waits
 * there, as the other one has a place and would not give it up. */
static void
send_free(Run *run)
{
	WfMessage	message;

	wf_store_take_runs(&run->tenant.tenant_id, 1, true);
	if (wf_store_has_quota(&run->tenant.tenant_id, WF_QUOTA_CONCURRENT_RUNS))
		run->gate = WF_TENANT_GATE;
	fill_message(run, &message);
	if (run->gate != NULL)
		wf_store_hold(&message, run->gate, WF_TENANT_GATE_SIZE);
	else
		wf_store_send(&message, 1);
}

pg_uuid_t
wf_start_child(Run *run, const WfCompiled *callee, const JsonbValue *input, const RunParent *parent)
{
	Run			child;
	WfMessage	message;

	init_child(&child, run, callee, wf_json_copy(input));
	wf_start_require_login(child.role);
	child.has_parent = true;
	child.parent.run_id = run->run_id;
	child.parent.region = -1;
	if (parent != NULL)
		child.parent = *parent;
	WF_FAULT("start.child");
	if (parent == NULL)
		send_free(&child);
	else
	{
		wf_store_take_runs(&run->tenant.tenant_id, 1, false);
		fill_message(&child, &message);
		wf_store_send(&message, 1);
	}
	WF_FAULT("start.child_sent");
	return child.run_id;
}

/* The earlier of two times; 0 is none. */
static TimestampTz
nearest(TimestampTz a, TimestampTz b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* The child ends at the nearest deadline around it; when it has, the parent finds out which one that was. */
void
wf_spawn_region(Run *run, Frame *frame, const WfEnter *enter)
{
	OpenStep   *open = frame->open;
	Spawned    *spawned = MemoryContextAllocZero(frame->memory, sizeof(Spawned));
	Run			child;
	WfMessage	message;
	WfEnter		within = *enter;
	MemoryContext old;

	if (!wf_park_can(run))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("node \"%s\" needs workers, which this run cannot have", open->node->id),
						errhint("Use wf_start() or wf_run() on a server with workflow in shared_preload_libraries.")));
	init_child(&child, run, frame->activation->compiled, wf_json_copy(&frame->activation->trigger));
	child.trigger = "branch";
	within.deadline = nearest(nearest(enter->deadline, open->deadline), nearest(frame->deadline, run->deadline));
	child.branch = wf_save_branch(run, frame, &within);
	child.has_parent = true;
	child.parent.run_id = run->run_id;
	child.parent.step = open->seq;
	child.parent.role = run->role;
	child.parent.priority = run->priority;
	child.parent.region = enter->region;
	child.parent.index = enter->index;
	fill_message(&child, &message);
	wf_store_send(&message, 1);
	WF_FAULT("start.spawned");
	run->has_rows = true;
	spawned->run_id = child.run_id;
	spawned->region = enter->region;
	spawned->deadline = enter->deadline;
	spawned->index = enter->index;
	old = MemoryContextSwitchTo(frame->memory);
	open->spawned = lappend(open->spawned, spawned);
	MemoryContextSwitchTo(old);
}

void
wf_start_error_workflow(Run *run, const char *name, Jsonb *input)
{
	WfWorkflowRow *row = wf_store_find_workflow(&run->tenant.tenant_id, name, false);
	WfCompiled *callee;
	Run			child;

	if (row == NULL || row->active_version == 0 || strcmp(row->status, "active") != 0 ||
		!wf_run_may_call(run, &row->workflow_id))
	{
		ereport(LOG, (errmsg("workflow \"%s\" failed, and its error workflow \"%s\" is not active, or not its role's to run",
							 run->compiled->name, wf_text_clip(name))));
		return;
	}
	callee = wf_engine_find_id(&run->tenant, &row->workflow_id, row->active_version);
	wf_run_hold(run, callee);
	init_child(&child, run, callee, input);
	child.trigger = "error";
	send_free(&child);
}

/* -- wf_start -- */

/* One of the runs of a start. False: it was left out, or an earlier run has its key (*out). */
static bool
prepare_start(Run *run, const StartRules *rules, Jsonb *input, WfStarted *out, int *gate_size)
{
	memset(out, 0, sizeof(*out));
	wf_uuid_make(&run->run_id);
	run->input = input;
	out->run_id = run->run_id;
	if (run->options.idempotency_key != NULL)
	{
		pg_uuid_t	earlier;

		if (!wf_store_take_key(&run->tenant.tenant_id, rules->workflow_id, run->options.idempotency_key,
							   &run->run_id, &earlier))
		{
			if (run->options.conflict_is_error)
				wf_run_refuse_key(rules->workflow, run->options.idempotency_key, &earlier);
			out->run_id = earlier;
			out->is_earlier = true;
			return false;
		}
		WF_FAULT("start.key");
	}
	run->gate = gate_of(run, rules, input, gate_size);
	if (run->gate != NULL && !apply_policy(run, rules, *gate_size))
	{
		out->is_skipped = true;
		if (run->options.idempotency_key != NULL)
			wf_store_drop_key(&run->tenant.tenant_id, &run->run_id);	/* there is no run that has it */
		return false;
	}
	return true;
}

void
wf_start_all(Run *run, const StartRules *rules, Jsonb **inputs, int n, WfStarted *out)
{
	WfMessage  *messages = palloc(sizeof(WfMessage) * n);
	TimestampTz later = run->options.run_at;
	int			n_messages = 0;
	int			n_started = 0;

	/* all or none; a single one only if there will be a run */
	if (n > 1)
		wf_store_take_runs(&run->tenant.tenant_id, n, true);
	if (run->options.delay_ms > 0)
		later = TimestampTzPlusMilliseconds(run->queued_at, run->options.delay_ms);
	if (later != 0 && later <= run->queued_at)
		later = 0;
	for (int i = 0; i < n; i++)
	{
		int			gate_size = 0;
		WfMessage	message;

		CHECK_FOR_INTERRUPTS();
		if (!prepare_start(run, rules, inputs[i], &out[i], &gate_size))
			continue;
		n_started++;
		if (n == 1)
			wf_store_take_runs(&run->tenant.tenant_id, 1, true);
		if (later != 0)
		{
			start_later(run, later);
			continue;
		}
		fill_message(run, &message);
		if (run->gate != NULL)
			wf_store_hold(&message, run->gate, gate_size);
		else
			messages[n_messages++] = message;
	}
	if (n > 1)
		wf_store_give_back_runs(&run->tenant.tenant_id, n - n_started);
	WF_FAULT("start.queue");
	if (n_messages > 0 && rules->later)
		wf_store_send_later(messages, n_messages);
	else if (n_messages > 0)
		wf_store_send(messages, n_messages);
	WF_FAULT("start.queued");
}

/* Throws 22023 when an input does not match what the trigger says that the runs will begin at. */
static void
check_inputs(const Run *run, const WfGraph *graph, Jsonb **inputs, int n)
{
	const WfNode *start = wf_frame_start_node(graph, run->start_node, false, run->trigger);

	for (int i = 0; start != NULL && i < n; i++)
	{
		JsonbValue	input;
		WfError    *error;

		CHECK_FOR_INTERRUPTS();
		wf_json_root(inputs[i], &input);
		error = wf_block_check_input(start, &input);
		if (error == NULL)
			continue;
		if (n > 1)
			error->detail = psprintf("Input %d: %s", i + 1, error->detail);
		wf_error_raise(error);
	}
}

void
wf_engine_start(const char *workflow, Jsonb **inputs, int n, const Jsonb *options, const char *trigger, WfStarted *out)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow start", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Run			run;
	WfCompiled *compiled;
	StartRules	rules;

	PreventCommandIfReadOnly(n == 1 ? "wf_start()" : "wf_start_many()");
	wf_store_catch_up();
	SPI_connect();
	old = MemoryContextSwitchTo(memory);
	memset(&run, 0, sizeof(run));
	run.memory = memory;
	wf_store_require_some(WF_WORKFLOW_EXECUTE, &run.tenant);
	wf_start_require_workers();
	wf_engine_read_options(options, true, &run.options);
	compiled = wf_engine_find_for(&run.tenant, workflow, run.options.version, WF_WORKFLOW_EXECUTE);
	wf_run_hold(&run, compiled);
	if (run.options.version > 0)
		wf_engine_require_approved(compiled);
	wf_run_check_nodes(&run, compiled->graph);
	run.trigger = trigger;
	run.start_node = run.options.trigger_node;
	check_inputs(&run, compiled->graph, inputs, n);
	run.chain = Max(wf_run_chain - 1, 0);
	run.started_by = GetUserId();
	run.role = wf_start_role(compiled);
	run.is_personal = compiled->pii != NULL;
	wf_start_require_login(run.role);
	run.workflow_id = compiled->workflow_id;
	run.version = compiled->version;
	run.priority = run.options.has_priority ? run.options.priority : compiled->graph->settings.priority;
	run.queued_at = wf_clock_now();
	rules_of_compiled(compiled, &rules);
	wf_start_all(&run, &rules, inputs, n, out);
	MemoryContextSwitchTo(old);
	SPI_finish();
	MemoryContextDelete(memory);
}
