/*
 * trigger.c: wf_enable_trigger, wf_disable_trigger, wf_next_runs; wf.fire_schedules() for pg_cron, wf.trigger_problem() for the
 * view wf_triggers.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "store/audit.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define MOST_NEXT 1000			/* times of wf_next_runs */
#define MOST_FIRED 1000			/* due times of a call of wf.fire_schedules */

static Datum
enable(FunctionCallInfo fcinfo, bool enabled)
{
	char	   *workflow = wf_api_text(fcinfo, 0, "workflow");
	char	   *node = wf_api_text(fcinfo, 1, "node");
	WfTenant	tenant;

	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_UPDATE, &tenant);
	wf_engine_enable_trigger(&tenant, workflow, node, enabled);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = enabled ? "trigger.enable" : "trigger.disable",
				   .object_type = "trigger", .object_name = node,
				   .after = wf_store_audit_facts("workflow", workflow, "node", node)});
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_enable_trigger);

Datum
wf_sql_enable_trigger(PG_FUNCTION_ARGS)
{
	return enable(fcinfo, true);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_disable_trigger);

Datum
wf_sql_disable_trigger(PG_FUNCTION_ARGS)
{
	return enable(fcinfo, false);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_next_runs);

Datum
wf_sql_next_runs(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *workflow = wf_api_text(fcinfo, 0, "workflow");
	MemoryContext memory = CurrentMemoryContext;
	TimestampTz *times;
	WfTenant	tenant;
	int			count;
	int			n;

	wf_api_not_null(fcinfo, 1, "count");
	count = PG_GETARG_INT32(1);
	if (count < 1 || count > MOST_NEXT)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("\"count\" must be 1 to %d", MOST_NEXT)));
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	MemoryContextSwitchTo(memory);
	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	n = wf_engine_next_runs(&tenant, workflow, count, &times);
	for (int i = 0; i < n; i++)
	{
		Datum		value = TimestampTzGetDatum(times[i]);
		bool		is_null = false;

		tuplestore_putvalues(result->setResult, result->setDesc, &value, &is_null);
	}
	SPI_finish();
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_fire_schedules);

/* How many due times were dealt with. For the extension's owner: it is for all tenants, and starts nothing but what is due. */
Datum
wf_sql_fire_schedules(PG_FUNCTION_ARGS)
{
	TimestampTz next;
	int			n;

	SPI_connect();
	n = wf_engine_fire_schedules(MOST_FIRED, &next);
	SPI_finish();
	PG_RETURN_INT32(n);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_trigger_problem);

/* wf.trigger_problem(workflow_id, node): of the current tenant; null: none, or there is no such trigger. */
Datum
wf_sql_trigger_problem(PG_FUNCTION_ARGS)
{
	MemoryContext memory = CurrentMemoryContext;
	const pg_uuid_t *workflow = PG_GETARG_UUID_P(0);
	char	   *node = text_to_cstring(PG_GETARG_TEXT_PP(1));
	const char *problem;
	text	   *result = NULL;
	WfTenant	tenant;

	if (!wf_store_current_tenant(&tenant, NULL) || !wf_store_allows(&tenant, WF_WORKFLOW_READ, workflow))
		PG_RETURN_NULL();
	SPI_connect();
	problem = wf_engine_trigger_problem(&tenant, workflow, node);
	if (problem != NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(memory);

		result = cstring_to_text(problem);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(result);
}
