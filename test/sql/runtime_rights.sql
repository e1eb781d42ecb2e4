-- What is asked again when a run in the background is executed: rights that went, or came to be narrowed, between the start and the run.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_worker LOGIN;
CREATE ROLE wf_test_group;
SELECT wf_save('a', '{"nodes": [{"id": "r", "type": "db.query", "config": {"sql": "SELECT session_user::text AS u", "outputFormat": "value"}}]}', '{"category": "f/a"}'),
	wf_save('b', '{"nodes": [{"id": "r", "type": "noop"}]}', '{"category": "g"}'), wf_save('calls', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "b"}}]}', '{"category": "f"}'),
	wf_save('waits', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}', '{"category": "f"}');
-- starts it as wf_test_worker, changes something before anybody can have begun, and says what came of it
CREATE PROCEDURE started(workflow text, change text, INOUT run uuid DEFAULT NULL) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'wf_test_worker', true);
	run := wf_start(workflow);
	PERFORM set_config('role', 'none', true);
	EXECUTE change;
END
$$;

-- by a narrowed membership: it runs, and does not when that has gone, or is for another workflow now
SELECT wf_grant('wf_test_worker', 'default', 'member', '{"category": "f"}');
CALL started('a', 'SELECT 1') \gset
SELECT test.ends(:'run');
CALL started('a', $$SELECT wf_revoke('wf_test_worker', 'default'), wf_grant('wf_test_worker', 'default', 'member', '{"workflow": "b"}')$$) \gset
SELECT test.ends(:'run');
-- given back, it goes on
SELECT wf_grant('wf_test_worker', 'default', 'member', '{"category": "f"}'), wf_revoke('wf_test_worker', 'default', '{"workflow": "b"}');
SELECT wf_retry(:'run') ->> 'status';
SELECT test.ends(:'run');
-- or when the workflow has left the folder
CALL started('a', $$UPDATE wf.workflow SET category = 'elsewhere' WHERE name = 'a'$$) \gset
SELECT test.ends(:'run');
UPDATE wf.workflow SET category = 'f/a' WHERE name = 'a';
-- or the role stands for less
SELECT wf_define_role('runner', '{workflow:execute}'), wf_revoke('wf_test_worker', 'default'), wf_grant('wf_test_worker', 'default', 'runner');
CALL started('a', $$SELECT wf_define_role('runner', '{run:read}')$$) \gset
SELECT test.ends(:'run');
SELECT wf_revoke('wf_test_worker', 'default');
-- or a group is left; in the middle of a run, too
SELECT wf_grant('wf_test_group', 'default', 'member');
GRANT wf_test_group TO wf_test_worker;
CALL started('a', 'SELECT 1') \gset
SELECT test.ends(:'run');
CALL started('waits', 'SELECT 1') \gset
SELECT test.stands(:'run', 'e');
BEGIN; REVOKE wf_test_group FROM wf_test_worker; SELECT wf_signal(:'run', 'go'); COMMIT;
SELECT test.ends(:'run');
-- a role that was renamed, or whose password has expired, is the one that it was
SELECT wf_grant('wf_test_worker', 'default', 'member', '{"category": "f"}');
CALL started('a', $$ALTER ROLE wf_test_worker RENAME TO wf_test_renamed$$) \gset
SELECT test.ends(:'run');
ALTER ROLE wf_test_renamed RENAME TO wf_test_worker;
CALL started('a', $$ALTER ROLE wf_test_worker VALID UNTIL '2001-01-01'$$) \gset
SELECT test.ends(:'run');

-- what it calls must be its own to run, too; in the background as in the caller's transaction
CALL started('calls', 'SELECT 1') \gset
SELECT test.ends(:'run');
SELECT wf_grant('wf_test_worker', 'default', 'member', '{"workflow": "b"}');
SELECT wf_retry(:'run') ->> 'status';
SELECT test.ends(:'run');
CALL started('calls', $$SELECT wf_revoke('wf_test_worker', 'default', '{"workflow": "b"}')$$) \gset
SELECT test.ends(:'run');
-- a definer's workflow calls with the definer's rights
SELECT wf_save('calls', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "b"}}], "settings": {"security": "definer"}}');
CALL started('calls', 'SELECT 1') \gset
SELECT test.ends(:'run');
SET ROLE wf_test_worker; SELECT wf_run('calls') ->> 'status'; SELECT wf_run('b'); RESET ROLE;
-- nor does a workflow of its own become another's by being the one for errors
SET ROLE wf_test_worker;
SELECT wf_save('fails', '{"nodes": [{"id": "f", "type": "fail", "config": {"message": "no"}}], "settings": {"errorWorkflow": "b"}}', '{"category": "f"}');
RESET ROLE;
SELECT count(*) AS before FROM wf_runs WHERE workflow = 'b' \gset
CALL started('fails', 'SELECT 1') \gset
SELECT test.ends(:'run');
SELECT count(*) - :before FROM wf_runs WHERE workflow = 'b';

SELECT * FROM test.clean();
DROP EXTENSION workflow;
DROP ROLE wf_test_worker, wf_test_group;
