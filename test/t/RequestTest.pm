# RequestTest.pm: what tests of outgoing requests share: the servers of net_server.mjs (see NetTest.pm) and of request_server.mjs, which
# notes what it is asked, a cluster that may reach them, and runs that wait for answers.
package RequestTest;
use strict;
use warnings;
use IPC::Open2;
use JSON::PP;
use NetTest ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(request_cluster save start run all wait_for url api api_port told notes request_node value until_true until_told seen dispatcher $deadline decode encode);

our $deadline = $ENV{WF_SLOW} ? 600 : $ENV{WF_DEADLINE} // 60;
our $cluster;
my ($api_port, $api_pid, $api_in);
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
my $read = JSON::PP->new->utf8->allow_nonref;

sub decode { return $read->decode($_[0]) }
sub encode { return $json->encode($_[0]) }

# The port of request_server.mjs, which is started at the first call.
sub api_port
{
	if (!$api_port)
	{
		$api_pid = open2(my $out, $api_in, 'node', "$ENV{WF_ROOT}/test/t/request_server.mjs");
		$api_port = <$out> // die "the server did not start\n";
		chomp $api_port;
	}
	return $api_port;
}

END
{
	my $status = $?;
	close $api_in if $api_in;
	waitpid($api_pid, 0) if $api_pid;
	$? = $status;
}

# api(path): its address
sub api { return 'http://127.0.0.1:' . api_port() . $_[0] }

# told(what, tag): what the server has noted
sub told
{
	my ($what, $tag) = @_;
	require HTTP::Tiny;
	my $r = HTTP::Tiny->new(timeout => $deadline)->get(api("/-/$what?tag=$tag"));
	die "the server does not tell: $r->{content}" if !$r->{success};
	return decode($r->{content});
}

# notes(tag): the requests that were noted
sub notes { return @{ told('notes', $_[0]) } }

# until_told(what, tag, test of what was told, name): waits until it holds.
sub until_told
{
	my ($what, $tag, $test, $name) = @_;
	my $end = time + $deadline;
	while (time < $end)
	{
		local $_ = told($what, $tag);
		return pass($name) if $test->();
		sleep 0.02;
	}
	fail($name);
	diag(encode(told($what, $tag)));
	return 0;
}

# request_cluster(name, setting ...): servers and a cluster with the extension; the role app is a member, other a stranger.
sub request_cluster
{
	my ($name, @settings) = @_;
	NetTest::start_servers() if !$NetTest::folder;
	my $key = "$NetTest::folder/master.key";
	open(my $out, '>', $key) or die $!;
	print $out 'cd' x 32;
	close $out;
	chmod 0600, $key;
	$cluster = PostgreSQL::Test::Cluster->new($name);
	$cluster->init(allows_streaming => 1);
	$cluster->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'workflow'", 'restart_after_crash = on', 'max_connections = 40', 'max_worker_processes = 12',
		"workflow.http_allow = '127.0.0.0/8, ::1/128'", "workflow.http_ca_file = '$NetTest::folder/ca.crt'", "workflow.master_key_file = '$key'", @settings, ''));
	$cluster->start;
	$cluster->safe_psql('postgres', q{
		CREATE EXTENSION workflow;
		CREATE ROLE app LOGIN; CREATE ROLE other LOGIN;
		SELECT wf_grant('app', 'default', 'member');
	});
	return $cluster;
}

# url(server, path)
sub url
{
	my ($server, $path) = @_;
	my $scheme = $server =~ /^(http|other|deaf|closed|nottls)$/ ? 'http' : 'https';
	return "$scheme://127.0.0.1:" . NetTest::port($server) . $path;
}

# request_node(config, member => value ...): a workflow of one request
sub request_node
{
	my ($config, %node) = @_;
	return { nodes => [ { id => 'ask', type => 'http.request', config => $config, %node } ], edges => [] };
}

sub value
{
	my ($sql, $role) = @_;
	return $cluster->safe_psql('postgres', $sql, extra_params => [ $role ? ('-U', $role) : () ]);
}

sub save
{
	my ($name, $definition) = @_;
	my $text = encode($definition);
	return value("SELECT wf_save('$name', \$j\$$text\$j\$)", 'app');
}

# all([definition, input, options] ...): their envelopes; they go on side by side.
sub all
{
	my @ids = start(@_);
	return map { decode($_) } split /\n/, value(join('', map { "SELECT wf_await('$_', '${deadline}s');\n" } @ids), 'app');
}

# start([definition, input, options] ...): the ids of their runs
sub start
{
	my $sql = '';
	for my $i (0 .. $#_)
	{
		my ($definition, $input, $options) = @{ $_[$i] };
		my ($text, $in, $how) = map { encode($_) } $definition, $input // {}, $options // {};
		$sql .= "SELECT wf_save('w$i', \$j\$$text\$j\$) AS version \\gset\nSELECT wf_run('w$i', \$j\$$in\$j\$, \$j\$$how\$j\$) ->> 'run_id';\n";
	}
	return split /\n/, value($sql, 'app');
}

# run(definition, input, options): the envelope at its end
sub run
{
	return (all([@_]))[0];
}

sub wait_for
{
	my ($id) = @_;
	return decode(value("SELECT wf_await('$id', '${deadline}s')", 'app'));
}

# until_true(query, what): waits until the query gives t. The server may be down meanwhile.
sub until_true
{
	my ($query, $what) = @_;
	my $end = time + $deadline;
	my $got = '';
	while (time < $end)
	{
		$got = eval { value($query) } // $@;
		return pass($what) if $got eq 't';
		sleep 0.02;
	}
	fail($what);
	diag("$query: $got");
	return 0;
}

# The process that sends; 0: there is none.
sub dispatcher { return value(q{SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE backend_type = 'workflow dispatcher'}) }

# seen(path): how many requests the servers got
sub seen
{
	my ($path) = @_;
	require HTTP::Tiny;
	my $r = HTTP::Tiny->new->get(url('http', "/seen?path=$path"));
	return $r->{content};
}

1;
