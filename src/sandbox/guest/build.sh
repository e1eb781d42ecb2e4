#!/bin/bash
# build.sh <folder>: makes guest.c, guest.h and names.h in the folder: QuickJS and what the host calls of it (guest.c, prelude.js), compiled
# to WebAssembly by clang and back to C by wasm2c, so that each access to its memory is checked against its bounds.
#
# QuickJS's source is that of Debian's package, found in whatever archive this machine's apt uses and checked by its digest. It is
# kept in the folder. QUICKJS_SOURCE names a copy of it for machines without apt.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=$1

file=quickjs_2025.04.26.orig.tar.xz
sha256=ec81da5b3249ed648dbc7df4a1654988910e66a118d9b71cb63534216efcfbbe

die()
{
	echo "sandbox: $*" >&2
	echo "sandbox: \"make deps\" installs what is missing; \"make WITHOUT_SANDBOX=1\" builds without code blocks" >&2
	exit 1
}

genuine()
{
	echo "$sha256  $1" | sha256sum --check --status
}

mkdir -p "$to/inside"
for tool in wasm2c sha256sum xz; do
	command -v $tool >/dev/null || die "there is no $tool"
done
clang=$(command -v clang || compgen -c clang- | grep -xE 'clang-[0-9]+' | sort -rV | head -n 1) || die "there is no clang"

# -- the source --
if [ -n "${QUICKJS_SOURCE:-}" ]; then
	cp "$QUICKJS_SOURCE" "$to/$file"
elif ! [ -e "$to/$file" ] || ! genuine "$to/$file"; then
	command -v apt-get >/dev/null || die "QUICKJS_SOURCE must name $file: there is no apt here"
	for archive in $(apt-get indextargets --format '$(REPO_URI)' | sort -u); do
		/usr/lib/apt/apt-helper download-file "${archive%/}/pool/main/q/quickjs/$file" "$to/$file" "SHA256:$sha256" \
			>"$to/download.log" 2>&1 && break
	done
	[ -e "$to/$file" ] || die "no archive of this machine has $file: $(tail -n 1 "$to/download.log" 2>/dev/null)"
fi
genuine "$to/$file" || die "$file is not what it should be"
rm -rf "$to/quickjs"
mkdir "$to/quickjs"
tar -xJf "$to/$file" -C "$to/quickjs" --strip-components=1

# -- to WebAssembly --
# Nothing of this machine's headers: wasi-libc's alone. dtoa.c includes setjmp.h and uses nothing of it.
: >"$to/inside/setjmp.h"
{
	echo 'static const char prelude[] ='
	sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/\t"&\\n"/' "$here/prelude.js"
	echo ';'
} >"$to/inside/prelude.h"
flags=(--target=wasm32-wasi -O2 -nostdlibinc -isystem /usr/include/wasm32-wasi "-I$to/inside" "-I$to/quickjs" -fno-strict-aliasing
	-DEMSCRIPTEN -DCONFIG_STACK_CHECK -D_GNU_SOURCE '-DCONFIG_VERSION="2025-04-26"')
objects=()
for source in "$here/guest.c" "$to"/quickjs/{libregexp,libunicode,cutils,dtoa}.c; do
	object=$to/inside/$(basename "$source" .c).o
	"$clang" "${flags[@]}" -w -c "$source" -o "$object" || die "could not compile $(basename "$source") to WebAssembly"
	objects+=("$object")
done
# The stack lies below all else, so that what overflows it leaves the memory and is trapped.
"$clang" --target=wasm32-wasi -mexec-model=reactor "${objects[@]}" -o "$to/guest.wasm" \
	-Wl,-z,stack-size=$((2048 * 1024)),--stack-first,--strip-debug || die "could not link guest.wasm"

# -- and to C --
wasm2c "$to/guest.wasm" -n guest -o "$to/guest.new.c" || die "could not translate guest.wasm"
mv "$to/guest.new.h" "$to/guest.h"
imports=$(sed -nE "s/^\/\* import: '([^']*)' '([^']*)' \*\/$/\1.\2/p" "$to/guest.h" | sort | paste -sd ' ')
[ "$imports" = "wf.clock wf.log" ] || die "the guest asks its host for \"$imports\""

# What wasm2c calls things, and what it asks of its host, by its version: 1 is 1.0.32, 2 is 1.0.36, 3 is 1.0.37 and later.
if grep -q Z_guest_instance_t "$to/guest.h"; then
	generation=1
elif ! grep -qs 'uint32_t page_size;' /usr/include/wasm-rt.h; then
	generation=2
else
	generation=3
fi
{
	echo "#define GUEST_GENERATION $generation"
	if [ $generation = 1 ]; then
		cat <<-'END'
			#define WASM_RT_MEMCHECK_SIGNAL_HANDLER 0
			#define WASM_RT_USE_STACK_DEPTH_COUNT 0
			#define GUEST_INSTANCE Z_guest_instance_t
			#define GUEST_INSTANTIATE(guest) (Z_guest_init_module(), Z_guest_instantiate(guest, NULL))
			#define GUEST_INITIALIZE Z_guestZ__initialize
			#define GUEST_EXPORT(name) Z_guestZ_##name
			#define GUEST_IMPORT(name) Z_wfZ_##name
			#define GUEST_IMPORTS Z_wf_instance_t
			#define GUEST_STACK_POINTER w2c___stack_pointer
			#define GUEST_PAGES uint32_t
			#define GUEST_GROWN uint32_t
			#define GUEST_MEMORY_ARGUMENTS
			#define GUEST_SET_MEMORY(memory) ((void) 0)
		END
	else
		cat <<-'END'
			#define WASM_RT_USE_MMAP 0
			#define WASM_RT_MEMCHECK_BOUNDS_CHECK 1
			#define WASM_RT_NONCONFORMING_UNCHECKED_STACK_EXHAUSTION 1
			#define GUEST_INSTANCE w2c_guest
			#define GUEST_INSTANTIATE(guest) wasm2c_guest_instantiate(guest, NULL)
			#define GUEST_INITIALIZE w2c_guest_0x5Finitialize
			#define GUEST_EXPORT(name) w2c_guest_##name
			#define GUEST_IMPORT(name) w2c_wf_##name
			#define GUEST_IMPORTS w2c_wf
			#define GUEST_STACK_POINTER w2c_0x5F_stack_pointer
			#define GUEST_PAGES uint64_t
			#define GUEST_GROWN uint64_t
		END
		if [ $generation = 2 ]; then
			echo '#define GUEST_MEMORY_ARGUMENTS , bool is64'
			echo '#define GUEST_SET_MEMORY(memory) ((void) is64)'
		else
			echo '#define GUEST_MEMORY_ARGUMENTS , bool is64, uint32_t page_size'
			echo '#define GUEST_SET_MEMORY(memory) ((void) is64, (memory)->page_size = page_size)'
		fi
	fi
} >"$to/names.h"

# Its own count of calls is switched off; in its place each function looks at how deep the stack is.
[ "$(grep -c '^#define FUNC_PROLOGUE$' "$to/guest.new.c")" = 1 ] || die "this wasm2c has no place for the look at the stack"
{
	echo '#include "names.h"'
	echo 'extern char *wf_wall_stack_limit __attribute__((visibility("hidden")));'
	sed -E 's/^#define FUNC_PROLOGUE$/#define FUNC_PROLOGUE \\\n  if (UNLIKELY((char *) __builtin_frame_address(0) < wf_wall_stack_limit)) TRAP(EXHAUSTION);/; s/"guest\.new\.h"/"guest.h"/' \
		"$to/guest.new.c"
} >"$to/guest.c"
rm "$to/guest.new.c"
