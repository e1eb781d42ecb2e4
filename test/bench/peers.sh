# peers.sh: what the durable runtime is compared with, from the npm registry; sourced by runtime.sh. Versions are
# pinned by peers/package-lock.json; they are installed below build/. Without a network, or on a machine that has no
# node of the version they want, they are "not measured", and the rest of the bench goes on.

PEERS=$ROOT/build/peers

# install_peers: gives 1, having said why, when they are not to be had.
install_peers()
{
	mkdir -p "$PEERS"
	cp test/bench/peers/{package.json,package-lock.json,.npmrc} test/bench/peers/*.mjs "$PEERS/" || return 1
	NODE=$PEERS/node_modules/.bin/node
	cmp -s "$PEERS/package-lock.json" "$PEERS/installed" && [ -x "$NODE" ] && return 0
	command -v npm >/dev/null || bash test/run/deps.sh peers || { say "no npm: peers are not measured"; return 1; }
	(cd "$PEERS" && npm ci --no-audit --no-fund >npm.log 2>&1) || { tail -n 5 "$PEERS/npm.log"; say "could not install the peers: they are not measured"; return 1; }
	[ -x "$NODE" ] && "$NODE" --version >/dev/null || { say "no node 22 for this machine: peers are not measured"; return 1; }
	cp "$PEERS/package-lock.json" "$PEERS/installed"
}

# peer <name> <one|five> <n> <processes>: prints "seconds-of-queueing seconds-of-executing"; in a new database.
peer()
{
	local status=0
	[ "$1" != absurd ] || [ -n "${ABSURD_SQL:-}" ] || return 1
	"$PRIVATE_BIN/dropdb" --if-exists --force peer >/dev/null 2>&1
	"$PRIVATE_BIN/createdb" peer || return 1
	(cd "$PEERS" && PEER_DATABASE=peer "$NODE" --no-deprecation drive.mjs "$@" 2>"$WORK/peer.log" | tail -1) | grep -E '^[0-9.]+ [0-9.]+$' || status=1
	[ $status = 0 ] || tail -n 3 "$WORK/peer.log" >&2
	"$PRIVATE_BIN/dropdb" --force peer >/dev/null 2>&1
	return $status
}
