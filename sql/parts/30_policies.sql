-- Row-level security on every table, forced: the engine's role sees all, everybody else the rows of
-- the current tenant, if the role is a member of it.

CREATE FUNCTION wf.current_tenant_id() RETURNS uuid LANGUAGE c STABLE LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_current_tenant_id';
COMMENT ON FUNCTION wf.current_tenant_id() IS 'the current tenant''s id; NULL when current_user is a member of none';

-- A policy asks by a function that comes before all conditions of a query, and that indexes on the tenant answer (api/veil.c).
CREATE FUNCTION wf.is_current_tenant_support(internal) RETURNS internal LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wf_sql_is_current_tenant_support';
COMMENT ON FUNCTION wf.is_current_tenant_support(internal) IS 'tells the planner of wf.is_current_tenant';
CREATE FUNCTION wf.is_current_tenant(tenant_id uuid) RETURNS bool LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED
	COST 0.000001 SUPPORT wf.is_current_tenant_support
	AS 'MODULE_PATHNAME', 'wf_sql_is_current_tenant';
COMMENT ON FUNCTION wf.is_current_tenant(uuid) IS 'whether it is the current tenant''s id; false when current_user is a member of none';

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['tenant', 'member', 'workflow', 'version', 'block', 'trigger', 'run', 'segment', 'queue', 'held', 'gate',
		'live', 'wait', 'event', 'task', 'idempotency', 'failed', 'request', 'sending', 'request_log', 'circuit', 'host_limit',
		'trigger_stat', 'debounce', 'schedule']
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON wf.%I FROM PUBLIC', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I FORCE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('CREATE POLICY engine ON wf.%I TO wf_engine USING (true) WITH CHECK (true)', t);
		EXECUTE pg_catalog.format('CREATE POLICY tenant ON wf.%I FOR SELECT USING (wf.is_current_tenant(tenant_id))', t);
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

-- What a request says is for who sends it, and so is its lane, by which the outbox is looked up: an index that begins with it would tell of others'.
REVOKE SELECT ON wf.request FROM PUBLIC;
GRANT SELECT (tenant_id, run_id, step, request_id, due_at, role, priority, workflow_id, node, method, host, path, forget,
	created_at, attempts, failures, duration_ms, error, trace) ON wf.request TO PUBLIC;

-- Secrets: members see their names and versions. Nobody but the engine may read a ciphertext, or what is known of keys.
REVOKE ALL ON wf.master_key, wf.secret FROM PUBLIC;
ALTER TABLE wf.master_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON wf.master_key TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON wf.secret TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY tenant ON wf.secret FOR SELECT USING (wf.is_current_tenant(tenant_id));
COMMENT ON POLICY engine ON wf.master_key IS 'the engine''s own statements';
COMMENT ON POLICY engine ON wf.secret IS 'the engine''s own statements';
COMMENT ON POLICY tenant ON wf.secret IS 'members see their tenant';
GRANT SELECT, INSERT, UPDATE, DELETE ON wf.master_key, wf.secret TO wf_engine;
GRANT SELECT (tenant_id, name, version, created_at, created_by, ended_at, dropped) ON wf.secret TO PUBLIC;
