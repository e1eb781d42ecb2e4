/*
 * tenant.c: who may act for which tenant.
 *
 * A role is a member of a tenant by a row of wf.member that names it or a role whose rights it has
 * (has_privs_of_role: inheritance counts, the superuser's universal membership does not). Of several
 * rows for one tenant the strongest counts. Owners and admins of a tenant act as admins in the
 * tenants below it; a superuser may act in any tenant, but has to name it when it is a member of none
 * or of several.
 *
 * The memberships of the last role asked for are kept until the generation of cache.c moves.
 */
#include "postgres.h"

#include "base/settings.h"
#include "base/uuid.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

typedef struct Membership
{
	WfTenant	tenant;
	bool		direct;			/* by a row that names the role itself */
} Membership;

/* Memberships of one role. */
typedef struct Memberships
{
	MemoryContext memory;
	Oid			role;
	uint64		generation;		/* 0: not to be kept */
	int			n;
	Membership *items;
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

/* Adds a row's membership, or strengthens the one that is there. */
static void
add_membership(Memberships *all, const pg_uuid_t *tenant_id, const char *name, const char *app_role, bool direct)
{
	uint32		permissions = wf_store_permissions(app_role);
	bool		owner = strcmp(app_role, "owner") == 0;
	Membership *item = NULL;

	for (int i = 0; i < all->n && item == NULL; i++)
		if (same_tenant(&all->items[i].tenant.tenant_id, tenant_id))
			item = &all->items[i];
	if (item == NULL)
	{
		item = &all->items[all->n++];
		memset(item, 0, sizeof(*item));
		item->tenant.tenant_id = *tenant_id;
		strlcpy(item->tenant.name, name, sizeof(item->tenant.name));
	}
	item->tenant.permissions |= permissions;
	item->tenant.owner |= owner;
	item->direct |= direct;
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
	if (kept.memory == NULL)
		kept.memory = AllocSetContextCreate(TopMemoryContext, "workflow memberships", ALLOCSET_SMALL_SIZES);
	MemoryContextReset(kept.memory);

	SPI_connect();
	n = wf_store_execute(WF_SQL_MEMBERSHIPS, values, NULL);
	rows = SPI_tuptable;
	kept.items = MemoryContextAllocZero(kept.memory, sizeof(Membership) * Max(n, 1));
	for (uint64 i = 0; i < n; i++)
	{
		pg_uuid_t	tenant_id;

		wf_store_uuid(i, 1, &tenant_id);
		add_membership(&kept, &tenant_id, wf_store_text(i, 2), wf_store_text(i, 3), wf_store_bool(i, 4));
	}
	SPI_freetuptable(rows);
	SPI_finish();
	kept.role = role;
	if (wf_store_may_cache(generation))
		kept.generation = generation;
	return &kept;
}

/* Makes a role an admin of a tenant when it is one of a tenant above. */
static bool
rights_of_parents(Oid role, WfTenant *tenant)
{
	Datum		values[1] = {UUIDPGetDatum(&tenant->tenant_id)};
	Memberships *mine = memberships_of(role);
	SPITupleTable *chain;
	uint64		n;
	bool		found = false;

	SPI_connect();
	n = wf_store_execute(WF_SQL_TENANT_CHAIN, values, NULL);
	chain = SPI_tuptable;
	for (uint64 i = 0; i < n && !found; i++)
	{
		pg_uuid_t	above;

		wf_store_uuid(i, 1, &above);
		for (int j = 0; j < mine->n && !found; j++)
			found = same_tenant(&mine->items[j].tenant.tenant_id, &above) &&
				(mine->items[j].tenant.permissions & WF_TEAM_MANAGE) != 0;
	}
	SPI_freetuptable(chain);
	SPI_finish();
	tenant->permissions = found ? wf_store_permissions("admin") : 0;
	tenant->owner = false;
	return found;
}

/* Makes current_user an admin (or, as a superuser, an owner) of a tenant that it is no member of. */
static bool
rights_from_above(Oid role, WfTenant *tenant)
{
	if (!superuser_arg(role))
		return rights_of_parents(role, tenant);
	tenant->permissions = wf_store_permissions("owner");
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
			*tenant = mine->items[i].tenant;
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
	Memberships *mine = memberships_of(role);

	for (int i = 0; i < mine->n; i++)
		if (same_tenant(&mine->items[i].tenant.tenant_id, tenant_id))
		{
			*tenant = mine->items[i].tenant;
			return true;
		}
	return find_name(tenant_id, tenant) && rights_of_parents(role, tenant);
}

bool
wf_store_tenant_of(const pg_uuid_t *tenant_id, WfTenant *tenant)
{
	Oid			role = GetUserId();
	Memberships *mine = memberships_of(role);

	for (int i = 0; i < mine->n; i++)
	{
		if (same_tenant(&mine->items[i].tenant.tenant_id, tenant_id))
		{
			*tenant = mine->items[i].tenant;
			return !superuser_arg(role) || rights_from_above(role, tenant);
		}
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
		*tenant = mine->items[chosen].tenant;
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
wf_store_require(WfPermission permission, WfTenant *tenant)
{
	WfError    *problem = NULL;

	if (!wf_store_current_tenant(tenant, &problem))
		wf_error_raise(problem);
	if ((tenant->permissions & permission) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", tenant->name),
						errdetail("The permission \"%s\" is missing.", wf_store_permission_name(permission)),
						errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

/* -- changes -- */

void
wf_store_insert_tenant(const pg_uuid_t *tenant_id, const char *name, const pg_uuid_t *parent, Jsonb *quotas)
{
	Datum		values[5] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name), UUIDPGetDatum(parent),
	JsonbPGetDatum(quotas), ObjectIdGetDatum(GetUserId())};
	char		nulls[5] = {' ', ' ', parent == NULL ? 'n' : ' ', ' ', ' '};

	wf_store_execute(WF_SQL_INSERT_TENANT, values, nulls);
}

bool
wf_store_tenant_exists(const char *name)
{
	Datum		values[1] = {CStringGetTextDatum(name)};

	return wf_store_execute(WF_SQL_TENANT_BY_NAME, values, NULL) > 0;
}

void
wf_store_put_member(const pg_uuid_t *tenant_id, Oid role, const char *app_role)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role), CStringGetTextDatum(app_role),
	ObjectIdGetDatum(GetUserId())};

	wf_store_execute(WF_SQL_PUT_MEMBER, values, NULL);
}

bool
wf_store_delete_member(const pg_uuid_t *tenant_id, Oid role)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};

	return wf_store_execute(WF_SQL_DELETE_MEMBER, values, NULL) > 0;
}

const char *
wf_store_member_role(const pg_uuid_t *tenant_id, Oid role)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), ObjectIdGetDatum(role)};

	return wf_store_execute(WF_SQL_MEMBER_ROLE, values, NULL) > 0 ? wf_store_text(0, 1) : NULL;
}

void
wf_store_lock_tenant(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};

	wf_store_execute(WF_SQL_LOCK_TENANT, values, NULL);
}

int
wf_store_count_owners(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};

	wf_store_execute(WF_SQL_COUNT_OWNERS, values, NULL);
	return wf_store_int(0, 1);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_current_tenant_if);

/* wf.current_tenant_if(permission): the same, for those who have the permission; NULL for an unknown one. */
Datum
wf_sql_current_tenant_if(PG_FUNCTION_ARGS)
{
	uint32		permission = wf_store_permission(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	WfTenant	tenant;
	pg_uuid_t  *result;

	if (!wf_store_current_tenant(&tenant, NULL) || (tenant.permissions & permission) == 0)
		PG_RETURN_NULL();
	result = palloc(sizeof(pg_uuid_t));
	*result = tenant.tenant_id;
	PG_RETURN_UUID_P(result);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_current_tenant_id);

/* wf.current_tenant_id(): what the policies compare with. NULL when there is none; never throws 42501. */
Datum
wf_sql_current_tenant_id(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;
	pg_uuid_t  *result;

	if (!wf_store_current_tenant(&tenant, NULL))
		PG_RETURN_NULL();
	result = palloc(sizeof(pg_uuid_t));
	*result = tenant.tenant_id;
	PG_RETURN_UUID_P(result);
}
