/*
 * start.c: where each region starts.
 *
 * 1. At the top of a workflow with triggers: at the triggers, and nowhere else.
 * 2. Else at the nodes without incoming edges.
 * 3. A region in which every node has incoming edges can still be meant (a form that a rejection goes
 *    back to, as the first node): each strongly connected component that nothing outside leads into
 *    starts at its first node in the definition's order. In a region that has a start by rule 2 such a
 *    component is a mistake and stays unreached.
 *
 * A node of unknown type may be a misspelt trigger: without incoming edges it is a start by rule 1 too.
 * A node that an edge seems to lead to which could not be linked is no start.
 */
#include "postgres.h"

#include "graph/flow.h"
#include "miscadmin.h"

/* Tarjan's search for strongly connected components, iterative. */
typedef struct Components
{
	const WfFlow *flow;
	int		   *number;			/* order of discovery; 0: not yet */
	int		   *low;			/* least number known to be reachable */
	int		   *next;			/* next outgoing edge to look at */
	int		   *component;		/* of a node; -1: not yet known */
	int		   *open;			/* nodes whose component is not complete */
	int			n_open;
	int		   *stack;			/* the path of the search */
	int			counter;
	int			n_components;
} Components;

static void
enter_node(Components *c, int v)
{
	c->number[v] = c->low[v] = ++c->counter;
	c->next[v] = c->flow->out_first[v];
	c->open[c->n_open++] = v;
}

static void
find_components_from(Components *c, int start)
{
	const WfGraph *graph = c->flow->graph;
	int			n = 0;

	enter_node(c, start);
	c->stack[n++] = start;
	while (n > 0)
	{
		int			v = c->stack[n - 1];

		if (c->next[v] < c->flow->out_first[v + 1])
		{
			int			w = graph->edges[c->flow->out[c->next[v]++]].target;

			if (c->number[w] == 0)
			{
				enter_node(c, w);
				c->stack[n++] = w;
			}
			else if (c->component[w] < 0)
				c->low[v] = Min(c->low[v], c->number[w]);
			continue;
		}
		n--;
		if (n > 0)
			c->low[c->stack[n - 1]] = Min(c->low[c->stack[n - 1]], c->low[v]);
		if (c->low[v] != c->number[v])
			continue;

		int			w;

		do
		{
			w = c->open[--c->n_open];
			c->component[w] = c->n_components;
		} while (w != v);
		c->n_components++;
	}
}

/* Starts by rule 3, in the regions where `entered` is false. */
static void
start_cycles(WfFlow *flow, const bool *entered)
{
	const WfGraph *graph = flow->graph;
	int			n = graph->n_nodes;
	Components	c = {.flow = flow};

	c.number = palloc0(sizeof(int) * n);
	c.low = palloc(sizeof(int) * n);
	c.next = palloc(sizeof(int) * n);
	c.component = palloc(sizeof(int) * n);
	c.open = palloc(sizeof(int) * n);
	c.stack = palloc(sizeof(int) * n);
	for (int v = 0; v < n; v++)
		c.component[v] = -1;
	for (int v = 0; v < n; v++)
	{
		CHECK_FOR_INTERRUPTS();
		if (wf_flow_has(flow, v) && !entered[graph->nodes[v].region] && c.number[v] == 0)
			find_components_from(&c, v);
	}

	bool	   *taken = palloc0(sizeof(bool) * Max(c.n_components, 1));

	for (int v = 0; v < n; v++)
		for (int i = flow->in_first[v]; c.component[v] >= 0 && i < flow->in_first[v + 1]; i++)
			if (c.component[graph->edges[flow->in[i]].source] != c.component[v])
				taken[c.component[v]] = true;
	for (int v = 0; v < n; v++)
		if (c.component[v] >= 0 && !taken[c.component[v]])
		{
			taken[c.component[v]] = true;
			flow->starts[v] = true;
		}
}

/* Sets flow->starts and flow->region_uncertain. */
void
wf_flow_find_starts(WfFlow *flow)
{
	const WfGraph *graph = flow->graph;
	bool	   *entered = palloc0(sizeof(bool) * graph->n_regions);
	bool		triggers = false;
	bool		cycles = false;

	flow->starts = palloc0(sizeof(bool) * Max(graph->n_nodes, 1));
	flow->region_uncertain = palloc0(sizeof(bool) * graph->n_regions);
	for (int v = 0; v < graph->n_nodes; v++)
		triggers |= flow->b->notes[v].is_trigger && wf_flow_has(flow, v);
	entered[0] = triggers;
	for (int v = 0; v < graph->n_nodes; v++)
	{
		int			region = graph->nodes[v].region;
		bool		by_trigger = triggers && region == 0;

		if (!wf_flow_has(flow, v))
			continue;
		flow->region_uncertain[region] |= flow->b->notes[v].uncertain;
		if (flow->b->notes[v].uncertain || flow->in_first[v] < flow->in_first[v + 1])
			continue;
		if (by_trigger && !flow->b->notes[v].is_trigger && graph->nodes[v].block != NULL)
			continue;
		flow->starts[v] = true;
		entered[region] = true;
	}
	for (int v = 0; v < graph->n_nodes; v++)
		cycles |= wf_flow_has(flow, v) && !entered[graph->nodes[v].region];
	if (cycles)
		start_cycles(flow, entered);
}
