/*
 * triggers.c: which triggers a workflow has installed.
 *
 * 1. A save checks each trigger node against the database (the table, its rights, routes of others) and refuses what could not
 *    be installed. Nothing is installed by that.
 * 2. Who makes a version the active one calls wf_engine_put_triggers, in the same transaction, with the workflow's row locked:
 *    the rows of wf.trigger, and what belongs to them elsewhere (triggers of tables), become those of that version. So a reader
 *    sees the triggers of one version, and never none or both. Who pauses, deletes or takes up a workflow calls
 *    wf_engine_install_triggers, which needs nothing but the rows: a version that does not compile any more can be paused.
 * 3. A trigger keeps its id and whether it is disabled as long as the workflow has a node of its id and type.
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

/* Types that there is something to do for. */
static const TriggerKind *const kinds[] = {
	&wf_trigger_event_kind,
	&wf_trigger_row_kind,
	&wf_trigger_schedule_kind,
	&wf_trigger_webhook_kind,
};

static const TriggerKind *
kind_of(const char *type)
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

		if (is_trigger(trigger.node) && kind_of(trigger.node->type)->check != NULL)
			kind_of(trigger.node->type)->check(&trigger, found);
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
	if (before != NULL)
		row->trigger_id = before->trigger_id;
	else
		wf_uuid_make(&row->trigger_id);
	if (kind_of(row->type)->fill != NULL)
		kind_of(row->type)->fill(trigger, row);
}

static void
drop_row(const WfTriggerRow *row)
{
	if (kind_of(row->type)->drop != NULL)
		kind_of(row->type)->drop(row);
	wf_store_delete_trigger(&row->tenant_id, &row->trigger_id);
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
			wf_trigger_webhook_taken(row, NULL);
		}
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* Writes a row, and what belongs to it elsewhere. */
static void
put_row(const WfTriggerRow *row, const WfTriggerRow *before)
{
	write_row(row);
	if (kind_of(row->type)->put != NULL)
		kind_of(row->type)->put(row, before);
}

/* Rows of nodes that the version does not have. */
static void
drop_others(List *rows, const WfGraph *graph)
{
	ListCell   *cell;

	foreach(cell, rows)
	{
		const WfTriggerRow *row = lfirst(cell);
		int			node = wf_graph_find(graph, row->node, strlen(row->node));

		if (node < 0 || strcmp(graph->nodes[node].id, row->node) != 0 || !is_trigger(&graph->nodes[node]) ||
			strcmp(graph->nodes[node].type, row->type) != 0)
			drop_row(row);
	}
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

static void
put_all(const WfTenant *tenant, const WfCompiled *compiled, List *rows, bool is_active)
{
	const WfGraph *graph = compiled->graph;
	WfTriggerRow *made = palloc(sizeof(WfTriggerRow) * Max(graph->n_nodes, 1));

	drop_others(rows, graph);	/* first, as others may take over their routes */
	for (int i = 0; i < graph->n_nodes; i++)
	{
		TriggerNode trigger = {tenant, compiled->name, graph, &graph->nodes[i], compiled->search_path};
		const WfTriggerRow *before;

		if (!is_trigger(trigger.node))
			continue;
		before = row_of_node(rows, trigger.node);
		fill_row(&trigger, compiled, before, is_active, &made[i]);
		give_up_route(&made[i], before);
	}
	for (int i = 0; i < graph->n_nodes; i++)
		if (is_trigger(&graph->nodes[i]))
			put_row(&made[i], row_of_node(rows, &graph->nodes[i]));
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
	ListCell   *cell;

	foreach(cell, wf_store_triggers_of(&tenant->tenant_id, workflow_id))
	{
		const WfTriggerRow *before = lfirst(cell);
		WfTriggerRow row = *before;

		row.installed = row.enabled && strcmp(workflow->status, "active") == 0;
		if (strcmp(workflow->status, "deleted") == 0)
			drop_row(before);
		else if (row.installed != before->installed)
			put_row(&row, before);
	}
}

/* -- one of them -- */

void
wf_engine_enable_trigger(const WfTenant *tenant, const char *workflow, const char *node, bool enabled)
{
	WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, workflow, true);
	WfTriggerRow *trigger;

	if (row == NULL)
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
