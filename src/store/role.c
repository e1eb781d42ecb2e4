/*
 * role.c: becoming wf_engine for one static statement.
 *
 * The switch is a local change of the user id, as a security-definer function makes it: SET ROLE is
 * refused within, and an ERROR restores the old user because (sub)transaction abort does. Nothing of
 * the tenant's runs inside the scope: the statements are ours and their tables carry only our triggers.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/store.h"
#include "utils/acl.h"

void
wf_store_enter(WfRoleScope *scope)
{
	Oid			engine = get_role_oid("wf_engine", true);

	if (!OidIsValid(engine))
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("role \"wf_engine\" does not exist"),
						errhint("CREATE EXTENSION workflow makes it. Drop and create the extension, or restore the role with its rights on schema wf.")));
	GetUserIdAndSecContext(&scope->user, &scope->context);
	SetUserIdAndSecContext(engine, scope->context | SECURITY_LOCAL_USERID_CHANGE);
}

void
wf_store_leave(const WfRoleScope *scope)
{
	SetUserIdAndSecContext(scope->user, scope->context);
}

bool
wf_store_is_gateway(void)
{
	Oid			gateway = get_role_oid("wf_gateway", true);

	return OidIsValid(gateway) && has_privs_of_role(GetUserId(), gateway);
}
