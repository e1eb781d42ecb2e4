-- Members of the current tenant, and the application roles that they have.

CREATE VIEW wf_members WITH (security_invoker = true) AS
	SELECT m.role::pg_catalog.text AS role, m.app_role,
		   CASE WHEN m.category OPERATOR(pg_catalog.<>) '' THEN pg_catalog.jsonb_build_object('category', m.category)
				WHEN m.workflow_id OPERATOR(pg_catalog.<>) '00000000-0000-0000-0000-000000000000'
				THEN pg_catalog.jsonb_build_object('workflow', w.name)
				ELSE '{}' END AS options,
		   m.granted_at, m.granted_by::pg_catalog.text AS granted_by
	FROM wf.member m
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) m.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) m.workflow_id
	WHERE m.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_members IS 'members of the current tenant: database roles, their application roles, and what these are narrowed to';

-- The same by a name that no search path decides about.
CREATE FUNCTION wf.permissions()
	RETURNS TABLE (permission text, functions text[], viewer bool, member bool, admin bool, owner bool)
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 25 AS 'MODULE_PATHNAME', 'wf_sql_permissions';
COMMENT ON FUNCTION wf.permissions() IS 'what wf_permissions() gives, for views';

CREATE VIEW wf_roles WITH (security_invoker = true) AS
	SELECT r.name, r.permissions, true AS built_in, NULL::pg_catalog.timestamptz AS created_at, NULL::pg_catalog.text AS created_by
	FROM (SELECT v.name, pg_catalog.array_agg(p.permission ORDER BY p.permission) AS permissions
		FROM wf.permissions() p
		CROSS JOIN LATERAL (VALUES ('viewer', p.viewer), ('member', p.member), ('admin', p.admin), ('owner', p.owner)) v (name, has)
		WHERE v.has GROUP BY v.name) r
	WHERE wf.current_tenant_id() IS NOT NULL
	UNION ALL
	SELECT r.name, r.permissions, false, r.created_at, r.created_by::pg_catalog.text
	FROM wf.app_role r
	WHERE r.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_roles IS 'application roles of the current tenant: the built-in ones and its own';

REVOKE ALL ON wf_members, wf_roles FROM PUBLIC;
GRANT SELECT ON wf_members, wf_roles TO PUBLIC;
