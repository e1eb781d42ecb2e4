-- Functions: revoked from everybody first, then given; each checks membership and permission itself.

DO $$
DECLARE
	f pg_catalog.regprocedure;
BEGIN
	FOR f IN
		SELECT d.objid::pg_catalog.regprocedure
		FROM pg_catalog.pg_depend d
		JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid
		WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass
		  AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
		  AND d.deptype OPERATOR(pg_catalog.=) 'e'
		  AND e.extname OPERATOR(pg_catalog.=) 'workflow'
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
		IF f::pg_catalog.text OPERATOR(pg_catalog.<>) ALL (ARRAY['wf.invalidate()', 'wf.check_invariants()', 'wf.fire_schedules()',
				'wf.finish_deletions(integer)', 'wf.restore_default_tenant()', 'wf.has_master_key(bytea)', 'wf.refuse_change()']) THEN
			EXECUTE pg_catalog.format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', f);
		END IF;
	END LOOP;
END
$$;
