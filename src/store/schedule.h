/*
 * schedule.h: when schedules are due. Callers hold an SPI connection; results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_SCHEDULE_H
#define WF_STORE_SCHEDULE_H

#include "store/store.h"

typedef struct WfScheduleRow
{
	pg_uuid_t	tenant_id;
	pg_uuid_t	trigger_id;
	TimestampTz next_at;		/* 0: never */
	TimestampTz last_at;		/* 0: it was not due yet */
	bool		has_run;		/* last_run_id is set */
	pg_uuid_t	last_run_id;
	int64		n_missed;
	int64		n_skipped;
} WfScheduleRow;

/* Those that are due (WfScheduleRow *), at most `most`, the longest due first: locked until the transaction ends. What others
 * have locked is left out. */
extern List *wf_store_lock_schedules(TimestampTz now, int most);
/* NULL when there is none. */
extern WfScheduleRow *wf_store_find_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id);
/* Makes it or, unless `keep`, sets when it is due; 0: never. The keeper is told. */
extern void wf_store_put_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id, TimestampTz next_at, bool keep);
/* Writes what came of a locked one. */
extern void wf_store_update_schedule(const WfScheduleRow *row);
extern void wf_store_delete_schedule(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id);
/* When the next one is due, of all tenants; 0: never. */
extern TimestampTz wf_store_next_schedule(void);

/*
 * Has pg_cron, where this database has it, call wf.fire_schedules() every minute; or no longer, if no schedule is installed any
 * more. As the owner of the extension workflow. What goes wrong there is a WARNING.
 */
extern void wf_store_put_cron_job(void);
extern void wf_store_drop_cron_job(void);

#endif
