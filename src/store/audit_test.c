/*
 * audit_test.c: what tests and measurements need of the audit trail in SQL; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "executor/spi.h"
#include "fmgr.h"
#include "store/audit.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_audit);

/* test_audit(tenant uuid, action text, object text, after jsonb, n int): n entries */
Datum
wf_sql_test_audit(PG_FUNCTION_ARGS)
{
	char	   *action = text_to_cstring(PG_GETARG_TEXT_PP(1));
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(2));

	for (int i = 0; i < PG_GETARG_INT32(4); i++)
		wf_store_audit(PG_GETARG_UUID_P(0), &(WfAudit) {.action = action, .object_type = "test", .object_name = name,
					   .after = PG_GETARG_JSONB_P(3)});
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_expire_audit);

/* test_expire_audit(now timestamptz, most int): entries removed */
Datum
wf_sql_test_expire_audit(PG_FUNCTION_ARGS)
{
	int			n;

	SPI_connect();
	n = wf_store_expire_audit(PG_GETARG_TIMESTAMPTZ(0), PG_GETARG_INT32(1));
	SPI_finish();
	PG_RETURN_INT32(n);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_drop_audit);

/* test_drop_audit(tenant uuid, name text, recorded_in uuid, most int): entries removed */
Datum
wf_sql_test_drop_audit(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(1));

	PG_RETURN_INT32(wf_store_drop_audit(PG_GETARG_UUID_P(0), name, PG_ARGISNULL(2) ? NULL : PG_GETARG_UUID_P(2),
										PG_GETARG_INT32(3)));
}

#endif
