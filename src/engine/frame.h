/*
 * frame.h: regions being executed. Private to this room.
 */
#ifndef WF_ENGINE_FRAME_H
#define WF_ENGINE_FRAME_H

#include "engine/state.h"

/* A frame of the region; its owner fills what its nodes see and calls wf_frame_start. `parent` is NULL for a
 * run's top. `reuse`, when given, is a frame of the same region whose memory is taken over. */
extern Frame *wf_frame_begin(Activation *activation, Frame *parent, int region, Frame *reuse);

/* Throws WF006 when a frame above this one would be too deep. */
extern void wf_frame_check_depth(const Frame *parent);

/* Queues the starting nodes: manual triggers if there are such, else all triggers, else all. */
extern void wf_frame_start(Frame *frame);
/* The trigger at which a run of the graph begins, by its name or without (`trigger` as in Run); NULL: it has none, or several and
 * none of them is meant. */
extern const WfNode *wf_frame_start_node(const WfGraph *graph, const char *name, bool is_called, const char *trigger);

/* Queues this node and no other; the frame's slots are all SKIPPED. */
extern void wf_frame_only(Frame *frame, const WfNode *node);

/* Queues a node that waits, whatever it waits for. */
extern void wf_frame_enqueue(Frame *frame, const WfNode *node);

/* Takes the next ready node; NULL when none is ready. */
extern const WfNode *wf_frame_next(Frame *frame);

/* True when every node is done or skipped. */
extern bool wf_frame_is_done(const Frame *frame);

/* A node was executed: resolves its outgoing edges, `live` by position in node->out (NULL: none is), and all that
 * follows from it: skipped nodes, further iterations of loops. Sets frame->failure (WF006) when a back edge has fired
 * too often: the frame is at an end then. */
extern void wf_frame_finish_node(Frame *frame, const WfNode *node, const bool *live);

/* The region's result by the rules for runs; in CurrentMemoryContext or borrowed from the frame. */
extern void wf_frame_result(Frame *frame, JsonbValue *out);

static inline Slot *
wf_frame_slot(const Frame *frame, int node)
{
	return &frame->slots[frame->activation->compiled->slot[node]];
}

static inline WfEdge **
wf_frame_arrivals(const Frame *frame, int node)
{
	return &frame->arrivals[frame->activation->compiled->arrival_base[node]];
}

#endif
