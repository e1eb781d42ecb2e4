-- Quotas of tenants, in one session: the same with the library preloaded and without.
CREATE ROLE regress_wf_boss;
CREATE ROLE regress_wf_child;
CREATE EXTENSION workflow;
CREATE FUNCTION state(sql text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; h text; BEGIN EXECUTE sql; RETURN 'fine';
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT; RETURN SQLSTATE || ' ' || SQLERRM || E'\n' || d || E'\n' || h; END $$;

-- what is a quota
SELECT wf_create_tenant('bad', '{"quotas": {"runsPerMinut": 1}}');
SELECT wf_create_tenant('bad', '{"quotas": {"runsPerMinute": -1}}');
SELECT wf_create_tenant('bad', '{"quotas": {"runsPerMinute": 1.5}}');
SELECT wf_create_tenant('bad', '{"quotas": {"runsPerMinute": true}}');
SELECT wf_create_tenant('bad', '{"quotas": {"codeTime": "fast"}}');
SELECT wf_create_tenant('bad', '{"quotas": {"codeTime": true}}');
SELECT wf_create_tenant('bad', '{"quotas": 7}');
SELECT wf_set_tenant('default', '{"quotas": {"workflows": "3"}}');
SELECT wf_set_tenant('default', '{"quotas": []}'), wf_set_tenant('default', '{"quotas": 7}');
SELECT wf_set_tenant('default', '{"quotas": null}');
SELECT * FROM wf_quotas;

SELECT wf_create_tenant('acme', '{"quotas": {"runsPerMinute": 3, "workflows": 2, "codeTime": "10 s", "retention": "30 days", "requestsPerMinute": 5}}') IS NOT NULL AS made;
SELECT wf_create_tenant('labs', '{"parent": "acme"}') IS NOT NULL AS made;
SELECT wf_grant('regress_wf_boss', 'acme', 'admin'), wf_grant('regress_wf_child', 'labs', 'admin');

-- runs a minute: those of the tenant and all below it; another tenant has nothing to do with it
SET ROLE regress_wf_boss;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_run('w') ->> 'status' AS run, wf_dry_run('w') ->> 'status' AS dry;
SELECT quota, "limit", used, resets_at BETWEEN now() + '50 s' AND now() + '62 s' AS soon, inherited FROM wf_quotas;
SET ROLE regress_wf_child;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_call('w');
SELECT wf_run('w');
SELECT quota, "limit", used, resets_at, inherited FROM wf_quotas;
SET ROLE regress_wf_boss;
SELECT wf_run('w');
SELECT wf_call('w');
SELECT wf_dry_run('w');
SELECT workflow, status FROM wf_runs;
-- with one snapshot a transaction, too
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT state($$SELECT wf_run('w')$$);
SELECT quota, used FROM wf_quotas WHERE quota = 'runsPerMinute';
COMMIT;
RESET ROLE;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_run('w') ->> 'status';

-- who may set them: from above
SET ROLE regress_wf_boss;
SELECT wf_set_tenant('acme', '{"quotas": {"runsPerMinute": 1000}}');
SELECT wf_set_tenant('nobody', '{"quotas": {"runsPerMinute": 1000}}');
SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 1000}}');
SELECT wf_set_tenant('labs', '{"quotas": {"runsPerMinute": 1000, "workflows": 1}}');
SET ROLE regress_wf_child;
SELECT wf_set_tenant('labs', '{"quotas": {"workflows": null}}');
-- its own quota is no way around the one above
SELECT wf_run('w');
SELECT quota, "limit", used, inherited FROM wf_quotas ORDER BY 1, inherited;
-- a name of its own
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}');
SELECT wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SET ROLE regress_wf_boss;
SELECT wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_set_tenant('labs', '{"quotas": {"workflows": null}}');
SELECT wf_delete('w');
SELECT wf_save('v', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('u', '{"nodes": [{"id": "a", "type": "noop"}]}');
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"runsPerMinute": 5, "workflows": null}}');
SELECT quotas FROM wf.tenant WHERE name = 'acme';

-- runs at once: what a run itself runs has a place already, and one that is over has none
SET workflow.tenant = 'acme';
SELECT wf_set_tenant('acme', '{"quotas": {"concurrentRuns": 0}}');
SELECT wf_run('v');
SELECT wf_set_tenant('acme', '{"quotas": {"concurrentRuns": 1}}');
SELECT wf_save('nested', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT wf_run(''v'') ->> ''status''", "outputFormat": "value"}}]}');
SELECT wf_run('nested') -> 'output' AS nested;
SELECT quota, "limit", used FROM wf_quotas WHERE quota IN ('concurrentRuns', 'runsPerMinute');
SELECT wf_run('v');
SELECT wf_set_tenant('acme', '{"quotas": {"concurrentRuns": null, "runsPerMinute": null}}');
-- a failure gives its place back
SELECT wf_set_tenant('acme', '{"quotas": {"concurrentRuns": 1}}');
SELECT wf_save('no', '{"nodes": [{"id": "a", "type": "fail", "config": {"code": "NO", "message": "no"}}]}');
SELECT wf_run('no') ->> 'status' AS status;
SELECT wf_call('no');
SELECT wf_call('no');
SELECT wf_run('v') ->> 'status' AS status;
SELECT wf_set_tenant('acme', '{"quotas": {"concurrentRuns": null}}');

-- a row trigger in the transaction fails the statement
CREATE TABLE item (id int);
SELECT wf_save('t', '{"nodes": [{"id": "in", "type": "trigger.row", "config": {"table": "item", "mode": "sync", "events": ["insert"]}}, {"id": "a", "type": "noop"}], "edges": [{"source": "in", "target": "a"}]}');
SELECT wf_set_tenant('acme', '{"quotas": {"runsPerMinute": 0}}');
INSERT INTO item VALUES (1);
SELECT count(*) FROM item;
SELECT wf_set_tenant('acme', '{"quotas": {"runsPerMinute": null}}');
INSERT INTO item VALUES (1);

-- stored bytes, as measured
SELECT wf_set_tenant('acme', '{"quotas": {"storedBytes": 1000000000}}');
SELECT wf_run('v', jsonb_build_object('x', repeat('x', 10000))) ->> 'status';
RESET workflow.tenant;
SET ROLE regress_wf_child;
SELECT wf_measure_storage() > 500 AS measured;
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"storedBytes": 1}}');
SET ROLE regress_wf_child;
SELECT wf_run('w');
SELECT quota, "limit", used, inherited FROM wf_quotas WHERE quota = 'storedBytes';
SET ROLE regress_wf_boss;
SELECT regexp_replace(state($$SELECT wf_run('v')$$), '\d{4}', '#');
SELECT wf_measure_storage() BETWEEN 1500 AND 100000 AS measured;
SELECT quota, "limit", used > 2000 AS used FROM wf_quotas WHERE quota = 'storedBytes';
SET workflow.tenant = 'labs';
SELECT quota, "limit", used > 2000 AS used, inherited FROM wf_quotas WHERE quota = 'storedBytes';
RESET workflow.tenant;
SELECT wf_set_tenant('labs', '{"quotas": {"storedBytes": 5}}');
SET ROLE regress_wf_child;
SELECT left(state($$SELECT wf_run('w')$$), 60);
RESET ROLE;
SELECT wf_set_tenant('acme', '{"quotas": {"storedBytes": 1000000000}}'), wf_set_tenant('labs', '{"quotas": {"storedBytes": null}}');
SET ROLE regress_wf_child;
SELECT wf_run('w') ->> 'status';
RESET ROLE;

SELECT * FROM wf.check_invariants();
DROP TABLE item;
DROP EXTENSION workflow CASCADE;
DROP ROLE regress_wf_boss;
DROP ROLE regress_wf_child;
