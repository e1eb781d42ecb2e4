/*
 * launch.h: what the launcher's files share. Private to this room.
 */
#ifndef WF_WORKER_LAUNCH_H
#define WF_WORKER_LAUNCH_H

#include "postgres.h"
#include "postmaster/bgworker.h"
#include "worker/worker.h"

#define WF_MOST_BACKOFF_MS 60000

/* -- launch.c -- */

/* How long to wait after the n-th failure in a row. */
extern long wf_launch_backoff_ms(int n);
extern TimestampTz wf_launch_after_ms(TimestampTz now, long ms);
/* Until then nothing can be started; 0: something may be. */
extern TimestampTz wf_launch_exhausted_until(TimestampTz now);
/* A process has ended: what could not be started is tried at once. */
extern void wf_launch_place_is_free(void);

/* Reserves a slot: it is starting from now on. With the lock of process.h. */
extern void wf_launch_reserve(WfProcess *process, Oid database);
extern void wf_launch_release(WfProcess *process);
/* Starts a process for a slot that is reserved for it; NULL when the server has no place for it. The handle is in TopMemoryContext. */
extern BackgroundWorkerHandle *wf_launch_start(const char *type, const char *function, int slot, WfAssignment assignment);
/* Frees a slot whose process never came. */
extern void wf_launch_free_if_never_came(WfProcess *process, BackgroundWorkerHandle *handle, TimestampTz now);

/* -- places.c; with the lock of process.h -- */

/* How it stands with the workers that a demand is about. */
typedef struct WfPlaces
{
	int			n;				/* of the role, for all tenants; starting ones too */
	int			n_own;			/* of the role, reserved for the demand's tenant */
	int			n_idle;			/* of both */
	bool		room;			/* one more may be started that is for all tenants */
	bool		own_room;		/* one more that is reserved for the demand's tenant */
	int			free_slot;		/* of a worker whose end has been dealt with; -1: none */
} WfPlaces;

extern void wf_places_count(const WfDemand *demand, const bool *is_expected, WfPlaces *places);
/* Workers beyond what is reserved for their tenant by now leave after the turn at hand. */
extern void wf_places_drop_surplus(void);
/* Asks a worker to leave for a demand, the n-th of those that have none. */
extern void wf_places_make_room(const WfDemand *demand, int n, TimestampTz now);

/* -- databases.c -- */

/* The list of databases is to be read again. */
extern void wf_databases_are_old(void);
/* Hears what others have told, reads the list if need be, ends processes of databases that have none any more, starts
 * keepers. When to look again is brought forward in *next. Uses CurrentMemoryContext. */
extern void wf_databases_look_after(TimestampTz now, TimestampTz *next);
/* Is it one that has processes? */
extern bool wf_databases_has(Oid database);

#endif
