/*
 * flow.c: the analysis of the flow: what is reached, which edges go back, and whether every cycle has
 * one way in.
 *
 * 1. Linked edges are sorted by source and by target.
 * 2. Starts are found (start.c).
 * 3. A depth-first search from the starts, edges in the definition's order, ranks the nodes in reverse
 *    postorder. An edge is retreating when its target does not rank after its source.
 * 4. Dominators are computed on the forward edges alone (dominate.c). A retreating edge whose target
 *    dominates its source is a back edge; any other makes the graph irreducible and is reported. This
 *    is exact: take a path to the source of a retreating edge that avoids the target, and that has as
 *    few retreating edges as such a path can. If it has one, say from x to y, then y dominates x in the
 *    forward graph, so the path went through y before and has a needless cycle. So it has none, and the
 *    forward graph knows of it.
 * 5. With no error so far: loops (loop.c), then the order (order.c).
 *
 * Nothing recurses; the whole is O(E log N), but for the lists of nested loops, which are bounded.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/flow.h"
#include "miscadmin.h"

/* Sorts the linked edges by one of their ends, stable in the definition's order. */
static void
sort_edges(WfFlow *flow, bool by_source, int **first, int **list)
{
	const WfGraph *graph = flow->graph;
	int		   *at = palloc0(sizeof(int) * (graph->n_nodes + 2));
	int		   *sorted = palloc(sizeof(int) * Max(graph->n_edges, 1));

#define END_OF(e) (by_source ? graph->edges[e].source : graph->edges[e].target)
	for (int e = 0; e < graph->n_edges; e++)
		if (flow->b->linked[e])
			at[END_OF(e) + 2]++;
	for (int v = 0; v < graph->n_nodes; v++)
		at[v + 2] += at[v + 1];
	for (int e = 0; e < graph->n_edges; e++)
		if (flow->b->linked[e])
			sorted[at[END_OF(e) + 1]++] = e;
#undef END_OF
	*first = at;
	*list = sorted;
}

/* Searches depth-first from one node and puts what is finished before *top. */
static void
search_from(WfFlow *flow, int start, int *stack, int *next, bool *seen, int *top)
{
	const WfGraph *graph = flow->graph;
	int			n = 0;

	seen[start] = true;
	next[start] = flow->out_first[start];
	stack[n++] = start;
	while (n > 0)
	{
		int			v = stack[n - 1];

		if (next[v] == flow->out_first[v + 1])
		{
			flow->order[--(*top)] = v;
			n--;
			continue;
		}

		int			w = graph->edges[flow->out[next[v]++]].target;

		if (seen[w])
			continue;
		seen[w] = true;
		next[w] = flow->out_first[w];
		stack[n++] = w;
	}
}

/*
 * Ranks what is reached from the starts. What is reached from nodes whose way in is uncertain is seen
 * but gets no rank: of these, nothing more is said.
 */
static void
rank_nodes(WfFlow *flow)
{
	int			n = flow->graph->n_nodes;
	int		   *stack = palloc(sizeof(int) * Max(n, 1));
	int		   *next = palloc(sizeof(int) * Max(n, 1));
	int			top = n;
	int			certain = n;

	flow->order = palloc(sizeof(int) * Max(n, 1));
	flow->rank = palloc(sizeof(int) * Max(n, 1));
	flow->seen = palloc0(sizeof(bool) * Max(n, 1));
	for (int pass = 0; pass < 2; pass++)
	{
		certain = top;
		for (int v = n - 1; v >= 0; v--)
		{
			bool		begins = pass == 0 ? flow->starts[v] : flow->b->notes[v].uncertain && wf_flow_has(flow, v);

			CHECK_FOR_INTERRUPTS();
			if (begins && !flow->seen[v])
				search_from(flow, v, stack, next, flow->seen, &top);
		}
	}
	flow->n_reached = n - certain;
	memmove(flow->order, flow->order + certain, sizeof(int) * flow->n_reached);
	for (int v = 0; v < n; v++)
		flow->rank[v] = -1;
	for (int i = 0; i < flow->n_reached; i++)
		flow->rank[flow->order[i]] = i;
}

static void
report_unreached(WfFlow *flow, bool triggers)
{
	WfBuild    *b = flow->b;

	for (int v = 0; v < flow->graph->n_nodes; v++)
	{
		int			region = flow->graph->nodes[v].region;
		bool		by_trigger = triggers && region == 0;

		if (flow->seen[v] || !wf_flow_has(flow, v) || (flow->region_uncertain[region] && !by_trigger))
			continue;

		WfPlace		place = wf_graph_node_place(b, v);
		const char *id = wf_text_clip(flow->graph->nodes[v].id);

		if (by_trigger)
			wf_graph_wrong(b, &place, NULL, "In a workflow with triggers, a run starts at the edges of a trigger.",
						   "node \"%s\" is unreachable: no trigger leads to it", id);
		else
			wf_graph_wrong(b, &place, NULL, "A node without incoming edges starts its graph; lead an edge into the cycle.",
						   "node \"%s\" is unreachable: it lies on or behind a cycle that nothing leads into", id);
	}
}

/*
 * Tells back edges from those that make the graph irreducible. Edges that could not be linked may be
 * missing here; they could only add ways in, so what is irreducible without them stays so.
 */
static void
judge_edges(WfFlow *flow)
{
	WfBuild    *b = flow->b;
	WfGraph    *graph = flow->graph;
	bool		complete = true;

	for (int e = 0; e < graph->n_edges; e++)
		complete &= b->linked[e];
	for (int e = 0; e < graph->n_edges; e++)
	{
		WfEdge	   *edge = &graph->edges[e];

		if (!b->linked[e] || flow->rank[edge->source] < 0)
			continue;

		WfPlace		place = wf_graph_edge_place(b, e);
		const char *source = wf_text_clip(graph->nodes[edge->source].id);
		const char *target = wf_text_clip(graph->nodes[edge->target].id);

		if (flow->rank[edge->target] <= flow->rank[edge->source])
		{
			edge->back = wf_flow_dominates(flow, edge->target, edge->source);
			if (!edge->back)
				wf_graph_wrong(b, &place, NULL,
							   "A cycle may be entered at one node only, the one that its back edge leads to. Let every way into the cycle lead there, or use a loop block.",
							   "the graph is not reducible: the edge from \"%s\" to \"%s\" closes a cycle that can also be entered elsewhere than at \"%s\"",
							   source, target, target);
			else if (edge->max_iterations == 0)
				edge->max_iterations = WF_GRAPH_ITERATIONS;
		}
		else if (edge->max_iterations != 0 && complete)
			wf_graph_wrong(b, &place, "maxIterations", "Only an edge that goes back to a node on every way to its source repeats anything.",
						   "edge from \"%s\" to \"%s\" does not go back and cannot have \"maxIterations\"", source, target);
	}
}

/*
 * Analyses the flow of all regions. Reports what is wrong; when nothing is and the compile has been
 * without errors so far, the flow members of the graph are complete.
 */
void
wf_graph_flow(WfBuild *b)
{
	WfFlow		flow = {.b = b, .graph = b->graph, .root = b->graph->n_nodes};
	bool		triggers = false;

	for (int v = 0; v < b->graph->n_nodes; v++)
		triggers |= b->notes[v].is_trigger && wf_flow_has(&flow, v);
	sort_edges(&flow, true, &flow.out_first, &flow.out);
	sort_edges(&flow, false, &flow.in_first, &flow.in);
	wf_flow_find_starts(&flow);
	rank_nodes(&flow);
	report_unreached(&flow, triggers);
	wf_flow_dominate(&flow);
	judge_edges(&flow);
	if (b->found->n_errors == b->errors_before && wf_flow_find_loops(&flow))
		wf_flow_arrange(&flow);
}
