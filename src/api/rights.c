/*
 * rights.c: wf_grant, wf_revoke, wf_define_role, wf_drop_role, wf_permissions, wf_can.
 *
 * 1. Who changes memberships or roles holds the tenant's lock, and is asked for his right again once he has it: it may have gone
 *    meanwhile. So two who take each other's rights at once do not both succeed, and the last owner stays.
 * 2. Nobody gives what he does not have, by a grant or by what a role stands for, nor changes what somebody is who has more.
 *    Owners are named, and changed, by owners alone.
 */
#include "postgres.h"

#include "api/tenant.h"
#include "base/text.h"
#include "catalog/pg_type.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

#define NAME_BYTES 255

static const char *const built_in[] = {"viewer", "member", "admin", "owner"};

/* As wf_api_require_only_manager, of a tenant whose members can be changed. */
static void
require_only_manager(const char *name, WfTenant *tenant)
{
	wf_api_require_only_manager(name, tenant);
	wf_store_require_open(tenant, WF_TEAM_MANAGE);
}

/* The same for the current tenant. */
static void
require_only_manager_here(WfTenant *tenant)
{
	wf_store_require(WF_TEAM_MANAGE, tenant);
	wf_store_lock_tenant(&tenant->tenant_id);
	wf_store_catch_up();
	wf_store_require(WF_TEAM_MANAGE, tenant);
}

/* A name or a category: throws 22023 for what nobody could read or type. */
static void
check_text(const char *text, const char *what)
{
	if (text[0] == '\0' || strlen(text) > NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must have 1 to %d bytes", what, NAME_BYTES)));
	for (const char *c = text; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("%s must not contain control characters", what)));
}

/* Throws 42501 when somebody would give, or take, what he does not have. */
static void
check_has(const WfTenant *tenant, uint32 permissions)
{
	uint32		missing = permissions & ~tenant->permissions;

	if (missing == 0)
		return;
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied for tenant \"%s\"", tenant->name),
					errdetail("The permission \"%s\" is missing: nobody may give, or take from others, what he does not have.",
							  wf_store_permission_name(missing & (~missing + 1))),
					errhint("An admin or owner of the tenant can give it with wf_grant().")));
}

/* -- members -- */

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

/* What an application role of the tenant stands for; throws 22023 when there is none of this name. */
static uint32
find_role(const WfTenant *tenant, const char *name)
{
	uint32		permissions;
	const char *hint;
	const char **names;
	int			n;

	if (wf_store_find_role(&tenant->tenant_id, name, &permissions))
		return permissions;
	hint = wf_text_did_you_mean(wf_text_clip(name), built_in, lengthof(built_in));
	if (hint == NULL)
	{
		names = wf_store_role_names(&tenant->tenant_id, &n);
		hint = wf_text_did_you_mean(wf_text_clip(name), names, n);
	}
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown application role \"%s\"", wf_text_clip(name)),
					errhint("%s", hint != NULL ? hint :
							"It is one of viewer, member, admin, owner, or one that wf_define_role() has made in the tenant.")));
	return 0;
}

/* What the options narrow a membership to; both NULL: nothing. Throws 22023. */
static void
read_narrowing(const Jsonb *options, const char **workflow, const char **category)
{
	static const char *const known[] = {"category", "workflow"};
	size_t		length;

	wf_api_check_options(options, known, lengthof(known));
	*workflow = wf_api_option_text(options, "workflow");
	*category = wf_api_option_text(options, "category");
	if (*workflow != NULL && *category != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("options \"workflow\" and \"category\" exclude each other"),
						errhint("Grant twice: a role may have several narrowed memberships.")));
	if (*category == NULL)
		return;
	check_text(*category, "option \"category\"");
	length = strlen(*category);
	if ((*category)[0] == '/' || (*category)[length - 1] == '/')
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"category\" must not begin or end with a slash"),
						errhint("A category is for those below it, too: \"a\" for \"a/b\".")));
}

/* Throws 22023 for a role that makes no sense when narrowed, WF001 when there is no such workflow. */
static uint32
narrow(const WfTenant *tenant, const char *app_role, uint32 permissions, const char *workflow, WfGrantScope *scope)
{
	if (strcmp(app_role, "owner") == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an owner is one of the whole tenant"),
						errhint("Narrow another application role, such as \"admin\".")));
	if ((permissions & WF_OF_WORKFLOWS) == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("application role \"%s\" has no permission that can be narrowed", wf_text_clip(app_role)),
						errdetail("What it stands for is the tenant's, and no workflow's.")));
	if (workflow != NULL)
	{
		WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, workflow, false);

		if (row == NULL)
			wf_engine_not_found(tenant, workflow);
		scope->workflow_id = row->workflow_id;
	}
	return permissions & WF_OF_WORKFLOWS;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_grant);

Datum
wf_sql_grant(PG_FUNCTION_ARGS)
{
	char	   *tenant_name;
	char	   *app_role;
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 3);
	WfGrantScope scope = {{{0}}, ""};
	const char *workflow;
	const char *category;
	const char *before = NULL;
	WfTenant	tenant;
	uint32		permissions;
	Oid			role;

	wf_api_not_null(fcinfo, 0, "role");
	tenant_name = wf_api_text(fcinfo, 1, "tenant");
	app_role = wf_api_text(fcinfo, 2, "app_role");
	read_narrowing(options, &workflow, &category);
	wf_store_catch_up();
	SPI_connect();
	require_only_manager(tenant_name, &tenant);
	permissions = find_role(&tenant, app_role);
	role = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	if (workflow != NULL || category != NULL)
	{
		permissions = narrow(&tenant, app_role, permissions, workflow, &scope);
		scope.category = category == NULL ? "" : category;
	}
	else
	{
		check_owners(&tenant, role, strcmp(app_role, "owner") == 0);
		before = wf_store_member_role(&tenant.tenant_id, role);
		permissions |= wf_store_member_permissions(&tenant.tenant_id, role);
	}
	check_has(&tenant, permissions);
	wf_store_put_member(&tenant.tenant_id, role, app_role, &scope);
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "member.grant", .object_type = "role",
				   .object_name = NameStr(*PG_GETARG_NAME(0)), .before = wf_store_audit_facts("appRole", before),
				   .after = wf_store_audit_facts("appRole", app_role, "workflow", workflow, "category", category)});
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_revoke);

Datum
wf_sql_revoke(PG_FUNCTION_ARGS)
{
	char	   *tenant_name;
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 2);
	const char *workflow;
	const char *category;
	const char *before = NULL;
	WfTenant	tenant;
	Oid			role;
	bool		found;

	wf_api_not_null(fcinfo, 0, "role");
	tenant_name = wf_api_text(fcinfo, 1, "tenant");
	read_narrowing(options, &workflow, &category);
	wf_store_catch_up();
	SPI_connect();
	require_only_manager(tenant_name, &tenant);
	role = get_role_oid(NameStr(*PG_GETARG_NAME(0)), false);
	if (workflow == NULL && category == NULL)
	{
		check_owners(&tenant, role, false);
		before = wf_store_member_role(&tenant.tenant_id, role);
	}
	check_has(&tenant, wf_store_member_permissions(&tenant.tenant_id, role));
	if (workflow == NULL && category == NULL)
		found = wf_store_delete_member(&tenant.tenant_id, role);
	else
		found = wf_store_delete_narrowed(&tenant.tenant_id, role, workflow, category);
	if (!found)
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("role \"%s\" is not a member of tenant \"%s\"", NameStr(*PG_GETARG_NAME(0)), tenant.name),
						workflow != NULL ? errdetail("It has no membership that is narrowed to workflow \"%s\".", wf_text_clip(workflow)) :
						category != NULL ? errdetail("It has no membership that is narrowed to category \"%s\".", wf_text_clip(category)) :
						0));
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "member.revoke", .object_type = "role",
				   .object_name = NameStr(*PG_GETARG_NAME(0)), .before = wf_store_audit_facts("appRole", before,
				   "workflow", workflow, "category", category)});
	SPI_finish();
	PG_RETURN_VOID();
}

/* -- roles of a tenant's own making -- */

static void
refuse_built_in(const char *name)
{
	if (wf_store_permissions(name) != 0)
		ereport(ERROR, (errcode(ERRCODE_RESERVED_NAME),
						errmsg("application role \"%s\" is built in", name)));
}

/* A set as a sorted text[]. */
static ArrayType *
names_of(uint32 permissions)
{
	int			n_known;
	const char *const *known = wf_store_permission_names(&n_known);
	Datum	   *items = palloc(sizeof(Datum) * n_known);
	int			n = 0;

	for (int i = 0; i < n_known; i++)
		if ((permissions & wf_store_permission(known[i])) != 0)
			items[n++] = CStringGetTextDatum(known[i]);
	return construct_array(items, n, TEXTOID, -1, false, TYPALIGN_INT);
}

/* A set as the trail has it; NULL: it is empty. */
static Jsonb *
permissions_fact(uint32 permissions)
{
	int			n;
	const char *const *known = wf_store_permission_names(&n);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < n; i++)
		if ((permissions & wf_store_permission(known[i])) != 0)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", known[i]);
	return wf_store_audit_facts("permissions", list.len > 0 ? list.data : NULL);
}

/* The permission of this name; throws 22023. */
static uint32
permission_named(const char *name)
{
	uint32		permission = wf_store_permission(name);
	const char *hint;
	const char *const *known;
	int			n;

	if (permission != 0)
		return permission;
	known = wf_store_permission_names(&n);
	hint = wf_text_did_you_mean(wf_text_clip(name), known, n);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("unknown permission \"%s\"", wf_text_clip(name)),
					errhint("%s", hint != NULL ? hint : "wf_permissions() lists them.")));
	return 0;
}

/* The set that a text[] names; throws 22023 for what is none, 22004 for nulls. */
static uint32
read_permissions(ArrayType *names)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;
	uint32		set = 0;

	deconstruct_array(names, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("a permission must not be null")));
		set |= permission_named(TextDatumGetCString(values[i]));
	}
	if (set == 0)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("an application role needs a permission"), errhint("wf_permissions() lists them.")));
	return set;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_define_role);

/* Members that have the role have what it stands for now at once. */
Datum
wf_sql_define_role(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	uint32		permissions;
	uint32		before = 0;
	WfTenant	tenant;

	wf_api_not_null(fcinfo, 1, "permissions");
	check_text(name, "name of an application role");
	refuse_built_in(name);
	permissions = read_permissions(PG_GETARG_ARRAYTYPE_P(1));
	wf_store_catch_up();
	SPI_connect();
	require_only_manager_here(&tenant);
	(void) wf_store_find_role(&tenant.tenant_id, name, &before);
	check_has(&tenant, permissions | before);
	wf_store_put_role(&tenant.tenant_id, name, names_of(permissions));
	wf_store_audit(&tenant.tenant_id, &(WfAudit) {.action = "role.define", .object_type = "appRole", .object_name = name,
				   .before = permissions_fact(before), .after = permissions_fact(permissions)});
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_drop_role);

Datum
wf_sql_drop_role(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	WfTenant	tenant;

	refuse_built_in(name);
	wf_store_catch_up();
	SPI_connect();
	require_only_manager_here(&tenant);
	if (wf_store_role_is_used(&tenant.tenant_id, name))
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						errmsg("application role \"%s\" is in use", name),
						errhint("The view wf_members shows who has it; wf_grant() gives them another one.")));
	if (!wf_store_delete_role(&tenant.tenant_id, name))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_OBJECT),
						errmsg("application role \"%s\" does not exist", wf_text_clip(name)),
						errhint("The view wf_roles lists those of tenant \"%s\".", tenant.name)));
	wf_store_audit_name(&tenant.tenant_id, "role.drop", "appRole", name);
	SPI_finish();
	PG_RETURN_VOID();
}

/* -- looking -- */

/* One row of wf_permissions(). */
static void
put_permission(ReturnSetInfo *result, const char *permission)
{
	int			n_rights;
	const WfFunctionRight *rights = wf_store_function_rights(&n_rights);
	uint32		bit = wf_store_permission(permission);
	Datum	   *functions = palloc(sizeof(Datum) * n_rights);
	Datum		values[2 + lengthof(built_in)];
	bool		nulls[2 + lengthof(built_in)] = {0};
	int			n = 0;

	for (int i = 0; i < n_rights; i++)
		if (strcmp(rights[i].permission, permission) == 0)
			functions[n++] = CStringGetTextDatum(rights[i].function);
	values[0] = CStringGetTextDatum(permission);
	values[1] = PointerGetDatum(construct_array(functions, n, TEXTOID, -1, false, TYPALIGN_INT));
	for (int i = 0; i < lengthof(built_in); i++)
	{
		values[2 + i] = BoolGetDatum((wf_store_permissions(built_in[i]) & bit) != 0);
		nulls[2 + i] = bit == 0;
	}
	tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_permissions);

/* wf_permissions(): also `ownership`, `membership` and `none`, which are no permissions: nobody has or lacks them (nulls). */
Datum
wf_sql_permissions(PG_FUNCTION_ARGS)
{
	static const char *const others[] = {"ownership", "membership", "none"};
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	int			n;
	const char *const *names = wf_store_permission_names(&n);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < n; i++)
		put_permission(result, names[i]);
	for (int i = 0; i < lengthof(others); i++)
		put_permission(result, others[i]);
	return (Datum) 0;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_can);

/*
 * wf_can(permission, workflow): for all workflows, or (too) for the one that is named. Who has it for all has it whether or not
 * there is such a workflow: nothing is told of what he may not read.
 */
Datum
wf_sql_can(PG_FUNCTION_ARGS)
{
	uint32		permission = permission_named(wf_api_text(fcinfo, 0, "permission"));
	char	   *workflow = wf_api_text_or_null(fcinfo, 1);
	WfTenant	tenant;
	WfWorkflowRow *row;
	bool		result;

	if (!wf_store_current_tenant(&tenant, NULL))
		PG_RETURN_BOOL(false);
	if (workflow == NULL || (tenant.permissions & permission) != 0 || (tenant.narrowed & permission) == 0)
		PG_RETURN_BOOL((tenant.permissions & permission) != 0);
	SPI_connect();
	row = wf_store_find_workflow(&tenant.tenant_id, workflow, false);
	result = row != NULL && wf_store_allows(&tenant, permission, &row->workflow_id);
	SPI_finish();
	PG_RETURN_BOOL(result);
}
