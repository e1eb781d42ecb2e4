/*
 * scope.c: names to values.
 *
 * Nothing is merged into one context object: each name is looked up where its value lives (the
 * run, the activation, the nearest frame that has it), so that an expression costs nothing for what it
 * does not read. Values are borrowed from run or frame memory; only `$run` and a bare `$node.x` are built,
 * in step memory.
 */
#include "postgres.h"

#include "engine/code.h"
#include "engine/journal.h"
#include "engine/scope.h"
#include "store/secret.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

static const char *
status_name(NodeStatus status)
{
	switch (status)
	{
		case NODE_COMPLETED:
			return "completed";
		case NODE_FAILED:
			return "failed";
		case NODE_SKIPPED:
			return "skipped";
		case NODE_NONE:
			break;
	}
	return NULL;
}

/* `$vars` and `$env` are objects even when there is nothing in them. */
static void
jsonb_or_empty(const Jsonb *json, JsonbValue *out)
{
	wf_json_root(json != NULL ? json : wf_json_empty_object(), out);
}

static bool
jsonb_or_undefined(const Jsonb *json, JsonbValue *out)
{
	if (json == NULL)
		return false;
	wf_json_root(json, out);
	return true;
}

/* `$run`; built at most once a step. */
static void
run_value(StepScope *scope, JsonbValue *out)
{
	Run		   *run = scope->run;
	Activation *activation = scope->frame->activation;
	const WfGraph *graph = activation->compiled->graph;
	WfJsonWriter *w;

	if (scope->has_run)
	{
		*out = scope->run_value;
		return;
	}
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "id", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(&run->run_id))));
	wf_json_put_field_cstring(w, "workflow", activation->compiled->name);
	wf_json_put_field_int64(w, "version", activation->compiled->version);
	wf_json_put_field_cstring(w, "tenant", run->tenant.name);
	wf_json_put_field_cstring(w, "startedAt", wf_engine_timestamp_text(run->started_at));
	wf_json_put_field_int64(w, "attempt", run->attempt);
	wf_json_put_field_cstring(w, "correlationId", run->options.correlation_id);
	wf_json_key(w, "iteration", strlen("iteration"));
	wf_json_begin_object(w);
	for (int i = 0; i < graph->n_nodes; i++)
		if (activation->nodes[i].count > 0)
			wf_json_put_field_int64(w, graph->nodes[i].id, activation->nodes[i].count);
	wf_json_end_object(w);
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &scope->run_value);
	scope->has_run = true;
	*out = scope->run_value;
}

/* The nearest frame, within the activation, that satisfies; NULL when none does. */
static Frame *
nearest_item(Frame *frame, bool items)
{
	Activation *activation = frame->activation;

	for (Frame *f = frame; f != NULL && f->activation == activation; f = f->parent)
		if (items ? f->has_items : f->has_item)
			return f;
	return NULL;
}

static bool
error_value(StepScope *scope, JsonbValue *out)
{
	Activation *activation = scope->frame->activation;

	if (scope->error != NULL)
		return jsonb_or_undefined(scope->error, out);
	for (Frame *f = scope->frame; f != NULL && f->activation == activation; f = f->parent)
		if (f->error != NULL)
			return jsonb_or_undefined(f->error, out);
	return false;
}

static bool
root_value(WfScope *base, WfRoot root, JsonbValue *out)
{
	StepScope  *scope = (StepScope *) base;
	Frame	   *frame;

	switch (root)
	{
		case WF_ROOT_INPUT:
			*out = scope->input;
			return true;
		case WF_ROOT_TRIGGER:
			*out = scope->frame->activation->trigger;
			return true;
		case WF_ROOT_VARS:
			jsonb_or_empty(scope->frame->activation->vars, out);
			return true;
		case WF_ROOT_ENV:
			jsonb_or_empty(scope->run->options.env, out);
			return true;
		case WF_ROOT_ITEM:
			frame = nearest_item(scope->frame, false);
			if (frame == NULL)
				return false;
			*out = frame->item;
			return true;
		case WF_ROOT_INDEX:
			frame = nearest_item(scope->frame, false);
			if (frame == NULL)
				return false;
			wf_json_set_int64(out, frame->index);
			return true;
		case WF_ROOT_ITEMS:
			frame = nearest_item(scope->frame, true);
			if (frame == NULL)
				return false;
			*out = frame->items;
			return true;
		case WF_ROOT_ERROR:
			return error_value(scope, out);
		case WF_ROOT_RUN:
			run_value(scope, out);
			return true;
		case WF_ROOT_SECRETS:
		case WF_ROOT_NODE:
		case WF_ROOT_COUNT:
			break;
	}
	return false;
}

/* `$node.x` by itself. */
static void
whole_node(const NodeState *state, JsonbValue *out)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "output", 6);
	if (state->output != NULL)
		wf_json_put_jsonb(w, state->output);
	else
		wf_json_put_null(w);
	wf_json_key(w, "error", 5);
	if (state->error != NULL)
		wf_json_put_jsonb(w, state->error);
	else
		wf_json_put_null(w);
	wf_json_put_field_cstring(w, "status", status_name(state->status));
	wf_json_put_field_cstring(w, "port", state->port);
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), out);
}

static bool
node_value(WfScope *base, int node_index, WfNodePart part, JsonbValue *out)
{
	StepScope  *scope = (StepScope *) base;
	const NodeState *state = &scope->frame->activation->nodes[node_index];

	if (state->status == NODE_NONE)
		return false;
	switch (part)
	{
		case WF_NODE_OUTPUT:
			if (state->status == NODE_SKIPPED)
				return false;
			if (state->output == NULL)
				wf_json_set_null(out);
			else
				wf_json_root(state->output, out);
			return true;
		case WF_NODE_ERROR:
			return jsonb_or_undefined(state->error, out);
		case WF_NODE_STATUS:
			wf_json_set_string(out, status_name(state->status), strlen(status_name(state->status)));
			return true;
		case WF_NODE_PORT:
			if (state->port == NULL)
				return false;
			wf_json_set_string(out, state->port, strlen(state->port));
			return true;
		case WF_NODE_ALL:
			whole_node(state, out);
			return true;
	}
	return false;
}

/* -- secrets -- */

static bool
is_known(const List *names, const char *name)
{
	ListCell   *cell;

	foreach(cell, names)
		if (strcmp(lfirst(cell), name) == 0)
			return true;
	return false;
}

/* Throws 42501 when current_user may not use secrets of the run's tenant. */
static void
check_use(const Run *run)
{
	WfTenant	tenant;

	if (!wf_store_tenant_of(&run->tenant.tenant_id, &tenant) ||
		!wf_store_allows(&tenant, WF_CREDENTIAL_USE, &run->workflow_id))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", run->tenant.name),
						errdetail("The permission \"%s\" is missing.", wf_store_permission_name(WF_CREDENTIAL_USE)),
						errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

void
wf_scope_use_credential(const Run *run, const char *name, WfCredentialUse use)
{
	const WfCredentialType *type;

	check_use(run);
	type = wf_store_credential_type(&run->tenant.tenant_id, name);
	if (type == NULL)
		wf_error_raise(wf_store_no_credential(&run->tenant.tenant_id, name));
	if ((type->uses & use) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("credential \"%s\" is of type \"%s\", which is not for %s", name, type->name, wf_credential_use_name(use))));
}

/* Throws what check_use throws, and WF013 when there is no secret of this name. */
static void
check_secret(const Run *run, const char *name)
{
	check_use(run);
	if (!wf_store_has_secret(&run->tenant.tenant_id, name))
		wf_error_raise(wf_store_no_secret(&run->tenant.tenant_id, name));
}

/* The marker that stands for the value; the value itself never comes here. */
static void
secret_value(WfScope *base, const char *name, int name_len, JsonbValue *out)
{
	StepScope  *scope = (StepScope *) base;
	WfStep	   *step = scope->step;
	char	   *text = pnstrdup(name, name_len);
	char	   *marker;

	if (!is_known(step->secret_names, text))
	{
		MemoryContext old;

		check_secret(scope->run, text);
		if (step->secret_nonce[0] == '\0')
			wf_marker_make_nonce(step->secret_nonce);
		old = MemoryContextSwitchTo(step->state_memory);
		step->secret_names = lappend(step->secret_names, pstrdup(text));
		MemoryContextSwitchTo(old);
	}
	marker = wf_marker_make(step->secret_nonce, name, name_len);
	wf_json_set_string(out, marker, strlen(marker));
}

/* Of an expression that is full JavaScript. */
static Jsonb *
call_code(WfScope *base, const WfCodeCall *call, WfError **error)
{
	StepScope  *scope = (StepScope *) base;
	WfCodeCall	limited = *call;
	WfCodeLimits limits = *call->limits;

	wf_code_limits(scope->run, &limits);
	limited.limits = &limits;
	return wf_code_call(scope->run, scope->step == NULL ? NULL : scope->step->node, &limited, error);
}

void
wf_scope_begin(StepScope *scope, Run *run, Frame *frame, const JsonbValue *input)
{
	memset(scope, 0, sizeof(*scope));
	scope->base.root = root_value;
	scope->base.node = node_value;
	scope->base.call_code = call_code;
	scope->base.now = run->segment_started_at;
	scope->run = run;
	scope->frame = frame;
	scope->input = *input;
}

void
wf_scope_begin_step(Run *run, Frame *frame, OpenStep *open)
{
	wf_scope_begin(&open->scope, run, frame, &open->step.input);
	open->scope.base.secret = secret_value;
	open->scope.step = &open->step;
	open->step.scope = &open->scope.base;
}
