-- Triggers of active versions.

CREATE VIEW wf_triggers WITH (security_invoker = true) AS
	SELECT w.name AS workflow, t.node, t.type, t.version,
		   CASE WHEN t.installed THEN 'active'
				WHEN w.status OPERATOR(pg_catalog.<>) 'active' THEN w.status
				ELSE 'disabled' END AS state,
		   coalesce(t.relation::pg_catalog.text, t.event, t.route, t.config OPERATOR(pg_catalog.->>) 'cron') AS target
	FROM wf.trigger t
	JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) t.workflow_id
	WHERE t.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id());
COMMENT ON VIEW wf_triggers IS 'triggers of the active versions of the current tenant''s workflows';

REVOKE ALL ON wf_triggers FROM PUBLIC;
GRANT SELECT ON wf_triggers TO PUBLIC;
