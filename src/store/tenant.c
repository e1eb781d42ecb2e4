/*
 * tenant.c: who may act for which tenant.
 *
 * A role is a member of a tenant by a row of wf.member that names it or a role whose rights it has
 * (has_privs_of_role: inheritance counts, the superuser's universal membership does not). Of several
 * rows for one tenant the permissions add up; those of rows that are narrowed to some workflows are kept
 * apart (narrow.c). Who manages the team of a tenant has the rights that he has there in the tenants below it, too; a superuser
 * may act in any tenant, but has to name it when it is a member of none or of several.
 *
 * What a role may do in a tenant is looked up tenant by tenant, so that it costs nothing to be a member of a hundred thousand; the
 * last answers are kept until the generation of cache.c moves.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "store/member.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#define MOST_KEPT 64

/* What a role may do in a tenant. */
typedef struct Rights
{
	Oid			role;
	WfTenant	tenant;
	bool		is_member;		/* by a row of the tenant's; else, if at all, by one of a tenant above */
	int			n_narrowings;
	WfNarrowing *narrowings;
} Rights;

/* The last answers, in the order in which they came; the oldest is forgotten first. */
static struct
{
	MemoryContext memory;		/* each answer's own is below it */
	uint64		generation;
	int			next;
	Rights	   *items[MOST_KEPT];
}			kept;

/* The last answer of wf_store_current_tenant. */
static struct
{
	bool		valid;
	uint64		generation;
	Oid			role;
	char		setting[256];
	WfTenant	tenant;
}			current;

static bool
same_tenant(const pg_uuid_t *a, const pg_uuid_t *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t)) == 0;
}

/* What an application role stands for: the built-in one of this name, else what the row says. */
static uint32
permissions_of(const char *app_role, ArrayType *own)
{
	uint32		permissions = wf_store_permissions(app_role);

	return permissions != 0 ? permissions : wf_store_permission_set(own);
}

/* -- looking up -- */

/* Adds row i of WF_SQL_RIGHTS, which is of the tenant itself. */
static void
add_row(Rights *rights, uint64 i, const char *app_role, uint32 permissions, MemoryContext memory)
{
	const char *category = wf_store_text(i, 5);
	bool		for_workflow = wf_store_has(i, 4);
	WfNarrowing *narrowing;

	rights->is_member = true;
	if (!for_workflow && category == NULL)
	{
		rights->tenant.permissions |= permissions;
		rights->tenant.owner |= strcmp(app_role, "owner") == 0;
		return;
	}
	narrowing = &rights->narrowings[rights->n_narrowings++];
	narrowing->permissions = permissions & WF_OF_WORKFLOWS;
	wf_store_uuid(i, 4, &narrowing->workflow_id);
	narrowing->category = category == NULL ? NULL : MemoryContextStrdup(memory, category);
	rights->tenant.narrowed |= narrowing->permissions;
}

/* Fills what the role may do in rights->tenant. Own SPI. */
static void
look_up(Rights *rights, MemoryContext memory)
{
	Datum		values[2] = {ObjectIdGetDatum(rights->role), UUIDPGetDatum(&rights->tenant.tenant_id)};
	uint32		inherited = 0;
	uint32		here = 0;		/* what the role has in the tenant above that the rows at hand are of */
	uint64		n;
	SPITupleTable *rows;

	SPI_connect();
	n = wf_store_execute(WF_SQL_RIGHTS, values, NULL);
	rows = SPI_tuptable;
	rights->narrowings = MemoryContextAllocZero(memory, sizeof(WfNarrowing) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		int			above = wf_store_int(i, 1);
		const char *app_role = wf_store_text(i, 2);
		uint32		permissions = permissions_of(app_role, wf_store_array(i, 3));

		if (above == 0)
		{
			add_row(rights, i, app_role, permissions, memory);
			continue;
		}
		if (!wf_store_has(i, 4) && wf_store_text(i, 5) == NULL)
			here |= permissions;
		if (i + 1 == n || wf_store_int(i + 1, 1) != above)
		{
			/* who manages the team above has the rights that he has there */
			if ((here & WF_TEAM_MANAGE) != 0)
				inherited |= here;
			here = 0;
		}
	}
	SPI_freetuptable(rows);
	SPI_finish();
	rights->tenant.permissions |= inherited;
}

/* -- what is kept -- */

static void
forget(int i)
{
	if (kept.items[i] != NULL)
		MemoryContextDelete(GetMemoryChunkContext(kept.items[i]));
	kept.items[i] = NULL;
}

/* Forgets what may have changed. */
static void
catch_up(void)
{
	uint64		generation = wf_store_generation();

	if (kept.generation == generation)
		return;
	for (int i = 0; i < MOST_KEPT; i++)
		forget(i);
	kept.generation = generation;
}

static Rights *
find_kept(Oid role, const pg_uuid_t *tenant_id, const char *name)
{
	for (int i = 0; i < MOST_KEPT; i++)
	{
		Rights	   *item = kept.items[i];

		if (item != NULL && item->role == role &&
			(tenant_id != NULL ? same_tenant(&item->tenant.tenant_id, tenant_id) :
			 name != NULL && strcmp(item->tenant.name, name) == 0))
			return item;
	}
	return NULL;
}

/* What a role may do in a tenant whose id and name are known; valid until the next look-up. */
static Rights *
rights_in(Oid role, const WfTenant *tenant)
{
	MemoryContext memory;
	Rights	   *rights;
	uint64		generation = kept.generation;

	if (kept.memory == NULL)
		kept.memory = AllocSetContextCreate(TopMemoryContext, "workflow memberships", ALLOCSET_SMALL_SIZES);
	memory = AllocSetContextCreate(CurrentMemoryContext, "workflow membership", ALLOCSET_SMALL_SIZES);
	rights = MemoryContextAllocZero(memory, sizeof(Rights));
	rights->role = role;
	rights->tenant.tenant_id = tenant->tenant_id;
	strlcpy(rights->tenant.name, tenant->name, sizeof(rights->tenant.name));
	look_up(rights, memory);
	if (wf_store_may_cache(generation) && generation == kept.generation)
	{
		MemoryContextSetParent(memory, kept.memory);
		forget(kept.next);
		kept.items[kept.next] = rights;
		kept.next = (kept.next + 1) % MOST_KEPT;
	}
	return rights;
}

/* The tenant's name; false when there is no such tenant. */
static bool
find_name(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	bool		found;

	SPI_connect();
	found = wf_store_execute(WF_SQL_TENANT_BY_ID, values, NULL) == 1;
	if (found)
	{
		memset(tenant, 0, sizeof(*tenant));
		tenant->tenant_id = *tenant_id;
		strlcpy(tenant->name, wf_store_text(0, 1), sizeof(tenant->name));
	}
	SPI_finish();
	return found;
}

static bool
find_id(const char *name, WfTenant *tenant)
{
	Datum		values[1];
	bool		found;

	SPI_connect();
	values[0] = CStringGetTextDatum(name);
	found = wf_store_execute(WF_SQL_TENANT_BY_NAME, values, NULL) == 1;
	if (found)
	{
		memset(tenant, 0, sizeof(*tenant));
		wf_store_uuid(0, 1, &tenant->tenant_id);
		strlcpy(tenant->name, wf_store_text(0, 2), sizeof(tenant->name));
	}
	SPI_finish();
	return found;
}

/* A role's rights by the tenant's id, or (NULL) by its name; NULL when there is no such tenant. Valid until the next look-up. */
static Rights *
find_rights(Oid role, const pg_uuid_t *tenant_id, const char *name)
{
	Rights	   *rights;
	WfTenant	tenant;

	catch_up();
	rights = find_kept(role, tenant_id, name);
	if (rights != NULL)
		return rights;
	if (!(tenant_id != NULL ? find_name(tenant_id, &tenant) : find_id(name, &tenant)))
		return NULL;
	return rights_in(role, &tenant);
}

const WfNarrowing *
wf_store_narrowings(const pg_uuid_t *tenant_id, int *n)
{
	Rights	   *rights = find_rights(GetUserId(), tenant_id, NULL);

	*n = rights == NULL ? 0 : rights->n_narrowings;
	return rights == NULL ? NULL : rights->narrowings;
}

/* Copies the rights out; a superuser has all. False: the role may do nothing in the tenant. */
static bool
hand_out(Oid role, const Rights *rights, WfTenant *tenant)
{
	if (rights == NULL)
		return false;
	*tenant = rights->tenant;
	if (!superuser_arg(role))
		return rights->is_member || tenant->permissions != 0;
	tenant->permissions = wf_store_permissions("owner");
	tenant->narrowed = 0;
	tenant->owner = true;
	return true;
}

bool
wf_store_tenant_named(const char *name, WfTenant *tenant)
{
	Oid			role = GetUserId();

	return hand_out(role, find_rights(role, NULL, name), tenant);
}

bool
wf_store_find_tenant(const char *name, pg_uuid_t *tenant_id)
{
	Datum		values[1] = {CStringGetTextDatum(name)};
	bool		found = wf_store_execute(WF_SQL_TENANT_BY_NAME, values, NULL) == 1;

	if (found)
		wf_store_uuid(0, 1, tenant_id);
	SPI_freetuptable(SPI_tuptable);
	return found;
}

bool
wf_store_is_member(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	const Rights *rights = find_rights(GetUserId(), tenant_id, NULL);

	if (rights == NULL)
		return false;
	*tenant = rights->tenant;
	return rights->is_member || tenant->permissions != 0;
}

bool
wf_store_tenant_of(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	Oid			role = GetUserId();

	return hand_out(role, find_rights(role, tenant_id, NULL), tenant);
}

void
wf_store_my_tenants(List **members, List **managed)
{
	Datum		values[1] = {ObjectIdGetDatum(GetUserId())};
	uint64		n = wf_store_execute(WF_SQL_MEMBERSHIPS, values, NULL);
	pg_uuid_t  *last = NULL;
	uint32		permissions = 0;

	*members = *managed = NIL;
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t	tenant_id;

		wf_store_uuid(i, 1, &tenant_id);
		if (last == NULL || !same_tenant(last, &tenant_id))
		{
			last = palloc(sizeof(pg_uuid_t));
			*last = tenant_id;
			*members = lappend(*members, last);
			permissions = 0;
		}
		if (!wf_store_bool(i, 4) && (permissions & WF_TEAM_MANAGE) == 0)
		{
			permissions |= permissions_of(wf_store_text(i, 2), wf_store_array(i, 3));
			if ((permissions & WF_TEAM_MANAGE) != 0)
				*managed = lappend(*managed, last);
		}
	}
	SPI_freetuptable(SPI_tuptable);
}

/* The id of the tenant `default`, as the extension's script has it. */
static const pg_uuid_t default_tenant = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};

/* Is the role a member of the tenant by a row that names itself? */
static bool
is_direct(Oid role, const pg_uuid_t *tenant_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};
	bool		found;

	SPI_connect();
	found = wf_store_execute(WF_SQL_MEMBER_RIGHTS, values, NULL) > 0;
	SPI_finish();
	return found;
}

/*
 * The one tenant that a role is a member of: directly if there is such, else by another role. A superuser of several
 * acts for `default` if that is one of them: who creates tenants becomes their owner, and goes on as before.
 */
static bool
only_tenant(Oid role, WfTenant *tenant, WfError **problem)
{
	Datum		values[1] = {ObjectIdGetDatum(role)};
	pg_uuid_t	chosen;
	int			n;
	int			n_direct = 0;
	bool		found;

	SPI_connect();
	n = wf_store_execute(WF_SQL_FEW_TENANTS, values, NULL);
	while (n_direct < n && wf_store_bool(n_direct, 2))
		n_direct++;
	found = n_direct == 1 || n == 1;
	if (found)
		wf_store_uuid(0, 1, &chosen);
	SPI_finish();
	if (found)
		return hand_out(role, find_rights(role, &chosen, NULL), tenant);
	if (n_direct > 1 && superuser_arg(role) && is_direct(role, &default_tenant))
		return hand_out(role, find_rights(role, &default_tenant, NULL), tenant);
	if (problem == NULL)
		return false;
	if (n == 0)
		*problem = wf_error_make(ERRCODE_INSUFFICIENT_PRIVILEGE,
								 "An admin or owner of a tenant can add the role with wf_grant().",
								 "role \"%s\" is not a member of any tenant", GetUserNameFromId(role, false));
	else
		*problem = wf_error_make(ERRCODE_INSUFFICIENT_PRIVILEGE,
								 "Choose one with wf_use_tenant(), or by setting \"workflow.tenant\".",
								 "role \"%s\" is a member of several tenants", GetUserNameFromId(role, false));
	return false;
}

bool
wf_store_current_tenant(WfTenant *tenant, WfError **problem)
{
	Oid			role = GetUserId();
	uint64		generation = wf_store_generation();
	const char *setting = wf_setting_tenant == NULL ? "" : wf_setting_tenant;
	bool		found;

	if (current.valid && current.generation == generation && current.role == role &&
		strcmp(current.setting, setting) == 0)
	{
		*tenant = current.tenant;
		return true;
	}
	if (setting[0] == '\0')
		found = only_tenant(role, tenant, problem);
	else
	{
		found = wf_store_tenant_named(setting, tenant);
		if (!found && problem != NULL)
			*problem = wf_error_make(ERRCODE_INSUFFICIENT_PRIVILEGE,
									 "An admin or owner of the tenant can add the role with wf_grant().",
									 "role \"%s\" is not a member of tenant \"%s\"",
									 GetUserNameFromId(role, false), setting);
	}
	current.valid = false;
	if (found && strlen(setting) < sizeof(current.setting) && wf_store_may_cache(generation))
	{
		current.generation = generation;
		current.role = role;
		strlcpy(current.setting, setting, sizeof(current.setting));
		current.tenant = *tenant;
		current.valid = true;
	}
	return found;
}

void
wf_store_refuse(const WfTenant *tenant, WfPermission permission)
{
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied for tenant \"%s\"", tenant->name),
					(tenant->narrowed & permission) != 0 ?
					errdetail("The permission \"%s\" is given for some workflows only.", wf_store_permission_name(permission)) :
					errdetail("The permission \"%s\" is missing.", wf_store_permission_name(permission)),
					errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

/* Throws 42501 when there is no current tenant. */
static void
require_tenant(WfTenant *tenant)
{
	WfError    *problem = NULL;

	if (!wf_store_current_tenant(tenant, &problem))
		wf_error_raise(problem);
}

void
wf_store_require(WfPermission permission, WfTenant *tenant)
{
	require_tenant(tenant);
	if ((tenant->permissions & permission) == 0)
		wf_store_refuse(tenant, permission);
	wf_store_require_open(tenant, permission);
}

void
wf_store_require_some(WfPermission permission, WfTenant *tenant)
{
	require_tenant(tenant);
	if (((tenant->permissions | tenant->narrowed) & permission) == 0)
		wf_store_refuse(tenant, permission);
	wf_store_require_open(tenant, permission);
}

/* -- changes -- */

void
wf_store_insert_tenant(const pg_uuid_t *tenant_id, const char *name, const pg_uuid_t *parent, Jsonb *quotas, Jsonb *settings,
					   int reserved_workers)
{
	Datum		values[7] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), UUIDPGetDatum(parent),
	JsonbPGetDatum(quotas), ObjectIdGetDatum(GetUserId()), JsonbPGetDatum(settings), Int32GetDatum(reserved_workers)};
	char		nulls[7] = {' ', ' ', parent == NULL ? 'n' : ' ', ' ', ' ', ' ', ' '};

	wf_store_execute(WF_SQL_INSERT_TENANT, values, nulls);
}

bool
wf_store_tenant_exists(const char *name)
{
	Datum		values[1] = {CStringGetTextDatum(name)};

	return wf_store_execute(WF_SQL_TENANT_BY_NAME, values, NULL) > 0;
}

void
wf_store_lock_tenant(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};

	wf_store_execute(WF_SQL_LOCK_TENANT, values, NULL);
}
