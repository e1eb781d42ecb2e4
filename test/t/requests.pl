#!/usr/bin/perl
# requests.pl: requests of runs, from the node to the server and back.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = request_cluster('requests');
my ($r, $id);

# -- an answer --

$r = run(request_node({ url => url('http', '/ok?a=1') }));
is("$r->{status} $r->{output}{status} $r->{output}{body} $r->{output}{attempts}", 'completed 200 ok 1', 'an answer');
done_testing();
