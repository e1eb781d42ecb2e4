#!/bin/bash
# run.sh [name ...]: what takes longer than `make check` can spare: kills (test/t/runtime_kill.pl with 2,000 of them and
# a heavier load), promotions of a standby, 100,000 requests, minutes of pg_cron, 10,000 runs with secrets that are looked for
# everywhere (test/t/secrets_canary.pl), and a million random statements of a tenant over another's canaries. T="kill promotion
# requests cron secrets canaries" chooses; WF_KILLS, WF_KILL_SEED, WF_KILL_RATE, WF_PROMOTIONS, WF_PROMOTION_SECONDS, WF_REQUESTS,
# WF_CANARY_RUNS, WF_STATEMENTS and WF_SEED say how much.
. "$(dirname "$0")/../run/lib.sh"
. "$(dirname "$0")/../run/suites.sh"

bash test/run/deps.sh build check || exit 1
need_postgres
use_flavour soak
start_tally
build_library soak WF_TESTING=1 WERROR=1 >"$LOGS/build.log" 2>&1 || { show "$LOGS/build.log"; die "could not build"; }
install_extension "$LIBRARY"
trap 'exit 130' INT TERM

[ $# -gt 0 ] || set -- kill promotion requests cron secrets canaries
for name in "$@"; do
	case $name in
		kill)
			export WF_KILLS=${WF_KILLS:-2000} WF_KILL_RATE=${WF_KILL_RATE:-80} WF_KILL_SECONDS=${WF_KILL_SECONDS:-7200}
			perl_suite test/t runtime_kill
			;;
		secrets)
			export WF_CANARY_RUNS=${WF_CANARY_RUNS:-10000}
			perl_suite test/t secrets_canary
			;;
		*) perl_suite test/soak "$name" ;;
	esac
done
print_sum
