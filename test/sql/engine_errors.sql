-- what becomes of failures
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE TABLE t (v text);
CREATE TABLE k (id int PRIMARY KEY);
-- runs a graph: its steps by path and status, the output or the error, and what is in t afterwards
CREATE FUNCTION go(nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; s text;
BEGIN
	TRUNCATE t;
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings));
	r := wf_run('go', '{"k": 1}');
	SELECT string_agg(path || ' ' || status, ', ' ORDER BY seq) INTO s FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN concat_ws(' => ', s, CASE r->>'status' WHEN 'completed' THEN coalesce(r->>'output', 'null')
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') END, 't: ' || (SELECT string_agg(v, ' ' ORDER BY v) FROM t));
END $$;
-- writes, and fails with a code
CREATE FUNCTION oops(v text, code text DEFAULT 'P0001') RETURNS text LANGUAGE plpgsql AS $$
BEGIN INSERT INTO t VALUES (v); RAISE EXCEPTION 'oops in %', v USING ERRCODE = code, DETAIL = 'the detail', HINT = 'the hint'; END $$;
CREATE FUNCTION put(v text) RETURNS text LANGUAGE sql AS $$ INSERT INTO t VALUES (v) RETURNING v $$;

-- fail: all is undone; the run and its steps stay, the failed one with its error
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'', ''XX123'')"}}, {"id": "c", "type": "noop"}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]');
SELECT status, output IS NULL, error - 'step' FROM wf_runs WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs);
SELECT seq, node, status, port, attempt, output, error FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
SELECT status, steps FROM wf_segments WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs);

-- continue: what the failed node did is undone, what came before it is kept
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "continue", "onErrorValue": {"instead": "{{ $input.count }}", "error": "{{ $error }}"}}, {"id": "c", "type": "set", "config": {"variables": {"in": "{{ $input }}", "st": "{{ $node.b.status }}", "p": "{{ $node.b.port }}"}}}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "continue"}]');
-- route: at `error`, with the error as output and as $error; an edge at `error` implies it
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "route"}, {"id": "ok", "type": "noop"}, {"id": "h", "type": "set", "config": {"variables": {"in": "{{ $input.code }}", "e": "{{ $error.message }}", "d": "{{ $error.detail }}", "hint": "{{ $error.hint }}", "n": "{{ $error.node }}", "st": "{{ $node.b.status }}", "p": "{{ $node.b.port }}", "own": "{{ $node.b.error.code }}"}}}]',
	'[{"source": "b", "target": "ok"}, {"source": "b", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "h", "type": "db.query", "config": {"sql": "SELECT put($1)", "params": ["{{ $error.code }}"]}}]', '[{"source": "a", "target": "b"}, {"source": "b", "sourceHandle": "error", "target": "h"}]');
-- no failure: the handler is skipped; a routed failure is no result
SELECT go('[{"id": "b", "type": "noop"}, {"id": "h", "type": "noop"}]', '[{"source": "b", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "h", "type": "set", "config": {"variables": {"x": 1}}}, {"id": "j", "type": "noop"}]', '[{"source": "b", "sourceHandle": "error", "target": "h"}, {"source": "b", "target": "j"}, {"source": "h", "target": "j"}]');
-- retry then continue, retry then route
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "continue", "onErrorValue": "{{ $error.attempt }}", "retry": {"maxAttempts": 2, "initialDelay": 0}}]');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "retry": {"maxAttempts": 2, "initialDelay": 0}}, {"id": "h", "type": "set", "config": {"variables": {"n": "{{ $error.attempt }}"}}}]', '[{"source": "b", "sourceHandle": "error", "target": "h"}]');
-- compensate: in one segment nothing was committed that could be compensated: it fails
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}, "compensate": {"node": "undo"}}, {"id": "undo", "type": "db.query", "config": {"sql": "SELECT put(''undo'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "compensate"}]', '[{"source": "a", "target": "b"}]');

-- try: catch sees the error; what it gives is the output; finally runs in any case
SELECT go('[{"id": "t", "type": "try"}, {"id": "a", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}},
	{"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"code": "{{ $error.code }}", "node": "{{ $error.node }}", "a": "{{ $node.a.status }}", "b": "{{ $node.b.status }}", "be": "{{ $node.b.error.message }}", "bo": "{{ $node.b.output ?? null }}"}}}, {"id": "f", "type": "db.query", "parent": "t", "branch": "finally", "config": {"sql": "SELECT put(''f'')"}}]', '[{"source": "a", "target": "b"}]');
-- without catch it fails after finally; what finally did goes with the run
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "f", "type": "db.query", "parent": "t", "branch": "finally", "config": {"sql": "SELECT put(''f'')"}}]');
-- its `error` port; an error in catch, in finally, in both
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "h", "type": "set", "config": {"variables": {"n": "{{ $error.node }}", "t": "{{ $node.t.status }}"}}}]', '[{"source": "t", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "c", "type": "db.query", "parent": "t", "branch": "catch", "config": {"sql": "SELECT oops(''c'')"}}, {"id": "f", "type": "db.query", "parent": "t", "branch": "finally", "config": {"sql": "SELECT put(''f'')"}}, {"id": "h", "type": "set", "config": {"variables": {"m": "{{ $error.message }}"}}}]', '[{"source": "t", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "c", "type": "db.query", "parent": "t", "branch": "catch", "config": {"sql": "SELECT oops(''c'')"}}, {"id": "f", "type": "db.query", "parent": "t", "branch": "finally", "config": {"sql": "SELECT oops(''f'')"}}, {"id": "h", "type": "set", "config": {"variables": {"m": "{{ $error.message }}"}}}]', '[{"source": "t", "sourceHandle": "error", "target": "h"}]');
-- the rest of a failed branch does not run; a parallel one beside it within the try is of no interest
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}}, {"id": "x", "type": "noop", "parent": "t", "branch": "try"}, {"id": "y", "type": "noop", "parent": "t", "branch": "try"}, {"id": "c", "type": "noop", "parent": "t", "branch": "catch"}]', '[{"source": "b", "target": "x"}]');
-- try in loop in try; the nearest that handles takes it
SELECT go('[{"id": "o", "type": "try"}, {"id": "l", "type": "loop", "parent": "o", "branch": "try", "config": {"items": [1, 2, 3]}}, {"id": "i", "type": "try", "parent": "l"}, {"id": "b", "type": "db.query", "parent": "i", "branch": "try", "config": {"sql": "SELECT CASE WHEN $1 = 2 THEN oops(''b'') ELSE put(''ok'' || $1) END", "params": ["{{ $item }}"]}},
	{"id": "ic", "type": "set", "parent": "i", "branch": "catch", "config": {"variables": {"caught": "{{ $item }}"}}}, {"id": "oc", "type": "noop", "parent": "o", "branch": "catch"}]');
SELECT go('[{"id": "o", "type": "try"}, {"id": "l", "type": "loop", "parent": "o", "branch": "try", "config": {"items": [1, 2, 3]}}, {"id": "i", "type": "try", "parent": "l"}, {"id": "b", "type": "db.query", "parent": "i", "branch": "try", "config": {"sql": "SELECT CASE WHEN $1 = 2 THEN oops(''b'') ELSE put(''ok'' || $1) END", "params": ["{{ $item }}"]}},
	{"id": "oc", "type": "set", "parent": "o", "branch": "catch", "config": {"variables": {"n": "{{ $error.node }}", "item": "{{ $item === undefined }}", "l": "{{ $node.l.status }}", "i": "{{ $node.i.error.code }}"}}}]');
-- loops: stop, continue, collect
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "onItemError": "continue"}}, {"id": "p", "type": "db.query", "parent": "l", "config": {"sql": "SELECT put(''p'' || $1)", "params": ["{{ $item }}"], "outputFormat": "value"}}, {"id": "b", "type": "db.query", "parent": "l", "config": {"sql": "SELECT CASE WHEN $1 = 2 THEN oops(''b'') ELSE put(''ok'' || $1) END", "params": ["{{ $item }}"], "outputFormat": "value"}}]', '[{"source": "p", "target": "b"}]');
-- an error of nobody's making ends all of the containers around
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}}, {"id": "p", "type": "parallel", "parent": "l", "config": {"branches": [{"id": "x"}]}}, {"id": "b", "type": "db.query", "parent": "p", "branch": "x", "config": {"sql": "SELECT oops(''b'')"}}]');
SELECT seq, path, status, error->>'node' FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;
-- a container with a policy of its own: what was done within it is undone
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "l", "type": "loop", "config": {"items": [1, 2]}, "onError": "continue", "onErrorValue": "instead"}, {"id": "p", "type": "db.query", "parent": "l", "config": {"sql": "SELECT put(''p'')"}}, {"id": "b", "type": "db.query", "parent": "l", "config": {"sql": "SELECT CASE WHEN $1 = 2 THEN oops(''b'') END", "params": ["{{ $item }}"]}}, {"id": "z", "type": "db.query", "config": {"sql": "SELECT put(''z'')"}}]',
	'[{"source": "a", "target": "l"}, {"source": "p", "target": "b"}, {"source": "l", "target": "z"}]');

-- errors where errors are handled: in onErrorValue, in edge conditions, in the conditions of error edges
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT oops(''b'')"}, "onError": "continue", "onErrorValue": "{{ $error.nothing.at.all }}"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''b'')"}, "onError": "continue", "onErrorValue": "{{ $error.nothing.at.all }}"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}", "n": "{{ $error.node }}"}}}]');
SELECT go('[{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}]', '[{"source": "a", "target": "b", "condition": "$input.none.at"}]');
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "noop"}, {"id": "h", "type": "set", "config": {"variables": {"c": "{{ $error.code }}"}}}]', '[{"source": "a", "target": "b", "condition": "$input.none.at"}, {"source": "a", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "a", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "noop", "parent": "t", "branch": "try"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}", "s": "{{ $node.a.status }}"}}}]', '[{"source": "a", "target": "b", "condition": "$input.none.at"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "a", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT oops(''a'')"}}, {"id": "b", "type": "noop", "parent": "t", "branch": "try"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}"}}}]', '[{"source": "a", "sourceHandle": "error", "target": "b", "condition": "$input.none.at"}]');
-- a back edge taken too often, in a container that handles it and at the top
SELECT go('[{"id": "t", "type": "try"}, {"id": "a", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT put(''a'')"}}, {"id": "b", "type": "noop", "parent": "t", "branch": "try"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}", "n": "{{ $error.node }}"}}}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "a", "maxIterations": 2}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2], "onItemError": "collect"}}, {"id": "a", "type": "noop", "parent": "l"}]', '[{"source": "a", "target": "a", "maxIterations": 2}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}}, {"id": "a", "type": "noop", "parent": "l"}]', '[{"source": "a", "target": "a", "maxIterations": 2}]');

-- errors have {code, message, node, step, detail, hint, attempt}; a fail node its own code and details
SELECT go('[{"id": "f", "type": "fail", "config": {"code": "OUT_OF_STOCK", "message": "no stock for {{ $trigger.k }}", "details": {"left": 0}}}]');
SELECT error FROM wf_runs WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs);
-- integrity errors keep their SQLSTATE, and deferred ones are the caller's commit's
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "INSERT INTO k VALUES (1), (1)"}, "onError": "continue", "onErrorValue": {"c": "{{ $error.code }}", "d": "{{ $error.detail }}"}}]');

-- subworkflows: propagate, catch, ignore
SELECT wf_save('child', '{"nodes": [{"id": "p", "type": "db.query", "config": {"sql": "SELECT put(''child'')"}}, {"id": "f", "type": "fail", "config": {"code": "CHILD", "message": "the child failed"}}], "edges": [{"source": "p", "target": "f"}]}');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}]');
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "child", "errorHandling": "catch"}}, {"id": "h", "type": "set", "config": {"variables": {"c": "{{ $error.code }}", "n": "{{ $error.node }}"}}}]', '[{"source": "a", "target": "s"}, {"source": "s", "sourceHandle": "error", "target": "h"}]');
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT put(''a'')"}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "child", "errorHandling": "ignore"}}]', '[{"source": "a", "target": "s"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "s", "type": "subworkflow", "parent": "t", "branch": "try", "config": {"workflow": "child"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}"}}}]');
-- one that is not there, has no active version, is paused; a version that is not there
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "chld"}}]');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "{{ \"none\" + $input.k }}", "errorHandling": "ignore"}}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "s", "type": "subworkflow", "parent": "t", "branch": "try", "config": {"workflow": "child", "version": 7}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}", "m": "{{ $error.message }}"}}}]');
SELECT wf_set_status('child', 'paused');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}]');
SELECT wf_set_status('child', 'active');
-- recursion ends at a depth
SET workflow.max_depth = 5;
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "go"}}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "s", "type": "subworkflow", "parent": "t", "branch": "try", "config": {"workflow": "deep"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}"}}}]');
SELECT wf_save('deep', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "deep"}}], "edges": []}');
SELECT go('[{"id": "t", "type": "try"}, {"id": "s", "type": "subworkflow", "parent": "t", "branch": "try", "config": {"workflow": "deep"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}"}}}]');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "deep", "errorHandling": "ignore"}}]');
RESET workflow.max_depth;

-- wf_call raises; errors name workflow, version, node and attempt
\set VERBOSITY default
SELECT wf_call('child');
SELECT wf_save('caller', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}], "edges": []}');
SELECT wf_call('caller');
SELECT wf_save('sql', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT 1 / $1::int", "params": [0]}, "retry": {"maxAttempts": 2, "initialDelay": 0}}], "edges": []}');
SELECT wf_call('sql');
SELECT count(*) FROM wf_runs WHERE workflow IN ('sql', 'caller');
