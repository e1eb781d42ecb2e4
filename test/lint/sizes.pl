#!/usr/bin/perl
# sizes.pl: functions of at most 120 lines and files of at most 1,000. More than 50, 500, or a
# cyclomatic complexity above 20, is printed as advice. Exceptions with reasons: sizes.txt.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my (%excused, @problems, @advice);
for (Source::list("$FindBin::Bin/sizes.txt"))
{
	my ($what, $reason) = split ' ', $_, 2;
	push @problems, "sizes.txt: $what has no reason" if !$reason;
	$excused{$what} = 0;
}

# over(what, text): a problem unless excused.
sub over
{
	my ($what, $text) = @_;
	if (exists $excused{$what}) { $excused{$what} = 1; push @advice, "$text (excused)"; }
	else { push @problems, $text; }
}

for my $file (Source::files('.c', 'src'), Source::files('.h', 'src'), Source::files('.sql', 'sql/parts'))
{
	my $text = Source::text($file);
	my $lines = ($text =~ tr/\n//);
	if ($lines > 1000) { over($file, "$file has $lines lines; split it"); }
	elsif ($lines > 500) { push @advice, "$file has $lines lines"; }
	next if $file !~ /\.c$/;
	for my $f (Source::functions($text))
	{
		my $length = $f->{last} - $f->{first} + 1;
		my $paths = 1 + (() = $f->{body} =~ /\b(?:if|for|while|case|foreach|foreach_\w+|forboth)\b|&&|\|\||\?/g);
		if ($length > 120) { over("$file:$f->{name}", "$file:$f->{first}: $f->{name} has $length lines; split it"); }
		elsif ($length > 50) { push @advice, "$file:$f->{first}: $f->{name} has $length lines"; }
		push @advice, "$file:$f->{first}: $f->{name} has a complexity of $paths" if $paths > 20;
	}
}
push @problems, map { "sizes.txt: $_ is not over a limit any more" } grep { !$excused{$_} } sort keys %excused;
print "$_\n" for @problems;
print "advice: $_\n" for @advice;
exit(@problems > 0);
