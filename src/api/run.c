/*
 * run.c: wf_run, wf_call, wf_dry_run, wf_explain.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "utils/builtins.h"

static void
run(FunctionCallInfo fcinfo, WfRunMode mode, WfRunResult *result)
{
	WfRunRequest request = {0};

	request.workflow = wf_api_text(fcinfo, 0, "workflow");
	request.input = wf_api_jsonb_or_empty(fcinfo, 1);
	request.options = wf_api_jsonb_or_empty(fcinfo, 2);
	request.trigger = "manual";
	request.mode = mode;
	wf_engine_run(&request, result);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_run);

Datum
wf_sql_run(PG_FUNCTION_ARGS)
{
	WfRunResult result;

	run(fcinfo, WF_RUN_RECORD, &result);
	PG_RETURN_JSONB_P(wf_engine_envelope(&result));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_call);

Datum
wf_sql_call(PG_FUNCTION_ARGS)
{
	WfRunResult result;

	run(fcinfo, WF_RUN_RAISE, &result);
	if (result.output == NULL)
		PG_RETURN_JSONB_P(wf_json_null());
	PG_RETURN_JSONB_P(result.output);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_dry_run);

Datum
wf_sql_dry_run(PG_FUNCTION_ARGS)
{
	WfRunResult result;

	run(fcinfo, WF_RUN_DRY, &result);
	PG_RETURN_JSONB_P(wf_engine_envelope(&result));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_explain);

/* wf_explain(name, version, with_plan): the lines of engine/explain.c. */
Datum
wf_sql_explain(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *name = wf_api_text(fcinfo, 0, "name");
	int			version = PG_ARGISNULL(1) ? 0 : PG_GETARG_INT32(1);
	bool		with_plan = !PG_ARGISNULL(2) && PG_GETARG_BOOL(2);
	WfTenant	tenant;
	WfCompiled *compiled;
	List	   *lines;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	compiled = wf_engine_find_for(&tenant, name, version, WF_WORKFLOW_READ);
	PG_TRY();
	{
		lines = wf_engine_explain(compiled, with_plan);
		foreach(cell, lines)
		{
			Datum		value = CStringGetTextDatum((char *) lfirst(cell));
			bool		is_null = false;

			tuplestore_putvalues(result->setResult, result->setDesc, &value, &is_null);
		}
	}
	PG_FINALLY();
	{
		wf_engine_release(compiled);
	}
	PG_END_TRY();
	SPI_finish();
	return (Datum) 0;
}
