/*
 * direct.h: rows of our own tables without plans. Private to this room.
 */
#ifndef WF_STORE_DIRECT_H
#define WF_STORE_DIRECT_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "storage/itemptr.h"
#include "utils/array.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "utils/uuid.h"

/* A table of schema wf by its name; throws 42P01 when it is gone. */
extern Oid	wf_store_table(const char *name);

/* The partition of a history table (run, segment) that the run's rows are in; it stays until the transaction ends. */
extern Oid	wf_store_leaf(const char *table, const pg_uuid_t *run_id);

/*
 * Inserts: begin, put any number of rows, end. Values are in the table's order of columns and are copied by put. Rows are
 * visible to the next command after end. Everything that a begin opened is given up by an error, too.
 */
typedef struct WfInsert WfInsert;
extern WfInsert *wf_store_insert_begin(Oid table);
extern void wf_store_insert_put(WfInsert *insert, Datum *values, bool *nulls);
extern void wf_store_insert_end(WfInsert *insert);
/* None of its rows belongs into a partial index of the table: nobody has to find out for each. Before the first put. */
extern void wf_store_insert_skip_partial(WfInsert *insert);
/* One row. */
extern void wf_store_insert_one(Oid table, Datum *values, bool *nulls);

/* Deletes a row that nobody else can be deleting; false when it is gone, or has *moved because it was updated. */
extern bool wf_store_delete_tid(Relation table, const ItemPointerData *tid, bool *moved);

typedef enum WfHold
{
	WF_HOLD_NOT,				/* somebody else has it, or there is no room for a lock */
	WF_HOLD_TAKEN,
	WF_HOLD_OURS,				/* this transaction had it already */
} WfHold;

/* Takes the lock of a thing of a table's, named by hashed bytes, until the (sub)transaction ends. With dont_wait it is
 * NOT taken when somebody else has it. */
extern WfHold wf_store_lock_thing(Oid table, uint64 hash, bool dont_wait);
extern uint64 wf_store_hash(uint64 seed, const void *bytes, int len);

/* -- values -- */

/* A C string, jsonb, array or id as a Datum; NULL sets the null flag. */
extern Datum wf_store_text_value(const char *text, bool *is_null);
extern Datum wf_store_jsonb_value(const Jsonb *json, bool *is_null);
extern Datum wf_store_array_value(const ArrayType *array, bool *is_null);
/* A time as a Datum; 0 sets the null flag. */
extern Datum wf_store_time_value(TimestampTz time, bool *is_null);

#endif
