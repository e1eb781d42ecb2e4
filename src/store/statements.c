/*
 * statements.c: all of the engine's own SQL.
 *
 * One WfStatementId is one statement in the table below: schema-qualified to the last operator, values
 * as parameters, prepared at first use and kept for the life of the backend, as ri_triggers.c keeps its
 * plans. Statements run as wf_engine inside the scope of role.c; the caller's search_path does not
 * matter to them.
 *
 * Those of memberships, quotas, the life of tenants and personal data are in statements_*.h, as parts of the table.
 *
 * Not here are the inserts and deletes of hot rows, which go without a plan: direct.c.
 *
 * A plan follows changes of the catalog by itself (DROP and CREATE EXTENSION in one session included),
 * since PostgreSQL analyses the text again.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "store/statements.h"
#include "store/store.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define MAX_ARGS 20

#define EQ " OPERATOR(pg_catalog.=) "
#define NE " OPERATOR(pg_catalog.<>) "

/* In the order of wf.queue's columns; read by wf_store_read_message. */
#define MESSAGE_COLUMNS "tenant_id, message_id, run_id, role, priority, kind, step, crashes, ready_at, workflow_id," \
	" version, payload, options, sealed"

#define MOST_INT8 "9223372036854775807"

/* Read by live.c. */
#define LIVE_COLUMNS "tenant_id, run_id, workflow_id, version, role, priority::pg_catalog.int4, status, attempt," \
	" queued_at, started_at, deadline, n_segments, n_steps, parent_run_id, input, options, current_nodes, progress," \
	" signals, state, sealed"

/* Read by trigger.c. */
#define TRIGGER_COLUMNS "t.tenant_id, t.trigger_id, t.workflow_id, w.name, t.node, t.version, t.type," \
	" t.role::pg_catalog.oid, t.enabled, t.installed, t.definer, t.priority::pg_catalog.int4, t.gate_size, t.gate_key," \
	" t.gate_policy, t.config, t.search_path, t.relation::pg_catalog.oid, t.event, t.route, t.personal"
#define TRIGGERS "SELECT " TRIGGER_COLUMNS " FROM wf.trigger t JOIN wf.workflow w ON w.tenant_id" EQ "t.tenant_id" \
	" AND w.workflow_id" EQ "t.workflow_id WHERE "

/* Read by schedule.c. */
#define SCHEDULES "SELECT tenant_id, trigger_id, next_at, last_at, last_run_id, n_missed, n_skipped FROM wf.schedule"

typedef struct Statement
{
	const char *sql;
	int			n_args;
	Oid			types[MAX_ARGS];
} Statement;

static const Statement statements[WF_SQL_COUNT] = {
	[WF_SQL_TENANT_BY_NAME] = {
		"SELECT tenant_id, name FROM wf.tenant WHERE wf.veiled(name) OPERATOR(pg_catalog.=) $1"
		" AND status OPERATOR(pg_catalog.<>) 'deleting'",
	1, {TEXTOID}},
	[WF_SQL_TENANT_BY_ID] = {
		"SELECT name FROM wf.tenant WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND status OPERATOR(pg_catalog.<>) 'deleting'",
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
		"INSERT INTO wf.tenant (tenant_id, name, parent_id, quotas, created_by, settings, reserved_workers)"
		" VALUES ($1, $2, $3, $4, $5::pg_catalog.regrole, $6, $7)",
	7, {UUIDOID, TEXTOID, UUIDOID, JSONBOID, OIDOID, JSONBOID, INT4OID}},
#include "store/statements_member.h"
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
	/* -- history and keys of runs -- */
	[WF_SQL_FIND_KEY] = {
		"SELECT run_id FROM wf.idempotency WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND idempotency_key" EQ "$3",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_DROP_KEY] = {
		"DELETE FROM wf.idempotency WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_TAKE_KEY] = {
		"INSERT INTO wf.idempotency (tenant_id, workflow_id, idempotency_key, run_id) VALUES ($1, $2, $3, $4)"
		" ON CONFLICT DO NOTHING",
	4, {UUIDOID, UUIDOID, TEXTOID, UUIDOID}},
	[WF_SQL_DELETE_RUN] = {
		"DELETE FROM wf.run WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	/* where a run is and how it stands: 1 history, 2 live, 3 a start; and who made the row that says so */
	[WF_SQL_RUN_STATE] = {
		"SELECT 1, status, output, error, '0'::pg_catalog.xid, started_by::pg_catalog.oid FROM wf.run"
		" WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" UNION ALL SELECT 2, status, NULL, NULL, xmin, NULL FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" UNION ALL SELECT 3, 'queued', NULL, NULL, xmin, NULL FROM wf.queue"
		" WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" UNION ALL SELECT 3, 'queued', NULL, NULL, xmin, NULL FROM wf.held"
		" WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" ORDER BY 1 LIMIT 1",
	2, {UUIDOID, UUIDOID}},

	/* -- messages that are kept back; those in the queue are queue.c's -- */
	[WF_SQL_DELETE_MESSAGE] = {
		"DELETE FROM wf.queue WHERE tenant_id" EQ "$1 AND message_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_FIND_HELD_START] = {
		"SELECT " MESSAGE_COLUMNS " FROM wf.held WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" FOR UPDATE SKIP LOCKED",
	2, {UUIDOID, UUIDOID}},
	/* is it in the queue? no row: nor is it held */
	[WF_SQL_HAS_START] = {
		"SELECT true FROM wf.queue WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" UNION ALL SELECT false FROM wf.held WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_DELETE_HELD] = {
		"DELETE FROM wf.held WHERE tenant_id" EQ "$1 AND message_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_DELETE_HELD_OF_RUN] = {
		"DELETE FROM wf.held WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_RELEASE_HELD] = {
		"WITH gone AS (DELETE FROM wf.held WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND gate IS NULL"
		" RETURNING " MESSAGE_COLUMNS ")"
		" INSERT INTO wf.queue (" MESSAGE_COLUMNS ") SELECT " MESSAGE_COLUMNS " FROM gone RETURNING role",
	2, {UUIDOID, UUIDOID}},

	/* -- gates -- */
	[WF_SQL_COUNT_GATE] = {
		"SELECT ((SELECT pg_catalog.count(*) FROM wf.gate"
		"   WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3) OPERATOR(pg_catalog.+)"
		"  (SELECT pg_catalog.count(*) FROM wf.held"
		"   WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3))::pg_catalog.int4",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_GATE_RUNS] = {
		"SELECT run_id FROM wf.gate WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3"
		" UNION SELECT run_id FROM wf.held WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3 AND kind" EQ "0"
		" ORDER BY run_id",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_LEAVE_GATE] = {
		"DELETE FROM wf.gate WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3 AND run_id" EQ "$4",
	4, {UUIDOID, UUIDOID, TEXTOID, UUIDOID}},
	[WF_SQL_IS_WITHIN] = {
		"SELECT 1 FROM wf.gate WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND gate" EQ "$3 AND run_id" EQ "$4",
	4, {UUIDOID, UUIDOID, TEXTOID, UUIDOID}},
#include "store/statements_quota.h"

	/* -- live runs -- */
	[WF_SQL_FIND_LIVE] = {
		"SELECT " LIVE_COLUMNS " FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_TRY_LOCK_LIVE] = {
		"SELECT " LIVE_COLUMNS " FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 FOR UPDATE SKIP LOCKED",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_LOCK_LIVE] = {
		"SELECT " LIVE_COLUMNS " FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 FOR UPDATE",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_UPDATE_LIVE] = {
		"UPDATE wf.live SET version = $3, role = $4, priority = $5::pg_catalog.int2, status = $6, attempt = $7,"
		" queued_at = $8, started_at = $9, deadline = $10, n_segments = $11, n_steps = $12, parent_run_id = $13,"
		" current_nodes = $14, progress = $15, signals = $16, state = $17"
		" WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	17, {UUIDOID, UUIDOID, INT4OID, OIDOID, INT4OID, TEXTOID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, TIMESTAMPTZOID,
	INT4OID, INT4OID, UUIDOID, TEXTARRAYOID, JSONBOID, JSONBOID, JSONBOID}},
	[WF_SQL_SHOW_LIVE] = {
		"UPDATE wf.live SET input = $3 WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND sealed IS NOT NULL",
	3, {UUIDOID, UUIDOID, JSONBOID}},
	[WF_SQL_DELETE_LIVE] = {
		"DELETE FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_IS_ALIVE] = {
		"SELECT role, priority::pg_catalog.int4 FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" UNION ALL SELECT role, priority::pg_catalog.int4 FROM wf.queue"
		"  WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" UNION ALL SELECT role, priority::pg_catalog.int4 FROM wf.held"
		"  WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" LIMIT 1",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_TAKE_FAILED] = {
		"DELETE FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" RETURNING tenant_id, run_id, workflow_id, version, role, priority::pg_catalog.int4, 'queued'::pg_catalog.text,"
		" attempt, queued_at, started_at, NULL::pg_catalog.timestamptz, n_segments, n_steps, parent_run_id, input, options,"
		" NULL::pg_catalog.text[], NULL::pg_catalog.jsonb, signals, state, sealed",
	2, {UUIDOID, UUIDOID}},

	/* does wf_retry have it, or has it taken it up? one look at both; as WF_SQL_MAIL_FAILED */
	[WF_SQL_TAKES_MAIL] = {
		"SELECT 1 FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND (state IS NOT NULL OR $3)"
		" UNION ALL SELECT 1 FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 LIMIT 1",
	3, {UUIDOID, UUIDOID, BOOLOID}},
	[WF_SQL_MAIL_FAILED] = {
		"UPDATE wf.failed SET state = CASE WHEN state IS NOT NULL THEN pg_catalog.jsonb_set(state, '{last}',"
		"  coalesce(state OPERATOR(pg_catalog.->) 'last', '[]') OPERATOR(pg_catalog.||) $3) END,"
		" signals = CASE WHEN state IS NOT NULL THEN signals"
		"  ELSE coalesce(signals, '[]') OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_array($4) END"
		" WHERE ctid" EQ "ANY (ARRAY(SELECT ctid FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		"  AND (state IS NOT NULL OR $4 IS NOT NULL) FOR UPDATE SKIP LOCKED))",
	4, {UUIDOID, UUIDOID, JSONBOID, JSONBOID}},

	/* -- waits -- */
	[WF_SQL_HAS_EARLIER] = {
		"SELECT 1 FROM wf.queue WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND kind OPERATOR(pg_catalog.<>) 0"
		" AND kind" EQ "$4 AND message_id OPERATOR(pg_catalog.<) $3 LIMIT 1",
	4, {UUIDOID, UUIDOID, UUIDOID, INT4OID}},
	/* of a child run or a request ($4), which has completed */
	[WF_SQL_HAS_RESULT] = {
		"SELECT 1 FROM wf.queue WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND kind OPERATOR(pg_catalog.<>) 0 AND step" EQ "$3"
		" AND ((kind" EQ "5 AND (sealed OPERATOR(pg_catalog.->>) 'run_id')" EQ "$4"
		"   AND (sealed OPERATOR(pg_catalog.->>) 'status')" EQ "'completed')"
		"  OR (kind" EQ "8 AND (sealed OPERATOR(pg_catalog.->>) 'request_id')" EQ "$4"
		"   AND (sealed OPERATOR(pg_catalog.->) 'failed') IS NULL)) LIMIT 1",
	4, {UUIDOID, UUIDOID, INT4OID, TEXTOID}},
	[WF_SQL_PUT_WAIT] = {
		"INSERT INTO wf.wait (tenant_id, run_id, step, kind, wake_at, role, priority, event, correlation)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.int2, $8, $9)"
		" ON CONFLICT (tenant_id, run_id, step) DO UPDATE SET kind = excluded.kind, wake_at = excluded.wake_at,"
		" role = excluded.role, priority = excluded.priority, event = excluded.event, correlation = excluded.correlation",
	9, {UUIDOID, UUIDOID, INT4OID, TEXTOID, TIMESTAMPTZOID, OIDOID, INT4OID, TEXTOID, TEXTOID}},
	[WF_SQL_DELETE_WAIT] = {
		"DELETE FROM wf.wait WHERE tenant_id" EQ "$1 AND run_id" EQ "$2 AND step" EQ "$3",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_DELETE_WAITS] = {
		"DELETE FROM wf.wait WHERE tenant_id" EQ "$1 AND run_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_FIRE_WAITS] = {
		"DELETE FROM wf.wait WHERE ctid" EQ "ANY (ARRAY("
		"  SELECT ctid FROM wf.wait WHERE wake_at OPERATOR(pg_catalog.<=) $1 ORDER BY wake_at LIMIT $2"
		"  FOR UPDATE SKIP LOCKED))"
		" RETURNING tenant_id, run_id, step, role, priority::pg_catalog.int4",
	2, {TIMESTAMPTZOID, INT4OID}},
	[WF_SQL_NEXT_WAIT] = {
		"SELECT pg_catalog.min(wake_at) FROM wf.wait WHERE wake_at IS NOT NULL",
	0, {0}},

	/* -- events -- */
	[WF_SQL_FIND_ANY_EVENT] = {
		"SELECT event_id, payload FROM wf.event WHERE tenant_id" EQ "$1 AND event" EQ "$2"
		" AND $3 IS NULL AND emitted_at OPERATOR(pg_catalog.>) $5"
		" AND event_id::pg_catalog.text OPERATOR(pg_catalog.<>) ALL ($4)"
		" ORDER BY event_id LIMIT 1",
	5, {UUIDOID, TEXTOID, TEXTOID, TEXTARRAYOID, TIMESTAMPTZOID}},
	[WF_SQL_FIND_EVENT] = {
		"SELECT event_id, payload FROM wf.event WHERE tenant_id" EQ "$1 AND event" EQ "$2"
		" AND correlation" EQ "$3 AND emitted_at OPERATOR(pg_catalog.>) $5"
		" AND event_id::pg_catalog.text OPERATOR(pg_catalog.<>) ALL ($4)"
		" ORDER BY event_id LIMIT 1",
	5, {UUIDOID, TEXTOID, TEXTOID, TEXTARRAYOID, TIMESTAMPTZOID}},
	[WF_SQL_INSERT_EVENT] = {
		"INSERT INTO wf.event (tenant_id, event_id, event, correlation, payload, emitted_at, matched, unique_id)"
		" VALUES ($1, $2, $3, $4, $5, $6, false, $7) ON CONFLICT DO NOTHING",
	7, {UUIDOID, UUIDOID, TEXTOID, TEXTOID, JSONBOID, TIMESTAMPTZOID, TEXTOID}},
	[WF_SQL_WAITS_FOR_EVENT] = {
		"SELECT run_id, role, priority::pg_catalog.int4, step FROM wf.wait"
		" WHERE tenant_id" EQ "$1 AND event" EQ "$2 AND correlation IS NULL"
		" UNION ALL SELECT run_id, role, priority::pg_catalog.int4, step FROM wf.wait"
		" WHERE tenant_id" EQ "$1 AND event" EQ "$2 AND correlation" EQ "$3"
		" ORDER BY 1, 4",
	3, {UUIDOID, TEXTOID, TEXTOID}},
	/* who waits for an event that is not known to have reached all, and has no message of it in the queue */
	[WF_SQL_MATCH_EVENTS] = {
		"SELECT w.tenant_id, w.run_id, w.role, w.priority::pg_catalog.int4, w.step, e.event_id, e.payload"
		" FROM wf.event e CROSS JOIN LATERAL ("
		"   SELECT * FROM wf.wait a WHERE a.tenant_id" EQ "e.tenant_id AND a.event" EQ "e.event AND a.correlation IS NULL"
		"   UNION ALL"
		"   SELECT * FROM wf.wait a WHERE a.tenant_id" EQ "e.tenant_id AND a.event" EQ "e.event"
		"    AND a.correlation" EQ "e.correlation) w"
		" WHERE NOT e.matched AND NOT EXISTS ("
		"   SELECT 1 FROM wf.queue q WHERE q.tenant_id" EQ "w.tenant_id AND q.run_id" EQ "w.run_id"
		"    AND q.kind OPERATOR(pg_catalog.<>) 0 AND q.kind" EQ "3 AND q.step" EQ "w.step"
		"    AND (q.sealed OPERATOR(pg_catalog.->>) 'event_id')" EQ "e.event_id::pg_catalog.text)"
		" AND NOT EXISTS ("
		"   SELECT 1 FROM wf.held q WHERE q.tenant_id" EQ "w.tenant_id AND q.run_id" EQ "w.run_id"
		"    AND q.kind" EQ "3 AND q.step" EQ "w.step"
		"    AND (q.sealed OPERATOR(pg_catalog.->>) 'event_id')" EQ "e.event_id::pg_catalog.text)"
		" ORDER BY e.event_id LIMIT 10000",
	0, {0}},
	[WF_SQL_UNMATCHED_EVENTS] = {
		"SELECT event_id FROM wf.event WHERE NOT matched LIMIT 10000",
	0, {0}},
	[WF_SQL_SET_MATCHED] = {
		"UPDATE wf.event SET matched = true WHERE NOT matched AND event_id" EQ "ANY ($1)",
	1, {UUIDARRAYOID}},
	[WF_SQL_DELETE_EVENTS] = {
		"DELETE FROM wf.event WHERE ctid" EQ "ANY (ARRAY("
		"  SELECT ctid FROM wf.event WHERE emitted_at OPERATOR(pg_catalog.<) $1 ORDER BY emitted_at LIMIT 10000))",
	1, {TIMESTAMPTZOID}},

	/* -- tasks -- */
	[WF_SQL_CLOSE_TASK] = {
		"UPDATE wf.task SET status = $3, closed_at = $4 WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" AND status" EQ "'open' AND step" EQ "$5",
	5, {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, INT4OID}},
	[WF_SQL_CLOSE_TASKS] = {
		"UPDATE wf.task SET status = $3, closed_at = $4 WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" AND status" EQ "'open'",
	4, {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID}},
	[WF_SQL_REOPEN_TASK] = {
		"UPDATE wf.task SET status = 'open', closed_at = NULL, claimed_by = NULL, lease_until = NULL WHERE tenant_id" EQ
		"$1 AND run_id" EQ "$2 AND status" EQ "'cancelled' AND step" EQ "$3 RETURNING escalate_at",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_LOCK_TASK] = {
		"SELECT run_id, step, kind, assignees, claimed_by, lease_until, quorum, allow_self, outcomes,"
		" coalesce(sealed OPERATOR(pg_catalog.->) 'form', form), decisions,"
		" status, attempt, max_attempts, started_by, role, priority::pg_catalog.int4, lease_ms FROM wf.task"
		" WHERE tenant_id" EQ "$1 AND task_id" EQ "$2 FOR UPDATE",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_UPDATE_TASK] = {
		"UPDATE wf.task SET claimed_by = $3, lease_until = $4, decisions = $5, status = $6, closed_at = $7"
		" WHERE tenant_id" EQ "$1 AND task_id" EQ "$2",
	7, {UUIDOID, UUIDOID, TEXTOID, TIMESTAMPTZOID, JSONBOID, TEXTOID, TIMESTAMPTZOID}},
	[WF_SQL_COMMENT_TASK] = {
		"UPDATE wf.task SET comments = comments OPERATOR(pg_catalog.||) $3"
		" WHERE tenant_id" EQ "$1 AND task_id" EQ "$2",
	3, {UUIDOID, UUIDOID, JSONBOID}},
	/* what a decision is about; a run with an open task is alive */
	[WF_SQL_TASK_DOCUMENT] = {
		"SELECT w.name, l.version, t.node, t.title, t.body, t.form, t.payload, t.sealed IS NOT NULL"
		" FROM wf.task t"
		" LEFT JOIN wf.workflow w ON w.tenant_id" EQ "t.tenant_id AND w.workflow_id" EQ "t.workflow_id"
		" LEFT JOIN wf.live l ON l.tenant_id" EQ "t.tenant_id AND l.run_id" EQ "t.run_id"
		" WHERE t.tenant_id" EQ "$1 AND t.task_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	/* tasks that nobody has had yet, and those whose lease has run out */
	[WF_SQL_POLL_TASKS] = {
		"WITH got AS (UPDATE wf.task SET attempt = attempt OPERATOR(pg_catalog.+) 1, claimed_by = $5,"
		"  lease_until = $3 OPERATOR(pg_catalog.+) (coalesce(lease_ms, $6)::pg_catalog.float8"
		"   OPERATOR(pg_catalog.*) '00:00:00.001'::pg_catalog.interval)"
		" WHERE ctid" EQ "ANY (ARRAY(SELECT s.ctid FROM ("
		"   SELECT * FROM (SELECT ctid, priority, task_id FROM wf.task"
		"     WHERE tenant_id" EQ "$1 AND queue" EQ "$2 AND status" EQ "'open' AND kind" EQ "'task'"
		"      AND lease_until IS NULL AND ($7 IS NULL OR workflow_id" EQ "ANY ($7))"
		"     ORDER BY priority DESC, task_id LIMIT $4 FOR UPDATE SKIP LOCKED) a"
		"   UNION ALL"
		"   SELECT * FROM (SELECT ctid, priority, task_id FROM wf.task"
		"     WHERE tenant_id" EQ "$1 AND queue" EQ "$2 AND status" EQ "'open' AND kind" EQ "'task'"
		"      AND lease_until OPERATOR(pg_catalog.<=) $3 AND ($7 IS NULL OR workflow_id" EQ "ANY ($7))"
		"      AND (max_attempts" EQ "0 OR attempt OPERATOR(pg_catalog.<) max_attempts)"
		"     ORDER BY lease_until LIMIT $4 FOR UPDATE SKIP LOCKED) b"
		"   ORDER BY 2 DESC, 3 LIMIT $4) s))"
		" RETURNING task_id, run_id, coalesce(sealed OPERATOR(pg_catalog.->) 'payload', payload) AS payload, attempt, lease_until,"
		"  max_attempts, priority)"
		" SELECT task_id, run_id, payload, attempt, lease_until, max_attempts FROM got ORDER BY priority DESC, task_id",
	7, {UUIDOID, TEXTOID, TIMESTAMPTZOID, INT4OID, TEXTOID, INT8OID, UUIDARRAYOID}},
	[WF_SQL_ESCALATE] = {
		"UPDATE wf.task SET escalate_at = NULL,"
		" assignees = CASE WHEN assignees IS NOT NULL THEN assignees OPERATOR(pg_catalog.||) escalate_to END"
		" WHERE ctid" EQ "ANY (ARRAY(SELECT ctid FROM wf.task"
		"  WHERE status" EQ "'open' AND escalate_at OPERATOR(pg_catalog.<=) $1"
		"  AND tenant_id OPERATOR(pg_catalog.<>) ALL ($2) FOR UPDATE SKIP LOCKED))",
	2, {TIMESTAMPTZOID, UUIDARRAYOID}},
	/* the last lease that a task may have has run out */
	[WF_SQL_LOST_TASKS] = {
		"UPDATE wf.task SET status = 'expired', closed_at = $1"
		" WHERE ctid" EQ "ANY (ARRAY(SELECT ctid FROM wf.task"
		"  WHERE status" EQ "'open' AND kind" EQ "'task' AND max_attempts OPERATOR(pg_catalog.>) 0"
		"  AND attempt OPERATOR(pg_catalog.>=) max_attempts AND lease_until OPERATOR(pg_catalog.<=) $1"
		"  AND tenant_id OPERATOR(pg_catalog.<>) ALL ($2) FOR UPDATE SKIP LOCKED))"
		" RETURNING tenant_id, run_id, step, role, priority::pg_catalog.int4, attempt",
	2, {TIMESTAMPTZOID, UUIDARRAYOID}},
	[WF_SQL_NEXT_ESCALATION] = {
		"SELECT least("
		" (SELECT pg_catalog.min(escalate_at) FROM wf.task WHERE status" EQ "'open' AND escalate_at IS NOT NULL"
		"   AND tenant_id OPERATOR(pg_catalog.<>) ALL ($1)),"
		" (SELECT pg_catalog.min(lease_until) FROM wf.task WHERE status" EQ "'open' AND kind" EQ "'task'"
		"   AND max_attempts OPERATOR(pg_catalog.>) 0 AND attempt OPERATOR(pg_catalog.>=) max_attempts"
		"   AND lease_until IS NOT NULL AND tenant_id OPERATOR(pg_catalog.<>) ALL ($1)))",
	1, {UUIDARRAYOID}},

	/* -- the keeper's -- */
	[WF_SQL_READY_ROLES] = {
		"WITH RECURSIVE ready (role) AS ("
		"  (SELECT role FROM wf.queue ORDER BY role LIMIT 1)"
		"  UNION ALL"
		"  SELECT n.role FROM ready r CROSS JOIN LATERAL (SELECT q.role FROM wf.queue q"
		"    WHERE q.role OPERATOR(pg_catalog.>) r.role ORDER BY q.role LIMIT 1) n)"
		" SELECT role FROM ready",
	0, {0}},
	[WF_SQL_MESSAGES_OF_RUN] = {
		"SELECT tenant_id, message_id FROM wf.queue WHERE run_id" EQ "$1",
	1, {UUIDOID}},
	[WF_SQL_COUNT_CRASH] = {
		"UPDATE wf.queue SET crashes = least(crashes OPERATOR(pg_catalog.+) 1, 32767)::pg_catalog.int2"
		" WHERE run_id" EQ "$1 AND message_id" EQ "ANY ($2)"
		" RETURNING crashes::pg_catalog.int4, tenant_id, role, priority::pg_catalog.int4",
	2, {UUIDOID, UUIDARRAYOID}},
	[WF_SQL_HOLD_RUN] = {
		"WITH gone AS (DELETE FROM wf.queue WHERE run_id" EQ "$1 AND message_id" EQ "ANY ($2)"
		" RETURNING " MESSAGE_COLUMNS ")"
		" INSERT INTO wf.held (" MESSAGE_COLUMNS ") SELECT " MESSAGE_COLUMNS " FROM gone",
	2, {UUIDOID, UUIDARRAYOID}},
	/* -- retention -- */
	[WF_SQL_RETENTIONS] = {
		"WITH RECURSIVE t (tenant_id, retention) AS ("
		"  SELECT tenant_id, quotas OPERATOR(pg_catalog.->>) 'retention' FROM wf.tenant WHERE parent_id IS NULL"
		"  UNION ALL"
		"  SELECT c.tenant_id, coalesce(c.quotas OPERATOR(pg_catalog.->>) 'retention', t.retention)"
		"   FROM wf.tenant c JOIN t ON c.parent_id" EQ "t.tenant_id)"
		" SELECT tenant_id, retention FROM t ORDER BY tenant_id",
	0, {0}},
	/* a tenant without the setting has that of the one above */
	[WF_SQL_AUDIT_RETENTIONS] = {
		"WITH RECURSIVE kept (tenant_id, value) AS ("
		"  SELECT t.tenant_id, t.settings OPERATOR(pg_catalog.->>) 'auditRetention' FROM wf.tenant t WHERE t.parent_id IS NULL"
		"  UNION ALL"
		"  SELECT t.tenant_id, coalesce(t.settings OPERATOR(pg_catalog.->>) 'auditRetention', kept.value)"
		"   FROM wf.tenant t, kept WHERE t.parent_id" EQ "kept.tenant_id)"
		" SELECT tenant_id, value FROM kept WHERE value IS NOT NULL ORDER BY tenant_id",
	0, {0}},
	[WF_SQL_HAS_RUNS] = {
		"SELECT EXISTS (SELECT 1 FROM wf.run) OR EXISTS (SELECT 1 FROM wf.queue) OR EXISTS (SELECT 1 FROM wf.live)",
	0, {0}},
	/* anything in the range that is alive, or ended after the time */
	[WF_SQL_RANGE_IS_NEEDED] = {
		"SELECT EXISTS (SELECT 1 FROM wf.live WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		" OR EXISTS (SELECT 1 FROM wf.queue WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		" OR EXISTS (SELECT 1 FROM wf.held WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		" OR EXISTS (SELECT 1 FROM wf.request WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		" OR EXISTS (SELECT 1 FROM wf.run WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  AND finished_at OPERATOR(pg_catalog.>=) $3)",
	3, {UUIDOID, UUIDOID, TIMESTAMPTZOID}},
	/* what somebody may be about to use again is locked for us; false: somebody is at some of it */
	[WF_SQL_HOLD_RANGE] = {
		"WITH f AS (SELECT run_id FROM wf.failed WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  FOR UPDATE SKIP LOCKED),"
		" t AS (SELECT task_id FROM wf.task WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  FOR UPDATE SKIP LOCKED)"
		" SELECT (SELECT pg_catalog.count(*) FROM f)" EQ "(SELECT pg_catalog.count(*) FROM wf.failed"
		"   WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		"  AND (SELECT pg_catalog.count(*) FROM t)" EQ "(SELECT pg_catalog.count(*) FROM wf.task"
		"   WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)",
	2, {UUIDOID, UUIDOID}},
	/* what hangs on ended runs of the range: keys, closed tasks, what wf_retry would need */
	[WF_SQL_CLEAR_RANGE] = {
		"WITH k AS (DELETE FROM wf.idempotency WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2),"
		" t AS (DELETE FROM wf.task WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2),"
		" p AS (DELETE FROM wf.pii WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2)"
		" DELETE FROM wf.failed WHERE run_id OPERATOR(pg_catalog.>=) $1 AND run_id OPERATOR(pg_catalog.<) $2",
	2, {UUIDOID, UUIDOID}},
	/* those of which nobody has anything locked: wf_retry, which has not committed, or a comment on a task */
	[WF_SQL_EXPIRE_RUNS] = {
		"WITH aged AS ("
		"  SELECT run_id FROM wf.run WHERE tenant_id" EQ "$1 AND run_id OPERATOR(pg_catalog.<) $2"
		"   AND finished_at OPERATOR(pg_catalog.<) $3 ORDER BY run_id LIMIT $4 FOR UPDATE SKIP LOCKED),"
		" free_failed AS (SELECT run_id FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM aged)"
		"  FOR UPDATE SKIP LOCKED),"
		" free_tasks AS (SELECT task_id FROM wf.task WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM aged)"
		"  FOR UPDATE SKIP LOCKED),"
		" old AS (SELECT run_id FROM aged"
		"  EXCEPT SELECT run_id FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM aged)"
		"   AND NOT run_id" EQ "ANY (SELECT run_id FROM free_failed)"
		"  EXCEPT SELECT run_id FROM wf.task WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM aged)"
		"   AND NOT task_id" EQ "ANY (SELECT task_id FROM free_tasks)),"
		" k AS (DELETE FROM wf.idempotency WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM old)),"
		" t AS (DELETE FROM wf.task WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM old)),"
		" f AS (DELETE FROM wf.failed WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM old)),"
		" p AS (DELETE FROM wf.pii WHERE tenant_id" EQ "$1 AND run_id" EQ "ANY (SELECT run_id FROM old)),"
		" s AS (DELETE FROM wf.segment WHERE tenant_id" EQ "$1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  AND run_id" EQ "ANY (SELECT run_id FROM old)),"
		" r AS (DELETE FROM wf.request_log WHERE tenant_id" EQ "$1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  AND run_id" EQ "ANY (SELECT run_id FROM old))"
		" DELETE FROM wf.run WHERE tenant_id" EQ "$1 AND run_id OPERATOR(pg_catalog.<) $2"
		"  AND run_id" EQ "ANY (SELECT run_id FROM old)",
	4, {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT4OID}},
	[WF_SQL_MASTER_KEYS] = {
		"SELECT key_id, check_value FROM wf.master_key ORDER BY key_id",
	0, {0}},
	[WF_SQL_PUT_MASTER_KEY] = {
		"INSERT INTO wf.master_key (key_id, check_value)"
		" SELECT coalesce(pg_catalog.max(key_id), 0) OPERATOR(pg_catalog.+) 1, $1 FROM wf.master_key ON CONFLICT DO NOTHING",
	1, {BYTEAOID}},
	[WF_SQL_SECRET_VERSION] = {
		"SELECT coalesce(pg_catalog.max(version), 0) FROM wf.secret"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2",
	2, {UUIDOID, TEXTOID}},
	/* the value goes with it */
	[WF_SQL_END_SECRET] = {
		"UPDATE wf.secret SET ended_at = pg_catalog.now(), nonce = NULL, ciphertext = NULL, dropped = $3"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2 AND ended_at IS NULL"
		" AND (type IS NOT NULL) OPERATOR(pg_catalog.=) $4",
	4, {UUIDOID, TEXTOID, BOOLOID, BOOLOID}},
	[WF_SQL_INSERT_SECRET] = {
		"INSERT INTO wf.secret (tenant_id, name, version, key_id, nonce, ciphertext, created_by, type, fields)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.regrole, $8, $9) ON CONFLICT DO NOTHING",
	9, {UUIDOID, TEXTOID, INT4OID, INT4OID, BYTEAOID, BYTEAOID, OIDOID, TEXTOID, JSONBOID}},
	[WF_SQL_HAS_SECRET] = {
		"SELECT version, type, fields FROM wf.secret WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
		" AND ended_at IS NULL",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_HOLD_SECRET] = {
		"SELECT 1 FROM wf.secret WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2"
		" AND version OPERATOR(pg_catalog.=) $3 AND ended_at IS NULL FOR UPDATE SKIP LOCKED",
	3, {UUIDOID, TEXTOID, INT4OID}},
	[WF_SQL_SECRET_NAMES] = {
		"SELECT name FROM wf.secret WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND ended_at IS NULL"
		" AND (type IS NOT NULL) OPERATOR(pg_catalog.=) $3 ORDER BY name LIMIT $2",
	3, {UUIDOID, INT4OID, BOOLOID}},
	[WF_SQL_FIND_SECRETS] = {
		"SELECT name, version, key_id, nonce, ciphertext, type FROM wf.secret"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) ANY ($2) AND ended_at IS NULL"
		" AND (type IS NOT NULL) OPERATOR(pg_catalog.=) $3",
	3, {UUIDOID, TEXTARRAYOID, BOOLOID}},
	/* those of a key, in the order of the index, from behind a name on */
	[WF_SQL_OLD_SECRETS] = {
		"SELECT name, version, key_id, nonce, ciphertext, type, tenant_id FROM wf.secret"
		" WHERE ROW(tenant_id, name) OPERATOR(pg_catalog.>) ROW($1, $2) AND ended_at IS NULL AND key_id OPERATOR(pg_catalog.=) $3"
		" ORDER BY tenant_id, name LIMIT $4 FOR UPDATE SKIP LOCKED",
	4, {UUIDOID, TEXTOID, INT4OID, INT4OID}},
	[WF_SQL_HAS_OLD_SECRETS] = {
		"SELECT 1 FROM wf.secret WHERE ended_at IS NULL AND key_id OPERATOR(pg_catalog.=) $1 LIMIT 1",
	1, {INT4OID}},
	[WF_SQL_RESEAL] = {
		"UPDATE wf.secret SET key_id = $4, nonce = $5, ciphertext = $6"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND name OPERATOR(pg_catalog.=) $2 AND version OPERATOR(pg_catalog.=) $3",
	6, {UUIDOID, TEXTOID, INT4OID, INT4OID, BYTEAOID, BYTEAOID}},
	[WF_SQL_HAS_REQUESTS] = {
		"SELECT EXISTS (SELECT 1 FROM wf.request)",
	0, {0}},
	[WF_SQL_END_BATCH] = {
		"DELETE FROM wf.sending WHERE tenant_id" EQ "$1 AND batch_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_CUT_SHORT] = {
		"UPDATE wf.sending SET cut_short = true WHERE NOT cut_short",
	0, {0}},
	/* a request that is to be tried again has become due after its batch began: that attempt counts in its row */
	[WF_SQL_FORGET_CUT_SHORT] = {
		"DELETE FROM wf.sending WHERE cut_short AND NOT ROW(tenant_id, batch_id)" EQ "ANY ("
		" SELECT s.tenant_id, s.batch_id FROM (SELECT tenant_id, batch_id, began_at, pg_catalog.unnest(request_ids) AS request_id"
		"   FROM wf.sending WHERE cut_short) s, wf.request r"
		"  WHERE r.tenant_id" EQ "s.tenant_id AND r.request_id" EQ "s.request_id AND r.due_at OPERATOR(pg_catalog.<=) s.began_at)",
	0, {0}},
	[WF_SQL_HAS_CUT_SHORT] = {
		"SELECT 1 FROM wf.sending WHERE cut_short LIMIT 1",
	0, {0}},
	[WF_SQL_LIST_CUT_SHORT] = {
		"SELECT r.tenant_id, r.request_id, r.due_at, pg_catalog.count(*)::pg_catalog.int4"
		" FROM (SELECT tenant_id, began_at, pg_catalog.unnest(request_ids) AS request_id FROM wf.sending WHERE cut_short) s,"
		"  wf.request r"
		" WHERE r.tenant_id" EQ "s.tenant_id AND r.request_id" EQ "s.request_id AND r.due_at OPERATOR(pg_catalog.<=) s.began_at"
		" GROUP BY 1, 2, 3",
	0, {0}},
	[WF_SQL_RETRY_REQUEST] = {
		"UPDATE wf.request SET due_at = $2, failures = $3, duration_ms = $4, error = $5, attempts = $6"
		" WHERE ctid" EQ "$1",
	6, {TIDOID, TIMESTAMPTZOID, INT4OID, FLOAT8OID, JSONBOID, INT4OID}},
	/* those that somebody awaits, which are held */
	/* attempts that are cut short count: see wf_requests */
	[WF_SQL_CANCEL_REQUESTS] = {
		"WITH r AS (DELETE FROM wf.request WHERE ctid" EQ "ANY ($1) RETURNING *)"
		" INSERT INTO wf.request_log (tenant_id, run_id, request_id, step, workflow_id, node, method, host, path, state,"
		"   attempts, created_at, ended_at, total_ms, error)"
		" SELECT tenant_id, run_id, request_id, step, workflow_id, node, method, host, path, 'cancelled',"
		"   attempts OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM wf.sending s"
		"     WHERE s.tenant_id" EQ "r.tenant_id AND r.request_id" EQ "ANY (s.request_ids)"
		"     AND r.due_at OPERATOR(pg_catalog.<=) s.began_at),"
		"   created_at, $2, duration_ms, error FROM r",
	2, {TIDARRAYOID, TIMESTAMPTZOID}},
	[WF_SQL_PUT_CIRCUIT] = {
		"INSERT INTO wf.circuit (tenant_id, host, state, attempts, failures, changed_at, retry_at, times_opened)"
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8 WHERE EXISTS (SELECT FROM wf.tenant WHERE tenant_id" EQ "$1"
		"   AND status OPERATOR(pg_catalog.<>) 'deleting')"
		" ON CONFLICT (tenant_id, host) DO UPDATE SET state = excluded.state, attempts = excluded.attempts,"
		"   failures = excluded.failures, changed_at = excluded.changed_at, retry_at = excluded.retry_at,"
		"   times_opened = excluded.times_opened",
	8, {UUIDOID, TEXTOID, TEXTOID, INT4OID, INT4OID, TIMESTAMPTZOID, TIMESTAMPTZOID, INT4OID}},
	[WF_SQL_OPEN_CIRCUITS] = {
		"SELECT tenant_id, host, state, attempts, failures, changed_at, retry_at, times_opened FROM wf.circuit"
		" WHERE state OPERATOR(pg_catalog.<>) 'closed' AND retry_at OPERATOR(pg_catalog.>) $1",
	1, {TIMESTAMPTZOID}},
	/* that nobody has asked for since, or that closed a day ago */
	[WF_SQL_PRUNE_CIRCUITS] = {
		"DELETE FROM wf.circuit WHERE ctid" EQ "ANY (ARRAY(SELECT ctid FROM wf.circuit"
		" WHERE coalesce(retry_at, changed_at) OPERATOR(pg_catalog.<) $1 FOR UPDATE SKIP LOCKED))",
	1, {TIMESTAMPTZOID}},
	[WF_SQL_RESET_CIRCUIT] = {
		"DELETE FROM wf.circuit WHERE tenant_id" EQ "$1 AND host" EQ "$2",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_SET_HTTP_POLICY] = {
		"UPDATE wf.tenant SET http_allow = CASE WHEN $2" NE "'' THEN $2 END, http_deny = CASE WHEN $3" NE "'' THEN $3 END WHERE tenant_id" EQ "$1",
	3, {UUIDOID, TEXTOID, TEXTOID}},
	[WF_SQL_HTTP_POLICIES] = {
		"SELECT tenant_id, http_allow, http_deny FROM wf.tenant WHERE http_allow IS NOT NULL OR http_deny IS NOT NULL",
	0, {0}},
	[WF_SQL_PUT_HOST_LIMIT] = {
		"INSERT INTO wf.host_limit (tenant_id, host, requests, per_ms, burst, concurrency) VALUES ($1, $2, $3, $4, $5, $6)"
		" ON CONFLICT (tenant_id, host) DO UPDATE SET requests = excluded.requests, per_ms = excluded.per_ms,"
		"   burst = excluded.burst, concurrency = excluded.concurrency",
	6, {UUIDOID, TEXTOID, INT4OID, INT8OID, INT4OID, INT4OID}},
	[WF_SQL_DROP_HOST_LIMIT] = {
		"DELETE FROM wf.host_limit WHERE tenant_id" EQ "$1 AND host" EQ "$2",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_HOST_LIMITS] = {
		"SELECT tenant_id, host, requests, per_ms, burst, concurrency FROM wf.host_limit",
	0, {0}},

	/* -- triggers -- */
	[WF_SQL_TRIGGERS_OF] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.workflow_id" EQ "$2 ORDER BY t.node",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_FIND_TRIGGER] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.workflow_id" EQ "$2 AND t.node" EQ "$3",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_FIND_TRIGGER_ID] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.trigger_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_TRIGGERS_OF_TYPE] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.type" EQ "$2 AND t.installed ORDER BY t.trigger_id",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_TRIGGERS_OF_EVENT] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.event" EQ "$2 AND t.installed ORDER BY t.trigger_id",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_ROUTE_OWNER] = {
		TRIGGERS "t.tenant_id" EQ "$1 AND t.route" EQ "$2",
	2, {UUIDOID, TEXTOID}},
	/* a trigger keeps its id, and stays disabled, from one version to the next */
	[WF_SQL_PUT_TRIGGER] = {
		"INSERT INTO wf.trigger (tenant_id, trigger_id, workflow_id, node, version, type, role, enabled, installed, definer,"
		" priority, gate_size, gate_key, gate_policy, config, search_path, relation, event, route, personal)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7::pg_catalog.regrole, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
		" $17::pg_catalog.regclass, $18, $19, $20)"
		" ON CONFLICT (tenant_id, workflow_id, node) DO UPDATE SET version = excluded.version, type = excluded.type,"
		" role = excluded.role, enabled = excluded.enabled, installed = excluded.installed, definer = excluded.definer,"
		" priority = excluded.priority, gate_size = excluded.gate_size, gate_key = excluded.gate_key,"
		" gate_policy = excluded.gate_policy, config = excluded.config, search_path = excluded.search_path,"
		" relation = excluded.relation, event = excluded.event, route = excluded.route, personal = excluded.personal",
	20, {UUIDOID, UUIDOID, UUIDOID, TEXTOID, INT4OID, TEXTOID, OIDOID, BOOLOID, BOOLOID, BOOLOID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, JSONBOID, TEXTOID, OIDOID, TEXTOID, TEXTOID, BOOLOID}},
	[WF_SQL_DELETE_TRIGGER] = {
		"DELETE FROM wf.trigger WHERE tenant_id" EQ "$1 AND trigger_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	/* -- events that wait for a quiet time -- */
	[WF_SQL_PUT_BURST] = {
		"INSERT INTO wf.debounce (tenant_id, trigger_id, event_id, event, correlation, n, emitted_at, due_at, role, chain, payload)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9::pg_catalog.regrole, $10, $11)",
	11, {UUIDOID, UUIDOID, UUIDOID, TEXTOID, TEXTOID, INT8OID, TIMESTAMPTZOID, TIMESTAMPTZOID, OIDOID, INT4OID, JSONBOID}},
	[WF_SQL_DUE_BURSTS] = {
		"SELECT DISTINCT tenant_id, trigger_id, correlation FROM ("
		"  SELECT tenant_id, trigger_id, correlation FROM wf.debounce WHERE due_at OPERATOR(pg_catalog.<=) $1"
		"  ORDER BY due_at LIMIT $2) d",
	2, {TIMESTAMPTZOID, INT4OID}},
	/* all rows of it; what they say together */
	[WF_SQL_TAKE_BURST] = {
		"WITH taken AS ("
		"  DELETE FROM wf.debounce WHERE tenant_id" EQ "$1 AND trigger_id" EQ "$2 AND correlation" EQ "$3 RETURNING *)"
		" SELECT event_id, event, emitted_at, role::pg_catalog.oid, chain, payload, (pg_catalog.sum(n) OVER ())::pg_catalog.int8,"
		"  pg_catalog.max(due_at) OVER ()"
		" FROM taken ORDER BY emitted_at DESC, event_id DESC LIMIT 1",
	3, {UUIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_NEXT_BURST] = {
		"SELECT due_at FROM wf.debounce ORDER BY due_at LIMIT 1",
	0, {0}},
	/* -- what triggers did -- */
	[WF_SQL_SAVE_FIRED] = {
		"INSERT INTO wf.trigger_stat AS s (tenant_id, trigger_id, fired_at, n_fired, failed_at, n_failed, error)"
		" SELECT t.tenant_id, t.trigger_id, t.fired_at, t.n_fired, t.failed_at, t.n_failed,"
		"   CASE WHEN t.failed_at IS NOT NULL THEN pg_catalog.jsonb_build_object('code', t.code, 'message', t.message) END"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4),"
		"   pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8))"
		"   t (tenant_id, trigger_id, fired_at, n_fired, failed_at, n_failed, code, message)"
		"  WHERE t.tenant_id" EQ "ANY (SELECT x.tenant_id FROM wf.tenant x WHERE x.status OPERATOR(pg_catalog.<>) 'deleting')"
		" ON CONFLICT (tenant_id, trigger_id) DO UPDATE SET fired_at = greatest(s.fired_at, excluded.fired_at),"
		"   n_fired = s.n_fired OPERATOR(pg_catalog.+) least(excluded.n_fired, " MOST_INT8 " OPERATOR(pg_catalog.-) s.n_fired),"
		"   n_failed = s.n_failed OPERATOR(pg_catalog.+) least(excluded.n_failed, " MOST_INT8 " OPERATOR(pg_catalog.-) s.n_failed),"
		"   failed_at = greatest(s.failed_at, excluded.failed_at),"
		"   error = CASE WHEN excluded.failed_at OPERATOR(pg_catalog.>=) coalesce(s.failed_at, excluded.failed_at)"
		"     THEN excluded.error ELSE s.error END",
	8, {UUIDARRAYOID, UUIDARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, TEXTARRAYOID, TEXTARRAYOID}},
	[WF_SQL_PRUNE_FIRED] = {
		"DELETE FROM wf.trigger_stat s WHERE NOT EXISTS (SELECT FROM wf.trigger t"
		"  WHERE t.tenant_id" EQ "s.tenant_id AND t.trigger_id" EQ "s.trigger_id)",
	0, {0}},

	/* -- schedules -- */
	[WF_SQL_LOCK_SCHEDULES] = {
		SCHEDULES " WHERE next_at OPERATOR(pg_catalog.<=) $1 ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED",
	2, {TIMESTAMPTZOID, INT4OID}},
	[WF_SQL_FIND_SCHEDULE] = {
		SCHEDULES " WHERE tenant_id" EQ "$1 AND trigger_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_PUT_SCHEDULE] = {
		"INSERT INTO wf.schedule AS s (tenant_id, trigger_id, next_at, n_missed, n_skipped) VALUES ($1, $2, $3, 0, 0)"
		" ON CONFLICT (tenant_id, trigger_id) DO UPDATE SET next_at = CASE WHEN $4 THEN s.next_at ELSE excluded.next_at END",
	4, {UUIDOID, UUIDOID, TIMESTAMPTZOID, BOOLOID}},
	[WF_SQL_UPDATE_SCHEDULE] = {
		"UPDATE wf.schedule SET next_at = $3, last_at = $4, last_run_id = $5, n_missed = $6, n_skipped = $7"
		" WHERE tenant_id" EQ "$1 AND trigger_id" EQ "$2",
	7, {UUIDOID, UUIDOID, TIMESTAMPTZOID, TIMESTAMPTZOID, UUIDOID, INT8OID, INT8OID}},
	[WF_SQL_NEXT_SCHEDULE] = {
		"SELECT pg_catalog.min(next_at) FROM wf.schedule WHERE next_at IS NOT NULL",
	0, {0}},
	[WF_SQL_HAS_SCHEDULES] = {
		"SELECT 1 FROM wf.schedule WHERE next_at IS NOT NULL LIMIT 1",
	0, {0}},
	/* the functions of the extension pg_cron, and of nobody else: in C, and superusers', as it is itself; and whether the owner of
	 * our extension may call them */
	[WF_SQL_PG_CRON] = {
		"SELECT p.oid, p.proname::pg_catalog.text, pg_catalog.oidvectortypes(p.proargtypes), w.extowner,"
		" pg_catalog.has_schema_privilege(w.extowner, p.pronamespace, 'USAGE')"
		"  AND pg_catalog.has_function_privilege(w.extowner, p.oid, 'EXECUTE')"
		" FROM pg_catalog.pg_extension e"
		" JOIN pg_catalog.pg_extension w ON w.extname" EQ "'workflow'"
		" JOIN pg_catalog.pg_depend d ON d.refclassid" EQ "'pg_catalog.pg_extension'::pg_catalog.regclass"
		"  AND d.refobjid" EQ "e.oid AND d.deptype" EQ "'e' AND d.classid" EQ "'pg_catalog.pg_proc'::pg_catalog.regclass"
		" JOIN pg_catalog.pg_proc p ON p.oid" EQ "d.objid"
		" JOIN pg_catalog.pg_language l ON l.oid" EQ "p.prolang AND l.lanname" EQ "'c'"
		" JOIN pg_catalog.pg_roles r ON r.oid" EQ "p.proowner AND r.rolsuper"
		" JOIN pg_catalog.pg_roles o ON o.oid" EQ "e.extowner AND o.rolsuper"
		" WHERE e.extname" EQ "'pg_cron' AND p.proname" EQ "ANY ('{schedule,unschedule}'::pg_catalog.name[])",
	0, {0}},

#include "store/statements_pii.h"
#include "store/statements_tenant.h"
};

static SPIPlanPtr plans[WF_SQL_COUNT];

/*
 * The kept plan of a statement, made at first use. It is stored only once it is kept.
 *
 * It is made, and made again, with a search path of the system alone: IN, NULLIF and CASE take the operator = of whoever comes first
 * in the path, and a member's would be executed as wf_engine.
 */
static SPIPlanPtr
plan_of(WfStatementId id)
{
	const Statement *statement = &statements[id];
	Oid			types[MAX_ARGS];
	SPIPlanPtr	plan;
	int			level;

	if (plans[id] != NULL)
		return plans[id];
	memcpy(types, statement->types, sizeof(types));
	level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	plan = SPI_prepare(statement->sql, statement->n_args, types);
	AtEOXact_GUC(true, level);
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
	MemoryContext memory = CurrentMemoryContext;
	WfRoleScope scope;
	int			result;

	wf_store_enter(&scope);
	result = SPI_execute_plan(plan_of(id), values, nulls, false, 0);
	wf_store_leave(&scope);
	MemoryContextSwitchTo(memory);	/* SPI leaves its own */
	if (result < 0)
		elog(ERROR, "statement %d failed: %s", id, SPI_result_code_string(result));
	return SPI_processed;
}

uint64
wf_store_execute_here(WfStatementId id, Datum *values)
{
	MemoryContext memory = CurrentMemoryContext;
	WfRoleScope scope;
	int			result;

	wf_store_enter(&scope);
	result = SPI_execute_plan(plan_of(id), values, NULL, true, 0);
	wf_store_leave(&scope);
	MemoryContextSwitchTo(memory);
	if (result < 0)
		elog(ERROR, "statement %d failed: %s", id, SPI_result_code_string(result));
	return SPI_processed;
}

uint64
wf_store_execute_latest(WfStatementId id, Datum *values, const char *nulls)
{
	MemoryContext memory = CurrentMemoryContext;
	WfRoleScope scope;
	int			result;

	PushActiveSnapshot(GetLatestSnapshot());
	wf_store_enter(&scope);
	result = SPI_execute_plan(plan_of(id), values, nulls, true, 0);
	wf_store_leave(&scope);
	PopActiveSnapshot();
	MemoryContextSwitchTo(memory);
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

const char **
wf_store_names(WfStatementId id, Datum *values, int *n)
{
	const char **names;

	*n = (int) wf_store_execute(id, values, NULL);
	names = palloc(sizeof(char *) * Max(*n, 1));
	for (int i = 0; i < *n; i++)
		names[i] = wf_store_text(i, 1);
	SPI_freetuptable(SPI_tuptable);
	return names;
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

int64
wf_store_int64(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? 0 : DatumGetInt64(value);
}

TimestampTz
wf_store_time(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? 0 : DatumGetTimestampTz(value);
}

ArrayType *
wf_store_array(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? NULL : DatumGetArrayTypePCopy(value);
}

bytea *
wf_store_bytea(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return is_null ? NULL : DatumGetByteaPCopy(value);
}

bool
wf_store_bool(uint64 row, int column)
{
	bool		is_null;
	Datum		value = column_of(row, column, &is_null);

	return !is_null && DatumGetBool(value);
}

bool
wf_store_has(uint64 row, int column)
{
	bool		is_null;

	(void) column_of(row, column, &is_null);
	return !is_null;
}
