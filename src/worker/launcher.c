/*
 * launcher.c: the one process that the postmaster starts by itself; it starts the others.
 *
 * It is connected to no database, reads pg_database and pg_authid only, and begins when recovery has finished: on a standby
 * there are no processes of ours until it is promoted.
 *
 * 1. Keepers: one for each database that has the extension (databases.c).
 * 2. Workers: demands (process.h) are served in the order in which they came. A role without a worker gets one at once; one
 *    more is started when its workers have not been able to keep up for a while, a longer one the more there are. When all
 *    places are taken, a role without a worker gets that of an idle worker, else of a role that has several, else
 *    of whoever has had his for longest, after the turn at hand (places.c). Some places may be kept for a tenant's messages.
 * 3. Dispatchers: one for each database that has requests to be sent. A demand without a role is for one.
 * 4. What cannot be started (max_worker_processes) is tried again (launch.c). A role that cannot connect is left to the keeper,
 *    which fails its runs.
 * 5. It sleeps on its latch: at rest without a time-out; with demands open, for milliseconds.
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
#include "base/fault.h"
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
#include "worker/launch.h"

#define RESTART_SECONDS 5
#define ONE_MORE_MS 20			/* for which a demand stands before the role gets a second worker; twice that for a third ... */
#define DEMANDS_OPEN_MS 100		/* between looks at demands that cannot be served */
#define MOST_FAILURES 64

/* A role for which a worker was started that did not come up. */
typedef struct Failure
{
	Oid			database;		/* InvalidOid: the place is free */
	Oid			role;			/* InvalidOid: the database's dispatcher */
	int			n;
	TimestampTz retry_at;
} Failure;

static BackgroundWorkerHandle *worker_handles[WF_MOST_WORKERS];
static bool worker_expected[WF_MOST_WORKERS];
static BackgroundWorkerHandle **dispatcher_handles;	/* by slot; in TopMemoryContext */
static Failure failures[MOST_FAILURES];
static int	next_failure = 0;
static MemoryContext pass_memory;

/* -- workers -- */

static Failure *
find_failure(Oid database, Oid role)
{
	for (int i = 0; i < MOST_FAILURES; i++)
		if (failures[i].database == database && failures[i].role == role && OidIsValid(database))
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
	failure->retry_at = wf_launch_after_ms(now, wf_launch_backoff_ms(failure->n++));
}

static void
reap_workers(TimestampTz now)
{
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		Failure    *failure;

		wf_launch_free_if_never_came(&slot->process, worker_handles[i], now);
		if (!worker_expected[i])
			continue;
		failure = find_failure(slot->process.database, slot->role);
		if (slot->started != 0 && failure != NULL)
			failure->database = InvalidOid;
		if (slot->process.state != WF_PROCESS_NONE)
			continue;
		worker_expected[i] = false;
		pfree(worker_handles[i]);
		worker_handles[i] = NULL;
		wf_launch_place_is_free();
		if (slot->started == 0)
			note_failure(slot->process.database, slot->role, now);
	}
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
	wf_process_forget_demands(demand->database, demand->role);
	wf_process_tell_keeper(demand->database, DT_NOEND, true);
	LWLockRelease(wf_processes_lock);
	return true;
}

/* Starts a worker in a slot that was free a moment ago, reserved for the demand's tenant or not. False when the server has no place
 * for it. */
static bool
start_worker(const WfDemand *demand, bool is_reserved, int number)
{
	WfWorkerSlot *slot = &wf_worker_slots[number];
	WfAssignment assignment = {.database = demand->database, .role = demand->role, .is_reserved = is_reserved};

	if (is_reserved)
		assignment.tenant_id = demand->tenant_id;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_launch_reserve(&slot->process, demand->database);
	slot->role = assignment.role;
	slot->is_reserved = assignment.is_reserved;
	slot->tenant_id = assignment.tenant_id;
	slot->started = 0;
	slot->rung = false;
	slot->leave = false;
	LWLockRelease(wf_processes_lock);
	worker_handles[number] = wf_launch_start("workflow worker", "wf_worker_main", number, assignment);
	if (worker_handles[number] == NULL)
	{
		wf_launch_release(&slot->process);
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
	{
		WfDemand   *other = &wf_processes->demands[i];

		if (other->database == demand->database && other->role == demand->role && other->is_reserved == demand->is_reserved &&
			memcmp(&other->tenant_id, &demand->tenant_id, sizeof(pg_uuid_t)) == 0)
			other->since = now;
	}
	LWLockRelease(wf_processes_lock);
}

/*
 * Has the role a worker already that might come to the messages? Then one more is for when the demand has stood for a while: the
 * longer, the more there are. *next: when.
 */
static bool
is_patient(const WfDemand *demand, const WfPlaces *places, TimestampTz now, TimestampTz *next)
{
	/* of workers for all any number may be busy with others' */
	int			n = demand->is_reserved ? places->n_own + Min(places->n, 1) : places->n;
	TimestampTz at = wf_launch_after_ms(demand->since, (long) ONE_MORE_MS << Min(n - 1, 10));

	if (n == 0 || at <= now)
		return false;
	*next = Min(*next, at);
	return true;
}

/* Is there nothing to be done for the demand now? *next: when to look again. */
static bool
may_wait(const WfDemand *demand, WfPlaces *places, TimestampTz now, TimestampTz *next)
{
	bool		is_closed = !wf_databases_has(demand->database);
	Failure    *failure = find_failure(demand->database, demand->role);

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_places_count(demand, worker_expected, places);
	if (wf_process_is_barred(demand->database))
		is_closed = true;		/* its keeper looks at roles when it comes again */
	if (is_closed || places->n_idle > 0)
		wf_process_forget_demand(demand->database, demand->role, demand->is_reserved ? &demand->tenant_id : NULL);
	LWLockRelease(wf_processes_lock);
	if (is_closed || places->n_idle > 0)
		return true;
	if (failure != NULL && wf_clock_is_ahead(failure->retry_at, now, WF_MOST_BACKOFF_MS))
	{
		*next = Min(*next, failure->retry_at);
		return true;
	}
	if (is_patient(demand, places, now, next) || (places->n + places->n_own == 0 && leave_to_keeper(demand)))
		return true;
	if (places->free_slot < 0 || wf_launch_exhausted_until(now) == 0)
		return false;
	/* somebody was asked to leave when that was found */
	*next = Min(*next, wf_launch_exhausted_until(now));
	return true;
}

/* *n_needy counts roles without a worker that could not be given one. */
static void
serve_demand(const WfDemand *demand, TimestampTz now, int *n_needy, TimestampTz *next)
{
	WfPlaces	places;
	bool		is_reserved;

	if (may_wait(demand, &places, now, next))
		return;
	/* what is for all first, as long as the role has none of these */
	is_reserved = places.own_room && !(places.room && places.n == 0);
	if (places.free_slot >= 0 && (is_reserved || places.room) && start_worker(demand, is_reserved, places.free_slot))
	{
		if (places.n + places.n_own > 0 || demand->is_reserved)
			renew_demand(demand, now);
		return;
	}
	if (places.n + places.n_own > 0 && !places.own_room)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_places_make_room(demand, ++*n_needy, now);
	LWLockRelease(wf_processes_lock);
}

/* -- dispatchers -- */

static void
reap_dispatchers(TimestampTz now)
{
	for (int i = 0; i < wf_processes->n_dispatchers; i++)
	{
		WfDispatcherSlot *slot = &wf_dispatcher_slots[i];
		bool		is_starting = slot->process.state == WF_PROCESS_STARTING;
		Failure    *failure;

		wf_launch_free_if_never_came(&slot->process, dispatcher_handles[i], now);
		if (dispatcher_handles[i] == NULL)
		{
			/* an earlier launcher asked for it, and nobody else would ask again */
			if (is_starting && slot->process.state == WF_PROCESS_NONE)
			{
				LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
				wf_process_demand(slot->process.database, InvalidOid, NULL, false);
				LWLockRelease(wf_processes_lock);
			}
			continue;
		}
		failure = find_failure(slot->process.database, InvalidOid);
		if (slot->started != 0 && failure != NULL)
			failure->database = InvalidOid;
		if (slot->process.state != WF_PROCESS_NONE)
			continue;
		pfree(dispatcher_handles[i]);
		dispatcher_handles[i] = NULL;
		wf_launch_place_is_free();
		if (slot->started != 0)
			continue;
		note_failure(slot->process.database, InvalidOid, now);
		LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
		wf_process_demand(slot->process.database, InvalidOid, NULL, false);
		LWLockRelease(wf_processes_lock);
	}
}

/* The slot of a new dispatcher; -1: there is one, or none is to be. */
static int
reserve_dispatcher(Oid database)
{
	int			free_slot = -1;

	for (int i = 0; i < wf_processes->n_dispatchers; i++)
	{
		if (wf_dispatcher_slots[i].process.state == WF_PROCESS_NONE)
		{
			if (dispatcher_handles[i] == NULL)
				free_slot = i;
		}
		else if (wf_dispatcher_slots[i].process.database == database)
			return -1;
	}
	if (free_slot < 0 || wf_process_is_barred(database))
		return -1;
	wf_launch_reserve(&wf_dispatcher_slots[free_slot].process, database);
	wf_dispatcher_slots[free_slot].started = 0;
	wf_dispatcher_slots[free_slot].calls = 0;
	return free_slot;
}

static void
serve_dispatcher(const WfDemand *demand, TimestampTz now, TimestampTz *next)
{
	Failure    *failure = find_failure(demand->database, InvalidOid);
	int			slot;

	if (failure != NULL && wf_clock_is_ahead(failure->retry_at, now, WF_MOST_BACKOFF_MS))
	{
		*next = Min(*next, failure->retry_at);
		return;
	}
	if (wf_launch_exhausted_until(now) != 0)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	slot = wf_databases_has(demand->database) ? reserve_dispatcher(demand->database) : -1;
	wf_process_forget_demand(demand->database, InvalidOid, NULL);
	LWLockRelease(wf_processes_lock);
	if (slot < 0)
		return;					/* barred: its keeper looks when it comes again */
	dispatcher_handles[slot] = wf_launch_start("workflow dispatcher", "wf_worker_dispatcher_main", slot,
											   (WfAssignment) {.database = demand->database});
	if (dispatcher_handles[slot] != NULL)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_dispatcher_slots[slot].process.state = WF_PROCESS_NONE;
	wf_process_demand(demand->database, InvalidOid, NULL, false);
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
	wf_places_drop_surplus();
	n = wf_processes->n_demands;
	memcpy(demands, wf_processes->demands, sizeof(WfDemand) * n);
	lost = wf_processes->demands_were_lost && n < WF_MOST_DEMANDS / 2;
	if (lost)
	{
		wf_processes->demands_were_lost = false;
		wf_processes->found_were_lost = true;	/* keepers that rest are to look, too */
		*next = now;
		for (int i = 0; i < wf_processes->n_keepers; i++)
		{
			wf_keeper_slots[i].look = true;
			wf_process_wake(&wf_keeper_slots[i].process);
		}
	}
	LWLockRelease(wf_processes_lock);
	qsort(demands, n, sizeof(WfDemand), by_age);
	for (int i = 0; i < n; i++)
	{
		if (OidIsValid(demands[i].role))
			serve_demand(&demands[i], now, &n_needy, next);
		else
			serve_dispatcher(&demands[i], now, next);
	}
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
		next = Min(next, wf_launch_after_ms(now, DEMANDS_OPEN_MS));
	LWLockRelease(wf_processes_lock);
	timeout = next == DT_NOEND ? -1 : next <= now ? 0 : Min((next - now) / 1000 + 1, WF_MOST_BACKOFF_MS);
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
	dispatcher_handles = MemoryContextAllocZero(TopMemoryContext,
												sizeof(BackgroundWorkerHandle *) * wf_processes->n_dispatchers);
	pass_memory = AllocSetContextCreate(TopMemoryContext, "workflow launcher", ALLOCSET_DEFAULT_SIZES);
	for (;;)
	{
		TimestampTz next = DT_NOEND;
		TimestampTz now;

		if (wf_session_look_around())
			wf_databases_are_old();
		MemoryContextReset(pass_memory);
		MemoryContextSwitchTo(pass_memory);
		WF_FAULT("launcher.pass");
		now = wf_clock_now();
		wf_databases_look_after(now, &next);
		reap_workers(now);
		reap_dispatchers(now);
		WF_FAULT("launcher.reaped");
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
