#!/usr/bin/perl
# worker_processes.pl: the launcher, keepers and workers come and go as databases, extensions, settings and the server do.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WorkerTest;

my $cluster = new_cluster('processes', "workflow.worker_idle_timeout = '1h'");
$cluster->start;
sub shows
{
	my ($want, $what) = @_;
	my $end = time + $WorkerTest::deadline;
	my $have = '';
	while (time < $end)
	{
		$have = processes($cluster);
		last if $have eq $want;
		sleep(0.02);
	}
	is($have, $want, $what);
}

# extensions come and go
shows('launcher', 'a server without the extension has the launcher alone');
setup($cluster, 'postgres', 'alice');
shows('launcher, keeper of postgres', 'CREATE EXTENSION brings a keeper');
my $run = $cluster->safe_psql('postgres', "SELECT send('alice', 'INSERT INTO mark VALUES (current_user || session_user)')");
is(outcome($cluster, 'postgres', $run), 'completed ', 'a run is executed');
is($cluster->safe_psql('postgres', 'SELECT v FROM mark'), 'alicealice', 'as its role');
shows('worker of postgres for alice, launcher, keeper of postgres', 'by a worker of that role');
$cluster->safe_psql('postgres', 'BEGIN; DROP EXTENSION workflow CASCADE; ROLLBACK');
shows('launcher, keeper of postgres', 'a DROP EXTENSION that is rolled back: the keeper is there again');
$run = $cluster->safe_psql('postgres', "SELECT send('alice', 'SELECT 1')");
is(outcome($cluster, 'postgres', $run), 'completed ', 'and runs are executed');
$cluster->safe_psql('postgres', 'DROP EXTENSION workflow CASCADE; DROP TABLE mark; DROP FUNCTION execute; DROP FUNCTION IF EXISTS wakes()');
shows('launcher', 'DROP EXTENSION sends them away');
$cluster->safe_psql('postgres', 'DROP FUNCTION IF EXISTS cancel(uuid); DROP FUNCTION IF EXISTS send(text, text, int); DROP VIEW IF EXISTS log');
$cluster->safe_psql('postgres', 'CREATE SCHEMA other; SET search_path = other; CREATE EXTENSION workflow SCHEMA other');
shows('launcher, keeper of postgres', 'created again, elsewhere');
$cluster->safe_psql('postgres', 'DROP SCHEMA other CASCADE');
shows('launcher', 'dropped with its schema');

# while they execute
$cluster->safe_psql('postgres', 'CREATE DATABASE shop');
setup($cluster, 'shop', 'alice', 'bob');
$cluster->safe_psql('shop', "SELECT send('alice', 'INSERT INTO mark VALUES (1); SELECT pg_sleep(3600)')");
$cluster->safe_psql('shop', "SELECT send('bob', 'SELECT pg_sleep(3600)')");
shows('worker of shop for alice, worker of shop for bob, launcher, keeper of shop', 'two roles, two workers');
ok(until_true($cluster, 'postgres', q{SELECT count(*) = 2 FROM pg_stat_activity WHERE query ~ '^workflow run [0-9a-f-]{36} node q'}, 'activity'),
	'pg_stat_activity tells what they execute');
my $begun = time;
$cluster->safe_psql('postgres', 'DROP DATABASE shop');
cmp_ok(time - $begun, '<', $deadline, 'DROP DATABASE does not wait for runs');
shows('launcher', 'a dropped database has no processes');
$cluster->safe_psql('postgres', 'CREATE DATABASE shop');
setup($cluster, 'shop', 'alice');
$cluster->safe_psql('shop', "SELECT send('alice', 'SELECT pg_sleep(3600)')");
shows('worker of shop for alice, launcher, keeper of shop', 'the database again');
$cluster->safe_psql('postgres', 'ALTER DATABASE shop RENAME TO store');
shows('worker of store for alice, launcher, keeper of store', 'ALTER DATABASE ... RENAME: they are back, and the run too');
$cluster->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE store');
shows('worker of copy for alice, worker of store for alice, launcher, keeper of copy, keeper of store', 'a copy has processes of its own');
$cluster->safe_psql('postgres', 'DROP DATABASE copy');
my ($code, $out, $err) = $cluster->psql('store', 'SET ROLE alice; DROP EXTENSION workflow');
isnt($code, 0, 'who does not own the extension cannot drop it');
($code, $out, $err) = $cluster->psql('postgres', 'SET ROLE alice; DROP DATABASE store');
like($err, qr/must be owner/, 'nor the database');
shows('worker of store for alice, launcher, keeper of store', 'and stops nobody');
$begun = time;
$cluster->safe_psql('store', 'DROP EXTENSION workflow CASCADE');
cmp_ok(time - $begun, '<', $deadline, 'DROP EXTENSION does not wait for runs');
shows('launcher', 'and they are gone');
$cluster->safe_psql('postgres', 'DROP DATABASE store');

# settings
setup($cluster, 'postgres', 'alice') if $cluster->safe_psql('postgres', 'DROP FUNCTION IF EXISTS execute(text); SELECT true');
$cluster->safe_psql('postgres', 'CREATE DATABASE one');
$cluster->safe_psql('postgres', 'CREATE DATABASE two');
$cluster->safe_psql('one', 'CREATE EXTENSION workflow');
$cluster->safe_psql('two', 'CREATE EXTENSION workflow');
shows('launcher, keeper of one, keeper of postgres, keeper of two', 'each database has its keeper');
$cluster->safe_psql('postgres', q{ALTER SYSTEM SET workflow.databases = 'two, postgres'});
$cluster->reload;
shows('launcher, keeper of postgres, keeper of two', 'workflow.databases limits them');
$cluster->safe_psql('postgres', q{ALTER SYSTEM RESET workflow.databases});
$cluster->reload;
shows('launcher, keeper of one, keeper of postgres, keeper of two', 'and no longer');
$cluster->safe_psql('postgres', q{ALTER DATABASE one ALLOW_CONNECTIONS false; ALTER SYSTEM SET workflow.worker_idle_timeout = '50ms'});
$cluster->reload;
$run = $cluster->safe_psql('postgres', "SELECT send('alice', 'SELECT 1')");
is(outcome($cluster, 'postgres', $run), 'completed ', 'a run');
shows('launcher, keeper of postgres, keeper of two', 'an idle worker ends, and so does the keeper of a database that is closed');
$cluster->safe_psql('postgres', 'DROP DATABASE one');
$cluster->safe_psql('postgres', 'DROP DATABASE two');

# prepared transactions, and rows that are copied in
$cluster->safe_psql('postgres', "BEGIN; SELECT send('alice', 'INSERT INTO mark VALUES (''prepared'')'); PREPARE TRANSACTION 'p'");
$cluster->safe_psql('postgres', "COMMIT PREPARED 'p'");
ok(until_true($cluster, 'postgres', q{SELECT count(*) = 1 FROM mark WHERE v = 'prepared'}, 'prepared'), 'what a prepared transaction queued is executed');

# killed processes
for my $type ('launcher', 'keeper')
{
	my $pid = $cluster->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE backend_type = 'workflow $type'");
	$cluster->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	ok(until_true($cluster, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'workflow $type' AND pid <> $pid", "another $type"), "a $type that was ended is started again");
	$run = $cluster->safe_psql('postgres', "SELECT send('alice', 'SELECT 1')");
	is(outcome($cluster, 'postgres', $run), 'completed ', 'and runs go on');
}

# at rest
shows('launcher, keeper of postgres', 'at rest');
my $wakes = $cluster->safe_psql('postgres', 'SELECT wakes()');
$begun = time;
until_true($cluster, 'postgres', "SELECT clock_timestamp() > to_timestamp($begun) + '3s'", 'three seconds');
cmp_ok($cluster->safe_psql('postgres', 'SELECT wakes()') - $wakes, '<=', 1, 'nobody wakes at rest');

# stops
setup_hold($cluster, 'postgres');
for my $mode ('fast', 'immediate', 'fast')
{
	$cluster->safe_psql('postgres', "TRUNCATE mark, go; SELECT send('alice', 'INSERT INTO mark VALUES (1); SELECT hold()')");
	ok(until_true($cluster, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^workflow run'}, 'activity'), 'a run is at work');
	$begun = time;
	$cluster->stop($mode);
	cmp_ok(time - $begun, '<', $deadline, "stop, $mode");
	$cluster->start;
	$cluster->safe_psql('postgres', 'INSERT INTO go DEFAULT VALUES');
	ok(until_true($cluster, 'postgres', 'SELECT count(*) = 1 FROM mark', 'the run'), 'it is executed after the start, once');
}
is($cluster->safe_psql('postgres', 'SELECT count(*) FROM wf.queue WHERE crashes > 0'), '0', 'a stop is no crash of a run');
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/leak|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
