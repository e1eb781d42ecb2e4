#!/usr/bin/perl
# runtime_crash.pl: crashes that are counted: at the fault points that come before anybody can connect, by SIGSEGV within a
# run, and by a run that ends its own session. Starts at a gate from many sessions at once; roles that lose what they
# need while their runs wait; a server without the library.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WorkerTest;

my $cluster = new_cluster('crash', 'workflow.max_workers = 3', 'fsync = off', 'workflow.max_crashes = 3');
$cluster->start;
setup($cluster, 'postgres', 'alice', 'bob');
sub sql { return $cluster->safe_psql('postgres', @_) }
sql(q{
	CREATE FUNCTION fault(spec text) RETURNS text LANGUAGE c STRICT AS '$libdir/workflow', 'wf_sql_test_fault';
	CREATE FUNCTION reach(name text) RETURNS void LANGUAGE c STRICT AS '$libdir/workflow', 'wf_sql_test_fault_reach';
});

# all names in the sources
my %points;
my $root = $ENV{WF_ROOT} // '.';
for my $file (glob("$root/src/*/*.c"))
{
	my $text = slurp_file($file);
	$points{$1} = 1 while $text =~ /\bWF_FAULT\("(crash\.[^"]+)"\)/g;
}

# the server goes down over a run, and then again at the point, while that is dealt with
sub arm_from_the_beginning
{
	my ($point) = @_;
	append_to_file($cluster->data_dir . '/workflow.fault', "$point:kill\n");
}
for my $point (sort keys %points)
{
	my $run = sql("SELECT send('alice', 'SELECT pg_sleep(CASE WHEN (SELECT count(*) FROM mark) > 0 THEN 0 ELSE 3600 END)')");
	until_true($cluster, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ '^workflow run $run'", 'execution');
	my $pid = sql("SELECT pid FROM pg_stat_activity WHERE query ~ '^workflow run $run'");
	arm_from_the_beginning($point);
	kill 'KILL', $pid;
	# armed by the restart and gone when it was reached
	ok(until_true($cluster, 'postgres', "SELECT NOT EXISTS (SELECT FROM pg_ls_dir('.') f WHERE f = 'workflow.fault') AND fault('?') = ''", $point), "$point was reached");
	my $counted = "SELECT max(crashes) BETWEEN 1 AND 2 FROM wf.queue WHERE run_id = '$run'";
	ok(until_true($cluster, 'postgres', $counted, "count at $point"), "$point: the crash is counted, at most twice");
	sql("INSERT INTO mark VALUES ('go on')");
	sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query ~ '^workflow run $run'");
	like(outcome($cluster, 'postgres', $run), qr/^completed|^failed 57014/, "$point: the run ends");
	sql('TRUNCATE mark');
}

# SIGSEGV within a run, with others before and after it
my @before = split /\n/, sql("SELECT send('alice', 'INSERT INTO mark VALUES (''good'')', 10)");
my $log_from = -s $cluster->logfile;
# (at a gate: that is another way into the queue)
# who starts it may be told of the crash and not of the id
eval { $cluster->psql('postgres', q{SET ROLE alice; SELECT wf_start('sql', '{"sql": "INSERT INTO mark VALUES (''bad''); SELECT fault(''die:segv''), reach(''die''), pg_sleep(10)"}', '{"concurrencyKey": "bad", "correlationId": "bad"}')}) };
# what a query gives, as soon as the server is there for long enough
sub in_between
{
	my ($query) = @_;
	for (1 .. 100)
	{
		my $out;
		my $ok = eval { $cluster->psql('postgres', $query, stdout => \$out) } // 1;
		return $out if $ok == 0 && $out;
		sleep 0.1;
	}
}
in_between("SELECT send('bob', 'INSERT INTO mark VALUES (''good'')', 10)");
my $bad = in_between("SELECT run_id FROM wf_runs WHERE correlation_id = 'bad'");
like(outcome($cluster, 'postgres', $bad), qr/^failed WF019/, 'a run that crashes the server is parked');
ok(until_true($cluster, 'postgres', "SELECT count(*) = 20 FROM mark WHERE v = 'good'", 'the others'), 'the others are executed');
is(sql("SELECT count(*) FROM mark WHERE v <> 'good'"), '0', 'and of it nothing is left');
ok(until_true($cluster, 'postgres', 'SELECT NOT EXISTS (SELECT FROM wf.queue) AND NOT EXISTS (SELECT FROM wf.held) AND NOT EXISTS (SELECT FROM wf.gate)', 'its messages'), 'nothing of it is queued or held');
my $crashes = () = substr(slurp_file($cluster->logfile), $log_from) =~ /signal 11/g;
is($crashes, 3, 'after as many crashes as it may have');
is(sql("SELECT count(*) FROM wf_dead_letters WHERE run_id = '$bad'"), '1', 'it can be retried');

# 8 sessions start at a gate of size 1: never two within
sql(q{
	CREATE TABLE within (run uuid);
	CREATE TABLE passed (run uuid);
	CREATE FUNCTION enter(r uuid) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO within VALUES (r); RETURN 1; END $$;
	CREATE FUNCTION leave(r uuid) RETURNS int LANGUAGE plpgsql AS $$ BEGIN
		IF (SELECT count(*) FROM within) <> 1 THEN RAISE EXCEPTION 'not alone'; END IF;
		DELETE FROM within; INSERT INTO passed VALUES (r); RETURN 1; END $$;
	SELECT wf_save('gated', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT enter($1::uuid)", "params": ["{{ $run.id }}"], "outputFormat": "none"}}, {"id": "w", "type": "delay", "config": {"duration": 0.002}},
		{"id": "b", "type": "db.query", "config": {"sql": "SELECT leave($1::uuid)", "params": ["{{ $run.id }}"], "outputFormat": "none"}}], "edges": [{"source": "a", "target": "w"}, {"source": "w", "target": "b"}], "settings": {"maxConcurrency": 1}}');
});
$cluster->pgbench('-n -c 8 -j 2 -t 15', 0, [qr/processed: 120/], [qr/^$/], 'eight sessions start', { gated => q{SELECT wf_start('gated', '{}', CASE WHEN random() < 0.3 THEN '{"delay": 0.001}'::jsonb ELSE '{}' END);} });
ok(until_true($cluster, 'postgres', "SELECT count(*) = 120 FROM passed", 'all passed'), 'all pass the gate');
is(sql("SELECT count(*) || ' ' || count(DISTINCT run) FROM passed"), '120 120', 'each once, and each alone');
is(sql("SELECT count(*) FROM wf_runs WHERE workflow = 'gated' AND status <> 'completed'"), '0', 'without failures');

# roles that lose what they need while a run waits
sql(q{SELECT wf_save('waits', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}')});
for my $case (["SELECT wf_revoke('r', 'default')", qr/^failed 42501 role "r" is not a member/], ['ALTER ROLE r NOLOGIN', qr/^failed 28000/], ['REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', qr/^failed 42501/],
	["SELECT wf_revoke('r', 'default'); DROP ROLE r", qr/^failed 42704/])
{
	my ($lose, $want) = @$case;
	sql("CREATE ROLE r LOGIN; SELECT wf_grant('r', 'default', 'member')");
	my $theirs = sql("SET ROLE r; SELECT wf_start('waits')");
	my $mine = sql("SELECT wf_start('waits')");
	ok(until_true($cluster, 'postgres', "SELECT count(*) = 2 FROM wf.wait WHERE run_id IN ('$theirs', '$mine')", 'waits'), 'they wait');
	sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker' AND usename = 'r'; $lose");
	sql("SELECT wf_emit('go')");
	like(outcome($cluster, 'postgres', $theirs), $want, "$lose: the run fails with the reason");
	like(outcome($cluster, 'postgres', $mine), qr/^completed/, 'those of others go on');
	sql("GRANT CONNECT ON DATABASE postgres TO PUBLIC");
	sql("DELETE FROM wf.event");
	$cluster->psql('postgres', "SELECT wf_revoke('r', 'default')");
	$cluster->psql('postgres', 'DROP ROLE r');
}
is(sql('SELECT string_agg(problem, E\'\n\') FROM wf.check_invariants()'), '', 'invariants');
is(sql('SELECT (SELECT count(*) FROM wf.queue) + (SELECT count(*) FROM wf.live) + (SELECT count(*) FROM wf.held) + (SELECT count(*) FROM wf.wait) + (SELECT count(*) FROM wf.gate)'), '0', 'nothing is left behind');

# without the library: what needs workers says what to set
my $waiting = sql("SELECT wf_start('waits')");
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$cluster->restart;
for my $what ("SELECT wf_start('waits')", "SELECT wf_start_many('waits', ARRAY['{}']::jsonb[])", "SELECT wf_call('waits')", "SELECT wf_retry('$bad')")
{
	my ($ok, $out, $err) = $cluster->psql('postgres', $what);
	isnt($ok, 0, "$what fails");
	like($err, $what =~ /wf_call/ ? qr/cannot|wf_run/ : qr/shared_preload_libraries/, 'with the reason');
}
like(sql("SELECT wf_run('waits')"), qr/shared_preload_libraries/, 'a run that would wait fails with it');
is(sql("SELECT wf_signal('$waiting', 'go')"), 't', 'signals are kept');
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'");
$cluster->restart;
like(outcome($cluster, 'postgres', $waiting), qr/^completed/, 'and dealt with when there are workers again');
$cluster->stop('fast');
unlike(slurp_file($cluster->logfile), qr/PANIC|TRAP: |was not closed|stuck spinlock/, 'nothing bad in the log');
done_testing();
