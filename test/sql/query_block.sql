-- The db.* blocks and registered blocks within runs.
\set VERBOSITY terse
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE TABLE item (id int PRIMARY KEY, name text, qty int);
INSERT INTO item VALUES (1, 'one', 1), (2, 'two', 2);
-- schemas are schemas, and each says what it requires
SELECT type, config_schema -> 'required', config_schema -> 'oneOf' FROM wf_blocks() WHERE category = 'database' ORDER BY type COLLATE "C";
SELECT type FROM wf_blocks() WHERE category = 'database' AND jsonb_typeof(config_schema) IS DISTINCT FROM 'object';
-- what is wrong is said when saving, with the place
SELECT code, node, path, message, hint FROM wf_validate('{"nodes": [
	{"id": "a", "type": "db.find", "config": {"tabel": "item"}},
	{"id": "b", "type": "db.update", "config": {"table": "item", "set": {"qty": 1}, "where": {}}},
	{"id": "c", "type": "db.query", "config": {"sql": "SELECT {{ $input }}"}},
	{"id": "d", "type": "db.call", "config": {"function": "f", "procedure": "p"}},
	{"id": "e", "type": "db.bulkUpdate", "config": {"table": "item", "items": []}}
]}') ORDER BY node, path, message;
SELECT severity, code, node, path, message, hint FROM wf_validate('{"nodes": [
	{"id": "a", "type": "db.find", "config": {"table": "itm", "where": {"nmae": "{{ $input.x }}"}}},
	{"id": "b", "type": "db.update", "config": {"table": "item", "set": {"qtty": 1}, "where": {"id": {"equal": 1}}}},
	{"id": "c", "type": "db.query", "config": {"sql": "SELECT nope FROM item"}}
]}') ORDER BY node, path;
SELECT severity, code, node, path, message, hint FROM wf_validate('{"nodes": [
	{"id": "a", "type": "db.find", "config": {"table": "itm", "where": {"nmae": "{{ $input.x }}"}}},
	{"id": "b", "type": "db.update", "config": {"table": "item", "set": {"qtty": 1}, "where": {"id": 1}}},
	{"id": "c", "type": "db.query", "config": {"sql": "SELECT nope FROM item"}}
]}') ORDER BY node, path;
-- notFound is a port when it is wired
SELECT wf_save('wired', '{"nodes": [
	{"id": "find", "type": "db.findOne", "config": {"table": "item", "where": {"id": "{{ $input.id }}"}}},
	{"id": "yes", "type": "return", "config": {"value": "{{ $input.row.name }}"}},
	{"id": "no", "type": "return", "config": {"value": "none"}}],
	"edges": [{"source": "find", "target": "yes"}, {"source": "find", "sourceHandle": "notFound", "target": "no"}]}');
SELECT wf_call('wired', '{"id": 2}'), wf_call('wired', '{"id": 3}');
SELECT wf_save('unwired', '{"nodes": [{"id": "find", "type": "db.findOne", "config": {"table": "item", "where": {"id": "{{ $input.id }}"}}}]}');
SELECT wf_call('unwired', '{"id": 2}'), wf_call('unwired', '{"id": 3}');
-- a failing statement keeps its SQLSTATE; a handled one leaves nothing behind
SELECT wf_save('fails', '{"nodes": [
	{"id": "ok", "type": "db.create", "config": {"table": "item", "values": {"id": 10, "name": "kept?"}}},
	{"id": "bad", "type": "db.create", "config": {"table": "item", "values": {"id": "{{ $trigger.id }}"}}}],
	"edges": [{"source": "ok", "target": "bad"}]}');
SELECT r ->> 'status', r -> 'error' ->> 'code', r -> 'error' ->> 'message', r -> 'error' ->> 'node' FROM wf_run('fails', '{"id": 1}') r;
SELECT r ->> 'status', r -> 'error' ->> 'code', r -> 'error' ->> 'message' FROM wf_run('fails', '{"id": "x"}') r;
SELECT count(*) FROM item WHERE id = 10;
SELECT wf_save('handled', '{"nodes": [
	{"id": "bad", "type": "db.query", "config": {"sql": "WITH x AS (INSERT INTO item VALUES (20, $1, 1) RETURNING id) SELECT id / 0 FROM x", "params": ["n"]}},
	{"id": "after", "type": "db.aggregate", "config": {"table": "item", "aggregates": {"n": {"fn": "count"}}}}],
	"edges": [{"source": "bad", "sourceHandle": "error", "target": "after"}]}');
SELECT wf_call('handled');
-- a dry run shows what was written and undoes it
SELECT s ->> 'node', s -> 'wrote' FROM jsonb_array_elements(wf_dry_run('fails', '{"id": 11}') -> 'steps') s;
SELECT count(*) FROM item;
-- the version's search_path holds, whoever calls from wherever
CREATE SCHEMA other;
CREATE TABLE other.item (id int, name text, qty int);
SET search_path = other, public;
SELECT wf_call('unwired', '{"id": 2}');
RESET search_path;
-- blocks of one's own
CREATE FUNCTION grade(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT CASE WHEN (input ->> 'qty')::int >= (config ->> 'least')::int
		THEN '{"$port": "good", "output": {"grade": "A"}}'::jsonb ELSE '{"$port": "bad"}' END $$;
CREATE FUNCTION plain(config jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO item VALUES ((config ->> 'id')::int, 'by block', 0);
	RETURN CASE config ->> 'give' WHEN 'none' THEN NULL WHEN 'list' THEN '[1, 2]' WHEN 'port' THEN '{"$port": "nowhere"}' ELSE '{"x": 1}' END;
END $$;
SELECT wf_register_block('acme.grade', 'grade(jsonb, jsonb)', '{"type": "object", "properties": {"least": {"type": "integer"}}, "required": ["least"], "additionalProperties": false}', '{good,bad}');
SELECT wf_register_block('acme.plain', 'plain(jsonb, jsonb)', '{}', '{out}');
SELECT wf_save('custom', '{"nodes": [
	{"id": "g", "type": "acme.grade", "config": {"least": "{{ $vars.least }}"}},
	{"id": "good", "type": "return", "config": {"value": "{{ $input }}"}},
	{"id": "bad", "type": "return", "config": {"value": {"grade": "F", "was": "{{ $input }}"}}}],
	"edges": [{"source": "g", "sourceHandle": "good", "target": "good"}, {"source": "g", "sourceHandle": "bad", "target": "bad"}],
	"variables": [{"name": "least", "type": "number", "default": 5}]}');
SELECT wf_call('custom', '{"qty": 7}'), wf_call('custom', '{"qty": 3}');
SELECT code, path, message FROM wf_validate('{"nodes": [{"id": "g", "type": "acme.grade", "config": {"lest": 1}}]}');
SELECT wf_save('plain', '{"nodes": [{"id": "p", "type": "acme.plain", "config": {"id": "{{ $input.id }}", "give": "{{ $input.give }}"}}]}');
SELECT wf_call('plain', jsonb_build_object('id', 100 + n, 'give', g)) FROM unnest('{object,none,list}'::text[]) WITH ORDINALITY x (g, n);
SELECT wf_call('plain', '{"id": 110, "give": "port"}');
SELECT wf_call('plain', '{"id": 101}');
SELECT count(*) FROM item WHERE name = 'by block';
DROP FUNCTION plain;
SELECT r ->> 'status', r -> 'error' ->> 'code' FROM wf_run('plain', '{"id": 120}') r;
