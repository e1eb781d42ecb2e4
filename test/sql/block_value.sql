-- noop, set, return, fail, trigger.manual
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION go(nodes text, edges text DEFAULT '[]', input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes::jsonb, 'edges', edges::jsonb));
	r := wf_run('go', input);
	IF r->>'status' = 'completed' THEN RETURN r->'output'; END IF;
	RETURN concat_ws(' | ', r->>'status', r#>>'{error,code}', r#>>'{error,message}', r#>>'{error,detail}', r#>'{error,details}');
END $$;
CREATE FUNCTION wrong(type text, config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint)
	FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb)) $$;

-- noop passes on whatever it gets, to the last digit
SELECT go('[{"id": "n", "type": "noop"}]', '[]', '{"a": 12345678901234567890.123456789, "b": [null, {}]}');
SELECT wrong('noop', '{"x": 1}');

-- set: all values are computed before the first is set
SELECT go('[{"id": "a", "type": "set", "config": {"variables": {"x": 1, "y": 2}}},
	{"id": "b", "type": "set", "config": {"variables": {"x": "{{ $vars.y }}", "y": "{{ $vars.x }}", "z": {"deep": ["{{ $input.x }}"]}}}},
	{"id": "c", "type": "return", "config": {"value": "{{ $vars }}"}}]',
	'[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}]');
SELECT go('[{"id": "a", "type": "set", "config": {"variables": "{{ $input }}"}}]', '[]', '{"k": "v"}');
SELECT go('[{"id": "a", "type": "set", "config": {"variables": "{{ $input.list }}"}}]', '[]', '{"list": [1]}');
SELECT wrong('set', '{}');
SELECT wrong('set', '{"variables": {}}');
SELECT wrong('set', '{"variable": {"a": 1}}');

-- return ends the run; what else was ready does not run
SELECT go('[{"id": "a", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": [1, "{{ $input.n }}"]}}, {"id": "f", "type": "fail"}]',
	'[{"source": "a", "target": "r"}, {"source": "a", "target": "f"}]', '{"n": 2}');
SELECT go('[{"id": "r", "type": "return"}]', '[]', '{"n": 2}');
SELECT go('[{"id": "r", "type": "return", "config": {"value": null}}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 100}},
	{"id": "i", "type": "if", "parent": "l", "config": {"condition": "$item === 3"}},
	{"id": "r", "type": "return", "parent": "l", "config": {"value": "{{ $item }}"}}]',
	'[{"source": "i", "sourceHandle": "true", "target": "r"}]');

-- fail
SELECT go('[{"id": "f", "type": "fail", "config": {"code": "NO", "message": "no {{ $input.what }}", "details": {"n": "{{ $input.n }}"}}}]', '[]', '{"what": "stock", "n": 3}');
SELECT go('[{"id": "f", "type": "fail"}]');
SELECT go('[{"id": "f", "type": "fail", "config": {"message": "{{ $input }}"}}]', '[]', '{"a": 1}');
\set VERBOSITY sqlstate
SELECT wf_call('go', '{"a": 1}');
\set VERBOSITY default
SELECT go('[{"id": "f", "type": "fail", "config": {"code": "X", "message": "m"}}, {"id": "h", "type": "return", "config": {"value": "{{ $error.code }}"}}]',
	'[{"source": "f", "sourceHandle": "error", "target": "h"}]');
SELECT wrong('fail', '{"code": 5}');

-- trigger.manual checks the input of the run
SELECT go('[{"id": "t", "type": "trigger.manual"}, {"id": "n", "type": "noop"}]', '[{"source": "t", "target": "n"}]', '{"a": 1}');
SELECT go('[{"id": "t", "type": "trigger.manual", "config": {"inputSchema": {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer"}}}}}]', '[]', '{"qty": 1}');
SELECT go('[{"id": "t", "type": "trigger.manual", "config": {"inputSchema": {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer"}}}}}]', '[]', '{"qty": "x"}');
SELECT wrong('trigger.manual', '{"inputSchema": {"type": "objekt"}}');
SELECT wrong('trigger.manual', '{"inputSchema": {"const": "{{ $input }}"}}');
