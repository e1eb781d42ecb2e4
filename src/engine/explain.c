/*
 * explain.c: a workflow in words, as EXPLAIN puts a query.
 *
 * Nodes in the order in which they are taken when all edges are live, those of a container indented below
 * it by branch; where the transaction begins, ends, and has subtransactions; the SQL of each db node, as its
 * block tells it.
 */
#include "postgres.h"

#include "base/text.h"
#include "engine/engine.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"

typedef struct Explanation
{
	const WfGraph *graph;
	List	   *lines;
	bool		with_plan;
} Explanation;

static void
add_line(Explanation *e, int depth, const char *fmt,...) pg_attribute_printf(3, 4);

static void
add_line(Explanation *e, int depth, const char *fmt,...)
{
	StringInfoData line;

	initStringInfo(&line);
	appendStringInfoSpaces(&line, depth * 2);
	WF_APPEND_ARGS(&line, fmt);
	e->lines = lappend(e->lines, line.data);
}

static const char *
on_error_name(const WfNode *node)
{
	switch (node->on_error)
	{
		case WF_ON_ERROR_FAIL:
			return NULL;
		case WF_ON_ERROR_RETRY:
			return "retry";
		case WF_ON_ERROR_CONTINUE:
			return "continue";
		case WF_ON_ERROR_ROUTE:
			return "route";
		case WF_ON_ERROR_COMPENSATE:
			return "compensate";
	}
	return NULL;
}

/* What is particular of a node, after its id and type. */
static char *
remarks(const WfNode *node)
{
	StringInfoData text;

	initStringInfo(&text);
	if (node->disabled)
		appendStringInfoString(&text, ", disabled");
	if (node->guarded)
		appendStringInfoString(&text, ", own subtransaction");
	if (on_error_name(node) != NULL)
		appendStringInfo(&text, ", onError %s", on_error_name(node));
	if (node->retry.max_attempts > 1)
		appendStringInfo(&text, ", up to %d attempts", node->retry.max_attempts);
	if (node->timeout_ms > 0)
		appendStringInfo(&text, ", timeout " INT64_FORMAT " ms", node->timeout_ms);
	return text.data;
}

static void
explain_edges(Explanation *e, const WfNode *node, int depth)
{
	for (int i = 0; i < node->n_out; i++)
	{
		const WfEdge *edge = node->out[i];

		add_line(e, depth, "%s: %s%s%s%s", node->ports[edge->port], e->graph->nodes[edge->target].id,
				 edge->condition != NULL ? " if " : "", edge->condition != NULL ? edge->condition : "",
				 edge->back ? psprintf(" (back, at most %d times)", edge->max_iterations) : "");
	}
}

static void explain_region(Explanation *e, const WfRegion *region, int depth);

static void
explain_node(Explanation *e, const WfNode *node, int depth)
{
	const WfPrepared *prepared = node->prepared;
	ListCell   *cell;

	add_line(e, depth, "%s: %s%s", node->id, node->type, remarks(node));
	if (node->block->explain != NULL && prepared != NULL)
	{
		List	   *lines = node->block->explain(node, prepared->config, prepared->own, e->with_plan);

		foreach(cell, lines)
			add_line(e, depth + 2, "%s", (char *) lfirst(cell));
	}
	explain_edges(e, node, depth + 1);
	for (int r = 0; r < node->n_regions; r++)
	{
		const WfRegion *region = &e->graph->regions[node->regions[r]];

		if (region->branch != NULL)
			add_line(e, depth + 1, "branch %s", region->branch);
		explain_region(e, region, depth + 2);
	}
}

static void
explain_region(Explanation *e, const WfRegion *region, int depth)
{
	check_stack_depth();
	for (int i = 0; i < region->n_nodes; i++)
	{
		CHECK_FOR_INTERRUPTS();
		explain_node(e, &e->graph->nodes[region->nodes[i]], depth);
	}
}

List *
wf_engine_explain(const WfCompiled *compiled, bool with_plan)
{
	Explanation e = {compiled->graph, NIL, with_plan};
	const WfSettings *settings = &compiled->graph->settings;

	add_line(&e, 0, "workflow \"%s\" version %d", compiled->name, compiled->version);
	add_line(&e, 1, "security %s, search_path %s", settings->definer ? "definer" : "invoker", compiled->search_path);
	add_line(&e, 1, "journal %s%s", settings->journal == WF_JOURNAL_FULL ? "full" :
			 settings->journal == WF_JOURNAL_ERRORS ? "errors" : "none", settings->atomic ? ", atomic" : "");
	if (settings->timeout_ms > 0)
		add_line(&e, 1, "timeout " INT64_FORMAT " ms", settings->timeout_ms);
	add_line(&e, 0, "segment 1, in the caller's transaction:");
	explain_region(&e, &compiled->graph->regions[0], 1);
	add_line(&e, 0, "run and journal are written; the transaction ends when the caller commits");
	return e.lines;
}
