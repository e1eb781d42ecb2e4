#!/usr/bin/perl
# trigger_row.pl: row triggers and what comes from outside: writers at once, writers and servers that are killed, prepared
# transactions, dumps, logical replication.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('row', 'workflow.max_workers = 3', 'fsync = off', 'wal_level = logical', "workflow.worker_idle_timeout = '1s'");
$cluster->start;
sub sql { my ($query, $database) = @_; return $cluster->safe_psql($database // 'postgres', $query) }

sub comes
{
	my ($query, $what, $server) = @_;
	return ok(until_true($server // $cluster, 'postgres', $query, $what), $what);
}

# watch(workflow, table, events, settings): each run leaves the row's id, and who it was
my $watch = q{
	CREATE TABLE seen (w text, id int, who text DEFAULT current_user);
	GRANT ALL ON seen TO PUBLIC;
	CREATE FUNCTION watch(w text, config jsonb, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(w, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'changed', 'type', 'trigger.row', 'config', '{"events": ["insert"]}' || config),
			jsonb_build_object('id', 'see', 'type', 'db.create', 'config', jsonb_build_object('table', 'public.seen', 'values', jsonb_build_object('w', w, 'id', '{{ $trigger.new.id }}')))),
			'edges', '[{"source": "changed", "target": "see"}]'::jsonb, 'settings', settings)) $$;
};
setup($cluster, 'postgres', 'alice');
sql($watch . q{
	CREATE TABLE t (id int PRIMARY KEY);
	GRANT ALL ON t TO PUBLIC;
	SELECT watch('async', '{"table": "t"}', '{"security": "definer"}'), watch('sync', '{"table": "t", "mode": "sync", "when": "$trigger.new.id < 0"}', '{"security": "definer"}');
});

# 10,000 transactions by 4 clients: a run for each
sql('CREATE SEQUENCE s; GRANT ALL ON s TO PUBLIC');
my $script = $cluster->basedir . '/insert.sql';
append_to_file($script, "INSERT INTO t SELECT nextval('s');\n");
$cluster->command_ok(['pgbench', '-n', '-c', '4', '-j', '2', '-t', '2500', '-f', $script, $cluster->connstr('postgres')], '10,000 writers');
comes("SELECT NOT EXISTS (SELECT FROM wf.queue) AND count(*) = 10000 FROM wf_runs WHERE workflow = 'async' AND status = 'completed'", 'a run for each');
is(sql("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM seen"), '10000|10000|1|10000', 'once for each row');
comes("SELECT fired_count = 10000 FROM wf_triggers WHERE workflow = 'async'", 'all are counted');

# a session of its own, in a transaction that is open; its pid
my @sessions;
sub open_writer
{
	my ($rows, $end) = @_;
	my $name = 'writer' . @sessions;
	my $err = '';
	push @sessions, IPC::Run::start(['psql', '-X', '-q', '-d', $cluster->connstr('postgres'), '-c', "SET application_name = '$name'; BEGIN; INSERT INTO t VALUES $rows; $end"], '<', '/dev/null', '>', '/dev/null', '2>', \$err);
	comes("SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = '$name' AND query ~ 'pg_sleep' AND wait_event = 'PgSleep'", "$name has written");
	return sql("SELECT pid FROM pg_stat_activity WHERE application_name = '$name'");
}
my $both = sub {
	my ($ids) = @_;
	return sql("SELECT (SELECT count(*) FROM t WHERE id IN ($ids)), (SELECT count(*) FROM seen WHERE id IN ($ids)), (SELECT count(*) FROM wf_runs WHERE (input #>> '{new,id}')::int IN ($ids))");
};
# killed between the row and the commit, in each way
kill 'KILL', open_writer('(-1), (20001)', 'SELECT pg_sleep(3600); COMMIT;');
comes("SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'writer0'", 'the server is up again');
is($both->('-1, 20001'), '0|0|0', 'a writer that is killed: neither row nor run');
sql("SELECT pg_terminate_backend(" . open_writer('(-2), (20002)', 'SELECT pg_sleep(3600); COMMIT;') . ")");
is($both->('-2, 20002'), '0|0|0', 'a writer that is ended: neither row nor run');
open_writer('(-3), (20003)', 'SELECT pg_sleep(3600); COMMIT;');
$cluster->stop('immediate');
$cluster->start;
is($both->('-3, 20003'), '0|0|0', 'a server that is stopped at once: neither row nor run');
# committed, and the server goes down right then
for my $i (1 .. 5)
{
	sql(join('', map { "INSERT INTO t VALUES (-$_), ($_);" } 30000 + $i * 10 .. 30009 + $i * 10));
	$cluster->stop('immediate');
	$cluster->start;
}
comes('SELECT NOT EXISTS (SELECT FROM wf.queue)', 'all is executed');
is(sql("SELECT count(*), (SELECT count(DISTINCT id) FROM seen WHERE abs(id) >= 30000), (SELECT count(*) FROM seen WHERE abs(id) >= 30000) FROM t WHERE abs(id) >= 30000"), '100|100|150',
	'what was committed has its runs: async for all, sync for half');
$_->kill_kill for @sessions;

# prepared transactions
sql("BEGIN; INSERT INTO t VALUES (40001), (-40001); PREPARE TRANSACTION 'keep'");
sql("BEGIN; INSERT INTO t VALUES (40002), (-40002); SAVEPOINT a; INSERT INTO t VALUES (40003); ROLLBACK TO a; PREPARE TRANSACTION 'drop'");
is(sql('SELECT count(*) FROM wf_runs WHERE (input #>> \'{new,id}\')::int IN (40001, 40002)'), '0', 'prepared: no run yet');
$cluster->restart;
sql("COMMIT PREPARED 'keep'");
sql("ROLLBACK PREPARED 'drop'");
comes("SELECT count(*) = 3 FROM seen WHERE abs(id) = 40001", 'a run of a prepared transaction is executed once that is committed');
is($both->('40002, -40002, 40003'), '0|0|0', 'and none of one that is rolled back');
comes("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow worker')", 'workers are gone');
sql("BEGIN; INSERT INTO t VALUES (40004); PREPARE TRANSACTION 'late'");
sql("COMMIT PREPARED 'late'");
comes("SELECT count(*) = 1 FROM seen WHERE id = 40004", 'who commits it wakes the workers, or somebody does');
is(sql('SELECT problem FROM wf.check_invariants()'), '', 'invariants hold');

# a dump and what is restored from it
sql(q{CREATE TABLE "P p" (id int) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF "P p" FOR VALUES FROM (0) TO (10);
	CREATE TABLE off (id int); CREATE VIEW v AS SELECT id FROM t;
	SELECT watch('parts', '{"table": "\"P p\"", "mode": "sync", "replica": true}'), watch('off', '{"table": "off", "mode": "sync"}'), watch('view', '{"table": "v", "mode": "sync"}'), watch('gone', '{"table": "p1", "mode": "sync"}');
	SELECT wf_disable_trigger('off', 'changed');
	ALTER TABLE "P p" DETACH PARTITION p1; DROP TABLE p1; CREATE TABLE p1 PARTITION OF "P p" FOR VALUES FROM (0) TO (10)});
my $defs = q{SELECT tgrelid::regclass, pg_get_triggerdef(oid), tgenabled, obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgname LIKE 'wf\_%' ORDER BY tgrelid::regclass::text, 2;
	SELECT w.name, t.trigger_id, t.node, t.installed, CASE WHEN w.name <> 'gone' THEN relation END FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id) ORDER BY 1;
	SET workflow.tenant = 'default'; SELECT workflow, state, problem FROM wf_triggers ORDER BY 1};
my $before = sql($defs);
like($before, qr/gone\|active\|table "p1" does not exist any more/, 'a table that is gone is a problem');
for my $format ('plain', 'custom')
{
	my $path = $cluster->basedir . "/dump.$format";
	$cluster->command_ok(['pg_dump', '-d', $cluster->connstr('postgres'), '-F', $format, '-f', $path], "$format: dump");
	sql("CREATE DATABASE $format");
	$cluster->command_ok($format eq 'plain' ? ['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $cluster->connstr($format), '-f', $path]
		: ['pg_restore', '--exit-on-error', '-d', $cluster->connstr($format), $path], "$format: restore");
	is(sql($defs, $format), $before, "$format: triggers are as they were");
	sql(q{TRUNCATE seen; INSERT INTO "P p" VALUES (1); INSERT INTO off VALUES (2); INSERT INTO v VALUES (3); INSERT INTO t VALUES (-50001), (50001)}, $format);
	ok(until_true($cluster, $format, 'SELECT NOT EXISTS (SELECT FROM wf.queue)', 'runs'), "$format: they fire");
	is(sql("SELECT w, id FROM seen ORDER BY 1, 2", $format), "async|-50001\nasync|50001\nparts|1\nsync|-50001\nview|3", "$format: each as before");
	sql(q{SET workflow.tenant = 'default'; SELECT wf_enable_trigger('off', 'changed'), wf_set_status('parts', 'paused'), watch('view', '{"table": "t", "mode": "sync", "when": "$trigger.new.id === 70007"}'), wf_delete('gone');
		TRUNCATE seen; INSERT INTO "P p" VALUES (4); INSERT INTO off VALUES (5); INSERT INTO t VALUES (70007)}, $format);
	ok(until_true($cluster, $format, "SELECT count(*) = 3 FROM seen", 'runs'), "$format: they can be changed");
	is(sql("SELECT w, id FROM seen ORDER BY 1, 2", $format), "async|70007\noff|5\nview|70007", "$format: as these say");
	sql("DROP DATABASE $format WITH (FORCE)");
}

# logical replication: triggers with "replica" fire on the subscriber
sql('CREATE TABLE r (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE r');
my $subscriber = new_cluster('subscriber', 'workflow.max_workers = 3', 'fsync = off');
$subscriber->start;
setup($subscriber, 'postgres');
$subscriber->safe_psql('postgres', $watch . q{
	CREATE ROLE carol SUPERUSER LOGIN; SELECT wf_grant('carol', 'default', 'member');
	CREATE TABLE r (id int PRIMARY KEY);
	SELECT watch('no', '{"table": "r", "mode": "sync"}'), watch('sync', '{"table": "r", "mode": "sync", "replica": true}'), watch('async', '{"table": "r", "replica": true}');
	SET ROLE carol;
	CREATE SUBSCRIPTION s CONNECTION '} . $cluster->connstr . q{ dbname=postgres' PUBLICATION p});
comes("SELECT count(*) = 1 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel", 'the subscription is ready', $subscriber);
sql('INSERT INTO r VALUES (1); BEGIN; INSERT INTO r VALUES (2), (3); SAVEPOINT a; INSERT INTO r VALUES (4); ROLLBACK TO a; COMMIT');
comes('SELECT count(*) = 6 FROM seen', 'what is applied fires', $subscriber);
# from PostgreSQL 16 on the owner of the table applies, before the subscription's
my $applies_as = $subscriber->safe_psql('postgres', "SELECT CASE WHEN current_setting('server_version_num')::int < 160000 THEN 'carol' ELSE 'postgres' END");
is($subscriber->safe_psql('postgres', 'SELECT w, who, array_agg(id ORDER BY id) FROM seen GROUP BY 1, 2 ORDER BY 1, 2'), join("\n", map { "$_|" . ($applies_as) . '|{1,2,3}' } 'async', 'sync'), 'as who applies it');
$subscriber->safe_psql('postgres', 'INSERT INTO r VALUES (10)');
comes("SELECT string_agg(w, ' ' ORDER BY w) = 'async no sync' FROM seen WHERE id = 10", 'what is written there fires all', $subscriber);
sql("BEGIN; INSERT INTO r SELECT generate_series(100, 2100); COMMIT");
comes("SELECT count(*) = 4002 FROM seen WHERE id BETWEEN 100 AND 2100", 'and a large transaction', $subscriber);
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION s');
$subscriber->stop;
$cluster->stop;
done_testing();
