#!/usr/bin/perl
# docs_reference.pl: what the reference pages list is what there is: functions and views (sql.md), their
# columns (journal.md), settings (settings.md), permissions of application roles (tenants.md).
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $cluster = PostgreSQL::Test::Cluster->new('reference');
$cluster->init;
# preloaded: what only a start of the server changes says so then
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\n");
$cluster->start;
$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow');

sub page
{
	my $path = "$root/docs/$_[0]";
	open(my $in, '<', $path) or die "could not open $path: $!\n";
	local $/;
	return scalar <$in>;
}

# section(text, heading): from a heading to the next of its level or above.
sub section
{
	my ($text, $heading) = @_;
	my ($found) = $text =~ /^##+ \Q$heading\E\n(.*?)(?=^##? |\z)/ms;
	return $found // '';
}

# table(text): rows of all tables in it, each a list of cells without back quotes.
sub table
{
	my @rows;
	for my $line (split /\n/, shift)
	{
		next if $line !~ /^\|/ || $line =~ /^\|[ \-|]+\|$/;
		$line =~ s/^\|\s*|\s*\|$//g;
		push @rows, [ map { s/`//gr } split /\s*\|\s*/, $line, -1 ];
	}
	return @rows;
}

sub query
{
	my ($sql, @options) = @_;
	return $cluster->safe_psql('postgres', $sql, @options);
}

sub lines
{
	return sort { $a cmp $b } split /\n/, shift;
}

# -- functions --

my %name = ('boolean' => 'bool', 'integer' => 'int', 'timestamp with time zone' => 'timestamptz');
my $functions = query(q{
	SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ') RETURNS ' || pg_get_function_result(p.oid)
	FROM pg_proc AS p JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
	WHERE p.pronamespace = 'public'::regnamespace});
$functions =~ s/('[^']*')::\w+(\[\])?/$1/g;
$functions =~ s/RETURNS TABLE\(/RETURNS TABLE (/g;
$functions =~ s/NULL::\w+/NULL/g;
$functions =~ s/\b\Q$_\E\b/$name{$_}/g for sort keys %name;
my @told = page('sql.md') =~ /^### (wf_\w+\(.*)$/mg;
is_deeply([ sort { $a cmp $b } @told ], [ lines($functions) ], 'sql.md has every function, as it is');

# -- views --

my $views = query(q{
	SELECT c.relname FROM pg_class AS c
	JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
	WHERE c.relkind = 'v' AND c.relnamespace = 'public'::regnamespace});
my %view = map { $_->[0] => $_->[1] } grep { $_->[0] =~ /^wf_/ } table(section(page('sql.md'), 'Views'));
is_deeply([ sort keys %view ], [ lines($views) ], 'sql.md has every view');

sub columns_of
{
	return query("SELECT string_agg(attname, ' ' ORDER BY attname) FROM pg_attribute WHERE attrelid = '$_[0]'::regclass AND attnum > 0");
}

for my $name (qw(wf_runs wf_steps wf_segments))
{
	my %seen = map { $_ => 1 } map { split /, / } map { $_->[0] }
	  grep { @$_ == 3 && $_->[0] ne 'column' } table(section(page('journal.md'), $name));
	is(join(' ', sort keys %seen), columns_of($name), "journal.md has every column of $name");
}
# a cell of sql.md names the columns, and values in parentheses behind some
for my $name (qw(wf_workflows wf_tasks wf_dead_letters wf_queue_status wf_secrets))
{
	my ($cell) = page('sql.md') =~ /^\| `$name` \|(.*)$/m;
	is(join(' ', sort(($cell =~ s/\([^()]*\)//gr) =~ /`(?!wf_)(\w+)`/g)), columns_of($name), "sql.md has every column of $name");
}

# -- settings --

my %setting = map { $_->[0] => $_ } grep { $_->[0] =~ /^workflow\./ } table(page('settings.md'));
my %who = (user => 'anybody', superuser => 'superuser', sighup => 'reload', postmaster => 'start');
my $settings = query(q{
	SELECT name, current_setting(name), coalesce(min_val, ''), coalesce(max_val, ''), coalesce(unit, ''), context
	FROM pg_settings WHERE name LIKE 'workflow.%'
	-- may hold a password, and so is in no list
	UNION ALL SELECT 'workflow.smtp_url', current_setting('workflow.smtp_url'), '', '', '', 'superuser'});
my %bytes = (kB => 1, MB => 1024, GB => 1024 * 1024);
my %ms = (ms => 1, s => 1000, min => 60 * 1000, h => 3600 * 1000, d => 24 * 3600 * 1000);
my $known = 0;

# plain(text, unit): a value of the page, or of current_setting with a space before its unit, as a number of the setting's unit.
sub plain
{
	my ($text, $unit) = @_;
	return $1 * $bytes{$2} if $unit eq 'kB' && $text =~ /^(\d+) (kB|MB|GB)$/;
	return $1 * $ms{$2} if $unit eq 'ms' && $text =~ /^(\d+) (ms|s|min|h|d)$/;
	return $text eq 'empty' ? '' : $text;
}

for my $line (lines($settings))
{
	my ($name, $value, $min, $max, $unit, $context) = split /\|/, $line, -1;
	my $row = $setting{$name};
	$known++;
	if (!$row) { fail("settings.md has $name"); next; }
	if (@$row == 4)
	{
		is_deeply([ plain($row->[1], $unit), $row->[2] ], [ $value, $who{$context} ], "settings.md on $name");
		next;
	}
	is(plain($row->[1], $unit), plain($value =~ s/(?<=\d)(?=[a-zA-Z])/ /r, $unit), "settings.md: default of $name");
	is_deeply([ map { plain($_, $unit) } @$row[ 2, 3 ] ], [ $min, $max ], "settings.md: range of $name");
	is($row->[4], $who{$context}, "settings.md: who may change $name");
}
is($known, scalar keys %setting, 'settings.md has no setting that does not exist');

# -- permissions --

my @matrix = grep { $_->[0] =~ /^\w+:\w+$/ } table(section(page('tenants.md'), 'Application roles and permissions'));
my @roles = qw(viewer member admin owner);
cmp_ok(scalar @matrix, '>=', 19, 'tenants.md lists the permissions');
for my $i (0 .. $#roles)
{
	query("CREATE ROLE $roles[$i] LOGIN; SELECT wf_grant('$roles[$i]', 'default', '$roles[$i]')");
	my $can = query(join(' UNION ALL ', map { "SELECT '$_->[0] ' || wf_can('$_->[0]')" } @matrix),
		extra_params => [ '-U', $roles[$i] ]);
	my $page = join "\n", map { $_->[0] . ($_->[ $i + 1 ] eq 'yes' ? ' true' : ' false') } @matrix;
	is_deeply([ lines($can) ], [ lines($page) ], "tenants.md: what $roles[$i] may do");
}

$cluster->stop;
done_testing();
