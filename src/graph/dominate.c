/*
 * dominate.c: who dominates whom.
 *
 * Only forward edges (to a higher rank) are looked at, so that nodes can be taken in rank order and
 * each immediate dominator is final when it is computed: the lowest common ancestor, in the dominator
 * tree so far, of the sources of its forward edges. The usual algorithms iterate over all edges, or
 * walk up the tree step by step, which a dense definition can make quadratic. Here the tree carries
 * jump pointers (each node points at an ancestor whose distance depends on its depth alone), so that
 * a common ancestor takes O(log n) and everything O(E log n).
 */
#include "postgres.h"

#include "graph/flow.h"
#include "miscadmin.h"

/* Makes `v` a child of `parent` in the dominator tree. */
static void
hang(WfFlow *flow, int v, int parent)
{
	int			far = flow->jump[parent];

	flow->up[v] = parent;
	flow->depth[v] = flow->depth[parent] + 1;
	if (flow->depth[parent] - flow->depth[far] == flow->depth[far] - flow->depth[flow->jump[far]])
		flow->jump[v] = flow->jump[far];
	else
		flow->jump[v] = parent;
}

/* The ancestor of `v` at this depth. */
static int
ancestor_at(const WfFlow *flow, int v, int depth)
{
	while (flow->depth[v] > depth)
		v = flow->depth[flow->jump[v]] >= depth ? flow->jump[v] : flow->up[v];
	return v;
}

static int
common_ancestor(const WfFlow *flow, int a, int b)
{
	a = ancestor_at(flow, a, Min(flow->depth[a], flow->depth[b]));
	b = ancestor_at(flow, b, Min(flow->depth[a], flow->depth[b]));
	while (a != b)
	{
		/* nodes of equal depth jump equally far */
		if (flow->jump[a] != flow->jump[b])
		{
			a = flow->jump[a];
			b = flow->jump[b];
		}
		else
		{
			a = flow->up[a];
			b = flow->up[b];
		}
	}
	return a;
}

/* Does every way from a start to `below` go through `above`? Both must be reached. */
bool
wf_flow_dominates(const WfFlow *flow, int above, int below)
{
	return flow->depth[below] >= flow->depth[above] && ancestor_at(flow, below, flow->depth[above]) == above;
}

/* Builds the dominator tree of the reached nodes. */
void
wf_flow_dominate(WfFlow *flow)
{
	const WfGraph *graph = flow->graph;
	int			n = graph->n_nodes + 1;

	flow->up = palloc(sizeof(int) * n);
	flow->jump = palloc(sizeof(int) * n);
	flow->depth = palloc(sizeof(int) * n);
	flow->up[flow->root] = flow->jump[flow->root] = flow->root;
	flow->depth[flow->root] = 0;
	for (int i = 0; i < flow->n_reached; i++)
	{
		int			v = flow->order[i];
		int			dominator = flow->starts[v] ? flow->root : -1;

		CHECK_FOR_INTERRUPTS();
		for (int k = flow->in_first[v]; k < flow->in_first[v + 1] && dominator != flow->root; k++)
		{
			int			source = graph->edges[flow->in[k]].source;

			if (flow->rank[source] < 0 || flow->rank[source] >= i)
				continue;
			dominator = dominator < 0 ? source : common_ancestor(flow, dominator, source);
		}
		Assert(dominator >= 0);
		hang(flow, v, dominator);
	}
}
