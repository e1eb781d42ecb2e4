-- Nobody's open transaction keeps the keeper from its work, and it takes nothing away that somebody has in hand. A
-- prepared transaction is the one that stays open.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
\set lib :root '/lib/faults.psql'
\i :lib
CREATE FUNCTION keeper(what text, now timestamptz DEFAULT clock_timestamp(), run uuid DEFAULT '00000000-0000-0000-0000-000000000000', most int DEFAULT 1000) RETURNS int LANGUAGE c AS '$libdir/workflow', 'wf_sql_test_keeper';
CREATE FUNCTION ended(run uuid) RETURNS bool LANGUAGE sql AS $$ SELECT until(format('SELECT EXISTS (SELECT FROM wf_runs WHERE run_id = %L AND finished_at IS NOT NULL)', run)) $$;
CREATE TABLE gate (open bool);
INSERT INTO gate VALUES (false);
CREATE FUNCTION pass() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF NOT (SELECT open FROM gate) THEN RAISE 'shut'; END IF; RETURN 1; END $$;
SELECT wf_save('nap', '{"nodes": [{"id": "d", "type": "delay", "config": {"duration": 0.001}}]}');
SELECT wf_save('wait', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}');
SELECT wf_save('shut', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}]}');

-- a comment on a task that is to be escalated, and a sign of life for the last lease of another
SELECT wf_save('ask', '{"nodes": [{"id": "a", "type": "approval", "config": {"title": "t", "assignees": ["wf_engine"], "escalate": {"after": "1h", "to": ["wf_engine"]}}}]}');
SELECT wf_save('work', '{"nodes": [{"id": "t", "type": "task", "config": {"queue": "q", "maxAttempts": 1}}]}');
SELECT wf_start('ask') AS ask, wf_start('work') AS work \gset
SELECT test.stands(:'ask', 'a'), test.stands(:'work', 't');
SELECT task_id AS leased FROM wf_poll_tasks('q') \gset
SELECT fault('keeper.waits_fired:hold');
SELECT wf_start('nap') AS nap \gset
SELECT until($$SELECT fault('?') = ''$$);
UPDATE wf.task SET escalate_at = now() WHERE run_id = :'ask';
UPDATE wf.task SET lease_until = now() WHERE run_id = :'work';
BEGIN;
SELECT wf_comment_task(task_id, 'wait') FROM wf_tasks WHERE run_id = :'ask';
PREPARE TRANSACTION 'wf_keeper_comment';
BEGIN;
SELECT wf_heartbeat(:'leased');
PREPARE TRANSACTION 'wf_keeper_heartbeat';
SELECT fault('');
SELECT wf_start('nap') AS nap \gset
SELECT ended(:'nap');
SELECT run_id = :'ask', status, escalate_at IS NULL AS escalated FROM wf.task ORDER BY 1;
COMMIT PREPARED 'wf_keeper_comment';
ROLLBACK PREPARED 'wf_keeper_heartbeat';
SELECT until($$SELECT count(*) = 1 FROM wf.task WHERE status = 'open' AND escalate_at IS NULL AND assignees = '{wf_engine,wf_engine}'$$);
SELECT jsonb_array_length(comments) FROM wf.task WHERE run_id = :'ask';
SELECT test.ends(:'work');
SELECT wf_cancel(:'ask');
SELECT test.ends(:'ask');

-- a run of a role that cannot connect is about to be paused
CREATE ROLE wf_test_keeper LOGIN;
SELECT wf_grant('wf_test_keeper', 'default', 'member');
SET ROLE wf_test_keeper;
SELECT wf_start('wait') AS id \gset
RESET ROLE;
SELECT test.stands(:'id', 'e');
BEGIN;
SELECT wf_pause(:'id');
PREPARE TRANSACTION 'wf_keeper_pause';
SELECT fault('keeper.roles_locked:sleep:1:1');
ALTER ROLE wf_test_keeper NOLOGIN;
SELECT count(pg_terminate_backend(pid)) >= 0 FROM pg_stat_activity WHERE backend_type = 'workflow worker' AND usename = 'wf_test_keeper';
SELECT wf_signal(:'id', 'go');
SELECT until($$SELECT fault('?') = ''$$);
SELECT wf_start('nap') AS nap \gset
SELECT ended(:'nap');
ROLLBACK PREPARED 'wf_keeper_pause';
SELECT test.ends(:'id');
SELECT wf_revoke('wf_test_keeper', 'default');
DROP ROLE wf_test_keeper;
SELECT * FROM test.clean();

-- a crash is to be counted when somebody else has the run in hand
UPDATE gate SET open = true;
SELECT fault('run.settle:hold');
SELECT wf_start('shut') AS id \gset
SELECT until($$SELECT fault('?') = ''$$);
SELECT keeper('crash', run => :'id', most => 1);
SELECT fault('');
SELECT test.ends(:'id');
SELECT * FROM test.clean();

-- history is too old, and a run is being taken out of it
SET workflow.retention = '1d';
SET lock_timeout = '5s';
UPDATE gate SET open = false;
SELECT wf_start('shut', '{}', '{"idempotencyKey": "k"}') AS id \gset
SELECT test.ends(:'id');
UPDATE gate SET open = true;
BEGIN;
SELECT wf_retry(:'id')->>'status';
PREPARE TRANSACTION 'wf_keeper_retry';
BEGIN;
SELECT wf_comment_task(task_id, 'late') FROM wf.task WHERE run_id = :'ask';
PREPARE TRANSACTION 'wf_keeper_comment';
SELECT keeper('expire', now() + '2d') > 0;
SELECT count(*) FROM wf.run;
SELECT count(*) FROM wf.task;
COMMIT PREPARED 'wf_keeper_retry';
ROLLBACK PREPARED 'wf_keeper_comment';
SELECT test.ends(:'id');
SELECT segment, status FROM wf.segment WHERE run_id = :'id' ORDER BY 1;
SELECT wf_start('shut', '{}', '{"idempotencyKey": "k"}') = :'id';
SELECT keeper('expire', now() + '2d');
SELECT count(*) FROM wf.task;
-- the same with a partition
UPDATE gate SET open = false;
SELECT wf_start('shut') AS id \gset
SELECT test.ends(:'id');
SELECT keeper('partitions', '2030-01-02') > 0;
CREATE FUNCTION old(r anyelement) RETURNS anyelement LANGUAGE sql AS $$
	SELECT jsonb_populate_record(r, jsonb_build_object('run_id', lpad(to_hex(extract(epoch FROM timestamptz '2030-01-09')::bigint * 1000), 12, '0') || '70008000000000000001',
		'finished_at', '2030-01-09', 'idempotency_key', 'old')) $$;
INSERT INTO wf.run SELECT (old(r)).* FROM wf.run r WHERE run_id = :'id' RETURNING run_id AS old \gset
INSERT INTO wf.failed SELECT (old(f)).* FROM wf.failed f WHERE run_id = :'id';
INSERT INTO wf.idempotency SELECT tenant_id, workflow_id, 'old', run_id FROM wf.run WHERE run_id = :'old';
SELECT tableoid::regclass FROM wf.run WHERE run_id = :'old';
UPDATE gate SET open = true;
BEGIN;
SELECT wf_retry(:'old')->>'status';
PREPARE TRANSACTION 'wf_keeper_retry';
SELECT keeper('expire', '2030-02-01');
SELECT to_regclass('wf.run_20300107_0000') IS NOT NULL;
COMMIT PREPARED 'wf_keeper_retry';
SELECT test.ends(:'old');
SELECT wf_start('shut', '{}', '{"idempotencyKey": "old"}') = :'old';
SELECT keeper('expire', '2030-02-01');
SELECT to_regclass('wf.run_20300107_0000') IS NOT NULL, (SELECT count(*) FROM wf.idempotency);
RESET workflow.retention;
RESET lock_timeout;
SELECT * FROM test.clean();

-- cancelRunning: who is passing the gate is cancelled, too, and who waits at it
SELECT wf_save('last', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}], "settings": {"concurrencyKey": "$input.k", "concurrencyPolicy": "cancelRunning"}}');
SELECT fault('gate.opened:hold');
SELECT wf_start('last', '{"k": 1}') AS one \gset
SELECT until($$SELECT fault('?') = ''$$);
SELECT wf_start('last', '{"k": 1}') AS two \gset
SELECT fault('');
SELECT ended(:'one'), test.stands(:'two', 'e');
SELECT test.ends(:'one');
BEGIN;
SELECT wf_start('last', '{"k": 1}') AS three \gset
SELECT wf_start('last', '{"k": 1}') AS four \gset
COMMIT;
SELECT ended(:'two'), ended(:'three'), test.stands(:'four', 'e');
SELECT test.ends(:'two'), test.ends(:'three');
CREATE TABLE many AS SELECT * FROM wf_start_many('last', ARRAY['{"k": 1}', '{"k": 2}', '{"k": 1}']::jsonb[]) WITH ORDINALITY m (id, n);
SELECT ended(:'four'), test.stands(id, 'e') FROM many WHERE n > 1;
SELECT n, status FROM many JOIN wf_runs ON run_id = id ORDER BY n;
SELECT wf_cancel(id) FROM many WHERE n > 1;
SELECT ended(id) FROM many;
SELECT * FROM test.clean();

-- the run that has the key moves on while it is looked for
SELECT fault('run.settle:hold');
SELECT wf_start('shut', '{}', '{"idempotencyKey": "moves"}') AS id \gset
SELECT until($$SELECT fault('?') = ''$$);
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM wf.queue WHERE run_id = :'id';
SELECT fault('');
SELECT test.ends(:'id');
SELECT wf_run('shut', '{}', '{"idempotencyKey": "moves"}') ->> 'status';
SELECT wf_call('shut', '{}', '{"idempotencyKey": "moves"}');
COMMIT;

-- a task that is opened again is escalated when it is time
UPDATE gate SET open = false;
SELECT wf_save('again', '{"nodes": [{"id": "a", "type": "approval", "config": {"title": "t", "assignees": ["wf_engine"], "escalate": {"after": "1h", "to": ["wf_engine"]}}}, {"id": "e", "type": "task", "config": {"queue": "q"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}], "edges": [{"source": "e", "target": "x"}]}');
SELECT wf_start('again') AS id \gset
SELECT test.stands(:'id', 'a', 'e');
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('q');
SELECT test.ends(:'id');
UPDATE gate SET open = true;
UPDATE wf.task SET escalate_at = now() WHERE run_id = :'id' AND node = 'a';
SELECT wf_retry(:'id')->>'status';
SELECT until($$SELECT count(*) = 1 FROM wf.task WHERE status = 'open' AND escalate_at IS NULL$$);
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
SELECT * FROM test.clean();
