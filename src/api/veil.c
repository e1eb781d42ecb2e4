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
 * wf.is_current_tenant is what a policy asks of a row. Leakproof conditions of the query may come before a policy, the cheapest
 * first, and whether there is a row that passes them shows: by a subquery that is executed at the first one. So the function says
 * to cost next to nothing, less than any operator can. Its support function tells the planner that an index on the tenant
 * answers it, and that all rows pass: the views compare the tenant themselves, and their estimates are not to count it twice.
 */
#include "postgres.h"

#include "access/stratnum.h"
#include "catalog/pg_am.h"
#include "catalog/pg_type.h"
#include "fmgr.h"
#include "nodes/makefuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "parser/parse_func.h"
#include "store/store.h"
#include "utils/lsyscache.h"
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

/* `tenant_id = wf.current_tenant_id()`, which a B-tree on the tenant finds; NIL when the index is another. */
static List *
index_condition(SupportRequestIndexCondition *request)
{
	FuncExpr   *call = (FuncExpr *) request->node;
	Oid			equals;
	Oid			current;

	if (!IsA(call, FuncExpr) || request->indexarg != 0 || request->index->relam != BTREE_AM_OID)
		return NIL;
	equals = get_opfamily_member(request->opfamily, UUIDOID, UUIDOID, BTEqualStrategyNumber);
	current = LookupFuncName(list_make2(makeString("wf"), makeString("current_tenant_id")), 0, NULL, true);
	if (!OidIsValid(equals) || !OidIsValid(current))
		return NIL;
	request->lossy = false;
	return list_make1(make_opclause(equals, BOOLOID, false, linitial(call->args),
									(Expr *) makeFuncExpr(current, UUIDOID, NIL, InvalidOid, InvalidOid, COERCE_EXPLICIT_CALL),
									InvalidOid, InvalidOid));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_is_current_tenant_support);

Datum
wf_sql_is_current_tenant_support(PG_FUNCTION_ARGS)
{
	Node	   *request = (Node *) PG_GETARG_POINTER(0);

	if (IsA(request, SupportRequestIndexCondition))
		PG_RETURN_POINTER(index_condition((SupportRequestIndexCondition *) request));
	if (!IsA(request, SupportRequestSelectivity))
		PG_RETURN_POINTER(NULL);
	((SupportRequestSelectivity *) request)->selectivity = 1.0;
	PG_RETURN_POINTER(request);
}
