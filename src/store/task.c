/*
 * task.c: work for people and for external workers (wf.task).
 *
 * Whoever changes a task holds the lock of its row. A task of an external worker is leased: lease_until says until when,
 * attempt counts the leases, so that who has lost one is known by the number.
 */
#include "postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/wake.h"
#include "store/direct.h"
#include "store/statements.h"
#include "store/task.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

/* Columns of wf.task, in the table's order. */
enum
{
	TASK_TENANT_ID,
	TASK_TASK_ID,
	TASK_RUN_ID,
	TASK_STEP,
	TASK_WORKFLOW_ID,
	TASK_NODE,
	TASK_KIND,
	TASK_QUEUE,
	TASK_TITLE,
	TASK_BODY,
	TASK_ASSIGNEES,
	TASK_CLAIMED_BY,
	TASK_LEASE_MS,
	TASK_LEASE_UNTIL,
	TASK_QUORUM,
	TASK_ALLOW_SELF,
	TASK_OUTCOMES,
	TASK_FORM,
	TASK_PAYLOAD,
	TASK_ESCALATE_AT,
	TASK_ESCALATE_TO,
	TASK_DECISIONS,
	TASK_COMMENTS,
	TASK_STATUS,
	TASK_ATTEMPT,
	TASK_MAX_ATTEMPTS,
	TASK_STARTED_BY,
	TASK_ROLE,
	TASK_PRIORITY,
	TASK_CREATED_AT,
	TASK_DUE_AT,
	TASK_CLOSED_AT,
	TASK_SEALED,
	TASK_COLUMNS
};

void
wf_store_insert_task(const WfTaskRow *row)
{
	Datum		values[TASK_COLUMNS] = {0};
	bool		nulls[TASK_COLUMNS] = {0};
	Datum		none = JsonbPGetDatum(wf_json_parse("[]"));

	values[TASK_TENANT_ID] = UUIDPGetDatum(&row->tenant_id);
	values[TASK_TASK_ID] = UUIDPGetDatum(&row->task_id);
	values[TASK_RUN_ID] = UUIDPGetDatum(&row->run_id);
	values[TASK_STEP] = Int32GetDatum(row->step);
	values[TASK_WORKFLOW_ID] = UUIDPGetDatum(&row->workflow_id);
	values[TASK_NODE] = CStringGetTextDatum(row->node);
	values[TASK_KIND] = CStringGetTextDatum(row->kind);
	values[TASK_QUEUE] = wf_store_text_value(row->queue, &nulls[TASK_QUEUE]);
	values[TASK_TITLE] = wf_store_text_value(row->title, &nulls[TASK_TITLE]);
	values[TASK_BODY] = wf_store_text_value(row->body, &nulls[TASK_BODY]);
	values[TASK_ASSIGNEES] = wf_store_array_value(row->assignees, &nulls[TASK_ASSIGNEES]);
	nulls[TASK_CLAIMED_BY] = true;
	values[TASK_LEASE_MS] = Int64GetDatum(row->lease_ms);
	nulls[TASK_LEASE_MS] = row->lease_ms <= 0;
	nulls[TASK_LEASE_UNTIL] = true;
	values[TASK_QUORUM] = Int32GetDatum(Max(row->quorum, 1));
	values[TASK_ALLOW_SELF] = BoolGetDatum(row->allow_self);
	values[TASK_OUTCOMES] = wf_store_array_value(row->outcomes, &nulls[TASK_OUTCOMES]);
	values[TASK_FORM] = wf_store_jsonb_value(row->form, &nulls[TASK_FORM]);
	values[TASK_PAYLOAD] = wf_store_jsonb_value(row->payload, &nulls[TASK_PAYLOAD]);
	values[TASK_ESCALATE_AT] = wf_store_time_value(row->escalate_at, &nulls[TASK_ESCALATE_AT]);
	values[TASK_ESCALATE_TO] = wf_store_array_value(row->escalate_to, &nulls[TASK_ESCALATE_TO]);
	values[TASK_DECISIONS] = none;
	values[TASK_COMMENTS] = none;
	values[TASK_STATUS] = CStringGetTextDatum("open");
	values[TASK_ATTEMPT] = Int32GetDatum(0);
	values[TASK_MAX_ATTEMPTS] = Int32GetDatum(row->max_attempts);
	values[TASK_STARTED_BY] = ObjectIdGetDatum(row->started_by);
	values[TASK_ROLE] = ObjectIdGetDatum(row->role);
	values[TASK_PRIORITY] = Int16GetDatum(row->priority);
	values[TASK_CREATED_AT] = TimestampTzGetDatum(wf_clock_now());
	values[TASK_DUE_AT] = wf_store_time_value(row->due_at, &nulls[TASK_DUE_AT]);
	nulls[TASK_CLOSED_AT] = true;
	values[TASK_SEALED] = wf_store_jsonb_value(row->sealed, &nulls[TASK_SEALED]);
	wf_store_insert_one(wf_store_table("task"), values, nulls);
	if (row->escalate_at != 0)
		wf_wake_keeper_at_commit(row->escalate_at);
}

void
wf_store_close_task(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step, const char *status)
{
	Datum		values[5] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), CStringGetTextDatum(status),
	TimestampTzGetDatum(wf_clock_now()), Int32GetDatum(step)};

	wf_store_execute(step < 0 ? WF_SQL_CLOSE_TASKS : WF_SQL_CLOSE_TASK, values, NULL);
}

bool
wf_store_reopen_task(const pg_uuid_t *tenant_id, const pg_uuid_t *run_id, int step)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(run_id), Int32GetDatum(step)};
	bool		found = wf_store_execute(WF_SQL_REOPEN_TASK, values, NULL) > 0;
	TimestampTz escalate_at = found ? wf_store_time(0, 1) : 0;

	SPI_freetuptable(SPI_tuptable);
	if (escalate_at != 0)
		wf_wake_keeper_at_commit(escalate_at);
	return found;
}

WfTask *
wf_store_lock_task(const pg_uuid_t *tenant_id, const pg_uuid_t *task_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(task_id)};
	WfTask	   *task = NULL;

	if (wf_store_execute(WF_SQL_LOCK_TASK, values, NULL) > 0)
	{
		task = palloc0(sizeof(WfTask));
		task->tenant_id = *tenant_id;
		task->task_id = *task_id;
		wf_store_uuid(0, 1, &task->run_id);
		task->step = wf_store_int(0, 2);
		task->kind = wf_store_text(0, 3);
		task->assignees = wf_store_array(0, 4);
		task->claimed_by = wf_store_text(0, 5);
		task->lease_until = wf_store_time(0, 6);
		task->quorum = wf_store_int(0, 7);
		task->allow_self = wf_store_bool(0, 8);
		task->outcomes = wf_store_array(0, 9);
		task->form = wf_store_jsonb(0, 10);
		task->decisions = wf_store_jsonb(0, 11);
		task->status = wf_store_text(0, 12);
		task->attempt = wf_store_int(0, 13);
		task->max_attempts = wf_store_int(0, 14);
		task->started_by = wf_store_oid(0, 15);
		task->role = wf_store_oid(0, 16);
		task->priority = wf_store_int(0, 17);
		task->lease_ms = wf_store_int64(0, 18);
	}
	SPI_freetuptable(SPI_tuptable);
	return task;
}

void
wf_store_update_task(const WfTask *task)
{
	enum
	{
		N = 7
	};
	Datum		values[N];
	bool		is_null[N] = {0};
	char		nulls[N];

	values[0] = UUIDPGetDatum(&task->tenant_id);
	values[1] = UUIDPGetDatum(&task->task_id);
	values[2] = wf_store_text_value(task->claimed_by, &is_null[2]);
	values[3] = wf_store_time_value(task->lease_until, &is_null[3]);
	values[4] = JsonbPGetDatum(task->decisions);
	values[5] = CStringGetTextDatum(task->status);
	values[6] = TimestampTzGetDatum(wf_clock_now());
	is_null[6] = strcmp(task->status, "open") == 0;
	for (int i = 0; i < N; i++)
		nulls[i] = is_null[i] ? 'n' : ' ';
	wf_store_execute(WF_SQL_UPDATE_TASK, values, nulls);
	WF_FAULT("task.updated");
}

void
wf_store_comment_task(const WfTask *task, Jsonb *comment)
{
	Datum		values[3] = {UUIDPGetDatum(&task->tenant_id), UUIDPGetDatum(&task->task_id), JsonbPGetDatum(comment)};

	wf_store_execute(WF_SQL_COMMENT_TASK, values, NULL);
}

void
wf_store_task_document(const WfTask *task, WfTaskDocument *document)
{
	Datum		values[2] = {UUIDPGetDatum(&task->tenant_id), UUIDPGetDatum(&task->task_id)};

	memset(document, 0, sizeof(*document));
	if (wf_store_execute(WF_SQL_TASK_DOCUMENT, values, NULL) > 0)
	{
		document->workflow = wf_store_text(0, 1);
		document->version = wf_store_int(0, 2);
		document->node = wf_store_text(0, 3);
		document->title = wf_store_text(0, 4);
		document->body = wf_store_text(0, 5);
		document->form = wf_store_jsonb(0, 6);
		document->payload = wf_store_jsonb(0, 7);
		document->is_personal = wf_store_bool(0, 8);
	}
	SPI_freetuptable(SPI_tuptable);
}

void
wf_store_answer_task(const WfTask *task, const char *key, const Jsonb *value)
{
	const WfRunKey run = {task->run_id, task->role, task->priority};
	WfMessage	message = wf_store_message(&task->tenant_id, &run, WF_MESSAGE_TASK);
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_key(w, key, strlen(key));
	wf_json_put_jsonb(w, value);
	wf_json_end_object(w);
	message.step = task->step;
	message.payload = wf_json_finish(w);
	wf_store_send(&message, 1);
	WF_FAULT("task.answered");
}

List *
wf_store_poll_tasks(const pg_uuid_t *tenant_id, const char *queue, int most, int64 lease_ms, const char *role_name,
					const ArrayType *workflows)
{
	Datum		values[7] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(queue), TimestampTzGetDatum(wf_clock_now()),
	Int32GetDatum(most), CStringGetTextDatum(role_name), Int64GetDatum(lease_ms), PointerGetDatum(workflows)};
	char		nulls[7] = {' ', ' ', ' ', ' ', ' ', ' ', workflows == NULL ? 'n' : ' '};
	uint64		n = wf_store_execute(WF_SQL_POLL_TASKS, values, nulls);
	List	   *leases = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfLease    *lease = palloc0(sizeof(WfLease));
		int			max_attempts = wf_store_int(i, 6);

		wf_store_uuid(i, 1, &lease->task_id);
		wf_store_uuid(i, 2, &lease->run_id);
		lease->payload = wf_store_jsonb(i, 3);
		lease->attempt = wf_store_int(i, 4);
		leases = lappend(leases, lease);
		if (max_attempts > 0 && lease->attempt >= max_attempts)
			wf_wake_keeper_at_commit(wf_store_time(i, 5));
	}
	SPI_freetuptable(SPI_tuptable);
	if (n > 0)
		WF_FAULT("task.leased");
	return leases;
}
