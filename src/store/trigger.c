/*
 * trigger.c: rows of wf.trigger.
 */
#include "postgres.h"

#include "store/statements.h"
#include "store/trigger.h"
#include "utils/builtins.h"

static WfTriggerRow *
trigger_of(uint64 i)
{
	WfTriggerRow *row = palloc0(sizeof(WfTriggerRow));

	wf_store_uuid(i, 1, &row->tenant_id);
	wf_store_uuid(i, 2, &row->trigger_id);
	wf_store_uuid(i, 3, &row->workflow_id);
	row->workflow = wf_store_text(i, 4);
	row->node = wf_store_text(i, 5);
	row->version = wf_store_int(i, 6);
	row->type = wf_store_text(i, 7);
	row->role = wf_store_oid(i, 8);
	row->enabled = wf_store_bool(i, 9);
	row->installed = wf_store_bool(i, 10);
	row->definer = wf_store_bool(i, 11);
	row->priority = wf_store_int(i, 12);
	row->gate_size = wf_store_int(i, 13);
	row->gate_key = wf_store_text(i, 14);
	row->gate_policy = wf_store_text(i, 15);
	row->config = wf_store_jsonb(i, 16);
	row->search_path = wf_store_text(i, 17);
	row->relation = wf_store_oid(i, 18);
	row->event = wf_store_text(i, 19);
	row->route = wf_store_text(i, 20);
	row->is_personal = wf_store_bool(i, 21);
	return row;
}

static List *
list(WfStatementId statement, Datum *values)
{
	uint64		n = wf_store_execute(statement, values, NULL);
	List	   *rows = NIL;

	for (uint64 i = 0; i < n; i++)
		rows = lappend(rows, trigger_of(i));
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

static WfTriggerRow *
first(WfStatementId statement, Datum *values)
{
	List	   *rows = list(statement, values);

	return rows == NIL ? NULL : linitial(rows);
}

List *
wf_store_triggers_of(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id)};

	return list(WF_SQL_TRIGGERS_OF, values);
}

List *
wf_store_triggers_of_tenant(const pg_uuid_t *tenant_id, int most)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), Int32GetDatum(most)};

	return list(WF_SQL_TRIGGERS_OF_TENANT, values);
}

WfTriggerRow *
wf_store_find_trigger(const pg_uuid_t *tenant_id, const pg_uuid_t *workflow_id, const char *node)
{
	Datum		values[3] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(workflow_id), CStringGetTextDatum(node)};

	return first(WF_SQL_FIND_TRIGGER, values);
}

WfTriggerRow *
wf_store_find_trigger_id(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(trigger_id)};

	return first(WF_SQL_FIND_TRIGGER_ID, values);
}

List *
wf_store_triggers_of_type(const pg_uuid_t *tenant_id, const char *type)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(type)};

	return list(WF_SQL_TRIGGERS_OF_TYPE, values);
}

List *
wf_store_triggers_of_event(const pg_uuid_t *tenant_id, const char *event)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(event)};

	return list(WF_SQL_TRIGGERS_OF_EVENT, values);
}

WfTriggerRow *
wf_store_route_owner(const pg_uuid_t *tenant_id, const char *route)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), CStringGetTextDatum(route)};

	return first(WF_SQL_ROUTE_OWNER, values);
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

void
wf_store_put_trigger(const WfTriggerRow *row)
{
	Datum		values[20];
	char		nulls[20];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = UUIDPGetDatum(&row->tenant_id);
	values[1] = UUIDPGetDatum(&row->trigger_id);
	values[2] = UUIDPGetDatum(&row->workflow_id);
	values[3] = CStringGetTextDatum(row->node);
	values[4] = Int32GetDatum(row->version);
	values[5] = CStringGetTextDatum(row->type);
	values[6] = ObjectIdGetDatum(row->role);
	values[7] = BoolGetDatum(row->enabled);
	values[8] = BoolGetDatum(row->installed);
	values[9] = BoolGetDatum(row->definer);
	values[10] = Int32GetDatum(row->priority);
	values[11] = Int32GetDatum(row->gate_size);
	values[12] = text_or_null(row->gate_key, &nulls[12]);
	values[13] = text_or_null(row->gate_policy, &nulls[13]);
	values[14] = JsonbPGetDatum(row->config);
	values[15] = CStringGetTextDatum(row->search_path);
	values[16] = ObjectIdGetDatum(row->relation);
	nulls[16] = OidIsValid(row->relation) ? ' ' : 'n';
	values[17] = text_or_null(row->event, &nulls[17]);
	values[18] = text_or_null(row->route, &nulls[18]);
	values[19] = BoolGetDatum(row->is_personal);
	wf_store_execute(WF_SQL_PUT_TRIGGER, values, nulls);
}

void
wf_store_delete_trigger(const pg_uuid_t *tenant_id, const pg_uuid_t *trigger_id)
{
	Datum		values[2] = {UUIDPGetDatum(tenant_id), UUIDPGetDatum(trigger_id)};

	wf_store_execute(WF_SQL_DELETE_TRIGGER, values, NULL);
}
