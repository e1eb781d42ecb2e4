/*
 * block_test.c: one step of a block without an engine, for tests only.
 *
 * wf_sql_test_block(definition jsonb, node text, context jsonb, replies jsonb) -> jsonb: executes the node and resumes
 * it with each of the replies; gives the outcomes as an array. `context` is as for wf_eval. Between any two calls the
 * state is saved and loaded into new memory, and the outcome shows what was saved. A reply is an object:
 *
 *   {"blocked": true}, {"output": ...}, {"error": {"code", "message"}}, {"timedOut": true}
 *                             with "region" and "index" where they count
 *   {"definition": {...}}     no reply: the state is loaded by this version of the workflow, as wf_migrate would
 *   {"state": {...}}          no reply: this state is loaded
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "base/clock.h"
#include "base/compat.h"
#include "block/block.h"
#include "block/support.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct Bench
{
	MemoryContext memory;
	Jsonb	   *context;
	const char *node;
	WfStep		step;
	WfJsonWriter *w;
} Bench;

/* Makes the step of this version; the state is that of the version before. */
static void
use_definition(Bench *bench, const Jsonb *definition)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_graph_compile(definition, wf_block_graph_callbacks(), bench->memory, found);
	WfStep	   *step = &bench->step;
	const WfPrepared *prepared;
	JsonbValue	root;
	int			index;

	if (graph != NULL)
		wf_block_prepare_graph(graph, "public", false, found);
	if (found->n_errors > 0)
	{
		const WfDiagnostic *first = linitial(found->items);

		elog(ERROR, "%s: %s", first->path, first->message);
	}
	Assert(graph != NULL);
	index = wf_graph_find(graph, bench->node, strlen(bench->node));
	if (index < 0)
		elog(ERROR, "there is no node \"%s\"", bench->node);
	prepared = graph->nodes[index].prepared;
	step->node = &graph->nodes[index];
	step->graph = graph;
	step->prepared = prepared->own;
	step->config = prepared->config;
	step->scope = wf_scope_from_context(bench->context);
	wf_json_root(bench->context, &root);
	if (!wf_json_field(&root, "input", &step->input))
		wf_json_set_null(&step->input);
	step->attempt = 1;
}

static void
use_memory(Bench *bench)
{
	bench->step.memory = AllocSetContextCreate(bench->memory, "test step", ALLOCSET_DEFAULT_SIZES);
	bench->step.state_memory = AllocSetContextCreate(bench->memory, "test state", ALLOCSET_DEFAULT_SIZES);
}

static void
load(Bench *bench, const Jsonb *saved)
{
	WfStep	   *step = &bench->step;
	MemoryContext old;
	JsonbValue	root;

	use_memory(bench);
	old = MemoryContextSwitchTo(step->state_memory);
	wf_json_root(saved, &root);
	step->state = step->node->block->load(step, &root);
	MemoryContextSwitchTo(old);
}

/* What would be saved now, in memory of the bench; NULL when the block keeps nothing. */
static Jsonb *
save(Bench *bench)
{
	WfStep	   *step = &bench->step;
	MemoryContext old;
	JsonbValue	root;
	Jsonb	   *saved;

	if (step->node->block->save == NULL || step->state == NULL)
		return NULL;
	old = MemoryContextSwitchTo(step->state_memory);
	saved = step->node->block->save(step);
	MemoryContextSwitchTo(old);
	wf_json_root(saved, &root);
	return wf_json_copy(&root);
}

/* -- outcomes -- */

static void
put_seconds(WfJsonWriter *w, TimestampTz until)
{
	if (until != 0)
		wf_json_put_field_int64(w, "seconds", (until - wf_clock_now() + 500000) / 1000000);
}

static void
put_jsonb(WfJsonWriter *w, const char *key, const Jsonb *value)
{
	if (value == NULL)
		return;
	wf_json_key(w, key, strlen(key));
	wf_json_put_jsonb(w, value);
}

static void
put_text(WfJsonWriter *w, const char *key, const char *text)
{
	if (text != NULL)
		wf_json_put_field_cstring(w, key, text);
}

static void
put_enter(WfJsonWriter *w, const WfEnter *enter)
{
	wf_json_put_field_int64(w, "enter", enter->region);
	wf_json_put_field(w, "input", &enter->input);
	if (enter->has_item)
	{
		wf_json_put_field(w, "item", &enter->item);
		wf_json_put_field_int64(w, "index", enter->index);
	}
	if (enter->has_items)
		wf_json_put_field_int64(w, "items", wf_json_count(&enter->items));
	if (enter->spawn)
		wf_json_put_field_bool(w, "spawn", true);
	if (enter->error != NULL)
		wf_json_put_field_cstring(w, "error", enter->error->code);
	put_seconds(w, enter->deadline);
}

static void
put_call(WfJsonWriter *w, const WfCall *call)
{
	wf_json_put_field_cstring(w, "workflow", call->workflow);
	wf_json_put_field_int64(w, "version", call->version);
	wf_json_put_field(w, "input", &call->input);
}

static void
put_task(WfJsonWriter *w, const WfTaskSpec *task)
{
	wf_json_put_field_bool(w, "approval", task->is_approval);
	put_text(w, "queue", task->queue);
	put_text(w, "title", task->title);
	put_text(w, "body", task->body);
	put_jsonb(w, "assignees", task->assignees);
	wf_json_put_field_int64(w, "quorum", task->quorum);
	wf_json_put_field_bool(w, "allowSelf", task->allow_self);
	put_jsonb(w, "outcomes", task->outcomes);
	put_jsonb(w, "form", task->form);
	put_jsonb(w, "payload", task->payload);
	wf_json_put_field_int64(w, "leaseMs", task->lease_ms);
	wf_json_put_field_int64(w, "maxAttempts", task->max_attempts);
	if (task->escalate_to != NULL)
		wf_json_put_field_int64(w, "escalateMs", task->escalate_ms);
	put_jsonb(w, "escalateTo", task->escalate_to);
}

static void
put_request(WfJsonWriter *w, const WfRequestSpec *spec)
{
	put_jsonb(w, "request", spec->request);
	if (spec->forget)
		wf_json_put_field_bool(w, "forget", true);
	if (spec->at_once)
		wf_json_put_field_bool(w, "atOnce", true);
	put_text(w, "as", psprintf("%s %s %s%s", spec->method, spec->host, spec->path == NULL ? "-" : spec->path,
							   spec->own_limits ? " limited" : ""));
}

static void
put_wait(WfJsonWriter *w, const WfWait *wait)
{
	static const char *const kinds[] = {"time", "event", "task", "run", "nothing", "request"};

	wf_json_put_field_cstring(w, "wait", kinds[wait->kind]);
	put_seconds(w, wait->until);
	put_text(w, "event", wait->event);
	put_text(w, "correlation", wait->correlation);
	if (wait->task != NULL)
		put_task(w, wait->task);
	if (wait->call.workflow != NULL)
		put_call(w, &wait->call);
	if (wait->request != NULL)
		put_request(w, wait->request);
}

/* Writes the outcome; true when the step is not over. */
static bool
put_outcome(Bench *bench, const WfOutcome *outcome)
{
	WfJsonWriter *w = bench->w;
	Jsonb	   *saved = NULL;
	bool		goes_on = false;

	wf_json_begin_object(w);
	switch (outcome->kind)
	{
		case WF_OUTCOME_DONE:
		case WF_OUTCOME_RETURN:
			wf_json_put_field_cstring(w, "port", bench->step.node->ports[outcome->port]);
			put_jsonb(w, "output", outcome->output);
			break;
		case WF_OUTCOME_FAIL:
			wf_json_put_field_cstring(w, "failed", outcome->error->code);
			wf_json_put_field_cstring(w, "message", outcome->error->message);
			if (outcome->error->details != NULL)
				wf_json_put_field(w, "details", outcome->error->details);
			break;
		case WF_OUTCOME_ENTER:
			put_enter(w, &outcome->enter);
			goes_on = true;
			break;
		case WF_OUTCOME_CALL:
			put_call(w, &outcome->call);
			goes_on = true;
			break;
		case WF_OUTCOME_WAIT:
			put_wait(w, &outcome->wait);
			goes_on = true;
			break;
		case WF_OUTCOME_BLOCKED:
			wf_json_put_field_bool(w, "blocked", true);
			goes_on = true;
			break;
	}
	if (goes_on)
		saved = save(bench);
	put_jsonb(w, "state", saved);
	wf_json_end_object(w);
	if (saved != NULL)
		load(bench, saved);
	return goes_on;
}

/* -- replies -- */

static void
read_reply(const JsonbValue *json, WfReply *reply)
{
	JsonbValue	value;
	int64		number;

	memset(reply, 0, sizeof(*reply));
	wf_json_set_null(&reply->output);
	reply->blocked = wf_json_field(json, "blocked", &value);
	reply->timed_out = wf_json_field(json, "timedOut", &value);
	if (wf_json_field(json, "output", &value))
		reply->output = value;
	if (wf_json_field(json, "region", &value) && wf_json_int64(&value, &number))
		reply->region = (int) number;
	if (wf_json_field(json, "index", &value))
		(void) wf_json_int64(&value, &reply->index);
	if (wf_json_field(json, "error", &value) || reply->timed_out)
	{
		WfError    *error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "%s", reply->timed_out ? "timed out" :
										  wf_json_get_cstring(&value, "message"));

		if (!reply->timed_out)
			error->code = wf_json_get_cstring(&value, "code");
		reply->failed = true;
		reply->error = error;
	}
}

/* True when the step goes on. */
static bool
take_reply(Bench *bench, const JsonbValue *json)
{
	WfStep	   *step = &bench->step;
	JsonbValue	value;
	WfReply		reply;
	WfOutcome	outcome;
	MemoryContext old;

	if (wf_json_field(json, "state", &value))
	{
		load(bench, wf_json_copy(&value));
		return true;
	}
	if (wf_json_field(json, "definition", &value))
	{
		Jsonb	   *saved = save(bench);

		use_definition(bench, wf_json_copy(&value));
		if (saved != NULL)
			load(bench, saved);
		return true;
	}
	read_reply(json, &reply);
	old = MemoryContextSwitchTo(step->memory);
	outcome = step->node->block->resume(step, &reply);
	MemoryContextSwitchTo(old);
	return put_outcome(bench, &outcome);
}

PGDLLEXPORT Datum wf_sql_test_block(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_block);

Datum
wf_sql_test_block(PG_FUNCTION_ARGS)
{
	Bench		bench = {0};
	JsonbValue	replies;
	JsonbValue	unused;
	JsonbValue	reply;
	WfJsonIter	it;
	WfOutcome	outcome;
	MemoryContext old;
	bool		goes_on;

	bench.memory = CurrentMemoryContext;
	bench.node = text_to_cstring(PG_GETARG_TEXT_PP(1));
	bench.context = PG_GETARG_JSONB_P(2);
	use_definition(&bench, PG_GETARG_JSONB_P(0));
	use_memory(&bench);
	bench.w = wf_json_writer_begin();
	wf_json_begin_array(bench.w);
	old = MemoryContextSwitchTo(bench.step.memory);
	outcome = bench.step.node->block->execute(&bench.step);
	MemoryContextSwitchTo(old);
	goes_on = put_outcome(&bench, &outcome);

	wf_json_root(PG_GETARG_JSONB_P(3), &replies);
	wf_json_iter_begin(&it, &replies);
	while (wf_json_iter_next(&it, &unused, &reply))
	{
		if (!goes_on)
			elog(ERROR, "the step is over, and there is one more reply");
		goes_on = take_reply(&bench, &reply);
	}
	wf_json_end_array(bench.w);
	PG_RETURN_JSONB_P(wf_json_finish(bench.w));
}

#endif
