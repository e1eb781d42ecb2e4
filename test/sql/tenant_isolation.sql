-- tenants are kept apart: by tables, views and functions, and for those who try
CREATE ROLE wf_test_a; CREATE ROLE wf_test_b; CREATE ROLE wf_test_both; CREATE ROLE wf_test_none; CREATE ROLE wf_test_viewer;
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
SELECT wf_grant('wf_test_a', 'a', 'owner'), wf_grant('wf_test_b', 'b', 'owner'), wf_grant('wf_test_both', 'a', 'member'), wf_grant('wf_test_both', 'b', 'viewer'), wf_grant('wf_test_viewer', 'a', 'viewer');
CREATE FUNCTION echo(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
SET ROLE wf_test_a;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "return", "config": {"value": {"tenant": "{{ $run.tenant }}", "in": "{{ $input }}"}}}], "edges": []}');
SELECT wf_register_block('acme.echo', 'echo(jsonb, jsonb)');
SELECT wf_run('w', '{"secret": "of a"}', '{"idempotencyKey": "k"}')->'output';
SET ROLE wf_test_b;
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "return", "config": {"value": {"tenant": "{{ $run.tenant }}", "in": "{{ $input }}"}}}], "edges": []}');
SELECT wf_run('w', '{"secret": "of b"}', '{"idempotencyKey": "k"}')->'output';
RESET ROLE;
-- everything that a role can see of runs, by all ways
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', current_user, wf_current_tenant(), 'workflows ' || (SELECT count(*) FROM wf_workflows), 'runs ' || (SELECT string_agg(input->>'secret', '/') FROM wf_runs), 'steps ' || (SELECT count(*) FROM wf_steps), 'segments ' || (SELECT count(*) FROM wf_segments),
		'tables ' || (SELECT count(*) FROM wf.tenant) || (SELECT count(*) FROM wf.member) || (SELECT count(*) FROM wf.workflow) || (SELECT count(*) FROM wf.version) || (SELECT count(*) FROM wf.run) || (SELECT count(*) FROM wf.segment)) $$;
SET ROLE wf_test_a; SELECT seen();
SET ROLE wf_test_b; SELECT seen();
SET ROLE wf_test_viewer; SELECT seen();
SET ROLE wf_test_none; SELECT seen();
-- a member of two has to choose; choosing gives nothing that is not given
SET ROLE wf_test_both; SELECT seen(); SELECT wf_run('w');
SET workflow.tenant = 'a'; SELECT seen(), wf_run('w', '{"secret": "by both"}')->'output', wf_can('workflow:execute');
SET workflow.tenant = 'b'; SELECT seen(), wf_can('workflow:execute'); SELECT wf_run('w');
SET workflow.tenant = 'default'; SELECT seen(); SELECT wf_run('w');
SET workflow.tenant = 'no such tenant'; SELECT seen(); SELECT wf_run('w'); SELECT wf_current_tenant() IS NULL;
SELECT wf_use_tenant('b'); SELECT wf_current_tenant(); SELECT wf_use_tenant('default'); SELECT wf_current_tenant();
RESET workflow.tenant;
SET ROLE wf_test_a; SET workflow.tenant = 'b'; SELECT seen(); SELECT wf_run('w'); SELECT wf_save('w', '{"nodes": [{"id": "x", "type": "noop"}], "edges": []}'); SELECT wf_grant('wf_test_a', 'b', 'owner'); RESET workflow.tenant;
-- the same of another tenant's as of what does not exist
SET ROLE wf_test_b;
SELECT wf_save('only b', '{"nodes": [{"id": "x", "type": "noop"}], "edges": []}');
SET ROLE wf_test_a;
SELECT wf_run('only b'); SELECT wf_run('only c');
SELECT wf_versions('only b'); SELECT wf_versions('only c');
SELECT wf_activate('only b', 1); SELECT wf_set_status('only b', 'paused'); SELECT wf_delete('only b'); SELECT wf_explain('only b');
SELECT wf_use_tenant('b'); SELECT wf_use_tenant('c'); SELECT wf_grant('wf_test_a', 'b', 'viewer'); SELECT wf_grant('wf_test_a', 'c', 'viewer'); SELECT wf_revoke('wf_test_b', 'b'); SELECT wf_revoke('wf_test_b', 'c');
SELECT wf_create_tenant('below', '{"parent": "b"}'); SELECT wf_create_tenant('below', '{"parent": "c"}');
-- blocks that one registered are not the other's
SELECT wf_save('own', '{"nodes": [{"id": "x", "type": "acme.echo"}], "edges": []}'), (SELECT count(*) FROM wf_blocks() WHERE type = 'acme.echo');
SELECT wf_call('own', '{"k": 1}');
SET ROLE wf_test_b;
SELECT wf_save('own', '{"nodes": [{"id": "x", "type": "acme.echo"}], "edges": []}');
SELECT count(*) FROM wf_blocks() WHERE type = 'acme.echo';

-- tables: nobody writes them but the engine
SET ROLE wf_test_a;
SELECT t, (SELECT string_agg(p, ' ') FROM unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p WHERE has_table_privilege('wf_test_a', 'wf.' || t, p)) FROM unnest(ARRAY['tenant', 'member', 'workflow', 'version', 'block', 'run', 'segment']) t;
INSERT INTO wf.member SELECT tenant_id, 'wf_test_a', 'owner', now(), 'wf_test_a' FROM wf.tenant;
UPDATE wf.run SET status = 'completed'; UPDATE wf.version SET definition = '{}'; DELETE FROM wf.segment; DELETE FROM wf.run; TRUNCATE wf.run; TRUNCATE wf.member CASCADE;
UPDATE wf_runs SET status = 'completed'; DELETE FROM wf_workflows; INSERT INTO wf_runs (run_id) VALUES (NULL);
SELECT 1 FROM wf.run FOR UPDATE; SELECT 1 FROM wf.tenant FOR SHARE; LOCK TABLE wf.run;
CREATE TRIGGER x AFTER INSERT ON wf.run EXECUTE FUNCTION wf.invalidate(); SELECT wf.invalidate(); ALTER TABLE wf.run DISABLE ROW LEVEL SECURITY; DROP POLICY tenant ON wf.run; CREATE TABLE wf.mine (id int);
SET row_security = off; SELECT count(*) FROM wf.run; RESET row_security;
SELECT pg_has_role('wf_test_a', 'wf_engine', 'MEMBER'), rolcanlogin, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = 'wf_engine';
-- nor does anybody read what no view shows
SELECT t, has_table_privilege('wf_test_a', 'wf.' || t, 'SELECT') FROM unnest(ARRAY['block', 'gate', 'event', 'idempotency', 'debounce', 'live', 'queue', 'held', 'failed', 'request', 'secret', 'master_key', 'run_default']) t;
SELECT state FROM wf.live; SELECT state, signals FROM wf.failed; SELECT * FROM wf.queue; SELECT ciphertext FROM wf.secret; SELECT request FROM wf.request;
-- what a cheap leaky function would see
CREATE FUNCTION pg_temp.leak(j jsonb) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN RAISE NOTICE 'leaked %', j; RETURN true; END $$;
SELECT count(*) FROM wf.run WHERE pg_temp.leak(input);
SELECT count(*) FROM wf_runs WHERE pg_temp.leak(input->'secret');
RESET ROLE;

-- current_user is who counts: in functions of their owner, and after SET ROLE within a run
CREATE FUNCTION as_b() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT seen() || (wf_run('w', '{"secret": "via definer"}')->>'output') $$;
ALTER FUNCTION as_b() OWNER TO wf_test_b;
SET ROLE wf_test_a;
SELECT as_b(); SELECT seen();
RESET ROLE;
-- a plan that was made for one is not used for another
PREPARE mine AS SELECT count(*) FROM wf_runs;
SET ROLE wf_test_a; EXECUTE mine; SET ROLE wf_test_b; EXECUTE mine; SET ROLE wf_test_none; EXECUTE mine; RESET ROLE;
-- within a run: the tenant of the run stays, whatever its SQL does to the setting; reads there are bound by it
SET ROLE wf_test_both; SET workflow.tenant = 'a';
SELECT wf_save('turn', '{"nodes": [{"id": "s", "type": "db.query", "config": {"sql": "SELECT set_config(''workflow.tenant'', ''b'', true)"}}, {"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_current_tenant() AS t, count(*) FROM wf_runs"}}, {"id": "c", "type": "subworkflow", "config": {"workflow": "only b"}, "onError": "continue", "onErrorValue": "{{ $error.message }}"}, {"id": "r", "type": "return", "config": {"value": ["{{ $node.q.output.rows[0].t }}", "{{ $node.c.output }}", "{{ $run.tenant }}"]}}],
	"edges": [{"source": "s", "target": "q"}, {"source": "q", "target": "c"}, {"source": "c", "target": "r"}]}');
SELECT wf_run('turn')->'output', wf_current_tenant();
SELECT workflow, status FROM wf_runs WHERE workflow = 'turn';
RESET workflow.tenant; RESET ROLE;
-- a definer workflow acts for the tenant of the run, with the rights of its owner on tables only
SET ROLE wf_test_a;
SELECT wf_save('look', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT current_user::text AS u, wf_current_tenant() AS t", "outputFormat": "row"}}], "edges": [], "settings": {"security": "definer"}}');
SET ROLE wf_test_both; SET workflow.tenant = 'a';
SELECT wf_run('look')->'output';
RESET workflow.tenant; RESET ROLE;

-- roles that are gone: their memberships give nothing to anybody, and do not count as owners
SET ROLE wf_test_a; SELECT wf_grant('wf_test_none', 'a', 'owner'); RESET ROLE;
SELECT wf_revoke('postgres', 'a');
DROP ROLE wf_test_none;
SET ROLE wf_test_a;
SELECT wf_revoke('wf_test_a', 'a');
SELECT wf_current_tenant(), (SELECT count(*) FROM wf_runs) > 0;
RESET ROLE;
-- a membership that ends, ends at once, in prepared statements and caches too
SET ROLE wf_test_viewer; SELECT count(*) > 0 FROM wf_runs; RESET ROLE;
SELECT wf_use_tenant('a'); SELECT wf_revoke('wf_test_viewer', 'a'); RESET workflow.tenant;
SET ROLE wf_test_viewer; SELECT count(*) FROM wf_runs; SELECT wf_current_tenant() IS NULL; RESET ROLE;
BEGIN; SELECT wf_grant('wf_test_viewer', 'a', 'viewer'); SET LOCAL ROLE wf_test_viewer; SELECT count(*) > 0 FROM wf_runs; ROLLBACK;
SET ROLE wf_test_viewer; SELECT count(*) FROM wf_runs; RESET ROLE;
-- membership by a role whose rights one has
CREATE ROLE wf_test_group; SELECT wf_grant('wf_test_group', 'b', 'member');
SET ROLE wf_test_viewer; SELECT wf_current_tenant() IS NULL; RESET ROLE;
GRANT wf_test_group TO wf_test_viewer;
SET ROLE wf_test_viewer; SELECT wf_current_tenant(), wf_run('w', '{"secret": "by group"}')->>'status'; RESET ROLE;
REVOKE wf_test_group FROM wf_test_viewer;
SET ROLE wf_test_viewer; SELECT wf_current_tenant() IS NULL; SELECT wf_run('w'); RESET ROLE;
-- a superuser may look at any; of several of its own it acts for `default`
SELECT wf_current_tenant(); SELECT wf_use_tenant('b'); SELECT count(*) > 0 FROM wf_runs; RESET workflow.tenant;

DROP FUNCTION as_b;
DROP OWNED BY wf_test_a;
DROP EXTENSION workflow;
DROP FUNCTION echo;
DROP ROLE wf_test_a, wf_test_b, wf_test_both, wf_test_viewer, wf_test_group;
