/*
 * policy.c: what a node does about errors, and what blocks say of their nodes.
 *
 * A node's strategy follows from four places: its own `onError`, its own `retry`, a wired `error`
 * port, and `retry` of the settings. In this order:
 *
 * 1. An `onError` that is written is taken, except that `fail` or `retry` next to a wired error port
 *    or `retry` mean both: retry by the policy, then go where the edge leads.
 * 2. A wired `error` port means `route`.
 * 3. A `retry` of its own means `retry`.
 * 4. `retry` of the settings means `retry`, for nodes that are neither container nor trigger and do
 *    not say "onError": "fail". (A container that retried would multiply the retries of its nodes.)
 *
 * Whatever the strategy, the policy in `retry` comes first: max_attempts is 1 where nothing is retried.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static void
link_compensation(WfBuild *b, int i)
{
	WfGraph    *graph = b->graph;
	WfNode	   *node = &graph->nodes[i];
	const char *id = b->notes[i].compensate_id;
	WfPlace		place = wf_graph_node_place(b, i);
	int			other = wf_graph_lookup(graph, b->index, id, strlen(id));
	int			nearest;

	place.within = "compensate";
	if (other < 0 || strcmp(graph->nodes[other].id, id) != 0)
	{
		wf_graph_wrong(b, &place, "node", wf_graph_hint_node(b, id, &nearest),
					   "node \"%s\", which is to compensate \"%s\", does not exist", wf_text_clip(id), wf_text_clip(node->id));
		return;
	}
	if (other == i)
		wf_graph_wrong(b, &place, "node", NULL, "node \"%s\" cannot compensate itself", wf_text_clip(id));
	else if (b->notes[other].compensated)
		wf_graph_wrong(b, &place, "node", "A compensation that fails is retried; it is not compensated in its turn.",
					   "node \"%s\" compensates \"%s\" and cannot have a \"compensate\" of its own", wf_text_clip(id),
					   wf_text_clip(node->id));
	else if (b->notes[other].is_trigger)
		wf_graph_wrong(b, &place, "node", NULL, "trigger \"%s\" cannot compensate node \"%s\"", wf_text_clip(id),
					   wf_text_clip(node->id));
	else
	{
		node->compensate_node = other;
		graph->nodes[other].is_compensation = true;
	}
}

/* Resolves `compensate`; the nodes it names are no part of the flow from here on. */
void
wf_graph_link_compensations(WfBuild *b)
{
	for (int i = 0; i < b->graph->n_nodes; i++)
		if (b->notes[i].compensate_id != NULL)
			link_compensation(b, i);
}

/* An edge leaves at `error`, and the node says that errors go elsewhere. */
static void
warn_dead_error_edge(WfBuild *b, const WfNode *node, const WfPlace *place)
{
	wf_graph_report(b, WF_SEVERITY_WARNING, WF_ERRCODE_DEFINITION_INVALID, place, "onError",
					"Write \"onError\": \"route\", or leave it out.",
					"errors of node \"%s\" do not leave at its port \"error\", since its \"onError\" is \"%s\"",
					wf_text_clip(node->id), wf_graph_on_error_name(node->on_error));
}

static void
settle_policy(WfBuild *b, WfNode *node, const WfNodeNotes *notes)
{
	const WfSettings *settings = &b->graph->settings;
	WfPlace		place = wf_graph_node_place(b, node->index);
	bool		plain_fail = notes->has_on_error && node->on_error == WF_ON_ERROR_FAIL;

	if (!notes->has_retry && settings->has_retry && !plain_fail && !notes->is_container && !notes->is_trigger)
		node->retry = settings->retry;
	else if (!notes->has_retry && node->on_error == WF_ON_ERROR_RETRY)
		wf_graph_retry_defaults(&node->retry);

	if (node->on_error == WF_ON_ERROR_ROUTE && !node->error_wired && node->block != NULL)
		wf_graph_wrong(b, &place, "onError", "Add an edge with \"sourceHandle\": \"error\".",
					   "\"onError\" of node \"%s\" is \"route\" and no edge leaves at its port \"error\"",
					   wf_text_clip(node->id));
	if (node->error_wired)
	{
		if (!notes->has_on_error || node->on_error == WF_ON_ERROR_RETRY)
			node->on_error = WF_ON_ERROR_ROUTE;
		else if (node->on_error != WF_ON_ERROR_ROUTE)
			warn_dead_error_edge(b, node, &place);
	}
	if (node->on_error == WF_ON_ERROR_FAIL && node->retry.max_attempts > 1)
		node->on_error = WF_ON_ERROR_RETRY;
}

/* Settles what each node does about errors, now that the edges are known. */
void
wf_graph_settle_policies(WfBuild *b)
{
	for (int i = 0; i < b->graph->n_nodes; i++)
		settle_policy(b, &b->graph->nodes[i], &b->notes[i]);
}

/* Asks each block about its node, and refuses suspending ones where that breaks a promise. */
void
wf_graph_check_blocks(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	MemoryContext old = MemoryContextSwitchTo(b->turn);

	for (int i = 0; i < graph->n_nodes; i++)
	{
		WfNode	   *node = &graph->nodes[i];

		CHECK_FOR_INTERRUPTS();
		if (node->block == NULL)
			continue;
		b->blocks->check(node, b->found);
		if (graph->settings.atomic && !node->disabled && b->blocks->suspends(node->block, node))
		{
			WfPlace		place = wf_graph_node_place(b, i);

			wf_graph_wrong(b, &place, "type", "Drop the node, or \"atomic\" from the settings.",
						   "node \"%s\" (%s) suspends the run, which an atomic workflow cannot do",
						   wf_text_clip(node->id), wf_text_clip(node->type));
		}
		MemoryContextReset(b->turn);
	}
	MemoryContextSwitchTo(old);
}

static bool
is_plain(const WfNode *node)
{
	return node->on_error == WF_ON_ERROR_FAIL && node->retry.max_attempts <= 1 && !node->error_wired;
}

/*
 * Sets `guarded`. Called for a valid graph only; regions are gone through from the outermost, of which
 * there are at most as many levels as workflow.max_depth.
 */
void
wf_graph_guard(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	int			deepest = 0;

	b->region_guarded = palloc0(graph->n_regions * sizeof(bool));
	for (int i = 0; i < graph->n_regions; i++)
		deepest = Max(deepest, graph->regions[i].depth);
	for (int depth = 1; depth <= deepest; depth++)
		for (int i = 1; i < graph->n_regions; i++)
		{
			const WfRegion *region = &graph->regions[i];
			const WfNode *container = &graph->nodes[Max(region->container, 0)];

			if (region->depth == depth)
				b->region_guarded[i] = b->region_guarded[container->region] || !is_plain(container) ||
					b->blocks->catches(container, region->branch);
		}
	for (int i = 0; i < graph->n_nodes; i++)
	{
		WfNode	   *node = &graph->nodes[i];

		node->guarded = !is_plain(node) || b->region_guarded[node->region];
	}
}
