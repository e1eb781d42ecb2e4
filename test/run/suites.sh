# suites.sh: the suites of tests, each a function that runs all of its files in the cluster of the
# flavour in use, whatever fails, and notes every result in the tally. Sourced after lib.sh.
#
# Every file has a database of its own, made from template0; it creates the extension itself.

# start_tally: forgets all results of the flavour in use.
start_tally()
{
	TALLY=$HERE/tally
	LOGS=$HERE/logs
	rm -rf "$LOGS"
	mkdir -p "$LOGS"
	: >"$TALLY"
}

# note <suite> <name> <passed> <failed> [seconds]: one line for the reader and one for the sum.
note()
{
	local word=ok
	[ "$4" = 0 ] || word=FAILED
	say "$3 $4 $1 $2" >>"$TALLY"
	printf '%-7s %-10s %-40s %s\n' "$word" "$1" "$2" "${5:+$5 s}"
}

now()
{
	date +%s.%N
}

seconds_since()
{
	awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.1f", b - a }'
}

# Waits until the server accepts connections: a crash in one test must not fail the next.
wait_ready()
{
	local i
	for ((i = 0; i < 300; i++)); do
		"$PRIVATE_BIN/pg_isready" -q && return 0
		sleep 0.1
	done
	return 1
}

# Prints a file of details, indented and cut when long.
show()
{
	[ -s "$1" ] || return 0
	head -n "${SHOW_LINES:-150}" "$1" | cut -c1-400 | sed 's/^/    /'
	if [ "$(wc -l <"$1")" -gt "${SHOW_LINES:-150}" ]; then
		say "    ... the rest is in $1"
	fi
}

# regress_suite <label> [name ...]: test/sql/*.sql with expected/*.out, all or those named.
# With ACCEPT=1 what a test gave becomes what is expected.
regress_suite()
{
	local label=$1 names=() file name out begun result
	shift
	if [ $# -gt 0 ]; then
		names=("$@")
	else
		for file in test/sql/*.sql; do
			name=$(basename "$file" .sql)
			# without the library preloaded there are no workers, and code is the same
			[ "$label" = on-demand ] && [[ $name == runtime_* || $name == code_abuse || $name == code_sources ]] && continue
			[ -f "$file" ] && names+=("$name")
		done
	fi
	[ ${#names[@]} -gt 0 ] || return 0
	mkdir -p "$HERE/stage"
	ln -sfn "$ROOT/test/sql" "$HERE/stage/sql"
	ln -sfn "$ROOT/expected" "$HERE/stage/expected"
	ln -sfn "$ROOT/test/lib" "$HERE/stage/lib"
	export PG_ABS_SRCDIR=$ROOT
	for name in "${names[@]}"; do
		out=$LOGS/$label/$name
		mkdir -p "$out"
		begun=$(now)
		result=0
		if [ ! -f "test/sql/$name.sql" ]; then
			say "there is no test/sql/$name.sql" >"$out/log"
			result=1
		else
			"$PGXSDIR/test/regress/pg_regress" --inputdir="$HERE/stage" --outputdir="$out" \
				--bindir="$PRIVATE_BIN" --host="$PGHOST" --port="$PGPORT" --user=postgres \
				--dbname="test_$name" --max-connections=1 "$name" >"$out/log" 2>&1 </dev/null || result=1
		fi
		if [ -n "${ACCEPT:-}" ] && [ -f "$out/results/$name.out" ]; then
			mkdir -p expected
			cp "$out/results/$name.out" "expected/$name.out"
			result=0
		fi
		if [ $result = 0 ]; then
			note "$label" "$name" 1 0 "$(seconds_since "$begun")"
			"$PRIVATE_BIN/dropdb" --if-exists --force "test_$name" >/dev/null 2>&1
		else
			note "$label" "$name" 0 1 "$(seconds_since "$begun")"
			[ -f "expected/$name.out" ] || say "    there is no expected/$name.out: read $out/results/$name.out, then make regress T=$name ACCEPT=1"
			if [ -s "$out/regression.diffs" ]; then show "$out/regression.diffs"; else show "$out/log"; fi
			wait_ready
		fi
	done
}

# pgTAP: test/pgtap/*.sql; every assertion counts.
pgtap_suite()
{
	local file name begun
	compgen -G 'test/pgtap/*.sql' >/dev/null || return 0
	if [ ! -f "$PRIVATE$SHAREDIR/extension/pgtap.control" ]; then
		say "pgTAP is not packaged for PostgreSQL $PGMAJOR here: test/pgtap is left out"
		return 0
	fi
	for file in test/pgtap/*.sql; do
		name=$(basename "$file" .sql)
		"$PRIVATE_BIN/psql" -X -q -d postgres -c "DROP DATABASE IF EXISTS tap_$name WITH (FORCE)" \
			-c "CREATE DATABASE tap_$name TEMPLATE template0" >"$LOGS/pgtap_$name.log" 2>&1 </dev/null
		begun=$(now)
		count_tap pgtap "$name" "$LOGS/pgtap_$name.log" "$begun" \
			"$PRIVATE_BIN/psql" -X -q -A -t -P pager=off -v ON_ERROR_STOP=1 -d "tap_$name" -f "$file"
	done
}

# count_tap <suite> <name> <log> <begun> <command ...>: runs what speaks TAP and counts.
count_tap()
{
	local suite=$1 name=$2 log=$3 begun=$4 counts
	shift 4
	counts=$(perl test/run/count_tap.pl "$log" "$@" </dev/null)
	case $counts in
		[0-9]*' '[0-9]*) ;;
		*) counts="0 1" ;;
	esac
	note "$suite" "$name" ${counts} "$(seconds_since "$begun")"
	[ "${counts#* }" = 0 ] || { show "$log"; [ "$suite" != pgtap ] || wait_ready; }
}

# Isolation tests: test/isolation/specs/*.spec with test/isolation/expected/*.out.
isolation_suite()
{
	local file name out begun result
	for file in test/isolation/specs/*.spec; do
		[ -f "$file" ] || continue
		name=$(basename "$file" .spec)
		[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
		out=$LOGS/isolation/$name
		mkdir -p "$out"
		begun=$(now)
		result=0
		"$PGXSDIR/test/isolation/pg_isolation_regress" --inputdir="$ROOT/test/isolation" --outputdir="$out" \
			--bindir="$PRIVATE_BIN" --host="$PGHOST" --port="$PGPORT" --user=postgres \
			--dbname="iso_$name" --max-connections=1 "$name" >"$out/log" 2>&1 </dev/null || result=1
		if [ -n "${ACCEPT:-}" ] && [ -f "$out/results/$name.out" ]; then
			mkdir -p test/isolation/expected
			cp "$out/results/$name.out" "test/isolation/expected/$name.out"
			result=0
		fi
		note isolation "$name" $((1 - result)) $result "$(seconds_since "$begun")"
		[ $result = 1 ] || continue
		if [ -s "$out/regression.diffs" ]; then show "$out/regression.diffs"; else show "$out/log"; fi
		wait_ready
	done
}

# TAP tests in Perl: test/t/*.pl, with clusters of their own, as the user of the server; they have
# PostgreSQL::Test from the server's development files. Every assertion counts. perl_suite [folder] [name ...]
# Mostly they wait for servers and timers: T_JOBS (3) of them run at once.
perl_suite()
{
	local folder=${1:-test/t} file name tree pid running=() still
	[ $# = 0 ] || shift
	compgen -G "$folder/*.pl" >/dev/null || return 0
	tree=$ROOT
	if ! as_server test -r "$ROOT/test/t"; then
		tree=$HERE/tree
		rm -rf "$tree"
		mkdir -p "$tree"
		cp -r README.md docs expected sql src test workflow.control "$tree/"
		chmod -R a+rX "$tree"
	fi
	for file in "$folder"/*.pl; do
		name=$(basename "$file" .pl)
		[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
		while [ ${#running[@]} -ge "${T_JOBS:-3}" ]; do
			wait -n "${running[@]}"
			still=()
			for pid in "${running[@]}"; do
				kill -0 "$pid" 2>/dev/null && still+=("$pid")
			done
			running=(${still[@]+"${still[@]}"})
		done
		perl_test "$tree" "$file" "$name" &
		running+=($!)
	done
	wait ${running[@]+"${running[@]}"}
}

# perl_test <tree> <file> <name>: one of them; what it has to say is printed in one piece.
perl_test()
{
	local work=$HERE/t/$3 begun TOLERATED='terminated by signal 9'
	rm -rf "$work"
	mkdir -p "$work"
	[ -n "$SERVER_USER" ] && chown "$SERVER_USER" "$work"
	begun=$(now)
	say "$(count_tap t "$3" "$LOGS/t_$3.log" "$begun" \
		${SERVER_PREFIX[@]+"${SERVER_PREFIX[@]}"} env -u PGHOST -u PGPORT -u PGUSER \
		PATH="$PRIVATE_BIN:$PATH" PERL5LIB="$PGXSDIR/test/perl:$1/test/t" \
		PG_REGRESS="$PGXSDIR/test/regress/pg_regress" PG_TEST_INITDB_EXTRA_OPTS= \
		TESTDIR="$work" TESTDATADIR="$work/data" TESTLOGDIR="$work/log" WF_ROOT="$1" \
		perl "$1/$2")"
	! grep -q -w segv "$2" || TOLERATED+='|terminated by signal 11'
	log_check "$3" "$work"/tmp_check/log/*.log
}

# lint_suite: every program in test/lint/; what it prints is shown when it fails.
lint_suite()
{
	local file name begun
	for file in test/lint/*; do
		[ -f "$file" ] && [ -x "$file" ] || continue
		name=$(basename "$file")
		name=${name%.*}
		[ $# = 0 ] || [[ " $* " == *" $name "* ]] || continue
		begun=$(now)
		if "$file" >"$LOGS/lint_$name.log" 2>&1 </dev/null; then
			note lint "$name" 1 0 "$(seconds_since "$begun")"
			[ -z "${ADVICE:-}" ] || show "$LOGS/lint_$name.log"
		else
			note lint "$name" 0 1 "$(seconds_since "$begun")"
			show "$LOGS/lint_$name.log"
		fi
	done
}

# Inputs guided by coverage, under sanitizers, for the targets that need no database: test/fuzz/run.sh has a
# flavour, a cluster and a tally of its own.
fuzz_suite()
{
	local log=$LOGS/fuzz results=$BASE/fuzz-pure/tally
	rm -f "$results"
	if FUZZ_SECONDS=${FUZZ_SECONDS:-10} FUZZ_TARGETS="expr template regex code" bash test/fuzz/run.sh >"$log" 2>&1 </dev/null ||
		[ -s "$results" ]; then
		grep -v ' passed, ' "$log"
		cat "$results" >>"$TALLY"
	else
		note fuzz start 0 1
		show "$log"
	fi
}

# log_check <label> [file ...]: the server's log holds no crash, but for those that TOLERATED matches, and no resource that was
# left behind.
log_check()
{
	local found=$LOGS/log_$1 files=("${@:2}")
	grep -a -h -n -E 'terminated by signal|PANIC|TRAP: |AddressSanitizer|runtime error:|(snapshot|relcache|cache|buffer refcount|plancache|resource|tupdesc|file|DSM|JIT context) (reference )?leak|was not closed|was not released|problem in alloc set|you don.t own a lock|transaction left non-empty SPI stack|stuck spinlock' \
		"${files[@]:-$HERE/log}" 2>/dev/null | grep -a -v -E "${TOLERATED:-^$}" >"$found"
	if [ -s "$found" ]; then
		note log "$1" 0 1
		show "$found"
	else
		note log "$1" 1 0
	fi
}

# The last line; gives 1 when anything failed.
print_sum()
{
	awk '{ passed += $1; failed += $2; if ($2 > 0) names[++n] = $3 " " $4 }
		END {
			for (i = 1; i <= n; i++) print "failed: " names[i]
			printf "%d passed, %d failed\n", passed, failed
			exit failed > 0 || passed == 0
		}' "$TALLY"
}
