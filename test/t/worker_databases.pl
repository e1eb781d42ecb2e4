#!/usr/bin/perl
# worker_databases.pl: more databases with the extension than the server may have processes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('databases', "max_worker_processes = 5\nworkflow.max_workers = 2");
$cluster->start;
my @names = map { "many$_" } 1 .. 12;
for my $name (@names)
{
	$cluster->safe_psql('postgres', "CREATE DATABASE $name");
	$cluster->safe_psql(
		$name, q{CREATE EXTENSION workflow;
		SELECT wf_save('waits', '{"nodes": [{"id": "w", "type": "delay", "config": {"duration": 0.2}}]}')});
}
$cluster->safe_psql($_, "SELECT wf_start('waits')") for @names;
for my $name (@names)
{
	ok(until_true($cluster, $name, q{SELECT status = 'completed' FROM wf_runs}, "the run of $name"),
		"the run of $name waits and goes on");
}
# a time ahead: nobody needs to be there until then
$cluster->safe_psql('many1', q{SELECT wf_start('waits', '{}', '{"delay": "2 s"}')});
$cluster->safe_psql($_, "SELECT wf_start('waits')") for @names;
ok(until_true($cluster, 'many1', q{SELECT count(*) = 3 FROM wf_runs WHERE status = 'completed'}, 'the delayed run'),
	'a run that starts later is not forgotten by who makes room');
# with room for all, a server that begins has all of them looked at, and does not wait for something to happen, nor for those
# that cannot be looked at
$cluster->safe_psql($_, 'ALTER TABLE wf.wait RENAME TO broken') for @names[0, 1];
$cluster->append_conf('postgresql.conf', 'max_worker_processes = 20');
$cluster->restart;
ok(until_true($cluster, 'postgres', q{SELECT count(*) = 12 FROM pg_stat_activity WHERE backend_type = 'workflow keeper' AND datname ~ '^many'}, 'the keepers'),
	'a server that begins has a keeper for each database');
$cluster->safe_psql('postgres', "DROP DATABASE $_") for @names;
$cluster->stop;
done_testing();
