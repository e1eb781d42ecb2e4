#!/usr/bin/perl
# quotas.pl: clients race for what a tenant may: exactly so much passes, whoever asks; requests wait for their minute; a crash gives no
# more places than there are.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = request_cluster('quotas', 'workflow.http_inline = on');
value(q{CREATE FUNCTION clock(float8) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_clock'});
value(q{SELECT wf_save('quick', '{"nodes": [{"id": "a", "type": "noop"}]}')});
value(q{SELECT wf_save('wait', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}')});
# try(sql, n): calls it n times, each in a transaction of its own, whatever comes of it; how often it passed, how often WF016 was raised
value(q{CREATE TABLE passed (what text, ok int, no int); GRANT ALL ON passed TO PUBLIC;
	CREATE PROCEDURE try(what text, sql text, n int) LANGUAGE plpgsql AS $$
	DECLARE ok int := 0; no int := 0;
	BEGIN
		FOR i IN 1 .. n LOOP
			BEGIN EXECUTE sql; ok := ok + 1; EXCEPTION WHEN SQLSTATE 'WF016' THEN no := no + 1; END;
			COMMIT;
		END LOOP;
		INSERT INTO passed VALUES (what, ok, no);
		COMMIT;
	END $$});

# a client of its own, that goes on
sub client
{
	my ($role, $sql) = @_;
	return IPC::Run::start([ 'psql', '-X', '-q', '-d', $cluster->connstr('postgres'), '-U', $role, '-c', $sql ], '<', \undef, '>', \my $out, '2>', \my $err);
}

# eight clients at once; how many passed, of how many
sub race
{
	my ($what, $sql, $n, $clients) = @_;
	my @clients = map { client('app', "CALL try('$what', \$sql\$$sql\$sql\$, $n)") } 1 .. $clients // 8;
	$_->finish or die 'a client failed' for @clients;
	return value("SELECT sum(ok) || ' of ' || sum(ok + no) FROM passed WHERE what = '$what'");
}

# -- a minute --

value(q{SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": 100}}')});
is(race('run', q{SELECT wf_run('quick')}, 40), '100 of 320', 'of 320 runs of 8 clients 100 pass');
is(value(q{SELECT count(*) FROM wf_runs}), '100', 'and there are no more');
value('SELECT clock(62)');
is(race('start', q{SELECT wf_start_many('quick', array_fill('{}'::jsonb, ARRAY[7]))}, 10), '14 of 80', 'many starts pass as a whole');
is(value(q{SELECT used FROM wf_quotas WHERE quota = 'runsPerMinute'}), '98', '98 of 100');
value('SELECT clock(124)');
is(race('mixed', q{SELECT CASE WHEN random() < 0.5 THEN wf_run('quick') IS NULL ELSE wf_start('quick') IS NULL END}, 40), '100 of 320', 'runs and starts together');
value('SELECT clock(186)');
value(q{SELECT wf_create_tenant('one', '{"parent": "default", "quotas": {"runsPerMinute": 60}}')});
value(q{SELECT wf_create_tenant('two', '{"parent": "default", "quotas": {"runsPerMinute": 60}}')});
value(qq{SET workflow.tenant = '$_'; SELECT wf_save('quick', '{"nodes": [{"id": "a", "type": "noop"}]}'); SELECT wf_grant('app', '$_', 'member')}) for qw(one two);
is(race('children', q{SELECT set_config('workflow.tenant', CASE WHEN random() < 0.5 THEN 'one' ELSE 'two' END, true), wf_run('quick')}, 40), '100 of 320', 'children share what their parent has');
value(q{SELECT clock(248), wf_revoke('app', 'one'), wf_revoke('app', 'two')});

# -- the queue, and runs at once --

value(q{SELECT wf_set_tenant('default', '{"quotas": {"runsPerMinute": null, "queuedRuns": 50, "concurrentRuns": 0}}')});
my ($n) = race('queue', q{SELECT wf_start('quick')}, 20) =~ /(\d+)/;
cmp_ok($n, '<=', 50, 'no more are queued than may be');
cmp_ok($n, '>=', 43, 'and hardly fewer');
race('queue', q{SELECT wf_start('quick')}, 60, 1);
is(value(q{SELECT count(*) || ' ' || (SELECT used FROM wf_quotas WHERE quota = 'queuedRuns') FROM wf_runs WHERE status = 'queued'}), '50 50', 'until it is full');
value(q{SELECT wf_set_tenant('default', '{"quotas": {"queuedRuns": null, "concurrentRuns": null}}')});
until_true(q{SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL}, 'all of them run');

# runs note themselves while they are executed: how many are there at once?
value(q{CREATE FUNCTION busy() RETURNS int LANGUAGE plpgsql AS $$
	DECLARE n int;
	BEGIN
		PERFORM pg_advisory_lock_shared(77, pg_backend_pid());
		SELECT count(DISTINCT objid) INTO n FROM pg_locks WHERE locktype = 'advisory' AND classid = 77;
		PERFORM pg_sleep(0.005);
		PERFORM pg_advisory_unlock_shared(77, pg_backend_pid());
		RETURN n;
	END $$;
	SELECT wf_save('busy', '{"nodes": [{"id": "b", "type": "db.query", "config": {"sql": "SELECT busy()", "outputFormat": "value"}}]}')});
value(q{SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 3}}')});
value(q{SELECT wf_start_many('busy', array_fill('{}'::jsonb, ARRAY[200]))}, 'app');
race('busy', q{SELECT wf_run('busy')}, 60);
until_true(q{SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL}, 'all have run');
cmp_ok(value(q{SELECT max((output ->> 'value')::int) FROM wf_runs WHERE workflow = 'busy'}), '<=', 3, 'never more than three at once, of those in the background and of callers');
is(value(q{SELECT count(*) = 200 + (SELECT sum(ok) FROM passed WHERE what = 'busy') FROM wf_runs WHERE workflow = 'busy' AND status = 'completed'}), 't', 'and all ran');
is(value(q{SELECT used FROM wf_quotas WHERE quota = 'concurrentRuns'}), '0', 'nothing is left of them');

# some go on in the background; the server forgets how its clock was moved when it goes down
value('SELECT clock(0)');
race('waiting', q{SELECT wf_run('wait')}, 5);
is(value(q{SELECT sum(ok) FROM passed WHERE what = 'waiting'}), '3', 'three wait');
value(q{SELECT wf_start_many('wait', array_fill('{}'::jsonb, ARRAY[5]))});
is(value(q{SELECT count(*) FROM wf_runs WHERE status = 'waiting'}), '3', 'which have all the places');
$cluster->stop('immediate');
$cluster->start;
is(value(q{SELECT used FROM wf_quotas WHERE quota = 'concurrentRuns'}), '3', 'after a crash, too');
my ($code, $out, $err) = $cluster->psql('postgres', q{SELECT wf_run('quick')});
like($err, qr/concurrentRuns/, 'nobody gets one');
value(q{SELECT count(wf_cancel(run_id)) FROM wf_runs WHERE status = 'waiting'});
until_true(q{SELECT count(*) = 3 FROM wf_runs WHERE status = 'waiting'}, 'the next three go');
value(q{SELECT count(wf_cancel(run_id)) FROM wf_runs WHERE finished_at IS NULL});
until_true(q{SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL}, 'all are cancelled');
# a backend that is killed in its run gives its place back
value(q{SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": 1}}')});
value(q{SELECT wf_save('long', '{"nodes": [{"id": "b", "type": "db.query", "config": {"sql": "SELECT 1 FROM (SELECT pg_sleep(600)) s", "outputFormat": "value"}}]}')});
my $long = client('postgres', q{SELECT wf_run('long')});
until_true(q{SELECT used = 1 FROM wf_quotas WHERE quota = 'concurrentRuns'}, 'one is executed');
value(q{SELECT wf_start('quick')});
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%wf_run(''long'')%' AND pid <> pg_backend_pid()});
eval { $long->finish };
until_true(q{SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL}, 'and the next one goes');
is(value(q{SELECT used FROM wf_quotas WHERE quota = 'concurrentRuns'}), '0', 'its place is free');
value(q{SELECT wf_set_tenant('default', '{"quotas": {"concurrentRuns": null}}')});

# -- workflows --

value(q{SELECT wf_set_tenant('default', jsonb_build_object('quotas', jsonb_build_object('workflows', (SELECT sum(n) + 10 FROM (SELECT count(*) AS n FROM wf.workflow WHERE status <> 'deleted') c))))});
is(race('save', q{SELECT wf_save(gen_random_uuid()::text, '{"nodes": [{"id": "a", "type": "noop"}]}')}, 10), '10 of 80', 'ten more names, of 80');
value(q{SELECT wf_set_tenant('default', '{"quotas": {"workflows": null}}')});

# -- requests: they wait --

value(q{SELECT wf_set_tenant('default', '{"quotas": {"requestsPerMinute": 5}}')});
save('ask', request_node({ url => api('/quota'), circuit => JSON::PP::false() }));
value(q{SELECT wf_start_many('ask', array_fill('{}'::jsonb, ARRAY[12]))}, 'app');
until_true(q{SELECT count(*) = 5 FROM wf_requests WHERE state = 'completed'}, 'five are sent');
is(value(q{SELECT used || ' ' || (resets_at IS NOT NULL) FROM wf_quotas WHERE quota = 'requestsPerMinute'}), '5 true', 'which is all that there may be');
is(told('count', 'quota'), 5, 'no more have left');
is(value(q{SELECT count(*) FROM wf_requests WHERE state = 'completed' OR state = 'failed'}), '5', 'the others wait, and none fails');
save('inline', request_node({ url => api('/inline'), mode => 'inline', circuit => JSON::PP::false() }));
($code, $out, $err) = $cluster->psql('postgres', q{SELECT wf_call('inline')});
like($err, qr/requestsPerMinute/, 'one within the transaction is refused');
value(q{SELECT wf_set_tenant('default', '{"quotas": {"requestsPerMinute": 7}}')});
until_told('count', 'quota', sub { $_ == 7 }, 'two more, when the quota is raised');
value('SELECT clock(320)');
value(q{SELECT wf_set_tenant('default', '{"quotas": {"requestsPerMinute": 8}}')});
until_told('count', 'quota', sub { $_ == 12 }, 'the rest when the minute is over');
is(value(q{SELECT max(attempts) || ' ' || count(*) FROM wf_requests WHERE path = '/quota' AND state = 'completed'}), '1 12', 'which costs no attempt');
is(value(q{SELECT string_agg(problem, ', ') FROM wf.check_invariants()}), '', 'all is as it should be');

done_testing();
