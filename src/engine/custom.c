/*
 * custom.c: blocks that tenants registered.
 *
 * The registry asks here for a type that is not built in. What the current tenant registered under it is read
 * once and kept until the store's generation moves; then all are forgotten together, with the compiled graphs that
 * point at them (compiled.c follows the same generation). It may move at any time, in the middle of a compile too, and
 * runs hold graphs: so what is forgotten is only retired, and given back when no graph is held or being made. What may
 * not be kept (one snapshot a transaction) is retired from the start.
 */
#include "postgres.h"

#include "block/custom.h"
#include "engine/custom.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

typedef struct Known
{
	WfTenant	tenant;
	const WfBlock *block;		/* NULL: there is none */
	char	   *type;
	struct Known *next;
} Known;

static MemoryContext memory = NULL; /* a child for each of `known` */
static MemoryContext retired = NULL;	/* forgotten ones */
static Known *known = NULL;
static uint64 known_generation = 0;

static void
forget_all(uint64 generation)
{
	known = NULL;
	known_generation = generation;
	if (retired == NULL)
		retired = AllocSetContextCreate(CacheMemoryContext, "workflow retired blocks", ALLOCSET_SMALL_SIZES);
	if (memory != NULL)
		MemoryContextSetParent(memory, retired);
	memory = NULL;				/* should the next line throw */
	memory = AllocSetContextCreate(CacheMemoryContext, "workflow registered blocks", ALLOCSET_SMALL_SIZES);
}

void
wf_custom_give_back(void)
{
	if (retired != NULL && retired->firstchild != NULL)
		MemoryContextDeleteChildren(retired);
}

static const WfBlock *
look_up(const WfTenant *tenant, const char *type, MemoryContext into)
{
	const WfBlock *block = NULL;
	WfBlockRow *row;

	SPI_connect();
	row = wf_store_find_block(&tenant->tenant_id, type);
	if (row != NULL)
	{
		/* a function that is gone is an error of the node that calls it */
		LOCAL_FCINFO(call, 1);
		Datum		function;
		MemoryContext old;

		InitFunctionCallInfoData(*call, NULL, 1, InvalidOid, NULL, NULL);
		call->args[0].value = CStringGetTextDatum(row->function);
		call->args[0].isnull = false;
		function = to_regprocedure(call);
		old = MemoryContextSwitchTo(into);
		block = wf_block_custom_make(row->type, call->isnull ? InvalidOid : DatumGetObjectId(function),
									 row->config_schema, row->ports);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return block;
}

static const WfBlock *
find_custom(const char *type)
{
	uint64		generation = wf_store_generation();
	WfTenant	tenant;
	Known	   *item;
	MemoryContext own;

	if (!wf_store_current_tenant(&tenant, NULL))
		return NULL;
	if (generation != known_generation || memory == NULL)
		forget_all(generation);
	for (item = known; item != NULL; item = item->next)
		if (memcmp(&item->tenant.tenant_id, &tenant.tenant_id, sizeof(pg_uuid_t)) == 0 && strcmp(item->type, type) == 0)
			return item->block;
	own = AllocSetContextCreate(retired, "workflow registered block", ALLOCSET_SMALL_SIZES);
	item = MemoryContextAllocZero(own, sizeof(Known));
	item->tenant = tenant;
	item->type = MemoryContextStrdup(own, type);
	item->block = look_up(&tenant, type, own);
	if (wf_store_may_cache(generation) && generation == known_generation)
	{
		MemoryContextSetParent(own, memory);
		item->next = known;
		known = item;
	}
	return item->block;
}

void
wf_custom_init(void)
{
	wf_block_find_custom = find_custom;
}
