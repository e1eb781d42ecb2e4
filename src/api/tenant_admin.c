/*
 * tenant_admin.c: the life of a tenant: wf_create_tenant, wf_set_tenant, wf_set_tenant_status, wf_delete_tenant, wf.tenants,
 * wf.finish_deletions.
 *
 * Who manages a tenant changes its name, settings and retention. What the tenant may use (quotas), and whether it is suspended, is for
 * those above: managers of the tenant above, and superusers. Workers are reserved by superusers alone. Its owner archives it, takes it
 * up again, and deletes it.
 *
 * All that may change is checked with the tenant's row locked.
 */
#include "postgres.h"

#include "access/xact.h"
#include "api/api.h"
#include "api/tenant.h"
#include "base/settings.h"
#include "base/text.h"
#include "base/uuid.h"
#include "base/wake.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/audit.h"
#include "store/tenant.h"
#include "utils/builtins.h"

#define NAME_BYTES 255
#define MOST_LEVELS 32			/* of tenants below tenants */
#define DELETE_ROWS 10000		/* wf.finish_deletions() */

/* The id of the tenant `default`, as the extension's script has it. */
static const pg_uuid_t default_tenant = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};

/* -- values -- */

static void
check_name(const char *name)
{
	if (name == NULL || name[0] == '\0' || strlen(name) > NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of a tenant must have 1 to %d bytes", NAME_BYTES)));
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f || *c == '/')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("name of a tenant must not contain control characters or slashes")));
}

static void
check_free(const char *name)
{
	if (wf_store_tenant_exists(name))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("tenant \"%s\" already exists", name)));
}

static void
check_setting(const char *name, const JsonbValue *value)
{
	const char *wanted = wf_store_check_tenant_setting(name, value);

	if (wanted != NULL)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("setting \"%s\" of a tenant must be %s", name, wanted)));
}

/* Members of `changes` take the place of those of `before`; null removes one. Each is checked. */
static Jsonb *
merge(const Jsonb *before, const JsonbValue *changes, const char *const *known, int n_known,
	  void (*check) (const char *name, const JsonbValue *value))
{
	WfJsonWriter *w;
	const char **names;
	int			n = 0;
	JsonbValue	root;
	JsonbValue	key;
	JsonbValue	value;
	WfJsonIter	it;

	wf_api_check_options(wf_json_copy(changes), known, n_known);
	names = palloc(sizeof(char *) * (wf_json_count(changes) + 1));
	w = wf_json_writer_begin();
	wf_json_begin_object(w);
	wf_json_iter_begin(&it, changes);
	while (wf_json_iter_next(&it, &key, &value))
	{
		names[n++] = wf_json_cstring(&key);
		if (value.type == jbvNull)
			continue;
		check(names[n - 1], &value);
		wf_json_put_field(w, names[n - 1], &value);
	}
	names[n] = NULL;
	wf_json_root(before, &root);
	wf_json_put_members(w, &root, names);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

static Jsonb *
merge_quotas(const Jsonb *before, const JsonbValue *changes)
{
	int			n;
	const char *const *known = wf_api_quota_names(&n);

	return merge(before, changes, known, n, wf_api_check_quota);
}

static Jsonb *
merge_settings(const Jsonb *before, const JsonbValue *changes)
{
	const char *const *known;
	int			n = wf_store_tenant_setting_names(&known);

	return merge(before, changes, known, n, check_setting);
}

/* {"retention": value} among quotas; value may be null. */
static Jsonb *
merge_retention(const Jsonb *before, const JsonbValue *retention)
{
	WfJsonWriter *w = wf_json_writer_begin();
	JsonbValue	root;

	wf_json_begin_object(w);
	wf_json_put_field(w, "retention", retention);
	wf_json_end_object(w);
	wf_json_root(wf_json_finish(w), &root);
	return merge_quotas(before, &root);
}

/* -- rights -- */

/* Does current_user manage the tenant from above? */
static bool
is_above(const WfTenantRow *row)
{
	WfTenant	parent;

	return superuser() || (row->has_parent && wf_store_tenant_of(&row->parent_id, &parent) &&
						   (parent.permissions & WF_TEAM_MANAGE) != 0);
}

/* Throws 42501 for who does not. */
static void
require_above(const WfTenantRow *row, const char *what)
{
	if (!is_above(row))
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to change %s of tenant \"%s\"", what, row->name),
						errhint("A superuser may, and who has \"team:manage\" in the tenant above it.")));
}

static void
require_superuser(const char *what, const char *tenant)
{
	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to %s tenant \"%s\"", what, tenant),
						errhint("Only a superuser may.")));
}

/* What was done to a tenant, in the trail of that one or of the one above. */
static void
record(const pg_uuid_t *trail, const pg_uuid_t *tenant_id, const char *action, const char *name, const Jsonb *before, const Jsonb *after)
{
	wf_store_audit(trail, &(WfAudit) {.action = action, .object_type = "tenant", .object_id = tenant_id, .object_name = name,
				   .before = before, .after = after});
}

/* The tenant that current_user manages, and its row, locked. Throws 42501. */
static WfTenantRow *
lock_managed(const char *name, WfTenant *tenant)
{
	wf_api_require_only_manager(name, tenant);
	return wf_store_tenant_row(&tenant->tenant_id);
}

/* -- reserved workers -- */

/* Throws 22023 when not at least one worker is left for all. */
static int
check_reserved(const pg_uuid_t *tenant_id, const JsonbValue *value, const char *tenant)
{
	int64		n;
	int			others = wf_store_reserved_by_others(tenant_id);

	require_superuser("reserve workers for", tenant);
	if (value->type == jbvNull)
		return 0;
	if (!wf_json_int64(value, &n) || n < 0 || n > PG_INT16_MAX)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("option \"reservedWorkers\" must be a whole number, zero or more")));
	if (n > 0 && others + n >= wf_setting_max_workers)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("cannot reserve " INT64_FORMAT " workers: others reserve %d, and at least one of %d must be left for all",
							   n, others, wf_setting_max_workers),
						errhint("The setting \"workflow.max_workers\" has the number of all.")));
	return (int) n;
}

/* -- wf_create_tenant -- */

/* The tenant that the new one is to be below: nobody deletes it until the transaction ends. */
static void
enter_parent(const char *name, WfTenant *parent)
{
	bool		unused;

	wf_api_require_only_manager(name, parent);
	wf_store_require_open(parent, WF_TEAM_MANAGE);
	if (wf_store_tenants_above(&parent->tenant_id, &parent->tenant_id, &unused) >= MOST_LEVELS)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tenants cannot be below each other in more than %d levels", MOST_LEVELS)));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_create_tenant);

Datum
wf_sql_create_tenant(PG_FUNCTION_ARGS)
{
	const WfGrantScope all = {.category = ""};
	static const char *const known[] = {"parent", "quotas", "reservedWorkers", "settings"};
	char	   *name = wf_api_text(fcinfo, 0, "name");
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 1);
	char	   *parent_name;
	Jsonb	   *quotas = wf_json_empty_object();
	Jsonb	   *settings = wf_json_empty_object();
	int			reserved = 0;
	JsonbValue	root;
	JsonbValue	value;
	WfTenant	parent;
	pg_uuid_t  *tenant_id = palloc(sizeof(pg_uuid_t));

	check_name(name);
	wf_api_check_options(options, known, lengthof(known));
	parent_name = wf_api_option_text(options, "parent");
	wf_json_root(options, &root);
	if (wf_json_field(&root, "quotas", &value))
		quotas = merge_quotas(quotas, &value);
	if (wf_json_field(&root, "settings", &value))
		settings = merge_settings(settings, &value);
	wf_uuid_make(tenant_id);
	SPI_connect();
	if (parent_name != NULL)
		enter_parent(parent_name, &parent);
	else if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to create a tenant without a parent"),
						errhint("A superuser may; admins and owners of a tenant may create one below it with the option \"parent\".")));
	if (wf_json_field(&root, "reservedWorkers", &value))
		reserved = check_reserved(tenant_id, &value, name);
	check_free(name);
	wf_store_insert_tenant(tenant_id, name, parent_name != NULL ? &parent.tenant_id : NULL, quotas, settings, reserved);
	wf_store_put_member(tenant_id, GetUserId(), "owner", &all);
	record(tenant_id, tenant_id, "tenant.create", name, NULL, options);
	if (parent_name != NULL)
		record(&parent.tenant_id, tenant_id, "tenant.create", name, NULL, options);
	SPI_finish();
	if (reserved > 0)
		wf_wake_look_at_commit();
	PG_RETURN_UUID_P(tenant_id);
}

/* -- wf_set_tenant -- */

/* What the trail has of a tenant before a change. */
static Jsonb *
facts_of(const WfTenantRow *row)
{
	WfJsonWriter *w = wf_json_writer_begin();

	wf_json_begin_object(w);
	wf_json_put_field_cstring(w, "name", row->name);
	wf_json_put_member(w, "quotas", row->quotas);
	wf_json_put_member(w, "settings", row->settings);
	wf_json_put_field_cstring(w, "status", row->status);
	wf_json_put_field_int64(w, "reservedWorkers", row->reserved_workers);
	wf_json_end_object(w);
	return wf_json_finish(w);
}

/* Who moves a tenant manages it from above, and the one that it comes to; none may be below itself, nor leave what is suspended. */
static void
move(const WfTenant *tenant, WfTenantRow *row, const JsonbValue *value)
{
	WfTenant	parent;
	bool		is_below;
	char	   *name = wf_json_cstring(value);

	if (name == NULL && value->type != jbvNull)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("option \"parent\" must be a string or null")));
	require_above(row, "the parent");
	if (!superuser())
		wf_store_require_open(tenant, WF_WORKFLOW_EXECUTE);
	if (name == NULL)
		require_superuser("take the parent from", row->name);
	wf_store_lock_tenant_tree();
	row->has_parent = name != NULL;
	if (name == NULL)
		return;
	enter_parent(name, &parent);
	(void) wf_store_tenants_above(&parent.tenant_id, &row->tenant_id, &is_below);
	if (is_below)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("tenant \"%s\" cannot be below itself", row->name)));
	row->parent_id = parent.tenant_id;
}

static void
rename_tenant(WfTenantRow *row, const JsonbValue *value)
{
	char	   *name = wf_json_cstring(value);

	check_name(name);
	if (strcmp(name, row->name) != 0)
		check_free(name);
	row->name = name;
}

/*
 * Two are not for those whom they watch: whether a second person has to approve, once it is so, and how long the trail is kept. Those
 * above alone change them.
 */
static void
set_settings(WfTenantRow *row, const JsonbValue *changes)
{
	JsonbValue	root;
	JsonbValue	value;

	wf_json_root(row->settings, &root);
	if (wf_json_field(&root, "approval", &value) && value.type == jbvBool && value.val.boolean &&
		wf_json_field(changes, "approval", &value) && !(value.type == jbvBool && value.val.boolean))
		require_above(row, "the setting \"approval\"");
	if (wf_json_field(changes, "auditRetention", &value))
		require_above(row, "the setting \"auditRetention\"");
	row->settings = merge_settings(row->settings, changes);
}

/* Applies the options to the row. Throws what is wrong with one, and 42501 for what current_user may not. */
static void
apply(const WfTenant *tenant, WfTenantRow *row, const Jsonb *options)
{
	JsonbValue	root;
	JsonbValue	value;

	wf_json_root(options, &root);
	/* first, by what it is below of now */
	if (wf_json_field(&root, "quotas", &value))
	{
		require_above(row, "quotas");
		row->quotas = merge_quotas(row->quotas, &value);
	}
	if (wf_json_field(&root, "retention", &value))
		row->quotas = merge_retention(row->quotas, &value);
	if (wf_json_field(&root, "settings", &value))
		set_settings(row, &value);
	if (wf_json_field(&root, "reservedWorkers", &value))
		row->reserved_workers = check_reserved(&row->tenant_id, &value, row->name);
	if (wf_json_field(&root, "parent", &value))
		move(tenant, row, &value);
	if (wf_json_field(&root, "name", &value))
		rename_tenant(row, &value);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_tenant);

Datum
wf_sql_set_tenant(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"name", "parent", "quotas", "reservedWorkers", "retention", "settings"};
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	Jsonb	   *options = wf_api_jsonb(fcinfo, 1, "options");
	WfTenant	tenant;
	WfTenantRow *row;
	Jsonb	   *before;

	wf_api_check_options(options, known, lengthof(known));
	SPI_connect();
	row = lock_managed(name, &tenant);
	wf_store_require_open(&tenant, WF_TEAM_MANAGE);
	before = facts_of(row);
	apply(&tenant, row, options);
	wf_store_update_tenant(row);
	record(&tenant.tenant_id, &tenant.tenant_id, "tenant.change", tenant.name, before, options);
	/* runs of one that comes from below a suspended tenant go on; workers are reserved or given back */
	wf_wake_look_at_commit();
	wf_wake_dispatcher_at_commit(WF_DISPATCH_REQUESTS | WF_DISPATCH_POLICIES);
	SPI_finish();
	PG_RETURN_VOID();
}

/* -- wf_set_tenant_status -- */

/*
 * Those above may do all. An owner may archive a tenant that is active, and take it up again; not what those above have
 * suspended.
 */
static void
require_may_become(const WfTenant *tenant, const WfTenantRow *row, const char *status)
{
	bool		from_suspended = strcmp(row->status, "suspended") == 0;
	bool		to_suspended = strcmp(status, "suspended") == 0;

	if (is_above(row) || (tenant->owner && !from_suspended && !to_suspended))
		return;
	if (from_suspended || to_suspended)
		require_above(row, "the status");
	ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					errmsg("permission denied to change the status of tenant \"%s\"", row->name),
					errhint("An owner of the tenant may, and who has \"team:manage\" in the tenant above it.")));
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_tenant_status);

Datum
wf_sql_set_tenant_status(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"active", "archived", "suspended"};
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	char	   *status = wf_api_text(fcinfo, 1, "status");
	WfTenant	tenant;
	WfTenantRow *row;
	bool		found = false;

	for (int i = 0; i < lengthof(known); i++)
		found |= strcmp(known[i], status) == 0;
	if (!found)
	{
		const char *hint = wf_text_did_you_mean(wf_text_clip(status), known, lengthof(known));

		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown status \"%s\" of a tenant", wf_text_clip(status)),
						errhint("%s", hint != NULL ? hint : "It is one of active, suspended, archived.")));
	}
	SPI_connect();
	row = lock_managed(name, &tenant);
	require_may_become(&tenant, row, status);
	record(&tenant.tenant_id, &tenant.tenant_id, "tenant.status", tenant.name, wf_store_audit_facts("status", row->status),
		   wf_store_audit_facts("status", status));
	row->status = status;
	wf_store_update_tenant(row);
	/* what waited goes on */
	wf_wake_look_at_commit();
	wf_wake_dispatcher_at_commit(WF_DISPATCH_REQUESTS);
	SPI_finish();
	PG_RETURN_VOID();
}

/* -- wf_delete_tenant -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_delete_tenant);

Datum
wf_sql_delete_tenant(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "tenant");
	WfTenant	tenant;
	WfTenantRow *row;

	SPI_connect();
	row = lock_managed(name, &tenant);
	if (!tenant.owner)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", tenant.name),
						errdetail("Only an owner may delete it.")));
	if (memcmp(&tenant.tenant_id, &default_tenant, sizeof(pg_uuid_t)) == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot delete tenant \"%s\": it belongs to the extension", tenant.name)));
	if (strcmp(row->status, "active") == 0)
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("cannot delete tenant \"%s\": it is active", tenant.name),
						errhint("Archive it first: SELECT wf_set_tenant_status(%s, 'archived').", quote_literal_cstr(tenant.name))));
	if (wf_store_count_children(&tenant.tenant_id) > 0)
		ereport(ERROR, (errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						errmsg("cannot delete tenant \"%s\": there are tenants below it", tenant.name),
						errhint("Delete them first, or move them with wf_set_tenant().")));
	record(row->has_parent ? &row->parent_id : &default_tenant, &tenant.tenant_id, "tenant.delete", tenant.name,
		   facts_of(row), NULL);
	wf_store_mark_deleting(row);
	wf_wake_look_at_commit();
	wf_wake_dispatcher_at_commit(WF_DISPATCH_REQUESTS | WF_DISPATCH_POLICIES | WF_DISPATCH_SECRETS | WF_DISPATCH_CIRCUITS);
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_finish_deletions);

/* wf.finish_deletions(most): what the keeper does by itself, for servers without one. Superusers only: others have no EXECUTE, and this says so, too. */
Datum
wf_sql_finish_deletions(PG_FUNCTION_ARGS)
{
	int			most = PG_ARGISNULL(0) ? DELETE_ROWS : PG_GETARG_INT32(0);
	bool		some_wait;
	int			n;

	if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("must be superuser to call wf.finish_deletions()")));
	if (IsolationUsesXactSnapshot())
		ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						errmsg("wf.finish_deletions() needs a transaction of isolation level READ COMMITTED")));
	SPI_connect();
	n = wf_engine_delete_some(Max(most, 1), &some_wait);
	SPI_finish();
	PG_RETURN_INT32(n);
}

/* -- wf.tenants -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_tenants);

Datum
wf_sql_tenants(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	SPI_connect();
	wf_store_list_tenants(result->setResult, result->setDesc);
	SPI_finish();
	return (Datum) 0;
}
