/*
 * triggers.c: which triggers a workflow has installed.
 *
 * 1. A save checks each trigger node against the database (the table, its rights, routes of others) and refuses what could not
 *    be installed. Nothing is installed by that.
 * 2. Who makes a version the active one calls wf_engine_put_triggers, in the same transaction, with the workflow's row locked:
 *    the rows of wf.trigger, and what belongs to them elsewhere (triggers of tables), become those of that version. So a reader
 *    sees the triggers of one version, and never none or both. Who pauses, deletes or takes up a workflow calls
 *    wf_engine_install_triggers, which needs nothing but the rows: a version that does not compile any more can be paused.
 * 3. Tables are locked one after the other in the order of their OIDs, each as strongly as it will be at once: triggers that go,
 *    go before others are made. So two who install triggers of the same tables wait for each other, and no more.
 * 4. A trigger keeps its id and whether it is disabled as long as the workflow has a node of its id and type.
 *
 * The types that there is something to do for are in one table, below.
 */
#include "postgres.h"

#include "base/text.h"
#include "base/uuid.h"
#include "engine/listen.h"
#include "engine/trigger_row.h"
#include "engine/trigger_webhook.h"
#include "engine/triggers.h"
#include "miscadmin.h"
#include "utils/syscache.h"

/* Types that there is something to do for. */
static const TriggerKind *const kinds[] = {
	&wf_trigger_error_kind,
	&wf_trigger_event_kind,
	&wf_trigger_row_kind,
	&wf_trigger_schedule_kind,
	&wf_trigger_webhook_kind,
};

const TriggerKind *
wf_trigger_kind(const char *type)
{
	static const TriggerKind none = {NULL};

	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kinds[i]->type, type) == 0)
			return kinds[i];
	return &none;
}

static bool
is_trigger(const WfNode *node)
{
	return (node->block->flags & WF_BLOCK_TRIGGER) != 0 && !node->is_compensation && !node->disabled;
}

void
wf_engine_check_triggers(const WfTenant *tenant, const char *workflow, const WfGraph *graph, const char *search_path,
						 WfDiagnostics *found)
{
	for (int i = 0; i < graph->n_nodes; i++)
	{
		TriggerNode trigger = {tenant, workflow, graph, &graph->nodes[i], search_path};

		if (is_trigger(trigger.node) && wf_trigger_kind(trigger.node->type)->check != NULL)
			wf_trigger_kind(trigger.node->type)->check(&trigger, found);
	}
}

/* -- installing -- */

static WfTriggerRow *
row_of_node(List *rows, const WfNode *node)
{
	ListCell   *cell;

	foreach(cell, rows)
	{
		WfTriggerRow *row = lfirst(cell);

		if (strcmp(row->node, node->id) == 0 && strcmp(row->type, node->type) == 0)
			return row;
	}
	return NULL;
}

/* The row of a trigger node as it is to be. */
static void
fill_row(const TriggerNode *trigger, const WfCompiled *compiled, const WfTriggerRow *before, bool is_active, WfTriggerRow *row)
{
	const WfSettings *settings = &trigger->graph->settings;

	memset(row, 0, sizeof(*row));
	row->tenant_id = trigger->tenant->tenant_id;
	row->workflow_id = compiled->workflow_id;
	row->workflow = compiled->name;
	row->node = trigger->node->id;
	row->version = compiled->version;
	row->type = trigger->node->type;
	row->role = compiled->owner;
	row->enabled = before == NULL || before->enabled;
	row->installed = is_active && row->enabled;
	row->definer = settings->definer;
	row->priority = settings->priority;
	row->gate_size = settings->max_concurrency;
	row->gate_key = settings->concurrency_key;
	row->gate_policy = settings->concurrency_policy;
	row->config = trigger->node->config;
	row->search_path = trigger->search_path;
	row->is_personal = compiled->pii != NULL;
	if (before != NULL)
		row->trigger_id = before->trigger_id;
	else
		wf_uuid_make(&row->trigger_id);
	if (wf_trigger_kind(row->type)->fill != NULL)
		wf_trigger_kind(row->type)->fill(trigger, row);
}

/* What is to be done for one trigger. */
typedef struct Change
{
	const WfTriggerRow *row;	/* as it is to be; NULL: it goes */
	const WfTriggerRow *before; /* NULL: it is new */
} Change;

static List *
add_change(List *changes, const WfTriggerRow *row, const WfTriggerRow *before)
{
	Change	   *change = palloc(sizeof(Change));

	change->row = row;
	change->before = before;
	return lappend(changes, change);
}

/* One half of a change, at one table (InvalidOid: at none). */
typedef struct Step
{
	Oid			relation;
	bool		is_put;
	int			place;			/* among the changes */
	const Change *change;
} Step;

/* Removals from a table before additions to it, table by table. */
static int
compare_steps(const void *a, const void *b)
{
	const Step *x = a;
	const Step *y = b;

	if (x->relation != y->relation)
		return x->relation < y->relation ? -1 : 1;
	if (x->is_put != y->is_put)
		return x->is_put ? 1 : -1;
	return x->place - y->place;
}

static void
add_step(Step *steps, int *n, Oid relation, bool is_put, const Change *change)
{
	steps[*n] = (Step) {relation, is_put, *n, change};
	(*n)++;
}

static void
take_step(const Step *step)
{
	const Change *change = step->change;
	const TriggerKind *kind = wf_trigger_kind(change->row != NULL ? change->row->type : change->before->type);

	if (step->is_put && kind->put != NULL)
		kind->put(change->row, change->before);
	if (!step->is_put && kind->clear != NULL)
		kind->clear(change->row, change->before);
}

/* Writes a row. Throws 23505 with the route that another transaction has taken meanwhile. */
static void
write_row(const WfTriggerRow *row)
{
	MemoryContext memory = CurrentMemoryContext;

	PG_TRY();
	{
		wf_store_put_trigger(row);
	}
	PG_CATCH();
	{
		ErrorData  *data;

		MemoryContextSwitchTo(memory);
		data = CopyErrorData();
		if (data->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && row->route != NULL && data->constraint_name != NULL &&
			strcmp(data->constraint_name, "trigger_route") == 0)
		{
			FlushErrorState();
			wf_trigger_webhook_taken(row, "another workflow");
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* The route of the row goes to another node, or to none: nobody has it until that is written. */
static void
give_up_route(const WfTriggerRow *row, const WfTriggerRow *before)
{
	WfTriggerRow without;

	if (before == NULL || before->route == NULL || (row->route != NULL && strcmp(before->route, row->route) == 0))
		return;
	without = *before;
	without.route = NULL;
	wf_store_put_trigger(&without);
}

/* Writes the rows, and what belongs to them elsewhere. */
static void
apply(List *changes)
{
	Step	   *steps = palloc(sizeof(Step) * 2 * (list_length(changes) + 1));
	int			n = 0;
	ListCell   *cell;

	/* first those that go, as others may take over their routes */
	foreach(cell, changes)
	{
		const Change *change = lfirst(cell);

		if (change->row == NULL)
			wf_store_delete_trigger(&change->before->tenant_id, &change->before->trigger_id);
	}
	foreach(cell, changes)
	{
		const Change *change = lfirst(cell);

		if (change->row != NULL)
			give_up_route(change->row, change->before);
	}
	foreach(cell, changes)
	{
		const Change *change = lfirst(cell);

		if (change->row != NULL)
			write_row(change->row);
		if (change->before != NULL)
			add_step(steps, &n, change->before->relation, false, change);
		if (change->row != NULL && change->row->installed)
			add_step(steps, &n, change->row->relation, true, change);
	}
	qsort(steps, n, sizeof(Step), compare_steps);
	for (int i = 0; i < n; i++)
		take_step(&steps[i]);
}

/* Those of nodes that the version does not have go. */
static List *
drop_others(List *rows, const WfGraph *graph)
{
	List	   *changes = NIL;
	ListCell   *cell;

	foreach(cell, rows)
	{
		const WfTriggerRow *row = lfirst(cell);
		int			node = wf_graph_find(graph, row->node, strlen(row->node));

		if (node < 0 || strcmp(graph->nodes[node].id, row->node) != 0 || !is_trigger(&graph->nodes[node]) ||
			strcmp(graph->nodes[node].type, row->type) != 0)
			changes = add_change(changes, NULL, row);
	}
	return changes;
}

static void
put_all(const WfTenant *tenant, const WfCompiled *compiled, List *rows, bool is_active)
{
	const WfGraph *graph = compiled->graph;
	List	   *changes = drop_others(rows, graph);

	for (int i = 0; i < graph->n_nodes; i++)
	{
		TriggerNode trigger = {tenant, compiled->name, graph, &graph->nodes[i], compiled->search_path};
		const WfTriggerRow *before;
		WfTriggerRow *row;

		if (!is_trigger(trigger.node))
			continue;
		before = row_of_node(rows, trigger.node);
		row = palloc(sizeof(WfTriggerRow));
		fill_row(&trigger, compiled, before, is_active, row);
		changes = add_change(changes, row, before);
	}
	apply(changes);
}

void
wf_engine_put_triggers(const WfTenant *tenant, const pg_uuid_t *workflow_id)
{
	WfWorkflowRow *workflow = wf_store_find_workflow_id(&tenant->tenant_id, workflow_id);
	WfCompiled *compiled = wf_engine_find_id(tenant, workflow_id, workflow->active_version);

	PG_TRY();
	{
		put_all(tenant, compiled, wf_store_triggers_of(&tenant->tenant_id, workflow_id),
				strcmp(workflow->status, "active") == 0);
	}
	PG_FINALLY();
	{
		wf_engine_release(compiled);
	}
	PG_END_TRY();
}

void
wf_engine_install_triggers(const WfTenant *tenant, const pg_uuid_t *workflow_id)
{
	WfWorkflowRow *workflow = wf_store_find_workflow_id(&tenant->tenant_id, workflow_id);
	List	   *changes = NIL;
	ListCell   *cell;

	foreach(cell, wf_store_triggers_of(&tenant->tenant_id, workflow_id))
	{
		const WfTriggerRow *before = lfirst(cell);
		WfTriggerRow *row = palloc(sizeof(WfTriggerRow));

		*row = *before;
		row->installed = row->enabled && strcmp(workflow->status, "active") == 0;
		if (strcmp(workflow->status, "deleted") == 0)
			changes = add_change(changes, NULL, before);
		else if (row->installed != before->installed)
			changes = add_change(changes, row, before);
	}
	apply(changes);
}

/* -- one of them -- */

void
wf_engine_enable_trigger(const WfTenant *tenant, const char *workflow, const char *node, bool enabled)
{
	bool		is_narrowed = (tenant->permissions & WF_WORKFLOW_UPDATE) == 0;
	WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, workflow, !is_narrowed);
	WfTriggerRow *trigger;

	if (row == NULL)
		wf_engine_not_found(tenant, workflow);
	wf_engine_check_right(tenant, WF_WORKFLOW_UPDATE, &row->workflow_id, workflow);
	if (is_narrowed && wf_store_find_workflow(&tenant->tenant_id, workflow, true) == NULL)
		wf_engine_not_found(tenant, workflow);
	trigger = wf_store_find_trigger(&tenant->tenant_id, &row->workflow_id, node);
	if (trigger == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("workflow \"%s\" has no trigger \"%s\"", workflow, wf_text_clip(node)),
						errhint("The view wf_triggers lists the triggers of active versions.")));
	trigger->enabled = enabled;
	wf_store_put_trigger(trigger);
	wf_engine_install_triggers(tenant, &row->workflow_id);
}

const char *
wf_engine_trigger_problem(const WfTenant *tenant, const pg_uuid_t *workflow_id, const char *node)
{
	const WfTriggerRow *row = wf_store_find_trigger(&tenant->tenant_id, workflow_id, node);

	if (row == NULL)
		return NULL;
	if (wf_engine_fires_as_owner(row) && !SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(row->role)))
		return psprintf("owner of version %d does not exist any more", row->version);
	return wf_trigger_kind(row->type)->problem == NULL ? NULL : wf_trigger_kind(row->type)->problem(row);
}
