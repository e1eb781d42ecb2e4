-- validate: data against a JSON Schema, constant or from templates
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION go(config jsonb, input jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE r jsonb; n int;
BEGIN
	PERFORM wf_save('go', jsonb_build_object('nodes', jsonb_build_array(
			jsonb_build_object('id', 'v', 'type', 'validate', 'config', config),
			'{"id": "yes", "type": "return", "config": {"value": ["out", "{{ $input }}"]}}'::jsonb,
			'{"id": "no", "type": "return", "config": {"value": ["invalid", "{{ $input }}"]}}'::jsonb),
		'edges', '[{"source": "v", "target": "yes"}, {"source": "v", "sourceHandle": "invalid", "target": "no"}]'::jsonb));
	r := wf_run('go', input);
	IF r->>'status' <> 'completed' THEN RETURN NEXT concat_ws(' | ', r->>'status', r#>>'{error,code}', r#>>'{error,message}'); RETURN; END IF;
	RETURN NEXT concat_ws(' ', r#>>'{output,0}', r#>>'{output,1,valid}');
	RETURN QUERY SELECT '    ' || e::text FROM jsonb_array_elements(r#>'{output,1,errors}') AS e;
END $$;
CREATE FUNCTION wrong(config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint)
	FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', 'validate', 'config', config)), 'edges', '[]'::jsonb)) $$;

-- a constant schema
SELECT go('{"data": "{{ $input }}", "schema": {"type": "object", "properties": {"sku": {"type": "string", "pattern": "^[A-Z]{2}-\\d+$"}, "qty": {"type": "integer", "minimum": 1}}, "required": ["sku", "qty"], "additionalProperties": false}}', v)
	FROM unnest(ARRAY['{"sku": "AB-1", "qty": 2}', '{"sku": "ab", "qty": 0, "x": 1}', '{}', '{"sku": "AB-1", "qty": 2.5}']::jsonb[]) AS v;
SELECT go('{"data": "{{ $input.list }}", "schema": {"items": {"type": "integer"}}}', '{"list": [1, "a", null]}');
SELECT go('{"data": [1, 1.0], "schema": {"uniqueItems": true}}');
SELECT go('{"data": null, "schema": true}'), go('{"data": null, "schema": false}');
SELECT go('{"data": "{{ $input.none }}", "schema": {"type": "null"}}');

-- numbers keep their digits on the way
SELECT go('{"data": "{{ $input.n }}", "schema": {"maximum": 9007199254740992}}', '{"n": 9007199254740993}');

-- schemas that it refers to, formats on request
SELECT go('{"data": "{{ $input }}", "schema": {"properties": {"p": {"$ref": "https://x.test/point"}}}, "schemas": {"https://x.test/point": {"type": "array", "maxItems": 2}}}', '{"p": [1, 2, 3]}');
SELECT go('{"data": "x", "schema": {"format": "email"}}'), go('{"data": "x", "schema": {"format": "email"}, "assertFormat": true}');
SELECT go('{"data": {"type": "strin"}, "schema": {"$ref": "https://json-schema.org/draft/2020-12/schema"}}');

-- a schema from templates is compiled by each step
SELECT go('{"data": "{{ $input.data }}", "schema": "{{ $input.schema }}"}', v)
	FROM unnest(ARRAY['{"data": 1, "schema": {"minimum": 2}}', '{"data": 2, "schema": {"minimum": 2}}', '{"data": 1, "schema": {"minimum": "2"}}', '{"data": 1, "schema": 7}', '{"data": 1, "schema": {"$ref": "#/none"}}', '{"data": 1}']::jsonb[]) AS v;
SELECT go('{"data": 5, "schema": {"maximum": "{{ $input.most }}"}}', '{"most": 4}');
SELECT go('{"data": 5, "schema": {"$ref": "https://x.test/s"}, "schemas": {"https://x.test/s": "{{ $input.s }}"}}', '{"s": {"type": "string"}}');
SELECT go('{"data": "x", "schema": {"format": "ipv4"}, "assertFormat": "{{ $input.strict }}"}', v) FROM unnest(ARRAY['{"strict": true}', '{"strict": false}']::jsonb[]) AS v;

-- limits are errors of the node
SELECT go('{"data": "{{ $input.s }}", "schema": {"pattern": "^(a|a)*[bc]$"}}', '{"s": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}');
SELECT go('{"data": 1, "schema": {"$ref": "#"}}');
SELECT go('{"data": "{{ $input.list }}", "schema": {"items": false, "contains": {"const": 0}, "maxItems": 1}}', jsonb_build_object('list', (SELECT jsonb_agg(i) FROM generate_series(1, 300) AS i)));
SELECT count(*) FROM go('{"data": "{{ $input.list }}", "schema": {"items": {"type": "null"}}}', jsonb_build_object('list', (SELECT jsonb_agg(i) FROM generate_series(1, 300) AS i)));

-- what is wrong is found when the definition is saved
SELECT wrong('{"data": 1}');
SELECT wrong('{"schema": {}}');
SELECT wrong('{"data": 1, "schema": 5}');
SELECT wrong('{"data": 1, "schema": {"type": "objekt"}}');
SELECT wrong('{"data": 1, "schema": {"properties": {"a": {"pattern": "("}}}}');
SELECT wrong('{"data": 1, "schema": {"$ref": "https://x.test/none"}}');
SELECT wrong('{"data": 1, "schema": {"$schema": "http://json-schema.org/draft-07/schema#"}}');
SELECT wrong('{"data": 1, "schema": {}, "schemas": {"https://x.test/a": 1}}');
SELECT wrong('{"data": 1, "shema": {}}');
SELECT wrong('{"data": 1, "schema": {"maximum": "{{ 1 + }}"}}');
