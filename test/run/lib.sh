# lib.sh: what every script in test/run/ shares: where things are, which PostgreSQL is used, and a
# private installation and cluster of it. Sourced by bash; README.md in this folder explains.
#
# A private installation is a copy of the server's programs beside folders of symbolic links to its
# libraries and shared files. PostgreSQL finds its other folders relative to the program that runs,
# so workflow.so and the extension's scripts are installed in the copy and nowhere else. Copies are
# per flavour (check, demo, asan, ...), each with its own cluster, on a Unix socket only.

set -u
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$ROOT" || exit 1

# LANG too: the modules of PostgreSQL's own tests take LC_ALL away.
export LC_ALL=C.UTF-8 LANG=C.UTF-8
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES GNUMAKEFLAGS
for name in "${!PG@}"; do
	[ "$name" = PG_CONFIG ] || [ "$name" = PGVERSION ] || unset "$name"
done

say()
{
	printf '%s\n' "$*"
}

die()
{
	printf '%s\n' "$*" >&2
	exit 1
}

# The pg_config to use: PG_CONFIG when given; else that of the newest complete installation of
# PostgreSQL 15 or later (of PGVERSION when given) in Debian's layout. Prints nothing when none.
find_pg_config()
{
	if [ -n "${PG_CONFIG:-}" ]; then
		command -v "$PG_CONFIG"
		return
	fi
	local dir version best=
	for dir in /usr/lib/postgresql/*; do
		version=${dir##*/}
		[ -x "$dir/bin/pg_config" ] && [ -x "$dir/bin/postgres" ] || continue
		[ -f "$dir/lib/pgxs/src/makefiles/pgxs.mk" ] || continue
		[ -z "${PGVERSION:-}" ] || [ "$version" = "$PGVERSION" ] || continue
		[ "$version" -ge 15 ] && [ "$version" -gt "${best:-0}" ] && best=$version
	done
	[ -n "$best" ] && say "/usr/lib/postgresql/$best/bin/pg_config"
}

# Sets PG_CONFIG and what follows from it.
need_postgres()
{
	PG_CONFIG=$(find_pg_config)
	[ -n "$PG_CONFIG" ] || die "no PostgreSQL 15 or later with its development files was found: run \"make deps\" or set PG_CONFIG"
	export PG_CONFIG
	BINDIR=$("$PG_CONFIG" --bindir)
	LIBDIR=$("$PG_CONFIG" --pkglibdir)
	SHAREDIR=$("$PG_CONFIG" --sharedir)
	PGXSDIR=$(dirname "$(dirname "$("$PG_CONFIG" --pgxs)")")
	[ -x "$BINDIR/postgres" ] || die "$BINDIR has no server programs: install the server's package"
	PGMAJOR=$("$PG_CONFIG" --version | sed -E 's/^[^0-9]*([0-9]+).*/\1/')
	[ "$PGMAJOR" -ge 15 ] || die "$PG_CONFIG is of PostgreSQL $PGMAJOR; workflow needs 15 or later"
	export PGMAJOR
	choose_user
	choose_base
}

# PostgreSQL does not run as root: when we are root the server runs as postgres, else as nobody.
choose_user()
{
	SERVER_USER=
	SERVER_PREFIX=()
	[ "$(id -u)" = 0 ] || return 0
	SERVER_USER=nobody
	id postgres >/dev/null 2>&1 && SERVER_USER=postgres
	SERVER_PREFIX=(setpriv --reuid="$SERVER_USER" --regid="$(id -g "$SERVER_USER")" --init-groups
		env HOME=/tmp USER="$SERVER_USER" LOGNAME="$SERVER_USER")
}

# Runs a command as the user of the server.
as_server()
{
	${SERVER_PREFIX[@]+"${SERVER_PREFIX[@]}"} "$@"
}

# BASE: the folder of all flavours. Below build/ unless the server's user cannot get there.
choose_base()
{
	BASE=$ROOT/build/pg
	mkdir -p "$BASE" || die "could not create $BASE"
	if [ -n "$SERVER_USER" ] && ! as_server test -x "$BASE"; then
		BASE=/tmp/workflow-$(printf %s "$ROOT" | cksum | cut -d' ' -f1)
		mkdir -p -m 755 "$BASE" || die "could not create $BASE"
		[ -O "$BASE" ] && [ ! -L "$BASE" ] || die "$BASE belongs to somebody else"
		say "the user $SERVER_USER cannot enter $ROOT: the cluster is in $BASE"
	fi
}

# use_flavour <name>: sets the folders and the connection of one flavour.
use_flavour()
{
	FLAVOUR=$1
	HERE=$BASE/$FLAVOUR
	PRIVATE=$HERE/root
	PRIVATE_BIN=$PRIVATE$BINDIR
	DATA=$HERE/data
	SOCKET=$HERE/socket
	# A socket's path has at most 107 bytes.
	if [ ${#SOCKET} -gt 80 ]; then
		SOCKET=/tmp/wf-$(printf %s "$HERE" | cksum | cut -d' ' -f1)
	fi
	export PGHOST=$SOCKET PGPORT=5432 PGUSER=postgres
	mkdir -p "$HERE"
}

# Makes or refreshes the private installation of the flavour in use.
make_installation()
{
	local program mark
	mark="$("$BINDIR/postgres" --version) $(stat -c %Y "$BINDIR/postgres")"
	if [ "$mark" != "$(cat "$HERE/mark" 2>/dev/null)" ]; then
		cluster_running && cluster_stop
		rm -rf "$PRIVATE" "$DATA"
		mkdir -p "$PRIVATE_BIN"
		for program in "$BINDIR"/{postgres,postmaster,initdb,psql,pgbench,pg_*,vacuumdb,reindexdb,clusterdb,createdb,createuser,dropdb,dropuser}; do
			[ -f "$program" ] && cp "$program" "$PRIVATE_BIN/"
		done
		say "$mark" >"$HERE/mark"
	fi
	link_folder "$LIBDIR"
	link_folder "$SHAREDIR"
	if [ -L "$PRIVATE$SHAREDIR/extension" ]; then
		rm "$PRIVATE$SHAREDIR/extension"
	fi
	link_folder "$SHAREDIR/extension"
}

# Fills the private twin of a folder with links to what the folder holds; drops links that dangle.
link_folder()
{
	local twin=$PRIVATE$1 entry
	local links=()
	mkdir -p "$twin"
	find "$twin" -maxdepth 1 -xtype l -delete
	for entry in "$1"/*; do
		case ${entry##*/} in
			workflow.so | workflow.control | workflow--*) ;;
			extension) ;;
			*) [ -e "$twin/${entry##*/}" ] || links+=("$entry") ;;
		esac
	done
	[ ${#links[@]} -eq 0 ] || ln -s "${links[@]}" "$twin/"
}

# install_extension <library>: puts the library and the scripts into the private installation.
install_extension()
{
	make_installation
	rm -f "$PRIVATE$SHAREDIR"/extension/workflow--*.sql
	cp workflow.control sql/workflow--*.sql "$PRIVATE$SHAREDIR/extension/" || die "could not install the extension's script"
	# By renaming: a running server keeps the file that it has mapped.
	cp "$1" "$PRIVATE$LIBDIR/workflow.so.new" && chmod 755 "$PRIVATE$LIBDIR/workflow.so.new" &&
		mv -f "$PRIVATE$LIBDIR/workflow.so.new" "$PRIVATE$LIBDIR/workflow.so" || die "could not install $1"
	chmod -R a+rX "$PRIVATE$SHAREDIR/extension"
}

cluster_running()
{
	[ -f "$DATA/postmaster.pid" ] && as_server "$PRIVATE_BIN/pg_ctl" -D "$DATA" status >/dev/null 2>&1
}

# cluster_start [setting ...]: starts the cluster, which is made when missing, with these lines of
# configuration; SERVER_ENV (an array) is added to the server's environment. Gives 1, and says why,
# when it does not start.
cluster_start()
{
	[ -n "$SERVER_USER" ] && chown "$SERVER_USER" "$HERE"
	mkdir -p -m 700 "$SOCKET"
	[ -O "$SOCKET" ] || [ "$(stat -c %U "$SOCKET")" = "$SERVER_USER" ] || die "$SOCKET belongs to somebody else"
	[ -n "$SERVER_USER" ] && chown "$SERVER_USER" "$SOCKET"
	if [ ! -f "$DATA/PG_VERSION" ]; then
		rm -rf "$DATA"
		as_server "$PRIVATE_BIN/initdb" -D "$DATA" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
			>"$HERE/initdb.log" 2>&1 ||
			{ cat "$HERE/initdb.log"; say "could not make the cluster in $DATA"; return 1; }
		say "include = 'private.conf'" >>"$DATA/postgresql.conf"
	fi
	# A master key for secrets, the same as long as the flavour's folder is there.
	if [ ! -f "$HERE/master.key" ]; then
		(umask 077 && od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$HERE/master.key")
		[ -n "$SERVER_USER" ] && chown "$SERVER_USER" "$HERE/master.key"
	fi
	cat >"$DATA/private.conf" <<-END
		listen_addresses = ''
		unix_socket_directories = '$SOCKET'
		unix_socket_permissions = 0700
		max_prepared_transactions = 20
		log_min_messages = warning
		log_line_prefix = '%m [%p] %a %d '
		lc_messages = 'C'
		timezone = 'UTC'
		log_timezone = 'UTC'
		workflow.master_key_file = '$HERE/master.key'
	END
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$DATA/private.conf"
	chmod 644 "$DATA/private.conf"
	: >>"$HERE/log"
	[ -n "$SERVER_USER" ] && chown "$SERVER_USER" "$HERE/log"
	as_server env ${SERVER_ENV[@]+"${SERVER_ENV[@]}"} "$PRIVATE_BIN/pg_ctl" -D "$DATA" -l "$HERE/log" -w -t "${START_SECONDS:-60}" start \
		>"$HERE/start.log" 2>&1 </dev/null ||
		{ tail -n 20 "$HERE/log"; say "could not start the cluster in $DATA"; return 1; }
}

# The libraries of a cluster to look around in: pg_cron too, where it is installed. Its jobs are of the database "demo".
demo_settings()
{
	DEMO_SETTINGS=("shared_preload_libraries = 'workflow'")
	[ -e "$LIBDIR/pg_cron.so" ] || return 0
	DEMO_SETTINGS=("shared_preload_libraries = 'workflow,pg_cron'" "cron.database_name = 'demo'" "cron.use_background_workers = on")
}

cluster_stop()
{
	as_server "$PRIVATE_BIN/pg_ctl" -D "$DATA" -m fast -w -t "${STOP_SECONDS:-60}" stop >/dev/null 2>&1
}

# What a cluster for tests has besides: speed before durability, as it is made anew each time.
TEST_SETTINGS=("fsync = off" "synchronous_commit = off" "full_page_writes = off" "max_wal_size = 2GB")

# build_library <flavour> <variables of make ...>: prints nothing but errors; sets LIBRARY.
build_library()
{
	local objdir=build/obj/$1
	shift
	LIBRARY=$objdir/workflow.so
	[ "$objdir" = build/obj/plain ] && LIBRARY=workflow.so
	make -s -j"${JOBS:-2}" OBJDIR="$objdir" "$@" all
}
