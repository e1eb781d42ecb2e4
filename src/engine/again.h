/*
 * again.h: a failed run goes on. Private to this room.
 */
#ifndef WF_ENGINE_AGAIN_H
#define WF_ENGINE_AGAIN_H

#include "engine/state.h"

/* Whether the run, which was loaded, is to go on after a failure. */
extern bool wf_again_is_due(const Run *run);
/* The run was loaded from what wf_retry made live: what it waited for is asked for again, and it begins where it failed,
 * or at the node that wf_retry named. */
extern void wf_again_begin(Run *run);
/* Whether the message tells of a child run or a request that failed. */
extern bool wf_again_is_failed(const WfMessage *message);

#endif
