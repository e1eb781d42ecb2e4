#!/bin/bash
# cluster.sh <flavour> start|stop|restart|psql|where [arguments of psql]: a private cluster by hand.
# cluster.sh all stop|remove: every cluster of this tree.
. "$(dirname "$0")/lib.sh"

flavour=${1:?a flavour, such as demo or check}
command=${2:?start, stop, restart, psql or where}
shift 2
PG_CONFIG=$(find_pg_config)
[ -n "$PG_CONFIG" ] || [ "$flavour" != all ] || exit 0
need_postgres

if [ "$flavour" = all ]; then
	[ "$command" = stop ] || [ "$command" = remove ] || die "only stop and remove take all flavours"
	for dir in "$BASE"/*/data; do
		[ -d "$dir" ] || continue
		use_flavour "$(basename "$(dirname "$dir")")"
		cluster_running && cluster_stop && say "stopped the cluster in $DATA"
		[ "$command" = stop ] || [ "${SOCKET#/tmp/wf-}" = "$SOCKET" ] || rm -rf "$SOCKET"
	done
	[ "$command" = stop ] || rm -rf "$BASE"
	exit 0
fi

use_flavour "$flavour"
demo_settings
case $command in
	start)
		cluster_running || cluster_start "${DEMO_SETTINGS[@]}"
		;;
	stop)
		cluster_running && cluster_stop
		;;
	restart)
		cluster_running && cluster_stop
		cluster_start "${DEMO_SETTINGS[@]}"
		;;
	psql)
		[ -d "$DATA" ] || die "there is no cluster in $DATA yet: run \"make $flavour\""
		cluster_running || cluster_start "${DEMO_SETTINGS[@]}"
		[ $# -gt 0 ] || [ "$flavour" != demo ] || set -- -d demo
		exec "$PRIVATE_BIN/psql" "$@"
		;;
	where)
		say "$SOCKET"
		;;
	*)
		die "unknown command \"$command\""
		;;
esac
