/*
 * task.c: work for people: wf_complete_task, wf_claim_task, wf_unclaim_task, wf_delegate_task, wf_comment_task.
 *
 * 1. A task without assignees is for every member who may complete tasks; else for who has the rights of one of the roles
 *    that are named. One that somebody has claimed, or that was delegated, is for who has the rights of that role.
 * 2. The first outcome needs a quorum of persons; any other decides at once. A person, which is to say current_user,
 *    decides once, and with allowSelf false not about a run that it started.
 * 3. The row of the task is locked meanwhile: of two who complete it, the second one finds it done.
 * 4. What came of it goes to the run as a message, in the caller's transaction.
 */
#include "postgres.h"

#include "api/api.h"
#include "api/record.h"
#include "base/clock.h"
#include "base/compat.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "schema/schema.h"
#include "store/task.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define COMMENT_BYTES 16384
#define MOST_FORM_ERRORS 20

static const char *
my_name(void)
{
	return GetUserNameFromId(GetUserId(), false);
}

/* Whether current_user has the rights of a role, if there is such a role. */
static bool
acts_as(const char *role_name)
{
	Oid			role = get_role_oid(role_name, true);

	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}

/* The elements of a text[] as C strings. */
static char **
texts(ArrayType *array, int *n)
{
	Datum	   *values;
	bool	   *nulls;
	char	  **items;

	*n = 0;
	if (array == NULL)
		return NULL;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, n);
	items = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		items[i] = nulls[i] ? "" : TextDatumGetCString(values[i]);
	return items;
}

static bool
is_assignee(const WfTask *task)
{
	int			n;
	char	  **roles = texts(task->assignees, &n);
	bool		found = n == 0;

	for (int i = 0; i < n && !found; i++)
		found = acts_as(roles[i]);
	return found;
}

/* Is the task for current_user? */
static bool
is_mine(const WfTask *task)
{
	return task->claimed_by != NULL ? acts_as(task->claimed_by) : is_assignee(task);
}

/* The task, locked; NULL: there is none, or not for current_user. */
static WfTask *
lock_task(const WfTenant *tenant, const pg_uuid_t *task_id)
{
	return wf_store_allows_task(tenant, WF_TASK_COMPLETE, task_id) ? wf_store_lock_task(&tenant->tenant_id, task_id) : NULL;
}

/* An approval that is open, locked; NULL for anything else. */
static WfTask *
open_approval(const pg_uuid_t *task_id)
{
	WfTenant	tenant;
	WfTask	   *task;

	wf_store_require_some(WF_TASK_COMPLETE, &tenant);
	task = lock_task(&tenant, task_id);
	if (task == NULL || strcmp(task->kind, "approval") != 0 || strcmp(task->status, "open") != 0)
		return NULL;
	return task;
}

/* -- completing -- */

/* The task that is to be completed; throws 22023 when there is none such, WF014 when it is closed. */
static WfTask *
task_to_complete(const WfTenant *tenant, const pg_uuid_t *task_id)
{
	WfTask	   *task = lock_task(tenant, task_id);
	char	   *id = DatumGetCString(DirectFunctionCall1(uuid_out, UUIDPGetDatum(task_id)));

	if (task == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("task %s does not exist", id)));
	if (strcmp(task->kind, "approval") != 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("task %s is for an external worker", id),
						errhint("Who has leased it with wf_poll_tasks() finishes it with wf_finish_task().")));
	if (strcmp(task->status, "open") != 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("task %s is %s", id, strcmp(task->status, "done") == 0 ? "done already" : task->status)));
	return task;
}

/* Throws 42501 when the task is not current_user's to decide. */
static void
check_person(const WfTask *task)
{
	if (!task->allow_self && task->started_by == GetUserId())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" may not decide about a run that it started", my_name())));
	if (is_mine(task))
		return;
	if (task->claimed_by != NULL && is_assignee(task))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("the task is claimed by role \"%s\"", task->claimed_by)));
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("the task is not assigned to role \"%s\"", my_name())));
}

/* The outcome's place among those of the task; throws 22023 when it is none of them. */
static int
place_of_outcome(const WfTask *task, const char *outcome)
{
	int			n;
	char	  **outcomes = texts(task->outcomes, &n);
	const char *hint;

	for (int i = 0; i < n; i++)
		if (strcmp(outcomes[i], outcome) == 0)
			return i;
	hint = wf_text_did_you_mean(wf_text_clip(outcome), (const char *const *) outcomes, n);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown outcome \"%s\"", wf_text_clip(outcome)), hint != NULL ? errhint("%s", hint) : 0));
	return -1;
}

/* Throws 22023 with what is wrong with the data. */
static void
check_form(const WfTask *task, const Jsonb *data)
{
	WfSchema   *schema;
	WfSchemaError problem;
	JsonbValue	root;
	List	   *errors = NIL;
	StringInfoData detail;
	ListCell   *cell;

	if (task->form == NULL)
		return;
	schema = wf_schema_compile(task->form, 0, NULL, WF_SCHEMA_ASSERT_FORMAT, &problem);
	if (schema == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_DEFINITION_INVALID),
						errmsg("the task's form is no valid JSON Schema"), errdetail("%s", problem.message)));
	wf_json_root(data, &root);
	if (wf_schema_validate(schema, &root, &errors, MOST_FORM_ERRORS))
		return;
	initStringInfo(&detail);
	foreach(cell, errors)
	{
		const WfSchemaError *error = lfirst(cell);

		appendStringInfo(&detail, "%s%s: %s", detail.len > 0 ? "\n" : "",
						 error->instance_path[0] == '\0' ? "data" : error->instance_path, error->message);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("data does not fit the task's form"), errdetail_internal("%s", detail.data)));
}

/* How many decided for the outcome so far; throws WF014 when current_user has decided. */
static int
count_decisions(const WfTask *task, const char *outcome)
{
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	decision;
	WfJsonIter	it;
	int			n = 0;

	wf_json_root(task->decisions, &root);
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &decision))
	{
		char	   *by = wf_json_get_cstring(&decision, "by");
		char	   *theirs = wf_json_get_cstring(&decision, "outcome");

		if (by != NULL && strcmp(by, my_name()) == 0)
			ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE), errmsg("role \"%s\" has decided already", by)));
		n += theirs != NULL && strcmp(theirs, outcome) == 0 ? 1 : 0;
	}
	return n;
}

/* {"outcome", "data", "by", "at"}, into an object that has begun */
static void
put_decision(WfJsonWriter *w, const char *outcome, const Jsonb *data, TimestampTz now)
{
	wf_json_put_field_cstring(w, "outcome", outcome);
	wf_json_key(w, "data", 4);
	wf_json_put_jsonb(w, data);
	wf_json_put_field_cstring(w, "by", my_name());
	wf_json_put_field_cstring(w, "at", wf_api_time_text(now));
}

static Jsonb *
decision(const char *outcome, const Jsonb *data, TimestampTz now)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	put_decision(w, outcome, data, now);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* An array with one more element. */
static Jsonb *
appended(const Jsonb *array, const Jsonb *element)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	wf_json_begin_array(w);
	wf_json_root(array, &root);
	wf_json_iter_begin(&it, &root);
	while (wf_json_iter_next(&it, &key, &value))
		wf_json_put(w, &value);
	wf_json_put_jsonb(w, element);
	wf_json_end_array(w);
	return wf_json_finish(w);
}

/* {"status", "outcome", "data", "by", "at", "decisions", "quorum"} */
static Jsonb *
answer(const WfTask *task, const char *outcome, const Jsonb *data, TimestampTz now)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	decisions;

	wf_json_root(task->decisions, &decisions);
	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "status", task->status);
	put_decision(w, outcome, data, now);
	wf_json_put_field_int64(w, "decisions", wf_json_count(&decisions));
	wf_json_put_field_int64(w, "quorum", task->quorum);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
complete(const pg_uuid_t *task_id, const char *outcome, const Jsonb *data)
{
	WfTenant	tenant;
	WfTask	   *task;
	TimestampTz now;
	Jsonb	   *made;
	int			place;
	int			n;

	wf_store_require_some(WF_TASK_COMPLETE, &tenant);
	task = task_to_complete(&tenant, task_id);
	check_person(task);
	place = place_of_outcome(task, outcome);
	n = count_decisions(task, outcome);
	check_form(task, data);
	now = wf_clock_now();
	made = decision(outcome, data, now);
	task->decisions = appended(task->decisions, made);
	if (place > 0 || n + 1 >= task->quorum)
	{
		task->status = "done";
		wf_store_answer_task(task, "result", made);
	}
	else
		task->claimed_by = NULL;	/* others are to decide */
	wf_store_update_task(task);
	wf_api_record_decision(task, outcome, data, now);
	return answer(task, outcome, data, now);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_complete_task);

Datum
wf_sql_complete_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	char	   *outcome = wf_api_text(fcinfo, 1, "outcome");
	Jsonb	   *data = wf_api_jsonb_or_empty(fcinfo, 2);
	MemoryContext memory = CurrentMemoryContext;
	Jsonb	   *result;
	JsonbValue	root;

	PreventCommandIfReadOnly("wf_complete_task()");
	wf_store_catch_up();
	SPI_connect();
	wf_json_root(complete(task_id, outcome, data), &root);
	MemoryContextSwitchTo(memory);
	result = wf_json_copy(&root);
	SPI_finish();
	PG_RETURN_JSONB_P(result);
}

/* -- claiming and the like -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_claim_task);

/* True when the task is current_user's by now; false when it is somebody else's, not assigned to it, or not open. */
Datum
wf_sql_claim_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	WfTask	   *task;
	bool		done;

	PreventCommandIfReadOnly("wf_claim_task()");
	wf_store_catch_up();
	SPI_connect();
	task = open_approval(task_id);
	done = task != NULL && is_mine(task);
	if (done)
	{
		wf_api_record_task(task, "task.claim", task->claimed_by, my_name());
		task->claimed_by = my_name();
		wf_store_update_task(task);
	}
	SPI_finish();
	PG_RETURN_BOOL(done);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_unclaim_task);

/* True when current_user had claimed it, or it was delegated to it. */
Datum
wf_sql_unclaim_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	WfTask	   *task;
	bool		done;

	PreventCommandIfReadOnly("wf_unclaim_task()");
	wf_store_catch_up();
	SPI_connect();
	task = open_approval(task_id);
	done = task != NULL && task->claimed_by != NULL && acts_as(task->claimed_by);
	if (done)
	{
		wf_api_record_task(task, "task.unclaim", task->claimed_by, NULL);
		task->claimed_by = NULL;
		wf_store_update_task(task);
	}
	SPI_finish();
	PG_RETURN_BOOL(done);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_delegate_task);

/* True when it was current_user's and is the other role's now; throws 42704 when there is no such role. */
Datum
wf_sql_delegate_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	WfTask	   *task;
	bool		done;

	wf_api_not_null(fcinfo, 1, "to_role");
	PreventCommandIfReadOnly("wf_delegate_task()");
	wf_store_catch_up();
	SPI_connect();
	task = open_approval(task_id);
	done = task != NULL && is_mine(task);
	if (done)
	{
		(void) get_role_oid(NameStr(*PG_GETARG_NAME(1)), false);
		wf_api_record_task(task, "task.delegate", task->claimed_by, NameStr(*PG_GETARG_NAME(1)));
		task->claimed_by = NameStr(*PG_GETARG_NAME(1));
		wf_store_update_task(task);
	}
	SPI_finish();
	PG_RETURN_BOOL(done);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_comment_task);

/* True when the task is there, open or not. */
Datum
wf_sql_comment_task(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *task_id = wf_api_uuid(fcinfo, 0, "task_id");
	char	   *comment = wf_api_text(fcinfo, 1, "comment");
	WfTenant	tenant;
	WfTask	   *task;

	if (comment[0] == '\0' || strlen(comment) > COMMENT_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"comment\" must have 1 to %d bytes", COMMENT_BYTES)));
	PreventCommandIfReadOnly("wf_comment_task()");
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_TASK_COMPLETE, &tenant);
	task = lock_task(&tenant, task_id);
	if (task != NULL)
	{
		WfJsonWriter *w = wf_json_writer_begin();

		wf_json_begin_array(w);
		wf_json_begin_object(w);
		wf_json_put_field_cstring(w, "by", my_name());
		wf_json_put_field_cstring(w, "at", wf_api_time_text(wf_clock_now()));
		wf_json_put_field_cstring(w, "comment", comment);
		wf_json_end_object(w);
		wf_json_end_array(w);
		wf_store_comment_task(task, wf_json_finish(w));
	}
	SPI_finish();
	PG_RETURN_BOOL(task != NULL);
}
