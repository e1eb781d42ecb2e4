/*
 * trigger.c: wf_enable_trigger, wf_disable_trigger.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "engine/engine.h"
#include "executor/spi.h"

static Datum
enable(FunctionCallInfo fcinfo, bool enabled)
{
	char	   *workflow = wf_api_text(fcinfo, 0, "workflow");
	char	   *node = wf_api_text(fcinfo, 1, "node");
	WfTenant	tenant;

	wf_store_catch_up();
	SPI_connect();
	wf_store_require(WF_WORKFLOW_UPDATE, &tenant);
	wf_engine_enable_trigger(&tenant, workflow, node, enabled);
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
