/*
 * policy.c: what the policies of sql/parts/30_policies.sql ask.
 *
 * Each is asked once a statement (they stand in sub-selects without parameters), and answers from what tenant.c keeps. For each
 * row there is wf.is_among, which knows of nothing but its arguments; and for who has narrowed rights wf.sees_run and
 * wf.sees_trigger, which look up the row's workflow with the statement's own snapshot. None of them throws for who has no right, and none says anything of a value that it is
 * given: they are leakproof.
 */
#include "postgres.h"

#include "fmgr.h"
#include "store/member.h"
#include "store/statements.h"
#include "utils/builtins.h"

/* The current tenant, and the permission that argument 0 names; false: none, so that nothing is seen. */
static bool
asked(FunctionCallInfo fcinfo, WfTenant *tenant, uint32 *permission)
{
	if (!wf_store_current_tenant(tenant, NULL))
		return false;
	*permission = wf_store_permission(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	return *permission != 0;
}

static Datum
id_of(const WfTenant *tenant)
{
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));

	*result = tenant->tenant_id;
	return UUIDPGetDatum(result);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_current_tenant_id);

/* wf.current_tenant_id(): NULL when there is none. */
Datum
wf_sql_current_tenant_id(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;

	if (!wf_store_current_tenant(&tenant, NULL))
		PG_RETURN_NULL();
	return id_of(&tenant);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_tenant_for);

/* wf.tenant_for(permission): the current tenant's id if current_user has the permission there, for some workflows at least; else NULL. */
Datum
wf_sql_tenant_for(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;
	uint32		permission;

	if (!asked(fcinfo, &tenant, &permission) || ((tenant.permissions | tenant.narrowed) & permission) == 0)
		PG_RETURN_NULL();
	return id_of(&tenant);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_sees_all);

/* wf.sees_all(permission): does current_user have it for all workflows of the current tenant? */
Datum
wf_sql_sees_all(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;
	uint32		permission;

	PG_RETURN_BOOL(asked(fcinfo, &tenant, &permission) && (tenant.permissions & permission) != 0);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_workflows_for);

/* wf.workflows_for(permission): the workflows of the current tenant that current_user has it for; NULL: all, or there is no tenant. */
Datum
wf_sql_workflows_for(PG_FUNCTION_ARGS)
{
	MemoryContext memory = CurrentMemoryContext;
	WfTenant	tenant;
	uint32		permission;
	ArrayType  *ids;
	ArrayType  *result = NULL;

	if (!asked(fcinfo, &tenant, &permission))
		PG_RETURN_NULL();
	SPI_connect();
	ids = wf_store_allowed(&tenant, permission);
	if (ids != NULL)
	{
		result = MemoryContextAlloc(memory, VARSIZE(ids));
		memcpy(result, ids, VARSIZE(ids));
	}
	SPI_finish();
	if (result == NULL)
		PG_RETURN_NULL();
	PG_RETURN_ARRAYTYPE_P(result);
}

static int
compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, UUID_LEN);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_is_among);

/* wf.is_among(id, ids): asked for each row; ids are sorted as uuids are, by their bytes. True without ids, false without an id. */
Datum
wf_sql_is_among(PG_FUNCTION_ARGS)
{
	ArrayType  *ids;

	if (PG_ARGISNULL(1))
		PG_RETURN_BOOL(true);
	ids = PG_GETARG_ARRAYTYPE_P(1);
	if (PG_ARGISNULL(0) || ARR_NDIM(ids) != 1 || ARR_HASNULL(ids))
		PG_RETURN_BOOL(false);
	PG_RETURN_BOOL(bsearch(PG_GETARG_UUID_P(0), ARR_DATA_PTR(ids), ARR_DIMS(ids)[0], UUID_LEN, compare_ids) != NULL);
}

static bool
sees(WfStatementId statement, uint32 permission, const pg_uuid_t *id)
{
	WfTenant	tenant;
	pg_uuid_t	workflow_id;

	return wf_store_current_tenant(&tenant, NULL) &&
		((tenant.permissions & permission) != 0 ||
		 ((tenant.narrowed & permission) != 0 &&
		  wf_store_workflow_of(statement, &tenant.tenant_id, id, &workflow_id) &&
		  wf_store_allows(&tenant, permission, &workflow_id)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_sees_run);

/* wf.sees_run(run_id): may current_user read this run of the current tenant? */
Datum
wf_sql_sees_run(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sees(WF_SQL_WORKFLOW_OF_RUN, WF_RUN_READ, PG_GETARG_UUID_P(0)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_sees_trigger);

/* wf.sees_trigger(trigger_id): may current_user read the workflow of this trigger of the current tenant? */
Datum
wf_sql_sees_trigger(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(sees(WF_SQL_WORKFLOW_OF_TRIGGER, WF_WORKFLOW_READ, PG_GETARG_UUID_P(0)));
}
