/*
 * direct.c: inserts and deletes of our own rows without an executor's plan.
 *
 * A run makes a row in the queue, deletes it, and makes two rows of history; as planned statements these would cost as
 * much as a dozen pure nodes. The tables are ours and have neither triggers nor generated columns: what is left of
 * INSERT is to form the tuples, put them into the heap, many at once where there are many, check constraints where there
 * are any, and make the index entries. What is left of DELETE is the mark in the heap.
 *
 * Locks of things are heavyweight locks of the kind that LockDatabaseObject takes, with a hash in the place of the
 * object's id; nothing else takes such locks on our tables. Things whose hashes meet merely wait for each other.
 *
 * Why not lock rows: workers claim in the transaction and delete in a subtransaction, and a row that is locked by one
 * and deleted by the other gets a multixact, which costs more than both and uses up a number that wraps around.
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "base/compat.h"
#include "common/hashfn.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lock.h"
#include "store/direct.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_BUFFERED 500
#define MOST_BUFFERED_BYTES (256 * 1024)

struct WfInsert
{
	Relation	relation;
	EState	   *estate;			/* owns all memory */
	ResultRelInfo *target;
	MemoryContext rows;			/* of buffered tuples; reset when they are written; NULL: the estate's */
	int			n;
	Size		n_bytes;
	int			n_slots;		/* slots made so far */
	int			slots_size;
	TupleTableSlot **slots;
};

WfInsert *
wf_store_insert_begin(Oid table)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	WfInsert   *insert = palloc0(sizeof(WfInsert));

	insert->estate = estate;
	insert->relation = table_open(table, RowExclusiveLock);
	insert->target = makeNode(ResultRelInfo);
	InitResultRelInfo(insert->target, insert->relation, 0, NULL, 0);	/* of no range table: an error looks for rights there */
	ExecOpenIndices(insert->target, false);
	insert->slots_size = 4;
	insert->slots = palloc(sizeof(TupleTableSlot *) * insert->slots_size);
	MemoryContextSwitchTo(old);
	return insert;
}

void
wf_store_insert_skip_partial(WfInsert *insert)
{
	for (int i = 0; i < insert->target->ri_NumIndices; i++)
		if (insert->target->ri_IndexRelationInfo[i]->ii_Predicate != NIL)
			insert->target->ri_IndexRelationInfo[i]->ii_ReadyForInserts = false;
}

/* Writes what is buffered. */
static void
flush(WfInsert *insert)
{
	Relation	relation = insert->relation;
	CommandId	command = GetCurrentCommandId(true);
	bool		has_checks = relation->rd_att->constr != NULL && relation->rd_att->constr->num_check > 0;
	bool		has_snapshot = ActiveSnapshotSet();

	/* storing large values asks for one */
	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());
	for (int i = 0; has_checks && i < insert->n; i++)
		ExecConstraints(insert->target, insert->slots[i], insert->estate);
	if (insert->n == 1)
		table_tuple_insert(relation, insert->slots[0], command, 0, NULL);
	else
		table_multi_insert(relation, insert->slots, insert->n, command, 0, NULL);
	for (int i = 0; i < insert->n; i++)
	{
		if (insert->target->ri_NumIndices > 0)
			list_free(wf_compat_insert_index_entries(insert->target, insert->slots[i], insert->estate));
		ResetPerTupleExprContext(insert->estate);
		ExecClearTuple(insert->slots[i]);
	}
	if (!has_snapshot)
		PopActiveSnapshot();
	insert->n = 0;
	insert->n_bytes = 0;
	if (insert->rows != NULL)
		MemoryContextReset(insert->rows);
}

void
wf_store_insert_put(WfInsert *insert, Datum *values, bool *nulls)
{
	MemoryContext old;
	HeapTuple	tuple;

	if (insert->n == MOST_BUFFERED || insert->n_bytes > MOST_BUFFERED_BYTES)
		flush(insert);
	old = MemoryContextSwitchTo(insert->estate->es_query_cxt);
	if (insert->n == insert->n_slots)
	{
		if (insert->n_slots == insert->slots_size)
		{
			insert->slots_size = Min(insert->slots_size * 4, MOST_BUFFERED);
			insert->slots = repalloc(insert->slots, sizeof(TupleTableSlot *) * insert->slots_size);
		}
		insert->slots[insert->n_slots] = MakeSingleTupleTableSlot(RelationGetDescr(insert->relation), &TTSOpsHeapTuple);
		insert->n_slots++;
	}
	if (insert->n == 1 && insert->rows == NULL)
		insert->rows = AllocSetContextCreate(insert->estate->es_query_cxt, "workflow rows", ALLOCSET_DEFAULT_SIZES);
	if (insert->rows != NULL)
		MemoryContextSwitchTo(insert->rows);
	tuple = heap_form_tuple(RelationGetDescr(insert->relation), values, nulls);
	insert->n_bytes += tuple->t_len;
	ExecStoreHeapTuple(tuple, insert->slots[insert->n], false);
	MemoryContextSwitchTo(old);
	insert->n++;
}

void
wf_store_insert_end(WfInsert *insert)
{
	Relation	relation = insert->relation;

	if (insert->n > 0)
		flush(insert);
	for (int i = 0; i < insert->n_slots; i++)
		ExecDropSingleTupleTableSlot(insert->slots[i]);
	ExecCloseIndices(insert->target);
	FreeExecutorState(insert->estate);
	table_close(relation, NoLock);
	CommandCounterIncrement();
}

void
wf_store_insert_one(Oid table, Datum *values, bool *nulls)
{
	WfInsert   *insert = wf_store_insert_begin(table);

	wf_store_insert_put(insert, values, nulls);
	wf_store_insert_end(insert);
}

bool
wf_store_delete_tid(Relation table, const ItemPointerData *tid, bool *moved)
{
	ItemPointerData where = *tid;
	TM_FailureData failure;
	TM_Result	result;

	result = table_tuple_delete(table, &where, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot, true, &failure,
								false);
	*moved = result == TM_Updated;
	switch (result)
	{
		case TM_Ok:
			CommandCounterIncrement();
			return true;
		case TM_SelfModified:
		case TM_Deleted:
		case TM_Updated:
			return false;
		default:
			elog(ERROR, "could not delete a row of table \"%s\": result %d", RelationGetRelationName(table), result);
	}
	return false;
}

uint64
wf_store_hash(uint64 seed, const void *bytes, int len)
{
	return hash_bytes_extended((const unsigned char *) bytes, len, seed);
}

WfHold
wf_store_lock_thing(Oid table, uint64 hash, bool dont_wait)
{
	LOCKTAG		tag;
	LockAcquireResult result;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, table, (uint32) hash, (uint16) (hash >> 32));
	if (dont_wait)
		result = wf_compat_try_lock(&tag, ExclusiveLock);
	else
		result = LockAcquire(&tag, ExclusiveLock, false, false);
	return result == LOCKACQUIRE_NOT_AVAIL ? WF_HOLD_NOT : result == LOCKACQUIRE_OK ? WF_HOLD_TAKEN : WF_HOLD_OURS;
}

/* -- values -- */

Datum
wf_store_text_value(const char *text, bool *is_null)
{
	*is_null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

Datum
wf_store_jsonb_value(const Jsonb *json, bool *is_null)
{
	*is_null = json == NULL;
	return PointerGetDatum(json);
}

Datum
wf_store_array_value(const ArrayType *array, bool *is_null)
{
	*is_null = array == NULL;
	return PointerGetDatum(array);
}

Datum
wf_store_time_value(TimestampTz time, bool *is_null)
{
	*is_null = time == 0;
	return TimestampTzGetDatum(time);
}
