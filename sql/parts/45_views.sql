-- Views: what members see of the current tenant. A superuser, whom no policy binds, sees the current
-- tenant too. They call wf.current_tenant_id() rather than ask for it by a subquery: the planner then knows whose rows it is about.

CREATE VIEW wf_workflows WITH (security_invoker = true) AS
	SELECT w.workflow_id, w.name, w.description, w.category, w.status, w.active_version, w.last_version,
		   (v.definition OPERATOR(pg_catalog.->) 'settings') AS settings,
		   w.owner::pg_catalog.text AS owner, w.created_at, w.updated_at
	FROM wf.workflow w
	LEFT JOIN wf.version v ON v.tenant_id OPERATOR(pg_catalog.=) w.tenant_id
		AND v.workflow_id OPERATOR(pg_catalog.=) w.workflow_id
		AND v.version OPERATOR(pg_catalog.=) w.active_version
	WHERE w.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id()
	  AND w.status OPERATOR(pg_catalog.<>) 'deleted';
COMMENT ON VIEW wf_workflows IS 'workflows of the current tenant';

-- A run is in history when it has ended, in wf.live between two segments, and else a start in wf.queue or wf.held.
-- Options of a start have what history has in columns.
-- What is stored has tokens for personal data; these put it, or a mask, in their place.
CREATE FUNCTION wf.shown(document jsonb, tenant_id uuid, run_id uuid) RETURNS jsonb
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_shown';
COMMENT ON FUNCTION wf.shown(jsonb, uuid, uuid) IS 'JSON of a run with personal data for those who may see it, else with masks';
CREATE FUNCTION wf.shown(line text, tenant_id uuid, run_id uuid) RETURNS text
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_shown_text';
COMMENT ON FUNCTION wf.shown(text, uuid, uuid) IS 'a text of a run with personal data for those who may see it, else with masks';
CREATE FUNCTION wf.shown(lines text[], tenant_id uuid, run_id uuid) RETURNS text[]
	LANGUAGE c STABLE STRICT PARALLEL RESTRICTED AS 'MODULE_PATHNAME', 'wf_sql_shown_texts';
COMMENT ON FUNCTION wf.shown(text[], uuid, uuid) IS 'lines of a run with personal data for those who may see it, else with masks';

CREATE VIEW wf_runs WITH (security_invoker = true) AS
	SELECT r.run_id, w.name AS workflow, r.version,
		   CASE WHEN x.run_id IS NOT NULL AND r.finished_at IS NULL THEN 'running' ELSE r.status END AS status,
		   r.trigger, wf.shown(r.input, r.tenant_id, r.run_id) AS input, wf.shown(r.output, r.tenant_id, r.run_id) AS output,
		   wf.shown(r.error, r.tenant_id, r.run_id) AS error, r.correlation_id, r.tags, r.parent_run_id, r.started_by,
		   r.queued_at, r.started_at, r.finished_at,
		   (pg_catalog.date_part('epoch', r.finished_at OPERATOR(pg_catalog.-) r.started_at)
			OPERATOR(pg_catalog.*) 1000.0::pg_catalog.float8) AS duration_ms,
		   CASE WHEN x.node IS NOT NULL AND r.finished_at IS NULL THEN ARRAY[x.node] ELSE r.current_nodes END AS current_nodes,
		   r.progress, r.wake_at, r.attempt
	FROM (
		SELECT h.tenant_id, h.run_id, h.workflow_id, h.version, h.status, h.trigger, h.input, h.output, h.error,
			   h.correlation_id, h.tags, h.parent_run_id, h.started_by::pg_catalog.text AS started_by, h.queued_at,
			   h.started_at, h.finished_at, h.current_nodes, h.progress, h.wake_at, h.attempt
		FROM wf.run h
		UNION ALL
		SELECT l.tenant_id, l.run_id, l.workflow_id, l.version,
			   CASE WHEN l.status OPERATOR(pg_catalog.=) 'compensating' THEN 'running' ELSE l.status END,
			   o.trigger, l.input, NULL, NULL, o.correlation_id, o.tags, l.parent_run_id,
			   coalesce(o.started_by, l.role)::pg_catalog.regrole::pg_catalog.text, l.queued_at, l.started_at,
			   NULL, l.current_nodes, l.progress,
			   (SELECT pg_catalog.min(a.wake_at) FROM wf.wait a
				WHERE a.tenant_id OPERATOR(pg_catalog.=) l.tenant_id AND a.run_id OPERATOR(pg_catalog.=) l.run_id),
			   l.attempt
		FROM wf.live l CROSS JOIN LATERAL wf.start_options(l.options) o
		UNION ALL
		SELECT q.tenant_id, q.message_id, q.workflow_id, q.version, 'queued', o.trigger, q.payload, NULL, NULL,
			   o.correlation_id, o.tags, o.parent_run_id,
			   coalesce(o.started_by, q.role)::pg_catalog.regrole::pg_catalog.text, q.ready_at, NULL, NULL, NULL, NULL,
			   NULL, 1
		FROM wf.queue q CROSS JOIN LATERAL wf.start_options(q.options) o
		WHERE q.kind OPERATOR(pg_catalog.=) 0
		UNION ALL
		SELECT q.tenant_id, q.message_id, q.workflow_id, q.version, 'queued', o.trigger, q.payload, NULL, NULL,
			   o.correlation_id, o.tags, o.parent_run_id,
			   coalesce(o.started_by, q.role)::pg_catalog.regrole::pg_catalog.text, q.ready_at, NULL, NULL, NULL, NULL,
			   NULL, 1
		FROM wf.held q CROSS JOIN LATERAL wf.start_options(q.options) o
		WHERE q.kind OPERATOR(pg_catalog.=) 0
	) r
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) r.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) r.workflow_id
	LEFT JOIN wf.executing() x ON x.run_id OPERATOR(pg_catalog.=) r.run_id
	WHERE r.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_runs IS 'runs of the current tenant, ended or not';

CREATE VIEW wf_segments WITH (security_invoker = true) AS
	SELECT s.run_id, s.segment, s.attempt, s.status, s.started_at, s.finished_at,
		   (pg_catalog.date_part('epoch', s.finished_at OPERATOR(pg_catalog.-) s.started_at)
			OPERATOR(pg_catalog.*) 1000.0::pg_catalog.float8) AS duration_ms,
		   pg_catalog.cardinality(s.steps) AS steps
	FROM wf.segment s
	WHERE s.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_segments IS 'segments of the runs of the current tenant';

CREATE FUNCTION wf.unfold(steps wf.step[], first_seq int, input jsonb) RETURNS SETOF wf.step
	LANGUAGE c IMMUTABLE CALLED ON NULL INPUT PARALLEL SAFE ROWS 20 AS 'MODULE_PATHNAME', 'wf_sql_unfold';
COMMENT ON FUNCTION wf.unfold(wf.step[], int, jsonb) IS 'steps of a journal row, with the inputs that it stores as numbers of steps';

CREATE VIEW wf_steps WITH (security_invoker = true) AS
	SELECT s.run_id, t.seq, t.node, t.path, t.type, t.status, t.port, t.attempt,
		   wf.shown(t.input, s.tenant_id, s.run_id) AS input, wf.shown(t.output, s.tenant_id, s.run_id) AS output,
		   wf.shown(t.error, s.tenant_id, s.run_id) AS error, t.started_at,
		   (t.duration_us::pg_catalog.float8 OPERATOR(pg_catalog./) 1000.0::pg_catalog.float8) AS duration_ms,
		   s.segment, wf.shown(t.log, s.tenant_id, s.run_id) AS log
	FROM wf.segment s
	CROSS JOIN LATERAL (
		SELECT r.input FROM wf.run r
		WHERE r.tenant_id OPERATOR(pg_catalog.=) s.tenant_id AND r.run_id OPERATOR(pg_catalog.=) s.run_id
		UNION ALL
		SELECT l.input FROM wf.live l
		WHERE l.tenant_id OPERATOR(pg_catalog.=) s.tenant_id AND l.run_id OPERATOR(pg_catalog.=) s.run_id) r
	CROSS JOIN LATERAL wf.unfold(s.steps, s.first_seq, r.input) AS t
	WHERE s.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id()
	UNION ALL
	SELECT l.run_id, t.seq, t.node, t.path, t.type, t.status, NULL, t.attempt, NULL, NULL, NULL, t."startedAt", NULL,
		   l.n_segments, NULL
	FROM wf.live l
	CROSS JOIN LATERAL pg_catalog.jsonb_to_recordset(l.progress OPERATOR(pg_catalog.->) 'waiting')
		AS t (seq int, node text, path text, type text, status text, attempt int, "startedAt" timestamptz)
	WHERE l.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id()
	  AND t.status OPERATOR(pg_catalog.=) 'waiting';
COMMENT ON VIEW wf_steps IS 'steps of the runs of the current tenant, unfolded from the journal';

CREATE VIEW wf_tasks WITH (security_invoker = true) AS
	SELECT t.task_id, t.run_id, w.name AS workflow, t.node, t.kind, t.queue, wf.shown(t.title, t.tenant_id, t.run_id) AS title,
		   wf.shown(t.body, t.tenant_id, t.run_id) AS body, t.assignees, t.claimed_by, t.outcomes,
		   wf.shown(t.form, t.tenant_id, t.run_id) AS form, wf.shown(t.payload, t.tenant_id, t.run_id) AS payload, t.status, t.attempt, t.created_at, t.due_at
	FROM wf.task t
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) t.workflow_id
	WHERE t.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_tasks IS 'tasks of the current tenant: the inbox of people, and the queues of external workers';

CREATE VIEW wf_dead_letters WITH (security_invoker = true) AS
	SELECT f.run_id, w.name AS workflow, f.version, wf.shown(r.error, r.tenant_id, r.run_id) AS error, f.attempt AS attempts, f.failed_at
	FROM wf.failed f
	JOIN wf.run r ON r.tenant_id OPERATOR(pg_catalog.=) f.tenant_id AND r.run_id OPERATOR(pg_catalog.=) f.run_id
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) f.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) f.workflow_id
	WHERE f.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_dead_letters IS 'failed runs of the current tenant that wf_retry can take up';

CREATE VIEW wf_queue_status WITH (security_invoker = true) AS
	SELECT t.name AS tenant, q.ready, (SELECT pg_catalog.count(*) FROM wf.executing()) AS running,
		   l.waiting, h.held, pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) q.oldest AS oldest_ready_age,
		   a.due_timers
	FROM wf.tenant t
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS ready, pg_catalog.min(m.ready_at) AS oldest FROM wf.queue m
		WHERE m.tenant_id OPERATOR(pg_catalog.=) t.tenant_id) q
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS waiting FROM wf.live m
		WHERE m.tenant_id OPERATOR(pg_catalog.=) t.tenant_id) l
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS held FROM wf.held m
		WHERE m.tenant_id OPERATOR(pg_catalog.=) t.tenant_id) h
	CROSS JOIN LATERAL (SELECT pg_catalog.count(*) AS due_timers FROM wf.wait m
		WHERE m.tenant_id OPERATOR(pg_catalog.=) t.tenant_id
		  AND m.wake_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()) a
	WHERE t.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_queue_status IS 'the current tenant''s messages that are ready or held back, and runs that execute or wait';

CREATE VIEW wf_secrets WITH (security_invoker = true) AS
	SELECT s.name, s.version, f.created_at, f.created_by::pg_catalog.text AS created_by,
		   s.created_at AS updated_at, s.created_by::pg_catalog.text AS updated_by
	FROM wf.secret s
	CROSS JOIN LATERAL (SELECT o.created_at, o.created_by FROM wf.secret o
		WHERE o.tenant_id OPERATOR(pg_catalog.=) s.tenant_id AND o.name OPERATOR(pg_catalog.=) s.name
		ORDER BY o.version LIMIT 1) f
	WHERE s.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id() AND s.ended_at IS NULL AND s.type IS NULL;
COMMENT ON VIEW wf_secrets IS 'secrets of the current tenant: names, versions, when and by whom; never values';

CREATE VIEW wf_credentials WITH (security_invoker = true) AS
	SELECT s.name, s.type, s.fields, s.version, f.created_at, f.created_by::pg_catalog.text AS created_by,
		   s.created_at AS updated_at, s.created_by::pg_catalog.text AS updated_by
	FROM wf.secret s
	CROSS JOIN LATERAL (SELECT o.created_at, o.created_by FROM wf.secret o
		WHERE o.tenant_id OPERATOR(pg_catalog.=) s.tenant_id AND o.name OPERATOR(pg_catalog.=) s.name
		ORDER BY o.version LIMIT 1) f
	WHERE s.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id() AND s.ended_at IS NULL AND s.type IS NOT NULL;
COMMENT ON VIEW wf_credentials IS 'credentials of the current tenant: names, types, fields that are no secret, versions, when and by whom';

-- For superusers, whom no right binds: nobody else may read it.
CREATE VIEW wf_master_keys WITH (security_invoker = true) AS
	SELECT k.key_id, k.created_at AS since, wf.has_master_key(k.check_value) AS available,
		   (SELECT pg_catalog.count(*) FROM wf.secret s WHERE s.key_id OPERATOR(pg_catalog.=) k.key_id AND s.ended_at IS NULL) AS secrets_left
	FROM wf.master_key k;
COMMENT ON VIEW wf_master_keys IS 'master keys that secrets were encrypted with: since when, whether the server has the key, and how many secrets are still encrypted with it';
REVOKE ALL ON wf_master_keys FROM PUBLIC;

CREATE VIEW wf_requests WITH (security_invoker = true) AS
	SELECT r.request_id, r.run_id, r.node, r.method, r.host, wf.shown(r.path, r.tenant_id, r.run_id) AS path, r.state, r.status,
		   r.attempts, r.dns_ms, r.connect_ms, r.tls_ms, r.first_byte_ms, r.total_ms, r.error, w.name AS workflow, r.created_at,
		   r.ended_at, r.due_at, r.bodies
	FROM (
		SELECT q.tenant_id, q.workflow_id, q.request_id, q.run_id, q.node, q.method, q.host, q.path,
			   CASE WHEN a.sending THEN 'sending' WHEN q.attempts OPERATOR(pg_catalog.+) a.n OPERATOR(pg_catalog.=) 0 THEN 'queued'
			   ELSE 'retrying' END AS state,
			   NULL::int AS status,
			   q.attempts OPERATOR(pg_catalog.+) a.n AS attempts, NULL::real AS dns_ms, NULL::real AS connect_ms, NULL::real AS tls_ms,
			   NULL::real AS first_byte_ms, NULL::real AS total_ms, q.error, q.created_at, NULL::pg_catalog.timestamptz AS ended_at,
			   q.due_at, NULL::pg_catalog.jsonb AS bodies
		FROM wf.request q
		LEFT JOIN (SELECT b.tenant_id, i.request_id, pg_catalog.array_agg(b.began_at) AS began,
				pg_catalog.array_agg(b.cut_short) AS cut_short
			FROM wf.sending b, pg_catalog.unnest(b.request_ids) i (request_id) GROUP BY b.tenant_id, i.request_id) s
			ON s.tenant_id OPERATOR(pg_catalog.=) q.tenant_id AND s.request_id OPERATOR(pg_catalog.=) q.request_id
		CROSS JOIN LATERAL (SELECT pg_catalog.count(*)::int AS n, coalesce(pg_catalog.bool_or(NOT t.cut_short), false) AS sending
			FROM ROWS FROM (pg_catalog.unnest(s.began), pg_catalog.unnest(s.cut_short)) t (began_at, cut_short)
			WHERE t.began_at OPERATOR(pg_catalog.>=) q.due_at) a
		UNION ALL
		SELECT l.tenant_id, l.workflow_id, l.request_id, l.run_id, l.node, l.method, l.host, l.path, l.state, l.status,
			   l.attempts, l.dns_ms, l.connect_ms, l.tls_ms, l.first_byte_ms, l.total_ms, l.error, l.created_at, l.ended_at,
			   NULL, l.bodies
		FROM wf.request_log l
	) r
	LEFT JOIN wf.workflow w ON w.tenant_id OPERATOR(pg_catalog.=) r.tenant_id
		AND w.workflow_id OPERATOR(pg_catalog.=) r.workflow_id
	WHERE r.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_requests IS 'requests of the current tenant''s runs: to be sent, being sent, ended';

CREATE VIEW wf_circuits WITH (security_invoker = true) AS
	SELECT c.host, CASE WHEN c.state OPERATOR(pg_catalog.=) 'open' AND c.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()
		   THEN 'halfOpen' ELSE c.state END AS state,
		   c.attempts, c.failures, c.changed_at, c.retry_at, c.times_opened
	FROM wf.circuit c
	WHERE c.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_circuits IS 'circuits of hosts that have opened for the current tenant, as of their last change';

CREATE VIEW wf_host_limits WITH (security_invoker = true) AS
	SELECT h.host, CASE WHEN h.requests OPERATOR(pg_catalog.>) 0 THEN h.requests END AS requests,
		   CASE WHEN h.requests OPERATOR(pg_catalog.>) 0
		   THEN h.per_ms::pg_catalog.float8 OPERATOR(pg_catalog.*) '1 millisecond'::pg_catalog.interval END AS per,
		   CASE WHEN h.burst OPERATOR(pg_catalog.>) 0 THEN h.burst END AS burst, CASE WHEN h.concurrency OPERATOR(pg_catalog.>) 0 THEN h.concurrency END AS concurrency
	FROM wf.host_limit h
	WHERE h.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_host_limits IS 'limits of the current tenant for hosts, and (*) for all that it sends';

CREATE VIEW wf_stat_hosts WITH (security_invoker = true) AS
	SELECT l.host, pg_catalog.count(*) AS requests,
		   pg_catalog.count(*) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'completed') AS completed,
		   pg_catalog.count(*) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'failed') AS failed,
		   pg_catalog.count(*) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'cancelled') AS cancelled,
		   pg_catalog.sum(l.attempts) AS attempts,
		   pg_catalog.avg(l.total_ms) AS avg_ms,
		   pg_catalog.percentile_cont(0.95) WITHIN GROUP (ORDER BY l.total_ms) AS p95_ms,
		   pg_catalog.max(l.ended_at) AS last_ended_at
	FROM wf.request_log l
	WHERE l.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id()
	GROUP BY l.host;
COMMENT ON VIEW wf_stat_hosts IS 'requests of the current tenant that have ended, counted by host';

CREATE VIEW wf_forgotten WITH (security_invoker = true) AS
	SELECT f.forgotten_at, f.forgotten_by::pg_catalog.text AS forgotten_by, f.path, f.digest, f.places
	FROM wf.forgotten f
	WHERE f.tenant_id OPERATOR(pg_catalog.=) wf.current_tenant_id();
COMMENT ON VIEW wf_forgotten IS 'what wf_forget erased for the current tenant: when, by whom, where, a digest of the value';

REVOKE ALL ON wf_workflows, wf_runs, wf_segments, wf_steps, wf_tasks, wf_dead_letters, wf_queue_status, wf_secrets, wf_credentials, wf_requests, wf_circuits,
	wf_stat_hosts, wf_host_limits, wf_forgotten FROM PUBLIC;
GRANT SELECT ON wf_workflows, wf_runs, wf_segments, wf_steps, wf_tasks, wf_dead_letters, wf_queue_status, wf_secrets, wf_credentials, wf_requests, wf_circuits,
	wf_stat_hosts, wf_host_limits, wf_forgotten TO PUBLIC;
