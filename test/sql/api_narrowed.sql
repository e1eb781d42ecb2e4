-- Rights that are narrowed to a workflow, or to a folder of workflows: what their holders may do and see, and what they are told of the
-- others, which is what they are told of what does not exist.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
CREATE ROLE regress_wf_folder LOGIN;
CREATE ROLE regress_wf_one LOGIN;
CREATE ROLE regress_wf_mixed LOGIN;
CREATE ROLE regress_wf_admin LOGIN;
CREATE ROLE regress_wf_above LOGIN;
CREATE FUNCTION u(n int) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
\pset format unaligned
\pset tuples_only on
\pset null -
SELECT wf_create_tenant('t') IS NOT NULL, wf_create_tenant('s') IS NOT NULL;
SELECT wf_use_tenant('t');
SELECT wf_save(name, '{"nodes": [{"id": "a", "type": "return", "config": {"value": 1}}, {"id": "on", "type": "trigger.event", "config": {"event": "e"}}], "edges": [{"source": "on", "target": "a"}]}', jsonb_strip_nulls(jsonb_build_object('category', category)))
	FROM (VALUES ('pay', 'finance/pay'), ('books', 'finance'), ('mail', 'office'), ('other', 'financex'), ('none', NULL)) w (name, category);
SELECT name, wf_run(name) ->> 'status' FROM wf_workflows ORDER BY name;
SELECT wf_grant('regress_wf_folder', 't', 'member', '{"category": "finance"}'), wf_grant('regress_wf_one', 't', 'member', '{"workflow": "mail"}'),
	wf_grant('regress_wf_mixed', 't', 'viewer'), wf_grant('regress_wf_mixed', 't', 'member', '{"workflow": "mail"}'), wf_grant('regress_wf_mixed', 't', 'admin', '{"category": "finance/pay"}'),
	wf_grant('regress_wf_admin', 't', 'admin', '{"category": "finance"}');
SELECT role, app_role, options FROM wf_members WHERE role LIKE 'regress%' ORDER BY role, options;
RESET workflow.tenant;

-- -- what they see
CREATE FUNCTION seen() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', current_user, wf_current_tenant(), 'workflows ' || (SELECT string_agg(name, ' ' ORDER BY name) FROM wf_workflows), 'runs ' || (SELECT string_agg(workflow, ' ' ORDER BY workflow) FROM wf_runs),
		'steps ' || (SELECT count(*) FROM wf_steps), 'segments ' || (SELECT count(*) FROM wf_segments), 'triggers ' || (SELECT string_agg(workflow, ' ' ORDER BY workflow) FROM wf_triggers), 'versions ' || (SELECT count(*) FROM wf.version),
		'fired ' || (SELECT count(*) FROM wf.fired()), 'secrets ' || (SELECT count(*) FROM wf_secrets)) $$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO PUBLIC;
SET ROLE regress_wf_folder; SELECT seen();
SET ROLE regress_wf_one; SELECT seen();
SET ROLE regress_wf_mixed; SELECT seen();
SET ROLE regress_wf_admin; SELECT seen();
SET ROLE regress_wf_above; SELECT seen();

-- -- what they may do, by name
SET ROLE regress_wf_folder;
SELECT wf_run('pay') ->> 'status', wf_call('books'), wf_dry_run('pay') ->> 'status';
SELECT wf_run('mail');
SELECT wf_run('maul');
SELECT wf_run('mail', '{}', '{"version": 7}');
SELECT wf_run('other');
SELECT wf_run('none');
SELECT wf_call('mail'); SELECT wf_dry_run('mail'); SELECT wf_explain('mail'); SELECT wf_versions('mail'); SELECT wf_next_runs('mail');
SELECT wf_activate('mail', 1); SELECT wf_set_status('mail', 'paused'); SELECT wf_delete('mail'); SELECT wf_disable_trigger('mail', 'on');
SELECT wf_activate('pay', 1), wf_disable_trigger('pay', 'on'), wf_enable_trigger('pay', 'on'), count(*) FROM wf_versions('pay');
SELECT wf_delete('pay');
SELECT wf_can('workflow:execute'), wf_can('workflow:execute', 'pay'), wf_can('workflow:execute', 'mail'), wf_can('workflow:execute', 'maul'), wf_can('workflow:delete', 'pay'), wf_can('team:manage', 'pay');
SET ROLE regress_wf_mixed;
SELECT wf_run('mail') ->> 'status', wf_run('pay') ->> 'status';
SELECT wf_run('books');
SELECT wf_delete('mail');
SELECT wf_can('workflow:read'), wf_can('workflow:read', 'maul'), wf_can('workflow:delete', 'pay'), wf_can('workflow:delete', 'mail');

-- saving: in the folder, and not out of it
SET ROLE regress_wf_folder;
SELECT wf_save('new', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "finance/new"}');
SELECT wf_save('newer', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "financex"}');
SELECT wf_save('newer', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('pay', '{"nodes": [{"id": "a", "type": "noop"}]}'), wf_save('pay', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"category": "finance/pay/more"}');
SELECT wf_save('pay', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "office"}');
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "finance"}');
SET ROLE regress_wf_one;
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "noop"}]}', '{"category": "office"}');
SELECT wf_save('mail', '{"nodes": [{"id": "b", "type": "noop"}]}', '{"category": "finance"}');
SELECT wf_save('own', '{"nodes": [{"id": "a", "type": "noop"}]}');

-- no way to the others through what is one's own: a sub-workflow, a compensation, being told of failures
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "subworkflow", "config": {"workflow": "books"}}]}');
SELECT wf_run('mail') #>> '{error,code}', wf_run('mail') #>> '{error,message}';
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "subworkflow", "config": {"workflow": "boks"}}]}');
SELECT wf_run('mail') #>> '{error,code}', wf_run('mail') #>> '{error,message}';
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "trigger.error"}]}');
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "trigger.error", "config": {"workflows": ["mail", "books"]}}]}');
SELECT wf_save('mail', '{"nodes": [{"id": "a", "type": "noop"}]}');
SET ROLE regress_wf_folder;
SELECT wf_save('pay', '{"nodes": [{"id": "a", "type": "subworkflow", "config": {"workflow": "books"}}]}'), wf_call('pay');
SELECT wf_save('pay', '{"nodes": [{"id": "a", "type": "trigger.error", "config": {"workflows": ["books"]}}]}');

-- webhooks: those of others are not there; a path of theirs is taken, and no more is said of it
RESET ROLE;
SELECT wf_use_tenant('t'), wf_save('mail', '{"nodes": [{"id": "w", "type": "trigger.webhook", "config": {"path": "/mail", "respond": "whenDone", "auth": {"type": "none"}}}, {"id": "r", "type": "return", "config": {"value": "mail"}}], "edges": [{"source": "w", "target": "r"}]}');
RESET workflow.tenant;
SET ROLE regress_wf_folder;
SELECT wf_save('pay', '{"nodes": [{"id": "w", "type": "trigger.webhook", "config": {"path": "/pay", "auth": {"type": "none"}}}, {"id": "r", "type": "return", "config": {"value": "pay"}}], "edges": [{"source": "w", "target": "r"}]}');
SELECT u, wf_webhook('/t/' || u, 'POST', '{}', '') ->> 'status' FROM unnest('{mail,maul}'::text[]) u;
SELECT wf_save('pay', '{"nodes": [{"id": "w", "type": "trigger.webhook", "config": {"path": "/mail", "auth": {"type": "none"}}}]}');
SET ROLE regress_wf_one;
SELECT u, wf_webhook('/t/' || u, 'POST', '{}', '') ->> 'status' FROM unnest('{mail,pay}'::text[]) u;
SET ROLE regress_wf_mixed;
SELECT wf_save('pay', '{"nodes": [{"id": "w", "type": "trigger.webhook", "config": {"path": "/mail", "auth": {"type": "none"}}}]}');
SET ROLE regress_wf_folder;

-- what is of the whole tenant
SELECT wf_emit('e');
SELECT wf_register_block('acme.x', 'seen()'); SELECT wf_limit_host('example.com', 1);
SET ROLE regress_wf_admin;
SELECT wf_grant('regress_wf_admin', 't', 'viewer'); SELECT wf_define_role('x', '{run:read}'); SELECT wf_set_secret('s', 'v'); SELECT wf_create_tenant('x', '{"parent": "t"}');
SELECT wf_can('team:manage'), wf_can('team:manage', 'pay'), wf_can('code:write', 'pay');
SELECT count(*) > 20 FROM wf_blocks();
SELECT wf_eval('1 + 1'), count(*) FROM wf_validate('{"nodes": [{"id": "a", "type": "noop"}]}');

-- -- runs and tasks; in a transaction that nobody sees, so that no worker deals with what is sent
RESET ROLE;
\set ON_ERROR_ROLLBACK on
BEGIN;
SET workflow.tenant = 't';
INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps)
	SELECT tenant_id, u(n), workflow_id, 1, 'regress_wf_folder', 0, 'waiting', 1, now(), 0, 0 FROM wf_workflows JOIN wf.workflow USING (workflow_id) JOIN (VALUES ('pay', 1), ('mail', 2)) v (w, n) ON v.w = wf_workflows.name;
INSERT INTO wf.wait (tenant_id, run_id, step, kind, wake_at, role, priority) SELECT tenant_id, run_id, 0, 'time', '2100-01-01', role, 0 FROM wf.live;
INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, queue, payload, quorum, allow_self, outcomes, status, attempt, max_attempts, started_by, role, priority, created_at)
	SELECT tenant_id, u(n), run_id, 3, workflow_id, 'work', kind, CASE kind WHEN 'task' THEN 'q' END, '{}', 1, true, '{ok}', 'open', 0, 0, 10, 10, 0, now()
	FROM wf.live JOIN (VALUES (1, 'task', 11), (2, 'task', 12), (1, 'approval', 21), (2, 'approval', 22)) v (r, kind, n) ON run_id = u(r);
RESET workflow.tenant;
SET ROLE regress_wf_folder;
SELECT run_id, workflow, status, wake_at FROM wf_runs WHERE status = 'waiting';
SELECT task_id, workflow FROM wf_tasks ORDER BY 1;
SELECT wf_await(u(1), '0') ->> 'status'; SELECT wf_await(u(2), '0'); SELECT wf_await(u(3), '0');
SELECT wf_cancel(u(2)), wf_pause(u(2)), wf_resume(u(2)), wf_signal(u(2), 'e'), wf_cancel(u(3)), wf_pause(u(3)), wf_resume(u(3)), wf_signal(u(3), 'e'), wf_signal(u(1), 'e');
SELECT wf_migrate(u(2), 1); SELECT wf_migrate(u(3), 1);
SELECT task_id FROM wf_poll_tasks('q', 10);
SELECT wf_finish_task(u(12), '{}'), wf_heartbeat(u(12)), wf_fail_task(u(12), '{}'), wf_claim_task(u(22)), wf_comment_task(u(22), 'x'), wf_finish_task(u(11), '{}'), wf_claim_task(u(21)), wf_comment_task(u(21), 'x');
SELECT wf_complete_task(u(22), 'ok'); SELECT wf_complete_task(u(23), 'ok'); SELECT wf_complete_task(u(21), 'ok') ->> 'status';
SELECT wf_cancel(u(1));
-- who may read a run is told what is missing
SET ROLE regress_wf_mixed;
SELECT wf_cancel(u(1)), wf_cancel(u(2));
RESET ROLE;
INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps)
	SELECT tenant_id, u(4), workflow_id, 1, 'regress_wf_folder', 0, 'waiting', 1, now(), 0, 0 FROM wf.workflow WHERE name = 'books';
UPDATE wf.task SET workflow_id = l.workflow_id, run_id = u(4), status = 'open' FROM wf.live l WHERE l.run_id = u(4) AND task_id = u(22);
SET ROLE regress_wf_mixed;
SELECT wf_cancel(u(4)); SELECT wf_signal(u(4), 'e'); SELECT wf_complete_task(u(22), 'ok');
ROLLBACK;

-- -- granting
RESET ROLE;
SELECT wf_grant('regress_wf_one', 't', 'owner', '{"workflow": "mail"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"workflow": "mail", "category": "office"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"workflow": "maul"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"workflows": "mail"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"workflow": 1}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"category": "/office"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"category": "office/"}');
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"category": ""}');
SELECT wf_use_tenant('t'), wf_define_role('manager', '{team:manage}');
SELECT wf_grant('regress_wf_one', 't', 'manager', '{"workflow": "mail"}');
-- again: another role for the same; one more; one less; none
SELECT wf_grant('regress_wf_one', 't', 'viewer', '{"workflow": "mail"}'), wf_grant('regress_wf_one', 't', 'viewer', '{"category": "finance/pay"}'), wf_grant('regress_wf_one', 't', 'viewer', NULL);
SELECT app_role, options FROM wf_members WHERE role = 'regress_wf_one' ORDER BY options;
SELECT wf_revoke('regress_wf_one', 't', '{"category": "finance/pay"}');
SELECT wf_revoke('regress_wf_one', 't', '{"category": "finance/pay"}');
SELECT wf_revoke('regress_wf_one', 't', '{"workflow": "books"}');
SELECT app_role, options FROM wf_members WHERE role = 'regress_wf_one' ORDER BY options;
SELECT wf_revoke('regress_wf_one', 't');
SELECT count(*) FROM wf_members WHERE role = 'regress_wf_one';
SET ROLE regress_wf_one; RESET workflow.tenant; SELECT seen(); SELECT wf_run('mail'); RESET ROLE;

-- a workflow that gets the name of a deleted one is another; its history stays for those who could read it
SELECT wf_use_tenant('t'), wf_grant('regress_wf_one', 't', 'member', '{"workflow": "none"}');
SELECT wf_delete('none'), wf_save('none', '{"nodes": [{"id": "a", "type": "noop"}]}');
SET ROLE regress_wf_one; RESET workflow.tenant; SELECT seen(); SELECT wf_run('none'); SELECT options FROM wf_members WHERE role = 'regress_wf_one'; RESET ROLE;
SELECT wf_revoke('regress_wf_one', 't', '{"workflow": "none"}');
-- a workflow that changes its category goes from one's hands to another's
SELECT wf_use_tenant('t'), wf_save('mail', '{"nodes": [{"id": "z", "type": "noop"}]}', '{"category": "finance/mail"}');
SET ROLE regress_wf_folder; RESET workflow.tenant; SELECT wf_run('mail') ->> 'status'; RESET ROLE;
-- a narrowed membership takes nothing from who has more from above
SELECT wf_create_tenant('u', '{"parent": "t"}') IS NOT NULL, wf_grant('regress_wf_above', 't', 'admin');
SELECT wf_use_tenant('u'), wf_save('deep', '{"nodes": [{"id": "a", "type": "noop"}]}'), wf_grant('regress_wf_above', 'u', 'viewer', '{"workflow": "deep"}');
SET ROLE regress_wf_above; SELECT wf_can('team:manage'), wf_run('deep') ->> 'status'; RESET workflow.tenant; RESET ROLE;
-- a member of two tenants, in one of them for one workflow only, has to choose
SELECT wf_grant('regress_wf_folder', 's', 'viewer');
SET ROLE regress_wf_folder; SELECT wf_run('pay');
RESET ROLE;

DROP EXTENSION workflow;
DROP ROLE regress_wf_folder, regress_wf_one, regress_wf_mixed, regress_wf_admin, regress_wf_above;
