/*
 * turn.h: runs as messages and rows have them. Private to this room.
 */
#ifndef WF_ENGINE_TURN_H
#define WF_ENGINE_TURN_H

#include "engine/state.h"

/* A run that begins with this message; one that goes on, or begins late, whose row is locked. */
extern Run *wf_turn_run_of_start(const WfMessage *message);
extern Run *wf_turn_run_of_live(WfLiveRow *live);

/* Gives a message to the run, which is suspended: the step that waits for it goes on, or nothing happens. */
extern void wf_turn_deliver(Run *run, const WfMessage *message);
/* Gives it, as long as it is suspended again, the message that the segment began with and more of the batch; one that goes
 * on after its failure (`again`) nothing that failed, which is tried again. */
extern void wf_turn_deliver_all(Run *run, bool again);
/* May it be given to its run? Signals are, in the order in which they were sent: not before those that another worker holds. */
extern bool wf_turn_is_in_order(const WfMessage *message);
/* The parked step goes on with the reply; what is ready is executed. Then the run is suspended again, or has ended. */
extern void wf_turn_resume(Run *run, Frame *frame, OpenStep *step, WfReply *reply);
extern void wf_turn_go_on(Run *run);

/* The run's error is that it was cancelled, for this reason (a string, or NULL). */
extern void wf_turn_set_cancelled(Run *run, const Jsonb *reason);
/* It is that the run took its worker down too often. */
extern void wf_turn_set_parked(Run *run);

#endif
