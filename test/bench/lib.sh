# lib.sh: what the scripts of the bench share; sourced after test/run/lib.sh.

ROUNDS=${BENCH_ROUNDS:-5}
SECONDS_EACH=${BENCH_SECONDS:-2}
SCALE=${WF_BENCH_SCALE:-1}

# bench_cluster <flavour> [setting ...]: a new cluster of this flavour with the library preloaded, an empty database
# "bench", and WORK, a folder for what is measured. The library is what users have; with TESTING set, what tests have.
bench_cluster()
{
	use_flavour "$1"
	shift
	build_library "bench${TESTING:+-testing}" ${TESTING:+WF_TESTING=1} || die "could not build"
	install_extension "$LIBRARY"
	cluster_running && cluster_stop
	rm -rf "$DATA"
	trap cluster_stop EXIT
	trap 'exit 130' INT TERM
	SETTINGS=("shared_preload_libraries = 'workflow'" "shared_buffers = 512MB" "max_wal_size = 8GB" "checkpoint_timeout = 1h" "$@")
	cluster_start "${SETTINGS[@]}" || exit 1
	WORK=$HERE/work
	rm -rf "$WORK" && mkdir -p "$WORK"
	"$PRIVATE_BIN/createdb" bench || die "could not create the database"
}

# sql [arguments of psql]: as the superuser, in the database DB (bench); ends the bench when it fails.
sql()
{
	"$PRIVATE_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 -d "${DB:-bench}" "$@" || die "a statement of the bench failed"
}

# scaled <n> [least]: n by WF_BENCH_SCALE, at least `least` (1).
scaled()
{
	awk -v n="$1" -v s="$SCALE" -v least="${2:-1}" 'BEGIN { v = int(n * s); print (v < least ? least : v) }'
}

# median <file>
median()
{
	sort -n "$1" | awk '{ v[NR] = $1 } END { print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

# percentiles <file>: p50, p99 and the greatest of a file of numbers.
percentiles()
{
	sort -n "$1" | awk '{ v[NR] = $1 } function at(p,  i) { i = int(NR * p + 0.999999); return v[i < 1 ? 1 : i] }
		END { if (NR) printf "%.2f %.2f %.2f\n", at(0.5), at(0.99), v[NR] }'
}

# wants <part>: was it asked for? B="..." names parts, or subjects, which are all of their parts.
wants()
{
	[ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $1 "* ]] || [[ " $ONLY " == *" $SUBJECT "* ]]
}
