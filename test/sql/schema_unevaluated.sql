-- unevaluatedProperties and unevaluatedItems: what counts as evaluated
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

-- of every keyword that evaluates properties
SELECT show('{"properties": {"a": true}, "patternProperties": {"^b": true}, "unevaluatedProperties": false}', '{"a": 1, "b1": 2}', '{"c": 1, "d": 2}');
SELECT show('{"additionalProperties": {"type": "integer"}, "unevaluatedProperties": false}', '{"a": 1}', '{"a": "x"}');
SELECT show('{"allOf": [{"properties": {"a": true}}, {"properties": {"b": true}}], "unevaluatedProperties": false}', '{"a": 1, "b": 2}', '{"a": 1, "c": 2}');
SELECT show('{"anyOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"b": {"const": 2}}, "required": ["b"]}], "unevaluatedProperties": false}', '{"a": 1}', '{"a": 1, "b": 2}', '{"a": 1, "b": 3}');
SELECT show('{"oneOf": [{"properties": {"a": true}, "required": ["a"]}, {"properties": {"b": true}, "required": ["b"]}], "unevaluatedProperties": false}', '{"a": 1}', '{"b": 1}', '{"a": 1, "c": 1}');
SELECT show('{"not": {"not": {"properties": {"a": true}}}, "unevaluatedProperties": false}', '{"a": 1}', '{}');
SELECT show('{"if": {"properties": {"k": {"const": 1}}, "required": ["k"]}, "then": {"properties": {"a": true}}, "else": {"properties": {"b": true}}, "unevaluatedProperties": false}', '{"k": 1, "a": 2}', '{"k": 1, "b": 2}', '{"b": 2}', '{"k": 2, "b": 2}');
SELECT show('{"dependentSchemas": {"a": {"properties": {"b": true}}}, "properties": {"a": true}, "unevaluatedProperties": false}', '{"a": 1, "b": 2}', '{"b": 2}');
SELECT show('{"$ref": "#/$defs/base", "properties": {"b": true}, "unevaluatedProperties": false, "$defs": {"base": {"properties": {"a": true}}}}', '{"a": 1, "b": 2}', '{"c": 3}');
SELECT show('{"unevaluatedProperties": {"type": "string", "maxLength": 2}}', '{"a": "xy"}', '{"a": "xyz", "b": 1}');

-- neighbours do not see each other, nested ones are seen from outside
SELECT show('{"allOf": [{"properties": {"a": true}}, {"unevaluatedProperties": false}]}', '{"a": 1}', '{}');
SELECT show('{"allOf": [{"properties": {"a": true}, "unevaluatedProperties": {"type": "integer"}}], "properties": {"z": true}, "unevaluatedProperties": false}', '{"a": "x", "b": 2, "z": ""}', '{"b": "x"}');
SELECT show('{"properties": {"in": {"properties": {"a": true}, "unevaluatedProperties": false}}, "unevaluatedProperties": false}', '{"in": {"a": 1}}', '{"in": {"b": 1}}', '{"in": {}, "out": 1}');

-- more than 64 members take another path
SELECT wrong(jsonb_build_object('allOf', jsonb_build_array(jsonb_build_object('patternProperties', '{"^p": true}'::jsonb)), 'unevaluatedProperties', false), (SELECT jsonb_object_agg('p' || i, i) FROM generate_series(1, 200) AS i));
SELECT wrong(jsonb_build_object('anyOf', '[{"patternProperties": {"1$": true}}, {"patternProperties": {"[02-9]$": true}}]'::jsonb, 'unevaluatedProperties', false), (SELECT jsonb_object_agg('p' || i, i) FROM generate_series(1, 200) AS i) || '{"q": 1}');

-- items
SELECT show('{"prefixItems": [true, true], "unevaluatedItems": false}', '[1, 2]', '[1, 2, 3]');
SELECT show('{"items": true, "unevaluatedItems": false}', '[1, 2]');
SELECT show('{"contains": {"type": "integer"}, "unevaluatedItems": {"type": "string"}}', '[1, "a", 2]', '[1, null]');
SELECT show('{"allOf": [{"prefixItems": [true]}, {"contains": {"const": 9}}], "unevaluatedItems": false}', '[1, 9]', '[1, 2, 9]');
SELECT show('{"anyOf": [{"prefixItems": [{"const": 1}, true]}, {"prefixItems": [true]}], "unevaluatedItems": false}', '[1, 2]', '[2, 2]', '[1, 2, 3]');
SELECT show('{"if": {"prefixItems": [{"const": 1}]}, "then": {"prefixItems": [true, true]}, "unevaluatedItems": false}', '[1, 2]', '[2]', '[]');
SELECT show('{"prefixItems": [{"unevaluatedItems": false, "prefixItems": [true]}], "unevaluatedItems": false}', '[[1]]', '[[1, 2]]');
SELECT show('{"unevaluatedItems": {"type": "null"}}', '[null]', '[1]', '{}');

-- through recursion and dynamic references
SELECT wrong('{"$id": "https://x.test/strict", "$dynamicAnchor": "node", "$ref": "tree", "unevaluatedProperties": false, "$defs": {"tree": {"$id": "tree", "$dynamicAnchor": "node", "properties": {"value": true, "children": {"items": {"$dynamicRef": "#node"}}}}}}', v)
	FROM unnest(ARRAY['{"children": [{"value": 1, "children": []}]}', '{"children": [{"valu": 1}]}', '{"child": 1}']::jsonb[]) AS v;
