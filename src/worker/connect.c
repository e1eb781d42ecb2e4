/*
 * connect.c: may a role connect? The questions that the server asks of a session, asked before there is one, so that
 * a role that was dropped, or lost LOGIN or CONNECT, fails its runs with the reason, instead of a process that ends.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "base/compat.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "worker/worker.h"

int
wf_connect_problem(Oid role, Oid database, const char **why)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(role));
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
	{
		*why = psprintf("role with OID %u does not exist", role);
		return ERRCODE_UNDEFINED_OBJECT;
	}
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	*why = psprintf("role \"%s\" is not permitted to log in", NameStr(((Form_pg_authid) GETSTRUCT(tuple))->rolname));
	ReleaseSysCache(tuple);
	if (!can_login)
		return ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
	if (!wf_compat_may_connect(database, role))
	{
		*why = psprintf("role \"%s\" has no CONNECT privilege on the database", GetUserNameFromId(role, false));
		return ERRCODE_INSUFFICIENT_PRIVILEGE;
	}
	return 0;
}
