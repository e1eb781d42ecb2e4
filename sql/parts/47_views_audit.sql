-- Views of the audit trail, for members with audit:read.

CREATE VIEW wf_audit_log WITH (security_invoker = true) AS
	SELECT a.seq, a.at, a.actor, a.session_role, a.client_address, a.application_name, a.action, a.object_type, a.object_id,
		   a.object_name, a.before, a.after, pg_catalog.encode(a.digest, 'hex') AS digest, pg_catalog.encode(a.hash, 'hex') AS hash,
		   a.key_id
	FROM wf.audit a
	WHERE a.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.tenant_for('audit:read'));
COMMENT ON VIEW wf_audit_log IS 'who did what in the current tenant';

CREATE VIEW wf_signatures WITH (security_invoker = true) AS
	SELECT a.seq, a.object_id AS task_id, (a.after OPERATOR(pg_catalog.->>) 'run')::pg_catalog.uuid AS run_id,
		   a.after OPERATOR(pg_catalog.->>) 'workflow' AS workflow, (a.after OPERATOR(pg_catalog.->>) 'version')::pg_catalog.int4 AS version,
		   a.after OPERATOR(pg_catalog.->>) 'node' AS node, a.after OPERATOR(pg_catalog.->>) 'title' AS title,
		   a.after OPERATOR(pg_catalog.->>) 'outcome' AS outcome, a.after OPERATOR(pg_catalog.->) 'data' AS data,
		   a.after OPERATOR(pg_catalog.->>) 'signedBy' AS signed_by, a.session_role, a.client_address, a.at AS signed_at,
		   a.after AS document, pg_catalog.encode(a.digest, 'hex') AS digest
	FROM wf.audit a
	WHERE a.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.tenant_for('audit:read')) AND a.action OPERATOR(pg_catalog.=) 'task.complete';
COMMENT ON VIEW wf_signatures IS 'decisions of the current tenant''s approvals: who, when, about what, with a digest of it';

REVOKE ALL ON wf_audit_log, wf_signatures FROM PUBLIC;
GRANT SELECT ON wf_audit_log, wf_signatures TO PUBLIC;
