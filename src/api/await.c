/*
 * await.c: wf_await: waits until a run has ended.
 *
 * 1. The latch is armed before the run is looked at, so that an end in between is not missed.
 * 2. Each look reads what is committed by then, whatever the isolation level: the caller asked for what comes of the run.
 * 3. A run that this transaction started cannot begin before it commits: waiting for it would last until the time is
 *    up, and is refused.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/wake.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "store/pii.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

/* Without shared memory nobody sets the latch; with it, a look now and then costs nothing. */
#define LOOK_AGAIN_MS 1000
#define LOOK_AGAIN_AWARE_MS 10000

/* How the run stands now, in `memory`; throws 22023 when there is none, WF014 when it cannot begin. */
static void
look(const WfTenant *tenant, const pg_uuid_t *run_id, WfRunState *state, MemoryContext memory)
{
	bool		found;
	MemoryContext old;

	SPI_connect();
	old = MemoryContextSwitchTo(memory);
	found = wf_store_run_state(&tenant->tenant_id, run_id, state);
	if (found && state->has_ended)
		wf_store_show_state(tenant, run_id, state);
	MemoryContextSwitchTo(old);
	SPI_finish();
	if (!found)
		wf_api_no_run(run_id);
	if (state->is_ours)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("cannot await a run that the same transaction has started"),
						errdetail("The run begins when this transaction has committed."),
						errhint("Commit first, or use wf_run() to run it in this transaction.")));
}

static void
wait_until(TimestampTz until)
{
	long		ms = TimestampDifferenceMilliseconds(wf_clock_now(), until);

	ms = Min(ms, wf_wake_available() ? LOOK_AGAIN_AWARE_MS : LOOK_AGAIN_MS);
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Max(ms, 1), PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_await);

Datum
wf_sql_await(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	TimestampTz until = wf_clock_now() + wf_api_interval_ms(fcinfo, 1, "timeout") * 1000;
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "workflow await", ALLOCSET_DEFAULT_SIZES);
	WfRunState	state;
	WfRunResult result = {{{0}}};
	WfTenant	tenant;

	wf_store_catch_up();
	wf_store_require_some(WF_RUN_READ, &tenant);
	if (!wf_store_allows_run(&tenant, WF_RUN_READ, run_id))
		wf_api_no_run(run_id);
	wf_wake_await_begin(run_id);
	PG_TRY();
	{
		for (;;)
		{
			MemoryContextReset(memory);
			look(&tenant, run_id, &state, memory);
			if (state.has_ended || wf_clock_now() >= until)
				break;
			wait_until(until);
		}
	}
	PG_FINALLY();
	{
		wf_wake_await_end();
	}
	PG_END_TRY();
	result.run_id = *run_id;
	result.status = state.status;
	result.output = state.output;
	result.error = state.error;
	PG_RETURN_JSONB_P(wf_engine_envelope(&result));
}
