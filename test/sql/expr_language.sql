-- Expressions: the language, what is refused and where, what fails and where.
CREATE EXTENSION workflow;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET TimeZone = 'UTC';
-- one line an expression: its value, or SQLSTATE, message, detail and hint
CREATE FUNCTION e(expression text, context jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
	hint text;
BEGIN
	RETURN wf_eval(expression, context)::text;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', sqlstate, message, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION all_of(context jsonb, VARIADIC expressions text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT x || '  =>  ' || e(x, context) FROM unnest(expressions) WITH ORDINALITY AS u (x, n) ORDER BY n
$$;
-- values
SELECT all_of('{"input": {"a": {"b": [1, {"c": 2}]}, "n": null, "s": "text"}, "node": {"x": {"output": {"rows": [{"id": 7}]}}}}',
	'$input.a.b[1].c', '$input["a"].b.length', '$input.a["b"][0]', '$input.a.b[9]', '$input.x', '$input.x?.y.z', '$input.n?.y',
	'$node.x.output.rows[0].id', '$node["x"].output.rows.length', '$node.y?.output', '$input.s.length', '$input.s[0]', '$input.a.b.map(x => typeof x)',
	'$trigger', '$item', '$vars?.x', '$run', '$error', '$items', '$index', '$env');
-- refused, with the position
SELECT all_of('{}',
	'', ' ', '1 +', '(1', '[1, 2', '{a: 1', '{{ 1', '{{ 1 }} }}', '"abc', '`a${1', '`a${1}', '/a', '1 2', '1 = 2', 'x => { return x }',
	'let x = 1', 'var y', 'const z = 2', 'if (1) 2', 'for (;;) 1', 'return 1', 'throw 1', 'function f() {}', 'class A {}', 'async () => 1', 'await 1',
	'yield 1', 'delete $input.x', 'this', 'this.x', 'super.x', 'import("x")', 'eval("1")', 'new Function("1")', 'new Foo', 'x++', '--x', '$input.a = 1', '$input.a += 1',
	'a', 'foo.bar', '$inptu.x', '$json.x', '$("Node").item', 'input.x', 'math.max(1)', 'Math.flor(1)', 'JSON.stringfy(1)', 'Math()', 'Date.foo', 'console.log(1)', 'window', 'globalThis', 'process.env', 'require("fs")',
	'`a`', 'a`b`', '1n', '0777', '08', '1__0', '1_', '0x', '0b2', '1e', '3in [1]', '"\u12"', '"\x1"', '"\8"', '/a/gg', '/(/', '/a/uv', '-1 ** 2', 'a ?? b || c', '1 || 2 ?? 3', '1;', '1; 2', '@', '#x', '{a b}', '{1}', '{a() {}}', '{get a() {}}', '[...]', '(...a)', '(a, a) => 1', '($input) => 1', '(if) => 1',
	'({a: 1', 'é', '"😀" + x', '$secrets.KEY', '/* no end', '$if(1)', '$if', '$node.');
-- fails, with the position
SELECT all_of('{"input": {"name": "Ünïcode", "n": null, "o": {"a": 1}, "l": [1]}}',
	'$input.x.y', '$input.n.y', '$input.x.y.z', '"Ü" + $input.x.y', '$input.x[0]', '$input.name.foo()', '$input.name.toUppercase()', '$input.o.a()', '$input.o.b()', '$input.x()', '$input.x.y()',
	'[1].map(1)', '[].reduce((a, b) => a)', 'null.x', 'undefined()', '(5)()', '[...5]', 'Math.max(...5)', '"x".repeat(-1)', '(1).toFixed(101)', '(1).toString(1)', 'new Array(-1)', 'new Date("x").toISOString()', 'JSON.parse("{")',
	'decodeURIComponent("%")', '"a" in "b"', '1 instanceof 2', 'new Set(5)', 'new Map([1])', 'atob("*")', 'btoa("😀")', 'new RegExp("(")', '"a".matchAll(/a/)', '"a".replaceAll(/a/, "b")', '"a".normalize("x")', '[1].with(5, 1)',
	'(({a}) => a)(null)', '(([a]) => a)(5)', '((a = b, b) => a)()', '"\u0000"', '"\ud800"', '({"\ud800": 1})', '["a\u0000"]', '$now.plus("1 foo")', '$now.in("Nowhere")', '$now.startOf("eon")', '(1).toLocaleString("xx")', '"x".hash("md9")', '[].map.call(5)', '(f => f())([].map)', 'structuredClone(x => x)', 'Object.keys(null)', 'Object.fromEntries([1])', 'String.fromCodePoint(-1)');
-- what passes through untouched keeps every digit; arithmetic is in doubles
SELECT all_of('{"input": {"big": 12345678901234567890, "dec": 1.50, "long": 0.1234567890123456789, "tiny": 1e-30, "exp": 1e21}}',
	'$input.big', '$input.dec', '[$input.big, $input.long]', '{a: $input.big}', '$input.big + 0', '$input.big === 12345678901234567000', '`${$input.big}`', 'String($input.dec)', '{{ $input.big }} {{ $input.dec }} {{ $input.long }}', 'JSON.stringify($input)', '$input.exp', '$input.exp + ""', '$input.tiny', '$input.tiny * 1', '($input.dec)', '$input.dec.toString()', '-$input.dec', 'Math.max($input.dec, 1)', '$input.long.toFixed(3)');
-- the context is never changed
SELECT all_of('{"input": {"l": [3, 1, 2], "o": {"a": 1}}}',
	'[$input.l.sort(), $input.l]', '[$input.l.push(4), $input.l]', '[$input.l.reverse(), $input.l.splice(0, 2), $input.l]', '[Object.assign($input.o, {b: 2}), $input.o]', '((l) => (l.push(9), l))($input.l.slice())');
-- undefined, functions and what has no JSON
SELECT all_of('{}', 'undefined', 'x => x', 'Math.max', 'Math', 'Date', '{a: undefined, b: x => x, c: null}', '[undefined, x => x, NaN, 1 / 0, -0]', 'new Set([1])', 'new Map()', '/a/', '[1].entries()', '{toJSON: () => 5}', '[new Date(0)]', 'NaN', '-0', '[,1]', 'Array(2)');
-- the context of wf_eval
SELECT e('1', '[]'), e('1', '1'), e('1', '{"inpt": 1}'), e('1', '{"secrets": {}}'), e('1', '{"$input": 1}'), e('$now.toISO()', '{"now": "2024-01-02T03:04:05.678Z"}'), e('1', '{"now": "x"}');
SELECT wf_eval(NULL), wf_eval('1', NULL);
