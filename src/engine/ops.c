/*
 * ops.c: what a block may ask of the world through its step.
 */
#include "postgres.h"

#include "base/settings.h"
#include "engine/answer.h"
#include "engine/attempt.h"
#include "engine/code.h"
#include "engine/scope.h"
#include "utils/memutils.h"

static inline OpenStep *
open_of(WfStep *step)
{
	return (OpenStep *) ((char *) step - offsetof(OpenStep, step));
}

static void
set_variable(WfStep *step, const char *name, const JsonbValue *value)
{
	Frame	   *frame = open_of(step)->scope.frame;
	Activation *activation = frame->activation;
	MemoryContext old;
	WfJsonWriter *w = wf_json_writer_begin();	/* in step memory; what it made is copied */
	JsonbValue	vars;
	Jsonb	   *before = activation->vars;
	Jsonb	   *made;

	wf_json_begin_object(w);
	if (before != NULL)
	{
		wf_json_root(before, &vars);
		wf_json_put_members(w, &vars, NULL);
	}
	wf_json_put_field(w, name, value);
	wf_json_end_object(w);
	made = wf_json_finish(w);
	old = MemoryContextSwitchTo(activation->memory);
	activation->vars = palloc(VARSIZE(made));
	memcpy(activation->vars, made, VARSIZE(made));
	if (before != NULL)
		activation->old_vars = lappend(activation->old_vars, before);	/* the step may hold values of it */
	MemoryContextSwitchTo(old);
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

static bool
respond(WfStep *step, const Jsonb *answer)
{
	return wf_answer_give(open_of(step)->scope.run, answer);
}

static void
use_credential(WfStep *step, const char *name, WfCredentialUse use)
{
	wf_scope_use_credential(open_of(step)->scope.run, name, use);
}

static void
code_limits(WfStep *step, WfCodeLimits *limits)
{
	wf_code_limits(open_of(step)->scope.run, limits);
}

static Jsonb *
call_code(WfStep *step, const WfCodeCall *call, WfError **error)
{
	return wf_code_call(open_of(step)->scope.run, step->node, call, error);
}

const WfStepOps wf_step_ops = {set_variable, add_log, get_memory, set_memory, note_rows, respond, use_credential, code_limits, call_code};
