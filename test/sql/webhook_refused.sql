-- what of a trigger.webhook, or of a respond, is refused when it is saved; paths that two workflows want
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
-- what wf_validate says of a config
CREATE FUNCTION said(type text, config jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', severity, code, regexp_replace(path, '^\$\.nodes\[0\]\.', ''), '|', message, '|', hint) FROM wf_validate(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config)), 'edges', '[]'::jsonb)) $$;
CREATE FUNCTION auth(auth jsonb) RETURNS SETOF text LANGUAGE sql AS $$ SELECT said('trigger.webhook', jsonb_build_object('path', '/x', 'auth', auth)) $$;

-- paths, methods, and the rest
SELECT c, said('trigger.webhook', c) FROM unnest(ARRAY['{}', '{"path": ""}', '{"path": "orders"}', '{"path": "/a//b"}', '{"path": "/a/{}"}', '{"path": "/a/{x}/{x}"}', '{"path": "/a/{{ $vars.x }}"}', '{"path": "/a/x{y}"}', '{"path": "/a/.."}', '{"path": 1}',
	'{"path": "/x", "method": "post"}', '{"path": "/x", "method": "BREW"}', '{"path": "/x", "method": ["POST"]}', '{"path": "/x", "respond": "later"}', '{"path": "/x", "respond": "{{ 1 }}"}', '{"path": "/x", "validation": {}}', '{"path": "/x", "validation": {"schema": {"type": "nothing"}}}', '{"path": "/x", "validation": {"schema": 1}}', '{"path": "/x", "validation": {"shema": true}}', '{"path": "/x", "aut": {}}']::jsonb[]) c;
SELECT said('trigger.webhook', jsonb_build_object('path', '/' || repeat('x', 2000)));
SELECT said('trigger.webhook', c) FROM unnest(ARRAY['{"path": "/"}', '{"path": "/a/{id}/b", "method": "GET", "respond": "node", "validation": {"schema": {"pattern": "a{2}"}}}']::jsonb[]) c;

-- auth: types, members, what is required
SELECT a, auth(a) FROM unnest(ARRAY['null', '[]', '{}', '{"type": "bearer"}', '{"type": "{{ 1 }}"}', '{"type": "none", "secret": "k"}',
	'{"type": "basic"}', '{"type": "basic", "username": "a"}', '{"type": "basic", "username": "a:b", "password": "p"}', '{"type": "basic", "username": "a", "password": ""}', '{"type": "basic", "username": "a", "password": "p", "passwords": ["q"]}', '{"type": "basic", "username": "a", "passwords": []}', '{"type": "basic", "username": "a", "passwords": ["p", 1]}', '{"type": "basic", "username": "a", "token": "p"}',
	'{"type": "header", "name": "", "value": "v"}', '{"type": "header", "name": "{{ $secrets.N }}", "value": "v"}', '{"type": "header", "value": "v"}', '{"type": "header", "name": "x"}',
	'{"type": "hmac", "secret": "k"}', '{"type": "hmac", "scheme": "shopify", "secret": "k"}', '{"type": "hmac", "scheme": "github"}', '{"type": "hmac", "scheme": "standard", "secret": "whsec_!"}', '{"type": "hmac", "scheme": "slack", "secret": "k", "tolerance": "soon"}', '{"type": "hmac", "scheme": "slack", "secret": "k", "tolerance": "8 days"}', '{"type": "hmac", "scheme": "slack", "secret": "k", "tolerance": -1}', '{"type": "hmac", "scheme": "github", "secrets": ["1", "2", "3", "4", "5", "6", "7", "8", "9"]}',
	'{"type": "jwt", "algorithm": "none", "key": "k"}', '{"type": "jwt", "algorithm": "HS256"}', '{"type": "jwt", "algorithm": "HS256", "key": "k", "jwks": {}}', '{"type": "jwt", "algorithm": "HS256", "key": "0123456789abcdef0123456789abcdef", "audience": []}', '{"type": "jwt", "algorithm": "HS256", "key": "0123456789abcdef0123456789abcdef", "audience": [""]}', '{"type": "jwt", "algorithm": "HS256", "key": "0123456789abcdef0123456789abcdef", "issuer": "{{ $secrets.I }}"}', '{"type": "jwt", "algorithm": "RS256", "jwks": 1}']::jsonb[]) a;
-- in braces: secrets and nothing else, in what is secret
SELECT t, auth(jsonb_build_object('type', 'hmac', 'scheme', 'github', 'secret', t)) FROM unnest(ARRAY['{{ $secrets.K }}', 'x{{$secrets.K}}y{{ $secrets.L }}', '{{ $secrets["K"] }}', '{{ $vars.k }}', '{{ $secrets.K + "x" }}', '{{ 1', '{{ }}', '{{ $secrets. }}', '{{ $secrets.1 }}', 'a } b }} c']) t;

-- respond
SELECT c, said('respond', c) FROM unnest(ARRAY['{"status": 99}', '{"status": 600}', '{"status": "x"}', '{"status": "{{ 1 }}", "headers": {"x": "{{ 1 }}"}, "body": {"a": ["{{ 1 }}"]}}', '{"headers": []}', '{"headers": {"x y": "1"}}', '{"headers": {"x": 1}}', '{"headers": {"x": "a\r\nb"}}', '{"headers": {"": "1"}}', '{"headers": {"Content-Length": "5"}}', '{"headers": {"Transfer-Encoding": "{{ 1 }}"}}', '{"stats": 1}']::jsonb[]) c;
-- a respond anywhere is no error: nobody waits
SELECT wf_save('alone', '{"nodes": [{"id": "r", "type": "respond", "config": {"status": 204}}], "edges": []}');
SELECT wf_call('alone');

-- one path and method, one trigger: within a definition ...
CREATE FUNCTION definition(VARIADIC hooks text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'trigger.webhook', 'config', jsonb_build_object('method', split_part(h, ' ', 1), 'path', split_part(h, ' ', 2))) ORDER BY i), 'edges', '[]'::jsonb) FROM unnest(hooks) WITH ORDINALITY u (h, i) $$;
CREATE FUNCTION routes() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', workflow, node, target), ', ' ORDER BY workflow, node) FROM wf_triggers $$;
SELECT code, node, path, message FROM wf_validate(definition('POST /a/{x}', 'GET /a/{x}', 'POST /a/{y}', 'POST /a/x'));
-- ... and within a tenant
SELECT wf_save('first', definition('POST /a/{x}', 'GET /a/{x}'));
\set VERBOSITY terse
SELECT wf_save('second', definition('POST /b', 'POST /a/{z}'));
\set VERBOSITY default
SELECT wf_save('second', definition('POST /b', 'PUT /a/{z}'));
SELECT routes();
-- its own it may have again, in whatever node
SELECT wf_save('first', definition('GET /a/{x}', 'POST /a/{y}'));
SELECT routes();
SELECT wf_save('first', definition('POST /a/{y}'));
SELECT wf_save('second', definition('GET /a/{free}'));
SELECT routes();
-- saved while it was free, activated when it is not
SELECT wf_save('third', definition('POST /c'), '{"activate": false}'), wf_save('fourth', definition('POST /c'), '{"activate": false}');
SELECT wf_activate('third', 1);
SELECT wf_activate('fourth', 1);
SELECT routes();
-- back to a version whose path another one has by now
SELECT wf_activate('first', 1);
-- a paused workflow keeps its path, a deleted one does not
SELECT wf_set_status('third', 'paused');
SELECT wf_activate('fourth', 1);
SELECT wf_delete('third');
SELECT wf_activate('fourth', 1);
SELECT routes();
-- another tenant has paths of its own
SELECT wf_create_tenant('other') IS NOT NULL;
SET workflow.tenant = 'other';
SELECT wf_save('first', definition('POST /a/{x}'));
SELECT routes();
