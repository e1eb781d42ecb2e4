-- runs in all kinds of transactions, and runs started by what runs
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE TABLE t (v text);
CREATE FUNCTION look() RETURNS text LANGUAGE sql AS $$ SELECT format('t: %s, runs: %s', (SELECT string_agg(v, ' ' ORDER BY v) FROM t), (SELECT string_agg(status, ' ' ORDER BY run_id) FROM wf_runs)) $$;
-- forgets all
CREATE FUNCTION fresh() RETURNS void LANGUAGE sql AS $$ DELETE FROM t; DELETE FROM wf.segment; DELETE FROM wf.run $$;
-- the envelope without what changes
CREATE FUNCTION short(r jsonb) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' | ', r->>'status', r->>'output', r#>>'{error,code}', r#>>'{error,message}') $$;
SELECT wf_save('put', '{"nodes": [{"id": "p", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES ($1)", "params": ["{{ $input.v }}"], "outputFormat": "none"}}], "edges": []}');
SELECT wf_save('bad', '{"nodes": [{"id": "p", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''bad'')"}}, {"id": "f", "type": "fail", "config": {"code": "NO", "message": "no"}}], "edges": [{"source": "p", "target": "f"}]}');
SELECT wf_save('sql', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT run_sql($1)", "params": ["{{ $input.sql }}"], "outputFormat": "value"}}], "edges": []}');
CREATE FUNCTION run_sql(sql text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE sql INTO r; RETURN r; END $$;

-- read-only: refused before anything happens; a dry run may look
BEGIN READ ONLY; SELECT wf_run('put', '{"v": 1}'); ROLLBACK;
BEGIN READ ONLY; SELECT wf_call('put', '{"v": 1}'); ROLLBACK;
BEGIN READ ONLY; SELECT wf_save('x', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}'); ROLLBACK;
BEGIN READ ONLY; SELECT short(wf_dry_run('put', '{"v": 1}')); ROLLBACK;
-- REPEATABLE READ, SERIALIZABLE
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT short(wf_run('put', '{"v": "serializable"}')); SELECT short(wf_run('bad')); COMMIT;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT short(wf_run('put', '{"v": "repeatable"}')); SELECT look(); COMMIT;
SELECT look();
-- a serialization failure that something within the run raises is the caller's
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT wf_run('sql', '{"sql": "DO $x$ BEGIN RAISE serialization_failure; END $x$"}'); ROLLBACK;
SELECT short(wf_run('sql', '{"sql": "DO $x$ BEGIN RAISE serialization_failure; END $x$"}'));

-- a subtransaction that is rolled back leaves no trace of the run
SELECT fresh();
BEGIN; SELECT short(wf_run('put', '{"v": "kept"}')); SAVEPOINT a; SELECT short(wf_run('put', '{"v": "gone"}')); SELECT short(wf_run('bad')); SELECT look(); ROLLBACK TO a; SELECT look(); COMMIT;
SELECT look();
BEGIN; SELECT short(wf_run('put', '{"v": "gone"}')); ROLLBACK;
SELECT look();
-- in PL/pgSQL with an exception block: what was caught is gone, wf_run's failures are none
SELECT fresh();
DO $$
BEGIN
	BEGIN
		PERFORM wf_run('put', '{"v": "gone"}');
		PERFORM wf_call('bad');
	EXCEPTION WHEN OTHERS THEN RAISE NOTICE '% %', SQLSTATE, SQLERRM;
	END;
	PERFORM wf_run('bad');
	PERFORM wf_run('put', '{"v": "kept"}');
END $$;
SELECT look();
-- hundreds of caught failures in one transaction
DO $$
BEGIN
	FOR i IN 1..300 LOOP
		BEGIN PERFORM wf_call('bad'); EXCEPTION WHEN SQLSTATE 'WF017' THEN NULL; END;
		PERFORM wf_run('bad');
	END LOOP;
END $$;
SELECT count(*), count(DISTINCT run_id) FROM wf_runs;
-- with COMMIT and ROLLBACK around
SELECT fresh();
DO $$
BEGIN
	PERFORM wf_run('put', '{"v": "a"}'); COMMIT;
	PERFORM wf_run('put', '{"v": "b"}'); ROLLBACK;
	PERFORM wf_run('bad'); COMMIT;
	PERFORM wf_run('put', '{"v": "c"}');
END $$;
SELECT look();
-- in an aborted transaction
BEGIN; SELECT 1/0; SELECT wf_run('put'); ROLLBACK;
-- in a cursor's loop, and as the cursor's query
SELECT fresh();
DO $$ DECLARE r record; BEGIN FOR r IN SELECT i FROM generate_series(1, 3) i LOOP PERFORM wf_run('put', jsonb_build_object('v', r.i)); END LOOP; END $$;
BEGIN; DECLARE c CURSOR FOR SELECT short(wf_run('put', jsonb_build_object('v', 'c' || i))) FROM generate_series(1, 3) i; FETCH 1 FROM c; FETCH 1 FROM c; CLOSE c; COMMIT;
BEGIN; DECLARE c CURSOR FOR SELECT short(wf_run('bad')) FROM generate_series(1, 3) i; FETCH 2 FROM c; SELECT short(wf_run('put', '{"v": "between"}')); FETCH 1 FROM c; COMMIT;
SELECT look();
-- many in one statement, in parallel plans' way too
SELECT fresh();
SELECT count(wf_run('put', jsonb_build_object('v', i))) FROM generate_series(1, 50) i;
SELECT count(*) FROM t WHERE (wf_run('bad')->>'status') = 'failed';

-- prepared
SELECT fresh();
BEGIN; SELECT short(wf_run('put', '{"v": "prepared"}')); SELECT short(wf_run('bad', '{}', '{"idempotencyKey": "k"}')); PREPARE TRANSACTION 'wf1';
SELECT look();
COMMIT PREPARED 'wf1';
SELECT look();
BEGIN; SELECT short(wf_run('put', '{"v": "never"}')); PREPARE TRANSACTION 'wf2';
ROLLBACK PREPARED 'wf2';
SELECT look();

-- from a trigger: with the row, or not at all
SELECT fresh();
CREATE TABLE orders (id int, bad bool);
CREATE FUNCTION on_order() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.bad THEN PERFORM wf_call('bad'); END IF;
	PERFORM wf_run('put', jsonb_build_object('v', 'order' || new.id));
	RETURN new;
END $$;
CREATE TRIGGER on_order BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION on_order();
INSERT INTO orders VALUES (1, false), (2, false);
INSERT INTO orders VALUES (3, false), (4, true);
SELECT look(), (SELECT array_agg(id) FROM orders);
-- a trigger that a run sets off
SELECT wf_save('order', '{"nodes": [{"id": "o", "type": "db.create", "config": {"table": "orders", "values": {"id": "{{ $input.id }}", "bad": "{{ $input.bad }}"}}, "onError": "continue", "onErrorValue": "{{ $error.code }}"}], "edges": []}');
SELECT short(wf_run('order', '{"id": 5, "bad": false}')), short(wf_run('order', '{"id": 6, "bad": true}'));
SELECT look();
-- deferred constraints are checked when the caller commits
CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int REFERENCES p DEFERRABLE INITIALLY DEFERRED);
SELECT wf_save('deferred', '{"nodes": [{"id": "o", "type": "db.create", "config": {"table": "c", "values": {"id": 1}}}], "edges": []}');
SELECT fresh();
SELECT short(wf_run('deferred'));
BEGIN; SELECT wf_run('deferred')->>'status'; INSERT INTO p VALUES (1); COMMIT;
SELECT look(), (SELECT count(*) FROM c);

-- recursively from a block: each run is one of its own, and the depth has a limit
SELECT fresh();
SELECT short(wf_run('sql', '{"sql": "SELECT wf_run(''put'', ''{\"v\": \"inner\"}'')->>''status''"}'));
SELECT short(wf_run('sql', '{"sql": "SELECT wf_run(''bad'')->>''status''"}'));
SELECT short(wf_run('sql', '{"sql": "SELECT wf_call(''bad'')"}'));
SELECT look();
SELECT wf_save('again', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_run(''again'')->''error''->>''message''", "outputFormat": "value"}}], "edges": []}');
SELECT wf_save('call again', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_call(''call again'')"}}], "edges": []}');
SET workflow.max_depth = 4;
SELECT short(wf_run('again'));
SELECT short(wf_run('call again'));
SELECT wf_call('call again');
RESET workflow.max_depth;
SELECT short(wf_run('call again')) ~ 'runs are nested more than 32 deep';
SELECT short(wf_run('put', '{"v": "after"}'));
-- in 1,000 levels the stack is the limit
SET workflow.max_depth = 1000; SET max_stack_depth = '500kB';
SELECT short(wf_run('call again')) ~ 'stack depth limit exceeded';
RESET workflow.max_depth; RESET max_stack_depth;
-- saving, activating and deleting what runs
SELECT wf_save('self', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT wf_save(''self'', ''{\"nodes\": [{\"id\": \"new\", \"type\": \"noop\"}], \"edges\": []}'')", "outputFormat": "value"}}, {"id": "b", "type": "subworkflow", "config": {"workflow": "self", "input": {"from": "old"}}}, {"id": "d", "type": "db.query", "config": {"sql": "SELECT wf_delete(''self'')", "outputFormat": "none"}}, {"id": "z", "type": "set", "config": {"variables": {"a": "{{ $node.a.output }}", "b": "{{ $node.b.output }}"}}}],
	"edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "d"}, {"source": "d", "target": "z"}]}');
SELECT short(wf_run('self'));
SELECT wf_run('self');

-- what ends transactions is no SQL of a run
SELECT short(wf_run('sql', '{"sql": "COMMIT"}')), short(wf_run('sql', '{"sql": "ROLLBACK"}')), short(wf_run('sql', '{"sql": "SAVEPOINT a"}'));
SELECT wf_save('commit', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "COMMIT"}}], "edges": []}');
SELECT short(wf_run('commit'));
CREATE PROCEDURE committing() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES ('committed'); COMMIT; END $$;
SELECT wf_save('call', '{"nodes": [{"id": "q", "type": "db.call", "config": {"procedure": "committing"}}], "edges": []}');
SELECT short(wf_run('call'));
SELECT wf_save('call2', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "CALL committing()"}, "onError": "continue", "onErrorValue": "{{ $error.code }}"}], "edges": []}');
SELECT short(wf_run('call2'));
SELECT count(*) FROM t WHERE v = 'committed';

-- role and search path are as before, on all paths
CREATE SCHEMA other; CREATE TABLE other.t (v text);
CREATE ROLE wf_test_owner; SELECT wf_grant('wf_test_owner', 'default', 'member'); GRANT USAGE ON SCHEMA other TO wf_test_owner; GRANT ALL ON other.t TO wf_test_owner;
CREATE ROLE wf_test_caller; SELECT wf_grant('wf_test_caller', 'default', 'member');
CREATE FUNCTION who() RETURNS text LANGUAGE sql AS $$ SELECT current_user || ' ' || current_setting('search_path') $$;
SET ROLE wf_test_owner; SET search_path = other, public;
SELECT wf_save('definer', '{"nodes": [{"id": "w", "type": "db.query", "config": {"sql": "SELECT who()", "outputFormat": "value"}}, {"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (current_user)"}}, {"id": "f", "type": "db.query", "config": {"sql": "SELECT 1 / $1::int", "params": ["{{ $trigger.n }}"]}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.w.output.value }}"}}],
	"edges": [{"source": "w", "target": "i"}, {"source": "i", "target": "f"}, {"source": "f", "target": "r"}], "settings": {"security": "definer"}}');
RESET search_path; RESET ROLE;
SET ROLE wf_test_caller;
SELECT wf_save('invoker', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT who()", "outputFormat": "value"}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "definer", "input": {"n": "{{ $trigger.n }}"}}, "onError": "continue", "onErrorValue": "{{ $error.message }}"}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT who()", "outputFormat": "value"}}, {"id": "r", "type": "return", "config": {"value": ["{{ $node.a.output.value }}", "{{ $node.s.output }}", "{{ $node.b.output.value }}"]}}],
	"edges": [{"source": "a", "target": "s"}, {"source": "s", "target": "b"}, {"source": "b", "target": "r"}]}');
SELECT short(wf_run('invoker', '{"n": 1}')), who();
SELECT short(wf_run('invoker', '{"n": 0}')), who();
SELECT short(wf_run('definer', '{"n": 1}')), who();
SELECT short(wf_run('definer', '{"n": 0}')), who();
SELECT wf_call('definer', '{"n": 0}');
SELECT who();
DO $$ BEGIN PERFORM wf_call('definer', '{"n": 0}'); EXCEPTION WHEN division_by_zero THEN RAISE NOTICE '%', who(); END $$;
SELECT short(wf_dry_run('definer', '{"n": 1}')), short(wf_dry_run('definer', '{"n": 0}')), who();
RESET ROLE;
SELECT v, count(*) FROM other.t GROUP BY v;
-- SET ROLE in a run is what it is in a function: it stays in force, and is undone with what failed; an owner's run may not
SELECT short(wf_run('sql', '{"sql": "SELECT set_config(''role'', ''wf_test_caller'', false)"}')), current_user, current_setting('role');
RESET ROLE;
SELECT wf_save('role', '{"nodes": [{"id": "r", "type": "db.query", "config": {"sql": "SELECT set_config(''role'', ''wf_test_caller'', false)"}}, {"id": "w", "type": "db.query", "config": {"sql": "SELECT current_user::text, 1 / $1::int", "params": ["{{ $trigger.n }}"]}}], "edges": [{"source": "r", "target": "w"}]}');
SELECT short(wf_run('role', '{"n": 0}')), current_user, current_setting('role');
SELECT short(wf_run('role', '{"n": 1}')), current_user, current_setting('role');
RESET ROLE;
SET ROLE wf_test_owner;
SELECT wf_save('role definer', '{"nodes": [{"id": "r", "type": "db.query", "config": {"sql": "SELECT set_config(''role'', ''none'', false)"}}], "edges": [], "settings": {"security": "definer"}}');
RESET ROLE;
SELECT short(wf_run('role definer')), current_user, current_setting('role');
-- a temporary schema in the search path of a save is everybody's own
SET search_path = pg_temp, public; CREATE TEMP TABLE temporary (i int);
SELECT wf_save('temp', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}');
RESET search_path;
SELECT search_path FROM wf.version JOIN wf.workflow USING (workflow_id) WHERE name = 'temp';
-- an owner that is gone
DROP OWNED BY wf_test_owner;
SELECT wf_revoke('wf_test_owner', 'default');
DROP ROLE wf_test_owner;
SELECT short(wf_run('definer', '{"n": 1}'));
SELECT short(wf_run('invoker', '{"n": 1}')), who();

-- the extension goes and comes again in one session
SELECT wf_revoke('wf_test_caller', 'default');
DROP EXTENSION workflow;
SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'wf';
CREATE EXTENSION workflow;
SELECT wf_save('put', '{"nodes": [{"id": "p", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES ($1)", "params": ["{{ $input.v }}"], "outputFormat": "none"}}], "edges": []}');
SELECT short(wf_run('put', '{"v": "again"}')), short(wf_run('bad'));
SELECT look();
BEGIN; DROP EXTENSION workflow; ROLLBACK;
SELECT short(wf_run('put', '{"v": "once more"}'));
BEGIN; DROP EXTENSION workflow; CREATE EXTENSION workflow; SELECT wf_run('put'); ROLLBACK;
SELECT short(wf_run('put', '{"v": "and again"}'));
SELECT look();
DROP ROLE wf_test_caller;
