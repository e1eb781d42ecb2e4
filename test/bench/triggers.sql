-- What the bench of triggers compares: one table, with this trigger or that on a copy of it.
CREATE EXTENSION workflow;

CREATE TABLE no_trigger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL, status text NOT NULL,
	total numeric(12,2) NOT NULL, note text, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE plpgsql_empty (LIKE no_trigger INCLUDING ALL);
CREATE TABLE plpgsql_queue (LIKE no_trigger INCLUDING ALL);
CREATE TABLE when_false (LIKE no_trigger INCLUDING ALL);
CREATE TABLE async_row (LIKE no_trigger INCLUDING ALL);
CREATE TABLE async_statement (LIKE no_trigger INCLUDING ALL);
CREATE TABLE sync_row (LIKE no_trigger INCLUDING ALL);

CREATE FUNCTION do_nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER t AFTER INSERT ON plpgsql_empty FOR EACH ROW EXECUTE FUNCTION do_nothing();

-- the least that a queue in a table needs: its key is its order
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL);
CREATE FUNCTION put_into_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO queue (payload) VALUES (to_jsonb(NEW));
	RETURN NULL;
END $$;
CREATE TRIGGER t AFTER INSERT ON plpgsql_queue FOR EACH ROW EXECUTE FUNCTION put_into_queue();

-- what any WHEN clause costs: PostgreSQL reads and prepares it anew for each statement
CREATE TABLE plpgsql_when (LIKE no_trigger INCLUDING ALL);
CREATE TRIGGER t AFTER INSERT ON plpgsql_when FOR EACH ROW WHEN (new.total > 1000 AND new.status = 'paid') EXECUTE FUNCTION do_nothing();

SELECT wf_save('when_false', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "when_false", "events": ["insert"],
	"when": "$trigger.new.total > 1000 && $trigger.new.status === ''paid''"}}], "edges": []}');
SELECT wf_save('async_row', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "async_row", "events": ["insert"]}}], "edges": []}');
SELECT wf_save('async_statement', '{"nodes": [{"id": "t", "type": "trigger.row",
	"config": {"table": "async_statement", "events": ["insert"], "level": "statement"}}], "edges": []}');
SELECT wf_save('sync_row', '{"nodes": [
	{"id": "t", "type": "trigger.row", "config": {"table": "sync_row", "events": ["insert"], "mode": "sync"}},
	{"id": "large", "type": "if", "config": {"condition": "$trigger.new.total > 1000"}},
	{"id": "keep", "type": "set", "config": {"variables": {"customer": "{{ $trigger.new.customer }}"}}}],
	"edges": [{"source": "t", "target": "large"}, {"source": "large", "sourceHandle": "false", "target": "keep"}],
	"variables": [{"name": "customer", "type": "number"}]}');

-- webhooks: each auth, answered at once (a run is queued) and with what a run gives
CREATE EXTENSION pgcrypto;
CREATE FUNCTION save_webhook(name text, auth jsonb) RETURNS SETOF int LANGUAGE sql AS $$
	SELECT wf_save(name || '_' || respond, jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'in', 'type', 'trigger.webhook', 'config', jsonb_build_object('path', '/' || name || '/' || respond || '/{id}', 'auth', auth, 'respond', respond)),
		'{"id": "large", "type": "if", "config": {"condition": "$trigger.body.total > 1000"}}'::jsonb,
		'{"id": "out", "type": "return", "config": {"value": {"order": "{{ $trigger.params.id }}"}}}'::jsonb),
		'edges', '[{"source": "in", "target": "large"}, {"source": "large", "sourceHandle": "false", "target": "out"}]'::jsonb))
	FROM unnest(ARRAY['immediately', 'whenDone']) respond $$;
SELECT save_webhook('none', '{"type": "none"}');
SELECT save_webhook('hmac', '{"type": "hmac", "scheme": "standard", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "tolerance": "1 week"}');
SELECT save_webhook('jwt', jsonb_build_object('type', 'jwt', 'algorithm', 'ES256', 'key', '-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAERW5e6uIjTVUuPDvrbAdkdWk61zPod+hG6/CQ8Lbq6KL9D5IEGJAgz0tn5abU9nfj5nd/wVkVyJw8vRFhVgYA+A==
-----END PUBLIC KEY-----'));

-- headers of genuine requests, each of another delivery where it is signed
CREATE TABLE genuine (name text, i int, headers jsonb, PRIMARY KEY (name, i));
INSERT INTO genuine SELECT 'none', 0, '{"content-type": "application/json", "user-agent": "bench"}';
INSERT INTO genuine SELECT 'jwt', 0, '{"content-type": "application/json", "user-agent": "bench", "authorization": "Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImsyIn0.eyJzdWIiOiJhIiwiZXhwIjoyMDAwMDAwMDAwLCJpYXQiOjE3MDAwMDAwMDB9.5O4KkZM0z2VStVUmA9u2Ju9LirdCtqGBYReeac7Bjot36b5I4cqWgq_R4GUW_SPHlHeTPmvQpGdYSBAhz9h7PA"}';
INSERT INTO genuine SELECT 'hmac', i, jsonb_build_object('content-type', 'application/json', 'user-agent', 'bench', 'webhook-id', 'msg_' || i, 'webhook-timestamp', t, 'webhook-signature',
		'v1,' || encode(hmac(convert_to('msg_' || i || '.' || t || '.{"id": 42, "total": 12.50, "note": "two of the blue ones"}', 'UTF8'), decode('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'base64'), 'sha256'), 'base64'))
	FROM generate_series(0, 399999) i, (SELECT extract(epoch FROM now())::bigint::text AS t) x;
INSERT INTO genuine SELECT 'forged', 0, headers || '{"webhook-id": "another"}' FROM genuine WHERE name = 'hmac' AND i = 0;
ANALYZE genuine;
