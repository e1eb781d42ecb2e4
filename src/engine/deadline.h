/*
 * deadline.h: one timer for whatever deadline is nearest. Private to this room.
 */
#ifndef WF_ENGINE_DEADLINE_H
#define WF_ENGINE_DEADLINE_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Cancels the query at `deadline` (0: never) unless an earlier one is armed; returns what was armed, to
 * be given to wf_deadline_restore on all paths. */
extern TimestampTz wf_deadline_arm(TimestampTz deadline);
extern void wf_deadline_restore(TimestampTz before);

/* True when the timer fired since it was armed, and the statement's own time-out did not: a 57014 is then ours, or
 * that of a run around. Whoever takes it for its own says so. */
extern bool wf_deadline_fired(void);
extern void wf_deadline_take(void);
extern bool wf_deadline_is_past(TimestampTz deadline);

#endif
