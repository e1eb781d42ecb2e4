/*
 * statements_member.h: the statements of memberships, application roles, and rights that are narrowed: part of the table in
 * statements.c, which includes it there, and nobody else does.
 */

/* What a membership says that is for all workflows. */
#define NO_WORKFLOW "'00000000-0000-0000-0000-000000000000'::pg_catalog.uuid"

/* The role $1, and all that it is a member of, by whatever grants. */
#define ROLES_OF_1 "WITH RECURSIVE mine (role) AS (" \
	"  SELECT $1::pg_catalog.oid" \
	"  UNION" \
	"  SELECT a.roleid FROM pg_catalog.pg_auth_members a, mine" \
	"   WHERE a.member OPERATOR(pg_catalog.=) mine.role)"

	/* memberships of the role, its own and those of roles whose rights it has */
	[WF_SQL_MEMBERSHIPS] = {
		ROLES_OF_1
		" SELECT m.tenant_id, m.app_role, r.permissions, m.workflow_id OPERATOR(pg_catalog.<>) " NO_WORKFLOW
		" OR m.category OPERATOR(pg_catalog.<>) ''"
		" FROM mine JOIN wf.member m ON wf.veiled(m.role)" EQ "mine.role::pg_catalog.regrole"
		" LEFT JOIN wf.app_role r ON r.tenant_id" EQ "m.tenant_id AND r.name" EQ "m.app_role"
		" WHERE pg_catalog.pg_has_role($1, mine.role, 'USAGE') ORDER BY m.tenant_id",
	1, {OIDOID}},
	/* the same in a tenant, and those above it */
	[WF_SQL_RIGHTS] = {
		ROLES_OF_1 ","
		" chain (tenant_id, parent_id, above) AS ("
		"  SELECT t.tenant_id, t.parent_id, 0 FROM wf.tenant t WHERE t.tenant_id" EQ "$2"
		"  UNION ALL"
		"  SELECT p.tenant_id, p.parent_id, chain.above OPERATOR(pg_catalog.+) 1 FROM wf.tenant p, chain"
		"   WHERE p.tenant_id" EQ "chain.parent_id AND chain.above OPERATOR(pg_catalog.<) 1000)"
		" SELECT chain.above, m.app_role, r.permissions,"
		" CASE WHEN m.workflow_id OPERATOR(pg_catalog.<>) " NO_WORKFLOW " THEN m.workflow_id END,"
		" CASE WHEN m.category OPERATOR(pg_catalog.<>) '' THEN m.category END"
		" FROM chain JOIN wf.member m ON m.tenant_id" EQ "chain.tenant_id"
		" JOIN mine ON m.role" EQ "mine.role::pg_catalog.regrole"
		" LEFT JOIN wf.app_role r ON r.tenant_id" EQ "m.tenant_id AND r.name" EQ "m.app_role"
		" WHERE pg_catalog.pg_has_role($1, mine.role, 'USAGE') ORDER BY chain.above",
	2, {OIDOID, UUIDOID}},
	/* tenants that the role is a member of: its own first; not all of them, but more than one when there are */
	[WF_SQL_FEW_TENANTS] = {
		ROLES_OF_1
		" SELECT t.tenant_id, pg_catalog.bool_or(t.is_direct) FROM ("
		"  SELECT e.tenant_id, mine.role" EQ "$1 AS is_direct FROM mine CROSS JOIN LATERAL ("
		"    (SELECT m.tenant_id FROM wf.member m WHERE wf.veiled(m.role)" EQ "mine.role::pg_catalog.regrole ORDER BY m.tenant_id LIMIT 1)"
		"    UNION ALL"
		"    (SELECT m.tenant_id FROM wf.member m WHERE wf.veiled(m.role)" EQ "mine.role::pg_catalog.regrole ORDER BY m.tenant_id DESC LIMIT 1)) e"
		"  WHERE pg_catalog.pg_has_role($1, mine.role, 'USAGE')) t"
		" GROUP BY t.tenant_id ORDER BY 2 DESC LIMIT 3",
	1, {OIDOID}},
	[WF_SQL_PUT_MEMBER] = {
		"INSERT INTO wf.member (tenant_id, role, app_role, granted_by, workflow_id, category)"
		" VALUES ($1, $2::pg_catalog.regrole, $3, $4::pg_catalog.regrole, $5, $6)"
		" ON CONFLICT (tenant_id, role, workflow_id, category) DO UPDATE SET app_role = excluded.app_role,"
		" granted_at = pg_catalog.now(), granted_by = excluded.granted_by",
	6, {UUIDOID, OIDOID, TEXTOID, OIDOID, UUIDOID, TEXTOID}},
	[WF_SQL_DELETE_MEMBER] = {
		"DELETE FROM wf.member WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND role OPERATOR(pg_catalog.=) $2::pg_catalog.regrole",
	2, {UUIDOID, OIDOID}},
	/* a deleted workflow's, too */
	[WF_SQL_DELETE_MEMBER_WORKFLOW] = {
		"DELETE FROM wf.member m USING wf.workflow w WHERE m.tenant_id" EQ "$1"
		" AND m.role" EQ "$2::pg_catalog.regrole AND w.tenant_id" EQ "$1 AND w.workflow_id" EQ "m.workflow_id AND w.name" EQ "$3",
	3, {UUIDOID, OIDOID, TEXTOID}},
	[WF_SQL_DELETE_MEMBER_CATEGORY] = {
		"DELETE FROM wf.member WHERE tenant_id" EQ "$1 AND role" EQ "$2::pg_catalog.regrole AND category" EQ "$3",
	3, {UUIDOID, OIDOID, TEXTOID}},
	[WF_SQL_MEMBER_ROLE] = {
		"SELECT app_role FROM wf.member WHERE tenant_id OPERATOR(pg_catalog.=) $1"
		" AND role OPERATOR(pg_catalog.=) $2::pg_catalog.regrole"
		" AND workflow_id" EQ NO_WORKFLOW " AND category" EQ "''",
	2, {UUIDOID, OIDOID}},
	[WF_SQL_MEMBER_RIGHTS] = {
		"SELECT m.app_role, r.permissions, m.workflow_id OPERATOR(pg_catalog.<>) " NO_WORKFLOW
		" OR m.category OPERATOR(pg_catalog.<>) ''"
		" FROM wf.member m LEFT JOIN wf.app_role r ON r.tenant_id" EQ "m.tenant_id AND r.name" EQ "m.app_role"
		" WHERE m.tenant_id" EQ "$1 AND m.role" EQ "$2::pg_catalog.regrole",
	2, {UUIDOID, OIDOID}},
	[WF_SQL_FIND_ROLE] = {
		"SELECT permissions FROM wf.app_role WHERE tenant_id" EQ "$1 AND name" EQ "$2",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_PUT_ROLE] = {
		"INSERT INTO wf.app_role (tenant_id, name, permissions, created_by)"
		" VALUES ($1, $2, $3, $4::pg_catalog.regrole)"
		" ON CONFLICT (tenant_id, name) DO UPDATE SET permissions = excluded.permissions",
	4, {UUIDOID, TEXTOID, TEXTARRAYOID, OIDOID}},
	[WF_SQL_DELETE_ROLE] = {
		"DELETE FROM wf.app_role WHERE tenant_id" EQ "$1 AND name" EQ "$2",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_ROLE_IS_USED] = {
		"SELECT 1 FROM wf.member WHERE tenant_id" EQ "$1 AND app_role" EQ "$2 LIMIT 1",
	2, {UUIDOID, TEXTOID}},
	[WF_SQL_ROLE_NAMES] = {
		"SELECT name FROM wf.app_role WHERE tenant_id" EQ "$1 ORDER BY name LIMIT 1000",
	1, {UUIDOID}},

	/* -- some workflows of a tenant -- */
	[WF_SQL_CATEGORY] = {
		"SELECT category FROM wf.workflow WHERE tenant_id" EQ "$1 AND workflow_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	/* those of the ids, and those in a category or below it; deleted ones, too, for their history */
	[WF_SQL_ALLOWED] = {
		"SELECT coalesce(pg_catalog.array_agg(w.workflow_id ORDER BY w.workflow_id), '{}') FROM wf.workflow w WHERE w.tenant_id" EQ "$1"
		" AND (w.workflow_id" EQ "ANY ($2) OR EXISTS (SELECT FROM pg_catalog.unnest($3) c"
		"  WHERE w.category" EQ "c OR pg_catalog.starts_with(w.category, c OPERATOR(pg_catalog.||) '/')))",
	3, {UUIDOID, UUIDARRAYOID, TEXTARRAYOID}},
	[WF_SQL_WORKFLOW_OF_RUN] = {
		"SELECT workflow_id FROM wf.run WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" UNION ALL SELECT workflow_id FROM wf.live WHERE tenant_id" EQ "$1 AND run_id" EQ "$2"
		" UNION ALL SELECT workflow_id FROM wf.queue WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" UNION ALL SELECT workflow_id FROM wf.held WHERE tenant_id" EQ "$1 AND message_id" EQ "$2 AND kind" EQ "0"
		" LIMIT 1",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_WORKFLOW_OF_TASK] = {
		"SELECT workflow_id FROM wf.task WHERE tenant_id" EQ "$1 AND task_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_WORKFLOW_OF_TRIGGER] = {
		"SELECT workflow_id FROM wf.trigger WHERE tenant_id" EQ "$1 AND trigger_id" EQ "$2",
	2, {UUIDOID, UUIDOID}},
	[WF_SQL_COUNT_OWNERS] = {
		"SELECT pg_catalog.count(*)::pg_catalog.int4 FROM wf.member"
		" WHERE tenant_id OPERATOR(pg_catalog.=) $1 AND app_role OPERATOR(pg_catalog.=) 'owner'"
		" AND EXISTS (SELECT 1 FROM pg_catalog.pg_roles r WHERE r.oid OPERATOR(pg_catalog.=) role::pg_catalog.oid)",
	1, {UUIDOID}},
