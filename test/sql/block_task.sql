-- approval and task: what is said when they are saved, what they ask for, where they go on
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
CREATE FUNCTION test_block(definition jsonb, node text, context jsonb, replies jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_block' LANGUAGE C STRICT;
CREATE FUNCTION one(type text, config jsonb, edges text DEFAULT '[]') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config), '{"id": "m", "type": "noop"}'::jsonb), 'edges', edges::jsonb) $$;
CREATE FUNCTION wrong(type text, config jsonb, edges text DEFAULT '[]') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint) FROM wf_validate(one(type, config, edges)) $$;
CREATE FUNCTION play(type text, config jsonb, replies text DEFAULT '[]', input jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT e::text FROM jsonb_array_elements(test_block(one(type, config), 'n', jsonb_build_object('input', input), replies::jsonb)) e $$;

SELECT type, ports, suspends, (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(config_schema->'properties') k) FROM wf_blocks() WHERE type IN ('approval', 'task') ORDER BY type COLLATE "C";

-- approval: its ports are its outcomes
SELECT wrong('approval', '{}', '[{"source": "n", "sourceHandle": "approved", "target": "m"}, {"source": "n", "sourceHandle": "rejected", "target": "m"}, {"source": "n", "sourceHandle": "timeout", "target": "m"}, {"source": "n", "sourceHandle": "error", "target": "m"}]');
SELECT wrong('approval', '{}', '[{"source": "n", "target": "m"}]');
SELECT wrong('approval', '{"outcomes": ["ship", "hold"]}', '[{"source": "n", "sourceHandle": "ship", "target": "m"}, {"source": "n", "sourceHandle": "approved", "target": "m"}]');
SELECT wrong('approval', '{"outcomes": ["a", "b", "a", "timeout", "error", "a"]}');
SELECT wrong('approval', '{"outcomes": []}');
SELECT wrong('approval', '{"outcomes": ["", 5, "{{ $input.o }}"]}');
SELECT wrong('approval', '{"outcomes": "{{ $input.o }}"}');
-- approval: the rest
SELECT wrong('approval', '{"quorum": 0, "assignees": [], "timeout": "late", "escalate": {"after": "later", "to": []}, "allowSelf": "no"}');
SELECT wrong('approval', '{"quorum": 1.5, "assignees": "x", "escalate": {"to": ["x"], "when": 1}, "assignee": "x"}');
SELECT wrong('approval', '{"form": {"type": "objekt"}}');
SELECT wrong('approval', '{"form": {"type": "{{ $input.type }}"}}');
SELECT wrong('approval', '{"form": true}');
SELECT wrong('approval', '{"quorum": "{{ $input.q }}", "assignees": "{{ $input.a }}", "timeout": "{{ $input.t }}", "escalate": {"after": "{{ $input.t }}", "to": "{{ $input.a }}"}, "allowSelf": "{{ false }}", "title": "Order {{ $input.id }}", "form": "{{ $input.f }}"}');
-- approval: roles that are not there, a quorum that can't come together
CREATE ROLE regress_block_ann;
CREATE ROLE regress_block_bob;
CREATE ROLE regress_block_team;
GRANT regress_block_team TO regress_block_ann, regress_block_bob;
SELECT wrong('approval', '{"assignees": ["regress_block_ann", "regress_block_nobody"], "quorum": 3, "escalate": {"after": 60, "to": ["regress_block_none"]}}');
SELECT wrong('approval', '{"assignees": ["regress_block_ann", "regress_block_bob"], "quorum": 3}');
SELECT wrong('approval', '{"assignees": ["regress_block_ann", "regress_block_bob"], "quorum": 2}');
SELECT wrong('approval', '{"assignees": ["regress_block_team"], "quorum": 2}');
SELECT wrong('approval', '{"assignees": ["{{ $input.who }}"], "quorum": 2}');
DROP ROLE regress_block_ann, regress_block_bob, regress_block_team;

SELECT play('approval', '{}', '[{"output": {"outcome": "approved", "data": {}, "by": "ann", "at": "2030-01-01T00:00:00Z"}}]');
SELECT play('approval', '{}', '[{"output": {"outcome": "rejected", "data": {"why": "no"}, "by": "ann", "at": "2030-01-01T00:00:00Z"}}]');
SELECT play('approval', '{"timeout": "2 days"}', '[{"timedOut": true}]');
SELECT play('approval', '{"title": "Order {{ $input.id }}", "body": "{{ $input.lines }}", "assignees": ["{{ $input.who }}", "boss"], "quorum": "{{ $input.q }}", "outcomes": ["ship", "hold", "drop"],
	"form": {"type": "object", "properties": {"note": {"type": "string", "default": "{{ $input.id }}"}}}, "timeout": 3600, "escalate": {"after": "30 min", "to": ["{{ $input.who }}"]}, "allowSelf": false}',
	'[{"output": {"outcome": "drop", "data": {}, "by": "ann", "at": "2030-01-01T00:00:00Z"}}]', '{"id": 7, "lines": [1, 2], "who": "ann", "q": 2}');
SELECT play('approval', '{"title": "{{ $input.id }}", "escalate": {"after": 0, "to": ["a"]}}', '[]', '{"id": 7}');
SELECT play('approval', '{"title": "{{ $input.nothing }}", "escalate": "{{ $input.nothing }}", "form": "{{ $input.nothing }}"}');
-- what decides about rights is not guessed
SELECT play('approval', '{"assignees": "{{ $input.who }}"}', '[]', '{"who": null}');
SELECT play('approval', '{"assignees": "{{ $input.who }}"}', '[]', '{"who": []}');
SELECT play('approval', '{"assignees": "{{ $input.who }}"}', '[]', '{"who": ["a", ""]}');
SELECT play('approval', '{"assignees": ["{{ $input.who }}"]}', '[]', '{"who": 5}');
SELECT play('approval', '{"allowSelf": "{{ $input.self }}"}');
SELECT play('approval', '{"allowSelf": "{{ $input.self }}"}', '[]', '{"self": "false"}');
SELECT play('approval', '{"quorum": "{{ $input.q }}"}');
SELECT play('approval', '{"quorum": "{{ $input.q }}"}', '[]', '{"q": 0}');
SELECT play('approval', '{"form": "{{ $input.f }}"}', '[]', '{"f": {"type": 5}}');
SELECT play('approval', '{"form": "{{ $input.f }}"}', '[]', '{"f": []}');
SELECT play('approval', '{"escalate": "{{ $input.e }}"}', '[]', '{"e": {"after": 1}}');
SELECT play('approval', '{"escalate": {"after": "{{ $input.after }}", "to": ["a"]}}', '[]', '{"after": "then"}');
SELECT play('approval', '{"timeout": "{{ $input.t }}"}', '[]', '{"t": "then"}');
-- an outcome that this version does not have; a task that failed
SELECT play('approval', '{}', '[{"output": {"outcome": "ship"}}]');
SELECT play('approval', '{}', '[{"output": {"outcome": "timeout"}}]');
SELECT play('approval', '{}', '[{"output": null}]');
SELECT play('approval', '{}', '[{"error": {"code": "X", "message": "x"}}]');

-- task
SELECT wrong('task', '{}');
SELECT wrong('task', '{"queue": "", "lease": "short", "timeout": "-1", "maxAttempts": 0, "title": "x"}');
SELECT wrong('task', jsonb_build_object('queue', repeat('q', 256)));
SELECT wrong('task', '{"queue": "{{ $input.q }}", "lease": "{{ $input.l }}", "timeout": "{{ $input.l }}", "maxAttempts": "{{ $input.m }}"}', '[{"source": "n", "sourceHandle": "timeout", "target": "m"}]');
SELECT play('task', '{"queue": "resize"}', '[{"output": {"url": "x"}}]', '{"image": 1}');
SELECT play('task', '{"queue": "resize-{{ $input.k }}", "payload": {"w": "{{ $input.w }}"}, "lease": "5 min", "timeout": "1 day", "maxAttempts": 3}', '[{"timedOut": true}]', '{"k": "big", "w": 100}');
SELECT play('task', '{"queue": "resize", "payload": null}', '[{"error": {"code": "X", "message": "x"}}]');
SELECT play('task', '{"queue": "{{ $input.q }}"}');
SELECT play('task', '{"queue": "{{ $input.q }}"}', '[]', jsonb_build_object('q', repeat('q', 256)));
SELECT play('task', '{"queue": "q", "lease": "{{ $input.l }}"}', '[]', '{"l": "x"}');
SELECT play('task', '{"queue": "q", "lease": "{{ $input.l }} years"}', '[]', '{"l": 299999}');
