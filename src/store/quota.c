/*
 * quota.c: whether a tenant may do more; wf.tenant.quotas against what is used.
 *
 * 1. A backend keeps the quotas of tenants that it met, those of the tenants above included, until the generation of cache.c moves. For
 *    most there are none, which is all that a run has to find out.
 * 2. What is used is counted in shared memory (base/quota.c). Where there is none, the library not being preloaded, there are no workers
 *    either: then runs a minute are rows of wf.quota_taken, counted by who holds a lock until its transaction ends; of runs at once
 *    each transaction has the lock of one place. Both are exact; transactions of such a tenant wait for each other, which is the price.
 * 3. With several quotas (a tenant's own, and those above) all have to have room: what was taken of one is given back when another one
 *    refuses.
 *
 * Stored bytes are measured now and then (quota_use.c), and what the last measure says counts.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/quota.h"
#include "base/text.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "store/direct.h"
#include "store/quota.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MOST_CACHED 10000
#define MINUTE_US INT64CONST(60000000)
/* Without shared memory each of these has a lock. */
#define MOST_PLACES 10000

static const char *const names[WF_QUOTAS] = {
	[WF_QUOTA_CODE_TIME] = "codeTime",
	[WF_QUOTA_CONCURRENT_RUNS] = "concurrentRuns",
	[WF_QUOTA_QUEUED_RUNS] = "queuedRuns",
	[WF_QUOTA_REQUESTS_PER_MINUTE] = "requestsPerMinute",
	[WF_QUOTA_RUNS_PER_MINUTE] = "runsPerMinute",
	[WF_QUOTA_STORED_BYTES] = "storedBytes",
	[WF_QUOTA_WORKFLOWS] = "workflows",
};

/* In `memory`, by tenant; `last` is the one that was asked for last. */
static MemoryContext memory = NULL;
static HTAB *kept = NULL;
static uint64 kept_at = 0;		/* generation; 0: nothing may be used again */
static const WfQuotaLevels *last = NULL;

static int	last_wait_s = 0;

const char *
wf_store_quota_name(WfQuota quota)
{
	return names[quota];
}

static bool
same(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t)) == 0;
}

/* -- the quotas -- */

static int64
read_quota(const JsonbValue *quotas, WfQuota quota)
{
	JsonbValue	value;
	int64		most;

	if (!wf_json_field(quotas, names[quota], &value))
		return -1;
	if (quota == WF_QUOTA_CODE_TIME)
	{
		char	   *text = value.type == jbvString ? wf_json_cstring(&value) : wf_json_text(&value);

		return wf_text_duration_ms(text, &most) ? most : -1;
	}
	return wf_json_int64(&value, &most) && most >= 0 ? most : -1;
}

/* The row at hand of WF_SQL_QUOTAS; false: it has none that counts. */
static bool
read_level(uint64 row, WfQuotaLevel *level, uint32 *any)
{
	Jsonb	   *quotas = wf_store_jsonb(row, 2);
	JsonbValue	root;
	uint32		found = 0;

	wf_store_uuid(row, 1, &level->tenant_id);
	wf_json_root(quotas, &root);
	for (int i = 0; i < WF_QUOTAS; i++)
	{
		level->most[i] = read_quota(&root, i);
		if (level->most[i] >= 0)
			found |= 1 << i;
	}
	*any |= found;
	return found != 0;
}

static void
load(WfQuotaLevels *all)
{
	Datum		values[1] = {UUIDPGetDatum(&all->tenant_id)};
	WfQuotaLevel *levels = NULL;
	SPITupleTable *rows;
	uint64		n;

	SPI_connect();
	n = wf_store_execute(WF_SQL_QUOTAS, values, NULL);
	rows = SPI_tuptable;
	if (n > 0)
		levels = MemoryContextAllocZero(memory, sizeof(WfQuotaLevel) * n);
	for (uint64 i = 0; i < n; i++)
		if (read_level(i, &levels[all->n], &all->any))
			all->n++;
	SPI_freetuptable(rows);
	all->levels = levels;
	SPI_finish();
}

/* Empties the cache when what is in it may be wrong, or is much. */
static void
begin_cache(uint64 generation)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(WfQuotaLevels)};

	if (kept != NULL && kept_at == generation && hash_get_num_entries(kept) < MOST_CACHED)
		return;
	last = NULL;
	kept = NULL;
	kept_at = 0;
	if (memory == NULL)
		memory = AllocSetContextCreate(TopMemoryContext, "workflow quotas", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(memory);
	control.hcxt = memory;
	kept = hash_create("workflow quotas", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	kept_at = generation;
}

const WfQuotaLevels *
wf_store_quotas(const pg_uuid_t *tenant_id)
{
	uint64		generation = wf_store_generation();
	WfQuotaLevels found = {.tenant_id = *tenant_id};
	WfQuotaLevels *entry;

	if (last != NULL && kept_at == generation && same(&last->tenant_id, tenant_id))
		return last;
	begin_cache(generation);
	entry = hash_search(kept, tenant_id, HASH_FIND, NULL);
	if (entry == NULL)
	{
		load(&found);
		entry = hash_search(kept, tenant_id, HASH_ENTER, NULL);
		*entry = found;
		if (!wf_store_may_cache(generation))
			kept_at = 0;
	}
	last = entry;
	return entry;
}

bool
wf_store_has_quota(const pg_uuid_t *tenant_id, WfQuota quota)
{
	return (wf_store_quotas(tenant_id)->any & (1 << quota)) != 0;
}

/* -- refusing -- */

static char *
name_of(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	char	   *name = NULL;

	if (wf_store_execute(WF_SQL_TENANT_BY_ID, values, NULL) > 0)
		name = wf_store_text(0, 1);
	return name == NULL ? "" : name;
}

/* `used`: without what was asked for. Of a tenant above the use is not told: others share it. */
pg_noreturn static void
refuse(const WfQuotaLevels *all, const WfQuotaLevel *level, WfQuota quota, int64 used, int64 wanted, int64 wait_ms)
{
	const pg_uuid_t tenant_id = all->tenant_id;
	const bool	is_own = same(&tenant_id, &level->tenant_id);
	const int64 most = level->most[quota];
	char	   *name;

	last_wait_s = wait_ms > 0 ? (int) ((wait_ms + 999) / 1000) : 0;
	SPI_connect();
	name = name_of(&tenant_id);
	ereport(ERROR,
			(errcode(WF_ERRCODE_QUOTA_EXCEEDED),
			 errmsg("tenant \"%s\" has used up its quota \"%s\"", name, names[quota]),
			 is_own && quota == WF_QUOTA_STORED_BYTES ?
			 errdetail("The quota is " INT64_FORMAT " bytes; " INT64_FORMAT " were stored when that was measured.", most, used) :
			 quota == WF_QUOTA_CODE_TIME && is_own ?
			 errdetail("The quota is " INT64_FORMAT " ms a minute; " INT64_FORMAT " ms are used.", most, used) :
			 is_own ? errdetail("The quota is " INT64_FORMAT "; " INT64_FORMAT " are used, and " INT64_FORMAT " more were asked for.",
								most, used, wanted) :
			 errdetail("The quota is " INT64_FORMAT ", of a tenant above, which shares it with all below it.", most),
			 errhint("%sA superuser, or an admin of the tenant above the one that has it, can raise it with wf_set_tenant().",
					 wait_ms > 0 ? "Try again within a minute. " : "")));
}

int
wf_store_quota_wait(void)
{
	return last_wait_s;
}

/* -- runs a minute -- */

/* The lock of one counter of a tenant's, until the transaction ends. */
static uint64
counter_hash(const pg_uuid_t *tenant_id, WfQuota quota)
{
	uint64		hash = wf_store_hash(0, tenant_id->data, UUID_LEN);

	return wf_store_hash(hash, names[quota], strlen(names[quota]));
}

static void
lock_counter(const pg_uuid_t *tenant_id, WfQuota quota)
{
	(void) wf_store_lock_thing(wf_store_table("quota_taken"), counter_hash(tenant_id, quota), false);
}

/* Without shared memory: what was taken is in a table, and who takes more waits for those who did. */
static bool
take_row(const WfQuotaLevel *level, int64 n, int64 *wait_ms)
{
	TimestampTz now = wf_clock_now();
	pg_uuid_t	id = {{0}};
	Datum		values[4] = {UUIDPGetDatum(&level->tenant_id), UUIDPGetDatum(&id), TimestampTzGetDatum(now - MINUTE_US), Int64GetDatum(n)};
	bool		fits;

	wf_uuid_make(&id);
	lock_counter(&level->tenant_id, WF_QUOTA_RUNS_PER_MINUTE);
	wf_store_execute_latest(WF_SQL_TAKEN_SINCE, values, NULL);
	fits = n <= level->most[WF_QUOTA_RUNS_PER_MINUTE] - wf_store_int64(0, 1);
	*wait_ms = wf_store_time(0, 2) == 0 ? MINUTE_US / 1000 : Max((wf_store_time(0, 2) + MINUTE_US - now) / 1000, 1);
	SPI_freetuptable(SPI_tuptable);
	if (!fits)
		return false;
	/* with one snapshot a transaction, rows that another one has deleted since would be an error */
	if (!IsolationUsesXactSnapshot())
		wf_store_execute(WF_SQL_FORGET_TAKEN, values, NULL);
	values[2] = TimestampTzGetDatum(now);
	wf_store_execute(WF_SQL_TAKE_ROW, values, NULL);
	return true;
}

/* Of the quota of runs or of requests a minute. */
static bool
take_minute(const WfQuotaLevel *level, WfQuota quota, int64 n, int64 *wait_ms)
{
	bool		taken;

	if (wf_quota_is_shared())
		return wf_quota_take(&level->tenant_id, quota == WF_QUOTA_RUNS_PER_MINUTE ? WF_MINUTE_RUNS : WF_MINUTE_REQUESTS, n,
							 level->most[quota], wait_ms);
	if (quota != WF_QUOTA_RUNS_PER_MINUTE)
		return true;
	SPI_connect();
	taken = take_row(level, n, wait_ms);
	SPI_finish();
	return taken;
}

/* Gives back what was taken of the first levels. Without shared memory nobody starts many, and rows go with the (sub)transaction. */
static void
give_back(const WfQuotaLevels *all, int n_levels, WfQuota quota, int64 n)
{
	for (int i = 0; i < n_levels && wf_quota_is_shared(); i++)
		if (all->levels[i].most[quota] >= 0)
			wf_quota_give_back(&all->levels[i].tenant_id, quota == WF_QUOTA_RUNS_PER_MINUTE ? WF_MINUTE_RUNS : WF_MINUTE_REQUESTS, n);
}

static void
take_minutes(const WfQuotaLevels *all, WfQuota quota, int64 n)
{
	for (int i = 0; i < all->n; i++)
	{
		const WfQuotaLevel *level = &all->levels[i];
		int64		wait_ms;
		int64		used;
		TimestampTz resets_at;

		if (level->most[quota] < 0 || take_minute(level, quota, n, &wait_ms))
			continue;
		give_back(all, i, quota, n);
		(void) wf_store_quota_used(level, quota, &used, &resets_at);
		refuse(all, level, quota, used, n, Max(wait_ms, 1));
	}
}

void
wf_store_take_request(const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	if ((all->any & (1 << WF_QUOTA_REQUESTS_PER_MINUTE)) != 0)
		take_minutes(all, WF_QUOTA_REQUESTS_PER_MINUTE, 1);
}

/* -- code -- */

const WfQuotaLevels *
wf_store_code_levels(const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);
	WfQuotaLevels *kept_levels;
	WfQuotaLevel *levels;

	if ((all->any & (1 << WF_QUOTA_CODE_TIME)) == 0)
		return NULL;
	kept_levels = palloc0(sizeof(WfQuotaLevels));
	kept_levels->tenant_id = *tenant_id;
	kept_levels->any = 1 << WF_QUOTA_CODE_TIME;
	kept_levels->levels = levels = palloc(sizeof(WfQuotaLevel) * all->n);
	for (int i = 0; i < all->n; i++)
		if (all->levels[i].most[WF_QUOTA_CODE_TIME] >= 0)
			levels[kept_levels->n++] = all->levels[i];
	return kept_levels;
}

void
wf_store_require_code_time(const WfQuotaLevels *levels)
{
	for (int i = 0; i < levels->n; i++)
	{
		const WfQuotaLevel *level = &levels->levels[i];
		int64		most_us = Min(level->most[WF_QUOTA_CODE_TIME], WF_QUOTA_MOST) * 1000;
		int64		wait_ms;
		int64		used;
		TimestampTz resets_at;

		if (wf_quota_has_room(&level->tenant_id, WF_MINUTE_CODE, most_us, &wait_ms))
			continue;
		(void) wf_store_quota_used(level, WF_QUOTA_CODE_TIME, &used, &resets_at);
		refuse(levels, level, WF_QUOTA_CODE_TIME, used, 0, Max(wait_ms, 1));
	}
}

void
wf_store_add_code_time(const WfQuotaLevels *levels, int64 us)
{
	for (int i = 0; i < levels->n; i++)
		wf_quota_add(&levels->levels[i].tenant_id, WF_MINUTE_CODE, us);
}

/* -- the queue -- */

static void
take_places(const WfQuotaLevels *all, int64 n)
{
	for (int i = 0; i < all->n; i++)
	{
		const WfQuotaLevel *level = &all->levels[i];
		const int64 most = level->most[WF_QUOTA_QUEUED_RUNS];
		WfQuotaCount count;
		int64		used;

		if (most < 0 || wf_quota_take_places(&level->tenant_id, n, most, &count))
			continue;
		if (!wf_quota_counted(&level->tenant_id, n, most, &count, wf_store_count_queued(&level->tenant_id), &used))
			refuse(all, level, WF_QUOTA_QUEUED_RUNS, used, n, 0);
	}
}

/* -- runs -- */

static void
check_stored(const WfQuotaLevels *all, int64 n)
{
	for (int i = 0; i < all->n; i++)
	{
		const WfQuotaLevel *level = &all->levels[i];
		int64		bytes;

		if (level->most[WF_QUOTA_STORED_BYTES] < 0)
			continue;
		bytes = wf_store_stored_bytes(&level->tenant_id);
		if (bytes >= level->most[WF_QUOTA_STORED_BYTES])
			refuse(all, level, WF_QUOTA_STORED_BYTES, bytes, n, 0);
	}
}

void
wf_store_take_runs(const pg_uuid_t *tenant_id, int64 n, bool is_queued)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	if (all->any == 0 || n == 0)
		return;
	if ((all->any & (1 << WF_QUOTA_STORED_BYTES)) != 0)
		check_stored(all, n);
	if (is_queued && (all->any & (1 << WF_QUOTA_QUEUED_RUNS)) != 0 && wf_quota_is_shared())
		take_places(all, n);
	/* last, as it is not given back */
	if ((all->any & (1 << WF_QUOTA_RUNS_PER_MINUTE)) != 0)
		take_minutes(all, WF_QUOTA_RUNS_PER_MINUTE, n);
}

void
wf_store_give_back_runs(const pg_uuid_t *tenant_id, int64 n)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	if (n > 0 && (all->any & (1 << WF_QUOTA_RUNS_PER_MINUTE)) != 0)
		give_back(all, all->n, WF_QUOTA_RUNS_PER_MINUTE, n);
}

/* -- runs at once -- */

/* Without shared memory: a lock for each place, that a transaction which runs something has until it ends. */
static bool
lock_place(const WfQuotaLevel *level)
{
	uint64		hash = counter_hash(&level->tenant_id, WF_QUOTA_CONCURRENT_RUNS);
	int64		most = Min(level->most[WF_QUOTA_CONCURRENT_RUNS], MOST_PLACES);

	for (int64 i = 0; i < most; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (wf_store_lock_thing(wf_store_table("quota_taken"), wf_store_hash(hash, &i, sizeof(i)), true) != WF_HOLD_NOT)
			return true;
	}
	return false;
}

static void
enter_level(const WfQuotaLevels *all, const WfQuotaLevel *level)
{
	const int64 most = level->most[WF_QUOTA_CONCURRENT_RUNS];
	int64		n;

	if (!wf_quota_is_shared())
	{
		if (!lock_place(level))
			refuse(all, level, WF_QUOTA_CONCURRENT_RUNS, most, 1, 0);
		return;
	}
	n = wf_quota_enter(&level->tenant_id);
	if (n <= most)
		n += wf_store_count_alive(&level->tenant_id);
	if (n > most)
		refuse(all, level, WF_QUOTA_CONCURRENT_RUNS, Min(n - 1, most), 1, 0);
}

void
wf_store_enter_run(const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	if ((all->any & (1 << WF_QUOTA_CONCURRENT_RUNS)) == 0)
		return;
	for (int i = 0; i < all->n; i++)
		if (all->levels[i].most[WF_QUOTA_CONCURRENT_RUNS] >= 0)
			enter_level(all, &all->levels[i]);
}

int
wf_store_entered(void)
{
	return wf_quota_mark();
}

void
wf_store_leave_run(int entered, bool stays)
{
	wf_quota_leave(entered, stays);
}

/* -- workflows -- */

void
wf_store_take_workflow(const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	if ((all->any & (1 << WF_QUOTA_WORKFLOWS)) == 0 || all->levels == NULL)
		return;
	for (int i = 0; i < all->n; i++)
	{
		const WfQuotaLevel *level = &all->levels[i];
		int64		n;

		if (level->most[WF_QUOTA_WORKFLOWS] < 0)
			continue;
		lock_counter(&level->tenant_id, WF_QUOTA_WORKFLOWS);
		n = wf_store_count_workflows(&level->tenant_id);
		if (n >= level->most[WF_QUOTA_WORKFLOWS])
			refuse(all, level, WF_QUOTA_WORKFLOWS, n, 1, 0);
	}
}
