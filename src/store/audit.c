/*
 * audit.c: the trail of who did what: entries of a transaction, written when it commits.
 *
 * 1. Whoever does something that is recorded says so (wf_store_audit). The entry is kept in the transaction's memory, with who
 *    did it, from where and when, and with the subtransaction that it belongs to; it is dropped when that is rolled back.
 * 2. When the transaction is about to commit (or is prepared), after all deferred triggers and all other writes of ours, entries
 *    are written: tenant by tenant, in the order of the tenants' ids. The tenant's trail is locked, a heavyweight lock that is
 *    held until the commit is visible; then the head is read as it is now, the entries are numbered on from it and chained
 *    (audit_chain.c), and the head is moved on. Nobody waits for another lock of ours while having this one, and all take them
 *    in one order: there is no deadlock. A number is used by a transaction that commits, or by none: there are no gaps.
 * 3. An error there aborts the transaction: what can not be recorded is not done.
 * 4. A head that is missing, or whose MAC does not hold, has been changed by somebody beside us. The trail goes on, as nobody's
 *    work is to stop over it, but first an entry says so (audit.tampered), which each verification reports from then on. When
 *    the key is another one than before, or the first, or there is none any more, an entry says that (audit.key).
 *
 * Rows are written by direct.c, without a statement: so wf_engine itself needs no right to write the tables, and their triggers
 * can refuse UPDATE, DELETE and TRUNCATE to everybody.
 *
 * Why not write entries at once, or give numbers by a sequence: a lock from the deed to the commit would make everybody in the
 * tenant wait for the slowest transaction and meet the locks of rows in any order; a sequence has gaps after each rollback.
 * The price is that commits with entries of one tenant happen one after another; that they wait for the disk together is what
 * audit_flush.c is for.
 */
#include "postgres.h"

#include <stdarg.h>

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/json.h"
#include "catalog/indexing.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/audit_columns.h"
#include "store/direct.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define MOST_PENDING 1000000
#define MOST_BYTES (INT64CONST(1) << 30)

typedef struct Pending
{
	SubTransactionId subxact;
	Oid			table;			/* wf.audit, as it was then: the extension may be dropped before the end */
	Size		bytes;			/* at `memory` */
	char	   *memory;			/* what the row points at */
	WfAuditRow	row;
} Pending;

/* In a context below TopTransactionContext; NULL: there are none. */
static MemoryContext memory = NULL;
static Pending *pending = NULL;
static int	n_pending = 0;
static int	pending_size = 0;
static int64 pending_bytes = 0;

/* -- noting -- */

static void
forget(void)
{
	memory = NULL;
	pending = NULL;
	n_pending = 0;
	pending_size = 0;
	pending_bytes = 0;
}

static Pending *
next_place(void)
{
	if (n_pending >= MOST_PENDING || pending_bytes > MOST_BYTES)
		ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
						errmsg("too many actions that are recorded in the audit trail in one transaction"),
						errhint("Commit in between.")));
	if (memory == NULL)
		memory = AllocSetContextCreate(TopTransactionContext, "workflow audit", ALLOCSET_DEFAULT_SIZES);
	if (pending == NULL)
	{
		pending_size = 4;
		pending = MemoryContextAlloc(memory, sizeof(Pending) * pending_size);
	}
	else if (n_pending == pending_size)
	{
		pending = repalloc_huge(pending, sizeof(Pending) * pending_size * 2);
		pending_size *= 2;
	}
	return &pending[n_pending];
}

static Size
text_bytes(const char *text)
{
	return text == NULL ? 0 : strlen(text) + 1;
}

static Size
jsonb_bytes(const Jsonb *json)
{
	return json == NULL ? 0 : MAXALIGN(VARSIZE(json));
}

static const char *
move_text(char **room, const char *text)
{
	char	   *copy = *room;

	if (text == NULL)
		return NULL;
	memcpy(copy, text, strlen(text) + 1);
	*room += strlen(text) + 1;
	return copy;
}

static const Jsonb *
move_jsonb(char **room, const Jsonb *json)
{
	char	   *copy = *room;

	if (json == NULL)
		return NULL;
	memcpy(copy, json, VARSIZE(json));
	*room += MAXALIGN(VARSIZE(json));
	return (const Jsonb *) copy;
}

/* Copies all that the row points at into one piece of memory. */
static void
move_in(Pending *entry)
{
	WfAuditRow *row = &entry->row;
	const char **texts[] = {&row->action, &row->actor, &row->session_role, &row->client_address, &row->application_name,
	&row->object_type, &row->object_name};
	char	   *room;

	entry->bytes = jsonb_bytes(row->before) + jsonb_bytes(row->after);
	for (int i = 0; i < lengthof(texts); i++)
		entry->bytes += text_bytes(*texts[i]);
	entry->memory = room = MemoryContextAllocHuge(memory, entry->bytes);
	row->before = move_jsonb(&room, row->before);
	row->after = move_jsonb(&room, row->after);
	for (int i = 0; i < lengthof(texts); i++)
		*texts[i] = move_text(&room, *texts[i]);
}

/* The numeric address of the client; NULL: it is on this machine, or there is none. The same as long as the process lives. */
static const char *
client_address(void)
{
	static char address[64] = "";
	static bool known = false;
	LOCAL_FCINFO(call, 0);

	if (!known)
	{
		Datum		inet;

		InitFunctionCallInfoData(*call, NULL, 0, InvalidOid, NULL, NULL);
		inet = inet_client_addr(call);
		if (!call->isnull)
			strlcpy(address, DatumGetCString(DirectFunctionCall1(inet_out, inet)), sizeof(address));
		known = true;
	}
	return address[0] == '\0' ? NULL : address;
}

static const char *
role_name(Oid role)
{
	char	   *name = GetUserNameFromId(role, true);

	return name != NULL ? name : psprintf("%u", role);
}

void
wf_store_audit(const pg_uuid_t *tenant_id, const WfAudit *entry)
{
	Pending    *place = next_place();
	WfAuditRow *row = &place->row;

	memset(place, 0, sizeof(*place));
	place->subxact = GetCurrentSubTransactionId();
	place->table = wf_store_table("audit");
	row->tenant_id = *tenant_id;
	row->at = wf_clock_now();
	row->action = entry->action;
	row->actor = entry->actor != NULL ? entry->actor : role_name(GetUserId());
	row->session_role = role_name(GetSessionUserId());
	row->client_address = client_address();
	row->application_name = application_name != NULL && application_name[0] != '\0' ? application_name : NULL;
	row->object_type = entry->object_type;
	row->has_object_id = entry->object_id != NULL;
	if (row->has_object_id)
		row->object_id = *entry->object_id;
	row->object_name = entry->object_name;
	row->before = entry->before;
	row->after = entry->after;
	row->has_digest = entry->digest != NULL;
	if (row->has_digest)
		memcpy(row->digest, entry->digest, sizeof(row->digest));
	move_in(place);
	pending_bytes += place->bytes;
	n_pending++;
}

void
wf_store_audit_name(const pg_uuid_t *tenant_id, const char *action, const char *object_type, const char *name)
{
	wf_store_audit(tenant_id, &(WfAudit) {.action = action, .object_type = object_type, .object_name = name});
}

Jsonb *
wf_store_audit_facts(const char *key,...)
{
	WfJsonWriter *w = wf_json_writer_begin();
	bool		any = false;
	Jsonb	   *facts;
	va_list		rest;

	wf_json_begin_object(w);
	va_start(rest, key);
	for (; key != NULL; key = va_arg(rest, const char *))
	{
		const char *value = va_arg(rest, const char *);

		if (value == NULL)
			continue;
		wf_json_put_field_cstring(w, key, value);
		any = true;
	}
	va_end(rest);
	wf_json_end_object(w);
	facts = wf_json_finish(w);
	return any ? facts : NULL;
}

/* -- writing -- */

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
		append_remark(trail, first, "audit.tampered", wf_store_audit_facts("problem", problem, NULL));
	if (found && trail->head.last_seq > 0 && key_before != trail->key.key_id)
		remark_key(trail, first, key_before, is_checked && mac_problem == NULL);
}

/* Entries first to last - 1 of the list are those of a tenant. */
static void
write_tenant(WfInsert *insert, Pending **list, int first, int last)
{
	const pg_uuid_t *tenant_id = &list[first]->row.tenant_id;
	StringInfoData text;
	Trail		trail = {.insert = insert, .text = &text};
	ItemPointerData tid;
	bool		found;

	initStringInfo(&text);
	(void) wf_audit_lock(tenant_id, false);
	found = wf_audit_find_head(tenant_id, SnapshotSelf, &trail.head, &tid);
	wf_audit_key(tenant_id, &trail.key);
	remark(&trail, &list[first]->row, found);
	for (int i = first; i < last; i++)
		append(&trail, &list[i]->row);
	wf_audit_seal_head(&trail.head, &trail.key);
	explicit_bzero(&trail.key, sizeof(trail.key));
	wf_audit_put_head(&trail.head, found ? &tid : NULL);
}

static int
by_tenant(const void *a, const void *b)
{
	const Pending *one = *(Pending *const *) a;
	const Pending *other = *(Pending *const *) b;
	int			order = memcmp(&one->row.tenant_id, &other->row.tenant_id, UUID_LEN);

	/* they are in one array, in the order in which they were noted */
	return order != 0 ? order : one < other ? -1 : one > other ? 1 : 0;
}

/* Entries whose table is there still, in order. */
static Pending **
sorted(int *n)
{
	Pending   **list = MemoryContextAllocHuge(memory, sizeof(Pending *) * n_pending);
	Oid			known = InvalidOid;
	bool		is_there = false;

	*n = 0;
	for (int i = 0; i < n_pending; i++)
	{
		if (pending[i].table != known)
		{
			known = pending[i].table;
			is_there = SearchSysCacheExists1(RELOID, ObjectIdGetDatum(known));
		}
		if (is_there)
			list[(*n)++] = &pending[i];
	}
	qsort(list, *n, sizeof(Pending *), by_tenant);
	return list;
}

/* False: there was nothing to write. */
static bool
write_all(void)
{
	MemoryContext work = AllocSetContextCreate(TopTransactionContext, "workflow audit writing", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	MemoryContext noted = memory;
	int			n;
	Pending   **list = sorted(&n);
	bool		has_snapshot = ActiveSnapshotSet();

	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());	/* for what is toasted */
	if (n > 0)
	{
		WfInsert   *insert = wf_store_insert_begin(wf_store_table("audit"));

		for (int first = 0, last; first < n; first = last)
		{
			last = first + 1;
			while (last < n && memcmp(&list[last]->row.tenant_id, &list[first]->row.tenant_id, UUID_LEN) == 0)
				last++;
			write_tenant(insert, list, first, last);
		}
		wf_store_insert_end(insert);
		WF_FAULT("audit.written");
	}
	if (!has_snapshot)
		PopActiveSnapshot();
	MemoryContextSwitchTo(old);
	forget();
	MemoryContextDelete(noted);
	MemoryContextDelete(work);
	return n > 0;
}

/* -- ends of transactions -- */

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
			if (n_pending > 0 && write_all())
				wf_audit_flush_later();
			break;
		case XACT_EVENT_PRE_PREPARE:
			if (n_pending > 0)
				(void) write_all();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			forget();
			break;
		default:
			break;
	}
}

/* Subtransactions have rising ids: those at the end of the list, of this one or later, are its own and its children's. */
static void
at_subtransaction_end(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		for (int i = n_pending - 1; i >= 0 && pending[i].subxact >= mine; i--)
			pending[i].subxact = parent;
		return;
	}
	if (event != SUBXACT_EVENT_ABORT_SUB)
		return;
	while (n_pending > 0 && pending[n_pending - 1].subxact >= mine)
	{
		n_pending--;
		pending_bytes -= pending[n_pending].bytes;
		pfree(pending[n_pending].memory);
	}
}

void
wf_store_audit_init(void)
{
	wf_audit_flush_init();
	RegisterXactCallback(at_transaction_end, NULL);
	RegisterSubXactCallback(at_subtransaction_end, NULL);
}
