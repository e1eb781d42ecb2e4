-- The audit trail: checking it, taking it out.

CREATE FUNCTION wf_verify_audit(tenant text DEFAULT NULL) RETURNS TABLE (seq bigint, problem text)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_verify_audit';
COMMENT ON FUNCTION wf_verify_audit(text) IS 'what is wrong with a tenant''s audit trail (NULL: the current tenant''s); no row: the chain holds';

CREATE FUNCTION wf_audit_head(tenant text DEFAULT NULL)
	RETURNS TABLE (first_seq bigint, seq bigint, hash text, at timestamptz, key_id int)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'wf_sql_audit_head';
COMMENT ON FUNCTION wf_audit_head(text) IS 'number and hash of the last entry of a tenant''s audit trail: to be noted elsewhere';

CREATE FUNCTION wf_export_audit(format text DEFAULT 'jsonl', from_seq bigint DEFAULT 1, to_seq bigint DEFAULT NULL) RETURNS SETOF text
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_export_audit';
COMMENT ON FUNCTION wf_export_audit(text, bigint, bigint) IS 'the current tenant''s audit trail line by line, as jsonl (with what its hashes are of) or csv';

CREATE FUNCTION wf_verify_signature(task_id uuid)
	RETURNS TABLE (seq bigint, signed_by text, signed_at timestamptz, outcome text, digest text, problem text)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'wf_sql_verify_signature';
COMMENT ON FUNCTION wf_verify_signature(uuid) IS 'the decisions of an approval, and what is wrong with each; problem NULL: it is as it was signed';
