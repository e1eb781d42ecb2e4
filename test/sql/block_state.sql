-- what containers ask of the engine, reply by reply; their state is saved and loaded between any two
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test_block(definition jsonb, node text, context jsonb, replies jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_block' LANGUAGE C STRICT;
CREATE FUNCTION wrong(def text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint) FROM wf_validate(def::jsonb) WHERE severity = 'error' $$;
-- a container with a node in each branch
CREATE FUNCTION container(type text, config text, branches text[] DEFAULT ARRAY[NULL]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('edges', '[]'::jsonb, 'nodes', jsonb_build_array(jsonb_build_object('id', 'c', 'type', type, 'config', config::jsonb))
		|| (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', 'n' || i, 'type', 'noop', 'parent', 'c', 'branch', b))), '[]')
		FROM unnest(branches) WITH ORDINALITY AS u(b, i))) $$;
-- all outcomes, without what was saved; then what was saved last
CREATE FUNCTION play(definition jsonb, replies text, input text DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	WITH o AS MATERIALIZED (SELECT e, i FROM jsonb_array_elements(test_block(definition, 'c', jsonb_build_object('input', input::jsonb), replies::jsonb)) WITH ORDINALITY AS t(e, i))
	(SELECT (e - 'state')::text FROM o ORDER BY i)
	UNION ALL (SELECT 'state: ' || (e->>'state') FROM o WHERE e ? 'state' ORDER BY i DESC LIMIT 1) $$;

-- loop, inline: one round at a time, also when it waits
SELECT play(container('loop', '{"items": ["a", "b"]}'), '[{"blocked": true}, {"output": 1}, {"blocked": true}, {"output": 2}]');
SELECT play(container('loop', '{"items": [1, 2, 3, 4, 5], "batchSize": 2}'), '[{"output": 1}, {"output": 2}]');
SELECT play(container('loop', '{"type": "for", "from": 5, "to": 1, "step": -2}'), '[{"output": "x"}, {"output": "y"}, {"output": "z"}]');
SELECT play(container('loop', '{"type": "while", "condition": "($item ?? 0) < 2"}'), '[{"output": 1}, {"output": 2}]', '{"k": 1}');
SELECT play(container('loop', '{"items": [1, 2, 3], "onItemError": "collect"}'), '[{"error": {"code": "A", "message": "a"}}, {"output": 2}]');
SELECT play(container('loop', '{"items": [1, 2, 3], "onItemError": "collect"}'), '[{"error": {"code": "A", "message": "a"}}, {"output": 2}, {"output": 3}]');
SELECT play(container('loop', '{"items": [1, 2, 3], "onItemError": "continue"}'), '[{"error": {"code": "A", "message": "a"}}, {"output": 2}, {"output": 3}]');
SELECT play(container('loop', '{"items": [1, 2, 3]}'), '[{"error": {"code": "A", "message": "a"}}]');
SELECT play(container('loop', '{"items": [1, 2, 3], "breakCondition": "$index === 1"}'), '[{"output": 1}, {"output": 2}]');
-- numbers at the ends of their range
SELECT play(container('loop', '{"type": "for", "from": -9223372036854775808, "to": 9223372036854775807, "step": 9223372036854775807}'), '[{"output": 1}, {"output": 2}, {"output": 3}]');
SELECT play(container('loop', '{"type": "for", "from": 9223372036854775807, "to": -9223372036854775808, "step": -9223372036854775808}'), '[{"output": 1}, {"output": 2}]');
SELECT play(container('loop', '{"type": "for", "from": -9223372036854775808, "to": 9223372036854775807, "maxIterations": 1000}'), '[]');

-- loop in workers: all at once, or as many as concurrency says; results in the order of the items
SELECT play(container('loop', '{"items": ["a", "b", "c"], "mode": "workers"}'), '[{"blocked": true}, {"blocked": true}, {"blocked": true},
	{"index": 2, "output": "C"}, {"index": 0, "output": "A"}, {"index": 1, "output": "B"}]');
SELECT play(container('loop', '{"items": ["a", "b", "c"], "mode": "workers", "concurrency": 2}'), '[{"blocked": true}, {"blocked": true},
	{"index": 1, "output": "B"}, {"blocked": true}, {"index": 2, "output": "C"}, {"index": 0, "output": "A"}]');
SELECT play(container('loop', '{"items": ["a", "b", "c"], "mode": "workers", "concurrency": 2}'), '[{"blocked": true}, {"blocked": true},
	{"index": 1, "output": "B"}]');
SELECT play(container('loop', '{"type": "for", "from": 1, "to": 3, "mode": "workers", "onItemError": "collect"}'), '[{"blocked": true}, {"blocked": true}, {"blocked": true},
	{"index": 2, "error": {"code": "X", "message": "x"}}, {"index": 1, "output": "B"}, {"index": 0, "error": {"code": "Y", "message": "y"}}]');
SELECT play(container('loop', '{"items": ["a", "b", "c"], "mode": "workers", "onItemError": "continue"}'), '[{"blocked": true}, {"blocked": true}, {"blocked": true},
	{"index": 2, "error": {"code": "X", "message": "x"}}, {"index": 1, "output": "B"}, {"index": 0, "output": "A"}]');
SELECT play(container('loop', '{"items": ["a", "b", "c"], "mode": "workers"}'), '[{"blocked": true}, {"blocked": true}, {"blocked": true},
	{"index": 2, "output": "C"}, {"index": 1, "error": {"code": "X", "message": "x"}}]');
-- breakCondition: what a round gave is its $input; a round that failed gave {}
SELECT play(container('loop', '{"items": ["a", "b", "c", "d"], "mode": "workers", "concurrency": 2, "breakCondition": "$input.found && $item === \"b\""}'),
	'[{"blocked": true}, {"blocked": true}, {"index": 0, "output": {"found": true}}, {"blocked": true}, {"index": 1, "output": {"found": true}}]');
SELECT play(container('loop', '{"items": [1, 2], "mode": "workers", "onItemError": "continue", "breakCondition": "$input.found === undefined"}'),
	'[{"blocked": true}, {"blocked": true}, {"index": 0, "error": {"code": "X", "message": "x"}}]');
-- batches; nothing to do; no nodes
SELECT play(container('loop', '{"items": [1, 2, 3], "batchSize": 2, "mode": "workers"}'), '[{"blocked": true}, {"blocked": true}, {"index": 1, "output": "y"}, {"index": 0, "output": "x"}]');
SELECT play(container('loop', '{"items": [], "mode": "workers"}'), '[]');
SELECT play(container('loop', '{"items": [1, 2], "mode": "workers"}', '{}'), '[]');
SELECT play(container('loop', '{"type": "for", "from": 1, "to": 2000000, "mode": "workers"}'), '[]');
SELECT wrong(container('loop', '{"type": "while", "condition": "true", "mode": "workers"}')::text);
SELECT wrong(container('loop', '{"items": [], "mode": "workers", "concurrency": 0}')::text);

-- loop: a state that another version saved
SELECT play(container('loop', '{"items": [1, 2, 3]}'), jsonb_build_array('{"output": 1}'::jsonb, jsonb_build_object('definition', container('loop', '{"items": [7], "onItemError": "continue"}')), '{"error": {"code": "A", "message": "a"}}'::jsonb, '{"output": 3}'::jsonb)::text);
SELECT play(container('loop', '{"items": [1, 2, 3]}'), jsonb_build_array('{"output": 1}'::jsonb, jsonb_build_object('definition', container('loop', '{"type": "for", "from": 1, "to": 3}')))::text);
SELECT play(container('loop', '{"items": [1, 2], "mode": "workers"}'), jsonb_build_array('{"blocked": true}'::jsonb, '{"blocked": true}'::jsonb, jsonb_build_object('definition', container('loop', '{"items": [], "onItemError": "collect"}')))::text);
SELECT play(container('loop', '{"items": [1, 2]}'), '[{"state": {}}]');
SELECT play(container('loop', '{"items": [1, 2]}'), '[{"state": []}]');
SELECT play(container('loop', '{"items": [1, 2]}'), '[{"state": {"type": "foreach", "entered": 1, "finished": 0, "total": 2, "items": 5}}]');
SELECT play(container('loop', '{"items": [1, 2]}'), '[{"state": {"type": "foreach", "entered": 1, "finished": 0, "total": 1, "items": [9], "results": ["x", 1, 2], "more": 1}}, {"output": 1}]');

-- parallel: a branch that waits lets the next one begin
CREATE FUNCTION par(config text, branches text[] DEFAULT '{a,b,c}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT container('parallel', (SELECT jsonb_build_object('branches', jsonb_agg(jsonb_build_object('id', b))) || config::jsonb FROM unnest(branches) b)::text, branches) $$;
SELECT play(par('{}'), '[{"region": 0, "output": 1}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 2, "output": 3}, {"region": 1, "output": 2}]');
SELECT play(par('{}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 0, "output": 1}, {"region": 2, "output": 3}, {"region": 1, "output": 2}]');
SELECT play(par('{}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 1, "error": {"code": "X", "message": "x"}}]');
SELECT play(par('{"errorHandling": "collect"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 1, "error": {"code": "X", "message": "x"}}]');
SELECT play(par('{"errorHandling": "collect"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 1, "error": {"code": "X", "message": "x"}}, {"region": 2, "output": 3}, {"region": 0, "output": {"a": 1}}]');
SELECT play(par('{"waitMode": "any"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 1, "output": 2}]');
SELECT play(par('{"waitMode": "any"}'), '[{"region": 0, "blocked": true}, {"region": 1, "output": 2}]');
SELECT play(par('{"waitMode": "any", "errorHandling": "continue"}'), '[{"region": 0, "blocked": true}, {"region": 1, "error": {"code": "X", "message": "x"}}]');
SELECT play(par('{"waitMode": "first"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "error": {"code": "X", "message": "x"}}, {"region": 1, "error": {"code": "Y", "message": "y"}}, {"region": 0, "output": 1}]');
SELECT play(par('{"waitMode": "first"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "error": {"code": "X", "message": "x"}}, {"region": 1, "error": {"code": "Y", "message": "y"}}, {"region": 0, "error": {"code": "Z", "message": "z"}}]');
SELECT s FROM play(par('{"timeout": "1 hour"}'), '[{"region": 0, "blocked": true}, {"region": 1, "output": 2}, {"region": 2, "blocked": true}, {"region": 0, "timedOut": true}]') s WHERE s NOT LIKE 'state%';
SELECT s FROM play(jsonb_set(par('{"timeout": "1 hour"}') #- '{edges}' || '{"edges": [{"source": "c", "sourceHandle": "timeout", "target": "t"}]}', '{nodes,4}', '{"id": "t", "type": "noop"}', true),
	'[{"region": 0, "blocked": true}, {"region": 1, "output": 2}, {"region": 2, "blocked": true}, {"region": 0, "timedOut": true}]') s WHERE s NOT LIKE 'state%';
SELECT play(par('{"mode": "workers"}'), '[{"region": 0, "blocked": true}, {"region": 1, "blocked": true}, {"region": 2, "blocked": true}, {"region": 1, "output": 2}, {"region": 2, "output": 3}, {"region": 0, "output": 1}]');
-- branches that have gone or come
SELECT play(par('{}'), jsonb_build_array('{"region": 0, "output": 1}'::jsonb, '{"region": 1, "blocked": true}'::jsonb, jsonb_build_object('definition', par('{}', '{d,c,b}')), '{"region": 1, "blocked": true}'::jsonb, '{"region": 2, "output": 2}'::jsonb, '{"region": 0, "output": 4}'::jsonb, '{"region": 1, "output": 3}'::jsonb)::text);
SELECT play(par('{}'), jsonb_build_array('{"region": 0, "blocked": true}'::jsonb, jsonb_build_object('definition', par('{}', '{b,c}')))::text);
SELECT play(par('{}'), '[{"state": {}}]');
SELECT play(par('{}'), '[{"state": {"branches": {"a": {}, "b": {"status": "failed"}, "x": {"status": "completed"}}}}, {"region": 0, "output": 1}, {"region": 2, "output": 1}]');

-- try
SELECT play(container('try', '{}', '{try,catch,finally}'), '[{"region": 0, "blocked": true}, {"region": 0, "error": {"code": "X", "message": "x"}}, {"region": 1, "output": "caught"}]', '{"a": 1}');
SELECT play(container('try', '{}', '{try,catch,finally}'), '[{"region": 0, "output": 5}, {"region": 2, "blocked": true}, {"region": 2, "output": 1}]');
SELECT play(container('try', '{}', '{try,catch,finally}'), '[{"region": 0, "error": {"code": "X", "message": "x"}}, {"region": 1, "error": {"code": "Y", "message": "y"}}, {"region": 2, "output": 1}]');
SELECT play(container('try', '{}', '{try,catch,finally}'), '[{"state": {"running": "else"}}]');

-- subworkflow: its modes
CREATE FUNCTION sub(config text) RETURNS jsonb LANGUAGE sql AS $$ SELECT container('subworkflow', '{"workflow": "child", "input": {"n": 1}' || config || '}', '{}') $$;
SELECT play(sub(''), '[{"output": {"o": 1}}]');
SELECT play(sub(', "mode": "child", "version": 3'), '[{"output": {"o": 1}}]');
SELECT play(sub(', "mode": "child"'), '[{"error": {"code": "X", "message": "x"}}]');
SELECT play(sub(', "mode": "child", "errorHandling": "ignore"'), '[{"error": {"code": "X", "message": "x"}}]');
SELECT play(sub(', "mode": "detached"'), '[{"output": {"run_id": "r"}}]');

-- atomic refuses what suspends
SELECT wrong('{"nodes": [{"id": "l", "type": "loop", "config": {"items": [], "mode": "workers"}}, {"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}], "mode": "workers"}},
	{"id": "c", "type": "subworkflow", "config": {"workflow": "w", "mode": "child"}}, {"id": "d", "type": "subworkflow", "config": {"workflow": "w", "mode": "detached"}},
	{"id": "i", "type": "loop", "config": {"items": []}}, {"id": "w", "type": "delay", "config": {"duration": 1}, "disabled": true}, {"id": "v", "type": "waitUntil", "config": {"time": "2030-01-01"}},
	{"id": "e", "type": "waitForEvent", "config": {"event": "x"}}, {"id": "a", "type": "approval"}, {"id": "t", "type": "task", "config": {"queue": "q"}}], "edges": [], "settings": {"atomic": true}}');
