/*
 * wait.c: what runs wait for (wf.wait).
 *
 * A wait that is due is deleted and becomes a message (keeper.c). A wait for an event stays until the run deals with the
 * event: messages of events are made without a lock on it, and may be doubles.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/wake.h"
#include "store/direct.h"
#include "store/runtime.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

void
wf_store_put_wait(const WfWaitRow *row)
{
	enum
	{
		N = 9
	};
	Datum		values[N];
	bool		is_null[N] = {0};
	char		nulls[N];

	values[0] = UUIDPGetDatum(&row->tenant_id);
	values[1] = UUIDPGetDatum(&row->run_id);
	values[2] = Int32GetDatum(row->step);
	values[3] = CStringGetTextDatum(row->kind);
	values[4] = wf_store_time_value(row->wake_at, &is_null[4]);
	values[5] = ObjectIdGetDatum(row->role);
	values[6] = Int32GetDatum(row->priority);
	values[7] = wf_store_text_value(row->event, &is_null[7]);
	values[8] = wf_store_text_value(row->correlation, &is_null[8]);
	for (int i = 0; i < N; i++)
		nulls[i] = is_null[i] ? 'n' : ' ';
	wf_store_execute(WF_SQL_PUT_WAIT, values, nulls);
	if (row->event != NULL)
		wf_wake_keeper_at_commit(wf_clock_now());	/* an event may have come meanwhile */
	else if (row->wake_at != 0)
		wf_wake_keeper_at_commit(row->wake_at);
}

void
wf_store_delete_wait(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), Int32GetDatum(step)};

	wf_store_execute(step < 0 ? WF_SQL_DELETE_WAITS : WF_SQL_DELETE_WAIT, values, NULL);
}
