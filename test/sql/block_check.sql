-- the registry, and what is said of configs, expressions and references when a workflow is saved
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION wrong(def text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, node, path, message, hint) FROM wf_validate(def::jsonb) $$;

-- sorted, once each, with schemas that are schemas
SELECT count(*) > 10, count(*) = count(DISTINCT type) FROM wf_blocks();
SELECT a.type, b.type FROM (SELECT type, row_number() OVER () FROM wf_blocks()) a
	JOIN (SELECT type, row_number() OVER () FROM wf_blocks()) b ON b.row_number = a.row_number + 1
	WHERE a.type COLLATE "C" >= b.type COLLATE "C";
SELECT type FROM wf_blocks() WHERE summary = '' OR jsonb_typeof(config_schema) <> 'object' OR output_schema IS NULL OR ports IS NULL;
-- every key of a flow or request block's config is described or an enum, and nothing else is taken
SELECT type, key FROM wf_blocks(), jsonb_each(config_schema->'properties')
	WHERE category IN ('flow', 'request') AND NOT value ? 'description' AND NOT value ? 'enum';
SELECT type FROM wf_blocks() WHERE category IN ('flow', 'request', 'trigger') AND config_schema->'additionalProperties' IS DISTINCT FROM 'false';
SELECT type, ports, suspends FROM wf_blocks() WHERE category IN ('flow', 'request', 'trigger') ORDER BY type COLLATE "C";

-- places and hints
SELECT wrong('{"nodes": [{"id": "a", "type": "swich", "config": {}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "switch", "config": {"expresion": "1", "cases": [{"value": 1, "port": "p", "colour": 1}, 5], "mode": "every"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "set", "config": {"variables": {"a b": {"c": "{{ 1 + }}"}}}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "if", "config": {"condition": "$node.b.output"}}, {"id": "bb", "type": "noop"}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}], "edges": [{"source": "a", "target": "b", "condition": "1 +"}]}');
SELECT wrong('{"nodes": [{"id": "a", "type": "noop", "onErrorValue": "{{ ) }}", "onError": "continue"}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "noop"}], "edges": [], "settings": {"concurrencyKey": "1 +"}}');

-- a template may stand for a value of any type, but not where the definition must say it
SELECT wrong('{"nodes": [{"id": "a", "type": "loop", "config": {"items": "{{ $input }}", "batchSize": "{{ 1 }}", "maxIterations": "{{ 2 }}"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "loop", "config": {"items": "text", "batchSize": "1"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "loop", "config": {"type": "{{ 1 }}", "items": [], "mode": "{{ 1 }}"}}], "edges": []}');
SELECT wrong('{"nodes": [{"id": "a", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "{{ 1 }}"}]}}], "edges": []}');

-- references: to an ancestor, to another branch, to what comes later, to itself
SELECT wrong('{"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"},
	{"id": "c", "type": "set", "config": {"variables": {"x": "{{ $node.a.output }}", "y": "{{ $node.d.output }}", "z": "{{ $node.b.output }} {{ $node.c.output }} {{ $node.b.status }}"}}},
	{"id": "d", "type": "noop"}],
	"edges": [{"source": "a", "target": "b"}, {"source": "a", "target": "c"}, {"source": "c", "target": "d"}]}');
-- an ancestor over several branches; an edge reads its own source
SELECT wrong('{"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}, {"id": "c", "type": "noop"}, {"id": "b2", "type": "noop"},
	{"id": "d", "type": "set", "config": {"variables": {"x": "{{ $node.b.output }}{{ $node.c.output }}{{ $node.b2.output }}{{ $node.a.output }}"}}}],
	"edges": [{"source": "a", "target": "b"}, {"source": "a", "target": "c"}, {"source": "b", "target": "b2"},
	{"source": "c", "target": "d", "condition": "$node.c.output"}, {"source": "b2", "target": "d", "condition": "$node.d.output"}]}');
-- rounds of a loop and of a back edge read the round before; a container's condition reads what is within
SELECT wrong('{"nodes": [
	{"id": "s", "type": "noop"},
	{"id": "l", "type": "loop", "config": {"type": "while", "condition": "$node.x.output", "breakCondition": "$node.y.output"}},
	{"id": "x", "type": "set", "parent": "l", "config": {"variables": {"p": "{{ $node.y.output }} {{ $node.s.output }} {{ $node.l.output }}"}}},
	{"id": "y", "type": "noop", "parent": "l"},
	{"id": "p", "type": "set", "config": {"variables": {"p": "{{ $node.q.output }} {{ $node.x.output }}"}}},
	{"id": "q", "type": "noop"}],
	"edges": [{"source": "s", "target": "l"}, {"source": "x", "target": "y"}, {"source": "l", "target": "p"}, {"source": "p", "target": "q"},
	{"source": "q", "target": "p", "condition": "false"}]}');
-- a catch reads what its try did
SELECT wrong('{"nodes": [{"id": "g", "type": "try"}, {"id": "t", "type": "noop", "parent": "g", "branch": "try"},
	{"id": "c", "type": "set", "parent": "g", "branch": "catch", "config": {"variables": {"x": "{{ $node.t.status }}"}}}], "edges": []}');

-- ten thousand nodes, each reading the first one and the one before
SET statement_timeout = '30s';
SELECT count(*) FROM wf_validate((SELECT jsonb_build_object(
	'nodes', jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'set', 'config', jsonb_build_object('variables',
		jsonb_build_object('v', CASE WHEN i > 1 THEN format('{{ $node.n1.output.v }} {{ $node.n%s.output.v }}', i - 1) ELSE 'x' END))) ORDER BY i),
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1) ORDER BY i) FROM generate_series(1, 9999) i))
	FROM generate_series(1, 10000) i));
-- one look finds it all: keys, types, edges, schemas, and expressions too
SELECT code, node, path, message, hint FROM wf_validate('{"nodes": [
	{"id": "a", "type": "sett", "confg": {}},
	{"id": "b", "type": "set", "config": {"variables": {"x": "{{ 1 + }}"}}},
	{"id": "c", "type": "if", "config": {"condition": "$node.bb.output.x > 1"}},
	{"id": "d", "type": "db.update", "config": {"table": "t", "set": {"a": 1}, "where": {}}},
	{"id": "e", "type": "loop", "config": {"items": "{{ foo.bar }}"}}],
	"edges": [{"source": "b", "target": "zz", "condition": "1 +"}, {"source": "b", "target": "c", "condition": "((("}]}');
