-- The life of tenants.

CREATE FUNCTION wf_set_tenant(tenant text, options jsonb) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_tenant';
COMMENT ON FUNCTION wf_set_tenant(text, jsonb) IS 'changes a tenant; options: name, parent, quotas, reservedWorkers, retention, settings';

CREATE FUNCTION wf_set_tenant_status(tenant text, status text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_tenant_status';
COMMENT ON FUNCTION wf_set_tenant_status(text, text) IS 'makes a tenant active, suspended (its runs wait) or archived (it can be read only)';

CREATE FUNCTION wf_delete_tenant(tenant text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_delete_tenant';
COMMENT ON FUNCTION wf_delete_tenant(text) IS 'deletes a tenant that is archived or suspended, with all that is its own: its secrets at once, the rest little by little';

CREATE FUNCTION wf.finish_deletions(most int DEFAULT 10000) RETURNS int
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_finish_deletions';
COMMENT ON FUNCTION wf.finish_deletions(int) IS 'deletes rows of deleted tenants, as the keeper does by itself; how many: 0 when none may go now. For superusers';

CREATE FUNCTION wf.tenants() RETURNS TABLE (tenant_id uuid, name text, parent text, status text, effective_status text, settings jsonb,
	effective_settings jsonb, quotas jsonb, effective_quotas jsonb, reserved_workers int, members int, created_at timestamptz,
	created_by regrole)
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_tenants';
COMMENT ON FUNCTION wf.tenants() IS 'tenants that current_user is a member of, and those below the ones that it manages; all for superusers';

-- A dump has the tenant `default`, which is there when it is restored: what was changed of it is changed again.
CREATE FUNCTION wf.restore_default_tenant() RETURNS trigger
	LANGUAGE plpgsql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
BEGIN
	UPDATE wf.tenant SET name = NEW.name, quotas = NEW.quotas, settings = NEW.settings, http_allow = NEW.http_allow,
		http_deny = NEW.http_deny, status = NEW.status, reserved_workers = NEW.reserved_workers
	WHERE tenant_id = NEW.tenant_id;
	RETURN CASE WHEN FOUND THEN NULL ELSE NEW END;
END
$$;
COMMENT ON FUNCTION wf.restore_default_tenant() IS 'changes the tenant that is there already, instead of adding it';
CREATE TRIGGER restore_default BEFORE INSERT ON wf.tenant
	FOR EACH ROW WHEN (NEW.tenant_id OPERATOR(pg_catalog.=) '00000000-0000-7000-8000-000000000001') EXECUTE FUNCTION wf.restore_default_tenant();
COMMENT ON TRIGGER restore_default ON wf.tenant IS 'of a dump that is restored';
