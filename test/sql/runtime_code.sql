-- code in runs that wait: before and after, by workers, with what earlier segments left
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
CREATE TABLE effects (v text, xid xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION edges(VARIADIC ids text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_agg(jsonb_build_object('source', ids[i], 'target', ids[i + 1])) FROM generate_series(1, cardinality(ids) - 1) i $$;

-- a delay and an event between pieces of code; each reads what came before, through $node, and logs
SELECT save('[{"id": "first", "type": "code", "config": {"source": "console.log(\"first\", $trigger.n); return {n: $trigger.n + 1, at: $now.toISOString(), list: [1, 2, 3]}"}},
	{"id": "put", "type": "db.create", "config": {"table": "effects", "values": {"v": "{{ $node.first.output.n }}"}}},
	{"id": "wait", "type": "delay", "config": {"duration": 0.05}},
	{"id": "second", "type": "code", "config": {"source": "console.log(\"second\"); return {later: $now > new Date($node.first.output.at), n: $node.first.output.n * 10, v: $node.put.output.row.v}"}},
	{"id": "event", "type": "waitForEvent", "config": {"event": "go on", "correlation": "{{ $node.second.output.n }}"}},
	{"id": "third", "type": "code", "config": {"source": "const {first, second, event} = $node; return {sum: first.output.list.reduce((a, b) => a + b, second.output.n), more: event.output.payload.more, later: second.output.later, v: second.output.v, node: Object.keys($node).length}"}},
	{"id": "end", "type": "db.create", "config": {"table": "effects", "values": {"v": "{{ $input.sum + $input.more }}"}}},
	{"id": "r", "type": "return", "config": {"value": "{{ $node.third.output }}"}}]', edges('first', 'put', 'wait', 'second', 'event', 'third', 'end', 'r'));
SELECT wf_start('go', '{"n": 4}') AS id \gset
SELECT test.stands(:'id', 'event');
SELECT wf_emit('go on', '{"more": 7}', '50');
SELECT test.ends(:'id');
SELECT node, segment, log FROM wf_steps WHERE run_id = :'id' AND type = 'code' ORDER BY seq;
SELECT string_agg(v, ' ' ORDER BY xid), count(DISTINCT xid) FROM effects;
-- begun by wf_run, carried on by a worker
SELECT wf_run('go', '{"n": 5}')->>'run_id' AS id \gset
SELECT test.stands(:'id', 'event');
SELECT wf_emit('go on', '{"more": 8}', '60');
SELECT test.ends(:'id');

-- a failure after the wait undoes its own segment alone; what was committed is compensated
TRUNCATE effects;
SELECT save('[{"id": "put", "type": "db.create", "config": {"table": "effects", "values": {"v": "kept until undone"}}, "compensate": {"node": "undo"}},
	{"id": "undo", "type": "db.delete", "config": {"table": "effects", "where": {"v": "{{ $node.put.output.row.v }}"}}},
	{"id": "wait", "type": "delay", "config": {"duration": 0.02}},
	{"id": "gone", "type": "db.create", "config": {"table": "effects", "values": {"v": "gone"}}},
	{"id": "bad", "type": "code", "config": {"source": "console.log(\"about to\"); throw new Error(`after ${$node.put.output.row.v}`)"}, "onError": "compensate"}]',
	edges('put', 'wait', 'gone', 'bad'));
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT test.steps(:'id');
SELECT log FROM wf_steps WHERE run_id = :'id' AND node = 'bad';
SELECT count(*) FROM effects;

-- a retry that waits: each attempt is a segment of its own, of the same seed, with another clock
SELECT save('[{"id": "c", "type": "code", "config": {"source": "console.log(Math.random(), $now.getTime()); throw new Error(\"again\")"}, "retry": {"maxAttempts": 3, "initialDelay": 0.02}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT count(*), count(DISTINCT split_part(log[1], ' ', 1)) AS seeds, count(DISTINCT split_part(log[1], ' ', 2)) AS clocks FROM wf_steps WHERE run_id = :'id';

-- mended: a run that waits goes on with the source of another version
SELECT save('[{"id": "a", "type": "code", "config": {"source": "return {n: 1}"}}, {"id": "w", "type": "waitForEvent", "config": {"event": "mended"}}, {"id": "c", "type": "code", "config": {"source": "return $node.a.output.n.x.y"}}]', edges('a', 'w', 'c'));
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT save('[{"id": "a", "type": "code", "config": {"source": "return {n: 1}"}}, {"id": "w", "type": "waitForEvent", "config": {"event": "mended"}}, {"id": "c", "type": "code", "config": {"source": "return $node.a.output.n + 1"}}]', edges('a', 'w', 'c')) AS version \gset
SELECT wf_migrate(:'id', :version);
SELECT wf_emit('mended');
SELECT test.ends(:'id');

-- what never ends: its worker is free again at the limit of time, and at the time-out of the node
SELECT save('[{"id": "c", "type": "code", "config": {"source": "for (;;) ;", "limits": {"time": "100ms"}}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "c", "type": "code", "config": {"source": "for (;;) ;"}, "timeout": "100ms", "onError": "continue", "onErrorValue": "{{ $error.code }}"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- many at once, each with its own
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "mode": "workers"}}, {"id": "c", "type": "code", "parent": "l", "config": {"source": "return $item * $trigger.n"}}, {"id": "s", "type": "code", "config": {"source": "return $input.results.map(x => x.value)"}}]', edges('l', 's'));
SELECT array_agg(id) AS ids FROM wf_start_many('go', ARRAY(SELECT jsonb_build_object('n', i) FROM generate_series(1, 20) i)) id \gset
SELECT count(DISTINCT e->'output'), bool_and(e->>'status' = 'completed'), sum((e#>>'{output,value,2}')::int) FROM (SELECT wf_await(id) AS e FROM unnest(:'ids'::uuid[]) id OFFSET 0) r;
SELECT * FROM test.clean();
