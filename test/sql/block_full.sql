-- settings.javascript: full: what the interpreter refuses runs in the sandbox, with the same meaning.
CREATE EXTENSION workflow;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'UTC';
CREATE FUNCTION definition(value jsonb, settings jsonb DEFAULT '{"javascript": "full"}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_build_array('{"id": "s", "name": "The first", "type": "set", "config": {"variables": {"v": 5}}}'::jsonb,
		jsonb_build_object('id', 'r', 'type', 'return', 'config', jsonb_build_object('value', value))),
		'edges', '[{"source": "s", "target": "r"}]'::jsonb, 'settings', settings) $$;
-- what a run gives, or what is wrong with the definition
CREATE FUNCTION go(definition jsonb, input jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	problems text;
	run jsonb;
BEGIN
	SELECT string_agg(concat_ws(' | ', code, path, message, hint), E'\n' ORDER BY path, message) INTO problems FROM wf_validate(definition);
	IF problems IS NOT NULL THEN
		RETURN problems;
	END IF;
	PERFORM wf_save('x', definition);
	run := wf_run('x', input);
	RETURN CASE run->>'status' WHEN 'completed' THEN (run->'output')::text
		ELSE concat_ws(' | ', run#>>'{error,code}', run#>>'{error,message}', run#>>'{error,detail}', run#>>'{error,hint}') END;
END $$;
-- a template
CREATE FUNCTION x(value text, input jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$ SELECT go(definition(to_jsonb(value)), input) $$;
CREATE FUNCTION all_of(input jsonb, VARIADIC expressions text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT e || '  =>  ' || x('{{ ' || e || ' }}', input) FROM unnest(expressions) WITH ORDINALITY AS u (e, n) ORDER BY n $$;

-- what there is more of
SELECT all_of('{"l": [3, 1, 2], "o": {"a": 1}, "s": "a-b"}',
	'$input.s.split("-").map(function (c) { return c.toUpperCase() })', '$trigger.l.map(x => { const y = x * 2; return y + 1 })',
	'(() => { let n = 0; for (const i of $trigger.l) { if (i === 1) continue; n += i } return n })()',
	'(() => { try { null.x } catch (e) { return e.name } })()', '(() => { switch ($trigger.o.a) { case 1: return "one"; default: return "other" } })()',
	'new (class A { #p = 3; get p() { return this.#p } })().p', '{m() { return 1 }, get g() { return 2 }}.g', '[...(function* () { yield 1; yield 2 })()]',
	'await Promise.all([1, Promise.resolve(2)])', 'async () => 1', '(async () => 1)()', 'typeof globalThis', 'Symbol("x").toString()', 'Reflect.ownKeys($trigger.o)',
	'new Proxy({}, {get: (t, k) => k}).abc', 'new Error("e").message', '/(?<=(a)+)b/.test("aab")', '[..."abc"].reduce(function f(a, c) { return c + a }, "")',
	'eval("1 + 1")', 'new Function("a", "return a * 2")(4)', '(x => { x = x + 1; x++; return x })(1)', 'Object.getOwnPropertyDescriptor({a: 1}, "a").writable',
	'new Map($trigger.l.map(x => { return [x, x * x] })).get(3)', '(function () { return this })()', '(function () { return arguments.length })(1, 2)',
	'(() => { label: for (;;) { break label } return "out" })()', 'new.target', 'new Uint8Array([1, 256])[1]', '(1, function () { return 2 })()');
-- the same meaning: an expression in the interpreter, and the same within a function with statements
CREATE FUNCTION differs(input jsonb, VARIADIC expressions text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT e || '  =>  ' || a || '  <>  ' || b FROM unnest(expressions) e,
		LATERAL (SELECT go(definition(to_jsonb('{{ ' || e || ' }}')), input) AS a, go(definition(to_jsonb('{{ (() => { return (' || e || ') })() }}')), input) AS b) c
	WHERE regexp_replace(a, '(, at |\| In the).*', '') IS DISTINCT FROM regexp_replace(b, '(, at |\| In the).*', '') $$;
SELECT differs('{"n": 1.5, "s": "Ünï😀", "z": null, "l": [1, "a", null, {"b": [true]}], "o": {"b": 1, "a": {"10": 1, "9": 2}}, "d": "2024-02-29T12:34:56.789Z"}',
	'$input', '$trigger', '$trigger.n', '$trigger.s', '$trigger.s.length', '[...$trigger.s]', '$trigger.z', '$trigger.nope', '[$trigger.nope, undefined, NaN, 1 / 0, -0]', '{a: undefined, b: x => x, c: null}',
	'x => x', 'new Set([1])', 'new Map()', '$trigger.l', '$trigger.l.slice(1)', '$trigger.o', 'Object.keys($trigger.o.a)', 'JSON.stringify($trigger.l)', 'new Date($trigger.d)', 'new Date("x")', '{toJSON: () => 5}',
	'typeof $item', 'typeof $index', 'typeof $items', 'typeof $error', 'typeof $env', '$vars', '$node.s.output', '$node["s"].status', '$node["The first"].port', '$node.s', '$node.s.output.v.w',
	'$run.workflow', '$run.attempt', '$run.iteration', '$now <= Date.now()', 'Date.now() - $now < 60000', '$today.getTime() % 86400000', '$now instanceof Date === typeof $now.plus', 'Math.random() < 1', '0.1 + 0.2', '1e300 * 10', '5e-324', '$trigger.n + 0',
	'$trigger.hasOwnProperty("n")', '"n" in $trigger', '$trigger?.o?.b', '(({n, ...rest}) => Object.keys(rest).length)($trigger)', '$trigger["n"]', '$trigger["o"]["b"]', '`${$trigger.o.b}`', 'String($trigger)');
SELECT all_of('{}', '(() => { return $now instanceof Date && $today <= $now && $now <= new Date() && Date.now() - $now < 60000 })()', '(() => { return $now.plus("1 day") })()', '(() => { return $today.getUTCHours() })()');

-- where a template ends
SELECT v || '  =>  ' || x(v, '{"n": 5}') FROM unnest(ARRAY[
	'{{ (function () { return {a: {b: 1}} })() }}', '{{ (function () { return {a: {b: 1}}})()}}', 'a {{ (() => { return $trigger.n })() }} b {{ $trigger.n }} c {{ (() => { return [$trigger.n] })() }}!',
	'{{ (() => { return "}}" })() }}', '{{ (() => { return `}}${"}}"}` })() }}', '{{ (() => { /* }} */ return 1 })() }}', '{{ (() => { return /}}/.source })() }}', E'{{ (() => { // }}\n return 1 })() }}', E'{{\n  (() => {\n    return 1\n  })()\n}}', '{{ (() => { return 1 })() // said }}',
	'{{ 1 }} {{ (() => { return 2 })() }}', '{{ (() => { return null })() }}|{{ (() => { return {a: 1} })() }}|{{ (() => { return 1.50 })() }}', '{{ await 1 }}{{ await "x" }}', 'é😀 {{ await "ü" }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
-- a value is one expression: nothing closes what it did not open, nothing ends it
SELECT v || '  =>  ' || x(v) FROM unnest(ARRAY[
	'{{ await 1) + (2 }}', '{{ await 1] + [2 }}', '{{ await 1; 2 }}', '{{ return 1 }}', '{{ let a = 1; a }}', '{{ await 1 /* }}', '{{ await 1 */ }}', '{{ }); (function () { }}', '{{ await }}', '{{ await 1, await 2 }}', '{{ ...await [1] }}', '{{ await 1 } }}', '{{ await 1', '{{ (() => { return 1 }) }} {{ x }}',
	'{{ "a" }} {{ await }} {{ "b" }}', '{{ (() => { return 1 })( }} {{ 2 }}', '{{ [await 1, [2 }}', '{{ [await 2 ** 5] }}', '{{ [(() => { return 1 )] }}', 'é😀 {{ [1, function () { return 1 ] }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
-- tries are bounded
SELECT left(x('{{ function (' || repeat(' }}', 1000)), 200), clock_timestamp() - now() < '20 s';
-- names: unknown ones are found when it is saved, wherever they are
SELECT v || '  =>  ' || x(v) FROM unnest(ARRAY[
	'{{ (() => { return $inptu.x })() }}', E'{{ (() => {\n  const a = $input;\n  return $inptu.x })() }}', '{{ (() => { return $node.first.output })() }}', '{{ (() => { return $node["Teh first"] })() }}', '{{ (() => { return $json })() }}', '{{ (() => { return $if(true, 1, 2) })() }}', '{{ (() => { return $max(1, 2) })() }}',
	'{{ (() => { return $secrets.KEY })() }}', '{{ $secrets.KEY + await 1 }}', 'input.x', '{{ input.x }}', '{{ foo + await 1 }}', '{{ await foo }}', '{{ $node.s.outptu }}', '{{ $inptu + await 1 }}', '{{ (() => { let $mine = 5; return $mine })() }}', '{{ (($mine) => { return $mine })(6) }}', '{{ Math.flor(1.5) }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
-- a secret beside it is fine, in a field for secrets
SELECT code, path, message FROM wf_validate('{"nodes": [{"id": "h", "type": "http.request", "config": {"url": "https://example.com/", "headers": {"a": "{{ $secrets.KEY }} {{ await 1 }}", "b": "{{ (() => { return $secrets.KEY })() }}"}}}], "settings": {"javascript": "full"}}');
-- nodes by a computed name: all of them are passed, and nobody is warned
SELECT x('{{ $node["s"].output.v + $node["The " + "first"]?.output?.v }}'), x('{{ $node[$trigger.which].output.v }}', '{"which": "s"}'), x('{{ Object.keys($node) }}'), x('{{ eval("$no" + "de").s.status + eval("$tri" + "gger").a }}', '{"a": 1}');

-- errors: what is thrown, with its place
SELECT v || '  =>  ' || x(v, '{"a": {}}') FROM unnest(ARRAY[
	'{{ (() => { throw new Error("no") })() }}', '{{ (() => { throw "text" })() }}', '{{ (() => { throw {code: 5} })() }}', '{{ (() => { return $trigger.a.b.c })() }}', E'x {{ (() => {\n  const ü = "ü";\n  return ü + $trigger.a.b.c })() }}', '{{ await Promise.reject(new RangeError("r")) }}', '{{ await new Promise(() => {}) }}', '{{ (() => { return 1n })() }}', '{{ (() => { return "\0" })() }}', '{{ (() => { return "\ud800" })() }}',
	'{{ constructor.constructor("return process")() }}', '{{ [].constructor.constructor("return process")() }}', '{{ (() => { $trigger.a.x = 1; return $trigger.a })() }}', '{{ (() => { Array.prototype.map = 1 })() }}', '{{ (() => { console.log("heard by nobody"); return 1 })() }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
-- nothing is left of one for the next
SELECT x('{{ (() => { globalThis.left = 5; return 1 })() }}{{ (() => { return typeof globalThis.left })() }}');
-- limits
SET workflow.expression_time = '50ms';
SET workflow.expression_memory = '1MB';
SELECT v || '  =>  ' || x(v) FROM unnest(ARRAY['{{ (() => { while (true) ; })() }}', '{{ Array.prototype.reverse.call({length: 2**53}, await 1) }}', '{{ (() => { function f() { f() } f() })() }}', '{{ (() => { return "x".repeat(2e6) })() }}', '{{ (() => { for (;;) console.log("x") })() }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
RESET workflow.expression_time;
RESET workflow.expression_memory;
SET workflow.code_memory = '8MB';
SELECT x('{{ (() => { const a = []; for (;;) a.push(new Array(1000).fill(1)) })() }}');
RESET workflow.code_memory;
-- numbers that a double cannot hold: an error, where they are named
SELECT v || '  =>  ' || x(v, '{"big": 12345678901234567890, "fine": 0.1, "o": {"big": 0.1234567890123456789012}}') FROM unnest(ARRAY['{{ $trigger.big }}', '{{ await $trigger.big }}', '{{ await $trigger.fine }}', '{{ await $trigger.o }}', '{{ (() => { return $trigger })() }}', '{{ (() => { return $trigger.hasOwnProperty("big") })() }}']) WITH ORDINALITY AS u (v, n) ORDER BY n;
-- the context cannot be changed for others, and keeps its types
SELECT x('{{ (() => { $vars.a = 5; return $vars })() }} {{ $vars }}'), x('{{ (() => { return $trigger })() }}', '[1, 2]'), x('{{ (() => { return $trigger.length })() }}', '[1, 2]'), x('{{ (() => { return $trigger.length })() }}', '"text"'), x('{{ (() => { return $trigger })() }}', 'null');

-- what else is wrong with a definition does not hide what is wrong with them, and nothing else
SELECT code, node, path, message FROM wf_validate('{"settings": {"javascript": "full"}, "nodes": [{"type": "noop"}, {"id": "a", "type": "nope"}, {"id": "b", "type": "return", "config": {"value": ["{{ $node[$trigger.x] }}", "{{ (() => { return $node.a })() }}", "{{ (() => { return $node.c })() }}"]}}], "edges": [{"source": "b", "target": "b"}]}') ORDER BY path, message;
-- a member by itself is passed alone; what sees the rest of the object gets it whole
SELECT all_of('{"a": 1, "b": {"c": [2]}, "length": 7, "constructor": "mine"}',
	'(() => { return [$trigger.a, $trigger["b"].c[0], $trigger?.a, $trigger.nope] })()', '(() => { return $trigger.length })()', '(() => { return $trigger.constructor })()', '(() => { return "b" in $trigger })()', '(() => { return $trigger.propertyIsEnumerable("b") })()',
	'(() => { $trigger.a += 1; return $trigger.a })()', '(() => { $trigger.a += 1; return $trigger })()', '(() => { delete $trigger.a; return Object.keys($trigger).length })()', '(() => { const {a, ...rest} = $trigger; return Object.keys(rest).length })()', '(() => { $trigger.f = function () { return this.b }; return $trigger.f() })()',
	'(() => { let n = 0; for (const k in $trigger) n++; return n })()', '(() => { return typeof $trigger })()', '(() => { return [$trigger].length })()', '(() => { return $trigger.a.valueOf() + `${$trigger.a}` })()');

-- without the setting everything is as it was
SELECT go(definition('"{{ (() => { return 1 })() }}"', '{}'), '{}'), go(definition('"{{ await 1 }}"', '{}'), '{}');
SELECT wf_eval('(() => { return 1 })()');

-- each place that takes an expression
CREATE TABLE made (id int PRIMARY KEY, t text);
SELECT go('{"settings": {"javascript": "full"}, "nodes": [
	{"id": "if", "type": "if", "config": {"condition": "(() => { return $trigger.n > 3 })()"}},
	{"id": "filter", "type": "filter", "config": {"items": "{{ (() => { return [1, 2, 3, 4] })() }}", "condition": "(function (x) { return x % 2 })($item)"}},
	{"id": "loop", "type": "loop", "config": {"type": "foreach", "items": "{{ $node.filter.output.items }}", "breakCondition": "(() => { return $item > 5 })()"}},
	{"id": "in", "type": "set", "parent": "loop", "config": {"variables": {"last": "{{ (() => { return $item * 10 + $index })() }}"}}},
	{"id": "switch", "type": "switch", "config": {"expression": "await $vars.last", "cases": [{"value": 31, "port": "a"}, {"when": "(() => { return true })()", "port": "b"}]}},
	{"id": "make", "type": "db.create", "config": {"table": "made", "values": {"id": "{{ (() => { return $vars.last })() }}", "t": "t{{ (() => { return $node.switch.output.matched })() }}"}}},
	{"id": "not", "type": "fail", "config": {"message": "not here"}},
	{"id": "find", "type": "db.find", "config": {"table": "made", "where": {"id": "{{ await $node.make.output.row.id }}"}}},
	{"id": "bad", "type": "db.query", "config": {"sql": "SELECT 1/0"}, "onError": "continue", "onErrorValue": {"code": "{{ (() => { return $error.code })() }}"}},
	{"id": "end", "type": "return", "config": {"value": {"loop": "{{ $node.loop.output }}", "rows": "{{ $node.find.output.rows }}", "bad": "{{ $input }}"}}}],
	"edges": [{"source": "if", "sourceHandle": "true", "target": "filter"}, {"source": "if", "sourceHandle": "false", "target": "not"}, {"source": "filter", "target": "loop"}, {"source": "loop", "target": "switch"}, {"source": "switch", "sourceHandle": "a", "target": "make"},
		{"source": "make", "target": "not", "condition": "(() => { return $input.row.id !== 31 })()"}, {"source": "make", "target": "find", "condition": "(() => { return $input.row.id === 31 })()"}, {"source": "find", "target": "bad"}, {"source": "bad", "target": "end"}]}', '{"n": 5}');
-- conditions have the truthiness of the value itself, not of its JSON
SELECT c || ': ' || go(jsonb_build_object('settings', '{"javascript": "full"}'::jsonb, 'nodes', jsonb_build_array(jsonb_build_object('id', 'i', 'type', 'if', 'config', jsonb_build_object('condition', c)))), '{}')
	FROM unnest(ARRAY['(() => { return 1 / 0 })()', '(() => { return x => x })()', '(() => { return NaN })()', '(() => { return "" })()', '(() => { return 1n })()', '(() => { return 0n })()', '(async () => { return false })()', '(() => { })()', '(() => { return {} })()', '(() => { throw 1 })()']) WITH ORDINALITY AS u (c, n) ORDER BY n;
-- functions of transform; $items is passed only to those that ask for it
CREATE FUNCTION t(operation text, expression text, items jsonb DEFAULT '[3, 1, 2]', more jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT go(jsonb_build_object('settings', '{"javascript": "full"}'::jsonb, 'nodes', jsonb_build_array(jsonb_build_object('id', 't', 'type', 'transform', 'config',
		jsonb_build_object('operation', operation, 'items', items, 'expression', expression) || more))), '{}') $$;
SELECT t('map', 'x => { const y = x * 2; return y }'), t('map', 'function (x) { return x + 1 }'), t('map', 'function named(x, i, all) { return all.length + i }'), t('map', 'async x => { return x }'), t('map', 'async function (x) { return x }'), t('map', '(...a) => { return a.length }'), t('map', 'function () { return arguments.length }'), t('map', '(x, i, all) => { return all[i] }'), t('map', '(() => { return $item + $items.length })()');
SELECT t('filter', 'x => { return x > 1 }'), t('sort', 'x => { return -x }'), t('reduce', '(a, x) => { a += x; return a }', more => '{"initial": 0}'), t('reduce', '(a, x, i, all) => { return a + all.length }', more => '{"initial": 0}'), t('reduce', '(() => { return 1 })()'), t('map', 'x => { return $nope }'), t('map', 'x => { return }}');
SELECT t('map', '(x, i) => { return x + i }', (SELECT jsonb_agg(i) FROM generate_series(1, 2000) i)) ~ '"count": 2000', clock_timestamp() - now() < '20 s';

-- what starts a run is evaluated without it: the interpreter's language alone
CREATE TABLE watched (id int, t text);
SELECT go('{"settings": {"javascript": "full", "concurrencyKey": "(() => { return 1 })()"}, "nodes": [
	{"id": "e", "type": "trigger.event", "config": {"event": "e", "condition": "(() => { return true })()"}},
	{"id": "r", "type": "trigger.row", "config": {"table": "watched", "events": ["insert"], "when": "(() => { return true })()"}}, {"id": "n", "type": "noop", "config": {}}],
	"edges": [{"source": "e", "target": "n"}, {"source": "r", "target": "n"}]}', '{}');
SELECT wf_save('w', '{"settings": {"javascript": "full"}, "nodes": [{"id": "r", "type": "trigger.row", "config": {"table": "watched", "events": ["insert"], "mode": "sync", "when": "$trigger.new.id > 1"}},
	{"id": "m", "type": "db.create", "config": {"table": "made", "values": {"id": "{{ (() => { return $trigger.new.id + 100 })() }}", "t": "w"}}}], "edges": [{"source": "r", "target": "m", "condition": "(() => { return $trigger.new.t !== null })()"}]}');
INSERT INTO watched VALUES (1, 'a'), (2, 'b'), (3, NULL);
SELECT wf_set_status('w', 'paused');
-- what was done before an expression throws is undone
SELECT go('{"settings": {"javascript": "full"}, "nodes": [{"id": "m", "type": "db.create", "config": {"table": "made", "values": {"id": 500, "t": "gone"}}}, {"id": "r", "type": "return", "config": {"value": "{{ (() => { throw new Error(`at ${$node.m.output.row.id}`) })() }}"}}], "edges": [{"source": "m", "target": "r"}]}', '{}');
SELECT id, t FROM made ORDER BY id;
-- to look at
SELECT wf_save('look', '{"settings": {"javascript": "full"}, "nodes": [{"id": "f", "type": "db.find", "config": {"table": "made", "where": {"id": "{{ (() => { return $trigger.id })() }}", "t": "{{ $trigger.t }}-{{ await 1 }}"}}}, {"id": "n", "type": "noop"}], "edges": [{"source": "f", "target": "n", "condition": "(() => { return true })()"}]}');
SELECT wf_explain('look');
SELECT wf_dry_run('look', '{"id": 31}') ->> 'status';
