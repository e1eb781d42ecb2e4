#!/usr/bin/perl
# pii.pl: after wf_forget a dump of the database has the value nowhere in schema wf, whatever was marked, wherever it was, and
# after a vacuum no file of a table has it; a dump restores with personal data in its place; workers go on meanwhile.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $canary = 'Canary' . 'Of' . 'Forget';
my $node = PostgreSQL::Test::Cluster->new('pii');
$node->init;
$node->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\nlog_statement = 'none'\nautovacuum = off\nworkflow.http_log_bodies = on\nworkflow.http_allow = '127.0.0.0/8'");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('postgres', 'CREATE ROLE wf_test_pii LOGIN; CREATE ROLE wf_test_viewer LOGIN');

sub sql { my ($sql) = @_; return $node->safe_psql('shop', $sql) }

# poll(query): until it gives true
sub poll { my ($sql) = @_; return ok($node->poll_query_until('shop', $sql), $sql) }

# dump(): what it says of schema wf
sub dumped
{
	my $path = $node->basedir . '/dump.sql';
	$node->command_ok(['pg_dump', '-d', $node->connstr('shop'), '-f', $path], 'dump');
	return slurp_file($path);
}

sql(q{
	CREATE EXTENSION workflow;
	CREATE TABLE want (what text);
	GRANT ALL ON want TO PUBLIC;
	SELECT wf_grant('wf_test_pii', 'default', 'owner'), wf_grant('wf_test_viewer', 'default', 'viewer');
});
# the same nodes, once with marks and once without: what fails, what waits, what asks, what sends
for my $kind ('plain', 'marked')
{
	my $in = $kind eq 'marked' ? '{"properties": {"name": {"pii": true}}}' : '{}';
	sql(qq{
		SELECT wf_save('$kind fails', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": $in}}, {"id": "s", "type": "set", "config": {"variables": {"deep": [{"of": ["{{ \$trigger.name }}"]}], "text": "for {{ \$trigger.name }}."}}}, {"id": "d", "type": "db.query", "config": {"sql": "SELECT \$1::int", "params": ["{{ \$trigger.name }}"]}}], "edges": [{"source": "in", "target": "s"}, {"source": "s", "target": "d"}]}');
		SELECT wf_save('$kind waits', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": $in}}, {"id": "w", "type": "waitForEvent", "config": {"event": "e", "correlation": "{{ \$trigger.name }}"}}, {"id": "r", "type": "return", "config": {"value": "{{ \$trigger.name }}"}}], "edges": [{"source": "in", "target": "w"}, {"source": "w", "target": "r"}]}');
		SELECT wf_save('$kind asks', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": $in}}, {"id": "a", "type": "approval", "config": {"title": "{{ \$trigger.name }}?", "body": "It is {{ \$trigger.name }}", "assignees": ["wf_test_pii"]}}], "edges": [{"source": "in", "target": "a"}]}');
		SELECT wf_save('$kind sends', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": $in}}, {"id": "h", "type": "http.request", "config": {"url": "http://127.0.0.1:1/{{ \$trigger.name }}", "method": "POST", "body": {"to": "{{ \$trigger.name }}"}}}], "edges": [{"source": "in", "target": "h"}]}');
		SELECT wf_run('$kind fails', '{"name": "$canary"}', '{"correlationId": "$canary", "tags": ["$canary"], "idempotencyKey": "$canary 1"}');
		SELECT wf_start(w, '{"name": "$canary"}', '{"env": {"x": "$canary"}}') FROM unnest(ARRAY['$kind waits', '$kind asks', '$kind sends']) w;
		SELECT wf_start('$kind waits', '{"name": "$canary"}', '{"delay": "1 day"}');
		BEGIN; SELECT wf_pause(wf_start('$kind waits', '{"name": "$canary"}')); COMMIT;
	});
}
sql(qq{SELECT wf_emit('nobody', '{"x": "$canary"}', '$canary', '$canary')});
poll(q{SELECT count(*) = 4 FROM wf_runs WHERE status = 'waiting' AND (workflow LIKE '% waits' OR workflow LIKE '% asks')});
poll(q{SELECT count(*) = 2 FROM wf_runs WHERE status = 'failed' AND workflow LIKE '% sends'});
sql(qq{SELECT wf_signal(run_id, 'other', '{"x": "$canary"}') FROM wf_runs WHERE status = 'waiting'; SELECT wf_comment_task(task_id, 'call $canary') FROM wf_tasks});
poll(q{SELECT NOT EXISTS (SELECT FROM wf.queue)});

# -- masks, and a dump that is restored --

my $view = q{SELECT count(*) FILTER (WHERE concat(input, output, error) LIKE '%Canary%'), count(*) FROM wf_runs WHERE workflow LIKE 'marked%' AND started_at IS NOT NULL};
is(sql("SET ROLE wf_test_viewer; $view"), '0|4', 'nothing of what is marked for who may not');
is(sql("SET ROLE wf_test_pii; $view"), '4|4', 'all of it for who may');
is(sql(q{SET ROLE wf_test_viewer; SELECT count(*) FROM wf_requests r JOIN wf_runs w USING (run_id) WHERE w.workflow LIKE 'marked%' AND (path LIKE '%Canary%' OR r.error::text LIKE '%Canary%' OR bodies IS NOT NULL)}), '0', 'nor of its requests');
is(sql(q{SET ROLE wf_test_pii; SELECT path FROM wf_requests r JOIN wf_runs w USING (run_id) WHERE w.workflow LIKE 'marked%'}), "/$canary", 'the path is there for who may');
my $dump = dumped();
like($dump, qr/$canary/, 'a dump has what is not forgotten');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok(['psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('copy'), '-f', $node->basedir . '/dump.sql'], 'and restores');
is($node->safe_psql('copy', "SET ROLE wf_test_viewer; $view"), '0|4', 'with masks');
is($node->safe_psql('copy', "SET ROLE wf_test_pii; $view"), '4|4', 'and with what is behind them');
is($node->safe_psql('copy', qq{SELECT wf_forget('default', NULL, '"$canary"') > 0; SELECT count(*) FROM wf.forgotten}), "t\n1", 'which can be forgotten there');
$node->safe_psql('postgres', 'DROP DATABASE copy WITH (FORCE)');

# -- forgotten --

cmp_ok(sql(qq{SET ROLE wf_test_pii; SELECT wf_forget('default', NULL, '"$canary"')}), '>', 40, 'places erased');
unlike(dumped(), qr/$canary/, 'a dump has it nowhere');
sql('VACUUM FULL');
unlike(dumped(), qr/$canary/, 'nor after a vacuum');
sql('CHECKPOINT');
my $oids = sql(q{SELECT string_agg(pg_relation_filepath(oid), ' ') FROM pg_class WHERE relkind IN ('r', 't', 'i') AND relpersistence = 'p' AND pg_relation_filepath(oid) LIKE 'base/%'});
my @with = grep { -f $node->data_dir . "/$_" && slurp_file($node->data_dir . "/$_") =~ /$canary/ } split ' ', $oids;
is("@with", '', 'no file of the database has it');
is(sql(q{SELECT problem FROM wf.check_invariants()}), '', 'all that must hold does');
# those that are alive go on
is(sql(q{SELECT count(*) FROM wf_runs WHERE status IN ('waiting', 'paused', 'queued')}), '8', 'runs are alive');
sql(q{SELECT wf_signal(run_id, 'e') FROM wf_runs WHERE status = 'waiting' AND workflow LIKE '% waits'; SELECT wf_complete_task(task_id, 'approved') FROM wf_tasks WHERE status = 'open'; SELECT wf_resume(run_id) FROM wf_runs WHERE status = 'paused'});
poll(q{SELECT count(*) = 2 FROM wf_runs WHERE status = 'completed' AND workflow LIKE '% asks'});
poll(q{SELECT count(*) = 2 FROM wf_runs WHERE status = 'completed' AND workflow LIKE '% waits' AND output = '"[erased]"'});
sql(q{SELECT wf_retry(run_id) FROM wf_dead_letters WHERE workflow LIKE '% fails'});
poll(q{SELECT count(*) = 2 FROM wf_runs WHERE attempt = 2 AND status = 'failed' AND error ->> 'message' LIKE '%[erased]%'});

# -- beside workers: what they are at ends before, or is found the second time --

sql(q{SELECT wf_save('busy', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"name": {"pii": true}}}}}, {"id": "a", "type": "delay", "config": {"duration": "1ms"}}, {"id": "b", "type": "set", "config": {"variables": {"x": "{{ $trigger.name }} and {{ $trigger.other }}"}}}], "edges": [{"source": "in", "target": "a"}, {"source": "a", "target": "b"}]}')});
sql(q{SELECT wf_save('busy waits', '{"nodes": [{"id": "in", "type": "trigger.manual", "config": {"inputSchema": {"properties": {"name": {"pii": true}}}}}, {"id": "w", "type": "waitForEvent", "config": {"event": "busy", "correlation": "{{ $trigger.name }}", "timeout": "1ms"}}, {"id": "b", "type": "set", "config": {"variables": {"x": "{{ $trigger.name }}"}}}], "edges": [{"source": "in", "target": "w"}, {"source": "w", "sourceHandle": "timeout", "target": "b"}]}')});
sql(qq{SELECT count(wf_start('busy waits', '{"name": "$canary"}')) FROM generate_series(1, 1000)});
sql(qq{SELECT count(wf_start('busy', '{"name": "$canary", "other": "x$canary"}')) FROM generate_series(1, 2000)});
my $times = 0;
until (sql(q{SELECT NOT EXISTS (SELECT FROM wf_runs WHERE workflow LIKE 'busy%' AND finished_at IS NULL)}) eq 't')
{
	sql(qq{SELECT wf_forget('default', NULL, '"$canary"')});
	$times++;
}
cmp_ok($times, '>', 0, "called $times times beside workers");
sql(qq{SELECT wf_forget('default', NULL, '"$canary"')});
is(sql(qq{SELECT count(*) FROM wf_runs WHERE workflow LIKE 'busy%' AND status = 'completed'}), '3000', 'every run has ended well');
unlike(dumped(), qr/$canary/, 'and a dump has it nowhere');
is(sql(q{SELECT problem FROM wf.check_invariants()}), '', 'all that must hold does');
$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal/, 'no crash');
unlike($log, qr/deadlock detected/, 'nobody waits for each other');
done_testing();
