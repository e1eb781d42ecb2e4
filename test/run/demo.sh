#!/bin/bash
# demo.sh: builds, starts the private cluster of the demonstration, makes the database "demo" in it,
# and runs docs/examples/demo.sql and waiting.sql there (or docs/examples/demo.sh, with the connection in PG*).
# The cluster goes on running; its data are as durable as a server's defaults make them.
. "$(dirname "$0")/lib.sh"

bash test/run/deps.sh build demo || exit 1
need_postgres
use_flavour demo
[ -f docs/examples/demo.sql ] || [ -f docs/examples/demo.sh ] || die "docs/examples has no demonstration"

say "building with $("$PG_CONFIG" --version)"
build_library plain || die "could not build"
install_extension "$LIBRARY"
# A library that was loaded before stays loaded until the server starts again.
cluster_running && cluster_stop
demo_settings
cluster_start "${DEMO_SETTINGS[@]}" || exit 1
"$PRIVATE_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d postgres -c "DROP DATABASE IF EXISTS demo WITH (FORCE)" \
	-c "CREATE DATABASE demo" 2>&1 | grep -v 'does not exist, skipping'
"$PRIVATE_BIN/psql" -X -q -v ON_ERROR_STOP=1 -d demo -c "CREATE EXTENSION workflow" || die "could not create the extension"

export PGDATABASE=demo
if [ -f docs/examples/demo.sh ]; then
	PATH="$PRIVATE_BIN:$PATH" bash docs/examples/demo.sh
else
	(cd docs/examples && PATH="$PRIVATE_BIN:$PATH" "$PRIVATE_BIN/psql" -X -q -P pager=off -v ON_ERROR_STOP=1 -v crash=1 \
		-f demo.sql -f waiting.sql)
fi || die "the demonstration failed"

say ""
say "The cluster is still running (make stop ends it). For a prompt in it, make psql, or:"
say "  ${PRIVATE_BIN#"$ROOT/"}/psql -h $PGHOST -U postgres demo"
