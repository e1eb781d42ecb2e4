-- schedules: cron expressions, and clocks that change
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\pset null -
SET timezone = 'UTC';
SET datestyle = 'ISO';
CREATE FUNCTION test_cron(cron text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_cron' LANGUAGE C STRICT;
CREATE FUNCTION test_cron_next(cron text, zone text, after timestamptz, n int) RETURNS timestamptz[]
	AS '$libdir/workflow', 'wf_sql_test_cron_next' LANGUAGE C STRICT;
CREATE FUNCTION test_cron_zone(zone text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_cron_zone' LANGUAGE C STRICT;
-- The next due times as clocks in the zone show them, with their offset.
CREATE FUNCTION due(cron text, zone text, after text, n int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t timestamptz; o interval; found boolean := false;
BEGIN
	FOREACH t IN ARRAY test_cron_next(cron, zone, after::timestamptz, n) LOOP
		found := true;
		o := (t AT TIME ZONE zone) - (t AT TIME ZONE 'UTC');
		RETURN NEXT to_char(t AT TIME ZONE zone, 'Dy YYYY-MM-DD HH24:MI:SS ') || o;
	END LOOP;
	IF NOT found THEN RETURN NEXT 'never'; END IF;
END $$;

-- what is refused, and why
SELECT c || ' => ' || coalesce(test_cron(c), 'ok') FROM unnest(ARRAY['', ' ', '*', '* * * *', '* * * * * *', '0 0 * * * root echo',
	'60 * * * *', '-1 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 0 *', '* * * 13 *', '* * * * 8', '99999999999999999999 * * * *',
	'a * * * *', '1, * * * *', ',1 * * * *', '1,,2 * * * *', '1- * * * *', '1-2-3 * * * *', '1--2 * * * *', '*-5 * * * *', '** * * * *', '1* * * * *',
	'*/0 * * * *', '*/60 * * * *', '*/ * * * *', '*/-5 * * * *', '*/5/5 * * * *', '1.5 * * * *', '+5 * * * *', '5/x * * * *',
	'30-10 * * * *', '* 22-6 * * *', '* 22-6/2 * * *', '* * * NOV-FEB *', '* * * * FRI-SUN', '* * * * 6-0', '* * * * 6-1', '59-0 * * * *', '* * * * MONDAY', '* * * * MO', '* * * JANUARY *', '* * * MON *', 'JAN * * * *',
	'* * L * *', '* * 15W * *', '* * ? * *', '* * * * 5#2', 'H * * * *', '@reboot', '@every 5m', '@', '@dailyy', '@daily * * * *', '* * @daily * *',
	E'* *\n* * *', E'* * * * *\n', E'\x01', 'ü * * * *', repeat('ü', 100) || ' * * * *', '0 0 * * ' || repeat('1,', 123) || '1', '0 0 * * ' || repeat('1,', 123) || '12']) c;

-- what is understood
SELECT c || ' => ' || coalesce(test_cron(c), 'ok') FROM unnest(ARRAY['* * * * *', E'  5\t4  3 2 1\t', '00 007 * * *', '5/15 * * * *', '10-50/10 * * * *', '*/59 * * * *', '* * * jan-MAR,Nov *',
	'* * * * sun-SAT', '* * * * 5-7', '* * * * mon,3-FRI/2', '*,5 * * * *', '1-1 * * * *', '@yearly', '@Annually', ' @monthly ', '@weekly', '@DAILY', '@midnight', E'@hourly\t']) c;

-- plain cases
SELECT due('*/5 * * * *', 'UTC', '2026-01-01 00:00', 3);
SELECT due('5/15 * * * *', 'UTC', '2026-01-01 00:05', 4);
SELECT due('10-50/20 9-17/8 * * *', 'UTC', '2026-01-01 09:10:00.000001', 6);
SELECT due('0 9 * * MON', 'Europe/Berlin', '2026-01-01', 2);
SELECT due('30 8 * * 5-7', 'Asia/Kathmandu', '2026-01-01', 4);
SELECT due('0 0 * * 7', 'UTC', '2026-01-01', 1), due('0 0 * * 0', 'UTC', '2026-01-01', 1);
SELECT due('0 0 1 */3 *', 'UTC', '2026-01-01', 4);
SELECT f || ': ' || string_agg(d, ', ') FROM unnest(ARRAY['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']) f, due(f, 'UTC', '2026-05-05 05:05', 2) d GROUP BY f ORDER BY f;
-- strictly later, to the microsecond
SELECT due('0 12 * * *', 'UTC', t, 1) FROM unnest(ARRAY['2026-01-01 11:59:59.999999', '2026-01-01 12:00', '2026-01-01 12:00:00.000001', '1999-12-31 11:59:59.999999', '1969-12-31 11:59:59.5', '1969-12-31 12:00']) t;

-- days of the month and of the week: either when both are restricted, else both
SELECT due('0 0 13 * FRI', 'UTC', '2026-02-10', 5);
SELECT due('0 0 13 * *', 'UTC', '2026-02-10', 2);
SELECT due('0 0 * * FRI', 'UTC', '2026-02-10', 2);
SELECT due('0 0 */2 * FRI', 'UTC', '2026-02-10', 3);
SELECT due('0 0 13 * */5', 'UTC', '2026-02-10', 3);
SELECT due('0 0 1-31 * FRI', 'UTC', '2026-02-10', 2);

-- 29 February, and days that never are
SELECT due('0 12 29 2 *', 'UTC', '2026-01-01', 2);
SELECT due('0 12 29 2 *', 'Europe/Berlin', '2096-02-29 12:00', 1);
SELECT due('0 12 29 FEB */7', 'UTC', '2072-02-29', 2);
SELECT due('0 12 29 2 */7', 'UTC', '1892-03-01', 1);
SELECT due('0 12 29 2 */7', 'UTC', '2100-01-01', 1);
SELECT due('0 0 31 2 *', 'UTC', '2026-01-01', 1), due('0 0 30 2 *', 'UTC', '2026-01-01', 1), due('0 0 31 4,6,9,11 *', 'UTC', '2026-01-01', 1), due('0 0 31 2 1', 'UTC', '2026-01-01', 1);

-- Berlin, 29 March 2026: 02:00 to 03:00 is skipped; 25 October: it comes twice
SELECT due('30 2 * * *', 'Europe/Berlin', '2026-03-28', 3);
SELECT due('*/20 2 * * *', 'Europe/Berlin', '2026-03-29 00:00', 2);
SELECT due('0,30 2,3 * * *', 'Europe/Berlin', '2026-03-29 00:00', 3);
SELECT due('0 3 * * *', 'Europe/Berlin', '2026-03-28 12:00', 2);
SELECT due('*/30 * * * *', 'Europe/Berlin', '2026-03-29 00:00', 5);
SELECT due('30 2 29 3 *', 'Europe/Berlin', '2026-03-29 01:00', 1);
SELECT due('30 2 * * *', 'Europe/Berlin', '2026-10-24', 3);
SELECT due('0 2 * * *', 'Europe/Berlin', '2026-10-24 12:00', 2);
SELECT due('0 3 * * *', 'Europe/Berlin', '2026-10-24 12:00', 2);
SELECT due('*/30 * * * *', 'Europe/Berlin', '2026-10-24 23:30', 6);
SELECT due('30 2 * * *', 'Europe/Berlin', '2026-10-25 00:45', 1), due('30 2 * * *', 'Europe/Berlin', '2026-10-25 01:15', 1);
-- half an hour, a day, midnight, minutes, 23 hours back
SELECT due('*/15 2 * * *', 'Australia/Lord_Howe', '2024-10-05 15:00', 3);
SELECT due('*/15 1 * * *', 'Australia/Lord_Howe', '2024-04-06 14:15', 4);
SELECT due('0 12 * * *', 'Pacific/Apia', '2011-12-29', 3);
SELECT due('0 0 31 12 *', 'Pacific/Apia', '2011-12-29', 1), due('0 0 30 12 *', 'Pacific/Apia', '2011-12-29', 1);
SELECT due('@daily', 'America/Santiago', '2024-09-07', 3);
SELECT due('@daily', 'America/Santiago', '2024-04-06', 3);
SELECT due('*/30 23,0 * * *', 'America/Santiago', '2024-04-07 02:00', 6);
SELECT due('@daily', 'Asia/Beirut', '2022-03-26', 2);
SELECT due('@daily', 'Asia/Beirut', '2022-10-28 21:00', 2);
SELECT due('30 0 * * *', 'Africa/Monrovia', '1972-01-06', 3);
SELECT due('0 12 * * *', 'Pacific/Kwajalein', '1969-09-29', 4);

-- the ends of time
SELECT due('@daily', 'UTC', 'infinity', 1), due('@daily', 'UTC', '-infinity', 1), test_cron_next('@daily', 'Europe/Berlin', '294276-12-31 12:00', 3), due('@yearly', 'UTC', '294276-01-02', 1);
SELECT due('@daily', 'UTC', '294276-12-30 12:00', 2), due('@yearly', 'Europe/Berlin', '4714-11-24 00:00 BC', 1), due('0 12 29 2 *', 'America/New_York', '294270-01-01', 1);

-- zones
SELECT z || ' => ' || test_cron_zone(z) FROM unnest(ARRAY['Europe/Berlin', 'europe/berlin', 'UTC', 'utc', 'GMT', 'Etc/GMT+5', 'America/Argentina/Buenos_Aires',
	'', 'Berlin', 'Europe/Berlni', 'New York', 'kathmandu', 'CEST', 'PDT', 'Foo/Bar5', 'Etc/GMT+99', 'UTC+3', '<+03>-3', 'CET-1CEST', 'EST5', '+02:00', '2', 'Europe', 'Europe/', '/Europe/Berlin',
	'../../etc/passwd', 'Europe/../Europe/Berlin', 'Europe//Berlin', 'Zürich', 'Europe/Zürich', repeat('x', 300), ':UTC', ' UTC']) z;
-- every zone of the server is known, and by that name
SELECT name, test_cron_zone(name) FROM pg_timezone_names WHERE test_cron_zone(name) <> name;

-- Random schedules around clock changes against a model that tries every minute.
CREATE TABLE change (zone text, at timestamptz);
INSERT INTO change VALUES ('Europe/Berlin', '2026-03-29 01:00'), ('Europe/Berlin', '2026-10-25 01:00'), ('Australia/Lord_Howe', '2024-10-05 15:30'),
	('Australia/Lord_Howe', '2024-04-06 15:00'), ('Pacific/Apia', '2011-12-30 10:00'), ('America/Santiago', '2024-09-08 04:00'), ('America/Santiago', '2024-04-07 03:00'),
	('Asia/Beirut', '2022-03-26 22:00'), ('Asia/Beirut', '2022-10-29 21:00'), ('America/New_York', '2024-02-29 12:00'), ('Asia/Kathmandu', '1985-12-31 18:30'),
	('Pacific/Kwajalein', '1969-09-30 13:00'), ('Africa/Casablanca', '2024-03-10 02:00'), ('Antarctica/Troll', '2024-03-31 01:00'), ('UTC', '2023-12-31 00:00');
-- When clocks show what, and, of each local time, its first instant, or that of the first later one.
CREATE TABLE clock AS SELECT zone, change.at AS change, t, t AT TIME ZONE zone AS local
	FROM change, generate_series(change.at - interval '4 days', change.at + interval '4 days', '1 minute') t;
CREATE INDEX ON clock (zone, change, t);
ANALYZE clock;
CREATE TABLE due_at AS
	SELECT c.zone, c.at AS change, l, coalesce(f.t, (SELECT t FROM clock WHERE clock.zone = c.zone AND clock.change = c.at AND local > l ORDER BY zone, change, t LIMIT 1)) AS t,
		extract(minute FROM l)::int AS minute, extract(hour FROM l)::int AS hour, extract(day FROM l)::int AS day, extract(month FROM l)::int AS month,
		extract(dow FROM l)::int AS dow, extract(isodow FROM l)::int AS isodow
	FROM change c CROSS JOIN generate_series(c.at AT TIME ZONE c.zone - interval '2 days', c.at AT TIME ZONE c.zone + interval '2 days', '1 minute') l
	LEFT JOIN (SELECT zone, change, local, min(t) AS t FROM clock GROUP BY 1, 2, 3) f ON f.zone = c.zone AND f.change = c.at AND f.local = l;
CREATE INDEX ON due_at (zone, change);
SELECT count(*) - count(DISTINCT (zone, t)) AS skipped FROM due_at;
CREATE FUNCTION random_int(low int, high int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT low + floor(random() * (high - low + 1))::int';
-- A field of one to three items, and its values. `near` is a value that matters.
CREATE FUNCTION random_field(low int, high int, near int, names text[], OUT field text, OUT vals int[]) LANGUAGE plpgsql AS $$
DECLARE a int; b int; step int; item text;
BEGIN
	vals := '{}';
	FOR i IN 1 .. greatest(1, random_int(-2, 3)) LOOP
		a := CASE random_int(0, 2) WHEN 0 THEN least(greatest(near + random_int(-1, 1), low), high) ELSE random_int(low, high) END;
		b := random_int(a, high);
		step := CASE random_int(0, 2) WHEN 0 THEN random_int(1, 7) END;
		CASE random_int(0, 3)
			WHEN 0 THEN item := '*'; a := low; b := high;
			WHEN 1 THEN item := coalesce(names[a - low + 1], a::text) || '-' || coalesce(names[b - low + 1], b::text);
			ELSE item := coalesce(names[a - low + 1], lpad(a::text, 2, '0')); b := CASE WHEN step IS NULL THEN a ELSE high END;
		END CASE;
		field := concat_ws(',', field, item || coalesce('/' || step, ''));
		vals := vals || ARRAY(SELECT generate_series(a, b, coalesce(step, 1)));
	END LOOP;
END $$;
-- Of `rounds` schedules around each change: instants compared, and what differs.
CREATE FUNCTION compare(rounds int, OUT compared int, OUT different text) RETURNS SETOF record LANGUAGE plpgsql AS $$
DECLARE c change; cron text; local timestamp; mi record; h record; d record; mo record; w record; either_day boolean;
	model timestamptz[]; got timestamptz[]; after timestamptz; expected timestamptz;
BEGIN
	compared := 0;
	FOR c IN TABLE change LOOP
		local := c.at AT TIME ZONE c.zone;
		FOR i IN 1 .. rounds LOOP
			mi := random_field(0, 59, 0, NULL);
			h := random_field(0, 23, (extract(hour FROM local)::int + random_int(-1, 0) + 24) % 24, NULL);
			d := random_field(1, 31, extract(day FROM local)::int, NULL);
			mo := random_field(1, 12, extract(month FROM local)::int, CASE random_int(0, 1) WHEN 0 THEN '{JAN,feb,Mar,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC}'::text[] END);
			w := random_field(0, 7, extract(dow FROM local)::int, CASE random_int(0, 1) WHEN 0 THEN '{SUN,mon,Tue,WED,THU,FRI,SAT}'::text[] END);
			IF i % 3 = 0 THEN
				SELECT '*' AS field, ARRAY(SELECT generate_series(1, 31)) AS vals INTO d;
				mo := d;
				w := d;
				w.vals := w.vals || 0;
			END IF;
			cron := concat_ws(' ', mi.field, h.field, d.field, mo.field, w.field);
			either_day := d.field NOT LIKE '*%' AND w.field NOT LIKE '*%';
			model := ARRAY(SELECT DISTINCT t FROM due_at WHERE zone = c.zone AND change = c.at
				AND minute = ANY (mi.vals) AND hour = ANY (h.vals) AND month = ANY (mo.vals)
				AND CASE WHEN either_day THEN day = ANY (d.vals) OR dow = ANY (w.vals) OR isodow = ANY (w.vals)
					ELSE day = ANY (d.vals) AND (dow = ANY (w.vals) OR isodow = ANY (w.vals)) END
				ORDER BY t);
			CONTINUE WHEN cardinality(model) = 0;
			-- all from the first on, and what follows an instant
			got := test_cron_next(cron, c.zone, model[1] - interval '1 microsecond', cardinality(model));
			compared := compared + cardinality(model);
			IF got <> model THEN
				different := format('%s %s: %s', c.zone, cron, (SELECT format('%s instead of %s', g, m) FROM unnest(got, model) u (g, m) WHERE g IS DISTINCT FROM m LIMIT 1));
				RETURN NEXT;
			END IF;
			FOR j IN 1 .. 10 LOOP
				after := greatest(c.at + random_int(-7200, 7200) * interval '1.5 seconds', model[1]);
				expected := (SELECT min(t) FROM unnest(model) t WHERE t > after);
				CONTINUE WHEN expected IS NULL;
				compared := compared + 1;
				got := test_cron_next(cron, c.zone, after, 1);
				IF got[1] IS DISTINCT FROM expected THEN
					different := format('%s %s after %s: %s instead of %s', c.zone, cron, after, got[1], expected);
					RETURN NEXT;
				END IF;
			END LOOP;
		END LOOP;
	END LOOP;
	different := NULL;
	RETURN NEXT;
END $$;
SELECT setseed(0.4711);
SELECT compared > 10000, different FROM compare(25);
