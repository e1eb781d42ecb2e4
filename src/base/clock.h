/*
 * clock.h: time as an interface, so that tests can replace it.
 */
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Now, in microseconds as PostgreSQL counts them. */
extern TimestampTz wf_clock_now(void);

#ifdef WF_TESTING
/* What tests move the clock by; NULL where the library was not preloaded. */
extern volatile int64 *wf_clock_offset_us;
#endif

#endif
