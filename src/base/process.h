/*
 * process.h: what our processes know of each other: the launcher, a keeper and a dispatcher per database, workers.
 *
 * One struct in shared memory, plain data, made by the postmaster when the library is preloaded and zero again after a
 * crash. Everything in it is under `lock`, but for what a worker executes (its slot's `mutex`) and atomics. Whoever
 * holds the lock may set latches and send signals, and throws nothing. wake.c fills in what commits leave
 * behind; src/worker/ acts on it.
 */
#ifndef WF_BASE_PROCESS_H
#define WF_BASE_PROCESS_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/lwlock.h"
#include "storage/spin.h"
#include "utils/uuid.h"

#define WF_MOST_WORKERS 256		/* workflow.max_workers is no more */
#define WF_MOST_DEMANDS 1024
#define WF_MOST_BARS 64
#define WF_MOST_FOUND 64
#define WF_MOST_CANCELLED 64
#define WF_MOST_RESERVATIONS 64

typedef enum WfProcessState
{
	WF_PROCESS_NONE = 0,		/* the slot is free */
	WF_PROCESS_STARTING,		/* the launcher has asked for it */
	WF_PROCESS_IDLE,			/* sleeps on its latch; whoever has work for it sets that */
	WF_PROCESS_BUSY,
} WfProcessState;

/* A process that has a slot. */
typedef struct WfProcess
{
	WfProcessState state;
	Oid			database;
	int			pid;			/* 0 while it is starting */
	int			procno;			/* place in ProcGlobal->allProcs, for its latch */
	TimestampTz since;			/* when it was asked for; when it began to be idle */
} WfProcess;

typedef struct WfWorkerSlot
{
	WfProcess	process;
	Oid			role;
	bool		is_reserved;	/* deals with messages of `tenant_id` alone */
	pg_uuid_t	tenant_id;
	bool		rung;			/* there may be messages that it has not seen */
	bool		owes;			/* while idle: it comes back to a message that it knows of */
	bool		leave;			/* to end after the turn at hand: others have no worker */
	TimestampTz started;		/* when it came to be */

	slock_t		mutex;			/* of what follows; written by the worker itself, but for `interrupted` */
	bool		executes;
	bool		interrupted;	/* the run is to be cancelled; a signal is under way */
	pg_uuid_t	run_id;
	char		node[64];
	TimestampTz executes_since;
} WfWorkerSlot;

typedef struct WfKeeperSlot
{
	WfProcess	process;
	bool		look;			/* at everything there is */
	TimestampTz due;			/* the earliest time that was told since it looked; DT_NOEND: none */
	TimestampTz save_due;		/* when it is to save what triggers did; DT_NOEND: nothing was told since it looked */
	TimestampTz sleeps_until;	/* while idle; 0: it has not said yet whether there is anything to keep */
	bool		absent;			/* it has ended because the extension is not there */
	TimestampTz rests_until;	/* it has ended because nothing is due before; 0: for another reason */
} WfKeeperSlot;

typedef struct WfDispatcherSlot
{
	WfProcess	process;
	TimestampTz started;		/* when it came to be; 0: not yet */
	int			calls;			/* WfDispatchCall: what it was told since it looked */
} WfDispatcherSlot;

/* A role that could do with one more worker; or a database that has requests, and no dispatcher. */
typedef struct WfDemand
{
	Oid			database;
	Oid			role;			/* InvalidOid: a dispatcher */
	bool		is_reserved;	/* for messages of `tenant_id`, for which workers are reserved */
	pg_uuid_t	tenant_id;
	TimestampTz since;
} WfDemand;

/* Workers that are kept for a tenant's runs: others do not get the last ones. */
typedef struct WfReserved
{
	Oid			database;
	pg_uuid_t	tenant_id;
	int			n;
} WfReserved;

/* Keeps our processes out of a database while a command needs it to be empty. */
typedef struct WfBar
{
	Oid			database;
	int			pid;			/* whose command it is */
} WfBar;

/* A run whose worker was ended while it executed it. */
typedef struct WfDied
{
	Oid			database;		/* InvalidOid: the place is free */
	pg_uuid_t	run_id;
} WfDied;

/* Who awaits the end of a run. */
typedef struct WfAwait
{
	pg_uuid_t	run_id;
	Oid			database;
	int			procno;
} WfAwait;

typedef struct WfProcesses
{
	WfProcess	launcher;
	bool		is_crowded;		/* a process could not be started: keepers that have nothing to do leave at once */
	bool		launcher_is_alert;	/* it looks at demands again by itself, within milliseconds */
	bool		crashes_are_taken;	/* the launcher has seen what a crash left in the file of runs at work */
	int			n_workers;		/* slots */
	int			n_keepers;
	int			n_dispatchers;
	int			n_demands;
	bool		demands_were_lost;	/* more than there is room for: keepers are to look again */
	int			n_found;
	bool		found_were_lost;
	int			n_bars;
	pg_atomic_uint32 n_reserved;	/* entries of `reserved`; written under the lock, read without */
	WfReserved	reserved[WF_MOST_RESERVATIONS];	/* as the keepers have read them */
	int			suspect_worker;	/* slot + 1 of the worker that executes a run that had a crash; 0: none */
	pg_atomic_uint32 n_awaits;	/* written under the lock, read without */
	pg_atomic_uint32 n_cancelled;	/* likewise */
	pg_uuid_t	cancelled[WF_MOST_CANCELLED];	/* runs that were interrupted to be cancelled; the last of them */
	pg_atomic_uint64 n_wakes;	/* times that one of our processes woke: for tests */
	WfDemand	demands[WF_MOST_DEMANDS];
	Oid			found[WF_MOST_FOUND];	/* databases that may have come to have the extension, or should have a keeper again */
	WfBar		bars[WF_MOST_BARS];
	WfDied		died[WF_MOST_WORKERS];	/* to be counted by keepers; gone with the server, as ends at its shutdown are nobody's fault */
} WfProcesses;

/* NULL without shared memory. */
extern WfProcesses *wf_processes;
extern LWLock *wf_processes_lock;
extern WfWorkerSlot *wf_worker_slots;
extern WfKeeperSlot *wf_keeper_slots;
extern WfDispatcherSlot *wf_dispatcher_slots;
extern WfAwait *wf_awaits;

/* The slot of this process; NULL in others. */
extern WfWorkerSlot *wf_my_worker;
extern WfKeeperSlot *wf_my_keeper;
extern WfDispatcherSlot *wf_my_dispatcher;

/* All that have slots: workers first, then keepers, then dispatchers; NULL behind the last. */
extern WfProcess *wf_process_at(int index);
extern int	wf_process_my_procno(void);
/* Sets the latch of a process that has begun. Harmless when it has ended meanwhile. */
extern void wf_process_wake(const WfProcess *process);
extern void wf_process_wake_procno(int procno);
/* Becomes this process. */
extern void wf_process_fill(WfProcess *process, WfProcessState state, Oid database);
/* Becomes this process, busy, if its slot is reserved for it still and the database is not barred. With the lock held. */
extern bool wf_process_attach(WfProcess *process, Oid database);

/* -- with the lock held -- */

extern bool wf_process_is_barred(Oid database);
extern WfKeeperSlot *wf_process_keeper_of(Oid database);
/* The keeper of a database is to look no later than `when`, or at everything; it is started if it rests. */
extern void wf_process_tell_keeper(Oid database, TimestampTz when, bool look);
/* The keeper is to save what triggers did (fired.h), no later than `when`; it is started if it rests. */
extern void wf_process_tell_keeper_to_save(Oid database, TimestampTz when);
/* Messages are there for the role: an idle worker of it is woken; busy ones are told; the launcher is if there's need. */
extern void wf_process_ring(Oid database, Oid role);
/* The same of a tenant's messages: if workers are reserved for it, one of these may be woken or asked for. */
extern void wf_process_ring_tenant(Oid database, Oid role, const pg_uuid_t *tenant_id);
/* How many workers are reserved for the tenant. */
extern int	wf_process_reserved(Oid database, const pg_uuid_t *tenant_id);
/* The dispatcher of a database is told something (WfDispatchCall); for requests, it is started when there is none. */
extern void wf_process_ring_dispatcher(Oid database, int calls);
/* One more worker would do; for a tenant's messages, or (NULL) for any. `urgent`: there is none. */
extern void wf_process_demand(Oid database, Oid role, const pg_uuid_t *tenant_id, bool urgent);
/* Likewise of one kind of demand; and of all that the role has. */
extern void wf_process_forget_demand(Oid database, Oid role, const pg_uuid_t *tenant_id);
extern void wf_process_forget_demands(Oid database, Oid role);
/* The launcher is to see whether the database needs a keeper. */
extern void wf_process_found(Oid database);

/* -- without -- */

/* What the tenants of a database reserve takes the place of what was known; entries that there is no room for are left out (false). */
extern bool wf_process_set_reserved(Oid database, const WfReserved *list, int n);

/* Of a worker's own slot: begins to look for messages. */
extern void wf_process_begin_turn(void);
/* It found none, or (owes) none that can be dealt with now. False when messages came since it began to look: it is to look again. */
extern bool wf_process_go_idle(bool owes);
/* The same of a dispatcher's: what it was told since it last asked. False: it was told something. */
extern int	wf_process_take_calls(void);
extern bool wf_process_dispatcher_go_idle(void);
/* This worker leaves messages behind that it has no time for now: another one would do. */
extern void wf_process_ask_for_help(void);
/* Takes part in the one execution, server wide, of a run that had a crash; false: somebody else does now. */
extern bool wf_process_suspect_begin(void);
extern void wf_process_suspect_end(void);

/* Stops our processes in a database and keeps them out until wf_process_unbar; at most so many ms. */
extern void wf_process_bar(Oid database, int timeout_ms);
/* Lets them in again: of one database, or (InvalidOid) of all that this backend has barred. */
extern void wf_process_unbar(Oid database);

/* Asks for shared memory; from wf_wake_init, when preloaded. */
extern void wf_process_init(void);

/* -- what workers execute (executing.c) -- */

/* A worker begins or ends: its place in the file of runs at work. */
extern void wf_executing_attach(int worker);
extern void wf_executing_detach(void);
/* This worker ends in the middle of a run (its session was terminated): the keeper is to count that, as it does a crash.
 * With the lock held. */
extern void wf_executing_died(void);
/* The transaction is over: what it executed can no longer be why the server goes down. */
extern void wf_executing_over(void);
/* In a signal handler: the server goes down, and this worker with it, for the fault of another process. */
extern void wf_executing_quit(void);
/* Sets aside what workers executed when the server crashed; once a start of the server, before there is any worker. */
extern void wf_executing_take_crashes(void);
/* Runs of the database that were executing when the server crashed, or their worker ended; how many. */
extern int	wf_executing_crashed(Oid database, pg_uuid_t **runs);
/* They have been counted. */
extern void wf_executing_forget_crashed(Oid database);

#endif
