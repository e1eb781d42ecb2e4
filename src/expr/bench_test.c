/*
 * bench_test.c: the cost of a config template, for `make bench`; compiled with WF_TESTING only.
 *
 * wf_sql_test_template_bench(template jsonb, context jsonb, n int) RETURNS float8: microseconds an
 * evaluation of the template, compiled once. The memory of an evaluation is reset every 64, as a step's is
 * after each step.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "expr/expr.h"
#include "fmgr.h"
#include "portability/instr_time.h"
#include "utils/memutils.h"

PGDLLEXPORT Datum wf_sql_test_template_bench(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_template_bench);

Datum
wf_sql_test_template_bench(PG_FUNCTION_ARGS)
{
	Jsonb	   *source = PG_GETARG_JSONB_P(0);
	WfScope    *scope = wf_scope_from_context(PG_GETARG_JSONB_P(1));
	int			n = PG_GETARG_INT32(2);
	WfNames		names = {0};
	WfDiagnostics *found = wf_diagnostics_begin();
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "template bench", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	JsonbValue	root;
	JsonbValue	result;
	WfTemplate *tpl;
	instr_time	start;
	instr_time	end;

	wf_json_root(source, &root);
	tpl = wf_template_compile(&root, &names, NULL, NULL, NULL, "$", found);
	if (tpl == NULL)
		elog(ERROR, "the template does not compile");
	old = MemoryContextSwitchTo(memory);
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < n; i++)
	{
		wf_template_eval(tpl, scope, &result);
		if (i % 64 == 63)
			MemoryContextReset(memory);
	}
	INSTR_TIME_SET_CURRENT(end);
	INSTR_TIME_SUBTRACT(end, start);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(memory);
	PG_RETURN_FLOAT8(INSTR_TIME_GET_DOUBLE(end) * 1e6 / Max(n, 1));
}

#endif
