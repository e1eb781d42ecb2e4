/*
 * process.c: the struct that our processes share, and its small moves.
 *
 * 1. The postmaster makes it (shmem_request_hook, shmem_startup_hook); arrays of workers, keepers and awaits
 *    follow it, of sizes that are known then. After a crash of the server it is made anew, all zero.
 * 2. A worker's slot goes from free to starting (launcher), to busy and idle in turns (the worker), to free (the
 *    worker's end, whatever its cause). A commit that finds an idle worker of its role sets that one's latch; one that
 *    finds busy ones only rings them, so that they look again before they sleep, and tells the launcher that the role
 *    could do with one more. A worker that finds nothing left and was not rung withdraws that demand.
 * 3. The launcher is woken for a demand at once when the role has no worker at all; else only when it is not awake
 *    anyway: under load it looks at demands every few milliseconds, instead of at every commit.
 * 4. Workers may be reserved for a tenant: a demand for its messages is then one of its own, and so are workers that deal with
 *    nothing else. Which tenants these are is told by the keepers; there are none as a rule, which costs one comparison.
 * 5. A bar keeps our processes out of a database for the time of a command. Who attaches asks for it under the same
 *    lock, before connecting, so that none slips in.
 *
 * Why not the postmaster's table of background workers, nor pg_stat_activity: neither can be asked at a commit
 * for less than a microsecond, nor waited for.
 */
#include "postgres.h"

#include <signal.h>

#include "base/clock.h"
#include "base/process.h"
#include "base/settings.h"
#include "base/wake.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define LOCK_NAME "workflow"

WfProcesses *wf_processes = NULL;
LWLock	   *wf_processes_lock = NULL;
WfWorkerSlot *wf_worker_slots = NULL;
WfKeeperSlot *wf_keeper_slots = NULL;
WfDispatcherSlot *wf_dispatcher_slots = NULL;
WfAwait    *wf_awaits = NULL;
WfWorkerSlot *wf_my_worker = NULL;
WfKeeperSlot *wf_my_keeper = NULL;
WfDispatcherSlot *wf_my_dispatcher = NULL;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

/* -- making it -- */

static Size
struct_size(void)
{
	return MAXALIGN(sizeof(WfProcesses));
}

static Size
workers_size(void)
{
	return MAXALIGN(mul_size(sizeof(WfWorkerSlot), wf_setting_max_workers));
}

static Size
keepers_size(void)
{
	return MAXALIGN(mul_size(sizeof(WfKeeperSlot), max_worker_processes));
}

static Size
dispatchers_size(void)
{
	return MAXALIGN(mul_size(sizeof(WfDispatcherSlot), max_worker_processes));
}

static Size
total_size(void)
{
	return add_size(add_size(add_size(struct_size(), workers_size()), add_size(keepers_size(), dispatchers_size())),
					mul_size(sizeof(WfAwait), MaxBackends));
}

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(total_size());
	RequestNamedLWLockTranche(LOCK_NAME, 1);
}

static void
startup(void)
{
	bool		found;
	char	   *base;

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	base = ShmemInitStruct("workflow processes", total_size(), &found);
	wf_processes = (WfProcesses *) base;
	wf_worker_slots = (WfWorkerSlot *) (base + struct_size());
	wf_keeper_slots = (WfKeeperSlot *) (base + struct_size() + workers_size());
	wf_dispatcher_slots = (WfDispatcherSlot *) (base + struct_size() + workers_size() + keepers_size());
	wf_awaits = (WfAwait *) (base + struct_size() + workers_size() + keepers_size() + dispatchers_size());
	wf_processes_lock = &GetNamedLWLockTranche(LOCK_NAME)->lock;
	if (!found)
	{
		memset(base, 0, total_size());
		wf_processes->n_workers = wf_setting_max_workers;
		wf_processes->n_keepers = max_worker_processes;
		wf_processes->n_dispatchers = max_worker_processes;
		pg_atomic_init_u32(&wf_processes->n_awaits, 0);
		pg_atomic_init_u32(&wf_processes->n_cancelled, 0);
		pg_atomic_init_u32(&wf_processes->n_reserved, 0);
		pg_atomic_init_u64(&wf_processes->n_wakes, 0);
		for (int i = 0; i < wf_processes->n_workers; i++)
			SpinLockInit(&wf_worker_slots[i].mutex);
	}
	LWLockRelease(AddinShmemInitLock);
}

void
wf_process_init(void)
{
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
}

/* -- processes -- */

int
wf_process_my_procno(void)
{
	return MyProc - ProcGlobal->allProcs;
}

void
wf_process_wake_procno(int procno)
{
	SetLatch(&ProcGlobal->allProcs[procno].procLatch);
}

void
wf_process_wake(const WfProcess *process)
{
	if (process->pid != 0)
		wf_process_wake_procno(process->procno);
}

void
wf_process_fill(WfProcess *process, WfProcessState state, Oid database)
{
	process->database = database;
	process->pid = MyProcPid;
	process->procno = wf_process_my_procno();
	process->since = wf_clock_now();
	process->state = state;
}

WfProcess *
wf_process_at(int index)
{
	if (index < wf_processes->n_workers)
		return &wf_worker_slots[index].process;
	index -= wf_processes->n_workers;
	if (index < wf_processes->n_keepers)
		return &wf_keeper_slots[index].process;
	index -= wf_processes->n_keepers;
	return index < wf_processes->n_dispatchers ? &wf_dispatcher_slots[index].process : NULL;
}

bool
wf_process_is_barred(Oid database)
{
	for (int i = 0; i < wf_processes->n_bars; i++)
		if (wf_processes->bars[i].database == database)
			return true;
	return false;
}

bool
wf_process_attach(WfProcess *process, Oid database)
{
	if (process->state != WF_PROCESS_STARTING || process->pid != 0 || process->database != database)
		return false;
	if (wf_process_is_barred(database))
	{
		process->state = WF_PROCESS_NONE;
		return false;
	}
	wf_process_fill(process, WF_PROCESS_BUSY, database);
	return true;
}

WfKeeperSlot *
wf_process_keeper_of(Oid database)
{
	for (int i = 0; i < wf_processes->n_keepers; i++)
		if (wf_keeper_slots[i].process.state != WF_PROCESS_NONE && wf_keeper_slots[i].process.database == database)
			return &wf_keeper_slots[i];
	return NULL;
}

void
wf_process_tell_keeper(Oid database, TimestampTz when, bool look)
{
	WfKeeperSlot *keeper = wf_process_keeper_of(database);

	if (keeper == NULL)
	{
		wf_process_found(database); /* it rests, or is about to begin; it looks at everything then */
		return;
	}
	keeper->look |= look;
	if (when < keeper->due)
		keeper->due = when;
	if (look || (keeper->process.state == WF_PROCESS_IDLE && when < keeper->sleeps_until))
		wf_process_wake(&keeper->process);
}

void
wf_process_tell_keeper_to_save(Oid database, TimestampTz when)
{
	WfKeeperSlot *keeper = wf_process_keeper_of(database);

	if (keeper == NULL)
	{
		wf_process_found(database); /* it saves when it begins */
		return;
	}
	if (when >= keeper->save_due)
		return;
	keeper->save_due = when;
	if (keeper->process.state == WF_PROCESS_IDLE && when < keeper->sleeps_until)
		wf_process_wake(&keeper->process);
}

/* -- demands -- */

static bool
same_demand(const WfDemand *demand, Oid database, Oid role, const pg_uuid_t *tenant_id)
{
	return demand->database == database && demand->role == role && demand->is_reserved == (tenant_id != NULL) &&
		(tenant_id == NULL || memcmp(&demand->tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0);
}

void
wf_process_demand(Oid database, Oid role, const pg_uuid_t *tenant_id, bool urgent)
{
	WfProcesses *all = wf_processes;
	WfDemand	demand = {.database = database, .role = role, .is_reserved = tenant_id != NULL};
	bool		is_new = true;

	for (int i = 0; i < all->n_demands && is_new; i++)
		is_new = !same_demand(&all->demands[i], database, role, tenant_id);
	if (!is_new)
		return;
	if (tenant_id != NULL)
		demand.tenant_id = *tenant_id;
	demand.since = wf_clock_now();
	if (all->n_demands == WF_MOST_DEMANDS)
		all->demands_were_lost = true;
	else
		all->demands[all->n_demands++] = demand;
	if (urgent || !all->launcher_is_alert)
	{
		all->launcher_is_alert = true;
		wf_process_wake(&all->launcher);
	}
}

void
wf_process_forget_demand(Oid database, Oid role, const pg_uuid_t *tenant_id)
{
	WfProcesses *all = wf_processes;

	for (int i = 0; i < all->n_demands; i++)
	{
		if (!same_demand(&all->demands[i], database, role, tenant_id))
			continue;
		all->demands[i] = all->demands[--all->n_demands];
		return;
	}
}

void
wf_process_forget_demands(Oid database, Oid role)
{
	WfProcesses *all = wf_processes;

	for (int i = all->n_demands - 1; i >= 0; i--)
		if (all->demands[i].database == database && all->demands[i].role == role)
			all->demands[i] = all->demands[--all->n_demands];
}

/*
 * Wakes an idle worker of the role that deals with messages of any tenant, or is reserved for this one; true then. Else those
 * that are busy are to look again: *n_any and *n_reserved count them.
 */
static bool
ring_workers(Oid database, Oid role, const pg_uuid_t *tenant_id, int *n_any, int *n_reserved)
{
	*n_any = *n_reserved = 0;
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *worker = &wf_worker_slots[i];

		if (worker->process.state == WF_PROCESS_NONE || worker->role != role || worker->process.database != database)
			continue;
		if (worker->is_reserved &&
			(tenant_id == NULL || memcmp(&worker->tenant_id, tenant_id, sizeof(pg_uuid_t)) != 0))
			continue;
		*(worker->is_reserved ? n_reserved : n_any) += 1;
		if (worker->process.state == WF_PROCESS_IDLE)
		{
			if (!worker->rung)
			{
				worker->rung = true;
				wf_process_wake(&worker->process);
			}
			return true;
		}
		worker->rung = true;
	}
	return false;
}

void
wf_process_ring(Oid database, Oid role)
{
	int			n_any;
	int			n_reserved;

	if (!ring_workers(database, role, NULL, &n_any, &n_reserved))
		wf_process_demand(database, role, NULL, n_any == 0);
}

void
wf_process_ring_tenant(Oid database, Oid role, const pg_uuid_t *tenant_id)
{
	int			n_any;
	int			n_reserved;

	if (wf_process_reserved(database, tenant_id) == 0)
		wf_process_ring(database, role);
	else if (!ring_workers(database, role, tenant_id, &n_any, &n_reserved))
		wf_process_demand(database, role, tenant_id, n_reserved == 0);
}

/* -- workers that are reserved -- */

int
wf_process_reserved(Oid database, const pg_uuid_t *tenant_id)
{
	int			n = pg_atomic_read_u32(&wf_processes->n_reserved);

	for (int i = 0; i < n; i++)
		if (wf_processes->reserved[i].database == database &&
			memcmp(&wf_processes->reserved[i].tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
			return wf_processes->reserved[i].n;
	return 0;
}

bool
wf_process_set_reserved(Oid database, const WfReserved *list, int n)
{
	WfProcesses *all = wf_processes;
	int			kept = 0;
	int			n_added;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; i < (int) pg_atomic_read_u32(&all->n_reserved); i++)
		if (all->reserved[i].database != database)
			all->reserved[kept++] = all->reserved[i];
	n_added = Min(n, WF_MOST_RESERVATIONS - kept);
	for (int i = 0; i < n_added; i++)
		all->reserved[kept++] = list[i];
	pg_atomic_write_u32(&all->n_reserved, kept);
	LWLockRelease(wf_processes_lock);
	return n_added == n;
}

void
wf_process_ring_dispatcher(Oid database, int calls)
{
	for (int i = 0; i < wf_processes->n_dispatchers; i++)
	{
		WfDispatcherSlot *slot = &wf_dispatcher_slots[i];

		if (slot->process.state == WF_PROCESS_NONE || slot->process.database != database)
			continue;
		if (slot->calls == 0 || (slot->calls | calls) != slot->calls)
			wf_process_wake(&slot->process);
		slot->calls |= calls;
		return;
	}
	/* of anything else, one that begins needs not be told */
	if ((calls & WF_DISPATCH_REQUESTS) != 0)
		wf_process_demand(database, InvalidOid, NULL, true);
}

void
wf_process_found(Oid database)
{
	WfProcesses *all = wf_processes;

	if (all->n_found == WF_MOST_FOUND)
		all->found_were_lost = true;
	else
		all->found[all->n_found++] = database;
	wf_process_wake(&all->launcher);
}

/* -- a worker's turns -- */

void
wf_process_begin_turn(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_worker->process.state = WF_PROCESS_BUSY;
	wf_my_worker->rung = false;
	wf_my_worker->owes = false;
	LWLockRelease(wf_processes_lock);
}

bool
wf_process_go_idle(bool owes)
{
	bool		quiet;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	quiet = !wf_my_worker->rung;
	if (quiet)
	{
		wf_my_worker->process.state = WF_PROCESS_IDLE;
		wf_my_worker->owes = owes;
		wf_my_worker->process.since = wf_clock_now();
		/* it has found nothing of any tenant, or of its own */
		if (wf_my_worker->is_reserved)
			wf_process_forget_demand(wf_my_worker->process.database, wf_my_worker->role, &wf_my_worker->tenant_id);
		else
			wf_process_forget_demands(wf_my_worker->process.database, wf_my_worker->role);
	}
	LWLockRelease(wf_processes_lock);
	return quiet;
}

void
wf_process_ask_for_help(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (wf_my_worker->is_reserved)
		wf_process_ring_tenant(wf_my_worker->process.database, wf_my_worker->role, &wf_my_worker->tenant_id);
	else
		wf_process_ring(wf_my_worker->process.database, wf_my_worker->role);
	LWLockRelease(wf_processes_lock);
}

bool
wf_process_suspect_begin(void)
{
	int			me = wf_my_worker - wf_worker_slots + 1;
	bool		mine;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	mine = wf_processes->suspect_worker == 0 || wf_processes->suspect_worker == me;
	if (mine)
		wf_processes->suspect_worker = me;
	LWLockRelease(wf_processes_lock);
	return mine;
}

void
wf_process_suspect_end(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (wf_processes->suspect_worker == wf_my_worker - wf_worker_slots + 1)
		wf_processes->suspect_worker = 0;
	LWLockRelease(wf_processes_lock);
}

/* -- a dispatcher's -- */

int
wf_process_take_calls(void)
{
	int			calls;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	calls = wf_my_dispatcher->calls;
	wf_my_dispatcher->calls = 0;
	wf_my_dispatcher->process.state = WF_PROCESS_BUSY;
	LWLockRelease(wf_processes_lock);
	return calls;
}

bool
wf_process_dispatcher_go_idle(void)
{
	bool		quiet;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	quiet = wf_my_dispatcher->calls == 0;
	if (quiet)
	{
		wf_my_dispatcher->process.state = WF_PROCESS_IDLE;
		wf_my_dispatcher->process.since = wf_clock_now();
	}
	LWLockRelease(wf_processes_lock);
	return quiet;
}

/* -- bars -- */

static void
unbar_at_exit(int code, Datum arg)
{
	wf_process_unbar(InvalidOid);
}

/* Asks those that are in the database to end; how many there are still. Those that start find the bar. */
static int
stop_processes(Oid database)
{
	WfProcess  *process;
	int			n = 0;

	LWLockAcquire(wf_processes_lock, LW_SHARED);
	for (int i = 0; (process = wf_process_at(i)) != NULL; i++)
	{
		if (process->state == WF_PROCESS_NONE || process->database != database || process->pid == 0 ||
			process->pid == MyProcPid)
			continue;
		n++;
		kill(process->pid, SIGTERM);
	}
	LWLockRelease(wf_processes_lock);
	return n;
}

void
wf_process_bar(Oid database, int timeout_ms)
{
	static bool registered = false;
	TimestampTz until = TimestampTzPlusMilliseconds(wf_clock_now(), timeout_ms);
	bool		barred = false;

	if (!registered)
	{
		before_shmem_exit(unbar_at_exit, (Datum) 0);
		registered = true;
	}
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (wf_processes->n_bars < WF_MOST_BARS)
	{
		wf_processes->bars[wf_processes->n_bars++] = (WfBar)
		{
			.database = database, .pid = MyProcPid
		};
		barred = true;
	}
	LWLockRelease(wf_processes_lock);
	if (!barred)
		return;
	while (stop_processes(database) > 0 && wf_clock_now() < until)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, 5L, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

void
wf_process_unbar(Oid database)
{
	WfProcesses *all = wf_processes;
	bool		any = false;

	if (all == NULL)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = all->n_bars - 1; i >= 0; i--)
	{
		if (all->bars[i].pid != MyProcPid || (OidIsValid(database) && all->bars[i].database != database))
			continue;
		wf_process_found(all->bars[i].database);
		all->bars[i] = all->bars[--all->n_bars];
		any = true;
	}
	if (any)
		wf_process_wake(&all->launcher);
	LWLockRelease(wf_processes_lock);
}
