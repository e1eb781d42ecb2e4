-- the journal: what is written when, that its inputs are the real ones, and dry runs
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE FUNCTION save(name text, nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings)) $$;
-- what the journal has of the last run
CREATE FUNCTION journal() RETURNS text LANGUAGE sql AS $$
	SELECT format('run %s, %s segments, %s steps', r.status, (SELECT count(*) FROM wf_segments s WHERE s.run_id = r.run_id), (SELECT count(*) FROM wf_steps s WHERE s.run_id = r.run_id))
	FROM wf_runs r ORDER BY r.run_id DESC LIMIT 1 $$;

-- full, errors, none: a run that did well and one that failed
SELECT save('full', '[{"id": "a", "type": "noop"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "f", "condition": "$trigger.bad"}]');
SELECT save('errors', '[{"id": "a", "type": "noop"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "f", "condition": "$trigger.bad"}]', '{"journal": "errors"}');
SELECT save('none', '[{"id": "a", "type": "noop"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "f", "condition": "$trigger.bad"}]', '{"journal": "none"}');
SELECT wf_run('full')->>'status', journal(); SELECT wf_run('full', '{"bad": true}')->>'status', journal();
SELECT wf_run('errors')->>'status', journal(); SELECT wf_run('errors', '{"bad": true}')->>'status', journal();
SELECT wf_run('none')->>'status', journal(); SELECT wf_run('none', '{"bad": true}')->>'status', journal();
SELECT wf_call('errors'), journal();
DO $$ BEGIN PERFORM wf_call('full', '{"bad": true}'); EXCEPTION WHEN SQLSTATE 'WF017' THEN NULL; END $$;
SELECT count(*) FROM wf_runs;

-- the columns of a run, a segment and a step
SELECT workflow, version, status, trigger, input, output, error, correlation_id, tags, parent_run_id, started_by = current_user, queued_at = started_at, finished_at >= started_at, duration_ms >= 0, current_nodes, progress, wake_at, attempt FROM wf_runs ORDER BY run_id LIMIT 2;
SELECT segment, attempt, status, finished_at >= started_at, duration_ms >= 0, steps FROM wf_segments ORDER BY run_id LIMIT 2;
SELECT seq, node, path, type, status, port, attempt, input, output, error, duration_ms >= 0, segment, log FROM wf_steps WHERE run_id = (SELECT min(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- ids are of version 7 and in the order of their making
SELECT bool_and(substr(run_id::text, 15, 1) = '7'), count(*) = count(DISTINCT run_id) FROM wf_runs;
SELECT bool_and(a < b) FROM (SELECT lag(id) OVER (ORDER BY i) AS a, id AS b FROM (SELECT i, wf_run('none')->>'run_id' AS id FROM generate_series(1, 200) i) r) p;

-- inputs: each step of kind `echo` gives its input, so what the journal says is its input must be its output
CREATE FUNCTION wrong_inputs() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s: %s is not %s', seq, path, input, output) FROM wf_steps
	WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) AND type = 'noop' AND status = 'completed' AND input IS DISTINCT FROM output ORDER BY seq $$;
CREATE FUNCTION echo(nodes jsonb, edges jsonb, input jsonb DEFAULT '{"k": [1, 2]}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM save('echo', nodes, edges);
	r := wf_run('echo', input);
	RETURN format('%s, %s of %s steps with input', r->>'status', (SELECT count(s.input) FROM wf_steps s WHERE s.run_id = (r->>'run_id')::uuid), (SELECT count(*) FROM wf_steps s WHERE s.run_id = (r->>'run_id')::uuid));
END $$;
-- chains, joins, branches, starting nodes
SELECT echo('[{"id": "a", "type": "noop"}, {"id": "s", "type": "set", "config": {"variables": {"x": "{{ $input.k }}"}}}, {"id": "b", "type": "noop"}, {"id": "c", "type": "noop"}, {"id": "j", "type": "noop"}, {"id": "d", "type": "noop"}]',
	'[{"source": "a", "target": "s"}, {"source": "s", "target": "b"}, {"source": "a", "target": "c"}, {"source": "b", "target": "j"}, {"source": "c", "target": "j"}, {"source": "a", "target": "d", "condition": "false"}]');
SELECT wrong_inputs();
-- back edges: the input of an iteration is the output of that iteration's predecessor
SELECT echo('[{"id": "a", "type": "noop"}, {"id": "s", "type": "set", "config": {"variables": {"n": "{{ $run.iteration.s }}"}}}, {"id": "b", "type": "noop"}]', '[{"source": "a", "target": "s"}, {"source": "s", "target": "b"}, {"source": "b", "target": "a", "condition": "$input.n < 4"}]');
SELECT wrong_inputs();
SELECT seq, node, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- containers, calls, items that are objects, batches
SELECT wf_save('inner', '{"nodes": [{"id": "x", "type": "noop"}, {"id": "y", "type": "noop"}], "edges": [{"source": "x", "target": "y"}]}');
SELECT echo('[{"id": "l", "type": "loop", "config": {"items": [{"a": 1}, "text", null, [1]]}}, {"id": "la", "type": "noop", "parent": "l"}, {"id": "ll", "type": "loop", "parent": "l", "config": {"type": "for", "from": 1, "to": 2}}, {"id": "lla", "type": "noop", "parent": "ll"}, {"id": "llb", "type": "noop", "parent": "ll"}, {"id": "lb", "type": "noop", "parent": "l"}, {"id": "s", "type": "subworkflow", "config": {"workflow": "inner", "input": {"of": "call"}}},
	{"id": "t", "type": "try"}, {"id": "ta", "type": "noop", "parent": "t", "branch": "try"}, {"id": "tf", "type": "fail", "parent": "t", "branch": "try", "config": {"code": "E", "message": "m"}}, {"id": "tc", "type": "noop", "parent": "t", "branch": "catch"}, {"id": "z", "type": "noop"}]',
	'[{"source": "la", "target": "ll"}, {"source": "ll", "target": "lb"}, {"source": "lla", "target": "llb"}, {"source": "l", "target": "s"}, {"source": "s", "target": "t"}, {"source": "ta", "target": "tf"}, {"source": "t", "target": "z"}]');
SELECT wrong_inputs();
SELECT path, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) AND path ~ '^(l$|l.1.|s|t|z)' ORDER BY seq;
-- failures, answered and routed; retries; a run that failed in the middle of it all
CREATE SEQUENCE tries;
SELECT echo('[{"id": "a", "type": "noop"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}, "retry": {"maxAttempts": 3, "initialDelay": 0}}, {"id": "h", "type": "noop"}, {"id": "q", "type": "db.query", "config": {"sql": "SELECT 1 / $1::int", "params": ["{{ $input.k ?? 0 }}"]}, "onError": "continue", "onErrorValue": {"instead": "{{ $error.code }}"}}, {"id": "z", "type": "noop"}]',
	'[{"source": "a", "target": "f"}, {"source": "f", "sourceHandle": "error", "target": "h"}, {"source": "h", "target": "q"}, {"source": "q", "target": "z"}]');
SELECT wrong_inputs();
SELECT seq, node, status, attempt, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
SELECT echo('[{"id": "a", "type": "noop"}, {"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}, {"id": "b", "type": "noop", "parent": "l"}, {"id": "f", "type": "fail", "parent": "l", "config": {"code": "E", "message": "m"}}]', '[{"source": "a", "target": "l"}, {"source": "b", "target": "f", "condition": "$item === 2"}]');
SELECT wrong_inputs();
SELECT seq, path, status, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- return out of containers: the steps that were open are cancelled, and no number is missing
SELECT echo('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}}, {"id": "t", "type": "try", "parent": "l"}, {"id": "a", "type": "noop", "parent": "t", "branch": "try"}, {"id": "r", "type": "return", "parent": "t", "branch": "try"}]', '[{"source": "a", "target": "r"}]');
SELECT seq, path, status, input, output FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
SELECT count(*) FROM (SELECT run_id FROM wf_steps GROUP BY run_id HAVING max(seq) <> count(*) OR min(seq) <> 1) gaps;
-- a journal of twenty thousand steps is read in no time
SELECT save('long', '[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 10000}}, {"id": "a", "type": "set", "parent": "l", "config": {"variables": {"q": "{{ $item }}"}}}, {"id": "b", "type": "noop", "parent": "l"}]', '[{"source": "a", "target": "b"}]');
SELECT wf_run('long')->>'status';
SET statement_timeout = '10s';
SELECT count(*), count(input), sum((input->>'q')::int) FILTER (WHERE node = 'b') FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs);
SELECT wrong_inputs();
RESET statement_timeout;
-- the function beneath the view takes what it is given
SELECT count(*) FROM wf.unfold(NULL, 1, NULL); SELECT count(*) FROM wf.unfold('{}', NULL, NULL);
SELECT wf.unfold(ARRAY[NULL]::wf.step[], 1, NULL);
SELECT seq, input FROM wf.unfold(ARRAY[ROW(5, 'a', 'a', 'noop', 'completed', 'out', 1, 0, NULL, '{"o": 1}', NULL, now(), 1, NULL)::wf.step, ROW(6, 'b', 'b', 'noop', 'completed', 'out', 1, 5, NULL, NULL, NULL, now(), 1, NULL)::wf.step, ROW(9, 'b', 'b', 'noop', 'completed', 'out', 1, 6, NULL, NULL, NULL, now(), 1, NULL)::wf.step, ROW(10, 'b', 'b', 'noop', 'completed', 'out', 1, 2147483647, NULL, NULL, NULL, now(), 1, NULL)::wf.step, ROW(11, 'b', 'b', 'noop', 'completed', 'out', 1, NULL, '7', NULL, NULL, now(), 1, NULL)::wf.step], 5, '{"run": "input"}');

-- a dry run does all and leaves nothing; it gives the steps and what they wrote
SELECT save('writes', '[{"id": "c", "type": "db.create", "config": {"table": "t", "values": {"id": "{{ $input.id }}", "v": "new"}}}, {"id": "u", "type": "db.update", "config": {"table": "t", "set": {"v": "{{ $input.row.v + \"er\" }}"}, "where": {"id": "{{ $trigger.id }}"}, "returning": true}}, {"id": "d", "type": "db.delete", "config": {"table": "t", "where": {"id": "{{ $trigger.id }}"}}}, {"id": "q", "type": "db.query", "config": {"sql": "SELECT count(*) FROM t"}}]',
	'[{"source": "c", "target": "u"}, {"source": "u", "target": "d"}, {"source": "d", "target": "q"}]', '{"journal": "none"}');
CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM wf.run) AS runs, (SELECT count(*) FROM wf.segment) AS segments, (SELECT count(*) FROM t) AS t;
SELECT r->>'status', r->'output', r->'error' FROM wf_dry_run('writes', '{"id": 1}') r;
SELECT s->>'seq', s->>'node', s->>'status', s->'input', s->'output', s->'wrote' FROM wf_dry_run('writes', '{"id": 1}') r, jsonb_array_elements(r->'steps') s;
SELECT r->>'status', r#>>'{error,code}', jsonb_path_query_array(r, '$.steps[*].status') FROM wf_dry_run('writes', '{"id": "x"}') r;
SELECT r->>'status', r#>>'{error,code}' FROM wf_dry_run('full', '{"bad": true}', '{"idempotencyKey": "k"}') r;
SELECT wf_dry_run('none', '{}', '{"nonsense": 1}');
SELECT * FROM before EXCEPT SELECT (SELECT count(*) FROM wf.run), (SELECT count(*) FROM wf.segment), (SELECT count(*) FROM t);
