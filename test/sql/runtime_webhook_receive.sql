-- trigger.webhook and respond: which webhook a request is for, what its run gets, what is answered
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE got (what text, n int);
-- the answer in one line, ids as #
CREATE FUNCTION hook(path text, method text DEFAULT 'POST', body text DEFAULT '{}', headers jsonb DEFAULT '{}', query jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(concat_ws(' ', a->>'status', NULLIF(a->'headers', '{"content-type": "application/json"}'), a->>'body'), '[0-9a-f]{8}-[0-9a-f-]{27}', '#', 'g')
	FROM wf_webhook(path, method, '{"Content-Type": "application/json"}' || headers, convert_to(body, 'UTF8'), query) a $$;
-- a workflow that says what it got
CREATE FUNCTION hooked(name text, config jsonb, value jsonb DEFAULT '"{{ $trigger }}"') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'in', 'type', 'trigger.webhook', 'config', config),
		jsonb_build_object('id', 'out', 'type', 'return', 'config', jsonb_build_object('value', value))), 'edges', '[{"source": "in", "target": "out"}]'::jsonb)) $$;

-- in the background
SELECT hooked('order', '{"path": "/orders/{id}"}');
SELECT hook('/default/orders/42', 'POST', '{"qty": 2}', '{"X-Source": " shop "}', '{"v": "1", "tag": ["a", "b"]}');
SELECT test.ends(run_id) FROM wf_runs;
SELECT workflow, trigger, status, started_by = current_user AS by_the_owner, (SELECT owner FROM wf_workflows WHERE name = 'order') = current_user AS owner FROM wf_runs;
SELECT workflow, node, type, state, target, fired_count, failed_count FROM wf_triggers;
-- the function's own shape
SELECT a - 'body' AS answer, a#>>'{body,run_id}' AS run FROM wf_webhook('/default/orders/43', 'POST', '{}', NULL) a \gset
SELECT :'answer', :'run' = max(run_id::text) FROM wf_runs;

-- one answer for all that there is not
SELECT count(DISTINCT a) AS answers, min(a::text) FROM unnest(ARRAY[
	wf_webhook('/default/orders', 'POST', '{}', ''), wf_webhook('/default/orders/1/2', 'POST', '{}', ''), wf_webhook('/default/Orders/1', 'POST', '{}', ''),
	wf_webhook('/other/orders/1', 'POST', '{}', ''), wf_webhook('/orders/1', 'POST', '{}', ''), wf_webhook('/default', 'POST', '{}', ''), wf_webhook('/', 'POST', '{}', ''), wf_webhook('', 'POST', '{}', ''), wf_webhook(NULL, 'POST', '{}', ''),
	wf_webhook('/default/orders/1', 'GET', '{}', ''), wf_webhook('/default/orders/1', 'BREW', '{}', ''), wf_webhook('/default/orders/1', NULL, '{}', ''), wf_webhook('/default/orders/', 'POST', '{}', ''),
	wf_webhook('default/orders/1', 'POST', '{}', ''), wf_webhook('/default//orders/1', 'POST', '{}', ''), wf_webhook('/default/orders/..', 'POST', '{}', ''), wf_webhook('/default/orders/%2e%2e', 'POST', '{}', ''), wf_webhook('/default/orders/%zz', 'POST', '{}', ''), wf_webhook('/default/orders/1?x=1', 'POST', '{}', '')]) a;
SELECT wf_disable_trigger('order', 'in');
SELECT hook('/default/orders/1');
SELECT wf_enable_trigger('order', 'in'), wf_set_status('order', 'paused');
SELECT hook('/default/orders/1');
SELECT wf_set_status('order', 'active');
SELECT hook('/default/orders/1'), hook('/default/orders/a%2Fb%20c/', 'post');
SELECT input->'params', input->'path', input->'method' FROM wf_runs ORDER BY run_id DESC LIMIT 1;

-- whenDone: in the transaction
SELECT hooked('now', '{"path": "/now/{a}/{b}", "method": "PUT", "respond": "whenDone"}');
SELECT hook('/default/now/1/%C3%A4', 'PUT', '[1, {"x": null}]', '{"X-A": ["1", "2"], "Authorization": "kept"}', '{"q": null}');
SELECT hook('/default/now/1/2', 'PUT', ''), hook('/default/now/1/2', 'PUT', 'a=1&b=%20', '{"Content-Type": "application/x-www-form-urlencoded"}'), hook('/default/now/1/2', 'PUT', 'text', '{"Content-Type": "text/plain"}'), hook('/default/now/1/2', 'PUT', 'abc', '{"Content-Type": "image/png"}');
-- what is no body is said, once it is known who sends
SELECT hook('/default/now/1/2', 'PUT', '{"a": '), hook('/default/now/1/2', 'PUT', '"\u0000"');
SELECT failed_count, last_error FROM wf_triggers WHERE workflow = 'now';
-- what is wrong whatever the path is
SELECT DISTINCT a FROM unnest(ARRAY['/default/now/1/2', '/default/nothing', '/none/now/1/2', NULL]) p, wf_webhook(p, 'PUT', '{}', '', '[1]') a;
SELECT DISTINCT a FROM unnest(ARRAY['/default/now/1/2', '/default/nothing', '/none/now/1/2', NULL]) p, wf_webhook(p, 'PUT', '{"a": 1}', '', '{}') a;
SELECT p, a->>'status', a->>'body' FROM unnest(ARRAY['/default/now/1/2', '/default/nothing', '/none/now/1/2', NULL]) p, wf_webhook(p, 'PUT', '{}', decode(repeat('61', 1024 * 1024 + 1), 'hex'), '{}') a;
SELECT a->>'status' FROM wf_webhook('/default/now/1/2', 'PUT', '{}', decode(repeat('61', 1024 * 1024), 'hex'), '{}') a;
SET workflow.webhook_max_size = '1kB';
SELECT a->>'status' FROM (VALUES (1024, 1), (1025, 1), (1, 1025)) v (b, q), wf_webhook('/default/now/1/2', 'PUT', '{}', convert_to(repeat('x', b), 'UTF8'), jsonb_build_object('q', repeat('y', q))) a;
RESET workflow.webhook_max_size;

-- a failure is recorded, and tells nothing; what it did is undone
SELECT wf_save('fails', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/fails", "respond": "whenDone"}},
	{"id": "do", "type": "db.create", "config": {"table": "got", "values": {"what": "x"}}},
	{"id": "no", "type": "fail", "config": {"code": "SECRET", "message": "of the house"}}], "edges": [{"source": "in", "target": "do"}, {"source": "do", "target": "no"}]}');
SELECT hook('/default/fails');
SELECT workflow, status, error->>'code', error->>'message', (SELECT count(*) FROM got) FROM wf_runs ORDER BY run_id DESC LIMIT 1;
SELECT fired_count, failed_count FROM wf_triggers WHERE workflow = 'fails';
-- one that waits goes on in the background
SELECT wf_save('waits', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/waits", "respond": "whenDone"}},
	{"id": "w", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "out", "type": "return", "config": {"value": "{{ $node.w.output }}"}}],
	"edges": [{"source": "in", "target": "w"}, {"source": "w", "target": "out"}]}');
SELECT hook('/default/waits', headers => '{"Idempotency-Key": "k"}');
SELECT hook('/default/waits', headers => '{"Idempotency-Key": "k"}');
SELECT wf_emit('go', '{"n": 1}');
SELECT test.ends(run_id) FROM wf_runs WHERE workflow = 'waits';
SELECT hook('/default/waits', headers => '{"Idempotency-Key": "k"}');
SELECT count(*) FROM wf_runs WHERE workflow = 'waits';

-- node: what the first respond says
SELECT wf_save('answers', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/answers", "respond": "node"}},
	{"id": "first", "type": "respond", "config": {"status": "{{ $trigger.body.status }}", "headers": {"X-Made": "{{ $trigger.body.made }}", "Location": "/there"}, "body": {"n": "{{ $trigger.body.n }}"}}},
	{"id": "again", "type": "respond", "config": {"body": "again"}},
	{"id": "out", "type": "return", "config": {"value": {"first": "{{ $node.first.output }}", "again": "{{ $node.again.output }}"}}}],
	"edges": [{"source": "in", "target": "first"}, {"source": "first", "target": "again"}, {"source": "again", "target": "out"}]}');
SELECT hook('/default/answers', body => '{"status": 201, "made": "yes", "n": [1]}');
SELECT output FROM wf_runs ORDER BY run_id DESC LIMIT 1;
SELECT hook('/default/answers', body => '{"status": null, "made": "", "n": null}');
-- the wrong answers: a failed run
SELECT b, hook('/default/answers', body => b) FROM unnest(ARRAY['{"status": 99, "made": "x"}', '{"status": 600, "made": "x"}', '{"status": 200.5, "made": "x"}', '{"status": 200, "made": "a\r\nSet-Cookie: b"}', '{"status": 200, "made": 1}']) b;
SELECT error->>'message' FROM wf_runs WHERE workflow = 'answers' AND status = 'failed' ORDER BY run_id;
-- by hand nobody waits
SELECT wf_call('answers', '{"body": {"status": 204, "made": "x"}}')#>'{first,sent}';
-- without a respond: as whenDone; content type and text
SELECT hooked('quiet', '{"path": "/quiet", "respond": "node"}', '"said"');
SELECT hook('/default/quiet');
SELECT wf_save('page', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/page", "method": "GET", "respond": "node"}},
	{"id": "r", "type": "respond", "config": {"headers": {"Content-TYPE": "text/html"}, "body": "<p>hello {{ $trigger.query.name }}</p>"}}], "edges": [{"source": "in", "target": "r"}]}');
SELECT wf_webhook('/default/page', 'GET', '{}', '', '{"name": "you"}');
-- the input is the body unless one is given
SELECT wf_save('input', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/input", "respond": "node"}},
	{"id": "s", "type": "set", "config": {"variables": {"a": 1}}}, {"id": "r", "type": "respond"}], "edges": [{"source": "in", "target": "s"}, {"source": "s", "target": "r"}], "variables": [{"name": "a", "type": "number"}]}');
SELECT hook('/default/input');
-- an answer stands though the run goes on, or is caught afterwards; one of a container that fails is undone with all that it did,
-- and so is one of a run that fails
SELECT wf_save('early', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/early", "respond": "node"}},
	{"id": "r", "type": "respond", "config": {"status": 202, "body": "soon"}}, {"id": "w", "type": "waitForEvent", "config": {"event": "later"}},
	{"id": "late", "type": "respond", "config": {"body": "late"}}], "edges": [{"source": "in", "target": "r"}, {"source": "r", "target": "w"}, {"source": "w", "target": "late"}]}');
SELECT hook('/default/early');
SELECT wf_emit('later');
SELECT test.ends(run_id) FROM wf_runs WHERE workflow = 'early';
SELECT wf_save('undone', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/undone/{how}", "respond": "node"}},
	{"id": "t", "type": "try", "onError": "continue"}, {"id": "r1", "type": "respond", "parent": "t", "branch": "try", "config": {"body": "tried"}}, {"id": "f", "type": "fail", "parent": "t", "branch": "try", "config": {"code": "NO"}},
	{"id": "c", "type": "if", "parent": "t", "branch": "catch", "config": {"condition": "$trigger.params.how === \"catch\""}}, {"id": "f3", "type": "fail", "parent": "t", "branch": "catch", "config": {"code": "NO"}},
	{"id": "stop", "type": "if", "config": {"condition": "$trigger.params.how === \"fail\""}},
	{"id": "r2", "type": "respond", "config": {"body": "caught", "headers": {"x-sent": "{{ String($node.r1.output?.sent) }}"}}}, {"id": "r3", "type": "respond", "config": {"body": "failing"}}, {"id": "f2", "type": "fail", "config": {"code": "NO"}}],
	"edges": [{"source": "in", "target": "t"}, {"source": "r1", "target": "f"}, {"source": "c", "sourceHandle": "false", "target": "f3"}, {"source": "t", "target": "stop"}, {"source": "stop", "sourceHandle": "false", "target": "r2"}, {"source": "stop", "sourceHandle": "true", "target": "r3"}, {"source": "r3", "target": "f2"}]}');
SELECT hook('/default/undone/catch'), hook('/default/undone/throw'), hook('/default/undone/fail');
-- in a called workflow
SELECT wf_save('sub', '{"nodes": [{"id": "r", "type": "respond", "config": {"body": "from below"}}], "edges": []}');
SELECT wf_save('above', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/above", "respond": "node"}},
	{"id": "s", "type": "subworkflow", "config": {"workflow": "sub"}}], "edges": [{"source": "in", "target": "s"}]}');
SELECT hook('/default/above');
-- a run whose SQL hands over a webhook: each has its own answer
SELECT wf_save('nest', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/nest", "respond": "node"}},
	{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_webhook(''/default/answers'', ''POST'', ''{\"content-type\": \"application/json\"}'', ''{\"status\": 418, \"made\": \"in\"}'') AS a"}},
	{"id": "r", "type": "respond", "config": {"body": {"inner": "{{ $node.q.output.rows[0].a.status }}"}}}], "edges": [{"source": "in", "target": "q"}, {"source": "q", "target": "r"}]}');
SELECT hook('/default/nest');

-- one that hands itself over again and again comes to an end
SELECT wf_save('self', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/self", "respond": "whenDone"}},
	{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_webhook(''/default/self'', ''POST'', ''{}'', '''') AS a"}},
	{"id": "out", "type": "return", "config": {"value": {"inner": "{{ $node.q.output.rows[0].a.body }}"}}}], "edges": [{"source": "in", "target": "q"}, {"source": "q", "target": "out"}]}');
SET workflow.max_trigger_chain = 2;
SELECT hook('/default/self');
RESET workflow.max_trigger_chain;
SELECT fired_count, failed_count, last_error->>'code' FROM wf_triggers WHERE workflow = 'self';
-- cancel is no answer, and leaves nothing behind; a workflow that is saved again by the run itself, neither
SELECT wf_save('slow', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/slow", "respond": "whenDone"}},
	{"id": "q", "type": "db.query", "config": {"sql": "SELECT pg_sleep(60)"}}], "edges": [{"source": "in", "target": "q"}]}');
SET statement_timeout = '100ms';
SELECT hook('/default/slow');
RESET statement_timeout;
SELECT wf_save('changes', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/changes", "respond": "node"}},
	{"id": "q", "type": "db.query", "config": {"sql": "SELECT wf_disable_trigger(''changes'', ''in''), wf_webhook(''/default/changes'', ''POST'', ''{}'', '''')->>''status'' AS status"}},
	{"id": "r", "type": "respond", "config": {"body": "{{ $node.q.output.rows[0].status }}"}}], "edges": [{"source": "in", "target": "q"}, {"source": "q", "target": "r"}]}');
SELECT hook('/default/changes');
SELECT hook('/default/changes');
SELECT name, count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'workflow webhook%' GROUP BY 1;

-- literal segments go before parameters, each method for itself
SELECT hooked('p1', '{"path": "/m/{x}", "respond": "whenDone"}', '"any"'), hooked('p2', '{"path": "/m/new", "respond": "whenDone"}', '"new"'), hooked('p3', '{"path": "/m/{y}", "method": "GET", "respond": "whenDone"}', '"got"'), hooked('p4', '{"path": "/", "respond": "whenDone"}', '"root"'),
	hooked('p5', '{"path": "/m/{x}/end", "respond": "whenDone"}', '"end"'), hooked('p6', '{"path": "/m/a/{z}", "respond": "whenDone"}', '"a"');
SELECT m, p, hook('/default' || p, m) FROM unnest(ARRAY['POST', 'GET']) m, unnest(ARRAY['/m/1', '/m/new', '/m/a/end', '/m/b/end', '/m/a/b', '/m/b/b', '/', '']) p;

-- validation
SELECT hooked('valid', '{"path": "/valid", "respond": "whenDone", "validation": {"schema": {"type": "object", "required": ["qty"], "properties": {"qty": {"type": "integer", "minimum": 1}, "s": {"pattern": "^(a+)+$"}}}}}', '"{{ $trigger.body.qty }}"');
SELECT b, hook('/default/valid', body => b) FROM unnest(ARRAY['{"qty": 3}', '{"qty": 0}', '{}', '[]', '', '{"qty": "x"}']) b;
SELECT hook('/default/valid', body => jsonb_build_object('qty', 1, 's', repeat('a', 40) || '!')::text);
SELECT failed_count, last_error FROM wf_triggers WHERE workflow = 'valid';

-- a delivery that comes again
SELECT hooked('twice', '{"path": "/twice"}'), hooked('twice now', '{"path": "/twice-now", "respond": "whenDone"}', '"done"');
SELECT k, hook('/default/twice', headers => jsonb_build_object('Idempotency-Key', k)), hook('/default/twice-now', headers => jsonb_build_object('Idempotency-Key', k)) FROM unnest(ARRAY['a', 'a', 'b', 'a']) k;
SELECT hook('/default/twice', headers => '{"webhook-id": "a"}'), hook('/default/twice');
SELECT until('SELECT count(*) = 3 FROM wf_runs WHERE workflow = ''twice'' AND status = ''completed''');
SELECT workflow, count(*) FROM wf_runs WHERE workflow LIKE 'twice%' GROUP BY 1 ORDER BY 1;
SELECT workflow, fired_count FROM wf_triggers WHERE workflow LIKE 'twice%' ORDER BY 1;
-- left out
SELECT wf_save('one', '{"nodes": [{"id": "in", "type": "trigger.webhook", "config": {"path": "/one"}}, {"id": "w", "type": "waitForEvent", "config": {"event": "one"}}], "edges": [{"source": "in", "target": "w"}],
	"settings": {"concurrencyKey": "$trigger.body.key.name", "concurrencyPolicy": "skip"}}');
SELECT hook('/default/one', body => '{"key": {"name": "k"}}'), hook('/default/one', body => '{"key": {"name": "k"}}');
-- what only the request can break is no error
SELECT hook('/default/one', body => '{}');
SELECT failed_count, last_error->>'code' FROM wf_triggers WHERE workflow = 'one';
SELECT wf_emit('one') >= 0;

-- the caller's transaction: what is rolled back did not come; a webhook is heard by transactions that are to be tried again, too
BEGIN;
SELECT hook('/default/twice', headers => '{"Idempotency-Key": "rolled back"}');
ROLLBACK;
SELECT hook('/default/twice', headers => '{"Idempotency-Key": "rolled back"}');
BEGIN READ ONLY;
SELECT test.error($$SELECT hook('/default/twice')$$);
ROLLBACK;
SELECT until('SELECT NOT EXISTS (SELECT FROM wf_runs WHERE status NOT IN (''completed'', ''failed''))');
SELECT * FROM test.clean();
