-- personal data of runs in the background: masked while they are queued, wait, and have ended; erased from those that are alive
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE ROLE wf_test_pii LOGIN;
CREATE ROLE wf_test_pii_reader LOGIN;
CREATE ROLE wf_test_pii_admin LOGIN;
RESET client_min_messages;
SELECT wf_grant('wf_test_pii', 'default', 'member'), wf_grant('wf_test_pii_reader', 'default', 'viewer'), wf_grant('wf_test_pii_admin', 'default', 'admin');
-- tables whose readable columns have a text: as the role that is set
CREATE FUNCTION test.seen(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text; c text; n bigint; found text[] := '{}';
BEGIN
	FOR t IN SELECT oid::regclass FROM pg_class WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname LOOP
		SELECT string_agg(quote_ident(attname) || '::text', ', ') INTO c FROM pg_attribute WHERE attrelid = t::regclass AND attnum > 0 AND NOT attisdropped AND has_column_privilege(t::regclass, attnum, 'SELECT');
		CONTINUE WHEN c IS NULL;
		EXECUTE format('SELECT count(*) FROM (SELECT concat_ws(chr(10), %s) AS r FROM %s) x WHERE r LIKE %L', c, t, '%' || what || '%') INTO n;
		IF n > 0 THEN found := found || t; END IF;
	END LOOP;
	RETURN array_to_string(found, ' ');
END $$;
CREATE FUNCTION seen_by(role text, what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE s text;
BEGIN
	PERFORM set_config('role', role, true);
	s := test.seen(what);
	PERFORM set_config('role', 'none', true);
	RETURN s;
END $$;
GRANT ALL ON SCHEMA test TO PUBLIC;
CREATE FUNCTION say(role text, query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', role, true);
	RETURN QUERY EXECUTE query;
	PERFORM set_config('role', 'none', true);
END $$;
\set in '{"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"email": {"pii": true}}}}}'

-- an approval: the task is masked, the form fits what is real
SELECT save((jsonb_build_array(:'in'::jsonb) || '[{"id": "ask", "type": "approval", "config": {"title": "May {{ $trigger.email }}?", "body": "It is {{ $trigger.email }}", "form": {"properties": {"to": {"const": "{{ $trigger.email }}"}, "phone": {"type": "string"}}}}}, {"id": "r", "type": "return", "config": {"value": "{{ $node.ask.output.data }}"}}]'), '[{"source": "in", "target": "ask"}, {"source": "ask", "sourceHandle": "approved", "target": "r"}]');
SET ROLE wf_test_pii;
SELECT wf_start('go', '{"email": "kim@example.org"}') AS id \gset
RESET ROLE;
SELECT test.stands(:'id', 'ask');
SELECT * FROM say('wf_test_pii_reader', format('SELECT concat_ws(%L, title, body, form) FROM wf_tasks', ' | '));
SELECT * FROM say('wf_test_pii_admin', format('SELECT concat_ws(%L, title, body, form) FROM wf_tasks', ' | '));
SELECT * FROM say('wf_test_pii_reader', format('SELECT concat_ws(%L, input, (SELECT string_agg(concat(s.input, s.output), %L) FROM wf_steps s WHERE s.run_id = r.run_id)) FROM wf_runs r', ' | ', ' '));
SELECT * FROM say('wf_test_pii_admin', format('SELECT input::text FROM wf_runs r'));
SELECT seen_by('wf_test_pii_reader', 'kim@'), seen_by('wf_test_pii', 'kim@'), seen_by('wf_test_pii_admin', 'kim@');
SELECT test.seen('kim@');
SELECT test.error($$SELECT wf_complete_task(task_id, 'approved', '{"to": "lee@example.org"}') FROM wf_tasks WHERE status = 'open'$$);
SELECT wf_complete_task(task_id, 'approved', '{"to": "kim@example.org", "phone": "555-1234"}') ->> 'status' FROM wf_tasks WHERE status = 'open';
SELECT test.ends(:'id');
SELECT * FROM say('wf_test_pii_reader', 'SELECT output::text FROM wf_runs');
SELECT * FROM say('wf_test_pii_reader', format('SELECT wf_await(%L) ->> %L', :'id', 'output'));
SELECT * FROM say('wf_test_pii', format('SELECT wf_await(%L) ->> %L', :'id', 'output'));
SELECT seen_by('wf_test_pii_reader', 'kim@'), seen_by('wf_test_pii', 'kim@'), seen_by('wf_test_pii_admin', 'kim@');

-- starts that wait: in the queue, at a gate, for a time, paused; a poll gives what is real
SELECT save((jsonb_build_array(:'in'::jsonb) || '[{"id": "t", "type": "task", "config": {"queue": "q", "payload": {"mail": "{{ $trigger.email }}"}}}]'), '[{"source": "in", "target": "t"}]', '{"maxConcurrency": 1}');
SELECT wf_start('go', '{"email": "lou@example.org"}') AS a \gset
SELECT test.stands(:'a', 't');
SELECT wf_start('go', '{"email": "lou@example.org"}', '{"env": {"to": "lou@example.org"}, "tags": ["x"]}') AS b \gset
SELECT wf_start('go', '{"email": "lou@example.org"}', '{"delay": "1 h"}') AS c \gset
BEGIN; SELECT wf_start('go', '{"email": "lou@example.org"}') AS d \gset
SELECT wf_pause(:'d'); COMMIT;
SELECT * FROM say('wf_test_pii_admin', 'SELECT concat_ws(chr(32), status, input, tags) FROM wf_runs WHERE finished_at IS NULL ORDER BY queued_at');
SELECT seen_by('wf_test_pii_reader', 'lou@'), seen_by('wf_test_pii_admin', 'lou@');
SELECT payload FROM wf_poll_tasks('q');
SELECT wf_finish_task(task_id, '{"sent": "lou@example.org"}') FROM wf_tasks WHERE status = 'open';
SELECT test.ends(:'a');
SELECT test.stands(:'b', 't');
SELECT * FROM say('wf_test_pii_reader', 'SELECT payload::text FROM wf_tasks WHERE status = ''open''');
SELECT payload FROM wf_poll_tasks('q');
SELECT wf_finish_task(task_id, '{}') FROM wf_tasks WHERE status = 'open';
SELECT test.ends(:'b');
SELECT wf_resume(:'d');
SELECT test.stands(:'d', 't');
SELECT * FROM say('wf_test_pii_admin', 'SELECT concat_ws(chr(32), status, input) FROM wf_runs WHERE finished_at IS NULL ORDER BY queued_at');
SELECT seen_by('wf_test_pii_reader', 'lou@');
SELECT wf_cancel(:'c'), wf_cancel(:'d');
SELECT test.ends(:'c'), test.ends(:'d');
SELECT seen_by('wf_test_pii_reader', 'lou@');
SELECT * FROM say('wf_test_pii_admin', 'SELECT concat_ws(chr(32), status, input) FROM wf_runs WHERE status = ''cancelled'' ORDER BY queued_at');

-- a child run of a workflow that marks nothing knows what is personal; so do branches in workers, and who is told of a failure
SELECT wf_save('child', '{"nodes": [{"id": "s", "type": "set", "config": {"variables": {"line": "for {{ $trigger.to }}"}}}, {"id": "w", "type": "delay", "config": {"duration": "5ms"}}, {"id": "r", "type": "return", "config": {"value": "{{ $vars.line }}"}}], "edges": [{"source": "s", "target": "w"}, {"source": "w", "target": "r"}]}');
SELECT wf_save('told', '{"nodes": [{"id": "e", "type": "trigger.error", "config": {}}, {"id": "n", "type": "noop"}], "edges": [{"source": "e", "target": "n"}]}');
SELECT save((jsonb_build_array(:'in'::jsonb) || '[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "input": {"to": "{{ $trigger.email }}"}, "mode": "child"}}, {"id": "p", "type": "loop", "config": {"items": [1, 2], "mode": "workers"}}, {"id": "v", "parent": "p", "type": "set", "config": {"variables": {"x": "{{ $trigger.email + $item }}"}}}, {"id": "f", "type": "fail", "config": {"code": "NO", "message": "{{ $node.c.output }}"}}]'), '[{"source": "in", "target": "c"}, {"source": "c", "target": "p"}, {"source": "p", "target": "f"}]');
SELECT wf_start('go', '{"email": "mia@example.org"}') AS id \gset
SELECT test.ends(:'id');
SELECT until('SELECT count(*) = 1 FROM wf_runs WHERE workflow = ''told'' AND status = ''completed''');
SELECT * FROM say('wf_test_pii_reader', 'SELECT concat_ws(chr(32), workflow, trigger, regexp_replace(concat_ws(chr(32), input, output), ''[0-9a-f]{8}-[0-9a-f-]{27}'', ''<id>'', ''g'')) FROM wf_runs WHERE started_at > (SELECT started_at FROM wf_runs WHERE status = ''failed'') ORDER BY workflow, trigger, output::text');
SELECT seen_by('wf_test_pii_reader', 'mia@'), seen_by('wf_test_pii_admin', 'mia@');

-- wf_retry and wf_migrate go on with what is real
CREATE TABLE want (what text);
GRANT ALL ON want TO PUBLIC;
SELECT save((jsonb_build_array(:'in'::jsonb) || '[{"id": "q", "type": "db.query", "config": {"sql": "SELECT 1 / (SELECT count(*) FROM want) AS one, $1::text AS mail", "params": ["{{ $trigger.email }}"]}}, {"id": "e", "type": "waitForEvent", "config": {"event": "go on"}}, {"id": "r", "type": "return", "config": {"value": "{{ $trigger.email + $node.e.output.payload }}"}}]'), '[{"source": "in", "target": "q"}, {"source": "q", "target": "e"}, {"source": "e", "target": "r"}]');
SELECT wf_start('go', '{"email": "ned@example.org"}') AS id \gset
SELECT test.ends(:'id');
SELECT seen_by('wf_test_pii_reader', 'ned@'), seen_by('wf_test_pii_admin', 'ned@');
INSERT INTO want VALUES ('x');
SELECT wf_retry(:'id') ->> 'status';
SELECT test.stands(:'id', 'e');
SELECT seen_by('wf_test_pii_reader', 'ned@');
SELECT wf_migrate(:'id', version) FROM wf_versions('go') WHERE active;
SELECT wf_signal(:'id', 'go on', '" ned@example.org"');
SELECT test.ends(:'id');
SELECT * FROM say('wf_test_pii_reader', format('SELECT concat_ws(chr(32), input, output) FROM wf_runs WHERE run_id = %L', :'id'));
SELECT seen_by('wf_test_pii_reader', 'ned@'), seen_by('wf_test_pii_admin', 'ned@');

-- what triggers start: by an event, by a row; a tenant's paths
UPDATE wf.tenant SET settings = '{"piiPaths": ["payload.email", "new.email"]}' WHERE name = 'default';
SELECT wf_save('on event', '{"settings": {"maxConcurrency": 1}, "nodes": [{"id": "on", "type": "trigger.event", "config": {"event": "joined"}}, {"id": "w", "type": "waitForEvent", "config": {"event": "y"}}], "edges": [{"source": "on", "target": "w"}]}');
SELECT wf_emit('joined', '{"email": "pat@example.org"}') AS a, wf_emit('joined', '{"email": "pat@example.org"}') AS b;
SELECT until('SELECT count(*) = 1 FROM wf_runs WHERE workflow = ''on event'' AND status = ''waiting''') AND until('SELECT EXISTS (SELECT FROM wf.held)');
SELECT seen_by('wf_test_pii_reader', 'pat@');
SELECT * FROM say('wf_test_pii_reader', 'SELECT input #>> ''{}'' FROM wf_runs WHERE workflow = ''on event'' AND status = ''queued''');
SELECT count(wf_signal(run_id, 'y')) FROM wf_runs WHERE workflow = 'on event';
SELECT until('SELECT count(*) = 2 FROM wf_runs WHERE workflow = ''on event'' AND status = ''completed''');
SELECT * FROM say('wf_test_pii_reader', 'SELECT input #>> ''{payload}'' FROM wf_runs WHERE workflow = ''on event''');
SELECT * FROM say('wf_test_pii_admin', 'SELECT input #>> ''{payload}'' FROM wf_runs WHERE workflow = ''on event''');
CREATE TABLE person (email text CHECK (email <> 'nobody'));
SELECT wf_save('on row', '{"nodes": [{"id": "on", "type": "trigger.row", "config": {"table": "person", "events": ["insert"], "mode": "async"}}, {"id": "n", "type": "noop"}], "edges": [{"source": "on", "target": "n"}]}');
INSERT INTO person VALUES ('quin@example.org');
SELECT until('SELECT count(*) = 1 FROM wf_runs WHERE workflow = ''on row'' AND status = ''completed''');
SELECT * FROM say('wf_test_pii_reader', 'SELECT input #>> ''{new}'' FROM wf_runs WHERE workflow = ''on row''');
SELECT * FROM say('wf_test_pii_admin', 'SELECT input #>> ''{new}'' FROM wf_runs WHERE workflow = ''on row''');
SELECT wf_set_status('on row', 'archived');
SELECT wf_save('at once', '{"nodes": [{"id": "on", "type": "trigger.row", "config": {"table": "person", "events": ["insert"], "mode": "sync"}}, {"id": "f", "type": "fail", "config": {"code": "NO", "message": "{{ $trigger.new.email }}"}}], "edges": [{"source": "on", "target": "f"}]}');
INSERT INTO person VALUES ('rex@example.org');
SELECT last_error FROM wf_triggers WHERE workflow = 'at once';
SELECT wf_set_status('at once', 'archived');
UPDATE wf.tenant SET settings = '{}' WHERE name = 'default';

-- erased from a run that waits, from one at a gate, from an event that nobody waits for: they go on without
SELECT save((jsonb_build_array(:'in'::jsonb) || '[{"id": "e", "type": "waitForEvent", "config": {"event": "x", "correlation": "{{ $trigger.email }}"}}, {"id": "r", "type": "return", "config": {"value": "{{ $trigger.email + $node.e.output.payload }}"}}]'), '[{"source": "in", "target": "e"}, {"source": "e", "target": "r"}]', '{"maxConcurrency": 1}');
SELECT wf_start('go', '{"email": "oda@example.org"}') AS a, wf_start('go', '{"email": "oda@example.org"}') AS b \gset
SELECT test.stands(:'a', 'e');
SELECT until('SELECT EXISTS (SELECT FROM wf.held)');
SELECT wf_emit('other', '{"of": "oda@example.org"}', 'oda@example.org', 'oda@example.org');
SELECT test.seen('oda@');
SELECT wf_forget('default', NULL, '"oda@example.org"') > 0;
SELECT test.seen('oda@');
SELECT wf_signal(:'a', 'x', '" came"');
SELECT test.ends(:'a');
SELECT test.stands(:'b', 'e');
SELECT wf_signal(:'b', 'x', '" came"');
SELECT test.ends(:'b');
SELECT wf_forget('default', NULL, '"kim@example.org"') > 0, wf_forget('default', NULL, '"lou@example.org"') > 0, wf_forget('default', NULL, '"mia@example.org"') > 0, wf_forget('default', NULL, '"ned@example.org"') > 0;
SELECT test.seen('kim@') || test.seen('lou@') || test.seen('mia@') || test.seen('ned@') || test.seen('oda@');
SELECT * FROM test.clean();
