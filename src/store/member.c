/*
 * member.c: changes of memberships, and roles of a tenant's own making.
 *
 * Whoever changes them holds the tenant's lock (wf_store_lock_tenant), so that what was checked of one membership or role
 * stays so. A membership names an application role by its name: a built-in one, or a row of wf.app_role.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"

static bool
did_any(WfStatementId id, Datum *values)
{
	bool		found = wf_store_execute(id, values, NULL) > 0;

	SPI_freetuptable(SPI_tuptable);
	return found;
}

/* -- members -- */

void
wf_store_put_member(const pg_uuid_t *tenant_id, Oid role, const char *app_role, const WfGrantScope *scope)
{
	Datum		values[6] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role), CStringGetTextDatum(app_role),
	ObjectIdGetDatum(GetUserId()), UUIDPGetDatum(&scope->workflow_id), CStringGetTextDatum(scope->category)};

	wf_store_execute(WF_SQL_PUT_MEMBER, values, NULL);
}

bool
wf_store_delete_member(const pg_uuid_t *tenant_id, Oid role)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};

	return did_any(WF_SQL_DELETE_MEMBER, values);
}

bool
wf_store_delete_narrowed(const pg_uuid_t *tenant_id, Oid role, const char *workflow, const char *category)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role),
	CStringGetTextDatum(workflow != NULL ? workflow : category)};

	return did_any(workflow != NULL ? WF_SQL_DELETE_MEMBER_WORKFLOW : WF_SQL_DELETE_MEMBER_CATEGORY, values);
}

const char *
wf_store_member_role(const pg_uuid_t *tenant_id, Oid role)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};

	return wf_store_execute(WF_SQL_MEMBER_ROLE, values, NULL) > 0 ? wf_store_text(0, 1) : NULL;
}

uint32
wf_store_member_permissions(const pg_uuid_t *tenant_id, Oid role)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};
	uint64		n = wf_store_execute(WF_SQL_MEMBER_RIGHTS, values, NULL);
	uint32		all = 0;

	for (uint64 i = 0; i < n; i++)
	{
		uint32		permissions = wf_store_permissions(wf_store_text(i, 1));

		if (permissions == 0)
			permissions = wf_store_permission_set(wf_store_array(i, 2));
		all |= wf_store_bool(i, 3) ? permissions & WF_OF_WORKFLOWS : permissions;
	}
	SPI_freetuptable(SPI_tuptable);
	return all;
}

int
wf_store_count_owners(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};

	wf_store_execute(WF_SQL_COUNT_OWNERS, values, NULL);
	return wf_store_int(0, 1);
}

/* -- roles -- */

bool
wf_store_find_role(const pg_uuid_t *tenant_id, const char *name, uint32 *permissions)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};
	bool		found;

	*permissions = wf_store_permissions(name);
	if (*permissions != 0)
		return true;
	found = wf_store_execute(WF_SQL_FIND_ROLE, values, NULL) > 0;
	if (found)
		*permissions = wf_store_permission_set(wf_store_array(0, 1));
	SPI_freetuptable(SPI_tuptable);
	return found;
}

void
wf_store_put_role(const pg_uuid_t *tenant_id, const char *name, ArrayType *permissions)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), PointerGetDatum(permissions),
	ObjectIdGetDatum(GetUserId())};

	wf_store_execute(WF_SQL_PUT_ROLE, values, NULL);
}

bool
wf_store_delete_role(const pg_uuid_t *tenant_id, const char *name)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};

	return did_any(WF_SQL_DELETE_ROLE, values);
}

bool
wf_store_role_is_used(const pg_uuid_t *tenant_id, const char *name)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};

	return did_any(WF_SQL_ROLE_IS_USED, values);
}

const char **
wf_store_role_names(const pg_uuid_t *tenant_id, int *n)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};

	return wf_store_names(WF_SQL_ROLE_NAMES, values, n);
}
