/*
 * deadline.c: time-outs of nodes, containers and runs.
 *
 * One timer of PostgreSQL's per backend. While a step runs it is set to the nearest deadline that
 * binds the step; when it fires it asks for a cancel of the query, exactly as statement_timeout does,
 * so that whatever runs (SQL, a sleep, a lock wait, an expression) ends at its next check for
 * interrupts with 57014. The engine then looks whether its timer had fired and which deadline has
 * passed; a 57014 that is not ours goes on to the client.
 *
 * Runs nest (a block's SQL may call wf_run): arming remembers what was armed and disarming sets it
 * again. An outer deadline that passes while an inner run is at work fires again right after.
 *
 * A cancel that is taken for one of ours (wf_deadline_take) is gone. So none is when the statement's own time-out
 * has passed too: that fires once only, and the statement would go on without it.
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "base/clock.h"
#include "engine/deadline.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

static bool registered = false;
static TimeoutId timer;
static TimestampTz armed_until = 0;
static volatile sig_atomic_t fired = false;

/* In a signal handler: flags only. */
static void
deadline_passed(void)
{
	fired = true;
	InterruptPending = true;
	QueryCancelPending = true;
	SetLatch(MyLatch);
}

/* Has statement_timeout ended the caller's statement? */
static bool
statement_timed_out(void)
{
	TimestampTz end;

	if (StatementTimeout <= 0)
		return false;
	end = get_timeout_finish_time(STATEMENT_TIMEOUT);
	return end >= GetCurrentStatementStartTimestamp() && wf_clock_now() >= end;
}

TimestampTz
wf_deadline_arm(TimestampTz deadline)
{
	TimestampTz before = armed_until;

	if (deadline == 0 || (before != 0 && before <= deadline))
		return before;
	if (!registered)
	{
		timer = RegisterTimeout(USER_TIMEOUT, deadline_passed);
		registered = true;
	}
	if (before == 0)
		fired = false;
	armed_until = deadline;
	enable_timeout_at(timer, deadline);
	return before;
}

void
wf_deadline_restore(TimestampTz before)
{
	if (armed_until == before)
		return;
	armed_until = before;
	disable_timeout(timer, false);
	if (fired)
	{
		/* it fired too late to be noticed: nothing is left to cancel */
		fired = false;
		if (!statement_timed_out())
			QueryCancelPending = false;
	}
	if (before != 0)
		enable_timeout_at(timer, before);	/* fires at once if that has passed */
}

bool
wf_deadline_fired(void)
{
	return fired && !statement_timed_out();
}

void
wf_deadline_take(void)
{
	fired = false;
}

bool
wf_deadline_is_past(TimestampTz deadline)
{
	return deadline != 0 && wf_clock_now() >= deadline;
}
