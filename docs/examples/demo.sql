-- demo.sql: the demonstration: an order-fulfilment workflow works off the inbox of a small shop, and
-- what one can ask about it afterwards. "make demo" runs it; in an empty database of one's own, with the
-- extension:
--     cd docs/examples && psql -X -q -f demo.sql

\set ON_ERROR_STOP on
\pset pager off
\pset footer off
SET client_min_messages = warning;

\i shop.sql
VACUUM ANALYZE;

\qecho
\qecho '1. A SHOP, its rows made by docs/examples/shop.sql'
\qecho
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM products) AS products,
	   (SELECT sum(on_hand) FROM inventory) AS "units in stock", (SELECT count(*) FROM orders) AS "past orders",
	   (SELECT count(*) FROM order_items) AS "their lines", (SELECT count(*) FROM payments) AS payments,
	   (SELECT count(*) FROM inbox) AS "new orders in the inbox";

SELECT count(*) AS orders_before, (SELECT count(*) FROM order_items) AS lines_before,
	   (SELECT count(*) FROM payments) AS payments_before, (SELECT sum(on_hand) FROM inventory) AS stock_before,
	   max(id) AS last_past_order
FROM orders \gset

\set definition `cat order-fulfilment.json`
SELECT wf_save('order-fulfilment', :'definition', '{"description": "takes an order, its stock and its payment"}') AS version,
	   jsonb_array_length(:'definition'::jsonb -> 'nodes') AS nodes \gset

\qecho '2. A WORKFLOW of' :nodes 'nodes, saved from docs/examples/order-fulfilment.json:'
\qecho
\qecho '   check ---------> customer ----> tier -----------> order ----> lines ---------> payment ------> summary'
\qecho '     |                 |             |                 ^         (for each:)         |'
\qecho '     | invalid         | notFound    | loyal           |           stock             | error'
\qecho '     v                 v             v                 |             |               v'
\qecho '   malformed        stranger       loyal --------------+           enough          refused'
\qecho '   (fail)           (fail)         (sets a discount)            true |  | false    (fail)'
\qecho '                                                                     v  v'
\qecho '                                                                  line  short'
\qecho '                                                                        (fail)'
\qecho
\qecho '   The whole inbox goes through it, each order in a transaction of its own:'
\qecho '       SELECT wf_run(''order-fulfilment'', document) FROM inbox WHERE id = ...'
\qecho

DO $$
DECLARE
	i int;
BEGIN
	FOR i IN SELECT id FROM inbox ORDER BY id
	LOOP
		PERFORM wf_run('order-fulfilment', document, jsonb_build_object('correlationId', id::text))
		FROM inbox WHERE id = i;
		COMMIT;
	END LOOP;
END
$$;

\qecho '3. WHAT BECAME OF THEM (view wf_runs; 23505 is PostgreSQL''s own code, all others are the workflow''s)'
\qecho
SELECT coalesce(error ->> 'code', status) AS outcome, count(*) AS runs,
	   (array_agg(coalesce(error ->> 'message', format('order %s: %s pays %s', output ->> 'order', output ->> 'customer',
													   output ->> 'paid'))
				  ORDER BY run_id))[1] AS "for example"
FROM wf_runs
GROUP BY 1
ORDER BY 2 DESC, 1;

SELECT run_id AS good, correlation_id AS good_id
FROM wf_runs
WHERE status = 'completed' AND (output ->> 'discount')::numeric > 0 AND output ->> 'lines' = '2'
ORDER BY run_id LIMIT 1 \gset
SELECT r.run_id AS bad, correlation_id AS bad_id
FROM wf_runs AS r JOIN wf_steps AS s ON s.run_id = r.run_id AND s.type = 'db.query' AND s.status = 'completed'
WHERE r.error ->> 'code' = 'OUT_OF_STOCK'
ORDER BY r.run_id LIMIT 1 \gset

\qecho '4. STEP BY STEP (view wf_steps, here without the nodes that were not reached): order' :good_id 'went well'
\qecho
SELECT seq, path AS node, type, port, round(duration_ms::numeric, 3) AS ms,
	   CASE WHEN length(output::text) > 62 THEN left(output::text, 59) || '...' ELSE output::text END AS output
FROM wf_steps WHERE run_id = :'good' AND status <> 'skipped' ORDER BY seq;

\qecho '   Order' :bad_id 'got as far as its last line: everything that it had written was rolled back; this record stayed'
\qecho
SELECT seq, path AS node, type, status, port, CASE WHEN length(told) > 58 THEN left(told, 55) || '...' ELSE told END AS "output or error"
FROM wf_steps CROSS JOIN LATERAL coalesce(error ->> 'message', output::text) AS told
WHERE run_id = :'bad' AND status <> 'skipped' ORDER BY seq;

\qecho '5. NOTHING LEFT BEHIND by the runs that failed'
\qecho
WITH done AS (
	SELECT (output ->> 'order')::bigint AS id, input -> 'items' AS items FROM wf_runs WHERE status = 'completed'
), checks (n, what, expected, found) AS (
	SELECT 1, 'orders added = completed runs',
		   (SELECT count(*) FROM done), (SELECT count(*) FROM orders) - :orders_before
	UNION ALL
	SELECT 2, 'payments added = completed runs',
		   (SELECT count(*) FROM done), (SELECT count(*) FROM payments) - :payments_before
	UNION ALL
	SELECT 3, 'order lines added = lines asked for in completed runs',
		   (SELECT sum(jsonb_array_length(items)) FROM done), (SELECT count(*) FROM order_items) - :lines_before
	UNION ALL
	SELECT 4, 'units gone from stock = units in the new order lines',
		   (SELECT sum(qty) FROM order_items WHERE order_id > :last_past_order),
		   :stock_before - (SELECT sum(on_hand) FROM inventory)
	UNION ALL
	SELECT 5, 'new orders that no completed run tells of',
		   0, (SELECT count(*) FROM orders WHERE id > :last_past_order AND id NOT IN (SELECT id FROM done))
	UNION ALL
	SELECT 6, 'orders without a line, or without a payment',
		   0, (SELECT count(*) FROM orders AS o WHERE NOT EXISTS (SELECT FROM order_items WHERE order_id = o.id)
												   OR NOT EXISTS (SELECT FROM payments WHERE order_id = o.id))
)
SELECT what, expected, found, CASE WHEN expected = found THEN 'yes' ELSE 'NO' END AS "as it should be"
FROM checks ORDER BY n;

\qecho '6. WHAT RUNS, AND WHAT SQL (wf_explain, the part from "order" to "short")'
\qecho
\pset tuples_only on
\pset format unaligned
WITH explained AS (
	SELECT line, n FROM wf_explain('order-fulfilment') WITH ORDINALITY AS e (line, n)
)
SELECT rtrim('   ' || regexp_replace(line, '(.{105}\S*) ', E'\\1\n                ', 'g')) FROM explained
WHERE n >= (SELECT min(n) FROM explained WHERE line LIKE '% order: db.create%')
  AND n <= (SELECT min(n) FROM explained WHERE line LIKE '% short: fail%')
ORDER BY n;
\pset format aligned
\pset tuples_only off

\qecho
\qecho '7. HOW LONG A RUN TOOK, in milliseconds'
\qecho
SELECT status, count(*) AS runs, round(avg(steps), 1) AS "steps, on average",
	   round(percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms)::numeric, 2) AS median,
	   round(percentile_cont(0.95) WITHIN GROUP (ORDER BY duration_ms)::numeric, 2) AS "95 of 100 within"
FROM wf_runs
CROSS JOIN LATERAL (SELECT count(*) AS steps FROM wf_steps AS s WHERE s.run_id = wf_runs.run_id AND s.status <> 'skipped') AS s
GROUP BY status ORDER BY status;

\qecho '8. A DRY RUN of one more order: it runs, says what it would write, and is rolled back'
\qecho
SELECT wf_dry_run('order-fulfilment',
	jsonb_build_object('reference', 'W-30000', 'placedAt', '2025-03-04T09:00:00Z', 'customer', c.email,
					   'items', '[{"sku": "BAC-SUM", "qty": 1}, {"sku": "TEN-FJO", "qty": 1}]'::jsonb)) AS dry
FROM customers AS c WHERE tier = 'gold' ORDER BY id LIMIT 1 \gset
SELECT step ->> 'path' AS node, step #>> '{wrote,operation}' AS writes, step #>> '{wrote,table}' AS "table",
	   CASE WHEN length(r::text) > 62 THEN left(r::text, 59) || '...' ELSE r::text END AS "row"
FROM jsonb_array_elements(:'dry'::jsonb -> 'steps') WITH ORDINALITY AS s (step, n)
CROSS JOIN LATERAL jsonb_array_elements(step #> '{wrote,rows}') AS r
ORDER BY n;
SELECT :'dry'::jsonb ->> 'status' AS status, :'dry'::jsonb ->> 'output' AS output,
	   (SELECT count(*) FROM orders WHERE reference = 'W-30000') AS "such orders";

