-- The audit trail is for members with audit:read. The engine's own statements may read it: nobody may write it, as the library
-- does that beneath all rights.

DO $$
DECLARE
	t text;
BEGIN
	FOREACH t IN ARRAY ARRAY['audit', 'audit_head']
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON wf.%I FROM PUBLIC', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('ALTER TABLE wf.%I FORCE ROW LEVEL SECURITY', t);
		EXECUTE pg_catalog.format('CREATE POLICY engine ON wf.%I FOR SELECT TO wf_engine USING (true)', t);
		EXECUTE pg_catalog.format('CREATE POLICY tenant ON wf.%I FOR SELECT USING (wf.is_current_tenant(tenant_id) AND tenant_id OPERATOR(pg_catalog.=) (SELECT wf.tenant_for(''audit:read'')))', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY engine ON wf.%I IS ''the engine''''s own statements''', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY tenant ON wf.%I IS ''members with audit:read see their tenant''', t);
		EXECUTE pg_catalog.format('GRANT SELECT ON wf.%I TO PUBLIC', t);
	END LOOP;
END
$$;
