-- Statements follow changes of the catalog, and leave nothing behind.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE FUNCTION q(kind text, config jsonb, context jsonb DEFAULT '{}', note bool DEFAULT false) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C;
CREATE FUNCTION qcheck(kind text, config jsonb) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_query_check' LANGUAGE C;
CREATE FUNCTION qexplain(kind text, config jsonb, plan bool DEFAULT false) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_query_explain' LANGUAGE C;
CREATE FUNCTION qforget() RETURNS void AS '$libdir/workflow', 'wf_sql_test_query_forget' LANGUAGE C;
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE FUNCTION put(id int, v jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT q('create', '{"table": "t", "values": {"id": "{{ $input.id }}", "v": "{{ $input.v }}"}}', jsonb_build_object('input', jsonb_build_object('id', id, 'v', v))) $$;
CREATE FUNCTION get(id jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT q('findOne', '{"table": "t", "where": {"id": "{{ $input }}"}}', jsonb_build_object('input', id)) $$;
CREATE FUNCTION raw(id jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT q('query', '{"sql": "SELECT * FROM t WHERE id = $1", "params": ["{{ $input }}"]}', jsonb_build_object('input', id)) $$;
SELECT put(1, '"5"'), get('1'), raw('1');
-- columns come, go, change their type and their name
ALTER TABLE t ALTER v TYPE int USING v::int;
SELECT put(2, '7'), get('2'), raw('2');
SELECT put(3, '"x"');
ALTER TABLE t ADD w date DEFAULT '2024-01-01';
SELECT put(3, '8'), get('3'), raw('3');
ALTER TABLE t DROP COLUMN v;
SELECT put(4, '9');
SELECT get('3'), raw('3');
ALTER TABLE t RENAME w TO v;
SELECT put(4, '"2024-02-02"'), get('4'), raw('4');
ALTER TABLE t ALTER id TYPE text;
SELECT get('"4"'), get('4'), raw('"4"');
-- the table goes away and another takes its name
DROP TABLE t;
SELECT get('1');
SELECT raw('1');
CREATE TABLE t (v jsonb, id uuid PRIMARY KEY DEFAULT 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
INSERT INTO t VALUES ('{"a": 1}');
SELECT get('"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"'), raw('"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"');
SELECT get('1');
ALTER TABLE t RENAME TO t_old;
CREATE VIEW t AS SELECT 1 AS id, v FROM t_old;
SELECT get('1'), raw('1');
DROP VIEW t;
ALTER TABLE t_old RENAME TO t;
-- a rolled back change
BEGIN;
ALTER TABLE t ADD x int;
SELECT get('"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"');
ROLLBACK;
SELECT get('"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"');
-- types: an enum that grows, a composite that changes, a domain that gets stricter, a type made again
CREATE TYPE mood AS ENUM ('ok');
CREATE TYPE pair AS (a int);
CREATE DOMAIN small AS int;
CREATE TABLE k (m mood, p pair, ps pair[], s small);
CREATE FUNCTION putk(v jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT q('create', '{"table": "k", "values": {"m": "{{ $input.m }}", "p": "{{ $input.p }}", "ps": "{{ $input.ps }}", "s": "{{ $input.s }}"}}', jsonb_build_object('input', v)) $$;
SELECT putk('{"m": "ok", "p": {"a": 1}, "ps": [{"a": 2}], "s": 5}');
ALTER TYPE mood ADD VALUE 'bad';
ALTER TYPE pair ADD ATTRIBUTE b text;
ALTER DOMAIN small ADD CHECK (VALUE < 10);
SELECT putk('{"m": "bad", "p": {"a": 1, "b": "x"}, "ps": [{"b": "y"}], "s": 5}');
SELECT putk('{"s": 10}');
ALTER TABLE k DROP p, DROP ps;
DROP TYPE pair;
CREATE TYPE pair AS (z bool);
ALTER TABLE k ADD p pair, ADD ps pair[];
SELECT putk('{"p": {"z": true}, "ps": [{"z": false}]}');
-- functions
CREATE FUNCTION f(a int) RETURNS text LANGUAGE sql AS $$SELECT 'one ' || a$$;
SELECT q('call', '{"function": "f", "args": {"a": 1}}');
DROP FUNCTION f;
SELECT q('call', '{"function": "f", "args": {"a": 1}}');
CREATE FUNCTION f(a text, b text DEFAULT 'd') RETURNS TABLE (x text) LANGUAGE sql AS $$SELECT a || b$$;
SELECT q('call', '{"function": "f", "args": {"a": 1}}');
-- the same statement within itself, made stale in between
CREATE TABLE r (id int PRIMARY KEY, depth int);
CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.depth > 0 THEN
		GRANT SELECT ON r TO PUBLIC;
		COMMENT ON TABLE r IS 'changed';
		PERFORM q('create', '{"table": "r", "values": {"id": "{{ $input.id }}", "depth": "{{ $input.depth }}"}}',
			jsonb_build_object('input', jsonb_build_object('id', NEW.id + 1, 'depth', NEW.depth - 1)));
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER again BEFORE INSERT ON r FOR EACH ROW EXECUTE FUNCTION again();
SELECT q('create', '{"table": "r", "values": {"id": "{{ $input.id }}", "depth": "{{ $input.depth }}"}}', '{"input": {"id": 1, "depth": 5}}');
SELECT q('find', '{"table": "r", "orderBy": "id"}');
DELETE FROM r;
SELECT q('upsert', '{"table": "r", "values": {"id": "{{ $input.id }}", "depth": 3}, "conflict": "id"}', '{"input": {"id": 1}}');
DELETE FROM r;
-- many different texts do not grow without end
SELECT count(q('find', jsonb_build_object('table', 'pg_class', 'select', '["relname"]'::jsonb, 'limit', 1, 'where', '{{ $input }}'),
	jsonb_build_object('input', jsonb_build_object('relname', 'x', 'and', (SELECT jsonb_agg('{"relname": "y"}'::jsonb) FROM generate_series(1, g)))))) FROM generate_series(1, 600) g;
SELECT count(*) < 400 FROM pg_backend_memory_contexts WHERE name = 'workflow plan';
SELECT qforget();
SELECT count(*) <= 256 FROM pg_backend_memory_contexts WHERE name IN ('workflow plan', 'workflow statement');
-- errors in a subtransaction leave plans and snapshots in order
DO $$
BEGIN
	FOR i IN 1 .. 50 LOOP
		BEGIN
			PERFORM q('query', '{"sql": "SELECT 1 / ($1::int - 25)", "params": ["{{ $input }}"]}', jsonb_build_object('input', i));
		EXCEPTION WHEN division_by_zero THEN
			RAISE WARNING 'divided at %', i;
		END;
	END LOOP;
END $$;
-- transactions in other states
BEGIN TRANSACTION READ ONLY;
SELECT q('find', '{"table": "r", "select": ["id"]}');
SELECT q('create', '{"table": "r", "values": {"id": 50, "depth": 0}}');
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT q('create', '{"table": "r", "values": {"id": 50, "depth": 0}}');
SELECT q('find', '{"table": "r", "where": {"id": 50}}');
ROLLBACK;
-- output limit
SET workflow.max_output_size = '64kB';
SELECT q('query', '{"sql": "SELECT repeat(''x'', 100) AS x FROM pg_class a, pg_class b, pg_class c"}');
SELECT q('query', '{"sql": "SELECT repeat(''x'', 100000) AS x", "outputFormat": "value"}');
SELECT q('query', '{"sql": "SELECT repeat(''x'', 100000) AS x", "outputFormat": "none"}');
RESET workflow.max_output_size;
-- what is wrong is said all at once, with the catalog and without
SELECT qcheck('update', '{"table": "k", "set": {"mm": 1, "s": {"$expr": "{{ 1 }}"}}, "where": {"or": [{"m": {"equals": 1}}, {"not": 5}]}}');
SELECT qcheck('update', '{"table": "k", "set": {"mm": 1}, "where": {"or": [{"nn": 1}, {"pp": {"in": [1]}}]}, "returning": ["qq"]}');
SELECT qcheck('find', '{"table": "kk", "joins": [{"table": "pg_catalog.pg_clas", "on": {"a": "b"}}]}');
SELECT qcheck('update', '{"table": "k", "set": {"s": {"$expr": "nope($1)", "params": [1]}}, "where": {"s": 1}}');
SELECT qcheck('aggregate', '{"table": "k", "aggregates": {"x": {"fn": "sun", "column": "s"}}}');
SELECT qcheck('call', '{"function": "ff"}');
SELECT qcheck('call', '{"function": "f", "args": {"aa": 1}}');
SELECT qcheck('query', '{"sql": "SELECT nope FROM k"}');
SELECT qcheck('bulkUpdate', '{"table": "k", "items": "{{ $input }}", "key": ["zz"]}');
SELECT qcheck('find', '{"table": "{{ $input.t }}", "where": "{{ $input.w }}"}');
SELECT qcheck('find', '{"table": "k", "where": {"m": "{{ $input.w }}"}}');
SELECT count(*) FROM pg_locks WHERE relation = 'k'::regclass;
