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
	DROP ROLE wf_test_gone;
});
my $all = q{
	SELECT 'tenant', t.tenant_id, t.name, t.parent_id, t.quotas FROM wf.tenant t ORDER BY 2;
	SELECT 'member', m.tenant_id, m.role, m.app_role FROM wf.member m WHERE m.role::text <> m.role::oid::text ORDER BY 2, 3::text;
	SELECT 'workflow', w.* FROM wf.workflow w ORDER BY 3;
	SELECT 'version', v.* FROM wf.version v ORDER BY 3, 4;
	SELECT 'block', b.* FROM wf.block b ORDER BY 2, 3;
	SELECT 'run', r.* FROM wf.run r ORDER BY 3;
	SELECT 'segment', s.* FROM wf.segment s ORDER BY 3;
	SET workflow.tenant = 'default';
	SELECT 'steps', run_id, seq, node, status, input, output, error FROM wf_steps ORDER BY 2, 3;
};
my $before = $from->safe_psql('shop', $all);
like($before, qr/segment\|/, 'there is something to keep');

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
	is($to->safe_psql($database, q{SET workflow.tenant = 'default'; SELECT wf_run('w', '{"v": 3}')->>'status', wf_run('w', '{"v": 4}', '{"version": 2}')->'output', wf_run('w', '{"v": 9}', '{"idempotencyKey": "k"}')->'output'}),
		'completed|{"rows": [], "count": 1}|{"v": 1}', "$format: it runs, and knows its keys");
	is($to->safe_psql($database, q{SET workflow.tenant = 'default'; SELECT wf_save('w', '{"nodes": [{"id": "b", "type": "noop"}], "edges": []}')}), '3', "$format: versions go on");
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
