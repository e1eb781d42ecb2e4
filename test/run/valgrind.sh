#!/bin/bash
# valgrind.sh [name ...]: the regression tests (or those named) with the server under valgrind's
# Memcheck. An error counts when one of our functions is in its stack. It is 20 to 50 times slower
# than a plain run; the tests' own time limits are stretched by WF_SLOW=1 in their environment.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suites.sh"

bash test/run/deps.sh build check memory || exit 1
need_postgres
use_flavour valgrind
start_tally
reports=$HERE/reports
trap 'cluster_stop' EXIT
trap 'exit 130' INT TERM

build_library valgrind WF_TESTING=1 COPT="-O1 -fno-omit-frame-pointer -fno-inline" >"$LOGS/build.log" 2>&1 ||
	{ show "$LOGS/build.log"; die "could not build"; }
install_extension "$LIBRARY"
cluster_stop
rm -rf "$DATA" "$reports"
: >"$HERE/log"
mkdir -p "$reports"
[ -z "$SERVER_USER" ] || chown "$SERVER_USER" "$reports"

# Make the cluster by starting it once without valgrind.
cluster_start "${TEST_SETTINGS[@]}" && cluster_stop
say "shared_preload_libraries = 'workflow'" >>"$DATA/private.conf"
say "jit = off" >>"$DATA/private.conf"
cp test/run/valgrind.supp "$HERE/"
chmod 644 "$HERE/valgrind.supp"
as_server valgrind --quiet --tool=memcheck --leak-check=no --trace-children=yes --track-origins=yes \
	--num-callers=30 --suppressions="$HERE/valgrind.supp" --error-markers=ERROR-BEGIN,ERROR-END \
	--log-file="$reports/%p.log" "$PRIVATE_BIN/postgres" -D "$DATA" >>"$HERE/log" 2>&1 </dev/null &
server=$!
for ((i = 0; i < 240; i++)); do
	"$PRIVATE_BIN/pg_isready" -q && break
	kill -0 "$server" 2>/dev/null || break
	sleep 0.5
done
"$PRIVATE_BIN/pg_isready" -q || { tail -n 20 "$HERE/log"; die "the server did not start under valgrind"; }

export WF_SLOW=1
regress_suite regress "$@"
STOP_SECONDS=300 cluster_stop
wait "$server" 2>/dev/null

# Every report with a function of ours in its stack.
cat "$reports"/*.log 2>/dev/null | sed -E 's/^==[0-9]+== ?//' | awk '
	/ERROR-BEGIN/ { inside = 1; text = ""; ours = 0; next }
	/ERROR-END/ { if (ours && !seen[text]++) print text; inside = 0; next }
	inside { text = text $0 "\n"; if (/workflow\.so|\(src\/|wf_[a-z]+_/) ours = 1 }' >"$LOGS/memcheck"
if [ -s "$LOGS/memcheck" ]; then
	note memory memcheck 0 1
	SHOW_LINES=400 show "$LOGS/memcheck"
else
	note memory memcheck 1 0
fi
log_check valgrind
print_sum
