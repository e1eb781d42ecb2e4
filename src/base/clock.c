/*
 * clock.c: the one place that asks what time it is.
 */
#include "postgres.h"

#include "base/clock.h"
#include "utils/timestamp.h"

TimestampTz
wf_clock_now(void)
{
	return GetCurrentTimestamp();
}
