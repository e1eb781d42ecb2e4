-- Paths of webhooks: patterns, their canonical form and order, and what a request's path matches.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION path_test(pattern text, path text) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_hook_path' LANGUAGE C STRICT;
CREATE FUNCTION goes_before(a text, b text) RETURNS int AS '$libdir/workflow', 'wf_sql_test_hook_order' LANGUAGE C STRICT;
CREATE FUNCTION method(name text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_hook_method' LANGUAGE C STRICT;

-- patterns
SELECT left(p, 40), left(path_test(p, '/')::text, 150) FROM unnest(ARRAY['/', '/orders', '/orders/{id}', '/{a}/{b}/c', '/{_x9}', '/bücher/{größe}', '/bücher', '/a.b/~c/d:e@f,g;h=i!', '/a-b_c', '/v1.0/...',
	'', 'orders', 'x/orders', '//', '/a/', '/a//b', '/{', '/}', '/{}', '/{9a}', '/{a b}', '/{a-b}', '/{a}/{a}', '/{a}/{A}', '/{a}.json', '/x{a}', '/{a}{b}', '/{{a}}', '/.', '/..', '/a/../b', '/a b', E'/a\tb', '/a%20b', '/a?b', '/a#b', '/a\b', E'/a\x7f',
	'/' || repeat('a', 1023), '/' || repeat('a', 1024), repeat('/a', 32), repeat('/a', 33), '/{' || repeat('n', 64) || '}', '/{' || repeat('n', 65) || '}']) WITH ORDINALITY x (p, n) ORDER BY n;

-- what matches
SELECT left(pattern, 40), left(path, 40), left((path_test(pattern, path) -> 'params')::text, 60) FROM (VALUES
	('/', '/'), ('/', ''), ('/', '//'), ('/', '/a'), ('/orders', '/orders'), ('/orders', '/orders/'), ('/orders', '/orders//'), ('/orders', '//orders'), ('/orders', 'orders'), ('/orders', '/Orders'), ('/orders', '/order'), ('/orders', '/orders2'), ('/orders', '/orders/1'),
	('/orders', '/%6frders'), ('/orders', '/%6Frders'), ('/orders', '/orders?x=1'), ('/orders', '/orders#x'), ('/orders', '/orders%3Fx'),
	('/orders/{id}', '/orders/42'), ('/orders/{id}', '/orders/42/'), ('/orders/{id}', '/orders'), ('/orders/{id}', '/orders/'), ('/orders/{id}', '/orders//'), ('/orders/{id}', '/orders/42/43'),
	('/orders/{id}', '/orders/a%2Fb'), ('/orders/{id}', '/orders/a%2fb%20c+d'), ('/orders/{id}', '/orders/%25'), ('/orders/{id}', '/orders/%2525'), ('/orders/{id}', '/orders/{id}'),
	('/orders/{id}', '/orders/%'), ('/orders/{id}', '/orders/%4'), ('/orders/{id}', '/orders/%4g'), ('/orders/{id}', '/orders/%%34'), ('/orders/{id}', '/orders/%u0041'),
	('/orders/{id}', '/orders/%00'), ('/orders/{id}', '/orders/a%00b'), ('/orders/{id}', '/orders/%0a'), ('/orders/{id}', '/orders/%7f'), ('/orders/{id}', E'/orders/\x01'),
	('/orders/{id}', '/orders/%C3%A9'), ('/orders/{id}', '/orders/é'), ('/orders/{id}', '/orders/%C3'), ('/orders/{id}', '/orders/%C3%28'), ('/orders/{id}', '/orders/%C0%AF'), ('/orders/{id}', '/orders/%ED%A0%80'), ('/orders/{id}', '/orders/%F0%9F%98%80'), ('/orders/{id}', '/orders/%ff'),
	('/orders/{id}', '/orders/.'), ('/orders/{id}', '/orders/..'), ('/orders/{id}', '/orders/%2e'), ('/orders/{id}', '/orders/%2E.'), ('/orders/{id}', '/orders/%2e%2e/'), ('/orders/{id}', '/orders/...'), ('/orders/{id}', '/orders/..%2f..'), ('/orders/{id}', '/x/../orders/1'),
	('/bücher/{id}', '/b%C3%BCcher/1'), ('/bücher/{id}', '/bücher/1'), ('/{a}/{b}', '/1/2'), ('/{b}/x/{a}', '/1/x/2'), ('/{b}/x/{a}', '/1/y/2'), ('/{a}', '/"\'), ('/{a}', '/' || repeat('a', 8190)), ('/{a}', '/' || repeat('a', 8191)), ('/{a}', '/' || repeat('a', 8192)),
	(repeat('/a', 32), repeat('/a', 32)), (repeat('/a', 32), repeat('/a', 33)), ('/{a}', repeat('/', 5000))) x (pattern, path);

-- the order: a literal goes before a parameter, from the left; the rank says the same
CREATE TEMP TABLE patterns AS SELECT p FROM unnest(ARRAY['/{a}/{b}', '/{a}/y', '/x/{b}', '/x/y', '/x', '/{a}', '/', '/x/{b}/z', '/x/y/{c}', '/{a}/y/z', '/x/z']) p;
SELECT p, r FROM (SELECT p, path_test(p, '/') ->> 'rank' AS r, (SELECT count(*) FROM patterns o WHERE goes_before(o.p, patterns.p) < 0) AS n FROM patterns) x ORDER BY n;
SELECT count(*) FILTER (WHERE goes_before(a.p, b.p) <> -goes_before(b.p, a.p)) AS not_opposite, count(*) FILTER (WHERE goes_before(a.p, b.p) = 0 AND a.p <> b.p) AS equal, goes_before('/x/{a}', '/x/{b}') AS same FROM patterns a, patterns b;
SELECT count(*) AS rank_disagrees FROM patterns a, patterns b, LATERAL (SELECT path_test(a.p, '/') ->> 'rank' AS ra, path_test(b.p, '/') ->> 'rank' AS rb) r WHERE length(ra) = length(rb) AND ra <> rb AND (ra < rb COLLATE "C") <> (goes_before(a.p, b.p) < 0);

-- methods
SELECT m, method(m) FROM unnest(ARRAY['GET', 'post', 'Put', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'CONNECT', '', 'GET ', ' GET', 'GE', 'GETX', E'GET\r\n']) m;
