#!/usr/bin/perl
# requests_policy.pl: where requests may go, rates, how many at once, circuits, room for others, and who sees what.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

my $cluster = request_cluster('policy', "workflow.http_deny = '127.0.0.9'", 'workflow.http_max_in_flight = 40');
value(q{CREATE FUNCTION clock(float8) RETURNS void LANGUAGE c AS 'workflow', 'wf_sql_test_clock'});
my $off = JSON::PP::false();
my $once = { maxAttempts => 1 };
my (@r, @n, $r, @ids, $code, $out, $err);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
sub one { my ($path, %more) = @_; return [ request_node({ url => api($path), circuit => $off, %more }) ] }
my $host = '127.0.0.1:' . api_port();

# -- where they may go --

my $elsewhere = sub { return [ request_node({ url => $_[0], connectTimeout => '2s', retry => { maxAttempts => 3, initialDelay => 0.01 } }) ] };
my @closed = map { $elsewhere->($_) } "http://127.0.0.9:" . api_port() . '/d1', 'http://10.0.0.1/', 'http://[::ffff:10.0.0.1]/', 'http://169.254.169.254/', 'http://0x7f.9:' . api_port() . '/d1', 'http://0.0.0.0:' . api_port() . '/d1';
@r = all(@closed, [ request_node({ url => url('http', '/redirect?to=http%3A%2F%2F10.0.0.1%2F') }) ], one('/d2'));
is(join(' ', map { code($_) } @r), join(' ', ('failed WF011') x 7, 'completed'), 'closed addresses');
is(value(q{SELECT sum(attempts) FROM wf_requests WHERE error ->> 'code' = 'WF011'}, 'app'), '7', 'are tried once');
is(told('count', 'd1'), 0, 'and not reached');
value(q{SELECT wf_set_http_policy(deny => '127.0.0.0/8')});
$r = run(@{ one('/d3') });
is(code($r) . told('count', 'd3'), 'failed WF0110', 'a tenant closes more');
value(q{SELECT wf_set_http_policy(allow => '127.0.0.1, 10.0.0.0/8')});
@r = all(one('/d4'), $elsewhere->('http://10.0.0.1/'), [ request_node({ url => url('http', '/ok') =~ s/127\.0\.0\.1/127.0.0.2/r, retry => $once }) ]);
is(join(' ', map { code($_) } @r), 'completed failed WF011 failed WF011', 'and opens nothing');
value(q{SELECT wf_set_http_policy()});
($code, $out, $err) = $cluster->psql('postgres', q{SELECT wf_set_http_policy(deny => '10.0.0.0/99')});
like($err, qr/10\.0\.0\.0\/99/, 'a rule that is none');
($code, $out, $err) = $cluster->psql('postgres', q{SELECT wf_set_http_policy(deny => '10.0.0.0/8')}, extra_params => [ '-U', 'app' ]);
like($err, qr/permission denied/, 'a member does not say where requests go');
value(q{ALTER SYSTEM SET workflow.http_deny = '127.0.0.9, 127.0.0.1'; SELECT pg_reload_conf()});
until_true(q{SELECT current_setting('workflow.http_deny') = '127.0.0.9, 127.0.0.1'}, 'a setting changes');
# the dispatcher reads it in its own time
my $blocked = 0;
for (my $i = 0; $i < 500 && !$blocked; $i++) { $blocked = code(run(@{ one('/d5') })) eq 'failed WF011' }
ok($blocked, 'and holds from then on');
value(q{ALTER SYSTEM RESET workflow.http_deny; SELECT pg_reload_conf()});
for (my $i = 0; $i < 500 && $blocked; $i++) { $blocked = code(run(@{ one('/d6') })) ne 'completed' }
ok(!$blocked, 'and no longer');

# -- rates and how many at once --

save('rate', one('/rate', rateLimit => { requests => 5, per => '1s', burst => 1 }, await => $off)->[0]);
save('most', one('/most?ms=30', hostConcurrency => 2)->[0]);
value(q{SELECT wf_start_many('rate', array_fill('{}'::jsonb, ARRAY[6])); SELECT wf_start_many('most', array_fill('{}'::jsonb, ARRAY[10]))}, 'app');
until_true(q{SELECT count(*) = 16 FROM wf_requests WHERE path IN ('/rate', '/most') AND state = 'completed'}, 'all are sent');
# the sixth token is there a second after the first was taken
is(value(q{SELECT max(ended_at) - min(created_at) >= '1 s' FROM wf_requests WHERE path = '/rate'}, 'app'), 't', 'no faster than their rate');
is(value(q{SELECT max(attempts) FROM wf_requests WHERE path IN ('/rate', '/most')}, 'app'), '1', 'which costs no attempt');
cmp_ok(told('most', 'most'), '<=', 2, 'no more at once than the node allows');

# limits of the tenant for a host, and for all that it sends, over all its workflows
my $here = value(q{SELECT host FROM wf_requests WHERE path = '/most' LIMIT 1}, 'app');
is($cluster->psql('postgres', "SELECT wf_limit_host('$here', requests => 1)", extra_params => [ '-U', 'app' ]), 3, 'a member may not set limits');
for my $bad ("''", "'a b'", "'x', requests => 0", "'x', requests => 1, per => '0 s'", "'x', concurrency => -1", 'NULL')
{
	my ($code, $out, $err) = $cluster->psql('postgres', "\\set VERBOSITY verbose\nSELECT wf_limit_host($bad)");
	like($err, qr/^psql:.*ERROR:  22(023|004):/m, "wf_limit_host($bad)");
}
value("SELECT wf_limit_host('$here', concurrency => 3), wf_limit_host('*', requests => 8, burst => 1)");
is(value('SELECT host, requests, per, burst, concurrency FROM wf_host_limits ORDER BY requests', 'app'), "*|8|00:00:01|1|\n$here||||3", 'what they are');
save("all$_", one("/all?ms=300", await => $off)->[0]) for 1 .. 2;
value(q{SELECT wf_start_many('all1', array_fill('{}'::jsonb, ARRAY[5])); SELECT wf_start_many('all2', array_fill('{}'::jsonb, ARRAY[4]))}, 'app');
until_true(q{SELECT count(*) = 9 FROM wf_requests WHERE path = '/all' AND state = 'completed'}, 'all are sent, of both workflows');
cmp_ok(told('most', 'all'), '<=', 3, 'no more at once than the host may have');
# the ninth token is there a second after the first was taken
is(value(q{SELECT max(ended_at) - min(created_at) >= '1 s' FROM wf_requests WHERE path = '/all'}, 'app'), 't', 'no faster than the tenant may be');
value('SELECT wf_limit_host(host) FROM wf_host_limits');
is(value('SELECT count(*) FROM wf_host_limits'), '0', 'without limits there are none');

# -- a host that hangs leaves room --

save('hang', request_node({ url => url('deaf', '/'), timeout => '1h' }));
save('live', one('/live')->[0]);
value(q{SELECT wf_start_many('hang', array_fill('{}'::jsonb, ARRAY[100]))}, 'app');
until_true(q{SELECT count(*) FILTER (WHERE state = 'sending') = 20 AND count(*) = 100 FROM wf_requests WHERE host LIKE '%:} . NetTest::port('deaf') . q{'}, 'half of the places are for a host that hangs');
value(q{SELECT wf_start_many('live', array_fill('{}'::jsonb, ARRAY[50]))}, 'app');
until_true(q{SELECT count(*) = 50 FROM wf_requests WHERE path = '/live' AND state = 'completed'}, 'others are sent meanwhile');
is(value(q{SELECT string_agg(DISTINCT state, ' ' ORDER BY state) FROM wf_requests WHERE host LIKE '%:} . NetTest::port('deaf') . q{'}), 'queued sending', 'while it hangs');
value(q{SELECT wf_cancel(run_id) FROM wf_runs WHERE workflow = 'hang' AND finished_at IS NULL}, 'app');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'all of them cancelled');

# -- circuits --

# nothing of what happened above counts here
value(q{SELECT clock(120)});
save('failing', request_node({ url => url('other', '/status?code=500'), retry => $once }));
save('patient', request_node({ url => url('other', '/ok'), retry => { maxAttempts => 5, initialDelay => 0.01 } }));
save('plain', request_node({ url => url('other', '/ok') }));
save('aside', request_node({ url => url('other', '/ok'), circuit => $off }));
my $other = '127.0.0.1:' . NetTest::port('other');
my $circuit = q{SELECT concat_ws(' ', state, attempts, failures, times_opened, retry_at > changed_at) FROM wf_circuits WHERE host = '} . $other . q{'};
value(q{SELECT wf_start_many('failing', array_fill('{}'::jsonb, ARRAY[9]))}, 'app');
until_true(q{SELECT count(*) = 9 FROM wf_dead_letters WHERE workflow = 'failing'}, 'nine failures');
is(value($circuit, 'app'), '', 'are too few');
value(q{SELECT wf_run('failing')}, 'app');
until_true("SELECT EXISTS ($circuit)", 'a tenth opens the circuit');
is(value($circuit, 'app'), 'open 10 10 1 t', 'as the view tells');
my $before = seen('/ok');
@ids = split /\n/, value(q{SELECT wf_run('plain') ->> 'run_id'; SELECT wf_run('patient') ->> 'run_id'}, 'app');
is(code(wait_for($ids[0])), 'failed WF012', 'a request fails at once');
until_true("SELECT state = 'queued' AND error ->> 'code' = 'WF012' FROM wf_requests WHERE run_id = '$ids[1]'", 'one with a policy of its own waits');
is(seen('/ok') - $before, 0, 'nothing is sent');
is(code(wait_for(value(q{SELECT wf_run('aside') ->> 'run_id'}, 'app'))), 'completed', 'one without a circuit is');
is(value(q{SELECT attempts || ' ' || state FROM wf_requests WHERE run_id = '} . $ids[0] . q{'}, 'app'), '0 failed', 'no attempt was made');
# the dispatcher sees the clock when it is woken
value(q{SELECT clock(300)});
value(q{SELECT wf_run('aside')}, 'app');
is(code(wait_for($ids[1])), 'completed', 'later one is let through, and closes it');
until_true("SELECT ($circuit) LIKE 'closed%'", 'closed');
is(code(wait_for(value(q{SELECT wf_run('plain') ->> 'run_id'}, 'app'))), 'completed', 'all is as before');
value(q{SELECT wf_start_many('failing', array_fill('{}'::jsonb, ARRAY[30]))}, 'app');
until_true("SELECT ($circuit) LIKE 'open%'", 'open again');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'nothing left');
($code, $out, $err) = $cluster->psql('postgres', "SELECT wf_reset_circuit('$other')", extra_params => [ '-U', 'other' ]);
isnt($code, 0, 'a stranger resets nothing');
is(value("SELECT wf_reset_circuit('$other'), wf_reset_circuit('$other'), wf_reset_circuit('nothing')"), 't|f|f', 'reset');
is(code(wait_for(value(q{SELECT wf_run('plain') ->> 'run_id'}, 'app'))), 'completed', 'and requests are sent');
# what is written down outlives the dispatcher
value(q{SELECT wf_start_many('failing', array_fill('{}'::jsonb, ARRAY[30]))}, 'app');
until_true("SELECT ($circuit) LIKE 'open%'", 'open once more');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'nothing left');
my $pid = dispatcher();
value("SELECT pg_terminate_backend($pid)");
until_true("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'the dispatcher is gone');
is(code(wait_for(value(q{SELECT wf_run('plain') ->> 'run_id'}, 'app'))), 'failed WF012', 'the next one knows of the circuit');

# -- who sees what --

value(q{SELECT wf_create_tenant('acme'); CREATE ROLE ann LOGIN; SELECT wf_grant('ann', 'acme', 'member'); CREATE ROLE vic LOGIN; SELECT wf_grant('vic', 'default', 'viewer')});
is(value(q{SELECT (SELECT count(*) FROM wf_requests) + (SELECT count(*) FROM wf_circuits) + (SELECT count(*) FROM wf_stat_hosts)}, 'ann'), '0', 'another tenant sees nothing');
my $ann = encode(request_node({ url => url('other', '/ok') }));
$r = value("SELECT wf_save('x', \$j\$$ann\$j\$) AS version \\gset\nSELECT wf_run('x') ->> 'run_id'", 'ann');
is(code(decode(value("SELECT wf_await('$r', '60s')", 'ann'))), 'completed', 'and its circuits are its own');
is(value(q{SELECT count(*) FROM wf_requests}, 'ann') . value(qq{SELECT requests || ' ' || completed FROM wf_stat_hosts WHERE host = '$other'}, 'ann'), '11 1', 'it sees its own');
cmp_ok(value(q{SELECT count(*) FROM wf_requests}, 'vic'), '>', 100, 'a viewer sees those of the tenant');
is(value(qq{SELECT requests > 50, failed > 10, attempts > 50, avg_ms > 0, p95_ms >= 0 FROM wf_stat_hosts WHERE host = '$host' OR host = '$other' ORDER BY failed DESC LIMIT 1}, 'vic'), 't|t|t|t|t', 'and how hosts did');
is(value(q{SELECT (SELECT count(*) FROM wf.request_log), (SELECT count(*) FROM wf.circuit), (SELECT count(*) FROM wf.request)}, 'ann'), '1|0|0', 'past the views, too');
for my $sql ('DELETE FROM wf.request_log', 'DELETE FROM wf.request', 'DELETE FROM wf.circuit', q{UPDATE wf.circuit SET state = 'closed'}, q{UPDATE wf_requests SET state = 'x'})
{
	my ($c, $o, $e) = $cluster->psql('postgres', $sql, extra_params => [ '-U', 'app' ]);
	isnt($c, 0, "$sql: not for members");
}

is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
$cluster->stop;
is(join("\n", grep { /leak|was not closed|PANIC|TRAP|non-empty SPI|alloc set/ } split /\n/, slurp_file($cluster->logfile)), '', 'no resource was left behind');
done_testing();
