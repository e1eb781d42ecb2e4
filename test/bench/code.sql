-- code.sql: what code.sh measures.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE FUNCTION code_bench(source text, "values" jsonb, n int, each bool) RETURNS float8[] AS '$libdir/workflow', 'wf_sql_test_code_bench' LANGUAGE C STRICT;
CREATE FUNCTION cpu_us() RETURNS float8 AS '$libdir/workflow', 'wf_sql_test_cpu_us' LANGUAGE C STRICT VOLATILE;

-- Each work as a source and its input: nothing; a map over a list; JSON that comes out as it went in.
CREATE FUNCTION items(n int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('items', jsonb_agg(jsonb_build_object('id', i, 'name', 'item ' || i, 'price', round(i * 1.25 % 997, 2), 'open', i % 3 = 0)))
	FROM generate_series(1, n) i
$$;
CREATE TABLE work AS
SELECT 'empty' AS name, '' AS source, '{}'::jsonb AS value
UNION ALL SELECT 'map_' || n, 'return {items: $input.items.map(x => ({id: x.id, total: x.price * 2, label: x.name + (x.open ? " open" : "")}))};', items(n)
	FROM unnest('{10, 1000, 100000}'::int[]) n
UNION ALL SELECT 'json_' || size, 'return $input;', items(n) FROM (VALUES ('1kB', 16), ('100kB', 1530), ('10MB', 145000)) v (size, n);

-- The same by hand.
CREATE FUNCTION map_sql(input jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('items', jsonb_agg(jsonb_build_object('id', x -> 'id', 'total', (x ->> 'price')::numeric * 2,
		'label', (x ->> 'name') || CASE WHEN (x ->> 'open')::bool THEN ' open' ELSE '' END)))
	FROM jsonb_array_elements(input -> 'items') x
$$;
CREATE FUNCTION map_plpgsql(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	x jsonb;
	label text;
	made jsonb[] := '{}';
	n int := 0;
BEGIN
	FOR x IN SELECT e FROM jsonb_array_elements(input -> 'items') e LOOP
		label := x ->> 'name';
		IF (x ->> 'open')::bool THEN
			label := label || ' open';
		END IF;
		n := n + 1;
		made[n] := jsonb_build_object('id', x -> 'id', 'total', (x ->> 'price')::numeric * 2, 'label', label);
	END LOOP;
	RETURN jsonb_build_object('items', to_jsonb(made));
END $$;

-- A workflow for each, of one node, which leaves no journal.
SELECT wf_save(name, jsonb_build_object('settings', '{"journal": "none"}'::jsonb,
	'nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', 'code', 'config', jsonb_build_object('source', CASE source WHEN '' THEN ';' ELSE source END))))) FROM work;
SELECT wf_save('noop', '{"settings": {"journal": "none"}, "nodes": [{"id": "n", "type": "noop"}]}');
SELECT wf_save('transform', '{"settings": {"journal": "none"}, "nodes": [{"id": "n", "type": "transform", "config": {"operation": "map",
	"items": "{{ $input.items }}", "expression": "({id: $item.id, total: $item.price * 2, label: $item.name + ($item.open ? \" open\" : \"\")})"}}]}');

-- Microseconds of the processor that a run takes, less that of a run with a noop in the node's place.
CREATE FUNCTION run_us(workflow text, work text, n int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	input jsonb := (SELECT value FROM work w WHERE w.name = work);
	begun float8;
	noop float8;
BEGIN
	IF (wf_run(workflow, input) ->> 'status') <> 'completed' THEN
		RAISE EXCEPTION 'the run of % failed', workflow;
	END IF;
	PERFORM wf_run('noop', input);
	begun := cpu_us();
	FOR i IN 1..n LOOP
		PERFORM wf_run('noop', input);
	END LOOP;
	noop := cpu_us() - begun;
	begun := cpu_us();
	FOR i IN 1..n LOOP
		PERFORM wf_run(workflow, input);
	END LOOP;
	RETURN (cpu_us() - begun - noop) / n;
END $$;
CREATE FUNCTION code(work text, n int) RETURNS float8 LANGUAGE sql AS 'SELECT run_us(work, work, n)';
CREATE FUNCTION transform(work text, n int) RETURNS float8 LANGUAGE sql AS $$ SELECT run_us('transform', work, n) $$;
CREATE FUNCTION by_hand(function text, work text, n int) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	input jsonb := (SELECT value FROM work w WHERE w.name = work);
	made jsonb;
	begun float8;
BEGIN
	EXECUTE format('SELECT %I($1)', function) INTO made USING input;
	IF made IS DISTINCT FROM (wf_run(work, input) -> 'output') THEN
		RAISE EXCEPTION '% does something else', function;
	END IF;
	begun := cpu_us();
	FOR i IN 1..n LOOP
		IF function = 'map_sql' THEN
			made := map_sql(input);
		ELSE
			made := map_plpgsql(input);
		END IF;
	END LOOP;
	RETURN (cpu_us() - begun) / n;
END $$;
CREATE FUNCTION plpgsql(work text, n int) RETURNS float8 LANGUAGE sql AS $$ SELECT by_hand('map_plpgsql', work, n) $$;
CREATE FUNCTION sql(work text, n int) RETURNS float8 LANGUAGE sql AS $$ SELECT by_hand('map_sql', work, n) $$;
