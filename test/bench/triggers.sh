# triggers.sh: what a trigger costs whoever writes the table. Sourced by run.sh. What is queued is not carried out meanwhile: the
# only worker has a run that sleeps, so that the writer pays for the queue and nothing else.
bench_cluster bench "autovacuum = off" "workflow.max_workers = 1"
sql -c "SET client_min_messages = warning" -f test/bench/triggers.sql >/dev/null
sql -c "SELECT wf_save('sleep', '{\"nodes\": [{\"id\": \"s\", \"type\": \"db.query\", \"config\": {\"sql\": \"SELECT pg_sleep(86400)\"}}], \"edges\": []}')" \
	-c "SELECT wf_start('sleep')" >/dev/null
until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")" = 1 ]; do :; done
VARIANTS="no_trigger plpgsql_empty plpgsql_when plpgsql_queue when_false async_row async_statement sync_row"

# insert_script <table> <rows>
insert_script()
{
	local script=$WORK/insert.$1.$2.sql
	if [ "$2" = 1 ]; then
		echo "INSERT INTO $1 (customer, status, total, note) VALUES (7, 'open', 12.50, 'two of the blue ones');" >"$script"
	else
		echo "INSERT INTO $1 (customer, status, total, note) SELECT i, 'open', 12.50, 'two of the blue ones' FROM generate_series(1, $2) i;" >"$script"
	fi
	echo "$script"
}

# insert_rate <table> <rows> <clients>: prints rows a second.
insert_rate()
{
	PGOPTIONS="-c synchronous_commit=off" "$PRIVATE_BIN/pgbench" -n -M prepared -f "$(insert_script "$1" "$2")" -c "$3" -j "$3" \
		-T "$SECONDS_EACH" bench 2>&1 | awk -v n="$2" '/^tps/ { printf "%.0f\n", $3 * n; found = 1 } END { exit !found }' ||
		die "pgbench failed on $1"
	sql -c "TRUNCATE $1"
}

# insert_table <rows> <clients>
insert_table()
{
	local round variant
	for variant in $VARIANTS; do
		insert_rate "$variant" "$1" "$2" >/dev/null
		rm -f "$WORK/rate.$variant"
	done
	for ((round = 0; round < ROUNDS; round++)); do
		for variant in $(shuf -e $VARIANTS); do
			insert_rate "$variant" "$1" "$2" >>"$WORK/rate.$variant"
		done
	done
	say ""
	say "statements of $1 row(s), $2 client(s), synchronous_commit off"
	printf '  %-20s %12s %14s %16s\n' "" "rows/s" "/ no_trigger" "/ plpgsql_queue"
	for variant in $VARIANTS; do
		awk -v n="$variant" -v v="$(median "$WORK/rate.$variant")" -v a="$(median "$WORK/rate.no_trigger")" \
			-v b="$(median "$WORK/rate.plpgsql_queue")" 'BEGIN { printf "  %-20s %12d %14.2f %16.2f\n", n, v, v / a, v / b }'
	done
}

if wants writers; then
	say "INSERTs into a table with a trigger: $ROUNDS rounds of $SECONDS_EACH s, medians"
	insert_table 1 1
	insert_table 1 8
	insert_table 10000 1
fi
