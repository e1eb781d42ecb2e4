/*
 * expr_test.c: functions for tests and benchmarks; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/compat.h"
#include "expr/internal.h"
#include "fmgr.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

/*
 * wf_sql_test_expr_bench(expression text, context jsonb, n int) RETURNS float8: microseconds per
 * evaluation of the compiled expression, which may be full JavaScript.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_expr_bench);
PGDLLEXPORT Datum wf_sql_test_expr_bench(PG_FUNCTION_ARGS);

Datum
wf_sql_test_expr_bench(PG_FUNCTION_ARGS)
{
	text	   *source = PG_GETARG_TEXT_PP(0);
	WfScope    *scope = wf_scope_from_context(PG_GETARG_JSONB_P(1));
	int			n = PG_GETARG_INT32(2);
	WfNames		names = {.allow_code = true};
	WfExprProblem problem;
	WfExpr	   *expr = wf_expr_compile(VARDATA_ANY(source), VARSIZE_ANY_EXHDR(source), &names, &problem);
	MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "expression bench", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(memory);
	JsonbValue	result;
	instr_time	start;
	instr_time	end;

	if (expr == NULL)
		ereport(ERROR, (errcode(problem.sqlstate), errmsg_internal("%s", problem.message)));
	INSTR_TIME_SET_CURRENT(start);
	for (int i = 0; i < n; i++)
	{
		wf_expr_eval(expr, scope, &result);
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
