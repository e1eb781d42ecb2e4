-- code among other nodes: what is undone with it, who handles its errors, what is recorded of it
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE TABLE t (v text);
-- runs a graph: its steps by path and status, the output or the error, and what is in t afterwards
CREATE FUNCTION go(nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}', options jsonb DEFAULT '{}', input jsonb DEFAULT '{"k": 1}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; s text;
BEGIN
	TRUNCATE t;
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings));
	r := wf_run('go', input, options);
	SELECT string_agg(path || CASE WHEN attempt > 1 THEN '#' || attempt ELSE '' END || ' ' || status, ', ' ORDER BY seq, attempt) INTO s FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN concat_ws(' => ', s, CASE r->>'status' WHEN 'completed' THEN coalesce(r->>'output', 'null')
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') END, 't: ' || (SELECT string_agg(v, ' ' ORDER BY v) FROM t));
END $$;
-- nodes: one that writes, one of code
CREATE FUNCTION put(id text, v text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'type', 'db.create', 'config', jsonb_build_object('table', 't', 'values', jsonb_build_object('v', v))) || more $$;
CREATE FUNCTION code(id text, source text, more jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('id', id, 'type', 'code', 'config', jsonb_build_object('source', source) || coalesce(more->'config', '{}')) || (more - 'config') $$;
CREATE FUNCTION nodes(VARIADIC n jsonb[]) RETURNS jsonb LANGUAGE sql AS 'SELECT to_jsonb(n)';
CREATE FUNCTION line(VARIADIC ids text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_agg(jsonb_build_object('source', ids[i], 'target', ids[i + 1])), '[]') FROM generate_series(1, cardinality(ids) - 1) i $$;
-- the steps of the last run
CREATE FUNCTION last_run() RETURNS uuid LANGUAGE sql AS 'SELECT run_id FROM wf_runs ORDER BY run_id DESC LIMIT 1';

-- db nodes and code are one: all of it stays, or nothing
SELECT go(nodes(put('a', 'a'), code('c', 'return {v: $input.row.v + "!"}'), put('b', '{{ $input.v }}')), line('a', 'c', 'b'));
SELECT go(nodes(put('a', 'a'), code('c', 'throw new Error("no " + $input.row.v)'), put('b', 'b')), line('a', 'c', 'b'));
SELECT go(nodes(put('a', 'a'), code('c', 'return {n: null.x}')), line('a', 'c'));
SELECT go(nodes(put('a', 'a'), code('c', 'for (;;) ;', '{"config": {"limits": {"time": "50ms"}}}')), line('a', 'c'));
SELECT go(nodes(put('a', 'a'), code('c', 'return {v: 1}'), '{"id": "f", "type": "fail", "config": {"message": "after"}}'), line('a', 'c', 'f'));
BEGIN; SELECT go(nodes(put('a', 'a'), code('c', 'return 1')), line('a', 'c')); ROLLBACK;
SELECT count(*) FROM t;
-- raised by wf_call: with the stack as its detail, and nothing is left; the caller goes on
DO $$
DECLARE m text; d text;
BEGIN
	PERFORM wf_save('raises', jsonb_build_object('nodes', nodes(put('a', 'a'), code('c', E'const f = () => {\n\tthrow new RangeError("deep");\n};\nf();')), 'edges', line('a', 'c')));
	PERFORM wf_call('raises');
EXCEPTION WHEN SQLSTATE 'WF018' THEN GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL; RAISE NOTICE '% %', m, d;
END $$;
SELECT count(*) FROM t;
-- onError: continue, route (with $error for code), retry, and both
SELECT go(nodes(put('a', 'a'), code('c', 'throw new TypeError("odd")', '{"onError": "continue", "onErrorValue": {"instead": "{{ $error.message }}"}}'), put('b', '{{ $input.instead }}')), line('a', 'c', 'b'));
SELECT go(nodes(put('a', 'a'), code('c', 'throw Object.assign(new Error("odd"), {code: "E1"})'), code('h', 'return [$error.code, $error.message, $error.node, $error.details.name, $error.detail.includes("code:1:")]')),
	line('a', 'c') || '[{"source": "c", "sourceHandle": "error", "target": "h"}]');
SELECT go(nodes(put('a', 'a'), code('c', 'console.log("attempt", $run.iteration); throw 7', '{"retry": {"maxAttempts": 3, "initialDelay": 0}}')), line('a', 'c'));
SELECT attempt, status, log, error->>'message' FROM wf_steps WHERE run_id = last_run() AND node = 'c' ORDER BY attempt;
SELECT go(nodes(code('c', 'throw 7', '{"retry": {"maxAttempts": 3, "initialDelay": 0, "stopOn": ["WF018"]}, "onError": "continue", "onErrorValue": "{{ $error.attempt }}"}')));
-- what code throws by itself is not what it is stopped by
SELECT go(nodes(code('c', 'try { for (;;) ; } catch (e) { return "caught" } finally { for (;;) ; }', '{"config": {"limits": {"time": "50ms"}}, "retry": {"maxAttempts": 2, "initialDelay": 0, "retryOn": ["WF009"]}}'), code('h', 'return $error.code + " " + $error.attempt')), '[{"source": "c", "sourceHandle": "error", "target": "h"}]');
-- in try, catch and finally
SELECT go(nodes('{"id": "y", "type": "try"}', put('a', 'a', '{"parent": "y", "branch": "try"}'), code('c', 'throw new Error("in " + $node.a.output.row.v)', '{"parent": "y", "branch": "try"}'),
	code('h', 'return {caught: $error.message, a: $node.a?.status}', '{"parent": "y", "branch": "catch"}'), put('f', 'finally', '{"parent": "y", "branch": "finally"}')), line('a', 'c'));
-- in a loop: once for each item, with what is around; an item that fails is undone alone
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}', code('c', 'return $item * 10 + $index + $items.length * 100', '{"parent": "l"}'), put('p', '{{ $input.value }}', '{"parent": "l"}')), line('c', 'p'));
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "onItemError": "collect"}}', put('p', '{{ $item }}', '{"parent": "l"}'), code('c', 'if ($item === 2) throw new Error("two"); return $item', '{"parent": "l"}')), line('p', 'c'));
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}', put('p', '{{ $item }}', '{"parent": "l"}'), code('c', 'if ($item === 2) throw new Error("two"); return $item', '{"parent": "l"}')), line('p', 'c'));
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"type": "while", "condition": "($vars.n ?? 0) < 3"}}', code('c', 'return {n: ($vars.n ?? 0) + 1}', '{"parent": "l"}'), '{"id": "s", "type": "set", "parent": "l", "config": {"variables": {"n": "{{ $input.n }}"}}}', code('after', 'return $vars.n')), line('c', 's') || line('l', 'after'));
-- a list of its own, in one call, within a loop
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"items": [[1, 2], [], [3]]}}', code('c', 'return $item + $index', '{"parent": "l", "config": {"mode": "each", "items": "{{ $item }}"}}')));
-- in a branch of parallel, and a subworkflow
SELECT wf_save('inner', jsonb_build_object('nodes', nodes(put('p', 'inner {{ $trigger.n }}'), code('c', 'if ($trigger.n > 1) throw new Error("too many"); return {n: $trigger.n}')), 'edges', line('p', 'c')));
SELECT go(nodes('{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "errorHandling": "collect"}}', code('cx', 'return "x"', '{"parent": "p", "branch": "x"}'), code('cy', 'throw "y"', '{"parent": "p", "branch": "y"}'),
	code('r', 'const {x, y} = $node.p.output.branches; return [x.status, x.output.value, y.status, y.error.message]')), line('p', 'r'));
SELECT go(nodes('{"id": "s", "type": "subworkflow", "config": {"workflow": "inner", "input": {"n": "{{ $trigger.n }}"}}}', code('c', 'return $input.n')), line('s', 'c'), '{}', '{}', '{"n": 1}');
SELECT go(nodes(put('a', 'a'), '{"id": "s", "type": "subworkflow", "config": {"workflow": "inner", "input": {"n": 2}}}', code('h', 'return $error.message')), line('a', 's') || '[{"source": "s", "sourceHandle": "error", "target": "h"}]');
-- as an SQL function called in the middle starts another run of code: each has its own
SELECT wf_save('outer', jsonb_build_object('nodes', nodes(code('a', 'globalThis.left = 1; return {a: 1}', '{"onError": "continue", "onErrorValue": {"a": "{{ $error.message }}"}}'), '{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_call(''inner'', ''{\"n\": 1}'') AS r"}}', code('b', 'return [typeof left, $node.a.output.a, $node.q.output.rows[0].r.n]')), 'edges', line('a', 'q', 'b')));
SELECT wf_call('outer');

-- what names mean: other nodes as they stand, variables, env, the run
SELECT go(nodes(put('a', 'a', '{"name": "First one"}'), code('skipped', 'return 1'), code('c', 'return {by_name: $node["First one"].output.row.v, by_id: $node.a.status, skipped: $node.skipped.status, all: Object.keys($node).sort(), env: $env.stage, region: $vars.region, trigger: $trigger.k, run: [$run.workflow, $run.version, $run.attempt]}')),
	'[{"source": "a", "target": "c"}, {"source": "a", "target": "skipped", "condition": "false"}]', '{}', '{"env": {"stage": "test"}}');
SELECT wf_save('vars', jsonb_build_object('variables', '[{"name": "region", "type": "string", "default": "EU"}]'::jsonb, 'nodes', nodes(code('c', 'return $vars'))));
SELECT wf_call('vars');
-- the context is the code's own copy: what it changes is nobody else's
SELECT go(nodes('{"id": "s", "type": "set", "config": {"variables": {"list": [3, 1, 2]}}}', code('c', '$vars.list.sort(); $input.list.push(9); $vars.more = 1; return {vars: $vars, input: $input}'), code('d', 'return $vars')), line('s', 'c', 'd'));
-- values arrive as they are: escapes in texts and keys, numbers whole and not, small and large
SELECT go(nodes(code('c', 'const k = "k\"\\\n"; return {text: $input.a === "\"\\\n\t\u0001\u001f/é😀\u007f", length: $input.a.length, key: $input[k], keys: Object.keys($input).length, empty: [$input.e, $input.o, $input.l], n: $input.n}')), '[]', '{}', '{}',
	'{"a": "\"\\\n\t\u0001\u001f/é😀\u007f", "k\"\\\n": 1, "e": "", "o": {}, "l": [], "n": [0, -1, 2147483647, -2147483648, 2147483648, 1.0, 1.50, -0.5, 1e15, 1e22, 123456789012345, 9007199254740992]}');
-- the clock stands, and chance is the same for each attempt, and another for each round
SELECT go(nodes(code('a', 'const at = Date.now(); for (let i = 0; i < 1e5; i++) ; return {same: at === Date.now() && at === $now.getTime()}'), code('b', 'return {same: $node.a.output.same}')), line('a', 'b'));
SELECT go(nodes(code('c', 'throw Math.random()', '{"retry": {"maxAttempts": 2, "initialDelay": 0}}'))) ~ '^c retrying, c#2 failed => WF018 . c . 0[.]\d+$';
SELECT count(DISTINCT error->>'message'), count(*) FROM wf_steps WHERE run_id = last_run();
SELECT go(nodes('{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}', code('c', 'return {r: Math.random()}', '{"parent": "l"}'), code('d', 'return new Set($input.results.map(x => x.r)).size')), line('l', 'd')) ~ '{"value": 3}';

-- the log: with its step, done or failed, of both modes and by item; within its limits
SELECT go(nodes(code('a', 'console.log("one"); console.log({two: [2]}, null, undefined, "x"); console.error("three"); return 1'), code('b', 'console.log($item); if ($index === 1) throw new Error("stop")', '{"config": {"mode": "each", "items": ["p", "q", "r"]}}')), line('a', 'b'));
SELECT node, status, log FROM wf_steps WHERE run_id = last_run() ORDER BY seq;
SELECT go(nodes(code('a', 'for (let i = 0; i < 5; i++) console.log(i)', '{"config": {"limits": {"logLines": 3}}}')));
SELECT status, log FROM wf_steps WHERE run_id = last_run();
-- what is no text for PostgreSQL becomes one in the log; as a name it is refused
SELECT go(nodes(code('a', 'console.log("a\u0000b", "\ud800", "\ud83d\ude00\udc00")')));
SELECT log, length(log[1]), convert_to(log[1], 'UTF8') FROM wf_steps WHERE run_id = last_run();
SELECT go(nodes(code('a', 'return $node["\ud800"]')));
SELECT go(nodes(code('a', 'throw new Error("\ud800")')));
-- journals: full, errors, none
SELECT go(nodes(code('a', 'console.log("kept?"); return 1')), '[]', '{"journal": "errors"}');
SELECT go(nodes(code('a', 'console.log("kept"); throw 1')), '[]', '{"journal": "errors"}');
SELECT status, log FROM wf_steps WHERE run_id = last_run();
SELECT go(nodes(code('a', 'console.log("gone"); throw 1')), '[]', '{"journal": "none"}');

-- dry runs, mocks, disabled, wf_explain
SELECT wf_save('dry', jsonb_build_object('nodes', nodes(put('a', 'dry'), code('c', 'console.log("dry"); return {v: $input.row.v}')), 'edges', line('a', 'c')));
SELECT r->>'status', r->'output', jsonb_path_query_array(r, '$.steps[*].log') FROM wf_dry_run('dry') r;
SELECT count(*) FROM t WHERE v = 'dry';
SELECT go(nodes(code('c', 'throw new Error("is not run")'), code('d', 'return $input.a + 1')), line('c', 'd'), '{}', '{"mocks": {"c": {"a": 1}}}');
SELECT go(nodes(code('c', 'return 1'), code('d', 'return $error.code')), '[{"source": "c", "sourceHandle": "error", "target": "d"}]', '{}', '{"mocks": {"c": {"$error": {"code": "WF018", "message": "mocked"}}}}');
SELECT go(nodes('{"id": "s", "type": "set", "config": {"variables": {"x": 1}}}', code('c', 'throw new Error("is not run")', '{"disabled": true}'), code('d', 'return $input')), line('s', 'c', 'd'));
SELECT wf_explain('dry');
-- atomic, invoker and definer: the code is the same, and the role is the database's business
SELECT go(nodes(put('a', 'a'), code('c', 'return $input.row.v')), line('a', 'c'), '{"atomic": true, "security": "definer"}');

-- time-outs of the node, of the run and of the statement, whatever the code is at; nothing is left, and the next call is clean
SELECT go(nodes(put('a', 'a'), code('c', 'for (;;) ;', '{"timeout": "50ms"}')), line('a', 'c'));
SELECT go(nodes(put('a', 'a'), code('c', 'Array.prototype.reverse.call({length: 2**53})', '{"timeout": "50ms", "onError": "continue", "onErrorValue": "{{ $error.code }}"}')), line('a', 'c'));
SELECT go(nodes(code('c', 'for (;;) ;', '{"timeout": "30ms", "retry": {"maxAttempts": 2, "initialDelay": 0, "retryOn": ["WF004"]}}')));
SELECT go(nodes(put('a', 'a'), code('c', '/(a*)*b/.test("a".repeat(40))')), line('a', 'c'), '{"timeout": "300ms"}');
SELECT go(nodes(put('a', 'a'), code('c', 'for (;;) ;', '{"onError": "continue"}')), line('a', 'c'), '{}', '{"timeout": "300ms"}');
SET statement_timeout = '100ms';
SELECT go(nodes(put('a', 'a'), code('c', 'for (;;) ;', '{"onError": "continue"}')), line('a', 'c'));
RESET statement_timeout;
SELECT count(*) FROM t;
SELECT go(nodes(code('c', 'return [typeof left, Object.keys(globalThis).length]')));
-- limits of the installation bind those of nodes, and cannot be raised by who has no right to
SET workflow.code_time = '50ms'; SET workflow.code_memory = '8MB'; SET workflow.code_log_lines = 2;
SELECT go(nodes(code('c', 'for (;;) ;', '{"config": {"limits": {"time": "1 h"}}}')));
SELECT go(nodes(code('c', 'const l = []; for (;;) l.push(new Array(1000).fill(1))', '{"config": {"limits": {"memory": "64MB"}}}')));
SELECT go(nodes(code('c', 'console.log(1); console.log(2); console.log(3)', '{"config": {"limits": {"logLines": 10}}}')));
RESET workflow.code_time; RESET workflow.code_memory; RESET workflow.code_log_lines;
SET workflow.max_output_size = '2kB';
SELECT go(nodes(code('c', 'return "x".repeat(5000)', '{"config": {"limits": {"output": "1MB"}}}')));
RESET workflow.max_output_size;
SHOW workflow.code_total_memory;
