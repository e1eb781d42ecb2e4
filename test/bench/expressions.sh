# expressions.sh: microseconds an evaluation. Sourced by run.sh.
TESTING=1 bench_cluster bench "autovacuum = off"
say ""
say "expressions"
sql -c "SET client_min_messages = warning" -c "CREATE EXTENSION workflow"
sql -f test/bench/expressions.sql
