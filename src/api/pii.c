/*
 * pii.c: wf_forget.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/tenant.h"
#include "base/pii.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/pii.h"
#include "utils/builtins.h"

/* A shorter text is in too much that has nothing to do with it. */
#define SHORTEST_BYTES 3

/* Throws 22023 for a value that cannot be looked for. */
static void
check_value(const Jsonb *value, bool everywhere)
{
	JsonbValue	root;
	int			len = SHORTEST_BYTES;

	wf_json_root(value, &root);
	if (root.type == jbvNull || root.type == jbvBool)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"value\" must be a string, a number, an object or an array")));
	if (root.type == jbvString)
		len = root.val.string.len;
	else if (root.type == jbvNumeric)
		len = strlen(wf_json_text(&root));
	else if (wf_json_count(&root) == 0)
		len = 0;
	if (len == 0 || (everywhere && len < SHORTEST_BYTES))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("argument \"value\" is too short to be looked for"),
						everywhere && len > 0 ? errhint("Say where it is, with a path.") : 0));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_forget);

Datum
wf_sql_forget(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	char	   *path = PG_ARGISNULL(1) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(1));
	Jsonb	   *value;
	WfTenant	tenant;
	int64		n;

	wf_api_not_null(fcinfo, 2, "value");
	value = PG_GETARG_JSONB_P(2);
	if (path != NULL && strcmp(path, "*") == 0)
		path = NULL;
	PreventCommandIfReadOnly("wf_forget()");
	wf_store_catch_up();
	SPI_connect();
	wf_api_require_manager(name, &tenant);
	check_value(value, path == NULL);
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						errmsg("wf_forget() needs the isolation level read committed"),
						errdetail("It has to see what others commit meanwhile.")));
	n = wf_store_forget(&tenant.tenant_id, path, value);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "data.forget", .object_type = "tenant", .object_id = &tenant.tenant_id,
				   .object_name = tenant.name, .after = wf_store_audit_facts("path", path == NULL ? "*" : path, "places", psprintf(INT64_FORMAT, n))});
	SPI_finish();
	PG_RETURN_INT32((int32) Min(n, PG_INT32_MAX));
}
