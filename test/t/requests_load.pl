#!/usr/bin/perl
# requests_load.pl: what the dispatcher needs of memory for bodies without end, and how much a dead host slows requests to others.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use RequestTest;
use Socket;
use Test::More;
use Time::HiRes qw(time sleep);

plan skip_all => 'memory and time are those of a checker' if $ENV{WF_SLOW};
my $cap_mb = 4;
my $cluster = request_cluster('load', "workflow.http_max_response_size = '${cap_mb}MB'", 'fsync = off', 'workflow.max_iterations = 1000000');
my $off = JSON::PP::false();
my (@r, $pid);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
# kilobytes
sub memory { my ($what) = @_; open(my $in, '<', "/proc/$pid/status") or die; my ($line) = grep { /^$what:/ } <$in>; return $line =~ /(\d+)/ ? $1 : die }

# -- bodies without end --

SKIP:
{
	skip 'there is no /proc here', 3 if !-e '/proc/self/status';
	my $node = sub { return [ request_node({ url => url('http', $_[0]), circuit => $off, retry => { maxAttempts => 1 } }) ] };
	# what it needs anyway, an answer of some size and an error included
	@r = all($node->('/ok'), $node->('/status?code=500'), $node->('/big?n=100000'), $node->('/big?n=10000000'));
	is(join(' ', map { code($_) } @r), 'completed failed WF010 completed failed WF006', 'answers');
	$pid = dispatcher();
	my $before = memory('VmRSS');
	my $most = memory('VmHWM');
	my @endless = map { run(@{ $node->($_) }) } qw(/ten-gigabytes /endless /endless-bare /bomb /bomb-twice /headers-endless /trailers-endless);
	is(join(' ', map { $_->{status} } @endless), join(' ', ('failed') x 7), 'bodies and headers without end');
	is(join(' ', map { $_->{error}{code} } @endless[ 0 .. 3 ]), 'WF006 WF006 WF006 WF006', 'are too large');
	is(dispatcher(), $pid, 'it is the same process');
	my $after = memory('VmHWM');
	diag(sprintf 'memory of the dispatcher: %d kB before, at most %d kB then and %d kB after bodies of 10 GB', $before, $most, $after);
	cmp_ok($after, '<=', $before + ($cap_mb + 8) * 1024, 'memory stays within the cap and 8 MB');
}

# -- a dead host --

# One that accepts connections and says nothing; one whose queue is full, so that packets are dropped.
socket(my $full, PF_INET, SOCK_STREAM, 0) or die $!;
bind($full, sockaddr_in(0, INADDR_LOOPBACK)) or die $!;
listen($full, 1) or die $!;
my ($full_port) = sockaddr_in(getsockname($full));
my $many = sub { my ($name, $url) = @_; save($name, { nodes => [ { id => 'l', type => 'loop', config => { type => 'for', from => 1, to => '{{ $input.n }}', maxIterations => 1000000 } },
	{ id => 'ask', type => 'http.request', parent => 'l', config => { url => $url, await => $off, timeout => '1h', connectTimeout => '1h', retry => { maxAttempts => 1 } } } ], edges => [], settings => { journal => 'none' } }) };
$many->('live', api('/live?lean&text=ok&type=text/plain'));
$many->('hangs', url('deaf', '/'));
$many->('drops', "http://127.0.0.1:$full_port/");
# seconds from the request for n answers to the last
sub round
{
	my ($n) = @_;
	my $begun = value(q{SELECT clock_timestamp()});
	value(qq{SELECT wf_call('live', '{"n": $n}')}, 'app');
	until_quietly(q{SELECT NOT EXISTS (SELECT FROM wf.request WHERE path = '/live')});
	return value("SELECT extract(epoch FROM max(ended_at) - min(created_at)) FROM wf.request_log WHERE path = '/live' AND created_at >= '$begun'");
}
sub until_quietly { my ($sql) = @_; my $end = time + $deadline; until (value($sql) eq 't') { die "$sql does not come about" if time > $end; sleep 0.01 } return }

my $n = 2000;
round($n) for 1 .. 2;
for my $dead ('hangs', 'drops')
{
	# Rounds alone and rounds with the dead host take turns, until the quickest of either say that it does not matter, or the
	# median of what a round has to say, which one quiet moment does not decide; a busy machine needs more of them.
	my (%best, @ratios, $ratio, $rounds);
	for ($rounds = 1; $rounds <= 20; $rounds++)
	{
		my $alone = round($n);
		value(qq{SELECT wf_call('$dead', '{"n": 1000}')}, 'app');
		until_quietly(q{SELECT count(*) > 200 FROM wf_requests WHERE state = 'sending' AND path IS DISTINCT FROM '/live'});
		my $beside = round($n);
		is(value(q{SELECT count(*) FROM wf.request}), '1000', "$dead: a thousand wait all the time") if $rounds == 1;
		# nobody waits for the answers: nothing withdraws them
		value(q{DELETE FROM wf.request});
		$pid = dispatcher();
		value("SELECT pg_terminate_backend($pid)");
		until_quietly("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)");
		# the next one has its connections and plans as the last one had
		round(200);
		$best{alone} = $alone if !$best{alone} || $alone < $best{alone};
		$best{beside} = $beside if !$best{beside} || $beside < $best{beside};
		push @ratios, $beside / $alone;
		my $median = (sort { $a <=> $b } @ratios)[ @ratios / 2 ];
		$ratio = $best{beside} / $best{alone};
		$ratio = $median if $median < $ratio;
		last if $rounds >= 3 && $ratio <= 1.1;
	}
	diag(sprintf '%s: %d requests in %.3f s alone, in %.3f s beside 1,000 to a dead host: %.2f times (%d rounds)', $dead, $n, $best{alone}, $best{beside}, $ratio, $rounds);
	cmp_ok($ratio, '<=', 1.1, "$dead: a dead host does not slow others by more than a tenth");
}
$cluster->stop;
done_testing();
