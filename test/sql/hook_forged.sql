-- Forged and altered webhooks, thousands of each kind: none is accepted.
CREATE EXTENSION workflow;
CREATE EXTENSION pgcrypto;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION check_hook(auth jsonb, headers jsonb, body bytea, now bigint) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_check' LANGUAGE C STRICT;
CREATE FUNCTION mutate(auth jsonb, headers jsonb, body bytea, now bigint, name text, seed bigint, n int) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_mutate' LANGUAGE C STRICT;
CREATE FUNCTION b64url(data bytea) RETURNS text LANGUAGE sql AS $$ SELECT rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;
CREATE FUNCTION jwt(key bytea, claims text) RETURNS text LANGUAGE sql AS $$
	SELECT i || '.' || b64url(hmac(i::bytea, key, 'sha256')) FROM (SELECT b64url('{"alg":"HS256"}') || '.' || b64url(convert_to(claims, 'UTF8')) AS i) x $$;
CREATE TEMP TABLE genuine (kind text, auth jsonb, headers jsonb, body bytea, now bigint, altered text[]);
INSERT INTO genuine VALUES
	('standard', '{"type": "hmac", "scheme": "standard", "secrets": ["other", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}', '{"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330", "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}', '{"test": 2432232314}', 1614265330, '{"",webhook-id,webhook-timestamp,webhook-signature}'),
	('github', $${"type": "hmac", "scheme": "github", "secret": "It's a Secret to Everybody"}$$, '{"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"}', 'Hello, World!', 0, '{"",x-hub-signature-256}'),
	('slack', '{"type": "hmac", "scheme": "slack", "secret": "k"}', jsonb_build_object('x-slack-request-timestamp', '1531420618', 'x-slack-signature', 'v0=' || encode(hmac('v0:1531420618:{"event_id": "E1"}', 'k', 'sha256'), 'hex')), '{"event_id": "E1"}', 1531420618, '{"",x-slack-request-timestamp,x-slack-signature}'),
	('stripe', '{"type": "hmac", "scheme": "stripe", "secret": "k"}', jsonb_build_object('stripe-signature', 't=1492774577,v1=' || encode(hmac('1492774577.{"id": "e1"}', 'k', 'sha256'), 'hex')), '{"id": "e1"}', 1492774577, '{"",stripe-signature}'),
	('basic', '{"type": "basic", "username": "ann", "password": "secret"}', '{"authorization": "Basic YW5uOnNlY3JldA=="}', 'x', 0, '{authorization}'),
	('header', '{"type": "header", "name": "x-key", "value": "0123456789abcdef"}', '{"x-key": "0123456789abcdef"}', 'x', 0, '{x-key}'),
	('hs256', '{"type": "jwt", "algorithm": "HS256", "key": "0123456789abcdef0123456789abcdef", "audience": "me"}', jsonb_build_object('authorization', 'Bearer ' || jwt('0123456789abcdef0123456789abcdef', '{"exp": 2000000000, "aud": "me"}')), 'x', 1750000000, '{authorization}'),
	('rs256', '{"type": "jwt", "algorithm": "RS256", "jwks": {"keys": [{"kty": "RSA", "e": "AQAB", "n": "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"}]}}', '{"authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"}', 'x', 1300819380, '{authorization}'),
	('es256', '{"type": "jwt", "algorithm": "ES256", "jwks": {"keys": [{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}}', '{"authorization": "Bearer eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"}', 'x', 1300819380, '{authorization}');
SELECT kind, NOT check_hook(auth, headers, body, now) ? 'refused' AS genuine FROM genuine;

-- altered at random; what says the same in other words is no forgery: white space around a header, the case of an auth scheme, more
-- signatures beside the genuine one
CREATE FUNCTION says_the_same(name text, was text, is_now text) RETURNS bool LANGUAGE sql AS $$
	SELECT CASE name WHEN 'stripe-signature' THEN split_part(was, ',', 1) = ANY (p) AND split_part(was, ',', 2) = ANY (p)
		WHEN 'authorization' THEN lower(split_part(btrim(is_now, E' \t'), ' ', 1)) = lower(split_part(was, ' ', 1)) AND ltrim(substr(btrim(is_now, E' \t'), strpos(btrim(is_now, E' \t'), ' '))) = split_part(was, ' ', 2)
		ELSE btrim(is_now, E' \t') = was END FROM string_to_array(is_now, ',') p $$;
SELECT kind, name, (m ->> 'tried')::int > 1000 AS many, (SELECT count(*) FROM jsonb_array_elements_text(m -> 'accepted') a WHERE NOT says_the_same(name, headers ->> name, a)) AS forged
	FROM genuine, unnest(altered) name, mutate(auth, headers, body, now, name, 20240229, CASE WHEN kind IN ('rs256', 'es256') THEN 2000 ELSE 5000 END) m;

-- each bit of a signature, and each length of it
SELECT kind, count(*) AS tried, count(*) FILTER (WHERE NOT check_hook(auth, headers || jsonb_build_object(name, v), body, now) ? 'refused') AS accepted
	FROM genuine, unnest(altered) name, LATERAL (SELECT headers ->> name AS was) w, generate_series(0, length(was) - 1) i, generate_series(0, 6) bit, LATERAL (SELECT overlay(was PLACING chr(ascii(substr(was, i + 1, 1)) # (1 << bit)) FROM i + 1 FOR 1) AS v WHERE ascii(substr(was, i + 1, 1)) <> 1 << bit) x
	WHERE name <> '' AND NOT (name = 'authorization' AND i < 7) GROUP BY kind ORDER BY kind;
SELECT kind, count(*) AS tried, count(*) FILTER (WHERE NOT check_hook(auth, headers || jsonb_build_object(name, left(was, i)), body, now) ? 'refused') AS accepted
	FROM genuine, unnest(altered) name, LATERAL (SELECT headers ->> name AS was) w, generate_series(0, length(was) - 1) i WHERE name <> '' GROUP BY kind ORDER BY kind;

-- what is genuine for one is nothing to another
SELECT count(*) AS tried, count(*) FILTER (WHERE NOT check_hook(a.auth, b.headers, b.body, b.now) ? 'refused') AS accepted FROM genuine a, genuine b WHERE a.kind <> b.kind;
-- and a thousand signatures by a thousand other secrets
SELECT count(*) FILTER (WHERE NOT check_hook('{"type": "hmac", "scheme": "github", "secret": "k"}', jsonb_build_object('x-hub-signature-256', 'sha256=' || encode(hmac('body', 'k' || i, 'sha256'), 'hex')), 'body', 0) ? 'refused') AS accepted FROM generate_series(1, 1000) i;

-- huge ones
SELECT kind, name, left(v, 6), check_hook(auth, headers || jsonb_build_object(name, v), body, now) ->> 'refused' FROM genuine, unnest(altered) name, unnest(ARRAY[repeat('A', 60000), repeat(',', 60000), repeat('v1,', 20000), repeat('.', 60000), 'Basic ' || repeat('A', 60000), 'Bearer ' || repeat('A', 16000) || '.A.A', 't=1492774577,v1=' || repeat('a', 60000)]) v WHERE name <> '' AND kind IN ('standard', 'stripe', 'hs256', 'basic');
