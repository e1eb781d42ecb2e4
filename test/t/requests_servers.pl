#!/usr/bin/perl
# requests_servers.pl: requests to servers that are not ours: an nginx, and a mail sink of aiosmtpd, whose mails are read by
# Python's own parser.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IO::Socket::INET;
use IPC::Open2;
use NetTest ();
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

sub free_port
{
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 0, Listen => 1) or die "no port: $!";
	return $socket->sockport;
}

NetTest::start_servers();
my $mail_port = free_port();
my $cluster = request_cluster('servers', "workflow.smtp_url = 'smtp://me:p%40ss%3Aw%2Fd\@localhost:$mail_port'");
my $r;

# -- nginx --

SKIP:
{
	my ($nginx) = grep { -x } '/usr/sbin/nginx', '/usr/local/sbin/nginx';
	skip 'there is no nginx', 7 if !$nginx;
	my $folder = "$NetTest::folder/nginx";
	my $port = free_port();
	my $tls_port = free_port();
	mkdir $folder;
	open(my $out, '>', "$folder/nginx.conf") or die $!;
	print $out qq[
worker_processes 1; daemon on; pid $folder/pid; error_log $folder/error.log;
events { worker_connections 512; }
http {
	access_log off; client_max_body_size 20m;
	client_body_temp_path $folder/a; proxy_temp_path $folder/b; fastcgi_temp_path $folder/c; uwsgi_temp_path $folder/d; scgi_temp_path $folder/e;
	gzip on; gzip_types application/json; gzip_min_length 1;
	limit_req_zone \$request_uri zone=slow:1m rate=5r/s;
	server {
		listen 127.0.0.1:$port; listen 127.0.0.1:$tls_port ssl http2;
		ssl_certificate $NetTest::folder/good.crt; ssl_certificate_key $NetTest::folder/good.key;
		default_type application/json;
		location /json { gzip off; return 200 '{"key": "\$http_idempotency_key", "protocol": "\$server_protocol", "length": "\$content_length"}'; }
		location /moved { return 302 /json; }
		location /limited { limit_req zone=slow; limit_req_status 429; add_header Retry-After 1 always; try_files /none \@limited; }
		location \@limited { return 200 '{"limited": false}'; }
		location /secret { auth_basic "here"; auth_basic_user_file $folder/users; try_files /none \@known; }
		location \@known { return 200 '{"user": "\$remote_user"}'; }
	}
}
];
	close $out;
	open($out, '>', "$folder/users") or die $!;
	print $out "ann:{PLAIN}word\n";
	close $out;
	chmod 0755, $folder;
	system("$nginx -c $folder/nginx.conf >$folder/start.log 2>&1") == 0 or skip 'nginx does not start', 7;

	$r = run(request_node({ url => "http://127.0.0.1:$port/moved?a=b" }));
	is("$r->{status} $r->{output}{status} $r->{output}{url} $r->{output}{body}{protocol}", "completed 200 http://127.0.0.1:$port/json HTTP/1.1", 'a redirect, JSON, gzip');
	$r = run(request_node({ url => "http://127.0.0.1:$port/json", method => 'PUT', body => { text => 'x' x 3_000_000 } }));
	is("$r->{status} " . ($r->{output}{body}{length} // '') . ($r->{error}{message} // ''), 'completed 3000012', 'a large body') or diag(encode($r));
	$r = run(request_node({ url => "https://127.0.0.1:$tls_port/json", method => 'PUT', body => { text => 'x' x 1000 } }));
	is("$r->{status} " . ($r->{output}{body}{protocol} // '') . ($r->{error}{message} // ''), 'completed HTTP/2.0', 'HTTP/2') or diag(encode($r));
	like($r->{output}{body}{key}, qr/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'with its key');
	$r = run(request_node({ url => "http://127.0.0.1:$port/secret", auth => { type => 'basic', username => 'ann', password => 'word' } }));
	is("$r->{status} $r->{output}{body}{user}", 'completed ann', 'a password');
	# more than nginx allows: those that are refused come again after a second
	save('limited', { nodes => [ { id => 'all', type => 'parallel', config => { branches => [ map { { id => "b$_" } } 1 .. 4 ] } },
		map { { id => "ask$_", type => 'http.request', parent => 'all', branch => "b$_", config => { url => "http://127.0.0.1:$port/limited", retry => { maxAttempts => 20, initialDelay => 0, jitter => 0.5 } } } } 1 .. 4 ], edges => [] });
	$r = wait_for(value("SELECT wf_run('limited') ->> 'run_id'", 'app'));
	is("$r->{status} " . join(' ', map { $_->{output}{status} } values %{ $r->{output}{branches} }), 'completed 200 200 200 200', 'Retry-After of a server that limits');
	my $attempts = 0;
	$attempts += $_->{output}{attempts} for values %{ $r->{output}{branches} };
	cmp_ok($attempts, '>', 4, 'which took more attempts');
	open(my $in, '<', "$folder/pid") or die $!;
	kill 'TERM', int(<$in>);
}

# -- mail --

SKIP:
{
	skip 'there is no aiosmtpd', 13 if system("python3 -c 'import aiosmtpd' >/dev/null 2>&1") != 0;
	my $pid = open2(my $from, my $to, 'python3', "$ENV{WF_ROOT}/test/t/smtp_sink.py", $NetTest::folder, $mail_port);
	my $line = <$from>;
	my $mail = { nodes => [ { id => 'mail', type => 'email.send', config => {
		from => "B\x{fc}ro <office\@example.com>", to => [ "\"M\x{fc}ller, Ann\" <ann\@example.com>", 'bob@example.com' ], cc => 'carl@example.com', bcc => 'dora@example.com',
		subject => "Rechnung {{ \$input.no }} \x{2013} f\x{e4}llig " . join(' ', ('sehr') x 30),
		text => "Guten Tag,\n.ein Punkt am Anfang\n" . ("lang \x{e4} " x 300) . "\nEnde", html => "<p>Gr\x{fc}\x{df}e &amp; mehr</p>",
		attachments => [ { filename => "\x{dc}bersicht 1.csv", contentType => 'text/csv', content => 'YSxiCjEsMgo=' }, { filename => 'x.bin', content => 'AAECAwQF' } ] } } ], edges => [] };
	save('mail', $mail);
	$r = wait_for(value("SELECT wf_run('mail', '{\"no\": 7}') ->> 'run_id'", 'app'));
	is("$r->{status} " . ($r->{output}{status} // '') . ($r->{error}{message} // ''), 'completed 250', 'a mail is taken');
	print $to "\n";
	$to->flush;
	my $mails = decode(scalar <$from>);
	my $m = $mails->[0];
	is("$m->{from} " . join(' ', @{ $m->{to} }), 'office@example.com ann@example.com bob@example.com carl@example.com dora@example.com', 'the envelope');
	is("$m->{user} " . ($m->{tls} ? 'tls' : 'plain'), 'me tls', 'a password, over TLS');
	is($m->{headers}{From}, "B\x{fc}ro <office\@example.com>", 'From');
	is(join('|', @{ $m->{display} }), "M\x{fc}ller, Ann|", 'To');
	is($m->{headers}{Subject}, "Rechnung 7 \x{2013} f\x{e4}llig " . join(' ', ('sehr') x 30), 'Subject');
	ok(!exists $m->{headers}{Bcc}, 'nobody is told of dora');
	ok($m->{headers}{'Message-ID'} =~ /^<.+\@example\.com>$/ && $m->{headers}{Date}, 'Message-ID and Date');
	is(join(' ', map { $_->{type} } @{ $m->{parts} }), 'text/plain text/html text/csv application/octet-stream', 'its parts');
	my $text = $m->{parts}[0]{text};
	$text =~ s/\r\n/\n/g;
	$text =~ s/\n\z//;
	is($text, "Guten Tag,\n.ein Punkt am Anfang\n" . ("lang \x{e4} " x 300) . "\nEnde", 'text');
	is("$m->{parts}[2]{filename} $m->{parts}[3]{bytes}", "\x{dc}bersicht 1.csv 000102030405", 'attachments');
	is(join(' ', @{ $m->{defects} }, map { @{ $_->{defects} } } @{ $m->{parts} }), '', 'without defects');
	cmp_ok($m->{longest}, '<=', 998, 'no line is too long');
	close $to;
	waitpid $pid, 0;
}
done_testing();
