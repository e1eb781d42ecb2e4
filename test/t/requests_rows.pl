#!/usr/bin/perl
# requests_rows.pl: what is wrong with one request, one answer or one tenant is not in the way of others: rows that cannot be read, bodies that
# cannot be logged, limits that are lifted, secrets that are set meanwhile, locks that are kept for long, requests and answers that are large.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

my $cluster = request_cluster('rows', 'workflow.http_log_bodies = on', "workflow.http_max_response_size = '64MB'", 'log_min_messages = info');
my $off = JSON::PP::false();
my ($r, $id, @ids, $pid);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? ($e->{error}{code}, $e->{error}{message}) : () }
sub ask { my ($path, %more) = @_; return request_node({ url => api($path), circuit => $off, retry => { maxAttempts => 1 }, %more }) }
sub until_sent { my ($tag, $n) = @_; $n //= 1; return until_told('count', $tag, sub { $_ >= $n }, "$tag: sent $n times") }
sub visit { my ($path) = @_; require HTTP::Tiny; return HTTP::Tiny->new->get(api($path)) }
value(q{CREATE EXTENSION pg_surgery;
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault'; CREATE FUNCTION clock(float8) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_clock'});
my $host = '127.0.0.1:' . api_port();

# -- a row that cannot be read --

is(code(run(ask('/a0'))), 'completed', 'a request');
$pid = dispatcher();
value(q{CREATE TABLE junk AS SELECT string_agg(md5(i::text), '') AS x FROM generate_series(1, 1000) i; GRANT SELECT ON junk TO app});
save('bad', ask('/bad', method => 'POST', body => { x => '{{ $input.x }}' }));
save('good', ask('/good'));
$id = value(q{BEGIN;
	SET LOCAL ROLE app;
	SELECT wf_run('bad', to_jsonb(junk)) ->> 'run_id' FROM junk;
	RESET ROLE;
	CREATE TEMP TABLE toast ON COMMIT DROP AS SELECT reltoastrelid::regclass AS rel FROM pg_class WHERE oid = 'wf.request'::regclass;
	CREATE FUNCTION pg_temp.chunks() RETURNS tid[] LANGUAGE plpgsql AS $$ DECLARE t tid[]; BEGIN EXECUTE (SELECT format('SELECT array_agg(ctid) FROM %s', rel) FROM toast) INTO t; RETURN t; END $$;
	SELECT FROM (SELECT heap_force_kill(rel, pg_temp.chunks()) FROM toast) x;
	COMMIT;}) =~ s/\s//gr;
my $aside = sub { return slurp_file($cluster->logfile) =~ /LOG:  workflow dispatcher: request [0-9a-f-]{36} cannot be claimed, and is set aside for a minute: missing chunk/ ? 't' : 'f' };
@ids = map { start([ ask('/good') ], [ ask("/good$_", rateLimit => { requests => 1000, per => '1s' }) ]) } 1 .. 3;
is(join(' ', map { code(wait_for($_)) } @ids), join(' ', ('completed') x 6), 'a row that cannot be read: others are sent, of its lane too, and answered');
value("SELECT pg_sleep(0.01)") for grep { $aside->() ne 't' } 1 .. 1000;
is($aside->(), 't', 'it is set aside, and the log names it');
is(dispatcher(), $pid, 'by the same dispatcher');
my $times = sub { return scalar(() = slurp_file($cluster->logfile) =~ /is set aside for a minute: missing/g) };
is($times->(), 1, 'once');
value('SELECT clock(61)');
is(code(run(ask('/a1'))), 'completed', 'a minute later');
value("SELECT pg_sleep(0.01)") for grep { $times->() < 2 } 1 .. 1000;
is($times->(), 2, 'it is tried again');
value("SELECT wf_cancel('$id')", 'app');
like(code(wait_for($id)), qr/^cancelled WF015/, 'its run can be cancelled');
is(value('SELECT count(*) FROM wf.request'), 0, 'which takes it away');

# -- answers are recorded while nothing can be claimed --

@ids = start([ ask('/slow?ms=300') ], [ ask('/slow?ms=400') ]);
until_sent('slow', 2);
value(sprintf(q{CREATE FUNCTION no(id uuid) RETURNS uuid IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF id > '%s' THEN RAISE 'disk full' USING ERRCODE = '53100'; END IF; RETURN id; END $$; CREATE INDEX no ON wf.sending (public.no(batch_id))}, value('SELECT max(batch_id::text) FROM wf.sending')));
($id) = start([ ask('/later') ]);
is(join(' ', map { code(wait_for($_)) } @ids), 'completed completed', 'answers are recorded though nothing can be claimed');
value('DROP FUNCTION no CASCADE');
is(code(wait_for($id)), 'completed', 'and what could not is claimed afterwards');

# -- bodies --

value(q{SELECT wf_set_secret('ID', '12345678'); SELECT wf_set_secret('HUSH', 'hush-hush'); SELECT wf_set_secret('YES', 'short')});
my $all = { 'X-A' => '{{ $secrets.ID }}', 'X-B' => '{{ $secrets.HUSH }}', 'X-C' => '{{ $secrets.YES }}' };
$r = run(ask('/mask?echo', method => 'POST', headers => $all, body => { id => 123456789, n => 5, list => [ \1, \0, undef, 12345678.5 ], hush => 'say hush-hush!', 'k12345678' => { deep => '12345678' }, short => 'short', own => 'key {{ $secrets.HUSH }}' }));
is(code($r), 'completed', 'an answer that has a secret in a number');
is(encode(decode(value(q{SELECT bodies -> 'response' FROM wf_requests WHERE path = '/mask'}))), encode({ id => '***', n => 5, list => [ \1, \0, undef, '***' ], hush => 'say ***!', 'k***' => { deep => '***' }, short => 'short', own => 'key ***' }), 'it is masked as a whole, strings and keys in part');
is(value(q{SELECT bodies #>> '{request,own}' FROM wf_requests WHERE path = '/mask'}), 'key ***', 'what was sent, too');
$pid = dispatcher();
for my $headers ($all, {})
{
	my $path = '/huge' . keys %$headers;
	save('huge', ask("$path?text=%5B1e131000,%22%5Cu0041%22%5D&many=8300", headers => $headers, await => $off));
	value(q{SELECT wf_run('huge')}, 'app');
	until_true("SELECT state = 'completed' FROM wf_requests WHERE path = '$path'", 'an answer whose text would be larger than memory can be');
}
is(value(q{SELECT bodies #>> '{response,8299,1}' FROM wf_requests WHERE path = '/huge3'}) . ' ' . (dispatcher() == $pid), 'A 1', 'is recorded, and takes nothing down');

# -- limits that are lifted --

value("SELECT wf_limit_host('$host', requests => 1, per => '1 day')");
save('day', ask('/day', await => $off));
value(q{SELECT wf_start_many('day', array_fill('{}'::jsonb, ARRAY[5]))}, 'app');
until_true(q{SELECT count(*) = 5 FROM wf_requests WHERE path = '/day'}, 'five are asked for');
until_sent('day');
value("SELECT wf_limit_host('$host')");
until_sent('day', 5);
value("SELECT wf_limit_host('$host', concurrency => 1)");
save('most', ask('/most?hang', timeout => '1h'));
value(q{SELECT wf_start_many('most', array_fill('{}'::jsonb, ARRAY[9]))}, 'app');
until_sent('most');
value("SELECT wf_limit_host('$host', concurrency => 3)");
until_sent('most', 3);
value(q{ALTER SYSTEM SET workflow.http_max_in_flight = 10; SELECT pg_reload_conf()});
value("SELECT wf_limit_host('$host')");
until_sent('most', 5);
value(q{ALTER SYSTEM RESET workflow.http_max_in_flight; SELECT pg_reload_conf()});
until_sent('most', 9);
value(q{SELECT wf_cancel(run_id) FROM wf_runs WHERE finished_at IS NULL}, 'app');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'all are cancelled');

# -- secrets that are set while a token is asked for --

value(q{SELECT wf_set_secret('CLIENT', 'hush'), wf_set_secret('REFRESH', 'refresh0')});
sub guarded { my ($token) = @_; return ask('/guarded?of=a', auth => { type => 'oauth2', grant => 'refreshToken', refreshToken => '{{ $secrets.REFRESH }}', clientId => 'client', clientSecret => '{{ $secrets.CLIENT }}', tokenUrl => api("/token?of=a&rotate$token") }) }
($id) = start([ guarded('&until=go') ]);
until_sent('token');
# what the server will have made of it by then
value(q{SELECT wf_set_secret('REFRESH', 'refresh1')});
is(code(run(ask('/told'))), 'completed', 'the dispatcher is told of a secret that is set while a token is asked for with the one before');
visit('/go');
is(code(wait_for($id)), 'completed', 'the request that has waited gets the token');
is(code(run(guarded('&until=go'))), 'completed', 'the next one');
is(told('count', 'token'), 2, 'asks for another, with the secret that was set');
until_true(q{SELECT version = 3 FROM wf_secrets WHERE name = 'REFRESH'}, 'what replaces that is kept: nothing else was');
value(q{SELECT wf_set_secret('REFRESH', 'refresh2')});
($id) = start([ guarded('&until=go2') ]);
until_sent('token', 3);
value(q{SELECT fault('dispatch.claimed:hold')});
my ($other) = start([ ask('/other') ]);
until_true(q{SELECT fault('?') = ''}, 'the dispatcher is busy');
visit('/go2');
until_told('notes', 'token', sub { ($_->[2]{ended} // '') eq 'cut' }, 'an answer has come with another refresh token');
value(q{SELECT wf_set_secret('REFRESH', 'refresh3')});
value(q{SELECT fault('')});
is(code(wait_for($id)), 'completed', 'and the secret is set just then');
is(code(wait_for($other)), 'completed', 'what was claimed then is sent');
is(code(run(ask('/told'))) . value(q{SELECT version FROM wf_secrets WHERE name = 'REFRESH'}), 'completed5', 'it stays');

# -- answers whose requests somebody has locked --

# four large answers, each twice in memory, as they are logged; the fifth branch ends it all, and the worker waits with their locks
my @nodes = map { { %{ ask("/big?size=40000000&type=text/plain&until=big2", timeout => '1h')->{nodes}[0] }, id => "b$_", parent => 'p', branch => "b$_" } } 1 .. 4;
push @nodes, { %{ ask('/fast?until=big4')->{nodes}[0] }, id => 'b5', parent => 'p', branch => 'b5' };
push @nodes, { id => 'first', parent => 'p', branch => 'b5', type => 'db.query', config => { sql => 'SELECT pg_advisory_lock(2), pg_advisory_unlock(2)' } };
push @nodes, { id => 'then', type => 'db.query', config => { sql => 'SELECT pg_advisory_lock(1), pg_advisory_unlock(1)' } };
my $many = { nodes => [ { id => 'p', type => 'parallel', config => { mode => 'inline', waitMode => 'any', branches => [ map { { id => "b$_" } } 1 .. 5 ] } }, @nodes ],
	edges => [ { source => 'b5', target => 'first' }, { source => 'p', target => 'then' } ] };
my $blocker = $cluster->background_psql('postgres');
$blocker->query_safe('SELECT pg_advisory_lock(1)');
($id) = start([$many]);
until_sent('big', 4);
visit('/big4');
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'workflow worker' AND wait_event = 'advisory'};
until_true("SELECT count(*) = 1 FROM ($worker) x", 'a worker has withdrawn requests, and waits');
$pid = value($worker);
visit('/big2');
until_told('notes', 'big', sub { 4 == grep { ($_->{ended} // '') eq 'answered' } @$_ }, 'their answers come meanwhile');
@ids = start(map { [ ask("/other$_") ] } 1 .. 3);
is(join(' ', map { code(wait_for($_)) } @ids), 'completed completed completed', 'those of others are taken');
is(told('count', 'big'), 4, 'each was sent once');
$blocker->query_safe('SELECT pg_advisory_lock(2)');
value("SELECT pg_terminate_backend($pid)");
until_sent('big', 5);
until_true(q{SELECT array_agg(attempts ORDER BY attempts) = '{1,1,1,2}' FROM wf_requests WHERE path = '/big' AND state = 'completed'}, 'that is undone: three answers were kept, and what there was no room for is asked for again');
$blocker->quit;
is((code(wait_for($id)) =~ s/ .*//r), 'completed', 'the run goes on');

# -- large requests to a host that hangs --

# 280 MB, and as much again for those that are on their way; nobody may have more than half of 256
my $heavy = request_node({ url => url('deaf', '/heavy'), method => 'POST', bodyType => 'text', body => q({{ 'x'.repeat(4000000) }}), timeout => '1h', circuit => $off });
save('heavy', $heavy);
value(q{SELECT wf_start_many('heavy', array_fill('{}'::jsonb, ARRAY[70]))}, 'app');
my $sending = q{count(*) FILTER (WHERE state = 'sending')};
until_true(qq{SELECT count(*) = 70 AND $sending >= 16 FROM wf_requests WHERE path = '/heavy'}, 'large requests to a host that hangs');
is(code(run(ask('/light'))), 'completed', 'leave room for others');
is(value(qq{SELECT $sending < 24 FROM wf_requests WHERE path = '/heavy'}), 't', 'as they have half of it');
value(q{SELECT wf_cancel(run_id) FROM wf_runs WHERE finished_at IS NULL}, 'app');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'all are cancelled');

is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
done_testing();
