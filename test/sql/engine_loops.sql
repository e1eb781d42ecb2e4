-- loops of back edges: iterations, what leaves them, and their limits
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
-- runs a graph: the order in which nodes were executed (skipped ones in parentheses) and the output, or the error
CREATE FUNCTION trace(nodes jsonb, edges jsonb, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; t text;
BEGIN
	PERFORM wf_save('trace', jsonb_build_object('nodes', nodes, 'edges', edges));
	r := wf_run('trace', input);
	SELECT string_agg(CASE status WHEN 'completed' THEN node WHEN 'skipped' THEN '(' || node || ')' ELSE node || '!' END, ' ' ORDER BY seq)
	INTO t FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN t || ' => ' || CASE r->>'status' WHEN 'completed' THEN r->>'output'
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') END;
END $$;
-- n nodes of type noop, by their ids
CREATE FUNCTION noops(VARIADIC ids text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('id', id, 'type', 'noop') ORDER BY o) FROM unnest(ids) WITH ORDINALITY u(id, o) $$;

-- a rejected approval: back to the form until it is accepted
SELECT trace('[{"id": "form", "type": "set", "config": {"variables": {"try": "{{ ($vars.try ?? 0) + 1 }}"}}},
	{"id": "ok", "type": "if", "config": {"condition": "$vars.try >= 3"}},
	{"id": "done", "type": "set", "config": {"variables": {"tries": "{{ $vars.try }}", "rounds": "{{ $run.iteration.form }}", "seen": "{{ $input }}"}}}]',
	'[{"source": "form", "target": "ok"}, {"source": "ok", "sourceHandle": "false", "target": "form"},
	  {"source": "ok", "sourceHandle": "true", "target": "done"}]');
-- what the target of a back edge gets as its input: the run's at first, then the back edge's source's output
SELECT trace('[{"id": "a", "type": "set", "config": {"variables": {"n": "{{ ($input.n ?? 0) + 1 }}"}}}]',
	'[{"source": "a", "target": "a", "condition": "$input.n < 5"}]', '{"n": 1}');
SELECT node, seq, input, output FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq;

-- the exit of a loop is held back until no back edge fires: after runs once, not three times
SELECT trace(noops('h', 'b', 'after'),
	'[{"source": "h", "target": "b"}, {"source": "h", "target": "after"}, {"source": "b", "target": "h", "condition": "$run.iteration.h < 3"}]');
-- an exit that was live in an earlier iteration only is not live at the end
SELECT trace(noops('h', 'b', 'early', 'late'),
	'[{"source": "h", "target": "b"}, {"source": "b", "target": "h", "condition": "$run.iteration.h < 3"},
	  {"source": "b", "target": "early", "condition": "$run.iteration.h === 1"}, {"source": "b", "target": "late", "condition": "$run.iteration.h === 3"}]');
-- branches and joins within a loop are resolved anew each time
SELECT trace('[{"id": "h", "type": "noop"}, {"id": "odd", "type": "noop"}, {"id": "even", "type": "noop"}, {"id": "j", "type": "noop"}, {"id": "out", "type": "noop"}]',
	'[{"source": "h", "target": "odd", "condition": "$run.iteration.h % 2 === 1"}, {"source": "h", "target": "even", "condition": "$run.iteration.h % 2 === 0"},
	  {"source": "odd", "target": "j"}, {"source": "even", "target": "j"},
	  {"source": "j", "target": "h", "condition": "$run.iteration.h < 4"}, {"source": "j", "target": "out"}]');
-- two back edges to one header, alone and at once
SELECT trace(noops('h', 'a', 'b', 'z'),
	'[{"source": "h", "target": "a"}, {"source": "h", "target": "b"}, {"source": "a", "target": "h", "condition": "$run.iteration.h < 3"},
	  {"source": "b", "target": "h", "condition": "$run.iteration.h < 2"}, {"source": "a", "target": "z"}, {"source": "b", "target": "z"}]', '{"k": 1}');
SELECT node, input FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) AND node = 'h' ORDER BY seq;

-- a loop in a loop: the inner one counts anew in each iteration of the outer one
SELECT trace(noops('o', 'i', 'x', 'z'),
	'[{"source": "o", "target": "i"}, {"source": "i", "target": "x"}, {"source": "i", "target": "i", "condition": "$run.iteration.i % 3 > 0", "maxIterations": 2},
	  {"source": "x", "target": "o", "condition": "$run.iteration.o < 3"}, {"source": "x", "target": "z"}]');
-- an edge out of two loops at once is held by both
SELECT trace(noops('o', 'i', 'x', 'far'),
	'[{"source": "o", "target": "i"}, {"source": "i", "target": "x"}, {"source": "i", "target": "far"},
	  {"source": "i", "target": "i", "condition": "$run.iteration.i % 2 === 1"}, {"source": "x", "target": "o", "condition": "$run.iteration.o < 2"}]');
-- a back edge of the outer loop that leaves the inner one: it waits until that is over, and what an iteration that was
-- repeated said is forgotten
SELECT trace(noops('o', 'i', 'n', 'z'),
	'[{"source": "o", "target": "i"}, {"source": "i", "target": "n"},
	  {"source": "n", "target": "i", "condition": "$run.iteration.n < 5"}, {"source": "n", "target": "o", "condition": "$run.iteration.n < 5"},
	  {"source": "n", "target": "z"}]');
SELECT trace(noops('o', 'i', 'n', 'z'),
	'[{"source": "o", "target": "i"}, {"source": "i", "target": "n"},
	  {"source": "n", "target": "i", "condition": "$run.iteration.n % 3 > 0"}, {"source": "n", "target": "o", "condition": "$run.iteration.n < 7"},
	  {"source": "n", "target": "z"}]');
-- the same, a hundred times over: nothing is written beyond what the header has places for
SELECT right(trace(noops('o', 'i', 'n', 'z'),
	'[{"source": "o", "target": "i"}, {"source": "i", "target": "n"},
	  {"source": "n", "target": "i", "condition": "$run.iteration.n <= 300"}, {"source": "n", "target": "o", "condition": "$run.iteration.n <= 300"},
	  {"source": "n", "target": "z"}]', '{"s": "ssssssssssssssssssssssssssssssssss"}'), 60);
-- three deep
SELECT trace(noops('a', 'b', 'c', 'd', 'e', 'z'),
	'[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "c", "condition": "$run.iteration.c % 2 === 1"},
	  {"source": "c", "target": "d"}, {"source": "d", "target": "b", "condition": "$run.iteration.d % 2 === 1"}, {"source": "d", "target": "e"},
	  {"source": "e", "target": "a", "condition": "$run.iteration.e < 2"}, {"source": "c", "target": "z"}, {"source": "e", "target": "z"}]');
-- all nodes of a loop but its header skipped
SELECT trace(noops('s', 'h', 'b', 'z'),
	'[{"source": "s", "target": "h"}, {"source": "h", "target": "b", "condition": "false"}, {"source": "b", "target": "h"}, {"source": "h", "target": "z"}, {"source": "b", "target": "z"}]');
-- a loop that is skipped as a whole
SELECT trace(noops('s', 'h', 'b', 'z', 'y'),
	'[{"source": "s", "target": "h", "condition": "false"}, {"source": "h", "target": "b"}, {"source": "b", "target": "h"}, {"source": "b", "target": "z"}, {"source": "s", "target": "y"}]');
-- merges that run early, in a loop
SELECT trace('[{"id": "h", "type": "noop"}, {"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}, {"id": "m", "type": "merge", "config": {"mode": "any"}}, {"id": "z", "type": "noop"}]',
	'[{"source": "h", "target": "a"}, {"source": "h", "target": "b"}, {"source": "a", "target": "m"}, {"source": "b", "target": "m"},
	  {"source": "m", "target": "h", "condition": "$run.iteration.h < 3"}, {"source": "m", "target": "z"}]', '{"k": 1}');

-- limits: the edge's own, and the default of 1000
SELECT trace(noops('a', 'b'), '[{"source": "a", "target": "b"}, {"source": "b", "target": "a", "maxIterations": 2}]');
SELECT right(trace(noops('a', 'b'), '[{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]'), 80);
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "b", "target": "a", "condition": "$run.iteration.a < 3", "maxIterations": 2}]');

-- the limit on steps ends what has no other
SET workflow.max_iterations = 10;
SELECT trace(noops('a', 'b'), '[{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]');
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "b", "target": "c"}, {"source": "a", "target": "a"}]');
SET workflow.max_iterations = 2;
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "b", "target": "c"}]');
SET workflow.max_iterations = 3;
SELECT trace(noops('a', 'b', 'c'), '[{"source": "a", "target": "b", "condition": "false"}, {"source": "b", "target": "c"}]');
RESET workflow.max_iterations;
