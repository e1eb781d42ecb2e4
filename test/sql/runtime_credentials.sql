-- credentials: shapes, messages without values, rights, what can be seen of them, naming them in a workflow, what is sealed
CREATE ROLE wf_test_admin; CREATE ROLE wf_test_member; CREATE ROLE wf_test_viewer; CREATE ROLE wf_test_other;
CREATE EXTENSION workflow;
CREATE FUNCTION master_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_master_key' LANGUAGE C;
CREATE FUNCTION previous_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_previous_key' LANGUAGE C;
CREATE FUNCTION open_secrets(tenant uuid, names text[]) RETURNS text AS '$libdir/workflow', 'wf_sql_test_open_secrets' LANGUAGE C STRICT;
CREATE FUNCTION open_credential(tenant uuid, name text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_open_credential' LANGUAGE C STRICT;
CREATE FUNCTION reseal(most int) RETURNS text AS '$libdir/workflow', 'wf_sql_test_reseal' LANGUAGE C STRICT;
\pset format unaligned
\pset tuples_only on
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
SELECT wf_grant('wf_test_admin', 'a', 'admin'), wf_grant('wf_test_member', 'a', 'member'), wf_grant('wf_test_viewer', 'a', 'viewer'), wf_grant('wf_test_other', 'b', 'owner');
CREATE FUNCTION a() RETURNS uuid LANGUAGE sql AS $$ SELECT tenant_id FROM wf.tenant WHERE name = 'a' $$;
CREATE FUNCTION b() RETURNS uuid LANGUAGE sql AS $$ SELECT tenant_id FROM wf.tenant WHERE name = 'b' $$;

-- all types, set, seen, opened
SET ROLE wf_test_admin;
SELECT wf_set_credential('crm', 'basic', '{"username": "ann", "password": "canary-p"}');
SELECT wf_set_credential('bear', 'bearer', '{"token": "canary-t"}');
SELECT wf_set_credential('key', 'apiKey', '{"name": "X-Key", "value": "canary-v"}'), wf_set_credential('parameter', 'apiKey', '{"name": "a key", "value": "canary-v", "in": "query"}');
SELECT wf_set_credential('oauth', 'oauth2', '{"tokenUrl": "https://t.example/token", "clientId": "me", "clientSecret": "canary-c", "scope": "a b", "grant": "client_credentials"}'), wf_set_credential('refresh', 'oauth2', '{"tokenUrl": "https://t.example/token", "clientId": "me", "grant": "refresh_token", "refreshToken": "canary-r"}');
SELECT wf_set_credential('relay', 'smtp', '{"host": "mail.example", "port": 2525, "username": "me", "password": "canary-m", "tls": "required"}'), wf_set_credential('relay2', 'smtp', '{"url": "smtps://me:canary%2Dm@mail.example"}');
SELECT wf_set_credential('cloud', 'aws', '{"accessKeyId": "AKID", "secretAccessKey": "canary-a", "sessionToken": "canary-s", "region": "eu-west-1", "service": null}');
SELECT wf_set_credential('signer', 'jwt', '{"algorithm": "HS256", "key": "canary-0123456789012345678901234567", "issuer": "me", "claims": {"role": "x"}, "lifetime": 60}');
SELECT name, type, fields, version, created_by, updated_by, created_at <= updated_at FROM wf_credentials ORDER BY name;
SELECT count(*) FROM wf_secrets;
SELECT wf_set_credential('crm', 'bearer', '{"token": "canary-changed"}');
SELECT name, type, fields, version FROM wf_credentials WHERE name = 'crm';
RESET ROLE;
SELECT name, open_credential(a(), name) FROM wf.secret WHERE ended_at IS NULL ORDER BY name;
SELECT count(*) FROM wf.secret s WHERE s::text ~ 'canary' OR position('canary'::bytea in coalesce(ciphertext, '')) > 0;
SET ROLE wf_test_admin;
SELECT wf_drop_credential('crm'); SELECT wf_drop_credential('crm'); SELECT wf_drop_credential('beer'); SELECT wf_drop_secret('bear');
-- one name for both kinds, and numbers that go on
SELECT wf_set_secret('bear', 'canary'); SELECT wf_set_secret('crm', 'canary-text'); SELECT wf_set_credential('crm', 'bearer', '{"token": "canary-t"}'); SELECT wf_drop_credential('crm'); SELECT name, version FROM wf_secrets; SELECT wf_drop_secret('crm'); SELECT wf_set_credential('crm', 'basic', '{"username": "ann", "password": "canary-p"}'); SELECT name, version FROM wf_credentials WHERE name = 'crm';

-- what is wrong is told without the value
CREATE FUNCTION pg_temp.refused(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	PERFORM wf_set_credential('x', type, value::jsonb);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(hint, ''));
END $$;
SELECT t, v, pg_temp.refused(t, v) FROM (VALUES
	('basic', '"canary"'), ('basic', '[]'), ('basic', '{}'), ('basic', '{"username": "u"}'), ('basic', '{"username": "can:ary", "password": "p"}'), ('basic', '{"username": "u", "password": "can\nary"}'), ('basic', '{"username": "u", "password": 5}'), ('basic', '{"username": "", "password": "p"}'), ('basic', '{"username": "u", "password": "p", "token": "canary"}'), ('basic', '{"username": "u", "password": ""}'),
	('bearer', '{"token": "can\r\nary: x"}'), ('bearer', '{"token": ""}'), ('bearer', '{"token": {"canary": 1}}'),
	('apiKey', '{"name": "can ary", "value": "v"}'), ('apiKey', '{"name": "k", "value": "v", "in": "canary"}'), ('apiKey', '{"name": "k", "value": null}'),
	('oauth2', '{"tokenUrl": "ftp://canary", "clientId": "i"}'), ('oauth2', '{"tokenUrl": "https://u:canary@t", "clientId": "i"}'), ('oauth2', '{"tokenUrl": "https://t", "clientId": "i", "grant": "canary"}'), ('oauth2', '{"tokenUrl": "https://t", "clientId": "i", "grant": "refresh_token"}'), ('oauth2', '{"tokenUrl": "https://t", "clientId": "i", "grant": "refreshToken", "refreshToken": null}'),
	('smtp', '{}'), ('smtp', '{"host": "h", "url": "smtp://h"}'), ('smtp', '{"url": "http://canary"}'), ('smtp', '{"url": "smtp://u:can%zzary@h"}'), ('smtp', '{"host": "u:canary@h"}'), ('smtp', '{"host": "h:25"}'), ('smtp', '{"host": "h/canary"}'), ('smtp', '{"host": "h", "port": 0}'), ('smtp', '{"host": "h", "port": 70000}'), ('smtp', '{"host": "h", "tls": "canary"}'),
	('aws', '{"accessKeyId": "a", "secretAccessKey": "s"}'), ('aws', '{"accessKeyId": "a", "secretAccessKey": "s", "region": "can\tary"}'), ('aws', '{"accessKeyId": 1, "secretAccessKey": "s", "region": "r"}'),
	('jwt', '{"algorithm": "none", "key": "canary"}'), ('jwt', '{"algorithm": "HS256", "key": "canary"}'), ('jwt', '{"algorithm": "RS256", "key": "canary"}'), ('jwt', '{"algorithm": "HS256", "key": "canary-0123456789012345678901234567", "lifetime": 0}'), ('jwt', '{"algorithm": "HS256", "key": "canary-0123456789012345678901234567", "claims": "canary"}'),
	('canary', '{}'), ('', '{}')) x (t, v);
SELECT pg_temp.refused('bearer', jsonb_build_object('token', repeat('x', 65537))::text), pg_temp.refused('jwt', jsonb_build_object('algorithm', 'HS256', 'key', repeat('x', 40000), 'claims', jsonb_build_object('x', repeat('x', 40000)))::text);
SELECT wf_set_credential('1x', 'bearer', '{"token": "t"}'); SELECT wf_set_credential('a.b', 'bearer', '{"token": "t"}'); SELECT wf_set_credential(NULL, 'bearer', '{}'); SELECT wf_set_credential('x', NULL, '{}'); SELECT wf_set_credential('x', 'bearer', NULL);

-- rights
SET ROLE wf_test_member; SELECT wf_set_credential('mine', 'bearer', '{"token": "t"}'); SELECT wf_drop_credential('crm'); SELECT count(*) FROM wf_credentials;
SET ROLE wf_test_viewer; SELECT wf_set_credential('mine', 'bearer', '{"token": "t"}'); SELECT count(*) FROM wf_credentials;
SET ROLE wf_test_other; SELECT count(*) FROM wf_credentials; SELECT wf_drop_credential('crm'); SELECT wf_set_credential('crm', 'basic', '{"username": "eve", "password": "canary-b"}');
SELECT count(*) FROM wf_master_keys; SELECT wf.has_master_key('\x00');
SET ROLE wf_test_admin; SELECT ciphertext FROM wf.secret; SELECT DISTINCT type IS NULL FROM wf.secret;
RESET ROLE;
SELECT wf_use_tenant('a');
SELECT wf_set_credential('crm', 'basic', '{"username": "ann", "password": "canary-p"}'), (SELECT query ~ 'canary' FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS seen;
RESET workflow.tenant;

-- ciphertexts that somebody moved: between tenants, names, versions, types, and to a secret
BEGIN; UPDATE wf.secret x SET ciphertext = y.ciphertext, nonce = y.nonce FROM wf.secret y WHERE x.tenant_id = a() AND y.tenant_id = b() AND x.name = 'crm' AND y.name = 'crm' AND x.ended_at IS NULL AND y.ended_at IS NULL; SELECT open_credential(a(), 'crm'), open_credential(a(), 'bear'); ROLLBACK;
BEGIN; UPDATE wf.secret x SET ciphertext = y.ciphertext, nonce = y.nonce, type = y.type FROM wf.secret y WHERE x.tenant_id = a() AND y.tenant_id = a() AND x.name = 'bear' AND y.name = 'crm' AND x.ended_at IS NULL AND y.ended_at IS NULL; SELECT open_credential(a(), 'bear'); ROLLBACK;
BEGIN; UPDATE wf.secret SET version = 99 WHERE tenant_id = a() AND name = 'crm' AND ended_at IS NULL; SELECT open_credential(a(), 'crm'); ROLLBACK;
BEGIN; UPDATE wf.secret SET type = 'smtp' WHERE tenant_id = a() AND name = 'crm' AND ended_at IS NULL; SELECT open_credential(a(), 'crm'); ROLLBACK;
BEGIN; UPDATE wf.secret SET type = 'unknown' WHERE tenant_id = a() AND name = 'crm' AND ended_at IS NULL; SELECT open_credential(a(), 'crm'); ROLLBACK;
BEGIN; UPDATE wf.secret SET type = NULL, fields = NULL WHERE tenant_id = a() AND name = 'crm' AND ended_at IS NULL; SELECT open_secrets(a(), '{crm}'), open_credential(a(), 'crm'); ROLLBACK;
-- what is shown decides nothing
BEGIN; UPDATE wf.secret SET fields = '{"tokenUrl": "https://evil.example/token"}' WHERE tenant_id = a() AND name = 'oauth'; SELECT open_credential(a(), 'oauth'); ROLLBACK;
SELECT open_secrets(a(), '{bear}'), open_credential(a(), 'beer'), open_credential(b(), 'bear');

-- another master key, with and without the one before
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT open_credential(a(), 'bear');
SELECT key_id, available, secrets_left FROM wf_master_keys ORDER BY 1;
CREATE FUNCTION own_key() RETURNS bytea LANGUAGE sql AS $$ SELECT decode(btrim(pg_read_file(current_setting('workflow.master_key_file')), E' \n'), 'hex') $$;
SELECT previous_key(own_key());
SELECT key_id, available, secrets_left FROM wf_master_keys ORDER BY 1;
SELECT open_credential(a(), 'bear');
SET ROLE wf_test_admin; SELECT wf_set_secret('fresh', 'canary-fresh'), wf_set_credential('bear', 'bearer', '{"token": "canary-new"}'); RESET ROLE;
SELECT key_id, available, secrets_left FROM wf_master_keys ORDER BY 1;
CREATE TEMP TABLE was AS SELECT tenant_id, name, version, created_at, ciphertext FROM wf.secret WHERE ended_at IS NULL;
SELECT reseal(4); SELECT key_id, secrets_left FROM wf_master_keys ORDER BY 1;
UPDATE wf.secret SET nonce = '\x00' WHERE tenant_id = a() AND name = 'signer' AND ended_at IS NULL;
SELECT reseal(100); SELECT key_id, secrets_left FROM wf_master_keys ORDER BY 1;
-- the same versions and times; the key before is wanted no more
SELECT count(*), count(*) FILTER (WHERE w.ciphertext <> s.ciphertext) AS anew FROM was w JOIN wf.secret s USING (tenant_id, name, version, created_at) WHERE s.ended_at IS NULL;
SELECT previous_key(NULL);
SELECT name, open_credential(a(), name) FROM wf.secret WHERE tenant_id = a() AND ended_at IS NULL AND type IS NOT NULL ORDER BY name;
SELECT open_secrets(a(), '{fresh}'), open_credential(b(), 'crm');
SELECT master_key(NULL);
SELECT open_credential(a(), 'bear');
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');

-- in workflows
SET ROLE wf_test_admin;
CREATE FUNCTION pg_temp.node(type text, config jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb) $$;
SELECT t, auth, (SELECT string_agg(concat_ws(' | ', severity, code, path, message, hint), E'\n   ') FROM wf_validate(pg_temp.node(t, c || jsonb_build_object('auth', auth)))) FROM (VALUES
	('http.request', '{"url": "http://h"}'::jsonb), ('graphql.request', '{"url": "http://h", "query": "{a}"}'), ('webhook.send', '{"url": "http://h", "secret": "s"}'), ('email.send', '{"from": "a@b.cd", "to": "a@b.cd", "text": "x"}'), ('trigger.webhook', '{"path": "/x"}')) x (t, c),
	(VALUES ('{"credential": "crm"}'::jsonb), ('{"credential": "relay"}'), ('{"credential": "cloud", "service": "s3"}'), ('{"credential": "none"}'), ('{"credential": "{{ $input.c }}"}'), ('{"credential": "crm", "type": "basic"}'), ('{"credential": 5}'), ('{}')) y (auth);
SELECT wf_save('bad', pg_temp.node('http.request', '{"url": "http://h", "auth": {"credential": "relay"}}'));
SELECT wf_save('use', pg_temp.node('http.request', '{"url": "http://h", "auth": {"credential": "crm"}}')), wf_save('missing', pg_temp.node('email.send', '{"from": "a@b.cd", "to": "a@b.cd", "text": "x", "auth": {"credential": "NOT_YET"}}')), wf_save('chosen', pg_temp.node('http.request', '{"url": "http://h", "auth": "{{ $input.auth }}"}')), wf_save('changed', pg_temp.node('http.request', '{"url": "http://h", "auth": {"credential": "bear"}}'));
SELECT wf_run('use') ->> 'status', wf_run('missing') -> 'error', wf_run('chosen', '{"auth": {"credential": "crm"}}') -> 'error' ->> 'message';
SELECT wf_set_credential('bear', 'smtp', '{"host": "h"}'); SELECT wf_run('changed') -> 'error' ->> 'message';
SET ROLE wf_test_member; SELECT wf_run('use') ->> 'status';
RESET ROLE; SELECT wf_grant('wf_test_member', 'a', 'viewer');
SET ROLE wf_test_admin; SELECT wf_save('definer', pg_temp.node('http.request', '{"url": "http://h", "auth": {"credential": "crm"}}') || '{"settings": {"security": "definer"}}');
RESET ROLE; SELECT wf_grant('wf_test_admin', 'a', 'viewer'), wf_grant('wf_test_member', 'a', 'member');
SET ROLE wf_test_member; SELECT wf_run('definer') -> 'error';
RESET ROLE;
SELECT count(*) FROM wf.run r WHERE r::text ~ 'canary';
DELETE FROM wf.member WHERE tenant_id = b(); DELETE FROM wf.tenant WHERE name = 'b'; SELECT count(*) FROM wf.secret WHERE tenant_id NOT IN (SELECT tenant_id FROM wf.tenant);
DROP EXTENSION workflow CASCADE;
DROP OWNED BY wf_test_admin, wf_test_member, wf_test_viewer, wf_test_other;
DROP ROLE wf_test_admin, wf_test_member, wf_test_viewer, wf_test_other;
