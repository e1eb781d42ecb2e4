#!/bin/bash
# installcheck.sh: the regression and isolation tests against an installed server, which the usual
# environment variables name (PGHOST, PGPORT, PGUSER; a superuser is needed). Each file has a database
# of its own, dropped when it passed. Tests of functions that only WF_TESTING=1 compiles are left out, and
# those that need workers where the server has not preloaded the library.
cd "$(dirname "$0")/../.." || exit 1
config=${PG_CONFIG:-pg_config}
pgxs=$(dirname "$(dirname "$("$config" --pgxs)")")
out=build/installcheck
passed=0
failed=0
rm -rf "$out"
mkdir -p "$out"
ln -s "$PWD/test/sql" "$out/sql"
ln -s "$PWD/expected" "$out/expected"
ln -s "$PWD/test/lib" "$out/lib"
workers=$("$("$config" --bindir)/psql" -X -A -t -d postgres -c "SELECT current_setting('shared_preload_libraries') ~ 'workflow'") || exit 1

# try <name> <program> <arguments>
try()
{
	local name=$1
	shift
	if "$@" --bindir="$("$config" --bindir)" --outputdir="$out/$name" --dbname="workflow_$name" \
		--max-connections=1 "$name" >"$out/$name.log" 2>&1 </dev/null; then
		passed=$((passed + 1))
		echo "ok      $name"
		"$("$config" --bindir)/dropdb" --if-exists "workflow_$name" >/dev/null 2>&1
	else
		failed=$((failed + 1))
		echo "FAILED  $name: see $out/$name.log and $out/$name/"
	fi
}

for file in test/sql/*.sql; do
	[ -f "$file" ] || continue
	[ "$workers" = t ] || [[ $file != */runtime_* ]] || continue
	grep -q wf_sql_test_ "$file" $(sed -nE 's,^\\(i|set lib).*[ /]([a-z_]+\.psql).*,test/lib/\2,p' "$file") && continue
	mkdir -p "$out/$(basename "$file" .sql)"
	try "$(basename "$file" .sql)" "$pgxs/test/regress/pg_regress" --inputdir="$out"
done
for file in test/isolation/specs/*.spec; do
	[ -f "$file" ] || continue
	grep -q wf_sql_test_ "$file" && continue
	mkdir -p "$out/$(basename "$file" .spec)"
	try "$(basename "$file" .spec)" "$pgxs/test/isolation/pg_isolation_regress" --inputdir="$PWD/test/isolation"
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
