/*
 * policy.c: retries.
 *
 * Which errors are tried again, and after how long, is the graph's knowledge (graph/retry.c); this file has the clock.
 * A run that can be suspended waits between two segments. One that cannot (wf_call, a server without workers) waits
 * within the transaction, holding what it has locked; that can be cancelled, and is cut short by the nearest time-out
 * around the node, which then has passed when the next attempt begins. In an atomic workflow retries are immediate.
 */
#include "postgres.h"

#include "base/clock.h"
#include "common/pg_prng.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

bool
wf_policy_retries(const WfNode *node, const WfError *error, int attempt, TimestampTz first_started_at)
{
	const WfRetry *retry = &node->retry;

	if (!wf_graph_retry_applies(retry, attempt, error->code, unpack_sql_state(error->sqlstate)))
		return false;
	return retry->max_elapsed_ms == 0 ||
		(wf_clock_now() - first_started_at) / 1000 + wf_graph_retry_delay_ms(retry, attempt, 0) <= retry->max_elapsed_ms;
}

int64
wf_policy_delay_ms(const Frame *frame)
{
	const OpenStep *open = frame->open;

	if (frame->activation->compiled->graph->settings.atomic)
		return 0;
	return wf_graph_retry_delay_ms(&open->node->retry, open->attempt, pg_prng_double(&pg_global_prng_state));
}

void
wf_policy_wait(const Run *run, const Frame *frame, int64 delay_ms)
{
	TimestampTz until = TimestampTzPlusMilliseconds(wf_clock_now(), delay_ms);
	int64		left;

	if (run->deadline != 0)
		until = Min(until, run->deadline);
	if (frame->deadline != 0)
		until = Min(until, frame->deadline);
	while ((left = (until - wf_clock_now() + 999) / 1000) > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(left, 60000), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}
