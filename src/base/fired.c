/*
 * fired.c: counts of triggers that fired or failed, from the transactions that they fire in to the keeper that saves them.
 *
 * 1. A transaction notes firings in its own memory, an entry per trigger and subtransaction; entries go to the parent, or
 *    with the subtransaction. At the commit, when it is visible, they are added to a table in shared memory. Failures are
 *    added at once.
 * 2. The table has WF_MOST_FIRED places, found by a hash of database and trigger; those in use are the first ones, so that a look
 *    at all is a look at those. A trigger takes a place with its first firing since the last save: then the keeper is
 *    told to save in SAVE_AFTER_US. So it saves once a second at the most, and not at all when nothing fires.
 * 3. The keeper takes entries in the transaction that saves them. Those are sealed by its transaction id: firings from then on take a
 *    new place. When it commits they are removed; when it does not, they are added to what came meanwhile. Both are done by the
 *    callback here, at whatever end of the transaction or the process.
 * 4. Readers leave out sealed entries whose transaction their snapshot sees. One whose snapshot is older than a save that has ended when
 *    it comes here misses what that saved, and finds it when it looks again.
 * 5. When all places are taken, triggers that have none are not counted until a keeper has saved. Entries that nobody saved for
 *    ABANDONED_US, of databases that have no keeper, or are gone, then make room.
 *
 * All of the table is under one lock, which is held for the copying of a few entries; the lock of processes is
 * taken after it was released. Why not a row of a table: a trigger that fires in every transaction would have its row locked by each
 * until its end. Why not PostgreSQL's own statistics: they know no kinds but its own before version 18.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/fired.h"
#include "base/process.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define LOCK_NAME "workflow_fired"
#define N_CHAINS WF_MOST_FIRED
#define NONE (-1)
#define SAVE_AFTER_US INT64CONST(1000000)
#define ABANDONED_US (INT64CONST(600) * 1000000)
#define SWEEP_AGAIN_US (INT64CONST(60) * 1000000)
#define LOOK_BACK 64			/* equal notes among so many of the last are noted once */
#define FIRST_SIZE 16

/* A place in use. */
typedef struct Place
{
	Oid			database;
	TransactionId sealed_by;	/* the transaction that saves it; invalid: none does */
	TimestampTz since;			/* when it was taken */
	int			next;			/* in its chain */
	WfFired		fired;
} Place;

/* In shared memory, all under `lock`. */
typedef struct Table
{
	int			n;				/* places in use */
	TimestampTz swept_at;		/* when abandoned places were looked for last */
	int			chains[N_CHAINS];	/* the first place of each */
	Place		places[WF_MOST_FIRED];
} Table;

/* What this transaction did. */
typedef struct Note
{
	SubTransactionId subxact;
	pg_uuid_t	tenant_id;
	pg_uuid_t	trigger_id;
	int64		n;
} Note;

static Table *table = NULL;		/* NULL without shared memory */
static LWLock *lock = NULL;

/* In TopTransactionContext, those of inner subtransactions behind those of outer ones; NULL when there are none. */
static Note *notes = NULL;
static int	n_notes = 0;
static int	notes_size = 0;

/* The transaction at hand, if it has taken entries. */
static TransactionId takes = InvalidTransactionId;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

static int64
plus(int64 a, int64 b)
{
	int64		sum;

	return pg_add_s64_overflow(a, b, &sum) ? PG_INT64_MAX : sum;
}

static bool
same(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t)) == 0;
}

/* -- places; the lock is held, nothing may fail -- */

static int *
chain_of(Oid database, const pg_uuid_t *trigger_id)
{
	return &table->chains[(hash_bytes(trigger_id->data, UUID_LEN) ^ (uint32) database) % N_CHAINS];
}

/* The trigger's place that is sealed, or that is not; NULL: it has none. */
static Place *
find(Oid database, const pg_uuid_t *trigger_id, bool is_sealed)
{
	for (int i = *chain_of(database, trigger_id); i != NONE; i = table->places[i].next)
	{
		Place	   *place = &table->places[i];

		if (place->database == database && TransactionIdIsValid(place->sealed_by) == is_sealed &&
			same(&place->fired.trigger_id, trigger_id))
			return place;
	}
	return NULL;
}

static void
link_place(int i)
{
	int		   *first = chain_of(table->places[i].database, &table->places[i].fired.trigger_id);

	table->places[i].next = *first;
	*first = i;
}

static void
unlink_place(int i)
{
	int		   *link = chain_of(table->places[i].database, &table->places[i].fired.trigger_id);

	while (*link != i)
		link = &table->places[*link].next;
	*link = table->places[i].next;
}

/* The last place moves to where this one was. */
static void
remove_place(int i)
{
	int			last = table->n - 1;

	unlink_place(i);
	if (i != last)
	{
		unlink_place(last);
		table->places[i] = table->places[last];
		link_place(i);
	}
	table->n--;
}

static void
sweep(TimestampTz now)
{
	if (wf_clock_is_ahead(table->swept_at + SWEEP_AGAIN_US, now, SWEEP_AGAIN_US / 1000))
		return;
	table->swept_at = now;
	for (int i = table->n - 1; i >= 0; i--)
		if (!TransactionIdIsValid(table->places[i].sealed_by) && table->places[i].since + ABANDONED_US <= now)
			remove_place(i);
}

/* The trigger's place for what happens now; NULL: there is no room. *is_new: it is taken now. */
static Place *
place_for(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, TimestampTz now, bool *is_new)
{
	Place	   *place = find(MyDatabaseId, trigger_id, false);

	if (place != NULL)
		return place;
	if (table->n == WF_MOST_FIRED)
		sweep(now);
	if (table->n == WF_MOST_FIRED)
		return NULL;
	place = &table->places[table->n];
	memset(place, 0, sizeof(*place));
	place->database = MyDatabaseId;
	place->since = now;
	place->fired.tenant_id = *tenant_id;
	place->fired.trigger_id = *trigger_id;
	link_place(table->n++);
	*is_new = true;
	return place;
}

/* Adds what is known of a trigger to what else is. */
static void
merge(WfFired *into, const WfFired *from)
{
	into->n_fired = plus(into->n_fired, from->n_fired);
	into->fired_at = Max(into->fired_at, from->fired_at);
	into->n_failed = plus(into->n_failed, from->n_failed);
	if (from->failed_at <= into->failed_at)
		return;
	into->failed_at = from->failed_at;
	memcpy(into->code, from->code, sizeof(into->code));
	memcpy(into->message, from->message, sizeof(into->message));
}

/* -- telling the keeper; no lock is held -- */

static void
tell(TimestampTz now)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_tell_keeper_to_save(MyDatabaseId, now + SAVE_AFTER_US);
	LWLockRelease(wf_processes_lock);
}

/* -- noting -- */

static void
add_note(SubTransactionId subxact, const Note *note)
{
	for (int i = n_notes - 1; i >= 0 && i >= n_notes - LOOK_BACK && notes[i].subxact == subxact; i--)
	{
		if (!same(&notes[i].trigger_id, &note->trigger_id))
			continue;
		notes[i].n = plus(notes[i].n, note->n);
		return;
	}
	if (notes == NULL)
	{
		notes = MemoryContextAlloc(TopTransactionContext, sizeof(Note) * FIRST_SIZE);
		notes_size = FIRST_SIZE;
	}
	else if (n_notes == notes_size)
	{
		notes = repalloc_huge(notes, sizeof(Note) * notes_size * 2);
		notes_size *= 2;
	}
	notes[n_notes] = *note;
	notes[n_notes++].subxact = subxact;
}

void
wf_fired_note(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, int64 n)
{
	if (table == NULL || n <= 0 || !IsTransactionState())
		return;
	add_note(GetCurrentSubTransactionId(), &(Note) {.tenant_id = *tenant_id, .trigger_id = *trigger_id, .n = n});
}

static void
clip(char *out, int size, const char *text)
{
	int			length = text == NULL ? 0 : strlen(text);

	length = pg_mbcliplen(text, length, size - 1);
	memcpy(out, text == NULL ? "" : text, length);
	out[length] = '\0';
}

void
wf_fired_failed(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, const char *code, const char *message)
{
	WfFired		failed = {.n_failed = 1};
	bool		is_new = false;
	TimestampTz now;
	Place	   *place;

	if (table == NULL)
		return;
	now = wf_clock_now();
	failed.failed_at = now;
	clip(failed.code, sizeof(failed.code), code);
	clip(failed.message, sizeof(failed.message), message);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	place = place_for(tenant_id, trigger_id, now, &is_new);
	if (place != NULL)
		merge(&place->fired, &failed);
	LWLockRelease(lock);
	if (is_new)
		tell(now);
}

/* The transaction has committed: nothing may fail. */
static void
act(void)
{
	TimestampTz now = wf_clock_now();
	bool		is_new = false;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_notes; i++)
	{
		Place	   *place = place_for(&notes[i].tenant_id, &notes[i].trigger_id, now, &is_new);

		if (place != NULL)
			merge(&place->fired, &(WfFired) {.n_fired = notes[i].n, .fired_at = now});
	}
	LWLockRelease(lock);
	if (is_new)
		tell(now);
}

/* -- the keeper -- */

bool
wf_fired_any(void)
{
	bool		any = false;

	if (table == NULL)
		return false;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < table->n && !any; i++)
		any = table->places[i].database == MyDatabaseId && !TransactionIdIsValid(table->places[i].sealed_by);
	LWLockRelease(lock);
	return any;
}

int
wf_fired_take(int most, WfFired **out)
{
	int			n = 0;

	*out = palloc(sizeof(WfFired) * Max(most, 1));
	if (table == NULL)
		return 0;
	takes = GetCurrentTransactionId();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < table->n && n < most; i++)
	{
		Place	   *place = &table->places[i];

		if (place->database != MyDatabaseId || TransactionIdIsValid(place->sealed_by))
			continue;
		place->sealed_by = takes;
		(*out)[n++] = place->fired;
	}
	LWLockRelease(lock);
	return n;
}

/* The transaction that took entries is over. */
static void
settle(bool is_saved)
{
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = table->n - 1; i >= 0; i--)
	{
		Place	   *place = &table->places[i];
		Place	   *newer;

		if (place->database != MyDatabaseId || place->sealed_by != takes)
			continue;
		newer = is_saved ? NULL : find(MyDatabaseId, &place->fired.trigger_id, false);
		if (newer != NULL)
			merge(&newer->fired, &place->fired);
		if (is_saved || newer != NULL)
			remove_place(i);
		else
			place->sealed_by = InvalidTransactionId;
	}
	LWLockRelease(lock);
	takes = InvalidTransactionId;
}

void
wf_fired_forget(void)
{
	if (table == NULL)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = table->n - 1; i >= 0; i--)
		if (table->places[i].database == MyDatabaseId)
			remove_place(i);
	LWLockRelease(lock);
}

/* -- readers -- */

/* Does the active snapshot see what the transaction did? */
static bool
is_seen(TransactionId saver)
{
	if (!TransactionIdIsValid(saver) || !ActiveSnapshotSet())
		return false;
	return TransactionIdIsCurrentTransactionId(saver) || !XidInMVCCSnapshot(saver, GetActiveSnapshot());
}

/* Who saves entries of this database at the moment; *n: how many places the tenant's triggers have. */
static TransactionId
look_around(const pg_uuid_t *tenant_id, int *n)
{
	TransactionId saver = InvalidTransactionId;

	*n = 0;
	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < table->n; i++)
	{
		if (table->places[i].database != MyDatabaseId)
			continue;
		if (TransactionIdIsValid(table->places[i].sealed_by))
			saver = table->places[i].sealed_by;
		*n += same(&table->places[i].fired.tenant_id, tenant_id) ? 1 : 0;
	}
	LWLockRelease(lock);
	return saver;
}

/*
 * `seen`: the transaction whose entries the reader finds where they were saved. One that began to save since that was asked is not, as
 * the snapshot is older.
 */
static int
collect(const pg_uuid_t *tenant_id, TransactionId seen, WfFired *out, int most)
{
	int			n = 0;

	LWLockAcquire(lock, LW_SHARED);
	for (int i = 0; i < table->n && n < most; i++)
	{
		const Place *place = &table->places[i];
		bool		is_sealed = TransactionIdIsValid(place->sealed_by);
		const Place *other;

		if (place->database != MyDatabaseId || !same(&place->fired.tenant_id, tenant_id) ||
			(is_sealed && place->sealed_by == seen))
			continue;
		/* a trigger that has two places is told of with the one that is not sealed */
		other = find(MyDatabaseId, &place->fired.trigger_id, !is_sealed);
		if (is_sealed && other != NULL)
			continue;
		out[n] = place->fired;
		if (other != NULL && other->sealed_by != seen)
			merge(&out[n], &other->fired);
		n++;
	}
	LWLockRelease(lock);
	return n;
}

int
wf_fired_list(const pg_uuid_t *tenant_id, WfFired **out)
{
	TransactionId saver;
	int			most;

	*out = NULL;
	if (table == NULL)
		return 0;
	saver = look_around(tenant_id, &most);
	if (most == 0)
		return 0;
	*out = palloc(sizeof(WfFired) * most);
	return collect(tenant_id, is_seen(saver) ? saver : InvalidTransactionId, *out, most);
}

/* -- ends of transactions -- */

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_PARALLEL_ABORT:
			break;
		default:
			return;
	}
	if (TransactionIdIsValid(takes))
		settle(event == XACT_EVENT_COMMIT);
	if (event == XACT_EVENT_COMMIT && n_notes > 0)
		act();
	notes = NULL;
	n_notes = 0;
	notes_size = 0;
}

/* Those of the subtransaction are the last. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			first = n_notes;
	int			n = n_notes;

	if (n_notes == 0 || (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB))
		return;
	while (first > 0 && notes[first - 1].subxact >= mine)
		first--;
	n_notes = first;
	/* there is room for as many as there were, and each is read before its place is written */
	for (int i = first; event == SUBXACT_EVENT_COMMIT_SUB && i < n; i++)
	{
		Note		note = notes[i];

		add_note(parent, &note);
	}
}

/* -- making it -- */

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(sizeof(Table));
	RequestNamedLWLockTranche(LOCK_NAME, 1);
}

static void
startup(void)
{
	bool		found;

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	table = ShmemInitStruct(LOCK_NAME, sizeof(Table), &found);
	lock = &GetNamedLWLockTranche(LOCK_NAME)->lock;
	if (!found)
	{
		table->n = 0;
		table->swept_at = 0;
		for (int i = 0; i < N_CHAINS; i++)
			table->chains[i] = NONE;
	}
	LWLockRelease(AddinShmemInitLock);
}

void
wf_fired_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
