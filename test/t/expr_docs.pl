#!/usr/bin/perl
# expr_docs.pl: every example of docs/expressions.md gives what it says, and every method has an example.
#
# An example is code, an arrow, and its result as JSON, or `fails:` with a part of the message. The context is
# the page's first block of JSON. Those in "Full JavaScript" are run in a definition that allows it, with the context's input.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $cluster = PostgreSQL::Test::Cluster->new('expr_docs');
$cluster->init(extra => [ '--encoding=UTF8', '--locale=C' ]);
$cluster->append_conf('postgresql.conf', "timezone = 'Europe/Paris'\nfsync = off\n");
$cluster->start;
$cluster->safe_psql('postgres', q{
	CREATE EXTENSION workflow;
	CREATE TABLE example (n serial, expr text, want text, is_full bool);
	CREATE FUNCTION attempt(expr text, context jsonb) RETURNS text LANGUAGE plpgsql AS $$
	BEGIN
		RETURN wf_eval(expr, context)::text;
	EXCEPTION WHEN OTHERS THEN
		RETURN 'fails: ' || sqlerrm;
	END $$;
	CREATE FUNCTION attempt_full(expr text, context jsonb) RETURNS text LANGUAGE plpgsql AS $$
	DECLARE
		run jsonb;
	BEGIN
		PERFORM wf_save('full', jsonb_build_object('settings', '{"javascript": "full"}'::jsonb, 'nodes', jsonb_build_array(
			jsonb_build_object('id', 'a', 'type', 'return', 'config', jsonb_build_object('value', '{{ ' || expr || ' }}')))));
		run := wf_run('full', context->'input');
		RETURN coalesce('fails: ' || (run#>>'{error,message}'), (run->'output')::text);
	EXCEPTION WHEN OTHERS THEN
		RETURN 'fails: ' || sqlerrm;
	END $$;
	CREATE FUNCTION same(a text, b text) RETURNS bool LANGUAGE plpgsql AS $$
	BEGIN
		RETURN a::jsonb = b::jsonb;
	EXCEPTION WHEN OTHERS THEN
		RETURN false;
	END $$;
});

open(my $in, '<:raw', "$root/docs/expressions.md") or die "could not open the page: $!\n";
my $page = do { local $/; <$in> };
my ($context) = $page =~ /^```json\n(.*?)^```$/ms;

my @examples;
my $is_full = 0;
for my $line (split /\n/, $page)
{
	$is_full = $1 eq 'Full JavaScript' if $line =~ /^## (.*)/;
	next if $line !~ /\xe2\x86\x92/ || $line =~ /^The examples below/;
	while ($line =~ /(?<!`)(`+)(?!`) ?((?:(?!\1).)+?) ?\1 \xe2\x86\x92 (?:(`+)(.+?)\3|(fails: .+?)$)/g)
	{
		push @examples, [$2, $4 // $5, $is_full ? 'true' : 'false'];
	}
}
ok(@examples > 150, 'the page has ' . @examples . ' examples');

my $quoted = sub { my $t = shift; $t =~ s/'/''/g; return "'$t'"; };
my $sql = join '', map { 'INSERT INTO example (expr, want, is_full) VALUES (' . $quoted->($_->[0]) . ', ' . $quoted->($_->[1]) . ", $_->[2]);\n" } @examples;
$cluster->safe_psql('postgres', "SET standard_conforming_strings = on;\n$sql");
my $found = $cluster->safe_psql('postgres', 'SELECT json_build_array(expr, want, got, same(want, got)) FROM example,'
	  . ' (SELECT ' . $quoted->($context) . '::jsonb AS context) c, LATERAL (SELECT CASE WHEN is_full THEN attempt_full(expr, context)'
	  . ' ELSE attempt(expr, context) END AS got) a ORDER BY n');
for (split /\n/, $found)
{
	my ($expr, $want, $got, $same) = @{ decode_json($_) };
	utf8::encode($_) for $expr, $want, $got;
	if ($want =~ /^fails: (.*)/)
	{
		ok(index($got, $1) > 0, $expr) or diag("want: $want\n got: $got");
		next;
	}
	ok($same, $expr) or diag("want: $want\n got: $got");
}

# each function of the tables of built-ins is called in an example
my $code = join "\n", map { $_->[0] } @examples;
my @missing;
for my $file (glob("$root/src/expr/*.c"))
{
	open(my $source, '<', $file) or die "could not open $file: $!\n";
	while (<$source>)
	{
		push @missing, $1 if /^\t\{"(\$?\w+)", \w+, \d+(?:, true)?\},$/ && $code !~ /(?<!\w)\Q$1\E\b/;
	}
}
is("@missing", '', 'every method has an example');
$cluster->stop;
done_testing();
