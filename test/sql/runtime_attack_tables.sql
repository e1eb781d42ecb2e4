-- nobody but the engine changes, locks, extends or watches the tables of schema wf: every way, for every table, as every kind of role
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
\c - wf_test_victim
SELECT run('invoker', 'SELECT 1');
SELECT wf_start('invoker', '"SELECT 1"', '{"delay": "1 h"}') IS NOT NULL;
\c - postgres
-- a partition as the keeper makes them
CREATE TABLE wf.run_later (LIKE wf.run); ALTER TABLE wf.run_later OWNER TO postgres; REVOKE ALL ON wf.run_later FROM PUBLIC;
ALTER TABLE wf.run_later ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
ALTER TABLE wf.run ATTACH PARTITION wf.run_later FOR VALUES FROM ('ff000000-0000-7000-8000-000000000000') TO ('ff000000-0000-7000-8000-000000000001');
CREATE TABLE of_mallory.own (id uuid); ALTER TABLE of_mallory.own OWNER TO wf_test_mallory;
CREATE TABLE of_mallory.parent (LIKE wf.run) PARTITION BY RANGE (run_id); ALTER TABLE of_mallory.parent OWNER TO wf_test_mallory;
GRANT USAGE ON SCHEMA of_mallory TO wf_test_gate, wf_test_stranger;
GRANT CREATE ON DATABASE :DBNAME TO wf_test_mallory, wf_test_gate, wf_test_stranger;

-- %1$s is the table, %2$I its first column, %3$s a number
CREATE TABLE ways (what text, sql text); GRANT SELECT ON ways TO PUBLIC;
INSERT INTO ways VALUES
	('insert', 'INSERT INTO %1$s DEFAULT VALUES'),
	('insert of a select', 'INSERT INTO %1$s SELECT * FROM %1$s'),
	('upsert', 'INSERT INTO %1$s DEFAULT VALUES ON CONFLICT DO NOTHING'),
	('update', 'UPDATE %1$s SET %2$I = %2$I'),
	('update in a query', 'WITH x AS (UPDATE %1$s SET %2$I = %2$I RETURNING 1) SELECT * FROM x'),
	('delete', 'DELETE FROM %1$s'),
	('merge', 'MERGE INTO %1$s USING (VALUES (1)) v (n) ON true WHEN NOT MATCHED THEN INSERT DEFAULT VALUES WHEN MATCHED THEN DELETE'),
	('truncate', 'TRUNCATE %1$s'),
	('truncate cascade', 'TRUNCATE %1$s CASCADE'),
	('copy from a file', 'COPY %1$s FROM ''/etc/hostname'''),
	('copy from a program', 'COPY %1$s FROM PROGRAM ''true'''),
	('copy to a file', 'COPY %1$s TO ''/tmp/wf_test_file'''),
	('copy to a program', 'COPY (SELECT 1 FROM %1$s) TO PROGRAM ''cat'''),
	('lock rows', 'SELECT 1 FROM %1$s FOR UPDATE'),
	('share rows', 'SELECT 1 FROM %1$s FOR KEY SHARE'),
	('lock', 'LOCK TABLE %1$s IN ROW EXCLUSIVE MODE'),
	('lock all', 'LOCK TABLE %1$s'),
	('reference', 'CREATE TABLE of_mallory.r%3$s (id uuid REFERENCES %1$s)'),
	('reference later', 'ALTER TABLE of_mallory.own ADD FOREIGN KEY (id) REFERENCES %1$s (%2$I)'),
	('trigger', 'CREATE TRIGGER x BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()'),
	('rule', 'CREATE RULE x AS ON INSERT TO %1$s DO ALSO SELECT 1'),
	('policy', 'CREATE POLICY x ON %1$s USING (true)'),
	('alter a policy', 'ALTER POLICY engine ON %1$s USING (true)'),
	('drop a policy', 'DROP POLICY engine ON %1$s'),
	('no row security', 'ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY'),
	('no force', 'ALTER TABLE %1$s NO FORCE ROW LEVEL SECURITY'),
	('column', 'ALTER TABLE %1$s ADD COLUMN x int'),
	('default', 'ALTER TABLE %1$s ALTER COLUMN %2$I SET DEFAULT NULL'),
	('no triggers', 'ALTER TABLE %1$s DISABLE TRIGGER ALL'),
	('replica identity', 'ALTER TABLE %1$s REPLICA IDENTITY FULL'),
	('constraint', 'ALTER TABLE %1$s ADD CHECK (true)'),
	('owner', 'ALTER TABLE %1$s OWNER TO wf_test_mallory'),
	('rename', 'ALTER TABLE %1$s RENAME TO x'),
	('another schema', 'ALTER TABLE %1$s SET SCHEMA of_mallory'),
	('statistics target', 'ALTER TABLE %1$s ALTER COLUMN %2$I SET STATISTICS 1000'),
	('statistics', 'CREATE STATISTICS of_mallory.s%3$s (mcv) ON %2$I, ctid FROM %1$s'),
	('statistics of two', 'CREATE STATISTICS of_mallory.s%3$s ON tenant_id, %2$I FROM %1$s'),
	('index', 'CREATE INDEX ON %1$s (%2$I)'),
	('cluster', 'CLUSTER %1$s'),
	('reindex', 'REINDEX TABLE %1$s'),
	('drop', 'DROP TABLE %1$s'),
	('comment', 'COMMENT ON TABLE %1$s IS ''x'''),
	('label', 'SECURITY LABEL ON TABLE %1$s IS ''x'''),
	('heir', 'CREATE TABLE of_mallory.h%3$s () INHERITS (%1$s)'),
	('own partition', 'CREATE TABLE of_mallory.p%3$s PARTITION OF %1$s DEFAULT'),
	('attach', 'ALTER TABLE of_mallory.parent ATTACH PARTITION %1$s DEFAULT'),
	('attach to it', 'ALTER TABLE %1$s ATTACH PARTITION of_mallory.own DEFAULT'),
	('detach', 'ALTER TABLE wf.run DETACH PARTITION %1$s'),
	('publication', 'CREATE PUBLICATION x%3$s FOR TABLE %1$s'),
	('publication of the schema', 'CREATE PUBLICATION x%3$s FOR TABLES IN SCHEMA wf'),
	('publication of all', 'CREATE PUBLICATION x%3$s FOR ALL TABLES'),
	('member of the extension', 'ALTER EXTENSION workflow DROP TABLE %1$s'),
	('drop what is owned', 'DROP OWNED BY wf_engine'),
	('reassign', 'REASSIGN OWNED BY postgres TO wf_test_mallory'),
	('engine''s role', 'GRANT wf_engine TO wf_test_mallory'),
	('be the engine', 'SET ROLE wf_engine'),
	('default privileges', 'ALTER DEFAULT PRIVILEGES FOR ROLE postgres IN SCHEMA wf GRANT ALL ON TABLES TO wf_test_mallory'),
	('new table', 'CREATE TABLE wf.x (id int)');

CREATE FUNCTION attack() RETURNS TABLE (tried int, what text) LANGUAGE plpgsql AS $$
DECLARE n int := 0; w record; t record; answer text; others text[] := '{}';
BEGIN
	FOR t IN SELECT c.oid::regclass AS name, c.relkind, (SELECT attname FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT 1) AS col
			FROM pg_class c WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1 LOOP
		FOR w IN SELECT * FROM ways LOOP
			n := n + 1;
			answer := attempt(format(w.sql, t.name, t.col, n));
			-- what is refused for a reason that comes before the right is looked at
			CONTINUE WHEN answer LIKE '42501 %'
				OR w.what IN ('rule', 'alter a policy', 'drop a policy', 'own partition', 'attach to it', 'detach', 'attach', 'statistics', 'statistics of two', 'cluster', 'label', 'merge',
					'reference', 'reference later', 'heir', 'truncate', 'publication of all', 'publication', 'replica identity', 'publication of the schema', 'statistics target') AND answer NOT LIKE 'no error%' AND answer !~ '^(XX|53|57|58)';
			others := others || format('%s %s: %s', t.name, w.what, answer);
		END LOOP;
	END LOOP;
	RETURN QUERY SELECT n, NULL; RETURN QUERY SELECT NULL::int, o FROM unnest(others) o;
END $$;
SELECT count(*) > 20 FROM pg_class WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p');
\c - wf_test_mallory
SELECT what FROM attack() WHERE tried IS NULL;
\c - postgres
\c - wf_test_gate
SELECT what FROM attack() WHERE tried IS NULL;
\c - postgres
\c - wf_test_stranger
SELECT what FROM attack() WHERE tried IS NULL;
\c - postgres
-- GRANT by who has nothing to give gives nothing
\c - wf_test_mallory
SET client_min_messages = error;
SELECT attempt('GRANT ALL ON ALL TABLES IN SCHEMA wf TO wf_test_mallory'), attempt('GRANT ALL ON SCHEMA wf TO wf_test_mallory');
\c - postgres
SET client_min_messages = warning;
SELECT c.oid::regclass, p FROM pg_class c, unnest('{INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p, unnest('{wf_test_mallory,wf_test_gate,wf_test_stranger,wf_gateway}'::text[]) r
	WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S') AND has_table_privilege(r, c.oid, p);
SELECT a.attrelid::regclass, attname, p FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid, unnest('{INSERT,UPDATE,REFERENCES}'::text[]) p, unnest('{wf_test_mallory,wf_test_gate,wf_gateway}'::text[]) r
	WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p', 'v') AND attnum > 0 AND NOT attisdropped AND has_column_privilege(r, a.attrelid, attname, p);
-- partitions are not even read
SELECT c.oid::regclass, r FROM pg_class c, unnest('{wf_test_mallory,wf_test_gate,wf_test_stranger}'::text[]) r WHERE relispartition AND relnamespace = 'wf'::regnamespace AND relkind = 'r' AND has_table_privilege(r, c.oid, 'SELECT');
SELECT has_schema_privilege('wf_test_mallory', 'wf', 'CREATE');
-- views cannot be written through, and nothing can be hung on them
\c - wf_test_mallory
SELECT viewname, a.* FROM pg_views, LATERAL (VALUES (format('INSERT INTO %I DEFAULT VALUES', viewname)), (format('UPDATE %I SET %I = NULL', viewname, (SELECT attname FROM pg_attribute WHERE attrelid = viewname::regclass AND attnum = 1))), (format('DELETE FROM %I', viewname)),
	(format('CREATE TRIGGER x INSTEAD OF INSERT ON %I FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', viewname)),
	(format('CREATE OR REPLACE RULE "_RETURN" AS ON SELECT TO %I DO INSTEAD SELECT 1', viewname)), (format('ALTER VIEW %I SET (security_invoker = false)', viewname)), (format('ALTER VIEW %I OWNER TO wf_test_mallory', viewname)), (format('DROP VIEW %I', viewname))) w (sql),
	attempt(w.sql) a (answer)
	WHERE viewname LIKE 'wf\_%' AND schemaname = 'public' AND answer !~ '^42501' AND NOT (answer ~ '^55000 cannot (insert into|update|delete from) view');
SELECT count(*) > 10 FROM pg_views WHERE viewname LIKE 'wf\_%';
-- a view, a rule and a column's type of one's own that name our tables give nothing, and keep nothing
CREATE VIEW of_mallory.v AS SELECT * FROM wf.run_default;
CREATE VIEW of_mallory.t AS SELECT * FROM wf.run WHERE input IS NOT NULL;
SELECT attempt('SELECT count(*) FROM of_mallory.v'), (SELECT count(*) FROM of_mallory.t);
GRANT SELECT ON of_mallory.t TO PUBLIC;
\c - postgres
\c - wf_test_victim
-- a view of the other's asks with its owner's rights on the table, and with the tenant of who looks
SELECT count(*) FROM of_mallory.t;
\c - postgres
-- nothing was changed
SELECT wf_use_tenant('theirs');
SELECT status, trigger FROM wf_runs ORDER BY 1;
SELECT problem FROM wf.check_invariants();
SELECT count(*) FROM pg_publication;
ALTER TABLE wf.run DETACH PARTITION wf.run_later; DROP TABLE wf.run_later CASCADE;
DROP SCHEMA of_mallory CASCADE;
DROP EXTENSION workflow CASCADE;
REVOKE ALL ON DATABASE :DBNAME FROM wf_test_mallory, wf_test_gate, wf_test_stranger;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
