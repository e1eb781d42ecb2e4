-- the audit trail: what is recorded, for whom, in which transaction; export; rights
CREATE ROLE wf_test_owner; CREATE ROLE wf_test_admin; CREATE ROLE wf_test_member; CREATE ROLE wf_test_viewer; CREATE ROLE wf_test_other;
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b', '{"parent": "a"}') IS NOT NULL;
SELECT wf_grant('wf_test_owner', 'a', 'owner'), wf_grant('wf_test_admin', 'a', 'admin'), wf_grant('wf_test_member', 'a', 'member'), wf_grant('wf_test_viewer', 'a', 'viewer'), wf_grant('wf_test_other', 'b', 'owner');
GRANT CREATE ON SCHEMA public TO wf_test_owner;
-- ids differ from one time to the next
CREATE FUNCTION plain(j jsonb) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(regexp_replace(j::text, '[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', 'g'), '"signedAt": "[^"]*"', '"signedAt": "T"', 'g') $$;
CREATE VIEW log WITH (security_invoker = true) AS SELECT seq, action, actor, session_role = session_user AS mine, object_type AS type, object_id IS NOT NULL AS id, object_name AS name, plain(before) AS before, plain(after) AS after, length(digest) AS digest FROM wf_audit_log ORDER BY seq;
GRANT SELECT ON log TO PUBLIC;

-- definitions
SET ROLE wf_test_owner;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"label": "one", "comment": "c", "description": "d", "category": "x/y"}');
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"activate": false}');
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"activate": false}');
SELECT wf_activate('w', 2), wf_set_status('w', 'paused'), wf_set_status('w', 'active');
SELECT wf_save('big', jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'noop', 'notes', repeat('x', 9000)))));
SELECT wf_delete('big');
SELECT * FROM log;
-- the digest is that of the definition, whoever computes it
SELECT count(*) FROM wf_audit_log l JOIN wf.version v ON v.workflow_id = l.object_id AND v.version = (l.after->>'version')::int WHERE l.digest = encode(sha256(convert_to(v.definition::text, 'UTF8')), 'hex');

-- members, secrets, blocks, hosts, triggers
CREATE FUNCTION echo(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
SELECT wf_grant('wf_test_viewer', 'a', 'member'), wf_revoke('wf_test_viewer', 'a'), wf_grant('wf_test_viewer', 'a', 'viewer');
SELECT wf_register_block('acme.echo', 'echo(jsonb, jsonb)'), wf_register_block('acme.echo', 'echo(jsonb, jsonb)');
SELECT wf_limit_host('h:443', 5, '1 second', 10, 2), wf_limit_host('h:443'), wf_set_http_policy('10.0.0.0/8', 'x.example'), wf_reset_circuit('none');
SELECT wf_save('t', '{"nodes": [{"id": "e", "type": "trigger.event", "config": {"event": "x"}}, {"id": "a", "type": "noop"}], "edges": [{"source": "e", "target": "a"}]}');
SELECT wf_disable_trigger('t', 'e'), wf_enable_trigger('t', 'e');
SELECT * FROM log WHERE seq > 15;
SELECT wf_set_secret('API_KEY', 'canary-one'), wf_drop_secret('API_KEY');
SELECT seq, action, actor, type, name, before, after FROM log WHERE seq > 25;
RESET ROLE;
SELECT count(*) FROM wf.audit WHERE audit::text ~ 'canary';

-- with the transaction, and the subtransaction
SET ROLE wf_test_owner;
BEGIN; SELECT wf_set_status('w', 'paused'); SELECT count(*) FROM log WHERE seq > 27; ROLLBACK;
BEGIN; SELECT wf_set_status('w', 'draft'); SAVEPOINT s; SELECT wf_set_status('w', 'paused'); SAVEPOINT s2; SELECT wf_set_status('w', 'archived'); RELEASE s2; ROLLBACK TO s; SELECT wf_set_status('w', 'archived'); SAVEPOINT s3; SELECT wf_set_status('w', 'paused'); SAVEPOINT s4; SELECT wf_set_status('w', 'active'); ROLLBACK TO s4; RELEASE s3; COMMIT;
DO $$ BEGIN PERFORM wf_set_status('w', 'active'); BEGIN PERFORM wf_set_status('w', 'paused'); RAISE 'x'; EXCEPTION WHEN raise_exception THEN PERFORM wf_set_status('w', 'draft'); END; END $$;
DO $$ BEGIN PERFORM wf_set_status('w', 'active'); COMMIT; PERFORM wf_set_status('w', 'paused'); ROLLBACK; PERFORM wf_set_status('w', 'archived'); END $$;
SELECT seq, action, before, after FROM log WHERE seq > 27;
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT wf_set_status('w', 'active'); COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT wf_set_status('w', 'active'); COMMIT;
-- several tenants in one transaction
RESET ROLE;
BEGIN; SET workflow.tenant = 'b'; SELECT wf_save('of b', '{"nodes": [{"id": "a", "type": "noop"}]}'); SET workflow.tenant = 'a'; SELECT wf_set_status('w', 'paused'); SET workflow.tenant = 'b'; SELECT wf_delete('of b'); COMMIT;
SELECT action, name, before, after FROM log;
SET workflow.tenant = 'a'; SELECT action FROM log WHERE seq > 35; SELECT * FROM wf_verify_audit(); SELECT * FROM wf_verify_audit('b'); RESET workflow.tenant;
-- the extension is dropped by the transaction that did something
BEGIN; SELECT wf_save('x', '{"nodes": [{"id": "a", "type": "noop"}]}'); DROP EXTENSION workflow CASCADE; SELECT to_regclass('wf.audit') IS NULL; ROLLBACK;

-- who may look
SET ROLE wf_test_admin; SELECT count(*) > 0 FROM wf_audit_log; SELECT * FROM wf_verify_audit(); SELECT count(*) > 0 FROM wf_export_audit(); SELECT count(*) FROM wf_audit_head();
SET ROLE wf_test_member; SELECT count(*) FROM wf_audit_log; SELECT count(*) FROM wf_signatures; SELECT count(*) FROM wf.audit; SELECT count(*) FROM wf.audit_head;
SELECT * FROM wf_verify_audit(); SELECT * FROM wf_verify_audit('a'); SELECT * FROM wf_verify_audit('no such tenant'); SELECT count(*) FROM wf_export_audit(); SELECT * FROM wf_audit_head(); SELECT * FROM wf_verify_signature(gen_random_uuid());
SET ROLE wf_test_other; SELECT count(*) FROM wf_audit_log WHERE after::text ~ 'wf_test_admin|"w"'; SELECT * FROM wf_verify_audit('a'); SELECT count(*) FROM wf_verify_signature(gen_random_uuid()); SELECT wf_verify_signature(NULL); SET workflow.tenant = 'a'; SELECT count(*) FROM wf_audit_log; RESET workflow.tenant;
-- an admin of the tenant above may
SET ROLE wf_test_admin; SET workflow.tenant = 'b'; SELECT count(*) > 0 FROM wf_audit_log; SELECT * FROM wf_verify_audit('b'); RESET workflow.tenant;
SET ROLE wf_test_owner;
\set VERBOSITY terse
INSERT INTO wf.audit SELECT * FROM wf.audit; UPDATE wf.audit SET actor = 'x'; DELETE FROM wf.audit; TRUNCATE wf.audit; INSERT INTO wf.audit_head SELECT * FROM wf.audit_head; UPDATE wf.audit_head SET last_seq = 1; DELETE FROM wf.audit_head; SELECT 1 FROM wf.audit FOR UPDATE; SELECT wf.refuse_change();
RESET ROLE;
SET ROLE wf_engine; UPDATE wf.audit SET actor = 'x'; DELETE FROM wf.audit; INSERT INTO wf.audit SELECT * FROM wf.audit; UPDATE wf.audit_head SET last_seq = 1; RESET ROLE;
-- superusers neither
UPDATE wf.audit SET actor = 'x'; DELETE FROM wf.audit; TRUNCATE wf.audit; UPDATE wf.audit_head SET last_seq = 1; DELETE FROM wf.audit_head; TRUNCATE wf.audit_head;
SET session_replication_role = replica; UPDATE wf.audit SET actor = 'x'; DELETE FROM wf.audit; TRUNCATE wf.audit; TRUNCATE wf.audit_head; RESET session_replication_role;
\set VERBOSITY default
UPDATE wf.audit SET actor = 'x';

-- export
SELECT wf_create_tenant('=1+1|''c') IS NOT NULL; SELECT wf_use_tenant('=1+1|''c');
SET application_name = E'say "hi", \\ there'; SELECT wf_save('@sum', '{"nodes": [{"id": "a", "type": "noop", "notes": "line\nbreak \"q\" \\ 😀"}]}'); RESET application_name;
CREATE FUNCTION fixed(l text) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(regexp_replace(regexp_replace(regexp_replace(regexp_replace(l, '[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', 'g'), '\d{4}-\d\d-\d\dT[0-9:.+-]+Z?', 'TIME', 'g'), '[0-9a-f]{64}', 'HASH', 'g'), '"?' || session_user || '"?', 'ME', 'g'), '("keyId": |HASH,)\d+', '\1KEY') $$;
SELECT fixed(l) FROM wf_export_audit() l;
SELECT fixed(l) FROM wf_export_audit('csv') l;
SELECT fixed(l) FROM wf_export_audit('csv', 2, 2) l; SELECT count(*) FROM wf_export_audit('jsonl', 3); SELECT count(*) FROM wf_export_audit('jsonl', 1, 1); SELECT count(*) FROM wf_export_audit('jsonl', -5, 0);
SELECT wf_export_audit('xml'); SELECT wf_export_audit(NULL); SELECT wf_export_audit('csv', NULL);
-- the hash is that of what stands between, and the chain can be followed by whoever has the lines
SELECT bool_and(l::jsonb->>'hash' = encode(sha256(convert_to(regexp_replace(l, '^\{"entry": (.*), "hash": "[0-9a-f]{64}", "keyId": \d+, "mac": .*\}$', '\1'), 'UTF8')), 'hex')), bool_and(l::jsonb->'entry'->>'prev' = coalesce(before, repeat('0', 64))) FROM (SELECT l, lag(l::jsonb->>'hash') OVER (ORDER BY (l::jsonb->'entry'->>'seq')::int) AS before FROM wf_export_audit() l) x;
SELECT first_seq, h.seq, h.hash = l.hash, key_id <> 0 FROM wf_audit_head() h JOIN wf_audit_log l USING (seq, key_id);
-- times are in UTC, whatever the session's zone is
SET timezone = 'Asia/Tokyo'; SELECT * FROM wf_verify_audit(); SET datestyle = 'SQL, DMY'; SELECT * FROM wf_verify_audit(); SELECT bool_and((l::jsonb->'entry'->>'at')::timestamptz = a.at) FROM wf_export_audit() l JOIN wf_audit_log a ON a.seq = (l::jsonb->'entry'->>'seq')::int; RESET timezone; RESET datestyle;
DROP FUNCTION echo; DROP FUNCTION plain CASCADE;
DROP EXTENSION workflow CASCADE;
REVOKE CREATE ON SCHEMA public FROM wf_test_owner;
DROP ROLE wf_test_owner, wf_test_admin, wf_test_member, wf_test_viewer, wf_test_other;
