-- The SQL interface. Functions check rights themselves, as current_user.

CREATE FUNCTION wf_save(name text, definition jsonb, options jsonb DEFAULT '{}') RETURNS int
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_save';
COMMENT ON FUNCTION wf_save(text, jsonb, jsonb) IS 'saves a definition as a new version of a workflow and returns its number; options: description, category, label, comment, activate';

CREATE FUNCTION wf_validate(definition jsonb)
	RETURNS TABLE (severity text, code text, node text, path text, message text, hint text)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_validate';
COMMENT ON FUNCTION wf_validate(jsonb) IS 'all that is wrong with a definition; no row: nothing is';

CREATE FUNCTION wf_activate(name text, version int) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_activate';
COMMENT ON FUNCTION wf_activate(text, int) IS 'makes a version the active one';

CREATE FUNCTION wf_set_status(name text, status text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_status';
COMMENT ON FUNCTION wf_set_status(text, text) IS 'sets a workflow''s status: draft, active, paused, archived';

CREATE FUNCTION wf_delete(name text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_delete';
COMMENT ON FUNCTION wf_delete(text) IS 'deletes a workflow; its runs stay, its name is free again';

CREATE FUNCTION wf.workflow_id(name text) RETURNS uuid
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_workflow_id';
COMMENT ON FUNCTION wf.workflow_id(text) IS 'the id of a workflow of the current tenant';

CREATE FUNCTION wf_versions(name text)
	RETURNS TABLE (version int, label text, active bool, created_at timestamptz, created_by name, comment text)
	LANGUAGE sql STABLE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
		-- a statement of its own, so that it raises even where no row is visible
		SELECT wf.workflow_id($1);
		SELECT v.version, v.label, coalesce(v.version = w.active_version, false), v.created_at, v.owner::text::name, v.comment
		FROM wf.version v
		JOIN wf.workflow w ON w.tenant_id = v.tenant_id AND w.workflow_id = v.workflow_id
		WHERE v.tenant_id = wf.current_tenant_id() AND v.workflow_id = wf.workflow_id($1)
		ORDER BY v.version
	$$;
COMMENT ON FUNCTION wf_versions(text) IS 'versions of a workflow';

CREATE FUNCTION wf_blocks()
	RETURNS TABLE (type text, category text, summary text, ports text[], suspends bool, config_schema jsonb, output_schema jsonb)
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_blocks';
COMMENT ON FUNCTION wf_blocks() IS 'types of nodes: built in, and registered in the current tenant';

CREATE FUNCTION wf_register_block(type text, function regprocedure, config_schema jsonb DEFAULT '{}', ports text[] DEFAULT '{out}')
	RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_register_block';
COMMENT ON FUNCTION wf_register_block(text, regprocedure, jsonb, text[]) IS 'makes a function (config jsonb, input jsonb) RETURNS jsonb a type of node';

CREATE FUNCTION wf_run(workflow text, input jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_run';
COMMENT ON FUNCTION wf_run(text, jsonb, jsonb) IS 'runs a workflow in this transaction, or until it has to wait: {run_id, status, output, error}; a failure is rolled back, recorded and returned';

CREATE FUNCTION wf_call(workflow text, input jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_call';
COMMENT ON FUNCTION wf_call(text, jsonb, jsonb) IS 'runs a workflow that does not wait in this transaction and returns its output; a failure is raised';

CREATE FUNCTION wf_dry_run(workflow text, input jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_dry_run';
COMMENT ON FUNCTION wf_dry_run(text, jsonb, jsonb) IS 'runs a workflow, rolls it back, and returns what wf_run would have, with the steps and what they wrote';

CREATE FUNCTION wf_explain(name text, version int DEFAULT NULL, plans bool DEFAULT false) RETURNS SETOF text
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_explain';
COMMENT ON FUNCTION wf_explain(text, int, bool) IS 'order, transactions, and the SQL of each db node; plans adds EXPLAIN''s';

CREATE FUNCTION wf_create_tenant(name text, options jsonb DEFAULT '{}') RETURNS uuid
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_create_tenant';
COMMENT ON FUNCTION wf_create_tenant(text, jsonb) IS 'creates a tenant whose owner is current_user; options: parent, quotas, reservedWorkers, settings';

CREATE FUNCTION wf_grant(role name, tenant text, app_role text, options jsonb DEFAULT '{}') RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_grant';
COMMENT ON FUNCTION wf_grant(name, text, text, jsonb) IS 'makes a role a member of a tenant as viewer, member, admin, owner, or one of the tenant''s own roles; options: workflow or category, which narrow it';

CREATE FUNCTION wf_revoke(role name, tenant text, options jsonb DEFAULT '{}') RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_revoke';
COMMENT ON FUNCTION wf_revoke(name, text, jsonb) IS 'ends a role''s membership in a tenant, or the one that is narrowed to a workflow or category; options: workflow or category';

CREATE FUNCTION wf_define_role(name text, permissions text[]) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_define_role';
COMMENT ON FUNCTION wf_define_role(text, text[]) IS 'makes a set of permissions an application role of the current tenant, or changes one';

CREATE FUNCTION wf_drop_role(name text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_drop_role';
COMMENT ON FUNCTION wf_drop_role(text) IS 'drops an application role of the current tenant that no member has';

CREATE FUNCTION wf_permissions()
	RETURNS TABLE (permission text, functions text[], viewer bool, member bool, admin bool, owner bool)
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 25 AS 'MODULE_PATHNAME', 'wf_sql_permissions';
COMMENT ON FUNCTION wf_permissions() IS 'permissions, with the functions that ask for them, and who has them';

CREATE FUNCTION wf_use_tenant(tenant text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_use_tenant';
COMMENT ON FUNCTION wf_use_tenant(text) IS 'chooses the tenant to act for, until the end of the session';

CREATE FUNCTION wf_current_tenant() RETURNS text
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_current_tenant';
COMMENT ON FUNCTION wf_current_tenant() IS 'the tenant that current_user acts for; NULL: none';

CREATE FUNCTION wf_can(permission text, workflow text DEFAULT NULL) RETURNS bool
	LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_can';
COMMENT ON FUNCTION wf_can(text, text) IS 'whether current_user has a permission in the current tenant, for all workflows or for one';

CREATE FUNCTION wf_set_secret(name text, value text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_secret';
COMMENT ON FUNCTION wf_set_secret(text, text) IS 'sets a secret of the current tenant: a new version, encrypted; nothing gives the value back';

CREATE FUNCTION wf_drop_secret(name text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_drop_secret';
CREATE FUNCTION wf_reset_circuit(host text) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_reset_circuit';
COMMENT ON FUNCTION wf_reset_circuit(text) IS 'closes the circuit of a host for the current tenant; false: it had none';

CREATE FUNCTION wf_limit_host(host text, requests int DEFAULT NULL, per interval DEFAULT '1 second', burst int DEFAULT NULL,
	concurrency int DEFAULT NULL) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_limit_host';
COMMENT ON FUNCTION wf_limit_host(text, int, interval, int, int) IS 'limits what the current tenant sends to a host, or (*) to all of them together; without limits: drops them';

CREATE FUNCTION wf_set_http_policy(allow text DEFAULT '', deny text DEFAULT '') RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_http_policy';
COMMENT ON FUNCTION wf_set_http_policy(text, text) IS 'narrows where requests of the current tenant may go, within what the server allows';

COMMENT ON FUNCTION wf_drop_secret(text) IS 'drops a secret of the current tenant, and its value';

CREATE FUNCTION wf_set_credential(name text, type text, value jsonb) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_set_credential';
COMMENT ON FUNCTION wf_set_credential(text, text, jsonb) IS 'sets a credential of the current tenant: a new version, encrypted; nothing gives its secret fields back';

CREATE FUNCTION wf_drop_credential(name text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_drop_credential';
COMMENT ON FUNCTION wf_drop_credential(text) IS 'drops a credential of the current tenant, and its value';

CREATE FUNCTION wf.has_master_key(check_value bytea) RETURNS bool
	LANGUAGE c VOLATILE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_has_master_key';
COMMENT ON FUNCTION wf.has_master_key(bytea) IS 'whether the server has the master key of this check value';
