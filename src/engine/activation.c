/*
 * activation.c: one graph being executed, as whom and with which search path.
 *
 * A version is executed with the search path of its save, and as its owner when it is `definer`. Both are
 * set as a function with SET and SECURITY DEFINER has them set: by a GUC nest level and a local change
 * of the user id, which an ERROR undoes when it aborts the (sub)transaction.
 *
 * Unlike such a function, an owner who is not the caller can leave nothing behind in the caller's session that is executed
 * later with the caller's rights: a deferred trigger, a cursor WITH HOLD, a prepared statement or a temporary table is refused
 * (SECURITY_RESTRICTED_OPERATION), and settings, search_path among them, are undone. A caller of a `definer` does not know what
 * it does, and trusts it with nothing but its input.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "engine/personal.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

/* Default values of the definition's variables. */
static Jsonb *
initial_vars(const WfGraph *graph)
{
	WfJsonWriter *w;

	if (graph->n_variables == 0)
		return NULL;
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	for (int i = 0; i < graph->n_variables; i++)
		wf_json_put_field(w, graph->variables[i].name, &graph->variables[i].default_value);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static void
become_owner(Activation *activation)
{
	const WfCompiled *compiled = activation->compiled;

	GetUserIdAndSecContext(&activation->saved_user, &activation->saved_context);
	if (!compiled->graph->settings.definer || compiled->owner == activation->saved_user)
		return;
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(compiled->owner)))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("owner of version %d of workflow \"%s\" does not exist any more", compiled->version,
							   compiled->name),
						errhint("Save the workflow again as the role that it shall run as.")));
	SetUserIdAndSecContext(compiled->owner, activation->saved_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	activation->is_owner = true;
}

Activation *
wf_activation_make(Run *run, Activation *parent, WfCompiled *compiled, MemoryContext around, const JsonbValue *trigger)
{
	MemoryContext memory = AllocSetContextCreate(around, "workflow activation", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Activation *activation = palloc0(sizeof(Activation));

	activation->memory = memory;
	activation->run = run;
	activation->parent = parent;
	activation->compiled = compiled;
	wf_json_root(wf_json_copy(trigger), &activation->trigger);
	activation->nodes = palloc0(sizeof(NodeState) * Max(compiled->graph->n_nodes, 1));
	activation->vars = initial_vars(compiled->graph);
	if (activation->vars != NULL)
		run->context_bytes += VARSIZE(activation->vars);
	if (compiled->pii != NULL && compiled != run->compiled)
		wf_personal_join(run, compiled, trigger);
	MemoryContextSwitchTo(old);
	return activation;
}

void
wf_activation_enter(Activation *activation)
{
	const WfCompiled *compiled = activation->compiled;
	bool		sets_path = compiled->touches_database && strcmp(namespace_search_path, compiled->search_path) != 0;

	become_owner(activation);
	if (activation->is_owner || sets_path)
		activation->guc_level = NewGUCNestLevel();
	if (sets_path)
		(void) set_config_option("search_path", compiled->search_path, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE,
								 true, 0, false);
	activation->run->activation = activation;
}

void
wf_activation_forget_vars(Activation *activation)
{
	ListCell   *cell;

	foreach(cell, activation->old_vars)
	{
		Jsonb	   *vars = lfirst(cell);

		activation->run->context_bytes -= VARSIZE(vars);
		pfree(vars);
	}
	list_free(activation->old_vars);
	activation->old_vars = NIL;
}

/* Its outputs and variables are no part of the run's context any more. */
void
wf_activation_give_back(Activation *activation)
{
	Run		   *run = activation->run;

	wf_activation_forget_vars(activation);
	if (activation->vars != NULL)
		run->context_bytes -= VARSIZE(activation->vars);
	for (int i = 0; i < activation->compiled->graph->n_nodes; i++)
		run->context_bytes -= activation->nodes[i].bytes;
}

void
wf_activation_leave(Activation *activation)
{
	if (activation->guc_level > 0)
		AtEOXact_GUC(!activation->is_owner, activation->guc_level);
	activation->guc_level = 0;
	/* a SET ROLE by the SQL of an invoker's run stays, as it does after a function */
	if (activation->is_owner)
		SetUserIdAndSecContext(activation->saved_user, activation->saved_context);
	activation->is_owner = false;
	activation->run->activation = activation->parent;
}

void
wf_activation_end(Activation *activation)
{
	wf_activation_give_back(activation);
	wf_activation_leave(activation);
}
