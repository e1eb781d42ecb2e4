-- Row triggers where a change goes through more than one table: partitions, inheritance, foreign keys; and firings that are forged.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/row_triggers.psql'
\i :lib

CREATE OR REPLACE FUNCTION again(config jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before text := (SELECT string_agg(oid::text || xmin::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = (SELECT relid FROM declared WHERE node = 'changed'));
BEGIN
	PERFORM put(config);
	RETURN CASE WHEN before = (SELECT string_agg(oid::text || xmin::text, ' ' ORDER BY oid) FROM pg_trigger WHERE tgrelid = (SELECT relid FROM declared WHERE node = 'changed'))
		THEN 'untouched' ELSE 'changed' END;
END
$$;

-- partitions: the trigger is declared on the parent, whose name is said; those that come later have it, too
CREATE TABLE parts (id int, region text, qty int) PARTITION BY LIST (region);
CREATE TABLE parts_eu PARTITION OF parts FOR VALUES IN ('eu') PARTITION BY RANGE (id);
CREATE TABLE parts_eu_low PARTITION OF parts_eu FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_eu_high (qty int, gone int, region text, id int);
ALTER TABLE parts_eu_high DROP COLUMN gone;
ALTER TABLE parts_eu ATTACH PARTITION parts_eu_high FOR VALUES FROM (100) TO (200);
SELECT put('{"table": "parts", "events": ["insert", "update", "delete", "truncate"], "when": "$trigger.op === \"TRUNCATE\" || ($trigger.new ?? $trigger.old).qty !== 0 && ($trigger.new?.qty ?? 1) > 0"}');
SELECT * FROM defs('parts');
SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE tgname ~ '^wf_' GROUP BY 1 ORDER BY 1;
CREATE TABLE parts_us PARTITION OF parts FOR VALUES IN ('us');
CREATE TABLE parts_as (qty int, region text, id int);
ALTER TABLE parts ATTACH PARTITION parts_as FOR VALUES IN ('as');
INSERT INTO parts VALUES (1, 'eu', 5), (150, 'eu', 6), (3, 'us', 7), (4, 'as', 8), (5, 'as', 0);
INSERT INTO parts_as (id, region, qty) VALUES (6, 'as', 9);
SELECT * FROM shots();
-- within a partition it is an update; between two, PostgreSQL says delete and insert
UPDATE parts SET qty = qty + 1 WHERE id = 1;
UPDATE parts SET region = 'us' WHERE id = 1;
UPDATE parts SET id = 151 WHERE id = 150;
SELECT * FROM shots();
-- one that is detached loses it, one that is attached again has it back
ALTER TABLE parts DETACH PARTITION parts_as;
INSERT INTO parts_as (id, region, qty) VALUES (7, 'as', 9);
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'parts_as'::regclass;
ALTER TABLE parts ATTACH PARTITION parts_as FOR VALUES IN ('as');
INSERT INTO parts_as (id, region, qty) VALUES (8, 'as', 9);
TRUNCATE parts_as;
TRUNCATE parts;
SELECT * FROM shots();
-- nothing is touched, neither here nor there, when nothing changed
SELECT again('{"table": "parts", "events": ["insert", "update", "delete", "truncate"], "when": "$trigger.op === \"TRUNCATE\" || ($trigger.new ?? $trigger.old).qty !== 0 && ($trigger.new?.qty ?? 1) > 0"}');
SELECT again('{"table": "parts", "events": ["insert", "update"], "columns": ["qty"], "when": "$trigger.new.qty > 5"}');
SELECT c.relname, count(*) FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid WHERE tgname ~ '^wf_' GROUP BY 1 ORDER BY 1;
SELECT DISTINCT tgqual IS NULL, tgattr::text FROM pg_trigger t WHERE tgname ~ '^wf_.*_update$' ORDER BY 2;
-- a DBA's DISABLE on the parent goes to the partitions and stays
DO $$ BEGIN EXECUTE (SELECT format('ALTER TABLE parts DISABLE TRIGGER %I', tgname) FROM pg_trigger WHERE tgrelid = 'parts'::regclass AND tgname ~ '_insert$'); END $$;
SELECT put('{"table": "parts", "events": ["insert", "update"], "replica": true}');
SELECT tgenabled, count(*) FROM pg_trigger WHERE tgname ~ '^wf_' GROUP BY 1 ORDER BY 1;
SELECT drop_all();
SELECT count(*) FROM pg_trigger WHERE tgname ~ '^wf_';

-- a statement's trigger is of the table that the statement names; its rows are all of them
SELECT put('{"table": "parts", "events": ["insert", "update", "delete"], "level": "statement"}');
INSERT INTO parts VALUES (1, 'eu', 5), (150, 'eu', 6), (3, 'us', 7), (4, 'as', 8);
UPDATE parts SET qty = 1 WHERE id <= 3;
UPDATE parts SET region = 'us' WHERE id = 4;
DELETE FROM parts_us;
DELETE FROM parts;
SELECT * FROM shots();
SELECT drop_all();
-- one of a partition alone
SELECT put('{"table": "parts_eu", "events": ["insert"], "level": "statement"}'), put('{"table": "parts_eu_high", "events": ["insert", "delete"], "level": "statement"}', 'high');
INSERT INTO parts VALUES (1, 'eu', 5), (150, 'eu', 6);
INSERT INTO parts_eu VALUES (2, 'eu', 5), (151, 'eu', 6);
INSERT INTO parts_eu_high (id, region, qty) VALUES (152, 'eu', 7);
SELECT * FROM shots();
SELECT drop_all(), drop_all('high');
SELECT put('{"table": "parts_eu", "events": ["insert"]}');
INSERT INTO parts VALUES (10, 'eu', 5), (160, 'eu', 6), (11, 'us', 1);
SELECT * FROM shots();
SELECT drop_all();

-- inheritance: rows of the children are not the parent's
CREATE TABLE base (id int);
CREATE TABLE child (more int) INHERITS (base);
SELECT put('{"table": "base", "events": ["insert", "update"]}'), put('{"table": "base", "events": ["update"], "level": "statement"}', 'all');
INSERT INTO base VALUES (1);
INSERT INTO child VALUES (2, 3);
UPDATE base SET id = id + 10;
SELECT * FROM shots();
SELECT drop_all(), drop_all('all');

-- foreign keys change rows, too
CREATE TABLE customers (id int PRIMARY KEY);
CREATE TABLE bills (id int PRIMARY KEY, customer int REFERENCES customers ON DELETE CASCADE ON UPDATE CASCADE, payer int REFERENCES customers ON DELETE SET NULL);
SELECT put('{"table": "bills", "events": ["update", "delete"]}'), put('{"table": "bills", "events": ["delete"], "level": "statement"}', 'all');
INSERT INTO customers VALUES (1), (2);
INSERT INTO bills VALUES (10, 1, 2), (11, 2, NULL);
UPDATE customers SET id = 3 WHERE id = 1;
DELETE FROM customers WHERE id = 2;
DELETE FROM customers WHERE id = 3;
SELECT * FROM shots();
SELECT drop_all(), drop_all('all');

-- MERGE, and rows that another trigger changes or keeps away
SELECT put('{"table": "customers", "events": ["insert", "update", "delete"]}');
CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.id % 2 = 0 THEN RETURN NULL; END IF; NEW.id := NEW.id * 10; RETURN NEW; END $$;
CREATE TRIGGER a_odd BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION odd();
MERGE INTO customers c USING (VALUES (1), (2), (3)) v(id) ON c.id = v.id WHEN NOT MATCHED THEN INSERT VALUES (v.id);
MERGE INTO customers c USING (VALUES (10), (30)) v(id) ON c.id = v.id WHEN MATCHED AND v.id = 10 THEN DELETE WHEN MATCHED THEN UPDATE SET id = 31;
SELECT * FROM shots();
-- what is rolled back has not fired
BEGIN;
INSERT INTO customers VALUES (5);
ROLLBACK;
SELECT * FROM shots();

-- forged: our function with another's arguments
SELECT relid::regclass FROM declared;
CREATE TABLE mine (id int);
CREATE FUNCTION forge(statement text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE replace(replace(statement, '%args', '(''00000000-0000-0000-0000-000000000000'', ''00000000-0000-0000-0000-000000000001'', ''changed'')'),
		'%name', (SELECT quote_ident(tgname) FROM pg_trigger WHERE tgrelid = 'customers'::regclass AND tgname ~ '^wf_.*_insert$'));
END
$$;
SELECT forge('CREATE TRIGGER %name AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION wf.row_trigger %args');
INSERT INTO mine VALUES (1);
SELECT forge('CREATE TRIGGER other AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION wf.row_trigger %args');
SELECT forge('CREATE TRIGGER other_t AFTER TRUNCATE ON customers FOR EACH STATEMENT EXECUTE FUNCTION wf.row_trigger %args');
INSERT INTO customers VALUES (7);
TRUNCATE customers CASCADE;
SELECT * FROM shots();
DROP TRIGGER other ON customers;
SELECT forge('CREATE OR REPLACE TRIGGER %name BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION wf.row_trigger %args');
INSERT INTO customers VALUES (9);
SELECT forge('CREATE OR REPLACE TRIGGER %name AFTER INSERT ON customers FOR EACH STATEMENT EXECUTE FUNCTION wf.row_trigger %args');
INSERT INTO customers VALUES (11);
SELECT forge('CREATE OR REPLACE TRIGGER %name AFTER UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION wf.row_trigger %args');
UPDATE customers SET id = 12 WHERE id = 110;
SELECT * FROM shots();
SELECT put('{"table": "customers", "events": ["insert"]}');
INSERT INTO customers VALUES (13);
SELECT * FROM shots();
-- somebody else's trigger of that name is not ours to drop
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
SELECT forge('CREATE OR REPLACE TRIGGER %name AFTER INSERT ON customers FOR EACH ROW EXECUTE FUNCTION nothing()');
SELECT drop_all();
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'customers'::regclass AND tgname ~ '^wf_';

-- from within a statement on the table, whose other rows have yet to fire
CREATE FUNCTION within() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM put('{"table": "mine", "events": ["insert"]}'); PERFORM drop_all(), drop_all('other'); RETURN NULL; END $$;
DROP TABLE mine;
CREATE TABLE mine (id int);
CREATE TRIGGER within AFTER INSERT ON mine FOR EACH ROW EXECUTE FUNCTION within();
SELECT put('{"table": "mine", "events": ["insert", "update"]}', 'other');
INSERT INTO mine VALUES (1), (2);
SELECT * FROM shots();
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'mine'::regclass;
