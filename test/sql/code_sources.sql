-- Sources that are hostile, large or strange, and values that are: the text is checked when it is saved, and all of it is bounded.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/code.psql'
\i :lib
-- also when it is saved
SET workflow.code_time = '300ms';
INSERT INTO program (name, source, want) VALUES
-- ends the function and begins another: nothing of it is executed, not when it is saved either
('closes', '} globalThis.x = 1; {', 'WF002 SyntaxError'),
('closes and opens', '}), (function () {', 'WF002 SyntaxError: a } closes'),
('closes and opens another', '}); globalThis.x = 1; (async function () {', 'WF002 SyntaxError: a } closes'),
('closes, and loops when it is saved', '}), (() => { for (;;) ; })(), (function () {', 'WF002 SyntaxError: a } closes'),
('closes and is called', '})(), (async function () {', 'WF002 SyntaxError: a } closes'),
('closes with a comment', '}) /*', 'WF002 SyntaxError'),
('closes with a line comment', '}) //', 'WF002 SyntaxError'),
('closes in a template', '}), (async function () { return `', 'WF002 SyntaxError'),
('closes, with an object', '}), ({ toString() { return "x" }', 'WF002 SyntaxError'),
('closes, with a class', '}), (class {', 'WF002 SyntaxError'),
('closes with an arrow', '}), (async () => {', 'WF002 SyntaxError: a } closes'),
('closes, with a method', '}, {a() {} }), ({ b() {', 'WF002 SyntaxError'),
-- what the function says of itself is forged: of the right length in both of the functions that it is compiled as
('forges its text', $js$}.toString().replace(/[^]*/, (s) => { globalThis.n = s.length; return '' }), globalThis.f = Object.defineProperty((async function () { return 7 }), 'toString', {value: () => 'x'.repeat(globalThis.n +  227)}), globalThis.f || {$js$, 'WF002 SyntaxError: a } closes'),
('forges its text, and is bound', $js$}.toString().replace(/[^]*/, (s) => { globalThis.n = s.length; return '' }), globalThis.f = Object.defineProperty((function () { return 7 }).bind(), 'toString', {value: () => 'x'.repeat(globalThis.n +  228)}), globalThis.f || {$js$, 'WF002 SyntaxError: a } closes'),
('forges its text, of the engine', $js$}.toString().replace(/[^]*/, (s) => { globalThis.n = s.length; return '' }), globalThis.f = Object.defineProperty(Math.abs, 'toString', {value: () => 'x'.repeat(globalThis.n +  203)}), globalThis.f || {$js$, 'WF002 SyntaxError: a } closes'),
-- parameters, and what stands before the source, cannot be reached
('redeclares a parameter', 'let $input = 1; return $input', 'WF002 SyntaxError: invalid redefinition'),
('deletes a parameter', 'delete $input', 'WF002 SyntaxError'),
('use strict', '"use strict"; return this === undefined', 'gives .*true'),
('duplicate parameter', 'return ((a, a) => a)(1, 2)', 'WF002 SyntaxError'),
('yield', 'return yield 1', 'WF002 SyntaxError'),
('octal', 'return 010', 'WF002 SyntaxError'),
-- marks
('#!', E'#!/usr/bin/env node\nreturn 1', 'WF002 SyntaxError'),
('HTML comment', E'return 1 <!-- 2\n', 'gives .*1|WF002'),
('HTML comment that ends', E'\n--> 2\nreturn 1', 'gives .*1|WF002'),
('comment at the end', 'return 1 // done', 'gives .*1'),
('comment that does not end', 'return 1 /* done', 'WF002 SyntaxError'),
('U+2028', E'return 1 //\u2028 + ;', 'WF002 SyntaxError'),
('U+2028 in a string', E'return "\u2028".length', 'gives .*1'),
('byte order mark', E'\uFEFFreturn 1', 'gives .*1'),
('U+0000 as an escape', 'return "a\0b\u0000c".length', 'gives .*5'),
('right to left', E'return /*\u202E*/ 1', 'gives .*1'),
('names of other scripts', E'const \u00e9\u4e2d = 2; return \u00e9\u4e2d', 'gives .*2'),
('names with escapes', 'return \u0024input.a', 'gives'),
('a name of the context as an escape, unknown', 'return \u0024inptu', 'WF002 unknown name'),
('a name with half a character', 'return $\ud800', 'WF002'),
('a name of the context beside $node with half a character', 'return $node["\ud800"]', 'WF002'),
('sourceURL', E'//# sourceURL=/etc/passwd\nthrow new Error("x")', 'WF018 x'),
('only a comment', '// nothing', 'gives'),
('only blanks', '   ', 'gives');
-- what is deep
INSERT INTO program (name, source, want) VALUES
('10,000 parens', 'return ' || repeat('(', 10000) || '1' || repeat(')', 10000), 'gives|WF002|WF009'),
('1,000,000 parens', 'return ' || repeat('(', 1000000) || '1' || repeat(')', 1000000), 'WF009|WF002'),
('100,000 brackets', 'return ' || repeat('[', 100000) || repeat(']', 100000), 'WF009|WF002'),
('100,000 braces', repeat('{', 100000) || repeat('}', 100000), 'WF009|WF002'),
('100,000 objects', 'return ' || repeat('{a:', 100000) || '1' || repeat('}', 100000), 'WF009|WF002'),
('100,000 unary operators', 'return ' || repeat('! ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 minus signs', 'return ' || repeat('- ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 typeof', 'return ' || repeat('typeof ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 await', 'return ' || repeat('await ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 conditions', 'return ' || repeat('1 ? 1 : ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 powers', 'return ' || repeat('1 ** ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 sums', 'return ' || repeat('1 + ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 assignments', 'let a; ' || repeat('a = ', 100000) || '1', 'WF009|WF002|gives'),
('100,000 arrows', 'return ' || repeat('() => ', 100000) || '1', 'WF009|WF002'),
('20,000 functions', repeat('(function () {', 20000) || repeat('})', 20000), 'WF009|WF002'),
('20,000 classes', repeat('class A { m() {', 20000) || repeat('}}', 20000), 'WF009|WF002'),
('20,000 templates', 'return ' || repeat('`${', 20000) || '1' || repeat('}`', 20000), 'WF009|WF002|gives'),
('100,000 ifs', repeat('if (1) ', 100000) || ';', 'WF009|WF002|gives'),
('100,000 elses', repeat('if (0) ; else ', 100000) || ';', 'WF009|WF002|gives'),
('20,000 labels', (SELECT string_agg('l' || g || ': ', '') FROM generate_series(1, 20000) g) || ';', 'WF009|WF002|gives'),
('100,000 blocks of try', repeat('try { } catch { } ', 100000), 'gives|WF009|WF002|over'),
('20,000 nested blocks of try', repeat('try { ', 20000) || repeat('} catch { }', 20000), 'WF009|WF002|gives'),
('20,000 nested loops', repeat('for (;;) ', 20000) || 'break', 'WF009|WF002|over|gives'),
('20,000 nested switches', repeat('switch (1) { case 1: ', 20000) || repeat('}', 20000), 'WF009|WF002|gives'),
('100,000 members', 'return $input' || repeat('?.a', 100000), 'gives|WF009|WF002|over'),
('100,000 calls', 'const f = () => f; f' || repeat('()', 100000), 'gives|WF009|WF002|over'),
('20,000 patterns', 'let ' || repeat('[', 20000) || 'a' || repeat(']', 20000) || ' = []', 'WF009|WF002|WF018'),
('100,000 parens in a pattern', 'return /' || repeat('(', 100000) || repeat(')', 100000) || '/', 'WF009|WF002'),
('20,000 look-aheads', 'return /' || repeat('(?=', 20000) || repeat(')', 20000) || '/', 'WF009|WF002|gives');
-- what is long
INSERT INTO program (name, source, want, config) VALUES
('1 MB of statements', repeat('x += 1;', 150000) || 'return 1', 'WF018 ReferenceError|WF002|WF009|over', '{}'),
('1 MB of numbers', 'return [' || repeat('1234567,', 130000) || '].length', 'gives|WF009|WF002|over', '{}'),
('1 MB of text', 'return "' || repeat('x', 1000000) || '".length', 'gives .*1000000', '{}'),
('1 MB of a comment', '/*' || repeat('*', 1000000) || '*/ return 1', 'gives .*1', '{}'),
('1 MB of blanks', repeat(' ', 1000000) || 'return 1', 'gives .*1', '{}'),
('1 MB of lines', repeat(E'\n', 1000000) || 'throw new Error("x")', 'WF018 x', '{}'),
('1 MB of one name', 'const ' || repeat('a', 1000000) || ' = 1', 'gives|WF002|WF009', '{}'),
('1 MB of a number', 'return ' || repeat('9', 1000000), 'gives|WF009|WF002', '{}'),
('1 MB of a BigInt', 'return ' || repeat('9', 1000000) || 'n > 1n', 'gives|WF009|WF002|over', '{}'),
('1 MB of a template', 'return `' || repeat('${1}', 250000) || '`.length', 'gives|WF009|WF002|over', '{}'),
('1 MB of a pattern', 'return /' || repeat('a', 1000000) || '/.test("")', 'gives|WF009|WF002|over', '{}'),
('1 MB of garbage', repeat('}{', 500000), 'WF002|WF009', '{}'),
('10 MB of text', 'return "' || repeat('x', 10000000) || '".length', 'gives .*10000000|WF009|over|WF002', '{}'),
('70,000 variables', (SELECT string_agg('let v' || g || ' = ' || g, ';') FROM generate_series(1, 70000) g), 'gives|WF009|WF002|over', '{}'),
('70,000 parameters', 'return ((' || (SELECT string_agg('v' || g, ',') FROM generate_series(1, 70000) g) || ') => 1)()', 'gives|WF009|WF002|over', '{}'),
('70,000 arguments', 'return Math.max(' || repeat('1,', 70000) || '1)', 'gives|WF009|WF002|over|WF018', '{}'),
('70,000 cases', 'switch (1) {' || (SELECT string_agg('case ' || g || ':', '') FROM generate_series(1, 70000) g) || '}', 'gives|WF009|WF002|over', '{}'),
('30,000 functions side by side', repeat('(() => 1)();', 30000), 'gives|WF009|WF002|over', '{}'),
('70,000 properties', 'return Object.keys({' || (SELECT string_agg('k' || g || ':1', ',') FROM generate_series(1, 70000) g) || '}).length', 'gives|WF009|WF002|over', '{}'),
('70,000 private names', 'class A {' || (SELECT string_agg('#p' || g, ';') FROM generate_series(1, 10000) g) || '}', 'gives|WF009|WF002|over', '{}'),
('70,000 reads of a name of the context', repeat('$input;', 70000) || 'return 1', 'gives|WF009|over|WF002', '{}'),
('1,000 reads of unknown names', (SELECT string_agg('$u' || g, ';') FROM generate_series(1, 1000) g), 'WF002 unknown name', '{}');
-- values in and out
INSERT INTO program (name, source, want, input, config) VALUES
('10 MB in', 'return $input.a.length', 'gives .*10000000', jsonb_build_object('a', repeat('x', 10000000)), '{"limits": {}}'),
('10 MB of small values in', 'return $input.a.length', 'gives .*300000', jsonb_build_object('a', (SELECT jsonb_agg(jsonb_build_object('id', g, 'name', 'n' || g)) FROM generate_series(1, 300000) g)), '{"limits": {}}'),
('10 MB in where there is less', 'return $input.a.length', 'over memory', jsonb_build_object('a', repeat('x', 10000000)), '{"limits": {"memory": "8MB"}}'),
('10 MB in, and less than the engine itself has', 'return 1', 'over memory', jsonb_build_object('a', repeat('x', 10000000)), '{"limits": {"memory": "1kB"}}'),
('10 MB out', 'return "x".repeat(9e6)', 'gives|over output', '{}', '{"limits": {}}'),
('10 MB in and out', 'return $input', 'gives|over output', jsonb_build_object('a', repeat('x', 9000000)), '{"limits": {}}'),
('deep in', 'let n = 0, a = $input; while (a.a) { a = a.a; n++ } return n', 'gives .*1000', (repeat('{"a":', 1000) || '{}' || repeat('}', 1000))::jsonb, '{}'),
('deeper in', 'let n = 0, a = $input; while (a.a) { a = a.a; n++ } return n', 'gives .*4000|over stack|54001', (repeat('{"a":', 4000) || '{}' || repeat('}', 4000))::jsonb, '{}'),
('deep in and out', 'return $input', 'gives|over stack|54001', (repeat('{"a":', 3000) || '{}' || repeat('}', 3000))::jsonb, '{}'),
('__proto__ in', 'return [Object.getPrototypeOf($input) === Object.prototype, ({}).polluted ?? null, Object.keys($input)]', 'gives .*true, null, .*__proto__', '{"__proto__": {"polluted": 1}}', '{}'),
('constructor in', 'return [$input.constructor.prototype.polluted, typeof ({}).polluted]', 'gives .*1, .undefined', '{"constructor": {"prototype": {"polluted": 1}}}', '{}'),
('toJSON in', 'return $input', 'gives .*toJSON', '{"toJSON": 1, "then": 2, "toString": 3, "valueOf": 4}', '{}'),
('numbers that JavaScript cannot hold', 'return $input', '22003', '{"a": 1e400}', '{}'),
('small numbers that JavaScript cannot hold', 'return $input', '22003', '{"a": 1e-400}', '{}'),
('the largest integer and the next', 'return $input', '22003', '{"a": 9007199254740993}', '{}'),
('the largest integer', 'return $input', 'gives .*9007199254740992', '{"a": 9007199254740992}', '{}'),
('numbers of 131072 digits', 'return typeof $input.a', 'gives .*string', jsonb_build_object('a', repeat('7', 131072)::numeric), '{"bigNumbers": "string"}'),
('numbers of 131072 digits as numbers', 'return 1 + 0 * $input.a', '22003', jsonb_build_object('a', repeat('7', 131072)::numeric), '{}'),
('characters', 'return [$input.a, $input.a.length]', 'gives', E'{"a": "\u0001\u001f\\\\\\"/\u007f\u0085\u2028\u2029\ufeff\uffff\U0001f600\U0010ffff"}', '{}'),
('each of 100,000', 'return $item', 'gives|over (time|memory)', (SELECT jsonb_build_object('a', jsonb_agg(g)) FROM generate_series(1, 100000) g), '{"mode": "each", "items": "{{ $input.a }}", "limits": {}}'),
('each that keeps', 'globalThis.n = (globalThis.n ?? 0) + 1; return globalThis.n', 'gives', '{"a": [1, 2, 3]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('each that pollutes', 'if ($index === 0) { try { Array.prototype.polluted = 1 } catch { } return 0 } return [].polluted ?? null', 'gives .*0, null', '{"a": [1, 2]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('each that changes what comes', '$items.length = 0; return $item', 'gives|WF018', '{"a": [1, 2, 3]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('each that adds to what comes', '$items.push(1); return $item', 'gives|over', '{"a": [1, 2, 3]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('each with a length that lies', 'Object.defineProperty($items, "0", {get() { for (;;) ; }}); return $item', 'over time|gives', '{"a": [1, 2, 3]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('each that fails at the last', 'if ($index === 2) throw new Error("no"); return 1', 'WF018 item 2: no', '{"a": [1, 2, 3]}', '{"mode": "each", "items": "{{ $input.a }}"}'),
('a nested promise in the input', 'return await $input', 'gives', '{"then": {"then": 1}}', '{}');
-- limits that are none
INSERT INTO program (name, source, want, config) VALUES
('no time', 'return 1', 'WF002', '{"limits": {"time": "0s"}}'),
('much time', 'return 1', 'gives', '{"limits": {"time": "1000d"}}'),
('little memory', 'return new Array(1000000).fill(1).length', 'over memory', '{"limits": {"memory": "1MB"}}'),
('no log', 'console.log(1)', 'over log', '{"limits": {"logLines": 0}}'),
('no output', 'return "x".repeat(3000)', 'over output', '{"limits": {"output": "1kB"}}'),
('negative memory', 'return 1', 'WF002', '{"limits": {"memory": "-1MB"}}'),
('much memory', 'return 1', 'gives|WF002', '{"limits": {"memory": "900000TB"}}');
-- on a slow machine time is what large ones need first
UPDATE program SET want = want || '|over time' WHERE length(source) > 10000 OR length(input::text) > 10000;
CALL run_programs();
SELECT * FROM wrong(10000);
SELECT count(*) AS programs FROM program;
-- in a database of another encoding there is no code
\set back :DBNAME
CREATE DATABASE wf_test_code_latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0;
\c wf_test_code_latin1
CREATE EXTENSION workflow;
SELECT wf_save('c', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "return 1"}}]}');
\c :back
DROP DATABASE wf_test_code_latin1;
