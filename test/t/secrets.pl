#!/usr/bin/perl
# secrets.pl: where the master key comes from, and what is wrong with it; values are on no disk and in no log; dumps carry
# them encrypted.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir();
my $key = 'ab' x 32;
my $canary = 'canary' . 'S3cretV4lue';

sub write_file
{
	my ($name, $text, $mode) = @_;
	my $path = "$folder/$name";
	open(my $out, '>', $path) or die "could not write $path: $!\n";
	print $out $text;
	close $out;
	chmod $mode // 0600, $path;
	return $path;
}

# cluster(name, line ...): started, with the extension
sub cluster
{
	my ($name, @lines) = @_;
	my $cluster = PostgreSQL::Test::Cluster->new($name);
	$cluster->init;
	$cluster->append_conf('postgresql.conf', join "\n", "log_statement = 'none'", @lines);
	$cluster->start;
	$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow');
	return $cluster;
}

my $preload = "shared_preload_libraries = 'workflow'";
my $good = write_file('good', " $key\n");

# set(cluster): the error of setting a secret, or ''
sub set
{
	my ($cluster) = @_;
	my ($out, $err) = ('', '');
	$cluster->psql('postgres', "SELECT wf_set_secret('A', '${canary}set')", stdout => \$out, stderr => \$err);
	return $err;
}

# -- the key --

my $keys = cluster('keys', $preload);
like(set($keys), qr/no master key.*neither "workflow.master_key_file" nor.*HINT: .*64 hexadecimal digits/s, 'no key');
is($keys->safe_psql('postgres', q{SELECT wf_call(name) FROM (SELECT 'w' AS name, wf_save('w', '{"nodes": [{"id": "a", "type": "return", "config": {"value": 1}}]}')) w}), '1', 'all else goes on');
my @wrong = (
	[ 'missing', "workflow.master_key_file = '$folder/none'", qr/could not be opened: No such file/ ],
	[ 'folder', "workflow.master_key_file = '$folder'", qr/is no file/ ],
	[ 'readable by the group', "workflow.master_key_file = '" . write_file('group', $key, 0640) . "'", qr/can be read by others.*0600/s ],
	[ 'readable by all', "workflow.master_key_file = '" . write_file('all', $key, 0604) . "'", qr/can be read by others/ ],
	[ 'empty', "workflow.master_key_file = '" . write_file('empty', '') . "'", qr/is no master key/ ],
	[ 'short', "workflow.master_key_file = '" . write_file('short', substr($key, 1)) . "'", qr/is no master key/ ],
	[ 'long', "workflow.master_key_file = '" . write_file('long', $key x 9) . "'", qr/is no master key/ ],
	[ 'no digits', "workflow.master_key_file = '" . write_file('digits', 'x' . substr($key, 1)) . "'", qr/is no master key/ ],
	[ 'failing command', "workflow.master_key_command = 'cat $good; exit 3'", qr/command of "workflow.master_key_command" failed/ ],
	[ 'command that prints nothing', "workflow.master_key_command = 'true'", qr/is no master key/ ],
	[ 'both', "workflow.master_key_file = '$good'\nworkflow.master_key_command = 'cat $good'", qr/both "workflow.master_key_file" and/ ]);
my $plain = $keys->data_dir . '/postgresql.conf';
my $conf = slurp_file($plain);
for (@wrong)
{
	my ($what, $lines, $pattern) = @$_;
	my $offset = -s $keys->logfile;
	write_conf($lines);
	$keys->restart;
	like(set($keys), $pattern, "$what: secrets can't be set");
	my $log = slurp_file($keys->logfile, $offset);
	like($log, qr/WARNING:  workflow has no master key, and so no secrets.*DETAIL: /s, "$what: a warning at the start");
	unlike($log, qr/abababab|\Q$canary\E/, "$what: nothing of the key or the value in the log");
}
is($keys->safe_psql('postgres', 'SELECT count(*) FROM wf.secret'), '0', 'none was set');

sub write_conf
{
	my ($lines) = @_;
	open(my $out, '>', $plain) or die;
	print $out "$conf\n$lines\n";
	close $out;
}

# the postmaster has read it: the file may go
my $once = write_file('once', $key);
write_conf("workflow.master_key_file = '$once'");
$keys->restart;
unlink $once;
is(set($keys), '', 'a file that is there at the start only');
$keys->safe_psql('postgres', "SELECT wf_set_secret('B', '${canary}b')");
my $other = write_file('other', 'cd' x 32);
write_conf("workflow.master_key_file = '$other'");
$keys->restart;
like(set($keys), qr/not the one that the secrets were encrypted with.*HINT/s, 'another key');
is($keys->safe_psql('postgres', 'SELECT wf_call(\'w\')'), '1', 'all else goes on');
write_conf("workflow.master_key_command = 'cat $good'");
$keys->restart;
is(set($keys), '', 'the same by a command');
# without the library preloaded, each session reads it
$conf =~ s/^shared_preload_libraries.*workflow.*$//m;
write_conf("workflow.master_key_file = '$good'");
$keys->restart;
is(set($keys), '', 'without preloading, from a file');
write_conf("workflow.master_key_command = 'cat $good'");
$keys->restart;
is(set($keys), '', 'without preloading, from a command');
$keys->stop;

# -- values --

my $values = cluster('values', $preload, "workflow.master_key_file = '$good'", 'wal_level = logical', 'max_wal_size = 1GB', 'log_error_verbosity = verbose', 'log_min_messages = debug1');
$values->safe_psql('postgres', qq{
	SELECT wf_set_secret('A', '${canary}one');
	SELECT wf_set_secret('A', '${canary}two');
	SELECT wf_set_secret('B', '${canary}' || repeat('x', 60000));
	SELECT wf_drop_secret('B');
	BEGIN; SELECT wf_set_secret('C', '${canary}rolled back'); ROLLBACK;
});
my ($out, $err);
for my $sql ("SELECT wf_set_secret('1bad', '${canary}bad')", "SELECT wf_set_secret('D', '${canary}big' || repeat('x', 70000))", "SELECT wf_set_secret('E', '${canary}late'), 1 / (SELECT 0)",
	"DO \$\$ BEGIN PERFORM wf_set_secret('F', '${canary}do'); RAISE EXCEPTION 'after it'; END \$\$")
{
	isnt($values->psql('postgres', $sql, stdout => \$out, stderr => \$err), 0, 'a statement that fails');
}
$values->safe_psql('postgres', q{
	CREATE FUNCTION mirror(config jsonb, input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN IF (input ->> 'fail')::bool THEN RAISE EXCEPTION 'failed with %', config; END IF; RETURN config; END $$;
	SELECT wf_register_block('test.mirror', 'mirror(jsonb,jsonb)', '{"type": "object", "properties": {"auth": {"x-secret": true}}}');
	SELECT wf_save('use', '{"nodes": [{"id": "m", "type": "test.mirror", "config": {"auth": "Bearer {{ $secrets.A }}"}}]}');
	SELECT count(wf_run('use', jsonb_build_object('fail', i % 2 = 0))) FROM generate_series(1, 200) i;
	SELECT count(*) FROM wf_start_many('use', (SELECT array_agg(jsonb_build_object('fail', i % 2 = 0)) FROM generate_series(1, 200) i));
});
ok($values->poll_query_until('postgres', 'SELECT count(*) = 400 FROM wf_runs WHERE finished_at IS NOT NULL'), 'runs have ended');
is($values->safe_psql('postgres', q{SELECT count(*) FROM wf_runs WHERE status = 'failed' AND error ->> 'message' ~ 'failed with .*Bearer'}), '200', 'half of them failed, with the marker in the message');
is($values->safe_psql('postgres', qq{SELECT (SELECT count(*) FROM pg_stat_activity a WHERE pid <> pg_backend_pid() AND a::text ~ '$canary') + (SELECT count(*) FROM pg_prepared_statements) + (SELECT count(*) FROM wf_steps s WHERE s::text ~ '$canary')}), '0', 'nothing in views');
# a dump has the ciphertext, and the same key opens it elsewhere
my $dump = "$folder/dump.sql";
$values->command_ok([ 'pg_dump', '-d', $values->connstr('postgres'), '-f', $dump ], 'dump');
my $text = slurp_file($dump);
like($text, qr/COPY wf\.secret /, 'the dump has the secrets');
unlike($text, qr/\Q$canary\E/, 'and no value');
$values->safe_psql('postgres', 'CREATE DATABASE restored');
$values->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $values->connstr('restored'), '-f', $dump ], 'restore');
SKIP:
{
	$values->psql('restored', q{CREATE FUNCTION open_secrets(tenant uuid, names text[]) RETURNS text AS '$libdir/workflow', 'wf_sql_test_open_secrets' LANGUAGE C STRICT}, stderr => \$err);
	skip 'compiled without tests', 1 if $err =~ /could not find function/;
	is($values->safe_psql('restored', q{SELECT md5(open_secrets((SELECT tenant_id FROM wf.tenant), '{A}'))}),
		$values->safe_psql('restored', "SELECT md5('A v2 = ${canary}two')"), 'restored, it can be opened');
}
$values->safe_psql('postgres', 'CHECKPOINT');
$values->stop;

# contains(path): files below it that hold the canary, plain or in UTF-16, or the key's digits or bytes
sub contains
{
	my ($path) = @_;
	my $wide = join '', map { "$_\0" } split //, $canary;
	my @found;
	for my $file (split /\n/, `find '$path' -type f`)
	{
		my $bytes = slurp_file($file);
		push @found, $file if index($bytes, $canary) >= 0 || index($bytes, $wide) >= 0 || index($bytes, $key) >= 0 || index($bytes, "\xab" x 32) >= 0;
	}
	return @found;
}
is_deeply([ contains($values->data_dir) ], [], 'nothing of values or key in the data folder and its WAL');
is_deeply([ contains($keys->data_dir) ], [], 'nor in that of the other server');
for my $cluster ($values, $keys)
{
	my @lines = grep { /\Q$canary\E|$key/ } split /\n/, slurp_file($cluster->logfile);
	is_deeply(\@lines, [], 'nor in its log');
}
like(slurp_file($values->logfile), qr/STATEMENT: .*wf_set_secret\(\.\.\.\)/, 'where the statement would stand there is another');
done_testing();
