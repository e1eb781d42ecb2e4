#!/usr/bin/perl
# runtime_clock.pl: the clock of the server is moved by an hour, forwards and backwards, while runs wait.
# A keeper that sleeps looks at the clock once a minute, so what became due is run a little more than a minute later.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

$deadline = 150 if $deadline < 150;

my $cluster = new_cluster('clock');
$cluster->start;
$cluster->safe_psql('postgres', q{
	CREATE EXTENSION workflow;
	CREATE FUNCTION clock(seconds float8) RETURNS void LANGUAGE c STRICT AS 'workflow', 'wf_sql_test_clock';
	CREATE TABLE done (name text, n int GENERATED ALWAYS AS IDENTITY);
	SELECT wf_save('waits', '{"nodes": [{"id": "w", "type": "delay", "config": {"duration": "{{ $trigger.seconds }}"}},
		{"id": "d", "type": "db.create", "config": {"table": "done", "values": {"name": "{{ $trigger.name }}"}}}],
		"edges": [{"source": "w", "target": "d"}]}');
	CREATE FUNCTION start(name text, seconds float8) RETURNS uuid LANGUAGE sql AS
		$$ SELECT wf_start('waits', jsonb_build_object('name', name, 'seconds', seconds)) $$;
});

sub waits
{
	my ($n, $what) = @_;
	ok(until_true($cluster, 'postgres', "SELECT count(*) = $n FROM wf_runs WHERE status = 'waiting'", $what), $what);
}

sub ended
{
	my ($names, $what) = @_;
	ok(until_true($cluster, 'postgres', "SELECT coalesce(string_agg(name, ' ' ORDER BY n), '') = '$names' FROM done", $what), $what);
}

$cluster->safe_psql('postgres', "SELECT start('half', 1800), start('two', 7200), start('soon', 0.1)");
ended('soon', 'a delay by the clock as it is');
waits(2, 'those that are due later wait');
$cluster->safe_psql('postgres', 'SELECT clock(3600)');
ended('soon half', 'an hour forwards: what is due within it is found');
waits(1, 'and nothing else');
$cluster->safe_psql('postgres', "SELECT start('new', 0.1)");
ended('soon half new', 'delays that begin now go by the new time');
$cluster->safe_psql('postgres', 'SELECT clock(0)');
$cluster->safe_psql('postgres', "SELECT start('back', 0.1)");
ended('soon half new back', 'an hour backwards: runs that begin then are not held up');
waits(1, 'what was not due is not');
is($cluster->safe_psql('postgres', 'SELECT count(*), count(DISTINCT run_id) FROM wf_runs'), '5|5', 'ids are not used twice');
$cluster->safe_psql('postgres', 'SELECT clock(7300)');
ended('soon half new back two', 'two hours forwards');
is($cluster->safe_psql('postgres', 'SELECT string_agg(problem, E\'\\n\') FROM wf.check_invariants()'), '', 'invariants');
$cluster->stop;
done_testing();
