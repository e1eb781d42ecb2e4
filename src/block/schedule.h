/*
 * schedule.h: what the config of a trigger.schedule says, and when that is due; for the engine, which fires it.
 */
#ifndef WF_BLOCK_SCHEDULE_H
#define WF_BLOCK_SCHEDULE_H

#include "postgres.h"
#include "base/cron.h"
#include "base/diagnostics.h"
#include "base/json.h"
#include "graph/graph.h"

typedef enum WfOverlap
{
	WF_OVERLAP_SKIP,			/* nothing is started while the run before is alive */
	WF_OVERLAP_QUEUE,			/* runs wait for each other */
	WF_OVERLAP_ALLOW,
} WfOverlap;

typedef struct WfSchedule
{
	WfCron	   *cron;
	pg_tz	   *zone;
	TimestampTz start;			/* DT_NOBEGIN: none */
	TimestampTz end;			/* DT_NOEND: none; due times are no later */
	WfOverlap	overlap;
	int64		catch_up_ms;	/* what is found later than that is dropped */
} WfSchedule;

/* What is wrong with one; all in CurrentMemoryContext. */
typedef struct WfScheduleProblem
{
	const char *key;			/* of the config */
	const char *message;
	const char *hint;			/* or NULL */
} WfScheduleProblem;

/* Reads a config that matches the block's schema, in CurrentMemoryContext. False: `problem` says why. */
extern bool wf_schedule_read(const Jsonb *config, WfSchedule *out, WfScheduleProblem *problem);
/* The first due time after an instant, within start and end; false: never. */
extern bool wf_schedule_next(const WfSchedule *schedule, TimestampTz after, TimestampTz *next);
/* Are both due at the same times? */
extern bool wf_schedule_same_times(const Jsonb *a, const Jsonb *b);
/* The run's input, {scheduledAt, firedAt}, with offsets of the schedule's zone; in CurrentMemoryContext. */
extern Jsonb *wf_schedule_input(const WfSchedule *schedule, TimestampTz at, TimestampTz now);
/* Reports a schedule that is never due any more. One that is wrong otherwise was reported when it was compiled. */
extern void wf_schedule_check(const WfNode *node, TimestampTz now, WfDiagnostics *found);

#endif
