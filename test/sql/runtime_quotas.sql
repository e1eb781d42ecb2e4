-- Quotas of tenants where there are workers: starts, runs at once, the queue, triggers, schedules, webhooks.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE FUNCTION clock(seconds float8) RETURNS void LANGUAGE c STRICT AS '$libdir/workflow', 'wf_sql_test_clock';
CREATE FUNCTION state(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; BEGIN EXECUTE sql; RETURN 'fine';
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL; RETURN concat_ws(' | ', SQLSTATE, SQLERRM, d); END $$;
CREATE FUNCTION used(q text) RETURNS bigint LANGUAGE sql AS $$ SELECT used FROM wf_quotas WHERE quota = q AND NOT inherited $$;
SELECT wf_save('quick', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('wait', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}');

-- a minute: starts count when they are asked for, many as many or none of them
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 10}}');
SELECT count(*) FROM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[8]));
SELECT wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[3]));
SELECT wf_start('quick', '{}', '{"delay": "1h", "idempotencyKey": "k"}') AS later \gset
SELECT wf_start('quick', '{}', '{"idempotencyKey": "k"}') = :'later' AS the_same;
SELECT wf_run('quick') ->> 'status' AS status;
SELECT wf_start('quick');
SELECT used('runsPerMinute');
SELECT wf_cancel(:'later');
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
-- what is rolled back was done
BEGIN;
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 12}}');
SELECT wf_start('quick') IS NOT NULL AS started;
ROLLBACK;
SELECT used('runsPerMinute');
-- a child is a run, a branch is none; a node that gets none fails
SELECT wf_save('parent', '{"nodes": [{"id": "c", "type": "subworkflow", "config": {"workflow": "quick", "mode": "child"}}]}');
SELECT wf_save('branches', '{"nodes": [{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 3, "mode": "workers"}}, {"id": "n", "type": "noop", "parent": "l"}]}');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 12}}');
SELECT wf_run('parent') -> 'error' ->> 'code' AS code;
SELECT workflow, status, error ->> 'node' AS node, error ->> 'message' AS message FROM wf_runs WHERE status = 'failed';
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 14}}');
SELECT wf_run('branches') ->> 'run_id' AS id \gset
SELECT test.ends(:'id');
SELECT used('runsPerMinute');
-- in a minute there is room again; a clock that is set back takes none away
SELECT clock(30);
SELECT used('runsPerMinute') = 0 AS too_soon;
SELECT clock(62);
SELECT used('runsPerMinute');
SELECT count(*) FROM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[14]));
-- no run has the clock set back while it lives
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT clock(0);
SELECT used('runsPerMinute'), (SELECT resets_at < now() + '62 s' FROM wf_quotas WHERE quota = 'runsPerMinute') AS soon;
SELECT state($$SELECT wf_start('quick')$$);
SELECT clock(62);
SELECT state($$SELECT wf_start('quick')$$);
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null}}');

-- time of code: it is known afterwards, counts where runs are executed, and comes back
SELECT wf_save('busy', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "while (true) ;", "limits": {"time": "30ms"}}}]}');
SELECT wf_save('code', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "return 1"}}]}');
SELECT wf_set_tenant('default', '{"quotas": {"codeTime": "20 ms"}}');
SELECT wf_start('busy') AS id \gset
SELECT test.ends(:'id');
SELECT used('codeTime') BETWEEN 29 AND 200 AS used;
SELECT regexp_replace(state($$SELECT wf_call('code')$$), '\d+ ms are', '# ms are');
SELECT wf_start('code') AS id \gset
SELECT test.ends(:'id');
SELECT clock(124);
SELECT used('codeTime'), wf_call('code') AS code;
SELECT clock(62);
SELECT wf_set_tenant('default', '{"quotas": {"codeTime": null}}');

-- the queue
SELECT wf_set_tenant('default', '{"quotas": {"queuedRuns": 5, "concurrentRuns": 0}}');
SELECT count(*) FROM wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[4]));
SELECT state($$SELECT wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[2]))$$);
SELECT wf_start('quick') AS last \gset
SELECT state($$SELECT wf_start('quick')$$);
SELECT used('queuedRuns'), used('concurrentRuns');
SELECT state($$SELECT wf_start('quick', '{}', '{"delay": "1h"}')$$);
SELECT wf_cancel(:'last');
SELECT until($$SELECT used('queuedRuns') = 4$$);
BEGIN;
SELECT wf_start('quick') IS NOT NULL AS started;
SELECT state($$SELECT wf_start('quick')$$);
ROLLBACK;
SELECT state($$SELECT wf_start('quick')$$);
-- wf_run is not queued, but has no place either
SELECT state($$SELECT wf_run('quick')$$);
-- as many go as may, in the order of their start; another may go where one has ended
SELECT array_agg(status ORDER BY queued_at) FROM wf_runs WHERE finished_at IS NULL;
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 1}}');
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT count(*) FROM wf.gate;

-- runs at once: those that wait keep their place
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 2, "queuedRuns": null}}');
SELECT count(*) FROM wf_start_many('wait', array_fill('{}'::jsonb, ARRAY[3]));
SELECT until($$SELECT count(*) FILTER (WHERE status = 'waiting') = 2 FROM wf_runs$$);
SELECT used('concurrentRuns');
SELECT state($$SELECT wf_run('quick')$$);
SELECT state($$SELECT wf_call('quick')$$);
SELECT count(wf_signal(run_id, 'go')) FROM wf_runs WHERE status = 'waiting';
SELECT until($$SELECT count(*) FILTER (WHERE status = 'waiting') = 1 AND count(*) FILTER (WHERE status = 'queued') = 0 FROM wf_runs$$);
SELECT wf_run('quick') ->> 'status' AS status;
-- one that began in its caller's transaction has a place as long as it lives
SELECT wf_run('wait') ->> 'run_id' AS id \gset
SELECT used('concurrentRuns');
SELECT wf_start('quick') AS next \gset
SELECT state($$SELECT wf_run('quick')$$);
SELECT count(wf_signal(run_id, 'go')) FROM wf_runs WHERE status = 'waiting';
SELECT test.ends(:'id'), test.ends(:'next');
SELECT until($$SELECT used('concurrentRuns') = 0$$);
-- it has it from its begin, in a transaction that is open still, and gives it back when that is rolled back
BEGIN;
SELECT wf_run('wait') ->> 'status' AS status;
SELECT wf_run('wait') ->> 'status' AS status;
SELECT state($$SELECT wf_run('wait')$$);
ROLLBACK;
SELECT used('concurrentRuns');
-- a child needs none
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 1}}');
SELECT wf_run('parent') ->> 'run_id' AS id \gset
SELECT test.ends(:'id');
-- one that nobody waits for does
SELECT wf_save('leaves', '{"nodes": [{"id": "c", "type": "subworkflow", "config": {"workflow": "quick", "mode": "detached"}}, {"id": "e", "type": "waitForEvent", "config": {"event": "go"}}], "edges": [{"source": "c", "target": "e"}]}');
SELECT wf_start('leaves') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT workflow, status FROM wf_runs WHERE finished_at IS NULL ORDER BY 1;
SELECT wf_signal(:'id', 'go');
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
-- an event that would start a run
SELECT wf_save('listens', '{"nodes": [{"id": "in", "type": "trigger.event", "config": {"event": "ping"}}, {"id": "a", "type": "noop"}], "edges": [{"source": "in", "target": "a"}]}');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 0}}');
SELECT left(state($$SELECT wf_emit('ping')$$), 61);
SELECT wf_emit('pong');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null}}');
SELECT wf_emit('ping');
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT wf_delete('listens');
-- one that failed and is tried again waits for a place
CREATE TABLE door (open bool);
INSERT INTO door VALUES (false);
CREATE FUNCTION pass() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF NOT (SELECT open FROM door) THEN RAISE 'shut'; END IF; RETURN 1; END $$;
SELECT wf_save('shut', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT pass()", "outputFormat": "value"}}]}');
SELECT wf_start('shut') AS shut \gset
SELECT test.ends(:'shut');
SELECT wf_run('wait') ->> 'run_id' AS id \gset
UPDATE door SET open = true;
SELECT wf_retry(:'shut') ->> 'status' AS status;
SELECT wf_start('quick') AS behind \gset
SELECT until(format($$SELECT count(*) = 2 FROM wf.held WHERE run_id IN (%L, %L)$$, :'shut', :'behind'));
SELECT wf_signal(:'id', 'go');
SELECT test.ends(:'shut'), test.ends(:'behind');
-- a gate of the workflow and the tenant's quota, both
SELECT wf_save('gated', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}], "settings": {"maxConcurrency": 1}}');
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 2}}');
SELECT wf_start('gated') AS a, wf_start('gated') AS b, wf_start('wait') AS c, wf_start('quick') AS d \gset
SELECT test.stands(:'a', 'e'), test.stands(:'c', 'e');
SELECT status FROM wf_runs WHERE run_id IN (:'b', :'d');
SELECT wf_signal(:'a', 'go');
SELECT test.ends(:'a');
SELECT test.stands(:'b', 'e');
SELECT wf_signal(:'c', 'go');
SELECT test.ends(:'d');
SELECT wf_signal(:'b', 'go');
SELECT test.ends(:'b');

-- of a tenant above and of the tenant itself: one that cannot go keeps none behind it from going
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 3}}');
SELECT wf_create_tenant('one', '{"parent": "default", "quotas": {"concurrentRuns": 1}}') IS NOT NULL AS made,
	wf_create_tenant('two', '{"parent": "default"}') IS NOT NULL AS made;
SET workflow.tenant = 'one';
SELECT wf_save('wait', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}');
SELECT count(*) FROM wf_start_many('wait', array_fill('{}'::jsonb, ARRAY[5]), '{"priority": 10}');
SET workflow.tenant = 'two';
SELECT wf_save('wait', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}');
SELECT count(*) FROM wf_start_many('wait', array_fill('{}'::jsonb, ARRAY[5]));
SELECT until($$SELECT count(*) FILTER (WHERE status = 'waiting') = 2 FROM wf_runs$$);
SET workflow.tenant = 'one';
SELECT array_agg(status ORDER BY run_id) FROM wf_runs;
SELECT state($$SELECT wf_run('wait')$$);
SET workflow.tenant = 'two';
SELECT array_agg(status ORDER BY run_id) FROM wf_runs;
SELECT state($$SELECT wf_run('wait')$$);
SELECT quota, "limit", used, inherited FROM wf_quotas WHERE quota = 'concurrentRuns';
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": null}}');
SELECT until($$SELECT count(*) FILTER (WHERE status = 'waiting') = 5 FROM wf_runs$$);
SELECT count(wf_cancel(run_id)) FROM wf_runs;
SET workflow.tenant = 'one';
SELECT wf_set_tenant('one', '{"quotas": {"concurrentRuns": null}}');
SELECT until($$SELECT count(*) FILTER (WHERE status = 'waiting') = 5 FROM wf_runs$$);
SELECT count(wf_cancel(run_id)) FROM wf_runs;
RESET workflow.tenant;

-- a row trigger in the background fails the statement, and the failure is counted
CREATE TABLE item (id int);
SELECT wf_save('row', '{"nodes": [{"id": "in", "type": "trigger.row", "config": {"table": "item", "events": ["insert"]}}, {"id": "a", "type": "noop"}], "edges": [{"source": "in", "target": "a"}]}');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 2}}');
SELECT clock(200);
INSERT INTO item SELECT generate_series(1, 2);
INSERT INTO item SELECT generate_series(1, 2);
SELECT count(*) FROM item;
SELECT fired_count, failed_count, last_error ->> 'code' AS code FROM wf_triggers WHERE workflow = 'row';
-- the queue's quota counts what the statement has not written yet
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null, "queuedRuns": 5, "concurrentRuns": 0}}');
INSERT INTO item SELECT generate_series(1, 6);
INSERT INTO item SELECT generate_series(1, 5);
SELECT used('queuedRuns');
SELECT wf_set_tenant('default', '{"quotas": {"queuedRuns": null, "concurrentRuns": null}}');
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT wf_delete('row');

-- a webhook is answered with 429
SELECT wf_save('hook', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/hook"}}, {"id": "a", "type": "noop"}], "edges": [{"source": "in", "target": "a"}]}');
SELECT wf_save('now', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/now", "respond": "whenDone"}}, {"id": "a", "type": "noop"}], "edges": [{"source": "in", "target": "a"}]}');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 0}}');
SELECT a ->> 'status' AS status, a -> 'headers' ->> 'retry-after' AS retry_after, a -> 'body' AS body FROM unnest(ARRAY['/default/hook', '/default/now']) p, wf_webhook(p, 'POST', '{}', '') a;
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null, "concurrentRuns": 0}}');
SELECT a ->> 'status' AS status, a -> 'headers' ->> 'retry-after' AS retry_after FROM unnest(ARRAY['/default/hook', '/default/now']) p, wf_webhook(p, 'POST', '{}', '') a;
SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": null}}');
SELECT workflow, failed_count, last_error FROM wf_triggers ORDER BY 1;

-- a schedule is counted as failed, and goes on
SELECT wf_save('often', '{"nodes": [{"id": "s", "type": "trigger.schedule", "config": {"cron": "0 0 1 1 *", "catchUp": "2 days"}}, {"id": "a", "type": "noop"}], "edges": [{"source": "s", "target": "a"}]}');
CREATE FUNCTION due() RETURNS bool LANGUAGE plpgsql AS $$
DECLARE ok bool; BEGIN
	UPDATE wf.schedule SET next_at = now() - interval '1 s';
	PERFORM wf.fire_schedules();
	SELECT next_at > now() + '100 s' INTO ok FROM wf_triggers WHERE workflow = 'often';
	RETURN ok;
END $$;
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 0}}');
SELECT due();
SELECT due();
SELECT fired_count, failed_count, last_error ->> 'code' AS code FROM wf_triggers WHERE workflow = 'often';
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null}}');
SELECT due();
SELECT fired_count, failed_count FROM wf_triggers WHERE workflow = 'often';
SELECT wf_delete('often');

-- the keeper measures what tenants with such a quota have stored, and nobody else's
SELECT wf_set_tenant('one', '{"quotas": {"storedBytes": 1000000}}');
SELECT until($$SELECT count(*) = 1 FROM wf.tenant_use WHERE stored_bytes > 1000$$);
SELECT until($$SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL$$);
SELECT clock(0);
SELECT * FROM wf.check_invariants();
