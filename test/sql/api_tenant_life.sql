-- What docs/tenants.md says of the life of a tenant: who changes what of it, settings and quotas from above, its status, its end.
CREATE ROLE regress_wf_top;
CREATE ROLE regress_wf_owner;
CREATE ROLE regress_wf_member;
CREATE ROLE regress_wf_other;
CREATE EXTENSION workflow;
SELECT wf_create_tenant('top', '{"quotas": {"workflows": 5, "retention": "30 days"}, "settings": {"contact": "top@example.com"}}') IS NOT NULL AS created;
SELECT wf_create_tenant('other') IS NOT NULL AS created;
SELECT wf_grant('regress_wf_top', 'top', 'admin'), wf_grant('regress_wf_other', 'other', 'owner');
SET ROLE regress_wf_top;
SELECT wf_create_tenant('shop', '{"parent": "top", "quotas": {"runsPerMinute": 10}}') IS NOT NULL AS created;
SELECT wf_create_tenant('cellar', '{"parent": "shop"}') IS NOT NULL AS created;
RESET ROLE;
SELECT wf_grant('regress_wf_owner', 'shop', 'owner'), wf_grant('regress_wf_member', 'shop', 'member'), wf_revoke('regress_wf_top', 'shop');
SELECT wf_grant('regress_wf_owner', 'cellar', 'owner'), wf_revoke('regress_wf_top', 'cellar');

-- Who sees which.
SELECT name, parent, status, members FROM wf_tenants;
SET ROLE regress_wf_top;
SELECT name, parent, settings, effective_settings, quotas, effective_quotas FROM wf_tenants;
SET ROLE regress_wf_owner;
SELECT name, parent, effective_quotas, created_by FROM wf_tenants;
SET ROLE regress_wf_member;
SELECT name, parent, reserved_workers FROM wf_tenants;
SET ROLE regress_wf_other;
SELECT name FROM wf_tenants;

-- Options and values.
RESET ROLE;
SELECT wf_set_tenant('shop', NULL);
SELECT wf_set_tenant(NULL, '{}');
SELECT wf_set_tenant('shop', '[]');
SELECT wf_set_tenant('shop', '{"quota": {}}');
SELECT wf_set_tenant('shop', '{"quotas": {"workflow": 1}}');
SELECT wf_set_tenant('shop', '{"quotas": {"workflows": 1.5}}');
SELECT wf_set_tenant('shop', '{"quotas": []}');
SELECT wf_set_tenant('shop', '{"retention": "soon"}');
SELECT wf_set_tenant('shop', '{"settings": {"contacts": "x"}}');
SELECT wf_set_tenant('shop', '{"settings": {"contact": 1}}');
SELECT wf_set_tenant('shop', jsonb_build_object('settings', jsonb_build_object('contact', repeat('x', 201))));
SELECT wf_set_tenant('shop', '{"settings": {"contact": "a\nb"}}');
SELECT wf_set_tenant('shop', '{"settings": 1}');
SELECT wf_set_tenant('shop', '{"name": ""}');
SELECT wf_set_tenant('shop', '{"name": null}');
SELECT wf_set_tenant('shop', '{"name": "a/b"}');
SELECT wf_set_tenant('shop', '{"name": "other"}');
SELECT wf_set_tenant('shop', '{"parent": 1}');
SELECT wf_set_tenant('shop', '{"parent": "no such tenant"}');
SELECT wf_set_tenant('shop', '{"reservedWorkers": -1}');
SELECT wf_set_tenant('shop', '{"reservedWorkers": 100000}');
SELECT wf_create_tenant('x', '{"settings": {"contact": ""}}');

-- Own, or that of the nearest above; null removes.
SET ROLE regress_wf_owner;
SELECT wf_set_tenant('shop', '{"settings": {"contact": "shop@example.com"}, "retention": "7 days"}');
-- what watches a tenant is not for the tenant to take back
SELECT wf_set_tenant('shop', '{"settings": {"approval": true, "piiPaths": ["**.iban"]}}');
SELECT wf_set_tenant('shop', '{"settings": {"approval": false}}');
SELECT wf_set_tenant('shop', '{"settings": {"approval": null}}');
SELECT wf_set_tenant('shop', '{"settings": {"auditRetention": "1 second"}}');
SELECT wf_set_tenant('shop', '{"settings": {"approval": "yes"}}');
SELECT wf_set_tenant('shop', '{"settings": {"piiPaths": ["a..b"]}}');
RESET ROLE;
SELECT wf_set_tenant('shop', '{"settings": {"auditRetention": "soon"}}');
SELECT wf_set_tenant('shop', '{"settings": {"approval": null, "piiPaths": null, "auditRetention": "7 years"}}');
SELECT settings FROM wf_tenants WHERE name = 'shop';
SELECT wf_set_tenant('shop', '{"settings": {"auditRetention": null}}');
SET ROLE regress_wf_owner;
SELECT name, effective_settings, effective_quotas FROM wf_tenants ORDER BY name;
SELECT wf_set_tenant('shop', '{"settings": {"contact": null}, "retention": null}');
SELECT name, effective_settings, effective_quotas FROM wf_tenants ORDER BY name;
SELECT wf_set_tenant('shop', '{}');

-- Nobody raises his own quotas, nor moves his tenant away, nor reserves workers; nor does a member change anything.
SELECT wf_set_tenant('shop', '{"quotas": {"workflows": 500}}');
SELECT wf_set_tenant('shop', '{"quotas": {"workflows": null}}');
SELECT wf_set_tenant('shop', '{"parent": null}');
SELECT wf_set_tenant('shop', '{"reservedWorkers": 1}');
SELECT wf_set_tenant('cellar', '{"quotas": {"workflows": 3}}');
SELECT effective_quotas FROM wf_tenants WHERE name = 'cellar';
SET ROLE regress_wf_member;
SELECT wf_set_tenant('shop', '{"settings": {"contact": "me"}}');
SELECT wf_set_tenant_status('shop', 'archived');
SELECT wf_delete_tenant('shop');
SET ROLE regress_wf_other;
SELECT wf_set_tenant('shop', '{"name": "mine"}');
SELECT wf_set_tenant('no such tenant', '{"name": "mine"}');
SELECT wf_set_tenant_status('shop', 'suspended');
SELECT wf_set_tenant_status('no such tenant', 'suspended');
SELECT wf_delete_tenant('shop');
SELECT wf_delete_tenant('no such tenant');
SELECT wf.finish_deletions();
SET ROLE regress_wf_top;
SELECT wf_set_tenant('shop', '{"quotas": {"workflows": 4}}');
SELECT wf_set_tenant('top', '{"quotas": {"workflows": 4}}');
SELECT wf_set_tenant('shop', '{"quotas": {"retention": "99 days", "storedBytes": 1000000}}');
SELECT wf_set_tenant('cellar', '{"quotas": {"workflows": null}}');
SELECT effective_quotas FROM wf_tenants WHERE name = 'cellar';

-- Above and below: no circles, and both ends are to be managed.
SELECT wf_set_tenant('shop', '{"parent": "cellar"}');
SELECT wf_set_tenant('shop', '{"parent": "shop"}');
SELECT wf_set_tenant('shop', '{"parent": "other"}');
SELECT wf_set_tenant('cellar', '{"parent": "top"}');
SELECT name, parent FROM wf_tenants ORDER BY name;
SELECT wf_set_tenant('cellar', '{"parent": null}');
SELECT wf_set_tenant('cellar', '{"parent": "shop"}');
RESET ROLE;
SELECT wf_set_tenant('other', '{"parent": "cellar"}'), wf_set_tenant('other', '{"parent": null}');
DO $$
BEGIN
	FOR i IN 1..40 LOOP
		PERFORM wf_create_tenant('deep ' || i, jsonb_build_object('parent', CASE WHEN i = 1 THEN 'other' ELSE 'deep ' || i - 1 END));
	END LOOP;
END
$$;
SELECT count(*) FROM wf_tenants WHERE name LIKE 'deep %';

-- A new name: who has set the old one is a member of nothing by it.
SET ROLE regress_wf_member;
SET workflow.tenant = 'shop';
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "{{ $run.tenant }}"}}]}');
SELECT wf_call('w');
SET ROLE regress_wf_owner;
SELECT wf_set_tenant('shop', '{"name": "store"}');
SET ROLE regress_wf_member;
SELECT count(*) FROM wf_workflows;
SELECT wf_call('w');
SET workflow.tenant = 'store';
SELECT wf_call('w');
-- another one may have the old name, and its members are its own
RESET ROLE;
SELECT wf_create_tenant('shop') IS NOT NULL AS created;
SET ROLE regress_wf_member;
SET workflow.tenant = 'shop';
SELECT wf_call('w');
RESET ROLE;
RESET workflow.tenant;
SELECT wf_set_tenant('store', '{"name": "shop"}');
SELECT wf_set_tenant_status('shop', 'archived'), wf_delete_tenant('shop');
SELECT wf_set_tenant('store', '{"name": "shop"}');

-- Suspended: nothing starts or goes on; the rest may be looked after. It is for those above.
SET ROLE regress_wf_owner;
SET workflow.tenant = 'shop';
SELECT wf_set_tenant_status('shop', 'sleeping');
SELECT wf_set_tenant_status('shop', 'archive');
SELECT wf_set_tenant_status('shop', 'suspended');
SET ROLE regress_wf_top;
SELECT wf_set_tenant_status('top', 'suspended');
SELECT wf_set_tenant_status('shop', 'suspended');
SET ROLE regress_wf_owner;
SELECT name, status, effective_status FROM wf_tenants ORDER BY name;
SELECT wf_run('w');
SELECT wf_call('w');
SELECT wf_dry_run('w');
SELECT wf_emit('e');
SELECT wf_signal('00000000-0000-7000-8000-000000000001', 'e');
SELECT wf_retry('00000000-0000-7000-8000-000000000001');
SELECT * FROM wf_poll_tasks('q');
SELECT wf_cancel('00000000-0000-7000-8000-000000000001');
SELECT wf_can('workflow:execute'), (SELECT count(*) FROM wf_workflows);
SELECT wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_set_tenant('shop', '{"settings": {"contact": "us"}}');
SELECT wf_run('w');
SELECT wf_set_tenant_status('shop', 'active');
SELECT wf_set_tenant_status('shop', 'archived');
-- ... nor does one below leave it
RESET ROLE;
SELECT wf_grant('regress_wf_owner', 'other', 'owner');
SET ROLE regress_wf_owner;
SELECT wf_set_tenant('cellar', '{"parent": "other"}');
SET workflow.tenant = 'cellar';
SELECT wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_run('v');
SELECT wf_set_tenant_status('cellar', 'active');
SELECT wf_run('v');
-- ... by whatever snapshot
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT wf_run('v');
ROLLBACK;
SET ROLE regress_wf_top;
SELECT wf_set_tenant_status('shop', 'active');
SET ROLE regress_wf_owner;
SELECT wf_run('v') ->> 'status';
-- ... and not when that is rolled back
BEGIN;
SET LOCAL ROLE regress_wf_top;
SELECT wf_set_tenant_status('shop', 'suspended');
SET LOCAL ROLE regress_wf_owner;
SAVEPOINT s;
SELECT wf_run('v');
ROLLBACK TO s;
ROLLBACK;
SELECT wf_run('v') ->> 'status';

-- Archived: an owner's; it is read, and nothing else.
SET workflow.tenant = 'shop';
SELECT wf_run('w') ->> 'status';
SELECT wf_set_tenant_status('shop', 'archived');
SELECT (SELECT count(*) FROM wf_workflows), (SELECT count(*) FROM wf_runs), (SELECT count(*) FROM wf_versions('w'));
SELECT wf_run('w');
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}');
SELECT wf_set_status('w', 'paused');
SELECT wf_delete('w');
SELECT wf_cancel('00000000-0000-7000-8000-000000000001');
SELECT wf_grant('regress_wf_other', 'shop', 'viewer');
SELECT wf_revoke('regress_wf_member', 'shop');
SELECT wf_set_tenant('shop', '{"name": "x"}');
SELECT wf_create_tenant('x', '{"parent": "shop"}');
SELECT wf_drop_secret('k');
SELECT wf_limit_host('*', 1);
SET workflow.tenant = 'cellar';
SELECT wf_run('v');
SELECT effective_status FROM wf_tenants WHERE name = 'cellar';
SELECT wf_set_tenant_status('shop', 'active');
SELECT wf_run('v') ->> 'status';

RESET ROLE;
SET ROLE regress_wf_owner;
SELECT wf_set_tenant_status('cellar', 'archived');
RESET ROLE;
RESET workflow.tenant;

-- Deleting: not while it is active, nor while there are others below; by an owner.
SET ROLE regress_wf_top;
SELECT wf_delete_tenant('cellar');
SET ROLE regress_wf_owner;
SELECT wf_set_tenant_status('shop', 'active');
SELECT wf_delete_tenant('shop');
SELECT wf_set_tenant_status('shop', 'archived');
SELECT wf_delete_tenant('shop');
SELECT wf_delete_tenant('cellar');
SELECT wf_delete_tenant('shop');
SELECT name FROM wf_tenants;
SELECT wf_use_tenant('shop');
RESET ROLE;
SELECT wf_use_tenant('shop');
SELECT wf_set_tenant_status('default', 'archived');
SELECT wf_delete_tenant('default');
SELECT wf_set_tenant_status('default', 'active');
SELECT wf_create_tenant('shop') IS NOT NULL AS created;
-- what the keeper does, where there is one
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT wf.finish_deletions();
ROLLBACK;
DO $$
DECLARE
	deadline timestamptz := clock_timestamp() + '60s';
BEGIN
	WHILE EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting') LOOP
		IF clock_timestamp() > deadline THEN
			RAISE EXCEPTION 'rows of deleted tenants are left';
		END IF;
		PERFORM wf.finish_deletions();
		COMMIT;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;
-- no table has a row of a tenant that there is not
CREATE FUNCTION orphans() RETURNS TABLE (tab regclass, n bigint) LANGUAGE plpgsql AS $$
DECLARE
	t regclass;
BEGIN
	FOR t IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE c.relnamespace = 'wf'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped LOOP
		RETURN QUERY EXECUTE format('SELECT %L::regclass, count(*) FROM %s x WHERE NOT EXISTS (SELECT FROM wf.tenant t WHERE t.tenant_id = x.tenant_id) HAVING count(*) > 0', t, t);
	END LOOP;
END
$$;
SELECT * FROM orphans();
SELECT name, status FROM wf_tenants WHERE name NOT LIKE 'deep %';
SELECT * FROM wf.check_invariants();

DROP FUNCTION orphans;
DROP EXTENSION workflow;
DROP ROLE regress_wf_top, regress_wf_owner, regress_wf_member, regress_wf_other;
