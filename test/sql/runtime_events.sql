-- trigger.event: events that start runs, at once and after a quiet time
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_app LOGIN;
CREATE ROLE wf_test_owner LOGIN;
CREATE ROLE wf_test_foreign LOGIN;
RESET client_min_messages;
SELECT wf_grant('wf_test_app', 'default', 'member'), wf_grant('wf_test_owner', 'default', 'owner');
SELECT wf_create_tenant('other') IS NOT NULL, wf_grant('wf_test_foreign', 'other', 'owner');
CREATE TABLE got (id int GENERATED ALWAYS AS IDENTITY, workflow text, role text, t jsonb);
GRANT ALL ON got TO PUBLIC;
-- a workflow that notes what started it
CREATE FUNCTION listen(name text, config jsonb, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('settings', settings, 'edges', '[{"source": "on", "target": "note"}]'::jsonb, 'nodes', jsonb_build_array(
		jsonb_build_object('id', 'on', 'type', 'trigger.event', 'config', config),
		jsonb_build_object('id', 'note', 'type', 'db.query', 'config', jsonb_build_object('sql', 'INSERT INTO got (workflow, role, t) VALUES ($1, current_user, $2::jsonb)', 'params', jsonb_build_array(name, '{{ $trigger }}')))))) $$;
-- so many notes, then which
CREATE FUNCTION notes(n int) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM until(format('SELECT count(*) >= %s FROM got', n));
	PERFORM until('SELECT NOT EXISTS (SELECT FROM wf.queue) AND NOT EXISTS (SELECT FROM wf.debounce)');
	RETURN QUERY SELECT format('%s %s %s', workflow, replace(role, session_user, '<owner>'), t) FROM got ORDER BY workflow, t::text;
	DELETE FROM got;
END $$;
CREATE VIEW state AS SELECT workflow, node, state, target, fired_count, failed_count, last_error->>'code' AS code, last_error->>'message' AS message FROM wf_triggers ORDER BY 1, 2;

-- what is refused when it is saved
SELECT test.error($$SELECT listen('w', '{}')$$);
SELECT test.error($$SELECT listen('w', '{"event": ""}')$$);
SELECT test.error($$SELECT listen('w', jsonb_build_object('event', repeat('x', 256)))$$);
SELECT test.error($$SELECT listen('w', jsonb_build_object('event', repeat('ü', 128)))$$);
SELECT test.error($$SELECT listen('w', '{"event": "{{ $input.x }}"}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "condition": "$trigger.payload.n >"}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "condition": "$vars.n > 1"}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "condition": "$node.note.output.n > 1"}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "condition": "$secrets.n"}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "debounce": -1}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "debounce": 1.5}')$$);
SELECT test.error($$SELECT listen('w', '{"event": "e", "debounce": 31536000001}')$$);
SELECT count(*) FROM wf_triggers;

-- in the emitter's transaction; each one that listens, once
SELECT wf_emit('order.paid', '{"n": 0}');
SELECT listen('one', '{"event": "order.paid"}');
SELECT listen('big', '{"event": "order.paid", "condition": "$trigger.payload.n > 10 && $input.event.startsWith(\"order\") && $trigger.count === 1"}', '{"security": "definer"}');
SELECT wf_emit('order.paid', '{"n": 1}', 'A'), wf_emit('order.paid', '{"n": 11}', 'B', 'id 1'), wf_emit('order.paid', '{"n": 12}', 'B', 'id 1'), wf_emit('order', '{"n": 13}');
SELECT * FROM notes(3);
SELECT correlation_id, trigger, status, workflow FROM wf_runs ORDER BY 1, 4;
BEGIN;
SELECT wf_emit('order.paid', '{"n": 20}');
ROLLBACK;
BEGIN;
SAVEPOINT s;
SELECT wf_emit('order.paid', '{"n": 21}');
ROLLBACK TO s;
SELECT wf_emit('order.paid', '{"n": 2}');
COMMIT;
SELECT * FROM notes(1);
SELECT * FROM state;

-- as whoever emits, or as the owner of the version; nobody else's tenant hears it
SET ROLE wf_test_app;
SELECT wf_emit('order.paid', '{"n": 30}');
SET ROLE wf_test_foreign;
SELECT wf_emit('order.paid', '{"n": 31}');
RESET ROLE;
SELECT * FROM notes(2);
-- a superuser without a membership may emit in another tenant, but no run of that can be its own
SELECT wf_revoke(session_user, 'other');
SET ROLE wf_test_foreign;
SELECT listen('theirs', '{"event": "order.paid"}');
RESET ROLE;
SET workflow.tenant = 'other';
SELECT wf_emit('order');
SELECT replace(test.error($$SELECT wf_emit('order.paid', '{"n": 32}')$$), session_user, '<owner>');
RESET workflow.tenant;
SET ROLE wf_test_foreign;
SELECT state, failed_count FROM wf_triggers;
SELECT wf_delete('theirs');
RESET ROLE;

-- a condition that fails is its trigger's alone
SELECT listen('bad', '{"event": "order.paid", "condition": "$trigger.payload.a.b.c"}');
SELECT wf_emit('order.paid', '{"n": 1}');
SELECT * FROM notes(1);
SELECT * FROM state WHERE workflow = 'bad';
SELECT wf_delete('bad');

-- disabled, paused, another version, another event
SELECT wf_disable_trigger('one', 'on');
SELECT wf_emit('order.paid', '{"n": 1}');
SELECT wf_enable_trigger('one', 'on');
SELECT wf_set_status('one', 'paused');
SELECT wf_emit('order.paid', '{"n": 1}');
SELECT wf_set_status('one', 'active');
SELECT wf_emit('order.paid', '{"n": 1}');
SELECT listen('one', '{"event": "order.sent"}');
SELECT wf_emit('order.paid', '{"n": 1}'), wf_emit('order.sent', '{"n": 1}');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT wf_emit('order.sent', '{"n": 2}');
COMMIT;
SELECT count(*) FROM notes(3);

-- one that starts itself comes to an end
SELECT wf_save('again', '{"nodes": [{"id": "on", "type": "trigger.event", "config": {"event": "again"}}, {"id": "emit", "type": "db.query", "config": {"sql": "SELECT wf_emit(''again'')"}}], "edges": [{"source": "on", "target": "emit"}]}');
SELECT wf_emit('again');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'again' AND status = 'failed'$$);
SELECT count(*), min(error->>'code') FROM wf_runs WHERE workflow = 'again';
SELECT * FROM state WHERE workflow = 'again';
SET workflow.max_trigger_chain = 0;
SELECT save('[{"id": "emit", "type": "db.query", "config": {"sql": "SELECT wf_emit(''again'')"}}]');
SELECT wf_run('go') #>> '{error,code}';
RESET workflow.max_trigger_chain;
SELECT wf_delete('again');

-- a quiet time: one run for each correlation, with the last payload and the count
SELECT listen('quiet', '{"event": "typed", "debounce": 100, "condition": "$trigger.payload.n !== 3"}');
BEGIN;
SELECT sum(wf_emit('typed', jsonb_build_object('n', n), CASE n % 2 WHEN 0 THEN 'even' END)) FROM generate_series(1, 6) n;
SELECT event, correlation, n, payload, chain, due_at - emitted_at FROM wf.debounce ORDER BY emitted_at, event_id;
COMMIT;
SELECT * FROM notes(2);
BEGIN;
SELECT wf_emit('typed', '{"n": 1}');
ROLLBACK;
SELECT count(*) FROM wf.debounce;
-- as the last one who emits
BEGIN;
SET LOCAL ROLE wf_test_app;
SELECT wf_emit('typed', '{"n": 7}', 'x');
SET LOCAL ROLE wf_test_owner;
SELECT wf_emit('typed', '{"n": 8}', 'x');
COMMIT;
SELECT * FROM notes(1);
-- what is put off is let go when the trigger does not fire any more
BEGIN;
SELECT wf_emit('typed', '{"n": 9}');
SELECT wf_disable_trigger('quiet', 'on');
COMMIT;
SELECT * FROM notes(0);
SELECT wf_enable_trigger('quiet', 'on');
BEGIN;
SELECT wf_emit('typed', '{"n": 10}');
SELECT listen('quiet', '{"event": "typed"}');
COMMIT;
SELECT * FROM notes(0);
SELECT wf_emit('typed', '{"n": 11}');
-- and runs as the version that is active by then
SELECT listen('quiet', '{"event": "typed", "debounce": 50}');
BEGIN;
SELECT wf_emit('typed', '{"n": 11}');
SELECT listen('quiet', '{"event": "typed", "debounce": 60}');
COMMIT;
SELECT * FROM notes(2);
SELECT version, count(*) FROM wf_runs WHERE workflow = 'quiet' GROUP BY 1 ORDER BY 1;
BEGIN;
SELECT wf_emit('typed', '{"n": 12}');
SELECT wf_delete('quiet');
COMMIT;
SELECT * FROM notes(0);
-- that one starts itself is found out, too
SELECT wf_save('echo', '{"nodes": [{"id": "on", "type": "trigger.event", "config": {"event": "echo", "debounce": 1}}, {"id": "emit", "type": "db.query", "config": {"sql": "SELECT wf_emit(''echo'')"}}], "edges": [{"source": "on", "target": "emit"}]}');
SELECT wf_emit('echo');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'echo' AND status = 'failed'$$);
SELECT count(*), min(error->>'code') FROM wf_runs WHERE workflow = 'echo';
SELECT wf_delete('echo');

-- a channel for others (who hears what is in the isolation tests)
SELECT test.error(format('SET workflow.notify_channel = %L', repeat('x', 64)));
SELECT format('SET workflow.notify_channel = %L', repeat('x', 63)) \gexec
SELECT wf_emit('a');
RESET workflow.notify_channel;
SET ROLE wf_test_app;
SET workflow.notify_channel = 'mine';
RESET ROLE;

-- a start is refused when its input is not what the trigger takes
SELECT wf_save('takes', '{"nodes": [{"id": "m", "type": "trigger.manual", "config": {"inputSchema": {"required": ["n"]}}}, {"id": "c", "type": "trigger.workflow", "config": {"inputSchema": {"required": ["c"]}}}], "edges": []}');
SELECT test.error($$SELECT wf_start('takes', '{}')$$);
SELECT test.error($$SELECT wf_start_many('takes', ARRAY['{"n": 1}', '{"m": 1}']::jsonb[])$$);
SELECT test.error($$SELECT wf_start('takes', '{"n": 1}', '{"trigger": "c"}')$$);
SELECT wf_start('takes', '{"n": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "s", "type": "subworkflow", "config": {"workflow": "takes", "mode": "child"}}]');
SELECT wf_start('go', '{"n": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT wf_start('go', '{"c": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "s", "type": "subworkflow", "config": {"workflow": "takes", "mode": "child", "errorHandling": "ignore"}}]');
SELECT wf_start('go', '{"n": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "s", "type": "subworkflow", "config": {"workflow": "takes", "mode": "detached", "errorHandling": "catch"}}, {"id": "r", "type": "return", "config": {"value": "{{ $error.code }}"}}]', '[{"source": "s", "sourceHandle": "error", "target": "r"}]');
SELECT wf_start('go', '{"n": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT count(*), count(*) FILTER (WHERE status = 'completed') FROM wf_runs WHERE workflow = 'takes';

SELECT * FROM test.clean();
SELECT count(*) FROM wf.debounce;
SET client_min_messages = warning;
DROP OWNED BY wf_test_app, wf_test_owner, wf_test_foreign CASCADE;
DROP ROLE wf_test_app, wf_test_owner, wf_test_foreign;
