#!/bin/bash
# asan.sh [name ...]: the regression tests, pgTAP and isolation tests with the library under
# AddressSanitizer and UndefinedBehaviorSanitizer (or only the regression tests named). The server
# itself is the packaged one: what is wrong within a block of a memory context stays unseen.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suites.sh"

bash test/run/deps.sh build check || exit 1
need_postgres
use_flavour asan
start_tally
trap 'cluster_stop' EXIT
trap 'exit 130' INT TERM

if ! build_library asan WF_TESTING=1 COPT="-O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=alignment -fno-sanitize-recover=null -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=0" >"$LOGS/build.log" 2>&1; then
	show "$LOGS/build.log"
	die "could not build with the sanitizers"
fi
gcc -shared -fPIC -o build/obj/asan/gettext_stub.so test/run/gettext_stub.c || die "could not build the stub"
install_extension "$LIBRARY"
cluster_stop
rm -rf "$DATA" "$HERE"/found.*
: >"$HERE/log"
cp build/obj/asan/gettext_stub.so "$HERE/"

# The cluster is made without the sanitizer; the server runs with it. Leaks are the business of
# memory contexts; a fake stack would defeat the server's check of the stack's depth.
SERVER_ENV=(LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $HERE/gettext_stub.so"
	ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0:exitcode=86:log_path=$HERE/found:detect_odr_violation=0"
	UBSAN_OPTIONS="print_stacktrace=1:log_path=$HERE/found")
START_SECONDS=180 cluster_start "${TEST_SETTINGS[@]}" "shared_preload_libraries = 'workflow'" \
	"max_stack_depth = '4MB'" || exit 1

regress_suite regress "$@"
if [ $# = 0 ]; then
	pgtap_suite
	isolation_suite
fi
STOP_SECONDS=180 cluster_stop
cat "$HERE"/found.* >>"$HERE/log" 2>/dev/null
SHOW_LINES=400 log_check sanitizers
for file in "$HERE"/found.*; do
	[ -f "$file" ] && show "$file"
done
print_sum
