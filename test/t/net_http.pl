#!/usr/bin/perl
# net_http.pl: what the net room sends and gives, against servers on loopback: methods, bodies, headers, credentials,
# redirects, and which requests share connections.
use strict;
use warnings;
use NetTest;
use Test::More;

start_servers();
new_cluster('net_http');
my $r;

# -- methods and bodies --

for my $method ('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE')
{
	$r = json(one(request('http', '/echo', method => $method)));
	is("$r->{method} " . ($r->{headers}{'content-length'} // '-'), "$method " . ($method =~ /^P(OST|UT|ATCH)$/ ? 0 : '-'), "$method without a body");
	$r = json(one(request('http', '/echo', method => $method, body => "b\x{e4}", headers => { 'Content-Type' => 'text/x' })));
	is("$r->{method} $r->{headers}{'content-length'} $r->{headers}{'content-type'}", "$method 3 text/x", "$method with a body");
}
$r = one(request('http', '/ok', method => 'HEAD'));
is("$r->{outcome} $r->{status} $r->{headers}{'content-length'} $r->{bytes}", 'answered 200 99999999999 0', 'HEAD of something large');
$r = json(one(request('http', '/echo', body => '')));
is("$r->{method} $r->{headers}{'content-length'} " . ($r->{headers}{'content-type'} // '-'), 'POST 0 -', 'an empty body is a body');
$r = json(one(request('http', '/echo', bodyBytes => 3_000_000), { bodyChars => 4_000_000 }));
is(length($r->{body}) . ($r->{headers}{expect} // ''), 3_000_000, 'a large body, without waiting for permission');
$r = json(one(request('http', '/echo', headers => { 'X-Empty' => '', 'X-Twice' => ' a ', 'Accept-Encoding' => 'identity' })));
is(join('|', @{ $r->{headers} }{ 'x-empty', 'x-twice', 'accept-encoding', 'user-agent' }), '|a|identity|workflow', 'headers');
is(join(' ', sort keys %{ $r->{headers} }), 'accept accept-encoding host user-agent x-empty x-twice', 'and no others');
$r = json(one(request('http', '/echo', parts => [ { name => "a\"b", data => 'one' }, { name => 'f', filename => 'x.txt', contentType => 'text/plain', data => "two\r\n--" } ], headers => { 'content-type' => 'mine' }), { bodyChars => 2000 }));
my ($boundary) = $r->{headers}{'content-type'} =~ /^multipart\/form-data; boundary=([0-9a-f]{32})$/;
is($r->{body}, join("\r\n", "--$boundary", 'Content-Disposition: form-data; name="a%22b"', '', 'one', "--$boundary", 'Content-Disposition: form-data; name="f"; filename="x.txt"', 'Content-Type: text/plain', '', "two\r\n--", "--$boundary--", ''), 'multipart');
$r = json(one(request('http', '/echo?q=a b&x=%20+&y=#frag')));
is($r->{target}, '/echo?q=a+b&x=%20+&y=', 'a query');
$r = json(one(request('http', "/a/../echo?\x{e4}")));
is($r->{target}, '/echo?%C3%A4', 'a path');

# -- answers --

answered(one(request('http', '/gzip')), 200, 'unzipped', 'gzip');
answered(one(request('http', '/deflate')), 200, 'inflated', 'deflate');
answered(one(request('http', '/until-close')), 200, 'until the end', 'a body that ends with the connection');
answered(one(request('http', '/early')), 200, 'early', 'an answer before the answer');
answered(one(request('http', '/no-body')), 204, '', 'no content');
answered(one(request('http', '/status?code=500')), 500, 'status', 'a failure is an answer');
answered(one(request('http', '/nothing')), 404, 'no such path', 'and so is another');
$r = one(request('http', '/fold'));
is(join('|', @{ $r->{headers} }{ 'x-fold', 'x-empty', 'x-two' }), 'a b||2', 'folded, empty and repeated headers');
$r = one(request('http', '/trailer'));
is("$r->{outcome} $r->{status} $r->{headers}{'x-trailer'}", 'answered 200 yes', 'a trailer');
$r = one(request('http', '/status?code=503&more=Retry-After: 7%0d%0a'));
is($r->{retryAfterMs}, 7000, 'Retry-After in seconds');
$r = one(request('http', '/status?code=503&more=Retry-After: Tue, 14 Nov 2023 22:13:50 GMT%0d%0a'));
is($r->{retryAfterMs}, 30000, 'Retry-After as a date');
for my $bad ('soon', '-5', '')
{
	$r = one(request('http', "/status?code=503&more=Retry-After: $bad%0d%0a"));
	is($r->{retryAfterMs}, -1, "Retry-After: $bad");
}
$r = one(request('http', '/late?ms=120', host => 'good.test'));
ok($r->{firstByteUs} > 110_000 && $r->{totalUs} >= $r->{firstByteUs} && $r->{new} && $r->{connectUs} > 0 && $r->{connectUs} < 100_000, 'times');
is("$r->{address} $r->{port} $r->{http} $r->{sent}", '127.0.0.1 ' . port('http') . ' 11 1', 'where it went');
ok($r->{receivedBytes} > 40 && $r->{sentBytes} > 40, 'bytes');

# -- credentials --

my $me = { user => 'me', password => 'pass' };
$r = json(one(request('http', '/echo', auth => { %$me, type => 'basic' })));
is($r->{headers}{authorization}, 'Basic bWU6cGFzcw==', 'basic');
$r = json(one(request('http', '/echo', auth => { type => 'bearer', token => 't0ken' })));
is($r->{headers}{authorization}, 'Bearer t0ken', 'bearer');
answered(one(request('http', '/digest', auth => { %$me, type => 'digest' })), 200, 'digest ', 'digest');
answered(one(request('http', '/digest', auth => { %$me, type => 'digest' }, body => 'body', method => 'PUT')), 200, 'digest body', 'digest with a body');
answered(one(request('http', '/digest', auth => { user => 'me', password => 'no', type => 'digest' })), 403, 'wrong', 'digest with a wrong password');
answered(one(request('http', '/digest')), 401, 'who are you?', 'no credentials');
$r = json(one(request('http', '/echo', auth => { type => 'aws', user => 'AKID', password => 'secret', token => 'session', region => 'eu-west-1', service => 'execute-api' })));
like($r->{headers}{authorization}, qr{^AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-west-1/execute-api/aws4_request, ?SignedHeaders=[a-z0-9;-]*host[a-z0-9;-]*, ?Signature=[0-9a-f]{64}$}, 'AWS');
is($r->{headers}{'x-amz-security-token'}, 'session', 'and its session');

# -- redirects --

my $there = 'http://127.0.0.1:' . port('other');
sub to { my ($url, $code) = @_; $url =~ s/([^A-Za-z0-9])/sprintf '%%%02x', ord $1/ge; return "/redirect?to=$url&code=" . ($code // 302) }
answered(one(request('http', to('/ok'))), 302, 'moved', 'not followed unless asked for');
$r = one(request('http', to('/ok'), maxRedirects => 1));
answered($r, 200, 'ok', 'followed');
is("$r->{redirects} $r->{url}", '1 http://127.0.0.1:' . port('http') . '/ok', 'and told');
$r = one(request('http', '/round', maxRedirects => 5));
is("$r->{outcome} $r->{redirects} $r->{message}", 'redirect refused 5 there are more than 5 redirects', 'round and round');
answered(one(request('http', '/redirect-large', maxRedirects => 1)), 200, 'ok', 'the body of a redirect is not read to its end');
for my $case (['POST', 301, 'GET', 0], ['POST', 302, 'GET', 0], ['POST', 303, 'GET', 0], ['PUT', 302, 'PUT', 4], ['PUT', 303, 'GET', 0], ['POST', 307, 'POST', 4], ['DELETE', 308, 'DELETE', 4])
{
	my ($method, $code, $then, $bytes) = @$case;
	$r = json(one(request('http', to('/echo', $code), method => $method, body => 'body', maxRedirects => 1, headers => { 'Content-Type' => 'x/y' })));
	is("$r->{method} " . length($r->{body}) . ' ' . ($r->{headers}{'content-type'} // '-'), "$then $bytes " . ($bytes ? 'x/y' : '-'), "$method, then $code");
}
my %secrets = (maxRedirects => 3, headers => { Authorization => 'a', Cookie => 'c', 'X-Key' => 'k', 'X-Open' => 'o' }, secret => ['X-Key']);
sub kept { my ($r) = @_; return join ' ', grep { defined } @{ json($r)->{headers} }{ 'authorization', 'cookie', 'x-key', 'x-open' } }
is(kept(one(request('http', to('/echo'), %secrets))), 'a c k o', 'the same origin gets secrets');
is(kept(one(request('http', to("$there/echo"), %secrets))), 'o', 'another port does not');
is(kept(one(request('http', to('http://LOCALHOST:' . port('http') . '/echo'), %secrets, resolve => [ 'localhost:' . port('http') . ':127.0.0.1' ]))), 'o', 'another name does not');
is(kept(one(request('http', to($there . to('http://127.0.0.1:' . port('http') . '/echo')), %secrets))), 'o', 'nor does the first one after a way round');
is(kept(one(request('http', to('http://127.1:' . port('http') . '/echo'), %secrets))), 'a c k o', 'another spelling of the same origin does');
for my $auth ({ %$me, type => 'basic' }, { type => 'bearer', token => 't' }, { %$me, type => 'digest' }, { %$me, type => 'aws', region => 'r', service => 's' })
{
	is(kept(one(request('http', to("$there/echo"), maxRedirects => 1, auth => $auth))), '', "$auth->{type} stays");
	isnt(kept(one(request('http', to('/echo'), maxRedirects => 1, auth => $auth))), '', "$auth->{type} goes along") if $auth->{type} ne 'digest';
}
$r = one(request('http', to("$there/digest"), maxRedirects => 1, auth => { %$me, type => 'digest' }));
answered($r, 401, 'who are you?', 'a challenge of another host is not answered');
$r = one(request('http', to("$there/echo", 307), maxRedirects => 1, body => 'secret', bodyIsSecret => JSON::PP::true));
is("$r->{outcome}", 'redirect refused', 'a secret body stays');
answered(one(request('http', to("$there/ok", 303), maxRedirects => 1, body => 'secret', bodyIsSecret => JSON::PP::true)), 200, 'ok', 'unless it is left behind');
for my $to ('file:///etc/passwd', 'gopher://127.0.0.1/', 'smtp://127.0.0.1/', 'http://', 'http://me:pass@127.0.0.1/', "http://127.0.0.1:99999/", 'http://[::1%25lo]/', 'javascript:1', 'http://a b/')
{
	$r = one(request('http', to($to), maxRedirects => 3));
	is("$r->{outcome} $r->{redirects}", 'redirect refused 0', "to $to");
}
for my $to ('http://10.0.0.1/', 'http://169.254.169.254/latest', 'http://[::ffff:127.0.0.1]/', 'http://2130706433.0x7f.1/', 'http://0xa.1/', 'https://[fe80::1]/', '//192.168.0.1/')
{
	$r = one(request('http', to($to), maxRedirects => 3));
	like("$r->{outcome} $r->{status}", qr/^(blocked|redirect refused) /, "to $to");
	ok(!$r->{new} && $r->{address} eq '', 'no connection') if $r->{outcome} eq 'blocked';
}
is(one(request('https', to('http://127.0.0.1:' . port('http') . '/ok'), maxRedirects => 1))->{outcome}, 'redirect refused', 'from https to http');
answered(one(request('https', to('http://127.0.0.1:' . port('http') . '/ok'), maxRedirects => 1, allowDowngrade => JSON::PP::true)), 200, 'ok', 'unless allowed');
answered(one(request('http', to('https://127.0.0.1:' . port('https') . '/ok'), maxRedirects => 1)), 200, 'ok', 'from http to https');
$r = one(request('http', '/redirect?to=/late%3fms=3000', maxRedirects => 1, timeoutMs => 400));
is($r->{outcome}, 'timed out', 'the time is that of all hops');

# -- partitions --

sub connection { return $_[0]{headers}{'x-connection'} }
my $all = requests([ map { [ request('http', '/ok', %$_) ] }
	{ partition => 'a' }, { partition => 'a' }, { partition => 'b' }, { partition => 'b' }, { partition => 'a' }, {},
	{ partition => 'a', policy => { allow => '127.0.0.0/8' } }, { partition => 'a', caFile => "$folder/otherca.crt" } ]);
my @c = map { connection($_->[0]) } @$all;
ok($c[0] == $c[1] && $c[0] == $c[4] && $c[2] == $c[3], 'connections are used again in a partition');
is(scalar(keys %{ { map { $_ => 1 } @c } }), 5, 'and by nobody else: neither another tenant, nor another policy or CA');
ok(!$all->[1][0]{new} && $all->[1][0]{connectUs} == 0 && $all->[1][0]{address} eq '127.0.0.1', 'times of a connection that was there');
$r = json(requests([ [ request('http', '/echo') ], [ request('http', '/echo') ] ])->[1][0]);
ok(!exists $r->{headers}{cookie}, 'cookies are not kept');
$all = requests([ [ request('http', '/ok', partition => 'a') ], [ map { request('http', '/ok', partition => "p$_") } 1 .. 20 ], [ request('http', '/ok', partition => 'a') ] ], { maxPartitions => 2 });
isnt(connection($all->[0][0]), connection($all->[2][0]), 'idle partitions are few');
is(scalar(grep { $_->{outcome} eq 'answered' } @{ $all->[1] }), 20, 'busy ones are many');
$all = requests([ [ request('http', '/ok') ], [ request('other', '/late?ms=600', partition => 'o') ], [ request('http', '/ok') ] ], { idleMs => 200 });
isnt(connection($all->[0][0]), connection($all->[2][0]), 'and they are closed after a while');
answered(requests([ [ request('http', '/once') ], [ request('http', '/ok') ] ])->[1][0], 200, 'ok', 'a connection that was closed meanwhile');

# -- what names resolve to --

my $at = sub { my ($path, @addresses) = @_; return request('http', $path, host => 'moving.test', policy => { allow => '127.0.0.1' }, resolve => [ 'moving.test:' . port('http') . ':' . join(',', @addresses) ]) };
my $before = one(request('http', '/opened?of=http'))->{body};
$all = requests([ [ $at->('/once', '127.0.0.1') ], [ $at->('/ok', '127.0.0.2') ], [ $at->('/ok', '[::1]') ], [ $at->('/ok', '127.0.0.1') ], [ $at->('/ok', '127.0.0.2') ] ]);
is(join(', ', map { $_->[0]{outcome} . ($_->[0]{new} ? ' new' : '') } @$all), 'answered new, blocked, blocked, answered new, answered', 'an address that changes is checked again; a connection stays where it is');
is(one(request('http', '/opened?of=http'))->{body} - $before, 3, 'nothing else was connected');
for my $addresses (['127.0.0.2', '127.0.0.1'], ['127.0.0.1', '127.0.0.2'], ['[::1]', '127.0.0.1', '10.0.0.1'])
{
	$r = one($at->('/ok', @$addresses));
	is("$r->{outcome} $r->{address}", 'answered 127.0.0.1', "of @$addresses, the allowed one");
}

# -- many, and none --

for my $n (1, 64, 1000)
{
	my $got = requests([ [ request('http', '/ok', times => 2000) ] ], { events => $n })->[0][0];
	is("$got->{same} $got->{last}{outcome}", '2000 answered', "2,000 at once, $n a turn");
}
my $got = requests([ [ request('http', '/ok', times => 300, host => 'good.test'), request('deaf', '/', times => 300, timeoutMs => 700), request('closed', '/', times => 100), request('http', '/hang', times => 100, cancelMs => 300), request('http', '/ok', times => 100, policy => {}) ] ])->[0];
is(join(', ', map { $_ ? "$_->{same} $_->{last}{outcome}" : 'dropped' } @$got), '300 answered, 300 timed out, 100 unreachable, dropped, 100 blocked', 'all kinds at once');
my ($stdout, $stderr);
for my $leave ('true', 'false')
{
	$cluster->psql('postgres', "SET statement_timeout = 500; SELECT net('[[{\"url\": \"http://127.0.0.1:" . port('deaf') . "/\", \"policy\": {\"allow\": \"127.0.0.1\"}, \"times\": 50}]]', '{\"leave\": $leave}'); SELECT 'alive'", stdout => \$stdout, stderr => \$stderr, on_error_stop => 0);
	like("$stdout $stderr", qr/^alive .*canceling statement due to statement timeout/s, 'an error in the middle closes everything');
}
my $descriptors = q{SELECT count(*) FROM pg_ls_dir('/proc/self/fd')};
my $groups = JSON::PP->new->encode([ [ map { request('http', '/ok', partition => "p$_") } 1 .. 20 ] ]);
my $leave = "SELECT length(net(\$j\$$groups\$j\$, '{\"leave\": true}')::text) > 0";
my @counts = split /\n/, $cluster->safe_psql('postgres', "$leave; $descriptors; $leave; $leave; $descriptors");
is("@counts[0, 2, 3]", 't t t', 'left to its memory context');
is($counts[1], $counts[4], 'which leaves no descriptor');

$cluster->stop;
done_testing();
