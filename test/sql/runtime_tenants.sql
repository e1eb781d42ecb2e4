-- tenants that are suspended, archived and deleted, while their runs are in the queue, wait, or are about to be started
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_ann LOGIN; CREATE ROLE wf_test_gate LOGIN;
GRANT wf_gateway TO wf_test_gate;
SELECT wf_create_tenant('top') IS NOT NULL, wf_create_tenant('shop', '{"parent": "top"}') IS NOT NULL, wf_create_tenant('calm') IS NOT NULL;
SELECT wf_grant('wf_test_ann', 'shop', 'owner'), wf_grant('wf_test_ann', 'calm', 'owner');
CREATE TABLE orders (id int); CREATE TABLE mark (w text);
GRANT ALL ON orders, mark TO wf_test_ann; ALTER TABLE orders OWNER TO wf_test_ann;
GRANT USAGE ON SCHEMA test TO PUBLIC;
-- a run of the other tenant, with the same role and so the same worker, from its start to its end
CREATE FUNCTION others() RETURNS text LANGUAGE plpgsql SET workflow.tenant = 'calm' AS $$ BEGIN RETURN wf_start('w'); END $$;
-- until the keeper has deleted all that is to be; it waits for whatever runs when it begins, this one too
CREATE PROCEDURE deleted() LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + '30 s';
BEGIN
	WHILE EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting') LOOP
		IF clock_timestamp() > until THEN RAISE EXCEPTION 'rows of a deleted tenant are left'; END IF;
		COMMIT;
		PERFORM pg_sleep(0.002);
	END LOOP;
END $$;
SET ROLE wf_test_ann;
SET workflow.tenant = 'calm';
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "{{ $run.tenant }}"}}]}');
SET workflow.tenant = 'shop';
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "{{ $run.tenant }}"}}]}');
SELECT wf_save('nap', '{"nodes": [{"id": "d", "type": "delay", "config": {"duration": 0.05}}, {"id": "r", "type": "return", "config": {"value": "{{ $run.tenant }}"}}], "edges": [{"source": "d", "target": "r"}]}');
SELECT wf_save('ask', '{"nodes": [{"id": "s", "type": "waitForEvent", "config": {"event": "go"}}]}');
SELECT wf_save('row', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "orders", "events": ["insert"]}}]}');
SELECT wf_save('hook', '{"nodes": [{"id": "h", "type": "trigger.webhook", "config": {"path": "/in"}}]}');
SELECT wf_save('tick', '{"nodes": [{"id": "t", "type": "trigger.schedule", "config": {"cron": "0 0 1 1 *", "catchUp": "1 day"}}]}');
SELECT wf_save('late', '{"nodes": [{"id": "e", "type": "trigger.event", "config": {"event": "e", "debounce": 50}}, {"id": "r", "type": "return", "config": {"value": "{{ $trigger.count }}"}}], "edges": [{"source": "e", "target": "r"}]}');
SELECT wf_start('ask') AS ask \gset
SELECT test.stands(:'ask', 's');
RESET ROLE;

-- what is in the queue, sleeps, or is put off when the tenant is suspended by the same commit
BEGIN;
SET LOCAL ROLE wf_test_ann;
SELECT wf_start('w') AS queued \gset
SELECT wf_start('w') AS cancelled \gset
SELECT wf_start('nap') AS nap \gset
SELECT wf_start('w', '{}', '{"delay": 0.05}') AS delayed \gset
SELECT wf_emit('e');
SELECT wf_signal(:'ask', 'go');
RESET ROLE;
SELECT wf_set_tenant_status('top', 'suspended');
COMMIT;
-- timers have fired into the queue, and events that were put off are due: nothing more
SELECT until($$SELECT count(*) FILTER (WHERE kind = 0) = 4 AND count(*) FILTER (WHERE kind = 1) = 1 FROM wf.queue WHERE tenant_id = (SELECT tenant_id FROM wf.tenant WHERE name = 'shop')$$);
SET ROLE wf_test_ann;
SELECT others() AS other \gset
SET workflow.tenant = 'calm';
SELECT test.ends(:'other');
SET workflow.tenant = 'shop';
SELECT workflow, status FROM wf_runs WHERE finished_at IS NULL ORDER BY 1, 2;
SELECT ready, waiting FROM wf_queue_status;
SELECT wf_cancel(:'cancelled'), test.ends(:'cancelled');
\set VERBOSITY terse
SELECT wf_start('w'); SELECT wf_start_many('w', ARRAY['{}']::jsonb[]);
\set VERBOSITY default
-- triggers are quiet
INSERT INTO orders VALUES (1);
RESET ROLE;
UPDATE wf.schedule SET next_at = now() - interval '10 min';
SELECT wf.fire_schedules() > 0;
SELECT skipped_count, missed_count, next_at > now() FROM wf_triggers WHERE workflow = 'tick';
SET ROLE wf_test_gate;
SELECT wf_webhook('/shop/in', 'POST', '{}', '') = wf_webhook('/nowhere/in', 'POST', '{}', '');
SET ROLE wf_test_ann;
SELECT wf_webhook('/shop/in', 'POST', '{}', '') ->> 'status';
SELECT workflow, state FROM wf_triggers ORDER BY 1;
RESET ROLE;
-- all goes on
SELECT wf_set_tenant_status('top', 'active');
SET ROLE wf_test_ann;
SELECT test.ends(:'queued'), test.ends(:'nap'), test.ends(:'delayed'), test.ends(:'ask');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'late' AND output = '1'$$);
INSERT INTO orders VALUES (2);
SELECT wf_webhook('/shop/in', 'POST', '{}', '') ->> 'status';
SELECT until($$SELECT count(*) = 2 FROM wf_runs WHERE workflow IN ('row', 'hook', 'tick') AND status = 'completed'$$);
SELECT workflow, count(*) FROM wf_runs GROUP BY 1 ORDER BY 1;
RESET ROLE;
SELECT * FROM test.clean();
SET ROLE wf_test_ann;

-- a sync trigger of a quiet tenant
SELECT wf_save('row', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "orders", "events": ["insert"], "mode": "sync"}}, {"id": "f", "type": "fail", "config": {"message": "no"}}], "edges": [{"source": "c", "target": "f"}]}');
INSERT INTO orders VALUES (3);
SELECT wf_set_tenant_status('shop', 'archived');
INSERT INTO orders VALUES (3);
SELECT wf_set_tenant_status('shop', 'active');
INSERT INTO orders VALUES (4);
SELECT id FROM orders ORDER BY 1;

-- another name while a run waits
SELECT wf_start('ask') AS ask \gset
SELECT test.stands(:'ask', 's');
SELECT wf_set_tenant('shop', '{"name": "store"}');
SELECT wf_signal(:'ask', 'go');
SET workflow.tenant = 'store';
SELECT wf_signal(:'ask', 'go');
SELECT test.ends(:'ask');
SELECT wf_start('w') AS run \gset
SELECT test.ends(:'run');

-- archived: what is there stays, for all to read
SELECT wf_start('ask') AS ask \gset
SELECT test.stands(:'ask', 's');
RESET ROLE;
BEGIN;
SELECT wf_start('w') AS queued \gset
SELECT wf_set_tenant_status('store', 'archived');
COMMIT;
SET ROLE wf_test_ann;
SELECT others() AS other \gset
SET workflow.tenant = 'calm';
SELECT test.ends(:'other');
SET workflow.tenant = 'store';
SELECT workflow, status FROM wf_runs WHERE finished_at IS NULL ORDER BY 1;
SELECT wf_await(:'queued', '1 ms') ->> 'status';

-- deleted: rows of all tables, by the keeper; what is another's stays
RESET ROLE;
SELECT tenant_id AS store FROM wf.tenant WHERE name = 'store' \gset
CREATE FUNCTION tables() RETURNS SETOF regclass LANGUAGE sql AS $$
	SELECT c.oid::regclass FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relnamespace = 'wf'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname = 'tenant_id' AND NOT a.attisdropped $$;
CREATE FUNCTION rows_of(tenant uuid) RETURNS TABLE (tab text, n bigint) LANGUAGE plpgsql AS $$
DECLARE t regclass;
BEGIN
	FOR t IN SELECT * FROM tables() LOOP
		RETURN QUERY EXECUTE format('SELECT %L, count(*) FROM %s WHERE tenant_id = $1 HAVING count(*) > 0', t, t) USING tenant;
	END LOOP;
END $$;
-- those that nothing of the above has written, and one row of tenants that have nothing to do with it
CREATE FUNCTION fill(tenant uuid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO wf.secret VALUES (tenant, 'k', 1, 1, '\x01', '\x02', now(), 'wf_test_ann');
	INSERT INTO wf.block VALUES (tenant, 'my.block', 'f()', '{}', '{out}', now(), 'wf_test_ann');
	INSERT INTO wf.held SELECT tenant, gen_random_uuid(), gen_random_uuid(), 'wf_test_ann', 0, 1, 0, 0, now();
	INSERT INTO wf.gate VALUES (tenant, gen_random_uuid(), 'g', gen_random_uuid());
	INSERT INTO wf.wait (tenant_id, run_id, step, kind, wake_at, role, priority) VALUES (tenant, gen_random_uuid(), 1, 'time', 'infinity', 'wf_test_ann', 0);
	INSERT INTO wf.event VALUES (tenant, gen_random_uuid(), 'e', NULL, '{}', now(), true, NULL);
	INSERT INTO wf.idempotency VALUES (tenant, gen_random_uuid(), 'k', gen_random_uuid());
	INSERT INTO wf.failed (tenant_id, run_id, workflow_id, version, role, priority, attempt, n_segments, n_steps, queued_at, failed_at) VALUES (tenant, gen_random_uuid(), gen_random_uuid(), 1, 'wf_test_ann', 0, 1, 1, 1, now(), now());
	INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, quorum, allow_self, status, attempt, max_attempts, started_by, role, priority, created_at) VALUES (tenant, gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'n', 'approval', 1, true, 'open', 0, 0, 'wf_test_ann', 'wf_test_ann', 0, now());
	INSERT INTO wf.request (tenant_id, run_id, step, request_id, lane, due_at, role, priority, workflow_id, node, method, host, forget, created_at, attempts, failures, duration_ms, request) VALUES (tenant, gen_random_uuid(), 1, gen_random_uuid(), tenant || ' h', 'infinity', 'wf_test_ann', 0, gen_random_uuid(), 'n', 'GET', 'h', true, now(), 0, 0, 0, '{}');
	INSERT INTO wf.request_log (tenant_id, run_id, request_id, step, workflow_id, node, method, host, state, attempts, created_at, ended_at) VALUES (tenant, gen_random_uuid(), gen_random_uuid(), 1, gen_random_uuid(), 'n', 'GET', 'h', 'completed', 1, now(), now());
	INSERT INTO wf.sending VALUES (tenant, gen_random_uuid(), now(), '{}', false);
	INSERT INTO wf.circuit VALUES (tenant, 'h', 'open', 1, 1, now(), 'infinity', 1);
	INSERT INTO wf.host_limit VALUES (tenant, 'h', 1, 1, 1, 1);
	INSERT INTO wf.trigger_stat VALUES (tenant, gen_random_uuid(), now(), 1, NULL, 0, NULL);
	INSERT INTO wf.debounce VALUES (tenant, gen_random_uuid(), gen_random_uuid(), 'e', '', 1, now(), 'infinity', 'wf_test_ann', 0, '{}');
	INSERT INTO wf.app_role VALUES (tenant, 'clerk', '{run:read}', now(), 'wf_test_ann');
	INSERT INTO wf.approval (tenant_id, approval_id, workflow_id, version, digest, sets_status, status, requested_by, requested_at, involved)
		SELECT tenant, gen_random_uuid(), workflow_id, version, '', false, 'pending', 'wf_test_ann', now(), '{}' FROM wf.version WHERE tenant_id = tenant LIMIT 1;
	INSERT INTO wf.tenant_use VALUES (tenant, 1, now());
	INSERT INTO wf.quota_taken VALUES (tenant, gen_random_uuid(), now(), 1);
	INSERT INTO wf.pii VALUES (tenant, gen_random_uuid(), 1, '{}');
	INSERT INTO wf.pii_key VALUES (tenant, '');
	INSERT INTO wf.forgotten VALUES (tenant, gen_random_uuid(), now(), 'wf_test_ann', NULL, '', 1);
END $$;
BEGIN;
SELECT fill(:'store');
-- every table has some
SELECT * FROM tables() t WHERE t::text NOT IN (SELECT tab FROM rows_of(:'store')) AND t <> 'wf.tenant'::regclass;
COMMIT;
SELECT tgname ~ '^wf_' FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
SELECT fill('00000000-0000-7000-8000-000000000001');
-- (others drop of these what has no use)
CREATE TEMP TABLE before AS SELECT * FROM rows_of('00000000-0000-7000-8000-000000000001') WHERE tab NOT IN ('wf.sending', 'wf.trigger_stat', 'wf.event', 'wf.debounce');
BEGIN;
SET LOCAL ROLE wf_test_ann;
SELECT wf_delete_tenant('store');
SET LOCAL ROLE NONE;
-- at once: secrets and members, and the name is free; nothing else goes before the commit
SELECT count(*) FROM wf.secret WHERE tenant_id = :'store';
SELECT count(*) FROM wf.member WHERE tenant_id = :'store';
SELECT wf_create_tenant('store') IS NOT NULL;
SELECT wf.finish_deletions();
COMMIT;
INSERT INTO orders VALUES (5);
CALL deleted();
SELECT * FROM rows_of(:'store');
SELECT * FROM before EXCEPT SELECT * FROM rows_of('00000000-0000-7000-8000-000000000001');
SELECT count(*) FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
SELECT id FROM orders ORDER BY 1;
SET workflow.tenant = 'calm';
SELECT wf_set_tenant_status('calm', 'suspended'), wf_delete_tenant('calm');
RESET workflow.tenant;
CALL deleted();
SELECT name FROM wf_tenants;

DROP TABLE orders, mark;
DROP EXTENSION workflow;
DROP PROCEDURE deleted;
DROP FUNCTION others, tables, rows_of, fill;
DROP ROLE wf_test_ann, wf_test_gate;
