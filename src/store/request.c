/*
 * request.c: the outbox of requests (wf.request), and their history (wf.request_log).
 *
 * 1. A run inserts a row and withdraws it; the dispatcher, of which there is one a database, does all the rest: it records
 *    that attempts begin (wf.sending, a row for many), and in a later transaction what came of them. In between no
 *    transaction is open.
 * 2. Rows are found by lanes: the index (lane, due_at, request_id) gives, for each lane, what has been due longest; from one
 *    lane to the next it is one descent, however many rows are between. So what a lane may not send now is not looked at.
 * 3. A row that is being sent stays as it is; the dispatcher knows which these are, and passes over them.
 * 4. After a crash nobody knows of what was being sent, and it is sent again: such rows are like others. What wf.sending has left is
 *    marked (cut_short), and counts as an attempt of each of its requests until that is tried again at a later time.
 */
#include "postgres.h"

#include "access/xact.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/wake.h"
#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/queue.h"
#include "store/request.h"
#include "store/statements.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_TAKEN_BYTES (64 * 1024 * 1024)	/* in one go */
#define LOCKED_US (10 * INT64CONST(1000))	/* until what somebody has locked is looked at again; rarer the longer it lasts */
#define MOST_LOCKED_US USECS_PER_SEC

/* Columns of wf.request, in the table's order. */
enum
{
	REQUEST_TENANT_ID,
	REQUEST_RUN_ID,
	REQUEST_STEP,
	REQUEST_REQUEST_ID,
	REQUEST_LANE,
	REQUEST_DUE_AT,
	REQUEST_ROLE,
	REQUEST_PRIORITY,
	REQUEST_WORKFLOW_ID,
	REQUEST_NODE,
	REQUEST_METHOD,
	REQUEST_HOST,
	REQUEST_PATH,
	REQUEST_FORGET,
	REQUEST_CREATED_AT,
	REQUEST_ATTEMPTS,
	REQUEST_FAILURES,
	REQUEST_DURATION_MS,
	REQUEST_ERROR,
	REQUEST_TRACE,
	REQUEST_REQUEST,
	REQUEST_COLUMNS
};

/* Columns of wf.request_log. */
enum
{
	LOG_TENANT_ID,
	LOG_RUN_ID,
	LOG_REQUEST_ID,
	LOG_STEP,
	LOG_WORKFLOW_ID,
	LOG_NODE,
	LOG_METHOD,
	LOG_HOST,
	LOG_PATH,
	LOG_STATE,
	LOG_STATUS,
	LOG_ATTEMPTS,
	LOG_CREATED_AT,
	LOG_ENDED_AT,
	LOG_DNS_MS,
	LOG_CONNECT_MS,
	LOG_TLS_MS,
	LOG_FIRST_BYTE_MS,
	LOG_TOTAL_MS,
	LOG_ERROR,
	LOG_BODIES,
	LOG_COLUMNS
};

WfError    *(*wf_request_perform) (const WfRequestRow *row, Jsonb **output) = NULL;

struct WfOutbox
{
	WfWalk		walk;
};

/* -- runs -- */

void
wf_store_insert_request(const WfRequestRow *row)
{
	Datum		values[REQUEST_COLUMNS];
	bool		nulls[REQUEST_COLUMNS] = {0};

	values[REQUEST_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[REQUEST_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[REQUEST_STEP] = Int32GetDatum(row->step);
	values[REQUEST_REQUEST_ID] = UUIDPGetDatum(&row->request_id);
	values[REQUEST_LANE] = CStringGetTextDatum(row->lane);
	values[REQUEST_DUE_AT] = TimestampTzGetDatum(row->due_at);
	values[REQUEST_ROLE] = ObjectIdGetDatum(row->role);
	values[REQUEST_PRIORITY] = Int16GetDatum(row->priority);
	values[REQUEST_WORKFLOW_ID] = UUIDPGetDatum(&row->workflow_id);
	values[REQUEST_NODE] = CStringGetTextDatum(row->node);
	values[REQUEST_METHOD] = CStringGetTextDatum(row->method);
	values[REQUEST_HOST] = CStringGetTextDatum(row->host);
	values[REQUEST_PATH] = wf_store_text_value(row->path, &nulls[REQUEST_PATH]);
	values[REQUEST_FORGET] = BoolGetDatum(row->forget);
	values[REQUEST_CREATED_AT] = TimestampTzGetDatum(row->created_at);
	values[REQUEST_ATTEMPTS] = Int32GetDatum(0);
	values[REQUEST_FAILURES] = Int32GetDatum(0);
	values[REQUEST_DURATION_MS] = Float8GetDatum(0);
	nulls[REQUEST_ERROR] = true;
	values[REQUEST_TRACE] = wf_store_text_value(row->trace, &nulls[REQUEST_TRACE]);
	values[REQUEST_REQUEST] = JsonbPGetDatum(row->request);
	wf_store_insert_one(wf_store_table("request"), values, nulls);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_REQUESTS);
}

/* Rows by their places, which do not change while they are held. */
static Datum
tid_array(Datum *tids, int n)
{
	return PointerGetDatum(construct_array(tids, n, TIDOID, sizeof(ItemPointerData), false, TYPALIGN_SHORT));
}

/*
 * What a step (-1: any) of a run awaits, held, as places (ItemPointer Datums). False: a row has changed while we waited for it;
 * now that it is held, look again.
 */
static bool
hold_awaited(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step, List **tids)
{
	ScanKeyData keys[3];
	WfWalk		walk;
	bool		all = true;

	*tids = NIL;
	wf_store_walk_begin_in(&walk, "request", "request_pkey");
	wf_store_key_uuid(&keys[0], 1, BTEqualStrategyNumber, tenant_id);
	wf_store_key_uuid(&keys[1], 2, BTEqualStrategyNumber, run_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(step));
	wf_store_walk_from(&walk, keys, step < 0 ? 2 : 3);
	while (wf_store_walk_next(&walk))
	{
		ItemPointer tid;

		if (DatumGetBool(wf_store_walk_column(&walk, REQUEST_FORGET)))
			continue;
		if (!wf_store_walk_hold_by(&walk, REQUEST_REQUEST_ID, true, false))
		{
			all = false;
			continue;
		}
		tid = palloc(sizeof(ItemPointerData));
		*tid = walk.slot->tts_tid;
		*tids = lappend(*tids, tid);
	}
	wf_store_walk_end(&walk);
	return all;
}

int
wf_store_drop_requests(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step)
{
	List	   *tids;
	Datum	   *list;
	Datum		values[2];
	ListCell   *cell;
	int			n = 0;

	while (!hold_awaited(tenant_id, run_id, step, &tids))
		CHECK_FOR_INTERRUPTS();
	if (tids == NIL)
		return 0;
	list = palloc(sizeof(Datum) * list_length(tids));
	foreach(cell, tids)
		list[n++] = PointerGetDatum(lfirst(cell));
	values[0] = tid_array(list, n);
	values[1] = TimestampTzGetDatum(wf_clock_now());
	/* with one snapshot a transaction, what the dispatcher has written since is held, and yet not seen by the statement */
	if (wf_store_execute(WF_SQL_CANCEL_REQUESTS, values, NULL) != n)
		ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
						errmsg("could not serialize access due to concurrent update")));
	WF_FAULT("request.dropped");
	wf_wake_dispatcher_at_commit(WF_DISPATCH_CANCELS);
	return n;
}

/* -- looking for what is due -- */

bool
wf_store_has_requests(void)
{
	bool		found;

	wf_store_execute(WF_SQL_HAS_REQUESTS, NULL, NULL);
	found = wf_store_bool(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return found;
}

WfOutbox *
wf_store_outbox_begin(void)
{
	WfOutbox   *outbox = palloc(sizeof(WfOutbox));

	wf_store_walk_begin_in(&outbox->walk, "request", "request_lane");
	return outbox;
}

void
wf_store_outbox_end(WfOutbox *outbox)
{
	wf_store_walk_end(&outbox->walk);
	pfree(outbox);
}

static void
key_text(ScanKeyData *key, StrategyNumber strategy, RegProcedure function, const char *text)
{
	ScanKeyEntryInitialize(key, 0, 1, strategy, InvalidOid, C_COLLATION_OID, function, CStringGetTextDatum(text));
}

char *
wf_store_outbox_lane(WfOutbox *outbox, const char *after)
{
	ScanKeyData key;

	key_text(&key, BTGreaterStrategyNumber, F_TEXT_GT, after);
	wf_store_walk_from(&outbox->walk, &key, 1);
	if (!wf_store_walk_next(&outbox->walk))
		return NULL;
	return TextDatumGetCString(wf_store_walk_column(&outbox->walk, REQUEST_LANE));
}

static char *
text_at(const WfWalk *walk, int column)
{
	Datum		value = wf_store_walk_column(walk, column);

	return value == (Datum) 0 ? NULL : TextDatumGetCString(value);
}

static WfRequestRow *
row_at(const WfWalk *walk)
{
	WfRequestRow *row = palloc0(sizeof(WfRequestRow));

	slot_getallattrs(walk->slot);
	row->tenant_id = *wf_store_walk_id(walk, REQUEST_TENANT_ID);
	row->run_id = *wf_store_walk_id(walk, REQUEST_RUN_ID);
	row->step = DatumGetInt32(wf_store_walk_column(walk, REQUEST_STEP));
	row->request_id = *wf_store_walk_id(walk, REQUEST_REQUEST_ID);
	row->lane = text_at(walk, REQUEST_LANE);
	row->due_at = DatumGetTimestampTz(wf_store_walk_column(walk, REQUEST_DUE_AT));
	row->role = DatumGetObjectId(wf_store_walk_column(walk, REQUEST_ROLE));
	row->priority = DatumGetInt16(wf_store_walk_column(walk, REQUEST_PRIORITY));
	row->workflow_id = *wf_store_walk_id(walk, REQUEST_WORKFLOW_ID);
	row->node = text_at(walk, REQUEST_NODE);
	row->method = text_at(walk, REQUEST_METHOD);
	row->host = text_at(walk, REQUEST_HOST);
	row->path = text_at(walk, REQUEST_PATH);
	row->forget = DatumGetBool(wf_store_walk_column(walk, REQUEST_FORGET));
	row->created_at = DatumGetTimestampTz(wf_store_walk_column(walk, REQUEST_CREATED_AT));
	row->attempts = DatumGetInt32(wf_store_walk_column(walk, REQUEST_ATTEMPTS));
	row->failures = DatumGetInt32(wf_store_walk_column(walk, REQUEST_FAILURES));
	row->duration_ms = DatumGetFloat8(wf_store_walk_column(walk, REQUEST_DURATION_MS));
	row->trace = text_at(walk, REQUEST_TRACE);
	row->request = (Jsonb *) PG_DETOAST_DATUM_COPY(wf_store_walk_column(walk, REQUEST_REQUEST));
	row->tid = walk->slot->tts_tid;
	return row;
}

List *
wf_store_outbox_take(WfOutbox *outbox, const char *lane, TimestampTz now, int most, Size most_bytes, WfIsInFlight is_in_flight,
					 void *arg, TimestampTz *next, TimestampTz *floor)
{
	WfWalk	   *walk = &outbox->walk;
	TimestampTz first_left = 0;
	List	   *rows = NIL;
	Size		bytes = 0;
	ScanKeyData keys[2];

	*next = 0;
	key_text(&keys[0], BTEqualStrategyNumber, F_TEXTEQ, lane);
	ScanKeyInit(&keys[1], 2, BTGreaterEqualStrategyNumber, F_TIMESTAMPTZ_GE, TimestampTzGetDatum(*floor));
	wf_store_walk_from(walk, keys, *floor == 0 ? 1 : 2);
	while (wf_store_walk_next(walk))
	{
		TimestampTz due_at = DatumGetTimestampTz(wf_store_walk_column(walk, REQUEST_DUE_AT));

		CHECK_FOR_INTERRUPTS();
		if (first_left == 0)
			*floor = due_at;
		if (is_in_flight(wf_store_walk_id(walk, REQUEST_REQUEST_ID), arg))
			continue;
		if (due_at > now || list_length(rows) >= most || bytes >= Min(most_bytes, MOST_TAKEN_BYTES))
		{
			*next = *next == 0 ? Max(due_at, now) : Min(*next, Max(due_at, now));
			break;
		}
		if (wf_store_walk_hold_by(walk, REQUEST_REQUEST_ID, false, true))
		{
			rows = lappend(rows, row_at(walk));
			bytes += VARSIZE(((WfRequestRow *) llast(rows))->request);
			continue;
		}
		if (first_left == 0)
			first_left = due_at;
		*next = now + Max(LOCKED_US, Min((now - due_at) / 8, MOST_LOCKED_US));
	}
	return rows;
}

void
wf_store_begin_attempts(const pg_uuid_t *tenant_id, const pg_uuid_t *batch_id, TimestampTz now,
						const pg_uuid_t *request_ids, int n)
{
	Datum	   *ids = palloc(sizeof(Datum) * n);
	Datum		values[5];
	bool		nulls[5] = {0};

	for (int i = 0; i < n; i++)
		ids[i] = UUIDPGetDatum(&request_ids[i]);
	values[0] = UUIDPGetDatum(tenant_id);
	values[1] = UUIDPGetDatum(batch_id);
	values[2] = TimestampTzGetDatum(now);
	values[3] = PointerGetDatum(construct_array(ids, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[4] = BoolGetDatum(false);
	wf_store_insert_one(wf_store_table("sending"), values, nulls);
}

void
wf_store_end_batch(const pg_uuid_t *tenant_id, const pg_uuid_t *batch_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(batch_id)};

	wf_store_execute(WF_SQL_END_BATCH, values, NULL);
}

List *
wf_store_cut_short(void)
{
	List	   *rows = NIL;
	uint64		n;

	wf_store_execute(WF_SQL_CUT_SHORT, NULL, NULL);
	(void) wf_store_forget_cut_short();
	n = wf_store_execute(WF_SQL_LIST_CUT_SHORT, NULL, NULL);
	for (uint64 i = 0; i < n; i++)
	{
		WfCutShortRow *row = palloc(sizeof(WfCutShortRow));

		wf_store_uuid(i, 1, &row->tenant_id);
		wf_store_uuid(i, 2, &row->request_id);
		row->due_at = wf_store_time(i, 3);
		row->n = wf_store_int(i, 4);
		rows = lappend(rows, row);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

bool
wf_store_forget_cut_short(void)
{
	bool		found;

	wf_store_execute(WF_SQL_FORGET_CUT_SHORT, NULL, NULL);
	found = wf_store_execute(WF_SQL_HAS_CUT_SHORT, NULL, NULL) > 0;
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* -- what came of attempts -- */

static Datum
ms_value(double ms, bool *is_null)
{
	*is_null = ms < 0;
	return Float4GetDatum((float4) ms);
}

/* Adds to history; *insert is into the partition *leaf, and is begun anew for another one. */
static void
log_end(const WfRequestEnd *end, WfInsert **insert, Oid *leaf)
{
	const WfRequestRow *row = end->row;
	Oid			its_leaf = wf_store_leaf("request_log", &row->run_id);
	Datum		values[LOG_COLUMNS];
	bool		nulls[LOG_COLUMNS] = {0};

	values[LOG_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[LOG_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[LOG_REQUEST_ID] = UUIDPGetDatum(&row->request_id);
	values[LOG_STEP] = Int32GetDatum(row->step);
	values[LOG_WORKFLOW_ID] = UUIDPGetDatum(&row->workflow_id);
	values[LOG_NODE] = CStringGetTextDatum(row->node);
	values[LOG_METHOD] = CStringGetTextDatum(row->method);
	values[LOG_HOST] = CStringGetTextDatum(row->host);
	values[LOG_PATH] = wf_store_text_value(row->path, &nulls[LOG_PATH]);
	values[LOG_STATE] = CStringGetTextDatum(end->state);
	values[LOG_STATUS] = Int32GetDatum(end->status);
	nulls[LOG_STATUS] = end->status == 0;
	values[LOG_ATTEMPTS] = Int32GetDatum(end->attempts);
	values[LOG_CREATED_AT] = TimestampTzGetDatum(row->created_at);
	values[LOG_ENDED_AT] = TimestampTzGetDatum(end->ended_at);
	values[LOG_DNS_MS] = ms_value(end->dns_ms, &nulls[LOG_DNS_MS]);
	values[LOG_CONNECT_MS] = ms_value(end->connect_ms, &nulls[LOG_CONNECT_MS]);
	values[LOG_TLS_MS] = ms_value(end->tls_ms, &nulls[LOG_TLS_MS]);
	values[LOG_FIRST_BYTE_MS] = ms_value(end->first_byte_ms, &nulls[LOG_FIRST_BYTE_MS]);
	values[LOG_TOTAL_MS] = ms_value(end->total_ms, &nulls[LOG_TOTAL_MS]);
	values[LOG_ERROR] = wf_store_jsonb_value(end->error, &nulls[LOG_ERROR]);
	values[LOG_BODIES] = wf_store_jsonb_value(end->bodies, &nulls[LOG_BODIES]);
	if (*insert != NULL && *leaf != its_leaf)
	{
		wf_store_insert_end(*insert);
		*insert = NULL;
	}
	if (*insert == NULL)
		*insert = wf_store_insert_begin(its_leaf);
	*leaf = its_leaf;
	wf_store_insert_put(*insert, values, nulls);
}

static void
fill_reply(const WfRequestEnd *end, WfMessage *message)
{
	memset(message, 0, sizeof(*message));
	message->tenant_id = end->row->tenant_id;
	message->run_id = end->row->run_id;
	message->role = end->row->role;
	message->priority = end->row->priority;
	message->kind = WF_MESSAGE_REPLY;
	message->step = end->row->step;
	message->payload = end->reply;
}

static void
walk_to(WfWalk *walk, const WfRequestRow *row)
{
	ScanKeyData keys[4];

	wf_store_key_uuid(&keys[0], 1, BTEqualStrategyNumber, &row->tenant_id);
	wf_store_key_uuid(&keys[1], 2, BTEqualStrategyNumber, &row->run_id);
	ScanKeyInit(&keys[2], 3, BTEqualStrategyNumber, F_INT4EQ, Int32GetDatum(row->step));
	wf_store_key_uuid(&keys[3], 4, BTEqualStrategyNumber, &row->request_id);
	wf_store_walk_from(walk, keys, 4);
}

/* The row of a request as it is now, held; false: there is none, or (*is_locked) somebody else has it. */
static bool
find_row(WfWalk *walk, const WfRequestRow *row, bool *is_locked)
{
	*is_locked = false;
	walk_to(walk, row);
	while (wf_store_walk_next(walk))
	{
		if (wf_store_walk_hold_by(walk, REQUEST_REQUEST_ID, true, true))
			return true;
		/* it is gone by now, or will be when whoever has it commits */
		*is_locked = table_tuple_satisfies_snapshot(walk->heap, walk->slot, SnapshotSelf);
	}
	return false;
}

/* It is tried again later. */
static void
write_retry(const WfRequestEnd *end, const ItemPointerData *tid)
{
	ItemPointerData where = *tid;
	bool		no_error;
	char		nulls[7] = "      ";
	Datum		values[6];

	values[0] = PointerGetDatum(&where);
	values[1] = TimestampTzGetDatum(end->due_at);
	values[2] = Int32GetDatum(end->failures);
	values[3] = Float8GetDatum(end->total_ms);
	values[4] = wf_store_jsonb_value(end->error, &no_error);
	nulls[4] = no_error ? 'n' : ' ';
	values[5] = Int32GetDatum(end->attempts);
	wf_store_execute(WF_SQL_RETRY_REQUEST, values, nulls);
}

void
wf_store_end_attempts(WfRequestEnd *ends, int n)
{
	WfMessage  *messages = palloc(sizeof(WfMessage) * Max(n, 1));
	WfInsert   *insert = NULL;
	Oid			leaf = InvalidOid;
	int			n_messages = 0;
	WfWalk		walk;

	wf_store_walk_begin_in(&walk, "request", "request_pkey");
	for (int i = 0; i < n; i++)
	{
		WfRequestEnd *end = &ends[i];
		bool		is_locked;
		bool		is_moved;
		bool		found = find_row(&walk, end->row, &is_locked);

		end->is_settled = !is_locked;
		if (!found)
			continue;
		if (end->state == NULL)
		{
			write_retry(end, &walk.slot->tts_tid);
			continue;
		}
		if (!wf_store_delete_tid(walk.heap, &walk.slot->tts_tid, &is_moved))
			elog(ERROR, "could not delete a request that is held");
		log_end(end, &insert, &leaf);
		wf_store_audit_refusal(end->row, end->error, true);
		if (!end->row->forget)
			fill_reply(end, &messages[n_messages++]);
	}
	wf_store_walk_end(&walk);
	if (insert != NULL)
		wf_store_insert_end(insert);
	WF_FAULT("dispatch.logged");
	wf_store_send(messages, n_messages);
}

void
wf_store_log_request(const WfRequestEnd *end)
{
	WfInsert   *insert = NULL;
	Oid			leaf = InvalidOid;

	log_end(end, &insert, &leaf);
	wf_store_insert_end(insert);
	wf_store_audit_refusal(end->row, end->error, false);
}

List *
wf_store_gone_requests(const WfRequestRow *const *rows, int n)
{
	List	   *gone = NIL;
	WfWalk		walk;

	wf_store_walk_begin_in(&walk, "request", "request_pkey");
	for (int i = 0; i < n; i++)
	{
		walk_to(&walk, rows[i]);
		if (!wf_store_walk_next(&walk))
			gone = lappend_int(gone, i);
	}
	wf_store_walk_end(&walk);
	return gone;
}
