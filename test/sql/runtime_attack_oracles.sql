-- what a member learns of another tenant by plans, statistics, estimates, errors, leaky functions and names: what one learns of nothing
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
\c - wf_test_victim
SELECT wf_save('canary_name', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "canary_output"}}]}', '{"description": "canary_text", "category": "canary/category", "label": "canary_label", "comment": "canary_comment"}');
SELECT count(wf_run('canary_name', '{"canary": "canary_input"}', jsonb_build_object('correlationId', 'canary_correlation', 'idempotencyKey', 'canary_key' || n, 'tags', '["canary_tag"]'::jsonb))) FROM generate_series(1, 300) n;
SELECT count(wf_run('canary_name', jsonb_build_object('n', n), jsonb_build_object('correlationId', 'other' || n))) FROM generate_series(1, 50) n;
SELECT count(*) FROM wf_start_many('canary_name', array_fill('"canary_queued"'::jsonb, ARRAY[50]), '{"delay": "1 h", "correlationId": "canary_correlation"}');
SELECT count(wf_emit('canary_event', '"canary_payload"', 'canary_correlation')) FROM generate_series(1, 50);
SELECT wf_run('canary_name', '"canary_input"', '{"idempotencyKey": "one"}')->>'run_id' AS theirs \gset
SELECT wf_set_secret('canary_secret', 'canary_value');
\c - postgres
SELECT count(wf_create_tenant('other' || n)) FROM generate_series(1, 200) n;
ANALYZE;
\c - wf_test_mallory
SELECT wf_run('invoker', '"SELECT 1"')->>'status';

-- EXPLAIN: asking for what another has, and for what nobody has, gives the same plan, estimates and counts
CREATE FUNCTION of_mallory.plan(ask text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; whole text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, BUFFERS OFF) ' || format(ask, value) LOOP
		whole := whole || regexp_replace(replace(line, value, '#'), '''\d+''', '#') || E'\n'; END LOOP;
	RETURN whole;
END $$;
CREATE TABLE of_mallory.questions (ask text, theirs text, nobodys text);
INSERT INTO of_mallory.questions VALUES
	('SELECT FROM wf.tenant WHERE name = %L', 'theirs', 'absent'), ('SELECT FROM wf.tenant WHERE name LIKE %L', 'theirs', 'absent'), ('SELECT FROM wf.tenant WHERE name IN (%L, ''x'')', 'theirs', 'absent'),
	('SELECT FROM wf.tenant WHERE name < %L', 'canary', 'absent'), ('SELECT FROM wf.tenant WHERE name COLLATE "C" = %L', 'theirs', 'absent'),
	('SELECT FROM wf.member WHERE role = %L::regrole', 'wf_test_victim', 'wf_test_stranger'), ('SELECT FROM wf.member WHERE role::oid = %L::regrole::oid', 'wf_test_victim', 'wf_test_stranger'),
	('SELECT FROM wf.workflow WHERE name = %L', 'canary_name', 'absent'), ('SELECT FROM wf_workflows WHERE name = %L', 'canary_name', 'absent'), ('SELECT FROM wf.workflow WHERE description = %L', 'canary_text', 'absent'),
	('SELECT FROM wf.version WHERE label = %L', 'canary_label', 'absent'), ('SELECT FROM wf_runs WHERE correlation_id = %L', 'canary_correlation', 'absent'),
	('SELECT FROM wf.run WHERE correlation_id = %L', 'canary_correlation', 'absent'), ('SELECT FROM wf.run WHERE correlation_id > %L', 'canary_correlation', 'absent'), ('SELECT FROM wf.run WHERE correlation_id LIKE %L', 'canary%', 'absent%'),
	('SELECT FROM wf.run WHERE idempotency_key = %L', 'canary_key1', 'absent'),
	('SELECT FROM wf.run WHERE tags @> ARRAY[%L]', 'canary_tag', 'absent'), ('SELECT FROM wf.run WHERE input = to_jsonb(%L::text)', 'canary_input', 'absent'), ('SELECT FROM wf.run WHERE input ? %L', 'canary', 'absent'),
	('SELECT FROM wf.secret WHERE name = %L', 'canary_secret', 'absent'), ('SELECT FROM wf_secrets WHERE name = %L', 'canary_secret', 'absent'),
	-- a subquery of one's own that is executed at the first row that passes what comes before
	('SELECT FROM wf.run WHERE correlation_id = %L AND status = (SELECT ''x'')', 'canary_correlation', 'absent'), ('SELECT FROM wf.tenant WHERE name = %L AND created_at = (SELECT now())', 'theirs', 'absent'),
	('SELECT FROM wf.workflow WHERE name > %L AND (SELECT ''x'') = status AND description IS NOT NULL', 'canary_nam', 'zzzzzz'), ('SELECT FROM wf.run WHERE (correlation_id = %L) IS TRUE AND (started_at IS NULL OR (SELECT true))', 'canary_correlation', 'absent'),
	('SELECT FROM wf_runs WHERE correlation_id = %L AND status = (SELECT ''x'')', 'canary_correlation', 'absent'), ('SELECT FROM wf.run WHERE CASE WHEN correlation_id = %L THEN status = (SELECT ''x'') ELSE false END', 'canary_correlation', 'absent'),
	('SELECT FROM wf.queue WHERE options IS NOT NULL AND role = (SELECT %L::regrole)', 'wf_test_victim', 'wf_test_stranger'),
	('SELECT FROM wf.run WHERE status = ANY (ARRAY[%L, (SELECT ''x'')])', 'canary_correlation', 'absent'),
	('SELECT FROM wf.run WHERE run_id = %L', :'theirs', '01000000-0000-7000-8000-000000000000'), ('SELECT FROM wf_steps WHERE run_id = %L', :'theirs', '01000000-0000-7000-8000-000000000000');
SELECT ask, of_mallory.plan(ask, theirs), of_mallory.plan(ask, nobodys) FROM of_mallory.questions
	WHERE of_mallory.plan(ask, theirs) IS DISTINCT FROM of_mallory.plan(ask, nobodys);
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_nestloop = off;
SELECT ask, of_mallory.plan(ask, theirs), of_mallory.plan(ask, nobodys) FROM of_mallory.questions
	WHERE of_mallory.plan(ask, theirs) IS DISTINCT FROM of_mallory.plan(ask, nobodys);
RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_nestloop;
SELECT count(*) FROM of_mallory.questions;

-- what makes it so holds for every table: a policy for all begins with the function that comes before all else, an index that does not begin
-- with the tenant names nothing that one can ask for, and text has no statistics
SELECT polrelid::regclass, polname, pg_get_expr(polqual, polrelid) FROM pg_policy JOIN pg_class c ON c.oid = polrelid WHERE relnamespace = 'wf'::regnamespace AND polroles = '{0}' AND pg_get_expr(polqual, polrelid) !~ '^\(?wf\.is_current_tenant\(tenant_id\)';
SELECT indexrelid::regclass, attname FROM pg_index JOIN pg_class c ON c.oid = indrelid JOIN pg_attribute a ON attrelid = indrelid AND attnum = indkey[0] WHERE relnamespace = 'wf'::regnamespace AND atttypid IN ('text'::regtype, 'regrole'::regtype, 'name'::regtype)
	AND NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = indrelid AND t.attname = 'tenant_id' AND t.attnum = ANY (indkey)) AND has_column_privilege('wf_test_mallory', indrelid, attname, 'SELECT');
SELECT attrelid::regclass, attname FROM pg_attribute JOIN pg_class c ON c.oid = attrelid WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND atttypid IN ('text'::regtype, 'text[]'::regtype) AND attstattarget IS DISTINCT FROM 0
	AND attname NOT IN ('status', 'state', 'type', 'kind', 'app_role', 'trigger', 'method');
-- statistics: none of our tables' are told
SELECT count(*) FROM pg_stats WHERE schemaname = 'wf'; SELECT count(*) FROM pg_stats_ext WHERE schemaname = 'wf'; SELECT count(*) FROM pg_stats_ext_exprs WHERE schemaname = 'wf';
SELECT attempt('SELECT 1 FROM pg_statistic'), attempt('SELECT 1 FROM pg_statistic_ext_data');
-- nor the statements of others, their locks' names, or their settings
SELECT count(*) FROM pg_stat_activity WHERE query ~ 'canary'; SELECT count(*) FROM pg_prepared_xacts WHERE gid ~ 'canary';
-- pages of tables, files, the log: nothing of it for ordinary roles
SELECT f, attempt(f) FROM unnest('{"SELECT pg_read_file(''postgresql.conf'')","SELECT pg_read_binary_file(''PG_VERSION'')","SELECT pg_ls_dir(''.'')","SELECT pg_stat_file(''PG_VERSION'')","SELECT lo_import(''/etc/hostname'')","SELECT lo_export(1, ''/tmp/x'')","SELECT pg_current_logfile()","SELECT pg_ls_logdir()","SELECT pg_ls_waldir()","COPY of_mallory.questions TO ''/tmp/x''","COPY of_mallory.questions FROM PROGRAM ''true''","COPY of_mallory.questions TO PROGRAM ''true''","LOAD ''workflow''","CREATE EXTENSION dblink","CREATE EXTENSION file_fdw","CREATE EXTENSION pageinspect","CREATE EXTENSION postgres_fdw","CREATE FUNCTION of_mallory.c() RETURNS int LANGUAGE c AS ''workflow'', ''wf_sql_secret''","CREATE FUNCTION of_mallory.i(internal) RETURNS int LANGUAGE internal AS ''int4in''","CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION of_mallory.plan()","SELECT pg_reload_conf()","SELECT pg_switch_wal()","SELECT pg_logical_slot_get_changes(''x'', NULL, NULL)","SELECT pg_create_logical_replication_slot(''x'', ''test_decoding'')","SELECT pg_create_physical_replication_slot(''x'')","CREATE SUBSCRIPTION x CONNECTION '''' PUBLICATION x WITH (connect = false)","ALTER SYSTEM SET workflow.http_allow = ''0.0.0.0/0''","SET workflow.http_allow = ''0.0.0.0/0''","SET workflow.master_key_file = ''/tmp/x''","SET workflow.http_ca_file = ''/tmp/x''","SET session_replication_role = replica","SET shared_preload_libraries = ''x''","SET session_preload_libraries = ''x''","SET log_statement = ''none''","ALTER DATABASE postgres SET workflow.tenant = ''theirs''","ALTER ROLE wf_test_victim SET workflow.tenant = ''mine''","ALTER ROLE wf_engine LOGIN","ALTER ROLE ALL SET role = ''wf_test_mallory''","CREATE ROLE wf_test_new SUPERUSER","GRANT pg_read_all_data TO CURRENT_USER","GRANT wf_test_victim TO CURRENT_USER","ALTER EXTENSION workflow UPDATE","ALTER EXTENSION workflow SET SCHEMA of_mallory","DROP EXTENSION workflow","SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type ~ ''^workflow'' OR usename = ''postgres''","SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = ''postgres'' AND pid <> pg_backend_pid()"}'::text[]) f
	WHERE attempt(f) !~ '^(42501|55P02|25001 ALTER SYSTEM)';
-- the same by a run
SELECT f, run('definer', f) FROM unnest('{"SELECT pg_read_file(''postgresql.conf'')","COPY (SELECT 1) TO PROGRAM ''true''","LOAD ''workflow''","CREATE EXTENSION dblink","CREATE EVENT TRIGGER x ON ddl_command_end EXECUTE FUNCTION of_mallory.plan()","ALTER SYSTEM SET workflow.tenant = ''x''"}'::text[]) f WHERE run('definer', f) !~ '^failed (42501|25001 ALTER SYSTEM)';

-- leaky functions and operators, as cheap as they can be, see no row that the policy does not give
CREATE FUNCTION of_mallory.leak(anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 IMMUTABLE AS $$ BEGIN RAISE WARNING 'leaked %', $1; RETURN true; END $$;
CREATE FUNCTION of_mallory.leak2(anyelement, anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 IMMUTABLE AS $$ BEGIN IF $1::text ~ 'canary' THEN RAISE WARNING 'leaked %', $1; END IF; RETURN false; END $$;
CREATE OPERATOR of_mallory.<<< (PROCEDURE = of_mallory.leak2, LEFTARG = anyelement, RIGHTARG = anyelement, COMMUTATOR = OPERATOR(of_mallory.<<<), RESTRICT = eqsel, JOIN = eqjoinsel);
SELECT attempt('CREATE FUNCTION of_mallory.l(int) RETURNS bool LANGUAGE sql LEAKPROOF AS ''SELECT true''');
SELECT attempt('ALTER FUNCTION of_mallory.leak(anyelement) LEAKPROOF');
CREATE FUNCTION of_mallory.look() RETURNS TABLE (name text, col text, answer text) LANGUAGE plpgsql AS $$
DECLARE r record; n bigint;
BEGIN
	FOR r IN SELECT c.oid::regclass AS tab, quote_ident(attname) AS attname, format_type(atttypid, NULL) AS typ FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
			WHERE (relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') OR relname LIKE 'wf\_%' AND relkind = 'v') AND attnum > 0 AND NOT attisdropped AND relname NOT IN ('member')
			AND has_column_privilege(c.oid, attname, 'SELECT') AND NOT relispartition ORDER BY 1, 2 LOOP
		EXECUTE format('SELECT count(*) FROM %s WHERE NOT (%s::text OPERATOR(of_mallory.<<<) '''') AND %s::text ~ ''canary''', r.tab, r.attname, r.attname) INTO n;
		IF n > 0 THEN RETURN QUERY SELECT r.tab::text, r.attname::text, n::text; END IF;
		EXECUTE format('SELECT count(*) FROM %s t WHERE of_mallory.leak2(t::text, '''')', CASE WHEN NOT has_table_privilege(r.tab::text, 'SELECT') THEN '(SELECT 1)' ELSE r.tab::text END) INTO n;
		IF n > 0 THEN RETURN QUERY SELECT r.tab::text, 'row'::text, n::text; END IF;
	END LOOP;
END $$;
SELECT * FROM of_mallory.look();
-- errors that would tell a value when they are raised before the policy
SELECT attempt('SELECT count(*) FROM wf.run WHERE 1 / (CASE WHEN output::text ~ ''canary'' THEN 0 ELSE 1 END) = 1'), attempt('SELECT count(*) FROM wf.run WHERE (output #>> ''{}'')::int = 1'),
	attempt('SELECT count(*) FROM wf_runs WHERE correlation_id::int = 1'), attempt('SELECT count(*) FROM wf.workflow WHERE name::int = 1'), attempt('SELECT count(*) FROM wf.tenant WHERE name::date = now() AND name <> ''mine'''),
	attempt('SELECT count(*) FROM wf.event WHERE payload::text::numeric = 1'), attempt('SELECT count(*) FROM wf_steps WHERE node::int = 1 AND run_id <> ALL (SELECT run_id FROM wf_runs)'), attempt('SELECT max(1 / (length(name) - length(name))) FROM wf.tenant WHERE name <> ''mine'''),
	attempt('SELECT count(*) FROM wf.secret WHERE name::int = 1'), attempt('SELECT ciphertext FROM wf.secret'), attempt('SELECT * FROM wf.secret'), attempt('SELECT s FROM wf.secret s'), attempt('SELECT * FROM wf.master_key'), attempt('SELECT * FROM wf.request'), attempt('SELECT count(*) FROM wf.secret WHERE ciphertext IS NOT NULL');
-- joins, unions, recursion, partition-wise and parallel plans are under the policy too
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET enable_partitionwise_join = on; SET enable_partitionwise_aggregate = on; SET max_parallel_workers_per_gather = 2;
SELECT count(*) FROM wf.run a JOIN wf.run b USING (run_id) WHERE of_mallory.leak2(a.input::text, b.output::text); SELECT count(*), max(correlation_id) FROM wf.run; SELECT count(*) FROM wf.segment s, unnest(s.steps) t WHERE t.output::text ~ 'canary';
SELECT count(*) FROM wf.run TABLESAMPLE SYSTEM (100) WHERE of_mallory.leak2(input::text, ''); SELECT ctid, tableoid::regclass FROM wf.run WHERE input::text ~ 'canary' ORDER BY ctid; SELECT count(*) FROM wf.workflow WHERE ctid = '(0,1)' AND name = 'canary_name';
RESET ALL;
-- names that are taken in another tenant are free in this one; keys and events, too
SELECT wf_save('canary_name', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "own"}}]}'), wf_run('canary_name', '{}', '{"idempotencyKey": "canary_key1", "onConflict": "error"}')->>'output', wf_run('canary_name', '{}', '{"idempotencyKey": "one"}')->>'output', wf_emit('canary_event', '{}', 'canary_correlation'), wf_set_secret('canary_secret', 'x');
SELECT wf_delete('canary_name'), wf_drop_secret('canary_secret');
-- ids of another's are ids of nothing
CREATE TABLE of_mallory.asks (sql text);
INSERT INTO of_mallory.asks VALUES ('SELECT wf_cancel(%L)'), ('SELECT wf_pause(%L)'), ('SELECT wf_resume(%L)'), ('SELECT wf_retry(%L)'), ('SELECT wf_signal(%L, ''e'')'), ('SELECT wf_await(%L, ''0'')'), ('SELECT wf_migrate(%L, 1)'), ('SELECT wf_verify_signature(%L)'),
	('SELECT wf_complete_task(%L, ''approved'')'), ('SELECT wf_finish_task(%L, ''1'')'), ('SELECT wf_fail_task(%L, ''1'')'), ('SELECT wf_claim_task(%L)'), ('SELECT wf_unclaim_task(%L)'), ('SELECT wf_delegate_task(%L, ''wf_test_mallory'')'), ('SELECT wf_comment_task(%L, ''x'')'), ('SELECT wf_heartbeat(%L)'),
	('SELECT wf_run(''invoker'', ''"SELECT 1"'', jsonb_build_object(''mocks'', jsonb_build_object(%L, 1)))'), ('SELECT count(*) FROM wf_runs WHERE run_id = %L'), ('SELECT * FROM wf.executing() WHERE run_id = %L');
SELECT sql, attempt(format(sql, :'theirs')), attempt(format(sql, '01000000-0000-7000-8000-000000000000')) FROM of_mallory.asks
	WHERE regexp_replace(attempt(format(sql, :'theirs')), :'theirs', '#') IS DISTINCT FROM regexp_replace(attempt(format(sql, '01000000-0000-7000-8000-000000000000')), '01000000-0000-7000-8000-000000000000', '#');
\c - postgres
-- which functions take an id, and are not among these
SELECT p.oid::regprocedure FROM pg_proc p WHERE proname ~ '^wf_' AND pg_get_function_arguments(p.oid) ~ '^\w+ uuid' AND NOT EXISTS (SELECT FROM of_mallory.asks WHERE sql ~ ('\m' || proname || '\('));
SELECT wf_use_tenant('theirs'); SELECT count(*) FROM wf_runs; RESET workflow.tenant;
DROP EXTENSION workflow CASCADE;
DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
