/*
 * fired_test.c: what tests of the counts of triggers need of C; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/fired.h"
#include "fmgr.h"
#include "utils/builtins.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_fired_note);

/* fired_note(tenant uuid, trigger uuid, n bigint, times int) */
Datum
wf_sql_test_fired_note(PG_FUNCTION_ARGS)
{
	for (int i = 0; i < PG_GETARG_INT32(3); i++)
		wf_fired_note(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1), PG_GETARG_INT64(2));
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_fired_failed);

/* fired_failed(tenant uuid, trigger uuid, code text, message text) */
Datum
wf_sql_test_fired_failed(PG_FUNCTION_ARGS)
{
	const char *code = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	const char *message = PG_ARGISNULL(3) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(3));

	wf_fired_failed(PG_GETARG_UUID_P(0), PG_GETARG_UUID_P(1), code, message);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_fired_any);

/* fired_any(): is there anything of this database that is not saved? */
Datum
wf_sql_test_fired_any(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(wf_fired_any());
}

#endif
