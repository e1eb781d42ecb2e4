-- What the bench of triggers compares: one table, with this trigger or that on a copy of it.
CREATE EXTENSION workflow;

CREATE TABLE no_trigger (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int NOT NULL, status text NOT NULL,
	total numeric(12,2) NOT NULL, note text, at timestamptz NOT NULL DEFAULT now());
CREATE TABLE plpgsql_empty (LIKE no_trigger INCLUDING ALL);
CREATE TABLE plpgsql_queue (LIKE no_trigger INCLUDING ALL);
CREATE TABLE when_false (LIKE no_trigger INCLUDING ALL);
CREATE TABLE async_row (LIKE no_trigger INCLUDING ALL);
CREATE TABLE async_statement (LIKE no_trigger INCLUDING ALL);
CREATE TABLE sync_row (LIKE no_trigger INCLUDING ALL);

CREATE FUNCTION do_nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER t AFTER INSERT ON plpgsql_empty FOR EACH ROW EXECUTE FUNCTION do_nothing();

-- the least that a queue in a table needs: its key is its order
CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, payload jsonb NOT NULL);
CREATE FUNCTION put_into_queue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO queue (payload) VALUES (to_jsonb(NEW));
	RETURN NULL;
END $$;
CREATE TRIGGER t AFTER INSERT ON plpgsql_queue FOR EACH ROW EXECUTE FUNCTION put_into_queue();

-- what any WHEN clause costs: PostgreSQL reads and prepares it anew for each statement
CREATE TABLE plpgsql_when (LIKE no_trigger INCLUDING ALL);
CREATE TRIGGER t AFTER INSERT ON plpgsql_when FOR EACH ROW WHEN (new.total > 1000 AND new.status = 'paid') EXECUTE FUNCTION do_nothing();

SELECT wf_save('when_false', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "when_false", "events": ["insert"],
	"when": "$trigger.new.total > 1000 && $trigger.new.status === ''paid''"}}], "edges": []}');
SELECT wf_save('async_row', '{"nodes": [{"id": "t", "type": "trigger.row", "config": {"table": "async_row", "events": ["insert"]}}], "edges": []}');
SELECT wf_save('async_statement', '{"nodes": [{"id": "t", "type": "trigger.row",
	"config": {"table": "async_statement", "events": ["insert"], "level": "statement"}}], "edges": []}');
SELECT wf_save('sync_row', '{"nodes": [
	{"id": "t", "type": "trigger.row", "config": {"table": "sync_row", "events": ["insert"], "mode": "sync"}},
	{"id": "large", "type": "if", "config": {"condition": "$trigger.new.total > 1000"}},
	{"id": "keep", "type": "set", "config": {"variables": {"customer": "{{ $trigger.new.customer }}"}}}],
	"edges": [{"source": "t", "target": "large"}, {"source": "large", "sourceHandle": "false", "target": "keep"}],
	"variables": [{"name": "customer", "type": "number"}]}');
