-- What docs/tenants.md says: members, application roles, several tenants, tenants below tenants.
CREATE ROLE regress_wf_owner;
CREATE ROLE regress_wf_admin;
CREATE ROLE regress_wf_member;
CREATE ROLE regress_wf_viewer;
CREATE ROLE regress_wf_nobody;
CREATE ROLE regress_wf_staff;
CREATE ROLE regress_wf_heir IN ROLE regress_wf_staff;
CREATE ROLE regress_wf_distant NOINHERIT IN ROLE regress_wf_staff;
CREATE EXTENSION workflow;
SELECT wf_current_tenant();
SELECT wf_grant('regress_wf_owner', 'default', 'owner'), wf_grant('regress_wf_admin', 'default', 'admin'),
	   wf_grant('regress_wf_member', 'default', 'member'), wf_grant('regress_wf_viewer', 'default', 'viewer'),
	   wf_grant('regress_wf_staff', 'default', 'member');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');

-- Who may what.
SET ROLE regress_wf_viewer;
SELECT wf_current_tenant(), wf_can('workflow:read'), wf_can('workflow:execute');
SELECT name FROM wf_workflows;
SELECT wf_run('w');
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}');
SELECT wf_save('v', '{"nodes": [{"id": "b", "type": "noop"}]}');
SELECT wf_activate('w', 1);
SELECT wf_set_status('w', 'paused');
SELECT count(*) FROM wf_explain('w');
SET ROLE regress_wf_member;
SELECT wf_run('w') ->> 'status';
SELECT wf_save('v', '{"nodes": [{"id": "b", "type": "noop"}]}');
SELECT wf_delete('v');
SELECT wf_grant('regress_wf_nobody', 'default', 'viewer');
SELECT wf_can('workflow:fly');
SET ROLE regress_wf_admin;
SELECT wf_delete('v');
SELECT wf_grant('regress_wf_nobody', 'default', 'owner');
SELECT wf_revoke('regress_wf_owner', 'default');
SELECT wf_grant('regress_wf_owner', 'default', 'viewer');
SET ROLE regress_wf_viewer;
SELECT started_by, status FROM wf_runs;

-- A role that is no member sees nothing and may call nothing.
SET ROLE regress_wf_nobody;
SELECT count(*) FROM wf_versions('w');
SELECT wf_current_tenant() IS NULL AS none, wf_can('workflow:read');
SELECT (SELECT count(*) FROM wf_workflows), (SELECT count(*) FROM wf_runs), (SELECT count(*) FROM wf_steps),
	   (SELECT count(*) FROM wf_segments), (SELECT count(*) FROM wf.tenant), (SELECT count(*) FROM wf.member);
SELECT wf_run('w');
SELECT wf_run('no such workflow');
SELECT wf_use_tenant('default');
SELECT wf_use_tenant('no such tenant');
SET workflow.tenant = 'default';
SELECT count(*) FROM wf_workflows;
SELECT wf_run('w');
RESET workflow.tenant;
SELECT wf_create_tenant('mine');
INSERT INTO wf.member SELECT tenant_id, 'regress_wf_nobody', 'owner', now(), 'regress_wf_nobody' FROM wf.tenant;

-- Membership is inherited by those who inherit.
SET ROLE regress_wf_heir;
SELECT wf_current_tenant(), wf_can('workflow:execute');
SET ROLE regress_wf_distant;
SELECT wf_current_tenant() IS NULL AS none;
RESET ROLE;

-- Owners.
SELECT wf_revoke(current_user, 'default');
SET ROLE regress_wf_owner;
SELECT wf_revoke('regress_wf_owner', 'default');
SELECT wf_grant('regress_wf_nobody', 'default', 'boss');
SELECT wf_grant('regress_wf_missing', 'default', 'viewer');
SELECT wf_revoke('regress_wf_nobody', 'default');
SELECT wf_create_tenant('apart');
RESET ROLE;

-- Tenants below tenants.
SELECT wf_create_tenant('acme') IS NOT NULL AS created;
SELECT wf_create_tenant('acme');
SELECT wf_create_tenant('a/b');
SELECT wf_create_tenant('b', '{"quotas": {"workflow": 3}}');
SELECT wf_create_tenant('b', '{"quotas": {"workflows": -1}}');
SELECT wf_create_tenant('b', '{"parent": "no such tenant"}');
SELECT wf_grant('regress_wf_admin', 'acme', 'admin'), wf_grant('regress_wf_viewer', 'acme', 'viewer');
SET ROLE regress_wf_admin;
SELECT wf_run('w');
SELECT wf_use_tenant('acme');
SELECT wf_current_tenant();
SELECT wf_run('w');
SELECT wf_create_tenant('acme lab', '{"parent": "acme", "quotas": {"workflows": 3}}') IS NOT NULL AS created;
RESET ROLE;
SELECT wf_create_tenant('acme lab cellar', '{"parent": "acme lab"}') IS NOT NULL AS created;
SET ROLE regress_wf_admin;
SELECT wf_use_tenant('acme lab cellar');
SELECT wf_current_tenant(), wf_can('team:manage'), wf_can('workflow:execute');
SELECT wf_save('deep', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_grant('regress_wf_nobody', 'acme lab cellar', 'owner');
SELECT wf_grant('regress_wf_nobody', 'acme lab cellar', 'member');
SET ROLE regress_wf_viewer;
SELECT wf_use_tenant('acme lab');
SELECT wf_use_tenant('acme');
SELECT count(*) FROM wf_workflows;
SET ROLE regress_wf_nobody;
RESET workflow.tenant;
SELECT wf_current_tenant(), (SELECT array_agg(name) FROM wf_workflows) AS workflows;
SELECT wf_call('deep', '{"n": 1}');
-- What is the same name in another tenant is another workflow.
SELECT wf_save('w', '{"nodes": [{"id": "own", "type": "return", "config": {"value": "cellar"}}]}');
SELECT wf_call('w');
RESET ROLE;
SELECT wf_use_tenant('default');
SELECT wf_call('w', '{"n": 2}');
SELECT count(*) AS runs FROM wf_runs;
RESET workflow.tenant;

-- As whom: the invoker, or who saved.
CREATE TABLE secret (id int);
INSERT INTO secret VALUES (1);
SELECT wf_use_tenant('default');
SELECT wf_save('look', '{"nodes": [{"id": "a", "type": "db.find", "config": {"table": "secret"}}]}');
SELECT wf_save('peek', '{"nodes": [{"id": "a", "type": "db.find", "config": {"table": "secret"}}],
	"settings": {"security": "definer"}}');
SET ROLE regress_wf_member;
SELECT wf_run('look') #>> '{error,code}' AS code, wf_run('look') #>> '{error,message}' AS message;
SELECT wf_call('peek');
SELECT current_user;
RESET ROLE;

DROP EXTENSION workflow;
DROP ROLE regress_wf_owner, regress_wf_admin, regress_wf_member, regress_wf_viewer, regress_wf_nobody, regress_wf_heir,
	regress_wf_distant, regress_wf_staff;
