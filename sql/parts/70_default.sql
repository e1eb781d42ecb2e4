-- The tenant `default` belongs to the role that creates the extension. Its id is fixed, and its row and
-- its first member are left out of dumps: restoring creates the extension, which makes them again.

INSERT INTO wf.tenant (tenant_id, name, created_by)
	VALUES ('00000000-0000-7000-8000-000000000001', 'default', pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole);
INSERT INTO wf.member (tenant_id, role, app_role, granted_by)
	SELECT tenant_id, pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole, 'owner', pg_catalog.quote_ident(CURRENT_USER)::pg_catalog.regrole FROM wf.tenant;
