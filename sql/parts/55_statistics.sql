-- What tenants name is in no statistics: `=` of text comes before a policy when the planner estimates, so that EXPLAIN would tell of
-- a value how common it is among all tenants. Columns of a few known words keep theirs. The engine's own plans need none: rows are
-- found by indexes that begin with the tenant.

DO $$
DECLARE
	c record;
BEGIN
	FOR c IN
		SELECT t.oid::pg_catalog.regclass AS name, a.attname AS attribute
		FROM pg_catalog.pg_attribute a
		JOIN pg_catalog.pg_class t ON t.oid OPERATOR(pg_catalog.=) a.attrelid
		WHERE t.relnamespace OPERATOR(pg_catalog.=) 'wf'::pg_catalog.regnamespace
		  AND t.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'p']::"char"[])
		  AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped
		  AND a.atttypid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.text', 'pg_catalog.text[]']::pg_catalog.regtype[])
		  AND a.attname OPERATOR(pg_catalog.<>) ALL (ARRAY['status', 'state', 'type', 'kind', 'app_role', 'trigger', 'method'])
	LOOP
		EXECUTE pg_catalog.format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS 0', c.name, c.attribute);
	END LOOP;
END
$$;
