#!/usr/bin/perl
# engine_cancel.pl: a cancel from another session ends the caller's statement cleanly, wherever the run is; so does the
# end of the backend. Nothing is recorded of such a run, nothing that it did stays, and the session goes on.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $deadline = $ENV{WF_SLOW} ? 1800 : 180;
my $cluster = PostgreSQL::Test::Cluster->new('cancel');
$cluster->init;
$cluster->append_conf('postgresql.conf', "log_min_messages = warning\nworkflow.max_iterations = 2000000000\n");
$cluster->start;
$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow');
$cluster->safe_psql('postgres', q{
	CREATE TABLE t (v text);
	CREATE FUNCTION save(name text, nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings)) $$;
	SELECT save('ok', '[{"id": "a", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''ok'')"}}]');
	-- each writes, and then is at it until somebody stops it
	SELECT save('sql', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "db.query", "config": {"sql": "SELECT pg_sleep(3600)"}}]', '[{"source": "i", "target": "s"}]');
	SELECT save('guarded', '[{"id": "t", "type": "try"}, {"id": "i", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT pg_sleep(3600)"}, "onError": "continue", "retry": {"maxAttempts": 5, "initialDelay": 0}},
		{"id": "c", "type": "noop", "parent": "t", "branch": "catch"}, {"id": "f", "type": "db.query", "parent": "t", "branch": "finally", "config": {"sql": "INSERT INTO t VALUES (''finally'')"}}]', '[{"source": "i", "target": "s"}]');
	SELECT save('timed', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "db.query", "config": {"sql": "SELECT pg_sleep(3600)"}, "timeout": "1h", "onError": "continue"}]', '[{"source": "i", "target": "s"}]', '{"timeout": "2h"}');
	SELECT save('pure', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "l", "type": "loop", "config": {"type": "while", "condition": "true", "maxIterations": 1000000000}}, {"id": "b", "type": "noop", "parent": "l"}]', '[{"source": "i", "target": "l"}]', '{"journal": "none"}');
	SELECT save('empty', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "l", "type": "loop", "config": {"type": "while", "condition": "true", "maxIterations": 1000000000000}}]', '[{"source": "i", "target": "l"}]', '{"journal": "none"}');
	SELECT save('back', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "a", "type": "noop"}]', '[{"source": "i", "target": "a"}, {"source": "a", "target": "a", "maxIterations": 2000000000}]', '{"journal": "none"}');
	SELECT save('wait', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}, "retry": {"maxAttempts": 2, "initialDelay": "1h", "maxDelay": "1h"}}]', '[{"source": "i", "target": "f"}]');
	SELECT save('nested', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "db.query", "config": {"sql": "SELECT wf_run(''guarded'')"}, "onError": "continue", "timeout": "1h"}]', '[{"source": "i", "target": "s"}]');
	SELECT save('called', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "subworkflow", "config": {"workflow": "guarded", "errorHandling": "ignore"}}]', '[{"source": "i", "target": "s"}]');
	SELECT save('lock', '[{"id": "i", "type": "db.query", "config": {"sql": "INSERT INTO t VALUES (''gone'')"}}, {"id": "s", "type": "db.query", "config": {"sql": "SELECT pg_advisory_xact_lock(1)"}, "onError": "continue"}]', '[{"source": "i", "target": "s"}]');
});
my $admin = $cluster->background_psql('postgres', on_error_stop => 0);
my $blocker = $cluster->background_psql('postgres', on_error_stop => 0);
$blocker->query_safe('SELECT pg_advisory_lock(1)');

# until(query): waits until the query gives t.
sub until_true
{
	my ($query, $what) = @_;
	my $end = time + $deadline;
	while (time < $end)
	{
		return 1 if $admin->query_safe($query) eq 't';
		select(undef, undef, undef, 0.01);
	}
	diag("$what did not come about");
	return 0;
}

# The session's backend runs its statement; and, with a row in t that only it can see, has run the first node: its
# transaction has an id.
sub at_work
{
	my ($pid) = @_;
	return until_true("SELECT coalesce((SELECT state = 'active' AND backend_xid IS NOT NULL FROM pg_stat_activity WHERE pid = $pid), false)", "work of $pid");
}

for my $workflow (qw(sql guarded timed pure empty back wait nested called lock))
{
	for my $function (qw(wf_run wf_call wf_dry_run))
	{
		# a dry run tells that it would wait, and is over
		next if $workflow eq 'wait' && $function eq 'wf_dry_run';
		my $session = $cluster->background_psql('postgres', on_error_stop => 0);
		my $pid = $session->query_safe('SELECT pg_backend_pid()');
		$session->query_until(qr/begun/, "\\echo begun\nSELECT $function('$workflow');\n\\echo over\n");
		ok(at_work($pid), "$function of $workflow is at work");
		$admin->query_safe("SELECT pg_cancel_backend($pid)");
		$session->query_until(qr/over/, '');
		like($session->{stderr}, qr/canceling statement due to user request/, "$function of $workflow: the statement was cancelled");
		$session->{stdout} = $session->{stderr} = '';
		is($session->query("SELECT wf_run('ok')->>'status'"), 'completed', "$function of $workflow: the session goes on");
		is($session->query("SELECT current_user = session_user AND current_setting('search_path') = '\"\$user\", public'"), 't', "$function of $workflow: role and search path are as before");
		$session->quit;
	}
}
is($cluster->safe_psql('postgres', "SELECT string_agg(DISTINCT v, ' ') FROM t"), 'ok', 'nothing that was cancelled left anything');
is($cluster->safe_psql('postgres', "SELECT string_agg(DISTINCT workflow || ' ' || status, ', ') FROM wf_runs"), 'ok completed', 'nor a record');

# statement_timeout, at ever other moments: the statement fails, whatever the run handles
my $session = $cluster->background_psql('postgres', on_error_stop => 0);
for my $workflow (qw(guarded timed pure wait nested called))
{
	my $wrong = 0;
	for my $ms (1 .. 12)
	{
		$session->{stderr} = '';
		$session->query("SET statement_timeout = ${ms}; SELECT wf_run('$workflow');");
		$wrong++ if $session->{stderr} !~ /canceling statement due to statement timeout/;
		$session->{stderr} = '';
		$session->query('RESET statement_timeout');
	}
	is($wrong, 0, "statement_timeout ends $workflow at any time");
}
$session->{stderr} = '';
is($session->query("SELECT wf_run('ok')->>'status'"), 'completed', 'the session goes on after that');
$session->quit;
is($cluster->safe_psql('postgres', "SELECT string_agg(DISTINCT v, ' ') FROM t"), 'ok', 'nothing of it is left');

# the end of the backend, and of the server, while runs are at work
for my $workflow (qw(guarded pure nested))
{
	my $victim = $cluster->background_psql('postgres', on_error_stop => 0);
	my $pid = $victim->query_safe('SELECT pg_backend_pid()');
	$victim->query_until(qr/begun/, "\\echo begun\nSELECT wf_run('$workflow');\n");
	ok(at_work($pid), "$workflow is at work");
	$admin->query_safe("SELECT pg_terminate_backend($pid)");
	ok(until_true("SELECT NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = $pid)", "end of $pid"), "its backend ended");
	$victim->{run}->finish;
}
is($cluster->safe_psql('postgres', "SELECT string_agg(DISTINCT v, ' ') FROM t"), 'ok', 'nothing of that is left either');
my $last = $cluster->background_psql('postgres', on_error_stop => 0);
my $pid = $last->query_safe('SELECT pg_backend_pid()');
$last->query_until(qr/begun/, "\\echo begun\nSELECT wf_run('guarded');\n");
ok(at_work($pid), 'a run is at work');
$blocker->quit;
$admin->quit;
$cluster->stop('fast');
ok(1, 'a fast shutdown ends it');
$last->{run}->finish;

my $log = slurp_file($cluster->logfile);
unlike($log, qr/leak|was not closed|terminated by signal|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
