-- Tasks of people and of external workers, as those who do them see them. What the run gets is looked at in the queue.
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\getenv abs_srcdir PG_ABS_SRCDIR
\cd :abs_srcdir/sql
\cd ../lib
\i store.psql
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE wf_test_ann;
CREATE ROLE wf_test_bob;
CREATE ROLE wf_test_cat;
CREATE ROLE wf_test_viewer;
CREATE ROLE wf_test_foreign;
CREATE ROLE wf_test_managers;
RESET client_min_messages;
\pset null -
GRANT wf_test_managers TO wf_test_ann, wf_test_bob;
SELECT wf_grant(r::name, 'default', 'member') FROM unnest('{wf_test_ann, wf_test_bob, wf_test_cat}'::text[]) r;
SELECT wf_grant('wf_test_viewer', 'default', 'viewer');
SELECT wf_create_tenant('other') IS NOT NULL AS created;
SELECT wf_grant('wf_test_foreign', 'other', 'owner');

CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION n(u uuid) RETURNS int LANGUAGE sql IMMUTABLE AS $$ SELECT right(u::text, 12)::int $$;
-- what a run of the number would have made; the tenant is default, whose id is u(1)
CREATE PROCEDURE make_approval(n int, assignees text[] DEFAULT NULL, quorum int DEFAULT 1, outcomes text[] DEFAULT '{approved, rejected}', form jsonb DEFAULT NULL, allow_self bool DEFAULT true, starter name DEFAULT 'wf_test_cat', escalate_to text[] DEFAULT NULL, due interval DEFAULT NULL)
	LANGUAGE sql AS $$
	INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, title, assignees, quorum, allow_self, outcomes, form, escalate_at, escalate_to, status, attempt, max_attempts, started_by, role, priority, created_at)
	VALUES (u(1), u(n), u(n), 3, u(9), 'ask', 'approval', 'May it?', assignees, quorum, allow_self, outcomes, form, now() + due, escalate_to, 'open', 0, 0, starter::regrole, starter::regrole, 2, now()) $$;
CREATE PROCEDURE make_task(n int, queue text DEFAULT 'q', max_attempts int DEFAULT 0, priority int DEFAULT 0, lease_ms bigint DEFAULT NULL)
	LANGUAGE sql AS $$
	INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, queue, payload, quorum, allow_self, status, attempt, max_attempts, lease_ms, started_by, role, priority, created_at)
	VALUES (u(1), u(n), u(n), 3, u(9), 'work', 'task', queue, to_jsonb(n), 1, true, 'open', 0, max_attempts, lease_ms, 10, 10, priority, now()) $$;
CREATE VIEW sent AS SELECT n(run_id) AS run, kind, step, priority, sealed #- '{result,at}' AS payload FROM wf.queue ORDER BY message_id;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;

-- -- approvals --

CALL make_approval(101);
SET ROLE wf_test_ann;
SELECT n(task_id), node, kind, title, assignees, claimed_by, outcomes, status FROM wf_tasks;
SELECT wf_complete_task(u(101), 'approved', '{"why": "good"}') - 'at' AS answer;
SELECT wf_complete_task(u(101), 'approved');
SELECT n(task_id), status FROM wf_tasks;
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- unknown, foreign, without the right, wrong arguments
CALL make_approval(102);
SET ROLE wf_test_foreign;
SELECT count(*) FROM wf_tasks;
SELECT wf_complete_task(u(102), 'approved');
SELECT wf_complete_task(u(199), 'approved');
SELECT wf_claim_task(u(102)), wf_unclaim_task(u(102)), wf_delegate_task(u(102), 'wf_test_ann'), wf_comment_task(u(102), 'x');
SET ROLE wf_test_viewer;
SELECT count(*) FROM wf_tasks;
SELECT wf_complete_task(u(102), 'approved');
SELECT wf_claim_task(u(102));
SELECT * FROM wf_poll_tasks('q');
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(102), 'aproved');
SELECT wf_complete_task(u(102), 'timeout');
SELECT wf_complete_task(NULL, 'approved');
SELECT wf_complete_task(u(102), NULL);
BEGIN READ ONLY;
SELECT wf_complete_task(u(102), 'approved');
ROLLBACK;
SELECT wf_complete_task(u(102), 'rejected', NULL) - 'at' AS answer;
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- assignees: membership counts
CALL make_approval(103, '{wf_test_managers, wf_test_none}');
SET ROLE wf_test_cat;
SELECT wf_complete_task(u(103), 'approved');
SELECT wf_claim_task(u(103));
SET ROLE wf_test_bob;
SELECT wf_complete_task(u(103), 'approved') ->> 'by' AS by;
RESET ROLE;

-- a quorum counts the first outcome; one person decides once; any other outcome decides at once
CALL make_approval(104, NULL, 2, '{yes, no, later}');
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(104), 'yes') - 'at' AS answer;
SELECT wf_complete_task(u(104), 'yes');
SELECT wf_complete_task(u(104), 'no');
SET ROLE wf_test_bob;
SELECT wf_complete_task(u(104), 'yes', '{"b": 1}') - 'at' AS answer;
SET ROLE wf_test_cat;
SELECT wf_complete_task(u(104), 'no');
RESET ROLE;
CALL make_approval(105, NULL, 2, '{yes, no, later}');
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(105), 'yes') ->> 'status' AS status;
SET ROLE wf_test_bob;
SELECT wf_complete_task(u(105), 'later') ->> 'status' AS status;
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- nobody decides about a run of their own, when that is not allowed
CALL make_approval(106, allow_self => false, starter => 'wf_test_ann');
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(106), 'approved');
SET ROLE wf_test_bob;
SELECT wf_complete_task(u(106), 'approved') ->> 'status' AS status;
RESET ROLE;

-- claimed: for the claimer alone, or for whom it is delegated to
CALL make_approval(107, '{wf_test_managers}');
SET ROLE wf_test_ann;
SELECT wf_claim_task(u(107)), wf_claim_task(u(107)) AS again;
SELECT claimed_by FROM wf_tasks WHERE task_id = u(107);
SET ROLE wf_test_bob;
SELECT wf_claim_task(u(107)), wf_unclaim_task(u(107)), wf_delegate_task(u(107), 'wf_test_bob');
SELECT wf_complete_task(u(107), 'approved');
SET ROLE wf_test_ann;
SELECT wf_unclaim_task(u(107)), wf_unclaim_task(u(107)) AS again;
SELECT wf_delegate_task(u(107), 'wf_test_nobody');
SELECT wf_delegate_task(u(107), 'wf_test_cat');
SELECT wf_complete_task(u(107), 'approved');
SET ROLE wf_test_cat;
SELECT wf_comment_task(u(107), 'asked the others'), wf_comment_task(u(107), 'it is fine');
SELECT wf_complete_task(u(107), 'approved') ->> 'by' AS by;
SELECT wf_claim_task(u(107)), wf_unclaim_task(u(107)), wf_delegate_task(u(107), 'wf_test_ann'), wf_comment_task(u(107), 'late, and kept');
SELECT wf_comment_task(u(107), '');
RESET ROLE;
SELECT c ->> 'by' AS by, c ->> 'comment' AS comment FROM wf.task, jsonb_array_elements(comments) c WHERE task_id = u(107);

-- the form
CALL make_approval(108, form => '{"type": "object", "properties": {"amount": {"type": "integer", "minimum": 1}, "mail": {"type": "string", "format": "email"}}, "required": ["amount"], "additionalProperties": false}');
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(108), 'approved');
SELECT wf_complete_task(u(108), 'approved', '{"amount": 0, "mail": "x", "more": 1}');
SELECT wf_complete_task(u(108), 'approved', '{"amount": 3, "mail": "a@b.example"}') -> 'data' AS data;
RESET ROLE;

-- expired and cancelled ones
CALL make_approval(109);
CALL make_approval(110);
UPDATE wf.task SET status = 'expired' WHERE task_id = u(109);
UPDATE wf.task SET status = 'cancelled' WHERE task_id = u(110);
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(109), 'approved');
SELECT wf_complete_task(u(110), 'approved');
RESET ROLE;
DELETE FROM wf.queue;

-- escalation adds assignees, when it is time
CALL make_approval(111, '{wf_test_cat}', escalate_to => '{wf_test_managers}', due => '1h');
CALL make_approval(112, NULL, escalate_to => '{wf_test_managers}', due => '1h');
SELECT test.keeper('escalate');
SELECT test.keeper('escalate', now() + interval '2h');
SELECT test.keeper('escalate', now() + interval '2h');
SELECT n(task_id), assignees FROM wf_tasks WHERE task_id IN (u(111), u(112)) ORDER BY 1;
SET ROLE wf_test_ann;
SELECT wf_complete_task(u(111), 'approved') ->> 'by' AS by;
RESET ROLE;

-- -- external workers --

DELETE FROM wf.queue;
DELETE FROM wf.task;
CALL make_task(201);
CALL make_task(202, priority => 5);
CALL make_task(203);
CALL make_task(204, 'another');
SET ROLE wf_test_ann;
SELECT n(task_id), n(run_id), payload, attempt FROM wf_poll_tasks('q', 2);
SELECT n(task_id), attempt FROM wf_poll_tasks('q', 10);
SELECT count(*) FROM wf_poll_tasks('q', 10);
SELECT count(*) FROM wf_poll_tasks('no such queue', 10);
SELECT n(task_id), kind, queue, claimed_by, attempt, status FROM wf_tasks ORDER BY 1;
SELECT wf_complete_task(u(201), 'approved');
SELECT wf_finish_task(u(201), '{"done": true}', 1), wf_finish_task(u(201), '{"done": true}', 1) AS again;
SELECT wf_finish_task(u(202), '{"failed": "is a word"}'), wf_finish_task(u(299), '{}'), wf_finish_task(u(204), '{}') AS not_leased;
SET ROLE wf_test_bob;
SELECT wf_finish_task(u(203), '{}'), wf_fail_task(u(203), '{}'), wf_heartbeat(u(203)) AS of_another;
SET ROLE wf_test_foreign;
SELECT wf_finish_task(u(203), '{}'), wf_fail_task(u(203), '{}'), wf_heartbeat(u(203)), (SELECT count(*) FROM wf_poll_tasks('another')) AS tasks;
SET ROLE wf_test_ann;
SELECT wf_finish_task(u(203), '{}', 2) AS another_attempt, wf_heartbeat(u(203), '1h');
SELECT wf_finish_task(u(203), NULL, 1);
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- a lease that has run out is no longer held, and the task is there for others
CALL make_task(205, 'r');
SET ROLE wf_test_ann;
SELECT n(task_id), attempt FROM wf_poll_tasks('r', 1, '10s');
RESET ROLE;
UPDATE wf.task SET lease_until = now() - interval '1s' WHERE task_id = u(205);
SET ROLE wf_test_ann;
SELECT wf_finish_task(u(205), '{}', 1), wf_heartbeat(u(205));
SET ROLE wf_test_bob;
SELECT n(task_id), attempt FROM wf_poll_tasks('r');
SET ROLE wf_test_ann;
SELECT wf_finish_task(u(205), '{}', 1);
SET ROLE wf_test_bob;
SELECT wf_finish_task(u(205), '{"by": "bob"}', 2);
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- failing: back to the queue, or to the run when it must not be tried again or the attempts are used up
CALL make_task(206, 'f', 2);
CALL make_task(207, 'f', 0, -1);
SET ROLE wf_test_ann;
SELECT n(task_id), attempt FROM wf_poll_tasks('f', 2);
SELECT wf_fail_task(u(206), '{"message": "busy"}'), wf_fail_task(u(206), '{}') AS again;
SELECT n(task_id), attempt FROM wf_poll_tasks('f', 2);
SELECT wf_fail_task(u(206), '{"message": "still busy"}', true, 2);
SELECT wf_fail_task(u(207), '{"message": "never"}', false);
SELECT n(task_id), status, attempt FROM wf_tasks WHERE queue = 'f' ORDER BY 1;
RESET ROLE;
TABLE sent;
DELETE FROM wf.queue;

-- the last lease ran out: the keeper tells the run
CALL make_task(208, 'l', 1);
SET ROLE wf_test_ann;
SELECT n(task_id), attempt FROM wf_poll_tasks('l', 1, '10s');
RESET ROLE;
SELECT test.keeper('escalate');
TABLE sent;
SELECT test.keeper('escalate', now() + interval '11s');
SELECT test.keeper('escalate', now() + interval '11s');
TABLE sent;
SELECT status FROM wf_tasks WHERE task_id = u(208);

-- the node's lease goes before the one that is asked for
CALL make_task(209, 'm', lease_ms => 3600000);
SET ROLE wf_test_ann;
SELECT count(*) FROM wf_poll_tasks('m', 1, '1s');
SELECT wf_poll_tasks('m', 0);
SELECT wf_poll_tasks('m', 1, '0s');
SELECT wf_poll_tasks('m', 1, '-1s');
SELECT wf_poll_tasks('', 1);
SELECT wf_finish_task(u(209), '1', 0);
RESET ROLE;
SELECT lease_until > now() + interval '50 min' AS an_hour FROM wf.task WHERE task_id = u(209);

DROP VIEW sent;
SET client_min_messages = warning;
DROP OWNED BY wf_test_ann, wf_test_bob, wf_test_cat, wf_test_viewer, wf_test_foreign, wf_test_managers CASCADE;
DROP ROLE wf_test_ann, wf_test_bob, wf_test_cat, wf_test_viewer, wf_test_foreign, wf_test_managers;
SET client_min_messages = warning;
DROP EXTENSION workflow CASCADE;
ALTER DATABASE :"db" IS_TEMPLATE false;
