-- Every function of the extension asks for exactly the permission that wf_permissions() says; every view shows its rows to exactly those
-- who may read them. Taken from the catalog, so that a new function or view fails here until it is listed.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION workflow;
SELECT permission, functions, viewer, member, admin, owner FROM wf_permissions();

-- -- roles: the built-in ones, one with each permission alone, and one with all others
SELECT wf_create_tenant('t') IS NOT NULL, wf_create_tenant('elsewhere') IS NOT NULL;
CREATE TABLE people (role name PRIMARY KEY, kind text NOT NULL, permission text);
INSERT INTO people SELECT 'regress_wf_' || r, r FROM unnest('{owner,admin,member,viewer,elsewhere,nobody,gateway}'::text[]) r;
INSERT INTO people SELECT 'regress_wf_only_' || permission, 'only', permission FROM wf_permissions() WHERE viewer IS NOT NULL;
INSERT INTO people SELECT 'regress_wf_but_' || permission, 'but', permission FROM wf_permissions() WHERE viewer IS NOT NULL;
DO $$
DECLARE
	p people;
	every text[] := (SELECT array_agg(permission) FROM wf_permissions() WHERE viewer IS NOT NULL);
BEGIN
	PERFORM set_config('workflow.tenant', 't', true);
	FOR p IN SELECT * FROM people LOOP
		EXECUTE format('CREATE ROLE %I LOGIN', p.role);
		CASE p.kind
			WHEN 'only' THEN
				PERFORM wf_define_role('only ' || p.permission, ARRAY[p.permission]);
				PERFORM wf_grant(p.role, 't', 'only ' || p.permission);
			WHEN 'but' THEN
				PERFORM wf_define_role('all but ' || p.permission, array_remove(every, p.permission));
				PERFORM wf_grant(p.role, 't', 'all but ' || p.permission);
			WHEN 'elsewhere' THEN PERFORM wf_grant(p.role, 'elsewhere', 'owner');
			WHEN 'nobody' THEN NULL;
			WHEN 'gateway' THEN EXECUTE format('GRANT wf_gateway TO %I', p.role);
			ELSE PERFORM wf_grant(p.role, 't', p.kind);
		END CASE;
	END LOOP;
END
$$;
INSERT INTO people VALUES (current_user, 'superuser');
CREATE ROLE regress_wf_given;

-- -- what is called
CREATE FUNCTION echo(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
SET workflow.tenant = 't';
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}, {"id": "t", "type": "trigger.event", "config": {"event": "e"}}], "edges": [{"source": "t", "target": "a"}]}');
SELECT wf_run('w') ->> 'run_id' AS run \gset
SELECT wf_grant('regress_wf_given', 't', 'only team:manage');
SELECT wf_define_role('unused', '{team:manage}');
RESET workflow.tenant;
CREATE TABLE calls (function text NOT NULL, permission text NOT NULL, call text NOT NULL);
INSERT INTO calls VALUES
	('wf_activate', 'workflow:update', $$wf_activate('w', 1)$$),
	('wf_approve', 'workflow:approve', $$wf_approve('w', 1)$$),
	('wf_audit_head', 'audit:read', 'wf_audit_head()'),
	('wf_await', 'run:read', format('wf_await(%L)', :'run')),
	('wf_blocks', 'workflow:read', 'count(*) FROM wf_blocks()'),
	('wf_call', 'workflow:execute', $$wf_call('w')$$),
	('wf_can', 'none', $$wf_can('run:read'), wf_can('run:read', 'w')$$),
	('wf_cancel', 'run:cancel', 'wf_cancel(gen_random_uuid())'),
	('wf_claim_task', 'task:complete', 'wf_claim_task(gen_random_uuid())'),
	('wf_comment_task', 'task:complete', $$wf_comment_task(gen_random_uuid(), 'x')$$),
	('wf_complete_task', 'task:complete', $$wf_complete_task(gen_random_uuid(), 'approved')$$),
	('wf_create_tenant', 'team:manage', $$wf_create_tenant('below', '{"parent": "t"}')$$),
	('wf_current_tenant', 'none', 'wf_current_tenant()'),
	('wf_define_role', 'team:manage', $$wf_define_role('new', '{team:manage}')$$),
	('wf_delegate_task', 'task:complete', $$wf_delegate_task(gen_random_uuid(), 'regress_wf_given')$$),
	('wf_delete', 'workflow:delete', $$wf_delete('w')$$),
	('wf_delete_tenant', 'ownership', $$wf_delete_tenant('t')$$),
	('wf_disable_trigger', 'workflow:update', $$wf_disable_trigger('w', 't')$$),
	('wf_drop_credential', 'credential:create', $$wf_drop_credential('c')$$),
	('wf_drop_role', 'team:manage', $$wf_drop_role('unused')$$),
	('wf_drop_secret', 'credential:create', $$wf_drop_secret('s')$$),
	('wf_dry_run', 'workflow:execute', $$wf_dry_run('w')$$),
	('wf_emit', 'workflow:execute', $$wf_emit('nobody listens')$$),
	('wf_enable_trigger', 'workflow:update', $$wf_enable_trigger('w', 't')$$),
	('wf_eval', 'workflow:read', $$wf_eval('1 + 1')$$),
	('wf_explain', 'workflow:read', $$wf_explain('w')$$),
	('wf_export_audit', 'audit:read', 'count(*) FROM wf_export_audit()'),
	('wf_fail_task', 'task:complete', $$wf_fail_task(gen_random_uuid(), '{}')$$),
	('wf_finish_task', 'task:complete', $$wf_finish_task(gen_random_uuid(), '{}')$$),
	('wf_forget', 'team:manage', $$wf_forget('t', 'a', '"nothing"')$$),
	('wf_grant', 'team:manage', $$wf_grant('regress_wf_gateway', 't', 'only team:manage')$$),
	('wf_heartbeat', 'task:complete', 'wf_heartbeat(gen_random_uuid())'),
	('wf_limit_host', 'connector:update', $$wf_limit_host('example.com', 1)$$),
	('wf_measure_storage', 'team:manage', 'wf_measure_storage()'),
	('wf_migrate', 'run:replay', 'wf_migrate(gen_random_uuid(), 1)'),
	('wf_next_runs', 'workflow:read', $$wf_next_runs('w')$$),
	('wf_pause', 'run:cancel', 'wf_pause(gen_random_uuid())'),
	('wf_permissions', 'none', 'count(*) FROM wf_permissions()'),
	('wf_poll_tasks', 'task:complete', $$wf_poll_tasks('q')$$),
	('wf_register_block', 'connector:create', $$wf_register_block('acme.echo', 'public.echo(jsonb, jsonb)')$$),
	('wf_reject', 'workflow:approve', $$wf_reject('w', 1)$$),
	('wf_reset_circuit', 'connector:update', $$wf_reset_circuit('example.com')$$),
	('wf_resume', 'run:cancel', 'wf_resume(gen_random_uuid())'),
	('wf_retry', 'run:replay', 'wf_retry(gen_random_uuid())'),
	('wf_revoke', 'team:manage', $$wf_revoke('regress_wf_given', 't')$$),
	('wf_run', 'workflow:execute', $$wf_run('w')$$),
	('wf_save', 'code:write', $$wf_save('new', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "return 1"}}]}')$$),
	('wf_save', 'workflow:create', $$wf_save('new', '{"nodes": [{"id": "a", "type": "noop"}]}')$$),
	('wf_save', 'workflow:update', $$wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}')$$),
	('wf_set_credential', 'credential:create', $$wf_set_credential('c', 'bearer', '{"token": "x"}')$$),
	('wf_set_http_policy', 'team:manage', 'wf_set_http_policy()'),
	('wf_set_secret', 'credential:create', $$wf_set_secret('s', 'v')$$),
	('wf_set_status', 'workflow:update', $$wf_set_status('w', 'paused')$$),
	('wf_set_tenant', 'team:manage', $$wf_set_tenant('t', '{"settings": {"contact": "me"}}')$$),
	('wf_set_tenant_status', 'ownership', $$wf_set_tenant_status('t', 'active')$$),
	('wf_signal', 'workflow:execute', $$wf_signal(gen_random_uuid(), 'e')$$),
	('wf_start', 'workflow:execute', $$wf_start('w')$$),
	('wf_start_many', 'workflow:execute', $$wf_start_many('w', '{}')$$),
	('wf_unclaim_task', 'task:complete', 'wf_unclaim_task(gen_random_uuid())'),
	('wf_use_tenant', 'membership', $$wf_use_tenant('t')$$),
	('wf_validate', 'workflow:read', $$wf_validate('{"nodes": []}')$$),
	('wf_verify_audit', 'audit:read', 'count(*) FROM wf_verify_audit()'),
	('wf_verify_signature', 'audit:read', 'wf_verify_signature(gen_random_uuid())'),
	('wf_versions', 'workflow:read', $$wf_versions('w')$$),
	('wf_webhook', 'workflow:execute', $$wf_webhook('/t/nothing', 'GET', '{}', '')$$),
	-- what views and policies ask: it tells nothing to who may not know, instead of failing
	('wf.current_tenant_id', 'none', 'wf.current_tenant_id()'),
	('wf.erased', 'none', $$wf.erased('{}'::jsonb, NULL, '"x"')$$),
	('wf.executing', 'none', 'wf.executing()'),
	('wf.fired', 'none', 'wf.fired()'),
	('wf.is_current_tenant', 'none', 'wf.is_current_tenant(gen_random_uuid())'),
	('wf.is_current_tenant_support', 'none', 'wf.is_current_tenant_support(NULL)'),
	('wf.may_hold', 'none', $$wf.may_hold('{}'::jsonb, NULL, '"x"')$$),
	('wf.permissions', 'none', 'count(*) FROM wf.permissions()'),
	('wf.quota_use', 'none', 'count(*) FROM wf.quota_use()'),
	('wf.is_among', 'none', $$wf.is_among(gen_random_uuid(), '{}'), wf.is_among(NULL, NULL), wf.is_among(NULL, '{}'), wf.is_among(gen_random_uuid(), '{NULL}')$$),
	('wf.row_trigger', 'none', 'wf.row_trigger()'),
	('wf.sees_all', 'none', $$wf.sees_all('run:read')$$),
	('wf.sees_run', 'none', 'wf.sees_run(gen_random_uuid())'),
	('wf.sees_trigger', 'none', 'wf.sees_trigger(gen_random_uuid())'),
	('wf.shown', 'none', $$wf.shown('{}'::jsonb, gen_random_uuid(), gen_random_uuid())$$),
	('wf.start_options', 'none', $$wf.start_options('{}')$$),
	('wf.tenant_for', 'none', $$wf.tenant_for('run:read')$$),
	('wf.tenants', 'none', 'count(*) FROM wf.tenants()'),
	('wf.trigger_problem', 'none', $$wf.trigger_problem(gen_random_uuid(), 'a')$$),
	('wf.unfold', 'none', $$wf.unfold('{}', 1, '{}')$$),
	('wf.veiled', 'none', 'wf.veiled(1)'),
	('wf.workflow_id', 'workflow:read', $$wf.workflow_id('w')$$),
	('wf.workflows_for', 'none', $$wf.workflows_for('run:read')$$),
	-- for superusers, and what the extension does itself
	('wf.check_invariants', 'superuser', 'wf.check_invariants()'),
	('wf.finish_deletions', 'superuser', 'wf.finish_deletions()'),
	('wf.fire_schedules', 'superuser', 'wf.fire_schedules()'),
	('wf.has_master_key', 'superuser', $$wf.has_master_key('')$$),
	('wf.invalidate', 'superuser', 'wf.invalidate()'),
	('wf.refuse_change', 'superuser', 'wf.refuse_change()'),
	('wf.restore_default_tenant', 'superuser', 'wf.restore_default_tenant()');

-- nothing is left out, and what is published is what is called here
SELECT CASE WHEN p.pronamespace = 'wf'::regnamespace THEN 'wf.' ELSE '' END || p.proname AS not_called
FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'workflow' AND d.refclassid = 'pg_extension'::regclass
JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
EXCEPT SELECT function FROM calls ORDER BY 1;
SELECT function, permission FROM calls WHERE function LIKE 'wf\_%'
EXCEPT SELECT f, permission FROM wf_permissions(), unnest(functions) f;
SELECT f, permission FROM wf_permissions(), unnest(functions) f EXCEPT SELECT function, permission FROM calls;

-- -- calling: what came of it, and nothing stays
CREATE FUNCTION attempt(who name, call text, OUT state text, OUT detail text, OUT hint text) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('workflow.tenant', 't', true), set_config('role', who, true);
	EXECUTE 'SELECT ' || call;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;
-- may this role do what asks for the permission?
CREATE FUNCTION may(p people, wanted text, function text) RETURNS bool LANGUAGE sql AS $$
	SELECT CASE
		WHEN wanted = 'none' OR p.kind = 'superuser' THEN true
		-- it is asked for after another one
		WHEN wanted = 'code:write' AND p.kind IN ('only', 'but') THEN p.kind = 'but' AND p.permission NOT IN ('code:write', 'workflow:create')
		WHEN wanted = 'superuser' THEN false
		WHEN p.kind = 'gateway' THEN function = 'wf_webhook'
		WHEN p.kind IN ('elsewhere', 'nobody') THEN false
		WHEN wanted = 'ownership' THEN p.kind = 'owner'
		WHEN wanted = 'membership' THEN true
		WHEN p.kind = 'only' THEN wanted = p.permission
		WHEN p.kind = 'but' THEN wanted <> p.permission
		ELSE (SELECT to_jsonb(w) ->> p.kind FROM wf_permissions() w WHERE w.permission = wanted)::bool END
$$;
CREATE TABLE outcome AS
	SELECT c.*, p.role, p.kind, may(p, c.permission, c.function) AS may, a.*
	FROM calls c CROSS JOIN people p CROSS JOIN LATERAL attempt(p.role, c.call) a;
SELECT count(*) = (SELECT count(*) FROM calls) * (SELECT count(*) FROM people) AS all, count(*) FILTER (WHERE may) > 1000 AS many FROM outcome;
-- 42501 is for exactly those who may not
SELECT function, permission, role, may, state, detail FROM outcome WHERE may <> (state <> '42501') ORDER BY 1, 2, 3;
-- the others did what was asked: what failed otherwise failed for all alike
SELECT function, permission, string_agg(DISTINCT state, ' ' ORDER BY state) AS states FROM outcome
	WHERE state NOT IN ('42501', 'ZZ000') GROUP BY 1, 2 HAVING count(DISTINCT state) > 1;
SELECT DISTINCT function, state FROM outcome WHERE state NOT IN ('42501', 'ZZ000')
	AND function NOT IN ('wf_start', 'wf_start_many', 'wf_retry', 'wf_set_secret', 'wf_set_credential') ORDER BY 1;	-- need workers, or a key
-- a refusal says what is missing, and who may give it
SELECT function, role, detail, hint FROM outcome
	WHERE kind = 'but' AND state = '42501' AND permission NOT IN ('superuser', 'ownership') AND function <> 'wf_webhook'
	  AND (detail NOT LIKE 'The permission "' || CASE WHEN permission = 'code:write' AND role = 'regress_wf_but_workflow:create' THEN 'workflow:create' ELSE permission END || '" is missing%' OR hint NOT LIKE '%An admin or owner of the tenant can%') ORDER BY 1, 2;
SELECT DISTINCT hint FROM outcome WHERE function = 'wf_webhook' AND state = '42501';
-- the matrix
SELECT function, permission, string_agg(left(kind, 1), '' ORDER BY array_position('{superuser,owner,admin,member,viewer,elsewhere,nobody,gateway}', kind))
		FILTER (WHERE state <> '42501' AND kind NOT IN ('only', 'but')) AS who
	FROM outcome GROUP BY 1, 2 ORDER BY 1, 2;

-- -- views
INSERT INTO wf.run (tenant_id, run_id, workflow_id, version, attempt, started_at, finished_at, queued_at, started_by, status, trigger)
	SELECT tenant_id, '018f0000-0000-7000-8000-000000000001', workflow_id, 1, 1, now(), now(), now(), 'regress_wf_owner', 'failed', 'manual'
	FROM wf.workflow WHERE name = 'w';
INSERT INTO wf.failed (tenant_id, run_id, workflow_id, version, role, priority, attempt, n_segments, n_steps, queued_at, failed_at)
	SELECT tenant_id, run_id, workflow_id, 1, started_by, 0, 1, 0, 0, now(), now() FROM wf.run WHERE status = 'failed';
INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, quorum, allow_self, status, attempt, max_attempts, started_by, role, priority, created_at)
	SELECT tenant_id, gen_random_uuid(), run_id, 1, workflow_id, 'a', 'approval', 1, true, 'done', 0, 0, started_by, started_by, 0, now() FROM wf.run WHERE status = 'failed';
INSERT INTO wf.request_log (tenant_id, run_id, request_id, step, workflow_id, node, method, host, state, attempts, created_at, ended_at)
	SELECT tenant_id, run_id, gen_random_uuid(), 1, workflow_id, 'a', 'GET', 'example.com', 'completed', 1, now(), now() FROM wf.run WHERE status = 'failed';
INSERT INTO wf.circuit SELECT tenant_id, 'example.com', 'open', 1, 1, now(), now(), 1 FROM wf.tenant WHERE name = 't';
INSERT INTO wf.host_limit SELECT tenant_id, 'example.com', 1, 1, 1, 1 FROM wf.tenant WHERE name = 't';
INSERT INTO wf.secret (tenant_id, name, version, key_id, nonce, ciphertext, created_by)
	SELECT tenant_id, 's', 1, 1, '', '', 'regress_wf_owner' FROM wf.tenant WHERE name = 't';
INSERT INTO wf.secret (tenant_id, name, version, type, fields, key_id, nonce, ciphertext, created_by)
	SELECT tenant_id, 'c', 1, 'bearer', '{}', 1, '', '', 'regress_wf_owner' FROM wf.tenant WHERE name = 't';
INSERT INTO wf.master_key VALUES (1, '');
INSERT INTO wf.forgotten (tenant_id, forget_id, forgotten_at, forgotten_by, path, digest, places)
	SELECT tenant_id, gen_random_uuid(), now(), 'regress_wf_owner', 'a', '', 1 FROM wf.tenant WHERE name = 't';
SELECT wf_set_tenant('t', '{"quotas": {"workflows": 100}}');
CREATE FUNCTION shown(who name, view name) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	PERFORM set_config('workflow.tenant', 't', true), set_config('role', who, true);
	EXECUTE format('SELECT count(*) FROM %I', view) INTO n;
	PERFORM set_config('role', 'none', true);
	RETURN n;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN 0;
END
$$;
CREATE TABLE sight AS
	SELECT c.relname AS view, p.role, p.kind, p.permission, shown(p.role, c.relname) AS n
	FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'workflow' AND d.refclassid = 'pg_extension'::regclass
	JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind = 'v' CROSS JOIN people p;
-- each permission that shows a view's rows by itself; everybody else sees none
SELECT view, max(n) FILTER (WHERE kind = 'superuser') > 0 AS has_rows,
	   CASE WHEN bool_and(n > 0) FILTER (WHERE kind = 'only') THEN 'membership'
			ELSE string_agg(permission, ', ' ORDER BY permission) FILTER (WHERE kind = 'only' AND n > 0) END AS shown_to,
	   string_agg(kind, ' ' ORDER BY kind) FILTER (WHERE kind NOT IN ('only', 'but') AND n > 0) AS who
	FROM sight GROUP BY 1 ORDER BY 1;
SELECT view, role, n FROM sight WHERE kind IN ('elsewhere', 'nobody', 'gateway') AND n > 0 AND view NOT IN ('wf_roles', 'wf_tenants');

DROP EXTENSION workflow;
DO $$
DECLARE
	r name;
BEGIN
	FOR r IN SELECT role FROM people WHERE kind <> 'superuser' LOOP
		EXECUTE format('DROP ROLE %I', r);
	END LOOP;
END
$$;
DROP ROLE regress_wf_given;
