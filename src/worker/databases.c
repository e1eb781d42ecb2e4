/*
 * databases.c: which databases have processes, and their keepers; a part of the launcher.
 *
 * Keepers: one for each database that workflow.databases names or, when it is empty, for each that takes connections and is no
 * template; a keeper that finds no extension ends, and its database is asked again only when told (wf_process_found: at the
 * commit of CREATE EXTENSION, or of a command that kept us out). A few begin at once, not all.
 */
#include "postgres.h"

#include <signal.h>

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/settings.h"
#include "catalog/pg_database.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"
#include "worker/launch.h"

#define MOST_BEGINNING 2		/* keepers that have not said yet whether there is anything to keep */
#define AGAIN_MS 1000			/* until they are listed again when they could not be */
#define INVALID_DATABASE_LIMIT (-2)	/* datconnlimit of one whose DROP was interrupted */

typedef struct Database
{
	Oid			oid;
	bool		listed;			/* of those that are to have a keeper */
	bool		found;			/* while they are listed */
	bool		absent;			/* its keeper found no extension */
	bool		told;			/* of something since its keeper was started: what that one found may be old */
	int			slot;			/* of its keeper; -1: none */
	BackgroundWorkerHandle *handle;	/* or NULL: started by an earlier launcher */
	int			failures;		/* in a row */
	TimestampTz started;
	TimestampTz retry_at;
} Database;

static Database *databases = NULL;	/* in TopMemoryContext */
static int	n_databases = 0;
static bool list_is_old = true;

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

	MemoryContextSwitchTo(*(MemoryContext *) arg);
	if (!SplitIdentifierString(pstrdup(wf_setting_databases), ',', &names))
		ereport(LOG, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					  errmsg("invalid list of names in parameter \"%s\": \"%s\"", "workflow.databases", wf_setting_databases)));
	(void) GetTransactionSnapshot();
	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	for (int i = 0; i < n_databases; i++)
		databases[i].found = false;
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database row = (Form_pg_database) GETSTRUCT(tuple);
		bool		wanted = wf_setting_databases[0] == '\0' ? !row->datistemplate : is_named(names, NameStr(row->datname));

		if (wanted && row->datallowconn && row->datconnlimit != INVALID_DATABASE_LIMIT)
			add_database(row->oid)->found = true;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);
	for (int i = 0; i < n_databases; i++)
		databases[i].listed = databases[i].found;
}

/* Ends the processes of a database that is no longer to have any, and forgets it when they have ended. */
static void
let_go(void)
{
	for (int i = n_databases - 1; i >= 0; i--)
	{
		Database   *database = &databases[i];
		WfProcess  *process;
		bool		any = false;

		if (database->listed)
			continue;
		LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
		for (int s = 0; (process = wf_process_at(s)) != NULL; s++)
		{
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
				databases[i].told = true;
				databases[i].absent = false;
				databases[i].retry_at = 0;
				databases[i].failures = 0;
			}
}

/* False when they could not be read. */
static bool
refresh_list(void)
{
	MemoryContext memory = CurrentMemoryContext;
	ErrorData  *error;

	if (!list_is_old)
		return true;
	list_is_old = false;
	error = wf_transaction(list_databases, &memory, NULL);
	if (error == NULL)
		return true;
	list_is_old = true;
	ereport(LOG, (errmsg("workflow launcher could not list databases: %s", error->message)));
	return false;
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
	wf_launch_free_if_never_came(&slot->process, database->handle, now);
	if (slot->process.state != WF_PROCESS_NONE)
		return;
	database->slot = -1;
	if (database->handle != NULL)
		pfree(database->handle);
	database->handle = NULL;
	wf_launch_place_is_free();
	if (database->told)
		return;
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
	if (now > wf_launch_after_ms(database->started, WF_MOST_BACKOFF_MS))
		database->failures = 0;
	database->retry_at = wf_launch_after_ms(now, wf_launch_backoff_ms(database->failures++));
}

/* Is the slot that of a keeper, or of one whose end has not been dealt with? */
static bool
is_taken(int slot)
{
	if (wf_keeper_slots[slot].process.state != WF_PROCESS_NONE)
		return true;
	for (int i = 0; i < n_databases; i++)
		if (databases[i].slot == slot)
			return true;
	return false;
}

static void
start_keeper(Database *database)
{
	int			slot = -1;

	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	if (!wf_process_is_barred(database->oid))
		for (int i = 0; i < wf_processes->n_keepers && slot < 0; i++)
			if (!is_taken(i))
			{
				slot = i;
				wf_keeper_slots[i].absent = false;
				wf_keeper_slots[i].sleeps_until = 0;
				wf_keeper_slots[i].rests_until = 0;
				wf_launch_reserve(&wf_keeper_slots[i].process, database->oid);
			}
	LWLockRelease(wf_processes_lock);
	if (slot < 0)
		return;
	database->handle = wf_launch_start("workflow keeper", "wf_worker_keeper_main", slot,
									 (WfAssignment) {.database = database->oid});
	if (database->handle == NULL)
	{
		wf_launch_release(&wf_keeper_slots[slot].process);
		database->retry_at = wf_launch_exhausted_until(wf_clock_now());
		return;
	}
	database->slot = slot;
	database->told = false;
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

bool
wf_databases_has(Oid database)
{
	const Database *found = find_database(database);

	return found != NULL && found->listed;
}

void
wf_databases_are_old(void)
{
	list_is_old = true;
}

void
wf_databases_look_after(TimestampTz now, TimestampTz *next)
{
	hear();
	if (refresh_list())
		let_go();
	else
		*next = Min(*next, wf_launch_after_ms(now, AGAIN_MS));
	look_after_keepers(now, next);
}
