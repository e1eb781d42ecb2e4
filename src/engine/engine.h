/*
 * engine.h: what the SQL API asks of the engine.
 *
 * Callers hold a transaction; the engine opens its own SPI connection. Results are in the caller's
 * CurrentMemoryContext.
 */
#ifndef WF_ENGINE_ENGINE_H
#define WF_ENGINE_ENGINE_H

#include "postgres.h"
#include "base/compat.h"
#include "base/diagnostics.h"
#include "base/error.h"
#include "block/block.h"
#include "graph/graph.h"
#include "store/runtime.h"
#include "store/store.h"
#include "store/trigger.h"

/* -- compiled workflows (compiled.c) -- */

typedef struct WfCompiled
{
	WfTenant	tenant;
	pg_uuid_t	workflow_id;
	const char *name;
	int			version;
	const char *search_path;
	Oid			owner;			/* who saved this version */
	WfGraph    *graph;
	bool		touches_database;	/* some node runs SQL */
	const struct WfPiiPaths *pii;	/* what is personal in its runs; NULL: nothing */

	/* where a node's state is within a frame of its region */
	int		   *slot;			/* by node: index into the frame's slots */
	int		   *arrival_base;	/* by node: first of its places in the frame's arrivals */
	int		   *n_arrival_places;	/* by region */
	int		   *loop_slot;		/* by loop: index into the frame's loops */
	int		   *n_region_loops;	/* by region */
	int		  **region_loops;	/* by region: loop indexes, inner ones after outer ones */

	struct Bitmapset **reads;	/* by node: nodes that it reads; NULL until needed.c is asked */
	struct Bitmapset *reads_items;	/* nodes that name `$items`; set with reads */
	const WfExpr *concurrency_key;	/* settings.concurrencyKey, or NULL */

	MemoryContext memory;		/* owns all of this */
	int			n_users;		/* runs that hold it */
	bool		dropped;		/* no longer in the cache; freed with its last user */
} WfCompiled;

/*
 * Compiles and prepares a definition for the current tenant: all that is wrong is added to `found`;
 * the graph is NULL when there was an error. It lives below `parent`. `look` also reads the catalog
 * for warnings. Needs an SPI connection (registered blocks).
 */
extern WfGraph *wf_engine_compile(const Jsonb *definition, const char *search_path, bool look, MemoryContext parent,
								  WfDiagnostics *found);

/*
 * The workflow of the tenant by this name, compiled: version 0 is the active one. Kept per backend and
 * dropped when anybody changes it. The caller holds it until wf_engine_release. Throws WF001 when the
 * workflow or the version does not exist or has none active, WF014 when it is paused or archived (and no version is
 * named), WF002 when the definition does not compile any more. Needs an SPI connection.
 */
extern WfCompiled *wf_engine_find(const WfTenant *tenant, const char *name, int version);
/* The same, if current_user has the permission for it; throws what wf_engine_check_right does, too. */
extern WfCompiled *wf_engine_find_for(const WfTenant *tenant, const char *name, int version, WfPermission permission);
/* For runs of a version that was named, rather than of the active one. Throws WF014 when the tenant asks for approval and it has none. */
extern void wf_engine_require_approved(const WfCompiled *compiled);
/* A version by the id of its workflow, whatever that's status: what a run that is alive goes on with. */
extern WfCompiled *wf_engine_find_id(const WfTenant *tenant, const pg_uuid_t *workflow_id, int version);
/* Is that version in the cache, so that finding it can not fail? */
extern bool wf_engine_is_ready(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version);
extern void wf_engine_release(WfCompiled *compiled);

/* An expression over the input alone (settings.concurrencyKey), in CurrentMemoryContext; throws WF002. */
extern const WfExpr *wf_engine_compile_key(const char *source);

/* Throws WF001 with the nearest name as hint. */
pg_noreturn extern void wf_engine_not_found(const WfTenant *tenant, const char *name);
/*
 * Throws 42501 when current_user lacks the permission for a workflow that was found by its name, or what wf_engine_not_found throws
 * when it may not read that workflow either.
 */
extern void wf_engine_check_right(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *workflow_id,
								  const char *name);

/* The schemas that unqualified names are resolved with now, as text for a version. */
extern char *wf_engine_search_path(void);

/* Throws WF002 with all errors of `found` in its detail. */
pg_noreturn extern void wf_engine_refuse(const char *name, const WfDiagnostics *found);

/* -- runs (run.c) -- */

typedef enum WfRunMode
{
	WF_RUN_RECORD,				/* wf_run: a failure is recorded and returned */
	WF_RUN_RAISE,				/* wf_call: a failure is raised */
	WF_RUN_DRY,					/* wf_dry_run: all is rolled back, the steps are returned */
	WF_RUN_TRIGGER,				/* a trigger in the writer's transaction: a failure is raised; it may be suspended */
} WfRunMode;

typedef struct WfRunRequest
{
	const char *workflow;		/* or NULL: `fired` */
	Jsonb	   *input;
	Jsonb	   *options;		/* or NULL */
	const char *trigger;		/* manual, row ... */
	WfRunMode	mode;
	/* of runs that a trigger starts (fire.c): the current user may execute them for `tenant` */
	const WfTriggerRow *fired;	/* or NULL */
	const WfTenant *tenant;
	Oid			started_by;
	int			chain;
	const char *idempotency_key;
	const char *correlation_id;
	bool		wants_answer;	/* of a `respond` block: result.answer */
} WfRunRequest;

typedef struct WfRunResult
{
	pg_uuid_t	run_id;
	const char *status;
	Jsonb	   *output;			/* NULL: null */
	Jsonb	   *error;			/* NULL: none */
	Jsonb	   *steps;			/* dry runs: an array */
	Jsonb	   *answer;			/* {status, headers, body} if it was wanted and given, and the run did not fail; else NULL */
	bool		is_earlier;		/* nothing was executed: it is the run that has the idempotency key */
} WfRunResult;

/*
 * Executes the first segment in the caller's transaction, as the caller, and records it. Throws for what
 * is wrong before the run begins (42501, 22023, WF001, WF014), for cancel and shutdown, and, under an isolation level
 * with one snapshot, serialization failures. In mode WF_RUN_RAISE it throws the run's error.
 */
extern void wf_engine_run(const WfRunRequest *request, WfRunResult *result);

/* What came of a start in the background. */
typedef struct WfStarted
{
	pg_uuid_t	run_id;
	bool		is_skipped;		/* the policy `skip` left it out */
	bool		is_earlier;		/* an earlier run has its idempotency key: that one's id */
} WfStarted;

/* -- triggers (triggers.c, fire.c) -- */

/* Adds, as errors, what the database says against a definition's trigger nodes; `workflow` NULL: it has no name. */
extern void wf_engine_check_triggers(const WfTenant *tenant, const char *workflow, const WfGraph *graph,
									 const char *search_path, WfDiagnostics *found);
/*
 * The workflow has another active version: makes its triggers, and drops those of the one before. The caller has the workflow's
 * row locked. Throws WF002 when the version does not compile any more, and what the database says against its triggers: 42501
 * for a table without the TRIGGER privilege, 23505 for a route that is taken.
 */
extern void wf_engine_put_triggers(const WfTenant *tenant, const pg_uuid_t *workflow_id);
/* The workflow's status has changed: its triggers are installed, removed or (deleted) dropped, as its row says now. As above. */
/* Deletes some of what is left of deleted tenants, at most `most` rows and a few triggers. How many; *some_wait: there is something that
 * cannot go yet. As a superuser. Needs an SPI connection. (remove_tenant.c) */
extern int	wf_engine_delete_some(int most, bool *some_wait);
extern void wf_engine_install_triggers(const WfTenant *tenant, const pg_uuid_t *workflow_id);
/* Throws WF001, and 22023 when the active version has no such trigger. */
extern void wf_engine_enable_trigger(const WfTenant *tenant, const char *workflow, const char *node, bool enabled);
/* What keeps a trigger from firing, as far as the database alone can tell; NULL: nothing, or there is no such trigger. In
 * CurrentMemoryContext. */
extern const char *wf_engine_trigger_problem(const WfTenant *tenant, const pg_uuid_t *workflow_id, const char *node);

/* What made a trigger fire; zero: nothing in particular. */
typedef struct WfFire
{
	Oid			role;			/* as whom an invoker's run executes, of which nothing is asked; InvalidOid: the current user, who
								 * must be a member of the tenant */
	Oid			started_by;		/* InvalidOid: that role */
	const char *idempotency_key;	/* or NULL */
	const char *correlation_id; /* or NULL */
	int			chain;			/* triggers that led to it, one from another, if more than to the run that executes now */
	const char *gate;			/* a gate for one run, where the workflow has none of its own; or NULL */
	bool		later;			/* one of many: it may be written at the end of the statement */
	bool		wants_answer;	/* at once only: result.answer */
	bool		is_personal;	/* the inputs have personal data, whatever the workflow marks */
	Jsonb	   *known;			/* values that are personal wherever they are: an array, or NULL */
} WfFire;

/* Do its runs execute as who saved the version, whoever makes it fire? */
extern bool wf_engine_fires_as_owner(const WfTriggerRow *trigger);
/* Queues a run for each input. Compiles nothing. Throws 42501, 55000 (no workers, or the role cannot log in), WF006 (triggers
 * that start each other), what `concurrencyKey` throws. */
extern void wf_engine_fire(const WfTriggerRow *trigger, const WfFire *how, Jsonb **inputs, int n, WfStarted *out);
/* A firing comes to nothing: for wf_triggers. To be called where the error was caught, which is to be thrown on; `memory` is
 * the context of before. */
extern void wf_engine_fire_failed(const WfTriggerRow *trigger, MemoryContext memory);
/* Could the current user make it fire now? Throws what wf_engine_fire throws of that. How many triggers led to it. */
extern int	wf_engine_may_fire(const WfTriggerRow *trigger);
/* Executes a run in the caller's transaction, with the search path and as the role that it has to; throws as wf_engine_run. */
extern void wf_engine_fire_now(const WfTriggerRow *trigger, const WfFire *how, Jsonb *input, WfRunMode mode,
							   WfRunResult *result);

/* Starts runs of the tenant's triggers for an event that was emitted (store/runtime.h); how many. Throws what wf_engine_fire
 * throws. Needs an SPI connection. (emit.c) */
extern int	wf_engine_emit(const WfTenant *tenant, const WfEvent *event);
/* Starts runs for events that were put off and that none has followed for long enough, of at most about `most` events; how many
 * bursts were dealt with, and when the next is due (0: never). The keeper's; needs an SPI connection. */
extern int	wf_engine_fire_bursts(TimestampTz now, int most, TimestampTz *next);
/* A trigger of ours on a user's table fires (trigger_row.c). False: nothing was started, since the condition does not hold or
 * the trigger is not installed any more. Throws what starting the run throws. */
struct TriggerData;
extern bool wf_engine_row_changed(const struct TriggerData *data);

/* -- schedules (schedule.c); callers have an SPI connection -- */

/*
 * Starts what schedules of all tenants are due, in the current transaction: at most `most` due times are dealt with. How many were: so
 * many, and there may be more. *next is when one is due after that (0: never), or past when it is left to somebody else. Nothing of a
 * tenant's is executed. Throws nothing for a start that fails.
 */
extern int	wf_engine_fire_schedules(int most, TimestampTz *next);
/* The next times of all schedules of the active version, sorted, at most `most`; how many. Throws WF001, and 22023 when it has none. */
extern int	wf_engine_next_runs(const WfTenant *tenant, const char *workflow, int most, TimestampTz **out);

/* -- webhooks (webhook.c) -- */

/* A request as whoever received it hands it over: a stranger's, all of it. */
typedef struct WfWebhook
{
	const char *path;			/* /tenant/..., or NULL */
	const char *method;			/* or NULL */
	const Jsonb *headers;		/* or NULL */
	const char *body;			/* as it came */
	size_t		body_bytes;
	const Jsonb *query;			/* or NULL */
	bool		is_too_large;	/* body or query are over the limit, and not given */
} WfWebhook;

/*
 * What to answer: {status, headers, body}. What is wrong with a request is an answer and no error. Throws 42501 when the
 * current user is no gateway and may not execute workflows of the tenant; what ends the caller's statement whoever
 * asks (cancel, serialization failures). May start a run, or execute one in the transaction.
 */
extern Jsonb *wf_engine_webhook(const WfWebhook *request);

/* -- runs in the background (start.c, turn.c, control.c) -- */

/* wf_start, wf_start_many: queues runs of one workflow, with the ids in the order of the inputs. Throws what wf_engine_run
 * throws before a run begins; 55000 without workers. */
extern void wf_engine_start(const char *workflow, Jsonb **inputs, int n, const Jsonb *options, const char *trigger,
							WfStarted *out);

typedef enum WfTurn
{
	WF_TURN_DONE,				/* the message was dealt with, and what came of it is written */
	WF_TURN_BUSY,				/* another process has the run: the message stays as it is */
	WF_TURN_SLOW,				/* over `slice_end`: what it did is undone; it is to be dealt with alone */
} WfTurn;

/*
 * Deals with one claimed message in the current transaction, as the session's role: executes a segment of its run, with
 * the further messages to that run that are there. A run that fails is recorded so. `slice_end` 0: it may take as long as it
 * takes. `batch` holds other claimed messages (WfMessage *): those to the same run that can be dealt with in the same segment
 * are, and have is_taken then. Throws for what is not the run's own failure (shutdown, lack of memory, errors of the engine's own statements):
 * the caller aborts the transaction. Opens its own SPI connection and pushes a snapshot.
 */
extern WfTurn wf_engine_turn(const WfMessage *message, List *batch, TimestampTz slice_end);

/*
 * As above, but the run fails with this error (its transaction could not be committed, its role may not connect ...), or the
 * compensation that it is at: the next segment compensates, or tries again. Nothing of the run is executed. `plainly`: nor is
 * anything of it compiled or loaded, and it ends, with nothing compensated; for sessions that are not the role's, and when
 * the other way has failed. BUSY: somebody has the run locked.
 */
extern WfTurn wf_engine_fail(const WfMessage *message, const WfError *error, bool plainly);

/* wf_cancel, wf_pause, wf_resume, wf_signal: false when the run has ended or is not of the tenant. */
extern bool wf_engine_cancel(const pg_uuid_t *run_id, const char *reason);
extern bool wf_engine_pause(const pg_uuid_t *run_id);
extern bool wf_engine_resume(const pg_uuid_t *run_id);
/* wf_retry: the envelope; wf_migrate. Throw WF014 when the run is not in a state for it. */
extern void wf_engine_retry(const pg_uuid_t *run_id, const char *from_node, const Jsonb *options, WfRunResult *result);
extern void wf_engine_migrate(const pg_uuid_t *run_id, int version);

/* True while this backend executes a run. */
extern bool wf_engine_is_running(void);

/* {"run_id","status","output","error"} (and "steps") in CurrentMemoryContext. */
extern Jsonb *wf_engine_envelope(const WfRunResult *result);

/* Lines of wf_explain: order, transactions, the SQL of db nodes. Needs an SPI connection. */
extern List *wf_engine_explain(const WfCompiled *compiled, bool with_plan);

/* Registers callbacks and the timer; once from _PG_init. */
extern void wf_engine_init(void);

#endif
