/*
 * gate_quota.c: starts of tenants with a quota of runs at once (concurrentRuns), which all wait at a gate: that of their workflow, or
 * one that the tenant has for the others (WF_TENANT_GATE).
 *
 * 1. What their gates would let through is listed, locked, in the order of going.
 * 2. Of each tenant that has the quota (the start's own, and those above it) it is found out how many more there may be: base/quota.c
 *    knows what runs in callers' transactions, wf.gate the rest.
 * 3. One after another goes, if all of its tenants have room.
 *
 * In C, since a start may need a place of several tenants, and one that cannot go must not keep those behind it from going.
 */
#include "postgres.h"

#include "base/quota.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "store/gate_quota.h"
#include "store/quota.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#define MOST_STARTS 1000		/* of a gate, that are looked at in one transaction */

/* A tenant that has the quota. */
typedef struct Counter
{
	pg_uuid_t	tenant_id;		/* the key */
	int64		most;
	int64		wanted;			/* starts that need a place of it */
	int64		room;
} Counter;

static ArrayType *
uuid_array(Datum *ids, int n)
{
	return construct_array(ids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

/* Is there a tenant in the database that has the quota? Whoever sets one wakes the keeper when that is done. */
static bool
any_is_bound(void)
{
	Datum		values[1] = {CStringGetTextDatum(wf_store_quota_name(WF_QUOTA_CONCURRENT_RUNS))};
	bool		found = wf_store_execute(WF_SQL_ANY_QUOTAS, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

static HTAB *
make_counters(void)
{
	HASHCTL		control = {.keysize = sizeof(pg_uuid_t), .entrysize = sizeof(Counter), .hcxt = CurrentMemoryContext};

	return hash_create("workflow quotas of runs at once", 16, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* The start of this tenant needs a place of each. */
static void
want(HTAB *counters, const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	for (int i = 0; i < all->n; i++)
	{
		const WfQuotaLevel *level = &all->levels[i];
		Counter    *counter;
		bool		found;

		if (level->most[WF_QUOTA_CONCURRENT_RUNS] < 0)
			continue;
		counter = hash_search(counters, &level->tenant_id, HASH_ENTER, &found);
		if (!found)
		{
			counter->most = level->most[WF_QUOTA_CONCURRENT_RUNS];
			counter->wanted = 0;
			counter->room = 0;
		}
		counter->wanted++;
	}
}

static void
find_room(HTAB *counters)
{
	HASH_SEQ_STATUS scan;
	Counter    *counter;

	hash_seq_init(&scan, counters);
	while ((counter = hash_seq_search(&scan)) != NULL)
	{
		WfQuotaSeen seen;
		int64		n;

		wf_quota_look(&counter->tenant_id, &seen);
		n = wf_store_count_alive(&counter->tenant_id);
		counter->room = wf_quota_let(&counter->tenant_id, &seen, n, counter->most, counter->wanted);
	}
}

/* Takes a place of each that the tenant's start needs; false: one has none. */
static bool
take(HTAB *counters, const pg_uuid_t *tenant_id)
{
	const WfQuotaLevels *all = wf_store_quotas(tenant_id);

	for (int pass = 0; pass < 2; pass++)
	{
		for (int i = 0; i < all->n; i++)
		{
			Counter    *counter = hash_search(counters, &all->levels[i].tenant_id, HASH_FIND, NULL);

			if (counter == NULL)
				continue;
			if (pass == 0 && counter->room <= 0)
				return false;
			if (pass == 1)
				counter->room--;
		}
	}
	return true;
}

/* They go. */
static int
pass(Datum *tenants, Datum *messages, int n)
{
	Datum		values[2] = {PointerGetDatum(uuid_array(tenants, n)), PointerGetDatum(uuid_array(messages, n))};
	uint64		n_passed = wf_store_execute(WF_SQL_PASS_GATES, values, NULL);

	for (uint64 i = 0; i < n_passed; i++)
	{
		pg_uuid_t	tenant_id;

		wf_store_uuid(i, 2, &tenant_id);
		wf_wake_role_at_commit(wf_store_oid(i, 1), &tenant_id);
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) n_passed;
}

int
wf_store_open_bound(bool *some_are_locked)
{
	Datum		values[1] = {Int32GetDatum(MOST_STARTS)};
	HTAB	   *counters;
	Datum	   *tenants;
	Datum	   *messages;
	uint64		n;
	int			n_starts = 0;
	int			n_chosen = 0;

	if (!any_is_bound())
		return 0;
	n = wf_store_execute(WF_SQL_BOUND_STARTS, values, NULL);
	tenants = palloc(sizeof(Datum) * Max(n, 1));
	messages = palloc(sizeof(Datum) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *ids = palloc0(sizeof(pg_uuid_t) * 2);
		static const pg_uuid_t none = {{0}};

		wf_store_uuid(i, 1, &ids[0]);
		wf_store_uuid(i, 2, &ids[1]);
		if (memcmp(&ids[1], &none, sizeof(none)) == 0)
		{
			*some_are_locked = true;
			continue;
		}
		tenants[n_starts] = UUIDPGetDatum(&ids[0]);
		messages[n_starts++] = UUIDPGetDatum(&ids[1]);
	}
	SPI_freetuptable(SPI_tuptable);
	wf_store_catch_up();		/* quotas are no older than the starts */
	counters = make_counters();
	for (int i = 0; i < n_starts; i++)
		want(counters, DatumGetUUIDP(tenants[i]));
	find_room(counters);
	for (int i = 0; i < n_starts; i++)
	{
		if (!take(counters, DatumGetUUIDP(tenants[i])))
			continue;
		tenants[n_chosen] = tenants[i];
		messages[n_chosen++] = messages[i];
	}
	hash_destroy(counters);
	return n_chosen == 0 ? 0 : pass(tenants, messages, n_chosen);
}
