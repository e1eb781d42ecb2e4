-- Row-level security on every table, forced: the engine's role sees all, everybody else the rows of
-- the current tenant, if the role is a member of it and has the permission to read them.
--
-- What a policy asks stands in sub-selects that are executed once a statement, if at all (store/policy.c). Who has a permission for
-- some workflows only sees these, and what belongs to them.

CREATE FUNCTION wf.current_tenant_id() RETURNS uuid LANGUAGE c STABLE LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_current_tenant_id';
COMMENT ON FUNCTION wf.current_tenant_id() IS 'the current tenant''s id; NULL when current_user is a member of none';

CREATE FUNCTION wf.tenant_for(permission text) RETURNS uuid LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_tenant_for';
COMMENT ON FUNCTION wf.tenant_for(text) IS 'the current tenant''s id if current_user has the permission there, for some workflows at least';

CREATE FUNCTION wf.sees_all(permission text) RETURNS bool LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_sees_all';
COMMENT ON FUNCTION wf.sees_all(text) IS 'whether current_user has the permission for all workflows of the current tenant';

CREATE FUNCTION wf.workflows_for(permission text) RETURNS uuid[] LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wf_sql_workflows_for';
COMMENT ON FUNCTION wf.workflows_for(text) IS 'ids of the workflows that current_user has the permission for, sorted; NULL: all';

CREATE FUNCTION wf.is_among(id uuid, ids uuid[]) RETURNS bool LANGUAGE c IMMUTABLE CALLED ON NULL INPUT LEAKPROOF PARALLEL SAFE
	AS 'MODULE_PATHNAME', 'wf_sql_is_among';
COMMENT ON FUNCTION wf.is_among(uuid, uuid[]) IS 'whether an id is one of those that wf.workflows_for gives; without these (NULL) it is';

CREATE FUNCTION wf.sees_run(run_id uuid) RETURNS bool LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wf_sql_sees_run';
COMMENT ON FUNCTION wf.sees_run(uuid) IS 'whether current_user may read a run of the current tenant';

CREATE FUNCTION wf.sees_trigger(trigger_id uuid) RETURNS bool LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL RESTRICTED COST 1000
	AS 'MODULE_PATHNAME', 'wf_sql_sees_trigger';
COMMENT ON FUNCTION wf.sees_trigger(uuid) IS 'whether current_user may read the workflow of a trigger of the current tenant';

-- A policy asks by a function that comes before all conditions of a query, and that indexes on the tenant answer (api/veil.c); then for the permission.
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
	FOREACH t IN ARRAY ARRAY['tenant', 'member', 'app_role', 'workflow', 'version', 'block', 'trigger', 'run', 'segment', 'queue', 'held', 'gate',
		'live', 'wait', 'event', 'task', 'idempotency', 'failed', 'request', 'sending', 'request_log', 'circuit', 'host_limit',
		'trigger_stat', 'debounce', 'schedule', 'tenant_use', 'quota_taken', 'approval', 'forgotten']
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

-- What else it takes to see a row than to be a member.
DO $$
DECLARE
	of_workflow CONSTANT text := 'wf.is_among(workflow_id, (SELECT wf.workflows_for(%1$L)))';
	of_run CONSTANT text := '((SELECT wf.sees_all(%1$L)) OR wf.sees_run(run_id))';
	of_trigger CONSTANT text := '((SELECT wf.sees_all(%1$L)) OR wf.sees_trigger(trigger_id))';
	of_tenant CONSTANT text := '(SELECT wf.sees_all(%1$L))';
	r record;
BEGIN
	FOR r IN
		SELECT * FROM (VALUES
			-- what is of a workflow
			('workflow', 'workflow:read', of_workflow), ('version', 'workflow:read', of_workflow), ('trigger', 'workflow:read', of_workflow),
			('approval', 'workflow:read', of_workflow),
			('trigger_stat', 'workflow:read', of_trigger), ('schedule', 'workflow:read', of_trigger),
			('debounce', 'workflow:read', of_trigger),
			('run', 'run:read', of_workflow), ('live', 'run:read', of_workflow), ('queue', 'run:read', of_workflow),
			('held', 'run:read', of_workflow), ('gate', 'run:read', of_workflow), ('idempotency', 'run:read', of_workflow),
			('failed', 'run:read', of_workflow), ('request', 'run:read', of_workflow), ('request_log', 'run:read', of_workflow),
			('segment', 'run:read', of_run), ('wait', 'run:read', of_run),
			-- what is of the tenant
			('block', 'workflow:read', of_tenant), ('event', 'run:read', of_tenant), ('sending', 'run:read', 'true'),
			('circuit', 'connector:read', of_tenant), ('host_limit', 'connector:read', of_tenant)
		) AS t (name, permission, narrowed)
	LOOP
		EXECUTE pg_catalog.format('ALTER POLICY tenant ON wf.%I USING (wf.is_current_tenant(tenant_id) AND tenant_id OPERATOR(pg_catalog.=) (SELECT wf.tenant_for(%L)) AND %s)',
			r.name, r.permission, pg_catalog.format(r.narrowed, r.permission));
		EXECUTE pg_catalog.format('COMMENT ON POLICY tenant ON wf.%I IS %L', r.name,
			'members of the tenant who have ' OPERATOR(pg_catalog.||) r.permission);
	END LOOP;
END
$$;

-- Tasks are for those who complete them, and for those who read runs.
ALTER POLICY tenant ON wf.task USING (
	wf.is_current_tenant(tenant_id) AND tenant_id OPERATOR(pg_catalog.=) (SELECT coalesce(wf.tenant_for('task:complete'), wf.tenant_for('run:read')))
	AND (wf.is_among(workflow_id, (SELECT wf.workflows_for('run:read')))
		OR wf.is_among(workflow_id, (SELECT wf.workflows_for('task:complete')))));
COMMENT ON POLICY tenant ON wf.task IS 'members of the tenant who have task:complete or run:read';

-- No view needs these tables, or the other columns of these: what a run carries from one segment to the next is the engine's.
REVOKE SELECT ON wf.block, wf.gate, wf.event, wf.idempotency, wf.debounce, wf.live, wf.queue, wf.held, wf.failed FROM PUBLIC;
GRANT SELECT (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, started_at, deadline, n_segments,
	n_steps, parent_run_id, input, options, current_nodes, progress) ON wf.live TO PUBLIC;
GRANT SELECT (tenant_id, message_id, run_id, role, priority, kind, ready_at, workflow_id, version, payload, options) ON wf.queue TO PUBLIC;
GRANT SELECT (tenant_id, message_id, run_id, role, priority, kind, ready_at, workflow_id, version, payload, options) ON wf.held TO PUBLIC;
GRANT SELECT (tenant_id, run_id, workflow_id, version, role, priority, attempt, queued_at, started_at, failed_at) ON wf.failed TO PUBLIC;

-- Partitions are read and written through their tables, or by superusers who dump and restore: nobody else may.
ALTER TABLE wf.run_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.segment_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.request_log_default ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
REVOKE ALL ON wf.run_default, wf.segment_default, wf.request_log_default FROM PUBLIC;

-- What a request says is for who sends it, and so is its lane, by which the outbox is looked up: an index that begins with it would tell of others'.
REVOKE SELECT ON wf.request FROM PUBLIC;
GRANT SELECT (tenant_id, run_id, step, request_id, due_at, role, priority, workflow_id, node, method, host, path, forget,
	created_at, attempts, failures, duration_ms, error, trace) ON wf.request TO PUBLIC;

-- Secrets: who may use or manage them sees their names and versions. Nobody but the engine may read a ciphertext, or what is known of keys.
REVOKE ALL ON wf.master_key, wf.secret FROM PUBLIC;
ALTER TABLE wf.master_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.secret ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON wf.master_key TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON wf.secret TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY tenant ON wf.secret FOR SELECT USING (
	wf.is_current_tenant(tenant_id) AND tenant_id OPERATOR(pg_catalog.=) (SELECT coalesce(wf.tenant_for('credential:use'), wf.tenant_for('credential:read')))
	AND (SELECT wf.sees_all('credential:use') OR wf.sees_all('credential:read')));
COMMENT ON POLICY engine ON wf.master_key IS 'the engine''s own statements';
COMMENT ON POLICY engine ON wf.secret IS 'the engine''s own statements';
COMMENT ON POLICY tenant ON wf.secret IS 'members of the tenant who have credential:use or credential:read, for all workflows';
GRANT SELECT, INSERT, UPDATE, DELETE ON wf.master_key, wf.secret TO wf_engine;
GRANT SELECT (tenant_id, name, version, created_at, created_by, ended_at, dropped, type, fields) ON wf.secret TO PUBLIC;

-- What may be personal, and only the engine needs: no member reads it.
REVOKE SELECT ON wf.wait, wf.task FROM PUBLIC;
GRANT SELECT (tenant_id, run_id, step, kind, wake_at, role, priority, event) ON wf.wait TO PUBLIC;
GRANT SELECT (tenant_id, task_id, run_id, step, workflow_id, node, kind, queue, title, body, assignees, claimed_by, lease_ms,
	lease_until, quorum, allow_self, outcomes, form, payload, escalate_at, escalate_to, status, attempt, max_attempts, started_by,
	role, priority, created_at, due_at, closed_at) ON wf.task TO PUBLIC;

-- Personal data: for those with the permission. Nobody but the engine may read a key.
REVOKE ALL ON wf.pii, wf.pii_key FROM PUBLIC;
ALTER TABLE wf.pii ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.pii_key ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY engine ON wf.pii TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY engine ON wf.pii_key TO wf_engine USING (true) WITH CHECK (true);
CREATE POLICY tenant ON wf.pii FOR SELECT USING (wf.is_current_tenant(tenant_id) AND tenant_id OPERATOR(pg_catalog.=) (SELECT wf.tenant_for('pii:read'))
	AND (SELECT wf.sees_all('pii:read')));
COMMENT ON POLICY engine ON wf.pii IS 'the engine''s own statements';
COMMENT ON POLICY engine ON wf.pii_key IS 'the engine''s own statements';
COMMENT ON POLICY tenant ON wf.pii IS 'members of the tenant who have pii:read, for all workflows';
GRANT SELECT, INSERT, UPDATE, DELETE ON wf.pii, wf.pii_key TO wf_engine;
GRANT SELECT ON wf.pii TO PUBLIC;
