/*
 * veil.c: wf.veiled, its argument again, for the expressions of indexes.
 *
 * A policy keeps rows from those who ask, but an operator that is leakproof, such as `=` of text, may come before it: then an
 * index on the column alone answers first, and EXPLAIN ANALYZE tells how many rows the policy took away. Whoever asks
 * for a name, or for a role, would learn whether another tenant has it. A function that is not said to be leakproof always
 * comes after the policy; so what must be found across tenants is indexed as wf.veiled(column), and the engine's own statements,
 * which no policy binds, ask for that.
 *
 * It is in C since the planner puts the body of a function in SQL in its place.
 */
#include "postgres.h"

#include "fmgr.h"

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_veiled);

Datum
wf_sql_veiled(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATUM(PG_GETARG_DATUM(0));
}
