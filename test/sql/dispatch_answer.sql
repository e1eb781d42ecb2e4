-- What comes of an attempt: outputs and errors, of bodies of every kind; what is tried again; what is not shown.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION answer(request jsonb, result jsonb, body bytea) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_answer' LANGUAGE C STRICT;
CREATE FUNCTION marked(request jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"nonce": "0123456789abcdef0123456789abcdef", "secrets": ["A", "B"]}' || regexp_replace(request::text, '\$([A-Z]+)', U&'\E000' || '0123456789abcdef0123456789abcdef:\1' || U&'\E001', 'g')::jsonb $$;
CREATE FUNCTION got(request jsonb, result jsonb DEFAULT '{}', body bytea DEFAULT '') RETURNS jsonb LANGUAGE sql AS $$ SELECT answer('{"kind": "http", "method": "GET", "url": "https://api.example.com/v1"}' || marked(request), result, body) $$;
-- The body that comes of bytes with a content type: as JSON, or the error.
CREATE FUNCTION body(type text, bytes bytea, response_type text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(g #>> '{output,body}', CASE WHEN g ? 'error' THEN concat_ws(' ', g ->> 'error', g -> 'details') ELSE 'null' END)
	FROM (SELECT got(CASE WHEN response_type IS NULL THEN '{}' ELSE jsonb_build_object('responseType', response_type) END, jsonb_build_object('headers', CASE WHEN type IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_array('content-type', type)) END), bytes)) x (g) $$;

-- all of it
SELECT jsonb_pretty(got('{}', '{"attempts": 3, "headers": [["content-type", "application/json"], ["set-cookie", "a=1"], ["x-one", "1"], ["set-cookie", "b=2"]]}', '{"n": 1.10}'));
SELECT jsonb_pretty(got('{}', '{"status": 503, "headers": [["content-type", "text/html"], ["retry-after", "5"]], "url": "https://api.example.com:8443/v1?x=1"}', '<h1>busy</h1>'));

-- bodies by their content type
SELECT t, body(t, '{"a": 12345678901234567890.1}'), jsonb_typeof(got('{}', jsonb_build_object('headers', jsonb_build_array(jsonb_build_array('content-type', t))), '{"a": 1}') #> '{output,body}') FROM unnest(ARRAY['application/json', 'Application/JSON; charset=utf-8', 'application/problem+json', 'text/json;x', 'application/json-seq', 'text/plain', 'text/html', 'application/xml', 'image/svg+xml', 'application/x-www-form-urlencoded', 'application/javascript', 'application/octet-stream', 'image/png', 'application/jsonx', '', 'json']) t;
SELECT body(NULL, 'text é'), body(NULL, '\xff00'), body('application/json', 'no json'), body('application/json', '{"a": 1'), body('application/json', '1 2'), body('application/json', ' '), body('application/json', '"x"'), body('application/json', 'null');
SELECT t, body('application/json', '', t), body('text/plain', '', t), body('image/png', '', t), body(NULL, '', t) FROM unnest('{auto,json,text,binary,none}'::text[]) t;
SELECT t, body('image/png', '{"a": 1}', t), body('application/json', '\x00ff', t) FROM unnest('{json,text,binary,none}'::text[]) t;
SELECT body('text/html', convert_to(repeat('é', 800), 'UTF8'), 'json') = 'WF010 request failed: the answer from api.example.com is no JSON (status 200) {"url": "https://api.example.com/v1", "body": "' || repeat('é', 512) || '", "status": 200, "contentType": "text/html"}';

-- text that is none
SELECT body('text/plain', '\xe9c0'), body('text/plain; charset=ISO-8859-1', '\xe980819f'), body('text/plain; charset="iso-8859-1"', 'plain'), body('text/html;q=1;Charset=windows-1252', '\x80'), body('text/plain; charset=utf-8', '\xefbbbfc3a9'), body('text/plain; charset=utf-16', '\xfffe41004200');
SELECT body('text/plain', b) FROM unnest(ARRAY['\x610062', '\xc3', '\xe282', '\xf09f98', '\xf09f9880', '\xc080', '\xeda080', '\xf4908080', '\xff', '\x61ff62c3a9fe']::bytea[]) b;
SELECT body('application/json', '\x7b2261223a2022ff00227d'), body('application/json; charset=iso-8859-1', '\x7b2261223a2022e9227d'), body('application/json', '\xefbbbf7b7d');
SELECT body('application/json', convert_to(b, 'UTF8'), t) FROM (VALUES ('{"a": "\u0000", "b": "\ud83d\ude00", "c": "\ud83d", "d": "\ude00x", "e": "\\u0000", "f": "\ud83d\u0041"}', 'auto'), ('{"a": "\u00', 'auto'), ('"\u00zz"', 'auto'), ('{"\u0000": 1}', 'json'), ('"\', 'auto'), ('"\ud83d\', 'json')) x (b, t);
-- headers: bytes, names
SELECT got('{}', '{"headers": [["x-utf8", "é"], ["x-latin", "\\xe9"], ["x-\\xff", "1"], ["\\x782dff", "2"], ["x-empty", ""], ["x-tab", "a\tb"]]}') #> '{output,headers}';

-- what is too deep or too large is an error, not a throw
SELECT t, body('application/json', convert_to(repeat('[', n), 'UTF8'), t) LIKE e FROM (VALUES ('json', 5000000, 'WF006 request failed: the answer from api.example.com is too large, or nested too deeply, for a value of JSON%'), ('auto', 5000000, 'WF006%')) x (t, n, e);
SELECT body('application/json', convert_to('{"a": ' || repeat('9', 200000) || '}', 'UTF8'), 'json') LIKE 'WF010%';
SELECT body('application/json', '1e131071') LIKE '1000%', body('application/json', '1e999999', 'json') LIKE 'WF010%';
-- the caller's memory and the session are as they were
SELECT body('application/json', '{"still": "here"}');

-- which answers are none of an error
CREATE FUNCTION statuses(codes text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(s::text, ' ' ORDER BY s) FROM unnest('{199,200,201,204,299,300,304,404,410,499,500}'::int[]) s WHERE got(CASE WHEN codes IS NULL THEN '{}' ELSE jsonb_build_object('successCodes', codes::jsonb) END, jsonb_build_object('status', s)) ? 'output' $$;
SELECT statuses(NULL), statuses('["2xx"]'), statuses('[200]'), statuses('["2xx", 404]'), statuses('[[200, 204], "4xx"]'), statuses('[[204, 200]]'), statuses('[]'), statuses('["5xx", [300, 304]]');

-- what is tried again, and what counts against the host
SELECT s, g ->> 'retryable', g ->> 'againstHost' FROM unnest('{200,301,400,401,404,408,409,425,429,500,501,502,503,504,505,599}'::int[]) s, LATERAL (SELECT got('{}', jsonb_build_object('status', s))) x (g);
SELECT o, g ->> 'error', g -> 'details', g ->> 'retryable' AS retryable, g ->> 'againstHost' AS against FROM (VALUES ('invalid', 'the method is not a word in capital letters'), ('blocked', 'requests to "localhost" are forbidden: loopback 127.0.0.0/8'), ('unresolved', 'could not resolve the host "api.example.com"'), ('unreachable', 'could not connect to "api.example.com", port 443'), ('tls failed', 'could not secure the connection to "api.example.com": expired'), ('timed out', 'no answer within 30000 ms'), ('too large', 'the answer is larger than 100 bytes'), ('redirect refused', 'there are more than 10 redirects'), ('broken', 'the connection to "api.example.com" broke: x'), ('overloaded', 'out of memory')) x (o, m), LATERAL (SELECT got('{}', jsonb_build_object('outcome', o, 'message', m))) y (g);
SELECT got('{}', '{"outcome": "too large", "message": "the answer is larger than 100 bytes", "status": 200, "headers": [["content-type", "text/plain"]]}', 'the beginning') - 'retryable';
-- a success that is refused for its body is not tried again; mail
SELECT got('{"responseType": "json"}', '{"status": 200}', 'x') ->> 'retryable', got('{"responseType": "json", "successCodes": [503]}', '{"status": 503}', 'x') - 'details';
SELECT got('{"kind": "mail"}', jsonb_build_object('outcome', 'refused', 'message', 'the mail server refused: ' || s || ' x', 'status', s, 'url', 'smtp://relay:25')) FROM unnest('{421,450,451,550,535,0}'::int[]) s;
SELECT got('{"kind": "mail"}', '{"status": 250, "url": "smtp://relay:25/"}');

-- secrets of the address are not shown: in url, in location, in messages
SELECT r, g #>> '{output,url}', g #>> '{output,headers,location}', got(r, res || '{"status": 500}') ->> 'error', got(r, res || '{"status": 500}') #>> '{details,url}' FROM (VALUES ('{"query": {"a": "1"}}'::jsonb), ('{"query": {"a": "$A", "b": ["1", "x$B"], "c&": "é", "$A": "1"}}'), ('{"url": "https://h/p?k=$A#f", "query": {"b": "1"}}'), ('{"url": "https://h/bot$A/x?k=1"}'), ('{"url": "https://$A.example.com/x"}'), ('{"url": "$A"}'),
	('{"auth": {"type": "apiKey", "name": "api key", "value": "v", "in": "query"}}'), ('{"auth": {"type": "apiKey", "name": "k", "value": "$A"}}'), ('{"auth": {"type": "bearer", "token": "$A"}, "headers": {"X": "$B"}}')) x (r),
	LATERAL (SELECT '{"url": "https://h/p?topsecret", "headers": [["location", "/elsewhere?topsecret"]]}'::jsonb) z (res), LATERAL (SELECT got(r, res)) y (g);
SELECT r, got(r, '{"url": "https://other.example:444/topsecret?topsecret", "redirects": 1}') #>> '{output,url}' FROM (VALUES ('{}'::jsonb), ('{"query": {"a": "$A"}}'), ('{"url": "https://h/$A"}'), ('{"url": "https://$A/"}')) x (r);
SELECT o, got('{"url": "https://$A.example.com/"}', jsonb_build_object('outcome', o, 'message', 'topsecret.example.com', 'url', 'https://topsecret.example.com/')) FROM unnest('{blocked,unresolved,unreachable,tls failed,timed out,broken}'::text[]) o;
DROP EXTENSION workflow;
