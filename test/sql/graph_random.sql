-- Random graphs compiled and compared with what follows from the definitions of dominance, loops
-- and order: nothing may be called wrong.
CREATE FUNCTION graph_random(seed bigint, nodes int, edges int, containers bool, triggers bool, chain bool) RETURNS text
	AS '$libdir/workflow', 'wf_sql_test_graph_random' LANGUAGE C;

CREATE TABLE outcome AS
SELECT nodes, edges, containers, triggers, chain,
	   graph_random(seed * 1000003 + nodes * 101 + edges, nodes, edges, containers, triggers, chain) AS said
FROM generate_series(1, 200) seed,
	 (VALUES (1, 2), (3, 4), (4, 8), (6, 8), (6, 14), (8, 10), (10, 14), (14, 30), (24, 40)) AS size (nodes, edges),
	 (VALUES (false, false, false), (true, false, false), (false, true, false), (true, true, false),
			 (false, false, true), (true, false, true)) AS kind (containers, triggers, chain);

SELECT * FROM outcome WHERE said NOT IN ('refused', 'compiled', 'compiled, with loops') LIMIT 20;

-- Each outcome is well represented.
SELECT chain, said, count(*) > 50 AS many FROM outcome GROUP BY chain, said ORDER BY chain, said;
