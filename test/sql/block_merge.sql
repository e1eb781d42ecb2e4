-- merge and collect
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION go(nodes text, edges text DEFAULT '[]', input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes::jsonb, 'edges', edges::jsonb));
	r := wf_run('go', input);
	IF r->>'status' = 'completed' THEN RETURN r->'output'; END IF;
	RETURN concat_ws(' | ', r->>'status', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}');
END $$;
CREATE FUNCTION wrong(type text, config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint)
	FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb)) $$;

-- three branches, each taken when the input has its value; what they give is $input.a, .b, .c
CREATE FUNCTION merge(config text, input jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT go('[{"id": "s", "type": "noop"},
		{"id": "b", "type": "set", "config": {"variables": "{{ $trigger.b }}"}},
		{"id": "a", "type": "set", "name": "First", "config": {"variables": "{{ $trigger.a }}"}},
		{"id": "c", "type": "set", "config": {"variables": "{{ $trigger.c }}"}},
		{"id": "m", "type": "merge", "config": ' || config || '}]',
		'[{"source": "s", "target": "a", "condition": "$input.a"}, {"source": "s", "target": "b", "condition": "$input.b"},
		  {"source": "s", "target": "c", "condition": "$input.c"},
		  {"source": "a", "target": "m"}, {"source": "b", "target": "m"}, {"source": "c", "target": "m"}]', input) $$;
\set lists '''{"a": {"items": [{"k": 1, "a": "x"}, {"k": 2, "a": "y"}]}, "b": {"rows": [{"k": 2, "b": "z"}, {"b": "none"}]}, "c": {"k": 3}}'''
SELECT merge('{}', :lists);
SELECT merge('{"mode": "append"}', '{"a": {"items": [1]}, "c": {"results": []}}');
SELECT merge('{"mode": "combine"}', '{"a": {"x": 1, "y": 1}, "b": {"y": 2, "z": 2}}');
SELECT merge('{"mode": "keyed", "key": "k"}', :lists);
SELECT merge('{"mode": "keyed"}', '{"a": {"x": 1}, "b": {"y": 2}}');
SELECT merge('{"mode": "choose", "key": "c"}', '{"a": {"x": 1}, "b": {"y": 2}, "c": {"z": 3}}');
SELECT merge('{"mode": "choose", "key": "First"}', '{"a": {"x": 1}, "b": {"y": 2}, "c": {"z": 3}}');
SELECT merge('{"mode": "choose", "key": "c"}', '{"a": {"x": 1}, "b": {"y": 2}}');
SELECT merge('{"mode": "choose"}', '{"a": {"x": 1}}');
SELECT merge('{"mode": "any"}', '{"c": {"z": 3}}');
SELECT merge('{"mode": "nOf", "n": 2}', '{"a": {"x": 1}, "c": {"z": 3}}');
SELECT merge('{"mode": "nOf", "n": 2}', '{"c": {"z": 3}}');
\set VERBOSITY terse
SELECT merge('{"mode": "nOf", "n": 4}', '{"c": {"z": 3}}');

-- any and nOf do not wait: what comes later is too late
SELECT go('[{"id": "s", "type": "noop"}, {"id": "a", "type": "set", "config": {"variables": {"v": "a"}}},
	{"id": "b", "type": "noop"}, {"id": "b2", "type": "set", "config": {"variables": {"v": "{{ $node.m.status }}"}}},
	{"id": "m", "type": "merge", "config": {"mode": "any"}}, {"id": "r", "type": "collect"}]',
	'[{"source": "s", "target": "a"}, {"source": "s", "target": "b"}, {"source": "b", "target": "b2"},
	  {"source": "a", "target": "m"}, {"source": "b2", "target": "m"}, {"source": "m", "target": "r"}]');
SELECT node, status FROM wf_steps WHERE run_id = (SELECT run_id FROM wf_runs ORDER BY queued_at DESC, run_id DESC LIMIT 1) ORDER BY seq;
-- two edges from one node count once
SELECT go('[{"id": "s", "type": "switch", "config": {"mode": "all", "cases": [{"when": "true", "port": "x"}, {"when": "true", "port": "y"}]}},
	{"id": "m", "type": "merge"}]',
	'[{"source": "s", "sourceHandle": "x", "target": "m"}, {"source": "s", "sourceHandle": "y", "target": "m"}]');
SELECT wrong('merge', '{"mode": "nOf"}');
SELECT wrong('merge', '{"mode": "any", "n": 2, "key": "k"}');
SELECT wrong('merge', '{"mode": "appnd"}');

-- collect over the rounds of a loop, and over those of a back edge
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [[1, 2], 3, [], {"a": 4}]}},
	{"id": "c", "type": "collect", "parent": "l", "config": {"items": "{{ $item }}"}},
	{"id": "r", "type": "return", "config": {"value": "{{ $node.c.output }}"}}]', '[{"source": "l", "target": "r"}]');
SELECT go('[{"id": "s", "type": "set", "config": {"variables": {"n": 0}}},
	{"id": "p", "type": "set", "config": {"variables": {"n": "{{ $vars.n + 1 }}"}}},
	{"id": "c", "type": "collect"}, {"id": "r", "type": "noop"}]',
	'[{"source": "s", "target": "p"}, {"source": "p", "target": "c"},
	  {"source": "c", "target": "p", "condition": "$vars.n < 3"}, {"source": "c", "target": "r", "condition": "$vars.n >= 3"}]');
SELECT wrong('collect', '{"item": 1}');
