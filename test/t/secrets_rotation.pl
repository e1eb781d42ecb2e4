#!/usr/bin/perl
# secrets_rotation.pl: another master key takes the place of one, while secrets are set, used and dropped, and the server is killed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use NetTest ();
use PostgreSQL::Test::Utils;
use RequestTest;
use RuntimeLoad ();
use Test::More;

NetTest::start_servers();
my $cluster = request_cluster('rotation', "workflow.databases = 'postgres'", 'max_prepared_transactions = 2');
my $off = JSON::PP::false();
my $conf = $cluster->data_dir . '/postgresql.conf';
my $before = slurp_file($conf) =~ s/^workflow\.master_key_file.*\n//mr;
my $n = 1000;

sub key
{
	my ($name, $digits) = @_;
	my $path = "$NetTest::folder/$name.key";
	open(my $out, '>', $path) or die $!;
	print $out $digits x 32;
	close $out;
	chmod 0600, $path;
	return $path;
}
my %key = (one => key('one', 'cd'), two => key('two', '1f'), three => key('three', 'a7'), wrong => key('wrong', '77'));

# keys(current, previous): the server has them from its next start on
sub keys_are
{
	my ($current, $previous) = @_;
	open(my $out, '>', $conf) or die $!;
	print $out $before, $current ? "workflow.master_key_file = '$key{$current}'\n" : '', !$previous ? '' : $previous eq 'two' ? "workflow.master_key_previous_command = 'cat $key{two}'\n" : "workflow.master_key_previous_file = '$key{$previous}'\n";
	close $out;
	return;
}
sub left { return value(q{SELECT string_agg(concat_ws('/', key_id, available, secrets_left), ' ' ORDER BY key_id) FROM wf_master_keys}) }
# uses(name, tag): a run that sends the secret; what the server got
sub uses
{
	my ($name, $tag) = @_;
	my $r = run(request_node({ url => api("/$tag?text=1"), headers => { Authorization => "{{ \$secrets.$name }}" }, circuit => $off }));
	return $r->{status} eq 'completed' ? (notes($tag))[-1]{headers}{authorization} : "$r->{error}{code} $r->{error}{message}";
}

value(qq{SELECT wf_set_secret('S' || i, 'value ' || i) FROM generate_series(1, $n) i});
value(q{SELECT wf_set_credential('crm', 'bearer', '{"token": "of crm"}'), wf_set_secret('HELD', 'held')});
is(left(), '1/t/1002', 'all are of the first key');
value(q{BEGIN; SELECT 1 FROM wf.secret WHERE name = 'HELD' FOR UPDATE; PREPARE TRANSACTION 'holder'});
my $versions = value(q{SELECT md5(string_agg(concat_ws(' ', name, version, updated_at), ',' ORDER BY name)) FROM wf_secrets});

# -- another key alone stops secrets, and nothing else --

keys_are('wrong');
$cluster->restart;
is(uses('S1', 'wrong'), '55000 the master key is not the one that the secrets were encrypted with', 'a wrong key');
my ($out, $err) = ('', '');
$cluster->psql('postgres', q{SELECT wf_set_secret('S1', 'x')}, stderr => \$err);
like($err, qr/the master key is not the one.*HINT: .*master_key_previous_file/s, 'which is said, and what to do');
is(run(request_node({ url => api('/plain?text=1'), circuit => $off }))->{status}, 'completed', 'all else goes on');
is(left(), '1/f/1002', 'and it is seen that the key is missing');
keys_are('two', 'wrong');
$cluster->restart;
is(uses('S1', 'wrong'), '55000 the master key is not the one that the secrets were encrypted with', 'a wrong previous key is no better');

# -- the right one beside it; killed in the midst --

keys_are('two', 'one');
# the postmaster dies, and with it the keeper, after each second batch of 100
$cluster->stop;
for my $round (1 .. 3)
{
	my $armed = $cluster->data_dir . '/workflow.fault';
	my $end = time + $deadline;
	append_to_file($armed, "secret.resealed:postmaster:2\n");
	while (time < $end && (-e $armed || RuntimeLoad::postmaster_lives($cluster)))
	{
		# not before the children of the last one have gone
		system("pg_ctl -W -D '" . $cluster->data_dir . "' -l '" . $cluster->logfile . "' start >/dev/null 2>&1") if !RuntimeLoad::postmaster_lives($cluster);
		select undef, undef, undef, 0.1;
	}
	ok(!RuntimeLoad::postmaster_lives($cluster), "killed, $round");
}
is(slurp_file($cluster->logfile) =~ /\d secrets were encrypted with/ ? 'done' : 'not done', 'not done', 'in the midst of it');
RuntimeLoad::ensure_up($cluster);
is(value(q{SELECT md5(string_agg(concat_ws(' ', name, version, updated_at), ',' ORDER BY name)) FROM wf_secrets}), $versions, 'the same versions');
is(uses('S1', "round"), 'value 1', 'used meanwhile');
value(q{SELECT wf_set_secret('S2', 'another'), wf_drop_secret('S3'), wf_set_credential('crm', 'bearer', '{"token": "of crm, new"}')});
until_true(q{SELECT secrets_left = 1 FROM wf_master_keys WHERE key_id = 1}, 'all are of the second key by and by, but one that is locked');
value(q{COMMIT PREPARED 'holder'});
until_true(q{SELECT secrets_left = 0 FROM wf_master_keys WHERE key_id = 1}, 'also one that was locked');
is(left(), '1/t/0 2/t/1001', 'none is left');
is(join(' ', map { uses("S$_", "after$_") } 1, 2, 4, 1000), 'value 1 another value 4 value 1000', 'they have their values');
$versions = value(q{SELECT md5(string_agg(concat_ws(' ', name, version, updated_at), ',' ORDER BY name)) FROM wf_secrets});
keys_are('two');
$cluster->restart;
is(join(' ', map { uses("S$_", "alone$_") } 1, 2, 4, 1000), 'value 1 another value 4 value 1000', 'without the first key');
is(left(), '1/f/0 2/t/1001', 'which is gone');

# -- once more, while clients set, use and drop --

keys_are('three', 'two');
$cluster->restart;
my @busy = map { my $client = $_; my $b = $cluster->background_psql('postgres', on_error_stop => 0); $b->query_until(qr/going/, qq{\\echo going\nDO \$\$ BEGIN FOR i IN 1 .. 60 LOOP PERFORM wf_set_secret('S' || (10 + (i * 7 + $client * 13) % 40), 'client ' || $client), wf_set_secret('T' || $client || '_' || i, 'new'); IF i % 3 = 0 THEN PERFORM wf_drop_secret('T' || $client || '_' || i); END IF; COMMIT; END LOOP; END \$\$;\n}); $b } 1 .. 3;
is(uses('S600', 'busy'), 'value 600', 'used meanwhile');
$_->quit for @busy;
until_true(q{SELECT secrets_left = 0 FROM wf_master_keys WHERE key_id = 2}, 'all are of the third key');
is(left(), '1/f/0 2/t/0 3/t/' . value('SELECT count(*) FROM wf.secret WHERE ended_at IS NULL'), 'and none is left');
is(value(q{SELECT count(*) FROM wf_secrets WHERE name ~ '^T'}), '120', 'what clients set and dropped is as they left it');
is(uses('S20', 'last') =~ /^client [123]$/ ? 'ok' : uses('S20', 'last'), 'ok', 'a value that was set meanwhile');
is(uses('S700', 'last2'), 'value 700', 'and one that was not');
# at rest nothing is executed
my $statements = value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow keeper' AND state = 'active'});
is($statements, '0', 'the keeper rests');
is_deeply([ grep { /PANIC|deadlock|could not serialize|workflow keeper:.*(error|can not be decrypted$)/i && !/0 can not/ } split /\n/, slurp_file($cluster->logfile) ], [], 'nothing went wrong');
like(slurp_file($cluster->logfile), qr/workflow keeper: \d+ secrets were encrypted with the current master key, 0 can not be decrypted/, 'the log says so');
done_testing();
