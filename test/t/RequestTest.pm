# RequestTest.pm: what tests of outgoing requests share: the servers of net_server.mjs (see NetTest.pm), a cluster that may reach them, and
# runs that wait for answers.
package RequestTest;
use strict;
use warnings;
use JSON::PP;
use NetTest ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(request_cluster save run wait_for url request_node value until_true seen $deadline decode encode);

our $deadline = $ENV{WF_SLOW} ? 600 : $ENV{WF_DEADLINE} // 60;
our $cluster;
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
my $read = JSON::PP->new->utf8->allow_nonref;

sub decode { return $read->decode($_[0]) }
sub encode { return $json->encode($_[0]) }

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
	$cluster->init;
	$cluster->append_conf('postgresql.conf', join("\n", "shared_preload_libraries = 'workflow'", 'restart_after_crash = on', 'max_worker_processes = 12',
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

# run(definition, input, options): the envelope at its end
sub run
{
	my ($definition, $input, $options) = @_;
	save('w', $definition);
	my $in = encode($input // {});
	my $how = encode($options // {});
	my $id = value("SELECT wf_run('w', \$j\$$in\$j\$, \$j\$$how\$j\$) ->> 'run_id'", 'app');
	return wait_for($id);
}

sub wait_for
{
	my ($id) = @_;
	return decode(value("SELECT wf_await('$id', '${deadline}s')", 'app'));
}

# until_true(query, what): waits until the query gives t.
sub until_true
{
	my ($query, $what) = @_;
	my $end = time + $deadline;
	my $got = '';
	while (time < $end)
	{
		$got = value($query);
		return pass($what) if $got eq 't';
		sleep 0.02;
	}
	fail($what);
	diag("$query: $got");
	return 0;
}

# seen(path): how many requests the servers got
sub seen
{
	my ($path) = @_;
	require HTTP::Tiny;
	my $r = HTTP::Tiny->new->get(url('http', "/seen?path=$path"));
	return $r->{content};
}

1;
