#!/usr/bin/perl
# fuzz.pl: random inputs from a seed, which is printed, for as long as `make check` can spare. `make fuzz`
# (test/fuzz) looks for longer, guided by coverage and with sanitizers.
#
#   1. Whole runs: small random workflows (branches, back edges, containers, retries, timeouts, errors
#      routed, ignored and not, compensations, called workflows) with random inputs. What must hold is in
#      the SQL function fuzz_run.
#   2. The corpus of test/fuzz with random changes, through the SQL interface: whatever the answer is, it
#      is no internal error and no crash.
#
# WF_FUZZ_SEED, WF_FUZZ_ROUNDS and WF_FUZZ_SECONDS (whole runs) choose; what is wrong is shown with its input.
use strict;
use warnings;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $root = $ENV{WF_ROOT} // '.';
my $seed = $ENV{WF_FUZZ_SEED} // (time % 1000000 + 1);
my $rounds = $ENV{WF_FUZZ_ROUNDS} // 600;
my $seconds = $ENV{WF_FUZZ_SECONDS} // 20;
srand $seed;
diag "seed $seed";

my $json = JSON::PP->new->canonical->allow_nonref;
my $node = PostgreSQL::Test::Cluster->new('fuzz');
$node->init;
$node->append_conf('postgresql.conf', "log_min_messages = warning\nlog_statement = none\nfsync = off\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE fuzz');

sub pick { return $_[ int rand @_ ]; }
sub chance { return rand() < $_[0]; }

# -- whole runs --

my @values = (1, 0, -3, 'text', JSON::PP::null, [1, 2], {}, '{{ $input }}', '{{ $input.n }}', '{{ $input.items }}',
	'{{ $vars }}', '{{ $node.n1.output }}', '{{ $input.items.length + 1 }}', '{{ $item }}', '{{ $index ?? 0 }}', '{{ $run.iteration }}',
	'{{ $error }}', '{{ $input.none.x }}', '{{ [1,2,3].map(x => x * 2) }}', 'n is {{ $input.n }}');
my @conditions = ('true', 'false', '$input.n > 1', '$input.items.length > 0', '$input.none.x', '$vars.a === 1', 'Math.abs(-1)');
my @items = ([], [1], [1, 2, 3], '{{ $input.items ?? [1, 2] }}', '{{ $input.n }}', [{ a => 1 }, { a => 2 }, { a => 1 }], [JSON::PP::null, 'x']);

my %types = (
	'noop' => sub { return {}; },
	'set' => sub { return { variables => { pick('a', 'b') => pick(@values) } }; },
	'if' => sub { return { condition => pick(@conditions) }; },
	'switch' => sub {
		return { expression => '$input.n', cases => [ { value => 1, port => 'one' }, { when => pick(@conditions), port => 'two' } ],
			mode => pick('first', 'all') };
	},
	'filter' => sub { return { items => pick(@items), condition => pick('$item > 1', @conditions) }; },
	'validate' => sub { return { data => pick(@values), schema => { type => pick('object', 'number', 'array') } }; },
	'merge' => sub { return { mode => pick('append', 'choose', 'any', 'combine') }; },
	'collect' => sub { return { items => pick(@items) }; },
	'transform' => sub {
		return pick({ operation => 'map', items => pick(@items), expression => pick('$item', '$item.a', '$index', '$item.a.b') },
			{ operation => 'reduce', items => pick(@items), expression => '$item', initial => 0 },
			{ operation => pick('unique', 'sort'), items => pick(@items) });
	},
	'return' => sub { return { value => pick(@values) }; },
	'fail' => sub { return { code => pick('E1', 'E2'), message => pick('no', 'n is {{ $input.n }}') }; },
	'db.create' => sub { return { table => 'fuzz_row', values => { sku => pick('a', 'b', 'c', '{{ $input.n }}', '{{ $index }}'), qty => pick(1, -1, '{{ $input.n }}') } }; },
	'db.update' => sub { return { table => 'fuzz_row', set => { qty => { '$inc' => pick(1, -1, -5) } }, where => { sku => pick('s1', 's2', 'none') } }; },
	'db.delete' => sub { return { table => 'fuzz_row', where => { sku => pick('s1', 's3', '{{ $input.n }}') } }; },
	'db.find' => sub { return { table => 'fuzz_row', where => { qty => { gte => pick(1, '{{ $input.n }}') } }, limit => 3 }; },
	'db.query' => sub { return { sql => pick('select 1 as one', 'select 1 / $1::int as x', 'select pg_sleep(0.03)'), outputFormat => 'rows' }; },
	'subworkflow' => sub { return { workflow => pick('child', 'child', 'absent'), input => { n => pick(0, 1, '{{ $input.n }}') }, errorHandling => pick('propagate', 'catch', 'ignore') }; },
	'loop' => sub {
		return pick({ type => 'foreach', items => pick(@items), onItemError => pick('stop', 'continue', 'collect'), batchSize => 1 + int rand 2 },
			{ type => 'for', from => 1, to => 3, onItemError => pick('stop', 'continue') },
			{ type => 'while', condition => pick('$index < 2', 'false'), maxIterations => 5 });
	},
	'parallel' => sub { return { branches => [ { id => 'p' }, { id => 'q' } ], waitMode => pick('all', 'any', 'first'), errorHandling => pick('stop', 'continue', 'collect') }; },
	'try' => sub { return {}; },
);
my %ports = (
	'if' => [ 'true', 'false' ], 'switch' => [ 'one', 'two', 'default' ], 'filter' => [ 'out', 'empty' ],
	'validate' => [ 'out', 'invalid' ], 'loop' => [ 'out', 'empty' ], 'return' => [], 'fail' => []);
my %branches = ('loop' => [undef], 'parallel' => [ 'p', 'q' ], 'try' => [ 'try', 'catch', 'finally' ]);
my ($next, @nodes, @edges);

# One node; what lives in it as well.
sub make_node
{
	my ($depth, $parent, $branch) = @_;
	my $type = pick(sort keys %types);
	$type = 'noop' if $depth >= 2 && $branches{$type};
	$type = pick('noop', 'set', 'db.create') if $type =~ /^(return|fail)$/ && chance(0.5);
	my $made = { id => 'n' . $next++, type => $type, config => $types{$type}->() };
	delete $made->{config}{params} if $type ne 'db.query';
	$made->{config}{params} = [ pick(0, 1, '{{ $input.n }}') ] if $type eq 'db.query' && $made->{config}{sql} =~ /\$1/;
	$made->{parent} = $parent if defined $parent;
	$made->{branch} = $branch if defined $branch;
	$made->{timeout} = pick('10ms', '1s') if chance(0.1);
	$made->{retry} = { maxAttempts => 1 + int rand 3, initialDelay => 0 } if chance(0.15);
	$made->{onError} = pick('continue', 'route', 'fail') if chance(0.25);
	$made->{onErrorValue} = pick(@values) if ($made->{onError} // '') eq 'continue' && chance(0.5);
	$made->{disabled} = JSON::PP::true if chance(0.03);
	push @nodes, $made;
	if ($branches{$type})
	{
		make_region($depth + 1, $made->{id}, $_) for @{ $branches{$type} };
	}
	return $made;
}

# The nodes of a region and the edges among them: mostly forward; back ones mostly along a chain, where they are allowed.
sub make_region
{
	my ($depth, $parent, $branch) = @_;
	my $n = 1 + int rand($depth == 0 ? 6 : 3);
	my @own = map { make_node($depth, $parent, $branch) } 1 .. $n;
	my $chain = chance(0.5);
	for my $i (0 .. $n - 1)
	{
		my @out = $ports{ $own[$i]{type} } ? @{ $ports{ $own[$i]{type} } } : ('out');
		for my $j (0 .. $n - 1)
		{
			next unless $i < $j ? ($chain && $j == $i + 1) || chance(0.3) : chance($chain ? 0.08 : 0.02);
			my $edge = { source => $own[$i]{id}, target => $own[$j]{id} };
			my $port = ($own[$i]{onError} // '') eq 'route' && chance(0.5) ? 'error' : @out ? pick(@out) : next;
			$edge->{sourceHandle} = $port if $port ne 'out';
			$edge->{condition} = $j <= $i ? "\$run.iteration.$own[$i]{id} < 3" : pick(@conditions) if $j <= $i || chance(0.15);
			$edge->{maxIterations} = pick(2, 5) if $j <= $i && chance(0.5);
			push @edges, $edge;
		}
	}
	for my $made (@own)
	{
		next unless ($made->{onError} // '') eq 'route';
		delete $made->{onError} unless grep { $_->{source} eq $made->{id} && ($_->{sourceHandle} // '') eq 'error' } @edges;
	}
	return;
}

sub make_workflow
{
	($next, @nodes, @edges) = (1);
	make_region(0, undef, undef);
	if (chance(0.2))
	{
		push @nodes, { id => 'undo', type => 'db.create', config => { table => 'fuzz_row', values => { sku => 'undo' } } };
		my $top = $nodes[0];
		$top->{compensate} = { node => 'undo' } if $top->{type} ne 'return' && $top->{type} ne 'fail';
	}
	my $settings = { journal => pick('full', 'full', 'full', 'errors', 'none') };
	$settings->{timeout} = pick('20ms', '5s') if chance(0.1);
	return { nodes => [@nodes], edges => [@edges], settings => $settings };
}

$node->safe_psql('fuzz', q{
CREATE EXTENSION workflow;
CREATE TABLE fuzz_row (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, sku text UNIQUE NOT NULL, qty int DEFAULT 1 CHECK (qty >= 0));
INSERT INTO fuzz_row (sku, qty) SELECT 's' || n, n FROM generate_series(1, 5) n;
SELECT wf_save('child', '{"nodes": [{"id": "a", "type": "db.create", "config": {"table": "fuzz_row", "values": {"sku": "child{{ $input.n }}"}}},
	{"id": "f", "type": "fail", "config": {"code": "CHILD", "message": "no"}}],
	"edges": [{"source": "a", "target": "f", "condition": "$trigger.n === 0"}]}');
CREATE FUNCTION fuzz_state() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(md5(string_agg(r::text, '|' ORDER BY sku)), '-') FROM fuzz_row r $$;
CREATE FUNCTION fuzz_session() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws('|', current_user, session_user, md5(string_agg(name || '=' || setting, ',' ORDER BY name)))
	FROM pg_settings WHERE name NOT IN ('transaction_isolation') $$;

-- What is wrong with saving and running this definition; NULL when nothing is.
CREATE FUNCTION fuzz_run(definition jsonb, input jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	state text := fuzz_state();
	session text := fuzz_session();
	journal text := definition #>> '{settings,journal}';
	r jsonb;
	id uuid;
	n int;
	bad text;
BEGIN
	BEGIN
		PERFORM wf_save('fuzz', definition);
	EXCEPTION WHEN OTHERS THEN
		RETURN CASE WHEN sqlstate IN ('WF002', 'WF007') AND fuzz_session() = session THEN 'refused' ELSE 'saving: ' || sqlstate || ' ' || sqlerrm END;
	END;
	r := wf_run('fuzz', input);
	id := (r ->> 'run_id')::uuid;
	IF fuzz_session() <> session THEN
		RETURN 'the session is not as before';
	ELSIF r ->> 'status' NOT IN ('completed', 'failed') THEN
		RETURN 'status ' || (r ->> 'status');
	ELSIF (r ->> 'status' = 'failed') <> (jsonb_typeof(r -> 'error') = 'object') THEN
		RETURN 'an error if and only if it failed: ' || r;
	ELSIF r ->> 'status' = 'failed' AND (r #>> '{error,code}' IS NULL OR r #>> '{error,message}' IS NULL OR r #>> '{error,code}' LIKE 'XX%') THEN
		RETURN 'error: ' || r;
	ELSIF r ->> 'status' = 'failed' AND fuzz_state() <> state THEN
		RETURN 'it failed, and the table is not as before';
	END IF;
	SELECT string_agg(DISTINCT status, ',') INTO bad FROM wf_steps WHERE run_id = id
	AND status NOT IN ('completed', 'failed', 'skipped', 'retrying', 'cancelled', 'compensated');
	IF bad IS NOT NULL THEN
		RETURN 'status of a step: ' || bad;
	END IF;
	SELECT count(*) INTO n FROM wf_steps WHERE run_id = id;
	IF journal = 'full' AND EXISTS (SELECT FROM (SELECT seq, row_number() OVER (ORDER BY seq) AS place FROM wf_steps WHERE run_id = id) s WHERE seq <> place) THEN
		RETURN 'seq has gaps';
	ELSIF journal = 'full' AND n = 0 THEN
		RETURN 'no steps';
	ELSIF journal = 'none' AND n > 0 AND r ->> 'status' = 'completed' THEN
		RETURN 'steps without a journal';
	ELSIF journal = 'full' AND (SELECT count(*) FROM wf_runs WHERE run_id = id AND status = r ->> 'status' AND finished_at IS NOT NULL) <> 1 THEN
		RETURN 'wf_runs does not have it';
	ELSIF EXISTS (SELECT FROM wf_steps WHERE run_id = id AND duration_ms < 0) THEN
		RETURN 'a negative duration';
	END IF;
	RETURN r ->> 'status';
EXCEPTION
	WHEN OTHERS THEN
		RETURN 'raised ' || sqlstate || ' ' || sqlerrm;
END $$;

-- What an input of the corpus gives: NULL, or an internal error.
CREATE FUNCTION t_regex(text, text, text, int) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_regex' LANGUAGE C STRICT;
CREATE FUNCTION t_schema(jsonb, jsonb, int, jsonb) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_schema' LANGUAGE C STRICT;
CREATE FUNCTION t_db(text, jsonb, jsonb, bool) RETURNS jsonb AS '$libdir/workflow', 'wf_sql_test_query' LANGUAGE C STRICT;
CREATE FUNCTION fuzz_input(target text, input text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context jsonb := '{"input": {"qty": 3, "name": "Ann", "items": [{"sku": "a", "n": 1}], "nums": [5, 3]}, "vars": {"x": 1}, "item": {"n": 2}, "index": 1}';
BEGIN
	CASE target
		WHEN 'expr' THEN PERFORM wf_eval(input, context);
		WHEN 'template' THEN PERFORM wf_validate(jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'a', 'type', 'return',
			'config', jsonb_build_object('value', input::jsonb)))));
		WHEN 'regex' THEN PERFORM t_regex(split_part(substr(input, 2), chr(10), 1), (ARRAY['', 'u', 'iu', 's', 'v', 'my'])[ascii(input) % 6 + 1],
			split_part(input, chr(10), 2), 0);
		WHEN 'schema' THEN PERFORM t_schema(input::jsonb -> 'schema', input::jsonb -> 'value', 1, '{}');
		WHEN 'definition' THEN PERFORM wf_validate(input::jsonb);
		WHEN 'db' THEN PERFORM t_db(input::jsonb ->> 'kind', input::jsonb -> 'config', context, true);
	END CASE;
	RETURN NULL;
EXCEPTION
	WHEN internal_error THEN
		RETURN CASE WHEN sqlerrm LIKE 'unknown kind%' THEN NULL ELSE sqlerrm END;
	WHEN data_corrupted THEN RETURN sqlerrm;
	WHEN OTHERS THEN RETURN NULL;
END $$;
});

# Runs a script; gives what it printed, and what went wrong when the server did not live through it.
sub script
{
	my ($sql) = @_;
	my ($out, $err) = ('', '');
	my $status = $node->psql('fuzz', $sql, stdout => \$out, stderr => \$err, timeout => 120, on_error_stop => 0);
	return ($out, $err =~ /(server closed|terminat|crash)[^\n]*/ ? $& : '');
}

my (@wrong, %outcomes);
my $from = time;
for my $batch (1 .. $rounds / 20)
{
	my @definitions = map { $json->encode(make_workflow()) } 1 .. 20;
	my @inputs = map { $json->encode({ n => pick(0, 1, 2, 5), items => pick([], [ 1, 2, 3 ], [ { a => 1 } ]) }) } 1 .. 20;
	my $sql = "LOAD 'workflow';\nSET client_min_messages = error;\nSET statement_timeout = '20s';\n";
	$sql .= "SELECT '$_:' || fuzz_run(\$fz\$$definitions[$_]\$fz\$, \$fz\$$inputs[$_]\$fz\$);\n" for 0 .. 19;
	my ($out, $died) = script($sql);
	push @wrong, "$died; one of:\n" . join("\n", @definitions) if $died;
	for my $line (split /\n/, $out)
	{
		next unless $line =~ /^(\d+):(.*)/;
		$outcomes{$2}++;
		push @wrong, "$2\n  definition $definitions[$1]\n  input $inputs[$1]" unless $2 =~ /^(refused|completed|failed)$/;
	}
	last if $died || time - $from > $seconds;
}
is(scalar @wrong, 0, 'whole runs keep their promises');
diag join "\n", @wrong[ 0 .. ($#wrong > 9 ? 9 : $#wrong) ] if @wrong;
diag join ', ', map { "$_: $outcomes{$_}" } grep { /^\w+$/ } sort keys %outcomes;
cmp_ok($outcomes{$_} // 0, '>', 10, "outcome $_ is represented") for 'completed', 'failed';

# -- the timer, the session and memory after runs --

my ($timers) = script(q{
SELECT wf_save('slow', '{"nodes": [{"id": "s", "type": "db.query", "config": {"sql": "select pg_sleep(5)"}, "timeout": "20ms"}]}') > 0;
SET statement_timeout = '2s';
SELECT wf_run('slow') #>> '{error,code}';
DO $$ BEGIN PERFORM wf_run('slow'); PERFORM pg_sleep(0.2); RAISE NOTICE 'slept'; END $$;
SELECT 'not cancelled';
SET statement_timeout = '200ms';
DO $$ BEGIN PERFORM wf_run('slow'); PERFORM pg_sleep(10); END $$;
SELECT 'end';
});
is($timers, "t\nWF004\nnot cancelled\nend", 'timers are those of the session after a run');

my ($memory) = script(qq{
SET client_min_messages = error;
DO \$do\$ BEGIN PERFORM wf_save('fuzz', '{"nodes": [{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 20, "onItemError": "collect"}},
	{"id": "t", "parent": "l", "type": "db.query", "config": {"sql": "select 1 / (\$1::int % 2)", "params": ["{{ \$index }}"]}, "retry": {"maxAttempts": 2, "initialDelay": 0}}]}'); END \$do\$;
CREATE TEMP TABLE used (bytes bigint);
SELECT count(wf_run('fuzz')) FROM generate_series(1, 50);
INSERT INTO used SELECT sum(total_bytes) FROM pg_backend_memory_contexts;
SELECT count(wf_run('fuzz')) FROM generate_series(1, 300);
INSERT INTO used SELECT sum(total_bytes) FROM pg_backend_memory_contexts;
SELECT 'grown by ' || greatest(max(bytes) - min(bytes) - 1000000, 0) FROM used;
});
like($memory, qr/grown by 0$/, 'the memory of a backend is flat over runs that fail');

# -- the corpus with changes --

my @awkward = (JSON::PP::null, JSON::PP::true, 0, -1, 1e300, '', 'out', '{{ $input }}', '{{ 1/0 }}', [], {}, [ [] ], { '$ref' => '#' }, { '$expr' => 'qty' },
	{ eq => JSON::PP::null }, { in => [] }, "\x{1F600}", 'id', 'fuzz_row', { not => {} });

# Changes one place of a document, which is gone into with equal chances.
sub change
{
	my ($value, $other) = @_;
	my $kind = ref $value;
	return chance(0.6) ? pick(@awkward) : $other if $kind !~ /^(HASH|ARRAY)$/ || chance(0.1);
	if ($kind eq 'HASH')
	{
		return { x => $value } unless %$value;
		my %copy = %$value;
		my $key = pick(sort keys %copy);
		if (chance(0.1)) { delete $copy{$key}; }
		elsif (chance(0.1)) { $copy{ pick('id', 'type', 'where', 'not', 'items') } = delete $copy{$key}; }
		else { $copy{$key} = change($copy{$key}, $other); }
		return \%copy;
	}
	return [$other] unless @$value;
	my @copy = @$value;
	my $i = int rand @copy;
	if (chance(0.15)) { splice @copy, $i, 1; }
	elsif (chance(0.15)) { splice @copy, $i, 0, $copy[$i]; }
	else { $copy[$i] = change($copy[$i], $other); }
	return \@copy;
}

# Changes text by its tokens.
sub change_text
{
	my ($text, $other) = @_;
	my @tokens = grep { length } split /(\w+|\s+|.)/, $text;
	my @others = grep { length } split /(\w+|\s+|.)/, $other;
	for (0 .. int rand 4)
	{
		my $i = int rand @tokens;
		splice @tokens, $i, chance(0.5) ? 1 : 0, chance(0.7) ? @others[ $i % @others .. $i % @others + int rand 3 ] : ();
		@tokens = grep { defined } @tokens;
		@tokens = ('x') unless @tokens;
	}
	return join '', @tokens;
}

for my $target ('expr', 'template', 'regex', 'schema', 'definition', 'db')
{
	my @seeds = split /\n/, slurp_file("$root/test/fuzz/corpus/$target.txt");
	utf8::decode($_) for @seeds;
	tr/\t/\n/ for @seeds;
	my @inputs;
	for my $i (1 .. $rounds)
	{
		my ($text, $other) = (pick(@seeds), pick(@seeds));
		if ($target =~ /^(expr|regex)$/)
		{
			$text = change_text($text, $other);
		}
		else
		{
			my $value = $json->decode($text);
			$value = change($value, pick(@awkward)) for 0 .. int rand 3;
			$text = $json->encode($value);
		}
		$text =~ s/\$fz\$//g;
		push @inputs, $text;
	}
	my $sql = "SET client_min_messages = error;\nSET statement_timeout = '10s';\nBEGIN;\n";
	$sql .= "SELECT '$_:' || fuzz_input('$target', \$fz\$$inputs[$_]\$fz\$);\n" for 0 .. $#inputs;
	utf8::encode($sql);
	my ($out, $died) = script("$sql ROLLBACK;");
	my @found = map { /^(\d+):(.+)/ ? "$2\n  input $inputs[$1]" : () } split /\n/, $out;
	push @found, "$died; seed $seed" if $died;
	is(scalar @found, 0, "inputs of $target give answers");
	diag join "\n", @found[ 0 .. ($#found > 9 ? 9 : $#found) ] if @found;
}

$node->stop;
my $log = slurp_file($node->logfile);
unlike($log, qr/(snapshot|relcache|cache|refcount|plancache|resource|tupdesc|file) (reference )?leak|was not closed|non-empty SPI stack|terminated by signal|PANIC|TRAP:/,
	'nothing was left behind');
done_testing();
