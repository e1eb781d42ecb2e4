#!/usr/bin/perl
# trigger_events.pl: events that are put off (debounce): under load each is counted once, and a burst is one run; processes that
# die in the middle change nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use WorkerTest;

my $cluster = new_cluster('events');
$cluster->start;
setup($cluster, 'postgres', 'alice', 'bob');
sub sql { return $cluster->safe_psql('postgres', shift) }
sub comes { my ($query, $what) = @_; return ok(until_true($cluster, 'postgres', $query, $what), $what) }

sql(q{
	CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	CREATE SEQUENCE hits;
	CREATE TABLE got (workflow text, t jsonb);
	GRANT ALL ON hits, got TO PUBLIC;
	CREATE FUNCTION listen(name text, debounce int, settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('settings', settings, 'edges', '[{"source": "on", "target": "note"}]'::jsonb, 'nodes', jsonb_build_array(
			jsonb_build_object('id', 'on', 'type', 'trigger.event', 'config', jsonb_build_object('event', name, 'debounce', debounce)),
			jsonb_build_object('id', 'note', 'type', 'db.query', 'config', jsonb_build_object('sql', 'INSERT INTO got VALUES ($1, $2::jsonb)', 'params', jsonb_build_array(name, '{{ $trigger }}')))))) $$;
	SELECT listen('hit', 1000);
	SELECT listen('short', 50);
});
my $settled = q{NOT EXISTS (SELECT FROM wf.debounce) AND NOT EXISTS (SELECT FROM wf.queue) AND NOT EXISTS (SELECT FROM wf.live)};

# several clients, some correlations, and one client that takes its time to commit
my $folder = PostgreSQL::Test::Utils::tempdir();
append_to_file("$folder/hit.sql", "\\set c random(1, 8)\nSELECT wf_emit('hit', to_jsonb(nextval('hits')), :c::text);\n");
append_to_file("$folder/many.sql", "BEGIN;\nSELECT count(wf_emit('hit', to_jsonb(nextval('hits')), (n % 8 + 1)::text)) FROM generate_series(1, 40) n;\nCOMMIT;\n");
append_to_file("$folder/back.sql", "BEGIN;\nSELECT wf_emit('hit', to_jsonb(nextval('hits')), '1');\nROLLBACK;\n");
my @clients;
for my $client ([ 'alice', 'hit', 3, 1000 ], [ 'bob', 'many', 2, 30 ], [ 'bob', 'back', 1, 200 ])
{
	my ($role, $script, $n, $times) = @$client;
	my ($out, $err) = ('', '');
	push @clients, [ IPC::Run::start([ 'pgbench', '-n', '-c', $n, '-t', $times, '-f', "$folder/$script.sql", '-h', $cluster->host, '-p', $cluster->port, '-U', $role, 'postgres' ],
			'>', \$out, '2>', \$err, IPC::Run::timeout(300)), \$err ];
}
for (@clients)
{
	ok(IPC::Run::finish($_->[0]), 'a client emits') or diag(${ $_->[1] });
}
comes("SELECT $settled", 'all is dealt with');
is(sql(q{SELECT count(*) FROM wf.event WHERE event = 'hit'}), 3 * 1000 + 2 * 30 * 40, 'all events were emitted');
is(sql(q{
	SELECT e.correlation, e.n, g.n FROM (SELECT correlation, count(*) AS n FROM wf.event WHERE event = 'hit' GROUP BY 1) e
	FULL JOIN (SELECT t ->> 'correlation' AS correlation, sum((t ->> 'count')::int) AS n FROM got WHERE workflow = 'hit' GROUP BY 1) g USING (correlation)
	WHERE e.n IS DISTINCT FROM g.n}), '', 'each was counted once, where it belongs');
is(sql(q{
	SELECT g.* FROM (SELECT t ->> 'correlation' AS correlation, count(*) AS runs FROM got WHERE workflow = 'hit' GROUP BY 1) g
	JOIN (SELECT correlation, 1 + count(*) FILTER (WHERE gap >= '1 s') AS bursts
		FROM (SELECT correlation, emitted_at - lag(emitted_at) OVER (PARTITION BY correlation ORDER BY emitted_at) AS gap FROM wf.event WHERE event = 'hit') s GROUP BY 1) b USING (correlation)
	WHERE runs > bursts}), '', 'no more runs than bursts');
is(sql(q{
	SELECT DISTINCT ON (correlation) correlation, payload FROM wf.event e WHERE event = 'hit'
	AND NOT EXISTS (SELECT FROM wf.event l WHERE l.event = 'hit' AND l.correlation = e.correlation AND (l.emitted_at, l.event_id) > (e.emitted_at, e.event_id))
	AND NOT EXISTS (SELECT FROM got WHERE workflow = 'hit' AND t -> 'payload' = e.payload AND t ->> 'correlation' = e.correlation)}), '', 'the last payload of each is in a run');
diag(sql(q{SELECT count(*) || ' runs for ' || sum((t ->> 'count')::int) || ' events' FROM got WHERE workflow = 'hit'}));

# with a short time there are many bursts, and what commits late is of another one
sql(q{SELECT listen('fast', 3)});
append_to_file("$folder/fast.sql", "\\set c random(1, 3)\nSELECT wf_emit('fast', '1', :c::text);\n");
append_to_file("$folder/late.sql", "\\set c random(1, 3)\nBEGIN;\nSELECT wf_emit('fast', '1', :c::text);\n\\sleep 8 ms\nCOMMIT;\n");
command_ok([ 'pgbench', '-n', '-c', 4, '-t', 300, '-f', "$folder/fast.sql", '-f', "$folder/late.sql", '-h', $cluster->host, '-p', $cluster->port, '-U', 'alice', 'postgres' ], 'clients emit');
comes("SELECT $settled", 'all is dealt with');
is(sql(q{SELECT sum((t ->> 'count')::int) FROM got WHERE workflow = 'fast'}), 1200, 'each event is in one run');
is(sql(q{
	SELECT e.correlation, e.n, g.n FROM (SELECT correlation, count(*) AS n FROM wf.event WHERE event = 'fast' GROUP BY 1) e
	FULL JOIN (SELECT t ->> 'correlation' AS correlation, sum((t ->> 'count')::int) AS n FROM got WHERE workflow = 'fast' GROUP BY 1) g USING (correlation)
	WHERE e.n IS DISTINCT FROM g.n}), '', 'of its correlation');
diag(sql(q{SELECT count(*) || ' runs for ' || sum((t ->> 'count')::int) || ' events' FROM got WHERE workflow = 'fast'}));

# who dies between taking a burst and its commit leaves it as it was
sub is_up { return until_true($cluster, 'postgres', 'SELECT true', 'the server') }
for my $point ('debounce.taken', 'debounce.started', 'keeper.bursts_fired')
{
	sql('TRUNCATE got');
	sql("SELECT fault('$point:kill')");
	$cluster->psql('postgres', q{SELECT count(wf_emit('short', to_jsonb(n), 'k')) FROM generate_series(1, 5) n});
	comes(q{SELECT fault('?') = ''}, "$point: somebody dies there");
	is_up();
	comes("SELECT $settled AND EXISTS (SELECT FROM got)", "$point: it goes on");
	is(sql('SELECT workflow, t FROM got'), 'short|{"count": 5, "event": "short", "payload": 5, "correlation": "k"}', "$point: and makes one run");
}
sql('TRUNCATE got');
sql("SELECT fault('debounce.put:kill')");
$cluster->psql('postgres', q{SELECT wf_emit('short', '1', 'k')});
is_up();
comes(q{SELECT fault('?') = ''}, 'who emits dies');
is(sql(q{SELECT count(*) FROM wf.debounce}), 0, 'and has not emitted');

# the server goes down over the time
sql(q{SELECT listen('long', 2000)});
sql(q{SELECT count(wf_emit('long', to_jsonb(n))) FROM generate_series(1, 3) n});
$cluster->stop('immediate');
$cluster->start;
comes(q{SELECT count(*) = 1 FROM got WHERE workflow = 'long'}, 'what was put off is there after a crash');
is(sql(q{SELECT t FROM got WHERE workflow = 'long'}), '{"count": 3, "event": "long", "payload": 3, "correlation": null}', 'as it was');

# something that the run needs is locked: later
sql(q{SELECT listen('gated', 20, '{"maxConcurrency": 1, "concurrencyPolicy": "skip"}')});
my $holder = $cluster->background_psql('postgres');
$holder->query_safe(q{BEGIN; SELECT wf_start('gated', '{}')});
sql(q{SELECT wf_emit('gated')});
comes(q{SELECT failed_count > 0 FROM wf_triggers WHERE workflow = 'gated'}, 'the keeper does not wait for ever');
$holder->query_safe('ROLLBACK');
$holder->quit;
comes(q{SELECT EXISTS (SELECT FROM got WHERE workflow = 'gated')}, 'and tries again');
is(sql(q{SELECT t FROM got WHERE workflow = 'gated'}), '{"count": 1, "event": "gated", "payload": {}, "correlation": null}', 'once');

comes("SELECT $settled", 'nothing is left');
is(sql('SELECT * FROM wf.check_invariants()'), '', 'invariants');
$cluster->stop;
done_testing();
