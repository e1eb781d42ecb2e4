-- runs that wait for time and events
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib

-- a delay: what is before it is committed, what is after it is another transaction
CREATE TABLE effects (node text, xid xid8 DEFAULT pg_current_xact_id(), by name DEFAULT current_user, at timestamptz DEFAULT clock_timestamp());
SELECT save('[{"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"node": "a"}}},
	{"id": "w", "type": "delay", "config": {"duration": 0.05}},
	{"id": "b", "type": "db.create", "config": {"table": "effects", "values": {"node": "b {{ $node.a.output.row.node }}"}}}]',
	'[{"source": "a", "target": "w"}, {"source": "w", "target": "b"}]');
SELECT wf_run('go', '{"k": 1}') AS r \gset
SELECT :'r'::jsonb->>'run_id' AS id \gset
SELECT :'r'::jsonb->>'status';
SELECT test.ends(:'id') ~ '^completed {"row": {"at": .*"node": "b a"';
SELECT test.steps(:'id');
SELECT count(*), count(DISTINCT xid), max(at) - min(at) >= '50 ms' FROM effects;
SELECT status, version, trigger, input, started_by, queued_at = started_at, wake_at, current_nodes, attempt FROM wf_runs WHERE run_id = :'id';
SELECT segment, status, steps FROM wf_segments WHERE run_id = :'id' ORDER BY 1;
-- times that have passed do not suspend; a rollback leaves no trace
SELECT save('[{"id": "d", "type": "delay", "config": {"duration": 0}}, {"id": "t", "type": "waitUntil", "config": {"time": "2001-01-01"}}]', '[{"source": "d", "target": "t"}]');
SELECT wf_run('go')->>'status';
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": "1 h"}}]');
BEGIN;
SELECT wf_run('go')->>'status';
SELECT count(*) FROM wf_start('go');
ROLLBACK;
SELECT * FROM test.clean();
-- what other nodes are ready goes on meanwhile, and a join waits for all
SELECT save('[{"id": "a", "type": "noop"}, {"id": "w1", "type": "delay", "config": {"duration": 0.05}}, {"id": "w2", "type": "delay", "config": {"duration": 0.03}}, {"id": "b", "type": "set", "config": {"variables": {"b": 1}}}, {"id": "j", "type": "return", "config": {"value": "{{ Object.keys($input).join() + $vars.b }}"}}]',
	'[{"source": "a", "target": "w1"}, {"source": "a", "target": "w2"}, {"source": "a", "target": "b"}, {"source": "w1", "target": "j"}, {"source": "w2", "target": "j"}, {"source": "b", "target": "j"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT test.steps(:'id');

-- events: by correlation, by signal, in a loop, with a time-out
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "paid", "correlation": "{{ $trigger.order }}", "timeout": "1 h"}}, {"id": "late", "type": "noop"}, {"id": "r", "type": "return", "config": {"value": "{{ $node.e.output.payload.n }}"}}]',
	'[{"source": "e", "target": "r"}, {"source": "e", "sourceHandle": "timeout", "target": "late"}]');
SELECT wf_start('go', '{"order": 7}') AS id \gset
SELECT wf_start('go', '{"order": 8}') AS id8 \gset
SELECT test.stands(:'id', 'e'), test.stands(:'id8', 'e');
SELECT wf_emit('other', '{"n": 0}', '7'), wf_emit('paid', '{"n": 0}', '9'), wf_emit('paid', '{"n": 1}', '7');
SELECT test.ends(:'id');
SELECT status FROM wf_runs WHERE run_id = :'id8';
SELECT wf_signal(:'id8', 'nothing', '{}'), wf_signal(:'id8', 'paid', '{"n": 2}');
SELECT test.ends(:'id8');
-- ended and unknown runs take no signals
SELECT wf_signal(:'id8', 'paid'), wf_signal('01a00000-0000-7000-8000-000000000000', 'paid');
-- an event that comes before its waiter is not lost
SELECT wf_emit('paid', '{"n": 3}', '10');
SELECT wf_start('go', '{"order": 10}') AS id \gset
SELECT test.ends(:'id');
-- nor is a signal: it is kept until the run asks; one for each wait, in their order
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": 0.05}}, {"id": "e", "type": "waitForEvent", "config": {"event": "s"}}, {"id": "v", "type": "set", "config": {"variables": {"all": "{{ ($vars.all ?? '''') + $input.payload }}"}}}, {"id": "r", "type": "return", "config": {"value": "{{ $vars.all }}"}}]',
	'[{"source": "w", "target": "e"}, {"source": "e", "target": "v"}, {"source": "v", "target": "e", "condition": "$vars.all.length < 3"}, {"source": "v", "target": "r", "condition": "$vars.all.length >= 3"}]');
SELECT wf_start('go') AS id \gset
SELECT wf_signal(:'id', 's', '"a"'), wf_signal(:'id', 's', '"b"');
SELECT test.stands(:'id', 'e');
SELECT wf_signal(:'id', 's', '"c"');
SELECT test.ends(:'id');
-- the time-out's port
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "never", "timeout": 0.03}}, {"id": "late", "type": "noop"}]', '[{"source": "e", "sourceHandle": "timeout", "target": "late"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "never", "timeout": 0.03}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- the run's own time-out, and the node's, and a container's
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": "1 h"}}]', '[]', '{"timeout": "40 ms"}');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": "1 h"}, "timeout": "40 ms", "onError": "continue", "onErrorValue": "{{ $error.code }}"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "timeout": 0.05}}, {"id": "w", "type": "delay", "parent": "p", "branch": "x", "config": {"duration": "1 h"}}, {"id": "n", "type": "noop", "parent": "p", "branch": "y"}, {"id": "t", "type": "return", "config": {"value": "{{ [$input.branches.x.status, $input.branches.y.status] }}"}}]', '[{"source": "p", "sourceHandle": "timeout", "target": "t"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');

-- containers: a loop that waits in each round, a parallel of which the first counts, try around a wait
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3]}}, {"id": "w", "type": "delay", "parent": "l", "config": {"duration": 0.01}}, {"id": "v", "type": "set", "parent": "l", "config": {"variables": {"sum": "{{ ($vars.sum ?? 0) + $item }}"}}}, {"id": "r", "type": "return", "config": {"value": "{{ [$vars.sum, $node.l.output.count, $node.l.output.results.length] }}"}}]', '[{"source": "w", "target": "v"}, {"source": "l", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "waitMode": "first"}}, {"id": "e", "type": "waitForEvent", "parent": "p", "branch": "x", "config": {"event": "never"}}, {"id": "w", "type": "delay", "parent": "p", "branch": "y", "config": {"duration": 0.02}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id') ~ '"x": {"error": null, "output": null, "status": "cancelled"}', test.steps(:'id');
SELECT save('[{"id": "t", "type": "try"}, {"id": "w", "type": "delay", "parent": "t", "branch": "try", "config": {"duration": 0.01}}, {"id": "f", "type": "fail", "parent": "t", "branch": "try", "config": {"code": "E", "message": "m"}}, {"id": "c", "type": "delay", "parent": "t", "branch": "catch", "config": {"duration": 0.01}}, {"id": "d", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"caught": "{{ $error.code }}"}}}, {"id": "z", "type": "delay", "parent": "t", "branch": "finally", "config": {"duration": 0.01}}]', '[{"source": "w", "target": "f"}, {"source": "c", "target": "d"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
-- an inline subworkflow that waits, with variables of its own
SELECT wf_save('inner', '{"nodes": [{"id": "s", "type": "set", "config": {"variables": {"x": "{{ $trigger.n }}"}}}, {"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "r", "type": "return", "config": {"value": {"got": "{{ $vars.x + $node.s.output.x }}"}}}], "edges": [{"source": "s", "target": "w"}, {"source": "w", "target": "r"}]}');
SELECT save('[{"id": "s", "type": "subworkflow", "config": {"workflow": "inner", "input": {"n": 4}}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.s.output.got }}"}}]', '[{"source": "s", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
-- back edges: a poll goes back to its delay, and counts
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": 0.01}}, {"id": "i", "type": "if", "config": {"condition": "$run.iteration.w < 4"}}, {"id": "r", "type": "return", "config": {"value": "{{ $run.iteration.w }}"}}]', '[{"source": "w", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "w"}, {"source": "i", "sourceHandle": "false", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
-- outputs that nothing reads any more are not kept; those that something may read are
SELECT save('[{"id": "big", "type": "set", "config": {"variables": {"x": 1}}}, {"id": "unread", "type": "transform", "config": {"operation": "map", "items": "{{ Array.from({length: 1000}, (_, i) => i) }}", "expression": "$item"}}, {"id": "read", "type": "noop"}, {"id": "w", "type": "waitForEvent", "config": {"event": "go"}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.read.output.count }}"}}]', '[{"source": "big", "target": "unread"}, {"source": "unread", "target": "read"}, {"source": "read", "target": "w"}, {"source": "w", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT k, v ? 'o' AS kept FROM wf.live, jsonb_each(state #> '{root,nodes}') AS e (k, v) WHERE run_id = :'id' ORDER BY 1;
SELECT wf_signal(:'id', 'go');
SELECT test.ends(:'id');
SELECT * FROM test.clean();

-- what cannot wait
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": "1 h"}}]');
SELECT wf_call('go');
SELECT jsonb_path_query_array(wf_dry_run('go'), '$.status');
SELECT save('[{"id": "w", "type": "delay", "config": {"duration": "1 h"}}]', '[]', '{"atomic": true}');
SELECT * FROM test.clean();
