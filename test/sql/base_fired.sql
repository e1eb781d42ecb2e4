-- What triggers did: counted at the commit, forgotten by a rollback; failures at once. Saved here by hand: the database is a
-- template, which has no keeper. Where the library is not preloaded nothing is counted, and nothing else is different.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/store.psql'
\i :lib
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION note(tenant uuid, trigger uuid, n bigint DEFAULT 1, times int DEFAULT 1) RETURNS void LANGUAGE c AS '$libdir/workflow', 'wf_sql_test_fired_note';
CREATE FUNCTION fail(tenant uuid, trigger uuid, code text, message text) RETURNS void LANGUAGE c AS '$libdir/workflow', 'wf_sql_test_fired_failed';
CREATE FUNCTION clock(seconds float8) RETURNS void AS '$libdir/workflow', 'wf_sql_test_clock' LANGUAGE C STRICT;
CREATE FUNCTION id(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT lpad(n::text, 32, '0')::uuid $$;
CREATE FUNCTION preloaded() RETURNS bool LANGUAGE sql SECURITY DEFINER AS $$ SELECT current_setting('shared_preload_libraries') ~ 'workflow' $$;
-- what a view would show
CREATE VIEW sums AS
	SELECT trigger_id, greatest(s.fired_at, f.fired_at) AS fired_at, coalesce(s.n_fired, 0) + coalesce(f.n_fired, 0) AS n_fired,
		coalesce(s.n_failed, 0) + coalesce(f.n_failed, 0) AS n_failed,
		CASE WHEN f.failed_at IS NOT NULL THEN jsonb_build_object('code', f.code, 'message', f.message) ELSE s.error END AS error
	FROM (SELECT * FROM wf.trigger_stat WHERE tenant_id = wf.current_tenant_id()) s FULL JOIN wf.fired() f USING (tenant_id, trigger_id);
-- ok, or what is there instead
GRANT SELECT ON sums TO PUBLIC;
CREATE FUNCTION shows(want text, which text DEFAULT 'sums') RETURNS text LANGUAGE plpgsql AS $$
DECLARE have text;
BEGIN
	EXECUTE format($q$ SELECT string_agg(format('%%s: %%s/%%s', ltrim(trigger_id::text, '0-'), n_fired, n_failed), ' ' ORDER BY trigger_id) FROM %s $q$, which) INTO have;
	IF NOT preloaded() THEN want := ''; END IF;
	RETURN CASE WHEN coalesce(have, '') = want THEN 'ok' ELSE coalesce(have, '') END;
END $$;
SELECT tenant_id AS t FROM wf.tenant \gset

-- commits and rollbacks
SELECT note(:'t', id(1));
SELECT shows('1: 1/0');
BEGIN;
SELECT note(:'t', id(1), 10);
SELECT shows('1: 1/0');
COMMIT;
BEGIN;
SELECT note(:'t', id(1), 100), note(:'t', id(2));
ROLLBACK;
SELECT shows('1: 11/0');
SELECT note(:'t', id(1), 0), note(:'t', id(1), -5);
SELECT shows('1: 11/0');

-- savepoints: each entry goes with the one that made it
BEGIN;
SELECT note(:'t', id(1)), note(:'t', id(3));
SAVEPOINT a;
SELECT note(:'t', id(1), 10), note(:'t', id(4));
SAVEPOINT b;
SELECT note(:'t', id(1), 100);
RELEASE b;
SELECT note(:'t', id(1), 1000), note(:'t', id(5));
ROLLBACK TO a;
SELECT note(:'t', id(1), 10000);
SAVEPOINT c;
SELECT note(:'t', id(1), 100000), note(:'t', id(6));
SAVEPOINT d;
SELECT note(:'t', id(6), 10);
ROLLBACK TO d;
SELECT note(:'t', id(6), 100);
RELEASE c;
COMMIT;
SELECT shows('1: 110012/0 3: 1/0 6: 101/0');

-- a prepared transaction forgets
BEGIN;
SELECT note(:'t', id(7));
PREPARE TRANSACTION 'wf_fired';
COMMIT PREPARED 'wf_fired';
SELECT shows('1: 110012/0 3: 1/0 6: 101/0');

-- many times, in one call, in as many statements, and in as many subtransactions
SELECT note(:'t', id(8), 1, 100000);
DO $$ BEGIN FOR i IN 1..100000 LOOP PERFORM note((SELECT tenant_id FROM wf.tenant), id(9)); END LOOP; END $$;
DO $$ BEGIN FOR i IN 1..10000 LOOP BEGIN PERFORM note((SELECT tenant_id FROM wf.tenant), id(10)); IF i % 2 = 0 THEN RAISE 'no'; END IF; EXCEPTION WHEN raise_exception THEN NULL; END; END LOOP; END $$;
SELECT shows('1: 110012/0 3: 1/0 6: 101/0 8: 100000/0 9: 100000/0 10: 5000/0');

-- failures stay when all else is rolled back
BEGIN;
SELECT note(:'t', id(3)), fail(:'t', id(3), '22012', 'division by zero');
ROLLBACK;
SELECT fail(:'t', id(11), 'WF006', 'first'), fail(:'t', id(11), 'WF007', NULL);
SELECT shows('1: 110012/0 3: 1/1 6: 101/0 8: 100000/0 9: 100000/0 10: 5000/0 11: 0/2');
SELECT count(*) = CASE WHEN preloaded() THEN 2 ELSE 0 END FROM sums WHERE id(3) = trigger_id AND error = '{"code": "22012", "message": "division by zero"}' OR id(11) = trigger_id AND fired_at IS NULL AND error = '{"code": "WF007", "message": ""}';
-- clipped at a character
SELECT fail(:'t', id(12), repeat('c', 100), repeat('ä', 1000));
SELECT count(*) = CASE WHEN preloaded() THEN 1 ELSE 0 END FROM wf.fired() WHERE code = repeat('c', 31) AND message = repeat('ä', 127) AND fired_at IS NULL AND failed_at IS NOT NULL;
-- a count that would not fit
SELECT note(:'t', id(13), 9223372036854775807), note(:'t', id(13), 9223372036854775807);
SELECT note(:'t', id(13));
SELECT shows('13: 9223372036854775807/0', 'wf.fired() WHERE trigger_id = id(13)');

-- saved: what is rolled back is there again, with what came meanwhile
SELECT n_fired, n_failed FROM wf.fired() WHERE fired_at NOT BETWEEN now() - interval '1 h' AND clock_timestamp();
BEGIN;
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 9 ELSE 0 END;
SELECT shows('', 'wf.fired()');
SELECT shows('3: 1/1', 'wf.trigger_stat WHERE trigger_id = id(3)');
ROLLBACK;
SELECT shows('', 'wf.trigger_stat');
SELECT shows('1: 110012/0 3: 1/1 6: 101/0 8: 100000/0 9: 100000/0 10: 5000/0 11: 0/2 12: 0/1 13: 9223372036854775807/0', 'wf.fired()');
BEGIN;
SELECT test.keeper('fired', most => 2) = CASE WHEN preloaded() THEN 2 ELSE 0 END;
SELECT fail(:'t', id(1), 'WF001', 'meanwhile'), note(:'t', id(1));
COMMIT;
SELECT shows('1: 1/1', 'wf.fired() WHERE trigger_id = id(1)');
SELECT shows('1: 110013/1', 'sums WHERE trigger_id = id(1)');
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 8 ELSE 0 END;
SELECT shows('', 'wf.fired()');
SELECT shows('1: 110013/1 3: 1/1 6: 101/0 8: 100000/0 9: 100000/0 10: 5000/0 11: 0/2 12: 0/1 13: 9223372036854775807/0', 'wf.trigger_stat');
SELECT test.keeper('fired');
-- added to what is there, which keeps its error, and a count that does not fit is as high as may be
SELECT note(:'t', id(3), 5), note(:'t', id(13));
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 2 ELSE 0 END;
SELECT shows('3: 6/1 13: 9223372036854775807/0', 'wf.trigger_stat WHERE trigger_id IN (id(3), id(13))');
SELECT DISTINCT error FROM (SELECT '{"code": "22012", "message": "division by zero"}'::jsonb AS error UNION ALL SELECT error FROM wf.trigger_stat WHERE trigger_id = id(3)) x;
BEGIN;
SELECT fail(:'t', id(3), 'WF003', 'another'), test.keeper('fired') = CASE WHEN preloaded() THEN 1 ELSE 0 END;
SELECT fail(:'t', id(3), 'WF004', 'a third');
ROLLBACK;
SELECT shows('3: 0/2', 'wf.fired()');
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 1 ELSE 0 END;
SELECT count(*) = CASE WHEN preloaded() THEN 1 ELSE 0 END FROM wf.trigger_stat WHERE trigger_id = id(3) AND n_failed = 3 AND error = '{"code": "WF004", "message": "a third"}';

-- tenants, and those who are members of none
SELECT wf_create_tenant('other') AS other \gset
CREATE ROLE wf_test_fired;
SELECT wf_grant('wf_test_fired', 'other', 'viewer');
CREATE ROLE wf_test_nobody;
SELECT tenant_id AS o FROM wf.tenant WHERE name = 'other' \gset
SELECT note(:'t', id(20)), note(:'o', id(21));
SET ROLE wf_test_fired;
SELECT shows('21: 1/0', 'wf.fired()');
SELECT shows('21: 1/0');
SET ROLE wf_test_nobody;
SELECT shows('');
INSERT INTO wf.trigger_stat (tenant_id, trigger_id, n_fired, n_failed) VALUES (wf.current_tenant_id(), id(1), 0, 0);
RESET ROLE;
SELECT count(*) FROM wf.fired() WHERE tenant_id <> wf.current_tenant_id();
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 2 ELSE 0 END;
SET ROLE wf_test_fired;
SELECT shows('21: 1/0', 'wf.trigger_stat');
RESET ROLE;

-- rows of triggers that are gone
SET session_replication_role = replica;
INSERT INTO wf.trigger (tenant_id, trigger_id, workflow_id, node, version, type, role, enabled, installed, definer, priority, gate_size, config, search_path)
	SELECT t, id(n), id(1), n, 1, 'trigger.manual', current_user::regrole, true, true, false, 0, 0, '{}', ''
	FROM (VALUES (:'t'::uuid, 6), (:'o', 8), (:'o', 21)) v (t, n);
RESET session_replication_role;
SELECT test.keeper('prune fired');
SELECT shows('6: 101/0 21: 1/0', 'wf.trigger_stat');

-- a table that is full: what has no place is not counted, until others were saved; or have waited for that in vain
SELECT note(:'t', id(i)) FROM generate_series(1001, 6000) i \g /dev/null
SELECT count(*) BETWEEN 3000 AND 4096 OR NOT preloaded() FROM wf.fired();
SELECT note(:'t', id(7000)), note(:'t', id(1001)), fail(:'t', id(7001), 'WF001', 'lost');
SELECT shows('1001: 2/0', 'wf.fired() WHERE trigger_id IN (id(1001), id(7000), id(7001))');
SELECT test.keeper('fired', most => 10) = CASE WHEN preloaded() THEN 10 ELSE 0 END;
SELECT note(:'t', id(7000));
SELECT shows('7000: 1/0', 'wf.fired() WHERE trigger_id = id(7000)');
SELECT note(:'t', id(i)) FROM generate_series(8001, 8020) i \g /dev/null
SELECT clock(660);
SELECT note(:'t', id(9000));
SELECT shows('9000: 1/0', 'wf.fired()');
SELECT clock(0);
SELECT test.keeper('fired') = CASE WHEN preloaded() THEN 1 ELSE 0 END;
DROP OWNED BY wf_test_fired, wf_test_nobody;
DROP ROLE wf_test_fired, wf_test_nobody;
ALTER DATABASE :"db" IS_TEMPLATE false;
