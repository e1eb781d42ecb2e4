/*
 * tenant.c: wf_create_tenant, wf_grant, wf_revoke, wf_use_tenant, wf_current_tenant, wf_can.
 */
#include "postgres.h"

#include "api/api.h"
#include "base/text.h"
#include "base/uuid.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/store.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define NAME_BYTES 255

static const char *const app_roles[] = {"admin", "member", "owner", "viewer"};

/* The tenant if current_user may manage its members; throws 42501, the same for a tenant that does not exist. */
static void
require_manager(const char *name, WfTenant *tenant)
{
	if (!wf_store_tenant_named(name, tenant) || (tenant->permissions & WF_TEAM_MANAGE) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", wf_text_clip(name)),
						errdetail("The permission \"team:manage\" is missing."),
						errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

/* As require_manager, with no change of members by anybody else until the transaction ends. */
static void
require_only_manager(const char *name, WfTenant *tenant)
{
	require_manager(name, tenant);
	wf_store_lock_tenant(&tenant->tenant_id);
	wf_store_catch_up();
	require_manager(name, tenant);	/* the right may have gone while we waited */
}

static void
check_tenant_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) > NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of a tenant must have 1 to %d bytes", NAME_BYTES)));
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f || *c == '/')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("name of a tenant must not contain control characters or slashes")));
}

/* How long a tenant keeps its ended runs; 0: for ever. */
static void
check_retention(const JsonbValue *value)
{
	char	   *text = value->type == jbvString ? wf_json_cstring(value) :
		value->type == jbvNumeric ? wf_json_text(value) : NULL;
	int64		ms;

	if (text == NULL || !wf_text_duration_ms(text, &ms))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("quota \"retention\" must be a duration"),
						errhint("Use something like \"30 days\"; 0 keeps runs for ever.")));
}

static Jsonb *
quotas_of(const Jsonb *options)
{
	static const char *const known[] = {
		"concurrentRuns", "queuedRuns", "requestsPerMinute", "retention", "runsPerMinute", "storedBytes",
		"workflows"
	};
	JsonbValue	root;
	JsonbValue	quotas;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;
	Jsonb	   *copy;
	int64		number;

	wf_json_root(options, &root);
	if (!wf_json_field(&root, "quotas", &quotas))
		return wf_json_empty_object();
	copy = wf_json_copy(&quotas);
	wf_api_check_options(copy, known, lengthof(known));
	wf_json_iter_begin(&it, &quotas);
	while (wf_json_iter_next(&it, &key, &value))
	{
		char	   *name = wf_json_cstring(&key);

		if (strcmp(name, "retention") == 0)
			check_retention(&value);
		else if (!wf_json_int64(&value, &number) || number < 0)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("quota \"%s\" must be a whole number, zero or more", name)));
	}
	return copy;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_create_tenant);

Datum
wf_sql_create_tenant(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"parent", "quotas"};
	char	   *name = wf_api_text(fcinfo, 0, "name");
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 1);
	char	   *parent_name;
	Jsonb	   *quotas;
	WfTenant	parent;
	pg_uuid_t  *tenant_id = palloc(sizeof(pg_uuid_t));

	check_tenant_name(name);
	wf_api_check_options(options, known, lengthof(known));
	parent_name = wf_api_option_text(options, "parent");
	quotas = quotas_of(options);
	SPI_connect();
	if (parent_name != NULL)
		require_manager(parent_name, &parent);
	else if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to create a tenant without a parent"),
						errhint("A superuser may; admins and owners of a tenant may create one below it with the option \"parent\".")));
	if (wf_store_tenant_exists(name))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("tenant \"%s\" already exists", name)));
	wf_uuid_make(tenant_id);
	wf_store_insert_tenant(tenant_id, name, parent_name != NULL ? &parent.tenant_id : NULL, quotas);
	wf_store_put_member(tenant_id, GetUserId(), "owner");
	wf_store_audit(tenant_id, &(WfAudit) {.action = "tenant.create", .object_type = "tenant", .object_id = tenant_id,
				   .object_name = name, .after = options});
	if (parent_name != NULL)
		wf_store_audit(&parent.tenant_id, &(WfAudit) {.action = "tenant.create", .object_type = "tenant",
					   .object_id = tenant_id, .object_name = name, .after = options});
	SPI_finish();
	PG_RETURN_UUID_P(tenant_id);
}

/* Only owners may name owners or take from one; the last owner stays. */
static void
check_owners(const WfTenant *tenant, Oid role, bool becomes_owner)
{
	const char *before = wf_store_member_role(&tenant->tenant_id, role);
	bool		was_owner = before != NULL && strcmp(before, "owner") == 0;

	if ((was_owner || becomes_owner) && !tenant->owner)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", tenant->name),
						errdetail("Only an owner may name owners or change what an owner is.")));
	if (was_owner && !becomes_owner && wf_store_count_owners(&tenant->tenant_id) < 2)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("tenant \"%s\" must keep an owner", tenant->name),
						errhint("Name another owner with wf_grant() first.")));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_grant);

Datum
wf_sql_grant(PG_FUNCTION_ARGS)
{
	char	   *tenant_name;
	char	   *app_role;
	WfTenant	tenant;
	Oid			role;
	const char *before;
	const char *hint;

	wf_api_not_null(fcinfo, 0, "role");
	tenant_name = wf_api_text(fcinfo, 1, "tenant");
	app_role = wf_api_text(fcinfo, 2, "app_role");
	if (wf_store_permissions(app_role) == 0)
	{
		hint = wf_text_did_you_mean(wf_text_clip(app_role), app_roles, lengthof(app_roles));
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown application role \"%s\"", wf_text_clip(app_role)),
						errhint("%s", hint != NULL ? hint : "It is one of viewer, member, admin, owner.")));
	}
	SPI_connect();
	require_only_manager(tenant_name, &tenant);
	role = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	check_owners(&tenant, role, strcmp(app_role, "owner") == 0);
	before = wf_store_member_role(&tenant.tenant_id, role);
	wf_store_put_member(&tenant.tenant_id, role, app_role);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "member.grant", .object_type = "role",
				   .object_name = NameStr(*PG_GETARG_NAME(0)), .before = wf_store_audit_facts("appRole", before, NULL),
				   .after = wf_store_audit_facts("appRole", app_role, NULL)});
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_revoke);

Datum
wf_sql_revoke(PG_FUNCTION_ARGS)
{
	char	   *tenant_name;
	WfTenant	tenant;
	Oid			role;
	const char *before;

	wf_api_not_null(fcinfo, 0, "role");
	tenant_name = wf_api_text(fcinfo, 1, "tenant");
	SPI_connect();
	require_only_manager(tenant_name, &tenant);
	role = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	check_owners(&tenant, role, false);
	before = wf_store_member_role(&tenant.tenant_id, role);
	if (!wf_store_delete_member(&tenant.tenant_id, role))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("role \"%s\" is not a member of tenant \"%s\"", NameStr(*PG_GETARG_NAME(0)), tenant.name)));
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "member.revoke", .object_type = "role",
				   .object_name = NameStr(*PG_GETARG_NAME(0)), .before = wf_store_audit_facts("appRole", before, NULL)});
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_use_tenant);

Datum
wf_sql_use_tenant(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	WfTenant	tenant;

	SPI_connect();
	if (!wf_store_tenant_named(name, &tenant))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("role \"%s\" is not a member of tenant \"%s\"", GetUserNameFromId(GetUserId(), false),
							   wf_text_clip(name)),
						errhint("An admin or owner of the tenant can add the role with wf_grant().")));
	SPI_finish();
	SetConfigOption("workflow.tenant", name, PGC_USERSET, PGC_S_SESSION);
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_current_tenant);

Datum
wf_sql_current_tenant(PG_FUNCTION_ARGS)
{
	WfTenant	tenant;

	if (!wf_store_current_tenant(&tenant, NULL))
		PG_RETURN_NULL();
	PG_RETURN_TEXT_P(cstring_to_text(tenant.name));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_can);

Datum
wf_sql_can(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "permission");
	uint32		permission = wf_store_permission(name);
	WfTenant	tenant;

	if (permission == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown permission \"%s\"", wf_text_clip(name)),
						errhint("Permissions look like \"workflow:execute\"; docs/tenants.md lists them.")));
	PG_RETURN_BOOL(wf_store_current_tenant(&tenant, NULL) && (tenant.permissions & permission) != 0);
}
