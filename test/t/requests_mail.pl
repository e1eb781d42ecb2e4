#!/usr/bin/perl
# requests_mail.pl: mails of runs, and access tokens of OAuth2. requests_servers.pl has what a mail looks like.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use HTTP::Tiny;
use NetTest ();
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;

NetTest::start_servers();
my $cluster = request_cluster('mail', "workflow.smtp_url = 'smtp://me:pass\@localhost:" . NetTest::port('smtp') . "'", "workflow.mail_max_size = '64kB'", 'log_min_messages = debug1');
my $quick = { maxAttempts => 3, initialDelay => 0.01, backoff => 'fixed', jitter => 0 };
my $off = JSON::PP::false();
my (@r, @n, $r, $code, $out, $err, $pid);
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }
sub mail { my (%more) = @_; return { nodes => [ { id => 'mail', type => 'email.send', config => { from => 'shop@example.com', to => 'ann@example.com', subject => 'hello', text => 'text', circuit => $off, retry => $quick, %more } } ], edges => [] } }
sub mails { return grep { $_->{data} =~ /^Subject: $_[0]\r$/m } @{ decode(HTTP::Tiny->new->get(url('http', '/mails'))->{content}) } }
# relay(url): from now on
sub relay
{
	my ($url) = @_;
	value("ALTER SYSTEM SET workflow.smtp_url = '$url'; SELECT pg_reload_conf()");
	# the next one reads it when it begins
	my $pid = dispatcher();
	value("SELECT pg_terminate_backend($pid)") if $pid;
	until_true("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", 'another relay');
	return;
}

# -- mails --

@r = all(
	[ mail(subject => 'm1', text => 'of {{ $input.n }}', cc => 'bob@example.com', bcc => ['eve@example.com']), { n => 7 } ],
	[ mail(subject => 'm2', to => 'nobody@example.com') ],
	[ mail(subject => 'm3', text => 'REFUSE') ],
	[ mail(subject => 'm4', await => $off) ],
	[ mail(subject => 'm5', attachments => [ { filename => 'a.txt', content => '{{ $input.c }}' } ]), { c => 'YWJj' x 30000 } ],
	[ mail(subject => '{{ $input.s }}'), { s => "m6\r\nBcc: evil\@example.com" } ],
	[ mail(subject => 'm7', to => '{{ $input.to }}'), { to => 'no address' } ],
	[ { nodes => [ { id => 'mail', type => 'email.send', config => { from => 'shop@example.com', to => 'nobody@example.com', subject => 'm8', text => 'x', circuit => $off, retry => $quick } }, { id => 'r', type => 'return', config => { value => '{{ $node.mail.error.code }}' } } ],
		edges => [ { source => 'mail', sourceHandle => 'error', target => 'r' } ] } ],
);
is(join(', ', map { code($_) } @r), 'completed, failed WF010, failed WF010, completed, failed 22023, failed 22023, failed 22023, completed', 'mails') or diag(encode(\@r));
my ($m) = mails('m1');
is(join(' ', @{ $m->{to} }) . ($m->{data} =~ /eve/ ? ' told' : '') . ($m->{user} // '') . ($m->{tls} ? 'tls' : ''), '<ann@example.com> <bob@example.com> <eve@example.com>metls', 'all get it, nobody is told of the blind copy');
like($m->{data}, qr/of 7/, 'its text');
is($r[0]{output}{status}, 250, 'the answer of the relay');
is(value(q{SELECT string_agg(concat_ws('/', method, state, status, attempts, path IS NULL, host), ' ' ORDER BY created_at) FROM wf_requests WHERE method = 'MAIL' OR host LIKE 'localhost%'}, 'app'),
	join(' ', map { my ($s, $c) = @$_; ($c ? "MAIL/$s/$c/1/t/mail" : "") } [ 'completed', 250 ], [ 'failed', 550 ], [ 'failed', 554 ], [ 'completed', 250 ], [ 'failed', 550 ]), 'rows of mails');
is($r[7]{output}, 'WF010', 'the error port');
until_true(q{SELECT count(*) = 0 FROM wf.request}, 'all are sent');
is(join(' ', map { scalar mails("m$_") } 1 .. 8), '1 0 0 1 0 0 0 0', 'each once, or not');
save('rolled', mail(subject => 'm9', await => $off));
value(q{BEGIN; SELECT wf_run('rolled'); ROLLBACK}, 'app');
is(code(run(mail(subject => 'm10'))) . scalar mails('m9'), 'completed0', 'what is rolled back is not sent');
relay('smtp://localhost:' . NetTest::port('closed'));
$r = run(mail(subject => 'm11'));
is(code($r) . value(q{SELECT attempts FROM wf_requests WHERE run_id = '} . $r->{run_id} . q{'}, 'app'), 'failed WF0103', 'a relay that is not there: three attempts');
relay('smtp://me:wrongCanary@localhost:' . NetTest::port('smtp'));
$r = run(mail(subject => 'm12'));
is(code($r), 'failed WF010', 'a wrong password');
unlike(encode($r), qr/wrongCanary/, 'is not told');
relay('smtp://me:wrongCanary@localhost:' . NetTest::port('smtpplain'));
is(code(run(mail(subject => 'm13'))) . scalar mails('m13'), 'failed WF0100', 'a password is not sent in the clear');
relay('smtps://me:pass@localhost:' . NetTest::port('smtps'));
is(code(run(mail(subject => 'm14'))) . scalar mails('m14'), 'completed1', 'smtps');
($code, $out, $err) = $cluster->psql('postgres', q{SELECT setting FROM pg_settings WHERE name = 'workflow.smtp_url'; SHOW workflow.smtp_url}, extra_params => [ '-U', 'app' ]);
unlike($out . $err, qr/pass/, 'the password of the relay is not for members');
relay('');
is(code(run(mail(subject => 'm15'))), 'failed 55000', 'no relay');
($code, $out, $err) = $cluster->psql('postgres', q{SELECT wf_save('x', ('{"nodes": [{"id": "m", "type": "email.send", "config": {"from": "a@b.example", "to": "c@d.example", "subject": "x", "text": "x", "attachments": [{"filename": "f", "content": "' || repeat('YWJj', 30000) || '"}]}}], "edges": []}')::jsonb)});
like($err, qr/attachments/, 'attachments over the limit are refused when the workflow is saved');

# -- access tokens --

value(q{SELECT wf_set_secret('HUSH', 'hush'), wf_set_secret('REFRESH', 'refresh0')});
sub guarded { my ($of, $path, %auth) = @_; return [ request_node({ url => api("/guarded?of=$of"), circuit => $off, retry => $quick, auth => { type => 'oauth2', grant => 'clientCredentials', clientId => 'client', clientSecret => '{{ $secrets.HUSH }}', tokenUrl => api("/token?of=$of$path"), %auth } }) ] }
sub tokens { my ($of) = @_; return scalar grep { $_->{target} =~ /of=$of\b/ } notes('token') }
@r = all(map { guarded('one', '') } 1 .. 8);
is(join(' ', map { code($_) } @r) . ' ' . tokens('one'), join(' ', ('completed') x 8, 1), 'one token for many requests');
my @asked = map { $_->{body} } grep { $_->{target} =~ /of=one/ } notes('token');
is("@asked", 'grant_type=client_credentials', 'as it is asked for');
HTTP::Tiny->new->get(api('/revoke?of=one'));
@r = all(guarded('bad', '', clientSecret => 'wrong'), guarded('body', '&body'), guarded('short', '&life=1'), guarded('refresh', '', grant => 'refreshToken', refreshToken => '{{ $secrets.REFRESH }}'),
	guarded('down', '&code=503'), guarded('none', '&code=200'), guarded('closed', '', tokenUrl => 'http://10.0.0.1/token'));
is(join(', ', map { code($_) } @r), 'failed WF010, completed, completed, completed, failed WF010, failed WF010, failed WF011', 'tokens of several kinds') or diag(encode(\@r));
is(tokens('body'), 2, 'a server that wants the client in the body');
is(tokens('down'), 3, 'a server that is overloaded is asked again');
is((scalar grep { $_->{target} =~ /of=(?:bad|down|none|closed)/ } notes('guarded')), 0, 'nothing is sent without a token');
@r = all(guarded('rotate', '&rotate', grant => 'refreshToken', refreshToken => '{{ $secrets.REFRESH }}'));
is(code($r[0]), 'completed', 'a refresh token that is replaced');
until_true(q{SELECT version = 2 FROM wf_secrets WHERE name = 'REFRESH'}, 'becomes the next version of the secret');
$pid = dispatcher();
value("SELECT pg_terminate_backend($pid)");
@r = all(guarded('rotate', '&rotate', grant => 'refreshToken', refreshToken => '{{ $secrets.REFRESH }}'));
is(code($r[0]) . ' ' . tokens('rotate'), 'completed 2', 'which is used from then on');
my $found = value(q{SELECT (SELECT count(*) FROM wf.request_log l WHERE l::text ~ 'access[0-9]|refresh[0-9]|hush|wrongCanary') + (SELECT count(*) FROM wf.segment s WHERE s::text ~ 'access[0-9]|refresh[0-9]|wrongCanary')});
is($found, '0', 'tokens are in no table');
is(value('SELECT count(*) FROM wf.request'), '0', 'nothing is left in the outbox');
is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
$cluster->stop;
my $log = slurp_file($cluster->logfile);
is(join("\n", grep { /access\d|refresh\d|wrongCanary|"hush"/ && !/set_secret|smtp_url|\^?access\[|of=/ } split /\n/, $log), '', 'nor in the log');
is(join("\n", grep { /leak(?!proof)|was not closed|PANIC|TRAP|non-empty SPI|alloc set/ } split /\n/, $log), '', 'no resource was left behind');
done_testing();
