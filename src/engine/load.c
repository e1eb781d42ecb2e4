/*
 * load.c: a run's tree made again from what save.c wrote.
 *
 * The definition may be another version than that of the save (wf_migrate): what it does not have any more and the run
 * has left behind is dropped; what the run stands at (a waiting step, a queued node, a frame) must be there, else WF014
 * says what is not. Nothing is trusted beyond that the JSON came from save.c: a wrong type is an error, not a crash.
 */
#include "postgres.h"

#include "engine/attempt.h"
#include "engine/frame.h"
#include "engine/park.h"
#include "engine/save.h"
#include "engine/scope.h"
#include "engine/start.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

pg_noreturn static void
refuse(const char *what, const char *name)
{
	ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
					errmsg("state of the run does not fit the definition: %s \"%s\"", what, name),
					errhint("The run stands there. Use a version that has it.")));
	pg_unreachable();
}

static bool
get_flag(const JsonbValue *object, const char *key)
{
	JsonbValue	value;

	return wf_json_field(object, key, &value) && value.type == jbvBool && value.val.boolean;
}

static int
find_node(const WfGraph *graph, const char *id)
{
	int			node = id == NULL ? -1 : wf_graph_find(graph, id, strlen(id));

	return node >= 0 && strcmp(graph->nodes[node].id, id) == 0 ? node : -1;
}

/* -- nodes -- */

static NodeStatus
status_of(const char *name)
{
	if (name != NULL && strcmp(name, "completed") == 0)
		return NODE_COMPLETED;
	if (name != NULL && strcmp(name, "failed") == 0)
		return NODE_FAILED;
	if (name != NULL && strcmp(name, "skipped") == 0)
		return NODE_SKIPPED;
	return NODE_NONE;
}

/* CurrentMemoryContext is the activation's. */
static void
load_nodes(Activation *activation, const JsonbValue *object)
{
	const WfGraph *graph = activation->compiled->graph;
	JsonbValue	nodes;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	if (!wf_json_field(object, "nodes", &nodes) || !wf_json_is_object(&nodes))
		return;
	wf_json_iter_begin(&it, &nodes);
	while (wf_json_iter_next(&it, &key, &value))
	{
		int			index = find_node(graph, wf_json_cstring(&key));
		NodeState  *state;
		char	   *port;

		CHECK_FOR_INTERRUPTS();
		if (index < 0)
			continue;
		state = &activation->nodes[index];
		state->status = status_of(wf_json_get_cstring(&value, "s"));
		state->routed = get_flag(&value, "r");
		port = wf_json_get_cstring(&value, "p");
		for (int p = 0; port != NULL && p < graph->nodes[index].n_ports; p++)
			if (strcmp(graph->nodes[index].ports[p], port) == 0)
				state->port = graph->nodes[index].ports[p];
		state->seq = (int) wf_json_get_int64(&value, "q", 0);
		state->count = wf_json_get_int64(&value, "n", 0);
		state->output = wf_json_get_jsonb(&value, "o");
		state->error = wf_json_get_jsonb(&value, "e");
		state->memory = wf_json_get_jsonb(&value, "m");
		state->bytes = state->output == NULL ? 0 : VARSIZE(state->output);
		activation->run->context_bytes += state->bytes;
	}
}

static void
load_vars(Activation *activation, const JsonbValue *object)
{
	Jsonb	   *vars = wf_json_get_jsonb(object, "vars");

	if (vars == NULL)
		return;
	if (activation->vars != NULL)
		activation->run->context_bytes -= VARSIZE(activation->vars);
	activation->vars = vars;
	activation->run->context_bytes += VARSIZE(vars);
}

/* -- frames -- */

/* The edge named "source:port:target"; NULL when there is none. */
static WfEdge *
find_edge(const WfGraph *graph, const JsonbValue *name)
{
	char	   *text = wf_json_cstring(name);
	char	   *port = text == NULL ? NULL : strchr(text, ':');
	char	   *target = text == NULL ? NULL : strrchr(text, ':');
	int			source;

	if (port == NULL || port == target)
		return NULL;
	*port++ = '\0';
	*target++ = '\0';
	source = find_node(graph, text);
	for (int i = 0; source >= 0 && i < graph->nodes[source].n_out; i++)
	{
		WfEdge	   *edge = graph->nodes[source].out[i];

		if (strcmp(graph->nodes[source].ports[edge->port], port) == 0 &&
			strcmp(graph->nodes[edge->target].id, target) == 0)
			return edge;
	}
	return NULL;
}

static SlotState
slot_state(const char *name)
{
	static const char *const names[] = {"waiting", "queued", "running", "done", "skipped"};

	for (int i = 0; name != NULL && i < lengthof(names); i++)
		if (strcmp(names[i], name) == 0)
			return (SlotState) i;
	return SLOT_WAITING;
}

static void
load_slot(Frame *frame, const WfNode *node, const JsonbValue *saved)
{
	const WfCompiled *compiled = frame->activation->compiled;
	Slot	   *slot = wf_frame_slot(frame, node->index);
	JsonbValue	value;
	int64		pending = 0;
	uint32		n = wf_json_count(saved);
	int			places = Max(node->n_in, node->loop_header_of < 0 ? 0 : compiled->graph->loops[node->loop_header_of].n_back);

	if (!wf_json_element(saved, 0, &value))
		return;
	slot->state = slot_state(wf_json_cstring(&value));
	if (wf_json_element(saved, 1, &value) && wf_json_int64(&value, &pending))
		slot->pending = (int) Max(0, Min(pending, node->n_in));
	for (uint32 i = 2; i < n && slot->n_arrivals < places; i++)
	{
		WfEdge	   *edge;

		(void) wf_json_element(saved, i, &value);
		edge = find_edge(compiled->graph, &value);
		if (edge != NULL && edge->target == node->index)
			wf_frame_arrivals(frame, node->index)[slot->n_arrivals++] = edge;
	}
}

static void
load_slots(Frame *frame, const JsonbValue *object)
{
	const WfCompiled *compiled = frame->activation->compiled;
	const WfGraph *graph = compiled->graph;
	JsonbValue	slots;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	if (wf_json_field(object, "slots", &slots) && wf_json_is_object(&slots))
	{
		wf_json_iter_begin(&it, &slots);
		while (wf_json_iter_next(&it, &key, &value))
		{
			int			node = find_node(graph, wf_json_cstring(&key));

			if (node >= 0 && graph->nodes[node].region == frame->region->index && !graph->nodes[node].is_compensation)
				load_slot(frame, &graph->nodes[node], &value);
		}
	}
	/* what can be counted is counted */
	frame->n_unresolved = 0;
	for (int i = 0; i < compiled->n_region_loops[frame->region->index]; i++)
		frame->loops[i].pending = 0;
	for (int i = 0; i < frame->region->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[frame->region->nodes[i]];
		const Slot *slot = wf_frame_slot(frame, node->index);

		if (slot->state == SLOT_DONE || slot->state == SLOT_SKIPPED)
			continue;
		frame->n_unresolved++;
		for (int loop = node->loop; loop >= 0; loop = graph->loops[loop].parent)
			frame->loops[compiled->loop_slot[loop]].pending++;
	}
}

static List *
load_edges(const WfGraph *graph, const JsonbValue *object, const char *key)
{
	JsonbValue	array;
	JsonbValue	value;
	List	   *edges = NIL;

	if (!wf_json_field(object, key, &array))
		return NIL;
	for (uint32 i = 0; i < wf_json_count(&array); i++)
	{
		WfEdge	   *edge;

		(void) wf_json_element(&array, i, &value);
		edge = find_edge(graph, &value);
		if (edge == NULL)
			refuse("edge", wf_json_text(&value));
		edges = lappend(edges, edge);
	}
	return edges;
}

static void
load_loops(Frame *frame, const JsonbValue *object)
{
	const WfCompiled *compiled = frame->activation->compiled;
	JsonbValue	loops;

	if (!wf_json_field(object, "loops", &loops))
		return;
	for (int i = 0; i < compiled->n_region_loops[frame->region->index]; i++)
	{
		const WfLoop *loop = &compiled->graph->loops[compiled->region_loops[frame->region->index][i]];
		LoopState  *state = &frame->loops[i];
		JsonbValue	saved;
		JsonbValue	list;
		JsonbValue	value;
		int64		count;

		if (!wf_json_field(&loops, compiled->graph->nodes[loop->header].id, &saved))
			continue;
		state->live_back = load_edges(compiled->graph, &saved, "back");
		state->held = load_edges(compiled->graph, &saved, "held");
		for (uint32 h = 0; h < (uint32) list_length(state->held); h++)
			state->held_live = lappend_int(state->held_live,
										   wf_json_field(&saved, "live", &list) && wf_json_element(&list, h, &value) &&
										   value.type == jbvBool && value.val.boolean);
		for (int b = 0; b < loop->n_back; b++)
			if (wf_json_field(&saved, "counts", &list) && wf_json_element(&list, b, &value) &&
				wf_json_int64(&value, &count))
				state->counts[b] = (int) count;
	}
}

static void
load_queue(Frame *frame, const JsonbValue *object)
{
	JsonbValue	queue;
	JsonbValue	value;

	if (!wf_json_field(object, "queue", &queue))
		return;
	for (uint32 i = 0; i < wf_json_count(&queue) && frame->queue_count < frame->region->n_nodes; i++)
	{
		int			node;

		(void) wf_json_element(&queue, i, &value);
		node = find_node(frame->activation->compiled->graph, wf_json_cstring(&value));
		if (node < 0)
			refuse("there is no node", wf_json_text(&value));
		frame->queue[frame->queue_count++] = node;
	}
}

/* A value of its own in CurrentMemoryContext; null when it is not there. */
static bool
load_value(const JsonbValue *object, const char *key, JsonbValue *out)
{
	JsonbValue	value;

	if (!wf_json_field(object, key, &value))
	{
		wf_json_set_null(out);
		return false;
	}
	wf_json_root(wf_json_copy(&value), out);
	return true;
}

/* What a frame's nodes see. CurrentMemoryContext is the frame's. */
static void
load_sight(Frame *frame, const JsonbValue *object)
{
	char	   *path = wf_json_get_cstring(object, "path");

	frame->path = path == NULL ? "" : path;
	frame->has_item = load_value(object, "item", &frame->item);
	frame->index = wf_json_get_int64(object, "index", 0);
	frame->has_items = load_value(object, "items", &frame->items);
	frame->error = wf_json_get_jsonb(object, "error");
	frame->deadline = wf_json_get_int64(object, "deadline", 0);
	frame->own_deadline = get_flag(object, "own");
	frame->node_deadline = get_flag(object, "ofNode");
}

static void load_parked(Frame *frame, const JsonbValue *object);

static void
load_frame(Frame *frame, const JsonbValue *object)
{
	MemoryContext old = MemoryContextSwitchTo(frame->memory);

	check_stack_depth();
	if (load_value(object, "input", &frame->input))
		frame->input_from = (int) wf_json_get_int64(object, "from", 0);
	else
		frame->input = frame->activation->trigger;
	load_sight(frame, object);
	load_slots(frame, object);
	load_loops(frame, object);
	load_queue(frame, object);
	load_parked(frame, object);
	MemoryContextSwitchTo(old);
}

/* -- steps -- */

static StepWait
wait_of(const char *name)
{
	static const struct
	{
		const char *name;
		StepWait	waits;
	}			names[] = {
		{"holds", STEP_HOLDS}, {"time", STEP_TIME}, {"event", STEP_EVENT}, {"task", STEP_TASK}, {"child", STEP_CHILD},
		{"retry", STEP_RETRY}, {"request", STEP_REQUEST},
	};

	for (int i = 0; name != NULL && i < lengthof(names); i++)
		if (strcmp(names[i].name, name) == 0)
			return names[i].waits;
	return STEP_HOLDS;
}

static void
add_child(Frame *frame, OpenStep *step, Frame *child)
{
	child->parent_step = step;
	step->frames = lappend(step->frames, child);
}

/* The region of the container that a saved frame executed. */
static int
region_of(const WfGraph *graph, const WfNode *node, const JsonbValue *saved)
{
	char	   *branch = wf_json_get_cstring(saved, "branch");
	int64		index = wf_json_get_int64(saved, "region", 0);

	for (int i = 0; branch != NULL && i < node->n_regions; i++)
	{
		const char *name = graph->regions[node->regions[i]].branch;

		if (name != NULL && strcmp(name, branch) == 0)
			return node->regions[i];
	}
	if (branch != NULL || index < 0 || index >= node->n_regions)
		refuse("there is no branch", branch != NULL ? branch : node->id);
	return node->regions[index];
}

static void
load_frames(Frame *frame, OpenStep *step, const JsonbValue *object)
{
	const WfGraph *graph = frame->activation->compiled->graph;
	JsonbValue	frames;
	JsonbValue	saved;

	if (!wf_json_field(object, "frames", &frames))
		return;
	if (frame->children == NULL)
		frame->children = palloc0(sizeof(Frame *) * graph->n_regions);
	for (uint32 i = 0; i < wf_json_count(&frames); i++)
	{
		int			region;
		Frame	   *child;

		(void) wf_json_element(&frames, i, &saved);
		region = region_of(graph, step->node, &saved);
		child = wf_frame_begin(frame->activation, frame, region, NULL);
		frame->children[region] = child;
		add_child(frame, step, child);
		load_frame(child, &saved);
	}
}

static void
load_call(Frame *frame, OpenStep *step, const JsonbValue *object)
{
	Run		   *run = frame->activation->run;
	JsonbValue	saved;
	JsonbValue	trigger;
	JsonbValue	top;
	pg_uuid_t	workflow_id;
	Activation *activation;
	Frame	   *child;
	MemoryContext old;

	if (!wf_json_field(object, "call", &saved))
		return;
	if (!wf_engine_uuid_read(wf_json_get_cstring(&saved, "workflow"), &workflow_id))
		refuse("there is no workflow", "");
	step->callee = wf_engine_find_id(&run->tenant, &workflow_id, (int) wf_json_get_int64(&saved, "version", 0));
	wf_run_hold(run, step->callee);
	if (!wf_json_field(&saved, "trigger", &trigger))
		wf_json_set_null(&trigger);
	activation = wf_activation_make(run, frame->activation, step->callee, step->memory, &trigger);
	activation->guarded = get_flag(&saved, "guarded");
	old = MemoryContextSwitchTo(activation->memory);
	load_vars(activation, &saved);
	load_nodes(activation, &saved);
	MemoryContextSwitchTo(old);
	child = wf_frame_begin(activation, frame, 0, NULL);
	add_child(frame, step, child);
	if (wf_json_field(&saved, "frame", &top))
		load_frame(child, &top);
}

/* Which of the node's regions a child run executes; branches are known by their names. */
static int
spawned_region(const WfGraph *graph, const WfNode *node, int region, const char *branch)
{
	for (int i = 0; branch != NULL && i < node->n_regions; i++)
	{
		const char *name = graph->regions[node->regions[i]].branch;

		if (name != NULL && strcmp(name, branch) == 0)
			return i;
	}
	if (branch != NULL || region < 0 || region >= node->n_regions)
		refuse("there is no branch", branch != NULL ? branch : node->id);
	return region;
}

static void
load_spawned(Frame *frame, OpenStep *step, const JsonbValue *object)
{
	JsonbValue	list;
	JsonbValue	item;
	JsonbValue	value;
	int64		number;

	if (!wf_json_field(object, "spawned", &list))
		return;
	for (uint32 i = 0; i < wf_json_count(&list); i++)
	{
		Spawned    *child = palloc0(sizeof(Spawned));

		(void) wf_json_element(&list, i, &item);
		if (!wf_json_element(&item, 0, &value) || !wf_engine_uuid_read(wf_json_cstring(&value), &child->run_id))
			continue;
		if (wf_json_element(&item, 1, &value) && wf_json_int64(&value, &number))
			child->region = (int) number;
		if (wf_json_element(&item, 2, &value) && wf_json_int64(&value, &number))
			child->index = number;
		if (wf_json_element(&item, 3, &value) && wf_json_int64(&value, &number))
			child->deadline = number;
		child->region = spawned_region(frame->activation->compiled->graph, step->node, child->region,
									   wf_json_element(&item, 4, &value) ? wf_json_cstring(&value) : NULL);
		step->spawned = lappend(step->spawned, child);
	}
}

/* The block's own state. A step that is to be tried again has none. */
static void
load_state(OpenStep *step, const JsonbValue *object)
{
	JsonbValue	saved;
	MemoryContext old;

	if (step->node->block->load == NULL || !wf_json_field(object, "state", &saved))
		return;
	old = MemoryContextSwitchTo(step->step.state_memory);
	wf_json_root(wf_json_copy(&saved), &saved);
	step->step.state = step->node->block->load(&step->step, &saved);
	MemoryContextSwitchTo(old);
}

static void
load_log(OpenStep *step, const JsonbValue *object)
{
	JsonbValue	list;
	JsonbValue	value;
	MemoryContext old;

	if (!wf_json_field(object, "log", &list) || step->node->block->resume == NULL)
		return;
	old = MemoryContextSwitchTo(step->memory);
	for (uint32 i = 0; i < wf_json_count(&list); i++)
		if (wf_json_element(&list, i, &value) && value.type == jbvString)
			step->log = lappend(step->log, wf_json_cstring(&value));
	MemoryContextSwitchTo(old);
}

static void
load_step(Frame *frame, const JsonbValue *saved)
{
	Run		   *run = frame->activation->run;
	const WfGraph *graph = frame->activation->compiled->graph;
	char	   *id = wf_json_get_cstring(saved, "node");
	char	   *type;
	int			node = find_node(graph, id);
	OpenStep   *step = palloc0(sizeof(OpenStep));
	MemoryContext old;

	if (node < 0 || graph->nodes[node].region != frame->region->index)
		refuse("there is no node", id == NULL ? "" : id);
	type = wf_json_get_cstring(saved, "type");
	if (type != NULL && strcmp(type, graph->nodes[node].type) != 0)
		refuse(psprintf("of type \"%s\" there is no node", type), id);
	wf_step_fill(run, frame, step, &graph->nodes[node]);
	step->seq = (int) wf_json_get_int64(saved, "seq", 0);
	step->attempt = (int) wf_json_get_int64(saved, "attempt", 0);
	step->step.attempt = step->attempt;
	step->first_started_at = wf_json_get_int64(saved, "first", 0);
	step->started_at = wf_json_get_int64(saved, "started", 0);
	step->deadline = wf_json_get_int64(saved, "deadline", 0);
	step->waits = wait_of(wf_json_get_cstring(saved, "waits"));
	step->wait_until = wf_json_get_int64(saved, "until", 0);
	step->event = wf_json_get_cstring(saved, "event");
	step->correlation = wf_json_get_cstring(saved, "correlation");
	if ((step->waits == STEP_CHILD || step->waits == STEP_REQUEST) &&
		!wf_engine_uuid_read(wf_json_get_cstring(saved, "child"), &step->child))
		refuse("there is no child run or request at node", id);
	if ((step->waits == STEP_RETRY) != (step->node->block->resume == NULL) && step->waits != STEP_RETRY)
		refuse("does not wait any more: node", id);
	frame->open = step;
	old = MemoryContextSwitchTo(step->memory);
	wf_step_gather_input(frame);
	MemoryContextSwitchTo(old);
	wf_scope_begin_step(run, frame, step);
	frame->open = NULL;
	load_log(step, saved);
	load_state(step, saved);
	load_frames(frame, step, saved);
	load_call(frame, step, saved);
	load_spawned(frame, step, saved);
	frame->parked = lappend(frame->parked, step);
}

static void
load_parked(Frame *frame, const JsonbValue *object)
{
	JsonbValue	list;
	JsonbValue	saved;

	if (!wf_json_field(object, "parked", &list))
		return;
	for (uint32 i = 0; i < wf_json_count(&list); i++)
	{
		(void) wf_json_element(&list, i, &saved);
		load_step(frame, &saved);
	}
}

/* -- the whole -- */

static void
load_undo(Run *run, const JsonbValue *object)
{
	JsonbValue	list;
	JsonbValue	saved;

	if (!wf_json_field(object, "undo", &list))
		return;
	for (uint32 i = 0; i < wf_json_count(&list); i++)
	{
		Undo	   *undo = palloc0(sizeof(Undo));
		pg_uuid_t	workflow_id;
		char	   *id;
		int			node;

		(void) wf_json_element(&list, i, &saved);
		undo->compiled = run->compiled;
		if (wf_engine_uuid_read(wf_json_get_cstring(&saved, "workflow"), &workflow_id))
		{
			WfCompiled *compiled = wf_engine_find_id(&run->tenant, &workflow_id, (int) wf_json_get_int64(&saved, "version", 0));

			wf_run_hold(run, compiled);
			undo->compiled = compiled;
		}
		id = wf_json_get_cstring(&saved, "node");
		node = find_node(undo->compiled->graph, id);
		if (node < 0)
			refuse("there is no node", id == NULL ? "" : id);
		undo->node = &undo->compiled->graph->nodes[node];
		undo->seq = (int) wf_json_get_int64(&saved, "seq", 0);
		undo->attempt = (int) wf_json_get_int64(&saved, "attempt", 0);
		undo->output = wf_json_get_jsonb(&saved, "output");
		undo->item = wf_json_get_jsonb(&saved, "item");
		undo->has_item = undo->item != NULL;
		undo->index = wf_json_get_int64(&saved, "index", 0);
		run->undo = lappend(run->undo, undo);
	}
	run->n_undo_committed = list_length(run->undo);
}

void
wf_load_state(Run *run, const Jsonb *state)
{
	JsonbValue	root;
	JsonbValue	list;
	JsonbValue	value;
	JsonbValue	saved;
	JsonbValue	trigger;
	MemoryContext old = MemoryContextSwitchTo(run->memory);

	wf_json_root(state, &root);
	if (wf_json_field(&root, "seen", &list))
		for (uint32 i = 0; i < wf_json_count(&list); i++)
			if (wf_json_element(&list, i, &value) && value.type == jbvString)
				run->seen_events = lappend(run->seen_events, wf_json_cstring(&value));
	load_undo(run, &root);
	if (!wf_json_field(&root, "root", &saved))
		elog(ERROR, "state of the run has no root");
	wf_json_root(run->input, &trigger);
	run->root = wf_activation_make(run, NULL, run->compiled, run->memory, &trigger);
	MemoryContextSwitchTo(run->root->memory);
	load_vars(run->root, &saved);
	load_nodes(run->root, &saved);
	MemoryContextSwitchTo(old);
	wf_activation_enter(run->root);
	if (wf_json_field(&saved, "frame", &value))
	{
		int			region = 0;

		if (run->branch != NULL)
			region = wf_load_branch_region(run);
		run->frame = wf_frame_begin(run->root, NULL, region, NULL);
		load_frame(run->frame, &value);
	}
}

/* -- another version -- */

/* Whether the run could still come to the node: it waits for as many edges as have not been resolved. */
static bool
is_reached(const Frame *frame, const WfNode *node)
{
	int			pending = 0;

	for (int i = 0; i < node->n_in; i++)
	{
		const WfEdge *edge = node->in[i];
		SlotState	source = wf_frame_slot(unconstify(Frame *, frame), edge->source)->state;

		if (edge->exit_loop >= 0)
			return true;		/* resolved when the loop of back edges ends */
		pending += source != SLOT_DONE && source != SLOT_SKIPPED ? 1 : 0;
	}
	return pending > 0 && pending == wf_frame_slot(unconstify(Frame *, frame), node->index)->pending;
}

static void
check_frame(const Frame *frame)
{
	const WfGraph *graph = frame->activation->compiled->graph;
	ListCell   *cell;
	ListCell   *inner;

	for (int i = 0; i < frame->region->n_nodes; i++)
	{
		const WfNode *node = &graph->nodes[frame->region->nodes[i]];

		if (!node->is_compensation && wf_frame_slot(unconstify(Frame *, frame), node->index)->state == SLOT_WAITING &&
			!is_reached(frame, node))
			ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
							errmsg("state of the run does not fit the definition: it has passed where node \"%s\" comes in", node->id),
							errhint("A version may change what comes after the nodes at which the run stands.")));
	}
	foreach(cell, frame->parked)
		foreach(inner, ((OpenStep *) lfirst(cell))->frames)
			check_frame(lfirst(inner));
}

void
wf_load_check(const Run *run)
{
	check_frame(run->frame);
}

/* -- branches -- */

int
wf_load_branch_region(const Run *run)
{
	const WfGraph *graph = run->compiled->graph;
	JsonbValue	branch;
	char	   *id;
	int			node;
	int64		region;

	wf_json_root(run->branch, &branch);
	id = wf_json_get_cstring(&branch, "node");
	node = find_node(graph, id);
	region = wf_json_get_int64(&branch, "region", 0);
	if (node < 0 || region < 0 || region >= graph->nodes[node].n_regions)
		refuse("there is no node", id == NULL ? "" : id);
	return graph->nodes[node].regions[region];
}

void
wf_load_branch(Run *run)
{
	JsonbValue	branch;
	JsonbValue	trigger;
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	Frame	   *frame;

	wf_json_root(run->branch, &branch);
	wf_json_root(run->input, &trigger);
	run->root = wf_activation_make(run, NULL, run->compiled, run->memory, &trigger);
	MemoryContextSwitchTo(run->root->memory);
	load_vars(run->root, &branch);
	load_nodes(run->root, &branch);
	MemoryContextSwitchTo(old);
	wf_activation_enter(run->root);
	frame = wf_frame_begin(run->root, NULL, wf_load_branch_region(run), NULL);
	MemoryContextSwitchTo(frame->memory);
	(void) load_value(&branch, "input", &frame->input);
	frame->input_from = -1;
	load_sight(frame, &branch);
	if (frame->deadline != 0 && (run->deadline == 0 || frame->deadline < run->deadline))
		run->deadline = frame->deadline;
	frame->deadline = 0;
	MemoryContextSwitchTo(old);
	run->frame = frame;
	wf_frame_start(frame);
}
