/*
 * lease.c: work for external workers: wf_poll_tasks, wf_finish_task, wf_fail_task, wf_heartbeat.
 *
 * A lease is held by the role that polled, until its time is up, and is known by its attempt number: who has lost one
 * is told so (false) and changes nothing. What is finished or failed goes to the run as a message, in the caller's
 * transaction, so that a worker may change its own tables with it.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/clock.h"
#include "base/compat.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/task.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define QUEUE_BYTES 255
#define MOST_TASKS 1000

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_poll_tasks);

/* wf_poll_tasks(queue, max, lease): task_id, run_id, payload, attempt; the most urgent first. */
Datum
wf_sql_poll_tasks(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *queue = wf_api_text(fcinfo, 0, "queue");
	int64		lease_ms = wf_api_interval_ms(fcinfo, 2, "lease");
	WfTenant	tenant;
	ListCell   *cell;

	wf_api_not_null(fcinfo, 1, "max");
	if (PG_GETARG_INT32(1) < 1 || PG_GETARG_INT32(1) > MOST_TASKS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"max\" must be from 1 to %d", MOST_TASKS)));
	if (queue[0] == '\0' || strlen(queue) > QUEUE_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"queue\" must have 1 to %d bytes", QUEUE_BYTES)));
	if (lease_ms == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"lease\" must be greater than zero")));
	PreventCommandIfReadOnly("wf_poll_tasks()");
	InitMaterializedSRF(fcinfo, 0);
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_TASK_COMPLETE, &tenant);
	foreach(cell, wf_store_poll_tasks(&tenant.tenant_id, queue, PG_GETARG_INT32(1), lease_ms,
									  GetUserNameFromId(GetUserId(), false), wf_store_allowed(&tenant, WF_TASK_COMPLETE)))
	{
		WfLease    *lease = lfirst(cell);
		Datum		values[4];
		bool		nulls[4] = {0};

		values[0] = UUIDPGetDatum(&lease->task_id);
		values[1] = UUIDPGetDatum(&lease->run_id);
		values[2] = PointerGetDatum(lease->payload);
		nulls[2] = lease->payload == NULL;
		values[3] = Int32GetDatum(lease->attempt);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* The task of which current_user has the lease, locked; NULL when it does not, or not that of this attempt (0: any). */
static WfTask *
leased(const pg_uuid_t *task_id, int attempt)
{
	WfTenant	tenant;
	WfTask	   *task;

	wf_store_require_some(WF_TASK_COMPLETE, &tenant);
	if (!wf_store_allows_task(&tenant, WF_TASK_COMPLETE, task_id))
		return NULL;
	task = wf_store_lock_task(&tenant.tenant_id, task_id);
	if (task == NULL || strcmp(task->kind, "task") != 0 || strcmp(task->status, "open") != 0)
		return NULL;
	if (task->claimed_by == NULL || strcmp(task->claimed_by, GetUserNameFromId(GetUserId(), false)) != 0)
		return NULL;
	if (task->lease_until <= wf_clock_now() || (attempt != 0 && attempt != task->attempt))
		return NULL;
	return task;
}

static int
attempt_of(FunctionCallInfo fcinfo, int i)
{
	if (PG_ARGISNULL(i))
		return 0;
	if (PG_GETARG_INT32(i) < 1)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"attempt\" must be greater than zero")));
	return PG_GETARG_INT32(i);
}

/* Closes the task and tells its run. */
static void
close_task(WfTask *task, const char *key, const Jsonb *value)
{
	wf_store_answer_task(task, key, value);
	task->status = "done";
	wf_store_update_task(task);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_finish_task);

Datum
wf_sql_finish_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	Jsonb	   *result = PG_ARGISNULL(1) ? wf_json_null() : PG_GETARG_JSONB_P(1);
	int			attempt = attempt_of(fcinfo, 2);
	WfTask	   *task;

	PreventCommandIfReadOnly("wf_finish_task()");
	wf_store_catch_up();
	SPI_connect();
	task = leased(task_id, attempt);
	if (task != NULL)
		close_task(task, "result", result);
	SPI_finish();
	PG_RETURN_BOOL(task != NULL);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_fail_task);

/* What may be tried again can be leased at once; else the run gets the error. */
Datum
wf_sql_fail_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	Jsonb	   *error = wf_api_jsonb_or_empty(fcinfo, 1);
	bool		retryable = PG_ARGISNULL(2) || PG_GETARG_BOOL(2);
	int			attempt = attempt_of(fcinfo, 3);
	WfTask	   *task;

	PreventCommandIfReadOnly("wf_fail_task()");
	wf_store_catch_up();
	SPI_connect();
	task = leased(task_id, attempt);
	if (task != NULL && retryable && (task->max_attempts == 0 || task->attempt < task->max_attempts))
	{
		task->claimed_by = NULL;
		task->lease_until = 0;
		wf_store_update_task(task);
	}
	else if (task != NULL)
		close_task(task, "failed", error);
	SPI_finish();
	PG_RETURN_BOOL(task != NULL);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_heartbeat);

/* The lease lasts this long from now on. */
Datum
wf_sql_heartbeat(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	int64		lease_ms = wf_api_interval_ms(fcinfo, 1, "lease");
	WfTask	   *task;

	PreventCommandIfReadOnly("wf_heartbeat()");
	wf_store_catch_up();
	SPI_connect();
	task = leased(task_id, 0);
	if (task != NULL)
	{
		task->lease_until = Max(task->lease_until, wf_clock_now() + lease_ms * 1000);
		wf_store_update_task(task);
	}
	SPI_finish();
	PG_RETURN_BOOL(task != NULL);
}
