-- The public interface: functions with their signatures, defaults and properties; views with their columns; and nothing
-- beside them.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA tap;
CREATE EXTENSION pgtap SCHEMA tap;
CREATE SCHEMA api;
CREATE EXTENSION workflow SCHEMA api;
SET search_path = api, tap;
BEGIN;
SELECT * FROM no_plan();

CREATE TEMP TABLE wanted (name text, arguments text, result text, n_defaults int);
INSERT INTO wanted VALUES
	('wf_save', 'name text, definition jsonb, options jsonb DEFAULT ''{}''::jsonb', 'integer', 1),
	('wf_validate', 'definition jsonb', 'TABLE(severity text, code text, node text, path text, message text, hint text)', 0),
	('wf_activate', 'name text, version integer', 'void', 0),
	('wf_set_status', 'name text, status text', 'void', 0),
	('wf_delete', 'name text', 'void', 0),
	('wf_versions', 'name text', 'TABLE(version integer, label text, active boolean, created_at timestamp with time zone, created_by name, comment text)', 0),
	('wf_blocks', '', 'TABLE(type text, category text, summary text, ports text[], suspends boolean, config_schema jsonb, output_schema jsonb)', 0),
	('wf_register_block', 'type text, function regprocedure, config_schema jsonb DEFAULT ''{}''::jsonb, ports text[] DEFAULT ''{out}''::text[]', 'void', 2),
	('wf_explain', 'name text, version integer DEFAULT NULL::integer, plans boolean DEFAULT false', 'SETOF text', 2),
	('wf_eval', 'expression text, context jsonb DEFAULT ''{}''::jsonb', 'jsonb', 1),
	('wf_run', 'workflow text, input jsonb DEFAULT ''{}''::jsonb, options jsonb DEFAULT ''{}''::jsonb', 'jsonb', 2),
	('wf_call', 'workflow text, input jsonb DEFAULT ''{}''::jsonb, options jsonb DEFAULT ''{}''::jsonb', 'jsonb', 2),
	('wf_dry_run', 'workflow text, input jsonb DEFAULT ''{}''::jsonb, options jsonb DEFAULT ''{}''::jsonb', 'jsonb', 2),
	('wf_start', 'workflow text, input jsonb DEFAULT ''{}''::jsonb, options jsonb DEFAULT ''{}''::jsonb', 'uuid', 2),
	('wf_start_many', 'workflow text, inputs jsonb[], options jsonb DEFAULT ''{}''::jsonb', 'SETOF uuid', 1),
	('wf_await', 'run_id uuid, timeout interval DEFAULT ''00:00:30''::interval', 'jsonb', 1),
	('wf_cancel', 'run_id uuid, reason text DEFAULT NULL::text', 'boolean', 1),
	('wf_pause', 'run_id uuid', 'boolean', 0),
	('wf_resume', 'run_id uuid', 'boolean', 0),
	('wf_retry', 'run_id uuid, from_node text DEFAULT NULL::text, options jsonb DEFAULT ''{}''::jsonb', 'jsonb', 2),
	('wf_migrate', 'run_id uuid, version integer', 'void', 0),
	('wf_signal', 'run_id uuid, event text, payload jsonb DEFAULT ''{}''::jsonb', 'boolean', 1),
	('wf_emit', 'event text, payload jsonb DEFAULT ''{}''::jsonb, correlation text DEFAULT NULL::text, unique_id text DEFAULT NULL::text', 'integer', 3),
	('wf_complete_task', 'task_id uuid, outcome text, data jsonb DEFAULT ''{}''::jsonb', 'jsonb', 1),
	('wf_claim_task', 'task_id uuid', 'boolean', 0),
	('wf_unclaim_task', 'task_id uuid', 'boolean', 0),
	('wf_delegate_task', 'task_id uuid, to_role name', 'boolean', 0),
	('wf_comment_task', 'task_id uuid, comment text', 'boolean', 0),
	('wf_poll_tasks', 'queue text, max integer DEFAULT 1, lease interval DEFAULT ''00:01:00''::interval', 'TABLE(task_id uuid, run_id uuid, payload jsonb, attempt integer)', 2),
	('wf_finish_task', 'task_id uuid, result jsonb, attempt integer DEFAULT NULL::integer', 'boolean', 1),
	('wf_fail_task', 'task_id uuid, error jsonb, retryable boolean DEFAULT true, attempt integer DEFAULT NULL::integer', 'boolean', 2),
	('wf_heartbeat', 'task_id uuid, lease interval DEFAULT ''00:01:00''::interval', 'boolean', 1),
	('wf_create_tenant', 'name text, options jsonb DEFAULT ''{}''::jsonb', 'uuid', 1),
	('wf_set_tenant', 'tenant text, options jsonb', 'void', 0),
	('wf_set_tenant_status', 'tenant text, status text', 'void', 0),
	('wf_delete_tenant', 'tenant text', 'void', 0),
	('wf_measure_storage', '', 'bigint', 0),
	('wf_approve', 'name text, version integer, comment text DEFAULT NULL::text', 'void', 1),
	('wf_reject', 'name text, version integer, comment text DEFAULT NULL::text', 'void', 1),
	('wf_grant', 'role name, tenant text, app_role text, options jsonb DEFAULT ''{}''::jsonb', 'void', 1),
	('wf_revoke', 'role name, tenant text, options jsonb DEFAULT ''{}''::jsonb', 'void', 1),
	('wf_define_role', 'name text, permissions text[]', 'void', 0),
	('wf_drop_role', 'name text', 'void', 0),
	('wf_permissions', '', 'TABLE(permission text, functions text[], viewer boolean, member boolean, admin boolean, owner boolean)', 0),
	('wf_use_tenant', 'tenant text', 'void', 0),
	('wf_current_tenant', '', 'text', 0),
	('wf_can', 'permission text, workflow text DEFAULT NULL::text', 'boolean', 1),
	('wf_set_secret', 'name text, value text', 'void', 0),
	('wf_drop_secret', 'name text', 'void', 0),
	('wf_set_credential', 'name text, type text, value jsonb', 'void', 0),
	('wf_drop_credential', 'name text', 'void', 0),
	('wf_forget', 'tenant text, path text, value jsonb', 'integer', 0),
	('wf_enable_trigger', 'workflow text, node text', 'void', 0),
	('wf_disable_trigger', 'workflow text, node text', 'void', 0),
	('wf_next_runs', 'workflow text, count integer DEFAULT 5', 'SETOF timestamp with time zone', 1),
	('wf_webhook', 'path text, method text, headers jsonb, body bytea, query jsonb DEFAULT ''{}''::jsonb', 'jsonb', 1),
	('wf_verify_audit', 'tenant text DEFAULT NULL::text', 'TABLE(seq bigint, problem text)', 1),
	('wf_audit_head', 'tenant text DEFAULT NULL::text', 'TABLE(first_seq bigint, seq bigint, hash text, at timestamp with time zone, key_id integer)', 1),
	('wf_export_audit', 'format text DEFAULT ''jsonl''::text, from_seq bigint DEFAULT 1, to_seq bigint DEFAULT NULL::bigint', 'SETOF text', 3),
	('wf_verify_signature', 'task_id uuid', 'TABLE(seq bigint, signed_by text, signed_at timestamp with time zone, outcome text, digest text, problem text)', 0),
	('wf_reset_circuit', 'host text', 'boolean', 0),
	('wf_limit_host', 'host text, requests integer DEFAULT NULL::integer, per interval DEFAULT ''00:00:01''::interval, burst integer DEFAULT NULL::integer, concurrency integer DEFAULT NULL::integer', 'void', 4),
	('wf_set_http_policy', 'allow text DEFAULT ''''::text, deny text DEFAULT ''''::text', 'void', 2);
CREATE TEMP VIEW found AS
	SELECT p.oid, p.proname::text AS name, pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS result, p.pronargdefaults::int AS n_defaults, p.prosecdef, p.proparallel, p.provolatile
	FROM pg_proc p JOIN pg_depend d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'workflow'
	WHERE p.pronamespace = 'api'::regnamespace;

SELECT set_eq('SELECT name FROM found', 'SELECT name FROM wanted', 'the functions of the interface, and no others');
SELECT is((SELECT arguments FROM found f WHERE f.name = w.name), w.arguments, w.name || ': arguments') FROM wanted w ORDER BY name;
SELECT is((SELECT result FROM found f WHERE f.name = w.name), w.result, w.name || ': result') FROM wanted w ORDER BY name;
SELECT is((SELECT count(*) FROM found f WHERE f.name = w.name), 1::bigint, w.name || ' is there once') FROM wanted w ORDER BY name;
SELECT is_empty($$SELECT name FROM found WHERE prosecdef$$, 'no function runs as its owner');
SELECT is_empty($$SELECT name FROM found WHERE provolatile <> 'v' AND name IN ('wf_save', 'wf_activate', 'wf_set_status', 'wf_delete', 'wf_register_block', 'wf_run', 'wf_call', 'wf_dry_run', 'wf_create_tenant', 'wf_grant', 'wf_revoke', 'wf_define_role', 'wf_drop_role', 'wf_use_tenant', 'wf_set_secret', 'wf_drop_secret', 'wf_reset_circuit', 'wf_set_http_policy', 'wf_limit_host', 'wf_forget', 'wf_set_tenant', 'wf_set_tenant_status', 'wf_delete_tenant', 'wf_set_credential', 'wf_drop_credential', 'wf_approve', 'wf_reject', 'wf_measure_storage') OR provolatile <> 'v' AND name IN (SELECT w.name FROM wanted w WHERE w.name ~ '_tasks?$|start|cancel|pause|resume|retry|migrate|signal|emit|await|heartbeat')$$, 'what writes is volatile');
SELECT is_empty($$SELECT name FROM found WHERE proparallel <> 'u' AND name IN ('wf_save', 'wf_run', 'wf_call', 'wf_dry_run')$$, 'and never runs in a parallel worker');
SELECT is_empty($$SELECT name FROM found WHERE NOT has_function_privilege('public', oid, 'EXECUTE')$$, 'everybody may call them: they ask for rights themselves');
SELECT is_empty($$SELECT name FROM found WHERE obj_description(oid, 'pg_proc') IS NULL$$, 'each has a comment');

-- views
CREATE FUNCTION pg_temp.columns_of(view text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT attname || ' ' || format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = to_regclass('api.' || view) AND attnum > 0 AND NOT attisdropped ORDER BY attnum $$;
SELECT set_eq($$SELECT c.relname::text FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e' WHERE c.relnamespace = 'api'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'f', 'p', 'S')$$,
	ARRAY['wf_workflows', 'wf_runs', 'wf_steps', 'wf_segments', 'wf_tasks', 'wf_dead_letters', 'wf_queue_status', 'wf_secrets', 'wf_credentials',
		'wf_master_keys', 'wf_requests', 'wf_circuits', 'wf_stat_hosts', 'wf_host_limits', 'wf_triggers', 'wf_members', 'wf_roles', 'wf_tenants', 'wf_quotas',
		'wf_approvals', 'wf_forgotten', 'wf_audit_log', 'wf_signatures'], 'the views, and no other relation');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_runs')$$, ARRAY['run_id uuid', 'workflow text', 'version integer', 'status text', 'trigger text', 'input jsonb', 'output jsonb', 'error jsonb', 'correlation_id text', 'tags text[]', 'parent_run_id uuid', 'started_by text',
	'queued_at timestamp with time zone', 'started_at timestamp with time zone', 'finished_at timestamp with time zone', 'duration_ms double precision', 'current_nodes text[]', 'progress jsonb', 'wake_at timestamp with time zone', 'attempt integer'], 'wf_runs: columns');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_tasks')$$, ARRAY['task_id uuid', 'run_id uuid', 'workflow text', 'node text', 'kind text', 'queue text', 'title text', 'body text', 'assignees text[]', 'claimed_by text', 'outcomes text[]', 'form jsonb', 'payload jsonb', 'status text', 'attempt integer', 'created_at timestamp with time zone', 'due_at timestamp with time zone'], 'wf_tasks: columns');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_audit_log')$$, ARRAY['seq bigint', 'at timestamp with time zone', 'actor text', 'session_role text', 'client_address text', 'application_name text', 'action text', 'object_type text', 'object_id uuid', 'object_name text', 'before jsonb', 'after jsonb', 'digest text', 'hash text', 'key_id integer'], 'wf_audit_log: columns');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_dead_letters')$$, ARRAY['run_id uuid', 'workflow text', 'version integer', 'error jsonb', 'attempts integer', 'failed_at timestamp with time zone'], 'wf_dead_letters: columns');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_requests')$$, ARRAY['request_id uuid', 'run_id uuid', 'node text', 'method text', 'host text', 'path text', 'state text', 'status integer', 'attempts integer', 'dns_ms real', 'connect_ms real', 'tls_ms real', 'first_byte_ms real', 'total_ms real', 'error jsonb',
	'workflow text', 'created_at timestamp with time zone', 'ended_at timestamp with time zone', 'due_at timestamp with time zone', 'bodies jsonb'], 'wf_requests: columns');
SELECT results_eq($$SELECT pg_temp.columns_of('wf_steps')$$, ARRAY['run_id uuid', 'seq integer', 'node text', 'path text', 'type text', 'status text', 'port text', 'attempt integer', 'input jsonb', 'output jsonb', 'error jsonb', 'started_at timestamp with time zone', 'duration_ms double precision', 'segment integer', 'log text[]'], 'wf_steps: columns');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'api'::regnamespace AND relkind = 'v' AND NOT coalesce(reloptions @> ARRAY['security_invoker=true'], false)$$, 'views show what the caller may see');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'api'::regnamespace AND relkind = 'v' AND NOT has_table_privilege('public', oid, 'SELECT') AND relname <> 'wf_master_keys'$$, 'everybody may ask them, but for keys');

-- beneath: every table is bound by row-level security, and nobody but the engine writes
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') AND NOT (relrowsecurity AND relforcerowsecurity)$$, 'row-level security is forced on every table');
SELECT is_empty($$SELECT relname FROM pg_class c WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') AND relname <> 'master_key' AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND attnum = 1 AND attname = 'tenant_id' AND attnotnull)$$, 'tenant_id leads every table but that of the installation');
SELECT is_empty($$SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE relnamespace = 'wf'::regnamespace AND i.indisprimary AND i.indkey[0] <> 1$$, 'and every primary key');
SELECT is_empty($$SELECT relname, p FROM pg_class, unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') AND has_table_privilege('public', pg_class.oid, p)$$, 'nobody may write a table');
SELECT is_empty($$SELECT 1 FROM pg_auth_members WHERE roleid = 'wf_engine'::regrole$$, 'nobody is a member of wf_engine');
SELECT is((SELECT rolsuper OR rolcanlogin OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = 'wf_engine'), false, 'wf_engine has no attributes');

-- it works from another schema than public, whatever the search path
SET LOCAL search_path = tap;
SELECT is(api.wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}'), 1, 'wf_save');
SELECT is(api.wf_call('w', '{"k": 1}'), '{"k": 1}', 'wf_call');
SELECT is((SELECT count(*) FROM api.wf_steps), 1::bigint, 'wf_steps');
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(api.wf_run('w')) k), ARRAY['error', 'output', 'run_id', 'status'], 'the envelope of wf_run');
SELECT is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(api.wf_dry_run('w')) k), ARRAY['error', 'output', 'run_id', 'status', 'steps'], 'the envelope of wf_dry_run');
SELECT throws_ok($$SELECT api.wf_run('none')$$, 'WF001');
SELECT throws_ok($$SELECT api.wf_save('x', '[]')$$, 'WF002');
SELECT throws_ok($$SELECT api.wf_eval('(')$$, 'WF007');
SELECT throws_ok($$SELECT api.wf_eval('null.x')$$, 'WF008');
SELECT throws_ok($$SELECT api.wf_run('w', '{}', '{"no": 1}')$$, '22023');
SELECT throws_ok($$SELECT api.wf_run(NULL)$$, '22004');
SELECT * FROM finish();
ROLLBACK;
