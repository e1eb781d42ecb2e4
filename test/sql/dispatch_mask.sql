-- values of secrets in what comes back: their forms, what is beside them, and random texts
CREATE EXTENSION workflow;
CREATE FUNCTION mask("values" text[], "text" text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_mask' LANGUAGE C STRICT;
CREATE FUNCTION mask_json("values" text[], document jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_mask_json' LANGUAGE C STRICT;
\pset format unaligned
\pset tuples_only on
SELECT t, mask('{hidden/value+1,12345678}', t) FROM unnest(ARRAY['', 'x', 'hidden/value+1', 'ahidden/value+1b', 'hidden/value+1hidden/value+1', 'hidden/value+', 'idden/value+1', '12345678', '123456789', '1234567', 'hidden%2Fvalue%2B1', 'hidden%2fvalue%2b1', 'hidden/value%2B1', 'hidden\/value+1',
	'68696464656e2f76616c75652b31', '68696464656E2F76616C75652B31', encode('hidden/value+1', 'base64'), encode('a:hidden/value+1', 'base64'), encode('ab:hidden/value+1', 'base64'), encode('hidden/value+1:b', 'base64'), translate(encode('a:hidden/value+1', 'base64'), '+/', '-_')]) t;
SELECT mask(ARRAY[v], t) FROM (VALUES (E'tab\there"and\\', E'{"a": "tab\\there\\"and\\\\"}'), ('<a href="x">', '&lt;a href=&quot;x&quot;&gt;'), ('with some blanks', 'with+some+blanks with%20some%20blanks'), ('grüße aus köln', 'gr%C3%BC%C3%9Fe%20aus%20k%C3%B6ln'), (E'bell\007abcdef', 'bell\u0007abcdef'), ('short12', 'short12'), ('aaaaaaaa', repeat('a', 20))) x (v, t);
SELECT mask('{}', 'x'), mask('{abc}', 'abc');
-- the longest of those that begin at a place; one that has another in it
SELECT mask('{password,password-and-more}', 'password password-and-more password-and-mor'), mask('{word-and,password-and-more}', 'password-and-more');
SELECT mask_json('{12345678,"true word",nullnull}', j) FROM unnest(ARRAY['12345678', '"12345678"', '{"12345678": [1, 123456780, 1.2345678e7, "a12345678b", {"k": "true word"}], "true": true, "n": null}', '[]', '"x"']::jsonb[]) j;
-- random texts around random values: nothing of a form is left, all else stays
SELECT setseed(0.5);
CREATE FUNCTION word(n int) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT coalesce(string_agg(substr('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/=%"\&<>_-', 1 + floor(random() * 73)::int, 1), ''), '') FROM generate_series(1, n) $$;
CREATE TEMP TABLE cases AS SELECT i, word(8 + i % 60) AS v, word(8 + i % 7) AS w, word((random() * 50)::int) AS a, word((random() * 50)::int) AS b, word((random() * 3)::int) AS c FROM generate_series(1, 3000) i;
SELECT count(*) AS plain, count(*) FILTER (WHERE strpos(m, v) > 0 OR strpos(m, w) > 0) AS left, count(*) FILTER (WHERE strpos(m, '***') = 0) AS not_masked FROM (SELECT *, mask(ARRAY[v, w], a || v || b || w || c) AS m FROM cases) x;
SELECT count(*) AS other FROM (SELECT *, mask(ARRAY[v, w], a || b) AS m FROM cases) x WHERE m <> a || b AND strpos(a || b, v) = 0 AND strpos(a || b, w) = 0;
SELECT kind, count(*) FILTER (WHERE m <> e) AS wrong FROM (SELECT *, mask(ARRAY[v], f) AS m FROM cases, LATERAL (VALUES ('hex', encode(convert_to(v, 'UTF8'), 'hex'), '***'), ('upper', upper(encode(convert_to(v, 'UTF8'), 'hex')), '***'), ('json', '[' || to_jsonb(v)::text || ']', '["***"]')) k (kind, f, e)) x GROUP BY 1 ORDER BY 1;
-- base64: at most one character beside each side of it is left that has to do with the value
SELECT count(*) FILTER (WHERE strpos(m, '***') = 0) AS not_masked, max(length(replace(m, '***', ''))) AS longest_rest FROM (SELECT mask(ARRAY[v], replace(encode(convert_to(left(c, 3) || v, 'UTF8'), 'base64'), E'\n', '')) AS m FROM cases) x;
DROP EXTENSION workflow CASCADE;
