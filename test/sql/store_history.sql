-- History in partitions of time, retention, and the invariants. Times are far from now, so that no boundary is near.
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir/sql
\cd ../lib
\i store.psql
SET client_min_messages = warning;
CREATE EXTENSION workflow;
RESET client_min_messages;
\set tenant '''00000000-0000-7000-8000-000000000001'''

CREATE VIEW parts AS
	SELECT c.relname, to_timestamp(('x' || replace(left(m[1], 13), '-', ''))::bit(48)::bigint / 1000.0) AS begins, to_timestamp(('x' || replace(left(m[2], 13), '-', ''))::bit(48)::bigint / 1000.0) AS ends
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid, regexp_match(pg_get_expr(c.relpartbound, c.oid), 'FROM \(''(.*)''\) TO \(''(.*)''\)') m
	WHERE i.inhparent = 'wf.run'::regclass AND m IS NOT NULL;

-- without runs none is made
SELECT test.keeper('partitions', '2030-01-02 03:04:05');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_run('w', '{}', '{"idempotencyKey": "k"}') ->> 'status' AS status;
-- from a minute on, then by weeks that begin on Mondays
SELECT test.keeper('partitions', '2030-01-02 03:04:05');
SELECT relname, begins, ends, extract(isodow FROM ends) AS day FROM parts ORDER BY 1;
SELECT test.keeper('partitions', '2030-01-02 03:04:05'), test.keeper('partitions', '2030-01-09'), test.keeper('partitions', '2030-01-09');
SELECT relname, begins, ends, extract(isodow FROM ends) AS day FROM parts ORDER BY 1;

-- rows go where they belong
SELECT test.history(:tenant, 2, '2030-01-02 03:00'), test.history(:tenant, 3, '2030-01-02 04:00'), test.history(:tenant, 4, '2030-01-07 12:00'), test.history(:tenant, 5, '2031-01-01');
SELECT tableoid::regclass AS leaf, count(*) FROM wf.run GROUP BY 1 ORDER BY 1;
SELECT tableoid::regclass AS leaf, count(*) FROM wf.segment GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM wf_runs;
SELECT count(*) FROM wf_steps;
-- partitions have what the default ones have, and nobody may look around the policies
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.reloptions = d.reloptions AS same_options, obj_description(c.oid) FROM pg_class c, pg_class d
	WHERE c.relname ~ '2030010[27]' AND c.relkind = 'r' AND d.oid = ('wf.' || regexp_replace(c.relname, '_2030.*', '_default'))::regclass ORDER BY 1;
CREATE ROLE wf_test_reader;
SELECT wf_grant('wf_test_reader', 'default', 'viewer');
SET ROLE wf_test_reader;
SELECT count(*) FROM wf_runs;
SELECT count(*) FROM wf.run_default;
SELECT count(*) FROM wf.run_20300107_0000;
RESET ROLE;
SELECT wf_revoke('wf_test_reader', 'default');
DROP ROLE wf_test_reader;

-- nothing is dropped by default
SELECT test.keeper('expire', '2050-01-01');
SELECT count(*) FROM wf.run;
-- a partition goes when all in it is old; a row of the default one by itself
SET workflow.retention = '2d';
-- what anybody can make of it, whom no right keeps from making views, goes with it
CREATE ROLE wf_test_hoarder; CREATE SCHEMA hoard AUTHORIZATION wf_test_hoarder;
SELECT format('CREATE VIEW hoard.v AS SELECT * FROM wf.%1$I; CREATE TABLE hoard.t (kept int, r wf.%1$I); CREATE FUNCTION hoard.f(wf.%1$I) RETURNS int LANGUAGE sql RETURN 1', relname) AS hoard FROM parts ORDER BY relname LIMIT 1 \gset
SET ROLE wf_test_hoarder;
:hoard;
RESET ROLE;
SELECT test.keeper('expire', '2030-01-09 00:00:01');
SELECT count(*) FROM pg_class WHERE relname = 'v' AND relnamespace = 'hoard'::regnamespace;
SELECT attname FROM pg_attribute WHERE attrelid = 'hoard.t'::regclass AND attnum > 0 AND NOT attisdropped;
DROP SCHEMA hoard CASCADE; DROP ROLE wf_test_hoarder;
SELECT tableoid::regclass AS leaf, count(*) FROM wf.run GROUP BY 1 ORDER BY 1;
SELECT relname FROM parts ORDER BY 1;
-- not one in which a run is alive: its ended runs are deleted, some at a time
INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps)
	SELECT tenant_id, run_id, workflow_id, version, 10, 0, 'paused', 1, queued_at, 1, 1 FROM wf.run WHERE tableoid = 'wf.run_20300107_0000'::regclass ORDER BY run_id LIMIT 1;
DELETE FROM wf.run WHERE run_id IN (SELECT run_id FROM wf.live);
SELECT test.keeper('expire', '2030-02-01', most => 2), test.keeper('expire', '2030-02-01', most => 2), test.keeper('expire', '2030-02-01', most => 2);
SELECT tableoid::regclass AS leaf, count(*) FROM wf.segment GROUP BY 1 ORDER BY 1;
SELECT * FROM wf.check_invariants();
DELETE FROM wf.live;
SELECT test.keeper('expire', '2030-02-01');
SELECT relname FROM parts ORDER BY 1;
-- what hangs on a run goes with it
SELECT count(*) FROM wf.idempotency;
SELECT wf_run('w', '{}', '{"idempotencyKey": "k"}') ->> 'status' AS status;
SELECT count(*) FROM wf.idempotency;
SELECT test.keeper('expire', now() + interval '1d') AS none, test.keeper('expire', now() + interval '3d') AS one;
SELECT count(*) FROM wf.idempotency;
-- a tenant's own retention goes before the setting, in both directions
SELECT wf_create_tenant('short', '{"quotas": {"retention": "1 hour"}}') IS NOT NULL AS created;
SELECT wf_create_tenant('ever', '{"quotas": {"retention": 0}}') IS NOT NULL AS created;
SELECT wf_create_tenant('wrong', '{"quotas": {"retention": "soon"}}');
SELECT test.history(tenant_id, 1, now()) FROM wf.tenant;
SELECT test.keeper('expire', now() + interval '2h');
SELECT test.keeper('expire', now() + interval '100d');
SELECT name FROM wf.run JOIN wf.tenant USING (tenant_id) ORDER BY 1;
-- a partition that a tenant needs for ever stays
SELECT relname FROM parts ORDER BY 1;
SELECT test.keeper('partitions', '2030-01-20');
SELECT count(*) FROM parts;
SELECT test.keeper('expire', '2040-01-01'), count(*) FROM parts;

-- -- invariants: each of these is found --

DELETE FROM wf.run;
DELETE FROM wf.segment;
CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION problems() RETURNS SETOF text LANGUAGE sql AS $$ SELECT regexp_replace(problem, '00000000-0000-7000-8000-0*', '', 'g') FROM wf.check_invariants() ORDER BY 1 $$;
SELECT problems();
BEGIN;
INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps)
	VALUES (u(1), u(11), u(9), 1, 10, 0, 'waiting', 1, now(), 0, 0), (u(1), u(12), u(9), 1, 10, 0, 'waiting', 1, now(), 0, 0);
SELECT test.send(u(1), u(11), 10, 0, 0, 0, NULL, 1) IS NOT NULL AS sent;
INSERT INTO wf.wait VALUES (u(1), u(12), 3, 'time', '2020-01-01', 10, 0, NULL, NULL), (u(1), u(13), 4, 'event', NULL, 10, 0, 'e', NULL);
INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, quorum, allow_self, status, attempt, max_attempts, started_by, role, priority, created_at)
	VALUES (u(1), u(14), u(14), 1, u(9), 'n', 'approval', 1, true, 'open', 0, 0, 10, 10, 0, now());
INSERT INTO wf.gate VALUES (u(1), u(9), 'g', u(15)), (u(1), u(9), 'g', u(11));
INSERT INTO wf.held SELECT tenant_id, u(16), u(16), role, 0, 0, step, crashes, ready_at, u(9), version, payload, options, sealed, 'g', 1 FROM wf.queue;
INSERT INTO wf.held SELECT tenant_id, u(17), u(18), role, 0, 2, step, crashes, ready_at, NULL, NULL, payload, options, sealed, NULL, NULL FROM wf.queue;
INSERT INTO wf.queue SELECT tenant_id, u(19), u(20), role, 0, 2, step, crashes, '2020-01-01', NULL, NULL, payload, options, sealed FROM wf.queue;
INSERT INTO wf.idempotency VALUES (u(1), u(9), 'key', u(21));
INSERT INTO wf.failed (tenant_id, run_id, workflow_id, version, role, priority, attempt, n_segments, n_steps, queued_at, failed_at) VALUES (u(1), u(22), u(9), 1, 10, 0, 1, 1, 1, now(), now());
SELECT problems();
ROLLBACK;
BEGIN;
INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps)
	VALUES (u(1), u(11), u(9), 1, 10, 0, 'waiting', 1, now(), 0, 0);
SELECT wf_run('w') ->> 'status' AS status FROM generate_series(1, 3);
UPDATE wf.run SET run_id = (SELECT u(30 + n) FROM (SELECT run_id AS id, row_number() OVER (ORDER BY run_id)::int AS n FROM wf.run) o WHERE o.id = run.run_id);
UPDATE wf.segment SET run_id = (SELECT u(30 + n) FROM (SELECT run_id AS id, row_number() OVER (ORDER BY run_id)::int AS n FROM wf.segment) o WHERE o.id = segment.run_id);
SELECT problems();
UPDATE wf.segment SET segment = 2 WHERE run_id = u(31);
UPDATE wf.run SET status = 'waiting', finished_at = NULL WHERE run_id = u(31);
DELETE FROM wf.run WHERE run_id = u(32);
INSERT INTO wf.segment SELECT tenant_id, run_id, 2, 1, 0, started_at, finished_at, status, steps || steps FROM wf.segment WHERE run_id = u(33);
SELECT problems();
ROLLBACK;
SET client_min_messages = warning;
DROP EXTENSION workflow CASCADE;
ALTER DATABASE :"db" IS_TEMPLATE false;
