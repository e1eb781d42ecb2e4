#!/usr/bin/perl
# trigger_cron.pl: a job of pg_cron as a second waker: made with the first schedule, removed with the last, never in the way.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('cron', "cron.database_name = 'postgres'");
$cluster->start;
plan skip_all => 'there is no pg_cron' if $cluster->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'}) eq '0';

sub sql { my ($query, $database) = @_; return $cluster->safe_psql($database // 'postgres', $query) }
sub jobs { return sql(q{SELECT coalesce(string_agg(concat_ws(' ', jobname, schedule, command, database, username, active), ', '), 'none') FROM cron.job}) }

my $job = 'workflow * * * * * SELECT wf.fire_schedules() postgres postgres t';

# pg_cron is not preloaded: schedules are installed all the same
sql(q{
	CREATE EXTENSION workflow;
	CREATE ROLE maker LOGIN;
	CREATE ROLE cronless LOGIN;
	SELECT wf_grant('maker', 'default', 'member');
	CREATE FUNCTION schedule(name text, type text DEFAULT 'trigger.schedule') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'at', 'type', type,
			'config', CASE WHEN type = 'trigger.schedule' THEN '{"cron": "0 0 1 1 *"}'::jsonb ELSE '{}' END)), 'edges', '[]'::jsonb)) $$;
});
# ... what is called so and is not the extension's is not called
sql(q{CREATE SCHEMA cron; CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'fooled'; END $$});
is(sql(q{SET ROLE maker; SELECT schedule('fake')}), '1', 'a function of that name is nothing');
sql(q{SELECT wf_delete('fake'); DROP SCHEMA cron CASCADE});

$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow,pg_cron'");
$cluster->restart;
sql('CREATE EXTENSION pg_cron');
sql(q{CREATE FUNCTION cron.schedule(name, text, text, bool) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RAISE 'fooled'; END $$});

# by whoever makes a schedule, as the owner of the extension
is(sql(q{SET ROLE maker; SELECT schedule('a')}), '1', 'a schedule');
is(jobs(), $job, 'the first one makes the job');
is(sql(q{SET ROLE maker; SELECT schedule('b')}), '1', 'another one');
is(jobs(), $job, 'makes no other');
is(sql(q{SET ROLE maker; SELECT current_user}), 'maker', 'one is who one was');
sql(q{SELECT schedule('a', 'trigger.manual')});
is(jobs(), $job, 'one is left');
sql(q{SET ROLE maker; SELECT wf_set_status('b', 'paused')});
is(jobs(), 'none', 'none is: the job is gone');
sql(q{BEGIN; SELECT wf_set_status('b', 'active'); ROLLBACK});
is(jobs(), 'none', 'rolled back');
sql(q{SELECT wf_set_status('b', 'active'), wf_disable_trigger('b', 'at')});
is(jobs(), 'none', 'disabled');
sql(q{SELECT wf_enable_trigger('b', 'at')});
is(jobs(), $job, 'enabled');

# two at once: the last goes while another one comes
my $client = $cluster->background_psql('postgres');
$client->query_safe(q{BEGIN; SELECT wf_set_status('b', 'paused')});
my $other = $cluster->background_psql('postgres');
$other->query_until(qr/^begun/m, "\\echo begun\nSELECT schedule('c');\n");
ok(until_true($cluster, 'postgres', q{SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)}, 'it waits'), 'the one that comes waits');
$client->query_safe('COMMIT');
$other->query_safe('SELECT 1');
is(jobs(), $job, 'and makes the job');
$_->quit for $client, $other;

# a tenant that is deleted takes its schedules, and with the last one the job
sql(q{SELECT wf_delete('c')});
is(jobs(), 'none', 'no schedule, no job');
sql(q{SELECT wf_create_tenant('gone'); SET workflow.tenant = 'gone'; SELECT schedule('g')});
is(jobs(), $job, 'the job of a schedule of another tenant');
sql(q{SELECT wf_set_tenant_status('gone', 'archived'), wf_delete_tenant('gone')});
ok(until_true($cluster, 'postgres', q{SELECT NOT EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting')}, 'it goes'), 'the tenant is deleted');
is(jobs(), 'none', 'and the job');
sql(q{SELECT schedule('c')});

# the job was removed by hand: that is no reason for an error
sql(q{SELECT cron.unschedule('workflow')});
my ($out, $err);
is($cluster->psql('postgres', q{SELECT wf_delete('c')}, stderr => \$err), 0, 'the last one goes');
like($err, qr/WARNING:  could not remove job "workflow" of pg_cron/, 'with a warning');

# an owner of the extension without rights in pg_cron: a warning
sql(q{UPDATE pg_extension SET extowner = 'cronless'::regrole WHERE extname = 'workflow'});
$cluster->psql('postgres', q{SELECT schedule('d')}, stdout => \$out, stderr => \$err);
is($out, '1', 'the schedule is installed');
like($err, qr/WARNING:  could not make job "workflow" of pg_cron.*may not call the functions of pg_cron.*HINT:  Schedules are fired by the background workers/s, 'and the job is not made');
is(jobs(), 'none', 'there is no job');
sql(q{UPDATE pg_extension SET extowner = 'postgres'::regrole WHERE extname = 'workflow'; SELECT wf_delete('d')});

# who may call it
for my $role ('maker', 'cronless')
{
	$cluster->psql('postgres', "SET ROLE $role; SELECT wf.fire_schedules()", stderr => \$err);
	like($err, qr/permission denied for function fire_schedules/, "$role may not");
}
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/\bleak\b|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
