#!/usr/bin/perl
# cron.pl: a job of pg_cron that really fires, once a minute: beside the keeper, where no time is fired for twice, and without it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../t";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

$deadline = 300 if $deadline < 300;
my $cluster = new_cluster('cron', "cron.database_name = 'postgres'", 'cron.use_background_workers = on');
$cluster->start;
plan skip_all => 'there is no pg_cron' if $cluster->safe_psql('postgres', q{SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_cron'}) eq '0';
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow,pg_cron'");
$cluster->restart;

sub sql { my ($query) = @_; return $cluster->safe_psql('postgres', $query) }

sub comes
{
	my ($query, $what) = @_;
	return ok(until_true($cluster, 'postgres', $query, $what), $what);
}

my $done = q{SELECT count(*) FROM cron.job_run_details d JOIN cron.job j USING (jobid) WHERE j.jobname = 'workflow' AND d.status = 'succeeded'};
sql(q{
	CREATE EXTENSION workflow;
	CREATE EXTENSION pg_cron;
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	SELECT wf_save('nothing', '{"nodes": [{"id": "n", "type": "noop"}], "edges": []}');
	SELECT wf_save('each', '{"nodes": [{"id": "at", "type": "trigger.schedule", "config": {"cron": "* * * * *", "overlap": "allow"}}], "edges": []}');
});
comes("SELECT count(*) >= 3 AND ($done) >= 2 FROM wf_runs WHERE workflow = 'each'", 'three minutes, with two wakers');
is(sql(q{SELECT count(*) = count(DISTINCT input->>'scheduledAt'), max((input->>'firedAt')::timestamptz - (input->>'scheduledAt')::timestamptz) < '5 s' FROM wf_runs WHERE workflow = 'each'}), 't|t', 'each time once, and in time');
is(sql(q{SELECT count(*) FROM cron.job_run_details WHERE status = 'failed'}), '0', 'no job failed');

# a keeper that hangs
sql(q{SELECT fault('keeper.waits_fired:hold'); SELECT wf_start('nothing', '{}', '{"delay": "0.01 s"}')});
comes("SELECT fault('?') = ''", 'the keeper hangs');
my $before = sql(q{SELECT count(*) FROM wf_runs WHERE workflow = 'each'});
comes("SELECT count(*) >= $before + 2 FROM wf_runs WHERE workflow = 'each'", 'pg_cron fires it');
comes(q{SELECT bool_and(status = 'completed') FROM wf_runs WHERE workflow = 'each'}, 'and it runs');
is(sql(q{SELECT count(*) = count(DISTINCT input->>'scheduledAt') FROM wf_runs WHERE workflow = 'each'}), 't', 'each time once');
sql("SELECT fault('')");
sql("SELECT wf_delete('each')");
is(sql('SELECT count(*) FROM cron.job'), '0', 'the job is gone');
is(sql('SELECT string_agg(problem, E\'\\n\') FROM wf.check_invariants()'), '', 'invariants');
$cluster->stop;
done_testing();
