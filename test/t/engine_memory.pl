#!/usr/bin/perl
# engine_memory.pl: one backend's memory does not grow with the number of its runs, nor with the rounds of a loop.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $few = $ENV{WF_SLOW} ? 500 : 2_000;
my $many = $ENV{WF_SLOW} ? 2_000 : 30_000;
my $cluster = PostgreSQL::Test::Cluster->new('memory');
$cluster->init;
$cluster->append_conf('postgresql.conf', "log_min_messages = warning\nfsync = off\nsynchronous_commit = off\nmax_wal_size = 4GB\n");
$cluster->start;
$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow');
$cluster->safe_psql('postgres', q{
	CREATE TABLE t (id int PRIMARY KEY, v text);
	CREATE FUNCTION save(name text, nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings)) $$;
	SELECT save('pure', '[{"id": "a", "type": "noop"}, {"id": "s", "type": "set", "config": {"variables": {"x": "{{ $input.k + 1 }}"}}}, {"id": "i", "type": "if", "config": {"condition": "$vars.x > 1"}}, {"id": "z", "type": "noop"}]', '[{"source": "a", "target": "s"}, {"source": "s", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "z"}]', '{"journal": "none"}');
	SELECT save('db', '[{"id": "u", "type": "db.upsert", "config": {"table": "t", "values": {"id": 1, "v": "{{ $input.k }}"}, "conflict": ["id"]}}, {"id": "f", "type": "db.findOne", "config": {"table": "t", "where": {"id": 1}}}, {"id": "q", "type": "db.query", "config": {"sql": "SELECT count(*) FROM t WHERE id = $1", "params": [1]}}]', '[{"source": "u", "target": "f"}, {"source": "f", "target": "q"}]');
	SELECT save('fails', '[{"id": "t", "type": "try"}, {"id": "q", "type": "db.query", "parent": "t", "branch": "try", "config": {"sql": "SELECT 1 / $1::int", "params": [0]}, "retry": {"maxAttempts": 2, "initialDelay": 0}}, {"id": "c", "type": "noop", "parent": "t", "branch": "catch"}, {"id": "f", "type": "fail", "config": {"code": "E", "message": "m"}}]', '[{"source": "t", "target": "f"}]', '{"journal": "none", "timeout": "1h"}');
	SELECT save('child', '[{"id": "a", "type": "set", "config": {"variables": {"v": "{{ $input }}"}}}]');
	SELECT save('calls', '[{"id": "s", "type": "subworkflow", "config": {"workflow": "child"}}, {"id": "n", "type": "subworkflow", "config": {"workflow": "none", "errorHandling": "ignore"}}]', '[{"source": "s", "target": "n"}]', '{"journal": "none"}');
	-- rounds: each in a run of its own, of as many rounds as it is told
	SELECT save('rounds', '[{"id": "l", "type": "loop", "config": {"type": "while", "condition": "$index < $trigger.n", "maxIterations": 10000000}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"text": "{{ \"x\".repeat(500) + $index }}"}}}, {"id": "z", "type": "return", "parent": "l"}]', '[{"source": "s", "target": "z", "condition": "false"}]', '{"journal": "none"}');
	SELECT save('back', '[{"id": "s", "type": "set", "config": {"variables": {"text": "{{ \"x\".repeat(500) + $run.iteration.s }}"}}}, {"id": "z", "type": "noop"}]', '[{"source": "s", "target": "s", "condition": "$run.iteration.s < $trigger.n", "maxIterations": 10000000}, {"source": "s", "target": "z", "condition": "false"}]', '{"journal": "none"}');
	SELECT save('sub rounds', '[{"id": "l", "type": "loop", "config": {"type": "while", "condition": "$index < $trigger.n", "maxIterations": 10000000}}, {"id": "s", "type": "subworkflow", "parent": "l", "config": {"workflow": "child", "input": {"text": "{{ \"x\".repeat(500) }}"}}}, {"id": "z", "type": "return", "parent": "l"}]', '[{"source": "s", "target": "z", "condition": "false"}]', '{"journal": "none"}');
});

# The backend's resident set in kB, after what was left over is given back.
sub resident
{
	my ($pid) = @_;
	open(my $in, '<', "/proc/$pid/statm") or return undef;
	my @pages = split ' ', <$in>;
	# without what is shared: buffers are touched more and more
	return ($pages[1] - $pages[2]) * 4;
}

sub contexts
{
	my ($session) = @_;
	return $session->query_safe('SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts');
}

for my $workflow ('pure', 'db', 'fails', 'calls')
{
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	my $runs = sub { $session->query_safe("DO \$\$ BEGIN FOR i IN 1..$_[0] LOOP PERFORM wf_run('$workflow', '{\"k\": 1}'); IF i % 100 = 0 THEN COMMIT; END IF; END LOOP; END \$\$") };
	$runs->($few);
	my $before = contexts($session);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $resident = resident($pid);
	$runs->($many);
	my $after = contexts($session);
	cmp_ok($after - $before, '<', 512, "$workflow: contexts after $many runs, kB more than after $few");
	cmp_ok(resident($pid) - $resident, '<', 8192, "$workflow: memory, in kB") if defined $resident;
	$session->quit;
}

# The peak of one run: many rounds take no more than few, but for what they give.
for my $workflow ('rounds', 'back', 'sub rounds')
{
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	my $run = sub { is($session->query_safe("SELECT wf_run('$workflow', '{\"n\": $_[0]}')->>'status'"), 'completed', "$workflow: $_[0] rounds") };
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $peak = sub { open(my $in, '<', "/proc/$pid/status") or return undef; my ($kb) = join('', <$in>) =~ /^VmHWM:\s*(\d+)/m; return $kb; };
	$run->($few);
	my $before = $peak->();
	$run->($many);
	my $after = $peak->();
	cmp_ok($after - $before, '<', 10240, "$workflow: peak of $many rounds, kB more than of $few") if defined $before;
	$session->quit;
}
# Saving, compiling, refusing and explaining over and over, with blocks of one's own, in transactions of both kinds.
$cluster->safe_psql('postgres', q{
	CREATE FUNCTION echo(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT input $$;
	SELECT wf_register_block('acme.echo', 'echo(jsonb, jsonb)');
	CREATE FUNCTION churn(n int) RETURNS void LANGUAGE plpgsql AS $$
	BEGIN
		FOR i IN 1..n LOOP
			PERFORM wf_save('churn', jsonb_build_object('nodes', jsonb_build_array('{"id": "a", "type": "acme.echo"}'::jsonb, jsonb_build_object('id', 'b', 'type', 'db.findOne', 'config', jsonb_build_object('table', 't', 'where', jsonb_build_object('id', i)))), 'edges', '[]'::jsonb));
			PERFORM wf_run('churn', '{}', '{"version": 1}'), wf_run('churn');
			BEGIN PERFORM wf_save('bad', '{"nodes": [{"id": "a", "type": "nope"}], "edges": []}'); EXCEPTION WHEN SQLSTATE 'WF002' THEN NULL; END;
			PERFORM count(*) FROM wf_validate('{"nodes": [{"id": "a", "type": "db.find", "config": {"table": "nope"}}], "edges": []}');
			PERFORM count(*) FROM wf_explain('churn');
		END LOOP;
	END $$;
});
for my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	my $churn = sub { $session->query_safe("BEGIN ISOLATION LEVEL $level; SELECT churn($_[0]); COMMIT;") };
	$churn->(100);
	my $before = contexts($session);
	$churn->($few / 2);
	cmp_ok(contexts($session) - $before, '<', 512, "$level: contexts after many saves, kB more than after few");
	$session->quit;
}
my $log = slurp_file($cluster->logfile);
unlike($log, qr/leak|was not closed|PANIC|TRAP|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
