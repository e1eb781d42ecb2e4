-- Runs in the background: starting, awaiting, controlling them, and events.

CREATE FUNCTION wf_start(workflow text, input jsonb DEFAULT '{}', options jsonb DEFAULT '{}') RETURNS uuid
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_start';
COMMENT ON FUNCTION wf_start(text, jsonb, jsonb) IS 'starts a run in the background, once this transaction commits, and returns its id';

CREATE FUNCTION wf_start_many(workflow text, inputs jsonb[], options jsonb DEFAULT '{}') RETURNS SETOF uuid
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_start_many';
COMMENT ON FUNCTION wf_start_many(text, jsonb[], jsonb) IS 'starts a run for each input; ids in the order of the inputs';

CREATE FUNCTION wf_await(run_id uuid, timeout interval DEFAULT '30s') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_await';
COMMENT ON FUNCTION wf_await(uuid, interval) IS 'waits until a run has ended, or the time is up: {run_id, status, output, error} as it stands then';

CREATE FUNCTION wf_cancel(run_id uuid, reason text DEFAULT NULL) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_cancel';
COMMENT ON FUNCTION wf_cancel(uuid, text) IS 'cancels a run, also one that executes now; false: it has ended';

CREATE FUNCTION wf_pause(run_id uuid) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_pause';
COMMENT ON FUNCTION wf_pause(uuid) IS 'stops a run after its current segment; false: it has ended';

CREATE FUNCTION wf_resume(run_id uuid) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_resume';
COMMENT ON FUNCTION wf_resume(uuid) IS 'lets a paused run go on; false: it has ended';

CREATE FUNCTION wf_retry(run_id uuid, from_node text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_retry';
COMMENT ON FUNCTION wf_retry(uuid, text, jsonb) IS 'lets a failed run go on with the segment that failed, or from a node that is named';

CREATE FUNCTION wf_migrate(run_id uuid, version int) RETURNS void
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_migrate';
COMMENT ON FUNCTION wf_migrate(uuid, int) IS 'moves a run that waits, is paused or has not begun to another version of its workflow';

CREATE FUNCTION wf_signal(run_id uuid, event text, payload jsonb DEFAULT '{}') RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_signal';
COMMENT ON FUNCTION wf_signal(uuid, text, jsonb) IS 'sends an event to one run, which keeps it until it asks for it; false: it has ended';

CREATE FUNCTION wf_emit(event text, payload jsonb DEFAULT '{}', correlation text DEFAULT NULL, unique_id text DEFAULT NULL)
	RETURNS int
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_emit';
COMMENT ON FUNCTION wf_emit(text, jsonb, text, text) IS 'sends an event to all runs that wait for it, and keeps it for a while for those that will; how many it was sent to';

CREATE FUNCTION wf.executing() RETURNS TABLE (run_id uuid, node text, since timestamptz)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'wf_sql_executing';
COMMENT ON FUNCTION wf.executing() IS 'what workers execute now of the current tenant''s runs';

CREATE FUNCTION wf.fired() RETURNS TABLE (tenant_id uuid, trigger_id uuid, fired_at timestamptz, n_fired bigint, failed_at timestamptz,
		n_failed bigint, code text, message text)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'wf_sql_fired';
COMMENT ON FUNCTION wf.fired() IS 'what triggers of the current tenant did since that was last saved in wf.trigger_stat';

CREATE FUNCTION wf.start_options(options jsonb, OUT trigger text, OUT correlation_id text, OUT tags text[],
		OUT parent_run_id uuid, OUT started_by oid)
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE AS 'MODULE_PATHNAME', 'wf_sql_start_options';
COMMENT ON FUNCTION wf.start_options(jsonb) IS 'what the options of a start say of the run, for the views';
