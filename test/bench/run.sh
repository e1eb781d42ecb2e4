#!/bin/bash
# run.sh: the figures. Each table is measured in one run on one cluster: its variants take turns, round
# by round, and what is printed are medians and ratios of medians. Machines differ and drift; only ratios
# within a table mean something. docs/benchmarks.md says what is compared with what, and how to read it.
#
#   make bench                       everything
#   make bench B="sync latency"      some subjects, or some of their parts
#
#   make bench B="peers"             the peers of the runtime, alone
#
# A subject is a file beside this one; its parts are listed below. BENCH_ROUNDS, BENCH_SECONDS (a variant and round of
# sync) and WF_BENCH_SCALE (of all numbers of runs, default 1) say how long.
. "$(dirname "$0")/../run/lib.sh"
. "$(dirname "$0")/lib.sh"

declare -A PARTS=(
	[sync]="statements pure size"
	[expressions]="expressions"
	[net]="requests hanging"
	[dispatch]="sending awaiting wire"
	[code]="calls instead"
	[secrets]="secrets masking"
	[triggers]="writers webhooks"
	[tenants]="tenants"
	[runtime]="runs starts latency history timers memory rest"
)
SUBJECTS="sync triggers expressions code secrets net dispatch tenants runtime"

ONLY=${B:-${BENCH_ONLY:-}}
for name in $ONLY; do
	[[ " $SUBJECTS ${PARTS[*]} peers " == *" $name "* ]] || die "there is no part \"$name\": $SUBJECTS, or of them: ${PARTS[*]}"
done
bash test/run/deps.sh build check || exit 1
need_postgres
say "$("$PG_CONFIG" --version), $(nproc) cores, $(uname -m), load $(cut -d' ' -f1-3 /proc/loadavg)"

status=0
for SUBJECT in $SUBJECTS; do
	for part in ${PARTS[$SUBJECT]} $([ "$SUBJECT" = runtime ] && [[ " $ONLY " == *" peers "* ]] && echo peers); do
		wants "$part" || continue
		# In a shell of its own: a subject that fails does not take the others with it.
		(. "test/bench/$SUBJECT.sh") || status=1
		break
	done
done
exit $status
