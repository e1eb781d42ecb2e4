#!/usr/bin/perl
# tenant_workers.pl: workers that are reserved for a tenant: others do not get the last ones, whatever they have in the queue; its runs start
# at once; what is reserved changes while runs are at work, and survives a restart and a crash.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;
use Time::HiRes qw(time sleep);

my $cluster = new_cluster('reserved', 'workflow.max_workers = 3', "workflow.worker_idle_timeout = '1s'");
$cluster->start;
setup($cluster, 'postgres', 'ann', 'bob', 'eve');
setup_hold($cluster, 'postgres');
sub value { return $cluster->safe_psql('postgres', $_[0]) }
sub until_is { return until_true($cluster, 'postgres', @_) }
sub fails { my ($sql, $like, $what) = @_; my ($out, $err); $cluster->psql('postgres', $sql, stdout => \$out, stderr => \$err); return like($err, $like, $what) }
value(q{SELECT wf_create_tenant('premium', '{"reservedWorkers": 1}');
	SELECT wf_use_tenant('premium');
	SELECT wf_save('sql', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT execute($1)", "params": ["{{ $input.sql }}"], "outputFormat": "value"}}], "edges": []}');
	SELECT wf_grant(r, 'premium', 'member') FROM unnest('{ann,bob}'::name[]) r});
# start(role, tenant, sql, n): the id of the first
sub start { my ($role, $tenant, $sql, $n) = @_; $n //= 1; return (split /\n/, value("SET workflow.tenant = '$tenant'; SET ROLE $role; SELECT wf_start_many('sql', array_fill(jsonb_build_object('sql', \$\$$sql\$\$), ARRAY[$n]))"))[0] }
sub ends { my ($tenant, $run) = @_; return value("SET workflow.tenant = '$tenant'; SELECT wf_await('$run', '${deadline}s') ->> 'status'") }
my $workers = q{(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow worker')};
my $busy = q{(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow worker' AND wait_event = 'PgSleep')};
# the launcher has looked at what is asked for several times since
sub launcher_looks { my $before = value('SELECT wakes()'); return until_is("SELECT wakes() > $before + 20", 'the launcher looks') }

# -- who may, and how many --

fails(q{SELECT wf_set_tenant('default', '{"reservedWorkers": 2}')}, qr/cannot reserve 2 workers: others reserve 1, and at least one of 3 must be left for all/, 'one is left for all');
value(q{SELECT wf_set_tenant('default', '{"reservedWorkers": 1}'); SELECT wf_set_tenant('default', '{"reservedWorkers": 0}')});
fails(q{SELECT wf_create_tenant('x', '{"reservedWorkers": 3}')}, qr/cannot reserve 3 workers/, 'of a new one, too');
is(value(q{SELECT string_agg(name || reserved_workers, ' ' ORDER BY name) FROM wf_tenants}), 'default0 premium1', 'how many are reserved');

# -- a flood of one tenant --

start('eve', 'default', 'SELECT hold()', 20);
ok(until_is("SELECT $busy = 2", 'two at work'), 'a flood gets the workers that are for all');
launcher_looks();
is(value("SELECT $workers"), '2', 'and not the last one');
my $begun = time;
my $run = start('bob', 'premium', 'SELECT 1');
is(ends('premium', $run), 'completed', "a run of the tenant's starts at once");
my $took = time - $begun;
ok($took < 20, sprintf('it took %.0f ms', $took * 1000));
is(value("SELECT count(*) FROM wf.run"), '1', 'while none of the others has ended');
is(value("SELECT $busy"), '2', 'they are at work still');
is(ends('premium', start('bob', 'premium', 'SELECT 1')), 'completed', 'another one, by the worker that is there');
# of another role of the tenant: the idle one makes room
is(ends('premium', start('ann', 'premium', 'SELECT 1')), 'completed', 'a run of another role');
# a role that floods as well
start('ann', 'default', 'SELECT 1', 3);
is(ends('premium', start('ann', 'premium', 'SELECT 1')), 'completed', 'a run of a role that has others that wait for a place');
is(value(q{SELECT count(*) FROM wf.queue WHERE tenant_id = '00000000-0000-7000-8000-000000000001'}), '23', 'those wait still');
# more than are reserved
start('bob', 'premium', 'SELECT hold()', 3);
ok(until_is("SELECT $busy = 3", 'three at work'), 'the reserved worker is at work');
launcher_looks();
is(value("SELECT $workers"), '3', 'more of the tenant wait as all do');
value('INSERT INTO go DEFAULT VALUES');
ok(until_is('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all'), 'all come to their end');
value('DELETE FROM go');

# -- what is reserved changes --

value(q{SELECT wf_set_tenant('premium', '{"reservedWorkers": null}')});
start('eve', 'default', 'SELECT hold()', 20);
ok(until_is("SELECT $busy = 3", 'three at work'), 'nothing is reserved: a flood gets all');
value(q{SELECT wf_set_tenant('premium', '{"reservedWorkers": 1}')});
# each ends after the run at hand, which waits
$run = start('bob', 'premium', 'SELECT 1');
launcher_looks();
is(value("SET workflow.tenant = 'premium'; SELECT wf_await('$run', '1 ms') ->> 'status'"), 'queued', 'who has the last place keeps it for the run at hand');
value('INSERT INTO go DEFAULT VALUES');
is(ends('premium', $run), 'completed', 'then it is for the tenant');
ok(until_is('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all'), 'all come to their end');
value('DELETE FROM go');

# -- a tenant that is suspended reserves nothing --

value(q{SELECT wf_set_tenant_status('premium', 'suspended')});
start('eve', 'default', 'SELECT hold()', 20);
ok(until_is("SELECT $busy = 3", 'three at work'), 'a suspended tenant reserves nothing');
value('INSERT INTO go DEFAULT VALUES');
ok(until_is('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all'), 'all come to their end');
value('DELETE FROM go');
value(q{SELECT wf_set_tenant_status('premium', 'active')});

# -- a restart, and a crash: what is in the queue of both --

for my $how ('fast', 'immediate')
{
	start('eve', 'default', 'SELECT hold()', 20);
	ok(until_is("SELECT $busy = 2", 'two at work'), "$how: two at work");
	$cluster->stop($how);
	$cluster->start;
	ok(until_is("SELECT $busy = 2", 'two at work'), "$how: two at work, after a restart");
	is(ends('premium', start('bob', 'premium', 'SELECT 1')), 'completed', "$how: a run of the tenant");
	value('INSERT INTO go DEFAULT VALUES');
	ok(until_is('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all'), "$how: all come to their end");
	value('DELETE FROM go');
}
is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'nothing is left');

# -- gone --

value(q{SELECT wf_set_tenant_status('premium', 'archived'); SELECT wf_delete_tenant('premium')});
ok(until_is(q{SELECT count(*) = 1 FROM wf.tenant}, 'the tenant is gone'), 'the tenant is deleted');
start('eve', 'default', 'SELECT hold()', 20);
ok(until_is("SELECT $busy = 3", 'three at work'), 'it reserves nothing any more');
value('INSERT INTO go DEFAULT VALUES');
ok(until_is('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all'), 'all come to their end');
value('DROP EXTENSION workflow CASCADE');
$cluster->stop;
done_testing();
