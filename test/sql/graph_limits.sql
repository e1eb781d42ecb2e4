-- Definitions that are too large, too deep or too tangled are refused calmly; large ones that are
-- not compile.
CREATE FUNCTION graph_brief(definition jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_graph_brief' LANGUAGE C STRICT;
CREATE FUNCTION nodes(n int, type text DEFAULT 'noop') RETURNS jsonb
BEGIN ATOMIC
	SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', type)) FROM generate_series(1, n) i;
END;
CREATE FUNCTION says(definition jsonb) RETURNS TABLE (errors int, code text, first text, loops int)
BEGIN ATOMIC
	SELECT (g->'errors')::int, g->>'code', g->>'first', (g->'loops')::int FROM graph_brief(definition) g;
END;
SELECT graph_brief('{}') IS NOT NULL AS loaded;

-- Nodes, edges, size.
SET workflow.max_nodes = 10;
SELECT * FROM says(jsonb_build_object('nodes', nodes(10)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(11)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(100000)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(10), 'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || j)) FROM generate_series(1, 10) i, generate_series(1, 10) j)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(10), 'edges', (SELECT jsonb_agg(i) FROM generate_series(1, 101) i)));
RESET workflow.max_nodes;
SET workflow.max_definition_size = '1MB';
SELECT * FROM says(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'noop', 'config', jsonb_build_object('x', repeat('x', 1048576))))));
SELECT * FROM says(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'noop', 'config', jsonb_build_object('x', repeat('x', 1000000))))));
RESET workflow.max_definition_size;
SELECT * FROM says(jsonb_build_object('nodes', nodes(1), 'variables', (SELECT jsonb_agg(jsonb_build_object('name', 'v' || i)) FROM generate_series(1, 1001) i)));
-- Of fifty megabytes nothing is read.
SELECT code, first FROM says(jsonb_build_object('x', repeat('x', 50000000)));

-- Depth: containers in containers, in either order of definition, and in a circle.
SET workflow.max_depth = 3;
SELECT * FROM says('{"nodes": [{"id": "a", "type": "loop"}, {"id": "b", "type": "loop", "parent": "a"}, {"id": "c", "type": "loop", "parent": "b"}, {"id": "d", "type": "noop", "parent": "c"}]}');
SELECT * FROM says('{"nodes": [{"id": "a", "type": "loop"}, {"id": "b", "type": "loop", "parent": "a"}, {"id": "c", "type": "loop", "parent": "b"}, {"id": "d", "type": "loop", "parent": "c"}, {"id": "e", "type": "noop", "parent": "d"}]}');
RESET workflow.max_depth;
SELECT * FROM says(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', 'n' || i, 'type', 'loop', 'parent', 'n' || nullif(i - 1, 0)))) FROM generate_series(1, 10000) i)));
SELECT * FROM says(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', 'n' || i, 'type', 'loop', 'parent', 'n' || nullif(i + 1, 10001)))) FROM generate_series(1, 10000) i)));
SELECT * FROM says(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', 'n' || i, 'type', 'loop', 'parent', 'n' || i % 10000 + 1))) FROM generate_series(1, 10000) i)));

-- Ten thousand nodes in a row; a hundred thousand edges; loops in loops; all of it wrong.
CREATE TABLE chain AS SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + 1)) AS edges FROM generate_series(1, 9999) i;
SELECT * FROM chain, says(jsonb_build_object('nodes', nodes(10000), 'edges', edges)) WHERE errors > 0;
SELECT * FROM says(jsonb_build_object('nodes', nodes(10000), 'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || i + k)) FROM generate_series(1, 9990) i, generate_series(1, 10) k)));
SELECT errors, code, first, loops FROM chain, says(jsonb_build_object('nodes', nodes(10000), 'edges', edges || (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n1')) FROM generate_series(1, 10000) i)));
SELECT errors, code, first, loops FROM chain, says(jsonb_build_object('nodes', nodes(10000), 'edges', edges || (SELECT jsonb_agg(jsonb_build_object('source', 'n' || i + 1, 'target', 'n' || i)) FROM generate_series(1, 9999) i)));
SELECT errors, code, first, loops FROM says(jsonb_build_object('nodes', nodes(1000), 'edges',
	(SELECT jsonb_agg(jsonb_build_object('source', 'n' || i + k, 'target', 'n' || i + 1 - k)) FROM generate_series(1, 999) i, generate_series(0, 1) k)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(10000, 'nop'), 'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'm' || i, 'target', 'n_' || i)) FROM generate_series(1, 50000) i)));
SELECT * FROM says(jsonb_build_object('nodes', nodes(10000), 'edges', (SELECT jsonb_agg('{"source": "n1", "target": "n2"}'::jsonb) FROM generate_series(1, 100000) i)));
SELECT * FROM says(jsonb_build_object('nodes', (SELECT jsonb_agg('{"id": "a", "type": "noop", "name": "b"}'::jsonb) FROM generate_series(1, 10000) i)));
-- A block with ten thousand ports, all wired.
SELECT * FROM says(jsonb_build_object('nodes', nodes(9999) || jsonb_build_object('id', 's', 'type', 'switch', 'config', jsonb_build_object('ports', (SELECT jsonb_agg('p' || i) FROM generate_series(1, 9999) i))),
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', 's', 'sourceHandle', 'p' || i, 'target', 'n' || i)) FROM generate_series(1, 9999) i)));
-- Ids of ten thousand characters.
SELECT * FROM says(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_build_object('id', repeat('x', 10000) || i, 'type', 'noop')) FROM generate_series(1, 100) i),
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', repeat('x', 10000) || i, 'target', repeat('x', 10000) || i + 1)) FROM generate_series(1, 99) i)));
