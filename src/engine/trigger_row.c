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

#include "base/compat.h"
#include "engine/trigger_row.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "query/row_trigger.h"
#include "storage/proc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/rel.h"

/* -- installing -- */

/* Reads a config, which is at `path`; the diagnostics have what is wrong with it. */
static bool
read_config(const Jsonb *json, const char *node, const char *path, WfDiagnostics *found, WfRowConfig *config)
{
	JsonbValue	root;

	wf_json_root(json, &root);
	return wf_query_row_config(&root, node, path, found, config);
}

static void
row_check(const TriggerNode *trigger, WfDiagnostics *found)
{
	const char *path = psprintf("%s.config", trigger->node->path);
	WfRowConfig config;

	if (read_config(trigger->node->config, trigger->node->id, path, found, &config))
		(void) wf_query_row_check(&config, trigger->search_path, trigger->node->id, path, found);
}

static void
row_fill(const TriggerNode *trigger, WfTriggerRow *row)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (read_config(row->config, row->node, "config", found, &config))
		row->relation = wf_query_row_check(&config, row->search_path, row->node, "config", found);
	if (found->n_errors > 0)
		wf_engine_refuse(trigger->workflow, found);
}

static void
row_clear(const WfTriggerRow *row, const WfTriggerRow *before)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (!OidIsValid(before->relation))
		return;
	if (row == NULL || !row->installed || row->relation != before->relation)
		wf_query_row_remove(before->relation, &before->workflow_id, before->node);
	else if (read_config(row->config, row->node, "config", found, &config))
		wf_query_row_remove_others(row->relation, &config, &row->workflow_id, row->node);
}

static void
row_put(const WfTriggerRow *row, const WfTriggerRow *before)
{
	WfRowOwner	owner = {row->tenant_id, row->workflow_id, row->workflow, row->node};
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (!read_config(row->config, row->node, "config", found, &config))
		wf_engine_refuse(row->workflow, found);
	wf_query_row_install(row->relation, &config, &owner);
}

static const char *
row_problem(const WfTriggerRow *row)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfRowConfig config;

	if (!read_config(row->config, row->node, "config", found, &config))
		return NULL;
	return wf_query_row_problem(row->relation, &config, row->installed, &row->workflow_id, row->node);
}

const TriggerKind wf_trigger_row_kind = {
	.type = "trigger.row",
	.check = row_check,
	.fill = row_fill,
	.clear = row_clear,
	.put = row_put,
	.problem = row_problem,
};

/* -- what is known of a trigger that fires -- */

/* What a firing needs. It lives in its own memory, as long as the backend knows it or a firing uses it. */
typedef struct Facts
{
	MemoryContext memory;
	int			n_users;		/* firings under way */
	bool		is_retired;		/* goes with its last user */
	bool		fires;			/* it is genuine, its row is installed, and its tenant active */
	bool		needs_when;
	bool		is_sync;
	WfTriggerRow *row;			/* NULL: there is none */
	WfRowConfig config;
} Facts;

/* A PostgreSQL trigger of ours, as this backend knows it. */
typedef struct Known
{
	Oid			oid;			/* hash key: pg_trigger */
	uint64		generation;		/* 0: to be looked up again */
	LocalTransactionId transaction; /* known in this one only; or InvalidLocalTransactionId */
	Facts	   *facts;			/* or NULL */
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
		if (!OidIsValid(relid) ||
			(entry->facts != NULL && entry->facts->row != NULL && entry->facts->row->relation == relid))
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

/* Looks the trigger up, in CurrentMemoryContext. */
static void
look_up(const TriggerData *data, Facts *facts)
{
	const Trigger *trigger = data->tg_trigger;
	WfDiagnostics *found = wf_diagnostics_begin();
	pg_uuid_t	tenant;
	pg_uuid_t	workflow;
	WfTriggerRow *row;
	JsonbValue	root;
	const char *mode;

	if (!wf_engine_uuid_read(argument(trigger, 0), &tenant) || !wf_engine_uuid_read(argument(trigger, 1), &workflow))
		return;
	row = wf_store_find_trigger(&tenant, &workflow, argument(trigger, 2));
	facts->row = row;
	if (row == NULL || !row->installed || strcmp(row->type, wf_trigger_row_kind.type) != 0 ||
		wf_store_tenant_status(&tenant) != WF_TENANT_ACTIVE ||
		!read_config(row->config, row->node, "config", found, &facts->config))
		return;
	facts->fires = wf_query_row_is_genuine(data, row->relation, &facts->config, &workflow, row->node);
	if (!facts->fires)
		return;
	wf_json_root(row->config, &root);
	mode = wf_json_get_cstring(&root, "mode");
	facts->is_sync = mode != NULL && strcmp(mode, "sync") == 0;
	facts->needs_when = wf_query_row_needs_when(&facts->config, row->relation, wf_query_row_event(data));
}

static Facts *
make_facts(const TriggerData *data)
{
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow row trigger", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	Facts	   *facts = palloc0(sizeof(Facts));

	facts->memory = memory;
	SPI_connect();
	MemoryContextSwitchTo(memory);
	look_up(data, facts);
	SPI_finish();
	MemoryContextSwitchTo(old);
	return facts;
}

static void
retire(Facts *facts)
{
	facts->is_retired = true;
	if (facts->n_users == 0)
		MemoryContextDelete(facts->memory);
}

static Known *
entry_of(Oid oid)
{
	Known	   *entry;
	bool		exists;

	if (known == NULL)
	{
		HASHCTL		control = {.keysize = sizeof(Oid), .entrysize = sizeof(Known), .hcxt = TopMemoryContext};

		known = hash_create("workflow row triggers", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	entry = hash_search(known, &oid, HASH_ENTER, &exists);
	if (!exists)
	{
		entry->generation = 0;
		entry->transaction = InvalidLocalTransactionId;
		entry->facts = NULL;
	}
	return entry;
}

/*
 * What is known of the trigger, for the caller to let go of. A firing may lead to others of the same trigger (a cast to json
 * that writes, a run), which look it up anew: what the outer one uses stays until it is done.
 */
static Facts *
hold_facts(const TriggerData *data)
{
	uint64		generation = wf_store_generation();
	Known	   *entry = entry_of(data->tg_trigger->tgoid);

	if (entry->generation != generation || entry->facts == NULL ||
		(entry->transaction != InvalidLocalTransactionId && entry->transaction != WF_COMPAT_LXID()))
	{
		Facts	   *facts = make_facts(data);

		if (entry->facts != NULL)
			retire(entry->facts);
		MemoryContextSetParent(facts->memory, TopMemoryContext);
		entry->facts = facts;
		entry->generation = wf_store_may_cache_here(generation) ? generation : 0;
		entry->transaction = wf_store_may_cache(generation) ? InvalidLocalTransactionId : WF_COMPAT_LXID();
	}
	entry->facts->n_users++;
	return entry->facts;
}

static void
let_go(Facts *facts)
{
	facts->n_users--;
	if (facts->is_retired)
		retire(facts);
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

static void
name_trigger(void *arg)
{
	const WfTriggerRow *row = arg;

	errcontext("trigger \"%s\" of workflow \"%s\"", row->node, row->workflow);
}

/* The run's input; NULL: the condition does not hold. */
static Jsonb *
input_of(const TriggerData *data, const Facts *facts)
{
	MemoryContext memory = CurrentMemoryContext;
	ErrorContextCallback context = {.previous = error_context_stack, .callback = name_trigger, .arg = facts->row};
	Jsonb	   *volatile input = NULL;

	PG_TRY();
	{
		error_context_stack = &context;
		input = wf_query_row_json(data, facts->row->relation);
		if (facts->needs_when && !wf_expr_test(facts->config.when, wf_query_row_scope(input)))
			input = NULL;
	}
	PG_CATCH();
	{
		wf_engine_fire_failed(facts->row, memory);
		PG_RE_THROW();
	}
	PG_END_TRY();
	error_context_stack = context.previous;
	return input;
}

/* Did it start something? */
static bool
react(const TriggerData *data, const Facts *facts)
{
	Jsonb	   *input;

	if (!facts->fires || !has_rows(data) ||
		(TRIGGER_FIRED_INSTEAD(data->tg_event) && !wf_query_row_is_changed(data, &facts->config)))
		return false;
	input = input_of(data, facts);
	if (input == NULL)
		return false;
	start(facts->row, facts->is_sync, input);
	return true;
}

bool
wf_engine_row_changed(const TriggerData *data)
{
	Facts	   *facts = hold_facts(data);
	bool		result = false;

	PG_TRY();
	{
		result = react(data, facts);
	}
	PG_FINALLY();
	{
		let_go(facts);
	}
	PG_END_TRY();
	return result;
}
