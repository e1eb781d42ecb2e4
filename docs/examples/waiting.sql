-- waiting.sql: the second part of the demonstration: runs that wait. It needs the shop (shop.sql), a server with
-- workflow in shared_preload_libraries, and goes on in the same psql:
--     cd docs/examples && psql -X -q -f demo.sql -f waiting.sql
-- With -v crash=1 it kills a worker with SIGKILL, so psql must be run as the server's user or root: "make demo" does.

\set ON_ERROR_STOP on
\pset pager off
\pset footer off
SET client_min_messages = warning;

-- Bookkeeping, which does not answer at first when it is asked for Y-1: not before two attempts are in the journal.
CREATE TABLE bookings (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, reference text NOT NULL UNIQUE, amount numeric(12,2) NOT NULL);
CREATE FUNCTION book_transfer(reference text, amount numeric) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	booking int;
BEGIN
	INSERT INTO bookings (reference, amount) VALUES (reference, amount) RETURNING id INTO booking;
	IF reference = 'Y-1' AND (SELECT count(*) < 2 FROM wf_steps WHERE node = 'book' AND status = 'retrying') THEN
		RAISE EXCEPTION 'bookkeeping does not answer' USING ERRCODE = '08006';
	END IF;
	RETURN booking;
END
$$;
-- Waits until a query gives true.
CREATE PROCEDURE until(query text) LANGUAGE plpgsql AS $$
DECLARE
	reached bool;
BEGIN
	FOR i IN 1 .. 3000
	LOOP
		EXECUTE query INTO reached;
		EXIT WHEN reached;
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;

\set definition `cat order-on-account.json`
SELECT wf_save('order-on-account', :'definition', '{"description": "an order that is paid later"}') AS version,
	   jsonb_array_length(:'definition'::jsonb -> 'nodes') AS nodes \gset
CREATE TABLE stock_before AS SELECT sku, on_hand FROM inventory;

\qecho '9. ORDERS THAT WAIT: another workflow, of' :nodes 'nodes, from docs/examples/order-on-account.json:'
\qecho
\qecho '   take --> order --> large -- false ------------------> paid --------> book ---------> done'
\qecho '     :        :         | true                           (transfer,     (8 attempts)'
\qecho '     :        :         v            approved             30 days)'
\qecho '     :        :       approve ---------------------------^'
\qecho '     :        :         | rejected'
\qecho '   put_back  cancel     v                                ::: compensation: what undoes a step that was committed'
\qecho '                      refused (fail)'
\qecho
\qecho '   Four orders in the background:  SELECT wf_start(''order-on-account'', ''{"customer": 11, "sku": ...}'', ...)'
\qecho '   A moment later they wait. No process, transaction or lock is held for them:'
\qecho
SELECT wf_start('order-on-account', jsonb_build_object('customer', customer, 'sku', sku, 'qty', qty),
				jsonb_build_object('correlationId', reference))
FROM (VALUES ('Y-1', 11, 'ROP-FJO', 2), ('Y-2', 22, 'TEN-ALP', 8), ('Y-3', 33, 'TEN-ALP', 9), ('Y-4', 44, 'BOT-FJO', 1))
	AS o (reference, customer, sku, qty) \g /dev/null
CALL until('SELECT count(*) = 4 FROM wf_runs WHERE correlation_id LIKE ''Y-%'' AND status = ''waiting''');
SELECT correlation_id AS "order", status, current_nodes, round(extract(epoch FROM wake_at - started_at) / 86400) AS "days at most",
	   (SELECT title FROM wf_tasks AS t WHERE t.run_id = r.run_id) AS "task (view wf_tasks)"
FROM wf_runs AS r WHERE correlation_id LIKE 'Y-%' ORDER BY 1;

\qecho '   Somebody decides (wf_complete_task: Y-2 yes, Y-3 no), and the bank tells of transfers (wf_emit: Y-1, and Y-2'
\qecho '   before its run waits for it: events are kept for a while)'
\qecho
SELECT wf_emit('transfer', '{"amount": 215.80}', 'Y-1'), wf_emit('transfer', '{"amount": 1815.20}', 'Y-2'),
	   wf_complete_task(task_id, 'approved')
FROM wf_tasks WHERE title LIKE 'Y-2:%' \g /dev/null
SELECT wf_complete_task(task_id, 'rejected', '{"reason": "too many tents"}') FROM wf_tasks WHERE title LIKE 'Y-3:%' \g /dev/null
SELECT correlation_id AS "order", wf_await(run_id) AS envelope
FROM wf_runs WHERE correlation_id IN ('Y-1', 'Y-2', 'Y-3') \g /dev/null
SELECT correlation_id AS "order", status, output, error ->> 'message' AS error,
	   (SELECT count(*) FROM wf_segments AS s WHERE s.run_id = r.run_id) AS transactions
FROM wf_runs AS r WHERE correlation_id LIKE 'Y-%' ORDER BY 1;

\qecho '   Y-1 found that bookkeeping did not answer, and tried again a little later, each time in another transaction. Y-3 was'
\qecho '   compensated: its committed steps are undone in reverse order.'
\qecho
SELECT correlation_id AS "order", seq, node, s.attempt, s.status, port, segment AS transaction,
	   CASE WHEN length(told) > 42 THEN left(told, 39) || '...' ELSE told END AS "output or error"
FROM wf_runs AS r JOIN wf_steps AS s USING (run_id) CROSS JOIN LATERAL coalesce(s.error ->> 'message', s.output::text) AS told
WHERE correlation_id IN ('Y-1', 'Y-3') AND s.status <> 'skipped' ORDER BY 1, seq, s.attempt;

WITH gone AS (
	SELECT sku, b.on_hand - i.on_hand AS units FROM stock_before AS b JOIN inventory AS i USING (sku)
), checks (n, what, expected, found) AS (
	SELECT 1, 'ropes gone (Y-1)', 2::bigint, (SELECT units FROM gone WHERE sku = 'ROP-FJO')::bigint
	UNION ALL SELECT 2, 'tents gone (Y-2: 8; the 9 of Y-3 are back)', 8, (SELECT units FROM gone WHERE sku = 'TEN-ALP')
	UNION ALL SELECT 3, 'orders on account (Y-1, Y-2, and Y-4, which waits)', 3, (SELECT count(*) FROM orders WHERE reference LIKE 'Y-%')
	UNION ALL SELECT 4, 'bookings, in as many attempts as it took', 2, (SELECT count(*) FROM bookings)
)
SELECT what, expected, found, CASE WHEN expected = found THEN 'yes' ELSE 'NO' END AS "as it should be" FROM checks ORDER BY n;

CREATE TABLE parcels (id int PRIMARY KEY, packed int NOT NULL DEFAULT 0, sent int NOT NULL DEFAULT 0);
INSERT INTO parcels SELECT generate_series(1, 1000);
SELECT wf_save('parcel', '{"nodes": [
	{"id": "pack", "type": "db.update", "config": {"table": "parcels", "set": {"packed": {"$inc": 1}}, "where": {"id": "{{ $trigger.id }}"}}},
	{"id": "wait", "type": "delay", "config": {"duration": "100 ms"}},
	{"id": "send", "type": "db.update", "config": {"table": "parcels", "set": {"sent": {"$inc": 1}}, "where": {"id": "{{ $trigger.id }}"}}}
], "edges": [{"source": "pack", "target": "wait"}, {"source": "wait", "target": "send"}]}') \g /dev/null
SELECT wf_start_many('parcel', array_agg(jsonb_build_object('id', id) ORDER BY id)) FROM parcels \g /dev/null
\if :{?crash}
CALL until('SELECT count(*) > 100 FROM parcels WHERE sent = 1');
SELECT count(*) FILTER (WHERE sent = 1) AS sent FROM parcels \gset
SELECT pid, pg_backend_pid() AS own FROM pg_stat_activity WHERE backend_type = 'workflow worker' AND datname = current_database()
ORDER BY state = 'active' DESC LIMIT 1 \gset
\setenv PID :pid
\setenv OWN :own
\! kill -9 $PID; while kill -0 $OWN 2>/dev/null; do sleep 0.05; done; until pg_isready -q; do sleep 0.05; done
\c
SET client_min_messages = warning;
\qecho '10. KILL -9. 1,000 runs of a workflow "parcel": pack (counts to 1), wait, send (counts to 1). When' :sent 'had been sent a'
\qecho '    worker got a SIGKILL; the server dropped all connections, recovered, and the runs went on. Is anything lost, or done twice?'
\else
\qecho '10. 1,000 RUNS of a workflow "parcel": pack (counts to 1), wait, send (counts to 1). Is anything lost, or done twice?'
\endif
\qecho
SELECT wf_await(run_id) FROM wf_runs WHERE workflow = 'parcel' \g /dev/null
SELECT packed, sent, count(*) AS parcels FROM parcels GROUP BY 1, 2 ORDER BY 1, 2;
SELECT status, count(*) AS runs FROM wf_runs WHERE workflow = 'parcel' GROUP BY 1;

\qecho 'All of it is in the database "demo" now; Y-4 still waits. Look at wf_runs, wf_steps, wf_tasks, wf_queue_status, orders, inbox.'
\qecho 'docs/getting-started.md is a tutorial, docs/running.md tells how runs wait.'
