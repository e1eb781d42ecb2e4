-- the audit trail of what is done to runs, and of what runs do, with workers
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
CREATE ROLE wf_test_audit LOGIN; CREATE ROLE wf_test_audit2;
CREATE FUNCTION plain(j jsonb) RETURNS text LANGUAGE sql AS $$ SELECT regexp_replace(j::text, '[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', 'g') $$;
SELECT wf_grant('wf_test_audit', 'default', 'admin'); GRANT USAGE ON SCHEMA test TO wf_test_audit;
SELECT wf_save('w', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "never"}}]}');
SELECT wf_save('fails', '{"nodes": [{"id": "a", "type": "noop"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}], "edges": [{"source": "a", "target": "f"}]}');
SET ROLE wf_test_audit;

-- pause, resume, migrate, cancel: of what was done, not of what there was nothing to do to
SELECT wf_start('w') AS id \gset
SELECT test.stands(:'id', 'e');
SELECT wf_pause(:'id'), wf_migrate(:'id', 1), wf_resume(:'id'), wf_cancel(:'id', 'no need');
SELECT test.ends(:'id');
SELECT wf_cancel(:'id'), wf_pause(gen_random_uuid());
SELECT test.error(format('SELECT wf_migrate(%L, 1)', :'id'));
-- retry
SELECT wf_start('fails') AS failed \gset
SELECT test.ends(:'failed');
SELECT wf_retry(:'failed', NULL, '{"priority": 5}')->>'status';
SELECT test.ends(:'failed');
SELECT action, actor, object_type, object_id IN (:'id', :'failed') AS ours, before, after FROM wf_audit_log WHERE action LIKE 'run.%' ORDER BY seq;

-- what a run does is the deed of the role that it runs as, and is done when its segment is
SELECT wf_save('doer', '{"nodes": [{"id": "s", "type": "db.query", "config": {"sql": "SELECT wf_set_status($1, $2)", "params": ["w", "{{ $input.status }}"]}}, {"id": "f", "type": "if", "config": {"condition": "$trigger.bad"}}, {"id": "x", "type": "fail", "config": {"code": "E", "message": "m"}}], "edges": [{"source": "s", "target": "f"}, {"source": "f", "sourceHandle": "true", "target": "x"}]}');
SELECT wf_start('doer', '{"status": "paused", "bad": false}') AS id \gset
SELECT wf_start('doer', '{"status": "archived", "bad": true}') AS failed \gset
SELECT test.ends(:'id') ~ 'completed', test.ends(:'failed');
SELECT actor, session_role, object_name, after->>'status' FROM wf_audit_log WHERE action = 'workflow.status' ORDER BY seq;
SELECT wf_run('doer', '{"status": "active", "bad": true}')->>'status', wf_dry_run('doer', '{"status": "active", "bad": false}')->>'status', wf_run('doer', '{"status": "active", "bad": false}')->>'status';
SELECT actor, session_role = session_user, object_name, after->>'status' FROM wf_audit_log WHERE action = 'workflow.status' ORDER BY seq;

-- who has a task, and decisions by two, each signed; what is large is in the document by its digest
RESET ROLE; SELECT wf_grant('wf_test_audit2', 'default', 'member'); GRANT USAGE ON SCHEMA test TO wf_test_audit2;
SET ROLE wf_test_audit;
SELECT wf_save('two', '{"nodes": [{"id": "ok", "type": "approval", "config": {"title": "Pay {{ $input.n }}?", "body": "to Ada", "quorum": 2, "form": {"type": "object", "properties": {"why": {"type": "string"}}}}}]}');
SELECT wf_start('two', '{"n": 5}') AS run \gset
SELECT test.stands(:'run', 'ok');
SELECT task_id FROM wf_tasks WHERE run_id = :'run' \gset
SET ROLE wf_test_audit2;
SELECT wf_claim_task(:'task_id'), wf_unclaim_task(:'task_id'), wf_claim_task(:'task_id'), wf_delegate_task(:'task_id', 'wf_test_audit');
SELECT test.error(format('SELECT wf_complete_task(%L, %L)', :'task_id', 'approved'));
SET ROLE wf_test_audit;
SELECT wf_complete_task(:'task_id', 'approved', '{"why": "due"}')->>'status';
SET ROLE wf_test_audit2;
SELECT wf_complete_task(:'task_id', 'rejected', jsonb_build_object('why', repeat('long ', 5000)))->>'status';
SELECT test.ends(:'run') ~ 'completed';
SET ROLE wf_test_audit;
SELECT action, actor, object_type, object_name, before, regexp_replace(plain(after), '"signedAt": "[^"]*"', '"signedAt": "T"'), length(digest) FROM wf_audit_log WHERE object_id = :'task_id' ORDER BY seq;
SELECT task_id = :'task_id', workflow, version, node, title, outcome, data, signed_by, session_role = session_user, digest = encode(sha256(convert_to(document::text, 'UTF8')), 'hex') FROM wf_signatures ORDER BY seq;
SELECT signed_by, outcome, problem FROM wf_verify_signature(:'task_id');
RESET ROLE;
BEGIN; ALTER TABLE wf.audit DISABLE TRIGGER ALL; UPDATE wf.audit SET session_role = 'x' WHERE object_id = :'task_id' AND actor = 'wf_test_audit2'; SELECT signed_by, outcome, problem FROM wf_verify_signature(:'task_id'); ROLLBACK;
SET ROLE wf_test_audit;

-- code that reaches a limit: an entry a minute, with how often it did
RESET ROLE; CREATE FUNCTION clock(seconds float8) RETURNS void LANGUAGE c STRICT AS '$libdir/workflow', 'wf_sql_test_clock'; GRANT EXECUTE ON FUNCTION clock TO wf_test_audit;
SET ROLE wf_test_audit;
SELECT wf_save('over', '{"nodes": [{"id": "c", "type": "code", "config": {"source": "while (true) ;", "limits": {"time": "20ms"}}}]}');
SELECT wf_start('over') AS run \gset
SELECT test.ends(:'run');
SELECT wf_run('over')->>'status', wf_run('over')->>'status', wf_run('over')->>'status';
SELECT clock(61);
SELECT wf_run('over')->>'status';
SELECT clock(0);
SELECT actor, session_role, object_name, after FROM wf_audit_log WHERE action = 'code.refuse' ORDER BY seq;

-- a decision goes to its run, and stays in the trail when the run is long gone
SELECT wf_save('ask', '{"nodes": [{"id": "ok", "type": "approval", "config": {"title": "Pay {{ $input.n }}?"}}]}');
SELECT wf_start('ask', '{"n": 7}') AS run \gset
SELECT test.stands(:'run', 'ok');
SELECT task_id FROM wf_tasks WHERE run_id = :'run' \gset
SELECT wf_complete_task(:'task_id', 'approved', '{"why": "due"}')->>'status';
SELECT test.ends(:'run') ~ 'completed';
RESET ROLE;
DELETE FROM wf.task; DELETE FROM wf.run; DELETE FROM wf.segment;
SELECT run_id = :'run', workflow, version, node, title, outcome, data, signed_by FROM wf_signatures WHERE task_id = :'task_id';
SELECT signed_by, outcome, length(digest), problem FROM wf_verify_signature(:'task_id');
-- it is found changed, whoever made the digest and the hash anew
BEGIN; ALTER TABLE wf.audit DISABLE TRIGGER ALL;
UPDATE wf.audit SET after = after || '{"outcome": "rejected"}' WHERE object_id = :'task_id'; SELECT outcome, problem FROM wf_verify_signature(:'task_id');
UPDATE wf.audit SET digest = sha256(convert_to(after::text, 'UTF8')) WHERE object_id = :'task_id'; SELECT outcome, problem FROM wf_verify_signature(:'task_id');
UPDATE wf.audit a SET hash = (SELECT sha256(convert_to(regexp_replace(l, '^\{"entry": (.*), "hash": "[0-9a-f]{64}", "keyId": \d+, "mac": .*\}$', '\1'), 'UTF8')) FROM wf_export_audit('jsonl', a.seq, a.seq) l) WHERE object_id = :'task_id'; SELECT outcome, problem FROM wf_verify_signature(:'task_id');
UPDATE wf.audit SET key_id = 0, mac = NULL WHERE object_id = :'task_id'; SELECT outcome, problem FROM wf_verify_signature(:'task_id');
UPDATE wf.audit SET digest = NULL, after = NULL WHERE object_id = :'task_id'; SELECT outcome, digest, problem FROM wf_verify_signature(:'task_id');
ROLLBACK;
SELECT * FROM wf_verify_audit();
DROP OWNED BY wf_test_audit;
DROP EXTENSION workflow CASCADE;
DROP OWNED BY wf_test_audit2; DROP ROLE wf_test_audit, wf_test_audit2;
