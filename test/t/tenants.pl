#!/usr/bin/perl
# tenants.pl: what a tenant that is suspended has to be sent waits, and goes on; a tenant that is deleted goes whole, whatever dies
# meanwhile, and waits for those who may still write; a table that somebody has locked is in nobody's way.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use RequestTest;
use RuntimeLoad qw(ensure_up);
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = request_cluster('tenants', "workflow.databases = ''", 'max_prepared_transactions = 5');
value(q{CREATE FUNCTION fault(text) RETURNS text LANGUAGE c AS 'workflow', 'wf_sql_test_fault';
	SELECT wf_create_tenant('shop'), wf_grant('app', 'shop', 'owner');
	GRANT CREATE ON SCHEMA public TO app});
# in(tenant, sql): as the role app
sub in { my ($tenant, $sql) = @_; return value("SET workflow.tenant = '$tenant'; $sql", 'app') }
sub ask { my ($url, $delay) = @_; return encode(request_node({ url => $url, circuit => JSON::PP::false(), retry => { maxAttempts => 5, initialDelay => $delay, maxDelay => $delay } })) }
sub sent { return scalar notes($_[0]) }

# -- requests --

in('shop', q{SELECT wf_save('ask', $j$} . ask(api('/shop?fails=1'), 3600) . q{$j$)});
in('default', q{SELECT wf_save('ask', $j$} . ask(api('/calm?fails=1'), 0.05) . q{$j$)});
my $run = in('shop', q{SELECT wf_start('ask')});
until_true(q{SELECT EXISTS (SELECT FROM wf.request WHERE failures = 1) AND NOT EXISTS (SELECT FROM wf.sending)}, 'the first attempt has failed');
value(q{SELECT wf_set_tenant_status('shop', 'suspended')});
# the next one is due
value(q{UPDATE wf.request SET due_at = now()});
my $before = sent('shop');
is($before, 1, 'it was sent once');
my $other = in('default', q{SELECT wf_start('ask')});
is(decode(in('default', qq{SELECT wf_await('$other', '${deadline}s')}))->{status}, 'completed', "another tenant's request is sent, and sent again");
is(sent('shop'), $before, 'that of the suspended tenant is not');
is(in('shop', qq{SELECT wf_await('$run', '1 ms') ->> 'status'}), 'waiting', 'its run waits');
value(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'workflow dispatcher'});
$other = in('default', q{SELECT wf_start('ask')});
is(decode(in('default', qq{SELECT wf_await('$other', '${deadline}s')}))->{status}, 'completed', 'by another dispatcher, too');
is(sent('shop'), $before, 'it waits still');
value(q{SELECT wf_set_tenant_status('shop', 'active')});
is(decode(in('shop', qq{SELECT wf_await('$run', '${deadline}s')}))->{status}, 'completed', 'with the tenant it goes on');
is(sent('shop'), 2, 'once after the attempt that failed');

# -- deleting: what dies in the midst of it --

sub orphans { return value(q{
	CREATE OR REPLACE FUNCTION orphans() RETURNS text LANGUAGE plpgsql AS $$
	DECLARE t regclass; n bigint; r text := '';
	BEGIN
		FOR t IN SELECT c.oid FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
			WHERE c.relnamespace = 'wf'::regnamespace AND c.relkind IN ('r', 'p') AND a.attname = 'tenant_id' AND NOT a.attisdropped LOOP
			EXECUTE format('SELECT count(*) FROM %s x WHERE NOT EXISTS (SELECT FROM wf.tenant t WHERE t.tenant_id = x.tenant_id AND t.status <> ''deleting'')', t) INTO n;
			r := r || CASE WHEN n > 0 THEN format('%s: %s ', t, n) ELSE '' END;
		END LOOP;
		RETURN r;
	END $$;
	SELECT orphans()}) }
# fill(tenant): runs that have ended, events, runs that wait, a trigger of a table
sub fill
{
	my ($tenant) = @_;
	value("SELECT wf_create_tenant('$tenant'), wf_grant('app', '$tenant', 'owner')");
	in($tenant, qq{CREATE TABLE ${tenant}_t (id int);
		SELECT wf_save('w', '{"nodes": [{"id": "e", "type": "waitForEvent", "config": {"event": "go"}}]}');
		SELECT wf_save('r', '{"nodes": [{"id": "c", "type": "trigger.row", "config": {"table": "${tenant}_t", "events": ["insert"]}}]}');
		SELECT count(*) FROM wf_start_many('w', array_fill('{}'::jsonb, ARRAY[50]))});
	until_true(qq{SELECT count(*) = 50 FROM wf.live l JOIN wf.tenant t USING (tenant_id) WHERE t.name = '$tenant'}, "$tenant: runs wait");
	value(qq{INSERT INTO wf.run (tenant_id, run_id, workflow_id, version, attempt, started_at, finished_at, queued_at, started_by, status, trigger)
			SELECT t.tenant_id, gen_random_uuid(), gen_random_uuid(), 1, 1, now(), now(), now(), 'app', 'completed', 'manual' FROM wf.tenant t, generate_series(1, 5000) WHERE t.name = '$tenant';
		INSERT INTO wf.event SELECT t.tenant_id, gen_random_uuid(), 'e', NULL, '{}', now(), true, NULL FROM wf.tenant t, generate_series(1, 3000) WHERE t.name = '$tenant'});
	return;
}
fill('stays');
my $stays = q{SELECT (SELECT count(*) FROM wf.run JOIN wf.tenant t USING (tenant_id) WHERE t.name = 'stays') || ' ' || (SELECT count(*) FROM wf.live JOIN wf.tenant t USING (tenant_id) WHERE t.name = 'stays')};
is(value($stays), '5000 50', 'what is of another tenant');
for my $point ('tenant.deleted_some:kill', 'keeper.tenant_deleted:kill:3', 'tenant.deleted_some:error:2', 'keeper.tenant_deleted:postmaster:5')
{
	fill('goes');
	value("SELECT fault('$point')");
	in('goes', q{SELECT wf_set_tenant_status('goes', 'archived'), wf_delete_tenant('goes')});
	# the server may be down, or on its way up
	my $end = time + $deadline;
	my $left = '';
	while (time < $end && $left ne 'gone')
	{
		ensure_up($cluster);
		$left = eval { value(q{SELECT CASE WHEN EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting') THEN 'there' ELSE 'gone' END}) } // 'down';
		sleep 0.05;
	}
	is($left, 'gone', "$point: it goes on, to the end");
	is(orphans(), '', "$point: nothing of it is left");
	is(value($stays), '5000 50', "$point: what is of another tenant is");
	is(value(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'goes_t'::regclass}), '0', "$point: its trigger is dropped");
	value('DROP TABLE goes_t');
}
value(q{SELECT fault('')});

# -- who may still write --

fill('goes');
my $writer = $cluster->background_psql('postgres', on_error_stop => 0);
# it was let in before the tenant was deleted, and has written nothing yet
$writer->query(q{SET workflow.tenant = 'goes'; BEGIN; SELECT wf_can('workflow:execute')});
in('goes', q{SELECT wf_set_tenant_status('goes', 'archived'), wf_delete_tenant('goes')});
is(value(q{SELECT count(*) FROM wf.secret JOIN wf.tenant USING (tenant_id) WHERE status = 'deleting'}), '0', 'secrets are gone at once');
# other work of the keeper's goes on
in('default', q{SELECT wf_save('nap', '{"nodes": [{"id": "d", "type": "delay", "config": {"duration": 0.05}}]}')});
is(decode(in('default', 'SELECT wf_await(\'' . in('default', q{SELECT wf_start('nap')}) . "', '${deadline}s')"))->{status}, 'completed', 'timers fire meanwhile');
is(value(q{SELECT (SELECT count(*) FROM wf.run JOIN wf.tenant t USING (tenant_id) WHERE t.status = 'deleting')}), '5000', 'as long as a transaction that was there before runs, rows stay');
my $refused = $writer->query(q{SELECT wf_run('w')});
$writer->query('ROLLBACK');
until_true(q{SELECT NOT EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting')}, 'then they go');
is(orphans(), '', 'all of them');
$writer->quit;
value('DROP TABLE goes_t');

# a prepared transaction may write, too
fill('goes');
in('goes', q{BEGIN; SELECT wf_emit('x'); PREPARE TRANSACTION 'one'});
in('goes', q{SELECT wf_set_tenant_status('goes', 'archived'), wf_delete_tenant('goes')});
is(decode(in('default', 'SELECT wf_await(\'' . in('default', q{SELECT wf_start('nap')}) . "', '${deadline}s')"))->{status}, 'completed', 'the keeper has looked');
is(value(q{SELECT count(*) FROM wf.tenant WHERE status = 'deleting'}), '1', 'a prepared transaction is waited for');
value(q{COMMIT PREPARED 'one'});
until_true(q{SELECT NOT EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting')}, 'then all goes');
is(orphans(), '', 'what it wrote, too');

# -- a table that somebody has locked --

value('DROP TABLE goes_t');
fill('goes');
fill('too');
my $locker = $cluster->background_psql('postgres');
in('goes', q{SELECT wf_set_tenant_status('goes', 'archived')});
in('too', q{SELECT wf_set_tenant_status('too', 'archived'), wf_delete_tenant('too')});
until_true(q{SELECT NOT EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting')}, 'one goes');
$locker->query('BEGIN; LOCK goes_t');
# what runs at the time is waited for; a lock that comes later is in the way of the trigger alone
in('goes', q{SELECT wf_delete_tenant('goes')});
is(decode(in('default', 'SELECT wf_await(\'' . in('default', q{SELECT wf_start('nap')}) . "', '${deadline}s')"))->{status}, 'completed', 'timers fire while a table is locked');
$locker->query('COMMIT');
until_true(q{SELECT NOT EXISTS (SELECT FROM wf.tenant WHERE status = 'deleting')}, 'the other goes when it is not');
is(value(q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'goes_t'::regclass}), '0', 'with its trigger');
is(orphans(), '', 'nothing is left');
$locker->quit;
is(value(q{SELECT string_agg(problem, ', ') FROM wf.check_invariants()}), '', 'nothing is wrong');
$cluster->stop;
done_testing();
