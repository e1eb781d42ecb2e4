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

# webhook_rate <headers> <path> <clients>: prints requests a second. Where deliveries have ids, each is another one: a client has its share of
# the 400000 that there are.
webhook_rate()
{
	local script=$WORK/webhook.$1.sql i='' at=0
	if [ "$1" = hmac ]; then
		i=$'\\set at mod(:at + 1, 400000 / :clients)\n'
		at=':at + :client_id * (400000 / :clients)'
	fi
	echo "${i}SELECT wf_webhook('$2', 'POST', (SELECT headers FROM genuine WHERE name = '$1' AND i = $at), '{\"id\": 42, \"total\": 12.50, \"note\": \"two of the blue ones\"}');" >"$script"
	PGOPTIONS="-c synchronous_commit=off" "$PRIVATE_BIN/pgbench" -n -M prepared -D at=0 -D clients="$3" -f "$script" -c "$3" -j "$3" \
		-T "$SECONDS_EACH" bench 2>&1 | awk '/^tps/ { printf "%.0f\n", $3; found = 1 } END { exit !found }' || die "pgbench failed on $2"
	sql -c "TRUNCATE wf.queue, wf.idempotency" -c "TRUNCATE wf.run, wf.segment"
}

webhook_table()
{
	local round variant name path
	local variants="none:none/immediately none:none/whenDone hmac:hmac/immediately hmac:hmac/whenDone jwt:jwt/immediately jwt:jwt/whenDone forged:hmac/immediately none:nothing/here"
	rm -f "$WORK"/webhooks.*
	for ((round = 0; round <= ROUNDS; round++)); do
		for variant in $(shuf -e $variants); do
			name=${variant%%:*} path=${variant#*:}
			rate=$(webhook_rate "$name" "/default/$path/42" "$1") || exit 1
			[ "$round" = 0 ] || echo "$rate" >>"$WORK/webhooks.$name.${path//\//.}"
		done
	done
	say ""
	say "webhooks, $1 client(s), synchronous_commit off"
	for variant in $variants; do
		name=${variant%%:*} path=${variant#*:}
		printf '  %-26s %12d /s\n' "$([ "$name" = forged ] && echo "hmac, forged" || echo "${path/\// }")" "$(median "$WORK/webhooks.$name.${path//\//.}")"
	done
}

if wants webhooks; then
	webhook_table 1
	webhook_table 4
fi
