#!/usr/bin/perl
# runtime_kill.pl: processes die by SIGKILL at random, and at fault points, in the middle of a mixed load; nothing is lost
# and nothing is done twice. RuntimeLoad.pm has the load and what must hold; `make soak` does the same for longer.
#
# WF_KILL_SEED, WF_KILLS, WF_KILL_RATE (starts a second), WF_KILL_SECONDS (at most, then it fails), WF_KILL_WORKFLOWS and
# WF_KILL_POINTS (names; default all) choose; WF_KILL_CONF is added to the configuration. The seed decides what is killed and when, not how the processes run.
use strict;
use warnings;
use FindBin;
use IPC::Run ();
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RuntimeLoad qw(runtime_there fault_points prepare start_clients stop_clients drain check_result try_sql ensure_up postmaster_pid);
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'there is no durable runtime' if !runtime_there();

my $seed = $ENV{WF_KILL_SEED} // (time % 1000000);
my $kills = $ENV{WF_KILLS} // ($ENV{WF_SLOW} ? 40 : 200);
my $seconds = $ENV{WF_KILL_SECONDS} // ($ENV{WF_SLOW} ? 3600 : 600);
my $rate = $ENV{WF_KILL_RATE} // 40;
srand $seed;
diag("seed $seed, $kills kills");

my $cluster = PostgreSQL::Test::Cluster->new('kill');
$cluster->init;
# The log keeps its crashes; parking has a test of its own below.
$cluster->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'workflow'
log_min_messages = warning
fsync = off
max_connections = 50
max_worker_processes = 16
workflow.max_workers = 3
workflow.max_crashes = 10000
workflow.event_buffer_time = '1h'
restart_after_crash = on
autovacuum_naptime = 1s
} . ($ENV{WF_KILL_CONF} // '') . "\n");
$cluster->start;
$cluster->safe_psql('postgres', "CREATE FUNCTION fault(spec text) RETURNS text AS '\$libdir/workflow', 'wf_sql_test_fault' LANGUAGE C STRICT");
prepare($cluster, split /\s+/, $ENV{WF_KILL_WORKFLOWS} // '');
my @points = defined $ENV{WF_KILL_POINTS} ? split(/\s+/, $ENV{WF_KILL_POINTS}) : fault_points();
diag(scalar(@points) . ' fault points');
start_clients($cluster, $rate);

my (%killed, %reached);
my $begun = time;
my @order;

# Who dies: a fault point that strikes, or a process of this kind. Points come in rounds, each once a round.
sub choose
{
	return 'point' if @points && rand() < 0.4;
	my $r = rand;
	return $r < 0.38 ? 'workflow worker' : $r < 0.53 ? 'workflow dispatcher' : $r < 0.65 ? 'workflow keeper' : $r < 0.72 ? 'workflow launcher' : $r < 0.87 ? 'client backend' : $r < 0.92 ? 'checkpointer' : 'postmaster';
}

# Arms a fault point and waits until somebody comes there; whether it struck. The first time it may be one that comes
# later; then it is the next one.
sub strike
{
	my ($point, $action) = @_;
	return 0 if !defined try_sql($cluster, "SELECT fault('$point:$action:" . (1 + int rand 20) . "')");
	my $begun = time;
	my $any = 0;
	while (time - $begun < 1.5)
	{
		sleep 0.02;
		return 1 if !length(try_sql($cluster, "SELECT fault('?')") // '');
		try_sql($cluster, "SELECT fault('$point:$action')"), $any = 1 if !$any && time - $begun > 0.4;
	}
	ensure_up($cluster);
	try_sql($cluster, "SELECT fault('')");
	return 0;
}

my $n = 0;
while ($n < $kills)
{
	if (time - $begun > $seconds)
	{
		fail("$kills kills within $seconds seconds: $n");
		last;
	}
	sleep 0.02 + rand 0.5;
	ensure_up($cluster);
	# Commits that are not waited for lose nothing but whole transactions.
	try_sql($cluster, 'ALTER SYSTEM SET synchronous_commit = ' . (rand() < 0.5 ? 'on' : 'off')), try_sql($cluster, 'SELECT pg_reload_conf()') if rand() < 0.1;
	my $who = choose();
	if ($who eq 'point')
	{
		@order = sort { rand() <=> 0.5 } @points if !@order;
		my $point = shift @order;
		my $action = rand() < 0.15 ? 'postmaster' : 'kill';
		if (strike($point, $action))
		{
			$reached{$point}++;
			$killed{"point, $action"}++;
			$n++;
		}
		next;
	}
	if ($who eq 'postmaster')
	{
		my $pid = postmaster_pid($cluster);
		kill 'KILL', $pid or next;
		$killed{$who}++;
		$n++;
		next;
	}
	my $role = $who eq 'client backend' ? "AND usename IN ('app', 'boss')" : '';
	my $pids = try_sql($cluster, "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = '$who' $role") // '';
	my @pids = split ' ', $pids;
	next if !@pids;
	if (kill 'KILL', $pids[ int rand @pids ])
	{
		$killed{$who}++;
		$n++;
	}
}

my $took = int(time - $begun);
diag("killed in $took s: " . join(', ', map { "$_ $killed{$_}" } sort keys %killed));
ensure_up($cluster);
stop_clients('start');
ok(drain($cluster, 240), 'everything that was started ended');
stop_clients();
check_result($cluster, "after $n kills");
if (@points && $kills >= 5 * @points)
{
	is(join(' ', grep { !$reached{$_} } @points), '', 'every fault point was reached');
}
else
{
	diag('not reached: ' . join(' ', grep { !$reached{$_} } @points)) if @points;
}

# A run that takes its worker down is parked in the end, and those beside it go on. What is accepted here has to outlive the
# crashes, so commits are waited for again.
$cluster->append_conf('postgresql.conf', "workflow.max_crashes = 3\n");
$cluster->safe_psql('postgres', 'ALTER SYSTEM RESET synchronous_commit');
$cluster->restart;
$cluster->safe_psql('postgres', q{
	CREATE FUNCTION die(name text) RETURNS void AS '$libdir/workflow', 'wf_sql_test_fault_reach' LANGUAGE C STRICT;
	CREATE FUNCTION arm(spec text) RETURNS text AS '$libdir/workflow', 'wf_sql_test_fault' LANGUAGE C STRICT;
	SET ROLE app;
	SELECT wf_save('poison', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "ledger", "values": {"run_id": "{{ $run.id }}", "node": "poison"}}},
		{"id": "d", "type": "db.query", "config": {"sql": "SELECT arm(''die:kill''), die(''die'')", "outputFormat": "none"}}], "edges": [{"source": "a", "target": "d"}]}');
	SELECT wf_save('healthy', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "ledger", "values": {"run_id": "{{ $run.id }}", "node": "healthy"}}}]}');
});
# Its worker may be down before the client has heard of its own commit: then what is accepted is asked for, not believed.
my $queue = q{
	BEGIN;
	TRUNCATE ledger, accepted;
	INSERT INTO accepted (run_id, workflow, input) SELECT s, 'healthy', '{}' FROM wf_start_many('healthy', array_fill('{}'::jsonb, ARRAY[20])) s;
	INSERT INTO accepted (run_id, workflow, input) VALUES (wf_start('poison'), 'poison', '{}');
	INSERT INTO accepted (run_id, workflow, input) SELECT s, 'healthy', '{}' FROM wf_start_many('healthy', array_fill('{}'::jsonb, ARRAY[20])) s;
	COMMIT;
};
# Only a server that answers says that nothing was accepted: to queue it twice would make other runs.
my $queued = time + 120;
while (time < $queued)
{
	ensure_up($cluster);
	my $accepted = try_sql($cluster, 'SELECT count(*) FROM accepted WHERE workflow IN (\'healthy\', \'poison\')') // next;
	last if $accepted eq '41';
	try_sql($cluster, "SET ROLE app; $queue");
}
my $end = time + 120;
my $state = '';
while (time < $end)
{
	$state = try_sql($cluster, q{SELECT string_agg(concat_ws(' ', workflow, status, code, n), ', ' ORDER BY workflow) FROM (SELECT a.workflow, r.status, r.error ->> 'code' AS code, count(*) AS n FROM accepted a LEFT JOIN wf.run r USING (run_id) GROUP BY 1, 2, 3) s}) // '';
	last if $state eq 'healthy completed 40, poison failed WF019 1';
	sleep 0.1;
}
is($state, 'healthy completed 40, poison failed WF019 1', 'what takes its worker down is parked, the others go on');
is(try_sql($cluster, q{SELECT string_agg(node || ' ' || n, ', ') FROM (SELECT node, count(*) AS n FROM ledger GROUP BY 1) s}), 'healthy 40', 'and nothing that it did is there');

$cluster->stop('fast');
my $log = slurp_file($cluster->logfile);
my @bad = grep { !/signal 9/ && /terminated by signal|PANIC|TRAP: |leak|was not closed|alloc set|stuck spinlock/ } split /\n/, $log;
is(join("\n", @bad[0 .. ($#bad > 20 ? 20 : $#bad)]), '', 'no crash of its own in the log');
done_testing();
