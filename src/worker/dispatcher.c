/*
 * dispatcher.c: the process that sends the requests of one database.
 *
 * It is connected as the bootstrap superuser, as the keeper is, and executes nothing but the store's static statements, as
 * wf_engine; what it sends and receives is src/dispatch/'s and src/net/'s. No transaction is open while it waits.
 *
 * 1. Whoever commits requests rings it (base/wake.h); the launcher starts it when there is none. When it begins, it looks at all
 *    that is there: what was being sent when a server or a dispatcher went down is sent again.
 * 2. It sleeps on its latch and on the descriptor of the network, in one wait.
 * 3. An error of a transaction leaves what was to be recorded for the next one, ever later, up to some seconds (dispatch.c); what is on
 *    its way goes on meanwhile.
 * 4. It ends when it has had nothing to do for workflow.worker_idle_timeout, and there is nothing in the outbox that will be due; when the
 *    extension is gone; when it is told to (SIGTERM), at once: what is on its way is cut off, and sent again by the next one.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/wake.h"
#include "catalog/pg_authid.h"
#include "dispatch/dispatch.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "store/secret.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/worker.h"

#define MOST_SLEEP_MS 60000

static MemoryContext turn_memory;
static bool has_work = true;	/* something is in flight, or in the outbox, or it does not know */
static WaitEventSet *events;

static void
detach(int code, Datum arg)
{
	WfDispatcherSlot *slot = wf_my_dispatcher;
	Oid			database = slot->process.database;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	slot->process.pid = 0;
	/* told to end, or told of something when it had made up its mind: it may leave something behind */
	if ((has_work || slot->calls != 0) && slot->started != 0 && !wf_process_is_barred(database))
	{
		slot->process.state = WF_PROCESS_NONE;
		wf_process_ring_dispatcher(database, WF_DISPATCH_REQUESTS);
	}
	slot->process.state = WF_PROCESS_NONE;
	slot->calls = 0;
	wf_process_wake(&wf_processes->launcher);
	LWLockRelease(wf_processes_lock);
	wf_my_dispatcher = NULL;
}

static bool
attach(int number, const WfAssignment *assignment)
{
	WfDispatcherSlot *slot = &wf_dispatcher_slots[number];
	bool		mine;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	mine = wf_process_attach(&slot->process, assignment->database);
	if (mine)
	{
		slot->calls = -1;		/* everything is to be looked at */
		wf_my_dispatcher = slot;
	}
	LWLockRelease(wf_processes_lock);
	return mine;
}

static void
come_up(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_my_dispatcher->started = wf_clock_now();
	wf_process_forget_demand(wf_my_dispatcher->process.database, InvalidOid, NULL);
	LWLockRelease(wf_processes_lock);
}

static void
find_extension(void *arg)
{
	*(bool *) arg = wf_session_has_extension();
}

static bool
extension_is_there(void)
{
	bool		found = true;
	ErrorData  *error = wf_transaction(find_extension, &found, NULL);

	return error != NULL || found;
}

pg_noreturn static void
leave_for_good(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	has_work = false;
	wf_my_dispatcher->calls = 0;
	/* it came: the launcher must not take it for one that could not */
	if (wf_my_dispatcher->started == 0)
		wf_my_dispatcher->started = wf_clock_now();
	LWLockRelease(wf_processes_lock);
	proc_exit(0);
}

static void
look_at_key(void *arg)
{
	WfMasterKeyIds keys;
	WfError    *problem;

	wf_transaction_open(turn_memory);
	problem = wf_store_master_key_problem(&keys);
	if (problem != NULL)
		ereport(LOG, (errcode(problem->sqlstate), errmsg("requests with secrets cannot be sent: %s", problem->message),
					  problem->detail != NULL ? errdetail("%s", problem->detail) : 0,
					  problem->hint != NULL ? errhint("%s", problem->hint) : 0));
	wf_transaction_close(turn_memory);
}

static void
work(void *arg)
{
	wf_dispatch_work(turn_memory);
	WF_FAULT("dispatch.commit");
}

/* One transaction. */
static void
transact(void)
{
	ErrorData  *error;

	pgstat_report_activity(STATE_RUNNING, "");
	error = wf_transaction(work, NULL, NULL);
	if (error == NULL)
		WF_FAULT("dispatch.committed");
	wf_dispatch_settle(error);
	pgstat_report_activity(STATE_IDLE, NULL);
	if (error == NULL)
		return;
	ereport(LOG, (errcode(error->sqlerrcode), errmsg("workflow dispatcher: %s", error->message),
				  error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
				  error->context != NULL ? errcontext("%s", error->context) : 0));
	if (!extension_is_there())
		leave_for_good();
}

static void
sleep_for(long timeout_ms)
{
	WaitEvent	event[2];

	(void) WaitEventSetWait(events, timeout_ms, event, lengthof(event), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	pg_atomic_fetch_add_u64(&wf_processes->n_wakes, 1);
}

/* How long it may sleep; 0: not at all. Ends the process when it has been idle for long. */
static long
patience_ms(long timeout_ms, TimestampTz *idle_since)
{
	TimestampTz now = wf_clock_now();
	int64		left;

	if (timeout_ms == 0)
		return 0;
	if (!wf_process_dispatcher_go_idle())
		return 0;
	has_work = !wf_dispatch_is_idle();
	if (has_work)
	{
		*idle_since = 0;
		return timeout_ms < 0 ? MOST_SLEEP_MS : Min(timeout_ms, MOST_SLEEP_MS);
	}
	if (*idle_since == 0 || *idle_since > now)
		*idle_since = now;
	if (wf_setting_worker_idle_timeout == 0)
		return timeout_ms;
	left = wf_setting_worker_idle_timeout - (now - *idle_since) / 1000;
	if (left <= 0)
		proc_exit(0);
	return timeout_ms < 0 ? left : Min(timeout_ms, left);
}

static void
dispatch(void)
{
	TimestampTz idle_since = 0;

	for (;;)
	{
		bool		is_reloaded = wf_session_look_around();
		long		timeout_ms;

		MemoryContextReset(turn_memory);
		MemoryContextSwitchTo(turn_memory);
		has_work = true;
		/* limits of the process are settings */
		if (wf_dispatch_wants(wf_process_take_calls() | (is_reloaded ? WF_DISPATCH_POLICIES : 0)))
		{
			idle_since = 0;
			transact();
		}
		wf_dispatch_move();
		timeout_ms = patience_ms(wf_dispatch_timeout_ms(), &idle_since);
		if (timeout_ms != 0)
			sleep_for(timeout_ms);
	}
}

void
wf_worker_dispatcher_main(Datum arg)
{
	WfAssignment assignment;

	memcpy(&assignment, MyBgworkerEntry->bgw_extra, sizeof(assignment));
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	if (wf_processes == NULL || !attach(DatumGetInt32(arg), &assignment))
		proc_exit(0);
	on_shmem_exit(detach, (Datum) 0);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(assignment.database, InvalidOid, 0);
	wf_session_begin(BOOTSTRAP_SUPERUSERID);
	/* what is sent must not be taken back by a crash: see dispatch.c */
	SetConfigOption("synchronous_commit", "on", PGC_SUSET, PGC_S_OVERRIDE);
	turn_memory = AllocSetContextCreate(TopMemoryContext, "workflow dispatcher turn", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(turn_memory);
	if (!extension_is_there())
		leave_for_good();
	wf_dispatch_begin();
	come_up();
	(void) wf_transaction(look_at_key, NULL, NULL);
	events = wf_compat_wait_event_set(3);
	AddWaitEventToSet(events, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(events, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	AddWaitEventToSet(events, WL_SOCKET_READABLE, wf_dispatch_fd(), NULL, NULL);
	dispatch();
}
