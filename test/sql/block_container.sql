-- loop, parallel, try, subworkflow
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE TABLE t (id int PRIMARY KEY, v text);

-- runs nodes; gives the output, or the error
CREATE FUNCTION go(nodes text, edges text DEFAULT '[]', input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes::jsonb, 'edges', edges::jsonb));
	r := wf_run('go', input);
	IF r->>'status' = 'completed' THEN RETURN r->'output'; END IF;
	RETURN concat_ws(' | ', r->>'status', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}');
END $$;
-- a loop whose body is one `set` that gives what $item, $index and $items are
CREATE FUNCTION loop(config jsonb, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; p text;
BEGIN
	PERFORM wf_save('loop', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'l', 'type', 'loop', 'config', config),
		'{"id": "b", "type": "transform", "parent": "l", "config": {"operation": "map", "items": ["{{ $item }}", "{{ $index }}", "{{ $items?.length }}"], "expression": "$item"}}'::jsonb,
		'{"id": "x", "type": "return", "parent": "l", "config": {"value": "never"}}'::jsonb),
		'edges', '[{"source": "b", "target": "x", "condition": "false"}]'::jsonb));
	r := wf_run('loop', input);
	SELECT port INTO p FROM wf_steps WHERE run_id = (r->>'run_id')::uuid AND node = 'l';
	IF r->>'status' = 'completed' THEN RETURN p || ': ' || (r->'output'); END IF;
	RETURN (r#>>'{error,code}') || ' ' || (r#>>'{error,message}');
END $$;
CREATE FUNCTION wrong(def text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint) FROM wf_validate(def::jsonb) $$;

-- foreach; the body's terminal node is x, which never runs, so a round gives {}
SELECT loop('{"items": "{{ $input.l }}"}', '{"l": []}');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": "{{ $input.l }}"}},
	{"id": "b", "type": "set", "parent": "l", "config": {"variables": {"item": "{{ $item }}", "index": "{{ $index }}", "n": "{{ $items.length }}", "in": "{{ $input }}"}}}]',
	'[]', '{"l": ["a", {"b": 1}]}');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3, 4, 5], "batchSize": 2}},
	{"id": "b", "type": "noop", "parent": "l"}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": "{{ $input.l }}"}}, {"id": "b", "type": "noop", "parent": "l"}]', '[]', '{"l": null}');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "maxIterations": 2}}, {"id": "b", "type": "noop", "parent": "l"}]');
-- a loop without nodes gives its items
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "breakCondition": "$item === 2"}}]');

-- for
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 7, "step": 3}}, {"id": "b", "type": "noop", "parent": "l"}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 3, "to": 1, "step": -1}}, {"id": "b", "type": "noop", "parent": "l"}]');
SELECT loop('{"type": "for", "from": 3, "to": 1}');
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 9223372036854775806, "to": 9223372036854775807}}, {"id": "b", "type": "noop", "parent": "l"}]');
SELECT loop('{"type": "for", "from": 1, "to": "{{ $input.n }}"}', '{"n": "x"}');
SELECT wrong('{"nodes": [{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 1.5, "step": 0}}], "edges": []}');
SELECT loop('{"type": "for", "from": 1, "to": 10, "step": "{{ 0 }}"}');

-- while: $item is what the last round gave
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "while", "condition": "($item?.n ?? 0) < 3"}},
	{"id": "b", "type": "set", "parent": "l", "config": {"variables": {"n": "{{ ($item?.n ?? 0) + 1 }}", "in": "{{ $input.k }}"}}}]', '[]', '{"k": "v"}');
SELECT loop('{"type": "while", "condition": "false"}');
SELECT loop('{"type": "while", "condition": "true", "maxIterations": 5}');
SELECT loop('{"type": "while", "condition": "true"}');

-- breakCondition sees the round's item, index and nodes
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [5, 6, 7, 8], "breakCondition": "$node.b.output.twice >= 12 && $index === 1"}},
	{"id": "b", "type": "set", "parent": "l", "config": {"variables": {"twice": "{{ $item * 2 }}"}}}]');

-- errors of rounds; what the node that failed did is undone, what nodes before it did stays
CREATE FUNCTION rows() RETURNS text LANGUAGE sql AS $$ SELECT coalesce(string_agg(id::text, ',' ORDER BY id), 'none') FROM t $$;
CREATE FUNCTION item_error(how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	DELETE FROM t;
	r := go(format('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "onItemError": "%s"}},
		{"id": "w", "type": "db.create", "parent": "l", "config": {"table": "t", "values": {"id": "{{ $item }}"}}},
		{"id": "i", "type": "if", "parent": "l", "config": {"condition": "$item === 2"}},
		{"id": "f", "type": "fail", "parent": "l", "config": {"code": "TWO", "message": "two"}},
		{"id": "k", "type": "set", "parent": "l", "config": {"variables": {"kept": "{{ $item }}"}}}]', how),
		'[{"source": "w", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "f"}, {"source": "i", "sourceHandle": "false", "target": "k"}]');
	RETURN regexp_replace(r, '"step": \d+', '"step": n') || ' rows ' || rows();
END $$;
SELECT item_error('stop');
SELECT item_error('continue');
SELECT item_error('collect');

-- a statement that fails half way leaves nothing of its own
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [5, 6, 7], "onItemError": "continue"}},
	{"id": "q", "type": "db.query", "parent": "l", "config": {"sql": "insert into t select i, 10 / ($1::int - 6) from generate_series($1::int * 10, $1::int * 10 + 1) i", "params": ["{{ $item }}"], "outputFormat": "none"}}]') || ' rows ' || rows();

-- nested loops
SELECT go('[{"id": "o", "type": "loop", "config": {"items": [[1, 2], [], [3]]}},
	{"id": "i", "type": "loop", "parent": "o", "config": {"items": "{{ $item }}"}},
	{"id": "b", "type": "set", "parent": "i", "config": {"variables": {"v": "{{ $item * 10 }}"}}}]');

SELECT wrong('{"nodes": [{"id": "l", "type": "loop", "config": {"type": "for", "items": [], "mode": "workers"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "l", "type": "loop", "config": {"type": "while", "from": 1}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "l", "type": "loop", "config": {"type": "fore", "batchSize": 0, "step": 0}}], "edges": []}');

-- parallel: what became of each branch
CREATE FUNCTION branches(r text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN r NOT LIKE '{"branches%' THEN r ELSE (SELECT string_agg(concat_ws(' ', key, value->>'status', value#>>'{error,code}'), ', ' ORDER BY key)
		FROM jsonb_each(r::jsonb->'branches')) END $$;
CREATE FUNCTION par(config text, a text, b text, c text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	DELETE FROM t;
	r := go(format('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}, {"id": "b"}, {"id": "c"}] %s}},
		{"id": "wa", "type": "db.create", "parent": "p", "branch": "a", "config": {"table": "t", "values": {"id": 1}}},
		{"id": "na", "type": "%s", "parent": "p", "branch": "a"},
		{"id": "wb", "type": "db.create", "parent": "p", "branch": "b", "config": {"table": "t", "values": {"id": 2}}},
		{"id": "nb", "type": "%s", "parent": "p", "branch": "b"},
		{"id": "wc", "type": "db.create", "parent": "p", "branch": "c", "config": {"table": "t", "values": {"id": 3}}},
		{"id": "nc", "type": "%s", "parent": "p", "branch": "c"}]', config, a, b, c),
		'[{"source": "wa", "target": "na"}, {"source": "wb", "target": "nb"}, {"source": "wc", "target": "nc"}]');
	RETURN branches(r) || ' rows ' || rows();
END $$;
SELECT par('', 'noop', 'noop', 'noop');
SELECT par('', 'noop', 'fail', 'noop');
SELECT par(', "errorHandling": "continue"', 'noop', 'fail', 'noop');
SELECT par(', "errorHandling": "collect"', 'fail', 'fail', 'fail');
SELECT par(', "waitMode": "any"', 'noop', 'fail', 'noop');
SELECT par(', "waitMode": "any"', 'fail', 'noop', 'noop');
SELECT par(', "waitMode": "any", "errorHandling": "continue"', 'fail', 'noop', 'noop');
SELECT par(', "waitMode": "first"', 'fail', 'noop', 'noop');
SELECT par(', "waitMode": "first"', 'fail', 'fail', 'fail');
SELECT par(', "waitMode": "first", "errorHandling": "continue"', 'fail', 'fail', 'fail');
SELECT go('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}, {"id": "b"}]}},
	{"id": "x", "type": "set", "parent": "p", "branch": "a", "config": {"variables": {"x": "{{ $input.n }}"}}}]', '[]', '{"n": 4}');
-- the timeout cancels a statement in the middle of a branch
CREATE FUNCTION late(edges text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	DELETE FROM t;
	r := go('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}, {"id": "b"}], "timeout": "0.2"}},
		{"id": "w", "type": "db.create", "parent": "p", "branch": "a", "config": {"table": "t", "values": {"id": 1}}},
		{"id": "q", "type": "db.query", "parent": "p", "branch": "a", "config": {"sql": "select pg_sleep(60)"}},
		{"id": "n", "type": "noop", "parent": "p", "branch": "b"},
		{"id": "o", "type": "return", "config": {"value": "out"}},
		{"id": "l", "type": "return", "config": {"value": "{{ $node.p.output }}"}}]',
		edges);
	RETURN branches(r) || ' rows ' || rows();
END $$;
SELECT late('[{"source": "w", "target": "q"}, {"source": "p", "target": "o"}, {"source": "p", "sourceHandle": "timeout", "target": "l"}]');
SELECT late('[{"source": "w", "target": "q"}, {"source": "p", "target": "o"}, {"source": "p", "target": "l"}]');
SELECT wrong('{"nodes": [{"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}, {"id": "a"}], "timeout": "soon", "mode": "workers", "waitMode": "one"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "p", "type": "parallel", "config": {"branches": []}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "p", "type": "parallel", "config": {"branches": [{"id": "a"}]}}, {"id": "x", "type": "noop", "parent": "p", "branch": "b"}], "edges": []}');

-- try: what each branch is, what comes of it
CREATE FUNCTION try(t text, c text, f text, edges text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	DELETE FROM t;
	r := go(format('[{"id": "g", "type": "try"}, {"id": "err", "type": "return", "config": {"value": {"routed": "{{ $error.code }}"}}},
		{"id": "ok", "type": "return", "config": {"value": {"ok": "{{ $node.g.output }}"}}},
		{"id": "tw", "type": "db.create", "parent": "g", "branch": "try", "config": {"table": "t", "values": {"id": 1}}},
		{"id": "t", "type": "%s", "parent": "g", "branch": "try", "config": {}}', t)
		|| CASE WHEN c <> '' THEN format(', {"id": "cw", "type": "db.create", "parent": "g", "branch": "catch", "config": {"table": "t", "values": {"id": 2, "v": "{{ $error.code }}"}}},
		{"id": "c", "type": "%s", "parent": "g", "branch": "catch", "config": {}}', c) ELSE '' END
		|| CASE WHEN f <> '' THEN format(', {"id": "fw", "type": "db.create", "parent": "g", "branch": "finally", "config": {"table": "t", "values": {"id": 3}}},
		{"id": "f", "type": "%s", "parent": "g", "branch": "finally", "config": {}}', f) ELSE '' END || ']',
		'[{"source": "tw", "target": "t"}, {"source": "g", "target": "ok"}' || edges
		|| CASE WHEN c <> '' THEN ', {"source": "cw", "target": "c"}' ELSE '' END
		|| CASE WHEN f <> '' THEN ', {"source": "fw", "target": "f"}' ELSE '' END
		|| CASE WHEN edges = '' THEN ', {"source": "g", "target": "err", "condition": "false"}' ELSE '' END || ']');
	RETURN r || ' rows ' || rows();
END $$;
SELECT try('noop', 'noop', 'noop');
SELECT try('noop', '', '');
SELECT try('fail', 'noop', 'noop');
SELECT try('fail', 'noop', '');
SELECT try('fail', '', '');
SELECT try('fail', '', 'noop');
SELECT try('fail', 'fail', 'noop');
SELECT try('noop', 'noop', 'fail');
SELECT try('fail', '', 'noop', ', {"source": "g", "sourceHandle": "error", "target": "err"}');
SELECT try('fail', 'fail', 'noop', ', {"source": "g", "sourceHandle": "error", "target": "err"}');
SELECT go('[{"id": "g", "type": "try"}]', '[]', '{"a": 1}');
-- an SQL error is caught as well; $error is that of the catch's own try
SELECT go('[{"id": "g", "type": "try"},
	{"id": "q", "type": "db.query", "parent": "g", "branch": "try", "config": {"sql": "select 1/0"}},
	{"id": "h", "type": "try", "parent": "g", "branch": "catch"},
	{"id": "i", "type": "fail", "parent": "h", "branch": "try", "config": {"code": "INNER", "message": "m"}},
	{"id": "j", "type": "set", "parent": "h", "branch": "catch", "config": {"variables": {"inner": "{{ $error.code }}"}}},
	{"id": "k", "type": "set", "parent": "g", "branch": "catch", "config": {"variables": {"outer": "{{ $error.code }}", "node": "{{ $error.node }}"}}},
	{"id": "r", "type": "return", "config": {"value": "{{ $vars }}"}}]',
	'[{"source": "h", "target": "k"}, {"source": "g", "target": "r"}]');

-- subworkflow
SELECT wf_save('child', '{"nodes": [
	{"id": "w", "type": "db.create", "config": {"table": "t", "values": {"id": "{{ $trigger.id }}"}}},
	{"id": "i", "type": "if", "config": {"condition": "$trigger.id < 0"}},
	{"id": "f", "type": "fail", "config": {"code": "NEGATIVE", "message": "negative"}},
	{"id": "r", "type": "return", "config": {"value": {"done": "{{ $trigger.id }}"}}}],
	"edges": [{"source": "w", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "f"}, {"source": "i", "sourceHandle": "false", "target": "r"}]}');
CREATE FUNCTION sub(id int, config text, edges text DEFAULT '[{"source": "c", "target": "r"}]') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r text;
BEGIN
	DELETE FROM t;
	r := go('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child"' || config || '}},
		{"id": "r", "type": "return", "config": {"value": {"got": "{{ $input }}", "error": "{{ $error?.code }}"}}}]',
		edges, jsonb_build_object('id', id));
	RETURN r || ' rows ' || rows();
END $$;
SELECT sub(1, '');
SELECT sub(1, ', "input": {"id": 5}');
SELECT sub(1, ', "version": 1');
SELECT sub(1, ', "version": 7');
SELECT sub(-1, '');
SELECT sub(-1, ', "errorHandling": "ignore"') LIKE '{"got": {}, "error": null} rows %';
SELECT sub(-1, ', "errorHandling": "catch"', '[{"source": "c", "sourceHandle": "error", "target": "r"}]') LIKE '{"got": %"error": "NEGATIVE"} rows %';
SELECT go('[{"id": "c", "type": "subworkflow", "config": {"workflow": "{{ $input.name }}"}}]', '[]', '{"name": "nobody"}');
SELECT go('[{"id": "c", "type": "subworkflow", "config": {"workflow": "{{ $input.name }}"}}]', '[]', '{"name": 5}');
SELECT wrong('{"nodes": [{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "detached"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "errorHandling": "catch"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "c", "type": "subworkflow", "config": {"errorHandling": "cach"}}], "edges": []}');
