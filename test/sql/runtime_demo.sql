-- The second part of the demonstration of docs/examples runs, without its crash, and its numbers are what they should be.
CREATE EXTENSION workflow;
\getenv abs_srcdir PG_ABS_SRCDIR
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\cd :abs_srcdir/sql
\cd ../../docs/examples
\set ECHO none
\o /dev/null
\i shop.sql
\i waiting.sql
\o
\set ECHO all
\pset footer on

SELECT correlation_id, status, current_nodes, error ->> 'code' AS code, error ->> 'node' AS node
FROM wf_runs WHERE workflow = 'order-on-account' ORDER BY 1;
SELECT correlation_id, string_agg(concat_ws(' ', node, s.status, port), ', ' ORDER BY seq, s.attempt) AS steps
FROM wf_runs AS r JOIN wf_steps AS s USING (run_id) WHERE workflow = 'order-on-account' AND s.status <> 'skipped' GROUP BY 1 ORDER BY 1;
SELECT reference, amount FROM bookings ORDER BY 1;
SELECT reference, status FROM orders WHERE reference LIKE 'Y-%' ORDER BY 1;
SELECT sku, b.on_hand - i.on_hand AS gone FROM stock_before AS b JOIN inventory AS i USING (sku) WHERE b.on_hand <> i.on_hand ORDER BY 1;
SELECT packed, sent, count(*) FROM parcels GROUP BY 1, 2;
SELECT status, count(*) FROM wf_runs WHERE workflow = 'parcel' GROUP BY 1;

-- The one that waits can be ended, and nothing is left then.
SELECT wf_cancel(run_id) FROM wf_runs WHERE correlation_id = 'Y-4';
SELECT wf_await(run_id) ->> 'status' AS status FROM wf_runs WHERE correlation_id = 'Y-4';
SELECT * FROM wf.check_invariants();
-- The definition has nothing to remark on.
SELECT * FROM wf_validate(:'definition');
