/*
 * launch.c: starting a process, for the launcher.
 *
 * A slot is reserved first, then the process is asked for; it takes the slot when it has begun (each kind's attach). One that
 * never came leaves its slot to the next. What cannot be started because all of max_worker_processes are taken is tried again,
 * ever later, up to some seconds, and complained about once.
 */
#include "postgres.h"

#include "base/clock.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/launch.h"

#define STALE_MS 30000			/* a process that was asked for by an earlier launcher and never came */
#define LEAST_BACKOFF_MS 1000
#define MOST_EXHAUSTED_MS 5000

static TimestampTz exhausted_until = 0;
static long exhausted_ms = 0;	/* 0: the last start was possible */

long
wf_launch_backoff_ms(int n)
{
	return Min((long) LEAST_BACKOFF_MS << Min(n, 10), WF_MOST_BACKOFF_MS);
}

TimestampTz
wf_launch_after_ms(TimestampTz now, long ms)
{
	return TimestampTzPlusMilliseconds(now, ms);
}

TimestampTz
wf_launch_exhausted_until(TimestampTz now)
{
	return wf_clock_is_ahead(exhausted_until, now, MOST_EXHAUSTED_MS) ? exhausted_until : 0;
}

void
wf_launch_place_is_free(void)
{
	exhausted_until = 0;
}

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

BackgroundWorkerHandle *
wf_launch_start(const char *type, const char *function, int slot, WfAssignment assignment)
{
	BackgroundWorker worker = {0};
	BackgroundWorkerHandle *handle = NULL;
	TimestampTz now = wf_clock_now();
	MemoryContext old;
	bool		ok;

	if (wf_launch_exhausted_until(now) != 0)
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
	exhausted_until = wf_launch_after_ms(now, exhausted_ms);
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
	return now > wf_launch_after_ms(process->since, STALE_MS);
}

void
wf_launch_free_if_never_came(WfProcess *process, BackgroundWorkerHandle *handle, TimestampTz now)
{
	if (!never_came(process, handle, now))
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (process->state == WF_PROCESS_STARTING && process->pid == 0)
		process->state = WF_PROCESS_NONE;
	LWLockRelease(wf_processes_lock);
}

void
wf_launch_reserve(WfProcess *process, Oid database)
{
	process->state = WF_PROCESS_STARTING;
	process->database = database;
	process->pid = 0;
	process->since = wf_clock_now();
}

void
wf_launch_release(WfProcess *process)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	process->state = WF_PROCESS_NONE;
	LWLockRelease(wf_processes_lock);
}
