#!/usr/bin/perl
# errcodes.pl: the error codes in src/base/errorlist.h are sorted and unique, agree with the
# constants in error.h, and each has a place in docs/errors.md, which names no other. A code that
# C raises appears in a test.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my (@problems, %symbol, %name, $last);
for my $line (split /\n/, Source::code(Source::text('src/base/errorlist.h'), 1))
{
	next if $line !~ /\S/ || $line =~ /^\s*#/;
	if ($line !~ /^WF_ERROR\((WF\d{3}), ([A-Z_]+), "([a-z_]+)"\)$/)
	{
		push @problems, "errorlist.h: cannot read: $line";
		next;
	}
	my ($code, $symbol, $name) = ($1, $2, $3);
	push @problems, "errorlist.h: $code is not in order" if defined $last && $code le $last;
	push @problems, "errorlist.h: $code: name and symbol differ" if lc $symbol ne $name;
	$last = $code;
	$symbol{$code} = $symbol;
	$name{$code} = $name;
}

my $header = Source::code(Source::text('src/base/error.h'), 1);
my %constant;
while ($header =~ /WF_ERRCODE_(\w+)\s*=\s*MAKE_SQLSTATE\(([^)]*)\)/g)
{
	my ($symbol, $state) = ($1, $2);
	$state =~ s/[', ]//g;
	$constant{$state} = $symbol;
}
for my $code (sort keys %symbol)
{
	push @problems, "error.h: $code is not WF_ERRCODE_$symbol{$code}" if ($constant{$code} // '') ne $symbol{$code};
}
push @problems, map { "error.h: $_ is not in errorlist.h" } grep { !$symbol{$_} } sort keys %constant;

if (-d 'docs')
{
	my $docs = -f 'docs/errors.md' ? Source::text('docs/errors.md') : '';
	for my $code (sort keys %symbol)
	{
		push @problems, "docs/errors.md has nothing on $code" if $docs !~ /^(?:#+|\|)[^\n]*\b$code\b/m;
		push @problems, "docs/errors.md does not name $name{$code}" if $docs !~ /\b$name{$code}\b/;
	}
	my %seen;
	push @problems, map { "docs/errors.md speaks of $_, which does not exist" }
	  grep { !$symbol{$_} && !$seen{$_}++ } $docs =~ /\b(WF\d{3})\b/g;
}

my $tests = join '', map { Source::text($_) } Source::files('.out', 'expected', 'test/isolation'),
  Source::files('.sql', 'test'), Source::files('.pl', 'test/t');
my $source = join '', map { Source::code(Source::text($_)) } Source::files('.c', 'src');
if ($tests ne '')
{
	for my $code (sort keys %symbol)
	{
		next if $source !~ /\bWF_ERRCODE_$symbol{$code}\b/;
		push @problems, "no test shows $code ($name{$code}), which the code raises"
		  if $tests !~ /\b$code\b|\b$name{$code}\b/;
	}
}
print "$_\n" for @problems;
exit(@problems > 0);
