/*
 * trigger_row.c: trigger.row: workflows that a change of a table starts.
 *
 * 1. The node has one PostgreSQL trigger for each of its events on the table (query/row_trigger.h), which is made when the
 *    version is activated and goes when it no longer is. As long as these are the same from one version to the next, the table
 *    is not touched.
 * 2. They call wf.row_trigger(tenant, workflow, node), which ends here. What it has to know is kept per backend by the
 *    trigger's OID, until the store's generation moves or the table changes.
 * 3. PostgreSQL's WHEN clause keeps away rows that do not match, as far as the condition can be said in SQL; the rest is
 *    evaluated here, before anything is started.
 * 4. mode async queues a run in the writer's transaction, sync executes it there. Either way the writer's rollback takes it
 *    along; and a run that cannot be started, or fails (sync), fails the writer's statement.
 *
 * A trigger whose row is gone or not installed does nothing: what a partial restore leaves behind must not keep people
 * from writing.
 */
#include "postgres.h"

#include "engine/trigger_row.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "query/row_trigger.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* -- installing -- */

static void
row_check(const TriggerNode *trigger, WfDiagnostics *found)
{
	const char *path = psprintf("%s.config", trigger->node->path);
	WfRowConfig config;
	JsonbValue	root;

	wf_json_root(trigger->node->config, &root);
	if (wf_query_row_config(&root, trigger->node->id, path, found, &config))
		(void) wf_query_row_check(&config, trigger->search_path, trigger->node->id, path, found);
}

/* Reads the config; the diagnostics have what is wrong with it. */
static bool
read_config(const Jsonb *json, const char *node, WfDiagnostics *found, WfRowConfig *config)
{
	JsonbValue	root;

	wf_json_root(json, &root);
	return wf_query_row_config(&root, node, "config", found, config);
}

static void
row_fill(const TriggerNode *trigger, WfTriggerRow *row)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (read_config(row->config, row->node, found, &config))
		row->relation = wf_query_row_check(&config, row->search_path, row->node, "config", found);
	if (found->n_errors > 0)
		wf_engine_refuse(trigger->workflow, found);
}

static void
row_put(const WfTriggerRow *row, const WfTriggerRow *before)
{
	WfRowOwner	owner = {row->tenant_id, row->workflow_id, row->workflow, row->node};
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (before != NULL && OidIsValid(before->relation) && (before->relation != row->relation || !row->installed))
		wf_query_row_remove(before->relation, &row->workflow_id, row->node);
	if (!row->installed)
		return;
	if (!read_config(row->config, row->node, found, &config))
		wf_engine_refuse(row->workflow, found);
	wf_query_row_install(row->relation, &config, &owner);
}

static void
row_drop(const WfTriggerRow *row)
{
	if (OidIsValid(row->relation))
		wf_query_row_remove(row->relation, &row->workflow_id, row->node);
}

const TriggerKind wf_trigger_row_kind = {"trigger.row", row_check, row_fill, row_put, row_drop};

/* -- what is known of a trigger that fires -- */

/* A PostgreSQL trigger of ours, as this backend knows it. */
typedef struct Known
{
	Oid			oid;			/* hash key: pg_trigger */
	bool		fires;			/* it is genuine, and its row is installed */
	bool		needs_when;
	bool		is_sync;
	WfTriggerRow *row;			/* NULL: there is none */
	WfRowConfig config;
	uint64		generation;
	MemoryContext memory;		/* of row and config */
} Known;

static HTAB *known = NULL;

/* A table has changed (InvalidOid: any may have): whether its condition is wholly in SQL is asked anew. */
static void
forget_table(Datum arg, Oid relid)
{
	HASH_SEQ_STATUS scan;
	Known	   *entry;

	if (known == NULL)
		return;
	hash_seq_init(&scan, known);
	while ((entry = hash_seq_search(&scan)) != NULL)
		if (!OidIsValid(relid) || (entry->row != NULL && entry->row->relation == relid))
			entry->generation = 0;
}

void
wf_trigger_row_init(void)
{
	CacheRegisterRelcacheCallback(forget_table, (Datum) 0);
}

static const char *
argument(const Trigger *trigger, int i)
{
	return trigger->tgnargs == 3 ? trigger->tgargs[i] : NULL;
}

/* Looks the trigger up; its row is in the entry's memory. */
static void
look_up(const TriggerData *data, Known *entry)
{
	const Trigger *trigger = data->tg_trigger;
	WfDiagnostics *found = wf_diagnostics_begin();
	pg_uuid_t	tenant;
	pg_uuid_t	workflow;
	JsonbValue	root;
	const char *mode;

	entry->fires = false;
	entry->row = NULL;
	if (!wf_engine_uuid_read(argument(trigger, 0), &tenant) || !wf_engine_uuid_read(argument(trigger, 1), &workflow))
		return;
	entry->row = wf_store_find_trigger(&tenant, &workflow, argument(trigger, 2));
	if (entry->row == NULL || !entry->row->installed || strcmp(entry->row->type, wf_trigger_row_kind.type) != 0 ||
		!read_config(entry->row->config, entry->row->node, found, &entry->config))
		return;
	entry->fires = wf_query_row_is_genuine(data, entry->row->relation, &entry->config, &workflow, entry->row->node);
	if (!entry->fires)
		return;
	wf_json_root(entry->row->config, &root);
	mode = wf_json_get_cstring(&root, "mode");
	entry->is_sync = mode != NULL && strcmp(mode, "sync") == 0;
	entry->needs_when = wf_query_row_needs_when(&entry->config, entry->row->relation, wf_query_row_event(data));
}

static Known *
know(const TriggerData *data)
{
	Oid			oid = data->tg_trigger->tgoid;
	uint64		generation = wf_store_generation();
	MemoryContext old;
	Known	   *entry;
	bool		exists;

	if (known == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Known), .hcxt = TopMemoryContext};

		known = hash_create("workflow row triggers", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(known, &oid, HASH_ENTER, &exists);
	if (exists && entry->generation == generation)
		return entry;
	if (!exists)
		entry->memory = NULL;
	entry->generation = 0;
	if (entry->memory == NULL)
		entry->memory = AllocSetContextCreate(TopMemoryContext, "workflow row trigger", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(entry->memory);
	old = MemoryContextSwitchTo(entry->memory);
	SPI_connect();
	MemoryContextSwitchTo(entry->memory);
	look_up(data, entry);
	SPI_finish();
	MemoryContextSwitchTo(old);
	if (wf_store_may_cache(generation))
		entry->generation = generation;
	return entry;
}

/* -- firing -- */

/* Is there anything to tell? A statement that changed no row tells nothing. */
static bool
has_rows(const TriggerData *data)
{
	bool		by_statement = TRIGGER_FIRED_FOR_STATEMENT(data->tg_event);

	if (!by_statement || TRIGGER_FIRED_BY_TRUNCATE(data->tg_event))
		return true;
	return (data->tg_newtable != NULL && tuplestore_tuple_count(data->tg_newtable) > 0) ||
		(data->tg_oldtable != NULL && tuplestore_tuple_count(data->tg_oldtable) > 0);
}

static void
start(const WfTriggerRow *row, bool is_sync, Jsonb *input)
{
	static const WfFire how = {.later = true};

	if (is_sync)
	{
		WfRunResult result;

		wf_engine_fire_now(row, &how, input, WF_RUN_TRIGGER, &result);
	}
	else
	{
		WfStarted	started;

		wf_engine_fire(row, &how, &input, 1, &started);
	}
}

bool
wf_engine_row_changed(const TriggerData *data)
{
	const Known *entry;
	WfTriggerRow row;
	bool		is_sync;
	Jsonb	   *input;

	entry = know(data);
	if (!entry->fires || !has_rows(data) ||
		(TRIGGER_FIRED_INSTEAD(data->tg_event) && !wf_query_row_is_changed(data, &entry->config)))
		return false;
	input = wf_query_row_json(data, entry->row->relation);
	if (entry->needs_when && !wf_expr_test(entry->config.when, wf_query_row_scope(input)))
		return false;
	/* what it does may have the entry forgotten */
	row = *entry->row;
	row.node = pstrdup(row.node);
	row.workflow = pstrdup(row.workflow);
	row.type = wf_trigger_row_kind.type;
	row.gate_key = row.gate_key == NULL ? NULL : pstrdup(row.gate_key);
	row.gate_policy = row.gate_policy == NULL ? NULL : pstrdup(row.gate_policy);
	is_sync = entry->is_sync;
	start(&row, is_sync, input);
	return true;
}
