-- A definition that has everything, with each of its values in turn replaced by others or left out:
-- each is compiled or refused with a reason, and the server stays.
CREATE FUNCTION graph_brief(definition jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_graph_brief' LANGUAGE C STRICT;
CREATE TABLE origin AS SELECT '{
	"nodes": [
		{"id": "start", "type": "trigger.manual", "name": "The start", "position": {"x": 1, "y": 2}},
		{"id": "each", "type": "loop", "config": {"items": "{{ $input.items }}"}, "retry": {"maxAttempts": 3, "backoff": "linear",
			"initialDelay": "1s", "multiplier": 2, "maxDelay": 60, "maxElapsed": "1h", "jitter": 0.5, "retryOn": ["40*"], "stopOn": ["40P01"]}},
		{"id": "inner", "type": "noop", "parent": "each", "onError": "continue", "onErrorValue": {"a": [1]}},
		{"id": "safe", "type": "try", "timeout": "5 minutes"},
		{"id": "risky", "type": "noop", "parent": "safe", "branch": "try", "compensate": {"node": "undo"}},
		{"id": "caught", "type": "noop", "parent": "safe", "branch": "catch", "compensate": {"workflow": "w", "input": {"a": 1}}},
		{"id": "fork", "type": "parallel", "config": {"branches": ["one", "two"]}},
		{"id": "left", "type": "noop", "parent": "fork", "branch": "one"},
		{"id": "choose", "type": "switch", "config": {"ports": ["x", "y"]}},
		{"id": "wait", "type": "delay", "disabled": true, "notes": "later"},
		{"id": "undo", "type": "noop"},
		{"id": "end", "type": "return"}],
	"edges": [
		{"id": "e1", "source": "start", "target": "each"}, {"source": "each", "target": "safe", "condition": "$input.count > 0"},
		{"source": "each", "sourceHandle": "empty", "target": "end", "targetHandle": "in", "data": {}},
		{"source": "safe", "target": "fork"}, {"source": "safe", "sourceHandle": "error", "target": "end"}, {"source": "fork", "target": "choose"},
		{"source": "choose", "sourceHandle": "x", "target": "wait"}, {"source": "choose", "sourceHandle": "y", "target": "end"},
		{"source": "wait", "target": "safe", "maxIterations": 3}],
	"variables": [{"name": "v", "type": "string", "default": "x", "required": true, "description": "one"}],
	"settings": {"atomic": false, "timeout": "30s", "security": "invoker", "journal": "full", "retry": {"maxAttempts": 2}, "maxConcurrency": 3,
		"concurrencyKey": "$input.k", "concurrencyPolicy": "skip", "priority": 5, "errorWorkflow": "e", "maxOutputSize": "16MB", "javascript": "full",
		"compensateOnCancel": true}}'::jsonb AS d;
SELECT graph_brief(d) FROM origin;

CREATE TABLE places AS
WITH RECURSIVE walk (path, value) AS (
	SELECT '{}'::text[], d FROM origin
	UNION ALL
	SELECT path || step, child FROM walk, LATERAL (
		SELECT key AS step, value AS child FROM jsonb_each(CASE jsonb_typeof(value) WHEN 'object' THEN value ELSE '{}' END)
		UNION ALL
		SELECT (i - 1)::text, x FROM jsonb_array_elements(CASE jsonb_typeof(value) WHEN 'array' THEN value ELSE '[]' END) WITH ORDINALITY AS e (x, i)) AS c)
SELECT path FROM walk WHERE path <> '{}';

CREATE TABLE mutants AS
SELECT path, what, jsonb_set(d, path, what::jsonb) AS m FROM origin, places,
	unnest(ARRAY['null', 'true', '0', '-1', '1.5', '1e300', '""', '"x"', '"each"', '"end"', '"error"', '"fork"', '[]', '[1]', '[[[]]]', '{}', '{"x": 1}', '{"id": "each"}']) AS what
UNION ALL
SELECT path, 'gone', d #- path FROM origin, places
UNION ALL
SELECT path, 'twice', jsonb_insert(d, path, d #> path) FROM origin, places WHERE path[array_length(path, 1)] ~ '^\d+$'
UNION ALL
SELECT path || 'surprise'::text, 'more', jsonb_insert(d, path || 'surprise'::text, '1') FROM origin, places WHERE jsonb_typeof(d #> path) = 'object';

SELECT count(*) > 2000 AS many,
	   count(*) FILTER (WHERE (g->'errors')::int > 0) > 1000 AS refused,
	   count(*) FILTER (WHERE (g->'errors')::int = 0) > 200 AS compiled,
	   count(*) FILTER (WHERE ((g->'errors')::int = 0) <> ((g->'loops')::int >= 0)) AS neither
FROM mutants, graph_brief(m) g;

-- A key too many is an error everywhere but where anything may stand.
SELECT path FROM mutants, graph_brief(m) g WHERE what = 'more' AND (g->'errors')::int = 0 ORDER BY path;
-- What may be left out.
SELECT path FROM mutants, graph_brief(m) g WHERE what = 'gone' AND (g->'errors')::int = 0 AND path[1] = 'nodes' AND array_length(path, 1) = 3 ORDER BY path[2]::int, path;

-- Each pair of the values that break something, in one definition.
SELECT count(*) > 100 AS many, count(*) FILTER (WHERE (g->'errors')::int = 0) >= 0 AS survived FROM (
	SELECT jsonb_set(a.m, b.path, '7') AS m FROM mutants a, places b
	WHERE a.what = '"x"' AND array_length(a.path, 1) = 3 AND array_length(b.path, 1) = 3 AND b.path[3] IN ('id', 'type', 'source', 'parent')) x, graph_brief(m) g;
