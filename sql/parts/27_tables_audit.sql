-- The audit trail. Entries are written by the library when a transaction commits (store/audit.c), chained by their hashes, and
-- never changed. They name roles and objects by text: a trail outlives both. One row a tenant says where its trail begins and ends.

CREATE TABLE wf.audit (
	tenant_id         uuid NOT NULL,
	seq               bigint NOT NULL,
	at                timestamptz NOT NULL,
	action            text NOT NULL,
	actor             text NOT NULL,
	session_role      text NOT NULL,
	client_address    text,
	application_name  text,
	object_type       text,
	object_id         uuid,
	object_name       text,
	before            jsonb,
	after             jsonb,
	digest            bytea,
	prev              bytea NOT NULL,
	hash              bytea NOT NULL,
	key_id            int NOT NULL,
	mac               bytea,
	PRIMARY KEY (tenant_id, seq)
);
CREATE INDEX audit_object ON wf.audit (tenant_id, object_id, seq);
COMMENT ON TABLE wf.audit IS 'who did what: a chain of entries for each tenant';
COMMENT ON COLUMN wf.audit.actor IS 'current_user, by name';
COMMENT ON COLUMN wf.audit.session_role IS 'session_user, by name';
COMMENT ON COLUMN wf.audit.client_address IS 'null: on the same machine, or no client';
COMMENT ON COLUMN wf.audit.digest IS 'SHA-256 of a definition, or of what was signed';
COMMENT ON COLUMN wf.audit.prev IS 'hash of the entry before; of the first one ever: zeros';
COMMENT ON COLUMN wf.audit.hash IS 'SHA-256 of the entry''s canonical text, which has prev in it';
COMMENT ON COLUMN wf.audit.key_id IS 'a number made along with the key of the MAC; 0: there was no master key';
COMMENT ON COLUMN wf.audit.mac IS 'HMAC-SHA256 of the hash with a key made of the master key';

CREATE TABLE wf.audit_head (
	tenant_id   uuid NOT NULL PRIMARY KEY,
	first_seq   bigint NOT NULL,
	anchor      bytea NOT NULL,
	last_seq    bigint NOT NULL,
	hash        bytea NOT NULL,
	at          timestamptz NOT NULL,
	key_id      int NOT NULL,
	mac         bytea
) WITH (fillfactor = 50);
COMMENT ON TABLE wf.audit_head IS 'where each tenant''s audit trail begins and ends';
COMMENT ON COLUMN wf.audit_head.anchor IS 'hash of the entry before the first that is kept';
COMMENT ON COLUMN wf.audit_head.hash IS 'of the last entry';

SELECT pg_catalog.pg_extension_config_dump('wf.audit', '');
SELECT pg_catalog.pg_extension_config_dump('wf.audit_head', '');

-- Nobody changes or removes an entry by SQL, superusers included. Whoever disables these triggers first is found by wf_verify_audit().
CREATE FUNCTION wf.refuse_change() RETURNS trigger LANGUAGE c
	AS 'MODULE_PATHNAME', 'wf_sql_refuse_change';
REVOKE ALL ON FUNCTION wf.refuse_change() FROM PUBLIC;
COMMENT ON FUNCTION wf.refuse_change() IS 'refuses any change of the audit trail';
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON wf.audit
	FOR EACH ROW EXECUTE FUNCTION wf.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON wf.audit
	FOR EACH STATEMENT EXECUTE FUNCTION wf.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE ON wf.audit_head
	FOR EACH ROW EXECUTE FUNCTION wf.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON wf.audit_head
	FOR EACH STATEMENT EXECUTE FUNCTION wf.refuse_change();
-- also where session_replication_role is replica
ALTER TABLE wf.audit ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;
ALTER TABLE wf.audit_head ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;
COMMENT ON TRIGGER refuse_change ON wf.audit IS 'entries are never changed';
COMMENT ON TRIGGER refuse_truncate ON wf.audit IS 'entries are never removed by SQL';
COMMENT ON TRIGGER refuse_change ON wf.audit_head IS 'written by the library alone';
COMMENT ON TRIGGER refuse_truncate ON wf.audit_head IS 'written by the library alone';
