-- Secrets, and credentials, which are secrets with a type and fields. A value is there encrypted, for as long as it is the current one: what is replaced or dropped leaves its version
-- behind, and no ciphertext. Master keys are of the installation, not of a tenant: a check value tells whether the server
-- has the key that the secrets were encrypted with, and tells nothing of the key.

CREATE TABLE wf.master_key (
	key_id       int NOT NULL PRIMARY KEY,
	check_value  bytea NOT NULL UNIQUE,
	created_at   timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE wf.master_key IS 'check values of the master keys that secrets were encrypted with';

CREATE TABLE wf.secret (
	tenant_id    uuid NOT NULL REFERENCES wf.tenant ON DELETE CASCADE,
	name         text COLLATE pg_catalog."C" NOT NULL CHECK (name OPERATOR(pg_catalog.~) '^[A-Za-z_][A-Za-z0-9_]*$' AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 128),
	version      int NOT NULL CHECK (version OPERATOR(pg_catalog.>) 0),
	key_id       int NOT NULL,
	nonce        bytea,
	ciphertext   bytea,
	created_at   timestamptz NOT NULL DEFAULT pg_catalog.now(),
	created_by   regrole NOT NULL,
	ended_at     timestamptz,
	dropped      bool NOT NULL DEFAULT false,
	type         text,
	fields       jsonb,
	PRIMARY KEY (tenant_id, name, version),
	CHECK ((ended_at IS NULL) OPERATOR(pg_catalog.=) (ciphertext IS NOT NULL)),
	CHECK ((ended_at IS NULL) OPERATOR(pg_catalog.=) (nonce IS NOT NULL)),
	CHECK (NOT dropped OR ended_at IS NOT NULL),
	CHECK ((type IS NULL) OPERATOR(pg_catalog.=) (fields IS NULL))
);
CREATE UNIQUE INDEX secret_current ON wf.secret (tenant_id, name) WHERE ended_at IS NULL;
-- what is random does not compress
ALTER TABLE wf.secret ALTER COLUMN ciphertext SET STORAGE EXTERNAL;
COMMENT ON TABLE wf.secret IS 'versions of secrets and credentials; the current one has its value, encrypted with a key of the tenant''s';
COMMENT ON COLUMN wf.secret.type IS 'of a credential; null: a secret';
COMMENT ON COLUMN wf.secret.fields IS 'of a credential: those that are no secret, as they are shown';

SELECT pg_catalog.pg_extension_config_dump('wf.master_key', '');
SELECT pg_catalog.pg_extension_config_dump('wf.secret', '');
