/*
 * trigger.c: wf_enable_trigger, wf_disable_trigger, and wf.trigger_problem() for the view wf_triggers.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/uuid.h"

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

	if (!wf_store_current_tenant(&tenant, NULL))
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
