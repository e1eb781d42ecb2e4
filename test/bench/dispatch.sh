# dispatch.sh: requests of runs, from the outbox to the record of the answer, beside a loop of libcurl's multi interface that does
# nothing else and keeps nothing. Sourced by run.sh.
bash test/run/deps.sh web || exit 1
TESTING=1 bench_cluster bench-testing "workflow.http_allow = '127.0.0.1'" "workflow.max_workers = 2" "workflow.max_iterations = 1000000" \
	"autovacuum_naptime = 5s"
. test/bench/web.sh
sql -c "CREATE EXTENSION workflow;
	CREATE FUNCTION net_bench(text, int, int, bool) RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net_bench';"

# save <name> <url> <await>: a workflow that sends input.n requests, or one
save()
{
	sql -c "SELECT wf_save('$1_many', '{\"nodes\": [{\"id\": \"l\", \"type\": \"loop\", \"config\": {\"type\": \"for\", \"from\": 1, \"to\": \"{{ \$input.n }}\", \"maxIterations\": 1000000}},
		{\"id\": \"q\", \"type\": \"http.request\", \"parent\": \"l\", \"config\": {\"url\": \"$2\", \"await\": false}}], \"settings\": {\"journal\": \"none\"}}'),
		wf_save('$1_one', '{\"nodes\": [{\"id\": \"q\", \"type\": \"http.request\", \"config\": {\"url\": \"$2\"}},
		{\"id\": \"r\", \"type\": \"return\", \"config\": {\"value\": {\"status\": \"{{ \$node.q.output.status }}\"}}}], \"edges\": [{\"source\": \"q\", \"target\": \"r\"}]}')" >/dev/null
}
save nginx "http://127.0.0.1:$WEB_PORT/"
save slow "http://127.0.0.1:$SLOW_PORT/late?ms=200"

# in_flight <n>: one host may have half of all
in_flight()
{
	sql -c "ALTER SYSTEM SET workflow.http_max_in_flight = $((2 * $1))" -c "SELECT pg_reload_conf()" >/dev/null
}

# drained: waits until the outbox is empty
drained()
{
	sql -c "DO \$\$ BEGIN WHILE EXISTS (SELECT FROM wf.request) LOOP COMMIT; PERFORM pg_sleep(0.01); END LOOP; END \$\$"
}

# sent <name> <n>: requests a second, from the commit that asked for them all to the record of the last answer
sent()
{
	local begun
	sql -c "TRUNCATE wf.request_log"
	begun=$(sql -c "SELECT wf_call('$1_many', '{\"n\": $2}') IS NULL" -c "SELECT clock_timestamp()" | tail -n 1)
	drained
	sql -c "SELECT count(*) / extract(epoch FROM max(ended_at) - '$begun') FROM wf.request_log WHERE state = 'completed'"
}

# awaited <name> <n>: runs a second that send a request, wait for the answer and end
awaited()
{
	local begun
	begun=$(sql -c "SELECT count(*) FROM wf_start_many('$1_one', array_fill('{}'::jsonb, ARRAY[$2]))" -c "SELECT clock_timestamp()" | tail -n 1)
	sql -c "DO \$\$ BEGIN WHILE EXISTS (SELECT FROM wf.live) OR EXISTS (SELECT FROM wf.queue) LOOP COMMIT; PERFORM pg_sleep(0.01); END LOOP; END \$\$"
	sql -c "SELECT count(*) / extract(epoch FROM max(finished_at) - '$begun') FROM wf_runs WHERE queued_at > '$begun'::timestamptz - interval '10s' AND status = 'completed'"
}

bare()
{
	sql -c "SELECT answered / (us / 1e6) FROM jsonb_to_record(net_bench('$1', $2, $3, true)) AS r(us float8, answered int)"
}

# compare <title> <name> <url> <n> <in flight> <how>: sent or awaited
compare()
{
	local round kind ours=$WORK/ours libcurl=$WORK/libcurl
	rm -f "$ours" "$libcurl"
	in_flight "$5"
	for ((round = 0; round < ROUNDS; round++)); do
		for kind in $(shuf -e ours libcurl); do
			case $kind in
				ours) $6 "$2" "$4" >>"$ours" ;;
				libcurl) bare "$3" "$4" "$5" >>"$libcurl" ;;
			esac
		done
	done
	awk -v t="$1" -v o="$(median "$ours")" -v b="$(median "$libcurl")" 'BEGIN { printf "  %-40s %8.0f %8.0f %6.2f\n", t, o, b, o / b }'
}

sql -c "SELECT wf_call('nginx_many', '{\"n\": 100}')" >/dev/null
drained

if wants sending; then
	say ""
	say "requests a second from the outbox, answers recorded: $ROUNDS rounds, medians; synchronous_commit on"
	printf '  %-40s %8s %8s %6s\n' "" ours libcurl ratio
	compare "nginx, 100 in flight" nginx "http://127.0.0.1:$WEB_PORT/" "$(scaled 20000 1000)" 100 sent
	compare "nginx, 1,000 in flight" nginx "http://127.0.0.1:$WEB_PORT/" "$(scaled 20000 2000)" 1000 sent
	compare "200 ms, 100 in flight" slow "http://127.0.0.1:$SLOW_PORT/late?ms=200" "$(scaled 2000 500)" 100 sent
	compare "200 ms, 1,000 in flight" slow "http://127.0.0.1:$SLOW_PORT/late?ms=200" "$(scaled 10000 2000)" 1000 sent
fi

if wants awaiting; then
	say ""
	say "runs a second that wait for an answer, two workers: $ROUNDS rounds, medians"
	printf '  %-40s %8s %8s %6s\n' "" ours libcurl ratio
	compare "nginx, 1,000 in flight" nginx "http://127.0.0.1:$WEB_PORT/" "$(scaled 10000 1000)" 1000 awaited
fi

if wants wire; then
	in_flight 100
	sql -c "TRUNCATE wf.request_log"
	for ((i = 0; i < $(scaled 300 30); i++)); do
		sql -c "SELECT wf_await('$(sql -c "SELECT wf_run('nginx_one') ->> 'run_id'")')" >/dev/null
	done
	say ""
	say "on an idle system, ms: $(scaled 300 30) runs, one after the other"
	printf '  %-40s %8s %8s %8s\n' "" p50 p99 most
	sql -c "SELECT extract(epoch FROM ended_at - created_at) * 1000 - total_ms FROM wf.request_log" >"$WORK/wire"
	printf '  %-40s %8s %8s %8s\n' "from the node to the request on the wire" $(percentiles "$WORK/wire")
	sql -c "SELECT extract(epoch FROM s.started_at - l.ended_at) * 1000 FROM wf.request_log l JOIN wf_steps s USING (run_id) WHERE s.node = 'r'" >"$WORK/back"
	printf '  %-40s %8s %8s %8s\n' "from the answer to the next node" $(percentiles "$WORK/back")
fi
