/*
 * event.c: events (wf.event) and those who wait for them.
 *
 * 1. An event is kept for workflow.event_buffer_time. A run that begins to wait looks there first, oldest first, for one
 *    that it has not had yet.
 * 2. Who emits an event sends a message to everybody who is seen to wait for it, and takes no lock on the wait: a run may
 *    get a message twice, or for a wait that is over, and drops it.
 * 3. Where one transaction emits while another begins to wait, neither sees the other. The keeper finds such pairs
 *    (wf_store_match_events) when both have committed. An event counts as matched when every transaction that had
 *    begun to write before the keeper first saw it has ended: one that began later saw the event by itself. For that
 *    a transaction that looks for an event gets its transaction id first.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/xact.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/settings.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MOST_PAIRS 10000		/* of a statement that matches events with waits; it has the number, too */

/* How soon the keeper looks again at events that may not have reached all. */
#define LOOK_AGAIN_US (200 * INT64CONST(1000))

bool
wf_store_find_event(const pg_uuid_t *tenant_id, const char *event, const char *correlation, ArrayType *seen,
					pg_uuid_t *event_id, Jsonb **payload)
{
	Datum		values[5];
	char		nulls[5] = {' ', ' ', correlation == NULL ? 'n' : ' ', ' ', ' '};
	bool		found;

	(void) GetCurrentTransactionId();	/* point 3 */
	values[0] = UUIDPGetDatum(tenant_id);
	values[1] = CStringGetTextDatum(event);
	values[2] = correlation == NULL ? (Datum) 0 : CStringGetTextDatum(correlation);
	values[3] = PointerGetDatum(seen != NULL ? seen : construct_empty_array(TEXTOID));
	values[4] = TimestampTzGetDatum(wf_clock_now() - (int64) wf_setting_event_buffer_time * 1000);
	/* two statements, so that each has a plan that suits it: an event may be buffered by the ten thousand */
	found = wf_store_execute(correlation == NULL ? WF_SQL_FIND_ANY_EVENT : WF_SQL_FIND_EVENT, values, nulls) > 0;
	if (found)
	{
		wf_store_uuid(0, 1, event_id);
		*payload = wf_store_jsonb(0, 2);
	}
	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* {"event_id", "payload"} */
static Jsonb *
event_message(const pg_uuid_t *event_id, const Jsonb *payload)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "event_id", DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(event_id))));
	wf_json_key(w, "payload", 7);
	wf_json_put_jsonb(w, payload);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

int
wf_store_emit(const pg_uuid_t *tenant_id, WfEvent *event)
{
	Datum		values[7];
	char		nulls[7] = {' ', ' ', ' ', event->correlation == NULL ? 'n' : ' ', ' ', ' ', event->unique_id == NULL ? 'n' : ' '};
	pg_uuid_t	last = {{0}};
	Jsonb	   *message;
	WfMessage  *messages;
	uint64		n;
	int			n_runs = 0;

	wf_uuid_make(&event->event_id);
	event->emitted_at = wf_clock_now();
	values[0] = UUIDPGetDatum(tenant_id);
	values[1] = UUIDPGetDatum(&event->event_id);
	values[2] = CStringGetTextDatum(event->event);
	values[3] = event->correlation == NULL ? (Datum) 0 : CStringGetTextDatum(event->correlation);
	values[4] = JsonbPGetDatum(event->payload);
	values[5] = TimestampTzGetDatum(event->emitted_at);
	values[6] = event->unique_id == NULL ? (Datum) 0 : CStringGetTextDatum(event->unique_id);
	if (wf_store_execute(WF_SQL_INSERT_EVENT, values, nulls) == 0)
		return -1;
	wf_wake_keeper_at_commit(event->emitted_at);
	WF_FAULT("event.inserted");
	message = event_message(&event->event_id, event->payload);
	values[1] = values[2];
	values[2] = values[3];
	n = wf_store_execute_latest(WF_SQL_WAITS_FOR_EVENT, values, nulls + 1);
	messages = palloc0(sizeof(WfMessage) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		WfMessage  *m = &messages[i];

		m->tenant_id = *tenant_id;
		wf_store_uuid(i, 1, &m->run_id);
		m->role = wf_store_oid(i, 2);
		m->priority = wf_store_int(i, 3);
		m->kind = WF_MESSAGE_EVENT;
		m->step = wf_store_int(i, 4);
		m->payload = message;
		n_runs += memcmp(&m->run_id, &last, sizeof(last)) == 0 ? 0 : 1;
		last = m->run_id;
	}
	SPI_freetuptable(SPI_tuptable);
	wf_store_send(messages, (int) n);
	WF_FAULT("event.sent");
	pfree(messages);
	return n_runs;
}

/* -- the keeper's part -- */

/* Events that the keeper saw, and the transaction id that was next then; of this process, in TopMemoryContext. */
static struct
{
	ArrayType  *ids;			/* uuid[]; NULL: none */
	TransactionId horizon;
}			group;

/* Sends messages of unmatched events to those who wait for them now. */
static int
match_now(void)
{
	uint64		n = wf_store_execute(WF_SQL_MATCH_EVENTS, NULL, NULL);
	WfMessage  *messages = palloc0(sizeof(WfMessage) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		WfMessage  *m = &messages[i];
		pg_uuid_t	event_id;

		wf_store_uuid(i, 1, &m->tenant_id);
		wf_store_uuid(i, 2, &m->run_id);
		m->role = wf_store_oid(i, 3);
		m->priority = wf_store_int(i, 4);
		m->kind = WF_MESSAGE_EVENT;
		m->step = wf_store_int(i, 5);
		wf_store_uuid(i, 6, &event_id);
		m->payload = event_message(&event_id, wf_store_jsonb(i, 7));
	}
	SPI_freetuptable(SPI_tuptable);
	wf_store_send(messages, (int) n);
	pfree(messages);
	return (int) n;
}

/* Makes the events that are unmatched now the group; false when there are none. */
static bool
form_group(void)
{
	uint64		n = wf_store_execute(WF_SQL_UNMATCHED_EVENTS, NULL, NULL);
	Datum	   *ids = palloc(sizeof(Datum) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		wf_store_uuid(i, 1, id);
		ids[i] = UUIDPGetDatum(id);
	}
	SPI_freetuptable(SPI_tuptable);
	if (n > 0)
	{
		ArrayType  *array = construct_array(ids, (int) n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);

		group.ids = MemoryContextAlloc(TopMemoryContext, VARSIZE(array));
		memcpy(group.ids, array, VARSIZE(array));
		/* not a snapshot's xmax: that is the next after the last that ended, and others beyond it may be running */
		group.horizon = XidFromFullTransactionId(ReadNextFullTransactionId());
	}
	return n > 0;
}

int
wf_store_match_events(TimestampTz before)
{
	Datum		values[1] = {TimestampTzGetDatum(before)};
	TransactionId oldest = GetLatestSnapshot()->xmin;	/* taken before the waits are looked at */
	int			total = 0;
	int			n;

	wf_store_execute(WF_SQL_DELETE_EVENTS, values, NULL);
	do
	{
		n = match_now();
		total += n;
	} while (n >= MOST_PAIRS);
	if (group.ids != NULL && !TransactionIdPrecedes(oldest, group.horizon))
	{
		ArrayType  *ids = group.ids;

		values[0] = PointerGetDatum(ids);
		group.ids = NULL;
		wf_store_execute(WF_SQL_SET_MATCHED, values, NULL);
		WF_FAULT("event.matched");
		pfree(ids);
	}
	if (group.ids != NULL || form_group())
		wf_wake_keeper_at_commit(wf_clock_now() + LOOK_AGAIN_US);
	return total;
}
