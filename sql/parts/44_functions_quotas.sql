-- Quotas of tenants and what is used of them. Functions check rights themselves, as current_user.

CREATE FUNCTION wf_measure_storage() RETURNS bigint
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_measure_storage';
COMMENT ON FUNCTION wf_measure_storage() IS 'measures what the current tenant has stored, for its quota, and returns it in bytes';

CREATE FUNCTION wf.quota_use()
	RETURNS TABLE (quota text, most bigint, used bigint, resets_at timestamptz, inherited bool)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_quota_use';
COMMENT ON FUNCTION wf.quota_use() IS 'quotas that bind the current tenant, and what is used of them';

CREATE VIEW wf_quotas WITH (security_invoker = true) AS
	SELECT q.quota, q.most AS "limit", q.used, q.resets_at, q.inherited FROM wf.quota_use() q;
COMMENT ON VIEW wf_quotas IS 'quotas of the current tenant, and of those above it (inherited), which it shares with others; resets_at is when some of what is used comes back';

REVOKE ALL ON wf_quotas FROM PUBLIC;
GRANT SELECT ON wf_quotas TO PUBLIC;
