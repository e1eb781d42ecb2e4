/*
 * gate_quota.h: gates of tenants whose runs at once are bounded. Private to this room.
 */
#ifndef WF_STORE_GATE_QUOTA_H
#define WF_STORE_GATE_QUOTA_H

#include "postgres.h"

/* Lets through what has room at its gate and in the quotas of its tenant and those above; how many. *some_are_locked: set when more
 * might go, but somebody is at them. The caller lets nobody else do so until its transaction ends. */
extern int	wf_store_open_bound(bool *some_are_locked);

#endif
