-- Cost a node of large graphs, and the time to validate and compile one.
SET client_min_messages = warning;
CREATE FUNCTION pg_temp.chain(n int) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object(
		'nodes', (SELECT jsonb_agg(jsonb_build_object('id', 'n' || i, 'type', CASE i % 3 WHEN 0 THEN 'set' ELSE 'noop' END,
			'config', CASE i % 3 WHEN 0 THEN '{"variables": {"x": "{{ $trigger.qty + 1 }}"}}'::jsonb ELSE '{}' END) ORDER BY i)
			FROM generate_series(1, n) i),
		'edges', (SELECT coalesce(jsonb_agg(jsonb_build_object('source', 'n' || i, 'target', 'n' || (i + 1))), '[]')
			FROM generate_series(1, n - 1) i),
		'settings', '{"journal": "none"}'::jsonb)
$$;
CREATE TEMP TABLE figure (n int, what text, ms float8);
DO $$
DECLARE
	t timestamptz;
	d jsonb;
	turns int;
BEGIN
	FOR size IN 2..4 LOOP
		d := pg_temp.chain((10 ^ size)::int);
		FOR i IN 1..5 LOOP
			t := clock_timestamp();
			PERFORM * FROM wf_validate(d);
			INSERT INTO figure VALUES (10 ^ size, 'validate', extract(epoch FROM clock_timestamp() - t) * 1000);
		END LOOP;
		PERFORM wf_save('chain ' || 10 ^ size, d);
		PERFORM wf_run('chain ' || 10 ^ size, '{"qty": 2}');
		turns := 100000 / 10 ^ size;
		FOR i IN 1..5 LOOP
			t := clock_timestamp();
			FOR j IN 1..turns LOOP
				PERFORM wf_run('chain ' || 10 ^ size, '{"qty": 2}');
			END LOOP;
			INSERT INTO figure VALUES (10 ^ size, 'run', extract(epoch FROM clock_timestamp() - t) * 1000 / turns);
		END LOOP;
	END LOOP;
END
$$;
SELECT format('  %s nodes: run %s ms, %s us a node; validated and compiled in %s ms',
	lpad(n::text, 6),
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE what = 'run'))::numeric, 3),
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE what = 'run') * 1000 / n)::numeric, 2),
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY ms) FILTER (WHERE what = 'validate'))::numeric, 1))
FROM figure GROUP BY n ORDER BY n;
