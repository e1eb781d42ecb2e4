/*
 * clock.h: time as an interface, so that tests can replace it.
 */
#ifndef WF_BASE_CLOCK_H
#define WF_BASE_CLOCK_H

#include "postgres.h"
#include "datatype/timestamp.h"

/* Now, in microseconds as PostgreSQL counts them. */
extern TimestampTz wf_clock_now(void);

#endif
