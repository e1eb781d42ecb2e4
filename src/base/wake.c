/*
 * wake.c: does nothing yet.
 */
#include "postgres.h"

#include "base/wake.h"

bool
wf_wake_available(void)
{
	return false;
}

void
wf_wake_role_at_commit(Oid role)
{
}

void
wf_wake_keeper_at_commit(TimestampTz when)
{
}

void
wf_wake_awaiters_at_commit(const pg_uuid_t *run_id)
{
}

void
wf_wake_interrupt_at_commit(const pg_uuid_t *run_id)
{
}

void
wf_wake_await_begin(const pg_uuid_t *run_id)
{
}

void
wf_wake_await_end(void)
{
}

void
wf_wake_executing(const pg_uuid_t *run_id, const char *node)
{
}

bool
wf_wake_was_interrupted(void)
{
	return false;
}

int
wf_wake_list_executing(WfExecuting **out)
{
	*out = NULL;
	return 0;
}

void
wf_wake_init(void)
{
}
