-- bad and large input
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test_schema(schema jsonb, value jsonb, flags int, sources jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_schema' LANGUAGE C STRICT;
-- What is wrong with a value, or with the schema; both ways of asking must agree.
CREATE FUNCTION wrong(schema jsonb, value jsonb, flags int DEFAULT 0, sources jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb := test_schema(schema, value, flags, sources);
BEGIN
	IF r ? 'refused' THEN RETURN concat_ws(' ', 'refused:', r#>>'{refused,at}', r#>>'{refused,message}'); END IF;
	IF r->'valid' IS DISTINCT FROM test_schema(schema, value, flags | 256, sources)->'valid' THEN RETURN 'the two ways differ'; END IF;
	IF (r->>'valid')::bool THEN RETURN 'valid'; END IF;
	RETURN (SELECT string_agg(concat_ws(' ', '[' || (e->>'at') || ']', nullif(e->>'path', ''), e->>'message'), '; ' ORDER BY n) FROM jsonb_array_elements(r->'errors') WITH ORDINALITY AS t (e, n));
END $$;
-- One line for each value.
CREATE FUNCTION show(schema jsonb, VARIADIC vals jsonb[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT v::text || ': ' || wrong(schema, v) FROM unnest(vals) AS v $$;
\set VERBOSITY sqlstate
-- nesting, of schemas, of data, and of references without an end
CREATE FUNCTION nested(prefix text, inner_part text, suffix text, depth int) RETURNS jsonb LANGUAGE sql AS $$ SELECT (repeat(prefix, depth) || inner_part || repeat(suffix, depth))::jsonb $$;
CREATE TABLE deep AS SELECT value, jsonb_build_array(1, value) AS pair, jsonb_build_array(value, value) AS same FROM (SELECT nested('[', '', ']', 3000) AS value) AS t;
SELECT left(wrong(nested('{"not":', 'true', '}', 1000), '1'), 60);
SELECT count(*) FROM (SELECT wrong('{"items": {"$ref": "#"}}', nested('[', '', ']', 500))) AS t;
SET max_stack_depth = '400kB';
SELECT wrong('{"$ref": "#"}', '1');
SELECT wrong('{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"allOf": [{"$ref": "#/$defs/a"}]}}}', '1');
SELECT wrong('{"$dynamicAnchor": "x", "$dynamicRef": "#x"}', '1');
SELECT wrong('{"items": {"$ref": "#"}}', value) FROM deep;
SELECT wrong('{"uniqueItems": true}', pair), wrong('{"uniqueItems": true}', same) FROM deep;
RESET max_stack_depth;

-- a long chain of references costs no stack to compile
SELECT wrong(jsonb_build_object('$defs', (SELECT jsonb_object_agg('d' || i, CASE WHEN i = 3000 THEN '{"type": "null"}' ELSE jsonb_build_object('properties', jsonb_build_object('p', jsonb_build_object('$ref', '#/$defs/d' || i + 1))) END) FROM generate_series(1, 3000) AS i), '$ref', '#/$defs/d1'), '{"p": {"p": {"p": 5}}}');

-- wide
SELECT wrong(jsonb_build_object('properties', (SELECT jsonb_object_agg('p' || i, '{"type": "integer"}'::jsonb) FROM generate_series(1, 5000) AS i), 'additionalProperties', false),
	(SELECT jsonb_object_agg('p' || i, CASE i WHEN 77 THEN '"x"'::jsonb ELSE '1' END) FROM generate_series(1, 5001) AS i));
SELECT wrong('{"uniqueItems": true}', (SELECT jsonb_agg(jsonb_build_object('i', i)) FROM generate_series(1, 100000) AS i));
SELECT wrong('{"uniqueItems": true}', (SELECT jsonb_agg(i % 99999) FROM generate_series(1, 100000) AS i));
SELECT jsonb_array_length(test_schema('{"items": {"type": "null"}}', (SELECT jsonb_agg(i) FROM generate_series(1, 1000) AS i), 0, '{}')->'errors');

-- a pattern that would take for ever
SELECT wrong('{"pattern": "^(?:a|a)*[bc]"}', to_jsonb(repeat('a', 50)));
SELECT wrong('{"patternProperties": {"(x+x+)+[yz]": true}}', jsonb_build_object(repeat('x', 60), 1));
-- many starting points are no way around the limit
SELECT wrong('{"pattern": "a*[bc]"}', to_jsonb(repeat('a', 300000)));
\set VERBOSITY default

-- long names and values are clipped in messages
SELECT wrong(jsonb_build_object('required', jsonb_build_array(repeat('é', 100))), '{}');
SELECT wrong(jsonb_build_object('const', repeat('ab', 100)), '1');
SELECT wrong(jsonb_build_object('enum', jsonb_build_array(repeat('ab', 1000), (SELECT jsonb_agg(i) FROM generate_series(1, 1000) AS i))), '1');
SELECT wrong(jsonb_build_object('pattern', repeat('ab', 100)), '""');
SELECT wrong(jsonb_build_object('type', repeat('ab', 100)), '""');
SELECT wrong(jsonb_build_object('$ref', '#/' || repeat('ab', 100)), '""');
