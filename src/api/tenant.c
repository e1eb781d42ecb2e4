/*
 * tenant.c: tenants that are named; wf_use_tenant, wf_current_tenant.
 */
#include "postgres.h"

#include "api/tenant.h"
#include "base/text.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

void
wf_api_require_named(const char *name, WfPermission permission, WfTenant *tenant)
{
	if (!wf_store_tenant_named(name, tenant) || (tenant->permissions & permission) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", wf_text_clip(name)),
						errdetail("The permission \"%s\" is missing.", wf_store_permission_name(permission)),
						errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

void
wf_api_require_manager(const char *name, WfTenant *tenant)
{
	wf_api_require_named(name, WF_TEAM_MANAGE, tenant);
}

void
wf_api_require_only_manager(const char *name, WfTenant *tenant)
{
	wf_api_require_manager(name, tenant);
	wf_store_lock_tenant(&tenant->tenant_id);
	wf_store_catch_up();
	wf_api_require_manager(name, tenant);	/* the right may have gone while we waited */
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_use_tenant);

Datum
wf_sql_use_tenant(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	WfTenant	tenant;

	SPI_connect();
	if (!wf_store_tenant_named(name, &tenant))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" is not a member of tenant \"%s\"", GetUserNameFromId(GetUserId(), false),
							   wf_text_clip(name)),
						errhint("An admin or owner of the tenant can add the role with wf_grant().")));
	SPI_finish();
	SetConfigOption("workflow.tenant", name, PGC_USERSET, PGC_S_SESSION);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_current_tenant);

Datum
wf_sql_current_tenant(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;

	if (!wf_store_current_tenant(&tenant, NULL))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(tenant.name));
}
