/*
 * attempt.h: one execution or resume of the open step. Private to this room.
 */
#ifndef WF_ENGINE_ATTEMPT_H
#define WF_ENGINE_ATTEMPT_H

#include "engine/state.h"

/* A failure as it travels: whose deadline it was, if one was. */
typedef struct Failure
{
	WfError    *error;			/* in run or step memory */
	Frame	   *frame;			/* the frame whose deadline passed, or NULL */
	bool		ends_run;		/* no handler may take it */
} Failure;

/* What blocks may ask for (ops.c). */
extern const WfStepOps wf_step_ops;

/*
 * Executes the open step of the frame, or resumes it with a reply: true with the outcome, false with the failure. A
 * failure that nobody handles is thrown. What a failed attempt did is undone if somebody handles it.
 */
extern bool wf_attempt(Run *run, Frame *frame, const WfReply *reply, WfOutcome *outcome, Failure *failure);

/* Calls `work` as an attempt is called: what it throws is the failure (false) where somebody handles it. */
typedef void (*WfWork) (Run *run, Frame *frame, void *arg);
extern bool wf_attempt_guarded(Run *run, Frame *frame, WfWork work, void *arg, Failure *failure);

/* A copy of an output in frame memory becomes what `$node` tells. Throws WF006 over a limit. */
extern void wf_attempt_store(Run *run, Frame *frame, const WfNode *node, const WfOutcome *outcome);

/* Sets open.live: outgoing edges at a live port whose condition holds. Throws WF008. */
extern void wf_attempt_resolve_edges(Frame *frame, const WfNode *node, int port, const Bitmapset *more_ports);

/* Names the step in an error that names none. */
extern void wf_attempt_place_error(WfError *error, const OpenStep *open);

/* Which deadline has passed, seen from the open step of `frame`; false when none of this run's has. */
extern bool wf_attempt_deadline(Run *run, Frame *frame, Failure *failure);

/* The run's own time-out as an error, in run memory. */
extern WfError *wf_attempt_run_timeout(Run *run);

/* Whether the node calls a workflow and handles its failure. */
static inline bool
wf_attempt_catches_call(const WfNode *node)
{
	return node->block->catches != NULL && (node->block->flags & WF_BLOCK_CONTAINER) == 0 &&
		node->block->catches(node, NULL);
}

/* Whether somebody handles failures of this frame's open step. */
static inline bool
wf_attempt_is_guarded(const Frame *frame)
{
	return frame->open->node->guarded || frame->activation->guarded || wf_attempt_catches_call(frame->open->node);
}

#endif
