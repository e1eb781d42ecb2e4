# secrets.sh: how many secrets are set and opened a second, and what it costs to look for them in an answer. Sourced by run.sh.
. test/run/suites.sh
TESTING=1 bench_cluster bench-testing
sql -c "CREATE EXTENSION workflow;
	CREATE FUNCTION open_secrets(tenant uuid, names text[]) RETURNS text AS '\$libdir/workflow', 'wf_sql_test_open_secrets' LANGUAGE C STRICT;
	CREATE FUNCTION open_credential(tenant uuid, name text) RETURNS text AS '\$libdir/workflow', 'wf_sql_test_open_credential' LANGUAGE C STRICT;
	CREATE FUNCTION mask_bench(\"values\" text[], body text, times int) RETURNS float8 AS '\$libdir/workflow', 'wf_sql_test_mask_bench' LANGUAGE C STRICT;
	CREATE FUNCTION tenant() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT tenant_id FROM wf.tenant';"

# timed <file> <n> <sql>: adds how many a second
timed()
{
	local begun
	begun=$(now)
	sql -c "$3" >/dev/null
	awk -v b="$begun" -v e="$(now)" -v n="$2" 'BEGIN { print n / (e - b) }' >>"$1"
}

if wants secrets; then
	n=$(scaled 5000)
	for kind in set again open10 open credential; do rm -f "$WORK/$kind"; done
	for ((round = 0; round < ROUNDS; round++)); do
		timed "$WORK/set" "$n" "SELECT count(wf_set_secret('S${round}_' || i, 'the value of a secret, ' || i)) FROM generate_series(1, $n) i"
		timed "$WORK/again" "$n" "SELECT count(wf_set_secret('S${round}_' || i, 'another value')) FROM generate_series(1, $n) i"
		sql -c "SELECT wf_set_credential('c$round', 'basic', '{\"username\": \"u\", \"password\": \"a password\"}')" >/dev/null
		timed "$WORK/open" "$n" "SELECT count(open_secrets(tenant(), ARRAY['S${round}_' || i])) FROM generate_series(1, $n) i"
		timed "$WORK/open10" "$n" "SELECT count(open_secrets(tenant(), ARRAY(SELECT 'S${round}_' || i * 10 + j FROM generate_series(1, 10) j))) FROM generate_series(0, $n / 10 - 1) i"
		timed "$WORK/credential" "$n" "SELECT count(open_credential(tenant(), 'c$round')) FROM generate_series(1, $n) i"
	done
	say ""
	say "secrets a second, by one session"
	printf '%-56s %10.0f\n' "set, in one transaction" "$(median "$WORK/set")" "set again" "$(median "$WORK/again")" \
		"opened, one at a time" "$(median "$WORK/open")" "opened, ten at a time" "$(median "$WORK/open10")" "a credential opened" "$(median "$WORK/credential")"
fi

if wants masking; then
	say ""
	say "looking for secrets in an answer that has none of them (microseconds)"
	printf '%-24s %14s %14s %14s\n' "" "1 secret" "5 secrets" "50 secrets"
	for size in 1000 100000 10000000; do
		row=()
		for secrets in 1 5 50; do
			rm -f "$WORK/mask"
			for ((round = 0; round < ROUNDS; round++)); do
				sql -c "SELECT mask_bench((SELECT array_agg(md5(i::text) || md5((i + 1000)::text)) FROM generate_series(1, $secrets) i),
					(SELECT left(string_agg(json_build_object('id', i, 'name', md5((-i)::text), 'text', 'some words of a text')::text, ','), $size) FROM generate_series(1, $size / 80 + 1) i),
					$((size > 1000000 ? 5 : 20000000 / (size + 20000))))" >>"$WORK/mask"
			done
			row+=("$(median "$WORK/mask")")
		done
		printf '%-24s %14.1f %14.1f %14.1f\n' "$size bytes" "${row[@]}"
	done
fi
