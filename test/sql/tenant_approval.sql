-- Four eyes: a version becomes active when another person has approved exactly that definition.
CREATE ROLE regress_wf_ann;
CREATE ROLE regress_wf_bob;
CREATE ROLE regress_wf_cid;
CREATE ROLE regress_wf_dan;
CREATE ROLE regress_wf_staff;
CREATE ROLE regress_wf_super SUPERUSER;
GRANT regress_wf_staff TO regress_wf_ann, regress_wf_bob;
CREATE EXTENSION workflow;
SELECT wf_grant('regress_wf_ann', 'default', 'admin'), wf_grant('regress_wf_bob', 'default', 'admin'), wf_grant('regress_wf_cid', 'default', 'member'),
	wf_grant('regress_wf_dan', 'default', 'viewer'), wf_grant('regress_wf_staff', 'default', 'admin'), wf_grant('regress_wf_super', 'default', 'owner');
CREATE FUNCTION def(v int) RETURNS jsonb LANGUAGE sql AS $$ SELECT format('{"nodes": [{"id": "r", "type": "return", "config": {"value": %s}}]}', v)::jsonb $$;
CREATE VIEW stands AS SELECT name, status, active_version FROM wf_workflows;
GRANT SELECT ON stands TO PUBLIC;

-- nothing of it where nobody asks for it
SELECT wf_save('old', def(1)), wf_call('old');
SELECT * FROM wf_approvals;
UPDATE wf.tenant SET settings = '{"approval": true}';

-- what is active stays so; a new version waits
SET SESSION AUTHORIZATION regress_wf_ann;
SELECT wf_save('old', def(2));
SELECT wf_call('old');
SELECT wf_save('new', def(1));
SELECT wf_call('new');
SELECT name, status, active_version FROM wf_workflows ORDER BY 1;
SELECT workflow, version, status, digest, requested_by, decided_by, decided_at, comment FROM wf_approvals ORDER BY 1;
SELECT encode(sha256(convert_to(def(1)::text, 'UTF8')), 'hex');
-- not by a way around
SELECT wf_activate('new', 1);
SELECT wf_set_status('new', 'active');
SELECT wf_set_status('old', 'paused'), wf_activate('old', 2);
SELECT wf_run('new', '{}', '{"version": 1}');
SELECT wf_call('old', '{}', '{"version": 2}');
SELECT wf_save('around', '{"nodes": [{"id": "s", "type": "subworkflow", "config": {"workflow": "new", "version": 1}}]}', '{"activate": false}');
SELECT wf_dry_run('new', '{}', '{"version": 1}') -> 'output' AS output;
SELECT workflow, version, status FROM wf_approvals ORDER BY 1, 2;
-- who saved it may not, neither as another role
SELECT wf_approve('new', 1);
SET ROLE regress_wf_staff;
SELECT wf_approve('new', 1);
RESET ROLE;
SET SESSION AUTHORIZATION regress_wf_cid;
SELECT wf_approve('new', 1);
SELECT wf_reject('new', 1);
SET SESSION AUTHORIZATION regress_wf_dan;
SELECT wf_approve('new', 1);
SELECT workflow, version, status FROM wf_approvals ORDER BY 1, 2;
SET SESSION AUTHORIZATION regress_wf_bob;
SELECT wf_can('workflow:approve');
SELECT wf_approve('nothing', 1);
SELECT wf_approve('new', 2);
SELECT wf_approve('new', NULL);
SELECT wf_approve('around', 1);
SELECT wf_approve('new', 1, 'looks good');
SELECT wf_call('new');
SELECT wf_approve('new', 1);
-- a paused workflow stays paused, with another version
SELECT wf_approve('old', 2);
SELECT name, status, active_version FROM wf_workflows ORDER BY 1;

-- activation of what was never approved, when somebody resumes it: the version that was active before approval was asked for
SELECT wf_activate('old', 1);
SET SESSION AUTHORIZATION regress_wf_ann;
SELECT wf_approve('old', 1);
RESET SESSION AUTHORIZATION;
SELECT wf_save('late', def(1));
DELETE FROM wf.approval WHERE workflow_id = (SELECT workflow_id FROM wf.workflow WHERE name = 'late');
UPDATE wf.workflow SET active_version = 1, status = 'paused' WHERE name = 'late';
SET SESSION AUTHORIZATION regress_wf_bob;
SELECT wf_set_status('late', 'active');
SELECT * FROM stands WHERE name = 'late';
SET SESSION AUTHORIZATION regress_wf_ann;
SELECT wf_approve('late', 1);
SELECT * FROM stands WHERE name = 'late';
SELECT wf_set_status('late', 'paused'), wf_set_status('late', 'active');
SELECT * FROM stands WHERE name = 'late';

-- a later version needs another approval; one that was approved may come back without
SELECT wf_save('new', def(2));
SELECT wf_call('new');
SET SESSION AUTHORIZATION regress_wf_bob;
SELECT wf_reject('new', 2, 'no');
SELECT wf_approve('new', 2);
SELECT wf_activate('new', 2);
SET SESSION AUTHORIZATION regress_wf_ann;
SELECT wf_approve('new', 2);
RESET SESSION AUTHORIZATION;
SELECT wf_approve('new', 2);
SELECT wf_call('new');
SET SESSION AUTHORIZATION regress_wf_cid;
SELECT wf_activate('new', 1);
SELECT wf_call('new');
SELECT wf_call('new', '{}', '{"version": 2}');
SELECT workflow, version, status, requested_by, decided_by, decided_at >= requested_at AS later, comment FROM wf_approvals ORDER BY requested_at;

-- who asked as a role that many have, cannot approve as himself, nor the other way; a superuser neither
SET SESSION AUTHORIZATION regress_wf_ann;
SET ROLE regress_wf_staff;
SELECT wf_save('staff', def(1));
RESET ROLE;
SELECT wf_approve('staff', 1);
SET SESSION AUTHORIZATION regress_wf_bob;
SET ROLE regress_wf_staff;
SELECT wf_approve('staff', 1);
RESET ROLE;
SELECT wf_approve('staff', 1);
SET SESSION AUTHORIZATION regress_wf_super;
SELECT wf_save('super', def(1));
SELECT wf_approve('super', 1);
SET ROLE regress_wf_bob;
SELECT wf_approve('super', 1);
RESET ROLE;
-- saved without being asked for, and asked for by somebody else: neither of the two
SELECT wf_save('super', def(2), '{"activate": false}');
SET SESSION AUTHORIZATION regress_wf_ann;
SELECT wf_activate('super', 2);
SELECT wf_approve('super', 2);
SET SESSION AUTHORIZATION regress_wf_super;
SELECT wf_approve('super', 2);
SET SESSION AUTHORIZATION regress_wf_bob;
SELECT wf_approve('super', 2);
-- a definition that was changed in the table is not what was approved
RESET SESSION AUTHORIZATION;
UPDATE wf.version SET definition = def(66) WHERE workflow_id = (SELECT workflow_id FROM wf.workflow WHERE name = 'super');
SET SESSION AUTHORIZATION regress_wf_bob;
SELECT wf_approve('super', 1);
SELECT wf_activate('super', 2);
SELECT wf_call('super', '{}', '{"version": 1}');
-- nobody writes there
INSERT INTO wf.approval SELECT * FROM wf.approval;
UPDATE wf.approval SET status = 'approved', decided_at = now();
DELETE FROM wf.approval;
-- another tenant's are not seen, and a tenant below asks as the one above does
RESET SESSION AUTHORIZATION;
SELECT wf_create_tenant('below', '{"parent": "default"}') IS NOT NULL AS made, wf_create_tenant('beside') IS NOT NULL AS made;
SET workflow.tenant = 'beside';
SELECT wf_save('new', def(5)), wf_call('new');
SELECT * FROM wf_approvals;
SELECT wf_approve('new', 1);
SET workflow.tenant = 'below';
SELECT wf_save('new', def(5));
SELECT workflow, version, status FROM wf_approvals;
UPDATE wf.tenant SET settings = '{"approval": false}' WHERE name = 'below';
SELECT wf_activate('new', 1);
UPDATE wf.tenant SET settings = '{"approval": 1}';
SELECT wf_activate('new', 1);
SELECT wf_call('new');
RESET workflow.tenant;
SELECT * FROM wf.check_invariants();
DROP EXTENSION workflow CASCADE;
DROP ROLE regress_wf_ann, regress_wf_bob, regress_wf_cid, regress_wf_dan, regress_wf_staff, regress_wf_super;
