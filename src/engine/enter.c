/*
 * enter.c: entering and leaving frames.
 *
 * A container's region runs in a frame above its open step; an inline subworkflow's graph runs in an activation of its
 * own with a frame above that. A frame of the same region in the same place is used again, its memory reset, so that a
 * loop of any length holds the outputs of one round.
 *
 * A step that may fail with what was done within it undone (a container with a policy of its own, a call whose failure
 * is caught) has a subtransaction that spans the frames above it, from its first entry until it is settled. Such
 * subtransactions nest as the frames do; run.c rolls all of them back when the run fails.
 */
#include "postgres.h"

#include "access/xact.h"
#include "engine/attempt.h"
#include "engine/enter.h"
#include "engine/frame.h"
#include "engine/park.h"
#include "engine/step.h"
#include "utils/memutils.h"

static char *
child_path(Frame *frame, const WfNode *node, Frame *child, bool has_index)
{
	if (has_index)
		return psprintf("%s%s[" INT64_FORMAT "].", frame->path, node->id, child->index);
	if (child->region->branch != NULL)
		return psprintf("%s%s.%s.", frame->path, node->id, child->region->branch);
	return psprintf("%s%s.", frame->path, node->id);
}

static void
inherit_deadline(Frame *frame, Frame *child, TimestampTz enter_deadline)
{
	OpenStep   *open = frame->open;

	child->deadline = frame->deadline;
	if (open->deadline != 0 && (child->deadline == 0 || open->deadline < child->deadline))
	{
		child->deadline = open->deadline;
		child->node_deadline = true;
	}
	if (enter_deadline != 0 && (child->deadline == 0 || enter_deadline < child->deadline))
	{
		child->deadline = enter_deadline;
		child->own_deadline = true;
		child->node_deadline = false;
	}
}

/* Whether a failure of the open step undoes what was done within it. */
static bool
needs_span(const WfNode *node)
{
	return node->on_error != WF_ON_ERROR_FAIL || node->retry.max_attempts > 1 ||
		(node->error_wired && (node->block->flags & WF_BLOCK_ERRORS_OUT) == 0) || wf_attempt_catches_call(node);
}

void
wf_enter_begin_span(Run *run, OpenStep *open)
{
	if (open->spans || !needs_span(open->node))
		return;
	open->span_owner = CurrentResourceOwner;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(run->step_memory);
	open->spans = true;
}

/* The frame runs for the step. */
static void
add_frame(Frame *frame, OpenStep *open, Frame *child)
{
	MemoryContext old = MemoryContextSwitchTo(frame->memory);

	child->parent_step = open;
	open->frames = lappend(open->frames, child);
	MemoryContextSwitchTo(old);
}

void
wf_enter_region(Run *run, Frame *frame, const WfEnter *enter)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	int			region = node->regions[enter->region];
	Frame	   *child;
	MemoryContext old;

	wf_enter_begin_span(run, open);
	if (frame->children == NULL)
		frame->children = MemoryContextAllocZero(frame->memory, sizeof(Frame *) * open->step.graph->n_regions);
	child = wf_frame_begin(frame->activation, frame, region, frame->children[region]);
	frame->children[region] = child;
	add_frame(frame, open, child);
	old = MemoryContextSwitchTo(child->memory);
	child->input = enter->input;
	child->input_from = -1;
	child->has_item = enter->has_item;
	child->item = enter->item;
	child->index = enter->index;
	child->has_items = enter->has_items;
	child->items = enter->items;
	child->error = enter->error == NULL ? NULL : wf_error_to_json(enter->error);
	child->path = child_path(frame, node, child, enter->has_item);
	MemoryContextSwitchTo(old);
	inherit_deadline(frame, child, enter->deadline);
	run->frame = child;
	wf_frame_start(child);
}

void
wf_enter_workflow(Run *run, Frame *frame, const WfCall *call)
{
	OpenStep   *open = frame->open;
	const WfNode *node = open->node;
	Activation *activation;
	Frame	   *child;

	wf_enter_begin_span(run, open);
	activation = wf_activation_make(run, frame->activation, open->callee, open->memory, &call->input);
	wf_activation_enter(activation);
	activation->guarded = wf_attempt_is_guarded(frame);
	child = wf_frame_begin(activation, frame, 0, NULL);
	add_frame(frame, open, child);
	child->input = activation->trigger;
	child->input_from = -1;
	MemoryContextSwitchTo(child->memory);
	child->path = psprintf("%s%s.", frame->path, node->id);
	MemoryContextSwitchTo(run->step_memory);
	inherit_deadline(frame, child, 0);
	run->frame = child;
	wf_frame_start(child);
}

void
wf_enter_end_span(Run *run, Frame *frame, bool keep)
{
	OpenStep   *open = frame->open;

	if (!open->spans)
		return;
	open->spans = false;
	if (keep)
		ReleaseCurrentSubTransaction();
	else
		RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(run->step_memory);
	CurrentResourceOwner = open->span_owner;
}

void
wf_leave_step(Run *run, bool keep)
{
	Frame	   *frame = run->frame;

	if (frame->open == NULL)
		return;
	wf_step_journal(run, frame, "cancelled", NULL, NULL, NULL);
	wf_enter_end_span(run, frame, keep);
	wf_park_drop_within(run, frame->open);
	wf_step_forget(frame);
}

void
wf_leave_frame(Run *run)
{
	Frame	   *frame = run->frame;

	Assert(frame->open == NULL);
	wf_park_drop_parked(run, frame);
	if (frame->parent_step != NULL)
		frame->parent_step->frames = list_delete_ptr(frame->parent_step->frames, frame);
	run->frame = frame->parent;
	if (run->frame != NULL && run->frame->activation != frame->activation)
		wf_activation_end(frame->activation);
}

void
wf_leave_until(Run *run, Frame *frame, bool keep)
{
	while (run->frame != frame)
	{
		wf_leave_step(run, keep);
		wf_leave_frame(run);
	}
}
