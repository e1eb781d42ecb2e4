#!/usr/bin/perl
# requests.pl: 100,000 requests (WF_REQUESTS) while the dispatcher and the postmaster die by SIGKILL, one of them every second or so
# (WF_KILL_SEED decides). None is lost, none is sent that was rolled back, each has one key, and each answer is taken once.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../t";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RuntimeLoad qw(prepare drain check_result try_sql ensure_up postmaster_pid);
use Test::More;
use Time::HiRes qw(sleep time);

my $wanted = $ENV{WF_REQUESTS} // 100_000;
my $seed = $ENV{WF_KILL_SEED} // (time % 1000000);
my $seconds = $ENV{WF_KILL_SECONDS} // 3600;
srand $seed;
diag("seed $seed, $wanted requests");

my $cluster = PostgreSQL::Test::Cluster->new('requests');
$cluster->init;
$cluster->append_conf('postgresql.conf', qq{
shared_preload_libraries = 'workflow'
log_min_messages = warning
fsync = off
max_worker_processes = 16
workflow.max_workers = 3
workflow.max_crashes = 10000
restart_after_crash = on
});
$cluster->start;
# a request each but askForget, which has two
my %share = (ask => 0.4, askForget => 0.2, askAgain => 0.1, askBranches => 0.05);
prepare($cluster, sort keys %share);
# one batch: some in a subtransaction or a transaction that is rolled back, and then again
try_sql($cluster, q{SET ROLE app; CREATE FUNCTION batch(w text, n int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN
			PERFORM wf_run(w, '{"phantom": "phantom"}') FROM generate_series(1, n / 10);
			RAISE EXCEPTION 'undo' USING ERRCODE = 'P0099';
		EXCEPTION WHEN SQLSTATE 'P0099' THEN
			NULL;
		END;
		INSERT INTO accepted (run_id, workflow, input) SELECT (wf_run(w) ->> 'run_id')::uuid, w, '{}' FROM generate_series(1, n / 10);
		INSERT INTO accepted (run_id, workflow, input) SELECT s, w, '{}' FROM wf_start_many(w, array_fill('{}'::jsonb, ARRAY[n - n / 10])) s;
	END $$;}) // die;

my %killed = ('workflow dispatcher' => 0, postmaster => 0);
my $made = sub { my $n = try_sql($cluster, 'SELECT count(*) FROM accepted a JOIN asked USING (workflow)'); return $n };
my $begun = time;
my $next_kill = time + 1;
my $have = 0;
my $queue = 0;
while (time - $begun < $seconds)
{
	if (time > $next_kill)
	{
		my $who = rand() < 0.75 ? 'workflow dispatcher' : 'postmaster';
		my $pid = $who eq 'postmaster' ? postmaster_pid($cluster) : try_sql($cluster, "SELECT max(pid) FROM pg_stat_activity WHERE backend_type = '$who'");
		$killed{$who}++ if $pid && kill 'KILL', $pid;
		ensure_up($cluster);
		$next_kill = time + 0.3 + rand 1.5;
	}
	my $left = try_sql($cluster, 'SELECT (SELECT count(*) FROM wf.queue) + (SELECT count(*) FROM wf.live)') // next;
	$have = $made->() // next;
	last if $have >= $wanted && !$left;
	if ($have < $wanted && $left < 3000)
	{
		for my $w (sort keys %share)
		{
			my $n = int(1000 * $share{$w});
			# of a batch whose commit was cut short nobody knows: `accepted` does
			try_sql($cluster, 'SET ROLE app; BEGIN; ' . "SELECT batch('$w', $n); " . (rand() < 0.1 ? 'ROLLBACK' : 'COMMIT'));
		}
	}
	else { sleep 0.05 }
}
diag(sprintf '%d requests in %d s; killed: %s', $have, time - $begun, join(', ', map { "$_ $killed{$_}" } sort keys %killed));
cmp_ok($have, '>=', $wanted, 'all were asked for');
ensure_up($cluster);
ok(drain($cluster, 240), 'and ended');
check_result($cluster, 'requests');
$cluster->stop('fast');
is(join("\n", grep { !/signal 9/ && /terminated by signal|PANIC|TRAP: |leak:|was not closed|alloc set|stuck spinlock/ } split /\n/, slurp_file($cluster->logfile)), '', 'no crash of its own in the log');
done_testing();
