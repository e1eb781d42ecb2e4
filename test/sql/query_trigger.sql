-- Row triggers on tables: what may have them, what they are, when they fire, and what they say.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/row_triggers.psql'
\i :lib

CREATE SCHEMA app;
CREATE TABLE orders (id int PRIMARY KEY, status text, qty int, price numeric(8,2), twice int GENERATED ALWAYS AS (qty * 2) STORED, gone text);
ALTER TABLE orders DROP COLUMN gone;
CREATE TABLE app.orders (id int);
CREATE VIEW order_view AS SELECT id, status, qty FROM orders;
CREATE MATERIALIZED VIEW order_mat AS SELECT id FROM orders;
CREATE SEQUENCE order_seq;
CREATE TEMP TABLE order_temp (id int);
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE order_far (id int) SERVER nowhere;

-- what is refused
SELECT tcheck('{}');
SELECT tcheck('[]');
SELECT tcheck('{"table": 5, "events": ["insert", "explode", 5], "level": "cell", "replica": "yes", "columns": [], "when": "$trigger.new.id ==="}');
SELECT tcheck('{"table": "orders", "events": ["insert"], "columns": ["qty"]}');
SELECT tcheck('{"table": "orders", "events": [], "columns": "qty"}');
SELECT tcheck('{"table": "ordrs", "events": ["insert"]}');
SELECT tcheck('{"table": "orders", "events": ["insert"]}', 'app, public'), tcheck('{"table": "orders", "events": ["insert"]}', 'nowhere');
SELECT tcheck('{"table": "app.order", "events": ["insert"]}');
SELECT tcheck('{"table": "nowhere.orders", "events": ["insert"]}');
SELECT tcheck('{"table": "a.b.c", "events": ["insert"]}');
SELECT tcheck('{"table": "\"orders", "events": ["insert"]}');
SELECT tcheck(jsonb_build_object('table', repeat('x', 100), 'events', '["insert"]'::jsonb));
SELECT tcheck(jsonb_build_object('table', t, 'events', '["insert"]'::jsonb)) FROM unnest(ARRAY['pg_class', 'pg_catalog.pg_class', 'information_schema.sql_features',
	'wf.workflow', 'order_mat', 'order_seq', 'order_temp', 'orders_pkey', 'order_far', 'order_view']) t;
SELECT tcheck('{"table": "order_view", "events": ["insert", "truncate"]}');
SELECT tcheck('{"table": "order_view", "events": ["insert"], "level": "statement"}');
SELECT tcheck('{"table": "order_far", "events": ["insert"], "level": "statement"}');
SELECT tcheck('{"table": "orders", "events": ["update"], "level": "statement", "columns": ["qty"]}');
SELECT tcheck('{"table": "orders", "events": ["UPDATE"], "columns": ["qty", "nosuch", "qty", "ctid", "gone", "twice", "statu"]}');

-- when
SELECT tcheck(jsonb_build_object('table', 'orders', 'events', e::jsonb, 'when', c)) FROM (VALUES
	('["insert"]', '$trigger.old.qty > 5'), ('["insert", "update"]', '$trigger.op === "UPDATE" && $trigger.old.qty > 5'),
	('["insert", "update"]', '$trigger.op !== "UPDATE" || $trigger.old.qty > 5'), ('["insert", "update"]', '$trigger.op === "UPDATE" ? $trigger.old.qty > 5 : true'),
	('["insert", "update"]', '$trigger.old && $trigger.old.qty > 5'), ('["insert", "update"]', '$trigger.old?.qty !== $trigger.new.qty'),
	('["insert", "update"]', '$trigger.old !== null && $trigger.old.qty > 5'), ('["insert", "update"]', '($trigger.old ?? $trigger.new).qty > 5'),
	('["insert", "update", "delete", "truncate"]', '$trigger.new.qty > $trigger.old.qty'), ('["delete"]', '$trigger.new === null'),
	('["delete"]', '[1].map(x => $trigger.new.qty)[0] > 5'), ('["delete"]', '`${$trigger.new.qty}` === "5"'), ('["delete"]', '({a: $trigger.new.qty}).a === [$trigger.new["qty"]][0]'),
	('["delete"]', 'Math.max(...[$trigger.new.qty], $if(true, $trigger.new.id)) > 5'), ('["delete"]', '((x = $trigger.new.qty) => x)() > 5'),
	('["update"]', '$trigger.new.statsu === "paid"'), ('["update"]', '$trigger.new.statsu === "a" || $trigger.new.statsu === "b"'), ('["update"]', '$trigger.new.ctid === 5'),
	('["update"]', '$trigger.new.gone === 5'), ('["update"]', '$trigger.nwe.qty === 5'), ('["update"]', '$trigger[0] === 5'), ('["update"]', '$input.qty === 5'), ('["update"]', '$vars.x'),
	('["update"]', '$trigger.new.status.startsWith("p") && $now.year > 2000'), ('["update"]', '$trigger.table === "orders" && $trigger.schema !== "x"'),
	('["update"]', '$trigger.new.price.nosuch.deep'), ('["update"]', 'qty > 5')) v(e, c);
SELECT tcheck('{"table": "orders", "events": ["insert", "update", "delete", "truncate"], "level": "statement", "when": "$trigger.new.length > 0"}');
SELECT tcheck('{"table": "orders", "events": ["insert", "update"], "level": "statement", "when": "$trigger.new.length > 0"}');

-- long ones take their time, and no more
SELECT tcheck(jsonb_build_object('table', 'orders', 'events', '["update"]'::jsonb, 'when', (SELECT string_agg('$trigger.new.status !== "x' || i || '"', ' && ') FROM generate_series(1, 900) i)));
SELECT tcheck(jsonb_build_object('table', 'orders', 'events', '["insert"]'::jsonb, 'when', (SELECT string_agg('($trigger.op === "INSERT" || $trigger.old.qty > ' || i || ')', ' && ') FROM generate_series(1, 900) i)));

-- whoever saves needs the privilege
CREATE ROLE row_saver;
CREATE SCHEMA closed CREATE TABLE orders (id int);
SET ROLE row_saver;
SELECT tcheck('{"table": "orders", "events": ["insert"]}'), tcheck('{"table": "closed.orders", "events": ["insert"]}');
RESET ROLE;
GRANT TRIGGER, INSERT, DELETE, TRUNCATE ON orders TO row_saver;
GRANT TRIGGER ON order_view TO row_saver;
SET ROLE row_saver;
SELECT tcheck('{"table": "orders", "events": ["insert"]}'), tcheck('{"table": "orders", "events": ["insert"], "replica": true}');

-- installing, as who has the privilege and no more
SELECT put('{"table": "orders", "events": ["insert", "delete"]}');
RESET ROLE;
REVOKE TRIGGER ON orders FROM row_saver;
SELECT * FROM defs('orders');
SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal;
INSERT INTO orders VALUES (1, 'new', 5, 1.50), (2, NULL, NULL, NULL);
DELETE FROM orders WHERE id = 2;
SELECT * FROM shots();

-- the same again touches nothing; not even the privilege is asked for
CREATE TABLE before AS SELECT oid, xmin::text AS version FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
SET ROLE row_saver;
SELECT put('{"table": "orders", "events": ["insert", "delete", "update"]}');
RESET ROLE;
CREATE FUNCTION locks(r regclass) RETURNS SETOF text LANGUAGE sql AS $$ SELECT mode FROM pg_locks WHERE relation = r AND pid = pg_backend_pid() AND mode <> 'AccessShareLock' ORDER BY 1 $$;
BEGIN;
SELECT put('{"table": "orders", "events": ["insert", "delete"]}');
SELECT * FROM locks('orders');
COMMIT;
SELECT count(*) FROM pg_trigger t JOIN before b ON t.oid = b.oid AND t.xmin::text = b.version WHERE NOT tgisinternal;
-- what changed is replaced, what is new is made, what is gone is dropped
SELECT put('{"table": "orders", "events": ["insert", "update"], "columns": ["qty", "twice"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > $trigger.old.qty"}');
SELECT * FROM defs('orders');
CREATE OR REPLACE FUNCTION again(config jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before text := (SELECT string_agg(oid::text || xmin::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = (SELECT relid FROM declared WHERE node = 'changed'));
BEGIN
	PERFORM put(config);
	RETURN CASE WHEN before = (SELECT string_agg(oid::text || xmin::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = (SELECT relid FROM declared WHERE node = 'changed'))
		THEN 'untouched' ELSE 'changed' END;
END
$$;
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty", "twice"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > $trigger.old.qty"}');
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty", "twice"], "when": "$trigger.op === \"INSERT\" || ($trigger.old.qty < $trigger.new.qty)"}');
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > $trigger.old.qty"}');
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > 5"}');
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > 5 && $trigger.new.status === \"a\""}');
SELECT again('{"table": "orders", "events": ["insert", "update"], "columns": ["qty"], "when": "$trigger.op === \"INSERT\" || $trigger.new.qty > 5 && $trigger.new.status === \"a\""}');
TRUNCATE orders;
INSERT INTO orders VALUES (1, 'a', 6, 1.50), (2, 'b', 7, 2);
SELECT * FROM shots();
UPDATE orders SET status = 'b' WHERE id = 1;
UPDATE orders SET qty = 8;
UPDATE orders SET qty = 3, status = 'a';
UPDATE orders SET qty = qty + 3;
SELECT * FROM shots();

-- every event; what WHEN cannot say is asked again
SELECT put('{"table": "orders", "events": ["insert", "update", "delete", "truncate"], "when": "$trigger.op === \"TRUNCATE\" || String(($trigger.new ?? $trigger.old).status).startsWith(\"p\")"}');
SELECT * FROM defs('orders');
INSERT INTO orders VALUES (3, 'paid', 1, 1), (4, 'open', 1, 1) ON CONFLICT (id) DO NOTHING;
INSERT INTO orders VALUES (4, 'x', 1, 1) ON CONFLICT (id) DO UPDATE SET status = 'packed';
COPY orders (id, status) FROM stdin;
5	posted
6	\N
\.
DELETE FROM orders WHERE id > 4;
TRUNCATE orders;
SELECT * FROM shots();

-- what a DBA disabled stays so, and is said
SELECT put('{"table": "orders", "events": ["insert", "update"]}');
DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE orders DISABLE TRIGGER %I', tgname) FROM pg_trigger WHERE tgname ~ 'wf_changed_.*_insert'); END $$;
SELECT tfind('orders'::regclass, '00000000-0000-0000-0000-000000000001', 'changed');
SELECT put('{"table": "orders", "events": ["insert", "update"], "when": "$trigger.new.qty > 1", "replica": true}');
SELECT * FROM defs('orders');
SELECT again('{"table": "orders", "events": ["insert", "update"], "when": "$trigger.new.qty > 1", "replica": true}');
SET session_replication_role = replica;
INSERT INTO orders VALUES (1, 'x', 5, 1);
UPDATE orders SET qty = 6;
SELECT * FROM shots();
RESET session_replication_role;
-- and what he changed is put right
\set mend 'SELECT again(\'{"table": "orders", "events": ["insert", "update"], "when": "$trigger.new.qty > 1", "replica": true}\');'
CREATE FUNCTION spoil(how text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE (SELECT format(how, tgname) FROM pg_trigger WHERE tgname ~ 'wf_changed_.*_update');
END
$$;
SELECT spoil('CREATE OR REPLACE TRIGGER %I AFTER UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(''00000000-0000-0000-0000-000000000000'', ''00000000-0000-0000-0000-000000000001'', ''changed'')');
:mend
SELECT spoil('CREATE OR REPLACE TRIGGER %I AFTER INSERT OR UPDATE ON orders FOR EACH ROW WHEN (NEW.qty > 1) EXECUTE FUNCTION wf.row_trigger(''x'', ''y'', ''changed'')');
:mend
SELECT spoil('COMMENT ON TRIGGER %I ON orders IS ''mine''');
:mend
SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgname ~ 'wf_changed_.*_update';
SELECT * FROM defs('orders');
SELECT drop_all();

-- a view: INSTEAD OF, and the condition is asked each time
SELECT put('{"table": "order_view", "events": ["insert", "update", "delete"], "columns": ["qty"], "when": "$trigger.op !== \"INSERT\" || $trigger.new.qty > 5"}');
SELECT * FROM defs('order_view');
INSERT INTO order_view VALUES (7, 'a', 6), (8, 'b', 5);
UPDATE order_view SET status = 'c';
UPDATE order_view SET qty = 9;
DELETE FROM order_view;
SELECT * FROM shots();
SELECT drop_all();

-- rows of a statement
SELECT put('{"table": "orders", "events": ["insert", "update", "delete", "truncate"], "level": "statement", "when": "$trigger.op === \"TRUNCATE\" || ($trigger.new ?? $trigger.old).length > 1"}');
SELECT * FROM defs('orders');
SELECT again('{"table": "orders", "events": ["insert", "update", "delete", "truncate"], "level": "statement", "when": "$trigger.op === \"TRUNCATE\" || ($trigger.new ?? $trigger.old).length > 1"}');
TRUNCATE orders;
INSERT INTO orders SELECT i, 's' || i, i, i FROM generate_series(1, 3) i;
INSERT INTO orders VALUES (3, 'x', 1, 1), (4, 'x', 1, 1) ON CONFLICT (id) DO UPDATE SET qty = 33;
UPDATE orders SET qty = qty + 1 WHERE id > 2;
UPDATE orders SET qty = 0 WHERE false;
WITH gone AS (DELETE FROM orders WHERE id = 4 RETURNING *) UPDATE orders SET status = 'one left' FROM gone WHERE orders.id = 1;
DELETE FROM orders;
SELECT * FROM shots();
INSERT INTO orders SELECT i, 's' || i, i, i FROM generate_series(1, 100000) i;
UPDATE orders SET qty = 5;
SELECT firing->>'op', jsonb_array_length(firing->'new'), jsonb_typeof(firing->'old') FROM fired;
SELECT count(*), count(*) FILTER (WHERE value = to_jsonb(o)) FROM fired, jsonb_array_elements(firing->'new') JOIN orders o ON o.id = (value->>'id')::int WHERE firing->>'op' = 'UPDATE';
SELECT count(*), count(*) FILTER (WHERE value = to_jsonb(o) || jsonb_build_object('qty', id, 'twice', 2 * id)) FROM fired, jsonb_array_elements(firing->'old') JOIN orders o ON o.id = (value->>'id')::int WHERE firing->>'op' = 'UPDATE';
DELETE FROM fired;
SET workflow.max_context_size = '1MB';
UPDATE orders SET qty = 6;
UPDATE orders SET qty = 7 WHERE id <= 1000;
RESET workflow.max_context_size;
SELECT count(*), min(jsonb_array_length(firing->'old')) FROM fired;
DELETE FROM fired;
SELECT drop_all();
TRUNCATE orders;

-- all types, as to_jsonb has them; columns that come, go and are renamed meanwhile
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (x int, y text);
CREATE TABLE every (a int2, b float4, c float8, d numeric, e timestamptz, f date, g uuid, h jsonb, i json, j int[], k pair, l mood, m bytea, n char(4), o interval, p bool);
SELECT put('{"table": "every", "events": ["insert"]}', 'every');
INSERT INTO every VALUES (1, 0.1, 0.30000000000000004, 1.50, '2024-01-01 10:00:00.5+00', '2024-02-29', '00000000-0000-0000-0000-00000000000a', '{"a": [1, null]}', '[1,  2]', '{1,NULL}', '(1,)',
	'sad', '\x00ff', 'x', '1 day', true), (1, 'NaN', '-Infinity', 'NaN', 'infinity', '-infinity', NULL, 'null', 'null', '{}', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO every (b, c) VALUES (1e30, 1e-300), ('-0', '-0'), ('Infinity', 5e-324);
SELECT count(DISTINCT f.n), (SELECT count(*) FROM every) FROM fired f JOIN every x ON f.firing->'new' = to_jsonb(x);
SET extra_float_digits = -10;
INSERT INTO every (b, c) VALUES (0.1234567, 0.30000000000000004);
SELECT firing->'new'->>'b', firing->'new'->>'c' FROM fired ORDER BY n DESC LIMIT 1;
RESET extra_float_digits;
DELETE FROM fired;
ALTER TABLE every DROP COLUMN h, DROP COLUMN i, DROP COLUMN j, DROP COLUMN k, DROP COLUMN l, DROP COLUMN m, DROP COLUMN n, DROP COLUMN o, DROP COLUMN p, DROP COLUMN b, DROP COLUMN c;
ALTER TABLE every RENAME COLUMN a TO "the ""first"" %s";
ALTER TABLE every ADD COLUMN z int DEFAULT 7;
ALTER TABLE every ALTER COLUMN f TYPE text USING f::text;
INSERT INTO every VALUES (1);
BEGIN;
ALTER TABLE every RENAME COLUMN z TO y;
INSERT INTO every VALUES (2);
ROLLBACK;
INSERT INTO every VALUES (3);
SELECT * FROM shots();

-- a table that is renamed keeps its triggers; one that is dropped is gone, and nothing breaks
ALTER TABLE every RENAME TO "ev""ery";
ALTER TABLE "ev""ery" SET SCHEMA app;
SELECT tfind(relid, workflow, node) FROM declared;
INSERT INTO app."ev""ery" VALUES (4);
SELECT * FROM shots();
DROP TABLE app."ev""ery";
SELECT drop_all('every');
SELECT tinstall('{"table": "orders", "events": ["insert"]}', '00000000-0000-0000-0000-000000000002', 'x', 'n') = 'orders'::regclass;
ALTER TABLE orders DROP COLUMN price;
SELECT tremove('orders'::regclass, '00000000-0000-0000-0000-000000000002', 'n');
-- a column that a trigger's condition names
SELECT put('{"table": "orders", "events": ["insert"], "when": "$trigger.new.qty > 5"}');
ALTER TABLE orders RENAME COLUMN qty TO amount;
SELECT * FROM defs('orders');
SELECT tcheck(config) FROM declared;
DROP VIEW order_view CASCADE;
DROP MATERIALIZED VIEW order_mat;
ALTER TABLE orders DROP COLUMN twice;
ALTER TABLE orders ALTER COLUMN amount TYPE int8;
ALTER TABLE orders RENAME COLUMN amount TO qty;
ALTER TABLE orders DROP COLUMN qty;
ALTER TABLE orders DROP COLUMN qty CASCADE;
SELECT tfind(relid, workflow, node) FROM declared;
SELECT drop_all();

-- names with everything in them
CREATE SCHEMA "sch""ema %s";
DO $$ BEGIN EXECUTE format('CREATE TABLE "sch""ema %%s".%I (id int, %I text, "%%1$s ''" text)', repeat('é', 31), repeat('ü', 31)); END $$;
SELECT put(jsonb_build_object('table', '"sch""ema %s".' || repeat('é', 31), 'events', '["update"]'::jsonb, 'columns', jsonb_build_array(repeat('ü', 31), '%1$s '''),
	'when', format('$trigger.new["%s"] === "a''\\b%%s" && $trigger.new["%%1$s ''"] !== $trigger.old["%%1$s ''"]', repeat('ü', 31))), 'n' || repeat('_x', 100),
	'00000000-0000-0000-0000-000000000009', 'it''s "the" 100%s');
SELECT * FROM defs((SELECT relid FROM declared)::regclass);
SELECT obj_description(oid, 'pg_trigger'), octet_length(tgname) FROM pg_trigger WHERE tgrelid = (SELECT relid FROM declared);
DO $$ DECLARE t text := (SELECT relid::regclass FROM declared); BEGIN
	EXECUTE 'INSERT INTO ' || t || ' VALUES (1)';
	EXECUTE 'UPDATE ' || t || format(' SET %I = %L, "%%1$s ''" = 5', repeat('ü', 31), 'a''\b%s');
END $$;
SELECT * FROM shots();
SELECT drop_all('n' || repeat('_x', 100), '00000000-0000-0000-0000-000000000009');
-- two nodes whose ids begin alike, one node in two workflows
SELECT count(tinstall('{"table": "orders", "events": ["insert"]}', w::uuid, 'w', repeat('n', 50) || n)) FROM
	(VALUES ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000002')) w(w), generate_series(1, 2) n;
SELECT count(DISTINCT tgname) FROM pg_trigger WHERE tgrelid = 'orders'::regclass AND NOT tgisinternal;
DROP TABLE orders CASCADE;
DELETE FROM declared;
DROP FOREIGN DATA WRAPPER nowhere CASCADE;
DROP OWNED BY row_saver;
DROP ROLE row_saver;
