-- The language of `where`, select, joins, order, groups and aggregates.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET TimeZone = 'UTC';
CREATE FUNCTION q(kind text, config jsonb, context jsonb DEFAULT '{}', note bool DEFAULT false) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C;
CREATE FUNCTION qexplain(kind text, config jsonb, plan bool DEFAULT false) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_query_explain' LANGUAGE C;
CREATE TABLE item (
	id int PRIMARY KEY, name text, qty int, price numeric(10,2), tags text[], span int4range, spans int4multirange,
	data jsonb, plain json, kind "char", at timestamptz
);
INSERT INTO item VALUES
	(1, 'apple', 5, 1.10, '{red,round}', '[1,5)', '{[1,5)}', '{"a": {"b": "x"}, "n": 3, "f": true, "l": [10, 20]}', '{"a": "x"}', 'f', '2024-01-01'),
	(2, 'Banana', 0, 2.20, '{yellow}', '[5,9)', '{[5,9)}', '{"a": {"b": "y"}, "n": "3", "f": false}', '{"a": "y"}', 'f', '2024-01-02'),
	(3, 'cherry', NULL, NULL, '{}', NULL, NULL, '{"a": null}', NULL, 'g', NULL),
	(4, NULL, 7, 4, NULL, '[0,100)', '{[0,3),[50,100)}', NULL, NULL, NULL, '2024-01-04');
-- the ids that a condition finds: from a constant, and from an expression in each place of a value
CREATE FUNCTION ids(condition jsonb, input jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(r ->> 'id', ',') FROM jsonb_array_elements(
		q('find', jsonb_build_object('table', 'item', 'select', '["id"]'::jsonb, 'where', condition, 'orderBy', 'id'),
			jsonb_build_object('input', input)) -> 'rows') r);
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ': ' || sqlerrm;
END $$;
-- the same test with its operand fixed, evaluated, and the whole condition evaluated
CREATE FUNCTION three(col text, op text, operand jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', 'is ' || coalesce(ids(jsonb_build_object(col, jsonb_build_object(op, operand))), '-'),
		coalesce(ids(jsonb_build_object(col, jsonb_build_object(op, '{{ $input.v }}')), jsonb_build_object('v', operand)), '-'),
		coalesce(ids('"{{ $input }}"', jsonb_build_object(col, jsonb_build_object(op, operand))), '-'))
$$;
SELECT op, operand, three('qty', op, operand) FROM (VALUES
	('eq', '5'::jsonb), ('eq', 'null'), ('ne', '5'), ('ne', 'null'), ('gt', '0'), ('gte', '0'), ('lt', '5'), ('lte', '5'), ('gt', 'null'),
	('in', '[5,7,null]'), ('in', '[]'), ('notIn', '[5,null]'), ('notIn', '[]'), ('in', '5'), ('in', 'null'), ('in', '["5"]'), ('in', '["x"]'),
	('between', '[0,5]'), ('between', '[5]'), ('between', '5'), ('isNull', 'true'), ('isNull', 'false'), ('isNull', '"x"'),
	('eq', '"5"'), ('eq', '1.5'), ('like', '"%5%"'), ('eqq', '1'), ('eq', '{"gte": 1}')) t(op, operand);
SELECT op, operand, three('name', op, operand) FROM (VALUES
	('eq', '"apple"'::jsonb), ('eq', '"''; drop table item; --"'), ('like', '"%an%"'), ('ilike', '"B%"'), ('matches', '"^[a-c]"'), ('contains', '"err"'),
	('in', '["apple", "cherry"]'), ('gt', '"b"'), ('like', 'null'), ('matches', '"("')) t(op, operand);
SELECT op, operand, three('tags', op, operand) FROM (VALUES
	('contains', '["red"]'::jsonb), ('contains', '"red"'), ('containedBy', '["red","round","yellow"]'), ('overlaps', '["yellow","red"]'),
	('eq', '["yellow"]'), ('in', '[["yellow"],[]]'), ('notIn', '[["yellow"]]'), ('contains', 'null'), ('isNull', 'true')) t(op, operand);
SELECT op, operand, three('span', op, operand) FROM (VALUES
	('contains', '2'::jsonb), ('contains', '"[2,4)"'), ('containedBy', '"[0,10]"'), ('overlaps', '"[4,6)"'), ('eq', '"[1,4]"'), ('contains', '"x"')) t(op, operand);
SELECT op, operand, three('spans', op, operand) FROM (VALUES
	('contains', '2'::jsonb), ('contains', '"[51,60)"'), ('overlaps', '"{[3,6)}"')) t(op, operand);
SELECT op, operand, three('data', op, operand) FROM (VALUES
	('contains', '{"a": {"b": "x"}}'::jsonb), ('eq', '{"a": null}'), ('isNull', 'true'), ('ne', 'null')) t(op, operand);
SELECT op, operand, three('data.a.b', op, operand) FROM (VALUES
	('eq', '"x"'::jsonb), ('ne', '"x"'), ('in', '["x","y"]'), ('eq', '5'), ('eq', 'null'), ('ne', 'null'), ('like', '"%"'), ('isNull', 'true'), ('eq', '[1]')) t(op, operand);
SELECT op, operand, three('data.n', op, operand) FROM (VALUES
	('eq', '3'::jsonb), ('eq', '3.0'), ('eq', '"3"'), ('gt', '2'), ('between', '[1,5]'), ('between', '["1","5"]'), ('in', '[3]'), ('in', '[3,"3"]'), ('eq', 'true')) t(op, operand);
SELECT op, operand, three('data.f', op, operand) FROM (VALUES ('eq', 'true'::jsonb), ('ne', 'true'), ('in', '[true]')) t(op, operand);
SELECT op, operand, three('data.l.1', op, operand) FROM (VALUES ('eq', '20'::jsonb), ('gt', '20')) t(op, operand);
SELECT op, operand, three('plain.a', op, operand) FROM (VALUES ('eq', '"x"'::jsonb), ('in', '["y"]')) t(op, operand);
SELECT op, operand, three('at', op, operand) FROM (VALUES ('gte', '"2024-01-02"'::jsonb), ('lt', '"2024-01-02T00:00:00Z"')) t(op, operand);
SELECT c, ids(c) FROM unnest('{
	"{\"or\": [{\"id\": 1}, {\"name\": \"cherry\"}]}", "{\"and\": [{\"id\": {\"gt\": 1}}, {\"id\": {\"lt\": 4}}], \"not\": {\"id\": 2}}",
	"{\"or\": []}", "{\"and\": []}", "{\"not\": {\"or\": []}}", "{\"id\": {\"gt\": 1, \"lt\": 4}}", "{\"item.id\": 2}", "{}",
	"{\"or\": {\"id\": 1}}", "{\"id\": [1]}", "{\"id\": {}}", "{\"data\": {\"a\": 1}}", "{\"nope\": 1}", "{\"item.nope\": 1}", "{\"qty.x\": 1}", "{\"\": 1}",
	"{\"id\": {\"$col\": \"qty\"}}", "{\"qty\": {\"gt\": {\"$col\": \"id\"}}}", "{\"qty\": {\"gt\": {\"$col\": \"idd\"}}}",
	"{\"id\": {\"$expr\": \"1 + $1\", \"params\": [2]}}", "{\"$expr\": \"qty > $1 OR id = $2\", \"params\": [6, 3]}"
}'::jsonb[]) c;
-- what expressions give is a value, never an operator; a whole condition from data has no $expr
SELECT ids('{"qty": "{{ $input.q }}"}', '{"q": {"gte": 0}}');
SELECT ids('{"name": "{{ $input.q }}"}', '{"q": {"$expr": "1"}}');
SELECT ids('"{{ $input }}"', '{"id": {"$expr": "1"}}');
SELECT ids('"{{ $input }}"', '{"$expr": "true"}');
SELECT ids('{"id": {"in": ["{{ $input.a }}", 3]}}', '{"a": 1}'), ids('{"id": {"between": ["{{ $input.a }}", "{{ $input.b }}"]}}', '{"a": 1, "b": 2}');
SELECT ids('{"name": "a{{ $input.x }}"}', '{"x": "pple"}');
-- select
SELECT q('find', '{"table": "item", "select": {"n": "name", "b": "data.a.b", "twice": {"$expr": "qty * $1", "params": [2]}}, "where": {"id": 1}}');
SELECT q('find', '{"table": "item", "select": ["id", "name", "data.a.b", "data.a"], "where": {"id": 1}}');
SELECT q('findOne', '{"table": "item", "as": "i", "select": "i.id", "where": {"i.qty": {"gt": 0}}, "orderBy": "price desc nulls last"}');
SELECT q('find', '{"table": "item", "select": ["id"], "orderBy": "{{ $input.o }}", "limit": "{{ $input.l }}", "offset": "{{ $input.f }}"}', j)
	FROM unnest('{"{\"input\": {\"o\": \"id desc\", \"l\": 2, \"f\": 1}}", "{\"input\": {\"o\": [\"id\"], \"l\": null, \"f\": null}}", "{\"input\": {\"o\": [{\"column\": \"qty\", \"direction\": \"DESC\", \"nulls\": \"last\"}, \"id\"], \"l\": \"2\"}}"}'::jsonb[]) j;
SELECT q('find', '{"table": "item", "orderBy": "id; drop table item"}');
SELECT q('find', '{"table": "item", "orderBy": "{{ $input }}"}', '{"input": "id desc, name"}');
SELECT q('find', '{"table": "item", "limit": -1}');
SELECT q('find', '{"table": "item", "limit": "{{ $input }}"}', '{"input": [1]}');
SELECT q('find', '{"table": "{{ $input }}"}', '{"input": "item; drop table item"}');
SELECT q('find', '{"table": "{{ $input }}", "select": ["id"], "limit": 1, "orderBy": ["id"]}', '{"input": "item"}');
SELECT q('find', '{"table": "item", "select": ["{{ $input }}"], "limit": 1}', '{"input": "id, name"}');
SELECT q('find', '{"table": "item", "lock": "skipLocked", "select": ["id"], "where": {"id": 1}}');
SELECT q('find', '{"table": "item", "lock": "forever"}');
-- joins
CREATE TABLE sale (id int PRIMARY KEY, item_id int, n int, "Odd.Name" text);
INSERT INTO sale VALUES (10, 1, 2, 'p'), (11, 1, 3, 'q'), (12, 2, 1, 'r'), (13, 99, 1, 's');
SELECT q('find', '{"table": "sale", "as": "s", "select": ["id", "i.name", "i.id", "\"Odd.Name\""], "joins": [{"table": "item", "as": "i", "on": {"s.item_id": "i.id"}}], "where": {"i.name": "apple"}, "orderBy": "id"}');
SELECT q('find', '{"table": "sale", "as": "s", "select": {"sale": "s.id", "item": "i.id"}, "joins": [{"type": "left", "table": "item", "as": "i", "on": {"s.item_id": {"$col": "i.id"}, "i.qty": {"gt": "{{ $input.q }}"}}}], "orderBy": ["s.id"]}', '{"input": {"q": 1}}');
SELECT q('find', '{"table": "sale", "as": "s", "select": ["s.id", "i.name"], "joins": [{"table": "item", "as": "i", "on": {"s.item_id": {"$col": "i.id"}, "i.name": "apple"}}], "orderBy": ["s.id"]}');
SELECT q('findOne', '{"table": "sale", "joins": [{"table": "item", "on": {"item_id": "item.id"}}], "where": {"sale.id": 10}}');
SELECT q('find', '{"table": "sale", "joins": [{"table": "sale", "on": {"id": "id"}}]}');
SELECT q('find', '{"table": "sale", "joins": [{"table": "item", "on": {}}]}');
SELECT q('find', '{"table": "sale", "joins": [{"type": "outer", "table": "item", "on": {"id": "item.id"}}]}');
SELECT q('find', '{"table": "sale", "as": "s", "joins": [{"table": "item", "as": "i", "on": {"s.item": "i.id"}}]}');
-- groups and aggregates
SELECT q('aggregate', '{"table": "sale", "groupBy": ["item_id"], "aggregates": {"n": {"fn": "count"}, "sum": {"fn": "sum", "column": "n"}, "big": {"fn": "count", "filter": {"n": {"gte": "{{ $input.m }}"}}}}, "having": {"sum": {"gt": "{{ $input.m }}"}}, "orderBy": ["sum desc", "item_id"], "limit": 2}', '{"input": {"m": 1}}');
SELECT q('aggregate', '{"table": "item", "aggregates": {"avg": {"fn": "avg", "column": "price"}, "names": {"fn": "array_agg", "column": "name"}, "kinds": {"fn": "count", "column": "kind", "distinct": true}, "any": {"fn": "bool_or", "column": "data.f"}, "n": {"fn": "max", "column": "data.n"}, "all": {"fn": "pg_catalog.count"}}}');
SELECT q('aggregate', '{"table": "item", "aggregates": {"avg": {"fn": "avg", "column": "price"}, "names": {"fn": "array_agg", "column": "name"}, "kinds": {"fn": "count", "column": "kind", "distinct": true}}, "orderBy": "avg", "having": {"kinds": {"in": [1, 2]}}}');
SELECT q('aggregate', '{"table": "item", "aggregates": {"n": {"fn": "lower", "column": "name"}}}');
SELECT q('aggregate', '{"table": "item", "aggregates": {"n": {"fn": "summ", "column": "qty"}}}');
SELECT q('aggregate', '{"table": "item", "aggregates": {"n": {"fn": "{{ $input }}", "column": "qty"}}}', '{"input": "count(*); drop table item; select max"}');
SELECT q('find', '{"table": "sale", "groupBy": ["item_id"], "having": {"item_id": {"lt": 50}}, "orderBy": "item_id"}');
-- texts
SELECT qexplain('find', '{"table": "item", "where": {"id": "{{ $input.id }}", "data.a.b": "x{{ $input.s }}", "tags": {"contains": "red"}, "qty": {"in": "{{ $input.l }}"}}, "orderBy": "at desc", "limit": 3}');
SELECT qexplain('find', '{"table": "{{ $input.t }}"}');
SET enable_seqscan = off;
SELECT qexplain('findOne', '{"table": "item", "select": ["id"], "where": {"id": "{{ $input.id }}"}}', true) LIKE '%Index%item_pkey%';
