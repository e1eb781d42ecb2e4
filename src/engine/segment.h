/*
 * segment.h: one segment of a run, from its first step to its record. Private to this room.
 */
#ifndef WF_ENGINE_SEGMENT_H
#define WF_ENGINE_SEGMENT_H

#include "engine/state.h"

/* A run with nothing in it but memory. */
extern Run *wf_segment_new_run(WfRunMode mode);

/* Takes over what the definition says of the run (settings, time-out); run->compiled is set. */
extern void wf_segment_apply_settings(Run *run);

/* What the segment does, within whatever transaction is open: `begin`, all that is ready, and leaving the activations. */
extern void wf_segment_work(Run *run, void (*begin) (Run *run, void *arg), void *arg);

/* Begins the graph and its top frame. For wf_segment_execute. */
extern void wf_segment_begin_graph(Run *run, void *arg);

/*
 * Executes in a subtransaction: `begin` makes or wakes what is to run, the rest is done here. Afterwards the run has
 * ended, is suspended, or has an error (its effects are rolled back), or is slow (likewise). Throws what is not the run's: cancel,
 * shutdown, lack of memory, serialization failures under one snapshot a transaction.
 */
extern void wf_segment_execute(Run *run, void (*begin) (Run *run, void *arg), void *arg);

/*
 * Writes what came of the segment: the record of an ended run, or the live run and what it waits for. For a run that
 * failed and has committed effects to compensate, the compensation is queued. Sets the result, whose values are the run's.
 */
extern void wf_segment_settle(Run *run, WfRunResult *result);

/* Does an error end the caller's statement rather than the run? Makes an error the run's, with the node named. */
extern bool wf_segment_must_rethrow(Run *run, const ErrorData *data);
extern void wf_segment_place_error(Run *run, const ErrorData *data);

/* Adds where the run is to what is reported. Callback of an ErrorContextCallback, whose arg is the run. */
extern void wf_segment_add_context(void *arg);

#endif
