#!/usr/bin/perl
# audit.pl: the audit trail through crashes, prepared transactions, many sessions at once, another master key; refused requests;
# retention by the keeper; an export that is checked outside.
use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib $FindBin::Bin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('audit');
$cluster->start;
sub value { my ($sql) = @_; return $cluster->safe_psql('postgres', $sql) }
sub verified { my ($tenant) = @_; return value("SELECT coalesce(seq::text, 'all') || ': ' || problem FROM wf_verify_audit('$tenant')") }
my $simple = q{{"nodes": [{"id": "a", "type": "noop"}]}};
value(qq{
	CREATE EXTENSION workflow;
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	CREATE FUNCTION note(uuid, text, text, jsonb, int) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_audit';
	CREATE ROLE app LOGIN; CREATE ROLE other LOGIN;
	SELECT wf_create_tenant('a'), wf_create_tenant('b');
	SELECT wf_grant('app', 'a', 'admin'), wf_grant('other', 'b', 'admin');
	CREATE FUNCTION id(text) RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tenant_id FROM wf.tenant WHERE name = \$1';
});
sub act { my ($role, $sql) = @_; return $cluster->safe_psql('postgres', $sql, extra_params => [ '-U', $role ]) }
act('app', "SELECT wf_save('w', '$simple'), wf_save('v', '$simple')");
act('other', "SELECT wf_save('w', '$simple')");
is(verified('a') . verified('b'), '', 'chains hold without a key');

# -- a crash between the entry and the commit: neither is there --

my $last = value("SELECT seq FROM wf_audit_head('a')");
value("SELECT fault('audit.written:kill')");
my ($status, $out, $err) = $cluster->psql('postgres', "SELECT wf_set_status('w', 'paused')", extra_params => [ '-U', 'app' ]);
isnt($status, 0, 'the server goes down before the commit');
until_true($cluster, 'postgres', 'SELECT true', 'it is there again');
is(value("SELECT seq FROM wf_audit_head('a')"), $last, 'no entry of what did not commit');
is(act('app', q{SELECT status FROM wf_workflows WHERE name = 'w'}), 'active', 'and nothing was done');
act('app', "SELECT wf_set_status('w', 'paused')");
is(value("SELECT seq FROM wf_audit_head('a')"), $last + 1, 'the next has the next number');
is(verified('a'), '', 'the chain holds after a crash');
# an error there undoes what was to be recorded
value("SELECT fault('audit.written:error')");
($status, $out, $err) = $cluster->psql('postgres', "SELECT wf_set_status('w', 'active')", extra_params => [ '-U', 'app' ]);
isnt($status, 0, 'what can not be recorded fails');
is(act('app', q{SELECT status FROM wf_workflows WHERE name = 'w'}), 'paused', 'and is not done');
is(verified('a'), '', 'the chain holds after an error');

# -- prepared transactions: the entry is written when the transaction is prepared; others of the tenant wait for its end --

$last = value("SELECT seq FROM wf_audit_head('a')");
act('app', "BEGIN; SELECT wf_set_status('w', 'active'); PREPARE TRANSACTION 'p1'");
($status, $out, $err) = $cluster->psql('postgres', "SET lock_timeout = '100ms'; SELECT wf_set_status('v', 'paused')", extra_params => [ '-U', 'app' ]);
like($err, qr/lock timeout/, 'others of the tenant wait');
is(act('other', "SELECT wf_set_status('w', 'paused')"), '', 'other tenants do not');
value("COMMIT PREPARED 'p1'");
act('app', "SELECT wf_set_status('v', 'paused')");
is(value(q{SELECT string_agg(seq - } . $last . q{ || object_name || (after->>'status'), ' ' ORDER BY seq) FROM wf.audit WHERE tenant_id = id('a') AND seq > } . $last), '1wactive 2vpaused', 'both are there, in order');
act('app', "BEGIN; SELECT wf_set_status('w', 'archived'); PREPARE TRANSACTION 'p2'");
$cluster->stop('immediate');
$cluster->start;
until_true($cluster, 'postgres', 'SELECT true', 'it is there again');
($status, $out, $err) = $cluster->psql('postgres', "SET lock_timeout = '100ms'; SELECT wf_set_status('v', 'active')", extra_params => [ '-U', 'app' ]);
like($err, qr/lock timeout/, 'also after a crash');
value("ROLLBACK PREPARED 'p2'");
act('app', "SELECT wf_set_status('v', 'active')");
is(value("SELECT seq FROM wf_audit_head('a')"), $last + 3, 'a rollback leaves no gap');
is(verified('a') . verified('b'), '', 'the chains hold');

# -- requests that are refused: one entry a minute for a host; the dispatcher waits for no tenant --

my $request = q{{"nodes": [{"id": "r", "type": "http.request", "config": {"url": "http://127.0.0.1:9/secret?token=canary", "retry": {"maxAttempts": 1}}}]}};
act($_, "SELECT wf_save('send', '$request')") for 'app', 'other';
my $await = q{SELECT e->>'status' || ' ' || (e#>>'{error,code}') FROM wf_await('%s') e};
sub sent { my ($role) = @_; my $id = act($role, q{SELECT wf_start('send')}); return act($role, sprintf($await, $id)) }
is(sent('app'), 'failed WF011', 'a request is refused');
is(sent('app'), 'failed WF011', 'and another one') for 1 .. 3;
is(value(q{SELECT string_agg(concat_ws(' ', actor, object_type, object_name, after->>'node', after->>'refused', after->>'message'), '; ') FROM wf.audit WHERE tenant_id = id('a') AND action = 'request.refuse'}),
	'app run 127.0.0.1:9 r 1 request blocked: requests to "127.0.0.1" are forbidden: loopback 127.0.0.0/8', 'one entry tells of them');
is(value(q{SELECT count(*) FROM wf.audit a WHERE a::text ~ 'canary' AND action = 'request.refuse'}), '0', 'and has nothing of the request but where it was to go');
act('other', "BEGIN; SELECT wf_set_status('w', 'active'); PREPARE TRANSACTION 'p3'");
is(sent('other'), 'failed WF011', 'the dispatcher waits for no trail');
is(value(q{SELECT count(*) FROM wf.audit WHERE tenant_id = id('b') AND action = 'request.refuse'}), '0', 'there is no entry yet');
value("ROLLBACK PREPARED 'p3'");
is(sent('other'), 'failed WF011', 'the next one');
is(value(q{SELECT after->>'refused' FROM wf.audit WHERE tenant_id = id('b') AND action = 'request.refuse'}), '2', 'tells of both');
is(verified('a') . verified('b'), '', 'the chains hold');

# -- many at once --

my $script = $cluster->basedir . '/act.sql';
append_to_file($script, "BEGIN;\nSELECT note(id('a'), 'test', 'x', '{\"n\": 1}', 1 + :client_id % 3);\nSELECT note(id('b'), 'test', 'x', '{}', 1);\nEND;\n");
my $rollback = $cluster->basedir . '/rollback.sql';
append_to_file($rollback, "BEGIN;\nSELECT note(id('b'), 'test', 'x', '{}', 1);\nSAVEPOINT s;\nSELECT note(id('a'), 'test', 'y', '{}', 1);\nROLLBACK TO s;\nSELECT note(id('a'), 'test', 'z', '{}', 1);\nEND;\n");
$cluster->command_ok([ 'pgbench', '-n', '-c', '6', '-j', '2', '-t', '100', '-f', $script, '-f', $rollback, '-h', $cluster->host, '-p', $cluster->port, 'postgres' ], 'six sessions at once, two tenants each');
is(value(q{SELECT count(*) FROM wf.audit WHERE object_name = 'y'}), '0', 'what was rolled back is not there');
is(value(q{SELECT bool_and(n = last) FROM (SELECT count(*) AS n, max(seq) AS last FROM wf.audit GROUP BY tenant_id) x}), 't', 'there are no gaps');
is(verified('a') . verified('b'), '', 'the chains hold');

# -- a large transaction, rolled back in parts --

is(value(q{BEGIN; SELECT note(id('b'), 'test', 'many', '{"x": [1, 2, 3]}', 50000); SAVEPOINT s; SELECT note(id('b'), 'test', 'gone', '{}', 50000); ROLLBACK TO s; COMMIT; SELECT count(*) FROM wf.audit WHERE object_name = 'many'}) =~ s/\A\s+//r, '50000', 'many entries of one transaction');
($status, $out, $err) = $cluster->psql('postgres', q{SELECT note(id('b'), 'test', 'too many', '{}', 1000001)});
like($err, qr/too many actions that are recorded in the audit trail in one transaction/, 'not any number');
is(verified('b'), '', 'the chain holds');

# -- checked outside: each line's hash, and that one follows from the other --

my @lines = split /\n/, act('app', 'SELECT wf_export_audit()');
my $before = '0' x 64;
my $bad = 0;
for (@lines)
{
	my ($entry, $hash) = /^\{"entry": (.*), "hash": "([0-9a-f]{64})", "keyId": \d+, "mac": (?:null|"[0-9a-f]{64}")\}$/;
	$bad++ if sha256_hex($entry) ne $hash || $entry !~ /"prev": "$before"\}$/;
	$before = $hash;
}
is(scalar(@lines), value(q{SELECT count(*) FROM wf.audit WHERE tenant_id = id('a')}), 'an export has all lines');
is($bad, 0, 'whose hashes are right');
is($before, value("SELECT hash FROM wf_audit_head('a')"), 'the last one is the head');

# -- from where --

$cluster->safe_psql('postgres', "SELECT wf_set_status('w', 'paused')", connstr => $cluster->connstr('postgres') . ' user=app application_name=office');
is(value(q{SELECT concat_ws(' ', actor, session_role, coalesce(client_address, 'local'), application_name) FROM wf.audit WHERE tenant_id = id('a') ORDER BY seq DESC LIMIT 1}), 'app app local office', 'who, and with what');

# -- a master key comes, is missing, comes back --

my $key = $cluster->basedir . '/master.key';
append_to_file($key, ('0123456789abcdef' x 4) . "\n");
chmod 0600, $key;
$cluster->append_conf('postgresql.conf', "workflow.master_key_file = '$key'\n");
$cluster->restart;
like(verified('a'), qr/\A1: no MAC of the present master key/, 'what was written without a key is not vouched for');
act('app', "SELECT wf_set_status('w', 'active')");
like(verified('a'), qr/\A\d+: there was no master key before this entry: a superuser may have changed what was before\z/, 'nor ever will be');
value(q{SELECT wf_create_tenant('c')});
value(q{SET workflow.tenant = 'c'; SELECT wf_save('w', '} . $simple . q{'), wf_set_secret('S', 'v')});
is(verified('c'), '', 'a trail that began with it is');
is(value(q{SELECT count(*) FILTER (WHERE mac IS NULL), count(DISTINCT key_id) FROM wf.audit WHERE tenant_id = id('c')}), '0|1', 'all entries have a MAC');
$cluster->adjust_conf('postgresql.conf', 'workflow.master_key_file', undef);
$cluster->restart;
like(verified('c'), qr/\A1: the MACs can not be checked: the server has no master key\z/, 'a server without its key can not tell');
value(q{SET workflow.tenant = 'c'; SELECT wf_set_status('w', 'paused')});
like(verified('c'), qr/there was no master key from this entry on/, 'and is no reason to stop');
$cluster->append_conf('postgresql.conf', "workflow.master_key_file = '$key'\n");
$cluster->restart;

# -- the disk and standbys are waited for, with the trail unlocked --

$cluster->append_conf('postgresql.conf', "wal_writer_delay = '10s'\n");
$cluster->reload;
for my $n (1 .. 3)
{
	$last = act('app', "SELECT wf_set_status('w', 'paused'), wf_set_status('w', 'active'); SELECT seq FROM wf_audit_head()");
	$cluster->stop('immediate');
	$cluster->start;
	until_true($cluster, 'postgres', 'SELECT true', 'it is there again');
	is(value("SELECT seq FROM wf_audit_head('a')"), $last =~ s/\A\|\n//r, "who was told of a commit finds it after a crash ($n)");
}
$cluster->append_conf('postgresql.conf', "synchronous_standby_names = 'nobody'\n");
$cluster->reload;
{
	my $said = '';
	my $waits = q{SELECT count(*) = 1 FROM pg_stat_activity WHERE usename = 'app' AND wait_event = 'SyncRep'};
	my $session = IPC::Run::start([ 'psql', '-XAt', '-d', $cluster->connstr('postgres') . ' user=app', '-c', "SELECT wf_set_status('w', 'paused')" ], '<', '/dev/null', '>&', \$said);
	ok(until_true($cluster, 'postgres', $waits, 'it waits'), 'a commit waits for its standby');
	is($cluster->safe_psql('postgres', "SET lock_timeout = '30s'; SET synchronous_commit = local; SELECT wf_set_status('v', 'paused')", extra_params => [ '-U', 'app' ]), '', 'nobody waits for it');
	value(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'app' AND wait_event = 'SyncRep'});
	$session->finish;
	like($said, qr/canceling wait for synchronous replication/, 'until it is cancelled');
}
$cluster->adjust_conf('postgresql.conf', 'synchronous_standby_names', undef);
$cluster->reload;
is($cluster->safe_psql('postgres', 'SHOW synchronous_commit'), 'on', 'a setting is as it was');
like(verified('a'), qr/\A\d+: there was no master key before this entry: a superuser may have changed what was before\z/, 'the chain holds');

# -- retention, by the keeper when it begins --

value(q{SELECT wf_create_tenant('d')});
value(q{SELECT note(id('d'), 'test', 'x', '{}', 10)});
value(q{UPDATE wf.tenant SET settings = '{"auditRetention": "0.01"}' WHERE name = 'd'});
$cluster->restart;
until_true($cluster, 'postgres', q{SELECT first_seq > 5 FROM wf_audit_head('d')}, 'what is older than the tenant wants goes');
is(verified('d'), '', 'the rest holds');
is(value(q{SELECT count(*) FROM wf.audit WHERE tenant_id = id('d') AND action = 'audit.expire'} ) > 0, 1, 'and says what went');

# -- a standby reads and checks it --

$cluster->backup('b');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($cluster, 'b', has_streaming => 1);
$standby->start;
$cluster->wait_for_catchup($standby);
is($standby->safe_psql('postgres', "SELECT * FROM wf_verify_audit('d')"), '', 'on a standby the chain holds');
is($standby->safe_psql('postgres', "SELECT seq FROM wf_audit_head('d')"), value("SELECT seq FROM wf_audit_head('d')"), 'and ends where it does');
$standby->stop;
$cluster->stop;
done_testing();
