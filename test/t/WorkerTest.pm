# WorkerTest.pm: what tests of processes share: a cluster with the library preloaded, runs that execute any SQL, and waiting with
# a deadline.
package WorkerTest;
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use Test::More;
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(new_cluster setup setup_hold until_true processes outcome $deadline);

our $deadline = $ENV{WF_SLOW} ? 600 : $ENV{WF_DEADLINE} // 60;

# new_cluster(name, setting ...): not started yet.
sub new_cluster
{
	my ($name, @settings) = @_;
	my $cluster = PostgreSQL::Test::Cluster->new($name);
	$cluster->init(allows_streaming => 1);
	$cluster->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'workflow'", 'log_min_messages = info', 'max_connections = 40', 'max_worker_processes = 16',
		'max_prepared_transactions = 5', 'restart_after_crash = on', @settings, ''));
	return $cluster;
}

# setup(cluster, database, role ...): the extension, the roles as members of the tenant, and
#   send(role, sql, n): n runs as the role, each of which executes the SQL; the id of the first
#   log: what became of runs: run_id, status, error
#   wakes(): how often processes of ours woke
sub setup
{
	my ($cluster, $database, @roles) = @_;
	$cluster->safe_psql($database, q{
		CREATE EXTENSION workflow;
		CREATE FUNCTION wakes() RETURNS bigint LANGUAGE c AS 'workflow', 'wf_sql_test_wakes';
		CREATE TABLE mark (v text, at timestamptz DEFAULT clock_timestamp(), pid int DEFAULT pg_backend_pid());
		GRANT ALL ON mark TO PUBLIC;
		CREATE FUNCTION execute(sql text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN EXECUTE sql; RETURN sql; END $$;
	});
	for my $role (@roles)
	{
		$cluster->safe_psql($database, "DO \$\$ BEGIN CREATE ROLE $role LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$; SELECT wf_grant('$role', 'default', 'member')");
	}
	$cluster->safe_psql($database, q{
		SELECT wf_save('sql', '{"nodes": [{"id": "q", "type": "db.query", "config": {"sql": "SELECT execute($1)", "params": ["{{ $input.sql }}"], "outputFormat": "value"}}], "edges": []}');
		CREATE FUNCTION send(r text, sql text, n int DEFAULT 1) RETURNS uuid LANGUAGE plpgsql AS $$
		DECLARE first uuid;
		BEGIN
			PERFORM set_config('role', r, true);
			SELECT (array_agg(id))[1] INTO first FROM wf_start_many('sql', array_fill(jsonb_build_object('sql', sql), ARRAY[n])) id;
			PERFORM set_config('role', 'none', true);
			RETURN first;
		END $$;
		CREATE FUNCTION cancel(run uuid) RETURNS void LANGUAGE sql AS $$ SELECT wf_cancel(run) $$;
		CREATE VIEW log AS SELECT run_id, status, concat_ws(' ', error->>'code', error->>'message') AS error FROM wf_runs WHERE finished_at IS NOT NULL;
	});
}

# setup_hold(cluster, database, name = hold, table = go): a function that waits until there is a row in the table.
sub setup_hold
{
	my ($cluster, $database, $name, $table) = @_;
	$name //= 'hold';
	$table //= 'go';
	$cluster->safe_psql($database, qq{CREATE TABLE $table (); GRANT SELECT ON $table TO PUBLIC;
		CREATE FUNCTION $name() RETURNS void LANGUAGE plpgsql AS \$\$ BEGIN WHILE NOT EXISTS (SELECT FROM $table) LOOP PERFORM pg_sleep(0.02); END LOOP; END \$\$});
	return;
}

# until_true(cluster, database, query, what): waits until the query gives t. The server may be down meanwhile: psql then may go
# before it has read the query, which is an exception.
sub until_true
{
	my ($cluster, $database, $query, $what) = @_;
	my $end = time + $deadline;
	my ($out, $err);
	while (time < $end)
	{
		eval { $cluster->psql($database, $query, stdout => \$out, stderr => \$err) };
		return 1 if defined $out && $out eq 't';
		sleep(0.02);
	}
	diag("$what did not come about: " . ($out // '') . ' ' . ($err // ''));
	return 0;
}

# outcome(cluster, database, run): how it ended, waiting for that.
sub outcome
{
	my ($cluster, $database, $run) = @_;
	until_true($cluster, $database, "SELECT EXISTS (SELECT 1 FROM log WHERE run_id = '$run')", "end of run $run");
	return $cluster->safe_psql($database, "SELECT status || ' ' || coalesce(error, '') FROM log WHERE run_id = '$run'");
}

# processes(cluster): "worker of x for y, launcher, keeper of x ...", each once
sub processes
{
	my ($cluster) = @_;
	return $cluster->safe_psql('postgres', q{
		SELECT string_agg(name, ', ' ORDER BY rank DESC, name) FROM (SELECT DISTINCT backend_type AS rank, CASE backend_type
			WHEN 'workflow launcher' THEN 'launcher' WHEN 'workflow keeper' THEN 'keeper of ' || datname
			ELSE 'worker of ' || datname || ' for ' || usename END AS name
		FROM pg_stat_activity WHERE backend_type LIKE 'workflow %' AND (datname IS NOT NULL OR backend_type = 'workflow launcher')) p});
}

1;
