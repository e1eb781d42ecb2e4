/*
 * step.h: executing nodes. Private to this room.
 */
#ifndef WF_ENGINE_STEP_H
#define WF_ENGINE_STEP_H

#include "engine/state.h"

/*
 * Executes the run until it has ended or is suspended. A failure that nothing in the definition handles is thrown, with
 * run->error set when it is not the error itself; run->frame then still tells which steps were open.
 */
extern void wf_step_advance(Run *run);

/* Executes (reply NULL) or resumes the frame's open step and does what comes of it. */
extern void wf_step_perform(Run *run, Frame *frame, const WfReply *reply);

/* `$input` and the arrivals of the frame's open step, from the outputs of its predecessors. */
extern void wf_step_gather_input(Frame *frame);

/* What a loaded step needs besides what was saved: all that follows from its node. */
extern void wf_step_fill(Run *run, Frame *frame, OpenStep *open, const WfNode *node);

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
/*
 * May the run call this workflow, and so make it run with the rights of whoever that does? Whose rights: the role that the run
 * executes as. What is refused is, by its name, what a workflow is that does not exist (WF001), or 42501 for one that may be read.
 */
extern bool wf_run_may_call(Run *run, const pg_uuid_t *workflow_id);
extern void wf_run_check_callee(Run *run, const char *name);
/* Options that name nodes (mocks, trigger): a node that does not exist would be none at all. Throws 22023. */
extern void wf_run_check_nodes(const Run *run, const WfGraph *graph);
/* Throws 23505: another run has the idempotency key. */
pg_noreturn extern void wf_run_refuse_key(const char *workflow, const char *key, const pg_uuid_t *earlier);
/* How a run stands. Throws WF014 when there is none. */
extern void wf_run_result(const WfTenant *tenant, const pg_uuid_t *run_id, WfRunResult *result);

/* activation.c: a graph to be executed, in a context below `around`. */
extern Activation *wf_activation_make(Run *run, Activation *parent, WfCompiled *compiled, MemoryContext around,
									  const JsonbValue *trigger);
/* It becomes the innermost: role and search path are set; and back. */
extern void wf_activation_enter(Activation *activation);
extern void wf_activation_leave(Activation *activation);
/* Its outputs and variables are no part of the run's context any more. */
extern void wf_activation_give_back(Activation *activation);
/* Both. */
extern void wf_activation_end(Activation *activation);
/* A step is over: nothing holds values of the variables that it replaced. */
extern void wf_activation_forget_vars(Activation *activation);

/* policy.c: may the failed step be tried again? */
extern bool wf_policy_retries(const WfNode *node, const WfError *error, int attempt, TimestampTz first_started_at);
/* How long the open step waits before its next attempt; 0 in atomic workflows. */
extern int64 wf_policy_delay_ms(const Frame *frame);
/* Waits so long within the transaction, at most until the nearest deadline; interruptible. */
extern void wf_policy_wait(const Run *run, const Frame *frame, int64 delay_ms);

#endif
