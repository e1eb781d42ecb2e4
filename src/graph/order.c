/*
 * order.c: the lists that a run goes by: edges of nodes, and nodes of regions in order.
 *
 * The order is topological, back edges left out; of nodes that could come next, the first in the
 * definition does. The nodes of a loop come before what the loop's exits lead to, since exits are not
 * resolved while the loop may repeat. That is always possible: with each loop drawn together into one
 * node, the forward edges of a reducible graph still have no cycle.
 */
#include "postgres.h"

#include "graph/flow.h"
#include "miscadmin.h"

/* A heap of node numbers, the least on top. */
typedef struct Heap
{
	int			n;
	int		   *items;
} Heap;

static void
heap_push(Heap *heap, int item)
{
	int			at = heap->n++;

	while (at > 0 && heap->items[(at - 1) / 2] > item)
	{
		heap->items[at] = heap->items[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	heap->items[at] = item;
}

static int
heap_pop(Heap *heap)
{
	int			top = heap->items[0];
	int			item = heap->items[--heap->n];
	int			at = 0;

	for (;;)
	{
		int			child = 2 * at + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n && heap->items[child + 1] < heap->items[child])
			child++;
		if (heap->items[child] >= item)
			break;
		heap->items[at] = heap->items[child];
		at = child;
	}
	heap->items[at] = item;
	return top;
}

/* Gives each node its edges. */
static void
list_edges(WfFlow *flow)
{
	WfGraph    *graph = flow->graph;
	WfEdge	  **out = wf_graph_keep_array(flow->b, graph->n_edges, sizeof(WfEdge *));
	WfEdge	  **in = wf_graph_keep_array(flow->b, graph->n_edges, sizeof(WfEdge *));

	for (int v = 0; v < graph->n_nodes; v++)
	{
		WfNode	   *node = &graph->nodes[v];

		node->out = out;
		for (int k = flow->out_first[v]; k < flow->out_first[v + 1]; k++)
			node->out[node->n_out++] = &graph->edges[flow->out[k]];
		out += node->n_out;

		node->in = in;
		for (int k = flow->in_first[v]; k < flow->in_first[v + 1]; k++)
			if (!graph->edges[flow->in[k]].back)
				node->in[node->n_in++] = &graph->edges[flow->in[k]];
		in += node->n_in;
	}
}

static bool
is_terminal(const WfNode *node)
{
	for (int i = 0; i < node->n_out; i++)
		if (!node->out[i]->back && node->out[i]->port != node->error_port)
			return false;
	return true;
}

/* Room for the lists of each region, and the starts and terminals. */
static void
list_ends(WfFlow *flow)
{
	WfGraph    *graph = flow->graph;

	for (int i = 0; i < flow->n_reached; i++)
	{
		const WfNode *node = &graph->nodes[flow->order[i]];
		WfRegion   *region = &graph->regions[node->region];

		region->n_nodes++;
		region->n_starts += flow->starts[node->index];
		region->n_terminals += is_terminal(node);
	}
	for (int r = 0; r < graph->n_regions; r++)
	{
		WfRegion   *region = &graph->regions[r];

		region->nodes = wf_graph_keep_array(flow->b, region->n_nodes, sizeof(int));
		region->starts = wf_graph_keep_array(flow->b, region->n_starts, sizeof(int));
		region->terminals = wf_graph_keep_array(flow->b, region->n_terminals, sizeof(int));
		region->n_nodes = region->n_starts = region->n_terminals = 0;
	}
	for (int v = 0; v < graph->n_nodes; v++)
	{
		if (flow->rank[v] < 0)
			continue;

		WfRegion   *region = &graph->regions[graph->nodes[v].region];

		if (flow->starts[v])
			region->starts[region->n_starts++] = v;
		if (is_terminal(&graph->nodes[v]))
			region->terminals[region->n_terminals++] = v;
	}
}

static void
release(Heap *heap, int *pending, int v)
{
	if (--pending[v] == 0)
		heap_push(heap, v);
}

/* A node has its place: what waited for it, or for a loop that is complete with it, may follow. */
static void
settle(WfGraph *graph, Heap *heap, int *pending, int *left, int v)
{
	const WfNode *node = &graph->nodes[v];

	for (int i = 0; i < node->n_out; i++)
		if (!node->out[i]->back)
			release(heap, pending, node->out[i]->target);
	for (int l = node->loop; l >= 0; l = graph->loops[l].parent)
	{
		const WfLoop *loop = &graph->loops[l];

		if (--left[l] > 0)
			continue;
		for (int i = 0; i < loop->n_exits; i++)
			if (!graph->edges[loop->exits[i]].back)
				release(heap, pending, graph->edges[loop->exits[i]].target);
	}
}

static void
order_nodes(WfFlow *flow)
{
	WfGraph    *graph = flow->graph;
	int		   *pending = palloc(sizeof(int) * Max(graph->n_nodes, 1));
	int		   *left = palloc(sizeof(int) * Max(graph->n_loops, 1));
	Heap		heap = {.items = palloc(sizeof(int) * Max(graph->n_nodes, 1))};
	int			n_placed = 0;

	for (int v = 0; v < graph->n_nodes; v++)
		pending[v] = graph->nodes[v].n_in;
	for (int l = 0; l < graph->n_loops; l++)
	{
		const WfLoop *loop = &graph->loops[l];

		left[l] = loop->n_nodes;
		for (int i = 0; i < loop->n_exits; i++)
			if (!graph->edges[loop->exits[i]].back)
				pending[graph->edges[loop->exits[i]].target]++;
	}
	for (int v = 0; v < graph->n_nodes; v++)
		if (flow->rank[v] >= 0 && pending[v] == 0)
			heap_push(&heap, v);
	while (heap.n > 0)
	{
		int			v = heap_pop(&heap);
		WfRegion   *region = &graph->regions[graph->nodes[v].region];

		CHECK_FOR_INTERRUPTS();
		region->nodes[region->n_nodes++] = v;
		n_placed++;
		settle(graph, &heap, pending, left, v);
	}
	if (n_placed != flow->n_reached)
		elog(ERROR, "workflow graph has no order: %d of %d nodes", n_placed, flow->n_reached);
}

/* Sets out, in, and the regions' lists; the graph is valid and its loops are known. */
void
wf_flow_arrange(WfFlow *flow)
{
	for (int r = 0; r < flow->graph->n_regions; r++)
		flow->graph->regions[r].index = r;
	list_edges(flow);
	list_ends(flow);
	order_nodes(flow);
}
