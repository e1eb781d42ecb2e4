/*
 * loop.c: natural loops and how they nest.
 *
 * The graph is reducible when this runs, so each target of back edges heads one loop, and two loops
 * are apart or one lies within the other. Loops are numbered by the rank of their headers, which puts
 * outer ones before inner ones; they are filled from the last to the first, walking edges backwards
 * from the sources of the back edges and stepping over inner loops as a whole (union-find), so that
 * each edge is seen a constant number of times.
 *
 * Lists of nodes and exits hold those of inner loops again, which is quadratic when loops are nested
 * in a long chain; what they hold together is bounded by WF_GRAPH_LOOP_ENTRIES and refused with WF006
 * beyond.
 */
#include "postgres.h"

#include "base/text.h"
#include "graph/flow.h"
#include "miscadmin.h"

typedef struct LoopSearch
{
	WfFlow	   *flow;
	WfGraph    *graph;
	int		   *outer;			/* per loop: union-find towards the outermost one known so far */
	int		   *stack;			/* nodes to look at; one for each edge at the most */
	int			n;
	int		   *first;			/* per loop: interval of numbers in a walk over the tree of loops, */
	int		   *last;			/* so that being within is two comparisons */
} LoopSearch;

/* Numbers the loops and sets their headers; gives their count. */
static int
name_loops(WfFlow *flow)
{
	WfGraph    *graph = flow->graph;
	int			n = 0;

	for (int e = 0; e < graph->n_edges; e++)
		if (graph->edges[e].back)
			graph->nodes[graph->edges[e].target].loop_header_of = 0;
	for (int i = 0; i < flow->n_reached; i++)
	{
		WfNode	   *node = &graph->nodes[flow->order[i]];

		if (node->loop_header_of >= 0)
			node->loop_header_of = n++;
	}
	graph->n_loops = n;
	graph->loops = wf_graph_keep_array(flow->b, n, sizeof(WfLoop));
	for (int v = 0; v < graph->n_nodes; v++)
	{
		int			l = graph->nodes[v].loop_header_of;

		if (l < 0)
			continue;
		graph->loops[l].index = l;
		graph->loops[l].header = v;
		graph->loops[l].parent = -1;
	}
	return n;
}

/* The back edges of each loop. */
static void
gather_back_edges(WfFlow *flow)
{
	WfGraph    *graph = flow->graph;

	for (int pass = 0; pass < 2; pass++)
	{
		for (int l = 0; l < graph->n_loops; l++)
		{
			if (pass == 1)
				graph->loops[l].back_edges = wf_graph_keep_array(flow->b, graph->loops[l].n_back, sizeof(int));
			graph->loops[l].n_back = pass == 1 ? 0 : graph->loops[l].n_back;
		}
		for (int e = 0; e < graph->n_edges; e++)
		{
			WfEdge	   *edge = &graph->edges[e];

			if (!edge->back)
				continue;
			edge->loop = graph->nodes[edge->target].loop_header_of;

			WfLoop	   *loop = &graph->loops[edge->loop];

			if (pass == 1)
				loop->back_edges[loop->n_back] = e;
			loop->n_back++;
		}
	}
}

static int
outermost(LoopSearch *s, int l)
{
	int			top = l;

	while (s->outer[top] != top)
		top = s->outer[top];
	while (s->outer[l] != top)
	{
		int			next = s->outer[l];

		s->outer[l] = top;
		l = next;
	}
	return top;
}

static void
push_sources(LoopSearch *s, int v)
{
	const WfFlow *flow = s->flow;

	for (int k = flow->in_first[v]; k < flow->in_first[v + 1]; k++)
		s->stack[s->n++] = s->graph->edges[flow->in[k]].source;
}

/* Finds what belongs to one loop; all loops within it are done. */
static void
fill_loop(LoopSearch *s, WfLoop *loop)
{
	WfGraph    *graph = s->graph;

	graph->nodes[loop->header].loop = loop->index;
	s->n = 0;
	for (int i = 0; i < loop->n_back; i++)
		s->stack[s->n++] = graph->edges[loop->back_edges[i]].source;
	while (s->n > 0)
	{
		WfNode	   *node = &graph->nodes[s->stack[--s->n]];

		if (node->loop < 0)
		{
			node->loop = loop->index;
			push_sources(s, node->index);
			continue;
		}

		int			inner = outermost(s, node->loop);

		if (inner == loop->index)
			continue;
		graph->loops[inner].parent = loop->index;
		s->outer[inner] = loop->index;
		push_sources(s, graph->loops[inner].header);
	}
}

/* Numbers the loops in a walk over their tree. Sizes are known; children come after parents. */
static void
number_tree(LoopSearch *s)
{
	WfGraph    *graph = s->graph;
	int		   *size = palloc(sizeof(int) * graph->n_loops);
	int		   *next = palloc(sizeof(int) * (graph->n_loops + 1));
	int		   *free_number = next + 1;

	for (int l = graph->n_loops - 1; l >= 0; l--)
		size[l] = 1;
	for (int l = graph->n_loops - 1; l >= 0; l--)
		if (graph->loops[l].parent >= 0)
			size[graph->loops[l].parent] += size[l];
	next[0] = 0;
	for (int l = 0; l < graph->n_loops; l++)
	{
		int		   *at = &free_number[graph->loops[l].parent];

		s->first[l] = *at;
		s->last[l] = *at + size[l] - 1;
		*at += size[l];
		free_number[l] = s->first[l] + 1;
	}
}

static bool
is_within(const LoopSearch *s, int node, int loop)
{
	int			l = s->graph->nodes[node].loop;

	return l >= 0 && s->first[l] >= s->first[loop] && s->first[l] <= s->last[loop];
}

/* Counts the entries of all lists; false (reported) when there are too many. */
static bool
count_entries(LoopSearch *s)
{
	WfGraph    *graph = s->graph;
	int64		total = 0;

	for (int v = 0; v < graph->n_nodes; v++)
		if (graph->nodes[v].loop >= 0)
			graph->loops[graph->nodes[v].loop].n_nodes++;
	for (int l = graph->n_loops - 1; l >= 0; l--)
	{
		total += graph->loops[l].n_nodes;
		if (graph->loops[l].parent >= 0)
			graph->loops[graph->loops[l].parent].n_nodes += graph->loops[l].n_nodes;
	}
	for (int e = 0; e < graph->n_edges && total <= WF_GRAPH_LOOP_ENTRIES; e++)
	{
		WfEdge	   *edge = &graph->edges[e];

		for (int l = graph->nodes[edge->source].loop; l >= 0 && !is_within(s, edge->target, l); l = graph->loops[l].parent)
		{
			if (edge->exit_loop < 0)
				edge->exit_loop = l;
			graph->loops[l].n_exits++;
			total++;
		}
	}
	if (total <= WF_GRAPH_LOOP_ENTRIES)
		return true;

	WfPlace		root = {.kind = "the definition", .index = -1};

	wf_graph_report(s->flow->b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, &root, "edges",
					"Let back edges lead to few nodes, or use loop blocks.",
					"the cycles of the graph are nested too deeply: %d loops", graph->n_loops);
	return false;
}

static void
list_entries(LoopSearch *s)
{
	WfGraph    *graph = s->graph;

	for (int l = 0; l < graph->n_loops; l++)
	{
		WfLoop	   *loop = &graph->loops[l];

		loop->nodes = wf_graph_keep_array(s->flow->b, loop->n_nodes, sizeof(int));
		loop->exits = wf_graph_keep_array(s->flow->b, loop->n_exits, sizeof(int));
		loop->n_nodes = loop->n_exits = 0;
	}
	for (int v = 0; v < graph->n_nodes; v++)
		for (int l = graph->nodes[v].loop; l >= 0; l = graph->loops[l].parent)
			graph->loops[l].nodes[graph->loops[l].n_nodes++] = v;
	for (int e = 0; e < graph->n_edges; e++)
		for (int l = graph->edges[e].exit_loop; l >= 0 && !is_within(s, graph->edges[e].target, l); l = graph->loops[l].parent)
			graph->loops[l].exits[graph->loops[l].n_exits++] = e;
}

/*
 * Finds the loops of a reducible graph and sets all that the header says of them. False (reported)
 * when their lists would be too long.
 */
bool
wf_flow_find_loops(WfFlow *flow)
{
	LoopSearch	s = {.flow = flow, .graph = flow->graph};
	int			n = name_loops(flow);

	if (n == 0)
		return true;
	gather_back_edges(flow);
	s.outer = palloc(sizeof(int) * n);
	s.first = palloc(sizeof(int) * n);
	s.last = palloc(sizeof(int) * n);
	s.stack = palloc(sizeof(int) * (2 * flow->graph->n_edges + 1));
	for (int l = 0; l < n; l++)
		s.outer[l] = l;
	for (int l = n - 1; l >= 0; l--)
	{
		CHECK_FOR_INTERRUPTS();
		fill_loop(&s, &flow->graph->loops[l]);
	}
	number_tree(&s);
	if (!count_entries(&s))
		return false;
	list_entries(&s);
	return true;
}
