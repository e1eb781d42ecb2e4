#!/usr/bin/perl
# docs_examples.pl: what docs/blocks/ shows is run, and gives what it says.
#
# A page is run from top to bottom in a database of its own. A block of JSON with nodes is a definition
# and is saved as workflow "example"; a block of SQL is run statement by statement; lines of comment right
# behind a statement are its result. In a block marked "sql workers" a statement that reads from something is run again
# until it gives that, as the background workers need a moment.
use strict;
use warnings;
use File::Basename;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $root = $ENV{WF_ROOT} // '.';
my $patience = 60;    # seconds to wait for a result; none any more when one did not come
my $cluster = PostgreSQL::Test::Cluster->new('docs');
$cluster->init;
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\n");
$cluster->start;

# statements(sql): a list of [statement, expected or undef].
sub statements
{
	my @found;
	my $statement = '';
	for my $line (split /\n/, shift)
	{
		if ($statement eq '' && @found && $line =~ /^-- ?(.*)/)
		{
			$found[-1][1] = defined $found[-1][1] ? "$found[-1][1]\n$1" : $1;
			next;
		}
		next if $statement eq '' && $line =~ /^\s*(--.*)?$/;
		$statement .= "$line\n";
		if ($line =~ /;\s*$/)
		{
			push @found, [$statement, undef];
			$statement = '';
		}
	}
	push @found, [$statement, undef] if $statement ne '';
	return @found;
}

# result(database, statement, expected): what it gives: with "expected", when it gives that, or in the end.
sub result
{
	my ($database, $statement, $expected) = @_;
	my $give_up = time + $patience;
	my ($status, $got, $stderr);
	do
	{
		$status = $cluster->psql($database, $statement, stdout => \$got, stderr => \$stderr);
		return ($status, $got, $stderr) if $status || !defined $expected || $got eq $expected;
		usleep(20_000);
	} while (time < $give_up);
	$patience = 0;
	return ($status, $got, $stderr);
}

sub run_page
{
	my ($path, $database) = @_;
	open(my $in, '<', $path) or die "could not open $path: $!\n";
	my $text = do { local $/; <$in> };
	my ($page) = $path =~ m{([^/]+)\.md$};
	my $definitions = 0;

	$cluster->safe_psql('postgres', "CREATE DATABASE $database");
	$cluster->safe_psql($database, 'CREATE EXTENSION workflow');
	while ($text =~ /^```(json|sql)( workers)?\n(.*?)^```$/msg)
	{
		my ($language, $workers, $block) = ($1, defined $2, $3);
		if ($language eq 'json')
		{
			next if $block !~ /"nodes"/;
			$definitions++;
			my $status = $cluster->psql($database, "SELECT wf_save('example', \$definition\$$block\$definition\$)",
				stderr => \my $stderr);
			is($status, 0, "$page: definition $definitions is saved") or diag($stderr);
			next;
		}
		for my $one (statements($block))
		{
			my ($statement, $expected) = @$one;
			my ($status, $got, $stderr) = result($database, $statement, $workers && $statement =~ /\bFROM\b/ ? $expected : undef);
			my ($first) = $statement =~ /^(.{1,60})/;
			is($status, 0, "$page: $first") or diag($stderr);
			is($got, $expected, "$page: result of $first") if defined $expected;
		}
	}
	return $definitions;
}

my $number = 0;
for my $page (sort glob("$root/docs/blocks/*.md"))
{
	next if $page =~ m{/README\.md$};
	my $definitions = run_page($page, 'page' . ++$number);
	ok($definitions > 0, basename($page) . ' has an example');
}
$cluster->stop;
done_testing();
