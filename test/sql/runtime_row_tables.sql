-- trigger.row: partitions, heirs, foreign keys, views, columns that come and go
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE mark (n serial, w text, what jsonb);
CREATE FUNCTION watch(name text, config jsonb) RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', '{"mode": "sync"}' || config),
		jsonb_build_object('id', 'mark', 'type', 'db.create', 'config', jsonb_build_object('table', 'public.mark', 'values',
			jsonb_build_object('w', name, 'what', '{{ $trigger }}')))),
		'edges', '[{"source": "changed", "target": "mark"}]'::jsonb)) $$;
-- what was seen since last asked
CREATE FUNCTION seen() RETURNS SETOF text LANGUAGE sql AS $$
	WITH d AS (DELETE FROM mark RETURNING *) SELECT concat_ws(' ', w, what ->> 'op', what ->> 'table', what ->> 'old', '->', what ->> 'new') FROM d ORDER BY n $$;

-- partitions: one trigger on the parent, whatever is attached
CREATE TABLE p (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (0) TO (10);
SELECT watch('parts', '{"table": "p", "events": ["insert", "update", "delete"], "when": "$trigger.new?.v !== \"quiet\""}');
CREATE TABLE p2 (x int, v text, id int);
ALTER TABLE p2 DROP COLUMN x;
ALTER TABLE p ATTACH PARTITION p2 FOR VALUES FROM (10) TO (20);
INSERT INTO p VALUES (1, 'a'), (11, 'b'), (12, 'quiet');
INSERT INTO p2 (id, v) VALUES (13, 'direct');
UPDATE p SET v = 'c' WHERE id = 1;
UPDATE p SET id = 14 WHERE id = 1;
DELETE FROM p WHERE id = 14;
SELECT seen();
-- a partition of a partition
CREATE TABLE p3 PARTITION OF p FOR VALUES FROM (20) TO (30) PARTITION BY LIST (id);
CREATE TABLE p31 PARTITION OF p3 FOR VALUES IN (21);
INSERT INTO p VALUES (21, 'deep');
ALTER TABLE p DETACH PARTITION p2;
INSERT INTO p2 (id, v) VALUES (15, 'detached');
SELECT tgname ~ '^wf_changed_[0-9a-f]{16}_(insert|update|delete)$', tgrelid::regclass FROM pg_trigger WHERE tgrelid IN ('p2'::regclass, 'p31'::regclass) ORDER BY 2, 1;
SELECT seen();
-- a trigger of a partition that looks like ours is not
SELECT tgname AS name, encode(tgargs, 'escape') AS args FROM pg_trigger WHERE tgrelid = 'p'::regclass AND tgname LIKE '%_insert' \gset
\set ECHO none
SELECT format('CREATE TRIGGER %I AFTER INSERT ON p2 FOR EACH ROW EXECUTE FUNCTION wf.row_trigger(%L, %L, %L)', :'name', a[1], a[2], a[3]) FROM string_to_array(:'args', '\000') a \gexec
\set ECHO all
INSERT INTO p2 (id, v) VALUES (16, 'forged');
SELECT seen();
-- disabled on one partition by its owner
ALTER TABLE p1 DISABLE TRIGGER ALL;
INSERT INTO p VALUES (2, 'not seen'), (21, 'seen');
ALTER TABLE p1 ENABLE TRIGGER ALL;
SELECT seen();
SELECT wf_delete('parts');
SELECT tgrelid::regclass FROM pg_trigger WHERE tgrelid IN ('p'::regclass, 'p1'::regclass, 'p31'::regclass);

-- heirs: each table has its own
CREATE TABLE parent (id int); CREATE TABLE heir (w int) INHERITS (parent);
SELECT watch('heirs', '{"table": "parent", "events": ["insert", "update"]}');
INSERT INTO parent VALUES (1); INSERT INTO heir VALUES (2, 0); UPDATE parent SET id = id + 10;
SELECT seen();

-- foreign keys that cascade
CREATE TABLE one (id int PRIMARY KEY); CREATE TABLE many (id int, one int REFERENCES one ON DELETE CASCADE ON UPDATE CASCADE);
CREATE TABLE loose (id int, one int REFERENCES one ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
SELECT watch('cascade', '{"table": "many", "events": ["update", "delete"]}'), watch('nulls', '{"table": "loose", "events": ["update"]}');
INSERT INTO one VALUES (1), (2); INSERT INTO many VALUES (1, 1), (2, 1); INSERT INTO loose VALUES (1, 2);
UPDATE one SET id = 3 WHERE id = 1; DELETE FROM one WHERE id = 3;
BEGIN; DELETE FROM one WHERE id = 2; COMMIT;
SELECT seen();
-- a run that fails leaves the key's table alone
SELECT wf_save('cascade', '{"nodes": [{"id": "changed", "type": "trigger.row", "config": {"table": "many", "events": ["delete"], "mode": "sync"}}, {"id": "f", "type": "fail", "config": {"code": "KEPT", "message": "kept"}}], "edges": [{"source": "changed", "target": "f"}]}');
INSERT INTO one VALUES (5); INSERT INTO many VALUES (5, 5);
DELETE FROM one WHERE id = 5;
SELECT id FROM one;

-- views: the workflow is what happens
CREATE TABLE base (id int, v text); CREATE VIEW seeing AS SELECT id, v, upper(v) AS u FROM base;
SELECT wf_save('instead', '{"nodes": [{"id": "changed", "type": "trigger.row", "config": {"table": "seeing", "events": ["insert", "update", "delete"], "columns": ["v"], "mode": "sync", "when": "$trigger.new?.v !== \"skip\""}},
	{"id": "w", "type": "db.query", "config": {"sql": "INSERT INTO base VALUES ($1, $2)", "params": ["{{ $trigger.new?.id ?? -$trigger.old.id }}", "{{ $trigger.op }}"]}}], "edges": [{"source": "changed", "target": "w"}]}');
INSERT INTO seeing VALUES (1, 'x'), (2, 'skip') RETURNING *;
UPDATE seeing SET id = id WHERE id = 1;
UPDATE seeing SET v = 'y' WHERE id = 1 RETURNING id, v;
DELETE FROM seeing WHERE v = 'INSERT';
SELECT * FROM base;
-- a view that PostgreSQL itself can write through
CREATE TABLE under (id int); CREATE VIEW over AS SELECT * FROM under;
SELECT watch('through', '{"table": "under", "events": ["insert"]}');
INSERT INTO over VALUES (1);
SELECT seen();

-- when, in SQL and not; columns
CREATE TABLE c (id int, a text, b text, g int GENERATED ALWAYS AS (id * 2) STORED);
SELECT watch('exact', '{"table": "c", "events": ["update"], "columns": ["a"], "when": "$trigger.new.a !== $trigger.old.a"}'),
	watch('rest', '{"table": "c", "events": ["insert"], "when": "$trigger.new.a.length > 2 && $trigger.new.g < 10"}'),
	watch('never', '{"table": "c", "events": ["insert"], "when": "false"}');
SELECT regexp_replace(pg_get_triggerdef(oid), '_[0-9a-f]{16}_|[0-9a-f]{8}-[0-9a-f-]{27}', '#', 'g') FROM pg_trigger WHERE tgrelid = 'c'::regclass ORDER BY 1;
INSERT INTO c VALUES (1, 'ab'), (2, 'abc'), (9, 'abcd');
UPDATE c SET b = 'x'; UPDATE c SET a = a; UPDATE c SET a = 'new' WHERE id = 1;
SELECT seen();
-- an expression that throws fails the writer
INSERT INTO c VALUES (3, NULL);
SELECT failed_count, last_error FROM wf_triggers WHERE workflow = 'rest';
-- columns that come, go and are renamed
ALTER TABLE c ADD COLUMN d date DEFAULT '2020-01-01';
UPDATE c SET a = 'newer' WHERE id = 1;
ALTER TABLE c DROP COLUMN b;
UPDATE c SET a = 'newest' WHERE id = 1;
SELECT seen();
\set VERBOSITY terse
ALTER TABLE c DROP COLUMN a;
\set VERBOSITY default
ALTER TABLE c RENAME COLUMN a TO aa;
UPDATE c SET aa = 'renamed' WHERE id = 1;
SELECT seen();
SELECT workflow, problem FROM wf_triggers WHERE workflow IN ('exact', 'rest', 'never') ORDER BY 1;
ALTER TABLE c RENAME COLUMN aa TO a;
-- tables that are renamed, moved and dropped
CREATE SCHEMA elsewhere;
ALTER TABLE c RENAME TO "C c"; ALTER TABLE "C c" SET SCHEMA elsewhere;
UPDATE elsewhere."C c" SET a = 'moved' WHERE id = 1;
SELECT seen();
SELECT workflow, target, problem FROM wf_triggers WHERE workflow = 'exact';
SELECT tgname AS name FROM pg_trigger WHERE tgrelid = 'elsewhere."C c"'::regclass AND tgname LIKE '%update' \gset
ALTER TABLE elsewhere."C c" DISABLE TRIGGER :name;
UPDATE elsewhere."C c" SET a = 'disabled' WHERE id = 1;
SELECT seen();
SELECT regexp_replace(problem, '[0-9a-f]{16}', '#') FROM wf_triggers WHERE workflow = 'exact';
DROP TRIGGER :name ON elsewhere."C c";
SELECT regexp_replace(problem, '[0-9a-f]{16}', '#') FROM wf_triggers WHERE workflow = 'exact';
SELECT wf_disable_trigger('exact', 'changed');
SELECT state, problem FROM wf_triggers WHERE workflow = 'exact';
-- what is missing is made again, as far as the table is found by its OID
SELECT wf_enable_trigger('exact', 'changed');
SELECT state, problem FROM wf_triggers WHERE workflow = 'exact';
UPDATE elsewhere."C c" SET a = 'again' WHERE id = 1;
SELECT seen();
DROP TABLE elsewhere."C c";
SELECT workflow, state, target ~ '^[0-9]+$', problem FROM wf_triggers WHERE workflow IN ('exact', 'rest') ORDER BY 1;
SELECT wf_set_status('exact', 'paused');
SELECT wf_set_status('exact', 'active');
SELECT wf_set_status('rest', 'archived'), wf_delete('exact'), wf_delete('rest');
SELECT workflow, node FROM wf_triggers WHERE workflow IN ('exact', 'rest');

-- a table named differently for who saves: the version's search_path says which
CREATE SCHEMA mine; CREATE TABLE mine.same (id int); CREATE TABLE same (id int);
SET search_path = mine, public;
SELECT watch('path', '{"table": "same", "events": ["insert"]}');
RESET search_path;
INSERT INTO same VALUES (1); INSERT INTO mine.same VALUES (2);
SELECT seen();
SELECT target FROM wf_triggers WHERE workflow = 'path';
-- names of every kind
CREATE TABLE "Täble ""x""" ("Cölumn ""y""" int);
SELECT watch('names', '{"table": "\"Täble \"\"x\"\"\"", "events": ["update"], "columns": ["Cölumn \"y\""], "when": "$trigger.new[''Cölumn \"y\"''] > 1"}');
INSERT INTO "Täble ""x""" VALUES (1); UPDATE "Täble ""x""" SET "Cölumn ""y""" = 2;
SELECT seen();
SELECT test.clean();
