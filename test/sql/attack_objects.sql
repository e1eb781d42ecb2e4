-- what somebody hangs on tables that a run touches is executed as the run's role and never as the engine, and turns nothing of the run
\getenv root PG_ABS_SRCDIR
\set lib :root '/lib/attack.psql'
\i :lib
CREATE FUNCTION with_settings(definition jsonb, security text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT definition || jsonb_build_object('edges', (SELECT jsonb_agg(jsonb_build_object('source', n->>'id', 'target', definition->'nodes'->(i::int)->>'id')) FROM jsonb_array_elements(definition->'nodes') WITH ORDINALITY x (n, i) WHERE i < jsonb_array_length(definition->'nodes')), 'settings', jsonb_build_object('security', security)) $$;
CREATE TABLE seen (id int GENERATED ALWAYS AS IDENTITY, who name DEFAULT current_user, how text, tenant text); GRANT INSERT ON seen TO PUBLIC;
\c - wf_test_mallory
-- notes who executes it, and tries what it can to be somebody else or to turn what comes after
CREATE FUNCTION of_mallory.note(how text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE s text;
BEGIN
	INSERT INTO public.seen (how, tenant) VALUES (how, public.wf_current_tenant());
	FOREACH s IN ARRAY '{SET ROLE wf_engine,SET ROLE postgres,RESET ROLE,SET SESSION AUTHORIZATION postgres,INSERT INTO wf.member SELECT tenant_id::uuid\, ''wf_test_mallory''\, ''owner'' FROM wf.tenant,UPDATE wf.run SET status = ''x'',DELETE FROM wf.segment}'::text[] LOOP
		BEGIN EXECUTE s; EXCEPTION WHEN OTHERS THEN
			IF SQLSTATE NOT IN ('42501') THEN INSERT INTO public.seen (how) VALUES (how || ': ' || s || ': ' || SQLERRM); END IF;
			CONTINUE; END;
		IF s NOT LIKE 'RESET%' OR current_user = 'wf_engine' OR current_user = 'postgres' THEN INSERT INTO public.seen (how) VALUES (how || ': ' || s); END IF;
	END LOOP;
	PERFORM set_config('search_path', 'of_mallory, pg_catalog', false), set_config('workflow.tenant', 'mine', false), set_config('DateStyle', 'German', false), set_config('IntervalStyle', 'sql_standard', false), set_config('bytea_output', 'escape', false),
		set_config('extra_float_digits', '-15', false), set_config('TimeZone', 'Pacific/Kiritimati', false), set_config('standard_conforming_strings', 'off', false), set_config('enable_seqscan', 'off', false), set_config('default_transaction_isolation', 'serializable', false), set_config('array_nulls', 'off', false), set_config('quote_all_identifiers', 'on', false), set_config('transform_null_equals', 'on', false), set_config('work_mem', '64kB', false);
	RETURN true;
END $$;
CREATE FUNCTION of_mallory.noted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note(concat_ws(' ', 'trigger', TG_WHEN, TG_OP, TG_LEVEL)); IF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE FUNCTION of_mallory.same(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM of_mallory.note('index'); RETURN $1; END $$;
CREATE FUNCTION of_mallory.given() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('default'); RETURN 1; END $$;
CREATE DOMAIN of_mallory.d AS int CHECK (of_mallory.note('domain'));
CREATE TYPE of_mallory.e AS (x int);
CREATE FUNCTION of_mallory.e_of(text) RETURNS of_mallory.e LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('cast'); RETURN ROW(1)::of_mallory.e; END $$;
CREATE FUNCTION of_mallory.e_of(jsonb) RETURNS of_mallory.e LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('cast of jsonb'); RETURN ROW(1)::of_mallory.e; END $$;
CREATE CAST (text AS of_mallory.e) WITH FUNCTION of_mallory.e_of(text) AS IMPLICIT;
CREATE CAST (jsonb AS of_mallory.e) WITH FUNCTION of_mallory.e_of(jsonb) AS IMPLICIT;
CREATE FUNCTION of_mallory.j_of(of_mallory.e) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('cast to json'); RETURN '"cast"'; END $$;
CREATE CAST (of_mallory.e AS json) WITH FUNCTION of_mallory.j_of(of_mallory.e);
CREATE FUNCTION of_mallory.equal(of_mallory.e, of_mallory.e) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('operator'); RETURN true; END $$;
CREATE OPERATOR of_mallory.= (PROCEDURE = of_mallory.equal, LEFTARG = of_mallory.e, RIGHTARG = of_mallory.e);
CREATE FUNCTION of_mallory.equal_text(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('operator of text'); RETURN true; END $$;
CREATE OPERATOR of_mallory.= (PROCEDURE = of_mallory.equal_text, LEFTARG = text, RIGHTARG = text);
CREATE TABLE of_mallory.t (id int, d of_mallory.d, e of_mallory.e, n int DEFAULT of_mallory.given(), g int GENERATED ALWAYS AS (of_mallory.same(id)) STORED, label text, CHECK (of_mallory.note('check')));
CREATE INDEX ON of_mallory.t (of_mallory.same(id)); CREATE INDEX ON of_mallory.t (id) WHERE of_mallory.same(id) IS NOT NULL;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON of_mallory.t FOR EACH ROW EXECUTE FUNCTION of_mallory.noted();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON of_mallory.t FOR EACH ROW EXECUTE FUNCTION of_mallory.noted();
CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON of_mallory.t FOR EACH STATEMENT EXECUTE FUNCTION of_mallory.noted();
ALTER TABLE of_mallory.t ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON of_mallory.t USING (of_mallory.note('policy')) WITH CHECK (of_mallory.note('policy check'));
CREATE TABLE of_mallory.ruled (id int, label text); CREATE RULE r AS ON INSERT TO of_mallory.ruled DO ALSO SELECT of_mallory.note('rule'); CREATE RULE u AS ON UPDATE TO of_mallory.ruled DO INSTEAD SELECT of_mallory.note('rule of update');
CREATE VIEW of_mallory.v WITH (security_barrier) AS SELECT id, label, of_mallory.note('view') AS n FROM of_mallory.ruled;
CREATE FUNCTION of_mallory.instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM of_mallory.note('instead of'); RETURN NEW; END $$;
CREATE TRIGGER i INSTEAD OF INSERT ON of_mallory.v FOR EACH ROW EXECUTE FUNCTION of_mallory.instead();
CREATE FUNCTION of_mallory.as_mallory() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM of_mallory.note('definer function'); RETURN current_user; END $$;
CREATE AGGREGATE of_mallory.agg (int) (SFUNC = int4pl, STYPE = int, INITCOND = '0');
GRANT ALL ON ALL TABLES IN SCHEMA of_mallory TO wf_test_victim;
-- same names as ours, in a schema that the victim's runs may have in their path
CREATE FUNCTION of_mallory.wf_run(workflow text, input jsonb, options jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT of_mallory.note('wf_run'); SELECT '{}'::jsonb $$;
CREATE FUNCTION of_mallory.wf_current_tenant() RETURNS text LANGUAGE sql AS $$ SELECT 'mine'::text $$;
CREATE VIEW of_mallory.wf_runs AS SELECT 'hers' AS status; CREATE FUNCTION of_mallory.jsonb_build_object(text, text) RETURNS jsonb LANGUAGE sql AS $$ SELECT of_mallory.note('jsonb_build_object'); SELECT '{}'::jsonb $$;
CREATE FUNCTION of_mallory.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT of_mallory.note('to_jsonb'); SELECT '{}'::jsonb $$; CREATE FUNCTION of_mallory.row_to_json(record) RETURNS json LANGUAGE sql AS $$ SELECT '{}'::json $$;
\c - postgres
CREATE FUNCTION public.save_touch(security text, path text) RETURNS int LANGUAGE plpgsql AS $f$
DECLARE v int;
BEGIN
	PERFORM set_config('search_path', path, false);
	v := public.wf_save('touch', public.with_settings($j${"nodes": [
	{"id": "create", "type": "db.create", "config": {"table": "of_mallory.t", "values": {"id": 1, "d": 1, "e": "(1)", "label": "l"}}},
	{"id": "find", "type": "db.find", "config": {"table": "of_mallory.t", "where": {"id": 1, "label": "l"}}},
	{"id": "update", "type": "db.update", "config": {"table": "of_mallory.t", "set": {"d": 2, "n": {"$inc": 1}}, "where": {"id": {"in": [1]}}}},
	{"id": "upsert", "type": "db.bulkCreate", "config": {"table": "of_mallory.t", "items": [{"id": 2}, {"id": 3}]}},
	{"id": "agg", "type": "db.aggregate", "config": {"table": "of_mallory.t", "aggregates": {"n": {"fn": "count"}, "m": {"fn": "max", "column": "id"}}}},
	{"id": "delete", "type": "db.delete", "config": {"table": "of_mallory.t", "where": {"id": {"gt": 1}}}},
	{"id": "ruled", "type": "db.create", "config": {"table": "of_mallory.ruled", "values": {"id": 1}}},
	{"id": "ruled2", "type": "db.update", "config": {"table": "of_mallory.ruled", "set": {"id": 1}, "where": {"id": 1}}, "onError": "continue"},
	{"id": "view", "type": "db.find", "config": {"table": "of_mallory.v"}},
	{"id": "view2", "type": "db.create", "config": {"table": "of_mallory.v", "values": {"id": 1}}},
	{"id": "casts", "type": "db.query", "config": {"sql": "SELECT 'x'::pg_catalog.text::of_mallory.e OPERATOR(of_mallory.=) '{}'::pg_catalog.jsonb::of_mallory.e AS same, pg_catalog.to_json(e) FROM of_mallory.t"}},
	{"id": "call", "type": "db.call", "config": {"function": "of_mallory.as_mallory"}},
	{"id": "me", "type": "db.query", "config": {"sql": "SELECT current_user::pg_catalog.text AS u, public.wf_current_tenant() AS t", "outputFormat": "row"}},
	{"id": "back", "type": "return", "config": {"value": "{{ [$node.me.output.row, $node.agg.output.rows, $node.call.output.value, $run.tenant] }}"}}]}$j$, security));
	PERFORM pg_catalog.set_config('search_path', '"$user", public', false);
	RETURN v;
END $f$;
CREATE FUNCTION public.touch() RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', r->>'status', r->>'output', r#>>'{error,code}', r#>>'{error,node}', r#>>'{error,message}') FROM public.wf_run('touch') r $$;
-- the victim's runs touch all of it
\c - wf_test_victim
SELECT public.save_touch('invoker', '"$user", public');
SELECT public.touch();
-- what a run of its own leaves in its session is as after a function
\c - wf_test_victim
-- and with her schema first, where names are looked up: what she hung there turned the session to her tenant while the victim saved, which is refused
SELECT public.save_touch('invoker', 'of_mallory, pg_catalog, public');
SELECT public.touch();
\c - postgres
SELECT how, who, tenant, count(*) > 0 FROM seen GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT wf_use_tenant('theirs');
-- the record is whole, and is the victim's
SELECT workflow, status, started_by FROM wf_runs ORDER BY run_id;
SELECT node, status, count(*) FROM wf_steps GROUP BY 1, 2 HAVING count(*) <> 2 ORDER BY 1, 2;
SELECT started_at BETWEEN now() - interval '1 h' AND now() + interval '1 h' FROM wf_runs;
SELECT problem FROM wf.check_invariants();
SELECT role, app_role FROM wf.member JOIN wf.tenant USING (tenant_id) WHERE name = 'theirs' ORDER BY 1::text;
RESET workflow.tenant;
DROP EXTENSION workflow CASCADE;
SET client_min_messages = error;
DROP SCHEMA of_mallory CASCADE;
DROP OWNED BY wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
DROP ROLE wf_test_mallory, wf_test_victim, wf_test_stranger, wf_test_gate;
