/*
 * worker_test.c: what tests of processes need of C; compiled with WF_TESTING only.
 */
#include "postgres.h"

#ifdef WF_TESTING

#include "fmgr.h"
#include "worker/worker.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_test_wakes);

/* wakes(): how often processes of ours woke since the server started. */
Datum
wf_sql_test_wakes(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT64(wf_processes == NULL ? 0 : (int64) pg_atomic_read_u64(&wf_processes->n_wakes));
}

#endif
