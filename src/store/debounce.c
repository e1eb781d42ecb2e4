/*
 * debounce.c: events that wait for a quiet time (wf.debounce).
 *
 * 1. Whoever emits inserts a row, and nothing else: emitters of one correlation do not meet.
 * 2. A burst is what there is of one trigger and correlation. Its rows are due one quiet time after each was emitted; when
 *    the first is due, the keeper takes all of them (wf_store_take_burst). If the last one is not due yet, it puts one row
 *    back for all. So a row is read and deleted once, a burst looked at once a quiet time, however many events
 *    it has, and the next time to look at anything is that of the row which is due first.
 * 3. Who takes a burst has a lock of it until its transaction ends, and sees what was committed before the lock was had: two
 *    keepers do not share a burst, and one that is undone leaves it as it was.
 */
#include "postgres.h"

#include "base/fault.h"
#include "base/wake.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

void
wf_store_put_burst(const WfBurst *burst)
{
	Datum		values[11] = {
		UUIDPGetDatum(&burst->tenant_id),
		UUIDPGetDatum(&burst->trigger_id),
		UUIDPGetDatum(&burst->event_id),
		CStringGetTextDatum(burst->event),
		CStringGetTextDatum(burst->correlation == NULL ? "" : burst->correlation),
		Int64GetDatum(burst->n),
		TimestampTzGetDatum(burst->emitted_at),
		TimestampTzGetDatum(burst->due_at),
		ObjectIdGetDatum(burst->role),
		Int32GetDatum(burst->chain),
		JsonbPGetDatum(burst->payload),
	};

	wf_store_execute(WF_SQL_PUT_BURST, values, NULL);
	wf_wake_keeper_at_commit(burst->due_at);
	WF_FAULT("debounce.put");
}

List *
wf_store_due_bursts(TimestampTz now, int most)
{
	Datum		values[2] = {TimestampTzGetDatum(now), Int32GetDatum(most)};
	uint64		n = wf_store_execute(WF_SQL_DUE_BURSTS, values, NULL);
	List	   *bursts = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfBurst    *burst = palloc0(sizeof(WfBurst));

		wf_store_uuid(i, 1, &burst->tenant_id);
		wf_store_uuid(i, 2, &burst->trigger_id);
		burst->correlation = wf_store_text(i, 3);
		bursts = lappend(bursts, burst);
	}
	SPI_freetuptable(SPI_tuptable);
	return bursts;
}

/* Is it ours until the transaction ends? */
static bool
hold(const WfBurst *burst)
{
	uint64		hash = wf_store_hash(0, &burst->tenant_id, sizeof(pg_uuid_t));

	hash = wf_store_hash(hash, &burst->trigger_id, sizeof(pg_uuid_t));
	hash = wf_store_hash(hash, burst->correlation, strlen(burst->correlation));
	return wf_store_lock_thing(wf_store_table("debounce"), hash, true) != WF_HOLD_NOT;
}

bool
wf_store_take_burst(WfBurst *burst, bool *is_locked)
{
	Datum		values[3];
	uint64		n;

	*is_locked = !hold(burst);
	if (*is_locked)
		return false;
	values[0] = UUIDPGetDatum(&burst->tenant_id);
	values[1] = UUIDPGetDatum(&burst->trigger_id);
	values[2] = CStringGetTextDatum(burst->correlation);
	n = wf_store_execute(WF_SQL_TAKE_BURST, values, NULL);
	if (n > 0)
	{
		wf_store_uuid(0, 1, &burst->event_id);
		burst->event = wf_store_text(0, 2);
		burst->emitted_at = wf_store_time(0, 3);
		burst->role = wf_store_oid(0, 4);
		burst->chain = wf_store_int(0, 5);
		burst->payload = wf_store_jsonb(0, 6);
		burst->n = wf_store_int64(0, 7);
		burst->due_at = wf_store_time(0, 8);
		if (burst->correlation[0] == '\0')
			burst->correlation = NULL;
	}
	SPI_freetuptable(SPI_tuptable);
	return n > 0;
}

TimestampTz
wf_store_next_burst(void)
{
	TimestampTz next = 0;

	if (wf_store_execute(WF_SQL_NEXT_BURST, NULL, NULL) > 0)
		next = wf_store_time(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return next;
}
