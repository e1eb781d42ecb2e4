#!/bin/bash
# cppcheck.sh: cppcheck over src/; cppcheck.cfg tells it of PostgreSQL's macros, cppcheck.txt what to
# leave out and why. Results depend on the tool's version: WF_CPPCHECK=no leaves it out.
[ "${WF_CPPCHECK:-yes}" = yes ] || exit 0
mkdir -p build/lint/cppcheck
exec cppcheck --quiet --enable=warning,portability,performance --inline-suppr --std=c11 -Isrc -Ibuild/sandbox \
	--library=test/lint/cppcheck.cfg --suppressions-list=test/lint/cppcheck.txt \
	--cppcheck-build-dir=build/lint/cppcheck -DWF_TESTING=1 -D__x86_64__=1 --error-exitcode=1 -isrc/sandbox/guest src
