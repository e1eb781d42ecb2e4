/*
 * narrow.c: rights that a role has for some workflows of a tenant only.
 *
 * 1. WfTenant.permissions holds for all workflows, WfTenant.narrowed for some. What is in the first is never asked of here, so
 *    that members whose rights are not narrowed pay a test of a bit.
 * 2. A membership is narrowed to one workflow, by its id: what gets the name of a deleted one is another workflow. Or to a
 *    category: a folder, with those below it. The category is that which the workflow has now. What they give for the workflow
 *    that was asked for last is kept until the generation of cache.c moves.
 * 3. Of a workflow, run or task that somebody may not read he learns what he would learn if it did not exist.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "store/member.h"
#include "store/statements.h"
#include "utils/builtins.h"

/* Is a category the folder, or below it? */
static bool
is_below(const char *category, const char *folder)
{
	size_t		length = strlen(folder);

	return strncmp(category, folder, length) == 0 && (category[length] == '\0' || category[length] == '/');
}

/* A workflow's category, or NULL, as it is by now: what comes of it may be kept. Own SPI: the result is in the caller's context. */
static char *
category_of(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id)};
	MemoryContext memory = CurrentMemoryContext;
	char	   *category = NULL;

	SPI_connect();
	if (wf_store_execute(WF_SQL_CATEGORY, values, NULL) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(memory);

		category = wf_store_text(0, 1);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return category;
}

bool
wf_store_has_category(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *category)
{
	const char *its = category_of(tenant_id, workflow_id);

	return its != NULL && strcmp(its, category) == 0;
}

/* What current_user's narrowed memberships give for a workflow. */
static uint32
permissions_for(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id)
{
	char	   *category = category_of(tenant_id, workflow_id);
	int			n;
	const WfNarrowing *items = wf_store_narrowings(tenant_id, &n);
	uint32		permissions = 0;

	for (int i = 0; i < n; i++)
		if (items[i].category == NULL ? memcmp(&items[i].workflow_id, workflow_id, sizeof(pg_uuid_t)) == 0 :
			category != NULL && is_below(category, items[i].category))
			permissions |= items[i].permissions;
	return permissions;
}

bool
wf_store_is_narrowed_to(const WfTenant *tenant, uint32 permission, const pg_uuid_t *workflow_id)
{
	/* the last answer */
	static struct
	{
		uint64		generation; /* 0: none is kept */
		Oid			role;
		pg_uuid_t	tenant_id;
		pg_uuid_t	workflow_id;
		uint32		permissions;
	}			last;
	uint64		generation = wf_store_generation();
	uint32		permissions;

	if (last.generation == generation && last.role == GetUserId() &&
		memcmp(&last.workflow_id, workflow_id, sizeof(pg_uuid_t)) == 0 &&
		memcmp(&last.tenant_id, &tenant->tenant_id, sizeof(pg_uuid_t)) == 0)
		return (last.permissions & permission) != 0;
	last.generation = 0;
	permissions = permissions_for(&tenant->tenant_id, workflow_id);
	if (wf_store_may_cache(generation))
	{
		last.generation = generation;
		last.role = GetUserId();
		last.tenant_id = tenant->tenant_id;
		last.workflow_id = *workflow_id;
		last.permissions = permissions;
	}
	return (permissions & permission) != 0;
}

bool
wf_store_allows_category(const WfTenant *tenant, uint32 permission, const char *category)
{
	int			n;
	const WfNarrowing *items;

	if ((tenant->permissions & permission) != 0)
		return true;
	if ((tenant->narrowed & permission) == 0 || category == NULL)
		return false;
	items = wf_store_narrowings(&tenant->tenant_id, &n);
	for (int i = 0; i < n; i++)
		if ((items[i].permissions & permission) != 0 && items[i].category != NULL && is_below(category, items[i].category))
			return true;
	return false;
}

/* -- what belongs to a workflow -- */

bool
wf_store_workflow_of(WfStatementId statement, const pg_uuid_t *tenant_id, const pg_uuid_t *id, pg_uuid_t *workflow_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(id)};
	bool		found;

	SPI_connect();
	found = wf_store_execute_here(statement, values) > 0;
	if (found)
		wf_store_uuid(0, 1, workflow_id);
	SPI_finish();
	return found;
}

static bool
allows_what(WfStatementId statement, const WfTenant *tenant, WfPermission permission, const pg_uuid_t *id)
{
	pg_uuid_t	workflow_id;

	if ((tenant->permissions & permission) != 0)
		return true;
	if (!wf_store_workflow_of(statement, &tenant->tenant_id, id, &workflow_id))
		return false;
	if (wf_store_allows(tenant, permission, &workflow_id))
		return true;
	if (wf_store_allows(tenant, WF_RUN_READ, &workflow_id))
		wf_store_refuse(tenant, permission);
	return false;
}

bool
wf_store_allows_run(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *run_id)
{
	return allows_what(WF_SQL_WORKFLOW_OF_RUN, tenant, permission, run_id);
}

bool
wf_store_allows_task(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *task_id)
{
	return allows_what(WF_SQL_WORKFLOW_OF_TASK, tenant, permission, task_id);
}

bool
wf_store_allows_trigger(const WfTenant *tenant, WfPermission permission, const pg_uuid_t *trigger_id)
{
	pg_uuid_t	workflow_id;

	return (tenant->permissions & permission) != 0 ||
		((tenant->narrowed & permission) != 0 &&
		 wf_store_workflow_of(WF_SQL_WORKFLOW_OF_TRIGGER, &tenant->tenant_id, trigger_id, &workflow_id) &&
		 wf_store_allows(tenant, permission, &workflow_id));
}

ArrayType *
wf_store_allowed(const WfTenant *tenant, WfPermission permission)
{
	int			n;
	const WfNarrowing *items;
	Datum	   *ids;
	Datum	   *categories;
	Datum		values[3];
	int			n_ids = 0;
	int			n_categories = 0;
	ArrayType  *result;

	if ((tenant->permissions & permission) != 0)
		return NULL;
	items = wf_store_narrowings(&tenant->tenant_id, &n);
	ids = palloc(sizeof(Datum) * Max(n, 1));
	categories = palloc(sizeof(Datum) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		if ((items[i].permissions & permission) == 0)
			continue;
		if (items[i].category != NULL)
			categories[n_categories++] = CStringGetTextDatum(items[i].category);
		else
			ids[n_ids++] = UUIDPGetDatum(&items[i].workflow_id);
	}
	values[0] = UUIDPGetDatum(&tenant->tenant_id);
	values[1] = PointerGetDatum(construct_array(ids, n_ids, UUIDOID, UUID_LEN, false, TYPALIGN_CHAR));
	values[2] = PointerGetDatum(construct_array(categories, n_categories, TEXTOID, -1, false, TYPALIGN_INT));
	wf_store_execute_here(WF_SQL_ALLOWED, values);
	result = wf_store_array(0, 1);
	SPI_freetuptable(SPI_tuptable);
	return result;
}
