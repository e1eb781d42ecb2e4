/*
 * fired.c: what triggers of the current tenant did that is not saved yet, for views.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "base/fired.h"
#include "funcapi.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

static void
put(ReturnSetInfo *result, const WfFired *fired)
{
	bool		nulls[8] = {0};
	Datum		values[8];

	values[0] = UUIDPGetDatum(&fired->tenant_id);
	values[1] = UUIDPGetDatum(&fired->trigger_id);
	values[2] = TimestampTzGetDatum(fired->fired_at);
	nulls[2] = fired->fired_at == 0;
	values[3] = Int64GetDatum(fired->n_fired);
	values[4] = TimestampTzGetDatum(fired->failed_at);
	nulls[4] = fired->failed_at == 0;
	values[5] = Int64GetDatum(fired->n_failed);
	values[6] = CStringGetTextDatum(fired->code);
	values[7] = CStringGetTextDatum(fired->message);
	nulls[6] = nulls[7] = nulls[4];
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_fired);

/*
 * wf.fired(): to be added to wf.trigger_stat by the same statement, whose snapshot decides what is saved; one row a trigger. Nothing of
 * workflows that current_user may not read.
 */
Datum
wf_sql_fired(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	WfFired    *fired;
	WfTenant	tenant;
	int			n;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	if (!wf_store_current_tenant(&tenant, NULL))
		return (Datum) 0;
	n = wf_fired_list(&tenant.tenant_id, &fired);
	for (int i = 0; i < n; i++)
		if (wf_store_allows_trigger(&tenant, WF_WORKFLOW_READ, &fired[i].trigger_id))
			put(result, &fired[i]);
	return (Datum) 0;
}
