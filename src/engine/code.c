/*
 * code.c: calls of code for the account of a run's tenant: its limits, its quota, and what the trail has of it.
 *
 * What holds for the tenant is looked up with the first call of a segment, and holds to its end: a call reads no table. The time that a
 * call took counts however it ended, also when it was cancelled or its run is rolled back. A tenant without a quota for it pays for a
 * look at a pointer.
 *
 * That a limit was reached is noted in the run's memory, which outlives the subtransaction of the segment, and told when the segment is
 * written: once for all of its calls. Of a run that leaves no record (wf_call that fails, a dry run) nothing is told.
 */
#include "postgres.h"

#include "engine/code.h"
#include "store/audit.h"
#include "store/quota.h"
#include "utils/memutils.h"

struct RunCode
{
	WfTenantCode tenant;
	const WfQuotaLevels *levels;	/* NULL: there is no quota */
	WfCodeRefusal refused;		/* of this segment; n is 0: there were none */
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

/* wf_sandbox_call, counted. */
static Jsonb *
call_counted(const WfQuotaLevels *levels, const WfCodeCall *call, WfError **error)
{
	const int64 used_us = wf_sandbox_used_us();
	Jsonb	   *result;

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

/* What it says is of the code alone, never of its data. */
static void
note_refusal(Run *run, const WfNode *node, const WfError *error)
{
	WfCodeRefusal *refused = &run->code->refused;

	if (refused->n++ > 0)
		return;
	refused->node = node == NULL ? NULL : MemoryContextStrdup(run->memory, node->id);
	refused->message = MemoryContextStrdup(run->memory, error->message);
}

Jsonb *
wf_code_call(Run *run, const WfNode *node, const WfCodeCall *call, WfError **error)
{
	const WfQuotaLevels *levels = code_of(run)->levels;
	Jsonb	   *result = levels == NULL ? wf_sandbox_call(call, error) : call_counted(levels, call, error);

	if (result == NULL && (*error)->sqlstate == WF_ERRCODE_EXPRESSION_LIMIT)
		note_refusal(run, node, *error);
	return result;
}

void
wf_code_record(Run *run)
{
	WfCodeRefusal *refused = run->code == NULL ? NULL : &run->code->refused;

	if (refused == NULL || refused->n == 0 || run->mode == WF_RUN_DRY)
		return;
	refused->workflow_id = run->workflow_id;
	refused->workflow = run->compiled->name;
	wf_store_audit_code_refusal(&run->tenant.tenant_id, &run->run_id, refused);
}
