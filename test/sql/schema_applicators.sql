-- the applicator vocabulary
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

-- booleans as schemas
SELECT show('true', '1', '{}'), show('false', '1', '{}');
SELECT show('{}', '1', '{}', 'null');

-- properties, patternProperties, additionalProperties
SELECT show('{"properties": {"a": {"type": "integer"}, "bb": false, "c": true}}', '{}', '{"a": 1, "x": 2}', '{"a": "1"}', '{"bb": 1}', '{"a": {}, "bb": 2, "c": 3}', '[]');
SELECT show('{"patternProperties": {"^a": {"type": "integer"}, "z$": {"minimum": 10}}}', '{"a": 1}', '{"az": 1}', '{"az": 10}', '{"z": 1}', '{"az": "x"}', '{"b": "x"}');
SELECT show('{"properties": {"a": true}, "patternProperties": {"^x-": {"type": "string"}}, "additionalProperties": false}', '{"a": 1, "x-b": ""}', '{"b": 1, "c": 2}', '{"x-b": 1}', '{"x": 1}');
SELECT show('{"additionalProperties": {"type": "integer"}}', '{"a": 1}', '{"a": "x", "b": {}}');
SELECT show('{"properties": {"a": {}, "": {"type": "null"}}, "additionalProperties": false}', '{"": null}', '{"": 1}');
SELECT show('{"properties": {"a/b": {"type": "null"}, "c~d": {"type": "null"}, "é\"": {"type": "null"}}}', '{"a/b": 1, "c~d": 2, "é\"": 3}');

-- additionalProperties looks at its neighbours only
SELECT show('{"allOf": [{"properties": {"a": true}}], "additionalProperties": false}', '{"a": 1}');

-- propertyNames
SELECT show('{"propertyNames": {"maxLength": 2}}', '{"ab": 1}', '{"abc": 1, "abcd": 2}', '{}', '[]');
SELECT show('{"propertyNames": false}', '{}', '{"a": 1}');
SELECT show('{"propertyNames": {"enum": ["a"]}, "properties": {"a": {"propertyNames": {"pattern": "^x"}}}}', '{"a": {"x": 1}}', '{"a": {"y": 1}}', '{"b": 1}');

-- items, prefixItems
SELECT show('{"items": {"type": "integer"}}', '[]', '[1, 2]', '[1, "a", null]', '{"0": "a"}');
SELECT show('{"prefixItems": [{"type": "integer"}, {"type": "string"}]}', '[]', '[1]', '[1, "a", null]', '["a", 1]');
SELECT show('{"prefixItems": [{"type": "integer"}], "items": {"type": "string"}}', '[1, "a"]', '["a", 1]', '[1, "a", 2]');
SELECT show('{"prefixItems": [true], "items": false}', '[]', '[1]', '[1, 2, 3]');
SELECT show('{"items": false}', '[]', '[1]');
SELECT show('{"items": {"items": {"items": {"type": "null"}}}}', '[[[null]], []]', '[[[null, 1]], [[2]]]');

-- contains
SELECT show('{"contains": {"type": "integer"}}', '[]', '[1]', '["a", 1]', '["a"]', '{}');
SELECT show('{"contains": {"minimum": 5}, "minContains": 2, "maxContains": 3}', '[5]', '[5, 6]', '[5, 6, 1, 7]', '[5, 6, 7, 8]', '[]');
SELECT show('{"contains": false, "minContains": 0}', '[]', '[1]');
SELECT show('{"contains": true, "minContains": 0, "maxContains": 1}', '[]', '[1]', '[1, 2]');
SELECT show('{"minContains": 5, "maxContains": 0}', '[1]');

-- allOf, anyOf, oneOf, not
SELECT show('{"allOf": [{"minimum": 1}, {"maximum": 3}, {"type": "integer"}]}', '2', '0', '3.5', '"x"');
SELECT show('{"anyOf": [{"type": "integer"}, {"minimum": 2.5}]}', '1', '2.5', '1.5', '"x"');
SELECT show('{"oneOf": [{"type": "integer"}, {"minimum": 2}]}', '1', '2.5', '3', '1.5');
SELECT show('{"not": {"type": ["integer", "boolean"]}}', '1', '"x"', 'true');
SELECT show('{"not": {"not": {"type": "null"}}}', 'null', '1');
SELECT show('{"anyOf": [true, false]}', '1'), show('{"oneOf": [true, true]}', '1'), show('{"allOf": [true, false]}', '1'), show('{"not": true}', '1'), show('{"anyOf": [false, false]}', '1');

-- of several alternatives, what the value was meant to be
SELECT show('{"oneOf": [{"properties": {"kind": {"const": "circle"}, "r": {"type": "number"}}, "required": ["kind", "r"]}, {"properties": {"kind": {"const": "square"}, "side": {"type": "number", "minimum": 0}}, "required": ["kind", "side"]}]}',
	'{"kind": "circle", "r": 1}', '{"kind": "circle", "r": "1"}', '{"kind": "square", "side": -1}', '{"kind": "square"}', '{"kind": "line"}', '7');
SELECT show('{"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}', '"a"', '["a"]', '["a", 1]', '{}');
SELECT show('{"anyOf": [{"const": 1}, {"const": 2}, {"const": 3}, {"const": 4}, {"const": 5}]}', '6');

-- if, then, else
SELECT show('{"if": {"type": "integer"}, "then": {"minimum": 10}, "else": {"type": "string"}}', '10', '9', '"a"', 'null');
SELECT show('{"if": {"const": 1}, "then": false}', '1', '2'), show('{"if": {"const": 1}, "else": false}', '1', '2');
SELECT show('{"then": false, "else": false}', '1'), show('{"if": false}', '1');

-- dependentSchemas, and dependencies of earlier drafts
SELECT show('{"dependentSchemas": {"a": {"required": ["b"]}, "c": false}}', '{}', '{"a": 1, "b": 2}', '{"a": 1}', '{"c": 1}', '"a"');
SELECT show('{"dependencies": {"a": ["b"], "c": {"required": ["d"]}}}', '{"a": 1}', '{"a": 1, "b": 1}', '{"c": 1}', '{"c": 1, "d": 1}');

-- values that are no schemas
SELECT wrong(s, '1') FROM unnest(ARRAY['1', '"x"', 'null', '[]', '{"properties": []}', '{"properties": {"a": 1}}', '{"patternProperties": {"(": true}}', '{"patternProperties": {"a": 0}}',
	'{"additionalProperties": 1}', '{"items": [true]}', '{"items": "x"}', '{"prefixItems": []}', '{"prefixItems": {}}', '{"prefixItems": [1]}', '{"contains": []}',
	'{"allOf": []}', '{"anyOf": {}}', '{"oneOf": [1]}', '{"not": null}', '{"if": 1}', '{"then": 1}', '{"else": []}', '{"propertyNames": 1}', '{"dependentSchemas": {"a": []}}', '{"dependencies": {"a": 1}}',
	'{"$defs": {"x": 1}}', '{"$defs": []}', '{"definitions": {"x": "y"}}', '{"unevaluatedItems": 1}', '{"unevaluatedProperties": []}', '{"contentSchema": 1}', '{"title": 1}', '{"description": {}}',
	'{"deprecated": "x"}', '{"readOnly": 1}', '{"writeOnly": null}', '{"examples": {}}', '{"$comment": 1}', '{"contentEncoding": 1}', '{"contentMediaType": []}', '{"format": 1}']::jsonb[]) AS s;

-- annotations assert nothing, unknown keywords are ignored
SELECT show('{"title": "t", "description": "d", "default": 5, "deprecated": true, "readOnly": true, "writeOnly": false, "examples": [1], "$comment": "c", "contentEncoding": "base64", "contentMediaType": "application/json", "contentSchema": {"type": "null"}, "format": "email", "x-own": {"type": 7}, "minimumm": 3}', '"!"', '1');
