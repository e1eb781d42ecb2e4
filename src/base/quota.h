/*
 * quota.h: what tenants use of their quotas, counted in shared memory.
 *
 * Whose counter: a tenant that has the quota, by its id; the store decides which that is. Nothing here is durable: after a crash
 * minutes begin anew, and whoever is counted as within, or queues, is in the tables. Without shared_preload_libraries there are no
 * counters (wf_quota_is_shared), and the store counts otherwise. Nothing throws but for lack of memory, before anything is counted.
 */
#ifndef WF_BASE_QUOTA_H
#define WF_BASE_QUOTA_H

#include "postgres.h"
#include "datatype/timestamp.h"
#include "utils/uuid.h"

/* No quota is more: what is above counts as this. */
#define WF_QUOTA_MOST INT64CONST(2000000000)

extern bool wf_quota_is_shared(void);

/* -- so many in any minute -- */

typedef enum WfMinute
{
	WF_MINUTE_RUNS,
	WF_MINUTE_REQUESTS,
	WF_MINUTE_CODE,				/* microseconds of the processor */
	WF_MINUTES
} WfMinute;

/*
 * Takes n of the `most` that there may be in any 60 seconds; false: none is taken, and *wait_ms is when there will be room for so many
 * (the whole minute, if never). What is taken comes back after 60 to 61 seconds, also when the transaction is rolled back.
 */
extern bool wf_quota_take(const pg_uuid_t *tenant_id, WfMinute kind, int64 n, int64 most, int64 *wait_ms);
/* What was just taken was not used. */
extern void wf_quota_give_back(const pg_uuid_t *tenant_id, WfMinute kind, int64 n);
/* How many were taken within the last minute; *first_ms: until the first of them comes back. */
extern int64 wf_quota_taken(const pg_uuid_t *tenant_id, WfMinute kind, int64 *first_ms);

/*
 * What is known when it was used only: is there any room left? *wait_ms as above. Then what it came to is added, however much. Without
 * shared memory each process counts for itself.
 */
extern bool wf_quota_has_room(const pg_uuid_t *tenant_id, WfMinute kind, int64 most, int64 *wait_ms);
extern void wf_quota_add(const pg_uuid_t *tenant_id, WfMinute kind, int64 n);

/* -- so many at once -- */

/*
 * One more run is executed in its caller's transaction. Gives how many there are, with those that the keeper is just letting begin; what
 * the tables say comes on top, and is to be looked at afterwards. Ends with wf_quota_leave, or with the transaction.
 */
extern int64 wf_quota_enter(const pg_uuid_t *tenant_id);
/* What this transaction has entered so far. */
extern int	wf_quota_mark(void);
/* All that it entered since the mark is over; or (stays) when the transaction ends, since the run goes on and is in the tables then. */
extern void wf_quota_leave(int mark, bool stays);
/* How many wf_quota_enter would find. */
extern int64 wf_quota_within(const pg_uuid_t *tenant_id);

/*
 * The keeper, before it counts what the tables say: *seen is for the next. Then it asks how many of those that wait it may let begin, with
 * that count; they are counted as beginning until the transaction ends. Fewer than wanted: it is told when a run leaves.
 */
typedef struct WfQuotaSeen
{
	int64		n_within;
	int64		n_stayed;
} WfQuotaSeen;
extern void wf_quota_look(const pg_uuid_t *tenant_id, WfQuotaSeen *seen);
extern int64 wf_quota_let(const pg_uuid_t *tenant_id, const WfQuotaSeen *seen, int64 counted, int64 most, int64 wanted);

/* -- so many in a queue: what there is room for is counted in the tables now and then, and handed out -- */

typedef struct WfQuotaCount
{
	int64		n_taken;
	int64		n_unsettled;	/* of others: their transactions have not ended, or ended just now */
} WfQuotaCount;

/* Takes n places; false: that many are not known to be free. Then the caller counts, after this, and tells with wf_quota_counted. */
extern bool wf_quota_take_places(const pg_uuid_t *tenant_id, int64 n, int64 most, WfQuotaCount *count);
/* There are `counted`, those of this transaction among them; the same again. *used: how many there may be, without the n. */
extern bool wf_quota_counted(const pg_uuid_t *tenant_id, int64 n, int64 most, const WfQuotaCount *count, int64 counted, int64 *used);

/* Asks for shared memory, when preloaded; once from _PG_init. */
extern void wf_quota_init(void);

#endif
