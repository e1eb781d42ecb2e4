/*
 * enter.h: entering and leaving frames. Private to this room.
 */
#ifndef WF_ENGINE_ENTER_H
#define WF_ENGINE_ENTER_H

#include "engine/state.h"

/* The open step of the frame asks for a region, or calls the workflow that it found: that becomes the innermost frame.
 * Throws WF006 when too deep. */
extern void wf_enter_region(Run *run, Frame *frame, const WfEnter *enter);
extern void wf_enter_workflow(Run *run, Frame *frame, const WfCall *call);

/* Leaves the innermost frame; an inline subworkflow ends with its top frame. */
extern void wf_leave_frame(Run *run);

/* Leaves frames until `frame` is the innermost; their open steps are noted as cancelled. */
extern void wf_leave_until(Run *run, Frame *frame);

#endif
