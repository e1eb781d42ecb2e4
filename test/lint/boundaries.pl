#!/usr/bin/perl
# boundaries.pl: what only some files of src/ may say, by the table boundaries.txt.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

my (@rules, @problems);
for (grep { /\S/ && !/^#/ } split /\n/, Source::text("$FindBin::Bin/boundaries.txt"))
{
	my ($pattern, $files, $why) = split /\t/;
	my @files = split ' ', $files;
	push @rules, { pattern => qr/$pattern/, files => \@files, why => $why };
}

# Whether a rule lets a file say the words.
sub allowed
{
	my ($rule, $file) = @_;
	my @not = grep { /^!/ } @{ $rule->{files} };
	if (@not)
	{
		return !grep { index($file, substr($_, 1)) == 0 } @not;
	}
	return grep { $file eq $_ || (/^\*(.*)/ && $file =~ /\Q$1\E$/) || (m{/$} && index($file, $_) == 0) } @{ $rule->{files} };
}

for my $file (Source::files('.c', 'src'), Source::files('.h', 'src'))
{
	my $text = Source::text($file);
	my @bare = split /\n/, Source::code($text), -1;
	my @full = split /\n/, Source::code($text, 1), -1;
	for my $rule (grep { !allowed($_, $file) } @rules)
	{
		for my $i (0 .. $#bare)
		{
			# The name of an included file is a string; other strings do not count.
			my $line = $bare[$i] =~ /^\s*#\s*include/ ? $full[$i] : $bare[$i];
			push @problems, "$file:" . ($i + 1) . ": $& here: $rule->{why}" if $line =~ $rule->{pattern};
		}
	}
}
print "$_\n" for @problems;
exit(@problems > 0);
