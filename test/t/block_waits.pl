#!/usr/bin/perl
# block_waits.pl: containers and called workflows that wait, with workers that take them up: each case is a workflow, its
# input, and how its run ends. Afterwards nothing is left of any of them.
use strict;
use warnings;
use WorkerTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $cluster = new_cluster('waits');
$cluster->start;
$cluster->safe_psql('postgres', q{
	CREATE EXTENSION workflow;
	CREATE TABLE t (id int);
	CREATE FUNCTION save(name text, nodes jsonb, edges jsonb DEFAULT '[]', settings jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', nodes, 'edges', edges, 'settings', settings)) $$;
	-- the run of this case, when it has ended
	CREATE FUNCTION ending(run uuid) RETURNS text LANGUAGE sql AS $$
		SELECT coalesce((SELECT concat_ws(' ', status, error ->> 'code', output) FROM wf_runs WHERE run_id = run AND status NOT IN ('waiting', 'queued', 'running')), 'alive') $$;
	SELECT save('child', '[{"id": "i", "type": "db.create", "config": {"table": "t", "values": {"id": "{{ $trigger.id }}"}}}, {"id": "d", "type": "delay", "config": {"duration": 0.05}},
		{"id": "c", "type": "if", "config": {"condition": "$trigger.id > 0"}}, {"id": "r", "type": "return", "config": {"value": {"child": "{{ $trigger.id }}"}}}, {"id": "f", "type": "fail", "config": {"code": "NEGATIVE"}}]',
		'[{"source": "i", "target": "d"}, {"source": "d", "target": "c"}, {"source": "c", "sourceHandle": "true", "target": "r"}, {"source": "c", "sourceHandle": "false", "target": "f"}]');
});

# ends(name, nodes, edges, input, ending): the run ends like this.
sub ends
{
	my ($name, $nodes, $edges, $input, $ending) = @_;
	my $run = $cluster->safe_psql('postgres',
		"SELECT save('$name', \$j\$[$nodes]\$j\$, \$j\$[$edges]\$j\$); SELECT wf_run('$name', \$j\$$input\$j\$) ->> 'run_id'");
	$run =~ s/.*\n//s;
	my $end = time + $deadline;
	my $got = 'alive';
	while ($got eq 'alive' && time < $end)
	{
		$got = $cluster->safe_psql('postgres', "SELECT ending('$run')");
		sleep(0.02) if $got eq 'alive';
	}
	like($got, qr/^\Q$ending\E/, $name);
	return $run;
}

# -- loop --

my $late = '{"id": "d", "type": "delay", "parent": "l", "config": {"duration": "{{ (5 - $item) / 50 }}"}}, {"id": "b", "type": "transform", "parent": "l", "config": {"operation": "reduce", "items": ["{{ $item }}", "{{ $index }}"], "expression": "(a, b) => a * 10 + b"}}';
my $in_order = 'completed {"count": 4, "errors": [], "results": [{"value": 10}, {"value": 21}, {"value": 32}, {"value": 43}]}';
for my $config ('', ', "mode": "workers"', ', "mode": "workers", "concurrency": 2')
{
	ends("a loop of rounds that wait$config", qq({"id": "l", "type": "loop", "config": {"items": [1, 2, 3, 4]$config}}, $late), '{"source": "d", "target": "b"}', '{}', $in_order);
}
ends('a while loop whose rounds wait', '{"id": "l", "type": "loop", "config": {"type": "while", "condition": "($item?.n ?? 0) < 3"}}, {"id": "d", "type": "delay", "parent": "l", "config": {"duration": 0.02}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"n": "{{ ($item?.n ?? 0) + 1 }}"}}}',
	'{"source": "d", "target": "s"}', '{}', 'completed {"count": 3, "errors": [], "results": [{"n": 1}, {"n": 2}, {"n": 3}]}');
ends('many rounds at once', '{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 3000, "mode": "workers"}}, {"id": "b", "type": "noop", "parent": "l"}, {"id": "r", "type": "return", "config": {"value": "{{ $input.results.reduce((a, b) => a + b, 0) }}"}}',
	'{"source": "l", "target": "r"}', '{}', 'completed 4501500');

my $fails = '{"id": "d", "type": "delay", "parent": "l", "config": {"duration": 0.02}}, {"id": "i", "type": "if", "parent": "l", "config": {"condition": "$item === 2"}}, {"id": "f", "type": "fail", "parent": "l", "config": {"code": "TWO"}}, {"id": "n", "type": "set", "parent": "l", "config": {"variables": {"v": "{{ $item }}"}}}';
my $fail_edges = '{"source": "d", "target": "i"}, {"source": "i", "sourceHandle": "true", "target": "f"}, {"source": "i", "sourceHandle": "false", "target": "n"}';
for my $mode ('inline', 'workers')
{
	my $loop = sub { qq({"id": "l", "type": "loop", "config": {"items": [1, 2, 3], "mode": "$mode", "onItemError": "$_[0]"}}, $fails) };
	ends("$mode: a round that fails stops the loop", $loop->('stop'), $fail_edges, '{}', 'failed TWO');
	ends("$mode: or is left out", $loop->('continue'), $fail_edges, '{}', 'completed {"count": 3, "errors": [], "results": [{"v": 1}, {"v": 3}]}');
	ends("$mode: or listed", qq(@{[ $loop->('collect') ]}, {"id": "r", "type": "return", "config": {"value": "{{ \$input.errors.map(e => [e.index, e.item, e.error.code]) }}"}}), qq($fail_edges, {"source": "l", "target": "r"}), '{}',
		'completed [[1, 2, "TWO"]]');
}
# the second round would wait for ever
my $run = ends('breakCondition ends a loop in workers', '{"id": "l", "type": "loop", "config": {"items": [1, 2], "mode": "workers", "breakCondition": "$input.found"}}, {"id": "i", "type": "if", "parent": "l", "config": {"condition": "$item === 1"}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"found": true}}}, {"id": "w", "type": "waitForEvent", "parent": "l", "config": {"event": "never"}}',
	'{"source": "i", "sourceHandle": "true", "target": "s"}, {"source": "i", "sourceHandle": "false", "target": "w"}', '{}', 'completed {"count": 1, "errors": [], "results": [{"found": true}]}');
ok(until_true($cluster, 'postgres', "SELECT array_agg(status ORDER BY status) = '{cancelled,completed}' FROM wf_runs WHERE parent_run_id = '$run'", 'its other rounds'), 'and cancels its other rounds');

# -- parallel --

my $branches = '"branches": [{"id": "a"}, {"id": "b"}]';
my $a = '{"id": "a", "type": "delay", "parent": "p", "branch": "a", "config": {"duration": 0.05}}';
my $never = '{"id": "w", "type": "waitForEvent", "parent": "p", "branch": "b", "config": {"event": "never"}}';
my $status = '{"id": "r", "type": "return", "config": {"value": "{{ Object.values($input.branches).map(b => b.status) }}"}}';
for my $mode ('inline', 'workers')
{
	my $parallel = sub { qq({"id": "p", "type": "parallel", "config": {$branches, "mode": "$mode"$_[0]}}) };
	ends("$mode: all branches", "@{[ $parallel->('') ]}, $a, {\"id\": \"b\", \"type\": \"delay\", \"parent\": \"p\", \"branch\": \"b\", \"config\": {\"duration\": 0.02}}, $status", '{"source": "p", "target": "r"}', '{}', 'completed ["completed", "completed"]');
	ends("$mode: the first to end", "@{[ $parallel->(', \"waitMode\": \"any\"') ]}, $a, $never, $status", '{"source": "p", "target": "r"}', '{}', 'completed ["completed", "cancelled"]');
	ends("$mode: the first to succeed", "@{[ $parallel->(', \"waitMode\": \"first\"') ]}, $a, {\"id\": \"b\", \"type\": \"fail\", \"parent\": \"p\", \"branch\": \"b\"}, $status", '{"source": "p", "target": "r"}', '{}', 'completed ["completed", "failed"]');
	ends("$mode: a failure stops all", "@{[ $parallel->('') ]}, $never, {\"id\": \"d\", \"type\": \"delay\", \"parent\": \"p\", \"branch\": \"a\", \"config\": {\"duration\": 0.02}}, {\"id\": \"f\", \"type\": \"fail\", \"parent\": \"p\", \"branch\": \"a\", \"config\": {\"code\": \"A\"}}", '{"source": "d", "target": "f"}', '{}', 'failed A');
	ends("$mode: the time is up", "@{[ $parallel->(', \"timeout\": 0.3') ]}, $a, $never, $status", '{"source": "p", "sourceHandle": "timeout", "target": "r"}', '{}', 'completed ["completed", "cancelled"]');
	ends("$mode: and nobody asked", "@{[ $parallel->(', \"timeout\": 0.1') ]}, $a, $never", '', '{}', 'failed WF004');
}

# -- try, and what nests --

ends('try, catch and finally that wait', '{"id": "g", "type": "try"}, {"id": "d", "type": "delay", "parent": "g", "branch": "try", "config": {"duration": 0.02}}, {"id": "f", "type": "fail", "parent": "g", "branch": "try", "config": {"code": "X"}},
	{"id": "e", "type": "delay", "parent": "g", "branch": "catch", "config": {"duration": 0.02}}, {"id": "c", "type": "set", "parent": "g", "branch": "catch", "config": {"variables": {"caught": "{{ $error.code }}"}}},
	{"id": "z", "type": "delay", "parent": "g", "branch": "finally", "config": {"duration": 0.02}}', '{"source": "d", "target": "f"}, {"source": "e", "target": "c"}', '{}', 'completed {"caught": "X"}');
ends('branches within rounds within a try', '{"id": "g", "type": "try"}, {"id": "l", "type": "loop", "parent": "g", "branch": "try", "config": {"items": [1, 2]}}, {"id": "p", "type": "parallel", "parent": "l", "config": {"branches": [{"id": "a"}, {"id": "b"}]}},
	{"id": "da", "type": "delay", "parent": "p", "branch": "a", "config": {"duration": 0.02}}, {"id": "db", "type": "delay", "parent": "p", "branch": "b", "config": {"duration": 0.03}}, {"id": "sb", "type": "set", "parent": "p", "branch": "b", "config": {"variables": {"v": "{{ $item }}"}}},
	{"id": "r", "type": "return", "config": {"value": "{{ $input.results.map(x => x.branches.b.output.v) }}"}}', '{"source": "db", "target": "sb"}, {"source": "g", "target": "r"}', '{}', 'completed [1, 2]');

# -- subworkflow --

my $sub = sub { qq({"id": "c", "type": "subworkflow", "config": {"workflow": "child"$_[0]}}, {"id": "r", "type": "return", "config": {"value": {"got": "{{ \$input }}", "code": "{{ \$error?.code }}"}}}) };
my $out = '{"source": "c", "target": "r"}';
for my $mode ('inline', 'child')
{
	ends("$mode: its output", $sub->(qq(, "mode": "$mode")), $out, '{"id": 1}', 'completed {"got": {"child": 1}, "code": null}');
	ends("$mode: its failure", $sub->(qq(, "mode": "$mode")), $out, '{"id": -1}', 'failed NEGATIVE');
	ends("$mode: ignored", $sub->(qq(, "mode": "$mode", "errorHandling": "ignore")), $out, '{"id": -1}', 'completed {"got": {}, "code": null}');
	ends("$mode: caught", $sub->(qq(, "mode": "$mode", "errorHandling": "catch")), '{"source": "c", "sourceHandle": "error", "target": "r"}', '{"id": -1}', 'completed {');
	ends("$mode: not there", qq({"id": "c", "type": "subworkflow", "config": {"workflow": "nobody", "mode": "$mode"}}), '', '{}', 'failed WF001');
}
$run = ends('detached: nobody waits', $sub->(', "mode": "detached"'), $out, '{"id": 7}', 'completed {"got": {"run_id": "');
ok(until_true($cluster, 'postgres', q{SELECT status = 'completed' AND output = '{"child": 7}' FROM wf_runs WHERE run_id = (SELECT (output #>> '{got,run_id}')::uuid FROM wf_runs WHERE run_id = '} . $run . q{')}, 'its end'), 'and it ends by itself');

ok(until_true($cluster, 'postgres', 'SELECT (SELECT count(*) FROM wf.live) + (SELECT count(*) FROM wf.wait) + (SELECT count(*) FROM wf.queue) = 0', 'an empty house'), 'nothing is left');
$cluster->stop;
done_testing();
