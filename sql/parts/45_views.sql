-- Views: what members see of the current tenant. A superuser, whom no policy binds, sees the current
-- tenant too.

CREATE VIEW wf_workflows WITH (security_invoker = true) AS
	SELECT w.workflow_id, w.name, w.description, w.category, w.status, w.active_version, w.last_version,
		   (v.definition OPERATOR(pg_catalog.->) 'settings') AS settings,
		   w.owner::pg_catalog.text AS owner, w.created_at, w.updated_at
	FROM wf.workflow w
	LEFT JOIN wf.version v ON v.tenant_id OPERATOR(pg_catalog.=) w.tenant_id
		AND v.workflow_id OPERATOR(pg_catalog.=) w.workflow_id
		AND v.version OPERATOR(pg_catalog.=) w.active_version
	WHERE w.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id())
	  AND w.status OPERATOR(pg_catalog.<>) 'deleted';
COMMENT ON VIEW wf_workflows IS 'workflows of the current tenant';

CREATE VIEW wf_runs WITH (security_invoker = true) AS
	SELECT r.run_id, w.name AS workflow, r.version, r.status, r.trigger, r.input, r.output, r.error,
		   r.correlation_id, r.tags, r.parent_run_id, r.started_by::pg_catalog.text AS started_by,
		   r.queued_at, r.started_at, r.finished_at,
		   (pg_catalog.date_part('epoch', r.finished_at OPERATOR(pg_catalog.-) r.started_at)
			OPERATOR(pg_catalog.*) 1000.0::pg_catalog.float8) AS duration_ms,
		   r.current_nodes, r.progress, r.wake_at, r.attempt
	FROM wf.run r
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) r.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) r.workflow_id
	WHERE r.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id());
COMMENT ON VIEW wf_runs IS 'runs of the current tenant';

CREATE VIEW wf_segments WITH (security_invoker = true) AS
	SELECT s.run_id, s.segment, s.attempt, s.status, s.started_at, s.finished_at,
		   (pg_catalog.date_part('epoch', s.finished_at OPERATOR(pg_catalog.-) s.started_at)
			OPERATOR(pg_catalog.*) 1000.0::pg_catalog.float8) AS duration_ms,
		   pg_catalog.cardinality(s.steps) AS steps
	FROM wf.segment s
	WHERE s.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id());
COMMENT ON VIEW wf_segments IS 'segments of the runs of the current tenant';

CREATE FUNCTION wf.unfold(steps wf.step[], first_seq int, input jsonb) RETURNS SETOF wf.step
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'wf_sql_unfold';
COMMENT ON FUNCTION wf.unfold(wf.step[], int, jsonb) IS 'steps of a journal row, with the inputs that it stores as numbers of steps';

CREATE VIEW wf_steps WITH (security_invoker = true) AS
	SELECT s.run_id, t.seq, t.node, t.path, t.type, t.status, t.port, t.attempt,
		   t.input, t.output, t.error, t.started_at,
		   (t.duration_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000.0::pg_catalog.float8) AS duration_ms,
		   s.segment, t.log
	FROM wf.segment s
	JOIN wf.run r ON r.tenant_id OPERATOR(pg_catalog.=) s.tenant_id AND r.run_id OPERATOR(pg_catalog.=) s.run_id
	CROSS JOIN LATERAL wf.unfold(s.steps, s.first_seq, r.input) AS t
	WHERE s.tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id());
COMMENT ON VIEW wf_steps IS 'steps of the runs of the current tenant, unfolded from the journal';

REVOKE ALL ON wf_workflows, wf_runs, wf_segments, wf_steps FROM PUBLIC;
GRANT SELECT ON wf_workflows, wf_runs, wf_segments, wf_steps TO PUBLIC;
