/*
 * policy.c: retries.
 *
 * The delay before attempt n + 1 is min(maxDelay, initialDelay * multiplier^(n-1)) for exponential
 * backoff, initialDelay * n for linear, initialDelay for fixed; jitter adds up to that share of it.
 * Within one transaction the wait holds what the run has locked; it can be cancelled, and the run's
 * time-out binds it. In an atomic workflow retries are immediate.
 */
#include "postgres.h"

#include <math.h>

#include "base/clock.h"
#include "common/pg_prng.h"
#include "engine/deadline.h"
#include "engine/step.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

/* `40001`, or a class such as `40*`. */
static bool
code_matches(const char *pattern, const char *code)
{
	int			len = strlen(pattern);

	if (len > 0 && pattern[len - 1] == '*')
		return strncmp(pattern, code, len - 1) == 0;
	return strcmp(pattern, code) == 0;
}

static bool
any_matches(int n, const char **patterns, const char *code)
{
	for (int i = 0; i < n; i++)
		if (code_matches(patterns[i], code))
			return true;
	return false;
}

static int64
delay_ms(const WfRetry *retry, int attempt)
{
	double		delay = retry->initial_delay_ms;

	if (retry->backoff == WF_BACKOFF_LINEAR)
		delay *= attempt;
	else if (retry->backoff == WF_BACKOFF_EXPONENTIAL)
		delay *= pow(retry->multiplier, attempt - 1);
	if (retry->max_delay_ms > 0 && delay > retry->max_delay_ms)
		delay = retry->max_delay_ms;
	if (retry->jitter > 0)
		delay += delay * retry->jitter * pg_prng_double(&pg_global_prng_state);
	return (int64) Min(delay, 1e12);
}

bool
wf_policy_retries(const WfNode *node, const WfError *error, int attempt, TimestampTz first_started_at)
{
	const WfRetry *retry = &node->retry;

	if (attempt >= retry->max_attempts)
		return false;
	if (any_matches(retry->n_stop_on, retry->stop_on, error->code))
		return false;
	if (retry->n_retry_on > 0 && !any_matches(retry->n_retry_on, retry->retry_on, error->code))
		return false;
	if (retry->max_elapsed_ms > 0 &&
		(wf_clock_now() - first_started_at) / 1000 + delay_ms(retry, attempt) > retry->max_elapsed_ms)
		return false;
	return true;
}

void
wf_policy_wait(Run *run, const WfNode *node, int attempt)
{
	int64		delay = run->activation->compiled->graph->settings.atomic ? 0 : delay_ms(&node->retry, attempt);
	TimestampTz until = TimestampTzPlusMilliseconds(wf_clock_now(), delay);

	while (delay > 0)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(delay, 60000), PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
		delay = (until - wf_clock_now()) / 1000;
	}
}
