/*
 * clock.c: the one place that asks what time it is.
 */
#include "postgres.h"

#include "base/clock.h"
#include "utils/timestamp.h"

#ifdef WF_TESTING
volatile int64 *wf_clock_offset_us = NULL;	/* in shared memory; fault.c sets it */

TimestampTz
wf_clock_now(void)
{
	return GetCurrentTimestamp() + (wf_clock_offset_us == NULL ? 0 : *wf_clock_offset_us);
}
#else
TimestampTz
wf_clock_now(void)
{
	return GetCurrentTimestamp();
}
#endif

bool
wf_clock_is_ahead(TimestampTz at, TimestampTz now, long most_ms)
{
	return at > now && at <= TimestampTzPlusMilliseconds(now, most_ms);
}
