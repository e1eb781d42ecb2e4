/*
 * gate_quota.h: gates of tenants whose runs at once are bounded. Private to this room.
 */
#ifndef WF_STORE_GATE_QUOTA_H
#define WF_STORE_GATE_QUOTA_H

#include "postgres.h"
#include "utils/array.h"

/* Tenants (uuid[]) of which starts wait, and whose quotas say how many runs there may be at once. */
extern ArrayType *wf_store_bound_tenants(void);
/* Lets through what has room at its gate and in the quotas of its tenant and those above; how many. *some_are_locked: set when more
 * might go, but somebody is at them. The caller lets nobody else do so until its transaction ends. */
extern int	wf_store_open_bound(ArrayType *tenants, bool *some_are_locked);

#endif
