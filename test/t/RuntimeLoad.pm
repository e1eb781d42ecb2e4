# RuntimeLoad.pm: a mixed load of runs that suspend, clients that start and answer them, and what must hold in the end.
#
# Each step of each run writes a row into `ledger` with the run, the node and the round. Children write under the id of
# their root, which they are given as input, so that `expected` can say from the input of a start which rows there have
# to be: each once. A start is accepted when the transaction that made it committed, since it writes `accepted` in the
# same one; starts that are rolled back must leave nothing. Answers (signals, events, completions, finished tasks) are
# noted in the same transaction too: what is not noted did not happen, and is done again.
#
# Requests go to request_server.mjs, which notes path and key of each; the path names the run and the node. In the end each that was
# to be made is in wf.request_log once, was received, with one key, and nothing was received that is not there.
#
# Clients are pgbench processes, of two roles that are ordinary members; a lost connection ends one, and it begins anew.
package RuntimeLoad;
use strict;
use warnings;
use Exporter 'import';
use IPC::Open2;
use IPC::Run ();
use JSON::PP;
use POSIX ':sys_wait_h';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(runtime_there fault_points prepare start_clients stop_clients clients_complaints drain check_result try_sql until_up ensure_up postmaster_pid);

# Is there a durable runtime in this tree?
sub runtime_there
{
	my $root = $ENV{WF_ROOT} // '.';
	return grep { slurp_file($_) =~ /FUNCTION\s+(?:\@extschema\@\.)?wf_start\s*\(/i } glob("$root/sql/parts/*.sql");
}

# All WF_FAULT("...") of the sources, but those that only come after a crash: runtime_crash.pl has these.
sub fault_points
{
	my $root = $ENV{WF_ROOT} // '.';
	my %found;
	for my $file (glob("$root/src/*.c $root/src/*/*.c"))
	{
		my $text = slurp_file($file);
		$found{$1} = 1 while $text =~ /\bWF_FAULT\("([^"]+)"\)/g;
	}
	return sort grep { !/^(crash|secret)\./ } keys %found;
}

# -- the workflows --
#
# name => [weight, status it ends with, definition, the rows that it writes]
# A row is 'node' or 'node/round'; one that may also be missing has a '?' behind it.
my $write = sub {
	my ($id, %more) = @_;
	my $round = delete $more{round} // '';
	my $run = delete $more{run} // '{{ $run.id }}';
	my $node = delete $more{node} // $id;
	return { id => $id, type => 'db.create', config => { table => 'ledger', values => { run_id => $run, node => $node, round => $round } }, %more };
};
my $chain = sub {
	my @ids = map { $_->{id} } grep { !$_->{parent} } @_;
	return { nodes => [@_], edges => [ map { { source => $ids[ $_ - 1 ], target => $ids[$_] } } 1 .. $#ids ] };
};
my $root = '{{ $trigger.root }}';
# In a child that executes a part of its parent $run is the child; what `a` wrote is known there.
my $parent = '{{ $node.a.output.row.run_id }}';

my $ask = sub {
	my ($id, $query, %more) = @_;
	my $config = delete $more{config} // {};
	my $run = delete $more{run} // '{{ $trigger.phantom ?? $run.id }}';
	my $round = delete $more{round} // '';
	return { id => $id, type => 'http.request', config => { url => "http://127.0.0.1:0/load/$run/$id/$round?lean&text=ok&type=text/plain&$query", %$config }, %more };
};
my $off = JSON::PP::false();
my $often = { maxAttempts => 3, initialDelay => 0.02, backoff => 'fixed', jitter => 0 };

# The requests that they make, as in the rows: 'node' or 'node/round', and how each ends unless that is `completed`
our %requests = (ask => ['r'], askForget => [qw(r q)], askAgain => ['r'], askBranches => [qw(x y)], askTimeout => ['r=cancelled'], askFan => [qw(r/1 r/2 r/3)], askFails => ['r=failed'], askRetry => [qw(r=failed r=failed)]);

our %workflows = (
	ask => [ 3, 'completed', $chain->($write->('a'), $ask->('r', 'ms=20'), $write->('b', round => '{{ $node.r.output.status }}')), [qw(a b/200)] ],
	askForget => [ 2, 'completed', $chain->($write->('a'), $ask->('r', '', config => { await => $off }), $ask->('q', 'fails=1', config => { await => $off, circuit => $off, retry => $often }), $write->('b')), [qw(a b)] ],
	# the server fails at the first two attempts that it sees
	askAgain => [ 2, 'completed', $chain->($write->('a'), $ask->('r', 'fails=2', config => { circuit => $off, retry => $often }), $write->('b', round => '{{ $node.r.output.status }}')), [qw(a b/200)] ],
	askBranches => [ 2, 'completed', { nodes => [ $write->('a'), { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ] } },
				$ask->('x', 'ms=50', parent => 'p', branch => 'x'), $ask->('y', '', parent => 'p', branch => 'y'),
				$write->('x2', parent => 'p', branch => 'x'), $write->('y2', parent => 'p', branch => 'y'), $write->('b') ],
			edges => [ { source => 'a', target => 'p' }, { source => 'x', target => 'x2' }, { source => 'y', target => 'y2' }, { source => 'p', target => 'b' } ] }, [qw(a x2 y2 b)] ],
	askTimeout => [ 2, 'completed', { nodes => [ $write->('a'), $ask->('r', 'hang', timeout => 0.2, config => { circuit => $off }), $write->('b'), $write->('t') ],
			edges => [ { source => 'a', target => 'r' }, { source => 'r', target => 'b' }, { source => 'r', sourceHandle => 'error', target => 't' } ] }, [qw(a t)] ],
	askFails => [ 1, 'completed', { nodes => [ $write->('a'), $ask->('r', 'code=404', config => { circuit => $off }), $write->('b'), $write->('t', round => '{{ $node.r.error.details.status }}') ],
			edges => [ { source => 'a', target => 'r' }, { source => 'r', target => 'b' }, { source => 'r', sourceHandle => 'error', target => 't' } ] }, [qw(a t/404)] ],
	# two requests of one node
	askRetry => [ 1, 'failed', $chain->($write->('a'), { id => 's', type => 'delay', config => { duration => '20 milliseconds' } }, $ask->('r', 'code=404', config => { circuit => $off }, onError => 'retry', retry => { maxAttempts => 2, initialDelay => 0.05 })), [qw(a)] ],
	askFan => [ 1, 'completed', $chain->($write->('a'), { id => 'l', type => 'loop', config => { items => [ 1, 2, 3 ], mode => 'workers', concurrency => 2 } },
			$ask->('r', 'ms=10', parent => 'l', run => $parent, round => '{{ $item }}'), $write->('b', round => '{{ $node.l.output.count }}')), [qw(a b/3)] ],
	# children; started by others only
	# started by events that are put off: of all that came together, one
	hit => [ 0, 'completed', $chain->({ id => 'on', type => 'trigger.event', config => { event => 'hit', debounce => 40 } }, { id => 'n', type => 'noop' }), [] ],
	leaf => [ 0, 'completed', $chain->($write->('l1', run => $root, node => 'leaf1', round => '{{ $trigger.k }}'), { id => 's', type => 'delay', config => { duration => '100 milliseconds' } },
			$write->('l2', run => $root, node => 'leaf2', round => '{{ $trigger.k }}')), [] ],
	plain => [ 3, 'completed', $chain->($write->('a'), $write->('b'), $write->('c')), [qw(a b c)] ],
	delayed => [ 3, 'completed', $chain->($write->('a'), { id => 's', type => 'delay', config => { duration => '150 milliseconds' } }, $write->('b'),
			{ id => 't', type => 'delay', config => { duration => '{{ $trigger.seconds }}' } }, $write->('c')), [qw(a b c)] ],
	until => [ 2, 'completed', $chain->($write->('a'), { id => 's', type => 'waitUntil', config => { time => '{{ $trigger.at }}' } }, $write->('b')), [qw(a b)] ],
	event => [ 3, 'completed', $chain->($write->('a'), { id => 'w', type => 'waitForEvent', config => { event => 'go', correlation => '{{ $run.id }}', timeout => '1 hour' } }, $write->('b')), [qw(a b)] ],
	signal => [ 2, 'completed', $chain->($write->('a'), { id => 'w', type => 'waitForEvent', config => { event => 'poke', timeout => '1 hour' } }, $write->('b'),
			{ id => 'x', type => 'waitForEvent', config => { event => 'poke', timeout => '1 hour' } }, $write->('c')), [qw(a b c)] ],
	timeout => [ 2, 'completed', {
			nodes => [ $write->('a'), { id => 'w', type => 'waitForEvent', config => { event => 'never', timeout => '200 milliseconds' } }, $write->('b'), $write->('t') ],
			edges => [ { source => 'a', target => 'w' }, { source => 'w', target => 'b' }, { source => 'w', sourceHandle => 'timeout', target => 't' } ] }, [qw(a t)] ],
	approval => [ 2, 'completed', {
			nodes => [ $write->('a'), { id => 'p', type => 'approval', config => { title => 'may it?', timeout => '1 hour' } }, $write->('y'), $write->('n') ],
			edges => [ { source => 'a', target => 'p' }, { source => 'p', sourceHandle => 'approved', target => 'y' }, { source => 'p', sourceHandle => 'rejected', target => 'n' } ] }, [qw(a y)] ],
	# 'work' is written by the client that finishes the task, in one transaction with it
	task => [ 3, 'completed', $chain->($write->('a'), { id => 'w', type => 'task', config => { queue => 'work', payload => { root => '{{ $run.id }}' } } },
			$write->('b', round => '{{ $node.w.output.done }}')), [qw(a work b/yes)] ],
	child => [ 2, 'completed', $chain->($write->('a'), { id => 'c', type => 'subworkflow', config => { workflow => 'leaf', mode => 'child', input => { root => '{{ $run.id }}', k => 'c' } } }, $write->('b')), [qw(a leaf1/c leaf2/c b)] ],
	detached => [ 1, 'completed', $chain->($write->('a'), { id => 'c', type => 'subworkflow', config => { workflow => 'leaf', mode => 'detached', input => { root => '{{ $run.id }}', k => 'd' } } }, $write->('b')), [qw(a leaf1/d leaf2/d b)] ],
	fan => [ 2, 'completed', $chain->($write->('a'), { id => 'l', type => 'loop', config => { items => [ 1, 2, 3 ], mode => 'workers', concurrency => 2 } },
			$write->('i', parent => 'l', run => $parent, round => '{{ $item }}'), $write->('b', round => '{{ $node.l.output.count }}')), [qw(a i/1 i/2 i/3 b/3)] ],
	branches => [ 2, 'completed', { nodes => [ $write->('a'), { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ], mode => 'workers' } },
				$write->('x', parent => 'p', branch => 'x', run => $parent), { id => 's', type => 'delay', parent => 'p', branch => 'y', config => { duration => '100 milliseconds' } },
				$write->('y', parent => 'p', branch => 'y', run => $parent), $write->('b') ],
			edges => [ { source => 'a', target => 'p' }, { source => 's', target => 'y' }, { source => 'p', target => 'b' } ] }, [qw(a x y b)] ],
	first => [ 1, 'completed', { nodes => [ $write->('a'), { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ], mode => 'workers', waitMode => 'first' } },
				$write->('x', parent => 'p', branch => 'x', run => $parent), $write->('y0', parent => 'p', branch => 'y', run => $parent), { id => 's', type => 'delay', parent => 'p', branch => 'y', config => { duration => '1 hour' } },
				$write->('y1', parent => 'p', branch => 'y', run => $parent), $write->('b') ],
			edges => [ { source => 'a', target => 'p' }, { source => 'y0', target => 's' }, { source => 's', target => 'y1' }, { source => 'p', target => 'b' } ] }, [qw(a x y0? b)] ],
	# fails in two of three attempts, after it has written; what is written then is undone
	retry => [ 2, 'completed', $chain->($write->('a'), { id => 'f', type => 'db.query', config => { sql => 'SELECT flaky($1::uuid)', params => ['{{ $run.id }}'], outputFormat => 'value' },
				retry => { maxAttempts => 60, initialDelay => 0.05, backoff => 'fixed' } }, $write->('b')), [qw(a flaky b)] ],
	rounds => [ 1, 'completed', { nodes => [ { id => 'l', type => 'loop', config => { items => [ 1, 2, 3 ] } }, $write->('i', parent => 'l', round => '{{ $item }}'),
				{ id => 's', type => 'delay', parent => 'l', config => { duration => '50 milliseconds' } }, $write->('j', parent => 'l', round => '{{ $item }}'), $write->('b') ],
			edges => [ { source => 'i', target => 's' }, { source => 's', target => 'j' }, { source => 'l', target => 'b' } ] }, [qw(i/1 i/2 i/3 j/1 j/2 j/3 b)] ],
	undo => [ 1, 'compensated', { nodes => [ $write->('a', compensate => { node => 'ua' }), $write->('ua'), { id => 's', type => 'delay', config => { duration => '50 milliseconds' } },
				$write->('gone'), { id => 'f', type => 'fail', config => { code => 'NO', message => 'no' }, onError => 'compensate' } ],
			edges => [ { source => 'a', target => 's' }, { source => 's', target => 'gone' }, { source => 'gone', target => 'f' } ] }, [qw(a ua)] ],
	gate => [ 2, 'completed', { %{ $chain->($write->('a'), { id => 's', type => 'delay', config => { duration => '30 milliseconds' } }, $write->('b')) }, settings => { maxConcurrency => 3 } }, [qw(a b)] ],
	cancelled => [ 1, 'cancelled', $chain->($write->('a'), { id => 's', type => 'delay', config => { duration => '1 hour' } }, $write->('z')), [qw(a?)] ],
	paused => [ 1, 'completed', $chain->($write->('a'), { id => 's', type => 'delay', config => { duration => '100 milliseconds' } }, $write->('b')), [qw(a b)] ],
	later => [ 1, 'completed', $chain->($write->('a')), ['a'] ],
);

my $setup = q{
CREATE TABLE ledger (run_id uuid NOT NULL, node text NOT NULL, round text NOT NULL DEFAULT '', at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE accepted (run_id uuid NOT NULL, workflow text NOT NULL, input jsonb NOT NULL, by name NOT NULL DEFAULT current_user, at timestamptz NOT NULL DEFAULT clock_timestamp(),
	answers int NOT NULL DEFAULT 0);
CREATE INDEX ON accepted (workflow, answers);
CREATE INDEX ON accepted (run_id);
CREATE TABLE starts (workflow text NOT NULL, weight int NOT NULL);
CREATE TABLE outcome (workflow text NOT NULL, status text NOT NULL, node text, round text, maybe bool);
CREATE TABLE asked (workflow text NOT NULL, node text, state text);
CREATE TABLE hits (correlation text NOT NULL);
-- due times of a schedule, and what it has started
CREATE TABLE ticked (at timestamptz NOT NULL);
CREATE TABLE ticks (at timestamptz NOT NULL);
CREATE TABLE received (path text NOT NULL, key uuid NOT NULL, times int NOT NULL);
CREATE FUNCTION flaky(run uuid) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO ledger VALUES (run, 'flaky');
	IF random() < 0.6 THEN
		RAISE EXCEPTION 'not yet' USING ERRCODE = '40001';
	END IF;
	RETURN 1;
END $$;

CREATE FUNCTION start_one() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	w text := (SELECT workflow FROM starts ORDER BY random() ^ (1.0 / weight) DESC LIMIT 1);
	input jsonb := jsonb_build_object('n', (random() * 1000)::int);
	options jsonb := '{}';
	key text;
	id uuid;
	i int;
BEGIN
	CASE w
		WHEN 'delayed' THEN input := jsonb_build_object('seconds', round(random()::numeric, 2));
		WHEN 'until' THEN input := jsonb_build_object('at', clock_timestamp() + random() * interval '1 s');
		WHEN 'later' THEN options := jsonb_build_object('delay', round(random()::numeric, 2));
		ELSE NULL;
	END CASE;
	IF random() < 0.1 THEN
		options := options || jsonb_build_object('priority', (random() * 20)::int - 10);
	END IF;
	CASE
		WHEN random() < 0.1 THEN
			INSERT INTO accepted (run_id, workflow, input) SELECT s, w, input FROM wf_start_many(w, array_fill(input, ARRAY[5]), options) s;
		WHEN random() < 0.1 THEN
			-- the same key twice gives the same run
			key := gen_random_uuid()::text;
			id := wf_start(w, input, options || jsonb_build_object('idempotencyKey', key));
			IF id <> wf_start(w, input, options || jsonb_build_object('idempotencyKey', key)) THEN
				RAISE EXCEPTION 'one key, two runs';
			END IF;
			INSERT INTO accepted (run_id, workflow, input) VALUES (id, w, input);
		WHEN random() < 0.1 THEN
			-- what a subtransaction that rolled back has started is no run
			BEGIN
				PERFORM wf_start(w, input || '{"phantom": true}', options);
				RAISE EXCEPTION 'undo' USING ERRCODE = 'P0099';
			EXCEPTION WHEN SQLSTATE 'P0099' THEN
				NULL;
			END;
		WHEN w LIKE 'ask%' AND random() < 0.15 THEN
			-- what it has asked for is no request
			BEGIN
				PERFORM wf_run(w, input || '{"phantom": "phantom"}', options);
				RAISE EXCEPTION 'undo' USING ERRCODE = 'P0099';
			EXCEPTION WHEN SQLSTATE 'P0099' THEN
				NULL;
			END;
		WHEN w LIKE 'ask%' AND random() < 0.3 THEN
			INSERT INTO accepted (run_id, workflow, input) VALUES ((wf_run(w, input, options) ->> 'run_id')::uuid, w, input);
		WHEN random() < 0.05 THEN
			-- nor what a transaction that fails has
			IF w LIKE 'ask%' THEN
				PERFORM wf_run(w, input || '{"phantom": "phantom"}', options);
			ELSE
				PERFORM wf_start(w, input || '{"phantom": true}', options);
			END IF;
			i := 0;
			INSERT INTO accepted (run_id, workflow, input, answers) VALUES (gen_random_uuid(), 'undo me', '{}', -1);
			RAISE EXCEPTION 'expected by the load';
		ELSE
			INSERT INTO accepted (run_id, workflow, input) VALUES (wf_start(w, input, options), w, input);
	END CASE;
END $$;
-- pgbench ends a client whose statement fails
CREATE FUNCTION start_or_not() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM start_one();
EXCEPTION WHEN raise_exception THEN
	IF SQLERRM <> 'expected by the load' THEN
		RAISE;
	END IF;
END $$;

-- Answers to what waits: each in one transaction with the note that it was given.
CREATE FUNCTION answer() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	a accepted;
	t record;
BEGIN
	-- an event, before or after the run waits for it
	SELECT * INTO a FROM accepted WHERE workflow = 'event' AND answers = 0 ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF FOUND THEN
		PERFORM wf_emit('go', '{"ok": true}', a.run_id::text);
		UPDATE accepted SET answers = 1 WHERE run_id = a.run_id;
	END IF;
	SELECT * INTO a FROM accepted WHERE workflow = 'signal' AND answers < 2 AND at < clock_timestamp() - random() * interval '1 s' ORDER BY random() LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF FOUND THEN
		IF wf_signal(a.run_id, 'poke', '{"ok": true}') THEN
			UPDATE accepted SET answers = answers + 1 WHERE run_id = a.run_id;
		ELSE
			RAISE EXCEPTION 'run % does not take its signal', a.run_id;
		END IF;
	END IF;
	SELECT * INTO a FROM accepted WHERE workflow = 'cancelled' AND answers = 0 AND at < clock_timestamp() - random() * interval '2 s' LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF FOUND THEN
		IF NOT wf_cancel(a.run_id, 'as planned') THEN
			RAISE EXCEPTION 'run % is not cancelled', a.run_id;
		END IF;
		UPDATE accepted SET answers = 1 WHERE run_id = a.run_id;
	END IF;
	-- pause: it may have ended before; resume: what was paused
	SELECT * INTO a FROM accepted WHERE workflow = 'paused' AND answers = 0 AND at < clock_timestamp() - random() * interval '200 ms' LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF FOUND THEN
		UPDATE accepted SET answers = CASE WHEN wf_pause(a.run_id) THEN 1 ELSE 2 END WHERE run_id = a.run_id;
	END IF;
	SELECT * INTO a FROM accepted WHERE workflow = 'paused' AND answers = 1 AND random() < 0.3 LIMIT 1 FOR UPDATE SKIP LOCKED;
	IF FOUND THEN
		-- it may have ended before the pause came to it; or the pause is still on its way, and this is done again
		BEGIN
			PERFORM wf_resume(a.run_id);
			UPDATE accepted SET answers = 2 WHERE run_id = a.run_id;
		EXCEPTION WHEN SQLSTATE 'WF014' THEN
			UPDATE accepted SET answers = 2 WHERE run_id = a.run_id AND EXISTS (SELECT FROM wf_runs r WHERE r.run_id = a.run_id AND r.finished_at IS NOT NULL);
		END;
	END IF;
END $$;

CREATE FUNCTION approve() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t uuid;
BEGIN
	FOR t IN SELECT task_id FROM wf_tasks WHERE kind = 'approval' AND status = 'open' ORDER BY random() LIMIT 3 LOOP
		BEGIN
			PERFORM wf_complete_task(t, 'approved', '{}');
		EXCEPTION WHEN OTHERS THEN
			-- somebody else was faster
			IF SQLSTATE <> 'WF014' THEN
				RAISE;
			END IF;
		END;
	END LOOP;
END $$;

-- A worker of its own: takes tasks for two seconds, and after the commit finishes them together with its own row.
CREATE PROCEDURE work() LANGUAGE plpgsql AS $$
DECLARE
	t record;
	taken record[];
BEGIN
	SELECT array_agg(p) INTO taken FROM wf_poll_tasks('work', 3, '2 s') p;
	COMMIT;
	FOREACH t IN ARRAY coalesce(taken, '{}') LOOP
		IF random() < 0.1 THEN
			CONTINUE;
		END IF;
		IF wf_finish_task(t.task_id, '{"done": "yes"}', t.attempt) THEN
			INSERT INTO ledger VALUES ((t.payload ->> 'root')::uuid, 'work');
		END IF;
		COMMIT;
	END LOOP;
END $$;
};
# arrays of records are no type: the tasks are held in a table of the session
$setup =~ s/\ttaken record\[\];\n//;
$setup =~ s/SELECT array_agg\(p\) INTO taken FROM (wf_poll_tasks\([^)]*\)) p;/CREATE TEMP TABLE IF NOT EXISTS taken (task_id uuid, attempt int, payload jsonb);\n\tDELETE FROM taken;\n\tINSERT INTO taken SELECT p.task_id, p.attempt, p.payload FROM $1 p;/;
$setup =~ s/FOREACH t IN ARRAY coalesce\(taken, '\{\}'\) LOOP/FOR t IN SELECT * FROM taken LOOP/;

my ($server_port, $server_pid, $server_in);

# A cluster has a server of its own: what another one has sent is not its.
sub end_server
{
	return if !$server_port;
	close $server_in;
	waitpid $server_pid, 0;
	undef $server_port;
	return;
}

# The port of the server that requests go to, which is started at the first call, and outlives all others.
sub server_port
{
	if (!$server_port)
	{
		$server_pid = open2(my $out, $server_in, 'node', ($ENV{WF_ROOT} // '.') . '/test/t/request_server.mjs');
		chomp($server_port = <$out> // die "the server did not start\n");
	}
	return $server_port;
}

# try_sql(cluster, sql): what it gives, or undef when the server is not there, or fails.
sub try_sql
{
	my ($cluster, $sql) = @_;
	my ($out, $err) = ('', '');
	my $ok = eval {
		IPC::Run::run([ 'psql', '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', $cluster->connstr('postgres'), '-c', $sql ], '>', \$out, '2>', \$err,
			IPC::Run::timeout(60));
	};
	chomp $out;
	return $ok ? $out : undef;
}

# The postmaster died: its children see it and go; until they have gone it does not start again.
sub start_again
{
	my ($cluster) = @_;
	my $end = time + 60;
	while (time < $end)
	{
		my $out = '';
		# not by ->start, which shows the whole log each time that it fails
		if (IPC::Run::run([ 'pg_ctl', '-w', '-D', $cluster->data_dir, '-l', $cluster->logfile, 'start' ], '>', \$out, '2>', \$out))
		{
			$cluster->_update_pid(1);
			return;
		}
		sleep 0.1;
	}
	BAIL_OUT('the server does not start again');
}

# postmaster_pid(cluster): 0 when there is none
sub postmaster_pid
{
	my ($cluster) = @_;
	open(my $in, '<', $cluster->data_dir . '/postmaster.pid') or return 0;
	my $pid = <$in>;
	return int($pid);
}

# Is there a postmaster? One that was killed may still be waiting for its parent.
sub postmaster_lives
{
	my $pid = postmaster_pid($_[0]);
	return 0 if !$pid || !kill 0, $pid;
	open(my $in, '<', "/proc/$pid/stat") or return !-d '/proc/self';
	return (<$in> // '') !~ /\) [ZX] /;
}

# ensure_up(cluster): waits until the server answers, started again if need be.
sub ensure_up
{
	my ($cluster) = @_;
	my $end = time + 120;
	while (time < $end)
	{
		return if defined try_sql($cluster, 'SELECT 1');
		start_again($cluster) if !postmaster_lives($cluster);
		sleep 0.03;
	}
	BAIL_OUT('the server is gone');
}

# until_up(cluster, seconds): waits until it answers.
sub until_up
{
	my ($cluster, $seconds) = @_;
	my $end = time + $seconds;
	while (time < $end)
	{
		return 1 if defined try_sql($cluster, 'SELECT 1');
		sleep 0.03;
	}
	return 0;
}

# prepare(cluster, names of workflows or none for all): roles, tables, workflows.
sub prepare
{
	my ($cluster, @names) = @_;
	my $json = JSON::PP->new->canonical;
	my $ticks = !@names;
	@names = sort keys %workflows if !@names;
	$cluster->safe_psql('postgres', 'CREATE EXTENSION workflow; CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN; GRANT CREATE ON SCHEMA public TO app;
		SELECT wf_grant(r, \'default\', \'member\') FROM unnest(ARRAY[\'app\', \'boss\']::name[]) r');
	$cluster->safe_psql('postgres', "SET ROLE app; $setup GRANT ALL ON ledger, accepted, starts, outcome, asked, received, hits TO boss");
	if (grep { $requests{$_} } @names)
	{
		end_server();
		server_port();
		$cluster->safe_psql('postgres', q{ALTER SYSTEM SET workflow.http_allow = '127.0.0.1'});
		$cluster->safe_psql('postgres', 'SELECT pg_reload_conf()');
	}
	my ($sql, $outcomes) = ('SET ROLE app;', '');
	# those that are called first
	for my $name (sort { ($a ne 'leaf') <=> ($b ne 'leaf') || $a cmp $b } @names)
	{
		my ($weight, $status, $definition, $rows) = @{ $workflows{$name} };
		my $text = $json->encode($definition) =~ s/127\.0\.0\.1:0/'127.0.0.1:' . server_port()/egr;
		$sql .= "SELECT wf_save('$name', \$wf\$$text\$wf\$);\n";
		$sql .= "INSERT INTO starts VALUES ('$name', $weight);\n" if $weight;
		$sql .= "INSERT INTO outcome VALUES ('$name', '$status', NULL, NULL, NULL);\n";
		for (@$rows)
		{
			my ($node, $round, $maybe) = m{^([^/?]+)(?:/([^?]*))?(\?)?$};
			$sql .= sprintf "INSERT INTO outcome VALUES ('%s', '%s', '%s', '%s', %s);\n", $name, $status, $node, $round // '', $maybe ? 'true' : 'false';
		}
		for (@{ $requests{$name} // [] })
		{
			my ($node, $state) = split /=/;
			$sql .= sprintf "INSERT INTO asked VALUES ('%s', '%s', '%s');\n", $name, $node =~ m{/} ? $node : "$node/", $state // 'completed';
		}
	}
	$cluster->safe_psql('postgres', $sql);
	# a schedule that somebody makes due
	$cluster->safe_psql('postgres', q{
		CREATE FUNCTION tick() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$
			WITH t AS (UPDATE wf.schedule SET next_at = clock_timestamp() WHERE next_at > clock_timestamp() + interval '1 s' RETURNING next_at)
			INSERT INTO ticked SELECT next_at FROM t $$;
	});
	$cluster->safe_psql('postgres', q{SET ROLE app; SELECT wf_save('tick', '{"nodes": [{"id": "at", "type": "trigger.schedule", "config": {"cron": "0 0 29 2 *", "overlap": "allow", "catchUp": "30 days"}},
		{"id": "t", "type": "db.create", "config": {"table": "ticks", "values": {"at": "{{ $trigger.scheduledAt }}"}}}], "edges": [{"source": "at", "target": "t"}]}')}) if $ticks;
	return;
}

# -- clients --

my (%clients, @errors);

# A process that keeps one pgbench going until it is told to stop.
sub start_client
{
	my ($cluster, $name, $role, $rate, @scripts) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my @files;
	for my $i (0 .. $#scripts)
	{
		append_to_file("$folder/$name$i.sql", $scripts[$i]);
		push @files, '-f', "$folder/$name$i.sql";
	}
	my $errors = "$folder/errors";
	my $pid = fork() // die "could not fork: $!";
	if ($pid == 0)
	{
		my $child;
		my $stop = 0;
		$SIG{TERM} = sub { $stop = 1; kill 'TERM', $child if $child; };
		until ($stop)
		{
			$child = fork();
			if ($child == 0)
			{
				open(STDOUT, '>', '/dev/null');
				open(STDERR, '>>', $errors);
				exec 'pgbench', '-n', '-c', '1', '-T', '100000', '--rate', $rate, @files, '-h', $cluster->host, '-p', $cluster->port, '-U', $role, 'postgres' or POSIX::_exit(1);
			}
			kill 'TERM', $child if $stop;
			waitpid $child, 0;
			sleep 0.05;
		}
		POSIX::_exit(0);
	}
	$clients{$pid} = $errors;
	return;
}

# start_clients(cluster, starts a second)
sub start_clients
{
	my ($cluster, $rate) = @_;
	start_client($cluster, 'start', $_ % 2 ? 'app' : 'boss', $rate / 2, "SELECT start_or_not();\n") for 1 .. 2;
	start_client($cluster, 'start', 'boss', 30, "WITH h AS (INSERT INTO hits SELECT (random() * 3)::int RETURNING *) SELECT wf_emit('hit', '{}', correlation) FROM h;\n");
	start_client($cluster, 'start', 'app', 10, "SELECT tick();\n");
	start_client($cluster, 'answer', 'app', 40, "SELECT answer();\n");
	start_client($cluster, 'approve', 'boss', 10, "SELECT approve();\n");
	start_client($cluster, 'work', $_ % 2 ? 'app' : 'boss', 10, "CALL work();\n") for 1 .. 2;
	return;
}

# stop_clients([name]): all, or those of this name.
sub stop_clients
{
	my ($only) = @_;
	for my $pid (keys %clients)
	{
		next if defined $only && !-e ($clients{$pid} =~ s{errors$}{${only}0.sql}r);
		kill 'TERM', $pid;
		my $status = $?;
		waitpid $pid, 0;
		$? = $status;
		push @errors, delete $clients{$pid};
	}
	return;
}

# However the test ends.
END
{
	my $status = $?;
	stop_clients();
	close $server_in if $server_in;
	waitpid $server_pid, 0 if $server_pid;
	$? = $status;
}

# What clients said that a crash does not explain.
sub clients_complaints
{
	my %seen;
	for my $file (@errors, values %clients)
	{
		next if !-e $file;
		for my $line (split /\n/, slurp_file($file))
		{
			next if $line !~ /ERROR|FATAL|PANIC/
			  || $line =~ /terminating connection|the database system is|server closed the connection|Connection refused|No such file|crash of another server process|too many clients|remaining connection slots/;
			$line =~ s/[0-9a-f]{8}-[0-9a-f-]{27}/<id>/g;
			$seen{$line}++;
		}
	}
	return map { "$seen{$_} times: $_" } sort keys %seen;
}

# drain(cluster, seconds): starts have stopped; answers are given until everything has ended. Whether it did.
sub drain
{
	my ($cluster, $seconds) = @_;
	my $end = time + $seconds;
	my $left = '';
	while (time < $end)
	{
		$left = try_sql($cluster, q{SELECT (SELECT count(*) FROM wf.queue) + (SELECT count(*) FROM wf.live) + (SELECT count(*) FROM wf.held) + (SELECT count(*) FROM wf.request) + (SELECT count(*) FROM wf.debounce) + (SELECT count(*) FROM wf.schedule WHERE next_at < clock_timestamp())}) // 'no server';
		return 1 if $left eq '0';
		sleep 0.1;
	}
	diag("not drained: $left");
	diag(try_sql($cluster, q{SELECT string_agg(v, E'\n') FROM (
		SELECT concat_ws(' ', 'queue', kind, role::regrole, crashes, count(*), min(ready_at)) AS v FROM wf.queue GROUP BY kind, role, crashes
		UNION ALL SELECT concat_ws(' ', 'live', w.name, l.status, l.current_nodes, count(*), min(run_id::text)) FROM wf.live l JOIN wf.workflow w USING (tenant_id, workflow_id) GROUP BY w.name, l.status, l.current_nodes
		UNION ALL SELECT concat_ws(' ', 'held', gate, count(*)) FROM wf.held GROUP BY gate
		UNION ALL SELECT concat_ws(' ', 'wait', kind, event, wake_at IS NULL, count(*), min(wake_at)) FROM wf.wait GROUP BY kind, event, wake_at IS NULL
		UNION ALL SELECT concat_ws(' ', 'request', lane, path, attempts, failures, due_at, error) FROM (SELECT * FROM wf.request LIMIT 10) r
		UNION ALL SELECT concat_ws(' ', 'task', kind, status, count(*), max(attempt)) FROM wf.task GROUP BY kind, status
		UNION ALL SELECT concat_ws(' ', 'process', backend_type, pid, state, wait_event, left(query, 80)) FROM pg_stat_activity WHERE backend_type LIKE 'workflow%') s}) // '');
	return 0;
}

# What the server has received, against what is in the tables.
sub check_requests
{
	my ($cluster, $what, $none) = @_;
	require HTTP::Tiny;
	my $r = HTTP::Tiny->new(timeout => 300)->get("http://127.0.0.1:$server_port/-/lean");
	is($r->{status}, 200, "$what: the server tells");
	my $file = PostgreSQL::Test::Utils::tempdir() . '/received';
	append_to_file($file, $r->{content});
	$cluster->safe_psql('postgres', "TRUNCATE received; \\copy received from '$file'\nANALYZE received;");
	diag("$what: " . $cluster->safe_psql('postgres', q{SELECT concat_ws(' ', count(*), 'requests received,', sum(times), 'attempts,',
		(SELECT concat_ws(' ', count(*), 'in history,', sum(attempts), 'attempts begun,', count(*) FILTER (WHERE attempts > 1), 'with more than one') FROM wf.request_log)) FROM received}));
	$none->('nothing was received that was rolled back', q{SELECT c.* FROM received c LEFT JOIN wf.request_log l ON l.request_id = c.key AND l.path = c.path WHERE l.request_id IS NULL LIMIT 20});
	$none->('what was answered was received', q{SELECT l.path, l.state, l.status, l.attempts FROM wf.request_log l LEFT JOIN received c ON c.key = l.request_id WHERE c.key IS NULL AND l.status IS NOT NULL LIMIT 20});
	$none->('every attempt was begun before it was made', q{SELECT l.path, l.state, l.attempts, c.times FROM wf.request_log l JOIN received c ON c.key = l.request_id WHERE l.attempts = 0 LIMIT 20});
	$none->('every request was made and ended once: what is missing, or there too often', q{
		WITH wanted AS (SELECT format('/load/%s/%s', a.run_id, k.node) AS path, k.state, count(*) AS n FROM accepted a JOIN asked k USING (workflow) GROUP BY 1, 2),
			found AS (SELECT path, state, count(*) AS n FROM wf.request_log GROUP BY 1, 2)
		SELECT path, state, w.n AS wanted, f.n AS found FROM wanted w FULL JOIN found f USING (path, state) WHERE w.n IS DISTINCT FROM f.n ORDER BY 1, 2 LIMIT 20});
	$none->('all attempts had one key', q{SELECT path, c.n AS keys, l.n AS requests FROM (SELECT path, count(*) AS n FROM received GROUP BY 1) c
		LEFT JOIN (SELECT path, count(*) AS n FROM wf.request_log GROUP BY 1) l USING (path) WHERE c.n > coalesce(l.n, 0) LIMIT 20});
	return;
}

# check_result(cluster, what): the tests of what must hold.
sub check_result
{
	my ($cluster, $what) = @_;
	my $none = sub {
		my ($name, $sql) = @_;
		# many rows and a LIMIT: what the planner would save for the first ones, it would pay for all of them
		my ($code, $out, $err) = $cluster->psql('postgres', "SET enable_nestloop = off; $sql");
		is($code == 0 ? $out : $err, '', "$what: $name");
	};
	# tables that have just been filled
	$cluster->safe_psql('postgres', 'ANALYZE');
	my $count = $cluster->safe_psql('postgres', 'SELECT count(*) FROM accepted');
	diag("$what: $count runs were accepted: " . $cluster->safe_psql('postgres', q{SELECT string_agg(workflow || ' ' || n, ', ' ORDER BY workflow) FROM (SELECT workflow, count(*) AS n FROM accepted GROUP BY 1) s}));
	cmp_ok($count, '>', 0, "$what: runs were started");
	$none->('every accepted start is one run that ended as it must', q{
		SELECT a.workflow, a.run_id, coalesce(r.status, 'lost') AS status, r.error FROM accepted a LEFT JOIN wf.run r USING (run_id)
		JOIN (SELECT DISTINCT workflow, status FROM outcome) o ON o.workflow = a.workflow
		WHERE r.status IS DISTINCT FROM o.status ORDER BY 1, 2 LIMIT 20});
	$none->('a run is accepted once', 'SELECT run_id, count(*) FROM accepted GROUP BY 1 HAVING count(*) > 1 LIMIT 20');
	$none->('there is no run that nobody started', q{
		SELECT r.run_id, w.name, r.status, r.input FROM wf.run r JOIN wf.workflow w USING (tenant_id, workflow_id) LEFT JOIN accepted a USING (run_id)
		WHERE a.run_id IS NULL AND w.name IN (SELECT workflow FROM starts) AND r.parent_run_id IS NULL LIMIT 20});
	$none->('every step was executed once: what is missing, or there too often', q{
		WITH wanted AS (SELECT a.workflow, a.run_id, o.node, o.round, o.maybe FROM accepted a JOIN outcome o USING (workflow) WHERE o.node IS NOT NULL),
			found AS (SELECT run_id, node, round, count(*) AS n FROM ledger GROUP BY 1, 2, 3)
		SELECT w.workflow, run_id, node, round, coalesce(n, 0) AS times FROM wanted w FULL JOIN found f USING (run_id, node, round)
		WHERE w.node IS NULL OR n IS NULL AND NOT w.maybe OR n > 1 ORDER BY 1, 2, 3, 4 LIMIT 20});
	$none->('no delay was too short', q{
		SELECT a.workflow, a.run_id, b.at - f.at AS waited, c.at - b.at AS second, input
		FROM accepted a JOIN ledger f ON f.run_id = a.run_id JOIN ledger b ON b.run_id = a.run_id LEFT JOIN ledger c ON c.run_id = a.run_id AND c.node = 'c'
		WHERE f.node = 'a' AND b.node = 'b' AND (
			workflow = 'delayed' AND (b.at - f.at < '150 ms' OR c.at - b.at < (input ->> 'seconds')::float8 * interval '1 s')
			OR workflow = 'until' AND b.at < (input ->> 'at')::timestamptz
			OR workflow = 'paused' AND b.at - f.at < '100 ms') LIMIT 20});
	$none->('a schedule starts one run for each time', q{
		SELECT at, w.n AS due, f.n AS fired FROM (SELECT at, count(*) AS n FROM ticked GROUP BY 1) w FULL JOIN (SELECT at, count(*) AS n FROM ticks GROUP BY 1) f USING (at)
		WHERE f.n IS DISTINCT FROM w.n ORDER BY 1 LIMIT 20});
	$none->('nothing is left behind', q{
		SELECT * FROM (SELECT 'queue' AS place, count(*) FROM wf.queue UNION ALL SELECT 'live', count(*) FROM wf.live UNION ALL SELECT 'held', count(*) FROM wf.held UNION ALL SELECT 'wait', count(*) FROM wf.wait UNION ALL SELECT 'request', count(*) FROM wf.request UNION ALL SELECT 'debounce', count(*) FROM wf.debounce
			UNION ALL SELECT 'gate', count(*) FROM wf.gate UNION ALL SELECT 'open tasks', count(*) FROM wf.task WHERE status = 'open') s WHERE count > 0});
	$none->('every event that was put off is in one run', q{
		SELECT correlation, h.n AS events, g.n AS counted FROM (SELECT correlation, count(*) AS n FROM hits GROUP BY 1) h
		FULL JOIN (SELECT input ->> 'correlation' AS correlation, sum((input ->> 'count')::int) AS n FROM wf.run WHERE trigger = 'event' GROUP BY 1) g USING (correlation)
		WHERE h.n IS DISTINCT FROM g.n AND EXISTS (SELECT FROM wf.workflow WHERE name = 'hit')});
	check_requests($cluster, $what, $none) if $server_port;
	$none->('invariants', 'SELECT * FROM wf.check_invariants() LIMIT 20');
	my @complaints = clients_complaints();
	is(join("\n", @complaints), '', "$what: clients had no errors but lost connections");
	@errors = ();
	return;
}

1;
