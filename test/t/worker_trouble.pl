#!/usr/bin/perl
# worker_trouble.pl: runs that are slow, that fail at commit, that are cancelled, that take their worker down; more roles than
# workers; a server without room for processes; promotion of a standby. The others go on.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WorkerTest;

my $cluster = new_cluster('trouble', "workflow.worker_idle_timeout = '1h'", 'workflow.max_workers = 2', "workflow.batch_time = '3ms'", "deadlock_timeout = '100ms'");
$cluster->start;
setup($cluster, 'postgres', 'alice', 'bob', 'carol', 'dave');
sub sql { return $cluster->safe_psql('postgres', @_) }
sub ends { my ($run, $want, $what) = @_; my $is = outcome($cluster, 'postgres', $run); return ref $want ? like($is, $want, $what) : is($is, $want, $what) }
# the worker that executes a run
sub worker_of
{
	my ($run) = @_;
	ok(until_true($cluster, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^workflow run $run'", "activity of $run"), 'it is at work');
	return sql("SELECT pid FROM pg_stat_activity WHERE query ~ '^workflow run $run'");
}
setup_hold($cluster, 'postgres');
sql(q{CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault'});
sub crashes { my ($pid) = @_; kill('KILL', $pid); return until_true($cluster, 'postgres', "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $pid)", "end of $pid") }

# a slow one among quick ones: it takes more than the time of a batch, as long as we let it
my @runs = split /\n/, sql("SELECT send('alice', 'INSERT INTO mark VALUES (''quick'')', 5) UNION ALL SELECT send('alice', 'SELECT hold(); INSERT INTO mark VALUES (''slow'')') UNION ALL SELECT send('alice', 'INSERT INTO mark VALUES (''quick'')', 5)");
ends($runs[2], 'completed ', 'quick ones');
ok(until_true($cluster, 'postgres', 'SELECT count(*) = 10 FROM mark', 'the quick ones'), 'do not wait for a slow one');
sql('INSERT INTO go DEFAULT VALUES');
ends($runs[1], 'completed ', 'which ends too');
is(sql('SELECT count(*) FROM mark'), '11', 'each was executed once');

# an error at commit
sql(q{CREATE TABLE parent (a int PRIMARY KEY); CREATE TABLE child (a int REFERENCES parent DEFERRABLE INITIALLY DEFERRED); GRANT ALL ON parent, child TO PUBLIC; TRUNCATE mark});
@runs = split /\n/, sql("SELECT send('alice', 'INSERT INTO mark VALUES (''good'')', 3) UNION ALL SELECT send('alice', 'INSERT INTO child VALUES (1)') UNION ALL SELECT send('alice', 'INSERT INTO mark VALUES (''good'')', 3)");
ends($runs[1], qr/failed 23503 .*violates foreign key/, 'a run that cannot be committed fails with that error');
ends($runs[2], 'completed ', 'the others of its batch do not');
ok(until_true($cluster, 'postgres', 'SELECT count(*) = 6 FROM mark', 'the others'), 'nor twice');

# cancels
my $run = sql("SELECT send('alice', 'SELECT pg_sleep(3600)')");
my $pid = worker_of($run);
sql("SELECT pg_cancel_backend($pid)");
ends($run, qr/failed 57014/, 'pg_cancel_backend fails the run');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $pid"), '1', 'and not the worker');
$run = sql("SELECT send('alice', 'INSERT INTO mark VALUES (''once''); SELECT pg_sleep(CASE WHEN nextval(''tries'') = 1 THEN 3600 ELSE 0 END)')") if sql('CREATE SEQUENCE tries; GRANT ALL ON SEQUENCE tries TO PUBLIC; SELECT true');
$pid = worker_of($run);
sql("SELECT cancel('$run')");
ok(until_true($cluster, 'postgres', "SELECT count(*) = 1 FROM wf_runs WHERE run_id = '$run' AND status = 'cancelled'", 'cancelled'), 'wf_cancel ends a run that executes');
is(sql(q{SELECT count(*) FROM mark WHERE v = 'once'}), '0', 'and undoes it');
# one worker is about to cancel the run, which it was at; the other one looks for messages
$run = sql("SELECT send('alice', 'INSERT INTO mark VALUES (''again''); SELECT pg_sleep(CASE WHEN nextval(''tries'') = 1 THEN 3600 ELSE 0 END)')") if sql("SELECT setval('tries', 1, false)");
worker_of($run);
my $holds = sql("TRUNCATE go; SELECT send('alice', 'SELECT hold()')");
worker_of($holds);
sql("SELECT fault('turn.cancel:hold')");
sql("SELECT cancel('$run')");
ok(until_true($cluster, 'postgres', "SELECT fault('?') = ''", 'the cancel'), 'a cancel is dealt with');
sql('INSERT INTO go DEFAULT VALUES');
ends(sql("SELECT send('alice', 'SELECT 1')"), 'completed ', 'a run that is behind the cancelled one');
sql("SELECT fault('')");
ends($run, qr/cancelled/, 'whoever finds a run while it is being cancelled does not begin it');
is(sql(q{SELECT count(*) FROM mark WHERE v = 'again'}), '0', 'nor does what it would do');
# a cancel that comes between the claim of a run and its beginning interrupts nobody; all other workers are busy
$holds = sql("TRUNCATE go; SELECT send('alice', 'SELECT hold()')");
worker_of($holds);
sql("SELECT fault('turn.claimed:hold')");
$run = sql("SELECT send('alice', 'INSERT INTO mark VALUES (''begun''); SELECT pg_sleep(3600)')");
ok(until_true($cluster, 'postgres', "SELECT fault('?') = ''", 'the claim'), 'a run is claimed');
sql("SELECT cancel('$run')");
sql("SELECT fault('')");
ends($run, qr/cancelled/, 'and is cancelled before it is begun');
sql('INSERT INTO go DEFAULT VALUES');
for (1 .. 3)
{
	# a worker that is told to end in mid-run
	$run = sql("TRUNCATE mark; SELECT setval('tries', 1, false); SELECT send('alice', 'INSERT INTO mark VALUES (1); SELECT pg_sleep(CASE WHEN nextval(''tries'') = 1 THEN 3600 ELSE 0 END)')");
	($run) = $run =~ /(\S+)$/;
	$pid = worker_of($run);
	sql("SELECT pg_terminate_backend($pid)");
	ends($run, 'completed ', 'another worker does what one that was ended has left');
	is(sql('SELECT count(*) FROM mark'), '1', 'once');
}

# fair: more roles than workers, all busy
sql("SELECT send('alice', 'SELECT pg_sleep(0.2)', 400); SELECT send('bob', 'SELECT pg_sleep(0.2)', 400)");
ends(sql("SELECT send('carol', 'SELECT 1')"), 'completed ', 'a third role gets its turn');
ends(sql("SELECT send('dave', 'SELECT 1')"), 'completed ', 'and a fourth');
cmp_ok(sql('SELECT count(DISTINCT role) FROM wf.queue'), '==', 2, 'before the others are done');
cmp_ok(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow worker'"), '<=', 2, 'with no more workers than there may be');
sql('DELETE FROM wf.queue');

# crashes of the server while runs execute: whoever crashed is counted, the others are not
sub crash_count { return sql("SELECT max(crashes) FROM wf.queue WHERE run_id = '$_[0]'") }
my $innocent = sql("TRUNCATE go; SELECT send('bob', 'INSERT INTO mark VALUES (''innocent''); SELECT hold()')");
my $guilty = sql("SELECT send('alice', 'SELECT pg_sleep(3600)')");
for my $n (1 .. 3)
{
	worker_of($innocent) if $n == 1;
	$pid = worker_of($guilty);
	crashes($pid);
	ok(until_true($cluster, 'postgres', "SELECT coalesce((SELECT max(crashes) = $n FROM wf.queue WHERE run_id = '$guilty'), EXISTS (SELECT 1 FROM log WHERE run_id = '$guilty'))", 'count'), "crash $n is counted");
	is(crash_count($innocent), '0', 'on the run that had it') if $n == 1;
}
ends($guilty, qr/failed WF019/, 'after three it is parked');
sql('INSERT INTO go DEFAULT VALUES');
ends($innocent, 'completed ', 'the others are not');
is(sql('SELECT count(*) FROM wf.queue'), '0', 'the queue is empty');

# a client's crash is nobody's
$run = sql("TRUNCATE go; SELECT send('alice', 'SELECT hold()')");
worker_of($run);
my $client = $cluster->background_psql('postgres', on_error_stop => 0);
crashes($client->query_safe('SELECT pg_backend_pid()'));
is(crash_count($run) // 0, '0', "the crash of a client's backend is counted on no run");
sql('INSERT INTO go DEFAULT VALUES');
ends($run, 'completed ', 'and it ends');
eval { $client->{run}->kill_kill };

# max_worker_processes exhausted
$cluster->append_conf('postgresql.conf', "max_worker_processes = 3\nmax_logical_replication_workers = 0\nworkflow.worker_idle_timeout = '100ms'\n");
$cluster->restart;
$run = sql("SELECT send('alice', 'SELECT pg_sleep(1)')");
my $other = sql("SELECT send('bob', 'SELECT 1')");
is(sql(q{SELECT wf_save('n', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}'); SELECT wf_run('n')->>'status'}), "1\ncompleted", 'without room for processes: runs in the foreground work');
ends($run, 'completed ', 'one role has the only place');
ends($other, 'completed ', 'then the other');
my $log = slurp_file($cluster->logfile);
my $n_complaints = () = $log =~ /could not start a workflow worker/g;
cmp_ok($n_complaints, '>=', 1, 'the log tells what is missing');
cmp_ok($n_complaints, '<=', 3, 'and not all the time');

# a worker ends after the launcher has looked for those that did, and none can be started in its place
$cluster->restart;
sql(q{CREATE FUNCTION clock(float8) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_clock'; TRUNCATE go});
my $launcher = sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'workflow launcher'");
$run = sql("SELECT send('alice', 'SELECT hold()')");
worker_of($run);
my $from = length slurp_file($cluster->logfile);
$other = sql("SELECT send('bob', 'SELECT 1')");
$cluster->wait_for_log(qr/could not start a workflow worker/, $from);
sql("SELECT fault('launcher.reaped:hold')");
ok(until_true($cluster, 'postgres', "SELECT fault('?') = ''", 'the launcher'), 'the launcher has looked for workers that ended');
sql('INSERT INTO go DEFAULT VALUES');
ok(until_true($cluster, 'postgres', "SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type = 'workflow worker')", 'the worker'), 'then one ends');
sql("SELECT clock(-3600)");	# what could not be started just now is not tried again
sql("SELECT fault('launcher.reaped:hold')");
ok(until_true($cluster, 'postgres', "SELECT fault('?') = ''", 'the launcher again'), 'the launcher looks at others');
is(sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'workflow launcher'"), $launcher, 'and survives that');
sql("SELECT clock(0)");
sql("SELECT fault('')");
ends($other, 'completed ', 'and the other role gets its place');
ends($run, 'completed ', 'the first run');

# a standby has no processes until it is promoted
sql('TRUNCATE mark');
$cluster->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($cluster, 'b', has_streaming => 1);
$standby->start;
$run = sql("BEGIN; SELECT send('alice', 'INSERT INTO mark VALUES (''standby'')'); COMMIT");
ends($run, 'completed ', 'a run on the primary');
$run = sql("SELECT send('alice', 'SELECT pg_sleep(3600)')");
worker_of($run);
$cluster->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'workflow%'"), '0', 'none on a standby');
$cluster->stop('immediate');
$standby->promote;
ok(until_true($standby, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^workflow run $run'", 'the run on the standby'), 'promoted: it goes on there');
$standby->stop('fast');

$log = slurp_file($cluster->logfile);
unlike($log, qr/leak|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
