/*
 * schedule.c: runs that schedules start.
 *
 * 1. wf.schedule has when each installed schedule is due next. Whoever fires them, the keeper or wf.fire_schedules(), locks the row,
 *    starts the runs, and moves the time on, in one transaction: no time is fired for twice, after a crash neither, nor with
 *    two who fire. What another one has locked is left to it.
 * 2. What was due while nobody was there to fire it is made up for, the oldest first, if it is no longer ago than `catchUp`.
 *    What is older is dropped, and counted.
 * 3. A start that fails is noted (fire.c), and the next time is waited for: each has a subtransaction. Errors that say nothing of the
 *    schedule (locks, lack of space, shutdown) are thrown on: it is tried again.
 * 4. Nothing of a tenant's is executed or compiled here, but settings.concurrencyKey, an expression over the input.
 * 5. A schedule that comes to be installed is due from then on. One that was installed before, with the same times, goes on as if nothing
 *    had happened.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/fired.h"
#include "base/subtransaction.h"
#include "base/wake.h"
#include "block/schedule.h"
#include "engine/triggers.h"
#include "miscadmin.h"
#include "store/schedule.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#define MOST_COUNTED 100000		/* due times that were missed, at a time */
#define CLOCK_BACK_MS (3600 * 1000L)	/* a clock set back by no more does not make times due that were */

/* -- firing -- */

/* One schedule that is due. */
typedef struct Due
{
	WfScheduleRow *row;
	WfTriggerRow *trigger;
	WfSchedule	schedule;
	TimestampTz now;
	bool		is_quiet;		/* the tenant is not active: what is due is left out */
	int			n;				/* due times that were dealt with */
} Due;

/* Does the error say nothing of what was tried? */
static bool
is_of_the_server(int sqlstate)
{
	switch (ERRCODE_TO_CATEGORY(sqlstate))
	{
		case ERRCODE_TRANSACTION_ROLLBACK:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_SYSTEM_ERROR:
			return true;
		default:
			return sqlstate == ERRCODE_LOCK_NOT_AVAILABLE;
	}
}

static void
start(void *arg)
{
	Due		   *due = arg;
	WfFire		how = {0};
	WfStarted	started;
	Jsonb	   *input = wf_schedule_input(&due->schedule, due->row->next_at, due->now);

	if (due->schedule.overlap == WF_OVERLAP_QUEUE)
		how.gate = psprintf("schedule:%s", due->trigger->node);
	wf_engine_fire(due->trigger, &how, &input, 1, &started);
	if (started.is_skipped)
		due->row->n_skipped++;
	else
	{
		due->row->has_run = true;
		due->row->last_run_id = started.run_id;
	}
}

/* Starts the run; what goes wrong with it is noted. */
static void
try_start(Due *due)
{
	ErrorData  *error = wf_subtransaction(start, due);

	if (error == NULL)
		return;
	if (is_of_the_server(error->sqlerrcode))
		ReThrowError(error);
	ereport(LOG, (errcode(error->sqlerrcode),
				  errmsg("schedule \"%s\" of workflow \"%s\" did not start a run: %s", due->trigger->node, due->trigger->workflow,
						 error->message)));
	FreeErrorData(error);
}

/* The run that it started last is not over. */
static bool
is_busy(const Due *due)
{
	WfRunKey	key;

	return due->schedule.overlap == WF_OVERLAP_SKIP && due->row->has_run &&
		wf_store_is_alive(&due->row->tenant_id, &due->row->last_run_id, &key);
}

static void
advance(Due *due)
{
	TimestampTz next;

	due->row->last_at = due->row->next_at;
	due->row->next_at = wf_schedule_next(&due->schedule, due->row->last_at, &next) ? next : 0;
}

/* Is the next time due? */
static bool
is_due(const Due *due)
{
	return due->row->next_at != 0 && due->row->next_at <= due->now;
}

/* Passes over times that are too long ago. */
static void
drop_missed(Due *due)
{
	TimestampTz oldest = due->now - due->schedule.catch_up_ms * INT64CONST(1000);
	int64		n = 0;

	while (is_due(due) && due->row->next_at < oldest)
	{
		CHECK_FOR_INTERRUPTS();
		n++;
		if (n >= MOST_COUNTED)
			due->row->next_at = oldest - 1; /* enough: not one by one any more */
		advance(due);
	}
	if (n == 0)
		return;
	due->row->n_missed += n;
	ereport(LOG, (errmsg("schedule \"%s\" of workflow \"%s\" has missed more due times than it may make up for: %s" INT64_FORMAT,
						 due->trigger->node, due->trigger->workflow, n < MOST_COUNTED ? "" : "at least ", n)));
}

/* It cannot be read any more, say for a time zone that the system has lost: it is due no more, until it is installed again. */
static void
give_up(const Due *due, const WfScheduleProblem *problem)
{
	wf_fired_failed(&due->row->tenant_id, &due->row->trigger_id, "WF002", problem->message);
	ereport(LOG, (errmsg("schedule \"%s\" of workflow \"%s\" is not due any more: %s", due->trigger->node, due->trigger->workflow,
						 problem->message)));
	due->row->next_at = 0;
}

/* What is due of one schedule, at most `most` times. How many it dealt with. */
static int
fire_schedule(WfScheduleRow *row, TimestampTz now, int most)
{
	Due			due = {.row = row, .now = now};
	WfScheduleProblem problem;

	due.trigger = wf_store_find_trigger_id(&row->tenant_id, &row->trigger_id);
	due.is_quiet = wf_store_tenant_status(&row->tenant_id) != WF_TENANT_ACTIVE;
	if (due.trigger == NULL || !due.trigger->installed)
		row->next_at = 0;
	else if (!wf_schedule_read(due.trigger->config, &due.schedule, &problem))
		give_up(&due, &problem);
	else
		drop_missed(&due);
	for (; is_due(&due) && due.n < most; due.n++)
	{
		CHECK_FOR_INTERRUPTS();
		if (due.is_quiet || is_busy(&due))
			row->n_skipped++;
		else
			try_start(&due);
		WF_FAULT("schedule.fired");
		advance(&due);
	}
	wf_store_update_schedule(row);
	WF_FAULT("schedule.advanced");
	return Max(due.n, 1);
}

int
wf_engine_fire_schedules(int most, TimestampTz *next)
{
	TimestampTz now = wf_clock_now();
	int			n = 0;
	ListCell   *cell;

	foreach(cell, wf_store_lock_schedules(now, most))
	{
		if (n < most)
			n += fire_schedule(lfirst(cell), now, most - n);
	}
	*next = wf_store_next_schedule();
	return n;
}

/* -- installing -- */

static void
schedule_check(const TriggerNode *trigger, WfDiagnostics *found)
{
	wf_schedule_check(trigger->node, wf_clock_now(), found);
}

/* When it is due next, from now on. A clock that was set back a little does not make a time due again. */
static TimestampTz
first_due(const WfTriggerRow *row)
{
	WfScheduleRow *before = wf_store_find_schedule(&row->tenant_id, &row->trigger_id);
	TimestampTz now = wf_clock_now();
	WfSchedule	schedule;
	WfScheduleProblem problem;
	TimestampTz next;

	if (!wf_schedule_read(row->config, &schedule, &problem))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("schedule \"%s\" of workflow \"%s\": %s", row->node, row->workflow, problem.message),
						problem.hint != NULL ? errhint("%s", problem.hint) : 0));
	if (before != NULL && before->last_at != 0 && wf_clock_is_ahead(before->last_at, now, CLOCK_BACK_MS))
		now = before->last_at;
	return wf_schedule_next(&schedule, now, &next) ? next : 0;
}

/* Its row goes with the trigger's. */
static void
schedule_clear(const WfTriggerRow *row, const WfTriggerRow *before)
{
	if (row != NULL && row->installed)
		return;
	if (row != NULL)
		wf_store_put_schedule(&row->tenant_id, &row->trigger_id, 0, false);
	if (before->installed)
		wf_store_drop_cron_job();
}

static void
schedule_put(const WfTriggerRow *row, const WfTriggerRow *before)
{
	bool		was_installed = before != NULL && before->installed;

	if (!wf_wake_available())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("there is nobody who could fire schedule \"%s\" of workflow \"%s\"", row->node, row->workflow),
						errdetail("Schedules need the background workers, and these the library to be preloaded."),
						errhint("Add workflow to shared_preload_libraries and restart the server; or let pg_cron execute a workflow without schedule: SELECT cron.schedule('nightly', '0 3 * * *', $$SELECT wf_run('name')$$).")));
	wf_store_put_schedule(&row->tenant_id, &row->trigger_id, first_due(row),
						  was_installed && wf_schedule_same_times(row->config, before->config));
	if (!was_installed)
		wf_store_put_cron_job();
}

const TriggerKind wf_trigger_schedule_kind = {
	.type = "trigger.schedule",
	.as_owner = true,
	.check = schedule_check,
	.clear = schedule_clear,
	.put = schedule_put,
};

/* -- a look ahead -- */

static int
compare_times(const void *a, const void *b)
{
	TimestampTz one = *(const TimestampTz *) a;
	TimestampTz other = *(const TimestampTz *) b;

	return one < other ? -1 : one > other;
}

/* The next `most` times of one; how many there are. */
static int
list_times(const WfTriggerRow *row, TimestampTz now, int most, TimestampTz *out)
{
	WfSchedule	schedule;
	WfScheduleProblem problem;
	int			n = 0;

	if (!wf_schedule_read(row->config, &schedule, &problem))
		return 0;
	while (n < most && wf_schedule_next(&schedule, n == 0 ? now : out[n - 1], &out[n]))
		n++;
	return n;
}

int
wf_engine_next_runs(const WfTenant *tenant, const char *workflow, int most, TimestampTz **out)
{
	WfWorkflowRow *found = wf_store_find_workflow(&tenant->tenant_id, workflow, false);
	TimestampTz now = wf_clock_now();
	TimestampTz *times = palloc(sizeof(TimestampTz) * most * 2);
	int			n = 0;
	bool		any = false;
	ListCell   *cell;

	if (found == NULL)
		wf_engine_not_found(tenant, workflow);
	wf_engine_check_right(tenant, WF_WORKFLOW_READ, &found->workflow_id, workflow);
	foreach(cell, wf_store_triggers_of(&tenant->tenant_id, &found->workflow_id))
	{
		const WfTriggerRow *row = lfirst(cell);

		if (strcmp(row->type, "trigger.schedule") != 0)
			continue;
		CHECK_FOR_INTERRUPTS();
		any = true;
		n += list_times(row, now, most, times + n);
		qsort(times, n, sizeof(TimestampTz), compare_times);
		n = Min(n, most);
	}
	if (!any)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("workflow \"%s\" has no schedule", workflow),
						errhint("Its active version has no node of type trigger.schedule.")));
	*out = times;
	return n;
}
