-- The role of the engine's own statements, and the schema of its tables.

DO $$
DECLARE
	r pg_catalog.pg_roles;
BEGIN
	SELECT * INTO r FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) 'wf_engine';
	IF NOT FOUND THEN
		CREATE ROLE wf_engine NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
	ELSIF r.rolsuper OR r.rolcanlogin OR r.rolbypassrls OR r.rolcreaterole OR r.rolreplication THEN
		RAISE EXCEPTION 'role "wf_engine" exists with attributes that it must not have'
			USING ERRCODE = '42501',
				  HINT = 'Use ALTER ROLE wf_engine NOLOGIN NOSUPERUSER NOBYPASSRLS NOCREATEROLE NOREPLICATION.';
	END IF;
END
$$;

CREATE SCHEMA wf;
COMMENT ON SCHEMA wf IS 'tables of the extension workflow; read them through the views wf_*';
REVOKE ALL ON SCHEMA wf FROM PUBLIC;
GRANT USAGE ON SCHEMA wf TO PUBLIC;
