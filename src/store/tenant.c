/*
 * tenant.c: who may act for which tenant.
 *
 * A role is a member of a tenant by a row of wf.member that names it or a role whose rights it has
 * (has_privs_of_role: inheritance counts, the superuser's universal membership does not). Of several
 * rows for one tenant the permissions add up; those of rows that are narrowed to some workflows are kept
 * apart (narrow.c). Who manages the team of a tenant has the rights that he has there in the tenants below it, too; a superuser
 * may act in any tenant, but has to name it when it is a member of none or of several.
 *
 * The memberships of the last role asked for are kept until the generation of cache.c moves.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/uuid.h"
#include "miscadmin.h"
#include "store/member.h"
#include "store/statements.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct Membership
{
	WfTenant	tenant;
	bool		direct;			/* by a row that names the role itself */
	bool		complete;		/* has what comes from the tenants above, too */
} Membership;

/* Memberships of one role. */
typedef struct Memberships
{
	MemoryContext memory;
	Oid			role;
	uint64		generation;		/* 0: not to be kept */
	int			n;
	Membership *items;
	int			n_narrowings;
	WfNarrowing *narrowings;
} Memberships;

static Memberships kept;

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

/* The tenant's membership, made when there is none yet. */
static Membership *
membership_in(Memberships *all, const pg_uuid_t *tenant_id, const char *name)
{
	Membership *item;

	for (int i = 0; i < all->n; i++)
		if (same_tenant(&all->items[i].tenant.tenant_id, tenant_id))
			return &all->items[i];
	item = &all->items[all->n++];
	memset(item, 0, sizeof(*item));
	item->tenant.tenant_id = *tenant_id;
	strlcpy(item->tenant.name, name, sizeof(item->tenant.name));
	return item;
}

/* Adds row i of WF_SQL_MEMBERSHIPS. */
static void
add_membership(Memberships *all, uint64 i)
{
	const char *app_role = wf_store_text(i, 3);
	uint32		permissions = permissions_of(app_role, wf_store_array(i, 5));
	const char *category = wf_store_text(i, 7);
	pg_uuid_t	tenant_id;
	Membership *item;
	WfNarrowing narrowing = {{{0}}};
	bool		for_workflow;

	wf_store_uuid(i, 1, &tenant_id);
	for_workflow = wf_store_has(i, 6);
	item = membership_in(all, &tenant_id, wf_store_text(i, 2));
	item->direct |= wf_store_bool(i, 4);
	if (!for_workflow && category == NULL)
	{
		item->tenant.permissions |= permissions;
		item->tenant.owner |= strcmp(app_role, "owner") == 0;
		return;
	}
	narrowing.tenant_id = tenant_id;
	narrowing.permissions = permissions & WF_OF_WORKFLOWS;
	wf_store_uuid(i, 6, &narrowing.workflow_id);
	narrowing.category = category == NULL ? NULL : MemoryContextStrdup(all->memory, category);
	item->tenant.narrowed |= narrowing.permissions;
	all->narrowings[all->n_narrowings++] = narrowing;
}

/* The memberships of a role, from the cache or by a look-up. Valid until the next call. */
static Memberships *
memberships_of(Oid role)
{
	uint64		generation = wf_store_generation();
	Datum		values[1] = {ObjectIdGetDatum(role)};
	SPITupleTable *rows;
	uint64		n;

	if (kept.memory != NULL && kept.generation == generation && kept.role == role)
		return &kept;
	kept.generation = 0;
	kept.n = 0;
	kept.n_narrowings = 0;
	if (kept.memory == NULL)
		kept.memory = AllocSetContextCreate(TopMemoryContext, "workflow memberships", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(kept.memory);

	SPI_connect();
	n = wf_store_execute(WF_SQL_MEMBERSHIPS, values, NULL);
	rows = SPI_tuptable;
	kept.items = MemoryContextAllocZero(kept.memory, sizeof(Membership) * Max(n, 1));
	kept.narrowings = MemoryContextAllocZero(kept.memory, sizeof(WfNarrowing) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
		add_membership(&kept, i);
	SPI_freetuptable(rows);
	SPI_finish();
	kept.role = role;
	if (wf_store_may_cache(generation))
		kept.generation = generation;
	return &kept;
}

const WfNarrowing *
wf_store_narrowings(Oid role, int *n)
{
	Memberships *mine = memberships_of(role);

	*n = mine->n_narrowings;
	return mine->narrowings;
}

/* What a role may do in a tenant because it manages the team of one above: all that it may do there. */
static uint32
permissions_from_above(const Memberships *mine, const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	SPITupleTable *chain;
	uint64		n;
	uint32		found = 0;

	SPI_connect();
	n = wf_store_execute(WF_SQL_TENANT_CHAIN, values, NULL);
	chain = SPI_tuptable;
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t	above;

		wf_store_uuid(i, 1, &above);
		for (int j = 0; j < mine->n; j++)
			if (same_tenant(&mine->items[j].tenant.tenant_id, &above) &&
				(mine->items[j].tenant.permissions & WF_TEAM_MANAGE) != 0)
				found |= mine->items[j].tenant.permissions;
	}
	SPI_freetuptable(chain);
	SPI_finish();
	return found;
}

/* Rights in a tenant that the role is no member of. */
static bool
rights_of_parents(Oid role, WfTenant *tenant)
{
	tenant->permissions = permissions_from_above(memberships_of(role), &tenant->tenant_id);
	tenant->narrowed = 0;
	tenant->owner = false;
	return tenant->permissions != 0;
}

/* A membership with what its role has from above. */
static const WfTenant *
completed(Memberships *mine, Membership *item)
{
	if (!item->complete && mine->n > 1)
		item->tenant.permissions |= permissions_from_above(mine, &item->tenant.tenant_id);
	item->complete = true;
	return &item->tenant;
}

/* The role's membership of a tenant, or NULL. */
static const WfTenant *
membership_of(Memberships *mine, const pg_uuid_t *tenant_id)
{
	for (int i = 0; i < mine->n; i++)
		if (same_tenant(&mine->items[i].tenant.tenant_id, tenant_id))
			return completed(mine, &mine->items[i]);
	return NULL;
}

/* Makes current_user an admin (or, as a superuser, an owner) of a tenant that it is no member of. */
static bool
rights_from_above(Oid role, WfTenant *tenant)
{
	if (!superuser_arg(role))
		return rights_of_parents(role, tenant);
	tenant->permissions = wf_store_permissions("owner");
	tenant->narrowed = 0;
	tenant->owner = true;
	return true;
}

bool
wf_store_tenant_named(const char *name, WfTenant *tenant)
{
	Oid			role = GetUserId();
	Memberships *mine = memberships_of(role);
	Datum		values[1];
	bool		found = false;

	for (int i = 0; i < mine->n; i++)
	{
		if (strcmp(mine->items[i].tenant.name, name) == 0)
		{
			*tenant = *completed(mine, &mine->items[i]);
			if (superuser_arg(role))
				return rights_from_above(role, tenant);
			return true;
		}
	}
	SPI_connect();
	values[0] = CStringGetTextDatum(name);
	if (wf_store_execute(WF_SQL_TENANT_BY_NAME, values, NULL) == 1)
	{
		memset(tenant, 0, sizeof(*tenant));
		wf_store_uuid(0, 1, &tenant->tenant_id);
		strlcpy(tenant->name, wf_store_text(0, 2), sizeof(tenant->name));
		found = true;
	}
	SPI_finish();
	return found && rights_from_above(role, tenant);
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
wf_store_find_parent(const pg_uuid_t *tenant_id, pg_uuid_t *parent_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	bool		found = wf_store_execute(WF_SQL_TENANT_PARENT, values, NULL) == 1;

	if (found)
		wf_store_uuid(0, 1, parent_id);
	SPI_freetuptable(SPI_tuptable);
	return found;
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

bool
wf_store_is_member(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	Oid			role = GetUserId();
	const WfTenant *found = membership_of(memberships_of(role), tenant_id);

	if (found != NULL)
	{
		*tenant = *found;
		return true;
	}
	return find_name(tenant_id, tenant) && rights_of_parents(role, tenant);
}

bool
wf_store_tenant_of(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	Oid			role = GetUserId();
	const WfTenant *found = membership_of(memberships_of(role), tenant_id);

	if (found != NULL)
	{
		*tenant = *found;
		return !superuser_arg(role) || rights_from_above(role, tenant);
	}
	return find_name(tenant_id, tenant) && rights_from_above(role, tenant);
}

/* The id of the tenant `default`, as the extension's script has it. */
static const pg_uuid_t default_tenant = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};

/*
 * The one tenant that a role is a member of: directly if there is such, else by another role. A superuser of several
 * acts for `default` if that is one of them: who creates tenants becomes their owner, and goes on as before.
 */
static bool
only_tenant(Oid role, WfTenant *tenant, WfError **problem)
{
	Memberships *mine = memberships_of(role);
	int			n_direct = 0;
	int			chosen = -1;

	for (int i = 0; i < mine->n; i++)
		n_direct += mine->items[i].direct ? 1 : 0;
	for (int i = 0; i < mine->n; i++)
		if ((n_direct == 1 && mine->items[i].direct) || (n_direct == 0 && mine->n == 1) ||
			(n_direct > 1 && mine->items[i].direct && superuser_arg(role) &&
			 same_tenant(&mine->items[i].tenant.tenant_id, &default_tenant)))
			chosen = i;
	if (chosen >= 0)
	{
		*tenant = *completed(mine, &mine->items[chosen]);
		if (superuser_arg(role))
			return rights_from_above(role, tenant);
		return true;
	}
	if (problem == NULL)
		return false;
	if (mine->n == 0)
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

void
wf_store_my_tenants(List **members, List **managed)
{
	Memberships *mine = memberships_of(GetUserId());

	*members = *managed = NIL;
	for (int i = 0; i < mine->n; i++)
	{
		const WfTenant *tenant = &mine->items[i].tenant;
		pg_uuid_t  *id = palloc(sizeof(pg_uuid_t));

		*id = tenant->tenant_id;
		*members = lappend(*members, id);
		if ((tenant->permissions & WF_TEAM_MANAGE) != 0)
			*managed = lappend(*managed, id);
	}
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
