/*
 * statements.c: all of the engine's own SQL.
 *
 * One WfStatementId is one statement in the table below: schema-qualified to the last operator, values
 * as parameters, prepared at first use and kept for the life of the backend, as ri_triggers.c keeps its
 * plans. Statements run as wf_engine inside the scope of role.c; the caller's search_path does not
 * matter to them.
 *
 * Two inserts are not here but in run.c, without a plan: those of history, which every run makes.
 *
 * A plan follows changes of the catalog by itself (DROP and CREATE EXTENSION in one session included),
 * since PostgreSQL analyses the text again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#define MAX_ARGS 20

typedef struct Statement
{
	const char *sql;
	int			n_args;
	Oid			types[MAX_ARGS];
} Statement;

static const Statement statements[WF_SQL_COUNT] = {
	/* tenants in which the role has a membership, its own or by a role whose rights it has */
	[WF_SQL_MEMBERSHIPS] = {
		"WITH RECURSIVE mine (role) AS ("
		"  SELECT $1::pg_catalog.oid"
		"  UNION"
		"  SELECT a.roleid FROM pg_catalog.pg_auth_members a, mine"
		"   WHERE a.member OPERATOR(pg_catalog.=) mine.role)"
		" SELECT t.tenant_id, t.name, m.app_role, mine.role OPERATOR(pg_catalog.=) $1"
		"   FROM mine, wf.member m, wf.tenant t"
		"  WHERE m.role OPERATOR(pg_catalog.=) mine.role::pg_catalog.regrole"
		"    AND t.tenant_id OPERATOR(pg_catalog.=) m.tenant_id"
		"    AND pg_catalog.pg_has_role($1, mine.role, 'USAGE')"
		"  ORDER BY t.name",
	1, {OIDOID}},
	[WF_SQL_TENANT_BY_NAME] = {
		"SELECT tenant_id, name FROM wf.tenant WHERE name OPERATOR(pg_catalog.=) $1",
	1, {TEXTOID}},
	[WF_SQL_TENANT_BY_ID] = {
		"SELECT name FROM wf.tenant WHERE tenant_id OPERATOR(pg_catalog.=) $1",
	1, {UUIDOID}},
	/* a tenant and those above it */
	[WF_SQL_TENANT_CHAIN] = {
		"WITH RECURSIVE chain (tenant_id, parent_id) AS ("
		"  SELECT t.tenant_id, t.parent_id FROM wf.tenant t WHERE t.tenant_id OPERATOR(pg_catalog.=) $1"
		"  UNION"
		"  SELECT p.tenant_id, p.parent_id FROM wf.tenant p, chain"
		"   WHERE p.tenant_id OPERATOR(pg_catalog.=) chain.parent_id)"
		" SELECT tenant_id FROM chain",
	1, {UUIDOID}},
	[WF_SQL_INSERT_TENANT] = {
		"INSERT INTO wf.tenant (tenant_id, name, parent_id, quotas, created_by)"
		" VALUES ($1, $2, $3, $4, $5::pg_catalog.regrole)",
	5, {UUIDOID, TEXTOID, UUIDOID, JSONBOID, OIDOID}},
	[WF_SQL_PUT_MEMBER] = {
		"INSERT INTO wf.member (tenant_id, role, app_role, granted_by)"
		" VALUES ($1, $2::pg_catalog.regrole, $3, $4::pg_catalog.regrole)"
		" ON CONFLICT (tenant_id, role) DO UPDATE SET app_role = excluded.app_role,"
		" granted_at = pg_catalog.now(), granted_by = excluded.granted_by",
	4, {UUIDOID, OIDOID, TEXTOID, OIDOID}},
	[WF_SQL_DELETE_MEMBER] = {
		"DELETE FROM wf.member WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND role OPERATOR(pg_catalog.=) $2::pg_catalog.regrole",
	2, {UUIDOID, OIDOID}},
	[WF_SQL_MEMBER_ROLE] = {
		"SELECT app_role FROM wf.member WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND role OPERATOR(pg_catalog.=) $2::pg_catalog.regrole",
	2, {UUIDOID, OIDOID}},
	[WF_SQL_COUNT_OWNERS] = {
		"SELECT pg_catalog.count(*)::pg_catalog.int4 FROM wf.member"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND app_role OPERATOR(pg_catalog.=) 'owner'"
		" AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) role::pg_catalog.oid)",
	1, {UUIDOID}},
	/* an update rather than a lock: with one snapshot a transaction, a second one must fail, not count what was */
	[WF_SQL_LOCK_TENANT] = {
		"UPDATE wf.tenant SET name = name WHERE tenant_id OPERATOR(pg_catalog.=) $1",
	1, {UUIDOID}},
	[WF_SQL_FIND_WORKFLOW] = {
		"SELECT workflow_id, name, status, active_version, last_version FROM wf.workflow"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
		" AND status OPERATOR(pg_catalog.<>) 'deleted'",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_FIND_WORKFLOW_ID] = {
		"SELECT workflow_id, name, status, active_version, last_version FROM wf.workflow"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND workflow_id OPERATOR(pg_catalog.=) $2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_LOCK_WORKFLOW] = {
		"SELECT workflow_id, name, status, active_version, last_version FROM wf.workflow"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
		" AND status OPERATOR(pg_catalog.<>) 'deleted' FOR UPDATE",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_FIND_VERSION] = {
		"SELECT version, definition, search_path, owner::pg_catalog.oid FROM wf.version"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND workflow_id OPERATOR(pg_catalog.=) $2"
		" AND version OPERATOR(pg_catalog.=) $3",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_INSERT_WORKFLOW] = {
		"INSERT INTO wf.workflow (tenant_id, workflow_id, name, status, owner)"
		" VALUES ($1, $2, $3, 'draft', $4::pg_catalog.regrole)"
		" ON CONFLICT DO NOTHING",
	4, {UUIDOID, UUIDOID, TEXTOID, OIDOID}},
	[WF_SQL_INSERT_VERSION] = {
		"INSERT INTO wf.version (tenant_id, workflow_id, version, definition, search_path, owner, label, comment)"
		" VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.regrole, $7, $8)",
	8, {UUIDOID, UUIDOID, INT4OID, JSONBOID, TEXTOID, OIDOID, TEXTOID, TEXTOID}},
	[WF_SQL_TOUCH_WORKFLOW] = {
		"UPDATE wf.workflow SET last_version = $3, description = coalesce($4, description),"
		" category = coalesce($5, category), updated_at = pg_catalog.now()"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND workflow_id OPERATOR(pg_catalog.=) $2",
	5, {UUIDOID, UUIDOID, INT4OID, TEXTOID, TEXTOID}},
	[WF_SQL_SET_ACTIVE] = {
		"UPDATE wf.workflow SET active_version = $3, updated_at = pg_catalog.now(),"
		" status = CASE WHEN status OPERATOR(pg_catalog.=) 'draft' THEN 'active' ELSE status END"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND workflow_id OPERATOR(pg_catalog.=) $2",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_SET_STATUS] = {
		"UPDATE wf.workflow SET status = $3, updated_at = pg_catalog.now()"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND workflow_id OPERATOR(pg_catalog.=) $2",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_WORKFLOW_NAMES] = {
		"SELECT name FROM wf.workflow WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND status OPERATOR(pg_catalog.<>) 'deleted' ORDER BY name LIMIT $2",
	2, {UUIDOID, INT4OID}},
	[WF_SQL_FIND_BLOCK] = {
		"SELECT type, function, config_schema, pg_catalog.to_jsonb(ports) FROM wf.block"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND type OPERATOR(pg_catalog.=) $2",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_LIST_BLOCKS] = {
		"SELECT type, function, config_schema, pg_catalog.to_jsonb(ports) FROM wf.block"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 ORDER BY type",
	1, {UUIDOID}},
	[WF_SQL_PUT_BLOCK] = {
		"INSERT INTO wf.block (tenant_id, type, function, config_schema, ports, created_by)"
		" VALUES ($1, $2, $3, $4, $5, $6::pg_catalog.regrole)"
		" ON CONFLICT (tenant_id, type) DO UPDATE SET function = excluded.function,"
		" config_schema = excluded.config_schema, ports = excluded.ports, created_by = excluded.created_by",
	6, {UUIDOID, TEXTOID, TEXTOID, JSONBOID, TEXTARRAYOID, OIDOID}},
	[WF_SQL_FIND_IDEMPOTENT] = {
		"SELECT run_id, status, output, error FROM wf.run WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND workflow_id OPERATOR(pg_catalog.=) $2 AND idempotency_key OPERATOR(pg_catalog.=) $3",
	3, {UUIDOID, UUIDOID, TEXTOID}},
};

static SPIPlanPtr plans[WF_SQL_COUNT];

/* The kept plan of a statement, made at first use. It is stored only once it is kept. */
static SPIPlanPtr
plan_of(WfStatementId id)
{
	const Statement *statement = &statements[id];
	Oid			types[MAX_ARGS];
	SPIPlanPtr	plan;

	if (plans[id] != NULL)
		return plans[id];
	memcpy(types, statement->types, sizeof(types));
	plan = SPI_prepare(statement->sql, statement->n_args, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare statement %d: %s", id, SPI_result_code_string(SPI_result));
	if (SPI_keepplan(plan) != 0)
		elog(ERROR, "could not keep the plan of statement %d", id);
	plans[id] = plan;
	return plan;
}

uint64
wf_store_execute(WfStatementId id, Datum *values, const char *nulls)
{
	WfRoleScope scope;
	int			result;

	wf_store_enter(&scope);
	result = SPI_execute_plan(plan_of(id), values, nulls, false, 0);
	wf_store_leave(&scope);
	if (result < 0)
		elog(ERROR, "statement %d failed: %s", id, SPI_result_code_string(result));
	return SPI_processed;
}

uint64
wf_store_execute_latest(WfStatementId id, Datum *values)
{
	WfRoleScope scope;
	int			result;

	PushActiveSnapshot(GetLatestSnapshot());
	wf_store_enter(&scope);
	result = SPI_execute_plan(plan_of(id), values, NULL, true, 0);
	wf_store_leave(&scope);
	PopActiveSnapshot();
	if (result < 0)
		elog(ERROR, "statement %d failed: %s", id, SPI_result_code_string(result));
	return SPI_processed;
}

/* -- reading rows -- */

static Datum
column_of(uint64 row, int column, bool *is_null)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, is_null);
}

char *
wf_store_text(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? NULL : TextDatumGetCString(value);
}

Jsonb *
wf_store_jsonb(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? NULL : (Jsonb *) PG_DETOAST_DATUM_COPY(value);
}

int
wf_store_int(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? 0 : DatumGetInt32(value);
}

Oid
wf_store_oid(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? InvalidOid : DatumGetObjectId(value);
}

void
wf_store_uuid(uint64 row, int column, pg_uuid_t *out)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	if (is_null)
		memset(out, 0, sizeof(*out));
	else
		*out = *DatumGetUUIDP(value);
}

bool
wf_store_bool(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return !is_null && DatumGetBool(value);
}
