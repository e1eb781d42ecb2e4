/*
 * tenant_row.c: rows of wf.tenant, for those who change tenants or look at many.
 *
 * Whoever changes a tenant locks its row first, by an update (statements.c), and asks for its rights again afterwards. Which tenant is
 * below which is changed by one transaction at a time, so that no two of them make a circle.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/direct.h"
#include "store/statements.h"
#include "store/tenant.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"

#define TREE_LOCK 1				/* the thing of wf.tenant that is locked */

WfTenantRow *
wf_store_tenant_row(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	WfTenantRow *row = NULL;
	pg_uuid_t	zero = {{0}};

	if (wf_store_execute(WF_SQL_TENANT_ROW, values, NULL) > 0)
	{
		row = palloc0(sizeof(WfTenantRow));
		row->tenant_id = *tenant_id;
		row->name = wf_store_text(0, 1);
		wf_store_uuid(0, 2, &row->parent_id);
		row->has_parent = memcmp(&row->parent_id, &zero, sizeof(zero)) != 0;
		row->quotas = wf_store_jsonb(0, 3);
		row->settings = wf_store_jsonb(0, 4);
		row->status = wf_store_text(0, 5);
		row->reserved_workers = wf_store_int(0, 6);
	}
	SPI_freetuptable(SPI_tuptable);
	return row;
}

void
wf_store_update_tenant(const WfTenantRow *row)
{
	Datum		values[7] = {UUIDPGetDatum(&row->tenant_id), CStringGetTextDatum(row->name), UUIDPGetDatum(&row->parent_id),
		JsonbPGetDatum(row->quotas), JsonbPGetDatum(row->settings), CStringGetTextDatum(row->status),
	Int32GetDatum(row->reserved_workers)};
	char		nulls[7] = {' ', ' ', row->has_parent ? ' ' : 'n', ' ', ' ', ' ', ' '};

	wf_store_execute(WF_SQL_UPDATE_TENANT, values, nulls);
}

void
wf_store_lock_tenant_tree(void)
{
	(void) wf_store_lock_thing(wf_store_table("tenant"), TREE_LOCK, false);
}

int
wf_store_tenants_above(const pg_uuid_t *tenant_id, const pg_uuid_t *other, bool *has_other)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	uint64		n = wf_store_execute_latest(WF_SQL_TENANT_CHAIN, values, NULL);

	*has_other = false;
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t	id;

		wf_store_uuid(i, 1, &id);
		*has_other |= memcmp(&id, other, sizeof(id)) == 0;
	}
	SPI_freetuptable(SPI_tuptable);
	return (int) n;
}

static int
count(WfStatementId id, const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	int			n;

	wf_store_execute_latest(id, values, NULL);
	n = wf_store_int(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return n;
}

int
wf_store_count_children(const pg_uuid_t *tenant_id)
{
	return count(WF_SQL_COUNT_CHILDREN, tenant_id);
}

int
wf_store_reserved_by_others(const pg_uuid_t *tenant_id)
{
	return count(WF_SQL_SUM_RESERVED, tenant_id);
}

List *
wf_store_reservations(void)
{
	uint64		n = wf_store_execute(WF_SQL_RESERVATIONS, NULL, NULL);
	List	   *all = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		WfReservation *one = palloc0(sizeof(WfReservation));

		wf_store_uuid(i, 1, &one->tenant_id);
		one->n = wf_store_int(i, 2);
		if (wf_store_tenant_status(&one->tenant_id) == WF_TENANT_ACTIVE)
			all = lappend(all, one);
	}
	SPI_freetuptable(SPI_tuptable);
	return all;
}

List *
wf_store_roles_of_tenant(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	uint64		n = wf_store_execute(WF_SQL_ROLES_OF_TENANT, values, NULL);
	List	   *roles = NIL;

	for (uint64 i = 0; i < n; i++)
		roles = lappend_oid(roles, wf_store_oid(i, 1));
	SPI_freetuptable(SPI_tuptable);
	return roles;
}

/* -- all that somebody may see -- */

static ArrayType *
id_array(List *ids)
{
	Datum	   *datums = palloc(sizeof(Datum) * Max(list_length(ids), 1));
	int			n = 0;
	ListCell   *cell;

	foreach(cell, ids)
		datums[n++] = UUIDPGetDatum((pg_uuid_t *) lfirst(cell));
	return construct_array(datums, n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

void
wf_store_list_tenants(Tuplestorestate *store, TupleDesc columns)
{
	List	   *members;
	List	   *managed;
	Datum		values[3];
	uint64		n;

	wf_store_my_tenants(&members, &managed);
	values[0] = PointerGetDatum(id_array(members));
	values[1] = PointerGetDatum(id_array(managed));
	values[2] = BoolGetDatum(superuser());
	n = wf_store_execute(WF_SQL_LIST_TENANTS, values, NULL);
	if (n > 0 && SPI_tuptable->tupdesc->natts != columns->natts)
		elog(ERROR, "wf.tenants() has %d columns, not %d", columns->natts, SPI_tuptable->tupdesc->natts);
	for (uint64 i = 0; i < n; i++)
		tuplestore_puttuple(store, SPI_tuptable->vals[i]);
	SPI_freetuptable(SPI_tuptable);
}
