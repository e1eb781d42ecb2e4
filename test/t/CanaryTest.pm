# CanaryTest.pm: random statements of one tenant over a database in which another's rows hold canaries. Whatever it is told, in rows, notices,
# errors and plans, has none.
#
# setup_canaries(cluster): tenants `mine` (role mallory, an owner) and `theirs` (role victim). Names that mallory knows of the other's are told
#   (`known`), so that statements may hold them; a canary is in no statement.
# attack(cluster, seed, n): n statements by one session; they depend on the seed and the catalog alone. Says what was seen, with the
#   statement, and gives false.
package CanaryTest;
use strict;
use warnings;
use PostgreSQL::Test::Utils;
use Test::More;
use Exporter 'import';
our @EXPORT = qw(setup_canaries attack);

my $canary = 'cnry';
my (%columns, @relations, @functions, @ids, @system);

sub setup_canaries
{
	my ($cluster) = @_;
	$cluster->safe_psql('postgres', q{
		CREATE EXTENSION workflow;
		CREATE ROLE mallory LOGIN; CREATE ROLE victim LOGIN;
		-- what RESET ALL goes back to
		ALTER ROLE mallory SET statement_timeout = '200ms';
		SELECT wf_create_tenant('mine'), wf_create_tenant('theirs');
		SELECT wf_grant('mallory', 'mine', 'owner'), wf_grant('victim', 'theirs', 'owner');
		CREATE SCHEMA of_mallory AUTHORIZATION mallory; CREATE SCHEMA of_victim AUTHORIZATION victim;
	});
	$cluster->safe_psql('postgres', q{
		SELECT wf_save('known', '{"nodes": [{"id": "cnry_node", "name": "cnry name", "type": "return", "notes": "cnry", "config": {"value": {"cnry_key": "cnry_value"}}}]}', '{"description": "cnry_description", "category": "cnry/category", "label": "cnry_label", "comment": "cnry_comment"}');
		SELECT wf_save('cnry_name', '{"nodes": [{"id": "a", "type": "fail", "config": {"code": "CNRY", "message": "cnry_message {{ $input }}", "details": {"cnry": 1}}}]}');
		SELECT count(wf_run('known', '{"cnry_input": "cnry_input"}', jsonb_build_object('correlationId', 'cnry_correlation', 'idempotencyKey', 'cnry' || n, 'tags', '["cnry_tag"]'::jsonb))) FROM generate_series(1, 50) n;
		SELECT count(wf_run('cnry_name', '"cnry_failed"')) FROM generate_series(1, 20);
		SELECT wf_save('waits', '{"nodes": [{"id": "cnry_w", "type": "waitForEvent", "config": {"event": "cnry_event", "correlation": "cnry_correlation"}}, {"id": "k", "type": "task", "config": {"queue": "cnry_queue", "payload": "cnry_payload"}}, {"id": "p", "type": "approval", "config": {"title": "cnry_title", "body": "cnry_body", "assignees": ["victim"], "form": {"title": "cnry"}}}, {"id": "d", "type": "delay", "config": {"duration": "10 h"}}], "settings": {"concurrencyKey": "\"cnry_gate\""}}');
		SELECT wf_save('asks', '{"nodes": [{"id": "r", "type": "http.request", "config": {"url": "http://cnry.invalid/cnry_path", "headers": {"cnry": "cnry"}, "body": {"cnry": "cnry"}}}]}');
		SELECT count(wf_start('waits', '"cnry_live"')) FROM generate_series(1, 5); SELECT count(wf_start('asks', '"cnry_asks"')) FROM generate_series(1, 5);
		SELECT count(wf_start('known', '"cnry_queued"', '{"delay": "10 h", "correlationId": "cnry_correlation", "tags": ["cnry_tag"], "concurrencyKey": "cnry"}')) FROM generate_series(1, 20);
		SELECT wf_emit('cnry_kept', '"cnry_payload"', 'cnry_correlation');
		SELECT wf_save('fires', '{"nodes": [{"id": "h", "type": "trigger.webhook", "config": {"path": "/cnry/{id}", "method": "POST", "auth": {"type": "none"}}}, {"id": "c", "type": "trigger.schedule", "config": {"cron": "0 3 * * *"}}, {"id": "e", "type": "trigger.event", "config": {"event": "cnry_fires", "debounce": 100000}}, {"id": "n", "type": "noop"}], "edges": [{"source": "h", "target": "n"}, {"source": "c", "target": "n"}, {"source": "e", "target": "n"}]}');
		SELECT wf_emit('cnry_fires', '"cnry_burst"', 'cnry_burst');
		SELECT wf_set_secret('cnry_secret', 'cnry_secret_value'); SELECT wf_limit_host('cnry.test', concurrency => 1);
		CREATE FUNCTION of_victim.block(config jsonb, input jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT $2'; SELECT wf_register_block('cnry.block', 'of_victim.block(jsonb, jsonb)');
		SELECT wf_save('busy', '{"nodes": [{"id": "l", "type": "loop", "config": {"type": "for", "from": 1, "to": 900}}, {"id": "d", "type": "delay", "parent": "l", "config": {"duration": 0.05}}, {"id": "s", "type": "set", "parent": "l", "config": {"variables": {"x": "cnry_busy"}}}], "edges": [{"source": "d", "target": "s"}]}');
		SELECT wf_start('busy', '"cnry_busy"');
		CREATE TABLE of_victim.plain (id int, v text); INSERT INTO of_victim.plain VALUES (1, 'cnry');
	}, extra_params => [ '-U', 'victim', '-v', 'ON_ERROR_STOP=1' ]);
	$cluster->poll_query_until('postgres', q{SELECT count(*) >= 1 FROM wf.task WHERE queue = 'cnry_queue'}) or die;
	$cluster->safe_psql('postgres', 'ANALYZE');
	$cluster->safe_psql('postgres', q{
		SELECT wf_save('own', '{"nodes": [{"id": "a", "type": "db.query", "config": {"sql": "SELECT 1 AS one"}}]}'); SELECT count(wf_run('own', to_jsonb(n))) FROM generate_series(1, 20) n;
		CREATE TABLE of_mallory.kept (v text);
		CREATE FUNCTION of_mallory.leak(anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 IMMUTABLE AS $$ BEGIN RAISE NOTICE 'leak %', $1; RETURN true; END $$;
		CREATE FUNCTION of_mallory.told(text) RETURNS text LANGUAGE plpgsql COST 0.0000001 STABLE AS $$ BEGIN RAISE NOTICE 'told'; RETURN $1; END $$;
		CREATE FUNCTION of_mallory.both(text, text) RETURNS bool LANGUAGE plpgsql COST 0.0000001 IMMUTABLE AS $$ BEGIN RAISE NOTICE 'both % %', $1, $2; RETURN true; END $$;
		CREATE OPERATOR of_mallory.=== (PROCEDURE = of_mallory.both, LEFTARG = text, RIGHTARG = text, RESTRICT = eqsel, JOIN = eqjoinsel);
	}, extra_params => [ '-U', 'mallory' ]);
	look($cluster);
	return;
}

# What statements are made of.
sub look
{
	my ($cluster) = @_;
	my $ask = sub { return split /\n/, $cluster->safe_psql('postgres', $_[0]) };
	for ($ask->(q{SELECT c.oid::regclass, a.attname, format_type(atttypid, NULL) FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid WHERE attnum > 0 AND NOT attisdropped
		AND (relnamespace = 'wf'::regnamespace AND relkind IN ('r', 'p') OR relname LIKE 'wf\_%' AND relkind = 'v') ORDER BY c.oid::regclass::text, attnum}))
	{
		my ($relation, $column, $type) = split /\|/;
		push @relations, $relation if !$columns{$relation};
		push @{ $columns{$relation} }, [ $column, $type ];
	}
	# all functions that members may call, but those that wait
	@functions = map { [ split /\|/ ] } $ask->(q{SELECT p.oid::regproc, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(proargtypes) t), ',') FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
		WHERE (proname LIKE 'wf\_%' OR nspname = 'wf') AND has_function_privilege('mallory', p.oid, 'EXECUTE') AND prorettype NOT IN ('trigger'::regtype, 'internal'::regtype) AND prokind = 'f' ORDER BY p.oid::regprocedure::text});
	@ids = $ask->(q{SELECT run_id FROM (SELECT run_id FROM wf.run JOIN wf.tenant USING (tenant_id) WHERE name = 'theirs' LIMIT 10) r UNION SELECT run_id FROM wf.live UNION SELECT task_id FROM wf.task UNION SELECT message_id FROM wf.queue UNION SELECT workflow_id FROM wf.workflow
		UNION SELECT tenant_id FROM wf.tenant UNION SELECT request_id FROM wf.request_log UNION SELECT trigger_id FROM wf.trigger UNION SELECT event_id FROM wf.event});
	@system = $ask->(q{SELECT c.oid::regclass FROM pg_class c WHERE relnamespace IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace) AND relkind = 'v' AND relname NOT IN ('pg_config', 'pg_hba_file_rules', 'pg_available_extension_versions', 'pg_timezone_names', 'pg_timezone_abbrevs')
		AND has_table_privilege('mallory', c.oid, 'SELECT') ORDER BY 1});
	return;
}

# -- statements --

sub pick { return $_[ int rand @_ ] }
sub quote { my ($text) = @_; $text =~ s/'/''/g; return "'$text'" }
sub a_name { return pick('known', 'waits', 'asks', 'own', 'theirs', 'absent', 'a', '', 'victim', 'mallory', '%', '*', '/', 'busy', 'completed', 'l', 'd', 'fires', 'h') }

# a value of a type, as SQL
sub value_of
{
	my ($type) = @_;
	return 'ARRAY[' . join(', ', map { value_of($1) } 1 .. 1 + int rand 3) . "]::$1\[]" if $type =~ /^(.*)\[\]$/ && $type !~ /^wf\.step/;
	return quote(pick(@ids)) . '::uuid' if $type eq 'uuid';
	return int(rand 200) - 5 if $type =~ /^(integer|bigint|smallint)$/;
	return rand() if $type =~ /^(real|double precision|numeric)$/;
	return pick('true', 'false') if $type eq 'boolean';
	return "now() - '" . int(rand 100000) . " s'::interval" if $type =~ /^timestamp/;
	return "'0'::interval" if $type eq 'interval';
	return quote(pick('{}', 'null', '1', '"known"', '[]', '{"a": 1}', '{"workflow": "known"}')) . "::$type" if $type =~ /^jsonb?$/;
	return quote(pick('victim', 'mallory', 'postgres', 'wf_engine')) . "::$type" if $type =~ /^(regrole|name)$/;
	return "'\\x00'::bytea" if $type eq 'bytea';
	return quote(a_name()) . '::text' if $type =~ /^(text|character)/;
	return "NULL::$type";
}

# a condition on a column
sub condition
{
	my ($alias, $column) = @_;
	my ($name, $type) = @$column;
	$name = "$alias.\"$name\"";
	return pick(
		sub { "$name = " . value_of($type) }, sub { "$name " . pick('<', '>', '<>', '>=') . ' ' . value_of($type) }, sub { "$name IS " . pick('', 'NOT ') . 'NULL' },
		sub { "of_mallory.leak($name)" }, sub { "$name\::text OPERATOR(of_mallory.===) 'x'" }, sub { "of_mallory.both($name\::text, 'y')" }, sub { "$name\::text ~ " . quote(pick('.', 'a', '^c', '{')) },
		sub { "$name\::text LIKE '%" . pick('a', 'c', '1', '') . "%'" }, sub { "1 / (length($name\::text) - length($name\::text)) = 1" }, sub { "($name\::text)::int = 1" }, sub { "($name\::text)::date = now()" },
		sub { "(SELECT of_mallory.told('a')) = $name\::text" }, sub { "$name IN (SELECT \"$column->[0]\" FROM " . pick(grep { my $r = $_; grep { "@$_" eq "@$column" } @{ $columns{$r} } } @relations) . ')' },
		sub { "NOT (" . condition($alias, $column) . ')' }, sub { '(' . condition($alias, $column) . pick(' AND ', ' OR ') . condition($alias, $column) . ')' }, sub { "CASE WHEN " . condition($alias, $column) . " THEN of_mallory.leak($name) ELSE false END" },
		sub { "coalesce($name\::text, of_mallory.told('n')) <> ''" }, sub { "($name\::text)::json IS NOT NULL" }, sub { "$name = ANY (ARRAY[" . value_of($type) . ', ' . value_of($type) . "]::$type\[])" })->();
}

sub expression
{
	my ($alias, $column) = @_;
	my $name = "$alias.\"$column->[0]\"";
	return pick($name, $name, "$name\::text", "count($name)", "min($name\::text)", "max($name\::text)", "string_agg($name\::text, ',')", "array_agg($name)", 'count(*)', "of_mallory.leak($name)", "jsonb_agg($name)", "$alias", "to_jsonb($alias)", "row_to_json($alias)", "$alias.ctid", "$alias.tableoid::regclass", "pg_column_size($name)", "md5($name\::text)");
}

sub query
{
	my ($depth) = @_;
	my $relation = pick(@relations);
	my @all = @{ $columns{$relation} };
	my $from = "$relation " . pick('', '', '', $relation =~ /^wf_/ ? '' : 'TABLESAMPLE SYSTEM (100) ');
	$from = $relation =~ /^wf_/ || $from !~ /TABLE/ ? "$relation t" : "$relation t TABLESAMPLE SYSTEM (100)";
	my @picked = map { expression('t', pick(@all)) } 1 .. 1 + int rand 3;
	my @where = map { condition('t', pick(@all)) } 1 .. int rand 4;
	if (rand() < 0.3)
	{
		my $other = pick(@relations);
		my ($a, $b) = (pick(@all), pick(@{ $columns{$other} }));
		$from .= pick(' JOIN ', ' LEFT JOIN ', ' FULL JOIN ') . "$other u ON t.\"$a->[0]\"::text = u.\"$b->[0]\"::text";
		push @where, condition('u', $b) if rand() < 0.5;
		push @picked, expression('u', $b);
	}
	$from .= ', LATERAL (' . query($depth + 1) . ') l' if rand() < 0.05 && $depth < 2;
	my $aggregate = grep { /^(count|min|max|string_agg|array_agg|jsonb_agg)\(/ } @picked;
	@picked = $aggregate ? (grep { /^(count|min|max|string_agg|array_agg|jsonb_agg)\(/ } @picked) : @picked;
	my $sql = 'SELECT ' . join(', ', map { "$picked[$_] AS c$_" } 0 .. $#picked) . " FROM $from";
	$sql .= ' WHERE ' . join(' AND ', @where) if @where;
	$sql .= ' ORDER BY 1' if rand() < 0.2;
	$sql .= ' LIMIT ' . int(rand 50) if rand() < 0.4 || $depth;
	$sql = "WITH q AS (" . pick('', '') . "$sql) SELECT * FROM q" if rand() < 0.1;
	$sql .= ' UNION ALL SELECT ' . join(', ', ('NULL') x @picked) if rand() < 0.03 && $sql !~ /ORDER|LIMIT|WITH/;
	$sql .= ' FOR ' . pick('UPDATE', 'SHARE') if rand() < 0.02;
	return $sql;
}

sub call
{
	my $f = pick(@functions);
	my @types = split /,/, $f->[1] // '';
	my $n = @types - (rand() < 0.3 ? int rand(@types + 1) : 0);
	my $call = "$f->[0](" . join(', ', map { value_of($_) } @types[ 0 .. $n - 1 ]) . ')';
	return "SELECT $call" if rand() < 0.5;
	return "SELECT * FROM $call" if rand() < 0.6;
	return 'SELECT ' . $call . ' FROM ' . pick(@relations) . ' LIMIT 3';
}

sub statement
{
	my $kind = rand();
	return query(0) if $kind < 0.35;
	return 'EXPLAIN (' . pick('ANALYZE', 'ANALYZE, VERBOSE', 'ANALYZE, BUFFERS', 'VERBOSE', 'ANALYZE, FORMAT JSON') . ') ' . query(0) if $kind < 0.5;
	return call() if $kind < 0.75;
	return 'COPY (' . query(0) . ') TO STDOUT' if $kind < 0.79;
	return 'INSERT INTO of_mallory.kept SELECT q::text FROM (' . query(0) . ') q RETURNING *' if $kind < 0.82;
	return 'BEGIN; DECLARE c ' . pick('', 'SCROLL ', 'NO SCROLL ') . 'CURSOR ' . pick('', 'WITH HOLD ') . 'FOR ' . query(0) . '; FETCH 5 FROM c; COMMIT; CLOSE ALL' if $kind < 0.84;
	return 'SELECT * FROM ' . pick(@system) . ' LIMIT 200' if $kind < 0.88;
	return 'SELECT x::text FROM ' . pick(@system) . ' x WHERE of_mallory.leak(x::text) LIMIT 200' if $kind < 0.9;
	return 'SET ' . pick(map { "enable_$_ = " . pick('on', 'off') } qw(seqscan indexscan bitmapscan hashjoin nestloop mergejoin sort partitionwise_join partitionwise_aggregate material indexonlyscan)) if $kind < 0.92;
	return 'SET ' . pick("workflow.tenant = 'theirs'", ("workflow.tenant = 'mine'", "workflow.tenant = ''") x 2, 'plan_cache_mode = force_generic_plan', 'parallel_setup_cost = 0', 'min_parallel_table_scan_size = 0', 'default_transaction_isolation = serializable', 'client_min_messages = debug1', 'search_path = of_mallory, public', 'from_collapse_limit = 1') if $kind < 0.95;
	return 'PREPARE p AS ' . query(0) . '; EXECUTE p; DEALLOCATE p' if $kind < 0.97;
	return 'CREATE TEMP VIEW v AS ' . query(0) . '; SELECT * FROM v; DROP VIEW v' if $kind < 0.985;
	return pick('TABLE', 'LOCK TABLE', 'ANALYZE', 'TRUNCATE', 'DELETE FROM') . ' ' . pick(@relations) if $kind < 0.99;
	return 'SET row_security = off; ' . query(0) . '; SET row_security = on' if $kind < 0.993;
	return 'RESET ALL';
}

sub attack
{
	my ($cluster, $seed, $n) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	my ($seen, $i) = ('', 0);
	srand($seed);
	open(my $file, '>', "$folder/in.sql") or die $!;
	my @statements = map { statement() } 1 .. $n;
	# a function that waits is cut short
	print $file "SET statement_timeout = '200ms'; SET client_min_messages = notice;\n";
	print $file "\\echo #$_\n$statements[$_];\n" for 0 .. $#statements;
	print $file "\\echo #end\n";
	close $file;
	system("psql -X -q -A -t -v ON_ERROR_STOP=0 -v VERBOSITY=verbose -d '" . ($cluster->connstr('postgres') =~ s/'/'\\''/gr) . " user=mallory' -f $folder/in.sql > $folder/out 2>&1");
	open(my $out, '<', "$folder/out") or die $!;
	my ($at, $ended, $errors, $rows) = (-1, 0, 0, 0);
	while (my $line = <$out>)
	{
		if ($line =~ /^#(\d+|end)$/) { $at = $1; $ended = $1 eq 'end'; next }
		if ($line =~ /ERROR: /) { $errors++ } else { $rows++ }
		if ($line =~ /$canary/i && $line !~ /LINE \d+:/) { $seen = $line; last }
	}
	close $out;
	diag("seed $seed, statement $at: $statements[$at]\nwas told: $seen") if $seen ne '';
	diag("seed $seed: the session ended at statement $at: " . ($at =~ /\d/ ? $statements[$at] : '') . `tail -n 3 $folder/out`) if $seen eq '' && !$ended;
	note("seed $seed: $n statements, $errors errors, $rows lines");
	unlink "$folder/in.sql", "$folder/out";
	return $seen eq '' && $ended && $errors < $n * 0.8;
}

1;
