/*
 * run.c: rows of runs and of their journal.
 *
 * A segment's steps are one array of the composite type wf.step, written with one insert when the
 * segment ends. Rows of their own, one a step, cost an index entry and a heap tuple each; jsonb would
 * have to be taken apart and put together again, where a composite takes each step's JSON as it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "nodes/makefuncs.h"
#include "miscadmin.h"
#include "store/statements.h"
#include "storage/lock.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#define STEP_COLUMNS 14

/* The composite type, as found at `generation`. */
static struct
{
	uint64		generation;
	Oid			type;
	TupleDesc	descriptor;		/* copied to TopMemoryContext */
}			step;

/* Finds wf.step unless nothing has changed since the last time. */
static void
look_up_step(void)
{
	uint64		generation = wf_store_generation();
	Oid			schema;
	Oid			type;
	TupleDesc	descriptor;
	MemoryContext old;

	if (step.generation == generation && OidIsValid(step.type))
		return;
	schema = get_namespace_oid("wf", false);
	type = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("step"), ObjectIdGetDatum(schema));
	if (!OidIsValid(type))
		elog(ERROR, "type wf.step does not exist");
	if (type != step.type)
	{
		descriptor = lookup_rowtype_tupdesc(type, -1);
		if (descriptor->natts != STEP_COLUMNS)
			elog(ERROR, "type wf.step has %d columns, expected %d", descriptor->natts, STEP_COLUMNS);
		old = MemoryContextSwitchTo(TopMemoryContext);
		step.descriptor = CreateTupleDescCopy(descriptor);
		MemoryContextSwitchTo(old);
		ReleaseTupleDesc(descriptor);
		step.type = type;
	}
	step.generation = generation;
}

/* A short C string as a text Datum in the current context; NULL sets the null flag. */
static inline Datum
text_value(const char *text, bool *is_null)
{
	*is_null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static inline Datum
jsonb_value(Jsonb *json, bool *is_null)
{
	*is_null = json == NULL;
	return JsonbPGetDatum(json);
}

Datum
wf_store_form_step(const WfStepRow *row)
{
	Datum		values[STEP_COLUMNS];
	bool		nulls[STEP_COLUMNS] = {0};
	HeapTuple	tuple;

	look_up_step();
	values[0] = Int32GetDatum(row->seq);
	values[1] = text_value(row->node, &nulls[1]);
	values[2] = text_value(row->path, &nulls[2]);
	values[3] = text_value(row->type, &nulls[3]);
	values[4] = text_value(row->status, &nulls[4]);
	values[5] = text_value(row->port, &nulls[5]);
	values[6] = Int32GetDatum(row->attempt);
	values[7] = Int32GetDatum(row->input_from);
	nulls[7] = row->input_from < 0;
	values[8] = jsonb_value(row->input, &nulls[8]);
	values[9] = jsonb_value(row->output, &nulls[9]);
	values[10] = jsonb_value(row->error, &nulls[10]);
	values[11] = TimestampTzGetDatum(row->started_at);
	values[12] = Int64GetDatum(row->duration_us);
	values[13] = PointerGetDatum(row->log);
	nulls[13] = row->log == NULL;
	tuple = heap_form_tuple(step.descriptor, values, nulls);
	return HeapTupleHeaderGetDatum(tuple->t_data);
}

/*
 * Inserts a row of history as an executor would, but without one: no plan, no parameters, no projection. The two
 * inserts of a run would otherwise cost as much as four of its db nodes. The tables are ours and have neither triggers nor
 * generated columns; constraints and indexes are seen to. The row is visible to the next command.
 */
static void
insert_history(const char *table, Datum *values, bool *nulls)
{
	Oid			relid = get_relname_relid(table, get_namespace_oid("wf", false));
	Relation	relation;
	EState	   *estate;
	ResultRelInfo *target;
	TupleTableSlot *slot;

	if (!OidIsValid(relid))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("table wf.%s does not exist", table)));
	relation = table_open(relid, RowExclusiveLock);
	estate = CreateExecutorState();
	target = makeNode(ResultRelInfo);
	InitResultRelInfo(target, relation, 1, NULL, 0);
	ExecOpenIndices(target, false);
	slot = MakeSingleTupleTableSlot(RelationGetDescr(relation), &TTSOpsHeapTuple);
	ExecForceStoreHeapTuple(heap_form_tuple(RelationGetDescr(relation), values, nulls), slot, true);
	PushActiveSnapshot(GetTransactionSnapshot());
	ExecSimpleRelationInsert(target, estate, slot);
	PopActiveSnapshot();
	ExecDropSingleTupleTableSlot(slot);
	ExecCloseIndices(target);
	FreeExecutorState(estate);
	table_close(relation, NoLock);
	CommandCounterIncrement();
}

/* Columns of wf.segment, in the table's order. */
enum
{
	SEGMENT_TENANT_ID,
	SEGMENT_RUN_ID,
	SEGMENT_SEGMENT,
	SEGMENT_ATTEMPT,
	SEGMENT_FIRST_SEQ,
	SEGMENT_STARTED_AT,
	SEGMENT_FINISHED_AT,
	SEGMENT_STATUS,
	SEGMENT_STEPS,
	SEGMENT_COLUMNS
};

void
wf_store_insert_segment(const WfSegmentRow *row)
{
	ArrayType  *array;
	Datum		values[SEGMENT_COLUMNS];
	bool		nulls[SEGMENT_COLUMNS] = {0};

	look_up_step();
	array = construct_array(row->steps, row->n_steps, step.type, -1, false, TYPALIGN_DOUBLE);
	values[SEGMENT_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[SEGMENT_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[SEGMENT_SEGMENT] = Int32GetDatum(row->segment);
	values[SEGMENT_ATTEMPT] = Int32GetDatum(row->attempt);
	values[SEGMENT_FIRST_SEQ] = Int32GetDatum(row->first_seq);
	values[SEGMENT_STARTED_AT] = TimestampTzGetDatum(row->started_at);
	values[SEGMENT_FINISHED_AT] = TimestampTzGetDatum(row->finished_at);
	values[SEGMENT_STATUS] = CStringGetTextDatum(row->status);
	values[SEGMENT_STEPS] = PointerGetDatum(array);
	insert_history("segment", values, nulls);
}

/* Columns of wf.run, in the table's order. */
enum
{
	RUN_TENANT_ID,
	RUN_RUN_ID,
	RUN_WORKFLOW_ID,
	RUN_VERSION,
	RUN_ATTEMPT,
	RUN_STARTED_AT,
	RUN_FINISHED_AT,
	RUN_QUEUED_AT,
	RUN_WAKE_AT,
	RUN_STARTED_BY,
	RUN_STATUS,
	RUN_TRIGGER,
	RUN_INPUT,
	RUN_OUTPUT,
	RUN_ERROR,
	RUN_CORRELATION_ID,
	RUN_TAGS,
	RUN_IDEMPOTENCY_KEY,
	RUN_PARENT_RUN_ID,
	RUN_CURRENT_NODES,
	RUN_PROGRESS,
	RUN_COLUMNS
};

void
wf_store_insert_run(const WfRunRow *row)
{
	Datum		values[RUN_COLUMNS] = {0};
	bool		nulls[RUN_COLUMNS] = {0};

	values[RUN_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[RUN_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[RUN_WORKFLOW_ID] = UUIDPGetDatum(&row->workflow_id);
	values[RUN_VERSION] = Int32GetDatum(row->version);
	values[RUN_ATTEMPT] = Int32GetDatum(row->attempt);
	values[RUN_STARTED_AT] = TimestampTzGetDatum(row->started_at);
	nulls[RUN_STARTED_AT] = row->started_at == 0;
	values[RUN_FINISHED_AT] = TimestampTzGetDatum(row->finished_at);
	values[RUN_QUEUED_AT] = TimestampTzGetDatum(row->queued_at);
	nulls[RUN_WAKE_AT] = true;
	values[RUN_STARTED_BY] = ObjectIdGetDatum(row->started_by);
	values[RUN_STATUS] = CStringGetTextDatum(row->status);
	values[RUN_TRIGGER] = CStringGetTextDatum(row->trigger);
	values[RUN_INPUT] = jsonb_value(row->input, &nulls[RUN_INPUT]);
	values[RUN_OUTPUT] = jsonb_value(row->output, &nulls[RUN_OUTPUT]);
	values[RUN_ERROR] = jsonb_value(row->error, &nulls[RUN_ERROR]);
	values[RUN_CORRELATION_ID] = text_value(row->correlation_id, &nulls[RUN_CORRELATION_ID]);
	values[RUN_TAGS] = PointerGetDatum(row->tags);
	nulls[RUN_TAGS] = row->tags == NULL;
	values[RUN_IDEMPOTENCY_KEY] = text_value(row->idempotency_key, &nulls[RUN_IDEMPOTENCY_KEY]);
	values[RUN_PARENT_RUN_ID] = UUIDPGetDatum(row->parent_run_id);
	nulls[RUN_PARENT_RUN_ID] = row->parent_run_id == NULL;
	nulls[RUN_CURRENT_NODES] = true;
	nulls[RUN_PROGRESS] = true;
	insert_history("run", values, nulls);
}

/*
 * Waits for whoever runs with this key and keeps others waiting until our transaction ends, so that the second one
 * finds the first one's run instead of making it twice. The lock is one on an object of the table, which no other code
 * takes; keys whose hashes meet merely wait for each other.
 */
static void
lock_idempotency_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key)
{
	Oid			relid = get_relname_relid("run", get_namespace_oid("wf", false));
	uint64		hash = hash_bytes_extended(tenant_id->data, UUID_LEN, 0);
	LOCKTAG		tag;

	hash = hash_bytes_extended(workflow_id->data, UUID_LEN, hash);
	hash = hash_bytes_extended((const unsigned char *) key, strlen(key), hash);
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, relid, (uint32) hash, (uint16) (hash >> 32));
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

WfRunRow *
wf_store_find_idempotent(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(key)};
	WfRunRow   *row = NULL;

	lock_idempotency_key(tenant_id, workflow_id, key);
	if (wf_store_execute(WF_SQL_FIND_IDEMPOTENT, values, NULL) > 0)
	{
		row = palloc0(sizeof(WfRunRow));
		wf_store_uuid(0, 1, &row->run_id);
		row->status = wf_store_text(0, 2);
		row->output = wf_store_jsonb(0, 3);
		row->error = wf_store_jsonb(0, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	if (row == NULL && IsolationUsesXactSnapshot() && wf_store_execute_latest(WF_SQL_FIND_IDEMPOTENT, values) > 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to a concurrent run with the same idempotency key"),
						errhint("The transaction might succeed if retried.")));
	return row;
}
