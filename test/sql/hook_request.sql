-- What comes with a webhook: headers in any case, bodies by their content type.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION headers(given jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_headers' LANGUAGE C STRICT;
CREATE FUNCTION body_of(headers jsonb, body bytea) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_body' LANGUAGE C STRICT;
CREATE FUNCTION body(type text, body text) RETURNS jsonb LANGUAGE sql AS $$ SELECT body_of(jsonb_build_object('Content-Type', type), convert_to(body, 'UTF8')) $$;

-- headers
SELECT headers(h) FROM unnest(ARRAY['{}', 'null', '{"A": "1", "X-b": " 2\t", "c": ["3", "4"], "C": "5", "D": [], "e": ["6"], "": "x", "ÄÖ": "y"}', '[]', '"x"', '1', '{"a": 1}', '{"a": null}', '{"a": ["1", 2]}', '{"a": {"b": "1"}}', '{"a": [["1"]]}']::jsonb[]) h;
SELECT count(*) FROM jsonb_object_keys(headers((SELECT jsonb_object_agg('h' || i, '') FROM generate_series(1, 256) i)));
SELECT headers((SELECT jsonb_object_agg('h' || i, '') FROM generate_series(1, 257) i)), headers((SELECT jsonb_build_object('h', jsonb_agg(''::text)) FROM generate_series(1, 257) i)), headers(jsonb_build_object('h', repeat('x', 65535))) IS NOT NULL AS fits, headers(jsonb_build_object('h', repeat('x', 65536))), headers(jsonb_build_object(repeat('x', 70000), ''));

-- JSON
SELECT type, body(type, '{"a": [1, 2.50], "b": "é"}') FROM unnest(ARRAY['application/json', 'Application/JSON; charset=utf-8', 'application/json;charset=utf-8', 'application/vnd.api+json', 'application/cloudevents+json ; x', 'text/json', '+json', 'application/jsonx', 'application/x-json', 'json', '', ' ', ';', 'multipart/form-data; boundary=x']) type;
SELECT body('application/json', b) FROM unnest(ARRAY['1', '"x"', 'null', '[]', ' {} ', '{', '{"a"}', '{"a": 1,}', '{"a": 1} x', 'NaN', '''a''', '"\u0000"', '"\ud800"', '"\ud83d\ude00"', '"\x"', '{"a": 1, "a": 2}', '1e400', '1e1000000', '-', '', ' ', E'\x01', '"' || E'\t' || '"']) b;
SELECT body_of('{"content-type": "application/json"}', b) FROM unnest(ARRAY['\xff', '\x22ff22', '\x2200', '\x7b7d00', '\xefbbbf7b7d', '\x22c3a922', '\x22eda08022', '\x22c0af22']::bytea[]) b;
SELECT body('application/json', repeat('[', n) || repeat(']', n)) ->> 'problem' FROM unnest(ARRAY[100, 1000000]) n;
SELECT octet_length(body('application/json', '"' || repeat('x', 1000000) || '"') ->> 'body'), body('application/json', '[' || repeat('1,', 200000) || '1]') -> 'body' ->> 200000 AS many, body('text/plain', repeat('x', 1024 * 1024 * 64 + 1)) AS over;
SELECT body_of('{"content-type": ["application/json", "text/plain"]}', '{}'), body_of('{"content-type": "application/json", "Content-Type": "application/json"}', '{}'), body_of('{}', '{}'), body_of('{}', ''), body_of('{"content-type": "application/json"}', '');

-- forms
SELECT b, body('application/x-www-form-urlencoded', b) FROM unnest(ARRAY['a=1&b=2', 'a=1&b=2&a=3&a=', 'a', 'a=', '=', '=x', '&&', '&a=1&', 'a=1=2', 'a+b=c+d', 'a%20b=%26%3D%2B', 'a=%C3%A9&é=é', 'a[]=1&a[]=2', 'payload=%7B%22a%22%3A1%7D', 'a=%', 'a=%4', 'a=%zz', 'a=%00', '%00=1', 'a=%ff', 'a=%ED%A0%80', 'a=1;b=2', 'a=%0d%0a', '?a=1']) b;
SELECT body_of('{"content-type": "application/x-www-form-urlencoded"}', b) FROM unnest(ARRAY['\x613dff', '\x613d00', '\x00']::bytea[]) b;
SELECT (SELECT count(*) FROM jsonb_object_keys(body('application/x-www-form-urlencoded', f) -> 'body')), body('application/x-www-form-urlencoded', f || '&x=1') ->> 'problem' AS one_more, jsonb_array_length(body('application/x-www-form-urlencoded', repeat('a=1&', 1000)) -> 'body' -> 'a') AS same FROM (SELECT string_agg('f' || i || '=' || i, '&') AS f FROM generate_series(1, 1000) i) x;

-- text, and what is none of these
SELECT body('text/plain', E'a\r\n"b" é'), body('TEXT/HTML; charset="UTF-8"', '<p>é'), body('text/plain; charset=iso-8859-1', 'abc'), body('text/plain; charset=iso-8859-1', 'é'), body('text/plain; format=flowed; charset=utf-8', 'é'), body('text/xml; charset=UTF-16', 'é'), body('text/plain; charset=', 'é');
SELECT body_of('{"content-type": "text/plain"}', b) FROM unnest(ARRAY['\xe9', '\x6100', '\xc3a9', '\xf8888080', '\x80']::bytea[]) b;
SELECT body_of(jsonb_build_object('content-type', type), b) FROM unnest(ARRAY['application/octet-stream', 'image/png', 'multipart/form-data; boundary=x', 'application/xml', 'text']) type, unnest(ARRAY['\x', '\x00', '\x0001', '\x000102ff']::bytea[]) b;
SELECT decode(body_of('{"content-type": "x/y"}', b) ->> 'body', 'base64') = b AS same, body_of('{"content-type": "x/y"}', b) ->> 'body' LIKE '%' || chr(10) || '%' AS has_lines FROM (SELECT string_agg(sha256(i::text::bytea), '') AS b FROM generate_series(1, 500) i) x;
