/*
 * quota_use.c: what tenants use of their quotas, and the measuring of what they have stored.
 *
 * What a tenant and those below it use is one statement each. Stored bytes are the sizes of what the tenant has in our tables, as they
 * are stored: payloads compressed and out of line, a fixed sum for what else a row takes. In each table the sizes of the last 10,000
 * rows are taken for all of the tenant's. The keeper measures now and then, for tenants with such a quota alone
 * (wf.tenant_use), and ever more seldom if it takes long.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/quota.h"
#include "base/wake.h"
#include "store/quota.h"
#include "store/request.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define MINUTE_US INT64CONST(60000000)
#define STORED_FOR_US INT64CONST(1000000)	/* what was read of it holds so long */

/* -- counting; a tenant and all below it, by what is committed or our own -- */

int64
wf_store_count_alive(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	int64		n;

	SPI_connect();
	wf_store_execute_latest(WF_SQL_COUNT_WITHIN, values, NULL);
	n = wf_store_int64(0, 1);
	SPI_finish();
	return n;
}

/* Starts that are kept for the end of the statement are not in the tables yet. */
int64
wf_store_count_queued(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	int64		n;

	SPI_connect();
	wf_store_execute_latest(WF_SQL_COUNT_QUEUED, values, NULL);
	n = wf_store_int64(0, 1);
	SPI_finish();
	return n + wf_store_n_later();
}

int64
wf_store_count_workflows(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	int64		n;

	SPI_connect();
	wf_store_execute_latest(WF_SQL_COUNT_WORKFLOWS, values, NULL);
	n = wf_store_int64(0, 1);
	SPI_finish();
	return n;
}

/* -- what is used -- */

static int64
taken_in_rows(const pg_uuid_t *tenant_id, TimestampTz *resets_at)
{
	TimestampTz since = wf_clock_now() - MINUTE_US;
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(tenant_id), TimestampTzGetDatum(since), Int64GetDatum(0)};
	int64		n;

	SPI_connect();
	wf_store_execute_latest(WF_SQL_TAKEN_SINCE, values, NULL);
	n = wf_store_int64(0, 1);
	*resets_at = n == 0 ? 0 : wf_store_time(0, 2) + MINUTE_US;
	SPI_finish();
	return n;
}

static int64
taken_in_minute(const pg_uuid_t *tenant_id, WfMinute kind, TimestampTz *resets_at)
{
	int64		first_ms;
	int64		n;

	if (!wf_quota_is_shared() && kind != WF_MINUTE_CODE)
		return kind == WF_MINUTE_RUNS ? taken_in_rows(tenant_id, resets_at) : 0;
	n = wf_quota_taken(tenant_id, kind, &first_ms);
	if (n > 0)
		*resets_at = TimestampTzPlusMilliseconds(wf_clock_now(), first_ms);
	return n;
}

bool
wf_store_quota_used(const WfQuotaLevel *level, WfQuota quota, int64 *used, TimestampTz *resets_at)
{
	*resets_at = 0;
	*used = 0;
	switch (quota)
	{
		case WF_QUOTA_RUNS_PER_MINUTE:
			*used = taken_in_minute(&level->tenant_id, WF_MINUTE_RUNS, resets_at);
			return true;
		case WF_QUOTA_REQUESTS_PER_MINUTE:
			*used = taken_in_minute(&level->tenant_id, WF_MINUTE_REQUESTS, resets_at);
			return true;
		case WF_QUOTA_CODE_TIME:
			*used = taken_in_minute(&level->tenant_id, WF_MINUTE_CODE, resets_at) / 1000;
			return true;
		case WF_QUOTA_CONCURRENT_RUNS:
			*used = wf_quota_within(&level->tenant_id) + wf_store_count_alive(&level->tenant_id);
			return true;
		case WF_QUOTA_QUEUED_RUNS:
			*used = wf_store_count_queued(&level->tenant_id);
			return true;
		case WF_QUOTA_WORKFLOWS:
			*used = wf_store_count_workflows(&level->tenant_id);
			return true;
		case WF_QUOTA_STORED_BYTES:
			*used = wf_store_stored_bytes(&level->tenant_id);
			return true;
		default:
			return false;
	}
}

/* -- changes -- */

/* -- stored bytes -- */

/*
 * What was read last, of one tenant: most backends ask for one again and again. Not kept with the quotas, since each measure would have
 * every backend forget all that it knows of tenants and workflows.
 */
static struct
{
	TimestampTz at;				/* 0: nothing */
	pg_uuid_t	tenant_id;
	int64		bytes;
}			stored;

int64
wf_store_stored_bytes(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	TimestampTz now = wf_clock_now();

	if (stored.at != 0 && now >= stored.at && now - stored.at < STORED_FOR_US &&
		memcmp(&stored.tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
		return stored.bytes;
	stored.at = 0;
	stored.tenant_id = *tenant_id;
	SPI_connect();
	wf_store_execute(WF_SQL_STORED_BYTES, values, NULL);
	stored.bytes = wf_store_int64(0, 1);
	SPI_finish();
	stored.at = now;
	return stored.bytes;
}

int64
wf_store_measure(const pg_uuid_t *tenant_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), TimestampTzGetDatum(wf_clock_now())};
	int64		bytes = 0;

	stored.at = 0;
	if (wf_store_execute(WF_SQL_MEASURE, values, NULL) > 0)
		bytes = wf_store_int64(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return bytes;
}

List *
wf_store_to_measure(TimestampTz since)
{
	Datum		values[1] = {TimestampTzGetDatum(since)};
	uint64		n = wf_store_execute(WF_SQL_TO_MEASURE, values, NULL);
	List	   *tenants = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *tenant_id = palloc(sizeof(pg_uuid_t));

		wf_store_uuid(i, 1, tenant_id);
		tenants = lappend(tenants, tenant_id);
	}
	SPI_freetuptable(SPI_tuptable);
	return tenants;
}
