#!/usr/bin/perl
# requests_trouble.pl: the process that sends comes when it is needed and goes; nothing is lost with it, with the server, or by errors of its
# transactions; extensions and databases are dropped under it; dumps carry what is to be sent; it rests while it waits.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = request_cluster('trouble', "workflow.worker_idle_timeout = '200ms'", 'workflow.http_max_in_flight = 10', 'log_min_messages = info', "workflow.databases = ''");
my $off = JSON::PP::false();
my (@n, $r, $id, @ids, $pid, $before);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
sub ask { my ($path, %more) = @_; return request_node({ url => api($path), circuit => $off, retry => { maxAttempts => 1 }, %more }) }
sub keys_of { my %k; $k{ $_->{key} }++ for notes($_[0]); return join ' ', sort { $b <=> $a } values %k }
sub until_sent { my ($tag, $n) = @_; $n //= 1; return until_told('count', $tag, sub { $_ >= $n }, "$tag: sent $n times") }
my $functions = q{CREATE FUNCTION wakes() RETURNS bigint LANGUAGE c AS 'workflow', 'wf_sql_test_wakes';
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault'; CREATE FUNCTION clock(float8) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_clock'};
value($functions);
sub until_gone { return until_true(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow dispatcher')}, $_[0]) }
# ticks of the processor that a process has had
sub ticks { my ($pid) = @_; open(my $in, '<', "/proc/$pid/stat") or return 0; my @f = split ' ', (<$in> =~ s/^.*\) //r); return $f[11] + $f[12] }
# rests(what): for two seconds nothing of ours wakes but by timers, and the dispatcher does not compute
sub rests
{
	my ($what, $most) = @_;
	my $pid = dispatcher();
	my ($wakes, $ticks, $begun) = (value('SELECT wakes()'), ticks($pid), time);
	sleep 0.05 while time - $begun < 2;
	cmp_ok(value('SELECT wakes()') - $wakes, '<=', $most, "$what: nobody wakes");
	cmp_ok(ticks($pid) - $ticks, '<=', 20, "$what: nobody computes");
	return;
}

# -- it comes and goes --

is(dispatcher(), 0, 'nobody sends before there is something to be sent');
$r = run(ask('/s1'));
is(code($r), 'completed', 'a request starts it');
until_gone('it leaves when it has nothing to do');
$r = run(ask('/s2?fails=1', retry => { maxAttempts => 2, initialDelay => 0.5, jitter => 0 }));
is(code($r) . $r->{output}{attempts}, 'completed2', 'the next one starts another; it stays for another attempt');
until_gone('and leaves');
until_true(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow worker')}, 'workers too');
rests('at rest', 1);

# -- it rests while it waits --

($id) = start([ ask('/w1?hang', timeout => '1h') ]);
until_sent('w1');
until_true(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow worker')}, 'the worker has left');
rests('a slow answer', 3);
@ids = start([ ask('/w2?code=500', retry => { maxAttempts => 2, initialDelay => 3600 }) ], [ ask('/w3', rateLimit => { requests => 1, per => '1h' }, await => $off) ]);
save('w3', ask('/w3', rateLimit => { requests => 1, per => '1h' }, await => $off));
value(q{SELECT wf_start_many('w3', array_fill('{}'::jsonb, ARRAY[5]))}, 'app');
until_sent('w2');
until_sent('w3');
save('full', request_node({ url => url('deaf', '/'), timeout => '1h' }));
value(q{SELECT wf_start_many('full', array_fill('{}'::jsonb, ARRAY[50])); }, 'app');
until_true(q{SELECT count(*) FILTER (WHERE state = 'sending') > 4 AND count(*) = 50 FROM wf_requests WHERE host LIKE '%:} . NetTest::port('deaf') . q{'}, 'no place is left');
until_true(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'workflow worker')}, 'the worker has left');
rests('many that wait for their turn', 3);
value(q{SELECT wf_cancel(run_id) FROM wf_runs WHERE finished_at IS NULL}, 'app');
until_true(q{SELECT count(*) = 0 FROM wf.request WHERE NOT forget}, 'all cancelled');
value(q{DELETE FROM wf.request});

# -- it dies, or the server does; what was on its way is sent again --

for my $how ('kill', 'terminate', 'fast', 'immediate')
{
	my $tag = "k$how";
	# answered as soon as it comes for the second time
	value("SELECT wf_set_secret('MS', '600000')");
	@ids = start([ ask("/$tag?ms={{ \$secrets.MS }}") ]);
	until_sent($tag);
	$pid = dispatcher();
	value("SELECT wf_set_secret('MS', '1')");
	if ($how eq 'kill') { kill 'KILL', $pid; }
	elsif ($how eq 'terminate') { value("SELECT pg_terminate_backend($pid)") }
	else { $cluster->stop($how); $cluster->start }
	until_true("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", "$how: it has gone");
	$r = wait_for($ids[0]);
	is(code($r) . ' ' . ($r->{output}{attempts} // '') . ' ' . keys_of($tag), 'completed 2 2', "$how: sent again, with the same key, and that is no attempt that failed");
}
# an attempt that is cut short counts, also when somebody is just withdrawing the request, and then is not
value("SELECT wf_set_secret('MS', '600000')");
($id) = start([ ask('/cut?ms={{ $secrets.MS }}') ]);
until_sent('cut');
value(q{SELECT fault('request.dropped:hold')});
value("SELECT wf_cancel('$id')", 'app');
until_true(q{SELECT fault('?') = ''}, 'a worker is withdrawing it');
$pid = dispatcher();
value("SELECT pg_terminate_backend($pid)");
until_true(q{SELECT bool_and(cut_short) FROM wf.sending}, 'the next dispatcher finds what was cut short');
is(value(q{SELECT state || attempts FROM wf_requests WHERE path = '/cut'}), 'retrying1', 'it is told');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow worker'});
until_true(q{SELECT state <> 'retrying' FROM wf_requests WHERE path = '/cut'}, 'that is undone');
is(code(wait_for($id)), 'cancelled WF015', 'and done by another worker');
cmp_ok(value(q{SELECT attempts FROM wf_requests WHERE path = '/cut'}), '>=', scalar(my @all = notes('cut')), 'every attempt counts');
value("SELECT wf_set_secret('MS', '600000')");
($id) = start([ ask('/reload?ms=1000') ]);
until_sent('reload');
$pid = dispatcher();
value('SELECT pg_reload_conf()');
is(code(wait_for($id)) . ' ' . keys_of('reload'), 'completed 1', 'a reload disturbs nothing');
# nobody is connected any more who asked: what is left in the outbox is found at the start
($id) = start([ ask('/r1?fails=1', retry => { maxAttempts => 2, initialDelay => 1, jitter => 0 }) ]);
until_sent('r1');
$cluster->restart;
is(code(wait_for($id)) . ' ' . keys_of('r1'), 'completed 2', 'what is to be tried again outlives a restart');
until_true(q{SELECT NOT EXISTS (SELECT FROM wf.sending)}, 'no record of attempts is left behind');

# -- settings that are not for it; those who asked are gone --

my $settings = join '; ', map { "ALTER ROLE postgres SET $_" } 'default_transaction_read_only = on', "statement_timeout = '1ms'", 'default_transaction_isolation = serializable', 'search_path = nowhere', 'row_security = off',
	"idle_in_transaction_session_timeout = '1ms'", "lock_timeout = '1ms'", 'session_replication_role = replica', 'synchronous_commit = off', 'enable_indexscan = off', 'enable_seqscan = off';
until_gone('the dispatcher leaves');
value("$settings; ALTER DATABASE postgres SET DateStyle = German; ALTER DATABASE postgres SET TimeZone = 'Asia/Kathmandu'; ALTER DATABASE postgres SET extra_float_digits = -15");
$r = $cluster->safe_psql('postgres', "SET ROLE app; SELECT wf_save('x', \$j\$" . encode(ask('/settings?fails=1', retry => { maxAttempts => 2, initialDelay => 0.05 })) . "\$j\$) AS v \\gset\nSELECT wf_run('x') ->> 'run_id'", extra_params => [ '-U', 'app' ]);
is($cluster->safe_psql('postgres', "SELECT wf_await('$r', '${deadline}s') -> 'output' ->> 'attempts'", extra_params => [ '-U', 'app' ]), '2', 'settings of the superuser and of the database do not matter');
{
	# ours come before those of the role, one of which would end a session that takes a moment between two statements
	local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0';
	$cluster->safe_psql('template1', 'ALTER ROLE postgres RESET ALL; ALTER DATABASE postgres RESET ALL');
}
value(q{CREATE ROLE gone LOGIN; SELECT wf_grant('gone', 'default', 'member')});
value("SELECT wf_set_secret('MS', '600000')");
my $slow = encode(ask('/gone?ms={{ $secrets.MS }}'));
my ($goes, $stays) = (value("SELECT wf_save('goes', \$j\$$slow\$j\$) AS v \\gset\nSELECT wf_run('goes') ->> 'run_id'", 'gone'), value("SELECT wf_save('deleted', \$j\$$slow\$j\$) AS v \\gset\nSELECT wf_run('deleted') ->> 'run_id'", 'app'));
until_sent('gone', 2);
value(q{REASSIGN OWNED BY gone TO postgres; DROP OWNED BY gone; SELECT wf_revoke('gone', 'default'); DROP ROLE gone; SELECT wf_delete('deleted')});
value("SELECT wf_set_secret('MS', '1')");
$pid = dispatcher();
value("SELECT pg_terminate_backend($pid)");
is(code(wait_for($stays)), 'completed', 'a run whose workflow was deleted goes on');
is(code(wait_for($goes)), 'failed 42704', 'one whose role was dropped does not');

# -- errors of its transactions --

for my $point ('dispatch.claimed', 'dispatch.record', 'dispatch.recorded', 'dispatch.logged', 'dispatch.commit')
{
	my $tag = 'e' . $point =~ s/\W//gr;
	until_gone('the dispatcher leaves');
	value("SELECT fault('$point:error')");
	$r = run(ask("/$tag"));
	is(code($r) . ' ' . keys_of($tag) . value(q{SELECT fault('?')}), 'completed 1', "$point: an error there delays, and nothing is sent twice");
}
like(slurp_file($cluster->logfile), qr/LOG:  workflow dispatcher: fault at "dispatch.logged"/, 'the log tells');
# one that always fails does not keep it busy, nor does it lose anything
value(q{CREATE FUNCTION full_disk(path text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF path = '/full' THEN RAISE 'disk full' USING ERRCODE = '53100'; END IF; RETURN path; END $$});
my @leaves = split /\n/, value(q{SELECT relid FROM pg_partition_tree('wf.request_log') WHERE isleaf});
value("CREATE INDEX full" . $_ =~ s/\W/_/gr . " ON $_ (public.full_disk(path))") for @leaves;
my $offset = -s $cluster->logfile;
($id) = start([ ask('/full') ]);
my $complaints = sub { my $log = slurp_file($cluster->logfile, $offset); return scalar(() = $log =~ /workflow dispatcher: /g) };
my $end = time + $deadline;
sleep 0.05 while $complaints->() < 3 && time < $end;
cmp_ok($complaints->(), '>=', 3, 'an error that comes again and again is told');
my $ticks = ticks(dispatcher());
my $begun = time;
sleep 0.05 while time - $begun < 2;
cmp_ok(ticks(dispatcher()) - $ticks, '<=', 40, 'what fails again and again is tried less and less often');
cmp_ok($complaints->(), '<=', 3 + 12, 'and so is the log filled');
is(keys_of('full'), '1', 'nothing is sent twice');
value('DROP FUNCTION full_disk CASCADE');
is(code(wait_for($id)) . keys_of('full'), 'completed1', 'when there is room again, the answer is recorded');

# -- extensions and databases go --

value('CREATE DATABASE shop');
my $shop = sub { return $cluster->safe_psql('shop', $_[0]) };
$shop->('CREATE EXTENSION workflow');
my $text = encode(ask('/shop?hang', timeout => '1h'));
$shop->("SELECT wf_save('x', \$j\$$text\$j\$); SELECT wf_run('x')");
until_sent('shop');
$shop->('DROP EXTENSION workflow');
until_told('notes', 'shop', sub { ($_->[0]{ended} // '') eq 'cut' }, 'DROP EXTENSION: what was on its way is cut off');
until_gone('and the dispatcher is gone');
$shop->('CREATE EXTENSION workflow');
$shop->("SELECT wf_save('x', \$j\$$text\$j\$); SELECT wf_run('x')");
until_sent('shop', 2);
$shop->('BEGIN; DROP EXTENSION workflow; ROLLBACK');
until_sent('shop', 3);
isnt(dispatcher(), 0, 'one that is rolled back: it is sent again');
value('DROP DATABASE shop');
until_told('notes', 'shop', sub { !grep { ($_->{ended} // '') ne 'cut' } @$_ }, 'DROP DATABASE, too');
until_gone('and the dispatcher is gone');

# -- dumps --

value(q{ALTER SYSTEM SET workflow.databases = 'elsewhere'; SELECT pg_reload_conf()});
until_true(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type IN ('workflow keeper', 'workflow dispatcher'))}, 'nobody works here');
@ids = start([ ask('/dump1?text=ok&type=text/plain') ]);
save('forget', ask('/dump2', await => $off));
value(q{SELECT wf_run('forget')}, 'app');
is(told('count', 'dump1') . told('count', 'dump2'), '00', 'nothing is sent here');
command_ok([ 'pg_dump', '-Fc', '-f', "$NetTest::folder/dump", $cluster->connstr('postgres') ], 'dumped');
value('CREATE DATABASE copy TEMPLATE template0');
command_ok([ 'pg_restore', '-d', $cluster->connstr('copy'), "$NetTest::folder/dump" ], 'restored');
is($cluster->safe_psql('copy', 'SELECT count(*) FROM wf.request'), '2', 'the outbox is there');
value(q{ALTER SYSTEM SET workflow.databases = 'copy'; SELECT pg_reload_conf()});
until_sent('dump2');
is($cluster->safe_psql('copy', "SET ROLE app; SELECT wf_await('$ids[0]', '${deadline}s') ->> 'status'") . told('count', 'dump1'), 'completed1', 'what was dumped is sent where it was restored, and the run goes on there');
value(q{DROP DATABASE copy; ALTER SYSTEM RESET workflow.databases; SELECT pg_reload_conf()});
is(code(wait_for($ids[0])) . keys_of('dump1'), 'completed2', 'and, allowed again, by its origin, with the same key');

# -- no room for processes --

value(q{ALTER SYSTEM SET max_worker_processes = 4});
$cluster->restart;
value($functions) if value(q{SELECT to_regproc('wakes') IS NULL}) eq 't';
my $two = ask('/m1');
push @{ $two->{nodes} }, { %{ ask('/m2')->{nodes}[0] }, id => 'next' };
push @{ $two->{edges} }, { source => 'ask', target => 'next' };
is(code(run($two)), 'completed', 'one place for a worker and a dispatcher: they take turns');
value('ALTER SYSTEM RESET max_worker_processes');
$cluster->restart;

# -- promotion --

value("SELECT wf_set_secret('MS', '600000')");
($id) = start([ ask('/prom?ms={{ $secrets.MS }}') ]);
until_sent('prom');
$cluster->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($cluster, 'b', has_streaming => 1);
$standby->start;
value("SELECT wf_set_secret('MS', '1')");
$cluster->wait_for_catchup($standby);
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'workflow%'}) . told('count', 'prom'), '01', 'a standby sends nothing');
$cluster->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', "SET ROLE app; SELECT wf_await('$id', '${deadline}s') ->> 'status'") . keys_of('prom'), 'completed2', 'promoted: it sends what was on its way, with the same key');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM wf.request'), '0', 'nothing is left in the outbox');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
$standby->stop;
for ($cluster, $standby)
{
	is(join("\n", grep { /leak(?!proof)|was not closed|PANIC|TRAP|non-empty SPI|alloc set/ } split /\n/, slurp_file($_->logfile)), '', 'no resource was left behind');
}
done_testing();
