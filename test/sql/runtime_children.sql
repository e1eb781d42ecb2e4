-- child runs, loops and parallels in several workers, concurrency, options of a start
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SELECT wf_save('child', '{"nodes": [{"id": "w", "type": "delay", "config": {"duration": "{{ $trigger.d ?? 0 }}"}}, {"id": "i", "type": "if", "config": {"condition": "$trigger.fail"}}, {"id": "f", "type": "fail", "config": {"code": "CHILD", "message": "no"}}, {"id": "r", "type": "return", "config": {"value": {"got": "{{ $trigger.v }}"}}}], "edges": [{"source": "w", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "f"}, {"source": "i", "sourceHandle": "false", "target": "r"}]}');

SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child", "input": {"v": 7, "d": 0.01}}}]');
SELECT wf_start('go', '{}', '{"correlationId": "cc", "env": {"x": 1}}') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT workflow, status, trigger, output, correlation_id, parent_run_id = :'id' FROM wf_runs WHERE workflow = 'child';
-- a failure propagates, is caught, or ignored
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child", "input": {"fail": true}}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child", "input": {"fail": true}, "errorHandling": "catch"}}, {"id": "e", "type": "return", "config": {"value": "{{ $error.code }}"}}]', '[{"source": "c", "sourceHandle": "error", "target": "e"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child", "input": {"fail": true}, "errorHandling": "ignore"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "nobody", "mode": "child"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- nobody waits for a detached one
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "detached", "input": {"v": 8}}}]');
SELECT wf_run('go') AS r \gset
SELECT :'r'::jsonb->>'status', test.ends((:'r'::jsonb#>>'{output,run_id}')::uuid);
-- a cancel takes children along
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child", "input": {"d": 3600}}}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'c');
SELECT wf_cancel(:'id');
SELECT test.ends(:'id');
SELECT test.ends(run_id) FROM wf_runs WHERE parent_run_id = :'id';

-- loops in several workers: results in the order of the items
SELECT save('[{"id": "l", "type": "loop", "config": {"items": "{{ $trigger.items }}", "mode": "workers"}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"x": "{{ $item * 2 + $vars.base + $node.b.output.base }}"}}}, {"id": "b", "type": "set", "config": {"variables": {"base": 100}}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.l.output.count, $node.l.output.results.map(r => r.x).join()] }}"}}]', '[{"source": "b", "target": "l"}, {"source": "l", "target": "r"}]');
SELECT wf_start('go', '{"items": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]}') AS id \gset
SELECT test.ends(:'id'), test.steps(:'id');
SELECT count(*), count(DISTINCT parent_run_id), min(trigger) FROM wf_runs WHERE parent_run_id = :'id';
SELECT wf_start('go', '{"items": []}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3, 4], "mode": "workers", "concurrency": 2, "onItemError": "collect"}}, {"id": "i", "type": "if", "parent": "l", "config": {"condition": "$item % 2"}}, {"id": "f", "type": "fail", "parent": "l", "config": {"code": "ODD", "message": "{{ $item }}"}}, {"id": "v", "type": "return", "parent": "l", "config": {"value": "{{ $item }}"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.l.output.results, $node.l.output.errors.map(e => [e.item, e.error.code])] }}"}}]', '[{"source": "i", "sourceHandle": "true", "target": "f"}, {"source": "i", "sourceHandle": "false", "target": "v"}, {"source": "l", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "l", "type": "loop", "config": {"items": [1, 2, 3, 4], "mode": "workers", "onItemError": "stop"}}, {"id": "f", "type": "fail", "parent": "l", "config": {"code": "E", "message": "m"}}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
-- parallel in several workers: all, any, first; the losers are cancelled
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "mode": "workers"}}, {"id": "a", "type": "noop", "parent": "p", "branch": "x"}, {"id": "b", "type": "delay", "parent": "p", "branch": "y", "config": {"duration": 0.01}}, {"id": "r", "type": "return", "config": {"value": "{{ [$input.branches.x.status, $input.branches.y.status, $input.branches.x.output] }}"}}]', '[{"source": "p", "target": "r"}]');
SELECT wf_start('go', '{"k": 1}') AS id \gset
SELECT test.ends(:'id');
SELECT save('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}], "mode": "workers", "waitMode": "first"}}, {"id": "a", "type": "delay", "parent": "p", "branch": "x", "config": {"duration": "1 h"}}, {"id": "b", "type": "delay", "parent": "p", "branch": "y", "config": {"duration": 0.01}}, {"id": "r", "type": "return", "config": {"value": "{{ [$input.branches.x.status, $input.branches.y.status] }}"}}]', '[{"source": "p", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.ends(:'id');
SELECT split_part(test.ends(run_id), ' ', 1) FROM wf_runs WHERE parent_run_id = :'id' ORDER BY 1;
SELECT * FROM test.clean();

-- concurrency: queue, skip, cancelRunning; by key
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]', '[]', '{"maxConcurrency": 1}');
SELECT wf_start('go') AS a \gset
SELECT wf_start('go') AS b \gset
SELECT test.stands(:'a', 'e');
SELECT status FROM wf_runs WHERE run_id = :'b';
SELECT wf_signal(:'a', 'go');
SELECT test.ends(:'a'), test.stands(:'b', 'e');
SELECT wf_signal(:'b', 'go');
SELECT test.ends(:'b');
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]', '[]', '{"concurrencyKey": "$input.customer", "concurrencyPolicy": "skip"}');
SELECT wf_start('go', '{"customer": 1}') AS a \gset
SELECT wf_start('go', '{"customer": 1}') IS NULL, wf_start('go', '{"customer": 2}') IS NULL, wf_start('go', '{"customer": 1}', '{"concurrencyKey": "own"}') IS NULL;
SELECT run_id IS NULL FROM wf_start_many('go', ARRAY['{"customer": 1}', '{"customer": 3}']::jsonb[]) run_id;
SELECT wf_cancel(run_id) FROM wf_runs WHERE finished_at IS NULL;
SELECT test.ends(run_id) FROM wf_runs WHERE workflow = 'go' AND version = (SELECT max(version) FROM wf_runs WHERE workflow = 'go');
SELECT save('[{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]', '[]', '{"concurrencyKey": "$input.customer", "concurrencyPolicy": "cancelRunning"}');
SELECT wf_start('go', '{"customer": 1}') AS a \gset
SELECT test.stands(:'a', 'e');
SELECT wf_start('go', '{"customer": 1}') AS b \gset
SELECT test.ends(:'a'), test.stands(:'b', 'e');
SELECT wf_cancel(:'b');
SELECT test.ends(:'b');

-- options: priority, version, a time to begin at, idempotency; wrong ones
SELECT save('[{"id": "a", "type": "noop"}]') AS v \gset
SELECT wf_start('go', '{"k": 1}', jsonb_build_object('runAt', clock_timestamp() + '50 ms')) AS id \gset
SELECT status, wake_at IS NOT NULL FROM wf_runs WHERE run_id = :'id';
SELECT test.ends(:'id');
SELECT started_at - queued_at >= '50 ms' FROM wf_runs WHERE run_id = :'id';
CREATE TABLE started AS SELECT * FROM wf_start_many('go', ARRAY['{"k": 1}', '{"k": 2}', '{"k": 3}']::jsonb[]) WITH ORDINALITY s (id, n);
SELECT n, test.ends(id) FROM started ORDER BY n;
SELECT wf_start('go', '{}', '{"nope": 1}');
SELECT wf_start('go', '{}', '{"delay": "1 h", "runAt": "2030-01-01"}');
SELECT wf_start('go', '{}', '{"runAt": "soon"}');
SELECT wf_start('go', '{}', '{"priority": 1001}');
SELECT wf_start('nobody');
SELECT wf_start('go', '{}', '{"version": 1000}');
SELECT wf_await('01a00000-0000-7000-8000-000000000000');
BEGIN;
SELECT wf_await(wf_start('go'));
ROLLBACK;
SELECT * FROM test.clean();
