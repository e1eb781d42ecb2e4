/*
 * executing.c: what workers execute right now: for views, for cancels, and for whoever counts crashes.
 *
 * It is noted in two places. The worker's slot in shared memory has the run and the node, under a spinlock. A file in
 * the data directory, mapped into the launcher and each worker, has the run alone: a write to it costs a memory write,
 * and outlives the server's crash in the kernel's page cache. (A crash of the machine may lose it: nothing is counted
 * then.)
 *
 * 1. A worker's entry is set when a run begins, and stays, when the slot shows it no more, until the next one begins or
 *    the transaction is over (wf_executing_over), so that a crash at commit is somebody's too.
 * 2. A worker that goes down because *another* process crashed is told so by the postmaster (SIGQUIT) and takes its entry
 *    back, as does one when the server is stopped at once: innocent runs are never counted. The exception is a run
 *    with parallel workers at work, which may be what crashed.
 * 3. At the next start the launcher sets aside what is left, before there is any worker; the keeper of each database
 *    counts what is its own, and forgets it after its commit. A crash in between counts twice, never not at all.
 * 4. A worker that is ended in the middle of a run, and not by one of ours, leaves the run in shared memory for the keeper:
 *    a run that ends its own session (pg_terminate_backend) would else be begun anew for ever, and take what is in its
 *    batch along each time. It is counted as a crash is. At a shutdown of the server that memory goes too.
 * 5. A cancel of the run (wf_cancel) marks the slot, under the spinlock, and sends SIGINT, both under the lock of
 *    process.h. A worker that finds the mark when it goes on to its next run waits for that lock, lets the
 *    signal come, and drops it: it never hits the next run.
 */
#include "postgres.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "access/parallel.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/wake.h"
#include "common/file_perm.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/pmsignal.h"
#include "utils/backend_status.h"
#include "utils/memutils.h"

#define FILE_NAME "workflow.executing"
#define FILE_MAGIC 0x57464531

typedef struct Entry
{
	Oid			database;
	uint32		executes;		/* bool; written last */
	pg_uuid_t	run_id;
} Entry;

typedef struct RunsFile
{
	uint32		magic;
	uint32		n;
	Entry		now[WF_MOST_WORKERS];
	Entry		crashed[WF_MOST_WORKERS];	/* set aside; written by the launcher and keepers, under the lock */
} RunsFile;

static RunsFile *file = NULL;
static Entry *my_entry = NULL;

/* The run that was noted last was to be cancelled; asked for when it is noted no more. */
static bool was_interrupted = false;

/* Where the node's name goes in what pg_stat_activity shows. */
static int	activity_run_length = 0;

/* -- the file -- */

static bool
fill_file(int fd)
{
	RunsFile   *zero = palloc0(sizeof(RunsFile));
	bool		ok;

	zero->magic = FILE_MAGIC;
	zero->n = WF_MOST_WORKERS;
	ok = ftruncate(fd, 0) == 0 && pwrite(fd, zero, sizeof(RunsFile), 0) == sizeof(RunsFile);
	pfree(zero);
	return ok;
}

/* Maps the file, which is made if there is none or another one. Without it crashes are not counted. */
static void
map_file(void)
{
	int			fd;
	RunsFile	head;
	void	   *mapped = MAP_FAILED;

	if (file != NULL)
		return;
	fd = BasicOpenFile(FILE_NAME, O_RDWR | O_CREAT | PG_BINARY);
	if (fd >= 0)
	{
		bool		fits = lseek(fd, 0, SEEK_END) == sizeof(RunsFile) &&
			pread(fd, &head, offsetof(RunsFile, now), 0) == offsetof(RunsFile, now) &&
			head.magic == FILE_MAGIC && head.n == WF_MOST_WORKERS;

		if (fits || fill_file(fd))
			mapped = mmap(NULL, sizeof(RunsFile), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		close(fd);
	}
	if (mapped != MAP_FAILED)
		file = mapped;
	else
		ereport(LOG, (errcode_for_file_access(),
					  errmsg("could not map file \"%s\": %m", FILE_NAME),
					  errdetail("Crashes are not counted: a run that takes its worker down is tried again and again.")));
}

void
wf_executing_take_crashes(void)
{
	map_file();
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (file != NULL && !wf_processes->crashes_are_taken)
	{
		int			to = 0;

		for (int from = 0; from < WF_MOST_WORKERS; from++)
		{
			if (file->now[from].executes == 0)
				continue;
			while (to < WF_MOST_WORKERS && file->crashed[to].executes != 0)
				to++;
			if (to < WF_MOST_WORKERS)
				file->crashed[to] = file->now[from];
			file->now[from].executes = 0;
		}
	}
	wf_processes->crashes_are_taken = true;
	LWLockRelease(wf_processes_lock);
}

int
wf_executing_crashed(Oid database, pg_uuid_t **runs)
{
	int			n = 0;

	*runs = palloc(sizeof(pg_uuid_t) * WF_MOST_WORKERS * 2);
	map_file();
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; file != NULL && i < WF_MOST_WORKERS; i++)
		if (file->crashed[i].executes != 0 && file->crashed[i].database == database)
			(*runs)[n++] = file->crashed[i].run_id;
	for (int i = 0; i < WF_MOST_WORKERS; i++)
		if (wf_processes->died[i].database == database)
		{
			(*runs)[n++] = wf_processes->died[i].run_id;
			/* there is a place for each worker: what is not counted after an error is counted when it happens again */
			wf_processes->died[i].database = InvalidOid;
		}
	LWLockRelease(wf_processes_lock);
	return n;
}

void
wf_executing_died(void)
{
	if (my_entry == NULL || my_entry->executes == 0)
		return;
	for (int i = 0; i < WF_MOST_WORKERS; i++)
		if (!OidIsValid(wf_processes->died[i].database))
		{
			wf_processes->died[i].database = my_entry->database;
			wf_processes->died[i].run_id = my_entry->run_id;
			wf_process_tell_keeper(my_entry->database, DT_NOEND, true);
			return;
		}
}

void
wf_executing_forget_crashed(Oid database)
{
	if (file == NULL)
		return;
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	for (int i = 0; i < WF_MOST_WORKERS; i++)
		if (file->crashed[i].database == database)
			file->crashed[i].executes = 0;
	LWLockRelease(wf_processes_lock);
}

void
wf_executing_attach(int worker)
{
	map_file();
	if (file == NULL)
		return;
	my_entry = &file->now[worker];
	my_entry->executes = 0;
	my_entry->database = wf_my_worker->process.database;
}

void
wf_executing_over(void)
{
	if (my_entry != NULL)
		my_entry->executes = 0;
}

void
wf_executing_detach(void)
{
	if (my_entry != NULL)
		my_entry->executes = 0;
	my_entry = NULL;
}

void
wf_executing_quit(void)
{
	QuitSignalReason reason = GetQuitSignalReason();

	if (my_entry == NULL)
		return;
	if (reason == PMQUIT_FOR_STOP || (reason == PMQUIT_FOR_CRASH && !ParallelContextActive()))
		my_entry->executes = 0;
}

/* -- what pg_stat_activity shows -- */

/* "workflow run 01234567-89ab-7cde-8f01-23456789abcd", without the cost of printf. */
static void
show_run(const pg_uuid_t *run_id)
{
	static const char hex[] = "0123456789abcdef";
	char		text[64] = "workflow run ";
	char	   *to = text + strlen(text);

	if (MyBEEntry == NULL || !pgstat_track_activities)
		return;
	if (run_id != NULL)
	{
		for (int i = 0; i < UUID_LEN; i++)
		{
			if (i == 4 || i == 6 || i == 8 || i == 10)
				*to++ = '-';
			*to++ = hex[run_id->data[i] >> 4];
			*to++ = hex[run_id->data[i] & 15];
		}
	}
	else
		to = text;
	activity_run_length = to - text;
	PGSTAT_BEGIN_WRITE_ACTIVITY(MyBEEntry);
	memcpy((char *) MyBEEntry->st_activity_raw, text, activity_run_length);
	MyBEEntry->st_activity_raw[activity_run_length] = '\0';
	PGSTAT_END_WRITE_ACTIVITY(MyBEEntry);
}

static void
show_node(const char *node)
{
	int			most = pgstat_track_activity_query_size - 1 - activity_run_length - 6;
	int			length = Min((int) strlen(node), most);
	char	   *to;

	if (MyBEEntry == NULL || !pgstat_track_activities || most <= 0 || activity_run_length == 0)
		return;
	to = (char *) MyBEEntry->st_activity_raw + activity_run_length;
	PGSTAT_BEGIN_WRITE_ACTIVITY(MyBEEntry);
	memcpy(to, " node ", 6);
	memcpy(to + 6, node, length);
	to[6 + length] = '\0';
	PGSTAT_END_WRITE_ACTIVITY(MyBEEntry);
}

/* -- the slot -- */

/* An interrupt was asked for: waits until its signal is sent, lets it come, and drops it. */
static void
drop_interrupt(void)
{
	LWLockAcquire(wf_processes_lock, LW_SHARED);
	LWLockRelease(wf_processes_lock);
	(void) kill(MyProcPid, 0);	/* a signal that was sent has come when a system call returns */
	QueryCancelPending = false;
}

void
wf_wake_executing(const pg_uuid_t *run_id, const char *node)
{
	WfWorkerSlot *slot = wf_my_worker;
	bool		interrupted = false;
	bool		is_new;

	if (slot == NULL)
		return;
	is_new = run_id == NULL || !slot->executes || memcmp(&slot->run_id, run_id, sizeof(pg_uuid_t)) != 0;
	if (is_new)
	{
		TimestampTz now = run_id == NULL ? 0 : wf_clock_now();

		if (my_entry != NULL && run_id != NULL)
		{
			my_entry->executes = 0;
			my_entry->run_id = *run_id;
			pg_compiler_barrier();
			my_entry->executes = 1;
		}
		SpinLockAcquire(&slot->mutex);
		slot->executes = run_id != NULL;
		if (run_id != NULL)
			slot->run_id = *run_id;
		slot->node[0] = '\0';
		slot->executes_since = now;
		interrupted = slot->interrupted;
		slot->interrupted = false;
		SpinLockRelease(&slot->mutex);
		if (interrupted)
			drop_interrupt();
		was_interrupted = run_id == NULL && (interrupted || was_interrupted);
		show_run(run_id);
	}
	if (run_id != NULL && node != NULL)
	{
		size_t		length = Min(strlen(node), sizeof(slot->node) - 1);

		SpinLockAcquire(&slot->mutex);
		memcpy(slot->node, node, length);
		slot->node[length] = '\0';
		SpinLockRelease(&slot->mutex);
		show_node(node);
	}
}

bool
wf_wake_was_interrupted(void)
{
	WfWorkerSlot *slot = wf_my_worker;
	bool		interrupted;

	if (slot == NULL)
		return false;
	SpinLockAcquire(&slot->mutex);
	interrupted = slot->interrupted;
	slot->interrupted = false;
	SpinLockRelease(&slot->mutex);
	if (interrupted)
		drop_interrupt();
	interrupted |= was_interrupted;
	was_interrupted = false;
	return interrupted;
}

int
wf_wake_list_executing(WfExecuting **out)
{
	int			n = 0;

	*out = NULL;
	if (wf_processes == NULL)
		return 0;
	*out = palloc0(sizeof(WfExecuting) * wf_processes->n_workers);
	LWLockAcquire(wf_processes_lock, LW_SHARED);
	for (int i = 0; i < wf_processes->n_workers; i++)
	{
		WfWorkerSlot *slot = &wf_worker_slots[i];
		WfExecuting *to = &(*out)[n];
		bool		executes;

		if (slot->process.pid == 0 || slot->process.database != MyDatabaseId)
			continue;
		to->pid = slot->process.pid;
		to->database = slot->process.database;
		to->role = slot->role;
		SpinLockAcquire(&slot->mutex);
		executes = slot->executes;
		to->run_id = slot->run_id;
		memcpy(to->node, slot->node, sizeof(to->node));
		to->since = slot->executes_since;
		SpinLockRelease(&slot->mutex);
		if (executes)
			n++;
	}
	LWLockRelease(wf_processes_lock);
	return n;
}
