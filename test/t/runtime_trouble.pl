#!/usr/bin/perl
# runtime_trouble.pl: the durable runtime when the server is short of something, or others stand in its way: too few
# processes, an old snapshot with autovacuum off, locks held for long with lock_timeout set, deadlocks, serialization
# failures, roles whose settings are against it. Runs end as they must, and each of their effects is there once.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RuntimeLoad qw(runtime_there prepare start_clients stop_clients drain check_result try_sql);
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'there is no durable runtime' if !runtime_there();

my $slow = $ENV{WF_SLOW} ? 10 : 1;
my $json = JSON::PP->new->canonical;

# server(name, settings): a cluster with the library preloaded.
sub server
{
	my ($name, $settings) = @_;
	my $cluster = PostgreSQL::Test::Cluster->new($name);
	$cluster->init;
	$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\nlog_min_messages = warning\nfsync = off\nmax_connections = 50\n$settings\n");
	$cluster->start;
	return $cluster;
}

# await_sql(cluster, sql, what it is to give, seconds, what): polls.
sub await_sql
{
	my ($cluster, $sql, $wanted, $seconds, $what) = @_;
	my $end = time + $seconds * $slow;
	my $got;
	while (time < $end)
	{
		$got = try_sql($cluster, $sql) // 'no answer';
		last if $got eq $wanted;
		sleep 0.05;
	}
	return is($got, $wanted, $what);
}

sub log_is_clean
{
	my ($cluster) = @_;
	my @bad = grep { /terminated by signal|PANIC|TRAP: |leak|was not closed|alloc set|stuck spinlock/ } split /\n/, slurp_file($cluster->logfile);
	return is(join("\n", @bad[0 .. ($#bad > 20 ? 20 : $#bad)]), '', $cluster->name . ': nothing bad in the log');
}

# -- too few processes: a launcher, a keeper, and one more for two roles; then more again --
{
	my $cluster = server('few', "max_worker_processes = 3\nmax_logical_replication_workers = 0\nworkflow.max_workers = 8\nworkflow.worker_idle_timeout = '1s'");
	prepare($cluster);
	start_clients($cluster, 30);
	sleep 8 * $slow;
	stop_clients('start');
	ok(drain($cluster, 180 * $slow), 'three processes: everything ended');
	stop_clients();
	check_result($cluster, 'three processes');
	cmp_ok($cluster->safe_psql('postgres', q{SELECT count(DISTINCT by) FROM accepted}), '==', 2, 'runs of both roles');
	$cluster->stop('fast');
	log_is_clean($cluster);
}

# -- an old snapshot, autovacuum off: dead rows pile up, and the work goes on --
{
	my $cluster = server('old', "autovacuum = off\nworkflow.max_workers = 2");
	prepare($cluster);
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	$session->query_safe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM accepted');
	my @took;
	for my $round (1 .. 10)
	{
		my $begun = time;
		$cluster->safe_psql('postgres', q{SET ROLE app; INSERT INTO accepted (run_id, workflow, input) SELECT s, 'plain', '{}' FROM wf_start_many('plain', array_fill('{}'::jsonb, ARRAY[2000])) s});
		ok(drain($cluster, 60 * $slow), "old snapshot: round $round");
		push @took, time - $begun;
	}
	diag('rounds under an old snapshot took, s: ' . join(' ', map { sprintf '%.2f', $_ } @took));
	# 20,000 dead rows must not be walked over by every claim
	cmp_ok($took[9], '<', 10 * $took[1] + 2 * $slow, 'old snapshot: the tenth round is not much slower');
	start_clients($cluster, 30);
	sleep 4 * $slow;
	stop_clients('start');
	ok(drain($cluster, 120 * $slow), 'old snapshot: a mixed load ended');
	stop_clients();
	$session->query_safe('COMMIT');
	$session->quit;
	check_result($cluster, 'old snapshot');
	$cluster->stop('fast');
	log_is_clean($cluster);
}

# -- locks, deadlocks, serialization failures, settings of roles --
{
	my $cluster = server('locks', "workflow.max_workers = 3\ndeadlock_timeout = 100ms");
	prepare($cluster);
	my $save = sub {
		my ($name, $definition) = @_;
		my $text = $json->encode($definition);
		$cluster->safe_psql('postgres', "SET ROLE app; SELECT wf_save('$name', \$wf\$$text\$wf\$)");
	};
	my $retry = { maxAttempts => 500, initialDelay => 0.05, backoff => 'fixed', jitter => 0.5 };
	$cluster->safe_psql('postgres', q{SET ROLE app; CREATE TABLE counter (id int PRIMARY KEY, n int NOT NULL); INSERT INTO counter VALUES (1, 0), (2, 0); GRANT ALL ON counter TO boss});
	my $add = sub { my ($id, $row) = @_; return { id => $id, type => 'db.update', config => { table => 'counter', set => { n => { '$inc' => 1 } }, where => { id => $row } } }; };
	my $note = { id => 'note', type => 'db.create', config => { table => 'ledger', values => { run_id => '{{ $run.id }}', node => 'note' } } };

	# each statement may fail by itself and is tried again, later
	$save->('patient', { nodes => [ { %$note, retry => $retry } ] });
	# both updates in one transaction, in either order: the loser's run is tried again from the beginning of that try
	for my $order ([ 'ab', 1, 2 ], [ 'ba', 2, 1 ])
	{
		my ($name, @rows) = @$order;
		$save->($name, { nodes => [ { id => 'both', type => 'db.query', config => { sql => "WITH x AS (UPDATE counter SET n = n + 1 WHERE id = $rows[0] RETURNING pg_sleep(0.02)), y AS (SELECT count(*) FROM x) UPDATE counter SET n = n + 1 FROM y WHERE id = $rows[1]", outputFormat => 'none' }, retry => $retry },
				$note ], edges => [ { source => 'both', target => 'note' } ] });
	}
	$save->('add', { nodes => [ { %{ $add->('u', 1) }, retry => $retry }, $note ], edges => [ { source => 'u', target => 'note' } ] });
	my $start = sub {
		my ($workflow, $n, $role) = @_;
		$role //= 'app';
		$cluster->safe_psql('postgres', "SET ROLE $role; INSERT INTO accepted (run_id, workflow, input) SELECT s, '$workflow', '{}' FROM wf_start_many('$workflow', array_fill('{\"seconds\": 0.1}'::jsonb, ARRAY[$n])) s");
	};
	my $ended = q{SELECT string_agg(status || coalesce(' ' || code, '') || ' ' || n, ', ' ORDER BY status, code) FROM (SELECT coalesce(r.status, 'not ended') AS status, r.error ->> 'code' AS code, count(*) AS n FROM accepted a LEFT JOIN wf.run r USING (run_id) GROUP BY 1, 2) s};
	my $noted = q{SELECT count(*) || ' ' || count(DISTINCT run_id) FROM ledger};
	my $fresh = sub { $cluster->safe_psql('postgres', 'TRUNCATE accepted, ledger; UPDATE counter SET n = 0'); };

	# lock_timeout, while somebody holds the table
	$cluster->safe_psql('postgres', q{ALTER ROLE app SET lock_timeout = '100ms'});
	my $holder = $cluster->background_psql('postgres', timeout => 600);
	$holder->query_safe('BEGIN; LOCK ledger IN ACCESS EXCLUSIVE MODE');
	$start->('patient', 50);
	sleep 1.5 * $slow;
	$holder->query_safe('COMMIT');
	await_sql($cluster, $ended, 'completed 50', 60, 'lock timeouts of tenant statements are tried again');
	await_sql($cluster, $noted, '50 50', 5, 'and what they did is there once');

	# somebody holds the engine's own tables
	for my $table (qw(wf.queue wf.live wf.wait wf.run wf.segment))
	{
		$fresh->();
		$start->('patient', 20);
		$holder->query_safe("BEGIN; LOCK $table IN ACCESS EXCLUSIVE MODE");
		sleep 0.5 * $slow;
		$holder->query_safe('COMMIT');
		$start->('delayed', 20) if $table ne 'wf.run';
		$holder->query_safe("BEGIN; LOCK $table IN ACCESS EXCLUSIVE MODE");
		sleep 0.5 * $slow;
		$holder->query_safe('COMMIT');
		await_sql($cluster, $ended, 'completed ' . ($table ne 'wf.run' ? 40 : 20), 60, "$table was locked for a while: all runs were completed");
		await_sql($cluster, q{SELECT count(*) FROM (SELECT FROM ledger GROUP BY run_id, node HAVING count(*) <> 1) s}, '0', 5, "$table: each step once");
	}
	$cluster->safe_psql('postgres', 'ALTER ROLE app RESET lock_timeout');

	# deadlocks between runs of two workers, and with a client
	$fresh->();
	$start->($_, 40) for qw(ab ba);
	await_sql($cluster, $ended, 'completed 80', 120, 'deadlocks: all runs were completed');
	await_sql($cluster, $noted, '80 80', 5, 'deadlocks: each once');
	is($cluster->safe_psql('postgres', q{SELECT string_agg(n::text, ' ') FROM counter}), '80 80', 'deadlocks: no update was lost, none was done twice');

	# isolation levels of the role
	for my $level ('repeatable read', 'serializable')
	{
		$fresh->();
		$cluster->safe_psql('postgres', "ALTER ROLE app SET default_transaction_isolation = '$level'; ALTER ROLE boss SET default_transaction_isolation = '$level'");
		# only new processes have it
		$cluster->restart;
		$start->('add', 60, $_) for qw(app boss);
		await_sql($cluster, $ended, 'completed 120', 120, "$level: all runs were completed");
		is($cluster->safe_psql('postgres', 'SELECT n FROM counter WHERE id = 1'), 120, "$level: no update was lost, none was done twice");
		await_sql($cluster, $noted, '120 120', 5, "$level: each once");
	}
	$cluster->safe_psql('postgres', 'ALTER ROLE app RESET default_transaction_isolation; ALTER ROLE boss RESET default_transaction_isolation');

	# settings of the role that are against it, one after the other
	for my $setting ("default_transaction_read_only = on", "statement_timeout = '1ms'", "search_path = 'pg_temp'", "role = 'boss'", "session_preload_libraries = 'nowhere'", "row_security = off", "transaction_timeout = '1ms'",
		"idle_in_transaction_session_timeout = '1ms'", "default_transaction_deferrable = on", "synchronous_commit = off", "session_replication_role = replica", "plan_cache_mode = force_generic_plan", "jit_above_cost = 0")
	{
		$fresh->();
		next if !defined try_sql($cluster, "ALTER ROLE app SET $setting");
		$cluster->restart;
		# started by a client without these settings: what is tested is the worker
		$cluster->safe_psql('postgres', q{SET ROLE app; INSERT INTO accepted (run_id, workflow, input) SELECT s, 'plain', '{}' FROM wf_start_many('plain', array_fill('{}'::jsonb, ARRAY[5])) s});
		$cluster->safe_psql('postgres', q{SET ROLE boss; INSERT INTO accepted (run_id, workflow, input) SELECT s, 'plain', '{}' FROM wf_start_many('plain', array_fill('{}'::jsonb, ARRAY[5])) s});
		my $end = time + 30 * $slow;
		my $got = '';
		while (time < $end && $got !~ /^(completed 10|completed 5, failed \S+ 5)$/)
		{
			sleep 0.05;
			$got = try_sql($cluster, $ended) // '';
		}
		like($got, qr/^(completed 10|completed 5, failed \S+ 5)$/, "ALTER ROLE SET $setting: the role's runs end, and others go on");
		diag("$setting: $got");
		$cluster->safe_psql('postgres', 'ALTER ROLE app RESET ALL');
	}
	$holder->quit;
	$cluster->safe_psql('postgres', 'TRUNCATE accepted, ledger');
	ok(drain($cluster, 30 * $slow), 'nothing is left over');
	is($cluster->safe_psql('postgres', 'SELECT * FROM wf.check_invariants() LIMIT 20'), '', 'invariants');
	$cluster->stop('fast');
	log_is_clean($cluster);
}
done_testing();
