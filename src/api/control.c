/*
 * control.c: wf_cancel, wf_pause, wf_resume, wf_retry, wf_migrate, and what workers execute now.
 *
 * The right is asked for here, and again by nobody: the engine's functions act for the current tenant.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "api/api.h"
#include "api/record.h"
#include "base/compat.h"
#include "base/wake.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

/* The tenant that the engine acts for, too. */
static WfTenant
require(WfPermission permission)
{
	WfTenant	tenant;

	wf_store_catch_up();
	wf_store_require_some(permission, &tenant);
	return tenant;
}

/* What was done, if it was. */
static bool
record(bool done, const WfTenant *tenant, const char *action, const pg_uuid_t *run_id, const Jsonb *after)
{
	if (done)
		wf_api_record_run(tenant, action, run_id, after);
	return done;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_cancel);

Datum
wf_sql_cancel(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	char	   *reason = wf_api_text_or_null(fcinfo, 1);
	WfTenant	tenant;

	tenant = require(WF_RUN_CANCEL);
	PG_RETURN_BOOL(record(wf_engine_cancel(run_id, reason), &tenant, "run.cancel", run_id, wf_store_audit_facts("reason", reason)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_pause);

Datum
wf_sql_pause(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	WfTenant	tenant;

	tenant = require(WF_RUN_CANCEL);
	PG_RETURN_BOOL(record(wf_engine_pause(run_id), &tenant, "run.pause", run_id, NULL));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_resume);

Datum
wf_sql_resume(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	WfTenant	tenant;

	tenant = require(WF_RUN_CANCEL);
	PG_RETURN_BOOL(record(wf_engine_resume(run_id), &tenant, "run.resume", run_id, NULL));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_retry);

Datum
wf_sql_retry(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	char	   *from_node = wf_api_text_or_null(fcinfo, 1);
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 2);
	WfRunResult result = {{{0}}};
	WfTenant	tenant = require(WF_RUN_REPLAY);

	wf_engine_retry(run_id, from_node, options, &result);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "run.retry", .object_type = "run", .object_id = run_id,
				   .before = wf_store_audit_facts("fromNode", from_node), .after = options});
	PG_RETURN_JSONB_P(wf_engine_envelope(&result));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_migrate);

Datum
wf_sql_migrate(PG_FUNCTION_ARGS)
{
	const pg_uuid_t *run_id = wf_api_uuid(fcinfo, 0, "run_id");
	WfTenant	tenant;

	wf_api_not_null(fcinfo, 1, "version");
	tenant = require(WF_RUN_REPLAY);
	wf_engine_migrate(run_id, PG_GETARG_INT32(1));
	wf_api_record_run(&tenant, "run.migrate", run_id,
					  wf_store_audit_facts("version", psprintf("%d", PG_GETARG_INT32(1))));
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_executing);

/* wf.executing(): what workers execute of the current tenant's runs. */
Datum
wf_sql_executing(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WfExecuting *all;
	WfTenant	tenant;
	int			n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!wf_store_current_tenant(&tenant, NULL) || ((tenant.permissions | tenant.narrowed) & WF_RUN_READ) == 0)
		return (Datum) 0;
	n = wf_wake_list_executing(&all);
	if (n == 0)
		return (Datum) 0;
	SPI_connect();
	for (int i = 0; i < n; i++)
	{
		WfRunKey	key;
		Datum		values[3];
		bool		nulls[3] = {0};

		if (!wf_store_is_alive(&tenant.tenant_id, &all[i].run_id, &key) ||
			!wf_store_allows_run(&tenant, WF_RUN_READ, &all[i].run_id))
			continue;
		values[0] = UUIDPGetDatum(&all[i].run_id);
		values[1] = CStringGetTextDatum(all[i].node);
		nulls[1] = all[i].node[0] == '\0';
		values[2] = TimestampTzGetDatum(all[i].since);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	SPI_finish();
	return (Datum) 0;
}

/* A list of strings as text[]. */
static Datum
text_array(const JsonbValue *list)
{
	uint32		n = wf_json_count(list);
	Datum	   *items = palloc(sizeof(Datum) * Max(n, 1));
	JsonbValue	item;
	int			n_items = 0;

	for (uint32 i = 0; i < n; i++)
		if (wf_json_element(list, i, &item) && item.type == jbvString)
			items[n_items++] = CStringGetTextDatum(wf_json_cstring(&item));
	return PointerGetDatum(construct_array(items, n_items, TEXTOID, -1, false, TYPALIGN_INT));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_start_options);

/*
 * wf.start_options(options): {"trigger", "correlationId", "tags", "parent": {"run"}, "startedBy": oid}, each of which
 * may be missing, as a row; never throws.
 */
Datum
wf_sql_start_options(PG_FUNCTION_ARGS)
{
	enum
	{
		TRIGGER, CORRELATION_ID, TAGS, PARENT_RUN_ID, STARTED_BY, N
	};
	Datum		values[N] = {0};
	bool		nulls[N] = {false, true, true, true, true};
	TupleDesc	descriptor;
	JsonbValue	root;
	JsonbValue	value;
	int64		number;
	char	   *text = NULL;

	if (get_call_result_type(fcinfo, NULL, &descriptor) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	wf_json_root(PG_ARGISNULL(0) ? wf_json_empty_object() : PG_GETARG_JSONB_P(0), &root);
	text = wf_json_get_cstring(&root, "trigger");
	values[TRIGGER] = CStringGetTextDatum(text == NULL ? "manual" : text);
	text = wf_json_get_cstring(&root, "correlationId");
	if (text != NULL)
	{
		values[CORRELATION_ID] = CStringGetTextDatum(text);
		nulls[CORRELATION_ID] = false;
	}
	if (wf_json_field(&root, "tags", &value) && wf_json_is_array(&value))
	{
		values[TAGS] = text_array(&value);
		nulls[TAGS] = false;
	}
	text = wf_json_field(&root, "parent", &value) ? wf_json_get_cstring(&value, "run") : NULL;
	if (text != NULL)
	{
		values[PARENT_RUN_ID] = DirectFunctionCall1(uuid_in, CStringGetDatum(text));
		nulls[PARENT_RUN_ID] = false;
	}
	if (wf_json_field(&root, "startedBy", &value) && wf_json_int64(&value, &number))
	{
		values[STARTED_BY] = ObjectIdGetDatum((Oid) number);
		nulls[STARTED_BY] = false;
	}
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(descriptor), values, nulls));
}
