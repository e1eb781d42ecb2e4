# code.sh: microseconds a call of code, beside the same engine without its walls, and beside what one would use instead. Sourced by run.sh.
#
# All of it is time of the processor, which other work on the machine disturbs least; of Node.js that of the process.
TESTING=1 bench_cluster bench-testing "autovacuum = off"
sql -f test/bench/code.sql >/dev/null
NATIVE=$WORK/native
build_native()
{
	local from=build/sandbox/quickjs
	cc -O2 -w -D_GNU_SOURCE '-DCONFIG_VERSION="2025-04-26"' -I$from -o "$NATIVE" test/bench/code_native.c \
		$from/{quickjs,libregexp,libunicode,cutils,dtoa}.c -lm -lpthread || die "could not build the engine without its walls"
}

# call <work> <times>: adds what a call takes, by its parts, and natively.
call()
{
	local n
	n=$(scaled "$2")
	sql -F ' ' -c "SELECT part[1], part[2], part[3], part[1] + part[2] FROM work, code_bench(source, jsonb_build_object('\$input', value), $n, false) part WHERE name = '$1'" \
		>"$WORK/parts" || exit 1
	for part in 1 2 3 4; do
		awk -v i=$part '{ print $i }' "$WORK/parts" >>"$WORK/call.$1.$part"
	done
	"$NATIVE" "$WORK/$1.js" "$WORK/$1.json" "$n" >>"$WORK/call.$1.native" || die "the engine without its walls failed"
}

# node_us <work>: what one process of Node.js takes for it.
node_us()
{
	local TIMEFORMAT='%U %S'
	{ time node -e "const values = JSON.parse(require('fs').readFileSync(0, 'utf8'));
		(async (\$input) => { $(cat "$WORK/$1.js") })(values.\$input).then(x => process.stdout.write(JSON.stringify(x ?? null)));" <"$WORK/$1.json" >/dev/null; } 2>&1 |
		awk '{ print ($1 + $2) * 1e6 }'
}

# beside <work> <times>: adds what a run with one node more takes, and what does the same without us.
beside()
{
	local n
	n=$(scaled "$2")
	for what in $(shuf -e code transform plpgsql sql); do
		[ "$what" = code ] || [[ $1 == map* ]] || continue
		sql -c "SELECT $what('$1', $n)" >>"$WORK/beside.$1.$what"
	done
	[ -n "$(command -v node)" ] && node_us "$1" >>"$WORK/beside.$1.node"
}

# figure <file>: its median; - when it was not measured.
figure()
{
	[ -s "$1" ] && median "$1" || echo -
}

WORKS="empty:20000 map_10:3000 map_1000:100 map_100000:3 json_1kB:3000 json_100kB:100 json_10MB:3"
rm -f "$WORK"/call.* "$WORK"/beside.*
for work in $WORKS; do
	sql -c "SELECT source FROM work WHERE name = '${work%:*}'" >"$WORK/${work%:*}.js"
	sql -c "SELECT jsonb_build_object('\$input', value) FROM work WHERE name = '${work%:*}'" >"$WORK/${work%:*}.json"
done

if wants calls; then
	build_native
	rm -f "$WORK/first"
	for ((round = 0; round < ROUNDS; round++)); do
		for work in $WORKS; do
			call "${work%:*}" "${work#*:}"
		done
		for ((i = 0; i < 5; i++)); do
			sql -c "SELECT part[1] + part[2] FROM code_bench('return \$input', '{\"\$input\": {}}', 1, false) part" >>"$WORK/first"
		done
	done
	say ""
	say "a call of code (microseconds of the processor)"
	printf '%-14s %12s %12s %12s %12s %12s %12s\n' "" "JSON in" "call" "within" "together" "native" "/ native"
	for work in $WORKS; do
		name=${work%:*}
		row=()
		for part in 1 2 3 4 native; do
			row+=("$(median "$WORK/call.$name.$part")")
		done
		printf '%-14s %12.1f %12.1f %12.1f %12.1f %12.1f %12.2f\n' "$name" "${row[@]}" "$(awk -v a="${row[3]}" -v b="${row[4]}" 'BEGIN { print a / b }')"
	done
	printf 'the first call in a backend: %.0f\n' "$(median "$WORK/first")"
fi

if wants instead; then
	for ((round = 0; round < ROUNDS; round++)); do
		for work in $WORKS; do
			beside "${work%:*}" "$(awk -v n="${work#*:}" 'BEGIN { print int((n + 4) / 5) }')"
		done
	done
	say ""
	say "a node in wf_run, less a noop, and what does the same (microseconds of the processor; in parentheses, by code)"
	printf '%-14s %12s' "" code
	printf ' %20s' transform "PL/pgSQL" "SQL" "node -e"
	printf '\n'
	for work in $WORKS; do
		name=${work%:*}
		code=$(median "$WORK/beside.$name.code")
		printf '%-14s %12.1f' "$name" "$code"
		for what in transform plpgsql sql node; do
			awk -v v="$(figure "$WORK/beside.$name.$what")" -v code="$code" \
				'BEGIN { printf " %20s", v == "-" ? v : sprintf("%.1f (%.2f)", v, v / code) }'
		done
		printf '\n'
	done
fi
