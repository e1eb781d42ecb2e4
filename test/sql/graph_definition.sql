-- What is wrong with a definition, and that all of it is said at once; with the catalogue of blocks
-- of src/graph/graph_test.c.
\pset null -
\x on
CREATE FUNCTION graph_compile(definition jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_graph_compile' LANGUAGE C STRICT;
CREATE FUNCTION found(definition jsonb)
	RETURNS TABLE (severity text, code text, node text, path text, message text, hint text)
BEGIN ATOMIC
	SELECT d->>'severity', d->>'code', d->>'node', d->>'path', d->>'message', d->>'hint'
	FROM jsonb_array_elements(graph_compile(definition)->'diagnostics') WITH ORDINALITY AS x (d, n) ORDER BY n;
END;
\x off

-- No definition at all.
SELECT code, path, message FROM found('[]');
SELECT code, path, message FROM found('"x"');
SELECT code, path, message FROM found('7');
SELECT code, path, message FROM found('null');
SELECT code, path, message FROM found('{}');
SELECT code, path, message FROM found('{"nodes": []}');
SELECT code, path, message FROM found('{"nodes": {}, "edges": 1, "variables": "x", "settings": []}');
SELECT code, path, message, hint FROM found('{"Nodes": [], "nodez": []}');

-- Unknown keys at every level.
\x on
SELECT * FROM found('{
	"nodes": [
		{"id": "a", "type": "noop", "onEror": "fail", "label": "x", "position": {"x": 1, "y": 2, "z": 3}},
		{"id": "b", "type": "noop", "retry": {"maxAttempt": 3}, "compensate": {"nod": "a"}}
	],
	"edges": [{"source": "a", "target": "b", "sourcePort": "out", "conditon": "true"}],
	"variables": [{"name": "v", "typ": "string"}],
	"settings": {"atomics": true, "retry": {"jiter": 1}},
	"setings": {},
	"a key of its own \"making\"": 1
}');
\x off

-- Wrong types, and what is missing.
SELECT node, path, message FROM found('{
	"nodes": [
		1, null, "x", {},
		{"id": 1, "type": 2, "config": [], "name": 3, "position": [], "parent": 4, "branch": 5, "timeout": true,
		 "retry": 6, "onError": 7, "compensate": 8, "disabled": "yes"},
		{"id": "a", "type": "noop", "name": null, "parent": null, "position": {"x": "1"}, "notes": [1], "onErrorValue": 1},
		{"id": "b", "type": "", "name": "", "config": {"bad": 1}},
		{"id": "c", "type": "noop", "config": {"bad": 1}}
	],
	"edges": [
		1, {}, {"source": 1, "target": 2}, {"source": "a"}, {"target": "a"},
		{"source": "a", "target": "c", "id": 1, "sourceHandle": 2, "targetHandle": 3, "condition": true, "maxIterations": "4"}
	],
	"variables": [1, {}, {"name": 1, "type": 2, "required": 3}],
	"settings": {"atomic": 1, "timeout": [], "security": 1, "journal": 2, "retry": 3, "maxConcurrency": "4",
				 "concurrencyKey": 5, "concurrencyPolicy": 6, "priority": "7", "errorWorkflow": 8, "maxOutputSize": false,
				 "javascript": 9, "compensateOnCancel": 10}
}');

-- Ids and names.
SELECT node, path, message FROM found(jsonb_build_object('nodes', '[
	{"id": "1a", "type": "noop"}, {"id": "a-b", "type": "noop"}, {"id": "", "type": "noop"}, {"id": "\u00e9", "type": "noop"},
	{"id": "_A9", "type": "noop", "name": "_A9"}, {"id": "twice", "type": "noop"}, {"id": "twice", "type": "noop"},
	{"id": "n1", "type": "noop", "name": "Some name"}, {"id": "n2", "type": "noop", "name": "Some name"},
	{"id": "n3", "type": "noop", "name": "n1"}]'::jsonb || jsonb_build_array(
	jsonb_build_object('id', repeat('x', 255), 'type', 'noop'), jsonb_build_object('id', repeat('y', 256), 'type', 'noop'),
	jsonb_build_object('id', repeat('z', 10000), 'type', 'noop'),
	jsonb_build_object('id', 'long', 'type', 'noop', 'name', repeat('z', 1024)))));

-- Types of blocks.
SELECT node, path, message, hint FROM found('{"nodes": [
	{"id": "a", "type": "nop"}, {"id": "b", "type": "trigger.manul"}, {"id": "c", "type": "something"}, {"id": "d", "type": "Loop"}]}');

-- Durations, sizes, enums, numbers.
SELECT path, message, hint FROM found('{
	"nodes": [
		{"id": "a", "type": "noop", "timeout": "soon"},
		{"id": "b", "type": "noop", "timeout": -1, "onError": "retri"},
		{"id": "c", "type": "noop", "timeout": "-5 minutes", "retry": {"maxAttempts": 0, "backoff": "exponentiel", "initialDelay": "x",
			"multiplier": 0.5, "maxDelay": {}, "maxElapsed": "later", "jitter": 2, "retryOn": ["40001", "40*", "OUT_OF_STOCK", 1, "", "4 0", "**"], "stopOn": "40001"}},
		{"id": "d", "type": "noop", "retry": {"maxAttempts": 2.5}}
	],
	"settings": {"timeout": "1 parsec", "security": "Definer", "journal": "errror", "retry": {"maxAttempts": -1}, "maxConcurrency": 0,
		"concurrencyKey": "", "concurrencyPolicy": "cancelrunning", "priority": 1001, "errorWorkflow": "", "maxOutputSize": "16 MiB",
		"javascript": "ful"}
}');

-- Variables.
SELECT path, message, hint FROM found('{
	"nodes": [{"id": "a", "type": "noop"}],
	"variables": [
		{"name": "s", "type": "string", "default": 1}, {"name": "n", "type": "number", "default": "1"},
		{"name": "i", "type": "integer", "default": 1.5}, {"name": "b", "type": "boolean", "default": 0},
		{"name": "o", "type": "object", "default": []}, {"name": "l", "type": "array", "default": {}},
		{"name": "t", "type": "strin"}, {"name": "no name"}, {"name": "twice"}, {"name": "twice"},
		{"name": "null", "type": "string", "default": null}]
}');
SELECT graph_compile('{
	"nodes": [{"id": "a", "type": "noop"}],
	"variables": [
		{"name": "s", "type": "string", "default": "x"}, {"name": "n", "type": "number", "default": 1.5},
		{"name": "i", "type": "integer", "default": 2, "required": true}, {"name": "b", "type": "boolean", "default": false},
		{"name": "o", "type": "object", "default": {"a": [1]}}, {"name": "l", "type": "array", "default": [1]},
		{"name": "any", "description": "anything"}, {"name": "null", "type": "any", "default": null}]
}') #> '{graph,variables}' AS variables;

-- Settings: defaults, and all of them.
SELECT jsonb_pretty(graph_compile('{"nodes": [{"id": "a", "type": "noop"}]}') #> '{graph,settings}') AS settings;
SELECT jsonb_pretty(graph_compile('{
	"nodes": [{"id": "a", "type": "noop"}],
	"settings": {"timeout": "PT5M", "security": "definer", "journal": "errors", "maxConcurrency": 5, "concurrencyKey": "$input.sku",
		"concurrencyPolicy": "cancelRunning", "priority": -1000, "errorWorkflow": "oops", "maxOutputSize": "16MB", "javascript": "full",
		"compensateOnCancel": true,
		"retry": {"maxAttempts": 5, "backoff": "linear", "initialDelay": "1s", "multiplier": 1.5, "maxDelay": 60, "maxElapsed": "1 hour",
				  "jitter": 0.25, "retryOn": ["40*", "WF010"], "stopOn": ["40P01"]}}
}') #> '{graph,settings}') AS settings;
SELECT size, graph_compile(jsonb_build_object('nodes', '[{"id": "a", "type": "noop"}]'::jsonb, 'settings', jsonb_build_object('maxOutputSize', size)))
	#> '{graph,settings,maxOutputSize}' AS bytes
FROM unnest(ARRAY['1', '10 B', '1kB', '2mb', '3 GB', '1TB', '0', '', '-1', '1.5MB', '99999999999999999999', '9999999999TB']::text[]) size;
SELECT timeout, graph_compile(jsonb_build_object('nodes', '[{"id": "a", "type": "noop"}]'::jsonb, 'settings', jsonb_build_object('timeout', timeout)))
	#> '{graph,settings,timeout}' AS ms
FROM unnest(ARRAY['30s', '5 minutes', 'PT1H30M', '90', '0.25', '1 day', '0']::text[]) timeout;

-- Policies: what follows from onError, retry, a wired error port and the default of the settings.
CREATE VIEW policies AS
SELECT 1 AS n, '{}'::jsonb AS settings, ('[
	{"id": "plain", "type": "noop"},
	{"id": "fails", "type": "noop", "onError": "fail"},
	{"id": "retries", "type": "noop", "retry": {"maxAttempts": 4}},
	{"id": "fails_after", "type": "noop", "retry": {"maxAttempts": 4}, "onError": "fail"},
	{"id": "once", "type": "noop", "retry": {"maxAttempts": 1}},
	{"id": "by_default", "type": "noop", "onError": "retry"},
	{"id": "goes_on", "type": "noop", "onError": "continue", "onErrorValue": {"a": 1}},
	{"id": "wired", "type": "noop"},
	{"id": "wired_too", "type": "noop", "onError": "route", "retry": {}},
	{"id": "wired_retry", "type": "noop", "onError": "retry", "retry": {"maxAttempts": 2}},
	{"id": "undone", "type": "noop", "onError": "compensate"},
	{"id": "container", "type": "loop"},
	{"id": "inner", "type": "noop", "parent": "container"},
	{"id": "trying", "type": "try"},
	{"id": "tried", "type": "noop", "parent": "trying", "branch": "try"},
	{"id": "caught", "type": "noop", "parent": "trying", "branch": "catch"},
	{"id": "deep", "type": "loop", "parent": "trying", "branch": "try"},
	{"id": "deeper", "type": "noop", "parent": "deep"},
	{"id": "soft", "type": "loop", "onError": "continue"},
	{"id": "softened", "type": "noop", "parent": "soft"}]')::jsonb AS nodes
UNION ALL
SELECT 2, '{"retry": {"maxAttempts": 7}}', nodes FROM (VALUES (('[
	{"id": "plain", "type": "noop"},
	{"id": "fails", "type": "noop", "onError": "fail"},
	{"id": "own", "type": "noop", "retry": {"maxAttempts": 2}},
	{"id": "goes_on", "type": "noop", "onError": "continue"},
	{"id": "wired", "type": "noop"},
	{"id": "wired_too", "type": "noop", "onError": "route"},
	{"id": "wired_retry", "type": "noop", "onError": "retry"},
	{"id": "container", "type": "loop"},
	{"id": "inner", "type": "noop", "parent": "container"}]')::jsonb)) AS x (nodes);
SELECT p.n, x->>'id' AS id, x->>'onError' AS "onError", x #> '{retry,maxAttempts}' AS attempts, x->'onErrorValue' AS value,
	x->'errorWired' AS wired, x->'guarded' AS guarded
FROM policies p,
	graph_compile(jsonb_build_object('nodes', nodes || '[{"id": "handler", "type": "noop"}]', 'settings', settings,
		'edges', '[{"source": "wired", "sourceHandle": "error", "target": "handler"},
				   {"source": "wired_too", "sourceHandle": "error", "target": "handler"},
				   {"source": "wired_retry", "sourceHandle": "error", "target": "handler"}]'::jsonb)) AS g,
	jsonb_array_elements(g #> '{graph,nodes}') WITH ORDINALITY AS e (x, i)
ORDER BY p.n, i;

SELECT severity, node, path, message, hint FROM found('{
	"nodes": [
		{"id": "a", "type": "noop", "onError": "route"},
		{"id": "b", "type": "noop", "onErrorValue": 1},
		{"id": "c", "type": "noop", "onError": "fail", "onErrorValue": 1},
		{"id": "d", "type": "noop", "onError": "continue"},
		{"id": "e", "type": "own", "onError": "continue"},
		{"id": "f", "type": "noop"}],
	"edges": [{"source": "d", "sourceHandle": "error", "target": "f"}, {"source": "e", "sourceHandle": "error", "target": "f"}]
}');

-- Compensations.
SELECT severity, node, path, message FROM found('{
	"nodes": [
		{"id": "t", "type": "trigger.manual"},
		{"id": "a", "type": "noop", "compensate": {}},
		{"id": "b", "type": "noop", "compensate": {"node": "undo", "workflow": "x"}},
		{"id": "c", "type": "noop", "compensate": {"node": "ondo"}},
		{"id": "d", "type": "noop", "compensate": {"node": "d"}},
		{"id": "e", "type": "noop", "compensate": {"node": "t"}},
		{"id": "f", "type": "noop", "compensate": {"node": "b"}},
		{"id": "g", "type": "noop", "compensate": {"node": "undo", "input": 1}},
		{"id": "h", "type": "noop", "compensate": {"node": 1}},
		{"id": "i", "type": "noop", "compensate": "undo"},
		{"id": "undo", "type": "noop"}],
	"edges": [{"source": "t", "target": "a"}, {"source": "t", "target": "b"}, {"source": "t", "target": "c"}, {"source": "t", "target": "d"},
		{"source": "t", "target": "e"}, {"source": "t", "target": "f"}, {"source": "t", "target": "g"}, {"source": "t", "target": "h"},
		{"source": "t", "target": "i"}, {"source": "g", "target": "undo"}]
}');
SELECT x->>'id' AS id, x->>'compensateNode' AS node, x->>'compensateWorkflow' AS workflow, x->'isCompensation' AS is_compensation
FROM jsonb_array_elements(graph_compile('{
	"nodes": [
		{"id": "t", "type": "trigger.manual"},
		{"id": "a", "type": "noop", "compensate": {"node": "undo"}},
		{"id": "b", "type": "noop", "compensate": {"workflow": "refund", "input": {"id": "{{ $node.b.output.id }}"}}},
		{"id": "undo", "type": "noop"}],
	"edges": [{"source": "t", "target": "a"}, {"source": "a", "target": "b"}]
}') #> '{graph,nodes}') x;

-- Atomic workflows.
SELECT node, path, message FROM found('{
	"settings": {"atomic": true, "retry": {"initialDelay": "1s"}},
	"nodes": [
		{"id": "a", "type": "delay"}, {"id": "b", "type": "delay", "disabled": true},
		{"id": "c", "type": "noop", "retry": {"initialDelay": 1}}, {"id": "d", "type": "noop", "retry": {"maxAttempts": 2}}]
}');

-- Retry policies in use.
CREATE FUNCTION graph_retry(policy jsonb, code text, attempts int) RETURNS bigint[]
	AS '$libdir/workflow', 'wf_sql_test_graph_retry' LANGUAGE C STRICT;
SELECT policy, code, graph_retry(policy::jsonb, code, 8) FROM (VALUES
	('{}', '40001'),
	('{"maxAttempts": 1}', '40001'),
	('{"maxAttempts": 5, "initialDelay": 1}', '40001'),
	('{"maxAttempts": 6, "initialDelay": 1, "maxDelay": 3}', '40001'),
	('{"maxAttempts": 5, "initialDelay": 1, "backoff": "linear"}', '40001'),
	('{"maxAttempts": 4, "initialDelay": 1, "backoff": "fixed", "jitter": 0.5}', '40001'),
	('{"maxAttempts": 1000000, "initialDelay": "1000 years", "multiplier": 1000, "maxDelay": "10000 years"}', '40001'),
	('{"retryOn": ["40*"]}', '40P01'),
	('{"retryOn": ["40*"]}', '23505'),
	('{"retryOn": ["40*"], "stopOn": ["40P01"]}', '40P01'),
	('{"stopOn": ["OUT_OF_STOCK"]}', 'OUT_OF_STOCK'),
	('{"stopOn": ["OUT*"]}', 'OUTER'),
	('{"retryOn": []}', 'x')) AS x (policy, code);

-- Finding nodes.
CREATE FUNCTION graph_find(definition jsonb, name text) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_graph_find' LANGUAGE C STRICT;
SELECT name, graph_find('{"nodes": [{"id": "fetch", "type": "noop", "name": "Fetch the order"}, {"id": "other", "type": "noop"}]}', name)
FROM unnest(ARRAY['fetch', 'Fetch the order', 'fetsh', 'Fetch the ordr', 'other', 'nothing like it', '']) name;

-- What is found beyond a thousand is counted and not kept.
SELECT jsonb_array_length(g->'diagnostics') AS kept, g->'errors' AS errors
FROM graph_compile(jsonb_build_object('nodes', (SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', 'nop')) FROM generate_series(1, 5000) i))) g;
