#!/usr/bin/perl
# attack_cluster.pl: a server that was started with a hostile environment: none of it is obeyed; pg_dump by a tenant, and logical
# replication into our tables by a role that has no right to them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

my $cluster = request_cluster('hostile', 'max_worker_processes = 16', 'wal_level = logical');
my $once = { maxAttempts => 1 };
my ($r, @r, $code, $out, $err);

# -- the environment --

my $folder = PostgreSQL::Test::Utils::tempdir();
chmod 0777, $folder;
sub put
{
	my ($name, $text) = @_;
	open(my $file, '>', "$folder/$name") or die "$folder/$name: $!";
	print $file $text;
	close $file;
	return "$folder/$name";
}
put('.netrc', "default login me password secret\n");
put('.curlrc', 'proxy = "' . url('other', '') . "\"\ninsecure\n");
put('.pgpass', "*:*:*:*:secret\n");
put('pg_service.conf', "[evil]\nhost=/nonexistent\ndbname=evil\n");
put('.psqlrc', "\\! touch $folder/psqlrc\n");
{
	local %ENV = (%ENV, (map { $_ => url('other', '') } qw(http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY ftp_proxy socks_proxy)), no_proxy => '', NO_PROXY => '',
		HOME => $folder, CURL_HOME => $folder, XDG_CONFIG_HOME => $folder, NETRC => "$folder/.netrc", CURL_CA_BUNDLE => '/nonexistent', SSL_CERT_FILE => '/nonexistent', SSL_CERT_DIR => '/nonexistent',
		SSLKEYLOGFILE => "$folder/keys", LOCALDOMAIN => 'evil.test', RES_OPTIONS => 'ndots:15 timeout:1', HOSTALIASES => put('aliases', "localhost evil.test\n"),
		PGOPTIONS => '-c workflow.tenant=evil -c search_path=evil -c row_security=off -c role=app', PGDATABASE => 'evil', PGSERVICE => 'evil', PGSERVICEFILE => "$folder/pg_service.conf", PGPASSFILE => "$folder/.pgpass", PGAPPNAME => 'evil', PGTZ => 'Evil/Zone', PGDATESTYLE => 'German', PGCLIENTENCODING => 'SQL_ASCII',
		TZ => ':/etc/hostname', LANG => 'tr_TR.UTF-8', LC_NUMERIC => 'de_DE.UTF-8', LC_TIME => 'ja_JP.UTF-8', PATH => "$folder:$ENV{PATH}", TMPDIR => '/nonexistent', IFS => '/', ENV => "$folder/.psqlrc", BASH_ENV => "$folder/.psqlrc", POSIXLY_CORRECT => 1);
	$cluster->stop;
	$cluster->start;
}
@r = all([ request_node({ url => url('http', '/ok'), retry => $once }) ], [ request_node({ url => url('https', '/ok'), retry => $once }) ], [ request_node({ url => api('/headers'), retry => $once }) ]);
is("$_->{status} " . ($_->{output}{status} // $_->{error}{message}), 'completed 200', 'a request goes where it should') for @r;
unlike(encode(\@r), qr/Basic|c2VjcmV0|bWU6/, 'without a password of ~/.netrc');
ok(!-e "$folder/keys", 'keys of TLS sessions are not written down');
ok(!-e "$folder/psqlrc", 'no program was started');
is(run(request_node({ url => url('expired', '/ok'), retry => $once }))->{error}{code}, 'WF010', 'certificates are verified');
is(run({ nodes => [ { id => 'a', type => 'db.query', config => { sql => 'SELECT concat_ws(chr(32), current_user, session_user, wf_current_tenant(), current_setting($1::text), current_setting($2::text), to_char(1.5, $3::text))',
	params => [ 'search_path', 'row_security', '9D9' ], outputFormat => 'value' } } ], edges => [] })->{output}{value}, 'app app default public, pg_temp on  1.5', 'a worker is as ever');

# -- pg_dump --

value(q{
	CREATE ROLE victim LOGIN; SELECT wf_create_tenant('theirs'); SELECT wf_grant('victim', 'theirs', 'owner');});
value(q{SELECT wf_save('canary_workflow', '{"nodes": [{"id": "a", "type": "return", "config": {"value": "canary_value"}}]}'); SELECT wf_run('canary_workflow', '"canary_input"'); SELECT wf_start('canary_workflow', '"canary_queued"', '{"delay": "1 h"}'); SELECT wf_set_secret('canary_secret', 'canary')}, 'victim');
sub dump_as
{
	my @more = @_;
	my $out = "$folder/dump.sql";
	unlink $out;
	my $ok = run_log([ 'pg_dump', '-h', $cluster->host, '-p', $cluster->port, '-U', 'app', '-f', $out, @more, 'postgres' ], '2>', "$folder/dump.err");
	return ($ok, -e $out ? slurp_file($out) : '', slurp_file("$folder/dump.err"));
}
my ($ok, $dump, $error) = dump_as();
ok(!$ok, 'a dump of the database by a tenant is refused');
like($error, qr/permission denied|row-level security|row security/, 'for want of a right');
unlike($dump, qr/canary/, 'and has nothing of others');
($ok, $dump, $error) = dump_as('--enable-row-security');
ok(!$ok, 'with row security, too: some tables may not be read at all');
unlike($dump, qr/canary/, 'and has nothing of others');
for my $table ('wf.tenant', 'wf.run_default', 'wf.queue', 'wf.secret', 'wf.*')
{
	($ok, $dump, $error) = dump_as('--data-only', '-t', $table);
	ok(!$ok, "$table is not dumped");
	unlike($dump . $error, qr/canary/, 'and nothing is told');
	($ok, $dump, $error) = dump_as('--data-only', '--enable-row-security', '--load-via-partition-root', '-t', $table);
	unlike($dump . $error, qr/canary/, "$table, with row security: nothing of others");
}
# what a dump does to each table
value(q{CREATE FUNCTION dumps(t regclass) RETURNS text LANGUAGE plpgsql SET row_security = off AS $$ BEGIN EXECUTE format('SELECT 1 FROM %s', t); RETURN t; EXCEPTION WHEN insufficient_privilege THEN RETURN NULL; END $$});
is(value(q{SELECT string_agg(dumps(oid), ' ') FROM pg_class WHERE relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p')}, 'app'), '', 'no table is read without its policies');
($code, $out, $err) = $cluster->psql('postgres', q{COPY wf.run TO STDOUT; COPY (SELECT * FROM wf_runs) TO STDOUT}, extra_params => [ '-U', 'app' ]);
unlike("$out$err", qr/canary/, 'COPY gives what SELECT gives');
($code, $out, $err) = $cluster->psql('postgres', q{COPY wf.run_default TO STDOUT}, extra_params => [ '-U', 'app' ]);
like($err, qr/permission denied/, 'of partitions nothing');

# -- logical replication --

$cluster->restart;

# A subscription whose owner is no superuser any more writes with that role's rights.
$cluster->safe_psql('postgres', 'CREATE DATABASE source');
$cluster->safe_psql('source', q{CREATE SCHEMA wf; CREATE TABLE wf.member (tenant_id uuid, role oid, app_role text, granted_at timestamptz DEFAULT now(), granted_by oid, PRIMARY KEY (tenant_id, role)); CREATE TABLE public.plain (id int PRIMARY KEY); CREATE PUBLICATION all_of_it FOR ALL TABLES});
my $slot = $cluster->safe_psql('source', q{SELECT pg_create_logical_replication_slot('evil', 'pgoutput')});
value(q{CREATE ROLE repl LOGIN SUPERUSER; CREATE TABLE plain (id int PRIMARY KEY); ALTER TABLE plain OWNER TO repl});
(my $connection = $cluster->connstr('source') . ' user=postgres') =~ s{'}{''}g;
# from 16 on one whose owner is no superuser needs a password, unless a superuser said otherwise
my $more = value(q{SELECT current_setting('server_version_num')::int >= 160000}) eq 't' ? ', password_required = false' : '';
$cluster->safe_psql('postgres', qq{CREATE SUBSCRIPTION evil CONNECTION '$connection' PUBLICATION all_of_it WITH (create_slot = false, slot_name = 'evil', copy_data = false$more)}, extra_params => [ '-U', 'repl' ]);
value(q{ALTER ROLE repl NOSUPERUSER});
$cluster->safe_psql('source', 'INSERT INTO plain VALUES (1)');
my $at = -s $cluster->logfile;
my ($app, $tenant) = split /\|/, value(q{SELECT 'app'::regrole::oid, tenant_id FROM wf.tenant WHERE name = 'theirs'});
$cluster->safe_psql('source', "INSERT INTO wf.member VALUES ('$tenant', $app, 'owner', now(), $app)");
my $refused = 0;
my $end = time + $deadline;
until ($refused || time > $end)
{
	$refused = slurp_file($cluster->logfile, $at) =~ /(permission denied for table member|cannot replicate into relation with row-level security enabled|user "repl" cannot replicate|role "repl" cannot SET ROLE)/;
	select undef, undef, undef, 0.05;
}
ok($refused, 'replication into our tables is refused');
is(value(q{SELECT count(*) FROM wf.member WHERE role = 'app'::regrole}), '1', 'and writes nothing');
value(q{ALTER SUBSCRIPTION evil DISABLE; ALTER SUBSCRIPTION evil SET (slot_name = NONE); DROP SUBSCRIPTION evil});
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/terminated by signal|PANIC|TRAP/, 'nothing crashed');
done_testing();
