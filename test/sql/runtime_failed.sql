-- what runs failed over is there when wf_retry takes them up, and what they did is undone, whatever it was that they failed of
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
\set lib :root '/lib/faults.psql'
\i :lib
CREATE FUNCTION crash(what text, now timestamptz, run uuid, most int) RETURNS int LANGUAGE c AS '$libdir/workflow', 'wf_sql_test_keeper';
CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE parent (a int PRIMARY KEY);
CREATE TABLE kid (a int CONSTRAINT has_parent REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
-- a step that waits, one that can be committed when there is a parent, and what the first one got
CREATE FUNCTION save_wait(a jsonb) RETURNS int LANGUAGE sql AS $$
	SELECT save(jsonb_build_array(a || '{"id": "a"}') || '[{"id": "k", "type": "db.query", "config": {"sql": "INSERT INTO kid VALUES (1)", "outputFormat": "none"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.a.output.payload ?? $node.a.output }}"}}]',
		'[{"source": "a", "target": "k"}, {"source": "k", "target": "r"}]') $$;
-- two steps that wait beside each other
CREATE FUNCTION save_both() RETURNS int LANGUAGE sql AS $$
	SELECT save('[{"id": "t", "type": "task", "config": {"queue": "q"}}, {"id": "e", "type": "waitForEvent", "config": {"event": "e"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.t.output, $node.e.output.payload] }}"}}]', '[{"source": "t", "target": "r"}, {"source": "e", "target": "r"}]') $$;
-- the worker that waits for the lock 7
CREATE VIEW at_lock AS SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted
	AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- the commit fails: a task
SELECT save_wait('{"type": "task", "config": {"queue": "q"}}');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT wf_finish_task(task_id, '"task"') FROM wf_poll_tasks('q');
SELECT test.ends(:'id');
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
INSERT INTO parent VALUES (1);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
TRUNCATE parent, kid;
-- a signal
SELECT save_wait('{"type": "waitForEvent", "config": {"event": "e"}}');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT wf_signal(:'id', 'e', '"signal"');
SELECT test.ends(:'id');
INSERT INTO parent VALUES (1);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
TRUNCATE parent, kid;
-- an event; the buffer has it no more
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT wf_emit('e', '"event"');
SELECT test.ends(:'id');
DELETE FROM wf.event;
INSERT INTO parent VALUES (1);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
TRUNCATE parent, kid;
-- a child run: it is not executed again
SELECT wf_save('child', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "child"}}}, {"id": "r", "type": "return", "config": {"value": "of the child"}}], "edges": [{"source": "a", "target": "r"}]}');
SELECT save_wait('{"type": "subworkflow", "config": {"workflow": "child", "mode": "child"}}');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
INSERT INTO parent VALUES (1);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
TRUNCATE effects, parent, kid;
SELECT * FROM test.clean();

-- an administrator's cancel
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "e"}}, {"id": "l", "type": "db.query", "config": {"sql": "SELECT pg_advisory_xact_lock(7)", "outputFormat": "none"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.a.output.payload }}"}}]', '[{"source": "a", "target": "l"}, {"source": "l", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT pg_advisory_lock(7);
SELECT wf_signal(:'id', 'e', '"signal"');
SELECT until('SELECT EXISTS (SELECT FROM at_lock)');
SELECT pg_cancel_backend(pid) FROM at_lock;
SELECT test.ends(:'id');
SELECT pg_advisory_unlock(7);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');

-- the role loses its right, or what it needs to connect
CREATE ROLE runtime_failed LOGIN;
SELECT wf_grant('runtime_failed', 'default', 'member');
SELECT save_both();
SET ROLE runtime_failed;
SELECT wf_start('go') AS id \gset
RESET ROLE;
SELECT test.stands(:'id', 't', 'e');
BEGIN;
SELECT wf_revoke('runtime_failed', 'default');
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT wf_signal(:'id', 'e', '2');
COMMIT;
SELECT test.ends(:'id');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
SELECT wf_grant('runtime_failed', 'default', 'member');
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
-- no worker has ever been of this one
CREATE ROLE runtime_nologin LOGIN;
SELECT wf_grant('runtime_nologin', 'default', 'member');
SET ROLE runtime_nologin;
SELECT wf_run('go')->>'run_id' AS id \gset
RESET ROLE;
ALTER ROLE runtime_nologin NOLOGIN;
BEGIN;
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT wf_signal(:'id', 'e', '2');
COMMIT;
SELECT test.ends(:'id');
BEGIN;
ALTER ROLE runtime_nologin LOGIN;
SET LOCAL ROLE runtime_nologin;
SELECT wf_start('go') AS queued \gset
SELECT wf_signal(:'queued', 'e', '3');
RESET ROLE;
ALTER ROLE runtime_nologin NOLOGIN;
COMMIT;
SELECT test.ends(:'queued');
BEGIN;
ALTER ROLE runtime_nologin LOGIN;
SET LOCAL ROLE runtime_nologin;
SELECT wf_start('go', '{}', '{"delay": "1 h"}') AS delayed \gset
RESET ROLE;
ALTER ROLE runtime_nologin NOLOGIN;
COMMIT;
SELECT wf_signal(:'delayed', 'e', '4');
SELECT test.ends(:'delayed');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
-- when it is to compensate: nothing of it is executed as somebody else, and the error is the run's own
SELECT save('[{"id": "a", "type": "noop", "compensate": {"node": "u"}}, {"id": "u", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo"}}}, {"id": "w", "type": "waitForEvent", "config": {"event": "w"}}]', '[{"source": "a", "target": "w"}]');
BEGIN;
ALTER ROLE runtime_nologin LOGIN;
SET LOCAL ROLE runtime_nologin;
SELECT wf_run('go')->>'run_id' AS undone \gset
RESET ROLE;
ALTER ROLE runtime_nologin NOLOGIN;
UPDATE wf.live SET status = 'compensating', state = state || '{"failure": {"code": "E", "message": "its own"}, "cancelled": false}' WHERE run_id = :'undone';
SELECT count(send(tenant_id, run_id, role, priority, 7, 0, NULL, 1)) FROM wf.live WHERE run_id = :'undone';
COMMIT;
SELECT test.ends(:'undone');
SELECT error->>'detail' FROM wf_runs WHERE run_id = :'undone';
SELECT what FROM effects;
ALTER ROLE runtime_nologin LOGIN;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT wf_retry(:'queued')->>'status';
SELECT test.stands(:'queued', 't');
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT test.ends(:'queued');
SELECT wf_retry(:'delayed')->>'status';
SELECT test.stands(:'delayed', 't');
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT test.ends(:'delayed');
SELECT * FROM test.clean();

-- it took its worker down too often
SELECT save_both();
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 't', 'e');
BEGIN;
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT wf_emit('e', '2');
SELECT crash('crash', now(), :'id', 1);
COMMIT;
SELECT test.ends(:'id');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
DELETE FROM wf.event;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
-- before it began, with and without a gate: it is not begun, and its signals are kept
CREATE FUNCTION save_gated(settings jsonb) RETURNS int LANGUAGE sql AS $$
	SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "begun"}}}, {"id": "e", "type": "waitForEvent", "config": {"event": "e"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.e.output.payload }}"}}]', '[{"source": "a", "target": "e"}, {"source": "e", "target": "r"}]', settings) $$;
SELECT save_gated('{}');
BEGIN;
SELECT wf_start('go') AS id \gset
SELECT wf_signal(:'id', 'e', '"kept"');
SELECT crash('crash', now(), :'id', 1);
COMMIT;
SELECT test.ends(:'id');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT save_gated('{"maxConcurrency": 1}');
BEGIN;
SELECT wf_start('go') AS id \gset
SELECT wf_signal(:'id', 'e', '"kept"');
SELECT crash('crash', now(), :'id', 1);
COMMIT;
SELECT test.ends(:'id');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
SELECT status, attempt, finished_at IS NOT NULL FROM wf_runs WHERE run_id = :'id';
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT what FROM effects;
TRUNCATE effects;
SELECT * FROM test.clean();

-- what earlier segments did is compensated when the commit of a later one fails, or it is cancelled by an administrator
CREATE FUNCTION save_undo(fails text, undo text DEFAULT 'SELECT 1', retry jsonb DEFAULT NULL) RETURNS int LANGUAGE sql AS $$
	SELECT save(jsonb_strip_nulls(jsonb_build_array(
			'{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "ua"}}'::jsonb,
			'{"id": "ua", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo a"}}}'::jsonb,
			'{"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"what": "b"}}, "compensate": {"node": "ub"}}'::jsonb,
			jsonb_build_object('id', 'ub', 'type', 'db.query', 'config', jsonb_build_object('sql', 'WITH e AS (INSERT INTO effects (what) VALUES (''undo b'')) ' || undo, 'outputFormat', 'none'), 'retry', retry),
			'{"id": "w", "type": "waitForEvent", "config": {"event": "e"}}'::jsonb,
			jsonb_build_object('id', 'f', 'type', 'db.query', 'config', jsonb_build_object('sql', fails, 'outputFormat', 'none')))),
		'[{"source": "a", "target": "b"}, {"source": "b", "target": "w"}, {"source": "w", "target": "f"}]') $$;
SELECT save_undo('INSERT INTO kid VALUES (1)');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_signal(:'id', 'e');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT status FROM wf_runs WHERE run_id = :'id';
SELECT what FROM effects ORDER BY id;
TRUNCATE effects;
SELECT save_undo('SELECT pg_advisory_xact_lock(7)');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT pg_advisory_lock(7);
SELECT wf_signal(:'id', 'e');
SELECT until('SELECT EXISTS (SELECT FROM at_lock)');
SELECT pg_cancel_backend(pid) FROM at_lock;
SELECT test.ends(:'id'), test.steps(:'id');
SELECT pg_advisory_unlock(7);
SELECT what FROM effects ORDER BY id;
TRUNCATE effects;
-- when that cannot be begun, the run fails all the same
SELECT save_undo('INSERT INTO kid VALUES (1)');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT fault('settle.compensate:error');
SELECT wf_signal(:'id', 'e');
SELECT test.ends(:'id');
SELECT fault('');
INSERT INTO parent VALUES (1);
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT what FROM effects ORDER BY id;
TRUNCATE effects, parent, kid;
-- the commit of a compensation fails: it is tried again by its own policy
SELECT save_undo('SELECT 1/0', 'INSERT INTO kid VALUES (1)', '{"maxAttempts": 2, "initialDelay": "1 h"}');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_signal(:'id', 'e');
SELECT until('SELECT EXISTS (SELECT FROM wf.wait WHERE kind = ''retry'')');
SELECT what FROM effects ORDER BY id;
INSERT INTO parent VALUES (1);
UPDATE wf.wait SET wake_at = now();
SELECT clock(0);
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
TRUNCATE effects, parent, kid;
-- without one the others go on, and the run's error is the one that it failed with
SELECT save_undo('SELECT 1/0', 'INSERT INTO kid VALUES (1)');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_signal(:'id', 'e');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT error->>'detail' FROM wf_runs WHERE run_id = :'id';
SELECT test.error(format('SELECT wf_retry(%L)', :'id'));
SELECT what FROM effects ORDER BY id;
TRUNCATE effects;
-- nor when an administrator cancels one
SELECT save_undo('SELECT 1/0', 'SELECT pg_advisory_xact_lock(7)');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT pg_advisory_lock(7);
SELECT wf_signal(:'id', 'e');
SELECT until('SELECT EXISTS (SELECT FROM at_lock)');
SELECT pg_cancel_backend(pid) FROM at_lock;
SELECT test.ends(:'id'), test.steps(:'id');
SELECT pg_advisory_unlock(7);
SELECT error->>'detail' FROM wf_runs WHERE run_id = :'id';
SELECT what FROM effects ORDER BY id;
TRUNCATE effects;
SELECT * FROM test.clean();
SELECT wf_revoke('runtime_failed', 'default'), wf_revoke('runtime_nologin', 'default');
DROP ROLE runtime_failed, runtime_nologin;
