-- configs and values that are meant to hurt: each gets an answer, in time
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SET client_min_messages = error;
SET statement_timeout = '60s';
CREATE FUNCTION one(type text, config jsonb, input jsonb DEFAULT '{}', settings jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('one', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb, 'settings', settings));
	r := wf_run('one', input);
	RETURN concat_ws(' | ', r->>'status', r#>>'{error,code}', left(r#>>'{error,message}', 150));
END $$;
CREATE FUNCTION wrong(type text, config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, left(path, 80), left(message, 150)) FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb)) LIMIT 5 $$;

-- many cases, many branches, many unknown keys
SELECT wrong('switch', jsonb_build_object('cases', (SELECT jsonb_agg(jsonb_build_object('when', 'false', 'port', 'p' || i)) FROM generate_series(1, 20000) i)));
SELECT one('switch', jsonb_build_object('expression', '$input.k', 'cases', (SELECT jsonb_agg(jsonb_build_object('value', i, 'port', 'p' || i)) FROM generate_series(1, 1000) i)), '{"k": 1000}');
SELECT one('parallel', jsonb_build_object('branches', (SELECT jsonb_agg(jsonb_build_object('id', 'b' || i)) FROM generate_series(1, 5000) i)));
SELECT wrong('noop', (SELECT jsonb_object_agg('k' || i, i) FROM generate_series(1, 100000) i)) LIMIT 2;
SELECT count(*) FROM wf_validate(jsonb_build_object('edges', '[]'::jsonb, 'nodes',
	(SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'if', 'config', '{"conditoin": 1}'::jsonb)) FROM generate_series(1, 10000) i)));

-- deep configs, with a template at the bottom
SELECT one('return', jsonb_build_object('value', (repeat('[', 2000) || '"{{ $input.a }}"' || repeat(']', 2000))::jsonb), '{"a": 1}');
SELECT wrong('trigger.manual', jsonb_build_object('inputSchema', (repeat('{"not": ', 1000) || '{"const": "{{ 1 }}"}' || repeat('}', 1000))::jsonb)) LIMIT 1;
SELECT one('transform', jsonb_build_object('operation', 'flatten', 'depth', 100000, 'items', (repeat('[', 2000) || '1' || repeat(']', 2000))::jsonb));
SELECT wrong('noop', jsonb_build_object(repeat('x', 10000), 1));

-- an output that grows past the limit is stopped on the way
SELECT one('loop', '{"type": "for", "from": 1, "to": 1000000000000}', '{}', '{"maxOutputSize": 100000}');
SELECT one('transform', '{"operation": "map", "items": "{{ $input }}", "expression": "$items"}', (SELECT jsonb_agg(i) FROM generate_series(1, 10000) i));
SELECT one('transform', '{"operation": "zip", "items": "{{ $input }}", "with": []}', (SELECT jsonb_agg(i) FROM generate_series(1, 10000) i), '{"maxOutputSize": 1000}');
SELECT one('transform', '{"operation": "reduce", "items": "{{ $input }}", "expression": "(a, x) => [a, a]"}', (SELECT jsonb_agg(i) FROM generate_series(1, 100) i));
SELECT one('parallel', '{"branches": [{"id": "a"}, {"id": "b"}]}', '{"a": "0123456789"}', '{"maxOutputSize": 50}');

-- the server's own time limit ends a loop without nodes, and a sort, at once; the session goes on
SET statement_timeout = '300ms';
SELECT one('loop', '{"type": "while", "condition": "true", "maxIterations": 1000000000000, "breakCondition": "false"}', '{}', '{"maxOutputSize": "200MB"}');
SET statement_timeout = '60s';
SELECT one('noop', '{}');

-- counts and places beyond what fits
SELECT one('loop', '{"type": "for", "from": -9223372036854775808, "to": 9223372036854775807, "maxIterations": 5}');
SELECT one('loop', '{"type": "for", "from": 1, "to": "{{ 1e30 }}"}');
SELECT one('transform', '{"operation": "limit", "items": [1], "limit": "{{ 9007199254740993 }}", "offset": "{{ 9007199254740993 }}"}');
SELECT one('transform', '{"operation": "split", "items": [1, 2, 3], "size": 2147483647}');
SELECT one('parallel', '{"branches": [{"id": "a"}], "timeout": "{{ -1 }}"}');
SELECT one('parallel', '{"branches": [{"id": "a"}], "timeout": "1000000 years"}');
SELECT one('transform', '{"operation": "aggregate", "items": "{{ $input }}", "fields": {"s": {"fn": "sum"}}}', jsonb_build_array(('1' || repeat('0', 131000))::numeric, ('1' || repeat('0', 131000))::numeric));
