-- Access tokens of OAuth2: what they are known by, how they are asked for, how long they are kept. Nothing is sent.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION token(request jsonb, secrets jsonb, options jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_token' LANGUAGE C STRICT;
CREATE FUNCTION compose(request jsonb, secrets jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_compose' LANGUAGE C STRICT;
-- A request with auth of oauth2; its markers have another nonce each time, as they do.
CREATE FUNCTION request(auth jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('kind', 'http', 'method', 'GET', 'url', 'https://api.example.com/', 'nonce', n, 'secrets', '["A", "B"]'::jsonb, 'auth', '{"type": "oauth2", "grant": "clientCredentials", "tokenUrl": "https://login.example.com/token", "clientId": "me", "clientSecret": "$A"}'::jsonb || auth)::text::jsonb || '{}'
	FROM (SELECT md5(random()::text)) x (n) $$;
CREATE FUNCTION marked(request jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT regexp_replace(request::text, '\$([A-Z]+)', U&'\E000' || (request ->> 'nonce') || U&':\\1\E001', 'g')::jsonb $$;
CREATE FUNCTION t(auth jsonb, options jsonb DEFAULT '{}', secrets jsonb DEFAULT '{"A": "s3cr&t", "B": "r3fresh"}') RETURNS jsonb LANGUAGE sql AS $$ SELECT token(marked(request(auth)), secrets, options) $$;
CREATE FUNCTION answered(body text, status int DEFAULT 200) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('body', body, 'answer', jsonb_build_object('status', status, 'url', 'https://login.example.com/token')) $$;

-- what a token is known by
SELECT t('{}') ->> 'key' ~ '^[0-9a-f]{64}$', (t('{}') ->> 'key') = (t('{}') ->> 'key') AS same, token(marked(request('{}')) - 'auth', '{}', '{}'), token(marked(request('{"type": "bearer", "token": "x"}')), '{}', '{}');
SELECT count(DISTINCT k) FROM (VALUES (t('{}')), (t('{"clientId": "you"}')), (t('{"clientSecret": "x"}')), (t('{"scope": "a"}')), (t('{"scope": "b"}')), (t('{"tokenUrl": "https://login.example.com/other"}')), (t('{"grant": "refreshToken", "refreshToken": "a"}')), (t('{"grant": "refreshToken", "refreshToken": "b"}')), (t('{"grant": "refreshToken", "refreshToken": "$B"}')), (t('{}', '{"tenant": "00000000-0000-7000-8000-00000000000b"}')), (t('{}', '{}', '{"A": "other"}'))) x (j), LATERAL (SELECT j ->> 'key') y (k);
-- of a refresh token that is a secret, the name: servers replace its value
SELECT (t('{"grant": "refreshToken", "refreshToken": "$B"}') ->> 'key') = (t('{"grant": "refreshToken", "refreshToken": "$B"}', '{}', '{"A": "s3cr&t", "B": "another"}') ->> 'key');
SELECT t('{"tokenUrl": 7}'), t('{"grant": null}'), t('{"clientSecret": "$A"}', '{}', '{}'), t('{"clientId": "$A"}', '{}', '{"A": "top\nsecret"}'), t('{"tokenUrl": "$A"}', '{}', '{"A": "topsecret"}'), t('{"grant": "refreshToken"}');

-- how it is asked for
SELECT jsonb_pretty(t('{"scope": "read write"}', '{"ask": 1}') -> 'asked');
SELECT t('{"grant": "refreshToken", "refreshToken": "$B", "clientId": "m:é"}', '{"ask": 1}') #> '{asked,body}', t('{"grant": "refreshToken", "refreshToken": "$B", "clientId": "m:é"}', '{"ask": 1}') #> '{asked,auth}', t('{"clientSecret": ""}', '{"ask": 1}') #> '{asked,body}', t('{"clientSecret": ""}', '{"ask": 1}') #> '{asked,auth}';

-- taken, kept, and used until a while before it expires
SELECT t('{}', answered('{"access_token": "tok1", "token_type": "Bearer", "expires_in": 3600}')) - 'key';
SELECT s, t('{}', jsonb_build_object('now', 1674087231000 + s * 1000)) ->> 'token' FROM unnest('{0,3539,3540,3600}'::int[]) s;
SELECT t('{"scope": "other"}') ->> 'token', compose(marked(request('{}')), '{"A": "x"}', '{"token": "tok1"}') -> 'auth';
SELECT e, (SELECT string_agg(s::text, ' ' ORDER BY s) FROM unnest('{0,1,29,30,44,45,539,540,2592000}'::int[]) s, LATERAL (SELECT t('{}', jsonb_build_object('now', 1674087231000 + s * 1000::bigint, 'as', taken)) ->> 'token') x (token) WHERE token = 'tok2') FROM unnest('{40,"60","x",null,-5,1e9}'::text[]) e, LATERAL (SELECT t('{}', answered(CASE WHEN e IS NULL THEN '{"access_token": "tok2"}' ELSE '{"access_token": "tok2", "expires_in": ' || CASE WHEN e ~ '[0-9]$' THEN e ELSE '"' || e || '"' END || '}' END))) taken;
-- a new refresh token is handed on
SELECT t('{"grant": "refreshToken", "refreshToken": "$B"}', answered('{"access_token": "tok3", "refresh_token": "new"}')) - 'key', t('{"grant": "refreshToken", "refreshToken": "$B"}', '{}', '{"A": "s3cr&t", "B": "new"}') ->> 'token';

-- what is no token
SELECT t('{"scope": "bad"}', answered(b)) - 'key' FROM unnest(ARRAY['', 'x', '[]', '{}', '{"access_token": ""}', '{"access_token": 7}', '{"access_token": "a b"}', '{"access_token": "a\nb"}', '{"access_token": "x", "token_type": "mac"}', '{"error": "invalid_scope"}', '{"error": "inv\u0007"}']) b;
SELECT s, t('{"scope": "bad"}', answered('{"error": "invalid_grant", "access_token": "topsecret"}', s)) - 'key' FROM unnest('{302,400,403,429,503}'::int[]) s;
SELECT t('{"scope": "bad"}', jsonb_build_object('answer', a)) - 'key' FROM unnest(ARRAY['{"outcome": "timed out", "message": "no answer within 30000 ms", "url": "https://login.example.com/"}', '{"outcome": "blocked", "message": "requests to \"login.example.com\" are forbidden: deny *", "url": "https://login.example.com/"}', '{"outcome": "too large", "message": "the answer is larger than 100 bytes", "url": "https://login.example.com/"}']::jsonb[]) a;
-- a server whose name is a secret is not named
SELECT t('{"tokenUrl": "https://$B.example.com/"}', jsonb_build_object('ask', 1, 'body', '{"error": "x"}', 'answer', a || '{"url": "https://topsecret.example.com/"}')) - 'key' - 'asked' FROM unnest(ARRAY['{"outcome": "unresolved", "message": "topsecret"}', '{"outcome": "blocked", "message": "topsecret"}', '{"status": 500}']::jsonb[]) a;
-- a server that does not take the client's word in a header gets it in the body, once
SELECT t('{"scope": "way"}', answered('{"error": "invalid_client"}', 401)) - 'key';
SELECT t('{"scope": "way"}', '{"ask": 1}') #>> '{asked,body}', t('{"scope": "way"}', '{"ask": 1}') #>> '{asked,auth}';
SELECT t('{"scope": "way"}', answered('{"error": "invalid_client"}', 400)) - 'key', t('{"scope": "way"}', '{"ask": 1}') #>> '{asked,auth,user}';
SELECT t('{"scope": "way"}', answered('{"error": "invalid_client"}', 401)) ->> 'retryable', t('{"scope": "way"}', answered('{"access_token": "tok4"}')) ->> 'token', t('{"scope": "way"}', '{"forget": 1, "now": 1674087331000, "ask": 1}') #>> '{asked,body}';

-- refused with 401: another is asked for, unless it was quite new
SELECT t('{}', answered('{"access_token": "tok5"}')) ->> 'token', t('{}', '{"forget": 1, "now": 1674087235000}') - 'key', t('{}', '{"forget": 1}') - 'key';
SELECT t('{}', answered('{"access_token": "tok6"}')) ->> 'token', t('{}', '{"forget": 1, "now": 1674087245000}') - 'key';
-- all of them; and there are never too many
SELECT t('{}', answered('{"access_token": "tok7"}')) ->> 'token', t('{}', '{"all": 1}') ->> 'token';
SELECT count(*) FROM generate_series(1, 1100) i WHERE t(jsonb_build_object('scope', i::text), answered('{"access_token": "tok' || i || '"}')) ->> 'token' = 'tok' || i;
SELECT count(*), min(i) FROM generate_series(1, 1100) i WHERE t(jsonb_build_object('scope', i::text)) ->> 'token' = 'tok' || i;
SELECT t('{"scope": "x"}', '{"all": 1}') ? 'token';
SELECT count(*) FROM generate_series(1, 1100) i WHERE t(jsonb_build_object('scope', i::text)) ? 'token';
DROP EXTENSION workflow;
