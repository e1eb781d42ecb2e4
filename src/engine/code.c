/*
 * code.c: calls of code for the account of a run's tenant: its limits and its quota.
 *
 * What holds for the tenant is looked up with the first call of a segment, and holds to its end: a call reads no table. The time that a
 * call took counts however it ended, also when it was cancelled or its run is rolled back. A tenant without a quota for it pays for a
 * look at a pointer.
 */
#include "postgres.h"

#include "engine/code.h"
#include "store/quota.h"
#include "utils/memutils.h"

struct RunCode
{
	WfTenantCode tenant;
	const WfQuotaLevels *levels;	/* NULL: there is no quota */
};

static RunCode *
code_of(Run *run)
{
	MemoryContext old;
	RunCode    *code;

	if (run->code != NULL)
		return run->code;
	old = MemoryContextSwitchTo(run->memory);
	code = palloc0(sizeof(RunCode));
	wf_store_tenant_code(&run->tenant.tenant_id, &code->tenant);
	code->levels = wf_store_code_levels(&run->tenant.tenant_id);
	MemoryContextSwitchTo(old);
	return run->code = code;
}

void
wf_code_limits(Run *run, WfCodeLimits *limits)
{
	const WfTenantCode *tenant = &code_of(run)->tenant;

	wf_sandbox_lower(&limits->time_ms, tenant->time_ms, "The tenant's setting \"codeTime\" has the limit.");
	wf_sandbox_lower(&limits->memory_bytes, tenant->memory_bytes, "The tenant's setting \"codeMemory\" has the limit.");
	wf_sandbox_lower(&limits->log_lines, tenant->log_lines, "The tenant's setting \"codeLogLines\" has the limit.");
}

Jsonb *
wf_code_call(Run *run, const WfCodeCall *call, WfError **error)
{
	const WfQuotaLevels *levels = code_of(run)->levels;
	const int64 used_us = wf_sandbox_used_us();
	Jsonb	   *result;

	if (levels == NULL)
		return wf_sandbox_call(call, error);
	wf_store_require_code_time(levels);
	PG_TRY();
	{
		result = wf_sandbox_call(call, error);
	}
	PG_FINALLY();
	{
		wf_store_add_code_time(levels, wf_sandbox_used_us() - used_us);
	}
	PG_END_TRY();
	return result;
}
