-- graphql.request, webhook.send, email.send: what is said when they are saved, the requests that they make, the answers
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE FUNCTION test_block(definition jsonb, node text, context jsonb, replies jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_block' LANGUAGE C STRICT;
CREATE FUNCTION one(type text, config jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config))) $$;
CREATE FUNCTION wrong(type text, config text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', nullif(severity, 'error'), nullif(code, 'WF002'), replace(path, '$.nodes[0].config.', ''), message, hint) FROM wf_validate(one(type, config::jsonb)) $$;
CREATE FUNCTION play(type text, config text, replies text DEFAULT '[]', input text DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT (e - 'state')::text FROM jsonb_array_elements(test_block(one(type, config::jsonb), 'n', jsonb_build_object('input', input::jsonb), replies::jsonb)) e $$;

SELECT type, category, ports, suspends, (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(config_schema->'properties') k) FROM wf_blocks() WHERE type IN ('graphql.request', 'webhook.send', 'email.send') ORDER BY type COLLATE "C";

-- graphql.request
SELECT wrong('graphql.request', '{}');
SELECT wrong('graphql.request', '{"url": "ftp://h/", "query": "", "variables": [1], "operationName": 5, "headers": {"Content-Type": "x"}, "responseType": "text", "method": "GET"}');
SELECT wrong('graphql.request', '{"url": "https://h/graphql", "query": "query Q($id: ID!) { order(id: $id) { total } }", "variables": {"id": "{{ $input.id }}"}, "operationName": "Q", "auth": {"type": "bearer", "token": "t"}, "timeout": "5s"}');
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "query Q($id: ID!) { order(id: $id) { total } }", "variables": {"id": "{{ $input.id }}"}, "operationName": "Q", "headers": {"X": "1"}}', '[{"output": {"status": 200, "headers": {}, "body": {"data": {"order": {"total": 5}}, "errors": []}, "url": "https://h/graphql", "attempts": 1, "durationMs": 5}}]', '{"id": 7}');
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }", "headers": {"ACCEPT": "application/json"}}', '[{"output": {"status": 200, "body": {"data": {"a": null}, "errors": [{"message": "no a", "path": ["a"]}, {"message": "x"}]}}}]');
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }"}', '[{"output": {"status": 200, "body": {"errors": ["x"]}}}]') OFFSET 1;
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }"}', '[{"output": {"status": 200, "body": "text"}}]') OFFSET 1;
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }"}', '[{"output": {"status": 200, "body": {"x": 1}}}]') OFFSET 1;
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }"}', '[{"error": {"code": "WF012", "message": "circuit open"}}]') OFFSET 1;
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }", "await": false}', '[{"output": {"queued": true, "request_id": "x"}}]');
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{{ $input.q }}"}');
SELECT play('graphql.request', '{"url": "https://h/graphql", "query": "{ a }", "variables": "{{ $input.v }}"}', '[]', '{"v": [1]}');

-- webhook.send
SELECT wrong('webhook.send', '{}');
SELECT wrong('webhook.send', '{"url": "https://h/", "secret": "s", "secrets": ["t"]}');
SELECT wrong('webhook.send', '{"url": "https://h/", "secret": "whsec_?", "headers": {"webhook-id": "1", "Webhook-Signature": "x", "X": "y"}}');
SELECT wrong('webhook.send', '{"url": "https://h/", "secrets": ["", "a\nb", "whsec_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "{{ $input.s }}"]}');
SELECT wrong('webhook.send', '{"url": "https://h/", "secrets": []}');
SELECT wrong('webhook.send', '{"url": "https://{{ $input.host }}/", "secret": "{{ $input.s }}", "body": {"type": "order.paid"}, "retry": {"maxAttempts": 8}, "await": false}');
SELECT play('webhook.send', '{"url": "https://h/", "secret": "{{ $input.s }}"}', '[{"output": {"status": 204, "headers": {}, "body": null, "url": "https://h/", "attempts": 1, "durationMs": 5}}]', '{"s": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}');
SELECT play('webhook.send', '{"url": "https://h/", "secrets": ["new", "old"], "body": {"type": "order.paid", "id": "{{ $input.id }}"}, "headers": {"X": "1"}, "await": false}', '[{"output": {"queued": true, "request_id": "x"}}]', '{"id": 7}');
SELECT play('webhook.send', '{"url": "https://h/", "secret": "s", "body": null}');
SELECT play('webhook.send', '{"url": "https://h/", "secret": "{{ $input.s }}"}');
SELECT play('webhook.send', '{"url": "https://h/", "secret": "{{ $input.s }}"}', '[]', '{"s": ""}');
SELECT play('webhook.send', '{"url": "https://h/", "secrets": "{{ $input.s }}"}', '[]', '{"s": []}');
SELECT play('webhook.send', '{"url": "https://h/", "secrets": "{{ $input.s }}"}', '[]', '{"s": "x"}');

-- email.send
SELECT wrong('email.send', '{}');
SELECT wrong('email.send', '{"from": "Ann <ann@example.com>", "to": "bob@example.com", "cc": ["\"Doe, John\" <j.doe+x@sub.example.com>", "{{ $input.cc }}"], "bcc": "a@b.example, \"C, D\" <c@d.example>", "subject": "Hi é", "text": "x", "html": "<b>x</b>", "attachments": [{"filename": "a.txt", "contentType": "text/plain; charset=utf-8", "content": "eA=="}]}');
SELECT a, wrong('email.send', jsonb_build_object('from', a, 'to', 'b@c', 'text', 'x')::text) FROM unnest(ARRAY['ann', '@example.com', 'ann@', 'ann@exa mple.com', 'a b@example.com', E'ann@example.com\r\nBcc: x@y', E'Ann\n<ann@example.com>', 'Ann <ann@example.com', 'Ann <ann@example.com> x', '<a@b> <c@d>', '"Ann <ann@example.com>', 'ann@example..com', 'ann@.com', 'ann@example.com.', '.ann@example.com', 'a..b@example.com', 'a@b@c', 'é@example.com', repeat('a', 65) || '@example.com', 'a@b, c@d', ' ann@example.com ', '{{ $input.a }}']) a;
SELECT wrong('email.send', '{"from": "a@b", "to": ["x@y", "bad", 5, "a@b, worse"], "cc": 5, "bcc": "a@b,,c@d", "subject": "a\r\nBcc: x@y", "text": 5, "attachments": [{"filename": "a\r\nb", "contentType": "text", "content": "?"}, {"content": "eA==", "name": "x"}, 5]}');
SELECT wrong('email.send', '{"from": "a@b", "text": "x"}');
SELECT wrong('email.send', '{"from": "a@b", "to": []}');
SELECT wrong('email.send', '{"from": "a@b", "to": "{{ $input.to }}", "html": "{{ $input.html }}", "attachments": "{{ $input.files }}"}');
SELECT wrong('email.send', '{"from": "a@b", "to": null, "cc": "c@d", "text": null}');
SET workflow.mail_max_size = '1kB';
SELECT wrong('email.send', jsonb_build_object('from', 'a@b', 'to', 'c@d', 'text', 'x', 'attachments', jsonb_build_array(jsonb_build_object('filename', 'a', 'content', repeat('AAAA', 300)), jsonb_build_object('filename', 'b', 'content', repeat('AAAA', 42))))::text);
SELECT play('email.send', '{"from": "a@b", "to": "c@d", "text": "x", "attachments": [{"filename": "a", "content": "{{ $input.c }}"}]}', '[]', jsonb_build_object('c', repeat('AAAA', 400))::text);
SELECT length(play('email.send', '{"from": "a@b", "to": "c@d", "text": "x", "attachments": [{"filename": "a", "content": "{{ $input.c }}"}]}', '[]', jsonb_build_object('c', repeat('AAAA', 341))::text));
RESET workflow.mail_max_size;
SELECT play('email.send', '{"from": " Ann <ann@example.com> ", "to": "bob@example.com", "cc": ["{{ $input.cc }}", "x@y"], "bcc": "a@b.example, \"C, D\" <c@d.example>", "subject": "Order {{ $input.id }}", "text": "Hi\n{{ $input.id }}", "html": "<b>{{ $input.id }}</b>", "attachments": [{"filename": "{{ $input.id }}.txt", "content": "{{ \"hi\".base64Encode() }}"}], "retry": {"maxAttempts": 5}, "timeout": 30}',
	'[{"output": {"status": 250, "headers": {}, "body": "2.0.0 queued", "url": null, "attempts": 1, "durationMs": 5}}]', '{"id": 7, "cc": "e@f"}');
SELECT play('email.send', '{"from": "a@b", "to": "{{ $input.to }}", "text": "x", "await": false}', '[{"output": {"queued": true, "request_id": "x"}}]', '{"to": ["a@b", "c@d"]}');
SELECT play('email.send', '{"from": "a@b", "to": "c@d", "text": "x"}', '[{"error": {"code": "WF010", "message": "550 no such user"}}]') OFFSET 1;
CREATE FUNCTION refused(config text, input text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN play('email.send', ('{"from": "a@b", "to": "c@d", "text": "x"}'::jsonb || config::jsonb)::text, '[]', input);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT refused(c, '{"crlf": "a\r\nBcc: x@y", "bad": "x", "n": 5, "list": ["a@b", 5]}') FROM unnest(ARRAY['{"from": "{{ $input.crlf }}"}', '{"from": "{{ $input.n }}"}', '{"from": "{{ $input.none }}"}', '{"to": "{{ $input.bad }}"}', '{"to": "{{ $input.list }}"}', '{"to": "{{ $input.n }}"}', '{"to": "{{ $input.none }}"}', '{"to": "{{ [] }}"}', '{"subject": "{{ $input.crlf }}"}', '{"subject": "{{ $input.list }}"}', '{"text": "{{ $input.none }}"}', '{"text": "{{ $input.list }}"}', '{"attachments": "{{ $input.n }}"}', '{"attachments": ["{{ $input.n }}"]}', '{"attachments": [{"filename": "{{ $input.crlf }}", "content": ""}]}', '{"attachments": [{"filename": "{{ $input.none }}", "content": ""}]}', '{"attachments": [{"filename": "x", "content": "{{ $input.none }}"}]}', '{"attachments": [{"filename": "x", "content": "{{ $input.list }}"}]}', '{"attachments": [{"filename": "x", "content": "", "contentType": "{{ $input.crlf }}"}]}', '{"to": "{{ Array(501).fill(\"a@b\") }}"}']) c;
