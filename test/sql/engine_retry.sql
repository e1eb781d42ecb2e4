-- retries: how often, of what, and what an attempt sees
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
-- counts attempts: a sequence is not rolled back
CREATE SEQUENCE tries;
CREATE TABLE effects (attempt bigint);
-- fails with `code` until attempt n; what it inserts is rolled back with a failed attempt
CREATE FUNCTION flaky(n int, code text DEFAULT 'P0001', v jsonb DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE t bigint := nextval('tries');
BEGIN
	INSERT INTO effects VALUES (t);
	IF t < n THEN RAISE EXCEPTION 'not yet: %', t USING ERRCODE = code, DETAIL = 'some detail', HINT = 'some hint'; END IF;
	RETURN coalesce(v, to_jsonb(t));
END $$;
CREATE FUNCTION go(nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; t text;
BEGIN
	PERFORM setval('tries', 1, false);
	TRUNCATE effects;
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings));
	r := wf_run('go', '{"k": 1}');
	SELECT string_agg(format('%s%s:%s', node, CASE WHEN attempt > 1 THEN '#' || attempt ELSE '' END, status), ' ' ORDER BY seq)
	INTO t FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN format('%s => %s, %s attempts, effects %s', t, CASE r->>'status' WHEN 'completed' THEN r->>'output'
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,attempt}', r#>>'{error,message}') END,
		(SELECT last_value FROM tries), (SELECT array_agg(attempt) FROM effects));
END $$;
CREATE FUNCTION node(config jsonb, retry jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_array(jsonb_build_object('id', 'f', 'type', 'db.query', 'config', config || '{"outputFormat": "value"}', 'retry', retry)) $$;

-- succeeds at the third of five; each failed attempt is a step of its own and leaves nothing behind
SELECT go(node('{"sql": "SELECT flaky(3)"}', '{"maxAttempts": 5, "initialDelay": 0}'));
SELECT seq, attempt, status, error - 'message' FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- never succeeds: maxAttempts is the number of attempts, and the error is that of the last one
SELECT go(node('{"sql": "SELECT flaky(10)"}', '{"maxAttempts": 3, "initialDelay": 0}'));
SELECT go(node('{"sql": "SELECT flaky(10)"}', '{"maxAttempts": 1, "initialDelay": 0}'));
-- retryOn and stopOn: codes and classes
SELECT go(node('{"sql": "SELECT flaky(10, ''40001'')"}', '{"maxAttempts": 3, "initialDelay": 0, "retryOn": ["40*"]}'));
SELECT go(node('{"sql": "SELECT flaky(10, ''40P01'')"}', '{"maxAttempts": 3, "initialDelay": 0, "retryOn": ["40001"]}'));
SELECT go(node('{"sql": "SELECT flaky(10, ''40P01'')"}', '{"maxAttempts": 3, "initialDelay": 0, "retryOn": ["40001", "40P01"]}'));
SELECT go(node('{"sql": "SELECT flaky(10, ''23505'')"}', '{"maxAttempts": 3, "initialDelay": 0, "stopOn": ["23*"]}'));
SELECT go(node('{"sql": "SELECT flaky(10, ''40001'')"}', '{"maxAttempts": 3, "initialDelay": 0, "retryOn": ["40*"], "stopOn": ["40001"]}'));
-- the retry of the settings is that of nodes without one
SELECT go('[{"id": "f", "type": "db.query", "config": {"sql": "SELECT flaky(3)", "outputFormat": "value"}}]', '[]', '{"retry": {"maxAttempts": 3, "initialDelay": 0}}');
-- maxElapsed: no attempt that would begin after it
SELECT go(node('{"sql": "SELECT flaky(10)"}', '{"maxAttempts": 50, "backoff": "fixed", "initialDelay": "1h", "maxElapsed": "1m"}'));
-- atomic
SELECT go(node('{"sql": "SELECT flaky(3)"}', '{"maxAttempts": 3, "initialDelay": 0}'), '[]', '{"atomic": true}');
-- the code of a fail node counts
SELECT go('[{"id": "f", "type": "fail", "config": {"code": "BUSY", "message": "m"}, "retry": {"maxAttempts": 3, "initialDelay": 0, "retryOn": ["BUSY"]}}]');
SELECT go('[{"id": "f", "type": "fail", "config": {"code": "BUSY", "message": "m"}, "retry": {"maxAttempts": 3, "initialDelay": 0, "retryOn": ["WF017"]}}]');

-- an attempt sees what the first one saw, of several predecessors too, and its own number in the error alone
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"x": "a rather long text that is no part of a struct"}}}, {"id": "b", "type": "set", "config": {"variables": {"y": [1, 2, 3]}}},
	{"id": "j", "type": "db.query", "config": {"sql": "SELECT flaky(4, ''40001'', $1)", "params": ["{{ {in: $input, run: $run.iteration, workflow: $run.workflow} }}"], "outputFormat": "value"}, "retry": {"maxAttempts": 5, "initialDelay": 0}}]',
	'[{"source": "a", "target": "j"}, {"source": "b", "target": "j"}]');
SELECT seq, node, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- a merge too
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"x": "a rather long text that is no part of a struct"}}}, {"id": "b", "type": "set", "config": {"variables": {"y": [1, 2, 3]}}},
	{"id": "m", "type": "merge", "config": {"mode": "append"}, "retry": {"maxAttempts": 3, "initialDelay": 0}}]',
	'[{"source": "a", "target": "m"}, {"source": "b", "target": "m"}]');

-- a container is tried again as a whole; what its nodes did is undone each time
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 2}, "retry": {"maxAttempts": 4, "initialDelay": 0}},
	{"id": "i", "type": "db.query", "parent": "l", "config": {"sql": "INSERT INTO effects VALUES (100)"}},
	{"id": "f", "type": "db.query", "parent": "l", "config": {"sql": "SELECT flaky(4)", "outputFormat": "value"}}]',
	'[{"source": "i", "target": "f"}]');
-- a call too
SELECT wf_save('child', '{"nodes": [{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO effects VALUES (200)"}}, {"id": "f", "type": "db.query", "config": {"sql": "SELECT flaky(3)", "outputFormat": "value"}}], "edges": [{"source": "i", "target": "f"}]}');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}, "retry": {"maxAttempts": 4, "initialDelay": 0}}]');
-- the retries of a node within one that is tried again
SELECT go('[{"id": "t", "type": "try", "retry": {"maxAttempts": 2, "initialDelay": 0}},
	{"id": "f", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT flaky(4)", "outputFormat": "value"}, "retry": {"maxAttempts": 2, "initialDelay": 0}}]');

-- `$run` in a condition that is asked again and again
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "while", "condition": "($run.iteration.b ?? 0) < 3"}}, {"id": "b", "type": "noop", "parent": "l"}]');

-- `fail` has no port of its own; to go on after it, it has `out`.
SELECT wf_save('passed_over', '{"nodes": [
	{"id": "a", "type": "fail", "config": {"code": "X", "message": "m"}, "onError": "continue", "onErrorValue": {"was": "{{ $error.code }}"}},
	{"id": "b", "type": "set", "config": {"variables": {"port": "{{ $node.a.port }}", "input": "{{ $input }}"}}}
], "edges": [{"source": "a", "target": "b"}]}');
SELECT wf_call('passed_over');
