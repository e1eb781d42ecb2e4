-- runs in the background that fail, are tried again, compensated, cancelled, paused, retried, migrated
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE gate (open bool);
INSERT INTO gate VALUES (false);
CREATE SEQUENCE tries;
CREATE FUNCTION flaky(n int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE t bigint := nextval('tries');
BEGIN INSERT INTO effects (what) VALUES ('try ' || t); IF t < n THEN RAISE EXCEPTION 'not yet: %', t; END IF; RETURN t; END $$;

-- delayed retries: each attempt is a transaction of its own
SELECT save('[{"id": "f", "type": "db.query", "config": {"sql": "SELECT flaky(3)", "outputFormat": "value"}, "retry": {"maxAttempts": 5, "initialDelay": "20 ms", "backoff": "exponential", "multiplier": 2}}]');
SELECT wf_run('go')->>'run_id' AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
-- used up: the error is the last attempt's; onError after it
SELECT setval('tries', 1, false);
SELECT save('[{"id": "f", "type": "db.query", "config": {"sql": "SELECT flaky(9)", "outputFormat": "value"}, "onError": "route", "retry": {"maxAttempts": 2, "initialDelay": "10 ms"}}, {"id": "e", "type": "return", "config": {"value": "{{ $error.message }}"}}]', '[{"source": "f", "sourceHandle": "error", "target": "e"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');

-- compensation: in reverse order, of committed segments only, with what was done
TRUNCATE effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "ua"}}, {"id": "ua", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo {{ $input.row.what }} {{ $node.a.output.row.what }} {{ $trigger.k }}"}}},
	{"id": "w", "type": "delay", "config": {"duration": 0.01}},
	{"id": "l", "type": "loop", "config": {"items": ["x", "y"]}}, {"id": "b", "type": "db.create", "parent": "l", "config": {"table": "effects", "values": {"what": "b {{ $item }}"}}, "compensate": {"node": "ub"}}, {"id": "ub", "type": "db.create", "parent": "l", "config": {"table": "effects", "values": {"what": "undo {{ $input.row.what }} {{ $item }} {{ $index }}"}}},
	{"id": "w2", "type": "delay", "config": {"duration": 0.01}},
	{"id": "c", "type": "db.create", "config": {"table": "effects", "values": {"what": "c"}}, "compensate": {"node": "uc"}}, {"id": "uc", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo c"}}},
	{"id": "f", "type": "fail", "config": {"code": "LATE", "message": "too late"}}]',
	'[{"source": "a", "target": "w"}, {"source": "w", "target": "l"}, {"source": "l", "target": "w2"}, {"source": "w2", "target": "c"}, {"source": "c", "target": "f"}]');
SELECT wf_start('go', '{"k": 5}') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
-- by a workflow with an input; a compensation is tried again, and what cannot be undone is told
SELECT wf_save('undo', '{"nodes": [{"id": "u", "type": "db.create", "config": {"table": "effects", "values": {"what": "undone by workflow {{ $trigger.of }}"}}}]}');
TRUNCATE effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"workflow": "undo", "input": {"of": "{{ $input.row.what }}"}}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "w"}, {"source": "w", "target": "f"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
SELECT setval('tries', 1, false);
SELECT save('[{"id": "a", "type": "noop", "compensate": {"node": "u"}}, {"id": "u", "type": "db.query", "config": {"sql": "SELECT flaky(3)"}, "retry": {"maxAttempts": 5, "initialDelay": "10 ms"}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "w"}, {"source": "w", "target": "f"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "a", "type": "noop", "compensate": {"node": "u"}}, {"id": "u", "type": "db.query", "config": {"sql": "SELECT 1/0"}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "w"}, {"source": "w", "target": "f"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT error->>'detail' FROM wf_runs WHERE run_id = :'id';

-- cancel: before it begins, while it waits; with compensation only when asked for
TRUNCATE effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "u"}}, {"id": "u", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo a"}}}, {"id": "w", "type": "delay", "config": {"duration": "1 h"}}]', '[{"source": "a", "target": "w"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_cancel(:'id', 'not wanted');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT error->>'detail', finished_at IS NOT NULL FROM wf_runs WHERE run_id = :'id';
SELECT wf_cancel(:'id'), wf_cancel('01a00000-0000-7000-8000-000000000000');
SELECT what FROM effects ORDER BY id;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "u"}}, {"id": "u", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo a"}}}, {"id": "w", "type": "delay", "config": {"duration": "1 h"}}]', '[{"source": "a", "target": "w"}]', '{"compensateOnCancel": true}');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_cancel(:'id');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
SELECT wf_start('go', '{}', '{"delay": "1 h"}') AS id \gset
SELECT status, wake_at > now() FROM wf_runs WHERE run_id = :'id';
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
-- a segment that is being executed is interrupted
SELECT save('[{"id": "s", "type": "db.query", "config": {"sql": "SELECT pg_sleep(3600)"}}]');
SELECT wf_start('go') AS id \gset
DO $$ BEGIN FOR i IN 1..15000 LOOP EXIT WHEN EXISTS (SELECT FROM wf_runs WHERE status = 'running'); PERFORM pg_sleep(0.002); END LOOP; END $$;
SELECT status FROM wf_runs WHERE run_id = :'id';
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');

-- pause and resume: what comes meanwhile is kept
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "r", "type": "return", "config": {"value": "{{ $input.payload }}"}}]', '[{"source": "e", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT wf_pause(:'id');
SELECT status FROM wf_runs WHERE run_id = :'id';
SELECT wf_signal(:'id', 'go', '"later"');
DO $$ BEGIN FOR i IN 1..15000 LOOP EXIT WHEN EXISTS (SELECT FROM wf.held); PERFORM pg_sleep(0.002); END LOOP; END $$;
SELECT status FROM wf_runs WHERE run_id = :'id';
SELECT wf_resume(:'id');
SELECT test.ends(:'id');
SELECT wf_resume(:'id'), wf_pause(:'id');
SELECT wf_start('go', '{}', '{"delay": "1 h"}') AS id \gset
SELECT test.error(format('SELECT wf_resume(%L)', :'id'));
SELECT wf_cancel(:'id');

-- retry: the segment that failed is begun again, with what it had begun with
TRUNCATE effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"what": "b"}}}, {"id": "g", "type": "db.findOne", "config": {"table": "gate"}}, {"id": "i", "type": "if", "config": {"condition": "$node.g.output.row.open"}}, {"id": "f", "type": "fail", "config": {"code": "SHUT", "message": "shut"}}, {"id": "r", "type": "return", "config": {"value": "{{ $run.attempt }}"}}]', '[{"source": "a", "target": "w"}, {"source": "w", "target": "b"}, {"source": "b", "target": "g"}, {"source": "g", "target": "i"}, {"source": "i", "sourceHandle": "false", "target": "f"}, {"source": "i", "sourceHandle": "true", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT workflow, version, error->>'code', attempts FROM wf_dead_letters WHERE run_id = :'id';
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT status, attempt FROM wf_runs WHERE run_id = :'id';
UPDATE gate SET open = true;
SELECT wf_retry(run_id)->>'status' FROM wf_dead_letters WHERE run_id = :'id';
SELECT test.ends(:'id');
SELECT what FROM effects ORDER BY id;
SELECT count(*) FROM wf_dead_letters WHERE run_id = :'id';
SELECT test.error(format('SELECT wf_retry(%L)', :'id'));
SELECT wf_retry('01a00000-0000-7000-8000-000000000000');
-- from a named node
UPDATE gate SET open = false;
TRUNCATE effects;
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id', 'x');
SELECT wf_retry(:'id', 'a')->>'status';
SELECT test.ends(:'id');
SELECT what FROM effects ORDER BY id;
-- one that failed at once begins anew
UPDATE gate SET open = false;
SELECT save('[{"id": "g", "type": "db.findOne", "config": {"table": "gate"}}, {"id": "i", "type": "if", "config": {"condition": "$node.g.output.row.open"}}, {"id": "f", "type": "fail", "config": {"code": "SHUT", "message": "shut"}}, {"id": "r", "type": "noop"}]', '[{"source": "g", "target": "i"}, {"source": "i", "sourceHandle": "false", "target": "f"}, {"source": "i", "sourceHandle": "true", "target": "r"}]');
SELECT wf_start('go', '{"k": 1}', '{"idempotencyKey": "one", "tags": ["t"], "correlationId": "c"}') AS id \gset
SELECT test.ends(:'id');
SELECT wf_retry(:'id', 'r');
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT status, attempt, input, tags, correlation_id FROM wf_runs WHERE run_id = :'id';
SELECT wf_start('go', '{"k": 2}', '{"idempotencyKey": "one"}') = :'id';
SELECT test.error($$SELECT wf_start('go', '{"k": 2}', '{"idempotencyKey": "one", "onConflict": "error"}')$$);
-- other branches that were waiting wait again, and their tasks are open again
SELECT save('[{"id": "t", "type": "task", "config": {"queue": "q"}}, {"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT 1 / (SELECT count(*) FROM gate WHERE open)"}}, {"id": "j", "type": "noop"}]', '[{"source": "e", "target": "x"}, {"source": "x", "target": "j"}, {"source": "t", "target": "j"}]');
UPDATE gate SET open = false;
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 't', 'e');
SELECT wf_signal(:'id', 'go');
SELECT test.ends(:'id');
SELECT status FROM wf_tasks WHERE run_id = :'id';
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT test.stands(:'id', 't');
SELECT wf_finish_task(task_id, '{"done": true}') FROM wf_poll_tasks('q');
SELECT test.ends(:'id');

-- migrate: a waiting run goes on with another version, if that has what it stands at
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "r", "type": "return", "config": {"value": "old"}}]', '[{"source": "e", "target": "r"}]') AS old \gset
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT save('[{"id": "other", "type": "noop"}]') AS other \gset
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "n", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": "new"}}]', '[{"source": "e", "target": "n"}, {"source": "n", "target": "r"}]') AS new \gset
SELECT wf_migrate(:'id', :other);
SELECT wf_migrate(:'id', 1000);
SELECT wf_migrate(:'id', :new);
SELECT wf_signal(:'id', 'go');
SELECT test.ends(:'id');
SELECT version = :new FROM wf_runs WHERE run_id = :'id';
SELECT test.error(format('SELECT wf_migrate(%L, %s)', :'id', :old));
SELECT * FROM test.clean();

-- a workflow that is told of failures
SELECT wf_save('told', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "{{ [$trigger.workflow, $trigger.node, $trigger.error.code, $trigger.input.k].join() }}"}}}]}');
TRUNCATE effects;
SELECT save('[{"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[]', '{"errorWorkflow": "told"}');
SELECT wf_start('go', '{"k": 9}') AS id \gset
SELECT test.ends(:'id');
SELECT test.ends(run_id) ~ '^completed' FROM wf_runs WHERE workflow = 'told';
SELECT what FROM effects;
SELECT * FROM test.clean();

-- a time-out of the run is compensated, however late it is by then
TRUNCATE effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "u"}}, {"id": "u", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo a"}}}, {"id": "w", "type": "delay", "config": {"duration": "1 h"}}]', '[{"source": "a", "target": "w"}]', '{"timeout": "50 ms"}');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what FROM effects ORDER BY id;
-- a start that is left out does not keep its key
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]', '[]', '{"maxConcurrency": 1, "concurrencyPolicy": "skip"}');
SELECT wf_start('go') AS a \gset
SELECT wf_start('go', '{}', '{"idempotencyKey": "left out"}') IS NULL;
SELECT test.stands(:'a', 'e');
SELECT seq, node, status, segment FROM wf_steps WHERE run_id = :'a';
SELECT wf_cancel(:'a');
SELECT test.ends(:'a');
SELECT wf_start('go', '{}', '{"idempotencyKey": "left out"}') AS b \gset
SELECT test.stands(:'b', 'e');
SELECT wf_cancel(:'b');
SELECT test.ends(:'b');
-- a pause that has not taken effect is taken back
SELECT save('[{"id": "s", "type": "db.query", "config": {"sql": "SELECT pg_sleep(3600)"}}]');
SELECT wf_start('go') AS id \gset
DO $$ BEGIN FOR i IN 1..15000 LOOP EXIT WHEN EXISTS (SELECT FROM wf_runs WHERE status = 'running'); PERFORM pg_sleep(0.002); END LOOP; END $$;
SELECT wf_pause(:'id'), wf_resume(:'id');
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
-- nothing is written in a transaction that reads only
BEGIN READ ONLY;
SAVEPOINT s;
SELECT wf_start('go');
ROLLBACK TO s;
SELECT wf_cancel('01a00000-0000-7000-8000-000000000000');
ROLLBACK TO s;
SELECT wf_emit('go');
ROLLBACK;
SELECT * FROM test.clean();
