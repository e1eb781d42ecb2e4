-- setup-pure.sql: for targets that need no database.
CREATE ROLE fuzzer LOGIN;
CREATE FUNCTION wf_test_fuzz(target text, arguments text[]) RETURNS void AS '$libdir/workflow', 'wf_sql_test_fuzz' LANGUAGE C;
