/*
 * failure.h: what becomes of a failure. Private to this room.
 */
#ifndef WF_ENGINE_FAILURE_H
#define WF_ENGINE_FAILURE_H

#include "base/compat.h"
#include "engine/attempt.h"

/* Does with the failure of the frame's open step what the definition says. Throws what ends the run. */
extern void wf_handle_failure(Run *run, Frame *frame, Failure *failure);

/* The innermost frame has failed (frame->failure) with no step open: its container's step is resumed with that. */
extern void wf_handle_frame_failure(Run *run, Frame *frame);

/* Ends the run with an error that no handler may take, or that none took: throws it, run->error set. */
pg_noreturn extern void wf_fail_run(Run *run, WfError *error);

#endif
