/*
 * uuid.h: time-ordered identifiers (version 7, RFC 9562).
 */
#ifndef WF_BASE_UUID_H
#define WF_BASE_UUID_H

#include "postgres.h"
#include "utils/uuid.h"

/* A new one in `out`: 48 bits of milliseconds, 12 bits of sub-millisecond order, 62 random bits;
 * each is greater than the last that this backend made. Throws when no randomness can be had. */
extern void wf_uuid_make(pg_uuid_t *out);

#endif
