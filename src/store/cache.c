/*
 * cache.c: when to forget what was read from our tables.
 *
 * 1. Each of our definition tables has a statement trigger (wf.invalidate) that sends a relcache
 *    invalidation of the table. PostgreSQL delivers it to every backend when the change commits, and
 *    to this one at once, and again if the change is rolled back.
 * 2. The callback here counts a generation up. Caches remember the generation at which they were
 *    filled and are empty when it has moved.
 * 3. A look-up is kept only if the generation did not move while it ran and the transaction reads
 *    with a new snapshot for each statement: under REPEATABLE READ an old snapshot may yield what
 *    others have already replaced.
 *
 * A per-run query of the active version would be the obvious alternative; it costs more than five
 * pure nodes do.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "store/store.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

static const char *const watched[] = {"tenant", "member", "workflow", "version", "block", "step"};

static uint64 generation = 1;
static Oid	watched_ids[lengthof(watched)];
static bool watching = false;	/* watched_ids is filled */

/* May run at any time, outside transactions too: no catalog access here. */
static void
relation_changed(Datum arg, Oid relid)
{
	if (!watching || !OidIsValid(relid))
	{
		watching = false;
		generation++;
		return;
	}
	for (int i = 0; i < lengthof(watched); i++)
	{
		if (watched_ids[i] == relid)
		{
			watching = false;
			generation++;
			return;
		}
	}
}

static void
roles_changed(Datum arg, int cache_id, uint32 hash_value)
{
	generation++;
}

uint64
wf_store_generation(void)
{
	if (!watching && IsTransactionState())
	{
		Oid			schema = get_namespace_oid("wf", true);

		/* an invalidation while looking up resets `watching`; then the next call looks up again */
		watching = true;
		for (int i = 0; i < lengthof(watched); i++)
		{
			Oid			relid = OidIsValid(schema) ? get_relname_relid(watched[i], schema) : InvalidOid;

			watched_ids[i] = relid;
			if (!OidIsValid(relid))
				watching = false;
		}
	}
	return generation;
}

void
wf_store_catch_up(void)
{
	AcceptInvalidationMessages();
}

bool
wf_store_may_cache(uint64 generation_before)
{
	return watching && generation == generation_before && !IsolationUsesXactSnapshot();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_invalidate);

/* Trigger function of the definition tables; see above. */
Datum
wf_sql_invalidate(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR, (errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
						errmsg("wf.invalidate() must be called as a trigger")));
	CacheInvalidateRelcache(trigger->tg_relation);
	return PointerGetDatum(NULL);
}

void
wf_store_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
}
