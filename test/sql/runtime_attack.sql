-- what goes wrong with runs in the background when things come together: each of these did once, or might
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
\set lib :root '/lib/faults.psql'
\i :lib
CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE gate (open bool);
INSERT INTO gate VALUES (false);
CREATE FUNCTION pass() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF NOT (SELECT open FROM gate) THEN RAISE 'shut'; END IF; RETURN 1; END $$;
SELECT wf_save('quick', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "quick"}}}]}');
-- workers that have seen quick runs take several messages at once
CREATE PROCEDURE warm_up() LANGUAGE plpgsql AS $$ BEGIN
	PERFORM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[300]));
	COMMIT;
	WHILE EXISTS (SELECT FROM wf.queue) LOOP PERFORM pg_sleep(0.002); END LOOP;
	DELETE FROM effects;
END $$;

-- messages that are dealt with in one segment come again together when that failed and is retried
CREATE TABLE modes AS SELECT * FROM (VALUES
	('signal', '[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "b"}}]'::jsonb),
	('task', '[{"id": "a", "type": "task", "config": {"queue": "a"}}, {"id": "b", "type": "task", "config": {"queue": "b"}}]')) m (mode, nodes);
CREATE FUNCTION save_mode(which text) RETURNS int LANGUAGE sql AS $$
	SELECT save(nodes || '[{"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}, {"id": "c", "type": "waitForEvent", "config": {"event": "kept"}}, {"id": "j", "type": "return", "config": {"value": "{{ [$node.a.output, $node.b.output, $node.c.output.payload] }}"}}]',
		'[{"source": "b", "target": "x"}, {"source": "x", "target": "j"}, {"source": "a", "target": "c"}, {"source": "c", "target": "j"}]') FROM modes WHERE mode = which $$;
SELECT save_mode('signal');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
-- one that nobody waits for yet is kept too
SELECT wf_signal(:'id', 'kept', '3');
CALL warm_up();
BEGIN;
SELECT wf_signal(:'id', 'a', '1');
SELECT wf_signal(:'id', 'b', '2');
COMMIT;
SELECT test.ends(:'id');
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
UPDATE gate SET open = false;
SELECT save_mode('task');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
CALL warm_up();
BEGIN;
SELECT wf_finish_task(task_id, '1') FROM wf_poll_tasks('a');
SELECT wf_finish_task(task_id, '2') FROM wf_poll_tasks('b');
COMMIT;
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT wf_signal(:'id', 'kept', '3');
SELECT test.ends(:'id');
-- a task that is finished when the run has failed over another one, but did not know
UPDATE gate SET open = false;
SELECT save_mode('task');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
-- as if its message had been on its way
BEGIN;
SELECT wf_finish_task(task_id, '2') FROM wf_poll_tasks('b');
UPDATE wf.task SET status = 'done' WHERE run_id = :'id' AND node = 'a';
COMMIT;
SELECT test.ends(:'id');
SELECT count(send(tenant_id, run_id, role, 0, 4, step, '{"result": 1}', 1)) FROM wf.task WHERE run_id = :'id' AND node = 'a';
UPDATE gate SET open = true;
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
SELECT wf_retry(:'id')->>'status';
SELECT wf_signal(:'id', 'kept', '3');
SELECT test.ends(:'id');
-- a child run that completed is not executed again when what comes after it failed
UPDATE gate SET open = false;
SELECT wf_save('child', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "child"}}}]}');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}]', '[{"source": "c", "target": "x"}]');
DELETE FROM effects;
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
SELECT * FROM test.clean();

-- pause and resume: what is delayed stays so; what is kept back goes with the run; a second "go on" does nothing
SELECT save('[{"id": "a", "type": "noop"}]');
SELECT wf_start('go', '{}', '{"delay": "1 h"}') AS id \gset
SELECT wf_pause(:'id'), wf_resume(:'id');
SELECT wf_await(:'id', '0.2 s')->>'status';
SELECT wf_cancel(:'id');
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT wf_pause(:'id');
SELECT wf_signal(:'id', 'a');
SELECT until('SELECT EXISTS (SELECT FROM wf.held)');
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
DELETE FROM effects;
SELECT wf_save('child', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "child"}}}, {"id": "w", "type": "delay", "config": {"duration": 0.1}}], "edges": [{"source": "a", "target": "w"}]}');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child"}}]');
BEGIN;
SELECT wf_start('go') AS id \gset
SELECT wf_pause(:'id'), wf_resume(:'id'), wf_pause(:'id'), wf_resume(:'id');
COMMIT;
SELECT test.ends(:'id') ~ 'completed';
SELECT what, count(*) FROM effects GROUP BY 1;
SELECT * FROM test.clean();

-- a gate lets no more through than its size, whatever was done to those who wait at it
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}]', '[]', '{"maxConcurrency": 1}') AS v \gset
CREATE TABLE at_gate AS SELECT 1 AS n, wf_start('go') AS id;
SELECT test.stands(id, 'a') FROM at_gate;
INSERT INTO at_gate SELECT 2, wf_start('go', '{}', '{"delay": 0.02}');
INSERT INTO at_gate SELECT n, wf_start('go') FROM generate_series(3, 6) n;
SELECT wf_pause(id), wf_resume(id) FROM at_gate WHERE n = 3;
SELECT wf_migrate(id, :v) FROM at_gate WHERE n = 4;
SELECT wf_signal(id, 'a', '"early"') FROM at_gate WHERE n = 5;
SELECT wf_signal(id, 'b'), wf_pause(id) FROM at_gate WHERE n = 6;
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue) AND NOT EXISTS (SELECT FROM wf.wait WHERE wake_at IS NOT NULL)');
SELECT n, status, current_nodes FROM wf_runs JOIN at_gate ON id = run_id ORDER BY n;
SELECT count(*) FROM wf.gate;
SELECT wf_resume(id) FROM at_gate WHERE n = 6;
SELECT wf_signal(id, 'a', '"late"') FROM at_gate WHERE n <> 5;
SELECT test.ends(id) FROM at_gate ORDER BY n;
-- a run that is retried has to pass it again
UPDATE gate SET open = false;
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}]', '[{"source": "a", "target": "x"}]', '{"maxConcurrency": 1}');
SELECT wf_start('go') AS one \gset
SELECT wf_signal(:'one', 'a');
SELECT test.ends(:'one');
UPDATE gate SET open = true;
SELECT wf_start('go') AS two \gset
SELECT test.stands(:'two', 'a');
SELECT wf_retry(:'one')->>'status';
SELECT wf_await(:'one', '0.2 s')->>'status';
SELECT wf_signal(:'two', 'a');
SELECT test.ends(:'two'), test.ends(:'one');
SELECT * FROM test.clean();
-- a start that is locked when there is room for it goes as soon as it is not
SELECT save('[{"id": "l", "type": "db.query", "config": {"sql": "SELECT pg_advisory_xact_lock(7)"}}, {"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.a.output.payload }}"}}]', '[{"source": "l", "target": "a"}, {"source": "a", "target": "r"}]', '{"maxConcurrency": 1}');
SELECT wf_start('go') AS one \gset
SELECT test.stands(:'one', 'a');
SELECT wf_start('go') AS two \gset
SELECT fault('run.settle:hold');
SELECT wf_signal(:'one', 'a', '1');
SELECT until($$SELECT fault('?') = ''$$);
BEGIN;
SELECT count(*) FROM (SELECT FROM wf.held FOR UPDATE) h;
SELECT fault('keeper.gates_locked:sleep:1:1');
SELECT until($$SELECT fault('?') = ''$$);
COMMIT;
SELECT test.ends(:'one');
SELECT test.stands(:'two', 'a');
-- a signal is kept, also when the start that it is for comes through the gate while a worker looks for it
SELECT pg_advisory_lock(7);
SELECT wf_start('go') AS three \gset
SELECT until('SELECT EXISTS (SELECT FROM wf.held)');
SELECT fault('queue.no_start:hold');
SELECT wf_signal(:'three', 'a', '3');
SELECT until($$SELECT fault('?') = ''$$);
DELETE FROM wf.gate;
SELECT clock(0);
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.held)');
SELECT fault('');
SELECT until($$SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted)$$);
SELECT pg_advisory_unlock(7);
SELECT test.ends(:'three');
SELECT wf_signal(:'two', 'a', '2');
SELECT test.ends(:'two');
SELECT * FROM test.clean();
-- what a run was sent is there when it failed before it could ask, and is retried; no worker is busy with it meanwhile
UPDATE gate SET open = false;
SELECT save('[{"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "b"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.a.output.payload, $node.b.output.payload] }}"}}]', '[{"source": "x", "target": "a"}, {"source": "a", "target": "b"}, {"source": "b", "target": "r"}]');
BEGIN;
SELECT wf_start('go') AS one \gset
SELECT wf_signal(:'one', 'b', '"b"'), wf_signal(:'one', 'a', '"a"');
COMMIT;
SELECT test.ends(:'one');
SELECT * FROM test.clean();
SELECT jsonb_array_length(signals) FROM wf.failed WHERE run_id = :'one';
SELECT wf_retry(:'one')->>'status';
SELECT test.ends(:'one');
SELECT jsonb_array_length(signals) FROM wf.failed WHERE run_id = :'one';
UPDATE gate SET open = true;
SELECT wf_retry(:'one')->>'status';
SELECT test.ends(:'one');
-- and at a gate
UPDATE gate SET open = false;
SELECT save('[{"id": "f", "type": "waitForEvent", "config": {"event": "f"}}]', '[]', '{"concurrencyKey": "\"k\""}');
SELECT wf_start('go') AS first \gset
SELECT test.stands(:'first', 'f');
SELECT save('[{"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.a.output.payload }}"}}]', '[{"source": "x", "target": "a"}, {"source": "a", "target": "r"}]', '{"concurrencyKey": "\"k\""}');
SELECT wf_start('go') AS second \gset
SELECT wf_signal(:'second', 'a', '"kept"');
SELECT until('SELECT count(*) = 2 FROM wf.held');
SELECT wf_signal(:'first', 'f');
SELECT test.ends(:'first'), test.ends(:'second');
UPDATE gate SET open = true;
SELECT wf_retry(:'second')->>'status';
SELECT test.ends(:'second');
SELECT * FROM test.clean();

-- time-outs around containers whose branches are child runs
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2], "mode": "workers"}}, {"id": "w", "type": "delay", "parent": "l", "config": {"duration": "1 h"}}]');
SELECT wf_start('go', '{}', '{"timeout": "50 ms"}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "timeout": "50 ms", "config": {"items": [1, 2], "mode": "workers"}}, {"id": "w", "type": "delay", "parent": "l", "config": {"duration": "1 h"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}], "timeout": 0.05}}, {"id": "l", "type": "loop", "parent": "p", "branch": "x", "config": {"items": [1, 2], "mode": "workers"}}, {"id": "w", "type": "delay", "parent": "l", "config": {"duration": "1 h"}}, {"id": "t", "type": "return", "config": {"value": "in time"}}]', '[{"source": "p", "sourceHandle": "timeout", "target": "t"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- what such a branch sees of the containers around it, and what is told of its error
SELECT save('[{"id": "o", "type": "loop", "config": {"items": ["a", "b"]}}, {"id": "t", "type": "try", "parent": "o"}, {"id": "f", "type": "fail", "parent": "t", "branch": "try", "config": {"code": "E{{ $item }}", "message": "m"}}, {"id": "p", "type": "parallel", "parent": "t", "branch": "catch", "config": {"branches": [{"id": "x"}, {"id": "y"}], "mode": "workers"}}, {"id": "x", "type": "set", "parent": "p", "branch": "x", "config": {"variables": {"sees": "{{ [$item, $index, $items.length, $error.code].join() }}"}}}, {"id": "y", "type": "noop", "parent": "p", "branch": "y"}, {"id": "r", "type": "return", "config": {"value": "{{ $node.o.output.results.map(r => r.branches.x.output.sees) }}"}}]', '[{"source": "o", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1], "mode": "workers"}}, {"id": "f", "type": "fail", "parent": "l", "config": {"code": "E", "message": "m"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT * FROM test.clean();

-- migrate: to a version with which the run could not come to its end it is refused
SELECT save('[{"id": "a", "type": "noop"}, {"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "r", "type": "return", "config": {"value": "done"}}]', '[{"source": "a", "target": "e"}, {"source": "e", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT save('[{"id": "a", "type": "noop"}, {"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "n", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": "done"}}]', '[{"source": "a", "target": "e"}, {"source": "e", "target": "r"}, {"source": "n", "target": "r"}]') AS v \gset
SELECT wf_migrate(:'id', :v);
SELECT save('[{"id": "a", "type": "noop"}, {"id": "e", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "n", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": "done"}}]', '[{"source": "a", "target": "e"}, {"source": "a", "target": "n"}, {"source": "e", "target": "r"}, {"source": "n", "target": "r"}]') AS v \gset
SELECT wf_migrate(:'id', :v);
SELECT save('[{"id": "a", "type": "noop"}, {"id": "e", "type": "approval", "config": {"title": "t"}}, {"id": "r", "type": "return", "config": {"value": "done"}}]', '[{"source": "a", "target": "e"}, {"source": "e", "sourceHandle": "approved", "target": "r"}]') AS v \gset
SELECT wf_migrate(:'id', :v);
SELECT wf_signal(:'id', 'go');
SELECT test.ends(:'id');
-- branches in workers are known by their names
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "mode": "workers"}}, {"id": "a", "type": "waitForEvent", "parent": "p", "branch": "x", "config": {"event": "x"}}, {"id": "b", "type": "waitForEvent", "parent": "p", "branch": "y", "config": {"event": "y"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$input.branches.x.output.payload, $input.branches.y.output.payload] }}"}}]', '[{"source": "p", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'p');
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "y"}, {"id": "x"}], "mode": "workers"}}, {"id": "a", "type": "waitForEvent", "parent": "p", "branch": "x", "config": {"event": "x"}}, {"id": "b", "type": "waitForEvent", "parent": "p", "branch": "y", "config": {"event": "y"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$input.branches.x.output.payload, $input.branches.y.output.payload] }}"}}]', '[{"source": "p", "target": "r"}]') AS v \gset
SELECT wf_migrate(:'id', :v);
SELECT wf_signal(run_id, 'x', '"of x"'), wf_signal(run_id, 'y', '"of y"') FROM wf_runs WHERE parent_run_id = :'id';
SELECT test.ends(:'id');

-- what was compensated, if not wholly, is not executed on
DELETE FROM effects;
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "a"}}, "compensate": {"node": "ua"}}, {"id": "ua", "type": "db.create", "config": {"table": "effects", "values": {"what": "undo a"}}}, {"id": "b", "type": "noop", "compensate": {"node": "ub"}}, {"id": "ub", "type": "db.query", "config": {"sql": "SELECT 1/0"}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "w"}, {"source": "w", "target": "f"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT test.error(format('SELECT wf_retry(%L)', :'id'));
SELECT what FROM effects ORDER BY id;
SELECT * FROM test.clean();

-- of a batch, the one whose commit fails is the only one that does
CREATE TABLE parent (a int PRIMARY KEY);
CREATE TABLE kid (a int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
SELECT save('[{"id": "w", "type": "waitForEvent", "config": {"event": "all"}}, {"id": "k", "type": "db.query", "config": {"sql": "INSERT INTO kid SELECT 1 WHERE $1::int = 7", "params": ["{{ $trigger.n }}"], "outputFormat": "none"}}, {"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"what": "{{ $trigger.n }}"}}}]', '[{"source": "w", "target": "k"}, {"source": "k", "target": "b"}]');
DELETE FROM effects;
CREATE TABLE many AS SELECT id FROM wf_start_many('go', (SELECT array_agg(jsonb_build_object('n', n)) FROM generate_series(1, 50) n)) id;
SELECT until('SELECT count(*) = 50 FROM wf.wait');
SELECT wf_emit('all');
SELECT left(test.ends(id), 12), count(*) FROM many GROUP BY 1 ORDER BY 1;
SELECT count(*), count(DISTINCT what), count(*) FILTER (WHERE what = '7') FROM effects;
-- thousands that wait for the same event
DROP TABLE many;
DELETE FROM effects;
SELECT save('[{"id": "w", "type": "waitForEvent", "config": {"event": "thousands"}}, {"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"what": "{{ $trigger.n }}"}}}]', '[{"source": "w", "target": "b"}]');
CREATE TABLE many AS SELECT id FROM wf_start_many('go', (SELECT array_agg(jsonb_build_object('n', n)) FROM generate_series(1, 2000) n)) id;
SELECT until('SELECT count(*) = 2000 FROM wf.wait');
SELECT wf_emit('thousands');
SELECT wf_await(id, '60 s')->>'status', count(*) FROM many GROUP BY 1;
SELECT count(*), count(DISTINCT what) FROM effects;
-- signals by the thousand to one run: each once, in their order
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "s"}}, {"id": "v", "type": "set", "config": {"variables": {"n": "{{ ($vars.n ?? 0) + $input.payload }}", "ordered": "{{ ($vars.ordered ?? true) && $input.payload === $run.iteration.e }}"}}}, {"id": "r", "type": "return", "config": {"value": "{{ [$vars.n, $vars.ordered, $run.iteration.e] }}"}}]', '[{"source": "e", "target": "v"}, {"source": "v", "target": "e", "condition": "$run.iteration.e < 500", "maxIterations": 2000}, {"source": "v", "target": "r", "condition": "$run.iteration.e >= 500"}]');
SELECT wf_start('go') AS id \gset
SELECT count(*) FROM (SELECT wf_signal(:'id', 's', to_jsonb(n)) FROM generate_series(1, 500) n) x;
SELECT wf_await(:'id', '5 min') ->> 'status';
SELECT test.ends(:'id');
-- thousands of timers of one run that are due at once do not hold up others, nor each other
SELECT wf_save('fan', (SELECT jsonb_build_object('nodes', jsonb_agg(jsonb_build_object('id', 'n' || n, 'type', 'delay', 'config', '{"duration": 0.01}'::jsonb)) || '[{"id": "j", "type": "return", "config": {"value": 1}}]',
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || m, 'target', 'j')) FROM generate_series(1, 2000) m)) FROM generate_series(1, 2000) n));
SELECT wf_start('fan') AS id \gset
SELECT until(format('SELECT current_nodes IS NOT NULL FROM wf_runs WHERE run_id = %L', :'id'));
SELECT wf_start('quick') AS quick \gset
SELECT test.ends(:'quick') ~ '^completed', test.ends(:'id');
SELECT count(*) < 200 FROM wf_segments WHERE run_id = :'id';
-- large graphs that wait, large values that are kept, many children three levels deep
SELECT wf_save('long', (SELECT jsonb_build_object('nodes', jsonb_agg(jsonb_build_object('id', 'n' || n, 'type', CASE WHEN n % 2500 = 0 THEN 'delay' ELSE 'noop' END) || CASE WHEN n % 2500 = 0 THEN '{"config": {"duration": 0.01}}'::jsonb ELSE '{}' END),
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || m, 'target', 'n' || m + 1)) FROM generate_series(1, 9999) m)) FROM generate_series(1, 10000) n));
SELECT wf_start('long') AS id \gset
SELECT test.ends(:'id') ~ '^completed';
SELECT save('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT repeat(md5(''1''), 32768)", "outputFormat": "value"}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "w2", "type": "delay", "config": {"duration": 0.01}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.a.output.value.length }}"}}]', '[{"source": "a", "target": "w"}, {"source": "w", "target": "w2"}, {"source": "w2", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "config": {"items": "{{ Array.from({length: 1000}, (_, i) => i) }}", "mode": "workers"}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"x": "{{ $item }}"}}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.l.output.count, $node.l.output.results.reduce((a, b) => a + b.x, 0)] }}"}}]', '[{"source": "l", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "mode": "workers"}}, {"id": "m", "type": "loop", "parent": "l", "config": {"items": [10, 20], "mode": "workers"}}, {"id": "n", "type": "loop", "parent": "m", "config": {"items": [100, 200], "mode": "workers"}}, {"id": "d", "type": "delay", "parent": "n", "config": {"duration": 0.01}}, {"id": "s", "type": "return", "parent": "n", "config": {"value": "{{ $item }}"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.l.output.results.map(a => a.results.map(b => b.results.join()).join()).join() }}"}}]', '[{"source": "d", "target": "s"}, {"source": "l", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- runs and starts within a run, and from triggers of all kinds
DELETE FROM effects;
SELECT wf_save('waits', '{"nodes": [{"id": "a", "type": "delay", "config": {"duration": 0.01}}, {"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"what": "waits"}}}], "edges": [{"source": "a", "target": "b"}]}');
SELECT save('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT wf_run(''waits'')->>''status''", "outputFormat": "value"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT wf_start(''quick'')", "outputFormat": "none"}}, {"id": "c", "type": "db.query", "config": {"sql": "SELECT wf_await(wf_start(''quick''))", "outputFormat": "none"}, "onError": "continue", "onErrorValue": "{{ $error.message }}"}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.a.output.value, $node.c.output] }}"}}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT until('SELECT count(*) = 2 FROM effects');
CREATE TABLE orders (a int);
CREATE FUNCTION on_order() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM wf_start('quick'); RETURN NEW; END $$;
CREATE TRIGGER at_once AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION on_order();
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION on_order();
INSERT INTO orders SELECT generate_series(1, 50);
SELECT save('[{"id": "a", "type": "db.query", "config": {"sql": "INSERT INTO orders VALUES (1)", "outputFormat": "none"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT until('SELECT count(*) = 104 FROM effects');
-- a run that ends its own worker is parked after a few times; those beside it are not disturbed
DELETE FROM effects;
SELECT save('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT pg_terminate_backend(pg_backend_pid())", "outputFormat": "none"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT pg_sleep(1)", "outputFormat": "none"}}]', '[{"source": "a", "target": "b"}]');
BEGIN;
SELECT count(*) FROM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[10]));
SELECT wf_start('go') AS id \gset
SELECT count(*) FROM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[10]));
COMMIT;
SELECT test.ends(:'id');
SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)');
SELECT count(*) FROM effects;
SELECT * FROM test.clean();

-- what bad input gets
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "e"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT test.error(sql) FROM unnest(ARRAY[
	'SELECT wf_cancel(NULL)', 'SELECT wf_signal(NULL, ''e'')', format('SELECT wf_signal(%L, NULL)', :'id'), format('SELECT wf_signal(%L, '''')', :'id'),
	'SELECT wf_pause(''01a00000-0000-7000-8000-000000000000'')', 'SELECT wf_resume(''01a00000-0000-7000-8000-000000000000'')',
	format('SELECT wf_resume(%L)', :'id'), 'SELECT wf_retry(''01a00000-0000-7000-8000-000000000000'')', format('SELECT wf_retry(%L)', :'id'),
	format('SELECT wf_retry(%L, NULL, ''{"nope": 1}'')', :'id'), format('SELECT wf_retry(%L, NULL, ''{"delay": 1}'')', :'id'),
	'SELECT wf_migrate(''01a00000-0000-7000-8000-000000000000'', 1)', format('SELECT wf_migrate(%L, 0)', :'id'), format('SELECT wf_migrate(%L, NULL)', :'id'),
	'SELECT wf_complete_task(''01a00000-0000-7000-8000-000000000000'', ''approved'')', 'SELECT wf_finish_task(''01a00000-0000-7000-8000-000000000000'', ''1'')',
	'SELECT wf_fail_task(''01a00000-0000-7000-8000-000000000000'', ''1'')', 'SELECT wf_heartbeat(''01a00000-0000-7000-8000-000000000000'')', 'SELECT count(*) FROM wf_poll_tasks(''nobody'')',
	'SELECT wf_poll_tasks(NULL)', 'SELECT wf_poll_tasks(''q'', -1)', 'SELECT wf_emit(NULL)', 'SELECT wf_emit('''')',
	'SELECT wf_start(''go'', ''{}'', ''{"priority": "high"}'')', 'SELECT wf_start(''go'', ''{}'', ''{"delay": "-1 h"}'')', 'SELECT wf_start(''go'', ''{}'', ''{"delay": "soon"}'')',
	'SELECT wf_start(''go'', ''{}'', ''{"onConflict": "maybe"}'')', 'SELECT wf_start(''go'', ''{}'', ''{"tags": 1}'')', 'SELECT wf_start(''go'', ''{}'', ''[]'')',
	'SELECT count(*) FROM wf_start_many(''go'', ''{}'')', 'SELECT count(*) FROM wf_start_many(''quick'', ARRAY[NULL]::jsonb[])', 'SELECT wf_start_many(''go'', NULL)']) sql;
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
SELECT wf_pause(:'id'), wf_cancel(:'id'), wf_signal(:'id', 'e');
SELECT test.error(format('SELECT wf_resume(%L)', :'id')), test.error(format('SELECT wf_retry(%L)', :'id')), test.error(format('SELECT wf_migrate(%L, 1)', :'id'));
SELECT * FROM test.clean();
