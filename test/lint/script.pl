#!/usr/bin/perl
# script.pl: the extension's script. Every function says its language, volatility, strictness and
# parallel safety, and is in C or sets its search_path; every object has a comment; the grants begin
# with a REVOKE FROM PUBLIC. The test infra_catalog asks the same of the catalog.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my @problems;
my (%object, %commented, $grants);

# statements(text): statements with comments removed; dollar-quoted bodies and strings stay whole.
sub statements
{
	my ($text) = @_;
	my (@found, $current);
	my $line = 1;
	my $begun;
	$current = '';
	while ($text =~ /\G(--[^\n]*|\/\*.*?\*\/|(\$\w*\$).*?\2|'(?:[^']|'')*'|"(?:[^"]|"")*"|;|.)/gs)
	{
		my $piece = $1;
		my $is_comment = $piece =~ /^--|^\/\*/;
		if ($piece eq ';')
		{
			push @found, { line => $begun // $line, text => $current } if $current =~ /\S/;
			($current, $begun) = ('', undef);
		}
		elsif (!$is_comment)
		{
			$begun = $line if !defined $begun && $piece =~ /\S/;
			$current .= $piece;
		}
		$line += ($piece =~ tr/\n//);
	}
	return @found;
}

sub plain
{
	my ($name) = @_;
	$name = lc $name;
	$name =~ s/"//g;
	$name =~ s/^\@extschema\@\.//;
	return $name;
}

for my $file (Source::files('.sql', 'sql/parts'))
{
	for my $statement (statements(Source::text($file)))
	{
		my ($line, $text) = ($statement->{line}, $statement->{text});
		$text =~ s/^\s+//;
		if ($text =~ /^CREATE\s+(?:OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE|AGGREGATE)\s+([\w."\@]+)/i)
		{
			my ($kind, $name) = (uc $1, plain($2));
			$object{"$kind $name"} //= "$file:$line";
			next if $kind eq 'AGGREGATE';
			(my $head = $text) =~ s/(\$\w*\$).*\1//s;
			my $is_c = $head =~ /\bLANGUAGE\s+C\b/i;
			push @problems, "$file:$line: $name sets no search_path" if !$is_c && $head !~ /\bSET\s+search_path\b/i;
			next if $kind ne 'FUNCTION' || $head =~ /\bRETURNS\s+(?:event_)?trigger\b/i;
			push @problems, "$file:$line: $name: volatility is not written out" if $head !~ /\b(VOLATILE|STABLE|IMMUTABLE)\b/i;
			push @problems, "$file:$line: $name: PARALLEL is not written out" if $head !~ /\bPARALLEL\s+(SAFE|UNSAFE|RESTRICTED)\b/i;
			push @problems, "$file:$line: $name: strictness is not written out"
			  if $head !~ /\bSTRICT\b|\b(?:CALLED|RETURNS\s+NULL)\s+ON\s+NULL\s+INPUT\b/i
			  && $text !~ /FUNCTION\s+[\w."\@]+\s*\(\s*\)/i;
		}
		elsif ($text =~ /^CREATE\s+(?:OR\s+REPLACE\s+)?(?:UNLOGGED\s+)?(TABLE|VIEW|MATERIALIZED\s+VIEW|TYPE|DOMAIN|SEQUENCE|SCHEMA)\s+(?:IF\s+NOT\s+EXISTS\s+)?([\w."\@]+)/i)
		{
			next if $text =~ /\bPARTITION\s+OF\b/i;
			$object{ uc($1) . ' ' . plain($2) } //= "$file:$line";
		}
		elsif ($text =~ /^COMMENT\s+ON\s+(FUNCTION|PROCEDURE|AGGREGATE|TABLE|VIEW|MATERIALIZED\s+VIEW|TYPE|DOMAIN|SEQUENCE|SCHEMA)\s+([\w."\@]+)/i)
		{
			$commented{ uc($1) . ' ' . plain($2) } = 1;
		}
		elsif ($text =~ /^(REVOKE|GRANT)\b.*\bPUBLIC\b/is)
		{
			$grants //= uc $1;
		}
	}
}
push @problems, map { "$object{$_}: no COMMENT ON $_" } grep { !$commented{$_} } sort keys %object;
push @problems, "the first statement on rights must be a REVOKE ... FROM PUBLIC"
  if (grep { /^FUNCTION/ } keys %object) && ($grants // '') ne 'REVOKE';
print "$_\n" for @problems;
exit(@problems > 0);
