-- The tenant `default` belongs to the role that creates the extension. Its id is fixed. Its
-- first member is left out of dumps, as restoring creates the extension, which makes it again; its row is in them, for what was
-- changed of it (wf.restore_default_tenant).

INSERT INTO wf.tenant (tenant_id, name, created_by)
	VALUES ('00000000-0000-7000-8000-000000000001', 'default', pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole);
INSERT INTO wf.member (tenant_id, role, app_role, granted_by)
	SELECT tenant_id, pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole, 'owner', pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole FROM wf.tenant;
