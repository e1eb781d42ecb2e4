/*
 * audit_read.c: rows of the trail, read by its primary key without a plan.
 *
 * Who writes reads the head with SnapshotSelf, which has what is committed by now whatever the transaction's isolation level, and
 * leaves no predicate lock. Who checks reads all with one snapshot: head and entries commit together. A row that somebody made
 * by hand may lack what ours have; it is read as best it can be, and does not verify.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/compat.h"
#include "executor/tuptable.h"
#include "store/audit.h"
#include "store/audit_columns.h"
#include "store/direct.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

struct WfAuditScan
{
	MemoryContext memory;		/* where the index keeps what it needs until the scan ends */
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
};

/* -- values -- */

static Datum
column_of(TupleTableSlot *slot, int column, bool *is_null)
{
	return slot_getattr(slot, column + 1, is_null);
}

static const char *
text_of(TupleTableSlot *slot, int column)
{
	bool		is_null;
	Datum		value = column_of(slot, column, &is_null);

	return is_null ? NULL : TextDatumGetCString(value);
}

static const Jsonb *
jsonb_of(TupleTableSlot *slot, int column)
{
	bool		is_null;
	Datum		value = column_of(slot, column, &is_null);

	return is_null ? NULL : DatumGetJsonbP(value);
}

static int64
int64_of(TupleTableSlot *slot, int column)
{
	bool		is_null;
	Datum		value = column_of(slot, column, &is_null);

	return is_null ? 0 : DatumGetInt64(value);
}

static int32
int32_of(TupleTableSlot *slot, int column)
{
	bool		is_null;
	Datum		value = column_of(slot, column, &is_null);

	return is_null ? 0 : DatumGetInt32(value);
}

/* A hash; false, with zeros, when the column is null or has not as many bytes. */
static bool
hash_of(TupleTableSlot *slot, int column, uint8 *out)
{
	bool		is_null;
	Datum		value = column_of(slot, column, &is_null);
	bytea	   *bytes = is_null ? NULL : DatumGetByteaPP(value);

	memset(out, 0, WF_CRYPT_HASH_BYTES);
	if (bytes == NULL || VARSIZE_ANY_EXHDR(bytes) != WF_CRYPT_HASH_BYTES)
		return false;
	memcpy(out, VARDATA_ANY(bytes), WF_CRYPT_HASH_BYTES);
	return true;
}

static void
uuid_key(ScanKeyData *key, int column, const pg_uuid_t *id)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_UUID_EQ, UUIDPGetDatum(id));
}

/* -- heads -- */

static void
read_head(TupleTableSlot *slot, WfAuditHead *head)
{
	head->first_seq = int64_of(slot, HEAD_FIRST_SEQ);
	(void) hash_of(slot, HEAD_ANCHOR, head->anchor);
	head->last_seq = int64_of(slot, HEAD_LAST_SEQ);
	(void) hash_of(slot, HEAD_HASH, head->hash);
	head->at = int64_of(slot, HEAD_AT);
	head->key_id = int32_of(slot, HEAD_KEY_ID);
	head->has_mac = hash_of(slot, HEAD_MAC, head->mac);
}

bool
wf_audit_find_head(const pg_uuid_t *tenant_id, Snapshot snapshot, WfAuditHead *head, ItemPointer tid)
{
	Relation	heap = table_open(wf_store_table("audit_head"), AccessShareLock);
	Relation	index = index_open(wf_store_table("audit_head_pkey"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(heap, NULL);
	IndexScanDesc scan = wf_compat_index_scan(heap, index, snapshot, 1);
	ScanKeyData key;
	bool		found;

	memset(head, 0, sizeof(*head));
	head->tenant_id = *tenant_id;
	uuid_key(&key, 1, tenant_id);
	index_rescan(scan, &key, 1, NULL, 0);
	/* from behind: while somebody's old snapshot keeps what was updated, the newest comes last */
	found = index_getnext_slot(scan, BackwardScanDirection, slot);
	if (found)
	{
		read_head(slot, head);
		if (tid != NULL)
			*tid = slot->tts_tid;
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	table_close(heap, NoLock);
	return found;
}

/* -- entries -- */

static WfAuditScan *
begin(const char *index, ScanKeyData *keys, int n_keys, Snapshot snapshot)
{
	WfAuditScan *scan = palloc(sizeof(WfAuditScan));

	scan->memory = CurrentMemoryContext;
	scan->heap = table_open(wf_store_table("audit"), AccessShareLock);
	scan->index = index_open(wf_store_table(index), AccessShareLock);
	scan->slot = table_slot_create(scan->heap, NULL);
	scan->scan = wf_compat_index_scan(scan->heap, scan->index, snapshot, n_keys);
	index_rescan(scan->scan, keys, n_keys, NULL, 0);
	return scan;
}

WfAuditScan *
wf_audit_scan_begin(const pg_uuid_t *tenant_id, int64 from_seq, Snapshot snapshot)
{
	ScanKeyData keys[2];

	uuid_key(&keys[0], 1, tenant_id);
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_INT8GE, Int64GetDatum(from_seq));
	return begin("audit_pkey", keys, 2, snapshot);
}

WfAuditScan *
wf_audit_scan_begin_of(const pg_uuid_t *tenant_id, const pg_uuid_t *object_id, Snapshot snapshot)
{
	ScanKeyData keys[2];

	uuid_key(&keys[0], 1, tenant_id);
	uuid_key(&keys[1], 2, object_id);
	return begin("audit_object", keys, 2, snapshot);
}

static const char *
or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

static void
read_row(TupleTableSlot *slot, WfAuditRow *row)
{
	bool		is_null;
	Datum		value;

	memset(row, 0, sizeof(*row));
	value = column_of(slot, AUDIT_TENANT_ID, &is_null);
	if (!is_null)
		row->tenant_id = *DatumGetUUIDP(value);
	row->seq = int64_of(slot, AUDIT_SEQ);
	row->at = int64_of(slot, AUDIT_AT);
	row->action = or_empty(text_of(slot, AUDIT_ACTION));
	row->actor = or_empty(text_of(slot, AUDIT_ACTOR));
	row->session_role = or_empty(text_of(slot, AUDIT_SESSION_ROLE));
	row->client_address = text_of(slot, AUDIT_CLIENT_ADDRESS);
	row->application_name = text_of(slot, AUDIT_APPLICATION_NAME);
	row->object_type = text_of(slot, AUDIT_OBJECT_TYPE);
	value = column_of(slot, AUDIT_OBJECT_ID, &is_null);
	row->has_object_id = !is_null;
	if (!is_null)
		row->object_id = *DatumGetUUIDP(value);
	row->object_name = text_of(slot, AUDIT_OBJECT_NAME);
	row->before = jsonb_of(slot, AUDIT_BEFORE);
	row->after = jsonb_of(slot, AUDIT_AFTER);
	row->has_digest = hash_of(slot, AUDIT_DIGEST, row->digest);
	(void) hash_of(slot, AUDIT_PREV, row->prev);
	(void) hash_of(slot, AUDIT_HASH, row->hash);
	row->key_id = int32_of(slot, AUDIT_KEY_ID);
	row->has_mac = hash_of(slot, AUDIT_MAC, row->mac);
}

bool
wf_audit_scan_next(WfAuditScan *scan, WfAuditRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(scan->memory);
	bool		found = index_getnext_slot(scan->scan, ForwardScanDirection, scan->slot);

	MemoryContextSwitchTo(old);
	if (found)
		read_row(scan->slot, row);
	return found;
}

const ItemPointerData *
wf_audit_scan_tid(const WfAuditScan *scan)
{
	return &scan->slot->tts_tid;
}

void
wf_audit_scan_end(WfAuditScan *scan)
{
	index_endscan(scan->scan);
	ExecDropSingleTupleTableSlot(scan->slot);
	index_close(scan->index, NoLock);
	table_close(scan->heap, NoLock);
	pfree(scan);
}

void
wf_audit_last(const pg_uuid_t *tenant_id, Snapshot snapshot, WfAuditRow *row)
{
	ScanKeyData key;
	WfAuditScan *scan;

	memset(row, 0, sizeof(*row));
	uuid_key(&key, 1, tenant_id);
	scan = begin("audit_pkey", &key, 1, snapshot);
	if (index_getnext_slot(scan->scan, BackwardScanDirection, scan->slot))
	{
		row->seq = int64_of(scan->slot, AUDIT_SEQ);
		(void) hash_of(scan->slot, AUDIT_HASH, row->hash);
		row->key_id = int32_of(scan->slot, AUDIT_KEY_ID);
	}
	wf_audit_scan_end(scan);
}
