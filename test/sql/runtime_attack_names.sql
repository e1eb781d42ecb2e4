-- names that are text for us and syntax for somebody else: of roles, tenants, workflows, tables, columns, schemas, events, queues, tags
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/runtime.psql'
\i :lib
SET client_min_messages = warning;
CREATE TABLE names (n int PRIMARY KEY, name text, role text, tenant text, schema text, title text);
INSERT INTO names SELECT n, name, 'wf_test_' || n || left(name, 40), 't' || regexp_replace(name, '[[:cntrl:]/]', '#', 'g'), 's' || name, regexp_replace(name, '[[:cntrl:]]', '#', 'g') FROM (VALUES (1, 'quo"te'' ''''"" ''; DROP TABLE names; --'), (2, E'new\nline\r\ttab'), (3, '%s%n%d%%%1$s %I %L $1 $$ $body$ { {1 + 1} }'), (4, repeat('ü', 31) || 'x'), (5, E'back\\slash\\x00 \\'),
	(6, '; SELECT 1 -- /* */'), (7, ' "Leading And Trailing" '), (8, '𝒲🐘' || U&'\202E' || 'rtl'), (9, 'pg_catalog.text'), (10, 'a.b.c[1].*'), (11, 'SELECT'), (12, 'public'), (13, '{"json": [1]}'), (14, '<script>alert(1)</script>&amp;'), (15, E'\x01\x7f\b\f'), (16, '-'), (17, '..'), (18, '0x7fffffff')) v (n, name);
UPDATE names SET role = 'wf_test_' || repeat('ö', 27) || 'x', schema = repeat('ß', 31) || 'x', tenant = repeat('ü', 127) || 'x' WHERE n = 4;
SELECT max(octet_length(role)), max(octet_length(name)), max(octet_length(schema)), max(octet_length(tenant)) FROM names;
-- what one does with them; the first line that is not as it should be is told
CREATE FUNCTION one(p names) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE t text; run uuid; e jsonb; x text;
BEGIN
	EXECUTE format('CREATE ROLE %I LOGIN', p.role);
	PERFORM wf_create_tenant(p.tenant);
	PERFORM wf_grant(p.role, p.tenant, 'owner');
	EXECUTE format('CREATE SCHEMA %I AUTHORIZATION %I', p.schema, p.role);
	EXECUTE format('SET LOCAL ROLE %I', p.role);
	IF wf_current_tenant() <> p.tenant THEN RETURN NEXT 'the current tenant is ' || wf_current_tenant(); END IF;
	EXECUTE format('CREATE TABLE %I.%I (%I text, n int DEFAULT 1)', p.schema, p.name, p.name);
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO PUBLIC', p.schema);
	t := format('%I.%I', p.schema, p.name);
	PERFORM wf_save(p.title, jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 'put', 'name', p.name, 'type', 'db.create', 'config', jsonb_build_object('table', t, 'values', jsonb_build_object(quote_ident(p.name), '{{ $trigger.v }}'))),
		jsonb_build_object('id', 'get', 'type', 'db.find', 'config', jsonb_build_object('table', t, 'where', jsonb_build_object(quote_ident(p.name), jsonb_build_object('eq', '{{ $trigger.v }}')))),
		jsonb_build_object('id', 'sum', 'type', 'db.aggregate', 'config', jsonb_build_object('table', t, 'aggregates', jsonb_build_object(p.name, '{"fn": "count"}'::jsonb))),
		jsonb_build_object('id', 'sql', 'type', 'db.query', 'config', jsonb_build_object('sql', format('SELECT count(*) AS %I FROM %s WHERE %I = $1', p.name, t, p.name), 'params', '["{{ $trigger.v }}"]'::jsonb)),
		jsonb_build_object('id', 'who', 'type', 'db.query', 'config', '{"sql": "SELECT current_user::text AS u, session_user::text AS s", "outputFormat": "row"}'::jsonb),
		jsonb_build_object('id', 'end', 'type', 'return', 'config', '{"value": "{{ [$node.get.output.rows, $node.sum.output.rows, $node.sql.output.rows, $node.who.output.row.u, $run.tenant, $run.workflow] }}"}'::jsonb)),
		'edges', '[{"source": "put", "target": "get"}, {"source": "get", "target": "sum"}, {"source": "sum", "target": "sql"}, {"source": "sql", "target": "who"}, {"source": "who", "target": "end"}]'::jsonb),
		jsonb_build_object('description', p.name, 'comment', p.name, 'label', p.name));
	e := wf_run(p.title, jsonb_build_object('v', p.name), jsonb_build_object('correlationId', p.name, 'idempotencyKey', p.name, 'tags', jsonb_build_array(p.name)));
	IF e->'output' IS DISTINCT FROM jsonb_build_array(jsonb_build_array(jsonb_build_object(p.name, p.name, 'n', 1)), jsonb_build_array(jsonb_build_object(p.name, 1)), jsonb_build_array(jsonb_build_object(p.name, 1)), p.role, p.tenant, p.title) THEN
		RETURN NEXT e; END IF;
	run := (e->>'run_id')::uuid;
	IF NOT EXISTS (SELECT FROM wf_runs WHERE run_id = run AND workflow = p.title AND started_by::text IN (p.role, quote_ident(p.role)) AND correlation_id = p.name AND tags = ARRAY[p.name]) THEN RETURN NEXT 'wf_runs'; END IF;
	IF (SELECT count(*) FROM wf_steps WHERE run_id = run) <> 6 THEN RETURN NEXT 'wf_steps'; END IF;
	IF (SELECT count(*) FROM wf_explain(p.title) x) = 0 OR (SELECT count(*) FROM wf_versions(p.title)) <> 1 THEN RETURN NEXT 'wf_explain, wf_versions'; END IF;
	IF wf_run(p.title, '{"v": 1}', jsonb_build_object('idempotencyKey', p.name))->>'run_id' <> run::text THEN RETURN NEXT 'key'; END IF;
	-- a trigger of that table, with a condition on that column
	PERFORM wf_save(p.title || ' 2', jsonb_build_object('nodes', jsonb_build_array(
		jsonb_build_object('id', 't', 'type', 'trigger.row', 'config', jsonb_build_object('table', t, 'events', '["insert"]'::jsonb, 'columns', '[]'::jsonb, 'mode', 'sync') - 'columns'),
		jsonb_build_object('id', 'q', 'type', 'db.update', 'config', jsonb_build_object('table', t, 'set', jsonb_build_object('n', '{"$inc": 1}'::jsonb), 'where', jsonb_build_object(quote_ident(p.name), format('{{ $trigger.new[%s] }}', to_jsonb(p.name)))))),
		'edges', '[{"source": "t", "target": "q"}]'::jsonb));
	EXECUTE format('INSERT INTO %s VALUES ($1)', t) USING p.name || ' by trigger';
	EXECUTE format('SELECT n FROM %s WHERE %I = $1', t, p.name) INTO x USING p.name || ' by trigger';
	IF x <> '2' THEN RETURN NEXT 'row trigger: ' || x; END IF;
	PERFORM wf_save(p.title || ' 3', jsonb_build_object('nodes', jsonb_build_array(jsonb_build_object('id', 'w', 'type', 'waitForEvent', 'config', jsonb_build_object('event', p.name, 'correlation', p.name)),
		jsonb_build_object('id', 'k', 'type', 'task', 'config', jsonb_build_object('queue', p.name, 'payload', p.name)), '{"id": "r", "type": "return", "config": {"value": "{{ [$node.w.output.payload, $node.k.output] }}"}}'::jsonb),
		'edges', '[{"source": "w", "target": "r"}, {"source": "k", "target": "r"}]'::jsonb));
	RESET ROLE;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS x = PG_EXCEPTION_DETAIL;
	RETURN NEXT concat_ws(' | ', SQLSTATE, SQLERRM, x);
END $$;
SELECT n, x FROM names, one(names) x ORDER BY n;
-- what the current user of a session sees of statements with names in messages
CREATE FUNCTION missing(p names) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', p.role, true);
	BEGIN PERFORM wf_run(p.title || '?'); EXCEPTION WHEN OTHERS THEN RETURN CASE WHEN strpos(SQLERRM, p.title || '?') > 0 AND SQLSTATE = 'WF001' THEN NULL ELSE SQLERRM END; END;
	RETURN 'found';
END $$;
SELECT n, missing(names) FROM names WHERE missing(names) IS NOT NULL ORDER BY 1;
-- in the background, as that role
CREATE TABLE sent (n int, run uuid, waits uuid);
CREATE PROCEDURE send_all() LANGUAGE plpgsql AS $$
DECLARE p names; a uuid; b uuid;
BEGIN
	FOR p IN SELECT * FROM names ORDER BY n LOOP
		PERFORM set_config('role', p.role, true);
		a := wf_start(p.title, jsonb_build_object('v', p.name || ' later'));
		b := wf_start(p.title || ' 3');
		PERFORM set_config('role', 'none', true);
		INSERT INTO sent VALUES (p.n, a, b);
	END LOOP;
END $$;
CALL send_all();
CREATE FUNCTION told(p names, run uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e jsonb;
BEGIN PERFORM set_config('role', p.role, true); e := wf_await(run, '60 s'); PERFORM set_config('role', 'none', true);
RETURN concat_ws(' ', e->>'status', e->'error'->>'message', (e->'output'->>3) = p.role, (e->'output'->>4) = p.tenant); END $$;
SELECT n, told(names, run) AS t FROM names JOIN sent USING (n) WHERE told(names, run) <> 'completed t t' ORDER BY 1;
CREATE FUNCTION finish(p names, run uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE e jsonb; until timestamptz := clock_timestamp() + '60 s'; c int;
BEGIN PERFORM set_config('role', p.role, true);
	LOOP SELECT count(*) INTO c FROM wf_runs, unnest(current_nodes) WHERE run_id = run; EXIT WHEN c = 2 OR clock_timestamp() > until; PERFORM pg_sleep(0.002); END LOOP;
	PERFORM wf_emit(p.name, to_jsonb(p.name), p.name);
	PERFORM wf_finish_task(k.task_id, to_jsonb(p.name)) FROM wf_poll_tasks(p.name) k;
	PERFORM set_config('role', 'none', true);
	RETURN 'sent'; END $$;
SELECT count(finish(names, waits)) FROM names JOIN sent USING (n);
CREATE FUNCTION gave(p names, run uuid) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE e jsonb;
BEGIN PERFORM set_config('role', p.role, true); e := wf_await(run, '60 s'); PERFORM set_config('role', 'none', true); RETURN e->'output'; END $$;
SELECT n, gave(names, waits) FROM names JOIN sent USING (n) WHERE gave(names, waits) IS DISTINCT FROM jsonb_build_array(name, name) ORDER BY 1;
SELECT * FROM wf.check_invariants();
CREATE PROCEDURE drop_all() LANGUAGE plpgsql AS $$
DECLARE p names;
BEGIN
	FOR p IN SELECT * FROM names LOOP
		EXECUTE format('DROP SCHEMA %I CASCADE', p.schema);
		EXECUTE format('DROP OWNED BY %I CASCADE', p.role);
	END LOOP;
	DROP EXTENSION workflow CASCADE;
	FOR p IN SELECT * FROM names LOOP EXECUTE format('DROP ROLE %I', p.role); END LOOP;
END $$;
CALL drop_all();
SELECT count(*) FROM names;
