#!/usr/bin/perl
# runtime_disk.pl: the disk is full: of the tenant's table, and of the engine's own tables, in the middle of a load.
# Runs fail with what PostgreSQL says, or wait until there is room again; none is lost, and none is done by halves.
#
# The disk is a small tmpfs, mounted in a namespace of this test; without the right to make one it is skipped.
use strict;
use warnings;

# Before PostgreSQL::Test::Utils, which turns the output into its log.
BEGIN
{
	if (!$ENV{WF_SMALL_DISK})
	{
		my @inside = qw(unshare --user --mount --map-current-user --keep-caps);
		require File::Temp;
		my $place = File::Temp::tempdir(CLEANUP => 1);
		if (system("@inside mount -t tmpfs -o size=1m none $place >/dev/null 2>&1") != 0)
		{
			print "1..0 # SKIP a tmpfs cannot be mounted here\n";
			exit;
		}
		$ENV{WF_SMALL_DISK} = 1;
		exec @inside, $^X, $0 or die "could not run unshare: $!";
	}
}

use FindBin;
use lib $FindBin::Bin;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RuntimeLoad qw(runtime_there try_sql until_up);
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'there is no durable runtime' if !runtime_there();

my $slow = $ENV{WF_SLOW} ? 10 : 1;
my $disk = PostgreSQL::Test::Utils::tempdir_short();
system('mount', '-t', 'tmpfs', '-o', 'size=64m,mode=700', 'none', $disk) == 0 or BAIL_OUT('could not mount');
mkdir "$disk/space";
my $cluster = PostgreSQL::Test::Cluster->new('disk');
$cluster->init;
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\nlog_min_messages = warning\nfsync = off\nworkflow.max_workers = 2\nautovacuum = off\nshared_buffers = 16MB\n");
$cluster->start;
$cluster->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$disk/space'");
$cluster->safe_psql('postgres', q{CREATE EXTENSION workflow; CREATE ROLE app LOGIN; GRANT CREATE ON SCHEMA public TO app; SELECT wf_grant('app', 'default', 'member');
	GRANT CREATE ON TABLESPACE small TO app;
	SET ROLE app;
	CREATE TABLE ledger (run_id uuid, node text, filler text) TABLESPACE small;
	CREATE TABLE accepted (run_id uuid);
	ALTER TABLE ledger ALTER filler SET STORAGE PLAIN;
	SELECT wf_save('fill', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "ledger", "values": {"run_id": "{{ $run.id }}", "node": "a"}}},
		{"id": "s", "type": "delay", "config": {"duration": 0.05}},
		{"id": "b", "type": "db.create", "config": {"table": "ledger", "values": {"run_id": "{{ $run.id }}", "node": "b", "filler": "{{ \"x\".repeat(6000) }}"}}}],
		"edges": [{"source": "a", "target": "s"}, {"source": "s", "target": "b"}]}');
});
my $start = q{SET ROLE app; INSERT INTO accepted SELECT wf_start_many('fill', array_fill('{}'::jsonb, ARRAY[50]))};
my $state = q{SELECT string_agg(status || coalesce(' ' || code, ''), ', ' ORDER BY status, code) FROM (SELECT DISTINCT coalesce(r.status, 'not ended') AS status, r.error ->> 'code' AS code FROM accepted a LEFT JOIN wf.run r USING (run_id)) s};
# a completed run wrote both rows, a failed one the first or none (its first segment stays when it had ended), each once
my $halves = q{SELECT r.status, array_agg(l.node ORDER BY l.node), count(*) FROM accepted a JOIN wf.run r USING (run_id) LEFT JOIN ledger l USING (run_id) GROUP BY a.run_id, r.status
	HAVING (r.status = 'completed') <> (coalesce(array_agg(l.node ORDER BY l.node), '{}') = '{a,b}') OR count(*) <> count(DISTINCT coalesce(l.node, '')) LIMIT 10};

# Fills the disk, to the last byte; and makes room again.
sub fill
{
	open(my $out, '>', "$disk/filler") or die "could not open the filler: $!";
	for my $size (1 << 20, 8192, 1)
	{
		1 while defined syswrite($out, 'x' x $size) && -s $out < (1 << 30);
	}
	return close $out;
}

sub make_room
{
	return unlink "$disk/filler";
}

# until(pattern, seconds): the state of all accepted runs.
sub until_state
{
	my ($pattern, $seconds) = @_;
	my $end = time + $seconds * $slow;
	my $got = '';
	while (time < $end)
	{
		$got = try_sql($cluster, $state) // 'no answer';
		last if $got =~ $pattern;
		sleep 0.05;
	}
	return $got;
}

$cluster->safe_psql('postgres', $start);
is(until_state(qr/^completed$/, 30), 'completed', 'with room, runs are completed');

# the tenant's table has no room
fill();
$cluster->safe_psql('postgres', $start) for 1 .. 4;
like(until_state(qr/^completed, failed 53100$/, 60), qr/^completed, failed 53100$/, 'a full disk of the tenant: runs fail with 53100');
is($cluster->safe_psql('postgres', $halves), '', 'and leave no halves');
make_room();
$cluster->safe_psql('postgres', 'TRUNCATE ledger, accepted');
$cluster->safe_psql('postgres', $start);
is(until_state(qr/^completed$/, 30), 'completed', 'with room again, runs are completed');

# the engine's tables have none: starts fail for their callers, and what was accepted is completed when there is room
$cluster->safe_psql('postgres', 'ALTER TABLE ledger SET TABLESPACE pg_default');
for my $tables ('wf.live, wf.wait', 'wf.segment', 'wf.run', 'wf.queue')
{
	for my $table (split /, /, $tables)
	{
		my $kind = $cluster->safe_psql('postgres', "SELECT relkind FROM pg_class WHERE oid = '$table'::regclass");
		$cluster->safe_psql('postgres', q{SELECT format('ALTER TABLE %s SET TABLESPACE small', relid) FROM pg_partition_tree('} . $table . q{')} . "\n\\gexec");
	}
	$cluster->safe_psql('postgres', 'TRUNCATE ledger, accepted');
	fill();
	# some are accepted still; some callers are told
	for (1 .. 20)
	{
		$cluster->psql('postgres', q{SET ROLE app; INSERT INTO accepted SELECT wf_start_many('fill', (SELECT array_agg(jsonb_build_object('i', i, 'filler', repeat('x', 2000))) FROM generate_series(1, 20) i))});
	}
	sleep 2 * $slow;
	ok(until_up($cluster, 10), "$tables without room: the server is there");
	make_room();
	# messages whose failure could not be recorded are left for a minute; once that is waited for, then new workers see to them
	$cluster->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'}) if $tables ne 'wf.segment';
	my $got = until_state(qr/^(completed|completed, failed 53100|failed 53100)$/, 90);
	like($got, qr/^(completed|completed, failed 53100|failed 53100)$/, "$tables without room: with room again, everything that was accepted ended");
	diag("$tables: " . $cluster->safe_psql('postgres', 'SELECT count(*) FROM accepted') . " accepted: $got");
	is($cluster->safe_psql('postgres', $halves), '', "$tables: no halves");
	for my $table (split /, /, $tables)
	{
		$cluster->safe_psql('postgres', q{SELECT format('ALTER TABLE %s SET TABLESPACE pg_default', relid) FROM pg_partition_tree('} . $table . q{')} . "\n\\gexec");
	}
}
is($cluster->safe_psql('postgres', 'SELECT * FROM wf.check_invariants() LIMIT 20'), '', 'invariants');
$cluster->stop('fast');
my @bad = grep { /terminated by signal|PANIC|TRAP: |leak|was not closed|alloc set/ } split /\n/, slurp_file($cluster->logfile);
is(join("\n", @bad[0 .. ($#bad > 20 ? 20 : $#bad)]), '', 'nothing bad in the log');
done_testing();
# so that the folder can be removed
chdir '/';
system('umount', $disk);
