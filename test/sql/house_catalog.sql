-- What the house asks of every object that the extension makes. Each query lists what breaks a rule.
CREATE EXTENSION workflow;

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, pg_catalog.pg_describe_object(d.classid, d.objid, 0) AS object
FROM pg_catalog.pg_depend d
WHERE d.deptype = 'e' AND d.refclassid = 'pg_extension'::regclass
  AND d.refobjid = (SELECT oid FROM pg_catalog.pg_extension WHERE extname = 'workflow');

-- Something is there to look at.
SELECT count(*) > 20 AS enough FROM member;

-- Every object has a comment (row and array types come with their table or type).
SELECT m.object AS without_comment
FROM member m
WHERE pg_catalog.obj_description(m.objid, m.classid::regclass::text::name) IS NULL
  AND NOT (m.classid = 'pg_type'::regclass
	AND EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = m.objid
		AND (t.typelem <> 0 OR t.typrelid <> 0 AND (SELECT relkind FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid) <> 'c')))
ORDER BY 1;

-- A function is in C, or sets its search_path.
SELECT m.object AS without_search_path
FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
JOIN pg_catalog.pg_language l ON l.oid = p.prolang
WHERE l.lanname <> 'c'
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search_path=%')
ORDER BY 1;

-- A function whose owner's rights are used sets its search_path, in whatever language it is.
SELECT m.object AS definer_without_search_path
FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
WHERE p.prosecdef
  AND NOT EXISTS (SELECT FROM pg_catalog.unnest(p.proconfig) s WHERE s LIKE 'search_path=%')
ORDER BY 1;

-- Public functions begin with wf_; every function is in the schema wf or the extension's own.
SELECT m.object AS misnamed
FROM member m JOIN pg_catalog.pg_proc p ON p.oid = m.objid AND m.classid = 'pg_proc'::regclass
WHERE p.pronamespace <> 'wf'::regnamespace AND p.proname !~ '^wf_'
ORDER BY 1;

-- Row-level security is enabled and forced on every table.
SELECT m.object AS open_table
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'p') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
ORDER BY 1;

-- Nobody but the engine's role may write a table.
SELECT m.object AS writable, r.privilege_type
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass,
LATERAL pg_catalog.aclexplode(c.relacl) r
WHERE r.grantee = 0 AND r.privilege_type <> 'SELECT'
ORDER BY 1, 2;

-- tenant_id leads every primary key and unique index, but for the list of tenants itself, and what is the installation's.
SELECT m.object AS table, i.indexrelid::regclass AS key
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND (i.indisprimary OR i.indisunique)
WHERE c.relkind IN ('r', 'p') AND c.oid <> ALL ('{wf.tenant,wf.master_key}'::regclass[])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
	WHERE a.attrelid = c.oid AND a.attnum = i.indkey[0] AND a.attname = 'tenant_id')
ORDER BY 1, 2;

-- Every table has a primary key (of one with partitions these have it), and every foreign key includes the tenant.
SELECT m.object AS without_key
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
WHERE c.relkind = 'r'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)
ORDER BY 1;
SELECT m.object AS table, k.conname AS foreign_key
FROM member m JOIN pg_catalog.pg_constraint k ON k.conrelid = m.objid AND m.classid = 'pg_class'::regclass
WHERE k.contype = 'f' AND k.conrelid <> 'wf.tenant'::regclass
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
	WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname = 'tenant_id')
ORDER BY 1, 2;

-- pg_dump carries the rows of every table.
SELECT m.object AS not_dumped
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
WHERE c.relkind IN ('r', 'p')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_extension e WHERE e.extname = 'workflow' AND c.oid = ANY (e.extconfig))
ORDER BY 1;

-- Views ask the rights of who looks.
SELECT m.object AS view_of_its_owner
FROM member m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND m.classid = 'pg_class'::regclass
WHERE c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)
ORDER BY 1;

-- Nothing is left behind but the role.
DROP EXTENSION workflow CASCADE;
SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname = 'wf';
SELECT relname FROM pg_catalog.pg_class WHERE relname ~ '^wf_';
