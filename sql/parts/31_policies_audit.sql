-- The audit trail is for members with audit:read. The engine's own statements may read it: nobody may write it, as the library
-- does that beneath all rights.

CREATE FUNCTION wf.audit_tenant_id() RETURNS uuid LANGUAGE c STABLE LEAKPROOF PARALLEL RESTRICTED
	AS 'MODULE_PATHNAME', 'wf_sql_audit_tenant_id';
COMMENT ON FUNCTION wf.audit_tenant_id() IS 'the current tenant''s id if current_user has audit:read in it, else NULL';

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
		EXECUTE pg_catalog.format('CREATE POLICY tenant ON wf.%I FOR SELECT USING (tenant_id OPERATOR(pg_catalog.=) (SELECT wf.audit_tenant_id()))', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY engine ON wf.%I IS ''the engine''''s own statements''', t);
		EXECUTE pg_catalog.format('COMMENT ON POLICY tenant ON wf.%I IS ''members with audit:read see their tenant''', t);
		EXECUTE pg_catalog.format('GRANT SELECT ON wf.%I TO PUBLIC', t);
	END LOOP;
END
$$;
