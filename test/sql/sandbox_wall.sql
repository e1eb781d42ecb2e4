-- The wall around the JavaScript engine, seen from the side that no code can reach: addresses, results that lie, memory that is left.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
CREATE EXTENSION workflow;
CREATE FUNCTION sandbox(jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_sandbox' LANGUAGE C STRICT;
-- the guest reads and writes within its memory and nowhere else; offsets are from the end of its memory
CREATE FUNCTION pokes(source text) RETURNS TABLE (at text, reads text, writes text) LANGUAGE plpgsql AS $$
DECLARE size bigint := (sandbox(jsonb_build_object('poke', 0) || jsonb_strip_nulls(jsonb_build_object('source', source)))->>'bytes')::bigint; a record; q jsonb;
BEGIN
	FOR a IN SELECT * FROM (VALUES ('0', 0::bigint), ('in the stack', 4096), ('the top of the stack', 2097151), ('the first of the data', 2097152), ('the last of the memory', size - 1),
		('the first beyond', size), ('a page beyond', size + 4096), ('64 kB beyond', size + 65536), ('16 MB', 16777216), ('the end of what is reserved', (1::bigint << 30) - 1), ('beyond what is reserved', 1::bigint << 30),
		('2 GB', 1::bigint << 31), ('2 GB less one', (1::bigint << 31) - 1), ('the last address', (1::bigint << 32) - 1), ('a page before it', (1::bigint << 32) - 4096)) v (name, address) LOOP
		q := jsonb_build_object('poke', a.address) || jsonb_strip_nulls(jsonb_build_object('source', source));
		at := a.name;
		reads := concat_ws(': ', sandbox(q)->>'end', sandbox(q)->>'text');
		writes := concat_ws(': ', sandbox(q || '{"write": true}')->>'end', sandbox(q || '{"write": true}')->>'text');
		RETURN NEXT;
	END LOOP;
END $$;
SELECT * FROM pokes(NULL);
-- the same when it has grown
SELECT DISTINCT reads, writes, count(*) FROM pokes('return [' || repeat('"0123456789",{},', 20000) || ']') GROUP BY 1, 2 ORDER BY 1;
SELECT (sandbox(jsonb_build_object('poke', 0, 'source', 'return [' || repeat('"0123456789",{},', 20000) || ']'))->>'bytes')::int > (sandbox('{"poke": 0}')->>'bytes')::int AS had_grown;
-- and after it grew within a call that is over
SELECT sandbox('{"source": "const a = []; for (let i = 0; i < 300; i++) a.push(new Array(10000).fill(i)); return a.length"}');
SELECT sandbox(jsonb_build_object('poke', (sandbox('{"poke": 0}')->>'bytes')::int, 'write', true))->>'end' AS beyond, sandbox('{"poke": 20000000}')->>'end' AS far_beyond;
-- a trap leaves the next use as if it had not been
SELECT sandbox('{"poke": 4294967295}')->>'end' AS trap, sandbox('{"source": "return [1, 2].map((x) => x + 1)"}') AS next;
SELECT count(*) FILTER (WHERE sandbox('{"poke": 4000000000, "write": true}')->>'end' = 'trapped') AS traps, count(*) FILTER (WHERE sandbox('{"source": "return 1"}')->>'value' = '1') AS clean FROM generate_series(1, 2000);
-- results that are said to be elsewhere
CREATE FUNCTION lie(source text, at bigint, bytes bigint) RETURNS jsonb LANGUAGE sql AS $$ SELECT sandbox(jsonb_build_object('source', source, 'lie', jsonb_build_object('at', at, 'bytes', bytes))) $$;
SELECT lie('return 1', (1::bigint << 32) - 1, 1);
SELECT lie('return 1', 0, (1::bigint << 32) - 1)->>'message';
SELECT lie('return 1', (1::bigint << 32) - 100, 200)->>'message';
SELECT lie('return 1', 2000000, 4294967295 - 1999999)->>'message';
SELECT lie('return 1', (sandbox('{"poke": 0}')->>'bytes')::bigint, 1)->>'message';
SELECT lie('return 1', (sandbox('{"poke": 0}')->>'bytes')::bigint, 0)->>'message';
SELECT lie('throw 1', (1::bigint << 31), 10)->>'message';
SELECT lie('throw 1', 0, 100)->>'message';
SELECT sandbox('{"source": "return 1"}');
-- and results that are what they should not be
CREATE FUNCTION says(source text, bytes bytea) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', r->'value', r->>'code', r->>'message') FROM sandbox(jsonb_build_object('source', source, 'lie', jsonb_build_object('hex', encode(bytes, 'hex')))) r $$;
SELECT says('return 1', '{"a": 7}');
SELECT says('return 1', '');
SELECT says('return 1', '\xff');
SELECT says('return 1', '\x22c322');
SELECT says('return 1', '\x22eda08022');
SELECT says('return 1', '\x22f09f9822');
SELECT says('return 1', '\x220022');
SELECT says('return 1', '{"a": 1');
SELECT says('return 1', convert_to(repeat('[', 100000), 'UTF8'));
SELECT says('return 1', convert_to(repeat('[', 1000) || repeat(']', 1000), 'UTF8')) LIKE '[[[[%';
SELECT says('return 1', '1e131072');
SELECT says('return 1', '1e999999999');
SELECT says('throw 1', '7');
SELECT says('throw 1', '[]');
SELECT says('throw 1', '{}');
SELECT says('throw 1', '{"name": 1, "message": [], "stack": {}, "line": "x", "item": -7}');
SELECT says('throw 1', '{"name": "A", "message": "b", "item": 99999999999999999999}');
SELECT says('throw 1', '\x7b226d657373616765223a22ff227d');
SELECT length(says('throw 1', convert_to('{"message": "' || repeat('x', 2000000) || '"}', 'UTF8')));
SELECT (sandbox('{"lies": 5000, "seed": 1}')->>'refused')::int > 4000 AS refused, sandbox('{"source": "return 1"}') AS next;
-- nothing of a call is in the memory of the next
SELECT sandbox('{"search": "canary of the first call", "own": true}') AS own, sandbox('{"search": "canary of the first call"}') AS others;
SELECT sandbox('{"source": "const a = []; for (let i = 0; i < 20000; i++) a.push($input + i); throw new Error(a.join())", "values": {"$input": "canary of the second call"}}')->>'code' AS code,
	sandbox('{"search": "canary of the second"}') AS others;
SELECT sandbox('{"source": "const f = (s, n) => n ? f(s + n, n - 1) : s; globalThis.kept = f($input, 500); for (;;) ;", "timeMs": 30, "values": {"$input": "canary of the third call"}}')->>'message' AS ends,
	sandbox('{"search": "canary of the third"}') AS others;
SELECT sandbox('{"source": "const a = [$input]; for (;;) a.push(a.join() + $input)", "memoryKb": 30000, "values": {"$input": "canary of the fourth call"}}')->>'message' AS ends,
	sandbox('{"search": "canary of the fourth"}') AS others;
-- uses do not nest, and logs and results that are read while the next one begins are copies: a function that is called within a run calls code
CREATE FUNCTION inner_run(x int) RETURNS jsonb LANGUAGE sql AS $$ SELECT sandbox(jsonb_build_object('source', 'console.log("inner " + $input); return $input * 2', 'values', jsonb_build_object('$input', x))) $$;
SELECT wf_save('nested', '{"nodes": [{"id": "a", "type": "code", "config": {"source": "console.log(\"outer\"); return {x: 21}"}},
	{"id": "q", "type": "db.query", "config": {"sql": "SELECT inner_run($1)", "params": ["{{ $node.a.output.x }}"], "outputFormat": "value"}},
	{"id": "b", "type": "code", "config": {"source": "console.log(\"after\"); return [$node.a.output, $node.q.output]"}}],
	"edges": [{"source": "a", "target": "q"}, {"source": "q", "target": "b"}]}');
SELECT wf_run('nested')->'output';
SELECT log FROM wf_steps WHERE log IS NOT NULL ORDER BY seq;
-- in subtransactions that fail, and those that do not
DO $$ BEGIN FOR i IN 1..50 LOOP BEGIN PERFORM sandbox('{"source": "return $input", "values": {"$input": 1}}'); RAISE EXCEPTION 'undone %', i; EXCEPTION WHEN raise_exception THEN PERFORM sandbox('{"poke": 4294967295}'); END; END LOOP; END $$;
SELECT sandbox('{"source": "return 1"}');
-- in a parallel worker: an instance of its own
CREATE FUNCTION in_worker(x int) RETURNS text LANGUAGE sql PARALLEL SAFE AS $$ SELECT sandbox(jsonb_build_object('source', 'return $input + 1', 'values', jsonb_build_object('$input', x)))->>'value' $$;
CREATE TABLE numbers AS SELECT g AS n FROM generate_series(1, 2000) g;
ANALYZE numbers;
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off;
ALTER FUNCTION sandbox(jsonb) PARALLEL SAFE;
SELECT sum(in_worker(n)::int) = sum(n + 1) AS all_of_them FROM numbers;
RESET ALL;
-- another process that is begun while there is an instance
COPY (SELECT sandbox('{"source": "return 1"}')) TO PROGRAM 'cat >/dev/null';
SELECT sandbox('{"source": "return 2"}');
