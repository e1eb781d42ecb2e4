/*
 * nest.c: containers, their branches, and the regions that nodes live in.
 *
 * A region is one branch of a container, or the top. Parents may form cycles or chains of any length
 * in a definition, so depths are found by walking up with an explicit path, each node once. A node
 * whose place cannot be told keeps region -1; later phases leave it and its edges alone.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/text.h"
#include "graph/build.h"
#include "miscadmin.h"

#define DEPTH_UNKNOWN	(-2)
#define DEPTH_ON_PATH	(-3)
#define DEPTH_BAD		(-1)

static void
resolve_parent(WfBuild *b, int i)
{
	WfNode	   *node = &b->graph->nodes[i];
	WfNodeNotes *notes = &b->notes[i];
	WfPlace		place = wf_graph_node_place(b, i);
	const char *id = notes->parent_id;
	int			parent = wf_graph_lookup(b->graph, b->index, id, strlen(id));
	int			nearest;

	if (notes->is_trigger)
		wf_graph_wrong(b, &place, "parent", "A trigger starts a run: it lives at the top.",
					   "trigger \"%s\" cannot live in a container", wf_text_clip(node->id));
	if (parent < 0 || strcmp(b->graph->nodes[parent].id, id) != 0)
		wf_graph_wrong(b, &place, "parent", wf_graph_hint_node(b, id, &nearest),
					   "parent \"%s\" of node \"%s\" does not exist", wf_text_clip(id), wf_text_clip(node->id));
	else if (b->graph->nodes[parent].block != NULL && !b->notes[parent].is_container)
		wf_graph_wrong(b, &place, "parent", "Only containers such as loop, parallel and try hold nodes.",
					   "parent \"%s\" of node \"%s\" is not a container but of type \"%s\"", wf_text_clip(id),
					   wf_text_clip(node->id), wf_text_clip(b->graph->nodes[parent].type));
	else
	{
		node->parent = parent;
		b->notes[parent].children++;
	}
}

static void
report_cycle(WfBuild *b, int i)
{
	WfPlace		place = wf_graph_node_place(b, i);

	wf_graph_wrong(b, &place, "parent", "Give \"parent\" the id of the container around it, or leave it out at the top.",
				   "node \"%s\" is, by its parents, within itself", wf_text_clip(b->graph->nodes[i].id));
}

/* Sets notes->depth of all nodes; one report for each cycle of parents. */
static void
find_depths(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	int		   *path = palloc(sizeof(int) * Max(graph->n_nodes, 1));

	for (int i = 0; i < graph->n_nodes; i++)
		b->notes[i].depth = DEPTH_UNKNOWN;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		int			len = 0;
		int			at = i;
		bool		bad;

		for (; at >= 0 && b->notes[at].depth == DEPTH_UNKNOWN; at = graph->nodes[at].parent)
		{
			b->notes[at].depth = DEPTH_ON_PATH;
			path[len++] = at;
		}
		if (at >= 0 && b->notes[at].depth == DEPTH_ON_PATH)
			report_cycle(b, at);
		bad = at >= 0 && b->notes[at].depth < 0;

		int			depth = at < 0 || bad ? 0 : b->notes[at].depth + 1;

		while (len > 0)
			b->notes[path[--len]].depth = bad ? DEPTH_BAD : depth++;
	}
	pfree(path);
}

/* One report, for the first node that is too deep. */
static void
check_depth(WfBuild *b)
{
	for (int i = 0; i < b->graph->n_nodes; i++)
	{
		if (b->notes[i].depth <= wf_setting_max_depth)
			continue;

		WfPlace		place = wf_graph_node_place(b, i);

		wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, &place, "parent",
						"Use a subworkflow, or raise the setting workflow.max_depth.",
						"node \"%s\" lies within %d containers, more than %d", wf_text_clip(b->graph->nodes[i].id),
						b->notes[i].depth, wf_setting_max_depth);
		return;
	}
}

/* The number of regions; -1 (reported) when there are too many. */
static int
count_regions(WfBuild *b)
{
	int64		n = 1;
	int64		most = (int64) wf_setting_max_nodes * WF_GRAPH_EDGES_PER_NODE;

	for (int i = 0; i < b->graph->n_nodes; i++)
	{
		n += b->notes[i].n_branches;
		if (n <= most)
			continue;

		WfPlace		place = wf_graph_node_place(b, i);

		wf_graph_report(b, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, &place, NULL, NULL,
						"the containers of the definition have more than " INT64_FORMAT " branches", most);
		return -1;
	}
	return (int) n;
}

/* The top, and one region for each branch of each container. */
static bool
make_regions(WfBuild *b)
{
	WfGraph    *graph = b->graph;
	int			n = count_regions(b);

	if (n < 0)
		return false;
	graph->regions = wf_graph_keep_array(b, n, sizeof(WfRegion));
	graph->n_regions = 1;
	graph->regions[0].container = -1;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		WfNode	   *node = &graph->nodes[i];
		WfNodeNotes *notes = &b->notes[i];

		if (!notes->is_container)
			continue;
		node->n_regions = notes->n_branches;
		node->regions = wf_graph_keep_array(b, node->n_regions, sizeof(int));
		for (int k = 0; k < node->n_regions; k++)
		{
			WfRegion   *region = &graph->regions[graph->n_regions];

			region->index = graph->n_regions++;
			region->container = i;
			region->branch = notes->branches[k];
			region->depth = Max(notes->depth, 0) + 1;
			node->regions[k] = region->index;
		}
	}
	return true;
}

/* Which region of its parent a node is in: its index in the parent's regions, or -1 (reported). */
static int
choose_branch(WfBuild *b, int i)
{
	const char *branch = b->notes[i].branch;
	const WfNode *node = &b->graph->nodes[i];
	const WfNode *parent = &b->graph->nodes[node->parent];
	const WfNodeNotes *notes = &b->notes[node->parent];
	WfPlace		place = wf_graph_node_place(b, i);
	bool		unnamed = notes->n_branches == 1 && notes->branches[0] == NULL;
	const char *kind = psprintf("branches of \"%s\"", wf_text_clip(parent->id));

	if (branch == NULL)
	{
		if (unnamed)
			return 0;
		wf_graph_wrong(b, &place, NULL, wf_graph_hint_nearest(b, "", notes->branches, notes->n_branches, kind),
					   "node \"%s\" has no \"branch\", which its parent \"%s\" asks for", wf_text_clip(node->id),
					   wf_text_clip(parent->id));
		return -1;
	}
	if (unnamed)
	{
		wf_graph_wrong(b, &place, "branch", "Leave \"branch\" out.",
					   "parent \"%s\" of node \"%s\" has no named branches", wf_text_clip(parent->id),
					   wf_text_clip(node->id));
		return -1;
	}

	int			found = wf_table_find_name(notes->branch_table, notes->branches, notes->n_branches, branch);

	if (found < 0)
		wf_graph_wrong(b, &place, "branch", wf_graph_hint_nearest(b, branch, notes->branches, notes->n_branches, kind),
					   "parent \"%s\" of node \"%s\" has no branch \"%s\"", wf_text_clip(parent->id),
					   wf_text_clip(node->id), wf_text_clip(branch));
	return found;
}

static void
place_node(WfBuild *b, int i)
{
	WfNode	   *node = &b->graph->nodes[i];
	WfNodeNotes *notes = &b->notes[i];

	if (notes->parent_id == NULL)
	{
		WfPlace		place = wf_graph_node_place(b, i);

		node->region = 0;
		if (notes->branch != NULL)
			wf_graph_wrong(b, &place, "branch", "Add \"parent\", the id of the container.",
						   "node \"%s\" has a \"branch\" and no \"parent\"", wf_text_clip(node->id));
	}
	else if (node->parent >= 0 && notes->depth >= 0 && b->notes[node->parent].is_container)
	{
		int			branch = choose_branch(b, i);

		if (branch >= 0)
		{
			node->region = b->graph->nodes[node->parent].regions[branch];
			node->branch = b->graph->regions[node->region].branch;
		}
	}
}

/* Resolves parents and branches and makes the regions. */
void
wf_graph_nest(WfBuild *b)
{
	WfGraph    *graph = b->graph;

	for (int i = 0; i < graph->n_nodes; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (b->notes[i].parent_id != NULL)
			resolve_parent(b, i);
	}
	find_depths(b);
	check_depth(b);
	if (!make_regions(b))
	{
		graph->n_regions = 1;
		graph->regions = wf_graph_keep_array(b, 1, sizeof(WfRegion));
		graph->regions[0].container = -1;
		return;
	}
	for (int i = 0; i < graph->n_nodes; i++)
	{
		CHECK_FOR_INTERRUPTS();
		place_node(b, i);
		if (b->notes[i].is_container && b->notes[i].children == 0)
		{
			WfPlace		place = wf_graph_node_place(b, i);

			wf_graph_report(b, WF_SEVERITY_WARNING, WF_ERRCODE_DEFINITION_INVALID, &place, NULL,
							"Nodes live in a container when their \"parent\" is its id.",
							"container \"%s\" is empty", wf_text_clip(graph->nodes[i].id));
		}
	}
}
