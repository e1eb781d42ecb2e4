-- a role that is renamed, expired, stripped, or made anew by its name, between the start of a run and its execution
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_ann LOGIN; CREATE ROLE wf_test_group; CREATE ROLE wf_test_other LOGIN;
SELECT wf_grant('wf_test_ann', 'default', 'member'), wf_grant('wf_test_group', 'default', 'member');
CREATE TABLE effects (who name, session name, what text); GRANT INSERT ON effects TO wf_test_ann, wf_test_other; CREATE TABLE secret (v text); INSERT INTO secret VALUES ('x'); GRANT SELECT ON secret TO wf_test_ann, wf_test_group;
SELECT save('[{"id": "w", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "q", "type": "db.query", "config": {"sql": "INSERT INTO effects SELECT current_user, session_user, v FROM secret"}}]', '[{"source": "w", "target": "q"}]');
-- each begins, waits, and goes on after what has happened to its role
CREATE TABLE begun (n int GENERATED ALWAYS AS IDENTITY, id uuid); GRANT INSERT ON begun TO PUBLIC;
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
-- renamed: it is the same role
ALTER ROLE wf_test_ann RENAME TO wf_test_anna; CREATE ROLE wf_test_ann LOGIN;
SELECT wf_signal(id, 'go') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1; TABLE effects; TRUNCATE effects;
DROP ROLE wf_test_ann; ALTER ROLE wf_test_anna RENAME TO wf_test_ann;
-- its password has expired, and it may open no connection: both are for those who come with a password, or as a client
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
ALTER ROLE wf_test_ann VALID UNTIL '2000-01-01' CONNECTION LIMIT 0;
SELECT wf_signal(id, 'go') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1; TABLE effects; TRUNCATE effects;
ALTER ROLE wf_test_ann VALID UNTIL 'infinity' CONNECTION LIMIT -1;
-- stripped of the right to the table
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
REVOKE SELECT ON secret FROM wf_test_ann;
SELECT wf_signal(id, 'go') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1; TABLE effects;
GRANT SELECT ON secret TO wf_test_ann;
-- no member any more, or one that may only look
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
SELECT wf_signal(id, 'go'), wf_grant('wf_test_ann', 'default', 'viewer') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1;
SELECT wf_grant('wf_test_ann', 'default', 'member');
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
SELECT wf_signal(id, 'go'), wf_revoke('wf_test_ann', 'default') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1;
-- a member by a group that it leaves
GRANT wf_test_group TO wf_test_ann;
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
REVOKE wf_test_group FROM wf_test_ann;
SELECT wf_signal(id, 'go') FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1;
GRANT wf_test_group TO wf_test_ann;
SELECT wf_retry(id)->>'status' FROM begun ORDER BY n DESC LIMIT 1; SELECT test.ends(id) FROM begun ORDER BY n DESC LIMIT 1;
-- dropped, and another one made with its name: that is somebody else
SET ROLE wf_test_ann; INSERT INTO begun (id) SELECT wf_start('go'); RESET ROLE; SELECT test.stands(id, 'w') FROM begun ORDER BY n DESC LIMIT 1;
TRUNCATE effects; DROP OWNED BY wf_test_ann; DROP ROLE wf_test_ann; CREATE ROLE wf_test_ann LOGIN SUPERUSER;
SELECT wf_signal(id, 'go') FROM begun ORDER BY n DESC LIMIT 1; SELECT regexp_replace(test.ends(id), 'OID: [0-9]+', 'OID') FROM begun ORDER BY n DESC LIMIT 1; TABLE effects;
SELECT * FROM test.clean();
DROP EXTENSION workflow CASCADE;
DROP OWNED BY wf_test_ann, wf_test_group, wf_test_other;
DROP ROLE wf_test_ann, wf_test_group, wf_test_other;
