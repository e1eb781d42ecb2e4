/*
 * error.c: errors as values.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

static const char *
copy_or_null(const char *text)
{
	return text == NULL ? NULL : pstrdup(text);
}

WfError *
wf_error_from_data(const ErrorData *data)
{
	WfError    *error = palloc0(sizeof(WfError));

	error->sqlstate = data->sqlerrcode;
	error->code = pstrdup(unpack_sql_state(data->sqlerrcode));
	error->message = pstrdup(data->message != NULL ? data->message : "unknown error");
	error->detail = copy_or_null(data->detail);
	error->hint = copy_or_null(data->hint);
	error->context = copy_or_null(data->context);
	return error;
}

WfError *
wf_error_make(int sqlstate, const char *hint, const char *fmt, ...)
{
	WfError    *error = palloc0(sizeof(WfError));
	StringInfoData message;

	initStringInfo(&message);
	WF_APPEND_ARGS(&message, fmt);
	error->sqlstate = sqlstate;
	error->code = pstrdup(unpack_sql_state(sqlstate));
	error->message = message.data;
	error->hint = copy_or_null(hint);
	return error;
}

WfError *
wf_error_copy(const WfError *error, MemoryContext memory)
{
	MemoryContext old = MemoryContextSwitchTo(memory);
	WfError    *copy = palloc(sizeof(WfError));

	*copy = *error;
	copy->code = copy_or_null(error->code);
	copy->message = copy_or_null(error->message);
	copy->detail = copy_or_null(error->detail);
	copy->hint = copy_or_null(error->hint);
	copy->context = copy_or_null(error->context);
	copy->node = copy_or_null(error->node);
	if (error->details != NULL)
	{
		copy->details = palloc(sizeof(JsonbValue));
		wf_json_root(wf_json_copy(error->details), copy->details);
	}
	MemoryContextSwitchTo(old);
	return copy;
}

void
wf_error_raise(const WfError *error)
{
	ereport(ERROR, (errcode(error->sqlstate), errmsg("%s", error->message),
					error->detail ? errdetail("%s", error->detail) : 0,
					error->hint ? errhint("%s", error->hint) : 0));
	pg_unreachable();
}

Jsonb *
wf_error_to_json(const WfError *error)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "code", error->code);
	wf_json_put_field_cstring(w, "message", error->message);
	wf_json_put_field_cstring(w, "node", error->node);
	wf_json_key(w, "step", 4);
	if (error->step > 0)
		wf_json_put_int64(w, error->step);
	else
		wf_json_put_null(w);
	wf_json_put_field_cstring(w, "detail", error->detail);
	wf_json_put_field_cstring(w, "hint", error->hint);
	wf_json_put_field_int64(w, "attempt", Max(error->attempt, 1));
	if (error->details != NULL)
		wf_json_put_field(w, "details", error->details);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

bool
wf_error_is_fatal(int sqlstate)
{
	switch (sqlstate)
	{
		case ERRCODE_QUERY_CANCELED:
		case ERRCODE_ADMIN_SHUTDOWN:
		case ERRCODE_CRASH_SHUTDOWN:
		case ERRCODE_CANNOT_CONNECT_NOW:
		case ERRCODE_DATABASE_DROPPED:
		case ERRCODE_IDLE_SESSION_TIMEOUT:
		case ERRCODE_IDLE_IN_TRANSACTION_SESSION_TIMEOUT:
		case ERRCODE_OUT_OF_MEMORY:
			return true;
		default:
			return false;
	}
}

bool
wf_error_is_sqlstate(const char *code)
{
	return code != NULL && strlen(code) == 5 && strspn(code, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5;
}
