/*
 * schedule.c: rows of wf.schedule.
 */
#include "postgres.h"

#include "base/wake.h"
#include "store/direct.h"
#include "store/schedule.h"
#include "store/statements.h"
#include "utils/timestamp.h"

static WfScheduleRow *
schedule_of(uint64 i)
{
	WfScheduleRow *row = palloc0(sizeof(WfScheduleRow));
	bool		has_none;

	wf_store_uuid(i, 1, &row->tenant_id);
	wf_store_uuid(i, 2, &row->trigger_id);
	row->next_at = wf_store_time(i, 3);
	row->last_at = wf_store_time(i, 4);
	(void) SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 5, &has_none);
	row->has_run = !has_none;
	if (row->has_run)
		wf_store_uuid(i, 5, &row->last_run_id);
	row->n_missed = wf_store_int64(i, 6);
	row->n_skipped = wf_store_int64(i, 7);
	return row;
}

static List *
list(WfStatementId statement, Datum *values)
{
	uint64		n = wf_store_execute(statement, values, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
		rows = lappend(rows, schedule_of(i));
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

List *
wf_store_lock_schedules(TimestampTz now, int most)
{
	Datum		values[2] = {TimestampTzGetDatum(now), Int32GetDatum(most)};

	return list(WF_SQL_LOCK_SCHEDULES, values);
}

WfScheduleRow *
wf_store_find_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(trigger_id)};
	List	   *rows = list(WF_SQL_FIND_SCHEDULE, values);

	return rows == NIL ? NULL : linitial(rows);
}

void
wf_store_put_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, TimestampTz next_at, bool keep)
{
	bool		is_null;
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(trigger_id), wf_store_time_value(next_at, &is_null),
	BoolGetDatum(keep)};
	char		nulls[4] = {' ', ' ', is_null ? 'n' : ' ', ' '};

	wf_store_execute(WF_SQL_PUT_SCHEDULE, values, nulls);
	if (next_at != 0)
		wf_wake_keeper_at_commit(next_at);
}

void
wf_store_update_schedule(const WfScheduleRow *row)
{
	bool		is_null[7] = {0};
	Datum		values[7] = {UUIDPGetDatum(&row->tenant_id), UUIDPGetDatum(&row->trigger_id),
		wf_store_time_value(row->next_at, &is_null[2]), wf_store_time_value(row->last_at, &is_null[3]),
	UUIDPGetDatum(&row->last_run_id), Int64GetDatum(row->n_missed), Int64GetDatum(row->n_skipped)};
	char		nulls[7];

	is_null[4] = !row->has_run;
	for (int i = 0; i < lengthof(nulls); i++)
		nulls[i] = is_null[i] ? 'n' : ' ';
	wf_store_execute(WF_SQL_UPDATE_SCHEDULE, values, nulls);
	if (row->next_at != 0)
		wf_wake_keeper_at_commit(row->next_at);
}

void
wf_store_delete_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(trigger_id)};

	wf_store_execute(WF_SQL_DELETE_SCHEDULE, values, NULL);
}

TimestampTz
wf_store_next_schedule(void)
{
	TimestampTz next = 0;

	if (wf_store_execute(WF_SQL_NEXT_SCHEDULE, NULL, NULL) > 0)
		next = wf_store_time(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return next;
}
