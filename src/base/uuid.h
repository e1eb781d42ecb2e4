/*
 * uuid.h: time-ordered identifiers (version 7, RFC 9562).
 */
#ifndef WF_BASE_UUID_H
#define WF_BASE_UUID_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* A new one in `out`: 48 bits of milliseconds, 12 bits of sub-millisecond order, 62 random bits;
 * each is greater than the last that this backend made. Throws when no randomness can be had. */
extern void wf_uuid_make(pg_uuid_t *out);

/* Sets the milliseconds of an identifier to those of a time. */
extern void wf_uuid_set_time(pg_uuid_t *id, TimestampTz time);
/* The time of an identifier, to the millisecond. */
extern TimestampTz wf_uuid_time(const pg_uuid_t *id);

/* Reads an identifier of any version from its usual text, in lower case. False when it is none; `out` is zero then, or in part. */
extern bool wf_uuid_read(const char *text, pg_uuid_t *out);

#endif
