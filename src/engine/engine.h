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
#include "store/store.h"

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

	/* where a node's state is within a frame of its region */
	int		   *slot;			/* by node: index into the frame's slots */
	int		   *arrival_base;	/* by node: first of its places in the frame's arrivals */
	int		   *n_arrival_places;	/* by region */
	int		   *loop_slot;		/* by loop: index into the frame's loops */
	int		   *n_region_loops;	/* by region */
	int		  **region_loops;	/* by region: loop indexes, inner ones after outer ones */

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
extern void wf_engine_release(WfCompiled *compiled);

/* Throws WF001 with the nearest name as hint. */
pg_noreturn extern void wf_engine_not_found(const WfTenant *tenant, const char *name);

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
} WfRunMode;

typedef struct WfRunRequest
{
	const char *workflow;
	Jsonb	   *input;
	Jsonb	   *options;
	const char *trigger;		/* manual */
	WfRunMode	mode;
} WfRunRequest;

typedef struct WfRunResult
{
	pg_uuid_t	run_id;
	const char *status;
	Jsonb	   *output;			/* NULL: null */
	Jsonb	   *error;			/* NULL: none */
	Jsonb	   *steps;			/* dry runs: an array */
} WfRunResult;

/*
 * Executes the first segment in the caller's transaction, as the caller, and records it. Throws for what
 * is wrong before the run begins (42501, 22023, WF001, WF014), for cancel and shutdown, and, under an isolation level
 * with one snapshot, serialization failures. In mode WF_RUN_RAISE it throws the run's error.
 */
extern void wf_engine_run(const WfRunRequest *request, WfRunResult *result);

/* True while this backend executes a run. */
extern bool wf_engine_is_running(void);

/* {"run_id","status","output","error"} (and "steps") in CurrentMemoryContext. */
extern Jsonb *wf_engine_envelope(const WfRunResult *result);

/* Lines of wf_explain: order, transactions, the SQL of db nodes. Needs an SPI connection. */
extern List *wf_engine_explain(const WfCompiled *compiled, bool with_plan);

/* Registers callbacks and the timer; once from _PG_init. */
extern void wf_engine_init(void);

#endif
