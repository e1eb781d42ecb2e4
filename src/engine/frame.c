/*
 * frame.c: the ready set of one region.
 *
 * 1. Each node waits for its forward edges to be resolved: live (its source left on that port and the
 *    condition held) or dead. When all are, it is queued if one is live, else skipped; a skipped node's edges are dead.
 *    So a join can neither deadlock nor fire twice, and each edge is resolved once: constant cost a node.
 * 2. Skips are worked off from a stack of node numbers, not by recursion: a chain of ten thousand nodes
 *    may die at once.
 * 3. An edge that leaves a loop is held back until the iteration is over, that is, until all nodes of the loop are
 *    done. If a back edge was live by then, what was held is forgotten, the loop's nodes wait again, and its header is
 *    queued with the back edges as its arrivals. Otherwise the held edges are resolved, in the loop around or
 *    outside.
 * 4. A block that may run early (merge: any, nOf) is asked at each arrival; edges that are resolved after it ran are
 *    counted and otherwise ignored.
 *
 * Nodes are queued first in, first out, so that the order is that of the graph and the same each time.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/settings.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "miscadmin.h"
#include "utils/memutils.h"

static void deliver(Frame *frame, WfEdge *edge, bool live);
static void skip_all(Frame *frame);

static const WfGraph *
graph_of(const Frame *frame)
{
	return frame->activation->compiled->graph;
}

static LoopState *
loop_state(Frame *frame, int loop)
{
	return &frame->loops[frame->activation->compiled->loop_slot[loop]];
}

static void
enqueue(Frame *frame, int node)
{
	int			size = frame->region->n_nodes;

	Assert(frame->queue_count < size);
	frame->queue[(frame->queue_head + frame->queue_count) % size] = node;
	frame->queue_count++;
	wf_frame_slot(frame, node)->state = SLOT_QUEUED;
}

/* -- beginning -- */

/* Forgets what `$node` tells of the region's nodes, and those of the regions within. */
static void
forget_outputs(Activation *activation, const WfRegion *region)
{
	const WfGraph *graph = activation->compiled->graph;

	for (int i = 0; i < region->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[region->nodes[i]];
		NodeState  *state = &activation->nodes[node->index];

		activation->run->context_bytes -= state->bytes;
		state->status = NODE_NONE;
		state->routed = false;
		state->port = NULL;
		state->output = NULL;
		state->error = NULL;
		state->bytes = 0;
		for (int r = 0; r < node->n_regions; r++)
			forget_outputs(activation, &graph->regions[node->regions[r]]);
	}
}

/* How many forward edges a node waits for. */
static void
reset_slot(Frame *frame, const WfNode *node)
{
	Slot	   *slot = wf_frame_slot(frame, node->index);

	slot->state = SLOT_WAITING;
	slot->pending = node->n_in;
	slot->n_arrivals = 0;
}

static void
reset_loop(Frame *frame, const WfLoop *loop, bool also_counts)
{
	LoopState  *state = loop_state(frame, loop->index);

	state->pending = loop->n_nodes;
	list_free(state->live_back);
	list_free(state->held);
	list_free(state->held_live);
	state->live_back = NIL;
	state->held = NIL;
	state->held_live = NIL;
	if (also_counts)
		memset(state->counts, 0, sizeof(int) * Max(loop->n_back, 1));
}

/* Allocates what the frame holds, in its memory. */
static void
allocate(Frame *frame)
{
	const WfCompiled *compiled = frame->activation->compiled;
	const WfRegion *region = frame->region;
	int			n_loops = compiled->n_region_loops[region->index];
	int			places = compiled->n_arrival_places[region->index];
	int			n = Max(region->n_nodes, 1);
	MemoryContext old = MemoryContextSwitchTo(frame->memory);

	frame->slots = palloc(sizeof(Slot) * n);
	frame->arrivals = palloc(sizeof(WfEdge *) * Max(places, 1));
	frame->queue = palloc(sizeof(int) * n);
	frame->skips = palloc(sizeof(int) * n);
	frame->loops = n_loops == 0 ? NULL : palloc0(sizeof(LoopState) * n_loops);
	for (int i = 0; i < n_loops; i++)
	{
		const WfLoop *loop = &compiled->graph->loops[compiled->region_loops[region->index][i]];

		frame->loops[i].counts = palloc0(sizeof(int) * Max(loop->n_back, 1));
		reset_loop(frame, loop, true);
	}
	MemoryContextSwitchTo(old);
}

/* The first start of this type; NULL: any trigger, if there is but one. -1: there is none. */
static int
find_start(const WfGraph *graph, const WfRegion *region, const char *type)
{
	int			found = -1;

	for (int i = 0; i < region->n_starts; i++)
	{
		const WfNode *node = &graph->nodes[region->starts[i]];

		if ((node->block->flags & WF_BLOCK_TRIGGER) == 0 || (type != NULL && strcmp(node->type, type) != 0))
			continue;
		if (found >= 0 && type == NULL)
			return -1;
		if (found < 0)
			found = node->index;
	}
	return found;
}

/*
 * The trigger that a run begins at when nobody named one: for a run that is called `trigger.workflow`, else
 * `trigger.manual`, else the other one of the two, else the only one.
 */
static int
default_start(const WfGraph *graph, const WfRegion *region, bool is_called)
{
	int			start = find_start(graph, region, is_called ? "trigger.workflow" : "trigger.manual");

	if (start < 0)
		start = find_start(graph, region, is_called ? "trigger.manual" : "trigger.workflow");
	return start >= 0 ? start : find_start(graph, region, NULL);
}

/* The trigger of the name, if there is one, else the default; -1: there is none, or several. */
static int
find_start_node(const WfGraph *graph, const char *name, bool is_called, const char *trigger)
{
	int			start = -1;

	if (name != NULL)
		start = wf_graph_find(graph, name, strlen(name));
	if (start < 0 && strcmp(trigger, "error") == 0)
		start = find_start(graph, &graph->regions[0], "trigger.error");
	return start >= 0 ? start : default_start(graph, &graph->regions[0], is_called);
}

const WfNode *
wf_frame_start_node(const WfGraph *graph, const char *name, bool is_called, const char *trigger)
{
	int			start = find_start_node(graph, name, is_called, trigger);

	return start < 0 ? NULL : &graph->nodes[start];
}

static int
choose_start(const Frame *frame)
{
	const WfGraph *graph = graph_of(frame);
	const Run  *run = frame->activation->run;
	bool		is_root = frame->activation == run->root;
	int			start = find_start_node(graph, is_root ? run->start_node : NULL, !is_root || run->has_parent,
										is_root ? run->trigger : "workflow");

	if (start < 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("workflow \"%s\" has several triggers, and none of them is for runs that are started by hand",
							   frame->activation->compiled->name),
						errhint("Name one with the option \"trigger\", or add a node of type \"trigger.manual\".")));
	return start;
}

/* Queues the starting nodes: of a graph with triggers one of these, and no other node. Throws 22023 when there are several to
 * choose from. */
void
wf_frame_start(Frame *frame)
{
	const WfGraph *graph = graph_of(frame);
	const WfRegion *region = frame->region;
	bool		triggers = false;
	int			start = -1;

	for (int i = 0; i < region->n_starts; i++)
		triggers |= (graph->nodes[region->starts[i]].block->flags & WF_BLOCK_TRIGGER) != 0;
	if (triggers)
		start = choose_start(frame);
	for (int i = 0; i < region->n_starts; i++)
		if (!triggers || region->starts[i] == start)
			enqueue(frame, region->starts[i]);
		else
			frame->skips[frame->n_skips++] = region->starts[i];
	skip_all(frame);
}

void
wf_frame_enqueue(Frame *frame, const WfNode *node)
{
	enqueue(frame, node->index);
}

void
wf_frame_only(Frame *frame, const WfNode *node)
{
	frame->n_unresolved = 1;
	enqueue(frame, node->index);
}

void
wf_frame_check_depth(const Frame *parent)
{
	if (parent->depth > wf_setting_max_depth)
		ereport(ERROR, (errcode(WF_ERRCODE_LIMIT_EXCEEDED),
						errmsg("containers and subworkflows are nested more than %d deep", wf_setting_max_depth),
						errhint("The setting \"workflow.max_depth\" has the limit.")));
}

Frame *
wf_frame_begin(Activation *activation, Frame *parent, int region, Frame *reuse)
{
	Frame	   *frame = reuse;
	MemoryContext memory;
	const WfRegion *definition = &activation->compiled->graph->regions[region];

	if (frame == NULL)
	{
		MemoryContext around = parent != NULL && parent->activation == activation ? parent->memory : activation->memory;

		/* its own struct is outside, so that the memory can be reset */
		memory = AllocSetContextCreate(around, "workflow frame", ALLOCSET_SMALL_SIZES);
		frame = MemoryContextAllocZero(around, sizeof(Frame));
	}
	else
	{
		memory = frame->memory;
		MemoryContextReset(memory);
		memset(frame, 0, sizeof(Frame));
		forget_outputs(activation, definition);
	}
	frame->memory = memory;
	frame->activation = activation;
	frame->parent = parent;
	frame->region = definition;
	frame->depth = parent == NULL ? 1 : parent->depth + 1;
	frame->path = "";
	frame->n_unresolved = definition->n_nodes;
	allocate(frame);
	for (int i = 0; i < definition->n_nodes; i++)
	{
		const WfNode *node = &graph_of(frame)->nodes[definition->nodes[i]];

		reset_slot(frame, node);
		if (node->is_compensation)
		{
			wf_frame_slot(frame, node->index)->state = SLOT_SKIPPED;
			frame->n_unresolved--;
		}
	}
	return frame;
}

/* -- loops -- */

/* A back edge is resolved for the loop that it closes. */
static void
close_loop(Frame *frame, WfEdge *edge, bool live)
{
	LoopState  *state = loop_state(frame, edge->loop);
	MemoryContext old;

	if (!live)
		return;
	old = MemoryContextSwitchTo(frame->memory);
	state->live_back = lappend(state->live_back, edge);
	MemoryContextSwitchTo(old);
}

/* An edge leaves loop `from`: held in the next loop around that it leaves too, or delivered. */
static void
leave_loop(Frame *frame, WfEdge *edge, bool live, int from)
{
	const WfGraph *graph = graph_of(frame);

	for (int loop = graph->loops[from].parent; loop >= 0; loop = graph->loops[loop].parent)
	{
		int			around = graph->nodes[edge->target].loop;

		while (around >= 0 && around != loop)
			around = graph->loops[around].parent;
		if (around != loop)
		{
			LoopState  *state = loop_state(frame, loop);
			MemoryContext old = MemoryContextSwitchTo(frame->memory);

			state->held = lappend(state->held, edge);
			state->held_live = lappend_int(state->held_live, live);
			MemoryContextSwitchTo(old);
			return;
		}
	}
	if (edge->back)
		close_loop(frame, edge, live);
	else
		deliver(frame, edge, live);
}

/* The region fails, as if its source had: the container around may handle that. */
static void
fail_back_edge(Frame *frame, const WfEdge *edge)
{
	const WfGraph *graph = graph_of(frame);
	MemoryContext old = MemoryContextSwitchTo(frame->activation->run->memory);
	WfError    *error;

	error = wf_error_make(WF_ERRCODE_LIMIT_EXCEEDED,
						  "Give the edge a condition that ends the loop, or a higher \"maxIterations\".",
						  "edge from node \"%s\" back to node \"%s\" was taken more than %d times",
						  graph->nodes[edge->source].id, graph->nodes[edge->target].id, edge->max_iterations);
	error->node = graph->nodes[edge->source].id;
	error->step = frame->activation->nodes[edge->source].seq;
	error->attempt = 1;
	frame->failure = error;
	MemoryContextSwitchTo(old);
}

/* Counts the back edges that fired; false, with frame->failure set, when one did too often. */
static bool
count_back_edges(Frame *frame, const WfLoop *loop, LoopState *state)
{
	ListCell   *cell;

	foreach(cell, state->live_back)
	{
		WfEdge	   *edge = lfirst(cell);

		for (int i = 0; i < loop->n_back; i++)
		{
			if (loop->back_edges[i] != edge->index)
				continue;
			if (++state->counts[i] > edge->max_iterations)
			{
				fail_back_edge(frame, edge);
				return false;
			}
		}
	}
	return true;
}

/* All nodes of a loop wait again; its header is queued with the back edges that fired. */
static void
iterate(Frame *frame, const WfLoop *loop, LoopState *state)
{
	const WfGraph *graph = graph_of(frame);
	WfEdge	  **arrivals = wf_frame_arrivals(frame, loop->header);
	Slot	   *header = wf_frame_slot(frame, loop->header);
	ListCell   *cell;
	int			n = 0;

	for (int i = 0; i < loop->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[loop->nodes[i]];

		reset_slot(frame, node);
		if (node->loop_header_of >= 0 && node->loop_header_of != loop->index)
			reset_loop(frame, &graph->loops[node->loop_header_of], true);
	}
	foreach(cell, state->live_back)
		arrivals[n++] = lfirst(cell);
	reset_loop(frame, loop, false);
	for (int around = loop->parent; around >= 0; around = graph->loops[around].parent)
		loop_state(frame, around)->pending += loop->n_nodes;
	frame->n_unresolved += loop->n_nodes;
	header->pending = 0;
	header->n_arrivals = n;
	enqueue(frame, loop->header);
}

/* The nodes of a loop are all done: once more, or on. */
static void
end_iteration(Frame *frame, const WfLoop *loop)
{
	LoopState  *state = loop_state(frame, loop->index);
	List	   *held = state->held;
	List	   *held_live = state->held_live;
	ListCell   *edge;
	ListCell   *live;

	if (state->live_back != NIL)
	{
		if (count_back_edges(frame, loop, state))
			iterate(frame, loop, state);
		return;
	}
	state->held = NIL;
	state->held_live = NIL;
	forboth(edge, held, live, held_live)
		leave_loop(frame, lfirst(edge), lfirst_int(live) != 0, loop->index);
	list_free(held);
	list_free(held_live);
}

/* -- edges -- */

/* An edge is resolved for its target. */
static void
deliver(Frame *frame, WfEdge *edge, bool live)
{
	const WfNode *target = &graph_of(frame)->nodes[edge->target];
	Slot	   *slot = wf_frame_slot(frame, edge->target);

	slot->pending--;
	if (slot->state != SLOT_WAITING)
		return;					/* it ran early */
	if (live)
		wf_frame_arrivals(frame, edge->target)[slot->n_arrivals++] = edge;
	if ((target->block->flags & WF_BLOCK_EARLY) != 0 && slot->n_arrivals > 0 && slot->pending > 0)
	{
		if (live && target->block->ready(target, slot->n_arrivals, slot->pending))
			enqueue(frame, edge->target);
		return;
	}
	if (slot->pending > 0)
		return;
	if (slot->n_arrivals > 0)
		enqueue(frame, edge->target);
	else
		frame->skips[frame->n_skips++] = edge->target;
}

static void
resolve(Frame *frame, WfEdge *edge, bool live)
{
	LoopState  *state;
	MemoryContext old;

	if (edge->exit_loop >= 0)
	{
		/* of an inner loop; a back edge of an outer one may be that too */
		state = loop_state(frame, edge->exit_loop);
		old = MemoryContextSwitchTo(frame->memory);
		state->held = lappend(state->held, edge);
		state->held_live = lappend_int(state->held_live, live);
		MemoryContextSwitchTo(old);
	}
	else if (edge->back)
		close_loop(frame, edge, live);
	else
		deliver(frame, edge, live);
}

/* Counts a node as done, in its loops from the innermost outwards and in the frame. */
static void
count_done(Frame *frame, const WfNode *node)
{
	const WfGraph *graph = graph_of(frame);

	frame->n_unresolved--;
	for (int loop = node->loop; loop >= 0; loop = graph->loops[loop].parent)
		loop_state(frame, loop)->pending--;
	for (int loop = node->loop; loop >= 0; loop = graph->loops[loop].parent)
	{
		if (loop_state(frame, loop)->pending > 0)
			return;
		end_iteration(frame, &graph->loops[loop]);
	}
}

static void
resolve_out(Frame *frame, const WfNode *node, const bool *live)
{
	for (int i = 0; i < node->n_out; i++)
		resolve(frame, node->out[i], live != NULL && live[i]);
	count_done(frame, node);
}

/* Notes a skipped node in the journal. */
static void
journal_skip(Frame *frame, const WfNode *node)
{
	Run		   *run = frame->activation->run;
	JournalEntry entry = {0};

	entry.seq = wf_journal_next(run);
	entry.node = node;
	entry.path = frame->path;
	entry.status = "skipped";
	entry.attempt = 1;
	entry.input_from = -1;
	entry.started_at = wf_clock_now();
	wf_journal_add(run, &entry);
}

static void
skip_all(Frame *frame)
{
	while (frame->n_skips > 0)
	{
		const WfNode *node = &graph_of(frame)->nodes[frame->skips[--frame->n_skips]];
		NodeState  *state = &frame->activation->nodes[node->index];

		CHECK_FOR_INTERRUPTS();
		wf_frame_slot(frame, node->index)->state = SLOT_SKIPPED;
		if (state->status == NODE_NONE)
			state->status = NODE_SKIPPED;
		journal_skip(frame, node);
		resolve_out(frame, node, NULL);
	}
}

void
wf_frame_finish_node(Frame *frame, const WfNode *node, const bool *live)
{
	wf_frame_slot(frame, node->index)->state = SLOT_DONE;
	resolve_out(frame, node, live);
	skip_all(frame);
}

const WfNode *
wf_frame_next(Frame *frame)
{
	int			node;

	if (frame->queue_count == 0)
		return NULL;
	node = frame->queue[frame->queue_head];
	frame->queue_head = (frame->queue_head + 1) % frame->region->n_nodes;
	frame->queue_count--;
	wf_frame_slot(frame, node)->state = SLOT_RUNNING;
	return &graph_of(frame)->nodes[node];
}

bool
wf_frame_is_done(const Frame *frame)
{
	return frame->n_unresolved == 0;
}

/* -- the result -- */

void
wf_frame_result(Frame *frame, JsonbValue *out)
{
	const WfGraph *graph = graph_of(frame);
	const WfRegion *region = frame->region;
	const NodeState *only = NULL;
	int			n = 0;
	WfJsonWriter *w;

	for (int i = 0; i < region->n_terminals; i++)
	{
		const NodeState *state = &frame->activation->nodes[region->terminals[i]];

		if (wf_frame_slot(frame, region->terminals[i])->state == SLOT_DONE && !state->routed)
		{
			only = state;
			n++;
		}
	}
	if (n == 1)
	{
		if (only->output == NULL)
			wf_json_set_null(out);
		else
			wf_json_root(only->output, out);
		return;
	}
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	for (int i = 0; i < region->n_terminals; i++)
	{
		const WfNode *node = &graph->nodes[region->terminals[i]];
		const NodeState *state = &frame->activation->nodes[node->index];

		if (wf_frame_slot(frame, node->index)->state != SLOT_DONE || state->routed)
			continue;
		wf_json_key(w, node->id, strlen(node->id));
		if (state->output != NULL)
			wf_json_put_jsonb(w, state->output);
		else
			wf_json_put_null(w);
	}
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), out);
}
