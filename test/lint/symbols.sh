#!/bin/bash
# symbols.sh: the library exports what PostgreSQL asks for and names that begin with ours, and
# nothing else; the plain build exports no function for tests.
status=0
for library in build/obj/check/workflow.so workflow.so; do
	[ -f "$library" ] || continue
	seen=yes
	nm -D --defined-only "$library" | awk '$2 != "U" { print $3 }' |
		grep -v -E '^(wf_|pg_finfo_wf_|Pg_magic_func$|_PG_init$|_init$|_fini$|__bss_start$|_edata$|_end$)' |
		sed "s,^,$library exports ," | grep . && status=1
	nm -D --undefined-only "$library" | awk '$2 ~ /^wf_/ { print $2 " is defined nowhere" }' | grep . && status=1
done
if [ -f build/obj/gcc/workflow.so ]; then
	nm -D --defined-only build/obj/gcc/workflow.so | grep -o 'wf_sql_test_.*' |
		sed 's/^/the build without WF_TESTING exports /' | grep . && status=1
fi
[ -n "${seen:-}" ] || { echo "there is no library to look at"; status=1; }
exit $status
