-- secrets: setting and dropping, rights, what can be seen of them, naming them in a workflow, what the dispatcher gets
CREATE ROLE wf_test_owner; CREATE ROLE wf_test_admin; CREATE ROLE wf_test_member; CREATE ROLE wf_test_viewer; CREATE ROLE wf_test_other; CREATE ROLE wf_test_stats;
GRANT pg_read_all_stats, pg_read_all_settings TO wf_test_stats;
CREATE EXTENSION workflow;
CREATE FUNCTION master_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_master_key' LANGUAGE C;
CREATE FUNCTION open_secrets(tenant uuid, names text[]) RETURNS text AS '$libdir/workflow', 'wf_sql_test_open_secrets' LANGUAGE C STRICT;
\pset format unaligned
\pset tuples_only on
SELECT wf_create_tenant('a') IS NOT NULL, wf_create_tenant('b') IS NOT NULL;
SELECT wf_grant('wf_test_owner', 'a', 'owner'), wf_grant('wf_test_admin', 'a', 'admin'), wf_grant('wf_test_member', 'a', 'member'), wf_grant('wf_test_viewer', 'a', 'viewer'), wf_grant('wf_test_other', 'b', 'owner');
CREATE FUNCTION a() RETURNS uuid LANGUAGE sql AS $$ SELECT tenant_id FROM wf.tenant WHERE name = 'a' $$;
CREATE FUNCTION b() RETURNS uuid LANGUAGE sql AS $$ SELECT tenant_id FROM wf.tenant WHERE name = 'b' $$;

-- set, set again, drop
SET ROLE wf_test_admin;
SELECT wf_set_secret('API_KEY', 'canary-one');
SELECT wf_set_secret('_other1', 'canary-other');
SELECT name, version, created_by, updated_by, created_at <= updated_at FROM wf_secrets ORDER BY name;
SET ROLE wf_test_owner;
SELECT wf_set_secret('API_KEY', 'canary-two');
SELECT name, version, created_by, updated_by FROM wf_secrets ORDER BY name;
RESET ROLE;
SELECT open_secrets(a(), '{API_KEY,_other1}'), open_secrets(a(), '{}') = '';
SELECT name, version, ended_at IS NOT NULL AS ended, dropped, ciphertext IS NOT NULL AS has_value, length(nonce), length(ciphertext), key_id FROM wf.secret ORDER BY tenant_id, name, version;
SET ROLE wf_test_owner;
SELECT wf_drop_secret('API_KEY');
SELECT wf_drop_secret('API_KEY');
SELECT wf_drop_secret('_other');
SELECT wf_set_secret('API_KEY', 'canary-three');
SELECT name, version, created_by FROM wf_secrets ORDER BY name;
BEGIN; SELECT wf_set_secret('API_KEY', 'canary-four'); SELECT wf_set_secret('API_KEY', 'canary-five'); SELECT wf_drop_secret('_other1'); SELECT name, version FROM wf_secrets; ROLLBACK;
RESET ROLE;
SELECT open_secrets(a(), '{API_KEY,_other1}');

-- arguments
SET ROLE wf_test_owner;
SELECT wf_set_secret('', 'x'); SELECT wf_set_secret('1a', 'x'); SELECT wf_set_secret('a b', 'x'); SELECT wf_set_secret('schlüssel', 'x'); SELECT wf_set_secret(repeat('a', 129), 'x'); SELECT wf_set_secret(E'a\n', 'x');
SELECT wf_set_secret(NULL, 'x'); SELECT wf_set_secret('x', NULL); SELECT wf_drop_secret(NULL);
SELECT wf_set_secret('big', repeat('x', 65537));
SELECT wf_set_secret('big', repeat('x', 65536)), wf_set_secret('empty', ''), wf_set_secret(repeat('a', 128), 'x');
SELECT count(*) FROM wf_secrets;
SELECT wf_drop_secret('big'), wf_drop_secret('empty'), wf_drop_secret(repeat('a', 128));
PREPARE given(text, text) AS SELECT wf_set_secret($1, $2);
EXECUTE given('_other1', 'canary-other');
DEALLOCATE given;

-- rights
SET ROLE wf_test_member; SELECT wf_set_secret('mine', 'x'); SELECT wf_drop_secret('API_KEY'); SELECT wf_drop_secret('none'); SELECT wf_can('credential:use'), wf_can('credential:create'), count(*) FROM wf_secrets;
SET ROLE wf_test_viewer; SELECT wf_set_secret('mine', 'x'); SELECT wf_drop_secret('API_KEY'); SELECT wf_can('credential:use'), count(*) FROM wf_secrets;
SET ROLE wf_test_other; SELECT count(*) FROM wf_secrets; SELECT wf_drop_secret('API_KEY'); SELECT wf_set_secret('API_KEY', 'canary-of-b');
SET workflow.tenant = 'a'; SELECT count(*) FROM wf_secrets; SELECT wf_set_secret('API_KEY', 'x'); RESET workflow.tenant;
SET ROLE wf_test_stats; SELECT count(*) FROM wf_secrets; SELECT wf_set_secret('API_KEY', 'x');
-- what can be read, by whom
SET ROLE wf_test_owner;
SELECT ciphertext FROM wf.secret; SELECT nonce FROM wf.secret; SELECT key_id FROM wf.secret; SELECT * FROM wf.secret; SELECT s FROM wf.secret s; SELECT to_jsonb(s) FROM wf.secret s; COPY wf.secret TO stdout; SELECT * FROM wf.master_key; SELECT count(*) FROM wf.master_key;
SELECT count(*), count(DISTINCT tenant_id) FROM wf.secret;
INSERT INTO wf.secret (tenant_id, name, version, key_id, created_by) VALUES (wf.current_tenant_id(), 'x', 1, 1, 'wf_test_owner'); UPDATE wf.secret SET name = 'x'; DELETE FROM wf.secret; TRUNCATE wf.secret; SELECT 1 FROM wf.secret FOR UPDATE; DELETE FROM wf.master_key;
SELECT grantee, string_agg(privilege_type, ' ' ORDER BY privilege_type) FROM (SELECT CASE x.grantee WHEN 0 THEN 'public' ELSE x.grantee::regrole::text END AS grantee, x.privilege_type FROM pg_class c, aclexplode(c.relacl) x WHERE c.oid IN ('wf.secret'::regclass, 'wf.master_key'::regclass) AND x.grantee IS DISTINCT FROM c.relowner) p GROUP BY 1;
SELECT pg_get_viewdef('wf_secrets') ~ 'ciphertext|nonce';
\set VERBOSITY sqlstate
SHOW workflow.master_key_file; SHOW workflow.master_key_command; SET workflow.master_key_file = '/tmp/x'; SET workflow.master_key_command = 'true'; ALTER ROLE wf_test_owner SET workflow.master_key_file = '/tmp/x';
\set VERBOSITY default
SELECT count(*) FROM pg_settings WHERE name LIKE 'workflow.master_key%';
RESET ROLE;
-- pg_stat_activity shows another statement from when the function began
SELECT wf_use_tenant('a');
SELECT wf_set_secret('API_KEY', 'canary-three'), (SELECT query ~ 'canary' FROM pg_stat_activity WHERE pid = pg_backend_pid()) AS seen;
RESET workflow.tenant;

-- ciphertexts that somebody moved
SELECT open_secrets(a(), '{API_KEY}'), open_secrets(b(), '{API_KEY}');
BEGIN; UPDATE wf.secret x SET ciphertext = y.ciphertext, nonce = y.nonce FROM wf.secret y WHERE x.tenant_id = a() AND y.tenant_id = b() AND x.name = 'API_KEY' AND y.name = 'API_KEY' AND x.ended_at IS NULL AND y.ended_at IS NULL; SELECT open_secrets(a(), '{API_KEY}'), open_secrets(a(), '{_other1}'), open_secrets(b(), '{API_KEY}'); ROLLBACK;
BEGIN; UPDATE wf.secret x SET ciphertext = y.ciphertext, nonce = y.nonce FROM wf.secret y WHERE x.tenant_id = a() AND y.tenant_id = a() AND x.name = '_other1' AND y.name = 'API_KEY' AND x.ended_at IS NULL AND y.ended_at IS NULL; SELECT open_secrets(a(), '{API_KEY,_other1}'); ROLLBACK;
BEGIN; UPDATE wf.secret SET version = 99 WHERE tenant_id = a() AND name = 'API_KEY' AND ended_at IS NULL; SELECT open_secrets(a(), '{API_KEY}'); ROLLBACK;
BEGIN; UPDATE wf.secret SET name = 'renamed' WHERE tenant_id = a() AND name = 'API_KEY' AND ended_at IS NULL; SELECT open_secrets(a(), '{renamed}'); ROLLBACK;
BEGIN; UPDATE wf.secret SET nonce = '\x00' WHERE tenant_id = a() AND name = 'API_KEY' AND ended_at IS NULL; SELECT open_secrets(a(), '{API_KEY}'); ROLLBACK;
BEGIN; UPDATE wf.secret SET ciphertext = '' WHERE tenant_id = a() AND name = 'API_KEY' AND ended_at IS NULL; SELECT open_secrets(a(), '{API_KEY}'); ROLLBACK;
SELECT open_secrets(a(), '{API_KEY,API_KAY}'), open_secrets(b(), '{_other1}');

-- another master key
SELECT master_key('\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
SELECT open_secrets(a(), '{API_KEY}');
SET ROLE wf_test_owner; SELECT wf_set_secret('API_KEY', 'canary-lost'); SELECT wf_set_secret('new', 'canary-lost'); SELECT wf_drop_secret('_other1'); RESET ROLE;
SELECT master_key(NULL);
SELECT open_secrets(a(), '{API_KEY}');
SELECT count(*) FROM wf.master_key;

-- in workflows: in fields that take them, and nowhere else
CREATE FUNCTION mirror(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT config $$;
GRANT USAGE ON SCHEMA public TO PUBLIC;
SET ROLE wf_test_admin;
SELECT wf_set_secret('_other1', 'canary-other');
SELECT wf_register_block('test.mirror', 'mirror(jsonb,jsonb)', '{"type": "object", "properties": {"auth": {"x-secret": true}, "list": {"type": "array", "items": {"properties": {"key": {"x-secret": true}}}}, "plain": {}}}');
SELECT wf_register_block('my.mirror', 'mirror(jsonb,jsonb)', '{"type": "object", "properties": {"auth": {"x-secret": true}}}');
CREATE FUNCTION pg_temp.config(config jsonb, type text DEFAULT 'test.mirror') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'm', 'type', type, 'config', config)), 'edges', '[]'::jsonb) $$;
SELECT c, (SELECT string_agg(concat_ws(' ', severity, code, path, message, hint), E'\n   ') FROM wf_validate(pg_temp.config(c))) FROM (VALUES
	('{"auth": "{{ $secrets._other1 }}"}'::jsonb), ('{"auth": {"deep": ["Bearer {{ $secrets[\"_other1\"] }}"]}}'), ('{"list": [{"key": "{{ $secrets._other1 }}"}]}'),
	('{"auth": "{{ `x ${$secrets.API_KEY}` + ($input.a ? $secrets?._other1 : null) }}"}'), ('{"auth": "{{ ({k: $secrets.API_KEY}) }}"}'),
	('{"auth": "{{ $secrets.MISSING }} {{ $secrets.MISSING }} {{ $secrets.ALSO }}"}'),
	('{"plain": "{{ $secrets.API_KEY }}"}'), ('{"list": [{"other": "{{ $secrets.API_KEY }}"}]}'), ('{"unknown": "{{ $secrets.API_KEY }}"}'),
	('{"auth": "{{ $secrets }}"}'), ('{"auth": "{{ $secrets[$input.name] }}"}'), ('{"auth": "{{ $secrets[0] }}"}'), ('{"auth": "{{ $secrets[\"a b\"] }}"}'), ('{"auth": "{{ ({$secrets}) }}"}'), ('{"auth": "{{ Object.keys($secrets) }}"}'),
	('{"auth": "{{ $secrets.API_KEY.length }}"}'), ('{"auth": "{{ $secrets.API_KEY.toUpperCase() }}"}'), ('{"auth": "{{ $secrets.API_KEY[0] }}"}'), ('{"auth": "{{ ($secrets.API_KEY)[$input.i] }}"}'), ('{"auth": "{{ $secrets.API_KEY() }}"}'), ('{"auth": "{{ $secrets?.() }}"}'), ('{"auth": "{{ $secrets.toString() }}"}'), ('{"auth": "{{ $secrets`x` }}"}'), ('{"auth": "{{ $secrets.x`x` }}"}')) v (c);
SELECT concat_ws(' ', severity, code, message) FROM wf_validate(pg_temp.config('{"auth": "{{ $secrets._other1 }}"}', 'my.mirror'));
SELECT concat_ws(' ', severity, code, message) FROM wf_validate('{"nodes": [{"id": "a", "type": "set", "config": {"variables": {"k": "{{ $secrets.API_KEY }}"}}}, {"id": "b", "type": "noop"}], "edges": [{"source": "a", "target": "b", "condition": "$secrets.API_KEY"}]}');
SELECT wf_eval('$secrets.API_KEY'); SELECT wf_eval('$secrets.API_KEY', '{"secrets": {"API_KEY": 1}}');
SELECT wf_save('use', pg_temp.config('{"auth": ["{{ $secrets.API_KEY }}", "Bearer {{ $secrets._other1 }}", "{{ $secrets.API_KEY }}"], "plain": 1}'));
SELECT wf_save('missing', pg_temp.config('{"auth": "{{ $secrets.NOT_YET }}"}'));
-- a marker of a nonce of the step's own; nothing else is to be seen of it anywhere
CREATE TEMP TABLE seen AS SELECT wf_run('use')->'output' AS o UNION ALL SELECT wf_run('use')->'output';
SELECT count(DISTINCT substr(o#>>'{auth,0}', 2, 32)) AS nonces, bool_and(o#>>'{auth,0}' ~ '^\uE000[0-9a-f]{32}:API_KEY\uE001$') AS marker, bool_and(o#>>'{auth,1}' ~ '^Bearer \uE000[0-9a-f]{32}:_other1\uE001$') AS joined, bool_and(o#>'{auth,0}' = o#>'{auth,2}') AS same FROM seen;
SELECT count(*) FROM wf_steps s, wf_runs r WHERE to_jsonb(s)::text || to_jsonb(r)::text ~ 'canary';
SELECT wf_run('missing')->'error';
SET ROLE wf_test_member; SELECT wf_run('use')->>'status', wf_dry_run('use')->>'status';
-- credential:use is asked of who a run executes as
RESET ROLE; SET ROLE wf_test_admin;
SELECT wf_save('definer', pg_temp.config('{"auth": "{{ $secrets._other1 }}"}') || '{"settings": {"security": "definer"}}');
SET ROLE wf_test_member; SELECT wf_run('definer')->>'status';
RESET ROLE; SELECT wf_grant('wf_test_admin', 'a', 'viewer');
SET ROLE wf_test_member; SELECT wf_run('definer')->'error';
SET ROLE wf_test_owner;
SELECT wf_run('use')->>'status';
SELECT wf_drop_secret('_other1'); SELECT wf_run('use')->'error'->>'code';
RESET ROLE;
SELECT count(*) FROM wf.run r WHERE r::text ~ 'canary';
SELECT count(*) FROM wf.segment r WHERE r::text ~ 'canary';
SELECT count(*) FROM wf.secret r WHERE r::text ~ 'canary' OR position('canary'::bytea in coalesce(ciphertext, '')) > 0;

-- with the tenant go its secrets
DELETE FROM wf.member WHERE tenant_id = b(); DELETE FROM wf.tenant WHERE name = 'b'; SELECT count(*) FROM wf.secret WHERE tenant_id NOT IN (SELECT tenant_id FROM wf.tenant);
DROP EXTENSION workflow CASCADE;
DROP OWNED BY wf_test_owner, wf_test_admin, wf_test_member, wf_test_viewer, wf_test_other, wf_test_stats;
DROP ROLE wf_test_owner, wf_test_admin, wf_test_member, wf_test_viewer, wf_test_other, wf_test_stats;
