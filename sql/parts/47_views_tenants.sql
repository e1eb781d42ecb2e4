-- Tenants, whichever is the current one.

CREATE VIEW wf_tenants WITH (security_invoker = true) AS
	SELECT t.name, t.parent, t.status, t.effective_status, t.settings, t.effective_settings, t.quotas, t.effective_quotas,
		   t.reserved_workers, t.members, t.created_at, t.created_by
	FROM wf.tenants() t;
COMMENT ON VIEW wf_tenants IS 'tenants that current_user is a member of, and those below the ones that it manages; all for superusers';

REVOKE ALL ON wf_tenants FROM PUBLIC;
GRANT SELECT ON wf_tenants TO PUBLIC;
