-- Application roles of a tenant's own making: what they stand for, who may make, change, give and drop them.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE regress_wf_boss;
CREATE ROLE regress_wf_manager;
CREATE ROLE regress_wf_caller;
CREATE ROLE regress_wf_other;
\pset format unaligned
\pset tuples_only on
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
SELECT wf_grant('regress_wf_boss', 'a', 'owner'), wf_grant('regress_wf_other', 'b', 'owner');
SET ROLE regress_wf_boss;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');

-- a set of permissions, by a name
SELECT wf_define_role('caller', '{workflow:execute,workflow:execute}');
SELECT wf_define_role('manager', '{team:manage,workflow:read,run:read}');
SELECT wf_grant('regress_wf_caller', 'a', 'caller'), wf_grant('regress_wf_manager', 'a', 'manager');
SELECT name, permissions, built_in, created_by FROM wf_roles WHERE NOT built_in ORDER BY name;
SELECT name, cardinality(permissions) FROM wf_roles WHERE built_in ORDER BY 2, 1;
SELECT role, app_role, options, granted_by FROM wf_members WHERE role LIKE 'regress%' ORDER BY role;
SET ROLE regress_wf_caller;
SELECT wf_run('w') ->> 'status', (SELECT count(*) FROM wf_workflows), (SELECT count(*) FROM wf_runs), (SELECT count(*) FROM wf_members), (SELECT count(*) FROM wf_roles);
SELECT wf_can('workflow:execute'), wf_can('workflow:read'), wf_can('run:read');
SELECT wf_save('w', '{"nodes": []}');
SELECT wf_run('v');
SELECT wf_explain('w');

-- what it stands for is what it stands for now
SET ROLE regress_wf_boss;
SELECT wf_define_role('caller', '{workflow:read,run:read}');
SET ROLE regress_wf_caller;
SELECT wf_run('w');
SELECT (SELECT count(*) FROM wf_workflows), (SELECT count(*) FROM wf_runs), wf_can('run:read');

-- nobody gives what he does not have, in any way, nor takes it from others
SET ROLE regress_wf_manager;
SELECT wf_define_role('mine', '{team:manage,workflow:execute}');
SELECT wf_define_role('manager', '{team:manage,workflow:read,run:read,code:write}');
SELECT wf_grant('regress_wf_manager', 'a', 'member');
SELECT wf_grant('regress_wf_caller', 'a', 'owner');
SELECT wf_grant('regress_wf_caller', 'a', 'admin', '{"workflow": "w"}');
SELECT wf_revoke('regress_wf_boss', 'a');
SELECT wf_grant('regress_wf_boss', 'a', 'manager');
SET ROLE regress_wf_boss;
SELECT wf_define_role('writer', '{workflow:update}'), wf_grant('regress_wf_caller', 'a', 'writer');
SET ROLE regress_wf_manager;
SELECT wf_define_role('writer', '{workflow:read}');
SELECT wf_grant('regress_wf_caller', 'a', 'manager');
SELECT wf_revoke('regress_wf_caller', 'a');
-- what he has he may give
SELECT wf_define_role('reader', '{workflow:read,run:read}');
SELECT wf_grant('regress_wf_other', 'a', 'reader');
SELECT wf_grant('regress_wf_other', 'a', 'manager'), wf_revoke('regress_wf_other', 'a');
SELECT wf_create_tenant('below', '{"parent": "a"}') IS NOT NULL;
-- and in a tenant below he has what he has here, and no more
SET ROLE regress_wf_boss;
SELECT wf_create_tenant('under', '{"parent": "a"}') IS NOT NULL;
SET ROLE regress_wf_manager;
SELECT wf_use_tenant('under');
SELECT wf_can('team:manage'), wf_can('run:read'), wf_can('workflow:execute'), wf_can('code:write');
SELECT wf_grant('regress_wf_manager', 'under', 'admin');
SELECT wf_grant('regress_wf_caller', 'under', 'viewer');
RESET workflow.tenant;
SET ROLE regress_wf_boss;
SELECT wf_use_tenant('under');
SELECT wf_can('code:write');
SET workflow.tenant = 'a';

-- names
SELECT wf_define_role('viewer', '{run:read}');
SELECT wf_drop_role('owner');
SELECT wf_define_role('', '{run:read}');
SELECT wf_define_role(repeat('x', 256), '{run:read}');
SELECT wf_define_role(E'a\nb', '{run:read}');
SELECT wf_define_role(NULL, '{run:read}');
SELECT wf_define_role('x', NULL);
SELECT wf_define_role('x', '{}');
SELECT wf_define_role('x', '{run:read,NULL}');
SELECT wf_define_role('x', '{run:raed}');
SELECT wf_define_role('x', '{nothing like any}');
SELECT wf_define_role('''; DROP TABLE wf.member; --"%s', '{run:read}'), wf_define_role(repeat('ü', 127), '{pii:read,workflow:approve}');
SELECT wf_drop_role('''; DROP TABLE wf.member; --"%s'), wf_drop_role(repeat('ü', 127));
SELECT wf_grant('regress_wf_caller', 'a', 'writr');
SELECT wf_grant('regress_wf_caller', 'a', 'nothing like any');

-- dropping
SELECT wf_drop_role('writer');
SELECT wf_drop_role('reader');
SELECT wf_drop_role('reader');
SELECT wf_drop_role(NULL);

-- another tenant's are its own
SET ROLE regress_wf_other;
RESET workflow.tenant;
SELECT wf_current_tenant(), count(*) FROM wf_roles WHERE NOT built_in;
SELECT wf_grant('regress_wf_caller', 'b', 'writer');
SELECT wf_drop_role('writer');
SELECT wf_define_role('writer', '{run:read}');
SELECT permissions FROM wf_roles WHERE NOT built_in;
SET ROLE regress_wf_boss;
SET workflow.tenant = 'a';
SELECT name, permissions FROM wf_roles WHERE NOT built_in ORDER BY name;
RESET ROLE;

-- a permission that this version does not know, from a dump of another, gives nothing
UPDATE wf.app_role SET permissions = '{run:read,moon:land}' WHERE name = 'writer';
SET ROLE regress_wf_caller;
SET workflow.tenant = 'a';
SELECT wf_can('run:read'), wf_can('workflow:update'), (SELECT count(*) FROM wf_runs);
RESET ROLE;
-- nor does a role that there is not
DELETE FROM wf.app_role WHERE name = 'writer';
SET ROLE regress_wf_caller;
SELECT wf_current_tenant(), wf_can('run:read'), (SELECT count(*) FROM wf_runs);
SELECT wf_run('w');
RESET ROLE;
RESET workflow.tenant;

DROP EXTENSION workflow;
DROP ROLE regress_wf_boss, regress_wf_manager, regress_wf_caller, regress_wf_other;
