#!/usr/bin/perl
# canaries.pl: test/t/attack_random.pl with a million statements (WF_STATEMENTS).
use strict;
use warnings;
use FindBin;
$ENV{WF_STATEMENTS} //= 1_000_000;
exec $^X, (map { "-I$_" } @INC), "$FindBin::Bin/../t/attack_random.pl";
