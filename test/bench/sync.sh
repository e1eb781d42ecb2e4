# sync.sh: runs in the caller's transaction, beside PL/pgSQL that does the same. Sourced by run.sh.
bench_cluster bench "autovacuum = off"
sql -c "SET client_min_messages = warning" -f test/bench/setup.sql >/dev/null
say "runs in the caller's transaction: $ROUNDS rounds of $SECONDS_EACH s, medians"

# latency <script> <clients> <synchronous_commit>: prints the average latency in microseconds.
latency()
{
	PGOPTIONS="-c synchronous_commit=$3" "$PRIVATE_BIN/pgbench" -n -M prepared -f "test/bench/$1" -c "$2" -j "$2" \
		-T "$SECONDS_EACH" bench 2>&1 | awk '/^latency average/ { printf "%.1f\n", $4 * 1000; found = 1 } END { exit !found }' ||
		die "pgbench failed on $1"
}

# compare <title> <clients> <synchronous_commit> <script ...>: the first script is what the others are
# divided by in the first ratio, the second in the second.
compare()
{
	local title=$1 clients=$2 sync=$3 round script key
	shift 3
	key=$(printf '%s' "$title" | tr -c 'a-z0-9' _)
	for script in "$@"; do
		latency "$script" "$clients" "$sync" >/dev/null
		rm -f "$WORK/$key.$script"
	done
	for ((round = 0; round < ROUNDS; round++)); do
		# in another order each round: what one leaves to be flushed is not always the same one's burden
		for script in $(shuf -e "$@"); do
			latency "$script" "$clients" "$sync" >>"$WORK/$key.$script"
		done
	done
	say ""
	say "$title: $clients client(s), synchronous_commit $sync"
	printf '  %-28s %10s %10s %10s\n' "" "us" "/ ${1%.sql}" "/ ${2%.sql}"
	local first second value
	first=$(median "$WORK/$key.$1")
	second=$(median "$WORK/$key.$2")
	for script in "$@"; do
		value=$(median "$WORK/$key.$script")
		awk -v n="${script%.sql}" -v v="$value" -v a="$first" -v b="$second" \
			'BEGIN { printf "  %-28s %10.1f %10.2f %10.2f\n", n, v, v / a, v / b }'
	done
	sql -c "TRUNCATE sale, plain_run, plain_step" -c "TRUNCATE wf.run, wf.segment" -c "CHECKPOINT"
}

if wants statements; then
	for sync in off on; do
		for clients in 1 8; do
			compare "ten statements" "$clients" "$sync" plain_bare.sql plain_rows.sql plain_once.sql \
				wf_full.sql wf_errors.sql wf_none.sql
		done
	done
fi
if wants pure; then
	compare "five pure nodes" 1 off pure_none.sql pure_full.sql
	compare "five pure nodes" 8 off pure_none.sql pure_full.sql
fi
if wants size; then
	say ""
	say "a run of n pure nodes, journal none (compiled once a backend)"
	sql -f test/bench/size.sql
fi
