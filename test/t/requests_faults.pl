#!/usr/bin/perl
# requests_faults.pl: what goes wrong with one request on its way out stays with that request: errors while it is submitted, what libcurl
# does not take, what would become too large, answers that there is no room for, connections that are closed instead of an answer.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use NetTest ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = request_cluster('faults', "workflow.databases = ''", "workflow.http_max_response_size = '128MB'");
$NetTest::cluster = $cluster;
value(q{CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	CREATE FUNCTION net(jsonb, jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net';
	CREATE FUNCTION compose(jsonb, jsonb DEFAULT '{}', jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_compose'});
my $off = JSON::PP::false();
my ($r, $pid, @ids);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
sub ask { my ($url, %more) = @_; return request_node({ url => $url, circuit => $off, retry => { maxAttempts => 1 }, %more }) }
sub attempts { return value("SELECT state || ' ' || attempts FROM wf_requests WHERE path = '$_[0]'") }
sub kilobytes { my ($pid) = @_; return slurp_file("/proc/$pid/status") =~ /VmRSS:\s+(\d+)/ ? $1 : 0 }
# what came is not fetched
sub status { return value("SELECT wf_await('$_[0]', '${deadline}s') ->> 'status'", $_[1] // 'app') }
sub net { return NetTest::one(NetTest::request(@_)) }

# -- an error while it is submitted --

is(code(run(ask(api('/before')))), 'completed', 'a request');
$pid = dispatcher();
value(q{SELECT fault('net.submit:error')});
$r = run(ask(api('/submit')));
is(code($r) . told('count', 'submit') . value(q{SELECT fault('?')}), 'failed XX0000', 'an error in the midst of it is that of the request');
is(code(run(ask(api('/after')))), 'completed', 'the next one is sent');
is(dispatcher(), $pid, 'by the same process');
value(q{SELECT fault('net.submit:error')});
my $token = { type => 'oauth2', grant => 'clientCredentials', clientId => 'client', clientSecret => 'hush' };
$r = run(ask(api('/guarded?of=x'), auth => { %$token, tokenUrl => api('/token?of=x') }));
is(code($r) . value(q{SELECT fault('?')}), 'failed XX000', 'so is one of the request for a token');
is(code(run(ask(api('/guarded?of=x'), auth => { %$token, tokenUrl => api('/token?of=x') }))), 'completed', 'the token is asked for again');

# -- what libcurl does not take --

my $plain = encode(NetTest::request('http', '/ok'));
for my $auth (q{"type": "basic", "user": "$", "password": "p"}, q{"type": "digest", "user": "u", "password": "$"}, q{"type": "aws", "user": "u", "password": "$", "region": "r", "service": "s"}, q{"type": "bearer", "token": "$"})
{
	is(value("SELECT r ->> 'outcome' || ' ' || (r ->> 'message') FROM (SELECT net(jsonb_build_array(jsonb_build_array('$plain' || jsonb_build_object('auth', replace('{$auth}', '\$', repeat('x', 8000001))::jsonb)))) -> 0 -> 0) x (r)"),
		'invalid a credential is too large', "$auth: a large credential");
}

# -- what would become too large --

sub composed { return value("SELECT compose('{\"kind\": \"http\", \"method\": \"POST\", \"url\": \"https://h/\"}' || $_[0], " . ($_[1] // q{'{}'}) . q{) ->> 'error'}) }
my $too_large = qr/WF006.*request is larger than the limit of 67108864 bytes/;
like(composed(q{jsonb_build_object('bodyType', 'json', 'body', array_fill(1e131000::numeric, ARRAY[600]))}), $too_large, 'a few kB of numbers that are long as text');
like(composed(q{jsonb_build_object('bodyType', 'json', 'body', array_fill(repeat(U&'\0001', 1000000), ARRAY[12]))}), $too_large, 'escapes');
my $nonce = '0123456789abcdef0123456789abcdef';
my $secrets = qq{jsonb_build_object('nonce', '$nonce', 'secrets', '["A"]'::jsonb, %s)};
like(composed(sprintf($secrets, qq{'bodyType', 'text', 'body', repeat(U&'\\E000$nonce:A\\E001', 1100)}), q{jsonb_build_object('A', repeat('x', 65536))}), $too_large, 'one secret many times');
like(composed(sprintf($secrets, qq{'headers', (SELECT jsonb_object_agg('X-' || i, repeat(U&'\\E000$nonce:A\\E001', 110)) FROM generate_series(1, 10) i)}), q{jsonb_build_object('A', repeat('x', 65536))}), $too_large, 'in many texts');
like(composed(q{jsonb_build_object('bodyType', 'multipart', 'body', jsonb_build_object(repeat('"', 1000000), array_fill('a'::text, ARRAY[400])))}), $too_large, 'a name of a part that is quoted, many times');
like(composed(q{jsonb_build_object('bodyType', 'form', 'body', jsonb_build_object('a', array_fill(repeat('"', 1000000), ARRAY[30])))}), $too_large, 'a form');
is(composed(q{jsonb_build_object('bodyType', 'json', 'body', array_fill(1e131000::numeric, ARRAY[20]))}), '', 'some may be sent');

# what is composed and not answered is held up to a limit; what is beyond waits
value(q{SELECT wf_set_secret('BIG', repeat('x', 65536))}, 'postgres');
save('big', ask(url('deaf', '/deaf'), method => 'POST', bodyType => 'text', body => '{{ $secrets.BIG }}' x 1000, timeout => '1h'));
sub opened { require HTTP::Tiny; return HTTP::Tiny->new->get(url('http', '/opened?of=deaf'))->{content} }
my $before = opened();
value(q{SELECT wf_start_many('big', array_fill('{}'::jsonb, ARRAY[7]))}, 'app');
until_true(q{SELECT count(*) = 7 FROM wf_requests WHERE path = '/deaf'}, 'seven are to be sent');
my $end = time + $deadline;
sleep 0.02 while opened() - $before < 2 && time < $end;
until_true(q{SELECT wait_event IS NOT NULL FROM pg_stat_activity WHERE backend_type = 'workflow dispatcher'}, 'the dispatcher has done what it could');
# how many were claimed before the first were composed decides how many of the lane's share are taken
my $sent = opened() - $before;
ok($sent >= 2 && $sent <= 5, "no more than five of 65 MB are sent, the others wait: $sent");
value(q{SELECT wf_cancel(run_id) FROM wf_runs WHERE workflow = 'big'}, 'app');
is(code(run(ask(api('/room')))), 'completed', 'when they have gone there is room');

# -- answers that there is no room for --

my $hold = NetTest::requests([ [ NetTest::request('http', '/hold?n=150000', timeoutMs => 1500), NetTest::request('other', '/late?ms=500'), NetTest::request('other', '/big?n=10000') ] ], { maxBufferedBytes => 178_268 })->[0];
is(join(', ', map { $_->{outcome} } @$hold), 'timed out, answered, answered', 'a buffer takes what is left, and small answers have room of their own');
# a tenant may have three quarters of 256 MB, 16 kB of each answer not counted
$before = kilobytes($pid = dispatcher());
@ids = start(map { [ ask(url('other', '/hold?n=98000000'), timeout => '1h', maxResponseSize => '128MB') ] } 1 .. 2);
$end = time + $deadline;
sleep 0.02 while kilobytes($pid) < $before + 191_000 && time < $end;
cmp_ok(kilobytes($pid), '>=', $before + 191_000, 'a tenant has all that it may');
$r = run(ask(url('http', '/big?n=10000000'), method => 'POST', retry => { maxAttempts => 2, initialDelay => 0 }));
is(code($r) . ' ' . seen('/big'), 'failed WF010 3', 'an answer that does not fit is that of an attempt which counts');
like($r->{error}{message}, qr/answers of other requests hold all/, 'it says so');
is(attempts('/big'), 'failed 2', 'two attempts, as was asked for');
is(code(run(ask(api('/small')))), 'completed', 'a small answer fits');
value(q{SELECT wf_create_tenant('second'); SELECT wf_grant('other', 'second', 'member')});
my $large = encode(ask(url('http', '/big?n=10000000')));
$r = value("SELECT wf_save('w', \$j\$$large\$j\$) AS v \\gset\nSELECT wf_run('w') ->> 'run_id'", 'other');
is(status($r, 'other'), 'completed', 'so does a large one of another tenant');
value("SELECT wf_cancel('$_')", 'app') for @ids;
is(status(start([ ask(url('http', '/big?n=10000000'), method => 'POST') ])), 'completed', 'and later one of the same');

# -- a connection that is closed instead of an answer --

my $closed = NetTest::requests([ map { [ $_ ] } NetTest::request('http', '/once'), NetTest::request('http', '/closed', method => 'POST'), NetTest::request('http', '/once'), NetTest::request('http', '/closed', method => 'PUT') ]);
is("$closed->[1][0]{outcome} $closed->[1][0]{sent} $closed->[1][0]{message}", 'broken 1 the connection to "127.0.0.1" broke: it was closed without an answer', 'a POST is not repeated unseen');
is("$closed->[3][0]{outcome} " . seen('/closed'), 'answered 3', 'a PUT is');
is(code(run(ask(url('http', '/once')))), 'completed', 'a connection is kept');
$r = run(ask(url('http', '/twice'), method => 'POST'));
is(code($r) . ' ' . seen('/twice') . ' ' . attempts('/twice'), 'failed WF010 1 failed 1', 'one attempt is one request');
is(code(run(ask(url('http', '/once')))), 'completed', 'a connection is kept');
$r = run(ask(url('http', '/echo'), method => 'POST', retry => { maxAttempts => 2, initialDelay => 0 }));
is(code($r) . ' ' . seen('/echo') . ' ' . attempts('/echo'), 'completed 2 completed 2', 'another attempt is counted');
my $me = { type => 'digest', user => 'me', password => 'pass' };
is(net('http', '/digest', auth => $me, method => 'POST', body => 'b')->{body}, 'digest b', 'a challenge is an answer');

is(value('SELECT count(*) FROM wf.request'), '0', 'nothing is left in the outbox');
unlike(slurp_file($cluster->logfile), qr/terminated by signal|PANIC|TRAP/, 'nothing went down');
$cluster->stop;
done_testing();
