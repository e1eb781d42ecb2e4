/*
 * tenant_status.c: tenants that are not active, and what is refused in them.
 *
 * 1. A tenant's status is its own or, when that is worse, that of a tenant above it: children of a suspended tenant are
 *    suspended with it, and go on with it.
 * 2. A backend keeps the list of all tenants that are not active, until wf.tenant changes (cache.c). It is read with the latest
 *    snapshot, whatever the transaction's isolation level: a tenant that is suspended is so for all from then on. As a rule the
 *    list is empty, and to ask costs two comparisons: a claim asks for each tenant that has messages.
 * 3. Suspended: nothing starts and nothing goes on, and the rest may be looked after. Archived: nothing changes. Deleting: it is
 *    not there any more, for anybody but who deletes its rows.
 *
 * What was begun before goes on to the end of its segment: nobody waits for anybody here.
 */
#include "postgres.h"

#include "base/json.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/array.h"
#include "utils/memutils.h"

typedef struct Halted
{
	pg_uuid_t	tenant_id;
	WfTenantStatus status;
	bool		own;			/* not (only) that of a tenant above */
} Halted;

/* In the order of ids. */
static struct
{
	MemoryContext memory;
	uint64		generation;		/* of wf.tenant; 0: to be read again */
	int			n;
	Halted	   *items;
}			halted;

/* What may be done in a suspended tenant: all that neither starts a run nor moves one on. */
#define HELD_WHILE_SUSPENDED (WF_WORKFLOW_EXECUTE | WF_RUN_REPLAY | WF_TASK_COMPLETE)
/* What may be done in an archived one. */
#define READS (WF_WORKFLOW_READ | WF_RUN_READ | WF_CONNECTOR_READ | WF_CREDENTIAL_READ | WF_AUDIT_READ)

static void
read_halted(void)
{
	uint64		generation = wf_store_generation();
	uint64		of_tenants = wf_store_tenants_generation();
	SPITupleTable *rows;
	uint64		n;

	halted.generation = 0;
	halted.n = 0;
	if (halted.memory == NULL)
		halted.memory = AllocSetContextCreate(TopMemoryContext, "workflow tenants that are not active", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(halted.memory);
	SPI_connect();
	n = wf_store_execute_latest(WF_SQL_HALTED_TENANTS, NULL, NULL);
	rows = SPI_tuptable;
	halted.items = MemoryContextAllocHuge(halted.memory, sizeof(Halted) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		wf_store_uuid(i, 1, &halted.items[i].tenant_id);
		halted.items[i].status = wf_store_int(i, 2);
		halted.items[i].own = wf_store_bool(i, 3);
	}
	SPI_freetuptable(rows);
	SPI_finish();
	halted.n = (int) n;
	if (wf_store_may_cache_here(generation))
		halted.generation = of_tenants;
}

static int
compare(const void *a, const void *b)
{
	return memcmp(a, &((const Halted *) b)->tenant_id, sizeof(pg_uuid_t));
}

/* The entry of a tenant that is not active, or NULL. */
static const Halted *
find(const pg_uuid_t *tenant_id)
{
	if (halted.generation == 0 || halted.generation != wf_store_tenants_generation())
		read_halted();
	if (halted.n == 0)
		return NULL;
	return bsearch(tenant_id, halted.items, halted.n, sizeof(Halted), compare);
}

WfTenantStatus
wf_store_tenant_status(const pg_uuid_t *tenant_id)
{
	const Halted *entry = find(tenant_id);

	return entry == NULL ? WF_TENANT_ACTIVE : entry->status;
}

ArrayType *
wf_store_halted_tenants(void)
{
	static const pg_uuid_t nobody = {{0}};
	Datum	   *ids;

	(void) find(&nobody);
	ids = palloc(sizeof(Datum) * Max(halted.n, 1));
	for (int i = 0; i < halted.n; i++)
		ids[i] = UUIDPGetDatum(&halted.items[i].tenant_id);
	return construct_array(ids, halted.n, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR);
}

/* Whom to ask, as the tenant or one above it says. */
static const char *
with_contact(const pg_uuid_t *tenant_id, const char *hint)
{
	JsonbValue	contact;

	if (!wf_store_tenant_setting(tenant_id, "contact", &contact))
		return hint;
	return psprintf("%s Contact: %s", hint, wf_json_cstring(&contact));
}

void
wf_store_require_open(const WfTenant *tenant, uint32 permission)
{
	const Halted *entry = find(&tenant->tenant_id);
	bool		own;

	if (entry == NULL ||
		(entry->status == WF_TENANT_SUSPENDED && (permission & HELD_WHILE_SUSPENDED) == 0) ||
		(entry->status == WF_TENANT_ARCHIVED && (permission & ~READS) == 0))
		return;
	own = entry->own;
	if (entry->status == WF_TENANT_SUSPENDED)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("tenant \"%s\" is suspended", tenant->name),
						own ? 0 : errdetail("A tenant above it is."),
						errhint("%s", with_contact(&tenant->tenant_id, "Its runs wait, until a superuser or a manager of the tenant above lets it go on with wf_set_tenant_status()."))));
	if (entry->status == WF_TENANT_ARCHIVED)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("tenant \"%s\" is archived", tenant->name),
						own ? 0 : errdetail("A tenant above it is."),
						errhint("%s", with_contact(&tenant->tenant_id, "It can only be read, until an owner makes it active with wf_set_tenant_status()."))));
	ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					errmsg("tenant \"%s\" is being deleted", tenant->name)));
}
