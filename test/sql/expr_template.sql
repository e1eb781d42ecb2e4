-- Templates: where they end, types kept, parts joined; through wf_eval and through a definition.
CREATE EXTENSION workflow;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'UTC';
CREATE FUNCTION t(template text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN wf_eval(template, '{"input": {"n": 5, "s": "x", "o": {"a": [1, null], "b": "c"}, "z": null, "t": "{{ $input.n }}"}}')::text;
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ': ' || sqlerrm;
END $$;
SELECT x || '  =>  ' || t(x) FROM unnest(ARRAY[
	'{{ $input.n }}', '{{$input.n}}', ' {{ $input.n }} ', '{{ $input.o }}', '{{ $input.z }}', '{{ $input.nope }}',
	'n: {{ $input.n }}', '{{ $input.n }}{{ $input.s }}', 'a{{ $input.z }}b{{ $input.nope }}c', '{{ $input.o }}!', '{{ [1, "x"] }}!', '{{ true }} {{ 1.50 }} {{ 1e21 }}',
	'{{ "}}" }}', 'x{{ "}}" }}y', '{{ {a: {b: 1}} }}', 'x {{ {a: {b: 1}} }}', '{{ `${`}}`}` }}', '{{ {a:{}}}}', 'x{{ /}}/.source }}', '{{ ((x) => ({y: {x}}))(1) }}', '{{ "{{" }} {{ ''}}'' }}',
	'{{ $input.t }}', 'x{{ $input.t }}', 'no template', '{ { 1 } }', 'x {{ }}', '{{', 'x {{ 1', 'x {{ 1 }', 'x {{ 1 } }', 'x {{ 1 }} y {{ 2', 'x {{ 1 2 }}', 'a }} b', 'x {{ foo }}', 'é😀 {{ foo }}', 'x {{ $now.plus("1 day") > $now }}',
	E'line\n{{ $input.n }}\tx', '{{ $input.n', '{{ 1 }}}', '{{ 1 }} }}', '{{{ a: 1 }}}', '{{ ({a: 1}) }}'
]) WITH ORDINALITY AS u (x, n) ORDER BY n;
-- in a definition: objects and arrays are walked, keys are not templates, problems carry path and position
SELECT wf_save('t', '{"nodes": [{"id": "r", "type": "return", "config": {"value":
	{"a": "{{ $input.n }}", "l": ["{{ $input.s }}", 1, {"x": "n={{ $input.n }}"}], "{{ k }}": true, "c": "plain"}}}], "edges": []}');
SELECT wf_call('t', '{"n": 12345678901234567890.5, "s": {"deep": [1, 2]}}');
SELECT severity, code, node, path, message, hint FROM wf_validate('{"nodes": [{"id": "r", "type": "return", "config": {"value":
	{"a": "{{ $input. }}", "l": ["ok {{ 1 }}", "x {{ $node.nope.output }}", "{{ $node.r.outptu }}", "{{ x => { return x } }}", "{{ $secrets.KEY }}"]}}}], "edges": []}') ORDER BY path, message;
