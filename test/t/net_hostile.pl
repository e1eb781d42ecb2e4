#!/usr/bin/perl
# net_hostile.pl: servers that mean harm: each ends as it should, in time, and takes no more memory than allowed.
use strict;
use warnings;
use NetTest;
use Test::More;
use Time::HiRes qw(time);

start_servers();
new_cluster('net_hostile');

# ends(path, how, name, member => value ...): outcome, status and bytes, and part of the message
sub ends
{
	my ($path, $how, $name, %more) = @_;
	my $server = delete $more{server} // 'http';
	my $begun = time;
	my $r = one(request($server, $path, %more));
	like("$r->{outcome} $r->{bytes} " . ($r->{message} // ''), qr/^$how/, $name);
	unlike($r->{message} // '', qr/[^ -~]/, 'what it says can be printed');
	ok(time - $begun < ($more{timeoutMs} // 20000) / 1000 + 3, 'in time');
	return $r;
}

my %cap = (maxResponseBytes => 1_000_000);
# -- too much --
ends('/endless', 'too large 1000000 .* larger than 1000000 bytes', 'a body without end', %cap);
ends('/endless-bare', 'too large 1000000 ', 'a body without end or length', %cap);
ends('/ten-gigabytes', 'too large 1000000 ', 'ten gigabytes', %cap);
ends('/bomb', 'too large 1000000 ', 'half a gigabyte in half a megabyte', %cap);
ends('/bomb-twice', 'too large 1000000 ', 'twenty gigabytes in a few kilobytes', %cap);
ends('/big?n=1000000', 'answered 1000000 $', 'as much as is allowed', %cap);
ends('/big?n=1000001', 'too large 1000000 ', 'a byte more', %cap);
ends('/big?n=1', 'too large 0|answered 1', 'one byte', maxResponseBytes => 1);
ends('/header-large', 'too large 0 the headers of the answer', 'a large header');
ends('/header-large', 'answered 2', 'a large header that is allowed', maxHeaderBytes => 100_000);
ends('/header-huge', '(too large|broken) 0 ', 'a header of a megabyte', maxHeaderBytes => 10_000_000);
ends('/headers-many', 'too large 0 the answer has more than 200 headers', 'a thousand headers');
ends('/headers-many', 'answered 2', 'a thousand headers that are allowed', maxHeaderCount => 2000);
ends('/headers-endless', '(too large|broken) 0 ', 'headers without end');
ends('/headers-endless', '(too large|broken) 0 ', 'headers without end and few limits', maxHeaderCount => 100_000_000, maxHeaderBytes => 1_000_000);
ends('/trailers-endless', '(too large|broken) 2 ', 'trailers without end');
ends('/continues', 'broken 0 there are more than 20 answers', 'answers without end');

# -- too slow --
my $hang = ends('/hang', 'timed out 0 no answer within 300 ms', 'no answer', timeoutMs => 300);
is("$hang->{sent} $hang->{firstByteUs}", '1 0', 'it was sent, and nothing came');
ends('/hang-mid', 'timed out 4 ', 'half an answer', timeoutMs => 300);
ends('/drip', 'timed out \d+ no answer within 400 ms', 'a drip', timeoutMs => 400);
ends('/drip', 'timed out \d+ fewer than 1000 bytes a second for 1000 ms', 'a drip that is too slow', lowSpeedBytes => 1000, lowSpeedMs => 1000);
ends('/slow-head', 'timed out 0 ', 'a drip of headers', timeoutMs => 400);
ends('/', 'timed out 0 ', 'a server that only listens', server => 'deaf', timeoutMs => 300);
my $deaf = ends('/', 'timed out 0 no connection to "127.0.0.1" within 300 ms', 'TLS that never comes', server => 'deaf', scheme => 'https', connectTimeoutMs => 300);
is("$deaf->{sent} $deaf->{firstByteUs}", '0 0', 'and it was not sent');
$deaf = ends('/redirect?to=https://127.0.0.1:' . port('deaf') . '/', 'timed out 0 no connection to "127.0.0.1" within 300 ms', 'after a redirect', connectTimeoutMs => 300, maxRedirects => 1);
is($deaf->{sent}, 1, 'but the first request was sent');

# -- broken --
is(ends('/reset', 'broken 0 ', 'a reset')->{sent}, 1, 'it was sent');
ends('/reset-mid', 'broken 4 ', 'a reset in the middle');
ends('/close', 'broken 0 ', 'closed at once');
ends('/close-after-status', 'broken 0 |answered 0', 'closed after the status');
ends('/half', 'broken 4 ', 'half of the body');
ends('/half-chunk', 'broken 4 ', 'half of a chunk');
ends('/long', 'answered 5', 'more than was announced');
ends('/bad-chunk', 'broken 0 ', 'no chunk');
ends('/negative', 'broken 0 |answered', 'a negative length');
ends('/two-lengths', 'broken 0 |answered', 'two lengths');
ends('/trailer-status', 'broken 2 |answered 2', 'a trailer that looks like a status', maxRedirects => 3);
ends('/garbage', 'broken 0 ', 'garbage');
ends('/no-status', 'broken 0 ', 'no status');
ends('/status-bad', 'broken 0 ', 'no number in the status');
ends('/nul-header', 'broken 0 ', 'a NUL in a header');
ends('/bad-gzip', 'broken 0 ', 'no gzip');
ends('/cut-gzip', 'broken \d+ |answered', 'half a gzip');
ends('/brotli', 'broken 0 the answer is encoded in a way that was not asked for', 'brotli');
ends('/zstd', 'broken 0 the answer is encoded', 'zstd');
ends('/te-gzip', 'broken 0 ', 'gzip as a transfer encoding');
my $closed = ends('/', 'unreachable 0 could not connect to "127.0.0.1", port', 'nobody there', server => 'closed');
is("$closed->{sent} $closed->{firstByteUs}", '0 0', 'and it was not sent');
ends('/', 'tls failed 0 ', 'no TLS', server => 'nottls', scheme => 'https');
ends('/', 'broken 0 ', 'no HTTP', server => 'nottls');
my $r = one({ url => 'http://name.invalid/', timeoutMs => 20000 });
is("$r->{outcome} $r->{message}", 'unresolved could not resolve the host "name.invalid"', 'no such host');
my $again = requests([ [ request('http', '/ok') ], [ request('http', '/reset') ] ]);
is("$again->[1][0]{outcome} $again->[1][0]{sent}", 'broken 1', 'sent over a connection that was there');

# -- HTTP/2 --
my $two = requests([ [ request('h2', '/') ], [ request('h2', '/', times => 90) ] ]);
is("$two->[0][0]{outcome} $two->[0][0]{http} $two->[0][0]{body}", 'answered 20 two', 'HTTP/2');
is("$two->[1][0]{same} $two->[1][0]{last}{headers}{'x-session'}", "90 $two->[0][0]{headers}{'x-session'}", 'one connection for 90 at once');
ends('/endless', 'too large 1000000 ', 'HTTP/2: a body without end', server => 'h2', %cap);
ends('/bomb', 'too large 1000000 ', 'HTTP/2: a bomb', server => 'h2', %cap);
ends('/headers-many', 'too large 0 ', 'HTTP/2: many headers', server => 'h2');
is(ends('/reset', 'broken 0 ', 'HTTP/2: a reset', server => 'h2')->{sent}, 1, 'HTTP/2: it was sent');
ends('/goaway', 'broken 0 ', 'HTTP/2: the connection goes', server => 'h2', timeoutMs => 5000);
ends('/hang', 'timed out 0 ', 'HTTP/2: no answer', server => 'h2', timeoutMs => 300);

# -- memory --
sub memory_of
{
	my ($groups, $options) = @_;
	my $in = JSON::PP->new->encode($groups);
	my $how = JSON::PP->new->encode($options // {});
	my $small = JSON::PP->new->encode([ [ request('http', '/ok'), request('http', '/gzip') ] ]);
	my ($before, $after, $last) = split /\n/, $cluster->safe_psql('postgres', "DO \$\$ BEGIN PERFORM net('$small'); END \$\$; SELECT most FROM memory(); SELECT net(\$j\$$in\$j\$, \$j\$$how\$j\$) #>> '{0,0}'; SELECT most FROM memory()");
	return ($last - $before, $after);
}
for my $path ('/endless', '/ten-gigabytes', '/bomb', '/bomb-twice')
{
	my ($kb, $what) = memory_of([ [ request('http', $path, maxResponseBytes => 32 << 20) ] ]);
	like($what, qr/too large/, "$path ends");
	cmp_ok($kb, '<', (32 + 8) * 1024, "$path takes the cap and less than 8 MB more ($kb kB)");
}
my ($kb, $what) = memory_of([ [ request('http', '/endless', maxResponseBytes => 16 << 20, times => 40) ] ], { maxBufferedBytes => 32 << 20 });
like($what, qr/"outcome": "(overloaded|too large)"/, 'forty without end');
cmp_ok($kb, "<", 2 * 32 * 1024, "share what there is ($kb kB)");
my $mixed = requests([ [ request('http', '/endless', maxResponseBytes => 64 << 20, times => 10), request('other', '/late?ms=300', times => 20) ] ], { maxBufferedBytes => 8 << 20 })->[0];
is("$mixed->[0]{last}{outcome}", 'overloaded', 'what does not fit is told so');
like($mixed->[0]{last}{message}, qr/answers of other requests hold all/, 'and why');

# -- one that hangs holds up nobody --
my $got = requests([ [ request('other', '/ok', times => 2000), request('deaf', '/', times => 1000, timeoutMs => 3000), request('closed', '/', times => 200) ] ])->[0];
is("$got->[0]{same} $got->[1]{last}{outcome} $got->[2]{last}{outcome}", '2000 timed out unreachable', '1,000 that hang beside 2,000 that do not');
cmp_ok($got->[0]{last}{totalUs}, '<', 2_900_000, 'which did not wait for them');

$cluster->stop;
done_testing();
