-- time-outs of nodes, containers and runs; and that none outlives what it is of
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
\set VERBOSITY terse
CREATE TABLE t (v text);
CREATE FUNCTION go(nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; s text; began timestamptz := clock_timestamp();
BEGIN
	TRUNCATE t;
	PERFORM wf_save('go', jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings));
	r := wf_run('go', '{}', options);
	SELECT string_agg(path || ' ' || status, ', ' ORDER BY seq) INTO s FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN concat_ws(' => ', s, CASE r->>'status' WHEN 'completed' THEN r->>'output'
		ELSE concat_ws(' | ', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') END, (SELECT string_agg(v, ' ' ORDER BY v) FROM t),
		CASE WHEN clock_timestamp() - began > '30s' THEN 'too late' END);
END $$;
-- sleeps a minute, after having written
CREATE FUNCTION sleep(v text DEFAULT 'sleeper') RETURNS void LANGUAGE sql AS $$ INSERT INTO t VALUES (v); SELECT pg_sleep(60); $$;
-- what is cancelled when a timer was left armed: the rest of its time and more
CREATE FUNCTION still_alive() RETURNS text LANGUAGE plpgsql AS $$
DECLARE until timestamptz := clock_timestamp() + '150ms';
BEGIN
	WHILE clock_timestamp() < until LOOP PERFORM 1; END LOOP;
	RETURN 'alive';
END $$;

-- a node's, of SQL that nobody guards: the run fails, and leaves nothing
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''a'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}, "timeout": "50ms"}]', '[{"source": "a", "target": "b"}]');
SELECT still_alive();
-- answered, routed, tried again; what the earlier node did is kept
SELECT go('[{"id": "a", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''a'')"}}, {"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}, "timeout": "50ms", "onError": "continue", "onErrorValue": {"code": "{{ $error.code }}", "long": "{{ [1, 2, 3, 4, 5].map(x => x * 2).join() }}"}}]', '[{"source": "a", "target": "b"}]');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}, "timeout": "50ms"}, {"id": "c", "type": "set", "config": {"variables": {"e": "{{ $error.code }}", "m": "{{ $error.message }}"}}}]', '[{"source": "b", "sourceHandle": "error", "target": "c", "condition": "[1, 2, 3].every(x => x > 0)"}]');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}, "timeout": "30ms", "retry": {"maxAttempts": 3, "initialDelay": 0, "retryOn": ["WF004"]}}]');
-- in try
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT sleep()"}, "timeout": "30ms"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"e": "{{ $error.code }}", "n": "{{ $error.node }}"}}}]');
-- of what looks for interrupts by itself: an expression, a lock wait is in the isolation tests
SELECT go('[{"id": "b", "type": "loop", "config": {"type": "while", "condition": "true", "maxIterations": 100000000}, "timeout": "50ms"}]');
-- of what does not: a node that ends late has failed, guarded or not
SELECT go('[{"id": "b", "type": "loop", "config": {"type": "for", "from": 1, "to": 100000}, "timeout": "50ms"}, {"id": "n", "type": "noop", "parent": "b"}]', '[]', '{"journal": "errors"}') ~ 'WF004 \| b \| node "b" timed out';
-- cycles of back edges within a container, guarded and not
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1]}, "timeout": "50ms"}, {"id": "a", "type": "noop", "parent": "l"}]', '[{"source": "a", "target": "a", "maxIterations": 900000}]') ~ 'WF004 \| l \| node "l" timed out';
SELECT go('[{"id": "t", "type": "try", "timeout": "50ms", "onError": "continue", "onErrorValue": "{{ $error.message }}"}, {"id": "a", "type": "noop", "parent": "t", "branch": "try"}]', '[{"source": "a", "target": "a", "maxIterations": 900000}]', '{"journal": "errors"}');

-- a container's: what runs within is cancelled, and the container fails
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}, "timeout": "50ms"}, {"id": "b", "type": "db.query", "parent": "l", "config": {"sql": "SELECT sleep()"}}]');
SELECT go('[{"id": "l", "type": "loop", "config": {"items": [1, 2]}, "timeout": "50ms", "onError": "continue", "onErrorValue": {"e": "{{ $error.code }}", "n": "{{ $error.node }}"}}, {"id": "b", "type": "db.query", "parent": "l", "config": {"sql": "SELECT sleep()"}}]');
SELECT go('[{"id": "t", "type": "try", "timeout": "50ms"}, {"id": "i", "type": "loop", "parent": "t", "branch": "try", "config": {"items": [1, 2]}}, {"id": "b", "type": "db.query", "parent": "i", "config": {"sql": "SELECT sleep()"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"e": "{{ $error.code }}"}}}]');
-- the outer one counts when both have passed, and the inner one when it is nearer
SELECT go('[{"id": "t", "type": "try"}, {"id": "i", "type": "loop", "parent": "t", "branch": "try", "timeout": "1h", "config": {"items": [1, 2]}}, {"id": "b", "type": "db.query", "parent": "i", "timeout": "50ms", "config": {"sql": "SELECT sleep()"}}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"e": "{{ $error.node }}"}}}]');
-- parallel has one of its own, with a port
SELECT go('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}, {"id": "y"}, {"id": "z"}], "timeout": "50ms"}}, {"id": "x1", "type": "db.query", "parent": "p", "branch": "x", "config": {"sql": "INSERT INTO t VALUES (''x'')"}},
	{"id": "y1", "type": "db.query", "parent": "p", "branch": "y", "config": {"sql": "SELECT sleep()"}}, {"id": "z1", "type": "noop", "parent": "p", "branch": "z"}, {"id": "o", "type": "set", "config": {"variables": {"x": "{{ $input.branches.x.status }}", "y": "{{ $input.branches.y.status }}", "z": "{{ $input.branches.z.status }}"}}}]',
	'[{"source": "p", "sourceHandle": "timeout", "target": "o"}]');
SELECT go('[{"id": "p", "type": "parallel", "config": {"branches": [{"id": "x"}], "timeout": "50ms"}}, {"id": "y1", "type": "db.query", "parent": "p", "branch": "x", "config": {"sql": "SELECT sleep()"}}]');
SELECT still_alive();

-- the run's: nobody may take it
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT sleep()"}, "onError": "continue"}, {"id": "c", "type": "set", "parent": "t", "branch": "catch", "config": {"variables": {"e": "{{ $error.code }}"}}},
	{"id": "f", "type": "noop", "parent": "t", "branch": "finally"}]', '[]', '{"timeout": "50ms"}');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}}]', '[]', '{}', '{"timeout": 0.05}');
-- the option goes before the definition, in both directions
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}}]', '[]', '{"timeout": "1h"}', '{"timeout": "50ms"}');
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT pg_sleep(0.05)", "outputFormat": "none"}}]', '[]', '{"timeout": "1ms"}', '{"timeout": "1h"}');
-- a wait for the next attempt, in a call that cannot be suspended, ends with it, and with a container's
SELECT wf_save('again', '{"nodes": [{"id": "b", "type": "fail", "config": {"code": "E", "message": "m"}, "retry": {"maxAttempts": 2, "initialDelay": "1h", "maxDelay": "1h"}}], "settings": {"timeout": "50ms"}}');
SELECT wf_call('again');
SELECT wf_save('again', '{"nodes": [{"id": "l", "type": "loop", "config": {"items": [1]}, "timeout": "50ms", "onError": "continue"}, {"id": "b", "parent": "l", "type": "fail", "config": {"code": "E", "message": "m"}, "retry": {"maxAttempts": 2, "initialDelay": "1h", "maxDelay": "1h"}}]}');
SELECT wf_call('again');
SELECT still_alive();
-- wf_call raises it
SELECT wf_save('sleeps', '{"nodes": [{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}, "timeout": "50ms"}], "edges": []}');
SELECT wf_call('sleeps');
SELECT wf_call('sleeps', '{}', '{"timeout": "20ms"}');
DO $$ BEGIN PERFORM wf_call('sleeps'); EXCEPTION WHEN SQLSTATE 'WF004' THEN RAISE NOTICE 'caught: %', SQLERRM; END $$;
SELECT wf_dry_run('sleeps')->'error'->>'code';
SELECT still_alive();

-- subworkflows have no time of their own but that of the node that calls them
SELECT wf_save('long', '{"nodes": [{"id": "b", "type": "db.query", "config": {"sql": "SELECT sleep()"}}], "edges": [], "settings": {"timeout": "1h"}}');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "long", "errorHandling": "ignore"}, "timeout": "50ms"}]');
SELECT go('[{"id": "s", "type": "subworkflow", "config": {"workflow": "long"}, "timeout": "50ms", "onError": "continue", "onErrorValue": "{{ $error.node }}"}]');

-- runs in runs: each has its own; the inner one's is handled in it, the outer one's ends both
SELECT go('[{"id": "o", "type": "db.query", "config": {"sql": "SELECT wf_run(''sleeps'')->''error''->>''code'' AS code", "outputFormat": "row"}, "timeout": "1h"}]');
SELECT go('[{"id": "o", "type": "db.query", "config": {"sql": "SELECT wf_run(''sleeps'', ''{}'', ''{\"timeout\": \"1h\"}'')->''error''->>''code'' AS code", "outputFormat": "row"}, "timeout": "20ms", "onError": "continue", "onErrorValue": "{{ $error.code + $error.node }}"}]');
SELECT go('[{"id": "o", "type": "db.query", "config": {"sql": "SELECT wf_run(''long'')->''error''->>''code'' AS code", "outputFormat": "row"}}]', '[]', '{"timeout": "50ms"}');
-- the outer timer goes on after the inner one
SELECT go('[{"id": "o", "type": "db.query", "config": {"sql": "SELECT wf_run(''sleeps'')->''status'', pg_sleep(60)"}}]', '[]', '{"timeout": "150ms"}');
SELECT still_alive();

-- statement_timeout ends the caller's statement, whatever handles errors, and also when it comes together with one of ours
SET statement_timeout = '100ms';
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT sleep()"}, "onError": "continue"}]');
SELECT go('[{"id": "t", "type": "try"}, {"id": "b", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT sleep()"}, "timeout": "1h", "onError": "continue"}]');
SELECT wf_call('long');
RESET statement_timeout;
CREATE FUNCTION blind(seconds float8) RETURNS void LANGUAGE c STRICT AS '$libdir/workflow', 'wf_sql_test_blind';
SET statement_timeout = '60ms';
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT blind(0.2), pg_sleep(60)"}, "timeout": "30ms", "onError": "continue"}, {"id": "c", "type": "db.query", "config": {"sql": "SELECT pg_sleep(60)"}}]', '[{"source": "b", "target": "c"}]');
RESET statement_timeout;
SELECT count(*) FROM t;
SELECT still_alive();
-- a deadline that passed unnoticed cancels nothing later on
SELECT go('[{"id": "b", "type": "db.query", "config": {"sql": "SELECT blind(0.06)"}, "timeout": "30ms", "onError": "continue", "onErrorValue": "{{ $error.code }}"}, {"id": "c", "type": "db.query", "config": {"sql": "SELECT pg_sleep(0.05)"}}]', '[{"source": "b", "target": "c"}]') ~ 'b failed, c completed';
SELECT still_alive();
-- one that a caller caught neither
DO $$ BEGIN PERFORM wf_call('sleeps', '{}', '{"timeout": "100ms", "mocks": {"b": {"$port": "nowhere"}}}'); EXCEPTION WHEN OTHERS THEN RAISE NOTICE '%', SQLERRM; END $$;
SELECT still_alive();
