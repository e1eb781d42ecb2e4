-- Random graphs: plain ones against plain reasoning, and nested ones of all kinds against what always holds.
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = error;

-- 1. Acyclic graphs with edges that are live or dead by lot. A node runs if one of its incoming edges is live, a starting
-- node always; its input is that of its one live predecessor or an object of theirs.
CREATE FUNCTION acyclic(n int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	nodes jsonb := '[]'; edges jsonb := '[]'; live bool; runs bool[] := '{}'; has_in bool[] := '{}'; sources jsonb[] := '{}'; r jsonb; s record; wanted text;
BEGIN
	FOR i IN 1..n LOOP
		nodes := nodes || jsonb_build_object('id', 'n' || i, 'type', 'set', 'config', jsonb_build_object('variables', jsonb_build_object('i', i)));
		has_in[i] := false; sources[i] := '{}';
	END LOOP;
	FOR i IN 1..n LOOP
		runs[i] := NOT has_in[i] OR sources[i] <> '{}';
		FOR j IN i + 1..n LOOP
			CONTINUE WHEN random() > 0.35;
			live := random() < 0.6;
			edges := edges || jsonb_build_object('source', 'n' || i, 'target', 'n' || j, 'condition', CASE WHEN live THEN '$input.i === ' || i ELSE '$input.i !== ' || i END);
			has_in[j] := true;
			IF live AND runs[i] THEN sources[j] := sources[j] || jsonb_build_object('n' || i, jsonb_build_object('i', i)); END IF;
		END LOOP;
	END LOOP;
	PERFORM wf_save('acyclic', jsonb_build_object('nodes', nodes, 'edges', coalesce((SELECT jsonb_agg(e ORDER BY random()) FROM jsonb_array_elements(edges) e), '[]')));
	r := wf_run('acyclic', '{"start": true}');
	IF r->>'status' <> 'completed' THEN RETURN format('%s: %s', edges, r); END IF;
	FOR s IN SELECT * FROM wf_steps WHERE run_id = (r->>'run_id')::uuid LOOP
		wanted := CASE WHEN NOT runs[substr(s.node, 2)::int] THEN NULL
			WHEN NOT has_in[substr(s.node, 2)::int] THEN '{"start": true}'
			WHEN (SELECT count(*) FROM jsonb_object_keys(sources[substr(s.node, 2)::int])) = 1 THEN (SELECT value::text FROM jsonb_each(sources[substr(s.node, 2)::int]))
			ELSE sources[substr(s.node, 2)::int]::text END;
		IF s.status <> (CASE WHEN runs[substr(s.node, 2)::int] THEN 'completed' ELSE 'skipped' END) OR s.input::text IS DISTINCT FROM wanted THEN
			RETURN format('%s: %s is %s with %s, not %s', edges, s.node, s.status, s.input, wanted);
		END IF;
	END LOOP;
	IF (SELECT count(*) <> n OR count(DISTINCT node) <> n FROM wf_steps WHERE run_id = (r->>'run_id')::uuid) THEN RETURN format('%s: not one step each', edges); END IF;
	RETURN NULL;
END $$;
SELECT setseed(0.25);
SELECT p FROM (SELECT acyclic(2 + (random() * 10)::int) AS p FROM generate_series(1, 300) i) a WHERE p IS NOT NULL LIMIT 3;
SELECT count(*) FROM wf_runs;

-- 2. Structures within structures: sequences, branches that rejoin, loops of back edges, containers, joins that run early,
-- failures here and there with all policies. What always holds: a run completes or fails with an error of the
-- definition's making; its steps are numbered without gaps; inputs in the journal are those that were seen; what
-- failed leaves no row, and a dry run does the same as a run.
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
-- adds a structure behind `before` (NULL: it starts), and gives the node that it ends with
CREATE FUNCTION structure(before text, parent text, branch text, depth int, via jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	choice int := (random() * CASE WHEN depth > 3 THEN 3 ELSE 10 END)::int; a text; b text; c text; d text;
	policy jsonb := CASE (random() * 5)::int WHEN 0 THEN '{"onError": "continue", "onErrorValue": {"failed": "{{ $error.code }}"}}'::jsonb WHEN 1 THEN '{"retry": {"maxAttempts": 2, "initialDelay": 0}}' WHEN 2 THEN '{"timeout": "1h"}' ELSE '{}' END;
BEGIN
	IF choice <= 1 THEN
		a := new_node('noop', parent, branch);
		PERFORM new_edge(before, a, via);
		RETURN a;
	ELSIF choice = 2 THEN
		a := new_node('db.query', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('sql', 'INSERT INTO t VALUES (''row'')', 'outputFormat', 'none')));
		PERFORM new_edge(before, a, via);
		RETURN a;
	ELSIF choice = 3 THEN
		-- fails now and then
		a := new_node('db.query', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('sql', 'INSERT INTO t SELECT CASE WHEN $1 THEN (1 / ($2::int - 5))::text END', 'params', jsonb_build_array('{{ true }}', (random() * 8)::int))));
		PERFORM new_edge(before, a, via);
		IF random() < 0.5 THEN
			b := new_node('noop', parent, branch); c := new_node('noop', parent, branch);
			PERFORM new_edge(a, b, '{"sourceHandle": "error"}'); PERFORM new_edge(a, c); PERFORM new_edge(b, c);
			RETURN c;
		END IF;
		RETURN a;
	ELSIF choice = 4 THEN
		a := structure(before, parent, branch, depth + 1, via);
		RETURN structure(a, parent, branch, depth + 1);
	ELSIF choice = 5 THEN
		a := new_node('if', parent, branch, jsonb_build_object('config', jsonb_build_object('condition', '($run.iteration.x0 ?? 1) % 2 === ' || (random())::int)));
		PERFORM new_edge(before, a, via);
		b := structure(a, parent, branch, depth + 1, '{"sourceHandle": "true"}'); c := structure(a, parent, branch, depth + 1, '{"sourceHandle": "false"}');
		d := new_node('noop', parent, branch);
		PERFORM new_edge(b, d); PERFORM new_edge(c, d);
		RETURN d;
	ELSIF choice = 6 THEN
		a := new_node('noop', parent, branch);
		PERFORM new_edge(before, a, via);
		b := structure(a, parent, branch, depth + 1);
		c := new_node('noop', parent, branch);
		PERFORM new_edge(b, c);
		PERFORM new_edge(c, a, jsonb_build_object('maxIterations', 1 + (random() * 4)::int, 'condition', '$run.iteration.' || a || ' % 3 !== 0'));
		RETURN c;
	ELSIF choice = 7 THEN
		a := new_node('loop', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('items', '[1, {"a": 2}, "three"]'::jsonb, 'onItemError', (ARRAY['stop', 'continue', 'collect'])[1 + (random() * 2)::int])));
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, NULL, depth + 1);
		RETURN a;
	ELSIF choice = 8 THEN
		a := new_node('try', parent, branch, policy);
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, 'try', depth + 1);
		IF random() < 0.6 THEN PERFORM structure(NULL, a, 'catch', depth + 1); END IF;
		IF random() < 0.3 THEN PERFORM structure(NULL, a, 'finally', depth + 1); END IF;
		RETURN a;
	ELSIF choice = 9 THEN
		a := new_node('parallel', parent, branch, policy || jsonb_build_object('config', jsonb_build_object('branches', '[{"id": "p"}, {"id": "q"}]'::jsonb, 'waitMode', (ARRAY['all', 'any', 'first'])[1 + (random() * 2)::int], 'errorHandling', (ARRAY['stop', 'continue', 'collect'])[1 + (random() * 2)::int])));
		PERFORM new_edge(before, a, via);
		PERFORM structure(NULL, a, 'p', depth + 1); PERFORM structure(NULL, a, 'q', depth + 1);
		RETURN a;
	ELSE
		a := new_node('noop', parent, branch);
		PERFORM new_edge(before, a, via);
		b := structure(a, parent, branch, depth + 1); c := structure(a, parent, branch, depth + 1);
		d := new_node('merge', parent, branch, jsonb_build_object('config', jsonb_build_object('mode', (ARRAY['append', 'any', 'choose'])[1 + (random() * 2)::int])));
		PERFORM new_edge(b, d); PERFORM new_edge(c, d, CASE WHEN random() < 0.3 THEN '{"condition": "false"}'::jsonb ELSE '{}' END);
		RETURN d;
	END IF;
END $$;
CREATE TABLE outcomes (status text, code text, steps bigint);
CREATE FUNCTION nested() RETURNS text LANGUAGE plpgsql AS $$
DECLARE r jsonb; dry jsonb; definition jsonb; problem text; rows_before bigint;
BEGIN
	TRUNCATE made;
	PERFORM new_node('noop', NULL, NULL);
	PERFORM structure('x0', NULL, NULL, 0);
	SELECT jsonb_build_object('nodes', jsonb_agg(data) FILTER (WHERE kind = 'node'), 'edges', coalesce(jsonb_agg(data) FILTER (WHERE kind = 'edge'), '[]')) INTO definition FROM made;
	PERFORM wf_save('nested', definition);
	SELECT count(*) INTO rows_before FROM t;
	dry := wf_dry_run('nested', '{"k": 1}');
	IF rows_before <> (SELECT count(*) FROM t) THEN RETURN format('%s: the dry run left rows', definition); END IF;
	r := wf_run('nested', '{"k": 1}');
	INSERT INTO outcomes VALUES (r->>'status', r#>>'{error,code}', (SELECT count(*) FROM wf_steps WHERE run_id = (r->>'run_id')::uuid));
	IF r->>'status' NOT IN ('completed', 'failed') OR r#>>'{error,code}' NOT IN ('22012', 'WF006') THEN RETURN format('%s: %s', definition, r); END IF;
	IF r->>'status' = 'failed' AND rows_before <> (SELECT count(*) FROM t) THEN RETURN format('%s: failed and left rows', definition); END IF;
	IF r->>'status' <> dry->>'status' OR r->'output' <> dry->'output' OR r#>'{error,node}' <> dry#>'{error,node}' THEN RETURN format('%s: %s, but dry %s', definition, r, dry); END IF;
	SELECT CASE WHEN count(*) <> max(seq) OR min(seq) <> 1 THEN 'gaps'
		WHEN count(*) FILTER (WHERE type = 'noop' AND status = 'completed' AND input IS DISTINCT FROM output) > 0 THEN 'inputs'
		WHEN count(*) FILTER (WHERE status = 'failed' AND error IS NULL OR status = 'completed' AND error IS NOT NULL) > 0 THEN 'errors'
		WHEN count(*) <> jsonb_array_length(dry->'steps') THEN 'steps of the dry run' END INTO problem
	FROM wf_steps WHERE run_id = (r->>'run_id')::uuid;
	RETURN CASE WHEN problem IS NOT NULL THEN format('%s: %s', definition, problem) END;
END $$;
SELECT setseed(0.5);
SELECT p FROM (SELECT nested() AS p FROM generate_series(1, 1000)) n WHERE p IS NOT NULL LIMIT 3;
SELECT status, code, count(*) > 10, max(steps) > 30 FROM outcomes GROUP BY 1, 2 ORDER BY 1, 2;
SELECT current_user = session_user, current_setting('search_path');
