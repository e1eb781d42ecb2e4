/*
 * run.c: rows of runs and of their journal.
 *
 * A segment's steps are one array of the composite type wf.step, written with one insert when the
 * segment ends. Rows of their own, one a step, cost an index entry and a heap tuple each; jsonb would
 * have to be taken apart and put together again, where a composite takes each step's JSON as it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "base/text.h"
#include "base/wake.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
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

/* Room for a text with a short header, as a row has it in the end. */
typedef char ShortText[VARATT_SHORT_MAX];

/* A text value, in `room` if it is as short as most are. */
static Datum
text_in(ShortText room, const char *text, bool *is_null)
{
	Size		len = text == NULL ? 0 : strlen(text);

	if (text == NULL || len + VARHDRSZ_SHORT > VARATT_SHORT_MAX)
		return wf_store_text_value(text, is_null);
	SET_VARSIZE_SHORT(room, len + VARHDRSZ_SHORT);
	memcpy(room + VARHDRSZ_SHORT, text, len);
	return PointerGetDatum(room);
}

Datum
wf_store_form_step(const WfStepRow *row)
{
	Datum		values[STEP_COLUMNS];
	bool		nulls[STEP_COLUMNS] = {0};
	ShortText	rooms[5];
	HeapTuple	tuple;

	look_up_step();
	values[0] = Int32GetDatum(row->seq);
	values[1] = text_in(rooms[0], row->node, &nulls[1]);
	values[2] = row->path == row->node ? values[1] : text_in(rooms[1], row->path, &nulls[2]);
	values[3] = text_in(rooms[2], row->type, &nulls[3]);
	values[4] = text_in(rooms[3], row->status, &nulls[4]);
	values[5] = text_in(rooms[4], row->port, &nulls[5]);
	values[6] = Int32GetDatum(row->attempt);
	values[7] = Int32GetDatum(row->input_from);
	nulls[7] = row->input_from < 0;
	values[8] = wf_store_jsonb_value(row->input, &nulls[8]);
	values[9] = wf_store_jsonb_value(row->output, &nulls[9]);
	values[10] = wf_store_jsonb_value(row->error, &nulls[10]);
	values[11] = TimestampTzGetDatum(row->started_at);
	values[12] = Int64GetDatum(row->duration_us);
	values[13] = PointerGetDatum(row->log);
	nulls[13] = row->log == NULL;
	tuple = heap_form_tuple(step.descriptor, values, nulls);
	return HeapTupleHeaderGetDatum(tuple->t_data);
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
	wf_store_insert_one(wf_store_leaf("segment", &row->run_id), values, nulls);
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

static void keep_key(const WfRunRow *row);

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
	values[RUN_STARTED_AT] = wf_store_time_value(row->started_at, &nulls[RUN_STARTED_AT]);
	values[RUN_FINISHED_AT] = TimestampTzGetDatum(row->finished_at);
	values[RUN_QUEUED_AT] = TimestampTzGetDatum(row->queued_at);
	nulls[RUN_WAKE_AT] = true;
	values[RUN_STARTED_BY] = ObjectIdGetDatum(row->started_by);
	values[RUN_STATUS] = CStringGetTextDatum(row->status);
	values[RUN_TRIGGER] = CStringGetTextDatum(row->trigger);
	values[RUN_INPUT] = wf_store_jsonb_value(row->input, &nulls[RUN_INPUT]);
	values[RUN_OUTPUT] = wf_store_jsonb_value(row->output, &nulls[RUN_OUTPUT]);
	values[RUN_ERROR] = wf_store_jsonb_value(row->error, &nulls[RUN_ERROR]);
	values[RUN_CORRELATION_ID] = wf_store_text_value(row->correlation_id, &nulls[RUN_CORRELATION_ID]);
	values[RUN_TAGS] = wf_store_array_value(row->tags, &nulls[RUN_TAGS]);
	values[RUN_IDEMPOTENCY_KEY] = wf_store_text_value(row->idempotency_key, &nulls[RUN_IDEMPOTENCY_KEY]);
	values[RUN_PARENT_RUN_ID] = UUIDPGetDatum(row->parent_run_id);
	nulls[RUN_PARENT_RUN_ID] = row->parent_run_id == NULL;
	nulls[RUN_CURRENT_NODES] = true;
	nulls[RUN_PROGRESS] = true;
	wf_store_insert_one(wf_store_leaf("run", &row->run_id), values, nulls);
	if (row->idempotency_key != NULL)
		keep_key(row);
	wf_wake_awaiters_at_commit(&row->run_id);
}

void
wf_store_delete_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};

	wf_store_execute(WF_SQL_DELETE_RUN, values, NULL);
}

bool
wf_store_run_state(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, WfRunState *state)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	bool		found = wf_store_execute_latest(WF_SQL_RUN_STATE, values, NULL) > 0;
	TransactionId made_by;
	WfExecuting *executing;

	if (found)
	{
		state->has_ended = wf_store_int(0, 1) == 1;
		state->status = wf_store_text(0, 2);
		state->output = wf_store_jsonb(0, 3);
		state->error = wf_store_jsonb(0, 4);
		made_by = (TransactionId) wf_store_oid(0, 5);
		state->started_by = wf_store_oid(0, 6);
		state->is_ours = TransactionIdIsNormal(made_by) && TransactionIdIsCurrentTransactionId(made_by);
	}
	SPI_freetuptable(SPI_tuptable);
	if (!found || state->has_ended)
		return found;
	if (strcmp(state->status, "compensating") == 0)
		state->status = "running";
	for (int i = wf_wake_list_executing(&executing) - 1; i >= 0; i--)
		if (memcmp(&executing[i].run_id, run_id, sizeof(pg_uuid_t)) == 0)
			state->status = "running";
	return true;
}

/* -- idempotency -- */

/*
 * Waits for whoever runs with this key and keeps others waiting until our transaction ends, so that the second one
 * finds the first one's run instead of making it twice.
 */
static void
lock_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key)
{
	uint64		hash = wf_store_hash(0, tenant_id->data, UUID_LEN);

	hash = wf_store_hash(hash, workflow_id->data, UUID_LEN);
	hash = wf_store_hash(hash, key, strlen(key));
	wf_store_lock_thing(wf_store_table("idempotency"), hash, false);
}

/* The run that has the key, as it is committed now; false: none has. Throws 40001 when the transaction may not see it. */
static bool
find_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key, pg_uuid_t *run_id)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(key)};
	bool		found = wf_store_execute(WF_SQL_FIND_KEY, values, NULL) > 0;

	if (found)
		wf_store_uuid(0, 1, run_id);
	SPI_freetuptable(SPI_tuptable);
	if (!found && IsolationUsesXactSnapshot() && wf_store_execute_latest(WF_SQL_FIND_KEY, values, NULL) > 0)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to a concurrent run with the same idempotency key"),
						errhint("The transaction might succeed if retried.")));
	return found;
}

static bool
insert_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key, const pg_uuid_t *run_id)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(key),
	UUIDPGetDatum(run_id)};

	return wf_store_execute(WF_SQL_TAKE_KEY, values, NULL) > 0;
}

bool
wf_store_take_key(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key, const pg_uuid_t *run_id,
				  pg_uuid_t *earlier)
{
	lock_key(tenant_id, workflow_id, key);
	if (find_key(tenant_id, workflow_id, key, earlier))
		return false;
	return insert_key(tenant_id, workflow_id, key, run_id);
}

/* A run in the background took its key when it was started; one in the caller's transaction holds the key's lock. */
static void
keep_key(const WfRunRow *row)
{
	pg_uuid_t	owner;

	if (insert_key(&row->tenant_id, &row->workflow_id, row->idempotency_key, &row->run_id))
		return;
	if (find_key(&row->tenant_id, &row->workflow_id, row->idempotency_key, &owner) &&
		memcmp(&owner, &row->run_id, sizeof(owner)) != 0)
		ereport(ERROR, (errcode(ERRCODE_UNIQUE_VIOLATION),
						errmsg("another run has the idempotency key \"%s\"", wf_text_clip(row->idempotency_key))));
}

void
wf_store_drop_key(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};

	(void) wf_store_execute(WF_SQL_DROP_KEY, values, NULL);
}
