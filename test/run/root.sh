#!/bin/bash
# root.sh <suite> [goal and variables of make]: a Debian of its own made with debootstrap, in which a
# copy of this tree runs "make check", or what is given. Needs root. The root is kept in WF_ROOTS
# (default build/roots) and used again.
#
# It takes its packages from where this machine takes its own: the mirror is the one of the host's
# release in apt's sources (or WF_MIRROR), and apt's settings for proxies and the like are copied.
# /proc is mounted before the first package is installed, as their scripts need it.
. "$(dirname "$0")/lib.sh"

suite=${1:?a suite of Debian, such as trixie}
shift
[ $# -gt 0 ] || set -- check
[ "$(id -u)" = 0 ] || die "making a root needs root"
roots=${WF_ROOTS:-$ROOT/build/roots}
mkdir -p "$roots" || exit 1
root=$(cd "$roots" && pwd -P)/$suite

# The first mirror of the host's own release, from sources of either style.
host_mirror()
{
	local codename
	codename=$(. /etc/os-release && say "${VERSION_CODENAME:-}")
	[ "$(. /etc/os-release && say "$ID")" = debian ] || return
	cat /etc/apt/sources.list.d/*.sources 2>/dev/null | awk -v suite="$codename" '
		/^URIs:/ { uri = $2 }
		/^Suites:/ { for (i = 2; i <= NF; i++) if ($i == suite) ours = 1 }
		/^Enabled: *no/ { off = 1 }
		/^$/ || /^Types:/ { if (ours && uri != "" && !off) { print uri; exit } if (/^$/) { ours = off = 0; uri = "" } }
		END { if (ours && uri != "" && !off) print uri }' | head -1 | grep . && return
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -E 's/\[[^]]*\]//' |
		awk -v suite="$codename" '$1 == "deb" && $3 == suite { print $2; exit }'
}

mounted()
{
	grep -q " $root/$1 " /proc/mounts
}

leave()
{
	local place
	for place in dev/shm proc; do
		mounted "$place" && umount "$root/$place"
	done
}
trap leave EXIT
trap 'exit 130' INT TERM

enter()
{
	mkdir -p "$root/proc" "$root/dev/shm"
	mounted proc || mount -t proc proc "$root/proc" || die "could not mount $root/proc"
	mounted dev/shm || mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm" || die "could not mount $root/dev/shm"
}

inside()
{
	chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@" </dev/null
}

make_root()
{
	local mirror proxy
	mirror=${WF_MIRROR:-$(host_mirror)}
	[ -n "$mirror" ] || die "apt's sources name no mirror of Debian: set WF_MIRROR"
	bash test/run/deps.sh roots || exit 1
	proxy=$(apt-config shell p Acquire::http::Proxy | sed -E "s/^p='(.*)'$/\1/")
	say "making a root of Debian $suite in $root"
	rm -rf "$root"
	env ${proxy:+http_proxy="$proxy" https_proxy="$proxy"} \
		debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >"$roots/$suite.log" 2>&1 ||
		{ tail -n 20 "$roots/$suite.log"; die "could not make the root: see $roots/$suite.log"; }

	apt-config dump --format '%f "%v";%n' Acquire | grep -E '^Acquire::(https?::|Retries|Check-)' |
		grep -v -E 'Proxy-Auto-Detect|"";$' >"$root/etc/apt/apt.conf.d/90host"
	say 'Acquire::Check-Valid-Until "false";' >>"$root/etc/apt/apt.conf.d/90host"
	cp -r /etc/apt/auth.conf* "$root/etc/apt/" 2>/dev/null
	[ ! -f /etc/ssl/certs/ca-certificates.crt ] ||
		cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
	# No service starts in here.
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	touch "$root/.made"
}

[ -f "$root/.made" ] || make_root
cp -L /etc/resolv.conf /etc/hosts "$root/etc/" 2>/dev/null
enter
[ -x "$root/usr/bin/make" ] || {
	inside sh -c 'apt-get -q update && apt-get -q -y install --no-install-recommends make' >>"$roots/$suite.log" 2>&1 ||
		{ tail -n 20 "$roots/$suite.log"; die "could not install make in the root"; }
}

# The tree anew, but what was built there before.
mkdir -p "$root/workflow"
find "$root/workflow" -mindepth 1 -maxdepth 1 ! -name build -exec rm -rf {} +
tar -c --exclude=./build --exclude=./.git --exclude='*.o' --exclude='*.so' . | tar -x -C "$root/workflow" --no-same-owner || exit 1

# What depends on the version of a tool, not of PostgreSQL, was checked on the host.
inside WF_TIDY=no WF_CPPCHECK=no JOBS="${JOBS:-2}" make -C /workflow --no-print-directory "$@"
