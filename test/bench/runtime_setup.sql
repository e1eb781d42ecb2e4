-- What the bench of the durable runtime starts; role bench is an ordinary member.
SET client_min_messages = warning;
CREATE EXTENSION workflow;
GRANT CREATE ON SCHEMA public TO bench;
SELECT wf_grant('bench', 'default', 'member');
SET ROLE bench;

-- one node; five nodes that touch no table, and as many as the peers have steps; five that write a row each
SELECT wf_save('one', '{"nodes": [{"id": "a", "type": "noop"}]}');
SELECT wf_save('five', '{"nodes": [
	{"id": "a", "type": "set", "config": {"variables": {"k0": {"id": "{{ $trigger.id }}", "k": 0}}}},
	{"id": "b", "type": "set", "config": {"variables": {"k1": {"id": "{{ $trigger.id }}", "k": 1}}}},
	{"id": "c", "type": "set", "config": {"variables": {"k2": {"id": "{{ $trigger.id }}", "k": 2}}}},
	{"id": "d", "type": "set", "config": {"variables": {"k3": {"id": "{{ $trigger.id }}", "k": 3}}}},
	{"id": "e", "type": "set", "config": {"variables": {"k4": {"id": "{{ $trigger.id }}", "k": 4}}}}],
	"edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "c"}, {"source": "c", "target": "d"}, {"source": "d", "target": "e"}]}');
CREATE TABLE written (id bigserial PRIMARY KEY, run int NOT NULL, step int NOT NULL, at timestamptz NOT NULL DEFAULT now());
SELECT wf_save('five_writes', jsonb_build_object(
	'nodes', (SELECT jsonb_agg(jsonb_build_object('id', 'w' || k, 'type', 'db.create', 'config',
		jsonb_build_object('table', 'written', 'values', jsonb_build_object('run', '{{ $trigger.id }}', 'step', k)))) FROM generate_series(1, 5) k),
	'edges', (SELECT jsonb_agg(jsonb_build_object('source', 'w' || k, 'target', 'w' || k + 1)) FROM generate_series(1, 4) k)));
-- what sleeps: in its middle
SELECT wf_save('sleeper', '{"nodes": [{"id": "a", "type": "noop"}, {"id": "s", "type": "delay", "config": {"duration": "{{ $trigger.duration }}"}}, {"id": "z", "type": "noop"}],
	"edges": [{"source": "a", "target": "s"}, {"source": "s", "target": "z"}]}');
SELECT wf_save('until', '{"nodes": [{"id": "s", "type": "waitUntil", "config": {"time": "{{ $trigger.at }}"}}, {"id": "z", "type": "noop"}],
	"edges": [{"source": "s", "target": "z"}]}');
RESET ROLE;

-- inputs(n): {"id": 1} and so on
CREATE FUNCTION inputs(n int) RETURNS jsonb[] LANGUAGE sql STABLE AS
	$$ SELECT array_agg(jsonb_build_object('id', i)) FROM generate_series(1, n) i $$;
GRANT EXECUTE ON FUNCTION inputs TO bench;

-- Waits until there is nothing more to execute; commits between looks, so that no snapshot is held.
CREATE PROCEDURE drained(seconds int) LANGUAGE plpgsql AS $$
DECLARE
	last timestamptz := clock_timestamp() + make_interval(secs => seconds);
BEGIN
	LOOP
		COMMIT;
		EXIT WHEN NOT EXISTS (SELECT FROM wf.queue);
		IF clock_timestamp() > last THEN
			RAISE EXCEPTION 'the queue did not drain within % s: % messages are left', seconds, (SELECT count(*) FROM wf.queue);
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
END $$;

-- Multiplies the rows of a table that are of the newest run with this status: n copies, each of a run of its own.
-- Ids go back from now, a millisecond for a thousand runs.
CREATE FUNCTION multiply(tables text[], template uuid, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	t text;
	columns text;
	base bigint := (extract(epoch FROM clock_timestamp()) * 1000)::bigint;
BEGIN
	CREATE TEMP TABLE copy AS
		SELECT (lpad(to_hex(base - i / 1000), 12, '0') || '7' || substr(md5(random()::text), 1, 3) || '8' || substr(md5(random()::text), 1, 15))::uuid AS run_id
		FROM generate_series(1, n) i;
	FOREACH t IN ARRAY tables LOOP
		SELECT string_agg(CASE WHEN attname = 'run_id' THEN 'c.run_id' ELSE 'r.' || quote_ident(attname) END, ', ' ORDER BY attnum) INTO columns
		FROM pg_attribute WHERE attrelid = t::regclass AND attnum > 0 AND NOT attisdropped;
		EXECUTE format('INSERT INTO %s SELECT %s FROM %s r CROSS JOIN copy c WHERE r.run_id = $1', t::regclass, columns, t::regclass) USING template;
	END LOOP;
	DROP TABLE copy;
END $$;

-- Forgets ended runs, so that each round begins with empty tables.
CREATE PROCEDURE forget() LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE wf.run, wf.segment, wf.idempotency, written;
END $$;
