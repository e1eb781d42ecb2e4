/*
 * queue.h: walking through wf.queue, and other tables whose rows are held by locks of things. Private to this room.
 */
#ifndef WF_STORE_QUEUE_H
#define WF_STORE_QUEUE_H

#include "postgres.h"
#include "access/genam.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "executor/tuptable.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "utils/snapshot.h"

/* Columns of wf.queue, in the table's order. */
enum
{
	MESSAGE_TENANT_ID,
	MESSAGE_MESSAGE_ID,
	MESSAGE_RUN_ID,
	MESSAGE_ROLE,
	MESSAGE_PRIORITY,
	MESSAGE_KIND,
	MESSAGE_STEP,
	MESSAGE_CRASHES,
	MESSAGE_READY_AT,
	MESSAGE_WORKFLOW_ID,
	MESSAGE_VERSION,
	MESSAGE_PAYLOAD,
	MESSAGE_OPTIONS,
	MESSAGE_SEALED,
	MESSAGE_COLUMNS,
	/* wf.held has two more */
	HELD_GATE = MESSAGE_COLUMNS,
	HELD_GATE_SIZE,
	HELD_COLUMNS
};

/* A walk through the queue, or another such table, by one of its indexes. */
typedef struct WfWalk
{
	Relation	heap;
	Relation	index;
	Snapshot	snapshot;
	IndexScanDesc scan;
	TupleTableSlot *slot;
} WfWalk;

/* The index is one of wf.queue's, by its name; what is committed by now is seen. Needs a transaction. */
extern void wf_store_walk_begin(WfWalk *walk, const char *index);
/* The same in another table. */
extern void wf_store_walk_begin_in(WfWalk *walk, const char *table, const char *index);
extern void wf_store_walk_end(WfWalk *walk);
/* Begins, or begins again, with these keys. */
extern void wf_store_walk_from(WfWalk *walk, ScanKeyData *keys, int n_keys);
/* The next message; false: no more. */
extern bool wf_store_walk_next(WfWalk *walk);
/* A column of the message at hand, 0 for null; an id, borrowed. */
extern Datum wf_store_walk_column(const WfWalk *walk, int column);
extern const pg_uuid_t *wf_store_walk_id(const WfWalk *walk, int column);
/* Holds the message at hand; false when somebody does already, we included, or it is gone. */
extern bool wf_store_walk_hold(const WfWalk *walk);
/* The same in another table, whose things are named by this column, a uuid; `ours_too`: also what we hold already. */
extern bool wf_store_walk_hold_by(const WfWalk *walk, int column, bool ours_too, bool dont_wait);
/* The message at hand, copied. */
extern WfMessage *wf_store_walk_message(const WfWalk *walk);

/* Holds all messages of the run in the queue and gives their ids; false: there are none, or somebody else holds one. */
extern bool wf_store_hold_all(const pg_uuid_t *run_id, ArrayType **ids);

/* A key for a column (from 1) of an index that is a uuid. */
extern void wf_store_key_uuid(ScanKeyData *key, int column, StrategyNumber strategy, const pg_uuid_t *id);

#endif
