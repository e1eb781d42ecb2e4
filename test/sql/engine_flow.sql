-- edges, joins, inputs, results, names: what a graph means
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
-- runs a graph: the order in which nodes were executed (skipped ones in parentheses) and the output, or the error
CREATE FUNCTION trace(nodes jsonb, edges jsonb DEFAULT '[]', input jsonb DEFAULT '{"k": 1}', more jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; t text;
BEGIN
	PERFORM wf_save('trace', more || jsonb_build_object('nodes', nodes, 'edges', edges));
	r := wf_run('trace', input, options);
	SELECT string_agg(CASE status WHEN 'completed' THEN path WHEN 'skipped' THEN '(' || path || ')' ELSE path || '!' END, ' ' ORDER BY seq)
	INTO t FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN t || ' => ' || CASE r->>'status' WHEN 'completed' THEN coalesce(r->>'output', 'null')
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') END;
END $$;
CREATE FUNCTION noops(VARIADIC ids text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', id, 'type', 'noop') ORDER BY o) FROM unnest(ids) WITH ORDINALITY u(id, o) $$;
-- the inputs of the steps of the last run
CREATE FUNCTION inputs() RETURNS SETOF text LANGUAGE sql AS $$
	SELECT path || ': ' || coalesce(input::text, '-') FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq $$;

-- live and dead edges: a join runs once when one of its edges is live, is skipped when none is, and never waits for ever
SELECT trace(noops('a', 'b', 'c', 'd'), '[{"source": "a", "target": "b"}, {"source": "a", "target": "c"}, {"source": "b", "target": "d"}, {"source": "c", "target": "d"}]');
SELECT inputs();
SELECT trace(noops('a', 'b', 'c', 'd'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "a", "target": "c"}, {"source": "b", "target": "d"}, {"source": "c", "target": "d"}]');
SELECT inputs();
SELECT trace(noops('a', 'b', 'c', 'd'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "a", "target": "c", "condition": "0"}, {"source": "b", "target": "d"}, {"source": "c", "target": "d"}]');
-- rejoining branches of an if; a dead branch of any length
SELECT trace('[{"id": "i", "type": "if", "config": {"condition": "$input.k === 1"}}, {"id": "y", "type": "noop"}, {"id": "n1", "type": "noop"}, {"id": "n2", "type": "noop"}, {"id": "j", "type": "noop"}]',
	'[{"source": "i", "sourceHandle": "true", "target": "y"}, {"source": "i", "sourceHandle": "false", "target": "n1"}, {"source": "n1", "target": "n2"}, {"source": "y", "target": "j"}, {"source": "n2", "target": "j"}]');
-- a diamond in a diamond; an edge over a branch
SELECT trace(noops('a', 'b', 'c', 'd', 'e', 'f'), '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "b", "target": "d", "condition": "false"}, {"source": "c", "target": "e"}, {"source": "d", "target": "e"}, {"source": "a", "target": "f"}, {"source": "e", "target": "f"}]');
-- two edges between two nodes, at different ports
SELECT trace('[{"id": "s", "type": "switch", "config": {"mode": "all", "cases": [{"when": "$input.k > 0", "port": "p"}, {"when": "$input.k < 5", "port": "q"}, {"when": "false", "port": "r"}]}}, {"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}, {"id": "c", "type": "noop"}]',
	'[{"source": "s", "sourceHandle": "p", "target": "a"}, {"source": "s", "sourceHandle": "q", "target": "b"}, {"source": "s", "sourceHandle": "r", "target": "c"}, {"source": "a", "target": "c"}]');
-- conditions see the output of their source as $input, and all nodes by name
SELECT trace('[{"id": "a", "type": "set", "name": "First one", "config": {"variables": {"v": 5}}}, {"id": "b", "type": "noop"}, {"id": "c", "type": "noop"}, {"id": "d", "type": "noop"}]',
	'[{"source": "a", "target": "b", "condition": "$input.v === 5 && $trigger.k === 1"}, {"source": "a", "target": "c", "condition": "$node[\"First one\"].output.v > 5"}, {"source": "a", "target": "d", "condition": "$vars.v"}]');
-- a thousand nodes die at once; a thousand join in one
SELECT length(trace((SELECT noops(VARIADIC array_agg('n' || i ORDER BY i)) FROM generate_series(1, 2000) i), (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1, 'condition', CASE i WHEN 1 THEN 'false' ELSE 'true' END)) FROM generate_series(1, 1999) i)));
SELECT right(trace((SELECT noops(VARIADIC array_agg('n' || i ORDER BY i)) FROM generate_series(1, 1000) i), (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n1')) FROM generate_series(2, 1000) i)), 40);

-- $input: of a starting node the run's; of one live predecessor its output; of several an object by their ids
SELECT trace('[{"id": "a", "type": "set", "config": {"variables": {"x": 1}}}, {"id": "b", "type": "set", "config": {"variables": {"y": 2}}}, {"id": "j", "type": "noop"}]', '[{"source": "a", "target": "j"}, {"source": "b", "target": "j"}]');
SELECT inputs();
SELECT trace('[{"id": "a", "type": "set", "config": {"variables": {"x": 1}}}, {"id": "b", "type": "set", "config": {"variables": {"y": 2}}}, {"id": "j", "type": "noop"}]', '[{"source": "a", "target": "j"}, {"source": "b", "target": "j", "condition": "false"}]');
-- inputs that are no objects
SELECT trace(noops('a'), '[]', '[1, 2]'), trace(noops('a'), '[]', '"text"'), trace(noops('a'), '[]', 'null');

-- results: what return gave; the only terminal node that ran; an object of several; of none
SELECT trace('[{"id": "a", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": {"done": "{{ $input.k }}"}}}, {"id": "z", "type": "noop"}]', '[{"source": "a", "target": "r"}, {"source": "a", "target": "z"}]');
SELECT trace('[{"id": "r", "type": "return"}]', '[]', '[1]'), trace('[{"id": "r", "type": "return", "config": {"value": null}}]');
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b"}, {"source": "a", "target": "c"}]');
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b"}, {"source": "a", "target": "c", "condition": "false"}]');
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "a", "target": "c", "condition": "false"}]');
SELECT trace('[]');
-- return within containers ends all; in a subworkflow only that
SELECT trace('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}, {"id": "t", "type": "try", "parent": "l"}, {"id": "i", "type": "noop", "parent": "t", "branch": "try"}, {"id": "r", "type": "return", "parent": "t", "branch": "try", "config": {"value": "{{ $item }}"}}, {"id": "z", "type": "noop"}]',
	'[{"source": "l", "target": "z"}, {"source": "i", "target": "r", "condition": "$item === 2"}]');
SELECT wf_save('child', '{"nodes": [{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}, {"id": "r", "type": "return", "parent": "l", "config": {"value": {"got": "{{ $trigger }}"}}}], "edges": []}');
SELECT trace('[{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}, {"id": "z", "type": "noop"}]', '[{"source": "s", "target": "z"}]');

SELECT wf_save('fails', '{"nodes": [{"id": "f", "type": "fail", "config": {"code": "E", "message": "m", "details": {"d": 1}}}], "edges": []}');
-- $node: by id and by name, all of its parts; what has not run or was skipped is undefined
SELECT trace('[{"id": "a", "type": "if", "name": "Is it?", "config": {"condition": "true"}}, {"id": "skipped", "type": "noop"}, {"id": "bad", "type": "subworkflow", "config": {"workflow": "fails"}, "onError": "continue", "onErrorValue": {"instead": true}},
	{"id": "z", "type": "set", "config": {"variables": {"out": "{{ $node.a.output }}", "named": "{{ $node[\"Is it?\"].output.result }}", "port": "{{ $node.a.port }}", "status": "{{ $node.a.status }}",
		"skipped": "{{ $node.skipped.status }}", "skippedOut": "{{ $node.skipped.output === undefined }}", "bad": "{{ $node.bad.status }}", "badOut": "{{ $node.bad.output }}", "badError": "{{ $node.bad.error }}", "own": "{{ $node.z === undefined }}", "ownStatus": "{{ $node.z?.status }}", "whole": "{{ $node.a }}"}}}]',
	'[{"source": "a", "sourceHandle": "true", "target": "bad"}, {"source": "a", "sourceHandle": "false", "target": "skipped"}, {"source": "bad", "target": "z"}, {"source": "skipped", "target": "z"}]');
-- $vars with defaults, $env, $run, $trigger
SELECT trace('[{"id": "a", "type": "set", "config": {"variables": {"n": "{{ $vars.n + 1 }}", "m": "{{ $vars.m ?? null }}"}}}, {"id": "z", "type": "set", "config": {"variables": {"vars": "{{ $vars }}", "env": "{{ $env.STAGE }}", "t": "{{ $trigger }}", "w": "{{ $run.workflow }}", "tenant": "{{ $run.tenant }}", "c": "{{ $run.correlationId }}", "it": "{{ $run.iteration.a }}", "id": "{{ $run.id.length }}"}}}]',
	'[{"source": "a", "target": "z"}]', '{"k": 1}', '{"variables": [{"name": "n", "type": "number", "default": 41}, {"name": "m", "type": "object"}]}', '{"env": {"STAGE": "test"}, "correlationId": "c-1"}');
-- no $env, no $vars: empty objects
SELECT trace('[{"id": "z", "type": "set", "config": {"variables": {"vars": "{{ $vars }}", "env": "{{ $env }}", "none": "{{ $vars.x === undefined }}", "item": "{{ $item === undefined }}", "error": "{{ $error === undefined }}"}}}]');
-- variables of a subworkflow are its own
SELECT wf_save('child', '{"nodes": [{"id": "s", "type": "set", "config": {"variables": {"v": "of the child", "seen": "{{ $vars.v === undefined }}", "node": "{{ $item === undefined }}"}}}], "edges": []}');
SELECT trace('[{"id": "a", "type": "set", "config": {"variables": {"v": "of the parent"}}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}, {"id": "z", "type": "set", "config": {"variables": {"v2": "{{ $vars.v }}", "s": "{{ $input }}"}}}]', '[{"source": "a", "target": "s"}, {"source": "s", "target": "z"}]');

-- containers in containers: $item, $index and $items are those of the nearest loop; names around stay visible
SELECT trace('[{"id": "o", "type": "loop", "config": {"items": "{{ $input.rows }}"}}, {"id": "i", "type": "loop", "parent": "o", "config": {"items": "{{ $item.cells }}"}},
	{"id": "b", "type": "set", "parent": "i", "config": {"variables": {"c": "{{ $item }}", "x": "{{ $index }}", "n": "{{ $items.length }}", "row": "{{ $node.h.output.name }}"}}},
	{"id": "h", "type": "set", "parent": "o", "config": {"variables": {"name": "{{ $item.name }}", "at": "{{ $index }}"}}}]',
	'[{"source": "h", "target": "i"}]', '{"rows": [{"name": "r1", "cells": [1, 2]}, {"name": "r2", "cells": [3]}]}');
-- what a node gave in an earlier round is gone in the next one
SELECT trace('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}, {"id": "a", "type": "set", "parent": "l", "config": {"variables": {"before": "{{ $node.b?.output?.v ?? null }}", "last": "{{ $vars.last ?? null }}"}}}, {"id": "b", "type": "set", "parent": "l", "config": {"variables": {"v": "{{ $item }}", "last": "{{ $item }}"}}}, {"id": "r", "type": "noop", "parent": "l"}, {"id": "z", "type": "set", "config": {"variables": {"b": "{{ $node.b.output.v }}", "times": "{{ $run.iteration.b }}"}}}]',
	'[{"source": "a", "target": "b"}, {"source": "a", "target": "r"}, {"source": "b", "target": "r"}, {"source": "l", "target": "z"}]');
SELECT trace('[{"id": "t", "type": "try"}, {"id": "p", "type": "parallel", "parent": "t", "branch": "try", "config": {"branches": [{"id": "x"}, {"id": "y"}]}}, {"id": "l", "type": "loop", "parent": "p", "branch": "x", "config": {"type": "for", "from": 1, "to": 2}}, {"id": "lb", "type": "noop", "parent": "l"}, {"id": "y1", "type": "noop", "parent": "p", "branch": "y"}, {"id": "f", "type": "noop", "parent": "t", "branch": "finally"}]');
-- edges and back edges within a region
SELECT trace('[{"id": "l", "type": "loop", "config": {"items": [10, 20]}}, {"id": "a", "type": "set", "parent": "l", "config": {"variables": {"n": "{{ ($input.n ?? $item) + 1 }}"}}}, {"id": "b", "type": "noop", "parent": "l"}]',
	'[{"source": "a", "target": "a", "condition": "$input.n < $item + 3"}, {"source": "a", "target": "b"}]');

-- disabled nodes pass their input on, whatever they are
SELECT trace('[{"id": "a", "type": "noop"}, {"id": "d", "type": "fail", "disabled": true, "config": {"code": "E", "message": "m"}}, {"id": "q", "type": "db.query", "disabled": true, "config": {"sql": "SELECT 1/0"}}, {"id": "l", "type": "loop", "disabled": true, "config": {"items": [1]}}, {"id": "b", "type": "noop", "parent": "l"}, {"id": "z", "type": "noop"}]',
	'[{"source": "a", "target": "q"}, {"source": "q", "target": "l"}, {"source": "l", "target": "z"}]');

-- triggers start their own edges; with a manual one, wf_run starts at that alone
SELECT trace('[{"id": "m", "type": "trigger.manual"}, {"id": "a", "type": "noop"}]', '[{"source": "m", "target": "a"}]');
SELECT trace('[{"id": "m1", "type": "trigger.manual"}, {"id": "m2", "type": "trigger.manual"}, {"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}]', '[{"source": "m1", "target": "a"}, {"source": "m2", "target": "a"}, {"source": "m2", "target": "b"}]');

-- mocks: an output, a port, an error; the block does not run
SELECT trace('[{"id": "q", "type": "db.query", "config": {"sql": "SELECT 1/0"}}, {"id": "i", "type": "if", "config": {"condition": "true"}}, {"id": "y", "type": "noop"}, {"id": "n", "type": "noop"}]', '[{"source": "q", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "y"}, {"source": "i", "sourceHandle": "false", "target": "n"}]',
	'{}', '{}', '{"mocks": {"q": {"rows": []}, "i": {"$port": "false", "output": {"mocked": true}}}}');
SELECT trace('[{"id": "a", "type": "noop"}, {"id": "h", "type": "set", "config": {"variables": {"c": "{{ $error.code }}", "m": "{{ $error.message }}"}}}]', '[{"source": "a", "sourceHandle": "error", "target": "h"}]', '{}', '{}', '{"mocks": {"a": {"$error": {"code": "40001", "message": "busy"}}}}');
SELECT trace('[{"id": "l", "type": "loop", "config": {"items": "{{ $input.none }}"}}, {"id": "b", "type": "noop", "parent": "l"}]', '[]', '{}', '{}', '{"mocks": {"l": {"results": [1]}}}');
SELECT trace('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}}, {"id": "b", "type": "noop", "parent": "l"}]', '[]', '{}', '{}', '{"mocks": {"b": 7}}');
SELECT trace('[{"id": "alpha", "name": "Beta", "type": "noop"}]', '[]', '{}', '{}', '{"mocks": {"alpa": 7}}');
SELECT trace('[{"id": "alpha", "name": "Beta", "type": "noop"}]', '[]', '{}', '{}', '{"mocks": {"Beta": 7}}');
SELECT trace('[{"id": "a", "type": "noop"}]', '[]', '{}', '{}', '{"mocks": {"a": {"$port": "no"}}}');
SELECT trace('[{"id": "a", "type": "noop"}]', '[]', '{}', '{}', '{"mocks": []}');
