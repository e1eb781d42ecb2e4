/*
 * save.h: a suspended run as JSON, and back. Private to this room.
 */
#ifndef WF_ENGINE_SAVE_H
#define WF_ENGINE_SAVE_H

#include "engine/state.h"

/* The state of a suspended run, in CurrentMemoryContext. */
extern Jsonb *wf_save_state(Run *run);

/* Makes the run's tree again; run->compiled is set. Throws WF014 when the state does not fit the definition (wf_migrate). */
extern void wf_load_state(Run *run, const Jsonb *state);
/* Throws WF014 when the run, which was loaded with another version than it was saved with, could not come to its end. */
extern void wf_load_check(const Run *run);

/* What a child run that executes a region of the open step needs to know, for its options. */
extern Jsonb *wf_save_branch(Run *run, Frame *frame, const WfEnter *enter);
/* Begins such a child: its activation and top frame; and which region it executes. */
extern void wf_load_branch(Run *run);
extern int	wf_load_branch_region(const Run *run);

/* Calls `visit` with each child run that a saved state waits for. */
extern void wf_save_each_child(const Jsonb *state, void (*visit) (const pg_uuid_t *child, void *arg), void *arg);

/* A saved state with the run's present list of compensations, and what could not be compensated, if there is such; the
 * latter of a state. */
extern Jsonb *wf_save_undo(const Run *run, const Jsonb *state, const char *unfinished);
extern const char *wf_save_unfinished(const Jsonb *state);
/* {"kind", "step", "payload"} */
extern Jsonb *wf_save_message(const WfMessage *message);
/* The state before this segment with the messages that it failed over and kept signals (wf_retry gives them again). */
extern Jsonb *wf_save_last(const Run *run);

/* Ids of the nodes whose steps wait, as text[]; NULL: none. What a view shows of a run: done, total, and waiting steps. */
extern ArrayType *wf_save_current_nodes(Run *run);
extern Jsonb *wf_save_progress(Run *run);

#endif
