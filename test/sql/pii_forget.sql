-- wf_forget: a value erased from all that is known of a tenant's runs, marked or not
SET client_min_messages = warning;
CREATE ROLE wf_test_owner; CREATE ROLE wf_test_admin; CREATE ROLE wf_test_member; CREATE ROLE wf_test_foreign;
CREATE EXTENSION workflow;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SELECT wf_create_tenant('acme') IS NOT NULL, wf_create_tenant('other') IS NOT NULL;
SELECT wf_grant('wf_test_owner', 'acme', 'owner'), wf_grant('wf_test_admin', 'acme', 'admin'), wf_grant('wf_test_member', 'acme', 'member'), wf_grant('wf_test_foreign', 'other', 'owner');

-- what is erased of a document
SELECT wf.erased('{"a": "bob", "b": ["xbobx", 1, null, true], "bob": {"c": "BOB"}, "n": 7}'::jsonb, NULL, '"bob"');
SELECT wf.erased('{"a": 1234, "b": ["1234 and 12345", 12345, 1234.0, 1.234e3]}'::jsonb, NULL, '1234');
SELECT wf.erased('{"a": {"x": 1}, "b": [{"x": 1}, {"x": 1, "y": 2}]}'::jsonb, NULL, '{"x": 1}');
SELECT wf.erased('"bobob"'::jsonb, NULL, '"bob"'), wf.erased('"bobbob"'::jsonb, NULL, '"bob"'), wf.erased('7'::jsonb, NULL, '7'), wf.erased('[]'::jsonb, NULL, '"bob"');
SELECT wf.erased('a bob'::text, NULL, '"bob"'), wf.erased(ARRAY['bob', NULL, 'x'], NULL, '"bob"'), wf.erased('{}'::text[], NULL, '"bob"'), wf.erased('a bob'::text, 'a', '"bob"');
SELECT wf.erased('{"a": {"b": "bob"}, "b": "bob"}'::jsonb, 'a.b', '"bob"');
SELECT wf.erased('{"a": {"b": "Bob bob"}, "b": "bob"}'::jsonb, '**.b', '"bob"');
SELECT wf.erased('{"a": [{"b": "bob"}, {"b": "bo"}, {"c": "bob"}]}'::jsonb, 'a.*.b', '"bob"'), wf.erased('{"a": [{"b": "bob"}, {"b": "bob"}]}'::jsonb, 'a.1.b', '"bob"');
SELECT wf.erased('{"a": "bob"}'::jsonb, 'a..b', '"bob"');
SELECT wf.erased(NULL::jsonb, NULL, '"bob"') IS NULL, wf.erased('"bob"'::jsonb, NULL, NULL), wf.may_hold('"bob"'::jsonb, NULL, NULL), wf.may_hold(NULL::jsonb, NULL, '"bob"');
SELECT wf.erased(NULL::wf.step[], NULL, '"bob"') IS NULL, cardinality(wf.erased('{}'::wf.step[], NULL, '"bob"'));
-- a thousand documents through one call site, with other values each time
SELECT count(*) FILTER (WHERE wf.erased(to_jsonb('v' || i || ' and v' || i + 1), NULL, to_jsonb('v' || i)) = to_jsonb('[erased] and v' || i + 1)) FROM generate_series(1000, 1999) i;

-- runs: some of before the mark, some of after
SET ROLE wf_test_member;
SELECT wf_save('w', '{"nodes": [
  {"id": "in", "type": "trigger.manual", "config": {"inputSchema": {}}},
  {"id": "say", "type": "set", "config": {"variables": {"say": "Hello {{ $trigger.who.name }}", "who": "{{ $trigger.who }}"}}},
  {"id": "done", "type": "if", "config": {"condition": "$trigger.fail === true"}},
  {"id": "no", "type": "fail", "config": {"code": "NO", "message": "no {{ $trigger.who.name }}"}}],
  "edges": [{"source": "in", "target": "say"}, {"source": "say", "target": "done"}, {"source": "done", "sourceHandle": "true", "target": "no"}]}');
SELECT wf_run('w', '{"who": {"name": "Zoe Zero", "id": 4711}}', '{"correlationId": "of Zoe Zero", "tags": ["Zoe Zero", "t"], "idempotencyKey": "Zoe Zero 1", "env": {"for": "Zoe Zero"}}') ->> 'status';
SELECT wf_run('w', '{"who": {"name": "Zoe Zero", "id": 4711}, "fail": true}', '{"idempotencyKey": "Zoe Zero 2"}') ->> 'status';
SELECT wf_run('w', '{"who": {"name": "Yan Other", "id": 4712}}') ->> 'status';
SELECT wf_save('w', (definition - 'x') || jsonb_build_object('nodes', jsonb_set(definition -> 'nodes', '{0,config,inputSchema}', '{"properties": {"who": {"properties": {"name": {"pii": true}}}}}'))) FROM wf.version v JOIN wf.workflow USING (tenant_id, workflow_id) WHERE name = 'w' AND version = 1;
SELECT wf_run('w', '{"who": {"name": "Zoe Zero", "id": 4711}}') ->> 'status';
SELECT wf_run('w', '{"who": {"name": "Zoe Zero", "id": 4711}, "fail": true}') ->> 'status';
SELECT wf_run('w', '{"who": {"name": "Yan Other", "id": 4712}}') ->> 'status';
SELECT input, output, error ->> 'message', correlation_id, tags FROM wf_runs ORDER BY queued_at;

-- who may, and what it asks for
SELECT wf_forget('acme', NULL, '"Zoe Zero"');
SET ROLE wf_test_foreign;
SELECT wf_forget('acme', NULL, '"Zoe Zero"');
SELECT wf_forget('no such tenant', NULL, '"Zoe Zero"');
SET ROLE wf_test_admin;
SELECT wf_forget('acme', NULL, NULL);
SELECT wf_forget(NULL, NULL, '"Zoe Zero"');
SELECT wf_forget('acme', NULL, 'null');
SELECT wf_forget('acme', NULL, 'true');
SELECT wf_forget('acme', NULL, '""');
SELECT wf_forget('acme', '*', '"Zo"');
SELECT wf_forget('acme', NULL, '{}');
SELECT wf_forget('acme', 'a..b', '"Zoe Zero"');
SELECT wf_forget('acme', '', '"Zoe Zero"');
BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT wf_forget('acme', NULL, '"Zoe Zero"'); ROLLBACK;
BEGIN READ ONLY; SELECT wf_forget('acme', NULL, '"Zoe Zero"'); ROLLBACK;
SELECT count(*) FROM wf_forgotten;

-- at a path: there, and what was marked of it wherever it turned up
BEGIN;
SELECT wf_forget('acme', 'who.name', '"Zoe Zero"') > 0;
SELECT input, output, error ->> 'message', correlation_id FROM wf_runs ORDER BY queued_at;
SELECT node, output FROM wf_steps WHERE output::text LIKE '%Zoe%' OR node = 'say' ORDER BY run_id, seq;
ROLLBACK;
-- everywhere
SELECT wf_forget('acme', NULL, '"Zoe Zero"') > 0;
SELECT input, output, error ->> 'message', regexp_replace(correlation_id, '[0-9a-f-]{36}', '<id>'), tags FROM wf_runs ORDER BY queued_at;
SELECT node, input, output, error ->> 'message' FROM wf_steps WHERE node IN ('in', 'say', 'no') ORDER BY run_id, seq;
RESET ROLE;
SELECT regexp_replace(idempotency_key, '[0-9a-f-]{36}', '<id>') FROM wf.run WHERE idempotency_key IS NOT NULL;
SELECT count(*) FROM wf.run r JOIN wf.idempotency i USING (tenant_id, run_id, idempotency_key);
-- a number, an object
SET ROLE wf_test_owner;
SELECT wf_forget('acme', 'who.id', '4711') > 0, wf_forget('acme', '*', '{"id": 4712, "name": "Yan Other"}') > 0;
SELECT input FROM wf_runs ORDER BY queued_at;
-- twice finds nothing, and is noted, too; the digest of a value is always the same, and tells nothing
SELECT wf_forget('acme', NULL, '"Zoe Zero"');
SELECT forgotten_by, path, octet_length(digest), places > 0, digest = first_value(digest) OVER (ORDER BY forgotten_at) FROM wf_forgotten ORDER BY forgotten_at;
SELECT count(*) FROM wf_forgotten WHERE digest = sha256('"Zoe Zero"');
SET ROLE wf_test_member; SELECT count(*) FROM wf_forgotten; SELECT key FROM wf.pii_key; DELETE FROM wf.forgotten; UPDATE wf.forgotten SET places = 0;
SET ROLE wf_test_foreign; SELECT count(*) FROM wf_forgotten;
-- a failed run can be retried still; other tenants are not touched
RESET ROLE;
SELECT problem FROM wf.check_invariants();
SET ROLE wf_test_foreign;
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}');
SELECT wf_run('w', '{"name": "Zoe Zero"}') ->> 'status';
SET ROLE wf_test_owner; SELECT wf_forget('acme', NULL, '"Zoe Zero"');
SET ROLE wf_test_foreign; SELECT input FROM wf_runs;
RESET ROLE;
-- what is behind the masks goes with its run
CREATE FUNCTION keeper(what text, now timestamptz, run uuid, most int) RETURNS int LANGUAGE c AS '$libdir/workflow', 'wf_sql_test_keeper';
UPDATE wf.tenant SET quotas = '{"retention": "1 hour"}' WHERE name = 'acme';
SELECT count(*) > 0 FROM wf.pii;
SELECT keeper('expire', now() + interval '2 hours', '00000000-0000-0000-0000-000000000000', 1000) > 0;
SELECT count(*), (SELECT count(*) FROM wf.forgotten) FROM wf.pii;
SELECT problem FROM wf.check_invariants();
DROP FUNCTION keeper(text, timestamptz, uuid, int);
DROP EXTENSION workflow;
DROP ROLE wf_test_owner; DROP ROLE wf_test_admin; DROP ROLE wf_test_member; DROP ROLE wf_test_foreign;
