/*
 * workflow.c: rows of workflows, versions and registered blocks.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"

static WfWorkflowRow *
find_workflow(WfStatementId statement, Datum *values)
{
	WfWorkflowRow *row = NULL;

	if (wf_store_execute(statement, values, NULL) > 0)
	{
		row = palloc0(sizeof(WfWorkflowRow));
		wf_store_uuid(0, 1, &row->workflow_id);
		row->name = wf_store_text(0, 2);
		row->status = wf_store_text(0, 3);
		row->active_version = wf_store_int(0, 4);
		row->last_version = wf_store_int(0, 5);
	}
	SPI_freetuptable(SPI_tuptable);
	return row;
}

WfWorkflowRow *
wf_store_find_workflow(const pg_uuid_t *tenant_id, const char *name, bool lock)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(name)};

	return find_workflow(lock ? WF_SQL_LOCK_WORKFLOW : WF_SQL_FIND_WORKFLOW, values);
}

WfWorkflowRow *
wf_store_find_workflow_id(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id)};

	return find_workflow(WF_SQL_FIND_WORKFLOW_ID, values);
}

WfVersionRow *
wf_store_find_version(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), Int32GetDatum(version)};
	WfVersionRow *row = NULL;

	if (wf_store_execute(WF_SQL_FIND_VERSION, values, NULL) > 0)
	{
		row = palloc0(sizeof(WfVersionRow));
		row->version = wf_store_int(0, 1);
		row->definition = wf_store_jsonb(0, 2);
		row->search_path = wf_store_text(0, 3);
		row->owner = wf_store_oid(0, 4);
	}
	SPI_freetuptable(SPI_tuptable);
	return row;
}

void
wf_store_insert_workflow(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *name, Oid owner)
{
	Datum		values[4] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(name),
	ObjectIdGetDatum(owner)};

	wf_store_execute(WF_SQL_INSERT_WORKFLOW, values, NULL);
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

void
wf_store_insert_version(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const WfVersionRow *row,
						const char *label, const char *comment)
{
	char		nulls[8] = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '};
	Datum		values[8] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), Int32GetDatum(row->version),
		JsonbPGetDatum(row->definition), CStringGetTextDatum(row->search_path), ObjectIdGetDatum(row->owner),
	text_or_null(label, &nulls[6]), text_or_null(comment, &nulls[7])};

	wf_store_execute(WF_SQL_INSERT_VERSION, values, nulls);
}

void
wf_store_touch_workflow(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int last_version,
						const char *description, const char *category)
{
	char		nulls[5] = {' ', ' ', ' ', ' ', ' '};
	Datum		values[5] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), Int32GetDatum(last_version),
	text_or_null(description, &nulls[3]), text_or_null(category, &nulls[4])};

	wf_store_execute(WF_SQL_TOUCH_WORKFLOW, values, nulls);
}

void
wf_store_set_active(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, int version)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), Int32GetDatum(version)};

	wf_store_execute(WF_SQL_SET_ACTIVE, values, NULL);
}

void
wf_store_set_status(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *status)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(status)};

	wf_store_execute(WF_SQL_SET_STATUS, values, NULL);
}

const char **
wf_store_workflow_names(const pg_uuid_t *tenant_id, int most, int *n)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), Int32GetDatum(most)};

	return wf_store_names(WF_SQL_WORKFLOW_NAMES, values, n);
}

/* -- registered blocks -- */

static WfBlockRow *
block_of(uint64 i)
{
	WfBlockRow *row = palloc0(sizeof(WfBlockRow));
	Jsonb	   *ports = wf_store_jsonb(i, 4);
	JsonbValue	list;

	row->type = wf_store_text(i, 1);
	row->function = wf_store_text(i, 2);
	row->config_schema = wf_store_jsonb(i, 3);
	wf_json_root(ports, &list);
	row->n_ports = wf_json_count(&list);
	row->ports = palloc0(sizeof(char *) * (row->n_ports + 1));
	for (int p = 0; p < row->n_ports; p++)
	{
		JsonbValue	port;

		(void) wf_json_element(&list, p, &port);
		row->ports[p] = wf_json_cstring(&port);
	}
	return row;
}

WfBlockRow *
wf_store_find_block(const pg_uuid_t *tenant_id, const char *type)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(type)};
	WfBlockRow *row = NULL;

	if (wf_store_execute(WF_SQL_FIND_BLOCK, values, NULL) > 0)
		row = block_of(0);
	SPI_freetuptable(SPI_tuptable);
	return row;
}

List *
wf_store_list_blocks(const pg_uuid_t *tenant_id)
{
	Datum		values[1] = {UUIDPGetDatum(tenant_id)};
	uint64		n = wf_store_execute(WF_SQL_LIST_BLOCKS, values, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
		rows = lappend(rows, block_of(i));
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

void
wf_store_put_block(const pg_uuid_t *tenant_id, const char *type, const char *function, Jsonb *config_schema,
				   ArrayType *ports)
{
	Datum		values[6] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(type), CStringGetTextDatum(function),
	JsonbPGetDatum(config_schema), PointerGetDatum(ports), ObjectIdGetDatum(GetUserId())};

	wf_store_execute(WF_SQL_PUT_BLOCK, values, NULL);
}
