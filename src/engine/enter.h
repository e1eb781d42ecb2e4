/*
 * enter.h: entering and leaving frames. Private to this room.
 */
#ifndef WF_ENGINE_ENTER_H
#define WF_ENGINE_ENTER_H

#include "engine/state.h"

/* The open step of the frame asks for a region, or calls the workflow that it found: that becomes the innermost frame.
 * The attempt has seen to it that it is not too deep. */
extern void wf_enter_region(Run *run, Frame *frame, const WfEnter *enter);
extern void wf_enter_workflow(Run *run, Frame *frame, const WfCall *call);

/* Begins the subtransaction that spans the frames above the open step, if its failure undoes what was done there. */
extern void wf_enter_begin_span(Run *run, OpenStep *open);

/* Ends the subtransaction that spans the frames above the open step, if there is one. */
extern void wf_enter_end_span(Run *run, Frame *frame, bool keep);

/* Gives up the open step of the innermost frame, if there is one: it is noted as cancelled, what was done within it is
 * kept or not. */
extern void wf_leave_step(Run *run, bool keep);

/* Leaves the innermost frame, whose step is not open; an inline subworkflow ends with its top frame. */
extern void wf_leave_frame(Run *run);

/* Leaves frames until `frame` is the innermost, giving up their open steps. */
extern void wf_leave_until(Run *run, Frame *frame, bool keep);

#endif
