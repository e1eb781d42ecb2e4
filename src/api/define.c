/*
 * define.c: wf_save, wf_validate, wf_activate, wf_set_status, wf_delete, wf_versions.
 *
 * A save takes the workflow's row lock before it numbers the version, so that two saves at once give two
 * versions and never one number twice. What is stored is the definition as it was given; the search path
 * and the role of the save are stored with it. Whatever makes another version the active one, or a workflow active or not,
 * has its triggers follow (engine/triggers.c) while that lock is held.
 */
#include "postgres.h"

#include "api/api.h"
#include "api/code.h"
#include "api/record.h"
#include "base/compat.h"
#include "base/text.h"
#include "base/uuid.h"
#include "engine/engine.h"
#include "executor/spi.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "store/quota.h"
#include "utils/builtins.h"

#define NAME_BYTES 255

static void
check_name(const char *name)
{
	if (name[0] == '\0' || strlen(name) > NAME_BYTES)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("name of a workflow must have 1 to %d bytes", NAME_BYTES)));
	for (const char *c = name; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("name of a workflow must not contain control characters")));
}

/* The workflow's row, if current_user has the permission for it; throws WF001 and 42501. */
static WfWorkflowRow *
find_workflow(const WfTenant *tenant, const char *name, WfPermission permission, bool lock)
{
	WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, name, lock);

	if (row == NULL)
		wf_engine_not_found(tenant, name);
	wf_engine_check_right(tenant, permission, &row->workflow_id, name);
	return row;
}

/* The same, locked: nobody locks what is not his. */
static WfWorkflowRow *
lock_workflow(const WfTenant *tenant, const char *name, WfPermission permission)
{
	if ((tenant->permissions & permission) == 0)
		(void) find_workflow(tenant, name, permission, false);
	return find_workflow(tenant, name, permission, true);
}

/* -- wf_save -- */

static void
raise_warnings(const WfDiagnostics *found)
{
	ListCell   *cell;
	int			n = 0;

	foreach(cell, found->items)
	{
		const WfDiagnostic *item = lfirst(cell);

		if (item->severity != WF_SEVERITY_WARNING || ++n > 10)
			continue;
		ereport(WARNING, (errcode(item->sqlstate), errmsg("%s", item->message),
						  item->path != NULL ? errdetail("At %s.", item->path) : 0,
						  item->hint != NULL ? errhint("%s", item->hint) : 0));
	}
}

/* Compiles, to refuse what does not. */
static void
check_definition(const WfTenant *tenant, const char *name, const Jsonb *definition, const char *search_path)
{
	WfDiagnostics *found = wf_diagnostics_begin();
	WfGraph    *graph = wf_engine_compile(definition, search_path, true, CurrentMemoryContext, found);

	if (graph != NULL)
		wf_engine_check_triggers(tenant, name, graph, search_path, found);
	if (found->n_errors > 0)
		wf_engine_refuse(name, found);
	raise_warnings(found);
	wf_graph_free(graph);
}

/* The version that was saved last; NULL: there is none. */
static WfVersionRow *
last_version(const WfTenant *tenant, const WfWorkflowRow *row)
{
	if (row == NULL || row->last_version == 0)
		return NULL;
	return wf_store_find_version(&tenant->tenant_id, &row->workflow_id, row->last_version);
}

static bool
is_same(const WfVersionRow *last, const Jsonb *definition, const char *search_path)
{
	JsonbValue	a;
	JsonbValue	b;

	if (last == NULL || strcmp(last->search_path, search_path) != 0 || last->owner != GetUserId())
		return false;
	wf_json_root(last->definition, &a);
	wf_json_root(definition, &b);
	return wf_json_equal(&a, &b);
}

/* The workflow's row or NULL, if current_user may create or update anything in the current tenant. */
static WfWorkflowRow *
require_saver(WfTenant *tenant, const char *name)
{
	WfError    *problem = NULL;
	WfWorkflowRow *row;

	if (!wf_store_current_tenant(tenant, &problem))
		wf_error_raise(problem);
	row = wf_store_find_workflow(&tenant->tenant_id, name, false);
	if (((tenant->permissions | tenant->narrowed) & (WF_WORKFLOW_CREATE | WF_WORKFLOW_UPDATE)) == 0)
		wf_store_refuse(tenant, row != NULL && wf_store_allows(tenant, WF_WORKFLOW_READ, &row->workflow_id) ?
						WF_WORKFLOW_UPDATE : WF_WORKFLOW_CREATE);
	return row;
}

/*
 * Throws 42501 unless current_user may save it. A new workflow is created in a category that he may create in; one that he may update
 * for what it is stays in its category, or gets into one that is his, too.
 */
static void
check_saver(const WfTenant *tenant, const WfWorkflowRow *row, const char *category)
{
	WfPermission permission = row == NULL ? WF_WORKFLOW_CREATE : WF_WORKFLOW_UPDATE;

	wf_store_require_open(tenant, permission);
	if ((tenant->permissions & permission) != 0)
		return;
	if (row == NULL ? !wf_store_allows_category(tenant, permission, category) :
		!wf_store_allows(tenant, permission, &row->workflow_id))
		wf_store_refuse(tenant, permission);
	if (row != NULL && category != NULL && !wf_store_allows_category(tenant, permission, category) &&
		!wf_store_has_category(&tenant->tenant_id, &row->workflow_id, category))
		wf_store_refuse(tenant, permission);
}

/*
 * May current_user save the definition as a version of this workflow (NULL: of a new one), which is locked? *last is its latest version,
 * or NULL. Throws 42501.
 */
static void
check_save(const WfTenant *tenant, const WfWorkflowRow *row, const char *category, const Jsonb *definition, WfVersionRow **last)
{
	check_saver(tenant, row, category);
	*last = last_version(tenant, row);
	wf_api_check_code(tenant, row, category, definition, *last);
}

/* The workflow's row, locked, and made if need be; as it was before. */
static WfWorkflowRow *
lock_or_make(const WfTenant *tenant, const char *name, const char *category, const Jsonb *definition, WfVersionRow **last)
{
	WfWorkflowRow *row = wf_store_find_workflow(&tenant->tenant_id, name, true);
	pg_uuid_t	workflow_id;

	check_save(tenant, row, category, definition, last);
	if (row != NULL)
		return row;
	wf_store_take_workflow(&tenant->tenant_id);
	wf_uuid_make(&workflow_id);
	wf_store_insert_workflow(&tenant->tenant_id, &workflow_id, name, GetUserId());
	row = wf_store_find_workflow(&tenant->tenant_id, name, true);
	if (row == NULL)
		wf_engine_not_found(tenant, name);
	if (memcmp(&row->workflow_id, &workflow_id, sizeof(workflow_id)) != 0)
		check_save(tenant, row, category, definition, last);	/* somebody else's, who was there first */
	return row;
}

static int
save(const char *name, Jsonb *definition, const Jsonb *options)
{
	WfTenant	tenant;
	WfWorkflowRow *row;
	WfVersionRow version = {0};
	WfVersionRow *last;
	const char *category = wf_api_option_text(options, "category");
	bool		activates;
	char	   *search_path = wf_engine_search_path();

	row = require_saver(&tenant, name);
	check_saver(&tenant, row, category);
	check_definition(&tenant, name, definition, search_path);
	/* another one may have made or deleted it meanwhile */
	row = lock_or_make(&tenant, name, category, definition, &last);
	version.version = row->last_version;
	if (!is_same(last, definition, search_path))
	{
		version.version = row->last_version + 1;
		version.definition = definition;
		version.search_path = search_path;
		version.owner = GetUserId();
		wf_store_insert_version(&tenant.tenant_id, &row->workflow_id, &version, wf_api_option_text(options, "label"),
								wf_api_option_text(options, "comment"));
	}
	wf_store_touch_workflow(&tenant.tenant_id, &row->workflow_id, version.version,
							wf_api_option_text(options, "description"), category);
	activates = wf_api_option_bool(options, "activate", true) && row->active_version != version.version &&
		wf_api_may_activate(&tenant, row, version.version, false);
	if (activates)
	{
		wf_store_set_active(&tenant.tenant_id, &row->workflow_id, version.version);
		wf_engine_put_triggers(&tenant, &row->workflow_id);
	}
	wf_api_record_save(&tenant, row, version.definition != NULL ? &version : NULL,
					   activates ? version.version : row->active_version, options);
	if (version.definition != NULL)
		wf_api_record_code(&tenant, row, last, &version);
	return version.version;
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_save);

Datum
wf_sql_save(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"activate", "category", "comment", "description", "label"};
	char	   *name = wf_api_text(fcinfo, 0, "name");
	Jsonb	   *definition = wf_api_jsonb(fcinfo, 1, "definition");
	Jsonb	   *options = wf_api_jsonb_or_empty(fcinfo, 2);
	int			version;

	check_name(name);
	wf_api_check_options(options, known, lengthof(known));
	wf_store_catch_up();
	SPI_connect();
	version = save(name, definition, options);
	SPI_finish();
	PG_RETURN_INT32(version);
}

/* -- wf_validate -- */

static Datum
text_or_null(const char *text, bool *is_null)
{
	*is_null = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_validate);

Datum
wf_sql_validate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = (ReturnSetInfo *) fcinfo->resultinfo;
	Jsonb	   *definition = wf_api_jsonb(fcinfo, 0, "definition");
	WfDiagnostics *found;
	WfTenant	tenant;
	WfGraph    *graph;
	char	   *search_path;
	ListCell   *cell;

	InitMaterializedSRF(fcinfo, 0);
	found = wf_diagnostics_begin();
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	search_path = wf_engine_search_path();
	graph = wf_engine_compile(definition, search_path, true, CurrentMemoryContext, found);
	if (graph != NULL)
		wf_engine_check_triggers(&tenant, NULL, graph, search_path, found);
	SPI_finish();
	foreach(cell, found->items)
	{
		const WfDiagnostic *item = lfirst(cell);
		Datum		values[6];
		bool		nulls[6] = {0};

		values[0] = CStringGetTextDatum(wf_severity_name(item->severity));
		values[1] = CStringGetTextDatum(unpack_sql_state(item->sqlstate));
		values[2] = text_or_null(item->node, &nulls[2]);
		values[3] = text_or_null(item->path, &nulls[3]);
		values[4] = CStringGetTextDatum(item->message);
		values[5] = text_or_null(item->hint, &nulls[5]);
		tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
	}
	return (Datum) 0;
}

/* -- status -- */

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_activate);

Datum
wf_sql_activate(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	int			version;
	WfTenant	tenant;
	WfWorkflowRow *row;

	wf_api_not_null(fcinfo, 1, "version");
	version = PG_GETARG_INT32(1);
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_UPDATE, &tenant);
	row = lock_workflow(&tenant, name, WF_WORKFLOW_UPDATE);
	if (version <= 0 || wf_store_find_version(&tenant.tenant_id, &row->workflow_id, version) == NULL)
		ereport(ERROR, (errcode(WF_ERRCODE_WORKFLOW_NOT_FOUND),
						errmsg("workflow \"%s\" has no version %d", name, version),
						errhint("wf_versions('%s') lists its versions.", name)));
	if (wf_api_may_activate(&tenant, row, version, false))
	{
		wf_store_set_active(&tenant.tenant_id, &row->workflow_id, version);
		wf_engine_put_triggers(&tenant, &row->workflow_id);
		wf_api_record_workflow(&tenant, "workflow.activate", row, version, strcmp(row->status, "draft") == 0 ? "active" : NULL);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_set_status);

Datum
wf_sql_set_status(PG_FUNCTION_ARGS)
{
	static const char *const known[] = {"active", "archived", "draft", "paused"};
	char	   *name = wf_api_text(fcinfo, 0, "name");
	char	   *status = wf_api_text(fcinfo, 1, "status");
	WfTenant	tenant;
	WfWorkflowRow *row;
	bool		found = false;

	for (int i = 0; i < lengthof(known) && !found; i++)
		found = strcmp(known[i], status) == 0;
	if (!found)
	{
		const char *hint = wf_text_did_you_mean(wf_text_clip(status), known, lengthof(known));

		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("unknown status \"%s\"", wf_text_clip(status)),
						errhint("%s", hint != NULL ? hint : "It is one of draft, active, paused, archived.")));
	}
	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_UPDATE, &tenant);
	row = lock_workflow(&tenant, name, WF_WORKFLOW_UPDATE);
	if (strcmp(status, "active") == 0 && row->active_version == 0)
		ereport(ERROR, (errcode(WF_ERRCODE_RUN_STATE),
						errmsg("workflow \"%s\" has no active version", name),
						errhint("Use wf_activate('%s', version).", name)));
	if (strcmp(status, "active") != 0 || strcmp(row->status, "active") == 0 ||
		wf_api_may_activate(&tenant, row, row->active_version, true))
	{
		wf_store_set_status(&tenant.tenant_id, &row->workflow_id, status);
		wf_engine_install_triggers(&tenant, &row->workflow_id);
		wf_api_record_workflow(&tenant, "workflow.status", row, 0, status);
	}
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_delete);

Datum
wf_sql_delete(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	WfTenant	tenant;
	WfWorkflowRow *row;

	wf_store_catch_up();
	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_DELETE, &tenant);
	row = lock_workflow(&tenant, name, WF_WORKFLOW_DELETE);
	wf_store_set_status(&tenant.tenant_id, &row->workflow_id, "deleted");
	wf_engine_install_triggers(&tenant, &row->workflow_id);
	wf_api_record_workflow(&tenant, "workflow.delete", row, 0, "deleted");
	SPI_finish();
	PG_RETURN_VOID();
}

PGDLLEXPORT PG_FUNCTION_INFO_V1(wf_sql_workflow_id);

/* wf.workflow_id(name): its id; throws 42501 and WF001. */
Datum
wf_sql_workflow_id(PG_FUNCTION_ARGS)
{
	char	   *name = wf_api_text(fcinfo, 0, "name");
	pg_uuid_t  *result = palloc(sizeof(pg_uuid_t));
	WfTenant	tenant;

	SPI_connect();
	wf_store_require_some(WF_WORKFLOW_READ, &tenant);
	*result = find_workflow(&tenant, name, WF_WORKFLOW_READ, false)->workflow_id;
	SPI_finish();
	PG_RETURN_UUID_P(result);
}
