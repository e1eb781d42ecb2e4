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

#include "access/xact.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/json.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "store/audit.h"
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
wf_store_audit_pairs(const char *key,...)
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

static int
by_tenant(const void *a, const void *b)
{
	const WfAuditRow *one = *(WfAuditRow *const *) a;
	const WfAuditRow *other = *(WfAuditRow *const *) b;
	int			order = memcmp(&one->tenant_id, &other->tenant_id, UUID_LEN);

	/* they are in one array, in the order in which they were noted */
	return order != 0 ? order : one < other ? -1 : one > other ? 1 : 0;
}

/* Entries whose table is there still, in order. */
static WfAuditRow **
sorted(int *n)
{
	WfAuditRow **list = MemoryContextAllocHuge(memory, sizeof(WfAuditRow *) * n_pending);
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
			list[(*n)++] = &pending[i].row;
	}
	qsort(list, *n, sizeof(WfAuditRow *), by_tenant);
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
	WfAuditRow **list = sorted(&n);
	bool		has_snapshot = ActiveSnapshotSet();

	if (!has_snapshot)
		PushActiveSnapshot(GetTransactionSnapshot());	/* for what is toasted */
	if (n > 0)
	{
		WfInsert   *insert = wf_store_insert_begin(wf_store_table("audit"));

		for (int first = 0, last; first < n; first = last)
		{
			last = first + 1;
			while (last < n && memcmp(&list[last]->tenant_id, &list[first]->tenant_id, UUID_LEN) == 0)
				last++;
			wf_audit_write(insert, list + first, last - first);
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
