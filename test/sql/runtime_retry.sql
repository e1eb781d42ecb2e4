-- what comes to a run while it fails, and while wf_retry takes it up, is neither lost nor done twice
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
\set lib :root '/lib/faults.psql'
\i :lib
CREATE TABLE effects (id int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE gate (open bool);
INSERT INTO gate VALUES (false);
-- fails while the gate is shut, as late as whoever holds lock 7 lets it
CREATE FUNCTION pass() RETURNS int LANGUAGE plpgsql AS $$ BEGIN
	PERFORM pg_advisory_xact_lock(7);
	IF NOT (SELECT open FROM gate) THEN RAISE 'shut'; END IF;
	RETURN 1; END $$;
CREATE FUNCTION is_quiet() RETURNS bool LANGUAGE sql AS $$ SELECT until('SELECT NOT EXISTS (SELECT FROM wf.queue)') $$;
CREATE FUNCTION is_blocked() RETURNS bool LANGUAGE sql AS $$
	SELECT until($q$SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7 AND NOT granted
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))$q$) $$;

-- a child run that has completed is not begun again, though its parent was failing when it told of that
SELECT wf_save('child', '{"nodes": [{"id": "w", "type": "waitForEvent", "config": {"event": "c"}}, {"id": "a", "type": "db.create", "config": {"table": "effects", "values": {"what": "child"}}}], "edges": [{"source": "w", "target": "a"}]}');
SELECT save('[{"id": "c", "type": "subworkflow", "config": {"workflow": "child", "mode": "child"}}, {"id": "f", "type": "waitForEvent", "config": {"event": "f"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "j", "type": "noop"}]', '[{"source": "f", "target": "x"}, {"source": "x", "target": "j"}, {"source": "c", "target": "j"}]');
-- the run fails while its child completes; what the child said is taken out of what wf_retry would give, as if no worker had
-- looked at it yet
CREATE TABLE said (tenant_id uuid, run_id uuid, role oid, message jsonb);
CREATE PROCEDURE fail_beside_child(INOUT id uuid) LANGUAGE plpgsql AS $$
DECLARE child uuid;
BEGIN
	TRUNCATE effects, said;
	UPDATE gate SET open = false;
	id := wf_start('go');
	COMMIT;
	PERFORM test.stands(id, 'c', 'f');
	SELECT run_id INTO child FROM wf_runs WHERE parent_run_id = id;
	PERFORM test.stands(child, 'w');
	PERFORM pg_advisory_lock(7);
	PERFORM wf_signal(id, 'f');
	COMMIT;
	PERFORM is_blocked();
	PERFORM wf_signal(child, 'c');
	COMMIT;
	PERFORM wf_await(child);
	PERFORM pg_advisory_unlock(7);
	PERFORM wf_await(id);
	PERFORM is_quiet();
	UPDATE gate SET open = true;
	INSERT INTO said SELECT tenant_id, run_id, role, m FROM wf.failed, jsonb_array_elements(state->'last') m WHERE m->>'kind' = '5';
	UPDATE wf.failed SET state = jsonb_set(state, '{last}', (SELECT jsonb_agg(m) FROM jsonb_array_elements(state->'last') m WHERE m->>'kind' <> '5'));
	COMMIT;
END $$;
CREATE FUNCTION say() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(send(tenant_id, run_id, role, 0, (message->>'kind')::int, (message->>'step')::int, message->'payload', 1)) FROM said $$;
-- it comes to the run before the message to go on
CALL fail_beside_child(NULL) \gset
BEGIN;
SELECT wf_retry(:'id')->>'status';
DELETE FROM wf.queue WHERE run_id = :'id';
SELECT say();
COMMIT;
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
-- with it
CALL fail_beside_child(NULL) \gset
BEGIN;
SELECT wf_retry(:'id')->>'status';
SELECT say();
COMMIT;
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
-- after it, since another worker holds it
CALL fail_beside_child(NULL) \gset
SELECT fault('turn.claimed:hold');
SELECT say();
SELECT until($$SELECT fault('?') = ''$$);
SELECT wf_retry(:'id')->>'status';
SELECT test.stands(:'id', 'c');
SELECT fault('');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
-- a child that was cancelled since its parent failed is begun anew, whenever that is told
UPDATE gate SET open = false;
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'c', 'f');
SELECT wf_signal(:'id', 'f');
SELECT test.ends(:'id'), is_quiet();
TRUNCATE effects, said;
INSERT INTO said SELECT tenant_id, run_id, role, m FROM wf.failed, jsonb_array_elements(state->'last') m WHERE m->>'kind' = '5' AND run_id = :'id';
SELECT message#>>'{payload,status}' FROM said;
UPDATE gate SET open = true;
BEGIN;
SELECT say();
SELECT wf_retry(:'id')->>'status';
COMMIT;
SELECT until(format('SELECT EXISTS (SELECT FROM wf_runs WHERE parent_run_id = %L AND status = ''waiting'')', :'id'));
SELECT wf_signal(run_id, 'c') FROM wf_runs WHERE parent_run_id = :'id' AND status = 'waiting';
SELECT test.ends(:'id');
SELECT what, count(*) FROM effects GROUP BY 1;
-- a request that was answered is not sent again
UPDATE gate SET open = false;
SELECT save('[{"id": "c", "type": "http.request", "config": {"url": "https://host.invalid/", "method": "POST"}}, {"id": "f", "type": "waitForEvent", "config": {"event": "f"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "j", "type": "return", "config": {"value": "{{ $node.c.output.status }}"}}]', '[{"source": "f", "target": "x"}, {"source": "x", "target": "j"}, {"source": "c", "target": "j"}]');
CREATE PROCEDURE fail_beside_request(INOUT id uuid) LANGUAGE plpgsql AS $$ BEGIN
	TRUNCATE said;
	UPDATE gate SET open = false;
	id := wf_run('go')->>'run_id';
	-- it is never sent: the answer is the test's
	INSERT INTO said SELECT tenant_id, run_id, role, jsonb_build_object('kind', 8, 'step', step, 'payload', jsonb_build_object('request_id', request_id, 'result', '{"status": 201}'::jsonb)) FROM wf.request;
	DELETE FROM wf.request;
	COMMIT;
	PERFORM wf_signal(id, 'f');
	COMMIT;
	PERFORM wf_await(id);
	UPDATE gate SET open = true;
	COMMIT;
END $$;
CALL fail_beside_request(NULL) \gset
BEGIN;
SELECT wf_retry(:'id')->>'status';
DELETE FROM wf.queue WHERE run_id = :'id';
SELECT say();
COMMIT;
SELECT test.ends(:'id'), test.steps(:'id');
CALL fail_beside_request(NULL) \gset
SELECT fault('turn.claimed:hold');
SELECT say();
SELECT until($$SELECT fault('?') = ''$$);
SELECT wf_retry(:'id')->>'status';
SELECT test.stands(:'id', 'c');
SELECT fault('');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT * FROM test.clean();

-- an event that comes while the segment beside it fails, and one that comes after that
UPDATE gate SET open = false;
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "b"}}, {"id": "c", "type": "waitForEvent", "config": {"event": "c", "correlation": "k"}}, {"id": "j", "type": "return", "config": {"value": "{{ [$node.b.output.payload, $node.c.output.payload] }}"}}]', '[{"source": "a", "target": "x"}, {"source": "x", "target": "j"}, {"source": "b", "target": "j"}, {"source": "c", "target": "j"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b', 'c');
SELECT pg_advisory_lock(7);
SELECT wf_signal(:'id', 'a');
SELECT is_blocked();
SELECT wf_emit('b', '1');
SELECT pg_advisory_unlock(7);
SELECT test.ends(:'id'), is_quiet();
-- the run knows of it, and does not need the buffer
DELETE FROM wf.event;
SELECT wf_emit('c', '0', 'other'), wf_emit('c', '2', 'k'), wf_emit('c', '3', 'k');
-- the keeper has looked who waits for those
UPDATE wf.event SET matched = true;
UPDATE gate SET open = true;
SELECT wf_retry(:'id')->>'status';
SELECT test.ends(:'id');
DELETE FROM wf.event;
SELECT * FROM test.clean();

-- from a named node: what came for the steps beside it is not lost, and what joins both waits for both
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass() + ($1::jsonb->>''payload'')::int", "params": ["{{ $input }}"], "outputFormat": "value"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "b"}}, {"id": "j", "type": "return", "config": {"value": "{{ [$node.x.output.value, $node.b.output.payload] }}"}}]', '[{"source": "a", "target": "x"}, {"source": "x", "target": "j"}, {"source": "b", "target": "j"}]');
UPDATE gate SET open = false;
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
SELECT wf_signal(:'id', 'a', '4');
SELECT test.ends(:'id');
SELECT wf_emit('b', '1');
UPDATE wf.event SET matched = true;
UPDATE gate SET open = true;
SELECT wf_retry(:'id', 'x')->>'status';
SELECT test.ends(:'id'), test.steps(:'id');
DELETE FROM wf.event;
UPDATE gate SET open = false;
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
SELECT pg_advisory_lock(7);
SELECT wf_signal(:'id', 'a', '4');
SELECT is_blocked();
SELECT wf_signal(:'id', 'b', '2');
SELECT pg_advisory_unlock(7);
SELECT test.ends(:'id'), is_quiet();
UPDATE gate SET open = true;
SELECT wf_retry(:'id', 'x')->>'status';
SELECT test.ends(:'id');
UPDATE gate SET open = false;
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a', 'b');
SELECT wf_signal(:'id', 'a', '4');
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id', 'x')->>'status';
SELECT test.stands(:'id', 'b');
SELECT wf_signal(:'id', 'b', '3');
SELECT test.ends(:'id');
-- one whose predecessor has nothing to give begins without
UPDATE gate SET open = false;
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "x", "type": "return", "config": {"value": "{{ $input }}"}}, {"id": "f", "type": "waitForEvent", "config": {"event": "f"}}, {"id": "y", "type": "db.query", "config": {"sql": "SELECT pass()"}}]', '[{"source": "a", "target": "x"}, {"source": "f", "target": "y"}]');
SELECT wf_start('go', '{"k": 1}') AS id \gset
SELECT test.stands(:'id', 'a', 'f');
SELECT wf_signal(:'id', 'f');
SELECT test.ends(:'id');
UPDATE gate SET open = true;
SELECT wf_retry(:'id', 'x')->>'status';
SELECT test.ends(:'id');
SELECT * FROM test.clean();

-- a run that is to pass its gate again does so whatever comes to it, and gets that afterwards, in its order
UPDATE gate SET open = false;
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "a"}}, {"id": "x", "type": "db.query", "config": {"sql": "SELECT pass()"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "b"}}, {"id": "c", "type": "waitForEvent", "config": {"event": "b"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.b.output.payload, $node.c.output.payload] }}"}}]', '[{"source": "a", "target": "x"}, {"source": "x", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "r"}]', '{"maxConcurrency": 1}');
SELECT wf_start('go') AS one \gset
SELECT test.stands(:'one', 'a');
SELECT wf_signal(:'one', 'a');
SELECT test.ends(:'one');
UPDATE gate SET open = true;
SELECT wf_start('go') AS two \gset
SELECT test.stands(:'two', 'a');
SELECT wf_retry(:'one')->>'status';
SELECT wf_signal(:'one', 'b', '1');
SELECT is_quiet();
SELECT wf_signal(:'one', 'b', '2');
SELECT is_quiet();
SELECT run_id = :'two' FROM wf.gate;
SELECT kind, gate FROM wf.held ORDER BY kind, message_id;
SELECT * FROM wf.check_invariants();
SELECT test.steps(:'one');
SELECT wf_signal(:'two', 'a'), wf_signal(:'two', 'b'), wf_signal(:'two', 'b');
SELECT test.ends(:'two') ~ 'completed', test.ends(:'one');
SELECT * FROM test.clean();
-- and can be cancelled there
UPDATE gate SET open = false;
SELECT wf_start('go') AS one \gset
SELECT test.stands(:'one', 'a');
SELECT wf_signal(:'one', 'a');
SELECT test.ends(:'one');
SELECT wf_start('go') AS two \gset
SELECT test.stands(:'two', 'a');
SELECT wf_retry(:'one')->>'status';
SELECT wf_signal(:'one', 'b', '1');
SELECT is_quiet();
SELECT wf_cancel(:'one'), wf_cancel(:'two');
SELECT test.ends(:'one'), test.ends(:'two');
SELECT * FROM test.clean();

-- signals keep their order when the run is paused between them
SELECT save('[{"id": "a", "type": "waitForEvent", "config": {"event": "s"}}, {"id": "b", "type": "waitForEvent", "config": {"event": "s"}}, {"id": "r", "type": "return", "config": {"value": "{{ [$node.a.output.payload, $node.b.output.payload] }}"}}]', '[{"source": "a", "target": "b"}, {"source": "b", "target": "r"}]');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'a');
SELECT wf_pause(:'id');
-- the second one is seen when the run goes on
BEGIN;
SELECT wf_signal(:'id', 's', '1'), wf_signal(:'id', 's', '2');
CREATE TABLE later AS SELECT * FROM wf.queue WHERE sealed->>'payload' = '2';
DELETE FROM wf.queue WHERE sealed->>'payload' = '2';
COMMIT;
SELECT until('SELECT EXISTS (SELECT FROM wf.held)');
BEGIN;
INSERT INTO wf.queue SELECT * FROM later;
SELECT wf_resume(:'id');
COMMIT;
SELECT test.ends(:'id');
-- what was kept back goes with a paused run that is cancelled, also when it is compensated
SELECT save('[{"id": "a", "type": "noop", "compensate": {"node": "u"}}, {"id": "u", "type": "noop"}, {"id": "w", "type": "waitForEvent", "config": {"event": "s"}}]', '[{"source": "a", "target": "w"}]', '{"compensateOnCancel": true}');
SELECT wf_start('go') AS id \gset
SELECT test.stands(:'id', 'w');
SELECT wf_pause(:'id');
SELECT wf_signal(:'id', 's');
SELECT until('SELECT EXISTS (SELECT FROM wf.held)');
SELECT wf_cancel(:'id');
SELECT test.ends(:'id'), test.steps(:'id');
SELECT * FROM test.clean();
