# net.sh: outgoing requests, without the queue: the loop of src/net beside a loop of libcurl's multi interface that does
# nothing else, and curl --parallel. Sourced by run.sh.
bash test/run/deps.sh web || exit 1
TESTING=1 bench_cluster bench-testing
sql -c "CREATE FUNCTION net(jsonb, jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net';
	CREATE FUNCTION net_bench(text, int, int, bool) RETURNS jsonb LANGUAGE c AS 'workflow', 'wf_sql_test_net_bench';"

. test/bench/web.sh

# measure <file> <url> <n> <in flight> <bare>: adds requests a second and microseconds of CPU a request
measure()
{
	sql -c "SELECT answered / (us / 1e6), \"cpuUs\"::float8 / $3 FROM jsonb_to_record(net_bench('$2', $3, $4, $5)) AS r(us float8, \"cpuUs\" float8, answered int)" |
		tr '|' ' ' >>"$1"
}

# column <file> <n>: the median of the column
column()
{
	awk -v n="$2" '{ print $n }' "$1" >"$1.$2"
	median "$1.$2"
}

# compare <title> <url> <n> <in flight>
compare()
{
	local round kind ours=$WORK/ours bare=$WORK/bare tool=$WORK/tool begun
	rm -f "$ours" "$bare" "$tool"
	yes "url = $2" | head -n "$3" >"$WORK/config"
	for ((round = 0; round < ROUNDS; round++)); do
		for kind in $(shuf -e ours bare tool); do
			case $kind in
				ours) measure "$ours" "$2" "$3" "$4" false ;;
				bare) measure "$bare" "$2" "$3" "$4" true ;;
				tool)
					# it has at most 300 at once
					[ "$4" -le 300 ] || continue
					begun=$(date +%s.%N)
					curl -s --parallel --parallel-immediate --parallel-max "$4" -K "$WORK/config" -o /dev/null >/dev/null 2>&1
					awk -v a="$begun" -v b="$(date +%s.%N)" -v n="$3" 'BEGIN { print n / (b - a), 0 }' >>"$tool"
					;;
			esac
		done
	done
	awk -v t="$1" -v o="$(column "$ours" 1)" -v b="$(column "$bare" 1)" -v oc="$(column "$ours" 2)" -v bc="$(column "$bare" 2)" \
		-v c="$([ -s "$tool" ] && column "$tool" 1)" \
		'BEGIN { printf "  %-34s %8.0f %8.0f %6.2f %8s %8.1f %8.1f\n", t, o, b, o / b, c == "" ? "-" : sprintf("%.0f", c), oc, bc }'
}

if wants requests; then
	say ""
	say "requests a second: $ROUNDS rounds, medians; CPU in us a request"
	printf '  %-34s %8s %8s %6s %8s %8s %8s\n' "" net libcurl ratio curl "net CPU" "libc CPU"
	compare "nginx, 100 in flight" "http://127.0.0.1:$WEB_PORT/" "$(scaled 50000 1000)" 100
	compare "nginx, 1,000 in flight" "http://127.0.0.1:$WEB_PORT/" "$(scaled 50000 2000)" 1000
	compare "200 ms, 100 in flight" "http://127.0.0.1:$SLOW_PORT/late?ms=200" "$(scaled 2000 500)" 100
	compare "200 ms, 1,000 in flight" "http://127.0.0.1:$SLOW_PORT/late?ms=200" "$(scaled 10000 2000)" 1000
fi

if wants hanging; then
	# live <extra requests>: microseconds of the last of many requests to nginx
	live()
	{
		sql -c "SELECT net('[[{\"url\": \"http://127.0.0.1:$WEB_PORT/\", \"policy\": {\"allow\": \"127.0.0.1\"}, \"times\": $(scaled 20000 1000)}$1]]') #>> '{0,0,doneUs}'"
	}
	rm -f "$WORK/alone" "$WORK/beside"
	for ((round = 0; round < ROUNDS; round++)); do
		live "" >>"$WORK/alone"
		live ", {\"url\": \"http://127.0.0.1:$DEAF_PORT/\", \"policy\": {\"allow\": \"127.0.0.1\"}, \"times\": 1000, \"timeoutMs\": 5000}" >>"$WORK/beside"
	done
	say ""
	awk -v n="$(scaled 20000 1000)" -v a="$(median "$WORK/alone")" -v b="$(median "$WORK/beside")" \
		'BEGIN { printf "%d requests to a live host: %.0f ms alone, %.0f ms beside 1,000 to one that hangs: %.2f\n", n, a / 1000, b / 1000, b / a }'
fi
