/*
 * reach.c: warnings for `$node.x` where x cannot be relied on to have run.
 *
 * A reference is sound when the node read is an ancestor of the reader, or when both are in one loop
 * (then it means the round before). Nodes in different containers are compared by the containers that
 * stand in a region they share; branches of one container are not compared, since a `catch` reads what
 * its `try` did.
 *
 * What reads nodes without saying which is not looked at.
 *
 * Asking for ancestors in a graph of n nodes would cost n for each reference. Instead:
 * 1. a spanning tree over first incoming edges answers yes at once, by preorder numbers; nearly all
 *    references run along it;
 * 2. a later place in the topological order answers no at once;
 * 3. what is left is searched backwards, between the two places only, until a budget that is linear
 *    in the size of the graph is used up. Then nothing more is said: these are warnings.
 *
 * Everything is in a context of its own that is dropped at the end.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/reach.h"
#include "miscadmin.h"
#include "utils/memutils.h"

typedef struct Reach
{
	const WfGraph *graph;
	WfDiagnostics *found;
	int		   *place;			/* of a node in its region's topological order */
	int		   *first;			/* preorder number in the spanning tree */
	int		   *last;			/* the highest below it */
	bool	   *repeats;		/* of a region: it, or one around it, runs repeatedly */
	int		   *outermost;		/* of a loop: the one around all */
	int		   *seen_by;		/* of a node: index + 1 of the last reader that was looked at */
	int		   *visited;		/* of a node: number of the last search that came by */
	int			n_searches;
	int64		budget;
	int		   *stack;
	/* the reader */
	const WfNode *reader;
	bool		after;			/* read when the reader has finished (condition of an edge) */
	const char *path;
} Reach;

/* Numbers the spanning tree of one region in preorder, without recursion. */
static void
number_region(Reach *reach, const WfRegion *region, int *child, int *sibling, int *counter)
{
	const WfGraph *graph = reach->graph;
	int			depth = 0;
	int			roots = -1;

	for (int i = region->n_nodes - 1; i >= 0; i--)
	{
		const WfNode *node = &graph->nodes[region->nodes[i]];
		int		   *list = node->n_in > 0 ? &child[node->in[0]->source] : &roots;

		reach->place[node->index] = i;
		sibling[node->index] = *list;
		*list = node->index;
	}
	/* the stack holds the path down to the node at hand */
	for (int next = roots; next >= 0;)
	{
		reach->first[next] = ++(*counter);
		reach->stack[depth++] = next;
		next = child[next];
		while (next < 0 && depth > 0)
		{
			int			done = reach->stack[--depth];

			reach->last[done] = *counter;
			next = sibling[done];
		}
	}
}

static void
number_regions(Reach *reach)
{
	const WfGraph *graph = reach->graph;
	int		   *child = palloc(sizeof(int) * graph->n_nodes);
	int		   *sibling = palloc(sizeof(int) * graph->n_nodes);
	int			counter = 0;

	memset(child, -1, sizeof(int) * graph->n_nodes);
	memset(sibling, -1, sizeof(int) * graph->n_nodes);
	for (int i = 0; i < graph->n_regions; i++)
		number_region(reach, &graph->regions[i], child, sibling, &counter);
}

/* Which regions run repeatedly, and which loop is around each loop. Parents may come in any order. */
static void
find_repeats(Reach *reach)
{
	const WfGraph *graph = reach->graph;

	for (int i = 0; i < graph->n_loops; i++)
	{
		int			loop = i;

		while (graph->loops[loop].parent >= 0)
			loop = graph->loops[loop].parent;
		reach->outermost[i] = loop;
	}
	for (int i = 0; i < graph->n_regions; i++)
	{
		const WfRegion *region = &graph->regions[i];

		while (region->container >= 0 && !reach->repeats[i])
		{
			const WfNode *container = &graph->nodes[region->container];

			reach->repeats[i] = region->branch == NULL || container->loop >= 0;
			region = &graph->regions[container->region];
		}
	}
}

static bool
is_ancestor(Reach *reach, const WfNode *ancestor, const WfNode *node)
{
	const WfGraph *graph = reach->graph;
	int			search = ++reach->n_searches;
	int			depth = 0;

	if (reach->first[ancestor->index] <= reach->first[node->index] &&
		reach->first[node->index] <= reach->last[ancestor->index])
		return true;
	if (reach->place[ancestor->index] > reach->place[node->index])
		return false;
	reach->stack[depth++] = node->index;
	reach->visited[node->index] = search;
	while (depth > 0)
	{
		const WfNode *at = &graph->nodes[reach->stack[--depth]];

		for (int i = 0; i < at->n_in; i++)
		{
			int			source = at->in[i]->source;

			if (source == ancestor->index || --reach->budget <= 0)
				return true;
			if (reach->visited[source] == search || reach->place[source] < reach->place[ancestor->index])
				continue;
			reach->visited[source] = search;
			reach->stack[depth++] = source;
		}
	}
	return false;
}

/* Can the reader count on `read`, or is that at least not certain to be wrong? */
static bool
is_sound(Reach *reach, const WfNode *read)
{
	const WfGraph *graph = reach->graph;
	const WfNode *a = reach->reader;
	const WfNode *b = read;

	if (a->is_compensation || b->is_compensation || (a == b && reach->after))
		return true;
	while (a->region != b->region)
	{
		int			a_depth = graph->regions[a->region].depth;
		int			b_depth = graph->regions[b->region].depth;

		if (a_depth >= b_depth)
			a = &graph->nodes[a->parent];
		if (b_depth >= a_depth)
			b = &graph->nodes[b->parent];
	}
	if (reach->repeats[a->region])
		return true;
	if (a->loop >= 0 && b->loop >= 0 && reach->outermost[a->loop] == reach->outermost[b->loop])
		return true;
	if (a == b)
		return read != a;
	return is_ancestor(reach, b, a);
}

static void
visit_node(int node_index, void *arg)
{
	Reach	   *reach = arg;
	const WfNode *read;

	if (node_index < 0 || reach->seen_by[node_index] == reach->reader->index + 1)
		return;
	reach->seen_by[node_index] = reach->reader->index + 1;
	read = &reach->graph->nodes[node_index];
	if (is_sound(reach, read))
		return;
	if (read == reach->reader)
		wf_diagnostics_add(reach->found, WF_SEVERITY_WARNING, WF_ERRCODE_DEFINITION_INVALID, reach->reader->id,
						   reach->path, "It has no output yet when it is read.",
						   "node \"%s\" reads its own output", wf_text_clip(read->id));
	else
		wf_diagnostics_add(reach->found, WF_SEVERITY_WARNING, WF_ERRCODE_DEFINITION_INVALID, reach->reader->id,
						   reach->path, "Connect the two with an edge if the one is to wait for the other.",
						   "node \"%s\" reads node \"%s\", which need not have run before it",
						   wf_text_clip(reach->reader->id), wf_text_clip(read->id));
}

static void
visit_expr(const WfExpr *expr, void *arg)
{
	if (!wf_expr_reads_any_node(expr))
		wf_expr_nodes(expr, visit_node, arg);
}

static void
walk(const WfTemplate *template, Reach *reach)
{
	if (template != NULL && template->kind != WF_TEMPLATE_CONSTANT)
		wf_template_walk(template, visit_expr, reach);
}

static void
look_at_nodes(Reach *reach)
{
	const WfGraph *graph = reach->graph;
	char		path[128];

	reach->path = path;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const WfPrepared *prepared = graph->nodes[i].prepared;

		CHECK_FOR_INTERRUPTS();
		reach->reader = &graph->nodes[i];
		snprintf(path, sizeof(path), "%s.config", reach->reader->path);
		walk(prepared->config, reach);
	}
	memset(reach->seen_by, 0, sizeof(int) * graph->n_nodes);
	reach->after = true;
	for (int i = 0; i < graph->n_edges; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (graph->edges[i].prepared == NULL)
			continue;
		reach->reader = &graph->nodes[graph->edges[i].source];
		snprintf(path, sizeof(path), "$.edges[%d].condition", i);
		visit_expr(graph->edges[i].prepared, reach);
	}
	reach->path = NULL;
}

void
wf_block_warn_unreached(const WfGraph *graph, WfDiagnostics *found)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow references", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Reach		reach = {.graph = graph, .found = found};

	reach.place = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.first = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.last = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.seen_by = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.visited = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.stack = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	reach.repeats = palloc0(sizeof(bool) * Max(graph->n_regions, 1));
	reach.outermost = palloc0(sizeof(int) * Max(graph->n_loops, 1));
	reach.budget = INT64CONST(100000) + INT64CONST(20) * (graph->n_nodes + graph->n_edges);
	number_regions(&reach);
	find_repeats(&reach);
	look_at_nodes(&reach);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
}
