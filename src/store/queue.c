/*
 * queue.c: messages that can be dealt with now (wf.queue), and those that are kept back (wf.held).
 *
 * 1. A message in wf.queue is held by whoever has taken its lock: a heavyweight lock on a hash of its id (direct.c), until
 *    the transaction ends. Whoever deletes or changes such a row holds it. So two workers never deal with one message, and
 *    a message is free again as soon as a backend that held it is gone.
 * 2. Between the snapshot that found a row and the lock, another worker may have dealt with it and committed: once the
 *    lock is there the row is looked at again. Its holder had committed by then, or gave it up.
 *
 * What a worker claims next is chosen by claim.c. Messages in wf.held are few; they are locked as rows.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/fault.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/pii.h"
#include "store/queue.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* -- sending -- */

static bool
is_zero(const pg_uuid_t *id)
{
	static const pg_uuid_t zero = {{0}};

	return memcmp(id, &zero, sizeof(zero)) == 0;
}

WfMessage
wf_store_message(const pg_uuid_t *tenant_id, const WfRunKey *run, WfMessageKind kind)
{
	return (WfMessage) {.tenant_id = *tenant_id, .run_id = run->run_id, .role = run->role, .priority = run->priority,
		.kind = kind};
}

/* Fills what the sender left open, and the columns that both tables have. */
static void
fill_message(WfMessage *message, Datum *values, bool *nulls)
{
	bool		is_start = message->kind == WF_MESSAGE_START;

	if (is_start)
		message->message_id = message->run_id;
	else if (is_zero(&message->message_id))
		wf_uuid_make(&message->message_id);
	if (message->ready_at == 0)
		message->ready_at = wf_clock_now();
	values[MESSAGE_TENANT_ID] = UUIDPGetDatum(&message->tenant_id);
	values[MESSAGE_MESSAGE_ID] = UUIDPGetDatum(&message->message_id);
	values[MESSAGE_RUN_ID] = UUIDPGetDatum(&message->run_id);
	values[MESSAGE_ROLE] = ObjectIdGetDatum(message->role);
	values[MESSAGE_PRIORITY] = Int16GetDatum(message->priority);
	values[MESSAGE_KIND] = Int16GetDatum(message->kind);
	values[MESSAGE_STEP] = Int32GetDatum(message->step);
	values[MESSAGE_CRASHES] = Int16GetDatum(message->crashes);
	values[MESSAGE_READY_AT] = TimestampTzGetDatum(message->ready_at);
	values[MESSAGE_WORKFLOW_ID] = UUIDPGetDatum(&message->workflow_id);
	nulls[MESSAGE_WORKFLOW_ID] = !is_start;
	values[MESSAGE_VERSION] = Int32GetDatum(message->version);
	nulls[MESSAGE_VERSION] = !is_start;
	values[MESSAGE_PAYLOAD] = wf_store_jsonb_value(message->payload, &nulls[MESSAGE_PAYLOAD]);
	values[MESSAGE_OPTIONS] = wf_store_jsonb_value(message->options, &nulls[MESSAGE_OPTIONS]);
	values[MESSAGE_SEALED] = (Datum) 0;
	nulls[MESSAGE_SEALED] = true;
	if (!is_start)
	{
		/* for the run alone */
		values[MESSAGE_SEALED] = values[MESSAGE_PAYLOAD];
		nulls[MESSAGE_SEALED] = nulls[MESSAGE_PAYLOAD];
		nulls[MESSAGE_PAYLOAD] = true;
	}
	else if (message->is_personal)
	{
		values[MESSAGE_SEALED] = JsonbPGetDatum(wf_store_seal(message->payload, message->options, message->known));
		nulls[MESSAGE_SEALED] = false;
		values[MESSAGE_PAYLOAD] = JsonbPGetDatum(wf_store_mask());
		nulls[MESSAGE_PAYLOAD] = false;
		values[MESSAGE_OPTIONS] = wf_store_jsonb_value(wf_store_shown_options(message->options), &nulls[MESSAGE_OPTIONS]);
	}
}

static bool
all_starts(const WfMessage *messages, int n)
{
	for (int i = 0; i < n; i++)
		if (messages[i].kind != WF_MESSAGE_START)
			return false;
	return true;
}

void
wf_store_send(WfMessage *messages, int n)
{
	Datum		values[MESSAGE_COLUMNS];
	bool		nulls[MESSAGE_COLUMNS] = {0};
	const WfMessage *last = NULL;
	WfInsert   *insert;

	if (n == 0)
		return;
	insert = wf_store_insert_begin(wf_store_table("queue"));
	if (all_starts(messages, n))
		wf_store_insert_skip_partial(insert);	/* queue_run is of all others */
	for (int i = 0; i < n; i++)
	{
		fill_message(&messages[i], values, nulls);
		wf_store_insert_put(insert, values, nulls);
		if (last == NULL || messages[i].role != last->role ||
			memcmp(&messages[i].tenant_id, &last->tenant_id, sizeof(pg_uuid_t)) != 0)
			wf_wake_role_at_commit(messages[i].role, &messages[i].tenant_id);
		last = &messages[i];
	}
	wf_store_insert_end(insert);
}

void
wf_store_hold(WfMessage *message, const char *gate, int gate_size)
{
	Datum		values[HELD_COLUMNS];
	bool		nulls[HELD_COLUMNS] = {0};

	fill_message(message, values, nulls);
	values[HELD_GATE] = wf_store_text_value(gate, &nulls[HELD_GATE]);
	values[HELD_GATE_SIZE] = Int32GetDatum(gate_size);
	nulls[HELD_GATE_SIZE] = gate == NULL;
	if (gate != NULL)
		nulls[MESSAGE_WORKFLOW_ID] = false; /* whose gate it is */
	wf_store_insert_one(wf_store_table("held"), values, nulls);
	if (gate != NULL)
		wf_wake_keeper_at_commit(wf_clock_now());
}

void
wf_store_drop_held(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};

	wf_store_execute(WF_SQL_DELETE_HELD_OF_RUN, values, NULL);
}

void
wf_store_release_held(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};
	uint64		n = wf_store_execute(WF_SQL_RELEASE_HELD, values, NULL);

	for (uint64 i = 0; i < n; i++)
		wf_wake_role_at_commit(wf_store_oid(i, 1), tenant_id);
	SPI_freetuptable(SPI_tuptable);
}

/* -- finding and claiming -- */

void
wf_store_walk_begin(WfWalk *walk, const char *index)
{
	wf_store_walk_begin_in(walk, "queue", index);
}

void
wf_store_walk_begin_in(WfWalk *walk, const char *table, const char *index)
{
	walk->heap = table_open(wf_store_table(table), RowExclusiveLock);
	walk->index = index_open(wf_store_table(index), RowExclusiveLock);
	walk->snapshot = RegisterSnapshot(GetLatestSnapshot());
	walk->slot = table_slot_create(walk->heap, NULL);
	walk->scan = NULL;
}

void
wf_store_walk_end(WfWalk *walk)
{
	if (walk->scan != NULL)
		index_endscan(walk->scan);
	ExecDropSingleTupleTableSlot(walk->slot);
	UnregisterSnapshot(walk->snapshot);
	index_close(walk->index, NoLock);
	table_close(walk->heap, NoLock);
}

void
wf_store_walk_from(WfWalk *walk, ScanKeyData *keys, int n_keys)
{
	if (walk->scan != NULL && walk->scan->numberOfKeys != n_keys)
	{
		index_endscan(walk->scan);
		walk->scan = NULL;
	}
	if (walk->scan == NULL)
		walk->scan = wf_compat_index_scan(walk->heap, walk->index, walk->snapshot, n_keys);
	index_rescan(walk->scan, keys, n_keys, NULL, 0);
}

bool
wf_store_walk_next(WfWalk *walk)
{
	return index_getnext_slot(walk->scan, ForwardScanDirection, walk->slot);
}

Datum
wf_store_walk_column(const WfWalk *walk, int column)
{
	bool		is_null;
	Datum		value = slot_getattr(walk->slot, column + 1, &is_null);

	return is_null ? (Datum) 0 : value;
}

const pg_uuid_t *
wf_store_walk_id(const WfWalk *walk, int column)
{
	return DatumGetUUIDP(wf_store_walk_column(walk, column));
}

bool
wf_store_walk_hold(const WfWalk *walk)
{
	return wf_store_walk_hold_by(walk, MESSAGE_MESSAGE_ID, false, true);
}

bool
wf_store_walk_hold_by(const WfWalk *walk, int column, bool ours_too, bool dont_wait)
{
	uint64		hash = wf_store_hash(0, wf_store_walk_id(walk, column)->data, UUID_LEN);
	WfHold		result = wf_store_lock_thing(RelationGetRelid(walk->heap), hash, dont_wait);

	if (result == WF_HOLD_NOT || (result == WF_HOLD_OURS && !ours_too))
		return false;
	return table_tuple_satisfies_snapshot(walk->heap, walk->slot, SnapshotSelf);
}

static Jsonb *
jsonb_of(const WfWalk *walk, int column)
{
	Datum		value = wf_store_walk_column(walk, column);

	return value == (Datum) 0 ? NULL : (Jsonb *) PG_DETOAST_DATUM_COPY(value);
}

/* What members may not read of it takes the place of what they may. */
static void
open_message(WfMessage *message, Jsonb *sealed)
{
	if (message->kind != WF_MESSAGE_START)
		message->payload = sealed;
	else if (sealed != NULL)
	{
		message->is_personal = true;
		wf_store_unseal(sealed, &message->payload, &message->options, &message->known);
	}
}

WfMessage *
wf_store_walk_message(const WfWalk *walk)
{
	WfMessage  *message = palloc0(sizeof(WfMessage));

	slot_getallattrs(walk->slot);
	message->tenant_id = *wf_store_walk_id(walk, MESSAGE_TENANT_ID);
	message->message_id = *wf_store_walk_id(walk, MESSAGE_MESSAGE_ID);
	message->run_id = *wf_store_walk_id(walk, MESSAGE_RUN_ID);
	message->role = DatumGetObjectId(wf_store_walk_column(walk, MESSAGE_ROLE));
	message->priority = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_PRIORITY));
	message->kind = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_KIND));
	message->step = DatumGetInt32(wf_store_walk_column(walk, MESSAGE_STEP));
	message->crashes = DatumGetInt16(wf_store_walk_column(walk, MESSAGE_CRASHES));
	message->ready_at = DatumGetTimestampTz(wf_store_walk_column(walk, MESSAGE_READY_AT));
	if (wf_store_walk_column(walk, MESSAGE_WORKFLOW_ID) != (Datum) 0)
		message->workflow_id = *wf_store_walk_id(walk, MESSAGE_WORKFLOW_ID);
	message->version = DatumGetInt32(wf_store_walk_column(walk, MESSAGE_VERSION));
	message->payload = jsonb_of(walk, MESSAGE_PAYLOAD);
	message->options = jsonb_of(walk, MESSAGE_OPTIONS);
	open_message(message, jsonb_of(walk, MESSAGE_SEALED));
	message->tid = walk->slot->tts_tid;
	return message;
}

void
wf_store_key_uuid(ScanKeyData *key, int column, StrategyNumber strategy, const pg_uuid_t *id)
{
	static const RegProcedure functions[] = {
		[BTLessStrategyNumber] = F_UUID_LT, [BTLessEqualStrategyNumber] = F_UUID_LE, [BTEqualStrategyNumber] = F_UUID_EQ,
		[BTGreaterEqualStrategyNumber] = F_UUID_GE, [BTGreaterStrategyNumber] = F_UUID_GT
	};

	ScanKeyInit(key, column, strategy, functions[strategy], UUIDPGetDatum(id));
}

/* A message of wf.queue by its id, or NULL; `ours_too`: one that we hold already. *exists: it is there, held or not. */
static WfMessage *
claim_by_id(const pg_uuid_t *tenant_id, const pg_uuid_t *message_id, bool ours_too, bool *exists)
{
	WfMessage  *message = NULL;
	ScanKeyData keys[2];
	WfWalk		walk;

	*exists = false;
	wf_store_walk_begin(&walk, "queue_pkey");
	wf_store_key_uuid(&keys[0], 1, BTEqualStrategyNumber, tenant_id);
	wf_store_key_uuid(&keys[1], 2, BTEqualStrategyNumber, message_id);
	wf_store_walk_from(&walk, keys, 2);
	while (message == NULL && wf_store_walk_next(&walk))
	{
		*exists = true;
		if (wf_store_walk_hold_by(&walk, MESSAGE_MESSAGE_ID, ours_too, true))
			message = wf_store_walk_message(&walk);
	}
	wf_store_walk_end(&walk);
	return message;
}

WfMessage *
wf_store_claim_one(const pg_uuid_t *tenant_id, const pg_uuid_t *message_id)
{
	bool		exists;

	if (wf_store_tenant_status(tenant_id) != WF_TENANT_ACTIVE)
		return NULL;			/* it is claimed again when the tenant is */
	return claim_by_id(tenant_id, message_id, false, &exists);
}

bool
wf_store_hold_all(const pg_uuid_t *run_id, ArrayType **ids)
{
	Datum		values[1] = {UUIDPGetDatum(run_id)};
	uint64		n = wf_store_execute(WF_SQL_MESSAGES_OF_RUN, values, NULL);
	pg_uuid_t  *tenants = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	pg_uuid_t  *messages = palloc(sizeof(pg_uuid_t) * Max(n, 1));
	Datum	   *datums = palloc(sizeof(Datum) * Max(n, 1));
	bool		exists;

	for (uint64 i = 0; i < n; i++)
	{
		wf_store_uuid(i, 1, &tenants[i]);
		wf_store_uuid(i, 2, &messages[i]);
		datums[i] = UUIDPGetDatum(&messages[i]);
	}
	SPI_freetuptable(SPI_tuptable);
	for (uint64 i = 0; i < n; i++)
		if (claim_by_id(&tenants[i], &messages[i], true, &exists) == NULL)
			return false;
	*ids = construct_array(datums, (int) n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
	return n > 0;
}

/* A message of wf.held as MESSAGE_COLUMNS give it. */
static WfMessage *
held_message(void)
{
	WfMessage  *message = palloc0(sizeof(WfMessage));

	wf_store_uuid(0, 1 + MESSAGE_TENANT_ID, &message->tenant_id);
	wf_store_uuid(0, 1 + MESSAGE_MESSAGE_ID, &message->message_id);
	wf_store_uuid(0, 1 + MESSAGE_RUN_ID, &message->run_id);
	message->role = wf_store_oid(0, 1 + MESSAGE_ROLE);
	message->priority = (int16) wf_store_int(0, 1 + MESSAGE_PRIORITY);
	message->kind = (int16) wf_store_int(0, 1 + MESSAGE_KIND);
	message->step = wf_store_int(0, 1 + MESSAGE_STEP);
	message->crashes = (int16) wf_store_int(0, 1 + MESSAGE_CRASHES);
	message->ready_at = wf_store_time(0, 1 + MESSAGE_READY_AT);
	wf_store_uuid(0, 1 + MESSAGE_WORKFLOW_ID, &message->workflow_id);
	message->version = wf_store_int(0, 1 + MESSAGE_VERSION);
	message->payload = wf_store_jsonb(0, 1 + MESSAGE_PAYLOAD);
	message->options = wf_store_jsonb(0, 1 + MESSAGE_OPTIONS);
	open_message(message, wf_store_jsonb(0, 1 + MESSAGE_SEALED));
	ItemPointerSetInvalid(&message->tid);
	return message;
}

WfMessage *
wf_store_claim_start(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, bool ours_too, bool *exists)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id)};

	for (;;)
	{
		WfMessage  *message = claim_by_id(tenant_id, run_id, ours_too, exists);	/* a start's id is its run's */
		uint64		n;
		bool		is_queued;

		if (*exists)
			return message;
		WF_FAULT("queue.no_start");
		if (wf_store_execute(WF_SQL_FIND_HELD_START, values, NULL) > 0)
			message = held_message();
		SPI_freetuptable(SPI_tuptable);
		*exists = message != NULL;
		if (message != NULL)
			return message;
		/* it may have been moved between the two looks; this is one at both */
		n = wf_store_execute_latest(WF_SQL_HAS_START, values, NULL);
		is_queued = n > 0 && wf_store_bool(0, 1);
		SPI_freetuptable(SPI_tuptable);
		*exists = n > 0;
		if (!is_queued)
			return NULL;
		CHECK_FOR_INTERRUPTS();
	}
}

/* In the order in which they were sent. */
static int
by_id(const ListCell *a, const ListCell *b)
{
	const WfMessage *one = lfirst(a);
	const WfMessage *other = lfirst(b);

	return memcmp(one->message_id.data, other->message_id.data, UUID_LEN);
}

bool
wf_store_has_earlier(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, const pg_uuid_t *message_id, WfMessageKind kind)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), UUIDPGetDatum(message_id),
	Int32GetDatum(kind)};
	bool		found = wf_store_execute(WF_SQL_HAS_EARLIER, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

bool
wf_store_has_result(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step, const pg_uuid_t *of)
{
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(of)));
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), Int32GetDatum(step), CStringGetTextDatum(id)};
	bool		found = wf_store_execute(WF_SQL_HAS_RESULT, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

List *
wf_store_claim_run(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id)
{
	List	   *messages = NIL;
	ScanKeyData keys[2];
	WfWalk		walk;

	wf_store_walk_begin(&walk, "queue_run");
	wf_store_key_uuid(&keys[0], 1, BTEqualStrategyNumber, tenant_id);
	wf_store_key_uuid(&keys[1], 2, BTEqualStrategyNumber, run_id);
	wf_store_walk_from(&walk, keys, 2);
	while (wf_store_walk_next(&walk))
		if (wf_store_walk_hold(&walk))
			messages = lappend(messages, wf_store_walk_message(&walk));
	wf_store_walk_end(&walk);
	list_sort(messages, by_id);
	return messages;
}

void
wf_store_take(const WfMessage *message)
{
	Datum		values[2] = {UUIDPGetDatum(&message->tenant_id), UUIDPGetDatum(&message->message_id)};
	Relation	queue;
	bool		is_moved;

	if (!ItemPointerIsValid(&message->tid))
	{
		wf_store_execute(WF_SQL_DELETE_HELD, values, NULL);
		return;
	}
	queue = table_open(wf_store_table("queue"), RowExclusiveLock);
	wf_store_delete_tid(queue, &message->tid, &is_moved);
	table_close(queue, NoLock);
	/* a crash was counted on it meanwhile, or it was kept back, after all */
	if (is_moved && wf_store_execute(WF_SQL_DELETE_MESSAGE, values, NULL) == 0)
		wf_store_execute(WF_SQL_DELETE_HELD, values, NULL);
}
