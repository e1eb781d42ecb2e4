-- Messages: the order in which they are claimed, fairness between tenants, what is kept back, gates, crashes.
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir/sql
\cd ../lib
\i store.psql
SET client_min_messages = warning;
CREATE EXTENSION workflow;
RESET client_min_messages;

-- ids that are easy to read: u(n) is message or run n, t(n) tenant n
CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION n(u uuid) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT right(u::text, 12)::int $$;
CREATE FUNCTION start(tenant int, run int, priority int DEFAULT 0, role oid DEFAULT 10) RETURNS void LANGUAGE sql
	AS $$ SELECT test.send(u(tenant), u(run), role, priority, 0, 0, to_jsonb(run), 1) $$;
CREATE FUNCTION claim(most int, take bool DEFAULT true, role oid DEFAULT 10) RETURNS text LANGUAGE sql
	AS $$ SELECT string_agg(n(tenant) || ':' || n(run), ' ') FROM test.claim(role, most, take, NULL) $$;

-- the highest priority first, then in the order of ids
SELECT start(1, 101), start(1, 102, 5), start(1, 103, -5), start(1, 104, 5), start(1, 105);
SELECT claim(2);
SELECT claim(10);
SELECT claim(10);

-- of each role only its own
SELECT start(1, 111), start(1, 112, 0, 6171), start(1, 113, 0, 6171);
SELECT claim(10), claim(10, true, 6171), claim(10, true, 6171);

-- tenants in turn, with equal shares; what one leaves goes to the others; the next claim goes on behind the last one
SELECT test.claim(10, 1, true, u(0));
SELECT count(start(1, n)), count(start(2, n + 100)), count(start(3, n + 200)) FROM generate_series(201, 206) n;
SELECT claim(1), claim(1), claim(1), claim(1);
SELECT claim(6);
SELECT start(4, 500);
SELECT claim(8);
SELECT claim(100);
-- a tenant with little does not wait for one with much
SELECT count(start(1, n)) FROM generate_series(600, 699) n;
SELECT start(9, 700);
SELECT claim(4) LIKE '%9:700%' AS soon;
-- a higher priority of one tenant goes before the turn of another
SELECT start(1, 710, 10), start(2, 711, 10), start(2, 712);
SELECT claim(3);
SELECT claim(1000) IS NOT NULL AS the_rest;

-- a message that is claimed and not taken is there again
BEGIN;
SELECT start(1, 800);
COMMIT;
BEGIN;
SELECT claim(10, false);
SELECT claim(10, false) AS not_twice;
ROLLBACK;
BEGIN;
SELECT claim(10);
ROLLBACK;
SELECT claim(10);
-- one that is taken in a subtransaction that fails, too
SELECT start(1, 801), start(1, 802);
BEGIN;
SAVEPOINT a;
SELECT claim(1);
ROLLBACK TO a;
SELECT claim(1);
COMMIT;
SELECT claim(10);

-- an id below what was claimed last is found
SELECT start(1, 900);
SELECT claim(1);
SELECT start(1, 890);
SELECT claim(1);

-- messages to a run: in the order of sending, without its start
SELECT start(1, 1000);
SELECT test.send(u(1), u(1000), 10, 0, 2, 0, '"one"', 1) IS NOT NULL AS sent;
SELECT test.send(u(1), u(1000), 10, 0, 2, 0, '"two"', 1) IS NOT NULL AS sent;
SELECT test.send(u(2), u(1000), 10, 0, 2, 0, '"of another tenant"', 1) IS NOT NULL AS sent;
SELECT kind, payload FROM test.claim_run(u(1), u(1000), 'run');
SELECT kind, payload FROM test.claim_run(u(1), u(1000), 'start');
SELECT kind, payload FROM test.claim_run(u(1), u(1001), 'start');
DELETE FROM wf.queue;

-- gates: as many as there is room for, by priority and age
INSERT INTO wf.held (tenant_id, message_id, run_id, role, priority, kind, step, crashes, ready_at, workflow_id, version, gate, gate_size)
	SELECT u(1), u(n), u(n), 10, CASE WHEN n = 1107 THEN 9 ELSE 0 END, 0, 0, 0, now(), u(7), 1, 'a', 2 FROM generate_series(1101, 1108) n
	UNION ALL SELECT u(1), u(n), u(n), 10, 0, 0, 0, 0, now(), u(7), 1, 'b', 1 FROM generate_series(1201, 1202) n
	UNION ALL SELECT u(2), u(n), u(n), 10, 0, 0, 0, 0, now(), u(7), 1, 'a', 3 FROM generate_series(1301, 1302) n;
SELECT test.keeper('gates');
SELECT test.keeper('gates');
SELECT n(tenant_id) AS tenant, gate, n(run_id) AS run FROM wf.gate ORDER BY 1, 2, 3;
SELECT n(tenant_id) AS tenant, n(run_id) AS run FROM wf.queue ORDER BY 1, 2;
DELETE FROM wf.gate WHERE run_id = u(1101);
SELECT test.keeper('gates');
SELECT count(*) FROM wf.held;
DELETE FROM wf.queue;
DELETE FROM wf.gate;
DELETE FROM wf.held;

-- a run whose messages took workers down is parked: what is for it is kept back, and it is told
SELECT start(1, 1400);
SELECT test.send(u(1), u(1400), 10, 0, 2, 0, NULL, 1) IS NOT NULL AS sent;
SELECT test.keeper('crash', run => u(1400), most => 3);
SELECT kind, crashes FROM wf.queue ORDER BY kind;
SELECT test.keeper('crash', run => u(1400), most => 3);
SELECT test.keeper('crash', run => u(1400), most => 3);
SELECT kind, crashes FROM wf.queue ORDER BY kind;
SELECT kind, crashes FROM wf.held ORDER BY kind;
SELECT kind, crashes FROM test.claim_run(u(1), u(1400), 'start');
SELECT test.keeper('crash', run => u(1499), most => 3);
DELETE FROM wf.queue;
DELETE FROM wf.held;
SELECT start(1, 1500), start(1, 1501, 0, 6171);
SELECT test.keeper('roles');
-- a constraint that somebody has added refuses, and no more than that
ALTER TABLE wf.queue ADD CONSTRAINT small CHECK (priority < 100) NOT VALID;
\set VERBOSITY terse
SELECT start(1, 1502, 100);
\set VERBOSITY default
SET client_min_messages = warning;
DROP EXTENSION workflow CASCADE;
ALTER DATABASE :"db" IS_TEMPLATE false;
