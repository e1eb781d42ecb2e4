-- Conditions of row triggers as WHEN clauses: what is made of them, and that no row is kept away for which the condition is true.
\set VERBOSITY terse
SET client_min_messages = warning;
CREATE EXTENSION workflow;
SET TimeZone = 'UTC';
CREATE FUNCTION w(relation regclass, condition text, event text, by_statement bool DEFAULT false, OUT sql text, OUT exact bool)
	AS '$libdir/workflow', 'wf_sql_test_row_when' LANGUAGE C;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'it''s', 'z');
CREATE TYPE own AS ENUM ('a', 'b');
CREATE FUNCTION own_json(own) RETURNS json LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 'a' THEN 'null' ELSE '"a"' END::json $$;
CREATE CAST (own AS json) WITH FUNCTION own_json(own);
CREATE DOMAIN cents AS int8 CHECK (VALUE > -1000000000000000000);
CREATE DOMAIN feeling AS mood;
CREATE TYPE pair AS (x int, y int);
CREATE TABLE every (
	i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric, n10 numeric(10,2), b bool, t text, v varchar(9), c char(4), nm name,
	u uuid, d date, ts timestamp, tz timestamptz, m mood, o own, dom cents, dm feeling, j jsonb, a int[], p pair, by bytea,
	"odd ""name""%" text, gen int8 GENERATED ALWAYS AS (i4 * 2) STORED);

CREATE TABLE cases (n serial, condition text, event text DEFAULT 'update');
INSERT INTO cases (condition) VALUES
	('$trigger.new.i4 > 5'), ('5 < $trigger.new.i4'), ('$trigger.new.i4 >= -5'), ('$trigger.new.i4 < 2.5'), ('$trigger.new.i4 === 7'),
	('$trigger.new.i4 !== 7'), ('$trigger.new.i8 === 9007199254740993'), ('$trigger.new.i8 < 3000000000'), ('$trigger.new.i2 == 1'),
	('$trigger.new.f8 > 0.1'), ('$trigger.new.f8 <= 0.1'), ('$trigger.new.f4 === 0.1'), ('$trigger.new.f4 !== 0.1000001'),
	('$trigger.new.n < 0.1'), ('$trigger.new.n <= 0.1'), ('$trigger.new.n === 3'), ('$trigger.new.n10 === 3.5'), ('$trigger.new.n10 > 3.5'),
	('$trigger.new.n !== 3'), ('$trigger.new.n > 1.7976931348623157e308'), ('$trigger.new.n >= 1.7976931348623157e308'),
	('$trigger.new.b'), ('!$trigger.new.b'), ('$trigger.new.b === true'), ('$trigger.new.b !== false'), ('$trigger.new.b == 1'),
	('$trigger.new.t === "paid"'), ('$trigger.new.t !== "it''s"'), ('$trigger.new.t === "back\\slash"'), ('$trigger.new.t < "m"'),
	('$trigger.new.t < "5"'), ('$trigger.new.t > "\u{1F600}"'), ('$trigger.new.t === "a\u0000b"'), ('$trigger.new.t === "\ud800"'),
	('$trigger.new.t'), ('!$trigger.new.t'), ('$trigger.new.t == 5'), ('$trigger.new.v === "x"'), ('$trigger.new.c === "x"'), ('$trigger.new.nm === "x"'),
	('$trigger.new.u === "00000000-0000-0000-0000-00000000000a"'), ('$trigger.new.u === "00000000-0000-0000-0000-00000000000A"'),
	('$trigger.new.d === "2024-02-29"'), ('$trigger.new.d === "2023-02-29"'), ('$trigger.new.d < "2024-01-01"'), ('$trigger.new.d === "2024-1-1"'),
	('$trigger.new.ts === "2024-01-01T10:00:00"'), ('$trigger.new.ts === "2024-01-01T10:00:00.50"'), ('$trigger.new.ts >= "2024-01-01T10:00:00.5"'),
	('$trigger.new.tz === "2024-01-01T10:00:00+00:00"'), ('$trigger.new.tz !== "2024-01-01T10:00:00+00:00"'), ('$trigger.new.tz'),
	('$trigger.new.m === "it''s"'), ('$trigger.new.m !== "nothing"'), ('$trigger.new.dm === "ok"'), ('$trigger.new.o === "a"'), ('$trigger.new.o === null'),
	('$trigger.new.dom > 100'), ('$trigger.new.gen === 4'), ('$trigger.new["odd \"name\"%"] === "100%"'),
	('$trigger.new.t === null'), ('$trigger.new.t == null'), ('$trigger.new.t !== null'), ('$trigger.new.t === undefined'), ('$trigger.new.t == undefined'),
	('$trigger.new.p === null'), ('$trigger.new.p !== null'), ('$trigger.new.j === null'), ('$trigger.new.j !== null'), ('$trigger.new.a'), ('$trigger.new.by != null'),
	('$trigger.new.t !== $trigger.old.t'), ('$trigger.new.i4 !== $trigger.old.i4'), ('$trigger.new.i8 === $trigger.old.i8'), ('$trigger.new.i4 > $trigger.old.i4'),
	('$trigger.new.i4 > $trigger.new.i8'), ('$trigger.new.n !== $trigger.old.n'), ('$trigger.new.n === $trigger.old.n'), ('$trigger.new.n10 === $trigger.old.n10'),
	('$trigger.new.n < $trigger.old.n'), ('$trigger.new.f8 >= $trigger.old.f8'), ('$trigger.new.f4 !== $trigger.old.f4'), ('$trigger.new.f8 > $trigger.new.n'),
	('$trigger.new.m !== $trigger.old.m'), ('$trigger.new.m === $trigger.old.t'), ('$trigger.new.tz !== $trigger.old.tz'), ('$trigger.new.c !== $trigger.old.c'),
	('$trigger.new.j !== $trigger.old.j'), ('$trigger.new.u === $trigger.old.u'), ('$trigger.new.t < $trigger.old.t'),
	('["a", "b", "it''s"].includes($trigger.new.t)'), ('["a"].includes($trigger.new.t)'), ('[1, 2, null].includes($trigger.new.i4)'), ('[].includes($trigger.new.t)'),
	('["a", $trigger.old.t].includes($trigger.new.t)'), ('[NaN].includes($trigger.new.f8)'), ('["sad", "ok"].includes($trigger.new.m)'),
	('$trigger.new.i4 > 5 && $trigger.new.t === "x"'), ('$trigger.new.i4 > 5 && $trigger.new.t.startsWith("x")'), ('$trigger.new.t.startsWith("x") && $trigger.new.i4 > 5'),
	('$trigger.new.i4 > 5 || $trigger.new.t === "x"'), ('$trigger.new.i4 > 5 || $trigger.new.t.startsWith("x")'), ('!($trigger.new.i4 > 5 && $trigger.new.b)'),
	('!($trigger.new.i4 > 5 && $trigger.new.t.startsWith("x"))'), ('$trigger.new.b ? $trigger.new.i4 > 5 : $trigger.new.i4 < 0'),
	('$trigger.new.n > 1 ? $trigger.new.i4 > 5 : $trigger.new.i4 < 0'), ('($trigger.new.t, $trigger.new.i4 > 5)'),
	('$trigger.op === "UPDATE"'), ('$trigger.op !== "UPDATE" || $trigger.new.i4 > 5'), ('$trigger.table === "every"'), ('$trigger.op'), ('$trigger'),
	('$trigger.new'), ('$trigger.old === null'), ('$trigger.new.nosuch === 5'), ('$trigger.new.ctid === 5'), ('$trigger.new?.i4 > 5'), ('$input.x === 5'),
	('$trigger.new.i4.toFixed === 5'), ('$trigger.new.i4 + 1 > 5'), ('true'), ('false'), ('1n'), ('"x" < "y"'), ('$trigger.new.i4 > Infinity');
INSERT INTO cases (condition, event) VALUES
	('$trigger.old === null', 'insert'), ('!$trigger.old', 'insert'), ('$trigger.old?.i4 === 5', 'insert'), ('$trigger.old?.i4 !== $trigger.new.i4', 'insert'),
	('$trigger.old?.t == $trigger.new.t', 'insert'), ('$trigger.op === "UPDATE" && $trigger.old.i4 > 5', 'insert'),
	('($trigger.old ?? $trigger.new).i4 > 5', 'insert'), ('$trigger.old ?? $trigger.new.b', 'insert'), ('$trigger.old.i4 > 5', 'delete'), ('$trigger.new === null', 'delete'),
	('$trigger.op === "TRUNCATE"', 'truncate'), ('$trigger.new?.i4 > 5', 'truncate'), ('$trigger.op === "INSERT" && $trigger.new.b', 'update');
SELECT c.event, c.condition, replace(replace((w('every', c.condition, c.event)).sql, 'OPERATOR(pg_catalog.', '('), 'pg_catalog.', '') AS "when",
	(w('every', c.condition, c.event)).exact FROM cases c ORDER BY n;
SELECT w('every', '$trigger.new.length > 0', 'insert', true), w('every', '$trigger.new.i4 > 0', 'insert', true), w('every', '$trigger.op === "INSERT"', 'update', true),
	w('every', '$trigger.new', 'insert', true);

-- what is nested does not grow without bounds
SELECT length(coalesce((w('every', repeat('(', 40) || '$trigger.new.b' || repeat(' ? $trigger.new.b : !$trigger.new.b)', 40), 'update')).sql, '')) < 70000;
SELECT sql IS NULL FROM w('every', (SELECT 'false' || string_agg(format(' || $trigger.new.t === "%s"', i), '') FROM generate_series(1, 900) i), 'update');

-- Random conditions over random rows: what is true passes; what is exact passes only then.
CREATE TABLE rows (n serial, r every);
CREATE FUNCTION one(VARIADIC choices text[]) RETURNS text LANGUAGE sql VOLATILE AS
	$$ SELECT CASE WHEN random() < 0.12 THEN NULL ELSE choices[1 + floor(random() * cardinality(choices))::int] END $$;
SELECT setseed(0.4242);
CREATE FUNCTION fill(rounds int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. rounds LOOP
		INSERT INTO rows (r) SELECT ROW(
			one('0', '1', '-1', '7', '5', '32767')::int2, one('0', '1', '-1', '5', '6', '7', '2147483647', '-2147483648')::int4,
			one('0', '5', '9007199254740992', '9007199254740993', '9007199254740991', '-9223372036854775808', '9223372036854775807', '3000000000')::int8,
			one('0', '-0', '0.1', '0.3', '5', 'NaN', 'Infinity', '-Infinity', '1e-40', '3e38', '16777217')::float4,
			one('0', '-0', '0.1', '0.30000000000000004', '0.3', '5', 'NaN', 'Infinity', '-Infinity', '5e-324', '1.7976931348623157e308')::float8,
			one('0', '0.1', '0.10000000000000000001', '0.09999999999999999999', '0.3', '3', '3.00', '3.0000000000000000001', 'NaN', 'Infinity', '-Infinity', '1e400',
				'1e-400', '9007199254740993', '-5')::numeric,
			one('0', '0.1', '3', '3.5', '-5', 'NaN', '99999999.99')::numeric, one('t', 'f')::bool,
			one('', 'a', 'A', 'paid', 'x', 'm', '5', '05', 'true', 'null', 'é', '😀', E'\uFF5E', 'ok', '2024-01-01')::text, one('', 'a', 'x', 'é')::varchar, one('', 'a', 'x')::char(4), one('a', 'x')::name,
			one('00000000-0000-0000-0000-00000000000a', 'ffffffff-0000-0000-0000-000000000000')::uuid,
			one('2024-02-29', '2024-01-01', '0001-01-01', '9999-12-31', '10000-01-01', '0044-03-15 BC', 'infinity', '-infinity')::date,
			one('2024-01-01 10:00:00', '2024-01-01 10:00:00.5', '2024-01-01 10:00:00.123456', '10000-01-01', '0044-03-15 BC', 'infinity', '-infinity')::timestamp,
			one('2024-01-01 10:00:00+00', '2024-01-01 10:00:00.5+00', 'infinity', '1800-01-01 00:00:00+00')::timestamptz,
			one('sad', 'ok', 'it''s', 'z')::mood, one('a', 'b')::own, one('0', '5', '101')::cents, one('ok', 'sad')::feeling,
			one('null', '5', '"x"', '{}', '[]', 'false')::jsonb, one('{}', '{1,2}')::int[], one('(,)', '(1,)', '(1,2)')::pair, one('', 'x')::bytea,
			one('100%', 'x'), (one('4', '0'))::int8)::every;
	END LOOP;
END
$$;
SELECT fill(150);

CREATE FUNCTION column_of() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT format('$trigger.%s.%s',
	(ARRAY['new', 'new', 'old', 'new?', 'old?'])[1 + floor(random() * 5)::int],
	(ARRAY['i2', 'i4', 'i8', 'f4', 'f8', 'n', 'n10', 'b', 't', 'v', 'c', 'nm', 'u', 'd', 'ts', 'tz', 'm', 'o', 'dom', 'dm', 'j', 'a', 'p', 'by', 'gen'])
		[1 + floor(random() * 25)::int]) $$;
CREATE FUNCTION literal() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT (ARRAY['0', '1', '-1', '5', '7', '2.5', '0.1', '0.3', '0.30000000000000004', '3', '3.5',
	'9007199254740993', '9007199254740991', '9007199254740992', '16777217', '1e-40', '5e-324', '1.7976931348623157e308', '-1.7976931348623157e308', 'Infinity', 'NaN', 'null',
	'undefined', 'true', 'false', '""', '"a"', '"x"', '"m"', '"5"', '"paid"', '"é"', '"😀"', '"\uff5e"', '"ok"', '"it''s"', '"NaN"', '"Infinity"', '"b"',
	'"00000000-0000-0000-0000-00000000000a"', '"2024-02-29"', '"2024-01-01"', '"0001-01-01"', '"9999-12-31"', '"infinity"', '"2024-01-01T10:00:00"', '"2024-01-01T10:00:00.5"',
	'"2024-01-01T10:00:00+00:00"', '"2024-01-01T11:00:00+01:00"', '"x   "', '$trigger.op', '"UPDATE"', '$trigger.new', '1n'])[1 + floor(random() * 54)::int] $$;
CREATE FUNCTION literal_for(c text) RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT CASE
	WHEN random() < 0.25 THEN literal()
	WHEN c ~ '[.](i2|i4|i8|dom|gen)$' THEN (ARRAY['0', '1', '-1', '5', '7', '2.5', '9007199254740993', '9007199254740991', '9007199254740992', 'null', '2147483648'])[1 + floor(random() * 11)::int]
	WHEN c ~ '[.](f4|f8|n|n10)$' THEN (ARRAY['0', '0.1', '0.3', '0.30000000000000004', '3', '3.5', '9007199254740993', '16777217', '1e-40', '5e-324', '1.7976931348623157e308', '3e38',
		'1e300', '-5', '99999999.99'])[1 + floor(random() * 15)::int]
	WHEN c ~ '[.]b$' THEN (ARRAY['true', 'false', 'null'])[1 + floor(random() * 3)::int]
	WHEN c ~ '[.]d$' THEN (ARRAY['"2024-02-29"', '"2024-01-01"', '"0001-01-01"', '"9999-12-31"', '"infinity"', '"2024-06-31"'])[1 + floor(random() * 6)::int]
	WHEN c ~ '[.]tz?s?$' AND c !~ '[.]t$' THEN (ARRAY['"2024-01-01T10:00:00"', '"2024-01-01T10:00:00.5"', '"2024-01-01T10:00:00.123456"', '"2024-01-01T10:00:00+00:00"',
		'"2024-01-01T11:00:00+01:00"', '"2024-01-01T10:00:00.5+00:00"', '"infinity"'])[1 + floor(random() * 7)::int]
	WHEN c ~ '[.]u$' THEN '"00000000-0000-0000-0000-00000000000a"'
	ELSE (ARRAY['""', '"a"', '"x"', '"m"', '"5"', '"paid"', '"é"', '"😀"', '"\uff5e"', '"ok"', '"it''s"', '"z"', '"sad"', '"x   "', 'null'])[1 + floor(random() * 15)::int] END $$;
CREATE FUNCTION test_of() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	op text := (ARRAY['===', '!==', '==', '!=', '<', '<=', '>', '>='])[1 + floor(random() * 8)::int];
	c text := column_of();
BEGIN
	RETURN CASE floor(random() * 9)::int
		WHEN 0 THEN c
		WHEN 1 THEN format('[%s, %s, %s].includes(%s)', literal_for(c), literal_for(c), literal_for(c), c)
		WHEN 2 THEN format('%s %s %s', c, op, regexp_replace(c, 'new|old', CASE WHEN c ~ 'new' THEN 'old' ELSE 'new' END))
		WHEN 3 THEN format('%s %s %s', c, op, column_of())
		WHEN 4 THEN format('%s %s %s', literal_for(c), op, c)
		ELSE format('%s %s %s', c, op, literal_for(c)) END;
END
$$;
CREATE FUNCTION condition(depth int) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
BEGIN
	IF depth = 0 OR random() < 0.3 THEN
		RETURN test_of();
	END IF;
	RETURN CASE floor(random() * 6)::int
		WHEN 0 THEN format('!(%s)', condition(depth - 1))
		WHEN 1 THEN format('(%s || %s)', condition(depth - 1), condition(depth - 1))
		WHEN 2 THEN format('(%s ? %s : %s)', condition(depth - 1), condition(depth - 1), condition(depth - 1))
		WHEN 3 THEN format('(%s && String(%s).length > 3)', condition(depth - 1), column_of())
		ELSE format('(%s && %s)', condition(depth - 1), condition(depth - 1)) END;
END
$$;
-- null: the condition throws
CREATE FUNCTION truth(condition text, event text, new every, old every) RETURNS bool LANGUAGE plpgsql AS $$
BEGIN
	RETURN wf_eval('!!(' || condition || ')', jsonb_build_object('trigger', jsonb_build_object('op', event, 'schema', 'public', 'table', 'every',
		'new', CASE WHEN event <> 'DELETE' THEN to_jsonb(new) END, 'old', CASE WHEN event <> 'INSERT' THEN to_jsonb(old) END)))::bool;
EXCEPTION WHEN SQLSTATE 'WF008' THEN
	RETURN NULL;
END
$$;
CREATE TABLE problems (condition text, event text, new every, old every, sql text, exact bool, holds bool, passes bool);
CREATE TABLE counts (tried int, translated int, exact int, throws int, yes int, passed int);
CREATE FUNCTION try(rounds int, depth int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	source text; event text; clause text; exactly bool; new every; old every; holds bool; passes bool;
	n counts := (0, 0, 0, 0, 0, 0);
BEGIN
	FOR i IN 1 .. rounds LOOP
		source := condition(depth);
		event := (ARRAY['INSERT', 'UPDATE', 'UPDATE', 'UPDATE', 'DELETE'])[1 + floor(random() * 5)::int];
		SELECT * INTO clause, exactly FROM w('every', source, event);
		n.tried := n.tried + 1;
		n.translated := n.translated + (clause IS NOT NULL)::int;
		n.exact := n.exact + exactly::int;
		FOR k IN 1 .. 12 LOOP
			SELECT (r).* INTO new FROM rows WHERE rows.n = 1 + floor(random() * 150)::int AND event <> 'DELETE';
			SELECT (r).* INTO old FROM rows WHERE rows.n = 1 + floor(random() * 150)::int AND event <> 'INSERT';
			IF event = 'UPDATE' AND random() < 0.2 THEN
				old := new;
			END IF;
			holds := truth(source, event, new, old);
			EXECUTE 'SELECT ' || coalesce(regexp_replace(clause, '(NEW|OLD)\.', '(x.\1).', 'g'), 'true') ||
				' IS TRUE FROM (VALUES ($1, $2)) AS x(new, old)' INTO passes USING new, old;
			n.throws := n.throws + (holds IS NULL)::int;
			n.yes := n.yes + coalesce(holds, false)::int;
			n.passed := n.passed + passes::int;
			IF (holds AND NOT passes) OR (exactly AND passes IS DISTINCT FROM holds) THEN
				INSERT INTO problems VALUES (source, event, new, old, clause, exactly, holds, passes);
			END IF;
		END LOOP;
	END LOOP;
	INSERT INTO counts VALUES (n.*);
END
$$;
SELECT try(1200, 0);
SELECT try(500, 3);
SELECT event, condition, sql, exact, holds, passes, new, old FROM problems LIMIT 5;
SELECT count(*) FROM problems;
-- enough was tried for this to mean something
SELECT sum(tried) = 1700, sum(translated) * 3 > sum(tried), sum(exact) * 5 > sum(tried), sum(throws) * 2 < sum(tried) * 12, sum(passed) < sum(tried) * 10,
	sum(yes) > sum(tried) FROM counts;
