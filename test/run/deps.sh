#!/bin/bash
# deps.sh <purpose ...>: installs what is missing, with apt, on Debian or Ubuntu. Purposes: build,
# check, demo, memory (sanitizers), roots (check-all), peers (of the bench), web (a server for the bench). Does nothing, and needs no rights, when all is there.
#
# The major version of PostgreSQL is that of PG_CONFIG or PGVERSION when given, else the newest one
# installed, else the distribution's own. No cluster is made by installing the server: Debian's
# postgresql-common is told so for as long as apt runs.
. "$(dirname "$0")/lib.sh"

installed()
{
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

available()
{
	local candidate
	candidate=$(apt-cache policy "$1" 2>/dev/null | sed -n 's/^ *Candidate: *//p')
	[ -n "$candidate" ] && [ "$candidate" != "(none)" ]
}

as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "these packages are missing and neither root nor sudo is at hand: ${missing[*]}"
	fi
}

apt()
{
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 "$@"
}

command -v apt-get >/dev/null || {
	[ -n "$(find_pg_config)" ] && exit 0
	die "this is no Debian or Ubuntu: install PostgreSQL 15 or later with its development files, gcc, make, PCRE2, OpenSSL and libcurl by hand and set PG_CONFIG"
}

# Which PostgreSQL: sets version, empty when PG_CONFIG is not of a package.
updated=
choose_version()
{
	local config
	config=$(find_pg_config)
	version=${PGVERSION:-}
	if [ -n "$config" ]; then
		version=$("$config" --bindir | sed -nE 's,^/usr/lib/postgresql/([0-9]+)/bin$,\1,p')
		return
	fi
	[ -z "${PG_CONFIG:-}" ] || die "PG_CONFIG leads nowhere: $PG_CONFIG"
	[ -z "$version" ] || return
	if ! available postgresql; then
		apt update || exit 1
		updated=yes
	fi
	version=$(apt-cache policy postgresql | sed -nE 's/^ *Candidate: *([0-9]+).*/\1/p')
	[ "${version:-0}" -ge 15 ] || die "this distribution has PostgreSQL ${version:-none}; workflow needs 15 or later: add the repository of apt.postgresql.org and set PGVERSION"
}

# The major version of clang, installed or to be: its sanitizers and libFuzzer are a package of their own.
clang_major()
{
	if command -v clang >/dev/null; then
		clang -dumpversion
	else
		apt-cache depends clang 2>/dev/null | sed -nE 's/^ *Depends: clang-([0-9]+)$/\1/p'
	fi | sed -nE '1s/^([0-9]+).*/\1/p'
}

update_for_clang()
{
	if [ -z "$(clang_major)" ] && [ -z "$updated" ]; then
		apt update || exit 1
		updated=yes
	fi
}

missing=()
choose_version

# Wanted packages, and those that a PostgreSQL version may lack in a distribution.
wanted=(gcc libc6-dev make libpcre2-dev libssl-dev libcurl4-openssl-dev)
# JavaScript is compiled to WebAssembly and back (src/sandbox/README.md).
if [ -z "${WITHOUT_SANDBOX:-}" ]; then
	update_for_clang
	wanted+=(clang lld wabt wasi-libc "libclang-rt-$(clang_major)-dev-wasm32" binutils xz-utils)
fi
[ -z "$version" ] || wanted+=("postgresql-$version" "postgresql-server-dev-$version")
optional=()
for purpose in "$@"; do
	case $purpose in
		build) ;;
		demo) [ -z "$version" ] || optional+=("postgresql-$version-cron") ;;
		check)
			wanted+=(perl libipc-run-perl clang nodejs nginx-light)
			optional+=(python3-psycopg2 python3-aiosmtpd)
			[ "${WF_TIDY:-yes}" = no ] || wanted+=(clang-tidy)
			[ "${WF_CPPCHECK:-yes}" = no ] || wanted+=(cppcheck)
			update_for_clang
			wanted+=("libclang-rt-$(clang_major)-dev")
			[ -z "$version" ] || optional+=("postgresql-$version-pgtap" "postgresql-$version-cron")
			;;
		memory) wanted+=(valgrind) ;;
		web) wanted+=(nginx-light curl nodejs) ;;
		peers) wanted+=(npm) ;;
		roots) wanted+=(debootstrap) ;;
		*) die "unknown purpose \"$purpose\"" ;;
	esac
done

for package in "${wanted[@]}" ${optional[@]+"${optional[@]}"}; do
	installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

# An optional package that no repository has is left out; the others must be there.
for package in "${missing[@]}"; do
	available "$package" && continue
	[[ " ${optional[*]-} " == *" $package "* ]] && compgen -G "/var/lib/apt/lists/*Packages*" >/dev/null && continue
	if [ -z "$updated" ]; then
		apt update || exit 1
		updated=yes
	fi
done
chosen=()
for package in "${missing[@]}"; do
	if available "$package"; then
		chosen+=("$package")
	elif [[ " ${optional[*]-} " != *" $package "* ]]; then
		die "no repository of this machine has the package $package"
	fi
done
[ ${#chosen[@]} -gt 0 ] || exit 0
if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null && [[ " ${optional[*]-} " == *" ${chosen[0]} "* ]]; then
	say "not installed, and left out of the tests: ${chosen[*]}"
	exit 0
fi

say "installing ${chosen[*]}"
note=/etc/postgresql-common/createcluster.d/workflow.conf
as_root sh -c "mkdir -p ${note%/*} && echo 'create_main_cluster = false' > $note" || exit 1
trap 'as_root rm -f $note' EXIT
# Nor is a web server started that comes along.
rules=/usr/sbin/policy-rc.d
if [[ " ${chosen[*]} " == *" nginx-light "* ]] && [ ! -e $rules ]; then
	as_root sh -c "printf '#!/bin/sh\nexit 101\n' >$rules && chmod 755 $rules" || exit 1
	trap 'as_root rm -f $note $rules' EXIT
fi
apt install --no-install-recommends "${chosen[@]}" || {
	[ -z "$updated" ] && apt update && apt install --no-install-recommends "${chosen[@]}"
} || die "could not install ${chosen[*]}"
