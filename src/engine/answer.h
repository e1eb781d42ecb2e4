/*
 * answer.h: what the block `respond` says, for whoever waits for it. Private to this room.
 */
#ifndef WF_ENGINE_ANSWER_H
#define WF_ENGINE_ANSWER_H

#include "engine/state.h"

/* From now on somebody waits for what the run answers, until wf_answer_stop, which gets what this returned. */
extern Run *wf_answer_wait(Run *run);
extern void wf_answer_stop(Run *before);
/* What waits now, for wf_answer_stop in a PG_FINALLY that was entered before. */
extern Run *wf_answer_waiting(void);

/* Keeps a copy of an answer; false: nobody waits for it, or there is one. */
extern bool wf_answer_give(Run *run, const Jsonb *answer);

/* Registers its callback; once. */
extern void wf_answer_init(void);

#endif
