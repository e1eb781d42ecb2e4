-- The demonstration of docs/examples runs, and its numbers are what they should be.
CREATE EXTENSION workflow;
\getenv abs_srcdir PG_ABS_SRCDIR
-- Two steps: the first folder may be a link, and the way up is from where it leads.
\cd :abs_srcdir/sql
\cd ../../docs/examples
\set ECHO none
\o /dev/null
\i demo.sql
\o
\set ECHO all
\pset footer on

-- The shop.
SELECT (SELECT count(*) FROM customers) AS customers, (SELECT count(*) FROM products) AS products,
	   (SELECT count(*) FROM inventory) AS inventory, (SELECT count(*) FROM inbox) AS inbox,
	   (SELECT count(*) FROM orders WHERE id <= 200) AS past_orders;

-- The outcomes.
SELECT status, error ->> 'code' AS code, error ->> 'node' AS node, count(*)
FROM wf_runs GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*) AS runs, count(DISTINCT correlation_id) AS orders FROM wf_runs;

-- Each order of the inbox has the outcome that its document asks for, as far as that can be told without the run.
SELECT i.id, r.error ->> 'code' AS code, r.error ->> 'message' AS message
FROM inbox AS i JOIN wf_runs AS r ON r.correlation_id = i.id::text
WHERE r.error ->> 'code' NOT IN ('OUT_OF_STOCK', 'PAYMENT_REFUSED')
ORDER BY i.id;
SELECT count(*) FROM inbox AS i JOIN wf_runs AS r ON r.correlation_id = i.id::text
WHERE r.status = 'completed' AND NOT EXISTS (SELECT FROM customers AS c WHERE c.email = i.document ->> 'customer');

-- What completed is there, once, and as the run says.
SELECT count(*) AS runs, count(o.id) AS orders, count(p.id) AS payments,
	   count(*) FILTER (WHERE p.amount = (r.output ->> 'paid')::numeric) AS paid_as_told,
	   count(*) FILTER (WHERE o.reference = r.input ->> 'reference') AS same_reference,
	   count(*) FILTER (WHERE p.amount = (SELECT round(sum(line_total) * (1 - o.discount), 2)
										  FROM order_items WHERE order_id = o.id)) AS adds_up,
	   count(*) FILTER (WHERE o.discount = CASE c.tier WHEN 'gold' THEN 0.1 WHEN 'silver' THEN 0.05 ELSE 0 END) AS discounts
FROM wf_runs AS r
LEFT JOIN orders AS o ON o.id = (r.output ->> 'order')::bigint
LEFT JOIN customers AS c ON c.id = o.customer_id
LEFT JOIN payments AS p ON p.order_id = o.id
WHERE r.status = 'completed';

-- Nothing else is.
SELECT (SELECT count(*) FROM orders) - 200 AS new_orders, (SELECT count(*) FROM payments) - 200 AS new_payments,
	   (SELECT sum(qty) FROM order_items WHERE order_id > 200) AS units_sold,
	   (SELECT 2986 - sum(on_hand) FROM inventory) AS units_gone,
	   (SELECT sum((item ->> 'qty')::int) FROM wf_runs, jsonb_array_elements(input -> 'items') AS item
		WHERE status = 'completed') AS units_of_completed_runs;

-- The journals: each failed run ends in a failed step that has the run's error.
SELECT count(*) AS failed_runs, count(s.run_id) AS explained
FROM wf_runs AS r LEFT JOIN wf_steps AS s ON s.run_id = r.run_id AND s.node = r.error ->> 'node' AND s.status = 'failed'
	AND s.seq = (r.error ->> 'step')::int AND s.error ->> 'message' = r.error ->> 'message'
WHERE r.status = 'failed';

-- The definition has nothing to remark on.
SELECT * FROM wf_validate(:'definition');
