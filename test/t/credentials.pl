#!/usr/bin/perl
# credentials.pl: requests, mails and webhooks with each type of credential: what servers get, and that what they send back of it is masked.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Digest::SHA qw(hmac_sha256);
use HTTP::Tiny;
use MIME::Base64 qw(encode_base64 encode_base64url decode_base64url);
use NetTest ();
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

NetTest::start_servers();
my $cluster = request_cluster('credentials', "workflow.smtp_url = ''", 'log_min_messages = debug1');
my $quick = { maxAttempts => 2, initialDelay => 0.01, backoff => 'fixed', jitter => 0 };
my $off = JSON::PP::false();
my $c = 'cAnArY';
my $hs = "${c}Hs256-0123456789-0123456789-0123456789";
my (@r, @n, $r);

sub slurp { my ($path) = @_; open(my $in, '<', $path) or die $!; local $/; return <$in> }
sub credential { my ($name, $type, $value) = @_; return value("SELECT wf_set_credential('$name', '$type', \$j\$" . encode($value) . "\$j\$)") }
# ask(path, credential, more of the config): one run's arguments
sub ask { my ($path, $name, %more) = @_; return [ request_node({ url => api($path), circuit => $off, retry => $quick, auth => { credential => $name }, %more }) ] }
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }

system("openssl ecparam -name prime256v1 -genkey -noout -out $NetTest::folder/ec.key 2>/dev/null && openssl ec -in $NetTest::folder/ec.key -pubout -out $NetTest::folder/ec.pub 2>/dev/null && openssl rsa -in $NetTest::folder/good.key -pubout -out $NetTest::folder/rsa.pub 2>/dev/null") == 0 or die;
credential('crm', 'basic', { username => 'ann', password => "${c}Password" });
credential('bear', 'bearer', { token => "${c}Token" });
credential('header', 'apiKey', { name => 'X-Key', value => "${c} key/+\"1\"" });
credential('parameter', 'apiKey', { name => 'the key', value => "${c}+&Parameter", in => 'query' });
credential('cloud', 'aws', { accessKeyId => 'AKID', secretAccessKey => "${c}Secret", sessionToken => "${c}Session", region => 'eu-west-1' });
credential('hs', 'jwt', { algorithm => 'HS256', key => $hs, issuer => 'me', keyId => 'k1', claims => { role => 'x', iss => 'other' } });
credential('rs', 'jwt', { algorithm => 'RS256', key => slurp("$NetTest::folder/good.key"), audience => 'them' });
credential('es', 'jwt', { algorithm => 'ES256', key => slurp("$NetTest::folder/ec.key"), lifetime => 30 });
credential('oauth', 'oauth2', { tokenUrl => api('/token?of=a'), clientId => 'client', clientSecret => 'hush' });
credential('rotating', 'oauth2', { tokenUrl => api('/token?of=b&rotate&life=1'), clientId => 'client', clientSecret => 'hush', grant => 'refresh_token', refreshToken => 'refresh0' });
credential('wrong', 'oauth2', { tokenUrl => api('/token?of=c'), clientId => 'client', clientSecret => "${c}Wrong" });

# -- what servers get --

@r = all(
	ask('/c1', 'crm'), ask('/c2', 'bear'), ask('/c3', 'header'), ask('/c4?a=b', 'parameter'), ask('/c5', 'cloud', auth => { credential => 'cloud', service => 's3' }),
	ask('/c6', 'hs'), ask('/c7', 'rs'), ask('/c8', 'es'), ask('/guarded?of=a', 'oauth'), ask('/guarded?of=c', 'wrong'), ask('/c9', 'cloud'),
	[ { nodes => [ { id => 'a', type => 'graphql.request', config => { url => api('/graphql/c10'), query => '{a}', auth => { credential => 'bear' }, circuit => $off } } ], edges => [] } ],
	[ { nodes => [ { id => 'a', type => 'webhook.send', config => { url => api('/c11'), secret => "${c}Signature", auth => { credential => 'crm' }, circuit => $off } } ], edges => [] } ]);
is(join(', ', map { code($_) } @r), 'completed, completed, completed, completed, completed, completed, completed, completed, completed, failed WF010, failed 22023, completed, completed', 'requests with credentials') or diag(encode(\@r));
is((notes('c1'))[0]{headers}{authorization}, 'Basic ' . encode_base64("ann:${c}Password", ''), 'basic');
is((notes('c2'))[0]{headers}{authorization}, "Bearer ${c}Token", 'bearer');
is((notes('c3'))[0]{headers}{'x-key'}, "${c} key/+\"1\"", 'a key in a header');
is((notes('c4'))[0]{target}, "/c4?a=b&the%20key=${c}%2B%26Parameter", 'a key in the query');
my $aws = (notes('c5'))[0]{headers};
like("$aws->{authorization} $aws->{'x-amz-security-token'}", qr{^AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-west-1/s3/aws4_request, SignedHeaders=.*Signature=[0-9a-f]{64} ${c}Session$}, 'a signature of AWS');
like($r[10]{error}{message}, qr/"auth.service" is missing/, 'which needs a service');
like((notes('c11'))[0]{headers}{'webhook-signature'} . ' ' . (notes('c11'))[0]{headers}{authorization}, qr/^v1,\S+ Basic /, 'a webhook with a credential');

# token(tag): header, claims, what is signed, signature
sub token
{
	my ($bearer) = (notes($_[0]))[0]{headers}{authorization} =~ /^Bearer (\S+)$/;
	my @parts = split /\./, $bearer;
	return (decode(decode_base64url($parts[0])), decode(decode_base64url($parts[1])), "$parts[0].$parts[1]", decode_base64url($parts[2]));
}
my ($header, $claims, $signed, $signature) = token('c6');
is(join(' ', map { $header->{$_} } qw(alg typ kid)) . " $claims->{iss} $claims->{role} " . ($claims->{exp} - $claims->{iat}), 'HS256 JWT k1 me x 300', 'a token, and its claims');
is(unpack('H*', $signature), unpack('H*', hmac_sha256($signed, $hs)), 'signed with a shared key');
for ([ 'c7', 'rsa.pub', 'RS256' ], [ 'c8', 'ec.pub', 'ES256' ])
{
	my ($tag, $public, $algorithm) = @$_;
	($header, $claims, $signed, $signature) = token($tag);
	is("$header->{alg} " . ($claims->{aud} // $claims->{exp} - $claims->{iat}), $algorithm eq 'RS256' ? 'RS256 them' : 'ES256 30', "$algorithm: its claims");
	if ($algorithm eq 'ES256')
	{
		my @numbers = map { s/^\0+(?=[^\0])//r } unpack('a32 a32', $signature);
		my $der = join '', map { my $n = ord($_) > 127 ? "\0$_" : $_; pack('CC', 2, length $n) . $n } @numbers;
		$signature = pack('CC', 0x30, length $der) . $der;
	}
	open(my $out, '>', "$NetTest::folder/signature") or die; print $out $signature; close $out;
	open($out, '>', "$NetTest::folder/signed") or die; print $out $signed; close $out;
	like(`openssl dgst -sha256 -verify $NetTest::folder/$public -signature $NetTest::folder/signature $NetTest::folder/signed 2>&1`, qr/Verified OK/, "$algorithm: OpenSSL verifies it");
}

# -- masked in what comes back --

is($r[1]{output}{body}{headers}{authorization}, 'Bearer ***', 'a token that is sent back');
is($r[0]{output}{body}{headers}{authorization}, 'Basic YW5uO***', 'within base64, by the password alone');
is($r[2]{output}{body}{headers}{'x-key'}, '***', 'one that JSON escapes');
is($r[3]{output}{body}{target}, '/c4?a=b&the%20key=***', 'percent-encoded');
is($r[5]{output}{body}{headers}{authorization}, 'Bearer ***', 'a token that was made');
is($r[8]{output}{body}{good}, JSON::PP::true(), 'oauth2');
@r = all(
	ask("/m1?type=text/plain&header=X-Echo:is-${c}Token-", 'bear', url => api('/m1?type=text/plain&header=X-Echo:is-{{ $input.t }}-&text={{ $input.t }}')),
	ask('/m2?type=application/octet-stream&echo', 'bear', method => 'POST', bodyType => 'text', body => "a${c}Token${c}Tokenb${c}Toke"),
	ask('/m3?echo&type=text/html', 'header', method => 'POST', bodyType => 'text', body => "$c key/+&quot;1&quot; " . unpack('H*', "$c key/+\"1\"")),
	ask('/m4?code=500&echo&type=text/plain', 'bear', method => 'POST', bodyType => 'text', body => ('x' x 1018) . "${c}Token", retry => { maxAttempts => 1 }),
	ask('/m5?echo', 'bear', method => 'POST', body => { "k${c}Token" => [ "${c}Token", 1, undef ] }),
	ask('/m6?code=302&header=Location:/m7', 'bear', url => api("/m6?code=302&header=Location:/m7-${c}Token")),
	ask('/m8?echo&type=text/plain', 'bear', method => 'POST', bodyType => 'text', body => encode_base64("x${c}Token", '') . ' ' . encode_base64("xy${c}Token!", '') . ' ' . encode_base64("${c}Token\xff", '')));
is($r[0]{status}, 'completed', 'plain text');
is($r[1]{output}{body}, encode_base64("a******b${c}Toke", ''), 'in bytes, which become base64 afterwards');
is($r[2]{output}{body}, '*** ***', 'as HTML and in hexadecimal');
is($r[3]{error}{details}{body}, ('x' x 1018) . '***', 'within details of an error that are cut');
is(encode($r[4]{output}{body}), '{"k***":["***",1,null]}', 'in keys and lists');
unlike(encode($r[5]), qr/${c}Token/, 'in an address that redirects lead to');
is($r[6]{output}{body}, 'e*** eH***E= ***/', 'base64 at each place of a group');
unlike($r[6]{output}{body}, qr/@{[ substr(encode_base64("${c}Token", ''), 4, 8) ]}|Y0FuQXJZ|NBbkFyWV|jQW5BclkU/, 'nothing of it is left');
# numbers, and what has escapes: of a secret, since no credential is a number
value("SELECT wf_set_secret('PIN', '12345678901'), wf_set_secret('UMLAUT', 'cAnArYgeheimtür/1'), wf_set_secret('SHORT', 'cAn4567')");
@r = all(
	[ request_node({ url => api('/m9?text={{ $input.t }}'), headers => { A => '{{ $secrets.PIN }}' }, circuit => $off }), { t => '{"n":12345678901,"m":[112345678901.5,7]}' } ],
	[ request_node({ url => api('/m10?text={{ encodeURIComponent($input.t) }}'), headers => { A => '{{ $secrets.PIN }}' }, bodyType => 'json', method => 'POST', body => { a => '{{ $secrets.UMLAUT }}' }, circuit => $off }), { t => '{"u":"cAnArYgeheimt\\u00fcr\\/1"}' } ],
	[ request_node({ url => api('/m11?echo'), method => 'POST', body => { a => '{{ $secrets.SHORT }}' }, circuit => $off }) ]);
is(encode($r[0]{output}{body}), '{"m":["***",7],"n":"***"}', 'a number');
is(encode($r[1]{output}{body}), '{"u":"***"}', 'behind escapes');
is(encode($r[2]{output}{body}), '{"a":"cAn4567"}', 'a short one is not looked for');

# -- pages, keys that are none, and within the transaction --

system("openssl ecparam -name secp256k1 -genkey -noout -out $NetTest::folder/k1.key 2>/dev/null; openssl ec -in $NetTest::folder/ec.key -aes128 -passout pass:word -out $NetTest::folder/locked.key 2>/dev/null") == 0 or die;
credential('k1', 'jwt', { algorithm => 'ES256', key => slurp("$NetTest::folder/k1.key") });
credential('locked', 'jwt', { algorithm => 'ES256', key => slurp("$NetTest::folder/locked.key") });
credential('other', 'jwt', { algorithm => 'RS256', key => slurp("$NetTest::folder/ec.key") });
credential('nonsense', 'jwt', { algorithm => 'RS256', key => "-----BEGIN PRIVATE KEY-----\n${c}\n-----END PRIVATE KEY-----\n" });
@r = all((map { ask('/k', $_) } qw(k1 locked other nonsense)), ask('/pages/cursor', 'bear', pagination => { type => 'cursor', param => 'after', cursorPath => 'next', itemsPath => 'data.items' }));
is(join(', ', map { code($_) } @r), 'failed 22023, failed 22023, failed 22023, failed 22023, completed', 'keys that are none for this');
like($r[0]{error}{message}, qr/is no private key for ES256/, 'which is said, and nothing more');
is(scalar @{ $r[4]{output}{items} }, 7, 'pages');
is(told('count', 'k'), 0, 'nothing was sent');
value(q{ALTER SYSTEM SET workflow.http_inline = on; SELECT pg_reload_conf()});
until_true(q{SELECT current_setting('workflow.http_inline') = 'on'}, 'inline');
value(q{SELECT wf_save('now', $j$} . encode(request_node({ url => api('/now?'), mode => 'inline', auth => { credential => 'hs' } })) . q{$j$)});
is(decode(value(q{SELECT wf_call('now')}))->{body}{headers}{authorization}, 'Bearer ***', 'within the transaction');
like((notes('now'))[0]{headers}{authorization}, qr/^Bearer \S+\.\S+\.\S+$/, 'with its token');

# -- oauth2: a refresh token that is replaced becomes the credential's next version --

@r = map { run(@{ ask("/guarded?of=b&x=$_", 'rotating') }) } 1 .. 2;
is(join(' ', map { code($_) } @r), 'completed completed', 'refresh tokens');
until_true(q{SELECT version > 1 FROM wf_credentials WHERE name = 'rotating'}, 'the new one is kept');
credential('bear', 'bearer', { token => "${c}TokenNew" });
is(code(run(@{ ask('/c12', 'bear') })) . ' ' . (notes('c12'))[0]{headers}{authorization}, "completed Bearer ${c}TokenNew", 'a new value counts at once');
value("SELECT wf_drop_credential('crm')");
is(code(wait_for(value("SELECT wf_run('w0') ->> 'run_id'", 'app'))), 'completed', 'w0 is another workflow by now');

# -- mail --

sub mails { return grep { $_->{data} =~ /^Subject: $_[0]\r$/m } @{ decode(HTTP::Tiny->new->get(url('http', '/mails'))->{content}) } }
sub mail { my ($subject, $name) = @_; return [ { nodes => [ { id => 'mail', type => 'email.send', config => { from => 'shop@example.com', to => 'ann@example.com', subject => $subject, text => 'text', circuit => $off, retry => $quick, $name ? (auth => { credential => $name }) : () } } ], edges => [] } ] }
credential('relay', 'smtp', { host => 'localhost', port => NetTest::port('smtp') + 0, username => 'me', password => 'pass' });
credential('relays', 'smtp', { url => "smtps://me:pass\@localhost:" . NetTest::port('smtps') });
credential('plain', 'smtp', { host => 'localhost', port => NetTest::port('smtpplain') + 0, tls => 'required' });
credential('inside', 'smtp', { host => '10.1.2.3' });
@r = all(mail('r1', 'relay'), mail('r2', 'relays'), mail('r3', 'plain'), mail('r4', 'inside'), mail('r5'));
is(join(', ', map { code($_) } @r), 'completed, completed, failed WF010, failed WF011, failed 55000', 'mails through relays of credentials') or diag(encode(\@r));
is(join(' ', map { my ($m) = mails($_); ($m->{user} // '') . ($m->{tls} ? '/tls' : '') } qw(r1 r2)), 'me/tls me/tls', 'with their logins, encrypted');
like($r[3]{error}{message}, qr/forbidden|10\.0\.0\.0/, 'the address policy binds such a relay');
is(value(q{SELECT string_agg(DISTINCT host, ' ' ORDER BY host) FROM wf_requests WHERE method = 'MAIL'}, 'app'), 'mail mail/inside mail/plain mail/relay mail/relays', 'each has a circuit of its own');

# -- webhooks --

credential('sender', 'basic', { username => 'ann', password => "${c}Hook" });
credential('pem', 'jwt', { algorithm => 'ES256', key => slurp("$NetTest::folder/ec.pub"), audience => 'us' });
credential('body', 'apiKey', { name => 'the-key', value => "${c}Hook", in => 'header' });
for my $name (qw(sender body hs pem gone)) { save("hook_$name", { nodes => [ { id => 't', type => 'trigger.webhook', config => { path => "/$name", auth => { credential => $name } } } ], edges => [] }) }
sub hook { my ($name, $headers) = @_; my $a = decode(value(q{SELECT wf_webhook('/default/} . $name . q{', 'POST', '} . encode($headers) . q{', 'b')})); return $a->{status} }
sub jwt { my ($claims) = @_; my $s = join '.', map { encode_base64url(encode($_)) } { alg => 'HS256' }, $claims; return "$s." . encode_base64url(hmac_sha256($s, $hs)) }
is(join(' ', map { hook('sender', { Authorization => 'Basic ' . encode_base64($_, '') }) } "ann:${c}Hook", 'ann:x'), '202 404', 'basic');
is(join(' ', map { hook('body', { 'The-Key' => $_ }) } "${c}Hook", 'x'), '202 404', 'a key in a header');
is(join(' ', map { hook('hs', { Authorization => 'Bearer ' . jwt($_) }) } { iss => 'me', exp => time + 60 }, { iss => 'you', exp => time + 60 }, { iss => 'me', exp => time - 600 }), '202 404 404', 'tokens');
is(hook('gone', { Authorization => 'x' }), hook('none', { Authorization => 'x' }), 'a credential that is not there looks like no webhook');
is(value(qq{SELECT count(*) FROM wf_runs WHERE input::text ~ '${c}(Hook|Hs)'}, 'app'), '0', 'what senders prove themselves with is not in the input');
value("SELECT wf_set_credential('sender', 'basic', '{\"username\": \"ann\", \"password\": \"changed\"}')");
is(join(' ', map { hook('sender', { Authorization => 'Basic ' . encode_base64($_, '') }) } "ann:${c}Hook", 'ann:changed'), '404 202', 'a new value counts at once');

# -- nowhere else --

is(value(qq{SELECT (SELECT count(*) FROM wf.run x WHERE x::text ~ '$c(Token|Password|Secret|Mail|Hook|Hs)') + (SELECT count(*) FROM wf.segment x WHERE x::text ~ '$c(Token|Password|Secret|Mail|Hook|Hs)') + (SELECT count(*) FROM wf.request_log x WHERE x::text ~ '$c(Token|Password|Secret|Mail|Hook|Hs)' AND x.node <> 'x')}), '0', 'no table has a value') or diag(value(qq{SELECT x.* FROM wf_steps x WHERE x::text ~ '$c(Token|Password|Secret|Mail|Hook|Hs)'}, 'app'));
$cluster->stop;
my @lines = grep { /$c(Password|Secret|Mail|Hook|Hs)/ && !/wf_set_credential|wf_save|wf_webhook/ } split /\n/, PostgreSQL::Test::Utils::slurp_file($cluster->logfile);
is_deeply(\@lines, [], 'nor has the log');
done_testing();
