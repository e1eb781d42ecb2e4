-- Schedules: what is refused, when they are due, and what they start. Clocks that change are in test/t/trigger_schedule.pl
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
\set lib :root '/lib/faults.psql'
\i :lib
SET client_min_messages = warning;
CREATE FUNCTION saved(name text, schedule jsonb, settings jsonb DEFAULT '{}', nodes jsonb DEFAULT '[{"id": "r", "type": "return", "config": {"value": "{{ $trigger }}"}}]',
	edges jsonb DEFAULT '[{"source": "at", "target": "r"}]') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'at', 'type', 'trigger.schedule', 'config', schedule)) || nodes,
		'edges', edges, 'settings', settings)) $$;
CREATE FUNCTION refused(schedule jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' | ', path, message, hint), E'\n') FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'at', 'type', 'trigger.schedule', 'config', schedule)), 'edges', '[]'::jsonb)) $$;
-- makes a schedule due so long ago, and lets it fire
CREATE FUNCTION due(workflow text, ago interval DEFAULT '10 min') RETURNS void LANGUAGE sql AS $$
	UPDATE wf.schedule s SET next_at = now() - ago FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id)
	WHERE t.trigger_id = s.trigger_id AND w.name = workflow $$;
CREATE FUNCTION fire(workflow text, ago interval DEFAULT '10 min') RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	PERFORM due(workflow, ago);
	RETURN wf.fire_schedules() > 0;
END $$;

-- refused when it is saved, or validated
SELECT refused(c) FROM unnest(ARRAY['{}', '{"cron": ""}', '{"cron": "* * * *"}', '{"cron": "60 * * * *"}', '{"cron": "0 24 * * *"}', '{"cron": "0 0 32 * *"}',
	'{"cron": "0 0 * 13 *"}', '{"cron": "0 0 * * fry"}', '{"cron": "@never"}', '{"cron": "{{ $env.cron }}"}', '{"cron": 5}', '{"cron": "0 0 31 2 *"}',
	'{"cron": "@daily", "timezone": "Europe/Berlinn"}', '{"cron": "@daily", "timezone": "CEST"}', '{"cron": "@daily", "timezone": ""}',
	'{"cron": "@daily", "start": "soon"}', '{"cron": "@daily", "start": "2030-02-30"}', '{"cron": "@daily", "end": "2030-01-01T25:00:00"}',
	'{"cron": "@daily", "start": "2030-01-02", "end": "2030-01-01"}', '{"cron": "@daily", "start": "2030-01-01T01:00:00", "end": "2030-01-01T23:00:00"}',
	'{"cron": "@daily", "end": "2020-01-01"}', '{"cron": "@daily", "overlap": "never"}', '{"cron": "@daily", "catchUp": "soon"}', '{"cron": "@daily", "catchUp": -1}',
	'{"cron": "@daily", "catchUp": "9e99 years"}', '{"cron": "@daily", "seconds": 5}']::jsonb[]) c;
SELECT test.error($$SELECT saved('bad', '{"cron": "0 9 * * 8"}')$$);
SELECT count(*) FROM wf.schedule;

-- a look ahead: zones, start and end, several schedules
SET timezone = 'Europe/Berlin';
SELECT saved('berlin', '{"cron": "30 2 * * *", "timezone": "europe/berlin", "start": "2031-03-29", "end": "2031-03-31T02:30:00"}');
SELECT * FROM wf_next_runs('berlin');
SELECT saved('berlin', '{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "start": "2031-10-25T02:30:00", "end": "2031-10-27T01:29:59Z"}');
SELECT * FROM wf_next_runs('berlin', 2);
SELECT * FROM wf_next_runs('berlin', 1000);
SELECT saved('leap', '{"cron": "0 12 29 2 *", "start": "2041-01-01"}');
SELECT * FROM wf_next_runs('leap', 2);
SELECT saved('two', '{"cron": "0 9 * * mon", "start": "2031-06-01"}', nodes => '[{"id": "too", "type": "trigger.schedule", "config": {"cron": "0 9 2,3 6 *", "start": "2031-06-01", "timezone": "UTC"}},
	{"id": "off", "type": "trigger.schedule", "disabled": true, "config": {"cron": "* * * * *"}}]', edges => '[]');
SET timezone = 'UTC';
SELECT * FROM wf_next_runs('two', 4);
SELECT saved('none', '{"cron": "@daily"}');
SELECT wf_save('plain', '{"nodes": [{"id": "n", "type": "noop"}]}');
\set VERBOSITY verbose
SELECT test.error(s) FROM unnest(ARRAY['SELECT wf_next_runs(''plain'')', 'SELECT wf_next_runs(''plane'')', 'SELECT wf_next_runs(''two'', 0)', 'SELECT wf_next_runs(''two'', 1001)',
	'SELECT wf_next_runs(NULL)', 'SELECT wf_next_runs(''two'', NULL)']) s;
\set VERBOSITY default

-- what is due is started once, by whoever comes first
SELECT saved('a', '{"cron": "0 0 1 1 *", "timezone": "Europe/Berlin", "overlap": "allow"}');
SELECT node, target, state, next_at = date_trunc('year', now() AT TIME ZONE 'Europe/Berlin' + '1 year') AT TIME ZONE 'Europe/Berlin' AS due, missed_count, skipped_count FROM wf_triggers WHERE workflow = 'a';
SELECT fire('a');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'a' AND status = 'completed'$$);
SELECT wf.fire_schedules();
SELECT trigger, started_by = current_user AS mine, output->>'scheduledAt' LIKE '%+01:00' OR output->>'scheduledAt' LIKE '%+02:00' AS berlin,
	(output->>'firedAt')::timestamptz - (output->>'scheduledAt')::timestamptz BETWEEN '10 min' AND '11 min' AS late, input = output AS same FROM wf_runs WHERE workflow = 'a';
SELECT next_at > now() AS ahead, last_fired_at > now() - interval '1 min' AS fired, fired_count, failed_count, missed_count, skipped_count FROM wf_triggers WHERE workflow = 'a';
-- too long ago
SELECT fire('a', '61 min');
SELECT next_at > now() AS ahead, fired_count, missed_count FROM wf_triggers WHERE workflow = 'a';
-- how long ago is up to it, and a minute the least
SELECT saved('a', '{"cron": "0 0 1 1 *", "catchUp": "2 hours", "overlap": "allow"}');
SELECT fire('a', '61 min');
SELECT fired_count, missed_count FROM wf_triggers WHERE workflow = 'a';
SELECT saved('a', '{"cron": "0 0 1 1 *", "catchUp": 0, "overlap": "allow"}');
SELECT fire('a', '30 s');
SELECT fired_count, missed_count FROM wf_triggers WHERE workflow = 'a';
SELECT fire('a', '61 s');
SELECT fired_count, missed_count FROM wf_triggers WHERE workflow = 'a';
-- a year of minutes is not counted to its end, nor waited for
SELECT saved('a', '{"cron": "* * * * *", "start": "2020-01-01", "end": "2200-01-01", "overlap": "skip"}');
SELECT fire('a', '400 days');
SELECT missed_count - 2 BETWEEN 100000 AND 100001 FROM wf_triggers WHERE workflow = 'a';
SELECT wf_delete('a');
SELECT count(*) FROM wf.schedule s JOIN wf.trigger t USING (trigger_id) JOIN wf.workflow w USING (workflow_id) WHERE w.name = 'a';

-- the run before is alive: skip
SELECT saved('s', '{"cron": "0 0 1 1 *"}', nodes => '[{"id": "r", "type": "waitForEvent", "config": {"event": "go"}}]');
SELECT fire('s');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 's' AND status = 'waiting'$$);
SELECT fire('s');
SELECT fired_count, skipped_count FROM wf_triggers WHERE workflow = 's';
SELECT wf_signal(run_id, 'go') FROM wf_runs WHERE workflow = 's';
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 's' AND status = 'completed'$$);
SELECT fire('s');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 's' AND status = 'waiting'$$);
SELECT fired_count, skipped_count FROM wf_triggers WHERE workflow = 's';
SELECT wf_cancel(run_id) FROM wf_runs WHERE workflow = 's' AND status = 'waiting';
-- one after the other
SELECT saved('q', '{"cron": "0 0 1 1 *", "overlap": "queue"}', nodes => '[{"id": "r", "type": "waitForEvent", "config": {"event": "go"}}]');
SELECT fire('q', '12 min'), fire('q', '11 min'), fire('q', '10 min');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'q' AND status = 'waiting'$$);
SELECT status, count(*) FROM wf_runs WHERE workflow = 'q' GROUP BY 1 ORDER BY 1;
SELECT gate FROM wf.gate;
SELECT wf_signal(run_id, 'go') FROM wf_runs WHERE workflow = 'q' AND status = 'waiting';
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'q' AND status = 'completed'$$);
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'q' AND status = 'waiting'$$);
SELECT status, count(*) FROM wf_runs WHERE workflow = 'q' GROUP BY 1 ORDER BY 1;
SELECT wf_cancel(run_id) FROM wf_runs WHERE workflow = 'q' AND finished_at IS NULL ORDER BY run_id;
-- all the same
SELECT saved('l', '{"cron": "0 0 1 1 *", "overlap": "allow"}', nodes => '[{"id": "r", "type": "waitForEvent", "config": {"event": "go"}}]');
SELECT fire('l'), fire('l');
SELECT until($$SELECT count(*) = 2 FROM wf_runs WHERE workflow = 'l' AND status = 'waiting'$$);
SELECT wf_cancel(run_id) FROM wf_runs WHERE workflow = 'l';

-- paused, disabled: not due; and afterwards from then on
SELECT saved('p', '{"cron": "0 0 1 1 *"}');
SELECT due('p');
SELECT wf_set_status('p', 'paused');
SELECT state, next_at FROM wf_triggers WHERE workflow = 'p';
SELECT wf_set_status('p', 'active');
SELECT due('p');
SELECT wf_disable_trigger('p', 'at');
SELECT wf.fire_schedules(), state, next_at FROM wf_triggers WHERE workflow = 'p';
SELECT wf_enable_trigger('p', 'at');
SELECT state, next_at > now() AS ahead, fired_count, missed_count FROM wf_triggers WHERE workflow = 'p';
-- another version with the same times goes on where the first one was; one with others begins
UPDATE wf.schedule s SET next_at = '2099-01-01' FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id) WHERE t.trigger_id = s.trigger_id AND w.name = 'p';
SELECT saved('p', '{"cron": "0 0 1 1 *", "overlap": "allow"}');
SELECT version, next_at FROM wf_triggers WHERE workflow = 'p';
SELECT saved('p', '{"cron": "0 0 1 1 *", "timezone": "Asia/Tokyo"}');
SELECT version, next_at < '2099-01-01' AS other FROM wf_triggers WHERE workflow = 'p';
-- rolled back
BEGIN;
SELECT due('p');
SELECT wf.fire_schedules();
ROLLBACK;
SELECT fired_count, next_at > now() AS ahead FROM wf_triggers WHERE workflow = 'p';

-- a start that fails keeps no other from its own, and is noted
CREATE ROLE wf_test_sched LOGIN;
SELECT wf_grant('wf_test_sched', 'default', 'member');
GRANT EXECUTE ON FUNCTION saved TO wf_test_sched;
SET ROLE wf_test_sched;
SELECT saved('f', '{"cron": "0 0 1 1 *"}');
\set VERBOSITY terse
SELECT wf.fire_schedules();
\set VERBOSITY default
RESET ROLE;
ALTER ROLE wf_test_sched NOLOGIN;
SELECT saved('k', '{"cron": "0 0 1 1 *"}', '{"concurrencyKey": "$input.no.such.thing"}');
SELECT saved('w', '{"cron": "0 0 1 1 *"}');
SELECT due('f', '3 min'), due('k', '2 min'), fire('w', '1 min');
SELECT workflow, fired_count, failed_count, last_error, next_at > now() AS ahead FROM wf_triggers WHERE workflow IN ('f', 'k', 'w') ORDER BY 1;
ALTER ROLE wf_test_sched LOGIN;
SELECT fire('f');
SELECT until($$SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'f' AND started_by = 'wf_test_sched' AND status = 'completed'$$);

-- by hand it is a trigger as any other
SELECT wf_call('w', '{"by": "hand"}');
-- a config that cannot be read any more
UPDATE wf.trigger SET config = '{"cron": "0 0 1 1 *", "timezone": "Gone/Zone"}' WHERE node = 'at' AND workflow_id = (SELECT workflow_id FROM wf.workflow WHERE name = 'w');
SELECT fire('w');
SELECT last_error->>'message' AS error, next_at FROM wf_triggers WHERE workflow = 'w';
SELECT * FROM wf_next_runs('w');

-- the rows go with the tenant's workflows
SELECT wf_delete(name) FROM wf_workflows ORDER BY name;
SELECT count(*) FROM wf.schedule;
SELECT * FROM test.clean();
DROP OWNED BY wf_test_sched;
DROP EXTENSION workflow CASCADE;
DROP ROLE wf_test_sched;
