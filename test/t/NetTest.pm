# NetTest.pm: what tests of src/net share: certificates, the servers of net_server.mjs, a cluster, and requests.
package NetTest;
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IPC::Open2;
use JSON::PP;
use Test::More;
use Exporter 'import';
our @EXPORT = qw(start_servers port new_cluster request requests one answered json $folder $cluster);

our ($folder, $cluster, %ports, $server_pid, $server_in);
# ASCII on the way in, bytes of UTF-8 on the way out.
my $json = JSON::PP->new->canonical->ascii->allow_nonref;
my $read = JSON::PP->new->utf8->allow_nonref;

sub run_quietly
{
	system("(@_) >>$folder/log 2>&1") == 0 or die "@_: see $folder/log";
}

# certificate(name, subject alternative names, what more): signed by the CA
sub certificate
{
	my ($name, $san, $ca, @more) = @_;
	open(my $ext, '>', "$folder/$name.ext") or die $!;
	print $ext "subjectAltName=$san\n";
	close $ext;
	run_quietly("openssl req -newkey rsa:2048 -nodes -keyout $folder/$name.key -out $folder/$name.csr -subj /CN=$name");
	run_quietly("openssl x509 -req -in $folder/$name.csr -CA $folder/$ca.crt -CAkey $folder/$ca.key -CAcreateserial -out $folder/$name.crt -extfile $folder/$name.ext @more");
}

sub authority
{
	my ($name, @more) = @_;
	run_quietly("openssl req -x509 -newkey rsa:2048 -nodes -keyout $folder/$name.key -out $folder/$name.crt -days 30 -subj /CN=$name @more");
}

# start_servers(): certificates and servers; undef where there is no node.
sub start_servers
{
	$folder = PostgreSQL::Test::Utils::tempdir();
	chmod 0755, $folder;
	my $local = 'DNS:localhost,DNS:good.test,DNS:other.test,IP:127.0.0.1';
	authority($_) for 'ca', 'otherca';
	authority('selfsigned', "-addext subjectAltName=$local");	# nothing else is wrong with it
	certificate('good', $local, 'ca', '-days 30');
	certificate('client', 'DNS:client', 'ca', '-days 30');
	certificate('wronghost', 'DNS:somewhere.test', 'ca', '-days 30');
	certificate('untrusted', $local, 'otherca', '-days 30');
	certificate('expired', $local, 'ca', '-days 0');	# it has by the time that it is used
	my $out;
	$server_pid = open2($out, $server_in, 'node', "$ENV{WF_ROOT}/test/t/net_server.mjs", $folder);
	my $line = <$out>;
	die "the servers did not start" unless $line;
	%ports = %{ $read->decode($line) };
}

END
{
	my $status = $?;
	close $server_in if $server_in;
	waitpid($server_pid, 0) if $server_pid;
	$? = $status;
}

sub port { return $ports{ $_[0] } // die "no server $_[0]" }

sub new_cluster
{
	my ($name) = @_;
	$cluster = PostgreSQL::Test::Cluster->new($name);
	$cluster->init;
	$cluster->append_conf('postgresql.conf', "restart_after_crash = on\n");
	$cluster->start;
	$cluster->safe_psql('postgres', q{
		CREATE FUNCTION net(jsonb, jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net';
		CREATE FUNCTION net_bench(text, int, int, bool) RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net_bench';
		-- kilobytes of memory that this backend has and had at most
		CREATE FUNCTION memory() RETURNS TABLE (now int, most int) LANGUAGE sql AS $$
			SELECT substring(t from 'VmRSS:\s+(\d+)')::int, substring(t from 'VmHWM:\s+(\d+)')::int FROM pg_read_file('/proc/self/status') t $$;
	});
	return $cluster;
}

# requests([[request, ...], ...], options): the results, grouped the same
sub requests
{
	my ($groups, $options) = @_;
	my $in = $json->encode($groups);
	my $how = $json->encode($options // {});
	return $read->decode($cluster->safe_psql('postgres', "SELECT net(\$j\$$in\$j\$, \$j\$$how\$j\$)"));
}

# one(request): its result
sub one
{
	return requests([ [ $_[0] ] ], $_[1])->[0][0];
}

# request(server, path, member => value ...): one to a server here, allowed to go there
sub request
{
	my ($server, $path, %more) = @_;
	my $scheme = $server =~ /^(http|other|deaf|closed|nottls)$/ ? 'http' : 'https';
	my $host = delete $more{host} // '127.0.0.1';
	$scheme = delete $more{scheme} if $more{scheme};
	my %r = (url => "$scheme://$host:" . port($server) . $path, policy => { allow => '127.0.0.0/8 ::1' }, caFile => "$folder/ca.crt", timeoutMs => 20000, %more);
	if ($host =~ /\.test$/)
	{
		$r{resolve} //= [ "$host:" . port($server) . ':127.0.0.1' ];
	}
	return \%r;
}

# The body of an answer that is JSON.
sub json { return $json->decode($_[0]{body}) }

# answered(result, status, body, name)
sub answered
{
	my ($r, $status, $body, $name) = @_;
	is("$r->{outcome} $r->{status} $r->{body}" . ($r->{message} ? " $r->{message}" : ''), "answered $status $body", $name);
}

1;
