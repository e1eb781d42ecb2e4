/*
 * random_test.c: random graphs, compiled and compared with what plain reasoning says.
 *
 * wf_sql_test_graph_random(seed bigint, nodes int, edges int, containers bool, triggers bool,
 * chain bool) RETURNS text makes a definition from the seed, compiles it, and says what is wrong with the result:
 * `refused` or `compiled` when it is right. Everything is computed anew here from definitions and not
 * from algorithms: that v dominates u is "without v, no start leads to u"; that a graph is reducible
 * is "without the edges whose target dominates their source, there is no cycle". Graphs are small, so
 * sets of nodes are bits of a uint64.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "common/pg_prng.h"
#include "fmgr.h"
#include "graph/build.h"
#include "graph/graph_test.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"

#define MOST 40

typedef struct Model
{
	int			n;
	int			n_edges;
	int			parent[MOST];		/* -1: the top */
	bool		trigger[MOST];
	int			source[MOST * MOST];
	int			target[MOST * MOST];
	uint64		succ[MOST];
	uint64		starts;
	uint64		dominators[MOST];	/* those that dominate this node, itself among them */
	bool		back[MOST * MOST];
	bool		valid;
} Model;

#define BIT(v) (UINT64CONST(1) << (v))
#define HAS(set, v) (((set) & BIT(v)) != 0)

/* -- the model -- */

/* What is reached from a set without going through `without`. */
static uint64
reach(const Model *m, uint64 from, int without)
{
	uint64		seen = from;
	uint64		last;

	if (without >= 0)
		seen &= ~BIT(without);
	do
	{
		last = seen;
		for (int v = 0; v < m->n; v++)
			if (HAS(last, v))
				seen |= m->succ[v];
		if (without >= 0)
			seen &= ~BIT(without);
	} while (seen != last);
	return seen;
}

static void
join(Model *m, int u, int v)
{
	if (HAS(m->succ[u], v) || m->parent[u] != m->parent[v] || m->trigger[v])
		return;
	m->succ[u] |= BIT(v);
	m->source[m->n_edges] = u;
	m->target[m->n_edges++] = v;
}

static void
make_model(Model *m, pg_prng_state *rng, int n_edges, bool containers, bool triggers, bool chain)
{
	memset(m->succ, 0, sizeof(m->succ));
	m->n_edges = 0;
	for (int v = 0; v < m->n; v++)
	{
		m->parent[v] = containers && v > 0 ? (int) pg_prng_uint64_range(rng, 0, v) - 1 : -1;
		m->trigger[v] = triggers && m->parent[v] < 0 && pg_prng_uint64_range(rng, 0, 3) == 0;
	}
	/* what has children is a container, and no trigger */
	for (int v = 0; v < m->n; v++)
		if (m->parent[v] >= 0)
			m->trigger[m->parent[v]] = false;
	for (int v = 0; chain && v + 1 < m->n; v++)
		join(m, v, v + 1);
	for (int i = 0; i < n_edges; i++)
	{
		int			u = (int) pg_prng_uint64_range(rng, 0, m->n - 1);
		int			v = (int) pg_prng_uint64_range(rng, 0, m->n - 1);
		bool		forward = chain ? i % 5 == 0 : pg_prng_uint64_range(rng, 0, 3) != 0;

		/* along a chain mostly back, which makes loops in loops; else mostly forward, so that not
		 * everything is refused */
		if (chain && i % 5 == 0)
			join(m, u, Min(u + 2, m->n - 1));
		else if (forward == (u > v))
			join(m, v, u);
		else
			join(m, u, v);
	}
}

/* Starts of the nodes of one region. */
static uint64
region_starts(const Model *m, int parent)
{
	uint64		all = 0;
	uint64		triggers = 0;
	uint64		entered = 0;
	uint64		starts = 0;

	for (int v = 0; v < m->n; v++)
	{
		if (m->parent[v] == parent)
		{
			all |= BIT(v);
			triggers |= m->trigger[v] ? BIT(v) : 0;
		}
		entered |= m->succ[v];
	}
	if (triggers != 0)
		return triggers;
	if ((all & ~entered) != 0)
		return all & ~entered;
	for (int v = 0; v < m->n; v++)
	{
		uint64		component = reach(m, BIT(v), -1);
		bool		first = HAS(all, v);

		for (int u = 0; u < m->n && first; u++)
		{
			if (!HAS(reach(m, BIT(u), -1), v))
				continue;
			/* u leads to v: in the same component it must come later, in no other may it be */
			first = HAS(component, u) && u >= v;
		}
		if (first)
			starts |= BIT(v);
	}
	return starts;
}

static bool
has_cycle(const Model *m)
{
	uint64		left = m->n == 64 ? ~UINT64CONST(0) : BIT(m->n) - 1;
	bool		again = true;

	while (again)
	{
		uint64		entered = 0;

		again = false;
		for (int e = 0; e < m->n_edges; e++)
			if (!m->back[e] && HAS(left, m->source[e]))
				entered |= BIT(m->target[e]);
		for (int v = 0; v < m->n; v++)
			if (HAS(left, v) && !HAS(entered, v))
			{
				left &= ~BIT(v);
				again = true;
			}
	}
	return left != 0;
}

static void
solve_model(Model *m)
{
	m->starts = 0;
	for (int parent = -1; parent < m->n; parent++)
		m->starts |= region_starts(m, parent);
	m->valid = reach(m, m->starts, -1) == BIT(m->n) - 1;
	memset(m->dominators, 0, sizeof(m->dominators));
	for (int v = 0; v < m->n; v++)
	{
		uint64		others = reach(m, m->starts, v);

		for (int u = 0; u < m->n; u++)
			if (!HAS(others, u))
				m->dominators[u] |= BIT(v);
	}
	for (int e = 0; e < m->n_edges; e++)
		m->back[e] = HAS(m->dominators[m->source[e]], m->target[e]);
	m->valid = m->valid && !has_cycle(m);
}

/* The nodes of the loop headed by `header`; 0 when it heads none. */
static uint64
model_loop(const Model *m, int header)
{
	uint64		nodes = 0;

	for (int e = 0; e < m->n_edges; e++)
		if (m->back[e] && m->target[e] == header)
			for (int v = 0; v < m->n; v++)
				if (v == header || HAS(reach(m, BIT(v), header), m->source[e]) || v == m->source[e])
					nodes |= BIT(v);
	return nodes;
}

static Jsonb *
model_definition(const Model *m)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, "nodes", 5);
	wf_json_begin_array(w);
	for (int v = 0; v < m->n; v++)
	{
		bool		container = false;

		for (int u = 0; u < m->n; u++)
			container |= m->parent[u] == v;
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "id", psprintf("n%d", v));
		wf_json_put_field_cstring(w, "type", container ? "loop" : m->trigger[v] ? "trigger.row" : "noop");
		if (m->parent[v] >= 0)
			wf_json_put_field_cstring(w, "parent", psprintf("n%d", m->parent[v]));
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
	wf_json_key(w, "edges", 5);
	wf_json_begin_array(w);
	for (int e = 0; e < m->n_edges; e++)
	{
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "source", psprintf("n%d", m->source[e]));
		wf_json_put_field_cstring(w, "target", psprintf("n%d", m->target[e]));
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- comparing; each gives what is wrong, or NULL -- */

static uint64
set_of(int n, const int *items)
{
	uint64		set = 0;

	for (int i = 0; i < n; i++)
		set |= BIT(items[i]);
	return set;
}

static const char *
compare_edges(const Model *m, const WfGraph *graph)
{
	for (int e = 0; e < m->n_edges; e++)
	{
		const WfEdge *edge = &graph->edges[e];

		if (edge->back != m->back[e])
			return psprintf("edge %d: back is %d", e, edge->back);
		if (edge->max_iterations != (m->back[e] ? 1000 : 0))
			return psprintf("edge %d: maxIterations is %d", e, edge->max_iterations);
		if ((edge->loop >= 0) != edge->back || (edge->back && graph->loops[edge->loop].header != edge->target))
			return psprintf("edge %d: wrong loop", e);
	}
	return NULL;
}

static const char *
compare_loop(const Model *m, const WfGraph *graph, const WfLoop *loop)
{
	uint64		nodes = model_loop(m, loop->header);
	int			parent = -1;
	int			n_exits = 0;
	int			n_back = 0;

	if (set_of(loop->n_nodes, loop->nodes) != nodes || loop->n_nodes != pg_popcount64(nodes))
		return psprintf("loop %d: wrong nodes", loop->index);
	for (int e = 0; e < m->n_edges; e++)
	{
		if (m->back[e] && m->target[e] == loop->header && loop->back_edges[n_back++] != e)
			return psprintf("loop %d: wrong back edges", loop->index);
		if (HAS(nodes, m->source[e]) && !HAS(nodes, m->target[e]) &&
			(n_exits >= loop->n_exits || loop->exits[n_exits++] != e))
			return psprintf("loop %d: wrong exits", loop->index);
	}
	if (n_exits != loop->n_exits || n_back != loop->n_back)
		return psprintf("loop %d: too many edges", loop->index);
	for (int l = 0; l < graph->n_loops; l++)
	{
		uint64		other = model_loop(m, graph->loops[l].header);

		if (l != loop->index && (other & nodes) == nodes &&
			(parent < 0 || (other & model_loop(m, graph->loops[parent].header)) == other))
			parent = l;
	}
	return parent == loop->parent && parent < loop->index ? NULL : psprintf("loop %d: wrong parent", loop->index);
}

static const char *
compare_loops(const Model *m, const WfGraph *graph)
{
	int			n = 0;

	for (int v = 0; v < m->n; v++)
		n += model_loop(m, v) != 0;
	if (n != graph->n_loops)
		return psprintf("%d loops instead of %d", graph->n_loops, n);
	for (int l = 0; l < n; l++)
	{
		const char *wrong = compare_loop(m, graph, &graph->loops[l]);

		if (wrong != NULL)
			return wrong;
	}
	for (int v = 0; v < m->n; v++)
	{
		int			inner = -1;

		for (int l = 0; l < n; l++)
			if (HAS(model_loop(m, graph->loops[l].header), v) &&
				(inner < 0 || graph->loops[l].n_nodes < graph->loops[inner].n_nodes))
				inner = l;
		if (graph->nodes[v].loop != inner)
			return psprintf("node %d: innermost loop is %d", v, graph->nodes[v].loop);
		if ((model_loop(m, v) != 0) != (graph->nodes[v].loop_header_of >= 0))
			return psprintf("node %d: wrong loop_header_of", v);
	}
	for (int e = 0; e < m->n_edges; e++)
	{
		int			l = graph->nodes[m->source[e]].loop;

		if (l >= 0 && HAS(model_loop(m, graph->loops[l].header), m->target[e]))
			l = -1;
		if (graph->edges[e].exit_loop != l)
			return psprintf("edge %d: exit_loop is %d", e, graph->edges[e].exit_loop);
	}
	return NULL;
}

static const char *
compare_region(const Model *m, const WfGraph *graph, const WfRegion *region)
{
	int			place[MOST];
	uint64		all = 0;
	uint64		terminals = 0;

	for (int v = 0; v < m->n; v++)
	{
		bool		terminal = true;

		place[v] = -1;
		if (m->parent[v] != region->container)
			continue;
		all |= BIT(v);
		for (int e = 0; e < m->n_edges; e++)
			terminal &= m->source[e] != v || m->back[e];
		terminals |= terminal ? BIT(v) : 0;
	}
	if (set_of(region->n_nodes, region->nodes) != all || region->n_nodes != pg_popcount64(all))
		return psprintf("region %d: wrong nodes", region->index);
	if (set_of(region->n_starts, region->starts) != (m->starts & all))
		return psprintf("region %d: wrong starts", region->index);
	if (set_of(region->n_terminals, region->terminals) != terminals)
		return psprintf("region %d: wrong terminals", region->index);
	for (int i = 0; i < region->n_nodes; i++)
		place[region->nodes[i]] = i;
	for (int e = 0; e < m->n_edges; e++)
	{
		if (m->back[e] || place[m->source[e]] < 0)
			continue;
		if (place[m->source[e]] >= place[m->target[e]])
			return psprintf("region %d: edge %d is against the order", region->index, e);
		for (int l = 0; l < graph->n_loops; l++)
		{
			uint64		nodes = set_of(graph->loops[l].n_nodes, graph->loops[l].nodes);

			if (!HAS(nodes, m->source[e]) || HAS(nodes, m->target[e]))
				continue;
			for (int v = 0; v < m->n; v++)
				if (HAS(nodes, v) && place[v] > place[m->target[e]])
					return psprintf("region %d: node %d comes after an exit of its loop", region->index, v);
		}
	}
	return NULL;
}

static const char *
compare(const Model *m, const WfGraph *graph)
{
	const char *wrong = compare_edges(m, graph);

	if (wrong == NULL)
		wrong = compare_loops(m, graph);
	for (int r = 0; r < graph->n_regions && wrong == NULL; r++)
		wrong = compare_region(m, graph, &graph->regions[r]);
	return wrong;
}

PG_FUNCTION_INFO_V1(wf_sql_test_graph_random);
PGDLLEXPORT Datum wf_sql_test_graph_random(PG_FUNCTION_ARGS);

Datum
wf_sql_test_graph_random(PG_FUNCTION_ARGS)
{
	Model	   *m = palloc0(sizeof(Model));
	pg_prng_state rng;
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph;
	const char *result;

	pg_prng_seed(&rng, PG_GETARG_INT64(0));
	m->n = Max(1, Min(PG_GETARG_INT32(1), MOST));
	make_model(m, &rng, PG_GETARG_INT32(2), PG_GETARG_BOOL(3), PG_GETARG_BOOL(4), PG_GETARG_BOOL(5));
	solve_model(m);
	graph = wf_graph_compile(model_definition(m), &wf_graph_test_blocks, CurrentMemoryContext, found);
	if (graph == NULL)
		result = m->valid ? psprintf("wrongly refused: %s", ((WfDiagnostic *) linitial(found->items))->message) : "refused";
	else if (!m->valid)
		result = "wrongly compiled";
	else
	{
		result = compare(m, graph);
		if (result == NULL)
			result = graph->n_loops > 0 ? "compiled, with loops" : "compiled";
	}
	wf_graph_free(graph);
	PG_RETURN_TEXT_P(cstring_to_text(result));
}

#endif
