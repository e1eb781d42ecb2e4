-- db.create, db.update, db.upsert, db.delete on tables of all kinds.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE FUNCTION q(kind text, config jsonb, context jsonb DEFAULT '{}', note bool DEFAULT false) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C;
CREATE FUNCTION qexplain(kind text, config jsonb, plan bool DEFAULT false) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_query_explain' LANGUAGE C;
-- defaults, identity, generated; missing against null
CREATE TABLE t (
	id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int DEFAULT 7, b text DEFAULT 'd', c int GENERATED ALWAYS AS (a * 2) STORED,
	d int NOT NULL DEFAULT 1, data jsonb
);
SELECT q('create', '{"table": "t", "values": {}}');
SELECT q('create', '{"table": "t", "values": {"a": null, "b": "{{ $input.missing }}"}}', '{"input": {}}');
SELECT q('create', '{"table": "t", "values": "{{ $input }}"}', '{"input": {"a": 1}}');
SELECT q('create', '{"table": "t", "values": {"d": null}}');
SELECT q('create', '{"table": "t", "values": {"id": 5}}');
SELECT q('create', '{"table": "t", "values": {"c": 5}}');
SELECT q('create', '{"table": "t", "values": {"x": 5}}');
SELECT q('create', '{"table": "t", "values": "{{ $input }}"}', '{"input": [1]}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "$1::int + $2 * $1", "params": ["{{ $input.x }}", 10]}, "b": {"$expr": "upper($1)", "params": ["x"]}}, "returning": ["a", "b", "c"]}', '{"input": {"x": 3}}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "count(*) FROM t"}}}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "1), (2"}}}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "1 -- c"}}, "returning": "a"}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "$2", "params": [1]}}}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "{{ $input }}"}}}', '{"input": "1"}');
SELECT q('create', '{"table": "t", "values": {"a": {"$expr": "1 +"}}}');
SELECT q('create', '{"table": "t", "values": {"a": 1}, "returning": false}');
SELECT q('create', '{"table": "t", "values": {"data": "{{ $input }}"}, "returning": ["data"]}', '{"input": {"$expr": "1", "params": []}}');
SELECT q('create', '{"table": "t", "values": "{{ $input }}", "returning": ["data"]}', '{"input": {"data": {"$expr": "1"}}}');
SELECT q('create', '{"table": "t", "values": "{{ $input }}", "returning": ["data"]}', '{"input": {"data": {"$inc": 1}}}');
-- update
SELECT q('update', '{"table": "t", "set": {"a": {"$inc": 2}, "d": {"$inc": "{{ $input.n }}"}}, "where": {"id": 1}, "returning": ["a", "c", "d"]}', '{"input": {"n": 5}}');
SELECT q('update', '{"table": "t", "set": "{{ $input }}", "where": {"id": 1}, "returning": ["a", "b"]}', '{"input": {"b": "new"}}');
SELECT q('update', '{"table": "t", "set": "{{ $input }}", "where": {"id": 1}}', '{"input": {"a": {"$expr": "1"}}}');
SELECT q('update', '{"table": "t", "set": {"a": 1}}');
SELECT q('update', '{"table": "t", "set": {"a": 1}, "where": {}}');
SELECT q('update', '{"table": "t", "set": {"a": 1}, "where": {"and": [{}]}}');
SELECT q('update', '{"table": "t", "set": {"a": 1}, "where": "{{ $input }}"}', '{"input": {}}');
SELECT q('update', '{"table": "t", "set": {"a": 1}, "where": "{{ $input }}"}', '{"input": null}');
SELECT q('update', '{"table": "t", "set": {}, "where": {"id": 1}}');
SELECT q('update', '{"table": "t", "set": {"a": 9}, "where": {"b": "{{ $input.none }}"}, "returning": ["id"]}', '{"input": {}}');
SELECT q('update', '{"table": "t", "as": "x", "set": {"a": 9}, "where": {"x.id": 1}, "returning": ["x.id", "a"]}');
SELECT q('update', '{"table": "t", "set": {"a": 9}, "where": {"id": 1}, "returning": false}');
SELECT q('update', '{"table": "t", "set": {"a": 10}, "where": {"$expr": "true"}, "returning": false}');
SELECT q('delete', '{"table": "t", "where": {"id": {"gt": 3}}, "returning": ["id"]}');
SELECT q('delete', '{"table": "t"}');
SELECT q('delete', '{"table": "t", "where": {"id": 1}}', '{}', true);
SELECT q('delete', '{"table": "t", "where": {"id": 2}, "returning": false}', '{}', true);
-- upsert: inserted or not, with and without set
CREATE TABLE u (k1 int, k2 text, n int DEFAULT 1, note text, PRIMARY KEY (k1, k2));
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a", "note": "first"}, "conflict": ["k1", "k2"]}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a", "note": "second"}, "conflict": ["k1", "k2"]}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a", "n": 5}, "conflict": ["k1", "k2"], "set": {"n": {"$expr": "u.n + excluded.n"}}}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a"}, "conflict": ["k1", "k2"], "set": {"n": {"$inc": 1}}, "returning": ["n"]}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a"}, "conflict": ["k1", "k2"], "returning": false}', '{}', true);
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a"}, "conflict": ["k1"]}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 1, "k2": "a"}}');
SELECT q('upsert', '{"table": "u", "values": "{{ $input }}", "conflict": "{{ $input.c }}"}', '{"input": {"k1": 3, "c": ["k1; drop"]}}');
-- names: mixed case, blanks, dots, quotes, keywords
CREATE SCHEMA "My Schema";
CREATE TABLE "My Schema"."Order.Lines" ("Id" int PRIMARY KEY, "select" int, "a.b" int, "q""uote" int, "customerId" int);
SELECT q('create', '{"table": "My Schema.\"Order.Lines\"", "values": {"Id": 1, "select": 2, "\"a.b\"": 3, "\"q\"\"uote\"": 4, "customerId": 5}}');
SELECT q('update', '{"table": "\"My Schema\".\"Order.Lines\"", "as": "L", "set": {"select": {"$inc": 1}}, "where": {"L.\"a.b\"": 3, "\"q\"\"uote\"": 4}}');
SELECT q('find', '{"table": "My Schema.Order.Lines"}');
SELECT q('find', '{"table": "\"My Schema.\"Order\""}');
SELECT qexplain('delete', '{"table": "My Schema.\"Order.Lines\"", "where": {"Id": 1}}');
-- views
CREATE VIEW tv AS SELECT id, a, b FROM t;
ALTER VIEW tv ALTER b SET DEFAULT 'of the view';
SELECT q('create', '{"table": "tv", "values": {"a": 3}, "returning": ["a", "b"]}');
SELECT q('update', '{"table": "tv", "set": {"a": 4}, "where": {"a": 3}, "returning": ["a"]}');
SELECT q('delete', '{"table": "tv", "where": {"a": 4}, "returning": ["a"]}');
CREATE VIEW uv AS SELECT k1, k2, n FROM u;
SELECT q('upsert', '{"table": "uv", "values": {"k1": 1, "k2": "a", "n": 100}, "conflict": ["k1", "k2"]}');
SELECT q('upsert', '{"table": "uv", "values": {"k1": 2, "k2": "b", "n": 100}, "conflict": ["k1", "k2"]}');
SELECT q('upsert', '{"table": "uv", "values": {"k1": 2, "k2": "b", "n": 1}, "conflict": ["k1", "k2"], "set": {"n": {"$expr": "uv.n + excluded.n"}}}', '{}', true);
SELECT qexplain('upsert', '{"table": "uv", "values": {"k1": 2, "k2": "b", "n": "{{ $input.n }}"}, "conflict": ["k1", "k2"]}');
CREATE VIEW grouped AS SELECT k1, count(*) FROM u GROUP BY k1;
SELECT q('find', '{"table": "grouped", "orderBy": "k1"}');
SELECT q('create', '{"table": "grouped", "values": {"k1": 1}}');
-- partitioned tables
CREATE TABLE p (k int, at date, n int DEFAULT 3, PRIMARY KEY (k, at)) PARTITION BY RANGE (at);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE p2 (at date NOT NULL, n int DEFAULT 4, k int NOT NULL);
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM ('2024-02-01') TO ('2024-03-01');
SELECT q('create', '{"table": "p", "values": {"k": 1, "at": "2024-02-10"}}');
SELECT q('update', '{"table": "p", "set": {"at": "2024-01-10"}, "where": {"k": 1}}');
SELECT q('upsert', '{"table": "p", "values": {"k": 1, "at": "2024-01-10", "n": 5}, "conflict": ["k", "at"]}');
SELECT q('upsert', '{"table": "p", "values": {"k": 2, "at": "2024-02-10", "n": 5}, "conflict": ["k", "at"]}');
SELECT q('upsert', '{"table": "p2", "values": {"k": 2, "at": "2024-02-10", "n": 6}, "conflict": ["k", "at"]}');
SELECT q('upsert', '{"table": "p", "values": {"k": 2, "at": "2024-05-10", "n": 5}, "conflict": ["k", "at"]}');
SELECT q('find', '{"table": "p", "orderBy": ["k"]}');
-- triggers: what they change is what is returned; a row they refuse is no row
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.n < 0 THEN RETURN NULL; END IF;
	NEW.note := coalesce(NEW.note, '') || '+' || TG_OP;
	RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE INSERT OR UPDATE ON u FOR EACH ROW EXECUTE FUNCTION touch();
SELECT q('create', '{"table": "u", "values": {"k1": 5, "k2": "t"}}');
SELECT q('create', '{"table": "u", "values": {"k1": 6, "k2": "t", "n": -1}}');
SELECT q('upsert', '{"table": "u", "values": {"k1": 6, "k2": "t", "n": -1}, "conflict": ["k1", "k2"]}');
SELECT q('upsert', '{"table": "uv", "values": {"k1": 6, "k2": "t", "n": -1}, "conflict": ["k1", "k2"]}');
-- rows that the role may not see or write; columns it has no right to
CREATE ROLE regress_query_role;
GRANT SELECT, INSERT, UPDATE, DELETE ON u TO regress_query_role;
GRANT INSERT (a, b), SELECT (a) ON t TO regress_query_role;
ALTER TABLE u ENABLE ROW LEVEL SECURITY;
CREATE POLICY small ON u USING (k1 < 5) WITH CHECK (k1 < 10);
SELECT q('find', '{"table": "u", "select": ["k1"], "orderBy": "k1"}');
SET ROLE regress_query_role;
SELECT q('find', '{"table": "u", "select": ["k1"], "orderBy": "k1"}');
SELECT q('update', '{"table": "u", "set": {"n": 0}, "where": {"k1": 5}}');
SELECT q('create', '{"table": "u", "values": {"k1": 20, "k2": "z"}}');
SELECT q('create', '{"table": "u", "values": {"k1": 7, "k2": "z"}, "returning": false}', '{}', true);
SELECT q('create', '{"table": "t", "values": {"a": 1}}');
SELECT q('create', '{"table": "t", "values": {"a": 1}, "returning": ["a"]}');
SELECT q('create', '{"table": "t", "values": {"a": 1}, "returning": false}', '{}', true);
SELECT q('find', '{"table": "t"}');
SELECT q('find', '{"table": "My Schema.x"}');
RESET ROLE;
SELECT q('find', '{"table": "u", "select": ["k1"], "orderBy": "k1"}');
DROP OWNED BY regress_query_role;
DROP ROLE regress_query_role;
-- what is no table
CREATE INDEX t_a ON t (a);
SELECT q('find', '{"table": "t_a"}');
SELECT q('find', '{"table": "nowhere.t"}');
SELECT q('find', '{"table": 5}');
SELECT q('find', '{"table": "{{ $input }}"}', '{"input": 5}');
-- an error leaves nothing behind, and the statement goes on working
SELECT q('create', '{"table": "u", "values": {"k1": "{{ $input.k }}", "k2": "e"}, "returning": ["k1"]}', '{"input": {"k": 8}}');
SELECT q('create', '{"table": "u", "values": {"k1": "{{ $input.k }}", "k2": "e"}, "returning": ["k1"]}', '{"input": {"k": 8}}');
SELECT q('create', '{"table": "u", "values": {"k1": "{{ $input.k }}", "k2": "e"}, "returning": ["k1"]}', '{"input": {"k": "x"}}');
SELECT q('create', '{"table": "u", "values": {"k1": "{{ $input.k }}", "k2": "e"}, "returning": ["k1"]}', '{"input": {"k": 9}}');
