-- CREATE and ALTER EXTENSION where somebody was before: schemas, owners, roles and objects with hostile names and contents
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SET client_min_messages = warning;
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/traps.psql'
\i :lib
CREATE ROLE wf_test_mallory LOGIN; GRANT CREATE ON DATABASE :DBNAME TO wf_test_mallory;

-- what is there already is not taken over
SET SESSION AUTHORIZATION wf_test_mallory; CREATE EXTENSION workflow; CREATE SCHEMA wf; CREATE TABLE wf.tenant (tenant_id uuid); RESET SESSION AUTHORIZATION;
CREATE EXTENSION workflow;
DROP SCHEMA wf CASCADE;
CREATE SCHEMA evil AUTHORIZATION wf_test_mallory;
SET SESSION AUTHORIZATION wf_test_mallory;
CREATE FUNCTION evil.wf_save(name text, definition jsonb, options jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET SESSION AUTHORIZATION;
CREATE EXTENSION workflow SCHEMA evil;
DROP FUNCTION evil.wf_save;
SET SESSION AUTHORIZATION wf_test_mallory; CREATE VIEW evil.wf_runs AS SELECT 1; RESET SESSION AUTHORIZATION;
CREATE EXTENSION workflow SCHEMA evil;
DROP VIEW evil.wf_runs;
SELECT count(*) FROM pg_namespace WHERE nspname = 'wf';

-- The engine's role with members, or that may do what it must not. In a transaction, as the role may be in use by other databases.
CREATE EXTENSION workflow; DROP EXTENSION workflow;
BEGIN; GRANT wf_engine TO wf_test_mallory; SAVEPOINT s; CREATE EXTENSION workflow; ROLLBACK TO s; ROLLBACK;
BEGIN; ALTER ROLE wf_engine LOGIN; SAVEPOINT s; CREATE EXTENSION workflow; ROLLBACK TO s; ROLLBACK;
BEGIN; ALTER ROLE wf_gateway BYPASSRLS; SAVEPOINT s; CREATE EXTENSION workflow; ROLLBACK TO s; ROLLBACK;

-- a schema full of traps: what has the names that the script uses, for arguments of all types that it may have
SET SESSION AUTHORIZATION wf_test_mallory;
CALL make_traps('evil');
SELECT count(*) > 1000 FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace;
RESET SESSION AUTHORIZATION;
CREATE EXTENSION workflow SCHEMA evil;
TABLE evil.trapped;
-- nothing of ours depends on anything of hers: views, policies, defaults, checks, indexes, functions
SELECT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) FROM pg_depend d
	LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid LEFT JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND p.oid = d.refobjid LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
	WHERE 'evil'::regnamespace IN (o.oprnamespace, p.pronamespace, t.typnamespace) AND NOT EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.refclassid AND m.objid = d.refobjid AND m.deptype = 'e')
	AND (EXISTS (SELECT FROM pg_depend m WHERE m.classid = d.classid AND m.objid = d.objid AND m.deptype = 'e') OR EXISTS (SELECT FROM pg_rewrite r JOIN pg_depend m ON m.objid = r.ev_class AND m.deptype = 'e' WHERE d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid)
		OR d.classid IN ('pg_policy'::regclass, 'pg_attrdef'::regclass, 'pg_constraint'::regclass) AND pg_describe_object(d.classid, d.objid, 0) ~ ' wf\.') AND pg_describe_object(d.classid, d.objid, 0) !~ 'evil\.(pg_|op|tenant|run)';
-- and it works among the traps, with a search path that has them first
SET search_path = evil, pg_catalog;
SELECT evil.wf_save('w', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "public.t", "values": {"id": "{{ $trigger.id }}"}}}, {"id": "b", "type": "return", "config": {"value": "{{ $trigger.id + 1 }}"}}], "edges": [{"source": "a", "target": "b"}]}'::pg_catalog.jsonb);
CREATE TABLE public.t (id pg_catalog.int4);
SELECT evil.wf_run('w'::pg_catalog.text, '{"id": 1}'::pg_catalog.jsonb) OPERATOR(pg_catalog.->>) 'output'::pg_catalog.text;
SELECT status, workflow FROM evil.wf_runs; SELECT node, status FROM evil.wf_steps ORDER BY seq; SELECT name FROM evil.wf_workflows; SELECT tenant FROM evil.wf_queue_status;
SELECT evil.wf_start('w'::pg_catalog.text, '{"id": 2}'::pg_catalog.jsonb) AS id \gset
SELECT evil.wf_await(:'id'::pg_catalog.uuid) OPERATOR(pg_catalog.->>) 'output'::pg_catalog.text;
SELECT problem FROM wf.check_invariants();
RESET search_path;
TABLE evil.trapped;
-- it stays where it is, and what belongs to it is not changed by others
ALTER EXTENSION workflow SET SCHEMA public; ALTER EXTENSION workflow UPDATE; ALTER EXTENSION workflow UPDATE TO 'x"; DROP TABLE t; --';
SET SESSION AUTHORIZATION wf_test_mallory;
ALTER EXTENSION workflow SET SCHEMA evil; ALTER EXTENSION workflow UPDATE; DROP EXTENSION workflow; ALTER EXTENSION workflow ADD TABLE evil.trapped; DROP FUNCTION evil.wf_run(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb); DROP VIEW evil.wf_runs;
CREATE OR REPLACE FUNCTION evil.wf_run(workflow pg_catalog.text, input pg_catalog.jsonb DEFAULT '{}', options pg_catalog.jsonb DEFAULT '{}') RETURNS pg_catalog.jsonb LANGUAGE sql AS 'SELECT NULL::pg_catalog.jsonb';
CREATE OR REPLACE VIEW evil.wf_runs AS SELECT 1; ALTER FUNCTION evil.wf_run(pg_catalog.text, pg_catalog.jsonb, pg_catalog.jsonb) RENAME TO x; ALTER SCHEMA wf RENAME TO x;
RESET SESSION AUTHORIZATION;
DROP EXTENSION workflow CASCADE; DROP SCHEMA evil CASCADE; DROP TABLE t;

-- schemas and owners with names that are syntax
CREATE TABLE names (n int, name text);
INSERT INTO names VALUES (1, 'quo"te'' ''; DROP TABLE names; --'), (2, E'new\nline'), (3, '%s%n%I $1 $$ $body$ @extschema@'), (4, repeat('ü', 31) || 'x'), (5, E'back\\slash\\'), (6, 'a.b."c"'), (7, ' '), (8, '$users'), (9, 'wf'), (10, '"wf"'), (11, 'Pg_temp'), (12, 'SELECT');
CREATE FUNCTION attempt(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
-- a role that owns it, with the name of the schema
SELECT n, attempt(format('CREATE ROLE %I SUPERUSER LOGIN', CASE n WHEN 4 THEN name ELSE 'wf_test_' || name END)) FROM names ORDER BY 1;
-- whom the name would mean if it were not quoted
CREATE ROLE wf_test_select;
CREATE PROCEDURE as_owner(r text, s text) LANGUAGE plpgsql AS $p$
DECLARE id uuid; answer text;
BEGIN
	EXECUTE format('SET SESSION AUTHORIZATION %I', r);
	IF s <> 'wf' THEN EXECUTE format('CREATE SCHEMA %I', s); END IF;
	EXECUTE format('CREATE EXTENSION workflow SCHEMA %I', CASE s WHEN 'wf' THEN 'public' ELSE s END);
	EXECUTE format('SET search_path = %I', CASE s WHEN 'wf' THEN 'public' ELSE s END);
	CREATE TABLE public.touched (id int);
	PERFORM wf_save('w', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "public.touched", "events": ["insert"], "mode": "sync"}}, {"id": "a", "type": "db.query", "config": {"sql": "SELECT current_user::text AS me", "outputFormat": "row"}}], "edges": [{"source": "t", "target": "a"}], "settings": {"security": "definer"}}');
	INSERT INTO public.touched VALUES (1);
	SELECT concat_ws(' ', status, output->'row'->>'me' = current_user) INTO answer FROM wf_runs;
	PERFORM wf_save('b', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT session_user::text AS me", "outputFormat": "value"}}]}');
	RAISE NOTICE '%, owner %', answer, (SELECT string_agg((role = quote_ident(r)::regrole)::text, ',') FROM wf.member);
	COMMIT;
	id := wf_start('b');
	COMMIT;
	RAISE NOTICE '%', (SELECT concat_ws(' ', e->>'status', e->'output'->>'value' = current_user) FROM wf_await(id, '60 s') e);
	COMMIT;
	PERFORM set_config('client_min_messages', 'warning', true);
	DROP EXTENSION workflow CASCADE;
	DROP TABLE public.touched;
	IF s <> 'wf' THEN EXECUTE format('DROP SCHEMA %I', s); END IF;
	RESET search_path; RESET SESSION AUTHORIZATION;
END $p$;
SET client_min_messages = notice;
\set SHOW_CONTEXT never
SELECT format('CALL as_owner(%L, %L)', CASE n WHEN 4 THEN name ELSE 'wf_test_' || name END, name) FROM names ORDER BY n \gexec
DROP ROLE wf_test_select;
SELECT count(attempt(format('DROP ROLE %I', CASE n WHEN 4 THEN name ELSE 'wf_test_' || name END))) FROM names;
DROP OWNED BY wf_test_mallory; REVOKE ALL ON DATABASE :DBNAME FROM wf_test_mallory; DROP ROLE wf_test_mallory;
