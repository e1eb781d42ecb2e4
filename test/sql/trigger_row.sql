-- trigger.row: workflows that changes of a table start
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE orders (id int PRIMARY KEY, status text NOT NULL DEFAULT 'new', total numeric(10,2), note text);
CREATE TABLE audit (what text, id int, note text);

-- sync: in the writer's transaction
SELECT wf_save('check_total', '{"nodes": [
	{"id": "changed", "type": "trigger.row", "config": {"table": "orders", "events": ["insert", "update"], "mode": "sync"}},
	{"id": "ok", "type": "if", "config": {"condition": "$trigger.new.total >= 0"}},
	{"id": "audit", "type": "db.create", "config": {"table": "audit", "values": {"what": "{{ $trigger.op }}", "id": "{{ $trigger.new.id }}"}}},
	{"id": "refuse", "type": "fail", "config": {"code": "NEGATIVE", "message": "order {{ $trigger.new.id }} has a total of {{ $trigger.new.total }}"}}],
	"edges": [{"source": "changed", "target": "ok"}, {"source": "ok", "sourceHandle": "true", "target": "audit"},
	{"source": "ok", "sourceHandle": "false", "target": "refuse"}]}');
INSERT INTO orders VALUES (1, 'new', 10);
UPDATE orders SET total = 20 WHERE id = 1;
SELECT * FROM audit;
SELECT workflow, trigger, status, output, input FROM wf_runs ORDER BY run_id;
\set VERBOSITY terse
INSERT INTO orders VALUES (2, 'new', -1);
\set VERBOSITY default
SELECT id FROM orders;
SELECT workflow, node, type, state, target, problem FROM wf_triggers;
