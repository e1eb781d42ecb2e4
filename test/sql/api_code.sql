-- Who may save code, and what the audit trail has of it.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE regress_wf_admin;
CREATE ROLE regress_wf_member;
CREATE ROLE regress_wf_coder;
CREATE ROLE regress_wf_folder;
CREATE ROLE regress_wf_approver;
CREATE ROLE regress_wf_viewer;
\pset format unaligned
\pset tuples_only on
SELECT wf_create_tenant('t') IS NOT NULL;
SET workflow.tenant = 't';
SELECT wf_define_role('coder', '{workflow:create,workflow:read,workflow:update,workflow:execute,code:write}'), wf_define_role('codes', '{code:write}'), wf_define_role('approver', '{workflow:read,workflow:approve}');
SELECT wf_grant('regress_wf_admin', 't', 'admin'), wf_grant('regress_wf_member', 't', 'member'), wf_grant('regress_wf_coder', 't', 'coder'), wf_grant('regress_wf_viewer', 't', 'viewer'), wf_grant('regress_wf_approver', 't', 'approver'),
	wf_grant('regress_wf_folder', 't', 'member'), wf_grant('regress_wf_folder', 't', 'codes', '{"category": "scripts"}');
RESET workflow.tenant;
CREATE FUNCTION code(id text, source text, rest jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('id', id, 'type', 'code', 'config', jsonb_build_object('source', source)) || rest $$;
CREATE FUNCTION def(VARIADIC nodes jsonb[]) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('nodes', to_jsonb(nodes)) $$;
CREATE FUNCTION noop(id text) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_build_object('id', id, 'type', 'noop') $$;
CREATE FUNCTION state(name text, definition jsonb, options jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE d text; h text; BEGIN RETURN 'version ' || wf_save(name, definition, options);
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT; RETURN concat_ws(E'\n  ', SQLSTATE || ' ' || SQLERRM, d, h); END $$;

-- new code
SET ROLE regress_wf_member;
SELECT state('w', def(code('c', 'return 1')));
SELECT state('w', def(code('c', 'return 1', '{"disabled": true}')));
SELECT state('w', def('{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 2}}', code('c', 'return 1', '{"parent": "l"}')));
SELECT state('w', def(code('c', 'let x = ;')));
-- reading it is no saving
SELECT count(*) FROM wf_validate(def(code('c', 'return 1')));
SELECT wf_can('code:write');
SET ROLE regress_wf_viewer;
SELECT count(*) FROM wf_validate(def(code('c', 'return 1')));
SELECT state('w', def(code('c', 'return 1')));
SET ROLE regress_wf_coder;
SELECT state('w', def(code('c', 'return 1'), noop('a')));
SELECT wf_call('w');

-- what is there may stay: by node and source, of the active and of the latest version
SET ROLE regress_wf_member;
SELECT state('w', def(code('c', 'return 1'), noop('b')));
SELECT state('w', def(code('c', 'return 1', '{"name": "the answer", "timeout": "2s", "disabled": true}'), noop('b')));
SELECT state('w', def(code('c', 'return 1', '{"config": {"source": "return 1", "limits": {"time": "1s"}}}')));
SELECT state('w', def(code('c', 'return 2')));
SELECT state('w', def(code('c', 'return 1 ')));
SELECT state('w', def(code('d', 'return 1')));
SELECT state('w', def(code('c', 'return 1'), code('d', 'return 1')));
SELECT state('v', def(code('c', 'return 1')));
SET ROLE regress_wf_admin;
SELECT state('w', def(code('c', 'return 1'), code('d', 'return 4')), '{"activate": false}');
SELECT name, last_version, active_version FROM wf_workflows;
SET ROLE regress_wf_member;
-- c of the active one, d of the latest
SELECT state('w', def(code('d', 'return 4')), '{"activate": false}');
SELECT state('w', def(code('c', 'return 1')), '{"activate": false}');
-- d is in neither any more, c is in both
SELECT state('w', def(code('d', 'return 4')));
SELECT state('w', def(noop('c')));
SELECT state('w', def(code('c', 'return 1')));
-- an earlier version is chosen, not written
SELECT wf_activate('w', 4);
SELECT state('w', def(code('c', 'return 1'), noop('z')));
-- what was deleted is no version of what has its name now
SET ROLE regress_wf_admin;
SELECT wf_delete('w');
SET ROLE regress_wf_member;
SELECT state('w', def(code('c', 'return 1')));

-- for some workflows only
SET ROLE regress_wf_folder;
SELECT state('in', def(code('c', 'return 1')), '{"category": "scripts/daily"}');
SELECT state('in', def(code('c', 'return 2')));
SELECT state('out', def(code('c', 'return 1')));
SELECT state('out', def(code('c', 'return 1')), '{"category": "office"}');
SELECT state('out', def(noop('a')));
-- the folder is that which the workflow has now
SELECT state('out', def(code('c', 'return 1')), '{"category": "scripts"}');
SET ROLE regress_wf_member;
SELECT state('in', def(code('c', 'return 3')));
SELECT state('in', def(code('c', 'return 2')), '{"category": "office"}');
SET ROLE regress_wf_folder;
SELECT state('in', def(code('c', 'return 3')));

-- expressions beyond the interpreter: the whole definition
SET ROLE regress_wf_member;
SELECT state('full', def(noop('a')) || '{"settings": {"javascript": "full"}}');
SET ROLE regress_wf_admin;
SELECT state('full', def(noop('a')) || '{"settings": {"javascript": "full"}}');
SET ROLE regress_wf_member;
SELECT state('full', def(noop('a')) || '{"settings": {"javascript": "full"}}');
SELECT state('full', def(noop('b')) || '{"settings": {"javascript": "full"}}');
SELECT state('full', def(noop('b')) || '{"settings": {"javascript": null}}');
SELECT state('full', def(noop('b')));
SELECT state('full', def(noop('a')) || '{"settings": {"javascript": "full"}}');

-- who approves it needs no right to write it; what waits for approval is the latest version
RESET ROLE;
SELECT wf_set_tenant('t', '{"settings": {"approval": true}}');
SET ROLE regress_wf_coder;
SELECT state('four', def(code('c', 'return 1')));
SET SESSION AUTHORIZATION regress_wf_approver;
SELECT wf_approve('four', 1);
RESET SESSION AUTHORIZATION;
SET ROLE regress_wf_coder;
SELECT state('four', def(code('c', 'return 2')));
SET ROLE regress_wf_member;
SELECT state('four', def(code('c', 'return 2'), noop('a')));
SELECT state('four', def(code('c', 'return 3')));
SELECT wf_call('four');
RESET ROLE;

-- the trail: what changed, by digests, before and after
SET workflow.tenant = 't';
CREATE FUNCTION named(facts jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_set(facts, '{nodes}', coalesce((SELECT jsonb_object_agg(node, coalesce(s, digest)) FROM jsonb_each_text(facts -> 'nodes') e (node, digest)
		LEFT JOIN unnest(ARRAY['return 1', 'return 2', 'return 4']) s ON digest = encode(sha256(convert_to(s, 'UTF8')), 'hex')), '{}')) $$;
SELECT actor, object_type, object_name, named(before), named(after) FROM wf_audit_log WHERE action = 'code.change' ORDER BY seq;
-- beside that of the save, with the digest of the definition
SELECT count(*) FROM wf_audit_log c LEFT JOIN wf_audit_log s ON s.seq < c.seq AND s.action = 'workflow.save' AND s.digest = c.digest AND s.object_id = c.object_id WHERE c.action = 'code.change' AND s.seq IS NULL;
-- many
SELECT wf_save('many', jsonb_build_object('nodes', (SELECT jsonb_agg(code('c' || i, 'return ' || i)) FROM generate_series(1, 1005) i)), '{"activate": false}');
SELECT object_name, before, after -> 'moreNodes', (SELECT count(*) FROM jsonb_object_keys(after -> 'nodes')) FROM wf_audit_log WHERE action = 'code.change' ORDER BY seq DESC LIMIT 1;
-- limits that are reached: once a minute for a workflow; of what leaves no record, nothing
SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array('{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 3, "onItemError": "continue"}}'::jsonb, code('c', 'for (;;) console.log(1)', '{"parent": "l", "onError": "continue"}'))), '{"activate": false}')
	FROM unnest('{over,other}'::text[]) name;
SELECT wf_dry_run('over', '{}', '{"version": 1}') ->> 'status';
SELECT wf_save('raises', def(code('c', 'for (;;) console.log(1)')), '{"activate": false}');
RESET workflow.tenant;
SELECT wf_set_tenant('t', '{"settings": {"approval": null}}');
SET workflow.tenant = 't';
SELECT wf_activate(w, 1) FROM unnest('{over,other,raises}'::text[]) w;
SELECT wf_call('raises');
BEGIN; SELECT wf_run('raises') ->> 'status'; ROLLBACK;
SELECT wf_call('over') IS NOT NULL, wf_run('over') ->> 'status', wf_run('other') ->> 'status';
SELECT actor = current_user, object_type, object_name, (SELECT status FROM wf_runs WHERE run_id = object_id), after FROM wf_audit_log WHERE action = 'code.refuse' ORDER BY seq;
SELECT * FROM wf_verify_audit();

DROP EXTENSION workflow CASCADE;
DROP ROLE regress_wf_admin, regress_wf_member, regress_wf_coder, regress_wf_folder, regress_wf_approver, regress_wf_viewer;
