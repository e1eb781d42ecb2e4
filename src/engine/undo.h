/*
 * undo.h: compensation of what earlier segments did. Private to this room.
 */
#ifndef WF_ENGINE_UNDO_H
#define WF_ENGINE_UNDO_H

#include "engine/state.h"

/* The frame's open step is done: if it has a compensation, that is noted. */
extern void wf_undo_note(Run *run, Frame *frame);

/* Begins the compensation of the last step that is noted; wf_step_advance executes it. The state was loaded. */
extern void wf_undo_begin(Run *run);

/* The step that is compensated next; NULL: none is left. */
extern Undo *wf_undo_last(const Run *run);

#endif
