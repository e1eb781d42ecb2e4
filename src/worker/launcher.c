/*
 * launcher.c: the one process that the postmaster starts by itself; it starts the others.
 *
 * It is connected to no database, reads pg_database and pg_authid only, and begins when recovery has finished: on a standby
 * there are no processes of ours until it is promoted.
 *
 * 1. Keepers: one for each database that workflow.databases names or, when it is empty, for each that takes
 *    connections and is no template; a keeper that finds no extension ends, and its database is asked again only when told
 *    (wf_process_found: at the commit of CREATE EXTENSION, or of a command that kept us out). A few begin at once, not all.
 * 2. Workers: demands (process.h) are served in the order in which they came. A role without a worker gets one at once; one
 *    more is started when its workers have not been able to keep up for a while, a longer one the more there are. When all
 *    places are taken, a role without a worker gets that of an idle worker, else of a role that has several, else
 *    of whoever has had his for longest, after the turn at hand.
 * 3. What cannot be started (max_worker_processes) is tried again, ever later, up to some seconds, and complained about once. A
 *    role that cannot connect is left to the keeper, which fails its runs.
 * 4. It sleeps on its latch: at rest without a time-out; with demands open, for milliseconds.
 *
 * The launcher may end and be started again at any time: what it knows of processes is in shared memory, and they go on.
 */
#include "postgres.h"

#include <limits.h>
#include <signal.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "base/wake.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "utils/wait_event.h"
#include "worker/worker.h"

#define RESTART_SECONDS 5
#define MOST_BEGINNING 2		/* keepers that have not said yet whether there is anything to keep */
#define ONE_MORE_MS 20			/* for which a demand stands before the role gets a second worker; twice that for a third ... */
#define DEMANDS_OPEN_MS 100		/* between looks at demands that cannot be served */
#define SLICE_MS 1000			/* that a worker keeps its place when other roles have none */
#define STALE_MS 30000			/* a process that was asked for by an earlier launcher and never came */
#define LEAST_BACKOFF_MS 1000
#define MOST_BACKOFF_MS 60000
#define MOST_EXHAUSTED_MS 5000
#define MOST_FAILURES 64
#define INVALID_DATABASE_LIMIT (-2)	/* datconnlimit of one whose DROP was interrupted */

typedef struct Database
{
	Oid			oid;
	bool		listed;			/* of those that are to have a keeper */
	bool		absent;			/* its keeper found no extension */
	int			slot;			/* of its keeper; -1: none */
	BackgroundWorkerHandle *handle;	/* or NULL: started by an earlier launcher */
	int			failures;		/* in a row */
	TimestampTz started;
	TimestampTz retry_at;
} Database;

/* A role for which a worker was started that did not come up. */
typedef struct Failure
{
	Oid			database;
	Oid			role;
	int			n;
	TimestampTz retry_at;
} Failure;

static Database *databases = NULL;	/* in TopMemoryContext */
static int	n_databases = 0;
static bool list_is_old = true;
static BackgroundWorkerHandle *worker_handles[WF_MOST_WORKERS];
static bool worker_expected[WF_MOST_WORKERS];
static Failure failures[MOST_FAILURES];
static int	next_failure = 0;
static TimestampTz exhausted_until = 0;
static long exhausted_ms = 0;	/* 0: the last start was possible */
static MemoryContext pass_memory;

static long
backoff_ms(int n)
{
	return Min((long) LEAST_BACKOFF_MS << Min(n, 10), MOST_BACKOFF_MS);
}

static TimestampTz
after_ms(TimestampTz now, long ms)
{
	return TimestampTzPlusMilliseconds(now, ms);
}

/* -- databases -- */

static Database *
find_database(Oid oid)
{
	for (int i = 0; i < n_databases; i++)
		if (databases[i].oid == oid)
			return &databases[i];
	return NULL;
}

static Database *
add_database(Oid oid)
{
	Database   *found = find_database(oid);

	if (found != NULL)
		return found;
	databases = databases == NULL ? MemoryContextAlloc(TopMemoryContext, sizeof(Database)) :
		repalloc(databases, sizeof(Database) * (n_databases + 1));
	found = &databases[n_databases++];
	memset(found, 0, sizeof(*found));
	found->oid = oid;
	found->slot = -1;
	for (int i = 0; i < wf_processes->n_keepers; i++)
		if (wf_keeper_slots[i].process.state != WF_PROCESS_NONE && wf_keeper_slots[i].process.database == oid)
			found->slot = i;
	return found;
}

static bool
is_named(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* Reads which databases there are. In a transaction. */
static void
list_databases(void *arg)
{
	List	   *names = NIL;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;

	MemoryContextSwitchTo(pass_memory);
	if (!SplitIdentifierString(pstrdup(wf_setting_databases), ',', &names))
		ereport(LOG, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					  errmsg("invalid list of names in parameter \"%s\": \"%s\"", "workflow.databases", wf_setting_databases)));
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	for (int i = 0; i < n_databases; i++)
		databases[i].listed = false;
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		bool		wanted = wf_setting_databases[0] == '\0' ? !row->datistemplate : is_named(names, NameStr(row->datname));

		if (wanted && row->datallowconn && row->datconnlimit != INVALID_DATABASE_LIMIT)
			add_database(row->oid)->listed = true;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
}

/* Ends the processes of a database that is no longer to have any, and forgets it when they have ended. */
static void
let_go(void)
{
	for (int i = n_databases - 1; i >= 0; i--)
	{
		Database   *database = &databases[i];
		bool		any = false;

		if (database->listed)
			continue;
		LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
		for (int s = 0; s < wf_processes->n_workers + wf_processes->n_keepers; s++)
		{
			WfProcess  *process = s < wf_processes->n_workers ? &wf_worker_slots[s].process :
				&wf_keeper_slots[s - wf_processes->n_workers].process;

			if (process->state == WF_PROCESS_NONE || process->database != database->oid)
				continue;
			any = true;
			if (s < wf_processes->n_workers)
				wf_worker_slots[s].leave = true;
			if (process->pid != 0)
				kill(process->pid, SIGTERM);
		}
		LWLockRelease(wf_processes_lock);
		if (!any)
			databases[i] = databases[--n_databases];
	}
}

/* What others have told: databases that may need a keeper. */
static void
hear(void)
{
	Oid			found[WF_MOST_FOUND];
	int			n;
	bool		lost;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	n = wf_processes->n_found;
	memcpy(found, wf_processes->found, sizeof(Oid) * n);
	wf_processes->n_found = 0;
	lost = wf_processes->found_were_lost;
	wf_processes->found_were_lost = false;
	LWLockRelease(wf_processes_lock);
	if (n > 0 || lost)
		list_is_old = true;
	for (int i = 0; i < n_databases; i++)
		for (int f = 0; f < n || (lost && f == 0); f++)
			if (lost || databases[i].oid == found[f])
			{
				databases[i].absent = false;
				databases[i].retry_at = 0;
				databases[i].failures = 0;
			}
}

static void
refresh_list(void)
{
	ErrorData  *error;

	if (!list_is_old)
		return;
	list_is_old = false;
	error = wf_transaction(list_databases, NULL, NULL);
	if (error != NULL)
	{
		list_is_old = true;
		ereport(LOG, (errmsg("workflow launcher could not list databases: %s", error->message)));
	}
}

/* -- starting -- */

/* Starts a process for a slot that is reserved for it; NULL when the server has no place for it. */
/* Keepers that have nothing to do make room, or may stay. */
static void
set_crowded(bool is_crowded)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (is_crowded && !wf_processes->is_crowded)
		for (int i = 0; i < wf_processes->n_keepers; i++)
			if (wf_keeper_slots[i].process.state == WF_PROCESS_IDLE)
				wf_process_wake(&wf_keeper_slots[i].process);
	wf_processes->is_crowded = is_crowded;
	LWLockRelease(wf_processes_lock);
}

static BackgroundWorkerHandle *
start_process(const char *type, const char *function, int slot, WfAssignment assignment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle = NULL;
	TimestampTz now = wf_clock_now();
	MemoryContext old;
	bool		ok;

	if (exhausted_until > now)
		return NULL;
	snprintf(worker.bgw_type, BGW_MAXLEN, "%s", type);
	snprintf(worker.bgw_name, BGW_MAXLEN, OidIsValid(assignment.role) ? "%s (database %u, role %u)" : "%s (database %u)",
			 type, assignment.database, assignment.role);
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	snprintf(worker.bgw_library_name, BGW_MAXLEN, "workflow");
	snprintf(worker.bgw_function_name, BGW_MAXLEN, "%s", function);
	worker.bgw_main_arg = Int32GetDatum(slot);
	memcpy(worker.bgw_extra, &assignment, sizeof(assignment));
	worker.bgw_notify_pid = MyProcPid;
	old = MemoryContextSwitchTo(TopMemoryContext);
	ok = RegisterDynamicBackgroundWorker(&worker, &handle);
	MemoryContextSwitchTo(old);
	set_crowded(!ok);
	if (ok)
	{
		exhausted_ms = 0;
		return handle;
	}
	if (exhausted_ms == 0)
		ereport(LOG, (errcode(ERRCODE_INSUFFICIENT_RESOURCES),
					  errmsg("could not start a %s: all of max_worker_processes are taken", type),
					  errdetail("It is tried again until one is free; what is queued waits."),
					  errhint("Increase \"max_worker_processes\".")));
	exhausted_ms = exhausted_ms == 0 ? 200 : Min(exhausted_ms * 2, MOST_EXHAUSTED_MS);
	exhausted_until = after_ms(now, exhausted_ms);
	return NULL;
}

static bool
never_came(const WfProcess *process, BackgroundWorkerHandle *handle, TimestampTz now)
{
	pid_t		pid;

	if (process->state != WF_PROCESS_STARTING || process->pid != 0)
		return false;
	if (handle != NULL)
		return GetBackgroundWorkerPid(handle, &pid) == BGWH_STOPPED;
	return now > after_ms(process->since, STALE_MS);
}

/* Frees a slot whose process never came. */
static void
free_if_never_came(WfProcess *process, BackgroundWorkerHandle *handle, TimestampTz now)
{
	if (!never_came(process, handle, now))
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (process->state == WF_PROCESS_STARTING && process->pid == 0)
		process->state = WF_PROCESS_NONE;
	LWLockRelease(wf_processes_lock);
}

/* Reserves a slot: it is starting from now on. */
static void
reserve(WfProcess *process, Oid database)
{
	process->state = WF_PROCESS_STARTING;
	process->database = database;
	process->pid = 0;
	process->since = wf_clock_now();
}

static void
release(WfProcess *process)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	process->state = WF_PROCESS_NONE;
	LWLockRelease(wf_processes_lock);
}

/* -- keepers -- */

static void
reap_keeper(Database *database, TimestampTz now)
{
	WfKeeperSlot *slot;
	TimestampTz rests_until;
	bool		barred;

	if (database->slot < 0)
		return;
	slot = &wf_keeper_slots[database->slot];
	free_if_never_came(&slot->process, database->handle, now);
	if (slot->process.state != WF_PROCESS_NONE)
		return;
	database->slot = -1;
	if (database->handle != NULL)
		pfree(database->handle);
	database->handle = NULL;
	LWLockAcquire(wf_processes_lock, LW_SHARED);
	database->absent = slot->absent;
	rests_until = slot->rests_until;
	barred = wf_process_is_barred(database->oid);
	LWLockRelease(wf_processes_lock);
	if (database->absent || barred)
		return;
	if (rests_until != 0)
	{
		/* it was told of nothing until then; who tells of something now makes us hear of the database */
		database->retry_at = rests_until;
		database->failures = 0;
		return;
	}
	if (now > after_ms(database->started, MOST_BACKOFF_MS))
		database->failures = 0;
	database->retry_at = after_ms(now, backoff_ms(database->failures++));
}

static void
start_keeper(Database *database)
{
	int			slot = -1;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (!wf_process_is_barred(database->oid))
		for (int i = 0; i < wf_processes->n_keepers && slot < 0; i++)
			if (wf_keeper_slots[i].process.state == WF_PROCESS_NONE)
			{
				slot = i;
				wf_keeper_slots[i].absent = false;
				wf_keeper_slots[i].sleeps_until = 0;
				reserve(&wf_keeper_slots[i].process, database->oid);
			}
	LWLockRelease(wf_processes_lock);
	if (slot < 0)
		return;
	database->handle = start_process("workflow keeper", "wf_worker_keeper_main", slot,
									 (WfAssignment) {.database = database->oid});
	if (database->handle == NULL)
	{
		release(&wf_keeper_slots[slot].process);
		database->retry_at = exhausted_until;
		return;
	}
	database->slot = slot;
	database->started = wf_clock_now();
}

/* Gives when to look again, in *next. */
static void
look_after_keepers(TimestampTz now, TimestampTz *next)
{
	int			n_beginning = 0;

	for (int i = 0; i < n_databases; i++)
	{
		reap_keeper(&databases[i], now);
		if (databases[i].slot >= 0 && wf_keeper_slots[databases[i].slot].sleeps_until == 0)
			n_beginning++;
	}
	for (int i = 0; i < n_databases && n_beginning < MOST_BEGINNING; i++)
	{
		Database   *database = &databases[i];

		if (!database->listed || database->absent || database->slot >= 0)
			continue;
		if (database->retry_at <= now)
		{
			start_keeper(database);
			n_beginning++;
		}
		if (database->retry_at > now && database->retry_at < *next)
			*next = database->retry_at;
	}
}

/* -- workers -- */

static Failure *
find_failure(Oid database, Oid role)
{
	for (int i = 0; i < MOST_FAILURES; i++)
		if (failures[i].database == database && failures[i].role == role && OidIsValid(role))
			return &failures[i];
	return NULL;
}

static void
note_failure(Oid database, Oid role, TimestampTz now)
{
	Failure    *failure = find_failure(database, role);

	if (failure == NULL)
	{
		failure = &failures[next_failure];
		next_failure = (next_failure + 1) % MOST_FAILURES;
		*failure = (Failure)
		{
			.database = database, .role = role
		};
	}
	failure->retry_at = after_ms(now, backoff_ms(failure->n++));
}

static void
reap_workers(TimestampTz now)
{
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		Failure    *failure;

		free_if_never_came(&slot->process, worker_handles[i], now);
		if (!worker_expected[i])
			continue;
		failure = find_failure(slot->process.database, slot->role);
		if (slot->started != 0 && failure != NULL)
			failure->role = InvalidOid;
		if (slot->process.state != WF_PROCESS_NONE)
			continue;
		worker_expected[i] = false;
		pfree(worker_handles[i]);
		worker_handles[i] = NULL;
		if (slot->started == 0)
			note_failure(slot->process.database, slot->role, now);
	}
}

typedef struct Count
{
	int			n;				/* workers of the role, starting ones too */
	int			n_idle;
	int			free_slot;		/* -1: none */
} Count;

static Count
count_workers(const WfDemand *demand)
{
	Count		count = {.free_slot = -1};

	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];

		if (slot->process.state == WF_PROCESS_NONE)
			count.free_slot = i;
		else if (slot->process.database == demand->database && slot->role == demand->role)
		{
			count.n++;
			if (slot->process.state == WF_PROCESS_IDLE)
				count.n_idle++;
		}
	}
	return count;
}

/* Whose place is taken for a role that has none: an idle worker's, one's of a role with several, or the oldest. */
static WfWorkerSlot *
choose_leaver(TimestampTz now)
{
	WfWorkerSlot *best = NULL;
	int			best_rank = 0;

	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		WfDemand	same = {.database = slot->process.database, .role = slot->role};
		int			rank;

		if (slot->process.state == WF_PROCESS_NONE || slot->process.state == WF_PROCESS_STARTING || slot->leave ||
			slot->started == 0)
			continue;
		if (slot->process.state == WF_PROCESS_IDLE)
			rank = 3;
		else if (count_workers(&same).n > 1)
			rank = 2;
		else if (now >= after_ms(slot->started, SLICE_MS))
			rank = 1;
		else
			continue;
		if (best == NULL || rank > best_rank ||
			(rank == best_rank && (rank == 3 ? slot->process.since < best->process.since : slot->started < best->started)))
		{
			best = slot;
			best_rank = rank;
		}
	}
	return best;
}

/* Makes room for the n-th role that has no worker. The lock is held. */
static void
make_room(int n, TimestampTz now)
{
	WfWorkerSlot *leaver;
	int			n_leaving = 0;

	for (int i = 0; i < wf_processes->n_workers; i++)
		if (wf_worker_slots[i].process.state != WF_PROCESS_NONE && wf_worker_slots[i].leave)
			n_leaving++;
	if (n_leaving >= n || (leaver = choose_leaver(now)) == NULL)
		return;
	leaver->leave = true;
	wf_process_wake(&leaver->process);
}

typedef struct RoleCheck
{
	WfDemand	demand;
	int			problem;
} RoleCheck;

static void
check_role(void *arg)
{
	RoleCheck  *check = arg;
	const char *why;

	check->problem = wf_connect_problem(check->demand.role, check->demand.database, &why);
}

/* Has the demand answered by the keeper, which fails the role's runs, if the role cannot connect. */
static bool
leave_to_keeper(const WfDemand *demand)
{
	RoleCheck	check = {.demand = *demand};

	if (wf_transaction(check_role, &check, NULL) != NULL || check.problem == 0)
		return false;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_forget_demand(demand->database, demand->role);
	wf_process_tell_keeper(demand->database, DT_NOEND, true);
	LWLockRelease(wf_processes_lock);
	return true;
}

/* Starts a worker in a slot that was free a moment ago. False when the server has no place for it. */
static bool
start_worker(const WfDemand *demand, int number)
{
	WfWorkerSlot *slot = &wf_worker_slots[number];

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	reserve(&slot->process, demand->database);
	slot->role = demand->role;
	slot->started = 0;
	slot->rung = false;
	slot->leave = false;
	LWLockRelease(wf_processes_lock);
	worker_handles[number] = start_process("workflow worker", "wf_worker_main", number,
										   (WfAssignment) {.database = demand->database, .role = demand->role});
	if (worker_handles[number] == NULL)
	{
		release(&slot->process);
		return false;
	}
	worker_expected[number] = true;
	return true;
}

/* One more worker was started: the demand stands for as long again before the next. */
static void
renew_demand(const WfDemand *demand, TimestampTz now)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; i < wf_processes->n_demands; i++)
		if (wf_processes->demands[i].database == demand->database && wf_processes->demands[i].role == demand->role)
			wf_processes->demands[i].since = now;
	LWLockRelease(wf_processes_lock);
}

static void
forget_demand(const WfDemand *demand)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_forget_demand(demand->database, demand->role);
	LWLockRelease(wf_processes_lock);
}

/* *n_needy counts roles without a worker that could not be given one. */
static void
serve_demand(const WfDemand *demand, TimestampTz now, int *n_needy, TimestampTz *next)
{
	Database   *database = find_database(demand->database);
	Failure    *failure = find_failure(demand->database, demand->role);
	Count		count;

	LWLockAcquire(wf_processes_lock, LW_SHARED);
	count = count_workers(demand);
	if (wf_process_is_barred(demand->database))
		database = NULL;		/* its keeper looks at roles when it comes again */
	LWLockRelease(wf_processes_lock);
	if (database == NULL || !database->listed || count.n_idle > 0)
	{
		forget_demand(demand);
		return;
	}
	if (failure != NULL && failure->retry_at > now)
	{
		*next = Min(*next, failure->retry_at);
		return;
	}
	if (count.n > 0)
	{
		TimestampTz at = after_ms(demand->since, (long) ONE_MORE_MS << Min(count.n - 1, 10));

		if (at > now)
			*next = Min(*next, at);
		else if (count.free_slot >= 0 && start_worker(demand, count.free_slot))
			renew_demand(demand, now);
		return;
	}
	if (leave_to_keeper(demand))
		return;
	if (count.free_slot >= 0 && start_worker(demand, count.free_slot))
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	make_room(++*n_needy, now);
	LWLockRelease(wf_processes_lock);
}

static int
by_age(const void *a, const void *b)
{
	const WfDemand *x = a;
	const WfDemand *y = b;

	return x->since < y->since ? -1 : x->since > y->since ? 1 : 0;
}

static void
serve_demands(TimestampTz now, TimestampTz *next)
{
	WfDemand   *demands = palloc(sizeof(WfDemand) * WF_MOST_DEMANDS);
	int			n_needy = 0;
	int			n;
	bool		lost;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	n = wf_processes->n_demands;
	memcpy(demands, wf_processes->demands, sizeof(WfDemand) * n);
	lost = wf_processes->demands_were_lost && n < WF_MOST_DEMANDS / 2;
	if (lost)
	{
		wf_processes->demands_were_lost = false;
		for (int i = 0; i < wf_processes->n_keepers; i++)
		{
			wf_keeper_slots[i].look = true;
			wf_process_wake(&wf_keeper_slots[i].process);
		}
	}
	LWLockRelease(wf_processes_lock);
	qsort(demands, n, sizeof(WfDemand), by_age);
	for (int i = 0; i < n; i++)
		serve_demand(&demands[i], now, &n_needy, next);
}

/* -- the process -- */

static void
detach(int code, Datum arg)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_processes->launcher.pid = 0;
	wf_processes->launcher.state = WF_PROCESS_NONE;
	LWLockRelease(wf_processes_lock);
}

static void
attach(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_fill(&wf_processes->launcher, WF_PROCESS_BUSY, InvalidOid);
	LWLockRelease(wf_processes_lock);
}

static void
sleep_until(TimestampTz next)
{
	TimestampTz now = wf_clock_now();
	long		timeout;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_processes->launcher_is_alert = wf_processes->n_demands > 0;
	if (wf_processes->launcher_is_alert)
		next = Min(next, after_ms(now, DEMANDS_OPEN_MS));
	LWLockRelease(wf_processes_lock);
	timeout = next == DT_NOEND ? -1 : next <= now ? 0 : Min((next - now) / 1000 + 1, MOST_BACKOFF_MS);
	(void) WaitLatch(MyLatch, timeout < 0 ? WL_LATCH_SET | WL_EXIT_ON_PM_DEATH : WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					 timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	pg_atomic_fetch_add_u64(&wf_processes->n_wakes, 1);
}

void
wf_worker_launcher_main(Datum arg)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	attach();
	on_shmem_exit(detach, (Datum) 0);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	wf_executing_take_crashes();
	pass_memory = AllocSetContextCreate(TopMemoryContext, "workflow launcher", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz next = DT_NOEND;
		TimestampTz now;

		if (ProcDiePending)
			proc_exit(1);		/* so that the postmaster starts it again, unless it is what stops */
		if (ConfigReloadPending)
			list_is_old = true;
		wf_session_look_around();
		MemoryContextReset(pass_memory);
		MemoryContextSwitchTo(pass_memory);
		now = wf_clock_now();
		hear();
		refresh_list();
		let_go();
		look_after_keepers(now, &next);
		reap_workers(now);
		serve_demands(now, &next);
		sleep_until(next);
	}
}

void
wf_worker_init(void)
{
	BackgroundWorker launcher = {0};

	if (!process_shared_preload_libraries_in_progress)
		return;
	wf_command_init();
	snprintf(launcher.bgw_name, BGW_MAXLEN, "workflow launcher");
	snprintf(launcher.bgw_type, BGW_MAXLEN, "workflow launcher");
	launcher.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	launcher.bgw_start_time = BgWorkerStart_RecoveryFinished;
	launcher.bgw_restart_time = RESTART_SECONDS;
	snprintf(launcher.bgw_library_name, BGW_MAXLEN, "workflow");
	snprintf(launcher.bgw_function_name, BGW_MAXLEN, "wf_worker_launcher_main");
	RegisterBackgroundWorker(&launcher);
}
