#!/usr/bin/perl
# requests_flow.pl: what becomes of requests when their runs time out, are cancelled, paused or tried again, and in loops, branches and
# other workflows; requests within the transaction.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

my $cluster = request_cluster('flow', 'workflow.http_inline = on', 'max_prepared_transactions = 2');
my $off = JSON::PP::false();
my $quick = { maxAttempts => 3, initialDelay => 0.01, backoff => 'fixed', jitter => 0 };
my (@r, @n, $r, $id, @ids);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
sub ask { my ($path, %more) = @_; my $id = delete $more{id} // 'ask'; my %node = map { exists $more{"node_$_"} ? ($_ => delete $more{"node_$_"}) : () } qw(parent branch timeout onError retry); return { id => $id, type => 'http.request', config => { url => api($path), circuit => $off, %more }, %node } }
sub chain { my @ids = map { $_->{id} } grep { !$_->{parent} } @_; return { nodes => [@_], edges => [ map { { source => $ids[ $_ - 1 ], target => $ids[$_] } } 1 .. $#ids ] } }
sub request_state { return value("SELECT string_agg(state, ' ' ORDER BY created_at) FROM wf_requests WHERE path = '/$_[0]'", 'app') }
# until the server has a request, or more, that it does not answer
sub until_sent { my ($tag, $n) = @_; $n //= 1; return until_told('count', $tag, sub { $_ >= $n }, "$tag is on its way") }
sub until_cut { my ($tag) = @_; return until_told('notes', $tag, sub { !grep { ($_->{ended} // '') ne 'cut' } @$_ }, "$tag: the connection is closed") }

# -- time-outs and cancels --

@ids = start(
	[ chain(ask('/t1?hang', node_timeout => '300ms')) ],
	[ { %{ chain(ask('/t2?hang')) }, settings => { timeout => '300ms' } } ],
	[ chain(ask('/c1?hang')) ],
	[ chain(ask('/c2?code=503', retry => { maxAttempts => 5, initialDelay => 3600 })) ],
	[ chain(ask('/c3?hang', rateLimit => { requests => 1, per => '1h' })) ],
	[ { nodes => [ { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ], waitMode => 'first' } }, ask('/c4?hang', id => 'x', node_parent => 'p', node_branch => 'x'), ask('/c5', id => 'y', node_parent => 'p', node_branch => 'y') ], edges => [] } ],
);
is(code(wait_for($ids[0])), 'failed WF004', 'the time-out of the node');
is(code(wait_for($ids[1])), 'failed WF005', 'the time-out of the run');
is(code(wait_for($ids[5])), 'completed', 'the first branch');
until_sent($_) for 'c1', 'c3';
# the lane of w4 has had its one request of this hour: the next waits
my $queued = value(q{SELECT wf_run('w4') ->> 'run_id'}, 'app');
until_true("SELECT state = 'retrying' FROM wf_requests WHERE run_id = '$ids[3]'", 'one waits for its next attempt');
is(value("SELECT string_agg(wf_cancel(id, 'enough')::text, ' ') FROM unnest(ARRAY['$ids[2]', '$ids[3]', '$ids[4]', '$queued']::uuid[]) id", 'app'), 'true true true true', 'cancelled');
is(code(wait_for($_)), 'cancelled WF015', 'a run that is cancelled') for @ids[ 2 .. 4 ], $queued;
is(request_state($_), $_ eq 'c3' ? 'cancelled cancelled' : 'cancelled', "$_: the request is withdrawn") for qw(t1 t2 c1 c2 c3 c4);
is(value(q{SELECT string_agg(path || attempts, ' ' ORDER BY path, attempts) FROM wf_requests WHERE path ~ '^/(t|c)' AND state = 'cancelled'}, 'app'), '/c11 /c21 /c30 /c31 /c41 /t11 /t21', 'attempts that were cut short count');
until_cut($_) for qw(t1 t2 c1 c4);
is(told('count', 'c2') . told('count', 'c3'), '11', 'nothing more is sent');
is(value('SELECT count(*) FROM wf.request'), '0', 'the outbox is empty');

# -- pause and resume --

($id) = start([ chain(ask('/p1?ms=300'), ask('/p2', id => 'next')) ]);
is(value("SELECT wf_pause('$id')", 'app'), 't', 'paused in flight');
until_true("SELECT state = 'completed' FROM wf_requests WHERE path = '/p1'", 'the answer comes all the same');
is(value("SELECT status FROM wf_runs WHERE run_id = '$id'", 'app') . told('count', 'p2'), 'paused0', 'and is kept');
value("SELECT wf_resume('$id')", 'app');
is(code(wait_for($id)) . told('count', 'p1') . told('count', 'p2'), 'completed11', 'resumed: it goes on with it');

# -- another try --

$cluster->safe_psql('postgres', 'CREATE TABLE broken (); GRANT ALL ON broken TO app; CREATE FUNCTION work() RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF EXISTS (SELECT FROM pg_class WHERE relname = \'broken\') THEN RAISE \'broken\'; END IF; RETURN 1; END $$');
my $work = { id => 'work', type => 'db.query', config => { sql => 'SELECT work()', outputFormat => 'value' } };
value("SELECT wf_set_secret('CODE', '500')");
@ids = start(
	[ chain(ask('/a1'), $work) ],
	[ chain(ask('/a2?code={{ $secrets.CODE }}', retry => { maxAttempts => 1 }), { id => 'r', type => 'return', config => { value => '{{ $node.ask.output.status }}' } }) ],
	[ { nodes => [ { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ] } }, ask('/a3', id => 'x', node_parent => 'p', node_branch => 'x'), ask('/a4?code={{ $secrets.CODE }}', id => 'y', node_parent => 'p', node_branch => 'y', retry => { maxAttempts => 1 }) ], edges => [] } ],
	[ chain(ask('/a5?hang', id => 'x'), $work) ],
);
@r = map { wait_for($_) } @ids[ 0 .. 2 ];
is(join(' ', map { code($_) } @r), 'failed P0001 failed WF010 failed WF010', 'runs that fail');
value('DROP TABLE broken');
value("SELECT wf_set_secret('CODE', '201')");
value("SELECT wf_retry(id) FROM unnest(ARRAY['$ids[0]', '$ids[1]', '$ids[2]']::uuid[]) id", 'app');
@r = map { wait_for($_) } @ids[ 0 .. 2 ];
is(join(' ', map { code($_) } @r), 'completed completed completed', 'tried again');
is(told('count', 'a1') . ' ' . request_state('a1'), '1 completed', 'what was answered is not asked again');
@n = notes('a2');
is(scalar(@n) . ($n[0]{key} ne $n[1]{key} ? ' others ' : ' same ') . request_state('a2') . " $r[1]{output}", '2 others failed completed 201', 'what failed is a new request');
is(join(' ', told('count', 'a3') <= 2, told('count', 'a4')), '1 2', 'in branches too');
until_sent('a5');
value("SELECT wf_cancel('$ids[3]')", 'app');

# -- loops, branches, other workflows --

save('inner', chain(ask('/i{{ $trigger.n }}'), { id => 'r', type => 'return', config => { value => '{{ $node.ask.output.status + $trigger.n }}' } }));
my $loop = sub { my ($tag, %more) = @_; return { nodes => [ { id => 'l', type => 'loop', config => { items => [ 1, 2, 3 ], %more } }, ask("/$tag-{{ \$item }}", id => 'x', node_parent => 'l'), { id => 'r', type => 'return', config => { value => '{{ $node.l.output.count }}' } } ], edges => [ { source => 'l', target => 'r' } ] } };
my $branches = sub { my ($tag, %more) = @_; return { nodes => [ { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' }, { id => 'z' } ], %more } },
	map({ ask("/$tag-$_?ms=100", id => $_, node_parent => 'p', node_branch => $_) } qw(x y z)), { id => 'r', type => 'return', config => { value => 'done' } } ], edges => [ { source => 'p', target => 'r' } ] } };
my $sub = sub { my ($n, $mode) = @_; return chain({ id => 's', type => 'subworkflow', config => { workflow => 'inner', mode => $mode, input => { n => $n } } }, { id => 'r', type => 'return', config => { value => '{{ $node.s.output }}' } }) };
@r = all([ $loop->('l1') ], [ $loop->('l2', mode => 'workers', concurrency => 2) ], [ $branches->('b1') ], [ $branches->('b2', mode => 'workers') ], [ $sub->(1, 'inline') ], [ $sub->(2, 'child') ]);
is(join(' ', map { code($_) . ' ' . ($_->{output} // '') } @r), 'completed 3 completed 3 completed done completed done completed 201 completed 202', 'in loops, branches and other workflows');
is(join(' ', map { my $t = $_; map { told('count', "$t-$_") } 1 .. 3 } 'l1', 'l2'), '1 1 1 1 1 1', 'each round asks once');
is(join(' ', map { my $t = $_; map { told('count', "$t-$_") } qw(x y z) } 'b1', 'b2'), '1 1 1 1 1 1', 'and each branch');
my %at = map { $_ => (notes("b1-$_"))[0]{at} } qw(x y z);
is(value("SELECT count(DISTINCT request_id) FROM wf_requests WHERE path LIKE '/b1-%' AND run_id = '$r[2]{run_id}'", 'app'), '3', 'of one run there are three');
# many at once of one run
$r = run({ nodes => [ { id => 'p', type => 'parallel', config => { branches => [ map { { id => "x$_" } } 1 .. 100 ] } }, map({ ask("/many?ms=300&n=$_", id => "x$_", node_parent => 'p', node_branch => "x$_") } 1 .. 100) ], edges => [] });
is(code($r) . ' ' . told('count', 'many'), 'completed 100', 'a hundred branches');
cmp_ok(told('most', 'many'), '>', 1, 'they are sent side by side');
# large ones
$r = run(chain(ask('/large', body => { x => '{{ $input.x }}' }), { id => 'r', type => 'return', config => { value => '{{ $node.ask.output.body.body.length }}' } }), { x => 'y' x 3000000 });
is(code($r) . " $r->{output}", 'completed 3000009', 'three megabytes there and back');

# -- prepared transactions --

save('prepared', request_node({ url => api('/{{ $input.tag }}'), await => $off }));
value(q{BEGIN; SELECT wf_run('prepared', '{"tag": "x1"}'); PREPARE TRANSACTION 'a'; BEGIN; SELECT wf_run('prepared', '{"tag": "x2"}'); PREPARE TRANSACTION 'b'}, 'app');
run(chain(ask('/x3')));
is(told('count', 'x1') . told('count', 'x2') . told('count', 'x3'), '001', 'what is prepared is not sent');
value(q{COMMIT PREPARED 'a'; ROLLBACK PREPARED 'b'}, 'app');
until_sent('x1');
run(chain(ask('/x4')));
is(told('count', 'x2'), 0, 'nor what is rolled back then');

# -- within the transaction --

my $text = encode(chain(ask('/n1?text=ok&type=text/plain', mode => 'inline', await => JSON::PP::true())));
value("SELECT wf_save('inline', \$j\$$text\$j\$)");
my ($code, $out, $err) = $cluster->psql('postgres', "SELECT wf_call('inline')", extra_params => [ '-U', 'app' ]);
like($err, qr/code:write/, 'inline needs a permission');
is(value(q{SELECT wf_call('inline') ->> 'body'}), 'ok', 'a call gets its answer');
is(value(q{BEGIN; SELECT wf_call('inline') ->> 'body'; ROLLBACK}) . told('count', 'n1'), 'ok2', 'a rollback does not take it back');
value('ALTER SYSTEM SET workflow.http_inline = off; SELECT pg_reload_conf()');
until_true("SELECT current_setting('workflow.http_inline') = 'off'", 'the setting');
($code, $out, $err) = $cluster->psql('postgres', "SELECT wf_call('inline')");
like($err, qr/http_inline/, 'and nothing without the setting');

is(value('SELECT count(*) FROM wf.request'), '0', 'nothing is left in the outbox');
is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
$cluster->stop;
is(join("\n", grep { /leak|was not closed|PANIC|TRAP|non-empty SPI|alloc set/ } split /\n/, slurp_file($cluster->logfile)), '', 'no resource was left behind');
done_testing();
