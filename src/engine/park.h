/*
 * park.h: steps that wait, and the paths to them. Private to this room.
 */
#ifndef WF_ENGINE_PARK_H
#define WF_ENGINE_PARK_H

#include "engine/state.h"

/* May the run be suspended? Not a call, an atomic one, nor where there are no workers; a dry run may, and then ends. */
extern bool wf_park_can(const Run *run);

/*
 * The frame's open step waits as `wait` says: what it waits for is written down and the step is parked (false); or has
 * come already, with `reply` to be given to it (true). Throws 55000 and WF014 where the run cannot be suspended.
 */
extern bool wf_park_wait(Run *run, Frame *frame, const WfWait *wait, WfReply *reply);

/* The frame's open step failed and is tried again after a while. */
extern void wf_park_retry(Run *run, Frame *frame, int64 delay_ms);

/* The frame's open step becomes a parked one. */
extern void wf_park_open(Run *run, Frame *frame);

/* The innermost frame cannot go on before a message comes: so its container waits, or the run is suspended. */
extern void wf_park_frame(Run *run);

/* The parked step with this number, and its frame; NULL when there is none. */
extern OpenStep *wf_park_find(Run *run, int seq, Frame **frame);

/* Makes a parked step the open one of the innermost frame. The run must be at its top frame, with no step open. */
extern void wf_park_go_to(Run *run, Frame *frame, OpenStep *step);

/* When the step is to be looked at again: its own wait, or the nearest deadline around it; 0: never. */
extern TimestampTz wf_park_wake_at(const Run *run, const Frame *frame, const OpenStep *step);
/* Writes the wait of a parked step (again). */
extern void wf_park_put_wait(Run *run, const Frame *frame, const OpenStep *step);

/* Takes back what a step has asked for outside of the run: its wait, its task, child runs. */
extern void wf_park_withdraw(Run *run, OpenStep *step);

/* Gives up everything that runs or waits for the open step; everything that is parked in the frame. */
extern void wf_park_drop_within(Run *run, OpenStep *open);
extern void wf_park_drop_parked(Run *run, Frame *frame);

/* Calls `visit` for every parked step of the run, those within before those around. */
extern void wf_park_each(Run *run, void (*visit) (Run *run, Frame *frame, OpenStep *step, void *arg), void *arg);

#endif
