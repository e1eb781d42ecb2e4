#!/bin/bash
# run.sh: coverage-guided fuzzing with AddressSanitizer and UndefinedBehaviorSanitizer, each target for
# FUZZ_SECONDS, in a backend of a private cluster. README.md in this folder says what is fuzzed and how
# a finding is looked at.
#
#   FUZZ_SECONDS=60 FUZZ_SEED=1 FUZZ_TARGETS="expr regex" make fuzz
#   FUZZ_INPUT=file FUZZ_TARGETS=expr make fuzz                       one input again
#
# Targets that need no database have a library of their rooms alone, which is built in a third of the
# time: `make check` runs these (check.sh).
. "$(dirname "$0")/../run/lib.sh"
. "$(dirname "$0")/../run/suites.sh"

SECONDS_EACH=${FUZZ_SECONDS:-60}
SEED=${FUZZ_SEED:-$((($(date +%s) % 1000000) + 1))}
TARGETS=${FUZZ_TARGETS:-"expr template regex schema cron code definition db run"}

bash test/run/deps.sh build check || exit 1
need_postgres
FLAVOUR=fuzz-pure
for target in $TARGETS; do
	case $target in
		expr | template | regex | schema | cron | code) ;;
		*) FLAVOUR=fuzz ;;
	esac
done
use_flavour "$FLAVOUR"
start_tally
CLANG=$(command -v "${FUZZ_CC:-clang}") || die "fuzzing needs clang with its sanitizers: install the package clang"
RUNTIME=$("$CLANG" -print-resource-dir)/lib/linux
ENGINE=$RUNTIME/libclang_rt.fuzzer_no_main-$(uname -m).a
ASAN=$RUNTIME/libclang_rt.asan-$(uname -m).so
[ -f "$ENGINE" ] && [ -f "$ASAN" ] || die "there is no libFuzzer in $RUNTIME: install libclang-rt-$("$CLANG" -dumpversion | cut -d. -f1)-dev"

# Contexts of the library's own are made of chunks of malloc's where memory.c can do that.
SANITIZE="-fsanitize=address,undefined -fno-sanitize=alignment,function -fno-sanitize-recover=null -fno-omit-frame-pointer"
QUIET="-Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes"
SOURCES=(fuzz mutate pure code programs)
ROOMS=()
if [ "$FLAVOUR" = fuzz ]; then
	SOURCES+=(database)
else
	SOURCES+=(alone)
	ROOMS=(SRCS="$(echo src/{base,expr,schema,sandbox}/*.c)")
fi
RENAME=
if [ "$PGMAJOR" = 15 ]; then
	SOURCES+=(memory)
	RENAME=-DAllocSetContextCreateInternal=wf_fuzz_context_create
fi
OUT=build/obj/$FLAVOUR
mkdir -p "$OUT"
OBJECTS=()
for source in "${SOURCES[@]}"; do
	# shellcheck disable=SC2086
	"$CLANG" -O1 -g -std=gnu11 -fPIC -fvisibility=hidden -fwrapv -fno-strict-aliasing $SANITIZE $QUIET $RENAME \
		-Wall -Isrc -Itest/fuzz -I"$("$PG_CONFIG" --includedir-server)" -D_GNU_SOURCE -DWF_TESTING \
		-DPGDLLEXPORT='__attribute__((visibility("default")))' -c "test/fuzz/$source.c" -o "$OUT/$source.o" ||
		die "could not compile test/fuzz/$source.c"
	OBJECTS+=("$ROOT/$OUT/$source.o")
done
# Bound symbolically: the server's preloaded runtime has empty versions of libFuzzer's counters.
if ! build_library "$FLAVOUR" CC="$CLANG" WF_TESTING=1 ${ROOMS[@]+"${ROOMS[@]}"} \
	COPT="-O1 -g1 $SANITIZE -fsanitize=fuzzer-no-link $QUIET $RENAME -U_FORTIFY_SOURCE" \
	SHLIB_LINK="-Wl,-Bsymbolic ${OBJECTS[*]} $ENGINE -lstdc++ -lm -lpthread -lpcre2-8" >"$LOGS/build.log" 2>&1; then
	show "$LOGS/build.log"
	die "could not build for fuzzing"
fi
"$CLANG" -shared -fPIC -o "$OUT/gettext_stub.so" test/run/gettext_stub.c || die "could not build the stub"

cluster_running && cluster_stop
install_extension "$LIBRARY"
rm -rf "$DATA"
: >"$HERE/log"
cp "$OUT/gettext_stub.so" "$HERE/"
trap 'cluster_stop' EXIT
trap 'exit 130' INT TERM
SERVER_ENV=(LD_PRELOAD="$ASAN $HERE/gettext_stub.so"
	ASAN_OPTIONS="detect_leaks=0:detect_stack_use_after_return=0:abort_on_error=0:exitcode=86:detect_odr_violation=0:handle_abort=0:allocator_may_return_null=1"
	UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1")
# A finding crashes the server: what was set up must outlive it.
START_SECONDS=180 cluster_start "${TEST_SETTINGS[@]}" "synchronous_commit = on" "max_stack_depth = '4MB'" "log_min_messages = warning" \
	"log_min_error_statement = panic" || exit 1

psql()
{
	"$PRIVATE_BIN/psql" -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

psql -d postgres -c "CREATE DATABASE fuzz" && psql -d fuzz -f "test/fuzz/setup${FLAVOUR#fuzz}.sql" || die "could not make the database"
say "seed $SEED, $SECONDS_EACH s a target; findings are kept in $HERE/found"

# fuzz <target>: its seeds are the lines of corpus/<target>.txt, in which a tab stands for a line feed.
fuzz()
{
	local target=$1 begun corpus=$HERE/corpus/$1 found=$HERE/found/$1 n=0 line log=$LOGS/$1 from arguments
	begun=$(now)
	mkdir -p "$corpus" "$found"
	while IFS= read -r line; do
		n=$((n + 1))
		printf %s "$line" | tr '\t' '\n' >"$corpus/seed$n"
	done <"test/fuzz/corpus/$target.txt"
	# the language table, if it is there, is full of programs: each between two lines of dashes
	if [ "$target" = code ] && [ -f test/code/programs.txt ]; then
		awk -v to="$corpus/table" '/^----$/ { n++; next } n > 0 { file = to n; if (!(file in seen)) { seen[file] = 1; print "{\"a\": [1, 2]}" > file } print > file }' test/code/programs.txt
	fi
	find "$found" -type f -delete
	[ -z "$SERVER_USER" ] || chown -R "$SERVER_USER" "$corpus" "$found"
	from=$(($(stat -c %s "$HERE/log") + 1))
	arguments="'-seed=$SEED','-max_len=${FUZZ_LENGTH:-2000}','-timeout=0','-rss_limit_mb=0','-handle_int=0','-handle_term=0','-handle_usr1=0','-handle_usr2=0','-detect_leaks=0','-artifact_prefix=$found/','-print_final_stats=1','-reload=0'"
	if [ -n "${FUZZ_INPUT:-}" ]; then
		arguments="$arguments,'$(realpath "$FUZZ_INPUT")'"
	else
		arguments="$arguments,'-max_total_time=$SECONDS_EACH'"
		[ ! -f "test/fuzz/corpus/$target.dict" ] || cp "test/fuzz/corpus/$target.dict" "$HERE/$target.dict"
		[ ! -f "$HERE/$target.dict" ] || arguments="$arguments,'-dict=$HERE/$target.dict'"
		arguments="$arguments,'$corpus'"
	fi
	psql -U fuzzer -d fuzz -c "SELECT wf_test_fuzz('$target', ARRAY[$arguments])" >/dev/null 2>&1 </dev/null
	sleep 0.3
	tail -c "+$from" "$HERE/log" >"$log"
	wait_ready
	# The process ends in either case; libFuzzer's statistics come last when nothing was found.
	if grep -aqE '^FUZZ:|ERROR: |runtime error:|TRAP:' "$log" ||
		! grep -aqE '^stat::number_of_executed_units|^Executed ' "$log"; then
		note fuzz "$target" 0 1 "$(seconds_since "$begun")"
		grep -avE '^#[0-9]+\s+(NEW|REDUCE|pulse|RELOAD|INITED|DONE)|^INFO:|^\s+NEW_' "$log" >"$log.short"
		SHOW_LINES=70 show "$log.short"
		local file
		for file in "$found"/*; do
			[ -f "$file" ] || continue
			say "    input $file:"
			head -c 1500 "$file" | cat -v | sed 's/^/    | /'
			say ""
		done
	else
		note fuzz "$target" 1 0 "$(seconds_since "$begun")"
		say "    $(grep -aE '^stat::number_of_executed_units' "$log" | tr -s ' ' | sed 's/stat:://'), $(grep -aE '^#[0-9]+\s+DONE' "$log" | tr -s ' \t' ' ')"
	fi
}

# An overrun on purpose is seen: what follows is worth something.
if [ "$PGMAJOR" = 15 ]; then
	printf x >"$HERE/canary"
	psql -U fuzzer -d fuzz -c "SELECT wf_test_fuzz('canary', ARRAY['-artifact_prefix=/dev/null', '$HERE/canary'])" >/dev/null 2>&1 </dev/null
	sleep 0.3
	grep -aq 'AddressSanitizer: heap-buffer-overflow' "$HERE/log" || die "the sanitizer does not see an overrun: see $HERE/log"
	: >"$HERE/log"
	wait_ready
fi

for target in $TARGETS; do
	fuzz "$target"
done
print_sum
