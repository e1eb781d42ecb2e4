/*
 * saved.c: what the states of several blocks have in common when they are written and read.
 */
#include "postgres.h"

#include "base/compat.h"
#include "base/text.h"
#include "block/saved.h"
#include "block/support.h"
#include "lib/stringinfo.h"

void
wf_block_saved_refuse(const WfNode *node, const char *fmt, ...)
{
	StringInfoData reason;

	initStringInfo(&reason);
	WF_APPEND_ARGS(&reason, fmt);
	ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
					errmsg("node \"%s\" cannot go on with its saved state: %s", node->id, reason.data),
					errhint("The run was suspended within the node by another version of the workflow; let it go on with that one.")));
	pg_unreachable();
}

int64
wf_block_saved_int(const JsonbValue *saved, const char *key, int64 otherwise)
{
	JsonbValue	value;
	int64		number;

	return wf_json_field(saved, key, &value) && wf_json_int64(&value, &number) ? number : otherwise;
}

int64
wf_block_saved_need_int(const WfNode *node, const JsonbValue *saved, const char *key)
{
	JsonbValue	value;
	int64		number;

	if (!wf_json_field(saved, key, &value) || !wf_json_int64(&value, &number))
		wf_block_saved_refuse(node, "\"%s\" is missing", key);
	return number;
}

bool
wf_block_saved_bool(const JsonbValue *saved, const char *key)
{
	JsonbValue	value;

	return wf_json_field(saved, key, &value) && value.type == jbvBool && value.val.boolean;
}

bool
wf_block_saved_is(const JsonbValue *saved, const char *key, const char *value)
{
	char	   *text = wf_json_get_cstring(saved, key);

	return text != NULL && strcmp(text, value) == 0;
}

/* As `$error` has it, and what that leaves out. */
void
wf_block_save_error(WfJsonWriter *w, const WfError *error)
{
	wf_json_begin_object(w);
	wf_json_key(w, "error", 5);
	wf_json_put_jsonb(w, wf_error_to_json(error));
	wf_json_put_field_int64(w, "sqlstate", error->sqlstate);
	if (error->context != NULL)
		wf_json_put_field_cstring(w, "context", error->context);
	wf_json_end_object(w);
}

WfError *
wf_block_load_error(const JsonbValue *saved)
{
	WfError    *error = palloc0(sizeof(WfError));
	JsonbValue	json;
	JsonbValue	details;

	error->sqlstate = (int) wf_block_saved_int(saved, "sqlstate", WF_ERRCODE_NODE_FAILED);
	error->context = wf_json_get_cstring(saved, "context");
	error->code = "WF003";
	error->message = "node failed";
	if (!wf_json_field(saved, "error", &json) || !wf_json_is_object(&json))
		return error;
	if (wf_json_get_cstring(&json, "code") != NULL)
		error->code = wf_json_get_cstring(&json, "code");
	if (wf_json_get_cstring(&json, "message") != NULL)
		error->message = wf_json_get_cstring(&json, "message");
	error->detail = wf_json_get_cstring(&json, "detail");
	error->hint = wf_json_get_cstring(&json, "hint");
	error->node = wf_json_get_cstring(&json, "node");
	error->step = wf_block_saved_int(&json, "step", 0);
	error->attempt = (int) wf_block_saved_int(&json, "attempt", 1);
	if (wf_json_field(&json, "details", &details))
	{
		error->details = palloc(sizeof(JsonbValue));
		wf_block_keep(&details, error->details);
	}
	return error;
}
