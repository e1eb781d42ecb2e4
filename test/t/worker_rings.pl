#!/usr/bin/perl
# worker_rings.pl: whoever has to go on does, though nobody commits anything that would wake it: messages that a client held, a
# worker that has to leave, a keeper that rests, a command that is cancelled, an extension that is gone.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('rings', "workflow.worker_idle_timeout = '1h'", 'workflow.max_workers = 2', 'max_logical_replication_workers = 0');
$cluster->start;
my $database = 'postgres';
sub sql { return $cluster->safe_psql($database, @_) }
sub comes { my ($query, $what) = @_; return ok(until_true($cluster, $database, $query, $what), $what) }
sub ends { my ($run, $what) = @_; return is(outcome($cluster, $database, $run), 'completed ', $what) }
sub executes { my ($run) = @_; return comes("SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^workflow run $run'", 'it is at work') }
sub reached { my ($what) = @_; return comes("SELECT fault('?') = ''", $what) }
sub prepare
{
	setup($cluster, $database, 'alice', 'bob', 'carol');
	setup_hold($cluster, $database);
	setup_hold($cluster, $database, 'more', 'more');
	sql(q{CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault'});
	return;
}
prepare();

# a client holds the start of a run while the workers work off the rest, and lets go of it: with its transaction, or a part of that
my ($run, @holds);
my $client = $cluster->background_psql($database);
for my $way ([ 'BEGIN', 'ROLLBACK', 'executed' ], [ 'BEGIN; SAVEPOINT s', 'ROLLBACK TO s', 'executed before the client commits' ])
{
	my ($begin, $undo, $what) = @$way;
	sql('TRUNCATE go');
	@holds = map { sql("SELECT send('alice', 'SELECT hold()')") } 1, 2;
	executes($_) for @holds;
	$run = sql("SELECT send('alice', 'SELECT 1')");
	$client->query_safe($begin);
	$client->query_safe("SELECT cancel('$run')");
	sql('INSERT INTO go DEFAULT VALUES');
	ends($_, 'one before it') for @holds;
	comes("SELECT bool_and(state = 'idle') FROM pg_stat_activity WHERE backend_type = 'workflow worker'", 'nobody has anything to do');
	$client->query_safe($undo);
	ends($run, "what a client held and did not cancel is $what");
}
$client->query_safe('COMMIT');

# a worker that comes back to a run which somebody has locked has to give its place to another role
sql('TRUNCATE go');
$run = sql(q{SELECT wf_save('asks', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "e"}}]}') > 0; SET ROLE alice; SELECT wf_start('asks')});
$run =~ s/.*\n//;
comes("SELECT status = 'waiting' FROM wf_runs WHERE run_id = '$run'", 'it waits');
$client->query_safe('BEGIN');
$client->query_safe("SELECT wf_pause('$run')");
sql("SELECT wf_signal('$run', 'e')");
@holds = map { sql("SELECT send('$_', 'SELECT hold()')") } 'bob', 'carol';
executes($_) for @holds;
$client->query_safe('ROLLBACK');
sql('INSERT INTO go DEFAULT VALUES');
ends($run, 'what it left behind is dealt with');
ends($_, 'the other roles') for @holds;

# somebody who is asked to leave is long at his run: whoever has nothing to do goes
sql('TRUNCATE go');
my $long = sql("SELECT send('alice', 'SELECT hold()')");
executes($long);
my $short = sql("SELECT send('bob', 'SELECT more()')");
executes($short);
comes("SELECT min(clock_timestamp() - backend_start) > '1 s' FROM pg_stat_activity WHERE backend_type = 'workflow worker'", 'both have had their time');
$run = sql("SELECT send('carol', 'SELECT 1')");
sql("SELECT fault('launcher.pass:hold:3')");
reached('one of them was asked to leave');
sql("SELECT fault('')");
sql('INSERT INTO more DEFAULT VALUES');
ends($run, 'a third role gets the place of the one that is idle');
is(sql("SELECT count(*) FROM log WHERE run_id = '$long'"), '0', 'before the long run ends');
sql('INSERT INTO go DEFAULT VALUES');
ends($long, 'which it does');
$client->quit;

# a keeper rests, to make room, and is told of something before the launcher has seen that
$cluster->append_conf('postgresql.conf', 'max_worker_processes = 3');
$cluster->restart;
sql('TRUNCATE go');
$long = sql("SELECT send('alice', 'SELECT hold()')");
executes($long);
sql("SELECT fault('keeper.rests:hold')");
$run = sql("SELECT send('bob', 'SELECT 1')");
reached('the keeper is about to rest');
sql("SELECT fault('launcher.pass:hold')");
reached('the launcher is about to look');
comes("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow keeper')", 'the keeper has gone');
my $later = sql(q{SET ROLE alice; SELECT wf_start('sql', '{"sql": "SELECT 1"}', '{"delay": "0.1 s"}')});
sql("SELECT fault('')");
sql('INSERT INTO go DEFAULT VALUES');
ends($_, 'the others') for $long, $run;
ends($later, 'a run that begins later does, in time');

# a command that is to have the database for itself and does not get it
$cluster->append_conf('postgresql.conf', 'max_worker_processes = 16');
$cluster->restart;
sql('CREATE DATABASE shop');
$database = 'shop';
prepare();
$run = sql("SELECT send('alice', 'SELECT hold()')");
executes($run);
my $pid = sql("SELECT pid FROM pg_stat_activity WHERE query ~ '^workflow run $run'");
my $dropper = $cluster->background_psql('postgres', on_error_stop => 0);
$dropper->query("SET statement_timeout = '300ms'");
kill 'STOP', $pid;
$dropper->query('DROP DATABASE shop');
kill 'CONT', $pid;
sql('INSERT INTO go DEFAULT VALUES');
ends($run, 'DROP DATABASE that is cancelled: the run goes on');
$dropper->quit;
$cluster->safe_psql('postgres', "ALTER SYSTEM SET workflow.databases = 'store, postgres'");
$cluster->reload;
comes("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'workflow %' AND datname = 'shop')", 'the database is not listed');
$cluster->safe_psql('postgres', 'ALTER DATABASE shop RENAME TO store');
$database = 'store';
ends(sql("SELECT send('alice', 'SELECT 1')"), 'one that is renamed to be listed is served');

# the extension goes with its schema, while a worker is at work
sql("SELECT fault('turn.committed:hold')");
sql("SELECT send('alice', 'SELECT 1')");
$database = 'postgres';
reached('a worker has committed and goes on');
$cluster->safe_psql('store', 'DROP SCHEMA public CASCADE');
sql("SELECT fault('')");
comes("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type LIKE 'workflow %' AND datname = 'store')", 'the extension is gone, and they are');
my $wakes = sql('SELECT wakes()');
my $now = sql('SELECT clock_timestamp()');
comes("SELECT clock_timestamp() > '$now'::timestamptz + '1 s'", 'a second');
cmp_ok(sql('SELECT wakes()') - $wakes, '<=', 3, 'nobody is started in vain');
$cluster->stop;
done_testing();
