/*
 * tenant.h: the life of tenants: their rows, and their end. Callers hold an SPI connection; results are in CurrentMemoryContext.
 */
#ifndef WF_STORE_TENANT_H
#define WF_STORE_TENANT_H

#include "access/tupdesc.h"
#include "store/store.h"

/* -- rows (tenant_row.c) -- */

/* Workers that are reserved for a tenant. */
typedef struct WfReservation
{
	pg_uuid_t	tenant_id;
	int			n;
	List	   *roles;			/* for the caller to fill */
} WfReservation;

/* What may be changed of a tenant. */
typedef struct WfTenantRow
{
	pg_uuid_t	tenant_id;
	const char *name;
	bool		has_parent;
	pg_uuid_t	parent_id;
	Jsonb	   *quotas;			/* its own */
	Jsonb	   *settings;		/* likewise */
	const char *status;			/* likewise: active, suspended, archived, deleting */
	int			reserved_workers;
} WfTenantRow;

/* As it is, unlocked; NULL: it is gone. */
extern WfTenantRow *wf_store_tenant_row(const pg_uuid_t *tenant_id);
extern void wf_store_update_tenant(const WfTenantRow *row);
/* Nobody else changes which tenant is below which, until the transaction ends. */
extern void wf_store_lock_tenant_tree(void);
/* The tenants above, and itself: how many; *has_other: `other` is among them. As of now, whatever the transaction's snapshot. */
extern int	wf_store_tenants_above(const pg_uuid_t *tenant_id, const pg_uuid_t *other, bool *has_other);
extern int	wf_store_count_children(const pg_uuid_t *tenant_id);
/* Workers that all others reserve. */
extern int	wf_store_reserved_by_others(const pg_uuid_t *tenant_id);
/* Tenants that are active and have reserved workers (WfReservation *), and roles that have messages in such a tenant's queue (Oid). */
extern List *wf_store_reservations(void);
extern List *wf_store_roles_of_tenant(const pg_uuid_t *tenant_id);

/*
 * Puts one row per tenant that current_user may see into a tuplestore of wf.tenants(): those that it is a member of, all below those
 * that it manages, and for a superuser all.
 */
struct Tuplestorestate;
extern void wf_store_list_tenants(struct Tuplestorestate *store, TupleDesc columns);

/* -- the end (tenant_delete.c) -- */

/* Marks a tenant, whose row is locked: from the commit on it is not there for anybody, and its secrets and members are gone. */
extern void wf_store_mark_deleting(WfTenantRow *row);

/* A tenant that is to be deleted (pg_uuid_t *), by transactions that have committed. */
extern List *wf_store_deleting_tenants(void);
/* Is nobody left who may have begun something in the tenant before it was marked? Asked by one and the same backend again and again. */
extern bool wf_store_is_abandoned(const pg_uuid_t *tenant_id);
/* Deletes at most `most` rows of a tenant's, of all tables but wf.tenant, and that one's when there is no other. How many. As the
 * current user, a superuser. */
extern int	wf_store_delete_rows(const pg_uuid_t *tenant_id, int most);

#endif
