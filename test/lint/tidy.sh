#!/bin/bash
# tidy.sh: clang-tidy with the checks of src/.clang-tidy. A file that passed is looked at again when
# it, a header or the list of checks changed. Results depend on the tool's version: WF_TIDY=no
# leaves it out.
[ "${WF_TIDY:-yes}" = yes ] || exit 0
PG_CONFIG=${PG_CONFIG:-pg_config}
passed=build/lint/tidy
status=0
mkdir -p "$passed"
newest=$(find src -name '*.h' -newer "$passed/.headers" 2>/dev/null | head -1)
if [ ! -e "$passed/.headers" ] || [ -n "$newest" ] || [ src/.clang-tidy -nt "$passed/.headers" ]; then
	rm -rf "$passed"
	mkdir -p "$passed"
	touch "$passed/.headers"
fi
for file in $(find src -name '*.c' | sort); do
	mark=$passed/${file//\//.}
	[ "$mark" -nt "$file" ] && continue
	# The moment before the look, so that an edit meanwhile counts.
	touch "$mark.new"
	if found=$(clang-tidy --quiet "$file" -- -std=gnu11 -Isrc -I"$($PG_CONFIG --includedir-server)" \
		-D_GNU_SOURCE -DWF_TESTING -DUSE_ASSERT_CHECKING=1 -DPGDLLEXPORT= 2>/dev/null); then
		mv "$mark.new" "$mark"
	else
		# The findings, without the path by which the analyser came there.
		printf '%s\n' "$found" | sed "s,$PWD/,," |
			awk '/: (error|warning): / { n = 2 } / note: / { n = 0 } n-- > 0 { print; seen = 1 }
				END { if (!seen) print "clang-tidy failed on '"$file"'" }'
		rm -f "$mark.new"
		status=1
	fi
done
exit $status
