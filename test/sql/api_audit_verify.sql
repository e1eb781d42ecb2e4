-- what wf_verify_audit finds: changes by a superuser who has disabled the triggers; keys; retention; the end of a tenant
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION master_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_master_key' LANGUAGE C;
CREATE FUNCTION forget_master_key() RETURNS void AS '$libdir/workflow', 'wf_sql_test_forget_master_key' LANGUAGE C;
CREATE FUNCTION expire_audit(now timestamptz, most int) RETURNS int AS '$libdir/workflow', 'wf_sql_test_expire_audit' LANGUAGE C;
CREATE FUNCTION drop_audit(tenant uuid, name text, recorded_in uuid, most int) RETURNS int AS '$libdir/workflow', 'wf_sql_test_drop_audit' LANGUAGE C;
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
CREATE FUNCTION id(text) RETURNS uuid LANGUAGE sql STABLE AS $$ SELECT tenant_id FROM wf.tenant WHERE name = $1 $$;
-- n entries of one kind
CREATE FUNCTION act(tenant text, n int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('workflow.tenant', tenant, true); FOR i IN 1..n LOOP PERFORM wf_set_status('w', 'paused'); END LOOP; END $$;
SET workflow.tenant = 'a'; SELECT wf_save('w', '{"nodes": [{"id": "n", "type": "noop"}]}');
SET workflow.tenant = 'b'; SELECT wf_save('w', '{"nodes": [{"id": "n", "type": "noop"}]}');
SELECT act('a', 4), act('b', 4);
SELECT seq, action FROM wf.audit WHERE tenant_id = id('a') ORDER BY seq;
SELECT * FROM wf_verify_audit('a'); SELECT * FROM wf_verify_audit('b'); SELECT * FROM wf_verify_audit('default'); SELECT count(*) FROM wf_audit_head('default');

-- does this, tells what is found, and takes it back
CREATE FUNCTION found(tenant text, VARIADIC steps text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE s text; problems text[];
BEGIN
	BEGIN
		FOREACH s IN ARRAY steps LOOP EXECUTE s; END LOOP;
		SELECT array_agg(coalesce(v.seq::text, 'all') || ': ' || v.problem) INTO problems FROM wf_verify_audit(tenant) v;
		RAISE SQLSTATE 'XX999';
	EXCEPTION WHEN SQLSTATE 'XX999' THEN NULL;
	END;
	RETURN QUERY SELECT unnest(problems);
END $$;
-- makes the hashes anew from an entry on, as one can who has no key
CREATE FUNCTION rechain(tenant text, from_seq bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE r record;
BEGIN
	PERFORM set_config('workflow.tenant', tenant, true);
	FOR r IN SELECT seq FROM wf.audit WHERE tenant_id = id(tenant) AND seq >= from_seq ORDER BY seq LOOP
		UPDATE wf.audit a SET prev = coalesce((SELECT hash FROM wf.audit p WHERE p.tenant_id = id(tenant) AND p.seq = r.seq - 1), decode(repeat('00', 32), 'hex')) WHERE a.tenant_id = id(tenant) AND a.seq = r.seq;
		UPDATE wf.audit a SET hash = (SELECT sha256(convert_to(regexp_replace(l, '^\{"entry": (.*), "hash": "[0-9a-f]{64}", "keyId": \d+, "mac": .*\}$', '\1'), 'UTF8')) FROM wf_export_audit('jsonl', r.seq, r.seq) l) WHERE a.tenant_id = id(tenant) AND a.seq = r.seq;
	END LOOP;
	UPDATE wf.audit_head h SET last_seq = x.seq, hash = x.hash, at = x.at FROM (SELECT seq, hash, at FROM wf.audit WHERE tenant_id = id(tenant) ORDER BY seq DESC LIMIT 1) x WHERE h.tenant_id = id(tenant);
END $$;
ALTER TABLE wf.audit DISABLE TRIGGER ALL; ALTER TABLE wf.audit_head DISABLE TRIGGER ALL;

-- nothing
SELECT found('a', 'SELECT 1');
-- changes, of each column
SELECT column_name, found('a', format('UPDATE wf.audit SET %I = %s WHERE tenant_id = id(''a'') AND seq = 3', column_name, CASE WHEN data_type = 'bytea' THEN '''\x00''' WHEN data_type = 'integer' THEN '77' WHEN data_type = 'jsonb' THEN '''{"x": 1}''' WHEN data_type = 'uuid' THEN 'gen_random_uuid()' WHEN data_type LIKE 'timestamp%' THEN 'at + ''1 us''' ELSE '''x''' END)) FROM information_schema.columns WHERE table_schema = 'wf' AND table_name = 'audit' AND column_name NOT IN ('seq', 'tenant_id') ORDER BY ordinal_position;
SELECT found('a', $$UPDATE wf.audit SET client_address = '' WHERE tenant_id = id('a') AND seq = 3$$);
SELECT found('a', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a') AND seq = 1$$);
SELECT found('a', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a') AND seq = 6$$);
SELECT found('a', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a')$$);
SELECT found('a', $$ALTER TABLE wf.audit ALTER hash DROP NOT NULL, ALTER prev DROP NOT NULL, ALTER action DROP NOT NULL$$, $$UPDATE wf.audit SET hash = NULL, prev = NULL, action = NULL WHERE tenant_id = id('a') AND seq = 3$$);
-- the same with the hashes made anew: the MACs tell
SELECT found('a', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a') AND seq = 5$$, $$SELECT rechain('a', 5)$$);
SELECT found('a', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a') AND seq = 5$$, $$SELECT rechain('a', 5)$$, $$UPDATE wf.audit SET mac = NULL, key_id = 0 WHERE tenant_id = id('a') AND seq >= 5$$, $$UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$);
SELECT found('a', $$SELECT rechain('a', 1)$$, $$UPDATE wf.audit SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$, $$UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit SET mac = NULL WHERE tenant_id = id('a') AND seq = 3$$);
SELECT found('a', $$UPDATE wf.audit SET key_id = 5 WHERE tenant_id = id('a') AND seq = 3$$);
SELECT found('a', $$UPDATE wf.audit SET key_id = 5 WHERE tenant_id = id('a') AND seq = 6$$);
-- removal: at the beginning, in the middle, at the end, of all
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq = 1$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq <= 3$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq = 3$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq IN (2, 4, 5)$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq = 6$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq > 3$$);
SELECT found('a', 'TRUNCATE wf.audit');
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq = 3$$, $$UPDATE wf.audit SET seq = seq - 1 WHERE tenant_id = id('a') AND seq > 3$$, $$SELECT rechain('a', 3)$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq > 4$$, $$SELECT rechain('a', 99)$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq < 3$$, $$UPDATE wf.audit_head SET first_seq = 3, anchor = (SELECT prev FROM wf.audit WHERE tenant_id = id('a') AND seq = 3) WHERE tenant_id = id('a')$$);
-- order: two exchanged, all reversed
SELECT found('a', $$UPDATE wf.audit SET seq = -seq WHERE tenant_id = id('a') AND seq IN (3, 5)$$, $$UPDATE wf.audit SET seq = 8 + seq WHERE tenant_id = id('a') AND seq < 0$$);
SELECT found('a', $$UPDATE wf.audit SET seq = -seq WHERE tenant_id = id('a')$$, $$UPDATE wf.audit SET seq = 7 + seq WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit SET seq = seq + 1 WHERE tenant_id = id('a') AND seq = 6$$);
-- a row that somebody made
SELECT found('a', $$INSERT INTO wf.audit SELECT tenant_id, 7, at, action, 'x', session_role, client_address, application_name, object_type, object_id, object_name, before, after, digest, hash, hash, key_id, mac FROM wf.audit WHERE tenant_id = id('a') AND seq = 6$$);
SELECT found('a', $$INSERT INTO wf.audit SELECT tenant_id, 7, at, action, 'x', session_role, client_address, application_name, object_type, object_id, object_name, before, after, digest, hash, hash, key_id, mac FROM wf.audit WHERE tenant_id = id('a') AND seq = 6$$, $$SELECT rechain('a', 7)$$);
SELECT found('a', $$INSERT INTO wf.audit SELECT tenant_id, 0, at, action, 'x', session_role, client_address, application_name, object_type, object_id, object_name, before, after, digest, hash, hash, key_id, mac FROM wf.audit WHERE tenant_id = id('a') AND seq = 6$$);
SELECT found('a', $$UPDATE wf.audit SET seq = seq + 1 WHERE tenant_id = id('a') AND seq = 6$$, $$UPDATE wf.audit SET seq = seq + 1 WHERE tenant_id = id('a') AND seq = 5$$, $$INSERT INTO wf.audit SELECT tenant_id, 5, at, action, 'x', session_role, client_address, application_name, object_type, object_id, object_name, before, after, digest, hash, hash, key_id, mac FROM wf.audit WHERE tenant_id = id('a') AND seq = 4$$, $$SELECT rechain('a', 5)$$);
-- rows of two tenants exchanged
SELECT found('a', $$UPDATE wf.audit SET seq = -4 WHERE seq = 4$$, $$UPDATE wf.audit SET tenant_id = CASE tenant_id WHEN id('a') THEN id('b') ELSE id('a') END, seq = CASE tenant_id WHEN id('a') THEN 4 ELSE 104 END WHERE seq = -4$$, $$UPDATE wf.audit SET seq = 4 WHERE seq = 104$$);
SELECT found('a', $$UPDATE wf.audit SET tenant_id = gen_random_uuid() WHERE tenant_id = id('a')$$, $$UPDATE wf.audit SET tenant_id = id('a') WHERE tenant_id = id('b')$$);
SELECT found('b', $$UPDATE wf.audit SET tenant_id = id('a'), seq = 7 WHERE tenant_id = id('b') AND seq = 6$$), found('a', $$UPDATE wf.audit SET tenant_id = id('a'), seq = 7 WHERE tenant_id = id('b') AND seq = 6$$);
-- the head
SELECT found('a', $$UPDATE wf.audit_head SET last_seq = 5 WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET last_seq = 9 WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET hash = '\x00' WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET at = now() + '1 d' WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET first_seq = 2 WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET mac = NULL WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq > 4$$, $$SELECT rechain('a', 99)$$, $$UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$);
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq > 4$$, $$SELECT rechain('a', 99)$$, $$UPDATE wf.audit_head SET key_id = 5 WHERE tenant_id = id('a')$$);
SELECT found('a', $$DELETE FROM wf.audit_head WHERE tenant_id = id('a')$$);
SELECT found('a', $$UPDATE wf.audit_head h SET hash = o.hash, mac = o.mac, at = o.at FROM wf.audit_head o WHERE h.tenant_id = id('a') AND o.tenant_id = id('b')$$);
-- somebody takes the MACs away, cuts off the end, or says that the key was another one, and lets the next entry vouch for it
SELECT found('a', $$UPDATE wf.audit SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$, $$UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a')$$, $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('a') AND seq = 5$$, $$SELECT rechain('a', 1)$$, $$SELECT act('a', 1)$$);
-- all of a trail gone, and its head: only who has noted the head elsewhere can tell
SELECT found('a', $$DELETE FROM wf.audit WHERE tenant_id = id('a')$$, $$DELETE FROM wf.audit_head WHERE tenant_id = id('a')$$);

-- the trail goes on after it was tampered with, and each verification tells of it from then on
BEGIN; DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq > 4; SELECT rechain('a', 99); COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a'); SELECT seq, action, after - 'lastVersion' - 'status' FROM wf.audit WHERE tenant_id = id('a') ORDER BY seq;
BEGIN; DELETE FROM wf.audit WHERE tenant_id = id('a') AND seq = 6; COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a');
BEGIN; INSERT INTO wf.audit SELECT tenant_id, 9, at, action, 'x', session_role, client_address, application_name, object_type, object_id, object_name, before, after, digest, hash, hash, key_id, mac FROM wf.audit WHERE tenant_id = id('a') AND seq = 5; COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a');
BEGIN; DELETE FROM wf.audit_head WHERE tenant_id = id('a'); COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a');

-- the same after a commit
BEGIN; UPDATE wf.audit SET mac = NULL, key_id = 0 WHERE tenant_id = id('a'); UPDATE wf.audit_head SET mac = NULL, key_id = 0 WHERE tenant_id = id('a'); SELECT rechain('a', 1); COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a') WHERE seq > 12;
BEGIN; UPDATE wf.audit SET key_id = 5 WHERE tenant_id = id('a') AND seq = 14; UPDATE wf.audit_head SET key_id = 5 WHERE tenant_id = id('a'); COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a') WHERE seq > 12;
BEGIN; UPDATE wf.audit_head SET key_id = 0, mac = NULL WHERE tenant_id = id('a'); COMMIT;
SELECT act('a', 1); SELECT * FROM wf_verify_audit('a') WHERE seq > 14;

-- keys: another one, none, back; what a later MAC vouches for holds
CREATE VIEW b AS SELECT seq, action, key_id <> 0 AS keyed, mac IS NOT NULL AS mac FROM wf.audit WHERE tenant_id = id('b') AND seq > 6 ORDER BY seq;
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT * FROM wf_verify_audit('b');
SELECT act('b', 1); SELECT * FROM b; SELECT * FROM wf_verify_audit('b');
SELECT forget_master_key();
SELECT * FROM wf_verify_audit('b');
SELECT act('b', 2); SELECT * FROM b; SELECT * FROM wf_verify_audit('b');
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT * FROM wf_verify_audit('b');
SELECT act('b', 1); SELECT * FROM b; SELECT * FROM wf_verify_audit('b');
SELECT master_key(NULL);
SELECT * FROM wf_verify_audit('b');
SELECT act('b', 1); SELECT * FROM wf_verify_audit('b');
-- without any key hashes find what was changed by who does not make them anew
SELECT forget_master_key();
SELECT wf_create_tenant('c') IS NOT NULL; SET workflow.tenant = 'c'; SELECT wf_save('w', '{"nodes": [{"id": "n", "type": "noop"}]}'); SELECT act('c', 4);
SELECT count(*), bool_or(mac IS NOT NULL), max(key_id) FROM wf.audit WHERE tenant_id = id('c'); SELECT * FROM wf_verify_audit('c');
SELECT found('c', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('c') AND seq = 3$$);
SELECT found('c', $$DELETE FROM wf.audit WHERE tenant_id = id('c') AND seq = 6$$);
SELECT found('c', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('c') AND seq = 3$$, $$SELECT rechain('c', 3)$$);
-- a key comes: its first entry vouches for all before
SELECT master_key(NULL); SELECT * FROM wf_verify_audit('c'); SELECT act('c', 1); SELECT * FROM wf_verify_audit('c');
SELECT seq, action FROM wf.audit WHERE tenant_id = id('c') AND key_id <> 0 ORDER BY seq;
SELECT found('c', $$UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('c') AND seq = 3$$, $$SELECT rechain('c', 3)$$);

-- retention: nothing goes unless the tenant says so
ALTER TABLE wf.audit ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate; ALTER TABLE wf.audit_head ENABLE ALWAYS TRIGGER refuse_change, ENABLE ALWAYS TRIGGER refuse_truncate;
SELECT wf_create_tenant('d') IS NOT NULL, wf_create_tenant('e', '{"parent": "d"}') IS NOT NULL; SET workflow.tenant = 'd'; SELECT wf_save('w', '{"nodes": [{"id": "n", "type": "noop"}]}'); SELECT act('d', 5);
SELECT expire_audit(now() + '1 y', 100);
UPDATE wf.tenant SET settings = '{"auditRetention": "30 days"}' WHERE name = 'd';
SELECT expire_audit(now(), 100), expire_audit(now() + '29 d', 100);
SELECT expire_audit(now() + '31 d', 3); SELECT first_seq, seq FROM wf_audit_head('d'); SELECT * FROM wf_verify_audit('d');
SELECT expire_audit(now() + '31 d', 100); SELECT first_seq, seq FROM wf_audit_head('d'); SELECT * FROM wf_verify_audit('d');
SELECT seq, action, before - 'hash', length(before->>'hash') FROM wf.audit WHERE tenant_id = id('d') ORDER BY seq;
SELECT act('d', 3); SELECT * FROM wf_verify_audit('d'); SELECT count(*) FROM wf.audit WHERE tenant_id = id('e'); SELECT * FROM wf_verify_audit('e');
SELECT found('d', 'ALTER TABLE wf.audit DISABLE TRIGGER ALL', $$DELETE FROM wf.audit WHERE tenant_id = id('d') AND seq = (SELECT first_seq FROM wf_audit_head('d'))$$);
-- what does not hold is not removed
BEGIN; ALTER TABLE wf.audit DISABLE TRIGGER ALL; UPDATE wf.audit SET actor = 'x' WHERE tenant_id = id('d') AND seq = 10; SELECT expire_audit(now() + '31 d', 100); SELECT first_seq, seq FROM wf_audit_head('d'); ROLLBACK;
UPDATE wf.tenant SET settings = '{"auditRetention": "0"}' WHERE name = 'd'; SELECT expire_audit(now() + '31 d', 100);
UPDATE wf.tenant SET settings = '{"auditRetention": "no time"}' WHERE name = 'd'; SELECT expire_audit(now() + '31 d', 100);

-- the end of a tenant
SELECT drop_audit(id('e'), 'e', id('d'), 100), drop_audit(id('e'), 'e', id('d'), 100), drop_audit(id('e'), 'e', id('d'), 100);
SELECT count(*) FROM wf.audit WHERE tenant_id = id('e'); SELECT count(*) FROM wf_audit_head('e');
SELECT action, object_type, object_name, object_id = id('e'), before - 'hash' FROM wf.audit WHERE tenant_id = id('d') ORDER BY seq DESC LIMIT 1; SELECT * FROM wf_verify_audit('d');
DROP EXTENSION workflow CASCADE;
