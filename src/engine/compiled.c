/*
 * compiled.c: compiled workflows, kept per backend.
 *
 * 1. The cache maps (tenant, name) to the row of the workflow, and (workflow, version) to a WfCompiled.
 *    Both are empty when the store's generation has moved: somebody saved, activated, paused, deleted,
 *    or registered a block.
 * 2. A run holds its WfCompiled (n_users); one that was dropped while held is freed with its last user.
 *    A run that ends by an ERROR gives up its hold by a reset callback of its memory.
 * 3. At most CACHE_MOST graphs are kept; the one used least recently goes.
 *
 * The layout of frames (which slot a node has) is computed here once: it is a fact of the graph, but of
 * no use to anybody else.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/settings.h"
#include "base/text.h"
#include "catalog/namespace.h"
#include "engine/custom.h"
#include "engine/engine.h"
#include "engine/personal.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/approval.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define CACHE_MOST 256

typedef struct Entry
{
	WfCompiled *compiled;
	uint64		used;			/* counts up with each use */
	/* of the workflow's row */
	bool		active;			/* this is the active version, and the workflow may run */
} Entry;

static Entry entries[CACHE_MOST];
static int	n_entries = 0;
static int	n_holds = 0;		/* of all entries and dropped ones */
static int	n_compiling = 0;
static uint64 entries_generation = 0;
static uint64 use_counter = 0;

static void
drop_entry(int i)
{
	WfCompiled *compiled = entries[i].compiled;

	entries[i] = entries[--n_entries];
	compiled->dropped = true;
	if (compiled->n_users == 0)
		MemoryContextDelete(compiled->memory);
}

void
wf_engine_release(WfCompiled *compiled)
{
	Assert(compiled->n_users > 0);
	n_holds--;
	if (--compiled->n_users == 0 && compiled->dropped)
		MemoryContextDelete(compiled->memory);
}

/* -- layout -- */

/* Where each node's and loop's state is in a frame of its region. */
static void
lay_out(WfCompiled *compiled)
{
	const WfGraph *graph = compiled->graph;

	compiled->slot = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	compiled->arrival_base = palloc0(sizeof(int) * Max(graph->n_nodes, 1));
	compiled->n_arrival_places = palloc0(sizeof(int) * graph->n_regions);
	compiled->loop_slot = palloc0(sizeof(int) * Max(graph->n_loops, 1));
	compiled->n_region_loops = palloc0(sizeof(int) * graph->n_regions);
	compiled->region_loops = palloc0(sizeof(int *) * graph->n_regions);
	for (int r = 0; r < graph->n_regions; r++)
	{
		const WfRegion *region = &graph->regions[r];
		int			places = 0;

		for (int i = 0; i < region->n_nodes; i++)
		{
			const WfNode *node = &graph->nodes[region->nodes[i]];
			int			n_back = node->loop_header_of < 0 ? 0 : graph->loops[node->loop_header_of].n_back;

			compiled->slot[node->index] = i;
			compiled->arrival_base[node->index] = places;
			places += Max(node->n_in, n_back);
		}
		compiled->n_arrival_places[r] = places;
	}
	for (int l = 0; l < graph->n_loops; l++)
	{
		int			r = graph->nodes[graph->loops[l].header].region;

		compiled->loop_slot[l] = compiled->n_region_loops[r]++;
	}
	for (int r = 0; r < graph->n_regions; r++)
		compiled->region_loops[r] = palloc0(sizeof(int) * Max(compiled->n_region_loops[r], 1));
	for (int l = 0; l < graph->n_loops; l++)
		compiled->region_loops[graph->nodes[graph->loops[l].header].region][compiled->loop_slot[l]] = l;
}

/* -- compiling -- */

/* Reads and prepares; NULL when it cannot be read. What a failed compile leaves is below `parent`. */
static WfGraph *
compile(const Jsonb *definition, const char *search_path, bool look, MemoryContext parent, WfDiagnostics *found)
{
	const char *before = wf_block_look_as(look ? search_path : NULL);
	WfGraph    *volatile graph = NULL;

	if (n_holds == 0 && n_compiling == 0)
		wf_custom_give_back();
	n_compiling++;
	PG_TRY();
	{
		graph = wf_graph_compile(definition, wf_block_graph_callbacks(), parent, found);
		(void) wf_block_look_as(before);
		if (graph != NULL)
			wf_block_prepare_graph(graph, search_path, look, found);
	}
	PG_FINALLY();
	{
		(void) wf_block_look_as(before);
		n_compiling--;
	}
	PG_END_TRY();
	return graph;
}

WfGraph *
wf_engine_compile(const Jsonb *definition, const char *search_path, bool look, MemoryContext parent,
				  WfDiagnostics *found)
{
	WfGraph    *graph;

	if (VARSIZE(definition) / 1024 > wf_setting_max_definition_size)
	{
		wf_diagnostics_add(found, WF_SEVERITY_ERROR, WF_ERRCODE_LIMIT_EXCEEDED, NULL, "$",
						   "The setting \"workflow.max_definition_size\" has the limit.",
						   "definition has %zu kB, more than %d kB", (size_t) VARSIZE(definition) / 1024,
						   wf_setting_max_definition_size);
		return NULL;
	}
	graph = compile(definition, search_path, look, parent, found);
	if (graph == NULL)
		return NULL;
	wf_personal_check(graph, found);
	if (found->n_errors > 0)
	{
		wf_graph_free(graph);
		return NULL;
	}
	return graph;
}

void
wf_engine_refuse(const char *name, const WfDiagnostics *found)
{
	StringInfoData detail;
	const WfDiagnostic *first = NULL;
	ListCell   *cell;
	int			n = 0;

	initStringInfo(&detail);
	foreach(cell, found->items)
	{
		const WfDiagnostic *item = lfirst(cell);

		if (item->severity != WF_SEVERITY_ERROR)
			continue;
		if (first == NULL)
			first = item;
		if (++n > 20)
			continue;
		appendStringInfo(&detail, "%s%s %s: %s", n > 1 ? "\n" : "", unpack_sql_state(item->sqlstate),
						 item->path ? item->path : "$", item->message);
		if (item->hint != NULL)
			appendStringInfo(&detail, " (%s)", item->hint);
	}
	if (found->n_errors > 20)
		appendStringInfo(&detail, "\n... and %d more", found->n_errors - 20);
	ereport(ERROR, (errcode(first != NULL && first->sqlstate == WF_ERRCODE_LIMIT_EXCEEDED ?
							WF_ERRCODE_LIMIT_EXCEEDED : WF_ERRCODE_DEFINITION_INVALID),
					errmsg("definition of workflow \"%s\" is invalid: %s", name,
						   first != NULL ? first->message : "unknown reason"),
					errdetail_internal("%s", detail.data),
					errhint("wf_validate() lists all that is wrong with a definition.")));
}

char *
wf_engine_search_path(void)
{
	List	   *schemas = fetch_search_path(false);
	StringInfoData path;
	ListCell   *cell;

	initStringInfo(&path);
	foreach(cell, schemas)
	{
		char	   *name = get_namespace_name(lfirst_oid(cell));

		/* a session's temporary schema means nothing to others: pg_temp stands for each one's own */
		if (name != NULL && !isAnyTempNamespace(lfirst_oid(cell)))
			appendStringInfo(&path, "%s, ", quote_identifier(name));
	}
	/* last, so that nobody's temporary table stands in for what was meant */
	appendStringInfoString(&path, "pg_temp");
	list_free(schemas);
	return path.data;
}

static bool
touches_database(const WfGraph *graph)
{
	for (int i = 0; i < graph->n_nodes; i++)
		if ((graph->nodes[i].block->flags & (WF_BLOCK_PURE | WF_BLOCK_CONTAINER | WF_BLOCK_TRIGGER)) == 0 ||
			graph->nodes[i].compensate_workflow != NULL)
			return true;
	return false;
}

const WfExpr *
wf_engine_compile_key(const char *source)
{
	static const WfNames no_names;
	WfExprProblem problem;
	const WfExpr *expr = wf_expr_compile(source, strlen(source), &no_names, &problem);

	if (expr == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_DEFINITION_INVALID),
						errmsg("\"settings.concurrencyKey\" is invalid: %s", problem.message),
						problem.hint != NULL ? errhint("%s", problem.hint) : 0));
	return expr;
}

/* Loads and compiles a version into a new WfCompiled; throws WF001 and WF002. */
static WfCompiled *
load(const WfTenant *tenant, const WfWorkflowRow *row, int version)
{
	WfVersionRow *stored = wf_store_find_version(&tenant->tenant_id, &row->workflow_id, version);
	WfDiagnostics *found = wf_diagnostics_begin();
	MemoryContext memory;
	MemoryContext old;
	WfCompiled *compiled;

	if (stored == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND),
						errmsg("workflow \"%s\" has no version %d", row->name, version),
						errhint("wf_versions() lists its versions.")));
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow compiled", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(memory);
	compiled = palloc0(sizeof(WfCompiled));
	compiled->memory = memory;
	compiled->tenant = *tenant;
	compiled->workflow_id = row->workflow_id;
	compiled->name = pstrdup(row->name);
	compiled->version = version;
	compiled->search_path = pstrdup(stored->search_path);
	compiled->owner = stored->owner;
	MemoryContextSwitchTo(old);
	compiled->graph = wf_engine_compile(stored->definition, compiled->search_path, false, memory, found);
	if (compiled->graph == NULL)
		wf_engine_refuse(row->name, found);
	MemoryContextSwitchTo(memory);
	lay_out(compiled);
	if (compiled->graph->settings.concurrency_key != NULL)
		compiled->concurrency_key = wf_engine_compile_key(compiled->graph->settings.concurrency_key);
	compiled->touches_database = touches_database(compiled->graph);
	compiled->pii = wf_personal_paths(&tenant->tenant_id, compiled->graph);
	MemoryContextSwitchTo(old);
	return compiled;
}

/* -- looking up -- */

void
wf_engine_not_found(const WfTenant *tenant, const char *name)
{
	int			n = 0;
	/* names are for those who may read them all */
	const char **names = (tenant->permissions & WF_WORKFLOW_READ) == 0 ? NULL :
		wf_store_workflow_names(&tenant->tenant_id, 1000, &n);
	const char *nearest = n == 0 ? NULL : wf_text_nearest(name, names, n);

	ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND),
					errmsg("workflow \"%s\" does not exist", name),
					nearest != NULL ? errhint("Did you mean \"%s\"?", nearest) :
					errhint("wf_save() makes one; the view wf_workflows lists those of tenant \"%s\".", tenant->name)));
}

void
wf_engine_check_right(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *workflow_id, const char *name)
{
	if (wf_store_allows(tenant, permission, workflow_id))
		return;
	if (wf_store_allows(tenant, WF_WORKFLOW_READ, workflow_id))
		wf_store_refuse(tenant, permission);
	wf_engine_not_found(tenant, name);
}

/* The version to run, from the workflow's row. */
static int
version_of(const WfWorkflowRow *row, int version)
{
	if (version != 0)
		return version;
	if (strcmp(row->status, "paused") == 0 || strcmp(row->status, "archived") == 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("workflow \"%s\" is %s", row->name, row->status),
						errhint("Use wf_set_status('%s', 'active') to let it run.", row->name)));
	if (row->active_version == 0)
		ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND),
						errmsg("workflow \"%s\" has no active version", row->name),
						errhint("Use wf_activate('%s', version), or the option \"version\".", row->name)));
	return row->active_version;
}

static Entry *
cached(const WfTenant *tenant, const char *name, int version)
{
	for (int i = 0; i < n_entries; i++)
	{
		WfCompiled *compiled = entries[i].compiled;

		if ((version == 0 ? entries[i].active : compiled->version == version) &&
			memcmp(&compiled->tenant.tenant_id, &tenant->tenant_id, sizeof(pg_uuid_t)) == 0 &&
			strcmp(compiled->name, name) == 0)
			return &entries[i];
	}
	return NULL;
}

static void
keep(WfCompiled *compiled, bool active)
{
	int			i;

	if (n_entries == CACHE_MOST)
	{
		int			oldest = 0;

		for (i = 1; i < n_entries; i++)
			if (entries[i].used < entries[oldest].used)
				oldest = i;
		drop_entry(oldest);
	}
	MemoryContextSetParent(compiled->memory, CacheMemoryContext);
	entries[n_entries].compiled = compiled;
	entries[n_entries].active = active;
	entries[n_entries].used = ++use_counter;
	n_entries++;
}

/* Forgets all when something has changed; the generation that what is looked up now belongs to. */
static uint64
catch_up(void)
{
	uint64		generation = wf_store_generation();

	if (generation != entries_generation)
	{
		while (n_entries > 0)
			drop_entry(n_entries - 1);
		entries_generation = generation;
	}
	return generation;
}

static WfCompiled *
use(Entry *entry)
{
	entry->used = ++use_counter;
	entry->compiled->n_users++;
	n_holds++;
	return entry->compiled;
}

/* Loads a version and keeps it if it may be kept. */
static WfCompiled *
load_and_keep(const WfTenant *tenant, const WfWorkflowRow *row, int version, bool active, uint64 generation)
{
	WfCompiled *compiled = load(tenant, row, version);

	if (wf_store_may_cache(generation) && generation == entries_generation)
		keep(compiled, active);
	else
	{
		compiled->dropped = true;
		MemoryContextSetParent(compiled->memory, CacheMemoryContext);
	}
	compiled->n_users = 1;
	n_holds++;
	return compiled;
}

WfCompiled *
wf_engine_find(const WfTenant *tenant, const char *name, int version)
{
	uint64		generation = catch_up();
	Entry	   *entry = IsolationUsesXactSnapshot() ? NULL : cached(tenant, name, version);
	WfWorkflowRow *row;

	if (entry != NULL)
		return use(entry);
	row = wf_store_find_workflow(&tenant->tenant_id, name, false);
	if (row == NULL)
		wf_engine_not_found(tenant, name);
	return load_and_keep(tenant, row, version_of(row, version), version == 0, generation);
}

WfCompiled *
wf_engine_find_for(const WfTenant *tenant, const char *name, int version, WfPermission permission)
{
	if ((tenant->permissions & permission) == 0)
	{
		WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, name, false);

		if (row == NULL)
			wf_engine_not_found(tenant, name);
		wf_engine_check_right(tenant, permission, &row->workflow_id, name);
	}
	return wf_engine_find(tenant, name, version);
}

void
wf_engine_require_approved(const WfCompiled *compiled)
{
	WfVersionKey key = {compiled->tenant.tenant_id, compiled->workflow_id, compiled->version};
	WfWorkflowRow *row = wf_store_find_workflow_id(&key.tenant_id, &key.workflow_id);

	if ((row != NULL && row->active_version == key.version) || !wf_store_needs_approval(&key))
		return;
	ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
					errmsg("version %d of workflow \"%s\" is not approved", key.version, compiled->name),
					errhint("wf_activate() asks for it, and another member with \"workflow:approve\" may call wf_approve(). wf_dry_run() needs no approval.")));
}

/* The same by ids. */
static Entry *
cached_id(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version)
{
	for (int i = 0; i < n_entries; i++)
	{
		const WfCompiled *compiled = entries[i].compiled;

		if (compiled->version == version &&
			memcmp(&compiled->workflow_id, workflow_id, sizeof(pg_uuid_t)) == 0 &&
			memcmp(&compiled->tenant.tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
			return &entries[i];
	}
	return NULL;
}

bool
wf_engine_is_ready(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version)
{
	(void) catch_up();
	return !IsolationUsesXactSnapshot() && cached_id(tenant_id, workflow_id, version) != NULL;
}

WfCompiled *
wf_engine_find_id(const WfTenant *tenant, const pg_uuid_t *workflow_id, int version)
{
	uint64		generation = catch_up();
	Entry	   *entry = IsolationUsesXactSnapshot() ? NULL : cached_id(&tenant->tenant_id, workflow_id, version);
	WfWorkflowRow *row;

	if (entry != NULL)
		return use(entry);
	row = wf_store_find_workflow_id(&tenant->tenant_id, workflow_id);
	if (row == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND), errmsg("workflow of the run does not exist any more")));
	return load_and_keep(tenant, row, version, false, generation);
}
