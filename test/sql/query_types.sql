-- Values of every kind of type go in as JSON and come out as to_jsonb gives them.
\set VERBOSITY terse
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET search_path = public, pg_catalog;
CREATE FUNCTION q(kind text, config jsonb, context jsonb DEFAULT '{}', note bool DEFAULT false) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE DOMAIN tags AS text[] CHECK (cardinality(VALUE) < 4);
CREATE DOMAIN code AS varchar(3);
CREATE DOMAIN filled AS text NOT NULL;
CREATE TYPE point3 AS (x int, y numeric(6,2), label varchar(4));
CREATE TYPE line3 AS (a point3, b point3, marks int[], odd positive);
CREATE TYPE span AS RANGE (subtype = text);

CREATE TABLE every (
	id int PRIMARY KEY,
	c_int2 int2, c_int4 int4, c_int8 int8, c_float4 float4, c_float8 float8,
	c_numeric numeric, c_numeric38 numeric(38,10), c_money money,
	c_bool bool, c_text text, c_varchar varchar(5), c_char char(4), c_name name, c_qchar "char",
	c_date date, c_time time, c_timetz timetz, c_ts timestamp, c_tstz timestamptz, c_interval interval,
	c_uuid uuid, c_bytea bytea, c_bit bit(3), c_varbit varbit, c_inet inet, c_cidr cidr, c_mac macaddr,
	c_json json, c_jsonb jsonb, c_xml text, c_point point, c_oid oid, c_regclass regclass, c_tsv tsvector,
	c_mood mood, c_positive positive, c_tags tags, c_code code,
	c_ints int[], c_texts text[], c_matrix int[][], c_jsons jsonb[], c_moods mood[], c_positives positive[],
	c_point3 point3, c_line3 line3, c_point3s point3[],
	c_int4range int4range, c_tstzrange tstzrange, c_nummulti nummultirange, c_span span
);

-- one column at a time: what was sent, what came back, and what to_jsonb says of the stored value
CREATE FUNCTION trip(col text, value jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	out jsonb;
	stored jsonb;
	found jsonb;
BEGIN
	DELETE FROM every;
	out := q('create', jsonb_build_object('table', 'every', 'values', jsonb_build_object('id', 1, col, '{{ $input.v }}')),
		jsonb_build_object('input', jsonb_build_object('v', value)));
	EXECUTE format('SELECT to_jsonb(%I) FROM every', col) INTO stored;
	found := q('findOne', jsonb_build_object('table', 'every', 'select', jsonb_build_array(col), 'where', '{"id":1}'::jsonb));
	RETURN format('%s <- %s%s', out -> 'row' -> col, value,
		CASE WHEN coalesce(stored, 'null') IS DISTINCT FROM out -> 'row' -> col OR coalesce(stored, 'null') IS DISTINCT FROM found -> 'row' -> col
			THEN format(' BUT %s, %s', stored, found) END);
EXCEPTION WHEN OTHERS THEN
	RETURN format('%s: %s <- %s', sqlstate, sqlerrm, value);
END $$;

SELECT trip('c_int2', v) FROM (VALUES ('1'::jsonb), ('-32768'), ('32768'), ('1.5'), ('"7"'), ('"x"'), ('true'), ('null'), ('3.0'), ('[1]')) x(v);
SELECT trip('c_int4', v) FROM (VALUES ('2147483647'::jsonb), ('2147483648'), ('-1'), ('1e3'), ('{}')) x(v);
SELECT trip('c_int8', v) FROM (VALUES ('9007199254740993'::jsonb), ('9223372036854775807'), ('9223372036854775808'), ('"9223372036854775807"')) x(v);
SELECT trip('c_float4', v) FROM (VALUES ('1.1'::jsonb), ('"NaN"'), ('"-Infinity"'), ('1e39')) x(v);
SELECT trip('c_float8', v) FROM (VALUES ('0.1'::jsonb), ('"NaN"'), ('"Infinity"'), ('123456789.123456789')) x(v);
SELECT trip('c_numeric', v) FROM (VALUES ('1.50'::jsonb), ('123456789012345678901234567890.123456789'), ('"NaN"'), ('"Infinity"'), ('"1.10"')) x(v);
SELECT trip('c_numeric38', v) FROM (VALUES ('1234567890123456789012345678.0123456789'::jsonb), ('0.00000000005'), ('1e28')) x(v);
SELECT trip('c_money', v) FROM (VALUES ('"$12.50"'::jsonb), ('12.5')) x(v);
SELECT trip('c_bool', v) FROM (VALUES ('true'::jsonb), ('"off"'), ('1'), ('"maybe"')) x(v);
SELECT trip('c_text', v) FROM (VALUES ('"a"'::jsonb), ('""'), ('5'), ('1.50'), ('true'), ('{"a":1}'), ('[1, 2]'), ('null'), ('"''; drop table every; --"'), ('"\u00e9\u4e16"')) x(v);
SELECT trip('c_varchar', v) FROM (VALUES ('"abcde"'::jsonb), ('"abcdef"'), ('"abcde  "')) x(v);
SELECT trip('c_char', v) FROM (VALUES ('"ab"'::jsonb), ('"abcde"')) x(v);
SELECT trip('c_name', '"abc"');
SELECT trip('c_qchar', '"a"');
SELECT trip('c_date', v) FROM (VALUES ('"2024-02-29"'::jsonb), ('"2024-02-30"'), ('"infinity"'), ('"2024-02-29T10:00:00Z"')) x(v);
SELECT trip('c_time', '"10:11:12.5"');
SELECT trip('c_timetz', '"10:11:12+02"');
SELECT trip('c_ts', v) FROM (VALUES ('"2024-02-29 10:00"'::jsonb), ('"-infinity"')) x(v);
SELECT trip('c_tstz', v) FROM (VALUES ('"2024-02-29T10:00:00.123456+02:00"'::jsonb), ('"infinity"'), ('5')) x(v);
SELECT trip('c_interval', v) FROM (VALUES ('"1 day 2 hours"'::jsonb), ('"P1Y2M"')) x(v);
SELECT trip('c_uuid', v) FROM (VALUES ('"A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"'::jsonb), ('"x"')) x(v);
SELECT trip('c_bytea', v) FROM (VALUES ('"\\xdeadbeef"'::jsonb), ('"abc"')) x(v);
SELECT trip('c_bit', v) FROM (VALUES ('"101"'::jsonb), ('"1"')) x(v);
SELECT trip('c_varbit', '"10101"');
SELECT trip('c_inet', '"10.0.0.1/8"');
SELECT trip('c_cidr', '"10.0.0.0/8"');
SELECT trip('c_mac', '"08:00:2b:01:02:03"');
SELECT trip('c_json', v) FROM (VALUES ('{"b":1,"a":[null]}'::jsonb), ('"x"'), ('5'), ('null')) x(v);
SELECT trip('c_jsonb', v) FROM (VALUES ('{"b":1,"a":[null]}'::jsonb), ('"x"'), ('5'), ('true'), ('null'), ('{"$expr":"1"}'), ('[]')) x(v);
SELECT trip('c_point', '"(1,2)"');
SELECT trip('c_oid', '4294967295');
SELECT trip('c_regclass', '"every"');
SELECT trip('c_tsv', '"fat cat"');
SELECT trip('c_mood', v) FROM (VALUES ('"ok"'::jsonb), ('"angry"'), ('1')) x(v);
SELECT trip('c_positive', v) FROM (VALUES ('1'::jsonb), ('0'), ('null')) x(v);
SELECT trip('c_tags', v) FROM (VALUES ('["a","b"]'::jsonb), ('["a","b","c","d"]'), ('[]')) x(v);
SELECT trip('c_code', v) FROM (VALUES ('"abc"'::jsonb), ('"abcd"')) x(v);
SELECT trip('c_ints', v) FROM (VALUES ('[1,2,null]'::jsonb), ('[]'), ('"{1,2}"'), ('[1,"x"]'), ('5'), ('[3.0]')) x(v);
SELECT trip('c_texts', '["a","b c","\"q\"",null,"{}"]');
SELECT trip('c_matrix', v) FROM (VALUES ('[[1,2],[3,4]]'::jsonb), ('[[1],[2,3]]'), ('[[1],2]'), ('[[[[[[[1]]]]]]]'), ('[[],[]]')) x(v);
SELECT trip('c_jsons', '[{"a":1},[1],"x",2]');
SELECT trip('c_moods', v) FROM (VALUES ('["ok","sad"]'::jsonb), ('["no"]')) x(v);
SELECT trip('c_positives', v) FROM (VALUES ('[1,2]'::jsonb), ('[1,0]')) x(v);
SELECT trip('c_point3', v) FROM (VALUES ('{"x":1,"y":2.345,"label":"ab"}'::jsonb), ('{"x":1}'), ('{"z":1}'), ('"(1,2,c)"'), ('{"label":"abcde"}'), ('[1]')) x(v);
SELECT trip('c_line3', v) FROM (VALUES ('{"a":{"x":1},"b":{"y":"2"},"marks":[[1],[2]],"odd":3}'::jsonb), ('{"odd":-3}')) x(v);
SELECT trip('c_point3s', '[{"x":1},{"x":2,"label":"q"}]');
SELECT trip('c_int4range', v) FROM (VALUES ('"[1,5]"'::jsonb), ('"empty"'), ('"(,3)"'), ('"[5,1]"')) x(v);
SELECT trip('c_tstzrange', '"[2024-01-01,2024-02-01)"');
SELECT trip('c_nummulti', '"{[1,2),[3,4)}"');
SELECT trip('c_span', '"[a,\"b c\"]"');
