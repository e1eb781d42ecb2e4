#!/usr/bin/perl
# worker_session.pl: what a run finds in its worker's session: nothing of the run before, and nothing that ALTER ROLE ... SET
# could spoil; roles that cannot connect; a server that has not preloaded the library.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('session', "workflow.worker_idle_timeout = '1h'", 'workflow.max_workers = 1');
$cluster->start;
setup($cluster, 'postgres', 'alice', 'bob', 'carol');
$cluster->safe_psql('postgres', q{
	CREATE TABLE seen (n serial, what text);
	GRANT ALL ON seen TO PUBLIC; GRANT ALL ON SEQUENCE seen_n_seq TO PUBLIC;
	CREATE SEQUENCE counter; GRANT ALL ON SEQUENCE counter TO PUBLIC;
	GRANT TEMPORARY ON DATABASE postgres TO PUBLIC;
	CREATE FUNCTION last_of_counter() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN RETURN lastval(); EXCEPTION WHEN OTHERS THEN RETURN NULL; END $$;
	CREATE FUNCTION look() RETURNS void LANGUAGE sql AS $$
		INSERT INTO seen (what) SELECT concat_ws(' ', 'temp=' || (SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind = 'r'),
			'prepared=' || (SELECT count(*) FROM pg_prepared_statements WHERE from_sql), 'cursors=' || (SELECT count(*) FROM pg_cursors WHERE is_holdable),
			'locks=' || (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),
			'listen=' || (SELECT count(*) FROM pg_listening_channels()), 'lastval=' || coalesce(last_of_counter()::text, 'none'),
			'work_mem=' || current_setting('work_mem'), 'my=' || coalesce(nullif(current_setting('my.own', true), ''), 'none'),
			'user=' || current_user || '/' || session_user, 'readonly=' || current_setting('transaction_read_only'), 'path=' || current_setting('search_path')) $$;
});
my $clean = 'temp=0 prepared=0 cursors=0 locks=0 listen=0 lastval=none work_mem=4MB my=none user=alice/alice readonly=off path=';
my %mess = (
	'temporary table' => 'CREATE TEMP TABLE t (a int); INSERT INTO t VALUES (1)',
	'prepared statement' => 'PREPARE p AS SELECT 1',
	'cursor' => 'DECLARE c CURSOR WITH HOLD FOR SELECT 1',
	'advisory lock' => 'SELECT pg_advisory_lock(1), pg_advisory_lock(2)',
	'sequence' => "SELECT nextval('counter')",
	'setting' => q{SET work_mem = '10MB'; SET my.own = 'x'; SELECT set_config('statement_timeout', '1', false)},
	'role' => 'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET search_path = pg_temp',
	'read only' => 'SET default_transaction_read_only = on',
);
my $listener = $cluster->safe_psql('postgres', "SELECT send('alice', 'LISTEN channel')");
like(outcome($cluster, 'postgres', $listener), qr/failed .*cannot execute LISTEN/, 'LISTEN is refused');
for my $what (sort keys %mess)
{
	# the next run in a transaction of its own, then in the same one
	my $run = $cluster->safe_psql('postgres', "SELECT send('alice', \$\$$mess{$what}\$\$)");
	is(outcome($cluster, 'postgres', $run), 'completed ', "$what: a run makes it");
	$run = $cluster->safe_psql('postgres', "SELECT send('alice', 'SELECT look()')");
	is(outcome($cluster, 'postgres', $run), 'completed ', "$what: another run");
	like($cluster->safe_psql('postgres', 'SELECT what FROM seen ORDER BY n DESC LIMIT 1'), qr/^\Q$clean\E/, "$what: finds nothing of it");
	my @runs = split /\n/, $cluster->safe_psql('postgres', "SELECT send('alice', \$\$$mess{$what}\$\$) UNION ALL SELECT send('alice', 'SELECT look()') UNION ALL SELECT send('alice', \$\$$mess{$what}\$\$)");
	is(outcome($cluster, 'postgres', $_), 'completed ', "$what: together") for @runs;
	like($cluster->safe_psql('postgres', 'SELECT what FROM seen ORDER BY n DESC LIMIT 1'), qr/^\Q$clean\E/, "$what: nor in the same transaction");
}
is($cluster->safe_psql('postgres', q{SELECT count(DISTINCT pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'}), '1', 'by one worker');

# ALTER ROLE and ALTER DATABASE
$cluster->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'});
$cluster->safe_psql('postgres', q{
	GRANT carol TO bob;
	CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;
	ALTER ROLE bob SET role = 'carol';
	ALTER ROLE bob SET search_path = 'trap';
	ALTER ROLE bob SET default_transaction_read_only = on;
	ALTER ROLE bob SET default_transaction_isolation = 'serializable';
	ALTER ROLE bob SET default_transaction_deferrable = on;
	ALTER ROLE bob SET statement_timeout = '1ms';
	ALTER ROLE bob SET lock_timeout = '1ms';
	ALTER ROLE bob SET idle_session_timeout = '1ms';
	ALTER ROLE bob SET idle_in_transaction_session_timeout = '1ms';
	ALTER ROLE bob SET session_preload_libraries = 'no_such_library';
	ALTER ROLE bob SET local_preload_libraries = 'no_such_library';
	ALTER ROLE bob SET exit_on_error = on;
	ALTER ROLE bob SET row_security = off;
	ALTER ROLE bob SET session_replication_role = 'replica';
	ALTER ROLE bob SET workflow.tenant = 'nobody';
	ALTER ROLE bob SET work_mem = '5MB';
	ALTER DATABASE postgres SET default_transaction_read_only = on;
	ALTER DATABASE postgres SET role = 'carol';
});
my $admin = 'SET role = none; SET default_transaction_read_only = off; ';
my $run = $cluster->safe_psql('postgres', $admin . "SELECT send('bob', 'SELECT pg_sleep(0.01); SELECT look()')");
ok(until_true($cluster, 'postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'bob'}, 'worker of bob'), 'there is a worker');
$cluster->safe_psql('postgres', $admin . 'ALTER DATABASE postgres RESET ALL');
is(outcome($cluster, 'postgres', $run), 'completed ', 'a role with settings that are in the way');
like($cluster->safe_psql('postgres', 'SELECT what FROM seen ORDER BY n DESC LIMIT 1'), qr/work_mem=5MB my=none user=bob\/bob readonly=off path=/,
	'they do not hold; others do');

# roles that cannot connect
$cluster->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'});
for my $case (['ALTER ROLE carol NOLOGIN', 'ALTER ROLE carol LOGIN', qr/failed 28000 .*not permitted to log in/], ['REVOKE CONNECT ON DATABASE postgres FROM PUBLIC', 'GRANT CONNECT ON DATABASE postgres TO PUBLIC', qr/failed 42501 .*CONNECT/])
{
	my ($do, $undo, $want) = @$case;
	# it loses what it needs after the run was queued
	$run = $cluster->safe_psql('postgres', "BEGIN; SELECT send('carol', 'SELECT 1', 3); $do; COMMIT");
	my $admin_run = $cluster->safe_psql('postgres', "SELECT send('postgres', 'SELECT 1')");
	like(outcome($cluster, 'postgres', $run), $want, "$do: the run fails with the reason");
	is(outcome($cluster, 'postgres', $admin_run), 'completed ', 'those of others go on');
	$cluster->safe_psql('postgres', $undo);
	$run = $cluster->safe_psql('postgres', "SELECT send('carol', 'SELECT 1')");
	is(outcome($cluster, 'postgres', $run), 'completed ', "$undo: runs are executed again");
	$cluster->safe_psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'});
}
$cluster->safe_psql('postgres', "SELECT wf_revoke('carol', 'default'); REVOKE ALL ON mark, seen FROM carol");
$run = $cluster->safe_psql('postgres', "CREATE ROLE dave LOGIN; SELECT wf_grant('dave', 'default', 'member'); BEGIN; SELECT send('dave', 'SELECT 1'); SELECT wf_revoke('dave', 'default'); DROP ROLE dave; COMMIT");
($run) = grep { /-/ } split /\n/, $run;
like(outcome($cluster, 'postgres', $run), qr/failed 42704 .*does not exist/, 'a role that was dropped');
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/leak|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set|could not (?:load|access)/, 'no resource was left behind');

# without shared_preload_libraries
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$cluster->start;
is($cluster->safe_psql('postgres', q{SELECT wf_save('w', '{"nodes": [{"id": "a", "type": "noop"}], "edges": []}'); SELECT wf_run('w')->>'status'}), "1\ncompleted", 'a server that has not preloaded it: runs in the foreground work');
is($cluster->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'workflow%'}), '0', 'and there are no processes');
$cluster->safe_psql('postgres', 'DROP EXTENSION workflow CASCADE; CREATE EXTENSION workflow');
$cluster->stop;
done_testing();
