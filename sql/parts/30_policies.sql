-- Row-level security on every table, forced: the engine's role sees all, everybody else the rows of
-- the current tenant, if the role is a member of it.

CREATE FUNCTION wf.current_tenant_id() RETURNS uuid LANGUAGE c STABLE LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_current_tenant_id';
COMMENT ON FUNCTION wf.current_tenant_id() IS 'the current tenant''s id; NULL when current_user is a member of none';
CREATE FUNCTION wf.current_tenant_if(permission text) RETURNS uuid LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_current_tenant_if';
COMMENT ON FUNCTION wf.current_tenant_if(text) IS 'the current tenant''s id; NULL when current_user lacks the permission';

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['tenant', 'member', 'workflow', 'version', 'block', 'trigger', 'run', 'segment', 'queue', 'held', 'gate',
		'live', 'wait', 'event', 'task', 'idempotency', 'failed', 'request', 'sending', 'request_log', 'circuit', 'host_limit',
		'trigger_stat', 'debounce', 'schedule', 'forgotten']
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON wf.%I FROM PUBLIC', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I FORCE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('CREATE POLICY engine ON wf.%I TO wf_engine USING (true) WITH CHECK (true)', t);
		EXECUTE pg_catalog.format('CREATE POLICY tenant ON wf.%I FOR SELECT USING (tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id()))', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY engine ON wf.%I IS ''the engine''''s own statements''', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY tenant ON wf.%I IS ''members see their tenant''', t);
		EXECUTE pg_catalog.format('GRANT SELECT, INSERT, UPDATE, DELETE ON wf.%I TO wf_engine', t);
		EXECUTE pg_catalog.format('GRANT SELECT ON wf.%I TO PUBLIC', t);
	END LOOP;
END
$$;

-- Partitions are read and written through their tables, or by superusers who dump and restore: nobody else may.
ALTER TABLE wf.run_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.segment_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.request_log_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON wf.run_default, wf.segment_default, wf.request_log_default FROM PUBLIC;

-- What a request says is for who sends it.
REVOKE SELECT ON wf.request FROM PUBLIC;
GRANT SELECT (tenant_id, run_id, step, request_id, lane, due_at, role, priority, workflow_id, node, method, host, path, forget,
	created_at, attempts, failures, duration_ms, error, trace) ON wf.request TO PUBLIC;

-- Secrets: members see their names and versions. Nobody but the engine may read a ciphertext, or what is known of keys.
REVOKE ALL ON wf.master_key, wf.secret FROM PUBLIC;
ALTER TABLE wf.master_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON wf.master_key TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON wf.secret TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY tenant ON wf.secret FOR SELECT USING (tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_id()));
COMMENT ON POLICY engine ON wf.master_key IS 'the engine''s own statements';
COMMENT ON POLICY engine ON wf.secret IS 'the engine''s own statements';
COMMENT ON POLICY tenant ON wf.secret IS 'members see their tenant';
GRANT SELECT, INSERT, UPDATE, DELETE ON wf.master_key, wf.secret TO wf_engine;
GRANT SELECT (tenant_id, name, version, created_at, created_by, ended_at, dropped) ON wf.secret TO PUBLIC;

-- What only the engine needs, and may be personal: no member reads it.
REVOKE SELECT ON wf.queue, wf.held, wf.live, wf.wait, wf.event, wf.debounce, wf.task, wf.failed, wf.gate, wf.idempotency
	FROM PUBLIC;
GRANT SELECT (tenant_id, message_id, run_id, role, priority, kind, step, crashes, ready_at, workflow_id, version, payload, options)
	ON wf.queue TO PUBLIC;
GRANT SELECT (tenant_id, message_id, run_id, role, priority, kind, step, crashes, ready_at, workflow_id, version, payload, options,
	gate_size) ON wf.held TO PUBLIC;
GRANT SELECT (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, started_at, deadline, n_segments,
	n_steps, parent_run_id, input, options, current_nodes, progress) ON wf.live TO PUBLIC;
GRANT SELECT (tenant_id, run_id, step, kind, wake_at, role, priority, event) ON wf.wait TO PUBLIC;
GRANT SELECT (tenant_id, workflow_id, run_id) ON wf.gate TO PUBLIC;
GRANT SELECT (tenant_id, workflow_id, run_id) ON wf.idempotency TO PUBLIC;
GRANT SELECT (tenant_id, event_id, event, emitted_at, matched) ON wf.event TO PUBLIC;
GRANT SELECT (tenant_id, trigger_id, event_id, event, n, emitted_at, due_at, role, chain) ON wf.debounce TO PUBLIC;
GRANT SELECT (tenant_id, task_id, run_id, step, workflow_id, node, kind, queue, title, body, assignees, claimed_by, lease_ms,
	lease_until, quorum, allow_self, outcomes, form, payload, escalate_at, escalate_to, status, attempt, max_attempts, started_by,
	role, priority, created_at, due_at, closed_at) ON wf.task TO PUBLIC;
GRANT SELECT (tenant_id, run_id, workflow_id, version, role, priority, attempt, n_segments, n_steps, parent_run_id, queued_at,
	started_at, failed_at) ON wf.failed TO PUBLIC;

-- Personal data: for those with the permission. Nobody but the engine may read a key.
REVOKE ALL ON wf.pii, wf.pii_key FROM PUBLIC;
ALTER TABLE wf.pii ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.pii_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON wf.pii TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON wf.pii_key TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY tenant ON wf.pii FOR SELECT USING (tenant_id OPERATOR(pg_catalog.=) (SELECT wf.current_tenant_if('pii:read')));
COMMENT ON POLICY engine ON wf.pii IS 'the engine''s own statements';
COMMENT ON POLICY engine ON wf.pii_key IS 'the engine''s own statements';
COMMENT ON POLICY tenant ON wf.pii IS 'members with pii:read see their tenant';
GRANT SELECT, INSERT, UPDATE, DELETE ON wf.pii, wf.pii_key TO wf_engine;
GRANT SELECT ON wf.pii TO PUBLIC;
