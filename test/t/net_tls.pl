#!/usr/bin/perl
# net_tls.pl: certificates are verified always, and mail goes out as it should.
use strict;
use warnings;
use NetTest;
use Test::More;

start_servers();
new_cluster('net_tls');
my $r;

sub slurp { open(my $in, '<', $_[0]) or die "$_[0]: $!"; local $/; return <$in> }
sub ends
{
	my ($r, $how, $name) = @_;
	like("$r->{outcome} $r->{status} " . ($r->{message} // $r->{body}), qr/^$how/, $name);
}

# -- certificates --

for my $host ('127.0.0.1', 'good.test')
{
	$r = one(request('https', '/ok', host => $host));
	ends($r, 'answered 200 ok', "a good certificate of $host");
	ok($r->{tlsUs} > 0, 'its time');
}
for my $bad (['expired', 'expired'], ['wronghost', 'subject'], ['selfsigned', 'self.signed'], ['untrusted', 'issuer certificate'])
{
	my ($server, $why) = @$bad;
	for my $host ('127.0.0.1', 'good.test')
	{
		$r = one(request($server, '/ok', host => $host));
		ends($r, "tls failed 0 could not secure the connection to \"$host\": .*$why", "$server, $host");
		is("$r->{sent} $r->{firstByteUs}", '0 0', 'nothing was sent');
	}
}
ends(one(request('https', '/ok', host => 'bad.test')), 'tls failed 0 ', 'a good certificate of others');
ends(one(request('https', '/ok', caFile => '/etc/ssl/certs/ca-certificates.crt')), 'tls failed 0 ', 'the CA is not among those');
my $no_file = request('https', '/ok');
delete $no_file->{caFile};
ends(one($no_file), 'tls failed 0 ', "nor among the system's");
ends(one(request('https', '/ok', caFile => "$folder/nothing")), 'tls failed 0 ', 'there is no such file');
ends(one(request('old', '/ok')), 'tls failed 0 ', 'TLS 1.1');
my ($cert, $key) = map { slurp("$folder/client.$_") } 'crt', 'key';
my %mutual = (clientCert => $cert, clientKey => $key);
ends(one(request('mutual', '/ok', %mutual)), 'answered 200 ok', 'a certificate of the client');
ends(one(request('mutual', '/ok')), '(tls failed|broken) 0 ', 'none');
ends(one(request('mutual', '/ok', clientCert => slurp("$folder/otherca.crt"), clientKey => slurp("$folder/otherca.key"))), '(tls failed|broken) 0 ', 'one that nobody knows');
ends(one(request('mutual', '/ok', clientCert => $cert, clientKey => slurp("$folder/good.key"))), 'tls failed 0 ', 'the key of another');
ends(one(request('mutual', '/ok', clientCert => 'no PEM', clientKey => $key)), 'tls failed 0 ', 'no certificate');
ends(one(request('mutual', '/ok', clientCert => $cert)), 'invalid 0 ', 'without its key');
my $all = requests([ [ request('mutual', '/ok', %mutual) ], [ request('mutual', '/ok') ], [ request('mutual', '/ok', %mutual) ] ]);
is("$all->[0][0]{outcome} $all->[2][0]{outcome} $all->[2][0]{new}", 'answered answered 0', 'used again');
isnt($all->[1][0]{outcome}, 'answered', 'by no one else');
$r = one(request('https', '/redirect?to=https://other.test:' . port('mutual') . '/ok', %mutual, host => 'good.test', maxRedirects => 1,
	resolve => [ 'good.test:' . port('https') . ':127.0.0.1', 'other.test:' . port('mutual') . ':127.0.0.1' ]));
isnt($r->{outcome}, 'answered', 'and does not follow a redirect to another host');

# -- the environment --

{
	local %ENV = %ENV;
	$cluster->stop;
	$ENV{$_} = 'http://127.0.0.1:' . port('other') for 'http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY';
	$ENV{HOME} = $folder;
	open(my $netrc, '>', "$folder/.netrc") or die $!;
	print $netrc "default login me password secret\n";
	close $netrc;
	$cluster->start;
}
is(json(one(request('http', '/echo')))->{headers}{authorization}, undef, 'no netrc');
answered(one(request('https', '/ok')), 200, 'ok', 'no proxy');
answered(one(request('http', '/opened?of=other')), 200, '0', 'nobody asked it');

# -- mail --

my $message = "From: a\@b.c\r\nSubject: x\r\n\r\none\r\n.\r\n..two\r\nthree\r\n";
sub letter
{
	my ($server, %more) = @_;
	my $scheme = delete $more{scheme} // ($server eq 'smtps' ? 'smtps' : 'smtp');
	my $host = delete $more{host} // '127.0.0.1';
	return { kind => 'mail', url => "$scheme://$host:" . port($server), caFile => "$folder/ca.crt", mailFrom => 'a@b.c', mailTo => [ 'd@e.f', 'g@h.i' ], body => $message, timeoutMs => 10000, %more };
}
my $me = { type => 'basic', user => 'me', password => 'pass' };
my @letters = (
	['smtp', {}, 'answered 250', 'STARTTLS, as it is offered'],
	['smtp', { starttls => 'required' }, 'answered 250', 'STARTTLS, as it is required'],
	['smtp', { starttls => 'never' }, 'answered 250', 'no STARTTLS'],
	['smtp', { auth => $me }, 'answered 250', 'with a password'],
	['smtps', { auth => $me }, 'answered 250', 'SMTPS'],
	['smtpplain', {}, 'answered 250', 'where no STARTTLS is offered'],
	['smtpplain', { auth => $me, starttls => 'never' }, 'answered 250', 'a password in the open, on demand']);
for my $l (@letters)
{
	ends(one(letter($l->[0], %{ $l->[1] })), $l->[2], $l->[3]);
}
$r = json(one(request('http', '/mails')), { bodyChars => 100_000 });
is(scalar(@$r), scalar(@letters), 'all are there');
is(scalar(grep { $_->{data} eq $message && $_->{from} eq '<a@b.c>' && "@{ $_->{to} }" eq '<d@e.f> <g@h.i>' } @$r), scalar(@letters), 'as they were');
is(join(' ', map { ($_->{tls} ? 'tls' : 'open') . ($_->{user} // '') } @$r), 'tls tls open tlsme tlsme open openme', 'encrypted and not');
$r = one(letter('smtp', mailTo => ['nobody@e.f']));
ends($r, 'refused 550 the mail server refused: 550 5.1.1 nobody lives here', 'a recipient is refused');
ok($r->{sent}, 'the server has seen it');
ends(one(letter('smtp', mailTo => [ 'd@e.f', 'nobody@e.f' ])), 'refused 550 ', 'one of two');
ends(one(letter('smtp', body => "Subject: REFUSE\r\n\r\nx\r\n")), 'refused 554 the mail server refused: 554 5.7.1 no such \? messages here', 'the message is refused');
$r = one(letter('smtp', auth => { %$me, password => 'no' }));
ends($r, 'refused 535 the mail server refused: 535 5.7.8 who are you', 'the password is wrong');
ok(!$r->{sent}, 'and the server has not seen the mail');
ends(one(letter('smtpplain', auth => $me)), 'tls failed ', 'no password in the open');
ends(one(letter('smtpplain', starttls => 'required')), 'tls failed ', 'no message either, when so required');
ends(one(letter('smtp', host => 'localhost', caFile => "$folder/otherca.crt")), 'tls failed ', 'a certificate that nobody knows');
$r = one(letter('smtps', caFile => "$folder/otherca.crt"));
ends($r, 'tls failed ', 'the same with SMTPS');
ok(!$r->{sent}, 'and the server has not seen it');
ends(one(letter('closed')), 'unreachable 0 ', 'nobody there');
ends(one(letter('deaf', timeoutMs => 300)), 'timed out 0 ', 'one that does not talk');
ends(one(letter('http', timeoutMs => 1000)), '(broken|timed out) 0 ', 'one that talks something else');
my $count = @{ json(one(request('http', '/mails')), { bodyChars => 100_000 }) };
is($count, scalar(@letters), 'none of these is there');
for my $bad ({ mailFrom => "a\@b.c>\r\nRCPT TO:<x\@y.z" }, { mailFrom => 'a b@c' }, { mailFrom => 'nothing' }, { mailTo => [] }, { mailTo => ["a\@b\r\n"] }, { mailTo => ['a@b> NOTIFY=NEVER'] }, { body => '' }, { body => "a\nb" },
	{ body => "a\r\n\r" }, { body => "a\r\n.\n" }, { url => 'http://127.0.0.1/' }, { url => 'smtp://me:pass@127.0.0.1/' }, { url => "smtp://127.0.0.1/a\r\nb" }, { auth => { %$me, password => "a\r\nb" } })
{
	my $name = join ', ', map { "$_: " . (ref $bad->{$_} ? '...' : $bad->{$_}) } keys %$bad;
	$name =~ s/[^ -~]/?/g;
	ends(one(letter('smtp', %$bad)), 'invalid 0 ', $name);
}
$all = requests([ [ letter('smtp', partition => 'a') ], [ letter('smtp', partition => 'a') ], [ letter('smtp', partition => 'b') ] ]);
is(join(' ', map { "$_->[0]{outcome} " . ($_->[0]{new} ? 'new' : 'old') } @$all), 'answered new answered old answered new', 'connections are used again');

$cluster->stop;
done_testing();
