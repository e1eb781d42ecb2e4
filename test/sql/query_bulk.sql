-- db.bulkCreate, db.bulkUpdate, db.bulkDelete: one statement for all items alike.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE FUNCTION q(kind text, config jsonb, context jsonb DEFAULT '{}', note bool DEFAULT false) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C;
CREATE FUNCTION qexplain(kind text, config jsonb, plan bool DEFAULT false) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_query_explain' LANGUAGE C;
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN word AS text DEFAULT 'word' CHECK (VALUE <> 'bad');
CREATE TABLE t (
	id int PRIMARY KEY, a int DEFAULT 7, b text, tags text[], m int[][], p pair, d jsonb, w word, at timestamptz
);
CREATE TABLE statements (n serial, op text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO statements (op) VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
SELECT q('bulkCreate', '{"table": "t", "items": "{{ $input }}", "returning": true}', '{"input": [
	{"id": 1, "a": 1, "b": "x", "tags": ["p", "q"], "m": [[1, 2], [3, 4]], "p": {"a": 1, "b": "(,\""}, "d": {"k": [1, null]}, "w": "w1"},
	{"id": 2, "a": null, "b": null, "tags": [], "p": null, "d": "x", "w": null},
	{"id": 3, "a": 3, "w": "w3"},
	{"id": 4, "b": "defaults"},
	{"id": 5}
]}');
SELECT count(*), op FROM statements GROUP BY op;
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 10, "b": "{{ $input.x }}"}, {"id": "{{ 10 + 1 }}"}]}', '{"input": {"x": "tpl"}}');
SELECT q('bulkCreate', '{"table": "t", "items": []}');
SELECT q('bulkCreate', '{"table": "t", "items": [], "returning": ["id"]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1}]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 20}, {"id": "x"}]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 20}, 5]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 20, "nope": 1}]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 20, "w": "bad"}]}');
SELECT q('bulkCreate', '{"table": "t", "items": {"id": 1}}');
SELECT q('bulkCreate', '{"table": "t", "items": "{{ $input.none }}"}', '{"input": {}}');
SELECT q('bulkCreate', '{"table": "t"}');
SELECT q('bulkCreate', '{"table": "t", "items": "{{ $input }}", "returning": ["id", "b"]}', '{"input": [{"id": 21, "b": "''; drop table t; --"}]}');
-- conflicts
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1, "b": "ignored"}, {"id": 22, "b": "new"}], "onConflict": "ignore", "returning": ["id"]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1, "b": "updated"}, {"id": 23, "b": "new"}], "onConflict": "update", "conflict": ["id"], "returning": ["id", "b"]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1}, {"id": 24}], "onConflict": "update", "conflict": "id", "returning": ["id", "a"]}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 25, "b": "x"}, {"id": 25, "b": "y"}], "onConflict": "update", "conflict": "id"}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1}], "onConflict": "update"}');
SELECT q('bulkCreate', '{"table": "t", "items": [{"id": 1}], "onConflict": "overwrite"}');
-- updates by items: what an item leaves out stays
TRUNCATE statements;
SELECT r FROM jsonb_array_elements(q('bulkUpdate', '{"table": "t", "items": "{{ $input }}", "key": ["id"], "returning": ["id", "a", "b", "tags", "p"]}', '{"input": [
	{"id": 1, "a": 100}, {"id": 2, "b": "two", "a": null}, {"id": 3, "a": 300}, {"id": 4, "p": {"b": "q"}, "tags": ["z"]}, {"id": 999, "a": 1}]}') -> 'rows') r ORDER BY r -> 'id';
SELECT count(*), op FROM statements GROUP BY op;
SELECT q('bulkUpdate', '{"table": "t", "as": "item", "items": [{"id": 1, "b": "alias"}], "key": "id", "returning": ["id", "b"]}');
SELECT q('bulkUpdate', '{"table": "t", "items": [{"id": 1, "b": "x"}], "key": ["id", "a"]}');
SELECT q('bulkUpdate', '{"table": "t", "items": [{"id": 1}], "key": ["id"]}');
SELECT q('bulkUpdate', '{"table": "t", "items": [{"id": 1}]}');
SELECT q('bulkUpdate', '{"table": "t", "items": [{"id": 1}], "key": ["nope"]}');
SELECT q('bulkUpdate', '{"table": "t", "set": {"b": "all"}, "where": {"id": {"gt": 20}}}');
SELECT q('bulkUpdate', '{"table": "t", "set": {"b": "all"}, "where": {"id": {"gt": 20}}, "returning": ["id"]}');
SELECT q('bulkUpdate', '{"table": "t", "set": {"b": "all"}}');
SELECT q('bulkUpdate', '{"table": "t", "items": [], "key": "id", "where": {"id": 1}}');
-- deletes
SELECT q('bulkDelete', '{"table": "t", "items": [{"id": 21, "b": "not part of the key"}, {"id": 22}], "key": ["id"], "returning": ["id"]}');
SELECT q('bulkDelete', '{"table": "t", "items": "{{ $input }}", "key": "id"}', '{"input": [23, 24, null, 99]}');
SELECT q('bulkDelete', '{"table": "t", "items": [{"id": 1, "a": 100}, {"id": 2, "a": 5}], "key": ["id", "a"]}');
SELECT q('bulkDelete', '{"table": "t", "items": [{"a": 100}], "key": ["id"]}');
SELECT q('bulkDelete', '{"table": "t", "where": {"id": 2}}', '{}', true);
SELECT q('bulkDelete', '{"table": "t", "items": [3, 4], "key": "id"}', '{}', true);
SELECT q('bulkDelete', '{"table": "t"}');
-- items without a column at all; views and their defaults
CREATE TABLE all_default (id int GENERATED BY DEFAULT AS IDENTITY, x int DEFAULT 5);
SELECT q('bulkCreate', '{"table": "all_default", "items": [{}, {}, {"x": 6}], "returning": true}');
CREATE VIEW v AS SELECT * FROM all_default;
SELECT q('bulkCreate', '{"table": "v", "items": [{"id": 50}, {"x": 7}], "returning": true}');
CREATE TABLE gen (id int GENERATED ALWAYS AS IDENTITY, x int);
SELECT q('bulkCreate', '{"table": "gen", "items": [{"id": 1, "x": 2}]}');
SELECT q('bulkCreate', '{"table": "gen", "items": [{"x": 2}, {"x": 3}], "returning": true}');
-- many
CREATE TABLE many (id int PRIMARY KEY, name text, n numeric DEFAULT 1, at timestamptz);
CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON many FOR EACH STATEMENT EXECUTE FUNCTION note();
TRUNCATE statements;
SELECT q('bulkCreate', '{"table": "many", "items": "{{ $input }}"}',
	jsonb_build_object('input', (SELECT jsonb_agg(jsonb_build_object('id', g, 'name', 'n' || g, 'at', '2024-01-01'::timestamptz)) FROM generate_series(1, 100000) g)));
SELECT q('bulkUpdate', '{"table": "many", "items": "{{ $input }}", "key": ["id"]}',
	jsonb_build_object('input', (SELECT jsonb_agg(jsonb_build_object('id', g, 'n', g * 2)) FROM generate_series(1, 20000) g)));
SELECT q('bulkDelete', '{"table": "many", "items": "{{ $input }}", "key": ["id"]}',
	jsonb_build_object('input', (SELECT jsonb_agg(g) FROM generate_series(1, 10000) g)));
SELECT count(*), op FROM statements GROUP BY op ORDER BY op;
SELECT count(*), sum(n) FROM many;
SELECT qexplain('bulkCreate', '{"table": "many", "items": "{{ $input }}"}');
