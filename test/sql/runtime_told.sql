-- trigger.error: workflows that are told of runs that failed
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_app LOGIN;
CREATE ROLE wf_test_mute;
CREATE ROLE wf_test_foreign LOGIN;
RESET client_min_messages;
SELECT wf_grant('wf_test_app', 'default', 'member'), wf_grant('wf_test_mute', 'default', 'member');
SELECT wf_create_tenant('other') IS NOT NULL, wf_grant('wf_test_foreign', 'other', 'owner');
CREATE TABLE got (id int GENERATED ALWAYS AS IDENTITY, workflow text, role text, t jsonb);
GRANT ALL ON got TO PUBLIC;
CREATE FUNCTION tell(name text, type text, config jsonb DEFAULT '{}', settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('settings', settings, 'edges', '[{"source": "on", "target": "note"}]'::jsonb, 'nodes', jsonb_build_array(
		jsonb_build_object('id', 'on', 'type', type, 'config', config),
		jsonb_build_object('id', 'note', 'type', 'db.query', 'config', jsonb_build_object('sql', 'INSERT INTO got (workflow, role, t) VALUES ($1, current_user, $2::jsonb)', 'params', jsonb_build_array(name, '{{ $trigger }}')))))) $$;
CREATE FUNCTION notes(n int) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM until(format('SELECT count(*) >= %s FROM got', n));
	PERFORM until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
	RETURN QUERY SELECT format('%s %s %s', workflow, replace(role, session_user, '<owner>'), jsonb_build_array(t->'workflow', t->'version', t->'node', t#>'{error,code}', t#>'{error,message}', t->'input', (t->>'run_id') IS NOT NULL))
		FROM got ORDER BY workflow, t::text;
	DELETE FROM got;
END $$;
CREATE FUNCTION fails(name text, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('settings', settings, 'edges', '[]'::jsonb, 'nodes', '[{"id": "f", "type": "fail", "config": {"code": "E", "message": "no {{ $trigger.n }}"}}]'::jsonb)) $$;

SELECT test.error($$SELECT tell('w', 'trigger.error', '{"workflows": []}')$$);
SELECT test.error($$SELECT tell('w', 'trigger.error', '{"workflows": ["{{ $input }}"]}')$$);
SELECT tell('all', 'trigger.error');
SELECT tell('some', 'trigger.error', '{"workflows": ["b", "x"]}', '{"security": "definer"}');
SELECT fails('a'), fails('b');
SELECT workflow, node, state, target FROM wf_triggers WHERE type = 'trigger.error' ORDER BY 1;

-- all kinds of runs whose failure is recorded, and no others
SELECT wf_run('a', '{"n": 1}') ->> 'status';
SELECT wf_start('b', '{"n": 2}') AS id \gset
SELECT test.ends(:'id');
SELECT * FROM notes(3);
SELECT test.error($$SELECT wf_call('a', '{"n": 3}')$$);
SELECT wf_dry_run('a', '{"n": 4}') ->> 'status';
BEGIN;
SELECT wf_run('a', '{"n": 5}') ->> 'status';
ROLLBACK;
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]');
SELECT wf_run('go') ->> 'run_id' AS id \gset
SELECT wf_cancel(:'id');
SELECT * FROM notes(0);
SELECT workflow, trigger, status, count(*) FROM wf_runs WHERE workflow IN ('all', 'some') GROUP BY 1, 2, 3 ORDER BY 1;

-- as the failed run's role, or the owner of the version
SET ROLE wf_test_app;
SELECT wf_run('b', '{"n": 6}') ->> 'status';
RESET ROLE;
SELECT * FROM notes(2);
-- a run of a role for which there can be no worker fails as it would, and the log has it
SET ROLE wf_test_mute;
SELECT wf_run('b', '{"n": 7}') ->> 'status';
RESET ROLE;
SELECT * FROM notes(1);
SELECT workflow, failed_count, last_error FROM wf_triggers WHERE type = 'trigger.error' ORDER BY 1;

-- with errorWorkflow: that one as before, the others too, none twice
SELECT tell('named', 'trigger.error');
SELECT tell('plain', 'trigger.manual');
SELECT fails('c', '{"errorWorkflow": "named"}'), fails('d', '{"errorWorkflow": "plain"}'), fails('e', '{"errorWorkflow": "nobody"}');
SELECT wf_run('c', '{"n": 8}') ->> 'status';
SELECT * FROM notes(2);
SELECT wf_run('d', '{"n": 9}') ->> 'status';
SELECT * FROM notes(3);
SELECT wf_run('e', '{"n": 10}') ->> 'status';
SELECT * FROM notes(2);
SELECT wf_delete('named');
-- the error workflow begins at its trigger.error
SELECT wf_save('named', '{"nodes": [{"id": "m", "type": "trigger.manual"}, {"id": "on", "type": "trigger.error"}, {"id": "note", "type": "db.query", "config": {"sql": "INSERT INTO got (workflow, t) VALUES (''on'', $1::jsonb)", "params": ["{{ $trigger }}"]}}], "edges": [{"source": "on", "target": "note"}]}');
SELECT wf_run('c', '{"n": 11}') ->> 'status';
SELECT count(*) FROM notes(2);
SELECT wf_delete('named');

-- one that fails itself tells nobody, and is told of nothing of its own
SELECT wf_delete('all'), wf_delete('some'), wf_delete('plain');
SELECT wf_save('worse', '{"nodes": [{"id": "on", "type": "trigger.error"}, {"id": "m", "type": "trigger.manual"}, {"id": "f", "type": "fail", "config": {"message": "worse"}}], "edges": [{"source": "on", "target": "f"}, {"source": "m", "target": "f"}]}');
SELECT wf_save('as bad', '{"nodes": [{"id": "on", "type": "trigger.error"}, {"id": "f", "type": "fail", "config": {"message": "as bad"}}], "edges": [{"source": "on", "target": "f"}]}');
SELECT wf_run('a') ->> 'status';
SELECT until($$SELECT count(*) = 2 FROM wf_runs WHERE trigger = 'error' AND error->>'message' IN ('as bad', 'worse')$$);
SELECT wf_run('worse') ->> 'status';
SELECT until($$SELECT NOT EXISTS (SELECT FROM wf.queue)$$);
SELECT workflow, trigger, count(*) FROM wf_runs WHERE workflow IN ('worse', 'as bad') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT wf_delete('worse'), wf_delete('as bad');
-- what it starts is bounded
SELECT wf_save('deep', '{"nodes": [{"id": "on", "type": "trigger.error", "config": {"workflows": ["a"]}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "a", "mode": "child"}}], "edges": [{"source": "on", "target": "s"}]}');
SELECT wf_run('a') ->> 'status';
SELECT until($$SELECT failed_count > 0 FROM wf_triggers WHERE workflow = 'deep'$$);
SELECT last_error ->> 'code' FROM wf_triggers WHERE workflow = 'deep';
SELECT wf_delete('deep');

-- other tenants hear nothing
SET ROLE wf_test_foreign;
SELECT tell('all', 'trigger.error');
RESET ROLE;
SELECT wf_run('a', '{"n": 12}') ->> 'status';
SELECT * FROM notes(0);

SELECT * FROM test.clean();
SET client_min_messages = warning;
DROP OWNED BY wf_test_app, wf_test_mute, wf_test_foreign CASCADE;
DROP ROLE wf_test_app, wf_test_mute, wf_test_foreign;
