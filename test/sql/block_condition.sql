-- if, switch, filter: each port, each mode, and what bad values get
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on

-- runs one node; gives the port it left at, its output or its error
CREATE FUNCTION one(type text, config jsonb, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; s record;
BEGIN
	PERFORM wf_save('one', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb));
	r := wf_run('one', input);
	SELECT port, output INTO s FROM wf_steps WHERE run_id = (r->>'run_id')::uuid AND node = 'n';
	IF r->>'status' = 'completed' THEN RETURN s.port || ': ' || s.output; END IF;
	RETURN (r#>>'{error,code}') || ' ' || (r#>>'{error,message}');
END $$;
-- what is wrong with one node
CREATE FUNCTION wrong(type text, config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint)
	FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb)) $$;

-- if
SELECT one('if', '{"condition": "$input.a > 1"}', '{"a": 2}');
SELECT one('if', '{"condition": "$input.a > 1"}', '{"a": 1}');
SELECT one('if', '{"condition": "{{ $input.a }}"}', '{"a": ""}');
SELECT one('if', '{"condition": true}');
SELECT one('if', '{"conditions": ["$input.a", "$input.b"]}', '{"a": 1, "b": 0}');
SELECT one('if', '{"conditions": ["$input.a", "$input.b"], "combine": "any"}', '{"a": 1, "b": 0}');
SELECT one('if', '{"conditions": ["$input.a", "$input.b"], "combine": "any"}', '{"a": 0, "b": 0}');
SELECT one('if', '{"conditions": [true, false], "combine": "any"}');
-- the rest is not evaluated once the answer is known
SELECT one('if', '{"conditions": ["$input.a", "$input.x.y.z"]}', '{"a": 0}');
SELECT one('if', '{"conditions": ["$input.a", "$input.x.y.z"]}', '{"a": 1}');
SELECT wrong('if', '{}');
SELECT wrong('if', '{"condition": "1", "conditions": ["1"]}');
SELECT wrong('if', '{"condition": "1", "combine": "any"}');
SELECT wrong('if', '{"conditions": []}');
SELECT wrong('if', '{"conditions": ["1 +"], "combine": "al"}');
SELECT wrong('if', '{"conditions": ["1"], "combine": "{{ $input.c }}"}');

-- switch
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": "a", "port": "x"}, {"value": "b", "port": "y"}]}', '{"k": "b"}');
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": "a", "port": "x"}]}', '{"k": "c"}');
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": 1, "port": "x"}]}', '{"k": "1"}');
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": 1.0, "port": "x"}]}', '{"k": 1}');
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": {"a": [1]}, "port": "x"}]}', '{"k": {"a": [1]}}');
SELECT one('switch', '{"expression": "$input.k", "cases": [{"value": "{{ $input.want }}", "port": "x"}]}', '{"k": 5, "want": 5}');
SELECT one('switch', '{"cases": [{"when": "$input.n > 10", "port": "big"}, {"when": "$input.n > 5", "port": "middle"}]}', '{"n": 12}');
SELECT one('switch', '{"mode": "all", "cases": [{"when": "$input.n > 10", "port": "big"}, {"when": "$input.n > 5", "port": "middle"}, {"when": "$input.n > 1", "port": "big"}]}', '{"n": 12}');
SELECT one('switch', '{"mode": "all", "cases": [{"when": "$input.n > 10", "port": "big"}]}', '{"n": 2}');
SELECT wrong('switch', '{"cases": []}');
SELECT wrong('switch', '{"cases": [{"port": "x"}, {"value": 1, "when": "1", "port": "y"}, {"value": 1, "port": "z"}, {"when": "1"}]}');
SELECT wrong('switch', '{"cases": [{"when": "1", "port": "error"}, {"when": "1", "port": "{{ $input.p }}"}, {"wen": "1", "port": "q"}]}');

-- all live ports of a switch are followed, and their branches meet again
SELECT wf_save('fan', '{"nodes": [
	{"id": "s", "type": "switch", "config": {"mode": "all", "cases": [
		{"when": "$input.n % 2 === 0", "port": "two"}, {"when": "$input.n % 3 === 0", "port": "three"}, {"when": "$input.n % 5 === 0", "port": "five"}]}},
	{"id": "a", "type": "set", "config": {"variables": {"a": 1}}},
	{"id": "b", "type": "set", "config": {"variables": {"b": 1}}},
	{"id": "c", "type": "set", "config": {"variables": {"c": 1}}},
	{"id": "d", "type": "noop"},
	{"id": "join", "type": "noop"}],
	"edges": [
	{"source": "s", "sourceHandle": "two", "target": "a"}, {"source": "s", "sourceHandle": "three", "target": "b"},
	{"source": "s", "sourceHandle": "five", "target": "c"}, {"source": "s", "target": "d", "sourceHandle": "default"},
	{"source": "a", "target": "join"}, {"source": "b", "target": "join"}, {"source": "c", "target": "join"}, {"source": "d", "target": "join"}]}') > 0;
SELECT n, wf_call('fan', jsonb_build_object('n', n)) FROM unnest(ARRAY[6, 30, 7, 5]) n;

-- filter
SELECT one('filter', '{"items": "{{ $input.l }}", "condition": "$item > 2"}', '{"l": [1, 2, 3, 4]}');
SELECT one('filter', '{"items": "{{ $input.l }}", "condition": "$item > 20"}', '{"l": [1, 2, 3, 4]}');
SELECT one('filter', '{"items": [], "condition": "$item"}');
SELECT one('filter', '{"items": "{{ $input.l }}", "condition": "$items[$index + 1] !== $item"}', '{"l": ["a", "a", "b"]}');
SELECT one('filter', '{"items": "{{ $input.none }}", "condition": "$item"}');
SELECT one('filter', '{"items": "{{ $input.l }}", "condition": "$item.a.b"}', '{"l": [1]}');
SELECT wrong('filter', '{"items": 5}');
