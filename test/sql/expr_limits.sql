-- Expressions: limits of time, memory, depth and patterns; each a WF009, and the backend goes on.
CREATE EXTENSION workflow;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
-- the clock is for its own test: others must not depend on the machine
SET workflow.expression_time = '60s';
CREATE FUNCTION e(expression text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	begun timestamptz := clock_timestamp();
	result text;
BEGIN
	BEGIN
		result := left(wf_eval(expression)::text, 40);
	EXCEPTION WHEN OTHERS THEN
		result := sqlstate || ': ' || regexp_replace(sqlerrm, ', at position \d+', '');
	END;
	IF clock_timestamp() - begun > interval '100 s' THEN
		result := result || ' (slow)';
	END IF;
	RETURN result;
END $$;
SELECT left(x, 60) || '  =>  ' || e(x) FROM unnest(ARRAY[
	'"x".repeat(1e9)', '"x".repeat(1e8).length', 'Array(1e9)', 'Array(1e8).fill(0)', '"a".padEnd(2**31)', '"a".padStart(1e8, "bc")', 'Array.from({length: 1e9})',
	'Array(3000).fill(0).map(x => Array(3000).fill(0).map(y => Array(3000).fill(0)))', '[1].concat(Array(1e7))', 'Array(1e6).fill("abcdefghij").join("").repeat(10)',
	'(f => f(f))(f => f(f))', '((f, n) => f(f, n))((f, n) => n <= 0 ? 0 : 1 + f(f, n - 1), 500)',
	'(a => (a.push(a), a))([])', '(a => (a.push(a), JSON.stringify(a)))([])', '(a => (a.push(a), String(a)))([])', '(a => (a.push(a), a.flat(Infinity)))([])', '(a => (a.push(a), structuredClone(a).length))([])',
	'JSON.parse("[".repeat(100000))', '/(a+)+$/.test("a".repeat(60) + "b")', '"a".repeat(50).match(/^(([a-z])+.)+[A-Z]([a-z])+$/)', 'new RegExp("(x+x+)+y").test("x".repeat(60))',
	repeat('(', 100000) || '1' || repeat(')', 100000), repeat('[', 100000), repeat('!', 100000) || '1', repeat('{a:', 100000), repeat('a=>', 100000) || '1', '1' || repeat('?1:1', 100000), repeat('`${', 100000), '$input' || repeat('[0', 100000),
	'$input' || repeat('?.a', 100000), '1' || repeat('+1', 100000), '"' || repeat('x', 1000000) || '".length', '[' || repeat('1,', 100000) || '].length', repeat(' ', 1000000) || '1', '/*' || repeat('*', 1000000) || '*/1',
	'Array(2e5).fill(0).map((x, i) => i).sort((a, b) => b - a)[0] >= 0 || true', 'Array(1e5).fill(0).reduce((a, x) => a + "abcdefghij", "").length', '"😀".repeat(1e5).split("").length', '"x,".repeat(1e5).split(",").length'
]) WITH ORDINALITY AS u (x, n) ORDER BY n;
-- what a reduce gathers by spreading its accumulator costs what is added: 10,000 items in 32 MB (and, but for slow checkers, in 250 ms)
SET workflow.expression_time = '5s';
SELECT x || '  =>  ' || md5(wf_eval(x, c)::text)
FROM (SELECT jsonb_build_object('input', jsonb_agg(jsonb_build_object('k', 'k' || i, 'g', 'g' || i % 4, 'id', i * 7 % 20000, 'v', i % 3000))) AS c FROM generate_series(1, 10000) i) AS context,
	unnest(ARRAY['$input.reduce((a, x) => ({...a, [x.k]: x.v}), {})', '$input.reduce((a, x) => ({...a, [x.id]: x.v}), {})', '$input.reduce((a, x) => [...a, x.v], [])',
	'$input.reduce((a, x) => a.concat(x.v), [])', '$input.reduce((a, x) => x.v % 2 ? [...a, x.v, x.k] : a, [])', '$input.reduce((a, x) => ({...a, [x.v]: (a[x.v] ?? 0) + 1}), {})',
	'$input.reduce((a, x) => ({...a, [x.g]: [...(a[x.g] || []), x.v]}), {})', '$input.reduce((a, x) => ({...a, n: a.n + 1, by: {...a.by, [x.k]: x.v}}), {n: 0})',
	'$input.reduce((a, x) => Object.assign({}, a, {[x.k]: x.v}), {})', '$input.reduce((a, x) => `${a}, ${x.k}`, "")', '$input.reduceRight((a, x) => ({...a, [x.k]: x.v}), {})']) WITH ORDINALITY AS u (x, n) ORDER BY n;
SET workflow.expression_time = '60s';
-- the settings are obeyed
SET workflow.expression_memory = '64kB';
SELECT e('"x".repeat(100000).length'), e('"x".repeat(1000).length');
RESET workflow.expression_memory;
SET workflow.expression_time = '5ms';
SELECT e('Array(1e5).fill(0).map((x, i) => "k" + i % 7).sort().map(k => k.toUpperCase()).filter(k => /K[0-3]/.test(k)).map(k => k.split("").reverse().join("")).length');
RESET workflow.expression_time;
-- a cancelled statement stops at once, and is no WF009
SET statement_timeout = '50ms';
SET workflow.expression_time = '60s';
\set VERBOSITY sqlstate
SELECT wf_eval('(l => l.reduce((a, x) => a + l.reduce((b, y) => b + y % 3, 0), 0))(Array.from({length: 50000}, (_, i) => i))');
RESET statement_timeout;
RESET workflow.expression_time;
SELECT e('1 + 1');
