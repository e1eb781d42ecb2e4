-- Events and signals, and awaiting runs, as far as they go without workers. What runs get is looked at in the queue.
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir/sql
\cd ../lib
\i store.psql
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE wf_test_eva;
CREATE ROLE wf_test_viewer;
CREATE ROLE wf_test_foreign;
RESET client_min_messages;
\pset null -
SELECT wf_grant('wf_test_eva', 'default', 'member'), wf_grant('wf_test_viewer', 'default', 'viewer');
SELECT wf_create_tenant('other') IS NOT NULL AS created;
SELECT wf_grant('wf_test_foreign', 'other', 'owner');
CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION n(u uuid) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT right(u::text, 12)::int $$;
GRANT USAGE ON SCHEMA test TO PUBLIC;
-- a run that waits; the tenant is default, whose id is u(1)
CREATE PROCEDURE make_live(n int, status text DEFAULT 'waiting', options jsonb DEFAULT NULL) LANGUAGE sql AS $$
	INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, started_at, n_segments, n_steps, input, options, current_nodes, progress)
	VALUES (u(1), u(n), u(9), 1, 10, 1, status, 1, now(), now(), 1, 1, '{"in": 1}', options, '{w}', '{"done": 1}') $$;
CREATE PROCEDURE make_wait(n int, step int, event text, correlation text DEFAULT NULL, due timestamptz DEFAULT NULL) LANGUAGE sql AS $$
	INSERT INTO wf.wait VALUES (u(1), u(n), step, CASE WHEN event IS NULL THEN 'time' ELSE 'event' END, due, 10, 1, event, correlation) $$;
CREATE VIEW sent AS SELECT n(run_id) AS run, kind, step, priority, coalesce(sealed, payload) - 'event_id' AS payload FROM wf.queue ORDER BY message_id;

-- signals: to a run that is alive, in the queue, or held back
CALL make_live(101);
CALL make_wait(101, 1, 'paid');
SELECT test.send(u(1), u(102), 10, 7, 0, 0, '{}', 1) IS NOT NULL AS sent;
INSERT INTO wf.held SELECT tenant_id, u(103), u(103), role, 3, kind, step, crashes, ready_at, workflow_id, version, payload, options, sealed, 'g', 1 FROM wf.queue;
SET ROLE wf_test_eva;
SELECT wf_signal(u(101), 'go', '{"a": 1}'), wf_signal(u(102), 'go'), wf_signal(u(103), 'go', NULL), wf_signal(u(104), 'go');
SELECT wf_signal(u(101), ''), wf_signal(u(101), 'go');
SELECT wf_signal(NULL, 'go');
SELECT wf_signal(u(101), NULL);
SET ROLE wf_test_viewer;
SELECT wf_signal(u(101), 'go');
SELECT wf_emit('paid');
SET ROLE wf_test_foreign;
SELECT wf_signal(u(101), 'go'), wf_emit('paid') AS woken;
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue WHERE kind <> 0;
BEGIN READ ONLY;
SELECT wf_signal(u(101), 'go');
ROLLBACK;
BEGIN READ ONLY;
SELECT wf_emit('paid');
ROLLBACK;

-- events: to all that wait for the name, with the correlation if they name one
CALL make_wait(101, 2, 'paid', 'order 1');
CALL make_live(105);
CALL make_wait(105, 1, 'paid', 'order 1');
CALL make_live(106);
CALL make_wait(106, 1, 'paid', 'order 2');
CALL make_wait(106, 2, 'shipped');
SET ROLE wf_test_eva;
SELECT wf_emit('paid', '{"n": 1}', 'order 1') AS woken, wf_emit('paid', '{"n": 2}') AS woken, wf_emit('unheard of') AS woken;
SELECT wf_emit('paid', '{"n": 3}', 'order 2', 'id 1') AS woken, wf_emit('paid', '{"n": 4}', 'order 2', 'id 1') AS woken_again, wf_emit('shipped', '{}', NULL, 'id 1') AS of_another_name;
SELECT wf_emit('');
SELECT wf_emit(repeat('x', 256));
SELECT wf_emit(NULL);
RESET ROLE;
SELECT * FROM sent WHERE kind <> 0;
SELECT event, correlation, payload, matched, unique_id FROM wf.event WHERE tenant_id = u(1) ORDER BY event_id;

-- what is in the queue for a wait is not sent again; a wait that came later gets what it missed; then all is matched
SELECT test.keeper('match', '-infinity') AS sent;
CALL make_live(107);
CALL make_wait(107, 1, 'paid', 'order 2');
SELECT test.keeper('match', '-infinity') AS sent;
SELECT payload FROM sent WHERE run = 107;
SELECT count(*) FILTER (WHERE matched) > 0 AS some FROM wf.event;
CALL make_live(108);
CALL make_wait(108, 1, 'paid');
SELECT wf_emit('paid', '{"n": 5}') AS woken;
DELETE FROM wf.queue WHERE run_id = u(108);
SELECT test.keeper('match', '-infinity') AS sent;
SELECT test.keeper('match', '-infinity') AS sent;
SELECT test.keeper('match', '-infinity') AS sent;
SELECT count(*) FROM wf.event WHERE NOT matched;
-- who begins to wait looks for the oldest one that it has not had, if that is not too old
SELECT test.find_event(u(1), 'paid'), test.find_event(u(1), 'paid', 'order 2'), test.find_event(u(1), 'paid', 'order 9'), test.find_event(u(2), 'paid');
SELECT test.find_event(u(1), 'paid', NULL, ARRAY(SELECT event_id::text FROM wf.event WHERE payload IN ('{"n": 1}', '{"n": 3}')));
SET workflow.event_buffer_time = 0;
SELECT test.find_event(u(1), 'paid');
SET workflow.event_buffer_time = '1 min';
SELECT test.find_event(u(1), 'paid');
RESET workflow.event_buffer_time;
-- old ones go
SELECT test.keeper('match', now() - interval '1h') AS sent, count(*) > 0 AS there FROM wf.event;
SELECT test.keeper('match', clock_timestamp()) AS sent;
SELECT count(*) FROM wf.event;

-- timers: those that are due, once, never early
DELETE FROM wf.queue;
DELETE FROM wf.wait;
CALL make_wait(101, 1, NULL, NULL, '2026-01-01 12:00');
CALL make_wait(105, 2, NULL, NULL, '2026-01-01 12:01');
CALL make_wait(106, 3, 'never', NULL, '2026-01-01 12:02');
CALL make_wait(107, 4, 'never');
SELECT test.keeper('fire', '2026-01-01 11:59:59.999999');
SELECT test.keeper('fire', '2026-01-01 12:00');
SELECT test.keeper('fire', '2026-01-01 12:00');
TABLE sent;
SELECT test.keeper('fire', '2026-01-02', most => 1), test.keeper('fire', '2026-01-02', most => 1), test.keeper('fire', '2026-01-02', most => 1);
SELECT n(run_id) AS run, step FROM wf.wait;
SELECT run, kind, step FROM sent;

-- awaiting
INSERT INTO wf.run (tenant_id, run_id, workflow_id, version, attempt, started_at, finished_at, queued_at, started_by, status, trigger, output)
	VALUES (u(1), u(201), u(9), 1, 1, now(), now(), now(), 10, 'completed', 'manual', '{"x": 1}');
SET ROLE wf_test_viewer;
SELECT wf_await(u(201));
SELECT wf_await(u(101), '10ms');
SELECT wf_await(u(299));
SELECT wf_await(NULL);
SELECT wf_await(u(101), NULL);
SELECT wf_await(u(101), '-1s');
SET ROLE wf_test_foreign;
SELECT wf_await(u(201));
SELECT wf_await(u(299));
RESET ROLE;
UPDATE wf.live SET status = 'compensating' WHERE run_id = u(105);
UPDATE wf.live SET status = 'paused' WHERE run_id = u(106);
SELECT wf_await(u(103), '0') ->> 'status' AS held, wf_await(u(105), '0') ->> 'status' AS compensating, wf_await(u(106), '0') ->> 'status' AS paused;
BEGIN;
SELECT test.send(u(1), u(301), 10, 7, 0, 0, '{}', 1) IS NOT NULL AS sent;
SELECT wf_await(u(301));
ROLLBACK;
BEGIN;
SAVEPOINT a;
SELECT test.send(u(1), u(301), 10, 7, 0, 0, '{}', 1) IS NOT NULL AS sent;
RELEASE a;
SELECT wf_await(u(301));
ROLLBACK;
BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY;
SELECT wf_await(u(201)) ->> 'status' AS status;
COMMIT;
SET statement_timeout = '100ms';
SELECT wf_await(u(101), '1 min');
RESET statement_timeout;

-- views
DELETE FROM wf.queue;
UPDATE wf.live SET options = '{"trigger": "event", "correlationId": "c", "tags": ["a", "b"], "parent": {"run": "00000000-0000-7000-8000-000000000101"}, "startedBy": 10}' WHERE run_id = u(107);
SELECT test.send(u(1), u(302), 10, 7, 0, 0, '{"in": 2}', 1) IS NOT NULL AS sent;
UPDATE wf.queue SET options = '{"tags": [], "correlationId": "d", "parent": {"run": "00000000-0000-7000-8000-000000000101"}}';
SET ROLE wf_test_viewer;
SELECT n(run_id) AS run, workflow, version, status, trigger, input, output, correlation_id, tags, n(parent_run_id) AS parent, started_by = current_setting('session_authorization') AS mine, finished_at IS NOT NULL AS finished, current_nodes, progress, wake_at, attempt
	FROM wf_runs ORDER BY 1;
SELECT count(*) FROM wf_runs WHERE run_id = u(302);
SELECT tenant, ready, running, waiting, held, oldest_ready_age BETWEEN '0' AND '1 min' AS young, due_timers FROM wf_queue_status;
SET ROLE wf_test_foreign;
SELECT count(*) FROM wf_runs;
SELECT tenant, ready, running, waiting, held, oldest_ready_age, due_timers FROM wf_queue_status;
SELECT count(*) FROM wf.executing();
SELECT * FROM wf.check_invariants();
RESET ROLE;

DROP VIEW sent;
SET client_min_messages = warning;
DROP OWNED BY wf_test_eva, wf_test_viewer, wf_test_foreign CASCADE;
DROP ROLE wf_test_eva, wf_test_viewer, wf_test_foreign;
SET client_min_messages = warning;
DROP EXTENSION workflow CASCADE;
ALTER DATABASE :"db" IS_TEMPLATE false;
