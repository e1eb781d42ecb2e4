#!/usr/bin/perl
# code_memory.pl: what code takes is given back, whatever it ends by: no growth of a process that ran code to its limit a thousand times, nothing
# counted for a use that was cancelled or terminated, a cap of all processes that idle ones do not use up, a stack that is enough.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $begun = time;
sub at { diag sprintf('%.1f s: %s', time - $begun, $_[0]) if $ENV{WF_TIMES}; }

my $rounds = $ENV{WF_SLOW} ? 100 : 1000;
my $cluster = PostgreSQL::Test::Cluster->new('code_memory');
$cluster->init;
$cluster->append_conf('postgresql.conf', "log_min_messages = warning\nfsync = off\nshared_preload_libraries = 'workflow'\nworkflow.databases = ''\n");
$cluster->start;
if ($cluster->psql('postgres', 'CREATE EXTENSION workflow') != 0) { BAIL_OUT('no extension'); }
$cluster->safe_psql('postgres', q{
	CREATE FUNCTION sandbox(jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_sandbox' LANGUAGE C STRICT;
	CREATE FUNCTION save(name text, source text, config jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
		SELECT wf_save(name, jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'c', 'type', 'code', 'config', jsonb_build_object('source', source) || config)), 'settings', '{"journal": "none"}'::jsonb)) $$;
	SELECT save('full', 'const a = []; for (;;) a.push(new Float64Array(1e5).fill(1))', '{"limits": {"memory": "16MB"}}');
	SELECT save('fuller', 'const a = []; for (;;) a.push(new Float64Array(1e5).fill(1))', '{"limits": {"memory": "128MB"}}');
	SELECT save('holds', 'const a = []; for (let i = 0; i < 90; i++) a.push(new Float64Array(1e5).fill(i)); for (;;) ;');
	SELECT save('some', 'const a = []; for (let i = 0; i < 40; i++) a.push(new Float64Array(1e5).fill(i)); return a.length');
	SELECT save('holds some', 'const a = []; for (let i = 0; i < 40; i++) a.push(new Float64Array(1e5).fill(i)); for (;;) ;');
	SELECT save('small', 'return 1');
	SELECT save('deep', 'function f() { f() } f()');
	SELECT save('deeper', 'let a = []; for (let i = 0; i < 1e5; i++) a = [a]; return `${a}` + JSON.stringify(a)');
	SELECT save('reviver', 'return JSON.parse("[".repeat(20000) + "]".repeat(20000), (k, v) => v)');
	SELECT save('pattern', 'return new RegExp("(".repeat(1e5) + ")".repeat(1e5))');
	SELECT save('parens', 'return eval("(".repeat(1e6) + ")".repeat(1e6))');
});

# What it gives; errors are shown and no more.
sub ask
{
	my ($of, $query) = @_;
	my ($out) = $of->query($query);
	$of->{stderr} = '';
	return $out;
}

# kB of this process's own
sub resident
{
	my ($pid) = @_;
	open(my $in, '<', "/proc/$pid/status") or return undef;
	return join('', <$in>) =~ /^RssAnon:\s*(\d+)/m ? $1 : undef;
}
sub used { return $cluster->safe_psql('postgres', q{SELECT sandbox('{"used": true}')->'bytes'}); }
sub until_used
{
	my ($test, $what) = @_;
	my $end = time + 60;
	my $used;
	while (time < $end)
	{
		$used = used();
		return pass($what) if $test->($used);
		select(undef, undef, undef, 0.02);
	}
	return fail("$what: $used bytes are counted");
}

# -- to the limit and back, a thousand times --
at("to the limit and back, a thousand times");
{
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	my $runs = sub {
		my ($name, $n) = @_;
		return $session->query_safe("SELECT count(*) FILTER (WHERE wf_run('$name')#>>'{error,message}' ~ 'code.* needs more than') FROM generate_series(1, $n)");
	};
	is($runs->('full', 20), 20, 'code goes over its limit');
	my $before = resident($pid);
	my $contexts = $session->query_safe('SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts');
	is($runs->('full', $rounds), $rounds, "$rounds times to a limit of 16 MB");
	is($runs->('fuller', 20), 20, '20 times to one of 128 MB');
	my $after = resident($pid);
	cmp_ok($after - $before, '<', 4096, "no growth of the process ($before to $after kB)") if defined $before;
	cmp_ok($session->query_safe('SELECT sum(total_bytes) / 1024 FROM pg_backend_memory_contexts') - $contexts, '<', 1024, 'nor of its contexts');
	is(used(), 0, 'and nothing is counted');

	# many sources, each with an image of its own: a bound for all, and none for one that is larger than that
	$session->query_safe(q{SELECT save('source ' || g, 'const n = ' || g || '; return [' || repeat('"0123456789",{},', 10000) || '].length + n') FROM generate_series(1, 40) g});
	$session->query_safe(q{SELECT count(wf_run('source ' || g)) FROM generate_series(1, 40) g});
	$after = resident($pid);
	cmp_ok($after - $before, '<', 40 * 1024, "40 sources with images of 1 MB and more ($before to $after kB)") if defined $before;
	$session->query_safe(q{SELECT save('huge', 'return [' || repeat('"0123456789",{},', 300000) || '].length')});
	like($session->query_safe(q{SELECT wf_run('huge')}), qr/600000|code.* needs more/, 'a source of 5 MB');
	$session->query_safe(q{SELECT wf_run('small')});
	# what malloc and the caches of definitions keep of one they keep of the next, too
	my $once = resident($pid);
	for my $n (1 .. 4)
	{
		$session->query_safe(qq{SELECT save('huge', 'return [' || repeat('"0123456789",{},', 300000) || '].length + $n')});
		$session->query_safe(q{SELECT wf_run('huge'), wf_run('small')});
	}
	$after = resident($pid);
	cmp_ok($after - $once, '<', 60 * 1024, "the images of four more are not kept ($once to $after kB)") if defined $before;
	$session->quit;
}

# -- a cancel, a time-out and a termination in the middle --
at("a cancel, a time-out and a termination in the middle");
{
	my $session = $cluster->background_psql('postgres', timeout => 3600, on_error_stop => 0);
	my $pid = $session->query_safe('SELECT pg_backend_pid()');
	$session->query_safe(q{SELECT wf_run('small')});
	my $before = resident($pid);
	ask($session, q{SET statement_timeout = 300; SELECT wf_run('holds');});
	is(used(), 0, 'nothing is counted after a time-out');
	my $after = resident($pid);
	cmp_ok($after - $before, '<', 8192, "nor kept ($before to $after kB)") if defined $before;
	ask($session, 'SET statement_timeout = 0');
	$session->query_until(qr/begins/, "\\echo begins\nSELECT wf_run('holds');\n");
	until_used(sub { $_[0] > 50e6 }, 'code holds 70 MB');
	$cluster->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	until_used(sub { $_[0] == 0 }, 'nothing is counted after a cancel');
	$session->query_until(qr/begins/, "\\echo begins\nSELECT wf_run('holds');\n");
	until_used(sub { $_[0] > 50e6 }, 'code holds 70 MB');
	$cluster->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
	until_used(sub { $_[0] == 0 }, 'nothing is counted after the end of the backend');
	eval { $session->quit };
}

# -- what all processes may use --
at("what all processes may use");
{
	$cluster->append_conf('postgresql.conf', 'workflow.code_total_memory = 48MB');
	$cluster->reload;
	my @idle = map { my $s = $cluster->background_psql('postgres', timeout => 3600); $s->query_safe(q{SELECT wf_run('small')}); $s } 1 .. 30;
	is(used(), 0, '30 idle processes use none of it');
	is($idle[0]->query_safe(q{SELECT wf_run('some')#>'{output,value}'}), 40, 'one may use most of it');
	my $holder = $cluster->background_psql('postgres', timeout => 3600, on_error_stop => 0);
	$holder->query_until(qr/begins/, "\\echo begins\nSELECT wf_run('holds some');\n");
	until_used(sub { $_[0] > 30e6 }, 'another holds most of it');
	like($idle[1]->query_safe(q{SELECT wf_run('some')#>>'{error,message}'}), qr/^code of all processes together needs more than/, 'and one that wants as much is refused');
	is($idle[2]->query_safe(q{SELECT wf_run('small')#>'{output,value}'}), 1, 'small ones go on');
	ask($holder, 'SELECT 1');
	is($idle[1]->query_safe(q{SELECT wf_run('some')#>'{output,value}'}), 40, 'afterwards it may have it');
	$_->quit for $holder, @idle;
}

# -- the stack: as large as max_stack_depth can be, and a small one --
at("the stack: as large as max_stack_depth can be, and a small one");
my @deep = ('deep', 'deeper', 'reviver', 'pattern', 'parens');
my $end = qr/code calls functions too deeply|code.* needs more than|code takes longer|SyntaxError|jsonb cannot hold/;
for my $setting ('7MB', '100kB')
{
	my $session = $cluster->background_psql('postgres', timeout => 3600);
	$session->query_safe("SET max_stack_depth = '$setting'");
	like($session->query_safe("SELECT wf_run('$_')#>>'{error,message}'"), $end, "max_stack_depth = $setting: $_") for @deep;
	is($session->query_safe(q{SELECT wf_run('small')#>'{output,value}'}), 1, 'and the next run');
	$session->quit;
}
# from deep within
$cluster->safe_psql('postgres', q{CREATE FUNCTION down(n int, name text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN IF n = 0 THEN RETURN wf_run(name)#>>'{error,message}'; END IF; RETURN down(n - 1, name); END $$});
{
	my $session = $cluster->background_psql('postgres', timeout => 3600, on_error_stop => 0);
	$session->query_safe("SET max_stack_depth = '7MB'");
	for my $n (100, 1000, 2000)
	{
		my $out = ask($session, "SELECT down($n, 'deep')");
		like($out, qr/too deeply|^$/, "$n functions deep");
	}
	$session->quit;
}
for my $kb (640, 1024)
{
	$cluster->stop;
	$cluster->append_conf('postgresql.conf', "max_stack_depth = '100kB'");
	system('sh', '-c', "ulimit -s $kb && exec pg_ctl -w -D " . $cluster->data_dir . ' -l ' . $cluster->logfile . ' start >/dev/null') == 0 or die "no start with a stack of $kb kB";
	for my $name (@deep, 'small')
	{
		my ($rc, $out, $err) = $cluster->psql('postgres', "SELECT wf_run('$name')");
		like("$out$err", $name eq 'small' ? qr/"value": 1|the stack of this process is too small/ : qr/$end|the stack of this process is too small/, "a stack of $kb kB: $name");
	}
	system('pg_ctl', '-w', '-D', $cluster->data_dir, '-m', 'fast', 'stop') == 0 or die 'no stop';
	$cluster->start;
}
my $log = slurp_file($cluster->logfile);
unlike($log, qr/PANIC|TRAP|terminated by signal|was terminated|leak|alloc set/, 'no process ended otherwise');
done_testing();
