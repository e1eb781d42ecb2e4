-- Random graphs with waits in them, executed in many segments and by several workers, against the same graphs without waits,
-- executed in one: what a run gives must not depend on where it was saved and loaded again. Each "wait" is a child run, or an
-- inline subworkflow with a delay, against an inline one without; loops and parallels are executed inline or by workers.
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = error;
CREATE TABLE t (path text);
CREATE TABLE made (kind text, data jsonb);
CREATE FUNCTION new_node(kind text, parent text, branch text, more jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE name text := 'x' || (SELECT count(*) FROM made WHERE made.kind = 'node');
BEGIN
	INSERT INTO made VALUES ('node', jsonb_strip_nulls(jsonb_build_object('id', name, 'type', kind, 'parent', parent, 'branch', branch)) || more);
	RETURN name;
END $$;
CREATE FUNCTION new_edge(source text, target text, more jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF source IS NOT NULL THEN INSERT INTO made VALUES ('edge', jsonb_build_object('source', source, 'target', target) || more); END IF;
END $$;
-- what reads the output of the node before, variables (not where rounds and branches share them), and the item
CREATE FUNCTION reading(own text, before text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('config', jsonb_build_object('variables', jsonb_build_object('v_' || own,
		format('{{ [%s, %s, JSON.stringify($item ?? null), $index ?? null, JSON.stringify($input ?? null).slice(0, 40), $trigger.k].join().slice(0, 80) }}',
			CASE WHEN before IS NULL THEN '0' ELSE format('$node.%s.port ?? "", JSON.stringify($node.%s.output ?? 0).slice(0, 30), $node.%s.status ?? 0', before, before, before) END,
			CASE WHEN before IS NULL OR current_setting('my.shared') = 'on' THEN '0' ELSE format('$vars.v_%s ?? "none"', before) END)))) $$;
CREATE FUNCTION structure(before text, parent text, branch text, depth int, via jsonb DEFAULT '{}', outer_node text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	choice int := (random() * CASE WHEN depth > 3 THEN 4 ELSE 13 END)::int; a text; b text; c text; d text;
	policy jsonb := CASE (random() * 5)::int WHEN 0 THEN '{"onError": "continue", "onErrorValue": {"failed": "{{ $error.code }}"}}'::jsonb WHEN 1 THEN '{"retry": {"maxAttempts": 2, "initialDelay": 0}}' WHEN 2 THEN '{"timeout": "1h"}' ELSE '{}' END;
BEGIN
	IF choice <= 1 THEN
		-- waits, or in the other definition does not
		a := new_node('wait', parent, branch);
		PERFORM new_edge(before, a, via);
		RETURN a;
	ELSIF choice = 2 THEN
		a := new_node('db.query', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('sql', 'INSERT INTO t VALUES ($1)', 'params', jsonb_build_array('{{ [$run.workflow, $index ?? "", $trigger.k].join() }}'), 'outputFormat', 'none')));
		PERFORM new_edge(before, a, via);
		RETURN a;
	ELSIF choice = 3 THEN
		a := new_node('db.query', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('sql', 'SELECT CASE WHEN $1 THEN (1 / ($2::int - 5))::text END AS a', 'params', jsonb_build_array('{{ true }}', (random() * 8)::int))));
		PERFORM new_edge(before, a, via);
		IF random() < 0.7 THEN
			b := new_node('wait', parent, branch); c := new_node('noop', parent, branch);
			PERFORM new_edge(a, b, '{"sourceHandle": "error"}'); PERFORM new_edge(a, c); PERFORM new_edge(b, c);
			RETURN c;
		END IF;
		RETURN a;
	ELSIF choice = 4 OR choice = 11 THEN
		a := new_node('set', parent, branch, reading('x' || (SELECT count(*) FROM made WHERE kind = 'node'), coalesce(before, outer_node)));
		PERFORM new_edge(before, a, via);
		RETURN a;
	ELSIF choice = 5 OR choice = 12 THEN
		a := structure(before, parent, branch, depth + 1, via, outer_node);
		RETURN structure(a, parent, branch, depth + 1, '{}', outer_node);
	ELSIF choice = 6 THEN
		a := new_node('if', parent, branch, jsonb_build_object('config', jsonb_build_object('condition', '($run.iteration.x0 ?? 1) % 2 === ' || (random())::int)));
		PERFORM new_edge(before, a, via);
		b := structure(a, parent, branch, depth + 1, '{"sourceHandle": "true"}', outer_node); c := structure(a, parent, branch, depth + 1, '{"sourceHandle": "false"}', outer_node);
		d := new_node('noop', parent, branch);
		PERFORM new_edge(b, d); PERFORM new_edge(c, d);
		RETURN d;
	ELSIF choice = 7 AND current_setting('my.shared') = 'on' THEN
		RETURN structure(before, parent, branch, depth + 1, via, outer_node);
	ELSIF choice = 7 THEN
		a := new_node((ARRAY['noop', 'wait'])[1 + random()::int], parent, branch);
		PERFORM new_edge(before, a, via);
		b := structure(a, parent, branch, depth + 1, '{}', outer_node);
		c := new_node((ARRAY['noop', 'wait'])[1 + random()::int], parent, branch);
		PERFORM new_edge(b, c);
		PERFORM new_edge(c, a, jsonb_build_object('maxIterations', 1 + (random() * 4)::int, 'condition', '$run.iteration.' || a || ' % 3 !== 0'));
		RETURN c;
	ELSIF choice = 8 THEN
		a := new_node('loop', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('items', '[1, {"a": 2}, "three"]'::jsonb, 'onItemError', (ARRAY['stop', 'continue', 'collect'])[1 + (random() * 2)::int])
			|| CASE WHEN random() < 0.4 AND current_setting('my.shared') = 'on' THEN '{"concurrency": 2}'::jsonb ELSE '{}' END));
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, NULL, depth + 1, '{}', coalesce(before, outer_node));
		RETURN a;
	ELSIF choice = 9 THEN
		a := new_node('try', parent, branch, policy);
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, 'try', depth + 1, '{}', coalesce(before, outer_node));
		IF random() < 0.6 THEN PERFORM structure(NULL, a, 'catch', depth + 1, '{}', coalesce(before, outer_node)); END IF;
		IF random() < 0.3 THEN PERFORM structure(NULL, a, 'finally', depth + 1, '{}', coalesce(before, outer_node)); END IF;
		RETURN a;
	ELSIF choice = 10 THEN
		a := new_node('parallel', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('branches', '[{"id": "p"}, {"id": "q"}]'::jsonb, 'errorHandling', (ARRAY['stop', 'continue', 'collect'])[1 + (random() * 2)::int])));
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, 'p', depth + 1, '{}', coalesce(before, outer_node)); PERFORM structure(NULL, a, 'q', depth + 1, '{}', coalesce(before, outer_node));
		RETURN a;
	ELSE
		a := new_node('subworkflow', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('workflow', 'inner', 'input', '{"n": "{{ [$index, $vars.v0].join() }}"}'::jsonb, 'errorHandling', (ARRAY['propagate', 'ignore'])[1 + random()::int])));
		PERFORM new_edge(before, a, via);
		RETURN a;
	END IF;
END $$;
CREATE TABLE pairs (n int, waits uuid, sync uuid, definition jsonb, plain bool, PRIMARY KEY (n));
-- the definition with its waits, or with nodes in their place that give the same
CREATE FUNCTION variant(definition jsonb, waits bool, workers bool) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(definition, '{nodes}', (SELECT jsonb_agg(CASE
		WHEN n->>'type' = 'wait' THEN n || jsonb_build_object('type', 'subworkflow', 'config', CASE
			WHEN o % 2 = 0 THEN jsonb_build_object('workflow', 'empty', 'mode', CASE WHEN waits THEN 'child' ELSE 'inline' END)
			ELSE jsonb_build_object('workflow', CASE WHEN waits THEN 'pause' ELSE 'empty' END) END)
		WHEN n->>'type' = 'subworkflow' THEN jsonb_set(n, '{config,workflow}', to_jsonb(CASE WHEN waits THEN 'inner_w_' ELSE 'inner_s_' END || current_setting('my.inner')))
		WHEN waits AND workers AND n->>'type' IN ('loop', 'parallel') AND o % 3 = 0 THEN jsonb_set(n, '{config,mode}', '"workers"')
		ELSE n END ORDER BY o) FROM jsonb_array_elements(definition->'nodes') WITH ORDINALITY e (n, o))) $$;
SELECT wf_save('empty', '{"nodes": [{"id": "e", "type": "return", "config": {"value": {"e": 1}}}]}');
SELECT wf_save('pause', '{"nodes": [{"id": "d", "type": "delay", "config": {"duration": 0.001}}, {"id": "e", "type": "return", "config": {"value": {"e": 1}}}], "edges": [{"source": "d", "target": "e"}]}');
CREATE FUNCTION random_definition(begin text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE made;
	PERFORM new_node('noop', NULL, NULL);
	PERFORM structure(structure('x0', NULL, NULL, 0), NULL, NULL, 0);
	RETURN (SELECT jsonb_build_object('nodes', jsonb_agg(data) FILTER (WHERE kind = 'node'), 'edges', coalesce(jsonb_agg(data) FILTER (WHERE kind = 'edge'), '[]')) FROM made);
END $$;
CREATE PROCEDURE make(first int, last int) LANGUAGE plpgsql AS $$
DECLARE d jsonb; inner_d jsonb; shared bool; w uuid; s jsonb;
BEGIN
	FOR i IN first..last LOOP
		PERFORM setseed(i / 100000.0);
		shared := i % 2 = 0;
		PERFORM set_config('my.shared', CASE WHEN shared THEN 'on' ELSE 'off' END, false);
		IF i % 20 = 0 OR i = first THEN
			PERFORM setseed((i - i % 20) / 100000.0 + 0.5);
			LOOP inner_d := random_definition('i'); EXIT WHEN inner_d::text !~ '"subworkflow"'; END LOOP;
			PERFORM set_config('my.inner', (i / 20)::text, false);
			PERFORM wf_save('inner_s_' || i / 20, variant(inner_d, false, false)), wf_save('inner_w_' || i / 20, variant(inner_d, true, shared));
			PERFORM setseed(i / 100000.0);
		END IF;
		d := random_definition('x');
		BEGIN
			PERFORM wf_save('s', variant(d, false, false)), wf_save('w', variant(d, true, shared));
		EXCEPTION WHEN SQLSTATE 'WF002' THEN CONTINUE; END;
		w := wf_start('w', '{"k": 1}');
		s := wf_run('s', '{"k": 1}');
		INSERT INTO pairs VALUES (i, w, (s->>'run_id')::uuid, d, shared);
		COMMIT;
	END LOOP;
END $$;

CREATE FUNCTION plainly(v jsonb) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(v::text, '"step": (\d+|null)', '"step": 0', 'g') $$;
-- of runs without failures, where the order of rounds cannot matter, also the steps
CREATE FUNCTION differences() RETURNS TABLE (n int, what text, sync text, waits text) LANGUAGE sql AS $$
	WITH r AS (SELECT p.n, p.plain OR p.definition::text ~ '"subworkflow"' AS plain, p.sync AS sid, p.waits AS wid, s.status AS ss, w.status AS ws, s.output AS so, w.output AS wo, s.error AS se, w.error AS we FROM pairs p JOIN wf_runs s ON s.run_id = p.sync JOIN wf_runs w ON w.run_id = p.waits),
	clean AS (SELECT * FROM r WHERE ss = 'completed' AND ws = 'completed' AND NOT plain AND NOT EXISTS (SELECT FROM wf_steps WHERE run_id = sid AND status NOT IN ('completed', 'skipped'))),
	a AS (SELECT n, path, status, coalesce(port, '') AS port, attempt, plainly(output) AS output FROM clean JOIN wf_steps ON run_id = sid WHERE node NOT IN ('e', 'd')),
	b AS (SELECT n, path, status, coalesce(port, '') AS port, attempt, plainly(output) FROM clean JOIN wf_steps ON run_id = wid WHERE node NOT IN ('e', 'd'))
	SELECT n, 'status', ss || coalesce(' ' || se::text, ''), ws || coalesce(' ' || we::text, '') FROM r WHERE ss <> ws OR (se->>'code') IS DISTINCT FROM (we->>'code')
	UNION ALL SELECT n, 'output', so::text, wo::text FROM r WHERE ss = 'completed' AND ws = 'completed' AND plainly(so) IS DISTINCT FROM plainly(wo)
	UNION ALL SELECT n, 'steps', string_agg(x::text, E'\n'), NULL FROM (SELECT * FROM a EXCEPT ALL SELECT * FROM b) x GROUP BY n
	UNION ALL SELECT n, 'steps', NULL, string_agg(x::text, E'\n') FROM (SELECT * FROM b EXCEPT ALL SELECT * FROM a) x GROUP BY n
$$;

CALL make(1, 300);
SELECT count(*) FROM (SELECT wf_await(waits, '120 s') FROM pairs) x;
SELECT count(*) > 250, count(*) FILTER (WHERE (SELECT count(*) > 20 FROM wf_segments s WHERE s.run_id = waits)) > 5 FROM pairs;
SELECT status, count(*) > 2 FROM wf_runs JOIN pairs ON run_id = waits GROUP BY 1 ORDER BY 1;
SELECT * FROM differences() LIMIT 3;
SELECT * FROM test.clean();
