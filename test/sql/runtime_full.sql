-- settings.javascript: full in runs that wait: what such an expression reads is still there afterwards
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib

\set full '{"javascript": "full"}'
-- nodes by their names, an edge's condition, and a node that nobody names
SELECT save('[{"id": "a", "type": "set", "config": {"variables": {"v": 5}}}, {"id": "b", "name": "The b", "type": "set", "config": {"variables": {"v": 6}}}, {"id": "c", "type": "set", "config": {"variables": {"v": 7}}}, {"id": "d", "type": "set", "config": {"variables": {"v": 8}}},
	{"id": "w", "type": "delay", "config": {"duration": 0.05}}, {"id": "r", "type": "return", "config": {"value": "{{ (() => { return [$node.a.output.v, $node[''The b''].output.v] })() }}"}}]',
	'[{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "d"}, {"source": "d", "target": "w"}, {"source": "w", "target": "r", "condition": "(() => { return $node.c.output.v === 7 })()"}]', :'full');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- by a computed name, and by a text that is evaluated: all are kept
SELECT save('[{"id": "a", "type": "set", "config": {"variables": {"v": 5}}}, {"id": "b", "type": "set", "config": {"variables": {"v": 6}}},
	{"id": "w", "type": "delay", "config": {"duration": 0.05}}, {"id": "r", "type": "return", "config": {"value": ["{{ $node[$trigger.which].output.v }}", "{{ eval(''$node'').b.output.v }}"]}}]',
	'[{"source": "a", "target": "b"}, {"source": "b", "target": "w"}, {"source": "w", "target": "r"}]', :'full');
SELECT wf_start('go', '{"which": "a"}') AS id \gset
SELECT test.ends(:'id');
-- $items of a loop, after a wait within it
SELECT save('[{"id": "l", "type": "loop", "config": {"type": "foreach", "items": [1, 2]}}, {"id": "w", "type": "delay", "parent": "l", "config": {"duration": 0.02}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"n": "{{ eval(''$it'' + ''ems'').length * 10 + $item }}"}}}]',
	'[{"source": "w", "target": "s"}]', :'full');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- a compensation's input, long after
CREATE TABLE undone (v jsonb);
SELECT wf_save('undo', '{"nodes": [{"id": "u", "type": "db.create", "config": {"table": "undone", "values": {"v": "{{ $trigger }}"}}}]}');
SELECT save('[{"id": "a", "type": "set", "config": {"variables": {"v": 5}}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT 1 AS x"}, "compensate": {"workflow": "undo", "input": {"v": "{{ (() => { return $node.a.output.v + 1 })() }}"}}},
	{"id": "w", "type": "delay", "config": {"duration": 0.05}}, {"id": "f", "type": "fail", "config": {"message": "{{ (() => { return `no ${$node.a.output.v}` })() }}"}}]',
	'[{"source": "a", "target": "b"}, {"source": "b", "target": "w"}, {"source": "w", "target": "f"}]', :'full');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT v FROM undone;
SELECT * FROM test.clean();
