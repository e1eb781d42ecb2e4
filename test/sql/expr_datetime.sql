-- Expressions: dates and date-times, across zones, clock changes, and years before 1970 and after 9999.
CREATE EXTENSION workflow;
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION e(expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN expression || '  =>  ' || wf_eval(expression, '{"now": "2024-03-31T00:30:00.123Z", "input": {"at": "2024-01-31T10:00:00Z"}}')::text;
EXCEPTION WHEN OTHERS THEN
	RETURN expression || '  =>  ' || sqlstate || ': ' || sqlerrm;
END $$;
SET TimeZone = 'Europe/Paris';
SELECT e(x) FROM unnest(ARRAY[
	'$now', '$today', '$now.plus({hours: 1})', '$now.plus({days: 1})', '$now.plus("1 day 2 hours")', '$now.plus("P1M")', '$now.plus(1, "month")', '$now.minus({months: 1})', '$now.minus("1 year")', '$now.plus({weeks: 1, days: -7})', '$now.plus({days: 0.5})', '$now.plus({quarters: 1})', '$now.plus(1500)',
	'$now.startOf("hour")', '$now.startOf("day")', '$now.startOf("week")', '$now.startOf("month")', '$now.startOf("quarter")', '$now.startOf("year")', '$now.endOf("day")', '$now.endOf("week")', '$now.endOf("month")', '$now.endOf("year")', '$now.endOf("minute")',
	'$today.plus({days: 1}).diff($today, "hours")', '$today.plus({days: 1}).diff($today, "days")', '$now.diff($input.at.toDateTime(), "months")', '$now.diff($input.at, "days")', '$input.at.toDateTime().diff($now, "days")', '$now.diff($input.at)', '$now.diff("2020-02-29", "years")', '$now.diff("junk", "days")',
	'$now.in("America/New_York")', '$now.in("Asia/Kolkata").toISO()', '$now.setZone("utc+3")', '$now.setZone("UTC").toISO()', '$now.toUTC().zoneName', '$now.setZone("Asia/Tokyo", {keepLocalTime: true})', '$now.in("nowhere/at/all")', '$now.in("")',
	'DateTime.fromISO("2024-03-31T02:30:00")', 'DateTime.fromISO("2024-10-27T02:30:00")', 'DateTime.fromISO("2024-10-27T02:30:00").plus({hours: 1})', 'DateTime.fromISO("2024-02-30").isValid', 'DateTime.fromISO("2024-03-10T10:00:00+09:00")', 'DateTime.fromISO("x")', 'DateTime.fromISO("x").plus({days: 1}).isValid',
	'DateTime.fromFormat("31/12/2023 11:59 PM", "dd/MM/yyyy hh:mm a")', 'DateTime.fromFormat("March 5, 24", "MMMM d, yy").toISODate()', 'DateTime.fromFormat("2024-13-01", "yyyy-MM-dd").isValid', 'DateTime.fromFormat("x", "yyyy").isValid', 'DateTime.fromMillis(-1)', 'DateTime.fromSeconds(1e9).toISO()', 'DateTime.local(2024, 2, 29, 12)', 'DateTime.utc(2024)', 'DateTime.utc(2024, 2, 30).isValid', 'DateTime.fromObject({year: 2024, month: 5, day: 6, hour: 7})',
	'$now.set({day: 31, month: 2})', '$now.set({weekday: 1}).toISODate()', '$now.hasSame($today, "day")', '$now.hasSame("2024-04-01", "month")', '$now > $today', '$now - $today', '`${$today}`', '$now.toJSON()', '$now.equals($now.plus(0))', '[$now].map(d => d.year)', 'typeof $now', '$now instanceof DateTime',
	'$now.format("yyyy-MM-dd HH:mm:ss.SSS ZZ")', '$now.format("EEE d MMM yy, h:mm a")', '$now.format("''Week'' W ''of'' kkkk, ''day'' o")', '$now.format("X x q Z ZZZ ZZZZ z")', '$now.format("D | DD | DDD | DDDD | t | T | f | F")', '$now.format("YYYY")', '$now.format("")',
	'[$now.year, $now.month, $now.day, $now.hour, $now.minute, $now.second, $now.millisecond, $now.weekday, $now.weekNumber, $now.weekYear, $now.quarter, $now.ordinal, $now.daysInMonth, $now.daysInYear, $now.offset]', '$now.nope', '$now.foo()',
	'Duration.fromObject({hours: 1, minutes: 90}).as("hours")', 'Duration.fromISO("P1Y2M3DT4H5M6S").toISO()', 'Duration.fromISO("P1M").as("days")', 'JSON.stringify(Duration.fromObject({days: 1.5}))', 'Duration.fromObject({eons: 1})'
]) x;
-- Date, in a zone with clock changes
SELECT e(x) FROM unnest(ARRAY[
	'new Date(2024, 2, 31, 2, 30)', 'new Date(2024, 9, 27, 2, 30)', 'new Date(2024, 0, 1).getTimezoneOffset()', 'new Date(2024, 6, 1).getTimezoneOffset()', 'new Date(-1)', 'new Date(-62198755200000)', 'new Date(8.64e15)', 'new Date(-8.64e15)', 'new Date(8.64e15 + 1)', 'new Date(1e15).getFullYear()', 'new Date("-000001-01-01T00:00:00Z")', 'new Date("+012345-06-07T08:09:10Z")', 'new Date(1900, 0, 1)', 'new Date(99, 0)', 'new Date(2024, 12, 32)', 'new Date(2024, -1, 0)', 'new Date(NaN)', 'new Date("2024-02-29T23:59:60Z")', '(d => (d.setHours(24), d))(new Date(2024, 2, 30))', 'new Date(0).setFullYear(2024, 1, 29)', 'Date.UTC(2024)', 'typeof Date()', 'Date.now() > 1e12'
]) x;
SET TimeZone = 'Pacific/Apia';
SELECT e('new Date(2011, 11, 30)'), e('$today'), e('new Date(2011, 11, 30).getDate()');
SET TimeZone = 'UTC';
SELECT e('$now.toISO()'), e('new Date(0).toString()'), e('new Date(2024, 0, 1)');
