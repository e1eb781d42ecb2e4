-- What the bench compares: the same ten statements by hand and as a workflow.
CREATE EXTENSION workflow;

CREATE TABLE item (id int PRIMARY KEY, name text NOT NULL, price numeric(12,2) NOT NULL, created timestamptz NOT NULL DEFAULT now());
INSERT INTO item SELECT i, 'item ' || i, i * 1.5 FROM generate_series(1, 100000) i;
CREATE TABLE sale (id bigserial PRIMARY KEY, item_id int NOT NULL, qty int NOT NULL, price numeric(12,2) NOT NULL,
	note text, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE plain_run (id bigserial PRIMARY KEY, workflow text NOT NULL, status text NOT NULL, input jsonb, output jsonb,
	started_at timestamptz, finished_at timestamptz);
CREATE TABLE plain_step (run_id bigint NOT NULL, seq int NOT NULL, node text NOT NULL, status text NOT NULL, input jsonb,
	output jsonb, started_at timestamptz, duration interval, PRIMARY KEY (run_id, seq));
VACUUM ANALYZE;

-- (a) ten statements bare
CREATE FUNCTION plain_bare(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	n int := (input->>'id')::int;
	q int := (input->>'qty')::int;
	r item;
	s sale;
BEGIN
	SELECT * INTO r FROM item WHERE id = n + 1;
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	SELECT * INTO r FROM item WHERE id = n + 2;
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	SELECT * INTO r FROM item WHERE id = n + 3;
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	SELECT * INTO r FROM item WHERE id = n + 4;
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	SELECT * INTO r FROM item WHERE id = n + 5;
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	RETURN to_jsonb(s);
END
$$;

-- (b) with one run row and one row a step
CREATE FUNCTION plain_rows(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	n int := (input->>'id')::int;
	q int := (input->>'qty')::int;
	run bigint := nextval('plain_run_id_seq');
	began timestamptz := clock_timestamp();
	t timestamptz;
	i jsonb := input;
	o jsonb;
	r item;
	s sale;
BEGIN
	FOR k IN 1..5 LOOP
		t := clock_timestamp();
		SELECT * INTO r FROM item WHERE id = n + k;
		o := jsonb_build_object('row', to_jsonb(r));
		INSERT INTO plain_step VALUES (run, 2 * k - 1, 'find' || k, 'completed', i, o, t, clock_timestamp() - t);
		i := o;
		t := clock_timestamp();
		INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
		o := jsonb_build_object('row', to_jsonb(s));
		INSERT INTO plain_step VALUES (run, 2 * k, 'create' || k, 'completed', i, o, t, clock_timestamp() - t);
		i := o;
	END LOOP;
	INSERT INTO plain_run VALUES (run, 'plain', 'completed', input, o, began, clock_timestamp());
	RETURN o;
END
$$;

-- (c) with the rows in one statement at the end
CREATE FUNCTION plain_once(input jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	n int := (input->>'id')::int;
	q int := (input->>'qty')::int;
	run bigint := nextval('plain_run_id_seq');
	began timestamptz := clock_timestamp();
	t1 timestamptz;
	o1 jsonb;
	t2 timestamptz;
	o2 jsonb;
	t3 timestamptz;
	o3 jsonb;
	t4 timestamptz;
	o4 jsonb;
	t5 timestamptz;
	o5 jsonb;
	t6 timestamptz;
	o6 jsonb;
	t7 timestamptz;
	o7 jsonb;
	t8 timestamptz;
	o8 jsonb;
	t9 timestamptz;
	o9 jsonb;
	t10 timestamptz;
	o10 jsonb;
	r item;
	s sale;
BEGIN
	t1 := clock_timestamp();
	SELECT * INTO r FROM item WHERE id = n + 1;
	o1 := jsonb_build_object('row', to_jsonb(r));
	t2 := clock_timestamp();
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	o2 := jsonb_build_object('row', to_jsonb(s));
	t3 := clock_timestamp();
	SELECT * INTO r FROM item WHERE id = n + 2;
	o3 := jsonb_build_object('row', to_jsonb(r));
	t4 := clock_timestamp();
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	o4 := jsonb_build_object('row', to_jsonb(s));
	t5 := clock_timestamp();
	SELECT * INTO r FROM item WHERE id = n + 3;
	o5 := jsonb_build_object('row', to_jsonb(r));
	t6 := clock_timestamp();
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	o6 := jsonb_build_object('row', to_jsonb(s));
	t7 := clock_timestamp();
	SELECT * INTO r FROM item WHERE id = n + 4;
	o7 := jsonb_build_object('row', to_jsonb(r));
	t8 := clock_timestamp();
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	o8 := jsonb_build_object('row', to_jsonb(s));
	t9 := clock_timestamp();
	SELECT * INTO r FROM item WHERE id = n + 5;
	o9 := jsonb_build_object('row', to_jsonb(r));
	t10 := clock_timestamp();
	INSERT INTO sale (item_id, qty, price, note) VALUES (r.id, q, r.price, 'sold') RETURNING * INTO s;
	o10 := jsonb_build_object('row', to_jsonb(s));
	INSERT INTO plain_step VALUES
		(run, 1, 'find1', 'completed', input, o1, t1, t2 - t1),
		(run, 2, 'create1', 'completed', o1, o2, t2, t3 - t2),
		(run, 3, 'find2', 'completed', o2, o3, t3, t4 - t3),
		(run, 4, 'create2', 'completed', o3, o4, t4, t5 - t4),
		(run, 5, 'find3', 'completed', o4, o5, t5, t6 - t5),
		(run, 6, 'create3', 'completed', o5, o6, t6, t7 - t6),
		(run, 7, 'find4', 'completed', o6, o7, t7, t8 - t7),
		(run, 8, 'create4', 'completed', o7, o8, t8, t9 - t8),
		(run, 9, 'find5', 'completed', o8, o9, t9, t10 - t9),
		(run, 10, 'create5', 'completed', o9, o10, t10, clock_timestamp() - t10);
	INSERT INTO plain_run VALUES (run, 'plain', 'completed', input, o10, began, clock_timestamp());
	RETURN o10;
END
$$;

-- the same ten statements as nodes
CREATE FUNCTION ten(journal text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object(
		'nodes', (SELECT jsonb_agg(n ORDER BY k) FROM (
			SELECT 2 * k AS k, jsonb_build_object('id', 'find' || k, 'type', 'db.findOne', 'config',
				jsonb_build_object('table', 'item', 'where', jsonb_build_object('id', '{{ $trigger.id + ' || k || ' }}'))) AS n
			FROM generate_series(1, 5) k
			UNION ALL
			SELECT 2 * k + 1, jsonb_build_object('id', 'create' || k, 'type', 'db.create', 'config',
				jsonb_build_object('table', 'sale', 'values', jsonb_build_object('item_id', '{{ $input.row.id }}',
					'qty', '{{ $trigger.qty }}', 'price', '{{ $input.row.price }}', 'note', 'sold')))
			FROM generate_series(1, 5) k) s),
		'edges', (SELECT jsonb_agg(e) FROM (
			SELECT jsonb_build_object('source', 'find' || k, 'target', 'create' || k) AS e FROM generate_series(1, 5) k
			UNION ALL
			SELECT jsonb_build_object('source', 'create' || k, 'target', 'find' || (k + 1)) FROM generate_series(1, 4) k) s),
		'settings', jsonb_build_object('journal', journal))
$$;
SELECT wf_save('ten ' || j, ten(j)) FROM unnest(ARRAY['full', 'errors', 'none']) j;

-- five pure nodes: noop, if, set
CREATE FUNCTION pure(journal text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('nodes', '[
		{"id": "a", "type": "noop"},
		{"id": "b", "type": "set", "config": {"variables": {"total": "{{ $trigger.qty * 3 }}"}}},
		{"id": "c", "type": "if", "config": {"condition": "$vars.total > 5"}},
		{"id": "d", "type": "set", "config": {"variables": {"label": "total {{ $vars.total }}"}}},
		{"id": "e", "type": "noop"}]'::jsonb,
		'edges', '[{"source": "a", "target": "b"}, {"source": "b", "target": "c"},
			{"source": "c", "sourceHandle": "true", "target": "d"}, {"source": "d", "target": "e"}]'::jsonb,
		'settings', jsonb_build_object('journal', journal))
$$;
SELECT wf_save('pure ' || j, pure(j)) FROM unnest(ARRAY['full', 'none']) j;
