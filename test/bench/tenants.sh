# tenants.sh: what row-level security and rights cost a member, with 1, 1,000 and 100,000 tenants, against a superuser who asks the tables
# for the tenant by its id. Sourced by run.sh.
bench_cluster bench "autovacuum = off" "jit = off" "synchronous_commit = off"
sql -c "SET client_min_messages = warning" -f test/bench/tenants.sql >/dev/null
say "tenants: $ROUNDS rounds of $SECONDS_EACH s, medians in us; a tenant has 1,000 runs, each of the others 10"

# latency_as <role> <script>
latency_as()
{
	"$PRIVATE_BIN/pgbench" -n -M prepared -U "$1" -f "$WORK/$2.sql" -c 1 -T "$SECONDS_EACH" bench 2>&1 |
		awk '/^latency average/ { printf "%.1f\n", $4 * 1000; found = 1 } END { exit !found }' || die "pgbench failed on $2 as $1"
}

cat >"$WORK/count.sql" <<<'SELECT count(*) FROM :runs;'
cat >"$WORK/by_id.sql" <<<"SELECT status, output FROM :runs WHERE run_id = ':id';"
cat >"$WORK/newest.sql" <<<'SELECT run_id, workflow, status, started_at FROM :runs ORDER BY run_id DESC LIMIT 50;'
cat >"$WORK/run.sql" <<<"SELECT wf_run('noop');"
for kind in count by_id newest; do
	id=$(sql -c "SELECT run_id FROM wf.run WHERE tenant_id = bench.tenant(1) ORDER BY run_id OFFSET 500 LIMIT 1")
	sed "s/:runs/wf_runs/; s/:id/$id/" "$WORK/$kind.sql" >"$WORK/${kind}_view.sql"
	sed "s/:runs/bench.runs/; s/:id/$id/" "$WORK/$kind.sql" >"$WORK/${kind}_table.sql"
done

say ""
printf '  %-9s %-8s %12s %12s %10s\n' tenants what member superuser ratio
for n in 1 1000 100000; do
	n=$(scaled "$n")
	sql -c "CALL bench.more($n)" >/dev/null
	sql -c "ANALYZE" -c "CHECKPOINT"
	rm -f "$WORK"/*.us
	for ((round = 0; round < ROUNDS; round++)); do
		for kind in $(shuf -e count by_id newest); do
			latency_as bench_member "${kind}_view" >>"$WORK/$kind.member.us"
			latency_as postgres "${kind}_table" >>"$WORK/$kind.super.us"
		done
	done
	for ((round = 0; round < ROUNDS; round++)); do
		latency_as bench_member run >>"$WORK/run.member.us"
		PGOPTIONS="-c workflow.tenant=tenant1" latency_as postgres run >>"$WORK/run.super.us"
	done
	# what these left is not to be counted with more tenants
	sql -c "DELETE FROM wf.run r USING wf.workflow w WHERE w.tenant_id = r.tenant_id AND w.workflow_id = r.workflow_id AND w.name = 'noop'" -c "TRUNCATE wf.segment" -c "VACUUM wf.run"
	for kind in count by_id newest run; do
		awk -v n="$n" -v k="$kind" -v m="$(median "$WORK/$kind.member.us")" -v s="$(median "$WORK/$kind.super.us")" \
			'BEGIN { printf "  %-9d %-8s %12.1f %12.1f %10.2f\n", n, k, m, s, m / s }'
	done
done
say ""
say "what a policy costs a row that no index has found, and a statement"
PGUSER=bench_member sql -c "SELECT * FROM bench.policy($ROUNDS)" | awk -F'|' '{ printf "  %-46s %10.3f us\n", $1, $2 }'
