#!/usr/bin/perl
# expr_node.pl: expressions give what JavaScript gives: the hand-written table of test/expr/table.txt and
# expressions generated over generated contexts, each evaluated by Node.js and by wf_eval.
#
# Results are compared as JSON; what throws in JavaScript must fail here. Everything follows from the seed;
# WF_EXPR_SEED and WF_EXPR_COUNT choose others. A generated case that differs is made smaller before it is
# shown. Without node on the machine the test is skipped.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $seed = $ENV{WF_EXPR_SEED} // 1;
my $count = $ENV{WF_EXPR_COUNT} // 4000;
my $zone = 'America/New_York';
my $tmp = PostgreSQL::Test::Utils::tempdir();

plan skip_all => 'node is not installed' if system('node --version >/dev/null 2>&1') != 0;

my $cluster = PostgreSQL::Test::Cluster->new('expr_node');
$cluster->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$cluster->append_conf('postgresql.conf', "timezone = '$zone'\nfsync = off\n");
$cluster->start;
$cluster->safe_psql('postgres', q{
	CREATE EXTENSION workflow;
	CREATE TABLE line (n serial, j json);
	CREATE FUNCTION attempt(expr text, ctx jsonb, OUT got jsonb, OUT err text) LANGUAGE plpgsql AS $$
	BEGIN
		got := wf_eval(expr, ctx);
	EXCEPTION WHEN OTHERS THEN
		err := sqlstate || ' ' || sqlerrm;
	END $$;
	CREATE VIEW result AS
		SELECT n, j, j ->> 'cls' AS cls, j ->> 'expr' AS expr, j ->> 'want' AS want, a.got, a.err,
			CASE WHEN j ->> 'want' IS NULL THEN coalesce(a.err ~ '^WF00[789]', false)
				ELSE a.got IS NOT DISTINCT FROM (j ->> 'want')::jsonb END AS same
		FROM line, LATERAL attempt(j ->> 'expr', (j ->> 'ctx')::jsonb) a;
});

# node_lines(arguments, input): what node.js prints, in a file.
sub node_lines
{
	my ($arguments, $input) = @_;
	my $in = "$tmp/in";
	my $out = "$tmp/lines";
	open(my $fh, '>:raw', $in) or die "could not write $in: $!\n";
	print $fh $input // '';
	close $fh;
	system("TZ=$zone node $root/test/expr/node.js $arguments <$in >$out") == 0 or die "node failed\n";
	return $out;
}

# differing(file): loads lines; what differs, as a list of [json, got].
sub differing
{
	my ($file) = @_;
	$cluster->safe_psql('postgres', "TRUNCATE line RESTART IDENTITY;\n"
		  . "\\copy line (j) FROM '$file' WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')");
	my $found = $cluster->safe_psql('postgres',
		"SELECT json_build_array(j, coalesce(got::text, err)) FROM result WHERE NOT same ORDER BY length(expr), n");
	return map { decode_json($_) } split /\n/, $found;
}

sub show
{
	my ($case) = @_;
	my ($j, $got) = @$case;
	diag("expression: $j->{expr}\n  node: " . ($j->{want} // '(throws)') . "\n  here: " . ($got // 'null')
		  . "\n  context: " . encode_json($j->{ctx}));
}

# smaller(case): the smallest case found that still differs.
sub smaller
{
	my ($case) = @_;
	return $case if !$case->[0]{tree};
	for (1 .. 25)
	{
		my ($next) = differing(node_lines('shrink', encode_json($case->[0])));
		last if !$next;
		$case = $next;
	}
	return $case;
}

sub run
{
	my ($name, $arguments) = @_;
	my @bad = differing(node_lines($arguments));
	my %bad;
	$bad{ $_->[0]{cls} }++ for @bad;
	my $totals = $cluster->safe_psql('postgres', 'SELECT json_object_agg(cls, c) FROM (SELECT j ->> \'cls\' AS cls, count(*) AS c FROM line GROUP BY 1) t');
	my $total = decode_json($totals);
	for my $cls (sort keys %$total)
	{
		my $wrong = $bad{$cls} // 0;
		is($wrong, 0, sprintf('%s, %s: %d of %d equal', $name, $cls, $total->{$cls} - $wrong, $total->{$cls}));
	}
	my $shown = 0;
	for my $case (@bad)
	{
		last if $shown++ >= 5;
		show(smaller($case));
	}
}

run('table', "table $root/test/expr/table.txt");
run("generated, seed $seed", "generate $seed $count");
$cluster->stop;
done_testing();
