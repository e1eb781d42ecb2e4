/*
 * audit_write.c: entries of one tenant, numbered, chained, and written; the head moved on.
 *
 * Rows and heads go into the tables without a statement, beneath rights, policies and triggers. Who calls has the trail's lock, or
 * gets it here, and keeps it until the transaction ends.
 *
 * Before the first entry is added the trail is looked at: its head by the MAC, its last entry by the head. That costs two
 * look-ups, and sees to it that nobody's change becomes part of the chain unsaid.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/compat.h"
#include "base/json.h"
#include "catalog/indexing.h"
#include "lib/stringinfo.h"
#include "store/audit.h"
#include "store/audit_columns.h"
#include "store/direct.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

bool
wf_audit_lock(const pg_uuid_t *tenant_id, bool dont_wait)
{
	uint64		hash = wf_store_hash(0, tenant_id->data, UUID_LEN);

	return wf_store_lock_thing(wf_store_table("audit_head"), hash, dont_wait) != WF_HOLD_NOT;
}

static Datum
bytea_value(const uint8 *bytes, bool is_there, bool *is_null)
{
	bytea	   *value;

	*is_null = !is_there;
	if (!is_there)
		return (Datum) 0;
	value = palloc(VARHDRSZ + WF_CRYPT_HASH_BYTES);
	SET_VARSIZE(value, VARHDRSZ + WF_CRYPT_HASH_BYTES);
	memcpy(VARDATA(value), bytes, WF_CRYPT_HASH_BYTES);
	return PointerGetDatum(value);
}

static void
put_row(WfInsert *insert, const WfAuditRow *row)
{
	Datum		values[AUDIT_COLUMNS] = {0};
	bool		nulls[AUDIT_COLUMNS] = {0};

	values[AUDIT_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[AUDIT_SEQ] = Int64GetDatum(row->seq);
	values[AUDIT_AT] = TimestampTzGetDatum(row->at);
	values[AUDIT_ACTION] = CStringGetTextDatum(row->action);
	values[AUDIT_ACTOR] = CStringGetTextDatum(row->actor);
	values[AUDIT_SESSION_ROLE] = CStringGetTextDatum(row->session_role);
	values[AUDIT_CLIENT_ADDRESS] = wf_store_text_value(row->client_address, &nulls[AUDIT_CLIENT_ADDRESS]);
	values[AUDIT_APPLICATION_NAME] = wf_store_text_value(row->application_name, &nulls[AUDIT_APPLICATION_NAME]);
	values[AUDIT_OBJECT_TYPE] = wf_store_text_value(row->object_type, &nulls[AUDIT_OBJECT_TYPE]);
	values[AUDIT_OBJECT_ID] = UUIDPGetDatum(&row->object_id);
	nulls[AUDIT_OBJECT_ID] = !row->has_object_id;
	values[AUDIT_OBJECT_NAME] = wf_store_text_value(row->object_name, &nulls[AUDIT_OBJECT_NAME]);
	values[AUDIT_BEFORE] = wf_store_jsonb_value(row->before, &nulls[AUDIT_BEFORE]);
	values[AUDIT_AFTER] = wf_store_jsonb_value(row->after, &nulls[AUDIT_AFTER]);
	values[AUDIT_DIGEST] = bytea_value(row->digest, row->has_digest, &nulls[AUDIT_DIGEST]);
	values[AUDIT_PREV] = bytea_value(row->prev, true, &nulls[AUDIT_PREV]);
	values[AUDIT_HASH] = bytea_value(row->hash, true, &nulls[AUDIT_HASH]);
	values[AUDIT_KEY_ID] = Int32GetDatum(row->key_id);
	values[AUDIT_MAC] = bytea_value(row->mac, row->has_mac, &nulls[AUDIT_MAC]);
	wf_store_insert_put(insert, values, nulls);
}

void
wf_audit_put_head(const WfAuditHead *head, const ItemPointerData *tid)
{
	Relation	relation = table_open(wf_store_table("audit_head"), RowExclusiveLock);
	Datum		values[HEAD_COLUMNS] = {0};
	bool		nulls[HEAD_COLUMNS] = {0};
	ItemPointerData where;
	HeapTuple	tuple;

	values[HEAD_TENANT_ID] = UUIDPGetDatum(&head->tenant_id);
	values[HEAD_FIRST_SEQ] = Int64GetDatum(head->first_seq);
	values[HEAD_ANCHOR] = bytea_value(head->anchor, true, &nulls[HEAD_ANCHOR]);
	values[HEAD_LAST_SEQ] = Int64GetDatum(head->last_seq);
	values[HEAD_HASH] = bytea_value(head->hash, true, &nulls[HEAD_HASH]);
	values[HEAD_AT] = TimestampTzGetDatum(head->at);
	values[HEAD_KEY_ID] = Int32GetDatum(head->key_id);
	values[HEAD_MAC] = bytea_value(head->mac, head->has_mac, &nulls[HEAD_MAC]);
	tuple = heap_form_tuple(RelationGetDescr(relation), values, nulls);
	if (tid == NULL)
		CatalogTupleInsert(relation, tuple);
	else
	{
		where = *tid;
		CatalogTupleUpdate(relation, &where, tuple);
	}
	heap_freetuple(tuple);
	table_close(relation, NoLock);
	CommandCounterIncrement();
}

/* One tenant's trail while it is being written. */
typedef struct Trail
{
	WfAuditHead head;
	WfAuditKey	key;
	WfInsert   *insert;
	StringInfo	text;
} Trail;

static void
append(Trail *trail, WfAuditRow *row)
{
	WfAuditHead *head = &trail->head;

	row->seq = head->last_seq + 1;
	memcpy(row->prev, head->hash, sizeof(row->prev));
	wf_audit_seal_row(row, &trail->key, trail->text);
	put_row(trail->insert, row);
	head->last_seq = row->seq;
	memcpy(head->hash, row->hash, sizeof(head->hash));
	head->at = row->at;
}

/* An entry of ours about the trail itself, by whoever writes `first`. */
static void
append_remark(Trail *trail, const WfAuditRow *first, const char *action, const Jsonb *after)
{
	WfAuditRow	row = {.tenant_id = first->tenant_id, .at = first->at, .action = action, .actor = first->actor,
		.session_role = first->session_role, .client_address = first->client_address,
	.application_name = first->application_name, .object_type = "audit", .after = after};

	append(trail, &row);
}

/*
 * Compares the head with the last entry; what is wrong, or NULL. Entries that are not ours are numbered past: they stay for who
 * verifies, and stop nobody.
 */
static const char *
compare_last(WfAuditHead *head, bool found)
{
	WfAuditRow	last;
	bool		is_same;

	wf_audit_last(&head->tenant_id, SnapshotSelf, &last);
	is_same = last.seq == head->last_seq &&
		(last.seq == 0 || (memcmp(last.hash, head->hash, sizeof(last.hash)) == 0 && (!found || last.key_id == head->key_id)));
	if (!found)
		head->first_seq = 1;
	if (last.seq > head->last_seq)
	{
		head->last_seq = last.seq;
		memcpy(head->hash, last.hash, sizeof(head->hash));
	}
	if (is_same)
		return NULL;
	return found ? "the last entry was not the one that the head names" : "the head was missing";
}

/* Says that there is another key, or that there is one now, or none any more. */
static void
remark_key(Trail *trail, const WfAuditRow *first, int32 before, bool is_checked)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_int64(w, "before", before);
	wf_json_put_field_int64(w, "after", trail->key.key_id);
	wf_json_put_field_bool(w, "checked", is_checked);
	wf_json_end_object(w);
	append_remark(trail, first, "audit.key", wf_json_finish(w));
}

/* Says what is to be said of the trail before the first entry is added: that it was tampered with, that there is another key. */
static void
remark(Trail *trail, const WfAuditRow *first, bool found)
{
	const int32 key_before = trail->head.key_id;
	const char *problem;
	const char *mac_problem = NULL;
	WfAuditKey	other;
	bool		is_checked = found && key_before != 0;

	if (is_checked && key_before != trail->key.key_id)
		is_checked = wf_audit_key_of(&trail->head.tenant_id, key_before, &other);
	else
		other = trail->key;
	if (is_checked && !wf_audit_head_mac_holds(&trail->head, &other))
		mac_problem = "the MAC of the head did not hold";
	explicit_bzero(&other, sizeof(other));
	problem = compare_last(&trail->head, found);
	if (mac_problem != NULL)
		problem = mac_problem;
	if (problem != NULL)
		append_remark(trail, first, "audit.tampered", wf_store_audit_facts("problem", problem));
	if (found && trail->head.last_seq > 0 && key_before != trail->key.key_id)
		remark_key(trail, first, key_before, is_checked && mac_problem == NULL);
}

void
wf_audit_write(WfInsert *insert, WfAuditRow *const *rows, int n)
{
	const pg_uuid_t *tenant_id = &rows[0]->tenant_id;
	StringInfoData text;
	Trail		trail = {.insert = insert, .text = &text};
	ItemPointerData tid;
	bool		found;

	initStringInfo(&text);
	(void) wf_audit_lock(tenant_id, false);
	found = wf_audit_find_head(tenant_id, SnapshotSelf, &trail.head, &tid);
	wf_audit_key(tenant_id, &trail.key);
	remark(&trail, rows[0], found);
	for (int i = 0; i < n; i++)
		append(&trail, rows[i]);
	wf_audit_seal_head(&trail.head, &trail.key);
	explicit_bzero(&trail.key, sizeof(trail.key));
	wf_audit_put_head(&trail.head, found ? &tid : NULL);
}
