/*
 * gate.c: runs within a gate (wf.gate), which are those of one concurrencyKey or of one workflow with maxConcurrency.
 *
 * A start at a gate is always kept back (queue.c), and the keeper alone lets starts through: nobody who starts runs waits
 * for somebody who does, and no more runs than `gate_size` are ever within. Whoever has to know how many there are
 * (policies `skip` and `cancelRunning`) takes the gate's lock, so that the second one counts the first one's.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/wake.h"
#include "store/direct.h"
#include "store/gate_quota.h"
#include "store/quota.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"

/* Until the transaction ends nobody else asks who is at the gate. */
static void
lock_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate)
{
	uint64		hash = wf_store_hash(0, tenant_id->data, UUID_LEN);

	hash = wf_store_hash(hash, workflow_id->data, UUID_LEN);
	hash = wf_store_hash(hash, gate, strlen(gate));
	wf_store_lock_thing(wf_store_table("gate"), hash, false);
}

int
wf_store_count_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(gate)};
	int			n;

	lock_gate(tenant_id, workflow_id, gate);
	wf_store_execute_latest(WF_SQL_COUNT_GATE, values, NULL);
	n = wf_store_int(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return n;
}

List *
wf_store_gate_runs(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(gate)};
	List	   *runs = NIL;
	uint64		n;

	lock_gate(tenant_id, workflow_id, gate);
	/* one look at both: the keeper may be letting one through */
	n = wf_store_execute_latest(WF_SQL_GATE_RUNS, values, NULL);

	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *run_id = palloc(sizeof(pg_uuid_t));

		wf_store_uuid(i, 1, run_id);
		runs = lappend(runs, run_id);
	}
	SPI_freetuptable(SPI_tuptable);
	return runs;
}

void
wf_store_enter_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate, const pg_uuid_t *run_id)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(gate),
	UUIDPGetDatum(run_id)};

	wf_store_execute(WF_SQL_ENTER_GATE, values, NULL);
}

void
wf_store_leave_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate, const pg_uuid_t *run_id)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(gate),
	UUIDPGetDatum(run_id)};

	if (wf_store_execute(WF_SQL_LEAVE_GATE, values, NULL) == 0)
		return;
	WF_FAULT("gate.left");
	wf_wake_keeper_at_commit(wf_clock_now());
}

bool
wf_store_is_within(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate, const pg_uuid_t *run_id)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(gate),
	UUIDPGetDatum(run_id)};
	bool		found = wf_store_execute(WF_SQL_IS_WITHIN, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* Lets those go that are not bound by quotas. */
static int
open_unbound(bool *some_are_locked)
{
	uint64		n = wf_store_execute(WF_SQL_OPEN_GATES, NULL, NULL);
	int			n_sent = 0;

	for (uint64 i = 0; i < n; i++)
	{
		Oid			role = wf_store_oid(i, 1);
		pg_uuid_t	tenant_id;

		if (role == InvalidOid)
		{
			*some_are_locked = true;
			continue;
		}
		wf_store_uuid(i, 2, &tenant_id);
		wf_wake_role_at_commit(role, &tenant_id);
		n_sent++;
	}
	SPI_freetuptable(SPI_tuptable);
	return n_sent;
}

int
wf_store_open_gates(bool *some_are_locked)
{
	int			n_sent;

	*some_are_locked = false;
	/* one at a time: two who count the same gate would both find room */
	wf_store_lock_thing(wf_store_table("gate"), 0, false);
	n_sent = open_unbound(some_are_locked);
	n_sent += wf_store_open_bound(some_are_locked);
	if (n_sent > 0)
		WF_FAULT("gate.opened");
	return n_sent;
}
