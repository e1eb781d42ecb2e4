/*
 * worker.c: a process that executes runs of one role in one database.
 *
 * 1. The launcher reserves a slot and starts the process, which takes the slot (unless the database was barred meanwhile),
 *    then connects as the role: everything of the tenant's runs as that role to the very end of the commit.
 * 2. It takes turns (turn.c) until one finds nothing; then it sleeps on its latch. Whoever commits messages for the role
 *    sets that. "Finds nothing" and "sleeps" are one step under the lock of process.h: a message that comes
 *    in between rings, and it looks again.
 * 3. It ends when it has had nothing to do for workflow.worker_idle_timeout; when the launcher wants its place for a
 *    role that has none (after the turn at hand); when the extension is gone; when it is told to (SIGTERM), at
 *    once, and what it did not commit is done by another. What it was rung for is handed on when it leaves its slot.
 *
 * SIGINT cancels the statement at hand, SIGHUP reads the settings: PostgreSQL's own handlers. SIGQUIT has one of ours in
 * front of PostgreSQL's: executing.c tells why.
 */
#include "postgres.h"

#include <signal.h>

#include "base/clock.h"
#include "base/settings.h"
#include "base/wake.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/worker.h"

static void
quit(SIGNAL_ARGS)
{
	wf_executing_quit();
	SignalHandlerForCrashExit(postgres_signal_arg);
}

static void
detach(int code, Datum arg)
{
	WfWorkerSlot *slot = wf_my_worker;
	Oid			database = slot->process.database;
	bool		rung;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	/* not when we wanted it to */
	if (!slot->leave && !wf_process_is_barred(database))
		wf_executing_died();
	wf_executing_detach();
	SpinLockAcquire(&slot->mutex);
	slot->executes = false;
	slot->interrupted = false;
	SpinLockRelease(&slot->mutex);
	if (wf_processes->suspect_worker == slot - wf_worker_slots + 1)
		wf_processes->suspect_worker = 0;
	/* told to end in mid-turn: it may leave messages behind */
	rung = slot->rung || slot->owes || slot->process.state == WF_PROCESS_BUSY;
	slot->process.state = WF_PROCESS_NONE;
	slot->process.pid = 0;
	slot->rung = false;
	slot->owes = false;
	slot->leave = false;
	if (rung && slot->started != 0 && slot->is_reserved)
		wf_process_ring_tenant(database, slot->role, &slot->tenant_id);
	else if (rung && slot->started != 0)
		wf_process_ring(database, slot->role);
	wf_process_wake(&wf_processes->launcher);
	LWLockRelease(wf_processes_lock);
	wf_my_worker = NULL;
}

/* Takes the slot that was reserved for it. */
static bool
attach(int number, const WfAssignment *assignment)
{
	WfWorkerSlot *slot = &wf_worker_slots[number];
	bool		mine;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	mine = slot->role == assignment->role && slot->is_reserved == assignment->is_reserved &&
		memcmp(&slot->tenant_id, &assignment->tenant_id, sizeof(pg_uuid_t)) == 0 &&
		wf_process_attach(&slot->process, assignment->database);
	if (mine)
	{
		slot->rung = false;
		slot->owes = false;
		slot->leave = false;
		slot->started = 0;
		wf_my_worker = slot;
	}
	LWLockRelease(wf_processes_lock);
	return mine;
}

/* It has connected: whoever waits for a worker of this role has one. */
static void
come_up(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_worker->started = wf_clock_now();
	wf_process_forget_demand(wf_my_worker->process.database, wf_my_worker->role,
							 wf_my_worker->is_reserved ? &wf_my_worker->tenant_id : NULL);
	LWLockRelease(wf_processes_lock);
}

/* Sleeps at most so long (-1: until it has been idle for too long). False: it is to end. */
static bool
sleep_idle(long wait_ms)
{
	long		timeout = wf_setting_worker_idle_timeout == 0 ? -1 : wf_setting_worker_idle_timeout;
	int			events = WL_LATCH_SET | WL_EXIT_ON_PM_DEATH;
	int			rc;

	if (wait_ms >= 0)
		timeout = wait_ms;
	pgstat_report_activity(STATE_IDLE, NULL);
	(void) pgstat_report_stat(true);
	rc = WaitLatch(MyLatch, timeout < 0 ? events : events | WL_TIMEOUT, timeout, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	pg_atomic_fetch_add_u64(&wf_processes->n_wakes, 1);
	return wait_ms >= 0 || (rc & WL_TIMEOUT) == 0;
}

/* Leaves if nobody has rung since it went idle. */
static bool
may_leave(void)
{
	bool		quiet;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	quiet = !wf_my_worker->rung;
	LWLockRelease(wf_processes_lock);
	return quiet;
}

/* The extension is gone: no other worker is to come in its place, unless somebody has rung since. */
static void
leave_for_good(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_worker->process.state = WF_PROCESS_IDLE;
	LWLockRelease(wf_processes_lock);
	proc_exit(0);
}

static void
work(void)
{
	bool		found_some = true;

	for (;;)
	{
		bool		alive;
		long		wait;

		wf_session_look_around();
		if (wf_my_worker->leave)
		{
			/* the state decides whether it leaves messages behind */
			if (found_some)
				wf_process_begin_turn();
			proc_exit(0);
		}
		wf_process_begin_turn();
		pgstat_report_activity(STATE_RUNNING, "");
		wait = wf_turn(&alive);
		found_some = wait == 0;
		if (!alive)
			leave_for_good();
		if (wait == 0 || !wf_process_go_idle(wait > 0))
			continue;
		if (!sleep_idle(wait) && may_leave())
			proc_exit(0);
	}
}

void
wf_worker_main(Datum arg)
{
	WfAssignment assignment;

	memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof(assignment));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGQUIT, quit);
	if (wf_processes == NULL || !attach(DatumGetInt32(arg), &assignment))
		proc_exit(0);
	on_shmem_exit(detach, (Datum) 0);
	wf_executing_attach(DatumGetInt32(arg));
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(assignment.database, assignment.role, 0);
	wf_session_begin(assignment.role);
	wf_turn_init(assignment.role);
	come_up();
	work();
}
