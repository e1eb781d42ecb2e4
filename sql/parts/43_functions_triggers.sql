-- Triggers.

CREATE FUNCTION wf_enable_trigger(workflow text, node text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_enable_trigger';
COMMENT ON FUNCTION wf_enable_trigger(text, text) IS 'lets a trigger of a workflow''s active version fire again';

CREATE FUNCTION wf_disable_trigger(workflow text, node text) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_disable_trigger';
COMMENT ON FUNCTION wf_disable_trigger(text, text) IS 'keeps a trigger of a workflow from firing, in later versions too, until it is enabled';

CREATE FUNCTION wf.row_trigger() RETURNS trigger
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_row_trigger';
COMMENT ON FUNCTION wf.row_trigger() IS 'starts the workflow whose trigger.row node made the trigger that calls it';

CREATE FUNCTION wf_next_runs(workflow text, count int DEFAULT 5) RETURNS SETOF timestamptz
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_next_runs';
COMMENT ON FUNCTION wf_next_runs(text, int) IS 'when the schedules of a workflow''s active version are due next';

CREATE FUNCTION wf.fire_schedules() RETURNS int
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_fire_schedules';
COMMENT ON FUNCTION wf.fire_schedules() IS 'starts what schedules of all tenants are due, as the keeper does by itself; for pg_cron';

CREATE FUNCTION wf.trigger_problem(workflow_id uuid, node text) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_trigger_problem';
COMMENT ON FUNCTION wf.trigger_problem(uuid, text) IS 'what keeps a trigger of the current tenant from firing; null: nothing';

CREATE FUNCTION wf_webhook(path text, method text, headers jsonb, body bytea, query jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_webhook';
COMMENT ON FUNCTION wf_webhook(text, text, jsonb, bytea, jsonb) IS 'hands over an HTTP request to the webhook of its path; what to answer';
