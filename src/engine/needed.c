/*
 * needed.c: which outputs a suspended run still needs.
 *
 * An output is kept if a node that may still run reads it (in its config, its policies, or a condition of its edges),
 * if it is the input of one, if it is a part of a region's result, or if a compensation reads it. Any node may still run
 * that is not done, that is in a loop that goes on, or that lives in a container that is not done. What each node reads
 * is found out once for a compiled workflow, at the first suspension.
 */
#include "postgres.h"

#include "engine/frame.h"
#include "engine/needed.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* -- what nodes read -- */

static void
add_node(int node_index, void *arg)
{
	Bitmapset **set = arg;

	*set = bms_add_member(*set, node_index);
}

/* What one node reads. */
typedef struct Reads
{
	Bitmapset  *nodes;
	bool		items;			/* `$items` is named somewhere, be it in a string, or may be read */
} Reads;

static void
add_expr(const WfExpr *expr, void *arg)
{
	Reads	   *reads = arg;

	wf_expr_nodes(expr, add_node, &reads->nodes);
	reads->items |= strstr(wf_expr_source(expr), "$items") != NULL ||
		(wf_expr_roots(expr) & UINT32_C(1) << WF_ROOT_ITEMS) != 0;
}

static void
add_template(const WfTemplate *tpl, Reads *reads)
{
	if (tpl != NULL)
		wf_template_walk(tpl, add_expr, reads);
}

/* compiled->reads, made when first asked for. */
static Bitmapset **
reads_of(WfCompiled *compiled)
{
	const WfGraph *graph = compiled->graph;
	MemoryContext old;
	Bitmapset **reads;

	if (compiled->reads != NULL)
		return compiled->reads;
	old = MemoryContextSwitchTo(compiled->memory);
	reads = palloc0(sizeof(Bitmapset *) * Max(graph->n_nodes, 1));
	compiled->reads_items = NULL;
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[i];
		const WfPrepared *prepared = node->prepared;
		Reads		of_node = {0};

		CHECK_FOR_INTERRUPTS();
		wf_block_walk(prepared, add_expr, &of_node);
		add_template(prepared->on_error_value, &of_node);
		add_template(prepared->compensate_input, &of_node);
		for (int e = 0; e < node->n_out; e++)
			if (node->out[e]->prepared != NULL)
				add_expr(node->out[e]->prepared, &of_node);
		reads[i] = of_node.nodes;
		if (of_node.items)
			compiled->reads_items = bms_add_member(compiled->reads_items, i);
	}
	compiled->reads = reads;
	MemoryContextSwitchTo(old);
	return reads;
}

/* -- what may still run -- */

typedef struct Needed
{
	const WfCompiled *compiled;
	Bitmapset **reads;
	Bitmapset  *set;
} Needed;

static void add_region(Needed *needed, const WfRegion *region);

/* The node may run: what it reads is needed, and what the nodes within it read. */
static void
add_runner(Needed *needed, const WfNode *node)
{
	needed->set = bms_add_members(needed->set, needed->reads[node->index]);
	for (int r = 0; r < node->n_regions; r++)
		add_region(needed, &needed->compiled->graph->regions[node->regions[r]]);
}

/* Recursion follows containers in containers, whose depth the graph bounds. */
static void
add_region(Needed *needed, const WfRegion *region)
{
	check_stack_depth();
	for (int i = 0; i < region->n_nodes; i++)
		add_runner(needed, &needed->compiled->graph->nodes[region->nodes[i]]);
}

Bitmapset *
wf_needed_by_region(WfCompiled *compiled, int region)
{
	Needed		needed = {compiled, reads_of(compiled), NULL};

	add_region(&needed, &compiled->graph->regions[region]);
	return needed.set;
}

bool
wf_needed_items(WfCompiled *compiled, int region)
{
	const WfGraph *graph = compiled->graph;

	(void) reads_of(compiled);
	for (int i = -1; (i = bms_next_member(compiled->reads_items, i)) >= 0;)
	{
		int			around = graph->nodes[i].region;

		while (around != region && graph->regions[around].container >= 0)
			around = graph->nodes[graph->regions[around].container].region;
		if (around == region)
			return true;
	}
	return false;
}

static bool
in_open_loop(const Frame *frame, const WfNode *node)
{
	const WfCompiled *compiled = frame->activation->compiled;

	for (int loop = node->loop; loop >= 0; loop = compiled->graph->loops[loop].parent)
		if (frame->loops[compiled->loop_slot[loop]].pending > 0)
			return true;
	return false;
}

static void
add_edges(Needed *needed, const List *edges)
{
	ListCell   *cell;

	foreach(cell, edges)
		needed->set = bms_add_member(needed->set, ((WfEdge *) lfirst(cell))->source);
}

static void
add_frame(Needed *needed, Frame *frame)
{
	const WfGraph *graph = needed->compiled->graph;
	const WfRegion *region = frame->region;
	ListCell   *cell;
	ListCell   *inner;

	for (int i = 0; i < region->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[region->nodes[i]];
		const Slot *slot = wf_frame_slot(frame, node->index);
		bool		done = slot->state == SLOT_DONE || slot->state == SLOT_SKIPPED;

		if (!done || in_open_loop(frame, node))
			add_runner(needed, node);
		for (int a = 0; !done && a < slot->n_arrivals; a++)
			needed->set = bms_add_member(needed->set, wf_frame_arrivals(frame, node->index)[a]->source);
	}
	for (int i = 0; i < region->n_terminals; i++)
		needed->set = bms_add_member(needed->set, region->terminals[i]);
	for (int l = 0; l < needed->compiled->n_region_loops[region->index]; l++)
	{
		add_edges(needed, frame->loops[l].live_back);
		add_edges(needed, frame->loops[l].held);
	}
	foreach(cell, frame->parked)
		foreach(inner, ((OpenStep *) lfirst(cell))->frames)
			if (((Frame *) lfirst(inner))->activation == frame->activation)
				add_frame(needed, lfirst(inner));
}

/* The top frame of the activation, below `frame`; NULL when it is not there. */
static Frame *
top_of(Frame *frame, const Activation *activation)
{
	ListCell   *cell;
	ListCell   *inner;

	if (frame->activation == activation)
		return frame;
	foreach(cell, frame->parked)
		foreach(inner, ((OpenStep *) lfirst(cell))->frames)
		{
			Frame	   *top = top_of(lfirst(inner), activation);

			if (top != NULL)
				return top;
		}
	return NULL;
}

Bitmapset *
wf_needed_outputs(Run *run, const Activation *activation)
{
	Needed		needed = {activation->compiled, reads_of(activation->compiled), NULL};
	const WfGraph *graph = activation->compiled->graph;
	Frame	   *top = top_of(run->frame, activation);

	for (int i = 0; i < graph->n_nodes; i++)
		if (graph->nodes[i].is_compensation || graph->nodes[i].compensate_workflow != NULL)
			needed.set = bms_add_members(needed.set, needed.reads[i]);
	if (top != NULL)
		add_frame(&needed, top);
	return needed.set;
}
