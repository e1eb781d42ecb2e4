/*
 * again.c: a failed run goes on (wf_retry).
 *
 * The segment that failed was rolled back, so its run stands as the segment before left it. It is made live again as it
 * stood then (`again` in its state says so), and is given once more the messages that the segment was given, and those
 * that came after the failure (`last`). Other steps that were waiting beside it were given up when the run failed: their
 * waits are written again, their tasks opened again. Child runs that had not completed were cancelled, and requests
 * withdrawn, so steps that waited for such are executed anew.
 *
 * Whatever message comes first begins this; a second GO finds nothing to do.
 *
 * A node that wf_retry names (`from`) is executed again, with all that comes after it; what was before it stays.
 */
#include "postgres.h"

#include "base/clock.h"
#include "engine/again.h"
#include "engine/frame.h"
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

static void
wait_again(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	switch (step->waits)
	{
		case STEP_TIME:
		case STEP_EVENT:
		case STEP_RETRY:
			wf_park_put_wait(run, frame, step);
			return;
		case STEP_TASK:
			if (wf_store_reopen_task(&run->tenant.tenant_id, &run->run_id, step->seq))
				wf_park_put_wait(run, frame, step);
			return;
		case STEP_CHILD:
		case STEP_REQUEST:
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

/* The slot waits for those of its edges that are to be resolved again; arrivals from elsewhere stay. */
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
		if (bms_is_member(node->in[e]->source, again))
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

static void
begin_at(Run *run, const char *id)
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
	wf_park_each(run, wait_again, NULL);
	run->suspended = false;
	run->moved = true;
	wf_frame_enqueue(frame, &graph->nodes[index]);
	wf_step_advance(run);
}

/* -- the whole -- */

static void
note_parked(Run *run, Frame *frame, OpenStep *step, void *arg)
{
	List	  **steps = arg;

	*steps = lappend_int(*steps, step->seq);
}

/* A child run or a request that failed is what is to be tried again. */
static bool
is_failed(const WfMessage *message, const JsonbValue *payload)
{
	const char *status = wf_json_is_object(payload) ? wf_json_get_cstring(payload, "status") : NULL;
	JsonbValue	error;

	if (message->kind == WF_MESSAGE_REPLY)
		return wf_json_field(payload, "failed", &error);
	return message->kind == WF_MESSAGE_CHILD && (status == NULL || strcmp(status, "completed") != 0);
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
			if (is_failed(&message, &payload))
				continue;
		}
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
	List	   *steps = NIL;
	ListCell   *cell;
	JsonbValue	root;
	char	   *from;

	wf_json_root(run->live->state, &root);
	from = wf_json_get_cstring(&root, "from");
	wf_park_each(run, note_parked, &steps);
	MemoryContextSwitchTo(old);
	if (from != NULL)
	{
		begin_at(run, from);
		return;
	}
	run->moved = true;
	deliver_last(run, &root);
	foreach(cell, steps)
	{
		Frame	   *frame;
		OpenStep   *step = run->suspended ? wf_park_find(run, lfirst_int(cell), &frame) : NULL;

		if (step != NULL)
			wait_again(run, frame, step, NULL);
	}
}
