/*
 * start.c: does nothing yet.
 */
#include "postgres.h"

#include "engine/engine.h"

static void
not_yet(void)
{
	ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("not yet")));
}

void
wf_engine_start(const char *workflow, Jsonb **inputs, int n, const Jsonb *options, const char *trigger, WfStarted *out)
{
	not_yet();
}

bool
wf_engine_cancel(const pg_uuid_t *run_id, const char *reason)
{
	not_yet();
	return false;
}

bool
wf_engine_pause(const pg_uuid_t *run_id)
{
	not_yet();
	return false;
}

bool
wf_engine_resume(const pg_uuid_t *run_id)
{
	not_yet();
	return false;
}

void
wf_engine_retry(const pg_uuid_t *run_id, const char *from_node, const Jsonb *options, WfRunResult *result)
{
	not_yet();
}

void
wf_engine_migrate(const pg_uuid_t *run_id, int version)
{
	not_yet();
}
