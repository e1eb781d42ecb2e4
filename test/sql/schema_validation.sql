-- the validation vocabulary: one kind of keyword after the other
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

-- type
SELECT show(format('{"type": "%s"}', t)::jsonb, 'null', 'true', '1', '1.0', '1.5', '"a"', '[]', '{}')
	FROM unnest('{"null",boolean,integer,number,string,array,object}'::text[]) AS t;
SELECT show('{"type": ["string", "null", "integer"]}', '"a"', 'null', '2', '2.5', '{}');
SELECT show('{"type": "integer"}', '1e300', '1e-1', '-0.0', '12345678901234567890123456789012345678901234567890', '0.00000000000000000000000000000001');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"type": "int"}', '{"type": []}', '{"type": ["string", "string"]}', '{"type": 1}', '{"type": {}}', '{"type": ["string", 1]}', '{"type": null}']::jsonb[]) AS s;

-- enum and const, by JSON's equality
SELECT show('{"enum": [1, "a", null, [1, {"b": 2, "a": 1.0}], {"x": []}, false]}', '1', '1.0', '1.00e0', '"a"', '"A"', 'null', '[1, {"a": 1, "b": 2.0}]', '[1, {"a": 1}]', '{"x": []}', '{"x": {}}', 'false', 'true', '0', '""');
SELECT show('{"enum": []}', '1');
SELECT show(jsonb_build_object('enum', (SELECT jsonb_agg('v' || i) || jsonb_build_array(7, '{"deep": [1, 2]}'::jsonb) FROM generate_series(1, 200) AS i)), '"v1"', '"v200"', '"v201"', '7.0', '{"deep": [1, 2.0]}', '{"deep": [2, 1]}');
SELECT wrong('{"enum": {}}', '1');
SELECT show('{"const": {"a": [1, 2.0], "b": null}}', '{"b": null, "a": [1.0, 2]}', '{"a": [2, 1], "b": null}', '{"a": [1, 2]}');
SELECT show('{"const": null}', 'null', 'false', '0', '""');
SELECT show('{"const": false}', 'false', '0', '[]');
SELECT show('{"const": 9007199254740993}', '9007199254740993', '9007199254740992', '9007199254740993.0', '9007199254740993.000000000001');

-- numbers, to the last digit
SELECT show('{"minimum": 1.1, "maximum": 3}', '1.1', '1.10', '1.0999999999999999999999', '3', '3.0000000000000000000001', '"x"');
SELECT show('{"exclusiveMinimum": 1.1, "exclusiveMaximum": 3}', '1.1', '1.1000000000000000000001', '3', '2.9999999999999999999999');
SELECT show('{"minimum": -9007199254740993}', '-9007199254740993', '-9007199254740994');
SELECT show('{"multipleOf": 0.01}', '19.99', '0.075', '0', '-4.35', '1e300', '1e-3');
SELECT show('{"multipleOf": 3}', '9', '-9', '10', '3.0', '123456789012345678901234567890');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"multipleOf": 0}', '{"multipleOf": -1}', '{"multipleOf": "1"}', '{"minimum": "1"}', '{"maximum": null}', '{"exclusiveMinimum": true}', '{"exclusiveMaximum": []}']::jsonb[]) AS s;

-- strings, by characters
SELECT show('{"minLength": 2, "maxLength": 3}', '""', '"a"', '"ab"', '"abc"', '"abcd"', '"é"', '"éé"', '"😀😀😀"', '"😀😀😀😀"', '12345');
SELECT show('{"minLength": 2.0, "maxLength": 1e30}', '"a"', '"ab"');
SELECT show('{"maxLength": 1}', '"ab"');
SELECT show('{"pattern": "^a+$"}', '"aa"', '"aab"', '"aa\n"', '""', '5');
SELECT show('{"pattern": "é.\\u{1F600}$"}', '"--éx😀"', '"é😀😀"', '"é😀"');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"minLength": -1}', '{"minLength": 1.5}', '{"maxLength": "1"}', '{"maxLength": -1e300}', '{"pattern": 1}', '{"pattern": "("}', '{"pattern": "\\a"}', '{"pattern": "(?<=(a)+)b"}']::jsonb[]) AS s;

-- arrays
SELECT show('{"minItems": 1, "maxItems": 2}', '[]', '[1]', '[1, 2]', '[1, 2, 3]', '{}');
SELECT show('{"maxItems": 1}', '[1, 2]');
SELECT show('{"uniqueItems": true}', '[]', '[1]', '[1, 2]', '[1, 1.0]', '[1, true]', '[0, false]', '["a", "b", "a"]', '[{"a": 1, "b": 2}, {"b": 2, "a": 1}]', '[[1], [1]]', '[[1], [2]]', '[null, null]', '[{}, []]', '["1", 1]', '[{"a": "b"}, {"b": "a"}]');
SELECT show('{"uniqueItems": false}', '[1, 1]');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"minItems": "1"}', '{"maxItems": -1}', '{"uniqueItems": 1}', '{"minContains": -1}', '{"maxContains": 0.5}']::jsonb[]) AS s;

-- objects
SELECT show('{"minProperties": 1, "maxProperties": 2}', '{}', '{"a": 1}', '{"a": 1, "b": 2}', '{"a": 1, "b": 2, "c": 3}', '[]');
SELECT show('{"required": ["b", "a", "länger"]}', '{"a": 1, "b": null, "länger": 0}', '{"a": 1}', '{}', '[]');
SELECT show('{"required": []}', '{}');
SELECT show('{"dependentRequired": {"card": ["name", "zip"], "x": []}}', '{}', '{"card": 1, "name": 2, "zip": 3}', '{"card": 1}', '{"x": 1}', '"card"');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"required": "a"}', '{"required": [1]}', '{"required": ["a", "b", "a"]}', '{"required": ["a", 1]}', '{"minProperties": null}', '{"maxProperties": "2"}', '{"dependentRequired": []}', '{"dependentRequired": {"a": "b"}}', '{"dependentRequired": {"a": ["b", "b"]}}']::jsonb[]) AS s;
