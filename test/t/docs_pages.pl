#!/usr/bin/perl
# docs_pages.pl: what README.md and docs/*.md show is run, and gives what they say.
#
# Each page has an empty database of its own; its blocks are run from top to bottom.
#
# * A block of SQL is given to psql. When a block of text stands right behind it, that is its result: what
#   psql prints, errors last. "..." in it stands for anything, and white space at the end of a line does not
#   count. Without one, any result will do, but no error. A statement may have its result in lines of comment
#   right behind it instead, as in docs/blocks/.
# * A block of SQL that is marked "sql workers" is run again until it gives its result, as the background workers need a
#   moment; where results are in comments, so is each statement that reads from something.
# * A block of JSON is JSON; when it has nodes it is a definition without errors.
#
# Links between pages, of docs/blocks/ too, lead to files and headings that exist. The examples of docs/blocks/
# have a test of their own. With arguments, only the pages that they name are run: docs_pages.pl running.md
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $root = $ENV{WF_ROOT} // '.';
my $patience = 60;    # seconds to wait for a result; none any more when one did not come
my $cluster = PostgreSQL::Test::Cluster->new('pages');
$cluster->init;
$cluster->append_conf('postgresql.conf',
	"timezone = 'UTC'\nlc_messages = 'C'\nshared_preload_libraries = 'workflow'\nmax_worker_processes = 16\n");
$cluster->start;

# psql(database, script, arguments): what it printed, errors last.
sub psql
{
	my ($database, $script, @arguments) = @_;
	my ($out, $err) = ('', '');
	IPC::Run::run([ 'psql', '-X', '-q', '-d', $cluster->connstr($database), @arguments ],
		'<', \$script, '>', \$out, '2>', \$err);
	return ($out, $err);
}

# patiently(database, script, wanted, arguments): what it printed, when that was what is wanted, or in the end.
sub patiently
{
	my ($database, $script, $wanted, @arguments) = @_;
	my $give_up = time + $patience;

	while (1)
	{
		my ($got, $errors) = psql($database, $script, @arguments);
		return ($got, $errors) if matches("$got$errors", $wanted);
		if (time >= $give_up)
		{
			$patience = 0;
			return ($got, $errors);
		}
		usleep(20_000);
	}
}

sub tidy
{
	my $text = shift;
	$text =~ s/[ \t]+$//mg;
	$text =~ s/\n+\z//;
	return $text;
}

# Whether a result is what a page says, where "..." is anything.
sub matches
{
	my ($got, $wanted) = map { tidy($_) } @_;
	my $pattern = join '.*?', map { quotemeta } split /\.\.\./, $wanted, -1;
	return $got =~ /\A$pattern\z/s;
}

# statements(sql): a list of [statement, result in comments or undef].
sub statements
{
	my @found;
	my $statement = '';
	my $behind = 0;    # right behind a statement
	for my $line (split /\n/, shift)
	{
		if ($behind && $line =~ /^-- ?(.*)/)
		{
			$found[-1][1] = defined $found[-1][1] ? "$found[-1][1]\n$1" : $1;
			next;
		}
		$behind = 0;
		next if $statement eq '' && $line =~ /^\s*(--.*)?$/;
		$statement .= "$line\n";
		if ($line =~ /;\s*$/)
		{
			push @found, [$statement, undef];
			$statement = '';
			$behind = 1;
		}
	}
	push @found, [$statement, undef] if $statement ne '';
	return @found;
}

sub check_result
{
	my ($name, $got, $errors, $wanted) = @_;
	if (!defined $wanted)
	{
		ok($errors !~ /\b(ERROR|FATAL|PANIC):/, "$name: no error") or diag($errors);
		return;
	}
	ok(matches("$got$errors", $wanted), "$name: the result is as it says")
	  or diag("--- the page\n" . tidy($wanted) . "\n--- the server\n" . tidy("$got$errors"));
}

sub run_sql
{
	my ($name, $database, $block, $wanted, $workers) = @_;
	my @parts = statements($block);

	if (defined $wanted || !grep { defined $_->[1] } @parts)
	{
		my @got = $workers && defined $wanted ? patiently($database, $block, $wanted) : psql($database, $block);
		check_result($name, @got, $wanted);
		return;
	}
	for my $part (@parts)
	{
		my ($statement, $result) = @$part;
		my $again = $workers && defined $result && $statement =~ /\bFROM\b/;
		my @got = $again ? patiently($database, $statement, $result, '-A', '-t') : psql($database, $statement, '-A', '-t');
		check_result($name, @got, $result);
	}
}

sub run_json
{
	my ($name, $database, $block) = @_;
	my $tag = 'definition';
	my ($got, $errors) = psql($database, "SELECT jsonb_typeof(\$$tag\$$block\$$tag\$);\n", '-A', '-t');

	is($errors, '', "$name: it is JSON");
	return if $block !~ /^\s*\{\s*"nodes"/;
	($got, $errors) = psql($database,
		"SELECT path, message FROM wf_validate(\$$tag\$$block\$$tag\$) WHERE severity = 'error';\n", '-A', '-t');
	is("$got$errors", '', "$name: it is a definition");
}

sub run_page
{
	my ($path, $database) = @_;
	open(my $in, '<', $path) or die "could not open $path: $!\n";
	my @lines = <$in>;
	my ($page) = $path =~ m{([^/]+)$};
	my @blocks;    # [language, text, first line, right behind the one before, workers]
	my ($open, $behind) = (undef, 0);

	for my $n (0 .. $#lines)
	{
		if (defined $open)
		{
			if ($lines[$n] =~ /^```\s*$/) { $open = undef; $behind = 1; }
			else { $blocks[-1][1] .= $lines[$n]; }
		}
		elsif ($lines[$n] =~ /^```(\w*)( workers)?\s*$/)
		{
			$open = $1;
			push @blocks, [$open, '', $n + 1, $behind, defined $2];
		}
		elsif ($lines[$n] =~ /\S/) { $behind = 0; }
	}
	ok(!defined $open, "$page: every block ends");

	$cluster->safe_psql('postgres', "CREATE DATABASE $database");
	psql($database, 'CREATE EXTENSION workflow') if !grep { $_->[0] eq 'sql' && $_->[1] =~ /CREATE EXTENSION workflow/ } @blocks;
	for my $i (0 .. $#blocks)
	{
		my ($language, $text, $line, undef, $workers) = @{ $blocks[$i] };
		my $next = $i < $#blocks && $blocks[$i + 1][0] eq 'text' && $blocks[$i + 1][3] ? $blocks[$i + 1][1] : undef;
		run_sql("$page, line $line", $database, $text, $next, $workers) if $language eq 'sql';
		run_json("$page, line $line", $database, $text) if $language eq 'json';
	}
	# a process of the server is with each database that has the extension: there are more pages than processes
	$cluster->safe_psql('postgres', "DROP DATABASE $database WITH (FORCE)");
}

sub text_of
{
	my $path = shift;
	open(my $in, '<', $path) or die "could not open $path: $!\n";
	local $/;
	return scalar <$in>;
}

# anchors(path): the names that its headings have as targets of links.
sub anchors
{
	my %found;
	my $text = text_of(shift) =~ s/^```.*?^```$//msgr;

	while ($text =~ /^#+ (.*)$/mg)
	{
		my $name = lc $1;
		$name =~ s/[^\w\- ]//g;
		$name =~ tr/ /-/;
		$found{$name} = 1;
	}
	return \%found;
}

sub check_links
{
	my $path = shift;
	my ($folder, $page) = $path =~ m{^(.*)/([^/]+)$};
	my @bad;
	my $text = text_of($path) =~ s/^```.*?^```$//msgr =~ s/`[^`\n]*`//gr;

	while ($text =~ /\]\(([^)\s]+)\)/g)
	{
		my ($file, $anchor) = split /#/, $1, 2;
		next if $file =~ /^[a-z]+:/;
		my $target = $file eq '' ? $path : "$folder/$file";
		if (!-e $target) { push @bad, "$file does not exist"; }
		elsif (defined $anchor && !anchors($target)->{$anchor}) { push @bad, "$file has no heading #$anchor"; }
	}
	is(join("\n", @bad), '', "$page: its links lead somewhere");
}

check_links($_) for grep { -f } "$root/README.md", sort(glob("$root/docs/*.md"), glob("$root/docs/blocks/*.md"));

my $number = 0;
for my $path (grep { -f } "$root/README.md", sort glob("$root/docs/*.md"))
{
	next if @ARGV && !grep { $path =~ m{/\Q$_\E$} } @ARGV;
	run_page($path, 'page' . ++$number);
}
$cluster->stop;
done_testing();
