-- The code block: what code gets, what it gives, what bad code is told.
\set VERBOSITY terse
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION code(source text, input jsonb DEFAULT '{}', config jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM wf_save('c', jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'c', 'type', 'code', 'config', jsonb_build_object('source', source) || config))));
	RETURN wf_run('c', input) - 'run_id';
END $$;
SELECT code('return {a: $input.x + 1}', '{"x": 1}');
SELECT code('return 5');
SELECT code('const x = await 7; console.log("hello", {a: [1]}); return [x, $now instanceof Date, $today instanceof Date, $run.workflow]');
SELECT code('throw new TypeError("no")');
SELECT code('class MyError extends Error { constructor(m) { super(m); this.name = "MyError" } }
throw new MyError("mine")');
SELECT code('let x = ;');
SELECT code('return $inptu.x');
SELECT code('return $node.other.output');
SELECT code('return {{a: 1}}');
SELECT code('return {a: {b: 1}}');
SELECT code('return $item * 2 + $index', '{}', '{"mode": "each", "items": [1, 2, 3]}');
SELECT code('if ($item > 2) throw new Error("big"); return $item', '{}', '{"mode": "each", "items": "{{ [1, 2, 3] }}"}');
SELECT code('return [$input.a, typeof $input.a]', '{"a": 12345678901234567890}');
SELECT code('return [$input.a, typeof $input.a]', '{"a": 12345678901234567890}', '{"bigNumbers": "string"}');
SELECT code('return [$input.a, $input.b, $input.c]', '{"a": 0.1, "b": 1e300, "c": 0.30000000000000004}');
SELECT code('return {a: "\0"}');
SELECT code('return {a: "\ud800"}');
SELECT code('return 1n');
SELECT code('while (true) ;', '{}', '{"limits": {"time": "100ms"}}');
SELECT code('Array.prototype.reverse.call({length: 2**53})', '{}', '{"limits": {"time": "100ms"}}');
SELECT code('const a = []; while (true) a.push(new Array(1000).fill(1))', '{}', '{"limits": {"memory": "16MB"}}');
SELECT code('return "x".repeat(10000)', '{}', '{"limits": {"output": "1kB"}}');
SELECT code('function f() { f() } f()');
SELECT code('for (let i = 0; i < 100; i++) console.log(i)', '{}', '{"limits": {"logLines": 10}}');
SELECT code('await new Promise(() => {})');
SELECT code('return constructor.constructor("return process")()');
SELECT code('Array.prototype.map = 1');
SELECT code('return [Math.random() < 1, Date.now() === $now.getTime()]');
