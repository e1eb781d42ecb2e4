#!/bin/bash
# tidy.sh: clang-tidy with the checks of src/.clang-tidy. A file that passed is looked at again when
# it, a header or the list of checks changed. Results depend on the tool's version: WF_TIDY=no
# leaves it out. WF_TIDY=full, as in "make lint", lets the analyser follow as many paths of a function
# as it likes, which takes some four times as long.
[ "${WF_TIDY:-yes}" != no ] || exit 0
export PASSED=build/lint/tidy DEPTH="-Xclang -analyzer-config -Xclang max-nodes=50000"
if [ "${WF_TIDY:-yes}" = full ]; then
	PASSED=build/lint/tidy-full DEPTH=
fi
INCLUDE=$("${PG_CONFIG:-pg_config}" --includedir-server)
export INCLUDE
mkdir -p "$PASSED"
newest=$(find src -name '*.h' -newer "$PASSED/.headers" 2>/dev/null | head -1)
if [ ! -e "$PASSED/.headers" ] || [ -n "$newest" ] || [ src/.clang-tidy -nt "$PASSED/.headers" ]; then
	rm -rf "$PASSED"
	mkdir -p "$PASSED"
	touch "$PASSED/.headers"
fi

# look <file>: prints the findings, without the path by which the analyser came there; gives 1 when
# there are any.
look()
{
	local file=$1 found
	local mark=$PASSED/${file//\//.}
	[ "$mark" -nt "$file" ] && return 0
	# The moment before the look, so that an edit meanwhile counts.
	touch "$mark.new"
	if found=$(clang-tidy --quiet "$file" -- $DEPTH -std=gnu11 -Isrc -Ibuild/sandbox -I"$INCLUDE" -D_GNU_SOURCE -DWF_TESTING \
		-DUSE_ASSERT_CHECKING=1 -DPGDLLEXPORT= 2>/dev/null); then
		mv "$mark.new" "$mark"
		return 0
	fi
	rm -f "$mark.new"
	found=$(printf '%s\n' "$found" | sed "s,$PWD/,," |
		awk '/: (error|warning): / { n = 2 } / note: / { n = 0 } n-- > 0 { print; seen = 1 } END { exit !seen }') ||
		found="clang-tidy failed on $file"
	printf '%s\n' "$found"
	return 1
}
export -f look

# The guest of the sandbox is compiled for another machine.
find src -name '*.c' -not -path 'src/sandbox/guest/*' | sort | xargs -n 1 -P "${JOBS:-2}" bash -c 'look "$0"' && exit 0
exit 1
