/*
 * clock.h: time as an interface, so that tests can replace it.
 */
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Now, in microseconds as PostgreSQL counts them. */
extern TimestampTz wf_clock_now(void);

/* Is the time ahead? One that is further than that is of a clock which was set back meanwhile, and says nothing. */
extern bool wf_clock_is_ahead(TimestampTz at, TimestampTz now, long most_ms);

#ifdef WF_TESTING
/* What tests move the clock by; NULL where the library was not preloaded. */
extern volatile int64 *wf_clock_offset_us;
#endif

#endif
