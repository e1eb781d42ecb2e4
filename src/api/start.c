/*
 * start.c: wf_start, wf_start_many.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/compat.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "funcapi.h"
#include "utils/array.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_start);

/* NULL when the workflow's concurrencyPolicy is `skip` and the run was left out. */
Datum
wf_sql_start(PG_FUNCTION_ARGS)
{
	char	   *workflow = wf_api_text(fcinfo, 0, "workflow");
	Jsonb	   *input = wf_api_jsonb_or_empty(fcinfo, 1);
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 2);
	WfStarted	started;
	pg_uuid_t  *run_id = palloc(sizeof(pg_uuid_t));

	wf_engine_start(workflow, &input, 1, options, "manual", &started);
	if (started.is_skipped)
		PG_RETURN_NULL();
	*run_id = started.run_id;
	PG_RETURN_UUID_P(run_id);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_start_many);

/* One row per input, in their order; NULL for one that was left out. */
Datum
wf_sql_start_many(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	char	   *workflow = wf_api_text(fcinfo, 0, "workflow");
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 2);
	ArrayType  *array;
	Datum	   *values;
	bool	   *nulls;
	Jsonb	  **inputs;
	WfStarted  *started;
	int			n;

	wf_api_not_null(fcinfo, 1, "inputs");
	array = PG_GETARG_ARRAYTYPE_P(1);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	deconstruct_array(array, JSONBOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	inputs = palloc(sizeof(Jsonb *) * Max(n, 1));
	started = palloc0(sizeof(WfStarted) * Max(n, 1));
	for (int i = 0; i < n; i++)
		inputs[i] = nulls[i] ? wf_json_empty_object() : DatumGetJsonbP(values[i]);
	wf_engine_start(workflow, inputs, n, options, "manual", started);
	for (int i = 0; i < n; i++)
	{
		Datum		value = UUIDPGetDatum(&started[i].run_id);

		tuplestore_putvalues(result->setResult, result->setDesc, &value, &started[i].is_skipped);
	}
	return (Datum) 0;
}
