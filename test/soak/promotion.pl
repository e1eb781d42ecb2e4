#!/usr/bin/perl
# promotion.pl: a streaming standby is promoted in the middle of a load. Until then it has no worker and executes
# nothing; from then on it goes on where the primary was. Then the same with a standby of the new one.
#
# Replication is asynchronous, so the last transactions may be lost, whole ones; the load's notes are lost with them.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../t";
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RuntimeLoad qw(runtime_there prepare start_clients stop_clients drain check_result try_sql);
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'there is no durable runtime' if !runtime_there();
my $rounds = $ENV{WF_PROMOTIONS} // 3;
my $seconds = $ENV{WF_PROMOTION_SECONDS} // 15;

my $primary = PostgreSQL::Test::Cluster->new('p0');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', "shared_preload_libraries = 'workflow'\nlog_min_messages = warning\nfsync = off\nmax_connections = 50\nworkflow.max_workers = 3\nworkflow.event_buffer_time = '1h'\nworkflow.max_crashes = 10000\nwal_keep_size = 1GB\n");
$primary->start;
prepare($primary);
for my $round (1 .. $rounds)
{
	$primary->backup("b$round");
	my $standby = PostgreSQL::Test::Cluster->new("p$round");
	$standby->init_from_backup($primary, "b$round", has_streaming => 1);
	$standby->start;
	start_clients($primary, 40);
	my $end = time + $seconds;
	my $workers = 0;
	while (time < $end)
	{
		sleep 0.2;
		$workers += try_sql($standby, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('workflow worker', 'workflow keeper')}) // 0;
	}
	is($workers, 0, "promotion $round: the standby has no worker and no keeper");
	my ($code, $out, $err) = $standby->psql('postgres', q{SELECT wf_start('plain')});
	like($err, qr/read-only|during recovery/, "promotion $round: nor does it take starts");
	$primary->stop('immediate');
	stop_clients();
	$standby->promote;
	my $seen = 0;
	start_clients($standby, 40);
	$end = time + 30;
	while (time < $end && !$seen)
	{
		sleep 0.1;
		$seen = try_sql($standby, q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow worker'}) // 0;
	}
	cmp_ok($seen, '>', 0, "promotion $round: workers start");
	sleep $seconds / 3;
	$primary = $standby;
}
stop_clients('start');
ok(drain($primary, 240), 'everything ended');
stop_clients();
check_result($primary, "after $rounds promotions");
$primary->stop('fast');
done_testing();
