-- personal data: marked in schemas and by paths of a tenant, masked for those without pii:read, in views and in the tables
SET client_min_messages = warning;
CREATE ROLE wf_test_owner; CREATE ROLE wf_test_admin; CREATE ROLE wf_test_member; CREATE ROLE wf_test_other_member; CREATE ROLE wf_test_viewer; CREATE ROLE wf_test_foreign;
CREATE EXTENSION workflow;
RESET client_min_messages;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
SELECT wf_create_tenant('acme') IS NOT NULL, wf_create_tenant('other') IS NOT NULL;
SELECT wf_grant('wf_test_owner', 'acme', 'owner'), wf_grant('wf_test_admin', 'acme', 'admin'), wf_grant('wf_test_member', 'acme', 'member'), wf_grant('wf_test_other_member', 'acme', 'member'), wf_grant('wf_test_viewer', 'acme', 'viewer'), wf_grant('wf_test_foreign', 'other', 'owner');

-- who may
SET ROLE wf_test_owner; SELECT wf_can('pii:read'); SET ROLE wf_test_admin; SELECT wf_can('pii:read'); SET ROLE wf_test_member; SELECT wf_can('pii:read'); SET ROLE wf_test_viewer; SELECT wf_can('pii:read');

-- the keyword
SET ROLE wf_test_member;
SELECT message FROM wf_validate('{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"a": {"pii": "yes"}}}}}], "edges": []}');
SELECT message FROM wf_validate('{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"a": {"pii": true}, "b": {"pii": false}}}}}], "edges": []}');

-- a run: the values are masked where they are marked, and wherever they turn up
SELECT wf_save('greet', '{"nodes": [
  {"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"type": "object", "properties": {
     "email": {"type": "string", "pii": true}, "vip": {"type": "boolean", "pii": true}, "age": {"pii": true},
     "home": {"$ref": "#/$defs/address"}, "kids": {"type": "array", "items": {"properties": {"name": {"pii": true}}}}},
     "$defs": {"address": {"pii": true}}}}},
  {"id": "text", "type": "set", "config": {"variables": {"line": "Dear {{ $trigger.email }}, you live in {{ $trigger.home.city }}", "first": "{{ $trigger.kids[0].name }}", "n": "{{ $trigger.n }}"}}},
  {"id": "keyed", "type": "set", "config": {"variables": {"keyed": "{{ Object.fromEntries([[$trigger.email, 1], [''ssn'', $trigger.ssn]]) }}"}}},
  {"id": "done", "type": "return", "config": {"value": {"line": "{{ $node.text.output.line }}", "age": "{{ $trigger.age }}"}}}],
  "edges": [{"source": "in", "target": "text"}, {"source": "text", "target": "keyed"}, {"source": "keyed", "target": "done"}]}');
-- who runs it gets its own result
SELECT wf_run('greet', '{"email": "bob@example.org", "vip": true, "age": 12345, "n": 12345, "ssn": "12345", "home": {"city": "Pisa", "nr": 4}, "kids": [{"name": "Ada"}, {"name": "Bea", "x": null}]}', '{"idempotencyKey": "k1"}') -> 'output';
SELECT input, output FROM wf_runs;
SELECT node, input, output FROM wf_steps ORDER BY seq;
RESET ROLE; SET workflow.tenant = 'acme';
SELECT input, output FROM wf_runs;
SELECT node, input, output FROM wf_steps ORDER BY seq;
RESET workflow.tenant;
-- an admin, a viewer, one of another tenant
SET ROLE wf_test_admin; SELECT output FROM wf_runs;
SET ROLE wf_test_viewer; SELECT output FROM wf_runs; SELECT count(*) FROM wf.pii;
SELECT wf.shown(output, tenant_id, run_id) FROM wf.run;
SET ROLE wf_test_foreign; SELECT count(*) FROM wf.pii; SELECT count(*) FROM wf_runs;
-- the tables have none of it, and what has it is not readable
SET ROLE wf_test_member;
SELECT count(*) FROM wf.pii;
SELECT count(*) FROM wf.run r, wf.segment s WHERE concat(r.*, s.*) ~ 'bob@|Pisa|Ada|Bea|12345';
SELECT count(*) FROM wf.pii_key;
SELECT sealed FROM wf.live; SELECT state FROM wf.live; SELECT signals FROM wf.live; SELECT sealed FROM wf.queue; SELECT sealed FROM wf.held; SELECT payload FROM wf.event; SELECT payload FROM wf.debounce; SELECT decisions FROM wf.task; SELECT sealed FROM wf.task; SELECT input FROM wf.failed; SELECT correlation FROM wf.wait; SELECT gate FROM wf.gate; SELECT idempotency_key FROM wf.idempotency;
-- forged tokens show nothing
SELECT wf.shown(to_jsonb(E'\x02pii:1.1\x03'::text), tenant_id, run_id) FROM wf.run;
SELECT wf_run('greet', jsonb_build_object('n', E'\x02pii:1.1\x03'::text)) -> 'status';
-- the second start with the key: by who started it, by another one, by who may
SELECT wf_run('greet', '{}', '{"idempotencyKey": "k1"}') #>> '{output,line}';
SET ROLE wf_test_other_member; SELECT wf_run('greet', '{}', '{"idempotencyKey": "k1"}') #>> '{output,line}';
SET ROLE wf_test_admin; SELECT wf_run('greet', '{}', '{"idempotencyKey": "k1"}') #>> '{output,line}';
-- wf_await
SELECT wf_await(run_id) #>> '{output,line}' FROM wf_runs WHERE output ? 'line' AND input ? 'email';
SET ROLE wf_test_other_member;
SELECT wf_await(run_id) #>> '{output,line}' FROM wf_runs WHERE input ? 'email';
SET ROLE wf_test_member;
SELECT wf_await(run_id) #>> '{output,line}' FROM wf_runs WHERE input ? 'email';

-- a failure: the caller is told, the record is masked; dry runs tell all
SELECT wf_save('refuse', '{"nodes": [
  {"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"email": {"pii": true}}}}},
  {"id": "no", "type": "fail", "config": {"code": "NO", "message": "not for {{ $trigger.email }}"}}], "edges": [{"source": "in", "target": "no"}]}');
SELECT wf_run('refuse', '{"email": "eve@example.org"}') #>> '{error,message}';
SELECT error ->> 'message' FROM wf_runs WHERE workflow = 'refuse';
SELECT error ->> 'message' FROM wf_dead_letters ORDER BY failed_at;
SELECT node, error ->> 'message' FROM wf_steps WHERE error IS NOT NULL;
SELECT wf_call('refuse', '{"email": "eve@example.org"}');
SELECT wf_dry_run('refuse', '{"email": "eve@example.org"}') #>> '{error,message}', wf_dry_run('refuse', '{"email": "eve@example.org"}') ->> 'steps' LIKE '%eve@%';
SET ROLE wf_test_owner;
SELECT error ->> 'message' FROM wf_dead_letters ORDER BY failed_at;

-- a called workflow's marks are the run's
SET ROLE wf_test_member;
SELECT wf_save('outer', '{"nodes": [{"id": "call", "type": "subworkflow", "config": {"workflow": "refuse", "input": {"email": "{{ $trigger.to }}"}}}], "edges": []}');
SELECT wf_run('outer', '{"to": "fay@example.org"}') #>> '{error,message}';
SELECT input, error ->> 'message' FROM wf_runs WHERE workflow = 'outer';
SELECT node, error ->> 'message' FROM wf_steps WHERE path LIKE 'call%' ORDER BY seq;

-- paths of the tenant
RESET ROLE;
UPDATE wf.tenant SET settings = '{"piiPaths": ["customer.email", "**.iban", "list.*.x"]}' WHERE name = 'acme';
SET ROLE wf_test_member;
SELECT wf_save('plain', '{"nodes": [{"id": "a", "type": "set", "config": {"variables": {"deep": [{"iban": "DE1234"}], "say": "to {{ $trigger.customer.email }}", "other": {"email": "kept@example.org"}}}},
  {"id": "b", "type": "set", "config": {"variables": {"t": "DE1234 and {{ $trigger.list[1].x }}"}}}], "edges": [{"source": "a", "target": "b"}]}');
SELECT wf_run('plain', '{"customer": {"email": "gil@example.org"}, "list": [{"x": "one of"}, {"x": "two of"}]}') ->> 'output';
SELECT input, output FROM wf_runs WHERE workflow = 'plain';
SELECT node, s.output FROM wf_steps s JOIN wf_runs USING (run_id) WHERE workflow = 'plain' ORDER BY seq;
RESET ROLE;
-- those below inherit them; what is no path stops
SELECT wf_create_tenant('below', '{"parent": "acme"}') IS NOT NULL, wf_grant('wf_test_foreign', 'below', 'member');
SET ROLE wf_test_foreign; SET workflow.tenant = 'below';
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}');
SELECT wf_run('w', '{"iban": "FR99"}') ->> 'status';
SELECT input FROM wf_runs;
RESET ROLE; RESET workflow.tenant;
UPDATE wf.tenant SET settings = '{"piiPaths": ["a..b"]}' WHERE name = 'acme';
SET ROLE wf_test_member; SELECT wf_run('plain'); RESET ROLE;
UPDATE wf.tenant SET settings = '{"piiPaths": ["a.**"]}' WHERE name = 'acme';
SET ROLE wf_test_member; SELECT wf_run('plain'); RESET ROLE;
UPDATE wf.tenant SET settings = '{"piiPaths": [7]}' WHERE name = 'acme';
SET ROLE wf_test_member; SELECT wf_run('plain'); RESET ROLE;
UPDATE wf.tenant SET settings = '{}' WHERE name = 'acme';
-- what somebody gives a run tells him nothing of what else is in it
SET ROLE wf_test_admin;
SELECT wf_save('reads', '{"settings": {"security": "definer"}, "nodes": [
  {"id": "q", "type": "db.query", "config": {"sql": "SELECT ''GB77 of the bank'' AS iban"}},
  {"id": "r", "type": "return", "config": {"value": ["{{ $trigger.x }}", "a {{ $trigger.x }}", {"y": "{{ $trigger }}"}]}}], "edges": [{"source": "q", "target": "r"}]}');
RESET ROLE;
UPDATE wf.tenant SET settings = '{"piiPaths": ["**.iban"]}' WHERE name = 'acme';
SET ROLE wf_test_member;
SELECT wf_run('reads', (SELECT jsonb_build_object('x', string_agg(format(E'\x02pii:1.%s\x03', i), ' '), E'\x02pii:1.1\x03', 1) FROM generate_series(1, 20) i)) ->> 'status';
SELECT wf_await(run_id)::text LIKE '%GB77%', input, output FROM wf_runs WHERE workflow = 'reads';
SET ROLE wf_test_admin;
SELECT output::text LIKE '%GB77%', input ->> 'x' = output ->> 0, output -> 2 -> 'y' = input, (SELECT s.output #>> '{rows,0,iban}' FROM wf_steps s WHERE s.run_id = r.run_id AND node = 'q') FROM wf_runs r WHERE workflow = 'reads';
RESET ROLE;
-- whatever a document is like: what may be seen is what it was, and what may not is nowhere
CREATE FUNCTION made(depth int) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE r jsonb;
BEGIN
	IF depth = 0 OR random() < 0.3 THEN
		RETURN (ARRAY['null', 'true', '"plain"', '""', '12', '123456', '"é\u00fc\n\"x"', '1.50', '"secret one"', '"with secret two in it"', '"secret"', '987654321', '-987654321', '"id 987654321"', '[]', '{}', '"\u0002pii:1.1\u0003"'])[1 + floor(random() * 17)];
	ELSIF random() < 0.5 THEN
		SELECT coalesce(jsonb_agg(made(depth - 1)), '[]') INTO r FROM generate_series(1, (random() * 4)::int);
	ELSE
		SELECT coalesce(jsonb_object_agg((ARRAY['a', 'iban', 'b', 'secret one', 'key of secret two', 'x.y'])[1 + floor(random() * 6)], made(depth - 1)), '{}') INTO r FROM generate_series(1, (random() * 4)::int);
	END IF;
	RETURN r;
END $$;
UPDATE wf.tenant SET settings = '{"piiPaths": ["**.iban", "known.*"]}' WHERE name = 'acme';
CREATE TABLE given AS SELECT i, jsonb_build_object('known', '["secret one", "secret two", 987654321]'::jsonb, 'doc', made(5)) AS doc FROM generate_series(1, 300) i;
GRANT ALL ON given TO PUBLIC;
SET ROLE wf_test_admin;
SELECT wf_save('echo', '{"nodes": [{"id": "s", "type": "set", "config": {"variables": {"v": "{{ $trigger }}"}}}, {"id": "r", "type": "return", "config": {"value": "{{ $vars.v }}"}}], "edges": [{"source": "s", "target": "r"}]}');
SELECT count(*) FROM given WHERE wf_run('echo', doc, jsonb_build_object('correlationId', i::text)) -> 'output' = doc;
SELECT count(*) FILTER (WHERE r.input = doc AND r.output = doc AND s.output = jsonb_build_object('v', doc)) FROM wf_runs r JOIN given ON i::text = correlation_id JOIN wf_steps s USING (run_id) WHERE workflow = 'echo' AND node = 's';
SET ROLE wf_test_viewer;
SELECT count(*) FILTER (WHERE concat(r.input, r.output, s.input, s.output) ~ 'secret (one|two)|987654321|pii:'), count(DISTINCT run_id) FROM wf_runs r JOIN wf_steps s USING (run_id) WHERE workflow = 'echo';
RESET ROLE;
SELECT count(*) FROM wf.run r, wf.segment s WHERE r.run_id = s.run_id AND correlation_id IS NOT NULL AND concat(r.*, s.*) ~ 'secret (one|two)|987654321';
DROP FUNCTION made(int);
DROP TABLE given;
-- without a journal there is a record still
SET ROLE wf_test_member;
SELECT wf_save('bare', '{"settings": {"journal": "none"}, "nodes": [{"id": "s", "type": "return", "config": {"value": {"iban": "{{ $trigger.iban }}"}}}], "edges": []}');
SELECT wf_run('bare', '{"iban": "NL00 none"}') ->> 'output';
SELECT input, output FROM wf_runs WHERE workflow = 'bare';
SET ROLE wf_test_admin; SELECT input, output FROM wf_runs WHERE workflow = 'bare';
RESET ROLE;
UPDATE wf.tenant SET settings = '{}' WHERE name = 'acme';
-- what marks nothing has no vault
SET ROLE wf_test_owner;
SELECT count(*) AS before FROM wf.pii \gset
SELECT wf_run('plain', '{"customer": {"email": "hal@example.org"}, "list": [{}, {}]}') ->> 'status';
SELECT count(*) - :before FROM wf.pii;

-- a row trigger's run, in the writer's transaction: its error is not told to who looks at triggers
RESET ROLE;
CREATE TABLE people (name text);
GRANT ALL ON people TO wf_test_owner; ALTER TABLE people OWNER TO wf_test_owner;
SET ROLE wf_test_owner;
SELECT wf_save('watch', '{"nodes": [
  {"id": "in", "type": "trigger.row", "config": {"table": "people", "events": ["insert"], "mode": "sync"}},
  {"id": "ask", "type": "validate", "config": {"data": "{{ $trigger.new }}", "schema": {"properties": {"name": {"pii": true}}}}},
  {"id": "no", "type": "fail", "config": {"code": "NO", "message": "{{ $trigger.new.name }} is refused"}}], "edges": [{"source": "in", "target": "ask"}, {"source": "ask", "target": "no"}]}');
INSERT INTO people VALUES ('Ines Iten');
SELECT last_error FROM wf_triggers WHERE workflow = 'watch';

RESET ROLE;
SELECT problem FROM wf.check_invariants();
DROP TABLE people;
DROP EXTENSION workflow;
DROP ROLE wf_test_owner; DROP ROLE wf_test_admin; DROP ROLE wf_test_member; DROP ROLE wf_test_other_member; DROP ROLE wf_test_viewer; DROP ROLE wf_test_foreign;
