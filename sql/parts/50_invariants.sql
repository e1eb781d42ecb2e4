-- What must hold at any time, in any state that a commit leaves.

CREATE FUNCTION wf.check_invariants() RETURNS TABLE (problem text)
	LANGUAGE sql VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
	AS $$
	-- a run is in one place: history, live, or a start in the queue or held back
	SELECT format('run %s is in %s places: %s', p.run_id, count(*), string_agg(p.place, ', ' ORDER BY p.place))
	FROM (
		SELECT tenant_id, run_id, 'history' AS place FROM wf.run
		UNION ALL SELECT tenant_id, run_id, 'live' FROM wf.live
		UNION ALL SELECT tenant_id, run_id, 'queue' FROM wf.queue WHERE kind = 0
		UNION ALL SELECT tenant_id, run_id, 'held' FROM wf.held WHERE kind = 0) p
	GROUP BY p.tenant_id, p.run_id HAVING count(*) > 1
	UNION ALL
	-- what belongs to a live run goes with it
	SELECT format('step %s of run %s waits (%s), which is not live', w.step, w.run_id, w.kind)
	FROM wf.wait w WHERE NOT EXISTS (SELECT FROM wf.live l WHERE l.tenant_id = w.tenant_id AND l.run_id = w.run_id)
	UNION ALL
	SELECT format('task %s of run %s is open, which is not live', t.task_id, t.run_id)
	FROM wf.task t WHERE t.status = 'open'
		AND NOT EXISTS (SELECT FROM wf.live l WHERE l.tenant_id = t.tenant_id AND l.run_id = t.run_id)
	UNION ALL
	SELECT format('gate "%s" has run %s, which is not alive', g.gate, g.run_id)
	FROM wf.gate g WHERE NOT EXISTS (SELECT FROM wf.live l WHERE l.tenant_id = g.tenant_id AND l.run_id = g.run_id)
		AND NOT EXISTS (SELECT FROM wf.queue q WHERE q.tenant_id = g.tenant_id AND q.message_id = g.run_id)
		AND NOT EXISTS (SELECT FROM wf.held q WHERE q.tenant_id = g.tenant_id AND q.message_id = g.run_id)
	UNION ALL
	SELECT format('message %s of kind %s to run %s is held back, which is not alive', h.message_id, h.kind, h.run_id)
	FROM wf.held h WHERE h.kind <> 0
		AND NOT EXISTS (SELECT FROM wf.live l WHERE l.tenant_id = h.tenant_id AND l.run_id = h.run_id)
		AND NOT EXISTS (SELECT FROM wf.held q WHERE q.tenant_id = h.tenant_id AND q.message_id = h.run_id)
	UNION ALL
	-- messages to runs that have ended are dropped by whoever claims them
	SELECT format('message %s of kind %s to run %s is in the queue since %s, which is not alive',
		q.message_id, q.kind, q.run_id, q.ready_at)
	FROM wf.queue q WHERE q.kind <> 0 AND q.ready_at < clock_timestamp() - interval '10s'
		AND NOT EXISTS (SELECT FROM wf.live l WHERE l.tenant_id = q.tenant_id AND l.run_id = q.run_id)
		AND NOT EXISTS (SELECT FROM wf.queue s WHERE s.tenant_id = q.tenant_id AND s.message_id = q.run_id)
		AND NOT EXISTS (SELECT FROM wf.held s WHERE s.tenant_id = q.tenant_id AND s.message_id = q.run_id)
	UNION ALL
	-- an answer is for a step that waits for it
	SELECT format('request %s of step %s of run %s is awaited by nobody', q.request_id, q.step, q.run_id)
	FROM wf.request q WHERE NOT q.forget
		AND NOT EXISTS (SELECT FROM wf.wait w WHERE w.tenant_id = q.tenant_id AND w.run_id = q.run_id AND w.step = q.step)
		AND NOT EXISTS (SELECT FROM wf.queue m WHERE m.tenant_id = q.tenant_id AND m.run_id = q.run_id AND m.step = q.step)
		AND NOT EXISTS (SELECT FROM wf.held m WHERE m.tenant_id = q.tenant_id AND m.run_id = q.run_id AND m.step = q.step)
	UNION ALL
	SELECT format('step %s of run %s waits for a request that is neither queued nor answered', w.step, w.run_id)
	FROM wf.wait w WHERE w.kind = 'request'
		AND NOT EXISTS (SELECT FROM wf.request q WHERE q.tenant_id = w.tenant_id AND q.run_id = w.run_id AND q.step = w.step)
		AND NOT EXISTS (SELECT FROM wf.queue m WHERE m.tenant_id = w.tenant_id AND m.run_id = w.run_id)
		AND NOT EXISTS (SELECT FROM wf.held m WHERE m.tenant_id = w.tenant_id AND m.run_id = w.run_id)
	UNION ALL
	SELECT format('request %s is queued and ended', q.request_id)
	FROM wf.request q JOIN wf.request_log l USING (tenant_id, run_id, request_id)
	UNION ALL
	-- a run that waits waits for something
	SELECT format('run %s is %s and has nothing to wait for', l.run_id, l.status)
	FROM wf.live l WHERE l.status <> 'paused'
		AND NOT EXISTS (SELECT FROM wf.wait w WHERE w.tenant_id = l.tenant_id AND w.run_id = l.run_id)
		AND NOT EXISTS (SELECT FROM wf.queue q WHERE q.tenant_id = l.tenant_id AND q.run_id = l.run_id)
		AND NOT EXISTS (SELECT FROM wf.held h WHERE h.tenant_id = l.tenant_id AND h.run_id = l.run_id AND h.gate IS NOT NULL)
	UNION ALL
	-- timers fire
	SELECT format('step %s of run %s was to wake at %s', w.step, w.run_id, w.wake_at)
	FROM wf.wait w WHERE w.wake_at < clock_timestamp() - interval '5s'
	UNION ALL
	-- no more runs within a gate than may be
	SELECT format('gate "%s" of workflow %s has %s runs, of %s', g.gate, g.workflow_id, g.n, h.gate_size)
	FROM (SELECT tenant_id, workflow_id, gate, count(*) AS n FROM wf.gate GROUP BY 1, 2, 3) g
	JOIN (SELECT tenant_id, workflow_id, gate, max(gate_size) AS gate_size FROM wf.held WHERE gate IS NOT NULL GROUP BY 1, 2, 3) h
		USING (tenant_id, workflow_id, gate)
	WHERE g.n > h.gate_size
	UNION ALL
	-- history is of runs that have ended, and says when
	SELECT format('run %s is in history as %s, finished %s', r.run_id, r.status, coalesce(r.finished_at::text, 'never'))
	FROM wf.run r WHERE r.finished_at IS NULL OR r.finished_at < r.started_at
		OR r.status <> ALL ('{completed, failed, cancelled, compensated}')
	UNION ALL
	-- journals: segments from 1 without gaps, steps that follow one another
	SELECT format('run %s has %s segments, from %s to %s', s.run_id, count(*), min(s.segment), max(s.segment))
	FROM wf.segment s
	JOIN (SELECT tenant_id, run_id, workflow_id, version FROM wf.run
		UNION ALL SELECT tenant_id, run_id, workflow_id, version FROM wf.live) r USING (tenant_id, run_id)
	JOIN wf.version v USING (tenant_id, workflow_id, version)
	WHERE coalesce(v.definition -> 'settings' ->> 'journal', 'full') = 'full'
	GROUP BY s.tenant_id, s.run_id
	HAVING min(s.segment) <> 1 OR max(s.segment) <> count(*)
	UNION ALL
	SELECT format('run %s has a journal and no record', s.run_id)
	FROM wf.segment s
	WHERE NOT EXISTS (SELECT FROM wf.run r WHERE r.tenant_id = s.tenant_id AND r.run_id = s.run_id)
		AND NOT EXISTS (SELECT FROM wf.live r WHERE r.tenant_id = s.tenant_id AND r.run_id = s.run_id)
	UNION ALL
	SELECT format('segment %s of run %s begins with step %s, the one before with step %s', s.segment, s.run_id, s.first_seq, s.earlier)
	FROM (SELECT run_id, segment, first_seq, lag(first_seq) OVER (PARTITION BY tenant_id, run_id ORDER BY segment) AS earlier
		FROM wf.segment) s
	WHERE s.first_seq < s.earlier
	UNION ALL
	SELECT format('segment %s of run %s has step %s twice', s.segment, s.run_id, t.seq)
	FROM wf.segment s CROSS JOIN LATERAL (SELECT u.seq FROM unnest(s.steps) u GROUP BY u.seq HAVING count(*) > 1) t
	UNION ALL
	-- triggers are those of active versions
	SELECT format('trigger "%s" of workflow "%s" is of version %s, installed %s: the workflow is %s, with version %s',
		t.node, w.name, t.version, t.installed, w.status, coalesce(w.active_version::text, 'none'))
	FROM wf.trigger t JOIN wf.workflow w USING (tenant_id, workflow_id)
	WHERE t.version IS DISTINCT FROM w.active_version OR w.status = 'deleted'
		OR t.installed <> (t.enabled AND w.status = 'active')
	UNION ALL
	-- keys and what a retry needs live as long as their runs
	SELECT format('idempotency key "%s" is of run %s, which does not exist', i.idempotency_key, i.run_id)
	FROM wf.idempotency i
	WHERE NOT EXISTS (SELECT FROM wf.run r WHERE r.tenant_id = i.tenant_id AND r.run_id = i.run_id)
		AND NOT EXISTS (SELECT FROM wf.live r WHERE r.tenant_id = i.tenant_id AND r.run_id = i.run_id)
		AND NOT EXISTS (SELECT FROM wf.queue r WHERE r.tenant_id = i.tenant_id AND r.message_id = i.run_id)
		AND NOT EXISTS (SELECT FROM wf.held r WHERE r.tenant_id = i.tenant_id AND r.message_id = i.run_id)
	UNION ALL
	SELECT format('run %s has personal data and does not exist', p.run_id)
	FROM wf.pii p
	WHERE NOT EXISTS (SELECT FROM wf.run r WHERE r.tenant_id = p.tenant_id AND r.run_id = p.run_id)
		AND NOT EXISTS (SELECT FROM wf.live r WHERE r.tenant_id = p.tenant_id AND r.run_id = p.run_id)
	UNION ALL
	SELECT format('run %s can be retried and is not in history as failed', f.run_id)
	FROM wf.failed f
	WHERE NOT EXISTS (SELECT FROM wf.run r WHERE r.tenant_id = f.tenant_id AND r.run_id = f.run_id
		AND r.status IN ('failed', 'compensated', 'cancelled'))
	$$;
COMMENT ON FUNCTION wf.check_invariants() IS 'what is wrong with the tables of runs; no row: nothing is. For superusers';
