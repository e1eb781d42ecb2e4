/*
 * again.c: a failed run goes on (wf_retry).
 *
 * The segment that failed was rolled back, so its run stands as the segment before left it. It is made live again as it
 * stood then (`again` in its state says so), and is given once more the messages that the segment was given, and those
 * that came after the failure (`last`). Other steps that were waiting beside it were given up when the run failed: their
 * waits are written again, their tasks opened again. Child runs that had not completed were cancelled, and requests
 * withdrawn, so steps that waited for such are executed anew; but not when word that they have completed is on its way.
 * Events were not sent to steps that did not wait, so those look into the buffer.
 *
 * Whatever message comes first begins this, and is given to the run as well; a second GO finds nothing to do. A run with
 * a gate is begun by GO alone, since that has passed it.
 *
 * A node that wf_retry names (`from`) is executed again, with all that comes after it; what was before it stays, and what is
 * beside it is given its messages.
 */
#include "postgres.h"

#include "base/clock.h"
#include "engine/again.h"
#include "engine/frame.h"
#include "engine/mail.h"
#include "engine/park.h"
#include "engine/step.h"
#include "engine/turn.h"
#include "nodes/bitmapset.h"
#include "utils/memutils.h"

/* The step is to be executed again from its beginning, at once. */
static void
execute_anew(Run *run, Frame *frame, OpenStep *step)
{
	step->frames = NIL;
	step->spawned = NIL;
	step->waits = STEP_RETRY;
	step->wait_until = wf_clock_now();
	step->attempt = 0;			/* the next is the first */
	wf_park_put_wait(run, frame, step);
}

/* The step goes on with an event that came while it did not wait, and is in the buffer still. */
static bool
take_event(Run *run, Frame *frame, OpenStep *step)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	WfReply		reply = {.region = -1};
	bool		has_come = wf_mail_has_come(run, step->event, step->correlation, &reply.output);

	MemoryContextSwitchTo(old);
	if (has_come)
		wf_turn_resume(run, frame, step, &reply);
	return has_come;
}

static void
wait_again(Run *run, Frame *frame, OpenStep *step)
{
	switch (step->waits)
	{
		case STEP_EVENT:
			if (!take_event(run, frame, step))
				wf_park_put_wait(run, frame, step);
			return;
		case STEP_TIME:
		case STEP_RETRY:
			wf_park_put_wait(run, frame, step);
			return;
		case STEP_TASK:
			if (wf_store_reopen_task(&run->tenant.tenant_id, &run->run_id, step->seq))
				wf_park_put_wait(run, frame, step);
			return;
		case STEP_CHILD:
		case STEP_REQUEST:
			if (wf_store_has_result(&run->tenant.tenant_id, &run->run_id, step->seq, &step->child))
				wf_park_put_wait(run, frame, step);
			else
				execute_anew(run, frame, step);
			return;
		case STEP_HOLDS:
			if (step->spawned != NIL)
				execute_anew(run, frame, step);
			return;
		case STEP_RUNS:
			return;
	}
}

/* -- from a named node -- */

/* The node and what comes after it in its region, without back edges. */
static Bitmapset *
followers_of(const WfGraph *graph, const WfRegion *region, int node)
{
	Bitmapset  *set = bms_make_singleton(node);

	/* nodes are in topological order */
	for (int i = 0; i < region->n_nodes; i++)
	{
		const WfNode *n = &graph->nodes[region->nodes[i]];

		for (int e = 0; e < n->n_in; e++)
			if (bms_is_member(n->in[e]->source, set))
				set = bms_add_member(set, n->index);
	}
	return set;
}

/* Whether the target knows of the edge: its source is done, and so is the loop that it leaves. */
static bool
is_resolved(Frame *frame, WfEdge *edge)
{
	SlotState	state = wf_frame_slot(frame, edge->source)->state;

	if (state != SLOT_DONE && state != SLOT_SKIPPED)
		return false;
	for (int i = 0; i < frame->activation->compiled->n_region_loops[frame->region->index]; i++)
		if (list_member_ptr(frame->loops[i].held, edge))
			return false;
	return true;
}

/* The slot waits for those of its edges that are to be resolved, or again; arrivals from elsewhere stay. */
static void
reset_slot(Frame *frame, const WfNode *node, const Bitmapset *again)
{
	Slot	   *slot = wf_frame_slot(frame, node->index);
	WfEdge	  **arrivals = wf_frame_arrivals(frame, node->index);
	int			n = 0;

	if (slot->state == SLOT_DONE || slot->state == SLOT_SKIPPED)
		frame->n_unresolved++;
	slot->pending = 0;
	for (int e = 0; e < node->n_in; e++)
		if (bms_is_member(node->in[e]->source, again) || !is_resolved(frame, node->in[e]))
			slot->pending++;
	for (int a = 0; a < slot->n_arrivals; a++)
		if (!bms_is_member(arrivals[a]->source, again))
			arrivals[n++] = arrivals[a];
	slot->n_arrivals = n;
	slot->state = SLOT_WAITING;
}

static void
drop_parked(Run *run, Frame *frame, const Bitmapset *again)
{
	for (int i = list_length(frame->parked) - 1; i >= 0; i--)
	{
		OpenStep   *step = list_nth(frame->parked, i);

		if (!bms_is_member(step->node->index, again))
			continue;
		wf_park_withdraw(run, step);
		frame->parked = list_delete_nth_cell(frame->parked, i);
	}
}

/* What the node and those after it did is as if it had not been. It is ready, unless what is before it has not ended. */
static const WfNode *
reset_from(Run *run, const char *id)
{
	const WfGraph *graph = run->compiled->graph;
	int			index = wf_graph_find(graph, id, strlen(id));
	Frame	   *frame = run->frame;
	Bitmapset  *again;

	if (index < 0 || graph->nodes[index].region != frame->region->index || graph->nodes[index].is_compensation ||
		graph->nodes[index].loop >= 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("the run cannot go on from node \"%s\"", id),
						errhint("Name a node at the top of the graph that is in no loop.")));
	again = followers_of(graph, frame->region, index);
	drop_parked(run, frame, again);
	for (int i = 0; i < frame->region->n_nodes; i++)
		if (bms_is_member(frame->region->nodes[i], again))
			reset_slot(frame, &graph->nodes[frame->region->nodes[i]], again);
	if (wf_frame_slot(frame, index)->pending == 0)
		wf_frame_enqueue(frame, &graph->nodes[index]);
	return &graph->nodes[index];
}

/* The node is executed now, without what it might wait for. */
static void
begin_at(Run *run, const WfNode *node)
{
	if (wf_frame_slot(run->frame, node->index)->state == SLOT_WAITING)
		wf_frame_enqueue(run->frame, node);
	if (run->frame->queue_count > 0)
		wf_turn_go_on(run);
}

/* -- the whole -- */

static void
note_parked(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	List	  **steps = arg;

	*steps = lappend_int(*steps, step->seq);
}

bool
wf_again_is_failed(const WfMessage *message)
{
	JsonbValue	payload;
	JsonbValue	error;
	const char *status;

	if (message->payload == NULL || (message->kind != WF_MESSAGE_REPLY && message->kind != WF_MESSAGE_CHILD))
		return false;
	wf_json_root(message->payload, &payload);
	if (message->kind == WF_MESSAGE_REPLY)
		return wf_json_field(&payload, "failed", &error);
	status = wf_json_get_cstring(&payload, "status");
	return status == NULL || strcmp(status, "completed") != 0;
}

/* Gives the run what it had been given. */
static void
deliver_last(Run *run, const JsonbValue *root)
{
	JsonbValue	list;
	JsonbValue	saved;
	JsonbValue	payload;

	if (!wf_json_field(root, "last", &list))
		return;
	for (uint32 i = 0; i < wf_json_count(&list) && run->suspended; i++)
	{
		WfMessage	message = {0};

		(void) wf_json_element(&list, i, &saved);
		message.tenant_id = run->tenant.tenant_id;
		message.run_id = run->run_id;
		message.kind = (WfMessageKind) wf_json_get_int64(&saved, "kind", 0);
		message.step = (int) wf_json_get_int64(&saved, "step", 0);
		if (wf_json_field(&saved, "payload", &payload))
		{
			MemoryContext old = MemoryContextSwitchTo(run->memory);

			message.payload = wf_json_copy(&payload);
			MemoryContextSwitchTo(old);
		}
		/* what failed is what is to be tried again */
		if (!wf_again_is_failed(&message))
			wf_turn_deliver(run, &message);
	}
}

bool
wf_again_is_due(const Run *run)
{
	JsonbValue	root;
	JsonbValue	value;

	wf_json_root(run->live->state, &root);
	return wf_json_field(&root, "again", &value);
}

void
wf_again_begin(Run *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->memory);
	const WfNode *node = NULL;
	List	   *steps = NIL;
	ListCell   *cell;
	JsonbValue	root;
	char	   *from;

	wf_json_root(run->live->state, &root);
	from = wf_json_get_cstring(&root, "from");
	wf_park_each(run, note_parked, &steps);
	MemoryContextSwitchTo(old);
	run->moved = true;
	if (from != NULL)
		node = reset_from(run, from);
	deliver_last(run, &root);
	wf_turn_deliver_all(run, true);
	if (node != NULL && run->suspended)
		begin_at(run, node);
	foreach(cell, steps)
	{
		Frame	   *frame;
		OpenStep   *step = run->suspended ? wf_park_find(run, lfirst_int(cell), &frame) : NULL;

		if (step != NULL)
			wait_again(run, frame, step);
	}
}
