/*
 * quota.h: quotas of tenants (wf.tenant.quotas), and what is used of them.
 *
 * A quota binds a tenant and all below it together: what a tenant does counts for itself and for each tenant above that has the quota.
 * A tenant for which there is none pays for one look at a cache.
 */
#ifndef WF_STORE_QUOTA_H
#define WF_STORE_QUOTA_H

#include "postgres.h"
#include "base/json.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/uuid.h"

/* In the order of wf_store_quota_name. */
typedef enum WfQuota
{
	WF_QUOTA_CODE_TIME,			/* ms of the processor a minute */
	WF_QUOTA_CONCURRENT_RUNS,
	WF_QUOTA_QUEUED_RUNS,
	WF_QUOTA_REQUESTS_PER_MINUTE,
	WF_QUOTA_RUNS_PER_MINUTE,
	WF_QUOTA_STORED_BYTES,
	WF_QUOTA_WORKFLOWS,
	WF_QUOTAS
} WfQuota;

extern const char *wf_store_quota_name(WfQuota quota);

/* Of one tenant. */
typedef struct WfQuotaLevel
{
	pg_uuid_t	tenant_id;
	int64		most[WF_QUOTAS];	/* -1: it has none */
} WfQuotaLevel;

/* A tenant's, and those of the tenants above it: only such as have any. */
typedef struct WfQuotaLevels
{
	pg_uuid_t	tenant_id;
	int			n;
	const WfQuotaLevel *levels;
	uint32		any;			/* 1 << quota: one of them has it */
} WfQuotaLevels;

/* Borrowed until the next call. Needs a transaction. */
extern const WfQuotaLevels *wf_store_quotas(const pg_uuid_t *tenant_id);
/* Is there such a quota for the tenant, its own or one above? */
extern bool wf_store_has_quota(const pg_uuid_t *tenant_id, WfQuota quota);

/*
 * n runs are about to be made; is_queued: starts that wait in the queue. Takes what they use up; throws WF016 when that is too much, with
 * nothing taken. What was taken of a minute is not given back by a rollback.
 */
extern void wf_store_take_runs(const pg_uuid_t *tenant_id, int64 n, bool is_queued);
/* Of those that were taken there will be n less. */
extern void wf_store_give_back_runs(const pg_uuid_t *tenant_id, int64 n);
/* After WF016 for a quota a minute: seconds until there is room again; 0: the last one was for another. */
extern int	wf_store_quota_wait(void);

/* A request is about to be sent within the transaction; throws WF016. Only where there is shared memory. */
extern void wf_store_take_request(const pg_uuid_t *tenant_id);

/*
 * Code. The tenant's levels that have a quota for it, as they are now, in CurrentMemoryContext; NULL: there are none. Before each call it
 * throws WF016 when the minute's time is used up at one of them; after it, what it took is added, which throws nothing and reads no table.
 */
extern const WfQuotaLevels *wf_store_code_levels(const pg_uuid_t *tenant_id);
extern void wf_store_require_code_time(const WfQuotaLevels *levels);
extern void wf_store_add_code_time(const WfQuotaLevels *levels, int64 us);

/*
 * A run is executed in its caller's transaction; throws WF016 when too many are alive. Ends with wf_store_leave_run, whatever happens, or
 * with the transaction: if it goes on in the background, stays.
 */
extern void wf_store_enter_run(const pg_uuid_t *tenant_id);
extern int	wf_store_entered(void);
extern void wf_store_leave_run(int entered, bool stays);

/* The gate of starts that have none of their own, in tenants whose runs at once are bounded; and of how many. */
#define WF_TENANT_GATE "\001tenant"
#define WF_TENANT_GATE_SIZE 2000000000
/* A run that did not wait at a gate goes on in the background: it is one of those that are alive. */
extern void wf_store_enter_gate(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *gate, const pg_uuid_t *run_id);

/* A workflow is about to be made; throws WF016. Others who make one in the tenant wait until the transaction ends. */
extern void wf_store_take_workflow(const pg_uuid_t *tenant_id);

/* What a tenant and those below it have: runs that have begun in the background and not ended, starts that wait, workflows. */
extern int64 wf_store_count_alive(const pg_uuid_t *tenant_id);
extern int64 wf_store_count_queued(const pg_uuid_t *tenant_id);
extern int64 wf_store_count_workflows(const pg_uuid_t *tenant_id);
/* What is used of a level's quota now; false: it is not known. *resets_at: when some of it comes back, or 0. */
extern bool wf_store_quota_used(const WfQuotaLevel *level, WfQuota quota, int64 *used, TimestampTz *resets_at);


/* What the tenant and all below it had stored when that was measured last; what is returned may be a second old. */
extern int64 wf_store_stored_bytes(const pg_uuid_t *tenant_id);
/* Measures what the tenant has stored, and keeps it in wf.tenant_use. */
extern int64 wf_store_measure(const pg_uuid_t *tenant_id);
/* The keeper: tenants that have, or are below one that has, a quota of stored bytes, and were not measured since; ids. */
extern List *wf_store_to_measure(TimestampTz since);

#endif
