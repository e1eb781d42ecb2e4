#!/usr/bin/perl
# count_tap.pl <log> <command ...>: runs a command that speaks TAP, keeps what it prints in the log,
# and prints "<passed> <failed>". A wrong plan, no test at all or a bad exit is one failure more.
use strict;
use warnings;
use TAP::Parser;

my ($log, @command) = @ARGV;
open(my $out, '>>', $log) or die "could not open $log: $!\n";
my $parser = TAP::Parser->new({ exec => \@command, merge => 1 });
while (my $line = $parser->next)
{
	print $out $line->as_string, "\n";
}
my $failed = $parser->failed;
my $passed = $parser->passed;
if ($parser->skip_all)
{
	print "1 0\n";
	exit;
}
my @problems = $parser->parse_errors;
push @problems, "no test was run" if !$parser->tests_run;
push @problems, "exit status " . $parser->exit if $parser->exit && !$failed;
print $out "# $_\n" for @problems;
$failed++ if @problems;
print "$passed $failed\n";
