#!/bin/bash
# check-all.sh [suite ...]: "make check" here and in a Debian 13 and a Debian sid of their own, which
# have PostgreSQL 17 and 18 (or in the suites named, where "here" is this machine). What each printed
# is in build/check-all/. Making the roots needs root or sudo; see root.sh.
. "$(dirname "$0")/lib.sh"

suites=("$@")
[ ${#suites[@]} -gt 0 ] || suites=(here trixie sid)
logs=$ROOT/build/check-all
mkdir -p "$logs"
: >"$logs/summary"

for suite in "${suites[@]}"; do
	log=$logs/$suite.log
	say "== $suite: output in ${log#"$ROOT/"}"
	if [ "$suite" = here ]; then
		bash test/run/check.sh >"$log" 2>&1 </dev/null
	elif [ "$(id -u)" = 0 ]; then
		bash test/run/root.sh "$suite" >"$log" 2>&1 </dev/null
	else
		sudo env JOBS="${JOBS:-2}" ${WF_ROOTS:+WF_ROOTS="$WF_ROOTS"} ${WF_MIRROR:+WF_MIRROR="$WF_MIRROR"} \
			bash test/run/root.sh "$suite" >"$log" 2>&1
	fi
	sum=$(grep -a -E '^[0-9]+ passed, [0-9]+ failed$' "$log" | tail -n 1)
	version=$(sed -n 's/^PostgreSQL: PostgreSQL \([^ ]*\).*/\1/p' "$log" | head -n 1)
	if [ -z "$sum" ]; then
		tail -n 15 "$log" | sed 's/^/    /'
		sum="0 passed, 1 failed"
	else
		sed -n '/^FAILED/p' "$log"
	fi
	say "$suite, PostgreSQL ${version:-none}: $sum" | tee -a "$logs/summary"
done

say ""
cat "$logs/summary"
sed -E 's/.*: ([0-9]+) passed, ([0-9]+) failed$/\1 \2/' "$logs/summary" |
	awk '{ p += $1; f += $2 } END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
