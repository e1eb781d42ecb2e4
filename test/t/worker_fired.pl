#!/usr/bin/perl
# worker_fired.pl: what triggers did is saved by the keeper, about once a second; it survives a restart, and what ends a keeper.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use WorkerTest;

my $cluster = new_cluster('fired');
$cluster->start;
my $one = '00000000-0000-7000-8000-00000000000a';
my $two = '00000000-0000-7000-8000-00000000000b';

sub sql { my ($query, $database) = @_; return $cluster->safe_psql($database // 'postgres', $query) }

sub comes
{
	my ($query, $what, $database) = @_;
	return ok(until_true($cluster, $database // 'postgres', $query, $what), $what);
}

sub prepare
{
	my ($database) = @_;
	setup($cluster, $database, 'alice');
	# what is of no trigger goes when a keeper begins
	sql("INSERT INTO wf.trigger (tenant_id, trigger_id, workflow_id, node, version, type, role, enabled, installed, definer, priority, gate_size, config, search_path)
		SELECT tenant_id, id, workflow_id, id, 1, 'trigger.manual', 'postgres', false, false, false, 0, 0, '{}', '' FROM wf.workflow, unnest('{$one,$two}'::uuid[]) id WHERE name = 'sql'", $database);
	sql(q{
		CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
		CREATE FUNCTION note(tenant uuid, trigger uuid, n bigint, times int) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_fired_note';
		CREATE FUNCTION fail(tenant uuid, trigger uuid, code text, message text) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_fired_failed';
		CREATE FUNCTION note(trigger uuid, n bigint DEFAULT 1) RETURNS void LANGUAGE sql AS $$ SELECT note(tenant_id, trigger, n, 1) FROM wf.tenant $$;
		CREATE FUNCTION fired_any() RETURNS bool LANGUAGE c AS 'workflow', 'wf_sql_test_fired_any';
		CREATE VIEW sums AS SELECT trigger_id, coalesce(s.n_fired, 0) + coalesce(f.n_fired, 0) AS n
			FROM wf.trigger_stat s FULL JOIN wf.fired() f USING (tenant_id, trigger_id);
		CREATE PROCEDURE often(trigger uuid, seconds float8, INOUT n bigint DEFAULT 0) LANGUAGE plpgsql AS $$
		DECLARE until timestamptz := clock_timestamp() + seconds * interval '1 s';
		BEGIN
			WHILE clock_timestamp() < until LOOP
				PERFORM note(trigger);
				COMMIT;
				n := n + 1;
			END LOOP;
		END $$;
	}, $database);
	return;
}

sub keeper { return sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'workflow keeper' AND datname = 'postgres'") }

# saved, by the keeper of its database, and once
prepare('postgres');
sql('CREATE DATABASE shop');
prepare('shop');
comes(q{SELECT count(*) = 2 FROM pg_stat_activity WHERE backend_type = 'workflow keeper'}, 'two keepers');
sql("SELECT note('$one', 5)");
sql("SELECT note('$one', 7)", 'shop');
sql("SELECT fail(tenant_id, '$two', 'WF006', 'too many') FROM wf.tenant");
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$one' AND n_fired = 5 AND fired_at > now() - interval '1 h')", 'firings are saved');
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$one' AND n_fired = 7)", 'those of another database there', 'shop');
comes(qq{SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$two' AND n_fired = 0 AND fired_at IS NULL AND n_failed = 1 AND error = '{"code": "WF006", "message": "too many"}')}, 'failures are, too');
comes("SELECT NOT EXISTS (SELECT FROM wf.fired())", 'and nothing is left to be saved');

# at rest nobody wakes
my $wakes = sql('SELECT wakes()');
my $begun = time;
until_true($cluster, 'postgres', "SELECT clock_timestamp() > to_timestamp($begun) + '3s'", 'three seconds');
cmp_ok(sql('SELECT wakes()') - $wakes, '<=', 1, 'nobody wakes at rest');

# under load it saves once a second
sql("UPDATE wf.trigger_stat SET n_fired = 0; CREATE TABLE save (at timestamptz); CREATE FUNCTION saved() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN INSERT INTO public.save VALUES (clock_timestamp()); RETURN NULL; END';
	CREATE TRIGGER saved AFTER INSERT ON wf.trigger_stat FOR EACH STATEMENT EXECUTE FUNCTION saved()");
$begun = time;
my $n = sql("CALL often('$one', 4)");
my $seconds = time - $begun;
# (a statement whose snapshot is older than a save that has ended by the time it looks into shared memory does not see what that saved)
comes("SELECT n = $n FROM sums WHERE trigger_id = '$one'", "all of $n are there");
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$one' AND n_fired = $n)", 'and saved');
cmp_ok(sql("SELECT count(*) FROM save WHERE at < to_timestamp($begun + $seconds)"), '<=', $seconds + 1, 'once a second');
sql('DROP TRIGGER saved ON wf.trigger_stat');

# a keeper that is about to commit what it saves: readers count that once; it is ended: nothing is lost
sql("SELECT fault('keeper.fired_saved:hold')");
sql("SELECT note('$one', 10)");
comes("SELECT fault('?') = ''", 'the keeper has saved, and not committed');
sql("SELECT note('$one', 100)");
is(sql("SELECT n FROM sums WHERE trigger_id = '$one'"), $n + 110, 'what is being saved is counted, and what comes meanwhile');
my $pid = keeper();
sql("SELECT pg_terminate_backend($pid)");
comes("SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'workflow keeper' AND datname = 'postgres' AND pid <> $pid", 'another keeper');
sql("SELECT fault('')");
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$one' AND n_fired = $n + 110)", 'it saves what the first one did not');

# an error
sql("SELECT fault('keeper.fired_saved:error')");
sql("SELECT note('$one')");
comes("SELECT fault('?') = ''", 'it cannot be saved');
sql("SELECT note('$two', 3)");
comes("SELECT (SELECT n_fired = $n + 111 FROM wf.trigger_stat WHERE trigger_id = '$one') AND (SELECT n_fired = 3 FROM wf.trigger_stat WHERE trigger_id = '$two')", 'it is later');

# a table that somebody has locked keeps nobody from anything
my $client = $cluster->background_psql('postgres');
$client->query_safe('BEGIN; LOCK wf.trigger_stat IN EXCLUSIVE MODE');
sql("SELECT note('$one')");
comes("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'wf.trigger_stat'::regclass)", 'the keeper wants the table');
comes("SELECT NOT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'wf.trigger_stat'::regclass)", 'but does not wait for ever');
my $later = sql(q{SET ROLE alice; SELECT wf_start('sql', '{"sql": "SELECT 1"}', '{"delay": "0.1 s"}')});
is(outcome($cluster, 'postgres', $later), 'completed ', 'timers fire');
is(sql("SELECT n FROM sums WHERE trigger_id = '$one'"), $n + 112, 'it is counted');
$client->query_safe('COMMIT');
$client->quit;
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$one' AND n_fired = $n + 112)", 'and saved afterwards');

# restarts: what was saved is there
for my $mode ('fast', 'immediate')
{
	$cluster->stop($mode);
	$cluster->start;
	is(sql("SELECT string_agg(n::text, ' ' ORDER BY trigger_id) FROM sums"), $n + 112 . ' 3', "after a stop, $mode");
}
sql("SELECT note('$two')");
comes("SELECT EXISTS (SELECT FROM wf.trigger_stat WHERE trigger_id = '$two' AND n_fired = 4)", 'and goes on');

# the extension goes, and what was not saved with it
sql("DROP EXTENSION workflow CASCADE; SELECT note('00000000-0000-7000-8000-000000000001', '$one', 1, 1)");
comes('SELECT NOT fired_any()', 'nothing is kept that cannot be saved');
sql(q{CREATE EXTENSION workflow; SELECT wf_save('w', '{"nodes": [{"id": "t", "type": "trigger.manual"}], "edges": []}')});
sql('SELECT note(trigger_id) FROM wf.trigger');
comes("SELECT string_agg(n_fired::text, ' ') = '1' FROM wf.trigger_stat", 'only what came after');
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/leak|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
