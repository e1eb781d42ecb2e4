-- Personal data. What a run's rows have tokens for is here, apart from them, and only those with the permission pii:read may
-- see it. wf.forgotten says what was erased, without the value: a digest that only who knows the value and the tenant's key
-- can make again.

CREATE TABLE wf.pii (
	tenant_id    uuid NOT NULL,
	run_id       uuid NOT NULL,
	segment      int NOT NULL,
	"values"     jsonb NOT NULL,
	PRIMARY KEY (tenant_id, run_id, segment)
);
COMMENT ON TABLE wf.pii IS 'personal data of runs: what the tokens of a segment stand for, by number';

CREATE TABLE wf.pii_key (
	tenant_id    uuid NOT NULL PRIMARY KEY REFERENCES wf.tenant ON DELETE CASCADE,
	key          bytea NOT NULL
);
COMMENT ON TABLE wf.pii_key IS 'keys of the digests in wf.forgotten';

CREATE TABLE wf.forgotten (
	tenant_id    uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	forget_id    uuid NOT NULL,
	forgotten_at timestamptz NOT NULL,
	forgotten_by regrole NOT NULL,
	path         text,
	digest       bytea NOT NULL,
	places       bigint NOT NULL,
	PRIMARY KEY (tenant_id, forget_id)
);
COMMENT ON TABLE wf.forgotten IS 'what was erased by wf_forget';
COMMENT ON COLUMN wf.forgotten.path IS 'null: everywhere';
COMMENT ON COLUMN wf.forgotten.digest IS 'HMAC-SHA256 of the value, with the tenant''s key';

SELECT pg_catalog.pg_extension_config_dump('wf.pii', '');
SELECT pg_catalog.pg_extension_config_dump('wf.pii_key', '');
SELECT pg_catalog.pg_extension_config_dump('wf.forgotten', '');
