#!/usr/bin/perl
# requests.pl: requests of runs, from the node to the server and back: what is sent, what comes of the answer, attempts and their
# keys, what a rollback leaves, secrets. requests_policy.pl has limits and rights, requests_flow.pl what runs do meanwhile.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use RequestTest;
use Test::More;
use Time::HiRes qw(time sleep);

my $canary = 'cAnArY' . 'ValueOfASecret';
my $cluster = request_cluster('requests', "log_min_messages = debug1", "log_min_error_statement = debug1");
my $quick = { maxAttempts => 3, initialDelay => 0.01, backoff => 'fixed', jitter => 0 };
my ($r, @r, @n, $id);
# one(path, config ...): a workflow of one request to the server that notes, whose circuit failures here do not open
my $off = JSON::PP::false();
sub one { my ($path, %more) = @_; return [ request_node({ url => api($path), circuit => $off, %more }) ] }
# code(envelope): "status code of the error"
sub code { my ($e) = @_; return join ' ', $e->{status}, $e->{error} ? $e->{error}{code} : () }

# -- what is sent, and the answer --

@r = all(
	one('/get?a=1', query => { b => 'x y', c => [ 1, 2 ] }, headers => { 'X-One' => 'yes' }),
	one('/json', body => { a => [ 1, 'zwei' ] }),
	one('/form', method => 'put', bodyType => 'form', body => { a => 'x&y', b => [ 1, 2 ] }),
	one('/multipart', bodyType => 'multipart', body => { a => 'x', f => { filename => 'f.txt', content => 'aGFsbG8=' } }),
	one('/text', method => 'PATCH', body => "Grüße"),
	one('/binary', bodyType => 'binary', body => 'AAEC'),
	one('/delete', method => 'DELETE'),
	one('/basic', auth => { type => 'basic', username => 'me', password => 'pass' }),
	one('/bearer', auth => { type => 'bearer', token => 'tok' }),
	one('/apikey', auth => { type => 'apiKey', name => 'X-Key', value => 'k1' }),
	one('/apikeyq', auth => { type => 'apiKey', name => 'key', value => 'k2', in => 'query' }),
	one('/aws', auth => { type => 'aws', accessKey => 'AK', secretKey => 'SK', region => 'eu-1', service => 's3' }),
	[ request_node({ url => url('http', '/digest'), auth => { type => 'digest', username => 'me', password => 'pass' } }) ],
	[ request_node({ url => url('mutual', '/ok'), auth => { type => 'mtls', cert => slurp_file("$NetTest::folder/client.crt"), key => slurp_file("$NetTest::folder/client.key") } }) ],
	[ request_node({ url => url('https', '/ok') }) ],
	one('/head', method => 'HEAD'),
);
is(join(' ', map { code($_) } @r), join(' ', ('completed') x @r), 'all were answered');
diag(encode($_->{error})) for grep { $_->{error} } @r;
is(join(' ', sort keys %{ $r[0]{output} }), 'attempts body durationMs headers status url', 'what an answer is');
is("$r[0]{output}{status} $r[0]{output}{attempts} $r[0]{output}{headers}{'content-type'} $r[0]{output}{url}", '200 1 application/json ' . api('/get?a=1&b=x%20y&c=1&c=2'), 'status, headers and address');
sub got { return $r[ $_[0] ]{output}{body} }
is(join(' ', got(0)->{method}, got(0)->{target}, got(0)->{headers}{'x-one'}), 'GET /get?a=1&b=x%20y&c=1&c=2 yes', 'query and headers');
is(join(' ', got(1)->{method}, got(1)->{headers}{'content-type'}, got(1)->{body}), 'POST application/json {"a": [1, "zwei"]}', 'JSON');
is(join(' ', got(2)->{method}, got(2)->{headers}{'content-type'}, got(2)->{body}), 'PUT application/x-www-form-urlencoded a=x%26y&b=1&b=2', 'a form');
like(got(3)->{headers}{'content-type'} . got(3)->{body}, qr{^multipart/form-data; boundary=.*name="a"\r\n\r\nx\r\n.*filename="f.txt".*\r\n\r\nhallo\r\n}s, 'multipart');
is(join(' ', got(4)->{method}, got(4)->{body}, got(4)->{headers}{'content-type'}), "PATCH Gr\x{c3}\x{bc}\x{c3}\x{9f}e text/plain; charset=utf-8", 'text');
is(unpack('H*', (notes('binary'))[0]{body}), '000102', 'bytes');
is(got(6)->{method}, 'DELETE', 'DELETE');
is(got(7)->{headers}{authorization}, 'Basic bWU6cGFzcw==', 'basic');
is(got(8)->{headers}{authorization}, 'Bearer tok', 'bearer');
is(got(9)->{headers}{'x-key'}, 'k1', 'an API key in a header');
is(got(10)->{target}, '/apikeyq?key=k2', 'and in the query');
like(got(11)->{headers}{authorization}, qr{^AWS4-HMAC-SHA256 Credential=AK/\d+/eu-1/s3/aws4_request}, 'a signature of AWS');
like(got(12), qr/^digest/, 'digest');
is(got(13) . got(14), 'okok', 'TLS, with and without a certificate of the client');
is($r[15]{output}{body}, undef, 'HEAD has no body');

# -- answers that are none, and errors that a path may catch --

@r = all(
	one('/r1?type=text/html&text=<p>', responseType => 'json', retry => $quick),
	one('/r2?type=application/json&text={broken', responseType => 'json', retry => $quick),
	one('/r3?type=text/plain&text=abc'),
	one('/r4?type=application/octet-stream&text=abc'),
	one('/r5?text=abc&type=x/y', responseType => 'binary'),
	one('/r6', responseType => 'none'),
	one('/r7?code=404&type=text/plain&text=' . ('y' x 3000)),
	one('/r8?code=404', successCodes => [ '2xx', 404 ]),
	one('/r9?text=' . ('z' x 2000) . '&type=text/plain', maxResponseSize => 1000, retry => $quick),
	one('/r10?code=500', retry => $quick),
	[ request_node({ url => url('closed', '/'), retry => $quick }) ],
	[ request_node({ url => 'http://nowhere.invalid/', connectTimeout => 1, retry => { maxAttempts => 1 } }) ],
	[ request_node({ url => url('untrusted', '/ok'), retry => { maxAttempts => 1 } }) ],
	one('/r13?cut=10', retry => $quick),
	one('/r14?ms=60000', timeout => 0.2, retry => { %$quick, maxAttempts => 2 }),
	[ request_node({ url => url('http', '/redirect?to=' . 'http%3A%2F%2F127.0.0.1%3A' . api_port() . '%2Fr15') }) ],
	[ request_node({ url => url('http', '/round'), maxRedirects => 3 , retry => { maxAttempts => 1 } }) ],
);
is(code($r[0]) . " $r[0]{error}{details}{status} $r[0]{error}{details}{contentType} $r[0]{error}{details}{body}", 'failed WF010 200 text/html <p>', 'no JSON where JSON was wanted');
is(code($r[1]), 'failed WF010', 'JSON that is broken');
is("$r[2]{output}{body} $r[3]{output}{body} $r[4]{output}{body}", 'abc YWJj YWJj', 'text and bytes');
is($r[5]{output}{body}, undef, 'a body that nobody wants');
is(code($r[6]) . " $r[6]{error}{details}{status} " . length($r[6]{error}{details}{body}), 'failed WF010 404 1024', 'a status that is no success, with a kilobyte of what it said');
is(code($r[7]) . " $r[7]{output}{status}", 'completed 404', 'unless it is one');
is(code($r[8]), 'failed WF006', 'an answer that is too large');
is(code($r[9]) . " $r[9]{error}{details}{status}", 'failed WF010 500', 'status 500');
is(told('count', 'r10') . told('count', 'r1') . told('count', 'r9'), '311', 'after three attempts; what would only be repeated is not');
is(join(' ', map { code($_) } @r[ 10 .. 13 ]), join(' ', ('failed WF010') x 4), 'no connection, no host, no trust, half an answer');
is(told('count', 'r13'), 3, 'half an answer is tried again');
is(code($r[14]) . ' ' . told('count', 'r14'), 'failed WF010 2', 'a time-out of the attempt');
is(code($r[15]) . " $r[15]{output}{url}", 'completed ' . api('/r15'), 'redirects are followed');
is(code($r[16]), 'failed WF010', 'not for ever');

# -- attempts --

@r = all(
	one('/a1?fails=2', retry => $quick),
	one('/a2?cutfirst=2', retry => $quick),
	one('/a3?fails=1&failure=429&after=1', retry => $quick),
	one('/a4?fails=1&failure=418', retry => { %$quick, retryOn => ['418'] }),
	one('/a5?fails=1', retry => { %$quick, stopOn => ['5xx'] }),
	[ request_node({ url => api('/a6?code=500'), circuit => $off, retry => { %$quick, maxAttempts => 2 } }, onError => 'retry', retry => { maxAttempts => 2, initialDelay => 0.01 }) ],
	[ { nodes => [ { id => 'ask', type => 'http.request', config => { url => api('/a7?code=500'), circuit => $off, retry => { maxAttempts => 1 } } },
				{ id => 'caught', type => 'return', config => { value => { caught => '{{ $node.ask.error.code }}', status => '{{ $node.ask.error.details.status }}' } } } ],
			edges => [ { source => 'ask', sourceHandle => 'error', target => 'caught' } ] } ],
	[ request_node({ url => api('/a8?fails=2'), retry => $quick }), {}, { correlationId => '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' } ],
	[ request_node({ url => api('/a9') }), {}, { correlationId => 'order 7' } ],
	one('/a10', headers => { 'Idempotency-Key' => 'mine', traceparent => 'also mine' }),
);
# connections that were kept and are cut at once are made again by libcurl, within the attempt
like(join(' ', map { $_->{output}{attempts} // code($_) } @r[ 0 .. 4 ]), qr/^3 [123] 2 2 failed WF010$/, 'attempts until it is answered');
for my $tag ('a1', 'a2')
{
	@n = notes($tag);
	my %keys = map { $_->{key} => 1 } @n;
	is(scalar(@n) . ' ' . keys %keys, '3 1', "$tag: every attempt has the same key");
}
@n = notes('a3');
cmp_ok($n[1]{at} - $n[0]{at}, '>=', 990, 'Retry-After is waited for');
@n = notes('a6');
is(join(' ', code($r[5]), map { $_->{key} eq $n[0]{key} ? 'A' : $_->{key} eq $n[2]{key} ? 'B' : 'C' } @n), 'failed WF010 A A B B', 'the retry of the node makes a new request');
is(encode($r[6]{output}), '{"caught":"WF010","status":500}', 'the error port');
@n = notes('a8');
is(join(' ', map { substr($_->{headers}{traceparent}, 0, 36) eq '00-0af7651916cd43dd8448eb211c80319c-' ? 'same' : 'other' } @n), 'same same same', 'the trace is that of the correlation');
isnt($n[0]{headers}{traceparent}, $n[1]{headers}{traceparent}, 'each attempt has a span of its own');
like((notes('a9'))[0]{headers}{traceparent}, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, 'of any other correlation there is one too');
@n = notes('a10');
is("$n[0]{headers}{'idempotency-key'} $n[0]{headers}{traceparent}", 'mine also mine', 'headers of the node win');
@n = notes('a1');
is(value("SELECT concat_ws(' ', run_id = '$r[0]{run_id}', workflow, node, method, host = '127.0.0.1:" . api_port() . "', path, state, status, attempts, total_ms > 0, error) FROM wf_requests WHERE request_id = '$n[0]{key}'", 'app'),
	't w0 ask GET t /a1 completed 200 3 t', 'a row of wf_requests');
is(value(q{SELECT state || ' ' || status || ' ' || (error ->> 'code') FROM wf_requests WHERE path = '/a5'}, 'app'), 'failed 503 WF010', 'one that failed');

# -- nobody waits --

@r = all(one('/f1?ms=100', await => $off), one('/f2?fails=1', await => $off, retry => $quick), one('/f3?code=500', await => $off, retry => $quick));
is(join(' ', map { code($_) . ' ' . join(',', sort keys %{ $_->{output} }) } @r), join(' ', ('completed queued,request_id') x 3), 'the run goes on at once');
until_true("SELECT string_agg(path || state || attempts, ' ' ORDER BY path) = '/f1completed1 /f2completed2 /f3failed3' FROM wf_requests WHERE path LIKE '/f_'", 'they are sent all the same, and tried again');
is((notes('f1'))[0]{key}, $r[0]{output}{request_id}, 'the id is the key');
save('forget', request_node({ url => api('/f4'), await => $off }));
save('forget2', { %{ request_node({ url => api('/f5'), await => $off }) }, settings => { atomic => JSON::PP::true() } });
value(q{SELECT wf_call('forget'); SELECT wf_run('forget2')}, 'app');
until_told('count', $_, sub { $_ == 1 }, "a call that forgets, $_") for 'f4', 'f5';
save('awaits', request_node({ url => api('/f6') }));
my ($code, $out, $err) = $cluster->psql('postgres', "SELECT wf_call('awaits')", extra_params => [ '-U', 'app' ]);
like($err, qr/waits, which a call cannot/, 'a call does not wait');

# -- what is rolled back is not sent --

my $forget = sub { my ($tag) = @_; return { url => api("/$tag"), await => $off } };
save('undone', request_node($forget->('{{ $input.tag }}')));
save('undone2', request_node({ url => api('/{{ $input.tag }}') }));
# in an earlier transaction, in a savepoint, in one that fails later, and in none
value(q{
	BEGIN; SELECT wf_run('undone', '{"tag": "never1"}'); SELECT wf_run('undone2', '{"tag": "never2"}'); ROLLBACK;
	BEGIN; SAVEPOINT a; SELECT wf_run('undone', '{"tag": "never3"}'); SELECT wf_run('undone2', '{"tag": "never4"}'); ROLLBACK TO a; SELECT wf_run('undone', '{"tag": "sent1"}'); COMMIT;
	DO $$ BEGIN PERFORM wf_run('undone', '{"tag": "never5"}'); RAISE 'x'; EXCEPTION WHEN OTHERS THEN PERFORM wf_run('undone', '{"tag": "sent2"}'); END $$;
}, 'app');
@r = all(
	[ { nodes => [ { id => 'a', type => 'http.request', config => $forget->('never6') }, { id => 'f', type => 'fail', config => { code => 'NO', message => 'no' } } ], edges => [ { source => 'a', target => 'f' } ] } ],
	[ { nodes => [ { id => 'p', type => 'parallel', config => { branches => [ { id => 'x' }, { id => 'y' } ] } }, { id => 'a', type => 'http.request', parent => 'p', branch => 'x', config => { url => api('/never7') } },
				{ id => 'f', type => 'fail', parent => 'p', branch => 'y', config => { code => 'NO', message => 'no' } } ], edges => [] } ],
	[ { nodes => [ { id => 't', type => 'try' }, { id => 'a', type => 'http.request', parent => 't', branch => 'try', config => $forget->('never8') },
				{ id => 'f', type => 'fail', parent => 't', branch => 'try', config => { code => 'NO', message => 'no' } }, { id => 'b', type => 'http.request', config => $forget->('sent3') } ],
			edges => [ { source => 'a', target => 'f' }, { source => 't', sourceHandle => 'error', target => 'b' } ] } ],
);
is(join(' ', map { code($_) } @r), 'failed NO failed NO completed', 'runs that fail behind a request');
# What comes later has been sent: whatever was there before it would be too.
run(one('/last')->[0]);
until_told('count', $_, sub { $_ == 1 }, "$_: what was not rolled back is sent") for map { "sent$_" } 1 .. 3;
is(join(' ', map { told('count', "never$_") } 1 .. 8), '0 0 0 0 0 0 0 0', 'nothing of what was');
is(value(q{SELECT count(*) FROM wf_requests WHERE path LIKE '/never%'}, 'app'), '0', 'nor is there a row of it');

# -- secrets --

value("SELECT wf_set_secret('KEY', '$canary')");
@r = all(
	one('/s1?text=no&k={{ $secrets.KEY }}', headers => { 'X-Key' => 'is {{ $secrets.KEY }}' }, body => { key => '{{ $secrets.KEY }}', list => ['a{{ $secrets.KEY }}b'] }),
	one('/s2?text=no', auth => { type => 'bearer', token => '{{ $secrets.KEY }}' }),
	one('/s3?code=500&text=no', headers => { Authorization => '{{ $secrets.KEY }}' }, retry => $quick),
	[ request_node({ url => url('closed', '/s4/{{ $secrets.KEY }}'), retry => $quick }) ],
	one('/s5?text=no', method => 'POST', bodyType => 'form', body => { k => '{{ $secrets.KEY }}' }),
);
is(join(' ', map { code($_) } @r), 'completed completed failed WF010 failed WF010 completed', 'requests with secrets');
@n = notes('s1');
is("$n[0]{target} $n[0]{headers}{'x-key'} $n[0]{body}", "/s1?text=no&k=$canary is $canary {\"key\": \"$canary\", \"list\": [\"a${canary}b\"]}", 'the server gets them');
is((notes('s2'))[0]{headers}{authorization}, "Bearer $canary", 'as a token');
is((notes('s5'))[0]{body}, "k=$canary", 'in a form');
is(value(q{SELECT string_agg(path, ' ' ORDER BY path) FROM wf_requests WHERE path ~ '^/s[14]' OR path IS NULL}, 'app'), '/s1 /s4/***', 'a path that holds one is not shown');
# bodies are kept where a setting asks, without secrets, also those that the answer repeats
is(value(q{SELECT count(*) FROM wf_requests WHERE bodies IS NOT NULL}, 'app'), '0', 'no bodies are kept');
$cluster->append_conf('postgresql.conf', 'workflow.http_log_bodies = on');
$cluster->reload;
until_true(q{SELECT current_setting('workflow.http_log_bodies') = 'on'}, 'until they are asked for');
my $kept = sub {
	value(q{SELECT bodies FROM wf_requests WHERE bodies IS NOT NULL ORDER BY created_at DESC LIMIT 1}, 'app');
};
# the process that sends reads the setting when it wakes
run(one('/kept', body => { key => '{{ $secrets.KEY }}', n => 1 }, await => $off)->[0]) for 1 .. 2;
until_true(q{SELECT count(*) > 0 FROM wf.request_log WHERE bodies IS NOT NULL}, 'they are kept');
is(join(' ', map { $_->{request}{key} . $_->{request}{n} . ' ' . ($_->{response}{body} =~ /"key": "(.*?)"/)[0] } decode($kept->())), '***1 ***', 'bodies without secrets') or diag($kept->());
$cluster->append_conf('postgresql.conf', 'workflow.http_log_bodies = off');
$cluster->reload;
save('dropped', request_node({ url => api('/s6?text=no'), circuit => $off, headers => { A => '{{ $secrets.KEY2 }}' }, retry => $quick }));
save('dropped2', { nodes => [ { id => 'ask', type => 'http.request', config => { url => api('/s6?text=no'), circuit => $off, headers => { A => '{{ $secrets.KEY2 }}' } }, onError => 'continue' }, { id => 'b', type => 'return', config => { value => '{{ $node.ask.error.code }}' } } ],
	edges => [ { source => 'ask', target => 'b' } ] });
@r = map { wait_for($_) } split /\n/, value(q{SELECT wf_run('dropped') ->> 'run_id'; SELECT wf_run('dropped2') ->> 'run_id'}, 'app');
is(code($r[0]) . ' ' . $r[1]{output} . ' ' . told('count', 's6'), 'failed WF013 WF013 0', 'a secret that is missing: nothing is sent');
value("SELECT wf_set_secret('KEY2', E'$canary\\r\\nX: y')");
@r = map { wait_for($_) } split /\n/, value(q{SELECT wf_run('dropped') ->> 'run_id'}, 'app');
is(code($r[0]) . ' ' . told('count', 's6'), 'failed 22023 0', 'a secret that breaks a header: nothing is sent');
value("SELECT wf_set_secret('KEY2', '${canary}New')");
@r = map { wait_for($_) } split /\n/, value(q{SELECT wf_run('dropped') ->> 'run_id'}, 'app');
is(code($r[0]) . ' ' . (notes('s6'))[0]{headers}{a}, "completed ${canary}New", 'the new value is used at once');
my @where = split /\n/, value(q{
	CREATE FUNCTION pg_temp.look(canary text) RETURNS SETOF text LANGUAGE plpgsql AS $$
	DECLARE t regclass; n bigint;
	BEGIN
		FOR t IN SELECT oid FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'wf'::regnamespace LOOP
			EXECUTE format('SELECT count(*) FROM %s x WHERE x::text LIKE %L', t, '%' || canary || '%') INTO n;
			IF n > 0 THEN RETURN NEXT t || ' ' || n; END IF;
		END LOOP;
		SELECT count(*) INTO n FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE '%' || canary || '%';
		IF n > 0 THEN RETURN NEXT 'pg_stat_activity'; END IF;
	END $$;
	SELECT pg_temp.look('cAnArY' || 'ValueOfASecret');
});
is(join(' ', @where), '', 'a secret is in no table and no activity');

# -- pages, GraphQL, webhooks --

@r = all(
	one('/pages/link', pagination => { type => 'link' }),
	one('/pages/cursor', pagination => { type => 'cursor', param => 'after', cursorPath => 'next', itemsPath => 'data.items' }),
	one('/pages/page', pagination => { type => 'page', itemsPath => 'rows', size => 3 }),
	one('/pages/offset', pagination => { type => 'offset' }),
	one('/pages/link', pagination => { type => 'link', maxPages => 2 }),
	one('/pages/away', pagination => { type => 'link' }),
	[ { nodes => [ { id => 'ask', type => 'graphql.request', config => { url => api('/graphql'), query => 'query Q($id: ID!) { right(id: $id) }', variables => { id => 7 }, operationName => 'Q' } } ], edges => [] } ],
	[ { nodes => [ { id => 'ask', type => 'graphql.request', config => { url => api('/graphql'), query => '{ wrong }', circuit => $off, retry => $quick } } ], edges => [] } ],
	[ { nodes => [ { id => 'tell', type => 'webhook.send', config => { url => api('/hook?fails=1'), secret => 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', body => { type => 'paid', id => 7 }, retry => $quick } } ], edges => [] } ],
	[ { nodes => [ { id => 'tell', type => 'webhook.send', config => { url => api('/hook2'), secrets => [ 'plain', 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' ] } } ], edges => [] }, { some => 'input' } ],
);
is(join(' ', map { join(',', @{ $_->{output}{items} // [] }) . "/" . ($_->{output}{pages} // '') } @r[ 0 .. 4 ]), '1,2,3,4,5,6,7/3 1,2,3,4,5,6,7/3 1,2,3,4,5,6,7/3 1,2,3,4,5,6,7/4 1,2,3,4,5,6/2', 'four kinds of pages');
is(code($r[5]), 'failed WF010', 'a page at another host');
is(encode($r[6]{output}{data}{asked}), '{"operationName":"Q","query":"query Q($id: ID!) { right(id: $id) }","variables":{"id":7}}', 'GraphQL');
is(code($r[7]) . ' ' . encode($r[7]{error}{details}{errors}), 'failed WF010 [{"message":"wrong"}]', 'errors of GraphQL');
require Digest::SHA;
require MIME::Base64;
@n = notes('hook');
my $signed = sub { my ($n, $key) = @_; return 'v1,' . MIME::Base64::encode_base64(Digest::SHA::hmac_sha256("$n->{headers}{'webhook-id'}.$n->{headers}{'webhook-timestamp'}.$n->{body}", $key), '') };
my $hook_key = MIME::Base64::decode_base64('MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
is(join(' ', map { $_->{headers}{'webhook-signature'} } @n), join(' ', map { $signed->($_, $hook_key) } @n), 'the signature of a webhook, of each attempt');
is("$n[0]{headers}{'webhook-id'} $n[0]{body}", "$n[1]{headers}{'webhook-id'} {\"id\": 7, \"type\": \"paid\"}", 'its id is the same');
@n = notes('hook2');
is($n[0]{headers}{'webhook-signature'}, join(' ', $signed->($n[0], 'plain'), $signed->($n[0], $hook_key)), 'two secrets, two signatures');
is($n[0]{body}, '{"some": "input"}', 'the input is what is sent');

# -- bad input that is only seen when the node runs --

@r = all(map { [ request_node({ url => 'http://127.0.0.1/', retry => $quick, %{ $_->[0] } }), $_->[1] ] }
	[ { url => '{{ $input.u }}' }, { u => 'gopher://127.0.0.1/' } ], [ { url => '{{ $input.u }}' }, { u => 'no address' } ], [ { url => 'http://{{ $input.u }}/' }, { u => 'a..b' } ],
	[ { headers => { X => '{{ $input.u }}' } }, { u => "a\r\nB: c" } ], [ { headers => '{{ $input.u }}' }, { u => { 'bad name' => 1 } } ],
	[ { bodyType => 'form', body => '{{ $input.u }}' }, { u => 'text' } ], [ { bodyType => 'binary', body => '{{ $input.u }}' }, { u => '%%%' } ], [ { method => '{{ $input.u }}' }, { u => 'CONNECT' } ]);
is(join(' ', map { code($_) } @r), join(' ', ('failed 22023') x 8), 'what cannot be sent fails the node');
is(value(q{SELECT count(*) FROM wf_requests WHERE error ->> 'code' = '22023' AND path <> '/s6'}, 'app'), '0', 'and is no request');

# -- a transaction that resets a circuit and stays open --

value(q{INSERT INTO wf.circuit (tenant_id, host, state, attempts, failures, changed_at, times_opened) SELECT tenant_id, '127.0.0.3:1', 'closed', 0, 0, now(), 0 FROM wf.tenant});
my $session = $cluster->background_psql('postgres', timeout => $deadline);
is($session->query_safe(q{BEGIN; SELECT wf_reset_circuit('127.0.0.3:1')}), 't', 'a circuit is reset');
@r = all(map { [ request_node({ url => 'http://127.0.0.3:1/', retry => { maxAttempts => 1 } }) ] } 1 .. 12);
is(scalar(grep { $_->{status} eq 'failed' } @r), 12, 'it opens meanwhile');
is(code(run(one('/beside')->[0])), 'completed', 'others are served');
is(value(q{SELECT count(*) FROM wf_circuits WHERE host = '127.0.0.3:1' AND state = 'open'}), '0', 'it cannot be written yet');
$session->query_safe('COMMIT');
$session->quit;
until_true(q{SELECT count(*) = 1 FROM wf_circuits WHERE host = '127.0.0.3:1' AND state = 'open'}, 'it is, in the end');

is(value('SELECT count(*) FROM wf.request'), '0', 'nothing is left in the outbox');
is(value('SELECT count(*) FROM wf.check_invariants()'), '0', 'invariants');
$cluster->stop;
my $log = slurp_file($cluster->logfile);
# the statement that set it is the client's
is(join("\n", grep { /\Q$canary\E/ && !/wf_set_secret|x::text LIKE/ } split /\n/, $log), '', 'a secret is not in the log');
is(join("\n", grep { /leak|was not closed|PANIC|TRAP|non-empty SPI|alloc set/ } split /\n/, $log), '', 'no resource was left behind');
done_testing();
