/*
 * audit_expire.c: the end of entries: retention, and the end of a tenant.
 *
 * 1. A trail is shortened at its beginning only. The head then says which entry is the first, and what the hash of the one before
 *    it was: so the rest verifies as before, and what was removed can still be shown to belong there by whoever has an export.
 * 2. What is removed is verified first, entry by entry: retention is not to wipe out the traces of somebody who changed a trail.
 *    A trail that does not hold is left as it is, with a warning.
 * 3. Each time an entry says what was removed (audit.expire); the end of a tenant's trail is recorded in that of another tenant.
 *
 * Rows are deleted without a statement, as they are written: there is no other way, the tables' triggers refuse DELETE.
 */
#include "postgres.h"

#include "access/table.h"
#include "base/json.h"
#include "base/text.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/direct.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_MS (INT64CONST(1000) * SECS_PER_YEAR * 1000)	/* longer is for ever */

/* {"from", "to", "hash"}: which entries are gone, and the last one's hash. */
static Jsonb *
removed_facts(int64 from, int64 to, const uint8 *hash)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "from", from);
	wf_json_put_field_int64(w, "to", to);
	wf_json_put_field_cstring(w, "hash", wf_text_hex(hash, WF_CRYPT_HASH_BYTES));
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Does the first entry hold, as far as it can be told without those after it? */
static bool
holds(const WfAuditHead *head, const WfAuditRow *row)
{
	return row->seq == head->first_seq && memcmp(row->prev, head->anchor, sizeof(row->prev)) == 0 &&
		wf_store_verify_entry(row, false) == NULL;
}

/*
 * Deletes entries from the first on that are older than `before`, but not the last one, at most `most`; moves the head's
 * beginning on. False: one of them does not hold, and what is from there on was left.
 */
static bool
delete_first(WfAuditHead *head, TimestampTz before, int most, int *n)
{
	MemoryContext rows = AllocSetContextCreate(CurrentMemoryContext, "workflow audit entry", ALLOCSET_DEFAULT_SIZES);
	Relation	table = table_open(wf_store_table("audit"), RowExclusiveLock);
	WfAuditScan *scan = wf_audit_scan_begin(&head->tenant_id, PG_INT64_MIN, SnapshotSelf);
	bool		is_whole = true;

	*n = 0;
	while (*n < most && is_whole)
	{
		MemoryContext old = MemoryContextSwitchTo(rows);
		WfAuditRow	row;
		bool		is_moved;
		bool		is_due = wf_audit_scan_next(scan, &row) && row.at < before && row.seq < head->last_seq;

		CHECK_FOR_INTERRUPTS();
		is_whole = !is_due || holds(head, &row);
		MemoryContextSwitchTo(old);
		if (!is_due)
			break;
		if (is_whole)
		{
			if (!wf_store_delete_tid(table, wf_audit_scan_tid(scan), &is_moved))
				elog(ERROR, "could not delete an entry of the audit trail");
			head->first_seq = row.seq + 1;
			memcpy(head->anchor, row.hash, sizeof(head->anchor));
			(*n)++;
		}
		MemoryContextReset(rows);
	}
	wf_audit_scan_end(scan);
	table_close(table, NoLock);
	MemoryContextDelete(rows);
	return is_whole;
}

/* -- retention -- */

/* Shortens one trail; how many entries went. One that is being written, or whose head is not in order, is left. */
static int
expire_tenant(const pg_uuid_t *tenant_id, TimestampTz before, int most)
{
	WfAuditHead head;
	WfAuditKey	key;
	ItemPointerData tid;
	int64		from;
	int			n = 0;

	if (!wf_audit_lock(tenant_id, true) || !wf_audit_find_head(tenant_id, SnapshotSelf, &head, &tid))
		return 0;
	from = head.first_seq;
	wf_audit_key(tenant_id, &key);
	/* of another key than ours: the next entry that is written changes that */
	if (head.key_id == key.key_id &&
		((key.key_id != 0 && !wf_audit_head_mac_holds(&head, &key)) || !delete_first(&head, before, most, &n)))
		ereport(WARNING, (errcode(ERRCODE_DATA_CORRUPTED),
						  errmsg("an audit trail does not hold, and is not shortened"),
						  errhint("wf_verify_audit() tells what is wrong with it.")));
	if (n > 0)
	{
		wf_audit_seal_head(&head, &key);
		wf_audit_put_head(&head, &tid);
		wf_store_audit(tenant_id, &(WfAudit) {.action = "audit.expire", .object_type = "audit",
					   .before = removed_facts(from, head.first_seq - 1, head.anchor)});
	}
	explicit_bzero(&key, sizeof(key));
	return n;
}

int
wf_store_expire_audit(TimestampTz now, int most)
{
	uint64		n_tenants = wf_store_execute(WF_SQL_AUDIT_RETENTIONS, NULL, NULL);
	pg_uuid_t  *tenants = palloc(sizeof(pg_uuid_t) * Max(n_tenants, 1));
	char	  **texts = palloc(sizeof(char *) * Max(n_tenants, 1));
	int			n = 0;

	for (uint64 i = 0; i < n_tenants; i++)
	{
		wf_store_uuid(i, 1, &tenants[i]);
		texts[i] = wf_store_text(i, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	for (uint64 i = 0; i < n_tenants && n < most; i++)
	{
		int64		ms;

		/* what is no duration, or zero, keeps all */
		if (texts[i] != NULL && wf_text_duration_ms(texts[i], &ms) && ms > 0 && ms < MOST_MS)
			n += expire_tenant(&tenants[i], now - ms * 1000, most - n);
	}
	return n;
}

/* -- the end of a tenant -- */

static void
delete_head(const ItemPointerData *tid)
{
	Relation	relation = table_open(wf_store_table("audit_head"), RowExclusiveLock);
	ItemPointerData where = *tid;

	CatalogTupleDelete(relation, &where);
	table_close(relation, NoLock);
}

int
wf_store_drop_audit(const pg_uuid_t *tenant_id, const char *name, const pg_uuid_t *recorded_in, int most)
{
	Relation	table = table_open(wf_store_table("audit"), RowExclusiveLock);
	WfAuditHead head;
	WfAuditScan *scan;
	WfAuditRow	row;
	ItemPointerData tid;
	bool		is_moved;
	bool		found;
	int			n = 0;

	(void) wf_audit_lock(tenant_id, false);
	found = wf_audit_find_head(tenant_id, SnapshotSelf, &head, &tid);
	scan = wf_audit_scan_begin(tenant_id, PG_INT64_MIN, SnapshotSelf);
	for (; n < most && wf_audit_scan_next(scan, &row); n++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!wf_store_delete_tid(table, wf_audit_scan_tid(scan), &is_moved))
			elog(ERROR, "could not delete an entry of the audit trail");
	}
	wf_audit_scan_end(scan);
	table_close(table, NoLock);
	if (n > 0 || !found)
		return n;
	delete_head(&tid);
	CommandCounterIncrement();
	if (recorded_in != NULL)
		wf_store_audit(recorded_in, &(WfAudit) {.action = "audit.drop", .object_type = "tenant", .object_id = tenant_id,
					   .object_name = name, .before = removed_facts(head.first_seq, head.last_seq, head.hash)});
	return 0;
}
