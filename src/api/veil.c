/*
 * veil.c: what makes a policy come before all else that a query asks.
 *
 * wf.veiled is its argument again, for the expressions of indexes. A policy keeps rows from those who ask, but an operator that is leakproof, such as `=` of text, may come before it: then an
 * index on the column alone answers first, and EXPLAIN ANALYZE tells how many rows the policy took away. Whoever asks
 * for a name, or for a role, would learn whether another tenant has it. A function that is not said to be leakproof always
 * comes after the policy; so what must be found across tenants is indexed as wf.veiled(column), and the engine's own statements,
 * which no policy binds, ask for that.
 *
 * It is in C since the planner puts the body of a function in SQL in its place.
 *
 * wf.is_current_tenant is what a policy asks of each row that no index on the tenant has found. Leakproof conditions of the query
 * may come before it, the cheapest first, and whether there is a row that passes them shows: by a subquery that is executed
 * at the first one. So it says to cost next to nothing, less than any operator can; and that all rows pass, so that estimates
 * are those of the comparison beside it, which is for indexes.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/supportnodes.h"
#include "store/store.h"
#include "utils/uuid.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_veiled);

Datum
wf_sql_veiled(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_is_current_tenant);

/* Throws nothing of the row's: it is leakproof. */
Datum
wf_sql_is_current_tenant(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;

	PG_RETURN_BOOL(wf_store_current_tenant(&tenant, NULL) &&
				   memcmp(&tenant.tenant_id, PG_GETARG_UUID_P(0), sizeof(pg_uuid_t)) == 0);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_is_current_tenant_support);

Datum
wf_sql_is_current_tenant_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (!IsA(request, SupportRequestSelectivity))
		PG_RETURN_POINTER(NULL);
	((SupportRequestSelectivity *) request)->selectivity = 1.0;
	PG_RETURN_POINTER(request);
}
