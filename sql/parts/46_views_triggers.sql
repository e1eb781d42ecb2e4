-- Triggers of active versions, with what they did: as saved, and what is not saved yet.

CREATE VIEW wf_triggers WITH (security_invoker = true) AS
	SELECT w.name AS workflow, t.node, t.type, t.version,
		   CASE WHEN t.installed THEN 'active'
				WHEN w.status OPERATOR(pg_catalog.<>) 'active' THEN w.status
				ELSE 'disabled' END AS state,
		   coalesce(t.relation::pg_catalog.text, t.event, t.route, t.config OPERATOR(pg_catalog.->>) 'cron',
			(SELECT pg_catalog.string_agg(x, ', ') FROM pg_catalog.jsonb_array_elements_text(t.config OPERATOR(pg_catalog.->) 'workflows') x)) AS target,
		   greatest(s.fired_at, f.fired_at) AS last_fired_at,
		   (coalesce(s.n_fired, 0) OPERATOR(pg_catalog.+) coalesce(f.n_fired, 0)) AS fired_count,
		   wf.trigger_problem(t.workflow_id, t.node) AS problem,
		   CASE WHEN f.failed_at IS NOT NULL THEN pg_catalog.jsonb_build_object('code', f.code, 'message', f.message)
			ELSE s.error END AS last_error,
		   greatest(s.failed_at, f.failed_at) AS last_failed_at,
		   (coalesce(s.n_failed, 0) OPERATOR(pg_catalog.+) coalesce(f.n_failed, 0)) AS failed_count,
		   c.next_at, c.n_missed AS missed_count, c.n_skipped AS skipped_count
	FROM wf.trigger t
	JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) t.workflow_id
	LEFT JOIN wf.trigger_stat s ON s.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND s.trigger_id OPERATOR(pg_catalog.=) t.trigger_id
	LEFT JOIN wf.fired() f ON f.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND f.trigger_id OPERATOR(pg_catalog.=) t.trigger_id
	LEFT JOIN wf.schedule c ON c.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND c.trigger_id OPERATOR(pg_catalog.=) t.trigger_id
	WHERE t.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_triggers IS 'triggers of the active versions of the current tenant''s workflows';

REVOKE ALL ON wf_triggers FROM PUBLIC;
GRANT SELECT ON wf_triggers TO PUBLIC;
