/*
 * tenant.c: wf_create_tenant, wf_use_tenant, wf_current_tenant.
 */
#include "postgres.h"

#include "api/tenant.h"
#include "base/text.h"
#include "base/uuid.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#define NAME_BYTES 255

void
wf_api_require_manager(const char *name, WfTenant *tenant)
{
	if (!wf_store_tenant_named(name, tenant) || (tenant->permissions & WF_TEAM_MANAGE) == 0)
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied for tenant \"%s\"", wf_text_clip(name)),
						errdetail("The permission \"team:manage\" is missing."),
						errhint("An admin or owner of the tenant can give it with wf_grant().")));
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
	const WfGrantScope all = {.category = ""};

	check_tenant_name(name);
	wf_api_check_options(options, known, lengthof(known));
	parent_name = wf_api_option_text(options, "parent");
	quotas = quotas_of(options);
	SPI_connect();
	if (parent_name != NULL)
		wf_api_require_manager(parent_name, &parent);
	else if (!superuser())
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("permission denied to create a tenant without a parent"),
						errhint("A superuser may; admins and owners of a tenant may create one below it with the option \"parent\".")));
	if (wf_store_tenant_exists(name))
		ereport(ERROR, (errcode(ERRCODE_DUPLICATE_OBJECT), errmsg("tenant \"%s\" already exists", name)));
	wf_uuid_make(tenant_id);
	wf_store_insert_tenant(tenant_id, name, parent_name != NULL ? &parent.tenant_id : NULL, quotas);
	wf_store_put_member(tenant_id, GetUserId(), "owner", &all);
	SPI_finish();
	PG_RETURN_UUID_P(tenant_id);
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
