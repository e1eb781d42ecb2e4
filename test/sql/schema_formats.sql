-- formats, when asserted
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test_schema(schema jsonb, value jsonb, flags int, sources jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_schema' LANGUAGE C STRICT;
-- What is wrong with a value, or with the schema; both ways of asking must agree.
CREATE FUNCTION wrong(schema jsonb, value jsonb, flags int DEFAULT 0, sources jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb := test_schema(schema, value, flags, sources);
BEGIN
	IF r ? 'refused' THEN RETURN concat_ws(' ', 'refused:', r#>>'{refused,at}', r#>>'{refused,message}'); END IF;
	IF r->'valid' IS DISTINCT FROM test_schema(schema, value, flags | 256, sources)->'valid' THEN RETURN 'the two ways differ'; END IF;
	IF (r->>'valid')::bool THEN RETURN 'valid'; END IF;
	RETURN (SELECT string_agg(concat_ws(' ', '[' || (e->>'at') || ']', nullif(e->>'path', ''), e->>'message'), '; ' ORDER BY n) FROM jsonb_array_elements(r->'errors') WITH ORDINALITY AS t (e, n));
END $$;
-- One line for each value.
CREATE FUNCTION show(schema jsonb, VARIADIC vals jsonb[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT v::text || ': ' || wrong(schema, v) FROM unnest(vals) AS v $$;
CREATE FUNCTION f(format text, VARIADIC vals text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT CASE WHEN wrong(jsonb_build_object('format', format), to_jsonb(v), 1) = 'valid' THEN '+ ' ELSE '- ' END || v FROM unnest(vals) AS v $$;

SELECT show('{"format": "email"}', '"x"');
SELECT wrong('{"format": "email"}', v, 1) FROM unnest(ARRAY['"x"', '1', 'null', '{}']::jsonb[]) AS v;
SELECT wrong('{"format": "no-such-format"}', '"x"', 1);

SELECT f('date', '2024-02-29', '2023-02-29', '1900-02-29', '2000-02-29', '2024-13-01', '2024-00-10', '2024-04-31', '24-01-01', '2024-1-1', '2024-01-01 ', '２024-01-01');
SELECT f('time', '12:30:00Z', '12:30:00', '24:00:00Z', '23:59:60Z', '22:59:60Z', '00:29:60+00:30', '12:00:00.5z', '12:00:00.Z', '12:00:00+24:00', '12:00:00+0100', '1:00:00Z', '12:60:00Z');
SELECT f('date-time', '2024-01-01T00:00:00Z', '2024-01-01t00:00:00z', '2024-01-01 00:00:00Z', '1998-12-31T15:59:60.123-08:00', '2024-01-01T00:00:00', '2024-01-01', '2024-01-01T00:00:00+05:30x');
SELECT f('duration', 'P1Y2M3DT4H5M6S', 'P1W', 'PT0S', 'P', 'P1', 'PT', 'P1YT', 'P1Y2D', 'PT1H3S', 'P2W1D', '1D', 'P1D2H', 'P-1D', 'P1.5D', 'P1M1Y');
SELECT f('email', 'a@b.co', 'a.b+c@example.com', '"a b"@example.com', '.a@b.co', 'a..b@c.co', 'a@b', 'a@', '@b', 'a@[127.0.0.1]', 'a@[IPv6:::1]', 'a@[300.0.0.1]', 'ä@b.co', 'a@-b.co', 'a@b@c', 'a b@c.co');
SELECT f('idn-email', 'ä@exämple.com', '실례@실례.테스트', 'a b@c', '@x', 'ä@', 'a@b..c');
SELECT f('hostname', 'example.com', 'a', 'a-b.c', '-a', 'a-', 'a..b', 'a.', '', 'a_b', repeat('a', 63), repeat('a', 64), 'xn--4gbwdl.xn--wgbh1c', 'xn--X', 'a--b', 'ab--c', '1.2', 'ä.de');
SELECT f('idn-hostname', 'exämple.com', '실례.테스트', 'a·b', 'l·l', 'ab--ä', '-ä', 'ä-', '〮실', 'α͵', '͵α', '׳א', 'א׳', 'ab・', 'あ・', 'a。b', 'ſ', 'Ä', 'ä' || repeat('a', 59), repeat('ä', 63), 'क्‍ष', 'a‍b', '٠۰', '', 'א1', '1א', 'aא', 'אa', '0a.א', 'a0.א', 'א1٠', 'א٠', 'xn--4db.1a', 'אְ');
SELECT f('ipv4', '0.0.0.0', '255.255.255.255', '256.0.0.1', '1.2.3', '1.2.3.4.5', '01.2.3.4', '1.2.3.4/8', '0x7f.1.1.1', '', '1..2.3', '１.2.3.4');
SELECT f('ipv6', '::', '::1', '1::', '1:2:3:4:5:6:7:8', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1::2::3', ':::', '::ffff:1.2.3.4', '1:2:3:4:5:6:1.2.3.4', '1:2:3:4:5:6:7:1.2.3.4', '12345::', '::1%eth0', '::g', ':1', '1:', '::1.2.3', '1:2:3:4:5:6:7::');
SELECT f('uri', 'http://a.test/b?c#d', 'urn:a:b', 'mailto:x@y.z', '//a.test', 'a/b', 'http://a.test/ b', 'http://[::1]:80/', 'http://[::1', 'http://a.test/%41', 'http://a.test/%4', 'http://ä.test', '1a:b', 'a:', 'http://a@b@c/', 'http://a:b/', 'http://a.test/<b>', 'http://[v1.a:b]/', 'http://[v1]/');
SELECT f('uri-reference', '', 'a/b', '//a.test', '#a', '?a', 'a b', ':a', '/a:b', 'a:b', '\\a', '#a#b');
SELECT f('iri', 'http://ä.test/ö?ü#ß', 'ä/b', 'http://a.test/ä b', 'http://a.test/' || chr(57344), 'http://a.test/?' || chr(57344));
SELECT f('iri-reference', 'ä/b', '#ä', 'ä b', '');
SELECT f('uri-template', '/a/{b}', '{+a,b*,c:3}', '{?a.b}', '{', '}', '{a', '{a}}', '{}', '{a:0}', '{a:12345}', '{a b}', 'a b', '{%41}', '{a.}', '%41', '%4', 'ä');
SELECT f('uuid', '2eb8aa08-aa98-11ea-b4aa-73b441d16380', '2EB8AA08-AA98-11EA-B4AA-73B441D16380', '2eb8aa08aa9811eab4aa73b441d16380', '2eb8aa08-aa98-11ea-b4aa-73b441d1638', '2eb8aa08-aa98-11ea-b4aa-73b441d1638g', '2eb8aa08_aa98-11ea-b4aa-73b441d16380');
SELECT f('json-pointer', '', '/', '/a/b', '/a~0b~1c', '/a~2', '/a~', 'a', '#/a', '/a b', '/ä');
SELECT f('relative-json-pointer', '0', '1/a', '2#', '01/a', '-1/a', '/a', '', '0#a', '0+1/a', '1-1', '0+0', '1/~2');
SELECT f('regex', '^a+$', '(', '\a', '(?<=a+)b', '\p{L}', '\p{Nonsense}', '(?<n>a)\k<n>', '(?<n>a)\k<m>', '[b-a]', 'a{2,1}', '(?i)a', 'a**', '\Z', '{', '');
