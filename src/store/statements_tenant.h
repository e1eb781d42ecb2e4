/*
 * statements_tenant.h: the part of the table in statements.c that is about the life of tenants. Included there, and nowhere else.
 */
	/* what is own goes before what is that of those above */
	[WF_SQL_TENANT_EFFECTIVE] = {
		"WITH RECURSIVE chain (parent_id, settings, depth) AS ("
		"  SELECT parent_id, settings, 1 FROM wf.tenant WHERE tenant_id" EQ "$1"
		"  UNION ALL"
		"  SELECT p.parent_id, p.settings OPERATOR(pg_catalog.||) c.settings, c.depth OPERATOR(pg_catalog.+) 1"
		"   FROM chain c JOIN wf.tenant p ON p.tenant_id" EQ "c.parent_id WHERE c.depth OPERATOR(pg_catalog.<) 1000)"
		" SELECT settings FROM chain ORDER BY depth DESC LIMIT 1",
	1, {UUIDOID}},
	/* settings of a tenant and those above, of which the lowest holds */
	[WF_SQL_TENANT_CODE] = {
		"WITH RECURSIVE chain (tenant_id, parent_id, settings) AS ("
		"  SELECT t.tenant_id, t.parent_id, t.settings FROM wf.tenant t WHERE t.tenant_id" EQ "$1"
		"  UNION"
		"  SELECT p.tenant_id, p.parent_id, p.settings FROM wf.tenant p, chain WHERE p.tenant_id" EQ "chain.parent_id)"
		" SELECT settings FROM chain WHERE settings OPERATOR(pg_catalog.?|) '{codeLogLines,codeMemory,codeTime}'",
	1, {UUIDOID}},
	/* tenants that are not active, by themselves or those above; as WfTenantStatus, and whether by themselves */
	[WF_SQL_HALTED_TENANTS] = {
		"WITH RECURSIVE halted (tenant_id, rank, own) AS ("
		"  SELECT tenant_id, CASE WHEN status" EQ "'suspended' THEN 1 WHEN status" EQ "'archived' THEN 2 ELSE 3 END, true FROM wf.tenant"
		"   WHERE status OPERATOR(pg_catalog.<>) 'active'"
		"  UNION"
		"  SELECT c.tenant_id, least(h.rank, 2), false FROM halted h JOIN wf.tenant c ON c.parent_id" EQ "h.tenant_id)"
		" SELECT tenant_id, pg_catalog.max(rank), pg_catalog.bool_or(own) FROM halted GROUP BY tenant_id ORDER BY tenant_id",
	0, {0}},
	[WF_SQL_TENANT_ROW] = {
		"SELECT name, parent_id, quotas, settings, status, reserved_workers FROM wf.tenant WHERE tenant_id" EQ "$1",
	1, {UUIDOID}},
	[WF_SQL_UPDATE_TENANT] = {
		"UPDATE wf.tenant SET name = $2, parent_id = $3, quotas = $4, settings = $5, status = $6, reserved_workers = $7"
		" WHERE tenant_id" EQ "$1",
	7, {UUIDOID, TEXTOID, UUIDOID, JSONBOID, JSONBOID, TEXTOID, INT4OID}},
	[WF_SQL_SUM_RESERVED] = {
		"SELECT coalesce(pg_catalog.sum(reserved_workers), 0)::pg_catalog.int4 FROM wf.tenant"
		" WHERE reserved_workers OPERATOR(pg_catalog.>) 0 AND tenant_id OPERATOR(pg_catalog.<>) $1",
	1, {UUIDOID}},
	[WF_SQL_RESERVATIONS] = {
		"SELECT tenant_id, reserved_workers FROM wf.tenant WHERE reserved_workers OPERATOR(pg_catalog.>) 0 ORDER BY tenant_id",
	0, {0}},
	[WF_SQL_ROLES_OF_TENANT] = {
		"SELECT DISTINCT role FROM (SELECT role FROM wf.queue WHERE tenant_id" EQ "$1 LIMIT 10000) q",
	1, {UUIDOID}},
	[WF_SQL_COUNT_CHILDREN] = {
		"SELECT pg_catalog.count(*)::pg_catalog.int4 FROM wf.tenant WHERE parent_id" EQ "$1",
	1, {UUIDOID}},
	/* secrets and members of a tenant that is to be deleted go at once */
	[WF_SQL_STRIP_TENANT] = {
		"WITH s AS (DELETE FROM wf.secret WHERE tenant_id" EQ "$1)"
		" DELETE FROM wf.member WHERE tenant_id" EQ "$1",
	1, {UUIDOID}},
	/* with the transaction that marked them */
	[WF_SQL_DELETING_TENANTS] = {
		"SELECT tenant_id, xmin FROM wf.tenant WHERE status" EQ "'deleting' ORDER BY tenant_id",
	0, {0}},
	[WF_SQL_DELETE_TENANT] = {
		"DELETE FROM wf.tenant WHERE tenant_id" EQ "$1 AND status" EQ "'deleting'",
	1, {UUIDOID}},
	[WF_SQL_TRIGGERS_OF_TENANT] = {
		TRIGGERS "t.tenant_id" EQ "$1 ORDER BY t.trigger_id LIMIT $2",
	2, {UUIDOID, INT4OID}},
	/* those in $1, those in $2 and all below them; or ($3) all. The name of the one above is for who may see that. */
	[WF_SQL_LIST_TENANTS] = {
		"WITH RECURSIVE seen (tenant_id) AS ("
		"  SELECT tenant_id FROM wf.tenant WHERE $3 OR tenant_id" EQ "ANY ($1) OR tenant_id" EQ "ANY ($2)),"
		" below (tenant_id) AS ("
		"  SELECT tenant_id FROM wf.tenant WHERE NOT $3 AND tenant_id" EQ "ANY ($2)"
		"  UNION"
		"  SELECT c.tenant_id FROM below b JOIN wf.tenant c ON c.parent_id" EQ "b.tenant_id),"
		" mine (tenant_id) AS (SELECT tenant_id FROM seen UNION SELECT tenant_id FROM below)"
		" SELECT t.tenant_id, t.name, (SELECT p.name FROM wf.tenant p JOIN mine ON mine.tenant_id" EQ "p.tenant_id"
		"   WHERE p.tenant_id" EQ "t.parent_id), t.status, e.status, t.settings, e.settings, t.quotas, e.quotas, t.reserved_workers,"
		"  (SELECT pg_catalog.count(*)::pg_catalog.int4 FROM wf.member m WHERE m.tenant_id" EQ "t.tenant_id),"
		"  t.created_at, t.created_by"
		" FROM mine JOIN wf.tenant t ON t.tenant_id" EQ "mine.tenant_id CROSS JOIN LATERAL ("
		"  WITH RECURSIVE chain (parent_id, quotas, settings, status, depth) AS ("
		"   SELECT t.parent_id, t.quotas, t.settings, t.status, 1"
		"   UNION ALL"
		"   SELECT p.parent_id, p.quotas OPERATOR(pg_catalog.||) c.quotas, p.settings OPERATOR(pg_catalog.||) c.settings,"
		"     CASE WHEN c.status" EQ "'deleting' THEN c.status WHEN 'archived'" EQ "ANY (ARRAY[p.status, c.status]) THEN 'archived'"
		"      WHEN 'suspended'" EQ "ANY (ARRAY[p.status, c.status]) THEN 'suspended' ELSE c.status END,"
		"     c.depth OPERATOR(pg_catalog.+) 1"
		"    FROM chain c JOIN wf.tenant p ON p.tenant_id" EQ "c.parent_id WHERE c.depth OPERATOR(pg_catalog.<) 1000)"
		"  SELECT quotas, settings, status FROM chain ORDER BY depth DESC LIMIT 1) e"
		" ORDER BY t.name",
	3, {UUIDARRAYOID, UUIDARRAYOID, BOOLOID}},
