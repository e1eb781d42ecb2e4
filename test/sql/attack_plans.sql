-- one cached plan for many: ten thousand turns of role and tenant, each seeing its own and nothing else; a spoofed workflow.tenant
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
CREATE ROLE wf_test_both LOGIN;
SELECT wf_grant('wf_test_both', 'mine', 'member'), wf_grant('wf_test_both', 'theirs', 'viewer');
\c - wf_test_mallory
SELECT wf_save('tell', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "{{ [$run.tenant, $input] }}"}}]}');
SELECT count(wf_run('tell', '"mine"')) FROM generate_series(1, 3);
\c - wf_test_victim
SELECT wf_save('tell', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "{{ [$run.tenant, $input] }}"}}]}');
SELECT count(wf_run('tell', '"theirs"')) FROM generate_series(1, 5);
\c - postgres
-- what there is to see for each, in one plan of the table, one of the view, and by prepared statements
CREATE TABLE turns (who text, tenant text, sees text);
INSERT INTO turns VALUES ('wf_test_mallory', '', 'mine 3'), ('wf_test_mallory', 'mine', 'mine 3'), ('wf_test_mallory', 'theirs', ' 0'), ('wf_test_mallory', 'absent', ' 0'), ('wf_test_mallory', 'default', ' 0'), ('wf_test_mallory', 'Mine', ' 0'), ('wf_test_mallory', 'mine ', ' 0'),
	('wf_test_mallory', repeat('mine', 100), ' 0'), ('wf_test_mallory', '"mine"', ' 0'), ('wf_test_mallory', 'theirs'' OR true --', ' 0'), ('wf_test_mallory', '00000000-0000-7000-8000-000000000001', ' 0'),
	('wf_test_victim', '', 'theirs 5'), ('wf_test_victim', 'theirs', 'theirs 5'), ('wf_test_victim', 'mine', ' 0'), ('wf_test_both', '', ' 0'), ('wf_test_both', 'mine', 'mine 3'), ('wf_test_both', 'theirs', 'theirs 5'), ('wf_test_both', 'default', ' 0'), ('wf_test_stranger', '', ' 0'), ('wf_test_stranger', 'theirs', ' 0'), ('wf_test_gate', 'theirs', ' 0');
GRANT SELECT ON turns TO PUBLIC;
SET plan_cache_mode = force_generic_plan;
PREPARE table_of_runs AS SELECT concat(min(input #>> '{}'), ' ', count(*)) FROM wf.run WHERE input::text = ANY ('{"\"mine\"","\"theirs\""}');
PREPARE view_of_runs (text) AS SELECT concat(min(input #>> '{}'), ' ', count(*)) FROM wf_runs WHERE workflow = $1;
CREATE FUNCTION by_table() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT concat(min(input #>> '{}'), ' ', count(*)) FROM wf.run WHERE input::text = ANY ('{"\"mine\"","\"theirs\""}')); END $$;
CREATE FUNCTION by_sql() RETURNS text LANGUAGE sql STABLE AS $$ SELECT concat(min(input #>> '{}'), ' ', count(*)) FROM wf.run WHERE input::text = ANY ('{"\"mine\"","\"theirs\""}') $$;
CREATE PROCEDURE turn_around(n int, seed float8) LANGUAGE plpgsql AS $$
DECLARE t turns; a text; all_turns turns[] := (SELECT array_agg(x) FROM turns x); wrong int := 0; c refcursor;
BEGIN
	PERFORM setseed(seed);
	FOR i IN 1..n LOOP
		t := all_turns[1 + floor(random() * cardinality(all_turns))];
		PERFORM set_config('role', t.who, false), set_config('workflow.tenant', t.tenant, false);
		CASE i % 5 WHEN 0 THEN EXECUTE 'EXECUTE table_of_runs' INTO a; WHEN 1 THEN a := by_sql(); ELSE a := by_table(); END CASE;
		IF i % 50 = 0 THEN EXECUTE 'EXECUTE view_of_runs (''tell'')' INTO a; END IF;
		IF i % 40 = 0 AND t.sees <> ' 0' AND t.who <> 'wf_test_both' THEN a := (wf_dry_run('tell', '"x"')->'output'->>0) || right(t.sees, 2); END IF;
		IF i % 100 = 1 THEN
			-- a cursor that was opened by one is read by the next: it has what that one may see
			OPEN c FOR SELECT concat(min(input #>> '{}'), ' ', count(*)) FROM wf.run WHERE input::text = ANY ('{"\"mine\"","\"theirs\""}');
			FETCH c INTO a;
			PERFORM set_config('role', 'wf_test_stranger', false);
			CLOSE c;
		END IF;
		IF a IS DISTINCT FROM t.sees THEN wrong := wrong + 1; IF wrong < 5 THEN RAISE WARNING 'seed %, turn %: % as "%" sees %, not %', seed, i, t.who, t.tenant, a, t.sees; END IF; END IF;
		PERFORM set_config('role', 'none', false);
	END LOOP;
	RAISE WARNING '% wrong', wrong;
END $$;
CALL turn_around(10000, 0.42);
-- the same as members come and go within it
CREATE PROCEDURE come_and_go(n int) LANGUAGE plpgsql AS $$
DECLARE wrong int := 0;
BEGIN
	FOR i IN 1..n LOOP
		PERFORM set_config('workflow.tenant', 'theirs', false), wf_grant('wf_test_stranger', 'theirs', 'viewer'), set_config('role', 'wf_test_stranger', false);
		IF by_table() <> 'theirs 5' THEN wrong := wrong + 1; END IF;
		PERFORM set_config('role', 'none', false), wf_revoke('wf_test_stranger', 'theirs'), set_config('role', 'wf_test_stranger', false);
		IF by_table() <> ' 0' THEN wrong := wrong + 1; END IF;
		PERFORM set_config('role', 'none', false);
	END LOOP;
	RAISE WARNING '% wrong', wrong;
END $$;
CALL come_and_go(200);
RESET workflow.tenant;
-- spoofing by ALTER ROLE, by a function's SET, by options of the connection
\c - wf_test_mallory
SELECT wf_current_tenant();
ALTER ROLE wf_test_mallory SET workflow.tenant = 'theirs';
CREATE FUNCTION of_mallory.spoof() RETURNS bigint LANGUAGE sql SET workflow.tenant = 'theirs' AS $$ SELECT count(*) FROM wf_runs $$;
CREATE FUNCTION of_mallory.definer() RETURNS text LANGUAGE sql SECURITY DEFINER SET workflow.tenant = 'theirs' AS $$ SELECT concat(wf_current_tenant(), count(*)) FROM wf_runs $$;
SELECT of_mallory.spoof(), of_mallory.definer();
\c - wf_test_mallory
SHOW workflow.tenant; SELECT count(*) FROM wf_runs; SELECT attempt('SELECT wf_run(''tell'')');
SELECT wf_current_tenant() IS NULL; ALTER ROLE wf_test_mallory RESET workflow.tenant;
\c - wf_test_victim
-- what is another's function shows what is its owner's
SELECT of_mallory.definer();
\c - postgres
DROP EXTENSION workflow CASCADE; DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate, wf_test_both;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate, wf_test_both;
