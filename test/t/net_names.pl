#!/usr/bin/perl
# net_names.pl: names whose answers change and are mixed, by a resolver of our own (name_stub.c): the address that is connected to
# is the one that is checked, whatever was said before.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use NetTest;
use Test::More;
use Time::HiRes qw(time);

start_servers();
my $stub = "$folder/name_stub.so";
NetTest::run_quietly(($ENV{CC} // 'gcc') . " -shared -fPIC -O1 -o $stub $FindBin::Bin/name_stub.c -ldl -lpthread");
{
	local $ENV{LD_PRELOAD} = join ' ', grep { defined } $ENV{LD_PRELOAD}, $stub;
	new_cluster('net_names');
}
my ($n, $all, $r, $begun) = (0);

# name(labels): one that nobody has looked up yet
sub name { $n++; return join '.', "x$n", @_, 'stub' }
# at(name, path, member => value ...): a request to it; 127.0.0.1 alone is open
sub at { my ($host, $path, %more) = @_; return request('http', $path, host => $host, policy => { allow => '127.0.0.1' }, connectTimeoutMs => 5000, %more) }
sub hex_of { return unpack('H*', pack('C*', @_)) }
sub outcomes { return join ', ', map { $_->[0]{outcome} . ($_->[0]{new} ? ' new' : '') } @{ $_[0] } }
sub opened { return one(request('http', '/opened?of=http'))->{body} }

answered(one(at(name('127-0-0-1'), '/ok')), 200, 'ok', 'a name of ours');
is(one(at(name('none'), '/ok'))->{outcome}, 'unresolved', 'one that is not there');
is(one(at(name('again'), '/ok'))->{outcome}, 'unresolved', 'one that cannot be looked up now');

# -- every closed form, behind a name: nothing is connected --

my $before = opened();
my @closed = ('127-0-0-2', '10-0-0-1', '172-16-0-1', '192-168-1-1', '169-254-169-254', '100-64-0-1', '0-0-0-0', '224-0-0-1', '255-255-255-255', '198-18-0-1', '240-0-0-1',
	hex_of((0) x 15, 1), hex_of((0) x 16), hex_of((0) x 10, 255, 255, 10, 0, 0, 1), hex_of((0) x 10, 255, 255, 169, 254, 169, 254), hex_of((0) x 12, 10, 0, 0, 1),
	hex_of(0, 0x64, 0xff, 0x9b, (0) x 8, 10, 0, 0, 1), hex_of(0x20, 0x02, 10, 0, 0, 1, (0) x 10), hex_of(0x20, 0x01, (0) x 10, 0xf5, 0xff, 0xff, 0xfe), hex_of(0xfd, (0) x 14, 1),
	hex_of(0xfe, 0x80, (0) x 13, 1), hex_of(0xff, 2, (0) x 13, 1), hex_of(0xfd, 0, 0xec, 2, (0) x 10, 2, 0x54));
$all = requests([ map { [ at(name($_), '/ok') ] } @closed ]);
is($all->[$_][0]{outcome}, 'blocked', "behind a name: $closed[$_]") for 0 .. $#closed;
like($all->[4][0]{message}, qr/link-local 169\.254\.0\.0\/16/, 'the message says which rule');
$r = one(at(name(join('.and.', @closed[0 .. 12])), '/ok', connectTimeoutMs => 20000));
is($r->{outcome}, 'blocked', 'many of them behind one name');
is(opened() - $before, 1, 'nothing was connected');

# -- threads that look up what nobody waits for any more --

$begun = time;
$all = requests([ [ map { at(name('slow', 'and', '127-0-0-1'), '/ok', timeoutMs => 50) } 1 .. 10 ], [ at(name('127-0-0-1'), '/ok'), request('http', '/ok', times => 2) ] ], { maxThreads => 8 });
is(join(' ', map { $_->{outcome} } @{ $all->[0] }), join(' ', ('timed out') x 10), 'ten are given up');
is("$all->[1][0]{outcome} $all->[1][1]{same}", 'answered 2', 'others go on');
cmp_ok(time - $begun, '>', 2, 'a name is not looked up while there are too many threads');
cmp_ok($all->[1][1]{doneUs}, '<', 2_000_000, 'what needs none does not wait');

# -- mixed answers: the open one is taken, wherever it stands --

for my $labels (['10-0-0-1', 'and', '127-0-0-1'], ['127-0-0-1', 'and', '10-0-0-1'], [hex_of((0) x 15, 1), 'and', '127-0-0-1'], ['169-254-169-254', 'and', '127-0-0-2', 'and', '127-0-0-1'])
{
	$r = one(at(name(@$labels), '/ok'));
	is("$r->{outcome} $r->{address}", 'answered 127.0.0.1', "@$labels");
}

# -- rebinding: another answer the next time --

my $moving = name('127-0-0-1', 'then', '127-0-0-2', 'then', '10-0-0-1', 'then', '127-0-0-1');
$before = opened();
$all = requests([ map { [ at($moving, '/ok', partition => "p$_") ] } 1 .. 4 ]);
is(outcomes($all), 'answered new, blocked, blocked, answered new', 'a name that moves is checked each time that it is looked up');
is(opened() - $before, 3, 'and nothing else is connected');
$all = requests([ map { [ at(name('127-0-0-1', 'then', '10-0-0-1'), '/ok') ] } 1 ]);
is(outcomes($all), 'answered new', 'once');
$moving = name('127-0-0-1', 'then', '10-0-0-1');
$all = requests([ map { [ at($moving, '/ok') ] } 1 .. 3 ]);
is(outcomes($all), 'answered new, answered, answered', 'a connection stays where it is');
# the second hop looks the name up again, as it is for another port
$moving = name('127-0-0-1', 'then', '169-254-169-254');
$r = one(at($moving, "/redirect?to=http%3A%2F%2F$moving%3A" . port('other') . '%2Fok', maxRedirects => 3));
is($r->{outcome}, 'blocked', 'a redirect to the same name, which has moved');
$moving = name('127-0-0-1', 'then', '10-0-0-1', 'and', '127-0-0-1');
$r = one(at($moving, "/redirect?to=http%3A%2F%2F$moving%3A" . port('other') . '%2Fok', maxRedirects => 3));
is("$r->{outcome} $r->{address} $r->{redirects}", 'answered 127.0.0.1 1', 'one that has moved, and has an open address too');
# a connection that the server closed is made anew
$moving = name('127-0-0-1', 'then', '127-0-0-2');
$all = requests([ [ at($moving, '/once') ], [ at($moving, '/ok', partition => 'other') ] ]);
is(outcomes($all), 'answered new, blocked', 'a connection made anew goes nowhere else');

# -- a resolver that hangs --

my $slow = name('slow', 'and', '127-0-0-1');
$begun = time;
$all = requests([ [ at($slow, '/ok', connectTimeoutMs => 300, partition => 's'), request('http', '/ok', times => 500) ] ]);
is("$all->[0][0]{outcome} $all->[0][1]{same} $all->[0][1]{last}{outcome}", 'timed out 500 answered', 'a look-up that hangs holds up nobody');
$r = one(at(name('slow', 'and', '127-0-0-1'), '/ok', connectTimeoutMs => 20000));
is("$r->{outcome} $r->{status}", 'answered 200', 'one that is slow');
is($cluster->safe_psql('postgres', 'SELECT 1'), '1', 'the server is there');
$cluster->stop;
done_testing();
