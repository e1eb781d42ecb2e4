-- http.request: what is said when it is saved, the request that it makes, the answer, pages
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE FUNCTION test_block(definition jsonb, node text, context jsonb, replies jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_block' LANGUAGE C STRICT;
CREATE FUNCTION one(config jsonb, type text DEFAULT 'http.request') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config))) $$;
-- without the parts that are the same in each
CREATE FUNCTION wrong(config text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', nullif(severity, 'error'), nullif(code, 'WF002'), replace(path, '$.nodes[0].config.', ''), message, hint) FROM wf_validate(one(config::jsonb)) $$;
CREATE FUNCTION play(config text, replies text DEFAULT '[]', input text DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT (e - 'state')::text FROM jsonb_array_elements(test_block(one(config::jsonb), 'n', jsonb_build_object('input', input::jsonb), replies::jsonb)) e $$;
-- the request alone, of a config with url http://h/ and of an input
CREATE FUNCTION request(config text, input text DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT ((test_block(one('{"url": "http://h/"}'::jsonb || config::jsonb), 'n', jsonb_build_object('input', input::jsonb), '[]') #> '{0,request}') - ARRAY['kind', 'url'])::text $$;

SELECT type, category, ports, suspends, (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(config_schema->'properties') k) FROM wf_blocks() WHERE type = 'http.request';
-- the fields that may hold secrets
SELECT type, array_agg(key ORDER BY key COLLATE "C") FROM wf_blocks(), jsonb_each(config_schema->'properties') WHERE value->'x-secret' = 'true' GROUP BY type ORDER BY type COLLATE "C";

-- url
SELECT u, wrong(jsonb_build_object('url', u)::text) FROM unnest(ARRAY['http://h', 'HTTPS://a.b-c.example:8443/x?y=1#z', 'http://[::1]:80/', 'http://[::ffff:1.2.3.4]/', 'http://127.0.0.1./', 'http://h?x', 'http://é.example/', '{{ $input.url }}', 'https://{{ $input.host }}/', '{{ $input.scheme }}://h', 'http://h/é']) u;
SELECT u, wrong(jsonb_build_object('url', u)::text) FROM unnest(ARRAY['', 'h', '/x', 'http:h', 'http:/h', 'http://', 'http:///x', 'http://:80/', 'ftp://h/', 'file:///etc/passwd', 'gopher://h', 'javascript:alert(1)', 'dict://h/{{ $input.x }}', 'ftp://{{ $input.h }}', 'http://u:p@h/', 'http://h@evil/', 'http://h:0/', 'http://h:65536/', 'http://h:8o/', 'http://h:/', 'http://a b/', 'http://h/a b', 'http://a..b/', 'http://.a/', 'http://[::1/', 'http://[::g]/', 'http://[fe80::1%25eth0]/', 'http://[::1]x/', 'http://h\x/', E'http://h/\r\nX: 1', E'http://h/\tx', E'http://h\n.{{ $input.x }}', 'http://h%2e/', 'http://' || repeat('h', 254) || '/']) u;
SELECT wrong('{}');
SELECT wrong('{"url": 5}');
SELECT wrong('{"url": "http://h", "uri": "x", "pathAndQuery": 1}');
SELECT wrong(jsonb_build_object('url', 'http://h/' || repeat('x', 9000))::text);
SELECT play('{"url": "{{ $input.u }}"}', '[]', input) FROM unnest(ARRAY['{"u": "http://h/x"}', '{"u": "http://é.example/é/\uE000x"}']) input;
SELECT play('{"url": "{{ $input.u }}"}', '[]', '{"u": "file:///etc/passwd"}');
SELECT play('{"url": "{{ $input.u }}"}', '[]', '{"u": "http://h/\r\nX: 1"}');
SELECT play('{"url": "http://{{ $input.u }}"}', '[]', '{"u": "h/a b"}');
SELECT play('{"url": "http://h{{ $input.u }}"}', '[]', '{"u": "@evil"}');
SELECT play('{"url": "{{ $input.u }}"}', '[]', '{"u": 5}');
SELECT play('{"url": "{{ $input.u }}"}');

-- method
SELECT m, wrong(jsonb_build_object('url', 'http://h', 'method', m)::text) FROM unnest(ARRAY['GET', 'delete', 'PROPFIND', 'M-SEARCH', '{{ $input.m }}', '', 'CONNECT', 'trace', 'GET /', E'GET\r\n', repeat('X', 31)]) m;
SELECT request('{"method": "patch"}'), request('{}'), request('{"body": {}}'), request('{"body": "{{ $input.b }}"}'), request('{"method": "{{ $input.m }}"}', '{"m": "options"}');
SELECT request('{"method": "{{ $input.m }}"}', '{"m": "GET x"}');
SELECT request('{"method": "{{ $input.m }}"}', '{"m": 1}');

-- headers
SELECT wrong('{"url": "http://h", "headers": {"X-A": "a", "x": 5, "y": true, "z": null, "t": "{{ $input.t }}"}}');
SELECT wrong('{"url": "http://h", "headers": {"a b": "1", "": "2", "a:b": "3", "é": "4"}}');
SELECT wrong('{"url": "http://h", "headers": {"x": "a\r\nY: b", "y": "a\u0001", "z": [1], "q": {"a": 1}, "tab": "a\tb"}}');
SELECT wrong('{"url": "http://h", "headers": {"Host": "x", "content-length": "1", "Transfer-Encoding": "chunked", "Connection": "close"}}');
SELECT wrong('{"url": "http://h", "headers": {"accept": "a", "Accept": "b"}}');
SELECT wrong('{"url": "http://h", "headers": "x"}');
SELECT wrong(jsonb_build_object('url', 'http://h', 'headers', jsonb_build_object('x', repeat('x', 70000)))::text);
SELECT wrong(jsonb_build_object('url', 'http://h', 'headers', (SELECT jsonb_object_agg('h' || i, i) FROM generate_series(1, 101) i))::text);
SELECT request('{"headers": {"X-A": "{{ $input.a }}", "n": 1.50, "b": false, "none": "{{ $input.none }}", "text": "é {{ $input.a }}"}}', '{"a": "1"}');
SELECT request('{"headers": "{{ $input.h }}"}', '{"h": {"A": 1}}');
SELECT request('{"headers": {"a": "{{ $input.a }}"}}', '{"a": "1\r\nX: 2"}');
SELECT request('{"headers": "{{ $input.h }}"}', '{"h": {"a\r\nb": "1"}}');
SELECT request('{"headers": "{{ $input.h }}"}', '{"h": {"HOST": "x"}}');
SELECT request('{"headers": "{{ $input.h }}"}', '{"h": {"a": ["x"]}}');
SELECT request('{"headers": "{{ $input.h }}"}', '{"h": "x"}');

-- query
SELECT wrong('{"url": "http://h", "query": {"a": 1, "b": ["x", "{{ $input.x }}", null], "c": {"d": 1}, "e": [[1]]}}');
SELECT wrong('{"url": "http://h", "query": "a=1"}');
SELECT request('{"query": {"a": 1, "b": ["x", "{{ $input.x }}", null, 2], "c": null, "d": "a&b=é", "e": true}}', '{"x": 7}');
SELECT request('{"query": "{{ $input.q }}"}', '{"q": {"a": {"b": 1}}}');
SELECT request('{"query": "{{ $input.q }}"}', '{"q": "a=1"}');

-- body
SELECT b, wrong('{"url": "http://h", ' || b || '}') FROM unnest(ARRAY['"body": {"a": [1, null]}', '"body": "text"', '"body": null', '"bodyType": "json"', '"body": {"a": 1, "b": [1, "x"]}, "bodyType": "form"', '"body": {"a": 1, "f": {"filename": "x", "contentType": "text/plain", "content": "eHg="}, "l": ["x", {"content": "eA=="}]}, "bodyType": "multipart"', '"body": "eHg=", "bodyType": "binary"', '"body": 5, "bodyType": "text"', '"body": "{{ $input.b }}", "bodyType": "form"', '"body": {"a": "{{ $input.b }}"}, "bodyType": "{{ $input.t }}"']) b;
SELECT b, wrong('{"url": "http://h", ' || b || '}') FROM unnest(ARRAY['"body": [1], "bodyType": "form"', '"body": {"a": {"b": 1}}, "bodyType": "form"', '"body": "x=1", "bodyType": "form"', '"body": "x", "bodyType": "multipart"', '"body": {"a": {"filename": "x"}, "b": {"content": "?"}, "c": {"content": "eA==", "name": "x"}, "d\r\n": "x", "e": {"content": "eA==", "filename": "x\"\r\n"}}, "bodyType": "multipart"', '"body": "?", "bodyType": "binary"', '"body": "eHg", "bodyType": "binary"', '"body": {}, "bodyType": "binary"', '"body": {}, "bodyType": "text"', '"body": "x", "bodyType": "none"', '"body": "x", "bodyType": "xml"']) b;
SELECT request(b, '{"b": {"x": "1", "y": [1, 2]}, "s": "text"}') FROM unnest(ARRAY['{"body": {"a": "{{ $input.b }}", "n": null}}', '{"body": "{{ $input.b }}"}', '{"body": "{{ $input.s }}"}', '{"body": "{{ $input.s }}", "bodyType": "json"}', '{"body": "{{ $input.b }}", "bodyType": "form"}', '{"body": 1.50, "bodyType": "text"}', '{"body": "{{ $input.no }}", "bodyType": "json"}', '{"body": "aGk=\n", "bodyType": "binary"}',
	'{"body": {"a": 1, "none": null, "f": {"filename": "a.txt", "contentType": "text/plain", "content": "{{ $input.s.base64Encode() }}"}, "l": ["x", {"content": ""}]}, "bodyType": "multipart"}']) b;
SELECT request('{"body": "{{ $input.b }}", "bodyType": "form"}', '{"b": "x"}');
SELECT request('{"body": "{{ $input.b }}", "bodyType": "binary"}', '{"b": "?"}');
SELECT request('{"body": "{{ $input.b }}", "bodyType": "multipart"}', '{"b": []}');
SELECT request('{"body": "{{ $input.b }}", "bodyType": "text"}', '{"b": {}}');
SELECT request('{"body": "x", "bodyType": "{{ $input.t }}"}', '{"t": "jsn"}');
SELECT request('{"body": "x", "bodyType": "{{ $input.t }}"}', '{"t": "none"}');

-- auth
SELECT a, wrong('{"url": "http://h", "auth": ' || a || '}') FROM unnest(ARRAY['{"type": "basic", "username": "u", "password": ""}', '{"type": "bearer", "token": "{{ $input.t }}"}', '{"type": "apiKey", "name": "X-Key", "value": "v"}', '{"type": "apiKey", "name": "a key", "value": "v", "in": "query"}', '{"type": "digest", "username": "u", "password": "p"}', '{"type": "aws", "accessKey": "a", "secretKey": "b", "region": "eu-west-1", "service": "s3", "sessionToken": null}',
	'{"type": "oauth2", "grant": "clientCredentials", "tokenUrl": "https://t/x", "clientId": "i", "clientSecret": "s", "scope": "a b"}', '{"type": "oauth2", "grant": "refreshToken", "tokenUrl": "https://t/x", "clientId": "i", "clientSecret": "s", "refreshToken": "r"}', '{"type": "mtls", "cert": "-----BEGIN CERTIFICATE-----\nx", "key": "-----BEGIN PRIVATE KEY-----\nx"}', '{"credential": "crm"}', 'null', '"{{ $input.auth }}"', '{"type": "{{ $input.t }}", "token": "x"}']) a;
SELECT a, wrong('{"url": "http://h", "auth": ' || a || '}') FROM unnest(ARRAY['{}', '{"type": "basik"}', '{"type": "basic"}', '{"type": "basic", "username": "a:b", "password": "p", "token": "t"}', '{"type": "bearer", "token": ""}', '{"type": "bearer", "token": "a\r\nX: b"}', '{"type": "apiKey", "name": "a key", "value": "v"}', '{"type": "apiKey", "name": "k", "value": "v", "in": "body"}', '{"type": "aws", "accessKey": "a"}',
	'{"type": "oauth2", "grant": "refreshToken", "tokenUrl": "ftp://t/x", "clientId": "i", "clientSecret": "s"}', '{"type": "oauth2", "grant": "password"}', '{"type": "mtls", "cert": "x", "key": 5}', '{"credential": "crm", "type": "basic"}', '{"credential": ""}', '"x"', '{"type": "bearer", "tokn": "x"}']) a;
SELECT request('{"auth": {"type": "basic", "username": "{{ $input.u }}", "password": "p"}}', '{"u": "é"}');
SELECT request('{"auth": "{{ $input.a }}"}', '{"a": {"type": "apiKey", "name": "k", "value": "v", "in": "query"}}');
SELECT request('{"auth": {"type": "oauth2", "grant": "clientCredentials", "tokenUrl": "https://t/{{ $input.t }}", "clientId": "i", "clientSecret": "s"}}', '{"t": 1}');
SELECT request('{"auth": {"credential": "crm"}}');
SELECT request('{"auth": {"type": "bearer", "token": "{{ $input.t }}"}}');
SELECT request('{"auth": {"type": "bearer", "token": "{{ $input.t }}"}}', '{"t": "a\nb"}');
SELECT request('{"auth": {"type": "{{ $input.t }}", "token": "x"}}', '{"t": "basic"}');
SELECT request('{"auth": {"type": "{{ $input.t }}", "token": "x"}}', '{"t": "x"}');
SELECT request('{"auth": "{{ $input.a }}"}', '{"a": {"credential": 5}}');
SELECT request('{"auth": "{{ $input.a }}"}', '{"a": "Bearer x"}');

-- policies
SELECT wrong('{"url": "http://h", "timeout": "5s", "connectTimeout": 1, "lowSpeed": {"bytes": 100, "time": "PT10S"}, "maxRedirects": 0, "maxResponseSize": "16MB", "successCodes": [200, "2xx", "404", "300-305", [400, 410], "{{ $input.c }}"], "responseType": "json",
	"retry": {"maxAttempts": 5, "backoff": "linear", "initialDelay": "1s", "multiplier": 1.5, "maxDelay": 60, "maxElapsed": "1h", "jitter": 0.5, "retryOn": [503, "5xx", "WF010"], "stopOn": ["{{ $input.c }}"]}, "rateLimit": {"requests": 10, "per": "1s", "burst": 20}, "hostConcurrency": 5, "circuit": false, "await": false}');
SELECT wrong('{"url": "http://h", "timeout": "soon", "connectTimeout": 0, "lowSpeed": {"bytes": 0, "time": "x"}, "maxRedirects": 51, "maxResponseSize": "16 apples", "successCodes": [99, "6xx", "20x", "300-200", [1], [200, 600], {}, 200.5], "responseType": "xml", "hostConcurrency": 0, "circuit": "no", "await": "yes"}');
SELECT wrong('{"url": "http://h", "retry": {"maxAttempts": 0, "backoff": "double", "initialDelay": "x", "multiplier": 0, "jitter": 2, "retryOn": [5, "a b", ""], "delay": 1}, "rateLimit": {"requests": 0, "per": 0, "burst": 0}, "successCodes": [], "timeout": "2 days"}');
SELECT wrong('{"url": "http://h", "rateLimit": {"requests": 1}, "lowSpeed": {}, "await": "{{ $input.a }}", "mode": "{{ $input.m }}"}');
SELECT request('{"timeout": "5s", "connectTimeout": 1.5, "lowSpeed": {"bytes": 100, "time": "PT10S"}, "maxRedirects": 0, "maxResponseSize": "16MB", "successCodes": [200, "2XX", "404", "300-305", [400, 410], [201, 201], "{{ $input.c }}"], "responseType": "{{ $input.t }}",
	"retry": {"maxAttempts": "{{ $input.n }}", "backoff": "linear", "initialDelay": "1s", "multiplier": 1.5, "maxDelay": 60, "maxElapsed": "1h", "jitter": 0.5, "retryOn": [503, "5xx", "WF010"], "stopOn": ["{{ $input.c }}"]}, "rateLimit": {"requests": 10, "per": "1 min", "burst": 20}, "hostConcurrency": 5, "circuit": false}', '{"c": 207, "n": 5, "t": "json"}');
SELECT request('{"timeout": "{{ $input.x }}", "retry": "{{ $input.x }}", "rateLimit": "{{ $input.x }}", "successCodes": "{{ $input.x }}", "maxRedirects": "{{ $input.x }}", "circuit": "{{ $input.x }}", "responseType": "{{ $input.x }}", "maxResponseSize": "{{ $input.x }}", "auth": "{{ $input.x }}", "query": "{{ $input.x }}", "headers": "{{ $input.x }}", "method": "{{ $input.x }}"}');
CREATE FUNCTION refused(config text, input text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN request(config, input);
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT refused(c, '{"x": -1, "t": "then"}') FROM unnest(ARRAY['{"timeout": "{{ $input.t }}"}', '{"timeout": "{{ $input.x }}"}', '{"timeout": "{{ 0 }}"}', '{"maxRedirects": "{{ $input.x }}"}', '{"maxRedirects": "{{ $input.t }}"}', '{"maxResponseSize": "{{ $input.x }}"}', '{"successCodes": "{{ $input.x }}"}', '{"successCodes": "{{ [] }}"}', '{"successCodes": ["{{ $input.x }}"]}', '{"responseType": "{{ $input.t }}"}', '{"retry": "{{ $input.x }}"}', '{"retry": {"maxAttempts": "{{ $input.x }}"}}', '{"retry": {"backoff": "{{ $input.t }}"}}', '{"retry": {"jitter": "{{ $input.x }}"}}', '{"retry": {"multiplier": "{{ $input.t }}"}}', '{"retry": {"retryOn": "{{ $input.t }}"}}', '{"retry": {"retryOn": ["{{ $input.x }}"]}}', '{"rateLimit": "{{ ({requests: 1}) }}"}', '{"rateLimit": {"requests": 1, "per": "{{ 0 }}"}}', '{"lowSpeed": "{{ ({time: 1}) }}"}', '{"circuit": "{{ $input.t }}"}', '{"hostConcurrency": "{{ $input.x }}"}']) c;
SET workflow.max_output_size = '1MB';
SELECT refused('{"body": "{{ \"x\".repeat(2000000) }}"}', '{}');
RESET workflow.max_output_size;

-- the answer
SELECT play('{"url": "http://h/"}', '[{"output": {"status": 200, "headers": {"content-type": "text/plain"}, "body": "x", "url": "http://h/", "attempts": 1, "durationMs": 12}}]');
SELECT play('{"url": "http://h/"}', '[{"error": {"code": "WF010", "message": "status 500"}}]');
SELECT play('{"url": "http://h/", "await": false}', '[{"output": {"queued": true, "request_id": "0190"}}]');
-- atomic workflows: not where the run would wait
SELECT severity, path, message FROM wf_validate(one('{"url": "http://h"}') || '{"settings": {"atomic": true}}');
SELECT severity, path, message FROM wf_validate(one('{"url": "http://h", "await": false}') || '{"settings": {"atomic": true}}');
-- within the transaction, where it is allowed
SELECT wrong('{"url": "http://h", "mode": "inline"}');
SELECT play('{"url": "http://h", "mode": "inline"}');
SET workflow.http_inline = on;
SELECT wrong('{"url": "http://h", "mode": "inline"}');
SELECT severity, path, message FROM wf_validate(one('{"url": "http://h", "mode": "inline"}') || '{"settings": {"atomic": true}}');
SELECT play('{"url": "http://h", "mode": "inline"}');
RESET workflow.http_inline;

-- pages
SELECT wrong('{"url": "http://h", "pagination": {"type": "link", "itemsPath": "data", "maxPages": 5}}');
SELECT wrong('{"url": "http://h", "pagination": {"type": "cursor"}}');
SELECT wrong('{"url": "http://h", "pagination": {"type": "pages", "size": 0, "maxPages": 0, "param": 5, "items": "x"}}');
SELECT wrong('{"url": "http://h", "pagination": {"type": "page", "param": "a\nb"}, "await": false, "responseType": "text"}');
SELECT wrong('{"url": "http://h", "pagination": {}}');
CREATE FUNCTION pages(pagination text, answers text, config text DEFAULT '{}', url text DEFAULT 'http://h/list?x=1') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT coalesce(((e->'request') - ARRAY['kind', 'method'])::text, (e - 'state')::text) FROM jsonb_array_elements(test_block(one(jsonb_build_object('url', url, 'pagination', pagination::jsonb) || config::jsonb), 'n', '{}',
		(SELECT coalesce(jsonb_agg(CASE WHEN a ? 'error' THEN a ELSE jsonb_build_object('output', '{"status": 200, "headers": {}, "url": "http://h/list?x=1", "attempts": 1, "durationMs": 10}'::jsonb || a) END), '[]') FROM jsonb_array_elements(answers::jsonb) a))) e $$;
SELECT pages('{"type": "page"}', '[{"body": [1, 2], "attempts": 3}, {"body": [3]}, {"body": []}]');
SELECT pages('{"type": "page", "param": "p", "size": 2, "itemsPath": "data.list"}', '[{"body": {"data": {"list": [1, 2]}}}, {"body": {"data": {"list": [3]}}}]', '{"query": {"p": 0, "q": "x"}}');
SELECT pages('{"type": "page", "maxPages": 2}', '[{"body": [1, 2]}, {"body": [3]}]');
SELECT pages('{"type": "offset", "param": "skip", "itemsPath": "items"}', '[{"body": {"items": ["a", "b"]}}, {"body": {"items": ["c"]}}, {"body": {"items": null}}]', '{"query": {"limit": 2}}');
SELECT pages('{"type": "offset"}', '[]', '{"query": {"offset": "many"}}');
SELECT pages('{"type": "cursor", "param": "after", "cursorPath": "meta.next", "itemsPath": "items"}', '[{"body": {"items": [1], "meta": {"next": "abc"}}}, {"body": {"items": [2], "meta": {"next": 7}}}, {"body": {"items": [3], "meta": {}}}]', '{"query": {"after": "0"}, "auth": {"type": "bearer", "token": "t"}}');
SELECT pages('{"type": "cursor", "param": "after", "cursorPath": "next"}', '[{"body": [1]}]');
SELECT pages('{"type": "cursor", "param": "after", "cursorPath": "next", "itemsPath": "i"}', '[{"body": {"i": [], "next": "a"}}, {"body": {"i": [], "next": "a"}}]');
SELECT pages('{"type": "cursor", "param": "after", "cursorPath": "next", "itemsPath": "i"}', '[{"body": {"i": [], "next": {"a": 1}}}]');
SELECT pages('{"type": "cursor", "cursorPath": "links.0", "itemsPath": "i"}', '[{"body": {"i": [1], "links": ["/list?page=2"]}}, {"body": {"i": [2], "links": []}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<http://h/list?page=1>; rel=\"prev\", <?page=2>; title=\"a, b\"; rel=\"last next\""}}, {"body": [2], "headers": {"link": ["<x>; rel=first", "<more/3>; REL=Next"]}, "url": "http://h/list?page=2"}, {"body": [3], "headers": {"link": "<y>; rel=\"nextish\", <z>; rev=next"}}]', '{"query": {"q": 1}, "headers": {"A": "b"}}');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<//H:80/b>; rel=next"}}, {"body": [2], "headers": {"link": "<https://h/c>; rel=next"}}, {"body": [3], "headers": {"link": "<#top>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<http://other/b>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<http://h/b>; rel=next"}}]', '{}', 'https://h/');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<http://h:8080/b>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<file:///etc/passwd>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<a b>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": [1], "headers": {"link": "<http://h/list?x=1>; rel=next"}}]');
SELECT pages('{"type": "link"}', '[{"body": {"a": 1}}]');
SELECT pages('{"type": "link", "itemsPath": "b"}', '[{"body": {"a": 1}}]');
SELECT pages('{"type": "link", "itemsPath": "a"}', '[{"body": {"a": 1}}]');
SELECT pages('{"type": "link"}', '[{"body": null}]');
SELECT pages('{"type": "page"}', '[{"body": [1]}, {"error": {"code": "WF010", "message": "status 500"}}]');
SELECT play('{"url": "http://h/", "pagination": "{{ $input.p }}"}', '[]', '{"p": {"type": "x"}}');
SELECT play('{"url": "http://h/", "pagination": "{{ $input.p }}"}', '[]', '{"p": {"type": "page", "maxPages": 0}}');
SELECT play('{"url": "http://h/", "pagination": "{{ $input.p }}"}', '[{"output": {"body": {}}}]');
-- a state of another version
SELECT play('{"url": "http://h/", "pagination": {"type": "page"}}', '[{"state": {"page": 2}}]');
SELECT play('{"url": "http://h/", "pagination": {"type": "page"}}', '[{"state": {"pagination": {"type": "page", "maxPages": 2}, "page": 2, "request": {"url": "http://h/"}, "items": [1], "unknown": 1}}, {"output": {"body": [2]}}]');
