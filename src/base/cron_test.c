/*
 * cron_test.c: schedules as SQL functions, for tests only.
 *
 * wf_sql_test_cron(cron text) -> text: null, or why it is refused, with the field in front.
 * wf_sql_test_cron_next(cron text, zone text, after timestamptz, n int) -> timestamptz[]: the next n due times, fewer
 * when there are none.
 * wf_sql_test_cron_zone(zone text) -> text: its name, or the hint.
 */
#ifdef WF_TESTING

#include "postgres.h"

#include "base/cron.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PGDLLEXPORT Datum wf_sql_test_cron(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_cron);
PGDLLEXPORT Datum wf_sql_test_cron_next(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_cron_next);
PGDLLEXPORT Datum wf_sql_test_cron_zone(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(wf_sql_test_cron_zone);

Datum
wf_sql_test_cron(PG_FUNCTION_ARGS)
{
	const char *field;
	const char *problem;

	if (wf_cron_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &field, &problem) != NULL)
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("%s%s%s", field == NULL ? "" : field, field == NULL ? "" : ": ", problem)));
}

Datum
wf_sql_test_cron_next(PG_FUNCTION_ARGS)
{
	const char *field;
	const char *problem;
	WfCron	   *cron = wf_cron_parse(text_to_cstring(PG_GETARG_TEXT_PP(0)), &field, &problem);
	pg_tz	   *zone = wf_cron_zone(text_to_cstring(PG_GETARG_TEXT_PP(1)), &field);
	TimestampTz at = PG_GETARG_TIMESTAMPTZ(2);
	int			wanted = PG_GETARG_INT32(3);
	Datum	   *times = palloc(sizeof(Datum) * Max(wanted, 1));
	int			n = 0;

	if (cron == NULL || zone == NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("not a schedule")));
	while (n < wanted && wf_cron_next(cron, zone, at, &at))
		times[n++] = TimestampTzGetDatum(at);
	PG_RETURN_ARRAYTYPE_P(construct_array(times, n, TIMESTAMPTZOID, sizeof(TimestampTz), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

Datum
wf_sql_test_cron_zone(PG_FUNCTION_ARGS)
{
	const char *hint;
	pg_tz	   *zone = wf_cron_zone(text_to_cstring(PG_GETARG_TEXT_PP(0)), &hint);

	PG_RETURN_TEXT_P(cstring_to_text(zone != NULL ? pg_get_timezone_name(zone) : hint));
}

#endif
