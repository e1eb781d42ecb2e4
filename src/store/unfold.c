/*
 * unfold.c: a journal row's steps as rows, for the view wf_steps.
 *
 * An input that is another step's output is stored as that step's number. SQL could look it up by a subscript of the
 * array, but each subscript detoasts the array and walks it: twenty thousand steps took half a minute. Here the array is
 * taken apart once.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/store.h"
#include "utils/array.h"
#include "utils/memutils.h"

/* Columns of wf.step, from 1. */
#define STEP_SEQ 1
#define STEP_INPUT_FROM 8
#define STEP_INPUT 9
#define STEP_OUTPUT 10
#define STEP_MOST_COLUMNS 64

static void
tuple_of(Datum step, HeapTuple tuple)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(step);

	tuple->t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple->t_self);
	tuple->t_tableOid = InvalidOid;
	tuple->t_data = header;
}

static int
column_int(HeapTuple tuple, int column, TupleDesc descriptor, bool *is_null)
{
	Datum		value = heap_getattr(tuple, column, descriptor, is_null);

	return *is_null ? 0 : DatumGetInt32(value);
}

/* The output of step `seq`; steps are in order, without gaps as a rule. */
static Datum
output_of(const Datum *steps, int n, int first_seq, int seq, TupleDesc descriptor, bool *is_null)
{
	HeapTupleData tuple;
	int64		guess = (int64) seq - first_seq;

	*is_null = true;
	for (int64 i = Max(Min(guess, (int64) n - 1), 0); i >= 0 && i < n; i--)
	{
		bool		no_seq;

		tuple_of(steps[i], &tuple);
		if (column_int(&tuple, STEP_SEQ, descriptor, &no_seq) == seq && !no_seq)
			return heap_getattr(&tuple, STEP_OUTPUT, descriptor, is_null);
	}
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_unfold);

/* wf.unfold(steps, first_seq, input): the steps, each with its input. */
Datum
wf_sql_unfold(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	ArrayType  *array;
	int			first_seq = PG_ARGISNULL(1) ? 1 : PG_GETARG_INT32(1);
	Datum	   *steps;
	bool	   *nulls;
	int			n;
	TupleDesc	descriptor;
	MemoryContext memory;
	MemoryContext old;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (PG_ARGISNULL(0))
		return (Datum) 0;
	descriptor = result->setDesc;
	if (descriptor->natts < STEP_OUTPUT || descriptor->natts > STEP_MOST_COLUMNS)
		elog(ERROR, "type wf.step has %d columns", descriptor->natts);
	array = PG_GETARG_ARRAYTYPE_P(0);
	deconstruct_array(array, ARR_ELEMTYPE(array), -1, false, TYPALIGN_DOUBLE, &steps, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a journal must not have null steps")));
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow unfold", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(memory);
	for (int i = 0; i < n; i++)
	{
		HeapTupleData tuple;
		Datum		values[STEP_MOST_COLUMNS];
		bool		is_null[STEP_MOST_COLUMNS];
		int			from;
		bool		stored;

		CHECK_FOR_INTERRUPTS();
		tuple_of(steps[i], &tuple);
		from = column_int(&tuple, STEP_INPUT_FROM, descriptor, &stored);
		if (stored)
		{
			tuplestore_puttuple(result->setResult, &tuple);
			continue;
		}
		MemoryContextReset(memory);
		heap_deform_tuple(&tuple, descriptor, values, is_null);
		if (from > 0)
			values[STEP_INPUT - 1] = output_of(steps, n, first_seq, from, descriptor, &is_null[STEP_INPUT - 1]);
		else
		{
			is_null[STEP_INPUT - 1] = PG_ARGISNULL(2);
			values[STEP_INPUT - 1] = PG_ARGISNULL(2) ? (Datum) 0 : PG_GETARG_DATUM(2);
		}
		tuplestore_putvalues(result->setResult, descriptor, values, is_null);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	return (Datum) 0;
}
