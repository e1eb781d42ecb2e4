/*
 * wake.h: shared memory between those who queue work, the processes that do it, and those who wait for it.
 *
 * Nothing here is durable: the tables are the truth, and a process that begins looks there. What is noted "at commit"
 * is forgotten by a rollback, of a subtransaction too. Without shared_preload_libraries all of it does nothing.
 */
#ifndef WF_BASE_WAKE_H
#define WF_BASE_WAKE_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* True when the library was preloaded, so that there are processes that carry on what is queued or waits. */
extern bool wf_wake_available(void);

/* -- for whoever writes rows -- */

/* Messages of a tenant for this role are in the queue: one of its workers is woken, or one is started. */
extern void wf_wake_role_at_commit(Oid role, const pg_uuid_t *tenant_id);
/* Messages for this role are held by this transaction, and workers pass over them: whether it commits or not, one is to look
 * again when it has let go of them. */
extern void wf_wake_role_at_end(Oid role);
/* A wait ends then: the keeper looks no later. */
extern void wf_wake_keeper_at_commit(TimestampTz when);
/* What the dispatcher of the database is told; for requests it is started when there is none. */
typedef enum WfDispatchCall
{
	WF_DISPATCH_REQUESTS = 1,	/* there are new ones */
	WF_DISPATCH_CANCELS = 2,	/* some are withdrawn */
	WF_DISPATCH_CIRCUITS = 4,	/* some were reset */
	WF_DISPATCH_POLICIES = 8,	/* where a tenant's requests may go */
	WF_DISPATCH_SECRETS = 16,	/* some have other values */
} WfDispatchCall;
extern void wf_wake_dispatcher_at_commit(WfDispatchCall call);
/* The run has ended or stands: whoever awaits it is woken. */
extern void wf_wake_awaiters_at_commit(const pg_uuid_t *run_id);
/* The run is to be cancelled: the worker that executes it, if one does, is interrupted. */
extern void wf_wake_interrupt_at_commit(const pg_uuid_t *run_id);

/* The database may have come to have the extension (InvalidOid: there may be new ones): the launcher starts its keeper. */
extern void wf_wake_launcher_at_commit(Oid database);
/* Rows came in another way (COPY): the keeper of the database looks at everything. */
extern void wf_wake_look_at_commit(void);
/* Processes that wf_process_bar keeps out may come in again when the transaction ends, however it ends. */
extern void wf_wake_unbar_at_end(void);
/* At once: another transaction of this database has just committed, nobody knows what. */
extern void wf_wake_look_at_everything(void);

/* -- for wf_await -- */

/* From now on an end of the run sets this backend's latch. At most one run at a time; ended by an error, too. */
extern void wf_wake_await_begin(const pg_uuid_t *run_id);
extern void wf_wake_await_end(void);

/* -- for whoever executes -- */

/* What this worker executes now; NULL run: nothing. `node` may be NULL. Nothing in other backends. Cheap. */
extern void wf_wake_executing(const pg_uuid_t *run_id, const char *node);
/* Was an interrupt asked for the run that this worker executes, or executed last? Forgets it. */
extern bool wf_wake_was_interrupted(void);

/* Was the run, of those that workers executed, interrupted lately to be cancelled? Then its message may be in the queue. */
extern bool wf_wake_may_be_cancelled(const pg_uuid_t *run_id);

/* What workers execute, for views. */
typedef struct WfExecuting
{
	int			pid;
	Oid			database;
	Oid			role;
	pg_uuid_t	run_id;
	char		node[64];
	TimestampTz since;
} WfExecuting;
extern int	wf_wake_list_executing(WfExecuting **out);	/* of this database; in CurrentMemoryContext */

/* Asks for shared memory, when preloaded; once from _PG_init. */
extern void wf_wake_init(void);

#endif
