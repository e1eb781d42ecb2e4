-- tenants.sh: tenants and their runs, made by SQL.
CREATE EXTENSION workflow;
CREATE ROLE bench_member LOGIN;
CREATE SCHEMA bench;
GRANT USAGE ON SCHEMA bench TO PUBLIC;
CREATE FUNCTION bench.tenant(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('01000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE SEQUENCE bench.made;
-- as many tenants as that, each with a member of its own; the first one's is bench_member
CREATE PROCEDURE bench.more(n int) LANGUAGE plpgsql AS $$
DECLARE has int := (SELECT count(*) FROM wf.tenant) - 1;
BEGIN
	INSERT INTO wf.tenant (tenant_id, name, created_by) SELECT bench.tenant(i), 'tenant' || i, 10 FROM generate_series(has + 1, n) i;
	INSERT INTO wf.member (tenant_id, role, app_role, granted_by) SELECT bench.tenant(i), CASE i WHEN 1 THEN 'bench_member'::regrole::oid ELSE 1000000 + i END, 'owner', 10 FROM generate_series(has + 1, n) i;
	INSERT INTO wf.workflow (tenant_id, workflow_id, name, status, owner) SELECT bench.tenant(i), bench.tenant(1000000 + i), 'work', 'active', 10 FROM generate_series(has + 1, n) i;
	-- ids of version 7, in the order of time, of all tenants mixed
	INSERT INTO wf.run (tenant_id, run_id, workflow_id, version, attempt, started_at, finished_at, queued_at, started_by, status, trigger, input, output)
		SELECT bench.tenant(i), ('01a00000-' || lpad(to_hex((k >> 16) & 65535), 4, '0') || '-7' || lpad(to_hex((k >> 4) & 4095), 3, '0') || '-8000-' || lpad(to_hex(k), 12, '0'))::uuid, bench.tenant(1000000 + i), 1, 1, now(), now(), now(), 10, 'completed', 'manual', '{}', '{"a": 1}'
		FROM (SELECT i, nextval('bench.made') AS k FROM generate_series(1, 1000) j, generate_series(has + 1, n) i WHERE j <= CASE i WHEN 1 THEN 1000 ELSE 10 END) x;
END $$;
CALL bench.more(1);
SET workflow.tenant = 'tenant1';
SELECT wf_save('noop', '{"nodes": [{"id": "a", "type": "noop"}]}');
RESET workflow.tenant;
-- the view, with the tenant's id in the place of the question which it is
DO $$ BEGIN EXECUTE 'CREATE VIEW bench.runs AS ' || replace(pg_get_viewdef('wf_runs'), 'wf.current_tenant_id()', quote_literal(bench.tenant(1)) || '::uuid'); END $$;
CREATE TABLE bench.ids AS SELECT bench.tenant(1) AS tenant_id FROM generate_series(1, 1000000);
GRANT SELECT ON bench.ids TO PUBLIC;
VACUUM bench.ids;
CREATE FUNCTION bench.policy(rounds int) RETURNS TABLE (what text, us float8) LANGUAGE plpgsql AS $$
DECLARE bare float8[]; asked float8[]; said float8[]; one float8[]; t timestamptz; n bigint;
BEGIN
	FOR i IN 1..rounds LOOP
		t := clock_timestamp(); SELECT count(*) INTO n FROM bench.ids WHERE tenant_id IS NOT NULL; bare := bare || extract(epoch FROM clock_timestamp() - t)::float8;
		t := clock_timestamp(); SELECT count(*) INTO n FROM bench.ids WHERE wf.is_current_tenant(tenant_id); asked := asked || extract(epoch FROM clock_timestamp() - t)::float8;
		t := clock_timestamp(); SELECT count(*) INTO n FROM bench.ids WHERE tenant_id = (SELECT wf.current_tenant_id()); said := said || extract(epoch FROM clock_timestamp() - t)::float8;
	END LOOP;
	RETURN QUERY SELECT v.label, (percentile_cont(0.5) WITHIN GROUP (ORDER BY a) - (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY b) FROM unnest(bare) b)) FROM (VALUES ('wf.is_current_tenant(tenant_id)', asked), ('tenant_id = (SELECT wf.current_tenant_id())', said)) v (label, times), unnest(v.times) a GROUP BY 1 ORDER BY 1 DESC;
END $$;
