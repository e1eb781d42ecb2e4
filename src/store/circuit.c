/*
 * circuit.c: what is known of hosts (wf.circuit), and what a tenant says of them: where its requests may go (wf.tenant), and how
 * many at once or in a time (wf.host_limit).
 *
 * The dispatcher writes circuits down when they open or close, for views and for the one that comes after it; somebody who
 * resets one deletes its row, in a transaction that may last: so both hold the row by a lock of a thing (direct.c), for which
 * the dispatcher, who has other tenants to serve, does not wait.
 */
#include "postgres.h"

#include "base/wake.h"
#include "store/direct.h"
#include "store/request.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* -- circuits -- */

/* Whoever writes or deletes a circuit's row holds it; false: somebody else does (only with dont_wait). */
static bool
hold(const pg_uuid_t *tenant_id, const char *host, bool dont_wait)
{
	uint64		hash = wf_store_hash(wf_store_hash(0, tenant_id->data, UUID_LEN), host, strlen(host));

	return wf_store_lock_thing(wf_store_table("circuit"), hash, dont_wait) != WF_HOLD_NOT;
}

bool
wf_store_put_circuit(const WfCircuitRow *row)
{
	bool		no_retry;
	char		nulls[9] = "        ";
	Datum		values[8];

	values[0] = UUIDPGetDatum(&row->tenant_id);
	values[1] = CStringGetTextDatum(row->host);
	values[2] = CStringGetTextDatum(row->state);
	values[3] = Int32GetDatum(row->attempts);
	values[4] = Int32GetDatum(row->failures);
	values[5] = TimestampTzGetDatum(row->changed_at);
	values[6] = wf_store_time_value(row->retry_at, &no_retry);
	values[7] = Int32GetDatum(row->times_opened);
	nulls[6] = no_retry ? 'n' : ' ';
	if (!hold(&row->tenant_id, row->host, true))
		return false;
	wf_store_execute(WF_SQL_PUT_CIRCUIT, values, nulls);
	return true;
}

List *
wf_store_open_circuits(TimestampTz since)
{
	Datum		values[1] = {TimestampTzGetDatum(since)};
	uint64		n = wf_store_execute_latest(WF_SQL_OPEN_CIRCUITS, values, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfCircuitRow *row = palloc0(sizeof(WfCircuitRow));

		wf_store_uuid(i, 1, &row->tenant_id);
		row->host = wf_store_text(i, 2);
		row->state = wf_store_text(i, 3);
		row->attempts = wf_store_int(i, 4);
		row->failures = wf_store_int(i, 5);
		row->changed_at = wf_store_time(i, 6);
		row->retry_at = wf_store_time(i, 7);
		row->times_opened = wf_store_int(i, 8);
		rows = lappend(rows, row);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

void
wf_store_prune_circuits(TimestampTz since)
{
	Datum		values[1] = {TimestampTzGetDatum(since)};

	wf_store_execute(WF_SQL_PRUNE_CIRCUITS, values, NULL);
}

bool
wf_store_reset_circuit(const pg_uuid_t *tenant_id, const char *host)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(host)};
	bool		found;

	(void) hold(tenant_id, host, false);
	found = wf_store_execute(WF_SQL_RESET_CIRCUIT, values, NULL) > 0;
	if (found)
		wf_wake_dispatcher_at_commit(WF_DISPATCH_CIRCUITS);
	return found;
}

/* -- where a tenant's requests may go -- */

void
wf_store_set_http_policy(const pg_uuid_t *tenant_id, const char *allow, const char *deny)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(allow), CStringGetTextDatum(deny)};

	wf_store_execute(WF_SQL_SET_HTTP_POLICY, values, NULL);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_POLICIES);
}

List *
wf_store_http_policies(void)
{
	uint64		n = wf_store_execute_latest(WF_SQL_HTTP_POLICIES, NULL, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfHttpPolicyRow *row = palloc0(sizeof(WfHttpPolicyRow));

		wf_store_uuid(i, 1, &row->tenant_id);
		row->allow = wf_store_text(i, 2);
		row->deny = wf_store_text(i, 3);
		rows = lappend(rows, row);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

/* -- limits of hosts -- */

void
wf_store_put_host_limit(const WfHostLimitRow *row)
{
	Datum		values[6] = {UUIDPGetDatum(&row->tenant_id), CStringGetTextDatum(row->host), Int32GetDatum(row->requests),
	Int64GetDatum(row->per_ms), Int32GetDatum(row->burst), Int32GetDatum(row->concurrency)};

	wf_store_execute(row->requests == 0 && row->concurrency == 0 ? WF_SQL_DROP_HOST_LIMIT : WF_SQL_PUT_HOST_LIMIT, values, NULL);
	wf_wake_dispatcher_at_commit(WF_DISPATCH_POLICIES);
}

List *
wf_store_host_limits(void)
{
	uint64		n = wf_store_execute_latest(WF_SQL_HOST_LIMITS, NULL, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfHostLimitRow *row = palloc0(sizeof(WfHostLimitRow));

		wf_store_uuid(i, 1, &row->tenant_id);
		row->host = wf_store_text(i, 2);
		row->requests = wf_store_int(i, 3);
		row->per_ms = wf_store_int64(i, 4);
		row->burst = wf_store_int(i, 5);
		row->concurrency = wf_store_int(i, 6);
		rows = lappend(rows, row);
	}
	SPI_freetuptable(SPI_tuptable);
	return rows;
}
