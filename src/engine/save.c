/*
 * save.c: a suspended run as JSON.
 *
 * Everything is named as the definition names it (node ids, ports, branches), so that a state can be read, and can be
 * carried over to another version (wf_migrate). What follows from the definition is left out: slots that are as at the
 * beginning, counts that can be counted again, outputs that nothing needs any more (needed.c).
 *
 *	run         {v, seen: [event id], undo: [...], root: activation}
 *	activation  {vars, nodes: {id: {s, r, p, q, n, o, e, m}}, frame; and unless it is the run's own: workflow, version,
 *	            guarded, trigger}
 *	frame       {region, branch, path, input, from, item, index, items, error, deadline, own, slots, loops, queue, parked}
 *	step        {node, type, seq, attempt, first, started, deadline, waits, until, event, correlation, child, log, state, frames,
 *	            call, spawned}
 *
 * Edges are "source:port:target". Times are microseconds as PostgreSQL counts them.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "engine/frame.h"
#include "engine/journal.h"
#include "engine/needed.h"
#include "engine/park.h"
#include "engine/save.h"
#include "engine/start.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

static void put_activation(WfJsonWriter *w, Run *run, Activation *activation, Frame *top);

static void
put_text(WfJsonWriter *w, const char *key, const char *value)
{
	if (value != NULL)
		wf_json_put_field_cstring(w, key, value);
}

static void
put_number(WfJsonWriter *w, const char *key, int64 value)
{
	if (value != 0)
		wf_json_put_field_int64(w, key, value);
}

static void
put_flag(WfJsonWriter *w, const char *key, bool value)
{
	if (value)
		wf_json_put_field_bool(w, key, true);
}

/* -- nodes -- */

static void
put_node_state(WfJsonWriter *w, const WfNode *node, const NodeState *state, bool with_output)
{
	static const char *const names[] = {"", "completed", "failed", "skipped"};

	wf_json_key(w, node->id, strlen(node->id));
	wf_json_begin_object(w);
	put_text(w, "s", names[state->status]);
	put_flag(w, "r", state->routed);
	put_text(w, "p", state->port);
	put_number(w, "q", state->seq);
	put_number(w, "n", state->count);
	if (with_output)
		wf_json_put_member(w, "o", state->output);
	wf_json_put_member(w, "e", state->error);
	wf_json_put_member(w, "m", state->memory);
	wf_json_end_object(w);
}

static void
put_nodes(WfJsonWriter *w, Run *run, const Activation *activation)
{
	const WfGraph *graph = activation->compiled->graph;
	Bitmapset  *needed = wf_needed_outputs(run, activation);

	wf_json_key(w, "nodes", 5);
	wf_json_begin_object(w);
	for (int i = 0; i < graph->n_nodes; i++)
	{
		const NodeState *state = &activation->nodes[i];

		CHECK_FOR_INTERRUPTS();
		if (state->status != NODE_NONE || state->count > 0 || state->memory != NULL)
			put_node_state(w, &graph->nodes[i], state, bms_is_member(i, needed));
	}
	wf_json_end_object(w);
	bms_free(needed);
}

/* -- frames -- */

static void
put_edge(WfJsonWriter *w, const WfGraph *graph, const WfEdge *edge)
{
	const WfNode *source = &graph->nodes[edge->source];
	char	   *text = psprintf("%s:%s:%s", source->id, source->ports[edge->port], graph->nodes[edge->target].id);

	wf_json_put_cstring(w, text);
	pfree(text);
}

static const char *
slot_name(SlotState state)
{
	switch (state)
	{
		case SLOT_WAITING:
			return "waiting";
		case SLOT_QUEUED:
			return "queued";
		case SLOT_RUNNING:
			return "running";
		case SLOT_DONE:
			return "done";
		case SLOT_SKIPPED:
			return "skipped";
	}
	return "waiting";
}

/* {id: [state, pending, arrival ...]} of nodes that are not as at the beginning. */
static void
put_slots(WfJsonWriter *w, Frame *frame)
{
	const WfGraph *graph = frame->activation->compiled->graph;

	wf_json_key(w, "slots", 5);
	wf_json_begin_object(w);
	for (int i = 0; i < frame->region->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[frame->region->nodes[i]];
		const Slot *slot = wf_frame_slot(frame, node->index);

		if (node->is_compensation ||
			(slot->state == SLOT_WAITING && slot->pending == node->n_in && slot->n_arrivals == 0))
			continue;
		wf_json_key(w, node->id, strlen(node->id));
		wf_json_begin_array(w);
		wf_json_put_cstring(w, slot_name(slot->state));
		wf_json_put_int64(w, slot->pending);
		for (int a = 0; a < slot->n_arrivals; a++)
			put_edge(w, graph, wf_frame_arrivals(frame, node->index)[a]);
		wf_json_end_array(w);
	}
	wf_json_end_object(w);
}

static void
put_edges(WfJsonWriter *w, const char *key, const WfGraph *graph, const List *edges)
{
	ListCell   *cell;

	if (edges == NIL)
		return;
	wf_json_key(w, key, strlen(key));
	wf_json_begin_array(w);
	foreach(cell, edges)
		put_edge(w, graph, lfirst(cell));
	wf_json_end_array(w);
}

/* {header: {back, held, live, counts}} of loops that have something to tell. */
static void
put_loops(WfJsonWriter *w, Frame *frame)
{
	const WfCompiled *compiled = frame->activation->compiled;
	int			n = compiled->n_region_loops[frame->region->index];
	ListCell   *cell;

	if (n == 0)
		return;
	wf_json_key(w, "loops", 5);
	wf_json_begin_object(w);
	for (int i = 0; i < n; i++)
	{
		const WfLoop *loop = &compiled->graph->loops[compiled->region_loops[frame->region->index][i]];
		const LoopState *state = &frame->loops[i];
		const char *header = compiled->graph->nodes[loop->header].id;

		wf_json_key(w, header, strlen(header));
		wf_json_begin_object(w);
		put_edges(w, "back", compiled->graph, state->live_back);
		put_edges(w, "held", compiled->graph, state->held);
		wf_json_key(w, "live", 4);
		wf_json_begin_array(w);
		foreach(cell, state->held_live)
			wf_json_put_bool(w, lfirst_int(cell) != 0);
		wf_json_end_array(w);
		wf_json_key(w, "counts", 6);
		wf_json_begin_array(w);
		for (int b = 0; b < loop->n_back; b++)
			wf_json_put_int64(w, state->counts[b]);
		wf_json_end_array(w);
		wf_json_end_object(w);
	}
	wf_json_end_object(w);
}

static const char *
wait_name(StepWait waits)
{
	switch (waits)
	{
		case STEP_RUNS:
		case STEP_HOLDS:
			return "holds";
		case STEP_TIME:
			return "time";
		case STEP_EVENT:
			return "event";
		case STEP_TASK:
			return "task";
		case STEP_CHILD:
			return "child";
		case STEP_RETRY:
			return "retry";
		case STEP_REQUEST:
			return "request";
	}
	return "holds";
}

static void put_frame(WfJsonWriter *w, Run *run, Frame *frame);

static void
put_spawned(WfJsonWriter *w, const WfGraph *graph, const OpenStep *step)
{
	ListCell   *cell;

	if (step->spawned == NIL)
		return;
	wf_json_key(w, "spawned", 7);
	wf_json_begin_array(w);
	foreach(cell, step->spawned)
	{
		const Spawned *child = lfirst(cell);
		const char *branch = graph->regions[step->node->regions[child->region]].branch;

		wf_json_begin_array(w);
		wf_json_put_cstring(w, wf_engine_uuid_text(&child->run_id));
		wf_json_put_int64(w, child->region);
		wf_json_put_int64(w, child->index);
		wf_json_put_int64(w, child->deadline);
		if (branch != NULL)
			wf_json_put_cstring(w, branch);
		wf_json_end_array(w);
	}
	wf_json_end_array(w);
}

/* The frames of a container, or the graph that the step called. */
static void
put_within(WfJsonWriter *w, Run *run, const Frame *frame, OpenStep *step)
{
	ListCell   *cell;
	bool		any = false;

	foreach(cell, step->frames)
	{
		Frame	   *child = lfirst(cell);

		if (child->activation != frame->activation)
		{
			wf_json_key(w, "call", 4);
			put_activation(w, run, child->activation, child);
			continue;
		}
		if (!any)
		{
			wf_json_key(w, "frames", 6);
			wf_json_begin_array(w);
		}
		any = true;
		put_frame(w, run, child);
	}
	if (any)
		wf_json_end_array(w);
}

static Jsonb *
state_of(OpenStep *step)
{
	MemoryContext old;
	Jsonb	   *state;

	if (step->node->block->save == NULL || step->step.state == NULL)
		return NULL;
	old = MemoryContextSwitchTo(step->step.state_memory);
	state = step->node->block->save(&step->step);
	MemoryContextSwitchTo(old);
	return state;
}

static void
put_step(WfJsonWriter *w, Run *run, Frame *frame, OpenStep *step)
{
	ListCell   *cell;

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "node", step->node->id);
	wf_json_put_field_cstring(w, "type", step->node->type);
	put_number(w, "seq", step->seq);
	put_number(w, "attempt", step->attempt);
	put_number(w, "first", step->first_started_at);
	put_number(w, "started", step->started_at);
	put_number(w, "deadline", step->deadline);
	wf_json_put_field_cstring(w, "waits", wait_name(step->waits));
	put_number(w, "until", step->wait_until);
	put_text(w, "event", step->event);
	put_text(w, "correlation", step->correlation);
	if (step->waits == STEP_CHILD || step->waits == STEP_REQUEST)
		put_text(w, "child", wf_engine_uuid_text(&step->child));
	if (step->log != NIL)
	{
		wf_json_key(w, "log", 3);
		wf_json_begin_array(w);
		foreach(cell, step->log)
			wf_json_put_cstring(w, lfirst(cell));
		wf_json_end_array(w);
	}
	if (step->waits != STEP_RETRY)
		wf_json_put_member(w, "state", state_of(step));
	put_within(w, run, frame, step);
	put_spawned(w, frame->activation->compiled->graph, step);
	wf_json_end_object(w);
}

static int
region_within(const Frame *frame)
{
	const WfNode *node;

	if (frame->parent_step == NULL || frame->parent->activation != frame->activation)
		return 0;
	node = frame->parent_step->node;
	for (int i = 0; i < node->n_regions; i++)
		if (node->regions[i] == frame->region->index)
			return i;
	return 0;
}

static void
put_frame(WfJsonWriter *w, Run *run, Frame *frame)
{
	const WfGraph *graph = frame->activation->compiled->graph;
	ListCell   *cell;

	check_stack_depth();
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "region", region_within(frame));
	put_text(w, "branch", frame->region->branch);
	put_text(w, "path", frame->path[0] == '\0' ? NULL : frame->path);
	if (frame->parent != NULL || run->branch != NULL)
		wf_json_put_field(w, "input", &frame->input);
	put_number(w, "from", frame->input_from);
	if (frame->has_item)
	{
		wf_json_put_field(w, "item", &frame->item);
		wf_json_put_field_int64(w, "index", frame->index);
	}
	if (frame->has_items)
		wf_json_put_field(w, "items", &frame->items);
	wf_json_put_member(w, "error", frame->error);
	put_number(w, "deadline", frame->deadline);
	put_flag(w, "own", frame->own_deadline);
	put_flag(w, "ofNode", frame->node_deadline);
	put_slots(w, frame);
	put_loops(w, frame);
	wf_json_key(w, "queue", 5);
	wf_json_begin_array(w);
	for (int i = 0; i < frame->queue_count; i++)
		wf_json_put_cstring(w, graph->nodes[frame->queue[(frame->queue_head + i) % frame->region->n_nodes]].id);
	wf_json_end_array(w);
	wf_json_key(w, "parked", 6);
	wf_json_begin_array(w);
	foreach(cell, frame->parked)
		put_step(w, run, frame, lfirst(cell));
	wf_json_end_array(w);
	wf_json_end_object(w);
}

/* -- the whole -- */

static void
put_activation(WfJsonWriter *w, Run *run, Activation *activation, Frame *top)
{
	wf_json_begin_object(w);
	if (activation != run->root)
	{
		put_text(w, "workflow", wf_engine_uuid_text(&activation->compiled->workflow_id));
		put_number(w, "version", activation->compiled->version);
		put_flag(w, "guarded", activation->guarded);
		wf_json_put_field(w, "trigger", &activation->trigger);
	}
	wf_json_put_member(w, "vars", activation->vars);
	put_nodes(w, run, activation);
	if (top != NULL)
	{
		wf_json_key(w, "frame", 5);
		put_frame(w, run, top);
	}
	wf_json_end_object(w);
}

static void
put_undo(WfJsonWriter *w, const Run *run)
{
	ListCell   *cell;

	if (run->undo == NIL)
		return;
	wf_json_key(w, "undo", 4);
	wf_json_begin_array(w);
	foreach(cell, run->undo)
	{
		const Undo *undo = lfirst(cell);

		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "node", undo->node->id);
		if (undo->compiled != run->compiled)
		{
			put_text(w, "workflow", wf_engine_uuid_text(&undo->compiled->workflow_id));
			put_number(w, "version", undo->compiled->version);
		}
		put_number(w, "seq", undo->seq);
		put_number(w, "attempt", undo->attempt);
		wf_json_put_member(w, "output", undo->output);
		if (undo->has_item)
		{
			wf_json_put_member(w, "item", undo->item);
			wf_json_put_field_int64(w, "index", undo->index);
		}
		wf_json_end_object(w);
	}
	wf_json_end_array(w);
}

Jsonb *
wf_save_state(Run *run)
{
	WfJsonWriter *w = wf_json_writer_begin();
	ListCell   *cell;

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "v", 1);
	if (run->seen_events != NIL)
	{
		wf_json_key(w, "seen", 4);
		wf_json_begin_array(w);
		foreach(cell, run->seen_events)
			wf_json_put_cstring(w, lfirst(cell));
		wf_json_end_array(w);
	}
	put_undo(w, run);
	wf_json_key(w, "root", 4);
	put_activation(w, run, run->root, run->frame);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- changing a saved state -- */

/* Its members but those of these names, into an object that stays open. */
static WfJsonWriter *
copy_without(const Jsonb *state, const char *const *names)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_begin_object(w);
	wf_json_root(state, &root);
	wf_json_put_members(w, &root, names);
	return w;
}

Jsonb *
wf_save_undo(const Run *run, const Jsonb *state, const char *unfinished)
{
	static const char *const changed[] = {"undo", "unfinished", NULL};
	WfJsonWriter *w = copy_without(state, changed);

	put_undo(w, run);
	put_text(w, "unfinished", unfinished);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

const char *
wf_save_unfinished(const Jsonb *state)
{
	JsonbValue	root;

	wf_json_root(state, &root);
	return wf_json_get_cstring(&root, "unfinished");
}

static void
put_message(WfJsonWriter *w, const WfMessage *message)
{
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "kind", message->kind);
	wf_json_put_field_int64(w, "step", message->step);
	wf_json_put_member(w, "payload", message->payload);
	wf_json_end_object(w);
}

Jsonb *
wf_save_message(const WfMessage *message)
{
	WfJsonWriter *w = wf_json_writer_begin();

	put_message(w, message);
	return wf_json_finish(w);
}

Jsonb *
wf_save_last(const Run *run)
{
	static const char *const changed[] = {"last", "signals", NULL};
	const Jsonb *state = run->live->state;
	WfJsonWriter *w = copy_without(state, changed);
	JsonbValue	root;
	JsonbValue	list;
	JsonbValue	value;
	ListCell   *cell;

	wf_json_put_member(w, "signals", run->live->signals);
	wf_json_key(w, "last", 4);
	wf_json_begin_array(w);
	wf_json_root(state, &root);
	/* what had been given before an earlier wf_retry, and is given again with this */
	if (wf_json_field(&root, "again", &value) && wf_json_field(&root, "last", &list))
		for (uint32 i = 0; i < wf_json_count(&list); i++)
			if (wf_json_element(&list, i, &value))
				wf_json_put(w, &value);
	if (run->message != NULL && run->message->kind != WF_MESSAGE_GO)
		put_message(w, run->message);
	foreach(cell, run->delivered)
		put_message(w, lfirst(cell));
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- branches -- */

/* The frame around it in the same graph; NULL: none. */
static const Frame *
outer_frame(const Frame *frame)
{
	return frame->parent != NULL && frame->parent->activation == frame->activation ? frame->parent : NULL;
}

/* What the branch's nodes see of containers around it: $item, $index, $items and $error of this one, or of the nearest that
 * has such. */
static void
put_sight(WfJsonWriter *w, const Frame *frame, const WfEnter *enter, bool needs_items)
{
	const Frame *item = enter->has_item ? NULL : frame;
	const Frame *items = enter->has_items ? NULL : frame;
	const Frame *error = enter->error != NULL ? NULL : frame;

	while (item != NULL && !item->has_item)
		item = outer_frame(item);
	while (items != NULL && !items->has_items)
		items = outer_frame(items);
	while (error != NULL && error->error == NULL)
		error = outer_frame(error);
	if (enter->has_item || item != NULL)
	{
		wf_json_put_field(w, "item", enter->has_item ? &enter->item : &item->item);
		wf_json_put_field_int64(w, "index", enter->has_item ? enter->index : item->index);
	}
	if (needs_items && (enter->has_items || items != NULL))
		wf_json_put_field(w, "items", enter->has_items ? &enter->items : &items->items);
	if (enter->error != NULL)
		wf_json_put_member(w, "error", wf_error_to_json(enter->error));
	else if (error != NULL)
		wf_json_put_member(w, "error", error->error);
}

Jsonb *
wf_save_branch(Run *run, Frame *frame, const WfEnter *enter)
{
	const WfNode *node = frame->open->node;
	Activation *activation = frame->activation;
	const WfGraph *graph = activation->compiled->graph;
	Bitmapset  *needed = wf_needed_by_region(activation->compiled, node->regions[enter->region]);
	WfJsonWriter *w = wf_json_writer_begin();
	const char *branch = graph->regions[node->regions[enter->region]].branch;

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "node", node->id);
	wf_json_put_field_int64(w, "region", enter->region);
	wf_json_put_field_cstring(w, "path", enter->has_item ?
							  psprintf("%s%s[" INT64_FORMAT "].", frame->path, node->id, enter->index) :
							  branch != NULL ? psprintf("%s%s.%s.", frame->path, node->id, branch) :
							  psprintf("%s%s.", frame->path, node->id));
	wf_json_put_field(w, "input", &enter->input);
	put_sight(w, frame, enter, wf_needed_items(activation->compiled, node->regions[enter->region]));
	put_number(w, "deadline", enter->deadline);
	wf_json_put_member(w, "vars", activation->vars);
	wf_json_key(w, "nodes", 5);
	wf_json_begin_object(w);
	for (int i = -1; (i = bms_next_member(needed, i)) >= 0;)
		if (activation->nodes[i].status != NODE_NONE)
			put_node_state(w, &graph->nodes[i], &activation->nodes[i], true);
	wf_json_end_object(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* -- looking into a saved state -- */

static void each_child_of_frame(const JsonbValue *frame, void (*visit) (const pg_uuid_t *child, void *arg), void *arg);

static void
each_child_of_step(const JsonbValue *step, void (*visit) (const pg_uuid_t *child, void *arg), void *arg)
{
	JsonbValue	list;
	JsonbValue	item;
	JsonbValue	value;
	pg_uuid_t	child;

	if (wf_engine_uuid_read(wf_json_get_cstring(step, "child"), &child))
		visit(&child, arg);
	if (wf_json_field(step, "spawned", &list))
		for (uint32 i = 0; i < wf_json_count(&list); i++)
			if (wf_json_element(&list, i, &item) && wf_json_element(&item, 0, &value) &&
				wf_engine_uuid_read(wf_json_cstring(&value), &child))
				visit(&child, arg);
	if (wf_json_field(step, "frames", &list))
		for (uint32 i = 0; i < wf_json_count(&list); i++)
			if (wf_json_element(&list, i, &item))
				each_child_of_frame(&item, visit, arg);
	if (wf_json_field(step, "call", &item) && wf_json_field(&item, "frame", &value))
		each_child_of_frame(&value, visit, arg);
}

static void
each_child_of_frame(const JsonbValue *frame, void (*visit) (const pg_uuid_t *child, void *arg), void *arg)
{
	JsonbValue	parked;
	JsonbValue	step;

	check_stack_depth();
	if (wf_json_field(frame, "parked", &parked))
		for (uint32 i = 0; i < wf_json_count(&parked); i++)
			if (wf_json_element(&parked, i, &step))
				each_child_of_step(&step, visit, arg);
}

void
wf_save_each_child(const Jsonb *state, void (*visit) (const pg_uuid_t *child, void *arg), void *arg)
{
	JsonbValue	root;
	JsonbValue	activation;
	JsonbValue	frame;

	wf_json_root(state, &root);
	if (wf_json_field(&root, "root", &activation) && wf_json_field(&activation, "frame", &frame))
		each_child_of_frame(&frame, visit, arg);
}

/* -- for views -- */

typedef struct Names
{
	Datum	   *ids;
	int			n;
	int			size;
} Names;

static void
add_name(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	Names	   *names = arg;

	if (step->waits == STEP_HOLDS && step->spawned == NIL)
		return;
	if (names->n == names->size)
	{
		names->size = Max(8, names->size * 2);
		names->ids = names->ids == NULL ? palloc(sizeof(Datum) * names->size) :
			repalloc(names->ids, sizeof(Datum) * names->size);
	}
	names->ids[names->n++] = CStringGetTextDatum(step->node->id);
}

ArrayType *
wf_save_current_nodes(Run *run)
{
	Names		names = {0};

	wf_park_each(run, add_name, &names);
	return names.n == 0 ? NULL : construct_array(names.ids, names.n, TEXTOID, -1, false, TYPALIGN_INT);
}

static void
put_waiting(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	WfJsonWriter *w = arg;

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "seq", step->seq);
	wf_json_put_field_cstring(w, "node", step->node->id);
	wf_json_put_field_cstring(w, "path", psprintf("%s%s", frame->path, step->node->id));
	wf_json_put_field_cstring(w, "type", step->node->type);
	wf_json_put_field_cstring(w, "status", step->waits == STEP_RETRY ? "retrying" : "waiting");
	wf_json_put_field_int64(w, "attempt", step->attempt);
	wf_json_put_field_cstring(w, "startedAt", wf_engine_timestamp_text(step->started_at));
	wf_json_end_object(w);
}

Jsonb *
wf_save_progress(Run *run)
{
	const WfGraph *graph = run->compiled->graph;
	WfJsonWriter *w = wf_json_writer_begin();
	int			done = 0;
	int			total = 0;

	for (int i = 0; i < graph->n_nodes; i++)
	{
		if (graph->nodes[i].is_compensation)
			continue;
		total++;
		done += run->root->nodes[i].status != NODE_NONE ? 1 : 0;
	}
	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "done", done);
	wf_json_put_field_int64(w, "total", total);
	wf_json_key(w, "waiting", 7);
	wf_json_begin_array(w);
	wf_park_each(run, put_waiting, w);
	wf_json_end_array(w);
	wf_json_end_object(w);
	return wf_json_finish(w);
}
