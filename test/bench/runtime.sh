# runtime.sh: runs in the background: rates beside peers, starts, latency, history and sleepers, timers, memory, and
# what is done at rest. Sourced by run.sh. Clients are of an ordinary role; autovacuum is on and fsync too.
. test/bench/peers.sh

ROUNDS=${BENCH_ROUNDS:-3}
bench_cluster bench-runtime "max_connections = 200" "max_worker_processes = 32"
"$PRIVATE_BIN/psql" -X -q -d postgres -c "CREATE ROLE bench LOGIN" || die "could not create the role"
[ "$ONLY" = peers ] || sql -f test/bench/runtime_setup.sql >/dev/null
say ""
say "runs in the background: medians of $ROUNDS rounds"

# configure <setting ...>: restarts with these settings besides; remembers them.
CONFIGURED=
configure()
{
	[ "$CONFIGURED" != "$*" ] || return 0
	cluster_stop
	cluster_start "${SETTINGS[@]}" "$@" || exit 1
	CONFIGURED=$*
}

# bench_psql [arguments]: as the ordinary role.
bench_psql()
{
	PGUSER=bench "$PRIVATE_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "${DB:-bench}" "$@" || die "a statement of the bench failed"
}

drain()
{
	sql -c "CALL drained(${1:-600})"
}

# of <backend_type>: the pids.
of()
{
	sql -c "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE backend_type = '$1'"
}

# warm [workflow]: processes are there, and have compiled what they execute.
warm()
{
	bench_psql -c "SELECT count(*) FROM wf_start_many('${1:-five}', inputs(500))" >/dev/null
	drain 60
	sql -c "CALL forget()" -c CHECKPOINT
}

# ours <workflow> <n>: prints "seconds-of-queueing seconds-of-executing" of n runs started by one statement.
ours()
{
	local times
	times=$(bench_psql -c "SELECT extract(epoch FROM clock_timestamp())" \
		-c "DO \$\$ BEGIN PERFORM count(*) FROM wf_start_many('$1', inputs($2)); END \$\$" \
		-c "SELECT extract(epoch FROM clock_timestamp())") || return 1
	drain
	sql -c "SELECT CASE WHEN count(*) <> $2 OR bool_or(status <> 'completed') THEN NULL ELSE round((v[2] - v[1])::numeric, 3) || ' ' || round(extract(epoch FROM max(finished_at)) - v[2], 3) END
		FROM wf.run, (SELECT string_to_array('$(echo $times)', ' ')::numeric[] AS v) t GROUP BY v" | grep . ||
		{ say "not all of $2 runs of $1 were completed"; sql -c "SELECT status, count(*), min(error::text) FROM wf.run GROUP BY 1"; return 1; } >&2
	sql -c "CALL forget()"
}

# rate <key> <n> <seconds of queueing> <of executing>: notes both rates.
note_rate()
{
	[ $# = 4 ] || { say 0 >>"$WORK/$1.drain"; say 0 >>"$WORK/$1.both"; return; }
	awk -v n="$2" -v d="$4" 'BEGIN { print n / d }' >>"$WORK/$1.drain"
	awk -v n="$2" -v q="$3" -v d="$4" 'BEGIN { print n / (q + d) }' >>"$WORK/$1.both"
}

# race <title> <steps: one|five> <peers> <synchronous_commit> <rounds> <variant:n:workers ...>: one table; the ratio is
# to the fastest of these peers. A variant is a workflow of ours, with "ours/" before it, or a peer.
race()
{
	local title=$1 steps=$2 rivals=$3 sync=$4 rounds=$5 round variant name n workers key best=0 value both variants=()
	shift 5
	for variant in "$@"; do
		[ -n "${OURS:-}" ] && [ "${variant#ours/}" != "$variant" ] || variants+=("$variant")
	done
	set -- "${variants[@]}"
	rm -f "$WORK"/race.*
	for ((round = 0; round < rounds; round++)); do
		for variant in $(shuf -e "$@"); do
			IFS=: read -r name n workers <<<"$variant"
			key=race.${name//\//_}.$workers
			if [ "${name#ours/}" != "$name" ]; then
				configure "synchronous_commit = $sync" "workflow.max_workers = $workers"
				warm "${name#ours/}"
				note_rate "$key" "$n" $(ours "${name#ours/}" "$n")
			elif [ -n "${NODE:-}" ]; then
				configure "synchronous_commit = $sync" "workflow.max_workers = $workers"
				note_rate "$key" "$n" $(peer "$name" "$steps" "$n" "$workers")
			fi
		done
	done
	say ""
	say "$title, synchronous_commit $sync, $rounds round(s); a worker is a process"
	printf '  %-20s %8s %12s %16s   %s\n' "" workers "executed/s" "with queueing/s" "/ ${rivals// /, }"
	for variant in "$@"; do
		IFS=: read -r name n workers <<<"$variant"
		key=race.${name//\//_}.$workers
		[ -s "$WORK/$key.drain" ] && [[ " $rivals " == *" $name "* ]] && best=$(awk -v a="$best" -v b="$(median "$WORK/$key.drain")" 'BEGIN { print (a > b ? a : b) }')
	done
	for variant in "$@"; do
		IFS=: read -r name n workers <<<"$variant"
		key=race.${name//\//_}.$workers
		value=0
		[ -s "$WORK/$key.drain" ] && value=$(median "$WORK/$key.drain") && both=$(median "$WORK/$key.both")
		if [ "$value" = 0 ]; then
			printf '  %-20s %8s %12s\n' "$name" "$workers" "not measured"
		else
			awk -v n="$name" -v w="$workers" -v v="$value" -v q="$both" -v b="$best" \
				'BEGIN { printf "  %-20s %8s %12.0f %16.0f %8s\n", n, w, v, q, (b > 0 ? sprintf("%.2f", v / b) : "") }'
		fi
	done
}

if wants runs || wants peers; then
	install_peers || NODE=
	wants runs || OURS=no
	small=$(scaled 1000 100)
	big=$(scaled 50000 1000)
	race "five steps" five "dbos absurd" off "$ROUNDS" ours/five:$big:1 ours/five:$big:2 ours/five_writes:$big:2 dbos:$small:1 dbos:$small:2 absurd:$small:1 absurd:$small:2 \
		graphile:$((small * 2)):1 graphile:$((small * 2)):2 pgboss:$((small * 10)):1 pgboss:$((small * 10)):2
	race "five steps" five "dbos absurd" on 1 ours/five:$big:2 dbos:$small:2 absurd:$small:2 graphile:$((small * 2)):2 pgboss:$((small * 10)):2
	big=$(scaled 100000 1000)
	race "one step" one graphile off "$ROUNDS" ours/one:$big:1 ours/one:$big:2 graphile:$big:1 graphile:$big:2 pgboss:$((big / 2)):1 pgboss:$((big / 2)):2 dbos:$small:2
	race "one step" one graphile on 1 ours/one:$big:2 graphile:$big:2 pgboss:$((big / 2)):2 dbos:$small:2
fi

if wants starts; then
	# Once with nobody who executes, as peers queue; once with workers that take turns with the clients for two cores.
	say ""
	say "starts a second, synchronous_commit off"
	printf '  %-44s %12s %12s\n' "" "nobody works" "2 workers"
	say "SELECT wf_start('five', '{\"id\": 1}')" >"$WORK/start.sql"
	big=$(scaled 100000 1000)
	seconds=$(scaled 10 2)
	for who in none bench; do
		configure "synchronous_commit = off" "workflow.max_workers = 2" "workflow.databases = '$([ $who = none ] && echo postgres || echo bench)'"
		for ((round = 0; round < ROUNDS; round++)); do
			bench_psql -c "SELECT extract(epoch FROM clock_timestamp())" -c "SELECT count(*) FROM wf_start_many('five', inputs($big))" \
				-c "SELECT extract(epoch FROM clock_timestamp())" | awk -v n="$big" 'NR == 1 { a = $1 } { b = $1 } END { print n / (b - a) }' >>"$WORK/many.$who"
			[ $who = none ] && sql -c "TRUNCATE wf.queue" || drain
			for clients in 1 8; do
				PGUSER=bench "$PRIVATE_BIN/pgbench" -n -M prepared -f "$WORK/start.sql" -c $clients -j 2 -T "$seconds" bench 2>&1 |
					awk '/^tps/ { print $3 }' >>"$WORK/start$clients.$who"
				[ $who = none ] && sql -c "TRUNCATE wf.queue" || drain
			done
			sql -c "CALL forget()" -c CHECKPOINT
		done
	done
	for what in "many wf_start_many, $big at once" "start1 wf_start, 1 client" "start8 wf_start, 8 clients"; do
		printf '  %-44s %12.0f %12.0f\n' "${what#* }" "$(median "$WORK/${what%% *}.none")" "$(median "$WORK/${what%% *}.bench")"
	done
fi

if wants latency; then
	say ""
	say "from queued to running on an idle system, ms"
	printf '  %-44s %8s %8s %8s\n' "" p50 p99 max
	say "SELECT wf_start('one', '{}')" >"$WORK/start.sql"
	printf '%s\n' "SELECT wf_start('one', '{}') AS id \\gset" "SELECT wf_await(':id')" >"$WORK/await.sql"
	n=$(scaled 500 50)
	for sync in off on; do
		configure "synchronous_commit = $sync" "workflow.max_workers = 2"
		warm one
		PGUSER=bench "$PRIVATE_BIN/pgbench" -n -M prepared -f "$WORK/start.sql" -c 1 -t "$n" --rate 20 bench >/dev/null 2>&1 || die "pgbench failed"
		drain 60
		sql -c "SELECT extract(epoch FROM started_at - queued_at) * 1000 FROM wf.run" >"$WORK/latency"
		sql -c "CALL forget()"
		printf '  %-44s %8s %8s %8s\n' "queued to running, $n starts, commit $sync" $(percentiles "$WORK/latency")
		rm -f "$WORK"/await_log*
		(cd "$WORK" && PGUSER=bench "$PRIVATE_BIN/pgbench" -n -M simple -f await.sql -c 1 -t "$n" --rate 20 -l --log-prefix=await_log bench) >/dev/null 2>&1 || die "pgbench failed"
		awk '{ print ($3 - $7) / 1000 }' "$WORK"/await_log* >"$WORK/latency"
		sql -c "CALL forget()"
		printf '  %-44s %8s %8s %8s\n' "wf_start and wf_await, the client's clock" $(percentiles "$WORK/latency")
	done
	# A worker that has gone has to be made first.
	configure "synchronous_commit = off" "workflow.max_workers = 2" "workflow.worker_idle_timeout = '1s'"
	warm one
	n=$(scaled 20 5)
	for ((i = 0; i < n; i++)); do
		for ((j = 0; j < 300; j++)); do
			[ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'workflow worker'")" = 0 ] && break
			sleep 0.1
		done
		bench_psql -c "SELECT wf_start('one', '{}')" >/dev/null
		drain 60
	done
	sql -c "SELECT extract(epoch FROM started_at - queued_at) * 1000 FROM wf.run" >"$WORK/latency"
	sql -c "CALL forget()"
	printf '  %-44s %8s %8s %8s\n' "queued to running when no worker is there" $(percentiles "$WORK/latency")
fi

if wants history; then
	# Three databases, so that rounds can take turns: nothing; finished runs; runs that sleep.
	million=$(scaled 1000000 10000)
	big=$(scaled 20000 1000)
	configure "synchronous_commit = off" "workflow.max_workers = 1" "workflow.worker_idle_timeout = '3s'"
	rm -f "$WORK"/history.*
	for DB in with_nothing with_finished with_sleepers; do
		"$PRIVATE_BIN/dropdb" --if-exists --force "$DB" 2>/dev/null
		"$PRIVATE_BIN/createdb" "$DB"
		[ "$ONLY" = peers ] || sql -f test/bench/runtime_setup.sql >/dev/null
		sql -c "CREATE OR REPLACE PROCEDURE forget() LANGUAGE plpgsql AS 'BEGIN END'"
		case $DB in
			with_finished)
				ours five 100 >/dev/null
				sql -c "SELECT multiply('{wf.run,wf.segment}', (SELECT run_id FROM wf.run LIMIT 1), $million)" >/dev/null
				;;
			with_sleepers)
				bench_psql -c "SELECT wf_start('sleeper', '{\"duration\": \"30 days\"}')" >/dev/null
				drain
				sql -c "SELECT multiply('{wf.live,wf.wait,wf.segment}', (SELECT run_id FROM wf.live LIMIT 1), $million)" >/dev/null
				;;
		esac
		sql -c "VACUUM ANALYZE"
	done
	sql -c CHECKPOINT
	# Many short rounds: whoever else has the machine for some seconds has it for all three.
	for ((round = 0; round < ROUNDS * 4; round++)); do
		for DB in $(shuf -e with_nothing with_finished with_sleepers); do
			bench_psql -c "SELECT count(*) FROM wf_start_many('five', inputs(200))" >/dev/null
			drain
			pid=$(of "workflow worker")
			cpu=$(cut -d' ' -f1 "/proc/$pid/schedstat")
			at=$(sql -c "SELECT extract(epoch FROM clock_timestamp())")
			bench_psql -c "SELECT count(*) FROM wf_start_many('five', inputs($big))" >/dev/null
			queued=$(sql -c "SELECT extract(epoch FROM clock_timestamp())")
			drain
			echo $((($(cut -d' ' -f1 "/proc/$pid/schedstat") - cpu) / big)) >>"$WORK/history.cpu.$DB"
			sql -c "SELECT $big / (extract(epoch FROM max(finished_at)) - $queued) FROM wf.run WHERE queued_at >= to_timestamp($at)" >>"$WORK/history.$DB"
		done
	done
	say ""
	say "five steps, executed a second by one worker, by what is stored ($million runs)"
	printf '  %-28s %12s %12s %16s %12s\n' "" "executed/s" "/ nothing" "CPU, us a run" "nothing /"
	for DB in with_nothing with_finished with_sleepers; do
		paste "$WORK/history.$DB" "$WORK/history.with_nothing" | awk '{ print $1 / $2 }' >"$WORK/history.ratio"
		paste "$WORK/history.cpu.with_nothing" "$WORK/history.cpu.$DB" | awk '{ print $1 / $2 }' >"$WORK/history.cpu.ratio"
		awk -v n="$DB" -v v="$(median "$WORK/history.$DB")" -v a="$(median "$WORK/history.ratio")" -v c="$(median "$WORK/history.cpu.$DB")" \
			-v b="$(median "$WORK/history.cpu.ratio")" 'BEGIN { printf "  %-28s %12.0f %12.3f %16.1f %12.3f\n", n, v, a, c / 1000, b }'
	done
	DB=with_sleepers
	say "timers among $million sleepers: 1,000 due at the same second, ms late"
	due=$(sql -c "SELECT extract(epoch FROM clock_timestamp() + interval '8 s')::bigint")
	bench_psql -c "SELECT count(*) FROM wf_start_many('one', inputs(1000), jsonb_build_object('runAt', to_timestamp($due)))" >/dev/null
	for ((i = 0; i < 1200; i++)); do
		[ "$(sql -c "SELECT count(*) FROM wf.run WHERE started_at >= to_timestamp($due) - interval '1 s'")" -ge 1000 ] && break
		sleep 0.1
	done
	sql -c "SELECT extract(epoch FROM started_at - to_timestamp($due)) * 1000 FROM wf.run WHERE started_at >= to_timestamp($due) - interval '1 s'" >"$WORK/late"
	printf '  %-44s %8s %8s %8s\n' "p50, p99, max" $(percentiles "$WORK/late")
	for DB in with_nothing with_finished with_sleepers; do
		"$PRIVATE_BIN/dropdb" --force "$DB"
	done
	DB=
fi

if wants timers; then
	n=$(scaled 10000 200)
	configure "synchronous_commit = off" "workflow.max_workers = 2"
	say ""
	say "$n timers due at the same second, 2 workers, ms late"
	printf '  %-44s %8s %8s %8s %8s\n' "" p50 p99 max early
	for kind in start wait; do
		warm one
		due=$(sql -c "SELECT extract(epoch FROM clock_timestamp())::bigint + 5 + $n / 1000")
		if [ $kind = start ]; then
			bench_psql -c "SELECT count(*) FROM wf_start_many('one', inputs($n), jsonb_build_object('runAt', to_timestamp($due)))" >/dev/null
		else
			bench_psql -c "SELECT count(*) FROM wf_start_many('until', (SELECT array_agg(jsonb_build_object('at', to_timestamp($due))) FROM generate_series(1, $n)))" >/dev/null
		fi
		for ((i = 0; i < 1200; i++)); do
			[ "$(sql -c "SELECT count(*) FROM wf.run WHERE finished_at IS NOT NULL")" -ge "$n" ] && break
			sleep 0.1
		done
		if [ $kind = start ]; then
			sql -c "SELECT extract(epoch FROM started_at - to_timestamp($due)) * 1000 FROM wf.run" >"$WORK/late"
		else
			sql -c "SELECT extract(epoch FROM started_at - to_timestamp($due)) * 1000 FROM wf.segment WHERE segment = 2" >"$WORK/late"
		fi
		printf '  %-44s %8s %8s %8s %8s\n' "$([ $kind = start ] && echo "starts (runAt)" || echo "runs (waitUntil)")" $(percentiles "$WORK/late") "$(awk '$1 < 0 { n++ } END { print n + 0 }' "$WORK/late")"
		sql -c "CALL forget()"
	done
fi

# status <pid> <field>: of /proc/<pid>/status, its number.
proc_status()
{
	awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"
}

if wants memory; then
	chunk=$(scaled 100000 2000)
	configure "synchronous_commit = off" "workflow.max_workers = 1" "workflow.worker_idle_timeout = '10min'"
	warm five
	say ""
	say "memory of one worker, kB: its own (RssAnon), and with what is shared (VmRSS)"
	printf '  %12s %12s %12s %12s\n' runs RssAnon VmRSS "keeper's own"
	pid=$(of "workflow worker")
	for ((i = 0; i <= 10; i++)); do
		[ $i = 0 ] || ours five "$chunk" >/dev/null
		[ "$(of "workflow worker")" = "$pid" ] || { say "  the worker is another one by now"; pid=$(of "workflow worker"); }
		printf '  %12d %12s %12s %12s\n' $((i * chunk)) "$(proc_status "$pid" RssAnon)" "$(proc_status "$pid" VmRSS)" "$(proc_status "$(of "workflow keeper")" RssAnon)"
	done
fi

if wants rest; then
	seconds=$(scaled 120 20)
	configure "synchronous_commit = off" "workflow.max_workers = 2" "autovacuum = off" "checkpoint_timeout = 1h"
	warm one
	bench_psql -c "SELECT wf_start('sleeper', '{\"duration\": \"30 days\"}')" >/dev/null
	drain
	sleep 5
	say ""
	say "at rest, for $seconds s (one run sleeps for a month): wake-ups are voluntary context switches"
	sql -c "SELECT pid || ' ' || backend_type FROM pg_stat_activity WHERE backend_type LIKE 'workflow%'" >"$WORK/processes"
	# transactions of all databases since `before`, less those of asking
	count()
	{
		sql -c "SELECT pg_stat_force_next_flush()" -c "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database" | tail -1
	}
	before=$(count)
	own=$(($(count) - before))
	before=$((before + own))
	while read -r pid what; do
		say "$pid $(proc_status "$pid" voluntary_ctxt_switches) $what"
	done <"$WORK/processes" >"$WORK/switches"
	sleep "$seconds"
	while read -r pid switches what; do
		[ -d "/proc/$pid" ] && printf '  %-28s %8.1f wake-ups a minute\n' "$what" "$(awk -v a="$switches" -v b="$(proc_status "$pid" voluntary_ctxt_switches)" -v s="$seconds" 'BEGIN { print (b - a) * 60 / s }')" ||
			printf '  %-28s ended meanwhile\n' "$what"
	done <"$WORK/switches"
	say "  transactions in all databases meanwhile: $(($(count) - before - own))"
fi
