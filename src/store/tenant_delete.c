/*
 * tenant_delete.c: the end of a tenant: all that is its own is deleted, in transactions of bounded size.
 *
 * 1. Who deletes a tenant marks its row. From that commit on nobody finds the tenant, nobody is a member, its name is free, and its
 *    secrets, which go at once, are gone.
 * 2. Transactions that began before may still write rows of the tenant's. So whoever deletes waits until all that ran when
 *    it first saw the mark are over (wf_store_is_abandoned): the virtual transactions of the database, prepared ones included. Those that
 *    begin later see the mark (tenant_status.c). Which these were is kept in memory: after a restart it is asked anew.
 * 3. Rows are deleted table by table, tables that refer to others first, so that no cascade is larger than a batch. The tables are
 *    those of schema wf that have a tenant_id, as the catalog has them: one that is new is not forgotten. Partitions are tables of
 *    their own here.
 * 4. The last is the row of wf.tenant. As long as it is there, there is something to do: a crash at any point loses nothing.
 *
 * The statements run as the session's user, which is a superuser: nobody else may write partitions.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/statements.h"
#include "store/tenant.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

void
wf_store_mark_deleting(WfTenantRow *row)
{
	Datum		values[1] = {UUIDPGetDatum(&row->tenant_id)};

	row->status = "deleting";
	row->has_parent = false;	/* that one may be deleted, too */
	row->reserved_workers = 0;
	wf_store_update_tenant(row);
	wf_store_execute(WF_SQL_STRIP_TENANT, values, NULL);
}

List *
wf_store_deleting_tenants(void)
{
	uint64		n = wf_store_execute(WF_SQL_DELETING_TENANTS, NULL, NULL);
	List	   *ids = NIL;

	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		/* our own mark is seen by nobody else yet */
		if (TransactionIdIsCurrentTransactionId((TransactionId) wf_store_oid(i, 2)))
			continue;
		wf_store_uuid(i, 1, id);
		ids = lappend(ids, id);
	}
	SPI_freetuptable(SPI_tuptable);
	return ids;
}

/* -- who may have begun something before -- */

/* Of one tenant: transactions that ran when its mark was first seen. In TopMemoryContext. */
typedef struct Witnesses
{
	pg_uuid_t	tenant_id;
	VirtualTransactionId *transactions;
	int			n;
} Witnesses;

static List *witnesses = NIL;

static Witnesses *
witnesses_of(const pg_uuid_t *tenant_id)
{
	MemoryContext old;
	Witnesses  *its;
	ListCell   *cell;

	foreach(cell, witnesses)
	{
		its = lfirst(cell);
		if (memcmp(&its->tenant_id, tenant_id, sizeof(pg_uuid_t)) == 0)
			return its;
	}
	old = MemoryContextSwitchTo(TopMemoryContext);
	its = palloc(sizeof(Witnesses));
	its->tenant_id = *tenant_id;
	its->transactions = GetCurrentVirtualXIDs(InvalidTransactionId, false, false, PROC_IS_AUTOVACUUM | PROC_IN_VACUUM, &its->n);
	witnesses = lappend(witnesses, its);
	MemoryContextSwitchTo(old);
	return its;
}

static void
forget_witnesses(const pg_uuid_t *tenant_id)
{
	Witnesses  *its = witnesses_of(tenant_id);

	witnesses = list_delete_ptr(witnesses, its);
	pfree(its->transactions);
	pfree(its);
}

bool
wf_store_is_abandoned(const pg_uuid_t *tenant_id)
{
	Witnesses  *its = witnesses_of(tenant_id);

	while (its->n > 0 && VirtualXactLock(its->transactions[its->n - 1], false))
		its->n--;
	return its->n == 0;
}

/* -- rows -- */

/* Tables with a tenant_id, those that refer to others before these. Their qualified names, in CurrentMemoryContext. */
static List *
list_tables(void)
{
	MemoryContext memory = CurrentMemoryContext;
	List	   *names = NIL;
	int			result = SPI_execute(
		"WITH RECURSIVE t (oid) AS ("
		"  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
		"   JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) c.oid"
		"  WHERE n.nspname OPERATOR(pg_catalog.=) 'wf' AND c.relkind OPERATOR(pg_catalog.=) 'r'"
		"   AND a.attname OPERATOR(pg_catalog.=) 'tenant_id' AND NOT a.attisdropped"
		"   AND a.atttypid OPERATOR(pg_catalog.=) 'pg_catalog.uuid'::pg_catalog.regtype"
		"   AND c.relname OPERATOR(pg_catalog.<>) ALL ('{tenant,audit,audit_head}'::pg_catalog.name[])),"
		" deep (oid, depth) AS ("
		"  SELECT oid, 0 FROM t"
		"  UNION"
		"  SELECT c.conrelid, d.depth OPERATOR(pg_catalog.+) 1 FROM deep d JOIN pg_catalog.pg_constraint c"
		"   ON c.contype OPERATOR(pg_catalog.=) 'f' AND c.confrelid OPERATOR(pg_catalog.=) d.oid"
		"   AND c.conrelid OPERATOR(pg_catalog.<>) c.confrelid JOIN t ON t.oid OPERATOR(pg_catalog.=) c.conrelid"
		"  WHERE d.depth OPERATOR(pg_catalog.<) 20)"
		" SELECT pg_catalog.format('wf.%I', c.relname) FROM deep d JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.oid"
		"  GROUP BY c.oid, c.relname ORDER BY pg_catalog.max(d.depth) DESC, c.relname", true, 0);

	if (result != SPI_OK_SELECT)
		elog(ERROR, "could not list the tables of schema wf: %s", SPI_result_code_string(result));
	MemoryContextSwitchTo(memory);
	for (uint64 i = 0; i < SPI_processed; i++)
		names = lappend(names, wf_store_text(i, 1));
	SPI_freetuptable(SPI_tuptable);
	return names;
}

/* Deletes at most so many rows of one table. Waits for who has one locked: nobody has for long who is not gone yet. */
static int
delete_from(const char *table, const pg_uuid_t *tenant_id, int most)
{
	Oid			types[2] = {UUIDOID, INT4OID};
	Datum		values[2] = {UUIDPGetDatum(tenant_id), Int32GetDatum(most)};
	int			result = SPI_execute_with_args(
		psprintf("DELETE FROM %s WHERE ctid OPERATOR(pg_catalog.=) ANY (ARRAY("
				 "SELECT ctid FROM %s WHERE tenant_id OPERATOR(pg_catalog.=) $1 LIMIT $2))", table, table),
		2, types, values, NULL, false, 0);

	if (result != SPI_OK_DELETE)
		elog(ERROR, "could not delete from %s: %s", table, SPI_result_code_string(result));
	return (int) SPI_processed;
}

int
wf_store_delete_rows(const pg_uuid_t *tenant_id, int most)
{
	MemoryContext memory = CurrentMemoryContext;
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	WfTenantRow *row;
	int			n = 0;
	ListCell   *cell;

	foreach(cell, list_tables())
	{
		CHECK_FOR_INTERRUPTS();
		if (n < most)
			n += delete_from(lfirst(cell), tenant_id, most - n);
		MemoryContextSwitchTo(memory);
	}
	/* its trail, which no statement can delete, is the last */
	if (n == 0 && (row = wf_store_tenant_row(tenant_id)) != NULL)
		n = wf_store_drop_audit(tenant_id, row->name, row->has_parent ? &row->parent_id : NULL, most);
	if (n > 0)
		return n;
	wf_store_execute(WF_SQL_DELETE_TENANT, values, NULL);
	forget_witnesses(tenant_id);
	return 1;
}
