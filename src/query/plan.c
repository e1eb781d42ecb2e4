/*
 * plan.c: prepared statements of tenant SQL, and when they are out of date.
 *
 * A WfPlan is a saved SPI plan with the types of its parameters and the shape of its rows.
 * PostgreSQL's own plan cache already follows changes of the tables a plan uses; what it cannot do is
 * choose other parameter types, or other names. So each plan also lists the relations (and, for
 * db.call, the function) that its text was made from; an invalidation that touches one of them marks
 * the plan stale, and who owns it makes text and plan again at the next execution.
 *
 * Invalidation callbacks only set flags: they may come at any moment, in the middle of an execution
 * too. A plan is freed when nobody runs it: one that is dropped while in use (a trigger that runs the
 * same workflow, after DDL) is marked dead and freed by its last user.
 *
 * There are plans that belong to one statement, and plans shared by text: a cache of the last
 * MAX_SHARED, for statements whose text depends on values.
 *
 * Memory: each plan has a context of its own below CacheMemoryContext; SPI's part is separate and
 * freed by SPI_freeplan. A plan is entered in the lists only when it is whole.
 */
#include "query/internal.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "parser/analyze.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#define MAX_SHARED 256

static dlist_head all_plans = DLIST_STATIC_INIT(all_plans);
static dlist_head shared_plans = DLIST_STATIC_INIT(shared_plans);	/* the most recently used first */
static int	n_shared = 0;
static HTAB *shared_by_hash = NULL;

typedef struct SharedEntry
{
	uint64		hash;			/* key */
	WfPlan	   *plan;			/* the latest with this hash; compared in full when found */
} SharedEntry;

/* -- invalidation -- */

static void
relation_changed(Datum arg, Oid relation)
{
	dlist_iter	it;

	dlist_foreach(it, &all_plans)
	{
		WfPlan	   *plan = dlist_container(WfPlan, node, it.cur);

		if (!OidIsValid(relation))
			plan->stale = true;
		for (int i = 0; i < plan->n_relations && !plan->stale; i++)
			plan->stale = plan->relations[i] == relation;
	}
}

static void
function_changed(Datum arg, int cache, uint32 hash)
{
	dlist_iter	it;

	dlist_foreach(it, &all_plans)
	{
		WfPlan	   *plan = dlist_container(WfPlan, node, it.cur);

		if (plan->function_hash != 0 && (hash == 0 || plan->function_hash == hash))
			plan->stale = true;
	}
}

void
wf_query_plans_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(PROCOID, function_changed, (Datum) 0);
}

/* -- making one -- */

/* Parameters that no type is asked for get the one that the parser finds; throws 42P18 when it
 * finds none, 42P02 for a parameter beyond n_params. */
void
wf_query_infer(const char *sql, int n_params, Oid *types)
{
	List	   *parsed = pg_parse_query(sql);
	Oid		   *inferred = palloc(sizeof(Oid) * (n_params + 1));
	int			n_inferred = n_params;

	memcpy(inferred, types, sizeof(Oid) * n_params);
	if (list_length(parsed) != 1)
		elog(ERROR, "expected one statement");
	(void) parse_analyze_varparams(linitial_node(RawStmt, parsed), sql, &inferred, &n_inferred, NULL);
	if (n_inferred > n_params)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_PARAMETER),
						errmsg("there is no parameter $%d: only %d given", n_inferred, n_params)));
	for (int i = 0; i < n_params; i++)
	{
		if (inferred[i] == InvalidOid || inferred[i] == UNKNOWNOID)
			ereport(ERROR, (errcode(ERRCODE_INDETERMINATE_DATATYPE),
							errmsg("could not determine the type of parameter $%d", i + 1),
							errhint("Write a cast, such as $%d::text.", i + 1)));
		types[i] = inferred[i];
	}
}

static bool
must_infer(int n, const Oid *types)
{
	for (int i = 0; i < n; i++)
		if (types[i] == UNKNOWNOID || types[i] == InvalidOid)
			return true;
	return false;
}

/* Domains are bound as their base type; the statement's own coercions check them. */
static void
base_types(int n, Oid *types)
{
	for (int i = 0; i < n; i++)
		types[i] = wf_query_type(types[i])->base;
}

static SPIPlanPtr
prepare(const char *sql, int n_params, Oid *types)
{
	MemoryContext memory = CurrentMemoryContext;
	SPIPlanPtr	plan;

	if (must_infer(n_params, types))
	{
		wf_query_infer(sql, n_params, types);
		base_types(n_params, types);
	}
	plan = SPI_prepare(sql, n_params, types);
	MemoryContextSwitchTo(memory);
	if (plan == NULL)
		elog(ERROR, "could not prepare a statement: %s", SPI_result_code_string(SPI_result));
	return plan;
}

/* Relations that the statement names and those of `more`, without zeros. In CurrentMemoryContext. */
static void
note_relations(WfPlan *plan, List *more)
{
	ListCell   *cell;
	List	   *all = list_copy(more);

	foreach(cell, SPI_plan_get_plan_sources(plan->plan))
		all = list_concat_unique_oid(all, ((CachedPlanSource *) lfirst(cell))->relationOids);
	plan->relations = palloc(sizeof(Oid) * (list_length(all) + 1));
	foreach(cell, all)
		plan->relations[plan->n_relations++] = lfirst_oid(cell);
	list_free(all);
}

WfPlan *
wf_query_plan_make(const char *sql, int n_params, const Oid *types, List *relations, Oid function)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow plan", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfPlan	   *plan = palloc0(sizeof(WfPlan));
	Oid		   *actual = palloc(sizeof(Oid) * (n_params + 1));

	plan->memory = memory;
	plan->sql = pstrdup(sql);
	plan->n_params = n_params;
	plan->declared = palloc(sizeof(Oid) * (n_params + 1));
	memcpy(plan->declared, types, sizeof(Oid) * n_params);
	memcpy(actual, types, sizeof(Oid) * n_params);
	plan->types = palloc(sizeof(WfQueryType *) * (n_params + 1));
	MemoryContextSwitchTo(old);

	plan->plan = prepare(sql, n_params, actual);
	for (int i = 0; i < n_params; i++)
		plan->types[i] = wf_query_type(actual[i]);
	MemoryContextSwitchTo(memory);
	note_relations(plan, relations);
	MemoryContextSwitchTo(old);
	if (OidIsValid(function))
		plan->function_hash = GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function));
	if (SPI_keepplan(plan->plan) != 0)
		elog(ERROR, "could not keep a plan");
	MemoryContextSetParent(memory, CacheMemoryContext);
	dlist_push_head(&all_plans, &plan->node);
	return plan;
}

static void
free_plan(WfPlan *plan)
{
	dlist_delete(&plan->node);
	SPI_freeplan(plan->plan);
	MemoryContextDelete(plan->memory);
}

void
wf_query_plan_drop(WfPlan *plan)
{
	if (plan->n_users > 0)
		plan->dead = true;
	else
		free_plan(plan);
}

/* -- the shared ones -- */

static uint64
shared_hash(const char *sql, const char *search_path, int n_params, const Oid *types)
{
	uint64		seed = hash_bytes_extended((const unsigned char *) search_path, strlen(search_path), 0);

	return hash_combine64(hash_bytes_extended((const unsigned char *) sql, strlen(sql), seed),
						  hash_bytes_extended((const unsigned char *) types, sizeof(Oid) * n_params, seed));
}

static void
drop_shared(WfPlan *plan)
{
	uint64		hash = shared_hash(plan->sql, plan->search_path, plan->n_params, plan->declared);

	hash_search(shared_by_hash, &hash, HASH_REMOVE, NULL);
	dlist_delete(&plan->lru);
	n_shared--;
	wf_query_plan_drop(plan);
}

WfPlan *
wf_query_plan_shared(const char *sql, const char *search_path, int n_params, const Oid *types, List *relations,
					 Oid function)
{
	uint64		hash = shared_hash(sql, search_path, n_params, types);
	SharedEntry *entry;
	WfPlan	   *plan;

	if (shared_by_hash == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(uint64), .entrysize = sizeof(SharedEntry)};

		shared_by_hash = hash_create("workflow shared plans", MAX_SHARED, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(shared_by_hash, &hash, HASH_FIND, NULL);
	if (entry != NULL)
	{
		plan = entry->plan;
		if (!plan->stale && plan->n_params == n_params && strcmp(plan->sql, sql) == 0 &&
			strcmp(plan->search_path, search_path) == 0 &&
			memcmp(plan->declared, types, sizeof(Oid) * n_params) == 0)
		{
			dlist_move_head(&shared_plans, &plan->lru);
			return plan;
		}
		drop_shared(plan);
	}
	plan = wf_query_plan_make(sql, n_params, types, relations, function);
	while (n_shared >= MAX_SHARED)
		drop_shared(dlist_tail_element(WfPlan, lru, &shared_plans));
	entry = hash_search(shared_by_hash, &hash, HASH_ENTER, NULL);
	entry->plan = plan;
	plan->shared = true;
	plan->search_path = MemoryContextStrdup(plan->memory, search_path);
	dlist_push_head(&shared_plans, &plan->lru);
	n_shared++;
	return plan;
}

/* -- running one -- */

/*
 * Runs as the current role, with a snapshot of its own as each statement of a function has, and
 * leaves the rows in the sink. The caller holds the plan. CurrentMemoryContext is kept.
 */
void
wf_query_plan_run(WfPlan *plan, ParamListInfo params, WfRowSink *sink)
{
	SPIExecuteOptions options = {.params = params, .dest = &sink->pub};
	MemoryContext memory = CurrentMemoryContext;
	int			n_before = sink->n_rows;
	int			result;

	sink->plan = plan;
	result = SPI_execute_plan_extended(plan->plan, &options);
	/* SPI leaves its own context current */
	MemoryContextSwitchTo(memory);
	if (result < 0)
		elog(ERROR, "could not execute a statement: %s", SPI_result_code_string(result));
	/* utility statements give rows that SPI does not count */
	sink->processed = Max(SPI_processed, (uint64) (sink->n_rows - n_before));
	if (sink->scratch != NULL)
		MemoryContextDelete(sink->scratch);
	sink->scratch = NULL;
}

void
wf_query_plan_release(WfPlan *plan)
{
	if (--plan->n_users == 0 && plan->dead)
		free_plan(plan);
}
