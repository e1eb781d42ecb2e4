-- Membership by membership of a PostgreSQL role: what counts is what is inherited, now.
CREATE ROLE wf_test_staff; CREATE ROLE wf_test_leads; CREATE ROLE wf_test_ann; CREATE ROLE wf_test_noinherit NOINHERIT; CREATE ROLE wf_test_super SUPERUSER; CREATE ROLE wf_test_setonly; CREATE ROLE wf_test_inherits;
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
SET client_min_messages = warning;
SELECT current_setting('server_version_num')::int >= 160000 AS by_grant \gset
CREATE FUNCTION rights() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', current_user, wf_current_tenant(), CASE WHEN wf_can('workflow:read') THEN 'reads' END, CASE WHEN wf_can('workflow:execute') THEN 'runs' END, CASE WHEN wf_can('team:manage') THEN 'manages' END, (SELECT count(*) FROM wf_workflows)) $$;
SELECT wf_create_tenant('t') IS NOT NULL;
SELECT wf_use_tenant('t');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "a"}'), wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_grant('wf_test_staff', 't', 'viewer', '{"workflow": "w"}');
RESET workflow.tenant;

-- a group role: its members have what it has, through other groups too
GRANT wf_test_staff TO wf_test_leads; GRANT wf_test_leads TO wf_test_ann;
SET ROLE wf_test_ann; SELECT rights(), wf_can('workflow:read', 'w'); RESET ROLE;
-- what one is given by several ways adds up, narrowed and not
SELECT wf_grant('wf_test_leads', 't', 'member', '{"category": "a"}');
SET ROLE wf_test_ann; SELECT rights(), wf_can('workflow:execute', 'w'), wf_can('workflow:execute', 'v'); RESET ROLE;
SELECT wf_grant('wf_test_ann', 't', 'viewer');
SET ROLE wf_test_ann; SELECT rights(), wf_can('workflow:execute', 'w'), wf_can('workflow:execute', 'v'); RESET ROLE;
SELECT wf_grant('wf_test_staff', 't', 'admin');
SET ROLE wf_test_ann; SELECT rights(); RESET ROLE;
-- who manages by a group gives what the group has
SET ROLE wf_test_ann; SELECT wf_grant('wf_test_noinherit', 't', 'admin'); SELECT wf_grant('wf_test_noinherit', 't', 'owner'); SELECT wf_revoke('wf_test_noinherit', 't'); RESET ROLE;

-- it ends with the group's membership, and with one's own in the group, at once
REVOKE wf_test_staff FROM wf_test_leads;
SET ROLE wf_test_ann; SELECT rights(); RESET ROLE;
REVOKE wf_test_leads FROM wf_test_ann;
SET ROLE wf_test_ann; SELECT rights(), wf_can('workflow:execute', 'w'); RESET ROLE;
SELECT wf_revoke('wf_test_ann', 't');
SET ROLE wf_test_ann; SELECT rights(); RESET ROLE;
BEGIN; GRANT wf_test_staff TO wf_test_ann; SET LOCAL ROLE wf_test_ann; SELECT rights(); ROLLBACK;
SET ROLE wf_test_ann; SELECT rights(); RESET ROLE;

-- who does not inherit has to become the group
GRANT wf_test_staff TO wf_test_noinherit;
SET ROLE wf_test_noinherit; SELECT rights(); SELECT wf_run('w'); RESET ROLE;
SET SESSION AUTHORIZATION wf_test_noinherit; SELECT rights(); SET ROLE wf_test_staff; SELECT rights(), wf_run('w') ->> 'status'; RESET ROLE; SELECT rights(); RESET SESSION AUTHORIZATION;
-- the same said by the grant, where a grant can (16 and later)
\if :by_grant
GRANT wf_test_staff TO wf_test_setonly WITH INHERIT FALSE, SET TRUE; GRANT wf_test_staff TO wf_test_inherits WITH INHERIT TRUE, SET FALSE;
\else
ALTER ROLE wf_test_setonly NOINHERIT; GRANT wf_test_staff TO wf_test_setonly; GRANT wf_test_staff TO wf_test_inherits;
\endif
SET ROLE wf_test_setonly; SELECT rights(); SET ROLE wf_test_inherits; SELECT rights(); RESET ROLE;
-- a chain that is inherited up to a grant that is not
\if :by_grant
GRANT wf_test_setonly TO wf_test_ann WITH INHERIT TRUE; GRANT wf_test_inherits TO wf_test_leads WITH INHERIT FALSE;
\else
GRANT wf_test_setonly TO wf_test_ann; ALTER ROLE wf_test_leads NOINHERIT; GRANT wf_test_inherits TO wf_test_leads;
\endif
SET ROLE wf_test_ann; SELECT rights(); SET ROLE wf_test_leads; SELECT rights(); RESET ROLE;
-- membership with ADMIN is membership
GRANT wf_test_staff TO wf_test_leads WITH ADMIN OPTION;
\if :by_grant
GRANT wf_test_staff TO wf_test_leads WITH INHERIT TRUE;
\else
ALTER ROLE wf_test_leads INHERIT;
\endif
SET ROLE wf_test_leads; SELECT rights(); RESET ROLE;

-- a superuser has every role's rights by being one, and is a member of nothing by that
SET ROLE wf_test_super; SELECT rights(); SELECT wf_run('w'); SET workflow.tenant = 't'; SELECT rights(); RESET workflow.tenant; RESET ROLE;
-- PUBLIC cannot be granted, nor can who is not there, nor does a name that needs quotes differ
SELECT wf_grant('public', 't', 'viewer'); SELECT wf_grant('wf_test_missing', 't', 'viewer'); SELECT wf_grant('WF_TEST_ANN', 't', 'viewer');
CREATE ROLE "wf_test ""x"" %s; --";
SELECT wf_grant('wf_test "x" %s; --', 't', 'viewer');
SET ROLE "wf_test ""x"" %s; --"; SELECT rights(); RESET ROLE;

-- a role that is renamed is the same role
ALTER ROLE "wf_test ""x"" %s; --" RENAME TO wf_test_renamed;
SET ROLE wf_test_renamed; SELECT rights(); RESET ROLE;
-- one that is dropped takes its membership along: who gets its name is somebody else
DROP ROLE wf_test_renamed;
CREATE ROLE wf_test_renamed;
SET ROLE wf_test_renamed; SELECT rights(); RESET ROLE;
SELECT wf_use_tenant('t');
SELECT count(*), count(*) FILTER (WHERE role ~ '^[0-9]+$') AS gone FROM wf_members;
RESET workflow.tenant;
-- one whose password has expired is one still: PostgreSQL refuses the password, and so the session
ALTER ROLE wf_test_ann VALID UNTIL '2001-01-01'; GRANT wf_test_staff TO wf_test_ann;
SET ROLE wf_test_ann; SELECT rights(); RESET ROLE;

-- a role that is a member of many, which it takes in turn, on one plan: more of them than are kept
SELECT count(wf_create_tenant('many ' || n)) FROM generate_series(1, 150) n;
SELECT count(*) FROM generate_series(1, 150) n, LATERAL (SELECT wf_grant('wf_test_ann', 'many ' || n, CASE n % 3 WHEN 0 THEN 'viewer' WHEN 1 THEN 'member' ELSE 'admin' END)) g;
SELECT count(*) FROM generate_series(1, 150) n, LATERAL (SELECT set_config('workflow.tenant', 'many ' || n, true)) t, LATERAL (SELECT wf_save('w' || n, '{"nodes": [{"id": "a", "type": "noop"}]}') WHERE set_config IS NOT NULL) s;
CREATE FUNCTION turn(rounds int) RETURNS TABLE (n int, right_ones bigint) LANGUAGE plpgsql AS $$
DECLARE
	seen text;
BEGIN
	FOR i IN 1..rounds LOOP
		FOR k IN 1..150 LOOP
			PERFORM set_config('workflow.tenant', 'many ' || k, true);
			SELECT string_agg(name, ' ') INTO seen FROM wf_workflows;
			n := k % 3;
			right_ones := (seen = 'w' || k AND wf_current_tenant() = 'many ' || k AND wf_can('workflow:execute') = (n > 0) AND wf_can('team:manage') = (n = 2))::int;
			RETURN NEXT;
		END LOOP;
	END LOOP;
END
$$;
SET ROLE wf_test_ann; SELECT n, count(*), sum(right_ones) FROM turn(3) GROUP BY 1 ORDER BY 1; RESET ROLE;

DROP EXTENSION workflow;
DROP ROLE wf_test_staff, wf_test_leads, wf_test_ann, wf_test_noinherit, wf_test_super, wf_test_setonly, wf_test_inherits, wf_test_renamed;
