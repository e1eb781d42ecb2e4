-- Approval before activation: a second person agrees to a version.

CREATE FUNCTION wf_approve(name text, version int, comment text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_approve';
COMMENT ON FUNCTION wf_approve(text, int, text) IS 'approves a version that waits for it, and makes it the active one; for another than who saved it or asked';

CREATE FUNCTION wf_reject(name text, version int, comment text DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_reject';
COMMENT ON FUNCTION wf_reject(text, int, text) IS 'rejects a version that waits for approval';

CREATE VIEW wf_approvals WITH (security_invoker = true) AS
	SELECT w.name AS workflow, a.version, a.status, a.digest, a.requested_by, a.requested_at, a.decided_by, a.decided_at, a.comment
	FROM wf.approval a
	JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) a.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) a.workflow_id
	WHERE a.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id());
COMMENT ON VIEW wf_approvals IS 'versions of the current tenant''s workflows that wait for approval, and what was decided';

REVOKE ALL ON wf_approvals FROM PUBLIC;
GRANT SELECT ON wf_approvals TO PUBLIC;
