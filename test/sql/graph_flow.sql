-- Edges, containers, starts, cycles and their order; with the catalogue of src/graph/graph_test.c.
\pset null -
CREATE FUNCTION graph_compile(definition jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_graph_compile' LANGUAGE C STRICT;
CREATE FUNCTION found(definition jsonb)
	RETURNS TABLE (severity text, code text, node text, path text, message text, hint text)
BEGIN ATOMIC
	SELECT d->>'severity', d->>'code', d->>'node', d->>'path', d->>'message', d->>'hint'
	FROM jsonb_array_elements(graph_compile(definition)->'diagnostics') WITH ORDINALITY AS x (d, n) ORDER BY n;
END;
-- `a b:loop c:noop@b` and `a>b b:true>c?condition#3` as a definition: nodes are id:type@parent.branch
CREATE FUNCTION sketch(nodes text, edges text) RETURNS jsonb
BEGIN ATOMIC
	SELECT jsonb_build_object(
		'nodes', (SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('id', m[1], 'type', coalesce(m[2], 'noop'), 'parent', m[3], 'branch', m[4])) ORDER BY i)
				  FROM regexp_split_to_table(nodes, ' ') WITH ORDINALITY AS x (t, i),
					   regexp_match(t, '^(\w+)(?::([\w.]+))?(?:@(\w+))?(?:/(\w+))?$') m),
		'edges', (SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('source', m[1], 'sourceHandle', m[2], 'target', m[3],
						'condition', m[4], 'maxIterations', m[5]::int)) ORDER BY i), '[]')
				  FROM regexp_split_to_table(edges, ' ') WITH ORDINALITY AS x (t, i),
					   regexp_match(t, '^(\w+)(?::(\w+))?>(\w+)(?:\?(\w+))?(?:#(\d+))?$') m WHERE t <> ''));
END;
CREATE FUNCTION regions(definition jsonb) RETURNS TABLE (container text, branch text, depth int, "order" text, starts text, terminals text)
BEGIN ATOMIC
	SELECT r->>'container', r->>'branch', (r->'depth')::int, r->>'order', r->>'starts', r->>'terminals'
	FROM jsonb_array_elements(graph_compile(definition) #> '{graph,regions}') WITH ORDINALITY AS x (r, n) ORDER BY n;
END;
CREATE FUNCTION loops(definition jsonb) RETURNS TABLE (header text, parent int, nodes text, back text, exits text)
BEGIN ATOMIC
	SELECT r->>'header', (r->'parent')::int, r->>'nodes', r->>'back', r->>'exits'
	FROM jsonb_array_elements(graph_compile(definition) #> '{graph,loops}') WITH ORDINALITY AS x (r, n) ORDER BY n;
END;

-- Ports.
SELECT x->>'id' AS id, x->>'ports' AS ports, x->>'errorPort' AS error FROM jsonb_array_elements(graph_compile('{"nodes": [
	{"id": "a", "type": "noop"}, {"id": "b", "type": "if"}, {"id": "c", "type": "return"}, {"id": "d", "type": "own"},
	{"id": "e", "type": "switch", "config": {"ports": ["x", "y"]}}, {"id": "f", "type": "switch", "config": {"ports": ["x", "error", "y"]}},
	{"id": "g", "type": "loop"}, {"id": "h", "type": "try"}]}') #> '{graph,nodes}') x;
SELECT x->>'source' AS source, x->>'port' AS port, x->>'target' AS target, x->>'condition' AS condition FROM jsonb_array_elements(graph_compile(
	sketch('a b:if c d', 'a>b b:true>c b:false>d a:error>d c>d?yes')) #> '{graph,edges}') x;
SELECT node, path, message, hint FROM found(sketch('a b:if c d:return', 'a:ouut>b b>c b:tru>c d>a a:out>c a>c a:error>c'));
-- One of very many ports.
SELECT message, hint FROM found(jsonb_build_object(
	'nodes', jsonb_build_array('{"id": "b", "type": "noop"}'::jsonb, jsonb_build_object('id', 'a', 'type', 'switch',
		'config', jsonb_build_object('ports', (SELECT jsonb_agg('port' || i) FROM generate_series(1, 100) i)))),
	'edges', '[{"source": "a", "sourceHandle": "port100", "target": "b"}, {"source": "a", "sourceHandle": "port1000", "target": "b"}]'::jsonb));

-- Ends.
SELECT node, path, message, hint FROM found(sketch('fetch store notify t:trigger.manual', 'fetsh>store fetch>stor nothing>nowhere t>fetch store>t t>t fetch>notify fetch>notify notify:out>store'));
SELECT message, hint FROM found('{
	"nodes": [{"id": "a", "type": "noop", "name": "The first"}, {"id": "b", "type": "noop"}],
	"edges": [{"source": "The first", "target": "b"}]}');
SELECT path, message FROM found('{
	"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop"}, {"id": "c", "type": "noop"}],
	"edges": [{"id": "e", "source": "a", "target": "b"}, {"id": "e", "source": "b", "target": "c", "data": {"x": 1}, "targetHandle": "in"}]}');
-- The same ends at another port are another edge.
SELECT count(*) FROM found(sketch('a b', 'a>b a:error>b'));

-- Containers.
SELECT node, path, message, hint FROM found('{"nodes": [
	{"id": "l", "type": "loop"}, {"id": "t", "type": "try"}, {"id": "p", "type": "parallel", "config": {"branches": ["one", "two"]}}, {"id": "q", "type": "parallel"},
	{"id": "a", "type": "noop", "parent": "l", "branch": "x"}, {"id": "b", "type": "noop", "parent": "t"},
	{"id": "c", "type": "noop", "parent": "t", "branch": "cach"}, {"id": "d", "type": "noop", "parent": "p", "branch": "three"},
	{"id": "e", "type": "noop", "parent": "q"}, {"id": "f", "type": "noop", "branch": "try"}, {"id": "g", "type": "noop", "parent": "a"},
	{"id": "h", "type": "noop", "parent": "k"}, {"id": "i", "type": "trigger.row", "parent": "l"}, {"id": "j", "type": "noop", "parent": "unknown_one"}]}');
SELECT severity, node, message FROM found(sketch('a:loop b:loop@a c:loop@b d:loop@d e:loop@f f:loop@e g@f h:parallel', ''));
SELECT node, path, message FROM found(sketch('a l:loop b@l c@l t:try d@t/try e@t/catch', 'a>l a>b b>c c>a l>b d>e'));
SELECT * FROM regions(sketch('a l:loop b@l c@l t:try d@t/try e@t/catch f:loop@t/try g@f z', 'a>l l>t t>z b>c d>f'));
SELECT x->>'id' AS id, x->>'region' AS region, x->>'branch' AS branch
FROM jsonb_array_elements(graph_compile(sketch('a l:loop b@l c@l t:try d@t/try e@t/catch f:loop@t/try g@f z', 'a>l l>t t>z b>c d>f')) #> '{graph,nodes}') x;

-- Starts and what is unreachable.
SELECT * FROM regions(sketch('a b c', 'a>c b>c'));
SELECT * FROM regions(sketch('t:trigger.manual u:trigger.row a b', 't>a u>b'));
SELECT node, path, message, hint FROM found(sketch('t:trigger.manual a b c d', 't>a b>c c>c'));
SELECT node, path, message FROM found(sketch('a b c d', 'a>b c>d d>c'));
SELECT node, path, message FROM found(sketch('l:loop a@l b@l c@l d@l', 'b>c c>b c>d'));
SELECT * FROM regions(sketch('form check done', 'form>check check:error>form check>done'));
SELECT * FROM regions(sketch('l:loop a@l b@l c@l x@l y@l', 'a>b b>c c>a y>x x>y'));
-- What lies behind a mistake is not reported as unreachable as well.
SELECT node, message FROM found(sketch('t:trigger.manual a b c d:nop e', 't>a aa>b b>c d>e'));

-- Back edges and loops.
SELECT x->>'source' AS source, x->>'target' AS target, x->>'back' AS back, x->>'maxIterations' AS most, x->>'loop' AS loop, x->>'exitLoop' AS exit
FROM jsonb_array_elements(graph_compile(sketch('a b c d e', 'a>b b>c c>b#5 c>d d>a d>e e>e')) #> '{graph,edges}') x;
SELECT * FROM loops(sketch('a b c d e', 'a>b b>c c>b#5 c>d d>a d>e e>e'));
SELECT * FROM regions(sketch('a b c d e', 'a>b b>c c>b#5 c>d d>a d>e e>e'));
-- Two back edges to one header are one loop; loops side by side; an inner loop left by an outer back edge.
SELECT * FROM loops(sketch('a b c d e f', 'a>b b>c b:error>d c>b d>b b>e e>f f>e'));
SELECT * FROM loops(sketch('a b c d', 'a>b b>c c>b c>a c>d'));
-- What a loop leads to comes after all of it, wherever it stands in the definition.
SELECT "order", terminals FROM regions(sketch('a after b c', 'a>b b>after b>c c>b'));
SELECT "order", terminals FROM regions(sketch('z y x w', 'w>x x>y y>z'));
SELECT "order", terminals FROM regions(sketch('a b c', 'a:error>b b>c c>b'));

SELECT code, node, path, message, hint FROM found(sketch('a b c', 'a>b a>c b>c c>b'));
SELECT path, message FROM found(sketch('a b c d', 'a>b#3 b>c c>d d>b#3 a>c'));
SELECT path, message FROM found(sketch('a b', 'a>b b>b#0'));
SELECT path, message FROM found('{"nodes": [{"id": "a", "type": "noop"}], "edges": [{"source": "a", "target": "a", "maxIterations": 1.5}]}');

-- A disabled node stays in the flow.
SELECT x->>'id' AS id, x->>'disabled' AS disabled, x->>'in' AS "in", x->>'out' AS out FROM jsonb_array_elements(graph_compile('{
	"nodes": [{"id": "a", "type": "noop"}, {"id": "b", "type": "noop", "disabled": true}, {"id": "c", "type": "noop"}],
	"edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]}') #> '{graph,nodes}') x;

-- Everything at once.
SELECT code, node, path, message FROM found('{
	"nodes": [
		{"id": "start", "type": "trigger.manual"}, {"id": "a", "type": "noop"}, {"id": "b", "type": "iff"}, {"id": "c", "type": "noop", "onErr": "fail"},
		{"id": "d", "type": "noop", "config": {"bad": 1}}, {"id": "lost", "type": "noop"}, {"id": "x", "type": "noop"}, {"id": "y", "type": "noop"}],
	"edges": [
		{"source": "start", "target": "a"}, {"source": "a", "target": "c"}, {"source": "a", "target": "c"}, {"source": "c", "target": "dd"},
		{"source": "c", "sourceHandle": "outt", "target": "d"}, {"source": "start", "target": "x"}, {"source": "start", "target": "y"},
		{"source": "x", "target": "y"}, {"source": "y", "target": "x"}],
	"setings": {}}');
