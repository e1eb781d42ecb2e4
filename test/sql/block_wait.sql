-- delay, waitUntil, waitForEvent: what is said when they are saved, what they wait for, what they give
CREATE EXTENSION workflow;
\pset format unaligned
\pset tuples_only on
SET timezone = 'UTC';
CREATE FUNCTION test_block(definition jsonb, node text, context jsonb, replies jsonb) RETURNS jsonb
	AS '$libdir/workflow', 'wf_sql_test_block' LANGUAGE C STRICT;
CREATE FUNCTION one(type text, config jsonb, edges text DEFAULT '[]') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'n', 'type', type, 'config', config), '{"id": "m", "type": "noop"}'::jsonb), 'edges', edges::jsonb) $$;
CREATE FUNCTION wrong(type text, config jsonb, edges text DEFAULT '[]') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', severity, code, path, message, hint) FROM wf_validate(one(type, config, edges)) $$;
CREATE FUNCTION play(type text, config jsonb, replies text DEFAULT '[]', input jsonb DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT (e #- '{state}')::text FROM jsonb_array_elements(test_block(one(type, config), 'n', jsonb_build_object('input', input), replies::jsonb)) e $$;

SELECT type, ports, suspends, (SELECT array_agg(k ORDER BY k COLLATE "C") FROM jsonb_object_keys(config_schema->'properties') k) FROM wf_blocks() WHERE type IN ('delay', 'waitUntil', 'waitForEvent') ORDER BY type COLLATE "C";

-- delay
SELECT wrong('delay', '{}');
SELECT wrong('delay', '{"duration": "soon"}');
SELECT wrong('delay', '{"duration": -1}');
SELECT wrong('delay', '{"duration": "-1 day"}');
SELECT wrong('delay', '{"duration": null}');
SELECT wrong('delay', '{"duration": "{{ $input.d }}"}');
SELECT wrong('delay', '{"duration": 5, "for": 1}');
SELECT play('delay', '{"duration": "5 minutes"}');
SELECT play('delay', '{"duration": "PT1H30M"}');
SELECT play('delay', '{"duration": 90}');
SELECT play('delay', '{"duration": "{{ $input.days }} days"}', '[]', '{"days": 30}');
SELECT play('delay', '{"duration": "{{ $input.days }}"}', '[]', '{"days": null}');
SELECT play('delay', '{"duration": "{{ $input.days }}"}', '[]', '{"days": "x"}');
SELECT play('delay', '{"duration": "{{ $input.days }} years"}', '[]', '{"days": 299999}');
-- nothing to wait for
SELECT e->>'port', (e#>>'{output,until}')::timestamptz BETWEEN now() - interval '1 min' AND clock_timestamp() FROM jsonb_array_elements(test_block(one('delay', '{"duration": 0}'), 'n', '{}', '[]')) e;
-- what it gives is the time that was set when it began
SELECT e->>'wait', e->>'port', (e#>>'{output,until}')::timestamptz - now() BETWEEN interval '59 min' AND interval '61 min' FROM jsonb_array_elements(test_block(one('delay', '{"duration": 3600}'), 'n', '{}', '[{"output": null}]')) e;
SELECT play('delay', '{"duration": 3600}', '[{"state": {"until": 0}}, {"output": null}]');
SELECT play('delay', '{"duration": 3600}', '[{"state": {"branches": {}}}, {"output": null}]');

-- waitUntil: a date is UTC's, a date-time without offset that of the session
SELECT wrong('waitUntil', jsonb_build_object('time', t)) FROM unnest(ARRAY['2030-01-01', '2030-01-01T08:00', '2030-01-01T08:00:00.5Z', '2030-01-01T08:00:00+05:30', '2030-01-01 08:00:00.123456+00', '{{ $input.t }}', 'at {{ $input.t }}']) t;
SELECT wrong('waitUntil', jsonb_build_object('time', t)) FROM unnest(ARRAY['', 'tomorrow', '2030-13-01', '2030-02-30', '2030-01-01T25:00', '01/02/2030', '2030-01-01T08:00+99:00', '+275761-01-01', 'infinity', '-100000-01-01T00:00:00Z', repeat('2', 100)]) t;
SELECT wrong('waitUntil', '{"time": 1893456000000}');
SELECT wrong('waitUntil', '{}');
CREATE FUNCTION until(t text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', e->>'wait', '2000-01-01 00:00Z'::timestamptz + make_interval(secs => (e#>>'{state,until}')::numeric / 1000000))
	FROM jsonb_array_elements(test_block(one('waitUntil', '{"time": "{{ $input }}"}'), 'n', jsonb_build_object('input', t), '[]')) e $$;
SELECT until(t) FROM unnest(ARRAY['2230-01-01', '2230-07-01T08:00', '2230-01-01T08:00:00.5Z', '2230-01-01T08:00:00+05:30', '2230-01-01 08:00:00.123456+00', '2230-01-01T24:00', '+002230-01-01T00:00:00Z']) t;
SET timezone = 'Europe/Paris';
SELECT until(t) FROM unnest(ARRAY['2230-01-01', '2230-07-01T08:00', '2230-01-01T08:00:00.5Z', '2230-07-01 08:00:00+02']) t;
SELECT play('waitUntil', '{"time": "2230-07-01T08:00"}', '[{"output": null}]') OFFSET 1;
SET timezone = 'UTC';
-- what has passed is not waited for
SELECT play('waitUntil', '{"time": "2020-07-01T08:00:00.25Z"}');
SELECT play('waitUntil', '{"time": "{{ $now.plus(\"2 hours\") }}"}');
SELECT play('waitUntil', '{"time": "{{ new Date(Date.now() + 60000) }}"}');
SELECT play('waitUntil', '{"time": "{{ 4102444740000 + 60000 }}"}');
SELECT play('waitUntil', '{"time": "{{ $input.t }}"}');
SELECT play('waitUntil', '{"time": "{{ $input.t }}"}', '[]', '{"t": "next week"}');

-- waitForEvent
SELECT wrong('waitForEvent', '{}');
SELECT wrong('waitForEvent', '{"event": "", "correlation": [1], "timeout": "late"}');
SELECT wrong('waitForEvent', jsonb_build_object('event', repeat('ä', 128), 'correlation', repeat('x', 1001)));
SELECT wrong('waitForEvent', '{"event": "paid", "correlation": "{{ $input.id }}", "timeout": "{{ $input.t }}"}', '[{"source": "n", "sourceHandle": "timeout", "target": "m"}]');
SELECT play('waitForEvent', '{"event": "paid"}', '[{"output": {"amount": 5}}]');
SELECT play('waitForEvent', '{"event": "paid"}', '[{"output": null}]');
SELECT play('waitForEvent', '{"event": "paid-{{ $input.c }}", "correlation": "{{ $input.id }}", "timeout": "2 days"}', '[{"timedOut": true}]', '{"c": "eu", "id": 12345678901234567890.50}');
SELECT play('waitForEvent', '{"event": "paid", "correlation": "{{ $input.id }}", "timeout": 0}', '[]', '{"id": true}');
SELECT play('waitForEvent', '{"event": "paid", "correlation": "{{ $input.id }}", "timeout": null}', '[]', '{"id": null}');
SELECT play('waitForEvent', '{"event": "paid", "correlation": ""}');
SELECT play('waitForEvent', '{"event": "paid", "correlation": "{{ $input.id }}"}', '[]', '{"id": {"a": 1}}');
SELECT play('waitForEvent', '{"event": "{{ $input.e }}"}', '[]', '{"e": null}');
SELECT play('waitForEvent', '{"event": "{{ $input.e }}"}', '[]', '{"e": 5}');
SELECT play('waitForEvent', '{"event": "{{ $input.e }}"}', '[]', jsonb_build_object('e', repeat('e', 256)));
SELECT play('waitForEvent', '{"event": "e", "correlation": "{{ $input.c }}"}', '[]', jsonb_build_object('c', repeat('c', 1001)));
SELECT play('waitForEvent', '{"event": "e"}', '[{"error": {"code": "X", "message": "x"}}]');
