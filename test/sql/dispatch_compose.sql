-- Requests as they are given to the network: secrets where they belong, auth, bodies, headers, limits. Nothing is sent.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION compose(request jsonb, secrets jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_compose' LANGUAGE C STRICT;
CREATE FUNCTION face_of(request jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_compose_face' LANGUAGE C STRICT;
-- $NAME in a request becomes a marker of its nonce; all names are the request's own unless it says otherwise
CREATE FUNCTION marked(request jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"nonce": "0123456789abcdef0123456789abcdef", "secrets": ["A", "B", "C"]}' || regexp_replace(request::text, '\$([A-Z]+)', U&'\E000' || '0123456789abcdef0123456789abcdef:\1' || U&'\E001', 'g')::jsonb $$;
CREATE FUNCTION made(request jsonb, secrets jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT compose('{"kind": "http", "method": "GET", "url": "https://api.example.com/v1"}' || marked(request), secrets, options) $$;
CREATE FUNCTION part(made jsonb, VARIADIC keys text[]) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(made ->> 'error', (SELECT string_agg(coalesce(made ->> k, '-'), ' | ' ORDER BY n) FROM unnest(keys) WITH ORDINALITY x (k, n))) $$;
-- A header by its name, with its flag.
CREATE FUNCTION header(made jsonb, name text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(made ->> 'error', (SELECT string_agg(h, ' & ') FROM jsonb_array_elements_text(made -> 'headers') h WHERE h ILIKE name || ':%' OR h ILIKE '(secret) ' || name || ':%')) $$;

-- all of it
SELECT jsonb_pretty(made('{}'));
SELECT jsonb_pretty(made('{"method": "PUT", "url": "https://API.example.com:8443/a b?x=1#top"}')) UNION ALL SELECT jsonb_pretty(made('{"method": "PUT", "url": "https://API.example.com:8443/a%20b?x=1#top", "query": {"y": "2 &", "z": ["a", "b"]}, "headers": {"X-One": "1", "Accept": "text/plain"}, "body": {"n": 1.10, "t": "é"}, "bodyType": "json", "timeoutMs": 1500, "connectTimeoutMs": 700, "lowSpeed": {"bytes": 10, "ms": 5000}, "maxRedirects": 3, "maxResponseBytes": 2000}'));

-- the address
CREATE FUNCTION url(request jsonb, secrets jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$ SELECT part(made(request, secrets), 'url') $$;
SELECT url('{"url": "https://h/p", "query": {}}'), url('{"url": "https://h/p?", "query": {"a": "1"}}'), url('{"url": "https://h/p?a&", "query": {"b": ""}}'), url('{"url": "https://h#f?x", "query": {"a": ["1", "2"], "b c": "é/~+&=?#%"}}');
SELECT url('{"url": "https://h/$A/x?k=$A&l=1", "query": {"q$A": "$A$B"}}', '{"A": "a/b?c&d=é#\"", "B": "+ "}');
-- a secret stays within what it was put into; one that begins the address is the beginning of one
SELECT url('{"url": "https://$A/x"}', '{"A": "api.example.com"}'), url('{"url": "https://$A/x"}', '{"A": "evil.example/y"}'), url('{"url": "https://h:$A/"}', '{"A": "8080"}'), url('{"url": "https://h:$A/"}', '{"A": "80@x"}');
SELECT url('{"url": "$A"}', '{"A": "https://hooks.example.com/T0/B0?x=y"}'), url('{"url": "$A/$B", "query": {"a": "1"}}', '{"A": "https://hooks.example.com", "B": "x/y"}'), url('{"url": "$A"}', '{"A": "ftp://hooks.example.com/topsecret"}'), url('{"url": "$A"}', '{"A": "https://user:pw@hooks.example.com/"}'), url('{"url": "$A"}', '{"A": "https://h/topsecret\n"}'), url('{"url": "$A"}', '{"A": "https://h/top secret"}'), url('{"url": "$A"}', '{"A": ""}');
SELECT url('{"url": ""}'), url('{"url": "https://h\\x/"}'), url('{"url": 7}'), url('{"query": {"a": 7}}'), url('{"url": "https://bücher.example/ü"}');
SELECT part(compose('{"kind": "http"}'), 'url'), part(compose('{}'), 'url'), part(compose('[]'), 'url');

-- secrets: only of the request's nonce, and only its own names
SELECT header(made('{"headers": {"X": "a $A b $B"}}', '{"A": "one", "B": "$A"}'), 'x'), header(made('{"headers": {"X": "$A"}}', '{"B": "two"}'), 'x'), header(made('{"headers": {"X": "$D"}}', '{"D": "four"}'), 'x') = 'X: ' || U&'\E000' || '0123456789abcdef0123456789abcdef:D' || U&'\E001' AS not_its_own;
SELECT header(compose('{"kind": "http", "url": "https://h/"}' || (marked('{"headers": {"X": "$A"}}') - 'nonce'), '{"A": "one"}'), 'x') LIKE '%:A%' AS no_nonce, header(compose('{"kind": "http", "url": "https://h/"}' || marked('{"headers": {"X": "$A"}}') || '{"nonce": "fedcba9876543210fedcba9876543210"}', '{"A": "one"}'), 'x') LIKE '%:A%' AS other_nonce, header(compose('{"kind": "http", "url": "https://h/"}' || (marked('{"headers": {"X": "$A"}}') - 'secrets'), '{"A": "one"}'), 'x') LIKE '%:A%' AS none_listed, header(made('{"headers": {"X": "1"}}', '{}'), 'x') AS listed_and_not_used;
SELECT made('{"url": "https://$A/", "auth": {"type": "bearer", "token": "$B"}}', '{"A": "h"}') ->> 'error', made('{"body": {"k": "$A"}, "bodyType": "json"}') ->> 'error', made('{"query": {"k": "$A"}}') ->> 'error';
-- what a value may break
SELECT header(made('{"headers": {"X-A": "$A"}}', jsonb_build_object('A', 'topsecret' || v)), 'x-a') FROM unnest(ARRAY[E'\r\nX-B: 1', E'\n', E'\x01', E'\x7f', E'\t', ' ü']) v;
SELECT made('{"auth": {"type": "bearer", "token": "$A"}}', '{"A": "top\nsecret"}') ->> 'error', made('{"auth": {"type": "basic", "username": "$A", "password": "$A"}}', '{"A": "top:secret"}') ->> 'error', made('{"auth": {"type": "apiKey", "name": "$A", "value": "v"}}', '{"A": "top secret"}') ->> 'error', made('{"auth": {"type": "apiKey", "name": "X-Key", "value": "$A"}}', '{"A": "top\rsecret"}') ->> 'error', made('{"auth": {"type": "aws", "accessKey": "$A", "secretKey": "s", "region": "r", "service": "s"}}', '{"A": "top/secret"}') ->> 'error', made('{"auth": {"type": "aws", "accessKey": "a", "secretKey": "s", "region": "$A", "service": "s"}}', '{"A": "top:secret"}') ->> 'error', made('{"auth": {"type": "mtls", "cert": "$A", "key": "-----BEGIN"}}', '{"A": "topsecret"}') ->> 'error', made('{"auth": {"type": "bearer", "token": "$A"}}', '{"A": ""}') ->> 'error';
SELECT made('{"body": "$A", "bodyType": "binary"}', '{"A": "topsecret!"}') ->> 'error', made('{"body": {"f": {"content": "QUJD$A"}}, "bodyType": "multipart"}', '{"A": "topsecret"}') ->> 'error', made('{"body": {"f": {"content": "QUJD", "filename": "$A"}}, "bodyType": "multipart"}', '{"A": "top\nsecret"}') ->> 'error', made('{"body": {}, "bodyType": "json", "sign": {"secrets": ["a", "whsec_$A"]}}', '{"A": "topsecret!"}') ->> 'error', made('{"body": {}, "bodyType": "json", "sign": {"secrets": ["$A"]}}', '{"A": ""}') ->> 'error';

-- headers: what holds a secret or says who is asking is not given to others; the config's come before the defaults
SELECT made('{"headers": {"A": "$A", "Authorization": "x", "Cookie": "y", "X-Api-Key": "z", "PRIVATE-TOKEN": "t", "Accept": "a", "idempotency-key": "mine", "TraceParent": "mine too", "Content-Type": "application/vnd.x+json"}, "body": 1, "bodyType": "json"}', '{"A": "one"}') -> 'headers';
-- traceparent
SELECT t, header(made('{}', '{}', jsonb_build_object('trace', t)), 'traceparent') FROM unnest(ARRAY['00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00', '01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more', '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more', '00-00000000000000000000000000000000-00f067aa0ba902b7-00', '00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-00', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00', '00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-00', '0190A5D0-0000-7000-8000-0000000000FF', '00000000-0000-0000-0000-000000000000', 'order 17', '', 'é']) t;
SELECT left(encode(sha256('order 17'), 'hex'), 32) AS trace, left(encode(sha256('0190a5d0-0000-7000-8000-000000000001 1'), 'hex'), 16) AS span;
SELECT header(made('{}', '{}', '{"attempt": 2}'), 'traceparent'), header(made('{}', '{}', '{"attempt": 2}'), 'idempotency-key');

-- auth
SELECT part(made(request, '{"A": "pässword", "B": "tok"}', '{"token": "access"}'), 'url', 'auth', 'headers') FROM (VALUES
	('{"auth": {"type": "basic", "username": "ann", "password": "$A"}, "headers": {"authorization": "gives way"}}'::jsonb), ('{"auth": {"type": "bearer", "token": "$B"}}'), ('{"auth": {"type": "digest", "username": "a:b", "password": ""}}'),
	('{"auth": {"type": "apiKey", "name": "X-Key", "value": "k$B"}, "headers": {"x-key": "gives way", "Y": "1"}}'), ('{"auth": {"type": "apiKey", "name": "key", "value": "$A&x", "in": "query"}, "query": {"z": "1"}}'), ('{"auth": {"type": "apiKey", "name": "k k", "value": "v", "in": "query"}}'),
	('{"auth": {"type": "aws", "accessKey": "AKID", "secretKey": "$A", "region": "us-east-1", "service": "s3"}}'), ('{"auth": {"type": "aws", "accessKey": "AKID", "secretKey": "$A", "sessionToken": "$B", "region": "us-east-1", "service": "s3"}}'),
	('{"auth": {"type": "oauth2", "grant": "clientCredentials", "tokenUrl": "https://l/", "clientId": "i", "clientSecret": "$A"}}'),
	('{"auth": {"type": "bearer"}}'), ('{"auth": {"type": "x"}}'), ('{"auth": {"credential": "x"}}'), ('{"auth": {}}'), ('{"auth": {"type": "apiKey", "name": "a b", "value": "v"}}')) x (request);
SELECT part(made('{"auth": {"type": "oauth2"}}'), 'auth'), part(made('{"auth": {"type": "oauth2"}}', '{}', '{"token": "a\nb"}'), 'auth');
SELECT part(made('{"auth": {"type": "mtls", "cert": "$A", "key": "$B"}}', '{"A": "-----BEGIN CERTIFICATE-----\nA\n", "B": "-----BEGIN PRIVATE KEY-----\nB\n"}'), 'cert', 'key');
-- a signature of AWS is over the query as it is written: sorted, and encoded in one way
SELECT url('{"auth": {"type": "aws", "accessKey": "AKID", "secretKey": "s", "region": "r", "service": "s"}, "url": "https://h/p?b=2&a-b=1&a=%7e%2f+x&acl&b=1&&é=1#f", "query": {"a": "0", "B": "$A"}}', '{"A": "="}');

-- partitions: nobody else's connections
CREATE FUNCTION partition(request jsonb, secrets jsonb DEFAULT '{"A": "one"}', options jsonb DEFAULT '{"token": "t1"}') RETURNS text LANGUAGE sql AS $$ SELECT part(made(request, secrets, options), 'partition') $$;
SELECT partition('{}'), partition('{"headers": {"X": "1"}}'), partition('{}', '{}', '{"tenant": "00000000-0000-7000-8000-00000000000b"}');
SELECT count(*), count(DISTINCT p), count(*) FILTER (WHERE p ~ '^00000000-0000-7000-8000-00000000000a [0-9a-f]{64}$') FROM (VALUES
	(partition('{"auth": {"type": "bearer", "token": "$A"}}')), (partition('{"auth": {"type": "bearer", "token": "$A"}}', '{"A": "two"}')), (partition('{"auth": {"type": "basic", "username": "a", "password": "bc"}}')), (partition('{"auth": {"type": "basic", "username": "ab", "password": "c"}}')),
	(partition('{"auth": {"type": "digest", "username": "a", "password": "bc"}}')), (partition('{"auth": {"type": "apiKey", "name": "k", "value": "1"}}')), (partition('{"auth": {"type": "apiKey", "name": "k", "value": "2"}}')), (partition('{"auth": {"type": "apiKey", "name": "k", "value": "1", "in": "query"}}')),
	(partition('{"auth": {"type": "oauth2"}}')), (partition('{"auth": {"type": "oauth2"}}', '{}', '{"token": "t2"}')), (partition('{"headers": {"X": "$A"}}')), (partition('{"headers": {"X": "$A"}}', '{"A": "two"}')), (partition('{"headers": {"Y": "$A"}}')), (partition('{"headers": {"Authorization": "one"}}'))) x (p);
SELECT partition('{"auth": {"type": "bearer", "token": "$A"}, "url": "https://other/"}') = partition('{"auth": {"type": "bearer", "token": "one"}}') AS same;

-- bodies
CREATE FUNCTION body(body jsonb, type text, secrets jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(m ->> 'error', concat_ws(' | ', header(m, 'content-type'), m ->> 'body', m ->> 'parts', CASE WHEN (m ->> 'bodyIsSecret')::bool THEN 'SECRET' END)) FROM (SELECT made(jsonb_build_object('body', body, 'bodyType', type), secrets)) x (m) $$;
SELECT body('{"big": 12345678901234567890.123456789, "deep": [[{"a": null}]], "t": "\"\\\n é 😀"}', 'json'), body('"text"', 'json'), body('null', 'json'), body('[]', 'json');
SELECT body('{"$A": ["x$A", {"y": "$B"}]}', 'json', '{"A": "quote\" back\\ line\n tab\t \u0001 é", "B": "}{"}');
SELECT body('{"k": "$A"}', 'json', '{"A": "quote\" back\\ line\n tab\t \u0001 \u007f é"}') ~ '\{"k": "quote\\" back\\\\ line\\u000a tab\\u0009 \\u0001 . é"\}', (part(made('{"body": {"k": "$A"}, "bodyType": "json"}', '{"A": "quote\" back\\ line\n tab\t \u0001 \u007f é"}'), 'body')::jsonb ->> 'k') = U&'quote" back\005C line\000A tab\0009 \0001 \007F é';
SELECT body('"plain é $A"', 'text', '{"A": "\n"}'), body('""', 'text'), body('7', 'text');
SELECT body('{"a": "1 2", "b": ["&", "=é"], "c d": "", "$A": "~-._*"}', 'form', '{"A": "n"}'), body('{"a": "$A", "b": "x"}', 'form', '{"A": "a&b=c d"}'), body('{}', 'form'), body('{"a": 1}', 'form'), body('[]', 'form');
SELECT body('"QUJD"', 'binary'), body('" Q U\nJ\tD\r"', 'binary'), body('"QQ=="', 'binary'), body('"QUI="', 'binary'), body('"/+8="', 'binary'), body('""', 'binary'), body('"QU$A"', 'binary', '{"A": "JD"}');
SELECT body(to_jsonb(b), 'binary') FROM unnest('{Q,QQ,QQ=,QQ===,Q=Q=,QUJD=,=,QUJ*,QQ==QQ==}'::text[]) b;
SELECT body('{"t": "text", "l": ["1", "2"], "f": {"filename": "a\"b.txt", "contentType": "text/x", "content": "AP8="}, "g": {"content": "QQ=="}, "s": "$A"}', 'multipart', '{"A": "one"}');
SELECT body('{}', 'multipart'), body('[]', 'multipart'), body('{"a": 1}', 'multipart'), body('{"a": {}}', 'multipart'), body('{"a\nb": "x"}', 'multipart'), body('{"a": {"content": "QQ==", "contentType": "$A"}}', 'multipart', '{"A": "x\ry"}');
SELECT body('{}', 'none'), made('{"body": 1}') ->> 'error', header(made('{"body": "x", "bodyType": "text", "headers": {"content-type": "text/csv"}}'), 'content-type');
-- every length of base64
SELECT count(*) FROM generate_series(0, 300) n, LATERAL (SELECT decode(string_agg(lpad(to_hex(i % 256), 2, '0'), ''), 'hex') FROM generate_series(1, n) i) b (bytes)
	WHERE replace(compose(jsonb_build_object('kind', 'http', 'url', 'https://h/', 'bodyType', 'binary', 'body', encode(coalesce(bytes, ''), 'base64')), '{}', '{"bytes": 1}') ->> 'body', E'\n', '') = replace(encode(coalesce(bytes, ''), 'base64'), E'\n', '');

-- limits
SELECT part(made('{}'), 'timeoutMs', 'connectTimeoutMs', 'lowSpeedBytes', 'maxRedirects', 'maxResponseBytes', 'caFile');
SET workflow.http_timeout = '5s';
SET workflow.http_max_response_size = '1MB';
SET workflow.http_ca_file = '/etc/ssl/own.pem';
SELECT part(made('{}'), 'timeoutMs', 'maxResponseBytes', 'caFile'), part(made('{"maxResponseBytes": 5000000, "timeoutMs": 99999999999, "maxRedirects": 0}'), 'timeoutMs', 'maxResponseBytes', 'maxRedirects'), part(made('{"maxResponseBytes": 50}'), 'maxResponseBytes');
RESET workflow.http_timeout;
RESET workflow.http_max_response_size;
RESET workflow.http_ca_file;

-- who may set what, and to what
SELECT name, context, min_val, max_val FROM pg_settings WHERE name ~ '^workflow.http_(allow|ca_file|deny|max_|timeout)' ORDER BY name COLLATE "C";
-- how the range is written is PostgreSQL's, and differs
\set VERBOSITY sqlstate
SET workflow.http_timeout = 0;
SET workflow.http_max_response_size = '129MB';
SET workflow.http_max_in_flight = 0;
\set VERBOSITY default
SET workflow.http_allow = '127.0.0.0/8, ::1';
SET workflow.http_deny = '*.example.com:443';
RESET workflow.http_allow;
RESET workflow.http_deny;

-- webhooks: HMAC by RFC 4231 (1, 2, 4, 6) and by the vector of the specification's libraries
CREATE FUNCTION hmac(key bytea, first bytea, second bytea) RETURNS bytea AS '$libdir/workflow', 'wf_sql_test_hmac' LANGUAGE C STRICT;
SELECT hmac(decode(repeat('0b', 20), 'hex'), 'Hi', ' There') = '\xb0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7', hmac('Jefe', '', 'what do ya want for nothing?') = '\x5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
	hmac('\x0102030405060708090a0b0c0d0e0f10111213141516171819', decode(repeat('cd', 50), 'hex'), '') = '\x82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b', hmac(decode(repeat('aa', 131), 'hex'), 'Test Using Larger Than Block-Size Key - ', 'Hash Key First') = '\x60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54';
SELECT encode(hmac(decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'), 'msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.', '{"test": 2432232314}'), 'base64') = 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=';
SELECT header(m, 'webhook-id'), header(m, 'webhook-timestamp'), header(m, 'webhook-signature'), m ->> 'body', m ->> 'maxRedirects' 
	, encode(hmac('plain text', '0190a5d0-0000-7000-8000-000000000001.1614265330.', '{"test": 2432232314}'), 'base64') AS by_hand
	FROM (SELECT made('{"method": "POST", "body": {"test": 2432232314}, "bodyType": "json", "sign": {"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "plain text", "$A"]}}', '{"A": "whsec_cGxhaW4gdGV4dA=="}', '{"now": 1614265330123}')) x (m);
SELECT made('{"body": {"a": "b"}, "bodyType": "multipart", "sign": {"secrets": ["x"]}}') ->> 'error', made('{"sign": {"secrets": []}}') ->> 'error', header(made('{"sign": {"secrets": ["x"]}}'), 'webhook-signature') IS NOT NULL AS without_body;

-- what views show
SELECT face_of(marked(r)) FROM (VALUES ('{"kind": "http", "method": "GET", "url": "https://API.Example.com"}'::jsonb), ('{"method": "POST", "url": "http://h:8080/a%20b/c?x=1#f"}'), ('{"method": "GET", "url": "https://[::1]/x"}'), ('{"method": "GET", "url": "https://bücher.example:443/x/../y"}'),
	('{"method": "GET", "url": "https://h/bot$A/send?k=$B"}'), ('{"method": "GET", "url": "https://h/x?k=$B"}'), ('{"method": "GET", "url": "https://$A.example.com/x/$B/y?k=1"}'), ('{"method": "GET", "url": "https://h:$A"}'), ('{"method": "GET", "url": "$A"}'), ('{"method": "GET", "url": "$A/x/y"}'), ('{"method": "GET", "url": "https://h:x/y"}'), ('{}')) x (r);
SELECT face_of(marked('{"method": "GET", "url": "https://h/$A"}') || '{"nonce": "fedcba9876543210fedcba9876543210"}') ->> 'path' LIKE '%0123456789abcdef%' AS other_nonce;

-- memory that held a secret is given back wiped, on every path
SELECT count(*) FILTER (WHERE made('{"auth": {"type": "basic", "username": "u", "password": "$A"}, "url": "https://h/$A", "headers": {"X": "$A"}, "body": {"k": "$A"}, "bodyType": "form"}', jsonb_build_object('A', repeat('s', i * 100))) ? 'auth') FROM generate_series(1, 50) i;
DROP EXTENSION workflow;
