-- limits, and what bad input gets: a clear error with a code, quickly, and a database as before
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE FUNCTION short(r jsonb) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' | ', r->>'status', left(r->>'output', 200), r#>>'{error,code}', r#>>'{error,node}', left(r#>>'{error,message}', 200)) $$;
CREATE FUNCTION go(nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}', input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings));
	RETURN short(wf_run('go', input));
END $$;
-- saves, and says the code and the beginning of what is wrong
CREATE FUNCTION refused(definition jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE began timestamptz := clock_timestamp(); n int; told text;
BEGIN
	BEGIN
		PERFORM wf_save('refused', definition);
		RETURN 'saved';
	EXCEPTION WHEN OTHERS THEN told := format('%s %s', SQLSTATE, left(SQLERRM, 150));
	END;
	SELECT count(*) INTO n FROM wf_validate(definition);
	RETURN told || CASE WHEN n > 0 THEN '' ELSE ' (unsaid by wf_validate)' END || CASE WHEN clock_timestamp() - began > '20s' THEN ' too late' ELSE '' END;
END $$;
CREATE FUNCTION noops(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'noop')) FROM generate_series(1, n) i $$;
CREATE FUNCTION chain(n int) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('nodes', noops(n), 'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1)) FROM generate_series(1, n - 1) i)) $$;
CREATE VIEW counts AS SELECT (SELECT count(*) FROM wf.workflow) AS workflows, (SELECT count(*) FROM wf.version) AS versions, (SELECT count(*) FROM wf.run) AS runs, (SELECT count(*) FROM wf.segment) AS segments;

-- definitions that are none
SELECT refused(d::jsonb) FROM unnest(ARRAY['null', 'true', '1', '"text"', '[]', '[{"nodes": []}]', '{}', '{"nodes": {}, "edges": []}', '{"nodes": [], "edges": {}}', '{"nodes": [null], "edges": []}', '{"nodes": [[]], "edges": [[]]}', '{"nodes": [{"id": 1, "type": "noop"}], "edges": []}',
	'{"nodes": [{"id": "a"}], "edges": []}', '{"nodes": [{"id": "a", "type": "nope"}], "edges": []}', '{"nodes": [{"id": "a", "type": "noop", "config": []}], "edges": []}', '{"nodes": [{"id": "a", "type": "noop"}], "edges": [], "settings": 5}',
	'{"nodes": [{"id": "a", "type": "noop"}], "edges": [], "variables": {"a": 1}}', '{"nodes": [{"id": "a", "type": "noop"}], "edges": [{"source": "a", "target": "a", "condition": 7}]}', '{"nodes": [{"id": "a", "type": "noop"}, {"id": "a", "type": "noop"}], "edges": []}',
	'{"nodes": [{"id": "a", "type": "noop", "timeout": "-1s"}], "edges": []}', '{"nodes": [{"id": "a", "type": "noop", "timeout": "1e300"}], "edges": []}', '{"nodes": [{"id": "a", "type": "noop", "retry": {"maxAttempts": 1e10}}], "edges": []}', '{"nodes": [{"id": "a", "type": "noop", "parent": "a"}], "edges": []}']) d;
SELECT wf_save(NULL, '{}'); SELECT wf_save('x', NULL); SELECT wf_save('', '{}'); SELECT wf_save(repeat('x', 256), '{}'); SELECT wf_save(E'a\nb', '{}');
-- large ones
SELECT refused(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'set', 'config', jsonb_build_object('variables', jsonb_build_object('v', repeat('x', 50000000))))), 'edges', '[]'::jsonb));
SELECT refused(chain(100000));
SELECT refused(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', 'n' || i, 'type', CASE WHEN i < 10000 THEN 'loop' ELSE 'noop' END, 'config', CASE WHEN i < 10000 THEN '{"items": [1]}'::jsonb ELSE '{}' END, 'parent', 'n' || nullif(i - 1, 0)))) FROM generate_series(1, 10000) i), 'edges', '[]'::jsonb));
SELECT refused(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', repeat('x', 10000), 'type', 'noop')), 'edges', '[]'::jsonb));
SELECT refused(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', repeat('x', 10000))), 'edges', '[]'::jsonb));
SELECT refused(jsonb_build_object('nodes', noops(2), 'edges', (SELECT jsonb_agg('{"source": "n1", "target": "n2"}'::jsonb) FROM generate_series(1, 50000))));
SELECT refused(jsonb_build_object('nodes', noops(1), 'edges', '[]'::jsonb, repeat('k', 100000), 1));
-- nested deep in JSON
SELECT refused(('{"nodes": [{"id": "a", "type": "set", "config": {"variables": {"v": ' || repeat('[', 5000) || repeat(']', 5000) || '}}}], "edges": []}')::jsonb);
-- cycles of every shape
SELECT refused('{"nodes": [{"id": "s", "type": "noop"}, {"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}], "edges": [{"source": "s", "target": "a"}, {"source": "s", "target": "b"}, {"source": "a", "target": "b"}, {"source": "b", "target": "a"}]}');
SELECT refused('{"nodes": [{"id": "a", "type": "noop", "parent": "b"}, {"id": "b", "type": "loop", "parent": "a", "config": {"items": []}}], "edges": []}');
SELECT refused('{"nodes": [{"id": "l", "type": "loop", "config": {"items": []}}, {"id": "a", "type": "noop", "parent": "l"}, {"id": "b", "type": "noop"}], "edges": [{"source": "a", "target": "b"}]}');
SELECT refused('{"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}], "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "a"}]}');
SELECT refused('{"nodes": [{"id": "a", "type": "loop", "config": {"items": [1]}}], "edges": [{"source": "a", "target": "a"}]}');
-- expressions: malformed, deep, long
SELECT refused(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'if', 'config', jsonb_build_object('condition', e))), 'edges', '[]'::jsonb))
FROM unnest(ARRAY['', '(', '1 +', '}}', '$nope', '$node.nobody.output', 'x => {', 'for (;;) {}', 'this', 'eval("1")', '"', '/(/', repeat('(', 100000), repeat('[', 100000), repeat('-', 100000) || '1', repeat('!', 100000) || 'x', '1' || repeat('+1', 200000), repeat('a.', 100000) || 'b', repeat('$input?.x:', 50000) || '1', repeat('x => ', 50000) || '1']) e;
-- endless, large
SELECT go(jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'set', 'config', jsonb_build_object('variables', jsonb_build_object('v', '{{ ' || e || ' }}')))))
FROM unnest(ARRAY['[...Array(3000).keys()].map(a => [...Array(3000).keys()].map(b => [...Array(3000).keys()].length)).length', '(f => f(f))(f => f(f))', '"x".repeat(1e9)', '"x".repeat(1e5).replaceAll("x", "y".repeat(1e5))', '("a".repeat(50) + "!").match(/^(a+)+$/)', 'JSON.parse("[".repeat(100000))', '[1].reduce((a) => a.concat(a, a), Array(100000).fill("xxxxxxxxxx")).length', 'null.x', 'JSON.parse("{")']) e;
SELECT * FROM counts;

-- settings: nodes, depth, steps, outputs, context, journal, definitions
SET workflow.max_nodes = 5;
SELECT refused(chain(6)), refused(chain(5));
RESET workflow.max_nodes;
SET workflow.max_depth = 2;
SELECT refused('{"nodes": [{"id": "a", "type": "try"}, {"id": "b", "type": "try", "parent": "a", "branch": "try"}, {"id": "c", "type": "try", "parent": "b", "branch": "try"}, {"id": "d", "type": "noop", "parent": "c", "branch": "try"}], "edges": []}');
RESET workflow.max_depth;
SET workflow.max_definition_size = '16kB';
SELECT refused(chain(2000));
RESET workflow.max_definition_size;
-- a workflow that was saved under a higher limit
SELECT wf_save('chain', chain(20));
SET workflow.max_nodes = 5;
SELECT wf_set_status('chain', 'active');
SELECT wf_run('chain');
RESET workflow.max_nodes;
SELECT wf_run('chain')->>'status';
SET workflow.max_iterations = 19;
SELECT short(wf_run('chain'));
SET workflow.max_iterations = 20;
SELECT short(wf_run('chain'));
RESET workflow.max_iterations;
-- outputs
SET workflow.max_output_size = '1kB';
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(2000) }}"}}}]');
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(2000) }}"}}, "onError": "continue", "onErrorValue": "{{ $error.code }}"}]');
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(2000) }}"}}}]', '[]', '{"maxOutputSize": "1MB"}');
RESET workflow.max_output_size;
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(2000) }}"}}}]', '[]', '{"maxOutputSize": 1000}');
SELECT go('[{"id": "a", "type": "return", "config": {"value": "{{ \"x\".repeat(2000) }}"}}]', '[]', '{"maxOutputSize": 1000}');
-- 300 MB, of SQL and of an expression; a list that grows without end
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT repeat(''x'', 300000000)", "outputFormat": "value"}}]');
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "SELECT repeat(''x'', 1000) FROM generate_series(1, 300000)"}}]');
SELECT go('[{"id": "a", "type": "loop", "config": {"type": "for", "from": 1, "to": 1000000}}, {"id": "b", "type": "set", "parent": "a", "config": {"variables": {"v": "{{ \"x\".repeat(100000) }}"}}}]', '[]', '{"journal": "none"}');
SELECT go('[{"id": "t", "type": "try"}, {"id": "a", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT repeat(''x'', 300000000)", "outputFormat": "value"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"c": "{{ $error.code }}"}}}]');
-- a large input is nothing but stored
SELECT length((wf_run('chain', jsonb_build_object('v', repeat('x', 10000000)))->>'status'));
SELECT length(input->>'v') FROM wf_runs ORDER BY run_id DESC LIMIT 1;
-- the context: all outputs and variables at once
SET workflow.max_context_size = '64kB';
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(20000) }}"}}}, {"id": "b", "type": "set", "config": {"variables": {"w": "{{ \"x\".repeat(20000) }}"}}}]', '[{"source": "a", "target": "b"}]');
-- what is given back does not count: rounds of a loop, iterations, outputs of calls, failed nodes, replaced variables
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 50}}, {"id": "a", "type": "transform", "parent": "l", "config": {"operation": "map", "items": ["{{ \"x\".repeat(9000) }}"], "expression": "$item"}}, {"id": "z", "type": "transform", "parent": "l", "config": {"operation": "map", "items": [1], "expression": "1"}}]', '[{"source": "a", "target": "z"}]') ~ 'completed';
SELECT go('[{"id": "a", "type": "transform", "config": {"operation": "map", "items": ["{{ \"x\".repeat(9000) }}"], "expression": "$item"}}, {"id": "z", "type": "noop"}]', '[{"source": "a", "target": "a", "condition": "$run.iteration.a < 50"}, {"source": "a", "target": "z", "condition": "false"}]') ~ 'completed';
SELECT wf_save('big', '{"nodes": [{"id": "a", "type": "set", "config": {"variables": {"v": "{{ \"x\".repeat(9000) }}"}}}, {"id": "z", "type": "transform", "config": {"operation": "map", "items": [1], "expression": "1"}}], "edges": [{"source": "a", "target": "z"}], "variables": [{"name": "v", "type": "string", "default": "of the definition"}]}');
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 50}}, {"id": "s", "type": "subworkflow", "parent": "l", "config": {"workflow": "big"}}]') ~ 'completed';
SELECT go('[{"id": "h", "type": "noop"}, {"id": "a", "type": "transform", "onError": "continue", "config": {"operation": "map", "items": ["{{ \"x\".repeat(9000) }}"], "expression": "$run.iteration.h % 2 ? $item : null.x"}}, {"id": "z", "type": "noop"}]', '[{"source": "h", "target": "a"}, {"source": "a", "target": "h", "condition": "$run.iteration.h < 50"}, {"source": "a", "target": "z", "condition": "false"}]') ~ 'completed';
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 50}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"v": "{{ $item }}", "big": "{{ $vars.big ?? \"x\".repeat(9000) }}"}}}, {"id": "z", "type": "noop", "parent": "l"}]', '[{"source": "s", "target": "z", "condition": "false"}]') ~ 'completed';
RESET workflow.max_context_size;
-- the journal: the run fails, and what is there is whole, with the inputs that belong to it
SET workflow.max_journal_size = '64kB';
SELECT go('[{"id": "h", "type": "set", "config": {"variables": {"first": true}}}, {"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 3000}}, {"id": "a", "type": "set", "parent": "l", "config": {"variables": {"q": "{{ $item }}"}}}, {"id": "b", "type": "noop", "parent": "l"}]', '[{"source": "h", "target": "l"}, {"source": "a", "target": "b"}]');
SELECT seq, path, status, input, output FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs) ORDER BY seq LIMIT 6;
SELECT count(*) = max(seq), count(*) FILTER (WHERE node = 'b' AND status = 'completed' AND input IS DISTINCT FROM output), count(*) FILTER (WHERE status = 'failed') FROM wf_steps WHERE run_id = (SELECT max(run_id::text)::uuid FROM wf_runs);
SELECT go('[{"id": "t", "type": "try"}, {"id": "l", "type": "loop", "parent": "t", "branch": "try", "config": {"type": "for", "from": 1, "to": 3000}}, {"id": "a", "type": "noop", "parent": "l"}, {"id": "c", "type": "noop", "parent": "t", "branch": "catch"}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 3000}}, {"id": "a", "type": "noop", "parent": "l"}]', '[]', '{"journal": "none"}') ~ 'completed';
RESET workflow.max_journal_size;

-- arguments and options that are wrong
SELECT wf_run(NULL); SELECT wf_run('none'); SELECT wf_run(''); SELECT wf_run('chai');
SELECT wf_run('chain', '{}', o::jsonb) FROM unnest(ARRAY['[]', '1', '"x"']) o;
SELECT wf_run('chain', '{}', '{"idempotencykey": "x"}');
SELECT wf_run('chain', '{}', '{"nonsense": 1}');
SELECT wf_run('chain', '{}', '{"version": 7}'); SELECT wf_run('chain', '{}', '{"version": 0}'); SELECT wf_run('chain', '{}', '{"version": "1"}'); SELECT wf_run('chain', '{}', '{"version": 1e20}');
SELECT wf_run('chain', '{}', '{"timeout": "soon"}'); SELECT wf_run('chain', '{}', '{"timeout": 0}'); SELECT wf_run('chain', '{}', '{"timeout": "-5s"}');
SELECT short(wf_run('chain', '{}', '{"timeout": "1000000 years"}')); SELECT short(wf_run('chain', '{}', '{"timeout": "30000 years"}')); SELECT short(wf_run('chain', '{}', '{"timeout": "100 years"}'));
SELECT wf_run('chain', '{}', '{"priority": 1001}'); SELECT wf_run('chain', '{}', '{"tags": "x"}'); SELECT wf_run('chain', '{}', '{"tags": [1]}'); SELECT wf_run('chain', '{}', '{"env": []}');
SELECT wf_run('chain', '{}', '{"idempotencyKey": ""}'); SELECT wf_run('chain', '{}', jsonb_build_object('idempotencyKey', repeat('x', 2000))); SELECT wf_run('chain', '{}', '{"onConflict": "maybe"}');
SELECT wf_run('chain', '{}', '{"delay": "1s"}');
SELECT short(wf_run('chain', NULL, NULL)), short(wf_run('chain', '{}', '{"priority": 5, "tags": ["a", "b"], "correlationId": "c", "version": null}'));
SELECT tags, correlation_id FROM wf_runs ORDER BY run_id DESC LIMIT 1;
SELECT short(wf_run('chain'));
