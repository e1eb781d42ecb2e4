-- a search path full of traps, in front of pg_catalog: no function of ours, called with it, executes one with other rights than the caller's
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
\set lib :root '/lib/traps.psql'
\i :lib
\c - wf_test_mallory
CALL make_traps('of_mallory');
SET search_path = of_mallory, pg_catalog;
-- they are traps
SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text; SELECT DISTINCT what FROM of_mallory.trapped;
RESET search_path;
-- every function, with values of the types that it takes
CREATE PROCEDURE of_mallory.all_calls() LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE f record; a text; answer text;
BEGIN
	FOR f IN SELECT p.oid::regprocedure AS name, format('%s(%s)', p.oid::regproc, (SELECT string_agg(CASE format_type(t, NULL) WHEN 'uuid' THEN quote_literal(coalesce((SELECT run_id FROM public.wf_runs LIMIT 1), '00000000-0000-7000-8000-000000000000')) || '::uuid'
			WHEN 'text' THEN CASE WHEN i = 1 THEN '''invoker''' ELSE '''10.0.0.1''' END || '::pg_catalog.text' WHEN 'jsonb' THEN CASE WHEN proname IN ('wf_save', 'wf_validate', 'wf_import') THEN '''{"nodes": [{"id": "a", "type": "noop"}]}''' WHEN i = 2 THEN '''"SELECT 1"''' ELSE '''{}''' END || '::pg_catalog.jsonb'
			WHEN 'jsonb[]' THEN '''{}''::pg_catalog.jsonb[]' WHEN 'integer' THEN '1' WHEN 'bigint' THEN '1' WHEN 'boolean' THEN 'true' WHEN 'interval' THEN '''0''::pg_catalog.interval' WHEN 'name' THEN '''wf_test_stranger''::pg_catalog.name' WHEN 'bytea' THEN '''\x00''::pg_catalog.bytea' WHEN 'uuid[]' THEN '''{}''::pg_catalog.uuid[]'
			WHEN 'timestamp with time zone' THEN 'pg_catalog.now()' ELSE 'NULL::' || format_type(t, NULL) END, ', ' ORDER BY i) FROM unnest(proargtypes) WITH ORDINALITY x (t, i))) AS call
		FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e' JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'workflow'
		WHERE prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND has_function_privilege(p.oid, 'EXECUTE') ORDER BY proname = 'wf_delete', 1::text LOOP
		PERFORM set_config('search_path', 'of_mallory, pg_catalog', true);
		BEGIN EXECUTE 'SELECT ' || f.call; EXCEPTION WHEN OTHERS THEN NULL; END;
		PERFORM pg_catalog.set_config('search_path', 'pg_catalog', true);
		IF EXISTS (SELECT FROM of_mallory.trapped WHERE what <> 'wf_test_mallory') THEN RAISE WARNING '% executes a trap as %', f.name, (SELECT what FROM of_mallory.trapped WHERE what <> 'wf_test_mallory' LIMIT 1); DELETE FROM of_mallory.trapped; END IF;
	END LOOP;
END $$;
SET search_path = public; ALTER PROCEDURE of_mallory.all_calls() SET search_path = pg_catalog, public;
SELECT save('invoker');
CALL of_mallory.all_calls();
-- with what they do well: one after the other, as a member would
SET search_path = of_mallory, pg_catalog;
SELECT public.wf_save('w', '{"nodes": [{"id": "a", "type": "approval", "config": {"title": "t"}}, {"id": "t", "type": "task", "config": {"queue": "q"}}]}'), public.wf_set_http_policy('10.0.0.1', '10.0.0.2'), public.wf_limit_host('a.test', 1), public.wf_set_secret('s', 'v'), public.wf_grant('wf_test_stranger', 'mine', 'viewer'), public.wf_revoke('wf_test_stranger', 'mine');
SELECT pg_catalog.count(public.wf_start('w', '1', '{"idempotencyKey": "k", "concurrencyKey": "c"}')); SELECT public.wf_emit('e', '1', 'c'); SELECT pg_catalog.count(*) FROM public.wf_runs; SELECT pg_catalog.count(*) FROM public.wf_requests; SELECT pg_catalog.count(*) FROM public.wf_queue_status; SELECT pg_catalog.count(*) FROM public.wf_tasks;
SELECT public.wf_save('e', '{"nodes": [{"id": "t", "type": "trigger.event", "config": {"event": "x"}}, {"id": "s", "type": "trigger.schedule", "config": {"cron": "0 0 * * *"}}, {"id": "h", "type": "trigger.webhook", "config": {"path": "/x", "method": "POST", "auth": {"type": "none"}}}, {"id": "n", "type": "noop"}], "edges": [{"source": "t", "target": "n"}, {"source": "s", "target": "n"}, {"source": "h", "target": "n"}]}');
SELECT public.wf_webhook('/mine/x', 'POST', '{}', '') IS NOT NULL; SELECT public.wf_delete('e');
RESET search_path;
SELECT DISTINCT what FROM of_mallory.trapped WHERE what <> 'wf_test_mallory';
-- the same with what is temporary in front: types and tables of pg_temp come first where a name is not qualified
CREATE DOMAIN pg_temp.jsonb AS text CHECK (of_mallory.trap() IS NULL); CREATE DOMAIN pg_temp.text AS int; CREATE DOMAIN pg_temp.uuid AS int; CREATE TEMP TABLE pg_class (id int); CREATE TEMP TABLE pg_auth_members (roleid oid, member oid); CREATE TEMP TABLE pg_roles (oid oid); CREATE TEMP TABLE tenant (id int);
SET search_path = pg_temp, of_mallory, pg_catalog;
SELECT public.wf_run('invoker'::pg_catalog.text, '"SELECT 1"'::pg_catalog.jsonb) OPERATOR(pg_catalog.->>) 'status'::pg_catalog.text, public.wf_current_tenant(), public.wf_can('run:read');
SELECT public.wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}'), pg_catalog.count(public.wf_emit('x'));
RESET search_path;
SELECT DISTINCT what FROM of_mallory.trapped WHERE what <> 'wf_test_mallory';
\c - postgres
DROP EXTENSION workflow CASCADE;
SET client_min_messages = error;
DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
