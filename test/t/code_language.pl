#!/usr/bin/perl
# code_language.pl: `code` blocks do what JavaScript does: each program of test/code/programs.txt gives what Node.js gives, and
# each of test/code/differs.txt what that file says QuickJS gives. Results, logs, errors and the lines that they are thrown at are compared as
# values. Without node on the machine the test is skipped.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $tmp = PostgreSQL::Test::Utils::tempdir();

plan skip_all => 'node is not installed' if system('node --version >/dev/null 2>&1') != 0;

my $cluster = PostgreSQL::Test::Cluster->new('code_language');
$cluster->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$cluster->append_conf('postgresql.conf', "timezone = 'UTC'\nfsync = off\n");
$cluster->start;
$cluster->safe_psql('postgres', q{
	CREATE EXTENSION workflow;
	CREATE TABLE line (n serial, j jsonb);
	CREATE FUNCTION perform(source text, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
	DECLARE r jsonb; log jsonb; message text;
	BEGIN
		BEGIN
			PERFORM wf_save('program', jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'code', 'type', 'code',
				'config', jsonb_build_object('source', source)))));
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
			RETURN jsonb_build_object('error', jsonb_build_object('name', substring(message FROM '"program" is invalid: (\w+): ')), 'told', message);
		END;
		r := wf_run('program', input);
		SELECT to_jsonb(s.log) INTO log FROM wf_steps s WHERE run_id = (r->>'run_id')::uuid;
		RETURN jsonb_build_object('status', r->'status', 'output', r->'output', 'error', r#>'{error,details}', 'told', r#>'{error,message}', 'log', log);
	END $$;
	-- how what the block gave differs from what is wanted; '' when it does not
	CREATE FUNCTION difference(want jsonb, got jsonb) RETURNS text LANGUAGE sql AS $$
		SELECT CASE
			WHEN want ? 'skip' THEN 'skipped'
			WHEN want ? 'never' THEN CASE WHEN got->>'told' ~ 'nothing settles' THEN '' ELSE 'settles' END
			WHEN want ? 'log' AND want->'log' <> coalesce(NULLIF(got->'log', 'null'), '[]') THEN format('log %s', got->'log')
			WHEN want ? 'result' AND got->>'status' IS DISTINCT FROM 'completed' THEN got->>'told'
			WHEN want ? 'result' AND want->'result' <> CASE jsonb_typeof(want->'result') WHEN 'object' THEN got->'output' ELSE got#>'{output,value}' END
				THEN format('result %s', got->'output')
			WHEN want ? 'error' AND got->>'status' = 'completed' THEN format('result %s', got->'output')
			WHEN want ? 'error' AND NOT coalesce(got->'error' @> (want->'error'), false) THEN format('error %s, %s', got->'error', got->>'told')
			ELSE '' END $$;
});

# compare(file, command): what the command prints is wanted of the file's programs; [name, wanted, difference] of each.
sub compare
{
	my ($file, $command) = @_;
	system("$command > $tmp/wanted && node $root/test/code/node.js --programs $root/test/code/$file > $tmp/programs") == 0 or die "could not run $command";
	open(my $out, '>', "$tmp/in.sql") or die $!;
	# control characters that JSON has none of, so that csv takes each line as it is
	my $copy = sub { "TRUNCATE line;\n\\copy line (j) FROM '$tmp/$_[0]' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')\n" };
	print $out "\\set ON_ERROR_STOP on\n\\set input `cat $root/test/code/input.json`\n", $copy->('programs');
	print $out "CREATE TEMP TABLE got AS SELECT n, j->>'name' AS name, perform(j->>'source', :'input') AS got FROM line ORDER BY n;\n", $copy->('wanted');
	print $out "SELECT concat_ws(E'\\t', line.j->>'name', line.j - 'name', replace(difference(line.j, got), E'\\n', ' ')) FROM got LEFT JOIN line ON line.j->>'name' = got.name ORDER BY got.n;\n";
	close $out;
	my @lines = split /\n/, qx{psql -X -q -A -t -d '@{[ $cluster->connstr('postgres') ]}' -f $tmp/in.sql};
	return map { [ split /\t/, $_, 3 ] } @lines;
}

my @compared = compare('programs.txt', "node $root/test/code/node.js $root/test/code/programs.txt");
my @equal = grep { ($_->[2] // '') eq '' } @compared;
my @skipped = grep { ($_->[2] // '') eq 'skipped' } @compared;
cmp_ok(scalar @compared, '>', 1000, scalar(@compared) . ' programs');
is(scalar @equal + scalar @skipped, scalar @compared, 'give what Node.js gives, but for ' . scalar(@skipped) . ' that are too new for it');
diag("$_->[0]: wanted $_->[1], is $_->[2]") for grep { ($_->[2] // '') !~ /^(skipped)?$/ } @compared;

# What the engine is known to do otherwise; docs/blocks/code.md tells of it.
open(my $known, '>', "$tmp/known") or die $!;
my $name;
for my $line (split /\n/, slurp_file("$root/test/code/differs.txt"))
{
	$name = undef if $line eq '----';
	$name = ($1 =~ s/(["\\])/\\$1/gr) if !defined $name && $line =~ /^# (.*)/;
	print $known qq({"name": "$name", $1\n) if defined $name && $line =~ /^# quickjs: \{(.*)/;
}
close $known;
for (compare('differs.txt', "cat $tmp/known"))
{
	is($_->[2] // '', '', "known to differ: $_->[0]");
}
$cluster->stop;
done_testing();
