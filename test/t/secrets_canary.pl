#!/usr/bin/perl
# secrets_canary.pl: secrets with values that are unmistakable, used by runs that succeed and fail in all ways; then they are looked
# for wherever the server leaves something: its folder with the WAL, its log, statistics, dumps, the memory of its processes.
# WF_CANARY_RUNS says how many runs; `make soak T=canary` makes 10,000.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MIME::Base64 qw(encode_base64);
use NetTest ();
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

my $runs = $ENV{WF_CANARY_RUNS} // 300;
my $folder = PostgreSQL::Test::Utils::tempdir();
NetTest::start_servers();
my ($pkglibdir) = split /\n/, `pg_config --pkglibdir`;
my $statements = -e "$pkglibdir/pg_stat_statements.so";
my $cluster = request_cluster('canary', $statements ? "shared_preload_libraries = 'workflow, pg_stat_statements'" : (), 'wal_level = logical', 'max_wal_size = 4GB', 'full_page_writes = on',
	"log_statement = 'all'", 'log_parameter_max_length = 0', 'log_error_verbosity = verbose', 'log_min_messages = debug1', 'workflow.http_log_bodies = on',
	"workflow.smtp_url = ''", 'workflow.max_workers = 4', 'workflow.http_max_response_size = 64kB');
value('CREATE EXTENSION pg_stat_statements') if $statements;

# -- the values: given as parameters, which is how the documentation says to --

my @canaries;
sub canary { my ($long) = @_; my $value = join '', map { ('A' .. 'Z', 'a' .. 'z', 0 .. 9)[ rand 62 ] } 1 .. ($long // 40); push @canaries, $value; return $value }
# bound(sql, name => value ...): by the extended protocol, values as parameters
sub bound
{
	my ($sql, %values) = @_;
	open(my $out, '>', "$folder/script") or die $!;
	print $out "$sql;\n";
	close $out;
	my @given = map { ('-D', "$_=$values{$_}") } sort keys %values;
	my $log = '';
	IPC::Run::run([ 'pgbench', '-n', '-t', 1, '-M', 'extended', '-f', "$folder/script", @given, $cluster->connstr('postgres') ], '>', \$log, '2>', \$log) or die $log;
	return;
}
srand($ENV{WF_CANARY_SEED} // time);
for (qw(HEADER URL QUERY BODY TOKEN PASSWORD SIGNATURE MAIL))
{
	bound("SELECT wf_set_secret('$_', :value)", value => canary());
	bound("SELECT wf_set_secret('$_', :value)", value => canary());	# and one that was replaced
}
bound(q{SELECT wf_set_secret('LONG', :value)}, value => canary(8000));
bound(q{SELECT wf_set_secret('GONE', :value), wf_drop_secret('GONE')}, value => canary());
bound(q{SELECT wf_set_credential('basic', 'basic', jsonb_build_object('username', 'ann', 'password', :value::text))}, value => canary());
bound(q{SELECT wf_set_credential('bearer', 'bearer', jsonb_build_object('token', :value::text))}, value => canary());
bound(q{SELECT wf_set_credential('key', 'apiKey', jsonb_build_object('name', 'k', 'in', 'query', 'value', :value::text))}, value => canary());
bound(q{SELECT wf_set_credential('jwt', 'jwt', jsonb_build_object('algorithm', 'HS256', 'key', :value::text))}, value => canary());
bound(q{SELECT wf_set_credential('cloud', 'aws', jsonb_build_object('accessKeyId', 'AKID', 'region', 'r', 'service', 's', 'secretAccessKey', :value::text, 'sessionToken', :other::text))}, value => canary(), other => canary());
bound(q{SELECT wf_set_credential('oauth', 'oauth2', jsonb_build_object('tokenUrl', '} . api('/token?of=x') . q{', 'clientId', 'client', 'clientSecret', :value::text))}, value => canary());
bound(q{SELECT wf_set_credential('relay', 'smtp', jsonb_build_object('host', 'localhost', 'port', } . NetTest::port('smtp') . q{, 'username', 'me', 'password', :value::text))}, value => canary());
# statements that fail with a value in them
for (q{SELECT wf_set_secret('1bad', :value)}, q{SELECT wf_set_secret('X', :value), 1 / (SELECT 0)}, q{SELECT wf_set_credential('x', 'basic', jsonb_build_object('username', :value::text))},
	q{SELECT wf_set_credential('x', 'jwt', jsonb_build_object('algorithm', :value::text, 'key', :value::text))}, q{SELECT wf_set_credential('x', 'smtp', jsonb_build_object('url', :value::text))}, q{SELECT wf_set_credential('x', 'bearer', jsonb_build_object('token', :value::text || E'\n'))})
{
	eval { bound($_, value => canary()) };
}

# -- runs --

my @ways = (
	'/ok?', '/failing?code=500&', '/teapot?code=418&', '/timing?hang&', '/cut?cut=20&', '/moved?code=302&header=Location:/elsewhere?', '/echo?echo&', '/text?echo&type=text/html&', '/binary?echo&type=image/png&', '/late?fails=1&',
	'/large?size=100000&', '/headers?header=X-Error:none&code=401&header=WWW-Authenticate:Basic&');
my @addresses = ((map { api($_) } @ways), url('closed', '/refused?'), url('selfsigned', '/ok?'), url('expired', '/ok?'), url('nottls', '/?'), 'http://nowhere.invalid/?', 'http://10.1.2.3/?');
my $off = JSON::PP::false();
sub node { my ($id, $auth, %more) = @_; return { id => $id, type => 'http.request', onError => 'continue', config => { url => '{{ $input.address }}u={{ $secrets.URL }}', query => { q => '{{ $secrets.QUERY }}' }, method => 'POST', headers => { 'X-Key' => '{{ $secrets.HEADER }}', Cookie => 'a={{ $secrets.PASSWORD }}' },
	body => { key => '{{ $secrets.BODY }}', n => [ 1, '{{ $secrets.HEADER }}' ] }, timeout => 1, connectTimeout => 1, maxRedirects => 3, circuit => $off, retry => { maxAttempts => 2, initialDelay => 0.01, jitter => 0 }, auth => $auth, %more } } }
my %auth = (token => { type => 'bearer', token => '{{ $secrets.TOKEN }}' }, password => { type => 'basic', username => 'ann', password => '{{ $secrets.PASSWORD }}' }, map { $_ => { credential => $_ } } qw(basic bearer key jwt cloud oauth));
my @names;
for my $name (sort keys %auth)
{
	save("use_$name", { nodes => [ node('ask', $auth{$name}), { id => 'say', type => 'set', config => { variables => { said => '{{ $node.ask.output }}' } } },
		{ id => 'which', type => 'if', config => { condition => '$input.fails' } }, { id => 'fail', type => 'fail', config => { code => 'X', message => 'failed with {{ $vars.said }}', details => '{{ $node.ask.output }}' } } ],
		edges => [ { source => 'ask', target => 'say' }, { source => 'say', target => 'which' }, { source => 'which', sourceHandle => 'true', target => 'fail' } ] });
	push @names, "use_$name";
}
my $hard = node('ask', $auth{token}, bodyType => 'form', body => { k => '{{ $secrets.LONG }}' });
delete $hard->{onError};
save('use_hard', { nodes => [ $hard ], edges => [] });
save('use_webhook', { nodes => [ { id => 'ask', type => 'webhook.send', config => { url => '{{ $input.address }}', secret => '{{ $secrets.SIGNATURE }}', body => { key => '{{ $secrets.BODY }}' }, timeout => 1, circuit => $off, auth => { credential => 'basic' } } } ], edges => [] });
save('use_mail', { nodes => [ { id => 'ask', type => 'email.send', config => { from => 'a@example.com', to => 'b@example.com', subject => 's', text => 'REFUSE {{ $secrets.MAIL }}', circuit => $off, auth => { credential => 'relay' } } } ], edges => [] });
push @names, qw(use_hard use_webhook use_mail);
my $addresses = 'ARRAY[' . join(', ', map { "'$_'" } @addresses) . ']';
my $workflows = 'ARRAY[' . join(', ', map { "'$_'" } @names) . ']';
my $batch = 200;
for (my $from = 0; $from < $runs; $from += $batch)
{
	my $to = $from + $batch > $runs ? $runs - 1 : $from + $batch - 1;
	value(qq{SELECT count(wf_start(($workflows)[1 + i % } . @names . qq{], jsonb_build_object('address', ($addresses)[1 + i / } . @names . qq{ % } . @addresses . qq{], 'fails', i / 3 % 2 = 0))) FROM generate_series($from, $to) i}, 'app');
	my $some = $from + $batch >= $runs ? 0 : $batch;
	until_true("SELECT (SELECT count(*) FROM wf_queue_status WHERE ready + waiting + held > $some) = 0", "runs $from to $to have ended");
}
value("SELECT wf_run('use_hard', '{\"address\": \"@{[ api('/inline?') ]}\"}')", 'app');
until_true(q{SELECT count(*) = 0 FROM wf_runs WHERE finished_at IS NULL}, 'all have ended');
my $ends = value(q{SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM (SELECT status, count(*) AS n FROM wf_runs GROUP BY 1) x});
my $codes = value(q{SELECT string_agg(DISTINCT error ->> 'code', ' ' ORDER BY error ->> 'code') FROM wf_requests});
like($ends, qr/completed \d+, failed \d+/, "runs of both kinds: $ends");
is($codes, 'WF006 WF010 WF011', 'requests that failed in all ways');
ok(value(q{SELECT count(*) FROM wf_requests WHERE bodies::text ~ '\*\*\*'}) > 0, 'servers have repeated what they were sent');
# the engine's own tables are read, whatever the views show
my @tables = split /\n/, value(q{SELECT c.oid::regclass FROM pg_class c WHERE relkind IN ('r', 'p') AND relnamespace = 'wf'::regnamespace});

# -- looking --

my @needles;
for my $value (@canaries)
{
	my $part = substr($value, 0, 40);
	push @needles, $part, unpack('H*', $part), uc(unpack 'H*', $part), join('', map { "$_\\0" } split //, $part) =~ s/\\0//gr;
	for my $before (0 .. 2)
	{
		my $base64 = encode_base64('x' x $before . $part, '');
		push @needles, substr($base64, $before ? $before + 1 : 0, 40);
	}
}
my %seen;
@needles = grep { !$seen{$_}++ } @needles;
open(my $patterns, '>', "$folder/patterns") or die $!;
print $patterns map { "$_\n" } @needles;
close $patterns;
# found(file ...): those that hold a needle
sub found
{
	my @files = @_;
	my $out = '';
	IPC::Run::run([ 'grep', '-raFlf', "$folder/patterns", @files ], '>', \$out);
	return $out;
}
open(my $self, '>', "$folder/self") or die $!;
print $self "some\0bytes $needles[-1] more\n";
close $self;
is(found("$folder/self"), "$folder/self\n", 'what looks for them finds them');
unlink "$folder/self";

my $look = join ' UNION ALL ', map { "SELECT x::text FROM $_ x" } 'pg_stat_activity', ($statements ? 'pg_stat_statements' : ()), 'wf_steps', 'wf_runs', 'wf_requests', 'wf_segments', 'wf_credentials', 'wf_secrets', 'wf_workflows', 'wf_dead_letters', 'wf_tasks', 'pg_settings', @tables;
open(my $views, '>', "$folder/views") or die $!;
print $views value($look);
close $views;
is(found("$folder/views"), '', 'in no view and no table');
for my $tool ([ 'pg_dump' ], [ 'pg_dump', '-Fc' ], [ 'pg_dumpall' ])
{
	my $file = "$folder/dump";
	IPC::Run::run([ @$tool, '-d', $cluster->connstr('postgres'), '-f', $file ]) or fail("@$tool");
	is(found($file), '', "in no dump: @$tool");
}
# memory: all processes but that which sends, which has what libcurl has not given back yet, and those of this test's sessions
my $memory = 0;
my @where;
for my $line (split /\n/, value(q{SELECT pid || ' ' || backend_type FROM pg_stat_activity WHERE backend_type <> 'workflow dispatcher' AND pid <> pg_backend_pid()}))
{
	my ($pid, $type) = $line =~ /^(\d+) (.*)$/;
	open(my $maps, '<', "/proc/$pid/maps") or next;
	sysopen(my $mem, "/proc/$pid/mem", 0) or next;
	open(my $copy, '>', "$folder/memory") or die $!;
	while (<$maps>)
	{
		my ($from, $to, $rights) = /^([0-9a-f]+)-([0-9a-f]+) (\S+)/ or next;
		next if $rights !~ /^rw/ || hex($to) - hex($from) > 512 * 1024 * 1024;
		sysseek($mem, hex($from), 0) or next;
		for (my $left = hex($to) - hex($from); $left > 0;)
		{
			my $n = sysread($mem, my $bytes, $left > 1 << 20 ? 1 << 20 : $left) or last;
			print $copy $bytes;
			$memory += $n;
			$left -= $n;
		}
	}
	close $copy;
	push @where, $type if found("$folder/memory");
	unlink "$folder/memory";
}
SKIP:
{
	skip 'the memory of processes cannot be read', 1 if !$memory;
	is("@where", '', 'nor in the memory of processes that have not sent it');
}
value('CHECKPOINT');
$cluster->stop;
is(found($cluster->data_dir), '', 'in no file of the server, nor its WAL');
is(found($cluster->logfile), '', 'nor in its log');
done_testing();
