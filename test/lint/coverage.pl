#!/usr/bin/perl
# coverage.pl: every setting, block and public function appears in docs/ and in a test; every block
# has a page, and no page is of a block that does not exist.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Source;

sub join_files
{
	return join "\n", map { Source::text($_) } @_;
}

my $docs = join_files(Source::files('.md', 'docs'), grep { -f } 'README.md');
my $tests = join_files(Source::files('.sql', 'test'), Source::files('.pl', 'test/t'),
	Source::files('.spec', 'test/isolation'), Source::files('.json', 'test'));

my @problems;

# wanted(kind, name, pattern)
sub wanted
{
	my ($kind, $name, $pattern) = @_;
	push @problems, "$kind $name: not in docs/" if $docs ne '' && $docs !~ $pattern;
	push @problems, "$kind $name: not in any test" if $tests ne '' && $tests !~ $pattern;
}

my $settings = -f 'src/base/settings.c' ? Source::code(Source::text('src/base/settings.c'), 1) : '';
my %seen;
for my $setting (grep { !$seen{$_}++ } $settings =~ /"(workflow\.\w+)"/g)
{
	wanted('setting', $setting, qr/\b\Q$setting\E\b/);
	my ($variable) = $setting =~ /\.(\w+)/;
	my $read = grep { $_ ne 'src/base/settings.c' && Source::code(Source::text($_)) =~ /\bwf_setting_$variable\b/ }
	  Source::files('.c', 'src');
	push @problems, "setting $setting: declared, and read nowhere" if !$read;
}

my %block;
if (-f 'src/block/blocklist.h')
{
	my $list = Source::code(Source::text('src/block/blocklist.h'), 1);
	$block{$1} = 1 while $list =~ /^WF_BLOCK\("([^"]+)"/mg;
}
for my $type (sort keys %block)
{
	wanted('block', $type, qr/(?<![\w.])\Q$type\E(?![\w.]*\w)/);
	push @problems, "block $type: there is no docs/blocks/$type.md" if -d 'docs/blocks' && !-f "docs/blocks/$type.md";
}
if (%block)
{
	for my $page (glob('docs/blocks/*.md'))
	{
		my ($type) = $page =~ m{([^/]+)\.md$};
		push @problems, "$page: there is no such block" if $type ne 'README' && !$block{$type};
	}
}

my %function;
for my $file (Source::files('.sql', 'sql/parts'))
{
	my $text = Source::text($file);
	$text =~ s/--[^\n]*//g;
	$function{ lc $1 } = $file while $text =~ /CREATE\s+(?:OR\s+REPLACE\s+)?FUNCTION\s+(?:\@extschema\@\.)?(wf_\w+)\s*\(/gi;
}
wanted('function', $_, qr/\b$_\b/) for sort keys %function;

print "$_\n" for @problems;
exit(@problems > 0);
