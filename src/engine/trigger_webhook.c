/*
 * trigger_webhook.c: trigger.webhook: a path and a method, which one trigger of a tenant has.
 *
 * That nobody else has them is checked when the definition is saved, when the version is activated, and by a unique index, for
 * two who do that at once. What the routes are looked up with when a request comes is in webhook_routes.c.
 */
#include "postgres.h"

#include "block/incoming.h"
#include "engine/trigger_webhook.h"

static char *
route_of(const Jsonb *config)
{
	WfIncoming	incoming;

	return wf_block_incoming_read(config, &incoming) ? wf_block_incoming_route(&incoming) : NULL;
}

/* A node of the same definition, before this one, that has the route. */
static const char *
earlier_node(const TriggerNode *trigger, const char *route)
{
	const WfGraph *graph = trigger->graph;

	for (int i = 0; i < graph->n_nodes && &graph->nodes[i] != trigger->node; i++)
	{
		const WfNode *node = &graph->nodes[i];
		const char *other;

		if (strcmp(node->type, wf_trigger_webhook_kind.type) != 0 || node->disabled || node->config == NULL)
			continue;
		other = route_of(node->config);
		if (other != NULL && strcmp(other, route) == 0)
			return node->id;
	}
	return NULL;
}

/* Who has a route, as current_user may know it. */
static const char *
name_of(const WfTenant *tenant, const WfTriggerRow *owner)
{
	return wf_store_allows(tenant, WF_WORKFLOW_READ, &owner->workflow_id) ? psprintf("workflow \"%s\"", owner->workflow) :
		"another workflow";
}

static void
webhook_check(const TriggerNode *trigger, WfDiagnostics *found)
{
	const char *path = psprintf("%s.config.path", trigger->node->path);
	char	   *route = route_of(trigger->node->config);
	const char *other = route == NULL ? NULL : earlier_node(trigger, route);
	const WfTriggerRow *owner;

	if (other != NULL)
		wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, trigger->node->id, path, NULL,
						   "node \"%s\" has the webhook \"%s\", too", other, route);
	if (route == NULL || other != NULL || trigger->workflow == NULL)
		return;
	owner = wf_store_route_owner(&trigger->tenant->tenant_id, route);
	if (owner != NULL && strcmp(owner->workflow, trigger->workflow) != 0)
		wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_DEFINITION_INVALID, trigger->node->id, path,
						   "Names of parameters do not tell paths apart.", "%s has the webhook \"%s\"",
						   name_of(trigger->tenant, owner), route);
}

void
wf_trigger_webhook_taken(const WfTriggerRow *row, const char *by)
{
	ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
					errmsg("%s has the webhook \"%s\"", by, row->route),
					errdetail("Trigger \"%s\" of workflow \"%s\" has it, too.", row->node, row->workflow),
					errhint("The view wf_triggers lists the triggers of active versions.")));
}

static void
webhook_fill(const TriggerNode *trigger, WfTriggerRow *row)
{
	const WfTriggerRow *owner;

	row->route = route_of(row->config);
	if (row->route == NULL)
		return;
	owner = wf_store_route_owner(&row->tenant_id, row->route);
	if (owner != NULL && memcmp(&owner->workflow_id, &row->workflow_id, sizeof(pg_uuid_t)) != 0)
		wf_trigger_webhook_taken(row, name_of(trigger->tenant, owner));
}

const TriggerKind wf_trigger_webhook_kind = {
	.type = "trigger.webhook",
	.as_owner = true,
	.check = webhook_check,
	.fill = webhook_fill,
};
