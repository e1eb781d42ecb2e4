/*
 * run.c: rows of runs and of their journal.
 *
 * A segment's steps are one array of the composite type wf.step, written with one insert when the
 * segment ends. Rows of their own, one a step, cost an index entry and a heap tuple each; jsonb would
 * have to be taken apart and put together again, where a composite takes each step's JSON as it is.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/statements.h"
#include "store/store.h"
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
	Oid			array_type;
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
		/* the statement's argument type is another one now */
		wf_store_forget_plan(WF_SQL_INSERT_SEGMENT);
		step.type = type;
		step.array_type = get_array_type(type);
	}
	step.generation = generation;
}

Oid
wf_store_step_array_type(void)
{
	look_up_step();
	return step.array_type;
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

void
wf_store_insert_segment(const WfRunRow *run, int segment, int first_seq, int n_steps, Datum *steps)
{
	ArrayType  *array;
	Datum		values[8];

	look_up_step();
	array = construct_array(steps, n_steps, step.type, -1, false, TYPALIGN_DOUBLE);
	values[0] = UUIDPGetDatum(&run->tenant_id);
	values[1] = UUIDPGetDatum(&run->run_id);
	values[2] = Int32GetDatum(segment);
	values[3] = Int32GetDatum(first_seq);
	values[4] = TimestampTzGetDatum(run->started_at);
	values[5] = TimestampTzGetDatum(run->finished_at);
	values[6] = CStringGetTextDatum(run->status);
	values[7] = PointerGetDatum(array);
	wf_store_execute(WF_SQL_INSERT_SEGMENT, values, NULL);
}

/* A value that may be missing, for nulls as SPI takes them. */
static Datum
optional(Datum value, bool present, char *null)
{
	*null = present ? ' ' : 'n';
	return present ? value : (Datum) 0;
}

static Datum
optional_text(const char *text, char *null)
{
	return optional(text == NULL ? 0 : CStringGetTextDatum(text), text != NULL, null);
}

void
wf_store_insert_run(const WfRunRow *row)
{
	Datum		values[16];
	char		nulls[16];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&row->tenant_id);
	values[1] = UUIDPGetDatum(&row->run_id);
	values[2] = UUIDPGetDatum(&row->workflow_id);
	values[3] = Int32GetDatum(row->version);
	values[4] = TimestampTzGetDatum(row->started_at);
	values[5] = TimestampTzGetDatum(row->finished_at);
	values[6] = ObjectIdGetDatum(row->started_by);
	values[7] = CStringGetTextDatum(row->status);
	values[8] = CStringGetTextDatum(row->trigger);
	values[9] = optional(JsonbPGetDatum(row->input), row->input != NULL, &nulls[9]);
	values[10] = optional(JsonbPGetDatum(row->output), row->output != NULL, &nulls[10]);
	values[11] = optional(JsonbPGetDatum(row->error), row->error != NULL, &nulls[11]);
	values[12] = optional_text(row->correlation_id, &nulls[12]);
	values[13] = optional(PointerGetDatum(row->tags), row->tags != NULL, &nulls[13]);
	values[14] = optional_text(row->idempotency_key, &nulls[14]);
	values[15] = optional(UUIDPGetDatum(row->parent_run_id), row->parent_run_id != NULL, &nulls[15]);
	wf_store_execute(WF_SQL_INSERT_RUN, values, nulls);
}

WfRunRow *
wf_store_find_idempotent(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *key)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(key)};
	WfRunRow   *row = NULL;

	if (wf_store_execute(WF_SQL_FIND_IDEMPOTENT, values, NULL) > 0)
	{
		row = palloc0(sizeof(WfRunRow));
		wf_store_uuid(0, 1, &row->run_id);
		row->status = wf_store_text(0, 2);
		row->output = wf_store_jsonb(0, 3);
		row->error = wf_store_jsonb(0, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	return row;
}
