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
 *
 * Ids of our tables and indexes are kept too, by name (wf_store_table): each has to be looked up several times a run. One
 * that is dropped or renamed is invalidated itself, and all are forgotten.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "commands/trigger.h"
#include "fmgr.h"
#include "store/direct.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

/* the first is what the generation of tenants counts */
static const char *const watched[] = {"tenant", "member", "app_role", "workflow", "version", "block", "step", "trigger"};

static uint64 generation = 1;
static uint64 tenants_generation = 1;	/* of wf.tenant alone */
static Oid	watched_ids[lengthof(watched)];
static bool watching = false;	/* watched_ids is filled */

#define MOST_TABLES 32

/* What wf_store_table found. */
static struct
{
	NameData	name;
	Oid			relid;
}			tables[MOST_TABLES];
static int	n_tables = 0;
static uint64 tables_forgotten = 0; /* so often */

static void
forget_table(Oid relid)
{
	bool		is_known = !OidIsValid(relid);

	for (int i = 0; i < n_tables && !is_known; i++)
		is_known = tables[i].relid == relid;
	if (is_known)
		n_tables = 0;
	/* also when none is known: it may be being looked up */
	tables_forgotten++;
}

/* May run at any time, outside transactions too: no catalog access here. */
static void
relation_changed(Datum arg, Oid relid)
{
	forget_table(relid);
	if (!watching || !OidIsValid(relid))
	{
		watching = false;
		generation++;
		tenants_generation++;
		return;
	}
	for (int i = 0; i < lengthof(watched); i++)
	{
		if (watched_ids[i] == relid)
		{
			watching = false;
			generation++;
			tenants_generation += i == 0 ? 1 : 0;
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

uint64
wf_store_tenants_generation(void)
{
	(void) wf_store_generation();
	return tenants_generation;
}

Oid
wf_store_table(const char *name)
{
	uint64		forgotten = tables_forgotten;
	Oid			relid;

	for (int i = 0; i < n_tables; i++)
		if (strcmp(NameStr(tables[i].name), name) == 0)
			return tables[i].relid;
	relid = get_relname_relid(name, get_namespace_oid("wf", false));
	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table wf.%s does not exist", name)));
	if (n_tables < MOST_TABLES && forgotten == tables_forgotten)
	{
		namestrcpy(&tables[n_tables].name, name);
		tables[n_tables++].relid = relid;
	}
	return relid;
}

void
wf_store_catch_up(void)
{
	AcceptInvalidationMessages();
}

bool
wf_store_may_cache(uint64 generation_before)
{
	return wf_store_may_cache_here(generation_before) && !IsolationUsesXactSnapshot();
}

bool
wf_store_may_cache_here(uint64 generation_before)
{
	return watching && generation == generation_before;
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
