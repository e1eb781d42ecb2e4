/*
 * compile.c: from a definition to a graph: the phases in their order, and the graph's memory.
 *
 * 1. Limits come first and cost nothing: the size of the document and the numbers of its nodes and
 *    edges stand in jsonb's headers.
 * 2. The phases run one after another over one WfBuild (build.h). Each reports all that it finds; only
 *    a document that is no definition at all, or one over a limit, ends the compile early.
 * 3. The graph is built below CurrentMemoryContext and moved below `parent` when it is complete, so
 *    that a cancel in between leaves nothing behind in a long-lived parent.
 */
#include "postgres.h"

#include "base/settings.h"
#include "graph/build.h"
#include "utils/memutils.h"

enum
{
	SECTION_NODES,
	SECTION_EDGES,
	SECTION_VARIABLES,
	SECTION_SETTINGS,
	SECTIONS
};

static const WfKey section_keys[SECTIONS] = {
	[SECTION_NODES] = {"nodes", WF_IS_ARRAY, true},
	[SECTION_EDGES] = {"edges", WF_IS_ARRAY},
	[SECTION_VARIABLES] = {"variables", WF_IS_ARRAY},
	[SECTION_SETTINGS] = {"settings", WF_IS_OBJECT},
};

static const WfPlace definition_place = {.kind = "the definition", .index = -1};

/* Takes the document apart; false (reported) when there is no going on. */
static bool
open_document(WfBuild *b, const Jsonb *definition, WfField *sections)
{
	const WfPlace *place = &definition_place;
	JsonbValue	root;
	int			n;

	if ((int64) VARSIZE(definition) > (int64) wf_setting_max_definition_size * 1024)
	{
		wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, place, NULL,
						"Raise the setting workflow.max_definition_size, or use subworkflows.",
						"the definition takes %u kB, more than %d kB", (unsigned) (VARSIZE(definition) / 1024),
						wf_setting_max_definition_size);
		return false;
	}
	wf_json_root(definition, &root);
	if (!wf_json_is_object(&root))
	{
		wf_graph_wrong(b, place, NULL, "A definition looks like {\"nodes\": [], \"edges\": []}.",
					   "the definition must be an object, not %s", wf_json_type_name(&root));
		return false;
	}
	wf_graph_read(b, &root, place, section_keys, SECTIONS, sections);
	n = sections[SECTION_NODES].present ? wf_json_count(&sections[SECTION_NODES].value) : 0;
	if (n > wf_setting_max_nodes)
	{
		wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, place, "nodes",
						"Raise the setting workflow.max_nodes, or use subworkflows.",
						"the definition has %d nodes, more than %d", n, wf_setting_max_nodes);
		return false;
	}
	if (n == 0 && sections[SECTION_NODES].present)
		wf_graph_wrong(b, place, "nodes", NULL, "the definition has no nodes");
	return true;
}

/* The graph will not be used, but its author shall see all at once: expressions are looked at too. */
static void
check_broken(WfBuild *b)
{
	WfGraph    *graph = b->graph;

	if (b->blocks->check_broken == NULL)
		return;
	for (int i = 0; i < graph->n_edges; i++)
		if (!b->linked[i])
			graph->edges[i].source = -1;
	b->blocks->check_broken(graph, b->found);
}

static void
run_phases(WfBuild *b, const WfField *sections)
{
	wf_graph_read_settings(b, &sections[SECTION_SETTINGS]);
	wf_graph_read_variables(b, &sections[SECTION_VARIABLES]);
	wf_graph_read_nodes(b, &sections[SECTION_NODES]);
	wf_graph_index_nodes(b);
	wf_graph_nest(b);
	wf_graph_link_compensations(b);
	wf_graph_read_edges(b, &sections[SECTION_EDGES]);
	wf_graph_settle_policies(b);
	wf_graph_flow(b);
	wf_graph_check_blocks(b);
	wf_graph_index_names(b);
	if (b->found->n_errors == b->errors_before)
		wf_graph_guard(b);
	else
		check_broken(b);
}

/*
 * Compiles a definition, which must be detoasted. See graph.h. Switches to memory of its own; the
 * caller's context is as before when it returns.
 */
WfGraph *
wf_graph_compile(const Jsonb *definition, const WfGraphBlocks *blocks, MemoryContext parent, WfDiagnostics *found)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow graph", ALLOCSET_DEFAULT_SIZES);
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "workflow compile", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	WfBuild		b = {
		.blocks = blocks,
		.found = found,
		.errors_before = found->n_errors,
		.scratch = scratch,
		.turn = AllocSetContextCreate(scratch, "workflow node check", ALLOCSET_DEFAULT_SIZES),
		.hint_budget = WF_GRAPH_HINT_CELLS,
	};
	WfField		sections[SECTIONS];

	b.graph = MemoryContextAllocZero(memory, sizeof(WfGraph));
	b.graph->memory = memory;
	if (open_document(&b, definition, sections))
		run_phases(&b, sections);

	WfGraph    *graph = found->n_errors == b.errors_before ? b.graph : NULL;

	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	if (graph != NULL)
		MemoryContextSetParent(memory, parent);
	else
		MemoryContextDelete(memory);
	return graph;
}

void
wf_graph_free(WfGraph *graph)
{
	if (graph != NULL)
		MemoryContextDelete(graph->memory);
}
