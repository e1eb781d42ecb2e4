-- Who sends a webhook: basic, header, and the signatures of four senders, with what their documentation gives as examples.
CREATE EXTENSION workflow;
CREATE EXTENSION pgcrypto;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION check_hook(auth jsonb, headers jsonb, body bytea, now bigint) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_check' LANGUAGE C STRICT;
-- the id, or why not
CREATE FUNCTION told(auth jsonb, headers jsonb, body text DEFAULT '', now bigint DEFAULT 0) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN c ? 'refused' THEN CASE WHEN c ? 'unusable' THEN 'UNUSABLE: ' ELSE 'refused: ' END || (c ->> 'refused') ELSE coalesce(c ->> 'id', 'accepted') END FROM check_hook(auth, headers, convert_to(body, 'UTF8'), now) c $$;

-- none, and what is not understood
SELECT a, told(a, '{}') FROM unnest(ARRAY['{"type": "none"}', '{}', 'null', '[]', '"none"', '{"type": null}', '{"type": "None"}', '{"type": "hmac"}', '{"type": ["none"]}', '{"type": "bearer", "token": "x"}']::jsonb[]) a;
SELECT h, told('{"type": "none"}', h) FROM unnest(ARRAY['{"Idempotency-Key": "k1"}', '{"webhook-id": "w1"}', '{"idempotency-key": " k1 ", "webhook-id": "w1"}', '{"idempotency-key": ""}', '{"idempotency-key": "", "webhook-id": "w1"}', '{"idempotency-key": ["a", "b"]}', '{"x-github-delivery": "x"}']::jsonb[]) h;
SELECT told('{"type": "none"}', jsonb_build_object('idempotency-key', repeat('k', 200))) = repeat('k', 200) AS whole, told('{"type": "none"}', jsonb_build_object('idempotency-key', repeat('k', 201))) = 'sha256:' || encode(sha256(repeat('k', 201)::bytea), 'hex') AS digest;

-- basic
CREATE FUNCTION basic(credentials text) RETURNS text LANGUAGE sql AS $$ SELECT 'Basic ' || replace(encode(convert_to(credentials, 'UTF8'), 'base64'), E'\n', '') $$;
SELECT c, told('{"type": "basic", "username": "ann", "password": "pässword:1"}', jsonb_build_object('Authorization', c)) FROM unnest(ARRAY[basic('ann:pässword:1'), replace(basic('ann:pässword:1'), 'Basic ', 'bASIC   '), basic('ann:pässword:'), basic('ann:pässword:12'), basic('Ann:pässword:1'), basic('ann:'), basic(':pässword:1'), basic('annpässword:1'), basic('ann:pässword:1') || '=', rtrim(basic('ann:pässword:1'), '='), 'Basic', 'Basic ', 'Basic', 'Basicx', 'Bearer x', 'ann:pässword:1', '']) c;
SELECT told('{"type": "basic", "username": "ann", "passwords": ["old", "new"]}', h) FROM unnest(ARRAY[jsonb_build_object('authorization', basic('ann:old')), jsonb_build_object('authorization', basic('ann:new')), jsonb_build_object('authorization', basic('ann:newer')), jsonb_build_object('authorization', ARRAY[basic('ann:new'), basic('ann:new')]), jsonb_build_object('authorization', basic('ann:new'), 'Authorization', 'x'), '{}']) h;
SELECT a, told('{"type": "basic"}' || a, jsonb_build_object('authorization', basic(':'))) FROM unnest(ARRAY['{}', '{"username": "a"}', '{"password": "p"}', '{"username": "a:b", "password": "p"}', '{"username": "", "password": ""}', '{"username": "", "password": null}', '{"username": "", "passwords": []}', '{"username": "", "passwords": ["p", ""]}', '{"username": "", "passwords": ["p", 1]}', '{"username": "", "password": "p", "passwords": ["p"]}', '{"username": "", "passwords": "p"}', '{"username": "", "passwords": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}', '{"username": 1, "password": "p"}']::jsonb[]) a;
SELECT told('{"type": "basic", "username": "", "password": "p"}', jsonb_build_object('authorization', basic(':p'))) AS no_name, told(jsonb_build_object('type', 'basic', 'username', 'u', 'password', repeat('p', 70000)), jsonb_build_object('authorization', basic('u:p'))) AS too_long;

-- header
SELECT h, told('{"type": "header", "name": "X-API-Key", "value": "top secret"}', h) FROM unnest(ARRAY['{"x-api-key": "top secret"}', '{"X-Api-KEY": " top secret "}', '{"x-api-key": "top secre"}', '{"x-api-key": "top secret1"}', '{"x-api-key": "Top secret"}', '{"x-api-key": ""}', '{"x-api-key": []}', '{"x-api-key": ["top secret", "top secret"]}', '{"x-api-key": "top secret", "X-API-KEY": "x"}', '{"x-api-keys": "top secret"}', '{}']::jsonb[]) h;
SELECT a, told('{"type": "header"}' || a, '{"x": "b", "": "b"}') FROM unnest(ARRAY['{"name": "x", "values": ["a", "b"]}', '{"name": "x", "values": ["a", "c"]}', '{"name": "x", "value": ""}', '{"name": "x", "value": 1}', '{"name": "x"}', '{"name": "", "value": "b"}', '{"value": "b"}', '{"name": 1, "value": "b"}']::jsonb[]) a;

-- Standard Webhooks: the example of its libraries' tests
CREATE FUNCTION standard(change jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}' || change $$;
\set standard '{"type": "hmac", "scheme": "standard", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}'
SELECT s, told(:'standard', standard(jsonb_build_object('webhook-signature', s)), '{"test": 2432232314}', 1614265330) FROM unnest(ARRAY['v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
	'v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Gur4pLd03KjdTBNWGt4BKVv5jmg/0RH6OjVhCkvUVdM= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', '  v1,x  v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=  ', 'v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE', 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OF=', 'V1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1,g0hM9SsE-OTPJTGt_tmIKtSyZlE3uFJELVlNIOLJ1OE=', 'v1,', 'v1', ' ', repeat('v1,x ', 16), repeat('v1,x ', 15) || 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=', repeat('v1,x ', 16) || 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=']) s;
SELECT n, told(:'standard', standard(), '{"test": 2432232314}', 1614265330 + n) FROM unnest(ARRAY[0, 300, 301, 812, -300, -301, 100000000, -1614265330]) n;
SELECT t, told(:'standard', standard(jsonb_build_object('webhook-timestamp', t)), '{"test": 2432232314}', 1614265330) FROM unnest(ARRAY['1614265331', '01614265330', '+1614265330', '-1614265330', '1614265330.0', '1.6e9', '0x60381772', '', ' ', 'now', '1614265330 ', '16142653300000000000000', '99999999999']) t;
SELECT told(:'standard', standard() - k, '{"test": 2432232314}', 1614265330) FROM unnest(ARRAY['webhook-id', 'webhook-timestamp', 'webhook-signature']) k;
SELECT told(:'standard', standard(jsonb_build_object(k, jsonb_build_array(standard() -> k, standard() -> k))), '{"test": 2432232314}', 1614265330) FROM unnest(ARRAY['webhook-id', 'webhook-timestamp', 'webhook-signature']) k;
SELECT told(:'standard', standard(), '{"test": 2432232315}', 1614265330), told(:'standard', standard(), '', 1614265330), told(:'standard', standard(), '{"test": 2432232314} ', 1614265330), told(:'standard', standard('{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJel"}'), '{"test": 2432232314}', 1614265330), told(:'standard', standard('{"webhook-id": ""}'), '{"test": 2432232314}', 1614265330);
-- the boundary between id, time and body can't be moved
CREATE FUNCTION sign_standard(key bytea, id text, t text, body text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('webhook-id', id, 'webhook-timestamp', t, 'webhook-signature', 'v1,' || encode(hmac(convert_to(id || '.' || t || '.' || body, 'UTF8'), key, 'sha256'), 'base64')) $$;
SELECT told('{"type": "hmac", "scheme": "standard", "secret": "raw"}', sign_standard('raw', 'a', '1000', '1001.x'), '1001.x', 1000), told('{"type": "hmac", "scheme": "standard", "secret": "raw"}', sign_standard('raw', 'a', '1000', '1001.x') || '{"webhook-id": "a.1000", "webhook-timestamp": "1001"}', 'x', 1000);
-- keys: text, base64, rotated, and a digest for a long id
SELECT told('{"type": "hmac", "scheme": "standard", "secrets": ["raw", "whsec_a2V5"]}', sign_standard(k, 'id', '1000', 'b'), 'b', 1000) FROM unnest(ARRAY['raw', 'key', 'whsec_a2V5', 'a2V5', 'other', '']::bytea[]) k;
SELECT s, told(jsonb_build_object('type', 'hmac', 'scheme', 'standard', 'secret', s), sign_standard('', 'id', '1000', 'b'), 'b', 1000) FROM unnest(ARRAY['', 'whsec_', 'whsec_!', 'whsec_a', 'whsec_a2V5 ', 'whsec_====']) s;
SELECT told('{"type": "hmac", "scheme": "standard", "secret": "k"}', sign_standard('k', repeat('i', 201), '1000', 'b'), 'b', 1000) = 'sha256:' || encode(sha256(repeat('i', 201)::bytea), 'hex') AS digest;
SELECT told(jsonb_build_object('type', 'hmac', 'scheme', 'standard', 'secret', 'whsec_' || repeat('A', 70000)), sign_standard('', 'id', '1000', 'b'), 'b', 1000);

-- tolerance
SELECT t, told(:'standard'::jsonb || jsonb_build_object('tolerance', t), standard(), '{"test": 2432232314}', 1614265330 + 3000) FROM unnest(ARRAY['3000', '2999', '"50 minutes"', '"49 minutes"', '"PT1H"', '604800', '604801', '0', '-1', '1.5', 'null', '"x"', '[]', '"-1 hour"', '1e30']::jsonb[]) t;

-- GitHub: the example of its documentation
CREATE FUNCTION github(signature text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('X-Hub-Signature-256', signature, 'X-GitHub-Delivery', '72d3162e') $$;
SELECT s, told($${"type": "hmac", "scheme": "github", "secret": "It's a Secret to Everybody"}$$, github(s), 'Hello, World!') FROM unnest(ARRAY['sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'sha256=757107EA0EB2509FC211221CCE984B8A37570B6D7586C22C46F4379C8B043E17', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e1', 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e177', 'sha256=', 'sha1=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', '757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17', 'SHA256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17']) s;
SELECT encode(sha256('Hello, World!'), 'hex');
SELECT told('{"type": "hmac", "scheme": "github", "secrets": ["a", "b"]}', github('sha256=' || encode(hmac('x', k, 'sha256'), 'hex')), 'x') FROM unnest(ARRAY['a', 'b', 'c']) k;
SELECT told('{"type": "hmac", "scheme": "github", "secret": "k"}', github('sha256=' || encode(hmac('', 'k', 'sha256'), 'hex'))), told('{"type": "hmac", "scheme": "github", "secret": "k"}', '{"x-hub-signature": "sha1=x"}'), told('{"type": "hmac", "scheme": "github", "secret": "whsec_a2V5"}', github('sha256=' || encode(hmac('x', 'whsec_a2V5', 'sha256'), 'hex')), 'x') IS NOT NULL;

-- Slack: the example of its documentation
\set slack_body 'token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c'
\set slack '{"type": "hmac", "scheme": "slack", "secret": "8f742231b10e8888abcd99yyyzzz85a5"}'
CREATE FUNCTION slack(t text, signature text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('X-Slack-Request-Timestamp', t, 'X-Slack-Signature', signature) $$;
SELECT n, told(:'slack', slack('1531420618', 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'), :'slack_body', 1531420618 + n) FROM unnest(ARRAY[0, 300, 301, -301]) n;
SELECT encode(sha256(convert_to('v0:1531420618:' || :'slack_body', 'UTF8')), 'hex');
SELECT told(:'slack', h, :'slack_body', 1531420618) FROM unnest(ARRAY[slack('1531420619', 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'), slack('1531420618', 'v1=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'), slack('1531420618', 'a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'), slack('1531420618:x', 'v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503'), slack('1531420618', '') , '{}']) h;
SELECT told('{"type": "hmac", "scheme": "slack", "secret": "k"}', slack('7', 'v0=' || encode(hmac('v0:7:' || b, 'k', 'sha256'), 'hex')), b, 7) FROM unnest(ARRAY['{"event_id": "Ev08MFMKH6"}', '{"event_id": ""}', '{"event_id": 1}', '{"event": {"event_id": "x"}}', '[]', '{']) b;

-- Stripe: computed with pgcrypto
CREATE FUNCTION stripe(key text, t text, body text, before text DEFAULT '', after text DEFAULT '') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('Stripe-Signature', before || 't=' || t || ',v1=' || encode(hmac(convert_to(t || '.' || body, 'UTF8'), convert_to(key, 'UTF8'), 'sha256'), 'hex') || after) $$;
\set stripe '{"type": "hmac", "scheme": "stripe", "secret": "whsec_test"}'
SELECT told(:'stripe', h, '{"id": "evt_1", "object": "event"}', 1492774577) FROM unnest(ARRAY[stripe('whsec_test', '1492774577', '{"id": "evt_1", "object": "event"}'), stripe('whsec_test', '1492774577', '{"id": "evt_1", "object": "event"}', 'v1=00,v0=6ffbb59b,', ',v1=,v2=x,,=,t,'), stripe('test', '1492774577', '{"id": "evt_1", "object": "event"}'), stripe('whsec_test', '1492774577', '{"id": "evt_2", "object": "event"}'), stripe('whsec_test', '1492774000', '{"id": "evt_1", "object": "event"}'), stripe('whsec_test', '1492775000', '{"id": "evt_1", "object": "event"}'), stripe('whsec_test', '1492774577', '{"id": "evt_1", "object": "event"}', '', ',t=1492774577'), stripe('whsec_test', '1492774577', '{"id": "evt_1", "object": "event"}', 't=1,'), stripe('whsec_test', 'x', '{"id": "evt_1", "object": "event"}'), stripe('whsec_test', '', '{"id": "evt_1", "object": "event"}'),
	'{"stripe-signature": "t=1492774577"}', '{"stripe-signature": "v1=x"}', '{"stripe-signature": ","}', '{"stripe-signature": "t=1492774577,v0=x"}', jsonb_build_object('stripe-signature', 't=1492774577' || repeat(',v1=x', 17)), '{"stripe-signature": ["t=1492774577,v1=x", "t=1492774577,v1=x"]}', '{}']) h;
SELECT told(:'stripe', stripe('whsec_test', '5', b), b, 5) = 'sha256:' || encode(sha256(convert_to('5.' || b, 'UTF8')), 'hex') FROM unnest(ARRAY['{"id": 1}', '[{"id": "x"}]', 'x', '', 'null', '"id"']) b;
SELECT told(:'stripe', stripe('whsec_test', '5', b), b, 5) FROM (SELECT jsonb_build_object('id', repeat('x', 201))::text AS b) x;
SELECT told('{"type": "hmac", "scheme": "stripe", "secrets": ["old", "new"]}', stripe(k, '5', '{"id": "e"}'), '{"id": "e"}', 5) FROM unnest(ARRAY['old', 'new', 'older']) k;

-- what the trigger says
SELECT a, told('{"type": "hmac"}' || a, '{}') FROM unnest(ARRAY['{}', '{"scheme": "Standard", "secret": "k"}', '{"scheme": null, "secret": "k"}', '{"scheme": "github"}', '{"scheme": "github", "secret": ""}', '{"scheme": "github", "secret": null}', '{"scheme": "github", "secrets": [""]}', '{"scheme": "github", "secrets": []}', '{"scheme": "github", "secrets": {}}', '{"scheme": "github", "secret": "k", "secrets": ["k"]}']::jsonb[]) a;
