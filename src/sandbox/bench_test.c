/*
 * bench_test.c: what a call of code costs, by its parts, for `make bench`; compiled with WF_TESTING only.
 *
 * wf_sql_test_code_bench(source text, values jsonb, n int, each bool) RETURNS float8[]: microseconds, on average over n calls: writing the
 * values as JSON; the call with all that it takes; of that, what was spent behind the wall. Memory is given back after each, as a step's is.
 * wf_sql_test_cpu_us() RETURNS float8: microseconds of the processor that this process took.
 *
 * All of it is the processor's time, as the machine may be busy with other things.
 */
#include "postgres.h"

#if defined(WF_TESTING) && !defined(WITHOUT_SANDBOX)

#include <time.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "sandbox/sandbox.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum wf_sql_test_code_bench(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_code_bench);
PGDLLEXPORT Datum wf_sql_test_cpu_us(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_cpu_us);

static double
cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec * 1e6 + (double) now.tv_nsec / 1e3;
}

Datum
wf_sql_test_cpu_us(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8(cpu_us());
}

Datum
wf_sql_test_code_bench(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	Jsonb	   *values = PG_GETARG_JSONB_P(1);
	int			n = PG_GETARG_INT32(2);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "code bench", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	double		writing = 0;
	double		calling = 0;
	int64		inside = wf_sandbox_used_us();
	WfCodeLimits limits;
	Datum		parts[3];
	JsonbValue	root;

	wf_sandbox_limits(&limits);
	wf_json_root(values, &root);
	for (int i = 0; i < n; i++)
	{
		WfCodeCall	call = {
			.source = VARDATA_ANY(source), .bytes = VARSIZE_ANY_EXHDR(source), .each = PG_GETARG_BOOL(3), .seed = 1, .limits = &limits
		};
		double		begun = cpu_us();
		double		written;
		StringInfoData json;
		WfError    *error;

		initStringInfo(&json);
		wf_sandbox_append(&json, &root, "values", WF_CODE_BIG_ERROR);
		written = cpu_us();
		call.values = json.data;
		call.values_bytes = json.len;
		if (wf_sandbox_call(&call, &error) == NULL)
			elog(ERROR, "the code failed: %s", error->message);
		MemoryContextReset(memory);
		writing += written - begun;
		calling += cpu_us() - written;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	parts[0] = Float8GetDatum(writing / Max(n, 1));
	parts[1] = Float8GetDatum(calling / Max(n, 1));
	parts[2] = Float8GetDatum((double) (wf_sandbox_used_us() - inside) / Max(n, 1));
	PG_RETURN_ARRAYTYPE_P(construct_array(parts, 3, FLOAT8OID, sizeof(float8), true, TYPALIGN_DOUBLE));
}

#endif
