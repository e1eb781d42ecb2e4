-- Tasks: of people, and of external workers.

CREATE FUNCTION wf_complete_task(task_id uuid, outcome text, data jsonb DEFAULT '{}') RETURNS jsonb
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_complete_task';
COMMENT ON FUNCTION wf_complete_task(uuid, text, jsonb) IS 'decides an approval, or adds one''s decision to those of others: {status, outcome, data, by, at, decisions, quorum}';

CREATE FUNCTION wf_claim_task(task_id uuid) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_claim_task';
COMMENT ON FUNCTION wf_claim_task(uuid) IS 'makes an approval one''s own; false: it is somebody else''s';

CREATE FUNCTION wf_unclaim_task(task_id uuid) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_unclaim_task';
COMMENT ON FUNCTION wf_unclaim_task(uuid) IS 'gives an approval that one has claimed back to its assignees';

CREATE FUNCTION wf_delegate_task(task_id uuid, to_role name) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_delegate_task';
COMMENT ON FUNCTION wf_delegate_task(uuid, name) IS 'makes an approval of one''s own another role''s';

CREATE FUNCTION wf_comment_task(task_id uuid, comment text) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_comment_task';
COMMENT ON FUNCTION wf_comment_task(uuid, text) IS 'adds a comment to a task';

CREATE FUNCTION wf_poll_tasks(queue text, max int DEFAULT 1, lease interval DEFAULT '1m')
	RETURNS TABLE (task_id uuid, run_id uuid, payload jsonb, attempt int)
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'wf_sql_poll_tasks';
COMMENT ON FUNCTION wf_poll_tasks(text, int, interval) IS 'leases tasks of a queue to an external worker';

CREATE FUNCTION wf_finish_task(task_id uuid, result jsonb, attempt int DEFAULT NULL) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_finish_task';
COMMENT ON FUNCTION wf_finish_task(uuid, jsonb, int) IS 'gives the result of a leased task to its run; false: the lease is no longer held';

CREATE FUNCTION wf_fail_task(task_id uuid, error jsonb, retryable bool DEFAULT true, attempt int DEFAULT NULL) RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_fail_task';
COMMENT ON FUNCTION wf_fail_task(uuid, jsonb, bool, int) IS 'gives a leased task back to its queue, or its error to its run; false: the lease is no longer held';

CREATE FUNCTION wf_heartbeat(task_id uuid, lease interval DEFAULT '1m') RETURNS bool
	LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'wf_sql_heartbeat';
COMMENT ON FUNCTION wf_heartbeat(uuid, interval) IS 'makes the lease of a task last so long from now on; false: it is no longer held';
