#!/usr/bin/perl
# attack_random.pl: WF_STATEMENTS (20,000) random statements of a tenant, in sessions of 1,000, never tell of another's rows. WF_SEED is the first
# session's seed; a failure says which it was. A million: make soak T=canaries.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use CanaryTest;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $n = $ENV{WF_STATEMENTS} // 20000;
my $seed = $ENV{WF_SEED} // int(rand 1_000_000);
my $key = PostgreSQL::Test::Utils::tempdir() . '/master.key';
open(my $out, '>', $key) or die $!;
print $out 'ab' x 32;
close $out;
chmod 0600, $key;
my $cluster = new_cluster('canaries', 'log_statement = none', 'jit = off', 'log_min_messages = fatal', 'log_min_error_statement = panic', "workflow.master_key_file = '$key'");
$cluster->start;
setup_canaries($cluster);
for (my $i = 0; $i * 1000 < $n; $i++)
{
	last if !ok(attack($cluster, $seed + $i, $n - $i * 1000 < 1000 ? $n - $i * 1000 : 1000), 'no canary with seed ' . ($seed + $i));
}
is($cluster->safe_psql('postgres', q{SELECT count(*) FROM wf.check_invariants()}), '0', 'nothing was broken');
is($cluster->safe_psql('postgres', q{SELECT string_agg(name || ' ' || role::text || ' ' || app_role, ', ' ORDER BY name, role::text) FROM wf.member JOIN wf.tenant USING (tenant_id) WHERE name = 'theirs'}), 'theirs postgres owner, theirs victim owner', 'nobody became a member');
$cluster->stop;
unlike(slurp_file($cluster->logfile), qr/terminated by signal|PANIC: |TRAP: /, 'nothing crashed');
done_testing();
