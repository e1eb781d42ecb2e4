#!/usr/bin/perl
# docs_workers.pl: the external workers of docs/examples do what they say: each task once, errors told to the run, a task
# whose lease was lost done by another. The one in Python is left out where python3 has no psycopg2.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $cluster = PostgreSQL::Test::Cluster->new('workers');
$cluster->init;
$cluster->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\n");
$cluster->start;
$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow');
$cluster->safe_psql('postgres', PostgreSQL::Test::Utils::slurp_file("$root/docs/examples/worker.sql"));

sub query { return $cluster->safe_psql('postgres', @_); }

# start(first, last): runs that have got to their task; one of them without an address
sub start
{
	my ($first, $last) = @_;
	query(qq{SELECT wf_start_many('label', array_agg(jsonb_build_object('order', n,
		'address', CASE WHEN n = $last THEN '' ELSE 'Quay ' || n END) ORDER BY n)) FROM generate_series($first, $last) n});
	$cluster->poll_query_until('postgres',
		"SELECT count(*) = $last - $first + 1 FROM wf_tasks WHERE status = 'open'") or die "the tasks did not come\n";
}

# check(name, first, last, address): each order has its label, and its run tells it; the last has none
sub check
{
	my ($name, $first, $last, $address) = @_;
	is(query("SELECT string_agg(order_id || ' ' || address, ', ' ORDER BY order_id) FROM labels WHERE order_id >= $first"),
		join(', ', map { "$_ " . sprintf($address, $_) } $first .. $last - 1), "$name: every label is there");
	is(query(qq{SELECT string_agg(concat_ws(' ', r ->> 'status', r #>> '{output,label}', r #>> '{error,code}'), ', ' ORDER BY run_id)
		FROM wf_runs, wf_await(run_id) r WHERE (input ->> 'order')::int >= $first}),
		join(', ', (map { "completed $_" } $first .. $last - 1), $name eq 'SQL' ? 'failed 23514' : 'failed LABEL'),
		"$name: the runs tell of it");
}

start(1, 4);
query("SELECT count(*) FROM wf_poll_tasks('labels', 1, '1 ms')");
query('SELECT pg_sleep(0.01)');
query('CALL print_labels()');
check('SQL', 1, 4, 'Quay %d');
is(query("SELECT string_agg(attempt::text, ',' ORDER BY attempt) FROM wf_tasks"), '1,1,1,2', 'the task that was lost was leased again');

SKIP:
{
	skip 'python3 has no psycopg2', 3 if system('python3 -c "import psycopg2" 2>/dev/null') != 0;
	start(11, 15);
	local $ENV{PGHOST} = $cluster->host;
	local $ENV{PGPORT} = $cluster->port;
	local $ENV{PGDATABASE} = 'postgres';
	is(system('python3', "$root/docs/examples/worker.py", '--once'), 0, 'worker.py ends');
	check('Python', 11, 15, 'QUAY %d');
}
$cluster->stop;
done_testing();
