/*
 * engine_test.c: what tests of the engine need of C; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "base/clock.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_blind);

/* blind(seconds): takes so long and looks for no interrupt meanwhile. */
Datum
wf_sql_test_blind(PG_FUNCTION_ARGS)
{
	TimestampTz until = wf_clock_now() + (int64) (PG_GETARG_FLOAT8(0) * 1e6);

	while (wf_clock_now() < until)
		pg_usleep(1000L);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_bursts);

/* bursts(now timestamptz): what the keeper does then of events that were put off; how many bursts it dealt with. */
Datum
wf_sql_test_bursts(PG_FUNCTION_ARGS)
{
	TimestampTz next;
	int			n;

	SPI_connect();
	n = wf_engine_fire_bursts(PG_GETARG_TIMESTAMPTZ(0), 1000, &next);
	SPI_finish();
	PG_RETURN_INT32(n);
}

#endif
