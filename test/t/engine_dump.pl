#!/usr/bin/perl
# engine_dump.pl: pg_dump and restore keep tenants, members, workflows, versions, blocks, runs and journals; what was
# saved before runs after; a dump restores into a cluster where the extension is new.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $from = PostgreSQL::Test::Cluster->new('from');
$from->init;
$from->start;
$from->safe_psql('postgres', 'CREATE DATABASE shop');
$from->safe_psql('postgres', 'CREATE ROLE wf_test_dump; CREATE ROLE wf_test_gone');
$from->safe_psql('shop', q{
	CREATE EXTENSION workflow;
	CREATE TABLE t (v text);
	CREATE FUNCTION echo(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
	SELECT wf_create_tenant('acme'), wf_create_tenant('lab', '{"parent": "acme", "quotas": {"workflows": 3}}');
	SELECT wf_set_tenant('default', '{"settings": {"contact": "us"}, "quotas": {"workflows": 9}, "reservedWorkers": 0}'), wf_set_tenant_status('lab', 'suspended'), wf_set_http_policy('', '10.0.0.0/8');
	SELECT wf_grant('wf_test_dump', 'acme', 'admin'), wf_grant('wf_test_dump', 'default', 'viewer'), wf_grant('wf_test_gone', 'lab', 'owner');
	SELECT wf_use_tenant('default');
	SELECT wf_register_block('acme.echo', 'echo(jsonb, jsonb)');
	SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}', '{"label": "one", "comment": "first", "description": "of w", "category": "c"}');
	SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "acme.echo"}, {"id": "q", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES ($1)", "params": ["{{ $input.v }}"]}}], "edges": [{"source": "a", "target": "q"}]}', '{"activate": false}');
	SELECT wf_save('bad', '{"nodes": [{"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}], "edges": []}');
	SELECT wf_save('deleted', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}');
	SELECT wf_run('w', '{"v": 1}', '{"idempotencyKey": "k", "tags": ["x"], "correlationId": "c"}'), wf_run('w', '{"v": 2}', '{"version": 2}'), wf_run('bad'), wf_run('deleted');
	SELECT wf_delete('deleted');
	SELECT wf_set_status('bad', 'paused');
	SELECT wf_use_tenant('acme');
	SELECT wf_save('w', '{"nodes": [{"id": "acme", "type": "noop"}], "edges": []}');
	SELECT wf_run('w', '{"of": "acme"}');
	SELECT wf_define_role('operator', '{run:read,run:cancel}'), wf_grant('wf_test_dump', 'acme', 'operator', '{"workflow": "w"}'), wf_grant('wf_test_dump', 'acme', 'viewer', '{"category": "a/b"}');
	DROP ROLE wf_test_gone;
});
# history in partitions, and a row in every table of runs that are alive, of whatever kind
$from->safe_psql('shop', q{
	\ir } . "$ENV{WF_ROOT}/test/lib/store.psql" . q{
	SELECT test.keeper('partitions');
	SELECT test.history('00000000-0000-7000-8000-000000000001', 2, now() + interval '1 h'), test.history('00000000-0000-7000-8000-000000000001', 2, now() + interval '10 d');
	SELECT test.send('00000000-0000-7000-8000-000000000001', '018f0000-0000-7000-8000-000000000001', 10, 1, 0, 0, '{"of": "queue"}', 1);
	INSERT INTO wf.held SELECT q.tenant_id, gen_random_uuid(), q.run_id, q.role, q.priority, q.kind, q.step, q.crashes, q.ready_at, q.workflow_id, q.version, q.payload, q.options, q.sealed, 'g', 3 FROM wf.queue q;
	INSERT INTO wf.gate SELECT q.tenant_id, q.workflow_id, 'g', q.run_id FROM wf.queue q;
	INSERT INTO wf.live (tenant_id, run_id, workflow_id, version, role, priority, status, attempt, queued_at, n_segments, n_steps, state) SELECT tenant_id, gen_random_uuid(), workflow_id, 1, 10, 0, 'waiting', 1, now(), 1, 2, '{"x": 1}' FROM wf.queue;
	INSERT INTO wf.wait SELECT l.tenant_id, l.run_id, 1, 'event', now(), 10, 0, 'e', 'c' FROM wf.live l;
	SELECT wf_emit('e', '{"p": 1}', 'c', 'once');
	INSERT INTO wf.task (tenant_id, task_id, run_id, step, workflow_id, node, kind, quorum, allow_self, status, attempt, max_attempts, started_by, role, priority, created_at) SELECT tenant_id, gen_random_uuid(), run_id, 1, workflow_id, 'n', 'approval', 1, true, 'open', 0, 0, 10, 10, 0, now() FROM wf.live;
	INSERT INTO wf.trigger_stat VALUES ('00000000-0000-7000-8000-000000000001', '018f0000-0000-7000-8000-00000000000a', '2026-01-01 00:00Z', 5, '2026-01-02 00:00Z', 1, '{"code": "WF006", "message": "m"}');
	INSERT INTO wf.debounce VALUES ('00000000-0000-7000-8000-000000000001', '018f0000-0000-7000-8000-00000000000a', '018f0000-0000-7000-8000-00000000000b', 'e', 'c', 3, '2026-01-01 00:00Z', 'infinity', current_user::regrole, 0, '{"x": 1}');
	INSERT INTO wf.failed (tenant_id, run_id, workflow_id, version, role, priority, attempt, n_segments, n_steps, queued_at, failed_at) SELECT tenant_id, run_id, workflow_id, 1, 10, 0, 1, 1, 1, now(), now() FROM wf.live;
	DROP SCHEMA test CASCADE;
});
my $all = q{
	SELECT 'tenant', t.tenant_id, t.name, t.parent_id, t.quotas, t.settings, t.status, t.reserved_workers, t.http_deny FROM wf.tenant t ORDER BY 2;
	SELECT 'member', m.tenant_id, m.role, m.app_role, m.workflow_id, m.category FROM wf.member m WHERE m.role::text <> m.role::oid::text ORDER BY 2, 3::text, 5, 6;
	SELECT 'app_role', r.* FROM wf.app_role r;
	SELECT 'workflow', w.* FROM wf.workflow w ORDER BY 3;
	SELECT 'version', v.* FROM wf.version v ORDER BY 3, 4;
	SELECT 'block', b.* FROM wf.block b ORDER BY 2, 3;
	SELECT 'run', r.* FROM wf.run r ORDER BY 3;
	SELECT 'segment', s.* FROM wf.segment s ORDER BY 3;
	SELECT 'partition', inhrelid::regclass, pg_get_expr(relpartbound, inhrelid), relrowsecurity, relforcerowsecurity FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE inhparent IN ('wf.run'::regclass, 'wf.segment'::regclass) ORDER BY inhrelid::regclass::text;
	SELECT 'index', indexrelid::regclass, indisprimary FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE c.relnamespace = 'wf'::regnamespace ORDER BY indexrelid::regclass::text;
	SELECT 'row', tableoid::regclass::text, count(*) FROM wf.run GROUP BY 2 ORDER BY 2;
	SELECT 'queue', t.* FROM wf.queue t ORDER BY 3;
	SELECT 'held', t.* FROM wf.held t;
	SELECT 'gate', t.* FROM wf.gate t;
	SELECT 'live', t.* FROM wf.live t;
	SELECT 'wait', t.* FROM wf.wait t ORDER BY 3;
	SELECT 'event', t.* FROM wf.event t;
	SELECT 'task', t.* FROM wf.task t;
	SELECT 'idempotency', t.* FROM wf.idempotency t;
	SELECT 'failed', t.* FROM wf.failed t;
	SELECT 'trigger_stat', t.* FROM wf.trigger_stat t;
	SELECT 'debounce', t.* FROM wf.debounce t;
	SELECT 'audit', t.* FROM wf.audit t ORDER BY 2, 3;
	SELECT 'audit_head', t.* FROM wf.audit_head t ORDER BY 2;
	SET workflow.tenant = 'default';
	SELECT 'steps', run_id, seq, node, status, input, output, error FROM wf_steps ORDER BY 2, 3;
};
my $before = $from->safe_psql('shop', $all);
like($before, qr/segment\|/, 'there is something to keep');
like($before, qr/audit\|/, 'and a trail');
my $trails = q{SELECT t.name, v.seq, v.problem FROM wf.tenant t CROSS JOIN LATERAL wf_verify_audit(t.name) v};

my $to = PostgreSQL::Test::Cluster->new('to');
$to->init;
$to->start;
$to->safe_psql('postgres', 'CREATE ROLE wf_test_dump');
for my $format ('plain', 'custom', 'directory')
{
	my $path = $from->basedir . "/dump.$format";
	my $database = "shop_$format";
	$from->command_ok(['pg_dump', '-d', $from->connstr('shop'), '-F', $format, '-f', $path], "$format: dump");
	$to->safe_psql('postgres', "CREATE DATABASE $database");
	if ($format eq 'plain')
	{
		$to->command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $to->connstr($database), '-f', $path], "$format: restore");
	}
	else
	{
		$to->command_ok(['pg_restore', '--exit-on-error', '-d', $to->connstr($database), $path], "$format: restore");
	}
	is($to->safe_psql($database, $all), $before, "$format: all is as it was");
	is($to->safe_psql($database, $trails), '', "$format: audit trails hold");
	is($to->safe_psql($database, q{SET workflow.tenant = 'default'; SELECT wf_run('w', '{"v": 3}')->>'status', wf_run('w', '{"v": 4}', '{"version": 2}')->'output', wf_run('w', '{"v": 9}', '{"idempotencyKey": "k"}')->'output'}),
		'completed|{"rows": [], "count": 1}|{"v": 1}', "$format: it runs, and knows its keys");
	is($to->safe_psql($database, q{SET workflow.tenant = 'default'; SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}], "edges": []}')}), '3', "$format: versions go on");
	is($to->safe_psql($database, q{SELECT action FROM wf.audit WHERE tenant_id = '00000000-0000-7000-8000-000000000001' ORDER BY seq DESC LIMIT 1}) . $to->safe_psql($database, $trails), 'workflow.save', "$format: and so do audit trails");
	is(scalar($to->psql($database, 'TRUNCATE wf.audit')), 3, "$format: which refuse to be changed");
	is($to->safe_psql($database, q{SET ROLE wf_test_dump; SET workflow.tenant = 'acme'; SELECT wf_can('team:manage'), (SELECT string_agg(input->>'of', ' ') FROM wf_runs)}), 't|acme', "$format: members are members");
}

# a dump of the data alone, into a database that has the extension and nothing else
my $path = $from->basedir . '/dump.again';
$to->command_ok(['pg_dump', '-d', $to->connstr('shop_plain'), '-F', 'custom', '-f', $path], 'a restored database is dumped in turn');
$to->safe_psql('postgres', 'CREATE DATABASE again');
$to->command_ok(['pg_restore', '--exit-on-error', '-d', $to->connstr('again'), $path], 'and restored');
is($to->safe_psql('again', $all), $to->safe_psql('shop_plain', $all), 'all is as it was');

# two databases of one cluster have nothing to do with each other
$to->safe_psql('postgres', 'CREATE DATABASE other');
$to->safe_psql('other', 'CREATE EXTENSION workflow');
is($to->safe_psql('other', 'SELECT count(*) FROM wf_workflows'), '0', 'another database knows nothing of it');
is($to->safe_psql('other', q{SELECT wf_save('w', '{"nodes": [{"id": "o", "type": "noop"}], "edges": []}'); SELECT wf_run('w')->>'status'}), "1\ncompleted", 'and has workflows of its own');
$to->safe_psql('other', 'DROP EXTENSION workflow');
is($to->safe_psql('again', q{SET workflow.tenant = 'default'; SELECT wf_run('w')->>'status'}), 'completed', 'a drop there leaves this one alone');
done_testing();
