/*
 * statements_quota.h: a part of the table in statements.c, which includes it there and has what it uses: gates that open, quotas,
 * approvals.
 */

/* Gates at which somebody waits, of some tenants, with how many may pass; goes on with another part. With `most`, so many at most. */
#define GATES_ROOM(which, most) \
	"WITH RECURSIVE gates (tenant_id, workflow_id, gate, gate_size) AS (" \
	"  (SELECT tenant_id, workflow_id, gate, gate_size FROM wf.held WHERE gate IS NOT NULL" \
	"    ORDER BY tenant_id, workflow_id, gate, priority DESC, message_id LIMIT 1)" \
	"  UNION ALL" \
	"  SELECT n.* FROM gates g CROSS JOIN LATERAL (" \
	"    SELECT h.tenant_id, h.workflow_id, h.gate, h.gate_size FROM wf.held h WHERE h.gate IS NOT NULL" \
	"     AND ROW(h.tenant_id, h.workflow_id, h.gate) OPERATOR(pg_catalog.>) ROW(g.tenant_id, g.workflow_id, g.gate)" \
	"    ORDER BY h.tenant_id, h.workflow_id, h.gate, h.priority DESC, h.message_id LIMIT 1) n)," \
	" room AS (" \
	"  SELECT g.*, least(" most "g.gate_size OPERATOR(pg_catalog.-) (SELECT pg_catalog.count(*) FROM wf.gate i" \
	"    WHERE i.tenant_id" EQ "g.tenant_id AND i.workflow_id" EQ "g.workflow_id AND i.gate" EQ "g.gate)) AS free" \
	"  FROM gates g WHERE " which "),"
/* Has the tenant of gate g, or one above it, a quota of runs at once? In the statement that finds the starts: who starts one after
 * the quota was set must not be let through by what was so before. */
#define IS_BOUND \
	"(SELECT EXISTS (SELECT FROM wf.tenant WHERE quotas OPERATOR(pg_catalog.<>) '{}' AND quotas OPERATOR(pg_catalog.?) 'concurrentRuns'))" \
	" AND EXISTS (WITH RECURSIVE chain (parent_id, quotas) AS (" \
	"  SELECT t.parent_id, t.quotas FROM wf.tenant t WHERE t.tenant_id" EQ "g.tenant_id" \
	"  UNION SELECT p.parent_id, p.quotas FROM wf.tenant p, chain WHERE p.tenant_id" EQ "chain.parent_id)" \
	"  SELECT FROM chain WHERE quotas OPERATOR(pg_catalog.?) 'concurrentRuns')"
/* Fewer than might go are `next`, and there are more. */
#define GATE_IS_LOCKED \
	"r.free OPERATOR(pg_catalog.>)" \
	"   (SELECT pg_catalog.count(*) FROM next n WHERE n.tenant_id" EQ "r.tenant_id AND n.workflow_id" EQ "r.workflow_id" \
	"     AND n.gate" EQ "r.gate)" \
	"  AND (SELECT pg_catalog.count(*) FROM (SELECT 1 FROM wf.held q WHERE q.tenant_id" EQ "r.tenant_id" \
	"     AND q.workflow_id" EQ "r.workflow_id AND q.gate" EQ "r.gate LIMIT greatest(r.free, 0)) w) OPERATOR(pg_catalog.>)" \
	"   (SELECT pg_catalog.count(*) FROM next n WHERE n.tenant_id" EQ "r.tenant_id AND n.workflow_id" EQ "r.workflow_id" \
	"     AND n.gate" EQ "r.gate)"

/* A tenant and all below it. */
#define BELOW "WITH RECURSIVE below (tenant_id) AS (SELECT $1" \
	" UNION SELECT t.tenant_id FROM wf.tenant t, below WHERE t.parent_id" EQ "below.tenant_id)"
/* What a tenant has in a table: these columns as they are stored, and something for the rest of the row; of the last rows, for all. */
#define PLUS " OPERATOR(pg_catalog.+) "
#define SIZE(column) "coalesce(pg_catalog.pg_column_size(" column "), 0)"
#define STORED(table, id, sizes) \
	"coalesce((SELECT pg_catalog.count(*) FROM wf." table " WHERE tenant_id" EQ "$1) OPERATOR(pg_catalog.*)" \
	" (SELECT pg_catalog.avg(200" PLUS sizes ") FROM (SELECT * FROM wf." table " WHERE tenant_id" EQ "$1" \
	"   ORDER BY " id " DESC LIMIT 10000) s), 0)"

	/*
	 * the gates that somebody waits at are found one by one by the index, whatever number waits at each; gives a role for
	 * each that is let through, and NULL for a gate at which fewer went than might, since somebody had them locked; of all
	 * tenants without a quota of runs at once
	 */
	[WF_SQL_OPEN_GATES] = {
		GATES_ROOM("NOT (" IS_BOUND ")", "")
		" next AS ("
		"  SELECT h.* FROM room r CROSS JOIN LATERAL ("
		"    SELECT q.tenant_id, q.message_id, q.workflow_id, q.gate FROM wf.held q"
		"     WHERE q.tenant_id" EQ "r.tenant_id AND q.workflow_id" EQ "r.workflow_id AND q.gate" EQ "r.gate"
		"     ORDER BY q.priority DESC, q.message_id LIMIT greatest(r.free, 0) FOR UPDATE SKIP LOCKED) h"
		"  WHERE r.free OPERATOR(pg_catalog.>) 0),"
		" gone AS (DELETE FROM wf.held h USING next n WHERE h.tenant_id" EQ "n.tenant_id AND h.message_id" EQ "n.message_id"
		"  RETURNING h.*),"
		" entered AS (INSERT INTO wf.gate (tenant_id, workflow_id, gate, run_id)"
		"  SELECT tenant_id, workflow_id, gate, run_id FROM gone ON CONFLICT DO NOTHING),"
		" sent AS (INSERT INTO wf.queue (" MESSAGE_COLUMNS ") SELECT " MESSAGE_COLUMNS " FROM gone RETURNING role, tenant_id)"
		" SELECT role::pg_catalog.oid, tenant_id FROM sent"
		" UNION ALL SELECT NULL, NULL FROM room r WHERE " GATE_IS_LOCKED,
	0, {0}},
	/* what may pass its gate, of the other tenants, in the order of going; no id: a gate at which some are locked */
	[WF_SQL_BOUND_STARTS] = {
		GATES_ROOM(IS_BOUND, "$1, ")
		" next AS ("
		"  SELECT h.* FROM room r CROSS JOIN LATERAL ("
		"    SELECT q.tenant_id, q.message_id, q.workflow_id, q.gate, q.priority FROM wf.held q"
		"     WHERE q.tenant_id" EQ "r.tenant_id AND q.workflow_id" EQ "r.workflow_id AND q.gate" EQ "r.gate"
		"     ORDER BY q.priority DESC, q.message_id LIMIT greatest(r.free, 0) FOR UPDATE SKIP LOCKED) h"
		"  WHERE r.free OPERATOR(pg_catalog.>) 0)"
		" SELECT tenant_id, message_id FROM ("
		"  SELECT tenant_id, message_id, priority FROM next"
		"  UNION ALL SELECT r.tenant_id, NULL, NULL FROM room r WHERE " GATE_IS_LOCKED ") a"
		" ORDER BY priority DESC NULLS LAST, message_id",
	1, {INT4OID}},
	[WF_SQL_PASS_GATES] = {
		"WITH gone AS (DELETE FROM wf.held h USING ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) n (tenant_id, message_id)"
		"  WHERE h.tenant_id" EQ "n.tenant_id AND h.message_id" EQ "n.message_id RETURNING h.*),"
		" entered AS (INSERT INTO wf.gate (tenant_id, workflow_id, gate, run_id)"
		"  SELECT tenant_id, workflow_id, gate, run_id FROM gone ON CONFLICT DO NOTHING)"
		" INSERT INTO wf.queue (" MESSAGE_COLUMNS ") SELECT " MESSAGE_COLUMNS " FROM gone RETURNING role::pg_catalog.oid, tenant_id",
	2, {UUIDARRAYOID, UUIDARRAYOID}},
	[WF_SQL_ENTER_GATE] = {
		"INSERT INTO wf.gate (tenant_id, workflow_id, gate, run_id) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
	4, {UUIDOID, UUIDOID, TEXTOID, UUIDOID}},

	/* -- approvals -- */
	/* does the tenant, or one above it, ask for them? */
	[WF_SQL_ASKS_APPROVAL] = {
		"WITH RECURSIVE chain (tenant_id, parent_id, settings) AS ("
		"  SELECT t.tenant_id, t.parent_id, t.settings FROM wf.tenant t WHERE t.tenant_id" EQ "$1"
		"  UNION"
		"  SELECT p.tenant_id, p.parent_id, p.settings FROM wf.tenant p, chain WHERE p.tenant_id" EQ "chain.parent_id)"
		" SELECT 1 FROM chain WHERE settings OPERATOR(pg_catalog.@>) '{\"approval\": true}' LIMIT 1",
	1, {UUIDOID}},
	[WF_SQL_VERSION_DIGEST] = {
		"SELECT pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(definition::pg_catalog.text, 'UTF8')), 'hex') FROM wf.version"
		" WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND version" EQ "$3",
	3, {UUIDOID, UUIDOID, INT4OID}},
	[WF_SQL_REQUEST_APPROVAL] = {
		"INSERT INTO wf.approval (tenant_id, approval_id, workflow_id, version, digest, sets_status, status, requested_by,"
		" requested_at, involved)"
		" SELECT $1, $4, $2, $3, $5, $6, 'pending', pg_catalog.pg_get_userbyid($7), $9,"
		"  ARRAY[$7::pg_catalog.regrole, $8::pg_catalog.regrole, v.owner, v.saved_by]"
		" FROM wf.version v WHERE v.tenant_id" EQ "$1 AND v.workflow_id" EQ "$2 AND v.version" EQ "$3"
		" ON CONFLICT (tenant_id, workflow_id, version) WHERE status" EQ "'pending'"
		"  DO UPDATE SET sets_status = approval.sets_status OR excluded.sets_status",
	9, {UUIDOID, UUIDOID, INT4OID, UUIDOID, TEXTOID, BOOLOID, OIDOID, OIDOID, TIMESTAMPTZOID}},
	/* and whether one of the two roles is involved */
	[WF_SQL_PENDING_APPROVAL] = {
		"SELECT approval_id, digest, sets_status, $4::pg_catalog.regrole" EQ "ANY (involved)"
		"  OR $5::pg_catalog.regrole" EQ "ANY (involved)"
		" FROM wf.approval WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND version" EQ "$3 AND status" EQ "'pending' FOR UPDATE",
	5, {UUIDOID, UUIDOID, INT4OID, OIDOID, OIDOID}},
	[WF_SQL_IS_APPROVED] = {
		"SELECT 1 FROM wf.approval WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2 AND version" EQ "$3 AND digest" EQ "$4"
		" AND status" EQ "'approved' LIMIT 1",
	4, {UUIDOID, UUIDOID, INT4OID, TEXTOID}},
	[WF_SQL_DECIDE_APPROVAL] = {
		"UPDATE wf.approval SET status = $3, comment = $4, decided_by = pg_catalog.pg_get_userbyid($5),"
		" session_role = pg_catalog.pg_get_userbyid($6), decided_at = $7"
		" WHERE tenant_id" EQ "$1 AND approval_id" EQ "$2",
	7, {UUIDOID, UUIDOID, TEXTOID, TEXTOID, OIDOID, OIDOID, TIMESTAMPTZOID}},

	/* -- quotas -- */
	/* of a tenant and those above it, where there are any */
	[WF_SQL_QUOTAS] = {
		"WITH RECURSIVE chain (tenant_id, parent_id, quotas) AS ("
		"  SELECT t.tenant_id, t.parent_id, t.quotas FROM wf.tenant t WHERE t.tenant_id" EQ "$1"
		"  UNION"
		"  SELECT p.tenant_id, p.parent_id, p.quotas FROM wf.tenant p, chain WHERE p.tenant_id" EQ "chain.parent_id)"
		" SELECT tenant_id, quotas FROM chain WHERE quotas OPERATOR(pg_catalog.<>) '{}'",
	1, {UUIDOID}},
	[WF_SQL_ANY_QUOTAS] = {
		"SELECT 1 FROM wf.tenant WHERE quotas OPERATOR(pg_catalog.<>) '{}' AND quotas OPERATOR(pg_catalog.?) $1 LIMIT 1",
	1, {TEXTOID}},
	[WF_SQL_COUNT_WITHIN] = {
		BELOW " SELECT pg_catalog.count(*) FROM wf.gate g, below b WHERE g.tenant_id" EQ "b.tenant_id",
	1, {UUIDOID}},
	[WF_SQL_COUNT_QUEUED] = {
		BELOW " SELECT coalesce(pg_catalog.sum("
		"(SELECT pg_catalog.count(*) FROM wf.queue q WHERE q.tenant_id" EQ "b.tenant_id AND q.kind" EQ "0) OPERATOR(pg_catalog.+) "
		"(SELECT pg_catalog.count(*) FROM wf.held h WHERE h.tenant_id" EQ "b.tenant_id AND h.kind" EQ "0) OPERATOR(pg_catalog.+) "
		"(SELECT pg_catalog.count(*) FROM wf.live l WHERE l.tenant_id" EQ "b.tenant_id AND l.status" EQ "'queued')),"
		" 0)::pg_catalog.int8 FROM below b",
	1, {UUIDOID}},
	[WF_SQL_COUNT_WORKFLOWS] = {
		BELOW " SELECT pg_catalog.count(*) FROM wf.workflow w, below b"
		" WHERE w.tenant_id" EQ "b.tenant_id AND w.status OPERATOR(pg_catalog.<>) 'deleted'",
	1, {UUIDOID}},
	[WF_SQL_STORED_BYTES] = {
		BELOW " SELECT coalesce(pg_catalog.sum(u.stored_bytes), 0)::pg_catalog.int8 FROM wf.tenant_use u, below b"
		" WHERE u.tenant_id" EQ "b.tenant_id",
	1, {UUIDOID}},
	[WF_SQL_TAKEN_SINCE] = {
		"SELECT coalesce(pg_catalog.sum(n), 0)::pg_catalog.int8, pg_catalog.min(taken_at) FROM wf.quota_taken"
		" WHERE tenant_id" EQ "$1 AND taken_at OPERATOR(pg_catalog.>) $3",
	4, {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID}},
	[WF_SQL_TAKE_ROW] = {
		"INSERT INTO wf.quota_taken (tenant_id, taken_id, taken_at, n) VALUES ($1, $2, $3, $4)",
	4, {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID}},
	[WF_SQL_FORGET_TAKEN] = {
		"DELETE FROM wf.quota_taken WHERE tenant_id" EQ "$1 AND taken_at OPERATOR(pg_catalog.<=) $3",
	4, {UUIDOID, UUIDOID, TIMESTAMPTZOID, INT8OID}},
	[WF_SQL_MEASURE] = {
		"INSERT INTO wf.tenant_use (tenant_id, stored_bytes, measured_at) SELECT $1, ("
		STORED("run", "run_id", SIZE("input") PLUS SIZE("output") PLUS SIZE("error") PLUS SIZE("tags")) PLUS
		STORED("segment", "run_id", SIZE("steps")) PLUS
		STORED("live", "run_id", SIZE("input") PLUS SIZE("options") PLUS SIZE("progress") PLUS SIZE("signals") PLUS SIZE("state")) PLUS
		STORED("queue", "message_id", SIZE("payload") PLUS SIZE("options")) PLUS
		STORED("held", "message_id", SIZE("payload") PLUS SIZE("options")) PLUS
		STORED("failed", "run_id", SIZE("input") PLUS SIZE("options") PLUS SIZE("signals") PLUS SIZE("state")) PLUS
		STORED("event", "event_id", SIZE("payload")) PLUS
		STORED("task", "task_id", SIZE("form") PLUS SIZE("payload") PLUS SIZE("decisions") PLUS SIZE("comments")) PLUS
		STORED("request", "run_id", SIZE("request") PLUS SIZE("error")) PLUS
		STORED("request_log", "run_id", SIZE("error") PLUS SIZE("bodies")) PLUS
		STORED("version", "workflow_id", SIZE("definition"))
		")::pg_catalog.int8, $2 WHERE EXISTS (SELECT FROM wf.tenant t WHERE t.tenant_id" EQ "$1)"
		" ON CONFLICT (tenant_id) DO UPDATE SET stored_bytes = excluded.stored_bytes, measured_at = excluded.measured_at"
		" RETURNING stored_bytes",
	2, {UUIDOID, TIMESTAMPTZOID}},
	/* tenants with such a quota, and those below them */
	[WF_SQL_TO_MEASURE] = {
		"WITH RECURSIVE bound (tenant_id) AS ("
		"  SELECT t.tenant_id FROM wf.tenant t WHERE t.quotas OPERATOR(pg_catalog.<>) '{}' AND t.quotas OPERATOR(pg_catalog.?) 'storedBytes'"
		"  UNION SELECT t.tenant_id FROM wf.tenant t, bound WHERE t.parent_id" EQ "bound.tenant_id)"
		" SELECT b.tenant_id FROM bound b LEFT JOIN wf.tenant_use u ON u.tenant_id" EQ "b.tenant_id"
		" WHERE u.measured_at IS NULL OR u.measured_at OPERATOR(pg_catalog.<) $1",
	1, {TIMESTAMPTZOID}},
