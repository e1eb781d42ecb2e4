#!/usr/bin/perl
# trigger_schedule.pl: schedules are fired by the keeper: across the clock changes of a year with a clock that is moved, after an outage,
# after crashes at every step, on a promoted standby, in a restored database; and with two who fire never twice.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('schedule', 'wal_keep_size = 128MB');
$cluster->start;

sub sql { my ($query, $database) = @_; return $cluster->safe_psql($database // 'postgres', $query) }

sub comes
{
	my ($query, $what, $node, $database) = @_;
	return ok(until_true($node // $cluster, $database // 'postgres', $query, $what), $what);
}

sql(q{
	CREATE EXTENSION workflow;
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	CREATE FUNCTION clock(seconds float8) RETURNS void LANGUAGE c STRICT AS 'workflow', 'wf_sql_test_clock';
	CREATE FUNCTION schedule(name text, config jsonb) RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'at', 'type', 'trigger.schedule', 'config', config)), 'edges', '[]'::jsonb)) $$;
	CREATE FUNCTION due(name text, at timestamptz) RETURNS void LANGUAGE sql AS $$
		UPDATE wf.schedule s SET next_at = at FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id)
		WHERE t.trigger_id = s.trigger_id AND w.name = due.name $$;
	CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS $$ DELETE FROM wf.run; DELETE FROM wf.segment $$;
	-- what was due and came to a run
	CREATE FUNCTION fired(workflow text) RETURNS text LANGUAGE sql AS $$
		SELECT coalesce(string_agg(r.input->>'scheduledAt', ' ' ORDER BY (r.input->>'scheduledAt')::timestamptz), '') FROM wf_runs r WHERE r.workflow = fired.workflow $$;
});

# poke: the keeper looks at everything, whenever it thinks that something is due: a clock that is moved wakes nobody
sub poke { return sql(q{BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'poke'; COMMIT PREPARED 'poke'}) }

# clock_at(time): moves the clock of the server there, and has everything fired that is due by then
sub clock_at
{
	my ($time) = @_;
	sql("SELECT clock(extract(epoch FROM '$time'::timestamptz - clock_timestamp())::float8)");
	poke();
	return until_true($cluster, 'postgres', "SELECT NOT EXISTS (SELECT FROM wf.schedule WHERE next_at <= '$time')", "what is due at $time");
}

# the clock is put on an hour: what is skipped fires once, when the gap ends; one hour comes twice: its times fire once
clock_at('2027-03-27 12:00Z');
sql(q{SELECT schedule('half', '{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "overlap": "allow"}'),
	schedule('often', '{"cron": "0,30 1-3 * * *", "timezone": "Europe/Berlin", "overlap": "allow", "catchUp": "1 day"}'),
	schedule('utc', '{"cron": "30 1 * * *", "overlap": "allow"}'),
	schedule('leap', '{"cron": "0 9 29 2 *", "timezone": "Europe/Berlin", "overlap": "allow"}')});
for my $day ('2027-03-28', '2027-03-29')
{
	ok(clock_at("$day $_"), "$day $_") for '00:05Z', '00:35Z', '01:00:05Z', '01:35Z', '02:05Z', '12:00Z';
}
comes(q{SELECT count(*) = 14 FROM wf_runs WHERE trigger = 'schedule' AND status = 'completed'}, 'spring: all have run');
is(sql(q{SELECT fired('half')}), '2027-03-28T03:00:00+02:00 2027-03-29T02:30:00+02:00', 'spring: a time that is skipped');
is(sql(q{SELECT fired('often')}), join(' ', (map { "2027-03-28T$_" } '01:00:00+01:00', '01:30:00+01:00', '03:00:00+02:00', '03:30:00+02:00'),
	map { "2027-03-29T$_+02:00" } '01:00:00', '01:30:00', '02:00:00', '02:30:00', '03:00:00', '03:30:00'), 'spring: many');
is(sql(q{SELECT fired('utc')}), '2027-03-28T01:30:00+00:00 2027-03-29T01:30:00+00:00', 'spring: UTC has no change');
clock_at('2027-10-30 12:00Z');
sql(q{SELECT forget(); SELECT wf_delete('utc'), wf_delete('half'), wf_delete('often')});
sql(q{SELECT schedule('half', '{"cron": "30 2 * * *", "timezone": "Europe/Berlin", "overlap": "allow"}'),
	schedule('minutes', '{"cron": "*/20 * * * *", "timezone": "Europe/Berlin", "overlap": "allow"}')});
ok(clock_at("2027-10-30 23:50Z"), '2027-10-31 begins');
sql(q{SELECT forget()});
ok(clock_at("2027-10-31 $_"), "2027-10-31 $_") for '00:05Z', '00:25Z', '00:35Z', '00:45Z', '01:05Z', '01:35Z', '01:55Z', '02:05Z', '02:25Z';
comes(q{SELECT count(*) = 6 FROM wf_runs WHERE trigger = 'schedule' AND status = 'completed'}, 'autumn: all have run');
is(sql(q{SELECT fired('half')}), '2027-10-31T02:30:00+02:00', 'autumn: an hour that comes twice');
is(sql(q{SELECT fired('minutes')}), join(' ', map { "2027-10-31T$_" } '02:00:00+02:00', '02:20:00+02:00', '02:40:00+02:00', '03:00:00+01:00', '03:20:00+01:00'), 'autumn: nothing fires in it the second time');
sql(q{SELECT wf_delete('half'), wf_delete('minutes')});
is(sql(q{SELECT fired('leap')}), '', 'no 29 February yet');
ok(clock_at('2028-02-28 23:00Z'), '28 February');
ok(clock_at('2028-02-29 08:00:01Z'), '29 February');
ok(clock_at('2028-03-01 12:00Z'), '1 March');
is(sql(q{SELECT fired('leap')}), '2028-02-29T09:00:00+01:00', '29 February');
is(sql(q{SELECT next_at FROM wf_triggers WHERE workflow = 'leap'}), sql(q{SELECT '2032-02-29 08:00Z'::timestamptz}), 'and four years later');
# a clock that is set back fires nothing again
sql(q{SELECT schedule('back', '{"cron": "0 * * * *", "overlap": "allow"}')});
ok(clock_at('2028-03-01 13:00:01Z'), 'one o\'clock');
ok(clock_at('2028-03-01 12:59:00Z'), 'a minute back');
sql(q{SELECT wf_disable_trigger('back', 'at')});
sql(q{SELECT wf_enable_trigger('back', 'at')});
ok(clock_at('2028-03-01 13:00:02Z'), 'one o\'clock again');
comes(q{SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'back' AND status = 'completed'}, 'it has run');
is(sql(q{SELECT fired('back')}), '2028-03-01T13:00:00+00:00', 'once');
sql(q{SELECT wf_delete('leap'), wf_delete('back'), clock(0); SELECT forget()});

# the keeper wakes exactly then, by itself
clock_at('2030-12-31 23:59:57Z');
sql(q{SELECT schedule('minute', '{"cron": "0 0 1 1 *"}')});
comes(q{SELECT count(*) = 1 FROM wf_runs WHERE workflow = 'minute'}, 'at midnight');
is(sql(q{SELECT input->>'scheduledAt', (input->>'firedAt')::timestamptz - (input->>'scheduledAt')::timestamptz < '1 s' FROM wf_runs WHERE workflow = 'minute'}), '2031-01-01T00:00:00+00:00|t', 'to the second');
sql(q{SELECT wf_delete('minute'), clock(0); SELECT forget()});

# times while the server was down: those within the window are made up for, the oldest first; the others are counted
sql(q{SELECT schedule('down', '{"cron": "*/10 * * * *", "overlap": "allow", "catchUp": "35 min"}'), schedule('skip', '{"cron": "*/10 * * * *", "catchUp": "35 min"}')});
sql(q{SELECT due(n, date_bin('10 min', now(), '2020-01-01') - interval '1 h') FROM unnest('{down,skip}'::text[]) n; CREATE TABLE outage AS SELECT date_bin('10 min', now(), '2020-01-01') - interval '1 h' AS since});
$cluster->stop;
$cluster->start;
comes(q{SELECT bool_and(next_at > clock_timestamp()) FROM wf.schedule}, 'the keeper has caught up');
is(sql(q{SELECT count(*) BETWEEN 3 AND 4, count(*) = count(DISTINCT input->>'scheduledAt'), bool_and((input->>'firedAt')::timestamptz - (input->>'scheduledAt')::timestamptz <= '35 min'), array_agg(run_id ORDER BY run_id) = array_agg(run_id ORDER BY input->>'scheduledAt') FROM wf_runs WHERE workflow = 'down'}), 't|t|t|t', 'what is no longer ago is made up for');
is(sql(q{SELECT (SELECT count(*) FROM wf_runs WHERE workflow = 'down') + missed_count = (SELECT count(*) FROM outage, generate_series(since, next_at - interval '1 s', '10 min')) FROM wf_triggers WHERE workflow = 'down'}), 't', 'the others are counted');
is(sql(q{SELECT count(*), skipped_count > 0 FROM wf_runs r JOIN wf_triggers t USING (workflow) WHERE workflow = 'skip' GROUP BY skipped_count}), '1|t', 'overlap "skip" makes one run of them');
like(slurp_file($cluster->logfile), qr/schedule "at" of workflow "down" has missed more due times than it may make up for: [34]/, 'and logged');
sql(q{SELECT wf_delete('down'), wf_delete('skip'); SELECT forget()});

# killed between any two steps: each time once
sql(q{SELECT schedule('kill', '{"cron": "0 0 1 1 *"}')});
my $n = 0;
for my $point ('schedule.fired', 'schedule.advanced', 'keeper.schedules_fired')
{
	$n++;
	sql("SELECT due('kill', now() - interval '$n min')");
	sql("SELECT fault('$point:kill')");
	eval { poke() };
	comes("SELECT count(*) = $n FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", "killed at $point: it is fired");
	is(sql(q{SELECT count(DISTINCT input->>'scheduledAt') FROM wf_runs WHERE workflow = 'kill'}), $n, 'once');
}
# an error is as good as a crash, and ends no keeper
sql("SELECT due('kill', now() - interval '9 min'); SELECT fault('schedule.advanced:error')");
poke();
comes("SELECT count(*) = 4 FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", 'an error: it is fired later');

# two who fire
sql("SELECT due('kill', now() - interval '10 min'); SELECT fault('schedule.fired:hold')");
poke();
comes("SELECT fault('?') = ''", 'the keeper is at it');
is(sql('SELECT wf.fire_schedules()'), '0', 'nobody else fires it, nor waits');
sql("SELECT fault('')");
comes("SELECT count(*) = 5 FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", 'the keeper does');
my $client = $cluster->background_psql('postgres');
for my $end ('COMMIT', 'ROLLBACK')
{
	my $expected = 6 + ($end eq 'ROLLBACK');
	sql("SELECT due('kill', now() - interval '1$expected min')");
	is($client->query_safe('BEGIN; SELECT wf.fire_schedules()'), '1', 'somebody else is at it');
	poke();
	comes("SELECT count(*) = 0 FROM wf.queue", 'the keeper has nothing to do') if $end eq 'COMMIT';
	$client->query_safe($end);
	comes("SELECT count(*) = $expected FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", "$end: fired");
	is(sql('SELECT wf.fire_schedules()'), '0', 'once');
}
$client->quit;
is(sql(q{SELECT count(*), count(DISTINCT input->>'scheduledAt') FROM wf_runs WHERE workflow = 'kill'}), '7|7', 'all once');

# a restored database
sql("SELECT due('kill', now() - interval '20 min')");
my $dump = $cluster->basedir . '/dump';
$cluster->command_ok(['pg_dump', '-Fc', '-f', $dump, 'postgres'], 'dump');
sql("SELECT due('kill', now() + interval '1 h')");
sql('CREATE DATABASE copy');
$cluster->command_ok(['pg_restore', '-d', 'copy', $dump], 'restore');
comes("SELECT count(*) = 8 FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", 'what was due in the meantime is made up for', $cluster, 'copy');
is(sql(q{SELECT count(*) FROM wf_runs WHERE workflow = 'kill'}), '7', 'the other database has nothing to do with it');
sql('DROP DATABASE copy WITH (FORCE)');

# a standby takes over
$cluster->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($cluster, 'base', has_streaming => 1);
$standby->start;
sql("SELECT due('kill', now() - interval '30 min')");
sql('SELECT wf.fire_schedules()');
sql("SELECT due('kill', now() - interval '25 min')");
$cluster->wait_for_catchup($standby);
is($standby->psql('postgres', 'SELECT wf.fire_schedules()'), 3, 'a standby fires nothing');
$cluster->stop('immediate');
$standby->promote;
comes("SELECT count(*) = 9 FROM wf_runs WHERE workflow = 'kill' AND status = 'completed'", 'a promoted standby fires what is due', $standby);
is($standby->safe_psql('postgres', q{SELECT count(DISTINCT input->>'scheduledAt') FROM wf_runs WHERE workflow = 'kill'}), '9', 'and nothing that was fired');
is($standby->safe_psql('postgres', 'SELECT string_agg(problem, E\'\\n\') FROM wf.check_invariants()'), '', 'invariants');

# nobody there who could fire
$standby->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$standby->restart;
my ($out, $err);
$standby->psql('postgres', q{SELECT schedule('other', '{"cron": "@daily"}')}, stderr => \$err);
like($err, qr/there is nobody who could fire schedule "at" of workflow "other".*shared_preload_libraries.*cron\.schedule/s, 'without background workers it is refused');
is($standby->psql('postgres', q{SELECT wf_save('other', '{"nodes": [{"id": "at", "type": "trigger.schedule", "config": {"cron": "@daily"}}]}', '{"activate": false}')}), 0, 'unless it is not to be active');
is($standby->psql('postgres', q{SELECT wf_set_status('kill', 'paused')}), 0, 'one can be paused');
$standby->stop;
unlike(slurp_file($cluster->logfile) . slurp_file($standby->logfile), qr/\bleak\b|was not closed|PANIC|TRAP|not-empty SPI|non-empty SPI|alloc set/, 'no resource was left behind');
done_testing();
