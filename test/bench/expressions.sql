-- expressions.sql: microseconds an evaluation, by class, beside SQL that does the same. The expression is
-- compiled once and evaluated in a loop in C; SQL is one statement over generate_series with the expression,
-- less the same statement without it. All take turns, round by round; what is shown are medians, and each
-- SQL median divided by ours. Nothing is cached between evaluations on either side.
SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET work_mem = '64MB';
CREATE FUNCTION wf_bench_expression(expression text, context jsonb, n int) RETURNS float8
	AS '$libdir/workflow', 'wf_sql_test_expr_bench' LANGUAGE C;
CREATE FUNCTION wf_bench_template(template jsonb, context jsonb, n int) RETURNS float8
	AS '$libdir/workflow', 'wf_sql_test_template_bench' LANGUAGE C;

-- A small context, and one of more than a megabyte in which the same names lead to the same values.
CREATE TEMP TABLE bench_context AS
SELECT size, jsonb_build_object(
	'input', jsonb_build_object('a', jsonb_build_object('b', 42), 'qty', 5, 'price', 20, 'name', 'Widget',
		'ten', (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', i, 'name', 'item ' || i)) FROM generate_series(1, 10) i),
		'items', (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', i, 'name', 'item ' || i)) FROM generate_series(1, 1000) i)),
	'node', (SELECT jsonb_object_agg('n' || i, jsonb_build_object('output', jsonb_build_object('rows',
		jsonb_build_array(jsonb_build_object('id', i, 'text', repeat('x', 100)))))) FROM generate_series(1, nodes) i)) AS c
FROM (VALUES ('small', 1), ('1 MB', 8000)) AS v (size, nodes);

CREATE TEMP TABLE bench_class (place int, class text, size text, ours text, get text, path text, elements text, n int);
INSERT INTO bench_class VALUES
	(1, 'path', 'small', '$input.a.b', 'c #>> ''{input,a,b}''', 'jsonb_path_query_first(c, ''$.input.a.b'')', NULL, 100000),
	(2, 'path', '1 MB', '$input.a.b', 'c #>> ''{input,a,b}''', 'jsonb_path_query_first(c, ''$.input.a.b'')', NULL, 100000),
	(3, 'deep path', 'small', '$node.n1.output.rows[0].id', 'c #>> ''{node,n1,output,rows,0,id}''',
		'jsonb_path_query_first(c, ''$.node.n1.output.rows[0].id'')', NULL, 100000),
	(4, 'deep path', '1 MB', '$node.n1.output.rows[0].id', 'c #>> ''{node,n1,output,rows,0,id}''',
		'jsonb_path_query_first(c, ''$.node.n1.output.rows[0].id'')', NULL, 100000),
	(5, 'operators', 'small', '$input.qty * $input.price + 1', '(c #>> ''{input,qty}'')::numeric * (c #>> ''{input,price}'')::numeric + 1',
		'jsonb_path_query_first(c, ''$.input.qty * $.input.price + 1'')', NULL, 100000),
	(6, 'comparison', 'small', '$input.qty > 3 && $input.name === "Widget"',
		'((c #>> ''{input,qty}'')::numeric > 3 AND c #>> ''{input,name}'' = ''Widget'')',
		'jsonb_path_match(c, ''$.input.qty > 3 && $.input.name == "Widget"'')', NULL, 100000),
	(7, 'ternary', 'small', '$input.qty > 3 ? "many" : "few"', 'CASE WHEN (c #>> ''{input,qty}'')::numeric > 3 THEN ''many'' ELSE ''few'' END',
		NULL, NULL, 100000),
	(8, 'template', 'small', '{"t": "{{ $input.name }}: {{ $input.qty }}"}',
		'jsonb_build_object(''t'', format(''%s: %s'', c #>> ''{input,name}'', c #>> ''{input,qty}''))', NULL, NULL, 50000),
	(9, 'method', 'small', '$input.name.toUpperCase()', 'upper(c #>> ''{input,name}'')', NULL, NULL, 100000),
	(10, 'filter 10', 'small', '$input.ten.filter(x => x.v > 5)', NULL, 'jsonb_path_query_array(c, ''$.input.ten[*] ? (@.v > 5)'')',
		'(SELECT jsonb_agg(e) FROM jsonb_array_elements(c #> ''{input,ten}'') e WHERE (e ->> ''v'')::numeric > 5)', 10000),
	(11, 'filter 1,000', 'small', '$input.items.filter(x => x.v > 500)', NULL, 'jsonb_path_query_array(c, ''$.input.items[*] ? (@.v > 500)'')',
		'(SELECT jsonb_agg(e) FROM jsonb_array_elements(c #> ''{input,items}'') e WHERE (e ->> ''v'')::numeric > 500)', 200),
	(12, 'map 1,000 to objects', 'small', '$input.items.map(x => ({id: x.id, n: x.name}))', NULL, NULL,
		'(SELECT jsonb_agg(jsonb_build_object(''id'', e -> ''id'', ''n'', e -> ''name'')) FROM jsonb_array_elements(c #> ''{input,items}'') e)', 200),
	(13, 'sum of 1,000', 'small', '$input.items.reduce((a, x) => a + x.v, 0)', NULL, NULL,
		'(SELECT sum((e ->> ''v'')::numeric) FROM jsonb_array_elements(c #> ''{input,items}'') e)', 200);

-- Seconds of one statement that evaluates n times; 0 for none.
CREATE FUNCTION pg_temp.seconds(expression text, context jsonb, n int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz := clock_timestamp();
BEGIN
	EXECUTE format('SELECT count(%s) FROM (SELECT $1 AS c, g FROM generate_series(1, $2) g OFFSET 0) s', expression) USING context, n;
	RETURN extract(epoch FROM clock_timestamp() - begun)::float8;
END $$;

CREATE FUNCTION pg_temp.micros(expression text, context jsonb, n int) RETURNS float8 LANGUAGE sql AS $$
	SELECT CASE WHEN expression IS NOT NULL
		THEN greatest(pg_temp.seconds(expression, context, n) - pg_temp.seconds('c', context, n), 0) * 1e6 / n END
$$;

CREATE TEMP TABLE bench_round AS
SELECT place, r,
	CASE WHEN class = 'template' THEN wf_bench_template(ours::jsonb, c, n) ELSE wf_bench_expression(ours, c, n) END AS ours,
	pg_temp.micros(get, c, n) AS get, pg_temp.micros(path, c, n) AS path, pg_temp.micros(elements, c, n) AS elements
FROM generate_series(1, 7) r, bench_class JOIN bench_context USING (size);

\pset format aligned
\pset tuples_only off
\pset null ''
\pset footer off
WITH m AS (
	SELECT place, percentile_cont(0.5) WITHIN GROUP (ORDER BY ours) AS ours, percentile_cont(0.5) WITHIN GROUP (ORDER BY get) AS get,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY path) AS path, percentile_cont(0.5) WITHIN GROUP (ORDER BY elements) AS elements
	FROM bench_round GROUP BY place)
SELECT class, size AS context, round(m.ours::numeric, 3) AS us, round(m.get::numeric, 3) AS "#>> us", round(m.path::numeric, 3) AS "jsonpath us",
	round(m.elements::numeric, 3) AS "elements us", round((m.get / m.ours)::numeric, 1) AS "#>> / us", round((m.path / m.ours)::numeric, 1) AS "jsonpath / us",
	round((m.elements / m.ours)::numeric, 1) AS "elements / us", c.ours AS expression
FROM m JOIN bench_class c USING (place) ORDER BY place;
