/*
 * step.h: executing nodes. Private to this room.
 */
#ifndef WF_ENGINE_STEP_H
#define WF_ENGINE_STEP_H

#include "engine/state.h"

/*
 * Executes the run until it has ended. A failure that nothing in the definition handles is thrown, with
 * run->error set when it is not the error itself; run->frame then still tells which steps were open.
 */
extern void wf_step_advance(Run *run);

/* Notes the open step of the frame in the journal. */
extern void wf_step_journal(Run *run, Frame *frame, const char *status, const char *port, Jsonb *output, Jsonb *error);

/* The open step is over: its edges are resolved by open.live, its memory is given back. */
extern void wf_step_close(Frame *frame);

/* Gives the open step's memory back. */
extern void wf_step_forget(Frame *frame);

/* Leaves `child`, which ran for its parent's open step, and resumes that with the reply. */
extern void wf_step_resume_parent(Run *run, Frame *child, WfReply *reply);

/* Notes the steps that were open when the run failed. */
extern void wf_step_journal_failure(Run *run, const WfError *error);

/* run.c: the run holds a compiled workflow until its memory goes. */
extern void wf_run_hold(Run *run, WfCompiled *compiled);

/* activation.c: begins a graph: its variables, role and search path. Ends it: both are restored. */
extern Activation *wf_activation_begin(Run *run, Activation *parent, WfCompiled *compiled, MemoryContext around,
									   const JsonbValue *trigger);
extern void wf_activation_end(Activation *activation);
/* A step is over: nothing holds values of the variables that it replaced. */
extern void wf_activation_forget_vars(Activation *activation);

/* policy.c: may the failed step be tried again, and when not, what is done with its error. */
extern bool wf_policy_retries(const WfNode *node, const WfError *error, int attempt, TimestampTz first_started_at);
/* Waits before attempt + 1 of the frame's open step, at most until the nearest deadline; interruptible. */
extern void wf_policy_wait(Run *run, Frame *frame, int attempt);

#endif
