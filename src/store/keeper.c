/*
 * keeper.c: what happens to waiting runs by itself, in time; called by the keeper process, and nobody else.
 *
 * Each of these is one short transaction's work, may be called at any time, and may be called again after a rollback.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "store/direct.h"
#include "store/queue.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* How soon to look again at what somebody has locked. */
#define LOOK_AGAIN_US (50 * INT64CONST(1000))

/* The one time that a statement gave; 0 when there is none. */
static TimestampTz
time_of(WfStatementId id, Datum *values)
{
	TimestampTz time = 0;

	if (wf_store_execute(id, values, NULL) > 0)
		time = wf_store_time(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return time;
}

/* What is due and was left has a lock, of whoever ends it: it is looked at again a little later. */
static TimestampTz
not_at_once(TimestampTz next, TimestampTz now)
{
	return next != 0 && next <= now ? now + LOOK_AGAIN_US : next;
}

int
wf_store_fire_waits(TimestampTz now, int most, TimestampTz *next)
{
	Datum		values[2] = {TimestampTzGetDatum(now), Int32GetDatum(most)};
	uint64		n = wf_store_execute(WF_SQL_FIRE_WAITS, values, NULL);
	WfMessage  *messages = palloc0(sizeof(WfMessage) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		wf_store_uuid(i, 1, &messages[i].tenant_id);
		wf_store_uuid(i, 2, &messages[i].run_id);
		messages[i].step = wf_store_int(i, 3);
		messages[i].role = wf_store_oid(i, 4);
		messages[i].priority = wf_store_int(i, 5);
		messages[i].kind = WF_MESSAGE_TIMER;
	}
	SPI_freetuptable(SPI_tuptable);
	if (n > 0)
		WF_FAULT("keeper.wait_taken");
	wf_store_send(messages, (int) n);
	if (n > 0)
		WF_FAULT("keeper.wait_sent");
	pfree(messages);
	*next = time_of(WF_SQL_NEXT_WAIT, NULL);
	if ((int) n < most)
		*next = not_at_once(*next, now);
	return (int) n;
}

/* The task's last lease has run out: its run gets to know. */
static void
fail_lost_tasks(TimestampTz now, ArrayType *halted)
{
	Datum		values[2] = {TimestampTzGetDatum(now), PointerGetDatum(halted)};
	uint64		n = wf_store_execute(WF_SQL_LOST_TASKS, values, NULL);
	WfMessage  *messages = palloc0(sizeof(WfMessage) * Max(n, 1));

	for (uint64 i = 0; i < n; i++)
	{
		int			attempts = wf_store_int(i, 6);
		WfError    *error = wf_error_make(WF_ERRCODE_NODE_FAILED, NULL, "the lease ran out in attempt %d of %d", attempts,
										  attempts);
		WfJsonWriter *w = wf_json_writer_begin();

		wf_store_uuid(i, 1, &messages[i].tenant_id);
		wf_store_uuid(i, 2, &messages[i].run_id);
		messages[i].step = wf_store_int(i, 3);
		messages[i].role = wf_store_oid(i, 4);
		messages[i].priority = wf_store_int(i, 5);
		messages[i].kind = WF_MESSAGE_TASK;
		wf_json_begin_object(w);
		wf_json_key(w, "failed", 6);
		wf_json_put_jsonb(w, wf_error_to_json(error));
		wf_json_end_object(w);
		messages[i].payload = wf_json_finish(w);
	}
	SPI_freetuptable(SPI_tuptable);
	wf_store_send(messages, (int) n);
	pfree(messages);
}

int
wf_store_escalate(TimestampTz now, TimestampTz *next)
{
	ArrayType  *halted = wf_store_halted_tenants();	/* whose tasks wait */
	Datum		values[2] = {TimestampTzGetDatum(now), PointerGetDatum(halted)};
	Datum		of_halted[1] = {PointerGetDatum(halted)};
	int			n = (int) wf_store_execute(WF_SQL_ESCALATE, values, NULL);

	fail_lost_tasks(now, halted);
	*next = not_at_once(time_of(WF_SQL_NEXT_ESCALATION, of_halted), now);
	return n;
}

List *
wf_store_ready_roles(void)
{
	uint64		n = wf_store_execute(WF_SQL_READY_ROLES, NULL, NULL);
	List	   *roles = NIL;

	for (uint64 i = 0; i < n; i++)
		roles = lappend_oid(roles, wf_store_oid(i, 1));
	SPI_freetuptable(SPI_tuptable);
	return roles;
}

int
wf_store_count_crash(const pg_uuid_t *run_id, int most)
{
	Datum		values[2] = {UUIDPGetDatum(run_id)};
	WfMessage	park = {.kind = WF_MESSAGE_PARK};
	ArrayType  *ids;
	int			crashes = 0;
	uint64		n;

	/* a worker may have the run already: what it is about to delete must not be moved under its feet */
	if (!wf_store_hold_all(run_id, &ids))
		return 0;
	values[1] = PointerGetDatum(ids);
	n = wf_store_execute(WF_SQL_COUNT_CRASH, values, NULL);
	for (uint64 i = 0; i < n; i++)
		crashes = Max(crashes, wf_store_int(i, 1));
	if (n > 0)
	{
		wf_store_uuid(0, 2, &park.tenant_id);
		park.role = wf_store_oid(0, 3);
		park.priority = wf_store_int(0, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	if (n == 0 || crashes < most)
		return crashes;
	/* nobody shall execute it any more: what is for the run is kept back, and goes with it when it is parked */
	wf_store_execute(WF_SQL_HOLD_RUN, values, NULL);
	park.run_id = *run_id;
	park.crashes = 0;
	wf_store_send(&park, 1);
	return crashes;
}
