#!/bin/bash
# check.sh                  everything: installs what is missing, builds, runs every suite and lint
# check.sh regress all|...  some or all regression tests (ACCEPT=1: takes the results as expected)
# check.sh isolation ...    isolation tests
# check.sh tap ...          TAP tests in Perl
# check.sh lint [name ...]  lints, with their advice
#
# Everything runs, whatever fails before it; the last line is "N passed, N failed".
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/suites.sh"

what=${1:-everything}
[ $# = 0 ] || shift

bash test/run/deps.sh build check || exit 1
need_postgres
use_flavour check
exec 9>"$HERE/lock"
flock -n 9 || { say "waiting for another check in $HERE"; flock 9; }

stop_all()
{
	[ -z "${lints:-}" ] || kill "$lints" 2>/dev/null
	use_flavour check
	cluster_stop 9>&-
}

# build_and_install: the library with test-only functions, warnings as errors.
build_and_install()
{
	local begun
	begun=$(now)
	if build_library check WF_TESTING=1 WERROR=1 >"$LOGS/build.log" 2>&1; then
		note build "PostgreSQL $PGMAJOR" 1 0 "$(seconds_since "$begun")"
		install_extension "$LIBRARY"
	else
		note build "PostgreSQL $PGMAJOR" 0 1 "$(seconds_since "$begun")"
		show "$LOGS/build.log"
		return 1
	fi
}

# fresh_cluster <label> <setting ...>: a new cluster for tests, with an empty log.
fresh_cluster()
{
	local label=$1
	shift
	cluster_stop
	rm -rf "$DATA"
	: >"$HERE/log"
	if ! cluster_start "${TEST_SETTINGS[@]}" "$@" >"$LOGS/start.log" 2>&1 9>&-; then
		note start "$label" 0 1
		show "$LOGS/start.log"
		return 1
	fi
}

start_tally
trap stop_all EXIT
trap 'exit 130' INT TERM

case $what in
	lint)
		make_installation
		ADVICE=1
		export WF_TIDY=${WF_TIDY:-full}
		build_library check WF_TESTING=1 >"$LOGS/build.log" 2>&1
		lint_suite "$@"
		;;
	regress | isolation)
		[ "${1:-}" != all ] || shift
		if build_and_install && fresh_cluster "$what" "shared_preload_libraries = 'workflow'"; then
			"${what}_suite" $([ "$what" = regress ] && echo regress) "$@"
			log_check "$what"
		fi
		;;
	tap)
		build_and_install && perl_suite test/t "$@"
		;;
	everything)
		say "PostgreSQL: $("$PG_CONFIG" --version); private installation and cluster: $HERE"
		built=yes
		build_and_install || built=
		nice bash -c '. test/run/lib.sh; . test/run/suites.sh; need_postgres; use_flavour check
			TALLY=$HERE/tally.lint LOGS=$HERE/logs; : >"$TALLY"; lint_suite; fuzz_suite' 9>&- >"$LOGS/lints" 2>&1 &
		lints=$!
		if [ -n "$built" ]; then
			if fresh_cluster preloaded "shared_preload_libraries = 'workflow'"; then
				regress_suite regress
				pgtap_suite
				isolation_suite
				log_check preloaded
			fi
			if fresh_cluster on-demand; then
				regress_suite on-demand
				log_check on-demand
				cluster_stop
			fi
			perl_suite
		fi
		wait "$lints"
		lints=
		cat "$LOGS/lints"
		cat "$HERE/tally.lint" >>"$TALLY"
		;;
	*)
		die "unknown part \"$what\""
		;;
esac
print_sum
