#!/bin/bash
# build.sh: the plain library builds without a warning with gcc and with clang.
build()
{
	make -s -O -j"${JOBS:-2}" WERROR=1 "$@" 2>&1
}
status=0
build OBJDIR=build/obj/gcc all || status=1
if command -v clang >/dev/null; then
	# The server's own flags and headers are made for gcc, and clang need not know all of them.
	build OBJDIR=build/obj/clang CC=clang WF_TESTING=1 \
		COPT="-Wno-unknown-warning-option -Wno-ignored-optimization-argument -Wno-ignored-attributes" objects || status=1
fi
exit $status
