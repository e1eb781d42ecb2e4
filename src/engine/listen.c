/*
 * listen.c: who listens for an event, or for failed runs.
 *
 * An event is emitted, and a run fails, far more often than triggers change. So each backend keeps what it looked up,
 * conditions compiled, as long as the generation of the store does not move; that nobody listens is kept, too. Under an
 * isolation level with one snapshot nothing is kept (store/cache.c).
 *
 * What is kept of an earlier generation may be in use, by a caller further up: it goes when the transaction ends.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/hashfn.h"
#include "engine/listen.h"
#include "utils/memutils.h"

#define MOST_KEPT 64
#define NAME_BYTES 255			/* of an event */

/* The answer to one question. */
typedef struct Kept
{
	uint32		hash;
	bool		is_type;
	pg_uuid_t	tenant_id;
	char		name[NAME_BYTES + 1];
	MemoryContext memory;		/* owns the list; NULL: it is NIL */
	List	   *listeners;
	uint64		used;
} Kept;

static Kept kept[MOST_KEPT];
static int	n_kept = 0;
static uint64 kept_generation = 0;
static uint64 use_counter = 0;

/* -- reading a config -- */

static List *
names_of(const JsonbValue *config)
{
	JsonbValue	names;
	JsonbValue	name;
	List	   *list = NIL;

	if (!wf_json_field(config, "workflows", &names))
		return NIL;
	for (uint32 i = 0; wf_json_element(&names, i, &name); i++)
		if (wf_json_is_string(&name))
			list = lappend(list, wf_json_cstring(&name));
	return list;
}

List *
wf_listener_workflows(const Jsonb *config)
{
	JsonbValue	root;

	wf_json_root(config, &root);
	return names_of(&root);
}

void
wf_listener_read(Listener *listener, const WfTriggerRow *row)
{
	static const WfNames no_names;
	WfExprProblem problem;
	JsonbValue	config;

	memset(listener, 0, sizeof(*listener));
	listener->row = *row;
	wf_json_root(row->config, &config);
	listener->condition_source = wf_json_get_cstring(&config, "condition");
	if (listener->condition_source != NULL)
		listener->condition = wf_expr_compile(listener->condition_source, strlen(listener->condition_source), &no_names,
											  &problem);
	listener->debounce_ms = wf_json_get_int64(&config, "debounce", 0);
	listener->workflows = names_of(&config);
}

/* -- the cache -- */

static void
forget_all(void)
{
	for (int i = 0; i < n_kept; i++)
		if (kept[i].memory != NULL)
			MemoryContextSetParent(kept[i].memory, TopTransactionContext);
	n_kept = 0;
}

static Kept *
find(uint32 hash, const pg_uuid_t *tenant_id, bool is_type, const char *name)
{
	for (int i = 0; i < n_kept; i++)
		if (kept[i].hash == hash && kept[i].is_type == is_type &&
			memcmp(&kept[i].tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0 && strcmp(kept[i].name, name) == 0)
			return &kept[i];
	return NULL;
}

/* Makes room for another one: the one that was used last the longest ago goes, which nobody can be using. */
static Kept *
take_place(void)
{
	int			oldest = 0;

	if (n_kept < MOST_KEPT)
		return &kept[n_kept++];
	for (int i = 1; i < n_kept; i++)
		if (kept[i].used < kept[oldest].used)
			oldest = i;
	if (kept[oldest].memory != NULL)
		MemoryContextDelete(kept[oldest].memory);
	return &kept[oldest];
}

static void
keep(uint32 hash, const pg_uuid_t *tenant_id, bool is_type, const char *name, MemoryContext memory, List *listeners)
{
	Kept	   *place = take_place();

	place->hash = hash;
	place->is_type = is_type;
	place->tenant_id = *tenant_id;
	strlcpy(place->name, name, sizeof(place->name));
	place->memory = listeners == NIL ? NULL : memory;
	place->listeners = listeners;
	place->used = ++use_counter;
	if (listeners == NIL)
		MemoryContextDelete(memory);
	else
		MemoryContextSetParent(memory, CacheMemoryContext);
}

static List *
look_up(const pg_uuid_t *tenant_id, bool is_type, const char *name, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	List	   *listeners = NIL;
	List	   *rows;
	ListCell   *cell;

	rows = is_type ? wf_store_triggers_of_type(tenant_id, name) : wf_store_triggers_of_event(tenant_id, name);
	foreach(cell, rows)
	{
		Listener   *listener = palloc(sizeof(Listener));

		wf_listener_read(listener, lfirst(cell));
		listeners = lappend(listeners, listener);
	}
	MemoryContextSwitchTo(old);
	return listeners;
}

static List *
listeners_of(const pg_uuid_t *tenant_id, bool is_type, const char *name)
{
	uint64		generation = wf_store_generation();
	int			len = strlen(name);
	uint32		hash = hash_bytes((const unsigned char *) name, len);
	Kept	   *known;
	MemoryContext memory;
	List	   *listeners;

	if (generation != kept_generation)
	{
		forget_all();
		kept_generation = generation;
	}
	known = IsolationUsesXactSnapshot() ? NULL : find(hash, tenant_id, is_type, name);
	if (known != NULL)
	{
		known->used = ++use_counter;
		return known->listeners;
	}
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow listeners", ALLOCSET_SMALL_SIZES);
	listeners = look_up(tenant_id, is_type, name, memory);
	if (wf_store_may_cache(generation) && generation == kept_generation && len <= NAME_BYTES)
		keep(hash, tenant_id, is_type, name, memory, listeners);
	return listeners;
}

List *
wf_listeners_of_event(const pg_uuid_t *tenant_id, const char *event)
{
	return listeners_of(tenant_id, false, event);
}

List *
wf_listeners_of_type(const pg_uuid_t *tenant_id, const char *type)
{
	return listeners_of(tenant_id, true, type);
}
