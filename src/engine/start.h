/*
 * start.h: runs that begin in the background. Private to this room.
 */
#ifndef WF_ENGINE_START_H
#define WF_ENGINE_START_H

#include "engine/state.h"

/* Queues a run of `callee` with this input; `parent` NULL: nobody waits for it. Its id. */
extern pg_uuid_t wf_start_child(Run *run, const WfCompiled *callee, const JsonbValue *input, const RunParent *parent);

/* Queues a run that executes a region of the frame's open step, and notes it there. */
extern void wf_spawn_region(Run *run, Frame *frame, const WfEnter *enter);

/* Queues a run of the workflow `name` that is told of a failed run (settings.errorWorkflow); notes in the log that it is not
 * active. */
extern void wf_start_error_workflow(Run *run, const char *name, Jsonb *input);
/* Tells whoever is to know that the run has failed with this error; once it is recorded. Throws no failure of theirs. (told.c) */
extern void wf_tell_of_failure(Run *run, const Jsonb *error);

/* What a start has to pass. */
typedef struct StartRules
{
	const pg_uuid_t *workflow_id;
	const char *workflow;		/* its name */
	int			gate_size;		/* 0: unbounded */
	const char *gate;			/* one that the start has whatever the workflow says, or NULL */
	const WfExpr *gate_key;		/* or NULL */
	const char *gate_policy;	/* or NULL */
	bool		later;			/* it may be written at the end of the statement */
} StartRules;

/* A scope in which `$input` and `$trigger` are this, for expressions that are evaluated before there is a run. In
 * CurrentMemoryContext. */
extern WfScope *wf_start_scope(Jsonb *input);
/* Those of a trigger's workflow; in CurrentMemoryContext. Throws WF002. */
extern void wf_start_rules_of_trigger(const WfTriggerRow *trigger, const WfFire *fire, StartRules *rules);
/* Queues a run for each input; of `run` all is set that they share. Needs an SPI connection. Throws WF016. */
extern void wf_start_all(Run *run, const StartRules *rules, Jsonb **inputs, int n, WfStarted *out);
/* How many may be within the gate of a start: as the workflow says, or any number, of the tenant's. */
extern int	wf_start_gate_size(const char *gate, const WfSettings *settings);
/* Throw 55000: the role cannot log in; there are no workers. */
extern void wf_start_require_login(Oid role);
extern void wf_start_require_workers(void);

/* Cancels a run of the tenant: at once when it has not begun, else by a message; false: it has ended. (control.c) */
extern bool wf_control_cancel(const WfTenant *tenant, const pg_uuid_t *run_id, const char *reason);

/* What a run was started with, as JSON for its rows: NULL when all is as usual. And back, into the run. */
extern Jsonb *wf_start_options(const Run *run);
extern void wf_start_read_options(Run *run, const Jsonb *options);

/* As whom runs of this version execute: its owner, or the current user. */
extern Oid	wf_start_role(const WfCompiled *compiled);

extern char *wf_engine_uuid_text(const pg_uuid_t *id);
/* False when the text is NULL or no uuid. */
extern bool wf_engine_uuid_read(const char *text, pg_uuid_t *out);

#endif
