-- Mail as it is given to the relay: envelope, headers, encodings, parts. Nothing is sent.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
CREATE FUNCTION compose(request jsonb, secrets jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_compose' LANGUAGE C STRICT;
CREATE FUNCTION face_of(request jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_compose_face' LANGUAGE C STRICT;
CREATE FUNCTION mail(mail jsonb, secrets jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT compose(jsonb_build_object('kind', 'mail', 'nonce', '0123456789abcdef0123456789abcdef', 'secrets', '["A"]'::jsonb, 'mail', '{"from": "a@example.com", "to": ["b@example.org"], "text": "x"}'::jsonb || replace(mail::text, '$A', U&'\E000' || '0123456789abcdef0123456789abcdef:A' || U&'\E001')::jsonb), secrets) $$;
-- The message, with its line ends as they are seen.
CREATE FUNCTION message(mail jsonb, secrets jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$ SELECT coalesce(m ->> 'error', replace(m ->> 'body', E'\r\n', E'\n')) FROM (SELECT mail(mail, secrets)) x (m) $$;
-- A header of the message, or its body.
CREATE FUNCTION header(mail jsonb, name text) RETURNS text LANGUAGE sql AS $$ SELECT coalesce(m ->> 'error', substring(E'\n' || replace(m ->> 'body', E'\r\n', E'\n') from E'\n(' || name || E': [^\n]*(?:\n [^\n]*)*)')) FROM (SELECT mail(mail)) x (m) $$;
CREATE FUNCTION content(mail jsonb, secrets jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$ SELECT substring(message(mail, secrets) from 'Content-Transfer.*') $$;

-- the relay
SELECT mail('{}') ->> 'error', face_of('{"kind": "mail"}');
SET workflow.smtp_url = 'smtp://relay.example:587';
SELECT jsonb_pretty(mail('{"from": "Ann <a@example.com>", "to": ["Bob <b@example.org>", "c@example.org"], "cc": ["B@example.org", "d@example.org"], "bcc": ["e@example.org"], "subject": "Hello", "text": "One\ntwo"}'));
SELECT face_of('{"kind": "mail"}'), mail('{}') ->> 'partition';
SET workflow.smtp_url = 'SMTPS://us%65r:p%40ss%3Aw@Relay.Example/';
SELECT m -> 'url', m -> 'auth', m ->> 'partition' ~ '^[0-9a-f-]{36} [0-9a-f]{64}$', m ->> 'timeoutMs', face_of('{"kind": "mail"}') FROM mail('{}') m;
-- malformed, and not shown
SET workflow.smtp_url = 'smtp://user:topsecret@';
SET workflow.smtp_url = 'http://user:topsecret@h';
SET workflow.smtp_url = 'smtp://user:top%0asecret@h';
SET workflow.smtp_url = 'smtp://user:topsecret%4@h';
SET workflow.smtp_url = 'smtp://:topsecret@h';
SET workflow.smtp_url = 'smtp://user:topsecret@h@x';
SET workflow.smtp_url = 'smtp://h:0';
SET workflow.smtp_url = 'smtp://h:65536';
SET workflow.smtp_url = 'smtp://h:25/path';
SET workflow.smtp_url = 'smtp://[::1';
SET workflow.smtp_url = 'smtp://';
SELECT count(*) FROM pg_settings WHERE name = 'workflow.smtp_url';
CREATE ROLE dispatch_mail_nobody;
SET ROLE dispatch_mail_nobody;
\set VERBOSITY sqlstate
SHOW workflow.smtp_url;
\set VERBOSITY default
SET workflow.smtp_url = 'smtp://x';
RESET ROLE;
DROP ROLE dispatch_mail_nobody;
SET workflow.smtp_url = 'smtp://[::1]:2525';
SELECT mail('{}') ->> 'url';

-- headers
SELECT header(m, 'Subject') FROM unnest(ARRAY['{"subject": "Grüße aus Köln"}', '{"subject": "=?UTF-8?Q?x?="}', '{"subject": " outer "}', '{"subject": "a\tb"}', jsonb_build_object('subject', repeat('word ', 40) || 'end'), jsonb_build_object('subject', repeat('x', 200)), jsonb_build_object('subject', repeat('aé😀', 60)), '{"subject": ""}', '{"subject": "line\nBcc: x@example.org"}', '{"subject": "two  spaces   here"}']::jsonb[]) m;
SELECT header(jsonb_build_object('from', f), 'From') FROM unnest(ARRAY['Ann Lee <a@example.com>', '"Lee, Ann" <a@example.com>', 'Ann "The \"B\\ig\"" Lee <a@example.com>', 'Jürgen Müller <a@example.com>', 'a@example.com', '<a@example.com>', 'A. B. <a@example.com>', repeat('Long ', 30) || '<a@example.com>', repeat('x', 100) || ' <a@example.com>', repeat('ü', 100) || ' <a@example.com>', '=?x?= <a@example.com>', repeat('.', 70) || ' <a@example.com>', 'x', 'a b@example.com', '<a@example.com']) f;
SELECT header(jsonb_build_object('to', (SELECT jsonb_agg(CASE i % 3 WHEN 0 THEN 'Person ' || i || ' <p' || i || '@example.org>' WHEN 1 THEN 'p' || i || '@example.org' ELSE 'Pérson ' || i || ' <p' || i || '@example.org>' END) FROM generate_series(1, 12) i)), 'To');
SELECT header('{"to": [], "bcc": ["x@example.org"]}', 'To'), header('{"to": [], "cc": ["x@example.org"]}', 'To'), message('{"bcc": ["hidden@example.org"], "cc": ["c@example.org"]}') LIKE '%hidden%' AS told, mail('{"bcc": ["hidden@example.org"]}') -> 'mailTo';
SELECT mail('{"to": []}') ->> 'error', mail('{"to": ["a@b\r\nX: y"]}') ->> 'error', mail('{"to": ["a@b", "x"]}') ->> 'error', mail('{"from": 7}') ->> 'error', compose('{"kind": "mail"}') ->> 'error', compose('{"kind": "mail", "mail": {"from": "a@b", "to": ["c@d"]}}') ->> 'error';

-- text: as it is, quoted-printable, base64
SELECT content('{"text": "plain\r\nlines\rof\nall kinds\n"}'), content('{"text": ""}'), content('{"text": "From me\n.\nsum=_1"}'), content('{"text": "trailing \nspace\t\n\u0007"}'), content('{"text": "grüße=ok, the rest of it is all plain and of no interest"}'), content('{"text": "日本語"}'), content(jsonb_build_object('text', repeat('word ', 30))), content(jsonb_build_object('text', repeat('x', 76) || E'\n' || repeat('y', 77))), content(jsonb_build_object('text', repeat('é', 40) || repeat('n', 400)));
SELECT content('{"html": "<p>é, and a lot of other words of which there is nothing to be said</p>"}') , header('{"html": "<p>x</p>", "text": "x"}', 'Content-Type'), content('{"text": "the password is $A"}', '{"A": "topsécret and more"}'), mail('{"text": "$A"}', '{"A": "x"}') -> 'bodyIsSecret', mail('{"html": "$A"}') ->> 'error';

-- parts
SELECT message('{"subject": "All", "text": "Hello\n", "html": "<p>Hällo</p>", "attachments": [{"filename": "a.txt", "content": "SGVsbG8=", "contentType": "text/plain; charset=us-ascii"}, {"filename": "empty", "content": ""}, {"filename": "Übersicht über alle Verträge und die Rechnungen des Jahres.pdf", "contentType": "application/pdf", "content": "JVBERi0xLjQ="}]}');
SELECT message('{"text": "", "attachments": [{"filename": "quote\"back\\.eml", "content": "eA==", "contentType": "message/rfc822"}]}');
SELECT m FROM (SELECT message(jsonb_build_object('attachments', jsonb_build_array(jsonb_build_object('filename', repeat('n', 150), 'content', encode(convert_to(repeat('0123456789', 20), 'UTF8'), 'base64'))))) AS m) x;
SELECT mail(jsonb_build_object('attachments', jsonb_build_array(a))) ->> 'error' FROM unnest(ARRAY['{"filename": "a"}', '{"content": ""}', '{"filename": "a\nb", "content": ""}', '{"filename": "a", "content": "x"}', '{"filename": "a", "content": "", "contentType": "a/b\r\nX: y"}', '{"filename": "a", "content": "", "contentType": "ä/b"}', '7']::jsonb[]) a;

-- no line is longer than it may be, none has a bare CR or LF, everything is ASCII; whatever is put in
CREATE FUNCTION dice(i int, j int, salt text) RETURNS float LANGUAGE sql AS $$ SELECT ('x' || substr(md5(concat_ws(':', i, j, salt)), 1, 7))::bit(28)::int / 268435456.0 $$;
CREATE TABLE noise AS SELECT i, array_to_string(ARRAY(SELECT CASE WHEN d < 0.05 THEN E'\n' WHEN d < 0.15 THEN ' ' WHEN d < 0.17 THEN E'\r' WHEN d < 0.2 THEN '=' WHEN d < 0.2 + i / 400.0 THEN chr((160 + e * 5000)::int) ELSE chr((37 + e * 89)::int) END FROM generate_series(1, 50 + i * 5) j, LATERAL (SELECT dice(i, j, 'a'), dice(i, j, 'b')) x (d, e)), '') AS t FROM generate_series(1, 200) i;
CREATE TABLE made AS SELECT i, t, mail(jsonb_build_object('subject', translate(left(t, 300), E'\r\n', ''), 'from', translate(left(t, 90), E'\r\n<>"', '') || ' <a@example.com>', 'text', t, 'html', t, 'attachments', jsonb_build_array(jsonb_build_object('filename', translate(left(t, 100), E'\r\n', 'xx'), 'content', encode(convert_to(t, 'UTF8'), 'base64'))))) ->> 'body' AS m FROM noise;
SELECT count(DISTINCT i), max(length(l)), bool_and(l ~ '^[\t -~]*$') FROM made, LATERAL unnest(string_to_array(m, E'\r\n')) l;
RESET workflow.smtp_url;
DROP EXTENSION workflow;
