-- who sends a webhook: each kind of auth through wf_webhook, secrets of the tenant, replays, and thousands that are forged
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE EXTENSION pgcrypto;
CREATE FUNCTION master_key(key bytea) RETURNS void AS '$libdir/workflow', 'wf_sql_test_master_key' LANGUAGE C;
SELECT master_key('\x0101010101010101010101010101010101010101010101010101010101010101');
CREATE FUNCTION hooked(name text, auth jsonb, respond text DEFAULT 'whenDone') RETURNS int LANGUAGE sql AS $$
	SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'in', 'type', 'trigger.webhook', 'config', jsonb_build_object('path', '/' || name, 'respond', respond, 'auth', auth)),
		'{"id": "out", "type": "return", "config": {"value": {"headers": "{{ $trigger.headers }}", "claims": "{{ $trigger.claims }}"}}}'::jsonb), 'edges', '[{"source": "in", "target": "out"}]'::jsonb)) $$;
CREATE FUNCTION hook(name text, headers jsonb DEFAULT '{}', body text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(concat_ws(' ', a->>'status', a->>'body'), '[0-9a-f]{8}-[0-9a-f-]{27}', '#', 'g') FROM wf_webhook('/default/' || name, 'POST', headers, convert_to(body, 'UTF8')) a $$;
CREATE FUNCTION b64(t text) RETURNS text LANGUAGE sql AS $$ SELECT replace(encode(convert_to(t, 'UTF8'), 'base64'), E'\n', '') $$;
CREATE FUNCTION b64url(data bytea) RETURNS text LANGUAGE sql AS $$ SELECT rtrim(translate(encode(data, 'base64'), E'+/\n', '-_'), '=') $$;
CREATE FUNCTION jwt(key text, claims jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT i || '.' || b64url(hmac(i::bytea, key::bytea, 'sha256')) FROM (SELECT b64url('{"alg":"HS256"}') || '.' || b64url(convert_to(claims::text, 'UTF8')) AS i) x $$;
CREATE FUNCTION unix(ago int DEFAULT 0) RETURNS text LANGUAGE sql AS $$ SELECT (extract(epoch FROM clock_timestamp())::bigint - ago)::text $$;
CREATE FUNCTION standard(key text, body text, id text, t text DEFAULT unix()) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('webhook-id', id, 'webhook-timestamp', t, 'webhook-signature', 'v1,' || encode(hmac(convert_to(id || '.' || t || '.' || body, 'UTF8'), convert_to(key, 'UTF8'), 'sha256'), 'base64')) $$;
CREATE FUNCTION github(key text, body text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('X-Hub-Signature-256', 'sha256=' || encode(hmac(body, key, 'sha256'), 'hex')) $$;
CREATE FUNCTION stripe(key text, body text, t text DEFAULT unix()) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('Stripe-Signature', 't=' || t || ',v1=' || encode(hmac(t || '.' || body, key, 'sha256'), 'hex')) $$;
CREATE FUNCTION slack(key text, body text, t text DEFAULT unix()) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('X-Slack-Request-Timestamp', t, 'X-Slack-Signature', 'v0=' || encode(hmac('v0:' || t || ':' || body, key, 'sha256'), 'hex')) $$;
-- what came of the last one
CREATE FUNCTION noted(name text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', failed_count, last_error->>'code', regexp_replace(last_error->>'message', '[0-9]+ s', '# s')) FROM wf_triggers WHERE workflow = name $$;

-- secrets in their places; what proves who sends is not handed to the run
SELECT wf_set_secret('PASSWORD', 'pass word'), wf_set_secret('KEY', 'canary-key'), wf_set_secret('WHSEC', 'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'), wf_set_secret('HS', repeat('0123456789abcdef', 2)), wf_set_secret('EMPTY', '');
SELECT hooked('basic', '{"type": "basic", "username": "ann", "password": "{{ $secrets.PASSWORD }}"}'), hooked('header', '{"type": "header", "name": "X-Key", "values": ["old", "{{$secrets.KEY}}"]}'),
	hooked('standard', '{"type": "hmac", "scheme": "standard", "secret": "whsec_{{ $secrets.WHSEC }}"}'), hooked('github', '{"type": "hmac", "scheme": "github", "secret": "{{ $secrets.KEY }}"}'), hooked('stripe', '{"type": "hmac", "scheme": "stripe", "secrets": ["x{{ $secrets.KEY }}y{{ $secrets.PASSWORD }}", "k"]}'),
	hooked('slack', '{"type": "hmac", "scheme": "slack", "secret": "{{ $secrets.KEY }}", "tolerance": "1 minute"}'), hooked('jwt', '{"type": "jwt", "algorithm": "HS256", "key": "{{ $secrets.HS }}", "audience": ["me", "us"], "issuer": "them"}'), hooked('none', '{"type": "none"}'),
	hooked('es256', jsonb_build_object('type', 'jwt', 'algorithm', 'ES256', 'key', E'-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERW5e6uIjTVUuPDvrbAdkdWk61zPod+hG6/CQ8Lbq6KL9D5IEGJAgz0tn5abU9nfj5nd/wVkVyJw8vRFhVgYA+A==\n-----END PUBLIC KEY-----'));
SELECT hook('basic', jsonb_build_object('Authorization', 'Basic ' || b64('ann:pass word'), 'x-a', 'b'));
SELECT hook('header', '{"X-KEY": "canary-key", "Authorization": "other"}'), hook('header', '{"X-KEY": "old"}');
SELECT hook('github', github('canary-key', 'b'), 'b') LIKE '200 %', hook('slack', slack('canary-key', 'b'), 'b') LIKE '200 %', hook('stripe', stripe('xcanary-keyypass word', 'b'), 'b') LIKE '200 %', hook('stripe', stripe('k', 'c'), 'c') LIKE '200 %';
SELECT hook('jwt', jsonb_build_object('authorization', 'Bearer ' || jwt(repeat('0123456789abcdef', 2), '{"iss": "them", "aud": "us", "exp": 4000000000, "sub": "s"}')));
SELECT hook('standard', jsonb_build_object('webhook-id', 'm', 'webhook-timestamp', t, 'webhook-signature', 'v1,' || encode(hmac(convert_to('m.' || t || '.b', 'UTF8'), decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'), 'sha256'), 'base64')), 'b') LIKE '200 %' FROM unix() t;
SELECT workflow, fired_count, failed_count FROM wf_triggers ORDER BY 1;
SELECT hook('es256', jsonb_build_object('authorization', 'Bearer ' || t)) FROM unnest(ARRAY['eyJhbGciOiJFUzI1NiIsImtpZCI6ImsyIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.5O4KkZM0z2VStVUmA9u2Ju9LirdCtqGBYReeac7Bjot36b5I4cqWgq_R4GUW_SPHlHeTPmvQpGdYSBAhz9h7PA', 'eyJhbGciOiJFUzI1NiIsImtpZCI6ImsyIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.5O4KkZM0z2VStVUmA9u2Ju9LirdCtqGBYReeac7Bjot36b5I4cqWgq_R4GUW_SPHlHeTPmvQpGdYSBAhz9h7PB']) t;
-- nothing of a secret anywhere
SELECT count(*) FROM wf_runs r WHERE r::text ~ 'canary|pass word|0123456789abcdef';
SELECT count(*) FROM wf_steps r WHERE r::text ~ 'canary|pass word|0123456789abcdef';

-- refused: one answer, and the reason for the owner
SELECT n, hook(n, h, 'x'), noted(n) FROM (VALUES ('basic', '{}'::jsonb), ('basic', jsonb_build_object('Authorization', 'Basic ' || b64('ann:pass words'))), ('basic', jsonb_build_object('Authorization', 'Basic ' || b64('ann:{{ $secrets.PASSWORD }}'))), ('header', '{"x-key": "canary-kex"}'), ('header', '{"x-key": "{{$secrets.KEY}}"}'),
	('github', github('canary-kez', 'x')), ('github', github('canary-key', 'y')), ('stripe', stripe('k', 'x', unix(400))), ('slack', slack('canary-key', 'x', unix(100))), ('slack', slack('canary-key', 'x', unix(-100))), ('standard', standard('k', 'x', 'i')),
	('jwt', '{}'), ('jwt', jsonb_build_object('authorization', 'Bearer ' || jwt(repeat('0123456789abcdef', 2), '{"iss": "them", "aud": "others", "exp": 4000000000}'))), ('jwt', jsonb_build_object('authorization', 'Bearer ' || jwt(repeat('0123456789abcdef', 2), '{"iss": "them", "aud": "us", "exp": 1000000000}')))) v (n, h);
SELECT count(*) FROM wf_triggers t WHERE t::text ~ 'canary|pass word|0123456789abcdef';

-- a secret that changes counts at once; one that is not there, or that nobody can open, lets nobody in
SELECT wf_set_secret('KEY', 'canary-new');
SELECT hook('github', github('canary-key', 'n'), 'n'), hook('github', github('canary-new', 'n'), 'n') LIKE '200 %';
SELECT wf_drop_secret('KEY');
SELECT hook('github', github('canary-new', 'o'), 'o'), noted('github');
SELECT hook('github', github('', 'o'), 'o');
SELECT hooked('empty', '{"type": "hmac", "scheme": "github", "secret": "{{ $secrets.EMPTY }}"}'), hook('empty', github('', 'o'), 'o'), noted('empty');
SELECT wf_set_secret('KEY', 'canary-last');
SELECT master_key('\x0202020202020202020202020202020202020202020202020202020202020202');
SELECT hook('github', github('canary-last', 'p'), 'p'), noted('github');
SELECT master_key('\x0101010101010101010101010101010101010101010101010101010101010101');
SELECT hook('github', github('canary-last', 'p'), 'p') LIKE '200 %';
-- who saved the version must be allowed to use secrets, of that tenant
CREATE ROLE wf_test_member LOGIN;
SELECT wf_create_tenant('other') IS NOT NULL, wf_grant('wf_test_member', 'other', 'member');
SET ROLE wf_test_member;
SELECT hooked('theirs', '{"type": "hmac", "scheme": "github", "secret": "{{ $secrets.KEY }}"}');
RESET ROLE;
SELECT a->>'status' FROM wf_webhook('/other/theirs', 'POST', github('canary-last', 'p'), 'p') a;
SELECT wf_grant('wf_test_member', 'other', 'viewer');
SELECT a->>'status' FROM wf_webhook('/other/theirs', 'POST', github('canary-last', 'p'), 'p') a;
SET workflow.tenant = 'other';
SELECT noted('theirs');
RESET workflow.tenant;
SELECT wf_revoke('wf_test_member', 'other');
-- a config that came by another way than wf_save
UPDATE wf.trigger SET config = jsonb_set(config, '{auth,secret}', '"{{ 1 + 1 }}"') WHERE node = 'in' AND route = 'POST /github';
SELECT hook('github', github('2', 'q'), 'q'), noted('github');
UPDATE wf.trigger SET config = '{"path": 1}' WHERE route = 'POST /github';
SELECT hook('github', github('2', 'q'), 'q');

-- replays: a delivery that is signed starts one run, however often it comes, and whatever else is changed
SELECT hooked('replay', '{"type": "hmac", "scheme": "standard", "secret": "k"}'), hooked('replay-github', '{"type": "hmac", "scheme": "github", "secret": "k"}'), hooked('replay-stripe', '{"type": "hmac", "scheme": "stripe", "secret": "k"}', 'immediately');
CREATE TEMP TABLE genuine AS SELECT 'replay' AS name, standard('k', 'body', 'msg_1') AS headers, 'body' AS body UNION ALL SELECT 'replay-github', github('k', 'body') || '{"X-GitHub-Delivery": "1"}', 'body' UNION ALL SELECT 'replay-stripe', stripe('k', '{"id": "evt"}'), '{"id": "evt"}';
SELECT name, hook(name, headers, body) ~ '^(200|202)' AS is_in FROM genuine ORDER BY name;
SELECT name, count(*), min(hook(name, headers || jsonb_build_object('idempotency-key', i::text, 'X-GitHub-Delivery', i::text, 'x-other', i::text) , body)), max(hook(name, headers, body)) FROM genuine, generate_series(1, 1000) i GROUP BY name ORDER BY name;
SELECT workflow, count(*) FROM wf_runs WHERE workflow LIKE 'replay%' GROUP BY 1 ORDER BY 1;
SELECT workflow, fired_count, failed_count FROM wf_triggers WHERE workflow LIKE 'replay%' ORDER BY 1;

-- forged: none is let in, none leaves anything
SELECT count(*) AS runs FROM wf_runs \gset
CREATE FUNCTION forged(kind text, i int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE kind WHEN 'basic' THEN jsonb_build_object('Authorization', 'Basic ' || b64('ann:' || i)) WHEN 'header' THEN jsonb_build_object('x-key', md5(i::text)) WHEN 'standard' THEN standard('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' || i, 'b', 'm' || i)
		WHEN 'replay-github' THEN github('k' || i, 'b') WHEN 'stripe' THEN stripe('k' || i, 'b') WHEN 'slack' THEN slack('canary-key' || i, 'b') WHEN 'jwt' THEN jsonb_build_object('authorization', 'Bearer ' || jwt(i || repeat('0123456789abcdef', 2), '{"iss": "them", "aud": "us", "exp": 4000000000}')) END $$;
SELECT k, count(*), count(*) FILTER (WHERE a = '{"body": {"error": "not found"}, "status": 404, "headers": {"content-type": "application/json"}}') AS refused
	FROM unnest(ARRAY['basic', 'header', 'standard', 'replay-github', 'stripe', 'slack', 'jwt']) k, generate_series(1, 1000) i, LATERAL (SELECT wf_webhook('/default/' || k, 'POST', forged(k, i), 'b') AS a OFFSET 0) x GROUP BY k ORDER BY k;
SELECT count(*) - :runs AS more FROM wf_runs;
-- what is genuine for one is nothing to another
SELECT count(*), count(*) FILTER (WHERE hook(k, headers, body) = '404 {"error": "not found"}') AS refused FROM genuine, unnest(ARRAY['basic', 'header', 'standard', 'stripe', 'slack', 'jwt']) k WHERE NOT (name = 'replay-stripe' AND k = 'stripe');

-- garbage in all arguments: an answer each time, and no run
SELECT setseed(0.5);
CREATE FUNCTION junk(n int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT coalesce(string_agg(CASE WHEN random() < 0.5 THEN substr('/{}%2e?#&=:;,. "\', (random() * 17)::int + 1, 1) WHEN random() < 0.1 THEN chr((random() * 60000)::int % 55000 + 1) ELSE chr((random() * 94)::int + 32) END, ''), '') FROM generate_series(1, (random() * n)::int) $$;
CREATE FUNCTION junk_json(depth int) RETURNS jsonb LANGUAGE plpgsql VOLATILE AS $$
DECLARE r float8 := random(); o jsonb := '{}';
BEGIN
	IF r < 0.05 THEN RETURN NULL; ELSIF r < 0.1 THEN RETURN 'null'; ELSIF r < 0.2 THEN RETURN to_jsonb(random() * 1e9); ELSIF r < 0.3 OR depth = 0 THEN RETURN to_jsonb(junk(20)); ELSIF r < 0.35 THEN RETURN jsonb_build_array(junk_json(depth - 1), junk_json(depth - 1)); END IF;
	FOR i IN 1 .. (random() * 4)::int LOOP
		o := o || jsonb_build_object((ARRAY['authorization', 'Content-Type', 'webhook-id', 'webhook-signature', 'stripe-signature', 'X-Key', 'idempotency-key', junk(10)])[(random() * 7)::int + 1], coalesce(CASE WHEN random() < 0.7 THEN to_jsonb(junk(30)) ELSE junk_json(depth - 1) END, 'null'));
	END LOOP;
	RETURN o;
END $$;
CREATE FUNCTION junk_path() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT CASE WHEN random() < 0.1 THEN junk(40) WHEN random() < 0.05 THEN NULL ELSE '/default/' || (ARRAY['basic', 'header', 'standard', 'replay-github', 'stripe', 'slack', 'jwt'])[(random() * 6)::int + 1] || CASE WHEN random() < 0.2 THEN junk(5) ELSE '' END END $$;
SELECT count(*) AS runs FROM wf_runs \gset
SELECT a->>'status' AS status, count(*) > 10 AS many FROM generate_series(1, 5000) i, LATERAL (SELECT wf_webhook(junk_path(), CASE WHEN random() < 0.8 THEN 'POST' WHEN random() < 0.5 THEN junk(8) END, junk_json(3), CASE WHEN random() < 0.9 THEN convert_to(junk(60), 'UTF8') || decode(CASE WHEN random() < 0.2 THEN '00ff' ELSE '' END, 'hex') END, junk_json(2)) AS a, i OFFSET 0) x GROUP BY 1 ORDER BY 1;
SELECT count(*) - :runs AS more FROM wf_runs;
-- and on a webhook that lets anybody in
SELECT a->>'status' AS status, count(*) > 10 AS many FROM generate_series(1, 1000) i, LATERAL (SELECT wf_webhook('/default/none', 'POST', CASE WHEN random() < 0.7 THEN jsonb_build_object('content-type', (ARRAY['application/json', 'application/x-www-form-urlencoded', 'text/plain', 'image/png', junk(20)])[(random() * 4)::int + 1]) ELSE junk_json(3) END, convert_to(junk(60), 'UTF8') || decode(CASE WHEN random() < 0.2 THEN '00ff' ELSE '' END, 'hex'), '{}') AS a, i OFFSET 0) x GROUP BY 1 ORDER BY 1;
SELECT until('SELECT NOT EXISTS (SELECT FROM wf_runs WHERE status NOT IN (''completed'', ''failed''))');
SELECT * FROM test.clean();
SET client_min_messages = error;
DROP OWNED BY wf_test_member;
DROP ROLE wf_test_member;
