-- the core vocabulary: identifiers, references, dialects
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

-- $ref: places in the document, by pointer
SELECT show('{"$defs": {"pos": {"minimum": 1}}, "properties": {"n": {"$ref": "#/$defs/pos", "maximum": 3}}}', '{"n": 2}', '{"n": 0}', '{"n": 4}');
SELECT show('{"$ref": "#/$defs/a%20b~1c~0d%25", "$defs": {"a b/c~d%": {"type": "null"}}}', 'null', '1');
SELECT show('{"properties": {"a": {"type": "integer"}, "b": {"$ref": "#/properties/a"}, "c": {"$ref": "#/prefixItems/1"}}, "prefixItems": [true, {"type": "string"}]}', '{"b": 1, "c": ""}', '{"b": "", "c": 1}');
SELECT show('{"unknown": {"deep": [{"type": "null"}]}, "$ref": "#/unknown/deep/0"}', 'null', '1');
SELECT show('{"$ref": "#"}', '1') WHERE false;
SELECT show('{"properties": {"child": {"$ref": "#"}}, "required": ["name"]}', '{"name": 1, "child": {"name": 2}}', '{"name": 1, "child": {"name": 1, "child": {}}}');
SELECT show('{"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/c"}, "c": {"type": "null"}}}', 'null', '1');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"$ref": "#/$defs/none"}', '{"$ref": "#/a/-1"}', '{"$ref": "#none"}', '{"$ref": "#/~2"}', '{"$ref": "#%zz"}', '{"$ref": 1}', '{"$ref": "a b"}', '{"$ref": "other.json"}', '{"$ref": "https://x.test/y#/z"}', '{"$dynamicRef": "#none"}', '{"$ref": "#/$defs/n", "$defs": {"n": 5}}', '{"$ref": "#/enum", "enum": []}']::jsonb[]) AS s;

-- $id: bases, relative references, embedded resources
SELECT show('{"$id": "https://x.test/schemas/root.json", "$defs": {"a": {"$id": "parts/a.json", "$defs": {"n": {"type": "null"}}, "properties": {"self": {"$ref": "#/$defs/n"}, "other": {"$ref": "b.json"}, "up": {"$ref": "../c.json"}, "abs": {"$ref": "/d"}}}, "b": {"$id": "parts/b.json", "type": "integer"}, "c": {"$id": "c.json", "type": "string"}, "d": {"$id": "https://x.test/d", "type": "boolean"}}, "$ref": "parts/a.json"}',
	'{"self": null, "other": 1, "up": "", "abs": true}', '{"self": 1, "other": null, "up": null, "abs": null}');
SELECT show('{"$id": "urn:uuid:deadbeef-1234-00ff-ff00-4321feebdaed", "$ref": "#it", "$defs": {"x": {"$anchor": "it", "type": "null"}, "y": {"$id": "urn:x:y", "type": "string"}}, "properties": {"y": {"$ref": "urn:x:y"}}}', 'null', '1');
SELECT show('{"$id": "/base/", "$defs": {"x": {"$id": "x", "type": "null"}}, "$ref": "/base/x"}', 'null', '1');
SELECT show('{"$defs": {"x": {"$id": "https://x.test/a/./b/../c", "type": "null"}}, "$ref": "https://x.test/a/c"}', 'null', '1');
SELECT show('{"enum": [{"$id": "https://x.test/x", "type": "null"}], "$defs": {"r": {"$id": "https://x.test/x", "type": "object"}}, "$ref": "https://x.test/x"}', '{"$id": "https://x.test/x", "type": "null"}');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"$id": 1}', '{"$id": "a#b"}', '{"$id": "a b"}', '{"$id": "https://x.test/", "$defs": {"a": {"$id": "a"}, "b": {"$id": "./a"}}}']::jsonb[]) AS s;
SELECT show('{"$id": "https://x.test/x#"}', '1');

-- $anchor
SELECT show('{"$defs": {"a": {"$anchor": "here", "type": "null"}, "r": {"$id": "r", "$defs": {"b": {"$anchor": "here", "type": "string"}}}}, "properties": {"a": {"$ref": "#here"}, "b": {"$ref": "r#here"}}}', '{"a": null, "b": ""}', '{"a": "", "b": null}');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"$anchor": "1a"}', '{"$anchor": ""}', '{"$anchor": "a b"}', '{"$anchor": 1}', '{"$dynamicAnchor": "#a"}', '{"$anchor": "a", "items": {"$anchor": "a"}}']::jsonb[]) AS s;

-- $dynamicRef: the outermost resource decides
SELECT show('{"$id": "https://x.test/strings", "$ref": "list", "$defs": {"it": {"$dynamicAnchor": "item", "type": "string"}, "list": {"$id": "list", "type": "array", "items": {"$dynamicRef": "#item"}, "$defs": {"any": {"$dynamicAnchor": "item"}}}}}', '["a"]', '[1]');
SELECT show('{"$id": "https://x.test/strings", "$ref": "list", "$defs": {"it": {"$anchor": "item", "type": "string"}, "list": {"$id": "list", "type": "array", "items": {"$dynamicRef": "#item"}, "$defs": {"any": {"$dynamicAnchor": "item"}}}}}', '["a"]', '[1]');
SELECT show('{"$id": "https://x.test/strings", "$ref": "list", "$defs": {"it": {"$dynamicAnchor": "item", "type": "string"}, "list": {"$id": "list", "type": "array", "items": {"$dynamicRef": "#item"}, "$defs": {"any": {"$anchor": "item"}}}}}', '["a"]', '[1]');
SELECT show('{"$id": "https://x.test/strings", "$ref": "list", "$defs": {"it": {"$dynamicAnchor": "item", "type": "string"}, "list": {"$id": "list", "type": "array", "items": {"$ref": "#item"}, "$defs": {"any": {"$dynamicAnchor": "item"}}}}}', '["a"]', '[1]');

-- other documents
SELECT wrong('{"$ref": "https://x.test/int"}', v, 0, '{"https://x.test/int": {"type": "integer", "$defs": {"s": {"$anchor": "s", "type": "string"}}}}') FROM unnest(ARRAY['1', '"x"']::jsonb[]) AS v;
SELECT wrong('{"$ref": "https://x.test/int#s"}', v, 0, '{"https://x.test/int": {"type": "integer", "$defs": {"s": {"$anchor": "s", "type": "string"}}}}') FROM unnest(ARRAY['1', '"x"']::jsonb[]) AS v;
SELECT wrong('{"$ref": "https://x.test/own"}', v, 0, '{"https://x.test/elsewhere": {"$id": "https://x.test/own", "type": "integer"}}') FROM unnest(ARRAY['1', '"x"']::jsonb[]) AS v;
SELECT wrong('{"$id": "https://x.test/a", "properties": {"b": {"$ref": "b"}}}', v, 0, '{"https://x.test/b": {"type": ["object", "null"], "properties": {"a": {"$ref": "a"}}}}') FROM unnest(ARRAY['{"b": {"a": {"b": null}}}', '{"b": {"a": {"b": 1}}}']::jsonb[]) AS v;
SELECT wrong('{"$ref": "https://x.test/bad"}', '1', 0, '{"https://x.test/bad": {"properties": {"a": {"type": "x"}}}}');
SELECT wrong('{"items": {"$ref": "https://x.test/t"}}', '[true, 1]', 0, '{"https://x.test/t": false}');

-- the dialect's own schemas, and schemas checked by them
SELECT show('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', '{"type": "string", "minLength": 3}', '{"type": "strin"}', '{"properties": {"a": {"minLength": -1}}}', 'true', '1', '{"$id": "a#b"}', '{"required": ["a", "a"]}', '{"allOf": []}');
SELECT wrong('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', '{"not": {"pattern": "("}}', 1);
SELECT u || ' ' || wrong('{"$ref": "https://json-schema.org/draft/2020-12/schema"}', test.doc) FROM (SELECT 'itself' AS u, '{"$defs": {"x": {"$dynamicAnchor": "meta", "$vocabulary": {"https://x.test/v": true}}}}'::jsonb AS doc) AS test;
SELECT wrong(format('{"$ref": "https://json-schema.org/draft/2020-12/meta/%s"}', m)::jsonb, '{"type": "null"}') FROM unnest('{core,applicator,unevaluated,validation,meta-data,format-annotation,format-assertion,content}'::text[]) AS m;

-- dialects
SELECT show('{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "null"}', 'null', '1');
SELECT show('{"$schema": "https://json-schema.org/draft/2020-12/schema#", "type": "null"}', '1');
SELECT wrong(s, '1') FROM unnest(ARRAY['{"$schema": "http://json-schema.org/draft-07/schema#"}', '{"$schema": 1}', '{"$schema": "https://x.test/none"}', '{"$vocabulary": 1}', '{"$vocabulary": {"a": 1}}']::jsonb[]) AS s;
SELECT wrong('{"$schema": "https://x.test/meta", "minimum": 10, "properties": {"a": false}}', v, 0, '{"https://x.test/meta": {"$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/core": true, "https://json-schema.org/draft/2020-12/vocab/applicator": true, "https://x.test/optional": false}}}') FROM unnest(ARRAY['1', '{"a": 1}']::jsonb[]) AS v;
SELECT wrong('{"$schema": "https://x.test/meta"}', '1', 0, '{"https://x.test/meta": {"$vocabulary": {"https://x.test/required": true}}}');
SELECT wrong('{"$schema": "https://x.test/meta", "format": "ipv4"}', '"x"', 0, '{"https://x.test/meta": {"$vocabulary": {"https://json-schema.org/draft/2020-12/vocab/format-assertion": true}}}');
