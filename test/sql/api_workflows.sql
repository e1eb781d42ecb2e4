-- What docs/sql.md says of defining: saves, versions, states, explanations.
CREATE EXTENSION workflow;
CREATE TABLE things (id int PRIMARY KEY, name text);

-- A save makes a version; the same again does not; nor does what differs in the order of keys only.
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"description": "first", "category": "c", "label": "l", "comment": "k"}');
SELECT wf_save('w', '{"nodes": [{"type": "noop", "id": "a"}]}', '{"label": "unheard"}');
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"activate": false}');
SELECT version, label, active, created_by = current_user AS mine, comment FROM wf_versions('w');
SELECT name, description, category, status, active_version, last_version, owner = current_user AS mine FROM wf_workflows;

-- Another search path makes another version: it means another thing.
SET search_path = pg_catalog, public;
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"activate": false}');
RESET search_path;
SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"activate": false}');

-- Which version runs.
CREATE VIEW last_step AS
	SELECT r.version, s.node FROM wf_runs AS r JOIN wf_steps AS s USING (run_id) ORDER BY r.run_id DESC LIMIT 1;
SELECT wf_run('w') ->> 'status'; TABLE last_step;
SELECT wf_run('w', '{}', '{"version": 2}') ->> 'status'; TABLE last_step;
SELECT wf_activate('w', 2);
SELECT wf_run('w') ->> 'status'; TABLE last_step;
SELECT wf_activate('w', 1);
SELECT wf_run('w') ->> 'status'; TABLE last_step;
SELECT wf_activate('w', 9);
SELECT wf_activate('w', NULL);
SELECT wf_activate('v', 1);
SELECT wf_run('w', '{}', '{"version": 9}');

-- States.
SELECT wf_set_status('w', 'paused');
\set VERBOSITY sqlstate
SELECT wf_run('w');
SELECT wf_call('w');
\set VERBOSITY default
SELECT wf_run('w', '{}', '{"version": 1}') ->> 'status';
SELECT wf_set_status('w', 'archived');
SELECT wf_run('w');
SELECT wf_set_status('w', 'activ');
SELECT wf_set_status('w', 'active');
SELECT wf_run('w') ->> 'status';
SELECT wf_save('dormant', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"activate": false}');
SELECT wf_set_status('dormant', 'active');
SELECT wf_run('dormant');

-- A deleted workflow's name is free, and its runs stay.
SELECT wf_delete('w');
SELECT wf_run('w');
SELECT wf_delete('w');
SELECT count(*) AS runs FROM wf_runs WHERE workflow = 'w';
SELECT wf_save('w', '{"nodes": [{"id": "new", "type": "noop"}]}');
SELECT wf_run('w') ->> 'status'; TABLE last_step;

-- What is refused leaves nothing.
SELECT wf_save('bad', '{"nodes": [{"id": "a", "type": "nop"}], "edges": [{"source": "a", "target": "c"}]}');
SELECT wf_save('', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"active": true}');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"activate": "yes"}');
SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}]}', '[]');
SELECT wf_save(NULL, '{"nodes": []}');
SELECT wf_save('w', NULL);
\set VERBOSITY terse
SELECT wf_versions('bad');
\set VERBOSITY default
SELECT name, last_version FROM wf_workflows ORDER BY name;

-- A table that is not there yet is a warning.
SELECT wf_save('later', '{"nodes": [{"id": "a", "type": "db.find", "config": {"table": "thing"}}]}');

-- Explanations.
SELECT wf_save('explained', '{
  "nodes": [
    {"id": "one", "type": "db.findOne", "config": {"table": "things", "where": {"id": "{{ $trigger.id }}"}}},
    {"id": "each", "type": "loop", "config": {"items": "{{ $trigger.list }}"}, "timeout": "5s"},
    {"id": "put", "type": "db.create", "parent": "each", "config": {"table": "things", "values": {"id": "{{ $item }}"}},
     "retry": {"maxAttempts": 3}},
    {"id": "gone", "type": "noop", "disabled": true}
  ],
  "edges": [
    {"source": "one", "target": "each", "condition": "$input.row !== null"},
    {"source": "one", "sourceHandle": "notFound", "target": "gone"}
  ],
  "settings": {"journal": "errors", "timeout": "1m"}
}');
SELECT * FROM wf_explain('explained');
SELECT count(*) > 0 AS has_plan FROM wf_explain('explained', 1, true) AS line WHERE line LIKE '%Index% Scan using things_pkey%';
SELECT * FROM wf_explain('explaind');
SELECT * FROM wf_explain('explained', 3);

-- Expressions by themselves, and their limits.
SELECT wf_eval('$input.a + 1', '{"input": {"a": 2}}'), wf_eval('a {{ $vars.b }} c', '{"vars": {"b": true}}');
SELECT wf_eval('$input.a +');
SELECT wf_eval('$input.a.b');
SELECT wf_eval('1', '[]');
\set VERBOSITY sqlstate
SET workflow.expression_time = '1ms';
SELECT wf_eval('$items.map(a => $items.map(b => $items.map(c => a * b * c)))',
	jsonb_build_object('items', (SELECT jsonb_agg(n) FROM generate_series(1, 300) AS n)));
RESET workflow.expression_time;
SET workflow.expression_memory = '64kB';
SELECT wf_eval('"x".repeat(100000).length');
RESET workflow.expression_memory;
\set VERBOSITY default

-- Limits of runs: nothing is left of them but the record.
SELECT wf_save('wide', '{"nodes": [
	{"id": "put", "type": "db.create", "config": {"table": "things", "values": {"id": 7}}},
	{"id": "a", "type": "db.query", "config": {"sql": "SELECT repeat(''x'', 40000) AS x", "outputFormat": "row"}},
	{"id": "b", "type": "db.query", "config": {"sql": "SELECT repeat(''y'', 40000) AS y", "outputFormat": "row"}}],
	"edges": [{"source": "put", "target": "a"}, {"source": "a", "target": "b"}]}');
SELECT wf_run('wide') ->> 'status'; DELETE FROM things;
SET workflow.max_context_size = '64kB';
SELECT wf_run('wide') -> 'error'; TABLE things;
RESET workflow.max_context_size;
SET workflow.max_journal_size = '64kB';
SELECT wf_run('wide') -> 'error'; TABLE things;
RESET workflow.max_journal_size;

-- Everything at once: errors in the graph keep nobody from hearing of those in expressions, nor of tables.
\x on
SELECT * FROM wf_validate('{
	"nodes": [
		{"id": "a", "type": "if", "config": {"condition": "$input.x +"}, "onEror": "fail"},
		{"id": "b", "type": "set", "config": {"variables": {"v": "{{ $node.aa.output }}", "w": "{{ window.x }}"}}},
		{"id": "c", "type": "db.find", "config": {"table": "thing"}},
		{"id": "d", "type": "db.delete", "config": {"table": "things"}},
		{"id": "e", "type": "db.update", "config": {"table": "things", "set": {"nam": "{{ 1 + }}"}, "where": {"id": 1}}},
		{"id": "f", "type": "db.creat"},
		{"id": "g", "type": "merge", "config": {"mode": "nOf", "n": 2}},
		{"id": "h", "type": "filter", "config": {"items": "$input.list", "condition": "true"}}
	],
	"edges": [
		{"source": "a", "sourceHandle": "tru", "target": "b"},
		{"source": "b", "target": "g", "condition": "$foo"},
		{"source": "c", "target": "g"},
		{"source": "x", "target": "c", "condition": "1 2"}
	],
	"settings": {"concurrencyKey": "$trigger.("}
}');
\x off
