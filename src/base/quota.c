/*
 * quota.c: what tenants use of their quotas: counters in shared memory, one entry a database and tenant.
 *
 * 1. Minutes. What was taken is counted by the second, for 61 of them: the one that is on and the 60 before. As many as are in these were
 *    taken in the last 60 to 61 seconds, so no 60 seconds ever see more than the quota, wherever they begin. A bucket of tokens would let
 *    through twice as many (a full bucket, and what comes meanwhile); so would minutes of the clock. Nobody gives back by rolling back: the
 *    work was done. Seconds are those of how far the clock moved forward; one that is set back stops nothing, one that trembles adds none.
 * 2. Runs at once. A run that is executed in its caller's transaction is within from its begin to its end. All others are rows of wf.gate,
 *    made by the keeper. Who enters is counted first and looks at the rows then; the keeper looks at both, and counts as
 *    `n_opening` what its transaction, which is not seen yet, lets begin. So of two who race each sees the other, or one does. What
 *    was counted here and is a row now might be seen by neither: a run that goes on in the background leaves when its row is visible, and
 *    is counted by n_stayed for a keeper that looked at the rows before and here afterwards.
 * 3. Queues. To count a long queue for each start would be slow. So it is counted once, and what is free is handed out until nothing is
 *    left; then it is counted again. Starts that are not committed when that is done are `n_unsettled`, and what is handed out during the
 *    count is known by n_taken, which never goes down. What leaves the queue is noticed by the next count.
 *
 * 4. Time. What code takes is known afterwards: who has used up the minute has to wait, who has not may go on, and what comes of that
 *    is added. So a minute sees more than the quota by what is under way when it is used up.
 *
 * What a backend has to give back at the end of its transaction is in `held`, in its own memory; the callback works it off at whatever end
 * of the transaction or the process. A crash of the server empties everything.
 *
 * When all entries are taken, one that nothing depends on is given away, the one that was used least recently: the minute of such a tenant
 * begins anew. Should there be none, what would be counted is refused.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/quota.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#define LOCK_NAME "workflow_quota"
#define MOST_TENANTS 4096
#define N_SECONDS 61
#define SECOND_US INT64CONST(1000000)
#define MINUTE_MS INT64CONST(60000)
/* A clock that goes back by no more is unsteady, and was not set: what it showed before still holds. */
#define UNSTEADY_US SECOND_US
#define FIRST_SIZE 8

typedef struct Minute
{
	TimestampTz clock;			/* at the last look; 0: there was none */
	int64		passed_us;		/* how far it went forward since the first */
	int64		second;			/* of passed_us, at the last look */
	int64		total;			/* of all seconds */
	int32		seconds[N_SECONDS];
} Minute;

typedef struct Key
{
	Oid			database;
	pg_uuid_t	tenant_id;
} Key;

/* In shared memory, all under `lock`. */
typedef struct Entry
{
	Key			key;
	TimestampTz used_at;
	Minute		minutes[WF_MINUTES];
	int64		n_within;		/* runs that are executed in callers' transactions */
	int64		n_stayed;		/* so many left and are rows now; never goes down */
	int64		n_opening;		/* starts that the keeper is letting begin */
	bool		keeper_waits;	/* for one of these to leave */
	int64		places;			/* of the queue, that are free for sure */
	int64		places_of;		/* the quota that they were counted for */
	int64		n_taken;		/* places, ever */
	int64		n_unsettled;	/* places that were taken by transactions that have not ended */
} Entry;

typedef enum HeldKind
{
	HELD_WITHIN,
	HELD_OPENING,
	HELD_PLACES,
} HeldKind;

/* What this transaction has to give back. */
typedef struct Held
{
	HeldKind	kind;
	bool		stays;			/* of HELD_WITHIN: until the transaction ends */
	pg_uuid_t	tenant_id;
	int64		n;
} Held;

static HTAB *table = NULL;		/* without shared memory NULL, or the process's own */
static LWLock *lock = NULL;		/* NULL without shared memory */

static Held *held = NULL;		/* in TopMemoryContext */
static int	n_held = 0;
static int	held_size = 0;

static shmem_request_hook_type previous_request = NULL;
static shmem_startup_hook_type previous_startup = NULL;

bool
wf_quota_is_shared(void)
{
	return lock != NULL;
}

/* For what is counted without shared memory, too. */
static void
acquire(void)
{
	if (lock != NULL)
		LWLockAcquire(lock, LW_EXCLUSIVE);
}

static void
release(void)
{
	if (lock != NULL)
		LWLockRelease(lock);
}

static void
need_table(void)
{
	HASHCTL		control = {.keysize = sizeof(Key), .entrysize = sizeof(Entry)};

	if (table == NULL)
		table = hash_create("workflow quotas of the process", 16, &control, HASH_ELEM | HASH_BLOBS);
}

/* -- entries; the lock is held, nothing may fail -- */

static void
fill_key(Key *key, const pg_uuid_t *tenant_id)
{
	memset(key, 0, sizeof(*key));
	key->database = MyDatabaseId;
	key->tenant_id = *tenant_id;
}

/* NULL: there is none. */
static Entry *
find(const pg_uuid_t *tenant_id)
{
	Key			key;

	fill_key(&key, tenant_id);
	return hash_search(table, &key, HASH_FIND, NULL);
}

static bool
is_idle(const Entry *entry)
{
	return entry->n_within == 0 && entry->n_opening == 0 && entry->n_unsettled == 0;
}

static void
give_one_away(void)
{
	HASH_SEQ_STATUS scan;
	Entry	   *entry;
	Entry	   *oldest = NULL;

	hash_seq_init(&scan, table);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (is_idle(entry) && (oldest == NULL || entry->used_at < oldest->used_at))
			oldest = entry;
	if (oldest != NULL)
		(void) hash_search(table, &oldest->key, HASH_REMOVE, NULL);
}

/* The tenant's entry, made if need be; NULL: there is no room. */
static Entry *
entry_of(const pg_uuid_t *tenant_id)
{
	Key			key;
	Entry	   *entry;
	bool		found = true;

	fill_key(&key, tenant_id);
	entry = hash_search(table, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		if (hash_get_num_entries(table) >= MOST_TENANTS)
			give_one_away();
		if (hash_get_num_entries(table) < MOST_TENANTS)
			entry = hash_search(table, &key, lock == NULL ? HASH_ENTER : HASH_ENTER_NULL, &found);
	}
	if (entry != NULL && !found)
	{
		memset(entry, 0, sizeof(*entry));
		entry->key = key;
	}
	if (entry != NULL)
		entry->used_at = wf_clock_now();
	return entry;
}

/* -- minutes -- */

/* What is older than a minute is forgotten. */
static void
advance(Minute *minute)
{
	TimestampTz now = wf_clock_now();
	int64		second;

	if (minute->clock == 0 || now < minute->clock - UNSTEADY_US)
		minute->clock = now;
	if (now > minute->clock)
	{
		minute->passed_us += now - minute->clock;
		minute->clock = now;
	}
	second = minute->passed_us / SECOND_US;
	for (int i = 0; i < N_SECONDS && minute->second < second; i++)
	{
		minute->second++;
		minute->total -= minute->seconds[minute->second % N_SECONDS];
		minute->seconds[minute->second % N_SECONDS] = 0;
	}
	minute->second = second;
}

/* How long until n that were taken have come back. */
static int64
ms_until(const Minute *minute, int64 n)
{
	for (int64 second = Max(minute->second - N_SECONDS + 1, 0); second <= minute->second; second++)
	{
		n -= minute->seconds[second % N_SECONDS];
		if (n <= 0)
			return ((second + N_SECONDS) * SECOND_US - minute->passed_us + 999) / 1000;
	}
	return MINUTE_MS;
}

bool
wf_quota_take(const pg_uuid_t *tenant_id, WfMinute kind, int64 n, int64 most, int64 *wait_ms)
{
	Entry	   *entry;
	bool		fits = false;

	*wait_ms = MINUTE_MS;
	most = Min(most, WF_QUOTA_MOST);
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		Minute	   *minute = &entry->minutes[kind];

		advance(minute);
		fits = minute->total <= most && n <= most - minute->total;
		if (fits)
		{
			minute->total += n;
			minute->seconds[minute->second % N_SECONDS] += (int32) n;
		}
		else if (n <= most)
			*wait_ms = ms_until(minute, minute->total + n - most);
	}
	LWLockRelease(lock);
	return fits;
}

void
wf_quota_give_back(const pg_uuid_t *tenant_id, WfMinute kind, int64 n)
{
	Entry	   *entry;

	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = find(tenant_id);
	if (entry != NULL)
	{
		Minute	   *minute = &entry->minutes[kind];

		/* the second may have changed since: from the latest backwards */
		for (int64 second = minute->second; n > 0 && second >= 0 && second > minute->second - N_SECONDS; second--)
		{
			int32	   *taken = &minute->seconds[second % N_SECONDS];
			int64		back = Min(n, *taken);

			*taken -= (int32) back;
			minute->total -= back;
			n -= back;
		}
	}
	LWLockRelease(lock);
}

int64
wf_quota_taken(const pg_uuid_t *tenant_id, WfMinute kind, int64 *first_ms)
{
	Entry	   *entry;
	int64		n = 0;

	*first_ms = 0;
	if (table == NULL)
		return 0;
	acquire();
	entry = find(tenant_id);
	if (entry != NULL)
	{
		advance(&entry->minutes[kind]);
		n = entry->minutes[kind].total;
		if (n > 0)
			*first_ms = ms_until(&entry->minutes[kind], 1);
	}
	release();
	return n;
}

/* -- what is known afterwards -- */

bool
wf_quota_has_room(const pg_uuid_t *tenant_id, WfMinute kind, int64 most, int64 *wait_ms)
{
	Entry	   *entry;
	bool		has_room = false;

	*wait_ms = MINUTE_MS;
	need_table();
	acquire();
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		Minute	   *minute = &entry->minutes[kind];

		advance(minute);
		has_room = minute->total < most;
		if (!has_room && most > 0)
			*wait_ms = ms_until(minute, minute->total - most + 1);
	}
	release();
	return has_room;
}

void
wf_quota_add(const pg_uuid_t *tenant_id, WfMinute kind, int64 n)
{
	Entry	   *entry;

	if (table == NULL || n <= 0)
		return;
	acquire();
	/* the process's own table gives no entry away, and making one might throw */
	entry = lock == NULL ? find(tenant_id) : entry_of(tenant_id);
	if (entry != NULL)
	{
		Minute	   *minute = &entry->minutes[kind];
		int32	   *taken;

		advance(minute);
		taken = &minute->seconds[minute->second % N_SECONDS];
		n = Min(n, PG_INT32_MAX - *taken);
		*taken += (int32) n;
		minute->total += n;
	}
	release();
}

/* -- what is given back at the end of the transaction -- */

/* Room for one more; may throw, so before anything is counted. */
static void
make_room(void)
{
	if (n_held < held_size)
		return;
	if (held == NULL)
		held = MemoryContextAlloc(TopMemoryContext, sizeof(Held) * FIRST_SIZE);
	else
		held = repalloc_huge(held, sizeof(Held) * held_size * 2);
	held_size = held_size == 0 ? FIRST_SIZE : held_size * 2;
}

static void
hold(HeldKind kind, const pg_uuid_t *tenant_id, int64 n)
{
	held[n_held++] = (Held) {.kind = kind, .tenant_id = *tenant_id, .n = n};
}

/* The lock is held. True: the keeper waits for it. */
static bool
let_go(const Held *item, bool is_committed)
{
	Entry	   *entry = find(&item->tenant_id);
	bool		wakes = false;

	if (entry == NULL)
		return false;
	switch (item->kind)
	{
		case HELD_WITHIN:
			entry->n_within -= item->n;
			if (item->stays && is_committed)
				entry->n_stayed += item->n;
			wakes = entry->keeper_waits;
			entry->keeper_waits = false;
			break;
		case HELD_OPENING:
			entry->n_opening -= item->n;
			break;
		case HELD_PLACES:
			entry->n_unsettled -= item->n;	/* what was rolled back is found by the next count */
			break;
	}
	return wakes;
}

static void
wake_keeper(void)
{
	LWLockAcquire(wf_processes_lock, LW_EXCLUSIVE);
	wf_process_tell_keeper(MyDatabaseId, wf_clock_now(), false);
	LWLockRelease(wf_processes_lock);
}

/* -- runs at once -- */

/* Of this transaction, those that go on in the background: it sees their rows, which it counts itself. */
static int64
my_rows(const pg_uuid_t *tenant_id)
{
	int64		n = 0;

	for (int i = 0; i < n_held; i++)
		if (held[i].kind == HELD_WITHIN && held[i].stays && memcmp(&held[i].tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
			n += held[i].n;
	return n;
}

int64
wf_quota_enter(const pg_uuid_t *tenant_id)
{
	Entry	   *entry;
	int64		n = PG_INT64_MAX;

	make_room();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		n = ++entry->n_within + entry->n_opening - my_rows(tenant_id);
		hold(HELD_WITHIN, tenant_id, 1);
	}
	LWLockRelease(lock);
	return n;
}

int
wf_quota_mark(void)
{
	return n_held;
}

void
wf_quota_leave(int mark, bool stays)
{
	bool		wakes = false;
	int			kept = mark;

	if (n_held <= mark)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = mark; i < n_held; i++)
	{
		Held		item = held[i];

		if (item.kind == HELD_WITHIN && stays)
			item.stays = true;
		if (item.kind != HELD_WITHIN || item.stays)
			held[kept++] = item;
		else
			wakes |= let_go(&item, false);
	}
	n_held = kept;
	LWLockRelease(lock);
	if (wakes)
		wake_keeper();
}

int64
wf_quota_within(const pg_uuid_t *tenant_id)
{
	Entry	   *entry;
	int64		n = 0;

	if (lock == NULL)
		return 0;
	LWLockAcquire(lock, LW_SHARED);
	entry = find(tenant_id);
	if (entry != NULL)
		n = entry->n_within + entry->n_opening - my_rows(tenant_id);
	LWLockRelease(lock);
	return n;
}

void
wf_quota_look(const pg_uuid_t *tenant_id, WfQuotaSeen *seen)
{
	Entry	   *entry;

	memset(seen, 0, sizeof(*seen));
	if (lock == NULL)
		return;
	LWLockAcquire(lock, LW_SHARED);
	entry = find(tenant_id);
	if (entry != NULL)
	{
		seen->n_within = entry->n_within;
		seen->n_stayed = entry->n_stayed;
	}
	LWLockRelease(lock);
}

int64
wf_quota_let(const pg_uuid_t *tenant_id, const WfQuotaSeen *seen, int64 counted, int64 most, int64 wanted)
{
	Entry	   *entry;
	int64		n = 0;

	if (lock == NULL)
		return Max(Min(most - counted, wanted), 0);
	make_room();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		n = most - counted - Max(entry->n_within, seen->n_within) - (entry->n_stayed - seen->n_stayed) - entry->n_opening;
		n = Max(Min(n, wanted), 0);
		entry->keeper_waits = n < wanted;
		entry->n_opening += n;
		if (n > 0)
			hold(HELD_OPENING, tenant_id, n);
	}
	LWLockRelease(lock);
	return n;
}

/* -- places of a queue -- */

/* Of this transaction; the lock is held. */
static int64
my_places(const pg_uuid_t *tenant_id)
{
	int64		n = 0;

	for (int i = 0; i < n_held; i++)
		if (held[i].kind == HELD_PLACES && memcmp(&held[i].tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
			n += held[i].n;
	return n;
}

/* There is room: see make_room. */
static bool
take_places(Entry *entry, int64 n)
{
	if (entry->places < n)
		return false;
	entry->places -= n;
	entry->n_taken += n;
	entry->n_unsettled += n;
	for (int i = 0; i < n_held; i++)
		if (held[i].kind == HELD_PLACES && memcmp(&held[i].tenant_id, &entry->key.tenant_id, sizeof(pg_uuid_t)) == 0)
		{
			held[i].n += n;
			return true;
		}
	hold(HELD_PLACES, &entry->key.tenant_id, n);
	return true;
}

bool
wf_quota_take_places(const pg_uuid_t *tenant_id, int64 n, int64 most, WfQuotaCount *count)
{
	Entry	   *entry;
	bool		fits = false;

	memset(count, 0, sizeof(*count));
	make_room();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		if (entry->places_of != most)
			entry->places = 0;
		entry->places_of = most;
		fits = take_places(entry, n);
		count->n_taken = entry->n_taken;
		count->n_unsettled = entry->n_unsettled - my_places(tenant_id);
	}
	LWLockRelease(lock);
	return fits;
}

bool
wf_quota_counted(const pg_uuid_t *tenant_id, int64 n, int64 most, const WfQuotaCount *count, int64 counted, int64 *used)
{
	Entry	   *entry;
	bool		fits = false;

	*used = counted + count->n_unsettled;
	make_room();
	LWLockAcquire(lock, LW_EXCLUSIVE);
	entry = entry_of(tenant_id);
	if (entry != NULL)
	{
		*used += entry->n_taken - count->n_taken;
		entry->places_of = most;
		entry->places = most - *used;
		fits = take_places(entry, n);
	}
	LWLockRelease(lock);
	return fits;
}

/* -- ends of transactions -- */

static void
at_transaction_end(XactEvent event, void *arg)
{
	bool		wakes = false;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			break;
		default:
			return;
	}
	if (n_held == 0)
		return;
	LWLockAcquire(lock, LW_EXCLUSIVE);
	for (int i = 0; i < n_held; i++)
		wakes |= let_go(&held[i], event != XACT_EVENT_ABORT);
	n_held = 0;
	LWLockRelease(lock);
	if (wakes)
		wake_keeper();
}

/* -- making it -- */

static Size
shared_bytes(void)
{
	return hash_estimate_size(MOST_TENANTS, sizeof(Entry));
}

static void
request(void)
{
	if (previous_request != NULL)
		previous_request();
	RequestAddinShmemSpace(shared_bytes());
	RequestNamedLWLockTranche(LOCK_NAME, 1);
}

static void
startup(void)
{
	HASHCTL		control = {.keysize = sizeof(Key), .entrysize = sizeof(Entry)};

	if (previous_startup != NULL)
		previous_startup();
	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
	table = ShmemInitHash(LOCK_NAME, MOST_TENANTS, MOST_TENANTS, &control, HASH_ELEM | HASH_BLOBS | HASH_FIXED_SIZE);
	lock = &GetNamedLWLockTranche(LOCK_NAME)->lock;
	LWLockRelease(AddinShmemInitLock);
}

void
wf_quota_init(void)
{
	if (!process_shared_preload_libraries_in_progress)
		return;
	previous_request = shmem_request_hook;
	shmem_request_hook = request;
	previous_startup = shmem_startup_hook;
	shmem_startup_hook = startup;
	RegisterXactCallback(at_transaction_end, NULL);
}
