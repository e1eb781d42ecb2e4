-- The role of the engine's own statements, that of gateways (who may hand over webhooks, and do nothing else), and the schema of
-- the engine's tables.

DO $$
DECLARE
	wanted text;
	r pg_catalog.pg_roles;
BEGIN
	FOREACH wanted IN ARRAY ARRAY['wf_engine', 'wf_gateway'] LOOP
		SELECT * INTO r FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) wanted;
		IF NOT FOUND THEN
			EXECUTE pg_catalog.format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS', wanted);
		ELSIF r.rolsuper OR r.rolcanlogin OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication THEN
			RAISE EXCEPTION 'role "%" exists with attributes that it must not have', wanted
				USING ERRCODE = '42501',
					  HINT = pg_catalog.format('Use ALTER ROLE %I NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION.', wanted);
		END IF;
	END LOOP;
	-- who made it before, or may grant it, would be the engine
	IF EXISTS (SELECT 1 FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles e ON e.oid OPERATOR(pg_catalog.=) m.roleid
			   WHERE e.rolname OPERATOR(pg_catalog.=) 'wf_engine') THEN
		RAISE EXCEPTION 'role "wf_engine" has members'
			USING ERRCODE = '42501',
				  HINT = 'Nobody may be a member of it: REVOKE wf_engine FROM them.';
	END IF;
END
$$;

CREATE SCHEMA wf;
COMMENT ON SCHEMA wf IS 'tables of the extension workflow; read them through the views wf_*';
REVOKE ALL ON SCHEMA wf FROM PUBLIC;
GRANT USAGE ON SCHEMA wf TO PUBLIC;
