-- Microseconds an evaluation by class, beside SQL that does the same; medians of five. The SQL side pays for
-- a row of generate_series each time, the expression for a compiled evaluation in a loop.
SET client_min_messages = warning;
CREATE FUNCTION expr_bench(expression text, context jsonb, n int) RETURNS float8
	AS '$libdir/workflow', 'wf_sql_test_expr_bench' LANGUAGE C;

CREATE TEMP TABLE bench_context AS
SELECT name, jsonb_build_object(
	'input', jsonb_build_object('a', jsonb_build_object('b', 42), 'qty', 5, 'price', 20, 'name', 'Widget',
		'ten', (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', i, 'name', 'item ' || i)) FROM generate_series(1, 10) i),
		'items', (SELECT jsonb_agg(jsonb_build_object('id', i, 'v', i, 'name', 'item ' || i)) FROM generate_series(1, 1000) i)),
	'node', (SELECT jsonb_object_agg('n' || i, jsonb_build_object('output', jsonb_build_object('rows',
		jsonb_build_array(jsonb_build_object('id', i), repeat('x', 100)))))
		FROM generate_series(1, others) i)) AS c
FROM (VALUES ('small', 1), ('large', 10000)) AS v (name, others);

CREATE FUNCTION expr_median(expression text, context jsonb, n int) RETURNS float8 LANGUAGE sql AS $$
	SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY expr_bench(expression, context, n)) FROM generate_series(1, 5)
$$;

CREATE FUNCTION sql_median(expression text, context jsonb, n int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz;
	times float8[];
BEGIN
	IF expression IS NULL THEN
		RETURN NULL;
	END IF;
	FOR i IN 1..5 LOOP
		begun := clock_timestamp();
		EXECUTE format('SELECT count(%s) FROM (SELECT $1 AS c, g FROM generate_series(1, $2) g OFFSET 0) s', expression)
			USING context, n;
		times := times || extract(epoch FROM clock_timestamp() - begun)::float8 * 1e6 / n;
	END LOOP;
	RETURN (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY t) FROM unnest(times) t);
END $$;

\pset format aligned
\pset tuples_only off
SELECT class, round(us::numeric, 3) AS us, round(sql_us::numeric, 3) AS sql_us, round((us / sql_us)::numeric, 2) AS ratio, expression
FROM (
	SELECT v.*, expr_median(expression, c, n) AS us, sql_median(sql, c, greatest(n / 4, 20)) AS sql_us
	FROM (VALUES
		(1, 'path', 'small', '$input.a.b', 'c #>> ''{input,a,b}''', 100000),
		(2, 'path, 10,000 other nodes', 'large', '$input.a.b', 'c #>> ''{input,a,b}''', 100000),
		(3, 'node path', 'small', '$node.n1.output.rows[0].id', 'jsonb_path_query_first(c, ''$.node.n1.output.rows[0].id'')', 100000),
		(4, 'operators', 'small', '$input.qty * 2 + 1', '(c #>> ''{input,qty}'')::numeric * 2 + 1', 100000),
		(5, 'comparison', 'small', '$input.qty > 3 && $input.name === "Widget"', '(c #>> ''{input,qty}'')::numeric > 3 and c #>> ''{input,name}'' = ''Widget''', 100000),
		(6, 'ternary', 'small', '$input.qty > 3 ? "many" : "few"', 'case when (c #>> ''{input,qty}'')::numeric > 3 then ''many'' else ''few'' end', 100000),
		(7, 'template literal', 'small', '`${$input.name}: ${$input.qty}`', 'format(''%s: %s'', c #>> ''{input,name}'', c #>> ''{input,qty}'')', 100000),
		(8, 'method', 'small', '$input.name.toUpperCase()', 'upper(c #>> ''{input,name}'')', 100000),
		(9, 'filter 10', 'small', '$input.ten.filter(x => x.v > 5)', '(select jsonb_agg(e) from jsonb_array_elements(c #> ''{input,ten}'') e where (e ->> ''v'')::numeric > 5 and g > 0)', 20000),
		(10, 'filter 1,000', 'small', '$input.items.filter(x => x.v > 500)', '(select jsonb_agg(e) from jsonb_array_elements(c #> ''{input,items}'') e where (e ->> ''v'')::numeric > 500 and g > 0)', 400),
		(11, 'map 1,000 to objects', 'small', '$input.items.map(x => ({id: x.id, n: x.name}))', '(select jsonb_agg(jsonb_build_object(''id'', e -> ''id'', ''n'', e -> ''name'')) from jsonb_array_elements(c #> ''{input,items}'') e where g > 0)', 400),
		(12, 'sum of 1,000', 'small', '$input.items.reduce((a, x) => a + x.v, 0)', '(select sum((e ->> ''v'')::numeric) from jsonb_array_elements(c #> ''{input,items}'') e where g > 0)', 400)
	) AS v (n_row, class, context, expression, sql, n)
	JOIN bench_context b ON b.name = v.context
) t ORDER BY n_row;
