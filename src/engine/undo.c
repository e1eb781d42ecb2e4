/*
 * undo.c: compensation of what earlier segments did.
 *
 * 1. A step that is done and has `compensate` is noted with its output. What the present segment notes is forgotten with
 *    it when it fails: the database undoes that by itself.
 * 2. When the run fails (or is cancelled and settings.compensateOnCancel says so), the notes that are committed are worked
 *    off from the last to the first, each in a segment of its own: segment.c.
 * 3. A compensation is a node that is no part of the flow, or a workflow. It sees `$node` as the run left it, the output
 *    of the step that it undoes as `$input`, and `$item` and `$index` of then. It cannot wait.
 */
#include "postgres.h"

#include "engine/frame.h"
#include "engine/scope.h"
#include "engine/step.h"
#include "engine/undo.h"
#include "utils/memutils.h"

static const Frame *
item_of(const Frame *frame)
{
	for (const Frame *f = frame; f != NULL && f->activation == frame->activation; f = f->parent)
		if (f->has_item)
			return f;
	return NULL;
}

void
wf_undo_note(Run *run, Frame *frame)
{
	const OpenStep *open = frame->open;
	const WfNode *node = open->node;
	const Jsonb *output = frame->activation->nodes[node->index].output;
	const Frame *with_item;
	MemoryContext old;
	Undo	   *undo;

	if ((node->compensate_node < 0 && node->compensate_workflow == NULL) || node->disabled || run->undoing ||
		run->mode != WF_RUN_RECORD)
		return;
	old = MemoryContextSwitchTo(run->memory);
	undo = palloc0(sizeof(Undo));
	undo->compiled = frame->activation->compiled;
	undo->node = node;
	undo->seq = open->seq;
	if (output != NULL)
	{
		undo->output = palloc(VARSIZE(output));
		memcpy(undo->output, output, VARSIZE(output));
	}
	with_item = item_of(frame);
	if (with_item != NULL)
	{
		undo->has_item = true;
		undo->item = wf_json_copy(&with_item->item);
		undo->index = with_item->index;
	}
	run->undo = lappend(run->undo, undo);
	MemoryContextSwitchTo(old);
}

Undo *
wf_undo_last(const Run *run)
{
	return run->undo == NIL ? NULL : llast(run->undo);
}

/* The activation that the compensation sees: the run's own, or one like that of the called workflow, with this output. */
static Activation *
activation_of(Run *run, const Undo *undo)
{
	Activation *activation = run->root;
	JsonbValue	none;
	NodeState  *state;

	if (undo->compiled != run->compiled)
	{
		wf_json_set_null(&none);
		activation = wf_activation_make(run, run->root, unconstify(WfCompiled *, undo->compiled), run->memory, &none);
		wf_activation_enter(activation);
	}
	state = &activation->nodes[undo->node->index];
	state->status = NODE_COMPLETED;
	state->output = undo->output;
	state->seq = undo->seq;
	return activation;
}

static void
set_sight(Frame *frame, const Undo *undo)
{
	if (undo->output == NULL)
		wf_json_set_null(&frame->input);
	else
		wf_json_root(undo->output, &frame->input);
	frame->input_from = -1;
	frame->has_item = undo->has_item;
	frame->index = undo->index;
	if (undo->has_item)
		wf_json_root(undo->item, &frame->item);
}

/* A frame of the node's region in which that node alone is to run. */
static void
begin_node(Run *run, Activation *activation, const Undo *undo)
{
	const WfGraph *graph = activation->compiled->graph;
	const WfNode *node = &graph->nodes[undo->node->compensate_node];
	Frame	   *frame = wf_frame_begin(activation, NULL, node->region, NULL);

	for (int i = 0; i < frame->region->n_nodes; i++)
		frame->slots[i].state = SLOT_SKIPPED;
	set_sight(frame, undo);
	run->frame = frame;
	wf_frame_only(frame, node);
}

/* The whole of another workflow. */
static void
begin_workflow(Run *run, Activation *activation, const Undo *undo)
{
	const WfPrepared *prepared = undo->node->prepared;
	Frame	   *sight = wf_frame_begin(activation, NULL, undo->node->region, NULL);
	WfCompiled *callee;
	JsonbValue	input;
	StepScope	scope;
	Activation *called;
	Frame	   *frame;

	wf_run_check_callee(run, undo->node->compensate_workflow);
	callee = wf_engine_find(&run->tenant, undo->node->compensate_workflow, 0);
	wf_run_hold(run, callee);
	set_sight(sight, undo);
	input = sight->input;
	if (prepared->compensate_input != NULL)
	{
		wf_scope_begin(&scope, run, sight, &sight->input);
		wf_template_eval(prepared->compensate_input, &scope.base, &input);
	}
	called = wf_activation_make(run, activation, callee, run->memory, &input);
	wf_activation_enter(called);
	frame = wf_frame_begin(called, NULL, 0, NULL);
	frame->input = called->trigger;
	run->frame = frame;
	wf_frame_start(frame);
}

void
wf_undo_begin(Run *run)
{
	const Undo *undo = wf_undo_last(run);
	Activation *activation = activation_of(run, undo);

	if (undo->node->compensate_node >= 0)
		begin_node(run, activation, undo);
	else
		begin_workflow(run, activation, undo);
}
