/*
 * worker.h: the processes of the extension. Private to this room, but for wf_worker_init.
 */
#ifndef WF_WORKER_WORKER_H
#define WF_WORKER_WORKER_H

#include "postgres.h"
#include "base/process.h"

/* What the launcher tells a process that it starts, in bgw_extra. */
typedef struct WfAssignment
{
	Oid			database;
	Oid			role;			/* workers only */
	bool		is_reserved;	/* likewise: for messages of `tenant_id` */
	pg_uuid_t	tenant_id;
} WfAssignment;

/* Registers the launcher and the hooks, when preloaded; once from _PG_init. */
extern void wf_worker_init(void);

/* -- entry points of processes, by name in the library -- */

extern PGDLLEXPORT void wf_worker_launcher_main(Datum arg);
extern PGDLLEXPORT void wf_worker_keeper_main(Datum arg);
extern PGDLLEXPORT void wf_worker_main(Datum arg);
extern PGDLLEXPORT void wf_worker_dispatcher_main(Datum arg);

/* -- session.c -- */

/* Settings of a process's session that no ALTER ROLE or ALTER DATABASE ... SET may decide. After connecting. */
extern void wf_session_begin(Oid role);
/* A run's settings begin; what it sets ends with wf_session_end_run, unless the transaction does first. */
extern int	wf_session_begin_run(void);
extern void wf_session_end_run(int level);
/* Temporary tables of runs. After the commit (or abort), outside a transaction. */
extern void wf_session_after_transaction(void);
/* True when a run of this transaction used temporary tables. */
extern bool wf_session_has_temporary(void);
/* Is the extension in this database? In a transaction. */
extern bool wf_session_has_extension(void);
/* Reads the settings files again if asked to, takes part in what all processes take part in; ends the process if told so.
 * True: the settings were read. */
extern bool wf_session_look_around(void);

/* -- turn.c -- */

extern void wf_turn_init(Oid role);
/*
 * One transaction of work, at least: 0 when there may be more, the milliseconds after which to look again for
 * what could not be dealt with now, or -1 when there is nothing. Throws nothing. False in *alive when the extension is gone.
 */
extern long wf_turn(bool *alive);

/* -- transaction.c -- */

/*
 * Does work(arg) in a transaction of its own and commits. NULL when all went well; else the error, in CurrentMemoryContext,
 * everything rolled back. *committing: it came from the commit.
 */
extern ErrorData *wf_transaction(void (*work) (void *arg), void *arg, bool *committing);

/* Around calls of the store: an SPI connection and a snapshot; results are in `memory`, which is current afterwards. */
extern void wf_transaction_open(MemoryContext memory);
extern void wf_transaction_close(MemoryContext memory);

/* -- connect.c -- */

/* May the role connect to the database? Else its SQLSTATE and why. In a transaction, of any database or none. */
extern int	wf_connect_problem(Oid role, Oid database, const char **why);

/* -- command.c -- */

extern void wf_command_init(void);

#endif
