-- What tenants use of their quotas, as far as it is no count in shared memory or of rows.

CREATE TABLE wf.tenant_use (
	tenant_id     uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	stored_bytes  bigint NOT NULL CHECK (stored_bytes OPERATOR(pg_catalog.>=) 0),
	measured_at   timestamptz NOT NULL,
	PRIMARY KEY (tenant_id)
);
COMMENT ON TABLE wf.tenant_use IS 'what tenants with a quota of stored bytes, and those below them, had stored when it was measured last';

CREATE TABLE wf.quota_taken (
	tenant_id  uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	taken_id   uuid NOT NULL,
	taken_at   timestamptz NOT NULL,
	n          bigint NOT NULL CHECK (n OPERATOR(pg_catalog.>) 0),
	PRIMARY KEY (tenant_id, taken_id)
);
COMMENT ON TABLE wf.quota_taken IS 'runs of the last minute, where the library is not preloaded and nothing can be counted in shared memory';

SELECT pg_catalog.pg_extension_config_dump('wf.tenant_use', '');
SELECT pg_catalog.pg_extension_config_dump('wf.quota_taken', '');
